/* SPDX-License-Identifier: ISC */
/* daemon/version.h - who we are and what we run on. */
#ifndef DOORBELL_DAEMON_VERSION_H
#define DOORBELL_DAEMON_VERSION_H

#include <stdio.h>

void version_print(FILE *out);

#endif
