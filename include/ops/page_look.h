/* SPDX-License-Identifier: ISC */
/* ops/page_look.h - style and script of the status page.
 *
 * The page works without the script, whose only task is to fetch it again and
 * put the new numbers in. The policy that goes with it allows these two, by
 * their hashes, and nothing else: what somebody may smuggle into the page stays
 * text.
 *
 * Owns:    nothing. */
#ifndef DOORBELL_OPS_PAGE_LOOK_H
#define DOORBELL_OPS_PAGE_LOOK_H

/* In parts, the last one NULL. */
extern const char *const page_look_style[];
extern const char *const page_look_script[];

/* SHA-256, base64; a test says what they have to be. */
#define PAGE_LOOK_STYLE_HASH "2/tVo77Lt5b0VVLck4v66Q7+0MN944OqYkpI7c6pUC0="
#define PAGE_LOOK_SCRIPT_HASH "8+qwnhCxkSN/VsXMvqKe6WZ1DXs9NJt2mw33RTDo4TY="

/* The Content-Security-Policy to send with it. */
#define PAGE_LOOK_POLICY                                              \
	"default-src 'none'; base-uri 'none'; form-action 'none';"    \
	" frame-ancestors 'none'; connect-src 'self'; img-src data:;" \
	" script-src 'sha256-" PAGE_LOOK_SCRIPT_HASH "';"             \
	" style-src 'sha256-" PAGE_LOOK_STYLE_HASH "'"

#endif
