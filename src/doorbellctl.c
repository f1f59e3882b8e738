/* SPDX-License-Identifier: ISC */
/* doorbellctl - look after a doorbelld: a table of subcommands. */
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "ops/cache_tool.h"
#include "ops/postfix_edit.h"

enum { USAGE_ERROR = 2 };

struct request {
	const char *config;
	bool dry_run;
	const char *argument; /* or NULL */
};

static int
run_import(const struct request *r)
{
	return cache_import(r->config, r->argument);
}

static int
run_export(const struct request *r)
{
	return cache_export(r->config);
}

static int
run_list(const struct request *r)
{
	return cache_list(r->config);
}

static int
run_get(const struct request *r)
{
	return cache_get(r->config, r->argument);
}

static int
run_delete(const struct request *r)
{
	return cache_delete(r->config, r->argument);
}

static struct postfix_request
to_postfix(const struct request *r)
{
	return (struct postfix_request){
	    .config = r->config, .service = r->argument, .dry_run = r->dry_run};
}

static int
run_enable(const struct request *r)
{
	const struct postfix_request request = to_postfix(r);

	return postfix_enable(&request);
}

static int
run_disable(const struct request *r)
{
	const struct postfix_request request = to_postfix(r);

	return postfix_disable(&request);
}

static int
run_status(const struct request *r)
{
	const struct postfix_request request = to_postfix(r);

	return postfix_status(&request);
}

enum argument { NO_ARGUMENT, MAY_ARGUMENT, MUST_ARGUMENT };

static const struct subcommand {
	const char *group, *verb;
	int (*run)(const struct request *r);
	enum argument argument;
	bool can_dry_run;
	const char *usage;
} subcommands[] = {
    {"postfix", "enable", run_enable, MAY_ARGUMENT, true,
	"[--dry-run] postfix enable [service]"},
    {"postfix", "disable", run_disable, MAY_ARGUMENT, true,
	"[--dry-run] postfix disable [service]"},
    {"postfix", "status", run_status, MAY_ARGUMENT, false,
	"postfix status [service]"},
    {"cache", "import", run_import, MAY_ARGUMENT, false, "cache import [file]"},
    {"cache", "export", run_export, NO_ARGUMENT, false, "cache export"},
    {"cache", "list", run_list, NO_ARGUMENT, false, "cache list"},
    {"cache", "get", run_get, MUST_ARGUMENT, false, "cache get address"},
    {"cache", "delete", run_delete, MUST_ARGUMENT, false,
	"cache delete address"},
};

enum { SUBCOMMANDS = sizeof(subcommands) / sizeof(subcommands[0]) };

static int
usage(FILE *out)
{
	fprintf(out, "usage:\n");
	for (size_t i = 0; i < SUBCOMMANDS; i++)
		fprintf(out, "  doorbellctl [-c FILE|DIRECTORY] %s\n",
		    subcommands[i].usage);
	fprintf(out, "  doorbellctl -V\n");
	return USAGE_ERROR;
}

static int
dispatch(struct request *r, char **words, int n)
{
	for (size_t i = 0; i < SUBCOMMANDS; i++) {
		const struct subcommand *s = &subcommands[i];

		if (n < 2 || strcmp(words[0], s->group) != 0 ||
		    strcmp(words[1], s->verb) != 0)
			continue;
		if (n > (s->argument == NO_ARGUMENT ? 2 : 3) ||
		    (s->argument == MUST_ARGUMENT && n < 3) ||
		    (r->dry_run && !s->can_dry_run))
			break;
		r->argument = n > 2 ? words[2] : NULL;
		return s->run(r);
	}
	return usage(stderr);
}

int
main(int argc, char **argv)
{
	static const struct option longs[] = {
	    {"dry-run", no_argument, NULL, 'n'},
	    {"help", no_argument, NULL, 'h'},
	    {NULL, 0, NULL, 0},
	};
	struct request r = {0};
	int c;

	while ((c = getopt_long(argc, argv, "c:hnV", longs, NULL)) != -1) {
		switch (c) {
		case 'c':
			r.config = optarg;
			break;
		case 'n':
			r.dry_run = true;
			break;
		case 'h':
			usage(stdout);
			return 0;
		case 'V':
			printf("doorbellctl %s\n", DOORBELL_VERSION);
			return 0;
		default:
			return usage(stderr);
		}
	}
	return dispatch(&r, argv + optind, argc - optind);
}
