/* SPDX-License-Identifier: ISC */
/* tests/support/table_file.h - files and complaints for the table tests. */
#ifndef DOORBELL_TESTS_SUPPORT_TABLE_FILE_H
#define DOORBELL_TESTS_SUPPORT_TABLE_FILE_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* What the table under test has reported. */
struct complaints {
	unsigned count;
	int line; /* of the last one */
	char file[256];
	char text[512];
};

static inline void
on_complaint(const char *file, int line, const char *text, void *arg)
{
	struct complaints *c = arg;

	c->count++;
	c->line = line;
	snprintf(c->file, sizeof(c->file), "%s", file);
	snprintf(c->text, sizeof(c->text), "%s", text);
}

/* A fresh directory below $TMPDIR or /tmp. */
static inline void
make_directory(char out[128])
{
	const char *tmp = getenv("TMPDIR");

	snprintf(out, 128, "%s/doorbell-test-XXXXXX", tmp ? tmp : "/tmp");
	if (mkdtemp(out) == NULL)
		abort();
}

static inline void
write_file(const char *path, const char *text)
{
	FILE *fp = fopen(path, "we");

	if (fp == NULL || fputs(text, fp) < 0 || fclose(fp) != 0)
		abort();
}

#endif
