/* SPDX-License-Identifier: ISC */
#include "ops/edit_plan.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

static void
parse(struct master_cf *cf, const char *text)
{
	struct errtext why;

	if (master_cf_parse(cf, span_str(text), &why) < 0)
		fail_msg("%s", why.text);
}

static bool
same(const char *a, const char *b)
{
	return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

static void
test_enable(void **state)
{
	static const struct {
		const char *name, *before, *port, *pass;
		bool refused;
	} cases[] = {
	    {"plain", "smtp inet n - y - - smtpd\n",
		"smtp inet n - y - 1 doorbelld", "smtpd pass - - y - - smtpd",
		false},
	    {"options, limit and fields",
		"smtp inet n n n - 20 smtpd\n  -o { a = b c }\n -v\n",
		"smtp inet n - n - 1 doorbelld",
		"smtpd pass - n n - 20 smtpd -o { a = b c } -v", false},
	    {"one address", "[::1]:25 inet n - y - - smtpd\n",
		"[::1]:25 inet n - y - 1 doorbelld",
		"smtpd pass - - y - - smtpd", false},
	    {"postscreen",
		"smtp inet n - y - 1 postscreen -o a=b\n"
		"smtpd pass - - y - - smtpd -o c=d\n",
		"smtp inet n - y - 1 doorbelld -o a=b", NULL, false},
	    {"postscreen without limit, and without smtpd",
		"smtp inet n - y - - postscreen\n",
		"smtp inet n - y - 1 doorbelld", "smtpd pass - - y - - smtpd",
		false},
	    {"there already",
		"smtp inet n - y - 1 doorbelld\nsmtpd pass - - y - - smtpd\n",
		NULL, NULL, false},
	    {"there, but no smtpd", "smtp inet n - y - 1 doorbelld -o x=y\n",
		NULL, "smtpd pass - - y - - smtpd", false},
	    {"a pass service as it should be",
		"25 inet n - y - - smtpd -o a=b\n"
		"smtpd pass - -   y - - smtpd -oa=b\n",
		"25 inet n - y - 1 doorbelld", NULL, false},
	    {"another pass service",
		"25 inet n - y - - smtpd -o a=b\n"
		"smtpd pass - - y - - smtpd\n",
		"25 inet n - y - 1 doorbelld", NULL, true},
	    {"another program", "25 inet n - y - - haproxy\n", NULL, NULL,
		true},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct errtext why = {""};
		struct edit_plan plan;
		struct master_cf cf;
		int rc;

		parse(&cf, cases[i].before);
		rc = edit_plan_enable(&plan, &cf, &cf.entry[0], "smtpd", &why);
		if ((rc < 0) != cases[i].refused)
			fail_msg("%s: %d %s", cases[i].name, rc, why.text);
		if (!same(plan.new_port, cases[i].port))
			fail_msg("%s: %s", cases[i].name, plan.new_port);
		if (!same(plan.new_pass, cases[i].pass))
			fail_msg("%s: %s", cases[i].name, plan.new_pass);
		if (rc == 0)
			assert_int_equal(edit_plan_changes(&plan),
			    cases[i].port != NULL || cases[i].pass != NULL);
		edit_plan_clear(&plan);
		master_cf_clear(&cf);
	}
}

static void
test_disable(void **state)
{
	static const char with[] = "smtp inet n - y - 1 doorbelld\n"
				   "smtpd pass - - y - - smtpd -o a=b\n";
	static const struct {
		const char *name, *now, *old, *port;
		bool pass_goes, refused;
	} cases[] = {
	    {"smtpd was there", with, "smtp inet n - y - - smtpd\n  -o a=b\n",
		"smtp inet n - y - - smtpd -o a=b", true, false},
	    {"postscreen was there", with,
		"smtp inet n - y - 1 postscreen\nsmtpd pass - - y - - smtpd\n",
		"smtp inet n - y - 1 postscreen", false, false},
	    {"another screen needs smtpd",
		"smtp inet n - y - 1 doorbelld\n[::1]:25 inet n - y - 1 "
		"doorbelld\nsmtpd pass - - y - - smtpd\n",
		"smtp inet n - y - - smtpd\n[::1]:25 inet n - y - - smtpd\n",
		"smtp inet n - y - - smtpd", false, false},
	    {"nothing to do", "smtp inet n - y - - smtpd\n",
		"smtp inet n - y - - smtpd -v\n", NULL, false, false},
	    {"the copy has no such service", with, "25 inet n - y - - smtpd\n",
		NULL, false, true},
	    {"the copy knows nothing else", with, with, NULL, false, true},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct errtext why = {""};
		struct edit_plan plan;
		struct master_cf cf, old;
		int rc;

		parse(&cf, cases[i].now);
		parse(&old, cases[i].old);
		rc = edit_plan_disable(
		    &plan, &cf, &cf.entry[0], "smtpd", &old, &why);
		if ((rc < 0) != cases[i].refused)
			fail_msg("%s: %d %s", cases[i].name, rc, why.text);
		if (!same(plan.new_port, cases[i].port) ||
		    plan.pass_goes != cases[i].pass_goes)
			fail_msg("%s: %s", cases[i].name, plan.new_port);
		edit_plan_clear(&plan);
		master_cf_clear(&cf);
		master_cf_clear(&old);
	}
}

static void
test_port(void **state)
{
	static const struct {
		const char *text, *service, *want;
	} cases[] = {
	    {"smtp inet n - y - - smtpd\n", NULL, "smtp"},
	    {"smtp unix n - y - - smtp\n25 inet n - y - - smtpd\n", NULL, "25"},
	    {"192.0.2.1:smtp inet n - y - - smtpd\n", NULL, "192.0.2.1:smtp"},
	    {"[::1]:25 inet n - y - - smtpd\n", NULL, "[::1]:25"},
	    {"2525 inet n - y - - smtpd\n", NULL, NULL},
	    {"2525 inet n - y - - smtpd\n", "2525", "2525"},
	    {"smtp inet n - y - - smtpd\n", "2525", NULL},
	    {"smtp inet n - y - - smtpd\n[::1]:25 inet n - y - - smtpd\n", NULL,
		NULL},
	    {"smtp inet n - y - - smtpd\n[::1]:25 inet n - y - - smtpd\n",
		"smtp", "smtp"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct errtext why = {""};
		const struct master_entry *e;
		struct master_cf cf;

		parse(&cf, cases[i].text);
		e = edit_plan_port(&cf, cases[i].service, &why);
		if ((e == NULL) != (cases[i].want == NULL) ||
		    (e != NULL &&
			!span_is(e->field[MASTER_SERVICE], cases[i].want)))
			fail_msg("%s: %s", cases[i].text, why.text);
		assert_int_equal(e == NULL, why.text[0] != '\0');
		master_cf_clear(&cf);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_enable),
	    cmocka_unit_test(test_disable),
	    cmocka_unit_test(test_port),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
