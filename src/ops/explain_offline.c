/* SPDX-License-Identifier: ISC */
#include "ops/explain_offline.h"

#include <errno.h>
#include <string.h>

#include "base/mem.h"
#include "ops/cache_tool.h"
#include "ops/explain.h"
#include "ops/site.h"

/* A policy is built as doorbelld builds it; the tables are read before the cache
 * makes us its user, who may not be allowed to. A cache that cannot be read is
 * no reason not to tell the rest. */

/* A descriptor limit that no parameter depends on here. */
enum { DESCRIPTORS = 4096 };

static void
hear_nothing(const char *file, int line, const char *text, void *arg)
{
	(void)file;
	(void)line;
	(void)text;
	(void)arg;
}

static struct policy *
build_policy(const struct site *site, struct loop *loop, struct errtext *why)
{
	char *postmap =
	    mem_printf("%s/postmap", site->cfg->postfix.command_directory);
	const struct policy_options o = {
	    .config = site->config,
	    .loop = loop,
	    .tables = {.postmap = postmap,
		.config_directory = site->directory,
		.report = hear_nothing},
	    .descriptor_limit = DESCRIPTORS,
	};
	struct policy *policy = NULL;

	if (postmap == NULL)
		errtext_set(why, "%s", strerror(errno));
	else
		policy = policy_new(&o, why);
	mem_free(postmap);
	return policy;
}

static int
explain(const struct site *site, const struct policy *policy,
    const struct addr *client, struct buf *out, struct errtext *why)
{
	struct rules *rules = rules_new();
	struct explain_facts facts;
	struct errtext trouble;
	struct record record;
	struct json j;
	int known, rc;

	if (rules == NULL) {
		errtext_set(why, "%s", strerror(errno));
		return -1;
	}
	known = cache_peek(site, client, &record, rules, &trouble);
	explain_look(&facts, policy, false, rules, client);
	facts.has_cache = known >= 0;
	if (known < 0 && site->cfg->cache_map[0] != '\0')
		facts.cache_trouble = trouble.text;
	facts.unasked = "no question is asked offline";
	explain_remember(&facts, known > 0 ? &record : NULL);
	json_init(&j, out);
	json_object(&j, NULL);
	explain_write(&facts, &j);
	if ((rc = json_finish(&j)) < 0)
		errtext_set(why, "the answer is too long");
	explain_forget(&facts);
	rules_free(&rules);
	return rc;
}

int
explain_offline(const char *config, const char *address, struct buf *out,
    struct errtext *why)
{
	struct loop *loop = loop_new();
	struct policy *policy = NULL;
	struct addr client;
	struct site site;
	int rc = -1;

	errtext_set(why, "%s", strerror(ENOMEM));
	if (site_open(&site, config, why) == 0 && loop != NULL) {
		if (addr_parse(span_str(address), &client) < 0)
			errtext_set(why, "%.100s: not an address", address);
		else if ((policy = build_policy(&site, loop, why)) != NULL)
			rc = explain(&site, policy, &client, out, why);
	}
	policy_unref(&policy);
	site_close(&site);
	loop_free(&loop);
	return rc;
}
