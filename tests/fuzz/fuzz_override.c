/* SPDX-License-Identifier: ISC */
/* Any text as the settings of a network: no crash, whoever refuses says why,
 * and what is accepted once is accepted again and keeps its bounds. */
#include "config/override.h"

#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "config/set.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static void
check_values(const struct config *cfg)
{
	must(cfg->command_count_limit >= 1);
	must(cfg->command_time_limit >= 1000);
	must(cfg->suspect_command_time_limit >= 1000);
	must(cfg->suspect_greet_wait >= 1000);
	must(cfg->suspect_reply_delay >= 0);
	must(cfg->suspect_reply_delay <= 30000);
	must(cfg->suspect_stutter >= 0 && cfg->suspect_stutter <= 300000);
	must(cfg->connection_rate_limit >= 0);
	must(cfg->failure_rate_limit >= 0);
	must(cfg->client_connection_count_limit >= 0);
	must(cfg->greet_wait == 6000); /* not to be set */
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	static const struct config sound = {.command_count_limit = 20,
	    .command_time_limit = 300000,
	    .suspect_command_time_limit = 60000,
	    .suspect_greet_wait = 6000,
	    .greet_wait = 6000};
	const struct config_set set = {.calm = sound, .stressed = sound};
	struct override_pool *pool = override_pool_new(&set);
	struct errtext why = {""};
	struct override *o;
	char *copy = malloc(n > 0 ? n : 1); /* exact: reading past it is seen */
	int rc;

	must(copy != NULL && pool != NULL);
	memcpy(copy, bytes, n);
	rc = override_check(span_of(copy, n), &why);
	must(rc == 0 || why.text[0] != '\0');
	o = override_get(pool, span_of(copy, n), &why);
	must((o == NULL) == (rc < 0));
	if (o != NULL) {
		check_values(override_under(o, false));
		check_values(override_under(o, true));
	}
	override_put(&o);
	override_pool_free(&pool);
	free(copy);
	return 0;
}
