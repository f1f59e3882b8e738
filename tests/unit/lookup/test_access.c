/* SPDX-License-Identifier: ISC */
/* links: given_addr */
#include "lookup/access.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/given_addr.h"
#include "support/table_file.h"

/* 192.0.2.0/24 is mynetworks; 10.0.0.0/8 is whom the tables know. */
static const struct {
	const char *name, *words, *client;
	enum access_verdict want;
	const char *word; /* that decided */
	unsigned complaints;
} cases[] = {
    {"empty", "", "10.0.0.1", ACCESS_DUNNO, NULL, 0},
    {"permit", "permit", "10.0.0.1", ACCESS_PERMIT, "permit", 0},
    {"reject", "Reject, permit", "10.0.0.1", ACCESS_REJECT, "reject", 0},
    {"dunno ends", "DUNNO permit", "10.0.0.1", ACCESS_DUNNO, "dunno", 0},
    {"mynetworks", "permit_mynetworks reject", "192.0.2.9", ACCESS_PERMIT,
	"permit_mynetworks", 0},
    {"not mynetworks", "permit_mynetworks reject", "10.0.0.1", ACCESS_REJECT,
	"reject", 0},
    {"table", "cidr:{{10.0.0.0/8 reject}} permit", "10.0.0.1", ACCESS_REJECT,
	"cidr:{{10.0.0.0/8 reject}}", 0},
    {"table in capitals", "cidr:{{10.0.0.0/8 PERMIT}}", "10.0.0.1",
	ACCESS_PERMIT, "cidr:{{10.0.0.0/8 PERMIT}}", 0},
    {"not in table", "cidr:{{10.0.0.0/8 reject}} permit", "11.0.0.1",
	ACCESS_PERMIT, "permit", 0},
    {"dunno in table goes on",
	"cidr:{{10.0.0.1 dunno} {10.0.0.0/8 reject}} permit", "10.0.0.1",
	ACCESS_PERMIT, "permit", 0},
    {"the rule behind dunno", "cidr:{{10.0.0.1 dunno} {10.0.0.0/8 reject}}",
	"10.0.0.2", ACCESS_REJECT,
	"cidr:{{10.0.0.1 dunno} {10.0.0.0/8 reject}}", 0},
    {"list in table", "static:{permit_mynetworks, reject}", "192.0.2.1",
	ACCESS_PERMIT, "static:{permit_mynetworks, reject}", 0},
    {"list in table, second word", "static:{permit_mynetworks, reject}",
	"10.0.0.1", ACCESS_REJECT, "static:{permit_mynetworks, reject}", 0},
    {"list in table that ends", "static:{permit_mynetworks} reject", "10.0.0.1",
	ACCESS_REJECT, "reject", 0},
    {"unknown word ends", "static:OK permit", "10.0.0.1", ACCESS_DUNNO,
	"static:OK", 1},
    {"unknown word behind a decision", "static:{reject OK}", "10.0.0.1",
	ACCESS_REJECT, "static:{reject OK}", 1},
    {"table in a table", "static:static:permit", "10.0.0.1", ACCESS_DUNNO,
	"static:static:permit", 1},
    {"settings", "inline:{{10.0.0.1 = { permit, x = y }}} reject", "10.0.0.1",
	ACCESS_PERMIT, "inline:{{10.0.0.1 = { permit, x = y }}}", 0},
    {"settings, nothing else", "inline:{{10.0.0.1={reject}}}", "10.0.0.1",
	ACCESS_REJECT, "inline:{{10.0.0.1={reject}}}", 0},
    {"settings, dunno", "inline:{{10.0.0.1 = { dunno x=y }}} reject",
	"10.0.0.1", ACCESS_REJECT, "reject", 0},
    {"settings, bad", "inline:{{10.0.0.1={permit, bad}}} reject", "10.0.0.1",
	ACCESS_DUNNO, "inline:{{10.0.0.1={permit, bad}}}", 1},
    {"settings, bad, with a dunno", "static:{{dunno bad}} reject", "10.0.0.1",
	ACCESS_DUNNO, "static:{{dunno bad}}", 1},
    {"settings, of a word that does not match",
	"static:{{permit_mynetworks bad} reject}", "10.0.0.1", ACCESS_REJECT,
	"static:{{permit_mynetworks bad} reject}", 1},
    {"settings, unknown", "inline:{{10.0.0.1 = { x=y }}} reject", "10.0.0.1",
	ACCESS_DUNNO, "inline:{{10.0.0.1 = { x=y }}}", 1},
    {"each bad line", "cidr:{{10.0.0.1 {permit bad}} {10.0.0.2 {permit bad}}}",
	"10.0.0.3", ACCESS_DUNNO, NULL, 2},
    {"what a pattern will yield is not known yet",
	"regexp:{{/(.)/ { permit, bad $1 }}}", "10.0.0.1", ACCESS_DUNNO,
	"regexp:{{/(.)/ { permit, bad $1 }}}", 0},
    {"a parameter's name is", "static:{{ permit, bad ${stress?a} }}",
	"10.0.0.1", ACCESS_DUNNO, "static:{{ permit, bad ${stress?a} }}", 1},
    {"unreadable ends", "texthash:/nowhere/at/all permit", "10.0.0.1",
	ACCESS_DUNNO, "texthash:/nowhere/at/all", 1},
    {"ipv6", "cidr:{{2001:db8::/32 reject}}", "2001:db8::7", ACCESS_REJECT,
	"cidr:{{2001:db8::/32 reject}}", 0},
};

/* What begins with "bad" is. */
static int
on_settings(struct span settings, struct errtext *why)
{
	errtext_set(why, "bad settings");
	return span_has_prefix(settings, "bad") ? -1 : 0;
}

static struct list *
open_mynetworks(void)
{
	struct table_options options = {.report = NULL};
	struct list *l = list_open(span_str("192.0.2.0/24"), &options, NULL);

	assert_non_null(l);
	return l;
}

static struct access_fact
ask(const struct access *a, const char *client)
{
	const struct addr addr = given_addr(client);

	return access_find(a, &addr);
}

static bool
is_same_word(const char *a, const char *b)
{
	return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

static void
test_verdicts(void **state)
{
	struct list *mynetworks = open_mynetworks();

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct complaints complaints = {.count = 0};
		struct table_options options = {
		    .report = on_complaint, .arg = &complaints};
		struct errtext why = {.text = ""};
		struct access *a = access_open(span_str(cases[i].words),
		    mynetworks, on_settings, &options, &why);
		struct access_fact fact;

		if (a == NULL)
			fail_msg("%s: %s", cases[i].name, why.text);
		fact = ask(a, cases[i].client);
		if (fact.verdict != cases[i].want ||
		    !is_same_word(fact.word, cases[i].word) ||
		    complaints.count != cases[i].complaints)
			fail_msg("%s: %d by %s, %u complaints", cases[i].name,
			    (int)fact.verdict, fact.word, complaints.count);
		access_free(&a);
		assert_null(a);
	}
	list_free(&mynetworks);
}

static const struct {
	const char *name, *words, *client;
	const char *want; /* settings */
} settings_cases[] = {
    {"none", "permit", "10.0.0.1", ""},
    {"a word alone", "static:{{permit}}", "10.0.0.1", ""},
    {"comma", "static:{{permit, a = b}}", "10.0.0.1", "a = b"},
    {"blank", "static:{{ reject\ta=b,c=d }}", "10.0.0.1", "a=b,c=d"},
    {"braces inside", "static:{{permit,a=${stress?{1}:{2}}s}}", "10.0.0.1",
	"a=${stress?{1}:{2}}s"},
    {"dunno's stay", "static:{{dunno a=b}} permit", "10.0.0.1", "a=b"},
    {"unless there are others", "static:{{dunno a=b}} static:{{reject c=d}}",
	"10.0.0.1", "c=d"},
    {"the last dunno's", "static:{{dunno a=b}} static:{{dunno c=d}}",
	"10.0.0.1", "c=d"},
    {"not those of words that do not match",
	"static:{{permit_mynetworks a=b}, {reject c=d}}", "10.0.0.1", "c=d"},
    {"those of mynetworks", "static:{{permit_mynetworks a=b}, {reject c=d}}",
	"192.0.2.1", "a=b"},
    {"not those of others", "cidr:{{10.0.0.2 {permit a=b}}}", "10.0.0.1", ""},
    {"of a pattern", "regexp:{{/^10\\.(.)/ { permit, a = $1 }}}", "10.7.0.1",
	"a = 7"},
    {"bad ones", "static:{{permit bad=b}}", "10.0.0.1", ""},
};

static void
test_settings(void **state)
{
	struct list *mynetworks = open_mynetworks();
	struct table_options options = {.report = NULL};

	(void)state;
	for (size_t i = 0;
	     i < sizeof(settings_cases) / sizeof(settings_cases[0]); i++) {
		struct errtext why = {.text = ""};
		struct access *a =
		    access_open(span_str(settings_cases[i].words), mynetworks,
			on_settings, &options, &why);
		struct access_fact fact;

		if (a == NULL)
			fail_msg("%s: %s", settings_cases[i].name, why.text);
		fact = ask(a, settings_cases[i].client);
		if (!span_is(fact.settings, settings_cases[i].want))
			fail_msg("%s: %.*s", settings_cases[i].name,
			    (int)fact.settings.n, fact.settings.p);
		access_free(&a);
	}
	list_free(&mynetworks);
}

static void
test_bad_configuration(void **state)
{
	static const char *const words[] = {"OK", "permit rejct", "10.0.0.1",
	    "mysql:/etc/x", "permit, {reject}", "inline:{x}"};
	struct table_options options = {.report = NULL};

	(void)state;
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		struct errtext why = {.text = ""};

		if (access_open(span_str(words[i]), NULL, on_settings, &options,
			&why) != NULL)
			fail_msg("%s", words[i]);
		assert_string_not_equal(why.text, "");
	}
}

static void
test_without_mynetworks(void **state)
{
	struct table_options options = {.report = NULL};
	struct access *a = access_open(
	    span_str("permit_mynetworks"), NULL, on_settings, &options, NULL);

	(void)state;
	assert_non_null(a);
	assert_int_equal(ask(a, "192.0.2.1").verdict, ACCESS_DUNNO);
	access_free(&a);
}

static void
test_file_and_refresh(void **state)
{
	char directory[128], path[160], words[200];
	struct complaints complaints = {.count = 0};
	struct table_options options = {
	    .report = on_complaint, .arg = &complaints};
	struct access_fact fact;
	struct errtext why;
	struct access *a;

	(void)state;
	make_directory(directory);
	snprintf(path, sizeof(path), "%s/access.cidr", directory);
	snprintf(words, sizeof(words), "cidr:%s", path);
	write_file(path, "# x\n10.0.0.0/8 permit\n");
	a = access_open(span_str(words), NULL, on_settings, &options, NULL);
	assert_non_null(a);
	fact = ask(a, "10.0.0.1");
	assert_int_equal(fact.verdict, ACCESS_PERMIT);
	assert_string_equal(fact.file, path);
	assert_int_equal(fact.line, 2);

	write_file(path, "10.0.0.0/8 reject\n");
	assert_int_equal(access_refresh(a, &why), TABLE_RELOADED);
	assert_int_equal(ask(a, "10.0.0.1").verdict, ACCESS_REJECT);

	/* A word that nobody knows is no better than a bad line. */
	write_file(path, "10.0.0.0/8 rejcet\n");
	assert_int_equal(access_refresh(a, &why), TABLE_BROKEN);
	assert_non_null(strstr(why.text, "access.cidr:1: \"rejcet\""));
	assert_int_equal(ask(a, "10.0.0.1").verdict, ACCESS_REJECT);
	assert_int_equal(access_refresh(a, &why), TABLE_SAME);
	assert_int_equal(complaints.count, 0);
	access_free(&a);
	unlink(path);
	rmdir(directory);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_verdicts),
	    cmocka_unit_test(test_settings),
	    cmocka_unit_test(test_bad_configuration),
	    cmocka_unit_test(test_without_mynetworks),
	    cmocka_unit_test(test_file_and_refresh),
	};

	return cmocka_run_group_tests_name("access", tests, NULL, NULL);
}
