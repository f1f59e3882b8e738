/* SPDX-License-Identifier: ISC */
/* links: stage scratch fake_clock fake_loop fake_resolver fake_cache fake_mem given_addr */
#include "screen/policy_tables.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "screen/forbidden.h"
#include "support/fake_mem.h"
#include "support/given_addr.h"
#include "support/scratch.h"
#include "support/stage.h"
#include "table/maps.h"

static struct stage stage;
static const char *const nothing[] = {NULL};

static int
set_up(void **state)
{
	(void)state;
	stage_open(&stage, nothing);
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	stage_close(&stage);
	return 0;
}

/* --- opening ----------------------------------------------------------------- */
/* Most sites pay for none of them. */
static void
test_nothing(void **state)
{
	const struct policy *p = stage.policy;

	(void)state;
	assert_null(p->proxy_networks);
	assert_null(p->reply_map);
	assert_null(p->command_filter);
	assert_null(p->footer);
	assert_non_null(p->mynetworks);
	assert_non_null(p->access);
	assert_non_null(p->overrides);
	assert_non_null(p->allow_interfaces);
	assert_non_null(p->skip_networks);
	assert_non_null(p->forbidden);
	assert_non_null(p->discard_maps);
	assert_int_equal(stage.told.n, 0);
}

static const struct {
	const char *setting, *want; /* what the error begins with */
} faults[] = {
    {"mynetworks=192.0.2.0/33", "mynetworks: "},
    {"doorbell_allowlist_interfaces=192.0.2.0/33",
	"doorbell_allowlist_interfaces: "},
    {"doorbell_dnsbl_skip_networks=192.0.2.0/33",
	"doorbell_dnsbl_skip_networks: "},
    {"doorbell_proxy_networks=192.0.2.0/33", "doorbell_proxy_networks: "},
    {"doorbell_access_list=perhaps", "doorbell_access_list: \"perhaps\" "},
    {"doorbell_access_list=mysql:x", "doorbell_access_list: "},
    {"doorbell_dnsbl_reply_map=mysql:x", "doorbell_dnsbl_reply_map: "},
    {"doorbell_forbidden_commands=mysql:x", "doorbell_forbidden_commands: "},
    {"doorbell_command_filter=mysql:x", "doorbell_command_filter: "},
    {"doorbell_discard_ehlo_keyword_address_maps=mysql:x",
	"doorbell_discard_ehlo_keyword_address_maps: "},
    {"doorbell_reject_footer_maps=mysql:x", "doorbell_reject_footer_maps: "},
};

static void
test_faults(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(faults) / sizeof(*faults); i++)
		stage_refuses(&stage, faults[i].setting, faults[i].want);
}

static const struct {
	const char *setting, *told;
} remarks[] = {
    {"doorbell_discard_ehlo_keywords=dsn, tsl",
	"doorbell_discard_ehlo_keywords: unknown EHLO keyword \"tsl\"\n"},
    {"doorbell_discard_ehlo_keywords=dsn, silent-discard", ""},
    {"doorbell_discard_ehlo_keyword_address_maps=inline:{192.0.2.1=vrfi}",
	"unknown EHLO keyword \"vrfi\"\n"},
    {"doorbell_discard_ehlo_keyword_address_maps=inline:{192.0.2.1=vrfy}", ""},
    {"doorbell_access_list=cidr:{{192.0.2.1 perhaps}}", "\"perhaps\""},
    {"doorbell_reject_footer_maps=texthash:/no/footers", "/no/footers: "},
};

static void
test_remarks(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(remarks) / sizeof(*remarks); i++) {
		const char *const settings[] = {remarks[i].setting, NULL};
		struct policy *p;

		buf_reset(&stage.told);
		p = stage_policy(&stage, settings);
		if (strstr(buf_str(&stage.told), remarks[i].told) == NULL ||
		    (remarks[i].told[0] == '\0') != (stage.told.n == 0))
			fail_msg(
			    "%s: %s", remarks[i].setting, buf_str(&stage.told));
		policy_unref(&p);
	}
}

/* As much of it as an eye takes in. */
static void
test_long_keyword(void **state)
{
	char setting[200], want[200];
	const char *const settings[] = {setting, NULL};
	struct policy *p;
	int n;

	(void)state;
	n = snprintf(
	    setting, sizeof(setting), "doorbell_discard_ehlo_keywords=");
	memset(setting + n, 'x', 100);
	setting[n + 100] = '\0';
	snprintf(want, sizeof(want), "unknown EHLO keyword \"%.60s\"\n",
	    setting + n);
	p = stage_policy(&stage, settings);
	assert_non_null(strstr(buf_str(&stage.told), want));
	policy_unref(&p);
}

/* --- reading anew -------------------------------------------------------------- */
/* One file for each parameter; the second text is what it becomes. */
static const struct {
	const char *name, *type, *file, *before, *after, *bad;
} files[] = {
    {"mynetworks", "", "mynetworks", "192.0.2.1\n", "192.0.2.1 192.0.2.2\n",
	"192.0.2.0/33\n"},
    {"doorbell_access_list", "cidr:", "access", "192.0.2.1 reject\n",
	"192.0.2.2 reject\n", "192.0.2.2 perhaps\n"},
    {"doorbell_allowlist_interfaces", "", "interfaces", "192.0.2.1\n",
	"192.0.2.2\n", "192.0.2.0/33\n"},
    {"doorbell_dnsbl_skip_networks", "cidr:", "skip", "192.0.2.1 x\n",
	"192.0.2.2 x\n", "192.0.2.0/33 x\n"},
    {"doorbell_proxy_networks", "", "proxies", "192.0.2.1\n", "192.0.2.2\n",
	"192.0.2.0/33\n"},
    {"doorbell_dnsbl_reply_map", "texthash:", "names", "a.test one\n",
	"a.test two or three\n", "a.test\n"},
    {"doorbell_forbidden_commands", "regexp:", "forbidden", "/^ONE$/ x\n",
	"/^TWO$/ yes\n", "/(/ x\n"},
    {"doorbell_command_filter", "regexp:", "filter", "/^ONE$/ x\n",
	"/^TWO$/ yes\n", "/(/ x\n"},
    {"doorbell_discard_ehlo_keyword_address_maps", "cidr:", "keywords",
	"192.0.2.1 dsn\n", "192.0.2.2 vrfy\n", "192.0.2.0/33 dsn\n"},
    {"doorbell_reject_footer_maps", "regexp:", "footers", "/^5/ one\n",
	"/^5/ two or three\n", "/(/ x\n"},
};

enum { FILES = sizeof(files) / sizeof(*files), HEARD_MAX = 64 };

static struct heard {
	enum table_change change;
	const char *what;
	struct errtext why;
} heard[HEARD_MAX];
static size_t heard_n;

static void
on_change(enum table_change change, const char *what, const struct errtext *why,
    void *arg)
{
	assert_ptr_equal(arg, &stage);
	assert_true(heard_n < HEARD_MAX);
	heard[heard_n++] = (struct heard){change, what, *why};
}

static void
refresh(struct policy *p)
{
	heard_n = 0;
	policy_tables_refresh(p, on_change, &stage);
}

static struct policy *
with_files(const struct scratch *scratch)
{
	static char room[FILES][512];
	const char *settings[FILES + 1];
	struct policy *p;

	for (size_t i = 0; i < FILES; i++) {
		scratch_write(scratch, files[i].file, files[i].before, 0600);
		snprintf(room[i], sizeof(room[i]), "%s=%s%s", files[i].name,
		    files[i].type, scratch_path(scratch, files[i].file));
		settings[i] = room[i];
	}
	settings[FILES] = NULL;
	p = stage_policy(&stage, settings);
	assert_int_equal(stage.told.n, 0);
	return p;
}

static void
expect_contents(const struct policy *p, bool after)
{
	struct addr first = given_addr("192.0.2.1"),
		    other = given_addr("192.0.2.2");
	struct table_match match;

	assert_true(list_has(p->mynetworks, &first));
	assert_int_equal(list_has(p->mynetworks, &other), after);
	assert_int_equal(access_find(p->access, &first).verdict,
	    after ? ACCESS_DUNNO : ACCESS_REJECT);
	assert_int_equal(access_find(p->access, &other).verdict,
	    after ? ACCESS_REJECT : ACCESS_DUNNO);
	assert_int_equal(list_has(p->allow_interfaces, &first), !after);
	assert_int_equal(list_has(p->skip_networks, &other), after);
	assert_int_equal(list_has(p->proxy_networks, &other), after);
	assert_string_equal(
	    policy_zone_name(p, "a.test"), after ? "two or three" : "one");
	assert_int_equal(forbidden_has(p->forbidden, span_str("ONE")), !after);
	assert_int_equal(forbidden_has(p->forbidden, span_str("TWO")), after);
	assert_int_equal(table_find(p->command_filter, "TWO", &match),
	    after ? TABLE_FOUND : TABLE_ABSENT);
	assert_int_equal(maps_find_addr(p->discard_maps, &other, &match),
	    after ? TABLE_FOUND : TABLE_ABSENT);
}

/* All at once, and each is told by its name. */
static void
test_reloaded(void **state)
{
	struct scratch scratch;
	struct policy *p;

	(void)state;
	scratch_make(&scratch);
	p = with_files(&scratch);
	expect_contents(p, false);
	refresh(p);
	assert_int_equal(heard_n, 0);
	for (size_t i = 0; i < FILES; i++)
		scratch_write(&scratch, files[i].file, files[i].after, 0600);
	refresh(p);
	assert_int_equal(heard_n, FILES);
	for (size_t i = 0; i < FILES; i++) {
		if (heard[i].change != TABLE_RELOADED ||
		    strcmp(heard[i].what, files[i].name) != 0 ||
		    strstr(heard[i].why.text,
			scratch_path(&scratch, files[i].file)) == NULL)
			fail_msg("%s: %d %s %s", files[i].name,
			    (int)heard[i].change, heard[i].what,
			    heard[i].why.text);
	}
	expect_contents(p, true);
	refresh(p);
	assert_int_equal(heard_n, 0);
	policy_unref(&p);
	scratch_remove(&scratch);
}

/* One after another; what cannot be used changes nothing, and is said once. */
static void
test_broken(void **state)
{
	struct scratch scratch;
	struct policy *p;

	(void)state;
	scratch_make(&scratch);
	p = with_files(&scratch);
	for (size_t i = 0; i < FILES; i++) {
		scratch_write(&scratch, files[i].file, files[i].bad, 0600);
		refresh(p);
		if (heard_n != 1 || heard[0].change != TABLE_BROKEN ||
		    strcmp(heard[0].what, files[i].name) != 0 ||
		    heard[0].why.text[0] == '\0')
			fail_msg("%s: %zu, %d %s %s", files[i].name, heard_n,
			    (int)heard[0].change, heard[0].what,
			    heard[0].why.text);
	}
	refresh(p);
	assert_int_equal(heard_n, 0);
	expect_contents(p, false);
	policy_unref(&p);
	scratch_remove(&scratch);
}

/* Without files there is nothing to look at. */
static void
test_nothing_to_read(void **state)
{
	(void)state;
	refresh(stage.policy);
	assert_int_equal(heard_n, 0);
}

/* --- no memory ------------------------------------------------------------------ */
static void
test_no_memory(void **state)
{
	static const char *const settings[] = {
	    "doorbell_proxy_networks=192.0.2.1",
	    "doorbell_dnsbl_reply_map=inline:{a=b}",
	    "doorbell_command_filter=static:x",
	    "doorbell_discard_ehlo_keyword_address_maps=cidr:{{::/0 dsn}}",
	    "doorbell_reject_footer_maps=regexp:{{/^5/ go}}",
	    "doorbell_forbidden_commands=regexp:{{/^X/ x}}", NULL};
	struct policy_options o = {.loop = stage.loop,
	    .screen = stage.screen,
	    .descriptor_limit = 20000};
	struct policy *p = NULL;
	struct errtext why;
	unsigned n = 0;
	long before;

	(void)state;
	p = stage_policy(&stage, settings);
	o.config = config_ref(p->config);
	policy_unref(&p);
	before = fake_mem_live();
	for (; p == NULL; n++) {
		errtext_set(&why, "%s", "");
		fake_mem_fail_after(n);
		p = policy_new(&o, &why);
		fake_mem_heal();
		if (p == NULL && why.text[0] == '\0')
			fail_msg("allocation %u: no reason", n);
		if (p == NULL && fake_mem_live() != before)
			fail_msg("allocation %u: memory is lost", n);
	}
	assert_true(n > 20);
	policy_unref(&p);
	config_unref(&o.config);
}

int
main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
	    TEST(test_nothing),
	    TEST(test_faults),
	    TEST(test_remarks),
	    TEST(test_long_keyword),
	    TEST(test_reloaded),
	    TEST(test_broken),
	    TEST(test_nothing_to_read),
	    TEST(test_no_memory),
	};

	return cmocka_run_group_tests_name(
	    "screen/policy_tables", tests, NULL, NULL);
}
