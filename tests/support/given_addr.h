/* SPDX-License-Identifier: ISC */
/* support/given_addr.h - addresses from text; what is none fails the test. */
#ifndef DOORBELL_TESTS_GIVEN_ADDR_H
#define DOORBELL_TESTS_GIVEN_ADDR_H

#include "base/addr.h"

struct addr given_addr(const char *text);
struct endpoint given_endpoint(const char *text, uint16_t port);

#endif
