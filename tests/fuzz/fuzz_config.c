/* SPDX-License-Identifier: ISC */
/* Any bytes as main.cf: its lines are read, and every value that comes out is
 * expanded among the others. No crash, no endless work, and what is read keeps
 * the promises of config/file.h and config/expand.h. */
#include "config/expand.h"
#include "config/file.h"
#include "config/settings.h"

#include <stdint.h>
#include <string.h>

#include "base/buf.h"
#include "base/must.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

enum { EXPANDED_MAX = 4096, EXPANSIONS_MAX = 20 };

static int
on_entry(struct span name, struct span value, int line, void *arg)
{
	must(name.n > 0 && line > 0);
	must(memchr(name.p, '\0', name.n) == NULL);
	must(memchr(name.p, '=', name.n) == NULL);
	must(value.n == 0 || !text_is_space(value.p[0]));
	must(value.n == 0 || !text_is_space(value.p[value.n - 1]));
	must(settings_put(arg, name, value, "main.cf", line) == 0);
	return 0;
}

static void
on_bad(bool fatal, const char *path, int line, const char *text, void *arg)
{
	(void)fatal;
	(void)arg;
	must(path != NULL && line > 0 && text[0] != '\0');
}

static const char *
look_up(const char *name, void *arg)
{
	const struct setting *s = settings_find(arg, span_str(name));

	return s != NULL ? s->value : NULL;
}

static void
expand_one(struct settings *settings, const char *text)
{
	struct errtext why;
	struct buf out;

	buf_init(&out, EXPANDED_MAX);
	if (expand_text(text, look_up, settings, &out, &why) < 0)
		must(why.text[0] != '\0');
	else
		must(
		    strchr(text, '$') != NULL || span_is(buf_span(&out), text));
	buf_clear(&out);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	struct settings settings;
	struct errtext why;

	must(settings_init(&settings) == 0);
	must(file_parse("main.cf", span_of((const char *)bytes, n), on_entry,
		 on_bad, &settings, &why) == 0);
	for (size_t i = 0; i < settings.n && i < EXPANSIONS_MAX; i++)
		expand_one(&settings, settings.at[i]->value);
	settings_clear(&settings);
	return 0;
}
