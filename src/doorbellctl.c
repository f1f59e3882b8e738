/* SPDX-License-Identifier: ISC */
/* doorbellctl - look after a doorbelld. */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/addr.h"
#include "base/text.h"
#include "ops/ask.h"
#include "ops/cache_tool.h"
#include "ops/explain_offline.h"
#include "ops/postfix_edit.h"
#include "ops/report_tool.h"
#include "ops/request.h"
#include "ops/show.h"
#include "ops/site.h"
#include "ops/top.h"

#define ALWAYS (REQUEST_HAS(CONFIG) | REQUEST_HAS(HELP) | REQUEST_HAS(VERSION))

static int
complain(const struct errtext *why, int status)
{
	fflush(stdout);
	fprintf(stderr, "doorbellctl: %s\n", why->text);
	return status;
}

/* --- what is done here ------------------------------------------------------ */

static bool
wants_json(const struct request *r)
{
	const char *format = r->with[SWITCH_FORMAT];

	return r->with[SWITCH_JSON] != NULL ||
	       (format != NULL && strcmp(format, "json") == 0);
}

static int
run_import(const struct request *r)
{
	return cache_import(
	    r->with[SWITCH_CONFIG], r->argument[0], wants_json(r));
}

static int
run_export(const struct request *r)
{
	return cache_export(r->with[SWITCH_CONFIG], wants_json(r));
}

static int
run_list(const struct request *r)
{
	return cache_list(r->with[SWITCH_CONFIG], wants_json(r));
}

static int
run_get(const struct request *r)
{
	return cache_get(r->with[SWITCH_CONFIG], r->argument[0], wants_json(r));
}

static struct postfix_request
to_postfix(const struct request *r)
{
	return (struct postfix_request){.config = r->with[SWITCH_CONFIG],
	    .service = r->argument[0],
	    .dry_run = r->with[SWITCH_DRY_RUN] != NULL,
	    .json = wants_json(r)};
}

static int
run_enable(const struct request *r)
{
	const struct postfix_request request = to_postfix(r);

	return postfix_enable(&request);
}

static int
run_disable(const struct request *r)
{
	const struct postfix_request request = to_postfix(r);

	return postfix_disable(&request);
}

static int
run_status(const struct request *r)
{
	const struct postfix_request request = to_postfix(r);

	return postfix_status(&request);
}

static int
run_completion(const struct request *r)
{
	const char *const *words = r->argument;
	size_t n = r->arguments;
	struct buf out;

	while (n >= 2 && (strcmp(words[0], "-c") == 0 ||
			     strcmp(words[0], "--config") == 0)) {
		words += 2;
		n -= 2;
	}
	buf_init(&out, 65536);
	request_complete(words, n, &out);
	(void)fwrite(out.p, 1, out.n, stdout);
	buf_clear(&out);
	return fflush(stdout) == 0 ? CONTROL_DONE : CONTROL_FAILED;
}

typedef int run_fn(const struct request *r);
static run_fn run_delete;

static run_fn *const here[ORDER_COUNT] = {
    [ORDER_COMPLETION] = run_completion,
    [ORDER_CACHE_LIST] = run_list,
    [ORDER_CACHE_GET] = run_get,
    [ORDER_CACHE_DELETE] = run_delete,
    [ORDER_CACHE_EXPORT] = run_export,
    [ORDER_CACHE_IMPORT] = run_import,
    [ORDER_POSTFIX_ENABLE] = run_enable,
    [ORDER_POSTFIX_DISABLE] = run_disable,
    [ORDER_POSTFIX_STATUS] = run_status,
    [ORDER_REPORT] = report_tool,
};

/* --- what doorbelld is asked ------------------------------------------------ */

static int
print_answer(const struct request *r, const struct buf *body)
{
	struct json_tree *tree;
	struct errtext why;

	if (wants_json(r)) {
		(void)fwrite(body->p, 1, body->n, stdout);
	} else if ((tree = json_tree_new(buf_span(body), &why)) == NULL) {
		errtext_prefix(&why, "the answer of doorbelld");
		return complain(&why, CONTROL_FAILED);
	} else {
		show_answer(r->order, json_tree_root(tree), stdout);
		json_tree_free(&tree);
	}
	return fflush(stdout) == 0 ? CONTROL_DONE : CONTROL_FAILED;
}

static int
ask_with(const struct request *r, const struct site *site, struct buf *body)
{
	const char *path = site->cfg->control_socket;
	enum control_status status;
	struct errtext why;

	if (path[0] == '\0') {
		errtext_set(&why, "doorbell_control_socket is empty:"
				  " doorbelld cannot be asked");
		return complain(&why, CONTROL_NOBODY);
	}
	if (r->order == ORDER_TOP && r->with[SWITCH_JSON] == NULL)
		return top_run(path, r);
	if ((status = ask_daemon(path, r, body, &why)) == CONTROL_DONE)
		return print_answer(r, body);
	(void)complain(&why, (int)status);
	if (status == CONTROL_NOBODY && site->is_service)
		fprintf(stderr, "doorbellctl: under master(8) the next client"
				" starts it\n");
	return (int)status;
}

static int
ask(const struct request *r)
{
	struct site site;
	struct errtext why;
	struct buf body;
	int status;

	buf_init(&body, LOCAL_OUTPUT_MAX + CONTROL_HEADER_MAX);
	if (site_open(&site, r->with[SWITCH_CONFIG], &why) < 0)
		status = complain(&why, CONTROL_FAILED);
	else
		status = ask_with(r, &site, &body);
	site_close(&site);
	buf_clear(&body);
	return status;
}

/* The daemon of this configuration may have changes of its own to the record on
 * the way; where there is none, the file is ours to change. */
static int
run_delete(const struct request *r)
{
	enum control_status status = CONTROL_NOBODY;
	struct errtext why;
	struct site site;
	struct buf body;
	int end = CONTROL_DONE;

	buf_init(&body, LOCAL_OUTPUT_MAX + CONTROL_HEADER_MAX);
	if (site_open(&site, r->with[SWITCH_CONFIG], &why) < 0)
		status = CONTROL_FAILED;
	else if (site.cfg->control_socket[0] != '\0')
		status = ask_daemon(site.cfg->control_socket, r, &body, &why);
	site_close(&site);
	if (status == CONTROL_NOBODY || status == CONTROL_FORBIDDEN)
		end = cache_delete(
		    r->with[SWITCH_CONFIG], r->argument[0], wants_json(r));
	else if (status != CONTROL_DONE)
		end = complain(&why, (int)status);
	else if (wants_json(r))
		end = print_answer(r, &body);
	buf_clear(&body);
	return end;
}

static int
explain_without(const struct request *r)
{
	struct errtext why;
	struct buf body;
	int status;

	buf_init(&body, LOCAL_OUTPUT_MAX);
	if (explain_offline(
		r->with[SWITCH_CONFIG], r->argument[0], &body, &why) == 0)
		status = print_answer(r, &body);
	else
		status = complain(&why, CONTROL_FAILED);
	buf_clear(&body);
	return status;
}

/* --- the command line ------------------------------------------------------- */

static void
print_switches(unsigned switches, FILE *out)
{
	for (size_t i = 0; i < SWITCH_COUNT; i++) {
		const struct order_switch *s = &request_switches[i];

		if ((switches & (1u << i)) == 0)
			continue;
		fprintf(out, s->value != NULL ? " [--%s %s]" : " [--%s%s]",
		    s->name, s->value != NULL ? s->value : "");
	}
}

static int
usage(FILE *out)
{
	fprintf(out, "usage: doorbellctl [-c FILE|DIRECTORY] COMMAND\n");
	for (size_t i = ORDER_NONE + 1; i < ORDER_COUNT; i++) {
		const struct order *o = &request_orders[i];

		fprintf(out, "  %s", o->words);
		print_switches(o->switches, out);
		fprintf(out, "%s%s\n\t%s\n", o->arguments[0] != '\0' ? " " : "",
		    o->arguments, o->help);
	}
	fprintf(out, "       doorbellctl -V\n");
	return CONTROL_BAD;
}

int
main(int argc, char **argv)
{
	struct request r;
	struct errtext why;
	struct addr client;

	if (request_parse(&r, (const char *const *)(argv + 1),
		(size_t)(argc > 0 ? argc - 1 : 0), ALWAYS, &why) < 0) {
		(void)complain(&why, CONTROL_BAD);
		return usage(stderr);
	}
	if (r.with[SWITCH_HELP] != NULL) {
		usage(stdout);
		return 0;
	}
	if (r.with[SWITCH_VERSION] != NULL) {
		printf("doorbellctl %s\n", DOORBELL_VERSION);
		return 0;
	}
	if (r.order == ORDER_NONE)
		return usage(stderr);
	if ((r.order == ORDER_EXPLAIN || r.order == ORDER_CACHE_GET ||
		r.order == ORDER_CACHE_DELETE) &&
	    addr_parse(span_str(r.argument[0]), &client) < 0) {
		errtext_set(&why, "%.100s: not an address", r.argument[0]);
		return complain(&why, CONTROL_BAD);
	}
	if (r.with[SWITCH_OFFLINE] != NULL)
		return explain_without(&r);
	return here[r.order] != NULL ? here[r.order](&r) : ask(&r);
}
