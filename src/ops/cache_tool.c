/* SPDX-License-Identifier: ISC */
#include "ops/cache_tool.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "lookup/cache.h"
#include "lookup/cache_file.h"
#include "ops/pass_text.h"
#include "ops/site.h"

/* LMDB lets several processes share a file, and each record is merged within
 * the transaction that stores it: nothing has to stop for us. Transactions are
 * short, so that the writer of doorbelld, which waits for the same lock, does
 * not wait long. */

enum { BATCH_MAX = 1000, LINE_BYTES = 1024, TEXT_BYTES = 1024 };

/* What a command does with the file: who only reads leaves even a damaged one
 * alone, and only an import may begin a new one. */
enum use { USE_READ, USE_CHANGE, USE_FILL };

struct tool {
	struct site site;
	enum use use;
	bool json;
	struct cache_place place;
	struct cache_file *file;
};

static int
complain(const struct errtext *why)
{
	fflush(stdout);
	fprintf(stderr, "doorbellctl: %s\n", why->text);
	return 1;
}

/* --- opening --------------------------------------------------------------- */

/* For good: what comes next reads files that this user can write. */
static int
become_owner(const struct site *site, struct errtext *why)
{
	const char *name =
	    site->is_service ? site->cfg->postfix.mail_owner : site->cfg->user;
	struct passwd *pw;

	if (geteuid() != 0)
		return 0;
	errno = 0;
	if ((pw = getpwnam(name)) == NULL) {
		errtext_set(why, "user %s: %s", name,
		    errno != 0 ? strerror(errno) : "unknown");
		return -1;
	}
	if (initgroups(name, pw->pw_gid) == 0 && setgid(pw->pw_gid) == 0 &&
	    setuid(pw->pw_uid) == 0)
		return 0;
	errtext_set(why, "cannot become user %s: %s", name, strerror(errno));
	return -1;
}

static int
check_there(const struct tool *t, const char *path, struct errtext *why)
{
	struct stat st;

	if (t->use != USE_CHANGE ||
	    fstatat(t->place.dir, t->place.name, &st, 0) == 0)
		return 0;
	errtext_set(why, "%s: %s", path,
	    errno == ENOENT ? "there is no cache yet" : strerror(errno));
	return -1;
}

static int
open_cache(struct tool *t, struct errtext *why)
{
	const char *path = cache_map_path(t->site.cfg->cache_map, why);

	if (path == NULL)
		return -1;
	if (path[0] == '\0') {
		errtext_set(why, "doorbell_cache_map is empty: no cache");
		return -1;
	}
	if (cache_place_init(&t->place, path, (uid_t)-1, (gid_t)-1) < 0) {
		errtext_set(why, "%s: %s", path, strerror(errno));
		return -1;
	}
	if (become_owner(&t->site, why) < 0 || check_there(t, path, why) < 0)
		return -1;
	if (t->use == USE_READ)
		t->file =
		    cache_file_open_to_read(&t->place, CACHE_MAP_BYTES, why);
	else
		t->file = cache_file_open(&t->place, CACHE_MAP_BYTES, why);
	if (t->file != NULL && why->text[0] != '\0')
		complain(why);
	return t->file != NULL ? 0 : -1;
}

static int
tool_begin(struct tool *t, const char *config, enum use use, bool json,
    struct errtext *why)
{
	*t = (struct tool){.place = {.dir = -1}, .use = use, .json = json};
	return site_open(&t->site, config, why) < 0 ? -1 : open_cache(t, why);
}

static void
tool_end(struct tool *t)
{
	cache_file_close(&t->file);
	cache_place_clear(&t->place);
	site_close(&t->site);
}

static int
flush_output(struct errtext *why)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return 0;
	errtext_set(why, "cannot write: %s", strerror(errno));
	return -1;
}

/* --- import ---------------------------------------------------------------- */

struct import {
	struct tool *tool;
	FILE *in;
	struct cache_change *batch;
	size_t waiting;
	unsigned long line, taken, bad;
};

static int
import_flush(struct import *i, struct errtext *why)
{
	if (i->waiting > 0 && cache_file_apply(i->tool->file, i->batch,
				  i->waiting, why) != CACHE_FILE_DONE)
		return -1;
	i->taken += i->waiting;
	i->waiting = 0;
	return 0;
}

static void
reject_line(struct import *i, struct errtext *bad)
{
	i->bad++;
	errtext_prefix(bad, "line %lu", i->line);
	complain(bad);
}

static int
import_line(struct import *i, struct span line, struct errtext *why)
{
	const struct config *cfg = i->tool->site.cfg;
	struct cache_change *change = &i->batch[i->waiting];
	struct addr client;
	struct errtext bad;

	*change = (struct cache_change){.store = true};
	switch (pass_text_parse(line, &client, &change->record, &bad)) {
	case PASS_TEXT_NOTHING:
		return 0;
	case PASS_TEXT_BAD:
		reject_line(i, &bad);
		return 0;
	case PASS_TEXT_RECORD:
		break;
	}
	change->key = record_key_of(&client, (unsigned)cfg->ipv4_prefix_length,
	    (unsigned)cfg->ipv6_prefix_length);
	return ++i->waiting < BATCH_MAX ? 0 : import_flush(i, why);
}

/* A line may hold anything, NULs as well. *n_r tells how long it is, also when it
 * has no room; false at the end of the file. */
static bool
read_line(FILE *in, char line[LINE_BYTES], size_t *n_r)
{
	size_t n = 0;
	int c;

	for (; (c = getc(in)) != EOF && c != '\n'; n++)
		if (n < LINE_BYTES)
			line[n] = (char)c;
	*n_r = n;
	return c != EOF || n > 0;
}

static int
import_all(struct import *i, struct errtext *why)
{
	char line[LINE_BYTES];
	struct errtext bad;
	size_t n;

	while (read_line(i->in, line, &n)) {
		i->line++;
		if (n > LINE_BYTES) {
			errtext_set(&bad, "too long");
			reject_line(i, &bad);
		} else if (import_line(i, span_of(line, n), why) < 0) {
			return -1;
		}
	}
	if (ferror(i->in)) {
		errtext_set(why, "cannot read: %s", strerror(errno));
		return -1;
	}
	return import_flush(i, why);
}

static int
take_batch(struct import *i, struct errtext *why)
{
	if ((i->batch = mem_array(BATCH_MAX, sizeof(*i->batch))) != NULL)
		return 0;
	errtext_set(why, "%s", strerror(errno));
	return -1;
}

static void
say_imported(const struct import *i)
{
	if (i->tool->json)
		printf("{\"imported\":%lu,\"bad\":%lu}\n", i->taken, i->bad);
	else
		printf(
		    "%lu records imported, %lu bad lines\n", i->taken, i->bad);
	fflush(stdout);
}

static int
import_from(const char *config, FILE *in, bool json)
{
	struct tool t = {.place = {.dir = -1}, .json = json};
	struct import i = {.tool = &t, .in = in};
	struct errtext why = {""};
	int status = 1;

	if (take_batch(&i, &why) < 0 ||
	    tool_begin(&t, config, USE_FILL, json, &why) < 0 ||
	    import_all(&i, &why) < 0)
		complain(&why);
	else
		status = i.bad == 0 ? 0 : 1;
	say_imported(&i);
	mem_free(i.batch);
	tool_end(&t);
	return status;
}

int
cache_import(const char *config, const char *path, bool json)
{
	struct errtext why;
	FILE *in = stdin;
	int status;

	/* Root's file, read by whoever we become. */
	if (path != NULL && strcmp(path, "-") != 0 &&
	    (in = fopen(path, "re")) == NULL) {
		errtext_set(&why, "%s: %s", path, strerror(errno));
		return complain(&why);
	}
	status = import_from(config, in, json);
	if (in != stdin)
		(void)fclose(in);
	return status;
}

/* --- export and list ------------------------------------------------------- */

typedef int show_fn(const struct addr_block *client,
    const struct record *record, struct buf *out);

static int
show_record(const struct addr_block *client, const struct record *record,
    struct buf *out)
{
	return pass_text_format(&client->base, record, out);
}

static int
show_json(const struct addr_block *client, const struct record *record,
    struct buf *out)
{
	return pass_text_json(client, record, out);
}

static int
show_people(const struct addr_block *client, const struct record *record,
    struct buf *out)
{
	if (pass_text_describe(client, record, clock_wall(), out) < 0)
		return -1;
	return buf_add_char(out, '\n');
}

/* A record that went between the scan and now is not there any more. */
static int
show(struct tool *t, const struct record_key *key, show_fn *fn,
    struct errtext *why)
{
	struct addr_block client;
	struct record record;
	struct buf line;
	int rc;

	switch (cache_file_get(t->file, key, &record, why)) {
	case CACHE_FILE_DONE:
		break;
	case CACHE_FILE_ABSENT:
		return 0;
	default:
		return -1;
	}
	if (record_key_block(
		span_of((const char *)key->bytes, key->n), &client) < 0)
		return 0;
	buf_init(&line, TEXT_BYTES);
	if ((rc = fn(&client, &record, &line)) == 0)
		(void)fwrite(line.p, 1, line.n, stdout);
	else
		errtext_set(why, "%s", strerror(errno));
	buf_clear(&line);
	return rc;
}

static int
show_all(struct tool *t, show_fn *for_people, struct errtext *why)
{
	show_fn *fn = t->json ? show_json : for_people;
	struct cache_scanned *scanned = mem_array(BATCH_MAX, sizeof(*scanned));
	struct record_key last;
	size_t n = BATCH_MAX;
	bool begun = false;
	int rc = scanned != NULL ? 0 : -1;

	errtext_set(why, "%s", strerror(ENOMEM));
	while (rc == 0 && n == BATCH_MAX) {
		if (cache_file_scan(t->file, begun ? &last : NULL, scanned,
			BATCH_MAX, &n, why) != CACHE_FILE_DONE)
			rc = -1;
		for (size_t i = 0; rc == 0 && i < n; i++)
			rc = show(t, &scanned[i].key, fn, why);
		if (n > 0)
			last = scanned[n - 1].key;
		begun = true;
	}
	mem_free(scanned);
	return rc;
}

static int
write_out(const char *config, bool json, show_fn *fn)
{
	struct tool t;
	struct errtext why = {""};
	int status = 0;

	if (tool_begin(&t, config, USE_READ, json, &why) < 0 ||
	    show_all(&t, fn, &why) < 0 || flush_output(&why) < 0)
		status = complain(&why);
	tool_end(&t);
	return status;
}

int
cache_export(const char *config, bool json)
{
	return write_out(config, json, show_record);
}

int
cache_list(const char *config, bool json)
{
	return write_out(config, json, show_people);
}

/* --- one client ------------------------------------------------------------ */

typedef int client_fn(struct tool *t, const struct record_key *key,
    const char *address, struct errtext *why);

static int
get_client(struct tool *t, const struct record_key *key, const char *address,
    struct errtext *why)
{
	(void)address;
	return show(t, key, t->json ? show_json : show_people, why);
}

static int
delete_client(struct tool *t, const struct record_key *key, const char *address,
    struct errtext *why)
{
	const struct cache_change change = {.key = *key, .forget = true};

	if (cache_file_apply(t->file, &change, 1, why) != CACHE_FILE_DONE)
		return -1;
	if (t->json)
		printf("{\"client\":\"%s\"}\n", address);
	return 0;
}

static int
with_known(
    struct tool *t, const char *address, client_fn *fn, struct errtext *why)
{
	const struct config *cfg = t->site.cfg;
	struct record_key key;
	struct record record;
	struct addr client;

	if (addr_parse(span_str(address), &client) < 0) {
		errtext_set(why, "%s: not an address", address);
		return -1;
	}
	key = record_key_of(&client, (unsigned)cfg->ipv4_prefix_length,
	    (unsigned)cfg->ipv6_prefix_length);
	switch (cache_file_get(t->file, &key, &record, why)) {
	case CACHE_FILE_DONE:
		return fn(t, &key, address, why) < 0 ? -1 : flush_output(why);
	case CACHE_FILE_ABSENT:
		errtext_set(why, "%s: not in the cache", address);
		return -1;
	default:
		return -1;
	}
}

static int
with_client(const char *config, const char *address, enum use use, bool json,
    client_fn *fn)
{
	struct tool t;
	struct errtext why = {""};
	int status = 0;

	if (tool_begin(&t, config, use, json, &why) < 0 ||
	    with_known(&t, address, fn, &why) < 0)
		status = complain(&why);
	tool_end(&t);
	return status;
}

int
cache_get(const char *config, const char *address, bool json)
{
	return with_client(config, address, USE_READ, json, get_client);
}

int
cache_delete(const char *config, const char *address, bool json)
{
	return with_client(config, address, USE_CHANGE, json, delete_client);
}

/* --- for explain ------------------------------------------------------------ */

struct known_rules {
	struct rules *rules;
	int error; /* not all of them are there */
};

static void
take_rule(struct span key, struct span bytes, void *arg)
{
	struct known_rules *known = arg;
	struct rule rule;

	if (rules_decode(key, bytes, &rule) == 0 &&
	    rules_set(known->rules, &rule) < 0)
		known->error = errno;
}

static int
peek(struct tool *t, const struct addr *client, struct record *record_r,
    struct rules *rules, struct errtext *why)
{
	const struct config *cfg = t->site.cfg;
	struct record_key key =
	    record_key_of(client, (unsigned)cfg->ipv4_prefix_length,
		(unsigned)cfg->ipv6_prefix_length);
	struct known_rules known = {.rules = rules};

	if (cache_file_each_note(t->file, take_rule, &known, why) !=
	    CACHE_FILE_DONE)
		return -1;
	if (known.error != 0) {
		errtext_set(why, "rules: %s", strerror(known.error));
		return -1;
	}
	switch (cache_file_get(t->file, &key, record_r, why)) {
	case CACHE_FILE_DONE:
		return 1;
	case CACHE_FILE_ABSENT:
		return 0;
	default:
		return -1;
	}
}

int
cache_peek(const struct site *site, const struct addr *client,
    struct record *record_r, struct rules *rules, struct errtext *why)
{
	/* The site stays the caller's. */
	struct tool t = {.site = *site, .place = {.dir = -1}, .use = USE_READ};
	int known = -1;

	if (open_cache(&t, why) == 0)
		known = peek(&t, client, record_r, rules, why);
	cache_file_close(&t.file);
	cache_place_clear(&t.place);
	return known;
}

int
cache_totals(const char *config, uint32_t from, cache_total_fn *fn, void *arg,
    struct errtext *why)
{
	struct tool t;
	int rc = -1;

	if (tool_begin(&t, config, USE_READ, false, why) == 0 &&
	    cache_file_each_total(t.file, from, fn, arg, why) ==
		CACHE_FILE_DONE)
		rc = 0;
	tool_end(&t);
	return rc;
}
