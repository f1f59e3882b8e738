/* SPDX-License-Identifier: ISC */
/* support/given_config.h - a configuration that is in no file. */
#ifndef DOORBELL_TESTS_GIVEN_CONFIG_H
#define DOORBELL_TESTS_GIVEN_CONFIG_H

#include "config/config.h"

/* Words are "name=value", the last one NULL; all else has its default. The test
 * fails when there is anything to say about them. config_unref() frees it. */
struct config_set *given_config(const char *const *words);

#endif
