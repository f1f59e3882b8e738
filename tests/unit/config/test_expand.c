/* SPDX-License-Identifier: ISC */
/* links: fake_mem */
#include "config/expand.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "support/fake_mem.h"

static const char *
look_up(const char *name, void *arg)
{
	static const struct {
		const char *name, *value;
	} values[] = {
	    {"a", "AA"},
	    {"b", "BB"},
	    {"e", ""},
	    {"raw", "$e"},
	    {"loop", "$loop2"},
	    {"loop2", "${loop}"},
	    {"zip0", "$zip1$zip1"},
	    {"zip1", "$zip2$zip2$zip2$zip2$zip2$zip2$zip2$zip2"},
	    {"zip2", "$zip3$zip3$zip3$zip3$zip3$zip3$zip3$zip3"},
	    {"zip3", "$zip4$zip4$zip4$zip4$zip4$zip4$zip4$zip4"},
	    {"zip4", "$zip5$zip5$zip5$zip5$zip5$zip5$zip5$zip5"},
	    {"zip5", "$zip6$zip6$zip6$zip6$zip6$zip6$zip6$zip6"},
	    {"zip6", "$zip7$zip7$zip7$zip7$zip7$zip7$zip7$zip7"},
	};

	(void)arg;
	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++)
		if (strcmp(values[i].name, name) == 0)
			return values[i].value;
	return NULL;
}

static void
test_cases(void **state)
{
	static const struct {
		const char *in, *want;
	} cases[] = {
#define CASE(in, want) {in, want},
#include "expand_cases.def"
#undef CASE
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct errtext why;
		struct buf got;
		int rc;

		buf_init(&got, 1024);
		rc = expand_text(cases[i].in, look_up, NULL, &got, &why);
		if (rc != (cases[i].want != NULL ? 0 : -1))
			fail_msg("%s: %d %s", cases[i].in, rc, why.text);
		if (rc == 0 && !span_is(buf_span(&got), cases[i].want))
			fail_msg("%s: \"%s\"", cases[i].in, buf_str(&got));
		if (rc < 0 && why.text[0] == '\0')
			fail_msg("%s: no reason", cases[i].in);
		buf_clear(&got);
	}
}

/* Every beginning of every case: nothing but an answer may come of it. */
static void
test_truncations(void **state)
{
	static const char *const inputs[] = {
#define CASE(in, want) in,
#include "expand_cases.def"
#undef CASE
	};

	(void)state;
	for (size_t i = 0; i < sizeof(inputs) / sizeof(inputs[0]); i++)
		for (size_t n = strlen(inputs[i]); n > 0; n--) {
			char text[128];
			struct errtext why;
			struct buf got;

			snprintf(text, sizeof(text), "%.*s", (int)n, inputs[i]);
			buf_init(&got, 1024);
			(void)expand_text(text, look_up, NULL, &got, &why);
			buf_clear(&got);
		}
}

static void
test_limits(void **state)
{
	struct errtext why;
	struct buf got, deep;

	(void)state;
	buf_init(&got, 10);
	assert_int_equal(
	    expand_text("12345678901", look_up, NULL, &got, &why), -1);
	assert_non_null(strstr(why.text, "too long"));
	buf_reset(&got);
	/* Half a million references to nothing. */
	assert_int_equal(expand_text("$zip0", look_up, NULL, &got, &why), -1);
	assert_non_null(strstr(why.text, "too many references"));
	assert_int_equal(expand_text("$loop", look_up, NULL, &got, &why), -1);
	assert_non_null(strstr(why.text, "refers to itself"));
	buf_init(&deep, 1 << 20);
	for (int i = 0; i < 50000; i++)
		assert_int_equal(buf_add_str(&deep, "${a?"), 0);
	for (int i = 0; i < 50000; i++)
		assert_int_equal(buf_add_str(&deep, "}"), 0);
	assert_int_equal(
	    expand_text(buf_str(&deep), look_up, NULL, &got, &why), -1);
	assert_non_null(strstr(why.text, "too deep"));
	buf_clear(&deep);
	buf_clear(&got);
}

/* Whichever piece there is no memory for: both sides of a comparison have a
 * buffer of their own. */
static void
test_no_memory(void **state)
{
	static const char text[] = "$a${{$a} == {$b} ? {x} : {$b}}";
	struct errtext why;
	unsigned failures = 0;
	struct buf got;
	int rc;

	(void)state;
	do {
		buf_init(&got, 1024);
		fake_mem_fail_after(failures);
		rc = expand_text(text, look_up, NULL, &got, &why);
		fake_mem_heal();
		if (rc < 0)
			assert_string_equal(why.text, "out of memory");
		buf_clear(&got);
		assert_int_equal(fake_mem_live(), 0);
	} while (rc < 0 && ++failures < 100);
	assert_in_range(failures, 3, 99);
}

/* No parameter has such a name, wherever it stands. */
static void
test_long_name(void **state)
{
	static const char *const behind[] = {"", "}", "?yes}"};
	char name[300], text[400];
	struct errtext why;
	struct buf got;

	(void)state;
	memset(name, 'n', sizeof(name));
	buf_init(&got, 1000);
	for (size_t n = 255; n <= 256; n++)
		for (size_t i = 0; i < 3; i++) {
			(void)snprintf(text, sizeof(text), "$%s%.*s%s",
			    i > 0 ? "{" : "", (int)n, name, behind[i]);
			assert_int_equal(
			    expand_text(text, look_up, NULL, &got, &why),
			    n == 255 ? 0 : -1);
			if (n == 256)
				assert_non_null(strstr(why.text, "too long"));
		}
	buf_clear(&got);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_cases),
	    cmocka_unit_test(test_truncations),
	    cmocka_unit_test(test_limits),
	    cmocka_unit_test(test_no_memory),
	    cmocka_unit_test(test_long_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
