/* SPDX-License-Identifier: ISC */
/* What the programs of the benchmark share: time, numbers of a command line,
 * sockets, and a short way out. They measure; they are not measured, so a
 * failure they cannot explain ends them with status 2. */
#ifndef DOORBELL_BENCH_KIT_H
#define DOORBELL_BENCH_KIT_H

#include <netinet/in.h>
#include <stddef.h>
#include <stdint.h>

/* perror() and the end. */
_Noreturn void kit_die(const char *what);
/* Dies when `text` is not a number of that range. */
uint32_t kit_number(const char *text, uint32_t min, uint32_t max);
void *kit_zeroed(size_t n, size_t size);
int64_t kit_now_us(void);
/* Ends with its parent, survives broken pipes, has all descriptors it may. */
void kit_settle(void);
/* A bound Unix socket that everybody may use; what was there before is gone. */
int kit_unix(const char *directory, const char *name, int type);
/* A bound socket on 127.0.0.1. */
int kit_inet(uint32_t port, int type);
void kit_watch(int epoll, int fd, uint32_t events, uint64_t tag);

#endif
