/* SPDX-License-Identifier: ISC */
#include "daemon/postfix.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"

/* The channel carries nothing towards us: any readiness means "retire". When
 * Postfix stops, master signals its process group first and closes the channel
 * by dying: waiting one more tick lets SIGTERM be seen before the end of file,
 * so that a stop is not taken for a reload. */

enum { SETTLE_MS = 1 };

void
postfix_encode_status(unsigned char out[POSTFIX_STATUS_BYTES], int32_t pid,
    uint32_t generation, enum postfix_status status)
{
	const int32_t number = (int32_t)status;

	memcpy(out, &pid, 4);
	memcpy(out + 4, &generation, 4);
	memcpy(out + 8, &number, 4);
}

int
postfix_parse_generation(const char *text, uint32_t *generation_r)
{
	uint32_t n = 0;

	if (text == NULL || *text == '\0')
		return errno = EINVAL, -1;
	for (; *text != '\0'; text++) {
		if (*text < '0' || *text > '7')
			return errno = EINVAL, -1;
		if (n > UINT32_MAX / 8)
			return errno = ERANGE, -1;
		n = n * 8 + (uint32_t)(*text - '0');
	}
	*generation_r = n;
	return 0;
}

int
postfix_check_descriptors(int sockets, struct errtext *why)
{
	for (int fd = POSTFIX_FLOW_READ_FD; fd < POSTFIX_LISTEN_FD + sockets;
	     fd++) {
		if (fcntl(fd, F_SETFD, FD_CLOEXEC) < 0) {
			errtext_set(why,
			    "descriptor %d: %s (this command line is for"
			    " master(8))",
			    fd, strerror(errno));
			return -1;
		}
	}
	return 0;
}

static void
on_settled(struct loop_timer *timer)
{
	struct postfix_channel *c =
	    OWNER_OF(timer, struct postfix_channel, settle);

	c->on_retire(c);
}

static void
on_channel(struct loop_watch *watch, unsigned ready)
{
	struct postfix_channel *c =
	    OWNER_OF(watch, struct postfix_channel, watch);

	(void)ready;
	(void)loop_watch_set(watch, 0);
	if (loop_timer_start(&c->settle, SETTLE_MS) < 0)
		c->on_retire(c);
}

int
postfix_channel_start(struct postfix_channel *c, struct loop *loop,
    postfix_retire_fn *on_retire, struct errtext *why)
{
	if (postfix_parse_generation(getenv("GENERATION"), &c->generation) <
	    0) {
		errtext_set(
		    why, "GENERATION in the environment: %s", strerror(errno));
		return -1;
	}
	c->introduced = false;
	c->on_retire = on_retire;
	loop_timer_init(&c->settle, loop, on_settled);
	loop_watch_init(&c->watch, loop, POSTFIX_STATUS_FD, on_channel);
	if (loop_watch_set(&c->watch, LOOP_READABLE) < 0) {
		errtext_set(why, "status channel: %s", strerror(errno));
		return -1;
	}
	return 0;
}

/* A lost message only costs master a warning. */
static void
send_status(const struct postfix_channel *c, enum postfix_status status)
{
	unsigned char message[POSTFIX_STATUS_BYTES];

	postfix_encode_status(
	    message, (int32_t)getpid(), c->generation, status);
	if (send(POSTFIX_STATUS_FD, message, sizeof(message),
		MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
		log_debug("status channel: %s", strerror(errno));
}

void
postfix_introduce(struct postfix_channel *c)
{
	if (c->introduced)
		return;
	c->introduced = true;
	send_status(c, POSTFIX_TAKEN);
	send_status(c, POSTFIX_AVAILABLE);
}

void
postfix_channel_close(struct postfix_channel *c)
{
	loop_timer_stop(&c->settle);
	(void)loop_watch_set(&c->watch, 0);
	close(POSTFIX_STATUS_FD);
	close(POSTFIX_FLOW_READ_FD);
	close(POSTFIX_FLOW_WRITE_FD);
}
