/* SPDX-License-Identifier: ISC */
/* links: house scratch nth_call child_end counted_exit sockets given_addr */
#include "daemon/reload.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "support/house.h"
#include "support/nth_call.h"
#include "support/sockets.h"

#define OLD_STAYS                                                             \
	"warning: the new configuration cannot be used; the old one stays in" \
	" force\n"

static uint64_t
count(const struct house *h, enum counter which)
{
	return counters_read(h->bell->counters, which);
}

static void
reload(struct house *h, const char *log)
{
	house_forget(h);
	assert_int_equal(kill(getpid(), SIGHUP), 0);
	house_hears(h, log);
}

/* A new client is greeted like this. */
static void
greets(struct house *h, const char *text)
{
	int client = house_call(h);

	house_client_hears(h, client, text);
	close(client);
}

/* --- the configuration ----------------------------------------------------- */
static void
test_new_sessions_get_the_new_one(void **state)
{
	struct house *h = *state;
	int held, there;

	house_set(h, "doorbell_greet_wait = 1s\n");
	house_open(h);
	held = house_enter(h);
	house_unset(h);
	house_set(h, "doorbell_greet_banner = something new\n"
		     "doorbell_greet_wait = 60s\n");
	reload(h, "configuration reloaded\n");
	greets(h, "220-something new\r\n");
	/* One that was there waits no longer than it was told to. */
	there = house_smtpd_takes(h);
	sockets_say(there, "220 hi\r\n");
	house_client_hears(h, held, "220 hi\r\n");
	assert_false(house_has_heard(h, "warning"));
	close(there);
	close(held);
}

static void
test_a_wrong_one_changes_nothing(void **state)
{
	static const struct {
		const char *line, *log;
	} cases[] = {
	    {"doorbell_greet_action = perhaps\n",
		"etc/doorbell.cf:6: doorbell_greet_action"},
	    {"doorbell_dnsbl_sites = bl.test*\n",
		"etc/doorbell.cf:6: doorbell_dnsbl_sites"},
	    {"syslog_facility = choir\n",
		"etc/doorbell.cf:6: syslog_facility = choir: unknown"},
	    {"doorbell_access_list = hash:/nowhere/friends\n",
		"read at the start only"},
	};
	struct house *h = *state;

	house_open(h);
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct config_set *before = h->bell->config;
		const struct policy *policy = h->bell->screen->policy;

		house_unset(h);
		house_set(h, cases[i].line);
		reload(h, OLD_STAYS);
		if (!house_has_heard(h, cases[i].log))
			fail_msg("%s: %s", cases[i].line, h->heard);
		assert_false(house_has_heard(h, "configuration reloaded"));
		assert_ptr_equal(h->bell->config, before);
		assert_ptr_equal(h->bell->screen->policy, policy);
		greets(h, HOUSE_TEASER);
	}
	/* Whoever mends it is heard. */
	house_unset(h);
	house_set(h, "doorbell_greet_banner = mended\n");
	reload(h, "configuration reloaded\n");
	greets(h, "220-mended\r\n");
}

static void
test_no_file_at_all(void **state)
{
	struct house *h = *state;

	house_open(h);
	assert_int_equal(unlink(scratch_path(&h->scratch, "etc/main.cf")), 0);
	reload(h, OLD_STAYS);
	assert_true(house_has_heard(h, "etc/main.cf: "));
	greets(h, HOUSE_TEASER);
}

/* A name server might have to be asked, and clients are waiting. */
static void
test_names_are_not_looked_up(void **state)
{
	struct house *h = *state;
	FILE *fp = fopen(scratch_path(&h->scratch, "etc/main.cf"), "r+e");
	char line[512];

	assert_non_null(fp);
	do
		assert_non_null(fgets(line, sizeof(line), fp));
	while (strncmp(line, "mynetworks", 10) != 0);
	assert_int_equal(fseek(fp, -(long)strlen(line), SEEK_CUR), 0);
	assert_true(fputs("#", fp) >= 0);
	assert_int_equal(fclose(fp), 0);
	house_set(h, "doorbell_access_list =\n");
	house_open(h);
	house_set(h, "inet_interfaces = name.test\n");
	reload(h, OLD_STAYS);
	assert_true(
	    house_has_heard(h, "names are looked up at the start only"));
	greets(h, HOUSE_TEASER);
}

static void
test_what_takes_a_restart(void **state)
{
	static const char *const names[] = {"doorbell_listen", "doorbell_user",
	    "doorbell_cache_map", "doorbell_control_socket",
	    "doorbell_control_group", "doorbell_http_listen",
	    "doorbell_sandbox", "queue_directory"};
	struct house *h = *state;
	char line[128];

	house_open(h);
	reload(h, "configuration reloaded\n");
	assert_false(house_has_heard(h, "restart"));
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		(void)snprintf(line, sizeof(line), "%s = %s\n", names[i],
		    strcmp(names[i], "doorbell_sandbox") == 0 ? "log" : "/new");
		house_set(h, line);
	}
	reload(h, "configuration reloaded\n");
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		(void)snprintf(line, sizeof(line),
		    "warning: %s has changed: restart to take it up\n",
		    names[i]);
		assert_true(house_has_heard(h, line));
	}
	/* And it was not taken up. */
	greets(h, HOUSE_TEASER);
	close(house_call_path(h, "control"));
	/* That is so until it is as it was. */
	reload(h, "configuration reloaded\n");
	assert_true(house_has_heard(h,
	    "warning: doorbell_listen has changed: restart to take it up\n"));
	house_unset(h);
	reload(h, "configuration reloaded\n");
	assert_false(house_has_heard(h, "restart"));
}

static void
test_the_log_changes(void **state)
{
	struct house *h = *state;
	const struct logsock *log;

	house_open(h);
	log = h->bell->logsock;
	reload(h, "postfix/doorbelld[");
	assert_ptr_equal(h->bell->logsock, log);
	house_set(h, "doorbell_log_format = json\n");
	reload(h, "\"event\":\"message\",\"text\":\"configuration reloaded\"");
	assert_ptr_equal(h->bell->logsock, log);
	house_unset(h);
	house_set(h, "doorbell_log_name = bell\n");
	h->bell->log_drops = 5;
	reload(h, "]: configuration reloaded\n");
	house_hears(h, "postfix/bell[");
	/* A new one has lost nothing yet. */
	assert_int_equal(h->bell->log_drops, 0);
	greets(h, HOUSE_TEASER);
	house_hears(h, "HANGUP");
	assert_false(house_has_heard(h, "doorbelld["));
}

/* But for how many clients there are. */
static const char *
told(struct house *h, int manager)
{
	const char *text;

	do
		text = house_manager_hears(h, manager);
	while (strncmp(text, "STATUS=", 7) == 0);
	return text;
}

static void
test_a_manager_is_told(void **state)
{
	struct house *h = *state;
	int manager = house_play_manager(h);

	house_open(h);
	assert_null(getenv("NOTIFY_SOCKET"));
	assert_non_null(strstr(told(h, manager), "READY=1\n"));
	/* A broken one comes to its end as well. */
	house_set(h, "doorbell_greet_action = perhaps\n");
	reload(h, OLD_STAYS);
	assert_non_null(
	    strstr(told(h, manager), "RELOADING=1\nMONOTONIC_USEC="));
	assert_string_equal(told(h, manager), "READY=1");
	close(manager);
}

static void
test_who_drains_reads_nothing(void **state)
{
	struct house *h = *state;

	house_open(h);
	h->bell->draining = true;
	assert_int_equal(kill(getpid(), SIGHUP), 0);
	house_turn(h);
	house_turn(h);
	assert_false(house_has_heard(h, "reloaded"));
}

/* --- tables ---------------------------------------------------------------- */
static void
set_table(struct house *h, const char *text, mode_t mode)
{
	const char *name = scratch_path(&h->scratch, "new");

	scratch_write(&h->scratch, "new", text, mode);
	assert_int_equal(rename(name, scratch_path(&h->scratch, "friends")), 0);
}

static void
open_with_table(struct house *h)
{
	char line[300];

	(void)snprintf(line, sizeof(line), "doorbell_access_list = cidr:%s\n",
	    scratch_path(&h->scratch, "friends"));
	house_set(h, line);
	set_table(h, "192.0.2.1 permit\n", 0600);
}

static void
look_at_tables(struct house *h, const char *log)
{
	house_forget(h);
	reload_tables(h->bell);
	house_hears(h, log);
}

static void
test_a_changed_table_is_taken_up(void **state)
{
	struct house *h = *state;
	uint64_t reloads, failures;
	int client;

	open_with_table(h);
	house_open(h);
	reloads = count(h, COUNTER_TABLE_RELOADS);
	failures = count(h, COUNTER_TABLE_FAILURES);
	greets(h, HOUSE_TEASER);
	reload_tables(h->bell);
	assert_int_equal(count(h, COUNTER_TABLE_RELOADS), reloads);
	set_table(h, "127.0.0.0/8 permit\n", 0600);
	look_at_tables(
	    h, "doorbell_access_list: a changed table was taken up\n");
	assert_int_equal(count(h, COUNTER_TABLE_RELOADS), reloads + 1);
	client = house_call(h);
	close(house_smtpd_takes(h));
	close(client);

	set_table(h, "127.0.0.0/8 permit\nthis is nothing\n", 0600);
	look_at_tables(h, "; the old contents stay in force\n");
	assert_true(house_has_heard(h, "warning: doorbell_access_list: "));
	assert_int_equal(unlink(scratch_path(&h->scratch, "friends")), 0);
	look_at_tables(h, "the file is gone; the old contents stay");
	assert_int_equal(count(h, COUNTER_TABLE_FAILURES), failures + 2);
	assert_int_equal(count(h, COUNTER_TABLE_RELOADS), reloads + 1);
	client = house_call(h);
	close(house_smtpd_takes(h));
	close(client);
}

static void
test_a_table_that_cannot_be_read_any_more(void **state)
{
	struct house *h = *state;

	open_with_table(h);
	house_open(h);
	set_table(h, "127.0.0.0/8 permit\n", 0);
	look_at_tables(h, "warning: doorbell_access_list: table cidr:/");
	assert_true(house_has_heard(h, "has changed: restart to take it up\n"));
	/* Said once. */
	house_forget(h);
	reload_tables(h->bell);
	assert_false(house_has_heard(h, "restart"));
	/* To a process on its way out it is the next one's. */
	h->bell->draining = true;
	set_table(h, "127.0.0.0/8 reject\n", 0);
	reload_tables(h->bell);
	assert_false(house_has_heard(h, "restart"));
	greets(h, HOUSE_TEASER);
}

/* Under master(8) the next process reads it: but no process leaves before the
 * client that started it was served. */
static void
test_a_service_leaves_for_a_table(void **state)
{
	struct house *h = *state;
	int channel = house_play_master(h), client;

	open_with_table(h);
	house_fork(h);
	house_serves(h);
	set_table(h, "127.0.0.0/8 permit\n", 0);
	house_hears(h, "has changed - finishing in the background\n");
	house_serves(h);
	client = house_enter(h);
	assert_int_equal(house_status_of(h, h->child), 0);
	assert_int_equal(house_call(h), -1);
	close(client);
	house_hears(h, "HANGUP");
	assert_int_not_equal(house_pid_of(h, "HANGUP"), h->child);
	assert_int_equal(house_children_end(h), 1);
	close(channel);
}

static void
test_no_watch_for_the_new_log(void **state)
{
	struct house *h = *state;

	house_open(h);
	house_set(h, "doorbell_log_name = bell\n");
	nth_call_arm(CALL_socket, 1, EMFILE);
	reload_config(h->bell);
	assert_int_equal(nth_call_disarm(), 1);
	/* Its lines wait until there is a socket again. */
	greets(h, HOUSE_TEASER);
	house_hears(h, "postfix/bell[");
	house_hears(h, "configuration reloaded\n");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(f) \
	cmocka_unit_test_setup_teardown(f, house_set_up, house_tear_down)
	    TEST(test_new_sessions_get_the_new_one),
	    TEST(test_a_wrong_one_changes_nothing),
	    TEST(test_no_file_at_all),
	    TEST(test_names_are_not_looked_up),
	    TEST(test_what_takes_a_restart),
	    TEST(test_the_log_changes),
	    TEST(test_a_manager_is_told),
	    TEST(test_who_drains_reads_nothing),
	    TEST(test_a_changed_table_is_taken_up),
	    TEST(test_a_table_that_cannot_be_read_any_more),
	    TEST(test_a_service_leaves_for_a_table),
	    TEST(test_no_watch_for_the_new_log),
	};

	return cmocka_run_group_tests(tests, house_move_in, house_move_out);
}
