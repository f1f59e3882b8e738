/* SPDX-License-Identifier: ISC */
/* What doorbellctl reads: a master.cf, and the text of a pass record. The first
 * byte of the input chooses. A master.cf is cut into lines that make it up
 * again, and each of its entries is the same as itself written on one line; a
 * record that is accepted is written as it was read. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "ops/master_cf.h"
#include "ops/pass_text.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static void
claim(int holds)
{
	if (!holds)
		abort();
}

static int
count(struct span value, void *arg)
{
	size_t *bytes = arg;

	*bytes += value.n + 1;
	return 0;
}

static void
try_entry(const struct master_entry *entry)
{
	struct master_cf again;
	size_t bytes = 0;

	claim(master_cf_parse(&again, span_str(entry->text), NULL) == 0);
	claim(again.entries == 1);
	claim(master_entry_same(entry, &again.entry[0]));
	claim(master_entry_options(entry, count, &bytes) == 0);
	claim(bytes <= strlen(entry->text) + 1);
	master_cf_clear(&again);
}

static void
try_master(struct span in)
{
	struct master_cf cf;
	struct buf all;

	if (master_cf_parse(&cf, in, NULL) == 0) {
		buf_init(&all, in.n + 1);
		claim(master_cf_others(&cf, NULL, NULL, &all) == 0);
		claim(all.n == in.n &&
		      (in.n == 0 || memcmp(all.p, in.p, in.n) == 0));
		buf_clear(&all);
		for (size_t i = 0; i < cf.entries; i++)
			try_entry(&cf.entry[i]);
	}
	master_cf_clear(&cf);
}

static void
try_record(struct span in)
{
	struct record record, again;
	struct addr client, same;
	struct buf text;

	if (pass_text_parse(in, &client, &record, NULL) != PASS_TEXT_RECORD)
		return;
	buf_init(&text, 400);
	claim(pass_text_format(&client, &record, &text) == 0);
	claim(pass_text_parse(buf_span(&text), &same, &again, NULL) ==
	      PASS_TEXT_RECORD);
	claim(addr_equal(&client, &same));
	claim(memcmp(&record, &again, sizeof(record)) == 0);
	buf_clear(&text);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	struct span in;

	if (n == 0)
		return 0;
	in = span_of((const char *)bytes + 1, n - 1);
	if (bytes[0] & 1)
		try_master(in);
	else
		try_record(in);
	return 0;
}
