/* SPDX-License-Identifier: ISC */
/* links: child_end */
/* clang-format off */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
/* clang-format on */

#include "daemon/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/child_end.h"

/* Each case is a child that enters the sandbox and does one thing. How it ends
 * tells: by SIGSYS, or with the status that the thing gives. */

static int
run_program(void)
{
	char *const none[] = {NULL};

	return execve("/bin/true", none, none);
}

static int
become_root(void)
{
	return setuid(0);
}

static int
trace(void)
{
	return (int)ptrace(PTRACE_TRACEME, 0, NULL, NULL);
}

static int
mount_something(void)
{
	return mount("none", "/nowhere", "tmpfs", 0, NULL);
}

static int
change_root(void)
{
	return chroot("/");
}

static int
leave_namespace(void)
{
	return unshare(CLONE_NEWUSER);
}

static int
fork_into_namespace(void)
{
	long pid = syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0);

	return pid < 0 ? -1 : 0;
}

static int
packet_socket(void)
{
	return socket(AF_PACKET, SOCK_DGRAM, 0) < 0 ? -1 : 0;
}

static int
raw_socket(void)
{
	return socket(AF_INET, SOCK_RAW, 1) < 0 ? -1 : 0;
}

static int
foreign_netlink(void)
{
	return socket(AF_NETLINK, SOCK_RAW, 9) < 0 ? -1 : 0;
}

static int
raise_limit(void)
{
	const struct rlimit rl = {64, 64};

	return setrlimit(RLIMIT_NOFILE, &rl);
}

static int
kill_somebody(void)
{
	return kill(1, 0);
}

static int
undo_no_new_privs(void)
{
	return prctl(PR_SET_SECCOMP, 0, 0, 0, 0);
}

static int
executable_memory(void)
{
	void *p = mmap(NULL, 4096, PROT_READ | PROT_EXEC,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return p == MAP_FAILED && errno == EACCES ? 0 : 1;
}

static int
make_memory_executable(void)
{
	void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return p != MAP_FAILED &&
		       mprotect(p, 4096, PROT_READ | PROT_EXEC) < 0 &&
		       errno == EACCES
		   ? 0
		   : 1;
}

static int
read_limit(void)
{
	struct rlimit rl;

	return getrlimit(RLIMIT_NOFILE, &rl);
}

static int
usual_sockets(void)
{
	int pair[2];
	bool ok = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0) >= 0 &&
		  socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0) >= 0 &&
		  socket(AF_UNIX, SOCK_STREAM, 0) >= 0 &&
		  socket(AF_UNIX, SOCK_DGRAM, 0) >= 0 &&
		  socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, 0) >= 0 &&
		  socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0;

	return ok ? 0 : 1;
}

static void *
in_thread(void *arg)
{
	return arg;
}

static int
thread_and_fork(void)
{
	pthread_t thread;
	int status = 1;
	pid_t pid;

	if (pthread_create(&thread, NULL, in_thread, NULL) != 0 ||
	    pthread_join(thread, NULL) != 0)
		return 1;
	if ((pid = fork()) == 0)
		_exit(0);
	(void)waitpid(pid, &status, 0);
	return status;
}

static int
open_a_file(void)
{
	int fd = open("/etc/passwd", O_RDONLY | O_CLOEXEC);

	return fd < 0 || close(fd) < 0 ? 1 : 0;
}

/* Threads that were there before are confined with us. */
static int pipe_to_thread[2];

static void *
wait_and_execute(void *arg)
{
	char byte;

	if (read(pipe_to_thread[0], &byte, 1) == 1)
		(void)run_program();
	return arg;
}

static int
older_thread(void)
{
	if (write(pipe_to_thread[1], "", 1) == 1)
		(void)poll(NULL, 0, -1); /* (pause(2) is forbidden) */
	return 1;
}

/* What the child ended with: its status, or minus the signal. */
static int
outcome(int (*deed)(void), bool only_log)
{
	struct errtext why;
	pthread_t thread;
	int status;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		if (pipe(pipe_to_thread) < 0 ||
		    pthread_create(&thread, NULL, wait_and_execute, NULL) !=
			0 ||
		    sandbox_enter(only_log, &why) < 0)
			child_exit(99);
		child_exit(deed() == 0 ? 0 : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

static void
test_what_is_forbidden(void **state)
{
	static const struct {
		const char *name;
		int (*deed)(void);
	} cases[] = {
	    {"execve", run_program},
	    {"setuid", become_root},
	    {"ptrace", trace},
	    {"mount", mount_something},
	    {"chroot", change_root},
	    {"unshare", leave_namespace},
	    {"clone(CLONE_NEWUSER)", fork_into_namespace},
	    {"socket(AF_PACKET)", packet_socket},
	    {"socket(SOCK_RAW)", raw_socket},
	    {"socket(NETLINK_AUDIT)", foreign_netlink},
	    {"setrlimit", raise_limit},
	    {"kill", kill_somebody},
	    {"prctl", undo_no_new_privs},
	    {"execve in an older thread", older_thread},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		int got = outcome(cases[i].deed, false);

		if (got != -SIGSYS)
			fail_msg("%s: %d", cases[i].name, got);
	}
}

static void
test_what_is_allowed(void **state)
{
	static const struct {
		const char *name;
		int (*deed)(void);
	} cases[] = {
	    {"sockets", usual_sockets},
	    {"a thread and a fork", thread_and_fork},
	    {"getrlimit", read_limit},
	    {"open", open_a_file},
	    {"mmap(PROT_EXEC) fails", executable_memory},
	    {"mprotect(PROT_EXEC) fails", make_memory_executable},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		int got = outcome(cases[i].deed, false);

		if (got != 0)
			fail_msg("%s: %d", cases[i].name, got);
	}
}

static void
test_only_logged(void **state)
{
	(void)state;
	/* Only the audit log hears of it; the call itself goes its way. */
	assert_int_equal(outcome(kill_somebody, true), getuid() == 0 ? 0 : 1);
}

/* --- without it ---------------------------------------------------------------- */

/* Be where no filter can be had. */
static int
forbid_filters(void)
{
	const struct scmp_arg_cmp set = SCMP_A0(SCMP_CMP_EQ, PR_SET_SECCOMP, 0);
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
	int rc = -1;

	if (filter != NULL &&
	    seccomp_rule_add(
		filter, SCMP_ACT_ERRNO(EACCES), SCMP_SYS(seccomp), 0) == 0 &&
	    seccomp_rule_add(
		filter, SCMP_ACT_ERRNO(EACCES), SCMP_SYS(prctl), 1, set) == 0)
		rc = seccomp_load(filter);
	seccomp_release(filter);
	return rc;
}

static int
enter_in_vain(void)
{
	struct errtext why = {""};

	CHILD_HOLDS(forbid_filters() == 0);
	CHILD_HOLDS(sandbox_enter(false, &why) < 0);
	CHILD_HOLDS(strcmp(why.text, "Permission denied") == 0);
	/* Nothing is confined then. */
	CHILD_HOLDS(unshare(0) == 0);
	CHILD_HOLDS(access("/", F_OK) == 0);
	return 0;
}

static void
test_kernel_says_no(void **state)
{
	(void)state;
	assert_int_equal(child_outcome(enter_in_vain), 0);
}

static void
test_watched_by_valgrind(void **state)
{
	static const struct {
		const char *preload;
		bool want;
	} cases[] = {
	    {NULL, false},
	    {"", false},
	    {"/usr/lib/libeatmydata.so", false},
	    {"/a.so:/usr/libexec/valgrind/vgpreload_core-amd64-linux.so", true},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		if (cases[i].preload != NULL)
			setenv("LD_PRELOAD", cases[i].preload, 1);
		else
			unsetenv("LD_PRELOAD");
#ifdef DOORBELL_INSTRUMENTED
		assert_true(sandbox_is_watched());
#else
		assert_int_equal(sandbox_is_watched(), cases[i].want);
#endif
	}
	unsetenv("LD_PRELOAD");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_what_is_forbidden),
	    cmocka_unit_test(test_what_is_allowed),
	    cmocka_unit_test(test_only_logged),
	    cmocka_unit_test(test_kernel_says_no),
	    cmocka_unit_test(test_watched_by_valgrind),
	};

	/* A sanitizer and valgrind make calls of their own; gcov makes none that
	 * a daemon does not. */
#ifndef DOORBELL_COVER
	if (sandbox_is_watched())
		return 0;
#endif
	return cmocka_run_group_tests(tests, NULL, NULL);
}
