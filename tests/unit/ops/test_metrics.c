/* SPDX-License-Identifier: ISC */
/* links: stage fake_clock fake_loop fake_resolver fake_cache fake_mem */
#include "ops/metrics.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "screen/session.h"
#include "support/fake_cache.h"
#include "support/fake_mem.h"
#include "support/stage.h"

enum { OUT_MAX = 1 << 20, NAMES_MAX = 256, LINES_MAX = 4096 };

static struct stage stage;
static struct control_host host = {.since = {1234567890}};
static struct control control = {.host = &host};
static struct buf out;

static void
open_with(const char *const *settings)
{
	stage_open(&stage, settings);
	control.loop = stage.loop;
	control.screen = stage.screen;
}

static int
set_up(void **state)
{
	(void)state;
	buf_init(&out, OUT_MAX);
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	buf_clear(&out);
	stage_close(&stage);
	return 0;
}

static const char *
written(enum metrics_dialect dialect)
{
	buf_reset(&out);
	assert_int_equal(metrics_write(&control, dialect, &out), 0);
	return buf_str(&out);
}

/* The number behind this name, as it stands there; NULL when it does not. */
static const char *
find(const char *sample)
{
	static char value[64];
	const char *at = buf_str(&out);
	size_t n = strlen(sample);

	for (; at != NULL; at = strchr(at, '\n')) {
		at += *at == '\n';
		if (strncmp(at, sample, n) == 0 && at[n] == ' ') {
			snprintf(value, sizeof(value), "%.*s",
			    (int)strcspn(at + n + 1, "\n"), at + n + 1);
			return value;
		}
	}
	return NULL;
}

static void
expect(const char *sample, const char *value)
{
	const char *found = find(sample);

	if (found == NULL || strcmp(found, value) != 0)
		fail_msg("%s is %s, not %s", sample,
		    found == NULL ? "not there" : found, value);
}

/* --- the formats themselves ------------------------------------------------- */

struct reader {
	enum metrics_dialect dialect;
	char *family, *type; /* that samples belong to */
	char *seen[NAMES_MAX];
	size_t seen_n;
	char *samples[LINES_MAX];
	size_t sample_n;
};

static bool
is_in(char *const *names, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(names[i], name) == 0)
			return true;
	return false;
}

/* Behind this; *line becomes what follows. */
static char *
first_word(char **line, const char *behind)
{
	*line += strlen(behind);
	return strsep(line, " ");
}

static void
begin_family(struct reader *r, char *line)
{
	char *name = first_word(&line, "# HELP ");

	assert_int_equal(strncmp(name, "doorbell_", 9), 0);
	if (is_in(r->seen, r->seen_n, name))
		fail_msg("%s begins twice", name);
	assert_true(r->seen_n < NAMES_MAX);
	r->seen[r->seen_n++] = r->family = name;
	r->type = NULL;
	/* What would have to be escaped. */
	assert_true(line != NULL && *line != '\0');
	assert_true(strpbrk(line, "\\\"") == NULL);
}

static void
read_type(struct reader *r, char *line)
{
	char *name = first_word(&line, "# TYPE ");
	size_t n = strlen(name);

	assert_string_equal(name, r->family);
	assert_null(r->type);
	assert_non_null(line);
	r->type = line;
	if (strcmp(line, "counter") == 0)
		assert_int_equal(n > 6 && strcmp(name + n - 6, "_total") == 0,
		    r->dialect == METRICS_TEXT);
	else
		assert_true(strcmp(line, "gauge") == 0 ||
			    strcmp(line, "histogram") == 0);
}

/* The name of a sample is its family's, and what its type adds. */
static void
check_name(const struct reader *r, const char *name, size_t n)
{
	static const char *const of_histogram[] = {"_bucket", "_sum", "_count"};
	size_t family_n = strlen(r->family);
	const char *added = name + family_n;
	bool fits = false;

	assert_non_null(r->type);
	assert_true(n >= family_n && strncmp(name, r->family, family_n) == 0);
	n -= family_n;
	if (strcmp(r->type, "histogram") == 0) {
		for (size_t i = 0; i < 3; i++)
			fits |= n == strlen(of_histogram[i]) &&
				strncmp(added, of_histogram[i], n) == 0;
	} else if (strcmp(r->type, "counter") == 0 &&
		   r->dialect == METRICS_OPEN) {
		fits = n == 6 && strncmp(added, "_total", n) == 0;
	} else {
		fits = n == 0;
	}
	if (!fits)
		fail_msg("%s in %s", name, r->family);
}

/* {word="text"}; where it ends. */
static char *
skip_label(char *at)
{
	at += 1 + strspn(at + 1, "abcdefghijklmnopqrstuvwxyz_");
	assert_int_equal(strncmp(at, "=\"", 2), 0);
	for (at += 2; *at != '"'; at++) {
		assert_true((unsigned char)*at >= ' ');
		if (*at == '\\')
			assert_true(*++at != '\0' && strchr("\\\"n", *at));
	}
	assert_int_equal(at[1], '}');
	return at + 2;
}

static void
read_sample(struct reader *r, char *line)
{
	size_t n = strcspn(line, "{ ");
	char *at = line + n;

	assert_non_null(r->family);
	check_name(r, line, n);
	if (*at == '{')
		at = skip_label(at);
	assert_int_equal(*at, ' ');
	*at++ = '\0';
	assert_true(*at >= '0' && *at <= '9');
	assert_int_equal(strspn(at, "0123456789."), strlen(at));
	if (is_in(r->samples, r->sample_n, line))
		fail_msg("%s is there twice", line);
	assert_true(r->sample_n < LINES_MAX);
	r->samples[r->sample_n++] = line;
}

static void
read_all(enum metrics_dialect dialect)
{
	static struct reader r;
	char *text = strdup(written(dialect)), *rest = text, *line;
	bool ended = false;

	assert_non_null(text);
	assert_true(text_is_utf8(buf_span(&out)));
	assert_int_equal(out.p[out.n - 1], '\n');
	r = (struct reader){.dialect = dialect};
	while ((line = strsep(&rest, "\n")) != NULL && rest != NULL) {
		assert_false(ended);
		if (strncmp(line, "# HELP ", 7) == 0)
			begin_family(&r, line);
		else if (strncmp(line, "# TYPE ", 7) == 0)
			read_type(&r, line);
		else if (strcmp(line, "# EOF") == 0)
			ended = true;
		else
			read_sample(&r, line);
	}
	assert_int_equal(ended, dialect == METRICS_OPEN);
	assert_true(r.seen_n >= COUNTER_COUNT + HISTOGRAM_COUNT);
	free(text);
}

static const char *const with_lists[] = {
    "doorbell_dnsbl_sites=a.test, secret.b.test*2, more.b.test, c.test",
    "doorbell_dnsbl_reply_map=inline:{secret.b.test=b.test,"
    " more.b.test=b.test}",
    NULL};
static const char *const without[] = {NULL};

static void
test_formats(void **state)
{
	(void)state;
	open_with(with_lists);
	read_all(METRICS_TEXT);
	read_all(METRICS_OPEN);
	assert_string_equal(metrics_type(METRICS_TEXT),
	    "text/plain; version=0.0.4; charset=utf-8");
	assert_string_equal(metrics_type(METRICS_OPEN),
	    "application/openmetrics-text; version=1.0.0; charset=utf-8");
}

/* --- what the numbers are ---------------------------------------------------- */
static void
test_counters(void **state)
{
	(void)state;
	open_with(without);
	counters_add(&stage.counters, COUNTER_CONNECTIONS, 7);
	counters_add(&stage.counters, COUNTER_SHED, UINT64_MAX);
	stage.screen->journal.seen[EVENT_PASS_NEW] = 3;
	written(METRICS_OPEN);
	expect("doorbell_connections_total", "7");
	expect("doorbell_shed_total", "18446744073709551615");
	expect("doorbell_refused_total", "0");
	expect("doorbell_log_events_total{event=\"pass_new\"}", "3");
	expect("doorbell_log_events_total{event=\"pass_old\"}", "0");
	assert_non_null(
	    strstr(out.p, "\n# TYPE doorbell_connections counter\n"));
	written(METRICS_TEXT);
	expect("doorbell_connections_total", "7");
	assert_non_null(
	    strstr(out.p, "\n# TYPE doorbell_connections_total counter\n"));
}

static void
test_waits(void **state)
{
	static const int64_t waits[] = {0, 1, 2, 5, 6, 1500, 999999999};

	(void)state;
	open_with(without);
	for (size_t i = 0; i < sizeof(waits) / sizeof(*waits); i++)
		counters_note_wait(
		    &stage.counters, HISTOGRAM_HANDOFF_WAIT, waits[i]);
	written(METRICS_TEXT);
#define WAIT "doorbell_handoff_wait_seconds"
	expect(WAIT "_bucket{le=\"0.001\"}", "2");
	expect(WAIT "_bucket{le=\"0.002\"}", "3");
	expect(WAIT "_bucket{le=\"0.005\"}", "4");
	expect(WAIT "_bucket{le=\"0.01\"}", "5");
	expect(WAIT "_bucket{le=\"1.0\"}", "5");
	expect(WAIT "_bucket{le=\"2.0\"}", "6");
	expect(WAIT "_bucket{le=\"10.0\"}", "6");
	expect(WAIT "_bucket{le=\"100.0\"}", "6");
	expect(WAIT "_bucket{le=\"+Inf\"}", "7");
	expect(WAIT "_count", "7");
	expect(WAIT "_sum", "1000001.513");
#undef WAIT
	expect("doorbell_dnsbl_answer_seconds_sum", "0.0");
	expect("doorbell_dnsbl_answer_seconds_count", "0");
}

static void
test_gauges(void **state)
{
	static const char *const limited[] = {
	    "doorbell_session_limit=321", NULL};
	struct session s[] = {{.phase = PHASE_GREET}, {.phase = PHASE_RELAY},
	    {.phase = PHASE_GREET}};

	(void)state;
	open_with(limited);
	for (size_t i = 0; i < sizeof(s) / sizeof(*s); i++)
		TAILQ_INSERT_TAIL(&stage.screen->sessions, &s[i], others);
	stage.screen->handoffs.waiting = 4;
	stage.screen->handoffs.in_flight = 5;
	stage.screen->replays.active = 6;
	stage.screen->stress = true;
	written(METRICS_TEXT);
	expect("doorbell_sessions{phase=\"greet\"}", "2");
	expect("doorbell_sessions{phase=\"relay\"}", "1");
	expect("doorbell_sessions{phase=\"dialogue\"}", "0");
	expect("doorbell_session_limit", "321");
	expect("doorbell_handoffs_waiting", "4");
	expect("doorbell_handoffs_in_flight", "5");
	expect("doorbell_sessions_relayed", "6");
	expect("doorbell_stress", "1");
	expect("doorbell_start_time_seconds", "1234567890");
	expect("doorbell_build_info{version=\"" DOORBELL_VERSION "\"}", "1");
	TAILQ_INIT(&stage.screen->sessions);
	stage.screen->stress = false;
	written(METRICS_TEXT);
	expect("doorbell_sessions{phase=\"greet\"}", "0");
	expect("doorbell_stress", "0");
}

static void
test_cache(void **state)
{
	(void)state;
	open_with(without);
	written(METRICS_TEXT);
	expect("doorbell_cache_usable", "1");
	expect("doorbell_cache_changes_waiting", "0");
	fake_cache_fail(stage.cache, "no disk");
	written(METRICS_TEXT);
	expect("doorbell_cache_usable", "0");
	stage.screen->cache = NULL;
	written(METRICS_TEXT);
	expect("doorbell_cache_usable", "0");
	expect("doorbell_cache_changes_waiting", "0");
}

/* --- DNS lists ---------------------------------------------------------------- */
static void
test_no_lists(void **state)
{
	(void)state;
	open_with(without);
	written(METRICS_TEXT);
	assert_null(strstr(out.p, "dnsbl_list_"));
}

/* The i-th one of them has been asked so often. */
static void
ask(size_t i, uint64_t queries, enum dnsbl_state now)
{
	struct dnsbl_health *h = dnsbl_zone_record(stage.policy->dnsbl, i);

	h->queries = queries;
	h->state = now;
}

static void
test_lists(void **state)
{
	struct dnsbl_health *h;

	(void)state;
	open_with(with_lists);
	ask(0, 1, DNSBL_USED);
	ask(1, 20, DNSBL_USED);
	ask(2, 300, DNSBL_USED);
	ask(3, 4000, DNSBL_OUT_WILD);
	h = dnsbl_zone_record(stage.policy->dnsbl, 0);
	h->listed = 2;
	h->only = 3;
	h->error_codes = 4;
	h->failures = 5;
	h->timeouts = 6;
	h->unasked = 7;
	written(METRICS_TEXT);
#define LIST(what, name) "doorbell_dnsbl_list_" what "{list=\"" name "\"}"
	expect(LIST("queries_total", "a.test"), "1");
	expect(LIST("listed_total", "a.test"), "2");
	expect(LIST("only_total", "a.test"), "3");
	expect(LIST("error_codes_total", "a.test"), "4");
	expect(LIST("failures_total", "a.test"), "5");
	expect(LIST("timeouts_total", "a.test"), "6");
	expect(LIST("unasked_total", "a.test"), "7");
	expect(LIST("queries_total", "b.test"), "320");
	expect(LIST("queries_total", "c.test"), "4000");
	expect(LIST("used", "a.test"), "1");
	expect(LIST("used", "b.test"), "1");
	expect(LIST("used", "c.test"), "0");
	/* Nobody needs to know. */
	assert_null(strstr(out.p, "secret"));
	assert_null(strstr(out.p, "more"));
}

/* One of those that have a name together is enough to be told of. */
static void
test_lists_of_one_name(void **state)
{
	(void)state;
	open_with(with_lists);
	ask(2, 0, DNSBL_RESTS);
	written(METRICS_TEXT);
	expect(LIST("used", "b.test"), "0");
	ask(1, 0, DNSBL_OUT_MUTE);
	ask(2, 0, DNSBL_USED);
	written(METRICS_TEXT);
	expect(LIST("used", "b.test"), "0");
	ask(1, 0, DNSBL_USED);
	written(METRICS_TEXT);
	expect(LIST("used", "b.test"), "1");
}

/* A table of patterns makes each name in the place of the one before. */
static void
test_names_that_are_made(void **state)
{
	static const char *const settings[] = {
	    "doorbell_dnsbl_sites=k3y.a.test, k3y.b.test, 2nd.b.test, c.test",
	    "doorbell_dnsbl_reply_map=regexp:{{/^[^.]+\\.([abd]\\.test)$$/ "
	    "$$1}}",
	    NULL};

	(void)state;
	open_with(settings);
	for (size_t i = 0; i < 4; i++)
		ask(i, i + 1, DNSBL_USED);
	read_all(METRICS_TEXT);
	written(METRICS_TEXT);
	expect(LIST("queries_total", "a.test"), "1");
	expect(LIST("queries_total", "b.test"), "5");
	expect(LIST("queries_total", "c.test"), "4");
	expect(LIST("used", "b.test"), "1");
	assert_null(strstr(out.p, "k3y"));
}

/* What an admin may write there. */
static void
test_odd_names(void **state)
{
	static const char *const settings[] = {
	    "doorbell_dnsbl_sites=a.test, b.test",
	    "doorbell_dnsbl_reply_map=inline:{"
	    "{a.test = the \"best\\worst\" one}, {b.test = caf\xe9\x1b}}",
	    NULL};

	(void)state;
	open_with(settings);
	read_all(METRICS_TEXT);
	read_all(METRICS_OPEN);
	expect(LIST("used", "the \\\"best\\\\worst\\\" one"), "1");
	expect(LIST("used", "caf??"), "1");
}

/* --- no room ------------------------------------------------------------------- */
static void
test_no_room(void **state)
{
	size_t whole;

	(void)state;
	open_with(with_lists);
	written(METRICS_OPEN);
	whole = out.n;
	for (size_t max = 0; max < whole; max += max < 200 ? 1 : 487) {
		struct buf small;

		buf_init(&small, max);
		assert_int_equal(
		    metrics_write(&control, METRICS_OPEN, &small), -1);
		assert_true(small.n <= max);
		buf_clear(&small);
	}
	buf_clear(&out);
	buf_init(&out, whole);
	assert_int_equal(metrics_write(&control, METRICS_OPEN, &out), 0);
}

static void
test_no_memory(void **state)
{
	struct buf late;
	unsigned n = 0;
	long before;
	int rc;

	(void)state;
	open_with(with_lists);
	before = fake_mem_live();
	do {
		buf_init(&late, OUT_MAX);
		fake_mem_fail_after(n++);
		rc = metrics_write(&control, METRICS_TEXT, &late);
		fake_mem_heal();
		buf_clear(&late);
		assert_int_equal(fake_mem_live(), before);
	} while (rc < 0);
	/* The buffer's, and those of the names. */
	assert_true(n > 4);
}

int
main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
	    TEST(test_formats),
	    TEST(test_counters),
	    TEST(test_waits),
	    TEST(test_gauges),
	    TEST(test_cache),
	    TEST(test_no_lists),
	    TEST(test_lists),
	    TEST(test_lists_of_one_name),
	    TEST(test_names_that_are_made),
	    TEST(test_odd_names),
	    TEST(test_no_room),
	    TEST(test_no_memory),
	};

	return cmocka_run_group_tests_name("ops/metrics", tests, NULL, NULL);
}
