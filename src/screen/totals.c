/* SPDX-License-Identifier: ISC */
#include "screen/totals.h"

#include <errno.h>
#include <string.h>

#include "base/mem.h"

/* Most numbers of most hours are 0 or small: they are stored in base 128, so
 * that an hour takes some hundred bytes. */

enum { VERSION = 1, VARINT_MAX = 10 };

static const struct {
	const char *name, *help;
	bool is_peak;
} rows[FIGURE_COUNT] = {
#define SUM false
#define PEAK true
#define FIGURE(id, name, kind, n, help) [FIGURE_##id] = {name, help, kind},
#include "screen/figures.def"
#undef FIGURE
#undef PEAK
#undef SUM
};

static const int64_t bucket_ends_ms[TOTALS_BUCKETS - 1] = {100, 200, 500, 1000,
    1500, 2000, 3000, 4000, 5000, 6000, 7000, 8000, 10000, 15000, 20000, 30000,
    60000, 120000, 300000};

const char *
totals_name(enum figure figure)
{
	return rows[figure].name;
}

const char *
totals_help(enum figure figure)
{
	return rows[figure].help;
}

size_t
totals_bucket(int64_t ms)
{
	size_t i = 0;

	while (i < TOTALS_BUCKETS - 1 && ms > bucket_ends_ms[i])
		i++;
	return i;
}

int64_t
totals_bucket_end(size_t i)
{
	return i < TOTALS_BUCKETS - 1 ? bucket_ends_ms[i] : INT64_MAX;
}

static size_t
find_list(const struct totals *t, const char *name)
{
	size_t i = 0;

	while (i < t->lists &&
	       strncmp(t->list[i].name, name, TOTALS_NAME_MAX - 1) != 0)
		i++;
	return i;
}

struct totals_list *
totals_list(struct totals *t, const char *name)
{
	size_t i = find_list(t, name), n = strlen(name);

	if (i == TOTALS_LISTS_MAX || n == 0)
		return NULL;
	if (i == t->lists) {
		memset(&t->list[i], 0, sizeof(t->list[i]));
		memcpy(t->list[i].name, name,
		    n < TOTALS_NAME_MAX ? n : TOTALS_NAME_MAX - 1);
		t->lists++;
	}
	return &t->list[i];
}

/* --- one visit -------------------------------------------------------------- */

static enum figure
verdict_of(unsigned marks)
{
	static const struct {
		unsigned all; /* of these marks */
		enum figure figure;
	} verdicts[] = {
	    {VISIT_SHED, FIGURE_SHED},
	    {VISIT_EARLY | VISIT_LISTED, FIGURE_BOTH},
	    {VISIT_LISTED, FIGURE_LISTED},
	    {VISIT_EARLY, FIGURE_EARLY},
	    {VISIT_BUSY, FIGURE_BUSY},
	    {VISIT_ALLOWED, FIGURE_KNOWN},
	    {VISIT_LIMITED, FIGURE_LIMITED},
	    {VISIT_DENIED, FIGURE_DENIED},
	    {VISIT_DEEP, FIGURE_PROTOCOL},
	    {VISIT_NEW, FIGURE_NEW},
	    {VISIT_OLD, FIGURE_KNOWN},
	    {VISIT_HUNG_EARLY, FIGURE_HUNG_UP},
	    {VISIT_HUNG_LATE, FIGURE_HUNG_UP},
	};

	for (size_t i = 0; i < sizeof(verdicts) / sizeof(verdicts[0]); i++)
		if ((marks & verdicts[i].all) == verdicts[i].all)
			return verdicts[i].figure;
	return FIGURE_LEFT;
}

static enum figure
catcher_of(unsigned marks)
{
	if ((marks & VISIT_EARLY) != 0)
		return (marks & VISIT_LISTED) != 0 ? FIGURE_BY_BOTH
						   : FIGURE_BY_EARLY;
	return (marks & VISIT_LISTED) != 0 ? FIGURE_BY_LISTS : FIGURE_BY_NONE;
}

static uint64_t
blocking(const struct totals *t)
{
	uint64_t set = 0;

	for (size_t i = 0; i < t->lists; i++)
		if (t->list[i].use == TOTALS_USE_BLOCKS ||
		    t->list[i].use == TOTALS_USE_UNKNOWN)
			set |= (uint64_t)1 << i;
	return set;
}

void
totals_visit_lists(struct totals *t, const struct visit *v)
{
	uint64_t others = v->lists & blocking(t);

	if ((v->marks & VISIT_CAME) == 0)
		return;
	for (size_t i = 0; i < t->lists; i++) {
		if ((v->lists >> i & 1) == 0)
			continue;
		t->list[i].visits++;
		if ((others & ~((uint64_t)1 << i)) == 0)
			t->list[i].only++;
		for (size_t j = 0; j < t->lists; j++)
			if (j != i && (v->lists >> j & 1) != 0)
				t->list[i].with[j]++;
	}
}

void
totals_visit_figures(uint64_t *figure, const struct visit *v)
{
	enum figure verdict = verdict_of(v->marks);

	if ((v->marks & VISIT_CAME) == 0)
		return;
	figure[verdict]++;
	if (visit_was_tested(v))
		figure[catcher_of(v->marks)]++;
	if (verdict == FIGURE_NEW) {
		figure[FIGURE_WAIT_MS] += (uint64_t)v->wait_ms;
		figure[FIGURE_WAITS + totals_bucket(v->wait_ms)]++;
	}
	if ((v->marks & VISIT_HUNG_EARLY) != 0)
		figure[FIGURE_HANGUPS_EARLY + totals_bucket(v->hung_ms)]++;
	if ((v->marks & VISIT_HUNG_LATE) != 0)
		figure[FIGURE_HANGUPS_LATE + totals_bucket(v->hung_ms)]++;
	if ((v->marks & VISIT_INCOMPLETE) != 0)
		figure[FIGURE_INCOMPLETE]++;
	if ((v->marks & VISIT_FAILED) != 0 && (v->marks & VISIT_ENDED) == 0)
		figure[FIGURE_EXCUSED]++;
}

void
totals_visit(struct totals *t, const struct visit *v)
{
	totals_visit_figures(t->figure, v);
	totals_visit_lists(t, v);
}

void
totals_peak(uint64_t *figures, enum figure figure, uint64_t n)
{
	if (n > figures[figure])
		figures[figure] = n;
}

uint64_t
totals_burst(struct totals_burst *b, int64_t second)
{
	uint64_t sum = 0;

	if (second >= b->last + TOTALS_BURST_S || second < b->last)
		memset(b->count, 0, sizeof(b->count));
	else
		for (int64_t s = b->last + 1; s <= second; s++)
			b->count[s % TOTALS_BURST_S] = 0;
	b->last = second;
	b->count[second % TOTALS_BURST_S]++;
	for (size_t i = 0; i < TOTALS_BURST_S; i++)
		sum += b->count[i];
	return sum;
}

/* --- sums ------------------------------------------------------------------- */

void
totals_add_figures(uint64_t *to, const uint64_t *more)
{
	for (size_t i = 0; i < FIGURE_COUNT; i++) {
		if (!rows[i].is_peak)
			to[i] += more[i];
		else if (more[i] > to[i])
			to[i] = more[i];
	}
}

static void
add_list(struct totals *t, struct totals_list *to, const struct totals *more,
    const struct totals_list *from)
{
	size_t other;

	if (from->use != TOTALS_USE_UNKNOWN)
		to->use = from->use;
	to->visits += from->visits;
	to->only += from->only;
	to->queries += from->queries;
	to->failures += from->failures;
	to->timeouts += from->timeouts;
	to->error_codes += from->error_codes;
	to->unasked += from->unasked;
	for (size_t i = 0; i < DNSBL_LATENCY_BUCKETS; i++)
		to->latency[i] += from->latency[i];
	for (size_t i = 0; i < more->lists; i++) {
		other = find_list(t, more->list[i].name);
		if (from->with[i] > 0 && other < t->lists)
			to->with[other] += from->with[i];
	}
}

void
totals_add(struct totals *t, const struct totals *more)
{
	struct totals_list *to;

	totals_add_figures(t->figure, more->figure);
	for (size_t i = 0; i < more->lists; i++)
		(void)totals_list(t, more->list[i].name);
	for (size_t i = 0; i < more->lists; i++)
		if ((to = totals_list(t, more->list[i].name)) != NULL)
			add_list(t, to, more, &more->list[i]);
}

/* --- bytes ------------------------------------------------------------------ */

static int
put(struct buf *out, uint64_t number)
{
	char bytes[VARINT_MAX];
	size_t n = 0;

	for (; number >= 0x80; number >>= 7)
		bytes[n++] = (char)(number | 0x80);
	bytes[n++] = (char)number;
	return buf_add(out, bytes, n);
}

static int
put_all(struct buf *out, const uint64_t *numbers, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (put(out, numbers[i]) < 0)
			return -1;
	return 0;
}

static int
get(struct span *in, uint64_t *number_r)
{
	uint64_t number = 0;

	for (unsigned i = 0; i < VARINT_MAX && i < in->n; i++) {
		uint64_t byte = (uint8_t)in->p[i];

		number |= (byte & 0x7f) << (7 * i);
		if (byte < 0x80) {
			*in = span_of(in->p + i + 1, in->n - i - 1);
			*number_r = number;
			return 0;
		}
	}
	return errno = EINVAL, -1;
}

static int
get_all(struct span *in, uint64_t *numbers, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (get(in, &numbers[i]) < 0)
			return -1;
	return 0;
}

/* In the order in which they are stored. */
enum { LIST_NUMBERS = 8 + DNSBL_LATENCY_BUCKETS };

static void
list_to_numbers(const struct totals_list *l, uint64_t numbers[LIST_NUMBERS])
{
	const uint64_t first[] = {l->use, l->visits, l->only, l->queries,
	    l->failures, l->timeouts, l->error_codes, l->unasked};

	memcpy(numbers, first, sizeof(first));
	memcpy(numbers + 8, l->latency, sizeof(l->latency));
}

static void
list_from_numbers(struct totals_list *l, const uint64_t numbers[LIST_NUMBERS])
{
	l->use = numbers[0] <= TOTALS_USE_ALLOWS ? numbers[0] : 0;
	l->visits = numbers[1];
	l->only = numbers[2];
	l->queries = numbers[3];
	l->failures = numbers[4];
	l->timeouts = numbers[5];
	l->error_codes = numbers[6];
	l->unasked = numbers[7];
	memcpy(l->latency, numbers + 8, sizeof(l->latency));
}

static int
put_list(struct buf *out, const struct totals *t, const struct totals_list *l)
{
	uint64_t numbers[LIST_NUMBERS];
	size_t n = strlen(l->name);

	list_to_numbers(l, numbers);
	if (put(out, n) < 0 || buf_add(out, l->name, n) < 0 ||
	    put_all(out, numbers, LIST_NUMBERS) < 0)
		return -1;
	return put_all(out, l->with, t->lists);
}

int
totals_encode(const struct totals *t, struct buf *out)
{
	if (buf_add_char(out, VERSION) < 0 || put(out, FIGURE_COUNT) < 0 ||
	    put_all(out, t->figure, FIGURE_COUNT) < 0 || put(out, t->lists) < 0)
		return -1;
	for (size_t i = 0; i < t->lists; i++)
		if (put_list(out, t, &t->list[i]) < 0)
			return -1;
	return 0;
}

static int
get_list(struct span *in, const struct totals *t, struct totals_list *l)
{
	uint64_t numbers[LIST_NUMBERS] = {0}, n;

	if (get(in, &n) < 0)
		return -1;
	if (n == 0 || n >= TOTALS_NAME_MAX || n > in->n ||
	    memchr(in->p, '\0', n) != NULL)
		return errno = EINVAL, -1;
	memcpy(l->name, in->p, n);
	*in = span_of(in->p + n, in->n - n);
	if (get_all(in, numbers, LIST_NUMBERS) < 0)
		return -1;
	list_from_numbers(l, numbers);
	return get_all(in, l->with, t->lists);
}

/* Later figures are for a later release. */
static int
get_figures(struct span *in, struct totals *t)
{
	uint64_t n, number;

	if (get(in, &n) < 0)
		return -1;
	for (uint64_t i = 0; i < n; i++) {
		if (get(in, &number) < 0)
			return -1;
		if (i < FIGURE_COUNT)
			t->figure[i] = number;
	}
	return 0;
}

int
totals_decode(struct span in, struct totals *t_r)
{
	uint64_t lists;

	memset(t_r, 0, sizeof(*t_r));
	if (in.n == 0 || in.p[0] != VERSION)
		return errno = EINVAL, -1;
	in = span_of(in.p + 1, in.n - 1);
	if (get_figures(&in, t_r) < 0 || get(&in, &lists) < 0)
		return -1;
	if (lists > TOTALS_LISTS_MAX)
		return errno = EINVAL, -1;
	t_r->lists = (size_t)lists;
	for (size_t i = 0; i < t_r->lists; i++)
		if (get_list(&in, t_r, &t_r->list[i]) < 0)
			return -1;
	return in.n == 0 ? 0 : (errno = EINVAL, -1);
}

int
totals_merge(struct span stored, struct span more, struct buf *out)
{
	struct totals *both = mem_array(2, sizeof(*both));
	int rc = -1;

	if (both == NULL)
		return -1;
	if (totals_decode(stored, &both[0]) < 0)
		memset(&both[0], 0, sizeof(both[0]));
	if (totals_decode(more, &both[1]) == 0)
		totals_add(&both[0], &both[1]);
	rc = totals_encode(&both[0], out);
	mem_free(both);
	return rc;
}
