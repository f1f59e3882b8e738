/* SPDX-License-Identifier: ISC */
/* Takes the place of the C library's _exit(2): what was run by a process that
 * ends there is counted as well (SAN=cover). A test that has become somebody
 * else is root again for that, if it was. Needs child_end. */
#include <sys/syscall.h>
#include <unistd.h>

#include "support/child_end.h"

void
_exit(int status)
{
	if (getuid() != 0 || seteuid(0) == 0)
		child_keep_counts();
	for (;;)
		(void)syscall(SYS_exit_group, status);
}
