/* SPDX-License-Identifier: ISC */
/* Any bytes as a PROXY header: no crash, and what is taken has endpoints that
 * can be written and are within the header. */
#include "net/proxyhdr.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/must.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static void
check_endpoint(const struct endpoint *e)
{
	char text[ENDPOINT_TEXT_MAX];

	must(e->addr.family == ADDR_IPV4 || e->addr.family == ADDR_IPV6);
	must(strlen(endpoint_format(e, text)) < sizeof(text));
}

static void
check(struct span in, struct proxyhdr_families speaks)
{
	struct proxyhdr h, again;

	if (proxyhdr_parse(in, speaks, &h) < 0) {
		must(h.why != NULL && h.why[0] != '\0');
		return;
	}
	must(h.why == NULL && h.used > 0);
	must(h.used <= in.n && h.used <= PROXYHDR_MAX);
	if (!h.local) {
		check_endpoint(&h.client);
		check_endpoint(&h.server);
	}
	must(proxyhdr_parse(span_of(in.p, h.used), speaks, &again) == 0);
	must(proxyhdr_parse(span_of(in.p, h.used - 1), speaks, &again) < 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	char *copy = malloc(n > 0 ? n : 1); /* exact: reading past it is seen */

	must(copy != NULL);
	memcpy(copy, bytes, n);
	for (unsigned families = 0; families < 4; families++)
		check(span_of(copy, n),
		    (struct proxyhdr_families){.ipv4 = (families & 1) != 0,
			.ipv6 = (families & 2) != 0});
	free(copy);
	return 0;
}
