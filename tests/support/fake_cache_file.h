/* SPDX-License-Identifier: ISC */
/* support/fake_cache_file.h - a cache file without a disk: it holds nothing and
 * says what it is told to say. Takes the place of lookup/cache_file. */
#ifndef DOORBELL_TESTS_FAKE_CACHE_FILE_H
#define DOORBELL_TESTS_FAKE_CACHE_FILE_H

#include <stdbool.h>

#include "lookup/cache_file.h"

/* To every change and removal from now on. */
void fake_cache_file_answer(enum cache_file_status status);
/* Let none of them return before it is let go again. */
void fake_cache_file_hold(bool held);
/* Batches that it was asked to store, whatever the answer. */
unsigned fake_cache_file_tries(void);

#endif
