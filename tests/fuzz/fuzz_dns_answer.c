/* SPDX-License-Identifier: ISC */
/* Any bytes as the answer of a name server: no crash, and what is read from
 * them is one of the few things an answer can be. */
#include "lookup/dns_answer.h"

#include <stdlib.h>
#include <string.h>

#include "base/must.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static void
check(const struct resolver_answer *a)
{
	must(a->n <= RESOLVER_ADDR_MAX);
	must((a->status == RESOLVER_FOUND) == (a->n > 0));
	must((a->status == RESOLVER_FAILED) == (a->why != NULL));
	must(a->status != RESOLVER_TIMED_OUT);
	must(a->status != RESOLVER_FOUND || a->has_ttl);
	must(a->ttl_s <= INT32_MAX && (a->has_ttl || a->ttl_s == 0));
	for (size_t i = 0; i < a->n; i++)
		must(a->addr[i].family == ADDR_IPV4);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	struct resolver_answer answer;
	uint8_t *copy = malloc(n > 0 ? n : 1); /* reading past it is seen */

	must(copy != NULL);
	memcpy(copy, bytes, n);
	dns_answer_parse(copy, n, &answer);
	check(&answer);
	free(copy);
	return 0;
}
