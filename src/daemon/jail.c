/* SPDX-License-Identifier: ISC */
#include "daemon/jail.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

/* Order matters: groups are looked up in files that a new root may not have, and
 * only root may join groups or change the root. */

enum { SEATS_MAX = 65536 }; /* half a megabyte of the kernel's */

int
jail_find_user(const char *name, struct jail_user *user_r, struct errtext *why)
{
	struct passwd *pw;

	errno = 0;
	if ((pw = getpwnam(name)) == NULL) {
		errtext_set(why, "user %s: %s", name,
		    errno != 0 ? strerror(errno) : "unknown");
		return -1;
	}
	(void)snprintf(user_r->name, sizeof(user_r->name), "%s", name);
	user_r->uid = pw->pw_uid;
	user_r->gid = pw->pw_gid;
	return 0;
}

int
jail_join_groups(const struct jail_user *user, struct errtext *why)
{
	if (geteuid() != 0)
		return 0;
	if (setgid(user->gid) == 0 && initgroups(user->name, user->gid) == 0)
		return 0;
	errtext_set(why, "cannot join the groups of user %s: %s", user->name,
	    strerror(errno));
	return -1;
}

int
jail_change_root(struct errtext *why)
{
	if (chroot(".") == 0 && chdir("/") == 0)
		return 0;
	errtext_set(why, "chroot to the queue directory: %s", strerror(errno));
	return -1;
}

int
jail_become(const struct jail_user *user, struct errtext *why)
{
	if (geteuid() != 0) {
		if (geteuid() == user->uid)
			return 0;
		errtext_set(why, "cannot become user %s: not started as root",
		    user->name);
		return -1;
	}
	if (user->uid == 0) {
		errtext_set(why, "will not serve the network as root");
		return -1;
	}
	if (setuid(user->uid) < 0) {
		errtext_set(why, "cannot become user %s: %s", user->name,
		    strerror(errno));
		return -1;
	}
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0) {
		errtext_set(why, "no_new_privs: %s", strerror(errno));
		return -1;
	}
	return 0;
}

size_t
jail_raise_descriptors(void)
{
	struct rlimit rl;

	if (getrlimit(RLIMIT_NOFILE, &rl) < 0)
		return 1024;
	if (rl.rlim_cur < rl.rlim_max) {
		rl.rlim_cur = rl.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &rl);
		(void)getrlimit(RLIMIT_NOFILE, &rl);
	}
	return (size_t)rl.rlim_cur;
}

/* The kernel doubles the table when it is full. If a process has threads, the
 * one that asked for a descriptor then waits until all processors have passed a
 * quiet moment: 5 to 80 ms in the midst of a flood. A high number, used once,
 * is a table that stays. */
void
jail_seat_descriptors(size_t limit)
{
	size_t seats = limit < SEATS_MAX ? limit : SEATS_MAX;
	int low = open("/", O_PATH | O_CLOEXEC);
	int high = low < 0 ? -1 : fcntl(low, F_DUPFD_CLOEXEC, (int)seats - 1);

	if (high >= 0)
		close(high);
	if (low >= 0)
		close(low);
}

void
jail_forbid_core(void)
{
	const struct rlimit none = {0, 0};

	(void)setrlimit(RLIMIT_CORE, &none);
}
