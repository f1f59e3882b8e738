/* SPDX-License-Identifier: ISC */
/* ops/inside.h - the processes that serve an entry of master.cf.
 *
 * Owns:    nothing beyond the call.
 * Errors:  what /proc does not tell is not there. */
#ifndef DOORBELL_OPS_INSIDE_H
#define DOORBELL_OPS_INSIDE_H

#include <stdbool.h>

struct inside_entry {
	const char *queue;   /* queue_directory: where its processes are */
	const char *program; /* the last part of its name */
	const char *service; /* the first field */
	const char *type;
};

/* Whether there is one, be it master's child still or not. */
bool inside_has(const struct inside_entry *entry);

#endif
