/* SPDX-License-Identifier: ISC */
#include "support/catch_output.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

static const int caught_fd[2] = {STDOUT_FILENO, STDERR_FILENO};

void
catch_begin(struct caught *c)
{
	fflush(stdout);
	fflush(stderr);
	c->out = c->err = NULL;
	for (int i = 0; i < 2; i++) {
		c->fd[i] = memfd_create("caught", MFD_CLOEXEC);
		c->kept[i] = dup(caught_fd[i]);
		assert_true(c->fd[i] >= 0 && c->kept[i] >= 0);
	}
	for (int i = 0; i < 2; i++)
		dup2(c->fd[i], caught_fd[i]);
}

static char *
all_of(int fd)
{
	off_t size = lseek(fd, 0, SEEK_END);
	char *text;

	assert_true(size >= 0);
	text = malloc((size_t)size + 1);
	assert_non_null(text);
	assert_int_equal(pread(fd, text, (size_t)size, 0), size);
	text[size] = '\0';
	return text;
}

void
catch_end(struct caught *c)
{
	fflush(stdout);
	fflush(stderr);
	for (int i = 0; i < 2; i++) {
		dup2(c->kept[i], caught_fd[i]);
		close(c->kept[i]);
	}
	c->out = all_of(c->fd[0]);
	c->err = all_of(c->fd[1]);
	for (int i = 0; i < 2; i++)
		close(c->fd[i]);
}

void
catch_clear(struct caught *c)
{
	free(c->out);
	free(c->err);
	c->out = c->err = NULL;
}
