/* SPDX-License-Identifier: ISC */
/* links: stage fake_clock fake_loop fake_resolver fake_cache given_addr */
#include "screen/policy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "net/fdpass.h"
#include "smtp/keywords.h"
#include "support/fake_clock.h"
#include "support/fake_loop.h"
#include "support/fake_resolver.h"
#include "support/given_addr.h"
#include "support/stage.h"

/* Its tables are looked at in test_policy_tables.c, its TLS in
 * test_encryption.c. */

static struct stage stage;
static const char *const nothing[] = {NULL};

static int
set_up(void **state)
{
	(void)state;
	stage_open(&stage, nothing);
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	stage_close(&stage);
	return 0;
}

/* From up to three settings. */
static struct policy *
policy_of(const char *a, const char *b, const char *c)
{
	const char *const settings[] = {a, b, c, NULL};

	return stage_policy(&stage, settings);
}

/* --- what cannot be ---------------------------------------------------------- */
static const struct {
	const char *setting, *want;
} faults[] = {
    {"inet_protocols=", "inet_protocols is empty"},
    {"inet_protocols=ipv4 ipx",
	"inet_protocols = ipv4 ipx: all, ipv4 or ipv6 expected"},
    {"doorbell_log_events=all, !moon", "doorbell_log_events: "},
    {"doorbell_dnsbl_sites=a.test*x", "doorbell_dnsbl_sites: "},
    {"doorbell_smtpd_service=/a/very/long/name/of/a/socket/that/nobody/would/"
     "ever/type/without/being/forced/to/do/so/by/somebody/with/a/grudge",
	"doorbell_smtpd_service: /a/very/long/name/"},
};

static void
test_faults(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(faults) / sizeof(*faults); i++)
		stage_refuses(&stage, faults[i].setting, faults[i].want);
}

/* --- how many ------------------------------------------------------------------ */
static const struct {
	const char *name, *setting, *other;
	size_t descriptors, limit, ceiling;
} limits[] = {
    {"all there are", "doorbell_post_queue_limit=100",
	"doorbell_session_limit=0", 20000, 20000 - 256 - 200,
	20000 - 128 - 100},
    {"less", "doorbell_post_queue_limit=100", "doorbell_session_limit=7", 20000,
	7, 20000 - 128 - 100},
    {"more than can be", "doorbell_post_queue_limit=100",
	"doorbell_session_limit=50000", 20000, 20000 - 128 - 100,
	20000 - 128 - 100},
    {"hardly any", "doorbell_post_queue_limit=100", "doorbell_session_limit=0",
	80, 80 - 40 - 20, 80 - 20 - 10},
    {"one", "doorbell_post_queue_limit=100", "doorbell_session_limit=0", 1, 1,
	1},
    {"an endless queue", "doorbell_post_queue_limit=999999999",
	"doorbell_session_limit=0", 1024, 1024 - 256 - 256, 1024 - 128 - 128},
};

static void
test_limits(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(limits) / sizeof(*limits); i++) {
		struct policy *p =
		    policy_of(limits[i].setting, limits[i].other, NULL);

		p->descriptor_limit = limits[i].descriptors;
		policy_set_stress(p, false);
		if (p->session_limit != limits[i].limit ||
		    p->session_ceiling != limits[i].ceiling)
			fail_msg("%s: %zu of %zu", limits[i].name,
			    p->session_limit, p->session_ceiling);
		policy_unref(&p);
	}
}

static void
test_limits_under_stress(void **state)
{
	struct policy *p = policy_of(
	    "doorbell_session_limit=${stress?{300}:{100}}", NULL, NULL);

	(void)state;
	assert_int_equal(p->session_limit, 100);
	policy_set_stress(p, true);
	assert_int_equal(p->session_limit, 300);
	policy_set_stress(p, false);
	assert_int_equal(p->session_limit, 100);
	policy_unref(&p);
}

/* --- texts ---------------------------------------------------------------------- */
static const struct {
	const char *service, *queue, *want;
} services[] = {
    {"doorbell_smtpd_service=private/smtpd", "queue_directory=/q",
	"private/smtpd"},
    {"doorbell_smtpd_service=/q/private/smtpd", "queue_directory=/q",
	"private/smtpd"},
    {"doorbell_smtpd_service=/q/private/smtpd", "queue_directory=/q/",
	"private/smtpd"},
    {"doorbell_smtpd_service=/q2/smtpd", "queue_directory=/q", "/q2/smtpd"},
    {"doorbell_smtpd_service=/elsewhere/smtpd", "queue_directory=/q",
	"/elsewhere/smtpd"},
    {"doorbell_smtpd_service=/q", "queue_directory=/q", "/q"},
};

static void
test_service(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(services) / sizeof(*services); i++) {
		struct policy *p =
		    policy_of(services[i].service, services[i].queue, NULL);

		if (strcmp(p->smtpd_path, services[i].want) != 0)
			fail_msg("%s, %s: %s", services[i].service,
			    services[i].queue, p->smtpd_path);
		policy_unref(&p);
	}
}

static void
test_teaser(void **state)
{
	struct policy *p = policy_of(
	    "doorbell_greet_banner=$myhostname ${stress?{busy}:{welcomes}} you",
	    NULL, NULL);

	(void)state;
	assert_string_equal(p->teaser[false], "220-mx.test welcomes you\r\n");
	assert_string_equal(p->teaser[true], "220-mx.test busy you\r\n");
	policy_unref(&p);
	p = policy_of("doorbell_greet_banner=", NULL, NULL);
	assert_null(p->teaser[false]);
	assert_null(p->teaser[true]);
	policy_unref(&p);
	p = policy_of("doorbell_greet_banner=${stress?{}:{calm}}", NULL, NULL);
	assert_string_equal(p->teaser[false], "220-calm\r\n");
	assert_null(p->teaser[true]);
	policy_unref(&p);
}

/* --- who ------------------------------------------------------------------------- */
static const struct {
	const char *setting;
	bool ipv4, ipv6;
} families[] = {
    {"inet_protocols=all", true, true},
    {"inet_protocols=ipv4", true, false},
    {"inet_protocols=ipv6", false, true},
    {"inet_protocols=ipv4, ipv6", true, true},
    {"inet_protocols=ipv4 ipv4", true, false},
};

static void
test_families(void **state)
{
	const struct addr ipv4 = given_addr("192.0.2.1");
	const struct addr ipv6 = given_addr("2001:db8::1");

	(void)state;
	for (size_t i = 0; i < sizeof(families) / sizeof(*families); i++) {
		struct policy *p = policy_of(families[i].setting, NULL, NULL);

		if (policy_speaks(p, &ipv4) != families[i].ipv4 ||
		    policy_speaks(p, &ipv6) != families[i].ipv6)
			fail_msg("%s", families[i].setting);
		policy_unref(&p);
	}
}

static void
test_proxies(void **state)
{
	static const char networks[] = "doorbell_proxy_networks=192.0.2.1";
	static const char protocol[] =
	    "doorbell_upstream_proxy_protocol=haproxy";
	const struct addr a = given_addr("192.0.2.1"),
			  b = given_addr("192.0.2.2");
	struct policy *p = policy_of(protocol, NULL, NULL);

	(void)state;
	assert_true(policy_has_proxy(p, &a) && policy_has_proxy(p, &b));
	policy_unref(&p);
	p = policy_of(protocol, networks, NULL);
	assert_true(policy_has_proxy(p, &a));
	assert_false(policy_has_proxy(p, &b));
	policy_unref(&p);
	p = policy_of(networks, NULL, NULL);
	assert_false(policy_has_proxy(p, &a));
	policy_unref(&p);
}

/* --- what EHLO says -------------------------------------------------------------- */
static const struct {
	const char *setting, *other;
	bool tls;
} guesses[] = {
    {"smtpd_tls_security_level=", NULL, false},
    {"smtpd_tls_security_level=none", "smtpd_use_tls=yes", false},
    {"smtpd_tls_security_level=may", NULL, true},
    {"smtpd_tls_security_level=encrypt", NULL, true},
    {"smtpd_tls_security_level=verify", NULL, true},
    {"smtpd_use_tls=yes", NULL, true},
    {"smtpd_enforce_tls=yes", NULL, true},
    {"smtpd_use_tls=no", "smtpd_enforce_tls=no", false},
};

static void
test_guesses(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(guesses) / sizeof(*guesses); i++) {
		struct policy *p = policy_of("message_size_limit=1234",
		    guesses[i].setting, guesses[i].other);

		if (strcmp(policy_keywords(p),
			guesses[i].tls ? "SIZE 1234\nSTARTTLS\n8BITMIME\n"
					 "ENHANCEDSTATUSCODES\nDSN"
				       : "SIZE 1234\n8BITMIME\n"
					 "ENHANCEDSTATUSCODES\nDSN") != 0)
			fail_msg(
			    "%s: %s", guesses[i].setting, policy_keywords(p));
		policy_unref(&p);
	}
}

static void
learn(struct policy *p, const char *client, const char *response)
{
	const struct addr a = given_addr(client);

	policy_learn_keywords(p, &a, span_str(response));
}

static void
test_learned(void **state)
{
	struct policy *p = policy_of("doorbell_discard_ehlo_keyword_address_"
				     "maps=cidr:{{192.0.2.9 dsn}}",
	    "message_size_limit=${stress?{1}:{1234}}", NULL);

	(void)state;
	/* From whom something is concealed nothing is learned. */
	learn(p, "192.0.2.9", "250-mx.test\r\n250 SIZE 1\r\n");
	assert_non_null(strstr(policy_keywords(p), "SIZE 1234\n"));
	learn(p, "192.0.2.1",
	    "250-mx.test\r\n250-PIPELINING\r\n250-SIZE 99\r\n250-\r\n"
	    "250-XCLIENT NAME ADDR\r\n250-xforward NAME\r\n250-PIPELININGS\r\n"
	    "250-AUTH PLAIN LOGIN\r\n250 CHUNKING\r\n");
	assert_string_equal(policy_keywords(p),
	    "SIZE 99\nPIPELININGS\nAUTH PLAIN LOGIN\nCHUNKING");
	/* The first one is enough, and better than any guess. */
	learn(p, "192.0.2.2", "250-mx.test\r\n250 SIZE 1\r\n");
	policy_set_stress(p, true);
	assert_non_null(strstr(policy_keywords(p), "SIZE 99\n"));
	policy_unref(&p);
}

static void
test_nothing_learned(void **state)
{
	static char large[16384];
	size_t n;

	(void)state;
	/* A server that knows HELO alone. */
	learn(stage.policy, "192.0.2.1", "250 mx.test\r\n");
	assert_string_equal(policy_keywords(stage.policy), "");
	/* No more than an EHLO should be. */
	stage.policy->knows_keywords = false;
	n = (size_t)snprintf(
	    large, sizeof(large), "250-mx.test\r\n250-DSN\r\n250-X");
	memset(large + n, 'X', 8192);
	(void)snprintf(
	    large + n + 8192, sizeof(large) - n - 8192, "\r\n250 CHUNKING\r\n");
	learn(stage.policy, "192.0.2.1", large);
	assert_string_equal(policy_keywords(stage.policy), "DSN\nCHUNKING");
}

static void
test_discards(void **state)
{
	const unsigned dsn = KEYWORD_BIT(KEYWORD_DSN);
	const unsigned vrfy = KEYWORD_BIT(KEYWORD_VRFY);
	const struct addr all = given_addr("192.0.2.1"),
			  silent = given_addr("192.0.2.2"),
			  same = given_addr("192.0.2.3"),
			  none = given_addr("192.0.2.4"),
			  other = given_addr("192.0.2.5");
	struct policy *p =
	    policy_of("doorbell_discard_ehlo_keyword_address_maps=cidr:{"
		      "{192.0.2.1 dsn, vrfy} {192.0.2.2 vrfy, silent-discard} "
		      "{192.0.2.3 DSN} {192.0.2.4 ,}}",
		"doorbell_discard_ehlo_keywords=dsn", NULL);
	unsigned mask;

	(void)state;
	assert_int_equal(p->engine[false].discard, dsn);
	assert_int_equal(p->engine[true].discard, dsn);
	mask = dsn;
	assert_true(policy_discards(p, &all, &mask));
	assert_int_equal(mask, dsn | vrfy);
	mask = dsn;
	assert_false(policy_discards(p, &silent, &mask));
	assert_int_equal(mask, vrfy);
	mask = dsn;
	assert_false(policy_discards(p, &same, &mask));
	assert_int_equal(mask, dsn);
	mask = dsn;
	assert_true(policy_discards(p, &none, &mask));
	assert_int_equal(mask, 0);
	mask = dsn;
	assert_false(policy_discards(p, &other, &mask));
	assert_int_equal(mask, dsn);
	policy_unref(&p);
}

/* --- the rest --------------------------------------------------------------------- */
static void
test_zone_names(void **state)
{
	struct policy *p = policy_of(
	    "doorbell_dnsbl_reply_map=inline:{k3y.a.test=a.test}", NULL, NULL);

	(void)state;
	assert_string_equal(policy_zone_name(p, "k3y.a.test"), "a.test");
	assert_string_equal(policy_zone_name(p, "b.test"), "b.test");
	assert_string_equal(
	    policy_zone_name(stage.policy, "k3y.a.test"), "k3y.a.test");
	policy_unref(&p);
}

static void
test_numbers(void **state)
{
	struct policy *p = policy_of("line_length_limit=${stress?{600}:{1000}}",
	    "doorbell_command_count_limit=${stress?{3}:{99}}",
	    "doorbell_log_events=!connect");

	(void)state;
	assert_int_equal(p->line_max[false], 1000);
	assert_int_equal(p->line_max[true], 600);
	assert_int_equal(p->line_room, 1000);
	assert_int_equal(p->engine[false].command_limit, 99);
	assert_int_equal(p->engine[true].command_limit, 3);
	assert_true(p->quiet[EVENT_CONNECT]);
	assert_false(p->quiet[EVENT_PASS_NEW]);
	policy_unref(&p);
}

/* The old words are those of old configurations, which nobody has chosen. */
static void
test_old_words(void **state)
{
	static const struct {
		const char *level, *logging;
		bool by_default;
	} cases[] = {
	    {"compatibility_level=3.6", NULL, false},
	    {"compatibility_level=3.5", NULL, true},
	    {"compatibility_level=3.5", "respectful_logging=no", false},
	    {"compatibility_level=3.6", "respectful_logging=no", false},
	    {"compatibility_level=3.5", "respectful_logging=yes", false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct policy *p =
		    policy_of(cases[i].level, cases[i].logging, NULL);

		if (p->words_by_default != cases[i].by_default)
			fail_msg("%s %s", cases[i].level,
			    cases[i].logging == NULL ? "" : cases[i].logging);
		policy_unref(&p);
	}
}

/* A resolver is there for lists, and for servers whose addresses may be wrong. */
static void
test_resolver(void **state)
{
	struct errtext why;
	struct policy *p;

	(void)state;
	assert_null(stage.policy->resolver);
	assert_null(stage.policy->dnsbl);
	assert_int_equal(policy_after_fork(stage.policy, &why), 0);
	assert_int_equal(fake_resolver_forks(), 0);
	p = policy_of("doorbell_dns_servers=127.0.0.1", NULL, NULL);
	assert_non_null(p->resolver);
	assert_null(p->dnsbl);
	policy_enter(p, false);
	policy_leave(p);
	policy_unref(&p);
	p = policy_of("doorbell_dnsbl_sites=a.test", NULL, NULL);
	assert_non_null(p->dnsbl);
	assert_int_equal(policy_after_fork(p, &why), 0);
	assert_int_equal(fake_resolver_forks(), 1);
	policy_unref(&p);
}

static void
turn(int64_t ms)
{
	fake_loop_advance_to(stage.loop, mono_after(clock_mono(), ms));
	fake_loop_settle(stage.loop);
}

static size_t
answered(void)
{
	size_t n = 0;

	for (; fake_resolver_pending() > 0; n++)
		(void)fake_resolver_answer_first(RESOLVER_ABSENT);
	return n;
}

/* Only who is in force asks, at the pace of the time. */
static void
test_self_tests(void **state)
{
	struct policy *p = policy_of("doorbell_dnsbl_sites=a.test",
	    "doorbell_dnsbl_selftest_interval=${stress?{0}:{1h}}", NULL);
	struct errtext why;

	(void)state;
	turn(0);
	assert_int_equal(answered(), 0);
	policy_enter(p, false);
	turn(60000);
	assert_true(answered() > 0);
	/* Nothing new. */
	policy_set_stress(p, false);
	turn(60000);
	assert_int_equal(answered(), 0);
	turn(7200000);
	assert_true(answered() > 0);
	policy_set_stress(p, true);
	turn(7200000);
	assert_int_equal(answered(), 0);
	policy_set_stress(p, false);
	turn(60000);
	assert_true(answered() > 0);
	assert_int_equal(policy_after_fork(p, &why), 0);
	policy_set_stress(p, true);
	policy_set_stress(p, false);
	turn(7200000);
	assert_int_equal(answered(), 0);
	policy_unref(&p);
	assert_int_equal(fake_loop_timers(stage.loop), 0);
}

static void
on_score(struct dnsbl_ticket *ticket, const struct dnsbl_score *score)
{
	(void)ticket;
	assert_true(score->complete);
}

/* How long lists are waited for follows the stress, too. */
static void
test_timeout(void **state)
{
	struct policy *p = policy_of("doorbell_dnsbl_sites=a.test",
	    "doorbell_dnsbl_timeout=${stress?{2s}:{8s}}", NULL);
	const struct addr client = given_addr("192.0.2.1");

	(void)state;
	for (int i = 0; i < 3; i++) {
		struct dnsbl_ticket ticket = {.fn = NULL};
		int64_t ms = i == 1 ? 2000 : 8000;
		bool joined;

		policy_set_stress(p, i == 1);
		assert_int_equal(
		    dnsbl_start(p->dnsbl, &client, &ticket, on_score, &joined),
		    0);
		turn(ms - 1);
		assert_non_null(ticket.round);
		turn(1);
		assert_null(ticket.round);
	}
	policy_unref(&p);
}

static void
test_references(void **state)
{
	struct policy *p = policy_of(NULL, NULL, NULL), *again, *none = NULL;

	(void)state;
	again = policy_ref(p);
	assert_ptr_equal(again, p);
	policy_unref(&p);
	assert_null(p);
	assert_int_equal(again->refs, 1);
	policy_unref(&again);
	policy_unref(&none);
}

int
main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
	    TEST(test_faults),
	    TEST(test_limits),
	    TEST(test_limits_under_stress),
	    TEST(test_service),
	    TEST(test_teaser),
	    TEST(test_families),
	    TEST(test_proxies),
	    TEST(test_guesses),
	    TEST(test_learned),
	    TEST(test_nothing_learned),
	    TEST(test_discards),
	    TEST(test_zone_names),
	    TEST(test_numbers),
	    TEST(test_old_words),
	    TEST(test_resolver),
	    TEST(test_self_tests),
	    TEST(test_timeout),
	    TEST(test_references),
	};

	return cmocka_run_group_tests_name("screen/policy", tests, NULL, NULL);
}
