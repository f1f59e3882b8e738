/* SPDX-License-Identifier: ISC */
/* config/notice.h - what an admin should hear about a sound configuration.
 *
 * Unknown doorbell_ names, with the nearest known one.
 *
 * Owns:    nothing.
 * Errors:  none; without memory a notice is left out. */
#ifndef DOORBELL_CONFIG_NOTICE_H
#define DOORBELL_CONFIG_NOTICE_H

#include "config/config.h"

void notice_all(
    const struct config_set *set, config_report_fn *report, void *arg);

#endif
