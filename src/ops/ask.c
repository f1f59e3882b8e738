/* SPDX-License-Identifier: ISC */
#include "ops/ask.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "ops/json_value.h"

/* A daemon that is killed leaves its socket behind, which then refuses: for us
 * the same as one that is not there. */

enum { ANSWER_WAIT_S = LOCAL_THINK_MS / 1000 };

static enum control_status
connect_to(const char *path, int *fd_r, struct errtext *why)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	const struct timeval wait = {.tv_sec = ANSWER_WAIT_S};
	size_t n = strlen(path);

	*fd_r = -1;
	if (n >= sizeof(sa.sun_path)) {
		errtext_set(why, "%s: the name is too long", path);
		return CONTROL_FAILED;
	}
	memcpy(sa.sun_path, path, n);
	*fd_r = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (*fd_r >= 0 &&
	    setsockopt(*fd_r, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait)) ==
		0 &&
	    setsockopt(*fd_r, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof(wait)) ==
		0 &&
	    connect(*fd_r, (struct sockaddr *)&sa, sizeof(sa)) == 0)
		return CONTROL_DONE;
	errtext_set(why, "%s: %s", path, strerror(errno));
	switch (errno) {
	case ENOENT:
	case ENOTDIR:
	case ECONNREFUSED:
		errtext_set(why, "no doorbelld answers at %s", path);
		return CONTROL_NOBODY;
	case EACCES:
	case EPERM:
		errtext_set(why, "%s: this user may not ask doorbelld", path);
		return CONTROL_FORBIDDEN;
	default:
		return CONTROL_FAILED;
	}
}

static int
send_all(int fd, struct span line)
{
	ssize_t n;

	while (line.n > 0) {
		n = send(fd, line.p, line.n, MSG_NOSIGNAL);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return -1;
		line = span_of(line.p + n, line.n - (size_t)n);
	}
	return 0;
}

static int
receive_all(int fd, struct buf *in)
{
	char part[8192];
	ssize_t n;

	while ((n = recv(fd, part, sizeof(part), 0)) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 || buf_add(in, part, (size_t)n) < 0)
			return -1;
	}
	return 0;
}

/* The header goes, the body stays. */
static int
take_header(struct buf *in, enum control_status *status_r)
{
	const char *end = in->n > 0 ? memchr(in->p, '\n', in->n) : NULL;
	size_t n, length;

	if (end == NULL)
		return -1;
	n = (size_t)(end - in->p);
	if (control_parse_header(span_of(in->p, n), status_r, &length) < 0 ||
	    in->n - n - 1 != length)
		return -1;
	buf_consume(in, n + 1);
	return 0;
}

static void
explain_failure(const struct buf *body, struct errtext *why)
{
	struct errtext trouble;
	struct json_tree *tree = json_tree_new(buf_span(body), &trouble);
	const char *error = "";

	if (tree != NULL)
		error = json_value_text(json_tree_root(tree), "error");
	errtext_set(
	    why, "%s", error[0] != '\0' ? error : "doorbelld does not say why");
	json_tree_free(&tree);
}

static enum control_status
converse(int fd, const struct request *r, struct buf *body, struct errtext *why)
{
	enum control_status status = CONTROL_DONE;
	struct buf line;

	buf_init(&line, REQUEST_LINE_MAX);
	if (request_to_line(r, &line, why) < 0) {
		status = CONTROL_BAD;
	} else if (send_all(fd, buf_span(&line)) < 0) {
		errtext_set(why, "doorbelld: %s", strerror(errno));
		status = CONTROL_FAILED;
	}
	buf_clear(&line);
	if (status != CONTROL_DONE)
		return status;
	if (receive_all(fd, body) < 0) {
		errtext_set(why, "doorbelld: %s",
		    errno == EAGAIN ? "no answer in time" : strerror(errno));
		return CONTROL_FAILED;
	}
	if (take_header(body, &status) < 0) {
		errtext_set(why, "doorbelld: the answer is not whole");
		return CONTROL_FAILED;
	}
	if (status != CONTROL_DONE)
		explain_failure(body, why);
	return status;
}

enum control_status
ask_daemon(const char *path, const struct request *r, struct buf *body,
    struct errtext *why)
{
	enum control_status status;
	int fd;

	if ((status = connect_to(path, &fd, why)) == CONTROL_DONE)
		status = converse(fd, r, body, why);
	if (fd >= 0)
		close(fd);
	return status;
}
