/* SPDX-License-Identifier: ISC */
#include "net/logsock.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/must.h"
#include "net/logframe.h"

/* A line costs one send(2) while the log daemon keeps up. A datagram socket's
 * queue is short (net.unix.max_dgram_qlen: 10 by default), so EAGAIN is normal
 * in a burst: the line waits here, all later ones behind it, and the socket is
 * watched until it is writable - which for a connected Unix socket means that
 * its reader has room.
 *
 * Without a daemon the lines wait too; a connection is tried at most once in
 * RETRY_MS. Descriptor 2 may be anything, so it is asked with poll(2) first and
 * tried again by the clock: a pipe that polls writable takes PIPE_BUF bytes,
 * which is LOGFRAME_MAX, without blocking.
 *
 * A full queue drops lines until a quarter of it is free again, lest every
 * second line say that the one before it was lost. */

#define RETRY_MS 1000 /* between two attempts to connect */
#define STDERR_RETRY_MS 20
#define BURST_MAX 1000 /* queued lines sent per tick: some 2 ms */
#define ROOM_AGAIN (LOGSOCK_QUEUE_MAX / 4 * 3)

struct line {
	struct line *next;
	size_t n;
	char p[];
};

struct logsock {
	struct logframe frame;
	struct sockaddr_un where;
	int fd; /* -1 while there is nobody to talk to */
	bool tried;
	struct mono tried_at; /* the last attempt to connect */
	struct loop *loop;    /* NULL: every write tries the queue */
	struct loop_watch room;
	struct loop_timer retry;
	struct line *first, **last;
	size_t queued; /* bytes */
	uint64_t drops;
	uint64_t drops_told;
	char prepared[LOGFRAME_MAX]; /* a whole line, for a signal handler */
	size_t prepared_n;           /* 0: none */
};

/* --- the queue ----------------------------------------------------------- */
static void
queue_pop(struct logsock *l)
{
	struct line *line = l->first;

	l->first = line->next;
	if (l->first == NULL)
		l->last = &l->first;
	l->queued -= line->n;
	mem_free(line);
}

static void
queue_clear(struct logsock *l)
{
	while (l->first != NULL)
		queue_pop(l);
}

static int
queue_append(struct logsock *l, const char *p, size_t n)
{
	struct line *line;

	if (n > LOGSOCK_QUEUE_MAX - l->queued ||
	    (line = mem_new(sizeof(*line) + n)) == NULL)
		return -1;
	line->n = n;
	memcpy(line->p, p, n);
	*l->last = line;
	l->last = &line->next;
	l->queued += n;
	return 0;
}

/* --- the socket ---------------------------------------------------------- */
static void
log_disconnect(struct logsock *l)
{
	if (l->fd < 0 || l->frame.kind == LOGSOCK_STDERR)
		return;
	if (l->loop != NULL)
		loop_watch_set(&l->room, 0);
	close(l->fd);
	l->fd = -1;
}

static void on_room(struct loop_watch *watch, unsigned ready);

/* True when connected; too soon after the last attempt is false. */
static bool
log_connect(struct logsock *l)
{
	struct mono now;

	if (l->fd >= 0)
		return true;
	now = clock_mono();
	if (l->tried && mono_between(l->tried_at, now) < RETRY_MS)
		return false;
	l->tried = true;
	l->tried_at = now;
	l->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (l->fd < 0)
		return false;
	if (l->loop != NULL)
		loop_watch_init(&l->room, l->loop, l->fd, on_room);
	if (connect(l->fd, (struct sockaddr *)&l->where, sizeof(l->where)) == 0)
		return true;
	log_disconnect(l);
	return false;
}

static int
send_once(const struct logsock *l, const char *p, size_t n)
{
	struct pollfd ready = {.fd = l->fd, .events = POLLOUT};

	if (l->frame.kind != LOGSOCK_STDERR)
		return send(l->fd, p, n, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 ? -1
									  : 0;
	if (poll(&ready, 1, 0) == 0) {
		errno = EAGAIN;
		return -1;
	}
	return write(l->fd, p, n) < 0 ? -1 : 0;
}

enum outcome { LINE_SENT, LINE_WAITS, LINE_LOST };

static enum outcome
outcome_of(int error)
{
	switch (error) {
	case EAGAIN:
	case EINTR:
	case ENOBUFS:
	case ENOMEM:
		return LINE_WAITS;
	default:
		return LINE_LOST;
	}
}

static bool
is_gone(int error)
{
	return error == ECONNREFUSED || error == ECONNRESET ||
	       error == ENOTCONN || error == EPIPE || error == ENOENT;
}

static enum outcome
line_send(struct logsock *l, const char *p, size_t n)
{
	if (!log_connect(l))
		return LINE_WAITS;
	if (send_once(l, p, n) == 0)
		return LINE_SENT;
	if (l->frame.kind == LOGSOCK_STDERR || !is_gone(errno))
		return outcome_of(errno);
	/* The daemon was restarted: mostly the new one is there already. */
	log_disconnect(l);
	if (!log_connect(l))
		return LINE_WAITS;
	return send_once(l, p, n) == 0 ? LINE_SENT : outcome_of(errno);
}

/* --- waiting for room ---------------------------------------------------- */
/* Should this fail for want of memory, the next write tries the queue. */
static void
wait_for_room(struct logsock *l)
{
	if (l->loop == NULL)
		return;
	if (l->frame.kind == LOGSOCK_STDERR)
		loop_timer_start(&l->retry, STDERR_RETRY_MS);
	else if (l->fd < 0)
		loop_timer_start(&l->retry, RETRY_MS);
	else
		loop_watch_set(&l->room, LOOP_WRITABLE);
}

static bool
is_waiting(const struct logsock *l)
{
	if (l->loop == NULL)
		return false;
	return loop_timer_is_running(&l->retry) ||
	       (l->fd >= 0 && l->room.wanted != 0);
}

/* Send or queue one line; -1 when it is lost. */
static int
line_put(struct logsock *l, const char *p, size_t n)
{
	if (l->first == NULL) {
		switch (line_send(l, p, n)) {
		case LINE_SENT:
			return 0;
		case LINE_LOST:
			return -1;
		case LINE_WAITS:
			break;
		}
	}
	if (queue_append(l, p, n) < 0)
		return -1;
	if (!is_waiting(l))
		wait_for_room(l);
	return 0;
}

/* Say how many lines were lost, before the next one goes out. */
static void
tell_drops(struct logsock *l)
{
	char text[80], whole[LOG_LINE_MAX + 1], line[LOGFRAME_MAX];
	uint64_t lost = l->drops - l->drops_told;
	size_t n;

	if (lost == 0)
		return;
	n = (size_t)snprintf(text, sizeof(text),
	    "%llu log lines were lost: the log daemon does not keep up",
	    (unsigned long long)lost);
	n = log_render(LOG_LEVEL_WARNING, span_of(text, n), whole);
	n = logframe_line(
	    &l->frame, line, LOG_LEVEL_WARNING, LOG_VOICE_MAIN, whole, n);
	if (line_put(l, line, n) == 0)
		l->drops_told += lost;
}

static void
queue_flush(struct logsock *l)
{
	int i;

	for (i = 0; i < BURST_MAX && l->first != NULL; i++) {
		switch (line_send(l, l->first->p, l->first->n)) {
		case LINE_WAITS:
			return;
		case LINE_LOST:
			l->drops++;
			break;
		case LINE_SENT:
			break;
		}
		queue_pop(l);
	}
	if (l->first == NULL)
		tell_drops(l);
}

static void
flush_and_wait(struct logsock *l)
{
	queue_flush(l);
	if (l->first != NULL)
		wait_for_room(l);
	else if (l->fd >= 0 && l->frame.kind != LOGSOCK_STDERR)
		loop_watch_set(&l->room, 0);
}

static void
on_room(struct loop_watch *watch, unsigned ready)
{
	(void)ready;
	flush_and_wait(OWNER_OF(watch, struct logsock, room));
}

static void
on_retry(struct loop_timer *timer)
{
	flush_and_wait(OWNER_OF(timer, struct logsock, retry));
}

void
logsock_write(enum log_level level, enum log_voice voice, const char *text,
    size_t n, void *arg)
{
	struct logsock *l = arg;
	char line[LOGFRAME_MAX];

	if (l->first != NULL && !is_waiting(l)) {
		queue_flush(l);
		if (l->first != NULL)
			wait_for_room(l);
	}
	if (l->drops != l->drops_told && l->queued < ROOM_AGAIN)
		tell_drops(l);
	if (l->drops != l->drops_told) {
		l->drops++;
		return;
	}
	n = logframe_line(&l->frame, line, level, voice, text, n);
	if (line_put(l, line, n) < 0)
		l->drops++;
}

void
logsock_prepare(
    struct logsock *l, enum log_level level, const char *text, struct wall when)
{
	l->prepared_n = logframe_line_at(&l->frame, l->prepared, when, level,
	    LOG_VOICE_MAIN, text, strlen(text));
}

void
logsock_send_prepared(const struct logsock *l)
{
	if (l->prepared_n > 0 && l->fd >= 0)
		(void)send_once(l, l->prepared, l->prepared_n);
}

/* --- life ---------------------------------------------------------------- */
struct logsock *
logsock_new(const struct logsock_options *o, struct errtext *why)
{
	struct logsock *l;

	if ((l = mem_new(sizeof(*l))) == NULL) {
		errtext_set(why, "log socket: out of memory");
		return NULL;
	}
	if (o->kind == LOGSOCK_STDERR) {
		l->fd = STDERR_FILENO;
	} else if (o->path == NULL || logsock_repath(l, o->path) < 0) {
		errtext_set(why, "log socket: no path, or a path too long");
		mem_free(l);
		errno = EINVAL;
		return NULL;
	} else {
		l->fd = -1;
	}
	if (logframe_init(&l->frame, o, why) < 0) {
		mem_free(l);
		return NULL;
	}
	l->last = &l->first;
	log_connect(l);
	return l;
}

void
logsock_free(struct logsock **lp)
{
	struct logsock *l = *lp;

	if (l == NULL)
		return;
	if (l->first != NULL)
		queue_flush(l);
	queue_clear(l);
	if (l->loop != NULL)
		loop_timer_stop(&l->retry);
	log_disconnect(l);
	logframe_clear(&l->frame);
	mem_free(l);
	*lp = NULL;
}

int
logsock_attach(struct logsock *l, struct loop *loop)
{
	must(l->loop == NULL);
	l->loop = loop;
	loop_timer_init(&l->retry, loop, on_retry);
	if (l->fd >= 0)
		loop_watch_init(&l->room, loop, l->fd, on_room);
	if (l->first != NULL)
		wait_for_room(l);
	return l->first == NULL || is_waiting(l) ? 0 : -1;
}

int
logsock_repath(struct logsock *l, const char *path)
{
	size_t n = strlen(path);

	if (n >= sizeof(l->where.sun_path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	l->where = (struct sockaddr_un){.sun_family = AF_UNIX};
	memcpy(l->where.sun_path, path, n);
	return 0;
}

void
logsock_finish(struct logsock *l, int64_t wait_ms)
{
	struct mono end = mono_after(clock_mono(), wait_ms);
	struct pollfd room = {.events = POLLOUT};
	int64_t left;

	for (;;) {
		if (l->first != NULL)
			queue_flush(l);
		left = mono_between(clock_mono(), end);
		if (l->first == NULL || l->fd < 0 || left <= 0)
			return;
		room.fd = l->fd;
		if (poll(&room, 1, (int)left) < 0 && errno != EINTR)
			return;
	}
}

size_t
logsock_backlog(const struct logsock *l)
{
	return l->queued;
}

/* No call here may reach the poll set, which is the parent's until the loop
 * says it is not. */
void
logsock_after_fork(struct logsock *l)
{
	l->frame.pid = (long)getpid();
}

uint64_t
logsock_drops(const struct logsock *l)
{
	return l->drops;
}
