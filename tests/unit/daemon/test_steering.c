/* SPDX-License-Identifier: ISC */
/* links: borrowed_fds given_config heard_log nth_call scratch sockets turn_loop */
#include "daemon/steering.h"

#include <errno.h>
#include <grp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "daemon/drain.h"
#include "daemon/reload.h"
#include "support/borrowed_fds.h"
#include "support/given_config.h"
#include "support/heard_log.h"
#include "support/nth_call.h"
#include "support/scratch.h"
#include "support/sockets.h"
#include "support/turn_loop.h"

/* A real loop, a real socket, and nobody to reload or to drain. */

static struct borrowed_fds borrowed;
static struct scratch scratch;
static struct options options;
static struct screen screen;
static struct doorbell d;

/* --- what it may set going ---------------------------------------------------------- */

static int client = -1; /* who asks */
static char done[64];   /* what was begun, a letter each */
static size_t heard_n;  /* of the answer */
static char heard[1024];

/* As much of the answer as is there; true when it has ended. */
static bool
hear(void)
{
	ssize_t n = recv(
	    client, heard + heard_n, sizeof(heard) - 1 - heard_n, MSG_DONTWAIT);

	if (n > 0)
		heard_n += (size_t)n;
	heard[heard_n] = '\0';
	return n == 0;
}

/* The answer is out when it begins: in capitals. */
static void
note(char letter)
{
	size_t n = strlen(done);

	if (client >= 0)
		(void)hear();
	if (heard_n > 0)
		letter = (char)(letter - 'a' + 'A');
	assert_true(n + 1 < sizeof(done));
	done[n] = letter;
	done[n + 1] = '\0';
}

void
reload_config(struct doorbell *bell)
{
	assert_ptr_equal(bell, &d);
	note('r');
}

void
drain_in_background(struct doorbell *bell)
{
	assert_ptr_equal(bell, &d);
	note('b');
}

void
drain_in_place(struct doorbell *bell)
{
	assert_ptr_equal(bell, &d);
	note('p');
}

/* --- a daemon with a control socket ---------------------------------------------------- */

static char socket_word[400], group_word[128];

static int
set_up(void **state)
{
	(void)state;
	borrowed_fds_begin(&borrowed);
	scratch_make(&scratch);
	(void)snprintf(socket_word, sizeof(socket_word),
	    "doorbell_control_socket=%s",
	    scratch_path(&scratch, "run/control"));
	(void)snprintf(
	    group_word, sizeof(group_word), "doorbell_control_group=");
	memset(&d, 0, sizeof(d));
	memset(&options, 0, sizeof(options));
	memset(done, 0, sizeof(done));
	client = -1;
	heard_n = 0;
	options.mode = OPTIONS_STANDALONE;
	options.verbose = 3;
	options.source.file = "/etc/doorbell.cf";
	d.options = &options;
	d.screen = &screen;
	screen.quota = quota_new();
	assert_non_null(screen.quota);
	d.systemd.notify_fd = -1;
	heard_log_begin();
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	if (client >= 0)
		close(client);
	steering_stop(&d);
	loop_free(&d.loop);
	quota_free(&screen.quota);
	config_unref(&d.config);
	heard_log_end();
	scratch_remove(&scratch);
	borrowed_fds_end(&borrowed);
	return 0;
}

static void
open_steering(void)
{
	const char *const words[] = {socket_word, group_word, NULL};

	config_unref(&d.config);
	d.config = given_config(words);
	steering_open(&d, (struct mono){0});
}

static void
start_steering(void)
{
	d.loop = loop_new();
	assert_non_null(d.loop);
	steering_start(&d);
}

static void
ask(const char *line)
{
	if (client >= 0)
		close(client);
	heard_n = 0;
	client = sockets_call(scratch_path(&scratch, "run/control"));
	assert_true(client >= 0);
	sockets_say(client, line);
}

/* The answer, whole. */
static const char *
answer_to(const char *line)
{
	ask(line);
	for (int i = 0; i < 20000; i++) {
		turn_loop(d.loop, 1);
		if (hear())
			return heard;
	}
	fail_msg("no answer to %s", line);
	return NULL;
}

/* --- what the parameters may be ------------------------------------------------------ */

static void
test_check(void **state)
{
	static const struct {
		const char *name, *path, *group, *why;
	} cases[] = {
	    {"none", "", "", ""},
	    {"a path", "/run/doorbell/control", "", ""},
	    {"a group", "/run/doorbell/control", "root", ""},
	    {"relative", "run/control", "",
		"doorbell_control_socket = run/control: not an absolute path"
		" of less than 104 bytes"},
	    {"103 bytes",
		"/1234567890123456789012345678901234567890123456789012345"
		"67890123456789012345678901234567890123456789012",
		"", ""},
	    {"104 bytes",
		"/1234567890123456789012345678901234567890123456789012345"
		"678901234567890123456789012345678901234567890123",
		"",
		"doorbell_control_socket = /123456789012345678901234567890"
		"1234567890123456789012345678901234567890123456789012345678"
		"901234567890123: not an absolute path of less than 104"
		" bytes"},
	    {"no such group", "", "nobody-of-us",
		"doorbell_control_group = nobody-of-us: there is no such"
		" group"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		char path[256], group[64];
		const char *const words[] = {path, group, NULL};
		struct errtext why = {""};
		struct config_set *config;
		int rc;

		(void)snprintf(path, sizeof(path), "doorbell_control_socket=%s",
		    cases[i].path);
		(void)snprintf(group, sizeof(group),
		    "doorbell_control_group=%s", cases[i].group);
		config = given_config(words);
		rc = steering_check(config_under(config, false), &why);
		if ((rc < 0) != (cases[i].why[0] != '\0') ||
		    strcmp(why.text, cases[i].why) != 0)
			fail_msg("%s: %s", cases[i].name, why.text);
		config_unref(&config);
	}
}

/* --- the socket ------------------------------------------------------------------------ */

static void
test_socket_is_made(void **state)
{
	const struct group *ours = getgrgid(getegid());
	struct stat st;

	(void)state;
	if (ours != NULL)
		(void)snprintf(group_word, sizeof(group_word),
		    "doorbell_control_group=%s", ours->gr_name);
	open_steering();
	assert_string_equal(heard_log(), "");
	assert_non_null(d.control_socket);
	assert_int_equal(stat(scratch_path(&scratch, "run"), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0755);
	assert_int_equal(stat(scratch_path(&scratch, "run/control"), &st), 0);
	assert_true(S_ISSOCK(st.st_mode));
	assert_int_equal(st.st_mode & 07777, 0660);
	assert_int_equal(st.st_gid, getegid());
}

/* As root it can be another group than ours. */
static void
test_socket_has_its_group(void **state)
{
	const struct group *other = getgrnam("nogroup");
	struct stat st;

	(void)state;
	if (geteuid() != 0 || other == NULL)
		skip();
	(void)snprintf(
	    group_word, sizeof(group_word), "doorbell_control_group=nogroup");
	open_steering();
	assert_int_equal(stat(scratch_path(&scratch, "run/control"), &st), 0);
	assert_int_equal(st.st_gid, other->gr_gid);
}

static void
test_no_socket_is_wanted(void **state)
{
	(void)state;
	(void)snprintf(
	    socket_word, sizeof(socket_word), "doorbell_control_socket=");
	open_steering();
	assert_null(d.control_socket);
	start_steering();
	assert_null(d.control.local);
	assert_string_equal(heard_log(), "");
}

/* Nobody's mail waits for it: a warning, and on it goes. */
static void
test_socket_cannot_be_made(void **state)
{
	char want[1024];

	(void)state;
	scratch_write(&scratch, "run", "a file", 0600);
	open_steering();
	assert_null(d.control_socket);
	(void)snprintf(want, sizeof(want),
	    "warning: control socket: %s: cannot lock it: Not a directory; "
	    "going"
	    " on without it\n",
	    scratch_path(&scratch, "run/control"));
	assert_string_equal(heard_log(), want);
	start_steering();
	assert_null(d.control.local);
	assert_string_equal(heard_log(), "");
}

/* It would be somewhere else after each change of the working directory. */
static void
test_path_is_relative(void **state)
{
	(void)state;
	(void)snprintf(socket_word, sizeof(socket_word),
	    "doorbell_control_socket=test_steering.socket");
	open_steering();
	assert_null(d.control_socket);
	assert_string_equal(heard_log(),
	    "warning: control socket: doorbell_control_socket ="
	    " test_steering.socket: not an absolute path of less than 104"
	    " bytes; going on without it\n");
}

static void
test_group_is_gone(void **state)
{
	struct stat st;

	(void)state;
	(void)snprintf(group_word, sizeof(group_word),
	    "doorbell_control_group=nobody-of-us");
	open_steering();
	assert_null(d.control_socket);
	assert_string_equal(heard_log(),
	    "warning: control socket: doorbell_control_group ="
	    " nobody-of-us: there is no such group; going on without it\n");
	/* Rather none than one for the wrong people. */
	assert_int_equal(stat(scratch_path(&scratch, "run/control"), &st), -1);
}

static void
test_somebody_else_has_it(void **state)
{
	struct local *first;
	char want[1024];

	(void)state;
	open_steering();
	first = d.control_socket;
	d.control_socket = NULL;
	open_steering();
	assert_null(d.control_socket);
	(void)snprintf(want, sizeof(want),
	    "warning: control socket: %s: cannot take it over: Address already"
	    " in use; going on without it\n",
	    scratch_path(&scratch, "run/control"));
	assert_string_equal(heard_log(), want);
	local_close(&first);
	/* What nobody has open is no obstacle. */
	open_steering();
	assert_non_null(d.control_socket);
}

static void
test_managers_socket_is_taken(void **state)
{
	static char names[] = "smtp:control";
	int fd = sockets_bind(scratch_path(&scratch, "given"), SOCK_STREAM);
	struct stat st;

	(void)state;
	assert_int_equal(listen(fd, 1), 0);
	borrowed_fds_put(fd, 4);
	d.systemd.sockets = 2;
	d.systemd.names = names;
	open_steering();
	assert_non_null(d.control_socket);
	assert_string_equal(heard_log(), "");
	/* The parameter is not looked at. */
	assert_int_equal(stat(scratch_path(&scratch, "run"), &st), -1);
}

static void
test_managers_socket_is_none(void **state)
{
	static char names[] = "control";
	const char *said;
	int ends[2];

	(void)state;
	assert_int_equal(pipe(ends), 0);
	borrowed_fds_put(ends[0], 3);
	close(ends[1]);
	d.systemd.sockets = 1;
	d.systemd.names = names;
	open_steering();
	assert_null(d.control_socket);
	said = heard_log();
	assert_int_equal(strncmp(said, "warning: control socket: ", 25), 0);
	assert_non_null(strstr(said, "; going on without it\n"));
}

/* --- questions ------------------------------------------------------------------------ */

#define DONE "doorbell 1 0 "
#define ONLY_JUST_BEGUN \
	"{\"error\":\"doorbelld has only just begun: try again\"}"

static void
test_what_is_asked_is_begun(void **state)
{
	static const struct {
		const char *name, *line;
		enum options_mode mode;
		bool introduced, draining;
		const char *header, *body, *done;
	} cases[] = {
	    {"reload", "reload\n", OPTIONS_STANDALONE, false, false, DONE,
		"{\"reloading\":true}", "R"},
	    {"drain", "drain\n", OPTIONS_STANDALONE, false, false, DONE,
		"{\"sessions\":0}", "P"},
	    {"reload under master", "reload\n", OPTIONS_SERVICE, true, false,
		DONE, "{\"reloading\":true}", "B"},
	    {"drain under master", "drain\n", OPTIONS_SERVICE, true, false,
		DONE, "{\"sessions\":0}", "B"},
	    {"reload before the first client", "reload\n", OPTIONS_SERVICE,
		false, false, "doorbell 1 1 ", ONLY_JUST_BEGUN, ""},
	    {"drain before the first client", "drain\n", OPTIONS_SERVICE, false,
		false, "doorbell 1 1 ", ONLY_JUST_BEGUN, ""},
	    {"reload while it drains", "reload\n", OPTIONS_STANDALONE, true,
		true, DONE, "{\"reloading\":true}", ""},
	    {"drain while it drains", "drain\n", OPTIONS_STANDALONE, true, true,
		DONE, "{\"sessions\":0}", ""},
	    {"reload of a draining service", "reload\n", OPTIONS_SERVICE, true,
		true, DONE, "{\"reloading\":true}", ""},
	    {"drain of a draining service", "drain\n", OPTIONS_SERVICE, true,
		true, DONE, "{\"sessions\":0}", ""},
	};

	(void)state;
	open_steering();
	start_steering();
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		const char *answer, *body;

		options.mode = cases[i].mode;
		d.channel.introduced = cases[i].introduced;
		d.draining = cases[i].draining;
		done[0] = '\0';
		answer = answer_to(cases[i].line);
		turn_loop(d.loop, 1);
		body = strchr(answer, '\n');
		if (strncmp(answer, cases[i].header, strlen(cases[i].header)) !=
			0 ||
		    body == NULL ||
		    strncmp(body + 1, cases[i].body, strlen(cases[i].body)) !=
			0 ||
		    strcmp(done, cases[i].done) != 0)
			fail_msg("%s: \"%s\": %s", cases[i].name, done, answer);
	}
}

static void
test_asked_twice_is_begun_once(void **state)
{
	struct errtext why;

	(void)state;
	open_steering();
	start_steering();
	assert_int_equal(d.host.reload(&d, &why), 0);
	assert_int_equal(d.host.reload(&d, &why), 0);
	assert_int_equal(d.host.drain(&d, &why), 0);
	assert_string_equal(done, "");
	turn_loop(d.loop, 1);
	assert_string_equal(done, "rp");
	turn_loop(d.loop, 1);
	assert_string_equal(done, "rp");
}

static void
test_who_answers(void **state)
{
	const char *answer;

	(void)state;
	open_steering();
	start_steering();
	assert_string_equal(d.host.mode, "standalone");
	assert_string_equal(d.host.config, "/etc/doorbell.cf");
	assert_int_equal(d.host.log_level, 3);
	assert_in_range(clock_wall().s - d.host.since.s, 0, 60);
	assert_in_range(
	    mono_between(d.host.since_mono, clock_mono()), 0, 60000);
	answer = answer_to("log-level\n");
	assert_non_null(strstr(answer, "\"log_level\":3"));
	options.mode = OPTIONS_SERVICE;
	options.source.directory = "/etc/postfix";
	steering_stop(&d);
	steering_start(&d);
	assert_string_equal(d.host.mode, "service");
	assert_string_equal(d.host.config, "/etc/postfix");
}

/* --- the end -------------------------------------------------------------------------- */

static void
test_stop_forgets_what_was_asked(void **state)
{
	struct errtext why;

	(void)state;
	open_steering();
	start_steering();
	assert_int_equal(d.host.reload(&d, &why), 0);
	assert_int_equal(d.host.drain(&d, &why), 0);
	steering_stop(&d);
	steering_stop(&d);
	turn_loop(d.loop, 1);
	assert_string_equal(done, "");
	/* Another process may have it now. */
	assert_int_equal(
	    sockets_call(scratch_path(&scratch, "run/control")), -1);
	assert_int_equal(errno, ECONNREFUSED);
}

static void
say_nothing(int severity, const char *text)
{
	(void)severity;
	(void)text;
}

static void
test_it_cannot_listen(void **state)
{
	(void)state;
	open_steering();
	d.loop = loop_new();
	loop_set_voice(say_nothing);
	nth_call_arm(CALL_epoll_ctl, 1, ENOMEM);
	steering_start(&d);
	(void)nth_call_disarm();
	loop_set_voice(NULL);
	assert_string_equal(heard_log(),
	    "warning: control socket: Cannot allocate memory; going on without"
	    " it\n");
	assert_null(d.control.local);
	steering_stop(&d);
	assert_null(d.control_socket);
	assert_int_equal(
	    sockets_call(scratch_path(&scratch, "run/control")), -1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_check),
	    TEST(test_socket_is_made),
	    TEST(test_socket_has_its_group),
	    TEST(test_no_socket_is_wanted),
	    TEST(test_socket_cannot_be_made),
	    TEST(test_path_is_relative),
	    TEST(test_group_is_gone),
	    TEST(test_somebody_else_has_it),
	    TEST(test_managers_socket_is_taken),
	    TEST(test_managers_socket_is_none),
	    TEST(test_what_is_asked_is_begun),
	    TEST(test_asked_twice_is_begun_once),
	    TEST(test_who_answers),
	    TEST(test_stop_forgets_what_was_asked),
	    TEST(test_it_cannot_listen),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
