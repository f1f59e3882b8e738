/* SPDX-License-Identifier: ISC */
#include "config/scope.h"

#include <errno.h>
#include <string.h>

#include "config/expand.h"

/* A name is looked up among the settings, then among what the machine told,
 * then in the table of defaults. $stress is no setting: our own state decides
 * it, except where the text is shown to the admin. */

struct scope {
	const struct config_set *set;
	enum scope_state state;
	const struct setting *first; /* the first setting that was asked for */
};

static const char *
machine_text(const struct machine *machine, const char *name)
{
	if (strcmp(name, "myhostname") == 0)
		return machine->myhostname;
	if (strcmp(name, "mydomain") == 0)
		return machine->mydomain;
	if (strcmp(name, "mynetworks") == 0)
		return machine->mynetworks;
	return NULL;
}

static const char *
preset_text(
    const struct config_set *set, enum scope_state state, const char *name)
{
	const char *text = machine_text(
	    state == SCOPE_BUILT_IN ? &set->built_in : &set->machine, name);

	return text != NULL ? text : params_preset(name);
}

static const struct setting *
find_setting(const struct config_set *set, const char *name)
{
	return settings_find(&set->settings, span_str(name));
}

const char *
scope_raw(
    const struct config_set *set, enum scope_state state, const char *name)
{
	const struct setting *s = NULL;

	if (strcmp(name, "stress") == 0 && state == SCOPE_CALM)
		return "";
	if (strcmp(name, "stress") == 0 && state == SCOPE_STRESSED)
		return "yes";
	if (state != SCOPE_BUILT_IN)
		s = find_setting(set, name);
	return s != NULL ? s->value : preset_text(set, state, name);
}

static const char *
look_up(const char *name, void *arg)
{
	struct scope *scope = arg;

	if (scope->first == NULL && scope->state != SCOPE_BUILT_IN &&
	    strcmp(name, "stress") != 0)
		scope->first = find_setting(scope->set, name);
	return scope_raw(scope->set, scope->state, name);
}

int
scope_expand(const struct config_set *set, enum scope_state state,
    const char *text, struct buf *out, struct errtext *why)
{
	struct scope scope = {set, state, NULL};

	return expand_text(text, look_up, &scope, out, why);
}

/* What an untouched RAW row inherits is "$name", replaced once. */
static const char *
raw_text(const struct config_set *set, enum scope_state state,
    const struct param *param)
{
	const char *text = scope_raw(set, state, param->name);

	if (text == param->preset && param->twin != NULL)
		text = scope_raw(set, state, param->twin);
	if (text == param->twin_preset && text[0] == '$')
		text = scope_raw(set, state, text + 1);
	return text != NULL ? text : "";
}

int
scope_effective(const struct config_set *set, enum scope_state state,
    const struct param *param, struct buf *out, struct errtext *why)
{
	const char *text;

	if (param->type == PARAM_RAW) {
		text = raw_text(set, state, param);
		if (buf_add_str(out, text) == 0)
			return 0;
		errtext_set(why, "%s",
		    errno == ENOMEM ? "out of memory"
				    : "the value is too long");
		return -1;
	}
	text = scope_raw(set, state, param->name);
	return scope_expand(set, state, text != NULL ? text : "", out, why);
}

/* "$name" and nothing else. */
static bool
is_one_reference(const char *text)
{
	size_t n = 1;

	if (text[0] != '$')
		return false;
	while (text_is_alnum(text[n]) || text[n] == '_')
		n++;
	return n > 1 && text[n] == '\0';
}

static const struct setting *
first_setting_in(const struct config_set *set, const char *text)
{
	struct scope scope = {set, SCOPE_CALM, NULL};
	struct errtext why;
	struct buf ignored;

	buf_init(&ignored, SCOPE_VALUE_MAX);
	/* It may fail, and after the setting that makes it fail. */
	(void)expand_text(text, look_up, &scope, &ignored, &why);
	buf_clear(&ignored);
	return scope.first;
}

const struct setting *
scope_origin(const struct config_set *set, const char *name)
{
	enum { STEPS_MAX = 20 };
	const struct setting *s = find_setting(set, name), *next;
	const char *text;

	for (int i = 0; i < STEPS_MAX; i++) {
		text =
		    s != NULL ? s->value : preset_text(set, SCOPE_CALM, name);
		if (text == NULL || (s != NULL && !is_one_reference(text)))
			break;
		next = first_setting_in(set, text);
		if (next == NULL || next == s)
			break;
		s = next;
	}
	return s;
}

bool
scope_is_set(const struct config_set *set, const char *name)
{
	return find_setting(set, name) != NULL;
}
