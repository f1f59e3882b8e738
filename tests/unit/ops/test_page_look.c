/* SPDX-License-Identifier: ISC */
#include "ops/page_look.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <string.h>
#include <openssl/evp.h>

/* As a browser does it: of all parts together. */
static void
check(const char *name, const char *const *part, const char *want)
{
	unsigned char digest[EVP_MAX_MD_SIZE], text[2 * EVP_MAX_MD_SIZE];
	EVP_MD_CTX *c = EVP_MD_CTX_new();
	unsigned n = 0;

	assert_non_null(c);
	assert_int_equal(EVP_DigestInit_ex(c, EVP_sha256(), NULL), 1);
	for (; *part != NULL; part++) {
		/* It ends where the first "</" is. */
		assert_null(strstr(*part, "</"));
		assert_true(strlen(*part) < 4096);
		assert_int_equal(EVP_DigestUpdate(c, *part, strlen(*part)), 1);
	}
	assert_int_equal(EVP_DigestFinal_ex(c, digest, &n), 1);
	EVP_MD_CTX_free(c);
	(void)EVP_EncodeBlock(text, digest, (int)n);
	if (strcmp((const char *)text, want) != 0)
		fail_msg("the hash of the %s is %s", name, (char *)text);
}

static void
test_hashes(void **state)
{
	(void)state;
	check("style", page_look_style, PAGE_LOOK_STYLE_HASH);
	check("script", page_look_script, PAGE_LOOK_SCRIPT_HASH);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_hashes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
