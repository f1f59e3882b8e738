/* SPDX-License-Identifier: ISC */
/* doorbellctl report: its files, its period, its forms, and its exit status. */
/* links: cache_dir catch_output fake_clock fake_mem html_check */
#include "ops/report_tool.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "lookup/cache_file.h"
#include "ops/control.h"
#include "ops/history.h"
#include "ops/json_value.h"
#include "screen/totals.h"
#include "support/cache_dir.h"
#include "support/catch_output.h"
#include "support/fake_clock.h"
#include "support/fake_mem.h"
#include "support/html_check.h"

enum {
	WORDS_MAX = 16,
	HOUR_0 = 498672,                /* 2026-11-21 00:00 UTC */
	NOW = HOUR_0 * 3600 + 12 * 3600 /* noon */
};

static const struct cache_dir *place;
static struct caught caught;

static int
set_up(void **state)
{
	if (cache_dir_setup(state) != 0)
		return -1;
	place = *state;
	assert_int_equal(setenv("TZ", "UTC", 1), 0);
	tzset();
	fake_clock_reset();
	fake_clock_set_wall((struct wall){NOW});
	return 0;
}

static int
tear_down(void **state)
{
	catch_clear(&caught);
	return cache_dir_teardown(state);
}

/* --- the command -------------------------------------------------------------- */

/* "@" stands for the directory of the test. */
static void
fill_in(const char *word, char out[512])
{
	size_t n = 0;

	for (; *word != '\0'; word++)
		if (*word == '@')
			n += (size_t)snprintf(
			    out + n, 512 - n, "%s", place->dir);
		else
			out[n++] = *word;
	out[n] = '\0';
}

/* Of a line: words with a blank between them. The output is in `caught`. */
static int
report(const char *line)
{
	char filled[WORDS_MAX][512], copy[1024], *rest = copy;
	const char *words[WORDS_MAX];
	struct request r;
	struct errtext why;
	size_t n = 0;
	int status;

	snprintf(copy, sizeof(copy), "report %s", line);
	for (char *word; (word = strsep(&rest, " ")) != NULL; n++) {
		assert_true(n < WORDS_MAX);
		fill_in(word, filled[n]);
		words[n] = filled[n];
	}
	if (request_parse(
		&r, words, n - (*line == '\0'), REQUEST_HAS(CONFIG), &why) < 0)
		fail_msg("%s: %s", line, why.text);
	catch_clear(&caught);
	catch_begin(&caught);
	status = report_tool(&r);
	catch_end(&caught);
	return status;
}

static void
check_done(const char *line)
{
	int status = report(line);

	if (status != CONTROL_DONE || caught.err[0] != '\0')
		fail_msg("%s: %d, %s", line, status, caught.err);
}

/* `why` with "@", too. Whoever fails prints nothing but that. */
static void
check_fails(const char *line, int want, const char *why)
{
	char filled[512], wanted[600];
	int status = report(line);

	fill_in(why, filled);
	snprintf(wanted, sizeof(wanted), "doorbellctl: %s\n", filled);
	if (status != want || strcmp(caught.err, wanted) != 0 ||
	    caught.out[0] != '\0')
		fail_msg("%s: %d, %s%s", line, status, caught.err, caught.out);
}

static void
write_log(const char *name, const char *text, size_t n)
{
	char path[512];
	FILE *out;

	snprintf(path, sizeof(path), "%s/%s", place->dir, name);
	out = fopen(path, "we");
	assert_non_null(out);
	assert_int_equal(fwrite(text, 1, n, out), n);
	assert_int_equal(fclose(out), 0);
}

static char *
read_back(const char *name)
{
	char path[512];
	char *text = calloc(1, 1 << 20);
	FILE *in;

	assert_non_null(text);
	snprintf(path, sizeof(path), "%s/%s", place->dir, name);
	in = fopen(path, "re");
	assert_non_null(in);
	assert_true(fread(text, 1, (1 << 20) - 1, in) > 0);
	assert_int_equal(fclose(in), 0);
	return text;
}

/* A number of the report as JSON, which is in `caught`. */
static int64_t
number_of(const char *object, const char *name)
{
	struct errtext why;
	struct json_tree *tree = json_tree_new(span_str(caught.out), &why);
	const struct json_value *v;
	int64_t n;

	if (tree == NULL)
		fail_msg("%s: %s", why.text, caught.out);
	v = json_tree_root(tree);
	if (object != NULL)
		v = json_value_get(v, object);
	assert_non_null(v);
	n = json_value_number(v, name);
	json_tree_free(&tree);
	return n;
}

#define LOG(name, text) write_log(name, text, sizeof(text) - 1)
#define AT(time, text) "2026-11-" time "Z mx postfix/postscreen[1]: " text "\n"
#define CAME(client) "CONNECT from " client " to [192.0.2.2]:25"
#define A "[192.0.2.7]:1000"
#define B "[192.0.2.8]:2000"

static const char two_days[] = AT("19T10:00:00", "PASS OLD " B) /* no end */
    AT("20T10:00:00", CAME(A)) AT("20T10:00:06", "PASS NEW " A)
	AT("21T11:00:00", CAME(B)) AT("21T11:00:00", "PASS OLD " B);

/* --- mistakes ----------------------------------------------------------------- */

static void
test_mistakes(void **state)
{
	static const struct {
		const char *line;
		int status;
		const char *why;
	} cases[] = {
	    {"--log", CONTROL_BAD, "--log: which file?"},
	    {"@/log", CONTROL_BAD, "@/log: a log file? Then with --log"},
	    {"--json --text --log @/log", CONTROL_BAD,
		"--text, --json or --html, not two of them"},
	    {"--json --html @/page --log @/log", CONTROL_BAD,
		"--text, --json or --html, not two of them"},
	    {"--text --html @/page --log @/log", CONTROL_BAD,
		"--text, --json or --html, not two of them"},
	    {"--since tomorrow --log @/log", CONTROL_BAD,
		"tomorrow: neither a day (2026-11-20, today, yesterday) nor a"
		" time ago (12h, 7d, 4w)"},
	    {"--until 2026-02-30 --log @/log", CONTROL_BAD,
		"2026-02-30: neither a day (2026-11-20, today, yesterday) nor a"
		" time ago (12h, 7d, 4w)"},
	    {"--since 1d --until 2d --log @/log", CONTROL_BAD,
		"--since is not before --until"},
	    {"--since 1d --until 1d --log @/log", CONTROL_BAD,
		"--since is not before --until"},
	    {"--since today --until yesterday", CONTROL_BAD,
		"--since is not before --until"},
	    {"--log @/none", CONTROL_FAILED,
		"@/none: No such file or directory"},
	    {"--log @/log @/none", CONTROL_FAILED,
		"@/none: No such file or directory"},
	    {"--log @", CONTROL_FAILED, "@: Is a directory"},
	    {"--log @/log @", CONTROL_FAILED, "@: Is a directory"},
	    {"--log - -", CONTROL_FAILED,
		"standard input cannot be one of several"},
	    {"--log @/log -", CONTROL_FAILED,
		"standard input cannot be one of several"},
	    {"--html @/none/page --log @/log", CONTROL_FAILED,
		"@/none/page: No such file or directory"},
	    {"--html @ --log @/log", CONTROL_FAILED, "@: Is a directory"},
	    {"--html /dev/full --log @/log", CONTROL_FAILED,
		"cannot write: No space left on device"},
	    {"--html /dev/full --log @/empty", CONTROL_FAILED,
		"cannot write: No space left on device"},
	    {"-c @/none", CONTROL_FAILED, "@/none: No such file or directory"},
	};

	(void)state;
	LOG("log", two_days);
	LOG("empty", "");
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		check_fails(cases[i].line, cases[i].status, cases[i].why);
}

/* --- forms -------------------------------------------------------------------- */

static void
test_forms(void **state)
{
	char *text, *page;

	(void)state;
	LOG("log", two_days);
	check_done("--log @/log");
	assert_non_null(strstr(caught.out,
	    "doorbell: 2026-11-20 to 2026-11-21 (UTC)\n"
	    "from log files: 5 lines, 5 of them about screening\n"));
	assert_non_null(strstr(caught.out, "\n2 connections; "));
	text = strdup(caught.out);
	check_done("--text --log @/log");
	assert_string_equal(caught.out, text);
	free(text);
	check_done("--json --log @/log");
	assert_int_equal(number_of("total", "connections"), 2);
	check_done("--html - --log @/log");
	html_check(caught.out);
	html_check_has(caught.out, "<b>2</b><span>connections</span>");
	page = strdup(caught.out);
	/* What was in the file before is gone. */
	write_log("page", page, strlen(page));
	write_log("page", page, strlen(page) - 1);
	check_done("--html @/page --log @/log");
	assert_string_equal(caught.out, "");
	text = read_back("page");
	assert_string_equal(text, page);
	free(text);
	free(page);
}

/* --- log files ---------------------------------------------------------------- */

static void
test_nothing_in_them(void **state)
{
	static const char *const logs[] = {"", "\n", "\n\n", "x", "garbage\n",
	    "2026-11-20T10:00:00Z mx postfix/qmgr[1]: removed\n"};

	(void)state;
	for (size_t i = 0; i < sizeof(logs) / sizeof(logs[0]); i++) {
		write_log("log", logs[i], strlen(logs[i]));
		check_done("--log @/log");
		assert_string_equal(caught.out, "nobody came in this time\n");
		check_done("--json --log @/log");
		assert_int_equal(number_of("total", "connections"), 0);
	}
}

/* A connection goes from file to file, and "mail.log*" has the newest first. */
static void
test_files_in_any_order(void **state)
{
	static const char *const orders[] = {"@/new @/old @/older @/no",
	    "@/older @/old @/new @/no", "@/no @/old @/older @/new",
	    "@/old @/no @/new @/older"};
	char line[128];

	(void)state;
	LOG("older", "garbage\n\n" AT("20T09:59:50", CAME(A)));
	LOG("old", AT("20T10:00:00", "PREGREET 5 after 0.1 from " A ": x"));
	LOG("new", AT("20T10:00:06", "DISCONNECT " A));
	LOG("no", "nothing that\nhas a time\n");
	for (size_t i = 0; i < sizeof(orders) / sizeof(orders[0]); i++) {
		snprintf(line, sizeof(line), "--json --log %s", orders[i]);
		check_done(line);
		assert_int_equal(number_of("total", "connections"), 1);
		assert_int_equal(number_of("total", "early"), 1);
		assert_int_equal(number_of(NULL, "unfinished"), 0);
		/* The garbage is read again, with all the rest. */
		assert_int_equal(number_of(NULL, "lines"), 7);
	}
}

/* What is behind the first 8192 bytes of a line is no line of its own. */
static void
test_lines_of_any_length(void **state)
{
	static char log[60000];
	size_t n;

	(void)state;
	n = (size_t)snprintf(log, sizeof(log), "%s%s",
	    AT("20T10:00:00", CAME(A)),
	    "2026-11-20T10:00:01Z mx postfix/postscreen[1]:"
	    " PREGREET 5 after 0.1 from " A ": ");
	memset(log + n, 'x', 50000 - n);
	/* As if a line began where a buffer might end. */
	for (size_t at = 8000; at < 40000; at += 64)
		memcpy(log + at, AT("20T10:00:02", CAME(B)),
		    sizeof(AT("20T10:00:02", CAME(B))) - 2);
	/* A NUL ends nothing, and the last line has no end. */
	log[45000] = '\0';
	n = 50000 +
	    (size_t)snprintf(log + 50000, sizeof(log) - 50000, "\n%s",
		AT("20T10:00:06", "DISCONNECT " A)) -
	    1;
	write_log("log", log, n);
	check_done("--json --log @/log");
	assert_int_equal(number_of(NULL, "lines"), 3);
	assert_int_equal(number_of("total", "connections"), 1);
	assert_int_equal(number_of("total", "early"), 1);
	LOG("no", "nothing\n");
	check_done("--json --log @/no @/log");
	assert_int_equal(number_of(NULL, "lines"), 4);
	assert_int_equal(number_of("total", "early"), 1);
}

static void
test_standard_input(void **state)
{
	char path[512];
	FILE *log;
	int kept = dup(STDIN_FILENO), status;

	(void)state;
	LOG("log", two_days);
	fill_in("@/log", path);
	log = fopen(path, "re");
	assert_non_null(log);
	assert_true(dup2(fileno(log), STDIN_FILENO) == STDIN_FILENO);
	clearerr(stdin);
	status = report("--json --log -");
	if (kept >= 0) {
		(void)dup2(kept, STDIN_FILENO);
		(void)close(kept);
	}
	(void)fclose(log);
	assert_int_equal(status, CONTROL_DONE);
	assert_int_equal(number_of("total", "connections"), 2);
}

/* A pipe by name, as `<(zcat mail.log.1.gz)` of a shell: what was read from it
 * to see when it begins would be missing. */
static void
test_pipes(void **state)
{
	char line[128], why[128];
	int end[2];

	(void)state;
	LOG("log", two_days);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(pipe(end), 0);
		assert_int_equal(write(end[1], two_days, sizeof(two_days) - 1),
		    (int)sizeof(two_days) - 1);
		(void)close(end[1]);
		snprintf(line, sizeof(line), "--json --log /dev/fd/%d%s",
		    end[0], i == 0 ? "" : " @/log");
		if (i == 0) {
			check_done(line);
			assert_int_equal(number_of("total", "connections"), 2);
		} else {
			snprintf(why, sizeof(why),
			    "/dev/fd/%d: no file, so it cannot be one of"
			    " several",
			    end[0]);
			check_fails(line, CONTROL_FAILED, why);
		}
		(void)close(end[0]);
	}
}

static void
test_period_of_logs(void **state)
{
	static const struct {
		const char *words;
		int known, new;
	} cases[] = {
	    {"", 1, 1},
	    {"--since 2020-01-01", 1, 1},
	    {"--since today", 1, 0},
	    {"--since 2026-11-20", 1, 1},
	    {"--until yesterday", 0, 1},
	    {"--until 2026-11-19", 0, 0},
	    {"--since 2026-11-20 --until 2026-11-20", 0, 1},
	    {"--since 1h", 1, 0},
	    {"--since 59m", 0, 0},
	    {"--until 2h", 0, 1},
	};
	char line[128];

	(void)state;
	LOG("log", two_days);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		snprintf(line, sizeof(line), "--json --log @/log%s%s",
		    cases[i].words[0] != '\0' ? " " : "", cases[i].words);
		check_done(line);
		if (number_of("total", "known") != cases[i].known ||
		    number_of("total", "new") != cases[i].new)
			fail_msg("%s: %s", cases[i].words, caught.out);
	}
}

/* More hours than are kept. */
static void
test_too_many_days(void **state)
{
	enum { LINE = 128, HOURS = HISTORY_HOURS_MAX + 1 };
	char *log = calloc(HOURS, 2 * LINE);
	size_t n = 0;

	(void)state;
	assert_non_null(log);
	for (int64_t i = 0; i < HOURS; i++) {
		time_t at = (time_t)((HOUR_0 - HOURS + i) * 3600);
		struct tm tm;
		char stamp[32];

		assert_non_null(gmtime_r(&at, &tm));
		(void)strftime(stamp, sizeof(stamp), "%Y-%m-%dT%H:%M:%SZ", &tm);
		n += (size_t)snprintf(log + n, 2 * LINE,
		    "%s mx postfix/postscreen[1]: %s\n"
		    "%s mx postfix/postscreen[1]: PASS OLD %s\n",
		    stamp, CAME(A), stamp, A);
	}
	write_log("log", log, n);
	free(log);
	check_fails("--log @/log", CONTROL_FAILED,
	    "not all could be kept: out of memory, or more than 400 days");
	check_done("--json --log @/log --since 300d");
	assert_int_equal(number_of("total", "known"), 300 * 24 - 12);
}

/* --- what doorbelld has kept ---------------------------------------------------- */

/* No process becomes somebody else for this: it is root's, or ours. */
static void
write_config(const char *cache_map)
{
	char text[512];
	int n = snprintf(text, sizeof(text),
	    "myhostname = mx.test\nmynetworks = 127.0.0.0/8\n"
	    "compatibility_level = 3.6\ndoorbell_user = root\n"
	    "doorbell_cache_map = %s%s\n",
	    cache_map[0] != '\0' ? "lmdb:" : "", cache_map);

	write_log("config", text, (size_t)n);
}

static int
stay(struct span stored, struct span more, struct buf *out)
{
	(void)stored;
	return buf_add(out, more.p, more.n);
}

/* Bytes of these hours; ends with a hour of 0. */
struct kept {
	uint32_t hour;
	enum figure figure;
	uint64_t n;
	const char *bytes; /* instead, when not NULL */
};

static void
keep(const struct kept *kept, size_t n)
{
	static struct totals t;
	struct cache_place where;
	struct errtext why;
	struct cache_file *f;
	struct buf bytes;

	assert_int_equal(
	    cache_place_init(&where, place->path, (uid_t)-1, (gid_t)-1), 0);
	f = cache_file_open(&where, place->map_bytes, &why);
	if (f == NULL)
		fail_msg("%s", why.text);
	for (size_t i = 0; i < n; i++) {
		struct cache_total *total;

		memset(&t, 0, sizeof(t));
		t.figure[kept[i].figure] = kept[i].n;
		buf_init(&bytes, TOTALS_BYTES_MAX);
		assert_int_equal(totals_encode(&t, &bytes), 0);
		total = cache_total_new(kept[i].hour,
		    kept[i].bytes != NULL ? span_str(kept[i].bytes)
					  : buf_span(&bytes),
		    stay);
		assert_non_null(total);
		assert_int_equal(
		    cache_file_total(f, total, &why), CACHE_FILE_DONE);
		cache_total_free(&total);
		buf_clear(&bytes);
	}
	cache_file_close(&f);
	cache_place_clear(&where);
}

static void
test_kept(void **state)
{
	static const struct kept kept[] = {
	    {HOUR_0 - 60 * 24, FIGURE_KNOWN, 1000, NULL},
	    /* 30 days, and today is one of them. */
	    {HOUR_0 - 29 * 24 - 1, FIGURE_KNOWN, 100, NULL},
	    {HOUR_0 - 29 * 24, FIGURE_KNOWN, 10, NULL},
	    {HOUR_0 + 1, FIGURE_KNOWN, 0, "what a later release has written"},
	    {HOUR_0 + 10, FIGURE_KNOWN, 1, NULL},
	    {HOUR_0 + 12, FIGURE_NEW, 1, NULL},
	    /* Of a clock that was wrong. */
	    {HOUR_0 + 48, FIGURE_KNOWN, 5000, NULL},
	};
	static const struct {
		const char *words;
		int known, new;
	} cases[] = {
	    {"", 11, 1},
	    {"--since 100d", 1111, 1},
	    {"--since 2026-10-23", 11, 1},
	    {"--since 2026-10-22", 111, 1},
	    {"--since today", 1, 1},
	    /* An hour is in it as soon as a part of it is. */
	    {"--since 90m", 1, 1},
	    {"--since 1h", 0, 1},
	    {"--until 90m", 11, 0},
	    {"--until 2h", 10, 0},
	    {"--since 2020-01-01 --until 2020-01-02", 0, 0},
	};
	char line[128];

	(void)state;
	write_config(place->path);
	keep(kept, sizeof(kept) / sizeof(kept[0]));
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		snprintf(line, sizeof(line), "-c @/config --json%s%s",
		    cases[i].words[0] != '\0' ? " " : "", cases[i].words);
		check_done(line);
		if (number_of("total", "known") != cases[i].known ||
		    number_of("total", "new") != cases[i].new)
			fail_msg("%s: %s", cases[i].words, caught.out);
	}
	check_done("-c @/config --until yesterday --since yesterday");
	assert_string_equal(caught.out, "nobody came in this time\n");
	check_done("-c @/config --html -");
	html_check_has(caught.out, "<b>12</b><span>connections</span>");
}

static void
test_nothing_kept(void **state)
{
	char path[600];

	(void)state;
	write_config("");
	check_fails("-c @/config", CONTROL_FAILED,
	    "doorbell_cache_map is empty: no cache");
	snprintf(path, sizeof(path), "%s/none/pass", place->dir);
	write_config(path);
	check_fails("-c @/config", CONTROL_FAILED,
	    "@/none/pass: No such file or directory");
	write_config(place->path);
	assert_int_equal(report("-c @/config"), CONTROL_FAILED);
	assert_non_null(strstr(caught.err, place->path));
	/* Who only reads makes no file. */
	assert_false(cache_dir_has(place, "pass"));
	assert_string_equal(caught.out, "");
	keep(NULL, 0);
	check_done("-c @/config");
	assert_string_equal(caught.out, "nobody came in this time\n");
}

/* --- when not all of it can be there ------------------------------------------ */

/* Each allocation fails once, and then each with all that follow: the report is
 * whole, or there is none and somebody says so. */
static void
check_no_memory(const char *line, unsigned most)
{
	char *whole;
	unsigned n;
	int status;

	check_done(line);
	whole = strdup(caught.out);
	assert_non_null(whole);
	for (int for_good = 0; for_good <= 1; for_good++)
		for (n = 1, status = -1; status != CONTROL_DONE; n++) {
			assert_true(n < most);
			fake_mem_fault = (struct fake_fault){
			    .armed = true, .lasting = for_good, .at = n};
			status = report(line);
			fake_mem_fault = (struct fake_fault){0};
			if (status == CONTROL_DONE) {
				assert_string_equal(caught.out, whole);
				assert_string_equal(caught.err, "");
			} else {
				assert_int_equal(status, CONTROL_FAILED);
				assert_string_equal(caught.out, "");
				assert_memory_equal(
				    caught.err, "doorbellctl: ", 13);
			}
		}
	free(whole);
}

static void
test_no_memory(void **state)
{
	long live = fake_mem_live();

	(void)state;
	LOG("log", two_days);
	check_no_memory("--log @/log", 200);
	check_no_memory("--json --log @/log", 200);
	check_no_memory("--html - --log @/log", 200);
	assert_int_equal(fake_mem_live(), live);
}

static void
test_no_memory_for_hours(void **state)
{
	enum { LAST = 40 };
	static const struct kept kept[] = {
	    {HOUR_0, FIGURE_KNOWN, 7, NULL},
	    {HOUR_0 + 1, FIGURE_NEW, 7, NULL},
	};
	unsigned long all, told = 0;
	int status;

	(void)state;
	write_config(place->path);
	keep(kept, sizeof(kept) / sizeof(kept[0]));
	fake_mem_fault =
	    (struct fake_fault){.armed = true, .at = (unsigned long)-1};
	check_done("-c @/config --json");
	all = fake_mem_fault.calls;
	assert_int_equal(number_of("total", "connections"), 14);
	/* Those before are the configuration's. */
	for (unsigned long at = all - LAST; at <= all; at++) {
		fake_mem_fault = (struct fake_fault){
		    .armed = true, .lasting = true, .at = at};
		status = report("-c @/config --json");
		fake_mem_fault = (struct fake_fault){0};
		assert_int_equal(status, CONTROL_FAILED);
		assert_string_equal(caught.out, "");
		assert_non_null(strstr(caught.err, "doorbellctl: "));
		told += strstr(caught.err,
			    "not all hours could be read: Cannot allocate"
			    " memory\n") != NULL;
	}
	assert_true(told > 0);
}

int
main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)
	const struct CMUnitTest tests[] = {
	    TEST(test_mistakes),
	    TEST(test_forms),
	    TEST(test_nothing_in_them),
	    TEST(test_files_in_any_order),
	    TEST(test_lines_of_any_length),
	    TEST(test_standard_input),
	    TEST(test_pipes),
	    TEST(test_period_of_logs),
	    TEST(test_too_many_days),
	    TEST(test_kept),
	    TEST(test_nothing_kept),
	    TEST(test_no_memory),
	    TEST(test_no_memory_for_hours),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
