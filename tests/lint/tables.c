/* SPDX-License-Identifier: ISC */
/* tests/lint/tables.c - print one of the .def tables, so that scripts can
 * compare it with what is written elsewhere. Fields end in ASCII's unit
 * separator, because some are empty and some hold blanks and tabs. */
#include <stdio.h>
#include <string.h>

static void
print_row(const char *a, const char *b, const char *c, const char *d)
{
	printf("%s\037%s\037%s\037%s\n", a, b, c, d);
}

/* Name, default ("-": worked out from the machine), kind, help. */
static void
print_params(void)
{
#define OWN(field, type, value, min, max, help) \
	print_row("doorbell_" #field, value, "own", help);
#define SHARED(field, type, value, min, max, help)                         \
	print_row("doorbell_" #field, "$postscreen_" #field, "own", help); \
	print_row("postscreen_" #field, value, "inherited", "");
#define POSTFIX(field, type, value, words, help) \
	print_row(#field, (value) != NULL ? (value) : "-", "postfix", help);
#define REFERRED(name, value) print_row(name, value, "referred", "");
#define FIXED(name)
#include "config/params.def"
}

/* Word, old word, the rest of the line, nothing. */
static void
print_events(void)
{
#define EVENT(id, word, old, level, voice, rest, groups, names) \
	print_row(word, old, rest, "");
#include "screen/events.def"
#undef EVENT
}

/* Event, groups, names of its fields, whether it is a warning. */
static void
print_fields(void)
{
#define EVENT(id, word, old, level, voice, rest, groups, names) \
	print_row(#id, groups, names, #level);
#include "screen/events.def"
}

/* Code with drop, code with enforce, enhanced code, text. */
static void
print_verdicts(void)
{
#define VERDICT(id, drop, enforce, enhanced, text) \
	print_row(#drop, #enforce, (enhanced) != NULL ? (enhanced) : "", text);
#include "screen/verdicts.def"
}

int
main(int argc, char **argv)
{
	const char *wanted = argc == 2 ? argv[1] : "";

	if (strcmp(wanted, "params") == 0)
		print_params();
	else if (strcmp(wanted, "events") == 0)
		print_events();
	else if (strcmp(wanted, "fields") == 0)
		print_fields();
	else if (strcmp(wanted, "verdicts") == 0)
		print_verdicts();
	else
		return 1;
	return 0;
}
