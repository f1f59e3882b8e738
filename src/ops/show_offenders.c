/* SPDX-License-Identifier: ISC */
#include "ops/show_offenders.h"

#include <string.h>

#include "base/addr.h"
#include "ops/show.h"

/* The forms for packet filters empty the sets and fill them again in one step,
 * so that nobody slips through meanwhile. Sets without a rule that uses them do
 * nothing: that rule is the administrator's. An entry whose prefix does not read
 * as one is not printed, whoever answered. */

#define NFT_TABLE "inet doorbell"

static const struct family {
	enum addr_family family;
	const char *set, *nft_type, *ipset_family;
} families[] = {
    {ADDR_IPV4, "offenders4", "ipv4_addr", "inet"},
    {ADDR_IPV6, "offenders6", "ipv6_addr", "inet6"},
};

enum { FAMILIES = sizeof(families) / sizeof(families[0]) };

static const struct json_value *
first_of(const struct json_value *v)
{
	const struct json_value *list = json_value_get(v, "offenders");

	return list != NULL ? list->first : NULL;
}

/* The prefix as text, or NULL when it is none of this family. */
static const char *
prefix_of(const struct json_value *o, const struct family *f)
{
	const char *text = json_value_text(o, "prefix");
	struct addr_block block;

	if (text == NULL ||
	    addr_block_parse(span_str(text), true, &block) < 0 ||
	    (f != NULL && block.base.family != f->family))
		return NULL;
	return text;
}

/* --- for people ------------------------------------------------------------- */

static void
show_text_form(const struct json_value *v, FILE *out)
{
	const struct json_value *offence;
	const char *front;

	fprintf(out, "%-43s %7s  %s\n", "PREFIX", "WEIGHT", "OFFENCES");
	for (const struct json_value *o = first_of(v); o != NULL; o = o->next) {
		show_text(out, json_value_text(o, "prefix"), 43);
		fprintf(
		    out, " %7lld  ", (long long)json_value_number(o, "weight"));
		front = "";
		offence = json_value_get(o, "offences");
		for (offence = offence != NULL ? offence->first : NULL;
		     offence != NULL; offence = offence->next) {
			fputs(front, out);
			show_text(out, offence->key, 0);
			fprintf(out, " %lld", (long long)offence->number);
			front = ", ";
		}
		fputc('\n', out);
	}
}

/* --- for packet filters ----------------------------------------------------- */

static void
show_nft(const struct json_value *v, FILE *out)
{
	long long seconds = (long long)json_value_number(v, "for");
	const char *prefix, *front;

	fputs("add table " NFT_TABLE "\n", out);
	for (size_t i = 0; i < FAMILIES; i++) {
		const struct family *f = &families[i];

		fprintf(out,
		    "add set " NFT_TABLE " %s"
		    " { type %s; flags interval, timeout; }\n"
		    "flush set " NFT_TABLE " %s\n",
		    f->set, f->nft_type, f->set);
		front = NULL;
		for (const struct json_value *o = first_of(v); o != NULL;
		     o = o->next) {
			if ((prefix = prefix_of(o, f)) == NULL)
				continue;
			if (front == NULL)
				fprintf(out, "add element " NFT_TABLE " %s {",
				    f->set);
			fprintf(out, "%s\n\t%s timeout %llds",
			    front != NULL ? front : "", prefix, seconds);
			front = ",";
		}
		if (front != NULL)
			fputs("\n}\n", out);
	}
}

/* A set that takes the place of the old one in one step. "create -exist" wants
 * the old one to be made just like it, so --for is said of members only. */
static void
show_ipset(const struct json_value *v, FILE *out)
{
	long long seconds = (long long)json_value_number(v, "for");
	const char *prefix;

	for (size_t i = 0; i < FAMILIES; i++) {
		const struct family *f = &families[i];

		for (size_t fresh = 0; fresh < 2; fresh++)
			fprintf(out,
			    "create doorbell-%s%s hash:net family %s timeout 0"
			    " -exist\n",
			    f->set, fresh ? "-new" : "", f->ipset_family);
		fprintf(out, "flush doorbell-%s-new\n", f->set);
		for (const struct json_value *o = first_of(v); o != NULL;
		     o = o->next)
			if ((prefix = prefix_of(o, f)) != NULL)
				fprintf(out,
				    "add doorbell-%s-new %s timeout %lld"
				    " -exist\n",
				    f->set, prefix, seconds);
		fprintf(out,
		    "swap doorbell-%s-new doorbell-%s\n"
		    "destroy doorbell-%s-new\n",
		    f->set, f->set, f->set);
	}
}

/* For doorbell_access_list, or for any other cidr table of Postfix's. */
static void
show_cidr(const struct json_value *v, FILE *out)
{
	const char *prefix;

	for (const struct json_value *o = first_of(v); o != NULL; o = o->next)
		if ((prefix = prefix_of(o, NULL)) != NULL)
			fprintf(out, "%s\treject\n", prefix);
}

void
show_offenders(const struct json_value *answer, FILE *out)
{
	static const struct {
		const char *name;
		void (*show)(const struct json_value *v, FILE *out);
	} forms[] = {
	    {"nft", show_nft},
	    {"ipset", show_ipset},
	    {"cidr", show_cidr},
	};
	const char *wanted = json_value_text(answer, "format");

	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		if (wanted != NULL && strcmp(wanted, forms[i].name) == 0) {
			forms[i].show(answer, out);
			return;
		}
	}
	show_text_form(answer, out);
}
