/* SPDX-License-Identifier: ISC */
/* Any bytes as a line of a log: no crash, spans stay inside, and what is
 * understood can be written again. */
#include "ops/logline.h"

#include <stdlib.h>
#include <string.h>

#include "base/must.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static void
check_span(struct span in, struct span part)
{
	if (part.p != NULL)
		must(part.p >= in.p && part.p + part.n <= in.p + in.n);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	char *copy = malloc(n > 0 ? n : 1); /* exact: reading past it is seen */
	char text[ENDPOINT_TEXT_MAX];
	struct span in = {copy, n};
	struct logline l;

	must(copy != NULL);
	memcpy(copy, bytes, n);
	logline_parse(in, (struct wall){1795000000}, &l);
	check_span(in, l.word);
	check_span(in, l.text);
	check_span(in, l.other);
	if (l.kind == LOGLINE_EVENT) {
		must(l.event < EVENT_COUNT);
		if (l.has_client)
			must(strlen(endpoint_format(&l.client, text)) > 0);
	}
	must(l.delay_ms >= 0);
	free(copy);
	return 0;
}
