/* SPDX-License-Identifier: ISC */
#include "ops/page_trend.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/mem.h"

enum { NOON = 1795262400 }; /* 2026-11-21, UTC */

struct fixture {
	struct trend *trend;
	struct buf out;
};

static int
set_up(void **state)
{
	static struct fixture f;

	assert_int_equal(setenv("TZ", "UTC", 1), 0);
	tzset();
	f.trend = mem_new(sizeof(*f.trend));
	assert_non_null(f.trend);
	buf_init(&f.out, 1 << 20);
	*state = &f;
	return 0;
}

static int
tear_down(void **state)
{
	struct fixture *f = *state;

	mem_free(f->trend);
	buf_clear(&f->out);
	return 0;
}

/* Something ended that many seconds before noon. */
static void
note(struct fixture *f, int64_t before, struct trend_slot what)
{
	what.number = trend_number((struct wall){NOON - before});
	f->trend->slot[what.number % TREND_SLOTS] = what;
}

static const char *
written(struct fixture *f, size_t limit)
{
	buf_reset(&f->out);
	page_trend_write(f->trend, (struct wall){NOON}, limit, &f->out);
	return buf_str(&f->out);
}

static bool
has(struct fixture *f, const char *text)
{
	return strstr(buf_str(&f->out), text) != NULL;
}

static void
test_nothing(void **state)
{
	struct fixture *f = *state;

	written(f, 100);
	assert_true(has(f, "<h2>The last three hours: nobody came</h2>"));
	assert_true(has(f, "<h2>The last day: nobody came</h2>"));
	assert_true(has(f, "<h2>At most 0 sessions at once</h2>"));
	assert_false(has(f, "nan"));
	assert_false(has(f, "the limit"));
}

static void
test_one(void **state)
{
	struct fixture *f = *state;

	note(f, 0, (struct trend_slot){.count = {1}, .held_max = 1});
	written(f, 100);
	assert_true(has(f, "hours: 1 connection, 0.0 % brought no mail<"));
	assert_true(has(f, "<title>12:00: let in 1</title>"));
	assert_true(has(f, "<h2>At most 1 session at once</h2>"));
}

/* What ended in the last three hours, in the last day, and before it. */
static void
test_when(void **state)
{
	struct fixture *f = *state;

	note(f, 60, (struct trend_slot){.count = {1, 2, 3, 4}, .held_max = 40});
	note(f, 2 * 3600, (struct trend_slot){.count = {10}, .held_max = 9});
	note(f, 4 * 3600, (struct trend_slot){.count = {0, 100}});
	note(f, 25 * 3600, (struct trend_slot){.count = {5000, 5000}});
	written(f, 100);
	assert_true(has(f, "hours: 20 connections, 25.0 % brought no mail<"));
	assert_true(has(f, "day: 120 connections, 87.5 % brought no mail<"));
	assert_true(has(f, "<title>11:55: had to make room 4</title>"));
	assert_true(has(f, "<title>10:00: let in 10</title>"));
	assert_true(has(f, "<title>08:00: refused 100</title>"));
	assert_true(has(f, "<h2>At most 40 sessions at once</h2>"));
	/* Not far from it. */
	assert_true(has(f, ">the limit</text>"));
	written(f, 121);
	assert_false(has(f, "the limit"));
}

static void
test_sum(void **state)
{
	struct fixture *f = *state;
	uint64_t all, nuisance;

	note(f, 0, (struct trend_slot){.count = {1, 2, 3, 4}});
	note(f, 3300, (struct trend_slot){.count = {10, 20, 30, 40}});
	note(f, 3600, (struct trend_slot){.count = {0, 1000}});
	page_trend_sum(f->trend, (struct wall){NOON}, 12, &all, &nuisance);
	assert_int_equal(all, 110);
	assert_int_equal(nuisance, 55);
}

/* A buffer that is full stays as it is. */
static void
test_no_room(void **state)
{
	struct fixture *f = *state;
	char room[64];
	struct buf small;

	buf_borrow(&small, room, sizeof(room));
	page_trend_write(f->trend, (struct wall){NOON}, 1, &small);
	assert_true(small.n < sizeof(room));
}

int
main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)
	const struct CMUnitTest tests[] = {
	    TEST(test_nothing),
	    TEST(test_one),
	    TEST(test_when),
	    TEST(test_sum),
	    TEST(test_no_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
