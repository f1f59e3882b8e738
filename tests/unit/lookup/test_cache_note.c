/* SPDX-License-Identifier: ISC */
/* Notes beside the passes: kept, replaced, dropped, and not lost by a fork. */
/* links: cache_dir */
#include "lookup/cache_note.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "lookup/cache.h"
#include "support/cache_dir.h"

static struct cache_note
note_of(unsigned i, const char *text)
{
	struct cache_note note = {
	    .key = cache_dir_key(i), .n = (uint8_t)strlen(text)};

	memcpy(note.bytes, text, strlen(text));
	return note;
}

static void
keep(struct cache *c, unsigned i, const char *text)
{
	const struct cache_note note = note_of(i, text);

	assert_int_equal(cache_keep_note(c, &note), 0);
}

struct seen {
	unsigned n;
	char text[256];
};

static void
see(struct span key, struct span bytes, void *arg)
{
	struct seen *seen = arg;

	assert_true(key.n > 0);
	assert_true(bytes.n < sizeof(seen->text));
	memcpy(seen->text, bytes.p, bytes.n);
	seen->text[bytes.n] = '\0';
	seen->n++;
}

/* What a next process finds. */
static struct seen
found(const struct cache_dir *d)
{
	struct cache *c = cache_dir_open(d);
	struct seen seen = {0};
	struct errtext why;

	assert_int_equal(cache_each_note(c, see, &seen, &why), 0);
	cache_close(&c);
	return seen;
}

static void
test_kept_replaced_dropped(void **state)
{
	struct cache *c = cache_dir_open(*state);
	struct cache_note note;
	struct errtext why;
	struct seen seen;

	assert_int_equal(cache_start(c, &why), 0);
	keep(c, 1, "first");
	keep(c, 2, "other");
	keep(c, 1, "second");
	note = note_of(2, "");
	note.drop = true;
	assert_int_equal(cache_keep_note(c, &note), 0);
	/* One that is not there. */
	note = note_of(9, "");
	note.drop = true;
	assert_int_equal(cache_keep_note(c, &note), 0);
	cache_close(&c);
	seen = found(*state);
	assert_int_equal(seen.n, 1);
	assert_string_equal(seen.text, "second");
}

/* Without a writer they wait, so many and no more; the end writes them. */
static void
test_no_more_than_so_many(void **state)
{
	struct cache *c = cache_dir_open(*state);
	const struct cache_note more = note_of(5000, "x");

	for (unsigned i = 0; i < CACHE_NOTES_WAITING_MAX; i++)
		keep(c, i, "n");
	assert_int_equal(cache_keep_note(c, &more), -1);
	assert_int_equal(errno, ENOBUFS);
	assert_int_equal(cache_backlog(c), CACHE_NOTES_WAITING_MAX);
	cache_close(&c);
	assert_int_equal(found(*state).n, CACHE_NOTES_WAITING_MAX);
}

/* Records with the same key are others. */
static void
test_beside_the_passes(void **state)
{
	struct cache *c = cache_dir_open(*state);
	const struct record_key key = cache_dir_key(1);
	struct record record = {{{1000}}};

	assert_int_equal(cache_store(c, &key, &record), 0);
	keep(c, 1, "note");
	assert_int_equal(cache_forget(c, &key), 0);
	cache_close(&c);
	assert_int_equal(found(*state).n, 1);
	c = cache_dir_open(*state);
	assert_false(cache_find(c, &key, &record));
	cache_close(&c);
}

static void
drain(const struct cache_dir *d)
{
	struct cache *c = cache_dir_open(d);
	struct errtext why;
	pid_t pid;

	keep(c, 1, "before");
	cache_before_fork(c);
	if ((pid = fork()) != 0)
		_exit(pid < 0);
	cache_after_fork_child(c, &why);
	keep(c, 2, "after");
	cache_close(&c);
	_exit(0);
}

static void
test_a_fork_loses_none(void **state)
{
	int status, end[2];
	pid_t pid;
	char c;

	assert_int_equal(pipe(end), 0);
	if ((pid = fork()) == 0) {
		close(end[0]);
		drain(*state);
	}
	close(end[1]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	/* The grandchild has it open, too. */
	assert_int_equal(read(end[0], &c, 1), 0);
	close(end[0]);
	assert_int_equal(found(*state).n, 2);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(f) \
	cmocka_unit_test_setup_teardown(f, cache_dir_setup, cache_dir_teardown)
	    TEST(test_kept_replaced_dropped),
	    TEST(test_no_more_than_so_many),
	    TEST(test_beside_the_passes),
	    TEST(test_a_fork_loses_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
