/* SPDX-License-Identifier: ISC */
#include "table/cidr.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/must.h"
#include "table/rule.h"

/* Plain rules outside of any if block, which is all of them in most tables,
 * are sorted by (family, length, address, order): one binary search for each
 * length that occurs finds every block that holds an address, and the
 * earliest of these is the answer. What depends on order - negated rules and
 * if blocks - is kept aside and walked, but only as far as the best answer of
 * the index. So a table of 100,000 networks costs some dozens of comparisons.
 *
 * As in Postfix, a rule for the other address family never matches, negated
 * or not, and an "if" without "endif" reaches to the end of the table.
 *
 * Invariant: every rule inside an if block is walked, so the distance from an
 * if to its endif is the same in `rules` and in `walk`. */

#define NO_END UINT32_MAX

struct rule {
	struct addr_block block;
	uint8_t kind; /* enum rule_kind */
	bool negated;
	bool walked; /* not in the index */
	int line;
	uint32_t end; /* RULE_IF: the place of its endif */
	size_t value; /* where it begins in `values` */
};

/* Entries of the index that share family and length. */
struct run {
	uint32_t first, count;
	uint8_t family, bits;
};

enum { RUN_MAX = 33 + 129 };

struct cidr {
	struct rule *rules; /* in order */
	uint32_t count, cap;
	uint32_t *walk; /* rules whose order matters, in order */
	uint32_t walk_count;
	uint32_t *index; /* the other ones, sorted */
	uint32_t index_count;
	struct run runs[RUN_MAX];
	uint32_t run_count;
	struct buf values;
};

struct cidr *
cidr_new(void)
{
	struct cidr *c = mem_new(sizeof(*c));

	if (c != NULL)
		buf_init(&c->values, TABLE_FILE_MAX);
	return c;
}

void
cidr_free(struct cidr **c)
{
	if (*c == NULL)
		return;
	mem_free((*c)->rules);
	mem_free((*c)->walk);
	mem_free((*c)->index);
	buf_clear(&(*c)->values);
	mem_free(*c);
	*c = NULL;
}

static int
make_room(struct cidr *c)
{
	uint32_t cap = c->cap == 0 ? 16 : c->cap * 2;
	struct rule *rules;

	if (c->count < c->cap)
		return 0;
	must(cap > c->cap); /* a table has TABLE_FILE_MAX bytes at most */
	rules = mem_resize(c->rules, cap, sizeof(*rules));
	if (rules == NULL)
		return -1;
	c->rules = rules;
	c->cap = cap;
	return 0;
}

static int
add_rule(struct cidr *c, const struct rule *rule, const char *value)
{
	if (make_room(c) < 0)
		return -1;
	c->rules[c->count] = *rule;
	c->rules[c->count].value = c->values.n;
	if (buf_add(&c->values, value, strlen(value) + 1) < 0)
		return -1;
	c->count++;
	return 0;
}

int
cidr_add(
    struct cidr *c, const struct addr_block *block, const char *value, int line)
{
	struct rule rule = {.block = *block, .kind = RULE_MATCH, .line = line};

	return add_rule(c, &rule, value);
}

/* --- reading -------------------------------------------------------------- */
static int
complain_block(struct span in, struct errtext *why)
{
	int shown = (int)(in.n < 100 ? in.n : 100);
	struct addr_block lax;
	char text[ADDR_TEXT_MAX];

	if (addr_block_parse(in, true, &lax) == 0)
		errtext_set(why,
		    "non-null host address bits in \"%.*s\", perhaps you "
		    "should use \"%s/%u\" instead",
		    shown, in.p, addr_format(&lax.base, text), lax.bits);
	else
		errtext_set(why, "bad address pattern: \"%.*s\"", shown, in.p);
	return -1;
}

int
cidr_parse_block(struct span in, struct addr_block *out_r, struct errtext *why)
{
	char plain[ADDR_TEXT_MAX + sizeof("[]/128")];
	const char *close;
	size_t n;

	if (in.n > 0 && in.p[0] == '[') {
		close = memchr(in.p, ']', in.n);
		if (close == NULL || in.n > sizeof(plain))
			return complain_block(in, why);
		n = (size_t)(close - in.p) - 1;
		if (in.n > n + 2 && in.p[n + 2] != '/')
			return complain_block(in, why);
		memcpy(plain, in.p + 1, n);
		memcpy(plain + n, close + 1, in.n - 2 - n);
		in = span_of(plain, in.n - 2);
	}
	if (addr_block_parse(in, false, out_r) < 0)
		return complain_block(in, why);
	return 0;
}

static int
read_if(struct cidr *c, struct rule_blocks *blocks, struct span text, int line,
    struct load *l)
{
	struct rule rule = {.kind = RULE_IF, .walked = true, .end = NO_END};
	struct errtext why;

	rule.line = line;
	rule.negated = rule_take_negation(&text);
	if (cidr_parse_block(text, &rule.block, &why) < 0) {
		load_bad(l, line, "%s", why.text);
		return 0;
	}
	if (add_rule(c, &rule, "") < 0)
		return -1;
	return rule_blocks_push(blocks, c->count - 1);
}

static int
read_endif(struct cidr *c, struct rule_blocks *blocks, struct span text,
    int line, struct load *l)
{
	struct rule rule = {.kind = RULE_ENDIF, .walked = true, .line = line};
	uint32_t begin;

	if (text.n > 0) {
		load_bad(l, line, "text after endif");
		return 0;
	}
	if (!rule_blocks_pop(blocks, &begin)) {
		load_bad(l, line, "endif without if");
		return 0;
	}
	c->rules[begin].end = c->count;
	return add_rule(c, &rule, "");
}

static int
read_match(
    struct cidr *c, bool inside, struct span text, int line, struct load *l)
{
	struct rule rule = {.kind = RULE_MATCH, .line = line};
	struct span pattern;
	struct errtext why;

	rule.negated = rule_take_negation(&text);
	rule.walked = rule.negated || inside;
	pattern = rule_take_word(&text);
	if (cidr_parse_block(pattern, &rule.block, &why) < 0) {
		load_bad(l, line, "%s", why.text);
		return 0;
	}
	if (text.n == 0) {
		load_bad(l, line, "no lookup result");
		return 0;
	}
	load_check_value(l, line, text.p);
	return add_rule(c, &rule, text.p);
}

static int
read_line(struct cidr *c, struct rule_blocks *blocks, const struct lines *lines,
    struct load *l)
{
	struct span text = buf_span(&lines->text);
	enum rule_kind kind;

	kind = rule_take_kind(&text);
	if (kind == RULE_IF)
		return read_if(c, blocks, text, lines->line, l);
	if (kind == RULE_ENDIF)
		return read_endif(c, blocks, text, lines->line, l);
	return read_match(c, blocks->count > 0, text, lines->line, l);
}

static int
read_lines(struct cidr *c, struct lines *lines, struct load *l)
{
	struct rule_blocks blocks = {.count = 0};
	uint32_t begin;
	int rc;

	while ((rc = lines_next(lines, l)) > 0) {
		if (read_line(c, &blocks, lines, l) < 0) {
			rc = -1;
			break;
		}
	}
	while (rc == 0 && rule_blocks_pop(&blocks, &begin))
		load_bad(l, c->rules[begin].line, "if without endif");
	rule_blocks_clear(&blocks);
	return rc;
}

struct cidr *
cidr_read(struct span text, struct load *l)
{
	struct cidr *c = cidr_new();
	struct lines lines;
	int rc;

	if (c == NULL)
		return NULL;
	lines_init(&lines, text);
	rc = read_lines(c, &lines, l);
	lines_clear(&lines);
	if (rc < 0 || cidr_seal(c) < 0)
		cidr_free(&c);
	return c;
}

/* --- the index ------------------------------------------------------------ */
static int
compare_blocks(const struct addr_block *a, const struct addr_block *b)
{
	if (a->base.family != b->base.family)
		return a->base.family < b->base.family ? -1 : 1;
	if (a->bits != b->bits)
		return a->bits < b->bits ? -1 : 1;
	return memcmp(a->base.bytes, b->base.bytes, sizeof(a->base.bytes));
}

static int
compare_rules(const void *left, const void *right, void *rules)
{
	const struct rule *all = rules;
	uint32_t a = *(const uint32_t *)left, b = *(const uint32_t *)right;
	int order = compare_blocks(&all[a].block, &all[b].block);

	if (order != 0)
		return order;
	return (a > b) - (a < b);
}

/* Of several rules for the same block only the first can ever answer. */
static void
drop_shadowed(struct cidr *c)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < c->index_count; i++)
		if (kept == 0 || compare_blocks(&c->rules[c->index[i]].block,
				     &c->rules[c->index[kept - 1]].block) != 0)
			c->index[kept++] = c->index[i];
	c->index_count = kept;
}

static void
find_runs(struct cidr *c)
{
	const struct addr_block *block;
	struct run *run = NULL;

	c->run_count = 0;
	for (uint32_t i = 0; i < c->index_count; i++) {
		block = &c->rules[c->index[i]].block;
		if (run == NULL || run->family != block->base.family ||
		    run->bits != block->bits) {
			run = &c->runs[c->run_count++];
			*run =
			    (struct run){i, 0, block->base.family, block->bits};
		}
		run->count++;
	}
}

int
cidr_seal(struct cidr *c)
{
	mem_free(c->walk);
	mem_free(c->index);
	c->walk_count = c->index_count = 0;
	c->walk = mem_array((size_t)c->count + 1, sizeof(*c->walk));
	c->index = mem_array((size_t)c->count + 1, sizeof(*c->index));
	if (c->walk == NULL || c->index == NULL)
		return -1;
	for (uint32_t i = 0; i < c->count; i++) {
		if (c->rules[i].walked)
			c->walk[c->walk_count++] = i;
		else
			c->index[c->index_count++] = i;
	}
	qsort_r(c->index, c->index_count, sizeof(*c->index), compare_rules,
	    c->rules);
	drop_shadowed(c);
	find_runs(c);
	return 0;
}

/* --- finding -------------------------------------------------------------- */
static uint32_t
search_run(const struct cidr *c, const struct run *run, const struct addr *a)
{
	struct addr wanted = addr_masked(a, run->bits);
	uint32_t low = run->first, high = run->first + run->count, middle;
	int order;

	while (low < high) {
		middle = low + (high - low) / 2;
		order = memcmp(c->rules[c->index[middle]].block.base.bytes,
		    wanted.bytes, sizeof(wanted.bytes));
		if (order == 0)
			return c->index[middle];
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return c->count;
}

/* The first indexed rule for the address, or c->count. */
static uint32_t
search_index(const struct cidr *c, const struct addr *a)
{
	uint32_t best = c->count, rule;

	for (uint32_t i = 0; i < c->run_count; i++) {
		if (c->runs[i].family != a->family)
			continue;
		rule = search_run(c, &c->runs[i], a);
		if (rule < best)
			best = rule;
	}
	return best;
}

static bool
rule_applies(const struct rule *rule, const struct addr *a)
{
	return rule->block.base.family == a->family &&
	       addr_block_has(&rule->block, a) != rule->negated;
}

/* The first walked rule before `limit` that applies, or `limit`. */
static uint32_t
walk_rules(const struct cidr *c, const struct addr *a, uint32_t limit)
{
	const struct rule *rule;
	uint32_t number;

	for (uint32_t i = 0; i < c->walk_count; i++) {
		number = c->walk[i];
		if (number >= limit)
			break;
		rule = &c->rules[number];
		if (rule->kind == RULE_MATCH && rule_applies(rule, a))
			return number;
		if (rule->kind != RULE_IF || rule_applies(rule, a))
			continue;
		if (rule->end == NO_END)
			break;
		i += rule->end - number;
	}
	return limit;
}

enum table_result
cidr_find(
    const struct cidr *c, const struct addr *a, struct table_match *match_r)
{
	uint32_t number = walk_rules(c, a, search_index(c, a));

	if (number == c->count)
		return TABLE_ABSENT;
	match_r->value = c->values.p + c->rules[number].value;
	match_r->line = c->rules[number].line;
	return TABLE_FOUND;
}

void
cidr_each_block(const struct cidr *c, table_block_fn *fn, void *arg)
{
	for (uint32_t i = 0; i < c->count; i++)
		if (c->rules[i].kind != RULE_ENDIF)
			fn(&c->rules[i].block, arg);
}
