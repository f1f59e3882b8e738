/* SPDX-License-Identifier: ISC */
/* smtp/keywords.h - what EHLO announces, and lists of what it shall not.
 *
 * Owns:    nothing.
 * Errors:  a word that is no keyword is handed back, and otherwise ignored. */
#ifndef DOORBELL_SMTP_KEYWORDS_H
#define DOORBELL_SMTP_KEYWORDS_H

#include <stdbool.h>

#include "base/buf.h"

enum keyword {
#define KEYWORD(id, ...) KEYWORD_##id,
#include "smtp/keywords.def"
#undef KEYWORD
	KEYWORD_COUNT
};

#define KEYWORD_BIT(id) (1u << (id))

struct keywords {
	unsigned mask; /* KEYWORD_BITs */
	bool silent;   /* silent-discard: nothing shall be logged about it */
};

const char *keywords_name(enum keyword id);
/* The KEYWORD_BITs that the engine may announce. */
unsigned keywords_ours(void);
/* Words separated by commas or white space, in any case. *unknown_r is the
 * first word that is no keyword, or empty. */
struct keywords keywords_parse(struct span words, struct span *unknown_r);
/* "VRFY, DSN". 0, or -1 when `out` is full. */
int keywords_format(unsigned mask, struct buf *out);

#endif
