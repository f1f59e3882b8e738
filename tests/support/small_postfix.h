/* SPDX-License-Identifier: ISC */
/* support/small_postfix.h - a Postfix of which only its files and its commands
 * are there, and the commands are small scripts.
 *
 * In a directory of its own there are
 *	etc/main.cf etc/master.cf
 *	bin/postconf		knows -M SERVICE/TYPE=ENTRY and -MX SERVICE/TYPE
 *	bin/postfix		is content with all it is told
 *	libexec/doorbelld	likewise
 *	queue/
 *	calls			who was called, one line each: "check",
 *				"postconf|-MX|smtpd/pass", "doorbelld|-o|a=b" */
#ifndef DOORBELL_TESTS_SMALL_POSTFIX_H
#define DOORBELL_TESTS_SMALL_POSTFIX_H

#include "support/scratch.h"

struct small_postfix {
	struct scratch scratch;
	char config[300]; /* etc */
};

/* `options` are more lines of main.cf. */
void small_postfix_make(
    struct small_postfix *p, const char *master_cf, const char *options);
void small_postfix_remove(struct small_postfix *p);
/* What a command does before its work: "status", "check", "reload" and all else
 * that postfix is told, "postconf", "doorbelld"; "edited" is what postconf does
 * when it has done its work. A piece of shell, where $D is the directory. */
void small_postfix_on(
    const struct small_postfix *p, const char *what, const char *script);
/* These were the calls since it was asked last. */
void small_postfix_expect_calls(
    const struct small_postfix *p, const char *want);

#endif
