/* SPDX-License-Identifier: ISC */
#include "table/shelf.h"

#include "base/mem.h"
#include "table/table.h"

struct shelf {
	struct table **tables;
	size_t count;
	bool is_closed;
};

struct shelf *
shelf_new(void)
{
	return mem_new(sizeof(struct shelf));
}

void
shelf_free(struct shelf **shelf)
{
	if (*shelf == NULL)
		return;
	for (size_t i = 0; i < (*shelf)->count; i++)
		table_free(&(*shelf)->tables[i]);
	mem_free((*shelf)->tables);
	mem_free(*shelf);
	*shelf = NULL;
}

struct table *
shelf_find(const struct shelf *shelf, struct span spec)
{
	for (size_t i = 0; i < shelf->count; i++) {
		struct span other = span_str(table_spec(shelf->tables[i]));

		if (other.n == spec.n && span_has_prefix(spec, other.p))
			return shelf->tables[i];
	}
	return NULL;
}

int
shelf_put(struct shelf *shelf, struct table *t)
{
	/* NOLINTNEXTLINE(bugprone-sizeof-expression): these are pointers. */
	const size_t size = sizeof(*shelf->tables);
	struct table **more = mem_resize(shelf->tables, shelf->count + 1, size);

	if (more == NULL)
		return -1;
	shelf->tables = more;
	shelf->tables[shelf->count++] = table_ref(t);
	return 0;
}

void
shelf_close(struct shelf *shelf)
{
	shelf->is_closed = true;
}

bool
shelf_is_closed(const struct shelf *shelf)
{
	return shelf->is_closed;
}
