/* SPDX-License-Identifier: ISC */
#include "ops/offender_answers.h"

#include <errno.h>
#include <string.h>

#include "base/mem.h"
#include "base/num.h"
#include "ops/spared.h"

/* What is printed here may end in a packet filter, where nobody asks again: the
 * part of a weight that may be another's does not count. */

enum { SHOWN = 1000, MIN_WEIGHT = 10, MIN_WEIGHT_MAX = 1000000000 };
enum { FOR_DEFAULT_S = 7200, FOR_MAX_S = 30 * 86400 };

struct wanted {
	const char *format;
	int64_t for_s, min, limit;
};

/* --- reading a request ------------------------------------------------------ */

static bool
is_format(const char *word)
{
	static const char *const formats[] = {
	    "text", "nft", "ipset", "cidr", "json"};

	for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++)
		if (strcmp(word, formats[i]) == 0)
			return true;
	return false;
}

static int
read_number(const struct control_call *call, enum switch_id id,
    const char *name, int64_t max, int64_t *number_r, struct errtext *why)
{
	const char *text = call->request.with[id];

	if (text == NULL || num_parse(span_str(text), 1, max, number_r) == 0)
		return 0;
	errtext_set(why, "--%s is 1 to %lld", name, (long long)max);
	return -1;
}

static int
read_wanted(
    const struct control_call *call, struct wanted *w, struct errtext *why)
{
	const char *time = call->request.with[SWITCH_FOR];
	const char *format = call->request.with[SWITCH_FORMAT];

	*w = (struct wanted){.format = format != NULL ? format : "text",
	    .for_s = FOR_DEFAULT_S,
	    .min = MIN_WEIGHT,
	    .limit = SHOWN};
	if (!is_format(w->format)) {
		errtext_set(why, "--format is text, nft, ipset, cidr, or json");
		return -1;
	}
	if (time != NULL &&
	    (num_parse_seconds(span_str(time), 's', &w->for_s) < 0 ||
		w->for_s < 1 || w->for_s > FOR_MAX_S)) {
		errtext_set(
		    why, "--for %.100s: not a time between 1s and 30d", time);
		return -1;
	}
	if (read_number(call, SWITCH_MIN, "min", MIN_WEIGHT_MAX, &w->min, why) <
	    0)
		return -1;
	return read_number(
	    call, SWITCH_LIMIT, "limit", OFFENDERS_MAX, &w->limit, why);
}

/* --- writing ---------------------------------------------------------------- */

static void
write_offender(
    const struct offender *o, int64_t weight, struct mono now, struct json *j)
{
	char prefix[RECORD_KEY_TEXT_MAX];

	json_object(j, NULL);
	json_text(j, "prefix", record_key_format(&o->key, prefix));
	json_number(j, "weight", weight);
	json_number(j, "first_ms", mono_between(o->first, now));
	json_number(j, "last_ms", mono_between(o->last, now));
	json_object(j, "offences");
	for (enum offence i = 0; i < OFFENCE_COUNT; i++)
		if (o->count[i] > 0)
			json_number(j, offenders_word(i), o->count[i]);
	json_end(j);
	json_end(j);
}

/* Who has done less than --min is none of those that are spared, either. */
static void
write_list(struct control_call *call, const struct wanted *w,
    const struct offender *worst, const bool *is_spared, size_t n)
{
	struct mono now = loop_now(call->control->loop);
	int64_t weight, shown = 0, spared = 0;

	json_text(&call->json, "format", w->format);
	json_number(&call->json, "for", w->for_s);
	json_array(&call->json, "offenders");
	for (size_t i = 0; i < n && shown < w->limit; i++) {
		weight = (int64_t)(worst[i].weight - worst[i].inherited);
		if (weight < w->min)
			continue;
		if (is_spared[i]) {
			spared++;
			continue;
		}
		write_offender(&worst[i], weight, now, &call->json);
		shown++;
	}
	json_end(&call->json);
	json_number(&call->json, "spared", spared);
}

/* 0, or -1 with errno ENOMEM. */
static int
list_worst(struct control_call *call, const struct wanted *w)
{
	struct screen *screen = call->control->screen;
	struct offender *worst = mem_array(OFFENDERS_MAX, sizeof(*worst));
	bool *is_spared = mem_array(OFFENDERS_MAX, sizeof(*is_spared));
	size_t n = 0;
	int rc = -1;

	if (worst != NULL && is_spared != NULL) {
		n = offenders_worst(screen->offenders, worst, OFFENDERS_MAX,
		    loop_now(call->control->loop));
		rc = spared_find(screen, worst, n, is_spared);
	}
	if (rc == 0)
		write_list(call, w, worst, is_spared, n);
	mem_free(worst);
	mem_free(is_spared);
	return rc;
}

void
offender_answers_list(struct control_call *call)
{
	struct errtext why;
	struct wanted w;

	if (read_wanted(call, &w, &why) < 0)
		control_fail(call, CONTROL_BAD, "%s", why.text);
	else if (list_worst(call, &w) < 0)
		control_fail(call, CONTROL_FAILED, "%s", strerror(errno));
	else
		control_finish(call);
}
