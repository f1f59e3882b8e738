/* SPDX-License-Identifier: ISC */
/* links: borrowed_fds fake_clock fake_loop fake_mem */
/* clang-format off */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
/* clang-format on */

#include "daemon/systemd.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/addr.h"
#include "support/borrowed_fds.h"
#include "support/fake_clock.h"
#include "support/fake_loop.h"
#include "support/fake_mem.h"

/* The end of NOTIFY_SOCKET that a manager has, in the abstract space. */
static int
manager_new(void)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	char name[64];
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	int n = snprintf(name, sizeof(name), "@doorbell-test-%d", getpid());

	assert_true(fd >= 0 && n > 0);
	memcpy(sa.sun_path, name, (size_t)n);
	sa.sun_path[0] = '\0';
	assert_int_equal(
	    bind(fd, (struct sockaddr *)&sa,
		(socklen_t)(offsetof(struct sockaddr_un, sun_path) +
			    (size_t)n)),
	    0);
	setenv("NOTIFY_SOCKET", name, 1);
	return fd;
}

static void
advance(struct loop *loop, int64_t ms)
{
	fake_loop_advance_to(loop, mono_after(loop_now(loop), ms));
}

/* The next message, "" when there is none. */
static const char *
heard(int fd, char text[256])
{
	ssize_t n = recv(fd, text, 255, 0);

	text[n > 0 ? n : 0] = '\0';
	return text;
}

static void
test_nobody_is_there(void **state)
{
	struct systemd s = {0};
	struct errtext why;

	(void)state;
	assert_int_equal(systemd_begin(&s, &why), 0);
	assert_false(systemd_is_there(&s));
	assert_int_equal(s.sockets, 0);
	systemd_ready(&s, NULL);
	systemd_reloading(&s);
	systemd_tell(&s, 1, false);
	systemd_leave(&s);
	systemd_leave(&s);
}

static void
test_never_begun(void **state)
{
	struct systemd s = {0};

	(void)state;
	assert_false(systemd_is_there(&s));
	systemd_stopping(&s);
	systemd_leave(&s);
}

static void
test_sockets_by_name(void **state)
{
	static const struct {
		const char *names, *name;
		size_t sockets;
		int want[3]; /* descriptors, up to 0 */
	} cases[] = {
	    {"smtp:control:smtp", NULL, 3, {3, 5}},
	    {"smtp:control:smtp", "control", 3, {4}},
	    {"smtp:control:smtp", "smtp", 3, {3, 5}},
	    {"smtp:control:smtp", "smtp", 2, {3}},
	    {"control", NULL, 1, {0}},
	    {"controls", NULL, 1, {3}},
	    {"x:", NULL, 3, {3, 4, 5}},
	    {"::control", "control", 3, {5}},
	    {"", NULL, 1, {3}},
	    {NULL, NULL, 2, {3, 4}},
	    {NULL, "control", 2, {0}},
	    {NULL, NULL, 0, {0}},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		char names[32] = "";
		struct systemd s = {.sockets = cases[i].sockets};
		size_t number = 0;

		if (cases[i].names != NULL) {
			(void)snprintf(
			    names, sizeof(names), "%s", cases[i].names);
			s.names = names;
		}
		for (size_t k = 0; k < 3; k++) {
			int want = cases[i].want[k];
			int got = systemd_socket(&s, cases[i].name, &number);

			if (got != (want == 0 ? -1 : want))
				fail_msg("%zu: %s in %s: %d", i, cases[i].name,
				    cases[i].names, got);
		}
	}
}

static void
test_pulse(void **state)
{
	struct loop *loop = loop_new();
	struct systemd s = {0};
	struct errtext why;
	char text[256];
	int fd = manager_new();

	(void)state;
	setenv("WATCHDOG_USEC", "3000000", 1);
	assert_int_equal(systemd_begin(&s, &why), 0);
	assert_null(getenv("NOTIFY_SOCKET"));
	assert_null(getenv("WATCHDOG_USEC"));
	systemd_ready(&s, loop);
	assert_string_equal(heard(fd, text), "WATCHDOG=1");
	assert_int_equal(strncmp(heard(fd, text), "READY=1\n", 8), 0);
	advance(loop, 1499);
	assert_string_equal(heard(fd, text), "");
	advance(loop, 1);
	assert_string_equal(heard(fd, text), "WATCHDOG=1");
	systemd_leave(&s);
	advance(loop, 3000);
	assert_string_equal(heard(fd, text), "");
	close(fd);
	loop_free(&loop);
}

static void
test_status_is_told_when_it_changes(void **state)
{
	struct systemd s = {0};
	struct errtext why;
	char text[256];
	int fd = manager_new();

	(void)state;
	assert_int_equal(systemd_begin(&s, &why), 0);
	systemd_tell(&s, 0, false);
	assert_string_equal(heard(fd, text), "STATUS=0 sessions");
	systemd_tell(&s, 0, false);
	assert_string_equal(heard(fd, text), "");
	systemd_tell(&s, 1, false);
	assert_string_equal(heard(fd, text), "STATUS=1 session");
	systemd_tell(&s, 1, true);
	assert_string_equal(heard(fd, text), "STATUS=1 session, under stress");
	systemd_stopping(&s);
	assert_string_equal(heard(fd, text), "STOPPING=1");
	systemd_leave(&s);
	close(fd);
}

static void
test_bad_environment(void **state)
{
	static const struct {
		const char *name, *value, *why;
	} cases[] = {
	    {"NOTIFY_SOCKET", "relative", "NOTIFY_SOCKET=relative: not a"},
	    {"NOTIFY_SOCKET", "@", "NOTIFY_SOCKET=@: not a"},
	    {"NOTIFY_SOCKET", "/nowhere/at/all", "NOTIFY_SOCKET=/nowhere"},
	    {"LISTEN_FDS", "65", "LISTEN_FDS=65: not a number up to 64"},
	    {"LISTEN_FDS", "-1", "LISTEN_FDS=-1: not a number"},
	    {"LISTEN_FDS", "", "LISTEN_FDS=: not a number"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct systemd s = {0};
		struct errtext why = {""};
		char pid[32];

		(void)snprintf(pid, sizeof(pid), "%d", getpid());
		setenv("LISTEN_PID", pid, 1);
		setenv(cases[i].name, cases[i].value, 1);
		if (systemd_begin(&s, &why) == 0 ||
		    strncmp(why.text, cases[i].why, strlen(cases[i].why)) != 0)
			fail_msg("%s=%s: %s", cases[i].name, cases[i].value,
			    why.text);
		assert_null(getenv(cases[i].name));
		systemd_leave(&s);
	}
}

/* --- sockets that are really there ------------------------------------------------- */

static void
set_number(const char *name, long n)
{
	char text[32];

	(void)snprintf(text, sizeof(text), "%ld", n);
	setenv(name, text, 1);
}

static void
test_sockets_are_taken(void **state)
{
	struct borrowed_fds borrowed;
	struct systemd s = {0};
	struct errtext why = {""};
	size_t number = 0;

	(void)state;
	borrowed_fds_begin(&borrowed);
	for (int fd = 3; fd < 6; fd++)
		borrowed_fds_put(socket(AF_UNIX, SOCK_STREAM, 0), fd);
	set_number("LISTEN_PID", getpid());
	setenv("LISTEN_FDS", "3", 1);
	setenv("LISTEN_FDNAMES", "smtp:control:http", 1);
	assert_int_equal(systemd_begin(&s, &why), 0);
	assert_int_equal(s.sockets, 3);
	assert_int_equal(systemd_socket(&s, "http", &number), 5);
	for (int fd = 3; fd < 6; fd++)
		assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
	assert_null(getenv("LISTEN_PID"));
	assert_null(getenv("LISTEN_FDS"));
	assert_null(getenv("LISTEN_FDNAMES"));
	assert_false(systemd_is_there(&s)); /* nobody wants to be told */
	systemd_leave(&s);
	assert_null(s.names);
	/* They are not ours to close. */
	assert_true(fcntl(5, F_GETFD) >= 0);
	borrowed_fds_end(&borrowed);
}

static void
test_sockets_that_cannot_be_taken(void **state)
{
	static const struct {
		const char *name;
		long pid; /* 0: ours; -1: none */
		bool has_memory;
		int rc;
		size_t sockets;
		const char *why;
	} cases[] = {
	    {"all is well", 0, true, 0, 2, ""},
	    {"for another process", 1, true, 0, 0, ""},
	    {"for nobody", -1, true, 0, 0, ""},
	    {"no memory", 0, false, -1, 2, "Cannot allocate memory"},
	};
	struct borrowed_fds borrowed;
	struct systemd s;
	struct errtext why;

	(void)state;
	borrowed_fds_begin(&borrowed);
	borrowed_fds_put(socket(AF_UNIX, SOCK_STREAM, 0), 3);
	borrowed_fds_put(socket(AF_UNIX, SOCK_STREAM, 0), 4);
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		memset(&s, 0, sizeof(s));
		why.text[0] = '\0';
		if (cases[i].pid >= 0)
			set_number("LISTEN_PID",
			    cases[i].pid != 0 ? cases[i].pid : getpid());
		setenv("LISTEN_FDS", "2", 1);
		setenv("LISTEN_FDNAMES", "a:b", 1);
		if (!cases[i].has_memory)
			fake_mem_fail_after(0);
		if (systemd_begin(&s, &why) != cases[i].rc ||
		    s.sockets != cases[i].sockets ||
		    strcmp(why.text, cases[i].why) != 0)
			fail_msg("%s: %s", cases[i].name, why.text);
		fake_mem_heal();
		systemd_leave(&s);
	}
	/* One less than it was said. */
	memset(&s, 0, sizeof(s));
	set_number("LISTEN_PID", getpid());
	setenv("LISTEN_FDS", "3", 1);
	assert_int_equal(systemd_begin(&s, &why), -1);
	assert_string_equal(
	    why.text, "LISTEN_FDS=3: descriptor 5: Bad file descriptor");
	systemd_leave(&s);
	borrowed_fds_end(&borrowed);
}

/* --- what is told ------------------------------------------------------------------ */

static void
test_reload_is_told(void **state)
{
	struct systemd s = {0};
	struct errtext why;
	char text[256];
	int fd = manager_new();

	(void)state;
	fake_clock_reset();
	assert_int_equal(systemd_begin(&s, &why), 0);
	systemd_reloading(&s);
	assert_string_equal(
	    heard(fd, text), "RELOADING=1\nMONOTONIC_USEC=1000001000");
	systemd_reloaded(&s);
	assert_string_equal(heard(fd, text), "READY=1");
	assert_string_equal(heard(fd, text), "");
	systemd_leave(&s);
	systemd_reloaded(&s);
	assert_string_equal(heard(fd, text), "");
	close(fd);
}

/* The watchdog of another process, or one that makes no sense, is no pulse. */
static void
test_whose_watchdog(void **state)
{
	static const struct {
		const char *name, *usec;
		long pid; /* 0: ours; -1: none */
		int64_t want_ms;
	} cases[] = {
	    {"ours", "3000000", 0, 3000},
	    {"nobody's in particular", "3000000", -1, 3000},
	    {"another's", "3000000", 1, 0},
	    {"less than we can count", "999", 0, 1},
	    {"a part is not counted", "2999", 0, 2},
	    {"none", "0", 0, 0},
	    {"negative", "-5", 0, 0},
	    {"no number", "soon", 0, 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct systemd s = {0};
		struct errtext why;
		int fd = manager_new();

		setenv("WATCHDOG_USEC", cases[i].usec, 1);
		if (cases[i].pid >= 0)
			set_number("WATCHDOG_PID",
			    cases[i].pid != 0 ? cases[i].pid : getpid());
		assert_int_equal(systemd_begin(&s, &why), 0);
		if (s.watchdog_ms != cases[i].want_ms)
			fail_msg("%s: %lld", cases[i].name,
			    (long long)s.watchdog_ms);
		assert_null(getenv("WATCHDOG_PID"));
		systemd_leave(&s);
		close(fd);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_nobody_is_there),
	    cmocka_unit_test(test_never_begun),
	    cmocka_unit_test(test_sockets_by_name),
	    cmocka_unit_test(test_pulse),
	    cmocka_unit_test(test_status_is_told_when_it_changes),
	    cmocka_unit_test(test_bad_environment),
	    cmocka_unit_test(test_sockets_are_taken),
	    cmocka_unit_test(test_sockets_that_cannot_be_taken),
	    cmocka_unit_test(test_reload_is_told),
	    cmocka_unit_test(test_whose_watchdog),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
