/* SPDX-License-Identifier: ISC */
/* clang-format off */
/* links: catch_output child_end fake_clock fake_mem nth_call scratch given_addr */
/* clang-format on */
#include "ops/cache_tool.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdio_ext.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "lookup/cache.h"
#include "lookup/cache_file.h"
#include "support/catch_output.h"
#include "support/child_end.h"
#include "support/fake_clock.h"
#include "support/fake_mem.h"
#include "support/given_addr.h"
#include "support/nth_call.h"
#include "support/scratch.h"

/* A real file of LMDB. It belongs to whoever runs the test: root becomes root. */

static struct scratch scratch;
static struct caught said;
static char config[300];
static int status;

static const char *
user(void)
{
	const struct passwd *pw = getpwuid(geteuid());

	return pw != NULL ? pw->pw_name : "root";
}

/* Where the cache is, and what else there is to say. */
static void
configure(const char *map, const char *more)
{
	char text[1000];

	(void)snprintf(text, sizeof(text),
	    "doorbell_user = %s\ndoorbell_cache_map = %s\n%s", user(), map,
	    more);
	scratch_write(&scratch, "doorbell.cf", text, 0644);
}

static const char *
map_of(const char *name)
{
	static char map[300];

	(void)snprintf(
	    map, sizeof(map), "lmdb:%s", scratch_path(&scratch, name));
	return map;
}

static int
set_up(void **state)
{
	(void)state;
	fake_clock_reset();
	scratch_make(&scratch);
	(void)snprintf(config, sizeof(config), "%s",
	    scratch_path(&scratch, "doorbell.cf"));
	configure(map_of("pass"), "");
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	catch_clear(&said);
	scratch_remove(&scratch);
	return 0;
}

/* Run one of the commands: `status`, and what it says. */
#define RUN(call)                   \
	do {                        \
		catch_clear(&said); \
		catch_begin(&said); \
		status = call;      \
		catch_end(&said);   \
	} while (0)

static void
expect(int want, const char *out, const char *err)
{
	assert_string_equal(said.out, out);
	assert_string_equal(said.err, err);
	assert_int_equal(status, want);
}

/* On stderr: "doorbellctl: DIRECTORY/NAME: TEXT". */
static void
expect_trouble(const char *out, const char *name, const char *text)
{
	char all[1000];

	(void)snprintf(all, sizeof(all), "doorbellctl: %s%s\n",
	    name[0] != '\0' ? scratch_path(&scratch, name) : "", text);
	expect(1, out, all);
}

static void
import(const char *text, bool json)
{
	scratch_write(&scratch, "records", text, 0600);
	RUN(cache_import(config, scratch_path(&scratch, "records"), json));
}

static void
fill(const char *text)
{
	import(text, false);
	assert_string_equal(said.err, "");
	assert_int_equal(status, 0);
}

/* --- in and out -------------------------------------------------------------- */

static void
test_round_trip(void **state)
{
	(void)state;
	import("2001:db8::1\t1700000060;1;0;0;0\n"
	       "_LAST_CACHE_CLEANUP_COMPLETED_\t1700000000\n"
	       "\n"
	       "192.0.2.1\t1700000060;1699999940\r\n"
	       "10.0.0.1 1;2;3;4;253402300799",
	    false);
	expect(0, "3 records imported, 0 bad lines\n", "");
	RUN(cache_export(config, false));
	expect(0,
	    "10.0.0.1\t1;2;3;4;253402300799\n"
	    "192.0.2.1\t1700000060;1699999940;0;0;0\n"
	    "2001:db8::\t1700000060;1;0;0;0\n",
	    "");
	RUN(cache_export(config, true));
	expect(0,
	    "{\"client\":\"10.0.0.1\",\"until\":{\"pregreet\":1,\"dnsbl\":2,"
	    "\"pipelining\":3,\"non-smtp\":4,\"bare-newline\":253402300799}}\n"
	    "{\"client\":\"192.0.2.1\",\"until\":{\"pregreet\":1700000060,"
	    "\"dnsbl\":1699999940,\"pipelining\":0,\"non-smtp\":0,"
	    "\"bare-newline\":0}}\n"
	    "{\"client\":\"2001:db8::/64\",\"until\":{\"pregreet\":1700000060,"
	    "\"dnsbl\":1,\"pipelining\":0,\"non-smtp\":0,"
	    "\"bare-newline\":0}}\n",
	    "");
	RUN(cache_list(config, true));
	assert_int_equal(status, 0);
	assert_int_equal(strncmp(said.out, "{\"client\":\"10.0.0.1\"", 20), 0);
}

static void
test_list(void **state)
{
	(void)state;
	fill("192.0.2.1\t1700000060;1699999940;1;0;1700000000\n"
	     "2001:db8::1\t1700000060\n");
	RUN(cache_list(config, false));
	expect(0,
	    "192.0.2.1  pregreet until 2023-11-14 22:14:20, "
	    "dnsbl expired 2023-11-14 22:12:20, pipelining off, "
	    "non-smtp never, bare-newline expired 2023-11-14 22:13:20\n"
	    "2001:db8::/64  pregreet until 2023-11-14 22:14:20, dnsbl never, "
	    "pipelining never, non-smtp never, bare-newline never\n",
	    "");
}

/* The later expiry of each test wins, whoever comes last. */
static void
test_merge(void **state)
{
	(void)state;
	fill("192.0.2.1\t100;200;1;0;500\n"
	     "192.0.2.1\t90;300;0;1;500\n");
	fill("192.0.2.1\t110;1\n");
	RUN(cache_export(config, false));
	expect(0, "192.0.2.1\t110;300;1;1;500\n", "");
}

static void
test_json(void **state)
{
	(void)state;
	import("192.0.2.1\t100\n192.0.2.2\t100\n", true);
	expect(0, "{\"imported\":2,\"bad\":0}\n", "");
	RUN(cache_delete(config, "192.0.2.2", true));
	expect(0, "{\"client\":\"192.0.2.2\"}\n", "");
	RUN(cache_get(config, "192.0.2.1", true));
	expect(0,
	    "{\"client\":\"192.0.2.1\",\"until\":{\"pregreet\":100,"
	    "\"dnsbl\":0,\"pipelining\":0,\"non-smtp\":0,"
	    "\"bare-newline\":0}}\n",
	    "");
	import("x\n", true);
	expect(1, "{\"imported\":0,\"bad\":1}\n",
	    "doorbellctl: line 1: not an address: \"x\"\n");
}

static void
test_bad_lines(void **state)
{
	(void)state;
	import("192.0.2.1\t100\n"
	       "mx.test\t100\n"
	       "192.0.2.2\t1;2;3;4;5;6\n"
	       "\n"
	       "192.0.2.3\t100\n",
	    false);
	expect(1, "2 records imported, 2 bad lines\n",
	    "doorbellctl: line 2: not an address: \"mx.test\"\n"
	    "doorbellctl: line 3: not up to 5 times with ';' between them: "
	    "\"1;2;3;4;5;6\"\n");
	RUN(cache_export(config, false));
	expect(0, "192.0.2.1\t100;0;0;0;0\n192.0.2.3\t100;0;0;0;0\n", "");
}

/* A line may be as long as somebody likes, and have NULs in it: it is one line,
 * and no part of it is a record. */
static void
test_strange_lines(void **state)
{
	char path[300];
	FILE *f;

	(void)state;
	(void)snprintf(
	    path, sizeof(path), "%s", scratch_path(&scratch, "strange"));
	f = fopen(path, "we");
	assert_non_null(f);
	fprintf(f, "192.0.2.1\t100%*s\n", 1024 - 13, "");
	fprintf(f, "192.0.2.2\t100%*s\n", 1024 - 12, "");
	fprintf(f, "192.0.2.3\t100%*s\n192.0.2.4\t100\n", 100000, "x");
	(void)fwrite("192.0.2.5\t100\0 and more\n", 1, 24, f);
	(void)fwrite("\0\n", 1, 2, f);
	fprintf(f, "%c%*s192.0.2.6\t100\n", 0, 1022, "");
	fprintf(f, "192.0.2.7\t100\n%*s", 5000, "x");
	assert_int_equal(fclose(f), 0);
	RUN(cache_import(config, path, false));
	expect(1, "3 records imported, 6 bad lines\n",
	    "doorbellctl: line 2: too long\n"
	    "doorbellctl: line 3: too long\n"
	    "doorbellctl: line 5: not text\n"
	    "doorbellctl: line 6: not text\n"
	    "doorbellctl: line 7: too long\n"
	    "doorbellctl: line 9: too long\n");
	RUN(cache_export(config, false));
	expect(0,
	    "192.0.2.1\t100;0;0;0;0\n192.0.2.4\t100;0;0;0;0\n"
	    "192.0.2.7\t100;0;0;0;0\n",
	    "");
}

/* Batches of 1000: none is lost, or done twice, at their edges. */
static void
test_many(void **state)
{
	static const unsigned counts[] = {0, 999, 1000, 1001, 2000, 2001};
	static char text[2001 * 32];
	char want[64], name[16];
	size_t n;

	(void)state;
	for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
		n = 0;
		text[0] = '\0';
		for (unsigned k = 0; k < counts[i]; k++)
			n += (size_t)snprintf(text + n, sizeof(text) - n,
			    "10.0.%u.%u\t100;0;0;0;0\n", k >> 8, k & 0xff);
		(void)snprintf(name, sizeof(name), "pass%u", counts[i]);
		configure(map_of(name), "");
		import(text, false);
		(void)snprintf(want, sizeof(want),
		    "%u records imported, 0 bad lines\n", counts[i]);
		expect(0, want, "");
		RUN(cache_export(config, false));
		assert_int_equal(status, 0);
		/* The order is that of the addresses. */
		assert_true(strcmp(said.out, text) == 0);
	}
}

static void
test_standard_input(void **state)
{
	(void)state;
	scratch_write(&scratch, "records", "192.0.2.1\t100\n", 0600);
	assert_non_null(freopen(scratch_path(&scratch, "records"), "r", stdin));
	RUN(cache_import(config, NULL, false));
	expect(0, "1 records imported, 0 bad lines\n", "");
	scratch_write(&scratch, "records", "192.0.2.2\t100\n", 0600);
	assert_non_null(freopen(scratch_path(&scratch, "records"), "r", stdin));
	RUN(cache_import(config, "-", false));
	expect(0, "1 records imported, 0 bad lines\n", "");
	assert_non_null(freopen("/dev/null", "r", stdin));
	RUN(cache_import(config, "-", false));
	expect(0, "0 records imported, 0 bad lines\n", "");
	RUN(cache_export(config, false));
	expect(0, "192.0.2.1\t100;0;0;0;0\n192.0.2.2\t100;0;0;0;0\n", "");
}

/* --- one client -------------------------------------------------------------- */

static void
test_get_and_delete(void **state)
{
	(void)state;
	configure(map_of("pass"), "doorbell_ipv4_prefix_length = 24\n");
	fill("192.0.2.77\t100\n198.51.100.1\t200\n2001:db8::1\t300\n");
	RUN(cache_get(config, "192.0.2.1", false));
	expect(0,
	    "192.0.2.0/24  pregreet expired 1970-01-01 00:01:40, dnsbl never, "
	    "pipelining never, non-smtp never, bare-newline never\n",
	    "");
	RUN(cache_get(config, "::ffff:192.0.2.9", true));
	assert_int_equal(status, 0);
	RUN(cache_get(config, "192.0.3.1", false));
	expect_trouble("", "", "192.0.3.1: not in the cache");
	RUN(cache_get(config, "192.0.2.0/24", false));
	expect_trouble("", "", "192.0.2.0/24: not an address");
	RUN(cache_get(config, "", true));
	expect_trouble("", "", ": not an address");
	RUN(cache_delete(config, "192.0.2.200", false));
	expect(0, "", "");
	RUN(cache_delete(config, "192.0.2.200", true));
	expect_trouble("", "", "192.0.2.200: not in the cache");
	RUN(cache_delete(config, "mx.test", false));
	expect_trouble("", "", "mx.test: not an address");
	RUN(cache_delete(config, "2001:db8:0:0:ffff::", false));
	expect(0, "", "");
	RUN(cache_export(config, false));
	expect(0, "198.51.100.0\t200;0;0;0;0\n", "");
}

/* --- what cannot be ---------------------------------------------------------- */

static void
test_no_cache_yet(void **state)
{
	(void)state;
	RUN(cache_list(config, false));
	expect_trouble("", "pass", ": there is no cache yet");
	RUN(cache_export(config, true));
	expect_trouble("", "pass", ": there is no cache yet");
	RUN(cache_get(config, "192.0.2.1", false));
	expect_trouble("", "pass", ": there is no cache yet");
	RUN(cache_delete(config, "192.0.2.1", false));
	expect_trouble("", "pass", ": there is no cache yet");
	/* Nobody has made one meanwhile, but an import does. */
	scratch_expect(&scratch, "pass", NULL);
	scratch_expect(&scratch, "pass-lock", NULL);
	fill("");
	RUN(cache_export(config, false));
	expect(0, "", "");
	RUN(cache_get(config, "192.0.2.1", false));
	expect_trouble("", "", "192.0.2.1: not in the cache");
}

static void
test_no_place(void **state)
{
	(void)state;
	configure("", "");
	RUN(cache_list(config, false));
	expect_trouble("", "", "doorbell_cache_map is empty: no cache");
	configure("btree:/var/lib/postfix/cache", "");
	RUN(cache_list(config, false));
	expect_trouble("", "",
	    "doorbell_cache_map = btree:/var/lib/postfix/cache: only "
	    "lmdb:/path can be a cache");
	configure(map_of("nowhere/pass"), "");
	import("192.0.2.1\t100\n", false);
	expect_trouble("0 records imported, 0 bad lines\n", "nowhere/pass",
	    ": No such file or directory");
	configure(map_of("pass/"), "");
	RUN(cache_delete(config, "192.0.2.1", false));
	expect_trouble("", "pass/", ": Is a directory");
}

static void
test_no_configuration(void **state)
{
	char all[1000];

	(void)state;
	scratch_write(&scratch, "doorbell.cf",
	    "doorbell_ipv4_prefix_length = wide\n", 0644);
	RUN(cache_list(config, true));
	(void)snprintf(all, sizeof(all),
	    "doorbellctl: %s: the configuration has errors\n", config);
	assert_int_equal(status, 1);
	assert_string_equal(said.out, "");
	/* What is wrong with it stands in front. */
	assert_non_null(strstr(said.err, "doorbell.cf:1: error: "));
	assert_string_equal(said.err + strlen(said.err) - strlen(all), all);
	RUN(cache_import(config, "/dev/null", true));
	assert_int_equal(status, 1);
	assert_string_equal(said.out, "{\"imported\":0,\"bad\":0}\n");
	assert_int_equal(unlink(config), 0);
	RUN(cache_get(config, "192.0.2.1", true));
	expect_trouble("", "doorbell.cf", ": No such file or directory");
}

static void
test_no_input(void **state)
{
	(void)state;
	RUN(cache_import(config, scratch_path(&scratch, "records"), false));
	expect_trouble("", "records", ": No such file or directory");
	/* Nothing is begun for that. */
	scratch_expect(&scratch, "pass", NULL);
	RUN(cache_import(config, scratch.dir, false));
	expect_trouble("0 records imported, 0 bad lines\n", "",
	    "cannot read: Is a directory");
}

/* Who looks leaves what is no cache as it is; who writes sets it aside. */
static void
test_damaged(void **state)
{
	static char garbage[8192];

	(void)state;
	memset(garbage, 'x', sizeof(garbage) - 1);
	scratch_write(&scratch, "pass", garbage, 0600);
	RUN(cache_list(config, false));
	assert_int_equal(status, 1);
	assert_string_equal(said.out, "");
	assert_non_null(strstr(said.err, "/pass: MDB_INVALID"));
	RUN(cache_get(config, "192.0.2.1", false));
	assert_int_equal(status, 1);
	scratch_expect(&scratch, "pass", garbage);
	scratch_expect(&scratch, "pass.broken", NULL);
	import("192.0.2.1\t100\n", false);
	assert_int_equal(status, 0);
	assert_string_equal(said.out, "1 records imported, 0 bad lines\n");
	assert_non_null(strstr(said.err, "/pass.broken\n"));
	scratch_expect(&scratch, "pass.broken", garbage);
	RUN(cache_export(config, false));
	expect(0, "192.0.2.1\t100;0;0;0;0\n", "");
	scratch_write(&scratch, "pass", garbage, 0600);
	RUN(cache_delete(config, "192.0.2.1", false));
	assert_int_equal(status, 1);
	assert_non_null(strstr(said.err, "; set aside as "));
	assert_non_null(
	    strstr(said.err, "\ndoorbellctl: 192.0.2.1: not in the cache\n"));
}

static void
test_not_a_file(void **state)
{
	(void)state;
	assert_int_equal(mkfifo(scratch_path(&scratch, "pass"), 0600), 0);
	RUN(cache_list(config, false));
	expect_trouble("", "pass", ": not a regular file");
	import("192.0.2.1\t100\n", false);
	expect_trouble("0 records imported, 0 bad lines\n", "pass",
	    ": not a regular file");
}

/* --- what fails on the way --------------------------------------------------- */

/* As RUN(), with a disk behind stdout that is full. */
#define RUN_TO_FULL(call)                                           \
	do {                                                        \
		int full = open("/dev/full", O_WRONLY | O_CLOEXEC); \
                                                                    \
		assert_true(full >= 0);                             \
		catch_clear(&said);                                 \
		catch_begin(&said);                                 \
		(void)dup2(full, STDOUT_FILENO);                    \
		status = call;                                      \
		__fpurge(stdout);                                   \
		clearerr(stdout);                                   \
		catch_end(&said);                                   \
		close(full);                                        \
	} while (0)

static void
test_full_output(void **state)
{
	(void)state;
	fill("192.0.2.1\t100\n");
	RUN_TO_FULL(cache_export(config, false));
	expect_trouble("", "", "cannot write: No space left on device");
	RUN_TO_FULL(cache_list(config, true));
	expect_trouble("", "", "cannot write: No space left on device");
	RUN_TO_FULL(cache_get(config, "192.0.2.1", false));
	expect_trouble("", "", "cannot write: No space left on device");
}

/* What the disk does not take is not told as done. */
static void
test_failing_disk(void **state)
{
	(void)state;
	fill("192.0.2.1\t100\n");
	scratch_write(&scratch, "records", "192.0.2.2\t100\n", 0600);
	nth_call_arm(CALL_fdatasync, 1, EIO);
	RUN(cache_import(config, scratch_path(&scratch, "records"), false));
	assert_int_equal(nth_call_disarm(), 1);
	expect(1, "0 records imported, 0 bad lines\n",
	    "doorbellctl: cache update: Input/output error\n");
	nth_call_arm(CALL_fdatasync, 1, EIO);
	RUN(cache_delete(config, "192.0.2.1", true));
	assert_int_equal(nth_call_disarm(), 1);
	expect(1, "", "doorbellctl: cache update: Input/output error\n");
	RUN(cache_export(config, false));
	assert_int_equal(status, 0);
	assert_non_null(strstr(said.out, "192.0.2.1\t100"));
}

/* Batches that were done before stay done, and are counted. */
static void
test_disk_fails_later(void **state)
{
	static char text[1500 * 32];
	size_t n = 0;

	(void)state;
	for (unsigned k = 0; k < 1500; k++)
		n += (size_t)snprintf(text + n, sizeof(text) - n,
		    "10.0.%u.%u\t100\n", k >> 8, k & 0xff);
	fill("");
	scratch_write(&scratch, "records", text, 0600);
	for (uint32_t at = 1; at <= 2; at++) {
		nth_call_arm(CALL_fdatasync, at, EIO);
		RUN(cache_import(
		    config, scratch_path(&scratch, "records"), false));
		assert_int_equal(nth_call_disarm(), at);
		expect(1,
		    at == 1 ? "0 records imported, 0 bad lines\n"
			    : "1000 records imported, 0 bad lines\n",
		    "doorbellctl: cache update: Input/output error\n");
	}
	RUN(cache_export(config, false));
	assert_non_null(strstr(said.out, "10.0.3.231\t100"));
	assert_null(strstr(said.out, "10.0.3.232\t100"));
}

/* --- what others have put there ---------------------------------------------- */

static struct cache_file *
open_file(struct cache_place *place)
{
	struct cache_file *f;
	struct errtext why;

	assert_int_equal(cache_place_init(place, scratch_path(&scratch, "pass"),
			     (uid_t)-1, (gid_t)-1),
	    0);
	if ((f = cache_file_open(place, CACHE_MAP_BYTES, &why)) == NULL)
		fail_msg("%s", why.text);
	return f;
}

static void
close_file(struct cache_place *place, struct cache_file *f)
{
	cache_file_close(&f);
	cache_place_clear(place);
}

static void
test_strange_keys(void **state)
{
	const struct cache_change changes[] = {
	    {.key = {.n = 3, .bytes = {9, 9, 9}}, .store = true},
	    {.key = {.n = 1, .bytes = {4}}, .store = true},
	};
	struct cache_place place;
	struct cache_file *f;
	struct errtext why;

	(void)state;
	f = open_file(&place);
	assert_int_equal(
	    cache_file_apply(f, changes, 2, &why), CACHE_FILE_DONE);
	close_file(&place, f);
	fill("192.0.2.1\t100\n");
	RUN(cache_export(config, false));
	expect(0, "192.0.2.1\t100;0;0;0;0\n", "");
}

static void
keep_rules(void)
{
	struct rule allow = {.allow = true,
	    .block = {given_addr("192.0.2.0"), 24},
	    .since = {FAKE_CLOCK_WALL_S},
	    .note = "a friend"};
	struct rule deny = {.block = {given_addr("192.0.2.9"), 32}};
	struct cache_note notes[3] = {{.key = {.n = 2}, .n = 1}};
	struct cache_place place;
	struct cache_file *f;
	struct errtext why;

	rules_encode(&allow, &notes[1]);
	rules_encode(&deny, &notes[2]);
	f = open_file(&place);
	assert_int_equal(cache_file_keep(f, notes, 3, &why), CACHE_FILE_DONE);
	close_file(&place, f);
}

static int
peek(const char *client, struct record *record, struct rules *rules,
    struct errtext *why)
{
	struct addr a = given_addr(client);
	struct site site;
	int known;

	errtext_set(why, "%s", "");
	if (site_open(&site, config, why) < 0)
		fail_msg("%s", why->text);
	known = cache_peek(&site, &a, record, rules, why);
	/* It stays ours. */
	assert_non_null(site.cfg);
	site_close(&site);
	return known;
}

static void
test_peek(void **state)
{
	struct rules *rules = rules_new();
	struct addr friend = given_addr("192.0.2.1"),
		    foe = given_addr("192.0.2.9");
	const struct rule *rule;
	struct record record;
	struct errtext why;

	(void)state;
	assert_int_equal(peek("192.0.2.1", &record, rules, &why), -1);
	assert_non_null(strstr(why.text, "/pass: there is no cache yet"));
	fill("192.0.2.1\t100;200\n");
	keep_rules();
	assert_int_equal(peek("192.0.2.1", &record, rules, &why), 1);
	assert_int_equal(record.expires[RECORD_PREGREET].s, 100);
	assert_int_equal(record.expires[RECORD_DNSBL].s, 200);
	/* What is no rule is none. */
	assert_int_equal(rules_count(rules), 2);
	rule = rules_find(rules, &friend, clock_wall());
	assert_true(rule != NULL && rule->allow);
	assert_string_equal(rule->note, "a friend");
	rule = rules_find(rules, &foe, clock_wall());
	assert_true(rule != NULL && !rule->allow);
	rules_free(&rules);
	rules = rules_new();
	assert_int_equal(peek("192.0.2.2", &record, rules, &why), 0);
	assert_int_equal(rules_count(rules), 2);
	rules_free(&rules);
	configure("", "");
	assert_int_equal(peek("192.0.2.2", &record, NULL, &why), -1);
	assert_string_equal(why.text, "doorbell_cache_map is empty: no cache");
}

/* Half of the rules would be a wrong answer. */
static void
test_peek_without_memory(void **state)
{
	struct rules *rules = rules_new();
	unsigned long at = 1;
	struct record record;
	struct errtext why;
	int known;

	(void)state;
	fill("192.0.2.1\t100\n");
	keep_rules();
	for (;; at++) {
		struct addr a = given_addr("192.0.2.1");
		struct site site;

		assert_int_equal(site_open(&site, config, &why), 0);
		fake_mem_fault = (struct fake_fault){.armed = true, .at = at};
		known = cache_peek(&site, &a, &record, rules, &why);
		fake_mem_fault.armed = false;
		site_close(&site);
		if (fake_mem_fault.calls < at)
			break;
		assert_int_equal(known, -1);
		assert_non_null(strstr(why.text, "Cannot allocate memory"));
		rules_free(&rules);
		rules = rules_new();
	}
	assert_int_equal(known, 1);
	assert_int_equal(rules_count(rules), 2);
	assert_true(at > 3);
	rules_free(&rules);
}

static int
take_more(struct span stored, struct span more, struct buf *out)
{
	(void)stored;
	return buf_add(out, more.p, more.n);
}

static void
note_total(uint32_t hour, struct span bytes, void *arg)
{
	struct buf *all = arg;

	assert_int_equal(
	    buf_printf(all, "%u %.*s\n", hour, (int)bytes.n, bytes.p), 0);
}

static void
test_totals(void **state)
{
	struct cache_place place;
	struct cache_total *total;
	struct cache_file *f;
	struct errtext why = {""};
	struct buf all;

	(void)state;
	buf_init(&all, 1000);
	assert_int_equal(cache_totals(config, 0, note_total, &all, &why), -1);
	assert_non_null(strstr(why.text, "/pass: there is no cache yet"));
	f = open_file(&place);
	for (uint32_t hour = 470000; hour < 470003; hour++) {
		total = cache_total_new(hour, span_str("some"), take_more);
		assert_non_null(total);
		assert_int_equal(
		    cache_file_total(f, total, &why), CACHE_FILE_DONE);
		cache_total_free(&total);
	}
	close_file(&place, f);
	assert_int_equal(
	    cache_totals(config, 470001, note_total, &all, &why), 0);
	assert_string_equal(buf_str(&all), "470001 some\n470002 some\n");
	buf_clear(&all);
	assert_int_equal(
	    cache_totals(config, 470003, note_total, &all, &why), 0);
	assert_int_equal(all.n, 0);
}

/* --- whose file it is -------------------------------------------------------- */

/* Under master(8) the options in master.cf say where the file is, and mail_owner
 * whose it is. */
static void
test_service(void **state)
{
	char text[1000];

	(void)state;
	(void)snprintf(text, sizeof(text),
	    "compatibility_level = 3.6\nmail_owner = %s\n", user());
	scratch_write(&scratch, "main.cf", text, 0644);
	(void)snprintf(text, sizeof(text),
	    "smtp inet n - n - 1 doorbelld\n"
	    "  -o doorbell_cache_map=lmdb:%s -o doorbell_user=nobody-there\n",
	    scratch_path(&scratch, "other"));
	scratch_write(&scratch, "master.cf", text, 0644);
	scratch_write(&scratch, "records", "192.0.2.1\t100\n", 0600);
	RUN(cache_import(
	    scratch.dir, scratch_path(&scratch, "records"), false));
	expect(0, "1 records imported, 0 bad lines\n", "");
	scratch_expect(&scratch, "pass", NULL);
	assert_int_equal(access(scratch_path(&scratch, "other"), F_OK), 0);
	RUN(cache_export(scratch.dir, false));
	expect(0, "192.0.2.1\t100;0;0;0;0\n", "");
}

static void
test_unknown_user(void **state)
{
	(void)state;
	if (geteuid() != 0)
		skip();
	configure(map_of("pass"), "doorbell_user = nobody-there\n");
	RUN(cache_list(config, false));
	expect_trouble("", "", "user nobody-there: unknown");
	import("192.0.2.1\t100\n", false);
	expect_trouble("0 records imported, 0 bad lines\n", "",
	    "user nobody-there: unknown");
	scratch_expect(&scratch, "pass", NULL);
}

/* What nobody's import makes is nobody's, and root does not come back. A file
 * that only root can read is read all the same. */
static int
import_as_nobody(void)
{
	const struct passwd *pw = getpwnam("nobody");
	struct stat st;
	bool is_good;

	RUN(cache_import(config, scratch_path(&scratch, "records"), false));
	is_good = status == 0 && said.err[0] == '\0' &&
		  geteuid() == pw->pw_uid && getegid() == pw->pw_gid &&
		  seteuid(0) < 0 &&
		  stat(scratch_path(&scratch, "pass"), &st) == 0 &&
		  st.st_uid == pw->pw_uid && st.st_gid == pw->pw_gid;
	if (!is_good)
		print_error(
		    "%d \"%s\" uid %d\n", status, said.err, (int)geteuid());
	catch_clear(&said);
	return is_good ? 0 : 1;
}

static void
test_another_user(void **state)
{
	const struct passwd *pw = getpwnam("nobody");

	(void)state;
	if (geteuid() != 0 || pw == NULL)
		skip();
	configure(map_of("pass"), "doorbell_user = nobody\n");
	scratch_write(&scratch, "records", "192.0.2.1\t100\n", 0600);
	assert_int_equal(chown(scratch.dir, pw->pw_uid, pw->pw_gid), 0);
	assert_int_equal(child_outcome(import_as_nobody), 0);
}

/* --- no memory --------------------------------------------------------------- */

static int
import_again(void)
{
	return cache_import(config, scratch_path(&scratch, "records"), false);
}

static int
list_all(void)
{
	return cache_list(config, false);
}

static int
export_all(void)
{
	return cache_export(config, false);
}

static int
export_json(void)
{
	return cache_export(config, true);
}

static int
get_one(void)
{
	return cache_get(config, "192.0.2.1", false);
}

static int
delete_none(void)
{
	return cache_delete(config, "192.0.2.99", true);
}

/* What it takes to read the configuration, which is tested elsewhere. */
static unsigned long
allocations_of_site(void)
{
	struct errtext why;
	struct site site;

	fake_mem_fault = (struct fake_fault){.armed = true};
	assert_int_equal(site_open(&site, config, &why), 0);
	fake_mem_fault.armed = false;
	site_close(&site);
	return fake_mem_fault.calls;
}

/* It is all done, or it is said why it is not. */
static void
starve(int (*command)(void))
{
	unsigned long at, first = allocations_of_site() + 1;
	struct caught whole;
	int whole_status;

	RUN(command());
	whole = said;
	whole_status = status;
	said = (struct caught){0};
	for (int lasting = 0; lasting < 2; lasting++) {
		for (at = first;; at++) {
			fake_mem_fault = (struct fake_fault){
			    .armed = true, .lasting = lasting, .at = at};
			RUN(command());
			fake_mem_fault.armed = false;
			if (fake_mem_fault.calls < at)
				break;
			if (status != 1 ||
			    strstr(said.err, "Cannot allocate memory") == NULL)
				fail_msg("allocation %lu: %d \"%s\"", at,
				    status, said.err);
		}
		assert_true(at > first);
	}
	expect(whole_status, whole.out, whole.err);
	catch_clear(&whole);
}

static void
test_no_memory(void **state)
{
	(void)state;
	fill("192.0.2.1\t100\n192.0.2.2\t100\n2001:db8::1\t100\n");
	/* The very first, for which no configuration is read. */
	fake_mem_fault = (struct fake_fault){.armed = true, .at = 1};
	RUN(import_again());
	fake_mem_fault.armed = false;
	expect_trouble(
	    "0 records imported, 0 bad lines\n", "", "Cannot allocate memory");
	starve(import_again);
	starve(list_all);
	starve(export_all);
	starve(export_json);
	starve(get_one);
	starve(delete_none);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	    TEST(test_round_trip),
	    TEST(test_list),
	    TEST(test_merge),
	    TEST(test_json),
	    TEST(test_bad_lines),
	    TEST(test_strange_lines),
	    TEST(test_many),
	    TEST(test_standard_input),
	    TEST(test_get_and_delete),
	    TEST(test_no_cache_yet),
	    TEST(test_no_place),
	    TEST(test_no_configuration),
	    TEST(test_no_input),
	    TEST(test_damaged),
	    TEST(test_not_a_file),
	    TEST(test_full_output),
	    TEST(test_failing_disk),
	    TEST(test_disk_fails_later),
	    TEST(test_strange_keys),
	    TEST(test_peek),
	    TEST(test_peek_without_memory),
	    TEST(test_totals),
	    TEST(test_service),
	    TEST(test_unknown_user),
	    TEST(test_another_user),
	    TEST(test_no_memory),
	};

	setenv("TZ", "UTC", 1);
	tzset();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
