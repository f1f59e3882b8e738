/* SPDX-License-Identifier: ISC */
/* support/child_end.h - the end of a child that a test has made. */
#ifndef DOORBELL_TESTS_CHILD_END_H
#define DOORBELL_TESTS_CHILD_END_H

/* As _exit(2), so that nothing of the parent's is done twice; but the lines that
 * the child has run are counted. */
_Noreturn void child_exit(int status);
/* The same for a child that is about to end in another way, a signal's. */
void child_keep_counts(void);

#endif
