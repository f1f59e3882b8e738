/* SPDX-License-Identifier: ISC */
/* config/machine.h - myhostname, mydomain and mynetworks when nobody set them.
 *
 * Owns:    machine_clear() frees what machine_ask() made, also after -1.
 * Errors:  -1 with *why, which names the parameter at fault. */
#ifndef DOORBELL_CONFIG_MACHINE_H
#define DOORBELL_CONFIG_MACHINE_H

#include "base/errtext.h"
#include "config/scope.h"
#include "config/set.h"

/* `machine` is part of `set`, and seen by what is asked here. */
int machine_ask(struct config_set *set, enum scope_state state,
    struct machine *machine, struct errtext *why);
void machine_clear(struct machine *machine);

#endif
