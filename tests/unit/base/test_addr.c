/* SPDX-License-Identifier: ISC */
#include "base/addr.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

#include "base/mem.h"

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

static struct addr
parsed(const char *text)
{
	struct addr a;

	if (addr_parse(span_str(text), &a) < 0)
		fail_msg("\"%s\" does not parse", text);
	return a;
}

static void
test_parse_and_format(void **state)
{
	static const struct {
		const char *in, *want; /* NULL: must not parse */
	} cases[] = {
	    {"192.0.2.1", "192.0.2.1"},
	    {"0.0.0.0", "0.0.0.0"},
	    {"255.255.255.255", "255.255.255.255"},
	    {"2001:DB8::1", "2001:db8::1"},
	    {"2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"},
	    {"::", "::"},
	    {"::1", "::1"},
	    {"::ffff:192.0.2.1", "192.0.2.1"},
	    {"::FFFF:c000:0201", "192.0.2.1"},
	    {"0:0:0:0:0:ffff:192.0.2.1", "192.0.2.1"},
	    {"::fffe:192.0.2.1", "::fffe:c000:201"},
	    {"64:ff9b::192.0.2.1", "64:ff9b::c000:201"},
	    {"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
		"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"},
	    {"", NULL},
	    {" 192.0.2.1", NULL},
	    {"192.0.2.1 ", NULL},
	    {"192.0.2", NULL},
	    {"192.0.2.1.", NULL},
	    {"192.0.2.256", NULL},
	    {"192.0.2.01", NULL},
	    {"0xc0.0.2.1", NULL},
	    {"3221225985", NULL},
	    {"[192.0.2.1]", NULL},
	    {"[::1]", NULL},
	    {"fe80::1%eth0", NULL},
	    {"1:2:3:4:5:6:7", NULL},
	    {"1:2:3:4:5:6:7:8:9", NULL},
	    {"::1::2", NULL},
	    {"12345::", NULL},
	    {"2001:db8::192.0.2.1:5", NULL},
	    {"IPv6:::1", NULL},
	    {"0000:0000:0000:0000:0000:ffff:255.255.255.2555", NULL},
	    {"0000:0000:0000:0000:0000:0000:0000:0000:0000:0000", NULL},
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		char text[ADDR_TEXT_MAX];
		struct addr a = {.family = 99};
		int rc = addr_parse(span_str(cases[i].in), &a);

		if (rc != (cases[i].want != NULL ? 0 : -1))
			fail_msg("\"%s\": %d", cases[i].in, rc);
		if (rc < 0 && a.family != 99)
			fail_msg("\"%s\": wrote a result", cases[i].in);
		if (rc == 0 &&
		    strcmp(addr_format(&a, text), cases[i].want) != 0)
			fail_msg("\"%s\": \"%s\"", cases[i].in, text);
	}
}

static void
test_parse_looks_at_the_span_only(void **state)
{
	struct addr a, want = parsed("192.0.2.1");

	(void)state;
	assert_int_equal(addr_parse(span_of("192.0.2.199", 9), &a), 0);
	assert_true(addr_equal(&a, &want));
	assert_int_equal(addr_parse(span_of("192.0.2.1\0x", 11), &a), -1);
	assert_int_equal(addr_parse(span_of(NULL, 0), &a), -1);
}

/* Each piece lies in a block of its own size, where reading on is seen. */
static void
test_every_truncation(void **state)
{
	static const char *const texts[] = {"255.255.255.255/32",
	    "::ffff:192.0.2.128/127", "2001:db8:1:2:3:4:5:6/128"};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(texts); i++) {
		for (size_t n = 0; n <= strlen(texts[i]); n++) {
			char *piece = mem_array(n, 1);
			struct addr_block block;
			struct addr a;

			assert_non_null(piece);
			memcpy(piece, texts[i], n);
			addr_parse(span_of(piece, n), &a);
			if (addr_block_parse(span_of(piece, n), true, &block) ==
				0 &&
			    block.bits > addr_bits(&block.base))
				fail_msg("%.*s", (int)n, piece);
			mem_free(piece);
		}
	}
}

static void
test_none_has_a_name(void **state)
{
	struct addr none = {.family = ADDR_NONE};
	char text[ADDR_TEXT_MAX];

	(void)state;
	assert_string_equal(addr_format(&none, text), "unknown");
}

static void
test_equal(void **state)
{
	struct addr v4 = parsed("1.2.3.4"), mapped = parsed("::ffff:1.2.3.4");
	struct addr other = parsed("1.2.3.5"), v6 = parsed("102:304::");

	(void)state;
	assert_true(addr_equal(&v4, &mapped));
	assert_false(addr_equal(&v4, &other));
	assert_false(addr_equal(&v4, &v6)); /* the same leading bytes */
	assert_int_equal(addr_bits(&v4), 32);
	assert_int_equal(addr_bits(&v6), 128);
	assert_int_equal(addr_byte_count(&v4), 4);
	assert_int_equal(addr_byte_count(&v6), 16);
}

static void
test_masked(void **state)
{
	static const struct {
		const char *in;
		unsigned bits;
		const char *want;
	} cases[] = {
	    {"255.255.255.255", 0, "0.0.0.0"},
	    {"255.255.255.255", 1, "128.0.0.0"},
	    {"255.255.255.255", 7, "254.0.0.0"},
	    {"255.255.255.255", 8, "255.0.0.0"},
	    {"255.255.255.255", 9, "255.128.0.0"},
	    {"255.255.255.255", 31, "255.255.255.254"},
	    {"255.255.255.255", 32, "255.255.255.255"},
	    {"2001:db8:ffff::1", 33, "2001:db8:8000::"},
	    {"2001:db8:ffff::1", 64, "2001:db8:ffff::"},
	    {"::ff", 127, "::fe"},
	    {"::ff", 128, "::ff"},
	    {"::ff", 0, "::"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct addr a = parsed(cases[i].in);
		struct addr masked = addr_masked(&a, cases[i].bits);
		struct addr want = parsed(cases[i].want);

		if (!addr_equal(&masked, &want))
			fail_msg("%s/%u", cases[i].in, cases[i].bits);
	}
}

static void
test_block_parse(void **state)
{
	static const struct {
		const char *in;
		int strict, lax; /* results */
		const char *base;
		unsigned bits;
	} cases[] = {
	    {"192.0.2.1", 0, 0, "192.0.2.1", 32},
	    {"192.0.2.0/24", 0, 0, "192.0.2.0", 24},
	    {"192.0.2.1/24", -1, 0, "192.0.2.0", 24},
	    {"192.0.2.1/32", 0, 0, "192.0.2.1", 32},
	    {"0.0.0.0/0", 0, 0, "0.0.0.0", 0},
	    {"1.2.3.4/0", -1, 0, "0.0.0.0", 0},
	    {"::/0", 0, 0, "::", 0},
	    {"2001:db8::/32", 0, 0, "2001:db8::", 32},
	    {"2001:db8::1/32", -1, 0, "2001:db8::", 32},
	    {"2001:db8::1", 0, 0, "2001:db8::1", 128},
	    {"::ffff:192.0.2.0/120", 0, 0, "192.0.2.0", 24},
	    {"::ffff:192.0.2.1/120", -1, 0, "192.0.2.0", 24},
	    {"::ffff:0.0.0.0/96", 0, 0, "0.0.0.0", 0},
	    {"::ffff:192.0.2.1", 0, 0, "192.0.2.1", 32},
	    {"::ffff:192.0.2.0/95", -1, -1, NULL, 0},
	    {"::ffff:192.0.2.0/24", -1, -1, NULL, 0},
	    {"192.0.2.0/33", -1, -1, NULL, 0},
	    {"2001:db8::/129", -1, -1, NULL, 0},
	    {"192.0.2.0/", -1, -1, NULL, 0},
	    {"192.0.2.0/-1", -1, -1, NULL, 0},
	    {"192.0.2.0/+8", -1, -1, NULL, 0},
	    {"192.0.2.0/24/24", -1, -1, NULL, 0},
	    {"192.0.2.0/255.255.255.0", -1, -1, NULL, 0},
	    {"/24", -1, -1, NULL, 0},
	    {"", -1, -1, NULL, 0},
	    {"192.0.2/24", -1, -1, NULL, 0},
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct span in = span_str(cases[i].in);
		struct addr_block strict, lax;
		struct addr want;

		if (addr_block_parse(in, false, &strict) != cases[i].strict)
			fail_msg("\"%s\", strict", cases[i].in);
		if (addr_block_parse(in, true, &lax) != cases[i].lax)
			fail_msg("\"%s\", lax", cases[i].in);
		if (cases[i].base == NULL)
			continue;
		want = parsed(cases[i].base);
		if (!addr_equal(&lax.base, &want) || lax.bits != cases[i].bits)
			fail_msg("\"%s\": another block", cases[i].in);
	}
}

static void
test_block_has(void **state)
{
	static const struct {
		const char *block, *addr;
		bool want;
	} cases[] = {
	    {"192.0.2.0/24", "192.0.2.0", true},
	    {"192.0.2.0/24", "192.0.2.255", true},
	    {"192.0.2.0/24", "192.0.3.0", false},
	    {"192.0.2.0/24", "::ffff:192.0.2.7", true},
	    {"192.0.2.8/29", "192.0.2.15", true},
	    {"192.0.2.8/29", "192.0.2.16", false},
	    {"192.0.2.8/29", "192.0.2.7", false},
	    {"192.0.2.1/32", "192.0.2.1", true},
	    {"192.0.2.1/32", "192.0.2.0", false},
	    {"0.0.0.0/0", "255.1.2.3", true},
	    {"0.0.0.0/0", "::1", false},
	    {"128.0.0.0/1", "200.0.0.1", true},
	    {"128.0.0.0/1", "127.0.0.1", false},
	    {"::/0", "2001:db8::1", true},
	    {"::/0", "192.0.2.1", false},
	    {"2001:db8::/33", "2001:db8:7fff::1", true},
	    {"2001:db8::/33", "2001:db8:8000::1", false},
	    {"2001:db8::1/128", "2001:db8::1", true},
	    {"2001:db8::1/128", "2001:db8::3", false},
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct addr a = parsed(cases[i].addr);
		struct addr_block block;

		assert_int_equal(
		    addr_block_parse(span_str(cases[i].block), false, &block),
		    0);
		if (addr_block_has(&block, &a) != cases[i].want)
			fail_msg("%s in %s", cases[i].addr, cases[i].block);
	}
}

static void
test_endpoint_round_trip(void **state)
{
	static const struct {
		const char *addr;
		int family;
		socklen_t n;
		const char *text;
	} cases[] = {
	    {"192.0.2.1", AF_INET, sizeof(struct sockaddr_in),
		"[192.0.2.1]:40000"},
	    {"2001:db8::1", AF_INET6, sizeof(struct sockaddr_in6),
		"[2001:db8::1]:40000"},
	    {"ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255", AF_INET6,
		sizeof(struct sockaddr_in6),
		"[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:40000"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct endpoint e = {parsed(cases[i].addr), 40000}, back;
		struct sockaddr_storage ss;
		char text[ENDPOINT_TEXT_MAX];

		assert_int_equal(endpoint_to_sockaddr(&e, &ss), cases[i].n);
		assert_int_equal(ss.ss_family, cases[i].family);
		assert_int_equal(
		    endpoint_from_sockaddr((struct sockaddr *)&ss, &back), 0);
		assert_true(addr_equal(&back.addr, &e.addr));
		assert_int_equal(back.port, 40000);
		assert_string_equal(
		    endpoint_format(&back, text), cases[i].text);
	}
}

static void
test_endpoint_from_mapped(void **state)
{
	struct sockaddr_in6 in6 = {.sin6_family = AF_INET6};
	struct addr want = parsed("192.0.2.1");
	struct endpoint e;

	(void)state;
	in6.sin6_port = htons(25);
	assert_int_equal(
	    inet_pton(AF_INET6, "::ffff:192.0.2.1", &in6.sin6_addr), 1);
	assert_int_equal(
	    endpoint_from_sockaddr((struct sockaddr *)&in6, &e), 0);
	assert_true(addr_equal(&e.addr, &want));
	assert_int_equal(e.port, 25);
}

static void
test_endpoint_of_another_family(void **state)
{
	struct sockaddr sa = {.sa_family = AF_UNIX};
	struct endpoint e;

	(void)state;
	assert_int_equal(endpoint_from_sockaddr(&sa, &e), -1);
}

static void
test_loopback(void **state)
{
	static const char *const yes[] = {
	    "127.0.0.1", "127.255.255.255", "::1", "::ffff:127.0.0.2"};
	static const char *const no[] = {"126.0.0.1", "128.0.0.1", "0.0.0.0",
	    "::", "::2", "1::1", "::127.0.0.1", "::ffff:192.0.2.1"};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(yes); i++) {
		struct addr a = parsed(yes[i]);

		if (!addr_is_loopback(&a))
			fail_msg("%s is none", yes[i]);
	}
	for (size_t i = 0; i < COUNT_OF(no); i++) {
		struct addr a = parsed(no[i]);

		if (addr_is_loopback(&a))
			fail_msg("%s is one", no[i]);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_parse_and_format),
	    cmocka_unit_test(test_parse_looks_at_the_span_only),
	    cmocka_unit_test(test_every_truncation),
	    cmocka_unit_test(test_none_has_a_name),
	    cmocka_unit_test(test_equal),
	    cmocka_unit_test(test_masked),
	    cmocka_unit_test(test_block_parse),
	    cmocka_unit_test(test_block_has),
	    cmocka_unit_test(test_endpoint_round_trip),
	    cmocka_unit_test(test_endpoint_from_mapped),
	    cmocka_unit_test(test_endpoint_of_another_family),
	    cmocka_unit_test(test_loopback),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
