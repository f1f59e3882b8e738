/* SPDX-License-Identifier: ISC */
/* What the writer does about a file that has no room, or has failed. Batches are whole ones,
 * which are due at any time: the clock moves only by hand. */
/* links: fake_clock fake_cache_file */
#include "lookup/cache_writer.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "support/fake_cache_file.h"
#include "support/fake_clock.h"

/* The next news, when a batch was written or dropped. */
static struct cache_news
news_of_a_batch(struct cache_writer *w)
{
	struct cache_change change = {.key.n = 2, .store = true};
	struct cache_news news;

	for (unsigned i = 0; i < CACHE_BATCH_MIN; i++) {
		change.key.bytes[0] = (uint8_t)(i >> 8);
		change.key.bytes[1] = (uint8_t)i;
		assert_int_equal(cache_writer_add(w, &change), 0);
	}
	for (int ms = 0; cache_writer_backlog(w) > 0; ms++) {
		if (ms > 10000)
			fail_msg("the batch stays");
		usleep(1000);
	}
	cache_writer_take_news(w, &news);
	assert_int_equal(news.stored + news.lost, CACHE_BATCH_MIN);
	return news;
}

static void
room_is_looked_for_again(void **state)
{
	struct cache_writer *w = cache_writer_new();
	struct cache_news news;
	unsigned tries;

	(void)state;
	assert_non_null(w);
	assert_int_equal(cache_writer_start(w, NULL), 0);
	news = news_of_a_batch(w);
	assert_int_equal(news.stored, CACHE_BATCH_MIN);
	assert_false(news.full || news.room_again);

	fake_cache_file_answer(CACHE_FILE_FULL);
	news = news_of_a_batch(w);
	assert_true(news.full);
	assert_string_equal(news.why.text, "as told");
	assert_int_equal(news.lost, CACHE_BATCH_MIN);

	/* Room comes back unseen: not each batch is a try. */
	tries = fake_cache_file_tries();
	fake_cache_file_answer(CACHE_FILE_DONE);
	fake_clock_advance(CACHE_FULL_MS - 1);
	news = news_of_a_batch(w);
	assert_int_equal(news.lost, CACHE_BATCH_MIN);
	assert_false(news.full || news.room_again);
	assert_int_equal(fake_cache_file_tries(), tries);

	/* One try in vain, which is not told; the wait begins anew. */
	fake_cache_file_answer(CACHE_FILE_FULL);
	fake_clock_advance(1);
	for (int i = 0; i < 3; i++) {
		news = news_of_a_batch(w);
		assert_int_equal(news.lost, CACHE_BATCH_MIN);
		assert_false(news.full || news.room_again || news.failed);
	}
	assert_int_equal(fake_cache_file_tries(), tries + 1);

	fake_cache_file_answer(CACHE_FILE_DONE);
	fake_clock_advance(CACHE_FULL_MS);
	news = news_of_a_batch(w);
	assert_int_equal(news.stored, CACHE_BATCH_MIN);
	assert_true(news.room_again);
	news = news_of_a_batch(w);
	assert_int_equal(news.stored, CACHE_BATCH_MIN);
	assert_false(news.full || news.room_again);
	assert_int_equal(fake_cache_file_tries(), tries + 3);
	cache_writer_stop(w, NULL);
	cache_writer_free(&w);
}

/* A batch is lost by it, and no more. */
static void
short_memory_is_no_failure(void **state)
{
	struct cache_writer *w = cache_writer_new();
	struct cache_news news;

	(void)state;
	assert_non_null(w);
	assert_int_equal(cache_writer_start(w, NULL), 0);
	fake_cache_file_answer(CACHE_FILE_NO_MEMORY);
	news = news_of_a_batch(w);
	assert_int_equal(news.lost, CACHE_BATCH_MIN);
	assert_false(news.full || news.failed || cache_writer_has_failed(w));
	fake_cache_file_answer(CACHE_FILE_DONE);
	news = news_of_a_batch(w);
	assert_int_equal(news.stored, CACHE_BATCH_MIN);
	cache_writer_stop(w, NULL);
	cache_writer_free(&w);
}

static void
begin_anew(struct cache_writer *w)
{
	for (int ms = 0; cache_writer_begin_anew(w) < 0; ms++) {
		assert_int_equal(errno, EBUSY);
		if (ms > 10000)
			fail_msg("the thread stays at the file");
		usleep(1000);
	}
}

/* A file that has failed may hang as well; the loop must not. */
static void
a_thread_at_the_file_is_not_waited_for(void **state)
{
	struct cache_change change = {.key.n = 2, .store = true};
	struct cache_note note = {.key.n = 2};
	struct cache_writer *w = cache_writer_new();
	struct errtext why = {"a lookup failed"};
	unsigned tries = fake_cache_file_tries();
	struct cache_news news;

	(void)state;
	assert_non_null(w);
	assert_int_equal(cache_writer_start(w, NULL), 0);
	fake_cache_file_answer(CACHE_FILE_DONE);
	fake_cache_file_hold(true);
	for (unsigned i = 0; i < CACHE_BATCH_MIN; i++) {
		change.key.bytes[0] = (uint8_t)(i >> 8);
		change.key.bytes[1] = (uint8_t)i;
		assert_int_equal(cache_writer_add(w, &change), 0);
	}
	while (fake_cache_file_tries() == tries)
		usleep(1000);
	assert_int_equal(cache_writer_keep(w, &note), 0);
	cache_writer_fail(w, &why);
	assert_int_equal(cache_writer_begin_anew(w), -1);
	assert_int_equal(errno, EBUSY);
	fake_cache_file_hold(false);
	begin_anew(w);
	/* What waited is lost, and the file was left alone. */
	assert_int_equal(fake_cache_file_tries(), tries + 1);
	assert_int_equal(cache_writer_backlog(w), 0);
	assert_false(cache_writer_has_failed(w));
	cache_writer_take_news(w, &news);
	assert_true(news.failed);
	assert_string_equal(news.why.text, why.text);

	assert_int_equal(cache_writer_start(w, NULL), 0);
	news = news_of_a_batch(w);
	assert_int_equal(news.stored, CACHE_BATCH_MIN);
	assert_false(news.failed);
	cache_writer_stop(w, NULL);
	cache_writer_free(&w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(room_is_looked_for_again),
	    cmocka_unit_test(short_memory_is_no_failure),
	    cmocka_unit_test(a_thread_at_the_file_is_not_waited_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
