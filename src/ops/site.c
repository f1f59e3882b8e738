/* SPDX-License-Identifier: ISC */
#include "ops/site.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/mem.h"
#include "ops/replace.h"

/* master.cf is read first: the options in it win over main.cf, also for the
 * name of the cache file. Warnings are doorbelld's to say; a command that is
 * about something else repeats only what stops it. */

#define POSTFIX_DIRECTORY "/etc/postfix"
#define MASTER_CF_MAX ((size_t)4 << 20)

static int
add_word(struct span value, void *arg)
{
	struct words *w = arg;

	/* No more words than bytes. */
	if ((w->at[w->n] = mem_strndup(value.p, value.n)) == NULL)
		return -1;
	w->n++;
	return 0;
}

int
words_collect(struct words *words, const struct master_entry *entry)
{
	*words = (struct words){.max = strlen(entry->text) + 1};
	if ((words->at = mem_array(words->max, sizeof(*words->at))) == NULL)
		return -1;
	return master_entry_options(entry, add_word, words);
}

void
words_clear(struct words *words)
{
	for (size_t i = 0; i < words->n; i++)
		mem_free(words->at[i]);
	mem_free(words->at);
	*words = (struct words){0};
}

static void
report(enum config_severity severity, const char *file, int line,
    const char *text, void *arg)
{
	(void)arg;
	if (severity != CONFIG_ERROR)
		return;
	if (file == NULL)
		fprintf(stderr, "doorbellctl: error: %s\n", text);
	else
		fprintf(stderr, "%s:%d: error: %s\n", file, line, text);
}

int
site_find(struct site *site, const char *path, struct errtext *why)
{
	struct stat st;

	*site = (struct site){0};
	if (path == NULL && (path = getenv("MAIL_CONFIG")) == NULL)
		path = POSTFIX_DIRECTORY;
	if ((site->path = realpath(path, NULL)) == NULL ||
	    stat(site->path, &st) < 0) {
		errtext_set(why, "%s: %s", path, strerror(errno));
		return -1;
	}
	if (S_ISDIR(st.st_mode))
		site->directory = site->path;
	return 0;
}

/* A directory without master.cf is one where doorbelld runs on its own. */
static int
read_master(struct site *site, struct errtext *why)
{
	char *path = mem_printf("%s/master.cf", site->directory);
	struct buf text;
	int rc = -1;

	errtext_set(why, "%s", strerror(ENOMEM));
	buf_init(&text, MASTER_CF_MAX);
	if (path != NULL) {
		rc = replace_read(path, &text, NULL, why);
		if (rc == 0)
			rc = master_cf_parse(
			    &site->master, buf_span(&text), why);
		else if (errno == ENOENT)
			rc = 0;
	}
	buf_clear(&text);
	mem_free(path);
	return rc;
}

static int
read_options(struct site *site, struct errtext *why)
{
	for (size_t i = 0; i < site->master.entries; i++) {
		if (!master_entry_runs(&site->master.entry[i], "doorbelld"))
			continue;
		site->is_service = true;
		if (words_collect(&site->options, &site->master.entry[i]) == 0)
			return 0;
		errtext_set(why, "%s", strerror(errno));
		return -1;
	}
	return 0;
}

int
site_read(struct site *site, struct errtext *why)
{
	struct config_source source = {0};

	if (site->directory != NULL &&
	    (read_master(site, why) < 0 || read_options(site, why) < 0))
		return -1;
	source.directory = site->directory;
	source.file = site->directory == NULL ? site->path : NULL;
	source.overrides = (const char *const *)site->options.at;
	source.override_count = site->options.n;
	if ((site->config = config_load(&source, report, NULL)) == NULL) {
		errtext_set(
		    why, "%s: the configuration has errors", site->path);
		return -1;
	}
	site->cfg = config_under(site->config, false);
	return 0;
}

int
site_open(struct site *site, const char *path, struct errtext *why)
{
	if (site_find(site, path, why) < 0)
		return -1;
	return site_read(site, why);
}

void
site_close(struct site *site)
{
	config_unref(&site->config);
	words_clear(&site->options);
	master_cf_clear(&site->master);
	mem_free(site->path);
	*site = (struct site){0};
}
