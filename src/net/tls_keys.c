/* SPDX-License-Identifier: ISC */
#include "net/tls_keys.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>

#include "base/mem.h"

/* A PEM file is taken object by object: a key begins a chain, certificates
 * continue it, all else (DH and EC parameters) is skipped. A key with a
 * password is an error, because OpenSSL would ask the terminal for it. */

struct chain {
	EVP_PKEY *key;
	X509 *leaf;
	STACK_OF(X509) * issuers;
};

/* What to take from a file. */
enum wanted { WANT_KEYS = 1, WANT_CERTIFICATES = 2 };

struct object {
	char *name, *header;
	unsigned char *p;
	long n;
};

static void
chain_clear(struct chain *c)
{
	EVP_PKEY_free(c->key);
	X509_free(c->leaf);
	sk_X509_pop_free(c->issuers, X509_free);
	*c = (struct chain){0};
}

static int
say_library(struct errtext *why, const char *file)
{
	const char *reason = ERR_reason_error_string(ERR_peek_last_error());

	errtext_set(why, "%s: %s", file,
	    reason != NULL ? reason : "cannot be understood");
	ERR_clear_error();
	return -1;
}

/* Put a chain into force and forget it. */
static int
chain_install(
    SSL_CTX *ssl, struct chain *c, const char *file, struct errtext *why)
{
	int rc = 0;

	if (c->key == NULL || c->leaf == NULL) {
		errtext_set(why, "%s: %s", file,
		    c->key == NULL ? "no private key" : "no certificate");
		rc = -1;
	} else if (SSL_CTX_use_cert_and_key(
		       ssl, c->leaf, c->key, c->issuers, 1) != 1) {
		rc = say_library(why, file);
	}
	chain_clear(c);
	return rc;
}

static int
chain_take_key(struct chain *c, const struct object *o)
{
	const unsigned char *p = o->p;

	EVP_PKEY_free(c->key);
	c->key = d2i_AutoPrivateKey(NULL, &p, o->n);
	return c->key != NULL ? 0 : -1;
}

static int
chain_take_certificate(struct chain *c, const struct object *o, bool trusted)
{
	const unsigned char *p = o->p;
	X509 *x =
	    trusted ? d2i_X509_AUX(NULL, &p, o->n) : d2i_X509(NULL, &p, o->n);

	if (x == NULL)
		return -1;
	if (c->leaf == NULL) {
		c->leaf = x;
		return 0;
	}
	if (c->issuers == NULL)
		c->issuers = sk_X509_new_null();
	if (c->issuers != NULL && sk_X509_push(c->issuers, x) > 0)
		return 0;
	X509_free(x);
	return -1;
}

static bool
is_key(const struct object *o)
{
	size_t n = strlen(o->name), tail = strlen("PRIVATE KEY");

	return n >= tail && strcmp(o->name + n - tail, "PRIVATE KEY") == 0;
}

static bool
is_encrypted(const struct object *o)
{
	return strstr(o->header, "ENCRYPTED") != NULL ||
	       strstr(o->name, "ENCRYPTED") != NULL;
}

static int
take_object(SSL_CTX *ssl, struct chain *c, unsigned wanted,
    const struct object *o, const char *file, struct errtext *why)
{
	bool trusted = strcmp(o->name, "TRUSTED CERTIFICATE") == 0;
	int rc = 0;

	if (is_key(o) && (wanted & WANT_KEYS) != 0) {
		if (is_encrypted(o)) {
			errtext_set(why, "%s: the key has a password", file);
			return -1;
		}
		/* Here a chain ends and the next one begins. */
		if (c->leaf != NULL && (wanted & WANT_CERTIFICATES) != 0 &&
		    chain_install(ssl, c, file, why) < 0)
			return -1;
		if (c->key == NULL || wanted != WANT_KEYS)
			rc = chain_take_key(c, o);
	} else if ((wanted & WANT_CERTIFICATES) != 0 &&
		   (trusted || strcmp(o->name, "CERTIFICATE") == 0 ||
		       strcmp(o->name, "X509 CERTIFICATE") == 0)) {
		rc = chain_take_certificate(c, o, trusted);
	}
	return rc < 0 ? say_library(why, file) : 0;
}

static int
read_objects(SSL_CTX *ssl, struct chain *c, unsigned wanted, BIO *in,
    const char *file, struct errtext *why)
{
	struct object o;
	int rc = 0;

	while (
	    rc == 0 && PEM_read_bio(in, &o.name, &o.header, &o.p, &o.n) == 1) {
		rc = take_object(ssl, c, wanted, &o, file, why);
		OPENSSL_free(o.name);
		OPENSSL_free(o.header);
		OPENSSL_clear_free(o.p, (size_t)o.n);
	}
	if (rc == 0 &&
	    ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE)
		rc = say_library(why, file);
	ERR_clear_error();
	return rc;
}

static int
read_file(SSL_CTX *ssl, struct chain *c, unsigned wanted, const char *file,
    struct errtext *why)
{
	FILE *fp = fopen(file, "re");
	BIO *in = NULL;
	int rc = -1;

	ERR_clear_error();
	if (fp == NULL)
		errtext_set(why, "%s: %s", file, strerror(errno));
	else if ((in = BIO_new_fp(fp, BIO_NOCLOSE)) == NULL)
		errtext_set(why, "%s: %s", file, strerror(ENOMEM));
	else
		rc = read_objects(ssl, c, wanted, in, file, why);
	BIO_free(in);
	if (fp != NULL)
		fclose(fp);
	return rc;
}

static int
read_named(SSL_CTX *ssl, struct chain *c, struct span name, struct errtext *why)
{
	char *file = mem_strndup(name.p, name.n);
	int rc = -1;

	if (file == NULL)
		errtext_set(why, "%s", strerror(errno));
	else
		rc =
		    read_file(ssl, c, WANT_KEYS | WANT_CERTIFICATES, file, why);
	mem_free(file);
	return rc;
}

int
tls_keys_load_chains(
    struct ssl_ctx_st *ssl, struct span files, struct errtext *why)
{
	struct chain c = {0};
	struct span rest = files, name;
	int rc = 0;

	while (rc == 0 && text_token(&rest, TEXT_LIST_SEPARATORS, &name))
		rc = read_named(ssl, &c, name, why);
	if (rc == 0)
		rc = chain_install(
		    ssl, &c, "the last of the TLS chain files", why);
	chain_clear(&c);
	return rc;
}

int
tls_keys_load_pair(struct ssl_ctx_st *ssl, const char *cert_file,
    const char *key_file, struct errtext *why)
{
	struct chain c = {0};
	int rc;

	rc = read_file(ssl, &c, WANT_CERTIFICATES, cert_file, why);
	if (rc == 0)
		rc = read_file(ssl, &c, WANT_KEYS, key_file, why);
	if (rc == 0)
		rc = chain_install(
		    ssl, &c, c.key == NULL ? key_file : cert_file, why);
	chain_clear(&c);
	return rc;
}
