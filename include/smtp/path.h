/* SPDX-License-Identifier: ISC */
/* smtp/path.h - the address in MAIL FROM:<...> and RCPT TO:<...>, as lenient as
 * Postfix's screening engine: it is only logged, never delivered to.
 *
 * The word before the colon is not checked, brackets may be missing, a source
 * route (@a,@b:) is cut off, quotes and backslashes are removed.
 *
 * Errors:  0; -1 with EINVAL when there is no colon, ENOMEM or EMSGSIZE. */
#ifndef DOORBELL_SMTP_PATH_H
#define DOORBELL_SMTP_PATH_H

#include <stdbool.h>

#include "base/buf.h"

/* `args` is what follows the command word. Appends the bare address. */
int path_parse(struct span args, struct buf *out);
/* Append the address in the form of log lines: with `external` the local part
 * gets RFC 5322 quotes when it needs them. */
int path_format(struct span address, bool external, struct buf *out);

#endif
