/* SPDX-License-Identifier: ISC */
#include "config/notice.h"

#include "base/errtext.h"
#include "config/params.h"
#include "config/set.h"

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
}
