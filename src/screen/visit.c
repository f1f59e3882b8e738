/* SPDX-License-Identifier: ISC */
#include "screen/visit.h"

static unsigned
mark_of(enum journal_event event)
{
	switch (event) {
	case EVENT_CONNECT:
		return VISIT_CAME;
	case EVENT_ALLOWLISTED:
		return VISIT_ALLOWED;
	case EVENT_DENYLISTED:
		return VISIT_DENIED;
	case EVENT_PASS_NEW:
		return VISIT_NEW;
	case EVENT_PASS_OLD:
		return VISIT_OLD;
	case EVENT_PREGREET:
		return VISIT_EARLY;
	case EVENT_DNSBL_RANK:
		return VISIT_LISTED;
	case EVENT_DNSBL_INCOMPLETE:
		return VISIT_INCOMPLETE;
	case EVENT_PIPELINING:
	case EVENT_NON_SMTP:
	case EVENT_BARE_NEWLINE:
		return VISIT_DEEP;
	case EVENT_HANGUP_EARLY:
		return VISIT_HUNG_EARLY;
	case EVENT_HANGUP_LATE:
		return VISIT_HUNG_LATE;
	case EVENT_SHED_EARLY:
	case EVENT_SHED_LATE:
		return VISIT_SHED;
	case EVENT_REJECT_FULL:
	case EVENT_REJECT_SERVER:
		return VISIT_BUSY;
	case EVENT_REJECT_COUNT:
	case EVENT_REJECT_RATE:
	case EVENT_REJECT_FAILURES:
		return VISIT_LIMITED;
	case EVENT_DISCONNECT:
		return VISIT_ENDED;
	default:
		return 0;
	}
}

static int32_t
clamp(int64_t ms)
{
	return ms < 0 ? 0 : ms > INT32_MAX ? INT32_MAX : (int32_t)ms;
}

void
visit_note(struct visit *v, enum journal_event event, int64_t since_came_ms,
    int64_t delay_ms)
{
	unsigned mark = mark_of(event);

	if ((mark & VISIT_PASSED) != 0 && (v->marks & VISIT_PASSED) == 0)
		v->wait_ms = clamp(since_came_ms);
	if ((mark & (VISIT_HUNG_EARLY | VISIT_HUNG_LATE)) != 0)
		v->hung_ms = clamp(delay_ms);
	v->marks = (uint16_t)(v->marks | mark);
}

/* PASS OLD after a test looks like PASS OLD at the door, but for the wait. */
bool
visit_was_tested(const struct visit *v)
{
	if ((v->marks & (VISIT_EARLY | VISIT_LISTED)) != 0)
		return true;
	return (v->marks & (VISIT_ALLOWED | VISIT_OLD | VISIT_BUSY |
			       VISIT_LIMITED | VISIT_DENIED)) == 0;
}
