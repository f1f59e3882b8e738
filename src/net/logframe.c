/* SPDX-License-Identifier: ISC */
#include "net/logframe.h"

#include <errno.h>
#include <string.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/text.h"

/* syslog(3) pads the day of the month with a blank, Postfix's postlog with a
 * zero; postlogd strips the latter's fields by counting them when it passes a
 * line on to syslog. A stamp is made once a second. */

static int
severity_of(enum log_level level)
{
	switch (level) {
	case LOG_LEVEL_DEBUG:
		return LOG_DEBUG;
	case LOG_LEVEL_INFO:
		return LOG_INFO;
	case LOG_LEVEL_WARNING:
		return LOG_WARNING;
	case LOG_LEVEL_ERROR:
		return LOG_ERR;
	default:
		return LOG_CRIT;
	}
}

static const char *
stamp_of(struct logframe *f, struct wall when)
{
	time_t seconds = (time_t)when.s;
	struct tm tm;

	if (when.s == f->stamp_at.s && f->stamp[0] != '\0')
		return f->stamp;
	if (localtime_r(&seconds, &tm) == NULL ||
	    strftime(f->stamp, sizeof(f->stamp),
		f->kind == LOGSOCK_SYSLOG ? "%b %e %H:%M:%S" : "%b %d %H:%M:%S",
		&tm) == 0)
		return "Jan  1 00:00:00";
	f->stamp_at = when;
	return f->stamp;
}

size_t
logframe_line(struct logframe *f, char out[LOGFRAME_MAX], enum log_level level,
    enum log_voice voice, const char *text, size_t n)
{
	return logframe_line_at(f, out, clock_wall(), level, voice, text, n);
}

static char *
put_tag(char *p, const struct logframe *f, enum log_voice voice)
{
	p = text_put(p, f->tag[voice]);
	p = text_put(p, "[");
	p = text_put_number(p, (unsigned long)f->pid);
	return text_put(p, "]: ");
}

size_t
logframe_line_at(struct logframe *f, char out[LOGFRAME_MAX], struct wall when,
    enum log_level level, enum log_voice voice, const char *text, size_t n)
{
	size_t room = LOGFRAME_MAX - (f->kind == LOGSOCK_STDERR);
	char *p = out;

	if (f->kind == LOGSOCK_SYSLOG) {
		p = text_put(p, "<");
		p = text_put_number(
		    p, (unsigned)(f->facility | severity_of(level)));
		p = text_put(p, ">");
	}
	if (f->kind != LOGSOCK_STDERR) {
		p = text_put(p, stamp_of(f, when));
		p = text_put(p, " ");
	}
	if (f->kind == LOGSOCK_POSTLOG) {
		p = text_put(p, f->host);
		p = text_put(p, " ");
	}
	p = put_tag(p, f, voice);
	/* logframe_init() saw to it that the head fits. */
	room -= (size_t)(p - out);
	if (n > room)
		n = room;
	memcpy(p, text, n);
	p += n;
	if (f->kind == LOGSOCK_STDERR)
		*p++ = '\n';
	return (size_t)(p - out);
}

static int
names_check(const struct logsock_options *o, struct errtext *why)
{
	size_t head = 64; /* priority, stamp, pid, blanks */
	int i;

	if (o->kind == LOGSOCK_POSTLOG && o->host == NULL) {
		errtext_set(why, "log socket: no host name");
		return -1;
	}
	if (o->host != NULL)
		head += strlen(o->host);
	for (i = 0; i < LOG_VOICE_COUNT; i++) {
		if (o->tag[i] == NULL ||
		    head + strlen(o->tag[i]) > LOGFRAME_MAX / 2) {
			errtext_set(why, "log socket: no tag, or too long");
			return -1;
		}
	}
	return 0;
}

static int
names_copy(struct logframe *f, const struct logsock_options *o)
{
	int i;

	if (o->host != NULL && (f->host = mem_strdup(o->host)) == NULL)
		return -1;
	for (i = 0; i < LOG_VOICE_COUNT; i++)
		if ((f->tag[i] = mem_strdup(o->tag[i])) == NULL)
			return -1;
	return 0;
}

int
logframe_init(
    struct logframe *f, const struct logsock_options *o, struct errtext *why)
{
	if (names_check(o, why) < 0) {
		errno = EINVAL;
		return -1;
	}
	*f = (struct logframe){
	    .kind = o->kind, .facility = o->facility, .pid = (long)getpid()};
	if (names_copy(f, o) < 0) {
		errtext_set(why, "log socket: out of memory");
		logframe_clear(f);
		errno = ENOMEM;
		return -1;
	}
	tzset(); /* before a chroot hides the time zone's file */
	return 0;
}

void
logframe_clear(struct logframe *f)
{
	int i;

	for (i = 0; i < LOG_VOICE_COUNT; i++) {
		mem_free(f->tag[i]);
		f->tag[i] = NULL;
	}
	mem_free(f->host);
	f->host = NULL;
}
