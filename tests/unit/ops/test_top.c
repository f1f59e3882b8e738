/* SPDX-License-Identifier: ISC */
/* links: catch_output fake_clock */
#include "ops/top.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio_ext.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <cmocka.h>

#include "ops/ask.h"
#include "support/catch_output.h"
#include "support/fake_clock.h"

#define STATUS(pid, connections)                                        \
	"{\"version\":\"1\\u001b[2J\",\"pid\":" pid ",\"stress\":true," \
	"\"sessions\":4,\"session_limit\":9,"                           \
	"\"phases\":{\"greet\":3,\"relay\":1,\"dialogue\":0},"          \
	"\"handoffs\":{\"waiting\":5,\"in_flight\":6},\"relayed\":7,"   \
	"\"counters\":{\"connections_total\":" connections ","          \
	"\"refused_total\":3},"                                         \
	"\"worst\":[{\"block\":\"192.0.2.1/"                            \
	"32\",\"sessions\":3,\"failed\":2}]}"

static char *
drawn(const char *before, const char *now, int64_t ms, unsigned rows)
{
	struct errtext why;
	struct json_tree *was =
	    before != NULL ? json_tree_new(span_str(before), &why) : NULL;
	struct json_tree *is = json_tree_new(span_str(now), &why);
	char *text = NULL;
	size_t n;
	FILE *out = open_memstream(&text, &n);

	assert_non_null(is);
	assert_non_null(out);
	top_draw(was != NULL ? json_tree_root(was) : NULL, json_tree_root(is),
	    ms, rows, out);
	fclose(out);
	json_tree_free(&was);
	json_tree_free(&is);
	return text;
}

static void
test_rates(void **state)
{
	char *text = drawn(STATUS("7", "100"), STATUS("7", "125"), 2000, 1000);

	(void)state;
	assert_non_null(strstr(text, "process 7, 4 of 9 sessions, STRESS\n"));
	assert_non_null(strstr(text, "  greet             3 ######"));
	assert_non_null(strstr(text, "5 waiting, 6 sent, 7 relayed\n"));
	assert_non_null(strstr(text, "  192.0.2.1/32"));
	assert_non_null(
	    strstr(text, "  connections_total                      12.5\n"));
	/* What has not moved. */
	assert_null(strstr(text, "refused_total"));
	/* What a terminal must not be told. */
	assert_null(strchr(text, '\033'));
	free(text);
}

static void
test_no_rates_of_another_process(void **state)
{
	char *text = drawn(STATUS("7", "100"), STATUS("8", "125"), 1000, 1000);

	(void)state;
	assert_null(strstr(text, "PER SECOND"));
	free(text);
	text = drawn(NULL, STATUS("8", "125"), 0, 1000);
	assert_null(strstr(text, "PER SECOND"));
	free(text);
	text = drawn(STATUS("8", "100"), STATUS("8", "125"), 0, 1000);
	assert_null(strstr(text, "PER SECOND"));
	free(text);
}

static void
test_it_keeps_to_its_lines(void **state)
{
	size_t lines, most = 0;
	char *text;

	(void)state;
	for (unsigned rows = 0; rows < 20; rows++) {
		text =
		    drawn(STATUS("7", "100"), STATUS("7", "125"), 1000, rows);
		lines = 0;
		for (const char *p = text; *p != '\0'; p++)
			lines += *p == '\n';
		assert_true(lines <= rows);
		assert_true(lines >= most);
		most = lines;
		free(text);
	}
	assert_int_equal(most, 9);
}

static void
test_an_empty_answer(void **state)
{
	char *text = drawn("{}", "{}", 1000, 1000);

	(void)state;
	assert_non_null(strstr(text, "0 of 0 sessions"));
	free(text);
}

static void
test_bars(void **state)
{
	static const struct {
		const char *name, *json, *want;
	} cases[] = {
	    {"nobody", "{\"sessions\":0,\"phases\":{\"greet\":0}}",
		"        0 \n"},
	    {"one of many", "{\"sessions\":1000,\"phases\":{\"greet\":1}}",
		"        1 #\n"},
	    {"a half", "{\"sessions\":2,\"phases\":{\"greet\":1}}",
		"        1 ###############\n"},
	    {"all", "{\"sessions\":9,\"phases\":{\"greet\":9}}",
		"        9 ##############################\n"},
	    {"more than all", "{\"sessions\":9,\"phases\":{\"greet\":90}}",
		"       90 ##############################\n"},
	    {"of none", "{\"phases\":{\"greet\":3}}", "        3 #\n"},
	    {"less than none", "{\"sessions\":1,\"phases\":{\"greet\":-3}}",
		"       -3 \n"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char *text = drawn(NULL, cases[i].json, 0, 1000);
		const char *bar = strstr(text, "  greet     ");

		if (bar == NULL || strncmp(bar + 12, cases[i].want,
				       strlen(cases[i].want)) != 0)
			fail_msg("%s: %s", cases[i].name, text);
		free(text);
	}
}

/* --- looking ------------------------------------------------------------------ */

/* A daemon that answers by a script, and pauses that take no time. */
struct answer {
	enum control_status status;
	const char *text; /* the body, or why there is none */
	bool hangs_up;    /* the terminal, in the pause behind it */
};

static const struct answer *script;
static size_t answers, asked, pauses;
static int terminal = -1; /* the other end of it */

enum control_status
ask_daemon(const char *path, const struct request *r, struct buf *body,
    struct errtext *why)
{
	const struct answer *a = &script[asked];

	if (asked == answers || strcmp(path, "/socket") != 0 ||
	    r->order != ORDER_TOP || body->n > 0) {
		errtext_set(why, "asked for too much");
		return CONTROL_FAILED;
	}
	asked++;
	if (a->status == CONTROL_DONE)
		(void)buf_add_str(body, a->text);
	else
		errtext_set(why, "%s", a->text);
	return a->status;
}

/* Declared here: in poll.h it may be an inline function. */
struct pollfd;
int poll(struct pollfd *fds, unsigned long n, int timeout_ms);

int
poll(struct pollfd *fds, unsigned long n, int timeout_ms)
{
	(void)fds;
	(void)n;
	fake_clock_advance(timeout_ms);
	pauses++;
	if (asked > 0 && script[asked - 1].hangs_up && terminal >= 0) {
		(void)close(terminal);
		terminal = -1;
	}
	return 0;
}

static int
run(const struct answer *a, size_t n, const char *once)
{
	const struct request r = {
	    .order = ORDER_TOP, .with = {[SWITCH_ONCE] = once}};

	fake_clock_reset();
	script = a;
	answers = n;
	asked = pauses = 0;
	return top_run("/socket", &r);
}

static const struct {
	const char *name;
	struct answer answer[2];
	int status;
	size_t asked;
	const char *out; /* a part of it, or NULL: nothing */
	const char *err;
} runs[] = {
    {"two looks",
	{{CONTROL_DONE, STATUS("7", "100"), false},
	    {CONTROL_DONE, STATUS("7", "125"), false}},
	CONTROL_DONE, 2, "connections_total                      25.0\n", ""},
    {"another process",
	{{CONTROL_DONE, STATUS("7", "100"), false},
	    {CONTROL_DONE, STATUS("8", "125"), false}},
	CONTROL_DONE, 2, "process 8, 4 of 9 sessions", ""},
    {"nobody", {{CONTROL_NOBODY, "nobody is there", false}}, CONTROL_NOBODY, 1,
	NULL, "doorbellctl: nobody is there\n"},
    {"not allowed", {{CONTROL_FORBIDDEN, "not for you", false}},
	CONTROL_FORBIDDEN, 1, NULL, "doorbellctl: not for you\n"},
    {"nobody any more",
	{{CONTROL_DONE, STATUS("7", "100"), false},
	    {CONTROL_NOBODY, "gone", false}},
	CONTROL_NOBODY, 2, NULL, "doorbellctl: gone\n"},
    {"no JSON", {{CONTROL_DONE, "{", false}}, CONTROL_FAILED, 1, NULL,
	"doorbellctl: "},
    {"no JSON the second time",
	{{CONTROL_DONE, STATUS("7", "100"), false}, {CONTROL_DONE, "", false}},
	CONTROL_FAILED, 2, NULL, "doorbellctl: "},
};

/* With --once, and where there is no terminal anyway. */
static void
test_one_view(void **state)
{
	struct caught c;
	int status;

	(void)state;
	for (size_t i = 0; i < 2 * sizeof(runs) / sizeof(runs[0]); i++) {
		size_t k = i / 2;

		catch_begin(&c);
		status =
		    run(runs[k].answer, runs[k].asked, i % 2 == 0 ? "" : NULL);
		catch_end(&c);
		if (status != runs[k].status || asked != runs[k].asked ||
		    pauses != runs[k].asked - 1 ||
		    strncmp(c.err, runs[k].err, strlen(runs[k].err)) != 0 ||
		    (runs[k].err[0] == '\0' && c.err[0] != '\0') ||
		    (runs[k].out == NULL ? c.out[0] != '\0'
					 : strstr(c.out, runs[k].out) == NULL))
			fail_msg("%s: %d, asked %zu times: %s%s", runs[k].name,
			    status, asked, c.out, c.err);
		assert_null(strchr(c.out, '\033'));
		catch_clear(&c);
	}
}

/* What the terminal has got; it comes in pieces. */
static void
read_all(int inner, char *shown, size_t room)
{
	static const char mark[] = "(the end)";
	size_t n = 0;
	ssize_t got;

	shown[0] = '\0';
	if (terminal < 0)
		return;
	assert_int_equal(write(inner, mark, strlen(mark)), strlen(mark));
	while (strstr(shown, mark) == NULL) {
		got = read(terminal, shown + n, room - 1 - n);
		assert_true(got > 0);
		n += (size_t)got;
		shown[n] = '\0';
	}
}

/* On a terminal of so many lines (0: it does not know); what it has shown, until
 * it was asked for more than there is. */
static int
run_on_terminal(const struct answer *a, size_t n, unsigned short rows,
    char *shown, size_t room, struct caught *c)
{
	const struct winsize size = {.ws_row = rows, .ws_col = 80};
	int inner, status;

	terminal = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
	assert_true(terminal >= 0);
	assert_int_equal(grantpt(terminal), 0);
	assert_int_equal(unlockpt(terminal), 0);
	inner = open(ptsname(terminal), O_RDWR | O_NOCTTY | O_CLOEXEC);
	assert_true(inner >= 0);
	assert_int_equal(ioctl(inner, TIOCSWINSZ, &size), 0);
	catch_begin(c);
	(void)dup2(inner, STDOUT_FILENO);
	/* As it is when a program begins on a terminal. */
	(void)setvbuf(stdout, NULL, _IOLBF, BUFSIZ);
	status = run(a, n, NULL);
	__fpurge(stdout);
	clearerr(stdout);
	catch_end(c);
	(void)setvbuf(
	    stdout, NULL, isatty(STDOUT_FILENO) ? _IOLBF : _IOFBF, BUFSIZ);
	read_all(inner, shown, room);
	(void)close(inner);
	if (terminal >= 0)
		(void)close(terminal);
	terminal = -1;
	return status;
}

#define CLEAR "\033[H\033[J"

/* The view that begins at the i-th CLEAR; NULL: there is none. */
static const char *
view(const char *shown, unsigned i)
{
	const char *at = strstr(shown, CLEAR);

	while (at != NULL && i-- > 0)
		at = strstr(at + 1, CLEAR);
	return at != NULL ? at + strlen(CLEAR) : NULL;
}

static size_t
lines_of(const char *from)
{
	size_t n = 0;

	for (; *from != '\0' && *from != '\033'; from++)
		n += *from == '\n';
	return n;
}

static void
test_a_terminal(void **state)
{
	static const struct answer a[] = {
	    {CONTROL_NOBODY, "nobody is there yet", false},
	    {CONTROL_DONE, STATUS("7", "100"), false},
	    {CONTROL_DONE, STATUS("7", "125"), false},
	    {CONTROL_NOBODY, "it has gone", false},
	    {CONTROL_DONE, STATUS("8", "3"), false},
	    {CONTROL_FORBIDDEN, "not for you any more", false},
	};
	static const char rate[] =
	    "connections_total                      25.0";
	char shown[8192];
	struct caught c;
	int status;

	(void)state;
	status = run_on_terminal(
	    a, sizeof(a) / sizeof(a[0]), 40, shown, sizeof(shown), &c);
	assert_int_equal(status, CONTROL_FORBIDDEN);
	assert_string_equal(c.err, "doorbellctl: not for you any more\n");
	assert_int_equal(pauses, 5);
	assert_non_null(view(shown, 4));
	assert_null(view(shown, 5));
	assert_memory_equal(view(shown, 0), "nobody is there yet\r\n", 21);
	/* Nothing to compare with, and then there is. */
	assert_memory_equal(view(shown, 1), "doorbelld ", 10);
	assert_true(strstr(shown, "PER SECOND") > view(shown, 2));
	assert_true(strstr(shown, rate) > view(shown, 2));
	assert_memory_equal(view(shown, 3), "it has gone\r\n", 13);
	assert_memory_equal(view(shown, 4), "doorbelld ", 10);
	assert_null(strstr(view(shown, 3), "PER SECOND"));
	catch_clear(&c);
}

/* The last line is the cursor's. */
static void
test_terminals_of_all_sizes(void **state)
{
	static const struct {
		unsigned short rows;
		size_t lines;
	} cases[] = {{2, 1}, {5, 4}, {9, 8}, {10, 9}, {11, 9}, {100, 9},
	    /* Not known: two dozen. */
	    {0, 9}, {1, 9}};
	static const struct answer a[] = {
	    {CONTROL_DONE, STATUS("7", "100"), false},
	    {CONTROL_DONE, STATUS("7", "125"), false},
	    {CONTROL_FAILED, "enough", false},
	};
	char shown[8192];
	struct caught c;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(run_on_terminal(a, 3, cases[i].rows, shown,
				     sizeof(shown), &c),
		    CONTROL_FAILED);
		assert_non_null(view(shown, 1));
		if (lines_of(view(shown, 1)) != cases[i].lines)
			fail_msg("%u rows: %s", cases[i].rows, shown);
		catch_clear(&c);
	}
}

/* With SIGHUP ignored, nothing but a failing write tells that it has gone. */
static void
test_a_terminal_that_hangs_up(void **state)
{
	static const struct answer a[] = {
	    {CONTROL_DONE, STATUS("7", "100"), true},
	    {CONTROL_DONE, STATUS("7", "125"), false},
	};
	char shown[8192];
	struct caught c;
	int status = run_on_terminal(a, 2, 40, shown, sizeof(shown), &c);

	(void)state;
	assert_string_equal(
	    c.err, "doorbellctl: cannot write: Input/output error\n");
	assert_int_equal(status, CONTROL_FAILED);
	assert_int_equal(asked, 2);
	catch_clear(&c);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_rates),
	    cmocka_unit_test(test_no_rates_of_another_process),
	    cmocka_unit_test(test_it_keeps_to_its_lines),
	    cmocka_unit_test(test_an_empty_answer),
	    cmocka_unit_test(test_bars),
	    cmocka_unit_test(test_one_view),
	    cmocka_unit_test(test_a_terminal),
	    cmocka_unit_test(test_terminals_of_all_sizes),
	    cmocka_unit_test(test_a_terminal_that_hangs_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
