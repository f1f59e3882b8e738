/* SPDX-License-Identifier: ISC */
#include "base/must.h"

#include <stdlib.h>

#include "base/log.h"

/* abort() and not exit(): a core file shows the broken state, and no handler
 * runs on top of it. */
_Noreturn void
must_failed(const char *claim, const char *file, int line)
{
	log_line(LOG_LEVEL_PANIC, LOG_VOICE_MAIN, "%s:%d: broken claim: %s",
	    file, line, claim);
	abort();
}
