/* SPDX-License-Identifier: ISC */
/* links: expect_panic */
#include "base/mem.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include "support/expect_panic.h"

static void
test_new_is_zeroed(void **state)
{
	static const char zeroes[100];
	char *p = mem_new(sizeof(zeroes));

	(void)state;
	assert_non_null(p);
	assert_memory_equal(p, zeroes, sizeof(zeroes));
	mem_free(p);
	mem_free(NULL);
}

static void
ask_for_nothing(void *arg)
{
	(void)arg;
	mem_free(mem_new(0));
}

static void
test_new_of_nothing(void **state)
{
	(void)state;
	assert_true(expect_panic("n > 0", ask_for_nothing, NULL));
}

static void
test_array(void **state)
{
	volatile size_t half = SIZE_MAX / 2; /* out of the compiler's sight */
	uint64_t *p = mem_array(3, sizeof(*p));
	void *empty = mem_array(0, 8);

	(void)state;
	assert_non_null(p);
	assert_int_equal(p[0] | p[1] | p[2], 0);
	mem_free(p);
	assert_non_null(empty);
	mem_free(empty);
	errno = 0;
	assert_null(mem_array(half, 3));
	assert_int_equal(errno, ENOMEM);
}

static void
test_resize(void **state)
{
	volatile size_t half = SIZE_MAX / 2;
	uint32_t *p = mem_resize(NULL, 2, sizeof(*p)), *more;

	(void)state;
	assert_non_null(p);
	p[0] = 7;
	p[1] = 8;
	more = mem_resize(p, 1000, sizeof(*p));
	assert_non_null(more);
	assert_int_equal(more[0], 7);
	assert_int_equal(more[1], 8);
	errno = 0;
	assert_null(mem_resize(more, half, sizeof(*p)));
	assert_int_equal(errno, ENOMEM);
	assert_int_equal(more[0], 7); /* the old block stays */
	more = mem_resize(more, 0, sizeof(*p));
	assert_non_null(more);
	mem_free(more);
}

static void
test_strings(void **state)
{
	char *whole = mem_strdup("bell"), *part = mem_strndup("doorbell", 4);
	char *nul = mem_strndup("a\0b", 3), *none = mem_strndup(NULL, 0);

	(void)state;
	assert_string_equal(whole, "bell");
	assert_string_equal(part, "door");
	assert_memory_equal(nul, "a\0b", 4);
	assert_string_equal(none, "");
	mem_free(whole);
	mem_free(part);
	mem_free(nul);
	mem_free(none);
	errno = 0;
	assert_null(mem_strndup("", SIZE_MAX));
	assert_int_equal(errno, ENOMEM);
}

static void
test_printf(void **state)
{
	char *text = mem_printf("%s.%d", "zone", 5),
	     *empty = mem_printf("%s", "");

	(void)state;
	assert_string_equal(text, "zone.5");
	assert_string_equal(empty, "");
	mem_free(text);
	mem_free(empty);
}

static void
test_free_keeps_errno(void **state)
{
	void *p = mem_new(1);

	(void)state;
	errno = EAGAIN;
	mem_free(p);
	assert_int_equal(errno, EAGAIN);
}

static void
test_owner_of(void **state)
{
	struct owner {
		int before;
		char member;
	} owner = {1, 2};
	char *member = &owner.member;

	(void)state;
	assert_ptr_equal(OWNER_OF(member, struct owner, member), &owner);
}

static void
test_pages(void **state)
{
	enum { BYTES = 65536, COUNT = 20 };
	static const char zeroes[BYTES];
	void *p[COUNT];

	(void)state;
	for (size_t i = 0; i < COUNT; i++) {
		p[i] = mem_pages(BYTES);
		assert_non_null(p[i]);
		assert_int_equal((uintptr_t)p[i] % BYTES, 0);
		assert_memory_equal(p[i], zeroes, BYTES);
		memset(p[i], 1, BYTES);
	}
	for (size_t i = 0; i < COUNT; i++)
		mem_free_pages(p[i], BYTES);
	mem_free_pages(NULL, BYTES);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_new_is_zeroed),
	    cmocka_unit_test(test_new_of_nothing),
	    cmocka_unit_test(test_array),
	    cmocka_unit_test(test_pages),
	    cmocka_unit_test(test_resize),
	    cmocka_unit_test(test_strings),
	    cmocka_unit_test(test_printf),
	    cmocka_unit_test(test_free_keeps_errno),
	    cmocka_unit_test(test_owner_of),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
