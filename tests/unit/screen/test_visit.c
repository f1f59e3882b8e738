/* SPDX-License-Identifier: ISC */
#include "screen/visit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static const char *const names[EVENT_COUNT] = {
#define EVENT(id, ...) #id,
#include "screen/events.def"
#undef EVENT
};

/* Every other event is no news of the visit. */
static const struct {
	enum journal_event event;
	unsigned mark;
	bool was_tested; /* who has no other mark but CAME */
} cases[] = {
    {EVENT_CONNECT, VISIT_CAME, true},
    {EVENT_ALLOWLISTED, VISIT_ALLOWED, false},
    {EVENT_DENYLISTED, VISIT_DENIED, false},
    {EVENT_PASS_NEW, VISIT_NEW, true},
    {EVENT_PASS_OLD, VISIT_OLD, false},
    {EVENT_PREGREET, VISIT_EARLY, true},
    {EVENT_DNSBL_RANK, VISIT_LISTED, true},
    {EVENT_DNSBL_INCOMPLETE, VISIT_INCOMPLETE, true},
    {EVENT_PIPELINING, VISIT_DEEP, true},
    {EVENT_NON_SMTP, VISIT_DEEP, true},
    {EVENT_BARE_NEWLINE, VISIT_DEEP, true},
    {EVENT_HANGUP_EARLY, VISIT_HUNG_EARLY, true},
    {EVENT_HANGUP_LATE, VISIT_HUNG_LATE, true},
    {EVENT_SHED_EARLY, VISIT_SHED, true},
    {EVENT_SHED_LATE, VISIT_SHED, true},
    {EVENT_REJECT_FULL, VISIT_BUSY, false},
    {EVENT_REJECT_SERVER, VISIT_BUSY, false},
    {EVENT_REJECT_COUNT, VISIT_LIMITED, false},
    {EVENT_REJECT_RATE, VISIT_LIMITED, false},
    {EVENT_REJECT_FAILURES, VISIT_LIMITED, false},
    {EVENT_DISCONNECT, VISIT_ENDED, true},
};

static void
test_marks(void **state)
{
	(void)state;
	for (int e = 0; e < EVENT_COUNT; e++) {
		struct visit v = {.marks = 0};
		unsigned want = 0;

		for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
			if ((int)cases[i].event == e)
				want = cases[i].mark;
		visit_note(&v, (enum journal_event)e, 7, 8);
		if (v.marks != want)
			fail_msg("%s: %x, not %x", names[e], v.marks, want);
		/* What was there stays. */
		v.marks = VISIT_CAME;
		visit_note(&v, (enum journal_event)e, 7, 8);
		if (v.marks != (VISIT_CAME | want))
			fail_msg("%s: %x afterwards", names[e], v.marks);
	}
}

static void
test_was_tested(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct visit v = {.marks = VISIT_CAME};

		visit_note(&v, cases[i].event, 0, 0);
		if (visit_was_tested(&v) != cases[i].was_tested)
			fail_msg("%s", names[cases[i].event]);
		/* Whatever came of it then, it was caught. */
		visit_note(&v, EVENT_PREGREET, 0, 0);
		assert_true(visit_was_tested(&v));
	}
}

/* The wait ends when it passes for the first time. */
static void
test_waits(void **state)
{
	struct visit v = {.marks = VISIT_CAME};

	(void)state;
	visit_note(&v, EVENT_PREGREET, 500, 500);
	assert_int_equal(v.wait_ms, 0);
	visit_note(&v, EVENT_PASS_NEW, 6000, 1);
	assert_int_equal(v.wait_ms, 6000);
	visit_note(&v, EVENT_PASS_OLD, 9000, 1);
	assert_int_equal(v.wait_ms, 6000);
	assert_int_equal(v.hung_ms, 0);
	visit_note(&v, EVENT_HANGUP_LATE, 10000, 700);
	assert_int_equal(v.hung_ms, 700);
	visit_note(&v, EVENT_DISCONNECT, 11000, 900);
	assert_int_equal(v.hung_ms, 700);
}

/* Clocks of logs may go back, and logs may be years long. */
static void
test_odd_waits(void **state)
{
	struct visit v = {.marks = VISIT_CAME};

	(void)state;
	visit_note(&v, EVENT_ALLOWLISTED, -1, 0);
	visit_note(&v, EVENT_HANGUP_EARLY, 0, INT64_MIN);
	assert_int_equal(v.wait_ms, 0);
	assert_int_equal(v.hung_ms, 0);
	v = (struct visit){.marks = VISIT_CAME};
	visit_note(&v, EVENT_ALLOWLISTED, INT64_MAX, 0);
	visit_note(&v, EVENT_HANGUP_EARLY, 0, (int64_t)INT32_MAX + 1);
	assert_int_equal(v.wait_ms, INT32_MAX);
	assert_int_equal(v.hung_ms, INT32_MAX);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_marks),
	    cmocka_unit_test(test_was_tested),
	    cmocka_unit_test(test_waits),
	    cmocka_unit_test(test_odd_waits),
	};

	return cmocka_run_group_tests_name("screen/visit", tests, NULL, NULL);
}
