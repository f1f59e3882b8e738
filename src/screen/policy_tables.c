/* SPDX-License-Identifier: ISC */
#include "screen/policy_tables.h"

#include <errno.h>
#include <string.h>

#include "config/override.h"
#include "screen/footer.h"
#include "screen/forbidden.h"
#include "table/maps.h"

/* Tables are opened by the calm evaluation: their names do not depend on
 * stress. What the default leaves empty is NULL rather than an empty table, so
 * that most sites pay nothing for it. */

static int
open_list(struct list **list_r, const char *name, const char *words,
    const struct policy_options *o, struct errtext *why)
{
	*list_r = list_open(span_str(words), &o->tables, why);
	if (*list_r != NULL)
		return 0;
	errtext_prefix(why, "%s", name);
	return -1;
}

static bool
is_empty(const char *words)
{
	return span_trim(span_str(words)).n == 0;
}

static int
open_table(struct table **table_r, const char *name, const char *spec,
    const struct policy_options *o, struct errtext *why)
{
	struct span trimmed = span_trim(span_str(spec));

	if (trimmed.n == 0)
		return 0;
	*table_r = table_open(trimmed, &o->tables, why);
	if (*table_r != NULL)
		return 0;
	errtext_prefix(why, "%s", name);
	return -1;
}

static int
check_keywords(const char *value, void *arg, struct errtext *why)
{
	struct span unknown;

	(void)arg;
	(void)keywords_parse(span_str(value), &unknown);
	if (unknown.n == 0)
		return 0;
	errtext_set(why, "unknown EHLO keyword \"%.*s\"",
	    unknown.n < 60 ? (int)unknown.n : 60, unknown.p);
	return 1;
}

static int
open_keywords(struct policy *p, const struct policy_options *o,
    const struct config *cfg, struct errtext *why)
{
	struct table_options options = o->tables;
	struct errtext remark;

	if (check_keywords(cfg->discard_ehlo_keywords, NULL, &remark) != 0 &&
	    options.report != NULL)
		options.report("doorbell_discard_ehlo_keywords", 0, remark.text,
		    options.arg);
	options.check = check_keywords;
	p->discard_maps = maps_open(
	    span_str(cfg->discard_ehlo_keyword_address_maps), &options, why);
	if (p->discard_maps != NULL)
		return 0;
	errtext_prefix(why, "doorbell_discard_ehlo_keyword_address_maps");
	return -1;
}

/* Without a footer no reply needs to be looked at. */
static int
open_footer(struct policy *p, const struct policy_options *o,
    const struct config *cfg, struct errtext *why)
{
	if (cfg->reject_footer[0] == '\0' &&
	    span_trim(span_str(cfg->reject_footer_maps)).n == 0)
		return 0;
	if ((p->footer = footer_open(cfg, &o->tables, why)) != NULL)
		return 0;
	errtext_prefix(why, "doorbell_reject_footer_maps");
	return -1;
}

/* What the dialogue asks. */
static int
open_dialogue_tables(struct policy *p, const struct policy_options *o,
    const struct config *cfg, struct errtext *why)
{
	p->forbidden = forbidden_open(span_str(cfg->forbidden_commands),
	    cfg->postfix.smtputf8_enable, &o->tables, why);
	if (p->forbidden == NULL) {
		errtext_prefix(why, "doorbell_forbidden_commands");
		return -1;
	}
	if (open_table(&p->command_filter, "doorbell_command_filter",
		cfg->command_filter, o, why) < 0 ||
	    open_keywords(p, o, cfg, why) < 0)
		return -1;
	return open_footer(p, o, cfg, why);
}

/* What is asked at the door. */
static int
open_door_tables(struct policy *p, const struct policy_options *o,
    const struct config *cfg, struct errtext *why)
{
	if (open_list(&p->mynetworks, "mynetworks", cfg->postfix.mynetworks, o,
		why) < 0 ||
	    open_list(&p->allow_interfaces, "doorbell_allowlist_interfaces",
		cfg->allowlist_interfaces, o, why) < 0 ||
	    open_list(&p->skip_networks, "doorbell_dnsbl_skip_networks",
		cfg->dnsbl_skip_networks, o, why) < 0)
		return -1;
	p->proxied = cfg->upstream_proxy_protocol != 0;
	if (!is_empty(cfg->proxy_networks) &&
	    open_list(&p->proxy_networks, "doorbell_proxy_networks",
		cfg->proxy_networks, o, why) < 0)
		return -1;
	if ((p->overrides = override_pool_new(o->config)) == NULL) {
		errtext_set(why, "%s", strerror(errno));
		return -1;
	}
	p->access = access_open(span_str(cfg->access_list), p->mynetworks,
	    override_check, &o->tables, why);
	if (p->access == NULL) {
		errtext_prefix(why, "doorbell_access_list");
		return -1;
	}
	return open_table(&p->reply_map, "doorbell_dnsbl_reply_map",
	    cfg->dnsbl_reply_map, o, why);
}

int
policy_tables_open(
    struct policy *p, const struct policy_options *o, struct errtext *why)
{
	const struct config *cfg = config_under(o->config, false);

	if (open_door_tables(p, o, cfg, why) < 0)
		return -1;
	return open_dialogue_tables(p, o, cfg, why);
}

void
policy_tables_close(struct policy *p)
{
	footer_free(&p->footer);
	maps_free(&p->discard_maps);
	table_free(&p->command_filter);
	forbidden_free(&p->forbidden);
	table_free(&p->reply_map);
	list_free(&p->proxy_networks);
	list_free(&p->skip_networks);
	list_free(&p->allow_interfaces);
	access_free(&p->access);
	override_pool_free(&p->overrides);
	list_free(&p->mynetworks);
}

void
policy_tables_refresh(struct policy *p, policy_tables_change_fn *fn, void *arg)
{
	struct errtext why = {""};
	enum table_change change;

	if ((change = list_refresh(p->mynetworks, &why)) != TABLE_SAME)
		fn(change, "mynetworks", &why, arg);
	if ((change = access_refresh(p->access, &why)) != TABLE_SAME)
		fn(change, "doorbell_access_list", &why, arg);
	if ((change = list_refresh(p->allow_interfaces, &why)) != TABLE_SAME)
		fn(change, "doorbell_allowlist_interfaces", &why, arg);
	if ((change = list_refresh(p->skip_networks, &why)) != TABLE_SAME)
		fn(change, "doorbell_dnsbl_skip_networks", &why, arg);
	if (p->proxy_networks != NULL &&
	    (change = list_refresh(p->proxy_networks, &why)) != TABLE_SAME)
		fn(change, "doorbell_proxy_networks", &why, arg);
	if (p->reply_map != NULL &&
	    (change = table_refresh(p->reply_map, &why)) != TABLE_SAME)
		fn(change, "doorbell_dnsbl_reply_map", &why, arg);
	if ((change = forbidden_refresh(p->forbidden, &why)) != TABLE_SAME)
		fn(change, "doorbell_forbidden_commands", &why, arg);
	if (p->command_filter != NULL &&
	    (change = table_refresh(p->command_filter, &why)) != TABLE_SAME)
		fn(change, "doorbell_command_filter", &why, arg);
	if ((change = maps_refresh(p->discard_maps, &why)) != TABLE_SAME)
		fn(change, "doorbell_discard_ehlo_keyword_address_maps", &why,
		    arg);
	if (p->footer != NULL &&
	    (change = footer_refresh(p->footer, &why)) != TABLE_SAME)
		fn(change, "doorbell_reject_footer_maps", &why, arg);
}
