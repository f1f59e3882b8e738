/* SPDX-License-Identifier: ISC */
#include "net/stream.h"

#include <errno.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/must.h"
#include "net/tls.h"

/* A readiness report leads to at most one callback, which is always the last
 * thing done: the owner may close or free the stream in it. Readiness is
 * level-triggered, so whatever was not looked at is reported on the next tick.
 *
 * A failed send(2) is only remembered in `error`. The watch then waits for
 * LOOP_WRITABLE, which the kernel grants at once on a broken socket, and the
 * failure is reported from there.
 *
 * Bytes that were peeked at stay, so readiness is reported again. Mostly the
 * owner has moved on by then, to talk or to close, and to stop watching first
 * would be a system call for nothing: so the second report is what stops it.
 *
 * With TLS the socket tells only half of the truth. Bytes may wait decrypted
 * while the socket is silent: `more` then reads on after the tick. And TLS may
 * have to write before it can read on: then only LOOP_WRITABLE is waited for,
 * because what can be read would be reported for ever. */

#define READ_MAX 16384 /* bytes taken from one client per tick */
#define DISCARD_MAX ((size_t)128 * 1024) /* bytes thrown away at the end */

struct stream_buffers {
	struct buf input; /* in the peek stage: what was peeked */
	struct buf output;
};

struct stream_tls {
	struct stream *stream;
	struct tls *tls;
	struct loop_later more;
	bool secure; /* the handshake is done */
};

static int
stream_need_buffers(struct stream *s)
{
	if (s->buffers != NULL)
		return 0;
	if ((s->buffers = mem_new(sizeof(*s->buffers))) == NULL)
		return -1;
	buf_init(&s->buffers->input, STREAM_PEEK_MAX);
	buf_init(&s->buffers->output, STREAM_OUTPUT_MAX);
	return 0;
}

static void
stream_free_buffers(struct stream *s)
{
	if (s->buffers == NULL)
		return;
	buf_clear(&s->buffers->input);
	buf_clear(&s->buffers->output);
	mem_free(s->buffers);
	s->buffers = NULL;
}

static size_t
stream_room(const struct stream *s)
{
	return s->buffers->input.max - s->buffers->input.n;
}

static bool
stream_may_read(const struct stream *s)
{
	if (!s->talking)
		return !s->looked && (s->watch.wanted & LOOP_READABLE) != 0;
	return !s->paused && stream_room(s) > 0;
}

static void on_more(struct loop_later *later);

/* What has to be waited for to get on with reading. */
static unsigned
stream_read_needs(struct stream *s)
{
	if (s->tls == NULL)
		return LOOP_READABLE;
	if (s->tls->secure && tls_is_ready(s->tls->tls))
		loop_later_add(s->watch.loop, &s->tls->more, on_more);
	return tls_wants_write(s->tls->tls) ? LOOP_WRITABLE : LOOP_READABLE;
}

static int
stream_rewatch(struct stream *s, bool reading)
{
	bool shaking = s->tls != NULL && !s->tls->secure;
	unsigned wanted = 0;

	if ((reading || shaking) && !s->ended)
		wanted |= stream_read_needs(s);
	if (shaking) /* what is to be written has to wait */
		return loop_watch_set(&s->watch, wanted);
	if (stream_unsent(s) > 0 || (s->error != 0 && !s->broken))
		wanted |= LOOP_WRITABLE;
	return loop_watch_set(&s->watch, wanted);
}

/* --- what readiness leads to ------------------------------------------- */
static void
stream_fail(struct stream *s, int error)
{
	s->error = error;
	s->ended = true;
	s->broken = true;
	if (s->buffers != NULL)
		buf_clear(&s->buffers->output);
	loop_watch_set(&s->watch, 0);
	s->fn(s, STREAM_ERROR);
}

/* The connection is sound, and what waits for a slow reader still goes out. */
static void
stream_no_memory(struct stream *s)
{
	s->ended = true;
	s->starved = true;
	stream_rewatch(s, false);
	s->fn(s, STREAM_NO_MEMORY);
}

/* recv(2) brought no bytes. */
static void
stream_no_bytes(struct stream *s, ssize_t got)
{
	if (got < 0) {
		if (errno != EAGAIN && errno != EINTR)
			stream_fail(s, errno);
		else if (s->tls != NULL)
			stream_rewatch(s, stream_may_read(s));
		return;
	}
	s->ended = true;
	stream_rewatch(s, false);
	s->fn(s, STREAM_EOF);
}

static void
stream_peek(struct stream *s)
{
	char chunk[STREAM_PEEK_MAX];
	ssize_t got;

	if (s->looked) {
		stream_rewatch(s, false);
		return;
	}
	got = recv(s->fd, chunk, sizeof(chunk), MSG_PEEK | MSG_DONTWAIT);
	if (got <= 0) {
		stream_no_bytes(s, got);
		return;
	}
	s->looked = true;
	if (stream_need_buffers(s) < 0) {
		stream_no_memory(s);
		return;
	}
	buf_reset(&s->buffers->input);
	if (buf_add(&s->buffers->input, chunk, (size_t)got) < 0)
		stream_no_memory(s);
	else
		s->fn(s, STREAM_PEEKED);
}

static ssize_t
stream_receive(struct stream *s, void *p, size_t n)
{
	if (s->tls != NULL)
		return tls_read(s->tls->tls, p, n);
	return recv(s->fd, p, n, MSG_DONTWAIT);
}

static void
stream_read(struct stream *s)
{
	char chunk[READ_MAX];
	size_t room = stream_room(s);
	ssize_t got;

	if (room == 0) {
		/* Only now: mostly the owner makes room in time. */
		stream_rewatch(s, false);
		return;
	}
	if (room > sizeof(chunk))
		room = sizeof(chunk);
	got = stream_receive(s, chunk, room);
	if (got <= 0) {
		stream_no_bytes(s, got);
	} else if (buf_add(&s->buffers->input, chunk, (size_t)got) < 0) {
		stream_no_memory(s);
	} else {
		if (s->tls != NULL)
			stream_rewatch(s, stream_may_read(s));
		s->fn(s, STREAM_INPUT);
	}
}

/* Decrypted bytes wait. */
static void
on_more(struct loop_later *later)
{
	struct stream *s = OWNER_OF(later, struct stream_tls, more)->stream;

	if (stream_may_read(s) && !s->ended)
		stream_read(s);
}

static void
stream_shake(struct stream *s)
{
	int rc = s->ended ? 0 : tls_handshake(s->tls->tls);

	if (rc <= 0) {
		stream_no_bytes(s, rc);
		return;
	}
	s->tls->secure = true;
	stream_rewatch(s, stream_may_read(s));
}

/* Returns how much the kernel took; a failure is left in s->error. */
static size_t
stream_send(struct stream *s, const void *p, size_t n)
{
	ssize_t sent;

	if (s->tls == NULL)
		sent = send(s->fd, p, n, MSG_NOSIGNAL | MSG_DONTWAIT);
	else if (s->tls->secure)
		sent = tls_write(s->tls->tls, p, n);
	else
		return 0;
	if (sent >= 0)
		return (size_t)sent;
	if (errno != EAGAIN && errno != EINTR)
		s->error = errno;
	return 0;
}

/* True when the owner was told something. */
static bool
stream_flush(struct stream *s)
{
	struct buf *out;

	if (s->error == 0 && stream_unsent(s) == 0)
		return false; /* it is TLS that has to write, to read on */
	if (s->error == 0) {
		out = &s->buffers->output;
		buf_consume(out, stream_send(s, out->p, out->n));
	}
	if (s->error != 0) {
		stream_fail(s, s->error);
		return true;
	}
	if (stream_unsent(s) > 0)
		return false;
	buf_clear(&s->buffers->output);
	stream_rewatch(s, stream_may_read(s));
	s->fn(s, STREAM_DRAINED);
	return true;
}

static void
on_ready(struct loop_watch *watch, unsigned ready)
{
	struct stream *s = OWNER_OF(watch, struct stream, watch);
	unsigned reading = LOOP_READABLE;

	if (s->tls != NULL && !s->tls->secure) {
		stream_shake(s);
		return;
	}
	if (s->tls != NULL && tls_wants_write(s->tls->tls))
		reading = LOOP_WRITABLE;
	if ((ready & LOOP_WRITABLE) && stream_flush(s))
		return;
	if (!(ready & reading))
		return;
	if (s->tls != NULL && (s->ended || !stream_may_read(s)))
		return; /* it was writable for others */
	if (s->talking)
		stream_read(s);
	else
		stream_peek(s);
}

/* --- life -------------------------------------------------------------- */
void
stream_init(struct stream *s, struct loop *loop, int fd, stream_fn *fn)
{
	*s = (struct stream){.fd = fd, .fn = fn};
	loop_watch_init(&s->watch, loop, fd, on_ready);
}

int
stream_init_pair(
    struct stream *s, struct loop *loop, stream_fn *fn, int *other_r)
{
	int fd[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fd) < 0)
		return -1;
	stream_init(s, loop, fd[0], fn);
	*other_r = fd[1];
	return 0;
}

/* A socket that is closed with unread bytes answers with a reset, which may
 * overtake our last reply. TCP drops the bytes without copying (MSG_TRUNC);
 * other sockets do copy, so the buffer is real. */
static void
discard_input(int fd)
{
	char trash[4096];
	size_t total = 0;
	ssize_t got;

	while (total < DISCARD_MAX) {
		got = recv(fd, trash, sizeof(trash), MSG_TRUNC | MSG_DONTWAIT);
		if (got < (ssize_t)sizeof(trash))
			return;
		total += (size_t)got;
	}
}

void
stream_close(struct stream *s)
{
	bool has_unread = !s->ended || s->starved;
	int fd = stream_release(s);

	if (fd < 0)
		return;
	if (has_unread)
		discard_input(fd);
	close(fd);
}

static void
stream_free_tls(struct stream *s)
{
	if (s->tls == NULL)
		return;
	loop_later_cancel(&s->tls->more);
	if (!s->broken && s->error == 0)
		tls_say_goodbye(s->tls->tls);
	tls_free(&s->tls->tls);
	mem_free(s->tls);
	s->tls = NULL;
}

int
stream_release(struct stream *s)
{
	int fd = s->fd;

	if (fd >= 0)
		loop_watch_set(&s->watch, 0);
	stream_free_tls(s);
	stream_free_buffers(s);
	s->fd = -1;
	s->talking = false;
	return fd;
}

/* --- the peek stage ---------------------------------------------------- */
int
stream_watch(struct stream *s)
{
	must(s->fd >= 0 && !s->talking);
	s->looked = false;
	return stream_rewatch(s, true);
}

void
stream_unwatch(struct stream *s)
{
	loop_watch_set(&s->watch, 0);
}

struct span
stream_peeked(const struct stream *s)
{
	if (s->talking || s->buffers == NULL)
		return span_of(NULL, 0);
	return buf_span(&s->buffers->input);
}

/* They were there a moment ago, so fewer means that the socket broke. */
int
stream_skip(struct stream *s, size_t n)
{
	char trash[STREAM_PEEK_MAX];
	ssize_t got;

	must(!s->talking && n <= stream_peeked(s).n);
	got = n == 0 ? 0 : recv(s->fd, trash, n, MSG_DONTWAIT);
	if (s->buffers != NULL)
		buf_clear(&s->buffers->input);
	if (got >= 0 && (size_t)got < n)
		errno = ECONNRESET;
	return got >= 0 && (size_t)got == n ? 0 : -1;
}

/* --- the talk stage ---------------------------------------------------- */
int
stream_talk(struct stream *s, size_t input_max)
{
	must(s->fd >= 0 && !s->talking);
	if (stream_need_buffers(s) < 0)
		return -1;
	buf_clear(&s->buffers->input);
	buf_init(&s->buffers->input, input_max);
	s->talking = true;
	return stream_rewatch(s, stream_may_read(s));
}

struct span
stream_input(const struct stream *s)
{
	if (!s->talking || s->buffers == NULL)
		return span_of(NULL, 0);
	return buf_span(&s->buffers->input);
}

/* When reading cannot be switched on for want of memory, the owner's deadline
 * ends the session: here, and in stream_resume(). */
void
stream_consume(struct stream *s, size_t n)
{
	if (n == 0)
		return;
	must(s->talking && n <= s->buffers->input.n);
	buf_consume(&s->buffers->input, n);
	if (s->buffers->input.n == 0)
		buf_clear(&s->buffers->input); /* until the client speaks */
	stream_rewatch(s, stream_may_read(s));
}

void
stream_widen(struct stream *s, size_t input_max)
{
	must(s->talking);
	buf_widen(&s->buffers->input, input_max);
	stream_rewatch(s, stream_may_read(s));
}

bool
stream_has_left(const struct stream *s)
{
	char byte;
	ssize_t got = recv(s->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);

	return got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR);
}

/* In this order: what it says upon reading is seen. */
bool
stream_is_at_rest(const struct stream *s)
{
	int unread = 0, waiting = 0;

	return stream_unsent(s) == 0 && ioctl(s->fd, SIOCOUTQ, &unread) == 0 &&
	       unread == 0 && ioctl(s->fd, FIONREAD, &waiting) == 0 &&
	       waiting == 0 && stream_input(s).n == 0;
}

void
stream_end(struct stream *s)
{
	/* In this order: what is shut takes no goodbye. */
	if (s->tls != NULL && !s->broken && s->error == 0)
		tls_say_goodbye(s->tls->tls);
	(void)shutdown(s->fd, SHUT_WR);
}

void
stream_pause(struct stream *s)
{
	s->paused = true;
	if (s->talking)
		stream_rewatch(s, false);
}

void
stream_resume(struct stream *s)
{
	s->paused = false;
	if (s->talking)
		stream_rewatch(s, stream_may_read(s));
}

bool
stream_has_beyond(const struct stream *s, size_t used)
{
	int waiting = 0;

	if (stream_input(s).n > used)
		return true;
	/* What else is in the socket then need not be text at all. */
	if (s->tls != NULL)
		return s->tls->secure && !s->ended && tls_has_text(s->tls->tls);
	/* Not by peeking: that would take a pending error off the socket. */
	return s->fd >= 0 && ioctl(s->fd, FIONREAD, &waiting) == 0 &&
	       waiting > 0;
}

/* --- TLS --------------------------------------------------------------- */
int
stream_start_tls(struct stream *s, struct tls_context *context)
{
	must(s->talking && s->tls == NULL && stream_unsent(s) == 0);
	if ((s->tls = mem_new(sizeof(*s->tls))) == NULL)
		return -1;
	s->tls->stream = s;
	if ((s->tls->tls = tls_new(context, s->fd)) == NULL) {
		mem_free(s->tls);
		s->tls = NULL;
		return -1;
	}
	buf_clear(&s->buffers->input);
	return stream_rewatch(s, true);
}

bool
stream_has_tls(const struct stream *s)
{
	return s->tls != NULL;
}

bool
stream_is_secure(const struct stream *s)
{
	return s->tls != NULL && s->tls->secure;
}

/* --- writing ----------------------------------------------------------- */
int
stream_write(struct stream *s, const void *p, size_t n)
{
	size_t waiting = stream_unsent(s);
	size_t sent = 0;

	must(s->fd >= 0);
	if (n > STREAM_OUTPUT_MAX - waiting) {
		errno = EMSGSIZE;
		return -1;
	}
	if (n == 0 || s->error != 0)
		return 0;
	if (waiting == 0)
		sent = stream_send(s, p, n);
	if (sent == n)
		return 0;
	if (s->error == 0 && (stream_need_buffers(s) < 0 ||
				 buf_add(&s->buffers->output,
				     (const char *)p + sent, n - sent) < 0))
		s->error = errno; /* half a reply is worth nothing */
	return stream_rewatch(s, stream_may_read(s));
}

size_t
stream_unsent(const struct stream *s)
{
	return s->buffers != NULL ? s->buffers->output.n : 0;
}

int
stream_error(const struct stream *s)
{
	return s->error;
}
