/* SPDX-License-Identifier: ISC */
/* Bytes of the cache file: a record, a key or a rule that is accepted must come
 * out of our own encoder unchanged. The first byte of the input chooses. */
#include <stdlib.h>
#include <string.h>

#include "lookup/record.h"
#include "lookup/rules.h"

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

/* A key with its length in front, and the note beside it. */
static void
try_rule(struct span in)
{
	struct cache_note note, again;
	struct rule rule, twice;
	size_t n;

	if (in.n == 0)
		return;
	n = (uint8_t)in.p[0];
	in = span_of(in.p + 1, in.n - 1);
	if (n > in.n || rules_decode(span_of(in.p, n),
			    span_of(in.p + n, in.n - n), &rule) < 0)
		return;
	claim(memchr(rule.note, '\0', sizeof(rule.note)) != NULL);
	rules_encode(&rule, &note);
	claim(note.n <= CACHE_NOTE_BYTES);
	claim(rules_decode(span_of((char *)note.key.bytes, note.key.n),
		  span_of((char *)note.bytes, note.n), &twice) == 0);
	rules_encode(&twice, &again);
	claim(
	    again.n == note.n && memcmp(again.bytes, note.bytes, note.n) == 0);
	claim(twice.allow == rule.allow && twice.uid == rule.uid &&
	      twice.since.s == rule.since.s && twice.until.s == rule.until.s &&
	      strcmp(twice.note, rule.note) == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	struct span in;

	if (n == 0)
		return 0;
	in = span_of((const char *)bytes + 1, n - 1);
	if (bytes[0] == 2)
		try_rule(in);
	else if (bytes[0] & 1)
		try_record(in);
	else
		try_key(in);
	return 0;
}
