/* SPDX-License-Identifier: ISC */
#include "table/pattern.h"

#include <errno.h>
#include <string.h>

#include "base/mem.h"
#include "base/num.h"
#include "table/groups.h"
#include "table/perlre.h"
#include "table/posixre.h"
#include "table/rule.h"

/* A result with a "$" in it is a template: it is expanded once while reading,
 * with groups that are all empty, to find its mistakes, and again for every
 * match. A rule whose matching gave up does not apply, negated or not: no
 * decision is better than one that a client's choice of key has brought
 * about. */

#define NO_END UINT32_MAX

enum { KEY_MAX = 4096, RESULT_MAX = 64 * 1024 };

struct rule {
	struct posixre *posixre; /* one of the two, or none for endif */
	struct perlre *perlre;
	char *value; /* NULL for if and endif */
	bool is_template;
	bool negated;
	enum rule_kind kind;
	uint32_t end; /* RULE_IF: the place of its endif */
	int line;
};

struct pattern {
	enum pattern_syntax syntax;
	struct rule *rules;
	uint32_t count, cap;
	struct buf *result; /* of the last template */
	struct perlre_room *room;
};

static void
rule_clear(struct rule *rule)
{
	posixre_free(&rule->posixre);
	perlre_free(&rule->perlre);
	mem_free(rule->value);
	rule->value = NULL;
}

void
pattern_free(struct pattern **p)
{
	if (*p == NULL)
		return;
	for (uint32_t i = 0; i < (*p)->count; i++)
		rule_clear(&(*p)->rules[i]);
	mem_free((*p)->rules);
	if ((*p)->result != NULL)
		buf_clear((*p)->result);
	mem_free((*p)->result);
	perlre_room_free(&(*p)->room);
	mem_free(*p);
	*p = NULL;
}

static struct pattern *
pattern_new(enum pattern_syntax syntax)
{
	struct pattern *p = mem_new(sizeof(*p));

	if (p == NULL)
		return NULL;
	p->syntax = syntax;
	p->result = mem_new(sizeof(*p->result));
	if (p->result != NULL)
		buf_init(p->result, RESULT_MAX);
	if (syntax == PATTERN_PERL)
		p->room = perlre_room_new();
	if (p->result == NULL || (syntax == PATTERN_PERL && p->room == NULL))
		pattern_free(&p);
	return p;
}

/* Takes over what the rule holds, also when it fails. */
static int
add_rule(struct pattern *p, struct rule *rule)
{
	uint32_t cap = p->cap == 0 ? 16 : p->cap * 2;
	struct rule *more;

	if (p->count == p->cap) {
		more = mem_resize(p->rules, cap, sizeof(*more));
		if (more == NULL) {
			rule_clear(rule);
			return -1;
		}
		p->rules = more;
		p->cap = cap;
	}
	p->rules[p->count++] = *rule;
	return 0;
}

/* --- templates ------------------------------------------------------------ */

/* The name behind "$", with *rest moved past it: NAME, {NAME} or (NAME). */
static int
take_name(struct span *rest, struct span *name_r, struct errtext *why)
{
	char open = rest->n > 0 ? rest->p[0] : '\0';
	const char *close;
	size_t n = 0;

	if (open == '{' || open == '(') {
		close = memchr(rest->p, open == '{' ? '}' : ')', rest->n);
		if (close == NULL) {
			errtext_set(why, "\"$%c\" is not closed", open);
			return -1;
		}
		n = (size_t)(close - rest->p) + 1;
		*name_r = span_of(rest->p + 1, n - 2);
	} else {
		while (n < rest->n &&
		       (text_is_alnum(rest->p[n]) || rest->p[n] == '_'))
			n++;
		*name_r = span_of(rest->p, n);
	}
	*rest = span_of(rest->p + n, rest->n - n);
	return 0;
}

static int
group_number(struct span name, size_t group_count, int64_t *number_r,
    struct errtext *why)
{
	if (num_parse(name, 1, GROUPS_MAX - 1, number_r) < 0) {
		errtext_set(why, "bad replacement index \"%.*s\"",
		    (int)(name.n < 100 ? name.n : 100), name.p);
		return -1;
	}
	if ((uint64_t)*number_r > group_count) {
		errtext_set(why,
		    "replacement index \"%d\" is out of range: the pattern has "
		    "%zu groups",
		    (int)*number_r, group_count);
		return -1;
	}
	return 0;
}

static int
add_text(struct buf *out, struct span text, struct errtext *why)
{
	if (buf_add(out, text.p, text.n) == 0)
		return 0;
	errtext_set(why, "the result is too long");
	return -1;
}

/* What stands behind a "$": *rest moves past it. */
static int
add_reference(struct span *rest, size_t group_count,
    const struct groups *groups, struct buf *out, struct errtext *why)
{
	struct span name;
	int64_t number;

	if (rest->n > 0 && rest->p[0] == '$') {
		*rest = span_of(rest->p + 1, rest->n - 1);
		return add_text(out, span_str("$"), why);
	}
	if (take_name(rest, &name, why) < 0 ||
	    group_number(name, group_count, &number, why) < 0)
		return -1;
	return add_text(out, groups->at[number], why);
}

static int
expand(const char *template, size_t group_count, const struct groups *groups,
    struct buf *out, struct errtext *why)
{
	struct span rest = span_str(template);
	const char *dollar;
	size_t n;

	while (rest.n > 0) {
		dollar = memchr(rest.p, '$', rest.n);
		n = dollar == NULL ? rest.n : (size_t)(dollar - rest.p);
		if (add_text(out, span_of(rest.p, n), why) < 0)
			return -1;
		if (dollar == NULL)
			break;
		rest = span_of(dollar + 1, rest.n - n - 1);
		if (add_reference(&rest, group_count, groups, out, why) < 0)
			return -1;
	}
	return 0;
}

static size_t
group_count(const struct rule *rule)
{
	if (rule->negated)
		return 0;
	return rule->posixre != NULL ? posixre_group_count(rule->posixre)
				     : perlre_group_count(rule->perlre);
}

static int
check_template(struct pattern *p, struct rule *rule, struct errtext *why)
{
	struct groups empty;

	for (size_t i = 0; i < GROUPS_MAX; i++)
		empty.at[i] = span_of("", 0);
	buf_reset(p->result);
	return expand(rule->value, group_count(rule), &empty, p->result, why);
}

/* --- reading -------------------------------------------------------------- */

/* Cut "/pattern/flags" off *text. A backslash keeps its companion from being
 * the delimiter, and stays in the pattern. */
static int
take_pattern(struct span *text, struct span *pattern_r, struct span *flags_r,
    struct errtext *why)
{
	char delimiter = text->n > 0 ? text->p[0] : 'x';
	size_t n = 1;

	if (text_is_alnum(delimiter)) {
		errtext_set(why, "expected /pattern/flags result");
		return -1;
	}
	while (n < text->n && text->p[n] != delimiter)
		n += text->p[n] == '\\' ? 2 : 1;
	if (n >= text->n) {
		errtext_set(
		    why, "no closing regexp delimiter \"%c\"", delimiter);
		return -1;
	}
	*pattern_r = span_of(text->p + 1, n - 1);
	*text = span_of(text->p + n + 1, text->n - n - 1);
	*flags_r = rule_take_word(text);
	return 0;
}

/* errno says whether it was memory that failed. */
static int
compile(const struct pattern *p, struct rule *rule, struct span *text,
    struct errtext *why)
{
	struct span pattern, flags;
	char *copy;

	errno = 0;
	rule->negated = rule_take_negation(text);
	if (take_pattern(text, &pattern, &flags, why) < 0)
		return -1;
	copy = mem_strndup(pattern.p, pattern.n);
	if (copy == NULL)
		errtext_set(why, "%s", strerror(errno));
	else if (p->syntax == PATTERN_POSIX)
		rule->posixre = posixre_new(copy, flags, why);
	else
		rule->perlre = perlre_new(copy, flags, why);
	mem_free(copy);
	return rule->posixre == NULL && rule->perlre == NULL ? -1 : 0;
}

static int
bad_pattern(struct load *l, int line, const struct errtext *why)
{
	if (errno == ENOMEM)
		return -1;
	load_bad(l, line, "%s", why->text);
	return 0;
}

static int
read_if(struct pattern *p, struct rule_blocks *blocks, struct span text,
    int line, struct load *l)
{
	struct rule rule = {.kind = RULE_IF, .end = NO_END, .line = line};
	struct errtext why;

	if (compile(p, &rule, &text, &why) < 0)
		return bad_pattern(l, line, &why);
	if (text.n > 0)
		load_note(l, line, "text after if is ignored: \"%.*s\"",
		    (int)(text.n < 100 ? text.n : 100), text.p);
	if (add_rule(p, &rule) < 0)
		return -1;
	return rule_blocks_push(blocks, p->count - 1);
}

static int
read_endif(struct pattern *p, struct rule_blocks *blocks, struct span text,
    int line, struct load *l)
{
	struct rule rule = {.kind = RULE_ENDIF, .line = line};
	uint32_t begin;

	if (!rule_blocks_pop(blocks, &begin)) {
		load_bad(l, line, "endif without if");
		return 0;
	}
	if (text.n > 0)
		load_note(l, line, "text after endif is ignored");
	p->rules[begin].end = p->count;
	return add_rule(p, &rule);
}

static int
read_match(struct pattern *p, struct span text, int line, struct load *l)
{
	struct rule rule = {.kind = RULE_MATCH, .line = line};
	struct errtext why;

	if (compile(p, &rule, &text, &why) < 0)
		return bad_pattern(l, line, &why);
	if (text.n == 0)
		load_note(l, line, "no result: using an empty one");
	rule.value = mem_strndup(text.n > 0 ? text.p : "", text.n);
	if (rule.value == NULL) {
		rule_clear(&rule);
		return -1;
	}
	rule.is_template = strchr(rule.value, '$') != NULL;
	if (rule.is_template && check_template(p, &rule, &why) < 0) {
		load_bad(l, line, "%s", why.text);
		rule_clear(&rule);
		return 0;
	}
	load_check_value(l, line, rule.value);
	return add_rule(p, &rule);
}

static int
read_line(struct pattern *p, struct rule_blocks *blocks,
    const struct lines *lines, struct load *l)
{
	struct span text = buf_span(&lines->text);
	enum rule_kind kind;

	kind = rule_take_kind(&text);
	if (kind == RULE_IF)
		return read_if(p, blocks, text, lines->line, l);
	if (kind == RULE_ENDIF)
		return read_endif(p, blocks, text, lines->line, l);
	return read_match(p, text, lines->line, l);
}

static int
read_lines(struct pattern *p, struct lines *lines, struct load *l)
{
	struct rule_blocks blocks = {.count = 0};
	uint32_t begin;
	int rc;

	while ((rc = lines_next(lines, l)) > 0) {
		if (read_line(p, &blocks, lines, l) < 0) {
			rc = -1;
			break;
		}
	}
	while (rc == 0 && rule_blocks_pop(&blocks, &begin))
		load_bad(l, p->rules[begin].line, "if without endif");
	rule_blocks_clear(&blocks);
	return rc;
}

struct pattern *
pattern_read(enum pattern_syntax syntax, struct span text, struct load *l)
{
	struct pattern *p = pattern_new(syntax);
	struct lines lines;

	if (p == NULL)
		return NULL;
	lines_init(&lines, text);
	if (read_lines(p, &lines, l) < 0)
		pattern_free(&p);
	lines_clear(&lines);
	return p;
}

/* --- finding -------------------------------------------------------------- */
static bool
rule_applies(const struct pattern *p, const struct rule *rule, const char *key,
    struct groups *groups_r)
{
	enum groups_match match =
	    rule->posixre != NULL
		? posixre_match(rule->posixre, key, groups_r)
		: perlre_match(rule->perlre, p->room, key, groups_r);

	return match != GROUPS_GAVE_UP &&
	       (match == GROUPS_YES) != rule->negated;
}

static const char *
value_of(const struct pattern *p, const struct rule *rule,
    const struct groups *groups)
{
	if (!rule->is_template)
		return rule->value;
	buf_reset(p->result);
	if (expand(rule->value, group_count(rule), groups, p->result, NULL) < 0)
		return NULL;
	return buf_str(p->result);
}

enum table_result
pattern_find(
    const struct pattern *p, const char *key, struct table_match *match_r)
{
	const struct rule *rule;
	struct groups groups;

	if (strlen(key) > KEY_MAX)
		return TABLE_ABSENT;
	for (uint32_t i = 0; i < p->count; i++) {
		rule = &p->rules[i];
		if (rule->kind == RULE_ENDIF)
			continue;
		if (rule_applies(p, rule, key, &groups)) {
			if (rule->kind == RULE_IF)
				continue;
			match_r->value = value_of(p, rule, &groups);
			match_r->line = rule->line;
			return match_r->value == NULL ? TABLE_ABSENT
						      : TABLE_FOUND;
		}
		if (rule->kind == RULE_IF) {
			if (rule->end == NO_END)
				break;
			i = rule->end;
		}
	}
	return TABLE_ABSENT;
}
