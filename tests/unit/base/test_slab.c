/* SPDX-License-Identifier: ISC */
/* links: fake_mem expect_panic */
#include "base/slab.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "support/expect_panic.h"
#include "support/fake_mem.h"

enum { MANY = 1000, SIZE = 560 };

/* With ASan each object is a block. */
#ifdef __SANITIZE_ADDRESS__
enum { ONE_BY_ONE = 1 };
#else
enum { ONE_BY_ONE = 0 };
#endif

static void *objects[MANY];

static void
take_all(struct slab *slab, size_t size)
{
	for (size_t i = 0; i < MANY; i++) {
		unsigned char *p = objects[i] = slab_take(slab);

		assert_non_null(p);
		for (size_t k = 0; k < size; k++)
			assert_int_equal(p[k], 0);
		memset(p, (int)(i % 255) + 1, size);
	}
}

/* Nobody has written into the room of another one. */
static void
check_all(size_t size)
{
	for (size_t i = 0; i < MANY; i++) {
		const unsigned char *p = objects[i];

		assert_int_equal((uintptr_t)p % sizeof(void *), 0);
		for (size_t k = 0; k < size; k++)
			assert_int_equal(p[k], i % 255 + 1);
	}
}

static void
objects_are_zeroed_and_apart(void **state)
{
	static const size_t sizes[] = {1, 7, 8, 24, 56, 560, SLAB_OBJECT_MAX};

	(void)state;
	for (size_t n = 0; n < sizeof(sizes) / sizeof(sizes[0]); n++) {
		struct slab *slab = slab_new(sizes[n]);

		for (int round = 0; round < 2; round++) {
			take_all(slab, sizes[n]);
			check_all(sizes[n]);
			for (size_t i = 0; i < MANY; i++) /* in no order */
				slab_give(slab, objects[i * 7 % MANY]);
		}
		slab_give(slab, NULL);
		slab_free(&slab);
		assert_null(slab);
	}
	slab_free(&(struct slab *){NULL});
	assert_int_equal(fake_mem_live(), 0);
}

/* Most of a flood ends, and the rest lies close together or not. */
static void
memory_comes_back(void **state)
{
	struct slab *slab = slab_new(SIZE);
	long none = fake_mem_bytes(), all;

	(void)state;
	take_all(slab, SIZE);
	all = fake_mem_bytes() - none;
	assert_true(all < MANY * (SIZE + 16L) + 20000);
	for (size_t i = 0; i < MANY; i++)
		if (i % 250 != 0)
			slab_give(slab, objects[i]);
	assert_true(fake_mem_bytes() - none < all / 5);
	for (size_t i = 0; i < MANY; i += 250)
		slab_give(slab, objects[i]);
	assert_true(fake_mem_bytes() - none < 20000);
	slab_free(&slab);
}

/* Holes are filled before new memory is asked for. */
static void
holes_are_used_again(void **state)
{
	struct slab *slab = slab_new(SIZE);
	long all;

	(void)state;
	take_all(slab, SIZE);
	all = fake_mem_bytes();
	for (size_t i = 0; i < MANY; i += 3)
		slab_give(slab, objects[i]);
	for (size_t i = 0; i < MANY; i += 3)
		assert_non_null(objects[i] = slab_take(slab));
	assert_true(fake_mem_bytes() <= all);
	for (size_t i = 0; i < MANY; i++)
		slab_give(slab, objects[i]);
	slab_free(&slab);
}

/* One more and one less, at the edge of a sheet, need no memory. */
static void
edge_costs_nothing(void **state)
{
	struct slab *slab = slab_new(SIZE);
	void *p;

	(void)state;
	take_all(slab, SIZE);
	for (size_t i = 1; i < MANY; i++)
		slab_give(slab, objects[i]);
	slab_give(slab, objects[0]);
	for (int i = 0; i < 100; i++) {
		fake_mem_fail_after(ONE_BY_ONE);
		assert_non_null(p = slab_take(slab));
		fake_mem_heal();
		slab_give(slab, p);
	}
	slab_free(&slab);
}

static void
no_memory_is_said(void **state)
{
	struct slab *slab = slab_new(SIZE);

	(void)state;
	fake_mem_fail_after(0);
	errno = 0;
	assert_null(slab_take(slab));
	assert_int_equal(errno, ENOMEM);
	assert_null(slab_new(SIZE));
	fake_mem_heal();
	slab_give(slab, slab_take(slab));
	slab_free(&slab);
}

static void
ask_for_too_much(void *arg)
{
	(void)arg;
	(void)slab_new(SLAB_OBJECT_MAX + 1);
}

static void
size_has_a_limit(void **state)
{
	(void)state;
	assert_true(expect_panic("SLAB_OBJECT_MAX", ask_for_too_much, NULL));
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(objects_are_zeroed_and_apart),
	    cmocka_unit_test(memory_comes_back),
	    cmocka_unit_test(holes_are_used_again),
	    cmocka_unit_test(edge_costs_nothing),
	    cmocka_unit_test(no_memory_is_said),
	    cmocka_unit_test(size_has_a_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
