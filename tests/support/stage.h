/* SPDX-License-Identifier: ISC */
/* support/stage.h - a screen, and policies for it, from settings.
 *
 * For tests of who asks a policy or a screen: needs fake_clock, fake_loop,
 * fake_resolver and fake_cache. The same settings come first as in the scenarios
 * (tests/README.md).
 *
 * Owns:    all that is in it, but for the policies that stage_policy() makes. */
#ifndef DOORBELL_TESTS_STAGE_H
#define DOORBELL_TESTS_STAGE_H

#include "base/buf.h"
#include "base/counters.h"
#include "base/errtext.h"
#include "screen/screen.h"

struct stage {
	struct loop *loop;
	struct counters counters;
	struct cache *cache;
	struct screen *screen;
	struct policy *policy; /* the screen's, of stage_open() */
	struct buf told; /* by tables that have to complain: "FILE: TEXT\n" */
	struct buf log;  /* "TEXT\n" */
};

/* `settings` are "name=value", and a NULL. Fails the test if there is anything
 * wrong with them. */
void stage_open(struct stage *st, const char *const *settings);
void stage_close(struct stage *st);
/* One more policy. */
struct policy *stage_policy(struct stage *st, const char *const *settings);
/* There is none with this setting; why begins like this. */
void stage_refuses(struct stage *st, const char *setting, const char *why);

#endif
