/* SPDX-License-Identifier: ISC */
/* daemon/context.h - the one mutable root of the program.
 *
 * Built in order and torn down in reverse. Everything that needs privileges or
 * the whole file system happens in context_new(); the loop begins after
 * privileges are gone.
 *
 * Errors:  NULL; the reason has been logged, the caller exits non-zero. */
#ifndef DOORBELL_DAEMON_CONTEXT_H
#define DOORBELL_DAEMON_CONTEXT_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/errtext.h"
#include "config/config.h"
#include "daemon/annals.h"
#include "daemon/listeners.h"
#include "daemon/options.h"
#include "daemon/postfix.h"
#include "daemon/systemd.h"
#include "daemon/tally.h"
#include "lookup/cache.h"
#include "net/logsock.h"
#include "net/loop.h"
#include "ops/control.h"
#include "ops/http.h"
#include "screen/screen.h"

/* Belongs to daemon/cache_care. */
struct cache_care {
	struct mono swept_at; /* the last sweep began */
	bool swept;
	bool is_down;         /* seen as not usable */
	struct mono tried_at; /* since then, or since the last try to revive */
	int64_t pause_ms;     /* until the next; 0: the shortest */
};

struct doorbell {
	const struct options *options;
	struct config_set *config;
	struct config_set *began_with; /* some of it is in force to the end */
	struct logsock *logsock;
	struct loop *loop;
	struct tally tally;
	struct counters *counters; /* the tally's */
	struct cache *cache;
	struct cache_care care;
	struct rules *rules; /* made by hand; survive in the cache's file */
	struct annals annals;
	struct shelf *shelf; /* indexed tables, read at the start */
	struct screen *screen;
	struct listeners listeners;
	size_t descriptor_limit;
	struct postfix_channel channel; /* service: to master(8) */
	struct systemd systemd;         /* standalone: the manager */
	struct local *control_socket;   /* until control has it */
	struct control control;         /* answers doorbellctl */
	struct control_host host;       /* its way to us */
	struct httpd *http_socket;      /* until http has it */
	struct http http;               /* the status page */
	struct loop_later reload_asked, drain_asked;
	struct loop_timer housekeeping;
	struct loop_signal on_hup, on_term, on_int;
	struct loop_timer rest; /* from accepting */
	struct loop_timer fork_retry;
	size_t sessions_peak; /* since memory was given back */
	uint64_t log_drops;   /* counted so far */
	bool is_stale;        /* a changed table needs a new process */
	bool draining;        /* accepts nothing any more */
	bool is_child;        /* the draining process after a fork */
};

/* On failure *why has been logged. */
struct doorbell *context_new(const struct options *o, struct errtext *why);
/* Begin to accept clients. 0, or -1 with *why, which has been logged. */
int context_start(struct doorbell *d, struct errtext *why);
/* Returns when the process should end. */
int context_run(struct doorbell *d);
void context_free(struct doorbell **d);

#endif
