/* SPDX-License-Identifier: ISC */
#include "config/notice.h"

#include <string.h>

#include "base/buf.h"
#include "base/errtext.h"
#include "config/params.h"
#include "config/scope.h"
#include "config/set.h"
#include "config/value.h"

/* A parameter that waits for a later release is mentioned only when the admin
 * has set it: itself, its postscreen_ twin, or - when that twin merely stands
 * for smtpd's parameter of the same purpose - that one. Under either state of
 * stress the value has to differ from the default and from the value that
 * changes nothing. */

struct sender {
	config_report_fn *report;
	void *arg;
};

static void
say_unknown(const struct setting *s, const struct sender *to)
{
	const char *nearest = params_nearest(s->name);
	struct errtext text;

	if (nearest != NULL)
		errtext_set(&text,
		    "unknown parameter %.100s (did you mean %s?)", s->name,
		    nearest);
	else
		errtext_set(&text, "unknown parameter %.100s", s->name);
	to->report(CONFIG_WARNING, s->path, s->line, text.text, to->arg);
}

/* $smtpd_X or $X is the same parameter in Postfix's smtpd(8). */
static bool
stands_for_same(const struct param *param, const char *preset)
{
	const char *field = param->name + strlen(PARAMS_PREFIX);

	if (preset == NULL || preset[0] != '$')
		return false;
	preset++;
	if (span_has_prefix(span_str(preset), "smtpd_"))
		preset += strlen("smtpd_");
	return strcmp(preset, field) == 0;
}

static const struct setting *
find(const struct config_set *set, const char *name)
{
	return settings_find(&set->settings, span_str(name));
}

/* The setting that makes the row explicit, and the name to mention. */
static const struct setting *
explicit_setting(const struct config_set *set, const struct param *param,
    const char **name_r)
{
	const char *preset =
	    param->twin != NULL ? param->twin_preset : param->preset;
	const struct setting *s = find(set, param->name);

	*name_r = param->name;
	if (s != NULL)
		return s;
	if (param->twin != NULL && (s = find(set, param->twin)) != NULL) {
		*name_r = param->twin;
		return s;
	}
	return stands_for_same(param, preset) ? find(set, preset + 1) : NULL;
}

/* Whether the value matters to somebody; it is left in `value`. */
static bool
is_missed(const struct config_set *set, enum scope_state state,
    const struct param *param, struct buf *value)
{
	struct buf preset;
	struct errtext why;
	const char *text, *default_text;
	bool missed = false;

	buf_init(&preset, SCOPE_VALUE_MAX);
	buf_reset(value);
	if (scope_effective(set, state, param, value, &why) < 0 ||
	    scope_effective(set, SCOPE_BUILT_IN, param, &preset, &why) < 0)
		goto done;
	text = buf_str(value);
	default_text = buf_str(&preset);
	if (text == NULL || default_text == NULL)
		goto done;
	/* A bad value, which is an error already, does not equal itself. */
	missed = strcmp(param->later, "*") != 0 &&
		 value_same(param, text, text) &&
		 !value_same(param, text, default_text) &&
		 !value_same(param, text, param->later);
done:
	buf_clear(&preset);
	return missed;
}

static void
say_later(const struct config_set *set, const struct param *param,
    const struct sender *to)
{
	const char *name;
	const struct setting *s = explicit_setting(set, param, &name);
	struct errtext text;
	struct buf value;

	if (s == NULL)
		return;
	buf_init(&value, SCOPE_VALUE_MAX);
	if (is_missed(set, SCOPE_CALM, param, &value) ||
	    is_missed(set, SCOPE_STRESSED, param, &value)) {
		errtext_set(&text,
		    "%s = %.200s has no effect yet in this release", name,
		    buf_str(&value));
		to->report(
		    CONFIG_WARNING, s->path, s->line, text.text, to->arg);
	}
	buf_clear(&value);
}

void
notice_all(const struct config_set *set, config_report_fn *report, void *arg)
{
	const struct sender to = {report, arg};

	for (size_t i = 0; i < set->settings.n; i++) {
		const struct setting *s = set->settings.at[i];

		if (span_has_prefix(span_str(s->name), PARAMS_PREFIX) &&
		    params_find(s->name) == NULL)
			say_unknown(s, &to);
	}
	for (size_t i = 0; i < params_count; i++)
		if (params_table[i].later != NULL)
			say_later(set, &params_table[i], &to);
}
