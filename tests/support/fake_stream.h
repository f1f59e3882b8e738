/* SPDX-License-Identifier: ISC */
/* support/fake_stream.h - clients without sockets.
 *
 * Takes the place of net/stream.c. A client is known by its descriptor's number,
 * also after its stream is closed. What the test lets a client do is delivered
 * by fake_stream_deliver(), outside of any callback. */
#ifndef DOORBELL_TESTS_FAKE_STREAM_H
#define DOORBELL_TESTS_FAKE_STREAM_H

#include <stdbool.h>

#include "net/stream.h"
#include "support/fake_fault.h"

#define FAKE_STREAM_FIRST_FD 100000 /* no real descriptor has this number */

/* A number for a new client. */
int fake_stream_new_fd(void);
void fake_stream_say(int fd, const void *p, size_t n);
void fake_stream_hang_up(int fd);
void fake_stream_reset_by_client(int fd);
/* The connection ends with this error of the kernel. */
void fake_stream_break(int fd, int error);
/* The client's part of a TLS handshake, done well or not. */
void fake_stream_shake(int fd, bool well);
/* The client stops reading, or reads on. */
void fake_stream_block(int fd, bool blocked);
/* Report whatever can be reported, until nothing is left; true if anything
 * was. */
bool fake_stream_deliver(void);
/* The same for one client: for tests with very many. */
bool fake_stream_deliver_to(int fd);

/* All that was sent to the client so far. */
struct span fake_stream_heard(int fd);
/* Bytes that the client has said and nobody has read. */
struct span fake_stream_unread(int fd);
bool fake_stream_is_closed(int fd);
bool fake_stream_is_released(int fd);
/* The client has left, or could not be told something: nobody can be sure
 * that it hears a goodbye. */
bool fake_stream_has_gone(int fd);
/* The stream that stream_init_pair() made last: what is said by its descriptor
 * is what the other end says. -1: none. */
int fake_stream_last_pair(void);
/* Descriptors for pairs have run out, or are there again. */
void fake_stream_spend_pairs(bool spent);
/* Our side will send no more. */
bool fake_stream_is_ended(int fd);
/* Whatever may fail for want of memory or descriptors: watching, talking,
 * writing, reading, skipping, pairs, TLS. */
extern struct fake_fault fake_stream_fault;
/* All connections that are not closed: the other end goes. */
void fake_stream_hang_up_all(void);
/* Forget all clients. */
void fake_stream_reset(void);

#endif
