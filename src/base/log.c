/* SPDX-License-Identifier: ISC */
#include "base/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fields.h"
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

static const char *const level_name[LOG_LEVEL_COUNT] = {
    [LOG_LEVEL_DEBUG] = "debug",
    [LOG_LEVEL_INFO] = "info",
    [LOG_LEVEL_WARNING] = "warning",
    [LOG_LEVEL_ERROR] = "error",
    [LOG_LEVEL_FATAL] = "fatal",
    [LOG_LEVEL_PANIC] = "panic",
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
	enum log_form form;
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

void
log_set_form(enum log_form form)
{
	sink.form = form;
}

enum log_form
log_form(void)
{
	return sink.form;
}

const char *
log_level_name(enum log_level level)
{
	return level_name[level];
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

static size_t
render_plain(enum log_level level, struct span in, char *out)
{
	char *p = text_put(out, level_prefix[level]);
	size_t room = (size_t)(out + LOG_LINE_MAX - p);

	if (in.n > room)
		in.n = room;
	if (in.n > 0)
		memcpy(p, in.p, in.n);
	return (size_t)(p - out) + in.n;
}

/* All of it in one field, as long as the line has room. */
static size_t
render_message(enum log_level level, struct span in, char *out)
{
	struct fields f;
	struct buf line;

	buf_borrow(&line, out, LOG_LINE_MAX + 1);
	fields_begin(&f,
	    sink.form == LOG_FORM_JSON ? FIELDS_JSON : FIELDS_LOGFMT, &line,
	    LOG_LINE_MAX);
	fields_text(&f, "level", span_str(level_name[level]));
	fields_text(&f, "event", span_str("message"));
	fields_rest(&f, "text", in);
	fields_end(&f);
	return line.n;
}

size_t
log_render(enum log_level level, struct span text, char out[LOG_LINE_MAX + 1])
{
	size_t n = sink.form == LOG_FORM_PLAIN
		       ? render_plain(level, text, out)
		       : render_message(level, text, out);

	out[n] = '\0';
	text_make_printable(out, n, !sink.ascii_only);
	return n;
}

void
log_text(enum log_level level, enum log_voice voice, struct span in)
{
	int saved_errno = errno;
	char text[LOG_LINE_MAX + 1];

	if (level == LOG_LEVEL_DEBUG && !log_is_verbose())
		return;
	deliver(level, voice, text, log_render(level, in, text));
	errno = saved_errno;
}

void
log_fields(enum log_level level, enum log_voice voice, struct span line)
{
	int saved_errno = errno;
	char text[LOG_LINE_MAX + 1];
	size_t n = line.n < LOG_LINE_MAX ? line.n : LOG_LINE_MAX;

	if (n > 0)
		memcpy(text, line.p, n);
	text[n] = '\0';
	text_make_printable(text, n, !sink.ascii_only);
	deliver(level, voice, text, n);
	errno = saved_errno;
}

__attribute__((format(printf, 3, 0))) static void
compose(enum log_level level, enum log_voice voice, const char *format,
    va_list args)
{
	int saved_errno = errno;
	char text[LOG_LINE_MAX + 1];
	int wanted;

	if (level == LOG_LEVEL_DEBUG && !log_is_verbose())
		return;
	wanted = vsnprintf(text, sizeof(text), format, args);
	if (wanted < 0)
		wanted = 0;
	log_text(level, voice,
	    span_of(
		text, wanted < LOG_LINE_MAX ? (size_t)wanted : LOG_LINE_MAX));
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
