/* SPDX-License-Identifier: ISC */
#include "daemon/context.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "daemon/drain.h"
#include "daemon/housekeeping.h"
#include "daemon/jail.h"
#include "daemon/logging.h"
#include "daemon/reload.h"
#include "daemon/report.h"
#include "daemon/sandbox.h"
#include "daemon/showing.h"
#include "daemon/steering.h"
#include "daemon/watchdog.h"
#include "net/predecessor.h"
#include "screen/crowd.h"

/* The order of context_new() is the order of needs: log, configuration, the
 * queue directory (all relative names start there), tables and the cache while
 * everything can be read, listeners, then no privileges any more. */

enum { LOG_FINISH_MS = 1000 };

/* Clients wait in the kernel's queue until sessions have ended. */
static void
rest(struct doorbell *d, const char *why)
{
	counters_bump(d->counters, COUNTER_ACCEPT_PAUSES);
	journal_write_limited(&d->screen->journal, EVENT_ACCEPT_REST,
	    &(struct journal_line){.quoted = span_str(why)}, loop_now(d->loop));
	listeners_stop(&d->listeners);
	(void)loop_timer_start(&d->rest, LISTEN_PAUSE_MS);
}

static void
on_arrival(int fd, const struct endpoint *client, const struct endpoint *server,
    void *arg)
{
	struct doorbell *d = arg;

	if (d->options->mode == OPTIONS_SERVICE)
		postfix_introduce(&d->channel);
	screen_arrive(d->screen, fd, client, server);
	if (screen_is_full(d->screen))
		rest(d, "as many sessions as the descriptor limit allows");
}

static bool
on_accept_exhausted(int error, void *arg)
{
	struct doorbell *d = arg;

	(void)error;
	return crowd_shed_some(d->screen) > 0;
}

static void
on_accept_trouble(int error, bool paused, void *arg)
{
	struct doorbell *d = arg;

	counters_bump(d->counters, COUNTER_ACCEPT_ERRORS);
	if (!paused)
		return;
	counters_bump(d->counters, COUNTER_ACCEPT_PAUSES);
	journal_write_limited(&d->screen->journal, EVENT_ACCEPT_REST,
	    &(struct journal_line){.quoted = span_str(strerror(error))},
	    loop_now(d->loop));
}

static const struct listen_ops listen_ops = {
    .arrived = on_arrival,
    .trouble = on_accept_trouble,
    .exhausted = on_accept_exhausted,
};

static void
on_rested(struct loop_timer *timer)
{
	struct doorbell *d = OWNER_OF(timer, struct doorbell, rest);
	struct errtext why;

	if (screen_is_full(d->screen) ||
	    listeners_start(&d->listeners, &listen_ops, d, &why) < 0)
		(void)loop_timer_start(&d->rest, LISTEN_PAUSE_MS);
}

/* A cache that cannot be used is no reason not to screen. */
static int
open_cache(
    struct doorbell *d, const struct jail_user *user, struct errtext *why)
{
	const char *map = config_under(d->config, false)->cache_map;
	const char *path = cache_map_path(map, why);
	const struct cache_options o = {
	    .path = path,
	    .uid = geteuid() == 0 ? user->uid : (uid_t)-1,
	    .gid = geteuid() == 0 ? user->gid : (gid_t)-1,
	};
	struct errtext trouble = {""};

	if (path == NULL)
		return -1;
	if (path[0] == '\0')
		return 0;
	if ((d->cache = cache_open(&o, &trouble)) == NULL) {
		errtext_set(why, "cache: %s", strerror(errno));
		return -1;
	}
	if (trouble.text[0] != '\0')
		log_warning("cache: %s", trouble.text);
	return 0;
}

static void
take_rule(struct span key, struct span bytes, void *arg)
{
	struct doorbell *d = arg;
	struct rule rule;

	/* What a later release has written is for that. */
	if (rules_decode(key, bytes, &rule) == 0)
		(void)rules_set(d->rules, &rule);
}

static int
load_rules(struct doorbell *d, struct errtext *why)
{
	struct errtext trouble;

	if ((d->rules = rules_new()) == NULL) {
		errtext_set(why, "%s", strerror(errno));
		return -1;
	}
	if (d->cache != NULL &&
	    cache_each_note(d->cache, take_rule, d, &trouble) < 0)
		log_warning("rules made by hand: %s", trouble.text);
	return 0;
}

/* Without a file the numbers are ours alone, and end with us. */
static int
open_tally(
    struct doorbell *d, const struct jail_user *user, struct errtext *why)
{
	const struct config *cfg = config_under(d->config, false);
	bool root = geteuid() == 0;
	struct errtext trouble = {""};

	if (tally_open(&d->tally, cfg->postfix.data_directory,
		root ? user->uid : (uid_t)-1, root ? user->gid : (gid_t)-1,
		&trouble) < 0) {
		errtext_set(why, "counters: %s", strerror(errno));
		return -1;
	}
	if (trouble.text[0] != '\0')
		log_warning("counters: %s; they begin at 0", trouble.text);
	d->counters = &d->tally.page->counters;
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
	    .counters = d->counters,
	    .cache = d->cache,
	    .rules = d->rules,
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
	if (annals_begin(d) == 0)
		return 0;
	errtext_set(why, "%s", strerror(errno));
	return -1;
}

/* Sockets that master(8) or systemd has opened, or our own. */
static int
open_doors(struct doorbell *d, struct errtext *why)
{
	size_t i = 0;
	int fd;

	if (d->options->mode == OPTIONS_SERVICE)
		return listeners_adopt(&d->listeners, d->loop,
		    POSTFIX_LISTEN_FD, d->options->sockets, why);
	while ((fd = systemd_socket(&d->systemd, NULL, &i)) >= 0)
		if (listeners_adopt(&d->listeners, d->loop, fd, 1, why) < 0)
			return -1;
	if (d->listeners.count > 0)
		return 0;
	return listeners_open(&d->listeners, d->loop,
	    config_under(d->config, false)->listen, why);
}

/* What it warns of fails, and is dealt with where that shows. */
static void
on_library_warning(int severity, const char *text)
{
	(void)severity;
	log_warning("event library: %s", text);
}

/* All that needs root, or files outside a chroot. */
static int
build_privileged(
    struct doorbell *d, struct jail_user *user, struct errtext *why)
{
	const struct config *cfg = config_under(d->config, false);
	bool service = d->options->mode == OPTIONS_SERVICE;
	struct mono until;

	if (jail_find_user(
		service ? cfg->postfix.mail_owner : cfg->user, user, why) < 0 ||
	    enter_queue(cfg, why) < 0)
		return -1;
	d->descriptor_limit = jail_raise_descriptors();
	jail_seat_descriptors(d->descriptor_limit);
	if ((d->loop = loop_new()) == NULL) {
		errtext_set(why, "event loop: %s", strerror(errno));
		return -1;
	}
	loop_set_voice(on_library_warning);
	if ((d->shelf = shelf_new()) == NULL) {
		errtext_set(why, "%s", strerror(errno));
		return -1;
	}
	if (open_tally(d, user, why) < 0 || open_cache(d, user, why) < 0 ||
	    load_rules(d, why) < 0 || build_screen(d, why) < 0)
		return -1;
	shelf_close(d->shelf);
	until = mono_after(clock_mono(), PREDECESSOR_MS);
	steering_open(d, until);
	if (open_doors(d, why) < 0)
		return -1;
	showing_open(d, until);
	return 0;
}

static int
drop_privileges(
    const struct doorbell *d, const struct jail_user *user, struct errtext *why)
{
	if (jail_join_groups(user, why) < 0 ||
	    (d->options->chroot && jail_change_root(why) < 0) ||
	    jail_become(user, why) < 0)
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
	if (logging_start(&d->logsock, o, NULL, why) < 0) {
		context_free(&d);
		return NULL;
	}
	watchdog_begin(&d->logsock);
	return d;
}

struct doorbell *
context_new(const struct options *o, struct errtext *why)
{
	struct doorbell *d;
	struct jail_user user;

	if ((d = begin_context(o, why)) == NULL)
		return NULL;
	if (check_service(o, why) < 0 ||
	    (o->mode == OPTIONS_STANDALONE &&
		systemd_begin(&d->systemd, why) < 0))
		goto failed;
	d->config = config_load(&o->source, report_config_to_log, NULL);
	if (d->config == NULL) {
		errtext_set(why, "the configuration has errors");
		goto failed;
	}
	d->began_with = config_ref(d->config);
	if (enter_queue(config_under(d->config, false), why) < 0 ||
	    logging_start(&d->logsock, o, d->config, why) < 0)
		goto failed;
	log_info("doorbelld %s starting %s", DOORBELL_VERSION,
	    o->mode == OPTIONS_SERVICE ? "as a Postfix service" : "standalone");
	if (build_privileged(d, &user, why) < 0 ||
	    drop_privileges(d, &user, why) < 0)
		goto failed;
	return d;
failed:
	if (d->config != NULL)
		report_culprit(d->config, why, report_config_to_log, NULL);
	else
		log_error("%s", why->text);
	context_free(&d);
	return NULL;
}

/* --- running ------------------------------------------------------------- */

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
	else if (systemd_is_there(&d->systemd))
		drain_in_background(d);
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

/* The last thing before the first client: from here on a way into this process
 * leads nowhere else. */
static void
confine(const struct doorbell *d)
{
	enum config_sandbox how =
	    (enum config_sandbox)config_under(d->config, false)->sandbox;
	struct errtext why;

	if (how == SANDBOX_NO || sandbox_is_watched())
		return;
	if (sandbox_enter(how == SANDBOX_LOG, &why) < 0)
		log_warning(
		    "doorbell_sandbox: %s; going on without it", why.text);
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
	loop_timer_init(&d->rest, d->loop, on_rested);
	steering_start(d);
	showing_start(d);
	if (listeners_start(&d->listeners, &listen_ops, d, why) < 0)
		return -1;
	housekeeping_start(d);
	confine(d);
	systemd_ready(&d->systemd, d->loop);
	return 0;
}

int
context_start(struct doorbell *d, struct errtext *why)
{
	if (start(d, why) == 0)
		return 0;
	log_error("%s", why->text);
	return -1;
}

int
context_run(struct doorbell *d)
{
	if (loop_run(d->loop) == 0)
		return 0;
	log_error("event loop: %s", strerror(errno));
	return 1;
}

/* One more must not end the writing of the cache, and not between these lines
 * either, where the loop has left it to its default. */
static void
ignore_signals(struct doorbell *d)
{
	sigset_t all, before;

	sigfillset(&all);
	(void)sigprocmask(SIG_SETMASK, &all, &before);
	loop_signal_stop(&d->on_hup);
	loop_signal_stop(&d->on_term);
	loop_signal_stop(&d->on_int);
	(void)signal(SIGHUP, SIG_IGN);
	(void)signal(SIGTERM, SIG_IGN);
	(void)signal(SIGINT, SIG_IGN);
	(void)sigprocmask(SIG_SETMASK, &before, NULL);
}

void
context_free(struct doorbell **dp)
{
	struct doorbell *d = *dp;

	*dp = NULL;
	if (d == NULL)
		return;
	housekeeping_finish(d);
	if (d->loop != NULL) {
		loop_timer_stop(&d->fork_retry);
		loop_timer_stop(&d->rest);
		ignore_signals(d);
	}
	listeners_close(&d->listeners);
	showing_stop(d);
	steering_stop(d);
	systemd_leave(&d->systemd);
	annals_end(d);
	screen_free(&d->screen);
	tally_close(&d->tally);
	rules_free(&d->rules);
	shelf_free(&d->shelf);
	cache_close(&d->cache);
	if (d->logsock != NULL)
		logsock_finish(d->logsock, LOG_FINISH_MS);
	watchdog_end();
	logging_stop(&d->logsock);
	loop_free(&d->loop);
	config_unref(&d->began_with);
	config_unref(&d->config);
	mem_free(d);
}
