/* SPDX-License-Identifier: ISC */
/* daemon/logging.h - where log lines go, and under which name.
 *
 * Under master(8): to postlogd(8) when POSTLOG_SERVICE is set, else to syslog.
 * Standalone: stderr in the foreground, else the same choice by maillog_file.
 *
 * Errors:  NULL with *why. */
#ifndef DOORBELL_DAEMON_LOGGING_H
#define DOORBELL_DAEMON_LOGGING_H

#include "base/errtext.h"
#include "config/config.h"
#include "daemon/options.h"
#include "net/logsock.h"

/* Open a log and make it the sink. `config` is NULL for the first lines, before
 * it is read. *old, if any, is replaced and freed. 0 or -1. */
int logging_start(struct logsock **old, const struct options *o,
    struct config_set *config, struct errtext *why);
/* Whether lines would go elsewhere, or under another name. */
bool logging_differs(struct config_set *old, struct config_set *new);
/* How lines look from now on. */
void logging_form(const struct config *cfg);
/* Whether there is such a syslog_facility; -1 with *why. */
int logging_check(const struct config *cfg, struct errtext *why);
/* Back to stderr. */
void logging_stop(struct logsock **log);

#endif
