/* SPDX-License-Identifier: ISC */
#include "net/proxyhdr.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define SIGNATURE "\r\n\r\n\0\r\nQUIT\n"
#define PORTS "\x9c\x40\0\x19"
#define V4 "\xc0\0\x02\x09\xc6\x33\x64\x19" PORTS
#define NULLS "\0\0\0\0\0\0\0\0\0\0"
#define V6 \
	"\x20\x01\x0d\xb8" NULLS "\0\x09\x20\x01\x0d\xb8" NULLS "\0\x25" PORTS
#define MAPPED \
	NULLS "\xff\xff\xc0\0\x02\x09" NULLS "\xff\xff\xc6\x33\x64\x19" PORTS

static const struct {
	const char *name, *in;
	size_t n;
	const char *ends, *why; /* one of them */
} cases[] = {
#define GOOD(name, in, ends) {name, in, sizeof(in) - 1, ends, NULL},
#define BAD(name, in, why) {name, in, sizeof(in) - 1, NULL, why},
#include "proxyhdr_cases.def"
#undef GOOD
#undef BAD
};

enum { CASE_COUNT = sizeof(cases) / sizeof(cases[0]) };

static const struct proxyhdr_families both = {.ipv4 = true, .ipv6 = true};

/* From an allocation of that size, so that reading past it is seen. */
static int
parse(const char *in, size_t n, struct proxyhdr_families speaks,
    struct proxyhdr *out)
{
	char *copy = malloc(n > 0 ? n : 1);
	int rc;

	assert_non_null(copy);
	memcpy(copy, in, n);
	rc = proxyhdr_parse(span_of(copy, n), speaks, out);
	free(copy);
	assert_int_equal(rc, out->why == NULL ? 0 : -1);
	return rc;
}

static void
check_ends(const char *name, const struct proxyhdr *h, const char *want)
{
	char client[ENDPOINT_TEXT_MAX], server[ENDPOINT_TEXT_MAX];
	char got[2 * ENDPOINT_TEXT_MAX];

	if (h->local)
		(void)snprintf(got, sizeof(got), "local");
	else
		(void)snprintf(got, sizeof(got), "%s %s",
		    endpoint_format(&h->client, client),
		    endpoint_format(&h->server, server));
	if (strcmp(got, want) != 0)
		fail_msg("%s: %s, not %s", name, got, want);
}

static void
test_cases(void **state)
{
	struct proxyhdr h;

	(void)state;
	for (size_t i = 0; i < CASE_COUNT; i++) {
		const char *name = cases[i].name;

		(void)parse(cases[i].in, cases[i].n, both, &h);
		if (cases[i].why == NULL) {
			if (h.why != NULL)
				fail_msg("%s: %s", name, h.why);
			check_ends(name, &h, cases[i].ends);
			assert_int_equal(h.used, cases[i].n);
		} else if (h.why == NULL || strcmp(h.why, cases[i].why) != 0) {
			fail_msg("%s: %s, not %s", name,
			    h.why != NULL ? h.why : "good", cases[i].why);
		}
	}
}

/* No part of a header is one, and all of it is one whatever comes next. */
static void
test_truncated_and_followed(void **state)
{
	char longer[PROXYHDR_MAX + 8];
	struct proxyhdr h;

	(void)state;
	for (size_t i = 0; i < CASE_COUNT; i++) {
		for (size_t n = 0; n < cases[i].n; n++) {
			if (parse(cases[i].in, n, both, &h) == 0 &&
			    cases[i].why == NULL)
				fail_msg(
				    "%s: %zu bytes will do", cases[i].name, n);
		}
		if (cases[i].why != NULL)
			continue;
		memset(longer, '\n', sizeof(longer));
		memcpy(longer, cases[i].in, cases[i].n);
		assert_int_equal(parse(longer, sizeof(longer), both, &h), 0);
		check_ends(cases[i].name, &h, cases[i].ends);
		assert_int_equal(h.used, cases[i].n);
	}
}

/* Only what has come within the first 536 bytes counts. */
static void
test_length_limit(void **state)
{
	static const char words[] = "PROXY TCP4 192.0.2.9 192.0.2.1 1 2 ";
	static const char binary[] = SIGNATURE "\x21\x11\0\0" V4;
	char in[PROXYHDR_MAX + 1];
	struct proxyhdr h;

	(void)state;
	for (size_t n = PROXYHDR_MAX - 2; n <= PROXYHDR_MAX + 1; n++) {
		bool fits = n <= PROXYHDR_MAX;

		memset(in, 'x', sizeof(in));
		memcpy(in, words, sizeof(words) - 1);
		in[n - 1] = '\n';
		assert_int_equal(parse(in, n, both, &h), fits ? 0 : -1);
		memset(in, 'x', sizeof(in));
		memcpy(in, binary, sizeof(binary) - 1);
		in[14] = (char)((n - 16) >> 8);
		in[15] = (char)((n - 16) & 0xff);
		assert_int_equal(parse(in, n, both, &h), fits ? 0 : -1);
		assert_int_equal(h.used, n);
	}
}

static void
test_families(void **state)
{
	static const struct proxyhdr_families ipv4 = {.ipv4 = true};
	static const struct proxyhdr_families ipv6 = {.ipv6 = true};
	const struct {
		const char *in;
		size_t n;
		struct proxyhdr_families speaks;
		const char *why;
	} foreign[] = {
#define CASE(in, speaks, why) {in, sizeof(in) - 1, speaks, why}
	    CASE("PROXY TCP4 192.0.2.9 192.0.2.1 1 2\r\n", ipv6,
		"bad or missing protocol type"),
	    CASE("PROXY TCP6 2001:db8::9 ::1 1 2\r\n", ipv4,
		"bad or missing protocol type"),
	    CASE(SIGNATURE "\x21\x11\0\x0c" V4, ipv6,
		"Postfix IPv4 support is disabled"),
	    CASE(SIGNATURE "\x21\x21\0\x24" V6, ipv4,
		"Postfix IPv6 support is disabled"),
	    CASE("PROXY TCP4 192.0.2.9 192.0.2.1 1 2\r\n", ipv4, NULL),
	    CASE("PROXY TCP6 2001:db8::9 ::1 1 2\r\n", ipv6, NULL),
	    CASE(SIGNATURE "\x21\x11\0\x0c" V4, ipv4, NULL),
	    CASE(SIGNATURE "\x21\x21\0\x24" V6, ipv6, NULL),
	    CASE(SIGNATURE "\x20\x21\0\x24" V6, ipv4, NULL),
#undef CASE
	};
	struct proxyhdr h;

	(void)state;
	for (size_t i = 0; i < sizeof(foreign) / sizeof(foreign[0]); i++) {
		(void)parse(foreign[i].in, foreign[i].n, foreign[i].speaks, &h);
		if (foreign[i].why == NULL)
			assert_null(h.why);
		else
			assert_string_equal(h.why, foreign[i].why);
	}
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_cases),
	    cmocka_unit_test(test_truncated_and_followed),
	    cmocka_unit_test(test_length_limit),
	    cmocka_unit_test(test_families),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
