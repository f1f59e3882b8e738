/* SPDX-License-Identifier: ISC */
/* clang-format off */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
/* clang-format on */

#include "daemon/postfix.h"

#include <errno.h>
#include <string.h>

static void
test_generation_is_octal(void **state)
{
	static const struct {
		const char *text;
		int rc;
		uint32_t want;
	} cases[] = {
	    {"14", 0, 12},
	    {"0", 0, 0},
	    {"37777777777", 0, UINT32_MAX},
	    {"40000000000", -1, 0},
	    {"400000000000000000", -1, 0},
	    {"8", -1, 0},
	    {"", -1, 0},
	    {" 1", -1, 0},
	    {NULL, -1, 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		uint32_t n = 0;

		if (postfix_parse_generation(cases[i].text, &n) !=
			cases[i].rc ||
		    n != cases[i].want)
			fail_msg("%s",
			    cases[i].text == NULL ? "NULL" : cases[i].text);
	}
}

/* pid 4242 and GENERATION=14, as master reads them. */
static void
test_status_bytes(void **state)
{
	const int32_t pid = 4242, taken = 0, available = 1;
	const uint32_t generation = 12;
	unsigned char got[POSTFIX_STATUS_BYTES], want[POSTFIX_STATUS_BYTES];

	(void)state;
	memcpy(want, &pid, 4);
	memcpy(want + 4, &generation, 4);
	memcpy(want + 8, &taken, 4);
	postfix_encode_status(got, pid, generation, POSTFIX_TAKEN);
	assert_memory_equal(got, want, sizeof(want));
	memcpy(want + 8, &available, 4);
	postfix_encode_status(got, pid, generation, POSTFIX_AVAILABLE);
	assert_memory_equal(got, want, sizeof(want));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_generation_is_octal),
	    cmocka_unit_test(test_status_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
