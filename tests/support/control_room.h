/* SPDX-License-Identifier: ISC */
/* support/control_room.h - a screen, and whoever answers doorbellctl's questions
 * about it.
 *
 * Clock, loop, streams, hand-offs, resolver, cache and control socket are fakes,
 * the rest is real. A test that uses it has the line
 * links: control_room stage heard_log fake_local fake_clock fake_loop fake_stream
 * fake_fdpass fake_resolver fake_cache fake_mem given_addr (in one). The log is
 * heard. */
#ifndef DOORBELL_TESTS_CONTROL_ROOM_H
#define DOORBELL_TESTS_CONTROL_ROOM_H

#include "ops/control.h"
#include "ops/json_value.h"
#include "support/stage.h"

#define CONTROL_ROOM_UID 4711 /* who asks */

struct control_room {
	struct stage stage;
	struct screen *screen; /* the stage's */
	struct rules *rules;
	struct control_host host;
	struct control control;
	const char *refusal;        /* of host.reload and .drain; NULL: none */
	unsigned reloads, drains;   /* that they were told of */
	enum control_status status; /* of the last answer */
	struct json_tree *answer;   /* or NULL */
};

/* `settings` are for the stage. All is new, also the fakes. */
void control_room_open(struct control_room *room, const char *const *settings);
void control_room_close(struct control_room *room);

/* The answer, which must be whole, and NULL when there is none yet; valid until
 * the next question. */
const struct json_value *control_room_ask(
    struct control_room *room, const char *line);
/* The answer to a question that had to wait. */
const struct json_value *control_room_answer(struct control_room *room);
/* Ask what cannot be done: this status, and the text of the error. */
void control_room_refuses(struct control_room *room, const char *line,
    enum control_status status, const char *error);
/* Ask the same when the first allocation fails, the second one, ..., and all
 * behind them: the answer is always a whole one, or none, and nothing is lost
 * from memory. `undo` (or NULL) is asked after each time. */
void control_room_starves(
    struct control_room *room, const char *line, const char *undo);

/* A client comes to port 25; its descriptor. */
int control_room_arrive(struct control_room *room, const char *address);
/* Let everybody do what can be done now. */
void control_room_settle(struct control_room *room);

#endif
