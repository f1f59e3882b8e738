/* SPDX-License-Identifier: ISC */
#include "base/errtext.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <errno.h>
#include <string.h>

static void
test_set_and_prefix(void **state)
{
	struct errtext why;

	(void)state;
	errtext_set(&why, "bad port %d", 70000);
	assert_string_equal(why.text, "bad port 70000");
	errtext_prefix(&why, "%s:%d", "main.cf", 12);
	assert_string_equal(why.text, "main.cf:12: bad port 70000");
	errtext_set(&why, "%s", "");
	assert_string_equal(why.text, "");
}

static void
test_sentence_about_itself(void **state)
{
	struct errtext why;

	(void)state;
	errtext_set(&why, "no such file");
	errtext_set(&why, "cannot open (%s)", why.text);
	assert_string_equal(why.text, "cannot open (no such file)");
	errtext_prefix(&why, "%s", why.text);
	assert_string_equal(
	    why.text, "cannot open (no such file): cannot open (no such file)");
}

static void
test_cut(void **state)
{
	char large[2 * ERRTEXT_MAX];
	struct errtext why;

	(void)state;
	memset(large, 'x', sizeof(large));
	large[sizeof(large) - 1] = '\0';
	errtext_set(&why, "%s", large);
	assert_int_equal(strlen(why.text), ERRTEXT_MAX - 1);
	errtext_prefix(&why, "p");
	assert_int_equal(strlen(why.text), ERRTEXT_MAX - 1);
	assert_memory_equal(why.text, "p: xxx", 6);
	errtext_prefix(&why, "%s", large);
	assert_int_equal(strlen(why.text), ERRTEXT_MAX - 1);
	assert_int_equal(why.text[ERRTEXT_MAX - 2], 'x');
}

/* The separator is cut like everything else. */
static void
test_cut_inside_the_separator(void **state)
{
	char prefix[ERRTEXT_MAX - 1];
	struct errtext why;

	(void)state;
	memset(prefix, 'p', sizeof(prefix));
	prefix[sizeof(prefix) - 1] = '\0';
	errtext_set(&why, "tail");
	errtext_prefix(&why, "%s", prefix);
	assert_int_equal(strlen(why.text), ERRTEXT_MAX - 1);
	assert_int_equal(why.text[ERRTEXT_MAX - 2], ':');
}

static void
test_nobody_wants_to_know(void **state)
{
	(void)state;
	errno = EPERM;
	errtext_set(NULL, "%s", "x");
	errtext_prefix(NULL, "%s", "x");
	assert_int_equal(errno, EPERM);
}

static void
test_keeps_errno(void **state)
{
	struct errtext why;

	(void)state;
	errno = ENOENT;
	errtext_set(&why, "%s", strerror(errno));
	assert_int_equal(errno, ENOENT);
	errtext_prefix(&why, "%s", "x");
	assert_int_equal(errno, ENOENT);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_set_and_prefix),
	    cmocka_unit_test(test_sentence_about_itself),
	    cmocka_unit_test(test_cut),
	    cmocka_unit_test(test_cut_inside_the_separator),
	    cmocka_unit_test(test_nobody_wants_to_know),
	    cmocka_unit_test(test_keeps_errno),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
