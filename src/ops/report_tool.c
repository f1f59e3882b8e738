/* SPDX-License-Identifier: ISC */
#include "ops/report_tool.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "ops/cache_tool.h"
#include "ops/control.h"
#include "ops/logbook.h"
#include "ops/period.h"
#include "ops/report_json.h"
#include "ops/report_page.h"
#include "ops/report_text.h"

/* Files are opened before root is given up: what is read, and where the page
 * goes, is up to who calls us. Log files are read in the order of their first
 * lines, as "mail.log*" names the newest one first. */

enum { DAYS_DEFAULT = 30, HOUR_S = 3600, FIRST_LINES = 1000 };

struct source {
	const char *path;
	FILE *in;
	int64_t first_ms;
};

struct job {
	const struct request *request;
	struct wall now, since, until;
	FILE *page; /* NULL: no --html */
	struct source source[REQUEST_ARGUMENTS_MAX];
	struct history history;
	struct totals totals; /* of the hour that is being read */
	bool incomplete;
};

static int
find_period(struct job *job, struct errtext *why)
{
	const char *since = job->request->with[SWITCH_SINCE];
	const char *until = job->request->with[SWITCH_UNTIL];
	bool from_logs = job->request->with[SWITCH_LOG] != NULL;

	job->now = clock_wall();
	job->until = wall_after(job->now, 24 * 3600);
	job->since = period_day(job->now, 1 - DAYS_DEFAULT);
	if (from_logs)
		job->since = (struct wall){0};
	if (since != NULL && period_parse(span_str(since), job->now, false,
				 &job->since, why) < 0)
		return -1;
	if (until != NULL &&
	    period_parse(span_str(until), job->now, true, &job->until, why) < 0)
		return -1;
	if (job->since.s < job->until.s)
		return 0;
	errtext_set(why, "--since is not before --until");
	return -1;
}

/* --- log files -------------------------------------------------------------- */

static int
complain_of(const char *path, struct errtext *why)
{
	errtext_set(why, "%s: %s", path, strerror(errno));
	return -1;
}

/* False at the end. However long a line is, it takes no more memory. */
static bool
read_line(FILE *in, char text[LOGLINE_MAX], struct span *line_r)
{
	size_t n = 0;
	int c;

	while ((c = getc_unlocked(in)) != EOF && c != '\n')
		if (n < LOGLINE_MAX)
			text[n++] = (char)c;
	*line_r = span_of(text, n);
	return c != EOF || n > 0;
}

static int
read_lines(struct source *s, struct wall now, struct logbook *book,
    struct errtext *why)
{
	char text[LOGLINE_MAX];
	struct logline line;
	struct span rest;

	while (read_line(s->in, text, &rest)) {
		logline_parse(rest, now, &line);
		logbook_line(book, &line);
	}
	return ferror(s->in) ? complain_of(s->path, why) : 0;
}

/* The first one that we understand, within a few. */
static int
find_first(struct source *s, struct wall now, struct errtext *why)
{
	char text[LOGLINE_MAX];
	struct logline line;
	struct span rest;

	s->first_ms = INT64_MAX;
	for (int i = 0; i < FIRST_LINES && read_line(s->in, text, &rest); i++) {
		logline_parse(rest, now, &line);
		if (line.at_ms > 0) {
			s->first_ms = line.at_ms;
			break;
		}
	}
	clearerr(s->in);
	if (fseek(s->in, 0, SEEK_SET) == 0)
		return 0;
	errtext_set(
	    why, "%s: no file, so it cannot be one of several", s->path);
	return -1;
}

static int
by_first(const void *a, const void *b)
{
	const struct source *x = a, *y = b;

	return (x->first_ms > y->first_ms) - (x->first_ms < y->first_ms);
}

static int
open_sources(struct job *job, struct errtext *why)
{
	const struct request *r = job->request;

	for (size_t i = 0; i < r->arguments; i++) {
		struct source *s = &job->source[i];

		s->path = r->argument[i];
		s->in =
		    strcmp(s->path, "-") == 0 ? stdin : fopen(s->path, "re");
		if (s->in == NULL)
			return complain_of(s->path, why);
		if (s->in == stdin && r->arguments > 1) {
			errtext_set(
			    why, "standard input cannot be one of several");
			return -1;
		}
		if (r->arguments > 1 && find_first(s, job->now, why) < 0)
			return -1;
	}
	qsort(job->source, r->arguments, sizeof(job->source[0]), by_first);
	return 0;
}

static int
read_logs(struct job *job, struct errtext *why)
{
	struct logbook *book;
	int rc = 0;

	if (open_sources(job, why) < 0)
		return -1;
	book = logbook_new(&job->history, job->since, job->until);
	if (book == NULL) {
		errtext_set(why, "%s", strerror(errno));
		return -1;
	}
	for (size_t i = 0; i < job->request->arguments && rc == 0; i++)
		rc = read_lines(&job->source[i], job->now, book, why);
	if (rc == 0 && logbook_finish(book) < 0) {
		errtext_set(why,
		    "not all could be kept: out of memory, or"
		    " more than %d days",
		    HISTORY_DAYS_MAX);
		rc = -1;
	}
	logbook_free(&book);
	return rc;
}

/* --- what doorbelld has kept ------------------------------------------------ */

/* What a later release has written is for that. */
static void
note_hour(uint32_t hour, struct span bytes, void *arg)
{
	struct job *job = arg;
	int64_t begin = (int64_t)hour * HOUR_S;

	if (begin + HOUR_S <= job->since.s || begin >= job->until.s ||
	    totals_decode(bytes, &job->totals) < 0)
		return;
	if (history_add(&job->history, hour, &job->totals) < 0)
		job->incomplete = true;
}

static int
read_history(struct job *job, struct errtext *why)
{
	if (cache_totals(job->request->with[SWITCH_CONFIG],
		(uint32_t)(job->since.s / HOUR_S), note_hour, job, why) < 0)
		return -1;
	if (!job->incomplete)
		return 0;
	errtext_set(why, "not all hours could be read: %s", strerror(ENOMEM));
	return -1;
}

/* --- output ----------------------------------------------------------------- */

static int
render(const struct job *job, const struct report *r, struct buf *out)
{
	if (job->page != NULL)
		return report_page(r, out);
	if (job->request->with[SWITCH_JSON] != NULL)
		return report_json(r, out);
	return report_text(r, out);
}

static int
write_report(const struct job *job, struct errtext *why)
{
	struct report *r = report_new(&job->history, job->since, job->until);
	FILE *out = job->page != NULL ? job->page : stdout;
	struct buf body;
	int rc = -1;

	buf_init(&body, REPORT_BYTES_MAX);
	errno = ENOMEM;
	if (r != NULL && render(job, r, &body) == 0 &&
	    (body.n == 0 || fwrite(body.p, 1, body.n, out) == body.n) &&
	    fflush(out) == 0)
		rc = 0;
	if (rc < 0)
		errtext_set(why, "cannot write: %s", strerror(errno));
	buf_clear(&body);
	report_free(&r);
	return rc;
}

static int
open_page(struct job *job, struct errtext *why)
{
	const char *path = job->request->with[SWITCH_HTML];

	if (path == NULL)
		return 0;
	job->page = strcmp(path, "-") == 0 ? stdout : fopen(path, "we");
	return job->page != NULL ? 0 : complain_of(path, why);
}

static void
close_all(struct job *job)
{
	for (size_t i = 0; i < REQUEST_ARGUMENTS_MAX; i++)
		if (job->source[i].in != NULL && job->source[i].in != stdin)
			(void)fclose(job->source[i].in);
	if (job->page != NULL && job->page != stdout)
		(void)fclose(job->page);
	history_clear(&job->history);
}

static int
check_request(const struct request *r, struct errtext *why)
{
	bool from_logs = r->with[SWITCH_LOG] != NULL;
	int forms = (r->with[SWITCH_JSON] != NULL) +
		    (r->with[SWITCH_TEXT] != NULL) +
		    (r->with[SWITCH_HTML] != NULL);

	if (forms > 1)
		errtext_set(why, "--text, --json or --html, not two of them");
	else if (from_logs && r->arguments == 0)
		errtext_set(why, "--log: which file?");
	else if (!from_logs && r->arguments > 0)
		errtext_set(
		    why, "%s: a log file? Then with --log", r->argument[0]);
	else
		return 0;
	return -1;
}

static int
run(struct job *job, struct errtext *why)
{
	if (open_page(job, why) < 0)
		return -1;
	if ((job->request->with[SWITCH_LOG] != NULL
		    ? read_logs(job, why)
		    : read_history(job, why)) < 0)
		return -1;
	return write_report(job, why);
}

int
report_tool(const struct request *r)
{
	struct job *job = mem_new(sizeof(*job));
	struct errtext why;
	int status = CONTROL_FAILED;

	errtext_set(&why, "%s", strerror(ENOMEM));
	if (job != NULL) {
		job->request = r;
		history_init(&job->history);
		if (check_request(r, &why) < 0 || find_period(job, &why) < 0)
			status = CONTROL_BAD;
		else if (run(job, &why) == 0)
			status = CONTROL_DONE;
		close_all(job);
		mem_free(job);
	}
	if (status != CONTROL_DONE)
		fprintf(stderr, "doorbellctl: %s\n", why.text);
	return status;
}
