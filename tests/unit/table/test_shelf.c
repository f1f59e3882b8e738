/* SPDX-License-Identifier: ISC */
#include "table/shelf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "table/table.h"

static struct table *
open_table(const char *spec, struct shelf *shelf, struct errtext *why)
{
	struct table_options options = {
	    .postmap = "/usr/sbin/postmap", .shelf = shelf};

	return table_open(span_str(spec), &options, why);
}

static void
test_indexed_tables_are_shared(void **state)
{
	struct shelf *shelf = shelf_new();
	struct errtext why = {""};
	struct table *a, *b, *c;

	(void)state;
	/* Unreadable, but a table. */
	a = open_table("hash:/nowhere/a", shelf, &why);
	b = open_table("hash:/nowhere/a", shelf, &why);
	c = open_table("hash:/nowhere/ab", shelf, &why);
	assert_non_null(a);
	assert_ptr_equal(a, b);
	assert_ptr_not_equal(a, c);
	table_free(&a);
	assert_null(a);
	assert_string_equal(table_spec(b), "hash:/nowhere/a");
	table_free(&b);
	table_free(&c);
	assert_non_null(shelf_find(shelf, span_str("hash:/nowhere/a")));
	shelf_free(&shelf);
	assert_null(shelf);
}

static void
test_other_tables_are_not(void **state)
{
	struct shelf *shelf = shelf_new();
	struct errtext why = {""};
	struct table *a = open_table("static:x", shelf, &why);
	struct table *b = open_table("static:x", shelf, &why);

	(void)state;
	assert_ptr_not_equal(a, b);
	assert_null(shelf_find(shelf, span_str("static:x")));
	table_free(&a);
	table_free(&b);
	shelf_free(&shelf);
}

static void
test_closed_shelf_gives_what_it_has(void **state)
{
	struct shelf *shelf = shelf_new();
	struct errtext why = {""};
	struct table *a = open_table("hash:/nowhere/a", shelf, &why), *b;

	(void)state;
	shelf_close(shelf);
	assert_true(shelf_is_closed(shelf));
	b = open_table("hash:/nowhere/a", shelf, &why);
	assert_ptr_equal(a, b);
	assert_null(open_table("hash:/nowhere/b", shelf, &why));
	assert_string_equal(why.text,
	    "hash:/nowhere/b: an indexed table is read at the start only: "
	    "restart to take it up");
	table_free(&a);
	table_free(&b);
	shelf_free(&shelf);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_indexed_tables_are_shared),
	    cmocka_unit_test(test_other_tables_are_not),
	    cmocka_unit_test(test_closed_shelf_gives_what_it_has),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
