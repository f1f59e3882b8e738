/* SPDX-License-Identifier: ISC */
#include "net/tls_witness.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

/* A script of records: who says it, its type, the length of its payload; '.' is
 * a moment of rest. */
struct record {
	char who; /* 'c', 's', '.', 0: the end */
	uint8_t type;
	uint16_t n;
};

enum { RECORDS_MAX = 12 };

static const struct {
	const char *name;
	struct record records[RECORDS_MAX];
	bool proven, not_tls;
	size_t said;
} cases[] = {
    {"TLS 1.3, with tickets",
	{{'c', 22, 500}, {'s', 22, 90}, {'s', 23, 900}, {'c', 20, 1},
	    {'c', 23, 53}, {'.', 0, 0}, {'s', 23, 200}},
	true, false, 53},
    {"TLS 1.3, an answer to the next command",
	{{'c', 22, 500}, {'s', 22, 90}, {'s', 23, 900}, {'c', 23, 53},
	    {'c', 23, 40}, {'s', 23, 99}, {'.', 0, 0}, {'c', 23, 40},
	    {'s', 23, 31}},
	true, false, 133},
    {"TLS 1.2",
	{{'c', 22, 500}, {'s', 22, 90}, {'c', 22, 70}, {'c', 20, 1},
	    {'c', 22, 40}, {'s', 20, 1}, {'s', 22, 40}, {'c', 23, 40},
	    {'.', 0, 0}, {'s', 23, 99}},
	true, false, 40},
    {"no rest: it may have been said before",
	{{'c', 22, 500}, {'c', 23, 53}, {'s', 22, 90}, {'s', 23, 900},
	    {'s', 23, 900}, {'s', 23, 900}},
	false, false, 0},
    {"rest before the client has spoken",
	{{'c', 22, 500}, {'s', 22, 90}, {'.', 0, 0}, {'s', 23, 900}}, false,
	false, 0},
    {"an alert of TLS 1.3", {{'c', 23, 600}, {'.', 0, 0}, {'s', 23, 19}}, false,
	false, 600},
    {"an alert of TLS 1.2", {{'c', 23, 600}, {'.', 0, 0}, {'s', 21, 2}}, false,
	true, 600},
    {"early data, then a second hello",
	{{'c', 22, 500}, {'c', 23, 600}, {'s', 22, 90}, {'.', 0, 0},
	    {'c', 22, 500}, {'s', 22, 90}, {'s', 23, 900}},
	false, false, 0},
    {"a handshake of the server's begins anew",
	{{'c', 23, 600}, {'.', 0, 0}, {'s', 22, 90}, {'s', 23, 900}}, false,
	false, 0},
    {"not TLS: type", {{'c', 24, 10}}, false, true, 0},
    {"not TLS: type, below", {{'s', 19, 10}}, false, true, 0},
    {"not TLS: too long", {{'c', 23, 16384 + 2049}}, false, true, 0},
    {"empty records say nothing", {{'c', 23, 0}, {'.', 0, 0}, {'s', 23, 900}},
	false, false, 0},
};

static void
pass(struct tls_witness *w, char who, const char *p, size_t n, size_t piece)
{
	while (n > 0) {
		size_t now = n < piece ? n : piece;

		if (who == 'c')
			tls_witness_client(w, span_of(p, now));
		else
			tls_witness_server(w, span_of(p, now));
		p += now;
		n -= now;
	}
}

static void
play(struct tls_witness *w, const struct record *r, size_t piece)
{
	static char bytes[5 + UINT16_MAX];

	for (size_t i = 0; i < RECORDS_MAX && r[i].who != 0; i++) {
		if (r[i].who == '.') {
			tls_witness_rest(w);
			continue;
		}
		bytes[0] = (char)r[i].type;
		bytes[1] = 3;
		bytes[2] = 3;
		bytes[3] = (char)(r[i].n >> 8);
		bytes[4] = (char)(r[i].n & 0xff);
		memset(bytes + 5, 23, r[i].n);
		pass(w, r[i].who, bytes, 5 + (size_t)r[i].n, piece);
	}
}

static void
records_prove_what_they_prove(void **state)
{
	static const size_t pieces[] = {SIZE_MAX, 1, 7};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		for (size_t k = 0; k < sizeof(pieces) / sizeof(*pieces); k++) {
			struct tls_witness w = {0};

			play(&w, cases[i].records, pieces[k]);
			if (w.proven != cases[i].proven ||
			    w.not_tls != cases[i].not_tls ||
			    w.said != cases[i].said)
				fail_msg("%s: proven %d, not TLS %d, said %zu",
				    cases[i].name, w.proven, w.not_tls, w.said);
		}
	}
}

/* A record that the server was in the middle of is no answer. */
static void
rest_within_a_record_is_none(void **state)
{
	static const char record[] = "\x17\x03\x03\x00\x20"
				     "0123456789abcdef0123456789abcdef";

	(void)state;
	for (size_t cut = 1; cut < sizeof(record) - 1; cut++) {
		struct tls_witness w = {0};

		tls_witness_client(&w, span_of(record, sizeof(record) - 1));
		tls_witness_server(&w, span_of(record, cut));
		tls_witness_rest(&w);
		tls_witness_server(
		    &w, span_of(record + cut, sizeof(record) - 1 - cut));
		tls_witness_server(&w, span_of(record, sizeof(record) - 1));
		if (w.proven)
			fail_msg("cut at %zu", cut);
	}
}

static void
only_version_3_is_tls(void **state)
{
	struct tls_witness w = {0};

	(void)state;
	tls_witness_client(&w, span_str("\x17\x02\x03\x01\x01"));
	assert_true(w.not_tls);
	tls_witness_rest(&w);
	assert_false(w.heard);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(records_prove_what_they_prove),
	    cmocka_unit_test(rest_within_a_record_is_none),
	    cmocka_unit_test(only_version_3_is_tls),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
