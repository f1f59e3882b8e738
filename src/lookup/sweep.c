/* SPDX-License-Identifier: ISC */
#include "lookup/sweep.h"

#include <stdlib.h>

#include "base/must.h"

/* Each step reads up to SWEEP_STEP_MAX keys behind the last one, in a read
 * transaction that blocks nobody, and takes the write lock only when there is
 * something to remove. There is no index by expiry: to make room, one walk
 * takes an even sample of all expiries (one record in `stride`, which doubles
 * whenever the sample is full) and its tenth percentile becomes the limit of a
 * second walk, which also stops at its quota, in case all expire together.
 *
 * LMDB copies the pages it changes, so removing needs free pages too: when
 * there are too few for one transaction, the next ones are made smaller. */

#define ROOM_SHARE 10 /* make room: remove one record in so many */

static void
rewind_to(struct sweep *s, enum sweep_phase phase)
{
	s->phase = phase;
	s->has_position = false;
	s->step_max = SWEEP_STEP_MAX;
	s->visited = 0;
	s->dropped = 0;
}

void
sweep_begin(struct sweep *s, struct wall before)
{
	must(s->phase == SWEEP_IDLE);
	rewind_to(s, SWEEP_REMOVE);
	s->for_room = false;
	s->before = before;
	s->quota = UINT64_MAX;
}

void
sweep_begin_for_room(struct sweep *s)
{
	must(s->phase == SWEEP_IDLE);
	rewind_to(s, SWEEP_MEASURE);
	s->for_room = true;
	s->sample_n = 0;
	s->stride = 1;
}

static void
halve_sample(struct sweep *s)
{
	for (size_t i = 0; i < s->sample_n / 2; i++)
		s->sample[i] = s->sample[2 * i];
	s->sample_n /= 2;
	s->stride *= 2;
}

static int
compare_times(const void *a, const void *b)
{
	int64_t x, y;

	x = *(const int64_t *)a;
	y = *(const int64_t *)b;
	return x < y ? -1 : x > y;
}

static void
end_measure(struct sweep *s)
{
	struct wall now = clock_wall();
	uint64_t total = s->visited;

	rewind_to(s, total > 0 ? SWEEP_REMOVE : SWEEP_IDLE);
	if (total == 0)
		return;
	qsort(s->sample, s->sample_n, sizeof(s->sample[0]), compare_times);
	s->before.s = s->sample[s->sample_n / ROOM_SHARE] + 1;
	s->quota = total / ROOM_SHARE + 1;
	if (s->before.s < now.s) {
		s->before = now;
		s->quota = UINT64_MAX;
	}
}

static void
measure(struct sweep *s, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (s->sample_n == SWEEP_SAMPLE_MAX)
			halve_sample(s);
		if (s->visited++ % s->stride == 0)
			s->sample[s->sample_n++] = s->scanned[i].last.s;
	}
	if (n > 0) {
		s->position = s->scanned[n - 1].key;
		s->has_position = true;
	}
}

/* Remove what is due among the first records of the scan; *n comes back as the
 * number of records dealt with. */
static enum cache_file_status
remove_some(
    struct sweep *s, struct cache_file *f, size_t *n, struct errtext *why)
{
	enum cache_file_status status;
	size_t i, due = 0, dropped;

	for (i = 0; i < *n && due < s->step_max; i++) {
		if (s->scanned[i].last.s < s->before.s &&
		    s->dropped + due < s->quota)
			s->expired[due++] = s->scanned[i].key;
	}
	*n = i;
	if (due == 0)
		return CACHE_FILE_DONE;
	status =
	    cache_file_remove(f, s->expired, due, s->before, &dropped, why);
	s->dropped += dropped;
	return status;
}

static enum cache_file_status
step_remove(
    struct sweep *s, struct cache_file *f, size_t n, struct errtext *why)
{
	size_t dealt_with = n;
	enum cache_file_status status = remove_some(s, f, &dealt_with, why);

	if (status == CACHE_FILE_FULL && s->step_max > 1) {
		s->step_max /= 2;
		return CACHE_FILE_DONE;
	}
	if (status != CACHE_FILE_DONE) {
		s->phase = SWEEP_IDLE;
		return status;
	}
	s->visited += dealt_with;
	if (dealt_with > 0) {
		s->position = s->scanned[dealt_with - 1].key;
		s->has_position = true;
	}
	if ((n < SWEEP_STEP_MAX && dealt_with == n) ||
	    (s->for_room && s->dropped >= s->quota))
		s->phase = SWEEP_IDLE;
	return status;
}

enum cache_file_status
sweep_step(struct sweep *s, struct cache_file *f, struct errtext *why)
{
	enum cache_file_status status;
	size_t n;

	must(s->phase != SWEEP_IDLE);
	status = cache_file_scan(f, s->has_position ? &s->position : NULL,
	    s->scanned, SWEEP_STEP_MAX, &n, why);
	if (status != CACHE_FILE_DONE) {
		s->phase = SWEEP_IDLE;
		return status;
	}
	if (s->phase == SWEEP_REMOVE)
		return step_remove(s, f, n, why);
	measure(s, n);
	if (n < SWEEP_STEP_MAX)
		end_measure(s);
	return status;
}
