/* SPDX-License-Identifier: ISC */
#include "ops/spared.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "screen/checks.h"

/* What is printed may end in a packet filter, where nobody asks again; so one
 * good address spares its whole prefix. Addresses are not asked one by one: what
 * lists say changes at the edges of the blocks that they name, and nowhere else.
 * So the first address of a prefix is asked, and of each smaller block inside
 * the first one and the first one behind it.
 *
 * Tables are walked once for all prefixes, and not at all when none has more
 * than one address. Where patterns may say different things about neighbours,
 * prefixes of many addresses are spared. */

/* A prefix with more than one address. */
struct wide {
	struct addr base;
	bool *is_spared;
};

struct search {
	const struct screen *screen;
	struct wall now;
	unsigned ipv4_bits, ipv6_bits; /* of all prefixes */
	struct wide *wide;             /* sorted */
	size_t count;
};

static unsigned
bits_of(const struct search *s, const struct addr *a)
{
	return a->family == ADDR_IPV4 ? s->ipv4_bits : s->ipv6_bits;
}

static bool
is_friend(const struct search *s, const struct addr *a)
{
	const struct policy *p = s->screen->policy;
	const struct rule *rule = NULL;

	if (s->screen->rules != NULL)
		rule = rules_find(s->screen->rules, a, s->now);
	return access_find(p->access, a).verdict == ACCESS_PERMIT ||
	       list_has(p->mynetworks, a) || list_has(p->skip_networks, a) ||
	       (rule != NULL && rule->allow);
}

/* It would be handed off at once. */
static bool
is_known(const struct search *s, const struct record_key *key)
{
	const struct screen *screen = s->screen;
	struct checks checks = {.state = {CHECK_OFF}};
	struct record record;

	if (screen->cache == NULL || !cache_find(screen->cache, key, &record))
		return false;
	checks_begin(
	    &checks, screen_config(screen, screen->policy), &record, s->now);
	return !checks_any(&checks, CHECK_ANY, CHECK_PENDING);
}

/* --- prefixes of many addresses --------------------------------------------- */

static int
compare_wide(const void *left, const void *right)
{
	const struct addr *a = &((const struct wide *)left)->base;
	const struct addr *b = &((const struct wide *)right)->base;

	if (a->family != b->family)
		return a->family < b->family ? -1 : 1;
	return memcmp(a->bytes, b->bytes, sizeof(a->bytes));
}

static struct wide *
wide_of(const struct search *s, const struct addr *a)
{
	const struct wide wanted = {.base = addr_masked(a, bits_of(s, a))};

	return bsearch(
	    &wanted, s->wide, s->count, sizeof(*s->wide), compare_wide);
}

/* The first address behind the block; false when it was the last one of all. */
static bool
step_over(const struct addr_block *block, struct addr *a_r)
{
	unsigned last = block->bits - 1u, i = last / 8;
	unsigned sum = block->base.bytes[i] + (0x80u >> last % 8);

	*a_r = block->base;
	a_r->bytes[i] = (uint8_t)sum;
	while (sum > UINT8_MAX && i-- > 0) {
		sum = block->base.bytes[i] + 1u;
		a_r->bytes[i] = (uint8_t)sum;
	}
	return sum <= UINT8_MAX;
}

static void
on_block(const struct addr_block *block, void *arg)
{
	struct search *s = arg;
	struct addr behind;
	struct wide *w;

	if (block->base.family == ADDR_NONE ||
	    block->bits <= bits_of(s, &block->base) ||
	    (w = wide_of(s, &block->base)) == NULL || *w->is_spared)
		return;
	*w->is_spared = is_friend(s, &block->base) ||
			(step_over(block, &behind) &&
			    wide_of(s, &behind) == w && is_friend(s, &behind));
}

static void
on_rule(const struct rule *rule, void *arg)
{
	on_block(&rule->block, arg);
}

static void
look_inside(struct search *s)
{
	const struct policy *p = s->screen->policy;
	bool is_whole = true;

	if (s->count == 0)
		return;
	qsort(s->wide, s->count, sizeof(*s->wide), compare_wide);
	is_whole &= access_each_block(p->access, on_block, s);
	is_whole &= list_each_block(p->mynetworks, on_block, s);
	is_whole &= list_each_block(p->skip_networks, on_block, s);
	if (s->screen->rules != NULL)
		rules_each(s->screen->rules, on_rule, s);
	for (size_t i = 0; i < s->count && !is_whole; i++)
		*s->wide[i].is_spared = true;
}

/* --- all of them ------------------------------------------------------------ */

static bool
is_spared_at_once(const struct search *s, const struct record_key *key,
    struct addr_block *block_r)
{
	return record_key_block(
		   span_of((const char *)key->bytes, key->n), block_r) < 0 ||
	       block_r->bits != bits_of(s, &block_r->base) ||
	       is_known(s, key) || is_friend(s, &block_r->base);
}

int
spared_find(const struct screen *screen, const struct offender *worst, size_t n,
    bool *is_spared_r)
{
	const struct config *cfg = screen_config(screen, screen->policy);
	struct search s = {.screen = screen,
	    .now = clock_wall(),
	    .ipv4_bits = (unsigned)cfg->ipv4_prefix_length,
	    .ipv6_bits = (unsigned)cfg->ipv6_prefix_length};
	struct addr_block block;

	if ((s.wide = mem_array(n + 1, sizeof(*s.wide))) == NULL)
		return -1;
	for (size_t i = 0; i < n; i++) {
		is_spared_r[i] = is_spared_at_once(&s, &worst[i].key, &block);
		if (!is_spared_r[i] && block.bits < addr_bits(&block.base))
			s.wide[s.count++] =
			    (struct wide){block.base, &is_spared_r[i]};
	}
	look_inside(&s);
	mem_free(s.wide);
	return 0;
}
