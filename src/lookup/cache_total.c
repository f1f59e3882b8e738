/* SPDX-License-Identifier: ISC */
#include "lookup/cache_total.h"

#include <errno.h>
#include <lmdb.h>
#include <string.h>

#include "base/mem.h"

/* The key is the hour, its first byte first, so that LMDB has them in order.
 * What is too old is removed with each total that comes, a few at a time. */

enum { KEY_BYTES = 4, REMOVE_MAX = 64 };

struct cache_total *
cache_total_new(uint32_t hour, struct span bytes, cache_merge_fn *merge)
{
	struct cache_total *total = mem_new(sizeof(*total));

	if (total == NULL)
		return NULL;
	total->hour = hour;
	total->merge = merge;
	buf_init(&total->bytes, CACHE_TOTAL_BYTES_MAX);
	if (buf_add(&total->bytes, bytes.p, bytes.n) < 0)
		cache_total_free(&total);
	return total;
}

void
cache_total_free(struct cache_total **total)
{
	if (*total == NULL)
		return;
	buf_clear(&(*total)->bytes);
	mem_free(*total);
	*total = NULL;
}

static void
encode_hour(uint32_t hour, uint8_t key[KEY_BYTES])
{
	for (size_t i = KEY_BYTES; i-- > 0; hour >>= 8)
		key[i] = (uint8_t)hour;
}

static int
decode_hour(const MDB_val *k, uint32_t *hour_r)
{
	const uint8_t *key = k->mv_data;

	if (k->mv_size != KEY_BYTES)
		return MDB_CORRUPTED;
	*hour_r = (uint32_t)key[0] << 24 | (uint32_t)key[1] << 16 |
		  (uint32_t)key[2] << 8 | key[3];
	return 0;
}

static int
remove_old(MDB_txn *txn, MDB_dbi database, uint32_t newest)
{
	MDB_cursor *cursor;
	MDB_val k, v;
	uint32_t hour;
	int rc = mdb_cursor_open(txn, database, &cursor);

	if (rc != 0)
		return rc;
	for (int i = 0; i < REMOVE_MAX && rc == 0; i++) {
		rc = mdb_cursor_get(cursor, &k, &v, MDB_FIRST);
		if (rc == 0)
			rc = decode_hour(&k, &hour);
		if (rc != 0 || newest < CACHE_TOTAL_HOURS ||
		    hour >= newest - CACHE_TOTAL_HOURS)
			break;
		rc = mdb_cursor_del(cursor, 0);
	}
	mdb_cursor_close(cursor);
	return rc == MDB_NOTFOUND ? 0 : rc;
}

int
cache_total_put(
    MDB_txn *txn, unsigned database, const struct cache_total *total)
{
	uint8_t key[KEY_BYTES];
	MDB_val k = {KEY_BYTES, key}, v;
	struct buf both;
	int rc;

	encode_hour(total->hour, key);
	buf_init(&both, CACHE_TOTAL_BYTES_MAX);
	rc = mdb_get(txn, database, &k, &v);
	if (rc == 0 && total->merge(span_of(v.mv_data, v.mv_size),
			   buf_span(&total->bytes), &both) == 0)
		v = (MDB_val){both.n, both.p};
	else if (rc == MDB_NOTFOUND)
		v = (MDB_val){total->bytes.n, total->bytes.p};
	else
		goto done;
	rc = mdb_put(txn, database, &k, &v, 0);
	if (rc == 0)
		rc = remove_old(txn, database, total->hour);
done:
	buf_clear(&both);
	return rc;
}

int
cache_total_walk(MDB_txn *txn, unsigned database, uint32_t from,
    cache_total_fn *fn, void *arg)
{
	uint8_t key[KEY_BYTES];
	MDB_val k = {KEY_BYTES, key}, v;
	MDB_cursor *cursor;
	uint32_t hour;
	int64_t before = -1;
	int rc = mdb_cursor_open(txn, database, &cursor);

	if (rc != 0)
		return rc;
	encode_hour(from, key);
	rc = mdb_cursor_get(cursor, &k, &v, MDB_SET_RANGE);
	for (; rc == 0; rc = mdb_cursor_get(cursor, &k, &v, MDB_NEXT)) {
		/* Keys that do not ascend could be walked for ever. */
		if ((rc = decode_hour(&k, &hour)) == 0 && hour <= before)
			rc = MDB_CORRUPTED;
		if (rc != 0)
			break;
		before = hour;
		fn(hour, span_of(v.mv_data, v.mv_size), arg);
	}
	mdb_cursor_close(cursor);
	return rc == MDB_NOTFOUND ? 0 : rc;
}
