/* SPDX-License-Identifier: ISC */
/* smtp/command.h - one line of SMTP, taken apart (RFC 5321 section 4.1.1).
 *
 * Leading blanks are skipped; the word ends at a blank (a tab belongs to the
 * word) and is matched without case; what stands behind a NUL is not there.
 *
 * Owns:    nothing; spans point into the line. */
#ifndef DOORBELL_SMTP_COMMAND_H
#define DOORBELL_SMTP_COMMAND_H

#include "base/text.h"

enum command_id {
	COMMAND_UNKNOWN,
#define COMMAND(id, word) COMMAND_##id,
#include "smtp/commands.def"
#undef COMMAND
	COMMAND_COUNT
};

struct command {
	enum command_id id;
	struct span word; /* as typed; empty for an empty line */
	struct span rest; /* arguments, without blanks around them */
	struct span tail; /* the same as typed, behind one blank */
};

struct command command_parse(struct span line);
/* The first word of `text`, a command line or arguments. */
struct span command_word(struct span text);
/* "EHLO"; "UNIMPLEMENTED" for COMMAND_UNKNOWN. */
const char *command_name(enum command_id id);

#endif
