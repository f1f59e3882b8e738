/* SPDX-License-Identifier: ISC */
#include "lookup/dnsbl_spec.h"

/* A word is cut at its first '*', then at its first '=', as postscreen does, so
 * that a mistake is reported for the part that holds it. An octet set is a bit
 * set: a range costs nothing later, when answers are compared.
 *
 * The range of a zone is exact for what a set of answers can earn when its
 * filters are independent of each other: an address that is not listed earns 0;
 * one that is earns all rules without a filter, and any subset of the others.
 *
 * Error codes: 127.255.255.0/24 and 127.0.0.255 are how lists say that they do
 * not serve us; 127.0.0.1 must never be an answer (RFC 5782 section 2.1), and
 * an address outside 127.0.0.0/8 is that of somebody's web server. */

#include <errno.h>
#include <limits.h>
#include <string.h>

#include "base/mem.h"
#include "base/num.h"

enum {
	LABEL_MAX = 63,
	OCTETS = 4,
	NARROW_MAX = 253, /* values of an octet; [1..254] is "any" */
};

static int
clamped(int64_t points)
{
	if (points > INT_MAX)
		return INT_MAX;
	return points < INT_MIN ? INT_MIN : (int)points;
}

/* --- filters ------------------------------------------------------------ */
static bool
take(struct span *in, char c)
{
	if (in->n == 0 || in->p[0] != c)
		return false;
	*in = span_of(in->p + 1, in->n - 1);
	return true;
}

static int
take_number(struct span *in, unsigned *value_r)
{
	struct span digits = span_of(in->p, 0);
	int64_t value;

	while (digits.n < in->n && text_is_digit(in->p[digits.n]))
		digits.n++;
	if (num_parse(digits, 0, UINT8_MAX, &value) < 0)
		return -1;
	*in = span_of(in->p + digits.n, in->n - digits.n);
	*value_r = (unsigned)value;
	return 0;
}

/* One number, or with `ranges` also "a..b", into the set. */
static int
take_values(struct span *in, bool ranges, uint32_t octet[8])
{
	unsigned first, last;

	if (take_number(in, &first) < 0)
		return -1;
	last = first;
	if (ranges && take(in, '.')) {
		if (!take(in, '.') || take_number(in, &last) < 0)
			return -1;
	}
	if (last < first)
		return -1;
	for (unsigned v = first; v <= last; v++)
		octet[v / 32] |= (uint32_t)1 << v % 32;
	return 0;
}

static int
take_octet(struct span *in, uint32_t octet[8])
{
	if (!take(in, '['))
		return take_values(in, false, octet);
	do {
		if (take_values(in, true, octet) < 0)
			return -1;
	} while (take(in, ';'));
	return take(in, ']') ? 0 : -1;
}

static bool
octet_is_narrow(const uint32_t octet[8])
{
	unsigned n = 0;

	for (unsigned i = 0; i < 8; i++)
		for (uint32_t bits = octet[i]; bits != 0; bits &= bits - 1)
			n++;
	return n <= NARROW_MAX;
}

static int
filter_parse(struct span in, struct dnsbl_filter *filter_r)
{
	memset(filter_r, 0, sizeof(*filter_r));
	for (unsigned i = 0; i < OCTETS; i++) {
		if (i > 0 && !take(&in, '.'))
			return -1;
		if (take_octet(&in, filter_r->octet[i]) < 0)
			return -1;
		if (octet_is_narrow(filter_r->octet[i]))
			filter_r->narrow |= (uint8_t)(1u << i);
	}
	return in.n == 0 ? 0 : -1;
}

static bool
filter_has(const struct dnsbl_filter *f, const struct addr *a)
{
	if (f->any)
		return true;
	if (a->family != ADDR_IPV4)
		return false;
	for (unsigned i = 0; i < OCTETS; i++) {
		unsigned v = a->bytes[i];

		if ((f->octet[i][v / 32] >> v % 32 & 1) == 0)
			return false;
	}
	return true;
}

/* --- words -------------------------------------------------------------- */
struct parts {
	struct span zone, filter, weight;
	bool has_filter, has_weight;
};

/* Cut `in` before the first `c`; what follows it goes to *tail_r. */
static bool
cut(struct span *in, char c, struct span *tail_r)
{
	const char *at = in->n > 0 ? memchr(in->p, c, in->n) : NULL;
	size_t head;

	if (at == NULL)
		return false;
	head = (size_t)(at - in->p);
	*tail_r = span_of(at + 1, in->n - head - 1);
	in->n = head;
	return true;
}

static struct parts
split(struct span word)
{
	struct parts parts = {.zone = word};

	parts.has_weight = cut(&parts.zone, '*', &parts.weight);
	parts.has_filter = cut(&parts.zone, '=', &parts.filter);
	if (parts.zone.n > 0 && parts.zone.p[parts.zone.n - 1] == '.')
		parts.zone.n--;
	return parts;
}

static bool
label_is_valid(struct span label)
{
	if (label.n == 0 || label.n > LABEL_MAX)
		return false;
	for (size_t i = 0; i < label.n; i++) {
		char c = label.p[i];

		if (!text_is_alnum(c) && c != '-' && c != '_')
			return false;
	}
	return label.p[0] != '-' && label.p[label.n - 1] != '-';
}

/* A host name with at least one letter: "127.0.0.4" is a filter in the wrong
 * place. */
static bool
zone_name_is_valid(struct span name)
{
	struct span rest = name, tail = {0};
	bool has_letter = false, more;

	if (name.n > DNSBL_ZONE_MAX)
		return false;
	for (size_t i = 0; i < name.n; i++)
		has_letter |=
		    text_is_alnum(name.p[i]) && !text_is_digit(name.p[i]);
	do {
		more = cut(&rest, '.', &tail);
		if (!label_is_valid(rest))
			return false;
		rest = tail;
	} while (more);
	return has_letter;
}

static int
weight_parse(struct span in, int *weight_r)
{
	int64_t value;

	if (in.n > 1 && in.p[0] == '+' && text_is_digit(in.p[1]))
		in = span_of(in.p + 1, in.n - 1);
	if (num_parse(in, -DNSBL_WEIGHT_MAX, DNSBL_WEIGHT_MAX, &value) < 0)
		return -1;
	*weight_r = (int)value;
	return 0;
}

static int
rule_parse(
    const struct parts *parts, struct dnsbl_rule *rule_r, const char **wrong_r)
{
	rule_r->filter = (struct dnsbl_filter){.any = !parts->has_filter};
	rule_r->weight = 1;
	if (!zone_name_is_valid(parts->zone))
		*wrong_r = "domain name";
	else if (parts->has_filter &&
		 filter_parse(parts->filter, &rule_r->filter) < 0)
		*wrong_r = "filter";
	else if (parts->has_weight &&
		 weight_parse(parts->weight, &rule_r->weight) < 0)
		*wrong_r = "weight";
	else
		return 0;
	errno = EINVAL;
	return -1;
}

/* --- the list ----------------------------------------------------------- */
/* The zone of that name, new when there is none yet. */
static struct dnsbl_zone_spec *
zone_get(struct dnsbl_spec *spec, struct span name)
{
	struct dnsbl_zone_spec *zone;

	for (size_t i = 0; i < spec->zone_count; i++)
		if (span_is_nocase(name, spec->zones[i].name))
			return &spec->zones[i];
	zone = &spec->zones[spec->zone_count];
	if ((zone->name = mem_strndup(name.p, name.n)) == NULL)
		return NULL;
	text_fold(zone->name);
	spec->zone_count++;
	return zone;
}

static int
zone_add_rule(struct dnsbl_zone_spec *zone, const struct dnsbl_rule *rule)
{
	struct dnsbl_rule *rules =
	    mem_resize(zone->rules, zone->rule_count + 1, sizeof(*rules));

	if (rules == NULL)
		return -1;
	zone->rules = rules;
	zone->rules[zone->rule_count++] = *rule;
	return 0;
}

/* A customer's key is one of the first labels of a name: an error tells the last
 * two, and what stands behind the name. */
static struct span
without_key(struct span word, size_t name_n, const char **front_r)
{
	size_t labels = 0, from;

	for (from = name_n; from > 0; from--)
		if (word.p[from - 1] != '.' &&
		    (from == name_n || word.p[from] == '.') && ++labels > 2)
			break;
	*front_r = from > 0 ? "..." : "";
	while (from > 0 && word.p[from] == '.')
		from++;
	return span_of(word.p + from, word.n - from);
}

static void
complain(
    struct span word, size_t name_n, const char *wrong, struct errtext *why)
{
	const char *front;
	struct span rest = without_key(word, name_n, &front);

	errtext_set(why, "bad DNSBL %s in \"%s%.*s\"", wrong, front,
	    (int)(rest.n < 200 ? rest.n : 200), rest.p);
}

static void
complain_of_surplus(const char *name, struct errtext *why)
{
	const char *front;
	struct span rest = without_key(span_str(name), strlen(name), &front);

	errtext_set(why, "\"%s%.*s\" is one DNSBL too many: %d are allowed",
	    front, (int)rest.n, rest.p, DNSBL_ZONES_MAX);
}

static int
word_add(struct dnsbl_spec *spec, struct span word, struct errtext *why)
{
	struct parts parts = split(word);
	struct dnsbl_zone_spec *zone;
	struct dnsbl_rule rule;
	const char *wrong;

	if (rule_parse(&parts, &rule, &wrong) < 0) {
		complain(word, parts.zone.n, wrong, why);
		return -1;
	}
	if ((zone = zone_get(spec, parts.zone)) == NULL ||
	    zone_add_rule(zone, &rule) < 0) {
		errtext_set(why, "out of memory");
		return -1;
	}
	if (spec->zone_count > DNSBL_ZONES_MAX) {
		complain_of_surplus(zone->name, why);
		errno = E2BIG;
		return -1;
	}
	return 0;
}

int
dnsbl_spec_parse(
    struct span words, struct dnsbl_spec *spec_r, struct errtext *why)
{
	struct dnsbl_spec spec = {0};
	struct span word;

	*spec_r = spec;
	/* One more than allowed, so that the surplus zone can be named. */
	spec.zones = mem_array(DNSBL_ZONES_MAX + 1, sizeof(*spec.zones));
	if (spec.zones == NULL) {
		errtext_set(why, "out of memory");
		return -1;
	}
	while (text_token(&words, TEXT_LIST_SEPARATORS, &word)) {
		if (word_add(&spec, word, why) < 0) {
			dnsbl_spec_clear(&spec);
			return -1;
		}
	}
	*spec_r = spec;
	return 0;
}

void
dnsbl_spec_clear(struct dnsbl_spec *spec)
{
	/* A zone that failed to get its first rule is counted already. */
	for (size_t i = 0; i < spec->zone_count; i++) {
		mem_free(spec->zones[i].name);
		mem_free(spec->zones[i].rules);
	}
	mem_free(spec->zones);
	*spec = (struct dnsbl_spec){0};
}

/* --- points ------------------------------------------------------------- */
static bool
rule_matches(const struct dnsbl_rule *rule, const struct addr *found, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (filter_has(&rule->filter, &found[i]))
			return true;
	return false;
}

/* The octets (a bit for each) that make an address an error code; 0: it is
 * none. */
static unsigned
error_octets(const struct addr *a)
{
	const uint8_t *b = a->bytes;

	if (a->family != ADDR_IPV4 || b[0] != 127)
		return 1u;
	if (b[1] == 255 && b[2] == 255)
		return 1u << 1 | 1u << 2;
	if (b[1] == 0 && b[2] == 0 && (b[3] == 1 || b[3] == 255))
		return 1u << 1 | 1u << 2 | 1u << 3;
	return 0;
}

bool
dnsbl_zone_is_error(
    const struct dnsbl_zone_spec *zone, const struct addr *found)
{
	unsigned octets = error_octets(found);

	if (octets == 0)
		return false;
	for (size_t i = 0; i < zone->rule_count; i++) {
		const struct dnsbl_filter *f = &zone->rules[i].filter;

		if (!f->any && (f->narrow & octets) == octets &&
		    filter_has(f, found))
			return false;
	}
	return true;
}

int
dnsbl_zone_points(
    const struct dnsbl_zone_spec *zone, const struct addr *found, size_t n)
{
	int64_t points = 0;

	for (size_t i = 0; i < zone->rule_count; i++)
		if (rule_matches(&zone->rules[i], found, n))
			points += zone->rules[i].weight;
	return clamped(points);
}

void
dnsbl_zone_range(const struct dnsbl_zone_spec *zone, int *low_r, int *high_r)
{
	int64_t low = 0, high = 0;

	for (size_t i = 0; i < zone->rule_count; i++) {
		int weight = zone->rules[i].weight;

		if (zone->rules[i].filter.any || weight < 0)
			low += weight;
		if (zone->rules[i].filter.any || weight > 0)
			high += weight;
	}
	*low_r = low < 0 ? clamped(low) : 0;
	*high_r = high > 0 ? clamped(high) : 0;
}

int
dnsbl_zone_top_weight(
    const struct dnsbl_zone_spec *zone, const struct addr *found, size_t n)
{
	int top = DNSBL_NO_WEIGHT;

	for (size_t i = 0; i < zone->rule_count; i++)
		if (zone->rules[i].weight > top &&
		    rule_matches(&zone->rules[i], found, n))
			top = zone->rules[i].weight;
	return top;
}

/* --- names -------------------------------------------------------------- */
/* The octets or nibbles of the address, last first, each with its dot.
 * Returns how many bytes were written: at most 64. */
static size_t
reversed(const struct addr *client, char *out)
{
	static const char hex[] = "0123456789abcdef";
	size_t n = 0;

	for (unsigned i = addr_byte_count(client); i-- > 0;) {
		unsigned v = client->bytes[i];

		if (client->family == ADDR_IPV6) {
			out[n++] = hex[v & 0xf];
			out[n++] = '.';
			out[n++] = hex[v >> 4];
		} else {
			if (v >= 100)
				out[n++] = hex[v / 100];
			if (v >= 10)
				out[n++] = hex[v / 10 % 10];
			out[n++] = hex[v % 10];
		}
		out[n++] = '.';
	}
	return n;
}

int
dnsbl_query_name(
    const struct addr *client, const char *zone, char out[DNSBL_NAME_MAX])
{
	size_t n, zone_n = strlen(zone);

	if (client->family != ADDR_IPV4 && client->family != ADDR_IPV6)
		return -1;
	if (zone_n > DNSBL_ZONE_MAX)
		return -1;
	n = reversed(client, out);
	memcpy(out + n, zone, zone_n + 1);
	return 0;
}
