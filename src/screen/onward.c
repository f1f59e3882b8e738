/* SPDX-License-Identifier: ISC */
#include "screen/onward.h"

#include <string.h>

#include "screen/deep.h"
#include "screen/verdict.h"
#include "smtp/path.h"

/* HELO, EHLO, MAIL, RSET, NOOP and QUIT can be answered by anybody; all else is
 * smtpd's business. A client under deep tests comes to it with a recipient, or
 * with STARTTLS, behind which we could not test any more.
 *
 * The engine takes "MAIL :" for a sender, as postscreen does; smtpd would not,
 * and it is nothing that a test should be passed with. */

void
onward_init(struct onward *o, size_t line_max)
{
	buf_init(&o->hello, line_max);
	buf_init(&o->mail, line_max);
}

void
onward_clear(struct onward *o)
{
	buf_clear(&o->hello);
	buf_clear(&o->mail);
}

/* Whose TLS ends here (it said STARTTLS before EHLO) does not go on with an
 * smtpd that has TLS too: that would take it for a client without. */
static bool
hides_tls(const struct session *s)
{
	const char *keywords = policy_keywords(s->policy);

	return stream_has_tls(&s->stream) && keywords != NULL &&
	       strstr(keywords, keywords_name(KEYWORD_STARTTLS)) != NULL;
}

bool
onward_is_open(const struct session *s)
{
	return !verdict_is_against(s) && !hides_tls(s) &&
	       (s->late ||
		   session_config(s)->deep_pass_action == DEEP_PASS_RELAY);
}

/* "FROM:<a@b>" and "TO:<c@d>" (RFC 5321 section 4.1.1.2). */
static bool
is_path_of(struct span args, const char *word)
{
	struct buf address;
	bool is_whole;

	if (args.n < strlen(word) ||
	    !span_is_nocase(span_of(args.p, strlen(word)), word))
		return false;
	buf_init(&address, args.n + 1);
	is_whole = path_parse(args, &address) == 0;
	buf_clear(&address);
	return is_whole;
}

static int
keep(struct buf *b, struct span line)
{
	buf_clear(b);
	return buf_add(b, line.p, line.n);
}

int
onward_note(struct onward *o, const struct engine *e, const struct command *c,
    struct span line)
{
	switch (c->id) {
	case COMMAND_HELO:
	case COMMAND_EHLO:
		if (c->rest.n == 0)
			return 0; /* was refused: nothing changes */
		buf_clear(&o->mail);
		o->lacks_tls = c->id == COMMAND_EHLO &&
			       !engine_is_offered(e, KEYWORD_STARTTLS);
		return keep(&o->hello, line);
	case COMMAND_MAIL:
		if (!e->has_sender || o->mail.n > 0)
			return 0;
		o->is_well_formed = is_path_of(c->rest, "FROM:");
		return keep(&o->mail, line);
	default:
		if (!e->has_sender)
			buf_clear(&o->mail);
		return 0;
	}
}

static bool
anybody_can_answer(enum command_id id)
{
	return id == COMMAND_HELO || id == COMMAND_EHLO || id == COMMAND_MAIL ||
	       id == COMMAND_RSET || id == COMMAND_NOOP || id == COMMAND_QUIT;
}

bool
onward_needs_smtpd(struct session *s, const struct onward *o,
    const struct engine *e, const struct command *c)
{
	bool is_testing = checks_any(&s->checks, CHECK_DEEP, CHECK_PENDING);

	if (c->id == COMMAND_RCPT && e->has_sender && o->is_well_formed &&
	    is_path_of(c->rest, "TO:")) {
		deep_reached_recipient(s);
		return onward_is_open(s);
	}
	if (!onward_is_open(s))
		return false;
	if (c->id == COMMAND_STARTTLS && c->rest.n == 0 && e->has_helo &&
	    e->esmtp && engine_is_offered(e, KEYWORD_STARTTLS)) {
		s->tls = SESSION_TLS_ASKED;
		return true;
	}
	return s->late && !is_testing && !anybody_can_answer(c->id);
}
