/* SPDX-License-Identifier: ISC */
#include "support/hours.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "support/fake_mem.h"

enum { TRIES_MAX = 100, LAST_BYTES = 100 };

int
hours_set_up(void **state)
{
	static struct hours f;

	assert_int_equal(setenv("TZ", "UTC", 1), 0);
	tzset();
	memset(&f, 0, sizeof(f));
	history_init(&f.h);
	buf_init(&f.out, REPORT_BYTES_MAX);
	*state = &f;
	return 0;
}

int
hours_tear_down(void **state)
{
	struct hours *f = *state;

	history_clear(&f->h);
	buf_clear(&f->out);
	return fake_mem_live() != 0;
}

void
hours_add(struct hours *f, int64_t hour, size_t figure, uint64_t n)
{
	uint64_t *figures = history_hour(&f->h, hour);

	assert_non_null(figures);
	figures[figure] += n;
}

struct totals_list *
hours_add_list(
    struct hours *f, const char *name, uint64_t visits, uint64_t only)
{
	struct totals_list *l = totals_list(&f->totals, name);

	assert_non_null(l);
	l->use = TOTALS_USE_BLOCKS;
	l->visits = visits;
	l->only = only;
	return l;
}

void
hours_set_totals(struct hours *f, int64_t hour)
{
	history_clear(&f->h);
	assert_int_equal(history_add(&f->h, hour, &f->totals), 0);
}

struct report *
hours_report(const struct hours *f)
{
	struct report *r =
	    report_new(&f->h, (struct wall){0}, (struct wall){2000000000});

	assert_non_null(r);
	return r;
}

void
hours_starve(const struct report *r, hours_tell_fn *tell)
{
	struct buf whole, out;
	int rc;

	buf_init(&whole, REPORT_BYTES_MAX);
	assert_int_equal(tell(r, &whole), 0);
	for (int lasting = 0; lasting <= 1; lasting++) {
		rc = -1;
		for (unsigned at = 1; rc < 0; at++) {
			buf_init(&out, REPORT_BYTES_MAX);
			fake_mem_fault = (struct fake_fault){
			    .armed = true, .lasting = lasting, .at = at};
			rc = tell(r, &out);
			fake_mem_fault = (struct fake_fault){0};
			if (rc == 0)
				assert_int_equal(out.n, whole.n);
			buf_clear(&out);
			assert_true(at < TRIES_MAX);
		}
	}
	buf_clear(&whole);
}

void
hours_squeeze(const struct report *r, hours_tell_fn *tell, size_t step)
{
	struct buf out;
	size_t whole;
	int rc;

	buf_init(&out, REPORT_BYTES_MAX);
	assert_int_equal(tell(r, &out), 0);
	whole = out.n;
	buf_clear(&out);
	for (size_t max = 0; max <= whole;
	     max += whole - max > LAST_BYTES + step ? step : 1) {
		buf_init(&out, max);
		errno = 0;
		rc = tell(r, &out);
		if (rc != (max < whole ? -1 : 0) ||
		    errno != (max < whole ? EMSGSIZE : 0))
			fail_msg("%zu bytes of %zu: %d, %s", max, whole, rc,
			    strerror(errno));
		buf_clear(&out);
	}
}
