/* SPDX-License-Identifier: ISC */
/* net/tls_keys.h - private keys and certificate chains, from PEM files.
 *
 * Owns:    nothing: what was read belongs to OpenSSL's context.
 * Errors:  -1 with *why, which names the file.
 * Blocks:  reads files; before the loop, or at a reload. */
#ifndef DOORBELL_NET_TLS_KEYS_H
#define DOORBELL_NET_TLS_KEYS_H

#include "base/errtext.h"
#include "base/text.h"

struct ssl_ctx_st; /* OpenSSL's SSL_CTX */

/* Files that hold keys, each followed by its certificate and the certificates
 * that it was issued under; the chain may go on in the next file. Several
 * chains may have keys of several kinds. */
int tls_keys_load_chains(
    struct ssl_ctx_st *ssl, struct span files, struct errtext *why);
/* A certificate, with those that it was issued under, and its key. */
int tls_keys_load_pair(struct ssl_ctx_st *ssl, const char *cert_file,
    const char *key_file, struct errtext *why);

#endif
