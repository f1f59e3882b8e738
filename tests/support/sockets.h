/* SPDX-License-Identifier: ISC */
/* support/sockets.h - the other side of what code under test says and hears by
 * sockets. Whatever goes wrong fails the test. */
#ifndef DOORBELL_TESTS_SOCKETS_H
#define DOORBELL_TESTS_SOCKETS_H

#include "base/addr.h"

/* A new socket at this path; `type` as for socket(2). */
int sockets_bind(const char *path, int type);
/* A stream to whoever listens there, which does not block; -1 with errno. */
int sockets_call(const char *path);
/* The address that a socket of TCP or UDP is bound to. */
struct endpoint sockets_name(int fd);
/* There is room for all of it. */
void sockets_say(int fd, const char *text);
/* This is there, and then the end; closes. */
void sockets_hear_last(int fd, const char *text);

#endif
