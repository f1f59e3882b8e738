/* SPDX-License-Identifier: ISC */
/* links: house scratch sockets given_addr */
#include "daemon/housekeeping.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/log.h"
#include "support/house.h"

/* It comes once a second; here it is hastened. */

static uint64_t
count(const struct house *h, enum counter which)
{
	return counters_read(h->bell->counters, which);
}

static void
keep_house(struct house *h)
{
	assert_int_equal(loop_timer_start(&h->bell->housekeeping, 0), 0);
	house_turn(h);
	/* And again in a second. */
	assert_true(loop_timer_is_running(&h->bell->housekeeping));
}

static void
test_lost_lines_are_counted(void **state)
{
	struct house *h = *state;
	char line[LOG_LINE_MAX];
	uint64_t before, drops;

	house_open(h);
	before = count(h, COUNTER_LOG_DROPS);
	memset(line, 'x', sizeof(line));
	/* Nobody reads them. */
	for (size_t n = 0; n < LOGSOCK_QUEUE_MAX + 100 * sizeof(line);
	     n += sizeof(line))
		log_info("%.*s", (int)sizeof(line), line);
	drops = logsock_drops(h->bell->logsock);
	assert_true(drops > 0);
	assert_int_equal(count(h, COUNTER_LOG_DROPS), before);
	keep_house(h);
	assert_in_range(
	    count(h, COUNTER_LOG_DROPS), before + drops, before + drops + 5);
	house_hears(h, "log lines were lost");
	/* Each of them once, those of housekeeping itself as well. */
	keep_house(h);
	drops = logsock_drops(h->bell->logsock);
	assert_int_equal(count(h, COUNTER_LOG_DROPS), before + drops);
}

/* --- rules made by hand ---------------------------------------------------- */
static struct rule
rule_until(uint8_t last, int64_t until)
{
	return (struct rule){.block = {.base = {.family = ADDR_IPV4,
					   .bytes = {203, 0, 113, last}},
				 .bits = 32},
	    .until = {until}};
}

static void
make_rule(struct house *h, uint8_t last, int64_t until)
{
	const struct rule rule = rule_until(last, until);
	struct cache_note note;

	assert_int_equal(rules_set(h->bell->rules, &rule), 0);
	rules_encode(&rule, &note);
	assert_int_equal(cache_keep_note(h->bell->cache, &note), 0);
}

static void
test_rules_expire(void **state)
{
	struct house *h = *state;
	int64_t now;

	house_open(h);
	now = clock_wall().s;
	make_rule(h, 1, now - 1);
	make_rule(h, 2, now + 1000);
	make_rule(h, 3, RULE_FOR_GOOD);
	keep_house(h);
	assert_int_equal(rules_count(h->bell->rules), 2);
	/* What has expired is not kept for the next process. */
	house_close(h);
	house_open(h);
	assert_int_equal(rules_count(h->bell->rules), 2);
}

/* They are the next process's by then, which may know better. */
static void
test_who_drains_leaves_rules_alone(void **state)
{
	struct house *h = *state;

	house_open(h);
	make_rule(h, 1, clock_wall().s - 1);
	h->bell->draining = true;
	keep_house(h);
	assert_int_equal(rules_count(h->bell->rules), 1);
	house_close(h);
	house_open(h);
	assert_int_equal(rules_count(h->bell->rules), 1);
}

static void
test_rules_without_a_cache(void **state)
{
	struct house *h = *state;
	struct rule rule = rule_until(1, clock_wall().s - 1);

	house_set(h, "doorbell_cache_map =\n");
	house_open(h);
	assert_int_equal(rules_set(h->bell->rules, &rule), 0);
	keep_house(h);
	assert_int_equal(rules_count(h->bell->rules), 0);
}

/* --- what is remembered of the day ----------------------------------------- */
static uint32_t
held_now(const struct house *h)
{
	const struct trend *t = &h->bell->tally.page->trend;

	return trend_at(t, trend_number(clock_wall())).held_max;
}

static void
test_the_trend_is_drawn(void **state)
{
	struct house *h = *state;
	uint32_t held;
	int first, second;

	house_open(h);
	first = house_enter(h);
	keep_house(h);
	held = held_now(h);
	/* (a new slot may begin just now) */
	if (held != 1) {
		keep_house(h);
		assert_int_equal(held_now(h), 1);
	}
	/* By one process at a time. */
	second = house_enter(h);
	h->bell->draining = true;
	keep_house(h);
	assert_true(held_now(h) < 2);
	close(first);
	close(second);
}

/* --- memory, the watchdog, and who else wants to know ---------------------- */
static void
test_memory_is_given_back_after_a_flood(void **state)
{
	struct house *h = *state;
	int client;

	house_open(h);
	client = house_enter(h);
	keep_house(h);
	assert_int_equal(h->bell->sessions_peak, 1);
	/* Not for a few, */
	h->bell->sessions_peak = 1001;
	keep_house(h);
	assert_int_equal(h->bell->sessions_peak, 1001);
	h->bell->sessions_peak = 1002;
	keep_house(h);
	assert_int_equal(h->bell->sessions_peak, 1);
	close(client);
}

static void
test_the_watchdog_is_fed(void **state)
{
	struct house *h = *state;
	unsigned left;

	house_open(h);
	assert_true(alarm(0) > 0);
	keep_house(h);
	left = alarm(0);
	assert_true(left > 3500 && left <= 3600);
	keep_house(h);
	housekeeping_finish(h->bell);
	assert_int_equal(alarm(0), 0);
	assert_false(loop_timer_is_running(&h->bell->housekeeping));
	housekeeping_start(h->bell);
	assert_true(alarm(0) > 0);
	keep_house(h);
}

static void
test_a_manager_is_told(void **state)
{
	struct house *h = *state;
	int manager = house_play_manager(h), client;

	house_open(h);
	client = house_enter(h);
	keep_house(h);
	while (strcmp(house_manager_hears(h, manager), "STATUS=1 session") != 0)
		continue;
	keep_house(h);
	assert_int_equal(recv(manager, &(char){0}, 1, MSG_DONTWAIT), -1);
	close(client);
	close(manager);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(f) \
	cmocka_unit_test_setup_teardown(f, house_set_up, house_tear_down)
	    TEST(test_lost_lines_are_counted),
	    TEST(test_rules_expire),
	    TEST(test_who_drains_leaves_rules_alone),
	    TEST(test_rules_without_a_cache),
	    TEST(test_the_trend_is_drawn),
	    TEST(test_memory_is_given_back_after_a_flood),
	    TEST(test_the_watchdog_is_fed),
	    TEST(test_a_manager_is_told),
	};

	return cmocka_run_group_tests(tests, house_move_in, house_move_out);
}
