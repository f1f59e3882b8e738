/* SPDX-License-Identifier: ISC */
#include "ops/postfix_job.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/mem.h"
#include "ops/command.h"
#include "ops/replace.h"

/* Postfix's commands are taken from command_directory, by absolute path, and
 * told which configuration is meant. postconf(1) knows the arguments of
 * Postfix's own daemons and rewrites some others (it takes --config=/x apart),
 * so what it wrote is read again: the two entries have to say what was planned,
 * and all other lines what they said before. */

enum { TEST_WORDS_MAX = 256, TEST_SAID_MAX = 64 * 1024 };
#define PRIVATE "private/"

static int
name_paths(struct postfix_job *job, struct errtext *why)
{
	const struct config *cfg = job->site.cfg;
	const char *dir = job->site.directory, *bin;

	bin = cfg->postfix.command_directory;
	job->master = mem_printf("%s/master.cf", dir);
	job->kept = mem_printf("%s/master.cf.before-doorbell", dir);
	job->program =
	    mem_printf("%s/doorbelld", cfg->postfix.daemon_directory);
	job->postconf = mem_printf("%s/postconf", bin);
	job->postfix = mem_printf("%s/postfix", bin);
	if (job->master != NULL && job->kept != NULL && job->program != NULL &&
	    job->postconf != NULL && job->postfix != NULL)
		return 0;
	errtext_set(why, "%s", strerror(errno));
	return -1;
}

/* doorbelld finds smtpd by doorbell_smtpd_service. */
static int
name_pass(struct postfix_job *job, struct errtext *why)
{
	const char *service = job->site.cfg->smtpd_service;

	if (!span_has_prefix(span_str(service), PRIVATE) ||
	    service[strlen(PRIVATE)] == '\0') {
		errtext_set(why,
		    "doorbell_smtpd_service = %s: only a service"
		    " in private/ can be made here",
		    service);
		return -1;
	}
	if ((job->pass = mem_strdup(service + strlen(PRIVATE))) != NULL)
		return 0;
	errtext_set(why, "%s", strerror(errno));
	return -1;
}

static int
take_lock(struct postfix_job *job, struct errtext *why)
{
	const char *dir = job->site.directory;

	job->lock = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (job->lock >= 0 && flock(job->lock, LOCK_EX | LOCK_NB) == 0)
		return 0;
	errtext_set(why, "%s: %s", dir,
	    errno == EWOULDBLOCK ? "another doorbellctl is at work"
				 : strerror(errno));
	return -1;
}

int
postfix_job_begin(struct postfix_job *job,
    const struct postfix_request *request, bool lock, struct errtext *why)
{
	struct buf said;

	*job = (struct postfix_job){.lock = -1, .json = request->json};
	if (site_find(&job->site, request->config, why) < 0)
		return -1;
	if (job->site.directory == NULL) {
		errtext_set(
		    why, "%s: not a directory of Postfix", job->site.path);
		return -1;
	}
	/* What is read before it is ours may be old. */
	if ((lock && take_lock(job, why) < 0) ||
	    site_read(&job->site, why) < 0 || name_paths(job, why) < 0 ||
	    name_pass(job, why) < 0)
		return -1;
	job->port = edit_plan_port(&job->site.master, request->service, why);
	if (job->port == NULL)
		return -1;
	buf_init(&said, 1);
	job->runs = command_run((const char *const[]){job->postfix, "-c",
				    job->site.directory, "status", NULL},
			COMMAND_WAIT_MS, &said, why) == 0;
	buf_clear(&said);
	return 0;
}

void
postfix_job_end(struct postfix_job *job)
{
	edit_plan_clear(&job->plan);
	undo_clear(&job->undo);
	mem_free(job->pass);
	mem_free(job->master);
	mem_free(job->kept);
	mem_free(job->program);
	mem_free(job->postconf);
	mem_free(job->postfix);
	site_close(&job->site);
	if (job->lock >= 0)
		close(job->lock);
	*job = (struct postfix_job){.lock = -1};
}

/* --- editing --------------------------------------------------------------- */

/* postconf -M NAME/TYPE=ENTRY ... in one step. */
static int
write_entries(struct postfix_job *job, struct errtext *why)
{
	const struct edit_plan *plan = &job->plan;
	const struct span service = plan->port->field[MASTER_SERVICE];
	const char *argv[] = {
	    job->postconf, "-c", job->site.directory, "-M", NULL, NULL, NULL};
	size_t n = 4;
	char *port = NULL, *pass = NULL;
	int rc = -1;

	errtext_set(why, "%s", strerror(ENOMEM));
	if (plan->new_port != NULL) {
		port = mem_printf(
		    "%.*s/inet=%s", (int)service.n, service.p, plan->new_port);
		if ((argv[n++] = port) == NULL)
			goto done;
	}
	if (plan->new_pass != NULL) {
		pass = mem_printf("%s/pass=%s", job->pass, plan->new_pass);
		if ((argv[n++] = pass) == NULL)
			goto done;
	}
	rc = n > 4 ? command_must(argv, COMMAND_WAIT_MS, why) : 0;
done:
	mem_free(port);
	mem_free(pass);
	return rc;
}

static int
remove_pass(struct postfix_job *job, struct errtext *why)
{
	char *name = mem_printf("%s/pass", job->pass);
	const char *const argv[] = {
	    job->postconf, "-c", job->site.directory, "-MX", name, NULL};
	int rc = -1;

	if (name == NULL)
		errtext_set(why, "%s", strerror(errno));
	else
		rc = command_must(argv, COMMAND_WAIT_MS, why);
	mem_free(name);
	return rc;
}

/* The entry says what was planned. */
static int
check_entry(
    const struct master_entry *now, const char *planned, struct errtext *why)
{
	struct master_cf want;
	int rc;

	if (planned == NULL)
		return 0;
	rc = master_cf_parse(&want, span_str(planned), why);
	if (rc == 0 && !master_entry_same(&want.entry[0], now)) {
		errtext_set(why, "postconf made \"%.200s\" of \"%.200s\"",
		    now != NULL ? now->text : "", planned);
		rc = -1;
	}
	master_cf_clear(&want);
	return rc;
}

/* The lines of master.cf for which nothing is planned. */
static int
others(const struct edit_plan *plan, const struct master_cf *cf,
    const struct master_entry *port, const struct master_entry *pass,
    struct buf *out)
{
	bool pass_changes = plan->new_pass != NULL || plan->pass_goes;

	return master_cf_others(cf, plan->new_port != NULL ? port : NULL,
	    pass_changes ? pass : NULL, out);
}

/* All other lines are what they were. */
static int
check_others(struct postfix_job *job, const struct master_cf *now,
    const struct master_entry *port, const struct master_entry *pass,
    struct errtext *why)
{
	const struct edit_plan *plan = &job->plan;
	struct buf was, is;
	int rc = -1;

	buf_init(&was, REPLACE_FILE_MAX);
	buf_init(&is, REPLACE_FILE_MAX);
	if (others(plan, &job->site.master, plan->port, plan->pass, &was) < 0 ||
	    others(plan, now, port, pass, &is) < 0)
		errtext_set(why, "%s", strerror(errno));
	else if (was.n != is.n || (was.n > 0 && memcmp(was.p, is.p, is.n) != 0))
		errtext_set(why, "postconf changed more of master.cf than it"
				 " was told to");
	else
		rc = 0;
	buf_clear(&was);
	buf_clear(&is);
	return rc;
}

static int
check_edit(struct postfix_job *job, struct errtext *why)
{
	const struct master_entry *port, *pass;
	struct master_cf now = {0};
	struct buf text;
	int rc = -1;

	buf_init(&text, REPLACE_FILE_MAX);
	if (replace_read(job->master, &text, NULL, why) < 0 ||
	    master_cf_parse(&now, buf_span(&text), why) < 0)
		goto done;
	port = master_cf_find(&now, job->port->field[MASTER_SERVICE], "inet");
	pass = master_cf_find(&now, span_str(job->pass), "pass");
	if (job->plan.pass_goes && pass != NULL)
		errtext_set(why, "postconf did not remove %s/pass", job->pass);
	else if (check_entry(port, job->plan.new_port, why) == 0 &&
		 check_entry(pass, job->plan.new_pass, why) == 0)
		rc = check_others(job, &now, port, pass, why);
done:
	master_cf_clear(&now);
	buf_clear(&text);
	return rc;
}

int
postfix_job_edit(struct postfix_job *job, struct errtext *why)
{
	if (write_entries(job, why) < 0 ||
	    (job->plan.pass_goes && remove_pass(job, why) < 0))
		return -1;
	return check_edit(job, why);
}

/* --- checking and taking up ------------------------------------------------ */

/* All that it says is for the admin, also when it is content. */
static int
run_test(const char *const *argv, struct errtext *why)
{
	struct buf said;
	int status;

	buf_init(&said, TEST_SAID_MAX);
	status = command_run(argv, COMMAND_WAIT_MS, &said, why);
	if (status > 0)
		errtext_set(why, "doorbelld -t: the configuration has errors");
	fflush(stdout);
	if (said.n > 0)
		(void)fwrite(said.p, 1, said.n, stderr);
	buf_clear(&said);
	return status == 0 ? 0 : -1;
}

static int
test_with(
    struct postfix_job *job, const struct words *words, struct errtext *why)
{
	const char *argv[TEST_WORDS_MAX];
	size_t n = 0;

	argv[n++] = job->program;
	argv[n++] = "-t";
	argv[n++] = "-c";
	argv[n++] = job->site.directory;
	for (size_t i = 0; i < words->n; i++) {
		if (n + 3 > TEST_WORDS_MAX) {
			errtext_set(why, "too many -o options");
			return -1;
		}
		argv[n++] = "-o";
		argv[n++] = words->at[i];
	}
	argv[n] = NULL;
	return run_test(argv, why);
}

int
postfix_job_test(struct postfix_job *job, struct errtext *why)
{
	const char *text =
	    job->plan.new_port != NULL ? job->plan.new_port : job->port->text;
	struct master_cf line;
	struct words words = {0};
	int rc = master_cf_parse(&line, span_str(text), why);

	if (rc == 0 && (rc = words_collect(&words, &line.entry[0])) < 0)
		errtext_set(why, "%s", strerror(errno));
	if (rc == 0)
		rc = test_with(job, &words, why);
	words_clear(&words);
	master_cf_clear(&line);
	return rc;
}

static int
tell_postfix(struct postfix_job *job, const char *what, struct errtext *why)
{
	if (command_must((const char *const[]){job->postfix, "-c",
			     job->site.directory, what, NULL},
		COMMAND_WAIT_MS, why) == 0)
		return 0;
	errtext_prefix(why, "postfix %s", what);
	return -1;
}

int
postfix_job_reload(struct postfix_job *job, struct errtext *why)
{
	return tell_postfix(job, "reload", why);
}

int
postfix_job_take_up(struct postfix_job *job, struct errtext *why)
{
	if (tell_postfix(job, "check", why) < 0)
		return -1;
	if (!job->runs)
		return 0;
	job->reloaded = true;
	return postfix_job_reload(job, why);
}

int
postfix_job_remember(struct postfix_job *job, const struct undo_file **master_r,
    const struct undo_file **kept_r, struct errtext *why)
{
	*master_r = undo_remember(&job->undo, job->master, why);
	if (*master_r == NULL)
		return -1;
	if (!(*master_r)->existed) {
		errtext_set(why, "%s is gone", job->master);
		return -1;
	}
	*kept_r = undo_remember(&job->undo, job->kept, why);
	return *kept_r != NULL ? 0 : -1;
}

int
postfix_job_undo(struct postfix_job *job, struct errtext *why)
{
	return undo_all(&job->undo, why);
}
