/* SPDX-License-Identifier: ISC */
/* ops/edit_plan.h - which entries of master.cf have to change, and how.
 *
 * doorbelld comes in front of smtpd as postscreen does: it takes the port, and
 * the old smtpd service goes on as a service of type pass, with all its
 * options. Nothing is changed here, only planned.
 *
 * Owns:    the texts of the new entries; edit_plan_clear() frees them. A name
 *          points into the caller's master_cf.
 * Errors:  -1 with *why. */
#ifndef DOORBELL_OPS_EDIT_PLAN_H
#define DOORBELL_OPS_EDIT_PLAN_H

#include "ops/master_cf.h"

enum port_holder {
	HOLDER_DOORBELLD,
	HOLDER_POSTSCREEN,
	HOLDER_SMTPD,
	HOLDER_OTHER
};
/* Which program serves the entry. */
enum port_holder edit_plan_holder(const struct master_entry *port);

/* The service of type inet with this name; without a name (NULL) the one on
 * port 25. NULL with *why when there is none, or more than one. */
const struct master_entry *edit_plan_port(
    const struct master_cf *cf, const char *service, struct errtext *why);

/* Another entry than `port` has a screen on it, which needs smtpd's service of
 * type pass, too. */
bool edit_plan_has_other_screen(
    const struct master_cf *cf, const struct master_entry *port);

struct edit_plan {
	const struct master_entry *port; /* now; never NULL */
	const struct master_entry *pass; /* now; may be NULL */
	char *new_port;                  /* NULL: stays */
	char *new_pass;                  /* NULL: stays, or goes */
	bool pass_goes;
};

/* `pass` is the name of smtpd's service of type pass. */
int edit_plan_enable(struct edit_plan *plan, const struct master_cf *cf,
    const struct master_entry *port, const char *pass, struct errtext *why);
/* `old` is master.cf as it was before. */
int edit_plan_disable(struct edit_plan *plan, const struct master_cf *cf,
    const struct master_entry *port, const char *pass,
    const struct master_cf *old, struct errtext *why);
/* There is something to do. */
bool edit_plan_changes(const struct edit_plan *plan);
void edit_plan_clear(struct edit_plan *plan);

#endif
