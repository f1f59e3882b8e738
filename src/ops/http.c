/* SPDX-License-Identifier: ISC */
#include "ops/http.h"

#include <string.h>

#include "base/num.h"
#include "net/local.h"
#include "ops/answers.h"
#include "ops/metrics.h"
#include "ops/page.h"
#include "ops/page_look.h"
#include "screen/offenders.h"
#include "screen/session.h"

/* Nothing here changes anything, and nobody has to say who he is: so the server
 * listens on this machine only, and answers to no name that somebody else could
 * have pointed at it (DNS rebinding). */

enum { WORST_SHOWN = 20 };

/* --- where ----------------------------------------------------------------- */
/* "127.0.0.1:9125", "[::1]:9125" */
static int
parse_inet(struct span word, struct endpoint *where)
{
	struct span host = word;
	size_t colon;
	int64_t port;

	for (colon = word.n; colon > 0 && word.p[colon - 1] != ':'; colon--)
		;
	if (colon < 2 || num_parse(span_of(word.p + colon, word.n - colon), 1,
			     65535, &port) < 0)
		return -1;
	host.n = colon - 1;
	if (host.n > 2 && host.p[0] == '[' && host.p[host.n - 1] == ']')
		host = span_of(host.p + 1, host.n - 2);
	if (addr_parse(host, &where->addr) < 0)
		return -1;
	where->port = (uint16_t)port;
	return 0;
}

int
http_parse_place(
    const char *text, struct httpd_place *place, struct errtext *why)
{
	struct span word = span_str(text);

	*place = (struct httpd_place){0};
	if (span_has_prefix(word, "unix:")) {
		place->path = text + strlen("unix:");
		if (place->path[0] == '/' &&
		    strlen(place->path) < LOCAL_PATH_MAX)
			return 0;
		errtext_set(why,
		    "doorbell_http_listen = %s: not an absolute path of less"
		    " than %d bytes",
		    text, LOCAL_PATH_MAX);
		return -1;
	}
	if (!span_has_prefix(word, "inet:") ||
	    parse_inet(span_of(word.p + 5, word.n - 5), &place->where) < 0) {
		errtext_set(why,
		    "doorbell_http_listen = %s: not inet:address:port or"
		    " unix:/path",
		    text);
		return -1;
	}
	if (addr_is_loopback(&place->where.addr))
		return 0;
	errtext_set(why,
	    "doorbell_http_listen = %s: not a loopback address; whoever is to"
	    " see the page from elsewhere needs a web server in front of it",
	    text);
	return -1;
}

/* "localhost:9125" and numbers; a name may be anybody's. */
bool
http_host_is_ours(const char *host)
{
	struct endpoint ignored;
	struct addr address;
	struct span s = span_str(host), name = s;

	if (s.n == 0 || parse_inet(s, &ignored) == 0 ||
	    addr_parse(s, &address) == 0)
		return true;
	if (s.n > 2 && s.p[0] == '[' && s.p[s.n - 1] == ']')
		return addr_parse(span_of(s.p + 1, s.n - 2), &address) == 0;
	return text_token(&s, ":", &name) && span_is_nocase(name, "localhost");
}

/* --- health ---------------------------------------------------------------- */
static bool
lists_are_gone(const struct policy *p)
{
	size_t n = p->dnsbl != NULL ? dnsbl_zone_count(p->dnsbl) : 0;

	for (size_t i = 0; i < n; i++)
		if (dnsbl_zone_health(p->dnsbl, i)->state == DNSBL_USED)
			return false;
	return n > 0;
}

/* Whether clients are served as they should be; appends what is wrong, a
 * sentence a line. */
static bool
is_healthy(const struct http *h, struct buf *why)
{
	const struct screen *screen = h->control->screen;
	int64_t gone_ms = handoff_server_gone_ms(screen, HTTP_SERVER_GONE_MS);
	bool no_lists = lists_are_gone(screen->policy);

	if (*h->draining)
		(void)buf_add_str(why, "draining: no new clients\n");
	if (gone_ms >= 0)
		(void)buf_printf(why,
		    "smtpd cannot be reached, for %lld s now\n",
		    (long long)(gone_ms / 1000));
	if (no_lists)
		(void)buf_add_str(why, "no DNS list answers\n");
	return !*h->draining && gone_ms < 0 && !no_lists;
}

/* --- pages ----------------------------------------------------------------- */
typedef void page_fn(const struct http *h, const struct httpd_request *request,
    struct httpd_reply *reply);

static void
fail(struct httpd_reply *reply, int status, const char *text)
{
	buf_reset(&reply->body);
	reply->status = status;
	reply->type = "text/plain; charset=utf-8";
	(void)buf_add_str(&reply->body, text);
}

static void
answer_metrics(const struct http *h, const struct httpd_request *request,
    struct httpd_reply *reply)
{
	enum metrics_dialect dialect = metrics_dialect_for(request->accept);

	reply->type = metrics_type(dialect);
	if (metrics_write(h->control, dialect, &reply->body) < 0)
		fail(reply, 500, "no memory\n");
}

static void
answer_health(const struct http *h, const struct httpd_request *request,
    struct httpd_reply *reply)
{
	(void)request;
	if (is_healthy(h, &reply->body))
		(void)buf_add_str(&reply->body, "ok\n");
	else
		reply->status = 503;
}

static void
write_worst(const struct screen *screen, struct json *j)
{
	struct offender worst[WORST_SHOWN];
	size_t n = offenders_worst(
	    screen->offenders, worst, WORST_SHOWN, loop_now(screen->loop));
	char text[RECORD_KEY_TEXT_MAX];

	json_array(j, "offenders");
	for (size_t i = 0; i < n; i++) {
		json_object(j, NULL);
		json_text(j, "client", record_key_format(&worst[i].key, text));
		json_number(j, "weight", (int64_t)(worst[i].weight + 0.5));
		for (int k = 0; k < OFFENCE_COUNT; k++)
			json_number(j, offenders_word((enum offence)k),
			    worst[i].count[k]);
		json_end(j);
	}
	json_end(j);
}

static void
answer_status(const struct http *h, const struct httpd_request *request,
    struct httpd_reply *reply)
{
	char text[256];
	struct buf why;
	struct json j;

	(void)request;
	buf_borrow(&why, text, sizeof(text));
	reply->type = "application/json";
	json_init(&j, &reply->body);
	json_object(&j, NULL);
	json_bool(&j, "healthy", is_healthy(h, &why));
	json_span(&j, "trouble", buf_span(&why));
	answers_write_status(h->control, &j);
	answers_write_lists(h->control->screen->policy, &j);
	write_worst(h->control->screen, &j);
	if (json_finish(&j) < 0)
		fail(reply, 500, "no memory\n");
}

static void
answer_page(const struct http *h, const struct httpd_request *request,
    struct httpd_reply *reply)
{
	struct page_facts facts = {
	    .control = h->control, .trend = h->trend, .now = clock_wall()};
	char text[256];
	struct buf why;

	(void)request;
	buf_borrow(&why, text, sizeof(text));
	(void)is_healthy(h, &why);
	facts.trouble = buf_span(&why);
	reply->type = "text/html; charset=utf-8";
	reply->policy = PAGE_LOOK_POLICY;
	if (page_write(&facts, &reply->body) < 0)
		fail(reply, 500, "no memory\n");
}

static const struct {
	const char *path;
	page_fn *fn;
} pages[] = {
    {"/", answer_page},
    {"/metrics", answer_metrics},
    {"/healthz", answer_health},
    {"/api/status.json", answer_status},
};

static void
on_request(
    const struct httpd_request *request, struct httpd_reply *reply, void *arg)
{
	const struct http *h = arg;

	if (!http_host_is_ours(request->host)) {
		fail(reply, 421, "This machine is not known by that name.\n");
		return;
	}
	for (size_t i = 0; i < sizeof(pages) / sizeof(*pages); i++) {
		if (strcmp(pages[i].path, request->path) == 0) {
			pages[i].fn(h, request, reply);
			return;
		}
	}
	fail(reply, 404, "There is no such page.\n");
}

int
http_start(struct http *h, struct httpd **httpd, struct errtext *why)
{
	if (httpd_start(*httpd, on_request, h, why) < 0)
		return -1;
	h->httpd = *httpd;
	*httpd = NULL;
	return 0;
}

void
http_stop(struct http *h)
{
	httpd_close(&h->httpd);
}
