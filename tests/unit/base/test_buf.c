/* SPDX-License-Identifier: ISC */
/* links: expect_panic fake_mem */
#include "base/buf.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include "support/expect_panic.h"
#include "support/fake_mem.h"

static void
assert_holds(struct buf *b, const char *want)
{
	assert_string_equal(buf_str(b), want);
	assert_int_equal(b->n, strlen(want));
}

static void
test_additions(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 100);
	assert_null(b.p);
	assert_int_equal(buf_add(&b, NULL, 0), 0);
	assert_int_equal(buf_add(&b, "abX", 2), 0);
	assert_int_equal(buf_add_char(&b, '\n'), 0);
	assert_int_equal(buf_add_str(&b, "cd"), 0);
	assert_int_equal(buf_add_str(&b, ""), 0);
	assert_int_equal(buf_printf(&b, "%d-%s", 42, "x"), 0);
	assert_int_equal(buf_printf(&b, "%s", ""), 0);
	assert_holds(&b, "ab\ncd42-x");
	buf_reset(&b);
	assert_holds(&b, "");
	buf_clear(&b);
	assert_null(b.p);
	assert_int_equal(b.max, 100);
	assert_int_equal(buf_add_str(&b, "again"), 0);
	assert_holds(&b, "again");
	buf_clear(&b);
	buf_clear(&b);
}

static void
test_ceiling(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 5);
	assert_int_equal(buf_add_str(&b, "abc"), 0);
	errno = 0;
	assert_int_equal(buf_add_str(&b, "def"), -1);
	assert_int_equal(errno, EMSGSIZE);
	assert_int_equal(buf_printf(&b, "%d", 123), -1);
	assert_int_equal(buf_add(&b, "x", SIZE_MAX), -1);
	assert_null(buf_reserve(&b, 3));
	assert_holds(&b, "abc");
	assert_int_equal(buf_printf(&b, "%d", 12), 0);
	assert_holds(&b, "abc12"); /* full, and yet room for the NUL */
	errno = 0;
	assert_int_equal(buf_add_char(&b, 'x'), -1);
	assert_int_equal(errno, EMSGSIZE);
	assert_int_equal(buf_add(&b, "", 0), 0);
	assert_holds(&b, "abc12");
	buf_clear(&b);
}

static void
test_ceiling_of_nothing(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 0);
	assert_int_equal(buf_add_char(&b, 'x'), -1);
	assert_holds(&b, "");
	buf_clear(&b);
}

static void
test_the_highest_ceiling(void **state)
{
	static const size_t too_many[] = {
	    BUF_MAX - 1, BUF_MAX, SIZE_MAX - 2, SIZE_MAX};
	struct buf b;

	(void)state;
	buf_init(&b, SIZE_MAX);
	assert_int_equal(b.max, BUF_MAX);
	buf_init(&b, 5);
	buf_widen(&b, 4);
	assert_int_equal(b.max, 5);
	buf_widen(&b, SIZE_MAX);
	assert_int_equal(b.max, BUF_MAX);
	assert_int_equal(buf_add_str(&b, "ab"), 0);
	for (size_t i = 0; i < sizeof(too_many) / sizeof(too_many[0]); i++) {
		errno = 0;
		assert_null(buf_reserve(&b, too_many[i]));
		assert_int_equal(errno, EMSGSIZE);
		assert_holds(&b, "ab");
	}
	buf_clear(&b);
}

static void
test_growth_byte_by_byte(void **state)
{
	const size_t max = 100000;
	struct buf b;

	(void)state;
	buf_init(&b, max);
	for (size_t i = 0; i < max; i++)
		assert_int_equal(buf_add_char(&b, (char)('a' + i % 26)), 0);
	assert_int_equal(buf_add_char(&b, 'x'), -1);
	assert_true(b.cap <= max + 1);
	for (size_t i = 0; i < max; i++)
		assert_int_equal(b.p[i], 'a' + i % 26);
	buf_clear(&b);
}

static void
test_reserve(void **state)
{
	struct buf b;
	char *room;

	(void)state;
	buf_init(&b, 1000);
	assert_int_equal(buf_add_str(&b, "ab"), 0);
	room = buf_reserve(&b, 998);
	assert_non_null(room);
	memset(room, 'x', 998); /* ASan watches */
	assert_int_equal(b.n, 2);
	b.n += 998;
	assert_non_null(buf_reserve(&b, 0));
	assert_null(buf_reserve(&b, 1));
	assert_int_equal(buf_span(&b).n, 1000);
	buf_clear(&b);
}

static void
test_consume(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 100);
	buf_consume(&b, 0);
	assert_int_equal(buf_add_str(&b, "EHLO\r\nMAIL"), 0);
	buf_consume(&b, 0);
	assert_holds(&b, "EHLO\r\nMAIL");
	buf_consume(&b, 6);
	assert_holds(&b, "MAIL");
	buf_consume(&b, 4);
	assert_holds(&b, "");
	buf_clear(&b);
}

static void
consume_more_than_there_is(void *arg)
{
	buf_consume(arg, 3);
}

static void
test_consume_too_much(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 100);
	assert_int_equal(buf_add_str(&b, "ab"), 0);
	assert_true(expect_panic("n <= b->n", consume_more_than_there_is, &b));
	buf_clear(&b);
}

static void
test_no_memory(void **state)
{
	char big[200];
	struct buf b;

	(void)state;
	memset(big, 'x', sizeof(big));
	buf_init(&b, 1000);
	fake_mem_fail_after(1);
	assert_int_equal(buf_add_str(&b, "ab"), 0);
	errno = 0;
	assert_int_equal(buf_add(&b, big, sizeof(big)), -1);
	assert_int_equal(errno, ENOMEM);
	assert_holds(&b, "ab");
	buf_clear(&b);
	assert_null(buf_str(&b));
	fake_mem_heal();
	assert_holds(&b, "");
	buf_clear(&b);
	assert_int_equal(fake_mem_live(), 0);
}

static void
test_borrowed(void **state)
{
	char room[6];
	struct buf b;

	(void)state;
	fake_mem_fail_after(0);
	buf_borrow(&b, room, sizeof(room));
	assert_holds(&b, "");
	assert_int_equal(buf_add_str(&b, "abcde"), 0);
	assert_holds(&b, "abcde");
	assert_ptr_equal(b.p, room);
	errno = 0;
	assert_int_equal(buf_add_char(&b, 'f'), -1);
	assert_int_equal(errno, EMSGSIZE);
	assert_int_equal(buf_printf(&b, "%d", 1), -1);
	assert_holds(&b, "abcde");
	buf_reset(&b);
	assert_int_equal(buf_printf(&b, "%d", 12345), 0);
	assert_holds(&b, "12345");
	fake_mem_heal();
}

/* What fits behind a piece that is missing does not hide that. */
static void
test_whole(void **state)
{
	struct buf b;
	char room[4];

	(void)state;
	buf_init(&b, 40);
	assert_true(buf_is_whole(&b));
	assert_int_equal(buf_printf(&b, "%039d", 1), 0);
	assert_true(buf_is_whole(&b));
	assert_int_equal(buf_add_str(&b, "23"), -1);
	assert_int_equal(buf_add_str(&b, "4"), 0);
	assert_false(buf_is_whole(&b));
	buf_consume(&b, 40);
	assert_false(buf_is_whole(&b));
	buf_reset(&b);
	assert_true(buf_is_whole(&b));
	assert_int_equal(b.max, 40);
	assert_int_equal(buf_printf(&b, "%041d", 1), -1);
	assert_false(buf_is_whole(&b));
	buf_clear(&b);
	assert_true(buf_is_whole(&b));
	fake_mem_fail_after(0);
	assert_int_equal(buf_add_char(&b, 'x'), -1);
	fake_mem_heal();
	assert_int_equal(buf_add_char(&b, 'y'), 0);
	assert_false(buf_is_whole(&b));
	buf_clear(&b);
	buf_borrow(&b, room, sizeof(room));
	assert_int_equal(buf_add_str(&b, "abc"), 0);
	assert_true(buf_is_whole(&b));
	assert_null(buf_reserve(&b, 1));
	assert_false(buf_is_whole(&b));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_additions),
	    cmocka_unit_test(test_ceiling),
	    cmocka_unit_test(test_ceiling_of_nothing),
	    cmocka_unit_test(test_the_highest_ceiling),
	    cmocka_unit_test(test_growth_byte_by_byte),
	    cmocka_unit_test(test_reserve),
	    cmocka_unit_test(test_consume),
	    cmocka_unit_test(test_consume_too_much),
	    cmocka_unit_test(test_no_memory),
	    cmocka_unit_test(test_borrowed),
	    cmocka_unit_test(test_whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
