/* SPDX-License-Identifier: ISC */
/* daemon/report.h - where the configuration's problems are said.
 *
 * Each place has two functions, one for the configuration (config_report_fn) and
 * one for tables (table_report_fn). */
#ifndef DOORBELL_DAEMON_REPORT_H
#define DOORBELL_DAEMON_REPORT_H

#include "base/errtext.h"
#include "config/config.h"

/* In the log; `arg` is not used. A bad line of a table is a warning. */
void report_config_to_log(enum config_severity severity, const char *file,
    int line, const char *text, void *arg);
void report_table_to_log(
    const char *file, int line, const char *text, void *arg);

/* On stderr; `arg` is an int that counts errors, or NULL. Here a bad line of a
 * table is an error: this is for people who check. */
void report_config_to_people(enum config_severity severity, const char *file,
    int line, const char *text, void *arg);
void report_table_to_people(
    const char *file, int line, const char *text, void *arg);

/* An error whose text begins with the name of the parameter at fault ("NAME:
 * ..." or "NAME = ..."): say where that was set. */
void report_culprit(const struct config_set *config, const struct errtext *why,
    config_report_fn *report, void *arg);

#endif
