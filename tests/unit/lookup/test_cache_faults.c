/* SPDX-License-Identifier: ISC */
/* Each call that LMDB makes fails once, in everything that is done with the
 * cache's file. Whatever fails, the file is sound, what was there before is
 * there, and what was being written is there wholly or not at all. */
/* links: cache_dir nth_call */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "lookup/cache_file.h"
#include "support/cache_dir.h"
#include "support/nth_call.h"

enum { BEFORE = 300, BATCH = 200 };

static const struct fault {
	enum nth_call call;
	int error;
	bool costs_the_file; /* it is not to be trusted with more */
} faults[] = {
    /* A meta page, in place: LMDB wants to be opened anew. */
    {CALL_pwrite, ENOSPC, true},
    {CALL_pwrite, EIO, true},
    {CALL_writev, ENOSPC, false},
    {CALL_writev, EIO, true},
    {CALL_fdatasync, EIO, true},
    {CALL_ftruncate, EIO, false},
#ifdef NTH_CALL_HAS_MALLOC
    {CALL_malloc, ENOMEM, false},
    {CALL_calloc, ENOMEM, false},
    {CALL_realloc, ENOMEM, false},
    {CALL_posix_memalign, ENOMEM, false},
#endif
};

static struct record
record_until(int64_t t)
{
	return (struct record){{{t}, {RECORD_OFF}, {t - 1}, {0}, {t - 2}}};
}

/* --- what is done ------------------------------------------------------------- */
static enum cache_file_status
store(struct cache_file *f, unsigned from, unsigned n, struct errtext *why)
{
	static struct cache_change changes[BEFORE + BATCH];

	for (unsigned i = 0; i < n; i++)
		changes[i] =
		    (struct cache_change){.key = cache_dir_key(from + i),
			.store = true,
			.record = record_until(1000)};
	return cache_file_apply(f, changes, n, why);
}

static enum cache_file_status
do_apply(struct cache_file *f, struct errtext *why)
{
	return store(f, BEFORE, BATCH, why);
}

static enum cache_file_status
do_get(struct cache_file *f, struct errtext *why)
{
	struct record_key key = cache_dir_key(1);
	struct record r;

	return cache_file_get(f, &key, &r, why);
}

static enum cache_file_status
do_scan(struct cache_file *f, struct errtext *why)
{
	static struct cache_scanned scanned[2 * BEFORE];
	size_t n;

	return cache_file_scan(f, NULL, scanned, 2 * BEFORE, &n, why);
}

/* (all of them have expired long ago) */
static enum cache_file_status
do_remove(struct cache_file *f, struct errtext *why)
{
	static struct record_key keys[BATCH];
	size_t dropped;

	for (unsigned i = 0; i < BATCH; i++)
		keys[i] = cache_dir_key(BEFORE + i);
	return cache_file_remove(
	    f, keys, BATCH, (struct wall){5000}, &dropped, why);
}

static enum cache_file_status
do_keep(struct cache_file *f, struct errtext *why)
{
	struct cache_note note = {.key = cache_dir_key(7), .n = 3};

	return cache_file_keep(f, &note, 1, why);
}

static const struct {
	const char *name;
	enum cache_file_status (*fn)(struct cache_file *f, struct errtext *why);
} actions[] = {
    {"apply", do_apply},
    {"get", do_get},
    {"scan", do_scan},
    {"remove", do_remove},
    {"keep", do_keep},
};

/* --- and what comes of it ------------------------------------------------------- */
static struct cache_file *
open_file(struct cache_place *place, const struct cache_dir *d)
{
	struct errtext why;
	struct cache_file *f;

	assert_int_equal(
	    cache_place_init(place, d->path, (uid_t)-1, (gid_t)-1), 0);
	f = cache_file_open(place, d->map_bytes, &why);
	if (f == NULL || why.text[0] != '\0')
		fail_msg("%s", why.text);
	return f;
}

static void
close_file(struct cache_place *place, struct cache_file **f)
{
	cache_file_close(f);
	cache_place_clear(place);
}

static size_t
count_stored(struct cache_file *f, unsigned from, unsigned n)
{
	struct record want = record_until(1000), is;
	struct errtext why;
	size_t found = 0;

	for (unsigned i = from; i < from + n; i++) {
		struct record_key key = cache_dir_key(i);

		found +=
		    cache_file_get(f, &key, &is, &why) == CACHE_FILE_DONE &&
		    memcmp(&is, &want, sizeof(is)) == 0;
	}
	return found;
}

/* True when the call was made. */
static bool
fails_well(const struct cache_dir *d, size_t action, const struct fault *fault,
    uint32_t at)
{
	enum cache_file_status status;
	struct cache_place place;
	struct cache_file *f;
	struct errtext why;
	bool was_made;
	size_t n;

	cache_dir_empty(d);
	f = open_file(&place, d);
	assert_int_equal(store(f, 0, BEFORE, &why), CACHE_FILE_DONE);
	if (actions[action].fn == do_remove)
		assert_int_equal(do_apply(f, &why), CACHE_FILE_DONE);
	nth_call_arm(fault->call, at, fault->error);
	status = actions[action].fn(f, &why);
	was_made = nth_call_disarm() >= at;
	if (status == CACHE_FILE_FAILED && !fault->costs_the_file)
		fail_msg("%s, %u of %s: %s", actions[action].name, at,
		    nth_call_name(fault->call), why.text);
	if (status != CACHE_FILE_FAILED && !fault->costs_the_file &&
	    actions[action].fn(f, &why) != CACHE_FILE_DONE)
		fail_msg("%s, %u of %s: %d, then %s", actions[action].name, at,
		    nth_call_name(fault->call), (int)status, why.text);
	close_file(&place, &f);
	/* By the next process. */
	f = open_file(&place, d);
	assert_int_equal(count_stored(f, 0, BEFORE), BEFORE);
	n = count_stored(f, BEFORE, BATCH);
	if (n != 0 && n != BATCH)
		fail_msg("%s, %u of %s: %zu of a batch", actions[action].name,
		    at, nth_call_name(fault->call), n);
	assert_int_equal(actions[action].fn(f, &why), CACHE_FILE_DONE);
	close_file(&place, &f);
	return was_made;
}

static void
each_call_fails_once(void **state)
{
	unsigned total = 0;

	for (size_t a = 0; a < sizeof(actions) / sizeof(*actions); a++)
		for (size_t i = 0; i < sizeof(faults) / sizeof(*faults); i++) {
			uint32_t at = 1;

			while (fails_well(*state, a, &faults[i], at))
				at++;
			total += at - 1;
		}
	assert_true(total > 10);
	print_message("%u faults\n", total);
}

/* Without memory or descriptors there is no cache, and the file stays as it
 * is. */
static void
opening_fails_well(void **state)
{
	static const struct fault some[] = {
	    {CALL_open, EROFS, false},
	    {CALL_open, EMFILE, false},
	    {CALL_mmap, ENOMEM, false},
	    {CALL_pwrite, ENOSPC, false},
	    {CALL_writev, ENOSPC, false},
#ifdef NTH_CALL_HAS_MALLOC
	    {CALL_malloc, ENOMEM, false},
	    {CALL_calloc, ENOMEM, false},
	    {CALL_realloc, ENOMEM, false},
#endif
	};
	const struct cache_dir *d = *state;
	struct cache_place place;
	struct cache_file *f = open_file(&place, d);
	struct errtext why;
	unsigned total = 0;

	assert_int_equal(store(f, 0, BEFORE, &why), CACHE_FILE_DONE);
	close_file(&place, &f);
	for (size_t i = 0; i < sizeof(some) / sizeof(*some); i++) {
		uint32_t at = 0, calls;

		do {
			assert_int_equal(cache_place_init(&place, d->path,
					     (uid_t)-1, (gid_t)-1),
			    0);
			nth_call_arm(some[i].call, ++at, some[i].error);
			f = cache_file_open(&place, d->map_bytes, &why);
			calls = nth_call_disarm();
			assert_true(f != NULL || why.text[0] != '\0');
			close_file(&place, &f);
			f = open_file(&place, d);
			assert_int_equal(count_stored(f, 0, BEFORE), BEFORE);
			close_file(&place, &f);
		} while (calls >= at);
		total += at - 1;
	}
	assert_true(total > 0);
	print_message("%u faults\n", total);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(
		each_call_fails_once, cache_dir_setup, cache_dir_teardown),
	    cmocka_unit_test_setup_teardown(
		opening_fails_well, cache_dir_setup, cache_dir_teardown),
	};

	/* The machine's disk need not be waited for. */
	if (access("/dev/shm", W_OK) == 0)
		(void)setenv("TMPDIR", "/dev/shm", 0);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
