/* SPDX-License-Identifier: ISC */
/* Totals of hours: added up, in order, not for ever, and not lost at the end. */
/* links: cache_dir */
#include "lookup/cache_total.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "lookup/cache.h"
#include "lookup/cache_file.h"
#include "support/cache_dir.h"

static int
join(struct span stored, struct span more, struct buf *out)
{
	if (stored.n + more.n > 20)
		return -1;
	return buf_add(out, stored.p, stored.n) < 0 ||
		       buf_add(out, more.p, more.n) < 0
		   ? -1
		   : 0;
}

static void
add(struct cache *c, uint32_t hour, const char *text)
{
	assert_int_equal(cache_total(c, hour, span_str(text), join), 0);
}

struct seen {
	char text[512];
};

static void
see(uint32_t hour, struct span bytes, void *arg)
{
	struct seen *seen = arg;
	size_t n = strlen(seen->text);

	snprintf(seen->text + n, sizeof(seen->text) - n, "%u=%.*s ",
	    (unsigned)hour, (int)bytes.n, bytes.p);
}

static struct seen
found(const struct cache_dir *d, uint32_t from)
{
	struct cache_options o = cache_dir_options(d);
	struct cache_place place;
	struct cache_file *f;
	struct seen seen = {""};
	struct errtext why;

	assert_int_equal(
	    cache_place_init(&place, o.path, (uid_t)-1, (gid_t)-1), 0);
	f = cache_file_open_to_read(&place, CACHE_MAP_BYTES, &why);
	assert_non_null(f);
	assert_int_equal(
	    cache_file_each_total(f, from, see, &seen, &why), CACHE_FILE_DONE);
	cache_file_close(&f);
	cache_place_clear(&place);
	return seen;
}

static void
test_added_up(void **state)
{
	struct cache *c = cache_dir_open(*state);

	add(c, 300, "c");
	add(c, 2, "a");
	add(c, 300, "d");
	cache_close(&c);
	c = cache_dir_open(*state);
	add(c, 300, "e");
	cache_close(&c);
	assert_string_equal(found(*state, 0).text, "2=a 300=cde ");
	assert_string_equal(found(*state, 3).text, "300=cde ");
	assert_string_equal(found(*state, 301).text, "");
}

/* The sum cannot be made: the old one stays. */
static void
test_cannot_be_added(void **state)
{
	struct cache *c = cache_dir_open(*state);

	add(c, 7, "0123456789012345678");
	add(c, 7, "abc");
	add(c, 8, "x");
	cache_close(&c);
	assert_string_equal(
	    found(*state, 0).text, "7=0123456789012345678 8=x ");
}

static void
test_not_for_ever(void **state)
{
	struct cache *c = cache_dir_open(*state);

	add(c, 100, "old");
	add(c, 101, "edge");
	add(c, 101 + CACHE_TOTAL_HOURS, "new");
	cache_close(&c);
	assert_string_equal(found(*state, 0).text, "101=edge 9701=new ");
}

static void
test_no_more_than_so_many(void **state)
{
	struct cache *c = cache_dir_open(*state);

	for (uint32_t i = 0; i < CACHE_TOTALS_WAITING_MAX; i++)
		add(c, i, "t");
	assert_int_equal(cache_total(c, 99, span_str("t"), join), -1);
	assert_int_equal(errno, ENOBUFS);
	assert_int_equal(cache_backlog(c), CACHE_TOTALS_WAITING_MAX);
	cache_close(&c);
	assert_string_equal(found(*state, 0).text, "0=t 1=t 2=t 3=t ");
}

/* What waits at a fork is the child's. */
static void
test_fork(void **state)
{
	struct cache *c = cache_dir_open(*state);
	struct errtext why;
	int status;
	pid_t pid;

	add(c, 5, "t");
	cache_before_fork(c);
	if ((pid = fork()) == 0) {
		cache_after_fork_child(c, &why);
		cache_close(&c);
		_exit(0);
	}
	cache_after_fork_parent(c);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_string_equal(found(*state, 0).text, "5=t ");
	cache_close(&c); /* as no parent does that goes on */
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(
		test_added_up, cache_dir_setup, cache_dir_teardown),
	    cmocka_unit_test_setup_teardown(
		test_cannot_be_added, cache_dir_setup, cache_dir_teardown),
	    cmocka_unit_test_setup_teardown(
		test_not_for_ever, cache_dir_setup, cache_dir_teardown),
	    cmocka_unit_test_setup_teardown(
		test_no_more_than_so_many, cache_dir_setup, cache_dir_teardown),
	    cmocka_unit_test_setup_teardown(
		test_fork, cache_dir_setup, cache_dir_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
