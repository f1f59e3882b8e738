/* SPDX-License-Identifier: ISC */
/* links: catch_output fake_mem scratch small_postfix */
#include "ops/postfix_job.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/catch_output.h"
#include "support/fake_mem.h"
#include "support/small_postfix.h"

#define PLAIN "smtp inet n - y - - smtpd -o a=b\n"
#define COMMENT "# from here on: others\n"
#define OTHERS                            \
	"pickup unix n - y 60 1 pickup\n" \
	"  -o content_filter=\n" COMMENT  \
	"cleanup   unix  n  -  y  -  0  cleanup\n"
#define PORT_NOW "smtp inet n - y - 1 doorbelld\n"
#define PASS_NOW "smtpd pass - - y - - smtpd -o a=b\n"

static struct small_postfix postfix;
static struct postfix_job job;

static int
setup(void **state)
{
	(void)state;
	small_postfix_make(&postfix, PLAIN OTHERS, "");
	job = (struct postfix_job){.lock = -1};
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	postfix_job_end(&job);
	small_postfix_remove(&postfix);
	return 0;
}

static int
begin(const char *service, bool lock, struct errtext *why)
{
	const struct postfix_request request = {
	    .config = postfix.config, .service = service};

	why->text[0] = '\0';
	return postfix_job_begin(&job, &request, lock, why);
}

static void
must_begin(const char *service)
{
	struct errtext why;

	if (begin(service, true, &why) < 0)
		fail_msg("%s", why.text);
}

static void
expect_reason(const struct errtext *why, const char *part)
{
	if (strstr(why->text, part) == NULL)
		fail_msg("\"%s\", not \"%s\"", why->text, part);
}

static void
set_master(const char *text)
{
	scratch_write(&postfix.scratch, "etc/master.cf", text, 0644);
}

static void
expect_master(const char *text)
{
	scratch_expect(&postfix.scratch, "etc/master.cf", text);
}

/* --- what there is ------------------------------------------------------------- */

static void
expect_path(const char *path, const char *name)
{
	assert_string_equal(path, scratch_path(&postfix.scratch, name));
}

static void
paths_are_those_of_the_configuration(void **state)
{
	(void)state;
	must_begin(NULL);
	expect_path(job.master, "etc/master.cf");
	expect_path(job.kept, "etc/master.cf.before-doorbell");
	expect_path(job.program, "libexec/doorbelld");
	expect_path(job.postconf, "bin/postconf");
	expect_path(job.postfix, "bin/postfix");
	assert_string_equal(job.pass, "smtpd");
	assert_true(span_is(job.port->field[MASTER_SERVICE], "smtp"));
	assert_true(job.runs);
	assert_false(job.reloaded);
	small_postfix_expect_calls(&postfix, "status\n");
}

static void
whether_it_runs(void **state)
{
	static const struct {
		const char *status;
		bool runs;
	} cases[] = {
	    {"echo running >&2", true},
	    {"exit 1", false},
	    {"kill -9 $$", false},
	};
	struct errtext why;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		small_postfix_on(&postfix, "status", cases[i].status);
		must_begin(NULL);
		if (job.runs != cases[i].runs)
			fail_msg("%s", cases[i].status);
		postfix_job_end(&job);
	}
	/* Who has no postfix(8) cannot run it either. */
	assert_int_equal(
	    unlink(scratch_path(&postfix.scratch, "bin/postfix")), 0);
	assert_int_equal(begin(NULL, false, &why), 0);
	assert_false(job.runs);
}

static void
which_service_is_meant(void **state)
{
	static const struct {
		const char *master, *service, *reason;
	} cases[] = {
	    {PLAIN, NULL, NULL},
	    {PLAIN, "smtp", NULL},
	    {PLAIN, "25", "master.cf has no service 25 inet"},
	    {PLAIN, "", "master.cf has no service  inet"},
	    {OTHERS, NULL, "master.cf has no service on port 25"},
	    {OTHERS, "pickup", "master.cf has no service pickup inet"},
	    {PLAIN "[::1]:25 inet n - y - - smtpd\n", NULL, "several services"},
	    {PLAIN "[::1]:25 inet n - y - - smtpd\n", "[::1]:25", NULL},
	    {"", NULL, "master.cf has no service on port 25"},
	    {"smtp inet n\n", NULL, "less than 8 fields"},
	};
	struct errtext why;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int rc;

		set_master(cases[i].master);
		rc = begin(cases[i].service, true, &why);
		assert_int_equal(rc, cases[i].reason == NULL ? 0 : -1);
		if (cases[i].reason != NULL)
			expect_reason(&why, cases[i].reason);
		postfix_job_end(&job);
	}
}

static void
a_file_is_no_postfix(void **state)
{
	const struct postfix_request request = {
	    .config = scratch_path(&postfix.scratch, "etc/main.cf")};
	struct errtext why = {""};

	(void)state;
	assert_int_equal(postfix_job_begin(&job, &request, true, &why), -1);
	expect_reason(&why, "/etc/main.cf: not a directory of Postfix");
}

static void
no_directory_is_no_postfix(void **state)
{
	const struct postfix_request request = {
	    .config = scratch_path(&postfix.scratch, "none")};
	struct errtext why = {""};

	(void)state;
	assert_int_equal(postfix_job_begin(&job, &request, true, &why), -1);
	expect_reason(&why, "/none: No such file or directory");
}

/* Without postfix's private directory no service of type pass is made. */
static void
smtpd_is_private(void **state)
{
	static const struct {
		const char *service, *pass;
	} cases[] = {
	    {"private/inner", "inner"},
	    {"private/", NULL},
	    {"private", NULL},
	    {"public/smtpd", NULL},
	    {"/var/spool/postfix/private/smtpd", NULL},
	};
	struct errtext why;
	char text[200];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int rc;

		(void)snprintf(text, sizeof(text),
		    "doorbell_smtpd_service = %s\n", cases[i].service);
		scratch_write(&postfix.scratch, "etc/doorbell.cf", text, 0644);
		rc = begin(NULL, false, &why);
		assert_int_equal(rc, cases[i].pass != NULL ? 0 : -1);
		if (rc < 0)
			expect_reason(&why, "only a service in private/");
		else
			assert_string_equal(job.pass, cases[i].pass);
		postfix_job_end(&job);
	}
}

/* --- one at a time --------------------------------------------------------------- */

static int
lock_of_another(void)
{
	int fd = open(postfix.config, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	assert_true(fd >= 0);
	if (flock(fd, LOCK_EX | LOCK_NB) == 0)
		return fd;
	assert_int_equal(errno, EWOULDBLOCK);
	close(fd);
	return -1;
}

static void
two_do_not_change_it_at_once(void **state)
{
	struct errtext why;
	int other = lock_of_another();

	(void)state;
	assert_true(other >= 0);
	assert_int_equal(begin(NULL, true, &why), -1);
	expect_reason(&why, "/etc: another doorbellctl is at work");
	postfix_job_end(&job);
	/* Who only looks need not wait. */
	assert_int_equal(begin(NULL, false, &why), 0);
	postfix_job_end(&job);
	close(other);
	must_begin(NULL);
	assert_int_equal(lock_of_another(), -1);
	postfix_job_end(&job);
	other = lock_of_another();
	assert_true(other >= 0);
	close(other);
}

/* The child is what we read doorbell.cf from. */
static _Noreturn void
look_at_the_lock(const char *path)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	int lock = open(postfix.config, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	bool is_held = flock(lock, LOCK_EX | LOCK_NB) < 0;

	close(fd);
	_exit(fd >= 0 && lock >= 0 && is_held ? 0 : 1);
}

/* Otherwise it could be old before it is ours. */
static void
nothing_is_read_before_the_lock(void **state)
{
	const char *path = scratch_path(&postfix.scratch, "etc/doorbell.cf");
	struct errtext why;
	int status;
	pid_t pid;

	(void)state;
	assert_int_equal(mkfifo(path, 0600), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		look_at_the_lock(path);
	assert_int_equal(begin(NULL, true, &why), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

/* --- editing ---------------------------------------------------------------------- */

static int
plan_and_edit(struct errtext *why)
{
	if (edit_plan_enable(
		&job.plan, &job.site.master, job.port, job.pass, why) < 0)
		fail_msg("%s", why->text);
	why->text[0] = '\0';
	return postfix_job_edit(&job, why);
}

static void
the_plan_is_carried_out(void **state)
{
	struct errtext why = {""};

	(void)state;
	must_begin(NULL);
	small_postfix_expect_calls(&postfix, "status\n");
	assert_int_equal(plan_and_edit(&why), 0);
	expect_master(PORT_NOW OTHERS PASS_NOW);
	small_postfix_expect_calls(&postfix,
	    "postconf|-M|smtp/inet=smtp inet n - y - 1 doorbelld"
	    "|smtpd/pass=smtpd pass - - y - - smtpd -o a=b\n");
}

static void
no_plan_is_no_call(void **state)
{
	struct errtext why = {""};

	(void)state;
	set_master(PORT_NOW OTHERS PASS_NOW);
	must_begin(NULL);
	small_postfix_expect_calls(&postfix, "status\n");
	assert_int_equal(plan_and_edit(&why), 0);
	expect_master(PORT_NOW OTHERS PASS_NOW);
	small_postfix_expect_calls(&postfix, NULL);
}

/* What postconf does, and what is said of it. */
static void
an_edit_that_goes_wrong(void **state)
{
	static const struct {
		const char *master, *postconf, *edited, *reason;
	} cases[] = {
	    {PLAIN OTHERS, "echo 'fatal: no'; exit 1", "",
		"/bin/postconf: fatal: no"},
	    {PLAIN OTHERS, "exit 3", "", "/bin/postconf ended with 3"},
	    {PLAIN OTHERS, "kill -9 $$", "", "/bin/postconf ended with 137"},
	    {PLAIN OTHERS, "exit 0", "",
		"postconf made \"smtp inet n - y - - smtpd -o a=b\" of"
		" \"smtp inet n - y - 1 doorbelld\""},
	    {PLAIN OTHERS, "", "sed -i '/^smtp /d' \"$D/etc/master.cf\"",
		"postconf made \"\" of \"smtp inet n - y - 1 doorbelld\""},
	    {PLAIN OTHERS, "", "sed -i '/^smtpd /d' \"$D/etc/master.cf\"",
		"postconf made \"\" of \"smtpd pass - - y - - smtpd -o a=b\""},
	    {PLAIN OTHERS, "", "sed -i 's/a=b/a=c/' \"$D/etc/master.cf\"",
		"postconf made \"smtpd pass - - y - - smtpd -o a=c\" of"},
	    {PLAIN OTHERS, "", "sed -i 's/^ *-o/-o/' \"$D/etc/master.cf\"",
		"less than 8 fields"},
	    {PLAIN OTHERS, "", "sed -i 's/ 60 / 61 /' \"$D/etc/master.cf\"",
		"postconf changed more of master.cf than it was told to"},
	    {PLAIN OTHERS, "",
		"sed -i 's/cleanup   /cleanup /'"
		" \"$D/etc/master.cf\"",
		"postconf changed more"},
	    {PLAIN OTHERS, "", "sed -i '/^#/d' \"$D/etc/master.cf\"",
		"postconf changed more"},
	    {PLAIN OTHERS, "", "echo '#' >>\"$D/etc/master.cf\"",
		"postconf changed more"},
	    {PLAIN, "", "echo '#' >>\"$D/etc/master.cf\"",
		"postconf changed more"},
	    {PLAIN OTHERS, "", "rm \"$D/etc/master.cf\"",
		"/etc/master.cf: No such file"},
	    {PLAIN OTHERS, "", "printf '\\0' >>\"$D/etc/master.cf\"",
		"NUL byte"},
	    {PLAIN OTHERS, "", ":>\"$D/etc/master.cf\"", "postconf made \"\""},
	    /* The entry that is there already has no plan. */
	    {PLAIN OTHERS PASS_NOW, "",
		"sed -i 's/a=b/a=c/' \"$D/etc/master.cf\"",
		"postconf changed more"},
	    {PLAIN OTHERS PASS_NOW, "",
		"sed -i '/^smtpd /d' \"$D/etc/master.cf\"",
		"postconf changed more"},
	    {PORT_NOW OTHERS, "", "sed -i '/^smtp /d' \"$D/etc/master.cf\"",
		"postconf changed more"},
	};
	struct errtext why;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		set_master(cases[i].master);
		must_begin(NULL);
		small_postfix_on(&postfix, "postconf", cases[i].postconf);
		small_postfix_on(&postfix, "edited", cases[i].edited);
		if (plan_and_edit(&why) == 0)
			fail_msg("%s%s", cases[i].postconf, cases[i].edited);
		expect_reason(&why, cases[i].reason);
		postfix_job_end(&job);
	}
}

static void
plan_to_leave(void)
{
	struct master_cf then;
	struct errtext why = {""};

	assert_int_equal(
	    master_cf_parse(&then, span_str(PLAIN OTHERS), &why), 0);
	assert_int_equal(edit_plan_disable(&job.plan, &job.site.master,
			     job.port, job.pass, &then, &why),
	    0);
	assert_true(job.plan.pass_goes);
	master_cf_clear(&then);
}

static void
the_pass_service_goes(void **state)
{
	struct errtext why = {""};

	(void)state;
	set_master(PORT_NOW OTHERS PASS_NOW);
	must_begin(NULL);
	small_postfix_expect_calls(&postfix, "status\n");
	plan_to_leave();
	assert_int_equal(postfix_job_edit(&job, &why), 0);
	expect_master(PLAIN OTHERS);
	small_postfix_expect_calls(&postfix,
	    "postconf|-M|smtp/inet=smtp inet n - y - - smtpd -o a=b\n"
	    "postconf|-MX|smtpd/pass\n");
}

static void
the_pass_service_does_not_go(void **state)
{
	static const struct {
		const char *postconf, *reason;
	} cases[] = {
	    {"[ $1 = -MX ] && exit 0", "postconf did not remove smtpd/pass"},
	    {"[ $1 = -MX ] && { echo no; exit 1; }", "/bin/postconf: no"},
	};
	struct errtext why;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		set_master(PORT_NOW OTHERS PASS_NOW);
		must_begin(NULL);
		plan_to_leave();
		small_postfix_on(&postfix, "postconf", cases[i].postconf);
		assert_int_equal(postfix_job_edit(&job, &why), -1);
		expect_reason(&why, cases[i].reason);
		postfix_job_end(&job);
	}
}

/* --- its way back ----------------------------------------------------------------- */

static void
all_is_as_it_was(void **state)
{
	struct errtext why = {""};
	struct stat st;

	(void)state;
	assert_int_equal(
	    chmod(scratch_path(&postfix.scratch, "etc/master.cf"), 0604), 0);
	must_begin(NULL);
	assert_non_null(undo_remember(&job.undo, job.master, &why));
	assert_non_null(undo_remember(&job.undo, job.kept, &why));
	scratch_write(
	    &postfix.scratch, "etc/master.cf.before-doorbell", "x", 0600);
	assert_int_equal(plan_and_edit(&why), 0);
	assert_int_equal(postfix_job_undo(&job, &why), 0);
	expect_master(PLAIN OTHERS);
	assert_int_equal(stat(job.master, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0604);
	scratch_expect(&postfix.scratch, "etc/master.cf.before-doorbell", NULL);
}

/* --- the test of the configuration ------------------------------------------------- */

static int
test_saying(const char *want, struct errtext *why)
{
	struct caught said;
	int rc;

	why->text[0] = '\0';
	catch_begin(&said);
	rc = postfix_job_test(&job, why);
	catch_end(&said);
	assert_string_equal(said.err, want);
	assert_string_equal(said.out, "");
	catch_clear(&said);
	return rc;
}

static void
doorbelld_says_what_it_thinks(void **state)
{
	static const struct {
		const char *script, *said, *reason;
	} cases[] = {
	    {"", "", NULL},
	    {"echo a warning; echo another >&2", "a warning\nanother\n", NULL},
	    {"echo an error >&2; exit 1", "an error\n",
		"doorbelld -t: the configuration has errors"},
	    {"exit 75", "", "doorbelld -t: the configuration has errors"},
	    {"kill -9 $$", "", "doorbelld -t: the configuration has errors"},
	};
	struct errtext why;

	(void)state;
	must_begin(NULL);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		small_postfix_on(&postfix, "doorbelld", cases[i].script);
		assert_int_equal(test_saying(cases[i].said, &why),
		    cases[i].reason == NULL ? 0 : -1);
		if (cases[i].reason != NULL)
			expect_reason(&why, cases[i].reason);
	}
}

/* Those that its line has, or will have: a postscreen's stay. */
static void
doorbelld_is_tested_with_its_options(void **state)
{
	static const struct {
		const char *master, *calls;
	} cases[] = {
	    {PLAIN, "status\ndoorbelld\n"},
	    {"smtp inet n - y - 1 postscreen -v -o a=b\n -o { c = d e }\n",
		"status\ndoorbelld|-o|a=b|-o|c = d e\n"},
	    {"smtp inet n - y - 1 doorbelld -o x=y\n",
		"status\ndoorbelld|-o|x=y\n"},
	};
	struct errtext why;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		set_master(cases[i].master);
		must_begin(NULL);
		assert_int_equal(edit_plan_enable(&job.plan, &job.site.master,
				     job.port, job.pass, &why),
		    0);
		assert_int_equal(test_saying("", &why), 0);
		small_postfix_expect_calls(&postfix, cases[i].calls);
		postfix_job_end(&job);
	}
}

static void
more_options_than_anybody_has(void **state)
{
	static const struct {
		int options, rc;
	} cases[] = {{125, 0}, {126, -1}, {1000, -1}};
	struct errtext why;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct buf line;

		buf_init(&line, 10000);
		assert_int_equal(
		    buf_add_str(&line, "smtp inet n - y - 1 doorbelld"), 0);
		for (int n = 0; n < cases[i].options; n++)
			assert_int_equal(buf_add_str(&line, " -oa=b"), 0);
		set_master(buf_str(&line));
		buf_clear(&line);
		must_begin(NULL);
		assert_int_equal(test_saying("", &why), cases[i].rc);
		if (cases[i].rc < 0)
			expect_reason(&why, "too many -o options");
		postfix_job_end(&job);
	}
}

static void
no_doorbelld_to_ask(void **state)
{
	struct errtext why;

	(void)state;
	must_begin(NULL);
	assert_int_equal(unlink(job.program), 0);
	assert_int_equal(test_saying("", &why), -1);
}

/* --- taking up --------------------------------------------------------------------- */

static void
check_comes_before_reload(void **state)
{
	static const struct {
		const char *what, *script, *calls, *reason;
		bool reloaded;
	} cases[] = {
	    {"none", "", "status\ncheck\nreload\n", NULL, true},
	    {"status", "exit 1", "status\ncheck\n", NULL, false},
	    {"check", "echo bad; exit 1", "status\ncheck\n",
		"postfix check: ", false},
	    {"check", "kill -TERM $$", "status\ncheck\n",
		"/bin/postfix ended with 143", false},
	    {"reload", "echo worse; exit 2", "status\ncheck\nreload\n",
		"/bin/postfix: worse", true},
	};
	struct errtext why = {""};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		small_postfix_on(&postfix, "status", "");
		small_postfix_on(&postfix, "check", "");
		small_postfix_on(&postfix, cases[i].what, cases[i].script);
		must_begin(NULL);
		assert_int_equal(postfix_job_take_up(&job, &why),
		    cases[i].reason == NULL ? 0 : -1);
		if (cases[i].reason != NULL)
			expect_reason(&why, cases[i].reason);
		assert_int_equal(job.reloaded, cases[i].reloaded);
		small_postfix_expect_calls(&postfix, cases[i].calls);
		postfix_job_end(&job);
	}
}

static void
a_reload_alone(void **state)
{
	struct errtext why = {""};

	(void)state;
	must_begin(NULL);
	assert_int_equal(postfix_job_reload(&job, &why), 0);
	small_postfix_expect_calls(&postfix, "status\nreload\n");
	small_postfix_on(&postfix, "reload", "echo oh >&2; exit 1");
	assert_int_equal(postfix_job_reload(&job, &why), -1);
	assert_memory_equal(why.text, "postfix reload: /", 17);
	expect_reason(&why, "/bin/postfix: oh");
}

/* --- without memory ----------------------------------------------------------------- */

static int
begin_anew(struct errtext *why)
{
	postfix_job_end(&job);
	return begin(NULL, true, why);
}

static int
test_quietly(struct errtext *why)
{
	return test_saying("", why);
}

static int
edit(struct errtext *why)
{
	return postfix_job_edit(&job, why);
}

/* Each of the last `n_max` allocations of a step fails once: it is said, and
 * without that all is well. */
static void
fail_each_time(int (*step)(struct errtext *), unsigned long n_max)
{
	struct errtext why = {""};
	unsigned long n, failed = 0;

	fake_mem_fault = (struct fake_fault){.armed = true};
	assert_int_equal(step(&why), 0);
	n = fake_mem_fault.calls;
	for (unsigned long i = n > n_max ? n - n_max : 0; i < n; i++) {
		int rc;

		why.text[0] = '\0';
		fake_mem_fault =
		    (struct fake_fault){.armed = true, .at = i + 1};
		rc = step(&why);
		fake_mem_fault.armed = false;
		failed += rc < 0;
		if (rc < 0)
			assert_string_not_equal(why.text, "");
	}
	assert_true(failed > 5);
	assert_int_equal(step(&why), 0);
}

static void
memory_runs_out(void **state)
{
	struct errtext why;

	(void)state;
	set_master(PORT_NOW OTHERS PASS_NOW);
	/* What is before that is tried in test_memory. */
	fail_each_time(begin_anew, 6);
	fail_each_time(test_quietly, 100);
	plan_to_leave();
	fail_each_time(edit, 100);
	expect_master(PLAIN OTHERS);
	postfix_job_end(&job);
	must_begin(NULL);
	assert_int_equal(edit_plan_enable(&job.plan, &job.site.master, job.port,
			     job.pass, &why),
	    0);
	fail_each_time(edit, 100);
	expect_master(PORT_NOW OTHERS PASS_NOW);
}

#define WITH_POSTFIX(test) \
	cmocka_unit_test_setup_teardown(test, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    WITH_POSTFIX(paths_are_those_of_the_configuration),
	    WITH_POSTFIX(whether_it_runs),
	    WITH_POSTFIX(which_service_is_meant),
	    WITH_POSTFIX(a_file_is_no_postfix),
	    WITH_POSTFIX(no_directory_is_no_postfix),
	    WITH_POSTFIX(smtpd_is_private),
	    WITH_POSTFIX(two_do_not_change_it_at_once),
	    WITH_POSTFIX(nothing_is_read_before_the_lock),
	    WITH_POSTFIX(the_plan_is_carried_out),
	    WITH_POSTFIX(no_plan_is_no_call),
	    WITH_POSTFIX(an_edit_that_goes_wrong),
	    WITH_POSTFIX(the_pass_service_goes),
	    WITH_POSTFIX(the_pass_service_does_not_go),
	    WITH_POSTFIX(all_is_as_it_was),
	    WITH_POSTFIX(doorbelld_says_what_it_thinks),
	    WITH_POSTFIX(doorbelld_is_tested_with_its_options),
	    WITH_POSTFIX(more_options_than_anybody_has),
	    WITH_POSTFIX(no_doorbelld_to_ask),
	    WITH_POSTFIX(check_comes_before_reload),
	    WITH_POSTFIX(a_reload_alone),
	    WITH_POSTFIX(memory_runs_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
