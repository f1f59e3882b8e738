/* SPDX-License-Identifier: ISC */
#include "config/file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"

/* A logical line is gathered until the next line that starts one, because
 * only that line ends it: comments and empty lines may stand in between. The
 * bytes of continuation lines are joined as they are, with their white space
 * and without the newline. A file is read whole first; its size is bounded,
 * and a pipe works as well as a file. */

struct reader {
	const char *path;
	file_entry_fn *fn;
	file_bad_fn *bad;
	void *arg;
	struct errtext *why;
	struct buf logical;
	int start; /* line where `logical` began; 0 when there is none */
};

/* Postfix trims what isspace(3) matches in the C locale, which is a little
 * more than span_trim() does. */
static struct span
trim(struct span a)
{
	while (a.n > 0 && text_is_space(a.p[0])) {
		a.p++;
		a.n--;
	}
	while (a.n > 0 && text_is_space(a.p[a.n - 1]))
		a.n--;
	return a;
}

/* How much of a line goes into a message. */
static int
shown(struct span s)
{
	return s.n < 40 ? (int)s.n : 40;
}

int
file_split(struct span entry, struct span *name_r, struct span *value_r,
    struct errtext *why)
{
	struct span rest = trim(entry);
	size_t n = 0;

	while (n < rest.n && !text_is_space(rest.p[n]) && rest.p[n] != '=')
		n++;
	*name_r = span_of(rest.p, n);
	rest = trim(span_of(rest.p + n, rest.n - n));
	if (n == 0) {
		errtext_set(why, "missing parameter name: \"%.*s\"",
		    shown(entry), entry.p);
		return -1;
	}
	if (rest.n == 0 || rest.p[0] != '=') {
		errtext_set(why, "missing '=' after parameter name: \"%.*s\"",
		    shown(entry), entry.p);
		return -1;
	}
	*value_r = trim(span_of(rest.p + 1, rest.n - 1));
	return 0;
}

static int
finish_line(struct reader *r)
{
	struct span entry = buf_span(&r->logical), name, value;
	struct errtext why;
	int line = r->start;

	r->start = 0;
	if (line == 0)
		return 0;
	if (memchr(entry.p, '\0', entry.n) != NULL) {
		r->bad(true, r->path, line, "NUL byte in a line", r->arg);
		return 0;
	}
	if (text_is_space(entry.p[0])) {
		r->bad(false, r->path, line,
		    "ignored: a line that starts with white space continues "
		    "another, and there is none before it",
		    r->arg);
		return 0;
	}
	if (file_split(entry, &name, &value, &why) < 0) {
		r->bad(true, r->path, line, why.text, r->arg);
		return 0;
	}
	if (r->fn(name, value, line, r->arg) < 0) {
		errtext_set(r->why, "%s: reading stopped", r->path);
		errno = ECANCELED;
		return -1;
	}
	return 0;
}

static int
take_line(struct reader *r, struct span physical, int line)
{
	struct span content = trim(physical);

	if (content.n == 0 || content.p[0] == '#')
		return 0;
	if (!text_is_space(physical.p[0]) || r->start == 0) {
		if (finish_line(r) < 0)
			return -1;
		buf_reset(&r->logical);
		r->start = line;
	}
	if (buf_add(&r->logical, physical.p, physical.n) < 0) {
		errtext_set(r->why, "%s: %s", r->path, strerror(errno));
		return -1;
	}
	return 0;
}

int
file_parse(const char *path, struct span text, file_entry_fn *fn,
    file_bad_fn *bad, void *arg, struct errtext *why)
{
	struct reader r = {path, fn, bad, arg, why, {0}, 0};
	const char *end;
	size_t n;
	int line = 0, rc = 0;

	buf_init(&r.logical, FILE_SIZE_MAX);
	while (rc == 0 && text.n > 0) {
		end = memchr(text.p, '\n', text.n);
		n = end != NULL ? (size_t)(end - text.p) : text.n;
		rc = take_line(&r, span_of(text.p, n), ++line);
		if (end != NULL)
			n++;
		text = span_of(text.p + n, text.n - n);
	}
	if (rc == 0)
		rc = finish_line(&r);
	buf_clear(&r.logical);
	return rc;
}

/* One byte more than allowed is asked for, to know that there is more. */
static int
read_all(int fd, struct buf *content)
{
	ssize_t got;
	char *room;

	for (;;) {
		room = buf_reserve(content, 1);
		if (room == NULL) {
			errno = errno == EMSGSIZE ? EFBIG : errno;
			return -1;
		}
		got = read(fd, room, content->cap - content->n - 1);
		if (got == 0)
			return 0;
		if (got > 0)
			content->n += (size_t)got;
		else if (errno != EINTR)
			return -1;
	}
}

int
file_read(const char *path, file_entry_fn *fn, file_bad_fn *bad, void *arg,
    struct errtext *why)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), rc = -1, saved;
	struct buf content;

	buf_init(&content, FILE_SIZE_MAX + 1);
	if (fd < 0 || read_all(fd, &content) < 0) {
		errtext_set(why, "%s: %s", path, strerror(errno));
		goto done;
	}
	rc = file_parse(path, buf_span(&content), fn, bad, arg, why);
done:
	saved = errno;
	buf_clear(&content);
	if (fd >= 0)
		close(fd);
	errno = saved;
	return rc;
}
