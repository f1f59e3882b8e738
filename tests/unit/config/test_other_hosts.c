/* SPDX-License-Identifier: ISC */
/* links: given_addr */
#undef _FORTIFY_SOURCE /* gethostname() is inline with it */
#include "config/host.h"

#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netdb.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/addr.h"
#include "support/given_addr.h"

/* config/host on machines of all kinds: what the C library would say is here.
 * What it says of the real one is in test_host.c. */

enum { INTERFACES_MAX = 300, FOUND_MAX = 8 };

/* --- the machine ------------------------------------------------------------- */
struct card {
	const char *address; /* NULL: none */
	const char *mask;    /* NULL: none */
	unsigned flags;
};

static const char *own_name; /* NULL: the call fails */
static const struct card *cards;
static size_t card_count;
static bool cards_are_hidden;
static const char *found[FOUND_MAX + 1]; /* of any name; none: the call fails */
static char asked[256];
static int asked_family;
static int lists; /* that nobody has freed */

int
gethostname(char *name, size_t n)
{
	if (own_name == NULL) {
		errno = EPERM;
		return -1;
	}
	strncpy(name, own_name, n); /* without a NUL, if it does not fit */
	return 0;
}

static void
fill(struct sockaddr_storage *sa, const char *text)
{
	const struct endpoint e = given_endpoint(text, 0);

	(void)endpoint_to_sockaddr(&e, sa);
}

struct own {
	struct ifaddrs entry;
	struct sockaddr_storage address, mask;
};

int
getifaddrs(struct ifaddrs **list)
{
	struct own *all = calloc(card_count + 1, sizeof(*all));

	if (cards_are_hidden || all == NULL) {
		free(all);
		errno = ENOBUFS;
		return -1;
	}
	/* The first one has no address that we know: a card itself. */
	all[0].address.ss_family = AF_PACKET;
	all[0].entry.ifa_addr = (struct sockaddr *)&all[0].address;
	all[0].entry.ifa_flags = IFF_UP;
	for (size_t i = 0; i < card_count; i++) {
		struct own *own = &all[i + 1];

		all[i].entry.ifa_next = &own->entry;
		own->entry.ifa_flags = cards[i].flags;
		if (cards[i].address != NULL) {
			fill(&own->address, cards[i].address);
			own->entry.ifa_addr = (struct sockaddr *)&own->address;
		}
		if (cards[i].mask != NULL) {
			fill(&own->mask, cards[i].mask);
			own->entry.ifa_netmask = (struct sockaddr *)&own->mask;
		}
	}
	*list = &all[0].entry;
	lists++;
	return 0;
}

void
freeifaddrs(struct ifaddrs *list)
{
	lists--;
	free(list);
}

struct answer {
	struct addrinfo info;
	struct sockaddr_storage address;
};

int
getaddrinfo(const char *name, const char *service, const struct addrinfo *hints,
    struct addrinfo **list)
{
	struct answer *all = calloc(FOUND_MAX + 1, sizeof(*all));

	assert_null(service);
	assert_non_null(all);
	snprintf(asked, sizeof(asked), "%s", name);
	asked_family = hints->ai_family;
	if (found[0] == NULL) {
		free(all);
		return EAI_NONAME;
	}
	for (size_t i = 0; found[i] != NULL; i++) {
		if (i > 0)
			all[i - 1].info.ai_next = &all[i].info;
		all[i].address.ss_family = AF_UNIX; /* "" */
		if (found[i][0] != '\0')
			fill(&all[i].address, found[i]);
		all[i].info.ai_addr = (struct sockaddr *)&all[i].address;
	}
	*list = &all[0].info;
	lists++;
	return 0;
}

void
freeaddrinfo(struct addrinfo *list)
{
	lists--;
	free(list);
}

static int
set_up(void **state)
{
	static const struct card usual[] = {
	    {"127.0.0.1", "255.0.0.0", IFF_UP},
	    {"::1", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", IFF_UP},
	    {"10.1.2.3", "255.255.0.0", IFF_UP},
	    {"2001:db8:1:2::3", "ffff:ffff:ffff:ffff::", IFF_UP},
	    {"172.16.77.1", "255.255.240.0", IFF_UP},
	    {"198.51.100.25", "255.255.255.128", IFF_UP},
	    {"198.51.100.26", "255.255.255.128", IFF_UP},
	    {"203.0.113.9", NULL, IFF_UP},
	    {"224.0.0.5", "255.255.255.0", IFF_UP},
	    {"192.0.2.1", "255.255.255.0", 0},
	    {NULL, NULL, IFF_UP},
	};

	(void)state;
	own_name = "mx";
	cards = usual;
	card_count = sizeof(usual) / sizeof(*usual);
	cards_are_hidden = false;
	memset(found, 0, sizeof(found));
	asked[0] = '\0';
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	assert_int_equal(lists, 0);
	return 0;
}

/* --- its name ------------------------------------------------------------------ */
static void
expect_name(const char *name, const char *domain, const char *want)
{
	struct errtext why;
	struct buf got;

	own_name = name;
	buf_init(&got, 1000);
	assert_int_equal(host_name(domain, &got, &why), 0);
	assert_string_equal(buf_str(&got), want);
	buf_clear(&got);
}

static void
test_name(void **state)
{
	char longest[300], want[300];
	struct errtext why;
	struct buf got;

	(void)state;
	expect_name("mx.example.org", NULL, "mx.example.org");
	expect_name("mx.example.org", "other.test", "mx.example.org");
	expect_name("mx", NULL, "mx.localdomain");
	expect_name("mx", "example.org", "mx.example.org");
	/* The kernel cuts it, and puts no NUL behind it. */
	memset(longest, 'x', sizeof(longest));
	longest[299] = '\0';
	snprintf(want, sizeof(want), "%.255s.test", longest);
	expect_name(longest, "test", want);
	own_name = NULL;
	buf_init(&got, 1000);
	assert_int_equal(host_name(NULL, &got, &why), -1);
	assert_string_equal(why.text, "gethostname: Operation not permitted");
	buf_clear(&got);
}

/* --- its networks ----------------------------------------------------------------- */
static const struct {
	const char *style, *interfaces, *protocols, *want;
} cases[] = {
    {"host", "all", "ipv4",
	"127.0.0.1/32 10.1.2.3/32 172.16.77.1/32 198.51.100.25/32"
	" 198.51.100.26/32 203.0.113.9/32 224.0.0.5/32"},
    {"subnet", "all", "ipv4",
	"127.0.0.0/8 10.1.0.0/16 172.16.64.0/20 198.51.100.0/25"
	" 203.0.113.9/32 224.0.0.0/24"},
    {"class", "all", "ipv4",
	"127.0.0.0/8 10.0.0.0/8 172.16.0.0/16 198.51.100.0/24 203.0.113.0/24"
	" 224.0.0.5/32"},
    /* IPv6 has no classes. */
    {"class", "all", "ipv6", "[::1]/128 [2001:db8:1:2::]/64"},
    {"host", "all", "ipv6", "[::1]/128 [2001:db8:1:2::3]/128"},
    /* IPv4 goes first, whatever the kernel thinks. */
    {"subnet", "loopback-only", "all", "127.0.0.0/8 [::1]/128"},
    {"subnet", " loopback-only ", "ipv6, ipv4", "127.0.0.0/8 [::1]/128"},
    {"subnet", "[2001:db8:1:2::3], 10.1.2.3", "all",
	"10.1.0.0/16 [2001:db8:1:2::]/64"},
    {"subnet", "198.51.100.26\t198.51.100.25", "all", "198.51.100.0/25"},
};

static int
ask(const char *style, const char *interfaces, const char *protocols,
    size_t room, char text[1024])
{
	struct errtext why = {""};
	struct buf got;
	int rc;

	buf_init(&got, room);
	assert_int_equal(buf_add_str(&got, "before "), 0);
	rc = host_networks(style, interfaces, protocols, false, &got, &why);
	assert_true(span_has_prefix(buf_span(&got), "before "));
	snprintf(text, 1024, "%s", rc == 0 ? buf_str(&got) + 7 : why.text);
	buf_clear(&got);
	return rc;
}

static void
test_networks(void **state)
{
	char text[1024];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		if (ask(cases[i].style, cases[i].interfaces, cases[i].protocols,
			10000, text) < 0 ||
		    strcmp(text, cases[i].want) != 0)
			fail_msg("%s %s %s: %s", cases[i].style,
			    cases[i].interfaces, cases[i].protocols, text);
}

static void
test_mistakes(void **state)
{
	static const struct {
		const char *style, *interfaces, *protocols, *want;
	} wrong[] = {
	    {"Host", "all", "all", "unknown mynetworks_style \"Host\""},
	    {"host", "all", "ipv4 and ipv6",
		"unknown protocol \"and\" in inet_protocols"},
	    {"host", "192.0.2.1", "all",
		"inet_interfaces: this host does not have 192.0.2.1"},
	    {"host", "10.1.2.3", "ipv6",
		"inet_interfaces: this host does not have 10.1.2.3"},
	    {"host", "10.1.2.3 [::2]", "all",
		"inet_interfaces: this host does not have ::2"},
	    {"host", "mx.test", "all",
		"inet_interfaces: mx.test: Name or service not known"},
	    {"host", "10.1.2.3/8", "all",
		"inet_interfaces: 10.1.2.3/8: Name or service not known"},
	};
	char text[1024];

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++)
		if (ask(wrong[i].style, wrong[i].interfaces, wrong[i].protocols,
			10000, text) == 0 ||
		    strcmp(text, wrong[i].want) != 0)
			fail_msg("%s %s %s: %s", wrong[i].style,
			    wrong[i].interfaces, wrong[i].protocols, text);
	cards_are_hidden = true;
	assert_int_equal(ask("host", "all", "all", 1000, text), -1);
	assert_string_equal(text, "getifaddrs: No buffer space available");
}

static void
test_names(void **state)
{
	static const struct {
		const char *protocols;
		int family;
	} families[] = {
	    {"ipv4", AF_INET}, {"ipv6", AF_INET6}, {"all", AF_UNSPEC}};
	char text[1024], name[300];

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		(void)ask("host", "mx.test", families[i].protocols, 1000, text);
		assert_string_equal(asked, "mx.test");
		assert_int_equal(asked_family, families[i].family);
	}
	/* All that it has, of the kinds that we know. */
	found[0] = "10.1.2.3";
	found[1] = "";
	found[2] = "2001:db8:1:2::3";
	assert_int_equal(ask("host", "mx.test", "all", 1000, text), 0);
	assert_string_equal(text, "10.1.2.3/32 [2001:db8:1:2::3]/128");
	found[1] = "192.0.2.77";
	assert_int_equal(ask("host", "mx.test", "all", 1000, text), -1);
	assert_string_equal(
	    text, "inet_interfaces: this host does not have 192.0.2.77");
	memset(name, 'x', sizeof(name));
	name[256] = '\0';
	asked[0] = '\0';
	assert_int_equal(ask("host", name, "all", 1000, text), -1);
	assert_string_equal(text, "inet_interfaces: name too long");
	assert_string_equal(asked, "");
}

static void
test_too_many(void **state)
{
	static char names[INTERFACES_MAX][16];
	static struct card many[INTERFACES_MAX];
	char interfaces[INTERFACES_MAX * 16] = "", text[1024];
	size_t n = 0;

	(void)state;
	for (size_t i = 0; i < INTERFACES_MAX; i++) {
		snprintf(names[i], sizeof(names[i]), "10.0.%zu.%zu", i / 200,
		    i % 200);
		many[i] = (struct card){names[i], NULL, IFF_UP};
		n += (size_t)snprintf(
		    interfaces + n, sizeof(interfaces) - n, "%s ", names[i]);
	}
	cards = many;
	card_count = INTERFACES_MAX;
	assert_int_equal(ask("host", interfaces, "all", 100000, text), -1);
	assert_string_equal(text, "too many addresses in inet_interfaces");
	assert_int_equal(ask("host", "all", "all", 100000, text), 0);
	assert_int_equal(ask("host", "all", "all", 1000, text), -1);
	assert_string_equal(text, "mynetworks is too long");
}

int
main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
	    TEST(test_name),
	    TEST(test_networks),
	    TEST(test_mistakes),
	    TEST(test_names),
	    TEST(test_too_many),
	};

	return cmocka_run_group_tests_name("config/host", tests, NULL, NULL);
}
