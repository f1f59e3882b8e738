/* SPDX-License-Identifier: ISC */
#include "support/child_end.h"

#include <unistd.h>

#ifdef DOORBELL_COVER
void __gcov_dump(void);
void __gcov_reset(void);
#endif

void
child_keep_counts(void)
{
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
