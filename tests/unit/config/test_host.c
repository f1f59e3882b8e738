/* SPDX-License-Identifier: ISC */
#include "config/host.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <string.h>

/* What the machine says differs from machine to machine; only its loopback
 * interface is the same everywhere. IPv6 may be missing. */

static void
test_domain(void **state)
{
	static const struct {
		const char *name, *want;
	} cases[] = {
	    {"mx.example.org", "example.org"},
	    {"mx", "localdomain"},
	    {"", "localdomain"},
	    {"mail.", ""},
	    {"a..b", ".b"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct errtext why;
		struct buf got;

		buf_init(&got, 100);
		assert_int_equal(host_domain(cases[i].name, &got, &why), 0);
		if (!span_is(buf_span(&got), cases[i].want))
			fail_msg("%s: %s", cases[i].name, buf_str(&got));
		buf_clear(&got);
	}
}

static void
test_name(void **state)
{
	struct errtext why;
	struct buf got;

	(void)state;
	buf_init(&got, 1000);
	assert_int_equal(host_name(NULL, &got, &why), 0);
	assert_non_null(strchr(buf_str(&got), '.'));
	buf_reset(&got);
	buf_clear(&got);
	buf_init(&got, 1);
	assert_int_equal(host_name("example.org", &got, &why), -1);
	buf_clear(&got);
}

static const struct {
	const char *name, *style, *interfaces, *protocols;
	const char *want; /* NULL: a mistake */
} networks[] = {
    {"subnet", "subnet", "127.0.0.1", "all", "127.0.0.0/8"},
    {"class", "class", "127.0.0.1", "all", "127.0.0.0/8"},
    {"host", "host", "127.0.0.1", "all", "127.0.0.1/32"},
    {"twice", "host", "127.0.0.1, [127.0.0.1]", "all", "127.0.0.1/32"},
    {"loopback", "host", "loopback-only", "ipv4", "127.0.0.1/32"},
    {"by name", "host", "localhost", "ipv4", "127.0.0.1/32"},
    {"none", "host", "", "all", ""},
    {"no protocol", "host", "all", "", ""},
    {"odd style", "Subnet", "all", "all", NULL},
    {"odd protocol", "host", "all", "ipv5", NULL},
    {"not ours", "host", "203.0.113.77", "all", NULL},
    {"not of this protocol", "host", "127.0.0.1", "ipv6", NULL},
};

static void
test_networks(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(networks) / sizeof(networks[0]); i++) {
		struct errtext why;
		struct buf got;
		int rc;

		buf_init(&got, 10000);
		rc = host_networks(networks[i].style, networks[i].interfaces,
		    networks[i].protocols, false, &got, &why);
		if (rc != (networks[i].want != NULL ? 0 : -1))
			fail_msg("%s: %s", networks[i].name, why.text);
		if (rc == 0 && !span_is(buf_span(&got), networks[i].want))
			fail_msg("%s: %s", networks[i].name, buf_str(&got));
		buf_clear(&got);
	}
}

/* While the loop waits nobody is asked; numbers need no asking. */
static void
test_hurried(void **state)
{
	struct errtext why;
	struct buf got;

	(void)state;
	buf_init(&got, 10000);
	assert_int_equal(host_networks("host", "127.0.0.1, localhost", "ipv4",
			     true, &got, &why),
	    -1);
	assert_non_null(strstr(why.text, "localhost: names are looked up"));
	assert_int_equal(
	    host_networks("host", "127.0.0.1", "all", true, &got, &why), 0);
	assert_string_equal(buf_str(&got), "127.0.0.1/32");
	buf_clear(&got);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_domain),
	    cmocka_unit_test(test_name),
	    cmocka_unit_test(test_hurried),
	    cmocka_unit_test(test_networks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
