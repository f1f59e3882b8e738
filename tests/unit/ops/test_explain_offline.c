/* SPDX-License-Identifier: ISC */
/* links: cache_dir catch_output fake_clock fake_loop fake_mem fake_resolver given_addr */
#include "ops/explain_offline.h"

#include <limits.h>
#include <pwd.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "lookup/cache_file.h"
#include "lookup/rules.h"
#include "ops/json_value.h"
#include "support/cache_dir.h"
#include "support/catch_output.h"
#include "support/fake_clock.h"
#include "support/fake_mem.h"
#include "support/fake_resolver.h"
#include "support/given_addr.h"

/* A configuration of one file, a real cache file beside it, and nobody else. The
 * process becomes the user of the cache, who is itself. */

enum { CONFIG_MAX = 4096, PATH_ROOM = 320, LAST_ONES = 100, STEP = 11 };

struct answer {
	int rc;
	struct errtext why;
	struct caught caught;
	struct json_tree *tree; /* NULL: there is none */
};

static void
write_text(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

static const char *
path_of(const struct cache_dir *d, const char *name, char path[PATH_ROOM])
{
	(void)snprintf(path, PATH_ROOM, "%s/%s", d->dir, name);
	return path;
}

/* `more` are lines; "@" is the directory. */
static void
configure(const struct cache_dir *d, const char *more)
{
	const struct passwd *me = getpwuid(geteuid());
	char text[CONFIG_MAX], path[PATH_ROOM];
	size_t n;

	n = (size_t)snprintf(text, sizeof(text),
	    "myhostname = mx.test\n"
	    "mynetworks = 127.0.0.0/8\n"
	    "data_directory = %s\n"
	    "mail_owner = %s\n"
	    "doorbell_cache_map = lmdb:%s\n"
	    "doorbell_dnsbl_sites = bl.test\n",
	    d->dir, me != NULL ? me->pw_name : "nobody", d->path);
	for (; *more != '\0'; more++)
		n += (size_t)snprintf(text + n, sizeof(text) - n,
		    *more == '@' ? "%s" : "%.1s", *more == '@' ? d->dir : more);
	assert_true(n < sizeof(text));
	write_text(path_of(d, "alone.cf", path), text);
}

static void
fill_cache(const struct cache_dir *d)
{
	struct cache_change change = {.store = true};
	struct rule rule = {.note = "a customer"};
	struct cache_place place;
	struct cache_note note;
	struct cache_file *f;
	struct errtext why;
	const struct addr client = given_addr("192.0.2.9");

	change.key = record_key_of(&client, 32, 64);
	for (size_t i = 0; i < RECORD_SLOTS; i++)
		change.record.expires[i].s = FAKE_CLOCK_WALL_S + 3600;
	assert_int_equal(
	    addr_block_parse(span_str("198.51.100.0/24"), true, &rule.block),
	    0);
	rules_encode(&rule, &note);
	assert_int_equal(
	    cache_place_init(&place, d->path, (uid_t)-1, (gid_t)-1), 0);
	f = cache_file_open(&place, d->map_bytes, &why);
	assert_non_null(f);
	assert_int_equal(
	    cache_file_apply(f, &change, 1, &why), CACHE_FILE_DONE);
	assert_int_equal(cache_file_keep(f, &note, 1, &why), CACHE_FILE_DONE);
	cache_file_close(&f);
	cache_place_clear(&place);
}

static void
explain(const struct cache_dir *d, const char *config, const char *client,
    struct answer *a)
{
	char path[PATH_ROOM];
	struct buf out;

	*a = (struct answer){.rc = -1};
	buf_init(&out, 65536);
	catch_begin(&a->caught);
	a->rc =
	    explain_offline(path_of(d, config, path), client, &out, &a->why);
	catch_end(&a->caught);
	fake_mem_fault.armed = false;
	if (a->rc == 0 &&
	    (a->tree = json_tree_new(buf_span(&out), &a->why)) == NULL)
		fail_msg("%s: %s", a->why.text, buf_str(&out));
	buf_clear(&out);
}

static const struct json_value *
root_of(const struct answer *a)
{
	if (a->rc != 0)
		fail_msg("%s\n%s", a->why.text, a->caught.err);
	return json_tree_root(a->tree);
}

static void
forget(struct answer *a)
{
	json_tree_free(&a->tree);
	catch_clear(&a->caught);
}

static bool
is_said(const struct answer *a, const char *part)
{
	const struct json_value *line = json_value_get(root_of(a), "story");

	for (line = line->first; line != NULL; line = line->next)
		if (strstr(line->text, part) != NULL)
			return true;
	return false;
}

/* --- tests ------------------------------------------------------------------- */

static void
test_what_the_file_knows(void **state)
{
	const struct cache_dir *d = *state;
	const struct json_value *v;
	struct answer a;

	configure(d, "doorbell_dnsbl_action = drop\n");
	fill_cache(d);
	explain(d, "alone.cf", "192.0.2.9", &a);
	v = root_of(&a);
	assert_string_equal(json_value_text(v, "address"), "192.0.2.9");
	assert_string_equal(json_value_text(v, "outcome"), "known");
	assert_null(json_value_get(v, "rates"));
	assert_int_equal(json_value_get(v, "rule")->kind, JSON_NULL);
	v = json_value_get(v, "cache");
	assert_true(json_value_is_true(v, "used"));
	assert_true(json_value_is_true(v, "known"));
	assert_true(is_said(&a, "no question is asked offline"));
	assert_int_equal(fake_resolver_total(), 0);
	assert_string_equal(a.caught.out, "");
	assert_string_equal(a.caught.err, "");
	forget(&a);
	/* A stranger, who is denied by hand. */
	explain(d, "alone.cf", "198.51.100.7", &a);
	v = root_of(&a);
	assert_string_equal(json_value_text(v, "outcome"), "denied");
	v = json_value_get(v, "rule");
	assert_string_equal(json_value_text(v, "note"), "a customer");
	v = json_value_get(root_of(&a), "cache");
	assert_true(json_value_is_true(v, "used"));
	assert_false(json_value_is_true(v, "known"));
	forget(&a);
}

static void
test_no_cache(void **state)
{
	const struct cache_dir *d = *state;
	const struct json_value *v;
	struct answer a;

	/* Not yet: nobody makes one. */
	configure(d, "");
	explain(d, "alone.cf", "192.0.2.9", &a);
	v = json_value_get(root_of(&a), "cache");
	assert_false(json_value_is_true(v, "used"));
	assert_non_null(
	    strstr(json_value_text(v, "trouble"), "there is no cache yet"));
	assert_true(is_said(&a, "cannot be read: "));
	assert_false(cache_dir_has(d, "pass"));
	forget(&a);
	/* Not at all. */
	configure(d, "doorbell_cache_map =\n");
	explain(d, "alone.cf", "192.0.2.9", &a);
	v = json_value_get(root_of(&a), "cache");
	assert_null(json_value_get(v, "trouble"));
	assert_true(is_said(&a, "There is no memory of clients."));
	forget(&a);
	/* Something else. */
	configure(d, "doorbell_cache_map = btree:@/pass\n");
	explain(d, "alone.cf", "192.0.2.9", &a);
	v = json_value_get(root_of(&a), "cache");
	assert_non_null(strstr(json_value_text(v, "trouble"), "btree"));
	forget(&a);
}

static void
test_damaged_cache(void **state)
{
	const struct cache_dir *d = *state;
	struct answer a;
	struct stat st;

	configure(d, "");
	write_text(d->path, "this is no database");
	explain(d, "alone.cf", "192.0.2.9", &a);
	assert_true(is_said(&a, "cannot be read: "));
	assert_string_equal(json_value_text(root_of(&a), "outcome"), "tested");
	/* It is doorbelld's to set it aside. */
	assert_int_equal(stat(d->path, &st), 0);
	assert_int_equal(st.st_size, strlen("this is no database"));
	assert_false(cache_dir_has(d, "pass.broken"));
	forget(&a);
}

static void
test_tables(void **state)
{
	const struct cache_dir *d = *state;
	const struct json_value *v;
	struct answer a;
	char path[PATH_ROOM];

	/* What is wrong in a table is doorbelld's to say. */
	write_text(path_of(d, "access", path),
	    "nonsense\n192.0.2.0/24 permit\n198.51.100.0/24 maybe\n");
	configure(d, "doorbell_access_list = cidr:@/access\n");
	explain(d, "alone.cf", "192.0.2.9", &a);
	v = root_of(&a);
	assert_string_equal(json_value_text(v, "outcome"), "permitted");
	v = json_value_get(v, "access_list");
	assert_string_equal(json_value_text(v, "file"), path);
	assert_int_equal(json_value_number(v, "line"), 2);
	assert_string_equal(a.caught.err, "");
	forget(&a);
	configure(d, "doorbell_access_list = ldap:/x\n");
	explain(d, "alone.cf", "192.0.2.9", &a);
	assert_int_equal(a.rc, -1);
	assert_non_null(strstr(a.why.text, "doorbell_access_list"));
	forget(&a);
}

static void
test_what_cannot_be(void **state)
{
	static const struct {
		const char *config, *client, *more, *why;
	} cases[] = {
	    {"alone.cf", "192.0.2.0/24", "", "192.0.2.0/24: not an address"},
	    {"alone.cf", "", "", ": not an address"},
	    {"no.cf", "192.0.2.9", "", "No such file"},
	    {"alone.cf", "192.0.2.9", "doorbell_greet_wait = soon\n",
		"the configuration has errors"},
	};
	const struct cache_dir *d = *state;
	struct answer a;

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		configure(d, cases[i].more);
		explain(d, cases[i].config, cases[i].client, &a);
		assert_int_equal(a.rc, -1);
		if (strstr(a.why.text, cases[i].why) == NULL)
			fail_msg("%s: %s", cases[i].why, a.why.text);
		assert_true((strstr(a.caught.err, "greet_wait") != NULL) ==
			    (cases[i].more[0] != '\0'));
		forget(&a);
	}
}

static void
test_no_room_for_the_answer(void **state)
{
	const struct cache_dir *d = *state;
	struct errtext why = {""};
	char path[PATH_ROOM];
	struct buf out;

	configure(d, "");
	buf_init(&out, 100);
	assert_int_equal(explain_offline(path_of(d, "alone.cf", path),
			     "192.0.2.9", &out, &why),
	    -1);
	assert_string_equal(why.text, "the answer is too long");
	assert_true(out.n <= 100);
	buf_clear(&out);
}

/* Without memory there is a reason. Most allocations are the configuration's:
 * of those some will do. */
static void
test_memory_fails(void **state)
{
	const struct cache_dir *d = *state;
	unsigned long all;
	struct answer a;

	configure(d, "");
	fill_cache(d);
	fake_mem_fault = (struct fake_fault){.armed = true, .at = ULONG_MAX};
	explain(d, "alone.cf", "192.0.2.9", &a);
	all = fake_mem_fault.calls;
	assert_true(all > LAST_ONES);
	assert_int_equal(a.rc, 0);
	forget(&a);
	for (unsigned long at = 1; at <= all;
	     at += at + LAST_ONES < all ? STEP : 1) {
		fake_mem_fault = (struct fake_fault){.armed = true, .at = at};
		explain(d, "alone.cf", "192.0.2.9", &a);
		if (a.rc < 0)
			assert_true(a.why.text[0] != '\0');
		forget(&a);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(f) \
	cmocka_unit_test_setup_teardown(f, cache_dir_setup, cache_dir_teardown)
	    TEST(test_what_the_file_knows),
	    TEST(test_no_cache),
	    TEST(test_damaged_cache),
	    TEST(test_tables),
	    TEST(test_what_cannot_be),
	    TEST(test_no_room_for_the_answer),
	    TEST(test_memory_fails),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
