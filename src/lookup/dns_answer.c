/* SPDX-License-Identifier: ISC */
#include "lookup/dns_answer.h"

/* libresolv's ns_initparse() checks that all records lie within the message and
 * ns_parserr() walks them; names and record data are ours to read. ns_parserr()
 * is quick only when records are asked for in order, which is what happens.
 *
 * RFC 2308: "no such name" and "no such record" may be remembered for the
 * smaller of the TTL of the SOA record in the authority section and its MINIMUM
 * field, which is the last of its five numbers. RFC 2181 8: a TTL with the
 * first bit set means zero. */

#include <arpa/nameser.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

enum {
	SOA_BYTES_MIN = 22, /* two names of one byte each, five numbers */
};

static uint32_t
number_at(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 |
	       (uint32_t)p[2] << 8 | p[3];
}

static uint32_t
ttl_of(uint32_t raw)
{
	return raw > INT32_MAX ? 0 : raw;
}

static void
take_ttl(struct resolver_answer *answer, uint32_t raw)
{
	uint32_t ttl = ttl_of(raw);

	if (!answer->has_ttl || ttl < answer->ttl_s)
		answer->ttl_s = ttl;
	answer->has_ttl = true;
}

static void
take_address(struct resolver_answer *answer, const uint8_t *bytes)
{
	struct addr *a;

	if (answer->n == RESOLVER_ADDR_MAX)
		return;
	a = &answer->addr[answer->n++];
	*a = (struct addr){.family = ADDR_IPV4};
	memcpy(a->bytes, bytes, NS_INADDRSZ);
}

static void
fail(struct resolver_answer *answer, const char *why)
{
	*answer =
	    (struct resolver_answer){.status = RESOLVER_FAILED, .why = why};
}

/* The name that was asked for; -1 when the question is not for an A record. */
static int
read_question(ns_msg *msg, char name[NS_MAXDNAME])
{
	ns_rr rr;

	if (ns_msg_count(*msg, ns_s_qd) != 1 ||
	    ns_parserr(msg, ns_s_qd, 0, &rr) < 0)
		return -1;
	if (ns_rr_type(rr) != ns_t_a || ns_rr_class(rr) != ns_c_in)
		return -1;
	snprintf(name, NS_MAXDNAME, "%s", ns_rr_name(rr));
	return 0;
}

/* One record of the answer section. `name` is whose address is wanted, and
 * changes at an alias. */
static int
read_record(
    ns_msg *msg, int i, char name[NS_MAXDNAME], struct resolver_answer *answer)
{
	ns_rr rr;

	if (ns_parserr(msg, ns_s_an, i, &rr) < 0)
		return -1;
	if (ns_rr_class(rr) != ns_c_in ||
	    !span_is_nocase(span_str(ns_rr_name(rr)), name))
		return 0;
	if (ns_rr_type(rr) == ns_t_cname) {
		if (ns_name_uncompress(ns_msg_base(*msg), ns_msg_end(*msg),
			ns_rr_rdata(rr), name, NS_MAXDNAME) < 0)
			return -1;
		take_ttl(answer, ns_rr_ttl(rr));
	} else if (ns_rr_type(rr) == ns_t_a) {
		if (ns_rr_rdlen(rr) != NS_INADDRSZ)
			return -1;
		take_address(answer, ns_rr_rdata(rr));
		take_ttl(answer, ns_rr_ttl(rr));
	}
	return 0;
}

/* How long "no" may be remembered; the TTLs of aliases that led to the "no"
 * count too. */
static int
read_negative_ttl(ns_msg *msg, struct resolver_answer *answer)
{
	ns_rr rr;

	for (int i = 0; i < ns_msg_count(*msg, ns_s_ns); i++) {
		const uint8_t *end;

		if (ns_parserr(msg, ns_s_ns, i, &rr) < 0)
			return -1;
		if (ns_rr_type(rr) != ns_t_soa || ns_rr_class(rr) != ns_c_in)
			continue;
		if (ns_rr_rdlen(rr) < SOA_BYTES_MIN)
			return -1;
		end = ns_rr_rdata(rr) + ns_rr_rdlen(rr);
		take_ttl(answer, ns_rr_ttl(rr));
		take_ttl(answer, number_at(end - 4));
		return 0;
	}
	/* Without a SOA nothing says how long; an alias alone does not. */
	answer->has_ttl = false;
	answer->ttl_s = 0;
	return 0;
}

static const char *
failure_name(int rcode)
{
	switch (rcode) {
	case ns_r_formerr:
		return "format error";
	case ns_r_servfail:
		return "server failure";
	case ns_r_notimpl:
		return "not implemented";
	case ns_r_refused:
		return "query refused";
	default:
		return "strange response code";
	}
}

/* What is missing may be the very record; only "no such name" needs none. */
static bool
is_cut_off(const ns_msg *msg)
{
	return ns_msg_getflag(*msg, ns_f_tc) &&
	       ns_msg_getflag(*msg, ns_f_rcode) == ns_r_noerror;
}

/* All that hangs on the records; -1 when they are garbled. */
static int
read_sections(ns_msg *msg, struct resolver_answer *answer)
{
	char name[NS_MAXDNAME];

	if (read_question(msg, name) < 0)
		return -1;
	for (int i = 0; i < ns_msg_count(*msg, ns_s_an); i++)
		if (read_record(msg, i, name, answer) < 0)
			return -1;
	/* "No such name" is about the end of a chain of aliases. */
	if (answer->n > 0 && ns_msg_getflag(*msg, ns_f_rcode) == ns_r_noerror)
		return 0;
	if (is_cut_off(msg)) {
		fail(answer, "truncated answer");
		return 0;
	}
	answer->status = RESOLVER_ABSENT;
	memset(answer->addr, 0, sizeof(answer->addr));
	answer->n = 0;
	return read_negative_ttl(msg, answer);
}

void
dns_answer_parse(
    const uint8_t *bytes, size_t n, struct resolver_answer *answer_r)
{
	bool truncated;
	ns_msg msg;
	int rcode;

	*answer_r = (struct resolver_answer){.status = RESOLVER_FOUND};
	if (n > INT_MAX || ns_initparse(bytes, (int)n, &msg) < 0 ||
	    ns_msg_getflag(msg, ns_f_qr) == 0) {
		fail(answer_r, "garbled answer");
		return;
	}
	rcode = ns_msg_getflag(msg, ns_f_rcode);
	truncated = ns_msg_getflag(msg, ns_f_tc) && rcode == ns_r_noerror;
	if (rcode != ns_r_noerror && rcode != ns_r_nxdomain)
		fail(answer_r, failure_name(rcode));
	else if (read_sections(&msg, answer_r) < 0)
		fail(answer_r,
		    truncated ? "truncated answer" : "garbled answer");
	answer_r->truncated = truncated;
}
