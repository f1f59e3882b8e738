/* SPDX-License-Identifier: ISC */
/* The queue by itself, and out of memory; the fake cache against the same
 * expectations as the real one. */
/* links: fake_mem fake_cache cache_dir */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "lookup/cache_queue.h"
#include "support/cache_dir.h"
#include "support/fake_cache.h"
#include "support/fake_mem.h"

static struct cache_change
storing(unsigned client, int64_t first, int64_t second)
{
	return (struct cache_change){.key = cache_dir_key(client),
	    .record = {{{first}, {second}, {0}, {0}, {0}}},
	    .store = true};
}

static struct cache_change
forgetting(unsigned client)
{
	return (struct cache_change){
	    .key = cache_dir_key(client), .forget = true};
}

static int
add(struct cache_queue *q, struct cache_change change)
{
	return cache_queue_add(q, &change);
}

static void
expect(const struct cache_queue *q, unsigned client, struct cache_change want)
{
	struct record_key key = cache_dir_key(client);
	struct cache_change got;

	assert_true(cache_queue_find(q, &key, &got));
	assert_memory_equal(&got.key, &want.key, sizeof(got.key));
	assert_int_equal(got.forget, want.forget);
	assert_int_equal(got.store, want.store);
	if (got.store)
		assert_memory_equal(
		    &got.record, &want.record, sizeof(got.record));
}

static struct cache_change
after_forgetting(struct cache_change change)
{
	change.forget = true;
	return change;
}

static void
changes_of_one_client_are_one(void **state)
{
	struct cache_queue *q = cache_queue_new();

	(void)state;
	assert_int_equal(add(q, storing(1, 5, 2)), 0);
	assert_int_equal(add(q, storing(1, 3, 4)), 0);
	expect(q, 1, storing(1, 5, 4));
	assert_int_equal(add(q, forgetting(1)), 0);
	expect(q, 1, forgetting(1));
	assert_int_equal(add(q, storing(1, 1, 1)), 0);
	expect(q, 1, after_forgetting(storing(1, 1, 1)));
	assert_int_equal(add(q, storing(1, 0, 2)), 0);
	expect(q, 1, after_forgetting(storing(1, 1, 2)));
	assert_int_equal(cache_queue_count(q), 1);
	assert_int_equal(cache_queue_waiting(q), 1);
	cache_queue_free(&q);
	assert_null(q);
}

static void
the_oldest_fly_first(void **state)
{
	struct cache_queue *q = cache_queue_new();
	struct cache_change batch[4];

	(void)state;
	for (unsigned i = 0; i < 10; i++)
		assert_int_equal(add(q, storing(i, i, i)), 0);
	assert_int_equal(cache_queue_take(q, batch, 4), 4);
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(batch[i].record.expires[0].s, i);
	assert_int_equal(cache_queue_count(q), 10);
	assert_int_equal(cache_queue_waiting(q), 6);
	assert_false(cache_queue_settle(q, 4));
	assert_int_equal(cache_queue_count(q), 6);
	assert_int_equal(cache_queue_take(q, batch, 4), 4);
	assert_int_equal(batch[0].record.expires[0].s, 4);
	cache_queue_put_back(q);
	assert_int_equal(cache_queue_waiting(q), 6);
	assert_int_equal(cache_queue_take(q, batch, 4), 4);
	assert_int_equal(batch[0].record.expires[0].s, 4); /* in order again */
	assert_int_equal(batch[3].record.expires[0].s, 7);
	cache_queue_free(&q); /* with a batch in flight */
}

static void
a_change_beside_a_flying_one(void **state)
{
	struct cache_queue *q = cache_queue_new();
	struct record_key key = cache_dir_key(1);
	struct cache_change batch[4], change;

	(void)state;
	assert_int_equal(add(q, storing(1, 5, 2)), 0);
	assert_int_equal(cache_queue_take(q, batch, 4), 1);
	expect(q, 1, storing(1, 5, 2));
	assert_int_equal(add(q, storing(1, 3, 4)), 0);
	expect(q, 1, storing(1, 5, 4));
	assert_false(cache_queue_settle(q, 4));
	expect(q, 1, storing(1, 3, 4)); /* the rest is in the file */

	assert_int_equal(cache_queue_take(q, batch, 4), 1);
	assert_int_equal(add(q, forgetting(1)), 0);
	expect(q, 1, forgetting(1));
	cache_queue_put_back(q);
	expect(q, 1, forgetting(1));
	assert_int_equal(cache_queue_waiting(q), 1);

	assert_int_equal(cache_queue_take(q, batch, 4), 1);
	assert_int_equal(add(q, storing(1, 7, 7)), 0);
	cache_queue_put_back(q);
	expect(q, 1, after_forgetting(storing(1, 7, 7)));
	assert_int_equal(cache_queue_take(q, batch, 4), 1);
	assert_false(cache_queue_settle(q, 4));
	assert_false(cache_queue_find(q, &key, &change));
	assert_int_equal(cache_queue_count(q), 0);
	assert_int_equal(cache_queue_take(q, batch, 4), 0);
	cache_queue_free(&q);
}

/* The mutex is let go between portions, and the loop goes on adding. */
static void
a_batch_in_portions(void **state)
{
	struct cache_queue *q = cache_queue_new();
	struct cache_change batch[4];

	(void)state;
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(add(q, storing(i, i, i)), 0);
	assert_int_equal(cache_queue_take(q, batch, 2), 2);
	assert_int_equal(add(q, storing(1, 8, 8)), 0);
	assert_int_equal(add(q, storing(3, 3, 3)), 0);
	assert_int_equal(
	    cache_queue_take(q, batch, 4), 1); /* 1 flies already */
	assert_int_equal(batch[0].record.expires[0].s, 2);
	assert_true(cache_queue_settle(q, 2));
	expect(q, 1, storing(1, 8, 8));
	expect(q, 2, storing(2, 2, 2));
	assert_false(cache_queue_settle(q, 2));
	assert_int_equal(cache_queue_count(q), 2);
	assert_int_equal(cache_queue_take(q, batch, 4), 2);
	assert_int_equal(batch[0].record.expires[0].s, 8);
	assert_int_equal(batch[1].record.expires[0].s, 3);
	cache_queue_free(&q);
}

static void
no_memory_is_no_harm(void **state)
{
	struct cache_queue *q;
	long live = fake_mem_live();

	(void)state;
	for (unsigned n = 0;; n++) {
		fake_mem_fail_after(n);
		q = cache_queue_new();
		fake_mem_heal();
		if (q != NULL)
			break;
		assert_int_equal(fake_mem_live(), live);
	}
	assert_int_equal(add(q, storing(1, 5, 2)), 0);
	fake_mem_fail_after(0);
	assert_int_equal(add(q, storing(1, 3, 4)), 0); /* needs none */
	errno = 0;
	assert_int_equal(add(q, storing(2, 3, 4)), -1);
	assert_int_equal(errno, ENOMEM);
	fake_mem_heal();
	expect(q, 1, storing(1, 5, 4));
	assert_int_equal(cache_queue_count(q), 1);
	cache_queue_free(&q);
	assert_int_equal(fake_mem_live(), live);
}

static void
the_fake_cache_is_one(void **state)
{
	const struct cache_options o = {.path = "/nowhere/pass"};
	struct cache_change a = storing(1, 5, 2), b = storing(1, 3, 4);
	struct cache_change ab = storing(1, 5, 4);
	struct cache_news news;
	struct errtext why;
	struct record r;
	struct cache *c = cache_open(&o, &why);

	(void)state;
	assert_string_equal(fake_cache_path(c), "/nowhere/pass");
	assert_int_equal(cache_start(c, &why), 0);
	assert_false(cache_find(c, &a.key, &r));
	assert_int_equal(cache_store(c, &a.key, &a.record), 0);
	assert_int_equal(cache_store(c, &b.key, &b.record), 0);
	assert_true(cache_find(c, &a.key, &r));
	assert_memory_equal(&r, &ab.record, sizeof(r));
	b = storing(2, 9, 9);
	assert_int_equal(cache_store(c, &b.key, &b.record), 0);
	assert_int_equal(fake_cache_count(c), 2);
	cache_sweep(c, (struct wall){6});
	cache_take_news(c, &news);
	assert_true(news.swept);
	assert_int_equal(news.retained, 1);
	assert_int_equal(news.dropped, 1);
	assert_int_equal(news.stored, 3);
	assert_int_equal(cache_forget(c, &b.key), 0);
	assert_false(cache_find(c, &b.key, &r));
	fake_cache_fail(c, "on fire");
	assert_int_equal(cache_store(c, &a.key, &a.record), -1);
	cache_take_news(c, &news);
	assert_true(news.failed);
	assert_string_equal(news.why.text, "on fire");
	cache_close(&c);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(changes_of_one_client_are_one),
	    cmocka_unit_test(the_oldest_fly_first),
	    cmocka_unit_test(a_change_beside_a_flying_one),
	    cmocka_unit_test(a_batch_in_portions),
	    cmocka_unit_test(no_memory_is_no_harm),
	    cmocka_unit_test(the_fake_cache_is_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
