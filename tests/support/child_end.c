/* SPDX-License-Identifier: ISC */
#include "support/child_end.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#ifdef DOORBELL_COVER
void __gcov_dump(void);
void __gcov_reset(void);

/* A handler that ends its process does so by this: the C library's own, but
 * what was counted up to here is kept. */
int
raise(int number)
{
	child_keep_counts();
	return (int)syscall(SYS_tgkill, getpid(), gettid(), number);
}
#endif

static bool are_lost;

void
child_lose_counts(void)
{
	are_lost = true;
}

void
child_keep_counts(void)
{
	if (are_lost)
		return;
#ifdef DOORBELL_COVER
	__gcov_dump();
	__gcov_reset();
#endif
}

void
child_exit(int status)
{
	child_keep_counts();
	_exit(status);
}

int
child_outcome(int (*deed)(void))
{
	int status;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0)
		child_exit(deed());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}
