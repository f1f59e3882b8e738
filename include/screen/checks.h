/* SPDX-License-Identifier: ISC */
/* screen/checks.h - the state of every test of one session.
 *
 * Pure: what is due, what it came to, and what the cache shall remember. The
 * consequences are verdict.c's. */
#ifndef DOORBELL_SCREEN_CHECKS_H
#define DOORBELL_SCREEN_CHECKS_H

#include <stdbool.h>
#include <stdint.h>

#include "config/config.h"
#include "lookup/record.h"

enum check_id {
#define CHECK(id, ...) CHECK_##id,
#include "screen/checks.def"
#undef CHECK
	CHECK_COUNT
};

enum check_state {
	CHECK_OFF,     /* not enabled, or passed not long ago */
	CHECK_PENDING, /* due */
	CHECK_PASSED,
	CHECK_FAILED,   /* and its action is enforce or drop */
	CHECK_EXCUSED,  /* failed, but its action is ignore */
	CHECK_FORGIVEN, /* failed and ignored, but remembered for a while */
	CHECK_SKIPPED,  /* due, but an allowlisting score made it moot */
};

enum check_stage { CHECK_EARLY = 1, CHECK_DEEP = 2, CHECK_ANY = 3 };

struct checks {
	uint8_t state[CHECK_COUNT]; /* enum check_state */
	bool is_new;          /* an enabled test was never passed before */
	struct record record; /* as found, updated by what is passed now */
};

/* Decide what is due: every enabled test that `found` (NULL: nothing known)
 * does not cover. */
void checks_begin(struct checks *c, const struct config *cfg,
    const struct record *found, struct wall now);
/* Passed, valid until `expires` (never shortens what is there). */
void checks_pass(struct checks *c, enum check_id id, struct wall expires);
void checks_fail(struct checks *c, enum check_id id);
void checks_excuse(struct checks *c, enum check_id id);
/* All that is still due is passed by an allowlisting DNSBL score. */
void checks_skip_pending(struct checks *c, struct wall expires);

/* The fault of a deep test is ignored: it counts as passed until `expires`,
 * whatever was known before. */
void checks_forgive(struct checks *c, enum check_id id, struct wall expires);
/* All tests of these stages are due in this session, enabled or not. */
void checks_watch_all(struct checks *c, unsigned stages);
bool checks_is_deep(enum check_id id);

/* `stages` is a set of enum check_stage. */
bool checks_any(
    const struct checks *c, unsigned stages, enum check_state state);
/* Something was due and all of it was passed. */
bool checks_all_passed(const struct checks *c);
/* What the cache shall remember; false when there is nothing new. Tests that
 * are not enabled and were never passed are marked RECORD_OFF. */
bool checks_outcome(
    const struct checks *c, const struct config *cfg, struct record *record_r);

/* Until when a test is passed, as the record has it. */
struct wall checks_until(const struct checks *c, enum check_id id);
enum config_action checks_action(const struct config *cfg, enum check_id id);
int64_t checks_ttl_ms(const struct config *cfg, enum check_id id);
const char *checks_name(enum check_id id);

#endif
