/* SPDX-License-Identifier: ISC */
#include "ops/page.h"

#include <stdio.h>

#include "ops/chart.h"
#include "ops/page_look.h"
#include "ops/page_trend.h"
#include "ops/period.h"
#include "ops/report.h"
#include "screen/offenders.h"
#include "screen/session.h"

/* The script replaces <header> and <main> by those of a newer page, so what is
 * outside of them never changes. Names of hosts and lists come from elsewhere
 * and go through chart_text(), everything else is numbers and our own words. */

enum { WORST_SHOWN = 12, HOUR_SLOTS = 3600 / TREND_SLOT_S, METER = 1000 };

static void
say(struct buf *out, const char *text)
{
	(void)buf_add_str(out, text);
}

static void
say_parts(struct buf *out, const char *const *part)
{
	for (; *part != NULL; part++)
		say(out, *part);
}

/* "3 days", "5 h 07 min" */
static char *
duration(int64_t ms, char out[REPORT_SPAN_MAX])
{
	long long minutes = (long long)ms / 60000;

	if (minutes >= 2LL * 24 * 60)
		(void)snprintf(
		    out, REPORT_SPAN_MAX, "%lld days", minutes / (24 * 60));
	else if (minutes >= 60)
		(void)snprintf(out, REPORT_SPAN_MAX, "%lld h %02lld min",
		    minutes / 60, minutes % 60);
	else
		(void)snprintf(out, REPORT_SPAN_MAX, "%lld min", minutes);
	return out;
}

/* "20 ms", "6 s" */
static char *
short_wait(int64_t ms, char out[REPORT_SPAN_MAX])
{
	if (ms >= 1000)
		return report_span(ms, out);
	(void)snprintf(out, REPORT_SPAN_MAX, "%lld ms", (long long)ms);
	return out;
}

/* --- the state --------------------------------------------------------------- */
static void
say_host(const struct page_facts *f, struct buf *out)
{
	const struct policy *policy = f->control->screen->policy;

	chart_text(
	    out, config_under(policy->config, false)->postfix.myhostname);
}

static void
put_header(const struct page_facts *f, struct buf *out)
{
	char since[REPORT_SPAN_MAX], clock[PERIOD_TEXT_MAX];
	char zone[PERIOD_TEXT_MAX];

	say(out, "<header><h1>");
	say_host(f, out);
	say(out, " <span>doorbell</span></h1>");
	if (f->trouble.n == 0)
		say(out, "<p class=\"pill\">All is well</p>");
	else
		say(out, "<p class=\"pill bad\">In trouble</p>");
	if (f->control->screen->stress)
		say(out, "<p class=\"pill bad\">Under stress</p>");
	(void)buf_printf(out,
	    "<p class=\"since\">Version %s, for %s. As of %s ",
	    DOORBELL_VERSION,
	    duration(mono_between(f->control->host->since_mono,
			 loop_now(f->control->loop)),
		since),
	    period_time(f->now, clock));
	chart_text(out, period_zone(f->now, zone));
	say(out, ".</p></header>\n");
}

static void
put_trouble(const struct page_facts *f, struct buf *out)
{
	struct span rest = f->trouble, line;
	char text[200];

	if (f->trouble.n == 0)
		return;
	say(out, "<ul class=\"alarm\">");
	while (text_token(&rest, "\n", &line)) {
		(void)snprintf(text, sizeof(text), "%.*s", (int)line.n, line.p);
		say(out, "<li>");
		chart_text(out, text);
		say(out, "</li>");
	}
	say(out, "</ul>\n");
}

/* --- numbers ----------------------------------------------------------------- */
static void
begin_card(struct buf *out, const char *name, const char *number)
{
	(void)buf_printf(out, "<div><dt>%s</dt><dd class=\"big\">", name);
	chart_text(out, number);
	say(out, "</dd><dd class=\"more\">");
}

static void
end_card(struct buf *out)
{
	say(out, "</dd></div>\n");
}

static void
put_sessions(const struct screen *screen, struct buf *out)
{
	size_t n = screen_session_count(screen);
	size_t limit = screen->policy->session_limit;
	char text[REPORT_NUMBER_MAX];

	begin_card(out, "Sessions now", report_number(n, text));
	(void)buf_printf(out,
	    "<svg class=\"meter\" viewBox=\"0 0 %d 10\""
	    " preserveAspectRatio=\"none\" aria-hidden=\"true\">"
	    "<rect class=\"rail\" width=\"%d\" height=\"10\"/>"
	    "<rect class=\"c7\" width=\"%zu\" height=\"10\"/></svg>of %s",
	    METER, METER,
	    limit > 0 && n < limit ? n * METER / limit : (size_t)METER,
	    report_number(limit, text));
	end_card(out);
}

static void
put_phases(const struct screen *screen, struct buf *out)
{
	size_t count[PHASE_COUNT] = {0};
	const struct session *s;
	char text[REPORT_NUMBER_MAX];

	TAILQ_FOREACH (s, &screen->sessions, others)
		count[s->phase]++;
	begin_card(out, "Being tested",
	    report_number(
		count[PHASE_PROXY] + count[PHASE_ADMIT] + count[PHASE_GREET],
		text));
	(void)buf_printf(
	    out, "%zu in a dialogue with us", count[PHASE_DIALOGUE]);
	end_card(out);
	begin_card(out, "With or on the way to smtpd",
	    report_number(count[PHASE_HANDOFF] + count[PHASE_RELAY] +
			      screen->handoffs.in_flight,
		text));
	(void)buf_printf(out, "%zu are relayed", count[PHASE_RELAY]);
	end_card(out);
}

static void
put_hour(const struct page_facts *f, struct buf *out)
{
	uint64_t all, nuisance;
	char text[REPORT_NUMBER_MAX];

	page_trend_sum(f->trend, f->now, HOUR_SLOTS, &all, &nuisance);
	begin_card(out, "Came in the last hour", report_number(all, text));
	if (all > 0)
		(void)buf_printf(out, "%s brought no mail",
		    report_percent(nuisance, all, text));
	end_card(out);
}

/* The last bucket has no end, only a beginning. */
static int64_t
bounded(int64_t ms)
{
	return ms != INT64_MAX ? ms : histogram_bound(HISTOGRAM_BUCKETS - 2);
}

static void
put_half(struct buf *out, const char *name, int64_t ms)
{
	char wait[REPORT_SPAN_MAX], text[REPORT_SPAN_MAX + 8];

	(void)snprintf(text, sizeof(text), "%s%s",
	    ms == INT64_MAX ? "over " : "", short_wait(bounded(ms), wait));
	begin_card(out, name, text);
}

static void
put_wait(struct buf *out, const char *name, const struct histogram *h)
{
	char text[REPORT_SPAN_MAX];

	if (histogram_count(h) == 0) {
		begin_card(out, name, "-");
		say(out, "nobody yet");
	} else {
		put_half(out, name, histogram_percentile(h, 50));
		(void)buf_printf(out, "one in ten more than %s",
		    short_wait(bounded(histogram_percentile(h, 90)), text));
	}
	end_card(out);
}

static void
put_cards(const struct page_facts *f, struct buf *out)
{
	const struct screen *screen = f->control->screen;
	const struct counters *c = screen->counters;

	say(out, "<dl class=\"cards\">\n");
	put_sessions(screen, out);
	put_phases(screen, out);
	put_hour(f, out);
	put_wait(out, "Half of the strangers wait",
	    &c->wait[HISTOGRAM_STRANGER_WAIT]);
	put_wait(
	    out, "smtpd answers half within", &c->wait[HISTOGRAM_HANDOFF_WAIT]);
	say(out, "</dl>\n");
}

/* --- tables ------------------------------------------------------------------ */
/* It may be wider than a telephone, so who has no mouse can scroll it, too. */
static void
begin_table(struct buf *out, const char *id, const char *title, const char *how,
    const char *const *column, size_t columns)
{
	(void)buf_printf(out,
	    "<section><h2 id=\"%s\">%s</h2><p>%s</p><div class=\"scroll\""
	    " id=\"%s-table\" tabindex=\"0\" role=\"region\""
	    " aria-labelledby=\"%s\"><table><thead><tr>",
	    id, title, how, id, id);
	for (size_t i = 0; i < columns; i++)
		(void)buf_printf(out, "<th scope=\"col\">%s</th>", column[i]);
	say(out, "</tr></thead><tbody>\n");
}

static void
end_table(struct buf *out)
{
	say(out, "</tbody></table></div></section>\n");
}

static void
put_cell(struct buf *out, uint64_t n)
{
	char text[REPORT_NUMBER_MAX];

	(void)buf_printf(out, "<td%s>%s</td>", n == 0 ? " class=\"zero\"" : "",
	    report_number(n, text));
}

static void
begin_row(struct buf *out, const char *name)
{
	say(out, "<tr><th scope=\"row\">");
	chart_text(out, name);
	say(out, "</th>");
}

/* What nobody has measured is no 0. */
static void
put_latency(struct buf *out, int64_t ms)
{
	char text[REPORT_SPAN_MAX];

	(void)buf_printf(
	    out, "<td>%s</td>", ms > 0 ? short_wait(ms, text) : "-");
}

static void
put_list(
    const struct policy *policy, const struct dnsbl_health *h, struct buf *out)
{
	begin_row(out, policy_zone_name(policy, h->zone));
	(void)buf_printf(out, "<td class=\"%s\">%s</td>",
	    h->state == DNSBL_USED ? "good" : "bad", dnsbl_health_word(h));
	put_cell(out, h->queries);
	put_cell(out, h->listed);
	put_cell(out, h->only);
	put_cell(out, h->timeouts + h->failures);
	for (unsigned percent = 50; percent <= 99; percent += 49)
		put_latency(out, dnsbl_health_latency(h, percent));
	say(out, "</tr>\n");
}

static void
put_lists(const struct policy *policy, struct buf *out)
{
	static const char *const columns[] = {"List", "State", "Asked",
	    "Listed", "Only it", "No answer", "Half within", "99 % within"};
	size_t n = policy->dnsbl != NULL ? dnsbl_zone_count(policy->dnsbl) : 0;

	if (n == 0)
		return;
	begin_table(out, "lists", "DNS lists",
	    "Since this process began. <i>Only it</i>: clients that no other"
	    " list knew.",
	    columns, sizeof(columns) / sizeof(*columns));
	for (size_t i = 0; i < n; i++)
		put_list(policy, dnsbl_zone_health(policy->dnsbl, i), out);
	end_table(out);
}

static void
put_worst(const struct screen *screen, struct buf *out)
{
	static const char *const columns[] = {"Client", "Talked early",
	    "Listed", "Protocol", "Denied", "Flood", "Hung up"};
	struct offender worst[WORST_SHOWN];
	size_t n = offenders_worst(
	    screen->offenders, worst, WORST_SHOWN, loop_now(screen->loop));
	char text[RECORD_KEY_TEXT_MAX];

	begin_table(out, "worst", "Who misbehaves most",
	    "Clients or their networks; what is an hour old counts half.",
	    columns, sizeof(columns) / sizeof(*columns));
	for (size_t i = 0; i < n; i++) {
		begin_row(out, record_key_format(&worst[i].key, text));
		for (int k = 0; k < OFFENCE_COUNT; k++)
			put_cell(out, worst[i].count[k]);
		say(out, "</tr>\n");
	}
	if (n == 0)
		(void)buf_printf(out,
		    "<tr><td colspan=\"%d\">Nobody, of late.</td></tr>\n",
		    OFFENCE_COUNT + 1);
	end_table(out);
}

/* --- all of it --------------------------------------------------------------- */
static void
put_head(const struct page_facts *f, struct buf *out)
{
	say(out, "<!DOCTYPE html>\n<html lang=\"en\"><head>"
		 "<meta charset=\"utf-8\"><meta name=\"viewport\""
		 " content=\"width=device-width,initial-scale=1\">"
		 "<link rel=\"icon\" href=\"data:,\"><title>");
	say_host(f, out);
	say(out, " - doorbell</title><style>");
	say_parts(out, page_look_style);
	say(out, "</style></head><body>\n");
}

static void
put_foot(struct buf *out)
{
	say(out, "<footer><p>For programs: <a href=\"metrics\">metrics</a>,"
		 " <a href=\"healthz\">health</a>,"
		 " <a href=\"api/status.json\">state</a>."
		 "<noscript> Without scripts this page stays as it is:"
		 " reload it for newer numbers.</noscript></p></footer>\n"
		 "<script>");
	say_parts(out, page_look_script);
	say(out, "</script></body></html>\n");
}

int
page_write(const struct page_facts *f, struct buf *out)
{
	const struct screen *screen = f->control->screen;

	put_head(f, out);
	put_header(f, out);
	say(out, "<p class=\"alarm\" id=\"lost\" role=\"alert\" hidden>"
		 "doorbelld does not answer: what you see is old.</p>\n<main>");
	put_trouble(f, out);
	put_cards(f, out);
	page_trend_write(f->trend, f->now, screen->policy->session_limit, out);
	put_lists(screen->policy, out);
	put_worst(screen, out);
	say(out, "</main>\n");
	put_foot(out);
	return buf_is_whole(out) ? 0 : -1;
}
