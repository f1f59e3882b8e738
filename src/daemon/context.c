/* SPDX-License-Identifier: ISC */
#include "daemon/context.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/num.h"
#include "daemon/drain.h"
#include "daemon/jail.h"
#include "daemon/logging.h"
#include "daemon/reload.h"

/* The order of context_new() is the order of needs: log, configuration, the
 * queue directory (all relative names start there), tables and the cache while
 * everything can be read, listeners, then no privileges any more. */

enum { HOUSEKEEPING_MS = 1000 };

#define CACHE_TYPE "lmdb:"

static void
on_arrival(int fd, const struct endpoint *client, const struct endpoint *server,
    void *arg)
{
	struct doorbell *d = arg;

	if (d->options->mode == OPTIONS_SERVICE)
		postfix_introduce(&d->channel);
	screen_arrive(d->screen, fd, client, server);
}

static void
on_accept_trouble(int error, bool paused, void *arg)
{
	struct doorbell *d = arg;

	counters_bump(&d->counters, COUNTER_ACCEPT_ERRORS);
	if (!paused)
		return;
	counters_bump(&d->counters, COUNTER_ACCEPT_PAUSES);
	log_warning(
	    "accepting connections rests for a moment: %s", strerror(error));
}

static const struct listen_ops listen_ops = {
    .arrived = on_arrival,
    .trouble = on_accept_trouble,
};

static int
keep_listener(struct doorbell *d, struct listener *l, struct errtext *why)
{
	if (l == NULL)
		return -1;
	if (d->listener_count == CONTEXT_LISTENERS_MAX) {
		errtext_set(why, "more than %d listening sockets",
		    CONTEXT_LISTENERS_MAX);
		listen_free(&l);
		return -1;
	}
	d->listeners[d->listener_count++] = l;
	return 0;
}

static int
adopt_listeners(struct doorbell *d, struct errtext *why)
{
	for (int i = 0; i < d->options->sockets; i++) {
		if (keep_listener(d,
			listen_adopt(d->loop, POSTFIX_LISTEN_FD + i, why),
			why) < 0)
			return -1;
	}
	return 0;
}

/* "inet:HOST:PORT", "inet:[HOST]:PORT" or without "inet:". */
static int
parse_listen(struct span word, struct endpoint *where, struct errtext *why)
{
	struct span host = word;
	size_t colon;
	int64_t port;

	if (span_has_prefix(host, "inet:"))
		host = span_of(word.p + 5, word.n - 5);
	for (colon = host.n; colon > 0 && host.p[colon - 1] != ':'; colon--)
		;
	if (colon < 2 || num_parse(span_of(host.p + colon, host.n - colon), 1,
			     65535, &port) < 0)
		goto bad;
	host.n = colon - 1;
	if (host.n > 2 && host.p[0] == '[' && host.p[host.n - 1] == ']')
		host = span_of(host.p + 1, host.n - 2);
	if (addr_parse(host, &where->addr) < 0)
		goto bad;
	where->port = (uint16_t)port;
	return 0;
bad:
	errtext_set(why, "doorbell_listen: \"%.*s\" is not inet:address:port",
	    (int)word.n, word.p);
	return -1;
}

static int
open_listeners(struct doorbell *d, struct errtext *why)
{
	struct span rest = span_str(config_under(d->config, false)->listen);
	struct endpoint where;
	struct span word;

	while (text_token(&rest, TEXT_LIST_SEPARATORS, &word)) {
		if (parse_listen(word, &where, why) < 0 ||
		    keep_listener(d, listen_open(d->loop, &where, why), why) <
			0)
			return -1;
	}
	if (d->listener_count > 0)
		return 0;
	errtext_set(why, "doorbell_listen is empty");
	return -1;
}

/* A cache that cannot be used is no reason not to screen. */
static int
open_cache(
    struct doorbell *d, const struct jail_user *user, struct errtext *why)
{
	const char *map = config_under(d->config, false)->cache_map;
	const struct cache_options o = {
	    .path = map + strlen(CACHE_TYPE),
	    .uid = geteuid() == 0 ? user->uid : (uid_t)-1,
	    .gid = geteuid() == 0 ? user->gid : (gid_t)-1,
	};
	struct errtext trouble = {""};

	if (map[0] == '\0')
		return 0;
	if (!span_has_prefix(span_str(map), CACHE_TYPE)) {
		errtext_set(why,
		    "doorbell_cache_map = %s: only lmdb:/path can be a cache",
		    map);
		return -1;
	}
	if ((d->cache = cache_open(&o, &trouble)) == NULL) {
		errtext_set(why, "cache: %s", strerror(errno));
		return -1;
	}
	if (trouble.text[0] != '\0')
		log_warning("cache: %s", trouble.text);
	return 0;
}

static int
enter_queue(const struct config *cfg, struct errtext *why)
{
	if (chdir(cfg->postfix.queue_directory) == 0)
		return 0;
	errtext_set(why, "queue_directory %s: %s", cfg->postfix.queue_directory,
	    strerror(errno));
	return -1;
}

/* What a service must have been given by master. */
static int
check_service(const struct options *o, struct errtext *why)
{
	if (o->mode != OPTIONS_SERVICE)
		return 0;
	if (!o->alone) {
		errtext_set(why, "master.cf: the maxproc field of this service"
				 " must be 1");
		return -1;
	}
	if (!o->unprivileged) {
		errtext_set(why, "master.cf: the unpriv field of this service"
				 " must be y");
		return -1;
	}
	return postfix_check_descriptors(o->sockets, why);
}

static int
build_screen(struct doorbell *d, struct errtext *why)
{
	const struct screen_options s = {
	    .loop = d->loop,
	    .counters = &d->counters,
	    .cache = d->cache,
	};
	struct policy *policy;

	if ((d->screen = screen_new(&s)) == NULL) {
		errtext_set(why, "%s", strerror(errno));
		return -1;
	}
	if ((policy = reload_make_policy(d, d->config, why)) == NULL)
		return -1;
	screen_set_policy(d->screen, policy);
	policy_unref(&policy);
	return 0;
}

/* All that needs root, or files outside a chroot. */
static int
build_privileged(
    struct doorbell *d, struct jail_user *user, struct errtext *why)
{
	const struct config *cfg = config_under(d->config, false);
	bool service = d->options->mode == OPTIONS_SERVICE;

	if (jail_find_user(
		service ? cfg->postfix.mail_owner : cfg->user, user, why) < 0 ||
	    enter_queue(cfg, why) < 0)
		return -1;
	d->descriptor_limit = jail_raise_descriptors();
	if ((d->loop = loop_new()) == NULL) {
		errtext_set(why, "event loop: %s", strerror(errno));
		return -1;
	}
	if (open_cache(d, user, why) < 0 || build_screen(d, why) < 0)
		return -1;
	return service ? adopt_listeners(d, why) : open_listeners(d, why);
}

static int
drop_privileges(
    const struct doorbell *d, const struct jail_user *user, struct errtext *why)
{
	if (d->options->chroot && jail_change_root(why) < 0)
		return -1;
	if (jail_become(user, why) < 0)
		return -1;
	jail_forbid_core();
	return 0;
}

static struct doorbell *
begin_context(const struct options *o, struct errtext *why)
{
	struct doorbell *d = mem_new(sizeof(*d));

	if (d == NULL) {
		errtext_set(why, "%s", strerror(errno));
		return NULL;
	}
	d->options = o;
	if (logging_start(&d->logsock, o, NULL, why) < 0)
		context_free(&d);
	return d;
}

struct doorbell *
context_new(const struct options *o, struct errtext *why)
{
	struct doorbell *d;
	struct jail_user user;

	if ((d = begin_context(o, why)) == NULL)
		return NULL;
	if (check_service(o, why) < 0)
		goto failed;
	if ((d->config = config_load(&o->source, reload_report, NULL)) ==
	    NULL) {
		errtext_set(why, "the configuration has errors");
		goto failed;
	}
	if (logging_start(&d->logsock, o, d->config, why) < 0)
		goto failed;
	log_info("doorbelld %s starting %s", DOORBELL_VERSION,
	    o->mode == OPTIONS_SERVICE ? "as a Postfix service" : "standalone");
	if (build_privileged(d, &user, why) < 0 ||
	    drop_privileges(d, &user, why) < 0)
		goto failed;
	return d;
failed:
	/* Where lines go is known by now: the caller's last word goes there. */
	log_error("%s", why->text);
	context_free(&d);
	return NULL;
}

/* --- running ------------------------------------------------------------- */

static void
note_cache_news(struct doorbell *d)
{
	const struct config *cfg = screen_config(d->screen, d->screen->policy);
	struct cache_news news;
	char text[96];

	cache_take_news(d->cache, &news);
	counters_add(&d->counters, COUNTER_CACHE_DROPS, news.lost);
	if (news.swept) {
		(void)snprintf(text, sizeof(text),
		    "retained=%llu dropped=%llu entries",
		    (unsigned long long)news.retained,
		    (unsigned long long)news.dropped);
		log_info("cache %s full cleanup: %s", cfg->cache_map, text);
	}
	if (news.full)
		log_warning("cache %s is full: some clients will be tested"
			    " again",
		    cfg->cache_map);
	if (news.failed)
		log_warning("cache %s: %s; going on without it", cfg->cache_map,
		    news.why.text);
}

/* The first sweep is at the start, as in postscreen. */
static void
sweep_when_due(struct doorbell *d)
{
	const struct config *cfg = screen_config(d->screen, d->screen->policy);

	if (cfg->cache_cleanup_interval == 0 || d->draining)
		return;
	if (d->swept && mono_between(d->swept_at, loop_now(d->loop)) <
			    cfg->cache_cleanup_interval)
		return;
	d->swept = true;
	d->swept_at = loop_now(d->loop);
	cache_sweep(d->cache,
	    wall_after(clock_wall(), -cfg->cache_retention_time / 1000));
}

/* A loop that stands still is ended by SIGALRM; master starts a new one. */
static void
feed_watchdog(const struct doorbell *d)
{
	const struct config *cfg = screen_config(d->screen, d->screen->policy);

	alarm((unsigned)(cfg->watchdog_timeout / 1000));
}

static void
count_log_drops(struct doorbell *d)
{
	uint64_t drops = logsock_drops(d->logsock);

	counters_add(&d->counters, COUNTER_LOG_DROPS, drops - d->log_drops);
	d->log_drops = drops;
}

static void
on_housekeeping(struct loop_timer *timer)
{
	struct doorbell *d = OWNER_OF(timer, struct doorbell, housekeeping);

	(void)loop_timer_start(timer, HOUSEKEEPING_MS);
	feed_watchdog(d);
	count_log_drops(d);
	if (d->cache != NULL) {
		note_cache_news(d);
		sweep_when_due(d);
	}
	reload_tables(d);
}

static void
on_retire(struct postfix_channel *channel)
{
	drain_in_background(OWNER_OF(channel, struct doorbell, channel));
}

static void
on_sigterm(struct loop_signal *sig)
{
	struct doorbell *d = OWNER_OF(sig, struct doorbell, on_term);

	if (d->options->mode == OPTIONS_SERVICE || d->draining)
		drain_at_once(d);
	else
		drain_in_place(d);
}

static void
on_sigint(struct loop_signal *sig)
{
	drain_at_once(OWNER_OF(sig, struct doorbell, on_int));
}

static void
on_sighup(struct loop_signal *sig)
{
	struct doorbell *d = OWNER_OF(sig, struct doorbell, on_hup);

	if (d->options->mode == OPTIONS_STANDALONE && !d->draining)
		reload_config(d);
}

static int
start(struct doorbell *d, struct errtext *why)
{
	if (logsock_attach(d->logsock, d->loop) < 0 ||
	    loop_signal_start(&d->on_hup, d->loop, SIGHUP, on_sighup) < 0 ||
	    loop_signal_start(&d->on_term, d->loop, SIGTERM, on_sigterm) < 0 ||
	    loop_signal_start(&d->on_int, d->loop, SIGINT, on_sigint) < 0) {
		errtext_set(why, "%s", strerror(errno));
		return -1;
	}
	(void)signal(SIGPIPE, SIG_IGN);
	if (d->options->mode == OPTIONS_SERVICE &&
	    postfix_channel_start(&d->channel, d->loop, on_retire, why) < 0)
		return -1;
	if (d->cache != NULL && cache_start(d->cache, why) < 0)
		log_warning("cache: %s; going on without it", why->text);
	for (size_t i = 0; i < d->listener_count; i++) {
		if (listen_start(d->listeners[i], &listen_ops, d) < 0) {
			errtext_set(why, "listening: %s", strerror(errno));
			return -1;
		}
	}
	loop_timer_init(&d->housekeeping, d->loop, on_housekeeping);
	on_housekeeping(&d->housekeeping);
	return 0;
}

int
context_run(struct doorbell *d)
{
	struct errtext why = {""};

	if (start(d, &why) < 0) {
		log_error("%s", why.text);
		return 1;
	}
	if (loop_run(d->loop) < 0) {
		log_error("event loop: %s", strerror(errno));
		return 1;
	}
	return 0;
}

void
context_free(struct doorbell **dp)
{
	struct doorbell *d = *dp;

	*dp = NULL;
	if (d == NULL)
		return;
	alarm(0);
	if (d->loop != NULL) {
		loop_timer_stop(&d->housekeeping);
		loop_timer_stop(&d->fork_retry);
		loop_signal_stop(&d->on_hup);
		loop_signal_stop(&d->on_term);
		loop_signal_stop(&d->on_int);
	}
	for (size_t i = 0; i < d->listener_count; i++)
		listen_free(&d->listeners[i]);
	screen_free(&d->screen);
	cache_close(&d->cache);
	logging_stop(&d->logsock);
	loop_free(&d->loop);
	config_unref(&d->config);
	mem_free(d);
}

/* --- checking --------------------------------------------------------------- */

struct test_report {
	int errors;
};

static void
report_to_people(enum config_severity severity, const char *file, int line,
    const char *text, void *arg)
{
	struct test_report *report = arg;
	const char *word = severity == CONFIG_ERROR ? "error" : "warning";

	if (severity == CONFIG_ERROR)
		report->errors++;
	if (file == NULL)
		fprintf(stderr, "doorbelld: %s: %s\n", word, text);
	else if (line == 0)
		fprintf(stderr, "%s: %s: %s\n", file, word, text);
	else
		fprintf(stderr, "%s:%d: %s: %s\n", file, line, word, text);
}

static void
report_table_error(const char *file, int line, const char *text, void *arg)
{
	report_to_people(CONFIG_ERROR, file, line, text, arg);
}

int
context_test(const struct options *o)
{
	struct test_report report = {0};
	struct errtext why = {""};
	struct config_set *config;
	struct policy *policy;
	struct policy_options po = {0};
	const struct config *cfg;
	char *postmap;

	if ((config = config_load(&o->source, report_to_people, &report)) ==
	    NULL)
		return report.errors > 0 ? report.errors : 1;
	cfg = config_under(config, false);
	postmap = mem_printf("%s/postmap", cfg->postfix.command_directory);
	po.config = config;
	po.loop = loop_new();
	po.tables.postmap = postmap;
	po.tables.config_directory = o->source.directory;
	po.tables.report = report_table_error;
	po.tables.arg = &report;
	po.descriptor_limit = jail_raise_descriptors();
	if (po.loop == NULL || postmap == NULL ||
	    (policy = policy_new(&po, &why)) == NULL) {
		report_to_people(CONFIG_ERROR, NULL, 0,
		    why.text[0] != '\0' ? why.text : strerror(errno), &report);
		policy = NULL;
	}
	policy_unref(&policy);
	loop_free(&po.loop);
	mem_free(postmap);
	config_unref(&config);
	return report.errors;
}
