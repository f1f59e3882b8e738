/* SPDX-License-Identifier: ISC */
#include "smtp/engine.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "base/must.h"
#include "smtp/path.h"

/* What each command answers, in which order it looks for faults, and which
 * replies lack an enhanced code follows Postfix's screening engine byte for
 * byte: log tools and clients know it. It is more lenient than RFC 5321 where
 * leniency costs nothing, because no mail is ever taken. */

enum answer {
#define ANSWER(id, code, enhanced, text) ANSWER_##id,
#include "smtp/answers.def"
#undef ANSWER
	ANSWER_COUNT
};

static const struct reply answers[ANSWER_COUNT] = {
#define ANSWER(id, code, enhanced, text) {(code), (enhanced), (text)},
#include "smtp/answers.def"
#undef ANSWER
};

enum {
	HOST_TEXT_MAX = 320,  /* a host name and a few words */
	OFFER_LINE_MAX = 512, /* RFC 5321 section 4.5.3.1.5 */
	SIZE_TEXT_MAX = 32,   /* "SIZE " and an int64_t */
};

/* One line and what goes with it. */
struct turn {
	struct span rest, tail; /* as in struct command */
	const struct reply *refusal;
	struct buf *out;
};

void
engine_init(struct engine *e, const struct engine_options *options)
{
	*e = (struct engine){.options = options};
	buf_init(&e->helo, 0);
	buf_init(&e->sender, 0);
	buf_init(&e->recipient, 0);
}

void
engine_clear(struct engine *e)
{
	buf_clear(&e->helo);
	buf_clear(&e->sender);
	buf_clear(&e->recipient);
}

static enum engine_outcome
say(const struct engine *e, const struct turn *t, const struct reply *r,
    enum engine_outcome outcome)
{
	if (reply_render(r, &e->options->style, t->out) < 0)
		return ENGINE_BROKEN;
	return outcome;
}

static enum engine_outcome
answer(const struct engine *e, const struct turn *t, enum answer id)
{
	return say(e, t, &answers[id], ENGINE_GO_ON);
}

static void
forget_sender(struct engine *e)
{
	buf_clear(&e->sender);
	e->has_sender = false;
}

static bool
wants_helo(const struct engine *e)
{
	return e->options->helo_required && !e->has_helo;
}

/* The address in `rest`, as log lines show it: quotes make it two bytes longer
 * and at worst every byte gets a backslash. */
static int
take_address(const struct engine *e, struct span rest, struct buf *out)
{
	struct buf bare;
	int rc;

	buf_init(&bare, rest.n);
	rc = path_parse(rest, &bare);
	if (rc == 0) {
		buf_clear(out);
		buf_init(out, bare.n * 2 + 2);
		rc = path_format(
		    buf_span(&bare), e->options->external_addresses, out);
	}
	buf_clear(&bare);
	return rc;
}

/* HELO or EHLO: only the first word is the name. */
static int
take_name(struct engine *e, struct span rest)
{
	struct span name = command_word(rest);

	buf_clear(&e->helo);
	buf_init(&e->helo, name.n);
	if (buf_add(&e->helo, name.p, name.n) < 0)
		return -1;
	e->has_helo = true;
	forget_sender(e);
	return 0;
}

static enum engine_outcome
on_helo(struct engine *e, const struct turn *t)
{
	struct reply welcome = {250, NULL, e->options->myhostname};

	if (t->rest.n == 0)
		return answer(e, t, ANSWER_HELO_SYNTAX);
	if (take_name(e, t->rest) < 0)
		return ENGINE_BROKEN;
	return say(e, t, &welcome, ENGINE_GO_ON);
}

static unsigned
keywords_offered(const struct engine *e)
{
	const struct engine_options *options = e->options;
	unsigned mask = keywords_ours() & ~options->discard;

	if (options->disable_vrfy)
		mask &= ~KEYWORD_BIT(KEYWORD_VRFY);
	if (!options->smtputf8)
		mask &= ~KEYWORD_BIT(KEYWORD_SMTPUTF8);
	if (options->tls != ENGINE_TLS_USABLE || e->secure)
		mask &= ~KEYWORD_BIT(KEYWORD_STARTTLS);
	return mask;
}

static int
say_keyword(const struct engine *e, enum keyword id, bool more, struct buf *out)
{
	struct reply line = {250, NULL, keywords_name(id)};
	char size[SIZE_TEXT_MAX];

	if (id == KEYWORD_SIZE && e->options->message_size_limit > 0) {
		snprintf(size, sizeof(size), "%s %" PRId64, keywords_name(id),
		    e->options->message_size_limit);
		line.text = size;
	}
	return reply_part(&line, more, out);
}

/* The KEYWORD_BIT of an EHLO line ("SIZE 100", "AUTH=PLAIN"), 0 for others. */
static unsigned
offer_bit(struct span line)
{
	struct span word, unknown;

	if (!text_token(&line, " =", &word))
		return 0;
	return keywords_parse(word, &unknown).mask;
}

bool
engine_is_offered(const struct engine *e, enum keyword id)
{
	struct span rest, line;

	if (e->offer == NULL || (e->options->discard & KEYWORD_BIT(id)) != 0)
		return false;
	rest = span_str(e->offer);
	while (text_token(&rest, "\n", &line)) {
		if (offer_bit(line) == KEYWORD_BIT(id))
			return true;
	}
	return false;
}

/* Lines that somebody else offers through us. */
static int
say_offer(const struct engine *e, struct buf *out)
{
	struct reply line = {250, NULL, e->options->myhostname};
	struct span rest = span_str(e->offer), word;
	char text[OFFER_LINE_MAX];

	while (text_token(&rest, "\n", &word)) {
		if ((offer_bit(word) & e->options->discard) != 0)
			continue;
		if (reply_part(&line, true, out) < 0)
			return -1;
		snprintf(text, sizeof(text), "%.*s", (int)word.n, word.p);
		line.text = text;
	}
	return reply_part(&line, false, out);
}

static int
say_keywords(const struct engine *e, struct buf *out)
{
	struct reply first = {250, NULL, e->options->myhostname};
	unsigned left = keywords_offered(e);

	if (reply_part(&first, left != 0, out) < 0)
		return -1;
	for (unsigned id = 0; left != 0; id++) {
		if ((left & KEYWORD_BIT(id)) == 0)
			continue;
		left &= ~KEYWORD_BIT(id);
		if (say_keyword(e, (enum keyword)id, left != 0, out) < 0)
			return -1;
	}
	return 0;
}

static enum engine_outcome
on_ehlo(struct engine *e, const struct turn *t)
{
	if (t->rest.n == 0)
		return answer(e, t, ANSWER_EHLO_SYNTAX);
	if (take_name(e, t->rest) < 0)
		return ENGINE_BROKEN;
	e->esmtp = true;
	e->discarded = e->options->discard;
	if ((e->offer != NULL ? say_offer(e, t->out)
			      : say_keywords(e, t->out)) < 0)
		return ENGINE_BROKEN;
	return ENGINE_GO_ON;
}

/* What was said in the clear is forgotten (RFC 3207 section 4.2): anybody may
 * have said it. */
static void
forget_client(struct engine *e)
{
	buf_clear(&e->helo);
	e->has_helo = false;
	forget_sender(e);
}

static enum engine_outcome
on_starttls(struct engine *e, const struct turn *t)
{
	if (t->rest.n > 0)
		return answer(e, t, ANSWER_STARTTLS_SYNTAX);
	if (e->secure)
		return answer(e, t, ANSWER_TLS_ACTIVE);
	if (e->options->tls == ENGINE_TLS_OFF ||
	    (e->discarded & KEYWORD_BIT(KEYWORD_STARTTLS)) != 0)
		return answer(e, t, ANSWER_NOT_IMPLEMENTED);
	if (e->options->tls == ENGINE_TLS_BROKEN)
		return answer(e, t, ANSWER_TLS_BROKEN);
	forget_client(e);
	e->secure = true;
	return say(e, t, &answers[ANSWER_TLS_READY], ENGINE_STARTTLS);
}

static enum engine_outcome
on_mail(struct engine *e, const struct turn *t)
{
	if (wants_helo(e))
		return answer(e, t, ANSWER_NEED_HELO);
	if (e->has_sender)
		return answer(e, t, ANSWER_NESTED_MAIL);
	if (take_address(e, t->tail, &e->sender) < 0) {
		if (errno != EINVAL)
			return ENGINE_BROKEN;
		return answer(e, t, ANSWER_MAIL_SYNTAX);
	}
	e->has_sender = true;
	return answer(e, t, ANSWER_SENDER_OK);
}

static enum engine_outcome
on_rcpt(struct engine *e, const struct turn *t)
{
	if (!e->has_sender)
		return answer(e, t, ANSWER_NEED_MAIL);
	if (take_address(e, t->tail, &e->recipient) < 0) {
		if (errno != EINVAL)
			return ENGINE_BROKEN;
		return answer(e, t, ANSWER_RCPT_SYNTAX);
	}
	return say(e, t, t->refusal, ENGINE_RCPT);
}

static enum answer
data_answer(const struct engine *e, struct span rest)
{
	if (rest.n > 0)
		return ANSWER_DATA_SYNTAX;
	return e->has_sender ? ANSWER_NO_RCPT : ANSWER_NEED_RCPT;
}

static enum answer
bdat_answer(const struct engine *e, struct span rest)
{
	if ((e->discarded & KEYWORD_BIT(KEYWORD_CHUNKING)) != 0)
		return ANSWER_NOT_IMPLEMENTED;
	if (rest.n == 0)
		return ANSWER_BDAT_SYNTAX;
	return e->has_sender ? ANSWER_NO_RCPT : ANSWER_BDAT_NEEDS_MAIL;
}

static enum engine_outcome
on_vrfy(const struct engine *e, const struct turn *t)
{
	if (t->rest.n == 0)
		return answer(e, t, ANSWER_VRFY_SYNTAX);
	if (e->options->disable_vrfy)
		return answer(e, t, ANSWER_VRFY_DISABLED);
	return say(e, t, t->refusal, ENGINE_GO_ON);
}

static enum engine_outcome
on_etrn(const struct engine *e, const struct turn *t)
{
	if (wants_helo(e))
		return answer(e, t, ANSWER_NEED_HELO);
	if (t->rest.n == 0)
		return answer(e, t, ANSWER_ETRN_SYNTAX);
	return answer(e, t, ANSWER_QUEUE_UNABLE);
}

static enum engine_outcome
dispatch(struct engine *e, enum command_id id, const struct turn *t)
{
	switch (id) {
	case COMMAND_HELO:
		return on_helo(e, t);
	case COMMAND_EHLO:
		return on_ehlo(e, t);
	case COMMAND_STARTTLS:
		return on_starttls(e, t);
	case COMMAND_MAIL:
		return on_mail(e, t);
	case COMMAND_RCPT:
		return on_rcpt(e, t);
	case COMMAND_DATA:
		return say(
		    e, t, &answers[data_answer(e, t->rest)], ENGINE_DATA);
	case COMMAND_BDAT:
		return say(
		    e, t, &answers[bdat_answer(e, t->rest)], ENGINE_BDAT);
	case COMMAND_RSET:
		forget_sender(e);
		return answer(e, t, ANSWER_OK);
	case COMMAND_NOOP:
		return answer(e, t, ANSWER_OK);
	case COMMAND_VRFY:
		return on_vrfy(e, t);
	case COMMAND_ETRN:
		return on_etrn(e, t);
	case COMMAND_QUIT:
		return say(e, t, &answers[ANSWER_BYE], ENGINE_QUIT);
	case COMMAND_AUTH:
	case COMMAND_XCLIENT:
	case COMMAND_XFORWARD:
	case COMMAND_UNKNOWN:
	case COMMAND_COUNT:
		break;
	}
	return answer(e, t, ANSWER_UNKNOWN);
}

/* Commands that are about mail. Who was not offered STARTTLS, because smtpd does
 * not, hears from smtpd whether it can do without. */
static bool
needs_tls(const struct engine *e, enum command_id id)
{
	if (!e->options->tls_required || e->secure)
		return false;
	if (e->offer != NULL && !engine_is_offered(e, KEYWORD_STARTTLS))
		return false;
	return id == COMMAND_MAIL || id == COMMAND_RCPT || id == COMMAND_DATA ||
	       id == COMMAND_BDAT || id == COMMAND_RSET || id == COMMAND_VRFY ||
	       id == COMMAND_ETRN;
}

static enum engine_outcome
say_too_many(const struct engine *e, const struct turn *t)
{
	char text[HOST_TEXT_MAX];
	struct reply r = {421, NULL, text};

	snprintf(text, sizeof(text), "%s Service unavailable - try again later",
	    e->options->myhostname);
	return say(e, t, &r, ENGINE_TOO_MANY);
}

enum engine_outcome
engine_take(struct engine *e, struct span line, const struct reply *refusal,
    struct buf *out)
{
	struct command command = command_parse(line);
	struct turn turn = {command.rest, command.tail, refusal, out};
	size_t start = out->n;
	enum engine_outcome outcome;

	must(refusal != NULL);
	if (command.id != COMMAND_QUIT &&
	    e->commands >= e->options->command_limit) {
		outcome = say_too_many(e, &turn);
	} else {
		e->commands++;
		e->started = true;
		e->last = command.id;
		outcome = needs_tls(e, command.id)
			      ? answer(e, &turn, ANSWER_NEED_TLS)
			      : dispatch(e, command.id, &turn);
	}
	if (outcome == ENGINE_BROKEN)
		out->n = start;
	return outcome;
}

const char *
engine_where(const struct engine *e)
{
	return e->started ? command_name(e->last) : "CONNECT";
}

const char *
engine_proto(const struct engine *e)
{
	return e->esmtp ? "ESMTP" : "SMTP";
}
