/* SPDX-License-Identifier: ISC */
/* links: stage fake_clock fake_loop fake_resolver fake_cache given_addr */
#include "ops/explain.h"

#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "ops/json_value.h"
#include "support/fake_clock.h"
#include "support/given_addr.h"
#include "support/stage.h"

/* Facts go in by hand, on top of what explain_look() finds; what comes out is
 * read as JSON again. The clock stands at 2023-11-14 22:13:20 UTC. */

#define NOW FAKE_CLOCK_WALL_S
#define CLIENT "192.0.2.9"
#define SITES "doorbell_dnsbl_sites=bl.test"

enum { SETTINGS_MAX = 8, STORY_MAX = 32768 };
enum memory { NOTHING, FRESH, STALE };

struct scene {
	const char *name;
	const char *settings[SETTINGS_MAX];
	const char *rule; /* "allow" or "deny", for the client; or NULL */
	enum memory memory;
	int64_t sessions, connections, failures;
	int points; /* of the one list there is */
	const char *outcome, *ending;
};

/* What is open between two steps of a test. */
struct scenery {
	struct stage stage;
	struct rules *rules;
	struct explain_facts facts;
	struct explain_list list[8];
	struct json_tree *tree;
	char story[STORY_MAX]; /* a line each */
};

static int
set_up(void **state)
{
	struct scenery *s = calloc(1, sizeof(*s));

	*state = s;
	return s != NULL && (s->rules = rules_new()) != NULL ? 0 : -1;
}

static void
strike(struct scenery *s)
{
	explain_forget(&s->facts);
	stage_close(&s->stage);
	json_tree_free(&s->tree);
	s->facts = (struct explain_facts){.list_count = 0};
}

static int
tear_down(void **state)
{
	struct scenery *s = *state;

	strike(s);
	rules_free(&s->rules);
	free(s);
	return 0;
}

static void
look(struct scenery *s, const char *const *settings, const char *client)
{
	struct addr a = given_addr(client);

	stage_open(&s->stage, settings);
	assert_string_equal(buf_str(&s->stage.told), "");
	explain_look(&s->facts, s->stage.policy, false, s->rules, &a);
}

static void
remember(struct scenery *s, enum memory memory)
{
	struct record record;

	for (size_t i = 0; i < RECORD_SLOTS; i++)
		record.expires[i].s = memory == FRESH ? NOW + 60 : NOW - 60;
	s->facts.has_cache = true;
	explain_remember(&s->facts, memory != NOTHING ? &record : NULL);
}

static void
make_rule(struct scenery *s, bool allow, const char *block, int64_t until,
    const char *note)
{
	struct rule rule = {.allow = allow, .until = {until}};

	assert_int_equal(
	    addr_block_parse(span_str(block), true, &rule.block), 0);
	(void)snprintf(rule.note, sizeof(rule.note), "%s", note);
	assert_int_equal(rules_set(s->rules, &rule), 0);
}

static struct explain_list *
add_list(struct scenery *s, struct explain_list list)
{
	if (list.name == NULL)
		list.name = "bl.test";
	s->facts.lists = s->list;
	s->list[s->facts.list_count] = list;
	s->list[s->facts.list_count].state = "used";
	return &s->list[s->facts.list_count++];
}

static const struct json_value *
written(struct scenery *s)
{
	const struct json_value *line;
	struct errtext why;
	struct json j;
	struct buf out;
	size_t n = 0;

	buf_init(&out, STORY_MAX);
	json_init(&j, &out);
	json_object(&j, NULL);
	explain_write(&s->facts, &j);
	assert_int_equal(json_finish(&j), 0);
	if ((s->tree = json_tree_new(buf_span(&out), &why)) == NULL)
		fail_msg("%s: %s", why.text, buf_str(&out));
	buf_clear(&out);
	line = json_value_get(json_tree_root(s->tree), "story");
	assert_true(json_value_count(line) > 0);
	for (line = line->first; line != NULL; line = line->next)
		n += (size_t)snprintf(
		    s->story + n, sizeof(s->story) - n, "%s\n", line->text);
	assert_true(n < sizeof(s->story));
	return json_tree_root(s->tree);
}

static void
assert_said(const struct scenery *s, const char *line)
{
	const char *at = strstr(s->story, line);

	if (at == NULL || (at > s->story && at[-1] != '\n') ||
	    at[strlen(line)] != '\n')
		fail_msg("not said: %s\n%s", line, s->story);
}

static void
assert_unsaid(const struct scenery *s, const char *part)
{
	if (strstr(s->story, part) != NULL)
		fail_msg("said: %s\n%s", part, s->story);
}

/* --- outcomes --------------------------------------------------------------- */

#define AT_ONCE "So it gets to the mail server at once, without a test."
#define GOES_ON                                                          \
	"So nothing speaks against it: it gets to the mail server when " \
	"it has passed the tests that are due."
#define REFUSED(what) what ": each recipient is refused with a 550 reply."
#define DROPPED(what) what ": it is sent away with a 521 reply at once."
#define FAILS "So it fails the DNSBL test"

static const struct scene scenes[] = {
    {.name = "a stranger", .outcome = "tested", .ending = GOES_ON},
    {.name = "permitted",
	.settings = {"doorbell_access_list=static:permit"},
	.outcome = "permitted",
	.ending = AT_ONCE},
    {.name = "rejected, which is ignored",
	.settings = {"doorbell_access_list=static:reject"},
	.outcome = "tested",
	.ending = GOES_ON},
    {.name = "rejected, which is ignored, and known",
	.settings = {"doorbell_access_list=static:reject"},
	.memory = FRESH,
	.outcome = "known",
	.ending = "So it gets to the mail server at once: it is known."},
    {.name = "rejected",
	.settings = {"doorbell_access_list=static:reject",
	    "doorbell_denylist_action=enforce"},
	.memory = FRESH,
	.outcome = "rejected",
	.ending = REFUSED("So it is refused")},
    {.name = "rejected at once",
	.settings = {"doorbell_access_list=static:reject",
	    "doorbell_denylist_action=drop"},
	.outcome = "rejected",
	.ending = DROPPED("So it is refused")},
    {.name = "allowed by hand",
	.rule = "allow",
	.outcome = "allowed",
	.ending = AT_ONCE},
    {.name = "denied by hand counts whatever the action",
	.rule = "deny",
	.memory = FRESH,
	.outcome = "denied",
	.ending = REFUSED("So it is refused")},
    {.name = "denied by hand, and dropped",
	.settings = {"doorbell_denylist_action=drop"},
	.rule = "deny",
	.outcome = "denied",
	.ending = DROPPED("So it is refused")},
    {.name = "permitted and denied by hand",
	.settings = {"doorbell_access_list=static:permit"},
	.rule = "deny",
	.outcome = "permitted",
	.ending = AT_ONCE},
    {.name = "rejected and allowed by hand",
	.settings = {"doorbell_access_list=static:reject",
	    "doorbell_denylist_action=enforce"},
	.rule = "allow",
	.outcome = "rejected",
	.ending = REFUSED("So it is refused")},
    {.name = "ignored and denied by hand",
	.settings = {"doorbell_access_list=static:reject"},
	.rule = "deny",
	.outcome = "tested",
	.ending = GOES_ON},
    {.name = "one more than there may be at once, though permitted",
	.settings = {"doorbell_access_list=static:permit",
	    "doorbell_client_connection_count_limit=3"},
	.sessions = 3,
	.outcome = "too many at once",
	.ending = "So it is sent away with a 421 reply, for now: it has too "
		  "many connections "
		  "(doorbell_client_connection_count_limit)."},
    {.name = "as many as there may be",
	.settings = {"doorbell_access_list=static:permit",
	    "doorbell_client_connection_count_limit=3"},
	.sessions = 2,
	.outcome = "permitted",
	.ending = AT_ONCE},
    {.name = "too many connections, though known",
	.settings = {"doorbell_connection_rate_limit=5"},
	.memory = FRESH,
	.connections = 5,
	.outcome = "too many connections",
	.ending = "So it is sent away with a 421 reply, for now: it comes too "
		  "often (doorbell_connection_rate_limit)."},
    {.name = "too many connections of who is allowed",
	.settings = {"doorbell_connection_rate_limit=5"},
	.rule = "allow",
	.connections = 5,
	.outcome = "allowed",
	.ending = AT_ONCE},
    {.name = "too many connections of who is denied",
	.settings = {"doorbell_connection_rate_limit=5"},
	.rule = "deny",
	.connections = 5,
	.outcome = "too many connections",
	.ending = "So it is sent away with a 421 reply, for now: it comes too "
		  "often (doorbell_connection_rate_limit)."},
    {.name = "no limit of connections",
	.connections = INT64_MAX,
	.sessions = 49,
	.failures = INT64_MAX,
	.outcome = "tested",
	.ending = GOES_ON},
    {.name = "too many failures",
	.settings = {"doorbell_failure_rate_limit=2"},
	.memory = STALE,
	.failures = 2,
	.outcome = "too many failures",
	.ending = "So it is sent away with a 421 reply, for now: it has failed "
		  "too often (doorbell_failure_rate_limit)."},
    {.name = "too many failures, but known",
	.settings = {"doorbell_failure_rate_limit=2"},
	.memory = FRESH,
	.failures = 2,
	.outcome = "known",
	.ending = "So it gets to the mail server at once: it is known."},
    {.name = "known long ago",
	.memory = STALE,
	.outcome = "tested",
	.ending = GOES_ON},
    {.name = "listed, which is ignored",
	.settings = {SITES},
	.points = 1,
	.outcome = "listed",
	.ending = FAILS ", but that is only logged."},
    {.name = "listed",
	.settings = {SITES, "doorbell_dnsbl_action=enforce"},
	.points = 1,
	.outcome = "listed",
	.ending = REFUSED(FAILS)},
    {.name = "listed, and dropped",
	.settings = {SITES, "doorbell_dnsbl_action=drop"},
	.points = INT_MAX,
	.outcome = "listed",
	.ending = DROPPED(FAILS)},
    {.name = "below the threshold",
	.settings = {SITES, "doorbell_dnsbl_action=drop",
	    "doorbell_dnsbl_threshold=3"},
	.points = 2,
	.outcome = "tested",
	.ending = GOES_ON},
    {.name = "listed, but passed lately",
	.settings = {SITES, "doorbell_dnsbl_action=drop"},
	.memory = FRESH,
	.points = 5,
	.outcome = "known",
	.ending = "So it gets to the mail server at once: it is known."},
    {.name = "vouched for",
	.settings = {SITES, "doorbell_dnsbl_allowlist_threshold=-2"},
	.points = -2,
	.outcome = "vouched",
	.ending = "So it passes all other tests, too: the score is at or below "
		  "doorbell_dnsbl_allowlist_threshold."},
    {.name = "not vouched for enough",
	.settings = {SITES, "doorbell_dnsbl_allowlist_threshold=-2"},
	.points = -1,
	.outcome = "tested",
	.ending = GOES_ON},
    {.name = "nobody can vouch",
	.settings = {SITES},
	.points = -100,
	.outcome = "tested",
	.ending = GOES_ON},
};

static void
play(struct scenery *s, const struct scene *scene)
{
	const struct json_value *v;
	const char *last;

	look(s, scene->settings, CLIENT);
	remember(s, scene->memory);
	s->facts.has_counts = true;
	s->facts.sessions = scene->sessions;
	s->facts.connections = scene->connections;
	s->facts.failures = scene->failures;
	if (s->facts.unasked == NULL)
		add_list(s, (struct explain_list){.name = "bl.test",
				.result = EXPLAIN_LISTED,
				.points = scene->points});
	v = written(s);
	last = strstr(s->story, "So ");
	if (strcmp(json_value_text(v, "outcome"), scene->outcome) != 0 ||
	    last == NULL || last[strlen(scene->ending)] != '\n' ||
	    strncmp(last, scene->ending, strlen(scene->ending)) != 0)
		fail_msg("%s: %s\n%s", scene->name,
		    json_value_text(v, "outcome"), s->story);
}

static void
test_outcomes(void **state)
{
	struct scenery *s = *state;
	struct addr_block block = {.base = given_addr(CLIENT), .bits = 32};

	for (size_t i = 0; i < sizeof(scenes) / sizeof(*scenes); i++) {
		if (scenes[i].rule != NULL)
			make_rule(s, strcmp(scenes[i].rule, "allow") == 0,
			    CLIENT, RULE_FOR_GOOD, "");
		play(s, &scenes[i]);
		strike(s);
		(void)rules_remove(s->rules, &block);
	}
}

static void
test_other_interfaces(void **state)
{
	static const char *const settings[] = {SITES,
	    "doorbell_dnsbl_allowlist_threshold=-2",
	    "doorbell_allowlist_interfaces=198.51.100.25", NULL};
	static const char elsewhere[] =
	    "That is so on the addresses of doorbell_allowlist_interfaces; on "
	    "others each recipient is refused with a 450 reply.";
	struct scenery *s = *state;

	for (int points = -2; points < 1; points += 2) {
		look(s, settings, CLIENT);
		remember(s, NOTHING);
		add_list(s, (struct explain_list){.points = points});
		written(s);
		assert_said(s, elsewhere);
		strike(s);
	}
}

/* --- the access list and rules ---------------------------------------------- */

static void
test_place_in_a_file(void **state)
{
	char path[] = "/tmp/test_explain.XXXXXX", spec[128], line[128];
	struct scenery *s = *state;
	const struct json_value *v;
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	assert_int_equal(
	    dprintf(fd, "# mine\n192.0.2.0/24 { reject, command_count_limit = 7"
			", connection_rate_limit=4 }\n"),
	    81);
	close(fd);
	(void)snprintf(
	    spec, sizeof(spec), "doorbell_access_list=cidr:%s", path);
	look(s, (const char *const[]){spec, NULL}, CLIENT);
	unlink(path);
	remember(s, NOTHING);
	s->facts.connections = 3;
	s->facts.has_counts = true;
	v = json_value_get(written(s), "access_list");
	assert_string_equal(json_value_text(v, "verdict"), "reject");
	assert_string_equal(json_value_text(v, "file"), path);
	assert_int_equal(json_value_number(v, "line"), 2);
	assert_string_equal(json_value_text(v, "settings"),
	    "command_count_limit = 7, connection_rate_limit=4");
	(void)snprintf(line, sizeof(line),
	    "The permanent access list rejects it: %s, line 2.", path);
	assert_said(s, line);
	assert_said(
	    s, "That has no effect (doorbell_denylist_action is ignore).");
	/* The limit is that of its network. */
	assert_said(s, "It came 3 times in the last minute; the limit is 4.");
	v = json_value_get(json_tree_root(s->tree), "rates");
	assert_int_equal(json_value_number(v, "connection_rate_limit"), 4);
}

/* An index does not know the lines that it was made of. */
static void
test_place_in_an_index(void **state)
{
	struct scenery *s = *state;
	const struct json_value *v;

	look(s, (const char *const[]){NULL}, CLIENT);
	remember(s, NOTHING);
	s->facts.access = (struct access_fact){.verdict = ACCESS_PERMIT,
	    .word = "hash:/etc/postfix/friends",
	    .file = "/etc/postfix/friends"};
	v = json_value_get(written(s), "access_list");
	assert_int_equal(json_value_get(v, "line")->kind, JSON_NULL);
	assert_said(s, "The permanent access list permits it: "
		       "hash:/etc/postfix/friends.");
}

static void
test_words_of_the_access_list(void **state)
{
	struct scenery *s = *state;
	const struct json_value *v;

	look(s, (const char *const[]){NULL}, "127.0.0.1");
	remember(s, NOTHING);
	v = json_value_get(written(s), "access_list");
	assert_string_equal(json_value_text(v, "by"), "permit_mynetworks");
	assert_said(
	    s, "The permanent access list permits it: permit_mynetworks.");
	strike(s);
	look(s, (const char *const[]){NULL}, CLIENT);
	remember(s, NOTHING);
	v = json_value_get(written(s), "access_list");
	assert_string_equal(json_value_text(v, "verdict"), "no opinion");
	assert_int_equal(json_value_count(v), 1);
	assert_said(s, "The permanent access list has no opinion.");
}

static void
test_rules(void **state)
{
	static const struct {
		bool allow;
		const char *block, *note, *client;
		int64_t until;
		const char *line;
	} cases[] = {
	    {true, "192.0.2.0/24", "", CLIENT, RULE_FOR_GOOD,
		"By hand 192.0.2.0/24 is allowed, for good."},
	    {false, "2001:db8::/32", "a \"customer\"\x01", "2001:db8::1",
		NOW + 3600,
		"By hand 2001:db8::/32 is denied, until 2023-11-14 23:13:20 "
		"UTC: a \"customer\"\x01."},
	};
	struct scenery *s = *state;
	const struct json_value *v;

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		make_rule(s, cases[i].allow, cases[i].block, cases[i].until,
		    cases[i].note);
		look(s, (const char *const[]){NULL}, cases[i].client);
		remember(s, NOTHING);
		v = json_value_get(written(s), "rule");
		assert_said(s, cases[i].line);
		assert_string_equal(json_value_text(v, "what"),
		    cases[i].allow ? "allow" : "deny");
		assert_string_equal(
		    json_value_text(v, "block"), cases[i].block);
		assert_string_equal(json_value_text(v, "note"), cases[i].note);
		assert_int_equal(json_value_number(v, "until"), cases[i].until);
		assert_int_equal(json_value_get(v, "until")->kind,
		    cases[i].until == RULE_FOR_GOOD ? JSON_NULL : JSON_NUMBER);
		strike(s);
	}
	/* Its time is up. */
	make_rule(s, true, "198.51.100.1", NOW, "");
	look(s, (const char *const[]){NULL}, "198.51.100.1");
	remember(s, NOTHING);
	v = json_value_get(written(s), "rule");
	assert_non_null(v);
	assert_int_equal(v->kind, JSON_NULL);
	assert_unsaid(s, "By hand");
}

/* --- what is known ------------------------------------------------------------ */

static void
test_memory(void **state)
{
	static const char *const settings[] = {
	    SITES, "doorbell_pipelining_enable=yes", NULL};
	struct record record = {.expires = {
				    [RECORD_PREGREET] = {NOW + 86400},
				    [RECORD_DNSBL] = {NOW},
				    [RECORD_PIPELINING] = {RECORD_OFF},
				    [RECORD_NON_SMTP] = {NOW - 1},
				}};
	struct scenery *s = *state;
	const struct json_value *v;

	look(s, settings, CLIENT);
	s->facts.has_cache = true;
	explain_remember(&s->facts, &record);
	v = json_value_get(written(s), "cache");
	assert_true(json_value_is_true(v, "used"));
	assert_true(json_value_is_true(v, "known"));
	assert_null(json_value_get(v, "trouble"));
	v = json_value_get(v, "tests");
	assert_int_equal(json_value_count(v), CHECK_COUNT);
	v = v->first;
	assert_string_equal(json_value_text(v, "test"), "pregreet");
	assert_false(json_value_is_true(v, "due"));
	assert_int_equal(json_value_number(v, "until"), NOW + 86400);
	v = v->next;
	assert_string_equal(json_value_text(v, "test"), "DNSBL");
	assert_true(json_value_is_true(v, "due"));
	assert_int_equal(json_value_number(v, "until"), NOW);
	v = v->next;
	assert_string_equal(json_value_text(v, "test"), "pipelining");
	assert_true(json_value_is_true(v, "due"));
	assert_int_equal(json_value_get(v, "until")->kind, JSON_NULL);
	v = v->next;
	assert_false(json_value_is_true(v, "due"));
	assert_said(
	    s, "The pregreet test is passed until 2023-11-15 22:13:20 UTC.");
	assert_said(s, "The DNSBL test is due.");
	assert_said(s, "The pipelining test is due.");
	assert_unsaid(s, "non-SMTP");
	assert_unsaid(s, "has not passed");
}

static void
test_no_memory(void **state)
{
	struct scenery *s = *state;
	const struct json_value *v;

	look(s, (const char *const[]){NULL}, CLIENT);
	remember(s, NOTHING);
	v = json_value_get(written(s), "cache");
	assert_true(json_value_is_true(v, "used"));
	assert_false(json_value_is_true(v, "known"));
	assert_said(s, "It has not passed the tests before, or not lately.");
	json_tree_free(&s->tree);
	s->facts.has_cache = false;
	v = json_value_get(written(s), "cache");
	assert_false(json_value_is_true(v, "used"));
	assert_said(s, "There is no memory of clients.");
	json_tree_free(&s->tree);
	s->facts.cache_trouble = "/x: Permission denied";
	v = json_value_get(written(s), "cache");
	assert_string_equal(
	    json_value_text(v, "trouble"), "/x: Permission denied");
	assert_said(s, "What is known of clients, and what was said by hand, "
		       "cannot be read: /x: Permission denied.");
	assert_unsaid(s, "There is no memory");
}

static void
test_counts(void **state)
{
	static const char *const settings[] = {
	    "doorbell_client_connection_count_limit=7",
	    "doorbell_connection_rate_limit=20",
	    "doorbell_failure_rate_limit=10", NULL};
	struct scenery *s = *state;
	const struct json_value *v;

	look(s, settings, CLIENT);
	remember(s, NOTHING);
	s->facts.sessions = 7;
	s->facts.connections = 12;
	s->facts.failures = 3;
	/* Nobody has counted. */
	assert_null(json_value_get(written(s), "rates"));
	json_tree_free(&s->tree);
	s->facts.has_counts = true;
	v = json_value_get(written(s), "rates");
	assert_int_equal(json_value_number(v, "connections_now"), 7);
	assert_int_equal(
	    json_value_number(v, "client_connection_count_limit"), 7);
	assert_int_equal(json_value_number(v, "connections_a_minute"), 12);
	assert_int_equal(json_value_number(v, "connection_rate_limit"), 20);
	assert_int_equal(json_value_number(v, "failures_an_hour"), 3);
	assert_int_equal(json_value_number(v, "failure_rate_limit"), 10);
	assert_said(s, "It has 7 connections now; the limit is 7.");
	assert_said(s, "It came 12 times in the last minute; the limit is 20.");
	assert_said(s, "It failed 3 times in the last hour; the limit is 10.");
	strike(s);
	look(s, (const char *const[]){NULL}, CLIENT);
	remember(s, NOTHING);
	s->facts.connections = 12;
	s->facts.failures = 3;
	written(s);
	assert_said(s, "It failed 3 times in the last hour.");
	assert_unsaid(s, "It came");
}

/* --- DNS lists ---------------------------------------------------------------- */

static void
test_lists(void **state)
{
	static const char *const settings[] = {SITES,
	    "doorbell_dnsbl_threshold=4",
	    "doorbell_dnsbl_reply_map=inline:{secret.bl.test=bl.test}", NULL};
	struct scenery *s = *state;
	const struct json_value *v, *dnsbl;
	struct explain_list *l;

	look(s, settings, CLIENT);
	remember(s, NOTHING);
	l = add_list(s, (struct explain_list){.name = "bl.test",
			    .result = EXPLAIN_LISTED,
			    .n = 2,
			    .points = 3,
			    .has_ttl = true,
			    .ttl_s = 300,
			    .waited_ms = 41});
	l->addr[0] = given_addr("127.0.0.2");
	l->addr[1] = given_addr("127.0.0.11");
	l = add_list(s, (struct explain_list){.name = "out.test",
			    .result = EXPLAIN_LISTED,
			    .n = EXPLAIN_ADDR_MAX,
			    .is_out = true});
	for (size_t i = 0; i < EXPLAIN_ADDR_MAX; i++)
		l->addr[i] =
		    given_addr("ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe");
	add_list(s, (struct explain_list){.name = "absent.test",
			.result = EXPLAIN_ABSENT,
			.waited_ms = 7});
	add_list(s, (struct explain_list){
			.name = "code.test", .result = EXPLAIN_ERROR_CODE});
	add_list(s, (struct explain_list){.name = "failed.test",
			.result = EXPLAIN_FAILED,
			.why = "server failure"});
	add_list(s, (struct explain_list){
			.name = "odd.test", .result = EXPLAIN_FAILED});
	add_list(s,
	    (struct explain_list){.name = "silent.test", .waited_ms = 10000});
	dnsbl = json_value_get(written(s), "dnsbl");
	assert_true(json_value_is_true(dnsbl, "asked"));
	assert_int_equal(json_value_number(dnsbl, "score"), 3);
	assert_int_equal(json_value_number(dnsbl, "threshold"), 4);
	assert_string_equal(json_value_text(dnsbl, "action"), "ignore");
	v = json_value_get(dnsbl, "lists");
	assert_int_equal(json_value_count(v), 7);
	v = v->first;
	assert_string_equal(json_value_text(v, "list"), "bl.test");
	assert_string_equal(json_value_text(v, "result"), "listed");
	assert_string_equal(json_value_text(v, "state"), "used");
	assert_int_equal(json_value_count(json_value_get(v, "answers")), 2);
	assert_string_equal(
	    json_value_get(v, "answers")->first->next->text, "127.0.0.11");
	assert_int_equal(json_value_number(v, "points"), 3);
	assert_int_equal(json_value_number(v, "ttl"), 300);
	assert_int_equal(json_value_number(v, "ms"), 41);
	v = v->next->next;
	assert_string_equal(json_value_text(v, "result"), "not listed");
	assert_int_equal(json_value_get(v, "ttl")->kind, JSON_NULL);
	v = v->next;
	assert_string_equal(json_value_text(v, "result"), "error code");
	v = v->next;
	assert_string_equal(json_value_text(v, "result"), "failed");
	v = v->next->next;
	assert_string_equal(json_value_text(v, "result"), "no answer");
	assert_said(s, "bl.test lists it as 127.0.0.2 127.0.0.11: 3 points "
		       "(answer in 41 ms, good for 300 s).");
	assert_non_null(strstr(s->story,
	    "ffff:fffe: 0 points (answer in 0 ms, good for 0 s; the list is "
	    "out of use and does not count).\n"));
	assert_said(s, "absent.test does not list it: 0 points (answer in 7 "
		       "ms).");
	assert_said(s, "code.test does not want to answer us; that never "
		       "counts.");
	assert_said(s, "failed.test cannot be asked: server failure.");
	assert_said(s, "odd.test cannot be asked: no reason is known.");
	assert_said(s, "silent.test has not answered within 10000 ms.");
	assert_said(s, "Its score is 3; from 4 on a client counts as listed.");
}

/* Sums that leave the range of int stay at its ends, as in the dialogue. */
static void
test_score_at_its_ends(void **state)
{
	static const int points[][2] = {{INT_MAX, 1}, {INT_MIN, -1}};
	struct scenery *s = *state;
	const struct json_value *v;

	for (size_t i = 0; i < 2; i++) {
		look(s, (const char *const[]){SITES, NULL}, CLIENT);
		remember(s, NOTHING);
		add_list(s, (struct explain_list){.points = points[i][0]});
		add_list(s, (struct explain_list){.points = points[i][1]});
		v = json_value_get(written(s), "dnsbl");
		assert_int_equal(json_value_number(v, "score"), points[i][0]);
		strike(s);
	}
}

static void
test_nobody_is_asked(void **state)
{
	static const char *const skip[] = {
	    SITES, "doorbell_dnsbl_skip_networks=192.0.2.0/24", NULL};
	struct scenery *s = *state;
	const struct json_value *v;

	look(s, (const char *const[]){NULL}, CLIENT);
	remember(s, NOTHING);
	v = json_value_get(written(s), "dnsbl");
	assert_false(json_value_is_true(v, "asked"));
	assert_string_equal(json_value_text(v, "why_not"),
	    "there are none in the configuration");
	assert_said(s, "DNS lists are not asked: there are none in the "
		       "configuration.");
	assert_unsaid(s, "Its score");
	strike(s);
	look(s, skip, CLIENT);
	remember(s, NOTHING);
	written(s);
	assert_said(s, "DNS lists are not asked: no list can know this address "
		       "(doorbell_dnsbl_skip_networks).");
	strike(s);
	look(s, skip, "198.51.100.1");
	assert_null(s->facts.unasked);
}

/* --- the rest ----------------------------------------------------------------- */

/* What an admin writes into names is as long as it likes. */
static void
test_long_and_strange_texts(void **state)
{
	struct scenery *s = *state;
	const struct json_value *line;
	char word[4000];

	memset(word, '\xff', sizeof(word));
	word[sizeof(word) - 1] = '\0';
	look(s, (const char *const[]){NULL}, CLIENT);
	remember(s, NOTHING);
	s->facts.access.word = word;
	line = json_value_get(written(s), "story")->first;
	assert_non_null(strstr(line->text, "has no opinion: \xef\xbf\xbd"));
	/* Cut, and each strange byte has become three. */
	assert_true(strlen(line->text) < 3 * 1024);
}

/* A moment that no calendar has. */
static void
test_strange_time(void **state)
{
	struct scenery *s = *state;

	make_rule(s, true, CLIENT, INT64_MAX, "note");
	look(s, (const char *const[]){NULL}, CLIENT);
	remember(s, NOTHING);
	written(s);
	assert_said(s, "By hand 192.0.2.9/32 is allowed, until : note.");
}

static void
test_stress(void **state)
{
	static const char *const settings[] = {
	    "doorbell_access_list=static:{ { dunno, connection_rate_limit = "
	    "$${stress?{2}:{9}} } }",
	    "doorbell_failure_rate_limit=${stress?{1}:{8}}", NULL};
	struct scenery *s = *state;
	struct addr client = given_addr(CLIENT);

	look(s, settings, CLIENT);
	assert_int_equal(s->facts.cfg->connection_rate_limit, 9);
	assert_int_equal(s->facts.cfg->failure_rate_limit, 8);
	explain_forget(&s->facts);
	explain_look(&s->facts, s->stage.policy, true, NULL, &client);
	assert_int_equal(s->facts.cfg->connection_rate_limit, 2);
	assert_int_equal(s->facts.cfg->failure_rate_limit, 1);
	assert_false(s->facts.has_rule);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	    TEST(test_outcomes),
	    TEST(test_other_interfaces),
	    TEST(test_place_in_a_file),
	    TEST(test_place_in_an_index),
	    TEST(test_words_of_the_access_list),
	    TEST(test_rules),
	    TEST(test_memory),
	    TEST(test_no_memory),
	    TEST(test_counts),
	    TEST(test_lists),
	    TEST(test_score_at_its_ends),
	    TEST(test_nobody_is_asked),
	    TEST(test_long_and_strange_texts),
	    TEST(test_strange_time),
	    TEST(test_stress),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
