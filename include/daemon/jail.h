/* SPDX-License-Identifier: ISC */
/* daemon/jail.h - give up what the process does not need.
 *
 * Errors:  -1 with *why. After an error the process must end. */
#ifndef DOORBELL_DAEMON_JAIL_H
#define DOORBELL_DAEMON_JAIL_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/errtext.h"

struct jail_user {
	char name[64];
	uid_t uid;
	gid_t gid;
};

int jail_find_user(
    const char *name, struct jail_user *user_r, struct errtext *why);
/* Become a member of the user's groups. Does nothing when not root. */
int jail_join_groups(const struct jail_user *user, struct errtext *why);
/* Change the root to the working directory (which stays it). */
int jail_change_root(struct errtext *why);
/* Become the user for good. Without root this is allowed only for ourselves. */
int jail_become(const struct jail_user *user, struct errtext *why);
/* Raise the soft limit on descriptors to the hard one; what it is then. */
size_t jail_raise_descriptors(void);
/* Have the kernel's table of them made for so many at once: before there are
 * threads. */
void jail_seat_descriptors(size_t limit);
/* No core files: memory holds what clients said. */
void jail_forbid_core(void);

#endif
