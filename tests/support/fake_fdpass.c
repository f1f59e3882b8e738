/* SPDX-License-Identifier: ISC */
#include "support/fake_fdpass.h"

#include <errno.h>

#include "base/must.h"

struct fake_fault fake_fdpass_fault;
enum fdpass_result fake_fdpass_fault_result = FDPASS_NOT_SENT;

enum { WAITING_MAX = 4096 };

static struct fdpass *waiting[WAITING_MAX];
static size_t waiting_count, quiet_count, total;
static enum fdpass_result next_result;
static int next_error;

void
fake_fdpass_set(enum fdpass_result result, int error)
{
	next_result = result;
	next_error = error;
}

static void
forget(size_t i)
{
	if (i < quiet_count)
		quiet_count--;
	for (waiting_count--; i < waiting_count; i++)
		waiting[i] = waiting[i + 1];
}

static bool
answer_oldest(bool taken)
{
	struct fdpass *pass = waiting[0];
	fdpass_fn *fn;

	if (waiting_count == 0)
		return false;
	fn = pass->fn;
	pass->fn = NULL;
	forget(0);
	fn(pass, taken);
	return true;
}

bool
fake_fdpass_take(void)
{
	return answer_oldest(true);
}

bool
fake_fdpass_take_quietly(void)
{
	if (quiet_count == waiting_count)
		return false;
	quiet_count++;
	return true;
}

bool
fake_fdpass_lose(void)
{
	return answer_oldest(false);
}

size_t
fake_fdpass_waiting(void)
{
	return waiting_count;
}

size_t
fake_fdpass_total(void)
{
	return total;
}

void
fake_fdpass_reset(void)
{
	waiting_count = quiet_count = total = 0;
	next_result = FDPASS_SENT;
	next_error = 0;
}

size_t
fdpass_encode(char out[FDPASS_MESSAGE_MAX], const struct endpoint *client,
    const struct endpoint *server)
{
	out[0] = '\0';
	return client->addr.family != ADDR_NONE &&
	       server->addr.family != ADDR_NONE;
}

enum fdpass_result
fdpass_send(struct fdpass *pass, struct fdpass_collector *collector,
    const char *path, int client_fd, const struct endpoint *client,
    const struct endpoint *server, fdpass_fn *fn)
{
	(void)collector;
	(void)path;
	(void)client_fd;
	(void)client;
	(void)server;
	if (fake_fault_strikes(&fake_fdpass_fault)) {
		errno = EIO;
		return fake_fdpass_fault_result;
	}
	if (next_result != FDPASS_SENT) {
		errno = next_error;
		return next_result;
	}
	must(waiting_count < WAITING_MAX);
	pass->fn = fn;
	waiting[waiting_count++] = pass;
	total++;
	return FDPASS_SENT;
}

void
fdpass_cancel(struct fdpass *pass)
{
	for (size_t i = 0; i < waiting_count; i++) {
		if (waiting[i] == pass) {
			forget(i);
			break;
		}
	}
	pass->fn = NULL;
}

void
fdpass_collector_init(struct fdpass_collector *c, struct loop *loop)
{
	c->loop = loop;
}

void
fdpass_collector_stop(struct fdpass_collector *c)
{
	(void)c;
}

void
fdpass_collect(struct fdpass_collector *c)
{
	(void)c;
	while (quiet_count > 0)
		(void)answer_oldest(true);
}
