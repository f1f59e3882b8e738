/* SPDX-License-Identifier: ISC */
#include "config/settings.h"

#include <errno.h>
#include <string.h>

#include "base/mem.h"

int
settings_init(struct settings *settings)
{
	*settings = (struct settings){.map = map_new()};
	return settings->map != NULL ? 0 : -1;
}

static void
free_setting(struct setting *s)
{
	if (s == NULL)
		return;
	mem_free(s->name);
	mem_free(s->value);
	mem_free(s);
}

void
settings_clear(struct settings *settings)
{
	map_free(&settings->map);
	for (size_t i = 0; i < settings->n; i++)
		free_setting(settings->at[i]);
	mem_free(settings->at);
	*settings = (struct settings){0};
}

const struct setting *
settings_find(const struct settings *settings, struct span name)
{
	struct map_link *link = map_find(settings->map, name.p, name.n);

	return link != NULL ? OWNER_OF(link, struct setting, link) : NULL;
}

static int
make_room(struct settings *settings)
{
	enum { FIRST_CAP = 64 };
	size_t cap = settings->cap == 0 ? FIRST_CAP : settings->cap * 2;
	struct setting **at;

	if (settings->n < settings->cap)
		return 0;
	at = mem_resize(settings->at, cap, sizeof(struct setting *));
	if (at == NULL)
		return -1;
	settings->at = at;
	settings->cap = cap;
	return 0;
}

static struct setting *
add(struct settings *settings, struct span name)
{
	struct setting *s;

	if (make_room(settings) < 0)
		return NULL;
	s = mem_new(sizeof(*s));
	if (s == NULL)
		return NULL;
	s->name = mem_strndup(name.p, name.n);
	if (s->name == NULL) {
		free_setting(s);
		return NULL;
	}
	map_add(settings->map, &s->link, s->name, name.n);
	settings->at[settings->n++] = s;
	return s;
}

int
settings_put(struct settings *settings, struct span name, struct span value,
    const char *path, int line)
{
	char *copy = mem_strndup(value.p, value.n);
	struct map_link *link = map_find(settings->map, name.p, name.n);
	struct setting *s;

	if (copy == NULL)
		return -1;
	s = link != NULL ? OWNER_OF(link, struct setting, link)
			 : add(settings, name);
	if (s == NULL) {
		mem_free(copy);
		return -1;
	}
	mem_free(s->value);
	s->value = copy;
	s->path = path;
	s->line = line;
	return 0;
}
