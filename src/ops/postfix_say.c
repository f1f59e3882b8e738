/* SPDX-License-Identifier: ISC */
#include "ops/postfix_say.h"

#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "ops/json.h"

/* Whether Postfix runs only root can find out: others are told neither yes nor
 * no. */

enum { LINE_BYTES = 64 * 1024 };

/* --- for people ------------------------------------------------------------- */

void
postfix_say(const struct postfix_job *job, const char *format, ...)
{
	FILE *out = job->json ? stderr : stdout;
	va_list ap;

	va_start(ap, format);
	(void)vfprintf(out, format, ap);
	va_end(ap);
	(void)fflush(out);
}

void
postfix_say_plan(const struct postfix_job *job)
{
	const struct edit_plan *plan = &job->plan;

	if (edit_plan_changes(plan))
		postfix_say(job, "In %s:\n", job->master);
	if (plan->new_port != NULL)
		postfix_say(
		    job, "- %s\n+ %s\n", plan->port->text, plan->new_port);
	if (plan->pass_goes)
		postfix_say(job, "- %s\n", plan->pass->text);
	if (plan->new_pass != NULL)
		postfix_say(job, "+ %s\n", plan->new_pass);
}

void
postfix_say_reload(const struct postfix_job *job)
{
	if (geteuid() != 0)
		postfix_say(
		    job, "If Postfix runs, it will be told to reload.\n");
	else if (job->runs)
		postfix_say(job, "Postfix runs and will be told to reload.\n");
	else
		postfix_say(job, "Postfix does not run; nothing to reload.\n");
}

static const char *
running(const struct postfix_job *job)
{
	if (geteuid() != 0)
		return "";
	return job->runs ? "; Postfix runs" : "; Postfix does not run";
}

static void
say_status(const struct postfix_job *job)
{
	const struct span *f = job->port->field;

	postfix_say(job, "%.*s: %.*s (%s%s)\n", (int)f[MASTER_SERVICE].n,
	    f[MASTER_SERVICE].p, (int)f[MASTER_COMMAND].n, f[MASTER_COMMAND].p,
	    job->master, running(job));
}

/* --- for programs ----------------------------------------------------------- */

static void
begin_line(const struct postfix_job *job, struct json *j, struct buf *line)
{
	buf_init(line, LINE_BYTES);
	json_init(j, line);
	json_object(j, NULL);
	json_text(j, "master_cf", job->master);
	json_span(j, "service", job->port->field[MASTER_SERVICE]);
	if (geteuid() == 0)
		json_bool(j, "runs", job->runs);
	else
		json_null(j, "runs");
}

static void
end_line(struct json *j, struct buf *line)
{
	if (json_finish(j) == 0)
		(void)fwrite(line->p, 1, line->n, stdout);
	(void)fflush(stdout);
	buf_clear(line);
}

static void
write_lines(struct json *j, const char *key, const char *one, const char *other)
{
	json_array(j, key);
	if (one != NULL)
		json_text(j, NULL, one);
	if (other != NULL)
		json_text(j, NULL, other);
	json_end(j);
}

void
postfix_say_result(const struct postfix_job *job, bool dry_run, bool changed)
{
	const struct edit_plan *plan = &job->plan;
	struct buf line;
	struct json j;

	if (!job->json)
		return;
	begin_line(job, &j, &line);
	json_bool(&j, "dry_run", dry_run);
	json_bool(&j, "changed", changed);
	write_lines(&j, "removed",
	    plan->new_port != NULL ? plan->port->text : NULL,
	    plan->pass_goes ? plan->pass->text : NULL);
	write_lines(&j, "added", plan->new_port, plan->new_pass);
	end_line(&j, &line);
}

void
postfix_say_status(const struct postfix_job *job)
{
	static const char *const words[] = {
	    [HOLDER_DOORBELLD] = "doorbelld",
	    [HOLDER_POSTSCREEN] = "postscreen",
	    [HOLDER_SMTPD] = "smtpd",
	    [HOLDER_OTHER] = "other",
	};
	struct buf line;
	struct json j;

	if (!job->json) {
		say_status(job);
		return;
	}
	begin_line(job, &j, &line);
	json_span(&j, "command", job->port->field[MASTER_COMMAND]);
	json_text(&j, "holder", words[edit_plan_holder(job->port)]);
	end_line(&j, &line);
}
