/* SPDX-License-Identifier: ISC */
/* links: given_config */
#include "screen/encryption.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "support/given_config.h"

/* What a handshake makes of the settings is in tests/unit/net/test_tls.c and
 * tests/integration/test_starttls.py. */

enum { OVERRIDES_MAX = 3 };

static const struct {
	const char *name;
	const char *settings[OVERRIDES_MAX];
	const char *told; /* NULL: nothing */
	enum engine_tls tls;
	bool required;
} cases[] = {
    {"off", {"smtpd_tls_security_level=none"}, NULL, ENGINE_TLS_OFF, false},
    {"usable", {"smtpd_tls_security_level=may", "smtpd_tls_cert_file=none"},
	NULL, ENGINE_TLS_USABLE, false},
    {"required",
	{"smtpd_tls_security_level=encrypt", "smtpd_tls_cert_file=none"}, NULL,
	ENGINE_TLS_USABLE, true},
    {"smtpd's", {"smtpd_tls_security_level=may", "smtpd_tls_cert_file=/no/1"},
	"not offered: /no/1: No such file or directory", ENGINE_TLS_BROKEN,
	false},
    {"tlsproxy's before smtpd's",
	{"smtpd_tls_security_level=may", "smtpd_tls_cert_file=/no/1",
	    "tlsproxy_tls_cert_file=none"},
	NULL, ENGINE_TLS_USABLE, false},
    {"ours before tlsproxy's",
	{"smtpd_tls_security_level=may", "tlsproxy_tls_cert_file=/no/2",
	    "doorbell_tls_cert_file=none"},
	NULL, ENGINE_TLS_USABLE, false},
    {"ECDSA",
	{"smtpd_tls_security_level=may", "tlsproxy_tls_eccert_file=/no/3"},
	"not offered: /no/3: No such file or directory", ENGINE_TLS_BROKEN,
	false},
    {"DSA", {"smtpd_tls_security_level=may", "smtpd_tls_dcert_file=/no/4"},
	"not offered: /no/4: No such file or directory", ENGINE_TLS_BROKEN,
	false},
};

static void
keep(const char *file, int line, const char *text, void *arg)
{
	struct errtext *told = arg;

	assert_string_equal(file, "STARTTLS");
	assert_int_equal(line, 0);
	errtext_set(told, "%s", text);
}

static void
settings_are_followed(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct errtext told = {""};
		struct policy p = {0};
		struct policy_options o = {
		    .config = given_config(cases[i].settings),
		    .tables = {.report = keep, .arg = &told}};
		const char *want = cases[i].told == NULL ? "" : cases[i].told;

		encryption_prepare(&p, &o);
		if (strcmp(told.text, want) != 0 ||
		    p.engine[0].tls != cases[i].tls ||
		    p.engine[1].tls != cases[i].tls ||
		    p.engine[0].tls_required != cases[i].required)
			fail_msg("%s: \"%s\", tls %d", cases[i].name, told.text,
			    (int)p.engine[0].tls);
		tls_context_unref(&p.tls);
		config_unref(&o.config);
	}
}

static const char *const good[] = {
    "smtpd_tls_security_level=may", "smtpd_tls_cert_file=none", NULL};
static const char *const bad[] = {
    "smtpd_tls_security_level=may", "smtpd_tls_cert_file=/no/1", NULL};

/* Nobody has to listen. */
static void
trouble_may_be_told_to_nobody(void **state)
{
	struct policy p = {0};
	struct policy_options o = {.config = given_config(bad)};

	(void)state;
	encryption_prepare(&p, &o);
	assert_null(p.tls);
	assert_int_equal(p.engine[0].tls, ENGINE_TLS_BROKEN);
	config_unref(&o.config);
}

static void
old_keys_stay_in_force(void **state)
{
	struct errtext told = {""};
	struct policy before = {0}, p = {0};
	struct policy_options o = {.config = given_config(good)};

	(void)state;
	encryption_prepare(&before, &o);
	config_unref(&o.config);
	o = (struct policy_options){.config = given_config(bad),
	    .before = &before,
	    .tables = {.report = keep, .arg = &told}};
	encryption_prepare(&p, &o);
	assert_ptr_equal(p.tls, before.tls);
	assert_int_equal(p.engine[0].tls, ENGINE_TLS_USABLE);
	assert_string_equal(told.text,
	    "the old keys stay in force: /no/1: No such file or directory");
	tls_context_unref(&p.tls);
	tls_context_unref(&before.tls);
	config_unref(&o.config);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(settings_are_followed),
	    cmocka_unit_test(trouble_may_be_told_to_nobody),
	    cmocka_unit_test(old_keys_stay_in_force),
	};

	return cmocka_run_group_tests_name(
	    "screen/encryption", tests, NULL, NULL);
}
