/* SPDX-License-Identifier: ISC */
/* support/borrowed_fds.h - the descriptors that a parent gives to its child.
 *
 * master(8) and systemd begin to count at 3. A test that plays one of them wants
 * these numbers, which may be in use. */
#ifndef DOORBELL_TESTS_BORROWED_FDS_H
#define DOORBELL_TESTS_BORROWED_FDS_H

enum { BORROWED_FIRST = 3, BORROWED_COUNT = 8 };

struct borrowed_fds {
	int kept[BORROWED_COUNT]; /* -1: it was free */
};

/* BORROWED_COUNT descriptors from BORROWED_FIRST on are free now. Before there
 * is a loop: that would not know that its descriptor has moved. */
void borrowed_fds_begin(struct borrowed_fds *b);
/* Close whatever is there, and all is as it was. */
void borrowed_fds_end(struct borrowed_fds *b);
/* Move a descriptor to one of these numbers. */
void borrowed_fds_put(int fd, int number);

#endif
