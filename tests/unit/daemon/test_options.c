/* SPDX-License-Identifier: ISC */
/* clang-format off */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
/* clang-format on */

#include "daemon/options.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>

enum { ARGS_MAX = 16 };

/* Words separated by blanks become argv. */
static int
parse(struct options *o, const char *line, struct errtext *why)
{
	static char copy[512];
	static char *argv[ARGS_MAX];
	int argc = 0;

	assert_true(strlen(line) < sizeof(copy));
	memcpy(copy, line, strlen(line) + 1);
	for (char *p = copy; argc < ARGS_MAX - 1 && *p != '\0';) {
		argv[argc++] = p;
		p += strcspn(p, " ");
		if (*p == ' ')
			*p++ = '\0';
	}
	argv[argc] = NULL;
	optind = 0;
	return options_parse(o, argc, argv, why);
}

static int
as_service(void **state)
{
	(void)state;
	setenv("GENERATION", "14", 1);
	setenv("MAIL_CONFIG", "/dev/../usr", 1);
	return 0;
}

static int
as_people(void **state)
{
	(void)state;
	unsetenv("GENERATION");
	setenv("MAIL_CONFIG", "/usr", 1);
	return 0;
}

static void
test_service(void **state)
{
	struct options o;
	struct errtext why;

	(void)state;
	assert_int_equal(parse(&o,
			     "doorbelld -l -n smtp -t inet -u -c -s 2 -v "
			     "-o syslog_name=x -o doorbell_greet_wait=3s",
			     &why),
	    0);
	assert_int_equal(o.mode, OPTIONS_SERVICE);
	assert_true(o.alone);
	assert_true(o.unprivileged);
	assert_true(o.chroot);
	assert_int_equal(o.sockets, 2);
	assert_int_equal(o.verbose, 1);
	assert_string_equal(o.source.directory, "/usr");
	assert_int_equal(o.source.override_count, 2);
	assert_string_equal(o.source.overrides[1], "doorbell_greet_wait=3s");
	assert_true(options_override(&o, "syslog_name"));
	assert_false(options_override(&o, "syslog"));
	assert_false(options_override(&o, "doorbell_greet"));
	options_clear(&o);
}

static void
test_service_defaults(void **state)
{
	struct options o;
	struct errtext why;

	(void)state;
	assert_int_equal(parse(&o, "doorbelld -t inet", &why), 0);
	assert_int_equal(o.mode, OPTIONS_SERVICE);
	assert_false(o.alone);
	assert_false(o.unprivileged);
	assert_int_equal(o.sockets, 1);
	options_clear(&o);
	assert_int_equal(parse(&o, "doorbelld -t inet -s 0", &why), -1);
	options_clear(&o);
}

/* -t means "test" for people, also when GENERATION happens to be set. */
static void
test_people_in_a_service_environment(void **state)
{
	struct options o;
	struct errtext why;

	(void)state;
	assert_int_equal(parse(&o, "doorbelld -t -c /dev/null", &why), 0);
	assert_int_equal(o.mode, OPTIONS_TEST);
	assert_string_equal(o.source.file, "/dev/null");
	options_clear(&o);
}

static void
test_people(void **state)
{
	static const struct {
		const char *line;
		enum options_mode mode;
		unsigned dump;
		size_t names;
	} cases[] = {
	    {"doorbelld", OPTIONS_STANDALONE, 0, 0},
	    {"doorbelld -f -v", OPTIONS_STANDALONE, 0, 0},
	    {"doorbelld -t", OPTIONS_TEST, 0, 0},
	    {"doorbelld -V", OPTIONS_VERSION, 0, 0},
	    {"doorbelld -d", OPTIONS_DUMP, CONFIG_DUMP_DEFAULTS, 0},
	    {"doorbelld -n x y", OPTIONS_DUMP, CONFIG_DUMP_EXPLICIT, 2},
	    {"doorbelld -d -x x", OPTIONS_DUMP,
		CONFIG_DUMP_DEFAULTS | CONFIG_DUMP_EXPAND, 1},
	};
	struct options o;
	struct errtext why;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		if (parse(&o, cases[i].line, &why) < 0 ||
		    o.mode != cases[i].mode || o.dump != cases[i].dump ||
		    o.name_count != cases[i].names)
			fail_msg("%s", cases[i].line);
		if (o.mode != OPTIONS_VERSION)
			assert_string_equal(o.source.directory, "/usr");
		options_clear(&o);
	}
}

static void
test_nonsense(void **state)
{
	static const char *const lines[] = {"doorbelld -q", "doorbelld -c",
	    "doorbelld word", "doorbelld -t word", "doorbelld -o",
	    "doorbelld -c /nowhere/at/all"};
	struct options o;
	struct errtext why;

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(*lines); i++) {
		why.text[0] = '\0';
		assert_int_equal(parse(&o, lines[i], &why), -1);
		assert_true(why.text[0] != '\0');
		options_clear(&o);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup(test_service, as_service),
	    cmocka_unit_test_setup(test_service_defaults, as_service),
	    cmocka_unit_test_setup(
		test_people_in_a_service_environment, as_service),
	    cmocka_unit_test_setup(test_people, as_people),
	    cmocka_unit_test_setup(test_nonsense, as_people),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
