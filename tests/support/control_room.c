/* SPDX-License-Identifier: ISC */
#include "support/control_room.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "screen/session.h"
#include "support/fake_fdpass.h"
#include "support/fake_local.h"
#include "support/fake_loop.h"
#include "support/fake_mem.h"
#include "support/fake_stream.h"
#include "support/given_addr.h"
#include "support/heard_log.h"

static int
act(const struct control_room *room, struct errtext *why)
{
	if (room->refusal == NULL)
		return 0;
	errtext_set(why, "%s", room->refusal);
	return -1;
}

static int
reload(void *arg, struct errtext *why)
{
	struct control_room *room = arg;

	room->reloads++;
	return act(room, why);
}

static int
drain(void *arg, struct errtext *why)
{
	struct control_room *room = arg;

	room->drains++;
	return act(room, why);
}

void
control_room_open(struct control_room *room, const char *const *settings)
{
	struct local *local;
	struct errtext why;

	fake_stream_reset();
	fake_fdpass_reset();
	*room = (struct control_room){.host = {.mode = "standalone",
					  .config = "/etc/doorbell.cf",
					  .reload = reload,
					  .drain = drain}};
	stage_open(&room->stage, settings);
	room->screen = room->stage.screen;
	room->screen->rules = room->rules = rules_new();
	assert_non_null(room->rules);
	room->host.since = clock_wall();
	room->host.since_mono = clock_mono();
	room->control = (struct control){.loop = room->stage.loop,
	    .screen = room->screen,
	    .host = &room->host,
	    .arg = room};
	local = local_open(&(struct local_options){.path = "fake"}, &why);
	assert_int_equal(control_start(&room->control, &local, &why), 0);
	heard_log_begin();
}

void
control_room_close(struct control_room *room)
{
	control_stop(&room->control);
	assert_null(room->control.calls);
	json_tree_free(&room->answer);
	stage_close(&room->stage);
	rules_free(&room->rules);
	heard_log_end();
}

/* --- questions --------------------------------------------------------------- */

/* The body of the answer. */
static struct span
take_header(struct control_room *room)
{
	struct span all = fake_local_answer();
	const char *end = all.n > 0 ? memchr(all.p, '\n', all.n) : NULL;
	size_t n, length;

	assert_non_null(end);
	n = (size_t)(end - all.p);
	assert_int_equal(
	    control_parse_header(span_of(all.p, n), &room->status, &length), 0);
	assert_int_equal(all.n - n - 1, length);
	return span_of(end + 1, length);
}

const struct json_value *
control_room_answer(struct control_room *room)
{
	struct errtext why;
	struct span body;

	json_tree_free(&room->answer);
	if (!fake_local_is_answered())
		return NULL;
	body = take_header(room);
	room->answer = json_tree_new(body, &why);
	if (room->answer == NULL)
		fail_msg("%s: %.*s", why.text, (int)body.n, body.p);
	return json_tree_root(room->answer);
}

const struct json_value *
control_room_ask(struct control_room *room, const char *line)
{
	json_tree_free(&room->answer);
	fake_local_ask(line, CONTROL_ROOM_UID);
	return control_room_answer(room);
}

void
control_room_refuses(struct control_room *room, const char *line,
    enum control_status status, const char *error)
{
	const struct json_value *v = control_room_ask(room, line);

	if (v == NULL || room->status != status ||
	    strcmp(json_value_text(v, "error"), error) != 0)
		fail_msg("\"%s\": %d \"%s\", not %d \"%s\"", line,
		    (int)room->status, json_value_text(v, "error"), (int)status,
		    error);
}

/* Without memory a failure may have no text. */
static void
expect_whole_or_none(
    struct control_room *room, const char *line, enum control_status usual)
{
	assert_true(fake_local_is_answered());
	if (fake_local_answer().n == 0)
		return;
	if (take_header(room).n > 0)
		(void)control_room_answer(room);
	else
		assert_int_not_equal(room->status, CONTROL_DONE);
	if (room->status != usual && room->status != CONTROL_FAILED)
		fail_msg("\"%s\": status %d", line, (int)room->status);
	json_tree_free(&room->answer);
}

void
control_room_starves(
    struct control_room *room, const char *line, const char *undo)
{
	enum control_status usual;
	unsigned long failed = 0;
	long live;

	/* What is kept from the first time on is not lost. */
	(void)control_room_ask(room, line);
	usual = room->status;
	if (undo != NULL)
		(void)control_room_ask(room, undo);
	json_tree_free(&room->answer);
	(void)heard_log();
	for (int lasting = 0; lasting < 2; lasting++) {
		for (unsigned long at = 1;; at++) {
			live = fake_mem_live();
			fake_mem_fault = (struct fake_fault){
			    .armed = true, .lasting = lasting, .at = at};
			fake_local_ask(line, CONTROL_ROOM_UID);
			fake_mem_fault.armed = false;
			failed += fake_mem_fault.calls >= at;
			expect_whole_or_none(room, line, usual);
			if (undo != NULL) {
				(void)control_room_ask(room, undo);
				json_tree_free(&room->answer);
			}
			(void)heard_log();
			assert_int_equal(fake_mem_live(), live);
			if (fake_mem_fault.calls < at)
				break;
		}
	}
	assert_true(failed > 0);
}

/* --- clients ----------------------------------------------------------------- */

void
control_room_settle(struct control_room *room)
{
	do
		fake_loop_settle(room->stage.loop);
	while (fake_stream_deliver());
	fake_loop_settle(room->stage.loop);
}

int
control_room_arrive(struct control_room *room, const char *address)
{
	const struct endpoint client = given_endpoint(address, 40000);
	const struct endpoint server = given_endpoint("198.51.100.25", 25);
	int fd = fake_stream_new_fd();

	screen_arrive(room->screen, fd, &client, &server);
	control_room_settle(room);
	return fd;
}
