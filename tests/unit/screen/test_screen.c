/* SPDX-License-Identifier: ISC */
/* links: stage fake_clock fake_loop fake_resolver fake_cache fake_stream fake_fdpass fake_mem fake_slab given_addr */
#include "screen/screen.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "screen/session.h"
#include "support/fake_fdpass.h"
#include "support/fake_loop.h"
#include "support/fake_mem.h"
#include "support/fake_stream.h"
#include "support/given_addr.h"
#include "support/stage.h"

/* What happens to sessions is played in tests/replay. */

static struct stage stage;
static int told; /* that nobody is left */

static const char *const slow[] = {"doorbell_greet_wait=60s",
    "doorbell_session_limit=3", "doorbell_pre_queue_limit=3", NULL};

static int
set_up(void **state)
{
	(void)state;
	fake_stream_reset();
	fake_fdpass_reset();
	stage_open(&stage, slow);
	told = 0;
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	stage_close(&stage);
	fake_stream_reset();
	return 0;
}

static void
settle(void)
{
	do
		fake_loop_settle(stage.loop);
	while (fake_stream_deliver());
	fake_loop_settle(stage.loop);
}

/* One more client; its descriptor. */
static int
come(void)
{
	static uint16_t port = 40000;
	const struct endpoint client = given_endpoint("192.0.2.1", port++),
			      server = given_endpoint("192.0.2.25", 25);
	int fd = fake_stream_new_fd();

	screen_arrive(stage.screen, fd, &client, &server);
	return fd;
}

static void
on_empty(struct screen *screen, void *arg)
{
	assert_ptr_equal(screen, stage.screen);
	assert_ptr_equal(arg, &told);
	told++;
}

/* --- its life ---------------------------------------------------------------- */
static void
test_no_memory(void **state)
{
	const struct screen_options o = {
	    .loop = stage.loop, .counters = &stage.counters};
	long before = fake_mem_live();
	struct screen *screen = NULL;
	unsigned n = 0;

	(void)state;
	while (screen == NULL) {
		errno = 0;
		fake_mem_fail_after(n++);
		screen = screen_new(&o);
		fake_mem_heal();
		if (screen == NULL) {
			assert_int_equal(errno, ENOMEM);
			assert_int_equal(fake_mem_live(), before);
		}
	}
	assert_true(n > 5);
	screen_free(&screen);
	assert_null(screen);
	screen_free(&screen);
	assert_int_equal(fake_mem_live(), before);
}

/* Also those that have ended, and wait for the end of the tick. */
static void
test_end_with_sessions(void **state)
{
	int held, gone;

	(void)state;
	held = come();
	gone = come();
	settle();
	fake_stream_hang_up(gone);
	assert_true(fake_stream_deliver_to(gone));
	assert_false(TAILQ_EMPTY(&stage.screen->ended));
	screen_drain(stage.screen, on_empty, &told);
	screen_free(&stage.screen);
	assert_true(fake_stream_is_closed(held));
	assert_true(fake_stream_is_closed(gone));
	assert_int_equal(fake_stream_heard(gone).n, fake_stream_heard(held).n);
	fake_loop_settle(stage.loop);
	assert_int_equal(told, 0);
	assert_int_equal(fake_loop_timers(stage.loop), 0);
}

/* A client for whom there is no memory hears so, and is counted. */
static void
test_no_memory_for_a_session(void **state)
{
	struct span heard;
	int fd;

	(void)state;
	fd = fake_stream_new_fd();
	fake_mem_fail_after(0);
	screen_arrive(stage.screen, fd, &(struct endpoint){.port = 1},
	    &(struct endpoint){.port = 25});
	fake_mem_heal();
	assert_true(fake_stream_is_closed(fd));
	heard = fake_stream_heard(fd);
	assert_true(span_has_prefix(heard, "421 4.3.2 "));
	assert_int_equal(heard.p[heard.n - 1], '\n');
	assert_int_equal(screen_session_count(stage.screen), 0);
	assert_int_equal(
	    counters_read(&stage.counters, COUNTER_CONNECTIONS), 1);
	assert_int_equal(counters_read(&stage.counters, COUNTER_REFUSED), 1);
	assert_int_equal(stage.screen->journal.seen[EVENT_NO_MEMORY], 1);
}

/* --- its end ------------------------------------------------------------------- */
/* Not inside of the call that asked. */
static void
test_drain_nobody(void **state)
{
	(void)state;
	screen_drain(stage.screen, on_empty, &told);
	assert_int_equal(told, 0);
	settle();
	assert_int_equal(told, 1);
}

static void
test_drain(void **state)
{
	int first, second;

	(void)state;
	first = come();
	second = come();
	screen_drain(stage.screen, on_empty, &told);
	settle();
	assert_int_equal(told, 0);
	fake_stream_hang_up(first);
	settle();
	assert_int_equal(told, 0);
	fake_stream_hang_up(second);
	settle();
	assert_int_equal(told, 1);
}

static void
test_shut(void **state)
{
	int first, second;

	(void)state;
	first = come();
	second = come();
	settle();
	screen_drain(stage.screen, on_empty, &told);
	screen_shut(stage.screen);
	assert_int_equal(told, 0);
	settle();
	assert_int_equal(told, 1);
	assert_int_equal(screen_session_count(stage.screen), 0);
	assert_non_null(strstr(fake_stream_heard(first).p, "421 "));
	assert_non_null(strstr(fake_stream_heard(second).p, "421 "));
}

/* --- how many -------------------------------------------------------------------- */
static void
test_limits(void **state)
{
	struct screen *screen = stage.screen;

	(void)state;
	for (int i = 0; i < 3; i++)
		(void)come();
	stage.policy->session_ceiling = 5;
	assert_int_equal(screen_session_count(screen), 3);
	assert_false(screen_is_over_limit(screen));
	assert_false(screen_is_full(screen));
	/* A relayed session has three descriptors. */
	screen->replays.active = 1;
	assert_true(screen_is_over_limit(screen));
	assert_true(screen_is_full(screen));
	screen->replays.active = 0;
	/* One goes when one more comes. */
	(void)come();
	settle();
	assert_int_equal(screen_session_count(screen), 3);
}

/* --- its policy -------------------------------------------------------------------- */
static void
test_new_policy(void **state)
{
	static const char *const settings[] = {"doorbell_log_events=!connect",
	    "doorbell_greet_wait=${stress?{1s}:{2s}}",
	    "doorbell_pre_queue_limit=3", NULL};
	struct policy *old = stage.policy, *fresh;
	struct session *s;

	(void)state;
	(void)come();
	s = TAILQ_FIRST(&stage.screen->sessions);
	assert_int_equal(session_config(s)->greet_wait, 60000);
	fresh = stage_policy(&stage, settings);
	screen_set_policy(stage.screen, fresh);
	assert_false(old->entered);
	assert_true(fresh->entered);
	assert_true(stage.screen->journal.quiet[EVENT_CONNECT]);
	/* Who was there keeps what was; it belongs to nobody else. */
	assert_ptr_equal(s->policy, old);
	assert_int_equal(old->refs, 2);
	assert_int_equal(session_config(s)->greet_wait, 60000);
	assert_int_equal(screen_config(stage.screen, fresh)->greet_wait, 2000);
	/* With the next one there is stress, and its values count. */
	(void)come();
	assert_true(stage.screen->stress);
	s = TAILQ_NEXT(s, others);
	assert_ptr_equal(s->policy, fresh);
	assert_int_equal(session_config(s)->greet_wait, 1000);
	assert_int_equal(screen_config(stage.screen, fresh)->greet_wait, 1000);
	policy_unref(&fresh);
}

int
main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
	    TEST(test_no_memory),
	    TEST(test_end_with_sessions),
	    TEST(test_no_memory_for_a_session),
	    TEST(test_drain_nobody),
	    TEST(test_drain),
	    TEST(test_shut),
	    TEST(test_limits),
	    TEST(test_new_policy),
	};

	return cmocka_run_group_tests_name("screen/screen", tests, NULL, NULL);
}
