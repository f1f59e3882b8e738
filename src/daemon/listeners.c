/* SPDX-License-Identifier: ISC */
#include "daemon/listeners.h"

#include <errno.h>
#include <string.h>

#include "base/num.h"

static int
check_room(size_t count, struct errtext *why)
{
	if (count < LISTENERS_MAX)
		return 0;
	errtext_set(why, "more than %d listening sockets", LISTENERS_MAX);
	return -1;
}

static int
keep(struct listeners *l, struct listener *one, struct errtext *why)
{
	if (one == NULL)
		return -1;
	if (check_room(l->count, why) < 0) {
		listen_free(&one);
		return -1;
	}
	l->all[l->count++] = one;
	return 0;
}

int
listeners_adopt(struct listeners *l, struct loop *loop, int first, int count,
    struct errtext *why)
{
	for (int fd = first; fd < first + count; fd++) {
		if (keep(l, listen_adopt(loop, fd, why), why) < 0)
			return -1;
	}
	return 0;
}

/* "inet:HOST:PORT", "inet:[HOST]:PORT", or without "inet:". */
static int
parse(struct span word, struct endpoint *where, struct errtext *why)
{
	struct span host = word;
	size_t colon;
	int64_t port;

	if (span_has_prefix(host, "inet:"))
		host = span_of(word.p + 5, word.n - 5);
	for (colon = host.n; colon > 0 && host.p[colon - 1] != ':'; colon--)
		;
	if (colon < 2 || num_parse(span_of(host.p + colon, host.n - colon), 1,
			     65535, &port) < 0)
		goto bad;
	host.n = colon - 1;
	if (host.n > 2 && host.p[0] == '[' && host.p[host.n - 1] == ']')
		host = span_of(host.p + 1, host.n - 2);
	if (addr_parse(host, &where->addr) < 0)
		goto bad;
	where->port = (uint16_t)port;
	return 0;
bad:
	errtext_set(why, "doorbell_listen: \"%.*s\" is not inet:address:port",
	    (int)word.n, word.p);
	return -1;
}

int
listeners_open(struct listeners *l, struct loop *loop, const char *words,
    struct errtext *why)
{
	struct span rest = span_str(words), word;
	struct endpoint where;
	size_t count = 0;

	for (; text_token(&rest, TEXT_LIST_SEPARATORS, &word); count++) {
		if (parse(word, &where, why) < 0 || check_room(count, why) < 0)
			return -1;
		if (loop != NULL &&
		    keep(l, listen_open(loop, &where, why), why) < 0)
			return -1;
	}
	if (count > 0)
		return 0;
	errtext_set(why, "doorbell_listen is empty");
	return -1;
}

int
listeners_start(struct listeners *l, const struct listen_ops *ops, void *arg,
    struct errtext *why)
{
	for (size_t i = 0; i < l->count; i++) {
		if (listen_start(l->all[i], ops, arg) < 0) {
			errtext_set(why, "listening: %s", strerror(errno));
			return -1;
		}
	}
	return 0;
}

void
listeners_stop(struct listeners *l)
{
	for (size_t i = 0; i < l->count; i++)
		listen_stop(l->all[i]);
}

void
listeners_close(struct listeners *l)
{
	for (size_t i = 0; i < l->count; i++)
		listen_free(&l->all[i]);
	l->count = 0;
}
