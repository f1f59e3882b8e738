/* SPDX-License-Identifier: ISC */
/* The cache's file after a power failure: at each moment of a busy life, with all,
 * none and some of what was written since the last sync. */
/* links: cache_dir disk_log */
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
#include "support/disk_log.h"

enum { CLIENTS = 500, BATCHES = 30, BATCH_MAX = 120, FLOOD = 1500 };

/* What is known of each client behind each batch; 0: nothing. */
static int64_t known[BATCHES + 1][CLIENTS];
static size_t done_at[BATCHES + 1]; /* events when it was acknowledged */

static struct record
record_until(int64_t t)
{
	return (struct record){{{t}, {RECORD_OFF}, {t - 1}, {0}, {t - 2}}};
}

static struct cache_file *
open_file(
    struct cache_place *place, const struct cache_dir *d, struct errtext *why)
{
	struct cache_file *f;

	assert_int_equal(
	    cache_place_init(place, d->path, (uid_t)-1, (gid_t)-1), 0);
	f = cache_file_open(place, d->map_bytes, why);
	assert_non_null(f);
	return f;
}

/* --- the life --------------------------------------------------------------- */
static unsigned
next_random(unsigned *state)
{
	*state = *state * 1103515245u + 12345u;
	return *state >> 16;
}

/* Mostly new clients and renewals, now and then one is forgotten. */
static size_t
make_changes(int b, struct cache_change *changes, unsigned *state)
{
	size_t n = next_random(state) % BATCH_MAX + 1;

	memcpy(known[b], known[b - 1], sizeof(known[b]));
	for (size_t i = 0; i < n; i++) {
		unsigned who = next_random(state) % CLIENTS;
		bool forget = next_random(state) % 5 == 0;
		int64_t t = forget ? 0 : 1000 * b + 10;

		changes[i] = (struct cache_change){.key = cache_dir_key(who),
		    .forget = true,
		    .store = !forget,
		    .record = record_until(t)};
		known[b][who] = t;
	}
	return n;
}

/* Many come and go again in one transaction: it takes pages from the end of the
 * file and leaves them unused. */
static size_t
make_flood(int b, struct cache_change *changes)
{
	memcpy(known[b], known[b - 1], sizeof(known[b]));
	for (unsigned i = 0; i < FLOOD; i++) {
		changes[i] =
		    (struct cache_change){.key = cache_dir_key(2 * CLIENTS + i),
			.store = true,
			.record = record_until(7)};
		changes[2 * FLOOD - 1 - i] = (struct cache_change){
		    .key = changes[i].key, .forget = true};
	}
	return 2 * FLOOD;
}

static size_t
make_batch(int b, struct cache_change *changes, unsigned *state)
{
	return b % 5 == 0 ? make_flood(b, changes)
			  : make_changes(b, changes, state);
}

/* Every seventh batch is a sweep. */
static void
sweep(struct cache_file *f, int b)
{
	struct record_key keys[CLIENTS];
	int64_t before = 1000 * (b - 8);
	struct errtext why;
	size_t dropped;

	memcpy(known[b], known[b - 1], sizeof(known[b]));
	for (unsigned i = 0; i < CLIENTS; i++) {
		keys[i] = cache_dir_key(i);
		if (known[b][i] < before)
			known[b][i] = 0;
	}
	assert_int_equal(cache_file_remove(f, keys, CLIENTS,
			     (struct wall){before}, &dropped, &why),
	    CACHE_FILE_DONE);
}

static void
live(const struct cache_dir *d)
{
	static struct cache_change changes[2 * FLOOD];
	struct cache_place place;
	struct cache_file *f;
	struct errtext why;
	unsigned state = 20261;

	disk_log_start(d->path);
	f = open_file(&place, d, &why);
	done_at[0] = disk_log_count();
	for (int b = 1; b <= BATCHES; b++) {
		if (b % 7 == 0)
			sweep(f, b);
		else
			assert_int_equal(
			    cache_file_apply(f, changes,
				make_batch(b, changes, &state), &why),
			    CACHE_FILE_DONE);
		done_at[b] = disk_log_count();
	}
	disk_log_stop();
	cache_file_close(&f);
	cache_place_clear(&place);
}

/* --- and what is left of it --------------------------------------------------- */
static bool
is_as_behind(struct cache_file *f, int b)
{
	struct record is, want;
	struct errtext why;

	for (unsigned i = 0; i < CLIENTS; i++) {
		struct record_key key = cache_dir_key(i);
		enum cache_file_status found =
		    cache_file_get(f, &key, &is, &why);

		want = record_until(known[b][i]);
		if (found == CACHE_FILE_ABSENT && known[b][i] == 0)
			continue;
		if (found != CACHE_FILE_DONE || known[b][i] == 0 ||
		    memcmp(&is, &want, sizeof(is)) != 0)
			return false;
	}
	return true;
}

static size_t
count_known(int b)
{
	size_t n = 0;

	for (unsigned i = 0; i < CLIENTS; i++)
		n += known[b][i] != 0;
	return n;
}

static size_t
count_stored(struct cache_file *f)
{
	static struct cache_scanned scanned[CLIENTS + 1];
	struct errtext why;
	size_t n;

	assert_int_equal(
	    cache_file_scan(f, NULL, scanned, CLIENTS + 1, &n, &why),
	    CACHE_FILE_DONE);
	return n;
}

/* The last batch that was acknowledged is there, and of the next one all or
 * nothing; and the file can be used. */
static void
check(const struct cache_dir *d, size_t n, const char *luck)
{
	struct cache_change change = {.key = cache_dir_key(CLIENTS),
	    .store = true,
	    .record = record_until(99)};
	struct cache_place place;
	struct errtext why;
	struct cache_file *f = open_file(&place, d, &why);
	int b = 0;

	while (b < BATCHES && done_at[b + 1] <= n)
		b++;
	/* Before the first open was over there was nothing to lose. */
	if (n >= done_at[0] && why.text[0] != '\0')
		fail_msg("event %zu, %s luck: %s", n, luck, why.text);
	if (!is_as_behind(f, b) && b < BATCHES && is_as_behind(f, b + 1))
		b++;
	if (!is_as_behind(f, b) || count_stored(f) != count_known(b))
		fail_msg("event %zu, %s luck: records differ", n, luck);
	assert_int_equal(
	    cache_file_apply(f, &change, 1, &why), CACHE_FILE_DONE);
	cache_file_close(&f);
	cache_place_clear(&place);
}

static void
power_fails_at_any_moment(void **state)
{
	static const char *const lucks[] = {"good", "bad", "mixed", "mixed"};
	const struct cache_dir *d = *state;

	live(d);
	assert_true(disk_log_syncs() > 2 * BATCHES);
	for (size_t n = 0; n <= disk_log_count(); n++) {
		for (unsigned k = 0; k < 4; k++) {
			cache_dir_empty(d);
			disk_log_rebuild(n,
			    k < 2 ? (enum disk_luck)k : DISK_LUCK_ANY,
			    (uint32_t)(n * 4 + k), d->path);
			check(d, n, lucks[k]);
		}
	}
	print_message("%zu moments\n", disk_log_count());
	disk_log_forget();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(
		power_fails_at_any_moment, cache_dir_setup, cache_dir_teardown),
	};

	/* The disk is ours: that of the machine need not be waited for. */
	if (access("/dev/shm", W_OK) == 0)
		(void)setenv("TMPDIR", "/dev/shm", 0);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
