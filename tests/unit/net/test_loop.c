/* SPDX-License-Identifier: ISC */
#include "net/loop.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/mem.h"

static struct loop *loop;

static int
setup(void **state)
{
	(void)state;
	loop = loop_new();
	return loop == NULL ? -1 : 0;
}

static int
teardown(void **state)
{
	(void)state;
	loop_free(&loop);
	return loop == NULL ? 0 : -1;
}

static int64_t
now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * INT64_C(1000000) + ts.tv_nsec / 1000;
}

static void
sleep_ms(long ms)
{
	struct timespec ts = {ms / 1000, ms % 1000 * 1000000};

	nanosleep(&ts, NULL);
}

/* --- timers -------------------------------------------------------------- */
struct alarm {
	struct loop_timer timer;
	int64_t started_us;
	int64_t fired_us;
	struct mono tick;
	int fired;
	struct loop_timer *victim; /* stopped from the callback */
	int64_t again_ms;          /* started again from the callback */
};

static void
alarm_fired(struct loop_timer *timer)
{
	struct alarm *a = OWNER_OF(timer, struct alarm, timer);

	assert_false(loop_timer_is_running(timer));
	a->fired++;
	a->fired_us = now_us();
	a->tick = loop_now(loop);
	if (a->victim != NULL)
		loop_timer_stop(a->victim);
	if (a->again_ms > 0)
		assert_int_equal(loop_timer_start(timer, a->again_ms), 0);
	a->again_ms = 0;
}

static void
alarm_start(struct alarm *a, int64_t ms)
{
	memset(a, 0, sizeof(*a));
	loop_timer_init(&a->timer, loop, alarm_fired);
	a->started_us = now_us();
	assert_int_equal(loop_timer_start(&a->timer, ms), 0);
}

static void
timers_fire_in_order_and_never_early(void **state)
{
	static const int64_t ms[] = {0, 1, 7, 20, 50, 50, 33, -5};
	struct alarm a[sizeof(ms) / sizeof(ms[0])];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(ms) / sizeof(ms[0]); i++)
		alarm_start(&a[i], ms[i]);
	assert_int_equal(loop_run(loop), 0);
	for (i = 0; i < sizeof(ms) / sizeof(ms[0]); i++) {
		int64_t took = a[i].fired_us - a[i].started_us;

		if (a[i].fired != 1 || took < ms[i] * 1000)
			fail_msg("%d ms: fired %d times, after %d us",
			    (int)ms[i], a[i].fired, (int)took);
	}
	assert_true(a[1].fired_us <= a[2].fired_us);
	assert_true(a[6].fired_us <= a[4].fired_us);
}

/* At moments that are a slack apart, however slow the machine is. */
static void
timers_with_slack_fire_together(void **state)
{
	enum { COUNT = 40, SPREAD_MS = 20, SLACK_MS = 50 };
	struct alarm a[COUNT];
	int64_t span_us, took_us, ticks = 0;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT; i++) {
		alarm_start(&a[i], 0);
		assert_int_equal(loop_timer_start_within(&a[i].timer,
				     5 + (int64_t)i % SPREAD_MS, SLACK_MS),
		    0);
	}
	span_us = now_us() - a[0].started_us;
	assert_int_equal(loop_run(loop), 0);
	for (i = 0; i < COUNT; i++) {
		took_us = a[i].fired_us - a[i].started_us;
		assert_int_equal(a[i].fired, 1);
		assert_true(took_us >= (5 + (int64_t)i % SPREAD_MS) * 1000);
		ticks += i == 0 || a[i].tick.ms != a[i - 1].tick.ms;
	}
	/* Going to and fro over one boundary makes a tick of its own. */
	assert_true(
	    ticks <= 2 * (COUNT / SPREAD_MS) + 2 * span_us / (SLACK_MS * 1000));
}

static int64_t
mixed_length(size_t i)
{
	return i % 3 == 0 ? 40 : 30 + (int64_t)i % 200;
}

/* Enough timers of one length to make it an O(1) list, mixed with others. */
static void
timers_of_equal_length_share_a_list(void **state)
{
	enum { COUNT = 3000 };
	struct alarm *a = mem_array(COUNT, sizeof(*a));
	int64_t ms;
	size_t i;
	int want;

	(void)state;
	assert_non_null(a);
	for (i = 0; i < COUNT; i++)
		alarm_start(&a[i], mixed_length(i));
	for (i = 0; i < COUNT; i += 5)
		loop_timer_stop(&a[i].timer);
	for (i = 1; i < COUNT; i += 5)
		a[i].again_ms = 40;
	assert_int_equal(loop_run(loop), 0);
	for (i = 0; i < COUNT; i++) {
		want = i % 5 == 0 ? 0 : i % 5 == 1 ? 2 : 1;
		ms = mixed_length(i) + (want == 2 ? 40 : 0);
		if (a[i].fired != want)
			fail_msg("timer %zu fired %d times", i, a[i].fired);
		if (want > 0 && a[i].fired_us - a[i].started_us < ms * 1000)
			fail_msg("timer %zu was early", i);
	}
	mem_free(a);
}

/* More lengths than there are lists, each asked for often. */
static void
timers_of_many_lengths(void **state)
{
	enum { COUNT = 300 * 20 };
	struct alarm *a = mem_array(COUNT, sizeof(*a));
	int fired = 0;
	size_t i;

	(void)state;
	assert_non_null(a);
	for (i = 0; i < COUNT; i++)
		alarm_start(&a[i], 1 + (int64_t)i % 300);
	assert_int_equal(loop_run(loop), 0);
	for (i = 0; i < COUNT; i++) {
		if (a[i].fired_us - a[i].started_us <
		    (1 + (int64_t)i % 300) * 1000)
			fail_msg("timer %zu was early", i);
		fired += a[i].fired;
	}
	assert_int_equal(fired, COUNT);
	mem_free(a);
}

static struct alarm inner;

static void
start_inner_after_working(struct loop_timer *timer)
{
	(void)timer;
	sleep_ms(60);
	alarm_start(&inner, 50);
}

static void
timer_after_slow_callback_is_not_early(void **state)
{
	struct loop_timer slow;

	(void)state;
	loop_timer_init(&slow, loop, start_inner_after_working);
	assert_int_equal(loop_timer_start(&slow, 1), 0);
	assert_int_equal(loop_run(loop), 0);
	assert_int_equal(inner.fired, 1);
	assert_true(inner.fired_us - inner.started_us >= 50000);
}

static void
timer_moves_and_stops(void **state)
{
	struct alarm moved, stopped;
	int i;

	(void)state;
	alarm_start(&stopped, 10);
	assert_true(loop_timer_is_running(&stopped.timer));
	loop_timer_stop(&stopped.timer);
	loop_timer_stop(&stopped.timer);
	assert_false(loop_timer_is_running(&stopped.timer));

	/* To and fro between the heap and a list. */
	alarm_start(&moved, 10);
	for (i = 0; i < 100; i++)
		assert_int_equal(
		    loop_timer_start(&moved.timer, i % 2 ? 10 : 1000 + i), 0);
	moved.started_us = now_us();
	assert_int_equal(loop_timer_start(&moved.timer, 30), 0);
	assert_int_equal(loop_run(loop), 0);
	assert_int_equal(stopped.fired, 0);
	assert_int_equal(moved.fired, 1);
	assert_true(moved.fired_us - moved.started_us >= 30000);
}

static void
timer_due_in_the_same_tick_can_be_stopped(void **state)
{
	struct alarm first, second;

	(void)state;
	alarm_start(&first, 5);
	alarm_start(&second, 5);
	first.victim = &second.timer;
	second.victim = &first.timer;
	sleep_ms(10);
	assert_int_equal(loop_run(loop), 0);
	assert_int_equal(first.fired + second.fired, 1);
}

static void
zeroed_timer_is_stopped(void **state)
{
	struct loop_timer timer;

	(void)state;
	memset(&timer, 0, sizeof(timer));
	assert_false(loop_timer_is_running(&timer));
	loop_timer_stop(&timer);
}

/* --- watches ------------------------------------------------------------- */
struct eye {
	struct loop_watch watch;
	int fd;
	int seen;
	unsigned ready;
	struct loop_watch *victim;
	int stop_after;
};

static void
eye_saw(struct loop_watch *watch, unsigned ready)
{
	struct eye *e = OWNER_OF(watch, struct eye, watch);

	e->seen++;
	e->ready = ready;
	if (e->victim != NULL)
		loop_watch_set(e->victim, 0);
	if (e->seen >= e->stop_after)
		loop_watch_set(watch, 0);
}

static void
eyes_open(struct eye e[2])
{
	int fd[2], i;

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
	for (i = 0; i < 2; i++) {
		memset(&e[i], 0, sizeof(e[i]));
		e[i].fd = fd[i];
		loop_watch_init(&e[i].watch, loop, fd[i], eye_saw);
	}
}

static void
eyes_close(struct eye e[2])
{
	loop_watch_set(&e[0].watch, 0);
	loop_watch_set(&e[1].watch, 0);
	close(e[0].fd);
	close(e[1].fd);
}

static void
watch_is_level_triggered_until_changed(void **state)
{
	struct eye e[2];

	(void)state;
	eyes_open(e);
	assert_int_equal(write(e[1].fd, "x", 1), 1);
	e[0].stop_after = 3; /* the byte stays unread */
	assert_int_equal(loop_watch_set(&e[0].watch, LOOP_READABLE), 0);
	assert_int_equal(loop_watch_set(&e[0].watch, LOOP_READABLE), 0);
	assert_int_equal(loop_run(loop), 0);
	assert_int_equal(e[0].seen, 3);
	assert_int_equal(e[0].ready, LOOP_READABLE);
	assert_int_equal(e[0].watch.wanted, 0);

	e[0].stop_after = 4;
	assert_int_equal(
	    loop_watch_set(&e[0].watch, LOOP_READABLE | LOOP_WRITABLE), 0);
	assert_int_equal(loop_run(loop), 0);
	assert_int_equal(e[0].seen, 4);
	assert_int_equal(e[0].ready, LOOP_READABLE | LOOP_WRITABLE);

	e[0].stop_after = 5;
	assert_int_equal(loop_watch_set(&e[0].watch, LOOP_READABLE), 0);
	assert_int_equal(loop_watch_set(&e[0].watch, LOOP_WRITABLE), 0);
	assert_int_equal(loop_run(loop), 0);
	assert_int_equal(e[0].seen, 5);
	assert_int_equal(e[0].ready, LOOP_WRITABLE);
	eyes_close(e);
}

static void
watch_due_in_the_same_tick_can_be_stopped(void **state)
{
	struct eye e[2];

	(void)state;
	eyes_open(e);
	e[0].victim = &e[1].watch;
	e[1].victim = &e[0].watch;
	assert_int_equal(loop_watch_set(&e[0].watch, LOOP_WRITABLE), 0);
	assert_int_equal(loop_watch_set(&e[1].watch, LOOP_WRITABLE), 0);
	assert_int_equal(loop_run(loop), 0);
	assert_int_equal(e[0].seen + e[1].seen, 1);
	eyes_close(e);
}

/* A copy of the descriptor in another process keeps the description alive:
 * closing ours does not take it out of the kernel's set. */
static void
watch_forgets_a_descriptor_that_lives_on(void **state)
{
	struct alarm wait;
	struct eye e[2];
	int copy;

	(void)state;
	eyes_open(e);
	assert_int_equal(loop_watch_set(&e[0].watch, LOOP_READABLE), 0);
	copy = dup(e[0].fd);
	assert_true(copy >= 0);
	assert_int_equal(loop_watch_set(&e[0].watch, 0), 0);
	close(e[0].fd);
	assert_int_equal(write(e[1].fd, "x", 1), 1);
	alarm_start(&wait, 20);
	assert_int_equal(loop_run(loop), 0);
	assert_int_equal(e[0].seen, 0);
	assert_int_equal(wait.fired, 1);
	close(copy);
	close(e[1].fd);
}

static void
quiet(int severity, const char *text)
{
	(void)severity;
	(void)text;
}

static void
watch_that_cannot_be_set_says_so(void **state)
{
	struct loop_watch watch;
	FILE *file = tmpfile();

	(void)state;
	assert_non_null(file);
	event_set_log_callback(quiet);
	loop_watch_init(&watch, loop, fileno(file), eye_saw);
	/* The kernel has no readiness of plain files. */
	assert_int_equal(loop_watch_set(&watch, LOOP_READABLE), -1);
	assert_int_equal(watch.wanted, 0);
	event_set_log_callback(NULL);
	fclose(file);
}

/* --- laters -------------------------------------------------------------- */
static char order[16];

struct note {
	struct loop_later later;
	char name;
	struct note *next;   /* queued from the callback, once */
	struct note *cancel; /* cancelled from the callback */
};

static void
note_run(struct loop_later *later)
{
	struct note *n = OWNER_OF(later, struct note, later);
	struct note *next = n->next;
	size_t used = strlen(order);

	assert_true(used < sizeof(order) - 1);
	order[used] = n->name;
	n->next = NULL;
	if (next != NULL)
		loop_later_add(loop, &next->later, note_run);
	if (n->cancel != NULL)
		loop_later_cancel(&n->cancel->later);
}

static void
note_add(struct note *n)
{
	loop_later_add(loop, &n->later, note_run);
}

static void
laters_run_in_order(void **state)
{
	struct note a = {.name = 'a'}, b = {.name = 'b'}, c = {.name = 'c'};
	struct note d = {.name = 'd'};

	(void)state;
	memset(order, 0, sizeof(order));
	note_add(&a);
	note_add(&b);
	note_add(&c);
	note_add(&a);                /* is queued already */
	loop_later_cancel(&d.later); /* is not */
	assert_int_equal(loop_run(loop), 0);
	assert_string_equal(order, "abc");
}

static void
laters_can_be_cancelled(void **state)
{
	struct note a = {.name = 'a'}, b = {.name = 'b'}, c = {.name = 'c'};
	struct note d = {.name = 'd'};

	(void)state;
	memset(order, 0, sizeof(order));
	note_add(&a);
	note_add(&b);
	note_add(&c);
	note_add(&d);
	loop_later_cancel(&d.later); /* the last one */
	loop_later_cancel(&a.later); /* the first one */
	b.cancel = &c;               /* while running */
	b.next = &a;
	assert_int_equal(loop_run(loop), 0);
	assert_string_equal(order, "ba");
	assert_null(c.later.fn);
}

static void
note_due(struct loop_timer *timer)
{
	(void)timer;
	order[strlen(order)] = '-';
}

/* The kernel, and so a timer that is due, is asked between the two. */
static void
later_added_by_later_runs_on_the_next_tick(void **state)
{
	struct note b = {.name = 'b'}, s = {.name = 's'};
	struct note a = {.name = 'a', .next = &b};
	struct note start = {.name = '0', .next = &a};
	struct loop_timer due;
	struct alarm late;
	int64_t began = now_us();

	(void)state;
	memset(order, 0, sizeof(order));
	s.next = &s;
	loop_timer_init(&due, loop, note_due);
	note_add(&start);
	note_add(&s);
	assert_int_equal(loop_timer_start(&due, 0), 0);
	alarm_start(&late, 300);
	late.victim = NULL;
	assert_int_equal(loop_run(loop), 0);
	assert_string_equal(order, "-0sasb");
	/* Only the last ticks slept. */
	assert_true(late.fired_us - began >= 300000);
}

/* --- running ------------------------------------------------------------- */
static int64_t stopped_us;

static void
stop_loop(struct loop_later *later)
{
	(void)later;
	stopped_us = now_us();
	loop_stop(loop);
}

static void
stop_ends_the_tick(void **state)
{
	struct note a = {.name = 'a'};
	struct loop_later stop = {.fn = NULL};
	struct alarm never;

	(void)state;
	memset(order, 0, sizeof(order));
	alarm_start(&never, 10000);
	loop_later_add(loop, &stop, stop_loop);
	note_add(&a);
	assert_int_equal(loop_run(loop), 0);
	assert_true(now_us() - stopped_us < 5000000);
	assert_string_equal(order, "a");

	loop_stop(loop); /* before running: honoured, once */
	assert_int_equal(loop_run(loop), 0);
	assert_int_equal(never.fired, 0);
	loop_timer_stop(&never.timer);
	assert_int_equal(loop_run(loop), 0); /* nothing is left */
}

static struct mono seen_now[3];

static void
look_twice(struct loop_timer *timer)
{
	(void)timer;
	seen_now[0] = loop_now(loop);
	sleep_ms(20);
	seen_now[1] = loop_now(loop);
}

static void
look_again(struct loop_timer *timer)
{
	(void)timer;
	seen_now[2] = loop_now(loop);
}

static void
now_is_one_reading_a_tick(void **state)
{
	struct loop_timer first, second;
	struct mono before, after;

	(void)state;
	loop_timer_init(&first, loop, look_twice);
	loop_timer_init(&second, loop, look_again);
	before = loop_now(loop);
	assert_int_equal(loop_timer_start(&first, 5), 0);
	assert_int_equal(loop_timer_start(&second, 40), 0);
	assert_int_equal(loop_run(loop), 0);
	assert_true(mono_between(before, seen_now[0]) >= 5);
	assert_int_equal(seen_now[0].ms, seen_now[1].ms);
	assert_true(mono_between(before, seen_now[2]) >= 40);
	sleep_ms(6);
	after = loop_now(loop); /* not running: always fresh */
	assert_true(mono_between(seen_now[2], after) >= 5);
}

/* --- signals and fork ---------------------------------------------------- */
struct bell {
	struct loop_signal sig;
	int rung;
};

static void
bell_rung(struct loop_signal *sig)
{
	struct bell *b = OWNER_OF(sig, struct bell, sig);

	b->rung++;
	loop_signal_stop(sig);
}

static void
signals_come_on_the_loop(void **state)
{
	struct bell b;

	(void)state;
	memset(&b, 0, sizeof(b));
	loop_signal_stop(&b.sig); /* never started */
	assert_int_equal(
	    loop_signal_start(&b.sig, loop, SIGUSR1, bell_rung), 0);
	assert_int_equal(raise(SIGUSR1), 0);
	assert_int_equal(b.rung, 0);
	assert_int_equal(loop_run(loop), 0);
	assert_int_equal(b.rung, 1);
	loop_signal_stop(&b.sig);
}

enum { LATE_MS = 10000 };

/* Timers, watches and signals work in the child, and nothing that it does
 * reaches the parent's poll set or moves its timers. Returns an exit status. */
static int
child_works(struct eye e[2], struct bell *b)
{
	struct alarm a;

	if (loop_after_fork(loop) < 0)
		return 1;
	loop_watch_set(&e[1].watch, 0);
	raise(SIGUSR1);
	alarm_start(&a, 5);
	if (loop_run(loop) < 0)
		return 2;
	if (a.fired != 1 || b->rung != 1 || e[0].seen != 1)
		return 3;
	alarm_start(&a, LATE_MS); /* for nobody but us */
	loop_free(&loop);
	return 0;
}

static void
child_gets_its_own_poll_set(void **state)
{
	struct alarm a;
	struct bell b;
	struct eye e[2];
	int status;
	pid_t pid;

	(void)state;
	memset(&b, 0, sizeof(b));
	eyes_open(e);
	alarm_start(&a, 20);
	assert_int_equal(loop_watch_set(&e[0].watch, LOOP_READABLE), 0);
	assert_int_equal(loop_watch_set(&e[1].watch, LOOP_READABLE), 0);
	assert_int_equal(
	    loop_signal_start(&b.sig, loop, SIGUSR1, bell_rung), 0);
	assert_int_equal(write(e[1].fd, "x", 1), 1);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		_exit(child_works(e, &b));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);

	assert_int_equal(write(e[0].fd, "x", 1), 1);
	assert_int_equal(raise(SIGUSR1), 0);
	assert_int_equal(loop_run(loop), 0);
	assert_int_equal(e[0].seen, 1);
	assert_int_equal(e[1].seen, 1);
	assert_int_equal(b.rung, 1);
	assert_int_equal(a.fired, 1);
	assert_true(a.fired_us - a.started_us < LATE_MS * 1000);
	eyes_close(e);
}

#define LOOP_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    LOOP_TEST(timers_fire_in_order_and_never_early),
	    LOOP_TEST(timers_with_slack_fire_together),
	    LOOP_TEST(timers_of_equal_length_share_a_list),
	    LOOP_TEST(timers_of_many_lengths),
	    LOOP_TEST(timer_after_slow_callback_is_not_early),
	    LOOP_TEST(timer_moves_and_stops),
	    LOOP_TEST(timer_due_in_the_same_tick_can_be_stopped),
	    LOOP_TEST(zeroed_timer_is_stopped),
	    LOOP_TEST(watch_is_level_triggered_until_changed),
	    LOOP_TEST(watch_due_in_the_same_tick_can_be_stopped),
	    LOOP_TEST(watch_forgets_a_descriptor_that_lives_on),
	    LOOP_TEST(watch_that_cannot_be_set_says_so),
	    LOOP_TEST(laters_run_in_order),
	    LOOP_TEST(laters_can_be_cancelled),
	    LOOP_TEST(later_added_by_later_runs_on_the_next_tick),
	    LOOP_TEST(stop_ends_the_tick),
	    LOOP_TEST(now_is_one_reading_a_tick),
	    LOOP_TEST(signals_come_on_the_loop),
	    LOOP_TEST(child_gets_its_own_poll_set),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
