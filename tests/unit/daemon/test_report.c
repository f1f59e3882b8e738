/* SPDX-License-Identifier: ISC */
/* links: catch_output heard_log scratch */
#include "daemon/report.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "support/catch_output.h"
#include "support/heard_log.h"
#include "support/scratch.h"

static const struct {
	enum config_severity severity;
	const char *file;
	int line;
	const char *log, *people;
} cases[] = {
    {CONFIG_ERROR, NULL, 0, "error: it is\n", "doorbelld: error: it is\n"},
    {CONFIG_WARNING, NULL, 7, "warning: it is\n",
	"doorbelld: warning: it is\n"},
    {CONFIG_ERROR, "a.cf", 0, "error: a.cf: it is\n", "a.cf: error: it is\n"},
    {CONFIG_WARNING, "a.cf", 0, "warning: a.cf: it is\n",
	"a.cf: warning: it is\n"},
    {CONFIG_ERROR, "/b %s.cf", 12, "error: /b %s.cf:12: it is\n",
	"/b %s.cf:12: error: it is\n"},
};

static void
test_to_the_log(void **state)
{
	(void)state;
	heard_log_begin();
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		report_config_to_log(cases[i].severity, cases[i].file,
		    cases[i].line, "it is", NULL);
		assert_string_equal(heard_log(), cases[i].log);
	}
	report_table_to_log("table", 3, "no \n such 100%", NULL);
	assert_string_equal(heard_log(), "warning: table:3: no ? such 100%\n");
	heard_log_end();
}

static void
test_to_people(void **state)
{
	struct caught caught;
	int errors, want;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		errors = 3;
		want = cases[i].severity == CONFIG_ERROR ? 4 : 3;
		catch_begin(&caught);
		report_config_to_people(cases[i].severity, cases[i].file,
		    cases[i].line, "it is", &errors);
		catch_end(&caught);
		assert_string_equal(caught.err, cases[i].people);
		assert_string_equal(caught.out, "");
		assert_int_equal(errors, want);
		catch_clear(&caught);
	}
	errors = 0;
	catch_begin(&caught);
	report_table_to_people("table", 3, "no such 100%", &errors);
	report_table_to_people("table", 0, "nothing", NULL);
	catch_end(&caught);
	assert_string_equal(caught.err,
	    "table:3: error: no such 100%\ntable: error: nothing\n");
	assert_int_equal(errors, 1);
	catch_clear(&caught);
}

/* --- where a parameter was set --------------------------------------------- */
struct place {
	int reports;
	enum config_severity severity;
	char file[300];
	int line;
	char text[ERRTEXT_MAX];
};

static void
note(enum config_severity severity, const char *file, int line,
    const char *text, void *arg)
{
	struct place *place = arg;

	place->reports++;
	place->severity = severity;
	(void)snprintf(
	    place->file, sizeof(place->file), "%s", file != NULL ? file : "");
	place->line = line;
	(void)snprintf(place->text, sizeof(place->text), "%s", text);
}

static void
test_the_culprit(void **state)
{
	static const struct {
		const char *text;
		int line; /* of the file; 0: not in it */
	} culprits[] = {
	    {"doorbell_greet_wait: too long", 2},
	    {"doorbell_greet_wait = 9s: too long", 2},
	    {"doorbell_greet_wait", 2},
	    {"doorbell_greet_banner: from -o", 0},
	    /* It inherits that from postscreen_greet_action. */
	    {"doorbell_greet_action = drop: no", 4},
	    {"doorbell_greet_ttl: nobody has set it", 0},
	    {"no_such_parameter: at all", 0},
	    {": nothing before it", 0},
	    {"", 0},
	};
	static const char *const overrides[] = {"doorbell_greet_banner=x"};
	struct scratch scratch;
	struct config_source source = {
	    .overrides = overrides, .override_count = 1};
	struct config_set *config;
	struct errtext why;

	(void)state;
	scratch_make(&scratch);
	source.file = scratch_path(&scratch, "own.cf");
	scratch_write(&scratch, "own.cf",
	    "myhostname = mx.test\n"
	    "doorbell_greet_wait = 9s\n"
	    "doorbell_greet_banner = y\n"
	    "postscreen_greet_action = drop\n"
	    "mynetworks = 192.0.2.0/24\n",
	    0600);
	heard_log_begin();
	config = config_load(&source, report_config_to_log, NULL);
	assert_string_equal(heard_log(), "");
	heard_log_end();
	assert_non_null(config);
	for (size_t i = 0; i < sizeof(culprits) / sizeof(*culprits); i++) {
		struct place place = {0};

		errtext_set(&why, "%s", culprits[i].text);
		report_culprit(config, &why, note, &place);
		assert_int_equal(place.reports, 1);
		assert_int_equal(place.severity, CONFIG_ERROR);
		assert_string_equal(place.text, culprits[i].text);
		if (place.line != culprits[i].line)
			fail_msg("%s: line %d", culprits[i].text, place.line);
		assert_string_equal(place.file,
		    culprits[i].line > 0 ? scratch_path(&scratch, "own.cf")
					 : "");
	}
	config_unref(&config);
	scratch_remove(&scratch);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_to_the_log),
	    cmocka_unit_test(test_to_people),
	    cmocka_unit_test(test_the_culprit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
