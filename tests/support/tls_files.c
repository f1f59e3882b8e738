/* SPDX-License-Identifier: ISC */
#include "support/tls_files.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "base/must.h"

static char directory[] = "/tmp/doorbell-tls-XXXXXX";

const char *
tls_files_path(const char *name)
{
	static char paths[4][320];
	static unsigned next;
	char *path = paths[next++ % 4];

	(void)snprintf(path, sizeof(paths[0]), "%s/%s", directory, name);
	return path;
}

static X509 *
make_certificate(EVP_PKEY *key)
{
	X509 *x = X509_new();
	X509_NAME *name;

	must(x != NULL);
	name = X509_get_subject_name(x);
	must(X509_set_version(x, 2) == 1 &&
	     ASN1_INTEGER_set(X509_get_serialNumber(x), 1) == 1 &&
	     X509_gmtime_adj(X509_getm_notBefore(x), -60) != NULL &&
	     X509_gmtime_adj(X509_getm_notAfter(x), 3600) != NULL &&
	     X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
		 (const unsigned char *)"mx.test", -1, -1, 0) == 1 &&
	     X509_set_issuer_name(x, name) == 1 &&
	     X509_set_pubkey(x, key) == 1 && X509_sign(x, key, EVP_sha256()));
	return x;
}

static FILE *
open_file(const char *name)
{
	FILE *fp = fopen(tls_files_path(name), "a");

	must(fp != NULL);
	return fp;
}

static void
add_key(const char *name, EVP_PKEY *key, const char *password)
{
	FILE *fp = open_file(name);
	int n = password != NULL ? (int)strlen(password) : 0;

	must(PEM_write_PrivateKey(fp, key,
		 password != NULL ? EVP_aes_128_cbc() : NULL,
		 (const unsigned char *)password, n, NULL, NULL) == 1);
	fclose(fp);
}

static void
add_certificate(const char *name, X509 *x)
{
	FILE *fp = open_file(name);

	must(PEM_write_X509(fp, x) == 1);
	fclose(fp);
}

static void
add_text(const char *name, const char *text)
{
	FILE *fp = open_file(name);

	fputs(text, fp);
	fclose(fp);
}

int
tls_files_make(void **state)
{
	EVP_PKEY *rsa = EVP_RSA_gen(2048), *ec = EVP_EC_gen("P-256");
	X509 *of_rsa, *of_ec;

	(void)state;
	must(rsa != NULL && ec != NULL && mkdtemp(directory) != NULL);
	of_rsa = make_certificate(rsa);
	of_ec = make_certificate(ec);
	add_key("rsa.key", rsa, NULL);
	add_certificate("rsa.pem", of_rsa);
	add_key("ec.key", ec, NULL);
	add_certificate("ec.pem", of_ec);
	add_key("both.pem", rsa, NULL);
	add_certificate("both.pem", of_rsa);
	add_key("both.pem", ec, NULL);
	add_certificate("both.pem", of_ec);
	add_key("split.pem", rsa, NULL);
	add_key("locked.key", rsa, "secret");
	add_text("empty.pem", "");
	add_text("broken.pem", "-----BEGIN CERTIFICATE-----\n"
			       "TWFsZm9ybWVk\n-----END CERTIFICATE-----\n");
	X509_free(of_rsa);
	X509_free(of_ec);
	EVP_PKEY_free(rsa);
	EVP_PKEY_free(ec);
	return 0;
}

int
tls_files_make_ec(void **state)
{
	EVP_PKEY *ec = EVP_EC_gen("P-256");
	X509 *of_ec;

	(void)state;
	must(ec != NULL && mkdtemp(directory) != NULL);
	of_ec = make_certificate(ec);
	add_key("ec.key", ec, NULL);
	add_certificate("ec.pem", of_ec);
	X509_free(of_ec);
	EVP_PKEY_free(ec);
	return 0;
}

int
tls_files_remove(void **state)
{
	DIR *d = opendir(directory);
	struct dirent *entry;

	(void)state;
	must(d != NULL);
	while ((entry = readdir(d)) != NULL)
		(void)unlink(tls_files_path(entry->d_name));
	closedir(d);
	(void)rmdir(directory);
	return 0;
}
