/* SPDX-License-Identifier: ISC */
/* config/set.h - the inside of a config_set, for this folder only.
 *
 * Owns:    see each field. */
#ifndef DOORBELL_CONFIG_SET_H
#define DOORBELL_CONFIG_SET_H

#include "config/config.h"
#include "config/settings.h"

/* Defaults that only the machine knows. */
struct machine {
	char *myhostname;
	char *mydomain;
	char *mynetworks;
};

/* A string that lives as long as the set. */
struct kept {
	struct kept *next;
	const char *name; /* of the parameter, for config_text(); else NULL */
	char text[];
};

struct config_set {
	unsigned references;
	bool is_hurried; /* no name server may be asked */
	struct settings settings;
	struct machine machine;  /* under these settings */
	struct machine built_in; /* had there been none */
	struct kept *kept;
	struct config calm;
	struct config stressed;
};

#endif
