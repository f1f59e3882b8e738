/* SPDX-License-Identifier: ISC */
#include "lookup/dns_channel.h"

/* The one room that knows c-ares, 1.18 and 1.34 both.
 *
 * Answers that are not to a question of ours (another id, name, type or sender)
 * are ignored by c-ares. Truncated ones are given back as they are: when c-ares
 * asks again by TCP by itself and is refused, it fails all queries that this
 * server has, of other zones too. For TCP there is a channel of its own.
 *
 * Nearly all that a question costs is paid to the kernel: to make a socket, and
 * to be woken by its answer. So the UDP sockets stay open while questions follow
 * each other (a new one, and so another port, when none is open and a second has
 * passed), and when something was sent nobody looks at them for COLLECT_MS: the
 * answers of a name server nearby are then all there, for a client's five lists
 * and for those of the next client. What takes longer is waited for as usual.
 *
 * Habits that are worked around:
 *  - ares_timeout() walks all queries: the owner ticks instead.
 *  - it would read resolv.conf again for each channel, which cannot be found
 *    after chroot: the servers are learnt once, and everything that it looks up
 *    in files is given in the options (a placeholder for the servers, which
 *    have no ports there).
 *  - with one server, SERVFAIL makes it ask the same one again, and then report
 *    a refused connection: with one server its answer is taken as it is. */

#define CARES_NO_DEPRECATED 1
#include <sys/queue.h>
#include <arpa/nameser.h>
#include <ares.h>
#include <limits.h>
#include <string.h>

#include "base/mem.h"
#include "base/must.h"
#include "base/num.h"
#include "base/text.h"
#include "lookup/dns_answer.h"

enum {
	DNS_PORT = 53,
	RECEIVE_BYTES = 1024 * 1024, /* a burst of answers must fit */
	UDP_QUERIES_MAX = 1024,      /* then another source port; not in 1.18 */
	FIRST_WAIT_MS = 500,         /* no shorter, to win one more try */
	TRIES_MIN = 2,
	TRIES_MAX = 4,
	PORT_MS = 1000,
	COLLECT_MS = 2,
	SOCKETS_MAX = 256, /* the newest; 1.34 has one for 1,024 questions */
	CHANNEL_MAGIC = 0x6368616e,
	QUERY_MAGIC = 0x71756573,
};

struct ares_socket {
	LIST_ENTRY(ares_socket) link;
	struct dns_channel *channel;
	struct loop_watch watch;
	unsigned wanted; /* by c-ares */
	ares_socket_t fd;
};

struct dns_channel {
	uint32_t magic;
	struct loop *loop;
	ares_channel ares;
	struct dns_servers servers;
	bool is_library_ready, is_closing;
	bool is_tcp;
	size_t inside;         /* questions */
	struct mono opened;    /* its sockets, roughly */
	struct loop_timer due; /* answers are collected */
	bool is_deaf;          /* until then, or until it is asked again */
	bool asked_meanwhile;
	LIST_HEAD(ares_socket_list, ares_socket) sockets;
};

/* --- sockets ------------------------------------------------------------ */
static void
on_ready(struct loop_watch *watch, unsigned ready)
{
	struct ares_socket *s = OWNER_OF(watch, struct ares_socket, watch);

	/* `s` may be gone when this returns. */
	ares_process_fd(s->channel->ares,
	    ready & LOOP_READABLE ? s->fd : ARES_SOCKET_BAD,
	    ready & LOOP_WRITABLE ? s->fd : ARES_SOCKET_BAD);
}

static int
socket_watch(struct ares_socket *s)
{
	unsigned wanted = s->wanted;

	if (s->channel->is_deaf)
		wanted &= ~(unsigned)LOOP_READABLE;
	return loop_watch_set(&s->watch, wanted);
}

static void
socket_forget(struct ares_socket *s)
{
	(void)loop_watch_set(&s->watch, 0);
	LIST_REMOVE(s, link);
	mem_free(s);
}

/* Without memory for the watch nobody reads that socket, and its queries reach
 * their deadlines. */
static void
on_socket_state(void *arg, ares_socket_t fd, int readable, int writable)
{
	unsigned wanted =
	    (readable ? LOOP_READABLE : 0u) | (writable ? LOOP_WRITABLE : 0u);
	struct dns_channel *c = arg;
	struct ares_socket *s;

	must(c->magic == CHANNEL_MAGIC);
	LIST_FOREACH (s, &c->sockets, link) {
		/* cppcheck-suppress uninitvar; LIST_FOREACH has set it */
		if (s->fd == fd)
			break;
	}
	if (wanted == 0) {
		if (s != NULL)
			socket_forget(s);
		return;
	}
	if (s == NULL) {
		if ((s = mem_new(sizeof(*s))) == NULL)
			return;
		s->channel = c;
		s->fd = fd;
		loop_watch_init(&s->watch, c->loop, fd, on_ready);
		LIST_INSERT_HEAD(&c->sockets, s, link);
	}
	s->wanted = wanted;
	if (socket_watch(s) < 0)
		socket_forget(s);
}

static void
set_deaf(struct dns_channel *c, bool is_deaf)
{
	struct ares_socket *s, *next;

	if (c->is_deaf == is_deaf)
		return;
	c->is_deaf = is_deaf;
	for (s = LIST_FIRST(&c->sockets); s != NULL; s = next) {
		next = LIST_NEXT(s, link);
		if (socket_watch(s) < 0)
			socket_forget(s);
	}
}

/* Sockets may come and go while one is read; c-ares ignores those that are not
 * its own any more. */
static void
collect(struct dns_channel *c)
{
	ares_socket_t fd[SOCKETS_MAX];
	struct ares_socket *s;
	size_t n = 0;

	LIST_FOREACH (s, &c->sockets, link)
		if (n < SOCKETS_MAX)
			fd[n++] = s->fd;
	for (size_t i = 0; i < n; i++)
		ares_process_fd(c->ares, fd[i], ARES_SOCKET_BAD);
}

static void
on_due(struct loop_timer *timer)
{
	struct dns_channel *c = OWNER_OF(timer, struct dns_channel, due);
	bool again = c->asked_meanwhile;

	c->asked_meanwhile = false;
	collect(c);
	if (c->inside == 0)
		return;
	if (!again || loop_timer_start(&c->due, COLLECT_MS) < 0)
		set_deaf(c, false);
}

static void
collect_soon(struct dns_channel *c)
{
	if (loop_timer_is_running(&c->due))
		c->asked_meanwhile = true;
	else
		set_deaf(c, loop_timer_start(&c->due, COLLECT_MS) == 0);
}

/* --- servers ------------------------------------------------------------ */
/* "1.2.3.4", "1.2.3.4:53", "::1", "[::1]" or "[::1]:53". */
static int
endpoint_parse(struct span in, struct endpoint *out_r)
{
	const char *colon = memrchr(in.p, ':', in.n);
	const char *bracket = memrchr(in.p, ']', in.n);
	struct span host = in;
	int64_t port = DNS_PORT;
	bool has_port = colon != NULL &&
			(bracket != NULL ? colon == bracket + 1
					 : memchr(in.p, ':', in.n) == colon);

	if (has_port) {
		host.n = (size_t)(colon - in.p);
		if (num_parse(span_of(colon + 1, in.n - host.n - 1), 1,
			UINT16_MAX, &port) < 0)
			return -1;
	}
	if (host.n >= 2 && host.p[0] == '[' && host.p[host.n - 1] == ']')
		host = span_of(host.p + 1, host.n - 2);
	out_r->port = (uint16_t)port;
	return addr_parse(host, &out_r->addr);
}

int
dns_servers_parse(
    const char *text, struct dns_servers *servers_r, struct errtext *why)
{
	struct span rest = span_str(text), word;

	servers_r->n = 0;
	while (text_token(&rest, TEXT_LIST_SEPARATORS, &word)) {
		struct endpoint e = {0};

		if (endpoint_parse(word, &e) < 0) {
			errtext_set(why, "bad name server address \"%.*s\"",
			    (int)(word.n < 100 ? word.n : 100), word.p);
			return -1;
		}
		if (servers_r->n == DNS_SERVERS_MAX) {
			errtext_set(
			    why, "more than %d name servers", DNS_SERVERS_MAX);
			return -1;
		}
		servers_r->list[servers_r->n++] = e;
	}
	return 0;
}

static void
take_server(struct dns_servers *servers, const struct ares_addr_port_node *node)
{
	struct endpoint *e = &servers->list[servers->n++];

	*e = (struct endpoint){.port = (uint16_t)node->udp_port};
	e->addr.family = node->family == AF_INET ? ADDR_IPV4 : ADDR_IPV6;
	if (e->port == 0)
		e->port = DNS_PORT;
	memcpy(e->addr.bytes, &node->addr, addr_byte_count(&e->addr));
}

int
dns_servers_learn(struct dns_servers *servers_r, struct errtext *why)
{
	struct ares_addr_port_node *list = NULL, *node;
	ares_channel channel;
	int status = ares_library_init(ARES_LIB_INIT_ALL);

	servers_r->n = 0;
	if (status == ARES_SUCCESS) {
		status = ares_init_options(&channel, NULL, 0);
		if (status == ARES_SUCCESS) {
			status = ares_get_servers_ports(channel, &list);
			ares_destroy(channel);
		}
		for (node = status == ARES_SUCCESS ? list : NULL;
		     node != NULL && servers_r->n < DNS_SERVERS_MAX;
		     node = node->next)
			take_server(servers_r, node);
		ares_free_data(list);
		ares_library_cleanup();
	}
	if (status == ARES_SUCCESS)
		return 0;
	errtext_set(why, "cannot find name servers: %s", ares_strerror(status));
	return -1;
}

static int
set_servers(ares_channel ares, const struct dns_servers *servers)
{
	struct ares_addr_port_node list[DNS_SERVERS_MAX] = {0};

	for (size_t i = 0; i < servers->n; i++) {
		const struct endpoint *e = &servers->list[i];

		list[i].next = i + 1 < servers->n ? &list[i + 1] : NULL;
		list[i].family =
		    e->addr.family == ADDR_IPV4 ? AF_INET : AF_INET6;
		memcpy(&list[i].addr, e->addr.bytes, addr_byte_count(&e->addr));
		list[i].udp_port = list[i].tcp_port = e->port;
	}
	return ares_set_servers_ports(ares, list);
}

/* --- channels ----------------------------------------------------------- */
/* The wait for the first try. All servers are tried in turn, `tries` times,
 * and the wait is doubled each time round. */
static int
first_timeout_ms(const struct dns_channel_options *o, int tries)
{
	int64_t ms = o->timeout_ms /
		     ((int64_t)o->servers.n * ((INT64_C(1) << tries) - 1));

	if (ms < 1)
		return 1;
	return ms > INT_MAX ? INT_MAX : (int)ms;
}

static int
tries_for(const struct dns_channel_options *o)
{
	int tries = o->servers.n == 1 ? TRIES_MIN + 1 : TRIES_MIN;

	while (tries < TRIES_MAX &&
	       first_timeout_ms(o, tries + 1) >= FIRST_WAIT_MS)
		tries++;
	return tries;
}

static int
ares_open(struct dns_channel *c, const struct dns_channel_options *options)
{
	struct in_addr placeholder = {0};
	char no_lookups[] = "b";
	int mask = ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES |
		   ARES_OPT_NDOTS | ARES_OPT_DOMAINS | ARES_OPT_LOOKUPS |
		   ARES_OPT_SERVERS | ARES_OPT_SORTLIST | ARES_OPT_NOROTATE |
		   ARES_OPT_SOCK_STATE_CB | ARES_OPT_SOCK_RCVBUF;
	struct ares_options o = {
	    .flags = ARES_FLAG_NOSEARCH | ARES_FLAG_NOALIASES | ARES_FLAG_IGNTC,
	    .tries = tries_for(options),
	    .ndots = 1,
	    .lookups = no_lookups,
	    .servers = &placeholder,
	    .nservers = 1,
	    .sock_state_cb = on_socket_state,
	    .sock_state_cb_data = c,
	    .socket_receive_buffer_size = RECEIVE_BYTES,
	};
	int status;

	if (options->servers.n == 1)
		o.flags |= ARES_FLAG_NOCHECKRESP;
	o.flags |= options->tcp ? ARES_FLAG_USEVC : ARES_FLAG_STAYOPEN;
	o.timeout = first_timeout_ms(options, o.tries);
#ifdef ARES_OPT_UDP_MAX_QUERIES
	mask |= ARES_OPT_UDP_MAX_QUERIES;
	o.udp_max_queries = UDP_QUERIES_MAX;
#endif
#ifdef ARES_OPT_QUERY_CACHE
	mask |= ARES_OPT_QUERY_CACHE; /* of no use here, and without a limit */
	o.qcache_max_ttl = 0;
#endif
	if ((status = ares_library_init(ARES_LIB_INIT_ALL)) != ARES_SUCCESS)
		return status;
	c->is_library_ready = true;
	status = ares_init_options(&c->ares, &o, mask);
	if (status != ARES_SUCCESS)
		c->ares = NULL;
	else
		status = set_servers(c->ares, &options->servers);
	return status;
}

/* --- the contract ------------------------------------------------------- */
struct dns_channel *
dns_channel_open(
    struct loop *loop, const struct dns_channel_options *o, struct errtext *why)
{
	struct dns_channel *c = mem_new(sizeof(*c));
	int status;

	if (c == NULL) {
		errtext_set(why, "out of memory");
		return NULL;
	}
	c->magic = CHANNEL_MAGIC;
	c->loop = loop;
	c->servers = o->servers;
	c->is_tcp = o->tcp;
	c->opened = loop_now(loop);
	loop_timer_init(&c->due, loop, on_due);
	LIST_INIT(&c->sockets);
	if ((status = ares_open(c, o)) != ARES_SUCCESS) {
		errtext_set(why, "c-ares: %s", ares_strerror(status));
		dns_channel_close(&c);
	}
	return c;
}

void
dns_channel_close(struct dns_channel **channel)
{
	struct dns_channel *c = *channel;

	*channel = NULL;
	if (c == NULL)
		return;
	c->is_closing = true;
	if (c->ares != NULL)
		ares_destroy(c->ares); /* calls back for all the rest */
	must(LIST_EMPTY(&c->sockets) && c->inside == 0);
	loop_timer_stop(&c->due);
	if (c->is_library_ready)
		ares_library_cleanup();
	c->magic = 0;
	mem_free(c);
}

static void
read_answer(int status, const unsigned char *bytes, int n,
    struct resolver_answer *answer_r)
{
	if (bytes != NULL && n > 0) {
		dns_answer_parse(bytes, (size_t)n, answer_r);
		return;
	}
	*answer_r = (struct resolver_answer){.status = RESOLVER_FAILED};
	if (status == ARES_ETIMEOUT)
		answer_r->status = RESOLVER_TIMED_OUT;
	else if (status == ARES_ENOTFOUND || status == ARES_ENODATA)
		answer_r->status = RESOLVER_ABSENT;
	else
		answer_r->why = ares_strerror(status);
}

static void
on_ares_answer(void *arg, int status, int timeouts, unsigned char *bytes, int n)
{
	struct dns_channel_query *q = arg;
	struct dns_channel *c = q->channel;
	struct resolver_answer answer;

	q->repeats = timeouts > 0 ? (unsigned)timeouts : 0;
	must(q->magic == QUERY_MAGIC && c != NULL);
	q->channel = NULL;
	c->inside--;
	if (c->is_closing) {
		q->fn(q, NULL);
		return;
	}
	read_answer(status, bytes, n, &answer);
	q->fn(q, &answer);
}

/* c-ares closes its sockets when it is told its servers (1.34 when it has used
 * them often enough). It must have no questions then. */
static void
take_another_port(struct dns_channel *c)
{
	struct mono now = loop_now(c->loop);

	if (c->inside == 0 && mono_between(c->opened, now) >= PORT_MS &&
	    set_servers(c->ares, &c->servers) == ARES_SUCCESS)
		c->opened = now;
}

void
dns_channel_ask(struct dns_channel *channel, struct dns_channel_query *query,
    const char *name, dns_channel_fn *fn)
{
	must(query->channel == NULL);
	query->magic = QUERY_MAGIC;
	query->channel = channel;
	query->fn = fn;
	if (!channel->is_tcp) {
		take_another_port(channel);
		collect_soon(channel);
	}
	channel->inside++;
	ares_query(channel->ares, name, ns_c_in, ns_t_a, on_ares_answer, query);
}

void
dns_channel_tick(struct dns_channel *channel)
{
	ares_process_fd(channel->ares, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
}

const char *
dns_channel_version(void)
{
	return ares_version(NULL);
}
