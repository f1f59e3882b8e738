/* SPDX-License-Identifier: ISC */
/* fuzz/fuzz_smtp.c - one client's bytes through line, command, path, engine and
 * reply.
 *
 * Input: one byte of options, one that seeds the chunk sizes, one discard mask,
 * then what the client sends. However the bytes are chopped, the transcript
 * must be the same, and every reply must look like one. */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/must.h"
#include "smtp/engine.h"
#include "smtp/line.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

enum {
	HEAD_BYTES = 3,
	LINE_BYTES = 256,
	TRANSCRIPT_MAX = 1024 * 1024,
};

static const struct reply refusal = {
    550, "5.7.1", "Service unavailable; client [192.0.2.1] blocked"};

struct client {
	struct engine_options options;
	struct engine engine;
	struct buf input;
	struct buf transcript;
	bool over;
};

static void
client_open(struct client *c, const uint8_t *head)
{
	*c = (struct client){
	    .options =
		{
		    .myhostname = "mx.example.com",
		    .message_size_limit = (head[0] & 1) != 0 ? 0 : 1000,
		    .helo_required = (head[0] & 2) != 0,
		    .disable_vrfy = (head[0] & 4) != 0,
		    .smtputf8 = (head[0] & 8) != 0,
		    .command_limit = (head[0] & 16) != 0 ? 3 : 20,
		    .discard = head[2],
		    .external_addresses = (head[0] & 128) == 0,
		    .style = {.soft_bounce = (head[0] & 32) != 0,
			.footer = (head[0] & 64) != 0 ? "\\c see\\nwww" : NULL},
		},
	};
	engine_init(&c->engine, &c->options);
	buf_init(&c->input, LINE_BYTES + 1);
	buf_init(&c->transcript, TRANSCRIPT_MAX);
}

static void
client_close(struct client *c)
{
	engine_clear(&c->engine);
	buf_clear(&c->input);
	buf_clear(&c->transcript);
}

static bool
is_digit_between(char c, char low, char high)
{
	return c >= low && c <= high;
}

/* Whole lines, one code, '-' after all but the last, nothing unprintable. */
static void
check_reply(struct span reply)
{
	const char *code = reply.p;
	bool more = true;

	must(reply.n > 0);
	while (reply.n > 0) {
		const char *end = memchr(reply.p, '\n', reply.n);
		size_t n;

		must(more && end != NULL && end - reply.p >= 5);
		n = (size_t)(end - reply.p) + 1;
		must(is_digit_between(reply.p[0], '2', '5'));
		must(is_digit_between(reply.p[1], '0', '5'));
		must(is_digit_between(reply.p[2], '0', '9'));
		must(memcmp(reply.p, code, 3) == 0);
		must(reply.p[3] == '-' || reply.p[3] == ' ');
		must(end[-1] == '\r');
		for (size_t i = 0; i < n - 2; i++)
			must(is_digit_between(reply.p[i], ' ', '~'));
		more = reply.p[3] == '-';
		reply = span_of(end + 1, reply.n - n);
	}
	must(!more);
}

static void
client_take(struct client *c, struct span line)
{
	struct engine *e = &c->engine;
	size_t before = c->transcript.n;
	enum engine_outcome outcome;
	struct span said;

	outcome = engine_take(e, line, &refusal, &c->transcript);
	must(outcome != ENGINE_BROKEN);
	said = buf_span(&c->transcript);
	check_reply(span_of(said.p + before, said.n - before));
	must(e->helo.n < LINE_BYTES);
	must(e->sender.n < 2 * LINE_BYTES && e->recipient.n < 2 * LINE_BYTES);
	must(e->commands <= c->options.command_limit + 1);
	c->over = outcome != ENGINE_GO_ON && outcome != ENGINE_RCPT;
	must(buf_printf(&c->transcript, "%d %s %s\n", (int)outcome,
		 engine_where(e), engine_proto(e)) == 0);
}

static void
client_pump(struct client *c)
{
	struct line line;

	while (!c->over) {
		switch (line_next(buf_span(&c->input), LINE_BYTES, &line)) {
		case LINE_MORE:
			return;
		case LINE_TOO_LONG:
			must(buf_add_str(&c->transcript, "too long\n") == 0);
			c->over = true;
			return;
		case LINE_READY:
			client_take(c, line.text);
			buf_consume(&c->input, line.used);
			break;
		}
	}
}

/* As much as there is room for, at most `chunk` bytes at a time; 0 means that
 * the sizes come out of the seed. */
static void
client_hear(struct client *c, struct span said, unsigned seed, size_t chunk)
{
	while (said.n > 0 && !c->over) {
		size_t room = c->input.max - c->input.n;
		size_t n = chunk;

		seed = seed * 1103515245u + 12345u;
		if (n == 0)
			n = 1 + (seed >> 16) % 40;
		if (n > room)
			n = room;
		if (n > said.n)
			n = said.n;
		must(n > 0);
		must(buf_add(&c->input, said.p, n) == 0);
		said = span_of(said.p + n, said.n - n);
		client_pump(c);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	static const size_t chunks[] = {LINE_BYTES, 0, 1};
	struct client clients[3];
	struct span said;

	if (n < HEAD_BYTES)
		return 0;
	said = span_of((const char *)bytes + HEAD_BYTES, n - HEAD_BYTES);
	for (size_t i = 0; i < 3; i++) {
		client_open(&clients[i], bytes);
		client_hear(&clients[i], said, bytes[1], chunks[i]);
	}
	for (size_t i = 1; i < 3; i++) {
		struct span a = buf_span(&clients[0].transcript);
		struct span b = buf_span(&clients[i].transcript);

		must(a.n == b.n);
		must(a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
	}
	for (size_t i = 0; i < 3; i++)
		client_close(&clients[i]);
	return 0;
}
