/* SPDX-License-Identifier: ISC */
#include "support/heard_log.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"

/* A test that says more than that is not what this is for. */
enum { HEARD_MAX = 1 << 16 };

static char heard[HEARD_MAX], told[HEARD_MAX];
static size_t heard_n;

static void
keep_line(enum log_level level, enum log_voice voice, const char *text,
    size_t n, void *arg)
{
	(void)level;
	(void)voice;
	(void)arg;
	if (n + 2 > sizeof(heard) - heard_n)
		abort();
	memcpy(heard + heard_n, text, n);
	heard_n += n;
	heard[heard_n++] = '\n';
	heard[heard_n] = '\0';
}

static void
forget(void)
{
	heard_n = 0;
	heard[0] = '\0';
}

void
heard_log_begin(void)
{
	forget();
	log_set_sink(keep_line, NULL);
}

void
heard_log_end(void)
{
	log_set_sink(NULL, NULL);
}

const char *
heard_log(void)
{
	memcpy(told, heard, heard_n + 1);
	forget();
	return told;
}
