/* SPDX-License-Identifier: ISC */
#include "support/borrowed_fds.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

void
borrowed_fds_begin(struct borrowed_fds *b)
{
	for (int i = 0; i < BORROWED_COUNT; i++) {
		int fd = BORROWED_FIRST + i;

		b->kept[i] = -1;
		if (fcntl(fd, F_GETFD) < 0)
			continue;
		b->kept[i] = fcntl(fd, F_DUPFD_CLOEXEC, 100);
		assert_true(b->kept[i] >= 0);
		close(fd);
	}
}

void
borrowed_fds_end(struct borrowed_fds *b)
{
	for (int i = 0; i < BORROWED_COUNT; i++) {
		(void)close(BORROWED_FIRST + i);
		if (b->kept[i] < 0)
			continue;
		(void)dup2(b->kept[i], BORROWED_FIRST + i);
		(void)close(b->kept[i]);
	}
}

void
borrowed_fds_put(int fd, int number)
{
	if (fd == number)
		return;
	assert_int_equal(dup2(fd, number), number);
	close(fd);
}
