/* SPDX-License-Identifier: ISC */
#include "ops/metrics.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "screen/session.h"

/* Prometheus exposition formats 0.0.4 and OpenMetrics 1.0. They differ in the
 * name of a counter's family (without _total there), and in the last line.
 * Counters and waits are of all processes, what is there now is of this one.
 *
 * DNS lists go by the names that the world may see; two lists with one name
 * there are one here. */

struct writer {
	struct buf *out;
	enum metrics_dialect dialect;
	const char *family;
	bool failed;
};

static const char *const event_ids[EVENT_COUNT] = {
#define EVENT(id, ...) #id,
#include "screen/events.def"
#undef EVENT
};

static __attribute__((format(printf, 2, 3))) void
put(struct writer *w, const char *format, ...)
{
	char text[512];
	va_list ap;
	int n;

	va_start(ap, format);
	n = vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	if (n < 0 || (size_t)n >= sizeof(text) ||
	    buf_add(w->out, text, (size_t)n) < 0)
		w->failed = true;
}

static void
begin(struct writer *w, const char *name, const char *type, const char *help)
{
	size_t n = strlen(name);

	if (w->dialect == METRICS_OPEN && strcmp(type, "counter") == 0)
		n -= strlen("_total");
	w->family = name;
	put(w, "# HELP doorbell_%.*s %s\n", (int)n, name, help);
	put(w, "# TYPE doorbell_%.*s %s\n", (int)n, name, type);
}

static void
sample(struct writer *w, uint64_t value)
{
	put(w, "doorbell_%s %llu\n", w->family, (unsigned long long)value);
}

/* What is printable. */
static void
put_label_text(struct writer *w, const char *text)
{
	for (; *text != '\0'; text++) {
		if (*text == '\\' || *text == '"')
			put(w, "\\%c", *text);
		else
			put(w, "%c", *text);
	}
}

static void
labelled(struct writer *w, const char *label, const char *text, uint64_t value)
{
	put(w, "doorbell_%s{%s=\"", w->family, label);
	put_label_text(w, text);
	put(w, "\"} %llu\n", (unsigned long long)value);
}

/* --- what several processes keep ------------------------------------------- */
static void
write_counters(struct writer *w, const struct counters *c)
{
	for (int i = 0; i < COUNTER_COUNT; i++) {
		enum counter id = (enum counter)i;

		begin(w, counters_name(id), "counter", counters_help(id));
		sample(w, counters_read(c, id));
	}
}

/* "0.005", "10.0": OpenMetrics wants to see that it is no integer. */
static void
put_seconds(struct writer *w, uint64_t ms)
{
	char text[32];
	size_t n;
	int len = snprintf(text, sizeof(text), "%llu.%03llu",
	    (unsigned long long)(ms / 1000), (unsigned long long)(ms % 1000));

	for (n = (size_t)len; text[n - 1] == '0' && text[n - 2] != '.'; n--)
		;
	put(w, "%.*s", (int)n, text);
}

static void
write_wait(struct writer *w, const struct histogram *h)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
		sum +=
		    atomic_load_explicit(&h->bucket[i], memory_order_relaxed);
		put(w, "doorbell_%s_bucket{le=\"", w->family);
		if (i + 1 < HISTOGRAM_BUCKETS)
			put_seconds(w, (uint64_t)histogram_bound(i));
		else
			put(w, "+Inf");
		put(w, "\"} %llu\n", (unsigned long long)sum);
	}
	put(w, "doorbell_%s_sum ", w->family);
	put_seconds(w, atomic_load_explicit(&h->sum_ms, memory_order_relaxed));
	put(w, "\ndoorbell_%s_count %llu\n", w->family,
	    (unsigned long long)sum);
}

static void
write_waits(struct writer *w, const struct counters *c)
{
	for (int i = 0; i < HISTOGRAM_COUNT; i++) {
		enum histogram_id id = (enum histogram_id)i;

		begin(w, counters_wait_name(id), "histogram",
		    counters_wait_help(id));
		write_wait(w, &c->wait[i]);
	}
}

/* --- what is there now ------------------------------------------------------ */
static void
write_phases(struct writer *w, const struct screen *screen)
{
	uint64_t count[PHASE_COUNT] = {0};
	const struct session *s;

	TAILQ_FOREACH (s, &screen->sessions, others)
		count[s->phase]++;
	begin(w, "sessions", "gauge", "Connections held now, by phase.");
	for (enum phase p = PHASE_PROXY; p < PHASE_DONE; p++)
		labelled(w, "phase", session_phase_name(p), count[p]);
}

static void
gauge(struct writer *w, const char *name, const char *help, uint64_t value)
{
	begin(w, name, "gauge", help);
	sample(w, value);
}

static void
write_gauges(struct writer *w, const struct control *c)
{
	const struct screen *screen = c->screen;
	struct cache *cache = screen->cache;

	write_phases(w, screen);
	gauge(w, "session_limit", "Connections that may be held at once.",
	    screen->policy->session_limit);
	gauge(w, "handoffs_waiting", "Clients that wait here for smtpd.",
	    screen->handoffs.waiting);
	gauge(w, "handoffs_in_flight",
	    "Clients given to smtpd that it has not taken yet.",
	    screen->handoffs.in_flight);
	gauge(w, "sessions_relayed", "Sessions that are relayed to smtpd now.",
	    screen->replays.active);
	gauge(w, "stress", "1 in stress mode.", screen->stress);
	gauge(w, "cache_usable", "1 when clients are remembered.",
	    cache != NULL && cache_is_usable(cache));
	gauge(w, "cache_changes_waiting",
	    "Changes not yet in the cache's file.",
	    cache != NULL ? cache_backlog(cache) : 0);
	gauge(w, "start_time_seconds", "When this process began.",
	    (uint64_t)c->host->since.s);
	begin(w, "build_info", "gauge", "The version that runs.");
	labelled(w, "version", DOORBELL_VERSION, 1);
}

static void
write_events(struct writer *w, const struct journal *j)
{
	char id[64];

	begin(w, "log_events_total", "counter",
	    "Log lines of this process, by what they tell.");
	for (int i = 0; i < EVENT_COUNT; i++) {
		(void)snprintf(id, sizeof(id), "%s", event_ids[i]);
		text_fold(id);
		labelled(w, "event", id, j->seen[i]);
	}
}

/* --- DNS lists --------------------------------------------------------------- */
static const struct list_metric {
	const char *name, *help;
	size_t offset;
} list_metrics[] = {
    {"dnsbl_list_queries_total", "Questions sent to a DNS list.",
	offsetof(struct dnsbl_health, queries)},
    {"dnsbl_list_listed_total", "Answers of a DNS list that count.",
	offsetof(struct dnsbl_health, listed)},
    {"dnsbl_list_only_total", "Clients that no other DNS list knew.",
	offsetof(struct dnsbl_health, only)},
    {"dnsbl_list_error_codes_total",
	"Answers by which a DNS list says that it does not serve us.",
	offsetof(struct dnsbl_health, error_codes)},
    {"dnsbl_list_failures_total", "Questions to a DNS list that failed.",
	offsetof(struct dnsbl_health, failures)},
    {"dnsbl_list_timeouts_total",
	"Questions that a DNS list did not answer in time.",
	offsetof(struct dnsbl_health, timeouts)},
    {"dnsbl_list_unasked_total",
	"Questions not sent because a DNS list is taken out or rests.",
	offsetof(struct dnsbl_health, unasked)},
};

static uint64_t
figure(const struct dnsbl_health *h, size_t offset)
{
	uint64_t n;

	memcpy(&n, (const char *)h + offset, sizeof(n));
	return n;
}

/* A name from a table is gone when the next one is asked for. */
struct names {
	size_t n;
	char *name[DNSBL_ZONES_MAX];
};

static int
names_keep(struct names *names, const struct policy *p)
{
	size_t n = dnsbl_zone_count(p->dnsbl);
	char *name;

	for (names->n = 0; names->n < n; names->n++) {
		name = mem_strdup(policy_zone_name(
		    p, dnsbl_zone_health(p->dnsbl, names->n)->zone));
		if (name == NULL)
			return -1;
		text_make_printable(name, strlen(name), true);
		names->name[names->n] = name;
	}
	return 0;
}

static void
names_clear(struct names *names)
{
	while (names->n > 0)
		mem_free(names->name[--names->n]);
}

/* The place of the first list of this name from `i` on; names->n: there is none
 * any more. */
static size_t
next_of(const struct names *names, const char *name, size_t i)
{
	while (i < names->n && strcmp(names->name[i], name) != 0)
		i++;
	return i;
}

static bool
is_first_of_its_name(const struct names *names, size_t i)
{
	return next_of(names, names->name[i], 0) == i;
}

static void
write_list_metric(struct writer *w, const struct dnsbl *bl,
    const struct names *names, const struct list_metric *m)
{
	begin(w, m->name, "counter", m->help);
	for (size_t i = 0; i < names->n; i++) {
		const char *name = names->name[i];
		uint64_t sum = 0;

		if (!is_first_of_its_name(names, i))
			continue;
		for (size_t j = i; j < names->n;
		     j = next_of(names, name, j + 1))
			sum += figure(dnsbl_zone_health(bl, j), m->offset);
		labelled(w, "list", name, sum);
	}
}

/* One of those that have the name is enough to be told of. */
static void
write_use(struct writer *w, const struct dnsbl *bl, const struct names *names)
{
	begin(w, "dnsbl_list_used", "gauge",
	    "0 while a DNS list is taken out or rests.");
	for (size_t i = 0; i < names->n; i++) {
		const char *name = names->name[i];
		bool used = true;

		if (!is_first_of_its_name(names, i))
			continue;
		for (size_t j = i; j < names->n;
		     j = next_of(names, name, j + 1))
			used &= dnsbl_zone_health(bl, j)->state == DNSBL_USED;
		labelled(w, "list", name, used);
	}
}

static void
write_lists(struct writer *w, const struct policy *p)
{
	struct names names;

	if (p->dnsbl == NULL)
		return;
	if (names_keep(&names, p) < 0)
		w->failed = true;
	for (size_t i = 0; i < sizeof(list_metrics) / sizeof(*list_metrics);
	     i++)
		write_list_metric(w, p->dnsbl, &names, &list_metrics[i]);
	write_use(w, p->dnsbl, &names);
	names_clear(&names);
}

int
metrics_write(
    const struct control *c, enum metrics_dialect dialect, struct buf *out)
{
	struct writer w = {.out = out, .dialect = dialect};

	write_counters(&w, c->screen->counters);
	write_waits(&w, c->screen->counters);
	write_gauges(&w, c);
	write_events(&w, &c->screen->journal);
	write_lists(&w, c->screen->policy);
	if (dialect == METRICS_OPEN)
		put(&w, "# EOF\n");
	return w.failed ? -1 : 0;
}

/* Who understands it says so; the order and weights of what it also
 * understands do not matter to us. */
enum metrics_dialect
metrics_dialect_for(const char *accept)
{
	static const char open_metrics[] = "application/openmetrics-text";
	struct span rest = span_str(accept), word, type;

	while (text_token(&rest, ",", &word)) {
		struct span part = word;

		if (!text_token(&part, ";", &type) ||
		    !span_is_nocase(span_trim(type), open_metrics))
			continue;
		while (text_token(&part, "; ", &word))
			if (span_is_nocase(word, "q=0") ||
			    span_is_nocase(word, "q=0.0"))
				return METRICS_TEXT;
		return METRICS_OPEN;
	}
	return METRICS_TEXT;
}

const char *
metrics_type(enum metrics_dialect dialect)
{
	return dialect == METRICS_OPEN
		   ? "application/openmetrics-text; version=1.0.0;"
		     " charset=utf-8"
		   : "text/plain; version=0.0.4; charset=utf-8";
}
