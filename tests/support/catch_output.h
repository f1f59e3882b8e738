/* SPDX-License-Identifier: ISC */
/* support/catch_output.h - what code under test says on stdout and stderr. */
#ifndef DOORBELL_TESTS_CATCH_OUTPUT_H
#define DOORBELL_TESTS_CATCH_OUTPUT_H

struct caught {
	int fd[2], kept[2];
	char *out, *err; /* after catch_end(); catch_clear() frees them */
};

/* From now on both go to files in memory; the test fails if that cannot be. No
 * assertion of cmocka may fail until catch_end(): nobody would hear it. */
void catch_begin(struct caught *c);
void catch_end(struct caught *c);
void catch_clear(struct caught *c);

#endif
