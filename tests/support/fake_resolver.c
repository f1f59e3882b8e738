/* SPDX-License-Identifier: ISC */
#include "support/fake_resolver.h"

#include <sys/queue.h>
#include <errno.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "base/must.h"

struct fake_fault fake_resolver_fault;

struct resolver {
	struct loop *loop;
};

struct resolver_query {
	TAILQ_ENTRY(resolver_query) link;
	struct resolver *resolver;
	char *name;
	resolver_fn *fn;
	void *arg;
	size_t batch; /* is answered only by calls that came after it */
};

TAILQ_HEAD(query_list, resolver_query);

static struct {
	struct query_list pending;
	size_t count, total, limit;
	const char *refused;
	int error;
	unsigned forks;
} fake = {.pending = TAILQ_HEAD_INITIALIZER(fake.pending)};

/* --- the contract of lookup/resolver.h ---------------------------------- */
struct resolver *
resolver_new(
    struct loop *loop, const struct resolver_options *o, struct errtext *why)
{
	struct resolver *r = mem_new(sizeof(*r));

	(void)o;
	if (r == NULL)
		errtext_set(why, "out of memory");
	else
		r->loop = loop;
	return r;
}

static void
query_free(struct resolver_query *q)
{
	TAILQ_REMOVE(&fake.pending, q, link);
	fake.count--;
	mem_free(q->name);
	mem_free(q);
}

void
resolver_free(struct resolver **r)
{
	struct resolver_query *q = TAILQ_FIRST(&fake.pending), *next;

	for (; *r != NULL && q != NULL; q = next) {
		next = TAILQ_NEXT(q, link);
		if (q->resolver == *r)
			query_free(q);
	}
	mem_free(*r);
	*r = NULL;
}

struct resolver_query *
resolver_ask(struct resolver *r, const char *name, resolver_fn *fn, void *arg)
{
	size_t limit = fake.limit > 0 ? fake.limit : RESOLVER_FLIGHT_MAX;
	struct resolver_query *q;

	if (fake.refused != NULL && strcasecmp(fake.refused, name) == 0) {
		errno = fake.error;
		return NULL;
	}
	if (fake.count >= limit || fake_fault_strikes(&fake_resolver_fault)) {
		errno = EAGAIN;
		return NULL;
	}
	if ((q = mem_new(sizeof(*q))) == NULL)
		return NULL;
	if ((q->name = mem_strdup(name)) == NULL) {
		mem_free(q);
		return NULL;
	}
	q->resolver = r;
	q->fn = fn;
	q->arg = arg;
	q->batch = fake.total++;
	TAILQ_INSERT_TAIL(&fake.pending, q, link);
	fake.count++;
	return q;
}

void
resolver_abandon(struct resolver_query **query)
{
	if (*query != NULL)
		query_free(*query);
	*query = NULL;
}

int
resolver_after_fork(struct resolver *r, struct errtext *why)
{
	(void)r;
	(void)why;
	fake.forks++;
	return 0;
}

/* --- what the test sees ------------------------------------------------- */
size_t
fake_resolver_pending(void)
{
	return fake.count;
}

const char *
fake_resolver_name(size_t i)
{
	struct resolver_query *q;

	TAILQ_FOREACH (q, &fake.pending, link) {
		if (i-- == 0)
			return q->name;
	}
	return NULL;
}

size_t
fake_resolver_asked(const char *name)
{
	struct resolver_query *q;
	size_t n = 0;

	TAILQ_FOREACH (q, &fake.pending, link) {
		if (strcasecmp(q->name, name) == 0)
			n++;
	}
	return n;
}

size_t
fake_resolver_total(void)
{
	return fake.total;
}

unsigned
fake_resolver_forks(void)
{
	return fake.forks;
}

/* --- what the test says ------------------------------------------------- */
/* As in the real one: the query is gone when the callback runs. */
static void
deliver(struct resolver_query *q, const struct resolver_answer *answer)
{
	resolver_fn *fn = q->fn;
	void *arg = q->arg;

	query_free(q);
	fn(answer, arg);
}

/* The oldest question for the name that was asked before `batch`. */
static struct resolver_query *
find(const char *name, size_t batch)
{
	struct resolver_query *q;

	TAILQ_FOREACH (q, &fake.pending, link) {
		if (q->batch < batch && strcasecmp(q->name, name) == 0)
			return q;
	}
	return NULL;
}

static size_t
deliver_all(const char *name, const struct resolver_answer *answer)
{
	size_t batch = fake.total, n = 0;
	struct resolver_query *q;
	char copy[256]; /* `name` may be that of a question, which goes */

	must(strlen(name) < sizeof(copy));
	memcpy(copy, name, strlen(name) + 1);
	for (; (q = find(copy, batch)) != NULL; n++)
		deliver(q, answer);
	return n;
}

size_t
fake_resolver_answer(const char *name, enum resolver_status status,
    const struct addr *addrs, size_t n, uint32_t ttl_s, bool has_ttl)
{
	struct resolver_answer answer = {.status = status, .n = n};

	must(n <= RESOLVER_ADDR_MAX);
	if (n > 0)
		memcpy(answer.addr, addrs, n * sizeof(*addrs));
	answer.ttl_s = ttl_s;
	answer.has_ttl = has_ttl;
	if (status == RESOLVER_FAILED)
		answer.why = "server failure";
	return deliver_all(name, &answer);
}

size_t
fake_resolver_found(const char *name, const char *addr_text, uint32_t ttl_s)
{
	struct addr a;

	must(addr_parse(span_str(addr_text), &a) == 0);
	return fake_resolver_answer(name, RESOLVER_FOUND, &a, 1, ttl_s, true);
}

size_t
fake_resolver_absent(const char *name, uint32_t ttl_s)
{
	return fake_resolver_answer(
	    name, RESOLVER_ABSENT, NULL, 0, ttl_s, true);
}

size_t
fake_resolver_fail(const char *name, const char *why)
{
	struct resolver_answer answer = {.status = RESOLVER_FAILED, .why = why};

	return deliver_all(name, &answer);
}

bool
fake_resolver_answer_first(enum resolver_status status)
{
	struct resolver_query *q = TAILQ_FIRST(&fake.pending);
	struct resolver_answer answer = {.status = status};

	if (q == NULL)
		return false;
	if (status == RESOLVER_FAILED)
		answer.why = "server failure";
	deliver(q, &answer);
	return true;
}

void
fake_resolver_limit(size_t limit)
{
	fake.limit = limit;
}

void
fake_resolver_refuse(const char *name, int error)
{
	fake.refused = name;
	fake.error = error;
}

void
fake_resolver_reset(void)
{
	must(fake.count == 0);
	fake.total = 0;
	fake.limit = 0;
	fake.forks = 0;
	fake.refused = NULL;
}
