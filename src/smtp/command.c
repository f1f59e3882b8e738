/* SPDX-License-Identifier: ISC */
#include "smtp/command.h"

#include <string.h>

/* Only the space is a blank here: a client that sends "NOOP<TAB>" has sent an
 * unknown word, and answers must not differ from those of the screening engine
 * this one takes the place of. */

static const char *const command_names[COMMAND_COUNT] = {
    [COMMAND_UNKNOWN] = "UNIMPLEMENTED",
#define COMMAND(id, word) [COMMAND_##id] = (word),
#include "smtp/commands.def"
#undef COMMAND
};

static struct span
span_up_to(struct span in, char stop)
{
	const char *at = in.n > 0 ? memchr(in.p, stop, in.n) : NULL;

	return at == NULL ? in : span_of(in.p, (size_t)(at - in.p));
}

static struct span
span_behind_blanks(struct span in)
{
	while (in.n > 0 && in.p[0] == ' ')
		in = span_of(in.p + 1, in.n - 1);
	return in;
}

static struct span
span_without_blanks(struct span in)
{
	in = span_behind_blanks(in);
	while (in.n > 0 && in.p[in.n - 1] == ' ')
		in.n--;
	return in;
}

static enum command_id
command_find(struct span word)
{
	for (int id = COMMAND_UNKNOWN + 1; id < COMMAND_COUNT; id++)
		if (span_is_nocase(word, command_names[id]))
			return (enum command_id)id;
	return COMMAND_UNKNOWN;
}

struct span
command_word(struct span text)
{
	return span_up_to(span_without_blanks(text), ' ');
}

struct command
command_parse(struct span line)
{
	struct span seen = span_behind_blanks(span_up_to(line, '\0'));
	struct command command = {.word = command_word(seen), .tail = seen};

	command.id = command_find(command.word);
	if (seen.n > 0) {
		command.tail.p += command.word.n;
		command.tail.n -= command.word.n;
	}
	command.rest = span_without_blanks(command.tail);
	if (command.tail.n > 0) {
		command.tail.p++;
		command.tail.n--;
	}
	return command;
}

const char *
command_name(enum command_id id)
{
	return command_names[id];
}
