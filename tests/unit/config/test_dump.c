/* SPDX-License-Identifier: ISC */
/* links: fake_mem given_config */
#include "config/config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "support/fake_mem.h"
#include "support/given_config.h"

/* What every parameter prints is compared with postconf(1) in tests/parity; here
 * is what may go wrong, and what is not expanded. */

static struct config_set *set;
static char *out, *errors;

static void
forget(void)
{
	free(out);
	free(errors);
	out = errors = NULL;
}

static int
tear_down(void **state)
{
	(void)state;
	forget();
	config_unref(&set);
	return 0;
}

/* Without a name: all. */
static int
dump(unsigned mode, const char *name)
{
	size_t out_n, errors_n;
	FILE *to, *errors_to;
	int rc;

	forget();
	to = open_memstream(&out, &out_n);
	errors_to = open_memstream(&errors, &errors_n);
	assert_true(to != NULL && errors_to != NULL);
	rc = config_dump(set, mode, &name, name != NULL, to, errors_to);
	fclose(to);
	fclose(errors_to);
	return rc;
}

static const char *const footers[] = {"smtpd_reject_footer=call  $the_boss",
    "postscreen_expansion_filter=\\t\\40 abc", "mydomain=here.test",
    "broken=${mydomain", "endless=$endless", "spread=a\t\n b  \n",
    "empty=", NULL};

static const struct {
	const char *name;
	unsigned mode;
	const char *out, *errors;
} cases[] = {
    /* Its texts are expanded for each reply, not here; what is inherited is
     * inherited all the same. */
    {"smtpd_reject_footer", CONFIG_DUMP_EXPAND, "call $the_boss", ""},
    {"postscreen_reject_footer", CONFIG_DUMP_EXPAND, "$smtpd_reject_footer",
	""},
    {"doorbell_reject_footer", CONFIG_DUMP_EXPAND, "call $the_boss", ""},
    {"doorbell_reject_footer", 0, "$postscreen_reject_footer", ""},
    {"doorbell_expansion_filter", CONFIG_DUMP_EXPAND, "\\t\\40 abc", ""},
    {"doorbell_reject_footer", CONFIG_DUMP_DEFAULTS | CONFIG_DUMP_EXPAND, "",
	""},
    {"spread", 0, "a b", ""},
    {"spread", CONFIG_DUMP_EXPAND, "a b", ""},
    {"empty", 0, "", ""},
    {"mydomain", CONFIG_DUMP_EXPLICIT, "here.test", ""},
    {"broken", 0, "${mydomain", ""},
    {"broken", CONFIG_DUMP_EXPAND, NULL, "doorbelld: warning: broken: "},
    {"endless", CONFIG_DUMP_EXPAND, NULL, "doorbelld: warning: endless: "},
    {"nobody", CONFIG_DUMP_EXPAND, NULL,
	"doorbelld: warning: nobody: unknown parameter\n"},
    {"nobody", CONFIG_DUMP_EXPLICIT, NULL,
	"doorbelld: warning: nobody: unknown parameter\n"},
    /* Known, and not set: nothing to say. */
    {"myhostname", CONFIG_DUMP_EXPLICIT, NULL, ""},
};

static void
test_cases(void **state)
{
	char want[256];

	(void)state;
	set = given_config(footers);
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		int rc = dump(cases[i].mode, cases[i].name);

		want[0] = '\0';
		if (cases[i].out != NULL)
			snprintf(want, sizeof(want), "%s =%s%s\n",
			    cases[i].name, cases[i].out[0] != '\0' ? " " : "",
			    cases[i].out);
		if (strcmp(out, want) != 0 ||
		    strncmp(errors, cases[i].errors, strlen(cases[i].errors)) !=
			0 ||
		    (rc < 0) != (cases[i].errors[0] != '\0') ||
		    (rc < 0) != (errors[0] != '\0'))
			fail_msg("%zu: %d, \"%s\", \"%s\"", i, rc, out, errors);
	}
}

/* Without names they are in order, each of them once. */
static void
test_order(void **state)
{
	static const unsigned modes[] = {0, CONFIG_DUMP_DEFAULTS,
	    CONFIG_DUMP_EXPAND, CONFIG_DUMP_DEFAULTS | CONFIG_DUMP_EXPAND};
	static const char *const nothing[] = {NULL};

	(void)state;
	set = given_config(nothing);
	for (size_t i = 0; i < sizeof(modes) / sizeof(*modes); i++) {
		char *rest, *line, *name;
		const char *before = "";
		unsigned lines = 0;

		assert_int_equal(dump(modes[i], NULL), 0);
		assert_string_equal(errors, "");
		rest = out;
		while ((line = strsep(&rest, "\n")) != NULL && *line != '\0') {
			name = strsep(&line, " ");
			assert_true(strcmp(before, name) < 0);
			assert_non_null(line);
			assert_int_equal(*line, '=');
			before = name;
			lines++;
		}
		assert_true(lines > 50);
	}
}

static void
test_no_memory(void **state)
{
	int rc = -1;
	unsigned n;

	(void)state;
	set = given_config(footers);
	for (n = 0; rc < 0; n++) {
		fake_mem_fail_after(n);
		rc = dump(CONFIG_DUMP_EXPAND, "mydomain");
		fake_mem_heal();
		if (rc < 0)
			assert_string_equal(out, "");
	}
	assert_true(n > 1);
	assert_string_equal(out, "mydomain = here.test\n");
}

int
main(void)
{
#define TEST(f) cmocka_unit_test_teardown(f, tear_down)
	const struct CMUnitTest tests[] = {
	    TEST(test_cases),
	    TEST(test_order),
	    TEST(test_no_memory),
	};

	return cmocka_run_group_tests_name("config/dump", tests, NULL, NULL);
}
