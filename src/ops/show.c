/* SPDX-License-Identifier: ISC */
#include "ops/show.h"

#include <pwd.h>
#include <string.h>
#include <time.h>

#include "base/buf.h"
#include "ops/show_offenders.h"

/* One view for each command that the daemon answers; a command without one shows
 * the members of its answer, a line each. */

enum { TEXT_SHOWN = 400, DURATION_MAX = 32 };

/* A terminal believes what it is sent. */
void
show_text(FILE *out, const char *text, int width)
{
	char clean[TEXT_SHOWN + 1];
	size_t n;

	if (text == NULL)
		text = "-";
	n = strnlen(text, TEXT_SHOWN);
	memcpy(clean, text, n);
	clean[n] = '\0';
	text_make_printable(clean, n, true);
	fprintf(out, "%-*s", width, clean);
}

/* "3d4h", "2h5m", "9m30s", "12.3s". Returns `out`. */
static char *
duration(char out[DURATION_MAX], int64_t ms)
{
	long long s = ms / 1000;

	if (s >= 86400)
		(void)snprintf(out, DURATION_MAX, "%lldd%lldh", s / 86400,
		    s % 86400 / 3600);
	else if (s >= 3600)
		(void)snprintf(
		    out, DURATION_MAX, "%lldh%lldm", s / 3600, s % 3600 / 60);
	else if (s >= 60)
		(void)snprintf(out, DURATION_MAX, "%lldm%llds", s / 60, s % 60);
	else
		(void)snprintf(out, DURATION_MAX, "%lld.%llds", s,
		    (long long)ms % 1000 / 100);
	return out;
}

static void
show_members(const struct json_value *v, const char *front, FILE *out)
{
	for (v = v != NULL ? v->first : NULL; v != NULL; v = v->next) {
		fputs(front, out);
		show_text(out, v->key, 24);
		fputc(' ', out);
		switch (v->kind) {
		case JSON_NUMBER:
			fprintf(out, "%lld", (long long)v->number);
			break;
		case JSON_TRUE:
		case JSON_FALSE:
			fputs(v->kind == JSON_TRUE ? "yes" : "no", out);
			break;
		case JSON_NULL:
		case JSON_TEXT:
		case JSON_ARRAY:
		case JSON_OBJECT:
			show_text(out, v->text, 0);
			break;
		}
		fputc('\n', out);
	}
}

/* --- status ---------------------------------------------------------------- */

static void
show_phases(const struct json_value *phases, FILE *out)
{
	const char *front = " (";

	for (phases = phases != NULL ? phases->first : NULL; phases != NULL;
	     phases = phases->next) {
		if (phases->number == 0)
			continue;
		fprintf(out, "%s%lld ", front, (long long)phases->number);
		show_text(out, phases->key, 0);
		front = ", ";
	}
	fputs(front[0] == ',' ? ")\n" : "\n", out);
}

static void
show_status(const struct json_value *v, FILE *out)
{
	const struct json_value *handoffs = json_value_get(v, "handoffs");
	const struct json_value *cache = json_value_get(v, "cache");
	char span[DURATION_MAX];

	fputs("doorbelld ", out);
	show_text(out, json_value_text(v, "version"), 0);
	fprintf(
	    out, ", process %lld, ", (long long)json_value_number(v, "pid"));
	show_text(out, json_value_text(v, "mode"), 0);
	fprintf(out, ", for %s\nconfiguration ",
	    duration(span, json_value_number(v, "uptime_ms")));
	show_text(out, json_value_text(v, "config"), 0);
	fprintf(out, "\nstress        %s\nsessions      %lld of %lld",
	    json_value_is_true(v, "stress") ? "yes" : "no",
	    (long long)json_value_number(v, "sessions"),
	    (long long)json_value_number(v, "session_limit"));
	show_phases(json_value_get(v, "phases"), out);
	fprintf(out,
	    "for smtpd     %lld waiting, %lld sent, %lld relayed\n"
	    "cache         %s, %lld changes to write\n",
	    (long long)json_value_number(handoffs, "waiting"),
	    (long long)json_value_number(handoffs, "in_flight"),
	    (long long)json_value_number(v, "relayed"),
	    json_value_is_true(cache, "usable") ? "in use" : "none",
	    (long long)json_value_number(cache, "waiting"));
	fputs("counted since the counters began\n", out);
	show_members(json_value_get(v, "counters"), "  ", out);
}

/* --- sessions -------------------------------------------------------------- */

static void
show_session(const struct json_value *s, FILE *out)
{
	const struct json_value *failed = json_value_get(s, "failed");
	char span[DURATION_MAX], port[32];
	const char *front = "";

	(void)snprintf(port, sizeof(port), "%lld",
	    (long long)json_value_number(s, "port"));
	show_text(out, json_value_text(s, "session"), 11);
	fputc(' ', out);
	show_text(out, json_value_text(s, "address"), 39);
	fprintf(out, " %5s ", port);
	show_text(out, json_value_text(s, "phase"), 8);
	fprintf(out, " %8s ", duration(span, json_value_number(s, "age_ms")));
	show_text(out, json_value_text(s, "standing"), 8);
	fputc(' ', out);
	for (failed = failed != NULL ? failed->first : NULL; failed != NULL;
	     failed = failed->next) {
		fputs(front, out);
		show_text(out, failed->text, 0);
		front = ",";
	}
	fputs(front[0] == '\0' ? "-\n" : "\n", out);
}

static void
show_sessions(const struct json_value *v, FILE *out)
{
	const struct json_value *s = json_value_get(v, "sessions");
	long long shown = (long long)json_value_count(s);
	long long matching = (long long)json_value_number(v, "matching");

	fprintf(out, "%-11s %-39s %5s %-8s %8s %-8s %s\n", "SESSION", "ADDRESS",
	    "PORT", "PHASE", "AGE", "STANDING", "FAILED");
	for (s = s != NULL ? s->first : NULL; s != NULL; s = s->next)
		show_session(s, out);
	if (shown < matching)
		fprintf(out, "... and %lld more: --limit says how many\n",
		    matching - shown);
}

/* --- rules ----------------------------------------------------------------- */

static void
put_time(FILE *out, int64_t seconds)
{
	char text[32];
	time_t t = (time_t)seconds;
	struct tm tm;

	if (localtime_r(&t, &tm) == NULL ||
	    strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S", &tm) == 0)
		(void)snprintf(text, sizeof(text), "%lld", (long long)seconds);
	fputs(text, out);
}

static void
put_user(FILE *out, int64_t uid)
{
	const struct passwd *pw = getpwuid((uid_t)uid);

	if (pw != NULL)
		show_text(out, pw->pw_name, 0);
	else
		fprintf(out, "uid %lld", (long long)uid);
}

static void
show_rule(const struct json_value *rule, FILE *out)
{
	const struct json_value *until = json_value_get(rule, "until");

	show_text(out, json_value_text(rule, "what"), 5);
	fputc(' ', out);
	show_text(out, json_value_text(rule, "block"), 18);
	fputs(" until ", out);
	if (until == NULL || until->kind != JSON_NUMBER)
		fprintf(out, "%-19s", "it is forgotten");
	else
		put_time(out, until->number);
	fputs("  by ", out);
	put_user(out, json_value_number(rule, "uid"));
	fputs(" on ", out);
	put_time(out, json_value_number(rule, "since"));
	if (json_value_text(rule, "note")[0] != '\0')
		fputs(": ", out);
	show_text(out, json_value_text(rule, "note"), 0);
	fputc('\n', out);
}

static void
show_new_rule(const struct json_value *v, FILE *out)
{
	show_rule(json_value_get(v, "rule"), out);
	if (!json_value_is_true(v, "kept"))
		fputs("it cannot be kept: it ends with this doorbelld\n", out);
}

static void
show_rules(const struct json_value *v, FILE *out)
{
	const struct json_value *rule = json_value_get(v, "rules");
	long long more = (long long)json_value_number(v, "total") -
			 (long long)json_value_count(rule);

	if (more == 0 && json_value_count(rule) == 0)
		fputs("nothing is allowed or denied by hand\n", out);
	for (rule = rule != NULL ? rule->first : NULL; rule != NULL;
	     rule = rule->next)
		show_rule(rule, out);
	if (more > 0)
		fprintf(
		    out, "... and %lld more: --limit says how many\n", more);
}

static void
show_forget(const struct json_value *v, FILE *out)
{
	const struct json_value *cache = json_value_get(v, "cache");

	show_text(out, json_value_text(v, "block"), 0);
	fputs(json_value_is_true(v, "rule") ? ": the rule is gone\n"
					    : ": there was no rule\n",
	    out);
	if (json_value_is_true(v, "cache"))
		fputs("what the cache knew is forgotten\n", out);
	else if (cache != NULL && cache->kind == JSON_NULL)
		fputs("its clients stay in the cache as they are\n", out);
	else
		fputs("the cache knew nothing\n", out);
}

/* --- DNS lists and explanations --------------------------------------------- */

static void
show_list(const struct json_value *l, FILE *out)
{
	static const char *const numbers[] = {"queries", "listed", "only",
	    "error_codes", "failures", "timeouts", "p50_ms", "p99_ms"};

	show_text(out, json_value_text(l, "list"), 30);
	fputc(' ', out);
	show_text(out, json_value_text(l, "state"), 8);
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		fprintf(
		    out, " %8lld", (long long)json_value_number(l, numbers[i]));
	fputc('\n', out);
}

static void
show_lists(const struct json_value *v, FILE *out)
{
	const struct json_value *l = json_value_get(v, "lists");

	if (json_value_count(l) == 0) {
		fputs("no DNS lists are asked\n", out);
		return;
	}
	fprintf(out, "%-30s %-8s %8s %8s %8s %8s %8s %8s %8s %8s\n", "LIST",
	    "STATE", "QUERIES", "LISTED", "ONLY", "CODES", "FAILED", "TIMEOUT",
	    "P50 MS", "P99 MS");
	for (l = l->first; l != NULL; l = l->next)
		show_list(l, out);
}

static void
show_explanation(const struct json_value *v, FILE *out)
{
	const struct json_value *line = json_value_get(v, "story");

	show_text(out, json_value_text(v, "address"), 0);
	fputs("\n", out);
	for (line = line != NULL ? line->first : NULL; line != NULL;
	     line = line->next) {
		fputs("  ", out);
		show_text(out, line->text, 0);
		fputc('\n', out);
	}
}

/* --- short ones ------------------------------------------------------------ */

static void
show_version(const struct json_value *v, FILE *out)
{
	fputs("doorbelld ", out);
	show_text(out, json_value_text(v, "version"), 0);
	fputc('\n', out);
}

static void
show_reload(const struct json_value *v, FILE *out)
{
	(void)v;
	fputs("the configuration is read again, under master(8) by the next"
	      " process; the log says how it went\n",
	    out);
}

static void
show_drain(const struct json_value *v, FILE *out)
{
	fprintf(out, "nobody is accepted any more; %lld sessions go on\n",
	    (long long)json_value_number(v, "sessions"));
}

static void
show_log_level(const struct json_value *v, FILE *out)
{
	fprintf(out, "log level %lld\n",
	    (long long)json_value_number(v, "log_level"));
}

typedef void show_fn(const struct json_value *answer, FILE *out);

static show_fn *const views[ORDER_COUNT] = {
    [ORDER_STATUS] = show_status,
    [ORDER_SESSIONS] = show_sessions,
    [ORDER_EXPLAIN] = show_explanation,
    [ORDER_DNSBL] = show_lists,
    [ORDER_ALLOW] = show_new_rule,
    [ORDER_DENY] = show_new_rule,
    [ORDER_FORGET] = show_forget,
    [ORDER_RULES] = show_rules,
    [ORDER_OFFENDERS] = show_offenders,
    [ORDER_RELOAD] = show_reload,
    [ORDER_DRAIN] = show_drain,
    [ORDER_LOG_LEVEL] = show_log_level,
    [ORDER_VERSION] = show_version,
};

void
show_answer(enum order_id order, const struct json_value *answer, FILE *out)
{
	if (views[order] != NULL)
		views[order](answer, out);
	else
		show_members(answer, "", out);
}
