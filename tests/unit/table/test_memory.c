/* SPDX-License-Identifier: ISC */
/* Every allocation of the table room fails once: nothing leaks, nothing
 * crashes, and what was in force stays in force. */
/* links: fake_mem given_addr */
#include "table/list.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lookup/access.h"
#include "support/fake_mem.h"
#include "support/given_addr.h"
#include "support/table_file.h"

enum { TRIES_MAX = 500 };

static const char *const specs[] = {
    "cidr:{ {if 10.0.0.0/8} {!10.1.0.0/16 x} {endif} {::/0 y} }",
    "regexp:{ {if /a/} {/^(a)b/ $1} {endif} {!/b/ x} }",
    "pcre:{ {if /a/} {/^(a)b/ $1} {endif} {!/b/ x} }",
    "inline:{ a=b, { c = d e } }",
    "static:{ x y }",
    "list",
    "access",
};

static const char list_words[] =
    "10.0.0.0/8 !static:x [::1] inline:{a=b} /nonexistent/file ::2 static:a"
    " static:b static:c static:d static:e static:f static:g static:h static:i"
    " static:j static:k static:l";
static const char access_words[] =
    "permit_mynetworks cidr:{ {10.0.0.0/8 reject} } permit";

/* Opens and closes; true when it could be opened. */
static bool
try_open(const char *spec)
{
	const struct table_options options = {.report = NULL};
	struct table_match match;
	struct access *access = NULL;
	struct list *list = NULL;
	struct table *table = NULL;
	struct errtext why;
	bool opened;

	if (strcmp(spec, "list") == 0)
		list = list_open(span_str(list_words), &options, &why);
	else if (strcmp(spec, "access") == 0)
		access = access_open(
		    span_str(access_words), NULL, NULL, &options, &why);
	else
		table = table_open(span_str(spec), &options, &why);
	opened = list != NULL || access != NULL || table != NULL;
	if (table != NULL)
		table_find(table, "ab", &match);
	list_free(&list);
	access_free(&access);
	table_free(&table);
	return opened;
}

static void
test_open(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(specs) / sizeof(specs[0]); i++) {
		long before = fake_mem_live();
		unsigned n = 0;
		bool opened;

		/* Some failures show only in what is found, so go on until
		 * no allocation is left to fail. */
		do {
			fake_mem_fail_after(n);
			opened = try_open(specs[i]);
			fake_mem_heal();
			if (fake_mem_live() != before)
				fail_msg("%s: leak at %u", specs[i], n);
		} while (n++ < TRIES_MAX / 10 || (!opened && n < TRIES_MAX));
		if (!opened)
			fail_msg("%s cannot be opened", specs[i]);
	}
}

static bool
has(const struct list *l, const char *address)
{
	const struct addr a = given_addr(address);

	return list_has(l, &a);
}

static void
test_refresh(void **state)
{
	char directory[128], path[160], table[160], words[400];
	const struct table_options options = {.report = NULL};
	enum table_change change;
	struct errtext why;
	struct list *l;

	(void)state;
	make_directory(directory);
	snprintf(path, sizeof(path), "%s/words", directory);
	snprintf(table, sizeof(table), "%s/t.cidr", directory);
	snprintf(words, sizeof(words), "%s cidr:%s", path, table);
	write_file(path, "192.0.2.1 inline:{192.0.2.9=x}\n");
	write_file(table, "198.51.100.0/24 x\n");
	l = list_open(span_str(words), &options, &why);
	assert_non_null(l);
	write_file(path, "192.0.2.22 inline:{192.0.2.9=x}\n");
	write_file(table, "198.51.101.0/24 x\n!::1 y\n");
	for (unsigned n = 0;; n++) {
		assert_true(n < TRIES_MAX);
		fake_mem_fail_after(n);
		change = list_refresh(l, &why);
		fake_mem_heal();
		assert_true(has(l, "192.0.2.1") != has(l, "192.0.2.22"));
		assert_true(has(l, "198.51.100.1") != has(l, "198.51.101.1"));
		if (change != TABLE_BROKEN && has(l, "192.0.2.22") &&
		    has(l, "198.51.101.1"))
			break;
	}
	list_free(&l);
	assert_int_equal(fake_mem_live(), 0);
	unlink(path);
	unlink(table);
	rmdir(directory);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_open),
	    cmocka_unit_test(test_refresh),
	};

	return cmocka_run_group_tests_name("table memory", tests, NULL, NULL);
}
