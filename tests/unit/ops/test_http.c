/* SPDX-License-Identifier: ISC */
#include "ops/http.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <string.h>

#include "ops/metrics.h"

static void
test_places(void **state)
{
	static const struct {
		const char *text;
		const char *fault; /* NULL: none */
	} cases[] = {
	    {"inet:127.0.0.1:9125", NULL},
	    {"inet:127.255.0.1:1", NULL},
	    {"inet:[::1]:65535", NULL},
	    {"inet:::1:9125", NULL},
	    {"unix:/run/doorbell/page", NULL},
	    {"unix:page", "not an absolute path"},
	    {"unix:", "not an absolute path"},
	    {"inet:0.0.0.0:9125", "not a loopback address"},
	    {"inet:[::]:9125", "not a loopback address"},
	    {"inet:[::ffff:127.0.0.1]:9125", NULL},
	    {"inet:[::ffff:192.0.2.1]:9125", "not a loopback address"},
	    {"inet:192.0.2.1:9125", "not a loopback address"},
	    {"inet:[fe80::1]:9125", "not a loopback address"},
	    {"inet:localhost:9125", "not inet:address:port"},
	    {"inet:127.0.0.1", "not inet:address:port"},
	    {"inet:127.0.0.1:0", "not inet:address:port"},
	    {"inet:127.0.0.1:65536", "not inet:address:port"},
	    {"inet::9125", "not inet:address:port"},
	    {"127.0.0.1:9125", "not inet:address:port"},
	    {"9125", "not inet:address:port"},
	};
	struct httpd_place place;
	struct errtext why;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		int rc = http_parse_place(cases[i].text, &place, &why);

		if ((rc == 0) != (cases[i].fault == NULL) ||
		    (rc < 0 && strstr(why.text, cases[i].fault) == NULL))
			fail_msg("%s: %s", cases[i].text,
			    rc < 0 ? why.text : "taken");
	}
}

static void
test_hosts(void **state)
{
	static const char *const ours[] = {"", "127.0.0.1", "127.0.0.1:9125",
	    "192.0.2.1:80", "::1", "[::1]", "[::1]:9125", "localhost",
	    "LocalHost:9125"};
	static const char *const others[] = {"evil.test", "evil.test:9125",
	    "localhost.evil.test", "localhostevil.test", "127.0.0.1.evil.test",
	    "[::1", "[evil]", ":", ":9125", "127.0.0.1@evil.test"};

	(void)state;
	for (size_t i = 0; i < sizeof(ours) / sizeof(*ours); i++)
		if (!http_host_is_ours(ours[i]))
			fail_msg("%s is not ours", ours[i]);
	for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++)
		if (http_host_is_ours(others[i]))
			fail_msg("%s is ours", others[i]);
}

static void
test_dialects(void **state)
{
	static const char *const text[] = {"", "*/*", "text/plain",
	    "application/openmetrics-text;q=0", "application/openmetrics",
	    "text/html;application/openmetrics-text"};
	static const char *const open[] = {"application/openmetrics-text",
	    "Application/OpenMetrics-Text",
	    "application/openmetrics-text; version=1.0.0,text/plain;q=0.5",
	    "text/plain;q=1, application/openmetrics-text;q=0.5, */*;q=0.1"};

	(void)state;
	for (size_t i = 0; i < sizeof(text) / sizeof(*text); i++)
		if (metrics_dialect_for(text[i]) != METRICS_TEXT)
			fail_msg("\"%s\" does not ask for it", text[i]);
	for (size_t i = 0; i < sizeof(open) / sizeof(*open); i++)
		if (metrics_dialect_for(open[i]) != METRICS_OPEN)
			fail_msg("\"%s\" asks for it", open[i]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_places),
	    cmocka_unit_test(test_hosts),
	    cmocka_unit_test(test_dialects),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
