/* SPDX-License-Identifier: ISC */
/* Any text as a field of a log line: what is written stands on one line, is
 * UTF-8 without control characters, within its ceiling, and JSON that says the
 * same. */
#include "base/fields.h"

#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "ops/json_value.h"

enum { LINE_BYTES = 2000 };

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static void
check_line(struct span line, size_t max)
{
	must(line.n <= max && text_is_utf8(line));
	for (size_t i = 0; i < line.n; i++)
		must((unsigned char)line.p[i] >= 0x20 && line.p[i] != 0x7f);
}

static void
check_json(struct span line, struct span in)
{
	struct errtext why = {""};
	struct json_tree *tree = json_tree_new(line, &why);
	const struct json_value *text;

	must(tree != NULL);
	text = json_value_get(json_tree_root(tree), "text");
	must(text == NULL || text->text != NULL);
	/* Printable ASCII comes back as it went in, as far as there was room. */
	for (size_t i = 0; text != NULL && i < in.n; i++) {
		if (text->text[i] == '\0' || in.p[i] < 0x20 || in.p[i] == 0x7f)
			break;
		must(text->text[i] == in.p[i]);
	}
	must(json_value_get(json_tree_root(tree), "fake") == NULL);
	json_tree_free(&tree);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	char room[LINE_BYTES + 1];
	char *copy = malloc(n > 0 ? n : 1);
	size_t max = n > 0 ? 40 + bytes[0] * 7u : LINE_BYTES;
	struct fields f;
	struct buf out;

	must(copy != NULL);
	memcpy(copy, bytes, n);
	for (int form = FIELDS_LOGFMT; form <= FIELDS_JSON; form++) {
		buf_borrow(&out, room, sizeof(room));
		fields_begin(&f, (enum fields_form)form, &out, max);
		fields_text(&f, "text", span_of(copy, n));
		fields_rest(&f, "again", span_of(copy, n));
		fields_number(&f, "n", (int64_t)n);
		fields_end(&f);
		check_line(buf_span(&out), max);
		if (form == FIELDS_JSON)
			check_json(buf_span(&out), span_of(copy, n));
	}
	free(copy);
	return 0;
}
