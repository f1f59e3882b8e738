/* SPDX-License-Identifier: ISC */
/* links: fake_mem */
#include "smtp/reply.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "support/fake_mem.h"

static const struct {
	const char *name;
	struct reply reply;
	struct reply_style style;
	const char *rendered, *quoted;
} cases[] = {
#define REPLY(name, code, enhanced, text, soft, foot, rendered, quoted)       \
	{name, {code, enhanced, text}, {.soft_bounce = soft, .footer = foot}, \
	    rendered, quoted},
#include "reply_cases.def"
#undef REPLY
};

enum { CASE_COUNT = sizeof(cases) / sizeof(cases[0]) };

static void
check(const char *name, const struct buf *got, const char *want)
{
	if (!span_is(buf_span(got), want))
		fail_msg("%s: got '%.*s', not '%s'", name, (int)got->n, got->p,
		    want);
}

static void
test_cases(void **state)
{
	(void)state;
	for (size_t i = 0; i < CASE_COUNT; i++) {
		const struct reply *r = &cases[i].reply;
		struct buf out;

		buf_init(&out, 1000);
		assert_int_equal(reply_render(r, &cases[i].style, &out), 0);
		check(cases[i].name, &out, cases[i].rendered);
		buf_reset(&out);
		assert_int_equal(reply_quote(r, &cases[i].style, &out), 0);
		check(cases[i].name, &out, cases[i].quoted);
		buf_clear(&out);
	}
}

/* With one byte less than it takes nothing is written, with enough all. */
static void
test_every_ceiling(void **state)
{
	(void)state;
	for (size_t i = 0; i < CASE_COUNT; i++) {
		size_t need = strlen(cases[i].rendered);

		for (size_t room = 0; room <= need; room++) {
			struct buf out;
			int want = room == need ? 0 : -1;

			buf_init(&out, room + 2);
			assert_int_equal(buf_add_str(&out, "><"), 0);
			if (reply_render(
				&cases[i].reply, &cases[i].style, &out) != want)
				fail_msg("%s: room %zu", cases[i].name, room);
			if (want < 0)
				check(cases[i].name, &out, "><");
			buf_clear(&out);
		}
	}
	assert_int_equal(fake_mem_live(), 0);
}

static void
test_no_memory(void **state)
{
	static const struct reply r = {550, "5.3.2", "No"};
	static const struct reply_style style = {.footer = "foot"};
	struct buf out;

	(void)state;
	buf_init(&out, 1000);
	fake_mem_fail_after(0);
	errno = 0;
	assert_int_equal(reply_render(&r, &style, &out), -1);
	assert_int_equal(errno, ENOMEM);
	assert_int_equal(reply_quote(&r, &style, &out), -1);
	assert_int_equal(reply_part(&r, true, &out), -1);
	fake_mem_heal();
	assert_int_equal(out.n, 0);
	buf_clear(&out);
}

static void
test_parts(void **state)
{
	static const struct reply first = {250, NULL, "mx.example.com"};
	static const struct reply last = {220, "2.0.0", "a\r\nb"};
	struct buf out;

	(void)state;
	buf_init(&out, 60);
	assert_int_equal(reply_part(&first, true, &out), 0);
	assert_int_equal(reply_part(&last, false, &out), 0);
	check("parts", &out, "250-mx.example.com\r\n220 2.0.0 a??b\r\n");
	assert_int_equal(reply_part(&first, true, &out), 0);
	assert_int_equal(reply_part(&first, true, &out), -1);
	check("full", &out,
	    "250-mx.example.com\r\n220 2.0.0 a??b\r\n250-mx.example.com\r\n");
	buf_clear(&out);
}

/* Whatever byte is in the text and in the footer, CR and LF come only as
 * CRLF, and there is one per line that was asked for. */
static void
test_no_splitting(void **state)
{
	(void)state;
	for (int byte = 1; byte < 256; byte++) {
		const char text[] = {'a', (char)byte, 'b', '\0'};
		struct reply r = {550, "5.7.1", text};
		struct reply_style style = {.footer = text};
		size_t endings = 0;
		struct buf out;

		buf_init(&out, 1000);
		assert_int_equal(reply_render(&r, &style, &out), 0);
		for (size_t i = 0; i < out.n; i++) {
			if (out.p[i] == '\r')
				assert_int_equal(out.p[i + 1], '\n');
			if (out.p[i] != '\n')
				continue;
			endings++;
			assert_int_equal(out.p[i - 1], '\r');
		}
		assert_int_equal(endings, byte == '\n' ? 3 : 2);
		buf_clear(&out);
	}
}

/* What a footer is chosen by, and how often. */
struct chooser {
	const char *footer;
	char asked[40];
	unsigned count;
};

static void
choose(struct span quoted, struct buf *out, void *arg)
{
	struct chooser *c = arg;

	c->count++;
	snprintf(c->asked, sizeof(c->asked), "%.*s", (int)quoted.n, quoted.p);
	(void)buf_add_str(out, c->footer);
}

static const struct {
	const char *name;
	struct reply reply;
	bool soft_bounce;
	const char *footer, *asked, *rendered;
} choices[] = {
    {"chosen", {550, "5.3.2", "No"}, false, "a\\nb", "550 5.3.2 No",
	"550-5.3.2 No\r\n550-5.3.2 a\r\n550 5.3.2 b\r\n"},
    {"asked before soft_bounce", {550, "5.3.2", "No"}, true, "a",
	"550 5.3.2 No", "450-4.3.2 No\r\n450 4.3.2 a\r\n"},
    {"glued", {421, NULL, "Bye"}, false, "\\c, see", "421 Bye",
	"421 Bye, see\r\n"},
    {"none", {502, "5.5.2", "No"}, false, "", "502 5.5.2 No",
	"502 5.5.2 No\r\n"},
    {"no fault, no footer", {250, "2.0.0", "Ok"}, false, "a", "",
	"250 2.0.0 Ok\r\n"},
    {"no reply, no footer", {0, NULL, NULL}, false, "a", "", ""},
};

static void
test_chosen_footers(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(choices) / sizeof(choices[0]); i++) {
		struct chooser c = {.footer = choices[i].footer};
		struct reply_style style = {
		    choices[i].soft_bounce, "not this", choose, &c};
		struct buf out;

		buf_init(&out, 1000);
		assert_int_equal(
		    reply_render(&choices[i].reply, &style, &out), 0);
		check(choices[i].name, &out, choices[i].rendered);
		assert_string_equal(c.asked, choices[i].asked);
		assert_int_equal(c.count, choices[i].asked[0] != '\0');
		buf_reset(&out);
		assert_int_equal(
		    reply_quote(&choices[i].reply, &style, &out), 0);
		assert_int_equal(c.count, choices[i].asked[0] != '\0');
		buf_clear(&out);
	}
	assert_int_equal(fake_mem_live(), 0);
}

static void
test_chosen_footer_without_memory(void **state)
{
	static const struct reply r = {550, "5.3.2", "No"};
	struct chooser c = {.footer = "a"};
	struct reply_style style = {.choose = choose, .choose_arg = &c};
	int rc = -1;

	(void)state;
	for (unsigned n = 0; rc < 0; n++) {
		struct buf out;

		assert_true(n < 100);
		buf_init(&out, 1000);
		fake_mem_fail_after(n);
		rc = reply_render(&r, &style, &out);
		fake_mem_heal();
		if (rc < 0)
			assert_int_equal(out.n, 0);
		buf_clear(&out);
		assert_int_equal(fake_mem_live(), 0);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_cases),
	    cmocka_unit_test(test_every_ceiling),
	    cmocka_unit_test(test_no_memory),
	    cmocka_unit_test(test_parts),
	    cmocka_unit_test(test_no_splitting),
	    cmocka_unit_test(test_chosen_footers),
	    cmocka_unit_test(test_chosen_footer_without_memory),
	};

	return cmocka_run_group_tests_name("smtp/reply", tests, NULL, NULL);
}
