/* SPDX-License-Identifier: ISC */
#include "ops/postfix_leave.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "ops/inside.h"
#include "ops/postfix_say.h"
#include "ops/replace.h"

/* The copy of master.cf is the whole file: if nothing else was changed in the
 * meantime, it is put back byte for byte, otherwise postconf(1) puts back the
 * entries.
 *
 * At a reload master(8) lets a service that stays finish its clients, but of one
 * that is gone it kills the processes: without its line of type pass, smtpd would
 * be taken from the clients that doorbelld has passed to it, and doorbelld could
 * pass on no more. So a Postfix that runs is changed in two steps, first the
 * port, and when nobody is inside any more, the pass line. An smtpd without a
 * client ends at a reload only, hence the one between. */

enum { LOOK_MS = 200 };

/* --- putting back ---------------------------------------------------------- */

static bool
same_bytes(struct span a, struct span b)
{
	return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

/* Nothing but the entries of the plan differs between now and then. */
static bool
is_otherwise_as_then(
    const struct postfix_job *job, const struct master_cf *then)
{
	const struct master_entry *port =
	    master_cf_find(then, job->port->field[MASTER_SERVICE], "inet");
	const struct master_entry *pass =
	    job->plan.pass_goes ? job->plan.pass : NULL;
	struct buf a, b;
	bool same;

	buf_init(&a, REPLACE_FILE_MAX);
	buf_init(&b, REPLACE_FILE_MAX);
	same = master_cf_others(&job->site.master, job->port, pass, &a) == 0 &&
	       master_cf_others(then, port, NULL, &b) == 0 &&
	       same_bytes(buf_span(&a), buf_span(&b));
	buf_clear(&a);
	buf_clear(&b);
	return same;
}

static int
put_back(struct postfix_job *job, const struct undo_file *master,
    const struct undo_file *kept, struct errtext *why)
{
	struct master_cf then = {0};
	int rc = master_cf_parse(&then, buf_span(&kept->bytes), why);

	if (rc == 0 && is_otherwise_as_then(job, &then))
		rc = replace_write(job->master, buf_span(&kept->bytes),
		    master->st.st_mode & 07777, master->st.st_uid,
		    master->st.st_gid, why);
	else if (rc == 0)
		rc = postfix_job_edit(job, why);
	master_cf_clear(&then);
	return rc;
}

/* --- waiting --------------------------------------------------------------- */

static char *
port_name(const struct postfix_job *job)
{
	const struct span name = job->port->field[MASTER_SERVICE];

	return mem_strndup(name.p, name.n);
}

/* A signal ends the waiting, not the change. */
static bool
is_enough(int wait_ms)
{
	const struct timespec look = {.tv_nsec = wait_ms * 1000000L};
	sigset_t enough;

	sigemptyset(&enough);
	sigaddset(&enough, SIGINT);
	sigaddset(&enough, SIGTERM);
	sigaddset(&enough, SIGHUP);
	return sigtimedwait(&enough, NULL, &look) > 0;
}

/* False when the time is over, or somebody has had enough. */
static bool
wait_until_left(const struct inside_entry *entry, struct mono end)
{
	while (inside_has(entry))
		if (is_enough(LOOK_MS) || mono_between(clock_mono(), end) <= 0)
			return false;
	return true;
}

/* 1 when the time is over, or somebody has had enough. Those of doorbelld first:
 * they may still need an smtpd. A signal may have reached the reload as well. */
static int
wait_for_both(struct postfix_job *job, const char *service, struct errtext *why)
{
	const char *queue = job->site.cfg->postfix.queue_directory;
	const struct inside_entry screen = {queue, "doorbelld", service,
				      "inet"},
				  smtpd = {queue, "smtpd", job->pass, "pass"};
	struct mono end = mono_after(clock_mono(), POSTFIX_LEAVE_WAIT_MS);

	if (!wait_until_left(&screen, end))
		return 1;
	if (inside_has(&smtpd) && postfix_job_reload(job, why) < 0)
		return is_enough(0) ? 1 : -1;
	return wait_until_left(&smtpd, end) && !is_enough(0) ? 0 : 1;
}

static int
wait_for_clients(
    struct postfix_job *job, const char *service, struct errtext *why)
{
	int rc = wait_for_both(job, service, why);

	if (rc > 0)
		postfix_say(job, "Not waiting any longer.\n");
	return rc < 0 ? -1 : 0;
}

/* --- two steps ------------------------------------------------------------- */

/* The port alone; `now` is what master.cf then is. */
static int
free_port(struct postfix_job *job, struct buf *now, struct errtext *why)
{
	int rc;

	job->plan.pass_goes = false;
	rc = postfix_job_edit(job, why);
	job->plan.pass_goes = true;
	if (rc < 0 || postfix_job_take_up(job, why) < 0)
		return -1;
	return replace_read(job->master, now, NULL, why);
}

static int
let_clients_finish(struct postfix_job *job, struct errtext *why)
{
	char *service = port_name(job);
	int rc = -1;

	postfix_say(job,
	    "Waiting up to %d seconds for clients to finish; Ctrl-C ends"
	    " the waiting.\n",
	    POSTFIX_LEAVE_WAIT_MS / 1000);
	if (service == NULL)
		errtext_set(why, "%s", strerror(errno));
	else
		rc = wait_for_clients(job, service, why);
	mem_free(service);
	return rc;
}

/* 1 when somebody else has changed master.cf while we waited: then nothing of
 * it may be put back. */
static int
is_changed(
    const struct postfix_job *job, struct span expected, struct errtext *why)
{
	struct buf now;
	int rc = -1;

	buf_init(&now, REPLACE_FILE_MAX);
	if (replace_read(job->master, &now, NULL, why) == 0)
		rc = same_bytes(buf_span(&now), expected) ? 0 : 1;
	buf_clear(&now);
	return rc;
}

/* A change of somebody else's is not undone either, when waiting fails. */
static int
wait_for_changes(
    struct postfix_job *job, struct span between, struct errtext *why)
{
	struct errtext bad = {""};
	int waited = let_clients_finish(job, &bad);
	int changed = is_changed(job, between, why);

	if (waited == 0 || changed < 0)
		return changed;
	if (changed == 0) {
		*why = bad;
		return -1;
	}
	fflush(stdout);
	fprintf(stderr, "doorbellctl: %s\n", bad.text);
	return 1;
}

static int
free_port_first(struct postfix_job *job, struct errtext *why)
{
	struct buf between;
	int rc = -1;

	buf_init(&between, REPLACE_FILE_MAX);
	if (free_port(job, &between, why) == 0)
		rc = wait_for_changes(job, buf_span(&between), why);
	buf_clear(&between);
	return rc;
}

/* The port is free, and that is what counts. */
static void
leave_pass(const struct postfix_job *job)
{
	fflush(stdout);
	fprintf(stderr,
	    "doorbellctl: somebody else has changed %s: its line \"%s pass\""
	    " is not needed any more\n",
	    job->master, job->pass);
}

/* Another screen still needs the copy: it is from before both. Who has changed
 * master.cf may have put the copy in its place. */
static int
drop_copy(const struct postfix_job *job, struct errtext *why)
{
	if (edit_plan_has_other_screen(&job->site.master, job->port) ||
	    unlink(job->kept) == 0 || errno == ENOENT)
		return 0;
	errtext_set(why, "%s: %s", job->kept, strerror(errno));
	return -1;
}

int
postfix_leave(struct postfix_job *job, struct errtext *why)
{
	const struct undo_file *master, *kept;
	int changed = 0;

	if (postfix_job_remember(job, &master, &kept, why) < 0)
		return -1;
	if (job->runs && job->plan.pass_goes &&
	    (changed = free_port_first(job, why)) < 0)
		return -1;
	if (changed > 0)
		leave_pass(job);
	else if (put_back(job, master, kept, why) < 0)
		return -1;
	if (drop_copy(job, why) < 0)
		return -1;
	return changed > 0 ? 0 : postfix_job_take_up(job, why);
}
