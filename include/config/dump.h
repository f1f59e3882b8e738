/* SPDX-License-Identifier: ISC */
/* config/dump.h - "name = value" lines as postconf(1) prints them.
 *
 * Owns:    nothing.
 * Errors:  as config_dump() in config/config.h. */
#ifndef DOORBELL_CONFIG_DUMP_H
#define DOORBELL_CONFIG_DUMP_H

#include "config/config.h"

int dump_parameters(const struct config_set *set, unsigned mode,
    const char *const *names, size_t n, FILE *out, FILE *errors);

#endif
