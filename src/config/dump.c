/* SPDX-License-Identifier: ISC */
#include "config/dump.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "config/params.h"
#include "config/scope.h"
#include "config/set.h"

/* Like postconf(1): lines sorted by name, or in the order asked
 * for; each run of white space in a value
 * shown as one blank, and what the admin wrote in a RAW row left alone. */

struct dump {
	const struct config_set *set;
	unsigned mode;
	FILE *out, *errors;
	int rc;
};

static enum scope_state
state_of(const struct dump *d)
{
	return (d->mode & CONFIG_DUMP_DEFAULTS) != 0 ? SCOPE_BUILT_IN
						     : SCOPE_WRITTEN;
}

static void
print_line(const struct dump *d, const char *name, const char *value)
{
	struct span rest = span_str(value), word;

	fprintf(d->out, "%s =", name);
	while (rest.n > 0) {
		word = rest;
		for (word.n = 0; word.n < rest.n; word.n++)
			if (strchr(" \t\r\n", rest.p[word.n]) != NULL)
				break;
		if (word.n > 0)
			fprintf(d->out, " %.*s", (int)word.n, word.p);
		if (word.n < rest.n)
			word.n++;
		rest = span_of(rest.p + word.n, rest.n - word.n);
	}
	fputc('\n', d->out);
}

/* A RAW row, its twin, and the smtpd(8) parameter that they inherit. */
static bool
is_raw(const char *name)
{
	for (size_t i = 0; i < params_count; i++) {
		const struct param *p = &params_table[i];

		if (p->type == PARAM_RAW && p->twin != NULL &&
		    (strcmp(p->name, name) == 0 || strcmp(p->twin, name) == 0 ||
			strcmp(p->twin_preset + 1, name) == 0))
			return true;
	}
	return false;
}

static void
print_expanded(struct dump *d, const char *name, const char *text)
{
	struct errtext why = {""};
	struct buf value;

	buf_init(&value, SCOPE_VALUE_MAX);
	if (scope_expand(d->set, state_of(d), text, &value, &why) < 0 ||
	    buf_str(&value) == NULL) {
		fprintf(
		    d->errors, "doorbelld: warning: %s: %s\n", name, why.text);
		d->rc = -1;
	} else {
		print_line(d, name, buf_str(&value));
	}
	buf_clear(&value);
}

/* What is not expanded is inherited all the same. */
static void
print_inherited(struct dump *d, const char *name, const struct param *param)
{
	struct errtext why = {""};
	struct buf value;

	buf_init(&value, SCOPE_VALUE_MAX);
	if (scope_effective(d->set, state_of(d), param, &value, &why) == 0 &&
	    buf_str(&value) != NULL)
		print_line(d, name, buf_str(&value));
	buf_clear(&value);
}

static void
print_parameter(struct dump *d, const char *name)
{
	const struct param *param = params_find(name);
	const char *text = scope_raw(d->set, state_of(d), name);

	if (text == NULL && param == NULL) {
		fprintf(d->errors,
		    "doorbelld: warning: %s: unknown parameter\n", name);
		d->rc = -1;
		return;
	}
	if (text == NULL)
		text = "";
	if ((d->mode & CONFIG_DUMP_EXPAND) != 0 && !is_raw(name))
		print_expanded(d, name, text);
	else if ((d->mode & CONFIG_DUMP_EXPAND) != 0 && param != NULL &&
		 param->type == PARAM_RAW && strcmp(param->name, name) == 0)
		print_inherited(d, name, param);
	else
		print_line(d, name, text);
}

/* Set by the admin, and by that name a parameter of Postfix or ours. */
static bool
is_explicit(const struct dump *d, const char *name)
{
	return settings_find(&d->set->settings, span_str(name)) != NULL;
}

static int
by_text(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The names that a dump without names is about. */
static size_t
collect_names(const struct dump *d, const char **names)
{
	bool chosen = (d->mode & CONFIG_DUMP_EXPLICIT) != 0;
	size_t n = 0;

	for (size_t i = 0; i < params_count; i++) {
		const struct param *p = &params_table[i];
		bool ours = p->kind == PARAM_OWN || p->kind == PARAM_SHARED;

		if (chosen ? is_explicit(d, p->name) : ours)
			names[n++] = p->name;
		if (chosen && p->twin != NULL && is_explicit(d, p->twin))
			names[n++] = p->twin;
	}
	return n;
}

int
dump_parameters(const struct config_set *set, unsigned mode,
    const char *const *names, size_t n, FILE *out, FILE *errors)
{
	struct dump d = {set, mode, out, errors, 0};
	const char **list;

	/* Twice the table holds the twins as well. */
	list = mem_array(2 * params_count + n, sizeof(*list));
	if (list == NULL)
		return -1;
	if (n == 0) {
		n = collect_names(&d, list);
		qsort(list, n, sizeof(*list), by_text);
	} else {
		memcpy(list, names, n * sizeof(*list));
	}
	for (size_t i = 0; i < n; i++)
		if ((mode & CONFIG_DUMP_EXPLICIT) == 0 ||
		    is_explicit(&d, list[i]) || params_find(list[i]) == NULL)
			print_parameter(&d, list[i]);
	mem_free(list);
	return d.rc;
}
