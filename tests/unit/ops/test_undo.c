/* SPDX-License-Identifier: ISC */
#include "ops/undo.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <string.h>
#include <unistd.h>

#include "ops/command.h"
#include "ops/replace.h"

struct place {
	char dir[32], a[64], b[64];
};

static int
setup(void **state)
{
	static struct place place;

	(void)snprintf(place.dir, sizeof(place.dir), "/tmp/undo.XXXXXX");
	assert_non_null(mkdtemp(place.dir));
	(void)snprintf(place.a, sizeof(place.a), "%s/a", place.dir);
	(void)snprintf(place.b, sizeof(place.b), "%s/b", place.dir);
	*state = &place;
	return 0;
}

static int
teardown(void **state)
{
	const struct place *p = *state;

	(void)unlink(p->a);
	(void)unlink(p->b);
	return rmdir(p->dir);
}

static void
write_text(const char *path, const char *text, mode_t mode)
{
	struct errtext why;

	if (replace_write(
		path, span_str(text), mode, getuid(), getgid(), &why) < 0)
		fail_msg("%s", why.text);
}

static void
assert_text(const char *path, const char *want, mode_t mode)
{
	struct errtext why;
	struct stat st;
	struct buf got;

	buf_init(&got, 1000);
	if (replace_read(path, &got, &st, &why) < 0)
		fail_msg("%s", why.text);
	assert_true(span_is(buf_span(&got), want));
	assert_int_equal(st.st_mode & 07777, mode);
	buf_clear(&got);
}

static void
test_undo(void **state)
{
	const struct place *p = *state;
	const struct undo_file *a, *b;
	struct undo undo = {0};
	struct errtext why = {""};

	write_text(p->a, "before", 0640);
	a = undo_remember(&undo, p->a, &why);
	b = undo_remember(&undo, p->b, &why);
	assert_non_null(a);
	assert_non_null(b);
	assert_true(a->existed);
	assert_false(b->existed);
	write_text(p->a, "after", 0600);
	write_text(p->b, "new", 0600);
	assert_int_equal(undo_all(&undo, &why), 0);
	assert_text(p->a, "before", 0640);
	assert_int_equal(access(p->b, F_OK), -1);
	/* Once more: nothing is left to do. */
	assert_int_equal(undo_all(&undo, &why), 0);
	assert_text(p->a, "before", 0640);
	assert_int_equal(unlink(p->a), 0);
	assert_int_equal(undo_all(&undo, &why), 0);
	assert_text(p->a, "before", 0640);
	undo_clear(&undo);
}

static void
test_unreadable(void **state)
{
	const struct place *p = *state;
	struct undo undo = {0};
	struct errtext why = {""};

	assert_null(undo_remember(&undo, p->dir, &why));
	assert_non_null(strstr(why.text, p->dir));
	undo_clear(&undo);
}

static void
test_command(void **state)
{
	static const struct {
		const char *script;
		int status;
		const char *why;
	} cases[] = {
	    {"exit 0", 0, ""},
	    {"echo first; echo last >&2; exit 3", 3, "/bin/sh: last"},
	    {"exit 4", 4, "/bin/sh ended with 4; the mail log may say why"},
	    {"kill -9 $$", 137,
		"/bin/sh ended with 137; the mail log may say why"},
	    /* What is left behind is not waited for. */
	    {"sleep 5 & exit 0", 0, ""},
	    {"read x && exit 5; exit 0", 0, ""},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *const argv[] = {
		    "/bin/sh", "-c", cases[i].script, NULL};
		struct errtext why = {""};
		struct buf said;

		buf_init(&said, 100);
		assert_int_equal(
		    command_run(argv, 4000, &said, &why), cases[i].status);
		buf_clear(&said);
		assert_int_equal(command_must(argv, 4000, &why),
		    cases[i].status == 0 ? 0 : -1);
		assert_string_equal(why.text, cases[i].why);
	}
}

static void
test_command_fails(void **state)
{
	const char *const none[] = {"/nonexistent/program", NULL};
	const char *const slow[] = {"/bin/sleep", "10", NULL};
	struct errtext why = {""};

	(void)state;
	assert_int_equal(command_must(none, 1000, &why), -1);
	assert_non_null(strstr(why.text, "/nonexistent/program"));
	assert_int_equal(command_must(slow, 50, &why), -1);
	assert_non_null(strstr(why.text, "timed out"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_undo, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_unreadable, setup, teardown),
	    cmocka_unit_test(test_command),
	    cmocka_unit_test(test_command_fails),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
