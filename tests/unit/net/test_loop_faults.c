/* SPDX-License-Identifier: ISC */
/* links: fake_mem library_memory */
#include "net/loop.h"

#include <errno.h>
#include <limits.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <unistd.h>
#include <cmocka.h>

#include "support/fake_mem.h"
#include "support/library_memory.h"

/* A loop without memory or descriptors, and one that goes on behind a fork. How
 * it runs is in test_loop.c. */

static struct loop *loop;
static char voice[512];

static void
on_voice(int severity, const char *text)
{
	(void)severity;
	snprintf(voice, sizeof(voice), "%s", text);
}

static bool no_timerfd;

int
timerfd_create(int clock, int flags)
{
	if (!no_timerfd)
		return (int)syscall(SYS_timerfd_create, clock, flags);
	errno = EMFILE;
	return -1;
}

/* The descriptor that the next call would get. */
static int
next_descriptor(void)
{
	int fd = dup(STDERR_FILENO);

	assert_true(fd >= 0);
	close(fd);
	return fd;
}

static int
set_up(void **state)
{
	(void)state;
	loop = loop_new();
	voice[0] = '\0';
	return loop == NULL ? -1 : 0;
}

static int
tear_down(void **state)
{
	(void)state;
	library_memory_spend(0, 0);
	loop_free(&loop);
	assert_null(loop);
	loop_free(&loop);
	assert_int_equal(fake_mem_live(), 0);
	return 0;
}

/* --- its making ----------------------------------------------------------------- */
static void
no_memory_for_a_loop(void **state)
{
	long live = library_memory_live(), n = 0;
	int fd = next_descriptor();
	struct loop *none = NULL;

	(void)state;
	fake_mem_fail_after(0);
	none = loop_new();
	fake_mem_heal();
	assert_null(none);
	assert_int_equal(errno, ENOMEM);
	for (; none == NULL; n++) {
		errno = 0;
		library_memory_spend(n, LONG_MAX);
		none = loop_new();
		library_memory_spend(0, 0);
		if (none != NULL)
			break;
		assert_int_equal(errno, ENOMEM);
		assert_int_equal(library_memory_live(), live);
		assert_int_equal(next_descriptor(), fd);
	}
	assert_true(n > 3);
	loop_free(&none);
	assert_int_equal(library_memory_live(), live);
	assert_int_equal(next_descriptor(), fd);
}

/* (The library ends the process when it has no descriptors for itself.) */
static void
no_descriptor_for_a_loop(void **state)
{
	long live = library_memory_live();
	int fd = next_descriptor();
	struct loop *none;

	(void)state;
	no_timerfd = true;
	none = loop_new();
	no_timerfd = false;
	assert_null(none);
	assert_int_equal(errno, EMFILE);
	assert_int_equal(library_memory_live(), live);
	assert_int_equal(next_descriptor(), fd);
}

/* --- what is started ------------------------------------------------------------- */
static int rung;

static void
on_time(struct loop_timer *timer)
{
	(void)timer;
	rung++;
}

static void
on_signal(struct loop_signal *s)
{
	rung++;
	loop_signal_stop(s);
}

static void
on_ready(struct loop_watch *watch, unsigned ready)
{
	(void)ready;
	rung++;
	loop_watch_set(watch, 0);
}

static void
no_memory_for_a_timer(void **state)
{
	struct loop_timer timer;

	(void)state;
	rung = 0;
	loop_timer_init(&timer, loop, on_time);
	library_memory_spend(0, LONG_MAX);
	assert_int_equal(loop_timer_start(&timer, 1), -1);
	assert_false(loop_timer_is_running(&timer));
	loop_timer_stop(&timer);
	library_memory_spend(0, 0);
	/* Nothing is left to wait for. */
	assert_int_equal(loop_run(loop), 0);
	assert_int_equal(rung, 0);
	assert_int_equal(loop_timer_start(&timer, 1), 0);
	assert_int_equal(loop_run(loop), 0);
	assert_int_equal(rung, 1);
}

static void
no_memory_for_a_signal(void **state)
{
	struct loop_signal s = {.fn = NULL};
	int rc = -1, tries = 0;

	(void)state;
	rung = 0;
	for (long n = 0; rc < 0; n++, tries++) {
		library_memory_spend(n, LONG_MAX);
		rc = loop_signal_start(&s, loop, SIGUSR1, on_signal);
		library_memory_spend(0, 0);
		if (rc < 0)
			loop_signal_stop(&s);
	}
	assert_true(tries > 1);
	assert_int_equal(raise(SIGUSR1), 0);
	assert_int_equal(loop_run(loop), 0);
	assert_int_equal(rung, 1);
}

static void
no_memory_for_a_watch(void **state)
{
	struct loop_watch watch;
	int fd[2];

	(void)state;
	rung = 0;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
	loop_watch_init(&watch, loop, fd[0], on_ready);
	library_memory_spend(0, LONG_MAX);
	assert_int_equal(loop_watch_set(&watch, LOOP_WRITABLE), -1);
	assert_int_equal(watch.wanted, 0);
	library_memory_spend(0, 0);
	assert_int_equal(loop_watch_set(&watch, LOOP_WRITABLE), 0);
	assert_int_equal(loop_run(loop), 0);
	assert_int_equal(rung, 1);
	close(fd[0]);
	close(fd[1]);
}

/* --- what the library says ------------------------------------------------------- */
static void
the_library_speaks_with_our_voice(void **state)
{
	FILE *file = tmpfile();
	struct loop_watch watch;

	(void)state;
	assert_non_null(file);
	loop_watch_init(&watch, loop, fileno(file), on_ready);
	assert_int_equal(loop_watch_set(&watch, LOOP_READABLE), -1);
	assert_non_null(strstr(voice, "Operation not permitted"));
	fclose(file);
	assert_non_null(strchr(loop_version(), '.'));
	assert_non_null(loop_base(loop));
}

/* --- behind a fork ---------------------------------------------------------------- */
/* The same process will do: what counts is that nothing of the old poll set and
 * the old timerfd is used any more. */
static void
all_goes_on_behind_a_fork(void **state)
{
	struct loop_signal s = {.fn = NULL};
	struct loop_timer timer, late;
	struct loop_watch watch;
	int fd[2];

	(void)state;
	rung = 0;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
	loop_watch_init(&watch, loop, fd[0], on_ready);
	loop_timer_init(&timer, loop, on_time);
	loop_timer_init(&late, loop, on_time);
	assert_int_equal(loop_watch_set(&watch, LOOP_READABLE), 0);
	assert_int_equal(loop_timer_start(&timer, 10), 0);
	assert_int_equal(loop_timer_start(&late, 30), 0);
	assert_int_equal(loop_signal_start(&s, loop, SIGUSR1, on_signal), 0);
	assert_int_equal(loop_after_fork(loop), 0);
	assert_int_equal(loop_after_fork(loop), 0);
	assert_true(loop_timer_is_running(&timer));
	assert_int_equal(write(fd[1], "x", 1), 1);
	assert_int_equal(raise(SIGUSR1), 0);
	assert_int_equal(loop_run(loop), 0);
	assert_int_equal(rung, 4);
	/* One that waits for nothing can still begin to. */
	assert_int_equal(loop_after_fork(loop), 0);
	assert_int_equal(loop_run(loop), 0);
	assert_int_equal(loop_timer_start(&timer, 1), 0);
	assert_int_equal(loop_run(loop), 0);
	assert_int_equal(rung, 5);
	close(fd[0]);
	close(fd[1]);
}

static void
no_descriptor_behind_a_fork(void **state)
{
	struct loop_timer timer;
	int fd = next_descriptor();

	(void)state;
	loop_timer_init(&timer, loop, on_time);
	assert_int_equal(loop_timer_start(&timer, 1), 0);
	no_timerfd = true;
	assert_int_equal(loop_after_fork(loop), -1);
	no_timerfd = false;
	assert_int_equal(errno, EMFILE);
	/* Nothing can be done with it but this. */
	loop_free(&loop);
	assert_true(next_descriptor() < fd);
}

int
main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
	    TEST(no_memory_for_a_loop),
	    TEST(no_descriptor_for_a_loop),
	    TEST(no_memory_for_a_timer),
	    TEST(no_memory_for_a_signal),
	    TEST(no_memory_for_a_watch),
	    TEST(the_library_speaks_with_our_voice),
	    TEST(all_goes_on_behind_a_fork),
	    TEST(no_descriptor_behind_a_fork),
	};

	library_memory_take();
	loop_set_voice(on_voice);
	return cmocka_run_group_tests_name("net/loop", tests, NULL, NULL);
}
