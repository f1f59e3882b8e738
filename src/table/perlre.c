/* SPDX-License-Identifier: ISC */
#define PCRE2_CODE_UNIT_WIDTH 8
#include "table/perlre.h"

#include <errno.h>
#include <pcre2.h>
#include <string.h>

#include "base/mem.h"

/* Keys come from clients, and a pattern like (a+)+$ takes exponential time on
 * the right one; so the work of one match is bounded far above what any sane
 * pattern needs for a key of 2048 bytes and far below what a client would
 * notice. Bytes are matched, not characters: Postfix does the same. */

enum { MATCH_LIMIT = 100000, HEAP_LIMIT_KIB = 8192 };

struct perlre {
	pcre2_code *code;
	uint32_t group_count;
};

struct perlre_room {
	pcre2_match_data *found;
	pcre2_match_context *limits;
};

static const struct {
	char letter;
	uint32_t option;
} flag_options[] = {
    {'i', PCRE2_CASELESS},
    {'m', PCRE2_MULTILINE},
    {'s', PCRE2_DOTALL},
    {'x', PCRE2_EXTENDED},
    {'A', PCRE2_ANCHORED},
    {'E', PCRE2_DOLLAR_ENDONLY},
    {'U', PCRE2_UNGREEDY},
    {'X', 0},
};

static int
toggle_flag(uint32_t *options, char letter)
{
	size_t n = sizeof(flag_options) / sizeof(flag_options[0]);

	for (size_t i = 0; i < n; i++) {
		if (flag_options[i].letter == letter) {
			*options ^= flag_options[i].option;
			return 0;
		}
	}
	return -1;
}

static pcre2_code *
compile(const char *pattern, uint32_t options, struct errtext *why)
{
	PCRE2_UCHAR text[256];
	PCRE2_SIZE offset;
	pcre2_code *code;
	int error;

	code = pcre2_compile((PCRE2_SPTR)pattern, PCRE2_ZERO_TERMINATED,
	    options, &error, &offset, NULL);
	if (code == NULL) {
		pcre2_get_error_message(error, text, sizeof(text));
		errtext_set(why, "error in regex at offset %zu: %s",
		    (size_t)offset, (const char *)text);
	}
	return code;
}

struct perlre_room *
perlre_room_new(void)
{
	struct perlre_room *room = mem_new(sizeof(*room));

	if (room == NULL)
		return NULL;
	room->found = pcre2_match_data_create(GROUPS_MAX, NULL);
	room->limits = pcre2_match_context_create(NULL);
	if (room->found == NULL || room->limits == NULL) {
		perlre_room_free(&room);
		errno = ENOMEM;
		return NULL;
	}
	pcre2_set_match_limit(room->limits, MATCH_LIMIT);
	pcre2_set_heap_limit(room->limits, HEAP_LIMIT_KIB);
	return room;
}

void
perlre_room_free(struct perlre_room **room)
{
	if (*room == NULL)
		return;
	pcre2_match_data_free((*room)->found);
	pcre2_match_context_free((*room)->limits);
	mem_free(*room);
	*room = NULL;
}

struct perlre *
perlre_new(const char *pattern, struct span flags, struct errtext *why)
{
	uint32_t options = PCRE2_CASELESS | PCRE2_DOTALL;
	struct perlre *re;

	for (size_t i = 0; i < flags.n; i++) {
		if (toggle_flag(&options, flags.p[i]) < 0) {
			errtext_set(
			    why, "unknown regexp option \"%c\"", flags.p[i]);
			return NULL;
		}
	}
	re = mem_new(sizeof(*re));
	if (re == NULL) {
		errtext_set(why, "%s", strerror(errno));
		return NULL;
	}
	re->code = compile(pattern, options, why);
	if (re->code == NULL)
		perlre_free(&re);
	else
		pcre2_pattern_info(
		    re->code, PCRE2_INFO_CAPTURECOUNT, &re->group_count);
	return re;
}

void
perlre_free(struct perlre **re)
{
	if (*re == NULL)
		return;
	pcre2_code_free((*re)->code);
	mem_free(*re);
	*re = NULL;
}

size_t
perlre_group_count(const struct perlre *re)
{
	return re->group_count;
}

/* A look-ahead with \K can make a match that ends before it starts. */
static void
copy_groups(const struct perlre_room *room, const char *key, uint32_t set,
    struct groups *groups_r)
{
	const PCRE2_SIZE *at = pcre2_get_ovector_pointer(room->found);

	for (uint32_t i = 0; i < GROUPS_MAX; i++, at += 2) {
		groups_r->at[i] = span_of(key, 0);
		if (i < set && at[0] != PCRE2_UNSET && at[1] >= at[0])
			groups_r->at[i] = span_of(key + at[0], at[1] - at[0]);
	}
}

enum groups_match
perlre_match(const struct perlre *re, struct perlre_room *room, const char *key,
    struct groups *groups_r)
{
	int rc = pcre2_match(re->code, (PCRE2_SPTR)key, strlen(key), 0, 0,
	    room->found, room->limits);

	if (rc == PCRE2_ERROR_NOMATCH)
		return GROUPS_NO;
	if (rc < 0)
		return GROUPS_GAVE_UP;
	copy_groups(room, key, rc == 0 ? GROUPS_MAX : (uint32_t)rc, groups_r);
	return GROUPS_YES;
}
