/* SPDX-License-Identifier: ISC */
#include "ops/control.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/num.h"
#include "ops/answers.h"

/* A call lives from its line to its answer, or to the end of its connection. The
 * answer is built whole before it is sent: what it says is of one moment, and
 * its ceiling is that of the socket's output. */

static void
call_free(struct control_call *call)
{
	if (call->next != NULL)
		call->next->prev = call->prev;
	*call->prev = call->next;
	buf_clear(&call->body);
	mem_free(call);
}

/* Header and body in one piece, so that a small answer is sent at once. */
static void
send_answer(struct control_call *call, enum control_status status)
{
	struct buf out;

	buf_init(&out, LOCAL_OUTPUT_MAX);
	if (buf_printf(&out, "%s %d %zu\n", CONTROL_PROTOCOL, (int)status,
		call->body.n) < 0 ||
	    buf_add(&out, call->body.p, call->body.n) < 0)
		buf_reset(&out); /* no answer is one that is understood */
	local_answer(call->client, out.p, out.n);
	buf_clear(&out);
	call_free(call);
}

void
control_finish(struct control_call *call)
{
	if (json_finish(&call->json) == 0)
		send_answer(call, CONTROL_DONE);
	else
		control_fail(call, CONTROL_FAILED, "the answer is too long");
}

void
control_fail(struct control_call *call, enum control_status status,
    const char *format, ...)
{
	char text[ERRTEXT_MAX];
	va_list ap;

	va_start(ap, format);
	(void)vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	buf_reset(&call->body);
	json_init(&call->json, &call->body);
	json_object(&call->json, NULL);
	json_text(&call->json, "error", text);
	if (json_finish(&call->json) < 0)
		buf_reset(&call->body); /* the status has to do */
	send_answer(call, status);
}

void
control_log_act(const struct control_call *call, const char *format, ...)
{
	char text[ERRTEXT_MAX];
	va_list ap;

	va_start(ap, format);
	(void)vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	log_info("control: uid %ld: %s", (long)call->peer.uid, text);
}

static struct control_call *
call_new(struct control *c, struct local_client *client)
{
	struct control_call *call = mem_new(sizeof(*call));

	if (call == NULL)
		return NULL;
	call->control = c;
	call->client = client;
	call->peer = *local_client_peer(client);
	buf_init(&call->body, LOCAL_OUTPUT_MAX - CONTROL_HEADER_MAX);
	json_init(&call->json, &call->body);
	json_object(&call->json, NULL);
	if ((call->next = c->calls) != NULL)
		call->next->prev = &call->next;
	call->prev = &c->calls;
	c->calls = call;
	return call;
}

static void
on_asked(struct local_client *client, struct span line, void *arg)
{
	struct control_call *call = call_new(arg, client);
	struct errtext why;

	if (call == NULL)
		local_answer(client, "", 0);
	else if (request_from_line(&call->request, line, &call->room, &why) < 0)
		control_fail(call, CONTROL_BAD, "%s", why.text);
	else if (answers_handler[call->request.order] == NULL)
		control_fail(call, CONTROL_BAD, "this is not for doorbelld");
	else
		answers_handler[call->request.order](call);
}

static void
on_gone(struct local_client *client, void *arg)
{
	struct control *c = arg;
	struct control_call *call = c->calls;

	while (call != NULL && call->client != client)
		call = call->next;
	if (call == NULL)
		return;
	if (call->abandon != NULL)
		call->abandon(call);
	call_free(call);
}

static const struct local_ops local_ops = {
    .asked = on_asked,
    .gone = on_gone,
};

int
control_start(struct control *c, struct local **local, struct errtext *why)
{
	if (local_start(*local, c->loop, &local_ops, c) < 0) {
		errtext_set(why, "%s", strerror(errno));
		return -1;
	}
	c->local = *local;
	*local = NULL;
	return 0;
}

void
control_stop(struct control *c)
{
	local_close(&c->local);
}

int
control_parse_header(
    struct span line, enum control_status *status_r, size_t *length_r)
{
	struct span status, length;
	int64_t n;

	if (!span_has_prefix(line, CONTROL_PROTOCOL " "))
		return -1;
	line = span_of(line.p + strlen(CONTROL_PROTOCOL " "),
	    line.n - strlen(CONTROL_PROTOCOL " "));
	if (!text_token(&line, " ", &status) ||
	    !text_token(&line, " ", &length) ||
	    num_parse(status, 0, 125, &n) < 0)
		return -1;
	*status_r = (enum control_status)n;
	if (num_parse(length, 0, (int64_t)LOCAL_OUTPUT_MAX, &n) < 0)
		return -1;
	*length_r = (size_t)n;
	return 0;
}
