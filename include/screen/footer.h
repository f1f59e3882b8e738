/* SPDX-License-Identifier: ISC */
/* screen/footer.h - what is added to each 4xx and 5xx reply (reject_footer).
 *
 * The text comes from the first of the reject_footer_maps that knows the reply,
 * or else from reject_footer. In it $client_address, $client_port, $localtime,
 * $server_name, $session_id and $dnsbl_reasons stand for their values, in the
 * notation of main.cf; what expansion_filter does not allow in a value becomes
 * '_'.
 *
 * Owns:    its tables.
 * Errors:  NULL with *why. A text that makes no sense is no footer, and a line
 *          in the log. */
#ifndef DOORBELL_SCREEN_FOOTER_H
#define DOORBELL_SCREEN_FOOTER_H

#include <stdbool.h>

#include "config/config.h"
#include "smtp/reply.h"
#include "table/table.h"

struct footer;
struct session;

struct footer *footer_open(const struct config *cfg,
    const struct table_options *o, struct errtext *why);
void footer_free(struct footer **f);
enum table_change footer_refresh(struct footer *f, struct errtext *why);

/* How replies to this session look: soft_bounce and the footer. Valid as long
 * as the session. */
struct reply_style footer_style(struct session *s);

/* Read "\t\40abc" into a set of bytes, as expansion_filter has it. */
struct footer_filter {
	bool allows[256];
};
struct footer_filter footer_parse_filter(const char *text);

#endif
