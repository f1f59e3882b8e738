/* SPDX-License-Identifier: ISC */
#include "table/posixre.h"

#include <errno.h>
#include <regex.h>
#include <string.h>

#include "base/mem.h"

/* regexec(3) has no limit on its work to set. Without back references it
 * takes time in proportion to the key, and the caller bounds keys; who writes
 * back references into a table should choose pcre: instead. */

struct posixre {
	regex_t compiled;
};

static int
read_flags(struct span flags, int *flags_r, struct errtext *why)
{
	*flags_r = REG_EXTENDED | REG_ICASE;
	for (size_t i = 0; i < flags.n; i++) {
		switch (flags.p[i]) {
		case 'i':
			*flags_r ^= REG_ICASE;
			break;
		case 'm':
			*flags_r ^= REG_NEWLINE;
			break;
		case 'x':
			*flags_r ^= REG_EXTENDED;
			break;
		default:
			errtext_set(
			    why, "unknown regexp option \"%c\"", flags.p[i]);
			return -1;
		}
	}
	return 0;
}

struct posixre *
posixre_new(const char *pattern, struct span flags, struct errtext *why)
{
	char text[256];
	struct posixre *re;
	int options, rc;

	if (read_flags(flags, &options, why) < 0)
		return NULL;
	re = mem_new(sizeof(*re));
	if (re == NULL) {
		errtext_set(why, "%s", strerror(errno));
		return NULL;
	}
	rc = regcomp(&re->compiled, pattern, options);
	if (rc != 0) {
		regerror(rc, &re->compiled, text, sizeof(text));
		errtext_set(why, "%s", text);
		mem_free(re);
		return NULL;
	}
	return re;
}

void
posixre_free(struct posixre **re)
{
	if (*re == NULL)
		return;
	regfree(&(*re)->compiled);
	mem_free(*re);
	*re = NULL;
}

size_t
posixre_group_count(const struct posixre *re)
{
	return re->compiled.re_nsub;
}

enum groups_match
posixre_match(
    const struct posixre *re, const char *key, struct groups *groups_r)
{
	regmatch_t at[GROUPS_MAX];
	int rc = regexec(&re->compiled, key, GROUPS_MAX, at, 0);

	if (rc == REG_NOMATCH)
		return GROUPS_NO;
	if (rc != 0)
		return GROUPS_GAVE_UP;
	for (size_t i = 0; i < GROUPS_MAX; i++)
		groups_r->at[i] =
		    at[i].rm_so < 0 ? span_of(key, 0)
				    : span_of(key + at[i].rm_so,
					  (size_t)(at[i].rm_eo - at[i].rm_so));
	return GROUPS_YES;
}
