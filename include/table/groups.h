/* SPDX-License-Identifier: ISC */
/* table/groups.h - what the parentheses of a matched pattern hold.
 *
 * Owns:    nothing; the spans point into the key. */
#ifndef DOORBELL_TABLE_GROUPS_H
#define DOORBELL_TABLE_GROUPS_H

#include "base/text.h"

enum { GROUPS_MAX = 100 }; /* with the whole match, which is number 0 */

struct groups {
	struct span at[GROUPS_MAX]; /* empty when it took no part */
};

enum groups_match {
	GROUPS_NO,
	GROUPS_YES,
	GROUPS_GAVE_UP, /* too much work, or no memory: not known */
};

#endif
