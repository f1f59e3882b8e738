/* SPDX-License-Identifier: ISC */
#include "screen/hush.h"

#include <string.h>

#include "base/log.h"

/* The words come from the table that writes the lines, so an event that is new
 * there can be named here. */

static const struct {
	const char *id, *groups;
	bool is_warning;
} rows[EVENT_COUNT] = {
#define EVENT(id, word, old, level, voice, rest, groups, names) \
	[EVENT_##id] = {#id, groups, LOG_LEVEL_##level != LOG_LEVEL_INFO},
#include "screen/events.def"
#undef EVENT
};

static bool
is_meant(size_t event, struct span word)
{
	struct span groups = span_str(rows[event].groups), group;

	if (span_is_nocase(word, "all") || span_is_nocase(word, rows[event].id))
		return true;
	while (text_token(&groups, " ", &group))
		if (group.n == word.n && memcmp(group.p, word.p, word.n) == 0)
			return true;
	return false;
}

/* Nobody is to believe that a warning will be missing. */
static bool
is_a_warning(struct span word)
{
	for (size_t i = 0; i < EVENT_COUNT; i++)
		if (span_is_nocase(word, rows[i].id))
			return rows[i].is_warning;
	return false;
}

static int
follow(struct span word, bool quiet[EVENT_COUNT], struct errtext *why)
{
	bool hush = word.p[0] == '!', known = false;

	if (hush)
		word = span_of(word.p + 1, word.n - 1);
	for (size_t i = 0; i < EVENT_COUNT; i++) {
		if (!is_meant(i, word))
			continue;
		known = true;
		quiet[i] = hush && !rows[i].is_warning;
	}
	if (!known)
		errtext_set(why, "no log event or group of events: %.*s",
		    (int)word.n, word.p);
	else if (hush && is_a_warning(word))
		errtext_set(why, "%.*s is a warning, which is always written",
		    (int)word.n, word.p);
	else
		return 0;
	return -1;
}

int
hush_parse(struct span list, bool quiet_r[EVENT_COUNT], struct errtext *why)
{
	struct span word;
	bool all = span_has_prefix(span_trim(list), "!");

	for (size_t i = 0; i < EVENT_COUNT; i++)
		quiet_r[i] = !all && !rows[i].is_warning;
	while (text_token(&list, TEXT_LIST_SEPARATORS, &word))
		if (follow(word, quiet_r, why) < 0)
			return -1;
	return 0;
}
