/* SPDX-License-Identifier: ISC */
/* links: house scratch nth_call catch_output sockets given_addr */
#include "daemon/context.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/log.h"
#include "daemon/sandbox.h"
#include "daemon/watchdog.h"
#include "support/catch_output.h"
#include "support/house.h"
#include "support/nth_call.h"
#include "support/sockets.h"

static uint64_t
count(const struct house *h, enum counter which)
{
	return counters_read(h->bell->counters, which);
}

static bool
holds(struct house *h, void *arg)
{
	const size_t *n = arg;

	return screen_session_count(h->bell->screen) == *n;
}

static void
wait_for_sessions(struct house *h, size_t n)
{
	assert_true(house_wait(h, holds, &n));
}

static void
test_a_stranger_is_greeted(void **state)
{
	struct house *h = *state;
	int client;

	house_open(h);
	house_hears(h, "doorbelld " DOORBELL_VERSION " starting standalone\n");
	client = house_enter(h);
	house_hears(h, "CONNECT from [127.0.0.1]:");
	assert_int_equal(screen_session_count(h->bell->screen), 1);
	assert_int_equal(count(h, COUNTER_CONNECTIONS), 1);
	close(client);
	wait_for_sessions(h, 0);
	house_hears(h, "HANGUP after");
	assert_false(house_has_heard(h, "warning"));
	house_close(h);
	assert_int_equal(house_call(h), -1);
}

static void
test_a_friend_is_handed_to_smtpd(void **state)
{
	struct house *h = *state;
	int client, there;

	house_set(h, "doorbell_access_list = static:permit\n");
	house_open(h);
	client = house_call(h);
	there = house_smtpd_takes(h);
	sockets_say(there, "220 at your service\r\n");
	house_client_hears(h, client, "220 at your service\r\n");
	wait_for_sessions(h, 0);
	house_hears(h, "ALLOWLISTED [127.0.0.1]:");
	house_close(h);
	/* smtpd's connection is not ours to end. */
	sockets_say(there, "221 Bye\r\n");
	house_client_hears(h, client, "221 Bye\r\n");
	close(there);
	close(client);
}

/* --- what cannot be -------------------------------------------------------- */
static void
test_wrong_configurations(void **state)
{
	static const struct {
		const char *line, *log;
	} cases[] = {
	    {"doorbell_greet_action = perhaps\n",
		"etc/doorbell.cf:6: doorbell_greet_action"},
	    {"doorbell_greet_action = perhaps\n",
		"the configuration has errors"},
	    {"queue_directory = /nowhere/at/all\n",
		"queue_directory /nowhere/at/all: No such file"},
	    {"syslog_facility = choir\n",
		"etc/doorbell.cf:6: syslog_facility = choir: unknown"},
	    {"doorbell_user = no-such-user\n", "user no-such-user: unknown"},
	    {"doorbell_user = root\n", "cannot become user root"},
	    {"doorbell_cache_map = btree:/tmp/pass\n",
		"etc/doorbell.cf:6: doorbell_cache_map = btree:/tmp/pass: only"
		" lmdb:/path can be a cache"},
	    {"doorbell_listen = nobody\n",
		"etc/doorbell.cf:6: doorbell_listen: \"nobody\" is not"},
	    {"doorbell_dnsbl_sites = bl.test*\n",
		"etc/doorbell.cf:6: doorbell_dnsbl_sites"},
	    {"doorbell_listen = inet:192.0.2.1:25\n",
		"192.0.2.1]:25: cannot bind: Cannot assign requested address"},
	};
	struct house *h = *state;
	struct caught caught;
	struct errtext why;

	h->options.foreground = true;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct doorbell *bell;

		house_unset(h);
		house_set(h, cases[i].line);
		catch_begin(&caught);
		bell = context_new(&h->options, &why);
		catch_end(&caught);
		assert_null(bell);
		assert_true(why.text[0] != '\0');
		if (strstr(caught.err, cases[i].log) == NULL)
			fail_msg("%s: %s", cases[i].line, caught.err);
		catch_clear(&caught);
	}
}

static void
test_a_taken_port(void **state)
{
	struct house *h = *state;
	struct doorbell *second;
	struct errtext why;

	house_open(h);
	second = context_new(&h->options, &why);
	assert_null(second);
	assert_non_null(
	    strstr(why.text, "cannot bind: Address already in use"));
	/* A process has one of these. */
	log_set_sink(logsock_write, h->bell->logsock);
	watchdog_begin(&h->bell->logsock);
	/* Who was there before is still there. */
	close(house_call(h));
	house_hears(h, "HANGUP");
}

static void
test_words_of_the_environment(void **state)
{
	struct house *h = *state;
	struct errtext why;

	assert_int_equal(setenv("NOTIFY_SOCKET", "nowhere", 1), 0);
	h->bell = context_new(&h->options, &why);
	assert_null(h->bell);
	assert_string_equal(
	    why.text, "NOTIFY_SOCKET=nowhere: not a Unix socket");
	/* It was taken out of the environment. */
	house_open(h);
}

static void
test_no_new_root_without_rights(void **state)
{
	struct house *h = *state;
	struct errtext why;

	h->options.chroot = true;
	h->bell = context_new(&h->options, &why);
	assert_null(h->bell);
	house_hears(h, "error: chroot to the queue directory: ");
	assert_int_equal(house_call(h), -1);
}

/* --- without what is nice to have ------------------------------------------ */
static void
test_without_a_cache(void **state)
{
	struct house *h = *state;
	int client;

	house_set(h, "doorbell_cache_map =\n");
	house_open(h);
	assert_null(h->bell->cache);
	client = house_enter(h);
	close(client);
	wait_for_sessions(h, 0);
	assert_false(house_has_heard(h, "warning"));
}

static void
test_a_directory_that_is_not_ours(void **state)
{
	struct house *h = *state;

	assert_int_equal(chmod(scratch_path(&h->scratch, "data"), 0500), 0);
	house_open(h);
	house_hears(h, "warning: counters: ");
	house_hears(h, "; they begin at 0\n");
	house_hears(h, "warning: cache: ");
	assert_false(cache_is_usable(h->bell->cache));
	close(house_call(h));
	house_hears(h, "HANGUP");
	assert_int_equal(count(h, COUNTER_CONNECTIONS), 1);
	assert_int_equal(chmod(scratch_path(&h->scratch, "data"), 0700), 0);
}

static void
test_no_thread_for_the_cache(void **state)
{
	struct house *h = *state;

	nth_call_arm(CALL_pthread_create, 1, EAGAIN);
	house_open(h);
	assert_int_equal(nth_call_disarm(), 1);
	house_hears(h, "warning: cache: cannot start the cache writer: ");
	house_hears(h, "; going on without it\n");
	close(house_call(h));
	house_hears(h, "HANGUP");
}

/* --- rules made by hand ---------------------------------------------------- */
static const struct addr crook = {
    .family = ADDR_IPV4, .bytes = {203, 0, 113, 9}};

static void
test_rules_outlive_the_process(void **state)
{
	struct house *h = *state;
	struct rule rule = {.until = {RULE_FOR_GOOD}, .note = "a crook"};
	struct cache_note note;
	struct errtext why;

	rule.block = (struct addr_block){.base = crook, .bits = 32};
	house_open(h);
	rules_encode(&rule, &note);
	assert_int_equal(cache_keep_note(h->bell->cache, &note), 0);
	/* What a later release might have written. */
	rule.block.base.bytes[3]++;
	rules_encode(&rule, &note);
	note.bytes[0]++;
	assert_int_equal(cache_keep_note(h->bell->cache, &note), 0);
	house_close(h);

	h->bell = context_new(&h->options, &why);
	assert_non_null(h->bell);
	assert_int_equal(rules_count(h->bell->rules), 1);
	assert_string_equal(
	    rules_find(h->bell->rules, &crook, clock_wall())->note, "a crook");
	house_close(h);
	assert_false(house_has_heard(h, "warning"));
}

/* --- the end --------------------------------------------------------------- */
/* The cache is being written by then. */
static void
test_signals_do_not_disturb_the_end(void **state)
{
	static const int numbers[] = {SIGHUP, SIGTERM, SIGINT};
	struct house *h = *state;
	struct sigaction is;

	house_open(h);
	context_free(&h->bell);
	assert_null(h->bell);
	for (size_t i = 0; i < sizeof(numbers) / sizeof(*numbers); i++) {
		assert_int_equal(sigaction(numbers[i], NULL, &is), 0);
		assert_true(is.sa_handler == SIG_IGN);
	}
}

/* --- accepting ------------------------------------------------------------- */
static void
test_a_full_house_rests(void **state)
{
	struct house *h = *state;
	size_t many;
	int first, second;

	house_open(h);
	many = h->bell->screen->policy->session_ceiling;
	h->bell->screen->policy->session_ceiling = 1;
	first = house_enter(h);
	house_hears(h, "warning: accepting connections rests for a moment: as"
		       " many sessions as the descriptor limit allows\n");
	assert_int_equal(count(h, COUNTER_ACCEPT_PAUSES), 1);
	second = house_call(h);
	assert_int_equal(loop_timer_start(&h->bell->rest, 0), 0);
	house_turn(h);
	/* Still full: it goes on to rest. */
	assert_true(loop_timer_is_running(&h->bell->rest));
	assert_int_equal(screen_session_count(h->bell->screen), 1);
	h->bell->screen->policy->session_ceiling = many;
	assert_int_equal(loop_timer_start(&h->bell->rest, 0), 0);
	house_client_hears(h, second, HOUSE_TEASER);
	assert_false(loop_timer_is_running(&h->bell->rest));
	assert_int_equal(screen_session_count(h->bell->screen), 2);
	close(first);
	close(second);
	wait_for_sessions(h, 0);
}

/* Rest, when not even a watch can be had. */
static void
test_a_rest_that_is_not_the_last(void **state)
{
	struct house *h = *state;

	house_open(h);
	listeners_stop(&h->bell->listeners);
	nth_call_arm(CALL_epoll_ctl, 1, ENOMEM);
	assert_int_equal(loop_timer_start(&h->bell->rest, 0), 0);
	house_turn(h);
	assert_true(nth_call_disarm() > 0);
	assert_true(loop_timer_is_running(&h->bell->rest));
	assert_int_equal(loop_timer_start(&h->bell->rest, 0), 0);
	close(house_call(h));
	house_hears(h, "HANGUP");
}

static void
test_accepting_fails(void **state)
{
	static const struct {
		int error;
		const char *log;
	} cases[] = {
	    {EMFILE, "rests for a moment: Too many open files"},
	    {ENOMEM, "rests for a moment: Cannot allocate memory"},
	    {ECONNABORTED, NULL},
	};
	struct house *h = *state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		uint64_t errors, pauses;
		int client;

		house_open(h);
		errors = count(h, COUNTER_ACCEPT_ERRORS);
		pauses = count(h, COUNTER_ACCEPT_PAUSES);
		nth_call_arm(CALL_accept4, 1, cases[i].error);
		client = house_enter(h);
		(void)nth_call_disarm();
		assert_int_equal(count(h, COUNTER_ACCEPT_ERRORS), errors + 1);
		assert_int_equal(count(h, COUNTER_ACCEPT_PAUSES),
		    pauses + (cases[i].log != NULL));
		if (cases[i].log != NULL)
			house_hears(h, cases[i].log);
		else
			assert_false(house_has_heard(h, "rests"));
		close(client);
		house_close(h);
		house_forget(h);
	}
}

/* --- calls that fail ------------------------------------------------------- */
/* The call whose turn it is fails, and all is well in spite of it, or the log
 * says why not. How many of these calls there were. */
static uint32_t
start_with_fault(struct house *h, enum nth_call call, uint32_t at, int error)
{
	struct errtext why = {""};
	uint32_t calls;
	bool serves;

	nth_call_arm(call, at, error);
	h->bell = context_new(&h->options, &why);
	serves = h->bell != NULL && context_start(h->bell, &why) == 0;
	calls = nth_call_disarm();
	if (serves) {
		close(house_call(h));
		house_hears(h, "HANGUP");
	} else {
		assert_string_not_equal(why.text, "");
	}
	house_close(h);
	assert_int_equal(house_call(h), -1);
	house_forget(h);
	return calls;
}

static void
test_each_call_of_the_start_fails(void **state)
{
	static const struct {
		enum nth_call call;
		int error;
	} faults[] = {
	    {CALL_epoll_ctl, ENOMEM},
	    {CALL_socket, EMFILE},
	    {CALL_bind, EADDRINUSE},
	    {CALL_mmap, ENOMEM},
	    {CALL_open, EMFILE},
	};
	struct house *h = *state;

	for (size_t i = 0; i < sizeof(faults) / sizeof(*faults); i++) {
		uint32_t at = 1;

		while (start_with_fault(
			   h, faults[i].call, at, faults[i].error) >= at)
			at++;
		assert_true(at > 1);
	}
}

/* Of the libraries; for our own see test_context_memory. */
static void
test_no_memory_for_libraries(void **state)
{
#ifdef NTH_CALL_HAS_MALLOC
	static const enum nth_call calls[] = {CALL_malloc, CALL_realloc};
	struct house *h = *state;

	for (size_t i = 0; i < sizeof(calls) / sizeof(*calls); i++) {
		uint32_t at = 1;

		/* (valgrind's cannot be made to fail: once) */
		while (start_with_fault(h, calls[i], at, ENOMEM) >= at)
			at++;
	}
#else
	(void)state;
	skip();
#endif
}

static void
test_polling_breaks(void **state)
{
	struct house *h = *state;

	house_open(h);
	nth_call_arm(CALL_epoll_wait, 1, EBADF);
	assert_int_equal(context_run(h->bell), 1);
	(void)nth_call_disarm();
	house_hears(h, "error: event loop: Bad file descriptor\n");
}

static void
test_the_sandbox_is_entered(void **state)
{
	struct house *h = *state;
	char name[32], line[128];
	bool is_in = false;
	FILE *fp;

	house_set(h, "doorbell_sandbox = yes\n");
	house_fork(h);
	house_hears(h, "starting");
	close(house_call_soon(h));
	house_hears(h, "HANGUP");
	(void)snprintf(name, sizeof(name), "/proc/%d/status", (int)h->child);
	fp = fopen(name, "re");
	assert_non_null(fp);
	while (fgets(line, sizeof(line), fp) != NULL)
		is_in = is_in || strcmp(line, "Seccomp:\t2\n") == 0;
	(void)fclose(fp);
	assert_int_equal(is_in, !sandbox_is_watched());
	assert_false(house_has_heard(h, "warning"));
}

/* --- sockets from a manager ------------------------------------------------ */
static void
test_a_socket_is_given(void **state)
{
	struct house *h = *state;
	int client;

	house_set(h, "doorbell_listen = inet:192.0.2.1:25\n");
	h->given[h->given_count++] = house_listener(h, h->port);
	assert_int_equal(setenv("LISTEN_FDS", "1", 1), 0);
	house_fork(h);
	assert_int_equal(unsetenv("LISTEN_FDS"), 0);
	client = house_enter(h);
	close(client);
}

static void
test_what_is_given_is_no_door(void **state)
{
	struct house *h = *state;

	h->given[h->given_count++] = open("/dev/null", O_RDWR | O_CLOEXEC);
	assert_int_equal(setenv("LISTEN_FDS", "1", 1), 0);
	house_fork(h);
	assert_int_equal(unsetenv("LISTEN_FDS"), 0);
	assert_int_equal(house_status_of(h, h->child), 9);
	house_hears(h, "error: descriptor 3: not a usable listening socket: ");
}

/* --- under master(8) ------------------------------------------------------- */
static void
test_what_master_must_have_given(void **state)
{
	static const struct {
		bool alone, unprivileged;
		int sockets;
		const char *text;
	} cases[] = {
	    {false, true, 1, "master.cf: the maxproc field"},
	    {true, false, 1, "master.cf: the unpriv field"},
	    {true, true, 5000, "(this command line is for master(8))"},
	};
	struct house *h = *state;
	struct errtext why;

	h->options.mode = OPTIONS_SERVICE;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		h->options.alone = cases[i].alone;
		h->options.unprivileged = cases[i].unprivileged;
		h->options.sockets = cases[i].sockets;
		h->bell = context_new(&h->options, &why);
		assert_null(h->bell);
		assert_non_null(strstr(why.text, cases[i].text));
	}
}

static void
test_a_service(void **state)
{
	struct house *h = *state;
	unsigned char status[2 * POSTFIX_STATUS_BYTES], want[sizeof(status)];
	int channel = house_play_master(h), client;

	house_fork(h);
	house_hears(h,
	    "doorbelld " DOORBELL_VERSION " starting as a Postfix service\n");
	house_hears(h, "postfix/postscreen[");
	assert_int_equal(
	    recv(channel, status, sizeof(status), MSG_DONTWAIT), -1);
	client = house_enter(h);
	postfix_encode_status(want, h->child, 017, POSTFIX_TAKEN);
	postfix_encode_status(
	    want + POSTFIX_STATUS_BYTES, h->child, 017, POSTFIX_AVAILABLE);
	assert_int_equal(
	    recv(channel, status, sizeof(status), MSG_WAITALL), sizeof(status));
	assert_memory_equal(status, want, sizeof(want));
	/* It is said once. */
	close(client);
	client = house_enter(h);
	assert_int_equal(
	    recv(channel, status, sizeof(status), MSG_DONTWAIT), -1);
	close(client);
	close(channel);
}

static void
test_a_generation_that_is_none(void **state)
{
	struct house *h = *state;
	int channel = house_play_master(h);

	assert_int_equal(setenv("GENERATION", "9", 1), 0);
	house_fork(h);
	assert_int_equal(house_status_of(h, h->child), 9);
	house_hears(h, "error: GENERATION in the environment: ");
	close(channel);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(f) \
	cmocka_unit_test_setup_teardown(f, house_set_up, house_tear_down)
	    TEST(test_a_stranger_is_greeted),
	    TEST(test_a_friend_is_handed_to_smtpd),
	    TEST(test_wrong_configurations),
	    TEST(test_a_taken_port),
	    TEST(test_words_of_the_environment),
	    TEST(test_no_new_root_without_rights),
	    TEST(test_without_a_cache),
	    TEST(test_a_directory_that_is_not_ours),
	    TEST(test_no_thread_for_the_cache),
	    TEST(test_rules_outlive_the_process),
	    TEST(test_signals_do_not_disturb_the_end),
	    TEST(test_a_full_house_rests),
	    TEST(test_a_rest_that_is_not_the_last),
	    TEST(test_accepting_fails),
	    TEST(test_each_call_of_the_start_fails),
	    TEST(test_no_memory_for_libraries),
	    TEST(test_polling_breaks),
	    TEST(test_the_sandbox_is_entered),
	    TEST(test_a_socket_is_given),
	    TEST(test_what_is_given_is_no_door),
	    TEST(test_what_master_must_have_given),
	    TEST(test_a_service),
	    TEST(test_a_generation_that_is_none),
	};

	return cmocka_run_group_tests(tests, house_move_in, house_move_out);
}
