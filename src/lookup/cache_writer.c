/* SPDX-License-Identifier: ISC */
#include "lookup/cache_writer.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <time.h>

#include "base/mem.h"
#include "base/must.h"
#include "lookup/sweep.h"

/* One mutex guards the queue, the flags and the news; it is never held across
 * a call that may wait for a disk. The thread uses no stdio, no log, and no
 * other lock of ours, because a fork may find it anywhere: the child has the
 * queue whole (the forking thread holds the mutex) and nothing else of the
 * thread's is looked at again.
 *
 * A page of the file holds some dozens of records, and each transaction copies
 * every page that it changes. So the more records wait, the less each of them
 * costs; but the queue is worked off in portions, with rests in which the loop
 * gets the mutex.
 *
 * A full map: the batch goes back to the queue, where lookups still find it,
 * and a sweep makes room once. When the batch then does not fit either, batches
 * are dropped until a later sweep has removed something; and one batch every
 * CACHE_FULL_MS is tried, since a disk may get its room back from elsewhere. */

enum { PORTION = 500, REST_NS = 20000 };

enum room {
	ROOM_ENOUGH,
	ROOM_MAKING, /* a sweep for room is on its way */
	ROOM_MADE,   /* it has ended; the next batch will show */
	ROOM_NONE    /* storing nothing, but for a try now and then */
};

struct cache_writer {
	pthread_mutex_t mutex;
	pthread_cond_t wake;
	pthread_t thread;
	bool has_thread;

	/* under the mutex */
	struct cache_queue *queue;
	struct mono oldest; /* since when something waits */
	size_t notes_waiting;
	struct cache_note notes[CACHE_NOTES_WAITING_MAX]; /* oldest first */
	size_t totals_waiting;
	struct cache_total *totals[CACHE_TOTALS_WAITING_MAX];
	bool is_stopping, has_failed;
	bool is_sweep_wanted, is_sweeping;
	bool is_at_file; /* the thread works without the mutex */
	struct wall sweep_before;
	struct cache_news news;

	/* the thread's own */
	struct cache_file *file;
	enum room room;
	bool is_dropping;    /* since there was no room */
	struct mono full_at; /* when that showed last */
	struct sweep sweep;
	struct cache_change batch[CACHE_BATCH_MAX];
	struct cache_note keeping[CACHE_NOTES_WAITING_MAX];
	struct cache_total *adding; /* not again by the child of a fork */
};

static int
init_locks(struct cache_writer *w)
{
	pthread_condattr_t attr;
	int rc;

	if ((rc = pthread_condattr_init(&attr)) != 0)
		goto done;
	if ((rc = pthread_condattr_setclock(&attr, CLOCK_MONOTONIC)) == 0 &&
	    (rc = pthread_cond_init(&w->wake, &attr)) == 0)
		rc = pthread_mutex_init(&w->mutex, NULL);
	pthread_condattr_destroy(&attr);
done:
	errno = rc;
	return rc == 0 ? 0 : -1;
}

struct cache_writer *
cache_writer_new(void)
{
	struct cache_writer *w = mem_new(sizeof(*w));

	if (w == NULL)
		return NULL;
	if ((w->queue = cache_queue_new()) == NULL || init_locks(w) < 0) {
		cache_queue_free(&w->queue);
		mem_free(w);
		return NULL;
	}
	return w;
}

void
cache_writer_free(struct cache_writer **w)
{
	if (*w == NULL)
		return;
	must(!(*w)->has_thread);
	while ((*w)->totals_waiting > 0)
		cache_total_free(&(*w)->totals[--(*w)->totals_waiting]);
	pthread_cond_destroy(&(*w)->wake);
	pthread_mutex_destroy(&(*w)->mutex);
	cache_queue_free(&(*w)->queue);
	mem_free(*w);
	*w = NULL;
}

static void
lock(struct cache_writer *w)
{
	must(pthread_mutex_lock(&w->mutex) == 0);
}

static void
unlock(struct cache_writer *w)
{
	must(pthread_mutex_unlock(&w->mutex) == 0);
}

/* --- the thread; the mutex is held unless a function says otherwise ------- */

static void
note_failure(struct cache_writer *w, const struct errtext *why)
{
	if (w->has_failed)
		return;
	w->has_failed = true;
	w->news.failed = true;
	w->news.why = *why;
}

static void
give_up_on_room(struct cache_writer *w)
{
	w->room = ROOM_NONE;
	w->is_dropping = true;
	w->full_at = clock_mono();
}

/* True when the batch shall wait for a sweep. A try that finds no room is not
 * told again. */
static bool
note_full(struct cache_writer *w, const struct errtext *why)
{
	if (w->room != ROOM_NONE) {
		w->news.full = true;
		w->news.why = *why;
	}
	if (w->room == ROOM_ENOUGH && !w->is_stopping) {
		w->room = ROOM_MAKING;
		return true;
	}
	give_up_on_room(w);
	return false;
}

/* Left open for a moment only, the mutex would be ours again before the loop
 * has woken up. */
static void
rest(struct cache_writer *w)
{
	const struct timespec moment = {.tv_nsec = REST_NS};

	unlock(w);
	nanosleep(&moment, NULL);
	lock(w);
}

static size_t
take_batch(struct cache_writer *w)
{
	size_t n = 0, taken;

	do {
		if (n > 0)
			rest(w);
		taken = cache_queue_take(w->queue, w->batch + n, PORTION);
		n += taken;
	} while (taken == PORTION && n <= CACHE_BATCH_MAX - PORTION);
	return n;
}

static void
settle_batch(struct cache_writer *w)
{
	while (cache_queue_settle(w->queue, PORTION))
		rest(w);
}

static void
note_batch(struct cache_writer *w, enum cache_file_status status, size_t n,
    const struct errtext *why)
{
	switch (status) {
	case CACHE_FILE_DONE:
		w->room = ROOM_ENOUGH;
		w->news.stored += n;
		w->news.room_again |= w->is_dropping;
		w->is_dropping = false;
		break;
	case CACHE_FILE_FULL:
		if (note_full(w, why)) {
			cache_queue_put_back(w->queue);
			return;
		}
		w->news.lost += n;
		break;
	case CACHE_FILE_NO_MEMORY:
		w->news.lost += n;
		break;
	default:
		note_failure(w, why);
		w->news.lost += n;
		break;
	}
	settle_batch(w);
}

/* The file is slow: nobody waits for the mutex meanwhile. */
static void
leave_for_file(struct cache_writer *w)
{
	w->is_at_file = true;
	unlock(w);
}

static void
come_back(struct cache_writer *w)
{
	lock(w);
	w->is_at_file = false;
}

static bool
is_to_be_dropped(const struct cache_writer *w)
{
	return w->has_failed ||
	       (w->room == ROOM_NONE &&
		   mono_between(w->full_at, clock_mono()) < CACHE_FULL_MS);
}

static void
write_batch(struct cache_writer *w)
{
	enum cache_file_status status;
	struct errtext why;
	size_t n = take_batch(w);

	w->oldest = clock_mono();
	if (is_to_be_dropped(w)) {
		w->news.lost += n;
		settle_batch(w);
		return;
	}
	leave_for_file(w);
	status = cache_file_apply(w->file, w->batch, n, &why);
	come_back(w);
	note_batch(w, status, n, &why);
}

/* Somebody has made them by hand and waits: no batch, no delay. They stay where
 * they are until they are written, so that a fork finds them. */
static void
write_notes(struct cache_writer *w)
{
	enum cache_file_status status = CACHE_FILE_FAILED;
	struct errtext why;
	size_t n = w->notes_waiting;

	if (!w->has_failed) {
		memcpy(w->keeping, w->notes, n * sizeof(w->notes[0]));
		leave_for_file(w);
		status = cache_file_keep(w->file, w->keeping, n, &why);
		come_back(w);
		if (status == CACHE_FILE_FAILED)
			note_failure(w, &why);
	}
	if (status == CACHE_FILE_FULL) {
		w->news.full = true;
		w->news.why = why;
	}
	if (status != CACHE_FILE_DONE)
		w->news.lost += n;
	w->notes_waiting -= n;
	memmove(w->notes, w->notes + n, w->notes_waiting * sizeof(w->notes[0]));
}

/* Unlike a note it must not be written twice: who is interrupted loses it. */
static void
write_total(struct cache_writer *w)
{
	enum cache_file_status status;
	struct errtext why;
	size_t bytes;

	w->adding = w->totals[0];
	w->totals_waiting--;
	/* NOLINTNEXTLINE(bugprone-sizeof-expression): these are pointers. */
	bytes = w->totals_waiting * sizeof(w->totals[0]);
	memmove(w->totals, w->totals + 1, bytes);
	if (!is_to_be_dropped(w)) {
		leave_for_file(w);
		status = cache_file_total(w->file, w->adding, &why);
		come_back(w);
		if (status == CACHE_FILE_FAILED)
			note_failure(w, &why);
	}
	cache_total_free(&w->adding);
}

static void
end_sweep(struct cache_writer *w, enum cache_file_status status,
    const struct errtext *why)
{
	if (status == CACHE_FILE_FAILED)
		note_failure(w, why);
	if (w->sweep.for_room) {
		if (w->sweep.dropped > 0)
			w->room = ROOM_MADE;
		else
			give_up_on_room(w);
		return;
	}
	w->is_sweeping = false;
	w->news.swept = status == CACHE_FILE_DONE;
	if (w->sweep.dropped > 0 && w->room == ROOM_NONE)
		w->room = ROOM_ENOUGH;
}

static void
continue_sweep(struct cache_writer *w)
{
	enum cache_file_status status;
	struct errtext why;

	leave_for_file(w);
	status = sweep_step(&w->sweep, w->file, &why);
	come_back(w);
	if (!w->sweep.for_room) {
		w->news.dropped = w->sweep.dropped;
		w->news.retained = w->sweep.visited - w->sweep.dropped;
	}
	if (w->sweep.phase == SWEEP_IDLE)
		end_sweep(w, status, &why);
}

/* True when there is a sweep to continue. */
static bool
may_sweep(struct cache_writer *w)
{
	if (w->is_stopping || w->has_failed)
		return false;
	if (w->sweep.phase != SWEEP_IDLE)
		return true;
	if (w->room == ROOM_MAKING) {
		sweep_begin_for_room(&w->sweep);
		return true;
	}
	if (!w->is_sweep_wanted)
		return false;
	w->is_sweep_wanted = false;
	w->is_sweeping = true;
	sweep_begin(&w->sweep, w->sweep_before);
	return true;
}

static bool
is_batch_due(const struct cache_writer *w)
{
	size_t waiting = cache_queue_waiting(w->queue);

	if (waiting == 0)
		return false;
	if (w->is_stopping || w->has_failed)
		return true;
	if (w->room == ROOM_MAKING)
		return false;
	return waiting >= CACHE_BATCH_MIN ||
	       mono_between(w->oldest, clock_mono()) >= CACHE_BATCH_MS;
}

static void
wait_for_work(struct cache_writer *w)
{
	struct mono due = mono_after(w->oldest, CACHE_BATCH_MS);
	struct timespec until = {.tv_sec = (time_t)(due.ms / 1000),
	    .tv_nsec = (long)(due.ms % 1000) * 1000000};

	if (cache_queue_waiting(w->queue) == 0)
		pthread_cond_wait(&w->wake, &w->mutex);
	else
		pthread_cond_timedwait(&w->wake, &w->mutex, &until);
}

static void *
work(void *arg)
{
	struct cache_writer *w = arg;

	lock(w);
	while (!w->is_stopping || cache_queue_waiting(w->queue) > 0 ||
	       w->notes_waiting > 0 || w->totals_waiting > 0) {
		if (w->notes_waiting > 0)
			write_notes(w);
		else if (is_batch_due(w))
			write_batch(w);
		else if (w->totals_waiting > 0)
			write_total(w);
		else if (may_sweep(w))
			continue_sweep(w);
		else
			wait_for_work(w);
	}
	unlock(w);
	return NULL;
}

static void *
thread_main(void *arg)
{
	struct cache_writer *w = arg;

	cache_file_warm(w->file);
	return work(w);
}

/* --- the loop's side ------------------------------------------------------ */

int
cache_writer_start(struct cache_writer *w, struct cache_file *f)
{
	sigset_t all, before;
	int rc;

	w->file = f;
	sigfillset(&all);
	/* A blocked fault would kill without a look at its handler. */
	sigdelset(&all, SIGBUS);
	sigdelset(&all, SIGSEGV);
	sigdelset(&all, SIGABRT);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	rc = pthread_create(&w->thread, NULL, thread_main, w);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	w->has_thread = rc == 0;
	errno = rc;
	return rc == 0 ? 0 : -1;
}

void
cache_writer_stop(struct cache_writer *w, struct cache_file *f)
{
	lock(w);
	w->is_stopping = true;
	pthread_cond_signal(&w->wake);
	unlock(w);
	if (w->has_thread) {
		pthread_join(w->thread, NULL);
		w->has_thread = false;
		return;
	}
	w->file = f;
	work(w);
}

int
cache_writer_add(struct cache_writer *w, const struct cache_change *change)
{
	size_t before, after;
	int rc = -1;

	lock(w);
	before = cache_queue_waiting(w->queue);
	if (before == 0)
		w->oldest = clock_mono();
	if (w->has_failed)
		errno = EIO;
	else
		rc = cache_queue_add(w->queue, change);
	if (rc < 0)
		w->news.lost++;
	after = cache_queue_waiting(w->queue);
	/* Between these two the writer's own wait will do. */
	if (after != before && (after == 1 || after == CACHE_BATCH_MIN))
		pthread_cond_signal(&w->wake);
	unlock(w);
	return rc;
}

int
cache_writer_keep(struct cache_writer *w, const struct cache_note *note)
{
	int rc = -1;

	lock(w);
	if (w->has_failed) {
		errno = EIO;
	} else if (w->notes_waiting == CACHE_NOTES_WAITING_MAX) {
		errno = ENOBUFS;
	} else {
		w->notes[w->notes_waiting++] = *note;
		pthread_cond_signal(&w->wake);
		rc = 0;
	}
	unlock(w);
	return rc;
}

int
cache_writer_total(struct cache_writer *w, struct cache_total *total)
{
	int rc = -1;

	lock(w);
	if (w->has_failed) {
		errno = EIO;
	} else if (w->totals_waiting == CACHE_TOTALS_WAITING_MAX) {
		errno = ENOBUFS;
	} else {
		w->totals[w->totals_waiting++] = total;
		pthread_cond_signal(&w->wake);
		rc = 0;
	}
	unlock(w);
	return rc;
}

enum cache_writer_answer
cache_writer_find(struct cache_writer *w, const struct record_key *key,
    struct cache_change *change_r)
{
	enum cache_writer_answer answer = CACHE_WRITER_ABSENT;

	lock(w);
	if (w->has_failed)
		answer = CACHE_WRITER_FAILED;
	else if (cache_queue_find(w->queue, key, change_r))
		answer = CACHE_WRITER_QUEUED;
	unlock(w);
	return answer;
}

void
cache_writer_fail(struct cache_writer *w, const struct errtext *why)
{
	lock(w);
	note_failure(w, why);
	pthread_cond_signal(&w->wake);
	unlock(w);
}

bool
cache_writer_has_failed(struct cache_writer *w)
{
	bool has_failed;

	lock(w);
	has_failed = w->has_failed;
	unlock(w);
	return has_failed;
}

/* All that a thread has left behind, but for the queue. */
static void
reset(struct cache_writer *w)
{
	cache_total_free(&w->adding);
	w->has_thread = false;
	w->has_failed = false;
	w->is_stopping = false;
	w->is_sweeping = false;
	w->is_sweep_wanted = false;
	w->is_at_file = false;
	w->room = ROOM_ENOUGH;
	w->is_dropping = false;
	w->sweep.phase = SWEEP_IDLE;
	w->file = NULL;
}

int
cache_writer_begin_anew(struct cache_writer *w)
{
	bool is_at_file;

	lock(w);
	must(w->has_failed);
	is_at_file = w->is_at_file;
	unlock(w);
	/* Once it is back from there, it does not go again. */
	if (is_at_file)
		return errno = EBUSY, -1;
	cache_writer_stop(w, NULL);
	reset(w);
	return 0;
}

void
cache_writer_sweep(struct cache_writer *w, struct wall before)
{
	lock(w);
	if (!w->is_sweeping) {
		w->is_sweep_wanted = true;
		w->sweep_before = before;
		pthread_cond_signal(&w->wake);
	}
	unlock(w);
}

void
cache_writer_take_news(struct cache_writer *w, struct cache_news *news_r)
{
	lock(w);
	*news_r = w->news;
	w->news = (struct cache_news){
	    .retained = w->news.retained, .dropped = w->news.dropped};
	news_r->sweeping = w->is_sweeping;
	unlock(w);
}

size_t
cache_writer_backlog(struct cache_writer *w)
{
	size_t n;

	lock(w);
	n = cache_queue_count(w->queue) + w->notes_waiting + w->totals_waiting;
	unlock(w);
	return n;
}

void
cache_writer_before_fork(struct cache_writer *w)
{
	lock(w);
#ifdef __SANITIZE_ADDRESS__
	/* The allocator of ASan, unlike that of glibc, keeps its locks over a
	 * fork that hits another thread inside of it: the child would hang. */
	while (w->is_at_file) {
		unlock(w);
		sched_yield();
		lock(w);
	}
#endif
}

void
cache_writer_after_fork_parent(struct cache_writer *w)
{
	unlock(w);
}

void
cache_writer_after_fork_child(struct cache_writer *w)
{
	/* Not destroyed first: the parent's thread may be in there as a waiter
	 * that will never leave. Initialising cannot fail where it succeeded
	 * before: neither of the two owns memory. */
	must(init_locks(w) == 0);
	cache_queue_put_back(w->queue);
	reset(w);
}
