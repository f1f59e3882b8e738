/* SPDX-License-Identifier: ISC */
/* support/heard_log.h - what code under test says to the log. */
#ifndef DOORBELL_TESTS_HEARD_LOG_H
#define DOORBELL_TESTS_HEARD_LOG_H

/* From now on lines are kept here, none so far; they were on stderr, and go
 * there again after heard_log_end(). */
void heard_log_begin(void);
void heard_log_end(void);
/* All lines, each with its prefix and a newline; none is heard twice. Valid
 * until the next call. */
const char *heard_log(void);

#endif
