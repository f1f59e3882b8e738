/* SPDX-License-Identifier: ISC */
#include "support/given_config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void
complain(enum config_severity severity, const char *file, int line,
    const char *text, void *arg)
{
	(void)severity;
	(void)arg;
	fail_msg("%s:%d: %s", file != NULL ? file : "-o", line, text);
}

struct config_set *
given_config(const char *const *words)
{
	struct config_source source = {.file = "/dev/null", .overrides = words};
	struct config_set *set;

	while (words[source.override_count] != NULL)
		source.override_count++;
	set = config_load(&source, complain, NULL);
	assert_non_null(set);
	return set;
}
