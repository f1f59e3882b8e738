/* SPDX-License-Identifier: ISC */
/* ops/postfix_job.h - one change to a Postfix: its files, its commands, its
 * way back.
 *
 * Owns:    all that its fields point to.
 * Errors:  -1 with *why. */
#ifndef DOORBELL_OPS_POSTFIX_JOB_H
#define DOORBELL_OPS_POSTFIX_JOB_H

#include "ops/edit_plan.h"
#include "ops/postfix_edit.h"
#include "ops/site.h"
#include "ops/undo.h"

struct postfix_job {
	struct site site;
	const struct master_entry *port;
	char *pass; /* name of smtpd's service of type pass */
	struct edit_plan plan;
	struct undo undo;
	char *master;  /* path of master.cf */
	char *kept;    /* of its copy from before */
	char *program; /* where master(8) looks for doorbelld */
	char *postconf, *postfix;
	bool json;     /* who has asked is a program */
	bool runs;     /* Postfix does */
	bool reloaded; /* it was told to */
	int lock;      /* nobody else changes this directory */
};

/* Read what there is. Without `lock` others may be at work. */
int postfix_job_begin(struct postfix_job *job,
    const struct postfix_request *request, bool lock, struct errtext *why);
void postfix_job_end(struct postfix_job *job);

/* Remember master.cf and its copy, before they are changed. That there is no
 * copy is no error. */
int postfix_job_remember(struct postfix_job *job,
    const struct undo_file **master_r, const struct undo_file **kept_r,
    struct errtext *why);
/* Let postconf(1) bring the plan into master.cf, and look at what it did. */
int postfix_job_edit(struct postfix_job *job, struct errtext *why);
/* doorbelld -t, with the -o words that its line will have. */
int postfix_job_test(struct postfix_job *job, struct errtext *why);
/* postfix check, then reload if it runs. */
int postfix_job_take_up(struct postfix_job *job, struct errtext *why);
int postfix_job_reload(struct postfix_job *job, struct errtext *why);
/* All files are as they were before. */
int postfix_job_undo(struct postfix_job *job, struct errtext *why);

#endif
