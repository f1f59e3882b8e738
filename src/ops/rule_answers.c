/* SPDX-License-Identifier: ISC */
#include "ops/rule_answers.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/num.h"

/* A slip of the hand must not let in, or shut out, half of the Internet: blocks
 * have a least length. */

enum { IPV4_BITS_MIN = 8, IPV6_BITS_MIN = 16 };
enum { RULES_SHOWN = 1000, RULES_SHOWN_MAX = 20000 };
#define FOR_MAX_S ((int64_t)10 * 366 * 86400)

/* --- reading a request ------------------------------------------------------ */

static int
read_block(const struct control_call *call, struct addr_block *block_r,
    struct errtext *why)
{
	const char *text = call->request.argument[0];
	unsigned least;

	if (addr_block_parse(span_str(text), true, block_r) < 0) {
		errtext_set(
		    why, "%.100s: not an address or address/length", text);
		return -1;
	}
	block_r->base = addr_masked(&block_r->base, block_r->bits);
	least =
	    block_r->base.family == ADDR_IPV4 ? IPV4_BITS_MIN : IPV6_BITS_MIN;
	if (block_r->bits >= least)
		return 0;
	errtext_set(why,
	    "%.100s: blocks larger than /%u are not for rules"
	    " made by hand; use the access list",
	    text, least);
	return -1;
}

static int
read_rule(
    const struct control_call *call, struct rule *rule_r, struct errtext *why)
{
	const char *wanted = call->request.with[SWITCH_FOR];
	const char *note = call->request.with[SWITCH_NOTE];
	int64_t seconds;

	*rule_r = (struct rule){
	    .since = clock_wall(), .uid = (uint32_t)call->peer.uid};
	if (read_block(call, &rule_r->block, why) < 0)
		return -1;
	if (wanted != NULL) {
		if (num_parse_seconds(span_str(wanted), 's', &seconds) < 0 ||
		    seconds < 1 || seconds > FOR_MAX_S) {
			errtext_set(why,
			    "--for %.100s: not a time between 1s and ten years",
			    wanted);
			return -1;
		}
		rule_r->until = wall_after(rule_r->since, seconds);
	}
	if (note == NULL)
		return 0;
	if (strlen(note) >= RULE_NOTE_MAX) {
		errtext_set(
		    why, "the note is longer than %d bytes", RULE_NOTE_MAX - 1);
		return -1;
	}
	memcpy(rule_r->note, note, strlen(note));
	return 0;
}

/* --- doing it --------------------------------------------------------------- */

/* Without a cache file a rule lasts as long as the process. */
static bool
keep(const struct control_call *call, const struct cache_note *note)
{
	struct cache *cache = call->control->screen->cache;

	return cache != NULL && cache_keep_note(cache, note) == 0;
}

static void
format_block(const struct addr_block *block, char *text, size_t size)
{
	char address[ADDR_TEXT_MAX];

	(void)snprintf(text, size, "%s/%u", addr_format(&block->base, address),
	    block->bits);
}

static void
write_rule(const struct rule *rule, const char *key, struct json *j)
{
	char text[ADDR_TEXT_MAX + 4];

	format_block(&rule->block, text, sizeof(text));
	json_object(j, key);
	json_text(j, "block", text);
	json_text(j, "what", rule->allow ? "allow" : "deny");
	json_number(j, "uid", rule->uid);
	json_number(j, "since", rule->since.s);
	if (rule->until.s == RULE_FOR_GOOD)
		json_null(j, "until");
	else
		json_number(j, "until", rule->until.s);
	json_text(j, "note", rule->note);
	json_end(j);
}

static void
make_rule(struct control_call *call, bool allow)
{
	struct rules *rules = call->control->screen->rules;
	char text[ADDR_TEXT_MAX + 4];
	struct cache_note note;
	struct errtext why;
	struct rule rule;
	bool kept;

	if (read_rule(call, &rule, &why) < 0) {
		control_fail(call, CONTROL_BAD, "%s", why.text);
		return;
	}
	rule.allow = allow;
	if (rules == NULL || rules_set(rules, &rule) < 0) {
		control_fail(call, CONTROL_FAILED, "%s",
		    errno == ENOSPC ? "there are too many rules"
				    : strerror(errno));
		return;
	}
	rules_encode(&rule, &note);
	kept = keep(call, &note);
	format_block(&rule.block, text, sizeof(text));
	control_log_act(call, "%s %s", allow ? "allow" : "deny", text);
	write_rule(&rule, "rule", &call->json);
	json_bool(&call->json, "kept", kept);
	control_finish(call);
}

void
rule_answers_allow(struct control_call *call)
{
	make_rule(call, true);
}

void
rule_answers_deny(struct control_call *call)
{
	make_rule(call, false);
}

/* A block that is no client of the cache, nor in one, has many. */
static bool
is_one_client(const struct addr_block *block, const struct config *cfg)
{
	int64_t bits = block->base.family == ADDR_IPV4
			   ? cfg->ipv4_prefix_length
			   : cfg->ipv6_prefix_length;

	return block->bits >= bits;
}

/* The client of the cache that the block is, or is in. */
static bool
forget_record(const struct control_call *call, const struct addr_block *block)
{
	struct screen *screen = call->control->screen;
	const struct config *cfg = screen_config(screen, screen->policy);
	struct record_key key =
	    record_key_of(&block->base, (unsigned)cfg->ipv4_prefix_length,
		(unsigned)cfg->ipv6_prefix_length);
	struct record record;

	return screen->cache != NULL && is_one_client(block, cfg) &&
	       cache_find(screen->cache, &key, &record) &&
	       cache_forget(screen->cache, &key) == 0;
}

void
rule_answers_forget(struct control_call *call)
{
	struct rules *rules = call->control->screen->rules;
	struct cache_note note = {.drop = true};
	char text[ADDR_TEXT_MAX + 4];
	struct addr_block block;
	struct errtext why;
	bool one, rule, record;

	if (read_block(call, &block, &why) < 0) {
		control_fail(call, CONTROL_BAD, "%s", why.text);
		return;
	}
	format_block(&block, text, sizeof(text));
	rule = rules != NULL && rules_remove(rules, &block);
	one = is_one_client(&block, screen_config(call->control->screen,
					call->control->screen->policy));
	record = forget_record(call, &block);
	if (!rule && !record) {
		control_fail(call, CONTROL_FAILED,
		    "%s: there is no rule for it%s", text,
		    one ? ", and nothing in the cache" : "");
		return;
	}
	note.key = rules_key(&block);
	if (rule)
		(void)keep(call, &note);
	control_log_act(call, "forget %s", text);
	json_text(&call->json, "block", text);
	json_bool(&call->json, "rule", rule);
	if (one)
		json_bool(&call->json, "cache", record);
	else
		json_null(&call->json, "cache");
	control_finish(call);
}

void
rule_answers_cache_delete(struct control_call *call)
{
	const char *text = call->request.argument[0];
	struct addr_block block = {.bits = 0};

	if (addr_parse(span_str(text), &block.base) < 0) {
		control_fail(
		    call, CONTROL_FAILED, "%.100s: not an address", text);
		return;
	}
	block.bits = (uint8_t)addr_bits(&block.base);
	if (!forget_record(call, &block)) {
		control_fail(
		    call, CONTROL_FAILED, "%.100s: not in the cache", text);
		return;
	}
	control_log_act(call, "cache delete %.100s", text);
	json_text(&call->json, "client", text);
	control_finish(call);
}

/* --- showing them ----------------------------------------------------------- */

struct listing {
	const struct rule **at;
	size_t n;
	struct wall now;
};

static void
collect(const struct rule *rule, void *arg)
{
	struct listing *l = arg;

	if (rule->until.s == RULE_FOR_GOOD || rule->until.s > l->now.s)
		l->at[l->n++] = rule;
}

static int
by_address(const void *one, const void *other)
{
	const struct rule *const *a = one, *const *b = other;
	const struct addr_block *x = &(*a)->block, *y = &(*b)->block;
	int order;

	if (x->base.family != y->base.family)
		return x->base.family < y->base.family ? -1 : 1;
	order = memcmp(x->base.bytes, y->base.bytes, sizeof(x->base.bytes));
	return order != 0 ? order : (int)x->bits - (int)y->bits;
}

static void
write_rules(struct control_call *call, struct rules *rules, size_t limit)
{
	struct listing l = {.now = clock_wall()};

	if (rules != NULL && rules_count(rules) > 0 &&
	    /* NOLINTNEXTLINE(bugprone-sizeof-expression): these are pointers. */
	    (l.at = mem_array(rules_count(rules), sizeof(*l.at))) == NULL) {
		control_fail(call, CONTROL_FAILED, "%s", strerror(errno));
		return;
	}
	if (l.at != NULL) {
		rules_each(rules, collect, &l);
		/* NOLINTNEXTLINE(bugprone-sizeof-expression): these are pointers. */
		qsort(l.at, l.n, sizeof(*l.at), by_address);
	}
	json_array(&call->json, "rules");
	for (size_t i = 0; i < l.n && i < limit; i++)
		write_rule(l.at[i], NULL, &call->json);
	json_end(&call->json);
	json_number(&call->json, "total", (int64_t)l.n);
	mem_free(l.at);
	control_finish(call);
}

void
rule_answers_list(struct control_call *call)
{
	const char *text = call->request.with[SWITCH_LIMIT];
	int64_t limit = RULES_SHOWN;

	if (text != NULL &&
	    num_parse(span_str(text), 0, RULES_SHOWN_MAX, &limit) < 0) {
		control_fail(
		    call, CONTROL_BAD, "--limit is 0 to %d", RULES_SHOWN_MAX);
		return;
	}
	write_rules(call, call->control->screen->rules, (size_t)limit);
}
