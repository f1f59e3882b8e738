/* SPDX-License-Identifier: ISC */
/* links: child_end */
#include "daemon/jail.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

#include "support/child_end.h"

/* What cannot be undone is done in children. Some of them end where gcov's files
 * are out of reach. */

enum { SOMEBODY = 12345, NOBODY = 65534 };

static const struct jail_user somebody = {
    .name = "somebody", .uid = SOMEBODY, .gid = SOMEBODY};

static bool
is_empty(const struct errtext *why)
{
	return why->text[0] == '\0';
}

static bool
says(const struct errtext *why, const char *text)
{
	if (strcmp(why->text, text) == 0)
		return true;
	(void)fprintf(stderr, "it says: %s\n", why->text);
	return false;
}

static void
expect(int (*deed)(void))
{
	assert_int_equal(child_outcome(deed), 0);
}

static void
expect_as_root(int (*deed)(void))
{
	if (geteuid() != 0)
		skip();
	expect(deed);
}

/* Be root in a world that has no other user. */
static bool
enter_small_world(void)
{
	const uid_t uid = geteuid();
	char map[32];
	int fd, n = snprintf(map, sizeof(map), "0 %u 1", (unsigned)uid);
	bool done;

	if (unshare(CLONE_NEWUSER) < 0 ||
	    (fd = open("/proc/self/uid_map", O_WRONLY | O_CLOEXEC)) < 0)
		return false;
	done = write(fd, map, (size_t)n) == n;
	close(fd);
	return done && geteuid() == 0;
}

enum { NO_SMALL_WORLD = 77 };

static void
expect_in_small_world(int (*deed)(void))
{
	int got = child_outcome(deed);

	if (got == NO_SMALL_WORLD)
		skip(); /* not everybody may make one */
	assert_int_equal(got, 0);
}

/* --- users ------------------------------------------------------------------- */

static void
users_by_name(void **state)
{
	struct jail_user user = {.uid = 7};
	struct errtext why = {""};
	char name[1001], want[1100];

	(void)state;
	assert_int_equal(jail_find_user("root", &user, &why), 0);
	assert_string_equal(user.name, "root");
	assert_int_equal(user.uid, 0);
	assert_int_equal(user.gid, 0);
	assert_true(is_empty(&why));
	assert_int_equal(jail_find_user("nobody-of-us", &user, &why), -1);
	assert_string_equal(why.text, "user nobody-of-us: unknown");
	assert_int_equal(jail_find_user("", &user, &why), -1);
	assert_string_equal(why.text, "user : unknown");
	memset(name, 'x', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	(void)snprintf(want, sizeof(want), "user %.200s", name);
	assert_int_equal(jail_find_user(name, &user, &why), -1);
	assert_int_equal(strncmp(why.text, want, strlen(want)), 0);
}

/* --- groups -------------------------------------------------------------------- */

static int
join(void)
{
	const gid_t too_many[] = {0, 4711};
	gid_t groups[64];
	struct jail_user user;
	struct errtext why = {""};
	int n;

	CHILD_HOLDS(setgroups(2, too_many) == 0);
	CHILD_HOLDS(jail_find_user("nobody", &user, &why) == 0);
	CHILD_HOLDS(jail_join_groups(&user, &why) == 0);
	CHILD_HOLDS(is_empty(&why));
	CHILD_HOLDS(getgid() == user.gid && getegid() == user.gid);
	n = getgroups(64, groups);
	CHILD_HOLDS(n >= 0);
	for (int i = 0; i < n; i++)
		CHILD_HOLDS(groups[i] != 0 && groups[i] != 4711);
	return 0;
}

static void
roots_own_groups_are_left(void **state)
{
	(void)state;
	expect_as_root(join);
}

static int
join_in_small_world(void)
{
	struct errtext why;

	if (!enter_small_world())
		return NO_SMALL_WORLD;
	CHILD_HOLDS(jail_join_groups(&somebody, &why) < 0);
	CHILD_HOLDS(says(
	    &why, "cannot join the groups of user somebody: Invalid argument"));
	return 0;
}

static void
groups_that_are_not_there(void **state)
{
	(void)state;
	expect_in_small_world(join_in_small_world);
}

/* --- another root ------------------------------------------------------------------ */

static char directory[128];

static int
change_root(void)
{
	struct errtext why = {""};
	char cwd[64];
	int fd;

	CHILD_HOLDS(chdir(directory) == 0);
	fd = open("test_jail.here", O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	CHILD_HOLDS(fd >= 0 && close(fd) == 0);
	CHILD_HOLDS(access("/test_jail.here", F_OK) < 0);
	CHILD_HOLDS(jail_change_root(&why) == 0);
	CHILD_HOLDS(is_empty(&why));
	CHILD_HOLDS(access("/test_jail.here", F_OK) == 0);
	CHILD_HOLDS(getcwd(cwd, sizeof(cwd)) != NULL);
	CHILD_HOLDS(strcmp(cwd, "/") == 0);
	CHILD_HOLDS(chdir("..") == 0);
	CHILD_HOLDS(unlink("test_jail.here") == 0);
	_exit(0);
}

static void
the_working_directory_becomes_the_root(void **state)
{
	const char *tmp = getenv("TMPDIR");
	int got;

	(void)state;
	if (geteuid() != 0)
		skip();
	(void)snprintf(directory, sizeof(directory), "%s/test_jail.XXXXXX",
	    tmp != NULL ? tmp : "/tmp");
	assert_non_null(mkdtemp(directory));
	got = child_outcome(change_root);
	assert_int_equal(rmdir(directory), 0);
	assert_int_equal(got, 0);
}

static int
change_root_as_nobody(void)
{
	const uid_t uid = geteuid();
	struct errtext why;

	CHILD_HOLDS(uid != 0 || seteuid(NOBODY) == 0);
	CHILD_HOLDS(jail_change_root(&why) < 0);
	CHILD_HOLDS(says(
	    &why, "chroot to the queue directory: Operation not permitted"));
	CHILD_HOLDS(seteuid(uid) == 0);
	return 0;
}

static void
only_root_changes_the_root(void **state)
{
	(void)state;
	expect(change_root_as_nobody);
}

/* --- becoming somebody --------------------------------------------------------------- */

static int
become_nobody(void)
{
	uid_t real, effective, saved;
	struct jail_user user;
	struct errtext why = {""};

	CHILD_HOLDS(jail_find_user("nobody", &user, &why) == 0);
	CHILD_HOLDS(jail_become(&user, &why) == 0);
	CHILD_HOLDS(is_empty(&why));
	CHILD_HOLDS(getresuid(&real, &effective, &saved) == 0);
	CHILD_HOLDS(real == user.uid && effective == real && saved == real);
	CHILD_HOLDS(setuid(0) < 0 && errno == EPERM);
	CHILD_HOLDS(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1);
	/* It is this user already. */
	CHILD_HOLDS(jail_become(&user, &why) == 0);
	CHILD_HOLDS(jail_become(&somebody, &why) < 0);
	CHILD_HOLDS(
	    says(&why, "cannot become user somebody: not started as root"));
	_exit(0);
}

static void
there_is_no_way_back(void **state)
{
	(void)state;
	expect_as_root(become_nobody);
}

static int
stay_root(void)
{
	const struct jail_user root = {.name = "toor"};
	struct errtext why;

	CHILD_HOLDS(jail_become(&root, &why) < 0);
	CHILD_HOLDS(says(&why, "will not serve the network as root"));
	return 0;
}

static void
nobody_serves_as_root(void **state)
{
	(void)state;
	expect_as_root(stay_root);
}

static int
without_root(void)
{
	gid_t before[64], after[64];
	struct jail_user user = {.name = "me"};
	const uid_t uid = geteuid();
	struct errtext why = {""};
	int n;

	CHILD_HOLDS(uid != 0 || seteuid(NOBODY) == 0);
	user.uid = geteuid();
	n = getgroups(64, before);
	CHILD_HOLDS(jail_join_groups(&user, &why) == 0);
	CHILD_HOLDS(getgroups(64, after) == n);
	CHILD_HOLDS(
	    n <= 0 || memcmp(before, after, (size_t)n * sizeof(gid_t)) == 0);
	CHILD_HOLDS(jail_become(&user, &why) == 0);
	CHILD_HOLDS(is_empty(&why));
	user.uid++;
	CHILD_HOLDS(jail_become(&user, &why) < 0);
	CHILD_HOLDS(says(&why, "cannot become user me: not started as root"));
	CHILD_HOLDS(seteuid(uid) == 0);
	return 0;
}

static void
without_root_we_are_ourselves(void **state)
{
	(void)state;
	expect(without_root);
}

static int
become_in_small_world(void)
{
	struct errtext why;

	if (!enter_small_world())
		return NO_SMALL_WORLD;
	CHILD_HOLDS(jail_become(&somebody, &why) < 0);
	CHILD_HOLDS(
	    says(&why, "cannot become user somebody: Invalid argument"));
	return 0;
}

static void
users_that_are_not_there(void **state)
{
	(void)state;
	expect_in_small_world(become_in_small_world);
}

/* --- limits ----------------------------------------------------------------------------- */

/* Under valgrind these limits are its own. */
static bool
is_simulated(void)
{
	const char *preload = getenv("LD_PRELOAD");

	return preload != NULL && strstr(preload, "vgpreload") != NULL;
}

static int
raise_descriptors(void)
{
	struct rlimit rl;
	rlim_t hard;

	CHILD_HOLDS(getrlimit(RLIMIT_NOFILE, &rl) == 0);
	hard = rl.rlim_max;
	rl.rlim_cur = 40;
	CHILD_HOLDS(setrlimit(RLIMIT_NOFILE, &rl) == 0);
	CHILD_HOLDS(jail_raise_descriptors() == hard);
	CHILD_HOLDS(getrlimit(RLIMIT_NOFILE, &rl) == 0);
	CHILD_HOLDS(rl.rlim_cur == hard && rl.rlim_max == hard);
	/* Nothing to raise. */
	rl.rlim_cur = rl.rlim_max = 40;
	CHILD_HOLDS(setrlimit(RLIMIT_NOFILE, &rl) == 0);
	CHILD_HOLDS(jail_raise_descriptors() == 40);
	return 0;
}

static void
descriptors_up_to_the_hard_limit(void **state)
{
	(void)state;
	if (is_simulated())
		skip();
	expect(raise_descriptors);
}

/* For how many descriptors the kernel has room. */
static unsigned
seats(void)
{
	char line[256];
	unsigned n = 0;
	FILE *fp = fopen("/proc/self/status", "re");

	while (fp != NULL && fgets(line, sizeof(line), fp) != NULL)
		if (sscanf(line, "FDSize: %u", &n) == 1)
			break;
	if (fp != NULL)
		fclose(fp);
	return n;
}

static unsigned
open_descriptors(void)
{
	unsigned n = 0;

	for (int fd = 0; fd < 4096; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

static int
take_seats(void)
{
	const unsigned open_before = open_descriptors();
	struct rlimit rl;

	CHILD_HOLDS(getrlimit(RLIMIT_NOFILE, &rl) == 0);
	if (rl.rlim_max < 4096)
		return 0;
	rl.rlim_cur = 4096;
	CHILD_HOLDS(setrlimit(RLIMIT_NOFILE, &rl) == 0);
	CHILD_HOLDS(seats() < 4096);
	/* Beyond what is allowed, or nothing: no harm is done. */
	jail_seat_descriptors(4097);
	jail_seat_descriptors(0);
	jail_seat_descriptors(SIZE_MAX);
	CHILD_HOLDS(seats() < 4096);
	CHILD_HOLDS(open_descriptors() == open_before);
	jail_seat_descriptors(4096);
	CHILD_HOLDS(seats() == 4096);
	CHILD_HOLDS(open_descriptors() == open_before);
	rl.rlim_cur = 0;
	CHILD_HOLDS(setrlimit(RLIMIT_NOFILE, &rl) == 0);
	jail_seat_descriptors(4096);
	rl.rlim_cur = 4096;
	CHILD_HOLDS(setrlimit(RLIMIT_NOFILE, &rl) == 0);
	CHILD_HOLDS(open_descriptors() == open_before);
	return 0;
}

static void
descriptors_have_their_seats(void **state)
{
	(void)state;
	if (is_simulated())
		skip();
	expect(take_seats);
}

static int
forbid_core(void)
{
	struct rlimit rl;

	jail_forbid_core();
	CHILD_HOLDS(getrlimit(RLIMIT_CORE, &rl) == 0);
	CHILD_HOLDS(rl.rlim_cur == 0 && rl.rlim_max == 0);
	return 0;
}

static void
no_core_is_left(void **state)
{
	(void)state;
	expect(forbid_core);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(users_by_name),
	    cmocka_unit_test(roots_own_groups_are_left),
	    cmocka_unit_test(groups_that_are_not_there),
	    cmocka_unit_test(the_working_directory_becomes_the_root),
	    cmocka_unit_test(only_root_changes_the_root),
	    cmocka_unit_test(there_is_no_way_back),
	    cmocka_unit_test(nobody_serves_as_root),
	    cmocka_unit_test(without_root_we_are_ourselves),
	    cmocka_unit_test(users_that_are_not_there),
	    cmocka_unit_test(descriptors_up_to_the_hard_limit),
	    cmocka_unit_test(descriptors_have_their_seats),
	    cmocka_unit_test(no_core_is_left),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
