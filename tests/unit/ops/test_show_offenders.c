/* SPDX-License-Identifier: ISC */
/* clang-format off */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
/* clang-format on */

#include "ops/show_offenders.h"

#include <stdlib.h>
#include <string.h>

#define LIST                                                                 \
	"\"for\":60,\"offenders\":["                                         \
	"{\"prefix\":\"192.0.2.9\",\"weight\":21,\"offences\":{\"pregreet\"" \
	":20,\"hangup\":1}},"                                                \
	"{\"prefix\":\"x } drop\",\"weight\":20,\"offences\":{}},"           \
	"{\"prefix\":\"2001:db8::/64\",\"weight\":15,\"offences\":{}},"      \
	"{\"prefix\":\"198.51.100.0/24\",\"weight\":12,\"offences\":{}}]}"

static const struct {
	const char *name, *answer, *want;
} cases[] = {
    {"nft", "{\"format\":\"nft\"," LIST,
	"add table inet doorbell\n"
	"add set inet doorbell offenders4 { type ipv4_addr; flags interval, "
	"timeout; }\n"
	"flush set inet doorbell offenders4\n"
	"add element inet doorbell offenders4 {\n\t192.0.2.9 timeout 60s,\n"
	"\t198.51.100.0/24 timeout 60s\n}\n"
	"add set inet doorbell offenders6 { type ipv6_addr; flags interval, "
	"timeout; }\n"
	"flush set inet doorbell offenders6\n"
	"add element inet doorbell offenders6 {\n\t2001:db8::/64 timeout "
	"60s\n}\n"},
    {"nft, nobody", "{\"format\":\"nft\",\"for\":60,\"offenders\":[]}",
	"add table inet doorbell\n"
	"add set inet doorbell offenders4 { type ipv4_addr; flags interval, "
	"timeout; }\n"
	"flush set inet doorbell offenders4\n"
	"add set inet doorbell offenders6 { type ipv6_addr; flags interval, "
	"timeout; }\n"
	"flush set inet doorbell offenders6\n"},
    {"ipset", "{\"format\":\"ipset\"," LIST,
	"create doorbell-offenders4 hash:net family inet timeout 0 -exist\n"
	"create doorbell-offenders4-new hash:net family inet timeout 0 -exist\n"
	"flush doorbell-offenders4-new\n"
	"add doorbell-offenders4-new 192.0.2.9 timeout 60 -exist\n"
	"add doorbell-offenders4-new 198.51.100.0/24 timeout 60 -exist\n"
	"swap doorbell-offenders4-new doorbell-offenders4\n"
	"destroy doorbell-offenders4-new\n"
	"create doorbell-offenders6 hash:net family inet6 timeout 0 -exist\n"
	"create doorbell-offenders6-new hash:net family inet6 timeout 0 "
	"-exist\n"
	"flush doorbell-offenders6-new\n"
	"add doorbell-offenders6-new 2001:db8::/64 timeout 60 -exist\n"
	"swap doorbell-offenders6-new doorbell-offenders6\n"
	"destroy doorbell-offenders6-new\n"},
    {"cidr", "{\"format\":\"cidr\"," LIST,
	"192.0.2.9\treject\n2001:db8::/64\treject\n"
	"198.51.100.0/24\treject\n"},
};

static char *
shown(const char *answer)
{
	struct errtext why;
	struct json_tree *tree = json_tree_new(span_str(answer), &why);
	char *text = NULL;
	size_t n;
	FILE *out = open_memstream(&text, &n);

	assert_non_null(tree);
	assert_non_null(out);
	show_offenders(json_tree_root(tree), out);
	assert_int_equal(fclose(out), 0);
	json_tree_free(&tree);
	return text;
}

static void
test_forms(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		char *text = shown(cases[i].answer);

		if (strcmp(text, cases[i].want) != 0) {
			print_error("case \"%s\":\n%s", cases[i].name, text);
			fail();
		}
		free(text);
	}
}

static void
test_for_people(void **state)
{
	char *text = shown("{\"format\":\"text\"," LIST);

	(void)state;
	assert_non_null(strstr(text, "PREFIX"));
	assert_non_null(strstr(text, "     21  pregreet 20, hangup 1\n"));
	free(text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_forms),
	    cmocka_unit_test(test_for_people),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
