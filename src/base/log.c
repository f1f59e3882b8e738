/* SPDX-License-Identifier: ISC */
#include "base/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

/* A line is composed on the stack: prefix, then text, then cut, and only then
 * made printable, so that a UTF-8 sequence which the cut split is mended too.
 * Nothing here allocates: "out of memory" must be sayable. */

static const char *const level_prefix[LOG_LEVEL_COUNT] = {
    [LOG_LEVEL_DEBUG] = "",
    [LOG_LEVEL_INFO] = "",
    [LOG_LEVEL_WARNING] = "warning: ",
    [LOG_LEVEL_ERROR] = "error: ",
    [LOG_LEVEL_FATAL] = "fatal: ",
    [LOG_LEVEL_PANIC] = "panic: ",
};

static void
write_to_stderr(enum log_level level, enum log_voice voice, const char *text,
    size_t n, void *arg)
{
	const char *name = program_invocation_short_name;

	(void)level;
	(void)n;
	(void)arg;
	if (voice == LOG_VOICE_DNSBLOG)
		name = "dnsblog";
	else if (voice == LOG_VOICE_TLSPROXY)
		name = "tlsproxy";
	fprintf(stderr, "%s: %s\n", name, text);
}

static struct {
	log_sink_fn *write;
	void *arg;
	unsigned verbose;
	bool ascii_only;
	bool busy; /* a sink that logs must not call itself */
} sink = {.write = write_to_stderr};

void
log_set_sink(log_sink_fn *fn, void *arg)
{
	sink.write = fn != NULL ? fn : write_to_stderr;
	sink.arg = arg;
}

void
log_set_verbose(unsigned level)
{
	sink.verbose = level;
}

bool
log_is_verbose(void)
{
	return sink.verbose > 0;
}

void
log_set_utf8(bool allowed)
{
	sink.ascii_only = !allowed;
}

static void
deliver(enum log_level level, enum log_voice voice, const char *text, size_t n)
{
	if (sink.busy) {
		write_to_stderr(level, voice, text, n, NULL);
		return;
	}
	sink.busy = true;
	sink.write(level, voice, text, n, sink.arg);
	sink.busy = false;
}

static void
finish(enum log_level level, enum log_voice voice, char *text, size_t n)
{
	text[n] = '\0';
	text_make_printable(text, n, !sink.ascii_only);
	deliver(level, voice, text, n);
}

__attribute__((format(printf, 3, 0))) static void
compose(enum log_level level, enum log_voice voice, const char *format,
    va_list args)
{
	int saved_errno = errno;
	char text[LOG_LINE_MAX + 1];
	size_t n = strlen(level_prefix[level]), room = sizeof(text) - n;
	int wanted;

	if (level == LOG_LEVEL_DEBUG && !log_is_verbose())
		return;
	memcpy(text, level_prefix[level], n);
	wanted = vsnprintf(text + n, room, format, args);
	if (wanted > 0)
		n += (size_t)wanted < room ? (size_t)wanted : room - 1;
	finish(level, voice, text, n);
	errno = saved_errno;
}

void
log_text(enum log_level level, enum log_voice voice, struct span in)
{
	int saved_errno = errno;
	char text[LOG_LINE_MAX + 1];
	char *p = text_put(text, level_prefix[level]);
	size_t room = (size_t)(text + LOG_LINE_MAX - p);

	if (level == LOG_LEVEL_DEBUG && !log_is_verbose())
		return;
	if (in.n > room)
		in.n = room;
	if (in.n > 0)
		memcpy(p, in.p, in.n);
	finish(level, voice, text, (size_t)(p - text) + in.n);
	errno = saved_errno;
}

void
log_line(enum log_level level, enum log_voice voice, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	compose(level, voice, format, args);
	va_end(args);
}

void
log_debug(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	compose(LOG_LEVEL_DEBUG, LOG_VOICE_MAIN, format, args);
	va_end(args);
}

void
log_info(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	compose(LOG_LEVEL_INFO, LOG_VOICE_MAIN, format, args);
	va_end(args);
}

void
log_warning(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	compose(LOG_LEVEL_WARNING, LOG_VOICE_MAIN, format, args);
	va_end(args);
}

void
log_error(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	compose(LOG_LEVEL_ERROR, LOG_VOICE_MAIN, format, args);
	va_end(args);
}

_Noreturn void
log_fatal(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	compose(LOG_LEVEL_FATAL, LOG_VOICE_MAIN, format, args);
	va_end(args);
	exit(1);
}
