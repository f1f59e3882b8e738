/* SPDX-License-Identifier: ISC */
/* base/must.h - the always-on assertion.
 *
 * For broken invariants only: anything that a peer, an admin or the kernel
 * can cause is a branch, not a must(). */
#ifndef DOORBELL_BASE_MUST_H
#define DOORBELL_BASE_MUST_H

/* Log the broken claim as a panic and abort(). */
_Noreturn void must_failed(const char *claim, const char *file, int line);

#define must(claim) \
	((claim) ? (void)0 : must_failed(#claim, __FILE__, __LINE__))

#endif
