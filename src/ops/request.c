/* SPDX-License-Identifier: ISC */
#include "ops/request.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* Options may stand anywhere, "--" ends them; a letter's value may be glued to
 * it. A command of two words is looked for before one of one word. */

const struct order request_orders[ORDER_COUNT] = {
#define HAS(id) REQUEST_HAS(id)
#define ORDER(id, words, place, min, max, switches, arguments, help) \
	[ORDER_##id] = {                                             \
	    words, ORDER_##place, min, max, switches, arguments, help},
#include "ops/orders.def"
#undef ORDER
#undef HAS
};

const struct order_switch request_switches[SWITCH_COUNT] = {
#define SWITCH(id, name, letter, value, help) \
	[SWITCH_##id] = {name, letter, value, help},
#include "ops/switches.def"
#undef SWITCH
};

/* --- words ----------------------------------------------------------------- */

struct words {
	const char *const *at;
	size_t n, next;
};

static int
shown(size_t n)
{
	return (int)(n < 100 ? n : 100);
}

/* What stands behind '=' or glued to the letter, or else the next word. */
static int
take_value(struct request *r, enum switch_id id, const char *glued,
    struct words *words, struct errtext *why)
{
	const char *name = request_switches[id].name;

	if (r->with[id] != NULL) {
		errtext_set(why, "--%s is there twice", name);
		return -1;
	}
	r->with[id] = glued != NULL ? glued : "";
	if (request_switches[id].value == NULL) {
		if (glued == NULL)
			return 0;
		errtext_set(why, "--%s has no value", name);
		return -1;
	}
	if (glued != NULL)
		return 0;
	if (words->next == words->n) {
		errtext_set(
		    why, "--%s needs %s", name, request_switches[id].value);
		return -1;
	}
	r->with[id] = words->at[words->next++];
	return 0;
}

static int
take_name(struct request *r, const char *name, struct words *words,
    struct errtext *why)
{
	const char *equals = strchr(name, '=');
	size_t n = equals != NULL ? (size_t)(equals - name) : strlen(name);

	for (size_t i = 0; i < SWITCH_COUNT; i++)
		if (span_is(span_of(name, n), request_switches[i].name))
			return take_value(r, (enum switch_id)i,
			    equals != NULL ? equals + 1 : NULL, words, why);
	errtext_set(why, "--%.*s: unknown option", shown(n), name);
	return -1;
}

static int
take_letters(struct request *r, const char *letters, struct words *words,
    struct errtext *why)
{
	size_t i;

	for (; *letters != '\0'; letters++) {
		for (i = 0; i < SWITCH_COUNT; i++)
			if (request_switches[i].letter == *letters)
				break;
		if (i == SWITCH_COUNT) {
			errtext_set(why, "-%c: unknown option", *letters);
			return -1;
		}
		if (request_switches[i].value != NULL)
			return take_value(r, (enum switch_id)i,
			    letters[1] != '\0' ? letters + 1 : NULL, words,
			    why);
		if (take_value(r, (enum switch_id)i, NULL, words, why) < 0)
			return -1;
	}
	return 0;
}

/* --- commands -------------------------------------------------------------- */

/* How many of the words are the command's name; 0 when it is another. */
static size_t
names(const struct order *order, const char *const *word, size_t n)
{
	const char *blank = strchr(order->words, ' ');

	if (blank == NULL)
		return n > 0 && strcmp(word[0], order->words) == 0;
	if (n < 2 || strcmp(word[1], blank + 1) != 0)
		return 0;
	return span_is(span_of(order->words, (size_t)(blank - order->words)),
		   word[0])
		   ? 2
		   : 0;
}

static size_t
find_order(struct request *r, const char *const *word, size_t n)
{
	size_t longest = 0, used;

	for (size_t i = ORDER_NONE + 1; i < ORDER_COUNT; i++) {
		used = names(&request_orders[i], word, n);
		if (used <= longest)
			continue;
		longest = used;
		r->order = (enum order_id)i;
	}
	return longest;
}

static int
check_switches(const struct request *r, unsigned always, struct errtext *why)
{
	const struct order *order = &request_orders[r->order];

	for (size_t i = 0; i < SWITCH_COUNT; i++) {
		if (r->with[i] == NULL ||
		    ((always | order->switches) & (1u << i)) != 0)
			continue;
		errtext_set(why, "%s has no --%s",
		    r->order == ORDER_NONE ? "this" : order->words,
		    request_switches[i].name);
		return -1;
	}
	return 0;
}

static int
set_order(
    struct request *r, const char *const *word, size_t n, struct errtext *why)
{
	const struct order *order;
	size_t used = find_order(r, word, n);

	if (n == 0)
		return 0;
	if (used == 0) {
		errtext_set(why, "%.*s: unknown command",
		    shown(strlen(word[0])), word[0]);
		return -1;
	}
	order = &request_orders[r->order];
	r->arguments = n - used;
	if (r->arguments < order->min || r->arguments > order->max) {
		errtext_set(why, "%s: too %s arguments", order->words,
		    r->arguments < order->min ? "few" : "many");
		return -1;
	}
	for (size_t i = 0; i < r->arguments; i++)
		r->argument[i] = word[used + i];
	return 0;
}

int
request_parse(struct request *r, const char *const *words, size_t n,
    unsigned always, struct errtext *why)
{
	const char *plain[REQUEST_ARGUMENTS_MAX + 2];
	struct words all = {.at = words, .n = n};
	size_t count = 0;
	bool only_plain = false;
	int rc = 0;

	*r = (struct request){0};
	while (rc == 0 && all.next < n) {
		const char *word = words[all.next++];

		if (only_plain || word[0] != '-' || word[1] == '\0') {
			if (count == REQUEST_ARGUMENTS_MAX + 2) {
				errtext_set(why, "too many words");
				return -1;
			}
			plain[count++] = word;
		} else if (word[1] != '-') {
			rc = take_letters(r, word + 1, &all, why);
		} else if (word[2] == '\0') {
			only_plain = true;
		} else {
			rc = take_name(r, word + 2, &all, why);
		}
	}
	if (rc < 0 || set_order(r, plain, count, why) < 0)
		return -1;
	return check_switches(r, always, why);
}

/* --- completion ------------------------------------------------------------ */

static void
offer(struct buf *out, const char *front, struct span word)
{
	(void)buf_printf(out, "%s%.*s\n", front, (int)word.n, word.p);
}

/* The first words, or the second ones behind `first`; each once. */
static void
offer_commands(struct buf *out, const char *first)
{
	const char *blank, *last = "";

	for (size_t i = ORDER_NONE + 1; i < ORDER_COUNT; i++) {
		const char *words = request_orders[i].words;
		size_t n;

		blank = strchr(words, ' ');
		n = blank != NULL ? (size_t)(blank - words) : strlen(words);
		if (first == NULL && strncmp(words, last, n) != 0)
			offer(out, "", span_of(words, n));
		else if (first != NULL && blank != NULL &&
			 span_is(span_of(words, n), first))
			offer(out, "", span_str(blank + 1));
		last = words;
	}
}

static bool
awaits_value(const char *word)
{
	for (size_t i = 0; i < SWITCH_COUNT; i++)
		if (request_switches[i].value != NULL &&
		    strncmp(word, "--", 2) == 0 &&
		    strcmp(word + 2, request_switches[i].name) == 0)
			return true;
	return false;
}

void
request_complete(const char *const *words, size_t n, struct buf *out)
{
	struct request r = {.order = ORDER_NONE};
	unsigned switches;

	if (find_order(&r, words, n) == 0) {
		offer_commands(out, n > 0 ? words[n - 1] : NULL);
		return;
	}
	if (awaits_value(words[n - 1]))
		return;
	switches = request_orders[r.order].switches;
	for (size_t i = 0; i < SWITCH_COUNT; i++)
		if ((switches & (1u << i)) != 0)
			offer(out, "--", span_str(request_switches[i].name));
}

/* --- the line -------------------------------------------------------------- */

static bool
has_control_bytes(const char *word)
{
	for (; *word != '\0'; word++)
		if ((unsigned char)*word < 0x20 || *word == 0x7f)
			return true;
	return false;
}

static int
add_quoted(struct buf *out, const char *word)
{
	for (; *word != '\0'; word++)
		if (((*word == '"' || *word == '\\') &&
			buf_add_char(out, '\\') < 0) ||
		    buf_add_char(out, *word) < 0)
			return -1;
	return 0;
}

/* `front` may be "--name=". */
static int
add_word(struct buf *out, const char *front, const char *word)
{
	bool quoted = *word == '\0' || strpbrk(word, " \"\\") != NULL;

	if (has_control_bytes(word))
		return errno = EINVAL, -1;
	if (buf_add_char(out, ' ') < 0 || buf_add_str(out, front) < 0 ||
	    (quoted && buf_add_char(out, '"') < 0) ||
	    add_quoted(out, word) < 0 || (quoted && buf_add_char(out, '"') < 0))
		return -1;
	return 0;
}

static int
add_switch(struct buf *out, const struct order_switch *s, const char *value)
{
	char front[32];

	(void)snprintf(
	    front, sizeof(front), s->value != NULL ? "--%s=" : "--%s", s->name);
	if (s->value != NULL)
		return add_word(out, front, value);
	return add_word(out, "", front);
}

int
request_to_line(const struct request *r, struct buf *out, struct errtext *why)
{
	const struct order *order = &request_orders[r->order];
	int rc = buf_add_str(out, order->words);

	for (size_t i = 0; i < SWITCH_COUNT && rc == 0; i++)
		if (r->with[i] != NULL && (order->switches & (1u << i)) != 0)
			rc = add_switch(out, &request_switches[i], r->with[i]);
	/* An argument may look like an option. */
	if (rc == 0 && r->arguments > 0)
		rc = add_word(out, "", "--");
	for (size_t i = 0; i < r->arguments && rc == 0; i++)
		rc = add_word(out, "", r->argument[i]);
	if (rc == 0 && buf_add_char(out, '\n') == 0 &&
	    out->n <= REQUEST_LINE_MAX)
		return 0;
	errtext_set(why, "%s",
	    errno == EINVAL ? "a control character in a word"
			    : "the words are too long");
	return -1;
}

/* Moves one word of *line to *room, which is advanced past its NUL; NULL when a
 * quote does not end. */
static const char *
decode_word(struct span *line, char **room)
{
	const char *word = *room;
	bool quoted = false;
	char c;

	while (line->n > 0 && (quoted || line->p[0] != ' ')) {
		c = line->p[0];
		*line = span_of(line->p + 1, line->n - 1);
		if (c == '"') {
			quoted = !quoted;
			continue;
		}
		if (c == '\\' && quoted && line->n > 0) {
			c = line->p[0];
			*line = span_of(line->p + 1, line->n - 1);
		}
		*(*room)++ = c;
	}
	*(*room)++ = '\0';
	return quoted ? NULL : word;
}

int
request_from_line(struct request *r, struct span line,
    struct request_room *room, struct errtext *why)
{
	const char *words[REQUEST_WORDS_MAX];
	char *to = room->text;
	size_t n = 0;

	if (line.n >= REQUEST_LINE_MAX - 1) {
		errtext_set(why, "the line is too long");
		return -1;
	}
	for (size_t i = 0; i < line.n; i++) {
		if ((unsigned char)line.p[i] < 0x20 || line.p[i] == 0x7f) {
			errtext_set(why, "a control character in the line");
			return -1;
		}
	}
	while (line.n > 0) {
		if (line.p[0] == ' ') {
			line = span_of(line.p + 1, line.n - 1);
			continue;
		}
		if (n == REQUEST_WORDS_MAX) {
			errtext_set(why, "too many words");
			return -1;
		}
		if ((words[n++] = decode_word(&line, &to)) == NULL) {
			errtext_set(why, "a quote that does not end");
			return -1;
		}
	}
	return request_parse(r, words, n, 0, why);
}
