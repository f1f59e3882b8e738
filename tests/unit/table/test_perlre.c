/* SPDX-License-Identifier: ISC */
/* What PCRE2 allocates is not ours to fail: the C library does it. What a
 * pattern finds is tested with table/pattern. */
/* links: nth_call */
#include "table/perlre.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/nth_call.h"

static void
test_no_memory_for_a_room(void **state)
{
#ifdef NTH_CALL_HAS_MALLOC
	struct perlre_room *room = NULL;
	uint32_t n = 0, calls = 0;

	(void)state;
	while (room == NULL) {
		n++;
		assert_true(n < 10);
		nth_call_arm(CALL_malloc, n, ENOMEM);
		errno = 0;
		room = perlre_room_new();
		calls += nth_call_disarm();
		if (room == NULL)
			assert_int_equal(errno, ENOMEM);
	}
	perlre_room_free(&room);
	assert_null(room);
	if (calls == 0)
		skip(); /* valgrind has an allocator of its own, too */
	/* What was found, and the limits. */
	assert_true(n > 2);
#else
	(void)state;
	skip();
#endif
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_no_memory_for_a_room),
	};

	return cmocka_run_group_tests_name("perlre", tests, NULL, NULL);
}
