/* SPDX-License-Identifier: ISC */
/* lookup/dnsbl_spec.h - "zone=filter*weight" words of dnsbl_sites.
 *
 *	example.org*2			any answer counts 2 points
 *	example.org=127.0.0.4		only this address
 *	example.org=127.0.[0;2..5].[1..255]*-3	octet sets and ranges
 *
 * A zone that is named with several filters is one zone with several rules, so
 * that it is asked once.
 *
 * Owns:    a parsed spec owns its zones; dnsbl_spec_clear() gives them back.
 * Units:   points; weights from -DNSBL_WEIGHT_MAX to DNSBL_WEIGHT_MAX. Sums
 *          that leave the range of int stay at its ends.
 * Errors:  -1 with *why, which quotes the word. */
#ifndef DOORBELL_LOOKUP_DNSBL_SPEC_H
#define DOORBELL_LOOKUP_DNSBL_SPEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/errtext.h"
#include "base/text.h"

#define DNSBL_ZONE_MAX 180 /* bytes: an IPv6 query must fit in 253 */
#define DNSBL_ZONES_MAX 64
#define DNSBL_WEIGHT_MAX INT32_MAX

struct dnsbl_filter {
	bool any;             /* no filter was given */
	uint8_t narrow;       /* a bit for each octet that does not take all */
	uint32_t octet[4][8]; /* a bit for each value that matches */
};

struct dnsbl_rule {
	struct dnsbl_filter filter;
	int weight; /* points, may be negative or 0 */
};

struct dnsbl_zone_spec {
	char *name; /* lower case, no trailing dot */
	struct dnsbl_rule *rules;
	size_t rule_count;
};

struct dnsbl_spec {
	struct dnsbl_zone_spec *zones;
	size_t zone_count;
};

int dnsbl_spec_parse(
    struct span words, struct dnsbl_spec *spec_r, struct errtext *why);
void dnsbl_spec_clear(struct dnsbl_spec *spec);
/* "You are blocked", "you ask too much", or a domain that was sold: no listing,
 * unless a filter of this zone names the address; one that lets nearly all
 * values of an octet pass does not name any of them. */
bool dnsbl_zone_is_error(
    const struct dnsbl_zone_spec *zone, const struct addr *found);
/* Points that a set of A records earns in this zone: each rule at most once. */
int dnsbl_zone_points(
    const struct dnsbl_zone_spec *zone, const struct addr *found, size_t n);
/* The least and the most that any answer could earn, "not listed" included. */
void dnsbl_zone_range(
    const struct dnsbl_zone_spec *zone, int *low_r, int *high_r);
/* The largest single weight among the matching rules (for the reply);
 * DNSBL_NO_WEIGHT, which is below all weights, when no rule matches. */
#define DNSBL_NO_WEIGHT INT32_MIN
int dnsbl_zone_top_weight(
    const struct dnsbl_zone_spec *zone, const struct addr *found, size_t n);

/* "9.2.0.192.ZONE" or 32 nibbles and ZONE. Returns 0, or -1 if too long. */
#define DNSBL_NAME_MAX 256
int dnsbl_query_name(
    const struct addr *client, const char *zone, char out[DNSBL_NAME_MAX]);

#endif
