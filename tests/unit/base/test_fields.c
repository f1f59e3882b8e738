/* SPDX-License-Identifier: ISC */
/* clang-format off */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
/* clang-format on */

#include "base/fields.h"

#include <string.h>

enum { ROOM = 2000 };

static void
write_some(struct fields *f)
{
	fields_text(f, "word", span_str("EHLO"));
	fields_text(f, "empty", span_str(""));
	fields_text(f, "blank", span_str("a b"));
	fields_text(f, "equal", span_str("a=b"));
	fields_text(f, "quoted", span_str("\"x\" event=fake\n"));
	fields_text(f, "utf8", span_str("\xc3\xa4"));
	fields_number(f, "n", -3);
	fields_end(f);
}

static void
test_forms(void **state)
{
	char room[ROOM + 1];
	struct fields f;
	struct buf out;

	(void)state;
	buf_borrow(&out, room, sizeof(room));
	fields_begin(&f, FIELDS_LOGFMT, &out, ROOM);
	write_some(&f);
	assert_string_equal(buf_str(&out),
	    "word=EHLO empty=\"\" blank=\"a b\" equal=\"a=b\" "
	    "quoted=\"\\\"x\\\" event=fake\\n\" utf8=\"\xc3\xa4\" n=-3");
	buf_borrow(&out, room, sizeof(room));
	fields_begin(&f, FIELDS_JSON, &out, ROOM);
	write_some(&f);
	assert_string_equal(buf_str(&out),
	    "{\"word\":\"EHLO\",\"empty\":\"\",\"blank\":\"a b\","
	    "\"equal\":\"a=b\",\"quoted\":\"\\\"x\\\" event=fake\\n\","
	    "\"utf8\":\"\xc3\xa4\",\"n\":-3}");
}

static void
test_nothing(void **state)
{
	char room[ROOM + 1];
	struct fields f;
	struct buf out;

	(void)state;
	buf_borrow(&out, room, sizeof(room));
	fields_begin(&f, FIELDS_JSON, &out, ROOM);
	fields_end(&f);
	assert_string_equal(buf_str(&out), "{}");
}

/* Whatever the ceiling: never above it, and no value without its end. */
static void
test_every_ceiling(void **state)
{
	char room[ROOM + 1], junk[1000];
	struct fields f;
	struct buf out;

	(void)state;
	memset(junk, 0x16, sizeof(junk));
	for (size_t max = 2; max < 700; max++) {
		for (int form = FIELDS_LOGFMT; form <= FIELDS_JSON; form++) {
			buf_borrow(&out, room, sizeof(room));
			fields_begin(&f, (enum fields_form)form, &out, max);
			fields_number(&f, "n", INT64_MIN);
			fields_text(&f, "junk", span_of(junk, sizeof(junk)));
			fields_number(&f, "t", INT64_MAX);
			fields_rest(&f, "rest", span_of(junk, sizeof(junk)));
			fields_end(&f);
			assert_true(out.n <= max);
			assert_true(form == FIELDS_LOGFMT ||
				    (room[0] == '{' && room[out.n - 1] == '}'));
			assert_true(memchr(room, 0x16, out.n) == NULL);
		}
	}
}

static void
test_long_texts_are_cut(void **state)
{
	char room[ROOM + 1], text[1000];
	struct fields f;
	struct buf out;

	(void)state;
	memset(text, 'x', sizeof(text));
	buf_borrow(&out, room, sizeof(room));
	fields_begin(&f, FIELDS_LOGFMT, &out, ROOM);
	fields_text(&f, "a", span_of(text, FIELDS_TEXT_MAX));
	assert_int_equal(out.n, 2 + FIELDS_TEXT_MAX);
	fields_text(&f, "b", span_of(text, FIELDS_TEXT_MAX + 1));
	assert_int_equal(out.n, 2 + FIELDS_TEXT_MAX + 3 + FIELDS_TEXT_MAX);
	fields_rest(&f, "c", span_of(text, 500));
	assert_int_equal(out.n, 2 * FIELDS_TEXT_MAX + 5 + 3 + 500);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_forms),
	    cmocka_unit_test(test_nothing),
	    cmocka_unit_test(test_every_ceiling),
	    cmocka_unit_test(test_long_texts_are_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
