/* SPDX-License-Identifier: ISC */
#include "support/scratch.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/buf.h"

enum { OPEN_MAX_AT_ONCE = 8, PATHS = 8, TEXT_MAX = 1 << 16 };

void
scratch_make(struct scratch *s)
{
	const char *tmp = getenv("TMPDIR");

	snprintf(s->dir, sizeof(s->dir), "%s/doorbell-test-XXXXXX",
	    tmp != NULL ? tmp : "/tmp");
	assert_non_null(mkdtemp(s->dir));
	assert_int_equal(chmod(s->dir, 0755), 0);
}

static int
remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
	(void)st;
	(void)type;
	(void)at;
	return remove(path);
}

void
scratch_remove(struct scratch *s)
{
	assert_int_equal(
	    nftw(s->dir, remove_one, OPEN_MAX_AT_ONCE, FTW_DEPTH | FTW_PHYS),
	    0);
}

const char *
scratch_path(const struct scratch *s, const char *name)
{
	static char path[PATHS][sizeof(s->dir) + 128];
	static unsigned next;
	char *mine = path[next++ % PATHS];

	snprintf(mine, sizeof(path[0]), "%s/%s", s->dir, name);
	return mine;
}

void
scratch_write(
    const struct scratch *s, const char *name, const char *text, mode_t mode)
{
	const char *path = scratch_path(s, name);
	FILE *f = fopen(path, "we");

	if (f == NULL || fputs(text, f) < 0 || fclose(f) != 0 ||
	    chmod(path, mode) < 0)
		fail_msg("%s: %s", path, strerror(errno));
}

static char *
read_text(const char *path)
{
	FILE *f = fopen(path, "re");
	struct stat st;
	char *text;

	if (f == NULL)
		return NULL;
	assert_int_equal(fstat(fileno(f), &st), 0);
	text = malloc((size_t)st.st_size + 1);
	assert_non_null(text);
	assert_int_equal(
	    fread(text, 1, (size_t)st.st_size, f), (size_t)st.st_size);
	text[st.st_size] = '\0';
	fclose(f);
	return text;
}

void
scratch_expect(const struct scratch *s, const char *name, const char *want)
{
	char *text = read_text(scratch_path(s, name));
	bool same = text == NULL || want == NULL ? text == want
						 : strcmp(text, want) == 0;

	if (!same)
		print_error("%s: \"%s\", not \"%s\"\n", name,
		    text != NULL ? text : "(not there)",
		    want != NULL ? want : "(not there)");
	free(text);
	assert_true(same);
}

void
scratch_expect_said(const struct scratch *s, const char *said, const char *want)
{
	struct buf text;

	buf_init(&text, TEXT_MAX);
	for (; *want != '\0'; want++)
		if (*want == '%')
			assert_int_equal(buf_add_str(&text, s->dir), 0);
		else
			assert_int_equal(buf_add_char(&text, *want), 0);
	assert_string_equal(said, buf_str(&text));
	buf_clear(&text);
}
