/* SPDX-License-Identifier: ISC */
/* links: house scratch child_end counted_exit sockets given_addr */
#include "daemon/drain.h"

#include <dlfcn.h>
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "support/house.h"
#include "support/sockets.h"

/* Each doorbelld is a child, whose end, and that of the child that it may leave
 * behind, is what this is about. */

#define GREETING "220 mx.test ESMTP Postfix\r\n"

/* --- a fork that fails ----------------------------------------------------- */
static int forks_before_one_fails; /* 0: none does */

pid_t
fork(void)
{
	static pid_t (*real)(void);

	if (forks_before_one_fails > 0 && --forks_before_one_fails == 0) {
		errno = EAGAIN;
		return -1;
	}
	if (real == NULL)
		*(void **)&real = dlsym(RTLD_NEXT, "fork");
	return real();
}

static int
set_up(void **state)
{
	forks_before_one_fails = 0;
	return house_set_up(state);
}

/* --- standalone ------------------------------------------------------------ */
static bool
is_closed(struct house *h, void *arg)
{
	int fd = house_call(h);

	(void)arg;
	if (fd >= 0)
		close(fd);
	return fd < 0;
}

static bool
is_deaf(struct house *h, void *arg)
{
	int fd = house_call_path(h, "control");

	(void)arg;
	if (fd >= 0)
		close(fd);
	return fd < 0;
}

static void
tell(struct house *h, int number)
{
	assert_int_equal(kill(h->child, number), 0);
}

static void
test_those_inside_are_served(void **state)
{
	struct house *h = *state;
	int client, there;

	house_set(h, "doorbell_greet_wait = 1s\n");
	house_fork(h);
	client = house_call_soon(h);
	house_client_hears(h, client, HOUSE_TEASER);
	close(house_call_path(h, "control"));
	tell(h, SIGTERM);
	assert_true(house_wait(h, is_deaf, NULL));
	/* The next process, which has waited for that, finds the port free. */
	assert_true(is_closed(h, NULL));
	tell(h, SIGHUP);
	there = house_smtpd_takes(h);
	sockets_say(there, GREETING);
	house_client_hears(h, client, GREETING);
	assert_int_equal(house_status_of(h, h->child), 0);
	house_hears(h, "PASS NEW [127.0.0.1]:");
	assert_false(house_has_heard(h, "reloaded"));
	assert_false(house_has_heard(h, "warning"));
	sockets_say(there, "221 Bye\r\n");
	house_client_hears(h, client, "221 Bye\r\n");
	close(there);
	close(client);
}

static void
test_nobody_is_inside(void **state)
{
	struct house *h = *state;

	house_fork(h);
	close(house_call_soon(h));
	house_hears(h, "HANGUP");
	tell(h, SIGTERM);
	assert_int_equal(house_children_end(h), 1);
}

/* A client whose dialogue is ours, and has begun. */
static int
talking(struct house *h)
{
	int client = house_call_soon(h);

	house_client_hears(h, client, GREETING);
	sockets_say(client, "HELO client.test\r\n");
	house_client_hears(h, client, "250 mx.test\r\n");
	return client;
}

static void
set_for_talks(struct house *h)
{
	house_set(h, "doorbell_greet_banner =\n"
		     "doorbell_access_list = static:reject\n"
		     "doorbell_denylist_action = enforce\n");
}

#define LAST_WORD "421 4.3.2 Service currently unavailable\r\n"

/* The end of the dialogue. */
static void
is_sent_away(struct house *h, int client)
{
	char text[256];

	(void)house_client_hears_all(h, client, text, sizeof(text));
	assert_string_equal(text, LAST_WORD);
	close(client);
}

static void
test_the_second_sigterm_is_the_last(void **state)
{
	struct house *h = *state;
	int client;

	set_for_talks(h);
	house_fork(h);
	client = talking(h);
	tell(h, SIGTERM);
	assert_true(house_wait(h, is_closed, NULL));
	sockets_say(client, "NOOP\r\n");
	house_client_hears(h, client, "250 2.0.0 Ok\r\n");
	tell(h, SIGTERM);
	is_sent_away(h, client);
	assert_int_equal(house_children_end(h), 1);
}

static void
test_sigint_ends_it_at_once(void **state)
{
	struct house *h = *state;
	int client, watched;

	set_for_talks(h);
	house_fork(h);
	client = talking(h);
	watched = house_call_soon(h);
	house_client_hears(h, watched, GREETING);
	tell(h, SIGINT);
	is_sent_away(h, client);
	is_sent_away(h, watched);
	assert_int_equal(house_children_end(h), 1);
}

/* --- under master(8) ------------------------------------------------------- */
/* A child of house_fork() for which the channel is closed has gone, and has left
 * one process. Whose pid that is, its next line will tell. */
static void
is_succeeded(struct house *h)
{
	assert_int_equal(house_status_of(h, h->child), 0);
	assert_int_equal(house_call(h), -1);
	assert_int_equal(house_call_path(h, "control"), -1);
}

static void
test_a_child_inherits_the_clients(void **state)
{
	struct house *h = *state;
	int channel = house_play_master(h), client, there;

	house_set(h, "doorbell_greet_wait = 1s\n");
	house_fork(h);
	house_serves(h);
	client = house_enter(h);
	close(channel);
	is_succeeded(h);
	there = house_smtpd_takes(h);
	sockets_say(there, GREETING);
	house_client_hears(h, client, GREETING);
	house_hears(h, "PASS NEW [127.0.0.1]:");
	assert_int_not_equal(house_pid_of(h, "PASS NEW"), h->child);
	assert_int_equal(house_children_end(h), 1);
	assert_false(house_has_heard(h, "warning"));
	close(there);
	close(client);

	/* What the client has earned there counts here. */
	h->options.mode = OPTIONS_STANDALONE;
	house_open(h);
	client = house_call(h);
	close(house_smtpd_takes(h));
	house_hears(h, "PASS OLD [127.0.0.1]:");
	close(client);
}

static void
test_nothing_is_left_to_inherit(void **state)
{
	struct house *h = *state;
	int channel = house_play_master(h);

	house_fork(h);
	house_serves(h);
	close(channel);
	assert_int_equal(house_children_end(h), 1);
	assert_int_equal(house_call(h), -1);
}

static void
test_a_child_without_a_cache(void **state)
{
	struct house *h = *state;
	int channel = house_play_master(h), client;

	house_fork(h);
	house_serves(h);
	client = house_enter(h);
	assert_int_equal(
	    unlink(scratch_path(&h->scratch, "data/doorbell_cache")), 0);
	assert_int_equal(chmod(scratch_path(&h->scratch, "data"), 0500), 0);
	close(channel);
	is_succeeded(h);
	house_hears(h, "warning: cache: ");
	assert_int_equal(chmod(scratch_path(&h->scratch, "data"), 0700), 0);
	close(client);
	house_hears(h, "HANGUP");
	assert_int_equal(house_children_end(h), 1);
}

static void
test_a_stop_waits_for_nobody(void **state)
{
	struct house *h = *state;
	int channel = house_play_master(h), client;

	set_for_talks(h);
	house_fork(h);
	client = talking(h);
	tell(h, SIGTERM);
	is_sent_away(h, client);
	/* The disk has what is left of it, and a child to wait for that. */
	assert_int_equal(house_status_of(h, h->child), 0);
	assert_int_equal(house_children_end(h), 1);
	close(channel);
}

static void
test_a_stop_with_nothing_left(void **state)
{
	struct house *h = *state;
	int channel = house_play_master(h);

	house_fork(h);
	house_serves(h);
	tell(h, SIGTERM);
	assert_int_equal(house_children_end(h), 1);
	close(channel);
}

/* Master goes while a client, who is returned, is inside, and no child can be
 * made for him. */
static int
leave_without_a_child(struct house *h)
{
	int channel = house_play_master(h), client;

	forks_before_one_fails = 2;
	house_fork(h);
	forks_before_one_fails = 0;
	house_serves(h);
	client = house_enter(h);
	close(channel);
	return client;
}

static void
test_no_child_can_be_had(void **state)
{
	struct house *h = *state;
	int client = leave_without_a_child(h);

	house_hears(h, "warning: fork: Resource temporarily unavailable; new"
		       " clients wait until 1 sessions have ended\n");
	assert_int_equal(house_call(h), -1);
	/* Until the next try. */
	is_succeeded(h);
	close(client);
	house_hears(h, "HANGUP");
	assert_int_not_equal(house_pid_of(h, "HANGUP"), h->child);
	assert_int_equal(house_children_end(h), 1);
}

static void
test_the_last_one_leaves_before_the_next_try(void **state)
{
	struct house *h = *state;
	int client = leave_without_a_child(h);

	house_hears(h, "warning: fork: ");
	close(client);
	house_hears(h, "HANGUP");
	assert_int_equal(house_children_end(h), 1);
}

/* --- under systemd --------------------------------------------------------- */
static void
test_a_manager_starts_the_next(void **state)
{
	struct house *h = *state;
	int manager = house_play_manager(h), client;
	const char *text;

	house_fork(h);
	assert_string_equal(house_manager_hears(h, manager),
	    "READY=1\nSTATUS=waiting for the first client");
	client = house_enter(h);
	tell(h, SIGTERM);
	is_succeeded(h);
	/* Its housekeeping may have told before that how many there are. */
	while (
	    strcmp(text = house_manager_hears(h, manager), "STOPPING=1") != 0)
		assert_memory_equal(text, "STATUS=", 7);
	close(client);
	house_hears(h, "HANGUP");
	assert_int_not_equal(house_pid_of(h, "HANGUP"), h->child);
	assert_int_equal(house_children_end(h), 1);
	/* Whoever is left is nobody's main process. */
	assert_int_equal(recv(manager, &(char){0}, 1, MSG_DONTWAIT), -1);
	close(manager);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, house_tear_down)
	    TEST(test_those_inside_are_served),
	    TEST(test_nobody_is_inside),
	    TEST(test_the_second_sigterm_is_the_last),
	    TEST(test_sigint_ends_it_at_once),
	    TEST(test_a_child_inherits_the_clients),
	    TEST(test_nothing_is_left_to_inherit),
	    TEST(test_a_child_without_a_cache),
	    TEST(test_a_stop_waits_for_nobody),
	    TEST(test_a_stop_with_nothing_left),
	    TEST(test_no_child_can_be_had),
	    TEST(test_the_last_one_leaves_before_the_next_try),
	    TEST(test_a_manager_starts_the_next),
	};

	return cmocka_run_group_tests(tests, house_move_in, house_move_out);
}
