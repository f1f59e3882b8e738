/* SPDX-License-Identifier: ISC */
/* support/tls_files.h - keys and certificates for tests, made on the spot.
 *
 * All is written into one directory of its own. */
#ifndef DOORBELL_TESTS_TLS_FILES_H
#define DOORBELL_TESTS_TLS_FILES_H

/* For cmocka's groups. Make the directory, and in it
 *	rsa.key rsa.pem		a key and its certificate
 *	ec.key ec.pem		the same of another kind
 *	both.pem		RSA key, certificate, EC key, certificate
 *	split.pem		only the RSA key; rsa.pem goes on
 *	locked.key		the RSA key with a password
 *	empty.pem broken.pem	nothing, and a certificate that is none */
int tls_files_make(void **state);
/* Only ec.key and ec.pem: an RSA key takes valgrind ten seconds. */
int tls_files_make_ec(void **state);
/* The path of one of them; good until the fourth call from now. */
const char *tls_files_path(const char *name);
int tls_files_remove(void **state);

#endif
