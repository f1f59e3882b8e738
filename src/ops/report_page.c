/* SPDX-License-Identifier: ISC */
#include "ops/report_page.h"

int
report_page(const struct report *r, struct buf *out)
{
	(void)r;
	return buf_add_str(out, "");
}
