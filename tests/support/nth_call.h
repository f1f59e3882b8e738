/* SPDX-License-Identifier: ISC */
/* support/nth_call.h - one call of the C library fails, ours or a library's.
 *
 * Linked into a test, or loaded into a program (LD_PRELOAD) that is told by the
 * file NTH_CALL_FILE, which both sides have mapped: it begins with struct
 * nth_call_orders. NTH_CALL_SPEED is how many times faster its monotonic clock
 * runs then. */
#ifndef DOORBELL_TESTS_NTH_CALL_H
#define DOORBELL_TESTS_NTH_CALL_H

#include <stdint.h>

/* AddressSanitizer has an allocator of its own, which cannot be made to fail. */
#define NTH_CALL_HAS_MALLOC 1
#if defined(__SANITIZE_ADDRESS__)
#undef NTH_CALL_HAS_MALLOC
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#undef NTH_CALL_HAS_MALLOC
#endif
#endif

enum nth_call {
#define CALL(name) CALL_##name,
#include "support/nth_call.def"
#undef CALL
	CALL_COUNT
};

struct nth_call_orders {
	_Atomic uint32_t is_armed;
	_Atomic uint32_t call;    /* which one fails ... */
	_Atomic uint32_t at;      /* the how-many-th, from 1 */
	_Atomic uint32_t lasting; /* and all behind it */
	_Atomic uint32_t error;
	_Atomic uint32_t calls; /* of this one, since it was armed */
	_Atomic int64_t live;   /* blocks of memory */
};

/* From now on number `at` of these calls fails. */
void nth_call_arm(enum nth_call call, uint32_t at, int error);
/* How many there were. */
uint32_t nth_call_disarm(void);
const char *nth_call_name(enum nth_call call);

#endif
