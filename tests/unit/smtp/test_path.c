/* SPDX-License-Identifier: ISC */
/* links: fake_mem */
#include "smtp/path.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "support/fake_mem.h"

static const struct {
	const char *args, *bare, *external;
} cases[] = {
#define PATH(args, bare, external) {args, bare, external},
#include "path_cases.def"
#undef PATH
};

enum { CASE_COUNT = sizeof(cases) / sizeof(cases[0]) };

static void
check(const char *name, const struct buf *got, const char *want)
{
	if (!span_is(buf_span(got), want))
		fail_msg("%s: got '%.*s', not '%s'", name, (int)got->n, got->p,
		    want);
}

static void
test_cases(void **state)
{
	(void)state;
	for (size_t i = 0; i < CASE_COUNT; i++) {
		struct span args = span_str(cases[i].args);
		struct buf bare, out;

		buf_init(&bare, args.n);
		buf_init(&out, 200);
		assert_int_equal(path_parse(args, &bare), 0);
		check(cases[i].args, &bare, cases[i].bare);
		assert_int_equal(path_format(buf_span(&bare), true, &out), 0);
		check(cases[i].args, &out, cases[i].external);
		buf_reset(&out);
		assert_int_equal(path_format(buf_span(&bare), false, &out), 0);
		check(cases[i].args, &out, cases[i].bare);
		buf_clear(&bare);
		buf_clear(&out);
	}
	assert_int_equal(fake_mem_live(), 0);
}

/* What was in the buffer stays in front and is no part of the address. */
static void
test_appends(void **state)
{
	struct buf out;

	(void)state;
	buf_init(&out, 100);
	assert_int_equal(buf_add_str(&out, "@kept:"), 0);
	assert_int_equal(path_parse(span_str("TO:<@a:u@b>"), &out), 0);
	check("parse", &out, "@kept:u@b");
	assert_int_equal(path_format(span_str("u v@b"), true, &out), 0);
	check("format", &out, "@kept:u@b\"u v\"@b");
	buf_clear(&out);
}

static void
test_no_colon(void **state)
{
	static const char *const args[] = {"", "TO", "<a@b>", "TO <a@b>"};
	struct buf out;

	(void)state;
	buf_init(&out, 100);
	for (size_t i = 0; i < sizeof(args) / sizeof(args[0]); i++) {
		errno = 0;
		assert_int_equal(path_parse(span_str(args[i]), &out), -1);
		assert_int_equal(errno, EINVAL);
	}
	assert_int_equal(path_parse(span_of(NULL, 0), &out), -1);
	assert_int_equal(out.n, 0);
	buf_clear(&out);
}

/* Every cut parses when it still has its colon, in no more room than it has
 * bytes. */
static void
test_truncated(void **state)
{
	(void)state;
	for (size_t i = 0; i < CASE_COUNT; i++) {
		size_t whole = strlen(cases[i].args);

		for (size_t n = 0; n < whole; n++) {
			bool colon = memchr(cases[i].args, ':', n) != NULL;
			char *copy = malloc(n);
			struct buf out;

			assert_true(copy != NULL || n == 0);
			if (n > 0)
				memcpy(copy, cases[i].args, n);
			buf_init(&out, n);
			if (path_parse(span_of(copy, n), &out) !=
			    (colon ? 0 : -1))
				fail_msg("%s: cut at %zu", cases[i].args, n);
			buf_clear(&out);
			free(copy);
		}
	}
}

static void
test_ceiling(void **state)
{
	struct buf out;

	(void)state;
	buf_init(&out, 8);
	assert_int_equal(buf_add_str(&out, "12"), 0);
	errno = 0;
	assert_int_equal(path_parse(span_str("TO:<abcd@ef>"), &out), -1);
	assert_int_equal(errno, EMSGSIZE);
	check("parse", &out, "12");
	errno = 0;
	assert_int_equal(path_format(span_str("a b@c"), true, &out), -1);
	assert_int_equal(errno, EMSGSIZE);
	check("format", &out, "12");
	assert_int_equal(path_format(span_str("abcd@ef"), false, &out), -1);
	check("internal", &out, "12");
	buf_clear(&out);
}

/* Whatever does not fit, nothing is left of it. */
static void
test_every_ceiling(void **state)
{
	static const char want[] = "\"a\\\"\\\\b\"@c";
	struct buf out;

	(void)state;
	for (size_t max = 1; max <= sizeof(want); max++) {
		bool fits = max >= sizeof(want) - 1;

		buf_init(&out, max);
		assert_int_equal(path_format(span_str("a\"\\b@c"), true, &out),
		    fits ? 0 : -1);
		check("ceiling", &out, fits ? want : "");
		buf_clear(&out);
	}
	buf_init(&out, 10);
	assert_int_equal(path_format(span_of(NULL, 0), true, &out), 0);
	check("nobody", &out, "");
	assert_int_equal(path_format(span_str("@a:"), true, &out), 0);
	check("a way to nobody", &out, "@a:\"\"");
	buf_clear(&out);
}

static void
test_no_memory(void **state)
{
	struct buf out;

	(void)state;
	buf_init(&out, 100);
	fake_mem_fail_after(0);
	errno = 0;
	assert_int_equal(path_parse(span_str("TO:<a@b>"), &out), -1);
	assert_int_equal(errno, ENOMEM);
	assert_int_equal(path_format(span_str("a b"), true, &out), -1);
	fake_mem_heal();
	assert_int_equal(out.n, 0);
	buf_clear(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_cases),
	    cmocka_unit_test(test_appends),
	    cmocka_unit_test(test_no_colon),
	    cmocka_unit_test(test_truncated),
	    cmocka_unit_test(test_ceiling),
	    cmocka_unit_test(test_every_ceiling),
	    cmocka_unit_test(test_no_memory),
	};

	return cmocka_run_group_tests_name("smtp/path", tests, NULL, NULL);
}
