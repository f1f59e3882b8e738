/* SPDX-License-Identifier: ISC */
/* links: nth_call scratch */
#include "ops/replace.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "support/nth_call.h"
#include "support/scratch.h"

enum { NOBODY = 65534 };

static struct scratch scratch;

static int
setup(void **state)
{
	(void)state;
	scratch_make(&scratch);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	scratch_remove(&scratch);
	return 0;
}

static int
write_text(const char *path, const char *text, struct errtext *why)
{
	return replace_write(
	    path, span_str(text), 0640, getuid(), getgid(), why);
}

/* Nothing of an attempt that failed is left: neither in the file nor beside
 * it. */
static void
assert_as_it_was(const char *text)
{
	scratch_expect(&scratch, "file", text);
	scratch_expect(&scratch, "file.doorbellctl", NULL);
}

/* --- reading --------------------------------------------------------------- */

static void
a_file_is_read_up_to_the_limit(void **state)
{
	static const struct {
		size_t bytes, max;
		int rc;
	} cases[] = {
	    {0, 0, 0},
	    {0, 10, 0},
	    {1, 0, -1},
	    {9, 10, 0},
	    {10, 10, 0},
	    {11, 10, -1},
	    {24, 24, 0},
	    {25, 24, -1},
	    {1000, 100, -1},
	    {100000, 100000, 0},
	    {100001, 100000, -1},
	    {300000, 100000, -1},
	};
	char *text = malloc(300001);

	(void)state;
	assert_non_null(text);
	memset(text, 'x', 300000);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *path = scratch_path(&scratch, "file");
		struct errtext why = {""};
		struct buf got;
		int rc;

		text[cases[i].bytes] = '\0';
		scratch_write(&scratch, "file", text, 0600);
		text[cases[i].bytes] = 'x';
		buf_init(&got, cases[i].max);
		rc = replace_read(path, &got, NULL, &why);
		if (rc != cases[i].rc || got.n > cases[i].max ||
		    (rc == 0 && got.n != cases[i].bytes) ||
		    (rc < 0 && errno != EMSGSIZE) ||
		    (got.n > 0 && memcmp(got.p, text, got.n) != 0))
			fail_msg("%zu bytes, at most %zu: %d, %u bytes",
			    cases[i].bytes, cases[i].max, rc, (unsigned)got.n);
		if (rc < 0)
			assert_non_null(strstr(why.text, path));
		buf_clear(&got);
	}
	free(text);
}

static void
what_is_there_already_stays_in_front(void **state)
{
	struct errtext why = {""};
	struct stat st;
	struct buf got;

	(void)state;
	scratch_write(&scratch, "file", "behind", 0604);
	buf_init(&got, 100);
	assert_int_equal(buf_add_str(&got, "before "), 0);
	assert_int_equal(
	    replace_read(scratch_path(&scratch, "file"), &got, &st, &why), 0);
	assert_string_equal(buf_str(&got), "before behind");
	assert_int_equal(st.st_mode & 07777, 0604);
	assert_int_equal(st.st_size, 6);
	buf_clear(&got);
}

static void
what_cannot_be_read_says_why(void **state)
{
	static const struct {
		const char *name;
		int error;
	} cases[] = {
	    {"none", ENOENT},
	    {"none/file", ENOENT},
	    {"file/none", ENOTDIR},
	    {".", EISDIR},
	};

	(void)state;
	scratch_write(&scratch, "file", "text", 0600);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *path = scratch_path(&scratch, cases[i].name);
		struct errtext why = {""};
		char want[ERRTEXT_MAX];
		struct buf got;

		buf_init(&got, 100);
		assert_int_equal(replace_read(path, &got, NULL, &why), -1);
		assert_int_equal(errno, cases[i].error);
		(void)snprintf(want, sizeof(want), "%s: %s", path,
		    strerror(cases[i].error));
		assert_string_equal(why.text, want);
		assert_int_equal(got.n, 0);
		buf_clear(&got);
	}
}

static void
a_signal_is_no_end_of_reading(void **state)
{
	struct errtext why = {""};
	struct buf got;

	(void)state;
	scratch_write(&scratch, "file", "all of it", 0600);
	buf_init(&got, 100);
	nth_call_arm(CALL_read, 1, EINTR);
	assert_int_equal(
	    replace_read(scratch_path(&scratch, "file"), &got, NULL, &why), 0);
	assert_true(nth_call_disarm() > 1);
	assert_string_equal(buf_str(&got), "all of it");
	buf_clear(&got);
}

static void
a_disk_that_cannot_be_read(void **state)
{
	struct errtext why = {""};
	struct buf got;
	int rc, error;

	(void)state;
	scratch_write(&scratch, "file", "all of it", 0600);
	buf_init(&got, 100);
	nth_call_arm(CALL_read, 1, EIO);
	rc = replace_read(scratch_path(&scratch, "file"), &got, NULL, &why);
	error = errno;
	(void)nth_call_disarm();
	assert_int_equal(rc, -1);
	assert_int_equal(error, EIO);
	assert_non_null(strstr(why.text, strerror(EIO)));
	buf_clear(&got);
}

/* --- writing --------------------------------------------------------------- */

static void
a_file_is_made_anew(void **state)
{
	const char *path = scratch_path(&scratch, "file");
	struct errtext why = {""};
	struct stat before, after;

	(void)state;
	scratch_write(&scratch, "file", "a long text from before", 0600);
	assert_int_equal(link(path, scratch_path(&scratch, "other name")), 0);
	assert_int_equal(stat(path, &before), 0);
	assert_int_equal(replace_write(path, span_str("after"), 02754, getuid(),
			     getgid(), &why),
	    0);
	assert_as_it_was("after");
	assert_int_equal(stat(path, &after), 0);
	assert_int_not_equal(before.st_ino, after.st_ino);
	assert_int_equal(after.st_mode & 07777, 02754);
	/* Whoever has the old one open goes on with it. */
	scratch_expect(&scratch, "other name", "a long text from before");
	/* Nothing is something, too. */
	assert_int_equal(replace_write(path, span_of(NULL, 0), 0600, getuid(),
			     getgid(), &why),
	    0);
	assert_as_it_was("");
	assert_string_equal(why.text, "");
}

static void
owners_are_as_told(void **state)
{
	const char *path = scratch_path(&scratch, "file");
	struct errtext why = {""};
	struct stat st;

	(void)state;
	if (geteuid() != 0)
		skip();
	assert_int_equal(
	    replace_write(path, span_str("theirs"), 0600, 1234, 5678, &why), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_uid, 1234);
	assert_int_equal(st.st_gid, 5678);
}

/* Only root can give files away. */
static void
owners_that_cannot_be_set(void **state)
{
	const char *path = scratch_path(&scratch, "file");
	struct errtext why = {""};
	bool is_root = geteuid() == 0;
	int rc;

	(void)state;
	scratch_write(&scratch, "file", "before", 0600);
	assert_int_equal(chmod(scratch.dir, 0777), 0);
	if (is_root)
		assert_int_equal(seteuid(NOBODY), 0);
	rc = replace_write(path, span_str("after"), 0600, 0, 0, &why);
	if (is_root)
		assert_int_equal(seteuid(0), 0);
	assert_int_equal(rc, -1);
	assert_non_null(strstr(why.text, strerror(EPERM)));
	assert_as_it_was("before");
}

/* The name of the new file is guessed easily: what somebody put there is
 * neither written to nor kept. */
static void
a_link_left_there_is_not_followed(void **state)
{
	const char *path = scratch_path(&scratch, "file");
	struct errtext why = {""};

	(void)state;
	scratch_write(&scratch, "victim", "dear", 0600);
	assert_int_equal(
	    symlink("victim", scratch_path(&scratch, "file.doorbellctl")), 0);
	assert_int_equal(write_text(path, "text", &why), 0);
	assert_as_it_was("text");
	scratch_expect(&scratch, "victim", "dear");
}

static void
a_place_that_is_taken(void **state)
{
	const char *path = scratch_path(&scratch, "file");
	const char *fresh = scratch_path(&scratch, "file.doorbellctl");
	struct errtext why = {""};

	(void)state;
	scratch_write(&scratch, "file", "before", 0600);
	assert_int_equal(mkdir(fresh, 0700), 0);
	assert_int_equal(write_text(path, "after", &why), -1);
	assert_non_null(strstr(why.text, path));
	assert_int_equal(rmdir(fresh), 0);
	assert_as_it_was("before");
}

static void
a_directory_is_not_replaced(void **state)
{
	const char *path = scratch_path(&scratch, "file");
	struct errtext why = {""};

	(void)state;
	assert_int_equal(mkdir(path, 0700), 0);
	assert_int_equal(write_text(path, "text", &why), -1);
	assert_non_null(strstr(why.text, strerror(EISDIR)));
	scratch_expect(&scratch, "file.doorbellctl", NULL);
	assert_int_equal(rmdir(path), 0);
}

static void
no_directory_to_write_in(void **state)
{
	const char *path = scratch_path(&scratch, "none/file");
	struct errtext why = {""};

	(void)state;
	assert_int_equal(write_text(path, "text", &why), -1);
	assert_non_null(strstr(why.text, strerror(ENOENT)));
}

/* --- a disk that is full or breaks ------------------------------------------ */

static void
calls_that_fail(void **state)
{
	static const struct {
		enum nth_call call;
		uint32_t at;
		int error;
		int rc;
	} cases[] = {
	    {CALL_open, 1, EROFS, -1},
	    {CALL_write, 1, ENOSPC, -1},
	    {CALL_write, 1, EIO, -1},
	    {CALL_write, 1, EINTR, 0},
	    {CALL_close, 1, EDQUOT, -1},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *path = scratch_path(&scratch, "file");
		struct errtext why = {""};
		int rc;

		scratch_write(&scratch, "file", "before", 0600);
		nth_call_arm(cases[i].call, cases[i].at, cases[i].error);
		rc = write_text(path, "after", &why);
		assert_true(nth_call_disarm() >= cases[i].at);
		if (rc != cases[i].rc)
			fail_msg("%s: %s", nth_call_name(cases[i].call),
			    strerror(cases[i].error));
		assert_as_it_was(rc < 0 ? "before" : "after");
		if (rc == 0)
			continue;
		assert_non_null(strstr(why.text, path));
		assert_non_null(strstr(why.text, strerror(cases[i].error)));
	}
}

/* The first bytes find room, the others do not. */
static void
half_a_file_is_no_file(void **state)
{
	const char *path = scratch_path(&scratch, "file");
	struct errtext why = {""};
	struct rlimit before, small;
	int rc;

	(void)state;
	scratch_write(&scratch, "file", "before", 0600);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	small = (struct rlimit){.rlim_cur = 4, .rlim_max = before.rlim_max};
	(void)signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	rc = write_text(path, "a text that is too long", &why);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	(void)signal(SIGXFSZ, SIG_DFL);
	assert_int_equal(rc, -1);
	assert_non_null(strstr(why.text, strerror(EFBIG)));
	assert_as_it_was("before");
}

#define IN_SCRATCH(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    IN_SCRATCH(a_file_is_read_up_to_the_limit),
	    IN_SCRATCH(what_is_there_already_stays_in_front),
	    IN_SCRATCH(what_cannot_be_read_says_why),
	    IN_SCRATCH(a_signal_is_no_end_of_reading),
	    IN_SCRATCH(a_disk_that_cannot_be_read),
	    IN_SCRATCH(a_file_is_made_anew),
	    IN_SCRATCH(owners_are_as_told),
	    IN_SCRATCH(owners_that_cannot_be_set),
	    IN_SCRATCH(a_link_left_there_is_not_followed),
	    IN_SCRATCH(a_place_that_is_taken),
	    IN_SCRATCH(a_directory_is_not_replaced),
	    IN_SCRATCH(no_directory_to_write_in),
	    IN_SCRATCH(calls_that_fail),
	    IN_SCRATCH(half_a_file_is_no_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
