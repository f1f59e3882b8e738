/* SPDX-License-Identifier: ISC */
/* Bytes of the cache file: a record or a key that is accepted must come out of
 * our own encoder unchanged. The first byte of the input chooses. */
#include <stdlib.h>
#include <string.h>

#include "lookup/record.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static void
claim(int holds)
{
	if (!holds)
		abort();
}

static void
try_record(struct span in)
{
	uint8_t again[RECORD_BYTES];
	struct record r, twice;

	if (record_decode(in, &r) < 0)
		return;
	record_encode(&r, again);
	claim(in.n == sizeof(again) && memcmp(again, in.p, in.n) == 0);
	claim(record_last(&r).s >= RECORD_NEVER);
	twice = r;
	record_merge(&twice, &r);
	claim(memcmp(&twice, &r, sizeof(r)) == 0);
}

static void
try_key(struct span in)
{
	struct addr_block block;
	struct record_key key;

	if (record_key_block(in, &block) < 0)
		return;
	key = record_key_of(&block.base, block.bits, block.bits);
	claim(key.n == in.n && memcmp(key.bytes, in.p, in.n) == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	struct span in;

	if (n == 0)
		return 0;
	in = span_of((const char *)bytes + 1, n - 1);
	if (bytes[0] & 1)
		try_record(in);
	else
		try_key(in);
	return 0;
}
