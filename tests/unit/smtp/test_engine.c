/* SPDX-License-Identifier: ISC */
/* links: fake_mem */
#include "smtp/engine.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "smtp/line.h"
#include "support/fake_mem.h"

enum {
	HELO_REQUIRED = 1,
	NO_VRFY = 2,
	NO_UTF8 = 4,
	NO_SIZE = 8,
	LIMIT_2 = 16,
	SOFT_BOUNCE = 32,
	INTERNAL = 64,
	TLS = 128,
	TLS_BROKEN = 256,
	TLS_REQUIRED = 512,
};

enum step_kind { STEP_DIALOGUE, STEP_SAY, STEP_FACTS };

struct step {
	enum step_kind kind;
	const char *name; /* dialogue */
	int options;
	unsigned discard;
	const char *footer;
	const char *line; /* say */
	size_t line_n;
	enum engine_outcome outcome;
	const char *reply;
	const char *helo, *sender, *recipient, *proto, *where; /* facts */
};

static const struct step steps[] = {
#define DIALOGUE(title, flags, mask, text) \
	{.kind = STEP_DIALOGUE,            \
	    .name = (title),               \
	    .options = (flags),            \
	    .discard = (mask),             \
	    .footer = (text)},
#define SAY(text, result, answer)       \
	{.kind = STEP_SAY,              \
	    .line = (text),             \
	    .line_n = sizeof(text) - 1, \
	    .outcome = ENGINE_##result, \
	    .reply = answer "\r\n"},
#define FACTS(h, s, r, p, w)  \
	{.kind = STEP_FACTS,  \
	    .helo = (h),      \
	    .sender = (s),    \
	    .recipient = (r), \
	    .proto = (p),     \
	    .where = (w)},
#include "dialogues.def"
#undef DIALOGUE
#undef SAY
#undef FACTS
};

enum { STEP_COUNT = sizeof(steps) / sizeof(steps[0]), LINE_MAX_BYTES = 200 };

static const struct reply refusal = {
    550, "5.3.2", "Service currently unavailable"};

/* One dialogue while it is played. */
struct play {
	const struct step *dialogue;
	const struct step *next; /* the step that should happen now */
	struct engine_options options;
	struct engine engine;
	struct buf input;
	struct buf output;
};

static const struct step *
dialogue_end(const struct step *s)
{
	do
		s++;
	while (s < steps + STEP_COUNT && s->kind != STEP_DIALOGUE);
	return s;
}

static void
play_open(struct play *p, const struct step *dialogue)
{
	int flags = dialogue->options;

	p->dialogue = dialogue;
	p->next = dialogue + 1;
	p->options = (struct engine_options){
	    .myhostname = "mx.example.com",
	    .message_size_limit = (flags & NO_SIZE) != 0 ? 0 : 10240000,
	    .helo_required = (flags & HELO_REQUIRED) != 0,
	    .disable_vrfy = (flags & NO_VRFY) != 0,
	    .smtputf8 = (flags & NO_UTF8) == 0,
	    .external_addresses = (flags & INTERNAL) == 0,
	    .command_limit = (flags & LIMIT_2) != 0 ? 2 : 100,
	    .discard = dialogue->discard,
	    .tls = (flags & TLS) != 0          ? ENGINE_TLS_USABLE
		   : (flags & TLS_BROKEN) != 0 ? ENGINE_TLS_BROKEN
					       : ENGINE_TLS_OFF,
	    .tls_required = (flags & TLS_REQUIRED) != 0,
	    .style = {.soft_bounce = (flags & SOFT_BOUNCE) != 0,
		.footer = dialogue->footer},
	};
	engine_init(&p->engine, &p->options);
	buf_init(&p->input, LINE_MAX_BYTES + 1);
	buf_init(&p->output, 1000);
}

static void
play_close(struct play *p)
{
	engine_clear(&p->engine);
	buf_clear(&p->input);
	buf_clear(&p->output);
}

static void
check_span(const struct play *p, struct span got, const char *want)
{
	if (!span_is(got, want))
		fail_msg("%s, step %d: got '%.*s', not '%s'", p->dialogue->name,
		    (int)(p->next - p->dialogue), (int)got.n, got.p, want);
}

static void
check_facts(struct play *p)
{
	const struct engine *e = &p->engine;

	while (p->next < dialogue_end(p->dialogue) &&
	       p->next->kind == STEP_FACTS) {
		check_span(p, buf_span(&e->helo), p->next->helo);
		check_span(p, buf_span(&e->sender), p->next->sender);
		check_span(p, buf_span(&e->recipient), p->next->recipient);
		check_span(p, span_str(engine_proto(e)), p->next->proto);
		check_span(p, span_str(engine_where(e)), p->next->where);
		p->next++;
	}
}

static void
take(struct play *p, struct span line)
{
	enum engine_outcome got;

	assert_true(p->next < dialogue_end(p->dialogue));
	got = engine_take(&p->engine, line, &refusal, &p->output);
	check_span(p, buf_span(&p->output), p->next->reply);
	if (got != p->next->outcome)
		fail_msg("%s, step %d: outcome %d", p->dialogue->name,
		    (int)(p->next - p->dialogue), (int)got);
	buf_reset(&p->output);
	p->next++;
	check_facts(p);
}

static void
hear(struct play *p, const char *bytes, size_t n)
{
	struct line line;

	assert_int_equal(buf_add(&p->input, bytes, n), 0);
	while (line_next(buf_span(&p->input), LINE_MAX_BYTES, &line) ==
	       LINE_READY) {
		take(p, line.text);
		buf_consume(&p->input, line.used);
	}
}

/* All that the client says, in one piece. */
static void
script(const struct step *dialogue, struct buf *out)
{
	buf_init(out, 4000);
	for (const struct step *s = dialogue; s < dialogue_end(dialogue); s++) {
		if (s->kind != STEP_SAY)
			continue;
		assert_int_equal(buf_add(out, s->line, s->line_n), 0);
		assert_int_equal(buf_add_str(out, "\r\n"), 0);
	}
}

/* Play the first `n` bytes of a dialogue in chunks. */
static void
play(
    const struct step *dialogue, const struct buf *said, size_t n, size_t chunk)
{
	struct play p;

	play_open(&p, dialogue);
	check_facts(&p);
	for (size_t at = 0; at < n; at += chunk)
		hear(&p, said->p + at, n - at < chunk ? n - at : chunk);
	if (n == said->n)
		assert_ptr_equal(p.next, dialogue_end(dialogue));
	play_close(&p);
}

static void
test_chunks(void **state)
{
	static const size_t chunks[] = {1, 2, 3, 7, 64, LINE_MAX_BYTES};
	const struct step *d = steps;

	(void)state;
	for (; d < steps + STEP_COUNT; d = dialogue_end(d)) {
		struct buf said;

		script(d, &said);
		for (size_t i = 0; i < sizeof(chunks) / sizeof(chunks[0]); i++)
			play(d, &said, said.n, chunks[i]);
		buf_clear(&said);
	}
	assert_int_equal(fake_mem_live(), 0);
}

static void
test_truncated(void **state)
{
	const struct step *d = steps;

	(void)state;
	for (; d < steps + STEP_COUNT; d = dialogue_end(d)) {
		struct buf said;

		script(d, &said);
		for (size_t n = 0; n < said.n; n++)
			play(d, &said, n, 5);
		buf_clear(&said);
	}
	assert_int_equal(fake_mem_live(), 0);
}

/* One line after the other until memory runs out: then the output is as it
 * was before that line. Returns whether it did run out. */
static bool
play_starving(const struct step *dialogue, unsigned allocations)
{
	enum engine_outcome outcome = ENGINE_GO_ON;
	struct play p;

	play_open(&p, dialogue);
	fake_mem_fail_after(allocations);
	for (const struct step *s = p.next; s < dialogue_end(dialogue); s++) {
		size_t before = p.output.n;

		if (s->kind != STEP_SAY)
			continue;
		outcome = engine_take(&p.engine, span_of(s->line, s->line_n),
		    &refusal, &p.output);
		if (outcome == ENGINE_BROKEN) {
			assert_int_equal(p.output.n, before);
			break;
		}
		assert_int_equal(outcome, s->outcome);
	}
	fake_mem_heal();
	play_close(&p);
	assert_int_equal(fake_mem_live(), 0);
	return outcome == ENGINE_BROKEN;
}

static void
test_no_memory(void **state)
{
	const struct step *d = steps;

	(void)state;
	for (; d < steps + STEP_COUNT; d = dialogue_end(d)) {
		unsigned allocations = 0;

		while (play_starving(d, allocations))
			allocations++;
		if (allocations == 0)
			fail_msg("%s: needs no memory?", d->name);
	}
}

/* No room for the reply ends the session too, at every size of the EHLO
 * list. */
static void
test_no_room(void **state)
{
	const struct step *d = steps;
	size_t room = 0;

	(void)state;
	for (;; room++) {
		struct span line = span_str("EHLO x");
		enum engine_outcome got;
		struct play p;
		size_t n;

		play_open(&p, d);
		p.output.max = (uint32_t)room;
		got = engine_take(&p.engine, line, &refusal, &p.output);
		n = p.output.n;
		play_close(&p);
		if (got != ENGINE_BROKEN)
			break;
		assert_int_equal(n, 0);
	}
	assert_int_equal(room, strlen(d[2].reply));
}

static void
test_silent_refusal(void **state)
{
	static const struct reply none = {0, NULL, NULL};
	struct play p;

	(void)state;
	play_open(&p, steps);
	assert_int_equal(
	    engine_take(&p.engine, span_str("MAIL a:b"), &none, &p.output),
	    ENGINE_GO_ON);
	buf_reset(&p.output);
	assert_int_equal(
	    engine_take(&p.engine, span_str("RCPT a:b"), &none, &p.output),
	    ENGINE_RCPT);
	assert_int_equal(p.output.n, 0);
	play_close(&p);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_chunks),
	    cmocka_unit_test(test_truncated),
	    cmocka_unit_test(test_no_memory),
	    cmocka_unit_test(test_no_room),
	    cmocka_unit_test(test_silent_refusal),
	};

	return cmocka_run_group_tests_name("smtp/engine", tests, NULL, NULL);
}
