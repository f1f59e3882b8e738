/* SPDX-License-Identifier: ISC */
#include "lookup/dns_window.h"

/* A window like TCP's, but judged once a term and not with each answer: a lost
 * question is seen only when it has been repeated, hundreds of round trips
 * later, and by then a window that grows with each of them has long drowned the
 * server.
 *
 * A term in which more than one question in LOSS_SHARE was lost halves the
 * window. A few losses are nothing: lists that are slow to look up look like
 * that. A term without losses that wanted more, and used what it had, lets it
 * grow by a quarter. A server that answers nothing teaches nothing: that its
 * questions grow old is brake enough. */

#include "base/must.h"

enum {
	LOSS_SHARE = 16,
	GROWTH_SHARE = 4,
};

static void
term_begin(struct dns_window *w, struct mono now)
{
	w->began = now;
	w->was_full = false;
	w->answers = w->losses = 0;
}

static void
term_judge(struct dns_window *w)
{
	if (w->losses > w->answers / LOSS_SHARE)
		w->limit /= 2;
	else if (w->losses == 0 && w->was_full && w->answers >= w->limit)
		w->limit += w->limit / GROWTH_SHARE;
	if (w->limit < DNS_WINDOW_MIN)
		w->limit = DNS_WINDOW_MIN;
	if (w->limit > DNS_WINDOW_MAX)
		w->limit = DNS_WINDOW_MAX;
}

void
dns_window_init(struct dns_window *w, struct mono now)
{
	*w = (struct dns_window){.limit = DNS_WINDOW_START};
	term_begin(w, now);
}

bool
dns_window_has_room(struct dns_window *w, struct mono now)
{
	if (mono_between(w->began, now) >= DNS_WINDOW_TERM_MS) {
		term_judge(w);
		term_begin(w, now);
	}
	if (w->young < w->limit)
		return true;
	w->was_full = true;
	return false;
}

void
dns_window_sent(struct dns_window *w)
{
	w->young++;
}

void
dns_window_aged(struct dns_window *w)
{
	must(w->young > 0);
	w->young--;
}

void
dns_window_answered(struct dns_window *w, bool again)
{
	w->answers++;
	w->losses += again;
}
