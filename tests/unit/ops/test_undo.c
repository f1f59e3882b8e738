/* SPDX-License-Identifier: ISC */
#include "ops/undo.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

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

/* What could not be read was not changed, and is not written over. */
static void
test_what_was_not_remembered_is_left_alone(void **state)
{
	const struct place *p = *state;
	struct rlimit before, none = {0, 0};
	struct undo undo = {0};
	struct errtext why = {""};

	write_text(p->a, "all there is", 0640);
	write_text(p->b, "before", 0640);
	assert_non_null(undo_remember(&undo, p->b, &why));
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	none.rlim_max = before.rlim_max;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	assert_null(undo_remember(&undo, p->a, &why));
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	assert_non_null(strstr(why.text, "Too many open files"));
	write_text(p->b, "after", 0640);
	assert_int_equal(undo_all(&undo, &why), 0);
	assert_text(p->a, "all there is", 0640);
	assert_text(p->b, "before", 0640);
	undo_clear(&undo);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_undo, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_unreadable, setup, teardown),
	    cmocka_unit_test_setup_teardown(
		test_what_was_not_remembered_is_left_alone, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
