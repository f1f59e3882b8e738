/* SPDX-License-Identifier: ISC */
/* config/config.h - the configuration of one moment, checked and typed.
 *
 * Read from main.cf, then doorbell.cf, then -o name=value; the language is that
 * of Postfix's main.cf. Every value may depend on $stress, so all of them are
 * evaluated twice: struct config_set holds the calm and the stressed
 * evaluation, and whoever needs a value takes it from config_under().
 *
 * Owns:    a set is counted; the last config_unref() frees it.
 * Units:   times in milliseconds, whatever the admin wrote.
 * Errors:  every problem is reported with its file and line through the
 *          caller's function; only bad values of known parameters are fatal.
 * Threads: none. */
#ifndef DOORBELL_CONFIG_CONFIG_H
#define DOORBELL_CONFIG_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

typedef bool param_BOOL;
typedef int64_t param_TIME; /* milliseconds */
typedef int64_t param_NUMBER;
typedef int param_WORD; /* place of the word among those allowed */
typedef const char *param_TEXT;
typedef const char *param_RAW;

/* WORD parameters that say what to do about a failed test. */
enum config_action { ACTION_IGNORE, ACTION_ENFORCE, ACTION_DROP };

/* deep_pass_action. */
enum config_deep_pass { DEEP_PASS_RELAY, DEEP_PASS_DEFER };

enum config_sandbox { SANDBOX_YES, SANDBOX_LOG, SANDBOX_NO };

struct config {
#define OWN(field, type, ...) param_##type field;
#define SHARED(field, type, ...) param_##type field;
#define POSTFIX(field, type, ...)
#define REFERRED(name, value)
#define FIXED(name)
#include "config/params.def"
#undef POSTFIX
#define POSTFIX(field, type, ...) param_##type field;
#undef OWN
#undef SHARED
#define OWN(field, type, ...)
#define SHARED(field, type, ...)
	struct {
#include "config/params.def"
	} postfix;
#undef OWN
#undef SHARED
#undef POSTFIX
#undef REFERRED
#undef FIXED
};

enum config_severity {
	CONFIG_WARNING, /* goes on */
	CONFIG_ERROR    /* this configuration cannot be used */
};

/* `file` is NULL for -o and for what has no place; `line` 0 likewise. */
typedef void config_report_fn(enum config_severity severity, const char *file,
    int line, const char *text, void *arg);

struct config_source {
	/* A directory with main.cf and, if there is one, doorbell.cf; or one
	 * file alone. Exactly one of the two is set. */
	const char *directory;
	const char *file;
	/* -o words, "name=value" or "name = value"; they win, in order. */
	const char *const *overrides;
	size_t override_count;
	/* The event loop is waiting: a name in inet_interfaces, which may take a
	 * name server to know, is an error. */
	bool is_hurried;
};

struct config_set; /* opaque, counted */

/* NULL when something was reported as CONFIG_ERROR. */
struct config_set *config_load(
    const struct config_source *source, config_report_fn *report, void *arg);
struct config_set *config_ref(struct config_set *set);
void config_unref(struct config_set **set);
/* The evaluation for one state of stress. Lives as long as the set. */
const struct config *config_under(const struct config_set *set, bool stress);
/* Any parameter of Postfix or ours, expanded, by its full name; "" when nobody
 * has set it. Lives as long as the set. */
const char *config_text(struct config_set *set, const char *name);
/* Whether somebody has set this parameter (its full name), in a file or with
 * -o; an inherited value is not set. */
bool config_is_set(const struct config_set *set, const char *name);
/* Where the text that decides a parameter's value stands, if need be through
 * the names that it inherits from; false when nobody has set any of them.
 * `file` becomes NULL for -o. */
bool config_origin(const struct config_set *set, const char *name,
    const char **file_r, int *line_r);

enum config_dump_mode {
	CONFIG_DUMP_DEFAULTS = 1, /* -d: built-in values */
	CONFIG_DUMP_EXPLICIT = 2, /* -n: only what was set */
	CONFIG_DUMP_EXPAND = 4    /* -x: with $name replaced */
};

/* Print "name = value" lines as postconf(1) does, all parameters or the named
 * ones. `mode` is a set of enum config_dump_mode; without DEFAULTS or EXPLICIT
 * the values in force. 0, or -1 when a name is unknown (said on `errors`). */
int config_dump(struct config_set *set, unsigned mode, const char *const *names,
    size_t n, FILE *out, FILE *errors);

#endif
