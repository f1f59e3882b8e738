/* SPDX-License-Identifier: ISC */
/* links: fake_mem tls_files */
#include "net/tls_keys.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

#include "base/mem.h"
#include "support/fake_mem.h"
#include "support/tls_files.h"

enum { HAS_RSA = 1, HAS_EC = 2 };

/* Which kinds of keys the context has. */
static int
kinds(SSL_CTX *ssl)
{
	int found = 0;

	for (long more = SSL_CTX_set_current_cert(ssl, SSL_CERT_SET_FIRST);
	     more == 1;
	     more = SSL_CTX_set_current_cert(ssl, SSL_CERT_SET_NEXT)) {
		EVP_PKEY *key = SSL_CTX_get0_privatekey(ssl);

		if (key != NULL)
			found |= EVP_PKEY_is_a(key, "RSA") ? HAS_RSA : HAS_EC;
	}
	return found;
}

static const struct {
	const char *files[3];
	int kinds; /* 0: it is wrong */
	const char *file, *reason;
} chain_cases[] = {
    {{"both.pem"}, HAS_RSA | HAS_EC, NULL, NULL},
    {{"split.pem", "rsa.pem"}, HAS_RSA, NULL, NULL},
    {{"rsa.key", "rsa.pem", "both.pem"}, HAS_RSA | HAS_EC, NULL, NULL},
    {{"rsa.key", "rsa.pem", "ec.pem"}, HAS_RSA, NULL, NULL}, /* as issuer */
    {{"rsa.pem", "rsa.key"}, 0, "rsa.key", "no private key"},
    {{"rsa.pem"}, 0, NULL, "the last of the TLS chain files: no private key"},
    {{"rsa.key"}, 0, NULL, "the last of the TLS chain files: no certificate"},
    {{"empty.pem"}, 0, NULL, "the last of the TLS chain files: no private key"},
    {{"rsa.key", "ec.pem"}, 0, NULL,
	"the last of the TLS chain files: private key mismatch"},
    {{"locked.key", "rsa.pem"}, 0, "locked.key", "the key has a password"},
    {{"rsa.key", "broken.pem"}, 0, "broken.pem", ""},
    {{"rsa.key", "absent"}, 0, "absent", "No such file or directory"},
};

static void
check(const char *name, int rc, const struct errtext *why, int got, int want,
    const char *file, const char *reason)
{
	struct errtext wanted;

	if (want != 0) {
		if (rc != 0 || got != want)
			fail_msg("%s: %d, %d: %s", name, rc, got, why->text);
		return;
	}
	assert_int_equal(rc, -1);
	if (file != NULL)
		errtext_set(&wanted, "%s: %s", tls_files_path(file), reason);
	else
		errtext_set(&wanted, "%s", reason);
	if (strncmp(why->text, wanted.text, strlen(wanted.text)) != 0)
		fail_msg(
		    "%s: \"%s\", not \"%s\"", name, why->text, wanted.text);
}

static void
test_chains(void **state)
{
	const size_t n = sizeof(chain_cases) / sizeof(*chain_cases);

	(void)state;
	for (size_t i = 0; i < n; i++) {
		SSL_CTX *ssl = SSL_CTX_new(TLS_server_method());
		struct errtext why = {""};
		char files[300] = "";
		int rc;

		for (size_t f = 0; f < 3 && chain_cases[i].files[f]; f++) {
			strncat(files, tls_files_path(chain_cases[i].files[f]),
			    sizeof(files) - strlen(files) - 1);
			strncat(files, ", ", sizeof(files) - strlen(files) - 1);
		}
		rc = tls_keys_load_chains(ssl, span_str(files), &why);
		check(files, rc, &why, kinds(ssl), chain_cases[i].kinds,
		    chain_cases[i].file, chain_cases[i].reason);
		SSL_CTX_free(ssl);
		assert_int_equal(ERR_peek_error(), 0);
	}
	assert_int_equal(fake_mem_live(), 0);
}

static const struct {
	const char *cert, *key;
	int kinds;
	const char *file, *reason;
} pair_cases[] = {
    {"rsa.pem", "rsa.key", HAS_RSA, NULL, NULL},
    {"ec.pem", "ec.key", HAS_EC, NULL, NULL},
    {"both.pem", "both.pem", HAS_RSA, NULL, NULL},
    {"rsa.pem", "absent", 0, "absent", "No such file or directory"},
    {"absent", "rsa.key", 0, "absent", "No such file or directory"},
    {"rsa.pem", "rsa.pem", 0, "rsa.pem", "no private key"},
    {"rsa.key", "rsa.key", 0, "rsa.key", "no certificate"},
    {"rsa.pem", "ec.key", 0, "rsa.pem", "private key mismatch"},
    {"rsa.pem", "locked.key", 0, "locked.key", "the key has a password"},
    {"broken.pem", "rsa.key", 0, "broken.pem", ""},
    {"empty.pem", "rsa.key", 0, "empty.pem", "no certificate"},
};

static void
test_pairs(void **state)
{
	const size_t n = sizeof(pair_cases) / sizeof(*pair_cases);

	(void)state;
	for (size_t i = 0; i < n; i++) {
		SSL_CTX *ssl = SSL_CTX_new(TLS_server_method());
		struct errtext why = {""};
		int rc =
		    tls_keys_load_pair(ssl, tls_files_path(pair_cases[i].cert),
			tls_files_path(pair_cases[i].key), &why);

		check(pair_cases[i].cert, rc, &why, kinds(ssl),
		    pair_cases[i].kinds, pair_cases[i].file,
		    pair_cases[i].reason);
		SSL_CTX_free(ssl);
		assert_int_equal(ERR_peek_error(), 0);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_chains),
	    cmocka_unit_test(test_pairs),
	};

	return cmocka_run_group_tests_name(
	    "net/tls_keys", tests, tls_files_make, tls_files_remove);
}
