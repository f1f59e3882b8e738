/* SPDX-License-Identifier: ISC */
/* ops/site.h - the configuration that the daemon has, for those who look after
 * it.
 *
 * A directory is Postfix's: main.cf, doorbell.cf, and the -o words on the line
 * of doorbelld in master.cf. A file stands alone.
 *
 * Owns:    all that its fields point to.
 * Errors:  -1 with *why; what is wrong in a file of the configuration has been
 *          said on stderr. */
#ifndef DOORBELL_OPS_SITE_H
#define DOORBELL_OPS_SITE_H

#include "config/config.h"
#include "ops/master_cf.h"

struct words {
	char **at; /* room for `max` */
	size_t n, max;
};

struct site {
	char *path;              /* absolute */
	const char *directory;   /* `path` when it is one, or NULL */
	struct master_cf master; /* empty without a directory */
	struct words options;    /* -o words of doorbelld */
	bool is_service;         /* master.cf has a doorbelld */
	struct config_set *config;
	const struct config *cfg; /* without stress */
};

/* NULL: what doorbelld takes when it is told nothing. */
int site_open(struct site *site, const char *path, struct errtext *why);
/* The same in two steps: where it is, and what is there. */
int site_find(struct site *site, const char *path, struct errtext *why);
int site_read(struct site *site, struct errtext *why);
/* Also after a failure of these. */
void site_close(struct site *site);

/* The -o words of an entry, in order. */
int words_collect(struct words *words, const struct master_entry *entry);
void words_clear(struct words *words);

#endif
