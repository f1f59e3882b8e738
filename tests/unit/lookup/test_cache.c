/* SPDX-License-Identifier: ISC */
/* The pass cache on a real file: queue, disk, sweeps, other processes. LMDB
 * forbids opening a file twice in a process, so whatever needs a second opener
 * forks. */
/* links: cache_dir child_end counted_exit */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "lookup/cache.h"
#include "lookup/cache_file.h"
#include "support/cache_dir.h"

enum { NOBODY = 65534 };

/* The allocator of AddressSanitizer does not survive a fork in the middle of
 * another thread's malloc() (glibc's does): there the writer has to be idle. */
#if defined(__SANITIZE_ADDRESS__)
#define HAS_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define HAS_ASAN 1
#endif
#endif
#ifndef HAS_ASAN
#define HAS_ASAN 0
#endif

static struct record
record_until(int64_t t)
{
	return (struct record){{{t}, {RECORD_OFF}, {t - 1}, {0}, {t - 2}}};
}

static void
store(struct cache *c, unsigned i, int64_t t)
{
	struct record_key key = cache_dir_key(i);
	struct record r = record_until(t);

	assert_int_equal(cache_store(c, &key, &r), 0);
}

static void
store_many(struct cache *c, unsigned from, unsigned to, int64_t t)
{
	for (unsigned i = from; i < to; i++)
		store(c, i, t);
}

static bool
finds(struct cache *c, unsigned i, int64_t t)
{
	struct record_key key = cache_dir_key(i);
	struct record r, want = record_until(t);

	return cache_find(c, &key, &r) && memcmp(&r, &want, sizeof(r)) == 0;
}

static unsigned
count_found(struct cache *c, unsigned from, unsigned to, int64_t t)
{
	unsigned n = 0;

	for (unsigned i = from; i < to; i++)
		n += finds(c, i, t);
	return n;
}

/* Until nothing waits or flies. */
static void
wait_written(struct cache *c)
{
	for (int ms = 0; cache_backlog(c) > 0; ms += 5) {
		if (ms > 60000)
			fail_msg("%zu still queued", cache_backlog(c));
		usleep(5000);
	}
}

static struct cache_news
wait_swept(struct cache *c)
{
	struct cache_news news;

	for (int ms = 0; ms < 60000; ms += 5) {
		cache_take_news(c, &news);
		if (news.swept)
			return news;
		usleep(5000);
	}
	fail_msg("no sweep ended");
	return news;
}

/* --- one process ---------------------------------------------------------- */

static void
what_is_stored_is_found_at_once(void **state)
{
	struct cache *c = cache_dir_open(*state);

	assert_false(cache_dir_knows(c, 1));
	store(c, 1, 1000);
	assert_true(finds(c, 1, 1000));
	assert_false(cache_dir_knows(c, 2));
	assert_int_equal(cache_backlog(c), 1);
	cache_close(&c);
	assert_null(c);
}

static void
what_is_written_is_found(void **state)
{
	struct cache *c = cache_dir_start(*state);
	struct cache_news news;

	store_many(c, 0, 2500, 1000);
	wait_written(c);
	assert_int_equal(count_found(c, 0, 2500, 1000), 2500);
	assert_false(cache_dir_knows(c, 2500));
	cache_take_news(c, &news);
	assert_int_equal(news.stored, 2500);
	assert_int_equal(news.lost, 0);
	assert_false(news.failed || news.full || news.swept);
	cache_take_news(c, &news);
	assert_int_equal(news.stored, 0);
	cache_close(&c);
}

static void
closing_writes_what_is_queued(void **state)
{
	struct cache *c = cache_dir_start(*state);

	store_many(c, 0, 3000, 1000);
	cache_close(&c);
	c = cache_dir_open(*state);
	assert_int_equal(count_found(c, 0, 3000, 1000), 3000);
	store(c, 3000, 1000);
	cache_close(&c); /* never started */
	c = cache_dir_open(*state);
	assert_true(finds(c, 3000, 1000));
	cache_close(&c);
}

static void
later_expiries_win(void **state)
{
	const struct record a = {{{50}, {1}, {0}, {70}, {30}}};
	const struct record b = {{{40}, {90}, {1}, {70}, {0}}};
	const struct record both = {{{50}, {90}, {1}, {70}, {30}}};
	struct record_key key = cache_dir_key(7);
	struct cache *c = cache_dir_start(*state);
	struct record r;

	assert_int_equal(cache_store(c, &key, &a), 0);
	wait_written(c);
	assert_int_equal(cache_store(c, &key, &b), 0);
	assert_true(cache_find(c, &key, &r)); /* queue over disk */
	assert_memory_equal(&r, &both, sizeof(r));
	wait_written(c);
	assert_true(cache_find(c, &key, &r)); /* disk */
	assert_memory_equal(&r, &both, sizeof(r));
	cache_close(&c);
}

static void
a_forgotten_client_is_unknown(void **state)
{
	struct record_key key = cache_dir_key(7);
	struct cache *c = cache_dir_start(*state);

	store(c, 7, 1000);
	assert_int_equal(cache_forget(c, &key), 0);
	assert_false(cache_dir_knows(c, 7));
	wait_written(c);
	assert_false(cache_dir_knows(c, 7));

	store(c, 7, 1000);
	wait_written(c);
	assert_int_equal(cache_forget(c, &key), 0);
	assert_false(cache_dir_knows(c, 7)); /* queue over disk */
	store(c, 7, 500);
	assert_true(finds(c, 7, 500)); /* not merged with what was forgotten */
	wait_written(c);
	assert_true(finds(c, 7, 500));

	assert_int_equal(cache_forget(c, &key), 0);
	cache_close(&c);
	c = cache_dir_open(*state);
	assert_false(cache_dir_knows(c, 7));
	cache_close(&c);
}

static void
the_queue_has_a_limit(void **state)
{
	struct cache *c = cache_dir_open(*state);
	struct record_key key = cache_dir_key(CACHE_QUEUE_MAX);
	struct record r = record_until(1);
	struct cache_news news;

	store_many(c, 0, CACHE_QUEUE_MAX, 1000);
	assert_int_equal(cache_store(c, &key, &r), -1);
	assert_int_equal(errno, ENOBUFS);
	store(c, 5, 2000); /* a known client needs no room */
	cache_take_news(c, &news);
	assert_int_equal(news.lost, 1);
	assert_int_equal(cache_backlog(c), CACHE_QUEUE_MAX);
	cache_close(&c);
}

static void
a_hundred_thousand(void **state)
{
	const unsigned n = 100000;
	struct cache *c = cache_dir_start(*state);

	for (unsigned i = 0; i < n; i++) {
		if (cache_backlog(c) >= CACHE_QUEUE_MAX)
			wait_written(c);
		store(c, i, 1000);
	}
	cache_close(&c);
	c = cache_dir_open(*state);
	assert_int_equal(count_found(c, 0, n, 1000), n);
	assert_false(cache_dir_knows(c, n));
	cache_close(&c);
}

/* --- sweeping ------------------------------------------------------------- */

static void
a_sweep_counts(void **state)
{
	struct cache *c = cache_dir_start(*state);
	struct cache_news news;

	store_many(c, 0, 2500, 1000);
	store_many(c, 2500, 4000, 2000);
	wait_written(c);
	cache_sweep(c, (struct wall){1000}); /* not before: equal stays */
	news = wait_swept(c);
	assert_int_equal(news.retained, 4000);
	assert_int_equal(news.dropped, 0);
	cache_sweep(c, (struct wall){1001});
	news = wait_swept(c);
	assert_int_equal(news.retained, 1500);
	assert_int_equal(news.dropped, 2500);
	assert_int_equal(count_found(c, 2500, 4000, 2000), 1500);
	for (unsigned i = 0; i < 2500; i++)
		assert_false(cache_dir_knows(c, i));
	cache_close(&c);
}

static void
a_sweep_of_nothing_ends(void **state)
{
	struct cache *c = cache_dir_start(*state);
	struct cache_news news;

	cache_sweep(c, (struct wall){1000});
	news = wait_swept(c);
	assert_int_equal(news.retained + news.dropped, 0);
	cache_close(&c);
}

static void
stores_go_on_during_a_sweep(void **state)
{
	struct cache *c = cache_dir_start(*state);
	struct cache_news news;
	bool has_swept = false;

	store_many(c, 0, 20000, 1000);
	wait_written(c);
	cache_sweep(c, (struct wall){1500});
	store_many(c, 20000, 25000, 2000);
	for (unsigned i = 0; i < 25000; i++) {
		if (i % 2 == 0)
			store(c, i, 3000);
	}
	wait_written(c);
	while (!has_swept) {
		cache_take_news(c, &news);
		has_swept = news.swept;
		usleep(1000);
	}
	for (unsigned i = 0; i < 25000; i += 2)
		assert_true(finds(c, i, 3000));
	assert_int_equal(count_found(c, 20000, 25000, 2000), 2500);
	cache_close(&c);
}

static void
everything_may_expire(void **state)
{
	struct cache *c = cache_dir_start(*state);
	struct cache_news news;

	store_many(c, 0, 5000, 1000);
	wait_written(c);
	cache_sweep(c, (struct wall){9999});
	news = wait_swept(c);
	assert_int_equal(news.dropped, 5000);
	cache_close(&c);
	c = cache_dir_open(*state); /* not taken for a truncated file */
	assert_false(cache_dir_knows(c, 1));
	cache_close(&c);
}

/* --- a full map ----------------------------------------------------------- */

static void
a_full_map_drops_the_oldest(void **state)
{
	struct cache_dir *d = *state;
	const int64_t far = INT64_C(1) << 40; /* not expired by any clock */
	struct cache_news news;
	bool was_full = false;
	struct cache *c;
	unsigned n = 0;

	d->map_bytes = 2u << 20;
	c = cache_dir_start(d);
	while (!was_full && n < 100000) {
		store_many(c, n, n + 1000, far + n);
		n += 1000;
		wait_written(c);
		cache_take_news(c, &news);
		was_full = news.full;
	}
	assert_true(was_full);
	assert_true(cache_is_usable(c));
	assert_int_equal(news.lost, 0);
	/* The batch that did not fit has found its room. */
	assert_int_equal(count_found(c, n - 1000, n, far + n - 1000), 1000);
	/* A tenth is gone, the oldest. */
	assert_false(cache_dir_knows(c, 0));
	assert_true(count_found(c, n - 2000, n - 1000, far + n - 2000) > 900);
	cache_close(&c);
	c = cache_dir_open(d);
	assert_int_equal(count_found(c, n - 1000, n, far + n - 1000), 1000);
	cache_close(&c);
}

static void
a_map_too_small_stores_nothing(void **state)
{
	struct cache_dir *d = *state;
	struct cache_news news, sum = {0};
	struct cache *c;

	d->map_bytes = 64 << 10;
	c = cache_dir_start(d);
	for (unsigned n = 0; n < 20000; n += 1000) {
		store_many(c, n, n + 1000, INT64_C(1) << 40);
		wait_written(c);
		cache_take_news(c, &news);
		sum.full |= news.full;
		sum.lost += news.lost;
	}
	assert_true(sum.full);
	assert_true(sum.lost > 0);
	assert_true(cache_is_usable(c));
	/* Said once, not with each batch. */
	assert_false(news.full);
	assert_int_equal(news.lost, 1000);
	cache_close(&c);
	c = cache_dir_open(d);
	cache_close(&c);
}

/* In a child with a mount table of its own: 0 when a disk that was full for a
 * while has harmed nothing. */
static int
fill_the_disk(struct cache_dir *d)
{
	struct cache_news news;
	char ballast[400];
	struct cache *c;
	unsigned n = 0;
	bool knows_all;
	int fd;

	if (unshare(CLONE_NEWNS) < 0 ||
	    mount("none", "/", "none", MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("tmpfs", d->dir, "tmpfs", 0, "size=2m,mode=700") < 0)
		return 77;
	snprintf(ballast, sizeof(ballast), "%s/ballast", d->dir);
	fd = open(ballast, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	if (fd < 0 || posix_fallocate(fd, 0, 1 << 20) != 0)
		return 2;
	c = cache_dir_start(d);
	do {
		store_many(c, n, n + 1000, INT64_C(1) << 40);
		n += 1000;
		wait_written(c);
		cache_take_news(c, &news);
		if (news.failed || n == 100000)
			return 3;
	} while (!news.full);
	cache_close(&c);
	if (ftruncate(fd, 0) < 0)
		return 4;
	c = cache_dir_start(d);
	store_many(c, n, n + 1000, INT64_C(1) << 40);
	wait_written(c);
	cache_take_news(c, &news);
	knows_all = cache_dir_knows(c, 1) && cache_dir_knows(c, n);
	cache_close(&c);
	close(fd);
	return news.full || news.failed || news.stored != 1000 || !knows_all;
}

static void
a_full_disk_is_no_damage(void **state)
{
	int status;
	pid_t pid;

	if (geteuid() != 0)
		skip();
	if ((pid = fork()) == 0)
		_exit(fill_the_disk(*state));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == 77)
		skip(); /* a container that may not mount */
	assert_int_equal(WEXITSTATUS(status), 0);
}

/* --- files that are no cache ---------------------------------------------- */

static void
write_file(const char *path, const void *bytes, size_t n)
{
	FILE *fp = fopen(path, "we");

	assert_non_null(fp);
	assert_int_equal(fwrite(bytes, 1, n, fp), n);
	assert_int_equal(fclose(fp), 0);
}

static void
patch_file(const char *path, long offset, const void *bytes, size_t n)
{
	FILE *fp = fopen(path, "r+e");

	assert_non_null(fp);
	assert_int_equal(fseek(fp, offset, SEEK_SET), 0);
	assert_int_equal(fwrite(bytes, 1, n, fp), n);
	assert_int_equal(fclose(fp), 0);
}

/* All but the two that say where the others are. */
static void
zero_pages(const struct cache_dir *d)
{
	static const char zeroes[4096];
	struct stat st;

	assert_int_equal(stat(d->path, &st), 0);
	for (long at = 2 * 4096; at < st.st_size; at += 4096)
		patch_file(d->path, at, zeroes, sizeof(zeroes));
}

static void
fill(const struct cache_dir *d)
{
	struct cache *c = cache_dir_open(d);

	store_many(c, 0, 5000, 1000);
	cache_close(&c);
}

static void
damage_garbage(const struct cache_dir *d)
{
	char bytes[20000];

	memset(bytes, 'x', sizeof(bytes));
	write_file(d->path, bytes, sizeof(bytes));
}

static void
damage_short_garbage(const struct cache_dir *d)
{
	write_file(d->path, "hello\n", 6);
}

static void
damage_zeroes(const struct cache_dir *d)
{
	static const char bytes[16384];

	write_file(d->path, bytes, sizeof(bytes));
}

static void
damage_truncated(const struct cache_dir *d)
{
	struct stat st;

	fill(d);
	assert_int_equal(stat(d->path, &st), 0);
	assert_int_equal(truncate(d->path, st.st_size / 2 / 4096 * 4096), 0);
}

static void
damage_last_page(const struct cache_dir *d)
{
	struct stat st;

	fill(d);
	assert_int_equal(stat(d->path, &st), 0);
	assert_int_equal(truncate(d->path, st.st_size - 4096), 0);
}

static void
damage_one_page_left(const struct cache_dir *d)
{
	fill(d);
	assert_int_equal(truncate(d->path, 4096), 0);
}

/* struct MDB_meta comes after a page header of 16 bytes: magic, version. */
static void
damage_other_version(const struct cache_dir *d)
{
	fill(d);
	patch_file(d->path, 16 + 4, "\2", 1);
	patch_file(d->path, 4096 + 16 + 4, "\2", 1);
}

static void
damage_tree(const struct cache_dir *d)
{
	fill(d);
	zero_pages(d);
}

/* Both meta pages have the number of the last page 136 bytes in. */
static void
damage_last_page_number(const struct cache_dir *d)
{
	static const uint8_t a_gigabyte[8] = {0, 0, 4};

	fill(d);
	patch_file(d->path, 136, a_gigabyte, 8);
	patch_file(d->path, 4096 + 136, a_gigabyte, 8);
}

static const struct {
	const char *name;
	void (*damage)(const struct cache_dir *d);
} damages[] = {
    {"garbage", damage_garbage},
    {"short garbage", damage_short_garbage},
    {"zeroes", damage_zeroes},
    {"half a file", damage_truncated},
    {"last page gone", damage_last_page},
    {"first page only", damage_one_page_left},
    {"other version", damage_other_version},
    {"pages of zeroes", damage_tree},
    {"a gigabyte, it says", damage_last_page_number},
};
enum { DAMAGES = sizeof(damages) / sizeof(damages[0]) };

static off_t
broken_bytes(const struct cache_dir *d)
{
	char path[sizeof(d->path) + 8];
	struct stat st;

	(void)snprintf(path, sizeof(path), "%s.broken", d->path);
	assert_int_equal(stat(path, &st), 0);
	return st.st_size;
}

static void
broken_files_are_set_aside(void **state)
{
	struct cache_dir *d = *state;

	for (size_t i = 0; i < DAMAGES; i++) {
		struct cache_options o = cache_dir_options(d);
		struct errtext why;
		struct cache *c;

		cache_dir_empty(d);
		damages[i].damage(d);
		c = cache_open(&o, &why);
		if (c == NULL || !cache_is_usable(c) ||
		    strstr(why.text, ".broken") == NULL ||
		    !cache_dir_has(d, "pass.broken"))
			fail_msg("%s: '%s'", damages[i].name, why.text);
		if (broken_bytes(d) > 64 * 1024 * 1024)
			fail_msg("%s: it has grown", damages[i].name);
		assert_false(cache_dir_knows(c, 1));
		store(c, 1, 1000);
		cache_close(&c);
		c = cache_dir_open(d);
		if (!finds(c, 1, 1000))
			fail_msg("%s: no new memory", damages[i].name);
		cache_close(&c);
	}
}

/* --- readers --------------------------------------------------------------- */

static struct cache_file *
open_to_read(
    const struct cache_dir *d, struct cache_place *place, struct errtext *why)
{
	assert_int_equal(
	    cache_place_init(place, d->path, (uid_t)-1, (gid_t)-1), 0);
	return cache_file_open_to_read(place, d->map_bytes, why);
}

/* A reader finds out what there is to find, by opening or by reading. */
static bool
reader_is_content(const struct cache_dir *d, struct errtext *why)
{
	struct cache_place place;
	struct cache_file *f = open_to_read(d, &place, why);
	struct cache_scanned scanned[64];
	struct record_key last, *after = NULL;
	bool good = f != NULL;
	size_t n = 64;

	while (good && n == 64) {
		good = cache_file_scan(f, after, scanned, 64, &n, why) ==
		       CACHE_FILE_DONE;
		if (good && n > 0)
			last = scanned[n - 1].key;
		after = &last;
	}
	cache_file_close(&f);
	cache_place_clear(&place);
	return good;
}

/* The file's bytes, and what else is in the directory. */
static uint64_t
look(const struct cache_dir *d, unsigned *names_r)
{
	uint64_t sum = 14695981039346656037u;
	FILE *fp = fopen(d->path, "re");
	struct dirent *entry;
	DIR *dir = opendir(d->dir);
	int c;

	assert_non_null(dir);
	*names_r = 0;
	while ((entry = readdir(dir)) != NULL)
		*names_r += entry->d_name[0] != '.';
	closedir(dir);
	if (fp == NULL)
		return 0;
	while ((c = getc(fp)) != EOF)
		sum = (sum ^ (unsigned char)c) * 1099511628211u;
	fclose(fp);
	return sum;
}

static void
readers_leave_a_broken_file_alone(void **state)
{
	struct cache_dir *d = *state;

	for (size_t i = 0; i < DAMAGES; i++) {
		struct errtext why;
		unsigned names, names_now;
		uint64_t bytes;

		cache_dir_empty(d);
		damages[i].damage(d);
		bytes = look(d, &names);
		if (reader_is_content(d, &why) ||
		    strstr(why.text, d->path) != why.text)
			fail_msg("%s: '%s'", damages[i].name, why.text);
		if (look(d, &names_now) != bytes || names_now != names)
			fail_msg("%s: changed", damages[i].name);
	}
}

/* A sound file whose database has another name. */
static void
make_foreign(const struct cache_dir *d)
{
	static char bytes[4 << 20];
	size_t n, at = 0;
	FILE *fp;

	fill(d);
	fp = fopen(d->path, "re");
	assert_non_null(fp);
	n = fread(bytes, 1, sizeof(bytes), fp);
	fclose(fp);
	assert_true(n < sizeof(bytes));
	for (; at + 4 <= n; at++)
		if (memcmp(bytes + at, "pass", 4) == 0)
			memcpy(bytes + at, "else", 4);
	write_file(d->path, bytes, n);
}

static void
damage_while_open_is_told_to_readers(void **state)
{
	static const char zeroes[4096];
	struct cache_dir *d = *state;
	struct record_key key = cache_dir_key(1);
	struct record r;
	struct cache_place place;
	struct cache_file *f;
	struct errtext why;
	struct stat st;

	fill(d);
	f = open_to_read(d, &place, &why);
	assert_int_equal(cache_file_get(f, &key, &r, &why), CACHE_FILE_DONE);
	assert_int_equal(stat(d->path, &st), 0);
	for (long at = 2 * 4096; at < st.st_size; at += 4096)
		patch_file(d->path, at, zeroes, sizeof(zeroes));
	assert_int_equal(cache_file_get(f, &key, &r, &why), CACHE_FILE_FAILED);
	assert_string_not_equal(why.text, "");
	cache_file_close(&f);
	cache_place_clear(&place);
	assert_true(cache_dir_has(d, "pass"));
	assert_false(cache_dir_has(d, "pass.broken"));
}

static void
readers_make_nothing(void **state)
{
	struct cache_dir *d = *state;
	struct errtext why;
	unsigned names;

	assert_false(reader_is_content(d, &why));
	assert_non_null(strstr(why.text, "there is no cache yet"));
	look(d, &names);
	assert_int_equal(names, 0);
	write_file(d->path, "", 0);
	assert_false(reader_is_content(d, &why));
	assert_non_null(strstr(why.text, "there is no cache yet"));
	look(d, &names);
	assert_int_equal(names, 1);
	/* Somebody else's database. */
	make_foreign(d);
	look(d, &names);
	assert_int_equal(names, 2);
	assert_false(reader_is_content(d, &why));
	assert_non_null(strstr(why.text, "no cache is in it"));
	assert_int_equal(unlink(d->path), 0);
	assert_int_equal(mkdir(d->path, 0700), 0);
	assert_false(reader_is_content(d, &why));
	assert_non_null(strstr(why.text, "not a regular file"));
	assert_int_equal(rmdir(d->path), 0);
}

/* With the lock file of LMDB and without; what a crash has left stays too. */
static void
readers_read(void **state)
{
	struct cache_dir *d = *state;
	char lock[sizeof(d->path) + 8], crashed[sizeof(d->path) + 8];
	struct record_key key = cache_dir_key(1);
	struct record r, want = record_until(1000);
	struct cache_place place;
	struct cache_file *f;
	struct errtext why;
	unsigned names, names_now;
	uint64_t bytes;

	fill(d);
	snprintf(crashed, sizeof(crashed), "%s.crashed", d->path);
	write_file(crashed, "x", 1);
	snprintf(lock, sizeof(lock), "%s-lock", d->path);
	for (int i = 0; i < 2; i++) {
		bytes = look(d, &names);
		assert_int_equal(names, 3 - i);
		f = open_to_read(d, &place, &why);
		assert_non_null(f);
		assert_string_equal(why.text, "");
		assert_int_equal(
		    cache_file_get(f, &key, &r, &why), CACHE_FILE_DONE);
		assert_memory_equal(&r, &want, sizeof(r));
		cache_file_close(&f);
		cache_place_clear(&place);
		assert_true(reader_is_content(d, &why));
		assert_int_equal(look(d, &names_now), bytes);
		assert_int_equal(names_now, names);
		assert_int_equal(i == 0 ? unlink(lock) : 0, 0);
	}
}

/* --- setting aside --------------------------------------------------------- */

static void
an_empty_file_is_begun(void **state)
{
	struct cache_dir *d = *state;
	struct cache *c;

	write_file(d->path, "", 0);
	c = cache_dir_open(d);
	assert_false(cache_dir_has(d, "pass.broken"));
	cache_close(&c);
}

/* What happens to the pages while the file is open is noticed, once. */
static void
damage_while_open_ends_the_memory(void **state)
{
	struct cache_dir *d = *state;
	struct record_key key = cache_dir_key(1);
	struct record r = record_until(1);
	struct cache_news news;
	struct cache *c;

	fill(d);
	c = cache_dir_start(d);
	assert_true(cache_dir_knows(c, 1));
	zero_pages(d);
	assert_false(cache_dir_knows(c, 1));
	assert_false(cache_is_usable(c));
	assert_int_equal(cache_store(c, &key, &r), -1);
	assert_int_equal(cache_forget(c, &key), -1);
	assert_false(cache_dir_knows(c, 1));
	cache_take_news(c, &news);
	assert_true(news.failed);
	assert_string_not_equal(news.why.text, "");
	cache_take_news(c, &news);
	assert_false(news.failed);
	cache_close(&c);
}

/* The file is set aside by then, and the cache begins with an empty one. */
static void
a_cache_that_has_failed_is_revived(void **state)
{
	struct cache_dir *d = *state;
	struct errtext why;
	struct cache *c;

	fill(d);
	c = cache_dir_start(d);
	assert_true(cache_dir_knows(c, 1));
	zero_pages(d);
	assert_false(cache_dir_knows(c, 1));
	assert_false(cache_is_usable(c));
	assert_true(cache_dir_has(d, "pass.broken"));
	assert_int_equal(cache_revive(c, &why), 0);
	assert_string_equal(why.text, "");
	assert_true(cache_is_usable(c));
	assert_false(cache_dir_knows(c, 1));
	store_many(c, 0, 2000, 1000);
	wait_written(c);
	assert_int_equal(count_found(c, 0, 2000, 1000), 2000);
	cache_close(&c);
	c = cache_dir_open(d);
	assert_int_equal(count_found(c, 0, 2000, 1000), 2000);
	cache_close(&c);
}

/* Nothing was wrong with the file itself: what is in it is there again. */
static void
a_cache_that_could_not_be_opened_is_revived(void **state)
{
	struct cache_dir *d = *state;
	struct cache_options o = cache_dir_options(d);
	char elsewhere[sizeof(d->path) + 8];
	struct errtext why;
	struct cache *c;

	fill(d);
	snprintf(elsewhere, sizeof(elsewhere), "%s.away", d->path);
	assert_int_equal(rename(d->path, elsewhere), 0);
	assert_int_equal(mkdir(d->path, 0700), 0);
	c = cache_open(&o, &why);
	assert_non_null(c);
	assert_false(cache_is_usable(c));
	assert_int_equal(cache_start(c, &why), 0);
	assert_int_equal(cache_revive(c, &why), -1);
	assert_non_null(strstr(why.text, "not a regular file"));
	assert_false(cache_dir_knows(c, 1));
	assert_int_equal(rmdir(d->path), 0);
	assert_int_equal(rename(elsewhere, d->path), 0);
	assert_int_equal(cache_revive(c, &why), 0);
	assert_string_equal(why.text, "");
	assert_true(cache_dir_knows(c, 1));
	store(c, 100000, 1000);
	wait_written(c);
	assert_true(finds(c, 100000, 1000));
	cache_close(&c);
}

enum { FILE_MAX = 4 * 1024 * 1024 };

static size_t
read_file(const char *path, char bytes[FILE_MAX])
{
	FILE *fp = fopen(path, "re");
	size_t n;

	assert_non_null(fp);
	n = fread(bytes, 1, FILE_MAX, fp);
	assert_true(n < FILE_MAX && ferror(fp) == 0);
	assert_int_equal(fclose(fp), 0);
	return n;
}

/* In some of them LMDB finds a page that its authors thought impossible, and
 * would end the process. */
static void
a_file_cut_off_anywhere_ends_no_process(void **state)
{
	struct cache_dir *d = *state;
	struct cache *c = cache_dir_start(d);
	/* (not from the heap: in the children it would be a leak) */
	static char bytes[FILE_MAX];
	size_t n;
	pid_t pid;
	int status;

	/* Many small commits: most pages have been free for a while. */
	for (unsigned i = 0; i < 20; i++) {
		for (unsigned k = i; k < 2000; k += 1 + i)
			store(c, k * 7919 % 2000, 1000 + i);
		wait_written(c);
	}
	cache_close(&c);
	n = read_file(d->path, bytes);
	for (size_t cut = 2 * 4096; cut < n; cut += 4096) {
		cache_dir_empty(d);
		write_file(d->path, bytes, cut);
		if ((pid = fork()) == 0) {
			struct cache_options o = cache_dir_options(d);
			struct errtext why;

			c = cache_open(&o, &why);
			_exit(c != NULL && cache_is_usable(c) ? 0 : 1);
		}
		assert_int_equal(waitpid(pid, &status, 0), pid);
		if (status != 0)
			fail_msg("%zu of %zu: %x", cut, n, (unsigned)status);
	}
}

/* --- places that cannot be used ------------------------------------------- */

static void
expect_no_memory(const char *path)
{
	const struct cache_options o = {
	    .path = path, .uid = (uid_t)-1, .gid = (gid_t)-1};
	struct record_key key = cache_dir_key(1);
	struct record r = record_until(1);
	struct cache_news news;
	struct errtext why;
	struct cache *c = cache_open(&o, &why);

	assert_non_null(c);
	if (cache_is_usable(c) || why.text[0] == '\0')
		fail_msg("%s: usable: %s", path, why.text);
	assert_int_equal(cache_start(c, &why), 0);
	assert_int_equal(cache_store(c, &key, &r), -1);
	assert_false(cache_find(c, &key, &r));
	cache_sweep(c, (struct wall){1});
	cache_take_news(c, &news);
	assert_false(news.swept);
	assert_int_equal(cache_backlog(c), 0);
	cache_before_fork(c);
	cache_after_fork_parent(c);
	assert_int_equal(cache_revive(c, &why), -1);
	assert_string_not_equal(why.text, "");
	assert_false(cache_is_usable(c));
	cache_close(&c);
}

static void
bad_places_leave_no_memory(void **state)
{
	struct cache_dir *d = *state;
	char path[600];

	snprintf(path, sizeof(path), "%s/no/such/pass", d->dir);
	expect_no_memory(path);
	snprintf(path, sizeof(path), "%s/", d->dir);
	expect_no_memory(path);
	expect_no_memory(d->dir);
	snprintf(path, sizeof(path), "%s/%0250d", d->dir, 1);
	expect_no_memory(path);
	snprintf(path, sizeof(path), "%s/sub", d->dir);
	assert_int_equal(mkdir(path, 0700), 0);
	expect_no_memory(path);
	assert_int_equal(rmdir(path), 0);
	expect_no_memory("/dev/null");
}

static void
expect_child(pid_t pid, int want)
{
	int status;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, want);
}

/* In a child: as a user who may not write here. */
static int
open_as_nobody(const struct cache_dir *d)
{
	struct cache_options o = cache_dir_options(d);
	struct errtext why;
	struct cache *c;
	bool is_as_it_should;

	if (setgid(NOBODY) < 0 || setuid(NOBODY) < 0)
		return 1;
	c = cache_open(&o, &why);
	is_as_it_should =
	    c != NULL && !cache_is_usable(c) && why.text[0] != '\0';
	cache_close(&c);
	return is_as_it_should ? 0 : 2;
}

static void
a_directory_of_others_leaves_no_memory(void **state)
{
	struct cache_dir *d = *state;
	pid_t pid;

	if (geteuid() != 0)
		skip();
	assert_int_equal(chmod(d->dir, 0755), 0);
	if ((pid = fork()) == 0)
		_exit(open_as_nobody(d));
	expect_child(pid, 0);
	fill(d);
	if ((pid = fork()) == 0)
		_exit(open_as_nobody(d));
	expect_child(pid, 0);
	assert_false(cache_dir_has(d, "pass.broken"));
}

static void
files_belong_to_the_owner(void **state)
{
	static const char *const names[] = {"", "-lock"};
	struct cache_dir *d = *state;
	struct cache_options o = cache_dir_options(d);
	char path[400], before[400], after[400];
	struct errtext why;
	struct cache *c;
	struct stat st;

	if (geteuid() != 0)
		skip();
	assert_int_equal(chown(d->dir, NOBODY, NOBODY), 0);
	assert_non_null(getcwd(before, sizeof(before)));
	o.uid = NOBODY;
	o.gid = NOBODY;
	c = cache_open(&o, &why);
	assert_non_null(c);
	assert_true(cache_is_usable(c));
	for (size_t i = 0; i < 2; i++) {
		snprintf(path, sizeof(path), "%s%s", d->path, names[i]);
		assert_int_equal(stat(path, &st), 0);
		assert_int_equal(st.st_uid, NOBODY);
		assert_int_equal(st.st_gid, NOBODY);
		assert_int_equal(st.st_mode & 07777, 0600);
	}
	assert_int_equal(geteuid(), 0);
	assert_int_equal(getegid(), 0);
	assert_non_null(getcwd(after, sizeof(after)));
	assert_string_equal(before, after);
	cache_close(&c);
}

/* --- several processes ---------------------------------------------------- */

static void
two_processes_share_a_file(void **state)
{
	const unsigned n = 3000;
	struct cache *c;
	pid_t pid;

	if ((pid = fork()) == 0) {
		c = cache_dir_start(*state);
		store_many(c, 0, n, 1000);
		wait_written(c);
		store_many(c, n, 2 * n, 5000);
		cache_close(&c);
		_exit(0);
	}
	c = cache_dir_start(*state);
	store_many(c, n, 2 * n, 1000);
	wait_written(c);
	store_many(c, 0, n, 5000);
	wait_written(c);
	expect_child(pid, 0);
	assert_int_equal(count_found(c, 0, 2 * n, 5000), 2 * n);
	cache_close(&c);
}

/* In a child that will be killed: say how many are on the disk. */
static void
store_for_ever(const struct cache_dir *d, int out)
{
	struct cache *c = cache_dir_start(d);
	unsigned n = 0;

	for (;;) {
		store_many(c, n, n + 300, 1000);
		n += 300;
		wait_written(c);
		if (write(out, &n, sizeof(n)) != sizeof(n))
			_exit(1);
	}
}

static void
a_killed_writer_harms_nothing(void **state)
{
	struct cache_dir *d = *state;
	unsigned confirmed = 0, n;
	int ends[2];
	struct cache *c;
	pid_t pid;

	assert_int_equal(pipe(ends), 0);
	if ((pid = fork()) == 0)
		store_for_ever(d, ends[1]);
	close(ends[1]);
	for (int i = 0; i < 3; i++)
		assert_int_equal(read(ends[0], &n, sizeof(n)), sizeof(n));
	usleep(CACHE_BATCH_MS * 1000 + 2000); /* within the next commit */
	assert_int_equal(kill(pid, SIGKILL), 0);
	expect_child(pid, SIGKILL);
	while (read(ends[0], &n, sizeof(n)) == sizeof(n))
		confirmed = n;
	close(ends[0]);
	c = cache_dir_start(d);
	assert_false(cache_dir_has(d, "pass.broken"));
	assert_int_equal(count_found(c, 0, confirmed, 1000), confirmed);
	store(c, 999999, 1000); /* its write lock is free */
	wait_written(c);
	cache_close(&c);
}

/* The retiring daemon and its drain child; `alive` closes when both are gone. */
static void
fork_and_drain(const struct cache_dir *d, unsigned n, useconds_t wait)
{
	struct cache *c = cache_dir_start(d);
	struct errtext why;
	pid_t pid;

	store_many(c, 0, n, 1000);
	usleep(wait);
	cache_before_fork(c);
	if ((pid = fork()) != 0) {
		if (pid > 0)
			cache_after_fork_parent(c);
		_exit(pid < 0);
	}
	cache_after_fork_child(c, &why);
	/* Everything is known at once, and all that comes later is kept. */
	if (why.text[0] != '\0' || !cache_is_usable(c) ||
	    count_found(c, 0, n, 1000) != n)
		_exit(2);
	store_many(c, n, n + 500, 1000);
	cache_close(&c);
	_exit(0);
}

static void
a_drain_child_loses_nothing(void **state)
{
	static const useconds_t waits[] = {0, 300, 1000, 3000, 10000, 40000,
	    CACHE_BATCH_MS * 1000, CACHE_BATCH_MS * 1000 + 2000};
	const unsigned n = HAS_ASAN ? CACHE_BATCH_MIN - 100 : 4321;
	const size_t cases = HAS_ASAN ? 1 : sizeof(waits) / sizeof(waits[0]);
	struct cache_dir *d = *state;

	for (size_t i = 0; i < cases; i++) {
		struct cache *c;
		int ends[2];
		char byte;
		pid_t pid;

		cache_dir_empty(d);
		assert_int_equal(pipe(ends), 0);
		if ((pid = fork()) == 0) {
			close(ends[0]);
			fork_and_drain(d, n, waits[i]);
		}
		close(ends[1]);
		expect_child(pid, 0);
		assert_int_equal(read(ends[0], &byte, 1), 0);
		close(ends[0]);
		c = cache_dir_open(d);
		assert_int_equal(count_found(c, 0, n + 500, 1000), n + 500);
		cache_close(&c);
	}
}

/* After chroot(2) and setuid(2) the path leads nowhere, the descriptor does. */
static void
drain_in_jail(const struct cache_dir *d)
{
	struct cache_options o = cache_dir_options(d);
	struct errtext why;
	struct cache *c;
	struct stat st;
	pid_t pid;

	o.uid = NOBODY;
	o.gid = NOBODY;
	if ((c = cache_open(&o, &why)) == NULL || chroot("/proc") < 0 ||
	    chdir("/") < 0 || setgid(NOBODY) < 0 || setuid(NOBODY) < 0 ||
	    cache_start(c, &why) < 0)
		_exit(3);
	store_many(c, 0, 100, 1000);
	cache_before_fork(c);
	if ((pid = fork()) != 0)
		_exit(pid < 0);
	cache_after_fork_child(c, &why);
	/* The working directory is as before. */
	if (!cache_is_usable(c) || stat("self/stat", &st) < 0)
		_exit(4);
	store_many(c, 100, 200, 1000);
	cache_close(&c);
	_exit(0);
}

static void
a_jailed_drain_child_finds_the_file(void **state)
{
	struct cache_dir *d = *state;
	struct cache *c;
	int ends[2];
	char byte;
	pid_t pid;

	if (geteuid() != 0)
		skip();
	assert_int_equal(chown(d->dir, NOBODY, NOBODY), 0);
	assert_int_equal(pipe(ends), 0);
	if ((pid = fork()) == 0)
		drain_in_jail(d);
	close(ends[1]);
	expect_child(pid, 0);
	assert_int_equal(read(ends[0], &byte, 1), 0);
	close(ends[0]);
	c = cache_dir_open(d);
	assert_int_equal(count_found(c, 0, 200, 1000), 200);
	cache_close(&c);
}

static void
a_failed_fork_changes_nothing(void **state)
{
	struct cache *c = cache_dir_start(*state);

	store(c, 1, 1000);
	cache_before_fork(c);
	cache_after_fork_parent(c);
	store(c, 2, 1000);
	wait_written(c);
	assert_int_equal(count_found(c, 1, 3, 1000), 2);
	cache_close(&c);
}

#define TEST(name)                       \
	cmocka_unit_test_setup_teardown( \
	    name, cache_dir_setup, cache_dir_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(what_is_stored_is_found_at_once),
	    TEST(what_is_written_is_found),
	    TEST(closing_writes_what_is_queued),
	    TEST(later_expiries_win),
	    TEST(a_forgotten_client_is_unknown),
	    TEST(the_queue_has_a_limit),
	    TEST(a_hundred_thousand),
	    TEST(a_sweep_counts),
	    TEST(a_sweep_of_nothing_ends),
	    TEST(stores_go_on_during_a_sweep),
	    TEST(everything_may_expire),
	    TEST(a_full_map_drops_the_oldest),
	    TEST(a_map_too_small_stores_nothing),
	    TEST(a_full_disk_is_no_damage),
	    TEST(broken_files_are_set_aside),
	    TEST(readers_leave_a_broken_file_alone),
	    TEST(damage_while_open_is_told_to_readers),
	    TEST(readers_make_nothing),
	    TEST(readers_read),
	    TEST(an_empty_file_is_begun),
	    TEST(damage_while_open_ends_the_memory),
	    TEST(a_file_cut_off_anywhere_ends_no_process),
	    TEST(a_cache_that_has_failed_is_revived),
	    TEST(a_cache_that_could_not_be_opened_is_revived),
	    TEST(bad_places_leave_no_memory),
	    TEST(a_directory_of_others_leaves_no_memory),
	    TEST(files_belong_to_the_owner),
	    TEST(two_processes_share_a_file),
	    TEST(a_killed_writer_harms_nothing),
	    TEST(a_drain_child_loses_nothing),
	    TEST(a_jailed_drain_child_finds_the_file),
	    TEST(a_failed_fork_changes_nothing),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
