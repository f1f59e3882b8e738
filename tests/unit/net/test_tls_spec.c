/* SPDX-License-Identifier: ISC */
/* links: fake_mem */
#include "net/tls_spec.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "support/fake_mem.h"

#define NO3 TLS_SPEC_BIT(0x0300)
#define NO10 TLS_SPEC_BIT(0x0301)
#define NO11 TLS_SPEC_BIT(0x0302)
#define NO12 TLS_SPEC_BIT(0x0303)
#define NO13 TLS_SPEC_BIT(0x0304)

static const struct {
	const char *list;
	int min, max;
	unsigned excluded;
	const char *why; /* NULL: it is right */
} protocol_cases[] = {
    {"", 0, 0, 0, NULL},
    {" , ", 0, 0, 0, NULL},
    {">=TLSv1.2", 0x0303, 0, 0, NULL},
    {">=tlsv1.2, <=TLSV1.3", 0x0303, 0x0304, 0, NULL},
    {">=TLSv1", 0x0301, 0, 0, NULL},
    {">=TLSv1.0", 0x0301, 0, 0, NULL},
    {">=SSLv2", 0, 0, 0, NULL},
    {">=0303", 0x0303, 0, 0, NULL},
    {"<=0x0303", 0, 0x0303, 0, NULL},
    {"!SSLv2, !SSLv3", 0, 0, NO3, NULL},
    {"!SSLv2:!SSLv3:!TLSv1 !TLSv1.1", 0, 0, NO3 | NO10 | NO11, NULL},
    {"TLSv1.2 TLSv1.3", 0, 0, NO3 | NO10 | NO11, NULL},
    {"TLSv1.2 TLSv1.3 !TLSv1.3", 0, 0, NO3 | NO10 | NO11 | NO13, NULL},
    {">=TLSv1.1 !TLSv1.2", 0x0302, 0, NO12, NULL},
    {"TLSv1.4", 0, 0, 0, "unknown TLS protocol \"TLSv1.4\""},
    {">=", 0, 0, 0, "unknown TLS protocol \">=\""},
    {"!", 0, 0, 0, "unknown TLS protocol \"!\""},
    {">=0305", 0, 0, 0, "unknown TLS protocol \">=0305\""},
    {"0303", 0, 0, 0, "unknown TLS protocol \"0303\""},
    {"TLSv1.2 x TLSv1.3", 0, 0, 0, "unknown TLS protocol \"x\""},
    {">=TLSv1.3 <=TLSv1.2", 0, 0, 0,
	"no TLS protocol is left of \">=TLSv1.3 <=TLSv1.2\""},
    {"TLSv1.2 !TLSv1.2", 0, 0, 0,
	"no TLS protocol is left of \"TLSv1.2 !TLSv1.2\""},
};

static void
test_protocols(void **state)
{
	const size_t n = sizeof(protocol_cases) / sizeof(*protocol_cases);

	(void)state;
	for (size_t i = 0; i < n; i++) {
		struct tls_protocols p = {-1, -1, 99};
		struct errtext why = {""};
		struct span list = span_str(protocol_cases[i].list);
		int rc = tls_spec_protocols(list, &p, &why);

		if (protocol_cases[i].why != NULL) {
			assert_int_equal(rc, -1);
			assert_string_equal(why.text, protocol_cases[i].why);
			assert_int_equal(p.min, -1);
			continue;
		}
		if (rc != 0 || p.min != protocol_cases[i].min ||
		    p.max != protocol_cases[i].max ||
		    p.excluded != protocol_cases[i].excluded)
			fail_msg("\"%s\": %d, %x to %x without %x",
			    protocol_cases[i].list, rc, (unsigned)p.min,
			    (unsigned)p.max, p.excluded);
	}
}

static const struct {
	const char *grade, *excluded;
	const char *list; /* NULL: it is wrong */
} cipher_cases[] = {
    {"high", "", "aNULL:-aNULL:HIGH:@STRENGTH"},
    {" Medium ", "", "aNULL:-aNULL:HIGH:MEDIUM:+RC4:@STRENGTH"},
    {"low", "RC4", "aNULL:-aNULL:HIGH:MEDIUM:LOW:+RC4:@STRENGTH:!RC4"},
    {"export", "", "aNULL:-aNULL:HIGH:MEDIUM:LOW:EXPORT:+RC4:@STRENGTH"},
    {"null", "", "eNULL:!aNULL"},
    {"high", "aNULL, MD5:DES 3DES+SHA",
	"aNULL:-aNULL:HIGH:@STRENGTH:!aNULL:!MD5:!DES:!3DES+SHA"},
    {"", "", NULL},
    {"best", "", NULL},
};

static void
test_ciphers(void **state)
{
	const size_t n = sizeof(cipher_cases) / sizeof(*cipher_cases);

	(void)state;
	for (size_t i = 0; i < n; i++) {
		struct errtext why = {""};
		struct buf out;
		int rc;

		buf_init(&out, 200);
		rc = tls_spec_ciphers(span_str(cipher_cases[i].grade),
		    span_str(cipher_cases[i].excluded), &out, &why);
		if (cipher_cases[i].list == NULL)
			assert_int_equal(rc, -1);
		else if (rc < 0 ||
			 !span_is(buf_span(&out), cipher_cases[i].list))
			fail_msg("%s less %s: %.*s", cipher_cases[i].grade,
			    cipher_cases[i].excluded, (int)out.n, out.p);
		buf_clear(&out);
	}
	assert_int_equal(fake_mem_live(), 0);
}

static void
test_no_room_for_ciphers(void **state)
{
	struct errtext why = {""};
	struct buf out;

	(void)state;
	buf_init(&out, 30);
	assert_int_equal(
	    tls_spec_ciphers(span_str("high"), span_str("aNULL"), &out, &why),
	    -1);
	assert_string_equal(why.text, "TLS cipher list: Message too long");
	buf_clear(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_protocols),
	    cmocka_unit_test(test_ciphers),
	    cmocka_unit_test(test_no_room_for_ciphers),
	};

	return cmocka_run_group_tests_name("net/tls_spec", tests, NULL, NULL);
}
