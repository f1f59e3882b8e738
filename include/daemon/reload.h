/* SPDX-License-Identifier: ISC */
/* daemon/reload.h - a new configuration beside the old, and changed tables.
 *
 * New sessions get the new policy, old ones keep theirs. What is broken leaves
 * the old one in force, and a warning says why. */
#ifndef DOORBELL_DAEMON_RELOAD_H
#define DOORBELL_DAEMON_RELOAD_H

#include "daemon/context.h"

/* Standalone: read the configuration again. */
void reload_config(struct doorbell *d);
/* Look at the table files. */
void reload_tables(struct doorbell *d);
/* Build a policy from `config`; NULL with *why. */
struct policy *reload_make_policy(
    struct doorbell *d, struct config_set *config, struct errtext *why);

#endif
