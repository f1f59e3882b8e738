/* SPDX-License-Identifier: ISC */
#include "ops/logbook.h"

#include <errno.h>
#include <string.h>
#include <sys/queue.h>

#include "base/map.h"
#include "base/mem.h"

/* Connections are known by address and port. Lines of DNS lists name the
 * address alone: they are for all connections of it that are being tested, and
 * for those that join them, as these share the answers. */

enum { HOUR_S = 3600, KEY_BYTES = 17 + 2, SETTLED_MS = 600 * 1000 };

struct open;
TAILQ_HEAD(open_list, open);

struct visitor { /* an address with open connections */
	struct map_link link;
	struct addr addr;
	struct open_list open;
};

struct open {
	struct map_link link;
	uint8_t key[KEY_BYTES];
	struct visitor *visitor;
	TAILQ_ENTRY(open) of_visitor, by_age;
	int64_t came_ms, last_ms;
	bool is_held; /* by the screener */
	struct visit visit;
};

struct busy; /* smtpd processes */
TAILQ_HEAD(busy_list, busy);
struct busy {
	struct map_link link;
	TAILQ_ENTRY(busy) by_age;
	int64_t pid, since_ms;
};

struct logbook {
	struct history *history;
	int64_t since_ms, until_ms, now_ms;
	struct map *open, *visitors, *busy;
	struct open_list by_age; /* of their last line */
	struct busy_list busy_by_age;
	uint64_t held;
	struct totals_burst burst;
	int64_t stress_since_ms; /* 0: calm */
	bool failed;
};

static uint64_t *
figures_at(struct logbook *b, int64_t ms)
{
	uint64_t *figures;

	if (ms < b->since_ms || ms >= b->until_ms)
		return NULL;
	figures = history_hour(b->history, ms / 1000 / HOUR_S);
	if (figures == NULL)
		b->failed = true;
	return figures;
}

static void
note_peak(struct logbook *b, enum figure figure, uint64_t n)
{
	uint64_t *figures = figures_at(b, b->now_ms);

	if (figures != NULL)
		totals_peak(figures, figure, n);
}

/* --- connections ------------------------------------------------------------ */

static void
make_key(const struct endpoint *client, uint8_t key[KEY_BYTES])
{
	memset(key, 0, KEY_BYTES);
	key[0] = client->addr.family;
	memcpy(key + 1, client->addr.bytes, sizeof(client->addr.bytes));
	key[17] = (uint8_t)(client->port >> 8);
	key[18] = (uint8_t)client->port;
}

static struct open *
find_open(const struct logbook *b, const struct endpoint *client)
{
	uint8_t key[KEY_BYTES];
	struct map_link *link;

	make_key(client, key);
	link = map_find(b->open, key, sizeof(key));
	return link != NULL ? OWNER_OF(link, struct open, link) : NULL;
}

static struct visitor *
find_visitor(const struct logbook *b, const struct addr *addr)
{
	struct map_link *link = map_find(b->visitors, addr, sizeof(*addr));

	return link != NULL ? OWNER_OF(link, struct visitor, link) : NULL;
}

static struct visitor *
get_visitor(struct logbook *b, const struct addr *addr)
{
	struct visitor *v = find_visitor(b, addr);

	if (v != NULL || (v = mem_new(sizeof(*v))) == NULL)
		return v;
	v->addr = *addr;
	TAILQ_INIT(&v->open);
	map_add(b->visitors, &v->link, &v->addr, sizeof(v->addr));
	return v;
}

static void
let_go(struct logbook *b, struct open *o)
{
	if (o->is_held)
		b->held--;
	o->is_held = false;
}

static void
drop_open(struct logbook *b, struct open *o)
{
	struct visitor *v = o->visitor;

	let_go(b, o);
	map_remove(b->open, &o->link);
	TAILQ_REMOVE(&b->by_age, o, by_age);
	TAILQ_REMOVE(&v->open, o, of_visitor);
	mem_free(o);
	if (TAILQ_EMPTY(&v->open)) {
		map_remove(b->visitors, &v->link);
		mem_free(v);
	}
}

/* Of one that has neither ended nor passed nobody knows what became, unless it
 * was let through in spite of a test that it failed. */
static bool
has_outcome(const struct logbook *b, const struct open *o)
{
	unsigned marks = o->visit.marks;

	if ((marks & (VISIT_ENDED | VISIT_PASSED)) != 0)
		return true;
	return (marks & VISIT_FAILED) != 0 &&
	       b->now_ms - o->last_ms >= SETTLED_MS;
}

static void
finish(struct logbook *b, struct open *o)
{
	uint64_t *figures;

	if (!has_outcome(b, o))
		b->history->unfinished++;
	else if ((figures = figures_at(b, o->last_ms)) != NULL) {
		totals_visit_figures(figures, &o->visit);
		totals_visit_lists(&b->history->lists, &o->visit);
	}
	drop_open(b, o);
}

static void
begin(struct logbook *b, const struct logline *l)
{
	struct open *o = find_open(b, &l->client), *fellow;
	struct visitor *v;

	if (o != NULL)
		finish(b, o);
	if (map_count(b->open) >= LOGBOOK_OPEN_MAX)
		finish(b, TAILQ_FIRST(&b->by_age));
	/* A visitor without a connection would belong to nobody. */
	if ((o = mem_new(sizeof(*o))) == NULL ||
	    (v = get_visitor(b, &l->client.addr)) == NULL) {
		mem_free(o);
		b->failed = true;
		return;
	}
	make_key(&l->client, o->key);
	o->came_ms = o->last_ms = l->at_ms;
	o->visitor = v;
	o->is_held = true;
	b->held++;
	fellow = TAILQ_FIRST(&v->open);
	if (fellow != NULL && fellow->is_held)
		o->visit.lists = fellow->visit.lists;
	map_add(b->open, &o->link, o->key, sizeof(o->key));
	TAILQ_INSERT_TAIL(&b->by_age, o, by_age);
	TAILQ_INSERT_TAIL(&v->open, o, of_visitor);
	visit_note(&o->visit, EVENT_CONNECT, 0, 0);
	note_peak(b, FIGURE_HELD, b->held);
}

static void
note_hand_on(struct logbook *b, struct open *o)
{
	let_go(b, o);
	note_peak(b, FIGURE_BURST, totals_burst(&b->burst, b->now_ms / 1000));
}

static void
go_on(struct logbook *b, const struct logline *l)
{
	struct open *o = find_open(b, &l->client);
	unsigned before;

	if (o == NULL)
		return;
	before = o->visit.marks;
	visit_note(&o->visit, l->event, l->at_ms - o->came_ms, l->delay_ms);
	o->last_ms = l->at_ms;
	TAILQ_REMOVE(&b->by_age, o, by_age);
	TAILQ_INSERT_TAIL(&b->by_age, o, by_age);
	if ((before & VISIT_PASSED) == 0 &&
	    (o->visit.marks & VISIT_PASSED) != 0)
		note_hand_on(b, o);
	if ((o->visit.marks & VISIT_ENDED) != 0)
		finish(b, o);
}

static void
note_listing(struct logbook *b, const struct logline *l)
{
	struct visitor *v = find_visitor(b, &l->address);
	struct totals_list *list;
	char name[TOTALS_NAME_MAX];
	size_t n = l->word.n < sizeof(name) ? l->word.n : sizeof(name) - 1;
	struct open *o;

	if (v == NULL || n == 0)
		return;
	memcpy(name, l->word.p, n);
	name[n] = '\0';
	if ((list = totals_list(&b->history->lists, name)) == NULL)
		return;
	TAILQ_FOREACH (o, &v->open, of_visitor)
		if (o->is_held)
			o->visit.lists |= (uint64_t)1
					  << (list - b->history->lists.list);
}

/* --- smtpd ------------------------------------------------------------------ */

static void
drop_busy(struct logbook *b, struct busy *p)
{
	map_remove(b->busy, &p->link);
	TAILQ_REMOVE(&b->busy_by_age, p, by_age);
	mem_free(p);
}

static struct busy *
find_busy(const struct logbook *b, int64_t pid)
{
	struct map_link *link = map_find(b->busy, &pid, sizeof(pid));

	return link != NULL ? OWNER_OF(link, struct busy, link) : NULL;
}

static void
smtpd_begins(struct logbook *b, const struct logline *l)
{
	struct busy *p = find_busy(b, l->pid);

	if (p != NULL)
		drop_busy(b, p);
	if (map_count(b->busy) >= LOGBOOK_OPEN_MAX ||
	    (p = mem_new(sizeof(*p))) == NULL)
		return;
	p->pid = l->pid;
	p->since_ms = l->at_ms;
	map_add(b->busy, &p->link, &p->pid, sizeof(p->pid));
	TAILQ_INSERT_TAIL(&b->busy_by_age, p, by_age);
	note_peak(b, FIGURE_SMTPD, map_count(b->busy));
}

static void
smtpd_ends(struct logbook *b, const struct logline *l)
{
	struct busy *p = find_busy(b, l->pid);

	if (p != NULL)
		drop_busy(b, p);
}

/* --- stress ----------------------------------------------------------------- */

static void
end_stress(struct logbook *b, int64_t until_ms)
{
	int64_t from = b->stress_since_ms, to;
	uint64_t *figures;

	for (; from > 0 && from < until_ms; from = to) {
		to = (from / 1000 / HOUR_S + 1) * HOUR_S * 1000;
		if (to > until_ms)
			to = until_ms;
		if ((figures = figures_at(b, from)) != NULL)
			figures[FIGURE_STRESS_S] +=
			    (uint64_t)((to - from) / 1000);
	}
	b->stress_since_ms = 0;
}

static void
begin_stress(struct logbook *b, int64_t at_ms)
{
	uint64_t *figures = figures_at(b, at_ms);

	end_stress(b, at_ms);
	b->stress_since_ms = at_ms;
	if (figures != NULL)
		figures[FIGURE_STRESS_ENTERED]++;
}

/* --- lines ------------------------------------------------------------------ */

static void
forget_old(struct logbook *b)
{
	struct open *o;
	struct busy *p;

	while ((o = TAILQ_FIRST(&b->by_age)) != NULL &&
	       b->now_ms - o->last_ms >= LOGBOOK_IDLE_MS)
		finish(b, o);
	while ((p = TAILQ_FIRST(&b->busy_by_age)) != NULL &&
	       b->now_ms - p->since_ms >= LOGBOOK_IDLE_MS)
		drop_busy(b, p);
}

static void
note_event(struct logbook *b, const struct logline *l)
{
	switch (l->event) {
	case EVENT_CONNECT:
		begin(b, l);
		break;
	case EVENT_DNSBL_LISTED:
		note_listing(b, l);
		break;
	case EVENT_STRESS_ENTER:
		begin_stress(b, l->at_ms);
		break;
	case EVENT_STRESS_LEAVE:
		end_stress(b, l->at_ms);
		break;
	default:
		if (l->has_client)
			go_on(b, l);
	}
}

void
logbook_line(struct logbook *b, const struct logline *l)
{
	b->history->lines++;
	if (l->kind == LOGLINE_OTHER)
		return;
	if (l->at_ms > b->now_ms)
		b->now_ms = l->at_ms;
	forget_old(b);
	if (l->kind == LOGLINE_SMTPD_BEGINS) {
		smtpd_begins(b, l);
		return;
	}
	if (l->kind == LOGLINE_SMTPD_ENDS) {
		smtpd_ends(b, l);
		return;
	}
	b->history->ours++;
	b->history->cut += l->cut;
	b->history->is_coarse |= !l->exact;
	note_event(b, l);
}

int
logbook_finish(struct logbook *b)
{
	struct open *o;

	while ((o = TAILQ_FIRST(&b->by_age)) != NULL)
		finish(b, o);
	end_stress(b, b->now_ms);
	return b->failed ? -1 : 0;
}

struct logbook *
logbook_new(struct history *history, struct wall since, struct wall until)
{
	struct logbook *b = mem_new(sizeof(*b));

	if (b == NULL)
		return NULL;
	b->history = history;
	history->from_logs = true;
	b->since_ms = since.s * 1000;
	b->until_ms = until.s * 1000;
	TAILQ_INIT(&b->by_age);
	TAILQ_INIT(&b->busy_by_age);
	if ((b->open = map_new()) == NULL ||
	    (b->visitors = map_new()) == NULL || (b->busy = map_new()) == NULL)
		logbook_free(&b);
	return b;
}

void
logbook_free(struct logbook **bp)
{
	struct logbook *b = *bp;

	*bp = NULL;
	if (b == NULL)
		return;
	while (!TAILQ_EMPTY(&b->by_age))
		drop_open(b, TAILQ_FIRST(&b->by_age));
	while (!TAILQ_EMPTY(&b->busy_by_age))
		drop_busy(b, TAILQ_FIRST(&b->busy_by_age));
	map_free(&b->open);
	map_free(&b->visitors);
	map_free(&b->busy);
	mem_free(b);
}
