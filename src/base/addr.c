/* SPDX-License-Identifier: ISC */
#include "base/addr.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

#include "base/must.h"
#include "base/num.h"

/* Every way in - text, sockaddr - ends in from_ipv4() or from_ipv6(), and the
 * latter is where v4-mapped addresses (RFC 4291 section 2.5.5.2) turn into
 * IPv4. Bytes behind the address are zero, which lets callers hash and
 * compare whole structs. */

#define MAPPED_PREFIX_BITS 96

static struct addr
from_ipv4(const void *bytes)
{
	struct addr a = {.family = ADDR_IPV4};

	memcpy(a.bytes, bytes, 4);
	return a;
}

static struct addr
from_ipv6(const void *bytes)
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
	struct addr a = {.family = ADDR_IPV6};

	memcpy(a.bytes, bytes, 16);
	if (memcmp(a.bytes, mapped, sizeof(mapped)) == 0)
		return from_ipv4(a.bytes + sizeof(mapped));
	return a;
}

static bool
looks_like_ipv6(struct span in)
{
	return in.n > 0 && memchr(in.p, ':', in.n) != NULL;
}

int
addr_parse(struct span in, struct addr *out_r)
{
	char text[ADDR_TEXT_MAX];
	uint8_t bytes[16];

	if (in.n == 0 || in.n >= sizeof(text) ||
	    memchr(in.p, '\0', in.n) != NULL)
		return -1;
	memcpy(text, in.p, in.n);
	text[in.n] = '\0';
	if (looks_like_ipv6(in)) {
		if (inet_pton(AF_INET6, text, bytes) != 1)
			return -1;
		*out_r = from_ipv6(bytes);
	} else {
		if (inet_pton(AF_INET, text, bytes) != 1)
			return -1;
		*out_r = from_ipv4(bytes);
	}
	return 0;
}

/* Returns the end, where there is no NUL yet. */
static char *
put_ipv4(char *p, const uint8_t bytes[4])
{
	for (int i = 0; i < 4; i++) {
		if (i > 0)
			*p++ = '.';
		p = text_put_number(p, bytes[i]);
	}
	return p;
}

char *
addr_format(const struct addr *a, char out[ADDR_TEXT_MAX])
{
	if (a->family == ADDR_IPV4)
		*put_ipv4(out, a->bytes) = '\0';
	else if (a->family == ADDR_NONE ||
		 inet_ntop(AF_INET6, a->bytes, out, ADDR_TEXT_MAX) == NULL)
		*text_put(out, "unknown") = '\0';
	return out;
}

bool
addr_equal(const struct addr *a, const struct addr *b)
{
	return a->family == b->family &&
	       memcmp(a->bytes, b->bytes, sizeof(a->bytes)) == 0;
}

bool
addr_is_loopback(const struct addr *a)
{
	static const struct addr loopback6 = {ADDR_IPV6, {[15] = 1}};

	return a->family == ADDR_IPV4 ? a->bytes[0] == 127
				      : addr_equal(a, &loopback6);
}

unsigned
addr_bits(const struct addr *a)
{
	return addr_byte_count(a) * 8;
}

unsigned
addr_byte_count(const struct addr *a)
{
	return a->family == ADDR_IPV4 ? 4 : 16;
}

struct addr
addr_masked(const struct addr *a, unsigned bits)
{
	struct addr masked = {.family = a->family};
	unsigned whole = bits / 8;

	must(bits <= addr_bits(a));
	memcpy(masked.bytes, a->bytes, whole);
	if (bits % 8 != 0)
		masked.bytes[whole] =
		    (uint8_t)(a->bytes[whole] & (0xff00u >> bits % 8));
	return masked;
}

/* A length written for the mapped form counts the 96 bits in front. Below 96
 * the block would be all of IPv4 and a piece of IPv6: surely a mistake. */
static int
parse_length(struct span in, bool mapped, const struct addr *a, int64_t *bits_r)
{
	int64_t skipped = mapped ? MAPPED_PREFIX_BITS : 0;

	if (num_parse(in, skipped, skipped + addr_bits(a), bits_r) < 0)
		return -1;
	*bits_r -= skipped;
	return 0;
}

int
addr_block_parse(struct span in, bool lax, struct addr_block *out_r)
{
	const char *slash = in.n > 0 ? memchr(in.p, '/', in.n) : NULL;
	struct span text = in, length;
	struct addr a, base;
	int64_t bits;
	bool mapped;

	if (slash != NULL)
		text.n = (size_t)(slash - in.p);
	if (addr_parse(text, &a) < 0)
		return -1;
	bits = addr_bits(&a);
	if (slash != NULL) {
		length = span_of(slash + 1, in.n - text.n - 1);
		mapped = looks_like_ipv6(text) && a.family == ADDR_IPV4;
		if (parse_length(length, mapped, &a, &bits) < 0)
			return -1;
	}
	base = addr_masked(&a, (unsigned)bits);
	if (!lax && !addr_equal(&base, &a))
		return -1;
	*out_r = (struct addr_block){.base = base, .bits = (uint8_t)bits};
	return 0;
}

bool
addr_block_has(const struct addr_block *block, const struct addr *a)
{
	unsigned whole = block->bits / 8u, odd = block->bits % 8u;

	if (block->base.family != a->family)
		return false;
	if (memcmp(block->base.bytes, a->bytes, whole) != 0)
		return false;
	return odd == 0 ||
	       ((block->base.bytes[whole] ^ a->bytes[whole]) >> (8 - odd)) == 0;
}

int
endpoint_from_sockaddr(const struct sockaddr *sa, struct endpoint *out_r)
{
	struct sockaddr_in in4;
	struct sockaddr_in6 in6;

	switch (sa->sa_family) {
	case AF_INET:
		memcpy(&in4, sa, sizeof(in4));
		out_r->addr = from_ipv4(&in4.sin_addr);
		out_r->port = ntohs(in4.sin_port);
		return 0;
	case AF_INET6:
		memcpy(&in6, sa, sizeof(in6));
		out_r->addr = from_ipv6(&in6.sin6_addr);
		out_r->port = ntohs(in6.sin6_port);
		return 0;
	default:
		return -1;
	}
}

socklen_t
endpoint_to_sockaddr(const struct endpoint *e, struct sockaddr_storage *out_r)
{
	struct sockaddr_in in4 = {.sin_family = AF_INET};
	struct sockaddr_in6 in6 = {.sin6_family = AF_INET6};

	memset(out_r, 0, sizeof(*out_r));
	if (e->addr.family == ADDR_IPV4) {
		in4.sin_port = htons(e->port);
		memcpy(&in4.sin_addr, e->addr.bytes, 4);
		memcpy(out_r, &in4, sizeof(in4));
		return sizeof(in4);
	}
	must(e->addr.family == ADDR_IPV6);
	in6.sin6_port = htons(e->port);
	memcpy(&in6.sin6_addr, e->addr.bytes, 16);
	memcpy(out_r, &in6, sizeof(in6));
	return sizeof(in6);
}

char *
endpoint_format(const struct endpoint *e, char out[ENDPOINT_TEXT_MAX])
{
	char text[ADDR_TEXT_MAX], *p = out;

	p = text_put(p, "[");
	p = text_put(p, addr_format(&e->addr, text));
	p = text_put(p, "]:");
	*text_put_number(p, e->port) = '\0';
	return out;
}
