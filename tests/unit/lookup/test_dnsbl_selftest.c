/* SPDX-License-Identifier: ISC */
/* links: fake_clock fake_loop fake_resolver fake_mem */
#include "lookup/dnsbl_selftest.h"

#include <stdarg.h>
#include <setjmp.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "lookup/dnsbl.h"
#include "support/fake_clock.h"
#include "support/fake_loop.h"
#include "support/fake_mem.h"
#include "support/fake_resolver.h"

enum { HOUR_MS = 3600000, QUESTIONS = 4 };
#define ENTRY_IPV6 \
	"2.0.0.0.0.0.f.7.f.f.f.f.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0"

static struct loop *loop;
static struct resolver *resolver;
static struct dnsbl *bl;
static enum dnsbl_news last_news;
static unsigned news_count;
static char last_about[ADDR_TEXT_MAX], last_as[ADDR_TEXT_MAX];

static void
on_news(const char *zone, enum dnsbl_news news, const struct addr *about,
    const struct addr *as, void *arg)
{
	(void)zone;
	(void)arg;
	news_count++;
	last_news = news;
	addr_format(about, last_about);
	if (as->family != ADDR_NONE)
		addr_format(as, last_as);
}

static void
begin(const char *sites, int64_t interval_ms)
{
	struct dnsbl_options o = {.sites = span_str(sites),
	    .timeout_ms = 1000,
	    .observer = {.news = on_news}};
	struct errtext why;

	bl = dnsbl_new(loop, resolver, &o, &why);
	assert_non_null(bl);
	dnsbl_watch(bl, interval_ms);
}

static void
pass_ms(int64_t ms)
{
	fake_loop_advance_to(loop, mono_after(clock_mono(), ms));
}

/* The question about the address where nobody is. */
static const char *
canary(void)
{
	unsigned a;

	for (size_t i = 0; fake_resolver_name(i) != NULL; i++)
		if (sscanf(fake_resolver_name(i), "%*u.%*u.%*u.%u.", &a) == 1 &&
		    a >= 240)
			return fake_resolver_name(i);
	fail_msg("no canary");
	return NULL;
}

/* NULL: absent; "?": no answer */
static void
answer(const char *name, const char *as)
{
	size_t answered;

	if (as == NULL)
		answered = fake_resolver_absent(name, 60);
	else if (as[0] == '?')
		answered = fake_resolver_fail(name, "server failure");
	else
		answered = fake_resolver_found(name, as, 60);
	assert_int_equal(answered, 1);
}

static void
take_exam(const char *canary_as, const char *self_as, const char *entry_as,
    const char *entry6_as)
{
	answer(canary(), canary_as);
	answer("1.0.0.127.bl.test", self_as);
	answer("2.0.0.127.bl.test", entry_as);
	answer(ENTRY_IPV6 ".bl.test", entry6_as);
	assert_int_equal(fake_resolver_pending(), 0);
}

/* What a list answers, and what is made of it. */
static const struct {
	const char *name, *sites;
	const char *canary, *self, *entry, *entry6;
	enum dnsbl_news news;
	const char *as;
} exams[] = {
    {"good", "bl.test", NULL, NULL, "127.0.0.2", NULL, DNSBL_NEWS_NONE, ""},
    {"good, IPv6", "bl.test", NULL, NULL, NULL, "127.0.0.2", DNSBL_NEWS_NONE,
	""},
    {"no entry", "bl.test", NULL, NULL, NULL, NULL, DNSBL_NEWS_NO_ENTRY, ""},
    {"an entry of error codes", "bl.test", NULL, NULL, "127.255.255.254", NULL,
	DNSBL_NEWS_NO_ENTRY, ""},
    {"an entry no filter takes", "bl.test=127.0.0.9", NULL, NULL, "127.0.0.2",
	NULL, DNSBL_NEWS_NONE, ""},
    {"half an entry unanswered", "bl.test", NULL, NULL, NULL, "?",
	DNSBL_NEWS_NONE, ""},
    {"wild", "bl.test", "127.0.0.2", NULL, NULL, NULL, DNSBL_NEWS_WILD,
	"127.0.0.2"},
    {"wild, sold", "bl.test", "203.0.113.7", "203.0.113.7", "203.0.113.7",
	"203.0.113.7", DNSBL_NEWS_WILD, "203.0.113.7"},
    {"wild, sold, filtered", "bl.test=127.0.0.2", "203.0.113.7", NULL, NULL,
	NULL, DNSBL_NEWS_WILD, "203.0.113.7"},
    {"wild, but no filter takes it", "bl.test=127.0.0.3", "127.0.0.2", NULL,
	"127.0.0.2", NULL, DNSBL_NEWS_NONE, ""},
    {"wild, and watched", "bl.test*0", "127.0.0.2", NULL, NULL, NULL,
	DNSBL_NEWS_WILD, "127.0.0.2"},
    {"wild with 127.0.0.1, which a filter names", "bl.test=127.0.0.1",
	"127.0.0.1", NULL, "127.0.0.1", NULL, DNSBL_NEWS_WILD, "127.0.0.1"},
    {"itself", "bl.test", NULL, "127.0.0.2", "127.0.0.2", NULL, DNSBL_NEWS_SELF,
	"127.0.0.2"},
    {"itself, as 127.0.0.1", "bl.test", NULL, "127.0.0.1", "127.0.0.2", NULL,
	DNSBL_NEWS_SELF, "127.0.0.1"},
    {"itself, as 127.0.0.1, which a filter names", "bl.test=127.0.0.1", NULL,
	"127.0.0.1", "127.0.0.2", NULL, DNSBL_NEWS_NONE, ""},
    {"itself, in another list of the site", "bl.test=127.0.0.1 bl.test*3", NULL,
	"127.0.0.2", "127.0.0.2", NULL, DNSBL_NEWS_SELF, "127.0.0.2"},
    {"silence", "bl.test", "?", "?", "?", "?", DNSBL_NEWS_NONE, ""},
};

static int setup(void **state);
static int teardown(void **state);

static void
test_exams(void **state)
{
	for (size_t i = 0; i < sizeof(exams) / sizeof(*exams); i++) {
		teardown(state);
		setup(state);
		begin(exams[i].sites, HOUR_MS);
		take_exam(exams[i].canary, exams[i].self, exams[i].entry,
		    exams[i].entry6);
		if (last_news != exams[i].news ||
		    (exams[i].as[0] != '\0' &&
			strcmp(last_as, exams[i].as) != 0))
			fail_msg("%s: news %d as %s", exams[i].name, last_news,
			    last_as);
	}
}

static void
test_a_new_canary_each_time(void **state)
{
	char first[256];

	(void)state;
	begin("bl.test", HOUR_MS);
	snprintf(first, sizeof(first), "%s", canary());
	take_exam(NULL, NULL, "127.0.0.2", NULL);
	pass_ms(HOUR_MS);
	assert_string_not_equal(first, canary());
	assert_int_equal(news_count, 0);
}

static void
test_every_hour_and_sooner_when_out(void **state)
{
	(void)state;
	begin("bl.test", HOUR_MS);
	assert_int_equal(fake_resolver_pending(), QUESTIONS);
	take_exam(NULL, NULL, "127.0.0.2", NULL);
	pass_ms(HOUR_MS - 1);
	assert_int_equal(fake_resolver_pending(), 0);
	pass_ms(1);
	take_exam("127.0.0.2", NULL, "127.0.0.2", NULL);
	assert_int_equal(last_news, DNSBL_NEWS_WILD);
	assert_string_equal(dnsbl_health_word(dnsbl_zone_health(bl, 0)), "out");
	pass_ms(DNSBL_RETEST_MS);
	take_exam(NULL, NULL, "127.0.0.2", NULL);
	assert_int_equal(last_news, DNSBL_NEWS_BACK);
	pass_ms(HOUR_MS - 1);
	assert_int_equal(fake_resolver_pending(), 0);
	pass_ms(1);
	assert_int_equal(fake_resolver_pending(), QUESTIONS);
}

static void
test_a_short_interval_is_kept_when_out(void **state)
{
	(void)state;
	begin("bl.test", 60000);
	take_exam("127.0.0.2", NULL, NULL, NULL);
	pass_ms(60000);
	assert_int_equal(fake_resolver_pending(), QUESTIONS);
}

static void
test_an_open_exam_is_not_begun_again(void **state)
{
	(void)state;
	begin("bl.test", HOUR_MS);
	answer(canary(), NULL);
	pass_ms(3 * HOUR_MS);
	assert_int_equal(fake_resolver_pending(), QUESTIONS - 1);
	answer("1.0.0.127.bl.test", NULL);
	answer("2.0.0.127.bl.test", NULL);
	answer(ENTRY_IPV6 ".bl.test", NULL);
	assert_int_equal(last_news, DNSBL_NEWS_NO_ENTRY);
	pass_ms(HOUR_MS);
	assert_int_equal(fake_resolver_pending(), QUESTIONS);
}

static void
test_stopped_tests_leave_nothing(void **state)
{
	(void)state;
	begin("bl.test b.test", HOUR_MS);
	assert_int_equal(fake_resolver_pending(), 2 * QUESTIONS);
	dnsbl_watch(bl, 0);
	assert_int_equal(fake_resolver_pending(), 0);
	pass_ms(5 * (int64_t)HOUR_MS);
	assert_int_equal(fake_resolver_pending(), 0);
	dnsbl_watch(bl, HOUR_MS);
	dnsbl_watch(bl, HOUR_MS);
	assert_int_equal(fake_resolver_pending(), 2 * QUESTIONS);
}

static int
setup(void **state)
{
	(void)state;
	fake_clock_reset();
	fake_resolver_reset();
	last_news = DNSBL_NEWS_NONE;
	news_count = 0;
	last_as[0] = '\0';
	loop = loop_new();
	resolver = resolver_new(loop, NULL, NULL);
	return loop == NULL || resolver == NULL;
}

static int
teardown(void **state)
{
	(void)state;
	dnsbl_unref(&bl);
	assert_int_equal(fake_resolver_pending(), 0);
	assert_int_equal(fake_loop_timers(loop), 0);
	resolver_free(&resolver);
	loop_free(&loop);
	return fake_mem_live() != 0;
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_exams),
	    TEST(test_a_new_canary_each_time),
	    TEST(test_every_hour_and_sooner_when_out),
	    TEST(test_a_short_interval_is_kept_when_out),
	    TEST(test_an_open_exam_is_not_begun_again),
	    TEST(test_stopped_tests_leave_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
