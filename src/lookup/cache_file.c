/* SPDX-License-Identifier: ISC */
#include "lookup/cache_file.h"

#include <errno.h>
#include <fcntl.h>
#include <lmdb.h>
#include <pthread.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/mem.h"
#include "lookup/cache_env.h"
#include "lookup/cache_guard.h"

/* Commits are synchronous. With MDB_NOSYNC a power failure could leave a meta
 * page that points to pages never written; who calls cache_file_apply() is a
 * thread that may wait. No MDB_WRITEMAP: a full disk would be a SIGBUS. */

enum { DISK_FULL_BYTES = 64 * 1024 };

struct cache_file {
	struct cache_env lmdb;
	const struct cache_place *place;
	bool only_reads;
};

/* --- what a return code means --------------------------------------------- */

static enum cache_file_status
status_of(struct cache_file *f, int rc, const char *doing, struct errtext *why)
{
	switch (rc) {
	case MDB_SUCCESS:
		return CACHE_FILE_DONE;
	case MDB_NOTFOUND:
		return CACHE_FILE_ABSENT;
	case MDB_MAP_FULL:
	case ENOSPC:
	case EDQUOT:
		errtext_set(why, "%s: %s", doing, mdb_strerror(rc));
		return CACHE_FILE_FULL;
	case ENOMEM:
		errtext_set(why, "%s: %s", doing, mdb_strerror(rc));
		return CACHE_FILE_NO_MEMORY;
	default:
		errtext_set(why, "%s: %s", doing, mdb_strerror(rc));
		if (!f->only_reads && cache_env_is_unsound(rc) &&
		    cache_place_set_aside(f->place, &f->lmdb.opened) == 0)
			errtext_set(why, "%s: %s; set aside as %s.broken",
			    doing, mdb_strerror(rc), f->place->path);
		return CACHE_FILE_FAILED;
	}
}

static MDB_val
val_of(const void *p, size_t n)
{
	MDB_val val;

	/* LMDB has no const; it does not write through what we hand in. */
	memcpy(&val.mv_data, &p, sizeof(p));
	val.mv_size = n;
	return val;
}

static struct span
span_of_val(const MDB_val *val)
{
	return span_of(val->mv_data, val->mv_size);
}

/* --- opening -------------------------------------------------------------- */

static int
try_open(
    const struct cache_place *place, size_t map_bytes, struct cache_file **f_r)
{
	struct cache_file *f = mem_new(sizeof(*f));
	int rc;

	if (f == NULL)
		return ENOMEM;
	f->place = place;
	cache_guard_enter();
	rc = cache_env_open(&f->lmdb, place, map_bytes);
	cache_guard_leave();
	if (rc != 0)
		cache_file_close(&f);
	*f_r = f;
	return rc;
}

static struct cache_file *
open_or_begin_anew(
    const struct cache_place *place, size_t map_bytes, struct errtext *why)
{
	struct cache_file *f = NULL;
	struct stat before;
	int rc, again;

	if (fstatat(place->dir, place->name, &before, 0) < 0)
		memset(&before, 0, sizeof(before));
	else if (!S_ISREG(before.st_mode)) {
		errtext_set(why, "%s: not a regular file", place->path);
		return NULL;
	}
	if ((rc = try_open(place, map_bytes, &f)) == 0)
		return f;
	errtext_set(why, "%s: %s", place->path, mdb_strerror(rc));
	if (!cache_env_is_unsound(rc))
		return NULL;
	if (cache_place_set_aside(place, &before) < 0) {
		errtext_set(why, "%s: %s; cannot rename it: %s", place->path,
		    mdb_strerror(rc), mdb_strerror(errno));
		return NULL;
	}
	if ((again = try_open(place, map_bytes, &f)) == 0)
		errtext_set(why, "%s: %s; set aside as %s.broken", place->path,
		    mdb_strerror(rc), place->path);
	else
		errtext_set(why, "%s: cannot begin a new file: %s", place->path,
		    mdb_strerror(again));
	return f;
}

struct cache_file *
cache_file_open(
    const struct cache_place *place, size_t map_bytes, struct errtext *why)
{
	struct cache_file *f;
	struct cache_visit visit;
	bool had_crashed;

	errtext_set(why, "%s", "");
	if (cache_place_enter(place, &visit) < 0) {
		errtext_set(why, "%s: %s", place->path, mdb_strerror(errno));
		return NULL;
	}
	had_crashed = cache_place_had_crashed(place);
	f = open_or_begin_anew(place, map_bytes, why);
	if (f != NULL && had_crashed)
		errtext_set(why,
		    "%s: a process has crashed in it; set aside as %s.broken",
		    place->path, place->path);
	if (cache_place_leave(&visit) < 0) {
		errtext_set(why, "%s: no way back from its directory: %s",
		    place->path, mdb_strerror(errno));
		cache_file_close(&f);
	}
	return f;
}

static struct cache_file *
open_to_read(
    const struct cache_place *place, size_t map_bytes, struct errtext *why)
{
	struct cache_file *f = mem_new(sizeof(*f));
	int rc = ENOMEM;

	if (f != NULL) {
		f->place = place;
		f->only_reads = true;
		cache_guard_enter();
		rc = cache_env_open_to_read(&f->lmdb, place, map_bytes);
		cache_guard_leave();
	}
	if (rc == 0)
		return f;
	cache_file_close(&f);
	errtext_set(why, "%s: %s", place->path,
	    rc == MDB_NOTFOUND ? "no cache is in it" : mdb_strerror(rc));
	return NULL;
}

/* LMDB waits for the other end of a pipe, and begins an empty file. */
static int
check_regular(const struct cache_place *place, struct errtext *why)
{
	struct stat st;
	int error = 0;

	if (fstatat(place->dir, place->name, &st, 0) < 0)
		error = errno;
	else if (!S_ISREG(st.st_mode)) {
		errtext_set(why, "%s: not a regular file", place->path);
		return -1;
	} else if (st.st_size > 0)
		return 0;
	errtext_set(why, "%s: %s", place->path,
	    error == 0 || error == ENOENT ? "there is no cache yet"
					  : mdb_strerror(error));
	return -1;
}

struct cache_file *
cache_file_open_to_read(
    const struct cache_place *place, size_t map_bytes, struct errtext *why)
{
	struct cache_file *f = NULL;
	struct cache_visit visit;

	errtext_set(why, "%s", "");
	if (cache_place_enter(place, &visit) < 0) {
		errtext_set(why, "%s: %s", place->path, mdb_strerror(errno));
		return NULL;
	}
	if (check_regular(place, why) == 0)
		f = open_to_read(place, map_bytes, why);
	if (cache_place_leave(&visit) < 0) {
		errtext_set(why, "%s: no way back from its directory: %s",
		    place->path, mdb_strerror(errno));
		cache_file_close(&f);
	}
	return f;
}

void
cache_file_close(struct cache_file **f)
{
	if (*f == NULL)
		return;
	cache_guard_enter();
	cache_env_close(&(*f)->lmdb);
	cache_guard_leave();
	cache_guard_end();
	mem_free(*f);
	*f = NULL;
}

/* The environment may not be freed, yet nothing of ours points to it from now
 * on: this thread remembers it, for the sake of leak checkers. */
void
cache_file_abandon(struct cache_file **f)
{
	pthread_key_t key;

	cache_guard_end();
	if (pthread_key_create(&key, NULL) == 0)
		pthread_setspecific(key, *f);
	*f = NULL;
}

/* --- the loop's side ------------------------------------------------------ */

enum cache_file_status
cache_file_get(struct cache_file *f, const struct record_key *key,
    struct record *record_r, struct errtext *why)
{
	MDB_val k = val_of(key->bytes, key->n), v;
	int rc;

	cache_guard_enter();
	if ((rc = mdb_txn_renew(f->lmdb.reading)) == 0) {
		rc = mdb_get(f->lmdb.reading, f->lmdb.pass, &k, &v);
		if (rc == 0 && record_decode(span_of_val(&v), record_r) < 0)
			rc = MDB_NOTFOUND;
		mdb_txn_reset(f->lmdb.reading);
	}
	cache_guard_leave();
	return status_of(f, rc, "cache lookup", why);
}

/* --- the writer's side ---------------------------------------------------- */

void
cache_file_warm(struct cache_file *f)
{
	int fd;

	if (mdb_env_get_fd(f->lmdb.env, &fd) == 0)
		posix_fadvise(fd, 0, 0, POSIX_FADV_WILLNEED);
}

static bool
is_disk_full(MDB_env *env)
{
	struct statvfs fs;
	int fd;

	return mdb_env_get_fd(env, &fd) == 0 && fstatvfs(fd, &fs) == 0 &&
	       fs.f_bavail * fs.f_frsize < DISK_FULL_BYTES;
}

/* A disk that fills up in the middle of a write makes it a short one, and that
 * is EIO to LMDB. The file is sound: its meta page was not written. */
static int
commit(struct cache_file *f, MDB_txn *txn)
{
	int rc = mdb_txn_commit(txn);

	if (rc == 0)
		cache_env_mend_length(f->lmdb.env);
	else if (rc == EIO && is_disk_full(f->lmdb.env))
		rc = ENOSPC;
	return rc;
}

/* All of it, or nothing. */
static int
end(struct cache_file *f, MDB_txn *txn, int rc)
{
	if (rc == 0)
		return commit(f, txn);
	mdb_txn_abort(txn);
	return rc;
}

static int
forget(struct cache_file *f, MDB_txn *txn, const struct record_key *key)
{
	MDB_val k = val_of(key->bytes, key->n);
	int rc = mdb_del(txn, f->lmdb.pass, &k, NULL);

	return rc == MDB_NOTFOUND ? 0 : rc;
}

static int
store(struct cache_file *f, MDB_txn *txn, const struct cache_change *change)
{
	MDB_val k = val_of(change->key.bytes, change->key.n), v;
	struct record record = change->record, stored;
	uint8_t bytes[RECORD_BYTES];
	int rc =
	    change->forget ? MDB_NOTFOUND : mdb_get(txn, f->lmdb.pass, &k, &v);

	if (rc == 0 && record_decode(span_of_val(&v), &stored) == 0)
		record_merge(&record, &stored);
	else if (rc != 0 && rc != MDB_NOTFOUND)
		return rc;
	record_encode(&record, bytes);
	/* Nothing new is no reason to dirty a page. */
	if (rc == 0 && v.mv_size == sizeof(bytes) &&
	    memcmp(v.mv_data, bytes, sizeof(bytes)) == 0)
		return 0;
	v = val_of(bytes, sizeof(bytes));
	return mdb_put(txn, f->lmdb.pass, &k, &v, 0);
}

static int
apply(struct cache_file *f, const struct cache_change *changes, size_t n)
{
	MDB_txn *txn;
	int rc = mdb_txn_begin(f->lmdb.env, NULL, 0, &txn);

	if (rc != 0)
		return rc;
	for (size_t i = 0; i < n && rc == 0; i++)
		rc = changes[i].store ? store(f, txn, &changes[i])
				      : forget(f, txn, &changes[i].key);
	return end(f, txn, rc);
}

enum cache_file_status
cache_file_apply(struct cache_file *f, const struct cache_change *changes,
    size_t n, struct errtext *why)
{
	int rc;

	cache_guard_enter();
	rc = apply(f, changes, n);
	cache_guard_leave();
	return status_of(f, rc, "cache update", why);
}

/* In the order of LMDB. */
static bool
is_behind(const MDB_val *k, const MDB_val *before)
{
	size_t n = k->mv_size < before->mv_size ? k->mv_size : before->mv_size;
	int order = memcmp(k->mv_data, before->mv_data, n);

	return order > 0 || (order == 0 && k->mv_size > before->mv_size);
}

/* --- notes ----------------------------------------------------------------- */

static int
keep(struct cache_file *f, MDB_txn *txn, const struct cache_note *note)
{
	MDB_val k = val_of(note->key.bytes, note->key.n);
	MDB_val v = val_of(note->bytes, note->n);
	int rc;

	if (!note->drop)
		return mdb_put(txn, f->lmdb.notes, &k, &v, 0);
	rc = mdb_del(txn, f->lmdb.notes, &k, NULL);
	return rc == MDB_NOTFOUND ? 0 : rc;
}

static int
keep_all(struct cache_file *f, const struct cache_note *notes, size_t n)
{
	MDB_txn *txn;
	int rc = mdb_txn_begin(f->lmdb.env, NULL, 0, &txn);

	if (rc != 0)
		return rc;
	for (size_t i = 0; i < n && rc == 0; i++)
		rc = keep(f, txn, &notes[i]);
	return end(f, txn, rc);
}

enum cache_file_status
cache_file_keep(struct cache_file *f, const struct cache_note *notes, size_t n,
    struct errtext *why)
{
	int rc;

	cache_guard_enter();
	rc = keep_all(f, notes, n);
	cache_guard_leave();
	return status_of(f, rc, "cache notes", why);
}

/* Keys that do not ascend are garbage, and could be walked for ever. */
static int
walk_notes(MDB_cursor *cursor, cache_note_fn *fn, void *arg)
{
	MDB_val k, v, before = val_of("", 0);
	int rc = mdb_cursor_get(cursor, &k, &v, MDB_FIRST);

	for (; rc == 0; rc = mdb_cursor_get(cursor, &k, &v, MDB_NEXT)) {
		if (!is_behind(&k, &before))
			return MDB_CORRUPTED;
		before = k;
		fn(span_of_val(&k), span_of_val(&v), arg);
	}
	return rc == MDB_NOTFOUND ? 0 : rc;
}

enum cache_file_status
cache_file_each_note(
    struct cache_file *f, cache_note_fn *fn, void *arg, struct errtext *why)
{
	MDB_cursor *cursor;
	MDB_txn *txn;
	int rc;

	if (!f->lmdb.has_notes)
		return CACHE_FILE_DONE;
	cache_guard_enter();
	if ((rc = mdb_txn_begin(f->lmdb.env, NULL, MDB_RDONLY, &txn)) == 0) {
		rc = mdb_cursor_open(txn, f->lmdb.notes, &cursor);
		if (rc == 0) {
			rc = walk_notes(cursor, fn, arg);
			mdb_cursor_close(cursor);
		}
		mdb_txn_abort(txn);
	}
	cache_guard_leave();
	return status_of(f, rc, "cache notes", why);
}

/* --- totals ---------------------------------------------------------------- */

static int
add_total(struct cache_file *f, const struct cache_total *total)
{
	MDB_txn *txn;
	int rc = mdb_txn_begin(f->lmdb.env, NULL, 0, &txn);

	if (rc != 0)
		return rc;
	return end(f, txn, cache_total_put(txn, f->lmdb.totals, total));
}

enum cache_file_status
cache_file_total(
    struct cache_file *f, const struct cache_total *total, struct errtext *why)
{
	int rc;

	cache_guard_enter();
	rc = add_total(f, total);
	cache_guard_leave();
	return status_of(f, rc, "cache totals", why);
}

enum cache_file_status
cache_file_each_total(struct cache_file *f, uint32_t from, cache_total_fn *fn,
    void *arg, struct errtext *why)
{
	MDB_txn *txn;
	int rc;

	if (!f->lmdb.has_totals)
		return CACHE_FILE_DONE;
	cache_guard_enter();
	if ((rc = mdb_txn_begin(f->lmdb.env, NULL, MDB_RDONLY, &txn)) == 0) {
		rc = cache_total_walk(txn, f->lmdb.totals, from, fn, arg);
		mdb_txn_abort(txn);
	}
	cache_guard_leave();
	return status_of(f, rc, "cache totals", why);
}

/* --- sweeps ---------------------------------------------------------------- */

static struct wall
last_of(const MDB_val *v)
{
	struct record record;

	if (record_decode(span_of_val(v), &record) < 0)
		return (struct wall){RECORD_NEVER};
	return record_last(&record);
}

/* To the first key behind `after`. */
static int
seek(MDB_cursor *cursor, const struct record_key *after, MDB_val *k, MDB_val *v)
{
	int rc;

	if (after == NULL)
		return mdb_cursor_get(cursor, k, v, MDB_FIRST);
	*k = val_of(after->bytes, after->n);
	rc = mdb_cursor_get(cursor, k, v, MDB_SET_RANGE);
	if (rc == 0 && k->mv_size == after->n &&
	    memcmp(k->mv_data, after->bytes, after->n) == 0)
		rc = mdb_cursor_get(cursor, k, v, MDB_NEXT);
	return rc;
}

/* Keys that do not ascend are garbage, and could be walked for ever. */
static int
scan(MDB_cursor *cursor, const struct record_key *after,
    struct cache_scanned *scanned, size_t max, size_t *n_r)
{
	MDB_val k, v, before = val_of("", 0);
	size_t n = 0;
	int rc = seek(cursor, after, &k, &v);

	if (after != NULL)
		before = val_of(after->bytes, after->n);
	while (rc == 0 && n < max) {
		if (!is_behind(&k, &before))
			return MDB_CORRUPTED;
		before = k;
		/* A longer key is not ours to judge. */
		if (k.mv_size <= RECORD_KEY_MAX) {
			scanned[n].key.n = (uint8_t)k.mv_size;
			memcpy(scanned[n].key.bytes, k.mv_data, k.mv_size);
			scanned[n++].last = last_of(&v);
		}
		rc = mdb_cursor_get(cursor, &k, &v, MDB_NEXT);
	}
	*n_r = n;
	return rc == MDB_NOTFOUND ? 0 : rc;
}

enum cache_file_status
cache_file_scan(struct cache_file *f, const struct record_key *after,
    struct cache_scanned *scanned, size_t max, size_t *n_r, struct errtext *why)
{
	MDB_cursor *cursor;
	MDB_txn *txn;
	int rc;

	*n_r = 0;
	cache_guard_enter();
	if ((rc = mdb_txn_begin(f->lmdb.env, NULL, MDB_RDONLY, &txn)) == 0) {
		rc = mdb_cursor_open(txn, f->lmdb.pass, &cursor);
		if (rc == 0) {
			rc = scan(cursor, after, scanned, max, n_r);
			mdb_cursor_close(cursor);
		}
		mdb_txn_abort(txn);
	}
	cache_guard_leave();
	return status_of(f, rc, "cache sweep", why);
}

/* Once more in the transaction: since the scan another process may have
 * given the record new life. */
static int
remove_expired(struct cache_file *f, MDB_txn *txn, const struct record_key *key,
    struct wall before, size_t *dropped)
{
	MDB_val k = val_of(key->bytes, key->n), v;
	int rc = mdb_get(txn, f->lmdb.pass, &k, &v);

	if (rc == 0 && last_of(&v).s < before.s) {
		rc = mdb_del(txn, f->lmdb.pass, &k, NULL);
		(*dropped)++;
	}
	return rc == MDB_NOTFOUND ? 0 : rc;
}

static int
remove_all(struct cache_file *f, const struct record_key *keys, size_t n,
    struct wall before, size_t *dropped_r)
{
	MDB_txn *txn;
	size_t dropped = 0;
	int rc = mdb_txn_begin(f->lmdb.env, NULL, 0, &txn);

	*dropped_r = 0;
	if (rc != 0)
		return rc;
	for (size_t i = 0; i < n && rc == 0; i++)
		rc = remove_expired(f, txn, &keys[i], before, &dropped);
	if ((rc = end(f, txn, rc)) == 0)
		*dropped_r = dropped;
	return rc;
}

enum cache_file_status
cache_file_remove(struct cache_file *f, const struct record_key *keys, size_t n,
    struct wall before, size_t *dropped_r, struct errtext *why)
{
	int rc;

	cache_guard_enter();
	rc = remove_all(f, keys, n, before, dropped_r);
	cache_guard_leave();
	return status_of(f, rc, "cache sweep", why);
}

const char *
cache_file_version(void)
{
	int major, minor, patch;

	/* "LMDB 0.9.24: (July 24, 2019)" */
	return mdb_version(&major, &minor, &patch);
}
