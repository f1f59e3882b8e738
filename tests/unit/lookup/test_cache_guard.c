/* SPDX-License-Identifier: ISC */
/* Garbage in the cache file: whatever it does to LMDB, the process dies of it
 * once at most. All that touches such a file runs in children. */
/* links: cache_dir child_end counted_exit */
#include "lookup/cache_guard.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "lookup/cache_file.h"
#include "support/cache_dir.h"
#include "support/child_end.h"

enum {
	NOBODY = 65534,
	PAGE = 4096,
	HEADER = 16, /* of a page of LMDB */
	CLIENTS = 2000,
	RUNS = 4,
	WATCHDOG_S = 3,
	PATIENCE_S = 60,
};

/* AddressSanitizer ends a process when LMDB is about to spoil the heap, without
 * a signal: nobody is asked. */
#if defined(__SANITIZE_ADDRESS__)
#define HAS_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define HAS_ASAN 1
#endif
#endif
#ifndef HAS_ASAN
#define HAS_ASAN 0
#endif

/* Exit status tells nothing under valgrind, which has its own opinion. */
static volatile enum verdict {
	DIED,
	FORGETS, /* alive, but of no use */
	WORKS
} * verdict;

/* Under valgrind a fault may hit its code in place of ours. */
static bool
is_simulated(void)
{
	const char *preload = getenv("LD_PRELOAD");

	return preload != NULL && strstr(preload, "vgpreload") != NULL;
}

/* --- in a child ----------------------------------------------------------- */

/* It counts what the process computes: a busy machine is no hang. */
static void
set_watchdog(void)
{
	struct sigevent event = {
	    .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGALRM};
	const struct itimerspec limit = {.it_value.tv_sec = WATCHDOG_S};
	timer_t timer;

	if (timer_create(CLOCK_PROCESS_CPUTIME_ID, &event, &timer) < 0 ||
	    timer_settime(timer, 0, &limit, NULL) < 0)
		_exit(1);
	alarm(PATIENCE_S);
}

/* cmocka would go on with the next test. */
static void
be_mortal(void)
{
	const struct rlimit none = {0, 0};

	setrlimit(RLIMIT_CORE, &none);
	signal(SIGSEGV, SIG_DFL);
	signal(SIGBUS, SIG_DFL);
	signal(SIGABRT, SIG_DFL);
	(void)!freopen("/dev/null", "we", stderr);
	set_watchdog();
}

static void
look_up_all(struct cache *c)
{
	for (unsigned i = 0; i < CLIENTS; i++) {
		struct record_key key = cache_dir_key(i);
		struct record r;

		(void)cache_find(c, &key, &r);
	}
}

static void
wait_written(struct cache *c)
{
	while (cache_backlog(c) > 0)
		usleep(500);
}

static void
sweep(struct cache *c)
{
	struct cache_news news = {0};

	cache_sweep(c, (struct wall){1001});
	while (!news.swept && cache_is_usable(c)) {
		cache_take_news(c, &news);
		usleep(500);
	}
}

/* Old clients again and new ones; a whole batch does not wait. */
static void
store_batch(struct cache *c, unsigned from)
{
	for (unsigned i = 0; i < CACHE_BATCH_MIN; i++) {
		struct record_key key = cache_dir_key(from + i);
		struct record r = {{{3000 + i}}};

		(void)cache_store(c, &key, &r);
	}
	wait_written(c);
}

static bool
has_memory(struct cache *c, unsigned from)
{
	struct record r;

	for (unsigned i = 0; i < CACHE_BATCH_MIN; i++) {
		struct record_key key = cache_dir_key(from + i);

		if (!cache_find(c, &key, &r) || r.expires[0].s < 3000)
			return false;
	}
	return cache_is_usable(c);
}

static struct cache *
started(const struct cache_dir *d)
{
	struct cache_options o = cache_dir_options(d);
	struct errtext why;
	struct cache *c = cache_open(&o, &why);

	if (c == NULL || cache_start(c, &why) < 0)
		_exit(1);
	return c;
}

/* All that a daemon does with its cache. */
static void
live(const struct cache_dir *d, void (*damage)(const struct cache_dir *d))
{
	struct cache *c;
	bool works;

	be_mortal();
	child_lose_counts();
	c = started(d);
	if (damage != NULL)
		damage(d);
	look_up_all(c);
	store_batch(c, CLIENTS - CACHE_BATCH_MIN / 2);
	sweep(c);
	store_batch(c, 0);
	works = has_memory(c, 0);
	cache_close(&c);
	*verdict = works ? WORKS : FORGETS;
	_exit(0);
}

/* --- the parent ----------------------------------------------------------- */

static enum verdict
life(const struct cache_dir *d, void (*damage)(const struct cache_dir *d),
    const char *name)
{
	int status;
	pid_t pid;

	*verdict = DIED;
	if ((pid = fork()) == 0)
		live(d, damage);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM &&
	    !cache_dir_has(d, "pass.crashed"))
		fail_msg("%s: hangs", name);
	return *verdict;
}

/* Again and again: one death, then a cache that works. */
static void
expect_recovery(const struct cache_dir *d,
    void (*damage)(const struct cache_dir *d), const char *name,
    unsigned *deaths)
{
	enum verdict v = DIED;
	unsigned died = 0;

	for (int i = 0; i < RUNS; i++) {
		v = life(d, i == 0 ? damage : NULL, name);
		died += v == DIED;
		if (v == DIED && !cache_dir_has(d, "pass.crashed"))
			fail_msg("%s: died, file not set aside", name);
	}
	if (died > 1 || v != WORKS)
		fail_msg("%s: %u deaths; %d in the end", name, died, (int)v);
	*deaths += died;
}

static void
write_at(const char *path, long at, const void *bytes, size_t n)
{
	int fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);

	if (fd < 0 || pwrite(fd, bytes, n, at) != (ssize_t)n || close(fd) < 0)
		abort();
}

/* A small generator of our own: a failing case can be had again. */
static uint32_t seed;

static void
scribble(uint8_t *bytes, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		seed = seed * 1664525u + 1013904223u;
		bytes[i] = (uint8_t)(seed >> 24);
	}
}

static size_t
load(const struct cache_dir *d, uint8_t *bytes, size_t max)
{
	int fd = open(d->path, O_RDONLY | O_CLOEXEC);
	ssize_t n = read(fd, bytes, max);

	close(fd);
	assert_true(n > 0 && (size_t)n < max);
	return (size_t)n;
}

/* The file after a few batches, with free pages in it. */
static size_t
fill(const struct cache_dir *d, uint8_t *bytes, size_t max)
{
	struct cache *c = started(d);

	for (unsigned i = 0; i < CLIENTS; i++) {
		struct record_key key = cache_dir_key(i);
		struct record r = {{{i % 7 == 0 ? 1000 : 5000}}};

		assert_int_equal(cache_store(c, &key, &r), 0);
	}
	wait_written(c);
	cache_close(&c);
	return load(d, bytes, max);
}

static long damage_at;
static size_t damage_from, damage_n;
static uint8_t garbage[3 * PAGE];

static void
damage_page(const struct cache_dir *d)
{
	write_at(d->path, damage_at + (long)damage_from, garbage,
	    damage_n - damage_from);
}

static void
pages_of_garbage_kill_once(void **state)
{
	static const struct {
		const char *name;
		bool is_running;
		size_t from, n;
	} cases[] = {
	    {"a page, stopped", false, 0, PAGE},
	    {"a page, running", true, 0, PAGE},
	    {"below a header, stopped", false, HEADER, PAGE},
	    {"below a header, running", true, HEADER, PAGE},
	    {"half a header, stopped", false, HEADER - 4, PAGE},
	    {"half a header, running", true, HEADER - 4, PAGE},
	};
	static uint8_t sound[1 << 20];
	struct cache_dir *d = *state;
	size_t n = fill(d, sound, sizeof(sound));
	unsigned deaths = 0;

	if (HAS_ASAN || is_simulated())
		skip();
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		for (long at = 0; at < (long)n; at += PAGE) {
			char name[80];

			seed = (uint32_t)at + (uint32_t)i;
			scribble(garbage, sizeof(garbage));
			cache_dir_empty(d);
			write_at(d->path, 0, sound, n);
			damage_at = at;
			damage_from = cases[i].from;
			damage_n = cases[i].n;
			snprintf(name, sizeof(name), "%s, page %ld",
			    cases[i].name, at / PAGE);
			if (!cases[i].is_running)
				damage_page(d);
			expect_recovery(d,
			    cases[i].is_running ? damage_page : NULL, name,
			    &deaths);
		}
	}
	/* Else nothing was tried. */
	assert_true(deaths > 0);
}

/* A fault of its own is a fault for sure. */
static void
damage_length(const struct cache_dir *d)
{
	if (truncate(d->path, 2 * PAGE) < 0)
		_exit(1);
}

static void
a_file_cut_short_kills_once(void **state)
{
	static uint8_t sound[1 << 20];
	struct cache_dir *d = *state;
	struct cache_options o = cache_dir_options(d);
	struct errtext why;
	unsigned deaths = 0;
	struct cache *c;

	if (is_simulated())
		skip();
	fill(d, sound, sizeof(sound));
	assert_int_equal(life(d, damage_length, "cut"), DIED);
	assert_true(cache_dir_has(d, "pass.crashed"));
	assert_true(cache_dir_has(d, "pass.broken-lock"));
	assert_false(cache_dir_has(d, "pass"));
	/* The next one says so. */
	c = cache_open(&o, &why);
	assert_true(cache_is_usable(c));
	assert_non_null(strstr(why.text, "set aside as"));
	assert_true(cache_dir_has(d, "pass.broken"));
	assert_false(cache_dir_has(d, "pass.crashed"));
	cache_close(&c);
	expect_recovery(d, NULL, "after", &deaths);
	assert_int_equal(deaths, 0);
	c = cache_open(&o, &why);
	assert_string_equal(why.text, "");
	cache_close(&c);
}

/* --- readers -------------------------------------------------------------- */

/* 0 when all could be read, 1 when the reader, or the guard, said no. */
static _Noreturn void
read_all(const struct cache_dir *d)
{
	struct cache_scanned scanned[64];
	struct cache_place place;
	struct cache_file *f;
	struct errtext why;
	bool good;
	size_t n = 0;

	be_mortal();
	child_lose_counts();
	if (cache_place_init(&place, d->path, (uid_t)-1, (gid_t)-1) < 0)
		_exit(2);
	f = cache_file_open_to_read(&place, d->map_bytes, &why);
	good = f != NULL && cache_file_scan(f, NULL, scanned, 64, &n, &why) ==
				CACHE_FILE_DONE;
	for (unsigned i = 0; good && i < CLIENTS; i++) {
		struct record_key key = cache_dir_key(i);
		struct record r;

		good = cache_file_get(f, &key, &r, &why) != CACHE_FILE_FAILED;
	}
	_exit(good ? 0 : 1);
}

/* Not even a file that kills. */
static void
readers_set_nothing_aside(void **state)
{
	static uint8_t sound[1 << 20];
	struct cache_dir *d = *state;
	size_t n = fill(d, sound, sizeof(sound));
	unsigned refused = 0;

	if (HAS_ASAN || is_simulated())
		skip();
	for (long at = 0; at < (long)n; at += PAGE) {
		int status;
		pid_t pid;

		seed = (uint32_t)at;
		scribble(garbage, sizeof(garbage));
		cache_dir_empty(d);
		write_at(d->path, 0, sound, n);
		write_at(d->path, at + HEADER, garbage, PAGE - HEADER);
		if ((pid = fork()) == 0)
			read_all(d);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		if (!WIFEXITED(status) || WEXITSTATUS(status) > 1)
			fail_msg("page %ld: status %d", at / PAGE, status);
		refused += WEXITSTATUS(status) == 1;
		if (!cache_dir_has(d, "pass") ||
		    cache_dir_has(d, "pass.crashed") ||
		    cache_dir_has(d, "pass.broken"))
			fail_msg("page %ld: set aside", at / PAGE);
	}
	assert_true(refused > 0);
}

/* --- where it has to work ------------------------------------------------- */

/* After chroot(2) and setuid(2), in the drain child too. */
static void
die_in_jail(const struct cache_dir *d, bool drains)
{
	struct cache_options o = cache_dir_options(d);
	int fd = open(d->path, O_WRONLY | O_CLOEXEC);
	struct errtext why;
	struct cache *c;
	pid_t pid;

	be_mortal();
	child_lose_counts();
	o.uid = NOBODY;
	o.gid = NOBODY;
	if ((c = cache_open(&o, &why)) == NULL || chroot("/proc") < 0 ||
	    chdir("/") < 0 || setgid(NOBODY) < 0 || setuid(NOBODY) < 0 ||
	    cache_start(c, &why) < 0)
		_exit(3);
	if (drains) {
		cache_before_fork(c);
		if ((pid = fork()) != 0)
			_exit(waitpid(pid, NULL, 0) != pid);
		cache_after_fork_child(c, &why);
	}
	if (ftruncate(fd, 2 * PAGE) < 0)
		_exit(4);
	look_up_all(c);
	*verdict = WORKS;
	_exit(5);
}

static void
it_works_in_jail(void **state)
{
	static uint8_t sound[1 << 20];
	struct cache_dir *d = *state;

	if (geteuid() != 0 || is_simulated())
		skip();
	for (int drains = 0; drains < 2; drains++) {
		pid_t pid;

		cache_dir_empty(d);
		fill(d, sound, sizeof(sound));
		assert_int_equal(chown(d->dir, NOBODY, NOBODY), 0);
		assert_int_equal(chown(d->path, NOBODY, NOBODY), 0);
		*verdict = DIED;
		if ((pid = fork()) == 0) {
			char lock[400];

			snprintf(lock, sizeof(lock), "%s-lock", d->path);
			(void)unlink(lock);
			die_in_jail(d, drains);
		}
		assert_int_equal(waitpid(pid, NULL, 0), pid);
		assert_int_equal(*verdict, DIED);
		if (!cache_dir_has(d, "pass.crashed") ||
		    cache_dir_has(d, "pass-lock"))
			fail_msg("not set aside (%d)", drains);
	}
}

/* The daemon's watchdog barks at a lookup that does not end. */
static void
a_lookup_without_end_kills_once(void **state)
{
	struct cache_dir *d = *state;
	int status;
	pid_t pid;

	if ((pid = fork()) == 0) {
		be_mortal();
		started(d);
		cache_guard_enter();
		alarm(1);
		for (;;)
			pause();
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, SIGALRM);
	assert_true(cache_dir_has(d, "pass.crashed"));
}

/* --- what it says --------------------------------------------------------- */

/* What the child said on stderr, and how it ended. */
static int
last_words(const struct cache_dir *d, void (*act)(const struct cache_dir *d),
    char *text, size_t size)
{
	int ends[2], status;
	size_t n = 0;
	ssize_t got;
	pid_t pid;

	assert_int_equal(pipe(ends), 0);
	if ((pid = fork()) == 0) {
		be_mortal();
		dup2(ends[1], STDERR_FILENO);
		close(ends[0]);
		close(ends[1]);
		act(d);
		_exit(77);
	}
	close(ends[1]);
	while (
	    n < size - 1 && (got = read(ends[0], text + n, size - 1 - n)) > 0)
		n += (size_t)got;
	text[n] = '\0';
	close(ends[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static void
abort_inside(const struct cache_dir *d)
{
	(void)started(d);
	cache_guard_enter();
	cache_guard_enter();
	cache_guard_leave();
	abort();
}

static void
read_and_abort(const struct cache_dir *d)
{
	struct cache_place place;
	struct errtext why;

	if (cache_place_init(&place, d->path, (uid_t)-1, (gid_t)-1) < 0 ||
	    cache_file_open_to_read(&place, d->map_bytes, &why) == NULL)
		_exit(2);
	cache_guard_enter();
	abort();
}

static void
it_says_what_it_did(void **state)
{
	static uint8_t sound[1 << 20];
	struct cache_dir *d = *state;
	char text[1024], want[sizeof(d->path) + 80];
	int status;

	if (is_simulated())
		skip();
	fill(d, sound, sizeof(sound));
	/* Who may only look goes, and leaves it where it is. */
	(void)snprintf(
	    want, sizeof(want), "fatal: cache %s is damaged\n", d->path);
	status = last_words(d, read_and_abort, text, sizeof(text));
	assert_int_equal(status, 1 << 8);
	assert_string_equal(text, want);
	assert_true(cache_dir_has(d, "pass"));
	assert_false(cache_dir_has(d, "pass.crashed"));
	(void)snprintf(want, sizeof(want),
	    "fatal: cache %s is damaged: set aside for the next start\n",
	    d->path);
	assert_int_equal(
	    last_words(d, abort_inside, text, sizeof(text)), SIGABRT);
	assert_int_equal(strncmp(text, want, strlen(want)), 0);
	assert_true(cache_dir_has(d, "pass.crashed"));
	assert_true(cache_dir_has(d, "pass.broken-lock"));
	assert_false(cache_dir_has(d, "pass"));
	assert_false(cache_dir_has(d, "pass-lock"));
}

/* --- whom it leaves alone ------------------------------------------------- */

static void
fault_outside(struct cache *c)
{
	(void)c;
	raise(SIGSEGV);
}

static void
abort_outside(struct cache *c)
{
	(void)c;
	abort();
}

static void
alarm_outside(struct cache *c)
{
	(void)c;
	raise(SIGALRM);
}

static void
say_goodbye(int number)
{
	(void)number;
	_exit(42);
}

static void
another_handler(struct cache *c)
{
	cache_close(&c);
	fault_outside(c);
}

static void
after_the_end(struct cache *c)
{
	cache_close(&c);
	abort();
}

/* A signal that somebody sends says nothing of the file. It has to wait until
 * fork(), which holds the locks of malloc(), has returned to us; were it blocked
 * meanwhile, the writer's thread would get it, which is not inside. We wait for
 * the sender's end and not in pause(): valgrind keeps a SIGBUS that comes just
 * before a system call until after it. */
static void
send_from_another(int number)
{
	const pid_t us = getpid();
	char byte = 0;
	int ends[2];
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) < 0)
		_exit(1);
	cache_guard_enter();
	if ((pid = fork()) == 0) {
		close(ends[0]);
		child_lose_counts();
		_exit(read(ends[1], &byte, 1) != 1 || kill(us, number) < 0);
	}
	close(ends[1]);
	if (write(ends[0], &byte, 1) != 1)
		_exit(1);
	while (read(ends[0], &byte, 1) == 0)
		continue;
	_exit(1);
}

static void
abort_sent(struct cache *c)
{
	(void)c;
	send_from_another(SIGABRT);
}

static void
fault_sent(struct cache *c)
{
	(void)c;
	send_from_another(SIGBUS);
}

/* Inside and out again. */
static void
abort_after_it(struct cache *c)
{
	(void)c;
	cache_guard_enter();
	cache_guard_enter();
	cache_guard_leave();
	cache_guard_leave();
	abort();
}

static const struct cache_dir *here;

/* A file of that name which is another one. */
static void
begun_anew(struct cache *c)
{
	(void)c;
	if (unlink(here->path) < 0)
		_exit(1);
	write_at(here->path, 0, "new", 3);
	cache_guard_enter();
	abort();
}

static void
other_faults_are_not_its_business(void **state)
{
	static const struct {
		const char *name;
		void (*act)(struct cache *c);
		bool has_handler;
		int status;
	} cases[] = {
	    {"fault", fault_outside, false, SIGSEGV},
	    {"abort", abort_outside, false, SIGABRT},
	    {"watchdog", alarm_outside, false, SIGALRM},
	    {"handler before", fault_outside, true, 42 << 8},
	    {"handler again", another_handler, true, 42 << 8},
	    {"after the end", after_the_end, false, SIGABRT},
	    {"another file", begun_anew, false, SIGABRT},
	    {"abort by another", abort_sent, false, SIGABRT},
	    {"fault by another", fault_sent, false, SIGBUS},
	    {"abort behind it", abort_after_it, false, SIGABRT},
	};
	struct cache_dir *d = *state;

	assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0), 0);
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		int status;
		pid_t pid;

		cache_dir_empty(d);
		if ((pid = fork()) == 0) {
			here = d;
			be_mortal();
			if (cases[i].has_handler)
				signal(SIGSEGV, say_goodbye);
			cases[i].act(started(d));
			_exit(0);
		}
		assert_int_equal(waitpid(pid, &status, 0), pid);
		if (status != cases[i].status ||
		    cache_dir_has(d, "pass.crashed") ||
		    !cache_dir_has(d, "pass"))
			fail_msg("%s: status %x", cases[i].name, status);
		/* Who has sent a signal is left to us. */
		while (waitpid(-1, &status, 0) > 0)
			assert_int_equal(status, 0);
	}
}

#define TEST(name)                       \
	cmocka_unit_test_setup_teardown( \
	    name, cache_dir_setup, cache_dir_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(pages_of_garbage_kill_once),
	    TEST(a_file_cut_short_kills_once),
	    TEST(readers_set_nothing_aside),
	    TEST(it_works_in_jail),
	    TEST(a_lookup_without_end_kills_once),
	    TEST(it_says_what_it_did),
	    TEST(other_faults_are_not_its_business),
	};
	void *shared = mmap(NULL, sizeof(*verdict), PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (shared == MAP_FAILED)
		return 1;
	verdict = shared;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
