/* SPDX-License-Identifier: ISC */
#include "lookup/dns_answer.h"

#include <limits.h>
#include <stdarg.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

/* The messages are those of the fuzz target; each answers a question for the
 * address of 2.0.0.127.bl.test. */
static const struct {
	const char *file;
	enum resolver_status status;
	size_t n;
	unsigned last_octet; /* of the last address */
	int64_t ttl_s;       /* -1: none */
	const char *why;
} cases[] = {
    {"one", RESOLVER_FOUND, 1, 2, 300, NULL},
    {"three", RESOLVER_FOUND, 3, 10, 290, NULL},
    {"seventy", RESOLVER_FOUND, RESOLVER_ADDR_MAX, 63, 60, NULL},
    {"edns", RESOLVER_FOUND, 1, 2, 300, NULL},
    {"ttl-first-bit", RESOLVER_FOUND, 1, 2, 0, NULL},
    /* the alias' own TTL is the smaller one; names have no case */
    {"cname", RESOLVER_FOUND, 1, 3, 30, NULL},
    {"cname-loop", RESOLVER_FOUND, 1, 3, 30, NULL},
    {"cname-to-nothing", RESOLVER_ABSENT, 0, 0, 30, NULL},
    {"nxdomain", RESOLVER_ABSENT, 0, 0, 60, NULL},
    {"nodata", RESOLVER_ABSENT, 0, 0, 60, NULL},
    {"nxdomain-no-soa", RESOLVER_ABSENT, 0, 0, -1, NULL},
    {"soa-least", RESOLVER_ABSENT, 0, 0, 60, NULL},
    /* what was not asked for is not looked at */
    {"another-name", RESOLVER_FOUND, 1, 2, 300, NULL},
    {"another-name-alone", RESOLVER_ABSENT, 0, 0, -1, NULL},
    {"another-class", RESOLVER_FOUND, 1, 2, 300, NULL},
    {"root-beside", RESOLVER_FOUND, 1, 2, 300, NULL},
    {"text-beside", RESOLVER_FOUND, 1, 2, 300, NULL},
    {"name-server-first", RESOLVER_ABSENT, 0, 0, 60, NULL},
    {"soa-of-another-class", RESOLVER_ABSENT, 0, 0, -1, NULL},
    {"nxdomain-with-address", RESOLVER_ABSENT, 0, 0, 60, NULL},
    {"truncated", RESOLVER_FAILED, 0, 0, -1, "truncated answer"},
    {"truncated-three", RESOLVER_FOUND, 3, 10, 290, NULL},
    {"truncated-nxdomain", RESOLVER_ABSENT, 0, 0, 60, NULL},
    {"servfail", RESOLVER_FAILED, 0, 0, -1, "server failure"},
    {"refused", RESOLVER_FAILED, 0, 0, -1, "query refused"},
    {"formerr", RESOLVER_FAILED, 0, 0, -1, "format error"},
    {"notimp", RESOLVER_FAILED, 0, 0, -1, "not implemented"},
    {"strange-code", RESOLVER_FAILED, 0, 0, -1, "strange response code"},
    {"truncated-garbled", RESOLVER_FAILED, 0, 0, -1, "truncated answer"},
    {"question-points-to-itself", RESOLVER_FAILED, 0, 0, -1, "garbled answer"},
    {"authority-points-to-itself", RESOLVER_FAILED, 0, 0, -1, "garbled answer"},
    {"chaos-question", RESOLVER_FAILED, 0, 0, -1, "garbled answer"},
    {"alias-to-nowhere", RESOLVER_FAILED, 0, 0, -1, "garbled answer"},
    {"authority-lies", RESOLVER_FAILED, 0, 0, -1, "garbled answer"},
    {"soa-short", RESOLVER_FAILED, 0, 0, -1, "garbled answer"},
    {"not-a-response", RESOLVER_FAILED, 0, 0, -1, "garbled answer"},
    {"no-question", RESOLVER_FAILED, 0, 0, -1, "garbled answer"},
    {"two-questions", RESOLVER_FAILED, 0, 0, -1, "garbled answer"},
    {"root-question", RESOLVER_FAILED, 0, 0, -1, "garbled answer"},
    {"aaaa-question", RESOLVER_FAILED, 0, 0, -1, "garbled answer"},
    {"a-with-five-bytes", RESOLVER_FAILED, 0, 0, -1, "garbled answer"},
    {"pointer-to-itself", RESOLVER_FAILED, 0, 0, -1, "garbled answer"},
    {"count-lies", RESOLVER_FAILED, 0, 0, -1, "garbled answer"},
    {"header-only", RESOLVER_FAILED, 0, 0, -1, "garbled answer"},
    {"half", RESOLVER_FAILED, 0, 0, -1, "garbled answer"},
    {"empty", RESOLVER_FAILED, 0, 0, -1, "garbled answer"},
};

enum { MESSAGE_MAX = 4096 };

static size_t
load(const char *file, uint8_t bytes[MESSAGE_MAX])
{
	char path[512];
	size_t n;
	FILE *fp;

	snprintf(path, sizeof(path), "%s/fuzz/corpus/dns_answer/%s",
	    TEST_SOURCE_DIR, file);
	if ((fp = fopen(path, "re")) == NULL)
		fail_msg("cannot open %s", path);
	n = fread(bytes, 1, MESSAGE_MAX, fp);
	fclose(fp);
	return n;
}

static void
test_messages(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		uint8_t bytes[MESSAGE_MAX];
		struct resolver_answer a;
		int64_t ttl;

		dns_answer_parse(bytes, load(cases[i].file, bytes), &a);
		ttl = a.has_ttl ? (int64_t)a.ttl_s : -1;
		if (a.status != cases[i].status || a.n != cases[i].n ||
		    ttl != cases[i].ttl_s)
			fail_msg("%s: status %d, %zu addresses, ttl %d",
			    cases[i].file, a.status, a.n, (int)ttl);
		if (a.n > 0 && a.addr[a.n - 1].bytes[3] != cases[i].last_octet)
			fail_msg("%s: last octet %u", cases[i].file,
			    a.addr[a.n - 1].bytes[3]);
		if ((a.why == NULL) != (cases[i].why == NULL) ||
		    (a.why != NULL && strcmp(a.why, cases[i].why) != 0))
			fail_msg("%s: %s", cases[i].file,
			    a.why != NULL ? a.why : "no reason");
	}
}

/* In memory of its exact size, so that reading past the end is noticed. */
static void
test_every_truncation_is_garbled(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		uint8_t bytes[MESSAGE_MAX];
		size_t n = load(cases[i].file, bytes);

		for (size_t cut = 1; cut < n; cut++) {
			struct resolver_answer a;
			uint8_t *part = malloc(cut);

			assert_non_null(part);
			memcpy(part, bytes, cut);
			dns_answer_parse(part, cut, &a);
			free(part);
			if (a.status != RESOLVER_FAILED || a.n != 0)
				fail_msg("%s: the first %zu bytes",
				    cases[i].file, cut);
		}
	}
}

static void
test_no_message_is_that_long(void **state)
{
	static const uint8_t byte;
	struct resolver_answer a;

	(void)state;
	dns_answer_parse(&byte, (size_t)INT_MAX + 1, &a);
	assert_int_equal(a.status, RESOLVER_FAILED);
	assert_string_equal(a.why, "garbled answer");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_messages),
	    cmocka_unit_test(test_every_truncation_is_garbled),
	    cmocka_unit_test(test_no_message_is_that_long),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
