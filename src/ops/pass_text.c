/* SPDX-License-Identifier: ISC */
#include "ops/pass_text.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/num.h"
#include "ops/json.h"

/* postscreen of older Postfix versions knew fewer tests and wrote fewer times:
 * the missing ones were never passed. Beside the clients its cache has the time
 * of its last cleanup, under a name that is no address. */

#define OWN_NOTES "_LAST_CACHE_CLEANUP_COMPLETED_"
#define CLIENT_TEXT_MAX (ADDR_TEXT_MAX + 4) /* with a length */
#define TIME_MAX 253402300799               /* the end of the year 9999 */

static const char *const slot_name[RECORD_SLOTS] = {
    [RECORD_PREGREET] = "pregreet",
    [RECORD_DNSBL] = "dnsbl",
    [RECORD_PIPELINING] = "pipelining",
    [RECORD_NON_SMTP] = "non-smtp",
    [RECORD_BARE_NEWLINE] = "bare-newline",
};

static size_t
length_to(struct span s, const char *ends)
{
	size_t n = 0;

	while (n < s.n && strchr(ends, s.p[n]) == NULL)
		n++;
	return n;
}

static int
parse_times(struct span in, struct record *r)
{
	size_t n, slot = 0;

	memset(r, 0, sizeof(*r));
	for (;;) {
		n = length_to(in, ";");
		if (slot == RECORD_SLOTS ||
		    num_parse(span_of(in.p, n), 0, TIME_MAX,
			&r->expires[slot++].s) < 0)
			return -1;
		if (n == in.n)
			return 0;
		in = span_of(in.p + n + 1, in.n - n - 1);
	}
}

enum pass_text_kind
pass_text_parse(struct span line, struct addr *client_r,
    struct record *record_r, struct errtext *why)
{
	struct span client, times;
	size_t n;

	line = span_trim(line);
	if (line.n == 0 || span_has_prefix(line, OWN_NOTES))
		return PASS_TEXT_NOTHING;
	if (memchr(line.p, '\0', line.n) != NULL) {
		errtext_set(why, "not text");
		return PASS_TEXT_BAD;
	}
	n = length_to(line, " \t");
	client = span_of(line.p, n);
	times = span_trim(span_of(line.p + n, line.n - n));
	if (addr_parse(client, client_r) < 0) {
		errtext_set(why, "not an address: \"%.*s\"",
		    (int)(n < 60 ? n : 60), client.p);
		return PASS_TEXT_BAD;
	}
	if (parse_times(times, record_r) < 0) {
		errtext_set(why,
		    "not up to %d times with ';' between them:"
		    " \"%.*s\"",
		    RECORD_SLOTS, (int)(times.n < 80 ? times.n : 80), times.p);
		return PASS_TEXT_BAD;
	}
	return PASS_TEXT_RECORD;
}

int
pass_text_format(
    const struct addr *client, const struct record *record, struct buf *out)
{
	char text[ADDR_TEXT_MAX];

	if (buf_add_str(out, addr_format(client, text)) < 0)
		return -1;
	for (size_t i = 0; i < RECORD_SLOTS; i++)
		if (buf_printf(out, "%c%lld", i == 0 ? '\t' : ';',
			(long long)record->expires[i].s) < 0)
			return -1;
	return buf_add_char(out, '\n');
}

static void
format_client(const struct addr_block *client, char *text, size_t size)
{
	char address[ADDR_TEXT_MAX];

	(void)addr_format(&client->base, address);
	if (client->bits < addr_bits(&client->base))
		(void)snprintf(text, size, "%s/%u", address, client->bits);
	else
		(void)snprintf(text, size, "%s", address);
}

int
pass_text_json(const struct addr_block *client, const struct record *record,
    struct buf *out)
{
	char text[CLIENT_TEXT_MAX];
	struct json j;

	format_client(client, text, sizeof(text));
	json_init(&j, out);
	json_object(&j, NULL);
	json_text(&j, "client", text);
	json_object(&j, "until");
	for (size_t i = 0; i < RECORD_SLOTS; i++)
		json_number(&j, slot_name[i], record->expires[i].s);
	json_end(&j);
	return json_finish(&j);
}

static int
describe_time(struct wall expires, struct wall now, struct buf *out)
{
	char text[64];
	time_t t = (time_t)expires.s;
	struct tm tm;

	if (expires.s == RECORD_NEVER)
		return buf_add_str(out, "never");
	if (expires.s == RECORD_OFF)
		return buf_add_str(out, "off");
	if (localtime_r(&t, &tm) == NULL ||
	    strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S", &tm) == 0)
		return buf_printf(out, "%lld", (long long)expires.s);
	return buf_printf(
	    out, "%s %s", expires.s <= now.s ? "expired" : "until", text);
}

int
pass_text_describe(const struct addr_block *client, const struct record *record,
    struct wall now, struct buf *out)
{
	char text[CLIENT_TEXT_MAX];

	format_client(client, text, sizeof(text));
	if (buf_add_str(out, text) < 0)
		return -1;
	for (size_t i = 0; i < RECORD_SLOTS; i++)
		if (buf_printf(
			out, "%s%s ", i == 0 ? "  " : ", ", slot_name[i]) < 0 ||
		    describe_time(record->expires[i], now, out) < 0)
			return -1;
	return 0;
}
