/* SPDX-License-Identifier: ISC */
/* config/params.h - params.def as a table to walk through.
 *
 * Owns:    nothing; everything is constant. */
#ifndef DOORBELL_CONFIG_PARAMS_H
#define DOORBELL_CONFIG_PARAMS_H

#include <stddef.h>

enum param_kind { PARAM_OWN, PARAM_SHARED, PARAM_POSTFIX, PARAM_REFERRED };

enum param_type {
	PARAM_BOOL,
	PARAM_TIME,
	PARAM_NUMBER,
	PARAM_WORD,
	PARAM_TEXT,
	PARAM_RAW
};

struct param {
	enum param_kind kind;
	enum param_type type;
	const char *name;        /* as the admin writes it: doorbell_X, or X */
	const char *preset;      /* the default; NULL: asked of the machine */
	const char *twin;        /* SHARED: postscreen_X, else NULL */
	const char *twin_preset; /* SHARED: the default of postscreen_X */
	const char *min, *max;   /* "" for none; WORD: min has the words */
	size_t offset;           /* in struct config; not for PARAM_REFERRED */
};

#define PARAMS_PREFIX "doorbell_"

extern const struct param params_table[];
extern const size_t params_count;

/* The row of this name or of this twin; NULL when there is none. */
const struct param *params_find(const char *name);
/* The default of any name of the table, twins too; NULL for a name that is
 * not there or whose default the machine gives. */
const char *params_preset(const char *name);
/* The unit of a bare number of a TIME row. */
char params_time_unit(const struct param *param);
/* The doorbell_ name most like `name`; NULL when none is near. */
const char *params_nearest(const char *name);

#endif
