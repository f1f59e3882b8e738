/* SPDX-License-Identifier: ISC */
/* Any bytes as the totals of an hour, which the cache file keeps: what is
 * accepted is the same after another way through the encoder, and what is made
 * of two can always be read again. The first two bytes say where the second one
 * begins. */
#include "screen/totals.h"

#include <stdlib.h>
#include <string.h>

#include "base/must.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static void
check(const struct totals *t)
{
	must(t->lists <= TOTALS_LISTS_MAX);
	for (size_t i = 0; i < t->lists; i++) {
		const char *name = t->list[i].name;

		must(memchr(name, '\0', TOTALS_NAME_MAX) != NULL);
		must(name[0] != '\0');
		must(t->list[i].use <= TOTALS_USE_ALLOWS);
	}
}

static void
try_one(struct span in, struct totals room[2])
{
	struct buf out;

	if (totals_decode(in, &room[0]) < 0)
		return;
	check(&room[0]);
	buf_init(&out, TOTALS_BYTES_MAX);
	must(totals_encode(&room[0], &out) == 0);
	must(totals_decode(buf_span(&out), &room[1]) == 0);
	must(memcmp(&room[0], &room[1], sizeof(room[0])) == 0);
	buf_clear(&out);
}

static void
try_both(struct span stored, struct span more, struct totals *room)
{
	struct buf out;

	buf_init(&out, TOTALS_BYTES_MAX);
	must(totals_merge(stored, more, &out) == 0);
	must(totals_decode(buf_span(&out), room) == 0);
	check(room);
	buf_clear(&out);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	struct totals *room = calloc(2, sizeof(*room));
	size_t middle;
	char *copy;

	if (n < 2 || room == NULL)
		return free(room), 0;
	middle = bytes[0] * 256u + bytes[1];
	n -= 2;
	if (middle > n)
		middle = n;
	copy = malloc(n > 0 ? n : 1); /* exact: reading past it is seen */
	must(copy != NULL);
	memcpy(copy, bytes + 2, n);
	try_one(span_of(copy, middle), room);
	try_one(span_of(copy + middle, n - middle), room);
	try_both(
	    span_of(copy, middle), span_of(copy + middle, n - middle), room);
	free(copy);
	free(room);
	return 0;
}
