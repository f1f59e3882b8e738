/* SPDX-License-Identifier: ISC */
/* links: catch_output fake_mem given_config */
#include "daemon/logging.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <syslog.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/log.h"
#include "support/catch_output.h"
#include "support/fake_mem.h"
#include "support/given_config.h"

/* --- a log that nobody reads but the test ------------------------------------- */

struct logsock {
	enum logsock_kind kind;
	int facility;
	char path[64], host[64], tag[LOG_VOICE_COUNT][64];
	char text[256]; /* the last line */
	bool is_open;
};

static struct logsock logs[2]; /* the old one and the new one */
static bool has_no_room;

struct logsock *
logsock_new(const struct logsock_options *o, struct errtext *why)
{
	struct logsock *l = !logs[0].is_open ? &logs[0] : &logs[1];

	if (has_no_room) {
		errtext_set(why, "log socket: no room");
		return NULL;
	}
	assert_false(l->is_open);
	*l = (struct logsock){
	    .kind = o->kind, .facility = o->facility, .is_open = true};
	(void)snprintf(l->path, sizeof(l->path), "%s",
	    o->path != NULL ? o->path : "(none)");
	(void)snprintf(l->host, sizeof(l->host), "%s", o->host);
	for (size_t i = 0; i < LOG_VOICE_COUNT; i++)
		(void)snprintf(l->tag[i], sizeof(l->tag[i]), "%s", o->tag[i]);
	return l;
}

void
logsock_free(struct logsock **l)
{
	if (*l == NULL)
		return;
	assert_true((*l)->is_open);
	(*l)->is_open = false;
	*l = NULL;
}

void
logsock_write(enum log_level level, enum log_voice voice, const char *text,
    size_t n, void *arg)
{
	struct logsock *l = arg;

	(void)level;
	(void)voice;
	assert_true(l->is_open);
	(void)snprintf(l->text, sizeof(l->text), "%.*s", (int)n, text);
}

/* --- where and under which name --------------------------------------------------- */

static const char *const environment[] = {
    "MAIL_LOGTAG", "POSTLOG_SERVICE", "POSTLOG_HOSTNAME", "JOURNAL_STREAM"};

static int
set_up(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(environment) / sizeof(*environment); i++)
		unsetenv(environment[i]);
	memset(logs, 0, sizeof(logs));
	has_no_room = false;
	return 0;
}

static int
tear_down(void **state)
{
	log_set_sink(NULL, NULL);
	log_set_verbose(0);
	log_set_utf8(true);
	log_set_form(LOG_FORM_PLAIN);
	return set_up(state);
}

struct choice {
	const char *name;
	enum options_mode mode;
	bool foreground;
	const char *environment[4]; /* name, value, ... */
	const char *words[5];       /* of the configuration; none: not read */
	const char *override;       /* the one of them that is from -o */
	enum logsock_kind kind;
	int facility;
	const char *host, *tags; /* of all voices */
};

#define AS_POSTSCREEN(site) \
	site "/postscreen " site "/dnsblog " site "/tlsproxy"
#define AS_OURSELVES(name) name " " name " " name
#define SERVICE OPTIONS_SERVICE
#define ALONE OPTIONS_STANDALONE

static const struct choice choices[] = {
    {"service, first lines", SERVICE, false, {NULL}, {NULL}, NULL,
	LOGSOCK_SYSLOG, LOG_MAIL, "localhost", AS_POSTSCREEN("postfix")},
    {"service, first lines of another instance", SERVICE, false,
	{"MAIL_LOGTAG", "postfix-in"}, {NULL}, NULL, LOGSOCK_SYSLOG, LOG_MAIL,
	"localhost", AS_POSTSCREEN("postfix-in")},
    {"service, postlogd", SERVICE, false,
	{"POSTLOG_SERVICE", "postlog", "POSTLOG_HOSTNAME", "mx.example.com"},
	{NULL}, NULL, LOGSOCK_POSTLOG, LOG_MAIL, "mx",
	AS_POSTSCREEN("postfix")},
    {"service, master decides, not main.cf", SERVICE, false,
	{"MAIL_LOGTAG", "by-master"},
	{"myhostname=a.b.c", "syslog_name=by-main", "maillog_file=/var/log/m"},
	NULL, LOGSOCK_SYSLOG, LOG_MAIL, "a", AS_POSTSCREEN("by-master")},
    {"service, and -o over master", SERVICE, false,
	{"MAIL_LOGTAG", "by-master"}, {"myhostname=a", "syslog_name = mine"},
	"syslog_name = mine", LOGSOCK_SYSLOG, LOG_MAIL, "a",
	AS_POSTSCREEN("mine")},
    {"service, master says nothing", SERVICE, false, {NULL},
	{"myhostname=a.b", "syslog_name=by-main"}, NULL, LOGSOCK_SYSLOG,
	LOG_MAIL, "a", AS_POSTSCREEN("by-main")},
    {"service, with a name of its own", SERVICE, false, {NULL},
	{"myhostname=a.b", "doorbell_log_name=bell"}, NULL, LOGSOCK_SYSLOG,
	LOG_MAIL, "a", AS_OURSELVES("postfix/bell")},
    {"service, another facility", SERVICE, false, {NULL},
	{"myhostname=a.b", "syslog_facility=local7"}, NULL, LOGSOCK_SYSLOG,
	LOG_LOCAL7, "a", AS_POSTSCREEN("postfix")},
    {"alone, first lines", ALONE, false, {NULL}, {NULL}, NULL, LOGSOCK_SYSLOG,
	LOG_MAIL, "localhost", AS_OURSELVES("postfix/doorbelld")},
    {"alone, master's environment is not for us", ALONE, false,
	{"MAIL_LOGTAG", "by-master", "POSTLOG_SERVICE", "postlog"},
	{"myhostname=a.b"}, NULL, LOGSOCK_SYSLOG, LOG_MAIL, "a",
	AS_OURSELVES("postfix/doorbelld")},
    {"alone, first lines, master's environment", ALONE, false,
	{"MAIL_LOGTAG", "by-master"}, {NULL}, NULL, LOGSOCK_SYSLOG, LOG_MAIL,
	"localhost", AS_OURSELVES("postfix/doorbelld")},
    {"alone, to postlogd", ALONE, false, {NULL},
	{"myhostname=a.b", "maillog_file=/var/log/mail.log"}, NULL,
	LOGSOCK_POSTLOG, LOG_MAIL, "a", AS_OURSELVES("postfix/doorbelld")},
    {"alone, as postscreen", ALONE, false, {NULL},
	{"myhostname=a.b", "doorbell_log_name=postscreen"}, NULL,
	LOGSOCK_SYSLOG, LOG_MAIL, "a", AS_POSTSCREEN("postfix")},
    {"in the foreground", ALONE, true, {NULL},
	{"myhostname=a.b", "maillog_file=/var/log/mail.log"}, NULL,
	LOGSOCK_STDERR, LOG_MAIL, "a", AS_OURSELVES("postfix/doorbelld")},
    {"foreground, another's journal", ALONE, true, {"JOURNAL_STREAM", "1:2"},
	{"myhostname=a.b"}, NULL, LOGSOCK_STDERR, LOG_MAIL, "a",
	AS_OURSELVES("postfix/doorbelld")},
    {"a service has no foreground", SERVICE, true, {NULL}, {"myhostname=a.b"},
	NULL, LOGSOCK_SYSLOG, LOG_MAIL, "a", AS_POSTSCREEN("postfix")},
};

static struct config_set *
config_of(const struct choice *c)
{
	return c->words[0] != NULL ? given_config(c->words) : NULL;
}

/* What a choice has opened; the caller frees it. */
static struct logsock *
started(const struct choice *c)
{
	const char *overrides[] = {c->override};
	const struct options o = {.mode = c->mode,
	    .foreground = c->foreground,
	    .source = {.overrides = overrides,
		.override_count = c->override != NULL},
	    .overrides = overrides};
	struct config_set *config = config_of(c);
	struct logsock *log = NULL;
	struct errtext why = {""};

	for (size_t i = 0; i < 4 && c->environment[i] != NULL; i += 2)
		setenv(c->environment[i], c->environment[i + 1], 1);
	if (logging_start(&log, &o, config, &why) < 0 || log == NULL)
		fail_msg("%s: %s", c->name, why.text);
	config_unref(&config);
	return log;
}

static void
what_is_chosen(void **state)
{
	static const char *const paths[] = {[LOGSOCK_SYSLOG] = "/dev/log",
	    [LOGSOCK_POSTLOG] = "public/postlog",
	    [LOGSOCK_STDERR] = "(none)"};

	for (size_t i = 0; i < sizeof(choices) / sizeof(*choices); i++) {
		const struct choice *c = &choices[i];
		struct logsock *log;
		char tags[3 * 64];

		(void)set_up(state);
		log = started(c);
		(void)snprintf(tags, sizeof(tags), "%s %s %s",
		    log->tag[LOG_VOICE_MAIN], log->tag[LOG_VOICE_DNSBLOG],
		    log->tag[LOG_VOICE_TLSPROXY]);
		if (log->kind != c->kind || log->facility != c->facility ||
		    strcmp(log->path, paths[c->kind]) != 0 ||
		    strcmp(log->host, c->host) != 0 ||
		    strcmp(tags, c->tags) != 0)
			fail_msg("%s: %d %s %d %s %s", c->name, (int)log->kind,
			    log->path, log->facility, log->host, tags);
		logging_stop(&log);
		assert_null(log);
	}
}

/* Under systemd stderr may be the journal's, which is told by a stream's
 * numbers. */
static void
the_journal_is_asked_by_syslog(void **state)
{
	const struct choice c = {.name = "journal",
	    .mode = ALONE,
	    .foreground = true,
	    .words = {"myhostname=a.b"}};
	struct logsock *log;
	struct stat st;
	char us[64];

	(void)state;
	assert_int_equal(fstat(STDERR_FILENO, &st), 0);
	(void)snprintf(us, sizeof(us), "%ju:%ju", (uintmax_t)st.st_dev,
	    (uintmax_t)st.st_ino);
	setenv("JOURNAL_STREAM", us, 1);
	log = started(&c);
	assert_int_equal(log->kind, LOGSOCK_SYSLOG);
	logging_stop(&log);
}

/* --- beginning anew ---------------------------------------------------------------- */

static void
a_new_log_takes_over(void **state)
{
	const struct choice early = {.name = "early", .mode = ALONE};
	const struct options o = {.mode = ALONE, .verbose = 1};
	const char *const words[] = {"myhostname=a.b", "smtputf8_enable=no",
	    "doorbell_log_format=logfmt", NULL};
	struct config_set *config = given_config(words);
	struct logsock *log = started(&early), *first = log;
	struct errtext why;

	(void)state;
	log_info("gr\xc3\xbc\xc3\x9f");
	assert_string_equal(first->text, "gr\xc3\xbc\xc3\x9f");
	log_debug("not yet");
	assert_string_equal(first->text, "gr\xc3\xbc\xc3\x9f");
	assert_int_equal(logging_start(&log, &o, config, &why), 0);
	assert_ptr_not_equal(log, first);
	assert_false(first->is_open);
	log_debug("\xc3\xbc");
	assert_string_equal(log->text, "level=debug event=message text=\"??\"");
	config_unref(&config);
	logging_stop(&log);
}

static void
what_fails_leaves_the_old_one(void **state)
{
	static const struct {
		const char *name, *facility, *why;
		bool has_no_room;
	} cases[] = {
	    {"facility", "syslog_facility=post",
		"syslog_facility = post: unknown facility", false},
	    {"no facility", "syslog_facility=MAIL",
		"syslog_facility = MAIL: unknown facility", false},
	    {"socket", "syslog_facility=mail", "log socket: no room", true},
	};
	const struct choice early = {.name = "early", .mode = ALONE};
	const struct options o = {.mode = ALONE, .verbose = 1};
	struct logsock *log = started(&early), *first = log;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		const char *const words[] = {
		    "myhostname=a.b", cases[i].facility, NULL};
		struct config_set *config = given_config(words);
		struct errtext why;

		has_no_room = cases[i].has_no_room;
		assert_int_equal(logging_start(&log, &o, config, &why), -1);
		assert_string_equal(why.text, cases[i].why);
		assert_ptr_equal(log, first);
		log_info("%s", cases[i].name);
		assert_string_equal(first->text, cases[i].name);
		config_unref(&config);
	}
	logging_stop(&log);
}

static void
no_memory(void **state)
{
	const struct options o = {.mode = ALONE};
	const char *const words[] = {"myhostname=a.b", NULL};
	struct config_set *config = given_config(words);
	struct logsock *log = NULL;
	const long live = fake_mem_live();
	struct errtext why;
	unsigned n = 0;
	int rc;

	(void)state;
	do {
		fake_mem_fail_after(n);
		rc = logging_start(&log, &o, config, &why);
		fake_mem_heal();
		assert_int_equal(fake_mem_live(), live);
		if (rc < 0) {
			assert_string_equal(why.text, "Cannot allocate memory");
			assert_null(log);
		}
	} while (rc < 0 && n++ < 100);
	assert_int_equal(n, 4); /* a host and three tags */
	assert_int_equal(rc, 0);
	logging_stop(&log);
	config_unref(&config);
}

static void
back_to_stderr(void **state)
{
	const struct choice early = {.name = "early", .mode = ALONE};
	struct logsock *log = started(&early);
	struct caught caught;

	(void)state;
	log_info("in the log");
	catch_begin(&caught);
	logging_stop(&log);
	log_info("at the end");
	logging_stop(&log);
	catch_end(&caught);
	assert_non_null(strstr(caught.err, "at the end\n"));
	assert_null(strstr(caught.err, "in the log"));
	assert_string_equal(logs[0].text, "in the log");
	catch_clear(&caught);
}

/* --- before it is tried -------------------------------------------------------------- */

static void
what_needs_another_log(void **state)
{
	static const struct {
		const char *old, *new;
		bool want;
	} cases[] = {
	    {"myhostname=a.b", "myhostname=a.b", false},
	    {"myhostname=a.b", "myhostname=a.c", true},
	    {"syslog_name=postfix", "doorbell_log_name=", false},
	    {"syslog_name=postfix", "syslog_name=other", true},
	    {"syslog_facility=mail", "syslog_facility=daemon", true},
	    {"maillog_file=", "maillog_file=/var/log/mail", true},
	    {"doorbell_log_name=", "doorbell_log_name=bell", true},
	    {"doorbell_log_format=json", "doorbell_log_format=logfmt", false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		const char *const before[] = {cases[i].old, NULL};
		const char *const after[] = {cases[i].new, NULL};
		struct config_set *old = given_config(before);
		struct config_set *new = given_config(after);

		if (logging_differs(old, new) != cases[i].want ||
		    logging_differs(new, old) != cases[i].want)
			fail_msg("%s, %s", cases[i].old, cases[i].new);
		config_unref(&old);
		config_unref(&new);
	}
}

static void
facilities_are_known_by_name(void **state)
{
	static const struct {
		const char *word;
		int rc;
	} cases[] = {
	    {"syslog_facility=auth", 0},
	    {"syslog_facility=mail", 0},
	    {"syslog_facility=local0", 0},
	    {"syslog_facility=local7", 0},
	    {"syslog_facility=local8", -1},
	    {"syslog_facility=mai", -1},
	    {"syslog_facility=mail2", -1},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		const char *const words[] = {cases[i].word, NULL};
		struct config_set *config = given_config(words);
		struct errtext why = {""};

		if (logging_check(config_under(config, false), &why) !=
			cases[i].rc ||
		    (why.text[0] != '\0') != (cases[i].rc < 0))
			fail_msg("%s: %s", cases[i].word, why.text);
		config_unref(&config);
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(what_is_chosen),
	    TEST(the_journal_is_asked_by_syslog),
	    TEST(a_new_log_takes_over),
	    TEST(what_fails_leaves_the_old_one),
	    TEST(no_memory),
	    TEST(back_to_stderr),
	    TEST(what_needs_another_log),
	    TEST(facilities_are_known_by_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
