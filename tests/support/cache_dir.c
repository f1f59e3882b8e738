/* SPDX-License-Identifier: ISC */
#include "support/cache_dir.h"

#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

int
cache_dir_setup(void **state)
{
	struct cache_dir *d = calloc(1, sizeof(*d));
	const char *tmp = getenv("TMPDIR");

	if (d == NULL)
		return -1;
	snprintf(d->dir, sizeof(d->dir), "%s/doorbell-cache-XXXXXX",
	    tmp != NULL ? tmp : "/tmp");
	if (mkdtemp(d->dir) == NULL) {
		free(d);
		return -1;
	}
	snprintf(d->path, sizeof(d->path), "%s/pass", d->dir);
	d->map_bytes = (size_t)64 << 20;
	*state = d;
	return 0;
}

void
cache_dir_empty(const struct cache_dir *d)
{
	DIR *dir = opendir(d->dir);
	struct dirent *entry;

	if (dir == NULL)
		return;
	while ((entry = readdir(dir)) != NULL)
		if (entry->d_name[0] != '.')
			unlinkat(dirfd(dir), entry->d_name, 0);
	closedir(dir);
}

int
cache_dir_teardown(void **state)
{
	struct cache_dir *d = *state;
	int rc;

	cache_dir_empty(d);
	rc = rmdir(d->dir);
	free(d);
	return rc;
}

struct cache_options
cache_dir_options(const struct cache_dir *d)
{
	return (struct cache_options){.path = d->path,
	    .map_bytes = d->map_bytes,
	    .uid = (uid_t)-1,
	    .gid = (gid_t)-1};
}

struct cache *
cache_dir_open(const struct cache_dir *d)
{
	struct cache_options o = cache_dir_options(d);
	struct errtext why;
	struct cache *c = cache_open(&o, &why);

	assert_non_null(c);
	assert_string_equal(why.text, "");
	assert_true(cache_is_usable(c));
	return c;
}

struct cache *
cache_dir_start(const struct cache_dir *d)
{
	struct cache *c = cache_dir_open(d);
	struct errtext why;

	assert_int_equal(cache_start(c, &why), 0);
	return c;
}

bool
cache_dir_has(const struct cache_dir *d, const char *name)
{
	char path[sizeof(d->dir) + 64];
	struct stat st;

	snprintf(path, sizeof(path), "%s/%s", d->dir, name);
	return lstat(path, &st) == 0;
}

struct record_key
cache_dir_key(unsigned i)
{
	/* Neighbours in number are far apart in the tree, as strangers are. */
	unsigned mixed = i * 2654435761u;
	struct addr a = {.family = ADDR_IPV4,
	    .bytes = {(uint8_t)(mixed >> 24), (uint8_t)(mixed >> 16),
		(uint8_t)(mixed >> 8), (uint8_t)mixed}};

	return record_key_of(&a, 32, 64);
}

bool
cache_dir_knows(struct cache *c, unsigned i)
{
	struct record_key key = cache_dir_key(i);
	struct record r;

	return cache_find(c, &key, &r);
}
