/* SPDX-License-Identifier: ISC */
/* config/value.h - the expanded text of a parameter becomes its value.
 *
 * Units:   as in struct config: milliseconds, places of words, 0 and 1.
 * Errors:  -1 with *why, which does not name the parameter. */
#ifndef DOORBELL_CONFIG_VALUE_H
#define DOORBELL_CONFIG_VALUE_H

#include "base/errtext.h"
#include "config/config.h"
#include "config/params.h"

/* Check `text` and put its value into its field; TEXT and RAW fields keep
 * `text` itself. */
int value_store(const struct param *param, const char *text,
    struct config *config, struct errtext *why);

#endif
