/* SPDX-License-Identifier: ISC */
#include "support/fake_stream.h"

#include <errno.h>
#include <fcntl.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/must.h"
#include "support/fake_mem.h"

struct fake_fault fake_stream_fault;

enum { CLIENTS_MAX = 1 << 18, SOCKET_MAX = 1 << 24 };

/* The test's end of one connection. */
struct client {
	struct stream *stream; /* NULL once closed or released */
	struct buf said;       /* in the socket, not read */
	struct buf heard;
	bool watched; /* the peek stage waits for something */
	bool hung_up;
	int reset; /* the error that ended it */
	bool blocked;
	bool unheard; /* something could not be sent */
	bool drained; /* STREAM_DRAINED is due */
	bool closed, released;
	bool finished; /* stream_end() */
	enum { SHAKE_WAIT, SHAKE_DONE, SHAKE_FAILED } shake;
};

struct stream_tls {
	bool secure;
};

struct stream_buffers {
	struct buf input;
	struct buf output;
};

static struct client clients[CLIENTS_MAX];
static int client_count, last_pair = -1;
static bool pairs_spent;

/* What the test's end keeps is not our memory. */
static void
keep(struct buf *b, const void *p, size_t n)
{
	bool before = fake_mem_fault.suspended;

	fake_mem_fault.suspended = true;
	must(buf_add(b, p, n) == 0);
	fake_mem_fault.suspended = before;
}

static bool
fails(int error)
{
	if (!fake_fault_strikes(&fake_stream_fault))
		return false;
	errno = error;
	return true;
}

static struct client *
client_of(int fd)
{
	must(fd >= FAKE_STREAM_FIRST_FD &&
	     fd < FAKE_STREAM_FIRST_FD + client_count);
	return &clients[fd - FAKE_STREAM_FIRST_FD];
}

int
fake_stream_new_fd(void)
{
	must(client_count < CLIENTS_MAX);
	buf_init(&clients[client_count].said, SOCKET_MAX);
	buf_init(&clients[client_count].heard, SOCKET_MAX);
	return FAKE_STREAM_FIRST_FD + client_count++;
}

void
fake_stream_say(int fd, const void *p, size_t n)
{
	keep(&client_of(fd)->said, p, n);
}

void
fake_stream_hang_up(int fd)
{
	client_of(fd)->hung_up = true;
}

void
fake_stream_shake(int fd, bool well)
{
	client_of(fd)->shake = well ? SHAKE_DONE : SHAKE_FAILED;
}

void
fake_stream_reset_by_client(int fd)
{
	client_of(fd)->reset = ECONNRESET;
}

void
fake_stream_break(int fd, int error)
{
	client_of(fd)->reset = error;
}

static void
move_output(struct client *c)
{
	struct buf *out;

	if (c->stream == NULL || c->stream->buffers == NULL || c->blocked ||
	    (c->stream->tls != NULL && !c->stream->tls->secure))
		return;
	out = &c->stream->buffers->output;
	if (out->n == 0)
		return;
	keep(&c->heard, out->p, out->n);
	buf_reset(out);
	c->drained = true;
}

void
fake_stream_block(int fd, bool blocked)
{
	struct client *c = client_of(fd);

	c->blocked = blocked;
	move_output(c);
}

struct span
fake_stream_heard(int fd)
{
	return buf_span(&client_of(fd)->heard);
}

struct span
fake_stream_unread(int fd)
{
	return buf_span(&client_of(fd)->said);
}

bool
fake_stream_is_closed(int fd)
{
	return client_of(fd)->closed;
}

bool
fake_stream_has_gone(int fd)
{
	const struct client *c = client_of(fd);

	return c->hung_up || c->reset != 0 || c->unheard ||
	       c->shake == SHAKE_FAILED;
}

bool
fake_stream_is_released(int fd)
{
	return client_of(fd)->released;
}

void
fake_stream_hang_up_all(void)
{
	for (int i = 0; i < client_count; i++)
		clients[i].hung_up = true;
}

void
fake_stream_reset(void)
{
	for (int i = 0; i < client_count; i++) {
		buf_clear(&clients[i].said);
		buf_clear(&clients[i].heard);
		clients[i] = (struct client){0};
	}
	client_count = 0;
	last_pair = -1;
	pairs_spent = false;
}

/* --- delivery ------------------------------------------------------------ */
static bool
report(struct client *c, enum stream_event event)
{
	c->stream->fn(c->stream, event);
	return true;
}

static bool
report_end(struct client *c)
{
	struct stream *s = c->stream;

	if (s->ended || (!s->talking && !c->watched) ||
	    (c->reset == 0 && !c->hung_up))
		return false;
	s->ended = true;
	c->watched = false;
	if (c->reset != 0)
		s->error = c->reset;
	s->broken = c->reset != 0;
	return report(c, c->reset != 0 ? STREAM_ERROR : STREAM_EOF);
}

static bool
read_on(struct client *c)
{
	struct stream *s = c->stream;
	struct buf *in = &s->buffers->input;
	size_t n = c->said.n;

	if (s->paused || n == 0 || in->n == in->max)
		return false;
	if (n > in->max - in->n)
		n = in->max - in->n;
	if (fails(ENOMEM) || buf_add(in, c->said.p, n) < 0) {
		s->ended = true;
		return report(c, STREAM_NO_MEMORY);
	}
	buf_consume(&c->said, n);
	return report(c, STREAM_INPUT);
}

/* The handshake, while it is what the client's bytes are for. */
static bool
shake(struct client *c)
{
	struct stream *s = c->stream;

	if (c->shake == SHAKE_DONE) {
		s->tls->secure = true;
		move_output(c);
		return true;
	}
	if (c->shake == SHAKE_FAILED && !s->ended) {
		s->ended = s->broken = true;
		s->error = EPROTO;
		return report(c, STREAM_ERROR);
	}
	return report_end(c);
}

static bool
deliver_one(struct client *c)
{
	struct stream *s = c->stream;

	if (s == NULL)
		return false;
	if (s->tls != NULL && !s->tls->secure)
		return shake(c);
	if (c->drained) {
		c->drained = false;
		return report(c, STREAM_DRAINED);
	}
	if (c->reset != 0)
		return report_end(c);
	if (s->talking && !s->ended && read_on(c))
		return true;
	if (!s->talking && c->watched && c->said.n > 0) {
		c->watched = false;
		if (!fails(ENOMEM))
			return report(c, STREAM_PEEKED);
		s->ended = true;
		return report(c, STREAM_NO_MEMORY);
	}
	if (s->paused || c->said.n > 0)
		return false;
	return report_end(c);
}

bool
fake_stream_deliver_to(int fd)
{
	bool any = false;

	while (deliver_one(client_of(fd)))
		any = true;
	return any;
}

bool
fake_stream_deliver(void)
{
	bool any = false;

	for (int i = 0; i < client_count; i++) {
		while (deliver_one(&clients[i]))
			any = true;
	}
	return any;
}

/* --- the module ---------------------------------------------------------- */
void
stream_init(struct stream *s, struct loop *loop, int fd, stream_fn *fn)
{
	*s = (struct stream){.fd = fd, .fn = fn};
	(void)loop;
	client_of(fd)->stream = s;
}

int
fake_stream_last_pair(void)
{
	return last_pair;
}

void
fake_stream_spend_pairs(bool spent)
{
	pairs_spent = spent;
}

bool
fake_stream_is_ended(int fd)
{
	return client_of(fd)->finished;
}

int
stream_init_pair(
    struct stream *s, struct loop *loop, stream_fn *fn, int *other_r)
{
	if (pairs_spent || fake_fault_strikes(&fake_stream_fault))
		return errno = EMFILE, -1;
	last_pair = fake_stream_new_fd();
	stream_init(s, loop, last_pair, fn);
	*other_r = open("/dev/null", O_RDONLY | O_CLOEXEC);
	return 0;
}

static void
forget(struct stream *s)
{
	if (stream_unsent(s) > 0)
		client_of(s->fd)->unheard = true;
	if (s->buffers != NULL) {
		buf_clear(&s->buffers->input);
		buf_clear(&s->buffers->output);
		mem_free(s->buffers);
		s->buffers = NULL;
	}
	mem_free(s->tls);
	s->tls = NULL;
	client_of(s->fd)->stream = NULL;
	s->fd = -1;
}

void
stream_close(struct stream *s)
{
	if (s->fd < 0)
		return;
	client_of(s->fd)->closed = true;
	forget(s);
}

int
stream_release(struct stream *s)
{
	int fd = s->fd;

	if (fd < 0)
		return -1;
	client_of(fd)->released = true;
	forget(s);
	return fd;
}

int
stream_watch(struct stream *s)
{
	must(!s->talking);
	if (fails(ENOMEM))
		return -1;
	client_of(s->fd)->watched = true;
	return 0;
}

void
stream_unwatch(struct stream *s)
{
	if (s->fd >= 0)
		client_of(s->fd)->watched = false;
}

struct span
stream_peeked(const struct stream *s)
{
	struct span said = fake_stream_unread(s->fd);

	if (said.n > STREAM_PEEK_MAX)
		said.n = STREAM_PEEK_MAX;
	return said;
}

int
stream_skip(struct stream *s, size_t n)
{
	must(!s->talking && n <= stream_peeked(s).n);
	if (fails(EIO)) {
		client_of(s->fd)->unheard = true; /* is broken */
		return -1;
	}
	buf_consume(&client_of(s->fd)->said, n);
	return 0;
}

static int
need_buffers(struct stream *s)
{
	if (s->buffers != NULL)
		return 0;
	if ((s->buffers = mem_new(sizeof(*s->buffers))) == NULL)
		return -1;
	buf_init(&s->buffers->output, STREAM_OUTPUT_MAX);
	return 0;
}

int
stream_talk(struct stream *s, size_t input_max)
{
	if (fails(ENOMEM) || need_buffers(s) < 0)
		return -1;
	buf_init(&s->buffers->input, input_max);
	s->talking = true;
	return 0;
}

void
stream_widen(struct stream *s, size_t input_max)
{
	buf_widen(&s->buffers->input, input_max);
}

bool
stream_has_left(const struct stream *s)
{
	const struct client *c = client_of(s->fd);

	return c->reset || (c->hung_up && c->said.n == 0);
}

bool
stream_is_at_rest(const struct stream *s)
{
	return stream_unsent(s) == 0 && stream_input(s).n == 0 &&
	       client_of(s->fd)->said.n == 0;
}

void
stream_end(struct stream *s)
{
	client_of(s->fd)->finished = true;
}

struct span
stream_input(const struct stream *s)
{
	return buf_span(&s->buffers->input);
}

void
stream_consume(struct stream *s, size_t n)
{
	buf_consume(&s->buffers->input, n);
}

void
stream_pause(struct stream *s)
{
	s->paused = true;
}

void
stream_resume(struct stream *s)
{
	s->paused = false;
}

bool
stream_has_beyond(const struct stream *s, size_t used)
{
	return stream_input(s).n > used || fake_stream_unread(s->fd).n > 0;
}

int
stream_write(struct stream *s, const void *p, size_t n)
{
	struct client *c = client_of(s->fd);

	c->unheard = true;
	if (fails(ENOMEM))
		return -1;
	if (!c->blocked && (s->tls == NULL || s->tls->secure)) {
		keep(&c->heard, p, n);
		c->unheard = false;
		return 0;
	}
	if (need_buffers(s) < 0 || buf_add(&s->buffers->output, p, n) < 0)
		return -1;
	c->unheard = false;
	return 0;
}

size_t
stream_unsent(const struct stream *s)
{
	return s->buffers == NULL ? 0 : s->buffers->output.n;
}

int
stream_error(const struct stream *s)
{
	return s->error;
}

/* The bytes of a handshake are not played: fake_stream_shake() ends it. */
int
stream_start_tls(struct stream *s, struct tls_context *context)
{
	must(context != NULL && s->talking && s->tls == NULL &&
	     stream_unsent(s) == 0);
	if (fails(ENOMEM))
		return -1;
	if ((s->tls = mem_new(sizeof(*s->tls))) == NULL)
		return -1;
	buf_reset(&s->buffers->input);
	return 0;
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
