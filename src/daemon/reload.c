/* SPDX-License-Identifier: ISC */
#include "daemon/reload.h"

#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "daemon/drain.h"
#include "daemon/logging.h"
#include "daemon/report.h"

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
		.report = report_table_to_log},
	    .observer = screen_observer(d->screen),
	    .descriptor_limit = d->descriptor_limit,
	};
	struct policy *policy = NULL;

	if (postmap == NULL)
		errtext_set(why, "no memory");
	else
		policy = policy_new(&o, why);
	mem_free(postmap);
	return policy;
}

/* What is done once at start stays as it was. */
static void
warn_of_what_stays(const struct config *old, const struct config *new)
{
	const struct {
		const char *name, *old, *new;
	} fixed[] = {
	    {"doorbell_listen", old->listen, new->listen},
	    {"doorbell_user", old->user, new->user},
	    {"doorbell_cache_map", old->cache_map, new->cache_map},
	    {"queue_directory", old->postfix.queue_directory,
		new->postfix.queue_directory},
	};

	for (size_t i = 0; i < sizeof(fixed) / sizeof(*fixed); i++) {
		if (strcmp(fixed[i].old, fixed[i].new) != 0)
			log_warning("%s has changed: restart to take it up",
			    fixed[i].name);
	}
}

void
reload_config(struct doorbell *d)
{
	struct errtext why = {""};
	struct config_set *config;
	struct policy *policy = NULL;

	config = config_load(&d->options->source, report_config_to_log, NULL);
	if (config != NULL)
		policy = reload_make_policy(d, config, &why);
	if (policy != NULL &&
	    logging_start(&d->logsock, d->options, config, &why) < 0)
		policy_unref(&policy);
	if (policy == NULL) {
		if (why.text[0] != '\0')
			log_error("%s", why.text);
		log_warning("the new configuration cannot be used; the old one"
			    " stays in force");
		config_unref(&config);
		return;
	}
	if (logsock_attach(d->logsock, d->loop) < 0)
		log_warning("log queue: lines may be lost");
	warn_of_what_stays(
	    config_under(d->config, false), config_under(config, false));
	screen_set_policy(d->screen, policy);
	policy_unref(&policy);
	config_unref(&d->config);
	d->config = config;
	log_info("configuration reloaded");
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
		counters_bump(&d->counters, COUNTER_TABLE_RELOADS);
		log_info("%s: a changed table was taken up", what);
		break;
	case TABLE_BROKEN:
		counters_bump(&d->counters, COUNTER_TABLE_FAILURES);
		log_warning(
		    "%s: %s; the old contents stay in force", what, why->text);
		break;
	case TABLE_STALE:
		if (d->options->mode == OPTIONS_SERVICE && !d->draining) {
			log_info("table %s has changed - finishing in the"
				 " background",
			    why->text);
			drain_in_background(d);
		} else if (!d->draining) {
			log_warning("%s: table %s has changed: restart to take"
				    " it up",
			    what, why->text);
		}
		break;
	}
}

void
reload_tables(struct doorbell *d)
{
	policy_refresh_tables(d->screen->policy, on_table_change, d);
}
