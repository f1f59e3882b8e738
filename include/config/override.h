/* SPDX-License-Identifier: ISC */
/* config/override.h - a configuration with some other values, for some clients.
 *
 * The settings are "name = value, name = value ...", with commas, blanks or both
 * between them. A name is one of overrides.def, with or without "doorbell_"; in
 * a value only $stress may be referred to.
 *
 * Owns:    an override is counted; the last override_put() frees it. One that
 *          is in use is found again by its text, so a network of a million
 *          clients costs one.
 * Errors:  -1, NULL with *why and errno: EINVAL or ENOMEM.
 * Threads: none. */
#ifndef DOORBELL_CONFIG_OVERRIDE_H
#define DOORBELL_CONFIG_OVERRIDE_H

#include "base/errtext.h"
#include "base/text.h"
#include "config/config.h"

struct override_pool; /* those of one configuration that are in use */
struct override;

/* The set must outlive the pool. */
struct override_pool *override_pool_new(const struct config_set *set);
/* Nothing of it may be in use any more. */
void override_pool_free(struct override_pool **pool);

/* Can these settings be used? */
int override_check(struct span settings, struct errtext *why);
struct override *override_get(
    struct override_pool *pool, struct span settings, struct errtext *why);
/* Accepts NULL. */
void override_put(struct override **o);
/* As config_under(), as long as the override is in use. */
const struct config *override_under(const struct override *o, bool stress);

#endif
