/* SPDX-License-Identifier: ISC */
/* links: expect_panic fake_mem */
#include "base/map.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "support/expect_panic.h"
#include "support/fake_mem.h"

#define MANY 100000

/* getrandom(2) as the map sees it: the kernel's, the key of the reference
 * vectors, a failure, or one interruption by a signal. */
static enum { KERNEL, VECTORS, FAILURE, INTERRUPTION } randomness;

ssize_t
getrandom(void *p, size_t n, unsigned flags)
{
	unsigned char *bytes = p;

	switch (randomness) {
	case VECTORS:
		for (size_t i = 0; i < n; i++)
			bytes[i] = (unsigned char)i;
		return (ssize_t)n;
	case FAILURE:
		errno = ENOSYS;
		return -1;
	case INTERRUPTION:
		randomness = KERNEL;
		errno = EINTR;
		return -1;
	case KERNEL:
		break;
	}
	return syscall(SYS_getrandom, p, n, flags);
}

struct thing {
	struct map_link link;
	uint32_t number; /* the key */
	unsigned seen;
};

static struct thing *
thing_at(struct map_link *link)
{
	return OWNER_OF(link, struct thing, link);
}

static struct thing *
new_things(size_t n)
{
	struct thing *things = mem_array(n, sizeof(*things));

	assert_non_null(things);
	for (size_t i = 0; i < n; i++)
		things[i].number = (uint32_t)i;
	return things;
}

static void
add_thing(struct map *map, struct thing *thing)
{
	map_add(map, &thing->link, &thing->number, sizeof(thing->number));
}

static struct map_link *
find_number(const struct map *map, uint32_t number)
{
	return map_find(map, &number, sizeof(number));
}

static void
test_keys_of_every_length(void **state)
{
	static const char text[] = "0123456789abcdefghijklmnopqrstuvwxyz";
	struct map_link links[sizeof(text)];
	struct map *map = map_new();

	(void)state;
	assert_non_null(map);
	assert_int_equal(map_count(map), 0);
	assert_null(map_find(map, "", 0));
	for (size_t n = 0; n < sizeof(text); n++)
		map_add(map, &links[n], text, n);
	assert_int_equal(map_count(map), sizeof(text));
	for (size_t n = 0; n < sizeof(text); n++)
		assert_ptr_equal(map_find(map, text, n), &links[n]);
	assert_null(map_find(map, text + 1, 3));
	assert_ptr_equal(map_find(map, NULL, 0), &links[0]);
	map_free(&map);
	assert_null(map);
	map_free(&map);
}

/* Bytes behind the last whole word, zero or not, are part of the key. */
static void
test_zero_bytes_count(void **state)
{
	static const char zeroes[20];
	struct map_link links[sizeof(zeroes)];
	struct map *map = map_new();

	(void)state;
	assert_non_null(map);
	for (size_t n = 0; n < sizeof(zeroes); n++)
		map_add(map, &links[n], zeroes, n);
	for (size_t n = 0; n < sizeof(zeroes); n++)
		assert_ptr_equal(map_find(map, zeroes, n), &links[n]);
	map_free(&map);
}

/* Every size on the way is looked at, so that finds and removals meet the
 * map before, during and after growing. */
static void
test_every_size(void **state)
{
	const size_t n = 1000;
	struct thing *things = new_things(n);
	struct map *map = map_new();

	(void)state;
	assert_non_null(map);
	for (size_t i = 0; i < n; i++) {
		add_thing(map, &things[i]);
		for (uint32_t j = 0; j < n; j++)
			if (find_number(map, j) !=
			    (j <= i ? &things[j].link : NULL))
				fail_msg("%u of %zu", j, i + 1);
		map_remove(map, &things[i / 2].link);
		assert_null(find_number(map, (uint32_t)(i / 2)));
		assert_int_equal(map_count(map), i);
		add_thing(map, &things[i / 2]);
	}
	assert_int_equal(map_count(map), n);
	map_free(&map);
	mem_free(things);
}

static void
see(struct map_link *link, void *arg)
{
	size_t *calls = arg;

	thing_at(link)->seen++;
	++*calls;
}

static void
test_each_sees_all_once_at_every_size(void **state)
{
	const size_t n = 300;
	struct thing *things = new_things(n);
	struct map *map = map_new();

	(void)state;
	assert_non_null(map);
	for (size_t i = 0; i < n; i++) {
		size_t calls = 0;

		add_thing(map, &things[i]);
		map_each(map, see, &calls);
		assert_int_equal(calls, i + 1);
	}
	for (size_t i = 0; i < n; i++)
		assert_int_equal(things[i].seen, n - i);
	map_free(&map);
	mem_free(things);
}

static void
remove_odd(struct map_link *link, void *arg)
{
	struct map *map = arg;

	thing_at(link)->seen++;
	if (thing_at(link)->number % 2 == 1)
		map_remove(map, link);
}

static void
test_many(void **state)
{
	struct thing *things = new_things(MANY);
	struct map *map = map_new();
	size_t calls = 0;

	(void)state;
	assert_non_null(map);
	for (size_t i = 0; i < MANY; i++)
		add_thing(map, &things[i]);
	assert_int_equal(map_count(map), MANY);
	for (uint32_t i = 0; i < MANY; i++)
		assert_ptr_equal(find_number(map, i), &things[i].link);
	assert_null(find_number(map, MANY));
	map_each(map, remove_odd, map);
	assert_int_equal(map_count(map), MANY / 2);
	for (uint32_t i = 0; i < MANY; i++) {
		assert_int_equal(things[i].seen, 1);
		assert_ptr_equal(
		    find_number(map, i), i % 2 == 1 ? NULL : &things[i].link);
	}
	for (size_t i = 0; i < MANY; i += 2)
		map_remove(map, &things[i].link);
	assert_int_equal(map_count(map), 0);
	map_each(map, see, &calls);
	assert_int_equal(calls, 0);
	map_free(&map);
	mem_free(things);
}

/* All that grows is found again when memory for growing comes back. */
static void
test_no_memory_to_grow(void **state)
{
	const size_t n = 2000;
	struct thing *things = new_things(n);
	struct map *map = map_new();

	(void)state;
	assert_non_null(map);
	fake_mem_fail_after(0);
	for (size_t i = 0; i < n / 2; i++) {
		errno = 0;
		add_thing(map, &things[i]);
		assert_int_equal(errno, 0);
	}
	for (uint32_t i = 0; i < n / 2; i++)
		assert_ptr_equal(find_number(map, i), &things[i].link);
	fake_mem_heal();
	for (size_t i = n / 2; i < n; i++)
		add_thing(map, &things[i]);
	for (uint32_t i = 0; i < n; i++)
		assert_ptr_equal(find_number(map, i), &things[i].link);
	map_free(&map);
	mem_free(things);
	assert_int_equal(fake_mem_live(), 0);
}

static void
test_no_memory_for_a_map(void **state)
{
	(void)state;
	for (unsigned n = 0; n < 2; n++) {
		fake_mem_fail_after(n);
		errno = 0;
		assert_null(map_new());
		assert_int_equal(errno, ENOMEM);
		fake_mem_heal();
		assert_int_equal(fake_mem_live(), 0);
	}
}

/* Two maps must not share their secret: the same key hashes differently. */
static void
test_secret_is_random(void **state)
{
	struct map *one = map_new(), *two = map_new();
	struct map_link a, b;

	(void)state;
	assert_non_null(one);
	assert_non_null(two);
	map_add(one, &a, "key", 3);
	map_add(two, &b, "key", 3);
	assert_true(a.hash != b.hash);
	map_free(&one);
	map_free(&two);
}

static void
test_no_secret_no_map(void **state)
{
	struct map *map;

	(void)state;
	randomness = FAILURE;
	errno = 0;
	assert_null(map_new());
	assert_int_equal(errno, ENOSYS);
	assert_int_equal(fake_mem_live(), 0);
	randomness = INTERRUPTION;
	map = map_new();
	assert_int_equal(randomness, KERNEL);
	assert_non_null(map);
	map_free(&map);
}

/* From the SipHash paper (15 bytes) and its authors' reference code: key and
 * message both count up from zero. */
static void
test_siphash_vectors(void **state)
{
	static const struct {
		size_t n;
		uint64_t want;
	} cases[] = {
	    {0, UINT64_C(0x726fdb47dd0e0e31)},
	    {1, UINT64_C(0x74f839c593dc67fd)},
	    {2, UINT64_C(0x0d6c8009d9a94f5a)},
	    {7, UINT64_C(0xab0200f58b01d137)},
	    {8, UINT64_C(0x93f5f5799a932462)},
	    {15, UINT64_C(0xa129ca6149be45e5)},
	};
	unsigned char message[16];
	struct map_link link;
	struct map *map;

	(void)state;
	for (size_t i = 0; i < sizeof(message); i++)
		message[i] = (unsigned char)i;
	randomness = VECTORS;
	map = map_new();
	randomness = KERNEL;
	assert_non_null(map);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		map_add(map, &link, message, cases[i].n);
		if (link.hash != (uint32_t)cases[i].want)
			fail_msg("%zu bytes: %08lx", cases[i].n,
			    (unsigned long)link.hash);
		map_remove(map, &link);
	}
	map_free(&map);
}

static void
remove_stranger(void *arg)
{
	static const char key[] = "stranger";
	struct map_link stranger = {.key = key, .key_n = sizeof(key)};

	map_remove(arg, &stranger);
}

static void
test_stranger_cannot_be_removed(void **state)
{
	struct map *map = map_new();

	(void)state;
	assert_non_null(map);
	assert_true(expect_panic("*at == link", remove_stranger, map));
	map_free(&map);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_keys_of_every_length),
	    cmocka_unit_test(test_zero_bytes_count),
	    cmocka_unit_test(test_every_size),
	    cmocka_unit_test(test_each_sees_all_once_at_every_size),
	    cmocka_unit_test(test_many),
	    cmocka_unit_test(test_no_memory_to_grow),
	    cmocka_unit_test(test_no_memory_for_a_map),
	    cmocka_unit_test(test_secret_is_random),
	    cmocka_unit_test(test_no_secret_no_map),
	    cmocka_unit_test(test_siphash_vectors),
	    cmocka_unit_test(test_stranger_cannot_be_removed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
