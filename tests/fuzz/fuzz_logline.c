/* SPDX-License-Identifier: ISC */
/* Any bytes as a line of a log: no crash, spans stay inside, and what is
 * understood can be written again. Many lines are a log file: connections are
 * put together from them, and their history adds up. */
#include "ops/logline.h"

#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "ops/logbook.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static void
check_span(struct span in, struct span part)
{
	if (part.p != NULL)
		must(part.p >= in.p && part.p + part.n <= in.p + in.n);
}

static void
try_line(struct span part, struct logbook *book)
{
	/* exact: reading past it is seen */
	char *copy = malloc(part.n > 0 ? part.n : 1);
	char text[ENDPOINT_TEXT_MAX];
	struct span in = {copy, part.n};
	struct logline l;

	must(copy != NULL);
	if (part.n > 0)
		memcpy(copy, part.p, part.n);
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
	logbook_line(book, &l);
	free(copy);
}

static void
check_history(const struct history *h)
{
	for (size_t i = 0; i < h->hours; i++)
		must(i == 0 || h->hour[i - 1].hour < h->hour[i].hour);
	must(h->ours <= h->lines);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	struct span rest = {(const char *)bytes, n};
	struct history history;
	struct logbook *book;
	size_t lines = 0;

	history_init(&history);
	book = logbook_new(
	    &history, (struct wall){1780000000}, (struct wall){1796000000});
	must(book != NULL);
	for (; lines++ == 0 || rest.n > 0;) {
		const char *end =
		    rest.n > 0 ? memchr(rest.p, '\n', rest.n) : NULL;
		size_t length = end != NULL ? (size_t)(end - rest.p) : rest.n;
		size_t used = end != NULL ? length + 1 : length;

		try_line(span_of(rest.p, length), book);
		rest = span_of(rest.p + used, rest.n - used);
	}
	must(logbook_finish(book) == 0);
	check_history(&history);
	logbook_free(&book);
	history_clear(&history);
	return 0;
}
