/* SPDX-License-Identifier: ISC */
/* support/disk_log.h - what a file would be after a power failure.
 *
 * Stands between LMDB and the kernel: pwrite(2), writev(2), ftruncate(2),
 * fdatasync(2) and their like are noted, in order, when they are about one file.
 * What was synced is on the disk; of what was written since, a power failure
 * keeps any part, in units of a sector. */
#ifndef DOORBELL_TESTS_DISK_LOG_H
#define DOORBELL_TESTS_DISK_LOG_H

#include <stddef.h>
#include <stdint.h>

/* Note what happens to `path`, which need not exist yet, from now on. */
void disk_log_start(const char *path);
void disk_log_stop(void);
/* Events so far. */
size_t disk_log_count(void);
/* They are syncs, or writes that sync themselves. */
size_t disk_log_syncs(void);

enum disk_luck {
	DISK_LUCK_GOOD, /* all that was written is there */
	DISK_LUCK_BAD,  /* only what was synced */
	DISK_LUCK_ANY,  /* some of the rest, by `seed` */
};
/* Make `path` what the disk may hold when the power fails after the first `n`
 * events. */
void disk_log_rebuild(
    size_t n, enum disk_luck luck, uint32_t seed, const char *path);
void disk_log_forget(void);

#endif
