/* SPDX-License-Identifier: ISC */
/* net/tls_spec.h - how main.cf names TLS protocols and ciphers.
 *
 *	protocols	>=TLSv1.2  <=0304  !SSLv3  TLSv1.2, TLSv1.3
 *	grades		high, medium, low, export, null
 *
 * Owns:    nothing.
 * Errors:  -1 with *why. */
#ifndef DOORBELL_NET_TLS_SPEC_H
#define DOORBELL_NET_TLS_SPEC_H

#include "base/buf.h"
#include "base/errtext.h"
#include "base/text.h"

/* As on the wire (RFC 8446 section 4.1.2): 0x0303 is TLS 1.2. */
#define TLS_SPEC_SSL3 0x0300
#define TLS_SPEC_TLS1_3 0x0304
#define TLS_SPEC_BIT(version) (1u << ((version)&0x0f))

struct tls_protocols {
	int min, max;      /* 0: no bound */
	unsigned excluded; /* TLS_SPEC_BITs */
};

/* Names that are neither bounds nor excluded, if there are any, exclude all
 * that are not named. SSLv2 may be named; there is none any more. */
int tls_spec_protocols(
    struct span list, struct tls_protocols *protocols_r, struct errtext *why);
/* Append the cipher list, in OpenSSL's notation, of a grade less what is
 * excluded. */
int tls_spec_ciphers(struct span grade, struct span excluded, struct buf *out,
    struct errtext *why);

#endif
