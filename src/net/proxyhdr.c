/* SPDX-License-Identifier: ISC */
#include "net/proxyhdr.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdint.h>
#include <string.h>

#include "base/must.h"
#include "base/num.h"

/* Both versions are in haproxy's proxy-protocol.txt. Version 1 is a line like
 *
 *	PROXY TCP4 192.0.2.9 198.51.100.25 40000 25
 *
 * and version 2 a signature of 12 bytes, version and command, family and
 * transport, and the length of what follows: two addresses, two ports, and
 * perhaps more (TLVs), which is passed over. A connection that the proxy makes
 * for itself, to see if we live, is LOCAL there and UNKNOWN here.
 *
 * Addresses end up in the attributes of a hand-off, and smtpd(8) dies of one
 * that its own parser does not like: 0.1.2.3 for one. Such are refused here. */

#define V1_START "PROXY "
#define V1_SEPARATORS " \r"
#define V2_SIGNATURE "\r\n\r\n\0\r\nQUIT\n"

enum {
	V2_VERSION_AND_COMMAND = 12, /* where what is */
	V2_FAMILY_AND_TRANSPORT = 13,
	V2_LENGTH = 14,
	V2_ADDRESSES = 16,
	V2_VERSION = 0x20,
	V2_LOCAL = 0x0,
	V2_PROXY = 0x1,
	V2_TCP4 = 0x11,
	V2_TCP6 = 0x21,
	PORT_BYTES = 2
};

/* What smtpd takes for an address: nothing of 0.0.0.0/8 but 0.0.0.0 itself,
 * also where inet_ntop(3) writes it as the end of an IPv6 address. */
static bool
is_usable(const struct addr *a)
{
	static const uint8_t zeros[12] = {0};
	const uint8_t *last = a->bytes;

	if (a->family == ADDR_IPV6) {
		if (memcmp(a->bytes, zeros, sizeof(zeros)) != 0)
			return true;
		last += sizeof(zeros);
		if (last[0] == 0 && last[1] == 0)
			return true; /* written as ::2 */
	}
	return last[0] != 0 || memcmp(last, zeros, 4) == 0;
}

/* --- version 1 ------------------------------------------------------------- */
static struct span
next_word(struct span *rest)
{
	struct span word = {NULL, 0};

	(void)text_token(rest, V1_SEPARATORS, &word);
	return word;
}

static bool
has_colon(struct span word)
{
	return word.n > 0 && memchr(word.p, ':', word.n) != NULL;
}

static bool
read_address(struct span word, bool ipv6, struct addr *out_r)
{
	return has_colon(word) == ipv6 && addr_parse(word, out_r) == 0 &&
	       is_usable(out_r);
}

static bool
read_port(struct span word, uint16_t *out_r)
{
	int64_t port;

	if (word.n > 1 && word.p[0] == '0')
		return false;
	if (num_parse(word, 0, UINT16_MAX, &port) < 0)
		return false;
	*out_r = (uint16_t)port;
	return true;
}

static const char *
parse_line(
    struct span rest, struct proxyhdr_families speaks, struct proxyhdr *h)
{
	struct span type = next_word(&rest);
	bool ipv6 = span_is_nocase(type, "TCP6");

	if (span_is_nocase(type, "UNKNOWN")) {
		h->local = true;
		return NULL;
	}
	if (!(ipv6 && speaks.ipv6) &&
	    !(span_is_nocase(type, "TCP4") && speaks.ipv4))
		return "bad or missing protocol type";
	if (!read_address(next_word(&rest), ipv6, &h->client.addr))
		return "bad or missing client address";
	if (!read_address(next_word(&rest), ipv6, &h->server.addr))
		return "bad or missing server address";
	if (!read_port(next_word(&rest), &h->client.port))
		return "bad or missing client port";
	if (!read_port(next_word(&rest), &h->server.port))
		return "bad or missing server port";
	return NULL;
}

static const char *
parse_v1(struct span in, struct proxyhdr_families speaks, struct proxyhdr *h)
{
	const char *end = memchr(in.p, '\n', in.n);
	const size_t start = sizeof(V1_START) - 1;

	if (end == NULL || memchr(in.p, '\0', (size_t)(end - in.p)) != NULL)
		return "missing protocol header terminator";
	h->used = (size_t)(end - in.p) + 1;
	return parse_line(
	    span_of(in.p + start, h->used - 1 - start), speaks, h);
}

/* --- version 2 ------------------------------------------------------------- */
static unsigned
byte_at(struct span in, size_t at)
{
	return (unsigned char)in.p[at];
}

static uint16_t
number_at(struct span in, size_t at)
{
	return (uint16_t)(byte_at(in, at) << 8 | byte_at(in, at + 1));
}

/* By way of a sockaddr, where mapped addresses turn into IPv4. */
static bool
read_endpoint(struct span in, size_t address, size_t port, bool ipv6,
    struct endpoint *out_r)
{
	struct sockaddr_in in4 = {.sin_family = AF_INET};
	struct sockaddr_in6 in6 = {.sin6_family = AF_INET6};
	struct sockaddr_storage sa = {0};

	if (ipv6) {
		memcpy(&in6.sin6_addr, in.p + address, sizeof(in6.sin6_addr));
		memcpy(&sa, &in6, sizeof(in6));
	} else {
		memcpy(&in4.sin_addr, in.p + address, sizeof(in4.sin_addr));
		memcpy(&sa, &in4, sizeof(in4));
	}
	must(endpoint_from_sockaddr((struct sockaddr *)&sa, out_r) == 0);
	if (!is_usable(&out_r->addr))
		return false;
	out_r->port = number_at(in, port);
	return true;
}

static const char *
parse_addresses(struct span in, bool ipv6, struct proxyhdr *h)
{
	const size_t size = ipv6 ? 16 : 4;
	const size_t ports = V2_ADDRESSES + 2 * size;

	if (h->used < ports + 2 * PORT_BYTES)
		return "short address field";
	if (!read_endpoint(in, V2_ADDRESSES, ports, ipv6, &h->client))
		return "client network address conversion error";
	if (!read_endpoint(
		in, V2_ADDRESSES + size, ports + PORT_BYTES, ipv6, &h->server))
		return "server network address conversion error";
	return NULL;
}

static const char *
parse_announced(
    struct span in, struct proxyhdr_families speaks, struct proxyhdr *h)
{
	switch (byte_at(in, V2_FAMILY_AND_TRANSPORT)) {
	case V2_TCP4:
		if (!speaks.ipv4)
			return "Postfix IPv4 support is disabled";
		return parse_addresses(in, false, h);
	case V2_TCP6:
		if (!speaks.ipv6)
			return "Postfix IPv6 support is disabled";
		return parse_addresses(in, true, h);
	default:
		return "unsupported network protocol";
	}
}

static const char *
parse_v2(struct span in, struct proxyhdr_families speaks, struct proxyhdr *h)
{
	unsigned command;

	if (in.n < V2_ADDRESSES)
		return "short protocol header";
	if (memcmp(in.p, V2_SIGNATURE, V2_VERSION_AND_COMMAND) != 0)
		return "unrecognized protocol header";
	command = byte_at(in, V2_VERSION_AND_COMMAND);
	if ((command & 0xf0) != V2_VERSION)
		return "unrecognized protocol version";
	h->used = V2_ADDRESSES + (size_t)number_at(in, V2_LENGTH);
	if (h->used > in.n)
		return "short version 2 protocol header";
	switch (command & 0x0f) {
	case V2_LOCAL:
		h->local = true;
		return NULL;
	case V2_PROXY:
		return parse_announced(in, speaks, h);
	default:
		return "bad command in proxy header";
	}
}

int
proxyhdr_parse(
    struct span in, struct proxyhdr_families speaks, struct proxyhdr *out_r)
{
	struct proxyhdr h = {0};

	if (in.n > PROXYHDR_MAX)
		in.n = PROXYHDR_MAX;
	if (span_has_prefix(in, V1_START))
		h.why = parse_v1(in, speaks, &h);
	else
		h.why = parse_v2(in, speaks, &h);
	*out_r = h;
	return h.why == NULL ? 0 : -1;
}
