/* SPDX-License-Identifier: ISC */
/* links: child_end counted_exit fake_mem nth_call scratch sockets */
#include "net/local.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "support/child_end.h"
#include "support/fake_mem.h"
#include "support/nth_call.h"
#include "support/scratch.h"
#include "support/sockets.h"

/* What comes to its end, or cannot be: real sockets, under a loop that turns when
 * the test says so and whose time is the test's. */

enum { WATCHES_MAX = 64, BIG = 3 << 20 };

/* --- in place of net/loop.c --------------------------------------------------- */

struct loop {
	int64_t now_ms;
	struct loop_watch *watch[WATCHES_MAX]; /* that want something */
	struct loop_timer *timer[WATCHES_MAX]; /* that run */
	struct loop_later *later;
	struct fake_fault watches, timers;
};

static struct loop loop;

void
loop_watch_init(struct loop_watch *w, struct loop *l, int fd, loop_watch_fn *fn)
{
	*w = (struct loop_watch){.loop = l, .fn = fn};
	w->event.ev_fd = fd;
}

int
loop_watch_set(struct loop_watch *w, unsigned wanted)
{
	size_t i = 0;

	if (wanted == w->wanted)
		return 0;
	while (i < WATCHES_MAX && loop.watch[i] != w)
		i++;
	if (i < WATCHES_MAX)
		loop.watch[i] = NULL;
	w->wanted = 0;
	if (wanted == 0)
		return 0;
	if (fake_fault_strikes(&loop.watches))
		return errno = ENOMEM, -1;
	for (i = 0; loop.watch[i] != NULL; i++)
		assert_true(i + 1 < WATCHES_MAX);
	loop.watch[i] = w;
	w->wanted = wanted;
	return 0;
}

void
loop_timer_init(struct loop_timer *t, struct loop *l, loop_timer_fn *fn)
{
	*t = (struct loop_timer){.loop = l, .fn = fn};
}

void
loop_timer_stop(struct loop_timer *t)
{
	for (size_t i = 0; i < WATCHES_MAX; i++)
		if (loop.timer[i] == t)
			loop.timer[i] = NULL;
}

int
loop_timer_start(struct loop_timer *t, int64_t ms)
{
	size_t i = 0;

	if (fake_fault_strikes(&loop.timers))
		return errno = ENOMEM, -1;
	loop_timer_stop(t);
	for (; loop.timer[i] != NULL; i++)
		assert_true(i + 1 < WATCHES_MAX);
	loop.timer[i] = t;
	t->entry.due = loop.now_ms + ms;
	return 0;
}

void
loop_later_add(struct loop *l, struct loop_later *later, loop_later_fn *fn)
{
	if (later->fn != NULL)
		return;
	*later =
	    (struct loop_later){.next = l->later, .prev = &l->later, .fn = fn};
	if (l->later != NULL)
		l->later->prev = &later->next;
	l->later = later;
}

void
loop_later_cancel(struct loop_later *later)
{
	if (later->fn == NULL)
		return;
	later->fn = NULL;
	*later->prev = later->next;
	if (later->next != NULL)
		later->next->prev = later->prev;
}

static void
end_tick(void)
{
	struct loop_later *later;
	loop_later_fn *fn;

	while ((later = loop.later) != NULL) {
		fn = later->fn;
		loop_later_cancel(later);
		fn(later);
	}
}

/* One tick; how many watches were ready. */
static int
tick(void)
{
	int count = 0;

	for (size_t i = 0; i < WATCHES_MAX; i++) {
		struct loop_watch *w = loop.watch[i];
		struct pollfd p = {.fd = -1};

		if (w == NULL)
			continue;
		p.fd = w->event.ev_fd;
		p.events = w->wanted & LOOP_READABLE ? POLLIN : POLLOUT;
		if (poll(&p, 1, 0) <= 0)
			continue;
		w->fn(w, w->wanted);
		count++;
	}
	end_tick();
	return count;
}

/* Ticks until nothing is ready any more. */
static void
turn(void)
{
	for (int i = 0; tick() > 0; i++)
		assert_true(i < 10000);
}

static void
pass_time(int64_t ms)
{
	loop.now_ms += ms;
	for (size_t i = 0; i < WATCHES_MAX; i++) {
		struct loop_timer *t = loop.timer[i];

		if (t == NULL || t->entry.due > loop.now_ms)
			continue;
		loop.timer[i] = NULL;
		t->fn(t);
		end_tick();
	}
}

static size_t
timers(void)
{
	size_t n = 0;

	for (size_t i = 0; i < WATCHES_MAX; i++)
		n += loop.timer[i] != NULL;
	return n;
}

/* --- the stage ------------------------------------------------------------------ */

static struct scratch scratch;
static struct local *local;
static struct local_client *waiting;
static int asked, gone;
static const char *answer; /* NULL: later */
static size_t answer_n;
static struct errtext why;

static void
on_asked(struct local_client *c, struct span line, void *arg)
{
	assert_ptr_equal(arg, &local);
	assert_true(line.n < LOCAL_REQUEST_MAX);
	asked++;
	if (answer != NULL)
		local_answer(c, answer, answer_n);
	else
		waiting = c;
}

static void
on_gone(struct local_client *c, void *arg)
{
	(void)arg;
	assert_ptr_equal(c, waiting);
	waiting = NULL;
	gone++;
}

static const struct local_ops ops = {.asked = on_asked, .gone = on_gone};

static struct local *
open_at(const char *path)
{
	const struct local_options o = {.path = path, .group = (gid_t)-1};

	why = (struct errtext){""};
	return local_open(&o, &why);
}

static int
set_up(void **state)
{
	(void)state;
	loop = (struct loop){.now_ms = 1000};
	asked = gone = 0;
	waiting = NULL;
	answer = "yes";
	answer_n = 3;
	scratch_make(&scratch);
	local = open_at(scratch_path(&scratch, "control"));
	assert_non_null(local);
	return local_start(local, &loop, &ops, &local);
}

static int
tear_down(void **state)
{
	(void)state;
	local_close(&local);
	local_close(&local);
	scratch_remove(&scratch);
	return timers() == 0 && fake_mem_live() == 0 ? 0 : -1;
}

/* Somebody is there. */
static int
call(void)
{
	int fd = sockets_call(scratch_path(&scratch, "control"));

	assert_true(fd >= 0);
	return fd;
}

static bool
is_open(int fd)
{
	char c;

	return recv(fd, &c, 1, MSG_PEEK) < 0 && errno == EAGAIN;
}

/* The end, and nothing before it; what was not read is a reset. */
static void
hears_nothing(int fd)
{
	char c;
	ssize_t n = recv(fd, &c, 1, 0);

	assert_true(n == 0 || (n < 0 && errno == ECONNRESET));
	close(fd);
}

/* Whatever has failed, the next one is served. */
static void
assert_serves(void)
{
	int fd = call(), before = asked;

	sockets_say(fd, "?\n");
	turn();
	assert_int_equal(asked, before + 1);
	sockets_hear_last(fd, "yes");
}

/* --- deadlines -------------------------------------------------------------------- */

static void
test_who_does_not_ask(void **state)
{
	int silent = call(), slow = call();

	(void)state;
	turn();
	sockets_say(slow, "half a li");
	turn();
	pass_time(LOCAL_REQUEST_MS - 1);
	/* Each byte more is no more time. */
	sockets_say(slow, "n");
	turn();
	assert_true(is_open(silent));
	assert_true(is_open(slow));
	pass_time(1);
	sockets_hear_last(silent, "");
	sockets_hear_last(slow, "");
	assert_int_equal(asked, 0);
	assert_int_equal(gone, 0);
	assert_serves();
}

static void
test_owner_who_does_not_answer(void **state)
{
	int fd = call();

	(void)state;
	answer = NULL;
	sockets_say(fd, "?\n");
	turn();
	assert_non_null(waiting);
	pass_time(LOCAL_THINK_MS - 1);
	assert_int_equal(gone, 0);
	pass_time(1);
	assert_int_equal(gone, 1);
	sockets_hear_last(fd, "");
	answer = "yes";
	assert_serves();
}

static void
test_who_does_not_listen(void **state)
{
	static char big[BIG];
	size_t total = 0;
	ssize_t n;
	int fd = call();

	(void)state;
	answer = big;
	answer_n = sizeof(big);
	sockets_say(fd, "all\n");
	turn();
	assert_int_equal(asked, 1);
	pass_time(LOCAL_OUTPUT_MS - 1);
	/* He has begun to; that is not enough. */
	assert_true(recv(fd, big, 4096, 0) > 0);
	turn();
	pass_time(1);
	while ((n = recv(fd, big, sizeof(big), 0)) > 0)
		total += (size_t)n;
	assert_int_equal(n, 0);
	assert_true(total < sizeof(big) - 4096);
	assert_int_equal(gone, 0);
	close(fd);
	answer = "yes";
	answer_n = 3;
	assert_serves();
}

/* He says more than anybody reads, and is not listened to for ever. */
static void
test_who_talks_on(void **state)
{
	static char talk[4096];
	int fd = call();
	ssize_t n;

	(void)state;
	answer = NULL;
	sockets_say(fd, "?\n");
	turn();
	memset(talk, 't', sizeof(talk));
	while (send(fd, talk, sizeof(talk), MSG_NOSIGNAL) > 0)
		;
	assert_int_equal(tick(), 0);
	assert_non_null(waiting);
	local_answer(waiting, "yes", 3);
	end_tick();
	do
		n = recv(fd, talk, sizeof(talk), 0);
	while (n > 0);
	assert_true(n == 0 || errno == ECONNRESET);
	close(fd);
	answer = "yes";
	assert_serves();
}

/* --- calls that fail --------------------------------------------------------------- */

static void
test_no_descriptor(void **state)
{
	static const int lasting[] = {EMFILE, ENFILE, ENOMEM, ENOBUFS};
	int fd;

	(void)state;
	for (size_t i = 0; i < sizeof(lasting) / sizeof(*lasting); i++) {
		fd = call();
		sockets_say(fd, "?\n");
		nth_call_arm(CALL_accept4, 1, lasting[i]);
		assert_int_equal(tick(), 1);
		assert_int_equal(nth_call_disarm(), 1);
		/* It rests, though somebody is there. */
		assert_int_equal(tick(), 0);
		pass_time(999);
		assert_int_equal(tick(), 0);
		pass_time(1);
		turn();
		sockets_hear_last(fd, "yes");
	}
}

static void
test_calls_that_were_nothing(void **state)
{
	static const struct {
		enum nth_call call;
		int error;
	} cases[] = {
	    {CALL_accept4, ECONNABORTED},
	    {CALL_accept4, EINTR},
	    {CALL_accept4, EAGAIN},
	    {CALL_recv, EINTR},
	    {CALL_recv, EAGAIN},
	    {CALL_send, EINTR},
	    {CALL_send, EAGAIN},
	};
	int fd;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		fd = call();
		sockets_say(fd, "?\n");
		nth_call_arm(cases[i].call, 1, cases[i].error);
		turn();
		assert_true(nth_call_disarm() > 1);
		sockets_hear_last(fd, "yes");
		assert_int_equal(asked, i + 1);
	}
}

static void
test_client_is_lost(void **state)
{
	static const struct {
		enum nth_call call;
		int error, asked;
	} cases[] = {
	    {CALL_getsockopt, ENOTCONN, 0},
	    {CALL_recv, ECONNRESET, 0},
	    {CALL_send, EPIPE, 1},
	};
	int fd;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		asked = 0;
		fd = call();
		sockets_say(fd, "?\n");
		nth_call_arm(cases[i].call, 1, cases[i].error);
		turn();
		assert_true(nth_call_disarm() > 0);
		assert_int_equal(asked, cases[i].asked);
		assert_int_equal(gone, 0);
		hears_nothing(fd);
		assert_serves();
	}
}

/* Each thing that may be had or not is not had once; then a client goes away
 * empty, or has to wait a moment, and the owner is never told of one that he
 * does not know. */
static void
test_each_part_fails_once(void **state)
{
	struct fake_fault *const faults[] = {
	    &fake_mem_fault, &loop.watches, &loop.timers};
	static char big[BIG];
	char got[4];
	int fd;

	(void)state;
	for (size_t i = 0; i < sizeof(faults) / sizeof(*faults); i++) {
		for (int is_big = 0; is_big < 2; is_big++) {
			unsigned long at = 0;

			answer = is_big ? big : "yes";
			answer_n = is_big ? sizeof(big) : 3;
			do {
				*faults[i] = (struct fake_fault){
				    .armed = true, .at = ++at};
				fd = call();
				sockets_say(fd, "?\n");
				turn();
				while (recv(fd, got, sizeof(got), 0) > 0)
					;
				close(fd);
				turn();
				faults[i]->armed = false;
				pass_time(1000);
				turn();
			} while (faults[i]->calls >= at);
			assert_true(at > 1);
			answer = "yes";
			answer_n = 3;
			assert_serves();
		}
	}
	assert_int_equal(gone, 0);
}

/* A place is free again, but the kernel would not say that somebody is there. */
static void
test_no_watch_for_the_listener(void **state)
{
	int fd[LOCAL_CLIENTS_MAX], late;

	(void)state;
	for (size_t i = 0; i < LOCAL_CLIENTS_MAX; i++)
		fd[i] = call();
	turn();
	late = call();
	sockets_say(late, "?\n");
	turn();
	close(fd[0]);
	loop.watches = (struct fake_fault){.armed = true, .at = 1};
	turn();
	loop.watches.armed = false;
	assert_int_equal(loop.watches.calls, 1);
	assert_int_equal(asked, 0);
	pass_time(1000);
	turn();
	sockets_hear_last(late, "yes");
	for (size_t i = 1; i < LOCAL_CLIENTS_MAX; i++)
		close(fd[i]);
	turn();
	assert_serves();
}

/* --- sockets of others --------------------------------------------------------------- */

static void
test_adopt(void **state)
{
	const char *path = scratch_path(&scratch, "other");
	const struct local_options o = {.path = path, .group = (gid_t)-1};
	int mine = local_bind(&o, &why), fd;
	struct local *l;

	(void)state;
	assert_true(mine >= 0);
	assert_int_equal(fcntl(mine, F_SETFL, 0), 0);
	assert_int_equal(fcntl(mine, F_SETFD, 0), 0);
	fake_mem_fail_after(0);
	l = local_adopt(mine, &why);
	fake_mem_heal();
	assert_null(l);
	assert_string_equal(why.text, strerror(ENOMEM));
	l = local_adopt(mine, &why);
	assert_non_null(l);
	assert_true(fcntl(mine, F_GETFL) & O_NONBLOCK);
	assert_true(fcntl(mine, F_GETFD) & FD_CLOEXEC);
	loop.watches = (struct fake_fault){.armed = true, .at = 1};
	assert_int_equal(local_start(l, &loop, &ops, &local), -1);
	loop.watches.armed = false;
	/* One that was never started. */
	local_close(&l);
	assert_int_equal(fcntl(mine, F_GETFD), -1);
	mine = local_bind(&o, &why);
	l = local_adopt(mine, &why);
	assert_int_equal(local_start(l, &loop, &ops, &local), 0);
	fd = sockets_call(path);
	assert_true(fd >= 0);
	sockets_say(fd, "?\n");
	turn();
	sockets_hear_last(fd, "yes");
	local_close(&l);
}

static void
test_what_cannot_be_adopted(void **state)
{
	int pair[2], fd[4];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	fd[0] = open("/dev/null", O_RDONLY);
	fd[1] = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(listen(fd[1], 1), 0); /* some port of ours */
	fd[2] = pair[0];
	fd[3] = socket(AF_UNIX, SOCK_DGRAM, 0);
	for (size_t i = 0; i < sizeof(fd) / sizeof(*fd); i++) {
		char text[80];

		assert_null(local_adopt(fd[i], &why));
		(void)snprintf(text, sizeof(text),
		    "descriptor %d is not a listening Unix socket", fd[i]);
		assert_string_equal(why.text, text);
		/* It stays the caller's. */
		assert_true(fcntl(fd[i], F_GETFD) >= 0);
		close(fd[i]);
	}
	close(pair[1]);
	assert_null(local_adopt(-1, &why));
}

/* --- making one ------------------------------------------------------------------------ */

static void
test_mode_and_group(void **state)
{
	const char *path = scratch_path(&scratch, "open");
	struct local_options o = {
	    .path = path, .group = getegid(), .for_everybody = true};
	mode_t mask = umask(0), after;
	struct stat st;
	int fd = local_bind(&o, &why);

	(void)state;
	after = umask(mask);
	assert_true(fd >= 0);
	assert_int_equal(after, 0); /* it is the caller's */
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0666);
	assert_int_equal(st.st_gid, getegid());
	close(fd);
	o = (struct local_options){.path = path, .group = 54321};
	fd = local_bind(&o, &why);
	if (fd >= 0) { /* root may */
		assert_int_equal(stat(path, &st), 0);
		assert_int_equal(st.st_mode & 07777, 0660);
		assert_int_equal(st.st_gid, 54321);
		close(fd);
	} else {
		assert_int_equal(errno, EPERM);
		assert_non_null(
		    strstr(why.text, "cannot give it to its group"));
	}
	assert_int_equal(access(scratch_path(&scratch, "open.new"), F_OK), -1);
}

/* A queue that is full is somebody, too. */
static void
test_somebody_is_busy(void **state)
{
	const char *path = scratch_path(&scratch, "busy");
	int server = sockets_bind(path, SOCK_STREAM), fd[8], n = 0;

	(void)state;
	assert_int_equal(listen(server, 0), 0);
	while ((fd[n] = sockets_call(path)) >= 0)
		assert_true(++n < 8);
	assert_null(open_at(path));
	assert_int_equal(errno, EADDRINUSE);
	assert_non_null(strstr(why.text, "cannot take it over"));
	while (n > 0)
		close(fd[--n]);
	close(server);
}

/* They wait for the same end, and wake at the same moment: one has the path, and
 * when that one goes the next one, unless it has seen the other and given up. */
enum { WAITERS = 3, ROUNDS = 40, LONG_MS = 20000 };

struct waiter {
	pid_t pid;
	int talk, met;
};

/* Says whether it has the path, and keeps it until it is told to go. */
_Noreturn static void
wait_and_take(const char *path, int talk)
{
	const struct local_options o = {.path = path,
	    .group = (gid_t)-1,
	    .until = mono_after(clock_mono(), LONG_MS)};
	char said = 'y';

	if (local_bind(&o, &why) < 0)
		said = errno == EADDRINUSE ? 'n' : '?';
	_exit(write(talk, &said, 1) != 1 || read(talk, &said, 1) != 0);
}

static void
start_waiter(struct waiter *w, const char *path, int server)
{
	int ends[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	if ((w->pid = fork()) == 0) {
		child_lose_counts();
		close(server);
		for (int fd = ends[0]; fd > server; fd--)
			close(fd);
		wait_and_take(path, ends[1]);
	}
	assert_true(w->pid > 0);
	close(ends[1]);
	w->talk = ends[0];
	w->met = accept(server, NULL, NULL);
	assert_true(w->met >= 0);
}

static pid_t
listener_at(const char *path)
{
	struct ucred listener = {0};
	socklen_t n = sizeof(listener);
	int fd = sockets_call(path);

	assert_true(fd >= 0);
	assert_int_equal(
	    getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &listener, &n), 0);
	close(fd);
	return listener.pid;
}

/* What the next one says that says something, who may go then. */
static char
next_word(struct waiter w[], const char *path)
{
	struct pollfd fds[WAITERS];
	int i = 0, status;
	char said;

	for (int k = 0; k < WAITERS; k++)
		fds[k] = (struct pollfd){.fd = w[k].talk, .events = POLLIN};
	assert_true(poll(fds, WAITERS, LONG_MS) > 0);
	while (fds[i].revents == 0)
		i++;
	assert_int_equal(read(w[i].talk, &said, 1), 1);
	if (said == 'y')
		assert_int_equal(listener_at(path), w[i].pid);
	close(w[i].talk);
	w[i].talk = -1;
	assert_int_equal(waitpid(w[i].pid, &status, 0), w[i].pid);
	assert_int_equal(status, 0);
	return said;
}

static void
test_several_who_wait(void **state)
{
	const char *path = scratch_path(&scratch, "wanted");
	struct waiter w[WAITERS];
	int server, taken;
	char said;

	(void)state;
	for (int round = 0; round < ROUNDS; round++) {
		server = sockets_bind(path, SOCK_STREAM);
		assert_int_equal(listen(server, WAITERS), 0);
		for (int i = 0; i < WAITERS; i++)
			start_waiter(&w[i], path, server);
		close(server);
		for (int i = 0; i < WAITERS; i++)
			close(w[i].met);
		taken = 0;
		for (int i = 0; i < WAITERS; i++) {
			said = next_word(w, path);
			assert_int_not_equal(said, '?');
			taken += said == 'y';
		}
		assert_true(taken > 0);
		assert_int_equal(unlink(path), 0);
	}
}

/* Somebody who is at it is waited for as well. */
static void
test_a_lock_that_is_held(void **state)
{
	const char *path = scratch_path(&scratch, "locked");
	struct local_options o = {.path = path, .group = (gid_t)-1};
	int lock = open(scratch_path(&scratch, "locked.lock"),
	    O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	(void)state;
	assert_int_equal(flock(lock, LOCK_EX), 0);
	assert_int_equal(local_bind(&o, &why), -1);
	assert_int_equal(errno, EWOULDBLOCK);
	assert_non_null(strstr(why.text, "/locked: cannot lock it: "));
	o.until = mono_after(clock_mono(), 100);
	assert_int_equal(local_bind(&o, &why), -1);
	assert_true(mono_between(clock_mono(), o.until) <= 0);
	close(lock);
	lock = local_bind(&o, &why);
	assert_true(lock >= 0);
	close(lock);
	/* Nobody's link leads us elsewhere. */
	assert_int_equal(unlink(scratch_path(&scratch, "locked.lock")), 0);
	assert_int_equal(
	    symlink("other", scratch_path(&scratch, "locked.lock")), 0);
	assert_int_equal(local_bind(&o, &why), -1);
	assert_int_equal(errno, ELOOP);
}

static void
test_what_stands_in_the_way(void **state)
{
	struct local_options o = {.group = (gid_t)-1, .make_directory = true};

	(void)state;
	/* The temporary name is a directory. */
	assert_int_equal(mkdir(scratch_path(&scratch, "x.new"), 0755), 0);
	assert_null(open_at(scratch_path(&scratch, "x")));
	assert_non_null(strstr(why.text, "/x: cannot bind: "));
	/* There is no directory, and nobody shall make it. */
	assert_null(open_at(scratch_path(&scratch, "no/x")));
	assert_int_equal(errno, ENOENT);
	/* What should be one is none. */
	o.path = scratch_path(&scratch, "control/x");
	assert_null(local_open(&o, &why));
	assert_non_null(strstr(why.text, "/control/x: cannot "));
	/* What is left of one that died is replaced. */
	o.path = scratch_path(&scratch, "y");
	scratch_write(&scratch, "y.new", "", 0600);
	scratch_write(&scratch, "y", "", 0600);
	local_close(&local);
	local = local_open(&o, &why);
	assert_non_null(local);
	assert_int_equal(access(scratch_path(&scratch, "y.new"), F_OK), -1);
}

/* A name without a slash is in the directory where we are. */
static void
test_here(void **state)
{
	const struct local_options o = {
	    .path = "here", .group = (gid_t)-1, .make_directory = true};
	int back = open(".", O_RDONLY | O_DIRECTORY);
	int fd;

	(void)state;
	assert_int_equal(chdir(scratch.dir), 0);
	fd = local_bind(&o, &why);
	assert_int_equal(fchdir(back), 0);
	close(back);
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(access(scratch_path(&scratch, "here"), F_OK), 0);
}

static void
test_steps_that_fail(void **state)
{
	static const struct {
		enum nth_call call;
		uint32_t at;
		const char *step;
	} cases[] = {
	    {CALL_socket, 1, "cannot create a socket"},
	    {CALL_bind, 1, "cannot bind"},
	};
	const struct local_options o = {.path = scratch_path(&scratch, "sub/z"),
	    .group = (gid_t)-1,
	    .make_directory = true};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		nth_call_arm(cases[i].call, cases[i].at, EACCES);
		assert_null(local_open(&o, &why));
		assert_true(nth_call_disarm() > 0);
		assert_int_equal(errno, EACCES);
		assert_non_null(strstr(why.text, cases[i].step));
		assert_int_equal(access(o.path, F_OK), -1);
	}
	for (unsigned n = 0; n < 2; n++) {
		fake_mem_fail_after(n);
		assert_null(local_open(&o, &why));
		fake_mem_heal();
		assert_non_null(strstr(why.text, strerror(ENOMEM)));
	}
	/* Without a socket to ask with nobody can be there. */
	nth_call_arm(CALL_socket, 2, EMFILE);
	local_close(&local);
	local = local_open(&o, &why);
	assert_int_equal(nth_call_disarm(), 3);
	assert_non_null(local);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	    TEST(test_who_does_not_ask),
	    TEST(test_owner_who_does_not_answer),
	    TEST(test_who_does_not_listen),
	    TEST(test_who_talks_on),
	    TEST(test_no_descriptor),
	    TEST(test_calls_that_were_nothing),
	    TEST(test_client_is_lost),
	    TEST(test_each_part_fails_once),
	    TEST(test_no_watch_for_the_listener),
	    TEST(test_adopt),
	    TEST(test_what_cannot_be_adopted),
	    TEST(test_mode_and_group),
	    TEST(test_somebody_is_busy),
	    TEST(test_several_who_wait),
	    TEST(test_a_lock_that_is_held),
	    TEST(test_what_stands_in_the_way),
	    TEST(test_here),
	    TEST(test_steps_that_fail),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
