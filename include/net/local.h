/* SPDX-License-Identifier: ISC */
/* net/local.h - a Unix socket where users of this machine ask and are answered.
 *
 * One connection is one question, a line of text, and one answer. Who may ask is
 * decided by the mode and the group of the socket; who does, by the kernel
 * (SO_PEERCRED).
 *
 * The socket is bound under another name and renamed, so that its path never
 * leads nowhere, and is never removed: whoever comes next replaces it. PATH.lock
 * is held meanwhile, and stays, too: of several who come at once one has it.
 *
 * Owns:    the socket, its connections, and the answers that wait for a slow
 *          reader.
 * Units:   bytes and milliseconds.
 * Errors:  NULL with *why. A client that misbehaves is closed.
 * Threads: none. */
#ifndef DOORBELL_NET_LOCAL_H
#define DOORBELL_NET_LOCAL_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/errtext.h"
#include "base/text.h"
#include "net/loop.h"

#define LOCAL_CLIENTS_MAX 16               /* more wait in the backlog */
#define LOCAL_REQUEST_MAX 4096             /* of a line, with its newline */
#define LOCAL_OUTPUT_MAX ((size_t)4 << 20) /* of an answer */
#define LOCAL_REQUEST_MS 5000              /* to say the whole line */
#define LOCAL_THINK_MS 300000              /* for us to answer it */
#define LOCAL_OUTPUT_MS 30000              /* to take the whole answer */
#define LOCAL_PATH_MAX 104 /* with the NUL; ".new" must fit behind it */

struct local;
struct local_client; /* one question */

struct local_peer {
	uid_t uid;
	gid_t gid;
	pid_t pid;
};

struct local_options {
	const char *path;
	gid_t group;         /* of the socket; (gid_t)-1: as we are */
	bool make_directory; /* the last one, 0755, when it is not there */
	bool for_everybody;  /* mode 0666, not 0660 */
	struct mono until;   /* who listens there may go; zero: no waiting */
};

struct local_ops {
	/* The line, without its ending. local_answer() has to follow, inside or
	 * later. */
	void (*asked)(struct local_client *c, struct span line, void *arg);
	/* It will not hear the answer: forget it. */
	void (*gone)(struct local_client *c, void *arg);
};

/* Make a listening socket, mode 0660; -1 with *why and errno, EADDRINUSE when
 * somebody answers there. For others than local_open(), too. */
int local_bind(const struct local_options *o, struct errtext *why);
/* The same, to be served by us. */
struct local *local_open(const struct local_options *o, struct errtext *why);
/* Take over a socket that somebody else has bound and listens on, with the mode
 * and the group that he gave it. On failure it stays the caller's. */
struct local *local_adopt(int fd, struct errtext *why);
/* Begin to listen. 0, or -1 with errno. */
int local_start(
    struct local *l, struct loop *loop, const struct local_ops *ops, void *arg);
/* Also before local_start(). Ends all connections; `gone` is told of those that
 * wait for an answer. */
void local_close(struct local **l);

const struct local_peer *local_client_peer(const struct local_client *c);
/* Send `n` bytes and close; `c` is not to be used any more. What the socket
 * takes at once is sent when this returns. */
void local_answer(struct local_client *c, const char *p, size_t n);

#endif
