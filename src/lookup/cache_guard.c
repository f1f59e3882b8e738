/* SPDX-License-Identifier: ISC */
#include "lookup/cache_guard.h"

#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Two file-scope variables that change, against the rule of the house: a signal
 * handler gets no argument of ours. `guard` is written while no handler of ours
 * is installed; `depth` is each thread's own.
 *
 * "Inside" is told by the thread and not by the address of the fault: a page of
 * garbage also leads LMDB to addresses outside of its map, and to abort() in the
 * allocator. (mdb_env_info() does not tell where the map is, anyway.)
 *
 * Garbage may also lead LMDB in circles. Then the daemon's watchdog ends the
 * process, by SIGALRM; the writer has that signal blocked, so it is the loop's
 * thread that is asked where it stands still.
 *
 * The handler makes only calls that POSIX calls async-signal-safe. It works
 * after chroot(2) and setuid(2), by the directory's descriptor. At its end the
 * handler before it is installed again, and the fault happens once more, so that
 * a sanitizer or the kernel reports it as if nobody had looked. */

enum { FAULT_COUNT = 4 };
static const int faults[FAULT_COUNT] = {SIGBUS, SIGSEGV, SIGABRT, SIGALRM};

static struct {
	bool is_on, only_reads;
	int dir;
	dev_t dev;
	ino_t ino;
	char name[NAME_MAX + 1], crashed[NAME_MAX + 1];
	char lock[NAME_MAX + 1], broken_lock[NAME_MAX + 1];
	char message[256];
	size_t message_n;
	struct sigaction before[FAULT_COUNT];
} guard;

static _Thread_local volatile sig_atomic_t depth;

/* Another process may have begun a new file by now: that one stays. */
static void
set_aside(void)
{
	struct stat now;

	if (guard.only_reads) {
		(void)!write(STDERR_FILENO, guard.message, guard.message_n);
		_exit(1);
	}
	if (fstatat(guard.dir, guard.name, &now, 0) < 0 ||
	    now.st_ino != guard.ino || now.st_dev != guard.dev ||
	    renameat(guard.dir, guard.name, guard.dir, guard.crashed) < 0)
		return;
	(void)renameat(guard.dir, guard.lock, guard.dir, guard.broken_lock);
	(void)!write(STDERR_FILENO, guard.message, guard.message_n);
}

/* By what this thread did itself, not by kill(1). */
static bool
is_own_fault(int number, const siginfo_t *info)
{
	return number == SIGABRT ? info->si_pid == getpid() : info->si_code > 0;
}

static void
on_fault(int number, siginfo_t *info, void *context)
{
	(void)context;
	if (depth > 0 && is_own_fault(number, info))
		set_aside();
	for (size_t i = 0; i < FAULT_COUNT; i++)
		if (faults[i] == number)
			(void)sigaction(number, &guard.before[i], NULL);
	/* A fault happens again by itself; what was sent has to be sent. */
	if (info->si_code <= 0 || number == SIGALRM)
		(void)raise(number);
}

static void
compose_message(const struct cache_place *place, const char *outcome)
{
	int n = snprintf(guard.message, sizeof(guard.message),
	    "fatal: cache %.180s is damaged%s\n", place->path, outcome);

	guard.message_n = n > 0 ? (size_t)n : 0;
}

static void
compose(const struct cache_place *place, const struct stat *file)
{
	guard.only_reads = false;
	guard.dir = place->dir;
	guard.dev = file->st_dev;
	guard.ino = file->st_ino;
	cache_place_name(place, "", guard.name);
	cache_place_name(place, "-lock", guard.lock);
	cache_place_name(place, CACHE_PLACE_CRASHED, guard.crashed);
	cache_place_name(place, ".broken-lock", guard.broken_lock);
	compose_message(place, ": set aside for the next start");
}

static void
install(void)
{
	struct sigaction action = {
	    .sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_ONSTACK};

	sigfillset(&action.sa_mask);
	for (size_t i = 0; i < FAULT_COUNT; i++)
		(void)sigaction(faults[i], &action, &guard.before[i]);
	guard.is_on = true;
}

void
cache_guard_begin(const struct cache_place *place, const struct stat *file)
{
	cache_guard_end();
	compose(place, file);
	install();
}

void
cache_guard_begin_to_read(const struct cache_place *place)
{
	cache_guard_end();
	guard.only_reads = true;
	compose_message(place, "");
	install();
}

void
cache_guard_end(void)
{
	if (!guard.is_on)
		return;
	guard.is_on = false;
	for (size_t i = 0; i < FAULT_COUNT; i++)
		(void)sigaction(faults[i], &guard.before[i], NULL);
}

void
cache_guard_enter(void)
{
	depth++;
}

void
cache_guard_leave(void)
{
	depth--;
}
