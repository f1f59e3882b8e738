/* SPDX-License-Identifier: ISC */
#include "screen/session.h"

#include <string.h>

#include "base/mem.h"
#include "screen/deep.h"
#include "screen/footer.h"
#include "screen/onward.h"
#include "screen/patience.h"
#include "screen/replay.h"
#include "screen/stutter.h"
#include "screen/verdict.h"
#include "smtp/engine.h"
#include "smtp/line.h"

/* The byte-reading end of the house: lines go from the stream to the engine,
 * replies back. While a reply waits for a slow reader no further line is
 * interpreted, so a client that never reads costs one buffer and is ended by
 * the time limit, which runs for each whole command line. */

struct dialogue {
	struct engine_options options; /* the policy's, made this client's */
	struct engine engine;
	struct buf out;
	struct onward onward;
	struct stutter *stutter; /* NULL until a reply is held back */
	bool smtpd_failed;       /* it is not asked twice in a session */
	bool joining;            /* smtpd's other end goes to the relay */
	bool tell_keywords;      /* that EHLO announced fewer than to others */
	bool tls_due;     /* STARTTLS was answered: the handshake comes next */
	bool is_measured; /* the next line was taken before */
};

static enum phase take_lines(struct session *s);
static enum phase on_said(struct session *s);

enum {
	REPLY_MAX = STREAM_OUTPUT_MAX,
	KEYWORD_NAMES_MAX = 200 /* all of them */
};

static enum phase
close_for_limit(struct session *s, enum journal_event event, enum verdict v)
{
	session_log(s, event,
	    (struct journal_line){.word = engine_where(&s->dialogue->engine)});
	verdict_settle(s);
	return verdict_close(s, v);
}

static int
send_reply(struct session *s)
{
	struct dialogue *d = s->dialogue;

	return stutter_send(&d->stutter, s, &d->out, on_said);
}

static int
say_greeting(struct session *s)
{
	const struct reply greeting = {
	    .code = 220,
	    .text = session_config(s)->postfix.smtpd_banner,
	};

	/* Who talked before its turn is not greeted. */
	if (s->checks.state[CHECK_PREGREET] == CHECK_FAILED)
		return 0;
	if (reply_render(&greeting, &s->dialogue->engine.options->style,
		&s->dialogue->out) < 0)
		return -1;
	return send_reply(s);
}

/* While a reply is held back it is not the client who lets us wait. */
static int
restart_deadline(struct session *s)
{
	crowd_note_activity(s);
	if (stutter_is_holding(s->dialogue->stutter)) {
		loop_timer_stop(&s->deadline);
		return 0;
	}
	return loop_timer_start(&s->deadline, patience_command_time(s));
}

static void
make_options(struct session *s)
{
	struct dialogue *d = s->dialogue;

	d->options = s->policy->engine[s->screen->stress];
	d->options.command_limit =
	    (unsigned)session_config(s)->command_count_limit;
	d->options.style = footer_style(s);
	d->tell_keywords =
	    policy_discards(s->policy, &s->client.addr, &d->options.discard);
}

/* Numbers and switches are those of now: stress may have begun, or ended. */
static void
follow_stress(struct session *s)
{
	const struct engine_options *now =
	    &s->policy->engine[s->screen->stress];
	const struct config *cfg = session_config(s);
	struct engine_options *options = &s->dialogue->options;

	options->helo_required = now->helo_required;
	options->disable_vrfy = now->disable_vrfy;
	options->message_size_limit = now->message_size_limit;
	options->command_limit = (unsigned)cfg->command_count_limit;
	options->style.soft_bounce = cfg->postfix.soft_bounce;
}

static enum phase
dialogue_begin(struct session *s)
{
	struct dialogue *d = mem_new(sizeof(*d));

	session_mark(s);
	if ((s->dialogue = d) == NULL)
		return verdict_close(s, VERDICT_NO_RESOURCES);
	make_options(s);
	engine_init(&d->engine, &d->options);
	buf_init(&d->out, REPLY_MAX);
	onward_init(&d->onward, s->policy->line_room);
	deep_begin(s);
	if (say_greeting(s) < 0 ||
	    stream_talk(&s->stream, s->policy->line_room + 1) < 0 ||
	    restart_deadline(s) < 0)
		return verdict_close(s, VERDICT_NO_RESOURCES);
	return PHASE_STAY;
}

static void
log_rejected_recipient(struct session *s, const struct reply *refusal)
{
	struct engine *e = &s->dialogue->engine;
	struct buf quoted;

	buf_init(&quoted, 2 * VERDICT_TEXT_MAX);
	if (reply_quote(refusal, &e->options->style, &quoted) == 0)
		session_log(s, EVENT_REJECT_RCPT,
		    (struct journal_line){.reply = buf_span(&quoted),
			.sender = buf_span(&e->sender),
			.recipient = buf_span(&e->recipient),
			.helo = buf_span(&e->helo),
			.proto = engine_proto(e)});
	buf_clear(&quoted);
}

static void
log_keywords(struct session *s)
{
	struct buf names;

	buf_init(&names, KEYWORD_NAMES_MAX);
	(void)keywords_format(s->dialogue->options.discard, &names);
	session_log(
	    s, EVENT_KEYWORDS, (struct journal_line){.text = buf_span(&names)});
	buf_clear(&names);
}

/* The line as command_filter wants it, or as it is when that has no opinion; -1
 * without memory. The table never sees what is not UTF-8, as in Postfix, nor
 * what is behind a NUL. */
static int
filter_line(struct session *s, struct span *text)
{
	struct span line = *text;
	const char *nul = line.n > 0 ? memchr(line.p, '\0', line.n) : NULL;
	const char *blanks;
	struct table_match match;
	char *key;

	if (s->policy->command_filter == NULL ||
	    (s->dialogue->options.smtputf8 && !text_is_utf8(line)))
		return 0;
	if (nul != NULL)
		line.n = (size_t)(nul - line.p);
	if ((key = mem_strndup(line.p, line.n)) == NULL)
		return -1;
	blanks = key + strspn(key, " \t");
	if (table_find(s->policy->command_filter, blanks, &match) ==
	    TABLE_FOUND) {
		session_log(s, EVENT_COMMAND_FILTERED,
		    (struct journal_line){
			.text = line, .other = span_str(match.value)});
		line = span_str(match.value);
	}
	*text = line;
	mem_free(key);
	return 0;
}

/* Reply, and end the session: there is nothing left to wait for. */
static enum phase
finish(struct session *s)
{
	struct buf *out = &s->dialogue->out;

	(void)stream_write(&s->stream, out->p, out->n);
	verdict_settle(s);
	return PHASE_DONE;
}

static enum phase
follow_outcome(
    struct session *s, enum engine_outcome outcome, const struct reply *refusal)
{
	switch (outcome) {
	case ENGINE_GO_ON:
		return PHASE_STAY;
	case ENGINE_RCPT:
		log_rejected_recipient(s, refusal);
		return PHASE_STAY;
	case ENGINE_STARTTLS:
		s->dialogue->tls_due = true;
		return PHASE_STAY;
	case ENGINE_DATA:
		session_log(s, EVENT_DATA_EARLY, (struct journal_line){0});
		return finish(s);
	case ENGINE_BDAT:
		session_log(s, EVENT_BDAT_EARLY, (struct journal_line){0});
		return finish(s);
	case ENGINE_TOO_MANY:
		session_log(s, EVENT_COUNT_LIMIT,
		    (struct journal_line){
			.word = engine_where(&s->dialogue->engine)});
		return finish(s);
	case ENGINE_QUIT:
		return finish(s);
	case ENGINE_BROKEN:
		break;
	}
	return verdict_close(s, VERDICT_NO_RESOURCES);
}

/* While smtpd was asked the client may have gone on without waiting for an
 * answer: then it has failed after all, and hears so. */
static enum phase
look_again(struct session *s)
{
	struct line line;
	struct command c;

	if (s->tls != SESSION_TLS_NONE ||
	    line_next(stream_input(&s->stream), s->policy->line_room, &line) !=
		LINE_READY)
		return PHASE_STAY;
	c = command_parse(line.text);
	return deep_look_at_command(
	    s, &c, engine_where(&s->dialogue->engine), line.used);
}

/* Its command is ours to answer. */
static enum phase
take_back(struct session *s)
{
	replay_free(s);
	s->dialogue->is_measured = true;
	stream_resume(&s->stream);
	return restart_deadline(s) < 0 ? verdict_close(s, VERDICT_NO_RESOURCES)
				       : take_lines(s);
}

/* smtpd could not be had: the client comes back, and is known then. */
static enum phase
go_on_without_smtpd(struct session *s)
{
	char text[VERDICT_TEXT_MAX];
	struct dialogue *d = s->dialogue;
	struct reply busy = verdict_reply(s,
	    s->tls == SESSION_TLS_ASKED ? VERDICT_NO_TLS : VERDICT_DEFER, false,
	    text);
	struct line line;
	enum phase wish;

	d->smtpd_failed = true;
	if ((wish = look_again(s)) != PHASE_STAY)
		return wish;
	if (!onward_is_open(s))
		return take_back(s);
	replay_free(s);
	s->tls = SESSION_TLS_NONE;
	if (line_next(stream_input(&s->stream), s->policy->line_room, &line) ==
	    LINE_READY)
		stream_consume(&s->stream, line.used);
	if (reply_render(&busy, &d->engine.options->style, &d->out) < 0 ||
	    send_reply(s) < 0 || restart_deadline(s) < 0)
		return verdict_close(s, VERDICT_NO_RESOURCES);
	stream_resume(&s->stream);
	return take_lines(s);
}

/* smtpd is ready. */
static enum phase
join(struct session *s)
{
	enum phase wish;

	if ((wish = look_again(s)) != PHASE_STAY)
		return wish;
	if (!onward_is_open(s))
		return take_back(s);
	if (s->tls == SESSION_TLS_NONE)
		verdict_settle(s);
	s->dialogue->joining = true;
	return PHASE_RELAY;
}

/* smtpd wants TLS, which the client had not been told of. It is not to blame,
 * and is told next time. A footer makes the answer longer: "530-". */
static bool
is_our_fault(const struct session *s)
{
	return s->dialogue->onward.lacks_tls &&
	       span_has_prefix(replay_refusal(s->replay), "530");
}

static enum phase
on_replayed(struct session *s, enum replay_result result)
{
	if (result == REPLAY_FAILED ||
	    (result == REPLAY_REFUSED && is_our_fault(s)))
		return go_on_without_smtpd(s);
	return join(s);
}

/* The line stays in the buffer: it is for smtpd to answer. */
static enum phase
go_onward(struct session *s)
{
	struct onward *o = &s->dialogue->onward;

	stream_pause(&s->stream);
	if (loop_timer_start(&s->deadline, REPLAY_WAIT_MS) < 0 ||
	    replay_start(
		s, buf_span(&o->hello), buf_span(&o->mail), on_replayed) < 0)
		return verdict_close(s, VERDICT_NO_RESOURCES);
	return PHASE_STAY;
}

/* `text` is the line as command_filter wants it; smtpd, which has a filter of
 * its own, would be told the line, with its ending. */
static enum phase
interpret(struct session *s, const struct command *c, struct span text,
    struct span line)
{
	struct dialogue *d = s->dialogue;
	char refused[VERDICT_TEXT_MAX];
	enum verdict v = s->refusal != VERDICT_NONE ? (enum verdict)s->refusal
						    : VERDICT_DEFER;
	struct reply refusal = verdict_reply(s, v, false, refused);
	enum engine_outcome outcome;
	enum phase wish;
	outcome = engine_take(&d->engine, text, &refusal, &d->out);
	if (d->tell_keywords && outcome == ENGINE_GO_ON &&
	    d->engine.last == COMMAND_EHLO)
		log_keywords(s);
	wish = follow_outcome(s, outcome, &refusal);
	if (wish != PHASE_STAY)
		return wish;
	if (onward_note(&d->onward, &d->engine, c, line) < 0 ||
	    send_reply(s) < 0 || restart_deadline(s) < 0)
		return verdict_close(s, VERDICT_NO_RESOURCES);
	return PHASE_STAY;
}

/* The client has to hear the reply to STARTTLS in the clear. */
static enum phase
start_tls(struct session *s)
{
	s->dialogue->tls_due = false;
	session_log(s, EVENT_TLS_CONNECT, (struct journal_line){0});
	if (stream_start_tls(&s->stream, s->policy->tls) < 0)
		return verdict_close(s, VERDICT_NO_RESOURCES);
	return PHASE_STAY;
}

/* What EHLO may say to a client that still may come to smtpd: asked for each
 * time, as the policy learns. AUTH is for those whose tests are over. */
static void
offer_onward(struct session *s)
{
	struct dialogue *d = s->dialogue;

	if (!onward_is_open(s)) {
		d->engine.offer = NULL;
		return;
	}
	d->engine.offer = policy_keywords(s->policy);
	if (checks_any(&s->checks, CHECK_DEEP, CHECK_PENDING))
		d->options.discard |= KEYWORD_BIT(KEYWORD_AUTH);
}

static enum phase
take_line(struct session *s, const struct line *line)
{
	const struct engine *e = &s->dialogue->engine;
	struct span text;
	struct command c;
	enum phase wish;

	follow_stress(s);
	if ((wish = deep_look_at_ending(s, line)) != PHASE_STAY)
		return wish;
	text = line->text;
	if (filter_line(s, &text) < 0)
		return verdict_close(s, VERDICT_NO_RESOURCES);
	c = command_parse(text);
	if (s->turn_away != VERDICT_NONE && c.id != COMMAND_QUIT)
		return verdict_close(s, (enum verdict)s->turn_away);
	wish = deep_look_at_command(s, &c, engine_where(e), line->used);
	if (wish != PHASE_STAY)
		return wish;
	offer_onward(s);
	if (onward_needs_smtpd(s, &s->dialogue->onward, e, &c) &&
	    !s->dialogue->smtpd_failed)
		return go_onward(s);
	return interpret(s, &c, text, span_of(line->text.p, line->used));
}

/* The limit may have sunk since a line was taken; that one is not too long. */
static size_t
line_max(struct session *s)
{
	bool is_measured = s->dialogue->is_measured;

	s->dialogue->is_measured = false;
	return is_measured ? s->policy->line_room
			   : s->policy->line_max[s->screen->stress];
}

static enum phase
take_lines(struct session *s)
{
	struct line line;
	enum phase wish;

	/* While smtpd is asked, nothing more is interpreted. */
	while (stream_unsent(&s->stream) == 0 && s->replay == NULL &&
	       !stutter_is_holding(s->dialogue->stutter)) {
		if (s->dialogue->tls_due)
			return start_tls(s);
		switch (
		    line_next(stream_input(&s->stream), line_max(s), &line)) {
		case LINE_MORE:
			return PHASE_STAY;
		case LINE_TOO_LONG:
			return close_for_limit(
			    s, EVENT_LENGTH_LIMIT, VERDICT_LIMIT);
		case LINE_READY:
			break;
		}
		if ((wish = take_line(s, &line)) != PHASE_STAY)
			return wish;
		if (s->replay == NULL)
			stream_consume(&s->stream, line.used);
	}
	stream_pause(&s->stream);
	return PHASE_STAY;
}

/* A reply that was held back is out; the client has done nothing meanwhile. */
static enum phase
on_said(struct session *s)
{
	if (loop_timer_start(&s->deadline, patience_command_time(s)) < 0)
		return verdict_close(s, VERDICT_NO_RESOURCES);
	stream_resume(&s->stream);
	return take_lines(s);
}

static void
note_failed_handshake(struct session *s)
{
	if (stream_has_tls(&s->stream) && !stream_is_secure(&s->stream))
		session_log(s, EVENT_TLS_FAILED, (struct journal_line){0});
}

static enum phase
dialogue_on_stream(struct session *s, enum stream_event event)
{
	switch (event) {
	case STREAM_INPUT:
		return take_lines(s);
	case STREAM_DRAINED:
		if (s->replay == NULL &&
		    !stutter_is_holding(s->dialogue->stutter))
			stream_resume(&s->stream);
		return take_lines(s);
	case STREAM_EOF:
	case STREAM_ERROR:
		note_failed_handshake(s);
		return verdict_hang_up(s, EVENT_HANGUP_LATE);
	case STREAM_NO_MEMORY:
		return verdict_close(s, VERDICT_NO_RESOURCES);
	case STREAM_PEEKED:
		break;
	}
	return PHASE_STAY;
}

static enum phase
dialogue_on_deadline(struct session *s)
{
	if (s->replay != NULL)
		return go_on_without_smtpd(s);
	note_failed_handshake(s);
	return close_for_limit(s, EVENT_TIME_LIMIT, VERDICT_TIME_LIMIT);
}

static void
dialogue_end(struct session *s)
{
	if (s->dialogue == NULL)
		return;
	if (!s->dialogue->joining)
		replay_free(s);
	stutter_free(&s->dialogue->stutter);
	onward_clear(&s->dialogue->onward);
	engine_clear(&s->dialogue->engine);
	buf_clear(&s->dialogue->out);
	mem_free(s->dialogue);
	s->dialogue = NULL;
}

const struct phase_ops dialogue_phase = {
    .name = "dialogue",
    .begin = dialogue_begin,
    .on_stream = dialogue_on_stream,
    .on_deadline = dialogue_on_deadline,
    .end = dialogue_end,
};
