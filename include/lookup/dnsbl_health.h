/* SPDX-License-Identifier: ISC */
/* lookup/dnsbl_health.h - what one DNS list has been worth so far.
 *
 * A record of facts about a list, and the state that follows from them: whether
 * it may be asked. It is counted, because after a reload the list is still the
 * same one: both configurations keep one record.
 *
 * A list is OUT when it lists what no list can know, or lists nobody any more;
 * it RESTS when it keeps timing out. Both end by themselves.
 *
 * Owns:    the record. Counted; the name is its own.
 * Units:   milliseconds.
 * Errors:  NULL with errno ENOMEM.
 * News:    what has just changed and an admin should hear; mostly none. */
#ifndef DOORBELL_LOOKUP_DNSBL_HEALTH_H
#define DOORBELL_LOOKUP_DNSBL_HEALTH_H

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"

#define DNSBL_STREAK_MAX 5          /* timeouts in a row, then it rests ... */
#define DNSBL_SILENCE_MS 1000       /* and nothing else for as long */
#define DNSBL_REST_MS 30000         /* ... and is tried again after this */
#define DNSBL_NAG_CODE_MS 3600000   /* an error code is told once an hour */
#define DNSBL_NAG_ENTRY_MS 86400000 /* a missing test entry once a day */
#define DNSBL_LATENCY_BUCKETS 14

enum dnsbl_state {
	DNSBL_USED,
	DNSBL_RESTS,    /* keeps timing out */
	DNSBL_OUT_WILD, /* lists an address that no list can know */
	DNSBL_OUT_SELF, /* lists 127.0.0.1 */
	DNSBL_OUT_MUTE, /* listed its test entry once, and nobody any more */
};

enum dnsbl_news {
	DNSBL_NEWS_NONE,
	DNSBL_NEWS_ERROR_CODE, /* it answered with a code that is no listing */
	DNSBL_NEWS_WILD,
	DNSBL_NEWS_SELF,
	DNSBL_NEWS_MUTE,
	DNSBL_NEWS_NO_ENTRY, /* does not list the test entry of RFC 5782 */
	DNSBL_NEWS_BACK,     /* is used again */
	DNSBL_NEWS_RESTS,
	DNSBL_NEWS_ANSWERS, /* after a rest */
};

struct dnsbl_health {
	unsigned refs;
	char *zone;
	enum dnsbl_state state;
	/* since the start of the process; self-tests do not count */
	uint64_t queries;     /* sent */
	uint64_t listed;      /* answers that match a rule */
	uint64_t only;        /* complete scores with no other list in them */
	uint64_t error_codes; /* A records that are none */
	uint64_t failures;    /* SERVFAIL and the like */
	uint64_t timeouts;
	uint64_t unasked; /* while out or at rest */
	uint64_t latency[DNSBL_LATENCY_BUCKETS];
	/* what the state hangs on */
	unsigned streak; /* timeouts in a row */
	bool has_answered;
	struct mono answered_at; /* when it did last */
	bool on_trial;           /* one question is out to see how it does */
	struct mono rest_until;
	bool had_entry;      /* has listed the test entry */
	bool lists_somebody; /* since the last self-test */
	bool told_code, told_entry;
	struct mono told_code_at, told_entry_at;
};

struct dnsbl_health *dnsbl_health_new(const char *zone);
struct dnsbl_health *dnsbl_health_ref(struct dnsbl_health *h);
void dnsbl_health_unref(struct dnsbl_health **h);

/* --- a client's question ------------------------------------------------ */
enum dnsbl_permit { DNSBL_ASK, DNSBL_TRY, DNSBL_SKIP };
/* After DNSBL_TRY no other question may be asked until one of the three below
 * has been called for it, or dnsbl_health_untried(). */
enum dnsbl_permit dnsbl_health_permit(struct dnsbl_health *h, struct mono now);
void dnsbl_health_untried(struct dnsbl_health *h);
enum dnsbl_news dnsbl_health_answered(
    struct dnsbl_health *h, bool listed, int64_t waited_ms, struct mono now);
void dnsbl_health_failed(struct dnsbl_health *h, struct mono now);
/* `sent`: it is the list's fault. */
enum dnsbl_news dnsbl_health_timed_out(
    struct dnsbl_health *h, bool sent, struct mono now);
enum dnsbl_news dnsbl_health_error_code(
    struct dnsbl_health *h, struct mono now);
/* Its answers are no facts. */
bool dnsbl_health_is_out(const struct dnsbl_health *h);

/* --- a self-test -------------------------------------------------------- */
enum dnsbl_finding { DNSBL_UNKNOWN, DNSBL_ABSENT, DNSBL_PRESENT };
struct dnsbl_exam {
	enum dnsbl_finding canary, self, entry;
};
enum dnsbl_news dnsbl_health_examined(
    struct dnsbl_health *h, const struct dnsbl_exam *exam, struct mono now);

/* --- figures ------------------------------------------------------------ */
/* So many percent of the answers came within this many milliseconds; 0 when
 * there were none. As coarse as 1, 2, 5, 10, 20, ... */
int64_t dnsbl_health_latency(const struct dnsbl_health *h, unsigned percent);
/* "used", "resting" or "out". */
const char *dnsbl_health_word(const struct dnsbl_health *h);

#endif
