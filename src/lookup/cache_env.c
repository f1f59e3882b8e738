/* SPDX-License-Identifier: ISC */
#include "lookup/cache_env.h"

#include <errno.h>
#include <fcntl.h>
#include <lmdb.h>
#include <poll.h>
#include <setjmp.h>
#include <stdbool.h>
#include <unistd.h>

#include "lookup/cache_guard.h"

/* Written against LMDB 0.9.24, whose habits shape it:
 *
 * - A file shorter than its meta page says is a SIGBUS at some later lookup, so
 *   the length is looked at before any page is read. LMDB itself may leave the
 *   file short by pages that it freed again in the transaction which took them
 *   from the end; cache_env_mend_length() makes up for these after each commit,
 *   and, when the power has failed in between, the next one who opens it. Then
 *   all pages are looked at: those of a file that was cut off are missed.
 * - It does not look at a page before it believes it: whoever calls it is
 *   inside cache_guard. What it does find wrong, cache_env_is_unsound() knows.
 * - Closing any descriptor of the lock file drops the POSIX locks of the
 *   process on it. So an environment is open once in a process at most, and
 *   what a fork inherited is never closed.
 * - The map has its size from the start: mdb_env_set_mapsize() unmaps under the
 *   feet of the other thread's transaction. */

enum { DATABASES_MAX = 8, DATABASE_FLAGS = 0 };
/* LMDB's own: their numbers never change. */
enum { FREE_PAGES = 0, DATABASES = 1 };
enum { SHORT_BYTES_MAX = 64 * 1024 * 1024 };
enum { MEND_LOOKS_MAX = 50, MEND_LOOK_MS = 10 };
#define DATABASE_NAME "pass"
#define NOTES_NAME "notes"
#define TOTALS_NAME "totals"

/* The file itself is the fault: it can be set aside. The second half are no
 * mistakes of ours either; pages of garbage lead to them. */
bool
cache_env_is_unsound(int rc)
{
	return rc == MDB_INVALID || rc == MDB_VERSION_MISMATCH ||
	       rc == MDB_CORRUPTED || rc == MDB_PAGE_NOTFOUND ||
	       rc == MDB_INCOMPATIBLE || rc == MDB_PAGE_FULL ||
	       rc == MDB_CURSOR_FULL || rc == MDB_TXN_FULL ||
	       rc == MDB_BAD_TXN || rc == MDB_BAD_VALSIZE || rc == EFAULT;
}

/* --- the length ------------------------------------------------------------ */

enum length { LENGTH_UNKNOWN, LENGTH_RIGHT, LENGTH_SHORT, LENGTH_ABSURD };

/* Is the file as long as its meta page says? What is missing was taken and freed
 * by one transaction: SHORT_BYTES_MAX is far more than a batch of ours takes. */
static enum length
look_at_length(MDB_env *env, int *fd_r, off_t *want_r)
{
	MDB_envinfo info;
	MDB_stat env_stat;
	struct stat st;

	if (mdb_env_info(env, &info) != 0 ||
	    mdb_env_stat(env, &env_stat) != 0 ||
	    mdb_env_get_fd(env, fd_r) != 0 || fstat(*fd_r, &st) < 0)
		return LENGTH_UNKNOWN;
	*want_r = (off_t)((info.me_last_pgno + 1) * env_stat.ms_psize);
	if (st.st_size >= *want_r)
		return LENGTH_RIGHT;
	return *want_r - st.st_size > SHORT_BYTES_MAX ? LENGTH_ABSURD
						      : LENGTH_SHORT;
}

/* Under the write lock, so that no other process lengthens the file between
 * our look and our ftruncate(). */
void
cache_env_mend_length(MDB_env *env)
{
	MDB_txn *txn;
	off_t want;
	int fd;

	if (look_at_length(env, &fd, &want) != LENGTH_SHORT ||
	    mdb_txn_begin(env, NULL, 0, &txn) != 0)
		return;
	if (look_at_length(env, &fd, &want) == LENGTH_SHORT)
		(void)!ftruncate(fd, want);
	mdb_txn_abort(txn);
}

/* What LMDB would call it. */
static int
code_of(enum length length)
{
	switch (length) {
	case LENGTH_RIGHT:
		return 0;
	case LENGTH_UNKNOWN:
		return EIO;
	case LENGTH_SHORT:
	case LENGTH_ABSURD:
		break;
	}
	return MDB_CORRUPTED;
}

/* A process that has just committed may be about to mend the length: look
 * again with the write lock, which it holds while it does. */
static int
check_length(MDB_env *env, bool *was_short_r)
{
	MDB_txn *txn;
	off_t want;
	int fd, rc;
	enum length length = look_at_length(env, &fd, &want);

	*was_short_r = false;
	if (length != LENGTH_SHORT)
		return code_of(length);
	if ((rc = mdb_txn_begin(env, NULL, 0, &txn)) != 0)
		return rc;
	length = look_at_length(env, &fd, &want);
	if (length == LENGTH_SHORT) {
		*was_short_r = true;
		length =
		    ftruncate(fd, want) == 0 ? LENGTH_RIGHT : LENGTH_UNKNOWN;
	}
	mdb_txn_abort(txn);
	return code_of(length);
}

/* --- the pages ------------------------------------------------------------- */

/* Some that make no sense are an error for LMDB, and some the end of the process,
 * by an assertion. While nobody else is in there, and we hold no lock, there is a
 * way out of that. */
struct look {
	MDB_txn *txn;
	MDB_cursor *cursor; /* when it was left by the way out */
	jmp_buf way_out;
};

static void
on_nonsense(MDB_env *env, const char *text)
{
	struct look *l = mdb_env_get_userctx(env);

	(void)text;
	longjmp(l->way_out, 1);
}

static void
close_cursor(struct look *l)
{
	if (l->cursor != NULL)
		mdb_cursor_close(l->cursor);
	l->cursor = NULL;
}

/* Zeroes are no page of any kind. The number of entries keeps a walk through
 * garbage from going round in circles. */
static int
walk(struct look *l, unsigned dbi)
{
	MDB_stat stat;
	MDB_val key, value;
	size_t n = 0;
	int rc;

	if ((rc = mdb_stat(l->txn, dbi, &stat)) != 0 ||
	    (rc = mdb_cursor_open(l->txn, dbi, &l->cursor)) != 0)
		return rc;
	while (n <= stat.ms_entries &&
	       (rc = mdb_cursor_get(l->cursor, &key, &value, MDB_NEXT)) == 0)
		n++;
	close_cursor(l);
	if (rc != 0 && rc != MDB_NOTFOUND)
		return rc;
	return n == stat.ms_entries ? 0 : MDB_CORRUPTED;
}

static int
walk_all(struct look *l, const struct cache_env *e)
{
	const unsigned all[] = {
	    FREE_PAGES, DATABASES, e->pass, e->notes, e->totals};
	int rc = 0;

	for (size_t i = 0; i < sizeof(all) / sizeof(*all) && rc == 0; i++)
		rc = walk(l, all[i]);
	return rc;
}

/* Down both edges of the tree: most damage shows there, and the time it takes
 * does not grow with the file. */
static int
probe(struct look *l, const struct cache_env *e)
{
	MDB_val key, value;
	int rc;

	if ((rc = mdb_cursor_open(l->txn, e->pass, &l->cursor)) != 0)
		return rc;
	rc = mdb_cursor_get(l->cursor, &key, &value, MDB_FIRST);
	if (rc == 0)
		rc = mdb_cursor_get(l->cursor, &key, &value, MDB_LAST);
	close_cursor(l);
	return rc == MDB_NOTFOUND ? 0 : rc;
}

static int
look_at_pages(struct cache_env *e, bool at_all)
{
	struct look l = {.txn = e->reading};
	volatile int rc = MDB_CORRUPTED;

	(void)mdb_env_set_userctx(e->env, &l);
	(void)mdb_env_set_assert(e->env, on_nonsense);
	if (setjmp(l.way_out) == 0)
		rc = at_all ? walk_all(&l, e) : probe(&l, e);
	(void)mdb_env_set_assert(e->env, NULL);
	(void)mdb_env_set_userctx(e->env, NULL);
	close_cursor(&l);
	return rc;
}

/* --- opening -------------------------------------------------------------- */

static int
find_database(struct cache_env *e, const char *name, unsigned *dbi_r)
{
	MDB_txn *txn;
	int rc;

	if ((rc = mdb_txn_begin(e->env, NULL, MDB_RDONLY, &txn)) != 0)
		return rc;
	rc = mdb_dbi_open(txn, name, DATABASE_FLAGS, dbi_r);
	if (rc == 0)
		return mdb_txn_commit(txn);
	mdb_txn_abort(txn);
	return rc;
}

static int
open_database(struct cache_env *e, const char *name, unsigned *dbi_r)
{
	MDB_txn *txn;
	int rc = find_database(e, name, dbi_r);

	if (rc != MDB_NOTFOUND)
		return rc;
	if ((rc = mdb_txn_begin(e->env, NULL, 0, &txn)) != 0)
		return rc;
	rc = mdb_dbi_open(txn, name, DATABASE_FLAGS | MDB_CREATE, dbi_r);
	if (rc == 0)
		return mdb_txn_commit(txn);
	mdb_txn_abort(txn);
	return rc;
}

/* From here on pages are read. */
static int
stand_guard(struct cache_env *e, const struct cache_place *place)
{
	int fd, rc;

	if ((rc = mdb_env_get_fd(e->env, &fd)) != 0)
		return rc;
	if (fstat(fd, &e->opened) < 0)
		return errno;
	cache_guard_begin(place, &e->opened);
	return 0;
}

static int
open_environment(struct cache_env *e, const struct cache_place *place,
    size_t map_bytes, unsigned flags)
{
	int rc;

	if ((rc = mdb_env_create(&e->env)) != 0)
		return rc;
	if ((rc = mdb_env_set_maxdbs(e->env, DATABASES_MAX)) != 0 ||
	    (rc = mdb_env_set_mapsize(e->env, map_bytes)) != 0)
		return rc;
	return mdb_env_open(
	    e->env, place->name, MDB_NOSUBDIR | MDB_NOTLS | flags, 0600);
}

static int
begin_reading(struct cache_env *e, bool looks_at_all)
{
	int rc = mdb_txn_begin(e->env, NULL, MDB_RDONLY, &e->reading);

	if (rc == 0 && (rc = look_at_pages(e, looks_at_all)) == 0)
		mdb_txn_reset(e->reading);
	return rc;
}

int
cache_env_open(
    struct cache_env *e, const struct cache_place *place, size_t map_bytes)
{
	bool was_short;
	int dead, rc;

	if ((rc = open_environment(e, place, map_bytes, 0)) != 0 ||
	    (rc = stand_guard(e, place)) != 0 ||
	    (rc = mdb_reader_check(e->env, &dead)) != 0 ||
	    (rc = check_length(e->env, &was_short)) != 0 ||
	    (rc = open_database(e, DATABASE_NAME, &e->pass)) != 0 ||
	    (rc = open_database(e, NOTES_NAME, &e->notes)) != 0 ||
	    (rc = open_database(e, TOTALS_NAME, &e->totals)) != 0 ||
	    (rc = begin_reading(e, was_short)) != 0)
		return rc;
	e->has_notes = e->has_totals = true;
	cache_env_mend_length(e->env);
	return 0;
}

/* Whoever has just committed mends the length next; the lock that it holds
 * meanwhile is for writers. */
static int
watch_length(MDB_env *env)
{
	off_t want;
	int fd;
	enum length length = look_at_length(env, &fd, &want);

	for (int i = 0; length == LENGTH_SHORT && i < MEND_LOOKS_MAX; i++) {
		(void)poll(NULL, 0, MEND_LOOK_MS);
		length = look_at_length(env, &fd, &want);
	}
	return code_of(length);
}

/* LMDB makes the lock file when there is none; then nobody writes, and it is
 * not needed. */
static unsigned
reading_flags(const struct cache_place *place)
{
	char lock[NAME_MAX + 1];
	bool has_lock;

	cache_place_name(place, "-lock", lock);
	has_lock = faccessat(place->dir, lock, F_OK, 0) == 0;
	return has_lock ? MDB_RDONLY : MDB_RDONLY | MDB_NOLOCK;
}

/* One that an older release has made does not have them all. */
static int
find_more(struct cache_env *e, const char *name, unsigned *dbi_r, bool *has_r)
{
	int rc = find_database(e, name, dbi_r);

	*has_r = rc == 0;
	return rc == MDB_NOTFOUND ? 0 : rc;
}

int
cache_env_open_to_read(
    struct cache_env *e, const struct cache_place *place, size_t map_bytes)
{
	int rc;

	cache_guard_begin_to_read(place);
	if ((rc = open_environment(
		 e, place, map_bytes, reading_flags(place))) != 0 ||
	    (rc = watch_length(e->env)) != 0 ||
	    (rc = find_database(e, DATABASE_NAME, &e->pass)) != 0 ||
	    (rc = find_more(e, NOTES_NAME, &e->notes, &e->has_notes)) != 0 ||
	    (rc = find_more(e, TOTALS_NAME, &e->totals, &e->has_totals)) != 0)
		return rc;
	return begin_reading(e, false);
}

void
cache_env_close(struct cache_env *e)
{
	mdb_txn_abort(e->reading);
	if (e->env != NULL)
		mdb_env_close(e->env);
	*e = (struct cache_env){.env = NULL};
}
