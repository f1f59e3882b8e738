/* SPDX-License-Identifier: ISC */
#include "config/value.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "base/must.h"
#include "base/num.h"

/* Postfix keeps times and most numbers in an int, so anything larger has
 * never worked there; only sizes of mail (POSTFIX rows) may be larger. Times
 * are stricter here: Postfix takes "1h30m" for one hour. */

static int
parse_bool(const char *text, int64_t *number_r, struct errtext *why)
{
	struct span s = span_str(text);

	if (!span_is_nocase(s, "yes") && !span_is_nocase(s, "no")) {
		errtext_set(why, "yes or no expected, not \"%.60s\"", text);
		return -1;
	}
	*number_r = span_is_nocase(s, "yes");
	return 0;
}

/* Postfix reads numbers with strtol(3), which takes a plus sign. */
static struct span
without_plus(const char *text)
{
	if (text[0] == '+' && text_is_digit(text[1]))
		text++;
	return span_str(text);
}

static int
parse_time(const struct param *param, const char *text, int64_t *ms_r,
    struct errtext *why)
{
	int64_t seconds;

	if (num_parse_seconds(
		without_plus(text), params_time_unit(param), &seconds) < 0 ||
	    seconds > INT32_MAX) {
		errtext_set(why, "bad time value or unit: \"%.60s\"", text);
		return -1;
	}
	*ms_r = seconds * 1000;
	return 0;
}

static int
parse_number(const struct param *param, const char *text, int64_t *number_r,
    struct errtext *why)
{
	int64_t max = param->kind == PARAM_POSTFIX ? INT64_MAX : INT32_MAX;

	if (num_parse(without_plus(text), INT32_MIN, max, number_r) < 0) {
		errtext_set(why,
		    errno == ERANGE ? "number out of range: \"%.60s\""
				    : "not a number: \"%.60s\"",
		    text);
		return -1;
	}
	return 0;
}

static int
parse_word(const struct param *param, const char *text, int64_t *place_r,
    struct errtext *why)
{
	const char *word = param->min, *end;
	int64_t place = 0;

	for (;; word = end + 1, place++) {
		end = strchr(word, '|');
		if (end == NULL)
			end = word + strlen(word);
		if (span_is_nocase(span_of(word, (size_t)(end - word)), text)) {
			*place_r = place;
			return 0;
		}
		if (*end == '\0')
			break;
	}
	errtext_set(why, "\"%.60s\" is none of %s%s", text,
	    param->min[0] == '|' ? "(empty)" : "", param->min);
	return -1;
}

static int
parse_unbounded(const struct param *param, const char *text, int64_t *number_r,
    struct errtext *why)
{
	if (param->type == PARAM_BOOL)
		return parse_bool(text, number_r, why);
	if (param->type == PARAM_TIME)
		return parse_time(param, text, number_r, why);
	if (param->type == PARAM_NUMBER)
		return parse_number(param, text, number_r, why);
	must(param->type == PARAM_WORD); /* texts are not parsed */
	return parse_word(param, text, number_r, why);
}

static bool
is_bound(const struct param *param, const char *bound)
{
	return bound[0] != '\0' &&
	       (param->type == PARAM_TIME || param->type == PARAM_NUMBER);
}

static int
parse(const struct param *param, const char *text, int64_t *number_r,
    struct errtext *why)
{
	int64_t number, bound;

	if (parse_unbounded(param, text, &number, why) < 0)
		return -1;
	if (is_bound(param, param->min) &&
	    parse_unbounded(param, param->min, &bound, NULL) == 0 &&
	    number < bound) {
		errtext_set(
		    why, "%s is below the minimum, %s", text, param->min);
		return -1;
	}
	if (is_bound(param, param->max) &&
	    parse_unbounded(param, param->max, &bound, NULL) == 0 &&
	    number > bound) {
		errtext_set(
		    why, "%s is above the maximum, %s", text, param->max);
		return -1;
	}
	*number_r = number;
	return 0;
}

static int
check_text(const struct param *param, const char *text, struct errtext *why)
{
	if (param->min[0] != '\0' && text[0] == '\0') {
		errtext_set(why, "must not be empty");
		return -1;
	}
	return 0;
}

int
value_store(const struct param *param, const char *text, struct config *config,
    struct errtext *why)
{
	void *field = (char *)config + param->offset;
	int64_t number = 0;

	if (param->type == PARAM_TEXT || param->type == PARAM_RAW) {
		*(const char **)field = text;
		return check_text(param, text, why);
	}
	if (parse(param, text, &number, why) < 0)
		return -1;
	if (param->type == PARAM_BOOL)
		*(param_BOOL *)field = number != 0;
	else if (param->type == PARAM_WORD)
		*(param_WORD *)field = (int)number;
	else
		*(int64_t *)field = number;
	return 0;
}
