/* SPDX-License-Identifier: ISC */
#include "ops/offender_answers.h"

#include <errno.h>
#include <string.h>

#include "base/mem.h"
#include "base/num.h"
#include "screen/checks.h"
#include "screen/offenders.h"

/* What is printed here may end in a packet filter, where nobody asks again: the
 * part of a weight that may be another's does not count, and in doubt a prefix
 * is left out. The access list is asked for the first address of a block. */

enum { SHOWN = 1000, MIN_WEIGHT = 10, MIN_WEIGHT_MAX = 1000000000 };
enum { FOR_DEFAULT_S = 7200, FOR_MAX_S = 30 * 86400 };

struct wanted {
	const char *format;
	int64_t for_s, min, limit;
};

struct overlap {
	struct addr_block block;
	struct wall now;
	bool found;
};

/* --- reading a request ------------------------------------------------------ */

static bool
is_format(const char *word)
{
	static const char *const formats[] = {
	    "text", "nft", "ipset", "cidr", "json"};

	for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++)
		if (strcmp(word, formats[i]) == 0)
			return true;
	return false;
}

static int
read_number(const struct control_call *call, enum switch_id id,
    const char *name, int64_t max, int64_t *number_r, struct errtext *why)
{
	const char *text = call->request.with[id];

	if (text == NULL || num_parse(span_str(text), 1, max, number_r) == 0)
		return 0;
	errtext_set(why, "--%s is 1 to %lld", name, (long long)max);
	return -1;
}

static int
read_wanted(
    const struct control_call *call, struct wanted *w, struct errtext *why)
{
	const char *time = call->request.with[SWITCH_FOR];
	const char *format = call->request.with[SWITCH_FORMAT];

	*w = (struct wanted){.format = format != NULL ? format : "text",
	    .for_s = FOR_DEFAULT_S,
	    .min = MIN_WEIGHT,
	    .limit = SHOWN};
	if (!is_format(w->format)) {
		errtext_set(why, "--format is text, nft, ipset, cidr, or json");
		return -1;
	}
	if (time != NULL &&
	    (num_parse_seconds(span_str(time), 's', &w->for_s) < 0 ||
		w->for_s < 1 || w->for_s > FOR_MAX_S)) {
		errtext_set(
		    why, "--for %.100s: not a time between 1s and 30d", time);
		return -1;
	}
	if (read_number(call, SWITCH_MIN, "min", MIN_WEIGHT_MAX, &w->min, why) <
	    0)
		return -1;
	return read_number(
	    call, SWITCH_LIMIT, "limit", OFFENDERS_MAX, &w->limit, why);
}

/* --- who is spared ---------------------------------------------------------- */

static bool
blocks_meet(const struct addr_block *a, const struct addr_block *b)
{
	const struct addr_block *wide = a->bits < b->bits ? a : b;
	const struct addr_block *narrow = wide == a ? b : a;

	return addr_block_has(wide, &narrow->base);
}

static void
compare_rule(const struct rule *rule, void *arg)
{
	struct overlap *o = arg;

	if (rule->allow &&
	    (rule->until.s == RULE_FOR_GOOD || rule->until.s > o->now.s) &&
	    blocks_meet(&rule->block, &o->block))
		o->found = true;
}

static bool
is_allowed_by_hand(const struct screen *screen, const struct addr_block *block)
{
	struct overlap o = {.block = *block, .now = clock_wall()};

	if (screen->rules != NULL)
		rules_each(screen->rules, compare_rule, &o);
	return o.found;
}

/* It would be handed off at once. */
static bool
is_known(const struct screen *screen, const struct record_key *key)
{
	struct record record;
	struct checks checks = {.state = {CHECK_OFF}};

	if (screen->cache == NULL || !cache_find(screen->cache, key, &record))
		return false;
	checks_begin(&checks, screen_config(screen, screen->policy), &record,
	    clock_wall());
	return !checks_any(&checks, CHECK_ANY, CHECK_PENDING);
}

static bool
is_spared(const struct screen *screen, const struct record_key *key,
    const struct addr_block *block)
{
	const struct policy *p = screen->policy;

	return access_find(p->access, &block->base).verdict == ACCESS_PERMIT ||
	       list_has(p->mynetworks, &block->base) ||
	       list_has(p->skip_networks, &block->base) ||
	       is_known(screen, key) || is_allowed_by_hand(screen, block);
}

/* --- writing ---------------------------------------------------------------- */

static void
write_offender(
    const struct offender *o, int64_t weight, struct mono now, struct json *j)
{
	char prefix[RECORD_KEY_TEXT_MAX];

	json_object(j, NULL);
	json_text(j, "prefix", record_key_format(&o->key, prefix));
	json_number(j, "weight", weight);
	json_number(j, "first_ms", mono_between(o->first, now));
	json_number(j, "last_ms", mono_between(o->last, now));
	json_object(j, "offences");
	for (enum offence i = 0; i < OFFENCE_COUNT; i++)
		if (o->count[i] > 0)
			json_number(j, offenders_word(i), o->count[i]);
	json_end(j);
	json_end(j);
}

static void
write_list(struct control_call *call, const struct wanted *w,
    const struct offender *worst, size_t n)
{
	const struct screen *screen = call->control->screen;
	struct mono now = loop_now(call->control->loop);
	struct addr_block block;
	int64_t weight, shown = 0, spared = 0;

	json_text(&call->json, "format", w->format);
	json_number(&call->json, "for", w->for_s);
	json_array(&call->json, "offenders");
	for (size_t i = 0; i < n && shown < w->limit; i++) {
		weight = (int64_t)(worst[i].weight - worst[i].inherited);
		if (weight < w->min ||
		    record_key_block(span_of((const char *)worst[i].key.bytes,
					 worst[i].key.n),
			&block) < 0)
			continue;
		if (is_spared(screen, &worst[i].key, &block)) {
			spared++;
			continue;
		}
		write_offender(&worst[i], weight, now, &call->json);
		shown++;
	}
	json_end(&call->json);
	json_number(&call->json, "spared", spared);
}

void
offender_answers_list(struct control_call *call)
{
	struct offender *worst;
	struct errtext why;
	struct wanted w;
	size_t n;

	if (read_wanted(call, &w, &why) < 0) {
		control_fail(call, CONTROL_BAD, "%s", why.text);
		return;
	}
	if ((worst = mem_array(OFFENDERS_MAX, sizeof(*worst))) == NULL) {
		control_fail(call, CONTROL_FAILED, "%s", strerror(errno));
		return;
	}
	n = offenders_worst(call->control->screen->offenders, worst,
	    OFFENDERS_MAX, loop_now(call->control->loop));
	write_list(call, &w, worst, n < OFFENDERS_MAX ? n : OFFENDERS_MAX);
	mem_free(worst);
	control_finish(call);
}
