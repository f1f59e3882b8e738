/* SPDX-License-Identifier: ISC */
/* links: nth_call */
#include "daemon/tally.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "support/nth_call.h"

struct place {
	char directory[64];
	char file[96], fresh[104];
};

static int
set_up(void **state)
{
	static struct place place;

	(void)snprintf(
	    place.directory, sizeof(place.directory), "/tmp/test_tally.XXXXXX");
	if (mkdtemp(place.directory) == NULL)
		return -1;
	(void)snprintf(place.file, sizeof(place.file), "%s/%s", place.directory,
	    TALLY_NAME);
	(void)snprintf(place.fresh, sizeof(place.fresh), "%s.new", place.file);
	*state = &place;
	return 0;
}

static int
tear_down(void **state)
{
	const struct place *place = *state;

	(void)unlink(place->file);
	(void)unlink(place->fresh);
	return rmdir(place->directory);
}

static void
open_shared(const struct place *place, struct tally *t)
{
	struct errtext why = {""};

	assert_int_equal(
	    tally_open(t, place->directory, (uid_t)-1, (gid_t)-1, &why), 0);
	assert_string_equal(why.text, "");
	assert_false(t->is_private);
}

static void
open_private(const char *directory, const char *trouble)
{
	struct errtext why = {""};
	struct tally t;

	assert_int_equal(
	    tally_open(&t, directory, (uid_t)-1, (gid_t)-1, &why), 0);
	assert_true(t.is_private);
	assert_non_null(strstr(why.text, trouble));
	counters_bump(&t.page->counters, COUNTER_SHED);
	tally_close(&t);
	tally_close(&t);
}

static uint64_t
shed(const struct tally *t)
{
	return counters_read(&t->page->counters, COUNTER_SHED);
}

static void
test_two_add_to_the_same(void **state)
{
	struct tally a, b;
	struct stat st;

	open_shared(*state, &a);
	open_shared(*state, &b);
	counters_add(&a.page->counters, COUNTER_SHED, 2);
	counters_add(&b.page->counters, COUNTER_SHED, 3);
	assert_int_equal(shed(&a), 5);
	assert_int_equal(shed(&b), 5);
	tally_close(&a);
	tally_close(&b);
	open_shared(*state, &a);
	assert_int_equal(shed(&a), 5);
	tally_close(&a);
	assert_int_equal(stat(((struct place *)*state)->file, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
}

/* Written by another release, or by nobody knows whom. */
static void
test_another_shape(void **state)
{
	const struct place *place = *state;
	struct tally old, new;

	open_shared(place, &old);
	counters_bump(&old.page->counters, COUNTER_SHED);
	old.page->shape++;
	open_shared(place, &new);
	assert_int_equal(shed(&new), 0);
	counters_add(&new.page->counters, COUNTER_SHED, 7);
	assert_int_equal(shed(&old), 1);
	tally_close(&old);
	tally_close(&new);
	open_shared(place, &new);
	assert_int_equal(shed(&new), 7);
	tally_close(&new);
}

static void
test_another_size(void **state)
{
	const struct place *place = *state;
	struct tally t;
	static const off_t sizes[] = {0, 1, 100000};

	for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		open_shared(place, &t);
		counters_bump(&t.page->counters, COUNTER_SHED);
		tally_close(&t);
		assert_int_equal(truncate(place->file, sizes[i]), 0);
		open_shared(place, &t);
		assert_int_equal(shed(&t), 0);
		tally_close(&t);
	}
}

/* What was left by a process that died half way is in nobody's way. */
static void
test_left_over(void **state)
{
	const struct place *place = *state;
	struct tally t;

	close(open(place->fresh, O_CREAT | O_WRONLY, 0600));
	open_shared(place, &t);
	tally_close(&t);
	assert_int_equal(access(place->fresh, F_OK), -1);
}

/* No room, no memory, no descriptor: no shared numbers, and nothing half made is
 * left. */
static void
test_each_call_fails_once(void **state)
{
	static const struct {
		enum nth_call call;
		int error;
	} faults[] = {
	    {CALL_posix_fallocate, ENOSPC},
	    {CALL_pwrite, ENOSPC},
	    {CALL_mmap, ENOMEM},
	    {CALL_open, EMFILE},
	    {CALL_open, EROFS},
	};
	const struct place *place = *state;
	struct errtext why;
	struct tally t;

	for (size_t i = 0; i < sizeof(faults) / sizeof(*faults); i++) {
		uint32_t at = 1;

		do {
			(void)unlink(place->file);
			nth_call_arm(faults[i].call, at, faults[i].error);
			assert_int_equal(tally_open(&t, place->directory,
					     (uid_t)-1, (gid_t)-1, &why),
			    0);
			counters_bump(&t.page->counters, COUNTER_SHED);
			assert_int_equal(shed(&t), 1);
			assert_true(!t.is_private || why.text[0] != '\0');
			assert_int_not_equal(access(place->fresh, F_OK), 0);
			tally_close(&t);
		} while (nth_call_disarm() >= at++);
		assert_true(at > 2);
	}
}

static void
test_no_file(void **state)
{
	const struct place *place = *state;

	open_private("/tmp/there/is/no/such/place", "No such file");
	assert_int_equal(symlink("/etc/passwd", place->file), 0);
	open_private(place->directory, TALLY_NAME);
	unlink(place->file);
	assert_int_equal(mkdir(place->file, 0700), 0);
	open_private(place->directory, TALLY_NAME);
	assert_int_equal(rmdir(place->file), 0);
	assert_int_equal(mkfifo(place->file, 0600), 0);
	open_shared(place, &(struct tally){0});
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(
		test_two_add_to_the_same, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(
		test_another_shape, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(
		test_another_size, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_left_over, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(
		test_each_call_fails_once, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_no_file, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
