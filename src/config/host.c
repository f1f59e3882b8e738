/* SPDX-License-Identifier: ISC */
#include "config/host.h"

#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netdb.h>
#include <string.h>
#include <unistd.h>

#include "base/addr.h"

/* The addresses of the interfaces come in the kernel's order, IPv4 listed
 * before IPv6. A name in inet_interfaces is looked up in the way of the C
 * library, which may ask a name server; that happens only when the admin left
 * mynetworks alone and named hosts in inet_interfaces. */

#define DEFAULT_DOMAIN "localdomain"

int
host_name(const char *domain, struct buf *out, struct errtext *why)
{
	char name[256] = "";

	if (gethostname(name, sizeof(name) - 1) < 0) {
		errtext_set(why, "gethostname: %s", strerror(errno));
		return -1;
	}
	errtext_set(why, "the host name is too long");
	if (strchr(name, '.') != NULL)
		return buf_add_str(out, name);
	return buf_printf(
	    out, "%s.%s", name, domain != NULL ? domain : DEFAULT_DOMAIN);
}

int
host_domain(const char *name, struct buf *out, struct errtext *why)
{
	const char *dot = strchr(name, '.');

	errtext_set(why, "the domain is too long");
	return buf_add_str(out, dot != NULL ? dot + 1 : DEFAULT_DOMAIN);
}

enum style { STYLE_CLASS, STYLE_SUBNET, STYLE_HOST };
enum which { WHICH_ALL, WHICH_LOOPBACK, WHICH_NAMED };
enum { NAMED_MAX = 256 };

struct search {
	enum style style;
	bool ipv4, ipv6;
	bool is_hurried;
	enum which which;
	struct addr named[NAMED_MAX]; /* for WHICH_NAMED */
	size_t named_n;
	struct ifaddrs *own;
	struct buf *out;
	struct errtext *why;
	size_t start; /* where our text in `out` begins */
};

static int
read_style(const char *text, enum style *style_r, struct errtext *why)
{
	static const char *const names[] = {
	    [STYLE_CLASS] = "class",
	    [STYLE_SUBNET] = "subnet",
	    [STYLE_HOST] = "host",
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(text, names[i]) == 0) {
			*style_r = (enum style)i;
			return 0;
		}
	errtext_set(why, "unknown mynetworks_style \"%.60s\"", text);
	return -1;
}

static int
read_protocols(const char *text, struct search *s)
{
	struct span rest = span_str(text), word;

	while (text_token(&rest, TEXT_LIST_SEPARATORS, &word)) {
		bool all = span_is(word, "all");

		if (!all && !span_is(word, "ipv4") && !span_is(word, "ipv6")) {
			errtext_set(s->why,
			    "unknown protocol \"%.*s\" in inet_protocols",
			    word.n < 60 ? (int)word.n : 60, word.p);
			return -1;
		}
		s->ipv4 |= all || span_is(word, "ipv4");
		s->ipv6 |= all || span_is(word, "ipv6");
	}
	return 0;
}

static bool
is_usable(const struct search *s, const struct ifaddrs *own, struct addr *r)
{
	struct endpoint e;

	if (own->ifa_addr == NULL || (own->ifa_flags & IFF_UP) == 0 ||
	    endpoint_from_sockaddr(own->ifa_addr, &e) < 0)
		return false;
	*r = e.addr;
	return e.addr.family == ADDR_IPV4 ? s->ipv4 : s->ipv6;
}

static unsigned
mask_bits(const struct sockaddr *mask, const struct addr *a)
{
	struct endpoint e;
	unsigned bits = 0, most = addr_bits(a);

	if (mask == NULL || endpoint_from_sockaddr(mask, &e) < 0)
		return most;
	while (bits < most && (e.addr.bytes[bits / 8] & (0x80 >> bits % 8)))
		bits++;
	return bits;
}

/* The classes of RFC 791; IPv6 never had any. */
static unsigned
class_bits(const struct addr *a)
{
	enum { CLASS_B = 128, CLASS_C = 192, CLASS_D = 224 };

	if (a->bytes[0] < CLASS_B)
		return 8;
	if (a->bytes[0] < CLASS_C)
		return 16;
	return a->bytes[0] < CLASS_D ? 24 : 32;
}

static unsigned
network_bits(
    const struct search *s, const struct ifaddrs *own, const struct addr *a)
{
	if (s->style == STYLE_HOST)
		return addr_bits(a);
	if (s->style == STYLE_CLASS && a->family == ADDR_IPV4)
		return class_bits(a);
	return mask_bits(own->ifa_netmask, a);
}

/* Two addresses of one network make one word. */
static bool
is_listed(const struct search *s, struct span network)
{
	struct span rest = buf_span(s->out), word;

	if (rest.n == s->start)
		return false;
	rest = span_of(rest.p + s->start, rest.n - s->start);
	while (text_token(&rest, " ", &word))
		if (word.n == network.n &&
		    memcmp(word.p, network.p, word.n) == 0)
			return true;
	return false;
}

static int
add_network(struct search *s, const struct ifaddrs *own, const struct addr *a)
{
	unsigned bits = network_bits(s, own, a);
	struct addr base = addr_masked(a, bits);
	char text[ADDR_TEXT_MAX];
	struct buf network;
	bool v6 = a->family == ADDR_IPV6;
	int rc = -1;

	buf_init(&network, ADDR_TEXT_MAX + sizeof("[]/128"));
	if (buf_printf(&network, v6 ? "[%s]/%u" : "%s/%u",
		addr_format(&base, text), bits) < 0)
		goto done;
	rc = 0;
	if (!is_listed(s, buf_span(&network)))
		rc = buf_printf(s->out, "%s%s", s->out->n > s->start ? " " : "",
		    buf_str(&network));
done:
	buf_clear(&network);
	return rc;
}

static bool
is_chosen(const struct search *s, const struct addr *a)
{
	if (s->which == WHICH_ALL)
		return true;
	if (s->which == WHICH_LOOPBACK)
		return addr_is_loopback(a);
	for (size_t i = 0; i < s->named_n; i++)
		if (addr_equal(a, &s->named[i]))
			return true;
	return false;
}

static int
add_family(struct search *s, enum addr_family family)
{
	struct addr a;

	for (struct ifaddrs *own = s->own; own != NULL; own = own->ifa_next)
		if (is_usable(s, own, &a) && a.family == family &&
		    is_chosen(s, &a) && add_network(s, own, &a) < 0)
			return -1;
	return 0;
}

static int
add_named(struct search *s, const struct addr *a)
{
	char text[ADDR_TEXT_MAX];
	struct addr own_addr;

	if (s->named_n == NAMED_MAX) {
		errtext_set(s->why, "too many addresses in inet_interfaces");
		return -1;
	}
	for (struct ifaddrs *own = s->own; own != NULL; own = own->ifa_next)
		if (is_usable(s, own, &own_addr) && addr_equal(a, &own_addr)) {
			s->named[s->named_n++] = *a;
			return 0;
		}
	errtext_set(s->why, "inet_interfaces: this host does not have %s",
	    addr_format(a, text));
	return -1;
}

static int
add_host(struct search *s, const char *name)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *list, *at;
	struct endpoint e;
	int rc;

	if (s->is_hurried) {
		errtext_set(s->why,
		    "inet_interfaces: %.100s: names are looked up at the start"
		    " only: restart, or set mynetworks",
		    name);
		return -1;
	}
	hints.ai_family = !s->ipv6 ? AF_INET : s->ipv4 ? AF_UNSPEC : AF_INET6;
	rc = getaddrinfo(name, NULL, &hints, &list);
	if (rc != 0) {
		errtext_set(s->why, "inet_interfaces: %.100s: %s", name,
		    gai_strerror(rc));
		return -1;
	}
	for (at = list; at != NULL && rc == 0; at = at->ai_next)
		if (endpoint_from_sockaddr(at->ai_addr, &e) == 0)
			rc = add_named(s, &e.addr);
	freeaddrinfo(list);
	return rc;
}

static int
add_word(struct search *s, struct span word)
{
	struct span numeric = word;
	char name[256];
	struct addr a;

	if (word.n > 2 && word.p[0] == '[' && word.p[word.n - 1] == ']')
		numeric = span_of(word.p + 1, word.n - 2);
	if (addr_parse(numeric, &a) == 0)
		return add_named(s, &a);
	if (word.n >= sizeof(name)) {
		errtext_set(s->why, "inet_interfaces: name too long");
		return -1;
	}
	memcpy(name, word.p, word.n);
	name[word.n] = '\0';
	return add_host(s, name);
}

static int
read_interfaces(const char *text, struct search *s)
{
	struct span rest = span_trim(span_str(text)), word;

	if (span_is(rest, "all")) {
		s->which = WHICH_ALL;
		return 0;
	}
	if (span_is(rest, "loopback-only")) {
		s->which = WHICH_LOOPBACK;
		return 0;
	}
	s->which = WHICH_NAMED;
	while (text_token(&rest, TEXT_LIST_SEPARATORS, &word))
		if (add_word(s, word) < 0)
			return -1;
	return 0;
}

int
host_networks(const char *style, const char *interfaces, const char *protocols,
    bool is_hurried, struct buf *out, struct errtext *why)
{
	struct search s = {
	    .is_hurried = is_hurried, .out = out, .why = why, .start = out->n};
	int rc = -1;

	if (read_style(style, &s.style, why) < 0 ||
	    read_protocols(protocols, &s) < 0)
		return -1;
	if (getifaddrs(&s.own) < 0) {
		errtext_set(why, "getifaddrs: %s", strerror(errno));
		return -1;
	}
	if (read_interfaces(interfaces, &s) < 0)
		goto done;
	errtext_set(why, "mynetworks is too long");
	if (add_family(&s, ADDR_IPV4) == 0 && add_family(&s, ADDR_IPV6) == 0)
		rc = 0;
done:
	freeifaddrs(s.own);
	return rc;
}
