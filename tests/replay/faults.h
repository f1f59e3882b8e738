/* SPDX-License-Identifier: ISC */
/* replay/faults.h - which call fails while a scenario is played, and whether
 * what came of it may be. */
#ifndef DOORBELL_TESTS_REPLAY_FAULTS_H
#define DOORBELL_TESTS_REPLAY_FAULTS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/errtext.h"
#include "base/text.h"

enum { OUTCOME_CLIENTS_MAX = 256 };

/* What came of a scenario. */
struct outcome {
	size_t clients;
	char *heard[OUTCOME_CLIENTS_MAX];
	bool left_alone[OUTCOME_CLIENTS_MAX]; /* closed by us, without a code */
	bool let_in[OUTCOME_CLIENTS_MAX];     /* handed off */
	char *log;
};

/* The kinds of faults, from 0 on; NULL behind the last one. */
const char *faults_name(unsigned kind);
/* From now on calls are counted, and number `at` of this kind fails; 0: none
 * does. */
void faults_arm(unsigned kind, unsigned long at);
void faults_disarm(void);
/* Calls of this kind since they were armed. */
unsigned long faults_calls(unsigned kind);
/* What happens of itself after a line of the scenario has been played. */
enum faults_event {
	FAULTS_NOTHING,
	FAULTS_SHUTDOWN,    /* the daemon has to end at once */
	FAULTS_DRAIN,       /* it is to end when all have gone */
	FAULTS_CLOCK_FORTH, /* somebody sets the date */
	FAULTS_CLOCK_BACK,
};
enum faults_event faults_after_line(void);
/* What the test itself does never fails. */
void faults_suspend(bool suspended);

/* `fd` of each client, by number. */
void outcome_take(struct outcome *o, const int *fds, size_t n, struct span log);
/* Blocks of memory that it is. */
size_t outcome_blocks(const struct outcome *o);
void outcome_clear(struct outcome *o);
/* A fault may change what comes of a scenario, but a client is not refused for
 * good because of it, is not left without a word, and not let in without a
 * warning. */
bool outcome_is_allowed(const struct outcome *is, const struct outcome *without,
    struct errtext *why);

#endif
