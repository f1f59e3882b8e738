/* SPDX-License-Identifier: ISC */
#include "daemon/watchdog.h"

#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"

/* A file-scope variable that changes, against the rule of the house: a signal
 * handler gets no argument of ours.
 *
 * The handler cannot make a line: the loop may stand still inside of the log.
 * So each feeding prepares the line with the time at which the alarm would
 * strike. The words are those of Postfix's own watchdog. Then the process ends by
 * the signal, so that master(8), or whoever started it, knows too. */

static struct {
	struct logsock *const *log; /* NULL: no handler */
} watchdog;

static void
on_alarm(int number)
{
	if (*watchdog.log != NULL)
		logsock_send_prepared(*watchdog.log);
	(void)signal(number, SIG_DFL);
	(void)raise(number);
}

void
watchdog_begin(struct logsock *const *log)
{
	struct sigaction action = {.sa_handler = on_alarm};

	watchdog.log = log;
	sigfillset(&action.sa_mask);
	(void)sigaction(SIGALRM, &action, NULL);
}

void
watchdog_feed(unsigned seconds)
{
	char text[LOG_LINE_MAX + 1];

	alarm(0);
	if (*watchdog.log != NULL) {
		(void)log_render(
		    LOG_LEVEL_FATAL, span_str("watchdog timeout"), text);
		logsock_prepare(*watchdog.log, LOG_LEVEL_FATAL, text,
		    wall_after(clock_wall(), seconds));
	}
	alarm(seconds);
}

void
watchdog_rest(void)
{
	alarm(0);
}

void
watchdog_end(void)
{
	if (watchdog.log == NULL)
		return;
	alarm(0);
	(void)signal(SIGALRM, SIG_DFL);
	watchdog.log = NULL;
}
