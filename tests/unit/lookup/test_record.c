/* SPDX-License-Identifier: ISC */
/* Records and keys: what is written is read again, and nothing else is. */
/* links: given_addr */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "lookup/record.h"
#include "support/given_addr.h"

static const struct record five = {
    .expires = {{RECORD_NEVER}, {RECORD_OFF}, {1700000000},
	{INT64_C(0x0102030405060708)}, {INT64_MAX}}};

static void
what_is_encoded_is_decoded(void **state)
{
	uint8_t bytes[RECORD_BYTES];
	struct record r;

	(void)state;
	record_encode(&five, bytes);
	assert_int_equal(
	    record_decode(span_of((char *)bytes, sizeof(bytes)), &r), 0);
	assert_memory_equal(&r, &five, sizeof(r));
}

static void
bytes_on_disk_are_fixed(void **state)
{
	static const uint8_t want[RECORD_BYTES] =
	    "\1\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1\0\0\0\0\x65\x53\xf1\0"
	    "\1\2\3\4\5\6\7\x8\x7f\xff\xff\xff\xff\xff\xff\xff";
	uint8_t bytes[RECORD_BYTES];

	(void)state;
	record_encode(&five, bytes);
	assert_memory_equal(bytes, want, sizeof(want));
}

static void
strange_bytes_are_no_record(void **state)
{
	uint8_t bytes[RECORD_BYTES + 1] = {0};
	struct record r;

	(void)state;
	record_encode(&five, bytes);
	for (size_t n = 0; n <= sizeof(bytes); n++)
		assert_int_equal(record_decode(span_of((char *)bytes, n), &r),
		    n == RECORD_BYTES ? 0 : -1);
	for (unsigned version = 0; version < 256; version++) {
		bytes[0] = (uint8_t)version;
		assert_int_equal(
		    record_decode(span_of((char *)bytes, RECORD_BYTES), &r),
		    version == 1 ? 0 : -1);
	}
	bytes[0] = 1;
	bytes[1] = 0x80; /* before the epoch */
	assert_int_equal(
	    record_decode(span_of((char *)bytes, RECORD_BYTES), &r), -1);
	assert_int_equal(record_decode(span_of(NULL, 0), &r), -1);
}

static void
last_is_the_latest_slot(void **state)
{
	static const struct {
		const char *name;
		struct record r;
		int64_t want;
	} cases[] = {
	    {"nothing", {{{0}, {0}, {0}, {0}, {0}}}, RECORD_NEVER},
	    {"all off", {{{0}, {1}, {1}, {1}, {1}}}, RECORD_OFF},
	    {"first", {{{9}, {1}, {0}, {8}, {0}}}, 9},
	    {"last", {{{9}, {1}, {0}, {8}, {10}}}, 10},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		if (record_last(&cases[i].r).s != cases[i].want)
			fail_msg("%s", cases[i].name);
	}
}

static void
merging_keeps_the_later(void **state)
{
	struct record a = {{{5}, {1}, {0}, {7}, {3}}};
	const struct record b = {{{4}, {9}, {1}, {7}, {0}}};
	const struct record want = {{{5}, {9}, {1}, {7}, {3}}};
	struct record c = b;

	(void)state;
	record_merge(&c, &a);
	record_merge(&a, &b);
	assert_memory_equal(&a, &want, sizeof(want));
	assert_memory_equal(&c, &want, sizeof(want));
}

static void
keys_are_blocks(void **state)
{
	static const struct {
		const char *addr;
		unsigned ipv4_bits, ipv6_bits;
		const char *base;
		unsigned bits, n;
	} cases[] = {
	    {"192.0.2.129", 32, 64, "192.0.2.129", 32, 6},
	    {"192.0.2.129", 24, 64, "192.0.2.0", 24, 6},
	    {"192.0.2.129", 0, 64, "0.0.0.0", 0, 6},
	    {"192.0.2.129", 99, 64, "192.0.2.129", 32, 6},
	    {"2001:db8::1:2:3:4", 24, 64, "2001:db8::", 64, 18},
	    {"2001:db8::1:2:3:4", 24, 128, "2001:db8::1:2:3:4", 128, 18},
	    {"2001:db8::1:2:3:4", 24, 1000, "2001:db8::1:2:3:4", 128, 18},
	    {"2001:db8:ffff::1", 32, 33, "2001:db8:8000::", 33, 18},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct addr a = given_addr(cases[i].addr);
		struct addr base = given_addr(cases[i].base);
		struct record_key key =
		    record_key_of(&a, cases[i].ipv4_bits, cases[i].ipv6_bits);
		struct addr_block block;

		if (key.n != cases[i].n ||
		    record_key_block(
			span_of((char *)key.bytes, key.n), &block) < 0 ||
		    !addr_equal(&block.base, &base) ||
		    block.bits != cases[i].bits)
			fail_msg("%s/%u", cases[i].addr, cases[i].bits);
	}
}

static void
one_block_has_one_key(void **state)
{
	struct addr a = given_addr("192.0.2.1"), b = given_addr("192.0.2.254");
	struct record_key ka = record_key_of(&a, 24, 64);
	struct record_key kb = record_key_of(&b, 24, 64);

	(void)state;
	assert_memory_equal(&ka, &kb, sizeof(ka));
	kb = record_key_of(&b, 32, 64);
	assert_memory_not_equal(&ka, &kb, sizeof(ka));
}

static void
strange_keys_are_refused(void **state)
{
	static const struct {
		const char *name, *bytes;
		size_t n;
	} cases[] = {
	    {"empty", "", 0},
	    {"family only", "\4", 1},
	    {"no address", "\4\40", 2},
	    {"short IPv4", "\4\40\300\0\2", 5},
	    {"long IPv4", "\4\40\300\0\2\1\0", 7},
	    {"IPv4 of /33", "\4\41\300\0\2\1", 6},
	    {"host bits", "\4\30\300\0\2\1", 6},
	    {"family 5", "\5\40\300\0\2\1", 6},
	    {"no family", "\0\40\300\0\2\1", 6},
	    {"IPv6 of 4 bytes", "\6\40\300\0\2\1", 6},
	    {"IPv6 of /129", "\6\201\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 18},
	    {"IPv6 of /255", "\6\377\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 18},
	    {"IPv6 of 17 bytes", "\6\200\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0",
		19},
	};
	struct addr_block block;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct span key = span_of(cases[i].bytes, cases[i].n);

		if (record_key_block(key, &block) == 0)
			fail_msg("%s", cases[i].name);
	}
}

static void
keys_as_text(void **state)
{
	static const struct {
		const char *addr;
		unsigned ipv4_bits, ipv6_bits;
		const char *text;
	} cases[] = {
	    {"192.0.2.1", 32, 64, "192.0.2.1"},
	    {"192.0.2.1", 24, 64, "192.0.2.0/24"},
	    {"2001:db8:1:2:ffff:ffff:ffff:ffff", 32, 64, "2001:db8:1:2::/64"},
	    {"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", 32, 127,
		"ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe/127"},
	};
	char text[RECORD_KEY_TEXT_MAX];
	struct record_key strange = {.n = 3};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct addr a = given_addr(cases[i].addr);
		struct record_key key =
		    record_key_of(&a, cases[i].ipv4_bits, cases[i].ipv6_bits);

		assert_string_equal(
		    record_key_format(&key, text), cases[i].text);
	}
	assert_string_equal(record_key_format(&strange, text), "?");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_is_encoded_is_decoded),
	    cmocka_unit_test(bytes_on_disk_are_fixed),
	    cmocka_unit_test(strange_bytes_are_no_record),
	    cmocka_unit_test(keys_as_text),
	    cmocka_unit_test(last_is_the_latest_slot),
	    cmocka_unit_test(merging_keeps_the_later),
	    cmocka_unit_test(keys_are_blocks),
	    cmocka_unit_test(one_block_has_one_key),
	    cmocka_unit_test(strange_keys_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
