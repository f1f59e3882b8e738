/* SPDX-License-Identifier: ISC */
/* ops/control.h - the running daemon answers doorbellctl.
 *
 * A connection to the control socket is one question and one answer. The
 * question is a line, see ops/request.h, with a newline at its end. The answer
 * is a line "doorbell 1 STATUS LENGTH" and then LENGTH bytes of JSON: the
 * STATUS is that with which doorbellctl ends (enum control_status), and with
 * another one than 0 the JSON is {"error": "..."}, or nothing at all when there
 * was no memory for it.
 *
 * A command is a row of ops/orders.def and a handler in ops/answers.c. A
 * handler that has to wait keeps the call, and control_finish() or
 * control_fail() ends it later.
 *
 * Owns:    the socket, the calls. Screen and host are the caller's.
 * Errors:  NULL with *why. */
#ifndef DOORBELL_OPS_CONTROL_H
#define DOORBELL_OPS_CONTROL_H

#include "base/clock.h"
#include "net/local.h"
#include "ops/json.h"
#include "ops/request.h"
#include "screen/screen.h"

#define CONTROL_PROTOCOL "doorbell 1"
#define CONTROL_HEADER_MAX 64 /* bytes */

/* The exit status of doorbellctl; 3 to 5 are those of `postfix status`. */
enum control_status {
	CONTROL_DONE = 0,
	CONTROL_FAILED = 1,   /* could not be done */
	CONTROL_BAD = 2,      /* such a request does not exist */
	CONTROL_NOBODY = 6,   /* no daemon answers */
	CONTROL_FORBIDDEN = 7 /* the socket is not for this user */
};

struct control_call;

/* What only the daemon can do. */
struct control_host {
	const char *mode;   /* "service" or "standalone" */
	const char *config; /* file or directory */
	struct wall since;  /* of this process */
	struct mono since_mono;
	/* Both begin when the answer has been sent. -1 with *why. */
	int (*reload)(void *arg, struct errtext *why);
	int (*drain)(void *arg, struct errtext *why);
	unsigned log_level; /* -v, how often */
};

struct control {
	struct loop *loop;
	struct screen *screen;
	struct control_host *host;
	void *arg; /* of the host's functions */
	struct local *local;
	struct control_call *calls; /* not answered yet */
	unsigned explaining;        /* of them asking DNS lists */
	struct mono explain_due;
};

struct control_call {
	struct control *control;
	struct request request;
	struct request_room room;
	struct local_peer peer;
	struct buf body;
	struct json json; /* an object is open */
	struct local_client *client;
	/* The caller has gone: give up what `work` stands for, then forget the
	 * call, which is freed by us. NULL in calls that do not wait. */
	void (*abandon)(struct control_call *call);
	void *work;
	struct control_call *next, **prev;
};

typedef void control_fn(struct control_call *call);

/* Take the socket over, on success, and answer from now on. */
int control_start(struct control *c, struct local **local, struct errtext *why);
/* Answer nobody any more; also one that was never started. */
void control_stop(struct control *c);

/* Send what was written into call->json. Ends the call. */
void control_finish(struct control_call *call);
void control_fail(struct control_call *call, enum control_status status,
    const char *format, ...) __attribute__((format(printf, 3, 4)));
/* An act of this user, for the log. */
void control_log_act(const struct control_call *call, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* The other end: read the first line. 0, or -1 when it is none. */
int control_parse_header(
    struct span line, enum control_status *status_r, size_t *length_r);

#endif
