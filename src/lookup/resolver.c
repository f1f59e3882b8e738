/* SPDX-License-Identifier: ISC */
#include "lookup/resolver.h"

/* c-ares calls back when it likes: inside ares_query(), from timeouts, while
 * the channel is destroyed. So an answer is only kept there, and delivered by a
 * loop_later; nothing of c-ares is on the stack when a resolver_fn runs, and it
 * may ask, abandon and free as it wants.
 *
 * c-ares cannot take back one query. An abandoned one stays inside, without a
 * reader, and is freed when c-ares is done with it. What it may still cost is
 * bounded by INSIDE_MAX: ids are drawn at random, and would never be found when
 * all 65,536 are taken.
 *
 * Answers that are not to a question of ours (another id, name, type or sender)
 * are ignored by c-ares. A truncated one is taken for what it holds: to list an
 * address one A record is enough, and when c-ares asks again by TCP and is
 * refused, it fails all queries that this server has, of other zones too.
 *
 * Habits of c-ares that are worked around, 1.18 and 1.34 both:
 *  - ares_timeout() walks all queries: one periodic tick instead. Its retries
 *    have no common end: every query has a deadline of our own, and as all wait
 *    equally long, the first in line is always the next to expire.
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
#include <errno.h>
#include <limits.h>
#include <string.h>

#include "base/mem.h"
#include "base/must.h"
#include "base/num.h"
#include "lookup/dns_answer.h"

enum {
	TICK_MS = 100,
	DNS_PORT = 53,
	NAME_BYTES_MAX = 253,
	LABEL_BYTES_MAX = 63,
	INSIDE_MAX = 4 * RESOLVER_FLIGHT_MAX,
	SERVERS_MAX = 8,
	RECEIVE_BYTES = 1024 * 1024, /* a burst of answers must fit */
	UDP_QUERIES_MAX = 1024,      /* then another source port */
	RESOLVER_MAGIC = 0x7265736f,
	QUERY_MAGIC = 0x71756572,
};

enum query_state {
	QUERY_ASKED,     /* in `asked`: waits for c-ares or its deadline */
	QUERY_ANSWERED,  /* in `answered`: waits for delivery */
	QUERY_ABANDONED, /* nobody wants it; only c-ares knows it */
};

struct resolver_query {
	uint32_t magic;
	enum query_state state;
	bool is_inside; /* c-ares has it */
	struct resolver *resolver;
	TAILQ_ENTRY(resolver_query) link;
	struct mono deadline;
	resolver_fn *fn;
	void *arg;
	/* the answer, kept small until it is delivered */
	enum resolver_status status;
	bool has_ttl;
	uint32_t ttl_s;
	const char *why;
	size_t n;
	struct addr *addr;
	char name[];
};

TAILQ_HEAD(query_list, resolver_query);

struct ares_socket {
	LIST_ENTRY(ares_socket) link;
	struct resolver *resolver;
	struct loop_watch watch;
	ares_socket_t fd;
};

struct resolver {
	uint32_t magic;
	struct loop *loop;
	ares_channel channel;
	bool is_library_ready, is_reopening;
	int64_t timeout_ms;
	struct ares_addr_port_node servers[SERVERS_MAX]; /* a linked list */
	int server_count;
	LIST_HEAD(ares_socket_list, ares_socket) sockets;
	struct query_list asked, answered;
	size_t asked_count, answered_count, inside_count;
	struct loop_timer tick;
	struct loop_later delivery;
	bool *is_gone; /* tells a delivery that the resolver was freed */
};

/* --- the life of a query ------------------------------------------------ */
static void
query_free(struct resolver_query *q)
{
	q->magic = 0;
	mem_free(q->addr);
	mem_free(q);
}

/* Off its list, and gone as soon as c-ares does not know it any more. */
static void
query_leave(struct resolver_query *q)
{
	struct resolver *r = q->resolver;

	if (q->state == QUERY_ASKED) {
		TAILQ_REMOVE(&r->asked, q, link);
		r->asked_count--;
	} else if (q->state == QUERY_ANSWERED) {
		TAILQ_REMOVE(&r->answered, q, link);
		r->answered_count--;
	}
	q->state = QUERY_ABANDONED;
	if (!q->is_inside)
		query_free(q);
}

static void
keep(struct resolver_query *q, const struct resolver_answer *answer)
{
	q->status = answer->status;
	q->has_ttl = answer->has_ttl;
	q->ttl_s = answer->ttl_s;
	q->why = answer->why;
	if (answer->n == 0)
		return;
	if ((q->addr = mem_array(answer->n, sizeof(*q->addr))) == NULL) {
		q->status = RESOLVER_FAILED;
		q->why = "out of memory";
		return;
	}
	q->n = answer->n;
	memcpy(q->addr, answer->addr, q->n * sizeof(*q->addr));
}

static void on_delivery(struct loop_later *later);

static void
query_answer(struct resolver_query *q, const struct resolver_answer *answer)
{
	struct resolver *r = q->resolver;

	must(q->state == QUERY_ASKED);
	keep(q, answer);
	TAILQ_REMOVE(&r->asked, q, link);
	r->asked_count--;
	q->state = QUERY_ANSWERED;
	TAILQ_INSERT_TAIL(&r->answered, q, link);
	r->answered_count++;
	loop_later_add(r->loop, &r->delivery, on_delivery);
}

static void
query_deliver(struct resolver_query *q)
{
	struct resolver_answer answer = {
	    .status = q->status,
	    .n = q->n,
	    .ttl_s = q->ttl_s,
	    .has_ttl = q->has_ttl,
	    .why = q->why,
	};
	resolver_fn *fn = q->fn;
	void *arg = q->arg;

	if (q->n > 0)
		memcpy(answer.addr, q->addr, q->n * sizeof(*q->addr));
	query_leave(q);
	fn(&answer, arg);
}

/* Those that are there now; answers that come in meanwhile wait a tick. */
static void
on_delivery(struct loop_later *later)
{
	struct resolver *r = OWNER_OF(later, struct resolver, delivery);
	struct resolver_query *q;
	bool is_gone = false;

	r->is_gone = &is_gone;
	for (size_t n = r->answered_count; n > 0; n--) {
		if ((q = TAILQ_FIRST(&r->answered)) == NULL)
			break;
		query_deliver(q);
		if (is_gone)
			return;
	}
	r->is_gone = NULL;
	if (!TAILQ_EMPTY(&r->answered))
		loop_later_add(r->loop, &r->delivery, on_delivery);
}

/* --- what c-ares says --------------------------------------------------- */
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
	struct resolver_query *q = arg;
	struct resolver_answer answer;

	(void)timeouts;
	must(q->magic == QUERY_MAGIC && q->is_inside);
	q->is_inside = false;
	q->resolver->inside_count--;
	if (q->state == QUERY_ABANDONED) {
		query_free(q);
	} else if (q->state == QUERY_ASKED && !q->resolver->is_reopening) {
		read_answer(status, bytes, n, &answer);
		query_answer(q, &answer);
	}
}

static void
on_ready(struct loop_watch *watch, unsigned ready)
{
	struct ares_socket *s = OWNER_OF(watch, struct ares_socket, watch);

	/* `s` may be gone when this returns. */
	ares_process_fd(s->resolver->channel,
	    ready & LOOP_READABLE ? s->fd : ARES_SOCKET_BAD,
	    ready & LOOP_WRITABLE ? s->fd : ARES_SOCKET_BAD);
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
	struct resolver *r = arg;
	struct ares_socket *s;

	must(r->magic == RESOLVER_MAGIC);
	LIST_FOREACH (s, &r->sockets, link) {
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
		s->resolver = r;
		s->fd = fd;
		loop_watch_init(&s->watch, r->loop, fd, on_ready);
		LIST_INSERT_HEAD(&r->sockets, s, link);
	}
	if (loop_watch_set(&s->watch, wanted) < 0)
		socket_forget(s);
}

/* The tick: retries of c-ares, then deadlines of ours. */
static void
on_tick(struct loop_timer *timer)
{
	static const struct resolver_answer late = {
	    .status = RESOLVER_TIMED_OUT};
	struct resolver *r = OWNER_OF(timer, struct resolver, tick);
	struct mono now = loop_now(r->loop);
	struct resolver_query *q;

	ares_process_fd(r->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
	while ((q = TAILQ_FIRST(&r->asked)) != NULL &&
	       mono_between(now, q->deadline) <= 0)
		query_answer(q, &late);
	if (r->inside_count > 0)
		(void)loop_timer_start(&r->tick, TICK_MS);
}

/* --- servers ------------------------------------------------------------ */
static void
server_add(struct resolver *r, const struct ares_addr_port_node *server)
{
	struct ares_addr_port_node *node = &r->servers[r->server_count];

	*node = *server;
	node->next = NULL;
	if (r->server_count > 0)
		r->servers[r->server_count - 1].next = node;
	r->server_count++;
}

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

static int
servers_parse(struct resolver *r, const char *text, struct errtext *why)
{
	struct span rest = span_str(text), word;

	while (text_token(&rest, TEXT_LIST_SEPARATORS, &word)) {
		struct ares_addr_port_node node = {0};
		struct endpoint e;

		if (endpoint_parse(word, &e) < 0) {
			errtext_set(why, "bad name server address \"%.*s\"",
			    (int)(word.n < 100 ? word.n : 100), word.p);
			return -1;
		}
		if (r->server_count == SERVERS_MAX) {
			errtext_set(
			    why, "more than %d name servers", SERVERS_MAX);
			return -1;
		}
		node.family = e.addr.family == ADDR_IPV4 ? AF_INET : AF_INET6;
		memcpy(&node.addr, e.addr.bytes, addr_byte_count(&e.addr));
		node.udp_port = node.tcp_port = e.port;
		server_add(r, &node);
	}
	return 0;
}

/* What c-ares makes of resolv.conf. */
static int
servers_learn(struct resolver *r, struct errtext *why)
{
	struct ares_addr_port_node *list = NULL, *node;
	ares_channel channel;
	int status;

	if ((status = ares_init_options(&channel, NULL, 0)) == ARES_SUCCESS) {
		status = ares_get_servers_ports(channel, &list);
		ares_destroy(channel);
	}
	if (status != ARES_SUCCESS) {
		errtext_set(
		    why, "cannot find name servers: %s", ares_strerror(status));
		return -1;
	}
	for (node = list; node != NULL && r->server_count < SERVERS_MAX;
	     node = node->next)
		server_add(r, node);
	ares_free_data(list);
	return 0;
}

/* --- channels ----------------------------------------------------------- */
/* The wait for the first try. All servers are tried in turn, `tries` times,
 * and the wait is doubled each time round. */
static int
first_timeout_ms(const struct resolver *r, int tries)
{
	int64_t ms =
	    r->timeout_ms / (r->server_count * ((INT64_C(1) << tries) - 1));

	if (ms < 1)
		return 1;
	return ms > INT_MAX ? INT_MAX : (int)ms;
}

static int
channel_open(struct resolver *r, ares_channel *channel_r, struct errtext *why)
{
	struct in_addr placeholder = {0};
	char no_lookups[] = "b";
	int mask = ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES |
		   ARES_OPT_NDOTS | ARES_OPT_DOMAINS | ARES_OPT_LOOKUPS |
		   ARES_OPT_SERVERS | ARES_OPT_SORTLIST | ARES_OPT_NOROTATE |
		   ARES_OPT_SOCK_STATE_CB | ARES_OPT_SOCK_RCVBUF;
	struct ares_options o = {
	    .flags = ARES_FLAG_NOSEARCH | ARES_FLAG_NOALIASES | ARES_FLAG_IGNTC,
	    .tries = r->server_count == 1 ? 3 : 2,
	    .ndots = 1,
	    .lookups = no_lookups,
	    .servers = &placeholder,
	    .nservers = 1,
	    .sock_state_cb = on_socket_state,
	    .sock_state_cb_data = r,
	    .socket_receive_buffer_size = RECEIVE_BYTES,
	};
	int status;

	if (r->server_count == 1)
		o.flags |= ARES_FLAG_NOCHECKRESP;
	o.timeout = first_timeout_ms(r, o.tries);
#ifdef ARES_OPT_UDP_MAX_QUERIES
	mask |= ARES_OPT_UDP_MAX_QUERIES;
	o.udp_max_queries = UDP_QUERIES_MAX;
#endif
#ifdef ARES_OPT_QUERY_CACHE
	mask |= ARES_OPT_QUERY_CACHE; /* of no use here, and without a limit */
	o.qcache_max_ttl = 0;
#endif
	status = ares_init_options(channel_r, &o, mask);
	if (status == ARES_SUCCESS) {
		status = ares_set_servers_ports(*channel_r, r->servers);
		if (status != ARES_SUCCESS)
			ares_destroy(*channel_r);
	}
	if (status == ARES_SUCCESS)
		return 0;
	errtext_set(why, "c-ares: %s", ares_strerror(status));
	*channel_r = NULL;
	return -1;
}

/* --- the contract ------------------------------------------------------- */
static int
resolver_open(struct resolver *r, const char *servers, struct errtext *why)
{
	int status = ares_library_init(ARES_LIB_INIT_ALL);

	if (status != ARES_SUCCESS) {
		errtext_set(why, "c-ares: %s", ares_strerror(status));
		return -1;
	}
	r->is_library_ready = true;
	if (servers != NULL && servers_parse(r, servers, why) < 0)
		return -1;
	if (r->server_count == 0 && servers_learn(r, why) < 0)
		return -1;
	if (r->server_count == 0) {
		errtext_set(why, "there are no name servers");
		return -1;
	}
	return channel_open(r, &r->channel, why);
}

struct resolver *
resolver_new(
    struct loop *loop, const struct resolver_options *o, struct errtext *why)
{
	struct resolver *r = mem_new(sizeof(*r));

	if (r == NULL) {
		errtext_set(why, "out of memory");
		return NULL;
	}
	r->magic = RESOLVER_MAGIC;
	r->loop = loop;
	r->timeout_ms = o->timeout_ms;
	TAILQ_INIT(&r->asked);
	TAILQ_INIT(&r->answered);
	LIST_INIT(&r->sockets);
	loop_timer_init(&r->tick, loop, on_tick);
	if (resolver_open(r, o->servers, why) < 0)
		resolver_free(&r);
	return r;
}

void
resolver_free(struct resolver **r_ref)
{
	struct resolver *r = *r_ref;
	struct resolver_query *q;

	*r_ref = NULL;
	if (r == NULL)
		return;
	while ((q = TAILQ_FIRST(&r->asked)) != NULL)
		query_leave(q);
	while ((q = TAILQ_FIRST(&r->answered)) != NULL)
		query_leave(q);
	if (r->channel != NULL)
		ares_destroy(r->channel); /* calls back for all the rest */
	must(r->inside_count == 0 && LIST_EMPTY(&r->sockets));
	if (r->is_library_ready)
		ares_library_cleanup();
	loop_timer_stop(&r->tick);
	loop_later_cancel(&r->delivery);
	if (r->is_gone != NULL)
		*r->is_gone = true;
	r->magic = 0;
	mem_free(r);
}

/* No escapes, no empty labels: what c-ares takes literally. */
static bool
name_is_askable(const char *name)
{
	size_t n = strlen(name), label = 0;

	if (n == 0 || n > NAME_BYTES_MAX)
		return false;
	for (size_t i = 0; i < n; i++) {
		if (name[i] <= ' ' || name[i] > '~' || name[i] == '\\')
			return false;
		if (name[i] == '.') {
			if (label == 0)
				return false;
			label = 0;
		} else if (++label > LABEL_BYTES_MAX) {
			return false;
		}
	}
	return true;
}

static void
query_put(struct resolver_query *q)
{
	q->is_inside = true;
	q->resolver->inside_count++;
	ares_query(
	    q->resolver->channel, q->name, ns_c_in, ns_t_a, on_ares_answer, q);
}

struct resolver_query *
resolver_ask(struct resolver *r, const char *name, resolver_fn *fn, void *arg)
{
	size_t n = strlen(name);
	struct resolver_query *q;

	if (!name_is_askable(name)) {
		errno = EINVAL;
		return NULL;
	}
	if (r->asked_count >= RESOLVER_FLIGHT_MAX ||
	    r->inside_count >= INSIDE_MAX) {
		errno = EAGAIN;
		return NULL;
	}
	if (!loop_timer_is_running(&r->tick) &&
	    loop_timer_start(&r->tick, TICK_MS) < 0)
		return NULL;
	if ((q = mem_new(sizeof(*q) + n + 1)) == NULL)
		return NULL;
	q->magic = QUERY_MAGIC;
	q->resolver = r;
	q->fn = fn;
	q->arg = arg;
	q->deadline = mono_after(loop_now(r->loop), r->timeout_ms);
	memcpy(q->name, name, n + 1);
	TAILQ_INSERT_TAIL(&r->asked, q, link);
	r->asked_count++;
	query_put(q);
	return q;
}

void
resolver_abandon(struct resolver_query **query)
{
	struct resolver_query *q = *query;

	*query = NULL;
	if (q == NULL)
		return;
	must(q->magic == QUERY_MAGIC && q->state != QUERY_ABANDONED);
	query_leave(q);
}

int
resolver_after_fork(struct resolver *r, struct errtext *why)
{
	ares_channel fresh, stale = r->channel;
	struct resolver_query *q, *next;

	if (channel_open(r, &fresh, why) < 0)
		return -1;
	r->is_reopening = true;
	r->channel = fresh;
	ares_destroy(stale);
	r->is_reopening = false;
	for (q = TAILQ_FIRST(&r->asked); q != NULL; q = next) {
		next = TAILQ_NEXT(q, link); /* may be answered right here */
		query_put(q);
	}
	return 0;
}

const char *
resolver_version(void)
{
	return ares_version(NULL);
}
