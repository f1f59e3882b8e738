/* SPDX-License-Identifier: ISC */
/* daemon/tally.h - the counters, where all processes of a site add to them.
 *
 * A file in $data_directory, mapped: the process that finishes its sessions in
 * the background adds to the same numbers as its successor, and they outlive
 * both. Another release with other numbers begins a file of its own.
 *
 * Owns:    the mapping.
 * Errors:  without a file the numbers are this process's alone, and *trouble
 *          says why; -1 with errno only for want of memory. */
#ifndef DOORBELL_DAEMON_TALLY_H
#define DOORBELL_DAEMON_TALLY_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/counters.h"
#include "base/errtext.h"
#include "base/trend.h"

#define TALLY_NAME "doorbell_counters"

struct tally_page {
	uint64_t shape; /* of what follows */
	struct counters counters;
	struct trend trend;
};

struct tally {
	struct tally_page *page;
	bool is_private; /* not in a file */
};

/* `uid` and `gid` shall own a new file; -1: we. */
int tally_open(struct tally *t, const char *directory, uid_t uid, gid_t gid,
    struct errtext *trouble);
/* Also one that is all zero. */
void tally_close(struct tally *t);

#endif
