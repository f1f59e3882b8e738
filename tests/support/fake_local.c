/* SPDX-License-Identifier: ISC */
#include "support/fake_local.h"

#include "base/must.h"

struct local_client {
	struct local_peer peer;
	bool is_waiting;
};

struct local {
	const struct local_ops *ops; /* NULL: was not started */
	void *arg;
};

static struct local socket_here;
static struct local_client client;
static char answer[LOCAL_OUTPUT_MAX];
static size_t answer_n;

struct local *
local_open(const struct local_options *o, struct errtext *why)
{
	(void)o;
	errtext_set(why, "%s", "");
	return &socket_here;
}

int
local_start(
    struct local *l, struct loop *loop, const struct local_ops *ops, void *arg)
{
	(void)loop;
	l->ops = ops;
	l->arg = arg;
	return 0;
}

void
local_close(struct local **l)
{
	if (*l == NULL)
		return;
	fake_local_leave();
	**l = (struct local){0};
	*l = NULL;
}

const struct local_peer *
local_client_peer(const struct local_client *c)
{
	return &c->peer;
}

void
local_answer(struct local_client *c, const char *p, size_t n)
{
	must(c->is_waiting && n <= sizeof(answer));
	c->is_waiting = false;
	/* What an answer points to is the caller's, and goes. */
	for (size_t i = 0; i < n; i++)
		answer[i] = p[i];
	answer_n = n;
}

void
fake_local_leave(void)
{
	if (!client.is_waiting)
		return;
	client.is_waiting = false;
	socket_here.ops->gone(&client, socket_here.arg);
}

void
fake_local_ask(const char *line, uid_t uid)
{
	must(socket_here.ops != NULL);
	fake_local_leave();
	answer_n = 0;
	client = (struct local_client){.peer = {.uid = uid}};
	client.is_waiting = true;
	socket_here.ops->asked(&client, span_str(line), socket_here.arg);
}

bool
fake_local_is_answered(void)
{
	return !client.is_waiting;
}

struct span
fake_local_answer(void)
{
	return span_of(answer, answer_n);
}
