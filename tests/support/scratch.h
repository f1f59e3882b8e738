/* SPDX-License-Identifier: ISC */
/* support/scratch.h - a directory of its own for a test, and files in it. */
#ifndef DOORBELL_TESTS_SCRATCH_H
#define DOORBELL_TESTS_SCRATCH_H

#include <sys/stat.h>

struct scratch {
	char dir[256]; /* below $TMPDIR or /tmp; everybody may look in */
};

/* All of these fail the test that calls them when they cannot do it. */
void scratch_make(struct scratch *s);
/* With all that is in it. */
void scratch_remove(struct scratch *s);
/* The path of one of its files; good until the eighth call from now. */
const char *scratch_path(const struct scratch *s, const char *name);
void scratch_write(
    const struct scratch *s, const char *name, const char *text, mode_t mode);
/* The file says exactly this; NULL: it is not there. */
void scratch_expect(
    const struct scratch *s, const char *name, const char *want);
/* So it was said; a "%" in `want` is the directory. */
void scratch_expect_said(
    const struct scratch *s, const char *said, const char *want);

#endif
