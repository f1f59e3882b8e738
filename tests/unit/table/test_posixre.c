/* SPDX-License-Identifier: ISC */
/* What regexec(3) may answer. glibc's says REG_NOMATCH even without memory;
 * those of others are honest. What a pattern finds is tested with
 * table/pattern. */
#include "table/posixre.h"

#include <regex.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static int answer;

/* In place of the C library's, as <regex.h> declares it. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wvla"
int
regexec(const regex_t *re, const char *key, size_t n, regmatch_t at[restrict n],
    int flags)
{
	(void)re;
	(void)key;
	(void)flags;
	for (size_t i = 0; i < n; i++)
		at[i] = (regmatch_t){.rm_so = -1, .rm_eo = -1};
	return answer;
}
#pragma GCC diagnostic pop

static void
test_answers(void **state)
{
	static const struct {
		int answer;
		enum groups_match want;
	} cases[] = {
	    {0, GROUPS_YES},
	    {REG_NOMATCH, GROUPS_NO},
	    {REG_ESPACE, GROUPS_GAVE_UP},
	};
	struct posixre *re;
	struct groups groups;
	struct errtext why;

	(void)state;
	re = posixre_new("a", span_of("", 0), &why);
	assert_non_null(re);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		answer = cases[i].answer;
		assert_int_equal(
		    posixre_match(re, "a", &groups), cases[i].want);
	}
	posixre_free(&re);
	assert_null(re);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_answers),
	};

	return cmocka_run_group_tests_name("posixre", tests, NULL, NULL);
}
