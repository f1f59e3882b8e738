/* SPDX-License-Identifier: ISC */
/* table/postmap.h - read an indexed file through the installed postmap(1).
 *
 * Units:   milliseconds.
 * Errors:  -1 with *why, which has what postmap said last. */
#ifndef DOORBELL_TABLE_POSTMAP_H
#define DOORBELL_TABLE_POSTMAP_H

#include "base/buf.h"
#include "base/errtext.h"

#define POSTMAP_WAIT_MS 30000

struct postmap_job {
	const char *program;          /* absolute path of postmap(1) */
	const char *config_directory; /* may be NULL */
	const char *spec;             /* "hash:/etc/x" */
	int wait_ms;                  /* for the whole run */
};

/* Waits for it. Output beyond out->max is an error. */
int postmap_dump(
    const struct postmap_job *job, struct buf *out, struct errtext *why);

#endif
