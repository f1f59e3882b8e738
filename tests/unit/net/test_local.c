/* SPDX-License-Identifier: ISC */
/* links: sockets turn_loop */
#include "net/local.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "support/sockets.h"
#include "support/turn_loop.h"

/* A real loop and real sockets, in a directory of its own. */

static char directory[] = "/tmp/test_local.XXXXXX";
static char path[sizeof(directory) + 32];
static struct loop *loop;
static struct local *local;
static struct local_client *waiting;
static char heard[LOCAL_REQUEST_MAX];
static int asked, gone;
static const char *answer; /* NULL: later */
static size_t answer_n;

static void
on_asked(struct local_client *c, struct span line, void *arg)
{
	assert_ptr_equal(arg, &local);
	assert_true(line.n < sizeof(heard));
	memcpy(heard, line.p, line.n);
	heard[line.n] = '\0';
	asked++;
	if (answer != NULL)
		local_answer(c, answer, answer_n);
	else
		waiting = c;
}

static void
on_gone(struct local_client *c, void *arg)
{
	(void)arg;
	assert_ptr_equal(c, waiting);
	waiting = NULL;
	gone++;
}

static const struct local_ops ops = {.asked = on_asked, .gone = on_gone};

/* Let the loop turn for a moment. */
static void
turn(void)
{
	turn_loop(loop, 20);
}

static struct local *
opened(struct errtext *why)
{
	const struct local_options o = {
	    .path = path, .group = (gid_t)-1, .make_directory = true};

	return local_open(&o, why);
}

static int
set_up(void **state)
{
	struct errtext why;

	(void)state;
	asked = gone = 0;
	answer = "yes";
	answer_n = 3;
	loop = loop_new();
	local = opened(&why);
	assert_non_null(local);
	assert_int_equal(local_start(local, loop, &ops, &local), 0);
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	local_close(&local);
	loop_free(&loop);
	return 0;
}

static void
test_question_and_answer(void **state)
{
	int fd = sockets_call(path);

	(void)state;
	turn();
	sockets_say(fd, "who is ");
	turn();
	assert_int_equal(asked, 0);
	sockets_say(fd, "there\r\nand more");
	turn();
	assert_string_equal(heard, "who is there");
	sockets_hear_last(fd, "yes");
	assert_int_equal(asked, 1);
	assert_int_equal(gone, 0);
}

static void
test_answer_later(void **state)
{
	int fd = sockets_call(path);

	(void)state;
	answer = NULL;
	sockets_say(fd, "\n");
	turn();
	assert_non_null(waiting);
	assert_int_equal(local_client_peer(waiting)->uid, getuid());
	assert_int_equal(local_client_peer(waiting)->pid, getpid());
	local_answer(waiting, "late", 4);
	sockets_hear_last(fd, "late");
	turn();
	assert_int_equal(gone, 0);
}

static void
test_close_tells_those_who_wait(void **state)
{
	int reading = sockets_call(path), thinking = sockets_call(path);

	(void)state;
	answer = NULL;
	sockets_say(thinking, "x\n");
	turn();
	assert_non_null(waiting);
	local_close(&local);
	assert_int_equal(gone, 1);
	sockets_hear_last(reading, "");
	sockets_hear_last(thinking, "");
	assert_int_equal(sockets_call(path), -1);
	assert_int_equal(errno, ECONNREFUSED);
}

static void
test_too_long_a_line(void **state)
{
	char text[LOCAL_REQUEST_MAX + 1];
	int fd = sockets_call(path);

	(void)state;
	memset(text, 'x', sizeof(text));
	text[LOCAL_REQUEST_MAX] = '\0';
	sockets_say(fd, text);
	turn();
	turn();
	sockets_hear_last(fd, "");
	assert_int_equal(asked, 0);
	/* With its newline it is just a line. */
	text[LOCAL_REQUEST_MAX - 1] = '\n';
	fd = sockets_call(path);
	sockets_say(fd, text);
	turn();
	turn();
	sockets_hear_last(fd, "yes");
	assert_int_equal(strlen(heard), LOCAL_REQUEST_MAX - 1);
}

static void
test_one_that_leaves(void **state)
{
	int fd = sockets_call(path);

	(void)state;
	sockets_say(fd, "half");
	turn();
	close(fd);
	turn();
	/* One that leaves early does not spoil the answer. */
	fd = sockets_call(path);
	sockets_say(fd, "whole\n");
	close(fd);
	turn();
	assert_int_equal(asked, 1);
	fd = sockets_call(path);
	sockets_say(fd, "again\n");
	turn();
	sockets_hear_last(fd, "yes");
}

static void
test_no_more_than_so_many(void **state)
{
	int fd[LOCAL_CLIENTS_MAX], late;

	(void)state;
	for (int i = 0; i < LOCAL_CLIENTS_MAX; i++)
		fd[i] = sockets_call(path);
	turn();
	late = sockets_call(path);
	assert_true(late >= 0);
	sockets_say(late, "me too\n");
	turn();
	assert_int_equal(asked, 0);
	close(fd[3]);
	turn();
	assert_int_equal(asked, 1);
	sockets_hear_last(late, "yes");
	for (int i = 0; i < LOCAL_CLIENTS_MAX; i++)
		if (i != 3)
			close(fd[i]);
}

static void
test_slow_reader(void **state)
{
	static char big[1 << 20];
	char part[4096];
	size_t total = 0;
	ssize_t n;
	int fd = sockets_call(path);

	(void)state;
	memset(big, 'b', sizeof(big));
	answer = big;
	answer_n = sizeof(big);
	sockets_say(fd, "all\n");
	turn();
	for (;;) {
		while ((n = recv(fd, part, sizeof(part), 0)) > 0)
			total += (size_t)n;
		if (n == 0)
			break;
		turn();
	}
	assert_int_equal(total, sizeof(big));
	close(fd);
	/* More than may wait for anybody. */
	answer_n = LOCAL_OUTPUT_MAX + 1;
	answer = calloc(1, answer_n);
	fd = sockets_call(path);
	sockets_say(fd, "more\n");
	turn();
	sockets_hear_last(fd, "");
	free((void *)(uintptr_t)answer);
}

static void
test_mode_and_takeover(void **state)
{
	struct errtext why;
	struct local *second;
	struct stat st;
	int fd;

	(void)state;
	assert_int_equal(stat(path, &st), 0);
	assert_true(S_ISSOCK(st.st_mode));
	assert_int_equal(st.st_mode & 07777, 0660);
	/* Somebody answers there. */
	second = opened(&why);
	assert_null(second);
	assert_int_equal(errno, EADDRINUSE);
	/* Nobody does; what was left behind is replaced. */
	local_close(&local);
	assert_int_equal(stat(path, &st), 0);
	second = opened(&why);
	assert_non_null(second);
	assert_int_equal(local_start(second, loop, &ops, &local), 0);
	fd = sockets_call(path);
	sockets_say(fd, "second\n");
	turn();
	sockets_hear_last(fd, "yes");
	local_close(&second);
}

static void
test_names_that_cannot_be(void **state)
{
	char name[LOCAL_PATH_MAX + 1];
	struct local_options o = {.path = name, .group = (gid_t)-1};
	struct errtext why;
	struct local *none;

	(void)state;
	memset(name, 'x', sizeof(name));
	name[LOCAL_PATH_MAX] = '\0';
	none = local_open(&o, &why);
	assert_null(none);
	assert_int_equal(errno, ENAMETOOLONG);
	o.path = "/tmp/test_local.nowhere/deeper/control";
	o.make_directory = true;
	none = local_open(&o, &why);
	assert_null(none);
	assert_non_null(strstr(why.text, "cannot make its directory"));
	o.path = directory;
	none = local_open(&o, &why);
	assert_null(none);
	assert_non_null(strstr(why.text, "cannot rename"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	    TEST(test_question_and_answer),
	    TEST(test_answer_later),
	    TEST(test_close_tells_those_who_wait),
	    TEST(test_too_long_a_line),
	    TEST(test_one_that_leaves),
	    TEST(test_no_more_than_so_many),
	    TEST(test_slow_reader),
	    TEST(test_mode_and_takeover),
	    TEST(test_names_that_cannot_be),
	};
	int rc;

	assert_non_null(mkdtemp(directory));
	(void)snprintf(path, sizeof(path), "%s/run/control", directory);
	rc = cmocka_run_group_tests(tests, NULL, NULL);
	unlink(path);
	path[strlen(directory) + 4] = '\0';
	rmdir(path);
	rmdir(directory);
	return rc;
}
