/* SPDX-License-Identifier: ISC */
#include "ops/inside.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/text.h"

/* A process of Postfix knows its entry by the words that master(8) starts it
 * with, -n SERVICE -t TYPE (without -n where the service is called like the
 * program), and works in the queue directory, as the root of its
 * world or not. That holds for a doorbelld, too, that has left master(8) and
 * serves its last clients. */

enum { COMMAND_LINE_MAX = 4096 };

static bool
works_in(int proc, const char *pid, const char *queue)
{
	char link[32], place[PATH_MAX];
	ssize_t n;

	(void)snprintf(link, sizeof(link), "%.20s/cwd", pid);
	n = readlinkat(proc, link, place, sizeof(place) - 1);
	if (n < 0)
		return false;
	place[n] = '\0';
	return strcmp(place, queue) == 0;
}

static size_t
read_words(int proc, const char *pid, char words[COMMAND_LINE_MAX])
{
	char name[32];
	ssize_t n;
	int fd;

	(void)snprintf(name, sizeof(name), "%.20s/cmdline", pid);
	if ((fd = openat(proc, name, O_RDONLY | O_CLOEXEC)) < 0)
		return 0;
	n = read(fd, words, COMMAND_LINE_MAX - 1);
	close(fd);
	if (n <= 0)
		return 0;
	words[n] = '\0';
	return (size_t)n;
}

/* What follows the first `option`, or NULL; later words may be anything. */
static const char *
value_of(const char *words, size_t n, const char *option)
{
	const char *word = words, *end = words + n;

	while (word < end && strcmp(word, option) != 0)
		word += strlen(word) + 1;
	if (word < end)
		word += strlen(word) + 1;
	return word < end ? word : NULL;
}

static const char *
program_of(const char *word)
{
	const char *slash = strrchr(word, '/');

	return slash != NULL ? slash + 1 : word;
}

static bool
serves(int proc, const char *pid, const struct inside_entry *entry)
{
	char words[COMMAND_LINE_MAX];
	size_t n = read_words(proc, pid, words);
	const char *service, *type;

	if (n == 0 || strcmp(program_of(words), entry->program) != 0)
		return false;
	if ((service = value_of(words, n, "-n")) == NULL)
		service = entry->program;
	type = value_of(words, n, "-t");
	return strcmp(service, entry->service) == 0 && type != NULL &&
	       strcmp(type, entry->type) == 0 &&
	       works_in(proc, pid, entry->queue);
}

static bool
is_in(DIR *proc, const struct inside_entry *entry)
{
	const struct dirent *d;

	while ((d = readdir(proc)) != NULL)
		if (text_is_digit(d->d_name[0]) &&
		    serves(dirfd(proc), d->d_name, entry))
			return true;
	return false;
}

bool
inside_has(const struct inside_entry *entry)
{
	struct inside_entry real = *entry;
	char queue[PATH_MAX];
	DIR *proc = opendir("/proc");
	bool found = false;

	if (proc == NULL)
		return false;
	if (realpath(entry->queue, queue) != NULL) {
		real.queue = queue;
		found = is_in(proc, &real);
	}
	closedir(proc);
	return found;
}
