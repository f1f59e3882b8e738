/* SPDX-License-Identifier: ISC */
/* clang-format off */
/* links: control_room stage heard_log fake_local fake_clock fake_loop fake_stream fake_fdpass fake_resolver fake_cache fake_mem given_addr */
/* clang-format on */
#include "ops/offender_answers.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "screen/offenders.h"
#include "support/control_room.h"
#include "support/fake_clock.h"
#include "support/given_addr.h"

static const char *const settings[] = {
    "doorbell_access_list=cidr:{{192.0.2.200 permit}}", NULL};

static struct control_room room;

static int
set_up(void **state)
{
	(void)state;
	control_room_open(&room, settings);
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	control_room_close(&room);
	return 0;
}

static void
offend(const char *client, enum offence offence, unsigned times)
{
	const struct addr a = given_addr(client);
	const struct record_key key = record_key_of(&a, 32, 64);

	while (times-- > 0)
		offenders_note(
		    room.screen->offenders, &key, offence, clock_mono());
}

static const struct json_value *
worst(const char *line)
{
	const struct json_value *v = control_room_ask(&room, line);

	if (room.status != CONTROL_DONE)
		fail_msg("%s: %s", line, json_value_text(v, "error"));
	v = json_value_get(v, "offenders");
	assert_non_null(v);
	assert_int_equal(v->kind, JSON_ARRAY);
	return v->first;
}

static int64_t
spared(void)
{
	return json_value_number(json_tree_root(room.answer), "spared");
}

static void
test_nobody(void **state)
{
	const struct json_value *v;

	(void)state;
	assert_null(worst("offenders"));
	v = json_tree_root(room.answer);
	assert_string_equal(json_value_text(v, "format"), "text");
	assert_int_equal(json_value_number(v, "for"), 7200);
	assert_int_equal(json_value_get(v, "spared")->kind, JSON_NUMBER);
	assert_int_equal(spared(), 0);
}

static void
test_the_worst(void **state)
{
	const struct json_value *v, *offences;

	(void)state;
	offend("192.0.2.1", OFFENCE_PREGREET, 12);
	offend("2001:db8::7", OFFENCE_LISTED, 30);
	offend("192.0.2.2", OFFENCE_FLOOD, 9);
	fake_clock_advance(2000);
	offend("2001:db8::8", OFFENCE_HANGUP, 2);
	fake_clock_advance(500);
	v = worst("offenders");
	assert_non_null(v);
	assert_string_equal(json_value_text(v, "prefix"), "2001:db8::/64");
	assert_int_equal(json_value_number(v, "weight"), 31);
	assert_int_equal(json_value_number(v, "first_ms"), 2500);
	assert_int_equal(json_value_number(v, "last_ms"), 500);
	offences = json_value_get(v, "offences");
	assert_int_equal(json_value_count(offences), 2);
	assert_int_equal(json_value_number(offences, "listed"), 30);
	assert_int_equal(json_value_number(offences, "hangup"), 2);
	v = v->next;
	assert_non_null(v);
	assert_string_equal(json_value_text(v, "prefix"), "192.0.2.1");
	offences = json_value_get(v, "offences");
	assert_int_equal(json_value_count(offences), 1);
	assert_int_equal(json_value_number(offences, "pregreet"), 12);
	/* Nine are not enough. */
	assert_null(v->next);
	v = worst("offenders --min=8");
	assert_int_equal(json_value_count(json_value_get(
			     json_tree_root(room.answer), "offenders")),
	    3);
	assert_null(worst("offenders --min=1000000000"));
}

/* Half of it is over after an hour, and what is over does not count. */
static void
test_faded(void **state)
{
	const struct json_value *v;

	(void)state;
	offend("192.0.2.1", OFFENCE_DENIED, 41);
	fake_clock_advance(OFFENDERS_HALF_LIFE_MS);
	v = worst("offenders");
	assert_non_null(v);
	assert_int_equal(json_value_number(v, "weight"), 20);
	fake_clock_advance(OFFENDERS_HALF_LIFE_MS);
	assert_int_equal(json_value_number(worst("offenders"), "weight"), 10);
	fake_clock_advance(OFFENDERS_HALF_LIFE_MS);
	assert_null(worst("offenders"));
}

/* As many as are remembered, each with so many offences. */
static void
fill(int offences)
{
	struct addr a = {.family = ADDR_IPV4, .bytes = {10}};
	struct record_key key;

	for (unsigned i = 0; i < OFFENDERS_MAX; i++) {
		a.bytes[2] = (uint8_t)(i >> 8);
		a.bytes[3] = (uint8_t)i;
		key = record_key_of(&a, 32, 64);
		for (int n = 0; n < offences; n++)
			offenders_note(room.screen->offenders, &key,
			    OFFENCE_FLOOD, clock_mono());
	}
}

/* Who came into a full house has a weight that may be another's. */
static void
test_inherited(void **state)
{
	const struct json_value *v;

	(void)state;
	fill(20);
	offend("192.0.2.1", OFFENCE_PREGREET, 12);
	fake_clock_advance(60000);
	v = worst("offenders --limit=1");
	assert_string_equal(json_value_text(v, "prefix"), "192.0.2.1");
	assert_int_equal(json_value_number(v, "weight"), 11);
	/* It has done less than the others, whatever its place. */
	v = worst("offenders --min=12 --limit=1");
	assert_int_equal(json_value_number(v, "weight"), 19);
}

/* Without a word a thousand are shown, and all of them with one. */
static void
test_limit(void **state)
{
	const struct json_value *v;

	(void)state;
	fill(11);
	v = control_room_ask(&room, "offenders");
	assert_int_equal(
	    json_value_count(json_value_get(v, "offenders")), 1000);
	v = control_room_ask(&room, "offenders --limit=4096");
	assert_int_equal(
	    json_value_count(json_value_get(v, "offenders")), OFFENDERS_MAX);
}

/* Spared are those whom nobody would want in a packet filter; who has done little
 * is none of them. */
static void
test_spared(void **state)
{
	const struct record_key known =
	    record_key_of(&(struct addr){ADDR_IPV4, {192, 0, 2, 3}}, 32, 64);
	const struct record passed = {
	    .expires = {{FAKE_CLOCK_WALL_S + 60}, {RECORD_OFF}, {RECORD_OFF},
		{RECORD_OFF}, {RECORD_OFF}}};
	const struct json_value *v;

	(void)state;
	offend("192.0.2.200", OFFENCE_FLOOD, 50);
	offend("127.0.0.5", OFFENCE_FLOOD, 40);
	offend("192.0.2.3", OFFENCE_HANGUP, 30);
	offend("192.0.2.9", OFFENCE_HANGUP, 20);
	offend("127.0.0.6", OFFENCE_HANGUP, 9);
	assert_int_equal(cache_store(room.stage.cache, &known, &passed), 0);
	v = worst("offenders");
	assert_non_null(v);
	assert_string_equal(json_value_text(v, "prefix"), "192.0.2.9");
	assert_null(v->next);
	assert_int_equal(spared(), 3);
	(void)control_room_ask(&room, "allow 192.0.2.9");
	assert_null(worst("offenders"));
	assert_int_equal(spared(), 4);
	assert_null(worst("offenders --min=35"));
	assert_int_equal(spared(), 2);
}

static const struct {
	const char *line, *format;
	int64_t for_s;
} wishes[] = {
    {"offenders --format=text", "text", 7200},
    {"offenders --format=nft --for=1", "nft", 1},
    {"offenders --format=ipset --for=30d", "ipset", 2592000},
    {"offenders --format=cidr --for=20m", "cidr", 1200},
    {"offenders --format=json --for=2w --min=1 --limit=1", "json", 1209600},
};

/* What is wanted goes back to doorbellctl, which writes it. */
static void
test_wishes(void **state)
{
	const struct json_value *v;

	(void)state;
	for (size_t i = 0; i < sizeof(wishes) / sizeof(wishes[0]); i++) {
		v = control_room_ask(&room, wishes[i].line);
		if (room.status != CONTROL_DONE ||
		    strcmp(json_value_text(v, "format"), wishes[i].format) !=
			0 ||
		    json_value_number(v, "for") != wishes[i].for_s)
			fail_msg("%s", wishes[i].line);
	}
}

static const struct {
	const char *line, *error;
} mistakes[] = {
    {"offenders --format=xml", "--format is text, nft, ipset, cidr, or json"},
    {"offenders --format=", "--format is text, nft, ipset, cidr, or json"},
    {"offenders --format=NFT", "--format is text, nft, ipset, cidr, or json"},
    {"offenders --format=\"nft text\"",
	"--format is text, nft, ipset, cidr, or json"},
    {"offenders --for=0", "--for 0: not a time between 1s and 30d"},
    {"offenders --for=31d", "--for 31d: not a time between 1s and 30d"},
    {"offenders --for=-1s", "--for -1s: not a time between 1s and 30d"},
    {"offenders --for=", "--for : not a time between 1s and 30d"},
    {"offenders --for=30y", "--for 30y: not a time between 1s and 30d"},
    {"offenders --min=0", "--min is 1 to 1000000000"},
    {"offenders --min=1000000001", "--min is 1 to 1000000000"},
    {"offenders --min=1.5", "--min is 1 to 1000000000"},
    {"offenders --limit=0", "--limit is 1 to 4096"},
    {"offenders --limit=4097", "--limit is 1 to 4096"},
    {"offenders --limit=", "--limit is 1 to 4096"},
};

static void
test_mistakes(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(mistakes) / sizeof(mistakes[0]); i++)
		control_room_refuses(
		    &room, mistakes[i].line, CONTROL_BAD, mistakes[i].error);
}

static void
test_no_memory(void **state)
{
	(void)state;
	offend("192.0.2.1", OFFENCE_PREGREET, 12);
	offend("2001:db8::7", OFFENCE_LISTED, 30);
	control_room_starves(&room, "offenders", NULL);
	control_room_starves(&room, "offenders --min=0", NULL);
	assert_non_null(worst("offenders"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	    TEST(test_nobody),
	    TEST(test_the_worst),
	    TEST(test_faded),
	    TEST(test_inherited),
	    TEST(test_limit),
	    TEST(test_spared),
	    TEST(test_wishes),
	    TEST(test_mistakes),
	    TEST(test_no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
