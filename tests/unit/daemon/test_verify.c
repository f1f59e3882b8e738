/* SPDX-License-Identifier: ISC */
/* links: catch_output fake_mem house scratch sockets given_addr */
#include "daemon/verify.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "support/catch_output.h"
#include "support/fake_mem.h"
#include "support/house.h"

/* The configuration of a house that nobody enters. */

/* How many errors there are. This is said among other things, "" if nothing is;
 * NULL: never mind. */
static int
verify(const struct house *h, const char *text)
{
	struct caught caught;
	int errors;

	catch_begin(&caught);
	errors = verify_config(&h->options.source);
	catch_end(&caught);
	assert_string_equal(caught.out, "");
	if (text != NULL && text[0] == '\0')
		assert_string_equal(caught.err, "");
	if (text != NULL && strstr(caught.err, text) == NULL)
		fail_msg("\"%s\" is not in:\n%s", text, caught.err);
	/* Nobody is told of an error in silence. */
	assert_true(errors == 0 || caught.err[0] != '\0');
	catch_clear(&caught);
	return errors;
}

static void
test_nothing_is_wrong(void **state)
{
	struct house *h = *state;

	assert_int_equal(verify(h, ""), 0);
	/* Nothing was made, either, nor is anybody there. */
	assert_int_equal(
	    access(scratch_path(&h->scratch, "data/doorbell_cache"), F_OK), -1);
	assert_int_equal(house_call(h), -1);
	assert_int_equal(house_call_path(h, "control"), -1);
	/* As little as this is a warning only. */
	house_set(h, "doorbell_greet_wayt = 3s\n");
	assert_int_equal(verify(h, "etc/doorbell.cf:6: warning: "), 0);
}

static void
test_one_thing_is_wrong(void **state)
{
	static const struct {
		const char *line, *text;
	} cases[] = {
	    {"doorbell_greet_action = perhaps\n",
		"etc/doorbell.cf:6: error: doorbell_greet_action"},
	    {"doorbell_listen = here\n",
		"etc/doorbell.cf:6: error: doorbell_listen: \"here\" is not"},
	    {"doorbell_listen =\n",
		"etc/doorbell.cf:6: error: doorbell_listen is empty\n"},
	    {"doorbell_control_socket = run/control\n",
		"etc/doorbell.cf:6: error: doorbell_control_socket = "
		"run/control: not an absolute path"},
	    {"doorbell_control_group = no-such-group\n",
		"etc/doorbell.cf:6: error: doorbell_control_group"},
	    {"doorbell_http_listen = inet:192.0.2.1:80\n",
		"etc/doorbell.cf:6: error: doorbell_http_listen"},
	    {"doorbell_cache_map = hash:/tmp/pass\n",
		"etc/doorbell.cf:6: error: doorbell_cache_map"},
	    {"doorbell_user = no-such-user\n",
		"error: user no-such-user: unknown\n"},
	    {"mail_owner = no-such-user\n",
		"error: user no-such-user: unknown\n"},
	    {"queue_directory = /nowhere/at/all\n",
		"etc/doorbell.cf:6: error: queue_directory /nowhere/at/all: No"
		" such file or directory\n"},
	    {"syslog_facility = choir\n",
		"etc/doorbell.cf:6: error: syslog_facility = choir"},
	    {"doorbell_dnsbl_sites = bl.test*\n",
		"etc/doorbell.cf:6: error: doorbell_dnsbl_sites"},
	    {"doorbell_access_list = cidr:/nowhere/at/all\n", "error: "},
	};
	struct house *h = *state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		int errors;

		house_unset(h);
		house_set(h, cases[i].line);
		errors = verify(h, cases[i].text);
		if (errors != 1)
			fail_msg("%s: %d errors", cases[i].line, errors);
	}
}

static void
test_all_is_told_at_once(void **state)
{
	struct house *h = *state;
	char line[300];

	scratch_write(&h->scratch, "table",
	    "192.0.2.0/24 permit\nnobody\n192.0.2.1/24 permit\n", 0600);
	(void)snprintf(line, sizeof(line), "doorbell_access_list = cidr:%s\n",
	    scratch_path(&h->scratch, "table"));
	house_set(h, line);
	assert_int_equal(verify(h, "/table:2: error: "), 2);
	assert_int_equal(verify(h, "/table:3: error: "), 2);
	house_set(h, "doorbell_listen = here\n"
		     "doorbell_http_listen = there\n"
		     "doorbell_user = no-such-user\n"
		     "queue_directory = /nowhere/at/all\n");
	assert_int_equal(verify(h, "\"here\" is not"), 6);
}

/* However executable it may be. */
static void
test_a_queue_that_is_no_directory(void **state)
{
	struct house *h = *state;
	char line[300];

	scratch_write(&h->scratch, "program", "#!/bin/sh\n", 0700);
	(void)snprintf(line, sizeof(line), "queue_directory = %s\n",
	    scratch_path(&h->scratch, "program"));
	house_set(h, line);
	assert_int_equal(verify(h, "/program: Not a directory\n"), 1);
}

static void
test_no_file(void **state)
{
	struct house *h = *state;

	assert_int_equal(unlink(scratch_path(&h->scratch, "etc/main.cf")), 0);
	assert_int_equal(verify(h, "etc/main.cf: "), 1);
}

/* What could not be looked at is not said to be right. */
static void
test_no_memory(void **state)
{
	struct house *h = *state;
	unsigned long at = 0, calls, failed = 0;
	long live;
	int errors;

	do {
		live = fake_mem_live();
		fake_mem_fault = (struct fake_fault){.armed = true, .at = ++at};
		errors = verify(h, NULL);
		calls = fake_mem_fault.calls;
		fake_mem_fault.armed = false;
		failed += errors > 0;
		assert_int_equal(fake_mem_live(), live);
	} while (calls >= at);
	assert_int_equal(errors, 0);
	assert_true(failed > at / 2);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(f) \
	cmocka_unit_test_setup_teardown(f, house_set_up, house_tear_down)
	    TEST(test_nothing_is_wrong),
	    TEST(test_one_thing_is_wrong),
	    TEST(test_all_is_told_at_once),
	    TEST(test_a_queue_that_is_no_directory),
	    TEST(test_no_file),
	    TEST(test_no_memory),
	};

	return cmocka_run_group_tests(tests, house_move_in, house_move_out);
}
