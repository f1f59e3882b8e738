/* SPDX-License-Identifier: ISC */
/* support/fake_fault.h - the call whose turn it is fails.
 *
 * A fake asks fake_fault_strikes() in each function that may fail. The test
 * says which of these calls it shall be, and looks how many there were. */
#ifndef DOORBELL_TESTS_FAKE_FAULT_H
#define DOORBELL_TESTS_FAKE_FAULT_H

#include <stdbool.h>

struct fake_fault {
	bool armed;
	bool lasting;     /* all calls behind it fail, too */
	bool suspended;   /* nothing counts for now */
	unsigned long at; /* the number of the call that fails, from 1 */
	unsigned long calls;
};

static inline bool
fake_fault_strikes(struct fake_fault *f)
{
	if (!f->armed || f->suspended)
		return false;
	f->calls++;
	return f->lasting ? f->calls >= f->at : f->calls == f->at;
}

#endif
