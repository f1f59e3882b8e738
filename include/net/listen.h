/* SPDX-License-Identifier: ISC */
/* net/listen.h - listening sockets, ours or inherited.
 *
 * Connections are accepted in bursts of at most LISTEN_BURST per socket and
 * tick, so that a flood cannot starve the sessions that are there. When
 * descriptors or memory run out and `exhausted` cannot help, accepting pauses
 * for LISTEN_PAUSE_MS instead of spinning.
 *
 * Owns:    the listening descriptor. Accepted descriptors go to the callback,
 *          non-blocking and close-on-exec.
 * Errors:  NULL with errno and *why. While running: `trouble`. */
#ifndef DOORBELL_NET_LISTEN_H
#define DOORBELL_NET_LISTEN_H

#include "base/addr.h"
#include "base/errtext.h"
#include "net/loop.h"

#define LISTEN_BURST 64 /* connections */
#define LISTEN_PAUSE_MS 100

struct listener;

struct listen_ops {
	/* A new connection; `fd` now belongs to the callee. */
	void (*arrived)(int fd, const struct endpoint *client,
	    const struct endpoint *server, void *arg);
	/* accept(2) failed with something worth counting; `paused` when the
	 * listener rests because descriptors or memory ran out. */
	void (*trouble)(int error, bool paused, void *arg);
	/* Before that, for want of descriptors or memory: true when the callee
	 * has given some back. Only here the listener may not be freed. */
	bool (*exhausted)(int error, void *arg);
};

/* Bind and listen. IPv6 sockets are V6ONLY; never SO_REUSEPORT, which would
 * silently share the port with a running Postfix. Accepts nothing until
 * listen_start(). */
struct listener *listen_open(
    struct loop *loop, const struct endpoint *where, struct errtext *why);
/* Take over a listening socket from master(8) or systemd: sets close-on-exec,
 * SO_KEEPALIVE (inherited by what it accepts) and raises the backlog. On
 * failure the descriptor stays the caller's. */
struct listener *listen_adopt(struct loop *loop, int fd, struct errtext *why);
int listen_start(struct listener *l, const struct listen_ops *ops, void *arg);
void listen_stop(struct listener *l);
/* Closes. Stopping and freeing are allowed inside the callbacks. */
void listen_free(struct listener **l);
/* Where it listens; port 0 became a real one. */
const struct endpoint *listen_where(const struct listener *l);

#endif
