/* SPDX-License-Identifier: ISC */
/* lookup/dnsbl_selftest.h - ask DNS lists what every list must know.
 *
 * RFC 5782: a list must not list 127.0.0.1 (::FFFF:7F00:1), and must list
 * 127.0.0.2, or ::FFFF:7F00:2 if it is for IPv6. Besides a canary is asked for,
 * a random address in 240.0.0.0/4, where nobody is: a list that knows it lists
 * the whole world.
 *
 * Owns:    its questions. Flight, records and specs are the caller's and must
 *          outlive it.
 * Units:   milliseconds.
 * Errors:  NULL with errno ENOMEM.
 * Threads: none; news are told on a later tick. */
#ifndef DOORBELL_LOOKUP_DNSBL_SELFTEST_H
#define DOORBELL_LOOKUP_DNSBL_SELFTEST_H

#include "lookup/dnsbl_flight.h"
#include "lookup/dnsbl_health.h"
#include "lookup/dnsbl_spec.h"

#define DNSBL_RETEST_MS 300000 /* a list that is out is tested sooner */

struct dnsbl_selftest;

/* `about` was asked for and answered `as`, where the news are about that. Must
 * not call back. */
typedef void dnsbl_news_fn(const char *zone, enum dnsbl_news news,
    const struct addr *about, const struct addr *as, void *arg);

struct dnsbl_selftest_options {
	struct loop *loop;
	struct dnsbl_flight *flight;
	const struct dnsbl_spec *spec;
	struct dnsbl_health **health; /* one for each zone */
	dnsbl_news_fn *news;
	void *arg;
};

struct dnsbl_selftest *dnsbl_selftest_new(
    const struct dnsbl_selftest_options *o);
/* Test all lists now, and again after each interval. */
void dnsbl_selftest_start(struct dnsbl_selftest *t, int64_t interval_ms);
void dnsbl_selftest_stop(struct dnsbl_selftest *t);
void dnsbl_selftest_free(struct dnsbl_selftest **t);

#endif
