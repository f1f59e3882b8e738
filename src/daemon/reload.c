/* SPDX-License-Identifier: ISC */
#include "daemon/reload.h"

#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "daemon/drain.h"
#include "daemon/logging.h"
#include "daemon/report.h"
#include "screen/policy_tables.h"

/* Everything new is built beside what is in force and swapped in when it is
 * whole. */

struct policy *
reload_make_policy(
    struct doorbell *d, struct config_set *config, struct errtext *why)
{
	const struct config *cfg = config_under(config, false);
	char *postmap =
	    mem_printf("%s/postmap", cfg->postfix.command_directory);
	const struct policy_options o = {
	    .config = config,
	    .loop = d->loop,
	    .tables = {.postmap = postmap,
		.config_directory = d->options->source.directory,
		.shelf = d->shelf,
		.report = report_table_to_log},
	    .screen = d->screen,
	    .descriptor_limit = d->descriptor_limit,
	    .before = d->screen->policy,
	};
	struct policy *policy = NULL;

	if (postmap == NULL)
		errtext_set(why, "no memory");
	else
		policy = policy_new(&o, why);
	mem_free(postmap);
	return policy;
}

/* What is done once at the start stays as it was then. */
static void
warn_of_what_stays(struct config_set *first, struct config_set *new)
{
	static const char *const fixed[] = {
#define OWN(...)
#define SHARED(...)
#define POSTFIX(...)
#define REFERRED(...)
#define FIXED(name) name,
#include "config/params.def"
#undef OWN
#undef SHARED
#undef POSTFIX
#undef REFERRED
#undef FIXED
	};

	for (size_t i = 0; i < sizeof(fixed) / sizeof(*fixed); i++) {
		if (strcmp(config_text(first, fixed[i]),
			config_text(new, fixed[i])) != 0)
			log_warning(
			    "%s has changed: restart to take it up", fixed[i]);
	}
}

/* A log that stays the same keeps its queue. */
static int
renew_log(struct doorbell *d, struct config_set *config, struct errtext *why)
{
	if (!logging_differs(d->config, config)) {
		logging_form(config_under(config, false));
		return 0;
	}
	if (logging_start(&d->logsock, d->options, config, why) < 0)
		return -1;
	d->log_drops = 0;
	if (logsock_attach(d->logsock, d->loop) < 0)
		log_warning("log queue: lines may be lost");
	return 0;
}

static void
renew(struct doorbell *d)
{
	struct errtext why = {""};
	struct config_source source = d->options->source;
	struct config_set *config;
	struct policy *policy = NULL;

	source.is_hurried = true;
	config = config_load(&source, report_config_to_log, NULL);
	if (config != NULL)
		policy = reload_make_policy(d, config, &why);
	if (policy != NULL && renew_log(d, config, &why) < 0)
		policy_unref(&policy);
	if (policy == NULL) {
		if (why.text[0] != '\0')
			report_culprit(
			    config, &why, report_config_to_log, NULL);
		log_warning("the new configuration cannot be used; the old one"
			    " stays in force");
		config_unref(&config);
		return;
	}
	warn_of_what_stays(d->began_with, config);
	screen_set_policy(d->screen, policy);
	policy_unref(&policy);
	config_unref(&d->config);
	d->config = config;
	log_info("configuration reloaded");
}

void
reload_config(struct doorbell *d)
{
	systemd_reloading(&d->systemd);
	renew(d);
	systemd_reloaded(&d->systemd);
}

/* Under master the next process will read it. That one is started by a client,
 * so leaving before we have served the client that started us would only make
 * master start us again and again. */
static void
note_stale_table(struct doorbell *d, const char *what, const char *table)
{
	if (d->draining)
		return;
	if (d->options->mode != OPTIONS_SERVICE) {
		log_warning("%s: table %s has changed: restart to take it up",
		    what, table);
		return;
	}
	log_info("table %s has changed - finishing in the background", table);
	d->is_stale = true;
}

static void
on_table_change(enum table_change change, const char *what,
    const struct errtext *why, void *arg)
{
	struct doorbell *d = arg;

	switch (change) {
	case TABLE_SAME:
		break;
	case TABLE_RELOADED:
		counters_bump(d->counters, COUNTER_TABLE_RELOADS);
		log_info("%s: a changed table was taken up", what);
		break;
	case TABLE_BROKEN:
		counters_bump(d->counters, COUNTER_TABLE_FAILURES);
		log_warning(
		    "%s: %s; the old contents stay in force", what, why->text);
		break;
	case TABLE_STALE:
		note_stale_table(d, what, why->text);
		break;
	}
}

void
reload_tables(struct doorbell *d)
{
	policy_tables_refresh(d->screen->policy, on_table_change, d);
	if (d->is_stale && d->channel.introduced && !d->draining)
		drain_in_background(d);
}
