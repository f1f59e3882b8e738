/* SPDX-License-Identifier: ISC */
/* Any text as dnsbl_sites: no crash, and what is accepted keeps its promises
 * (names that can be asked, points within the range). */
#include "lookup/dnsbl_spec.h"

#include <stdlib.h>
#include <string.h>

#include "base/must.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static void
check_zone(const struct dnsbl_zone_spec *zone)
{
	static const struct addr found[] = {
	    {ADDR_IPV4, {127, 0, 0, 2}}, {ADDR_IPV4, {127, 0, 0, 255}}};
	static const struct addr client = {
	    ADDR_IPV6, {0xff, 0xff, 0xff, 0xff, 0xff}};
	char name[DNSBL_NAME_MAX];
	int low, high;

	must(zone->rule_count > 0);
	must(dnsbl_query_name(&client, zone->name, name) == 0);
	must(strlen(name) <= 253);
	dnsbl_zone_range(zone, &low, &high);
	must(low <= 0 && high >= 0);
	for (size_t i = 0; i <= 2; i++) {
		int points = dnsbl_zone_points(zone, found, i);

		must(points >= low && points <= high);
		must(i > 0 ||
		     dnsbl_zone_top_weight(zone, found, i) == DNSBL_NO_WEIGHT);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	struct errtext why = {""};
	struct dnsbl_spec spec;
	char *copy = malloc(n > 0 ? n : 1); /* exact: reading past it is seen */

	must(copy != NULL);
	memcpy(copy, bytes, n);
	if (dnsbl_spec_parse(span_of(copy, n), &spec, &why) < 0)
		must(why.text[0] != '\0' && spec.zone_count == 0);
	for (size_t i = 0; i < spec.zone_count; i++)
		check_zone(&spec.zones[i]);
	dnsbl_spec_clear(&spec);
	free(copy);
	return 0;
}
