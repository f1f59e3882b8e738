/* SPDX-License-Identifier: ISC */
/* screen/policy_tables.h - the lists and tables that a policy asks.
 *
 * Owns:    nothing: the fields of struct policy are filled and emptied here.
 * Errors:  -1 with *why, the parameter's name in front. What was opened until
 *          then stays with the policy, for policy_tables_close(). */
#ifndef DOORBELL_SCREEN_POLICY_TABLES_H
#define DOORBELL_SCREEN_POLICY_TABLES_H

#include "base/errtext.h"
#include "screen/policy.h"
#include "table/table.h"

int policy_tables_open(
    struct policy *p, const struct policy_options *o, struct errtext *why);
void policy_tables_close(struct policy *p);

/* Look at the table files once; `fn` hears of every table that changed. */
typedef void policy_tables_change_fn(enum table_change change, const char *what,
    const struct errtext *why, void *arg);
void policy_tables_refresh(
    struct policy *p, policy_tables_change_fn *fn, void *arg);

#endif
