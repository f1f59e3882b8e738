/* SPDX-License-Identifier: ISC */
/* config/settings.h - what the admin wrote, by name.
 *
 * Owns:    copies of names and values. The path of a setting is the caller's.
 * Errors:  -1 with errno ENOMEM. */
#ifndef DOORBELL_CONFIG_SETTINGS_H
#define DOORBELL_CONFIG_SETTINGS_H

#include <stddef.h>

#include "base/map.h"
#include "base/text.h"

struct setting {
	struct map_link link;
	char *name;
	char *value;
	const char *path; /* NULL: -o, or given with the source */
	int line;
};

struct settings {
	struct map *map;
	struct setting **at; /* in the order they came in */
	size_t n, cap;
};

int settings_init(struct settings *settings);
void settings_clear(struct settings *settings);
/* A later value takes the place of an earlier one. */
int settings_put(struct settings *settings, struct span name, struct span value,
    const char *path, int line);
/* NULL when nobody set it. */
const struct setting *settings_find(
    const struct settings *settings, struct span name);

#endif
