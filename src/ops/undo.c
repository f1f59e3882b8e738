/* SPDX-License-Identifier: ISC */
#include "ops/undo.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/must.h"
#include "ops/replace.h"

/* The bytes are in memory: bringing them back needs nothing but the directory
 * to be writable, which it was when the change was made. */

const struct undo_file *
undo_remember(struct undo *undo, const char *path, struct errtext *why)
{
	struct undo_file *f = &undo->file[undo->n];

	must(undo->n < UNDO_FILES_MAX);
	buf_init(&f->bytes, REPLACE_FILE_MAX);
	f->existed = true;
	if ((f->path = mem_strdup(path)) == NULL) {
		errtext_set(why, "%s: %s", path, strerror(errno));
		return NULL;
	}
	undo->n++;
	if (replace_read(path, &f->bytes, &f->st, why) == 0)
		return f;
	f->existed = false;
	if (errno == ENOENT)
		return f;
	/* Nobody has changed it, and nobody knows what to bring back. */
	undo->n--;
	mem_free(f->path);
	buf_clear(&f->bytes);
	return NULL;
}

static int
bring_back(const struct undo_file *f, struct errtext *why)
{
	if (f->existed)
		return replace_write(f->path, buf_span(&f->bytes),
		    f->st.st_mode & 07777, f->st.st_uid, f->st.st_gid, why);
	if (unlink(f->path) == 0 || errno == ENOENT)
		return 0;
	errtext_set(why, "%s: %s", f->path, strerror(errno));
	return -1;
}

static bool
is_as_it_was(const struct undo_file *f)
{
	struct stat now;

	if (stat(f->path, &now) < 0)
		return !f->existed && errno == ENOENT;
	return f->existed && now.st_ino == f->st.st_ino &&
	       now.st_dev == f->st.st_dev && now.st_size == f->st.st_size &&
	       now.st_ctim.tv_sec == f->st.st_ctim.tv_sec &&
	       now.st_ctim.tv_nsec == f->st.st_ctim.tv_nsec;
}

int
undo_all(const struct undo *undo, struct errtext *why)
{
	int rc = 0;

	for (size_t i = undo->n; i > 0; i--) {
		const struct undo_file *f = &undo->file[i - 1];

		if (!is_as_it_was(f) && bring_back(f, why) < 0)
			rc = -1;
	}
	return rc;
}

void
undo_clear(struct undo *undo)
{
	for (size_t i = 0; i < undo->n; i++) {
		mem_free(undo->file[i].path);
		buf_clear(&undo->file[i].bytes);
	}
	undo->n = 0;
}
