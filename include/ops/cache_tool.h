/* SPDX-License-Identifier: ISC */
/* ops/cache_tool.h - the pass cache by hand, while doorbelld may be running.
 *
 * The file is opened as the user that doorbelld is, so that what is made new
 * belongs to that user; from then on the process is that user for good.
 *
 * Owns:    nothing beyond the call.
 * Errors:  a process exit status, 0 or 1; why is on stderr. */
#ifndef DOORBELL_OPS_CACHE_TOOL_H
#define DOORBELL_OPS_CACHE_TOOL_H

#include "lookup/cache_total.h"
#include "lookup/rules.h"
#include "ops/site.h"

/* `config` is as in -c, or NULL; `json` is for programs: a line of JSON for each
 * client, or for what was done. */

/* Merge records in postscreen's text form, from a file or (NULL or "-")
 * stdin; the later expiry wins. 1 also when lines were bad; the others are
 * imported all the same. */
int cache_import(const char *config, const char *path, bool json);
/* Write all records in that form to stdout. */
int cache_export(const char *config, bool json);
/* The same for people. */
int cache_list(const char *config, bool json);
/* One client. 1 when it is not known. */
int cache_get(const char *config, const char *address, bool json);
int cache_delete(const char *config, const char *address, bool json);

/* What the file knows of a client, and all rules made by hand. 1, 0 when the
 * client is not known, -1 with *why. Started by root, this process is the user
 * of the cache from then on. */
int cache_peek(const struct site *site, const struct addr *client,
    struct record *record_r, struct rules *rules, struct errtext *why);

/* The totals of hours that it keeps, from one on. 0, or -1 with *why; as above. */
int cache_totals(const char *config, uint32_t from, cache_total_fn *fn,
    void *arg, struct errtext *why);

#endif
