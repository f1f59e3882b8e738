/* SPDX-License-Identifier: ISC */
#include "config/params.h"

#include <string.h>

#include "base/text.h"
#include "config/config.h"

/* One row of params.def becomes one struct param. A search is a walk: there
 * are some 130 rows, asked a thousand times during one load. */

const struct param params_table[] = {
#define OWN(field, type, preset, min, max, help)                            \
	{PARAM_OWN, PARAM_##type, PARAMS_PREFIX #field, preset, NULL, NULL, \
	    min, max, offsetof(struct config, field)},
#define SHARED(field, type, preset, min, max, help)                        \
	{PARAM_SHARED, PARAM_##type, PARAMS_PREFIX #field,                 \
	    "$postscreen_" #field, "postscreen_" #field, preset, min, max, \
	    offsetof(struct config, field)},
#define POSTFIX(field, type, preset, min, help)                            \
	{PARAM_POSTFIX, PARAM_##type, #field, preset, NULL, NULL, min, "", \
	    offsetof(struct config, postfix.field)},
#define REFERRED(name, preset) \
	{PARAM_REFERRED, PARAM_TEXT, name, preset, NULL, NULL, "", "", 0},
#define FIXED(name)
#include "config/params.def"
#undef OWN
#undef SHARED
#undef POSTFIX
#undef REFERRED
#undef FIXED
};

const size_t params_count = sizeof(params_table) / sizeof(params_table[0]);

const struct param *
params_find(const char *name)
{
	for (size_t i = 0; i < params_count; i++) {
		const struct param *p = &params_table[i];

		if (strcmp(p->name, name) == 0 ||
		    (p->twin != NULL && strcmp(p->twin, name) == 0))
			return p;
	}
	return NULL;
}

const char *
params_preset(const char *name)
{
	const struct param *p = params_find(name);

	if (p == NULL)
		return NULL;
	return strcmp(p->name, name) == 0 ? p->preset : p->twin_preset;
}

char
params_time_unit(const struct param *param)
{
	const char *preset =
	    param->twin != NULL ? param->twin_preset : param->preset;
	const struct param *other;
	size_t n = strlen(preset);

	if (preset[0] == '$') {
		other = params_find(preset + 1);
		if (other != NULL && other != param)
			return params_time_unit(other);
	}
	return n > 0 && strchr("smhdw", preset[n - 1]) != NULL ? preset[n - 1]
							       : 's';
}

const char *
params_nearest(const char *name)
{
	enum { EDITS_MAX = 4 };
	const char *nearest = NULL;
	size_t best = EDITS_MAX + 1, edits;

	for (size_t i = 0; i < params_count; i++) {
		const struct param *p = &params_table[i];

		if (p->kind != PARAM_OWN && p->kind != PARAM_SHARED)
			continue;
		edits = text_distance(name, p->name);
		if (edits < best) {
			best = edits;
			nearest = p->name;
		}
	}
	return nearest;
}
