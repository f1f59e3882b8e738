/* SPDX-License-Identifier: ISC */
#include "daemon/verify.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "daemon/jail.h"
#include "daemon/listeners.h"
#include "daemon/logging.h"
#include "daemon/report.h"
#include "daemon/showing.h"
#include "daemon/steering.h"
#include "lookup/cache.h"
#include "screen/policy.h"

/* A policy is built as at the start, and thrown away. */

static void
verify_policy(
    struct config_set *config, const struct config_source *source, int *errors)
{
	const struct config *cfg = config_under(config, false);
	char *postmap =
	    mem_printf("%s/postmap", cfg->postfix.command_directory);
	struct policy_options o = {
	    .config = config,
	    .loop = loop_new(),
	    .tables = {.postmap = postmap,
		.config_directory = source->directory,
		.report = report_table_to_people,
		.arg = errors},
	    .descriptor_limit = jail_raise_descriptors(),
	};
	struct policy *policy = NULL;
	struct errtext why = {""};

	if (o.loop == NULL || postmap == NULL)
		errtext_set(&why, "%s", strerror(errno));
	else
		policy = policy_new(&o, &why);
	if (policy == NULL)
		report_culprit(config, &why, report_config_to_people, errors);
	policy_unref(&policy);
	loop_free(&o.loop);
	mem_free(postmap);
}

static bool
is_directory(const char *path)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return false;
	errno = ENOTDIR;
	return S_ISDIR(st.st_mode);
}

/* What the start needs from the machine. */
static void
verify_place(struct config_set *config, int *errors)
{
	const struct config *cfg = config_under(config, false);
	struct jail_user user;
	struct errtext why;

	if (jail_find_user(cfg->postfix.mail_owner, &user, &why) < 0)
		report_culprit(config, &why, report_config_to_people, errors);
	if (strcmp(cfg->user, cfg->postfix.mail_owner) != 0 &&
	    jail_find_user(cfg->user, &user, &why) < 0)
		report_culprit(config, &why, report_config_to_people, errors);
	if (!is_directory(cfg->postfix.queue_directory) ||
	    access(cfg->postfix.queue_directory, X_OK) < 0) {
		errtext_set(&why, "queue_directory %s: %s",
		    cfg->postfix.queue_directory, strerror(errno));
		report_culprit(config, &why, report_config_to_people, errors);
	}
	if (logging_check(cfg, &why) < 0)
		report_culprit(config, &why, report_config_to_people, errors);
}

int
verify_config(const struct config_source *source)
{
	const struct config *cfg;
	struct config_set *config;
	struct errtext why;
	int errors = 0;

	config = config_load(source, report_config_to_people, &errors);
	if (config == NULL)
		return errors > 0 ? errors : 1;
	cfg = config_under(config, false);
	if (listeners_open(NULL, NULL, cfg->listen, &why) < 0)
		report_culprit(config, &why, report_config_to_people, &errors);
	if (steering_check(cfg, &why) < 0)
		report_culprit(config, &why, report_config_to_people, &errors);
	if (showing_check(cfg, &why) < 0)
		report_culprit(config, &why, report_config_to_people, &errors);
	if (cache_map_path(cfg->cache_map, &why) == NULL)
		report_culprit(config, &why, report_config_to_people, &errors);
	verify_place(config, &errors);
	verify_policy(config, source, &errors);
	config_unref(&config);
	return errors;
}
