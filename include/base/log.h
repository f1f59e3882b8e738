/* SPDX-License-Identifier: ISC */
/* base/log.h - hand one finished line to whoever writes lines down.
 *
 * Owns:    the sink, the one mutable file-scope variable of the program.
 * Units:   a line is cut at LOG_LINE_MAX bytes.
 * Errors:  none; logging never fails towards its caller and keeps errno.
 *
 * Every line is made printable first: control bytes, DEL and bytes outside a
 * valid UTF-8 sequence become '?', so that no input can forge a second line.
 *
 * In the forms of named fields (base/fields.h) a line of text is the field
 * "text" of the event "message". */
#ifndef DOORBELL_BASE_LOG_H
#define DOORBELL_BASE_LOG_H

#include <stdbool.h>
#include <stddef.h>

#include "base/text.h"

#define LOG_LINE_MAX 2000 /* bytes of text, "warning: " included */

enum log_level {
	LOG_LEVEL_DEBUG,   /* mail.debug, no prefix; only when verbose */
	LOG_LEVEL_INFO,    /* mail.info, no prefix */
	LOG_LEVEL_WARNING, /* mail.warning, "warning: " */
	LOG_LEVEL_ERROR,   /* mail.err, "error: " */
	LOG_LEVEL_FATAL,   /* mail.crit, "fatal: " */
	LOG_LEVEL_PANIC,   /* mail.crit, "panic: " */
	LOG_LEVEL_COUNT
};

/* Under which program name a line appears: some log tools only find DNSBL
 * lines under the name of Postfix's dnsblog(8), and those about STARTTLS under
 * the name of its tlsproxy(8). */
enum log_voice {
	LOG_VOICE_MAIN,
	LOG_VOICE_DNSBLOG,
	LOG_VOICE_TLSPROXY,
	LOG_VOICE_COUNT
};

enum log_form {
	LOG_FORM_PLAIN,
	LOG_FORM_LOGFMT,
	LOG_FORM_JSON,
};

/* `text` carries its prefix already, is printable, NUL-terminated, and has
 * no newline. */
typedef void log_sink_fn(enum log_level level, enum log_voice voice,
    const char *text, size_t n, void *arg);

/* Send lines to `fn` from now on; NULL restores the first sink (stderr). */
void log_set_sink(log_sink_fn *fn, void *arg);
/* How many -v were given: LOG_LEVEL_DEBUG lines are dropped at 0. */
void log_set_verbose(unsigned level);
bool log_is_verbose(void);
/* With smtputf8_enable=no every byte above 0x7f becomes '?'. */
void log_set_utf8(bool allowed);

void log_set_form(enum log_form form);
enum log_form log_form(void);
/* "info", ... */
const char *log_level_name(enum log_level level);

void log_line(enum log_level level, enum log_voice voice, const char *format,
    ...) __attribute__((format(printf, 3, 4)));
/* A line that is ready but for its prefix. */
void log_text(enum log_level level, enum log_voice voice, struct span text);
/* A line of named fields, LOG_LINE_MAX bytes at most. */
void log_fields(enum log_level level, enum log_voice voice, struct span line);
/* What the sink would get for this text; returns its length. */
size_t log_render(
    enum log_level level, struct span text, char out[LOG_LINE_MAX + 1]);
void log_debug(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_info(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_warning(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_error(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Log "fatal: ..." and exit(1). Only before the loop starts. */
_Noreturn void log_fatal(const char *format, ...)
    __attribute__((format(printf, 1, 2)));

#endif
