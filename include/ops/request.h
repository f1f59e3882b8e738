/* SPDX-License-Identifier: ISC */
/* ops/request.h - a command with its arguments and options.
 *
 * The same words stand on a command line and, as one line of text, on the
 * control socket: "allow 192.0.2.1 --for=2h --note=\"a customer\"". There words
 * have blanks between them; one that is empty or has a blank, '"' or '\' in it is
 * put in double quotes, with '\' before '"' and '\'. No word has a control byte.
 *
 * Owns:    nothing; texts point into the words that were parsed.
 * Errors:  -1 with *why. */
#ifndef DOORBELL_OPS_REQUEST_H
#define DOORBELL_OPS_REQUEST_H

#include <stddef.h>

#include "base/buf.h"
#include "base/errtext.h"

enum order_id {
	ORDER_NONE,
#define ORDER(id, ...) ORDER_##id,
#include "ops/orders.def"
#undef ORDER
	ORDER_COUNT
};

enum switch_id {
#define SWITCH(id, ...) SWITCH_##id,
#include "ops/switches.def"
#undef SWITCH
	SWITCH_COUNT
};
#define REQUEST_HAS(id) (1u << SWITCH_##id)

enum order_place { ORDER_HERE, ORDER_ASKS };

struct order {
	const char *words;
	enum order_place place;
	unsigned min, max; /* arguments */
	unsigned switches; /* set of REQUEST_HAS() */
	const char *arguments, *help;
};

struct order_switch {
	const char *name;
	char letter;
	const char *value;
	const char *help;
};

extern const struct order request_orders[ORDER_COUNT];
extern const struct order_switch request_switches[SWITCH_COUNT];

#define REQUEST_ARGUMENTS_MAX 31
#define REQUEST_WORDS_MAX 32
#define REQUEST_LINE_MAX 4096 /* bytes, with the newline */

struct request {
	enum order_id order; /* ORDER_NONE: there was none */
	size_t arguments;
	const char *argument[REQUEST_ARGUMENTS_MAX];
	/* The value, "" for one that has none, NULL: was not given. */
	const char *with[SWITCH_COUNT];
};

/* What may stand behind these words, each with a newline: the next words of
 * commands, or the options of the one that is there. */
void request_complete(const char *const *words, size_t n, struct buf *out);

/* `always` are the switches that any command may have. */
int request_parse(struct request *r, const char *const *words, size_t n,
    unsigned always, struct errtext *why);

/* What is for doorbelld of it, with the newline. */
int request_to_line(
    const struct request *r, struct buf *out, struct errtext *why);
/* Without newline; what `r` points to is in `room`. */
struct request_room {
	char text[REQUEST_LINE_MAX];
};
int request_from_line(struct request *r, struct span line,
    struct request_room *room, struct errtext *why);

#endif
