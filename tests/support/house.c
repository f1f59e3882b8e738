/* SPDX-License-Identifier: ISC */
#include "support/given_addr.h"
#include "support/house.h"
#include "support/sockets.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <pwd.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/log.h"
#include "base/mem.h"

/* The log goes to a socket in the place of postlogd(8)'s. Descriptors of the
 * house are high ones: low ones may be what master(8) or systemd gives. */

enum { LOOK_MS = 2, HIGH_FD = 100 };

static int
raised(int fd)
{
	int high = fcntl(fd, F_DUPFD_CLOEXEC, HIGH_FD);

	assert_true(fd >= 0 && high >= 0);
	close(fd);
	return high;
}

/* --- who we are ------------------------------------------------------------ */
/* What a sanitizer or gcov wants from /proc is for the owner of a process that
 * may be dumped. */
static int
become(uid_t uid, gid_t gid)
{
	if (setegid(gid) < 0 || seteuid(uid) < 0)
		return -1;
	return prctl(PR_SET_DUMPABLE, 1);
}

int
house_move_in(void **state)
{
	const struct passwd *pw;

	(void)state;
	if (prctl(PR_SET_CHILD_SUBREAPER, 1) < 0)
		return -1;
	if (geteuid() != 0)
		return 0;
	if ((pw = getpwnam("nobody")) == NULL || setgroups(0, NULL) < 0)
		return -1;
	return become(pw->pw_uid, pw->pw_gid);
}

int
house_move_out(void **state)
{
	(void)state;
	return getuid() == 0 && seteuid(0) == 0 ? become(0, 0) : 0;
}

_Noreturn void
house_leave(int status)
{
	(void)house_move_out(NULL);
	exit(status);
}

/* --- files ----------------------------------------------------------------- */
void
house_set(struct house *h, const char *line)
{
	FILE *fp = fopen(scratch_path(&h->scratch, "etc/doorbell.cf"), "ae");

	assert_non_null(fp);
	assert_true(fputs(line, fp) >= 0);
	assert_int_equal(fclose(fp), 0);
}

void
house_unset(struct house *h)
{
	assert_int_equal(
	    truncate(scratch_path(&h->scratch, "etc/doorbell.cf"), h->base), 0);
}

/* --- sockets --------------------------------------------------------------- */
static int
bound(const struct house *h, const char *name, int type)
{
	int fd = raised(sockets_bind(scratch_path(&h->scratch, name),
	    type | SOCK_NONBLOCK | SOCK_CLOEXEC));

	if (type == SOCK_STREAM)
		assert_int_equal(listen(fd, 16), 0);
	return fd;
}

static socklen_t
at_our_address(
    const struct house *h, uint16_t port, struct sockaddr_storage *out_r)
{
	const struct endpoint where = given_endpoint(h->address, port);

	return endpoint_to_sockaddr(&where, out_r);
}

/* Nobody else uses our address, so a port that is free now stays free. */
static uint16_t
free_port(const struct house *h)
{
	struct sockaddr_storage sa;
	socklen_t n = at_our_address(h, 0, &sa);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	uint16_t port;

	assert_int_equal(bind(fd, (struct sockaddr *)&sa, n), 0);
	port = sockets_name(fd).port;
	close(fd);
	return port;
}

int
house_call_port(struct house *h, uint16_t port)
{
	struct sockaddr_storage sa;
	socklen_t n = at_our_address(h, port, &sa);
	int fd = raised(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));

	if (connect(fd, (struct sockaddr *)&sa, n) == 0) {
		assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
		return fd;
	}
	/* A reset: the door was closed while we stood in it. */
	assert_true(errno == ECONNREFUSED || errno == ECONNRESET);
	close(fd);
	return -1;
}

int
house_call(struct house *h)
{
	return house_call_port(h, h->port);
}

int
house_call_path(struct house *h, const char *name)
{
	int fd = sockets_call(scratch_path(&h->scratch, name));

	if (fd >= 0)
		return raised(fd);
	assert_true(errno == ECONNREFUSED || errno == ENOENT);
	return -1;
}

/* --- building -------------------------------------------------------------- */
static void
write_main_cf(struct house *h)
{
	const struct passwd *pw = getpwuid(geteuid());
	char text[2048];

	assert_non_null(pw);
	(void)snprintf(text, sizeof(text),
	    "compatibility_level = 3.6\n"
	    "myhostname = mx.test\n"
	    "mynetworks = 192.0.2.0/24\n"
	    "inet_interfaces = 127.0.0.1\n"
	    "inet_protocols = ipv4\n"
	    "mail_owner = %s\n"
	    "maillog_file = /dev/null\n"
	    "queue_directory = %s/queue\n"
	    "data_directory = %s/data\n",
	    pw->pw_name, h->scratch.dir, h->scratch.dir);
	scratch_write(&h->scratch, "etc/main.cf", text, 0600);
}

static void
write_doorbell_cf(struct house *h)
{
	char text[2048];

	(void)snprintf(text, sizeof(text),
	    "doorbell_listen = inet:%s:%u\n"
	    "doorbell_control_socket = %s/control\n"
	    "doorbell_sandbox = no\n"
	    "doorbell_watchdog_timeout = 1h\n"
	    "doorbell_dnsbl_selftest_interval = 0s\n",
	    h->address, h->port, h->scratch.dir);
	scratch_write(&h->scratch, "etc/doorbell.cf", text, 0600);
	h->base = (long)strlen(text);
}

int
house_set_up(void **state)
{
	static const char *const rooms[] = {
	    "etc", "queue", "queue/public", "queue/private", "data"};
	static struct house house;
	struct house *h = &house;
	unsigned pid = (unsigned)getpid();

	memset(h, 0, sizeof(*h));
	(void)snprintf(h->address, sizeof(h->address), "127.%u.%u.%u",
	    64 + (pid >> 16) % 128, pid >> 8 & 255, pid & 255);
	scratch_make(&h->scratch);
	for (size_t i = 0; i < sizeof(rooms) / sizeof(*rooms); i++)
		if (mkdir(scratch_path(&h->scratch, rooms[i]), 0700) < 0)
			return -1;
	h->before = raised(open(".", O_PATH | O_DIRECTORY | O_CLOEXEC));
	h->postlog = bound(h, "queue/public/postlog", SOCK_DGRAM);
	h->smtpd = bound(h, "queue/private/smtpd", SOCK_STREAM);
	h->port = free_port(h);
	h->http_port = free_port(h);
	(void)snprintf(
	    h->etc, sizeof(h->etc), "%s", scratch_path(&h->scratch, "etc"));
	h->options = (struct options){
	    .mode = OPTIONS_STANDALONE, .source = {.directory = h->etc}};
	write_main_cf(h);
	write_doorbell_cf(h);
	*state = h;
	return 0;
}

int
house_play_manager(struct house *h)
{
	const char *path = scratch_path(&h->scratch, "notify");

	assert_int_equal(setenv("NOTIFY_SOCKET", path, 1), 0);
	return bound(h, "notify", SOCK_DGRAM);
}

static void
give_nothing(struct house *h)
{
	while (h->given_count > 0)
		close(h->given[--h->given_count]);
}

static void read_log(struct house *h);

static bool
all_have_ended(void)
{
	pid_t pid;

	while ((pid = waitpid(-1, NULL, WNOHANG)) > 0)
		continue;
	return pid < 0;
}

/* Who serves ends by a word, who is left by a failed test may need force. */
static int
end_children(struct house *h)
{
	struct mono until = mono_after(clock_mono(), HOUSE_PATIENCE_MS / 4);
	siginfo_t info;

	if (h->child > 0 && waitid(P_PID, (id_t)h->child, &info,
				WEXITED | WNOHANG | WNOWAIT) == 0)
		(void)kill(h->child, SIGINT);
	while (!all_have_ended()) {
		if (mono_between(clock_mono(), until) <= 0) {
			(void)kill(-h->child, SIGKILL);
			while (waitpid(-1, NULL, 0) > 0)
				continue;
			return -1;
		}
		read_log(h);
		(void)poll(NULL, 0, LOOK_MS);
	}
	return 0;
}

int
house_tear_down(void **state)
{
	struct house *h = *state;
	int rc;

	house_close(h);
	rc = end_children(h);
	give_nothing(h);
	(void)unsetenv("GENERATION");
	(void)unsetenv("POSTLOG_SERVICE");
	(void)unsetenv("NOTIFY_SOCKET");
	close(h->postlog);
	close(h->smtpd);
	if (fchdir(h->before) < 0)
		return -1;
	close(h->before);
	scratch_remove(&h->scratch);
	return rc;
}

void
house_open(struct house *h)
{
	struct errtext why = {""};
	bool started;

	h->bell = context_new(&h->options, &why);
	started = h->bell != NULL && context_start(h->bell, &why) == 0;
	if (!started)
		fail_msg("no start: %s", why.text);
}

void
house_close(struct house *h)
{
	(void)house_has_heard(h, ""); /* so that there is room */
	context_free(&h->bell);
	(void)signal(SIGHUP, SIG_DFL);
	(void)signal(SIGTERM, SIG_DFL);
	(void)signal(SIGINT, SIG_DFL);
}

int
house_listener(struct house *h, uint16_t port)
{
	static const int on = 1;
	struct sockaddr_storage sa;
	socklen_t n = at_our_address(h, port, &sa);
	int fd = raised(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));

	assert_int_equal(
	    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)), 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&sa, n), 0);
	assert_int_equal(listen(fd, 16), 0);
	return fd;
}

int
house_play_master(struct house *h)
{
	int channel[2], flow[2];

	assert_int_equal(pipe(flow), 0);
	assert_int_equal(
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, channel), 0);
	h->given[0] = raised(flow[0]);
	h->given[1] = raised(flow[1]);
	h->given[2] = raised(channel[1]);
	h->given[3] = house_listener(h, h->port);
	h->given_count = 4;
	h->options.mode = OPTIONS_SERVICE;
	h->options.alone = h->options.unprivileged = true;
	h->options.sockets = 1;
	assert_int_equal(setenv("GENERATION", "17", 1), 0);
	assert_int_equal(setenv("POSTLOG_SERVICE", "postlog", 1), 0);
	return raised(channel[0]);
}

/* As master(8) and systemd leave it to their children. */
static void
take_what_is_given(const struct house *h)
{
	char pid[16];

	for (int i = 0; i < h->given_count; i++)
		if (dup2(h->given[i], HOUSE_GIVEN_FIRST + i) < 0)
			_exit(8);
	/* What is ours is not theirs. */
	for (int fd = HIGH_FD; fd < 2 * HIGH_FD; fd++)
		(void)close(fd);
	(void)snprintf(pid, sizeof(pid), "%d", (int)getpid());
	(void)setenv("LISTEN_PID", pid, 1);
	if (h->options.mode == OPTIONS_SERVICE &&
	    chdir(scratch_path(&h->scratch, "queue")) < 0)
		_exit(8);
}

static int
serve(struct house *h)
{
	struct errtext why;
	int status = 9;

	(void)setpgid(0, 0);
	take_what_is_given(h);
	if ((h->bell = context_new(&h->options, &why)) != NULL &&
	    context_start(h->bell, &why) == 0)
		status = context_run(h->bell);
	context_free(&h->bell);
	return status;
}

void
house_fork(struct house *h)
{
	(void)fflush(NULL);
	h->child = fork();
	assert_true(h->child >= 0);
	if (h->child == 0)
		house_leave(serve(h));
	(void)setpgid(h->child, h->child);
	give_nothing(h);
}

static bool
has_ended(struct house *h, void *arg)
{
	siginfo_t *info = arg;

	(void)h;
	return waitid(P_PID, (id_t)info[1].si_pid, info, WEXITED | WNOHANG) <
		   0 ||
	       info->si_pid != 0;
}

int
house_status_of(struct house *h, pid_t pid)
{
	siginfo_t info[2] = {{0}, {.si_pid = pid}};

	(void)house_wait(h, has_ended, info);
	assert_int_equal(info->si_pid, pid);
	return info->si_code == CLD_EXITED ? info->si_status : -1;
}

static bool
nobody_is_left(struct house *h, void *arg)
{
	int *ended = arg, status;
	pid_t pid;

	(void)h;
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
			fail_msg("%d: %x", (int)pid, (unsigned)status);
		++*ended;
	}
	return pid < 0;
}

int
house_children_end(struct house *h)
{
	int ended = 0;

	(void)house_wait(h, nobody_is_left, &ended);
	return ended;
}

/* --- waiting --------------------------------------------------------------- */
/* A test that hears so much hears the end of it. */
static void
make_room(struct house *h)
{
	size_t half = h->heard_n / 2;

	if (sizeof(h->heard) - h->heard_n > 2 * LOG_LINE_MAX)
		return;
	memmove(h->heard, h->heard + half, h->heard_n - half);
	h->heard_n -= half;
}

static void
read_log(struct house *h)
{
	ssize_t n;

	while ((n = recv(h->postlog, h->heard + h->heard_n, 2 * LOG_LINE_MAX,
		    MSG_DONTWAIT)) > 0) {
		h->heard_n += (size_t)n;
		make_room(h);
		if (h->heard[h->heard_n - 1] != '\n')
			h->heard[h->heard_n++] = '\n';
		h->heard[h->heard_n] = '\0';
	}
}

struct look {
	struct loop_timer timer;
	struct house *house;
	house_seen_fn *seen;
	void *arg;
	struct mono until;
	bool has_seen, is_late;
};

static bool
look(struct look *l)
{
	read_log(l->house);
	l->has_seen = l->seen(l->house, l->arg);
	l->is_late = mono_between(clock_mono(), l->until) <= 0;
	return l->has_seen || l->is_late;
}

static void
on_look(struct loop_timer *timer)
{
	struct look *l = OWNER_OF(timer, struct look, timer);

	if (look(l))
		loop_stop(timer->loop);
	else
		assert_int_equal(loop_timer_start(timer, LOOK_MS), 0);
}

static void
complain(const struct look *l)
{
	if (l->is_late && !l->has_seen)
		fail_msg("what was waited for has not come; the log has:\n%s",
		    l->house->heard);
}

bool
house_wait(struct house *h, house_seen_fn *seen, void *arg)
{
	struct look l = {.house = h,
	    .seen = seen,
	    .arg = arg,
	    .until = mono_after(clock_mono(), HOUSE_PATIENCE_MS)};
	struct pollfd log = {.fd = h->postlog, .events = POLLIN};

	if (h->bell != NULL) {
		loop_timer_init(&l.timer, h->bell->loop, on_look);
		assert_int_equal(loop_timer_start(&l.timer, 0), 0);
		assert_int_equal(context_run(h->bell), 0);
		loop_timer_stop(&l.timer);
		read_log(h);
	} else {
		while (!look(&l))
			(void)poll(&log, 1, LOOK_MS);
	}
	complain(&l);
	return l.has_seen;
}

/* The second look is a whole tick behind the first. */
static bool
has_looked_before(struct house *h, void *arg)
{
	int *looks = arg;

	(void)h;
	return ++*looks == 2;
}

bool
house_turn(struct house *h)
{
	int looks = 0;

	return house_wait(h, has_looked_before, &looks);
}

/* --- the log --------------------------------------------------------------- */
static bool
is_in_log(struct house *h, void *arg)
{
	const char *const *part = arg;

	return strstr(h->heard, *part) != NULL;
}

bool
house_has_heard(struct house *h, const char *part)
{
	read_log(h);
	return is_in_log(h, &part);
}

void
house_hears(struct house *h, const char *part)
{
	if (!house_has_heard(h, part) && !house_wait(h, is_in_log, &part) &&
	    !house_has_heard(h, part))
		fail_msg("\"%s\" is not in the log:\n%s", part, h->heard);
}

/* "Nov 20 23:52:48 mx postfix/doorbelld[PID]: TEXT" */
pid_t
house_pid_of(struct house *h, const char *part)
{
	const char *p = strstr(h->heard, part);

	assert_non_null(p);
	while (p > h->heard && p[-1] != '\n')
		p--;
	p = strchr(p, '[');
	assert_non_null(p);
	return (pid_t)strtol(p + 1, NULL, 10);
}

void
house_forget(struct house *h)
{
	read_log(h);
	h->heard_n = 0;
	h->heard[0] = '\0';
}

/* --- a manager ------------------------------------------------------------- */
struct message {
	int fd;
	char text[256];
};

static bool
is_told(struct house *h, void *arg)
{
	struct message *m = arg;
	ssize_t n = recv(m->fd, m->text, sizeof(m->text) - 1, MSG_DONTWAIT);

	(void)h;
	m->text[n > 0 ? n : 0] = '\0';
	return n > 0;
}

const char *
house_manager_hears(struct house *h, int manager)
{
	static struct message message;

	message.fd = manager;
	assert_true(house_wait(h, is_told, &message));
	return message.text;
}

/* --- clients --------------------------------------------------------------- */
static bool
is_answering(struct house *h, void *arg)
{
	int *fd = arg;

	return (*fd = house_call_path(h, "control")) >= 0;
}

void
house_serves(struct house *h)
{
	int fd;

	assert_true(house_wait(h, is_answering, &fd));
	sockets_say(fd, "status\n");
	house_client_hears(h, fd, CONTROL_PROTOCOL " 0 ");
	close(fd);
}

static bool
is_there(struct house *h, void *arg)
{
	int *fd = arg;

	return (*fd = house_call(h)) >= 0;
}

int
house_call_soon(struct house *h)
{
	int fd;

	assert_true(house_wait(h, is_there, &fd));
	return fd;
}

struct ear {
	int fd;
	char *out;
	size_t n, wanted;
	bool ended;
};

static bool
has_it_all(struct house *h, void *arg)
{
	struct ear *ear = arg;
	ssize_t n = 1;

	(void)h;
	while (ear->n < ear->wanted &&
	       (n = recv(ear->fd, ear->out + ear->n, ear->wanted - ear->n,
		    MSG_DONTWAIT)) > 0)
		ear->n += (size_t)n;
	ear->out[ear->n] = '\0';
	ear->ended = n == 0 || (n < 0 && errno != EAGAIN);
	return ear->n == ear->wanted || ear->ended;
}

void
house_client_hears(struct house *h, int fd, const char *text)
{
	char got[1024];
	struct ear ear = {.fd = fd, .out = got, .wanted = strlen(text)};

	assert_true(ear.wanted < sizeof(got));
	if (!has_it_all(h, &ear) && !house_wait(h, has_it_all, &ear))
		(void)has_it_all(h, &ear);
	assert_string_equal(got, text);
}

int
house_enter(struct house *h)
{
	int client = house_call(h);

	house_client_hears(h, client, HOUSE_TEASER);
	return client;
}

size_t
house_client_hears_all(struct house *h, int fd, char *out, size_t size)
{
	struct ear ear = {.fd = fd, .out = out, .wanted = size - 1};

	if (!has_it_all(h, &ear) && !house_wait(h, has_it_all, &ear))
		(void)has_it_all(h, &ear);
	assert_true(ear.ended);
	return ear.n;
}

static bool
has_passed(struct house *h, void *arg)
{
	int *passed = arg;
	char byte[4096];
	union {
		struct cmsghdr align;
		char room[CMSG_SPACE(sizeof(int))];
	} control;
	struct iovec iov = {.iov_base = byte, .iov_len = sizeof(byte)};
	struct msghdr msg = {.msg_iov = &iov,
	    .msg_iovlen = 1,
	    .msg_control = control.room,
	    .msg_controllen = sizeof(control.room)};
	struct cmsghdr *c;

	if (passed[0] < 0) {
		passed[0] = accept4(h->smtpd, NULL, NULL, SOCK_CLOEXEC);
		if (passed[0] < 0)
			return false;
	}
	if (recvmsg(passed[0], &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC) <= 0 ||
	    (c = CMSG_FIRSTHDR(&msg)) == NULL)
		return false;
	memcpy(&passed[1], CMSG_DATA(c), sizeof(int));
	return true;
}

int
house_smtpd_takes(struct house *h)
{
	int passed[2] = {-1, -1};

	assert_true(house_wait(h, has_passed, passed));
	close(passed[0]);
	return raised(passed[1]);
}
