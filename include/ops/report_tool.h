/* SPDX-License-Identifier: ISC */
/* ops/report_tool.h - doorbellctl report.
 *
 * Errors:  an exit status (ops/control.h); standard error has said why. */
#ifndef DOORBELL_OPS_REPORT_TOOL_H
#define DOORBELL_OPS_REPORT_TOOL_H

#include "ops/request.h"

int report_tool(const struct request *r);

#endif
