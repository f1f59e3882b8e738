/* SPDX-License-Identifier: ISC */
#include "screen/totals.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <string.h>

static struct totals *
fresh(void)
{
	static struct totals t[8];
	static size_t next;
	struct totals *one = &t[next++ % 8];

	memset(one, 0, sizeof(*one));
	return one;
}

static void
test_verdicts(void **state)
{
	static const struct {
		const char *name;
		unsigned marks;
		enum figure verdict;
		int catcher; /* -1: was not tested */
	} cases[] = {
	    {"known", VISIT_OLD, FIGURE_KNOWN, -1},
	    {"allowed", VISIT_ALLOWED, FIGURE_KNOWN, -1},
	    {"stranger", VISIT_NEW, FIGURE_NEW, FIGURE_BY_NONE},
	    {"early", VISIT_EARLY | VISIT_ENDED, FIGURE_EARLY, FIGURE_BY_EARLY},
	    {"listed", VISIT_LISTED | VISIT_ENDED, FIGURE_LISTED,
		FIGURE_BY_LISTS},
	    {"both, and hung up",
		VISIT_EARLY | VISIT_LISTED | VISIT_HUNG_LATE | VISIT_ENDED,
		FIGURE_BOTH, FIGURE_BY_BOTH},
	    {"denied", VISIT_DENIED | VISIT_ENDED, FIGURE_DENIED, -1},
	    {"denied, early", VISIT_DENIED | VISIT_EARLY | VISIT_ENDED,
		FIGURE_EARLY, FIGURE_BY_EARLY},
	    {"deep", VISIT_DEEP | VISIT_ENDED, FIGURE_PROTOCOL, FIGURE_BY_NONE},
	    {"hung up", VISIT_HUNG_EARLY | VISIT_ENDED, FIGURE_HUNG_UP,
		FIGURE_BY_NONE},
	    {"passed, then hung up", VISIT_NEW | VISIT_HUNG_LATE | VISIT_ENDED,
		FIGURE_NEW, FIGURE_BY_NONE},
	    {"shed", VISIT_SHED | VISIT_LISTED | VISIT_ENDED, FIGURE_SHED,
		FIGURE_BY_LISTS},
	    {"no room", VISIT_BUSY | VISIT_ENDED, FIGURE_BUSY, -1},
	    {"no server for a known one", VISIT_OLD | VISIT_BUSY | VISIT_ENDED,
		FIGURE_BUSY, -1},
	    {"too many", VISIT_LIMITED | VISIT_ENDED, FIGURE_LIMITED, -1},
	    {"nothing", VISIT_ENDED, FIGURE_LEFT, FIGURE_BY_NONE},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct visit v = {.marks = (uint16_t)(cases[i].marks | 1)};
		struct totals *t = fresh();
		uint64_t sum = 0;

		totals_visit(t, &v);
		for (size_t f = FIGURE_KNOWN; f <= FIGURE_LEFT; f++)
			sum += t->figure[f];
		if (t->figure[cases[i].verdict] != 1)
			print_error("%s\n", cases[i].name);
		assert_int_equal(t->figure[cases[i].verdict], 1);
		assert_int_equal(sum, 1);
		sum = 0;
		for (size_t f = FIGURE_BY_EARLY; f <= FIGURE_BY_NONE; f++)
			sum += t->figure[f];
		if (sum != (cases[i].catcher >= 0))
			print_error("%s: tested?\n", cases[i].name);
		assert_int_equal(sum, cases[i].catcher >= 0);
		if (cases[i].catcher >= 0)
			assert_int_equal(t->figure[cases[i].catcher], 1);
	}
}

static void
test_visit(void **state)
{
	struct visit v = {0};
	struct totals *t = fresh();

	(void)state;
	totals_visit(t, &v); /* never came */
	assert_int_equal(t->figure[FIGURE_LEFT], 0);
	visit_note(&v, EVENT_CONNECT, 0, 0);
	visit_note(&v, EVENT_DNSBL_LISTED, 10, 0); /* no mark */
	visit_note(&v, EVENT_PASS_NEW, 6004, 0);
	visit_note(&v, EVENT_PASS_OLD, 9000, 0); /* the first one counts */
	totals_visit(t, &v);
	assert_int_equal(t->figure[FIGURE_WAIT_MS], 6004);
	assert_int_equal(t->figure[FIGURE_WAITS + totals_bucket(6004)], 1);
	visit_note(&v, EVENT_HANGUP_EARLY, 0, INT64_MAX);
	assert_int_equal(v.hung_ms, INT32_MAX);
	totals_visit(t, &v);
	assert_int_equal(t->figure[FIGURE_HANGUPS_EARLY_END], 1);
	visit_note(&v, EVENT_HANGUP_LATE, 0, -1);
	assert_int_equal(v.hung_ms, 0);

	v = (struct visit){.marks = VISIT_CAME | VISIT_EARLY};
	totals_visit(t, &v);
	assert_int_equal(t->figure[FIGURE_EXCUSED], 1);
}

static void
test_buckets(void **state)
{
	(void)state;
	assert_int_equal(totals_bucket(0), 0);
	for (size_t i = 0; i + 1 < TOTALS_BUCKETS; i++) {
		assert_int_equal(totals_bucket(totals_bucket_end(i)), i);
		assert_int_equal(
		    totals_bucket(totals_bucket_end(i) + 1), i + 1);
	}
	assert_int_equal(totals_bucket(INT64_MAX), TOTALS_BUCKETS - 1);
}

static void
test_lists(void **state)
{
	struct totals *t = fresh(), *u = fresh();
	struct visit v = {.marks = VISIT_CAME};
	struct totals_list *allows;
	char name[300];

	(void)state;
	assert_ptr_equal(totals_list(t, "a.test"), &t->list[0]);
	assert_ptr_equal(totals_list(t, "b.test"), &t->list[1]);
	assert_ptr_equal(totals_list(t, "a.test"), &t->list[0]);
	allows = totals_list(t, "wl.test");
	allows->use = TOTALS_USE_ALLOWS;
	v.lists = 7; /* a, b, wl */
	totals_visit(t, &v);
	v.lists = 5; /* a, wl: who lets pass does not catch */
	totals_visit(t, &v);
	assert_int_equal(t->list[0].visits, 2);
	assert_int_equal(t->list[0].only, 1);
	assert_int_equal(t->list[1].only, 0);
	assert_int_equal(t->list[0].with[1], 1);
	assert_int_equal(t->list[2].with[0], 2);

	/* Another order of lists, as in another process. */
	(void)totals_list(u, "c.test");
	(void)totals_list(u, "b.test");
	(void)totals_list(u, "a.test");
	v.lists = 6; /* b, a */
	totals_visit(u, &v);
	totals_add(t, u);
	assert_int_equal(t->lists, 4);
	assert_int_equal(t->list[0].visits, 3);
	assert_int_equal(t->list[0].with[1], 2);
	assert_int_equal(t->list[1].with[0], 2);
	assert_int_equal(t->list[2].use, TOTALS_USE_ALLOWS);

	memset(name, 'x', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	assert_ptr_equal(totals_list(t, name), totals_list(t, name));
	assert_int_equal(strlen(t->list[4].name), TOTALS_NAME_MAX - 1);
	for (int i = 0; i < 40; i++) {
		name[0] = (char)('0' + i);
		(void)totals_list(t, name);
	}
	assert_int_equal(t->lists, TOTALS_LISTS_MAX);
	assert_null(totals_list(t, "one.more.test"));
}

static void
test_burst(void **state)
{
	struct totals_burst b = {0};

	(void)state;
	assert_int_equal(totals_burst(&b, 100), 1);
	assert_int_equal(totals_burst(&b, 100), 2);
	assert_int_equal(totals_burst(&b, 109), 3);
	assert_int_equal(totals_burst(&b, 110), 2); /* those of 100 are old */
	assert_int_equal(totals_burst(&b, 1000), 1);
	assert_int_equal(totals_burst(&b, 5), 1); /* a log may jump back */
}

static struct totals *
sample(void)
{
	struct totals *t = fresh();
	struct visit v = {.marks = VISIT_CAME | VISIT_EARLY, .lists = 3};

	(void)totals_list(t, "a.test");
	totals_list(t, "b.test")->use = TOTALS_USE_WATCHED;
	for (int i = 0; i < 300; i++)
		totals_visit(t, &v);
	t->list[0].latency[3] = UINT64_MAX;
	totals_peak(t->figure, FIGURE_HELD, 70);
	totals_peak(t->figure, FIGURE_HELD, 7);
	return t;
}

static void
test_bytes(void **state)
{
	struct totals *t = sample(), *u = fresh();
	struct buf out;

	(void)state;
	buf_init(&out, TOTALS_BYTES_MAX);
	assert_int_equal(totals_encode(t, &out), 0);
	assert_true(out.n < 250);
	assert_int_equal(totals_decode(buf_span(&out), u), 0);
	assert_memory_equal(t, u, sizeof(*t));
	for (size_t n = 0; n < out.n; n++)
		assert_int_equal(totals_decode(span_of(out.p, n), u), -1);
	for (size_t i = 0; i < out.n; i++) { /* no byte of it is dangerous */
		out.p[i] = (char)(out.p[i] ^ 0xff);
		(void)totals_decode(buf_span(&out), u);
		assert_true(u->lists <= TOTALS_LISTS_MAX);
		out.p[i] = (char)(out.p[i] ^ 0xff);
	}
	buf_clear(&out);
}

static void
test_fullest(void **state)
{
	struct totals *t = fresh();
	char name[TOTALS_NAME_MAX];
	struct buf out;

	(void)state;
	memset(t->figure, 0xff, sizeof(t->figure));
	memset(name, 'x', sizeof(name));
	name[sizeof(name) - 1] = '\0';
	for (size_t i = 0; i < TOTALS_LISTS_MAX; i++) {
		name[0] = (char)('0' + i);
		memset(
		    totals_list(t, name)->with, 0xff, sizeof(t->list[0].with));
		memset(t->list[i].latency, 0xff, sizeof(t->list[i].latency));
	}
	buf_init(&out, TOTALS_BYTES_MAX);
	assert_int_equal(totals_encode(t, &out), 0);
	buf_clear(&out);
}

static void
test_merge(void **state)
{
	struct totals *t = sample(), *u = fresh();
	struct buf one, both;

	(void)state;
	buf_init(&one, TOTALS_BYTES_MAX);
	buf_init(&both, TOTALS_BYTES_MAX);
	assert_int_equal(totals_encode(t, &one), 0);
	assert_int_equal(
	    totals_merge(buf_span(&one), buf_span(&one), &both), 0);
	assert_int_equal(totals_decode(buf_span(&both), u), 0);
	assert_int_equal(u->figure[FIGURE_EARLY], 600);
	assert_int_equal(u->figure[FIGURE_HELD], 70); /* a peak is no sum */
	assert_int_equal(u->list[1].visits, 600);
	buf_reset(&both);
	assert_int_equal(
	    totals_merge(span_str("garbage"), buf_span(&one), &both), 0);
	assert_int_equal(totals_decode(buf_span(&both), u), 0);
	assert_memory_equal(u, t, sizeof(*t));
	buf_clear(&one);
	buf_clear(&both);
}

/* It would be stored as something that cannot be read again. */
static void
test_list_without_a_name(void **state)
{
	struct totals *t = fresh();

	(void)state;
	assert_null(totals_list(t, ""));
	assert_int_equal(t->lists, 0);
}

static void
test_names(void **state)
{
	(void)state;
	assert_string_equal(totals_name(FIGURE_HUNG_UP), "hung_up");
	assert_true(strlen(totals_help(FIGURE_HUNG_UP)) > 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_verdicts),
	    cmocka_unit_test(test_visit),
	    cmocka_unit_test(test_buckets),
	    cmocka_unit_test(test_lists),
	    cmocka_unit_test(test_burst),
	    cmocka_unit_test(test_bytes),
	    cmocka_unit_test(test_fullest),
	    cmocka_unit_test(test_merge),
	    cmocka_unit_test(test_list_without_a_name),
	    cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
