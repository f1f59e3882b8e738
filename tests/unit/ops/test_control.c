/* SPDX-License-Identifier: ISC */
/* links: fake_clock fake_loop fake_mem heard_log */
#include "ops/control.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "ops/answers.h"
#include "ops/json_value.h"
#include "support/fake_mem.h"
#include "support/heard_log.h"

/* The commands here are the test's own, and so is the socket: several users may
 * wait for answers. What the real commands say is tested with ops/answers. */

enum { USERS_MAX = 32, UID = 1234 };

struct local {
	const struct local_ops *ops;
	void *arg;
};

/* A user, and what he has heard. */
struct local_client {
	struct local_peer peer;
	bool is_waiting;
	char *heard; /* NULL: nothing yet */
};

static struct local socket_here;
static struct local_client user[USERS_MAX];
static size_t users;
static int start_error;
static struct control control;
static struct control_call *kept[4];
static size_t kept_count, abandoned;

/* --- in place of net/local.c ---------------------------------------------- */

int
local_start(
    struct local *l, struct loop *loop, const struct local_ops *ops, void *arg)
{
	(void)loop;
	*l = (struct local){.ops = ops, .arg = arg};
	errno = start_error;
	return start_error == 0 ? 0 : -1;
}

static void
leave(struct local_client *c)
{
	if (!c->is_waiting)
		return;
	c->is_waiting = false;
	socket_here.ops->gone(c, socket_here.arg);
}

void
local_close(struct local **l)
{
	for (size_t i = 0; *l != NULL && i < users; i++)
		leave(&user[i]);
	*l = NULL;
}

const struct local_peer *
local_client_peer(const struct local_client *c)
{
	return &c->peer;
}

void
local_answer(struct local_client *c, const char *p, size_t n)
{
	assert_true(c->is_waiting);
	c->is_waiting = false;
	c->heard = calloc(1, n + 1);
	assert_non_null(c->heard);
	if (n > 0)
		memcpy(c->heard, p, n);
}

static struct local_client *
ask(const char *line)
{
	struct local_client *c = &user[users++];

	assert_true(users <= USERS_MAX);
	*c = (struct local_client){.peer.uid = UID, .is_waiting = true};
	socket_here.ops->asked(c, span_str(line), socket_here.arg);
	return c;
}

static void
forget_users(void)
{
	for (size_t i = 0; i < users; i++)
		free(user[i].heard);
	users = 0;
}

/* --- commands ---------------------------------------------------------------- */

static void
answer_version(struct control_call *call)
{
	assert_ptr_equal(call->control, &control);
	assert_int_equal(call->peer.uid, UID);
	json_text(&call->json, "version", "1 \"and\" \x01 half");
	control_finish(call);
}

static void
answer_too_much(struct control_call *call)
{
	static char text[LOCAL_OUTPUT_MAX / 4];

	memset(text, 'x', sizeof(text) - 1);
	for (int i = 0; i < 5; i++)
		json_text(&call->json, "text", text);
	control_finish(call);
}

static void
answer_argument(struct control_call *call)
{
	control_log_act(call, "forget %s", call->request.argument[0]);
	control_fail(call, CONTROL_FORBIDDEN, "not %s: %d",
	    call->request.argument[0], 7);
}

static void
on_abandon(struct control_call *call)
{
	assert_ptr_equal(call->work, &kept_count);
	call->work = NULL;
	abandoned++;
}

static void
keep_call(struct control_call *call)
{
	call->abandon = on_abandon;
	call->work = &kept_count;
	kept[kept_count++] = call;
}

static void
keep_quietly(struct control_call *call)
{
	kept[kept_count++] = call;
}

control_fn *const answers_handler[ORDER_COUNT] = {
    [ORDER_VERSION] = answer_version,
    [ORDER_STATUS] = answer_too_much,
    [ORDER_FORGET] = answer_argument,
    [ORDER_SESSIONS] = keep_call,
    [ORDER_RULES] = keep_quietly,
};

/* --- the stage --------------------------------------------------------------- */

static int
set_up(void **state)
{
	struct local *local = &socket_here;
	struct errtext why;

	(void)state;
	control = (struct control){.calls = NULL};
	kept_count = abandoned = 0;
	heard_log_begin();
	return control_start(&control, &local, &why);
}

static int
tear_down(void **state)
{
	(void)state;
	control_stop(&control);
	control_stop(&control);
	forget_users();
	heard_log_end();
	return control.calls == NULL && fake_mem_live() == 0 ? 0 : -1;
}

/* The header is that of the body behind it; NULL: there is none. */
static struct json_tree *
body_of(const char *heard, enum control_status *status_r)
{
	const char *end = strchr(heard, '\n');
	struct json_tree *tree;
	struct errtext why;
	size_t n;

	assert_non_null(end);
	assert_int_equal(
	    control_parse_header(
		span_of(heard, (size_t)(end - heard)), status_r, &n),
	    0);
	assert_int_equal(n, strlen(end + 1));
	if (n == 0)
		return NULL;
	tree = json_tree_new(span_str(end + 1), &why);
	assert_non_null(tree);
	return tree;
}

static void
assert_answer(const struct local_client *c, enum control_status status,
    const char *key, const char *text)
{
	enum control_status got;
	struct json_tree *tree;

	assert_non_null(c->heard);
	tree = body_of(c->heard, &got);
	assert_non_null(tree);
	assert_int_equal(got, status);
	assert_string_equal(json_value_text(json_tree_root(tree), key), text);
	json_tree_free(&tree);
}

/* --- tests ------------------------------------------------------------------- */

static void
test_answers(void **state)
{
	static const struct {
		const char *line;
		enum control_status status;
		const char *key, *text;
	} cases[] = {
	    {"version", CONTROL_DONE, "version", "1 \"and\" \x01 half"},
	    {"status", CONTROL_FAILED, "error", "the answer is too long"},
	    {"forget \"a b\"", CONTROL_FORBIDDEN, "error", "not a b: 7"},
	    {"report", CONTROL_BAD, "error", "this is not for doorbelld"},
	    {"", CONTROL_BAD, "error", "this is not for doorbelld"},
	    {"versions", CONTROL_BAD, "error", NULL},
	    {"forget", CONTROL_BAD, "error", NULL},
	    {"version\x1b[2J", CONTROL_BAD, "error", NULL},
	    {"forget \"a", CONTROL_BAD, "error", NULL},
	};
	enum control_status status;
	struct local_client *c;
	struct json_tree *tree;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		c = ask(cases[i].line);
		assert_non_null(c->heard);
		if (cases[i].text != NULL) {
			assert_answer(
			    c, cases[i].status, cases[i].key, cases[i].text);
			continue;
		}
		tree = body_of(c->heard, &status);
		assert_non_null(tree);
		assert_int_equal(status, CONTROL_BAD);
		assert_true(
		    json_value_text(json_tree_root(tree), "error")[0] != '\0');
		json_tree_free(&tree);
	}
	assert_null(control.calls);
}

static void
test_acts_are_logged(void **state)
{
	(void)state;
	ask("forget 192.0.2.1");
	assert_non_null(
	    strstr(heard_log(), "control: uid 1234: forget 192.0.2.1"));
}

/* Calls end in another order than they came in. */
static void
test_calls_that_wait(void **state)
{
	struct local_client *c[4];

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		c[i] = ask(i == 1 ? "rules" : "sessions");
		assert_null(c[i]->heard);
	}
	assert_int_equal(kept_count, 4);
	json_number(&kept[2]->json, "n", 3);
	control_finish(kept[2]);
	assert_string_equal(c[2]->heard, "doorbell 1 0 8\n{\"n\":3}\n");
	leave(c[1]); /* nothing to abandon */
	assert_int_equal(abandoned, 0);
	leave(c[3]);
	assert_int_equal(abandoned, 1);
	control_fail(kept[0], CONTROL_FAILED, "late");
	assert_answer(c[0], CONTROL_FAILED, "error", "late");
	assert_null(control.calls);
	/* Who has his answer may go. */
	leave(c[0]);
	assert_int_equal(abandoned, 1);
}

static void
test_stop_abandons_all(void **state)
{
	(void)state;
	ask("sessions");
	ask("rules");
	ask("sessions");
	control_stop(&control);
	assert_int_equal(abandoned, 2);
	assert_null(control.calls);
}

/* An answer that nobody understands is better than half of one. */
static void
test_each_allocation_fails_once(void **state)
{
	static const char *const lines[] = {"version", "forget x", "nonsense"};
	enum control_status status;
	struct json_tree *tree;
	const char *heard;
	unsigned long at;

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(*lines); i++) {
		for (at = 1; at == 1 || fake_mem_fault.calls >= at - 1; at++) {
			fake_mem_fault =
			    (struct fake_fault){.armed = true, .at = at};
			heard = ask(lines[i])->heard;
			fake_mem_fault.armed = false;
			assert_non_null(heard);
			assert_null(control.calls);
			assert_int_equal(fake_mem_live(), 0);
			if (heard[0] != '\0') {
				tree = body_of(heard, &status);
				assert_true(
				    tree != NULL || status != CONTROL_DONE);
				json_tree_free(&tree);
			}
			forget_users();
		}
		assert_true(at > 3);
	}
}

static void
test_start_fails(void **state)
{
	struct control other = {.calls = NULL};
	struct local *local = &socket_here;
	struct errtext why;

	(void)state;
	control_stop(&control);
	start_error = ENOMEM;
	assert_int_equal(control_start(&other, &local, &why), -1);
	start_error = 0;
	assert_string_equal(why.text, strerror(ENOMEM));
	/* It stays the caller's. */
	assert_ptr_equal(local, &socket_here);
	assert_null(other.local);
	control_stop(&other);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	    TEST(test_answers),
	    TEST(test_acts_are_logged),
	    TEST(test_calls_that_wait),
	    TEST(test_stop_abandons_all),
	    TEST(test_each_allocation_fails_once),
	    TEST(test_start_fails),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
