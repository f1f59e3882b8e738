/* SPDX-License-Identifier: ISC */
/* base/addr.h - IP addresses, address blocks and endpoints.
 *
 * A v4-mapped IPv6 address is turned into IPv4 wherever one comes in, so the
 * rest of the program never sees one. No zone identifiers (RFC 4007). */
#ifndef DOORBELL_BASE_ADDR_H
#define DOORBELL_BASE_ADDR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/text.h"

enum addr_family { ADDR_NONE = 0, ADDR_IPV4 = 4, ADDR_IPV6 = 6 };

struct addr {
	uint8_t family;    /* enum addr_family */
	uint8_t bytes[16]; /* network order; 4 used for IPv4, rest zero */
};

struct endpoint {
	struct addr addr;
	uint16_t port; /* host order */
};

/* A block of addresses: the first `bits` bits of `base` count. */
struct addr_block {
	struct addr base; /* host bits zero */
	uint8_t bits;
};

#define ADDR_TEXT_MAX 46 /* with the NUL */

/* Numeric text, "1.2.3.4" or "2001:db8::1"; brackets are not accepted.
 * 0 or -1. */
int addr_parse(struct span in, struct addr *out_r);
/* inet_ntop form. Returns `out`. */
char *addr_format(const struct addr *a, char out[ADDR_TEXT_MAX]);
bool addr_equal(const struct addr *a, const struct addr *b);
bool addr_is_loopback(const struct addr *a);    /* 127.0.0.0/8, ::1 */
unsigned addr_bits(const struct addr *a);       /* 32 or 128 */
unsigned addr_byte_count(const struct addr *a); /* 4 or 16 */
/* The address with all but the first `bits` bits zeroed. */
struct addr addr_masked(const struct addr *a, unsigned bits);

/* "ADDR" or "ADDR/LEN"; host bits must be zero unless `lax`. 0 or -1. */
int addr_block_parse(struct span in, bool lax, struct addr_block *out_r);
bool addr_block_has(const struct addr_block *block, const struct addr *a);

/* 0, or -1 for a family that is not IPv4 or IPv6. */
int endpoint_from_sockaddr(const struct sockaddr *sa, struct endpoint *out_r);
/* Returns the length for bind(2) and connect(2). */
socklen_t endpoint_to_sockaddr(
    const struct endpoint *e, struct sockaddr_storage *out_r);
/* "[ADDR]:PORT", the notation of every log line. Returns `out`. */
#define ENDPOINT_TEXT_MAX (ADDR_TEXT_MAX + 8)
char *endpoint_format(const struct endpoint *e, char out[ENDPOINT_TEXT_MAX]);

#endif
