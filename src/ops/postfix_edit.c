/* SPDX-License-Identifier: ISC */
#include "ops/postfix_edit.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "ops/postfix_job.h"
#include "ops/postfix_leave.h"
#include "ops/postfix_say.h"
#include "ops/replace.h"

/* First everything is read and planned, then the plan is said, then it is
 * carried out while signals wait, so that it ends well or is undone. */

static int
complain(const struct errtext *why)
{
	fflush(stdout);
	fprintf(stderr, "doorbellctl: %s\n", why->text);
	return 1;
}

static void
wait_with_signals(sigset_t *before)
{
	sigset_t hold;

	sigemptyset(&hold);
	sigaddset(&hold, SIGINT);
	sigaddset(&hold, SIGTERM);
	sigaddset(&hold, SIGHUP);
	sigprocmask(SIG_BLOCK, &hold, before);
}

/* --- what will be done ----------------------------------------------------- */

static int
need_root(struct errtext *why)
{
	if (geteuid() == 0)
		return 0;
	errtext_set(why, "only root can change a Postfix");
	return -1;
}

/* After a failure: the first reason is the one that counts. */
static int
give_up(struct postfix_job *job, const struct errtext *why)
{
	struct errtext also = {""};

	complain(why);
	if (postfix_job_undo(job, &also) == 0) {
		fprintf(stderr, "doorbellctl: every file is as it was\n");
	} else {
		complain(&also);
		fprintf(stderr, "doorbellctl: look at %s\n", job->master);
	}
	if (job->reloaded && postfix_job_reload(job, &also) < 0)
		complain(&also);
	return 1;
}

static int
carry_out(struct postfix_job *job, bool dry_run,
    int (*steps)(struct postfix_job *, struct errtext *), const char *done)
{
	struct errtext why = {""};
	sigset_t before;
	int status = 0;

	if (dry_run) {
		postfix_say_result(job, true, false);
		return 0;
	}
	wait_with_signals(&before);
	if (steps(job, &why) < 0) {
		status = give_up(job, &why);
	} else {
		postfix_say(job, "Done: %s\n", done);
		postfix_say_result(job, false, true);
	}
	sigprocmask(SIG_SETMASK, &before, NULL);
	return status;
}

/* --- enable ---------------------------------------------------------------- */

/* The doorbelld that was installed along with us. */
static char *
sibling(struct errtext *why)
{
	char self[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	char *slash, *path;

	if (n < 0) {
		errtext_set(why, "/proc/self/exe: %s", strerror(errno));
		return NULL;
	}
	self[n] = '\0';
	if ((slash = strrchr(self, '/')) != NULL)
		*slash = '\0';
	path = mem_printf("%s/doorbelld", self);
	if (path == NULL || access(path, X_OK) < 0) {
		errtext_set(why, "%s/doorbelld: %s", self, strerror(errno));
		mem_free(path);
		return NULL;
	}
	return path;
}

static bool
has_program(const struct postfix_job *job)
{
	return access(job->program, X_OK) == 0;
}

static int
copy_program(struct postfix_job *job, struct errtext *why)
{
	char *from;
	struct buf bytes;
	int rc = -1;

	if (has_program(job))
		return 0;
	buf_init(&bytes, REPLACE_FILE_MAX);
	if ((from = sibling(why)) != NULL &&
	    undo_remember(&job->undo, job->program, why) != NULL &&
	    replace_read(from, &bytes, NULL, why) == 0)
		rc = replace_write(
		    job->program, buf_span(&bytes), 0755, 0, 0, why);
	buf_clear(&bytes);
	mem_free(from);
	return rc;
}

/* Then the copy is from before that, and good for both. */
static bool
serves_elsewhere(const struct postfix_job *job)
{
	return edit_plan_has_other_screen(&job->site.master, job->port);
}

static int
enable_steps(struct postfix_job *job, struct errtext *why)
{
	const struct undo_file *master, *kept;

	if (postfix_job_remember(job, &master, &kept, why) < 0)
		return -1;
	if (job->plan.new_port != NULL &&
	    !(kept->existed && serves_elsewhere(job)) &&
	    replace_write(job->kept, buf_span(&master->bytes),
		master->st.st_mode & 07777, master->st.st_uid,
		master->st.st_gid, why) < 0)
		return -1;
	if (copy_program(job, why) < 0 || postfix_job_test(job, why) < 0 ||
	    postfix_job_edit(job, why) < 0)
		return -1;
	return postfix_job_take_up(job, why);
}

/* smtpd would wait for the proxy's header behind a screen that has read it. */
static int
check_proxy(const struct postfix_job *job, struct errtext *why)
{
	static const char name[] = "smtpd_upstream_proxy_protocol";
	struct words words = {0};
	bool set = config_text(job->site.config, name)[0] != '\0';

	if (words_collect(&words, job->port) < 0) {
		errtext_set(why, "%s", strerror(errno));
		words_clear(&words);
		return -1;
	}
	for (size_t i = 0; i < words.n; i++)
		set = set || span_has_prefix(span_str(words.at[i]), name);
	words_clear(&words);
	if (!set || edit_plan_holder(job->port) != HOLDER_SMTPD)
		return 0;
	errtext_set(why,
	    "smtpd speaks the proxy protocol here: move %s to"
	    " doorbell_upstream_proxy_protocol first",
	    name);
	return -1;
}

static int
plan_enable(struct postfix_job *job, struct errtext *why)
{
	if (check_proxy(job, why) < 0)
		return -1;
	return edit_plan_enable(
	    &job->plan, &job->site.master, job->port, job->pass, why);
}

static int
enable(struct postfix_job *job, bool dry_run)
{
	struct errtext why;

	if (plan_enable(job, &why) < 0)
		return complain(&why);
	if (!edit_plan_changes(&job->plan) && has_program(job)) {
		postfix_say(
		    job, "doorbelld has the port already: nothing to do.\n");
		postfix_say_result(job, dry_run, false);
		return 0;
	}
	postfix_say_plan(job);
	if (job->plan.new_port != NULL)
		postfix_say(
		    job, "A copy of the file is kept as %s.\n", job->kept);
	if (!has_program(job))
		postfix_say(
		    job, "The program is copied to %s.\n", job->program);
	postfix_say_reload(job);
	return carry_out(job, dry_run, enable_steps, "doorbelld has the port.");
}

/* --- disable --------------------------------------------------------------- */

static int
plan_disable(struct postfix_job *job, struct errtext *why)
{
	struct master_cf then = {0};
	struct buf text;
	int rc = -1;

	buf_init(&text, REPLACE_FILE_MAX);
	if (replace_read(job->kept, &text, NULL, why) < 0)
		errtext_prefix(why, "there is no copy of what was before");
	else if (master_cf_parse(&then, buf_span(&text), why) == 0)
		rc = edit_plan_disable(&job->plan, &job->site.master, job->port,
		    job->pass, &then, why);
	master_cf_clear(&then);
	buf_clear(&text);
	return rc;
}

static int
disable(struct postfix_job *job, bool dry_run)
{
	struct errtext why;

	if (edit_plan_holder(job->port) != HOLDER_DOORBELLD) {
		postfix_say(
		    job, "doorbelld does not have the port: nothing to do.\n");
		postfix_say_result(job, dry_run, false);
		return 0;
	}
	if (plan_disable(job, &why) < 0)
		return complain(&why);
	postfix_say_plan(job);
	postfix_say_reload(job);
	return carry_out(
	    job, dry_run, postfix_leave, "the old entries are back.");
}

/* --- the three commands ---------------------------------------------------- */

static int
change(const struct postfix_request *request,
    int (*how)(struct postfix_job *, bool))
{
	struct postfix_job job = {.lock = -1};
	struct errtext why;
	int status;

	if ((!request->dry_run && need_root(&why) < 0) ||
	    postfix_job_begin(&job, request, !request->dry_run, &why) < 0)
		status = complain(&why);
	else
		status = how(&job, request->dry_run);
	postfix_job_end(&job);
	return status;
}

int
postfix_enable(const struct postfix_request *request)
{
	return change(request, enable);
}

int
postfix_disable(const struct postfix_request *request)
{
	return change(request, disable);
}

static const enum postfix_status holder_status[] = {
    [HOLDER_DOORBELLD] = POSTFIX_DOORBELLD,
    [HOLDER_POSTSCREEN] = POSTFIX_POSTSCREEN,
    [HOLDER_SMTPD] = POSTFIX_SMTPD,
    [HOLDER_OTHER] = POSTFIX_OTHER,
};

int
postfix_status(const struct postfix_request *request)
{
	struct postfix_job job;
	struct errtext why;
	enum port_holder holder;

	if (postfix_job_begin(&job, request, false, &why) < 0) {
		postfix_job_end(&job);
		return complain(&why);
	}
	holder = edit_plan_holder(job.port);
	postfix_say_status(&job);
	postfix_job_end(&job);
	return (int)holder_status[holder];
}
