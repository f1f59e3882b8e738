/* SPDX-License-Identifier: ISC */
/* links: fake_mem */
/* clang-format off */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <setjmp.h>
#include <cmocka.h>
/* clang-format on */

#include "screen/blocks.h"
#include "support/fake_mem.h"

static struct record_key
key_of(unsigned block)
{
	struct addr a = {.family = ADDR_IPV4};

	a.bytes[0] = 192;
	a.bytes[1] = (uint8_t)(block >> 8);
	a.bytes[2] = (uint8_t)block;
	return record_key_of(&a, 24, 48);
}

static void
add(struct blocks *b, unsigned block, struct block_member *m)
{
	struct record_key key = key_of(block);

	assert_int_equal(blocks_add(b, &key, m), 0);
}

static size_t
count(const struct blocks *b, unsigned block)
{
	struct record_key key = key_of(block);

	return blocks_count(b, &key);
}

static void
test_empty(void **state)
{
	struct blocks *b = blocks_new();

	(void)state;
	assert_int_equal(blocks_most(b), 0);
	assert_null(blocks_oldest_of_most(b));
	assert_int_equal(count(b, 1), 0);
	blocks_free(&b);
	assert_null(b);
}

static void
test_largest_goes_first_and_in_it_the_oldest(void **state)
{
	struct blocks *b = blocks_new();
	struct block_member m[6] = {0};

	(void)state;
	add(b, 1, &m[0]);
	add(b, 2, &m[1]);
	add(b, 2, &m[2]);
	add(b, 3, &m[3]);
	assert_int_equal(blocks_most(b), 2);
	assert_ptr_equal(blocks_oldest_of_most(b), &m[1]);
	add(b, 3, &m[4]);
	/* Equally many: who has had them longer. */
	assert_ptr_equal(blocks_oldest_of_most(b), &m[1]);
	blocks_remove(b, &m[1]);
	assert_null(m[1].block);
	assert_ptr_equal(blocks_oldest_of_most(b), &m[3]);
	blocks_remove(b, &m[3]);
	/* All have one: the one that has stood there longest. */
	assert_int_equal(blocks_most(b), 1);
	assert_ptr_equal(blocks_oldest_of_most(b), &m[0]);
	blocks_remove(b, &m[0]);
	assert_ptr_equal(blocks_oldest_of_most(b), &m[2]);
	assert_int_equal(count(b, 1), 0);
	assert_int_equal(count(b, 2), 1);
	blocks_free(&b);
}

static void
test_renewed_is_the_newest(void **state)
{
	struct blocks *b = blocks_new();
	struct block_member m[3] = {0};

	(void)state;
	add(b, 1, &m[0]);
	add(b, 1, &m[1]);
	add(b, 2, &m[2]);
	blocks_renew(&m[0]);
	assert_ptr_equal(blocks_oldest_of_most(b), &m[1]);
	blocks_remove(b, &m[1]);
	/* One each, and the first was heard of after the other. */
	assert_ptr_equal(blocks_oldest_of_most(b), &m[2]);
	blocks_renew(&m[2]);
	assert_ptr_equal(blocks_oldest_of_most(b), &m[0]);
	blocks_free(&b);
}

static void
test_without_memory_nothing_changes(void **state)
{
	struct record_key known = key_of(1), other = key_of(2);

	(void)state;
	for (unsigned n = 0; n < 2; n++) {
		struct blocks *b = blocks_new();
		struct block_member m[3] = {0};

		add(b, 1, &m[0]);
		fake_mem_fail_after(n);
		assert_int_equal(blocks_add(b, &other, &m[1]), -1);
		assert_null(m[1].block);
		assert_int_equal(blocks_count(b, &other), 0);
		fake_mem_fail_after(0);
		/* A block that is there needs none, nor does leaving it. */
		assert_int_equal(blocks_add(b, &known, &m[2]), 0);
		assert_int_equal(blocks_most(b), 2);
		blocks_remove(b, &m[2]);
		blocks_remove(b, &m[0]);
		assert_int_equal(blocks_most(b), 0);
		fake_mem_heal();
		blocks_free(&b);
	}
}

/* --- against the obvious implementation ------------------------------------ */
enum { MEMBERS = 300, BLOCKS = 12, STEPS = 20000 };

struct model {
	struct block_member member;
	unsigned block;
	unsigned long since; /* 0: out */
};

static void
compare(const struct blocks *b, const struct model m[MEMBERS])
{
	size_t most = 0, counts[BLOCKS] = {0};
	const struct block_member *oldest = blocks_oldest_of_most(b);
	const struct model *is = NULL;

	for (size_t i = 0; i < MEMBERS; i++) {
		if (m[i].since != 0)
			counts[m[i].block]++;
		if (&m[i].member == oldest)
			is = &m[i];
	}
	for (unsigned k = 0; k < BLOCKS; k++) {
		if (counts[k] > most)
			most = counts[k];
		assert_int_equal(count(b, k), counts[k]);
	}
	assert_int_equal(blocks_most(b), most);
	if (most == 0) {
		assert_null(oldest);
		return;
	}
	assert_non_null(is);
	assert_int_equal(counts[is->block], most);
	for (size_t i = 0; i < MEMBERS; i++) {
		if (m[i].since != 0 && m[i].block == is->block)
			assert_true(m[i].since >= is->since);
	}
}

static void
test_many_steps(void **state)
{
	static struct model m[MEMBERS];
	struct blocks *b = blocks_new();

	(void)state;
	srandom(4);
	for (unsigned long step = 1; step <= STEPS; step++) {
		struct model *one = &m[random() % MEMBERS];

		if (one->since == 0) {
			/* Lower ones are crowded. */
			one->block =
			    (unsigned)(random() % (1 + random() % BLOCKS));
			add(b, one->block, &one->member);
			one->since = step;
		} else if (random() % 4 == 0) {
			blocks_renew(&one->member);
			one->since = step;
		} else {
			blocks_remove(b, &one->member);
			one->since = 0;
		}
		compare(b, m);
	}
	blocks_free(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_empty),
	    cmocka_unit_test(test_largest_goes_first_and_in_it_the_oldest),
	    cmocka_unit_test(test_renewed_is_the_newest),
	    cmocka_unit_test(test_without_memory_nothing_changes),
	    cmocka_unit_test(test_many_steps),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
