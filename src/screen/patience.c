/* SPDX-License-Identifier: ISC */
#include "screen/patience.h"

#include "screen/rate.h"
#include "screen/verdict.h"

/* Failures are remembered for as long as anybody asks for them: with the
 * parameters at their defaults there is nothing to remember. Neither table
 * costs a client more than one look at it. */

bool
patience_is_suspect(const struct session *s)
{
	return s->refusal != VERDICT_NONE;
}

static bool
asks_for_failures(const struct config *cfg)
{
	return cfg->failure_rate_limit > 0 ||
	       cfg->suspect_greet_wait != cfg->greet_wait;
}

void
patience_note_failure(struct session *s)
{
	struct screen *screen = s->screen;

	if (asks_for_failures(session_config(s)))
		rate_add(
		    screen->failures, session_key(s), loop_now(screen->loop));
}

void
patience_note_offence(struct session *s, enum offence offence)
{
	struct screen *screen = s->screen;

	if (!s->local && s->standing != STANDING_ALLOWED)
		offenders_note(screen->offenders, session_key(s), offence,
		    loop_now(screen->loop));
}

bool
patience_is_rushed(struct session *s)
{
	struct screen *screen = s->screen;
	int64_t limit = session_config(s)->connection_rate_limit;
	struct mono now;

	if (limit == 0 || s->local)
		return false;
	now = loop_now(screen->loop);
	if (rate_of(screen->connections, session_key(s), now) >= limit)
		return true;
	rate_add(screen->connections, session_key(s), now);
	return false;
}

static unsigned
recent_failures(const struct session *s)
{
	struct screen *screen = s->screen;

	return rate_of(
	    screen->failures, session_key(s), loop_now(screen->loop));
}

bool
patience_is_lost(const struct session *s)
{
	int64_t limit = session_config(s)->failure_rate_limit;

	return limit > 0 && recent_failures(s) >= limit;
}

int64_t
patience_greet_wait(const struct session *s)
{
	const struct config *cfg = session_config(s);

	if (cfg->suspect_greet_wait != cfg->greet_wait &&
	    (s->denied || recent_failures(s) > 0))
		return cfg->suspect_greet_wait;
	return cfg->greet_wait;
}

int64_t
patience_command_time(const struct session *s)
{
	const struct config *cfg = session_config(s);

	if (patience_is_suspect(s) &&
	    cfg->suspect_command_time_limit < cfg->command_time_limit)
		return cfg->suspect_command_time_limit;
	return cfg->command_time_limit;
}
