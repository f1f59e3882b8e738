/* SPDX-License-Identifier: ISC */
/* support/house.h - a whole doorbelld for a test: its directory, its
 * configuration, who reads its log, its clients, and who plays smtpd(8).
 *
 * It runs in the test's own process, turned by house_wait(), or in a child. As
 * root the test works as "nobody" meanwhile, because doorbelld will not serve
 * the network as root. Needs scratch, sockets and given_addr.
 *
 * Owns:    the directory with all that is in it, the log's socket, the context,
 *          and the children of house_fork(); house_tear_down() ends them all.
 * Units:   whatever is waited for comes within HOUSE_PATIENCE_MS.
 * Errors:  a failed assertion. */
#ifndef DOORBELL_TESTS_HOUSE_H
#define DOORBELL_TESTS_HOUSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "daemon/context.h"
#include "support/scratch.h"

enum {
	HOUSE_PATIENCE_MS = 20000,
	HOUSE_LOG_MAX = 1 << 18,
	HOUSE_GIVEN_FIRST = 3, /* what master(8) and systemd give */
	HOUSE_GIVEN_MAX = 8
};

struct house {
	struct scratch scratch; /* etc/ queue/public/ queue/private/ data/ */
	char etc[sizeof(((struct scratch *)0)->dir) + 8];
	long base;        /* bytes of doorbell.cf without house_set() */
	char address[16]; /* 127.x.y.z, of this process alone */
	uint16_t port, http_port;
	struct options options; /* -c etc, in the background */
	struct doorbell *bell;  /* NULL: none, or one in a child */
	pid_t child;            /* 0: none */
	int given[HOUSE_GIVEN_MAX], given_count; /* to the child */
	int postlog, smtpd; /* sockets of those who play them */
	int before;         /* the working directory */
	size_t heard_n;
	char heard[HOUSE_LOG_MAX];
};

/* For cmocka's groups and tests; *state becomes a struct house. */
int house_move_in(void **state);
int house_move_out(void **state);
int house_set_up(void **state);
int house_tear_down(void **state);

/* Add "name = value\n" to doorbell.cf. */
void house_set(struct house *h, const char *line);
/* Forget all that was added. */
void house_unset(struct house *h);

/* context_new() and context_start(), which succeed. */
void house_open(struct house *h);
void house_close(struct house *h);
/* Listens on `port` of our address, for whoever is given it. */
int house_listener(struct house *h, uint16_t port);
/* Play master(8) for the next child: a status channel, our end of which is
 * returned, and the listening socket. */
int house_play_master(struct house *h);
/* Play systemd for the next context of ours or of a child. */
int house_play_manager(struct house *h);
/* What it is told next; valid until the next call. */
const char *house_manager_hears(struct house *h, int manager);
/* Serve in a child as doorbelld does, until that ends; its exit status is that
 * of context_run(), or 9 when the start fails. */
void house_fork(struct house *h);
/* Until a child answers at its control socket: from then on it hears signals. */
void house_serves(struct house *h);
/* End the calling child of ours, with all that exit(3) does. */
_Noreturn void house_leave(int status);
/* The exit status of a child, or of one that a child has left to us; -1 after a
 * signal. */
int house_status_of(struct house *h, pid_t pid);
/* Wait for all that are left: how many there were. All have ended with 0. */
int house_children_end(struct house *h);

/* Turn the loop, or wait for the child, until `seen` is true. False when our
 * context's loop has ended before. */
typedef bool house_seen_fn(struct house *h, void *arg);
bool house_wait(struct house *h, house_seen_fn *seen, void *arg);
/* One tick. False when the loop was told to end. */
bool house_turn(struct house *h);

/* Lines of the log since the last house_forget(), waited for. */
void house_hears(struct house *h, const char *part);
/* What is there by now. */
bool house_has_heard(struct house *h, const char *part);
/* The pid of the line that has this part, after house_hears(). */
pid_t house_pid_of(struct house *h, const char *part);
void house_forget(struct house *h);

/* A client; -1 when it is refused. */
int house_call(struct house *h);
/* One who has heard this much. */
#define HOUSE_TEASER "220-mx.test ESMTP Postfix\r\n"
int house_enter(struct house *h);
/* The same as house_call(), as soon as somebody is there. */
int house_call_soon(struct house *h);
int house_call_port(struct house *h, uint16_t port);
int house_call_path(struct house *h, const char *name);
/* Exactly this comes next. */
void house_client_hears(struct house *h, int fd, const char *text);
/* All that comes until the end, which comes; at most `size` - 1 bytes. */
size_t house_client_hears_all(struct house *h, int fd, char *out, size_t size);
/* The client that was handed to smtpd next: its socket. */
int house_smtpd_takes(struct house *h);

#endif
