/* SPDX-License-Identifier: ISC */
#include "ops/top.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/clock.h"
#include "ops/ask.h"
#include "ops/show.h"

/* Each look is a question of its own, so a daemon that is replaced meanwhile
 * only costs one rate. Nothing of the terminal is changed but its contents:
 * there is nothing to put back when a signal ends us. */

#define CLEAR "\033[H\033[J"
enum { PAUSE_MS = 1000, ROWS_PLAIN = 1000, ROWS_UNKNOWN = 24, BAR_WIDTH = 30 };

struct look {
	struct json_tree *tree; /* NULL: nobody answered */
	struct mono at;
};

/* --- drawing ---------------------------------------------------------------- */

struct page {
	FILE *out;
	unsigned left; /* lines */
};

/* False when there is no line left. */
static bool
next_line(struct page *p)
{
	if (p->left == 0)
		return false;
	p->left--;
	return true;
}

static void
draw_head(struct page *p, const struct json_value *v)
{
	if (!next_line(p))
		return;
	fputs("doorbelld ", p->out);
	show_text(p->out, json_value_text(v, "version"), 0);
	fprintf(p->out, ", process %lld, %lld of %lld sessions%s\n",
	    (long long)json_value_number(v, "pid"),
	    (long long)json_value_number(v, "sessions"),
	    (long long)json_value_number(v, "session_limit"),
	    json_value_is_true(v, "stress") ? ", STRESS" : "");
}

static void
draw_bar(FILE *out, int64_t part, int64_t whole)
{
	int64_t n = whole > 0 ? part * BAR_WIDTH / whole : 0;

	if (n == 0 && part > 0)
		n = 1;
	for (int64_t i = 0; i < n && i < BAR_WIDTH; i++)
		fputc('#', out);
}

static void
draw_phases(struct page *p, const struct json_value *v)
{
	const struct json_value *phase = json_value_get(v, "phases");
	int64_t whole = json_value_number(v, "sessions");

	for (phase = phase != NULL ? phase->first : NULL;
	     phase != NULL && next_line(p); phase = phase->next) {
		fputs("  ", p->out);
		show_text(p->out, phase->key, 10);
		fprintf(p->out, " %8lld ", (long long)phase->number);
		draw_bar(p->out, phase->number, whole);
		fputc('\n', p->out);
	}
	if (next_line(p))
		fprintf(p->out,
		    "  %-10s %8lld waiting, %lld sent, %lld relayed\n", "smtpd",
		    (long long)json_value_number(
			json_value_get(v, "handoffs"), "waiting"),
		    (long long)json_value_number(
			json_value_get(v, "handoffs"), "in_flight"),
		    (long long)json_value_number(v, "relayed"));
}

/* What has not moved is no news. */
static void
draw_rates(struct page *p, const struct json_value *before,
    const struct json_value *now, int64_t ms)
{
	const struct json_value *old = json_value_get(before, "counters");
	const struct json_value *c = json_value_get(now, "counters");
	int64_t more;

	if (ms <= 0 ||
	    json_value_number(before, "pid") != json_value_number(now, "pid"))
		return;
	if (!next_line(p))
		return;
	fprintf(p->out, "%-32s %12s\n", "COUNTER", "PER SECOND");
	for (c = c != NULL ? c->first : NULL; c != NULL; c = c->next) {
		more = c->number - json_value_number(old, c->key);
		if (more <= 0)
			continue;
		if (!next_line(p))
			return;
		fputs("  ", p->out);
		show_text(p->out, c->key, 30);
		fprintf(p->out, " %10lld.%lld\n", (long long)(more * 1000 / ms),
		    (long long)(more * 10000 / ms % 10));
	}
}

static void
draw_worst(struct page *p, const struct json_value *now)
{
	const struct json_value *c = json_value_get(now, "worst");

	if (json_value_count(c) == 0 || !next_line(p))
		return;
	fprintf(p->out, "%-45s %8s %8s\n", "MOST SESSIONS", "OPEN", "FAILED");
	for (c = c->first; c != NULL && next_line(p); c = c->next) {
		fputs("  ", p->out);
		show_text(p->out, json_value_text(c, "block"), 43);
		fprintf(p->out, " %8lld %8lld\n",
		    (long long)json_value_number(c, "sessions"),
		    (long long)json_value_number(c, "failed"));
	}
}

void
top_draw(const struct json_value *before, const struct json_value *now,
    int64_t ms, unsigned rows, FILE *out)
{
	struct page p = {.out = out, .left = rows};

	draw_head(&p, now);
	draw_phases(&p, now);
	draw_worst(&p, now);
	if (before != NULL)
		draw_rates(&p, before, now, ms);
}

/* --- looking ---------------------------------------------------------------- */

static enum control_status
look(struct look *l, const char *path, const struct request *r,
    struct errtext *why)
{
	enum control_status status;
	struct buf body;

	buf_init(&body, LOCAL_OUTPUT_MAX + CONTROL_HEADER_MAX);
	json_tree_free(&l->tree);
	status = ask_daemon(path, r, &body, why);
	l->at = clock_mono();
	if (status == CONTROL_DONE) {
		l->tree = json_tree_new(buf_span(&body), why);
		if (l->tree == NULL)
			status = CONTROL_FAILED;
	}
	buf_clear(&body);
	return status;
}

static unsigned
rows_of_terminal(void)
{
	struct winsize size;

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) < 0 || size.ws_row < 2)
		return ROWS_UNKNOWN - 1;
	return size.ws_row - 1u; /* the cursor's line */
}

static void
draw(const struct look *before, const struct look *now, unsigned rows)
{
	top_draw(before->tree != NULL ? json_tree_root(before->tree) : NULL,
	    json_tree_root(now->tree), mono_between(before->at, now->at), rows,
	    stdout);
}

static int
complain(const struct errtext *why, enum control_status status)
{
	fprintf(stderr, "doorbellctl: %s\n", why->text);
	return (int)status;
}

static int
show_once(const char *path, const struct request *r)
{
	struct look two[2] = {{.tree = NULL}, {.tree = NULL}};
	enum control_status status;
	struct errtext why;

	status = look(&two[0], path, r, &why);
	if (status == CONTROL_DONE) {
		(void)poll(NULL, 0, PAUSE_MS);
		status = look(&two[1], path, r, &why);
	}
	if (status == CONTROL_DONE)
		draw(&two[0], &two[1], ROWS_PLAIN);
	else
		(void)complain(&why, status);
	json_tree_free(&two[0].tree);
	json_tree_free(&two[1].tree);
	return (int)status;
}

/* A daemon that is not there may come. */
static int
show_for_ever(const char *path, const struct request *r)
{
	struct look two[2] = {{.tree = NULL}, {.tree = NULL}};
	enum control_status status;
	struct errtext why;
	unsigned turn = 0;

	for (;; turn ^= 1) {
		status = look(&two[turn], path, r, &why);
		if (status != CONTROL_DONE && status != CONTROL_NOBODY)
			break;
		fputs(CLEAR, stdout);
		if (status == CONTROL_NOBODY)
			printf("%s\n", why.text);
		else
			draw(&two[turn ^ 1], &two[turn], rows_of_terminal());
		/* A terminal has each line as soon as it is drawn. */
		if (fflush(stdout) != 0 || ferror(stdout)) {
			errtext_set(&why, "cannot write: %s", strerror(errno));
			status = CONTROL_FAILED;
			break;
		}
		(void)poll(NULL, 0, PAUSE_MS);
	}
	json_tree_free(&two[0].tree);
	json_tree_free(&two[1].tree);
	return complain(&why, status);
}

int
top_run(const char *path, const struct request *r)
{
	if (r->with[SWITCH_ONCE] != NULL || !isatty(STDOUT_FILENO))
		return show_once(path, r);
	return show_for_ever(path, r);
}
