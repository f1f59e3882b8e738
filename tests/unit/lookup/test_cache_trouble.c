/* SPDX-License-Identifier: ISC */
/* A cache without a file, without a writer, without memory: all of it is told,
 * nothing of it is fatal, and what can come back does. */
/* links: cache_dir fake_mem nth_call */
#include "lookup/cache.h"

#include <errno.h>
#include <fcntl.h>
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "support/cache_dir.h"
#include "support/fake_mem.h"
#include "support/nth_call.h"

enum { PATIENCE_MS = 60000, PAGE = 4096 };

static const struct record some_record = {{{1000}}};

static int
store(struct cache *c, unsigned i)
{
	struct record_key key = cache_dir_key(i);

	return cache_store(c, &key, &some_record);
}

static struct cache_note
some_note(void)
{
	return (struct cache_note){
	    .key = cache_dir_key(1), .n = 4, .bytes = "note"};
}

static void
wait_written(struct cache *c)
{
	for (int ms = 0; cache_backlog(c) > 0; ms++) {
		assert_true(ms < PATIENCE_MS);
		usleep(1000);
	}
}

/* --- what can be one ------------------------------------------------------------------ */

static void
the_path_of_a_map(void **state)
{
	static const struct {
		const char *map, *path, *why;
	} cases[] = {
	    {"", "", ""},
	    {"lmdb:/var/lib/postfix/cache", "/var/lib/postfix/cache", ""},
	    {"lmdb:", NULL,
		"doorbell_cache_map = lmdb:: only lmdb:/path can be a cache"},
	    {"btree:/x", NULL,
		"doorbell_cache_map = btree:/x: only lmdb:/path can be a"
		" cache"},
	    {"/var/lib/cache", NULL,
		"doorbell_cache_map = /var/lib/cache: only lmdb:/path can be a"
		" cache"},
	    {"lmdb", NULL,
		"doorbell_cache_map = lmdb: only lmdb:/path can be a cache"},
	    {"LMDB:/x", NULL,
		"doorbell_cache_map = LMDB:/x: only lmdb:/path can be a"
		" cache"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct errtext why = {""};
		const char *path = cache_map_path(cases[i].map, &why);

		if ((path == NULL) != (cases[i].path == NULL) ||
		    (path != NULL && strcmp(path, cases[i].path) != 0) ||
		    strcmp(why.text, cases[i].why) != 0)
			fail_msg("%s: %s", cases[i].map, why.text);
	}
}

/* --- without a file -------------------------------------------------------------------- */

static unsigned notes_seen;

static void
see_note(struct span key, struct span bytes, void *arg)
{
	(void)arg;
	assert_true(key.n > 0);
	assert_int_equal(bytes.n, 4);
	assert_memory_equal(bytes.p, "note", 4);
	notes_seen++;
}

static int
add(struct span stored, struct span more, struct buf *out)
{
	return buf_add(out, stored.p, stored.n) < 0 ||
		       buf_add(out, more.p, more.n) < 0
		   ? -1
		   : 0;
}

static void
expect_nothing_is_taken(struct cache *c)
{
	const struct cache_note note = some_note();
	struct record_key key = cache_dir_key(1);
	struct errtext why;

	assert_false(cache_is_usable(c));
	assert_int_equal(store(c, 1), -1);
	assert_int_equal(errno, EIO);
	assert_int_equal(cache_forget(c, &key), -1);
	assert_int_equal(errno, EIO);
	assert_int_equal(cache_keep_note(c, &note), -1);
	assert_int_equal(errno, EIO);
	assert_int_equal(cache_total(c, 1, span_str("x"), add), -1);
	assert_int_equal(errno, EIO);
	notes_seen = 0;
	assert_int_equal(cache_each_note(c, see_note, NULL, &why), 0);
	assert_int_equal(notes_seen, 0);
	assert_false(cache_dir_knows(c, 1));
	assert_int_equal(cache_backlog(c), 0);
}

static void
a_place_that_is_none(void **state)
{
	struct cache_dir *d = *state;
	char path[sizeof(d->path) + 16];
	struct cache_options o = {
	    .path = path, .uid = (uid_t)-1, .gid = (gid_t)-1};
	struct errtext why;
	struct cache *c;

	(void)snprintf(path, sizeof(path), "%s/nowhere/pass", d->dir);
	c = cache_open(&o, &why);
	assert_non_null(c);
	assert_non_null(strstr(why.text, ": No such file or directory"));
	expect_nothing_is_taken(c);
	/* It has none to give to a child either. */
	cache_before_fork(c);
	cache_after_fork_child(c, &why);
	assert_string_equal(why.text, "");
	expect_nothing_is_taken(c);
	assert_int_equal(cache_revive(c, &why), -1);
	assert_string_equal(why.text, "there is no directory for it");
	cache_close(&c);
	cache_close(&c);
	assert_null(c);
}

/* --- without a writer ------------------------------------------------------------------- */

static void
no_thread_can_be_had(void **state)
{
	struct cache *c = cache_dir_open(*state);
	struct errtext why;

	assert_int_equal(store(c, 1), 0);
	nth_call_arm(CALL_pthread_create, 1, EAGAIN);
	assert_int_equal(cache_start(c, &why), -1);
	assert_int_equal(nth_call_disarm(), 1);
	assert_string_equal(why.text,
	    "cannot start the cache writer: Resource temporarily unavailable");
	assert_false(cache_is_usable(c));
	assert_false(cache_dir_knows(c, 1));
	assert_int_equal(store(c, 2), -1);
	/* Still none. */
	nth_call_arm(CALL_pthread_create, 1, EAGAIN);
	assert_int_equal(cache_revive(c, &why), -1);
	assert_int_equal(nth_call_disarm(), 1);
	assert_false(cache_is_usable(c));
	assert_int_equal(cache_revive(c, &why), 0);
	assert_string_equal(why.text, "");
	assert_true(cache_dir_knows(c, 1)); /* it had waited in the queue */
	assert_int_equal(store(c, 2), 0);
	wait_written(c);
	cache_close(&c);
	c = cache_dir_open(*state);
	assert_true(cache_dir_knows(c, 1));
	assert_true(cache_dir_knows(c, 2));
	cache_close(&c);
}

static sem_t at_file, go_on;

/* The thread stays there until it is told to go on. */
static int
take_your_time(struct span stored, struct span more, struct buf *out)
{
	(void)stored;
	(void)more;
	(void)out;
	sem_post(&at_file);
	while (sem_wait(&go_on) < 0)
		;
	return -1;
}

/* All but the two that say where the others are. */
static void
zero_pages(const struct cache_dir *d)
{
	static const char zeroes[PAGE];
	int fd = open(d->path, O_WRONLY | O_CLOEXEC);
	struct stat st;

	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &st), 0);
	for (off_t at = 2 * PAGE; at < st.st_size; at += PAGE)
		assert_int_equal(pwrite(fd, zeroes, PAGE, at), PAGE);
	close(fd);
}

/* A disk that does not answer: the thread is in there, with the file. */
static void
the_writer_does_not_come_back(void **state)
{
	struct cache_dir *d = *state;
	struct cache *c = cache_dir_open(d);
	char want[sizeof(d->path) + 64];
	struct errtext why;
	int rc = -1;

	assert_int_equal(sem_init(&at_file, 0, 0), 0);
	assert_int_equal(sem_init(&go_on, 0, 0), 0);
	assert_int_equal(store(c, 1), 0);
	assert_int_equal(cache_total(c, 7, span_str("x"), add), 0);
	cache_close(&c);
	c = cache_dir_start(d);
	assert_true(cache_dir_knows(c, 1));
	assert_int_equal(cache_total(c, 7, span_str("y"), take_your_time), 0);
	while (sem_wait(&at_file) < 0)
		;
	zero_pages(d);
	assert_false(cache_dir_knows(c, 1));
	assert_false(cache_is_usable(c));
	(void)snprintf(
	    want, sizeof(want), "%s: Device or resource busy", d->path);
	assert_int_equal(cache_revive(c, &why), -1);
	assert_string_equal(why.text, want);
	assert_false(cache_is_usable(c));
	sem_post(&go_on);
	for (int ms = 0; rc < 0 && ms < PATIENCE_MS; ms++) {
		rc = cache_revive(c, &why);
		usleep(1000);
	}
	assert_int_equal(rc, 0);
	assert_true(cache_is_usable(c));
	assert_int_equal(store(c, 2), 0);
	wait_written(c);
	assert_true(cache_dir_knows(c, 2));
	cache_close(&c);
	sem_destroy(&at_file);
	sem_destroy(&go_on);
}

/* --- notes of a damaged file -------------------------------------------------------------- */

static void
notes_that_cannot_be_read(void **state)
{
	struct cache_dir *d = *state;
	const struct cache_note note = some_note();
	struct cache *c = cache_dir_open(d);
	struct cache_news news;
	struct errtext why;

	assert_int_equal(cache_keep_note(c, &note), 0);
	cache_close(&c);
	c = cache_dir_open(d);
	notes_seen = 0;
	assert_int_equal(cache_each_note(c, see_note, NULL, &why), 0);
	assert_int_equal(notes_seen, 1);
	zero_pages(d);
	assert_int_equal(cache_each_note(c, see_note, NULL, &why), -1);
	assert_string_not_equal(why.text, "");
	assert_int_equal(notes_seen, 1);
	assert_false(cache_is_usable(c));
	cache_take_news(c, &news);
	assert_true(news.failed);
	assert_string_equal(news.why.text, why.text);
	cache_close(&c);
}

/* --- without memory ------------------------------------------------------------------------ */

static void
no_memory_to_open(void **state)
{
	struct cache_options o = cache_dir_options(*state);
	const long live = fake_mem_live();
	unsigned n = 0, whole = 0;
	struct errtext why;
	struct cache *c;

	do {
		fake_mem_fail_after(n);
		errno = 0;
		c = cache_open(&o, &why);
		fake_mem_heal();
		if (c == NULL) {
			assert_int_equal(errno, ENOMEM);
			assert_string_equal(why.text, "");
		} else {
			/* There is one, or it says why not. */
			assert_int_equal(
			    cache_is_usable(c), why.text[0] == '\0');
			whole = cache_is_usable(c);
		}
		cache_close(&c);
		assert_int_equal(fake_mem_live(), live);
	} while (!whole && n++ < 1000);
	assert_true(whole && n > 1);
}

static void
no_memory_for_a_total(void **state)
{
	struct cache *c = cache_dir_open(*state);
	const long live = fake_mem_live();
	unsigned n = 0;
	int rc;

	do {
		fake_mem_fail_after(n);
		errno = 0;
		rc = cache_total(c, 7, span_str("x"), add);
		fake_mem_heal();
		assert_true(rc == 0 || errno == ENOMEM);
		assert_true(rc == 0 || fake_mem_live() == live);
	} while (rc < 0 && n++ < 1000);
	assert_int_equal(rc, 0);
	assert_true(n > 0);
	cache_close(&c);
}

/* --- too much ---------------------------------------------------------------------------- */

static void
too_many_totals_wait(void **state)
{
	struct cache *c = cache_dir_open(*state);
	long live;

	for (uint32_t i = 0; i < CACHE_TOTALS_WAITING_MAX; i++)
		assert_int_equal(cache_total(c, i, span_str("x"), add), 0);
	live = fake_mem_live();
	assert_int_equal(cache_total(c, 999, span_str("x"), add), -1);
	assert_int_equal(errno, ENOBUFS);
	assert_int_equal(fake_mem_live(), live);
	cache_close(&c);
}

static void
the_library_has_a_version(void **state)
{
	(void)state;
	assert_non_null(strstr(cache_version(), "0.9."));
}

#define TEST(name)                       \
	cmocka_unit_test_setup_teardown( \
	    name, cache_dir_setup, cache_dir_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_path_of_a_map),
	    TEST(a_place_that_is_none),
	    TEST(no_thread_can_be_had),
	    TEST(the_writer_does_not_come_back),
	    TEST(notes_that_cannot_be_read),
	    TEST(no_memory_to_open),
	    TEST(no_memory_for_a_total),
	    TEST(too_many_totals_wait),
	    cmocka_unit_test(the_library_has_a_version),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
