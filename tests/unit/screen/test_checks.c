/* SPDX-License-Identifier: ISC */
/* clang-format off */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
/* clang-format on */

#include "screen/checks.h"

#include <string.h>

static const struct wall now = {1000000};

static struct config
config_with(const char *banner, const char *sites)
{
	struct config cfg;

	memset(&cfg, 0, sizeof(cfg));
	cfg.greet_banner = banner;
	cfg.dnsbl_sites = sites;
	cfg.greet_action = ACTION_ENFORCE;
	cfg.dnsbl_action = ACTION_DROP;
	cfg.greet_ttl = 86400 * 1000;
	return cfg;
}

static void
test_what_is_due(void **state)
{
	static const struct {
		const char *name, *banner, *sites;
		int64_t pregreet, dnsbl; /* expiries found; -1: no record */
		enum check_state want_pregreet, want_dnsbl;
		bool is_new;
	} cases[] = {
	    {"stranger", "x", "bl", -1, -1, CHECK_PENDING, CHECK_PENDING, true},
	    {"all off", "", "", -1, -1, CHECK_OFF, CHECK_OFF, false},
	    {"one off", "x", "", -1, -1, CHECK_PENDING, CHECK_OFF, true},
	    {"all valid", "x", "bl", 1000001, 2000000, CHECK_OFF, CHECK_OFF,
		false},
	    {"expires now", "x", "bl", 1000000, 1000001, CHECK_PENDING,
		CHECK_OFF, false},
	    {"was off, is on", "x", "bl", 2000000, RECORD_OFF, CHECK_OFF,
		CHECK_PENDING, false},
	    {"never passed", "x", "bl", 2000000, RECORD_NEVER, CHECK_OFF,
		CHECK_PENDING, true},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct config cfg =
		    config_with(cases[i].banner, cases[i].sites);
		struct record found = {0};
		struct checks c;

		found.expires[RECORD_PREGREET].s = cases[i].pregreet;
		found.expires[RECORD_DNSBL].s = cases[i].dnsbl;
		checks_begin(
		    &c, &cfg, cases[i].pregreet < 0 ? NULL : &found, now);
		if (c.state[CHECK_PREGREET] != cases[i].want_pregreet ||
		    c.state[CHECK_DNSBL] != cases[i].want_dnsbl ||
		    c.is_new != cases[i].is_new)
			fail_msg("%s: pregreet %d dnsbl %d new %d",
			    cases[i].name, c.state[CHECK_PREGREET],
			    c.state[CHECK_DNSBL], c.is_new);
	}
}

static void
test_folds(void **state)
{
	struct config cfg = config_with("x", "bl");
	struct checks c;

	(void)state;
	checks_begin(&c, &cfg, NULL, now);
	assert_true(checks_any(&c, CHECK_EARLY, CHECK_PENDING));
	assert_false(checks_any(&c, CHECK_DEEP, CHECK_PENDING));
	assert_false(checks_all_passed(&c));
	checks_pass(&c, CHECK_PREGREET, wall_after(now, 10));
	assert_false(checks_all_passed(&c));
	checks_excuse(&c, CHECK_DNSBL);
	assert_false(checks_all_passed(&c));
	checks_pass(&c, CHECK_DNSBL, wall_after(now, 10));
	assert_true(checks_all_passed(&c));
	checks_fail(&c, CHECK_PREGREET);
	assert_false(checks_all_passed(&c));
	assert_true(checks_any(&c, CHECK_ANY, CHECK_FAILED));
}

static void
test_nothing_due_is_not_a_pass(void **state)
{
	struct config cfg = config_with("", "");
	struct record record;
	struct checks c;

	(void)state;
	checks_begin(&c, &cfg, NULL, now);
	assert_false(checks_all_passed(&c));
	assert_false(checks_outcome(&c, &cfg, &record));
}

static void
test_outcome_marks_what_is_off(void **state)
{
	struct config cfg = config_with("x", "");
	struct record record;
	struct checks c;

	(void)state;
	checks_begin(&c, &cfg, NULL, now);
	checks_pass(&c, CHECK_PREGREET, wall_after(now, 60));
	assert_true(checks_outcome(&c, &cfg, &record));
	assert_int_equal(record.expires[RECORD_PREGREET].s, now.s + 60);
	assert_int_equal(record.expires[RECORD_DNSBL].s, RECORD_OFF);
	assert_int_equal(record.expires[RECORD_BARE_NEWLINE].s, RECORD_OFF);
}

static void
test_a_pass_never_shortens(void **state)
{
	struct config cfg = config_with("x", "bl");
	struct record found = {0}, record;
	struct checks c;

	(void)state;
	found.expires[RECORD_PREGREET] = wall_after(now, 500);
	found.expires[RECORD_DNSBL].s = RECORD_NEVER;
	checks_begin(&c, &cfg, &found, now);
	checks_pass(&c, CHECK_PREGREET, wall_after(now, 5));
	checks_skip_pending(&c, wall_after(now, 7));
	assert_int_equal(c.state[CHECK_DNSBL], CHECK_SKIPPED);
	assert_true(checks_all_passed(&c));
	assert_true(checks_outcome(&c, &cfg, &record));
	assert_int_equal(record.expires[RECORD_PREGREET].s, now.s + 500);
	assert_int_equal(record.expires[RECORD_DNSBL].s, now.s + 7);
}

static void
test_rows(void **state)
{
	struct config cfg = config_with("x", "bl");

	(void)state;
	assert_int_equal(checks_action(&cfg, CHECK_PREGREET), ACTION_ENFORCE);
	assert_int_equal(checks_action(&cfg, CHECK_DNSBL), ACTION_DROP);
	assert_int_equal(checks_ttl_ms(&cfg, CHECK_PREGREET), 86400 * 1000);
	assert_string_equal(checks_name(CHECK_DNSBL), "DNSBL");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_what_is_due),
	    cmocka_unit_test(test_folds),
	    cmocka_unit_test(test_nothing_due_is_not_a_pass),
	    cmocka_unit_test(test_outcome_marks_what_is_off),
	    cmocka_unit_test(test_a_pass_never_shortens),
	    cmocka_unit_test(test_rows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
