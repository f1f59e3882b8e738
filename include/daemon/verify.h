/* SPDX-License-Identifier: ISC */
/* daemon/verify.h - check a configuration and all tables it names (-t). */
#ifndef DOORBELL_DAEMON_VERIFY_H
#define DOORBELL_DAEMON_VERIFY_H

#include "config/config.h"

/* The number of errors; they have been printed on stderr. */
int verify_config(const struct config_source *source);

#endif
