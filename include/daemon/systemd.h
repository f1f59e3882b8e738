/* SPDX-License-Identifier: ISC */
/* daemon/systemd.h - a service manager that opens our sockets and wants to know
 * how we are: sd_listen_fds(3) and sd_notify(3), spoken directly.
 *
 * The environment is read once and taken out of it, so that no program we start
 * takes itself for the service.
 *
 * Owns:    the notification socket. The sockets given to us belong to whoever
 *          takes them.
 * Units:   WATCHDOG_USEC is in microseconds, as systemd says it.
 * Errors:  -1 with *why. A message that cannot be sent is lost in silence: the
 *          manager's own deadlines tell it enough. */
#ifndef DOORBELL_DAEMON_SYSTEMD_H
#define DOORBELL_DAEMON_SYSTEMD_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/errtext.h"
#include "net/loop.h"

#define SYSTEMD_FIRST_FD 3
#define SYSTEMD_SOCKETS_MAX 64

struct systemd {
	bool begun;
	int notify_fd;
	size_t sockets;      /* given: SYSTEMD_FIRST_FD and up */
	char *names;         /* of the sockets, colons between; may be NULL */
	int64_t watchdog_ms; /* we are to be heard of within; 0: need not */
	size_t told;         /* what systemd_tell() said last; 0: nothing */
	struct loop_timer pulse;
};

int systemd_begin(struct systemd *s, struct errtext *why);
/* Somebody listens to what we tell. */
bool systemd_is_there(const struct systemd *s);
/* The next socket from *number on that has this name (FileDescriptorName=), or
 * with NULL any name that has no meaning of its own: its descriptor, and *number
 * behind it; -1 when there is none. */
int systemd_socket(const struct systemd *s, const char *name, size_t *number);

/* The loop runs and clients are served: from now on the watchdog is fed. */
void systemd_ready(struct systemd *s, struct loop *loop);
void systemd_reloading(struct systemd *s);
void systemd_reloaded(struct systemd *s);
void systemd_stopping(struct systemd *s);
/* The line that `systemctl status` shows; sent when it would change. */
void systemd_tell(struct systemd *s, size_t sessions, bool stress);
/* Not the manager's main process (any more): be silent. */
void systemd_leave(struct systemd *s);

#endif
