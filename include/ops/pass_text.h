/* SPDX-License-Identifier: ISC */
/* ops/pass_text.h - pass records as postscreen(8) writes them.
 *
 * "ADDRESS<TAB>time;time;time;time;time", as `postmap -s` prints its cache: one
 * expiry for each test in the order of enum record_slot; 0 never passed, 1 the
 * test was off.
 *
 * Owns:    nothing.
 * Units:   seconds since the epoch. */
#ifndef DOORBELL_OPS_PASS_TEXT_H
#define DOORBELL_OPS_PASS_TEXT_H

#include "base/buf.h"
#include "base/errtext.h"
#include "lookup/record.h"

enum pass_text_kind {
	PASS_TEXT_RECORD,
	PASS_TEXT_NOTHING, /* empty, or postscreen's notes to itself */
	PASS_TEXT_BAD      /* *why says what is wrong */
};
enum pass_text_kind pass_text_parse(struct span line, struct addr *client_r,
    struct record *record_r, struct errtext *why);
/* With the newline. 0 or -1. */
int pass_text_format(
    const struct addr *client, const struct record *record, struct buf *out);
/* One line of JSON; times are the same numbers. */
int pass_text_json(const struct addr_block *client, const struct record *record,
    struct buf *out);
/* The same for people, without a newline; in local time. */
int pass_text_describe(const struct addr_block *client,
    const struct record *record, struct wall now, struct buf *out);

#endif
