/* SPDX-License-Identifier: ISC */
#include "config/override.h"

#include <errno.h>
#include <string.h>

#include "base/buf.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/must.h"
#include "config/expand.h"
#include "config/value.h"

/* An override is a whole copy of the configuration, calm and stressed: whoever
 * reads a value need not know whether it was overridden. Only what a session
 * uses at the moment is kept, for a table of patterns can make settings out of
 * an address: there may be as many of them as clients, and no more. */

enum { VALUE_MAX = 256 /* bytes, written and expanded */ };

struct override_pool {
	const struct config_set *set;
	struct map *map; /* by text */
};

struct override {
	struct map_link link;
	struct override_pool *pool;
	unsigned references;
	struct config under[2]; /* calm, stressed */
	char text[];
};

struct override_pool *
override_pool_new(const struct config_set *set)
{
	struct override_pool *pool = mem_new(sizeof(*pool));

	if (pool != NULL && (pool->map = map_new()) == NULL) {
		mem_free(pool);
		pool = NULL;
	}
	if (pool != NULL)
		pool->set = set;
	return pool;
}

void
override_pool_free(struct override_pool **pool)
{
	if (*pool == NULL)
		return;
	must(map_count((*pool)->map) == 0);
	map_free(&(*pool)->map);
	mem_free(*pool);
	*pool = NULL;
}

/* --- one setting ---------------------------------------------------------- */

static const char *const override_names[] = {
#define OVERRIDE(field) PARAMS_PREFIX #field,
#include "config/overrides.def"
#undef OVERRIDE
};

enum {
	NAME_COUNT = sizeof(override_names) / sizeof(override_names[0]),
	PREFIX_LENGTH = sizeof(PARAMS_PREFIX) - 1
};

static int
shown(struct span text)
{
	return (int)(text.n < 60 ? text.n : 60);
}

static int
complain_of_name(struct span name, struct errtext *why)
{
	errtext_set(
	    why, "\"%.*s\" cannot be set for a network", shown(name), name.p);
	return errno = EINVAL, -1;
}

static const struct param *
find_param(struct span name)
{
	struct span bare = name;

	if (span_has_prefix(name, PARAMS_PREFIX))
		bare = span_of(name.p + PREFIX_LENGTH, name.n - PREFIX_LENGTH);
	for (size_t i = 0; i < NAME_COUNT; i++)
		if (span_is(bare, override_names[i] + PREFIX_LENGTH))
			return params_find(override_names[i]);
	return NULL;
}

struct stress {
	bool is_on;
	bool was_left; /* another name was asked for */
};

static const char *
look_up(const char *name, void *arg)
{
	struct stress *stress = arg;

	if (strcmp(name, "stress") != 0)
		stress->was_left = true;
	return stress->is_on ? "yes" : "";
}

/* Put the value, as it is under this stress, into its field. */
static int
store(const struct param *param, const char *written, bool is_stressed,
    struct config *config, struct errtext *why)
{
	struct stress stress = {.is_on = is_stressed};
	char room[VALUE_MAX];
	struct buf value;
	int rc;

	buf_borrow(&value, room, sizeof(room) - 1);
	rc = expand_text(written, look_up, &stress, &value, why);
	if (rc == 0 && stress.was_left) {
		errtext_set(why, "only $stress can be used in \"%s\"", written);
		rc = -1;
	}
	room[value.n] = '\0';
	if (rc == 0)
		rc = value_store(param, room, config, why);
	if (rc < 0) {
		errtext_prefix(why, "%s", param->name);
		errno = EINVAL;
	}
	return rc;
}

/* --- all of them ---------------------------------------------------------- */

static struct span
skip(struct span text, size_t n)
{
	return span_of(text.p + n, text.n - n);
}

static struct span
skip_separators(struct span text)
{
	while (text.n > 0 && (text_is_space(text.p[0]) || text.p[0] == ','))
		text = skip(text, 1);
	return text;
}

/* Take "name = value" off the front. 1, 0 at the end, -1. */
static int
take_setting(struct span *rest, struct span *name_r, struct span *value_r,
    struct errtext *why)
{
	struct span text = skip_separators(*rest), at = text;
	size_t n = 0;

	if (text.n == 0)
		return 0;
	while (n < text.n && (text_is_alnum(text.p[n]) || text.p[n] == '_'))
		n++;
	*name_r = span_of(text.p, n);
	text = skip(text, n);
	while (text.n > 0 && text_is_space(text.p[0]))
		text = skip(text, 1);
	if (n == 0 || text.n == 0 || text.p[0] != '=') {
		errtext_set(
		    why, "name = value expected at \"%.*s\"", shown(at), at.p);
		return errno = EINVAL, -1;
	}
	text = skip(text, 1);
	while (text.n > 0 && text_is_space(text.p[0]))
		text = skip(text, 1);
	*value_r = span_of(text.p, 0);
	if (text.n > 0 && text.p[0] != ',')
		(void)text_token(&text, TEXT_LIST_SEPARATORS, value_r);
	*rest = text;
	return 1;
}

static int
apply_setting(struct span name, struct span value, struct config under[2],
    struct errtext *why)
{
	const struct param *param = find_param(name);
	char written[VALUE_MAX];

	if (param == NULL)
		return complain_of_name(name, why);
	if (value.n >= sizeof(written) || memchr(value.p, '\0', value.n)) {
		errtext_set(why, "%s: the value is too long", param->name);
		return errno = EINVAL, -1;
	}
	memcpy(written, value.p, value.n);
	written[value.n] = '\0';
	if (store(param, written, false, &under[false], why) < 0)
		return -1;
	return store(param, written, true, &under[true], why);
}

static int
apply(struct span settings, struct config under[2], struct errtext *why)
{
	struct span name, value;
	int rc;

	while ((rc = take_setting(&settings, &name, &value, why)) > 0)
		if (apply_setting(name, value, under, why) < 0)
			return -1;
	return rc;
}

int
override_check(struct span settings, struct errtext *why)
{
	struct config scratch[2];

	return apply(settings, scratch, why);
}

static struct override *
override_new(
    struct override_pool *pool, struct span settings, struct errtext *why)
{
	struct override *o = mem_new(sizeof(*o) + settings.n);

	if (o == NULL) {
		errtext_set(why, "%s", strerror(errno));
		return NULL;
	}
	o->pool = pool;
	o->under[false] = *config_under(pool->set, false);
	o->under[true] = *config_under(pool->set, true);
	if (apply(settings, o->under, why) < 0) {
		mem_free(o);
		return NULL;
	}
	memcpy(o->text, settings.p, settings.n);
	map_add(pool->map, &o->link, o->text, settings.n);
	return o;
}

struct override *
override_get(
    struct override_pool *pool, struct span settings, struct errtext *why)
{
	struct map_link *link = map_find(pool->map, settings.p, settings.n);
	struct override *o = link != NULL
				 ? OWNER_OF(link, struct override, link)
				 : override_new(pool, settings, why);

	if (o != NULL)
		o->references++;
	return o;
}

void
override_put(struct override **op)
{
	struct override *o = *op;

	*op = NULL;
	if (o == NULL || --o->references > 0)
		return;
	map_remove(o->pool->map, &o->link);
	mem_free(o);
}

const struct config *
override_under(const struct override *o, bool stress)
{
	return &o->under[stress];
}
