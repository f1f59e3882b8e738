/* SPDX-License-Identifier: ISC */
/* support/child_end.h - children that a test makes, and how they end. */
#ifndef DOORBELL_TESTS_CHILD_END_H
#define DOORBELL_TESTS_CHILD_END_H

#include <stdio.h>

/* As _exit(2), so that nothing of the parent's is done twice; but the lines that
 * the child has run are counted. */
_Noreturn void child_exit(int status);
/* The same for a child that is about to end in another way, a signal's. */
void child_keep_counts(void);
/* For a child whose heap may get spoilt, or that goes where the counts' files are
 * out of reach: it keeps none from now on. */
void child_lose_counts(void);

/* What a child ends with that does this deed and nothing else: what the deed
 * returns, or minus the signal that it died of. */
int child_outcome(int (*deed)(void));

/* In a deed: what has to hold there. cmocka would go on with the next test. */
#define CHILD_HOLDS(claim)                                                     \
	do {                                                                   \
		if (!(claim)) {                                                \
			(void)fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, \
			    __LINE__, #claim);                                 \
			return CHILD_FAILED;                                   \
		}                                                              \
	} while (0)
enum { CHILD_FAILED = 99 };

#endif
