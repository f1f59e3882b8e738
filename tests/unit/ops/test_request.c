/* SPDX-License-Identifier: ISC */
#include "ops/request.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

static void
fails(const char *name, const char *what)
{
	print_error("case \"%s\": %s\n", name, what);
	fail();
}

/* Request by request, as it is after the way over the socket. */
static const struct {
	const char *name;
	const char *words[6];
	const char *line; /* NULL: refused */
} cases[] = {
    {"one word", {"status"}, "status\n"},
    {"an option in front", {"--json", "status"}, "status --json\n"},
    {"an option behind", {"status", "--json"}, "status --json\n"},
    {"a value behind =", {"sessions", "--phase=greet"},
	"sessions --phase=greet\n"},
    {"a value of its own", {"sessions", "--phase", "greet"},
	"sessions --phase=greet\n"},
    {"a value with blanks", {"sessions", "--phase", "a \"b\\"},
	"sessions --phase=\"a \\\"b\\\\\"\n"},
    {"an empty value", {"sessions", "--phase="}, "sessions --phase=\"\"\n"},
    {"two words", {"cache", "get", "192.0.2.1"}, "cache get -- 192.0.2.1\n"},
    {"an argument like an option", {"cache", "get", "--", "--json"},
	"cache get -- --json\n"},
    {"a dash is an argument", {"cache", "import", "-"}, "cache import -- -\n"},
    {"an option of another", {"status", "--phase=greet"}, NULL},
    {"an option with no value", {"sessions", "--phase"}, NULL},
    {"an option that has none", {"status", "--json=yes"}, NULL},
    {"twice", {"status", "--json", "--json"}, NULL},
    {"unknown", {"status", "--jso"}, NULL},
    {"unknown letter", {"status", "-j"}, NULL},
    {"a value twice", {"sessions", "--phase=a", "--phase=b"}, NULL},
    {"the other option of a command", {"--limit=3", "sessions"},
	"sessions --limit=3\n"},
    {"an option and no command", {"--phase=a"}, NULL},
    {"a DEL", {"sessions", "--phase=a\177b"}, NULL},
    {"another's second word", {"status", "get"}, NULL},
    {"not a command", {"stat"}, NULL},
    {"half a command", {"cache"}, NULL},
    {"too few", {"cache", "get"}, NULL},
    {"too many", {"cache", "get", "a", "b"}, NULL},
    {"far too many", {"cache", "get", "a", "b", "c", "d"}, NULL},
    {"a newline", {"sessions", "--phase=a\nb"}, NULL},
};

static int
to_line(const char *const *words, struct buf *line)
{
	struct request r;
	struct errtext why = {""};
	size_t n = 0;

	while (n < 6 && words[n] != NULL)
		n++;
	if (request_parse(&r, words, n, 0, &why) < 0 ||
	    request_to_line(&r, line, &why) < 0)
		return why.text[0] != '\0' ? -1 : 0;
	return 0;
}

static void
test_to_line_and_back(void **state)
{
	struct request_room room;
	struct request r;
	struct errtext why;
	struct buf line, again;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *name = cases[i].name;

		buf_init(&line, REQUEST_LINE_MAX);
		buf_init(&again, REQUEST_LINE_MAX);
		if (to_line(cases[i].words, &line) < 0) {
			if (cases[i].line != NULL)
				fails(name, "refused");
		} else if (cases[i].line == NULL) {
			fails(name, "not refused");
		} else {
			if (strcmp(buf_str(&line), cases[i].line) != 0)
				fails(name, buf_str(&line));
			if (request_from_line(&r, span_of(line.p, line.n - 1),
				&room, &why) < 0 ||
			    request_to_line(&r, &again, &why) < 0)
				fails(name, why.text);
			if (strcmp(buf_str(&again), cases[i].line) != 0)
				fails(name, buf_str(&again));
		}
		buf_clear(&line);
		buf_clear(&again);
	}
}

static const struct {
	const char *name, *line;
} bad_lines[] = {
    {"nothing but a quote", "\""},
    {"a quote that does not end", "sessions --phase=\"a"},
    {"a backslash at the end", "sessions --phase=\"a\\"},
    {"a control byte", "status\t"},
    {"a DEL", "status \177"},
    {"too many words",
	"a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a"},
    {"another daemon's configuration", "status --config=/etc"},
    {"another's, in short", "status -c/etc"},
};

static void
test_bad_lines(void **state)
{
	struct request_room room;
	struct request r;
	struct errtext why;

	(void)state;
	for (size_t i = 0; i < sizeof(bad_lines) / sizeof(bad_lines[0]); i++)
		if (request_from_line(
			&r, span_str(bad_lines[i].line), &room, &why) == 0)
			fails(bad_lines[i].name, "not refused");
}

/* Each truncation is understood or refused, and never read beyond. */
static void
test_every_truncation(void **state)
{
	static const char whole[] =
	    "sessions --json --phase=\"a \\\"b\\\\\" --limit=3";
	struct request_room room;
	struct request r;
	struct errtext why;
	char copy[sizeof(whole)];

	(void)state;
	for (size_t n = 0; n < sizeof(whole); n++) {
		memcpy(copy, whole, n);
		if (request_from_line(&r, span_of(copy, n), &room, &why) == 0 &&
		    n > strlen("sessions") && r.order != ORDER_SESSIONS)
			fails("truncation", "another command");
	}
	assert_int_equal(
	    request_from_line(&r, span_str(whole), &room, &why), 0);
	assert_string_equal(r.with[SWITCH_PHASE], "a \"b\\");
	assert_string_equal(r.with[SWITCH_LIMIT], "3");
}

static void
test_empty_and_long_lines(void **state)
{
	char line[REQUEST_LINE_MAX + 1];
	struct request_room room;
	struct request r;
	struct errtext why;

	(void)state;
	assert_int_equal(request_from_line(&r, span_str(""), &room, &why), 0);
	assert_int_equal(r.order, ORDER_NONE);
	memset(line, 'x', sizeof(line));
	assert_int_equal(request_from_line(&r,
			     span_of(line, REQUEST_LINE_MAX - 1), &room, &why),
	    -1);
	assert_string_equal(why.text, "the line is too long");
	assert_int_equal(request_from_line(&r,
			     span_of(line, REQUEST_LINE_MAX - 2), &room, &why),
	    -1);
	assert_non_null(strstr(why.text, "unknown command"));
}

static void
test_letters(void **state)
{
	static const char *const words[] = {"-nc/etc", "postfix", "enable"};
	struct request r;
	struct errtext why;

	(void)state;
	assert_int_equal(
	    request_parse(&r, words, 3, REQUEST_HAS(CONFIG), &why), 0);
	assert_int_equal(r.order, ORDER_POSTFIX_ENABLE);
	assert_string_equal(r.with[SWITCH_CONFIG], "/etc");
	assert_non_null(r.with[SWITCH_DRY_RUN]);
	assert_null(r.argument[0]);
}

static void
test_more_letters(void **state)
{
	static const struct {
		const char *words[4];
		size_t n;
		const char *config; /* NULL: refused */
	} letters[] = {
	    {{"-n", "postfix", "enable"}, 3, ""},
	    {{"-c", "/etc", "postfix", "enable"}, 4, "/etc"},
	    {{"postfix", "enable", "-nc", "/etc"}, 4, "/etc"},
	    {{"postfix", "enable", "-nn"}, 3, NULL},
	    {{"postfix", "enable", "-c"}, 3, NULL},
	};
	struct request r;
	struct errtext why;

	(void)state;
	for (size_t i = 0; i < sizeof(letters) / sizeof(letters[0]); i++) {
		int rc = request_parse(&r, letters[i].words, letters[i].n,
		    REQUEST_HAS(CONFIG), &why);
		const char *got = rc < 0 ? NULL : r.with[SWITCH_CONFIG];

		assert_int_equal(rc, letters[i].config != NULL ? 0 : -1);
		if (rc == 0)
			assert_string_equal(
			    got != NULL ? got : "", letters[i].config);
	}
}

/* What is for us alone is not told to the other end. */
static void
test_our_own_switch(void **state)
{
	static const char *const words[] = {"-c", "/etc", "status"};
	struct request r;
	struct errtext why;
	struct buf line;

	(void)state;
	assert_int_equal(
	    request_parse(&r, words, 3, REQUEST_HAS(CONFIG), &why), 0);
	buf_init(&line, 100);
	assert_int_equal(request_to_line(&r, &line, &why), 0);
	assert_string_equal(buf_str(&line), "status\n");
	buf_clear(&line);
}

/* Outside of quotes a backslash is one. */
static void
test_plain_backslash(void **state)
{
	struct request_room room;
	struct request r;
	struct errtext why;

	(void)state;
	assert_int_equal(
	    request_from_line(&r, span_str("cache get a\\b"), &room, &why), 0);
	assert_string_equal(r.argument[0], "a\\b");
}

static void
test_too_many_words(void **state)
{
	const char *words[REQUEST_ARGUMENTS_MAX + 4];
	struct request r;
	struct errtext why = {""};

	(void)state;
	for (size_t i = 0; i < REQUEST_ARGUMENTS_MAX + 4; i++)
		words[i] = "status";
	assert_int_equal(
	    request_parse(&r, words, REQUEST_ARGUMENTS_MAX + 4, 0, &why), -1);
	assert_string_equal(why.text, "too many words");
	assert_int_equal(request_parse(&r, words, 0, 0, &why), 0);
	assert_int_equal(r.order, ORDER_NONE);
}

/* Whatever does not fit is told, at each byte. */
static void
test_every_ceiling(void **state)
{
	static const char *const words[] = {"cache", "get", "--", "a \"\\b"};
	static const char *const others[] = {
	    "sessions", "--json", "--phase=a b", "--limit=2"};
	static char longest[REQUEST_LINE_MAX + 10];
	const char *const too_long[] = {"cache", "get", longest};
	struct request r, s;
	struct errtext why;
	struct buf line;

	(void)state;
	assert_int_equal(request_parse(&r, words, 4, 0, &why), 0);
	assert_int_equal(request_parse(&s, others, 4, 0, &why), 0);
	for (size_t max = 1; max < 60; max++) {
		buf_init(&line, max);
		assert_int_equal(request_to_line(&r, &line, &why),
		    max >= strlen("cache get -- \"a \\\"\\\\b\"\n") ? 0 : -1);
		buf_reset(&line);
		assert_int_equal(request_to_line(&s, &line, &why),
		    max >= strlen("sessions --json --phase=\"a b\" --limit=2\n")
			? 0
			: -1);
		buf_clear(&line);
	}
	memset(longest, 'x', sizeof(longest) - 1);
	assert_int_equal(request_parse(&r, too_long, 3, 0, &why), 0);
	buf_init(&line, 2 * REQUEST_LINE_MAX);
	assert_int_equal(request_to_line(&r, &line, &why), -1);
	assert_string_equal(why.text, "the words are too long");
	buf_clear(&line);
}

/* What the shell may offer next. */
static void
test_completion(void **state)
{
	static const struct {
		const char *words[3];
		size_t n;
		const char *has, *has_not;
	} offers[] = {
	    {{NULL}, 0, "sessions\n", "import\n"},
	    {{"cache"}, 1, "import\n", "sessions\n"},
	    {{"nothing"}, 1, "", "\n"},
	    {{"sessions"}, 1, "--phase\n", "--dry-run\n"},
	    {{"postfix", "enable"}, 2, "--dry-run\n", "--phase\n"},
	    {{"sessions", "--json"}, 2, "--phase\n", "--dry-run\n"},
	    {{"sessions", "phase"}, 2, "--phase\n", "--dry-run\n"},
	    {{"sessions", "--phase"}, 2, "", "\n"}, /* its value comes */
	};
	struct buf out;

	(void)state;
	for (size_t i = 0; i < sizeof(offers) / sizeof(offers[0]); i++) {
		buf_init(&out, 4096);
		request_complete(offers[i].words, offers[i].n, &out);
		if (out.n == 0)
			assert_int_equal(buf_add_char(&out, ' '), 0);
		if (strstr(buf_str(&out), offers[i].has) == NULL ||
		    strstr(buf_str(&out), offers[i].has_not) != NULL)
			fails(offers[i].n > 0 ? offers[i].words[0] : "nothing",
			    buf_str(&out));
		/* Each once. */
		if (offers[i].n == 0)
			assert_null(strstr(
			    strstr(buf_str(&out), "cache\n") + 1, "cache\n"));
		buf_clear(&out);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_to_line_and_back),
	    cmocka_unit_test(test_bad_lines),
	    cmocka_unit_test(test_every_truncation),
	    cmocka_unit_test(test_empty_and_long_lines),
	    cmocka_unit_test(test_letters),
	    cmocka_unit_test(test_more_letters),
	    cmocka_unit_test(test_our_own_switch),
	    cmocka_unit_test(test_plain_backslash),
	    cmocka_unit_test(test_too_many_words),
	    cmocka_unit_test(test_every_ceiling),
	    cmocka_unit_test(test_completion),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
