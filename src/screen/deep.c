/* SPDX-License-Identifier: ISC */
#include "screen/deep.h"

#include "base/buf.h"
#include "base/clock.h"
#include "screen/forbidden.h"
#include "screen/verdict.h"

/* Each test is watched from CHECK_PENDING on, and still after it was passed in
 * this session; one that was off, or has failed, is not looked at again: so each
 * fault is logged once. */

enum { QUOTED_MAX = 100 };

static bool
has_failed_already(const struct session *s)
{
	return s->refusal != VERDICT_NONE || s->vetoed ||
	       checks_any(&s->checks, CHECK_ANY, CHECK_FAILED);
}

void
deep_begin(struct session *s)
{
	if (has_failed_already(s))
		checks_watch_all(&s->checks, CHECK_DEEP);
}

static bool
is_watched(const struct session *s, enum check_id id)
{
	return s->checks.state[id] == CHECK_PENDING ||
	       s->checks.state[id] == CHECK_PASSED;
}

static struct span
first_bytes(struct span text)
{
	return span_of(text.p, text.n < QUOTED_MAX ? text.n : QUOTED_MAX);
}

static enum phase
fault(struct session *s, enum check_id id, enum journal_event event,
    struct journal_line line)
{
	session_log(s, event, line);
	return verdict_weigh(s, id);
}

/* "WORD args": what cannot be printed in the word is replaced by the log. */
static enum phase
non_smtp_fault(struct session *s, const struct command *c, const char *after)
{
	return fault(s, CHECK_NON_SMTP, EVENT_NON_SMTP,
	    (struct journal_line){.word = after,
		.command = first_bytes(c->word),
		.quoted = first_bytes(c->tail)});
}

/* Commands of other protocols, and the lines of a mail's header. Who cannot be
 * tested is not let in. */
static enum phase
look_for_non_smtp(struct session *s, const struct command *c, const char *after)
{
	int rc;

	if (!is_watched(s, CHECK_NON_SMTP) || c->id != COMMAND_UNKNOWN)
		return PHASE_STAY;
	if ((rc = forbidden_has(s->policy->forbidden, c->word)) < 0)
		return verdict_close(s, VERDICT_NO_RESOURCES);
	return rc > 0 ? non_smtp_fault(s, c, after) : PHASE_STAY;
}

enum phase
deep_look_at_ending(struct session *s, const struct line *line)
{
	if (!line->bare_newline || !is_watched(s, CHECK_BARE_NEWLINE))
		return PHASE_STAY;
	return fault(s, CHECK_BARE_NEWLINE, EVENT_BARE_NEWLINE,
	    (struct journal_line){.quoted = first_bytes(line->text)});
}

enum phase
deep_look_at_command(
    struct session *s, const struct command *c, const char *after, size_t used)
{
	enum phase wish = look_for_non_smtp(s, c, after);
	struct span behind;

	if (wish != PHASE_STAY || c->id == COMMAND_BDAT ||
	    !is_watched(s, CHECK_PIPELINING) ||
	    !stream_has_beyond(&s->stream, used))
		return wish;
	behind = stream_input(&s->stream);
	behind = span_of(behind.p + used, behind.n - used);
	return fault(s, CHECK_PIPELINING, EVENT_PIPELINING,
	    (struct journal_line){.command = first_bytes(c->word),
		.quoted = first_bytes(behind)});
}

void
deep_reached_recipient(struct session *s)
{
	const struct config *cfg = session_config(s);
	struct wall now = clock_wall();

	for (unsigned i = 0; i < CHECK_COUNT; i++) {
		enum check_id id = (enum check_id)i;

		if (checks_is_deep(id) && s->checks.state[i] == CHECK_PENDING)
			checks_pass(&s->checks, id,
			    wall_after(now, checks_ttl_ms(cfg, id) / 1000));
	}
}
