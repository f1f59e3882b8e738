/* SPDX-License-Identifier: ISC */
#include "daemon/options.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/mem.h"
#include "base/num.h"

/* master(8) passes only short options with separate values, and -t means the
 * type of transport there: so the two command lines are told apart before
 * getopt sees any of them. */

#define POSTFIX_DIRECTORY "/etc/postfix"
#define LISTEN_SOCKETS_MAX 64

const char options_usage[] =
    "usage: doorbelld [-fv] [-c FILE|DIRECTORY] [-o name=value]...\n"
    "       doorbelld -t [-c FILE|DIRECTORY] [-o name=value]...\n"
    "       doorbelld -d|-n|-x [-c FILE|DIRECTORY] [-o name=value]..."
    " [name...]\n"
    "       doorbelld -V\n";

static bool
is_transport(const char *s)
{
	return strcmp(s, "inet") == 0 || strcmp(s, "unix") == 0 ||
	       strcmp(s, "pass") == 0;
}

static bool
is_service(int argc, char **argv)
{
	if (getenv("GENERATION") == NULL)
		return false;
	for (int i = 1; i + 1 < argc; i++) {
		if (strcmp(argv[i], "-t") == 0 && is_transport(argv[i + 1]))
			return true;
	}
	return false;
}

static void
add_override(struct options *o, const char *text)
{
	o->overrides[o->source.override_count++] = text;
}

/* A directory holds main.cf; anything else is a file of its own. */
static int
choose_source(struct options *o, const char *path, struct errtext *why)
{
	struct stat st;

	if (path == NULL && (path = getenv("MAIL_CONFIG")) == NULL)
		path = POSTFIX_DIRECTORY;
	/* Absolute: the working directory will be the queue. */
	if ((o->source_path = realpath(path, NULL)) == NULL ||
	    stat(o->source_path, &st) < 0) {
		errtext_set(why, "%s: %s", path, strerror(errno));
		return -1;
	}
	if (S_ISDIR(st.st_mode))
		o->source.directory = o->source_path;
	else
		o->source.file = o->source_path;
	return 0;
}

static int
parse_sockets(struct options *o, struct errtext *why)
{
	int64_t n;

	if (num_parse(span_str(optarg), 1, LISTEN_SOCKETS_MAX, &n) < 0) {
		errtext_set(why, "-s %s: not a number of sockets", optarg);
		return -1;
	}
	o->sockets = (int)n;
	return 0;
}

static int
parse_service(struct options *o, int argc, char **argv, struct errtext *why)
{
	int c;

	o->mode = OPTIONS_SERVICE;
	o->sockets = 1;
	while ((c = getopt(argc, argv, "cdDi:lm:n:o:r:s:St:uvVz")) != -1) {
		switch (c) {
		case 'c':
			o->chroot = true;
			break;
		case 'l':
			o->alone = true;
			break;
		case 'o':
			add_override(o, optarg);
			break;
		case 's':
			if (parse_sockets(o, why) < 0)
				return -1;
			break;
		case 'u':
			o->unprivileged = true;
			break;
		case 'v':
			o->verbose++;
			break;
		case 'd':
		case 'D':
		case 'i':
		case 'm':
		case 'n':
		case 'r':
		case 'S':
		case 't':
		case 'V':
		case 'z':
			break; /* of no meaning to a single process */
		default:
			errtext_set(why, "unknown option in master.cf");
			return -1;
		}
	}
	return choose_source(o, NULL, why);
}

static void
choose_dump(struct options *o, unsigned how)
{
	o->mode = OPTIONS_DUMP;
	o->dump |= how;
}

static int
parse_people(struct options *o, int argc, char **argv, struct errtext *why)
{
	const char *config = NULL;
	int c;

	o->mode = OPTIONS_STANDALONE;
	opterr = 0;
	while ((c = getopt(argc, argv, "c:dfno:tvVx")) != -1) {
		switch (c) {
		case 'c':
			config = optarg;
			break;
		case 'd':
			choose_dump(o, CONFIG_DUMP_DEFAULTS);
			break;
		case 'f':
			o->foreground = true;
			break;
		case 'n':
			choose_dump(o, CONFIG_DUMP_EXPLICIT);
			break;
		case 'o':
			add_override(o, optarg);
			break;
		case 't':
			o->mode = OPTIONS_TEST;
			break;
		case 'v':
			o->verbose++;
			break;
		case 'V':
			o->mode = OPTIONS_VERSION;
			break;
		case 'x':
			choose_dump(o, CONFIG_DUMP_EXPAND);
			break;
		default:
			errtext_set(
			    why, "-%c: unknown option, or no value", optopt);
			return -1;
		}
	}
	o->names = argv + optind;
	o->name_count = (size_t)(argc - optind);
	if (o->name_count > 0 && o->mode != OPTIONS_DUMP) {
		errtext_set(why, "%s: unexpected word", argv[optind]);
		return -1;
	}
	if (o->mode == OPTIONS_VERSION)
		return 0;
	return choose_source(o, config, why);
}

int
options_parse(struct options *o, int argc, char **argv, struct errtext *why)
{
	int rc;

	memset(o, 0, sizeof(*o));
	o->overrides = mem_array((size_t)argc + 1, sizeof(*o->overrides));
	if (o->overrides == NULL) {
		errtext_set(why, "%s", strerror(errno));
		return -1;
	}
	o->source.overrides = o->overrides;
	if (is_service(argc, argv))
		rc = parse_service(o, argc, argv, why);
	else
		rc = parse_people(o, argc, argv, why);
	return rc;
}

void
options_clear(struct options *o)
{
	mem_free(o->overrides);
	o->overrides = NULL;
	mem_free(o->source_path);
	o->source_path = NULL;
}

bool
options_override(const struct options *o, const char *name)
{
	size_t n = strlen(name);

	for (size_t i = 0; i < o->source.override_count; i++) {
		struct span word = span_trim(span_str(o->overrides[i]));

		if (span_has_prefix(word, name) && word.n > n &&
		    (word.p[n] == '=' || text_is_space(word.p[n])))
			return true;
	}
	return false;
}
