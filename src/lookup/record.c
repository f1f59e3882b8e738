/* SPDX-License-Identifier: ISC */
#include "lookup/record.h"

#include <stdio.h>
#include <string.h>

#include "base/must.h"

/* On disk: one version byte, then one big-endian 64-bit time for each slot.
 * A key is family, prefix length and the whole address in network order, so
 * that LMDB's bytewise order keeps IPv4 apart from IPv6 and neighbours side by
 * side. Big-endian and fixed width: the file may move between machines. */

enum { RECORD_VERSION = 1, KEY_FAMILY = 0, KEY_BITS = 1, KEY_ADDR = 2 };

static void
put_time(uint8_t *p, struct wall t)
{
	uint64_t bits = (uint64_t)t.s;

	for (int i = 7; i >= 0; i--) {
		p[i] = (uint8_t)(bits & 0xff);
		bits >>= 8;
	}
}

static struct wall
get_time(const char *p)
{
	uint64_t bits = 0;

	for (int i = 0; i < 8; i++)
		bits = bits << 8 | (uint8_t)p[i];
	return (struct wall){(int64_t)bits};
}

void
record_encode(const struct record *r, uint8_t out[RECORD_BYTES])
{
	out[0] = RECORD_VERSION;
	for (size_t i = 0; i < RECORD_SLOTS; i++)
		put_time(out + 1 + 8 * i, r->expires[i]);
}

int
record_decode(struct span in, struct record *out_r)
{
	struct record r;

	if (in.n != RECORD_BYTES || in.p[0] != RECORD_VERSION)
		return -1;
	for (size_t i = 0; i < RECORD_SLOTS; i++) {
		r.expires[i] = get_time(in.p + 1 + 8 * i);
		/* We never write a time before the epoch. */
		if (r.expires[i].s < 0)
			return -1;
	}
	*out_r = r;
	return 0;
}

struct wall
record_last(const struct record *r)
{
	struct wall last = {RECORD_NEVER};

	for (size_t i = 0; i < RECORD_SLOTS; i++)
		if (r->expires[i].s > last.s)
			last = r->expires[i];
	return last;
}

void
record_merge(struct record *into, const struct record *from)
{
	for (size_t i = 0; i < RECORD_SLOTS; i++)
		if (from->expires[i].s > into->expires[i].s)
			into->expires[i] = from->expires[i];
}

struct record_key
record_key_of(const struct addr *a, unsigned ipv4_bits, unsigned ipv6_bits)
{
	struct record_key key = {0};
	unsigned bits = a->family == ADDR_IPV4 ? ipv4_bits : ipv6_bits;
	struct addr base;

	must(a->family == ADDR_IPV4 || a->family == ADDR_IPV6);
	if (bits > addr_bits(a))
		bits = addr_bits(a);
	base = addr_masked(a, bits);
	key.bytes[KEY_FAMILY] = base.family;
	key.bytes[KEY_BITS] = (uint8_t)bits;
	memcpy(key.bytes + KEY_ADDR, base.bytes, addr_byte_count(&base));
	key.n = (uint8_t)(KEY_ADDR + addr_byte_count(&base));
	return key;
}

int
record_key_block(struct span key, struct addr_block *block_r)
{
	struct addr_block block = {0};
	struct addr masked;

	if (key.n <= KEY_ADDR)
		return -1;
	block.base.family = (uint8_t)key.p[KEY_FAMILY];
	block.bits = (uint8_t)key.p[KEY_BITS];
	if (block.base.family != ADDR_IPV4 && block.base.family != ADDR_IPV6)
		return -1;
	if (key.n != KEY_ADDR + addr_byte_count(&block.base) ||
	    block.bits > addr_bits(&block.base))
		return -1;
	memcpy(block.base.bytes, key.p + KEY_ADDR, key.n - KEY_ADDR);
	masked = addr_masked(&block.base, block.bits);
	if (!addr_equal(&masked, &block.base))
		return -1;
	*block_r = block;
	return 0;
}

char *
record_key_format(const struct record_key *key, char out[RECORD_KEY_TEXT_MAX])
{
	struct addr_block block;
	char text[ADDR_TEXT_MAX];

	if (record_key_block(
		span_of((const char *)key->bytes, key->n), &block) < 0)
		(void)snprintf(out, RECORD_KEY_TEXT_MAX, "?");
	else if (block.bits == addr_bits(&block.base))
		(void)snprintf(out, RECORD_KEY_TEXT_MAX, "%s",
		    addr_format(&block.base, text));
	else
		(void)snprintf(out, RECORD_KEY_TEXT_MAX, "%s/%u",
		    addr_format(&block.base, text), (unsigned)block.bits);
	return out;
}
