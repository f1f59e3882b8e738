/* SPDX-License-Identifier: ISC */
#include "screen/checks.h"

#include <string.h>

/* The rows of checks.def become small tables and two switches; everything else
 * folds over the array of states. */

static const uint8_t check_stage[CHECK_COUNT] = {
#define CHECK(id, name, stage, ...) [CHECK_##id] = CHECK_##stage,
#include "screen/checks.def"
#undef CHECK
};

static const uint8_t check_slot[CHECK_COUNT] = {
#define CHECK(id, name, stage, slot, ...) [CHECK_##id] = slot,
#include "screen/checks.def"
#undef CHECK
};

static const char *const check_name[CHECK_COUNT] = {
#define CHECK(id, name, ...) [CHECK_##id] = name,
#include "screen/checks.def"
#undef CHECK
};

static bool
check_is_enabled(const struct config *cfg, enum check_id id)
{
	switch (id) {
#define CHECK(id, name, stage, slot, enabled, action, ttl, verdict) \
	case CHECK_##id:                                            \
		return enabled;
#include "screen/checks.def"
#undef CHECK
	case CHECK_COUNT:
		break;
	}
	return false;
}

struct wall
checks_until(const struct checks *c, enum check_id id)
{
	return c->record.expires[check_slot[id]];
}

enum config_action
checks_action(const struct config *cfg, enum check_id id)
{
	switch (id) {
#define CHECK(id, name, stage, slot, enabled, action, ttl, verdict) \
	case CHECK_##id:                                            \
		return (enum config_action)cfg->action;
#include "screen/checks.def"
#undef CHECK
	case CHECK_COUNT:
		break;
	}
	return ACTION_IGNORE;
}

int64_t
checks_ttl_ms(const struct config *cfg, enum check_id id)
{
	switch (id) {
#define CHECK(id, name, stage, slot, enabled, action, ttl, verdict) \
	case CHECK_##id:                                            \
		return ttl;
#include "screen/checks.def"
#undef CHECK
	case CHECK_COUNT:
		break;
	}
	return 0;
}

const char *
checks_name(enum check_id id)
{
	return check_name[id];
}

void
checks_begin(struct checks *c, const struct config *cfg,
    const struct record *found, struct wall now)
{
	memset(c, 0, sizeof(*c));
	if (found != NULL)
		c->record = *found;
	for (unsigned id = 0; id < CHECK_COUNT; id++) {
		struct wall expires = c->record.expires[check_slot[id]];

		if (!check_is_enabled(cfg, (enum check_id)id))
			continue;
		if (expires.s == RECORD_NEVER)
			c->is_new = true;
		if (expires.s <= now.s)
			c->state[id] = CHECK_PENDING;
	}
}

static void
check_settle(struct checks *c, enum check_id id, enum check_state state,
    struct wall expires)
{
	struct wall *slot = &c->record.expires[check_slot[id]];

	c->state[id] = (uint8_t)state;
	if (slot->s < expires.s)
		*slot = expires;
}

void
checks_pass(struct checks *c, enum check_id id, struct wall expires)
{
	check_settle(c, id, CHECK_PASSED, expires);
}

void
checks_fail(struct checks *c, enum check_id id)
{
	c->state[id] = CHECK_FAILED;
}

void
checks_excuse(struct checks *c, enum check_id id)
{
	c->state[id] = CHECK_EXCUSED;
}

void
checks_forgive(struct checks *c, enum check_id id, struct wall expires)
{
	c->state[id] = CHECK_FORGIVEN;
	c->record.expires[check_slot[id]] = expires;
}

void
checks_watch_all(struct checks *c, unsigned stages)
{
	for (unsigned id = 0; id < CHECK_COUNT; id++) {
		if ((check_stage[id] & stages) != 0 &&
		    c->state[id] == CHECK_OFF)
			c->state[id] = CHECK_PENDING;
	}
}

bool
checks_is_deep(enum check_id id)
{
	return check_stage[id] == CHECK_DEEP;
}

void
checks_skip_pending(struct checks *c, struct wall expires)
{
	for (unsigned id = 0; id < CHECK_COUNT; id++) {
		if (c->state[id] == CHECK_PENDING)
			check_settle(
			    c, (enum check_id)id, CHECK_SKIPPED, expires);
	}
}

bool
checks_any(const struct checks *c, unsigned stages, enum check_state state)
{
	for (unsigned id = 0; id < CHECK_COUNT; id++) {
		if ((check_stage[id] & stages) != 0 && c->state[id] == state)
			return true;
	}
	return false;
}

bool
checks_all_passed(const struct checks *c)
{
	bool passed = false;

	for (unsigned id = 0; id < CHECK_COUNT; id++) {
		switch ((enum check_state)c->state[id]) {
		case CHECK_OFF:
			break;
		case CHECK_PASSED:
		case CHECK_FORGIVEN:
		case CHECK_SKIPPED:
			passed = true;
			break;
		case CHECK_PENDING:
		case CHECK_FAILED:
		case CHECK_EXCUSED:
			return false;
		}
	}
	return passed;
}

bool
checks_outcome(
    const struct checks *c, const struct config *cfg, struct record *record_r)
{
	if (!checks_any(c, CHECK_ANY, CHECK_PASSED) &&
	    !checks_any(c, CHECK_ANY, CHECK_FORGIVEN) &&
	    !checks_any(c, CHECK_ANY, CHECK_SKIPPED))
		return false;
	*record_r = c->record;
	for (unsigned id = 0; id < CHECK_COUNT; id++) {
		struct wall *slot = &record_r->expires[check_slot[id]];

		if (slot->s == RECORD_NEVER &&
		    !check_is_enabled(cfg, (enum check_id)id))
			slot->s = RECORD_OFF;
	}
	return true;
}
