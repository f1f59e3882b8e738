/* SPDX-License-Identifier: ISC */
#include "daemon/drain.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "daemon/housekeeping.h"
#include "daemon/showing.h"
#include "daemon/steering.h"

/* The pid that master knows is its only hold on us: while it lives master starts
 * no other, so it must go at once, and a forked child inherits the work. The
 * listeners are closed first thing in the child: a process that keeps one open
 * would swallow connections (all Postfix sockets are SO_REUSEPORT). The control
 * socket is closed last: who has waited for its end finds the other doors free. */

enum { FORK_RETRY_MS = 1000 };

static void
on_empty(struct screen *screen, void *arg)
{
	struct doorbell *d = arg;

	(void)screen;
	loop_stop(d->loop);
}

static void
leave_master(struct doorbell *d)
{
	if (d->options->mode == OPTIONS_SERVICE && !d->is_child)
		postfix_channel_close(&d->channel);
}

void
drain_in_place(struct doorbell *d)
{
	d->draining = true;
	listeners_close(&d->listeners);
	steering_stop(d);
	screen_drain(d->screen, on_empty, d);
}

/* The child of a fork: own poll set, own sockets, own writer of the cache. */
static void
become_child(struct doorbell *d)
{
	struct errtext why = {""};

	leave_master(d);
	systemd_leave(&d->systemd);
	d->is_child = true;
	logsock_after_fork(d->logsock);
	if (loop_after_fork(d->loop) < 0)
		log_fatal("event loop after fork: %s", strerror(errno));
	if (d->cache != NULL)
		cache_after_fork_child(d->cache, &why);
	if (why.text[0] != '\0')
		log_warning("cache: %s", why.text);
}

/* No cleaning up: all of it is the child's now. The log's queue too, so nothing
 * is said here. */
static pid_t
fork_child(struct doorbell *d)
{
	sigset_t all, before;
	pid_t pid;

	housekeeping_finish(d);
	/* A signal that the child gets before its poll set is its own would be
	 * told to the parent. */
	sigfillset(&all);
	(void)sigprocmask(SIG_SETMASK, &all, &before);
	if (d->cache != NULL)
		cache_before_fork(d->cache);
	pid = fork();
	if (pid > 0)
		_exit(0);
	if (pid == 0)
		become_child(d);
	else if (d->cache != NULL)
		cache_after_fork_parent(d->cache);
	(void)sigprocmask(SIG_SETMASK, &before, NULL);
	housekeeping_start(d);
	return pid;
}

/* Nothing that would be lost if this process were gone. */
static bool
nothing_is_left(const struct doorbell *d)
{
	return screen_session_count(d->screen) == 0 &&
	       logsock_backlog(d->logsock) == 0 && annals_is_empty(d) &&
	       (d->cache == NULL || cache_backlog(d->cache) == 0);
}

static void
on_fork_retry(struct loop_timer *timer)
{
	drain_in_background(OWNER_OF(timer, struct doorbell, fork_retry));
}

void
drain_in_background(struct doorbell *d)
{
	struct errtext why = {""};

	d->draining = true;
	listeners_close(&d->listeners);
	showing_stop(d);
	steering_stop(d);
	systemd_stopping(&d->systemd);
	if (nothing_is_left(d))
		_exit(0);
	if (fork_child(d) < 0) {
		log_warning("fork: %s; new clients wait until %zu sessions have"
			    " ended",
		    strerror(errno), screen_session_count(d->screen));
		drain_in_place(d);
		loop_timer_init(&d->fork_retry, d->loop, on_fork_retry);
		(void)loop_timer_start(&d->fork_retry, FORK_RETRY_MS);
		return;
	}
	if (policy_after_fork(d->screen->policy, &why) < 0)
		log_warning("DNS after fork: %s", why.text);
	drain_in_place(d);
}

void
drain_at_once(struct doorbell *d)
{
	d->draining = true;
	listeners_close(&d->listeners);
	showing_stop(d);
	steering_stop(d);
	systemd_stopping(&d->systemd);
	screen_shut(d->screen);
	loop_stop(d->loop);
	if (d->options->mode != OPTIONS_SERVICE || d->is_child)
		return;
	/* master waits for this pid, so what is left (the disk, a slow log) is
	 * a child's to wait for. */
	if (nothing_is_left(d))
		_exit(0);
	(void)fork_child(d);
}
