/* SPDX-License-Identifier: ISC */
/* screen/forbidden.h - words that no SMTP client says (forbidden_commands).
 *
 * Whatever the list (list_open_words()) says, a mail header ("Subject:" ...) is
 * forbidden, and with smtputf8_enable what is not UTF-8.
 *
 * Owns:    its list.
 * Errors:  NULL with *why. */
#ifndef DOORBELL_SCREEN_FORBIDDEN_H
#define DOORBELL_SCREEN_FORBIDDEN_H

#include <stdbool.h>

#include "table/table.h"

struct forbidden;

struct forbidden *forbidden_open(struct span words, bool utf8,
    const struct table_options *o, struct errtext *why);
void forbidden_free(struct forbidden **f);
/* `word` is the first of a command that is unknown: a known one is never
 * forbidden. 1, 0, or -1 when there is no memory to find out. */
int forbidden_has(const struct forbidden *f, struct span word);
/* table_refresh() for its tables; the strongest change wins. */
enum table_change forbidden_refresh(struct forbidden *f, struct errtext *why);

#endif
