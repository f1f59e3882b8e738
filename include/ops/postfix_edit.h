/* SPDX-License-Identifier: ISC */
/* ops/postfix_edit.h - put doorbelld into a Postfix, and take it out again.
 *
 * Each of them says on stdout what it is about to do, and on stderr why it
 * cannot. When a step fails, every file is as it was before.
 *
 * Owns:    nothing beyond the call.
 * Errors:  a process exit status. */
#ifndef DOORBELL_OPS_POSTFIX_EDIT_H
#define DOORBELL_OPS_POSTFIX_EDIT_H

#include <stdbool.h>

struct postfix_request {
	const char *config;  /* as in -c, or NULL */
	const char *service; /* its first field in master.cf; NULL: port 25 */
	bool dry_run;        /* say it, do not do it */
	bool json;           /* for programs: one line at the end */
};

/* What postfix_status() returns; the others 0 or 1. */
enum postfix_status {
	POSTFIX_DOORBELLD = 0,
	POSTFIX_UNKNOWN = 1, /* an error */
	POSTFIX_POSTSCREEN = 3,
	POSTFIX_SMTPD = 4,
	POSTFIX_OTHER = 5
};

int postfix_enable(const struct postfix_request *request);
int postfix_disable(const struct postfix_request *request);
int postfix_status(const struct postfix_request *request);

#endif
