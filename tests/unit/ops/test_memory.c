/* SPDX-License-Identifier: ISC */
/* Every allocation fails once: nothing leaks, nothing crashes, and it is said
 * that something went wrong. */
/* links: fake_mem */
#include "ops/site.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "ops/edit_plan.h"
#include "ops/replace.h"
#include "support/fake_mem.h"

enum { TRIES_MAX = 2000 };

static const char master[] = "smtp inet n - y - - smtpd\n -o a=b -o c=d\n"
			     "2525 inet n - y - 1 doorbelld -o e=f\n";

static int
plan(void)
{
	struct edit_plan plan = {0}, back = {0};
	struct errtext why = {""};
	struct master_cf cf;
	int rc = master_cf_parse(&cf, span_str(master), &why);

	if (rc == 0)
		rc = edit_plan_enable(&plan, &cf, &cf.entry[0], "smtpd", &why);
	if (rc == 0)
		rc = edit_plan_disable(
		    &back, &cf, &cf.entry[1], "smtpd", &cf, &why);
	/* Disabling is refused: the copy says the same. */
	rc = rc < 0 && strstr(why.text, "before") != NULL ? 0 : -1;
	assert_string_not_equal(why.text, "");
	edit_plan_clear(&plan);
	edit_plan_clear(&back);
	master_cf_clear(&cf);
	return rc;
}

static void
write_file(const char *dir, const char *name, const char *text)
{
	struct errtext why;
	char path[80];

	(void)snprintf(path, sizeof(path), "%s/%s", dir, name);
	assert_int_equal(
	    replace_write(path, span_str(text), 0600, getuid(), getgid(), &why),
	    0);
}

static int
open_site(const char *dir)
{
	struct errtext why = {""};
	struct site site;
	int rc = site_open(&site, dir, &why);

	if (rc == 0) {
		assert_true(site.is_service);
		assert_int_equal(site.options.n, 1);
		assert_string_equal(
		    site.cfg->postfix.myhostname, "a.ring.test");
	} else {
		assert_string_not_equal(why.text, "");
	}
	site_close(&site);
	return rc;
}

static void
test_plan(void **state)
{
	long before = fake_mem_live();
	unsigned n = 0;
	int rc;

	(void)state;
	do {
		fake_mem_fail_after(n++);
		rc = plan();
		fake_mem_heal();
		assert_int_equal(fake_mem_live(), before);
	} while (rc < 0 && n < TRIES_MAX);
	assert_int_equal(rc, 0);
	assert_true(n > 5);
}

static void
test_site(void **state)
{
	char dir[] = "/tmp/site.XXXXXX", path[80];
	unsigned n = 0;
	int rc, null, err;

	(void)state;
	assert_non_null(mkdtemp(dir));
	write_file(dir, "main.cf",
	    "myhostname = a.ring.test\nmynetworks = 127.0.0.1\n");
	write_file(dir, "master.cf", master);
	/* What config says about it is not for this test. */
	err = dup(STDERR_FILENO);
	null = open("/dev/null", O_WRONLY | O_CLOEXEC);
	assert_int_equal(dup2(null, STDERR_FILENO), STDERR_FILENO);
	do {
		fake_mem_fail_after(n++);
		rc = open_site(dir);
		fake_mem_heal();
	} while (rc < 0 && n < TRIES_MAX);
	assert_int_equal(dup2(err, STDERR_FILENO), STDERR_FILENO);
	close(err);
	close(null);
	assert_int_equal(rc, 0);
	assert_true(n > 20);
	(void)snprintf(path, sizeof(path), "%s/main.cf", dir);
	assert_int_equal(unlink(path), 0);
	(void)snprintf(path, sizeof(path), "%s/master.cf", dir);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(rmdir(dir), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_plan),
	    cmocka_unit_test(test_site),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
