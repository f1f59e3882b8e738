/* SPDX-License-Identifier: ISC */
/* What the two ends of the control socket hear: a request, a header, JSON. A
 * request that is understood is the same after another way over the socket, and
 * text that was read from JSON can be written and read again. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "ops/control.h"
#include "ops/json_value.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static void
claim(int holds)
{
	if (!holds)
		abort();
}

static void
try_request(struct span line)
{
	struct request_room room, other_room;
	struct request r, again;
	struct errtext why;
	struct buf out;

	if (request_from_line(&r, line, &room, &why) < 0 ||
	    r.order == ORDER_NONE)
		return;
	buf_init(&out, 2 * REQUEST_LINE_MAX);
	if (request_to_line(&r, &out, &why) == 0) {
		claim(request_from_line(&again, span_of(out.p, out.n - 1),
			  &other_room, &why) == 0);
		claim(again.order == r.order && again.arguments == r.arguments);
		for (size_t i = 0; i < r.arguments; i++)
			claim(strcmp(r.argument[i], again.argument[i]) == 0);
		for (size_t i = 0; i < SWITCH_COUNT; i++)
			claim((r.with[i] == NULL) == (again.with[i] == NULL) &&
			      (r.with[i] == NULL ||
				  strcmp(r.with[i], again.with[i]) == 0));
	}
	buf_clear(&out);
}

static void
try_text(const char *text)
{
	struct json_tree *again;
	struct errtext why;
	struct json j;
	struct buf out;

	buf_init(&out, 1 << 20);
	json_init(&j, &out);
	json_text(&j, NULL, text);
	if (json_finish(&j) == 0) {
		again = json_tree_new(buf_span(&out), &why);
		claim(again != NULL);
		claim(json_tree_root(again)->kind == JSON_TEXT);
		json_tree_free(&again);
	}
	buf_clear(&out);
}

static void
walk(const struct json_value *v)
{
	try_text(v->text);
	for (v = v->first; v != NULL; v = v->next)
		walk(v);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	struct span in = span_of((const char *)bytes, n);
	enum control_status status;
	struct json_tree *tree;
	struct errtext why;
	size_t length;

	try_request(in);
	(void)control_parse_header(in, &status, &length);
	if ((tree = json_tree_new(in, &why)) != NULL)
		walk(json_tree_root(tree));
	json_tree_free(&tree);
	return 0;
}
