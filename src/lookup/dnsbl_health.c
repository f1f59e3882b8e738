/* SPDX-License-Identifier: ISC */
#include "lookup/dnsbl_health.h"

/* Nothing here asks or waits: facts come in, and the state and the news follow.
 *
 * Timeouts of a list that answers others meanwhile are lost packets: our own
 * burst may have been too much for somebody on the way. They are no reason for a
 * rest, however many there are.
 *
 * A list at rest is probed with the question of a client, one at a time and one
 * in DNSBL_REST_MS at most: it costs that client a wait that it would have had
 * anyway, and needs no timer. A list that is out because it lists nobody is
 * tried the same way; one that lists everybody comes back by self-tests alone,
 * as its answers must not count. */

#include <stddef.h>

#include "base/mem.h"
#include "base/must.h"

/* The last bucket has no end. */
static const int64_t latency_ends_ms[DNSBL_LATENCY_BUCKETS - 1] = {
    1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000};

struct dnsbl_health *
dnsbl_health_new(const char *zone)
{
	struct dnsbl_health *h = mem_new(sizeof(*h));

	if (h == NULL)
		return NULL;
	h->refs = 1;
	if ((h->zone = mem_strdup(zone)) == NULL)
		dnsbl_health_unref(&h);
	return h;
}

struct dnsbl_health *
dnsbl_health_ref(struct dnsbl_health *h)
{
	h->refs++;
	return h;
}

void
dnsbl_health_unref(struct dnsbl_health **hp)
{
	struct dnsbl_health *h = *hp;

	*hp = NULL;
	if (h == NULL)
		return;
	must(h->refs > 0);
	if (--h->refs > 0)
		return;
	mem_free(h->zone);
	mem_free(h);
}

bool
dnsbl_health_is_out(const struct dnsbl_health *h)
{
	return h->state == DNSBL_OUT_WILD || h->state == DNSBL_OUT_SELF;
}

/* --- a client's question ------------------------------------------------ */
static void
rest(struct dnsbl_health *h, struct mono now)
{
	h->rest_until = mono_after(now, DNSBL_REST_MS);
	h->on_trial = false;
}

enum dnsbl_permit
dnsbl_health_permit(struct dnsbl_health *h, struct mono now)
{
	if (h->state == DNSBL_USED)
		return DNSBL_ASK;
	if (dnsbl_health_is_out(h) || h->on_trial ||
	    mono_between(now, h->rest_until) > 0) {
		h->unasked++;
		return DNSBL_SKIP;
	}
	h->on_trial = true;
	return DNSBL_TRY;
}

void
dnsbl_health_untried(struct dnsbl_health *h)
{
	h->on_trial = false;
}

static void
note_latency(struct dnsbl_health *h, int64_t ms)
{
	size_t i = 0;

	while (i < DNSBL_LATENCY_BUCKETS - 1 && ms > latency_ends_ms[i])
		i++;
	h->latency[i]++;
}

static enum dnsbl_news
use_again(struct dnsbl_health *h, enum dnsbl_news news)
{
	h->state = DNSBL_USED;
	h->on_trial = false;
	h->streak = 0;
	return news;
}

enum dnsbl_news
dnsbl_health_answered(
    struct dnsbl_health *h, bool listed, int64_t waited_ms, struct mono now)
{
	h->streak = 0;
	h->has_answered = true;
	h->answered_at = now;
	note_latency(h, waited_ms);
	if (listed) {
		h->listed++;
		h->lists_somebody = true;
	}
	if (h->state == DNSBL_RESTS)
		return use_again(h, DNSBL_NEWS_ANSWERS);
	if (h->state == DNSBL_OUT_MUTE && listed)
		return use_again(h, DNSBL_NEWS_BACK);
	if (h->on_trial)
		rest(h, now);
	return DNSBL_NEWS_NONE;
}

/* A name server has spoken, but not for the list: that is no end of a rest, and
 * no reason for one, as nobody has waited. */
void
dnsbl_health_failed(struct dnsbl_health *h, struct mono now)
{
	h->failures++;
	if (h->on_trial)
		rest(h, now);
}

static bool
is_silent(const struct dnsbl_health *h, struct mono now)
{
	return !h->has_answered ||
	       mono_between(h->answered_at, now) >= DNSBL_SILENCE_MS;
}

enum dnsbl_news
dnsbl_health_timed_out(struct dnsbl_health *h, bool sent, struct mono now)
{
	h->timeouts++;
	if (!sent) {
		h->on_trial = false;
		return DNSBL_NEWS_NONE;
	}
	if (h->state != DNSBL_USED) {
		rest(h, now);
		return DNSBL_NEWS_NONE;
	}
	if (++h->streak < DNSBL_STREAK_MAX || !is_silent(h, now))
		return DNSBL_NEWS_NONE;
	h->state = DNSBL_RESTS;
	rest(h, now);
	return DNSBL_NEWS_RESTS;
}

/* Whether it is time to tell again. */
static bool
nag(bool *told, struct mono *told_at, int64_t every_ms, struct mono now)
{
	if (*told && mono_between(*told_at, now) < every_ms)
		return false;
	*told = true;
	*told_at = now;
	return true;
}

enum dnsbl_news
dnsbl_health_error_code(struct dnsbl_health *h, struct mono now)
{
	h->error_codes++;
	return nag(&h->told_code, &h->told_code_at, DNSBL_NAG_CODE_MS, now)
		   ? DNSBL_NEWS_ERROR_CODE
		   : DNSBL_NEWS_NONE;
}

/* --- a self-test -------------------------------------------------------- */
static enum dnsbl_news
take_out(struct dnsbl_health *h, enum dnsbl_state state, enum dnsbl_news news)
{
	if (h->state == state)
		return DNSBL_NEWS_NONE;
	h->state = state;
	h->on_trial = false;
	return news;
}

/* The list lists neither the canary nor 127.0.0.1, as it should be. */
static enum dnsbl_news
judge_entry(struct dnsbl_health *h, enum dnsbl_finding entry, struct mono now)
{
	bool was_out = dnsbl_health_is_out(h);

	if (entry == DNSBL_PRESENT)
		was_out |= h->state == DNSBL_OUT_MUTE;
	if (entry == DNSBL_ABSENT && h->had_entry && !h->lists_somebody &&
	    !was_out)
		return take_out(h, DNSBL_OUT_MUTE, DNSBL_NEWS_MUTE);
	if (was_out)
		return use_again(h, DNSBL_NEWS_BACK);
	if (entry == DNSBL_ABSENT && h->state == DNSBL_USED &&
	    nag(&h->told_entry, &h->told_entry_at, DNSBL_NAG_ENTRY_MS, now))
		return DNSBL_NEWS_NO_ENTRY;
	return DNSBL_NEWS_NONE;
}

enum dnsbl_news
dnsbl_health_examined(
    struct dnsbl_health *h, const struct dnsbl_exam *exam, struct mono now)
{
	enum dnsbl_news news;

	if (exam->canary == DNSBL_PRESENT)
		return take_out(h, DNSBL_OUT_WILD, DNSBL_NEWS_WILD);
	if (exam->self == DNSBL_PRESENT)
		return take_out(h, DNSBL_OUT_SELF, DNSBL_NEWS_SELF);
	if (exam->canary == DNSBL_UNKNOWN || exam->self == DNSBL_UNKNOWN)
		return DNSBL_NEWS_NONE;
	news = judge_entry(h, exam->entry, now);
	if (exam->entry == DNSBL_PRESENT)
		h->had_entry = true;
	h->lists_somebody = false;
	return news;
}

/* --- figures ------------------------------------------------------------ */
int64_t
dnsbl_health_latency(const struct dnsbl_health *h, unsigned percent)
{
	uint64_t all = 0, seen = 0;

	for (size_t i = 0; i < DNSBL_LATENCY_BUCKETS; i++)
		all += h->latency[i];
	for (size_t i = 0; i < DNSBL_LATENCY_BUCKETS; i++) {
		seen += h->latency[i];
		if (seen == 0 || seen < all - all * (100 - percent) / 100)
			continue;
		return i < DNSBL_LATENCY_BUCKETS - 1 ? latency_ends_ms[i]
						     : INT64_MAX;
	}
	return 0;
}

const char *
dnsbl_health_word(const struct dnsbl_health *h)
{
	switch (h->state) {
	case DNSBL_USED:
		return "used";
	case DNSBL_RESTS:
		return "resting";
	case DNSBL_OUT_WILD:
	case DNSBL_OUT_SELF:
	case DNSBL_OUT_MUTE:
		break;
	}
	return "out";
}
