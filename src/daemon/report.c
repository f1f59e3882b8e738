/* SPDX-License-Identifier: ISC */
#include "daemon/report.h"

#include <stdio.h>
#include <string.h>

#include "base/log.h"

/* "file:line: text", as editors and log tools like it. */

void
report_config_to_log(enum config_severity severity, const char *file, int line,
    const char *text, void *arg)
{
	enum log_level level =
	    severity == CONFIG_ERROR ? LOG_LEVEL_ERROR : LOG_LEVEL_WARNING;

	(void)arg;
	if (file == NULL)
		log_line(level, LOG_VOICE_MAIN, "%s", text);
	else if (line == 0)
		log_line(level, LOG_VOICE_MAIN, "%s: %s", file, text);
	else
		log_line(level, LOG_VOICE_MAIN, "%s:%d: %s", file, line, text);
}

void
report_table_to_log(const char *file, int line, const char *text, void *arg)
{
	report_config_to_log(CONFIG_WARNING, file, line, text, arg);
}

void
report_config_to_people(enum config_severity severity, const char *file,
    int line, const char *text, void *arg)
{
	int *errors = arg;

	if (file == NULL)
		fprintf(stderr, "doorbelld: ");
	else if (line == 0)
		fprintf(stderr, "%s: ", file);
	else
		fprintf(stderr, "%s:%d: ", file, line);
	fprintf(stderr, "%s: %s\n",
	    severity == CONFIG_ERROR ? "error" : "warning", text);
	if (errors != NULL && severity == CONFIG_ERROR)
		++*errors;
}

void
report_table_to_people(const char *file, int line, const char *text, void *arg)
{
	report_config_to_people(CONFIG_ERROR, file, line, text, arg);
}

void
report_culprit(const struct config_set *config, const struct errtext *why,
    config_report_fn *report, void *arg)
{
	char name[ERRTEXT_MAX];
	const char *file = NULL;
	int line = 0;

	(void)snprintf(name, sizeof(name), "%.*s",
	    (int)strcspn(why->text, ": "), why->text);
	(void)config_origin(config, name, &file, &line);
	report(CONFIG_ERROR, file, line, why->text, arg);
}
