/* SPDX-License-Identifier: ISC */
/* doorbelld - pre-SMTP connection screening in front of Postfix smtpd(8). */
#include <stdio.h>

#include "daemon/background.h"
#include "daemon/context.h"
#include "daemon/options.h"
#include "daemon/report.h"
#include "daemon/verify.h"
#include "daemon/version.h"

static int
dump(const struct options *o)
{
	struct config_set *config =
	    config_load(&o->source, report_config_to_people, NULL);
	int rc;

	if (config == NULL)
		return 1;
	rc = config_dump(config, o->dump, (const char *const *)o->names,
	    o->name_count, stdout, stderr);
	config_unref(&config);
	return rc < 0 || fflush(stdout) != 0 ? 1 : 0;
}

static int
serve(const struct options *o)
{
	struct errtext why = {""};
	struct doorbell *d;
	int status = 1, ready = -1;

	if (o->mode == OPTIONS_STANDALONE && !o->foreground &&
	    (ready = background_enter()) < 0)
		return 1;
	if ((d = context_new(o, &why)) != NULL && context_start(d, &why) == 0) {
		background_ready(ready);
		status = context_run(d);
	} else if (!o->foreground) {
		/* The log has it too; in the foreground that is stderr. */
		fprintf(stderr, "doorbelld: %s\n", why.text);
	}
	context_free(&d);
	return status;
}

int
main(int argc, char **argv)
{
	struct options o;
	struct errtext why = {""};
	int status = 1;

	if (options_parse(&o, argc, argv, &why) < 0) {
		fprintf(stderr, "doorbelld: %s\n%s", why.text, options_usage);
		options_clear(&o);
		return 1;
	}
	switch (o.mode) {
	case OPTIONS_SERVICE:
	case OPTIONS_STANDALONE:
		status = serve(&o);
		break;
	case OPTIONS_TEST:
		status = verify_config(&o.source) == 0 ? 0 : 1;
		break;
	case OPTIONS_DUMP:
		status = dump(&o);
		break;
	case OPTIONS_VERSION:
		version_print(stdout);
		status = 0;
		break;
	}
	options_clear(&o);
	return status;
}
