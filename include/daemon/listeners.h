/* SPDX-License-Identifier: ISC */
/* daemon/listeners.h - all the doors of the house.
 *
 * Owns:    the listening sockets.
 * Errors:  -1 with *why; what was opened before stays open. */
#ifndef DOORBELL_DAEMON_LISTENERS_H
#define DOORBELL_DAEMON_LISTENERS_H

#include <stddef.h>

#include "base/errtext.h"
#include "net/listen.h"

#define LISTENERS_MAX 64

struct listeners {
	struct listener *all[LISTENERS_MAX];
	size_t count;
};

/* Those that master(8) has opened: descriptors first, first + 1, ... */
int listeners_adopt(struct listeners *l, struct loop *loop, int first,
    int count, struct errtext *why);
/* Those that doorbell_listen names. With a NULL loop the words are only
 * checked. */
int listeners_open(struct listeners *l, struct loop *loop, const char *words,
    struct errtext *why);
int listeners_start(struct listeners *l, const struct listen_ops *ops,
    void *arg, struct errtext *why);
/* Accept nothing until listeners_start(). */
void listeners_stop(struct listeners *l);
void listeners_close(struct listeners *l);

#endif
