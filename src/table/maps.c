/* SPDX-License-Identifier: ISC */
#include "table/maps.h"

#include <errno.h>
#include <string.h>

#include "base/mem.h"

/* A table that cannot be read finds nothing, so the next one is asked: as with
 * a single table, trouble was reported when it was opened. */

struct maps {
	struct table **tables;
	size_t count;
};

static int
add_table(struct maps *m, struct span word, const struct table_options *o,
    struct errtext *why)
{
	struct table **more;

	if (!table_is_spec(word)) {
		errtext_set(why, "\"%.*s\": TYPE:NAME expected",
		    word.n < 100 ? (int)word.n : 100, word.p);
		return -1;
	}
	more = mem_resize(m->tables, m->count + 1, sizeof(struct table *));
	if (more == NULL) {
		errtext_set(why, "%s", strerror(errno));
		return -1;
	}
	m->tables = more;
	if ((more[m->count] = table_open(word, o, why)) == NULL)
		return -1;
	m->count++;
	return 0;
}

struct maps *
maps_open(struct span words, const struct table_options *o, struct errtext *why)
{
	struct maps *m = mem_new(sizeof(*m));
	struct span word;

	if (m == NULL) {
		errtext_set(why, "%s", strerror(errno));
		return NULL;
	}
	while (text_token(&words, TEXT_LIST_SEPARATORS, &word))
		if (add_table(m, word, o, why) < 0) {
			maps_free(&m);
			break;
		}
	return m;
}

void
maps_free(struct maps **m)
{
	if (*m == NULL)
		return;
	for (size_t i = 0; i < (*m)->count; i++)
		table_free(&(*m)->tables[i]);
	mem_free((*m)->tables);
	mem_free(*m);
	*m = NULL;
}

bool
maps_is_empty(const struct maps *m)
{
	return m->count == 0;
}

enum table_result
maps_find(const struct maps *m, const char *key, struct table_match *match_r)
{
	for (size_t i = 0; i < m->count; i++)
		if (table_find(m->tables[i], key, match_r) == TABLE_FOUND)
			return TABLE_FOUND;
	return TABLE_ABSENT;
}

enum table_result
maps_find_addr(
    const struct maps *m, const struct addr *a, struct table_match *match_r)
{
	for (size_t i = 0; i < m->count; i++)
		if (table_find_addr(m->tables[i], a, match_r) == TABLE_FOUND)
			return TABLE_FOUND;
	return TABLE_ABSENT;
}

enum table_change
maps_refresh(struct maps *m, struct errtext *why)
{
	enum table_change change, strongest = TABLE_SAME;
	struct errtext said;

	for (size_t i = 0; i < m->count; i++) {
		change = table_refresh(m->tables[i], &said);
		if (change > strongest) {
			strongest = change;
			*why = said;
		}
	}
	return strongest;
}
