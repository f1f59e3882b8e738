/* SPDX-License-Identifier: ISC */
/* links: house scratch fake_mem sockets given_addr */
#include "daemon/context.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#include "daemon/reload.h"
#include "support/fake_mem.h"
#include "support/house.h"

/* Each allocation of the start, and of a reload, fails once: there is a context
 * or a reason, and nothing is left over. */

static void
test_each_allocation_fails(void **state)
{
	struct house *h = *state;
	struct errtext why;
	unsigned long at = 0, calls, failed = 0;
	long live;

	do {
		live = fake_mem_live();
		why.text[0] = '\0';
		fake_mem_fault = (struct fake_fault){.armed = true, .at = ++at};
		h->bell = context_new(&h->options, &why);
		calls = fake_mem_fault.calls;
		fake_mem_fault.armed = false;
		if (h->bell == NULL) {
			assert_string_not_equal(why.text, "");
			failed++;
		}
		house_close(h);
		if (fake_mem_live() != live)
			fail_msg("allocation %lu: %ld blocks are left", at,
			    fake_mem_live() - live);
		house_forget(h);
	} while (calls >= at);
	/* Most of them are needed. */
	assert_true(failed > at / 2);
}

/* The threads of a daemon that serves would be counted, too: this one does not
 * yet. */
static void
test_each_allocation_of_a_reload_fails(void **state)
{
	struct house *h = *state;
	struct errtext why;
	unsigned long at = 0, calls, failed = 0;
	long whole, live;

	h->bell = context_new(&h->options, &why);
	assert_non_null(h->bell);
	reload_config(h->bell);
	house_hears(h, "configuration reloaded\n");
	whole = fake_mem_live();
	do {
		const struct config_set *before = h->bell->config;

		house_forget(h);
		live = fake_mem_live();
		fake_mem_fault = (struct fake_fault){.armed = true, .at = ++at};
		reload_config(h->bell);
		calls = fake_mem_fault.calls;
		fake_mem_fault.armed = false;
		if (h->bell->config == before) {
			house_hears(h, "the old one stays in force\n");
			assert_int_equal(fake_mem_live(), live);
			failed++;
		} else {
			/* Perhaps without what is only nice to have. */
			house_hears(h, "configuration reloaded\n");
			assert_true(fake_mem_live() <= whole);
		}
	} while (calls >= at);
	assert_true(failed > at / 2 && failed < at);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(
		test_each_allocation_fails, house_set_up, house_tear_down),
	    cmocka_unit_test_setup_teardown(
		test_each_allocation_of_a_reload_fails, house_set_up,
		house_tear_down),
	};

	return cmocka_run_group_tests(tests, house_move_in, house_move_out);
}
