/* SPDX-License-Identifier: ISC */
/* ops/page.h - the status page: one HTML file, complete in itself.
 *
 * Owns:    nothing.
 * Errors:  -1 when not all of it fits into `out`. */
#ifndef DOORBELL_OPS_PAGE_H
#define DOORBELL_OPS_PAGE_H

#include "base/trend.h"
#include "ops/control.h"

struct page_facts {
	const struct control *control;
	const struct trend *trend;
	struct span trouble; /* a sentence a line; empty: none */
	struct wall now;
};

int page_write(const struct page_facts *facts, struct buf *out);

#endif
