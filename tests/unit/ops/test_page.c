/* SPDX-License-Identifier: ISC */
/* The status page: what it says of a screen that has only what it looks at. */
/* links: fake_clock fake_loop fake_mem fake_resolver html_check given_config */
#include "ops/page.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "ops/page_look.h"
#include "screen/offenders.h"
#include "screen/session.h"
#include "support/fake_clock.h"
#include "support/fake_mem.h"
#include "support/fake_resolver.h"
#include "support/given_config.h"
#include "support/html_check.h"

enum { NOON = 1795262400, PAGE_MAX = 1 << 20 }; /* 2026-11-21, UTC */

struct world {
	struct loop *loop;
	struct resolver *resolver;
	struct counters counters;
	struct policy policy;
	struct screen screen;
	struct control_host host;
	struct control control;
	struct trend trend;
	struct page_facts facts;
	struct buf out;
};

static struct config_set *
config_of(const char *myhostname)
{
	const char *const words[] = {myhostname, "mynetworks=127.0.0.0/8",
	    "compatibility_level=3.6", NULL};

	return given_config(words);
}

static int
set_up(void **state)
{
	static struct world w;

	assert_int_equal(setenv("TZ", "UTC", 1), 0);
	tzset();
	fake_clock_reset();
	fake_resolver_reset();
	memset(&w, 0, sizeof(w));
	w.loop = loop_new();
	w.resolver = resolver_new(w.loop, NULL, NULL);
	w.policy = (struct policy){
	    .config = config_of("myhostname=mx.test"), .session_limit = 1200};
	w.screen = (struct screen){.loop = w.loop,
	    .counters = &w.counters,
	    .policy = &w.policy,
	    .quota = quota_new(),
	    .offenders = offenders_new(100, OFFENDERS_HALF_LIFE_MS)};
	TAILQ_INIT(&w.screen.sessions);
	w.host.since_mono = clock_mono();
	w.control = (struct control){
	    .loop = w.loop, .screen = &w.screen, .host = &w.host};
	w.facts = (struct page_facts){.control = &w.control,
	    .trend = &w.trend,
	    .trouble = span_str(""),
	    .now = {NOON}};
	buf_init(&w.out, PAGE_MAX);
	*state = &w;
	return w.loop == NULL || w.resolver == NULL || w.screen.quota == NULL ||
	       w.screen.offenders == NULL;
}

static int
tear_down(void **state)
{
	struct world *w = *state;

	buf_clear(&w->out);
	dnsbl_unref(&w->policy.dnsbl);
	table_free(&w->policy.reply_map);
	offenders_free(&w->screen.offenders);
	quota_free(&w->screen.quota);
	config_unref(&w->policy.config);
	resolver_free(&w->resolver);
	loop_free(&w->loop);
	return fake_mem_live() != 0;
}

static struct record_key
key_of(uint8_t last)
{
	const struct addr client = {
	    .family = ADDR_IPV4, .bytes = {192, 0, 2, last}};

	return record_key_of(&client, 32, 64);
}

static const char *
page_of(struct world *w)
{
	const char *text;

	buf_reset(&w->out);
	assert_int_equal(page_write(&w->facts, &w->out), 0);
	text = buf_str(&w->out);
	assert_non_null(text);
	html_check(text);
	html_check_lacks(text, "nan");
	return text;
}

#define HAS(text) html_check_has(page, text)
#define LACKS(text) html_check_lacks(page, text)

/* A card by its name: "NAME|big number|what is below". */
static void
check_card(
    const char *page, const char *name, const char *number, const char *more)
{
	char wanted[512];

	snprintf(wanted, sizeof(wanted),
	    "<div><dt>%s</dt><dd class=\"big\">%s</dd><dd class=\"more\">%s",
	    name, number, more);
	HAS(wanted);
}

/* --- the state --------------------------------------------------------------- */

static void
test_nothing_yet(void **state)
{
	const char *page = page_of(*state);

	HAS("<title>mx.test - doorbell</title>");
	HAS("<header><h1>mx.test <span>doorbell</span></h1>"
	    "<p class=\"pill\">All is well</p>"
	    "<p class=\"since\">Version " DOORBELL_VERSION
	    ", for 0 min. As of 12:00 UTC.</p></header>\n");
	LACKS("pill bad");
	LACKS("<ul class=\"alarm\">");
	check_card(page, "Came in the last hour", "0", "</dd>");
	check_card(page, "Half of the strangers wait", "-", "nobody yet</dd>");
	check_card(page, "smtpd answers half within", "-", "nobody yet</dd>");
	/* No lists, no table of them. */
	LACKS("id=\"lists\"");
	HAS("<tr><td colspan=\"7\">Nobody, of late.</td></tr>");
	/* What the script looks for, hidden until it is needed. */
	HAS("<p class=\"alarm\" id=\"lost\" role=\"alert\" hidden>");
	assert_int_equal(html_check_count(page, "<header>"), 1);
	assert_int_equal(html_check_count(page, "<main>"), 1);
	/* The policy of the page knows these by their hashes. */
	for (const char *const *p = page_look_style; *p != NULL; p++)
		HAS(*p);
	for (const char *const *p = page_look_script; *p != NULL; p++)
		HAS(*p);
	assert_int_equal(html_check_count(page, "<style"), 1);
	assert_int_equal(html_check_count(page, "<script"), 1);
}

static void
test_trouble(void **state)
{
	struct world *w = *state;
	const char *page;

	w->facts.trouble =
	    span_str("smtpd is gone\nno <DNS> list & \"more\"\n");
	page = page_of(w);
	HAS("<p class=\"pill bad\">In trouble</p>");
	HAS("<main><ul class=\"alarm\"><li>smtpd is gone</li>"
	    "<li>no &lt;DNS&gt; list &amp; &quot;more&quot;</li></ul>\n");
	LACKS("All is well");
	LACKS("Under stress");
	w->facts.trouble.n = 0;
	w->screen.stress = true;
	page = page_of(w);
	HAS("<p class=\"pill\">All is well</p>"
	    "<p class=\"pill bad\">Under stress</p>");
}

static void
test_for_how_long(void **state)
{
	static const struct {
		int64_t ms;
		const char *want;
	} cases[] = {
	    {59999, "for 0 min."},
	    {60000, "for 1 min."},
	    {3599999, "for 59 min."},
	    {3600000, "for 1 h 00 min."},
	    {INT64_C(47) * 3600000 + 59 * 60000, "for 47 h 59 min."},
	    {INT64_C(48) * 3600000, "for 2 days."},
	    {INT64_C(999) * 86400000, "for 999 days."},
	};
	struct world *w = *state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		w->host.since_mono.ms = clock_mono().ms - cases[i].ms;
		html_check_has(page_of(w), cases[i].want);
	}
}

static void
test_a_bad_name(void **state)
{
	struct world *w = *state;
	const char *page;

	config_unref(&w->policy.config);
	w->policy.config = config_of("myhostname=mx</title><script>&\".test");
	page = page_of(w);
	HAS("<title>mx&lt;/title&gt;&lt;script&gt;&amp;&quot;.test - doorbell");
	HAS("<h1>mx&lt;/title&gt;&lt;script&gt;&amp;&quot;.test <span>");
}

/* --- numbers ----------------------------------------------------------------- */

static void
test_sessions(void **state)
{
	static const struct {
		unsigned sessions;
		size_t limit;
		const char *width, *of;
	} cases[] = {
	    {0, 1200, "width=\"0\"", "of 1,200<"},
	    {3, 1200, "width=\"2\"", "of 1,200<"},
	    {3, 12, "width=\"250\"", "of 12<"},
	    {3, 4, "width=\"750\"", "of 4<"},
	    {3, 3, "width=\"1000\"", "of 3<"},
	    /* More than that, as the limit was lowered meanwhile. */
	    {3, 2, "width=\"1000\"", "of 2<"},
	    {3, 0, "width=\"1000\"", "of 0<"},
	};
	struct world *w = *state;
	struct record_key key = key_of(1);
	struct quota_client *client[3];
	char number[8], meter[128];
	const char *page;
	unsigned n = 0;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		for (; n < cases[i].sessions; n++) {
			client[n] = quota_enter(w->screen.quota, &key);
			assert_non_null(client[n]);
		}
		w->policy.session_limit = cases[i].limit;
		page = page_of(w);
		snprintf(number, sizeof(number), "%u", cases[i].sessions);
		check_card(
		    page, "Sessions now", number, "<svg class=\"meter\"");
		snprintf(meter, sizeof(meter),
		    "<rect class=\"c7\" %s height=\"10\"/></svg>%s",
		    cases[i].width, cases[i].of);
		HAS(meter);
	}
	while (n > 0)
		quota_leave(w->screen.quota, client[--n]);
}

static void
test_phases(void **state)
{
	static const uint8_t phases[] = {PHASE_PROXY, PHASE_ADMIT, PHASE_GREET,
	    PHASE_GREET, PHASE_DIALOGUE, PHASE_DIALOGUE, PHASE_HANDOFF,
	    PHASE_RELAY, PHASE_RELAY, PHASE_RELAY};
	enum { N = sizeof(phases) / sizeof(phases[0]) };
	static struct session s[N];
	struct world *w = *state;
	const char *page;

	for (size_t i = 0; i < N; i++) {
		s[i].phase = phases[i];
		TAILQ_INSERT_TAIL(&w->screen.sessions, &s[i], others);
	}
	w->screen.handoffs.in_flight = 1000;
	page = page_of(w);
	check_card(page, "Being tested", "4", "2 in a dialogue with us</dd>");
	check_card(
	    page, "With or on the way to smtpd", "1,004", "3 are relayed</dd>");
}

static void
test_last_hour(void **state)
{
	struct world *w = *state;
	struct trend_slot *slot;
	const char *page;

	slot = &w->trend.slot[trend_number(w->facts.now) % TREND_SLOTS];
	slot->number = trend_number(w->facts.now);
	slot->count[TREND_LET_IN] = 3000;
	slot->count[TREND_REFUSED] = 900;
	slot->count[TREND_HUNG_UP] = 100;
	/* 12 slots ago: more than an hour, but within the last three. */
	slot = &w->trend.slot[(trend_number(w->facts.now) - 12) % TREND_SLOTS];
	slot->number = trend_number(w->facts.now) - 12;
	slot->count[TREND_LET_IN] = 500;
	page = page_of(w);
	check_card(page, "Came in the last hour", "4,000",
	    "25.0 % brought no mail</dd>");
	HAS("The last three hours: 4,500 connections");
}

static void
test_waits(void **state)
{
	struct world *w = *state;
	struct histogram *strangers =
	    &w->counters.wait[HISTOGRAM_STRANGER_WAIT];
	struct histogram *smtpd = &w->counters.wait[HISTOGRAM_HANDOFF_WAIT];
	const char *page;

	for (int i = 0; i < 10; i++) {
		histogram_note(smtpd, i < 8 ? 2 : 999);
		histogram_note(strangers, i < 8 ? 6000 : 90000);
	}
	page = page_of(w);
	check_card(page, "Half of the strangers wait", "10 s",
	    "one in ten more than 1 min</dd>");
	check_card(page, "smtpd answers half within", "2 ms",
	    "one in ten more than 1 s</dd>");
	/* Longer than anybody has thought of. */
	for (int i = 0; i < 30; i++)
		histogram_note(strangers, INT64_C(86400000));
	page = page_of(w);
	check_card(page, "Half of the strangers wait", "over 3 min",
	    "one in ten more than 3 min</dd>");
}

/* --- tables ------------------------------------------------------------------ */

static struct dnsbl_health *
list_of(struct world *w, size_t i)
{
	struct dnsbl_health *h = dnsbl_zone_record(w->policy.dnsbl, i);

	assert_non_null(h);
	return h;
}

static void
open_lists(struct world *w, const char *sites)
{
	const struct dnsbl_options o = {
	    .sites = span_str(sites), .timeout_ms = 10000};
	struct errtext why;

	w->policy.dnsbl = dnsbl_new(w->loop, w->resolver, &o, &why);
	if (w->policy.dnsbl == NULL)
		fail_msg("%s", why.text);
}

static void
test_lists(void **state)
{
	struct world *w = *state;
	struct dnsbl_health *h;
	const char *page;

	open_lists(
	    w, "never.test, busy.test*2, tired.test, wild.test, slow.test");
	h = list_of(w, 1);
	h->queries = 12345;
	h->listed = 200;
	h->only = 30;
	h->timeouts = 4;
	h->failures = 5;
	h->latency[4] = 98;
	h->latency[10] = 2;
	list_of(w, 2)->state = DNSBL_RESTS;
	list_of(w, 3)->state = DNSBL_OUT_WILD;
	list_of(w, 4)->latency[DNSBL_LATENCY_BUCKETS - 1] = 1;
	page = page_of(w);
	HAS("<h2 id=\"lists\">DNS lists</h2>");
	HAS("<tr><th scope=\"row\">never.test</th><td class=\"good\">used</td>"
	    "<td class=\"zero\">0</td><td class=\"zero\">0</td>"
	    "<td class=\"zero\">0</td><td class=\"zero\">0</td>"
	    "<td>-</td><td>-</td></tr>\n");
	HAS("<tr><th scope=\"row\">busy.test</th><td class=\"good\">used</td>"
	    "<td>12,345</td><td>200</td><td>30</td><td>9</td>"
	    "<td>20 ms</td><td>2 s</td></tr>\n");
	HAS("tired.test</th><td class=\"bad\">resting</td>");
	HAS("wild.test</th><td class=\"bad\">out</td>");
	HAS("<td>more</td><td>more</td></tr>\n");
}

/* The name that the world may see; a secret key in the other stays one. */
static void
test_names_of_lists(void **state)
{
	struct world *w = *state;
	const struct table_options o = {0};
	struct errtext why;
	const char *page;

	open_lists(w, "s3cret.list.test, open.test");
	w->policy.reply_map = table_open(
	    span_str("inline:{s3cret.list.test=<b>list</b>&co}"), &o, &why);
	if (w->policy.reply_map == NULL)
		fail_msg("%s", why.text);
	page = page_of(w);
	LACKS("s3cret");
	HAS("<th scope=\"row\">&lt;b&gt;list&lt;/b&gt;&amp;co</th>");
	HAS("<th scope=\"row\">open.test</th>");
}

static void
test_worst(void **state)
{
	struct world *w = *state;
	struct record_key key;
	const char *page, *first, *second;

	for (uint8_t i = 1; i <= 20; i++) {
		key = key_of(i);
		for (unsigned k = 0; k < i; k++)
			offenders_note(w->screen.offenders, &key,
			    k == 0 ? OFFENCE_HANGUP : OFFENCE_LISTED,
			    clock_mono());
	}
	page = page_of(w);
	first = strstr(page, "<tr><th scope=\"row\">192.0.2.20</th>"
			     "<td class=\"zero\">0</td><td>19</td>"
			     "<td class=\"zero\">0</td>"
			     "<td class=\"zero\">0</td>"
			     "<td class=\"zero\">0</td><td>1</td></tr>\n");
	second = strstr(page, "<tr><th scope=\"row\">192.0.2.19</th>");
	assert_non_null(first);
	assert_true(second > first);
	HAS(">192.0.2.9<");
	/* A dozen of them will do. */
	LACKS(">192.0.2.8<");
	LACKS("Nobody, of late.");
}

/* --- when not all of it can be there ---------------------------------------- */

/* A piece that is missing is told, whatever has fitted behind it. */
static void
test_no_room(void **state)
{
	struct world *w = *state;
	size_t whole = strlen(page_of(w)), max;
	struct buf small;

	for (max = 0; max <= whole; max += max + 600 < whole ? 499 : 1) {
		buf_init(&small, max);
		errno = 0;
		if (page_write(&w->facts, &small) != (max < whole ? -1 : 0))
			fail_msg("%zu bytes of %zu", max, whole);
		assert_int_equal(errno, max < whole ? EMSGSIZE : 0);
		buf_clear(&small);
	}
}

/* Each allocation fails once, and then each with all that follow. */
static void
test_no_memory(void **state)
{
	struct world *w = *state;
	size_t whole = strlen(page_of(w));
	struct buf out;
	unsigned n;
	int rc;

	for (int for_good = 0; for_good <= 1; for_good++)
		for (n = 1, rc = -1; rc < 0; n++) {
			buf_init(&out, PAGE_MAX);
			fake_mem_fault = (struct fake_fault){
			    .armed = true, .lasting = for_good, .at = n};
			rc = page_write(&w->facts, &out);
			fake_mem_fault = (struct fake_fault){0};
			if (rc == 0)
				assert_int_equal(out.n, whole);
			buf_clear(&out);
			assert_true(n < 100);
		}
}

int
main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)
	const struct CMUnitTest tests[] = {
	    TEST(test_nothing_yet),
	    TEST(test_trouble),
	    TEST(test_for_how_long),
	    TEST(test_a_bad_name),
	    TEST(test_sessions),
	    TEST(test_phases),
	    TEST(test_last_hour),
	    TEST(test_waits),
	    TEST(test_lists),
	    TEST(test_names_of_lists),
	    TEST(test_worst),
	    TEST(test_no_room),
	    TEST(test_no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
