/* SPDX-License-Identifier: ISC */
/* net/logsock.h - write log lines to a datagram socket, never waiting.
 *
 * Two framings: syslog (/dev/log) and Postfix's postlogd(8) (maillog_file).
 * When the reader does not keep up, lines wait in a bounded queue; when that is
 * full they are dropped, and one line says how many as soon as there is room
 * again. A restarted log daemon is reconnected to by path.
 *
 * Owns:    the socket and the queue.
 * Units:   at most LOGSOCK_QUEUE_MAX bytes wait.
 * Errors:  NULL with errno and *why when the options are wrong; a log daemon
 *          that is not there is not an error, it may come. */
#ifndef DOORBELL_NET_LOGSOCK_H
#define DOORBELL_NET_LOGSOCK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/errtext.h"
#include "base/log.h"
#include "net/loop.h"

#define LOGSOCK_QUEUE_MAX ((size_t)1024 * 1024)

struct logsock;

enum logsock_kind {
	LOGSOCK_SYSLOG,  /* "<22>Nov 20 23:52:48 TAG[PID]: TEXT" */
	LOGSOCK_POSTLOG, /* "Nov 20 23:52:48 HOST TAG[PID]: TEXT" */
	LOGSOCK_STDERR,  /* "TAG[PID]: TEXT" and a newline, to descriptor 2 */
};

struct logsock_options {
	enum logsock_kind kind;
	const char *path; /* NULL for stderr */
	int facility;     /* LOG_MAIL, ... of <syslog.h> */
	const char *host; /* postlog only: the first label of our name */
	const char *tag[LOG_VOICE_COUNT]; /* "postfix/postscreen", ... */
};

struct logsock *logsock_new(
    const struct logsock_options *o, struct errtext *why);
void logsock_free(struct logsock **l);
/* With a loop, lines that could not be sent at once are sent when there is
 * room; before this, logsock_write() tries the queue itself. */
int logsock_attach(struct logsock *l, struct loop *loop);
/* The working directory or the root is about to change: use this path for
 * reconnecting from now on. */
int logsock_repath(struct logsock *l, const char *path);
/* In the child: later lines bear its pid. What is queued is the child's to send,
 * so the parent must leave by _exit(). */
void logsock_after_fork(struct logsock *l);
/* A log_sink_fn; `arg` is the struct logsock. */
void logsock_write(enum log_level level, enum log_voice voice, const char *text,
    size_t n, void *arg);
/* Keep a line for a signal handler, as if it were written at `when`: a process
 * that stands still can still say so. `text` carries its prefix. */
void logsock_prepare(struct logsock *l, enum log_level level, const char *text,
    struct wall when);
/* Send the line that was kept, past the queue, if the reader takes it now.
 * Async-signal-safe, but for a signal in the midst of logsock_prepare(). */
void logsock_send_prepared(const struct logsock *l);
/* Wait for the reader, at the end of a process only: until all is sent, or for
 * `wait_ms`. */
void logsock_finish(struct logsock *l, int64_t wait_ms);
/* Bytes that wait. */
size_t logsock_backlog(const struct logsock *l);
/* Lines dropped since the start. */
uint64_t logsock_drops(const struct logsock *l);

#endif
