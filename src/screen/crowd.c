/* SPDX-License-Identifier: ISC */
#include "screen/crowd.h"

#include "base/mem.h"
#include "screen/session.h"
#include "screen/verdict.h"

/* Lists are ordered by the time of entry, so the worst of a kind is always the
 * first; being idle is not a state that somebody has to enter after a while, but
 * the age of the first in the list of those in the engine.
 *
 * What is left are sessions that have done nothing wrong yet. There fairness
 * decides: the address block that holds most loses its oldest, so a flood from
 * one network, or from a few hundred, costs other networks nothing. Known
 * clients have blocks of their own and weigh less: a bot that once has passed
 * is known too, and must not hold the house for good. */

enum {
	KNOWN_WEIGHT = 2, /* so many known ones count as one stranger */
	SHED_FOR_ONE = 4  /* sessions: a limit may have been lowered */
};

int
crowd_init(struct crowd *crowd)
{
	TAILQ_INIT(&crowd->failed);
	TAILQ_INIT(&crowd->engine);
	TAILQ_INIT(&crowd->nameless);
	if ((crowd->strangers = blocks_new()) != NULL &&
	    (crowd->known = blocks_new()) != NULL)
		return 0;
	crowd_clear(crowd);
	return -1;
}

void
crowd_clear(struct crowd *crowd)
{
	blocks_free(&crowd->strangers);
	blocks_free(&crowd->known);
}

/* --- places ---------------------------------------------------------------- */
static enum crowd_rank
rank_of(const struct session *s)
{
	switch ((enum phase)s->phase) {
	case PHASE_PROXY:
		return CROWD_NAMELESS;
	case PHASE_GREET:
		return verdict_is_against(s) ? CROWD_FAILED : CROWD_UNTESTED;
	case PHASE_DIALOGUE:
		if (s->replay != NULL)
			break;
		return verdict_is_against(s) ? CROWD_FAILED : CROWD_ENGINE;
	default:
		break;
	}
	return CROWD_OUTSIDE;
}

static struct crowd_list *
list_of(struct crowd *crowd, enum crowd_rank rank)
{
	switch (rank) {
	case CROWD_FAILED:
		return &crowd->failed;
	case CROWD_ENGINE:
		return &crowd->engine;
	case CROWD_NAMELESS:
		return &crowd->nameless;
	case CROWD_UNTESTED:
	case CROWD_OUTSIDE:
		break;
	}
	return NULL;
}

static bool
is_in_a_block(enum crowd_rank rank)
{
	return rank == CROWD_ENGINE || rank == CROWD_UNTESTED;
}

static struct blocks *
blocks_of(const struct session *s)
{
	/* That a rank has no list says nothing about the screen.
	 * NOLINTBEGIN(*NullDereference) */
	return s->crowd.known ? s->screen->crowd.known
			      : s->screen->crowd.strangers;
	/* NOLINTEND(*NullDereference) */
}

static struct record_key
block_of(const struct session *s)
{
	const struct config *cfg = session_config(s);

	return record_key_of(&s->client.addr,
	    (unsigned)cfg->block_ipv4_prefix_length,
	    (unsigned)cfg->block_ipv6_prefix_length);
}

void
crowd_leave(struct session *s)
{
	struct crowd_list *list =
	    list_of(&s->screen->crowd, (enum crowd_rank)s->crowd.rank);

	if (list != NULL)
		TAILQ_REMOVE(list, s, crowd.by_age);
	if (s->crowd.member.block != NULL)
		blocks_remove(blocks_of(s), &s->crowd.member);
	s->crowd.rank = CROWD_OUTSIDE;
}

void
crowd_settle(struct session *s)
{
	enum crowd_rank rank = rank_of(s);
	struct crowd_list *list = list_of(&s->screen->crowd, rank);
	struct record_key key;

	if (rank == s->crowd.rank)
		return;
	crowd_leave(s);
	s->crowd.known = s->standing != STANDING_STRANGER;
	if (is_in_a_block(rank)) {
		key = block_of(s);
		if (blocks_add(blocks_of(s), &key, &s->crowd.member) < 0)
			return;
	}
	if (list != NULL)
		TAILQ_INSERT_TAIL(list, s, crowd.by_age);
	/* NOLINTNEXTLINE(*NullDereference): as in blocks_of() */
	s->crowd.since = loop_now(s->screen->loop);
	s->crowd.rank = (uint8_t)rank;
}

void
crowd_note_activity(struct session *s)
{
	struct crowd_list *list = &s->screen->crowd.engine;

	if (s->crowd.rank != CROWD_ENGINE)
		return;
	TAILQ_REMOVE(list, s, crowd.by_age);
	TAILQ_INSERT_TAIL(list, s, crowd.by_age);
	blocks_renew(&s->crowd.member);
	s->crowd.since = loop_now(s->screen->loop);
}

/* --- who goes -------------------------------------------------------------- */
/* The first of a list, when it has been there for so long. */
static struct session *
older_than(
    const struct crowd_list *list, const struct screen *screen, int64_t ms)
{
	struct session *s = TAILQ_FIRST(list);

	if (s == NULL ||
	    mono_between(s->crowd.since, loop_now(screen->loop)) < ms)
		return NULL;
	return s;
}

static struct session *
oldest_of_most(const struct blocks *blocks)
{
	struct block_member *member = blocks_oldest_of_most(blocks);

	return OWNER_OF(member, struct session, crowd.member);
}

/* Of those who have done nothing wrong. A known newcomer may be the next in a
 * block of known ones that has more than its own. */
static struct session *
of_largest_block(const struct screen *screen, const struct session *newcomer)
{
	const struct crowd *crowd = &screen->crowd;
	size_t strangers = blocks_most(crowd->strangers);
	size_t known = blocks_most(crowd->known);
	struct record_key key;

	if (known > KNOWN_WEIGHT * (strangers > 0 ? strangers : 1))
		return oldest_of_most(crowd->known);
	if (strangers > 0)
		return oldest_of_most(crowd->strangers);
	if (newcomer == NULL || newcomer->standing == STANDING_STRANGER)
		return NULL;
	key = block_of(newcomer);
	if (known > blocks_count(crowd->known, &key) + 1)
		return oldest_of_most(crowd->known);
	return NULL;
}

/* NULL: nobody stands worse than the newcomer, of whom nothing may be known. */
static struct session *
find_worst(const struct screen *screen, const struct session *newcomer)
{
	const struct crowd *crowd = &screen->crowd;
	struct session *s;

	if ((s = TAILQ_FIRST(&crowd->failed)) != NULL)
		return s;
	if (newcomer != NULL && verdict_is_against(newcomer))
		return NULL;
	if ((s = older_than(&crowd->engine, screen, CROWD_IDLE_MS)) != NULL)
		return s;
	s = older_than(&crowd->nameless, screen, CROWD_NAMELESS_MS);
	if (s == NULL && (s = of_largest_block(screen, newcomer)) == NULL)
		s = TAILQ_FIRST(&crowd->nameless);
	return s;
}

/* Who was not announced yet has no CONNECT line, and nothing to remember. */
static void
shed(struct session *s)
{
	if (s->phase == PHASE_PROXY) {
		session_log_limited(
		    s, EVENT_SHED_NAMELESS, (struct journal_line){0});
	} else {
		session_log(s,
		    s->phase == PHASE_GREET ? EVENT_SHED_EARLY
					    : EVENT_SHED_LATE,
		    (struct journal_line){0});
		verdict_settle(s);
	}
	s->outcome = COUNTER_SHED;
	session_follow(s, verdict_close(s, VERDICT_SHED));
}

bool
crowd_make_room(const struct session *s)
{
	struct screen *screen = s->screen;
	struct session *worst;

	if (!screen_is_over_limit(screen))
		return true;
	fdpass_collect(&screen->handoffs.sent); /* who is with smtpd has left */
	for (int i = 0; i < SHED_FOR_ONE && screen_is_over_limit(screen); i++) {
		if ((worst = find_worst(screen, s)) == NULL)
			return false;
		shed(worst);
	}
	return true;
}

unsigned
crowd_shed_some(struct screen *screen)
{
	struct session *worst;
	unsigned n;

	fdpass_collect(&screen->handoffs.sent);
	for (n = 0; n < CROWD_SHED_AT_ONCE; n++) {
		if ((worst = find_worst(screen, NULL)) == NULL)
			break;
		shed(worst);
	}
	return n;
}
