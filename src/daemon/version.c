/* SPDX-License-Identifier: ISC */
#include "daemon/version.h"

#include "lookup/cache.h"
#include "lookup/resolver.h"
#include "net/loop.h"

/* What runs, not what it was compiled with. */
void
version_print(FILE *out)
{
	fprintf(out, "doorbelld %s\nlibevent %s\nc-ares %s\n%s\n",
	    DOORBELL_VERSION, loop_version(), resolver_version(),
	    cache_version());
}
