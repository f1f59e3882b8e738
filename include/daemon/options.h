/* SPDX-License-Identifier: ISC */
/* daemon/options.h - the two command lines of doorbelld.
 *
 * Service: started by Postfix master(8), recognized by GENERATION in the
 * environment and -t inet|unix|pass among the arguments; options have master's
 * meanings. Otherwise: a command for people.
 *
 * Owns:    nothing but the list of overrides; texts are argv's. */
#ifndef DOORBELL_DAEMON_OPTIONS_H
#define DOORBELL_DAEMON_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/errtext.h"
#include "config/config.h"

enum options_mode {
	OPTIONS_SERVICE,    /* under master(8) */
	OPTIONS_STANDALONE, /* on our own */
	OPTIONS_TEST,       /* -t: check the configuration */
	OPTIONS_DUMP,       /* -d, -n, -x: print parameters */
	OPTIONS_VERSION,    /* -V */
};

struct options {
	enum options_mode mode;
	unsigned verbose; /* -v, how often */
	struct config_source source;
	const char **overrides; /* backs source.overrides */
	char *source_path;      /* backs source.directory or .file */
	/* Service only. */
	bool alone;        /* -l: the only process of the service */
	bool chroot;       /* -c */
	bool unprivileged; /* -u */
	int sockets;       /* -s: how many listening sockets */
	/* People only. */
	bool foreground;    /* -f */
	unsigned dump;      /* set of enum config_dump_mode */
	char *const *names; /* of parameters to print */
	size_t name_count;
};

/* 0, or -1 with *why (and usage belongs on stderr). */
int options_parse(
    struct options *o, int argc, char **argv, struct errtext *why);
void options_clear(struct options *o);
/* Whether -o names this parameter. */
bool options_override(const struct options *o, const char *name);
extern const char options_usage[];

#endif
