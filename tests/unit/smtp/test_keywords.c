/* SPDX-License-Identifier: ISC */
#include "smtp/keywords.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#define BIT(id) KEYWORD_BIT(KEYWORD_##id)

static const struct {
	const char *name, *words;
	unsigned mask;
	bool silent;
	const char *unknown;
} cases[] = {
    {"nothing", "", 0, false, ""},
    {"one", "VRFY", BIT(VRFY), false, ""},
    {"any case", "vRfY 8bitmime", BIT(VRFY) | BIT(EIGHTBITMIME), false, ""},
    {"separators", ", dsn,\tetrn\r\n,,size ", BIT(DSN) | BIT(ETRN) | BIT(SIZE),
	false, ""},
    {"twice", "dsn dsn", BIT(DSN), false, ""},
    {"silent", "silent-discard, dsn", BIT(DSN), true, ""},
    {"only silent", "Silent-Discard", 0, true, ""},
    {"not ours", "auth pipelining starttls",
	BIT(AUTH) | BIT(PIPELINING) | BIT(STARTTLS), false, ""},
    {"unknown", "dsn pipeline etrn bogus", BIT(DSN) | BIT(ETRN), false,
	"pipeline"},
    {"a part is unknown", "siz sizes", 0, false, "siz"},
    {"silent is not enough", "silent", 0, false, "silent"},
};

static void
test_parse(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct span unknown;
		struct keywords k =
		    keywords_parse(span_str(cases[i].words), &unknown);

		if (k.mask != cases[i].mask || k.silent != cases[i].silent ||
		    !span_is(unknown, cases[i].unknown))
			fail_msg("%s: mask %x, unknown \"%.*s\"", cases[i].name,
			    k.mask, (int)unknown.n, unknown.p);
	}
}

static void
test_each_by_its_name(void **state)
{
	(void)state;
	for (unsigned id = 0; id < KEYWORD_COUNT; id++) {
		struct span unknown;
		const char *name = keywords_name((enum keyword)id);

		assert_int_equal(keywords_parse(span_str(name), &unknown).mask,
		    KEYWORD_BIT(id));
		assert_int_equal(unknown.n, 0);
	}
}

static void
test_ours(void **state)
{
	(void)state;
	assert_int_equal(keywords_ours() & BIT(CHUNKING), BIT(CHUNKING));
	assert_int_equal(keywords_ours() & (BIT(PIPELINING) | BIT(AUTH)), 0);
}

static void
test_format(void **state)
{
	struct buf out;

	(void)state;
	buf_init(&out, 20);
	assert_int_equal(keywords_format(0, &out), 0);
	assert_int_equal(out.n, 0);
	assert_int_equal(keywords_format(BIT(DSN), &out), 0);
	assert_true(span_is(buf_span(&out), "DSN"));
	buf_reset(&out);
	assert_int_equal(
	    keywords_format(BIT(CHUNKING) | BIT(ETRN) | BIT(AUTH), &out), 0);
	assert_true(span_is(buf_span(&out), "ETRN, CHUNKING, AUTH"));
	errno = 0;
	assert_int_equal(keywords_format(BIT(DSN), &out), -1);
	assert_int_equal(errno, EMSGSIZE);
	buf_clear(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_parse),
	    cmocka_unit_test(test_each_by_its_name),
	    cmocka_unit_test(test_ours),
	    cmocka_unit_test(test_format),
	};

	return cmocka_run_group_tests_name("smtp/keywords", tests, NULL, NULL);
}
