/* SPDX-License-Identifier: ISC */
#include "net/tls_spec.h"

#include <errno.h>
#include <string.h>

/* The words are Postfix's (TLS_README, postconf(5) smtpd_tls_protocols). They
 * are kept apart from OpenSSL so that every word can be tried without keys.
 * "aNULL:-aNULL" makes a list that has anonymous ciphers, last, only where a
 * later word asks for them. */

#define LIST_SEPARATORS ":, \t\r\n"

enum { NO_VERSION = -1, SSL2 = 0x0002, KNOWN = 0x1f };

static const struct {
	const char *name;
	int version;
} versions[] = {
    {"SSLv2", SSL2},
    {"SSLv3", TLS_SPEC_SSL3},
    {"TLSv1", 0x0301},
    {"TLSv1.0", 0x0301},
    {"TLSv1.1", 0x0302},
    {"TLSv1.2", 0x0303},
    {"TLSv1.3", TLS_SPEC_TLS1_3},
};

static const struct {
	const char *name, *list;
} grades[] = {
    {"high", "aNULL:-aNULL:HIGH:@STRENGTH"},
    {"medium", "aNULL:-aNULL:HIGH:MEDIUM:+RC4:@STRENGTH"},
    {"low", "aNULL:-aNULL:HIGH:MEDIUM:LOW:+RC4:@STRENGTH"},
    {"export", "aNULL:-aNULL:HIGH:MEDIUM:LOW:EXPORT:+RC4:@STRENGTH"},
    {"null", "eNULL:!aNULL"},
};

static int
version_by_name(struct span word)
{
	for (size_t i = 0; i < sizeof(versions) / sizeof(*versions); i++) {
		if (span_is_nocase(word, versions[i].name))
			return versions[i].version;
	}
	return NO_VERSION;
}

/* Bounds may also be the four hexadecimal digits of the wire. */
static int
version_of_bound(struct span word)
{
	int version = version_by_name(word);

	if (version != NO_VERSION)
		return version;
	if (span_has_prefix(word, "0x"))
		word = span_of(word.p + 2, word.n - 2);
	if (word.n == 4 && span_has_prefix(word, "030") && word.p[3] >= '0' &&
	    word.p[3] <= '4')
		return TLS_SPEC_SSL3 + (word.p[3] - '0');
	return NO_VERSION;
}

/* One word of the list; those that are named without a mark go to *included. */
static int
take_word(struct span word, struct tls_protocols *p, unsigned *included)
{
	bool floor = span_has_prefix(word, ">=");
	bool ceiling = span_has_prefix(word, "<=");
	bool excluded = span_has_prefix(word, "!");
	size_t mark = floor || ceiling ? 2 : excluded ? 1 : 0;
	struct span name = span_trim(span_of(word.p + mark, word.n - mark));
	int version =
	    floor || ceiling ? version_of_bound(name) : version_by_name(name);

	if (version == NO_VERSION)
		return -1;
	if (floor)
		p->min = version == SSL2 ? 0 : version;
	else if (ceiling)
		p->max = version;
	else if (version == SSL2)
		return 0;
	else if (excluded)
		p->excluded |= TLS_SPEC_BIT(version);
	else
		*included |= TLS_SPEC_BIT(version);
	return 0;
}

int
tls_spec_protocols(
    struct span list, struct tls_protocols *protocols_r, struct errtext *why)
{
	struct tls_protocols p = {0};
	struct span rest = list, word;
	unsigned included = 0;

	while (text_token(&rest, LIST_SEPARATORS, &word)) {
		if (take_word(word, &p, &included) < 0) {
			errtext_set(why, "unknown TLS protocol \"%.*s\"",
			    (int)word.n, word.p);
			return -1;
		}
	}
	if (included != 0)
		p.excluded |= KNOWN & ~included;
	if (p.excluded == KNOWN || (p.max != 0 && p.max < p.min)) {
		errtext_set(why, "no TLS protocol is left of \"%.*s\"",
		    (int)list.n, list.p);
		return -1;
	}
	*protocols_r = p;
	return 0;
}

static const char *
list_of_grade(struct span grade)
{
	for (size_t i = 0; i < sizeof(grades) / sizeof(*grades); i++) {
		if (span_is_nocase(grade, grades[i].name))
			return grades[i].list;
	}
	return NULL;
}

int
tls_spec_ciphers(struct span grade, struct span excluded, struct buf *out,
    struct errtext *why)
{
	const char *list = list_of_grade(span_trim(grade));
	struct span word;

	if (list == NULL) {
		errtext_set(why, "unknown TLS cipher grade \"%.*s\"",
		    (int)grade.n, grade.p);
		return -1;
	}
	if (buf_add_str(out, list) < 0)
		goto failed;
	while (text_token(&excluded, LIST_SEPARATORS, &word)) {
		if (buf_add_str(out, ":!") < 0 ||
		    buf_add(out, word.p, word.n) < 0)
			goto failed;
	}
	return 0;
failed:
	errtext_set(why, "TLS cipher list: %s", strerror(errno));
	return -1;
}
