/* SPDX-License-Identifier: ISC */
#include "ops/logline.h"

#include <string.h>
#include <time.h>

#include "base/log.h"
#include "base/must.h"
#include "base/num.h"
#include "ops/logfields.h"

/* A template is walked beside the text: what stands between two letters has to
 * be there, byte for byte, and a letter gets what is before the next of these.
 * First come rows that fit wholly. Only a line as long as Postfix makes them may
 * lack its end, and only behind the client's address, inside of somebody's text.
 *
 * A client cannot forge a line: in front of its own words stand ours, and there
 * is no newline in them. */

enum { CUT_LINE_MIN = 1900, TAG_MAX = 64, FUTURE_S = 86400 };

struct row {
	const char *word, *old_word, *rest;
	enum log_level level;
	enum log_voice voice;
};

static const struct row rows[EVENT_COUNT] = {
#define EVENT(id, word, old, level, voice, rest, ...) \
	[EVENT_##id] = {word, old, rest, LOG_LEVEL_##level, LOG_VOICE_##voice},
#include "screen/events.def"
#undef EVENT
};

static bool
take(struct span *rest, const char *literal, size_t n)
{
	if (rest->n < n || memcmp(rest->p, literal, n) != 0)
		return false;
	*rest = span_of(rest->p + n, rest->n - n);
	return true;
}

static bool
take_str(struct span *rest, const char *literal)
{
	return take(rest, literal, strlen(literal));
}

/* Digits, `min` to `max` of them. */
static bool
take_digits(struct span *rest, size_t min, size_t max, int64_t *number_r)
{
	size_t n = 0;

	while (n < max && n < rest->n && text_is_digit(rest->p[n]))
		n++;
	if (n < min ||
	    num_parse(span_of(rest->p, n), 0, INT32_MAX, number_r) < 0)
		return false;
	return take(rest, rest->p, n);
}

/* What is before the first `c`, which is taken as well. */
static bool
take_until(struct span *rest, char c, struct span *word_r)
{
	const char *at = rest->n > 0 ? memchr(rest->p, c, rest->n) : NULL;

	if (at == NULL)
		return false;
	*word_r = span_of(rest->p, (size_t)(at - rest->p));
	return take(rest, rest->p, word_r->n + 1);
}

/* --- when ------------------------------------------------------------------ */

static int64_t
to_seconds(struct tm tm)
{
	tm.tm_isdst = -1;
	return (int64_t)mktime(&tm);
}

static bool
take_clock(struct span *rest, struct tm *tm)
{
	int64_t hour, minute, second;

	if (!take_digits(rest, 2, 2, &hour) || !take_str(rest, ":") ||
	    !take_digits(rest, 2, 2, &minute) || !take_str(rest, ":") ||
	    !take_digits(rest, 2, 2, &second) || hour > 23 || minute > 59 ||
	    second > 60)
		return false;
	tm->tm_hour = (int)hour;
	tm->tm_min = (int)minute;
	tm->tm_sec = (int)second;
	return true;
}

static bool
take_month(struct span *rest, struct tm *tm)
{
	static const char names[] = "JanFebMarAprMayJunJulAugSepOctNovDec";

	for (int i = 0; i < 12; i++)
		if (take(rest, names + (size_t)i * 3, 3)) {
			tm->tm_mon = i;
			return true;
		}
	return false;
}

/* Fractions of a second, if there are any. */
static void
take_fraction(struct span *rest, struct logline *l)
{
	int64_t ms = 0, unit = 100;

	if (rest->n < 2 || (rest->p[0] != '.' && rest->p[0] != ',') ||
	    !text_is_digit(rest->p[1]))
		return;
	for (take(rest, rest->p, 1); rest->n > 0 && text_is_digit(rest->p[0]);
	     take(rest, rest->p, 1)) {
		ms += (rest->p[0] - '0') * unit;
		unit /= 10;
	}
	l->at_ms += ms;
	l->exact = true;
}

/* "Nov 20 23:52:48", "Nov  2 ...", without a year. */
static bool
take_short_date(struct span *rest, struct wall now, struct logline *l)
{
	struct tm tm = {0}, today;
	time_t t = (time_t)now.s;
	int64_t day;

	if (!take_month(rest, &tm) || !take_str(rest, " "))
		return false;
	(void)take_str(rest, " ");
	if (!take_digits(rest, 1, 2, &day) || day < 1 || day > 31 ||
	    !take_str(rest, " ") || !take_clock(rest, &tm) ||
	    localtime_r(&t, &today) == NULL)
		return false;
	tm.tm_mday = (int)day;
	tm.tm_year = today.tm_year;
	if (to_seconds(tm) > now.s + FUTURE_S)
		tm.tm_year--;
	l->at_ms = to_seconds(tm) * 1000;
	take_fraction(rest, l);
	return take_str(rest, " ");
}

/* "Z", "+01:00", "+0100", or nothing: local time. */
static bool
take_zone(struct span *rest, bool *is_local_r, int64_t *seconds_r)
{
	int64_t hours, minutes;
	int sign;

	*is_local_r = false;
	*seconds_r = 0;
	if (take_str(rest, "Z"))
		return true;
	sign = take_str(rest, "+") ? 1 : take_str(rest, "-") ? -1 : 0;
	*is_local_r = sign == 0;
	if (sign == 0)
		return true;
	if (!take_digits(rest, 2, 2, &hours))
		return false;
	(void)take_str(rest, ":");
	if (!take_digits(rest, 2, 2, &minutes) || hours > 23 || minutes > 59)
		return false;
	*seconds_r = sign * (hours * 3600 + minutes * 60);
	return true;
}

/* "2026-11-20T23:52:48.123456+01:00", or with a blank in the middle. */
static bool
take_iso_date(struct span *rest, struct logline *l)
{
	struct tm tm = {0};
	int64_t year, month, day, zone;
	bool is_local;

	if (!take_digits(rest, 4, 4, &year) || !take_str(rest, "-") ||
	    !take_digits(rest, 2, 2, &month) || !take_str(rest, "-") ||
	    !take_digits(rest, 2, 2, &day) || year < 1970 || month < 1 ||
	    month > 12 || day < 1 || day > 31 ||
	    (!take_str(rest, "T") && !take_str(rest, " ")) ||
	    !take_clock(rest, &tm))
		return false;
	tm.tm_year = (int)year - 1900;
	tm.tm_mon = (int)month - 1;
	tm.tm_mday = (int)day;
	l->at_ms = 0;
	take_fraction(rest, l);
	if (!take_zone(rest, &is_local, &zone))
		return false;
	l->at_ms +=
	    1000 * (is_local ? to_seconds(tm) : (int64_t)timegm(&tm) - zone);
	return take_str(rest, " ");
}

/* --- who -------------------------------------------------------------------- */

enum speaker {
	SPEAKER_MAIN = LOG_VOICE_MAIN,
	SPEAKER_DNSBLOG = LOG_VOICE_DNSBLOG,
	SPEAKER_TLSPROXY = LOG_VOICE_TLSPROXY,
	SPEAKER_SMTPD,
	SPEAKER_OTHER
};

/* The smtpd of users who send mail is not behind us: it has a name of its
 * own, postfix/submission/smtpd. */
static bool
is_users_smtpd(struct span tag)
{
	return memmem(tag.p, tag.n, "submission", strlen("submission")) !=
		   NULL ||
	       memmem(tag.p, tag.n, "smtps/", strlen("smtps/")) != NULL;
}

static enum speaker
speaker_of(struct span tag)
{
	static const struct {
		const char *name;
		enum speaker speaker;
	} names[] = {
	    {"postscreen", SPEAKER_MAIN},
	    {"doorbelld", SPEAKER_MAIN},
	    {"dnsblog", SPEAKER_DNSBLOG},
	    {"tlsproxy", SPEAKER_TLSPROXY},
	    {"smtpd", SPEAKER_SMTPD},
	};
	const char *slash = tag.n > 0 ? memrchr(tag.p, '/', tag.n) : NULL;
	struct span name = tag;

	if (slash != NULL)
		(void)take(&name, tag.p, (size_t)(slash + 1 - tag.p));
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (span_is(name, names[i].name))
			return names[i].speaker == SPEAKER_SMTPD &&
				       is_users_smtpd(tag)
				   ? SPEAKER_OTHER
				   : names[i].speaker;
	return SPEAKER_OTHER;
}

/* "tag[pid]: ", "tag: ". */
static enum speaker
take_tag(struct span *rest, struct logline *l)
{
	struct span tag = {rest->p, 0};

	while (tag.n < rest->n && tag.n < TAG_MAX && rest->p[tag.n] != '[' &&
	       rest->p[tag.n] != ':' && !text_is_space(rest->p[tag.n]))
		tag.n++;
	(void)take(rest, rest->p, tag.n);
	if (take_str(rest, "[") &&
	    (!take_digits(rest, 1, 10, &l->pid) || !take_str(rest, "]")))
		return SPEAKER_OTHER;
	return take_str(rest, ": ") ? speaker_of(tag) : SPEAKER_OTHER;
}

/* --- what ------------------------------------------------------------------- */

static bool
take_endpoint(struct span *rest, struct endpoint *e)
{
	struct span address;
	int64_t port;

	*e = (struct endpoint){0};
	if (!take_str(rest, "[") || !take_until(rest, ']', &address) ||
	    addr_parse(address, &e->addr) < 0)
		return false;
	/* Old ones have no port. */
	if (rest->n < 2 || rest->p[0] != ':' || !text_is_digit(rest->p[1]))
		return true;
	(void)take_str(rest, ":");
	must(take_digits(rest, 1, 5, &port)); /* one is there */
	if (port > UINT16_MAX)
		return false;
	e->port = (uint16_t)port;
	return true;
}

/* "0.39", "5", "16.0" in milliseconds. */
static bool
parse_delay(struct span text, int64_t *ms_r)
{
	int64_t seconds;
	struct logline fraction = {0};

	if (!take_digits(&text, 1, 9, &seconds))
		return false;
	take_fraction(&text, &fraction);
	*ms_r = seconds * 1000 + fraction.at_ms;
	return text.n == 0;
}

static void
keep_text(struct span *first, struct span text)
{
	if (first->p == NULL)
		*first = text;
}

static bool
take_field(char letter, struct span text, struct logline *l)
{
	switch (letter) {
	case 'a':
		return addr_parse(text, &l->address) == 0;
	case 'i':
		return addr_parse(text, &l->listed_as) == 0;
	case 'n':
		return num_parse(text, INT64_MIN, INT64_MAX, &l->number) == 0;
	case 't':
		return parse_delay(text, &l->delay_ms);
	case 'w':
		keep_text(&l->word, text);
		return true;
	case 'y':
		l->other = text;
		return true;
	default:
		keep_text(&l->text, text);
		return true;
	}
}

static bool
is_text(char letter)
{
	return strchr("acsnti", letter) == NULL;
}

/* How long the field is that has `literal` (of n bytes) behind it; what a
 * client says can contain it, a PROXY header most of all. */
static bool
find_end(
    struct span rest, char letter, const char *literal, size_t n, size_t *len_r)
{
	const char *at, *p = rest.p;
	size_t left = rest.n;

	*len_r = rest.n;
	if (n == 0)
		return true;
	if ((at = memmem(p, left, literal, n)) == NULL)
		return false;
	while (letter == 'e' && at != NULL) {
		*len_r = (size_t)(at - rest.p);
		p = at + 1;
		left = rest.n - (size_t)(p - rest.p);
		at = memmem(p, left, literal, n);
	}
	if (at != NULL)
		*len_r = (size_t)(at - rest.p);
	return true;
}

static bool
take_letter(
    struct span *rest, const char *template, bool may_be_cut, struct logline *l)
{
	char letter = template[0];
	size_t literal_n = strcspn(template + 1, "%"), len;
	struct endpoint server;

	if (letter == 's')
		return take_endpoint(rest, &server);
	if (letter == 'c') {
		l->has_client = true;
		return take_endpoint(rest, &l->client);
	}
	if (!find_end(*rest, letter, template + 1, literal_n, &len)) {
		if (!may_be_cut || !is_text(letter) || !l->has_client)
			return false;
		l->cut = true;
		len = rest->n;
	}
	if (!take_field(letter, span_of(rest->p, len), l))
		return false;
	return take(rest, rest->p, len);
}

static bool
fits(struct span rest, const struct row *row, const char *word, bool may_be_cut,
    struct logline *l)
{
	const char *p = row->rest;
	size_t n;

	if (!take_str(&rest, word))
		return false;
	while (*p != '\0' && !l->cut) {
		n = strcspn(p, "%");
		if (!take(&rest, p, n))
			return false;
		p += n;
		if (*p == '\0')
			break;
		if (!take_letter(&rest, ++p, may_be_cut, l))
			return false;
		p++;
	}
	return rest.n == 0;
}

static bool
try_row(struct span text, enum journal_event event, bool may_be_cut,
    struct logline *l)
{
	const struct row *row = &rows[event];
	struct logline try = *l;

	try.kind = LOGLINE_EVENT;
	try.event = event;
	if (fits(text, row, row->word, may_be_cut, &try)) {
		*l = try;
		return true;
	}
	if (strcmp(row->word, row->old_word) == 0)
		return false;
	try = *l;
	try.kind = LOGLINE_EVENT;
	try.event = event;
	try.old_words = true;
	if (!fits(text, row, row->old_word, may_be_cut, &try))
		return false;
	*l = try;
	return true;
}

static void
find_row(
    struct span text, enum speaker voice, bool may_be_cut, struct logline *l)
{
	bool is_warning = take_str(&text, "warning: ");

	for (size_t i = 0; i < EVENT_COUNT; i++) {
		if ((enum speaker)rows[i].voice != voice ||
		    (rows[i].level == LOG_LEVEL_WARNING) != is_warning)
			continue;
		if (try_row(text, (enum journal_event)i, may_be_cut, l))
			return;
	}
}

static void
read_smtpd(struct span text, struct logline *l)
{
	if (take_str(&text, "connect from "))
		l->kind = LOGLINE_SMTPD_BEGINS;
	else if (take_str(&text, "disconnect from "))
		l->kind = LOGLINE_SMTPD_ENDS;
}

void
logline_parse(struct span line, struct wall now, struct logline *line_r)
{
	struct logline *l = line_r;
	struct span rest = line, word;
	enum speaker speaker;

	*l = (struct logline){.kind = LOGLINE_OTHER};
	if (rest.n > LOGLINE_MAX)
		rest.n = LOGLINE_MAX;
	if (take_str(&rest, "<") && !take_until(&rest, '>', &word))
		return;
	if (rest.n == 0 ||
	    !(text_is_digit(rest.p[0]) ? take_iso_date(&rest, l)
				       : take_short_date(&rest, now, l)))
		return;
	if (!take_until(&rest, ' ', &word)) /* the host */
		return;
	if ((speaker = take_tag(&rest, l)) == SPEAKER_SMTPD) {
		read_smtpd(rest, l);
		return;
	}
	if (speaker == SPEAKER_OTHER)
		return;
	if (logfields_has(rest)) {
		(void)logfields_read(rest, l);
		return;
	}
	find_row(rest, speaker, false, l);
	if (l->kind == LOGLINE_OTHER && rest.n >= CUT_LINE_MIN)
		find_row(rest, speaker, true, l);
}
