/* SPDX-License-Identifier: ISC */
/* lookup/dns_answer.h - the bytes of a DNS message, read as an answer to an A
 * question.
 *
 * Pure: no sockets, no memory, no clock. Aliases are followed from the name in
 * the question in the order in which they stand, as servers write them;
 * addresses of other names do not count.
 *
 * Units:   TTLs in seconds.
 * Errors:  a message that cannot be read is an answer: RESOLVER_FAILED. */
#ifndef DOORBELL_LOOKUP_DNS_ANSWER_H
#define DOORBELL_LOOKUP_DNS_ANSWER_H

#include <stddef.h>
#include <stdint.h>

#include "lookup/resolver.h"

/* Writes the whole of *answer_r. */
void dns_answer_parse(
    const uint8_t *bytes, size_t n, struct resolver_answer *answer_r);

#endif
