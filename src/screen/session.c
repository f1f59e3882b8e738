/* SPDX-License-Identifier: ISC */
#include "screen/session.h"

#include <errno.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/must.h"
#include "base/slab.h"
#include "config/override.h"
#include "screen/footer.h"
#include "screen/ledger.h"
#include "screen/verdict.h"

/* Who may follow whom is a table; a move that it does not allow is a broken
 * program. Entering PHASE_DONE says goodbye and gives back what others wait for
 * (the place in the quota, the descriptor); the memory goes after the tick. */

#define MAY(p) (1u << PHASE_##p)
static const uint8_t session_may_follow[PHASE_COUNT] = {
    [PHASE_STAY] = MAY(PROXY) | MAY(ADMIT),
    [PHASE_PROXY] = MAY(ADMIT) | MAY(DONE),
    [PHASE_ADMIT] = MAY(GREET) | MAY(DIALOGUE) | MAY(HANDOFF) | MAY(DONE),
    [PHASE_GREET] = MAY(DIALOGUE) | MAY(HANDOFF) | MAY(DONE),
    [PHASE_HANDOFF] = MAY(DIALOGUE) | MAY(DONE), /* smtpd is not there */
    [PHASE_DIALOGUE] =
	MAY(RELAY) | MAY(DONE), /* bytes were read: no hand-off */
    [PHASE_RELAY] = MAY(DONE),
    [PHASE_DONE] = 0,
};

static enum phase done_begin(struct session *s);

static const struct phase_ops done_phase = {
    .name = "done",
    .begin = done_begin,
};

static const struct phase_ops idle_phase = {
    .name = "new",
};

static const struct phase_ops *const session_phases[PHASE_COUNT] = {
    [PHASE_STAY] = &idle_phase,
    [PHASE_PROXY] = &proxy_phase,
    [PHASE_ADMIT] = &admit_phase,
    [PHASE_GREET] = &greet_phase,
    [PHASE_DIALOGUE] = &dialogue_phase,
    [PHASE_HANDOFF] = &handoff_phase,
    [PHASE_RELAY] = &relay_phase,
    [PHASE_DONE] = &done_phase,
};

const char *
session_phase_name(enum phase phase)
{
	return session_phases[phase]->name;
}

const struct config *
session_config(const struct session *s)
{
	if (s->override != NULL)
		return override_under(s->override, s->screen->stress);
	return screen_config(s->screen, s->policy);
}

const struct record_key *
session_key(const struct session *s)
{
	return &s->client_entry->key;
}

const char *
session_blamed_zone(const struct session *s)
{
	return s->listed_by != 0
		   ? dnsbl_zone_health(s->policy->dnsbl, s->blamed)->zone
		   : "";
}

void
session_mark(struct session *s)
{
	s->phase_since = loop_now(s->screen->loop);
}

static void
complete_line(const struct session *s, struct journal_line *line)
{
	const struct config *cfg = session_config(s);

	line->ident = s->ident;
	line->client = &s->client;
	line->server = &s->server;
	line->old_words = !cfg->postfix.respectful_logging;
	line->delay_decimals =
	    (unsigned)cfg->postfix.delay_logging_resolution_limit;
	line->delay_ms =
	    mono_between(s->phase_since, loop_now(s->screen->loop));
}

static void
write_line(
    struct session *s, enum journal_event event, struct journal_line line)
{
	complete_line(s, &line);
	ledger_note(s, event, line.delay_ms);
	journal_write(&s->screen->journal, event, &line);
}

static bool
is_coming_or_going(enum journal_event event)
{
	return event == EVENT_CONNECT || event == EVENT_DISCONNECT ||
	       event == EVENT_HANGUP_EARLY || event == EVENT_HANGUP_LATE;
}

void
session_log(
    struct session *s, enum journal_event event, struct journal_line line)
{
	if (s->quiet) {
		if (is_coming_or_going(event))
			return;
		s->quiet = false;
		write_line(s, EVENT_CONNECT, (struct journal_line){0});
	}
	write_line(s, event, line);
}

void
session_log_limited(
    struct session *s, enum journal_event event, struct journal_line line)
{
	complete_line(s, &line);
	journal_write_limited(
	    &s->screen->journal, event, &line, loop_now(s->screen->loop));
}

/* The only mover: stops what the old phase waits for, begins the new one. */
static enum phase
session_enter(struct session *s, enum phase next)
{
	const struct phase_ops *old = session_phases[s->phase];

	must((session_may_follow[s->phase] & (1u << next)) != 0);
	loop_timer_stop(&s->deadline);
	if (next != PHASE_DIALOGUE) /* it reads on at once */
		stream_unwatch(&s->stream);
	if (old->end != NULL)
		old->end(s);
	crowd_leave(s);
	if (log_is_verbose())
		log_debug("session %p: %s -> %s", (void *)s, old->name,
		    session_phases[next]->name);
	s->phase = (uint8_t)next;
	return session_phases[next]->begin(s);
}

void
session_follow(struct session *s, enum phase wish)
{
	must(s->magic == SESSION_MAGIC);
	while (wish != PHASE_STAY)
		wish = session_enter(s, wish);
	crowd_settle(s);
}

static void
on_stream(struct stream *stream, enum stream_event event)
{
	struct session *s = OWNER_OF(stream, struct session, stream);
	const struct phase_ops *ops = session_phases[s->phase];

	must(s->magic == SESSION_MAGIC);
	if (ops->on_stream != NULL)
		session_follow(s, ops->on_stream(s, event));
}

static void
on_deadline(struct loop_timer *timer)
{
	struct session *s = OWNER_OF(timer, struct session, deadline);
	const struct phase_ops *ops = session_phases[s->phase];

	must(s->magic == SESSION_MAGIC);
	if (ops->on_deadline != NULL)
		session_follow(s, ops->on_deadline(s));
}

/* Closing a stream throws away what is unread: not what is smtpd's. */
static void
close_client(struct session *s)
{
	int fd;

	if (!s->passed_on) {
		stream_close(&s->stream);
		return;
	}
	if ((fd = stream_release(&s->stream)) >= 0)
		close(fd);
}

/* Give back everything but the memory of the session itself. */
static void
session_leave(struct session *s)
{
	struct screen *screen = s->screen;

	close_client(s);
	crowd_leave(s);
	TAILQ_REMOVE(&screen->sessions, s, others);
	quota_leave(screen->quota, s->client_entry);
}

/* Not before the tick has ended: a session may have come to its end inside a
 * callback of its own policy's DNS lists. */
static void
session_release(struct session *s)
{
	override_put(&s->override);
	policy_unref(&s->policy);
	s->magic = 0;
	slab_give(s->screen->session_memory, s);
}

static void
reap(struct loop_later *later)
{
	struct screen *screen = OWNER_OF(later, struct screen, reaper);
	struct session *s;

	while ((s = TAILQ_FIRST(&screen->ended)) != NULL) {
		must(s->magic == SESSION_MAGIC && s->phase == PHASE_DONE);
		TAILQ_REMOVE(&screen->ended, s, others);
		session_release(s);
	}
	if (screen->on_empty != NULL && TAILQ_EMPTY(&screen->sessions))
		screen->on_empty(screen, screen->on_empty_arg);
}

void
session_reap_later(struct screen *screen)
{
	loop_later_add(screen->loop, &screen->reaper, reap);
}

/* Without memory: no footer, but a client is never left without a word. */
static void
say_plainly(struct session *s, const struct reply *reply)
{
	char text[2 * VERDICT_TEXT_MAX];
	struct buf out;

	buf_borrow(&out, text, sizeof(text));
	if (reply_part(reply, false, &out) == 0)
		(void)stream_write(&s->stream, out.p, out.n);
}

static void
say_farewell(struct session *s)
{
	char text[VERDICT_TEXT_MAX];
	struct reply reply =
	    verdict_reply(s, (enum verdict)s->farewell, true, text);
	struct reply_style style = footer_style(s);
	struct buf out;

	buf_init(&out, STREAM_OUTPUT_MAX);
	if (reply_render(&reply, &style, &out) == 0)
		(void)stream_write(&s->stream, out.p, out.n);
	else
		say_plainly(s, &reply);
	buf_clear(&out);
}

static enum phase
done_begin(struct session *s)
{
	struct screen *screen = s->screen;

	if (!s->handed_off && s->farewell != VERDICT_NONE)
		say_farewell(s);
	if (stream_has_tls(&s->stream))
		session_log(s, EVENT_TLS_DISCONNECT, (struct journal_line){0});
	if (s->handed_off) {
		s->outcome =
		    s->passed_on ? COUNTER_HANDED_OFF : COUNTER_RELAYED;
	} else {
		session_log(s, EVENT_DISCONNECT, (struct journal_line){0});
	}
	counters_bump(screen->counters, (enum counter)s->outcome);
	ledger_close(s);
	session_leave(s);
	TAILQ_INSERT_TAIL(&screen->ended, s, others);
	session_reap_later(screen);
	screen_update_stress(screen);
	return PHASE_STAY;
}

int
session_set_ends(struct session *s, const struct endpoint *client,
    const struct endpoint *server)
{
	const struct config *cfg = session_config(s);
	struct quota *quota = s->screen->quota;
	struct quota_client *entry;
	struct record_key key;

	key = record_key_of(&client->addr, (unsigned)cfg->ipv4_prefix_length,
	    (unsigned)cfg->ipv6_prefix_length);
	if ((entry = quota_enter(quota, &key)) == NULL)
		return -1;
	if (s->client_entry != NULL)
		quota_leave(quota, s->client_entry);
	s->client_entry = entry;
	s->client = *client;
	s->server = *server;
	return 0;
}

struct session *
session_new(struct screen *screen, int fd, const struct endpoint *client,
    const struct endpoint *server)
{
	struct session *s = slab_take(screen->session_memory);

	if (s == NULL)
		return NULL;
	s->magic = SESSION_MAGIC;
	s->ident = screen->next_ident++;
	s->screen = screen;
	s->policy = policy_ref(screen->policy);
	s->outcome = COUNTER_REFUSED;
	if (session_set_ends(s, client, server) < 0) {
		session_release(s);
		return NULL;
	}
	TAILQ_INSERT_TAIL(&screen->sessions, s, others);
	stream_init(&s->stream, screen->loop, fd, on_stream);
	loop_timer_init(&s->deadline, screen->loop, on_deadline);
	screen_update_stress(screen);
	session_mark(s);
	s->begun = s->phase_since;
	session_follow(s, policy_has_proxy(s->policy, &client->addr)
			      ? PHASE_PROXY
			      : PHASE_ADMIT);
	return s;
}

void
session_free(struct session *s)
{
	const struct phase_ops *ops = session_phases[s->phase];

	must(s->magic == SESSION_MAGIC);
	if (s->phase == PHASE_DONE) {
		TAILQ_REMOVE(&s->screen->ended, s, others);
	} else {
		loop_timer_stop(&s->deadline);
		if (ops->end != NULL)
			ops->end(s);
		session_leave(s);
	}
	session_release(s);
}
