/* SPDX-License-Identifier: ISC */
/* links: fake_mem */
#include "config/config.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "config/params.h"
#include "support/fake_mem.h"

/* Configurations are written to a fresh directory; what is reported is
 * gathered as "E main.cf:3: text|" and "W -: text|". */

struct fixture {
	char directory[64];
	struct buf heard;
};

static void
hear(enum config_severity severity, const char *file, int line,
    const char *text, void *arg)
{
	struct fixture *f = arg;
	const char *slash = file != NULL ? strrchr(file, '/') : NULL;

	assert_int_equal(buf_printf(&f->heard, "%c %s:%d: %s|",
			     severity == CONFIG_ERROR ? 'E' : 'W',
			     slash != NULL ? slash + 1 : "-", line, text),
	    0);
}

static int
set_up(void **state)
{
	struct fixture *f = mem_new(sizeof(*f));

	strncpy(f->directory, "/tmp/doorbell-config-XXXXXX",
	    sizeof(f->directory) - 1);
	buf_init(&f->heard, 65536);
	*state = f;
	return mkdtemp(f->directory) != NULL ? 0 : -1;
}

static char *
path_of(const struct fixture *f, const char *name)
{
	return mem_printf("%s/%s", f->directory, name);
}

static void
put(const struct fixture *f, const char *name, const char *text)
{
	char *path = path_of(f, name);
	FILE *fp;

	if (text == NULL) {
		unlink(path);
	} else {
		fp = fopen(path, "we");
		assert_non_null(fp);
		fputs(text, fp);
		fclose(fp);
	}
	mem_free(path);
}

static int
tear_down(void **state)
{
	struct fixture *f = *state;

	put(f, "main.cf", NULL);
	put(f, "doorbell.cf", NULL);
	rmdir(f->directory);
	buf_clear(&f->heard);
	mem_free(f);
	return 0;
}

static struct config_set *
load(struct fixture *f, const char *main_cf, const char *doorbell_cf,
    const char *override)
{
	struct config_source source = {.directory = f->directory};

	put(f, "main.cf", main_cf);
	put(f, "doorbell.cf", doorbell_cf);
	if (override != NULL) {
		source.overrides = &override;
		source.override_count = 1;
	}
	buf_reset(&f->heard);
	return config_load(&source, hear, f);
}

static const char *
heard(struct fixture *f)
{
	return buf_str(&f->heard);
}

static void
test_defaults(void **state)
{
	struct fixture *f = *state;
	struct config_set *set = load(f, "", NULL, NULL);
	const struct config *calm = config_under(set, false);
	const struct config *stressed = config_under(set, true);

	assert_non_null(set);
	assert_string_equal(heard(f), "");
	assert_int_equal(calm->greet_wait, 6000);
	assert_int_equal(stressed->greet_wait, 2000);
	assert_int_equal(calm->greet_ttl, 86400000);
	assert_int_equal(calm->dnsbl_max_ttl, 3600000);
	assert_int_equal(calm->pre_queue_limit, 100);
	assert_int_equal(calm->client_connection_count_limit, 50);
	assert_int_equal(calm->greet_action, ACTION_IGNORE);
	assert_int_equal(calm->non_smtp_command_action, ACTION_DROP);
	assert_int_equal(calm->tls_security_level, 0);
	assert_int_equal(calm->suspect_greet_wait, 6000);
	assert_int_equal(stressed->suspect_greet_wait, 2000);
	assert_false(calm->late_handoff);
	assert_true(stressed->late_handoff);
	assert_string_equal(calm->access_list, "permit_mynetworks");
	assert_string_equal(calm->reject_footer, "");
	assert_string_equal(calm->smtpd_service, "private/smtpd");
	assert_string_equal(
	    calm->cache_map, "lmdb:/var/lib/postfix/doorbell_cache");
	assert_string_equal(calm->postfix.config_directory, f->directory);
	config_unref(&set);
	assert_null(set);
}

static void
test_inheritance(void **state)
{
	struct fixture *f = *state;
	struct config_set *set = load(f,
	    "postscreen_greet_wait = 3\n"
	    "postscreen_greet_ttl = 2\n"
	    "postscreen_blacklist_action = Drop\n"
	    "postscreen_dnsbl_ttl = 5\n"
	    "postscreen_dnsbl_threshold = 3\n"
	    "smtpd_helo_required = YES\n"
	    "smtpd_reject_footer = see $nobody\n",
	    "doorbell_dnsbl_threshold = $postscreen_dnsbl_threshold$one\n"
	    "one = 1\n",
	    "doorbell_command_count_limit = ${stress?{+5}:{7}}");
	const struct config *calm = config_under(set, false);

	assert_string_equal(heard(f), "");
	assert_int_equal(calm->greet_wait, 3000);
	assert_int_equal(calm->greet_ttl, 2 * 86400000);
	assert_int_equal(calm->denylist_action, ACTION_DROP);
	assert_int_equal(calm->dnsbl_max_ttl, 5 * 3600000);
	assert_int_equal(calm->dnsbl_threshold, 31);
	assert_true(calm->helo_required);
	assert_string_equal(calm->reject_footer, "see $nobody");
	assert_int_equal(calm->command_count_limit, 7);
	assert_int_equal(config_under(set, true)->command_count_limit, 5);
	config_unref(&set);
}

static void
test_stress_is_ours(void **state)
{
	struct fixture *f = *state;
	struct config_set *set = load(f, "stress = yes\n", NULL, "stress=yes");

	assert_int_equal(config_under(set, false)->greet_wait, 6000);
	assert_string_equal(config_text(set, "stress"), "yes");
	assert_string_equal(config_text(set, "postscreen_greet_wait"), "2s");
	config_unref(&set);
}

static const struct {
	const char *name, *main_cf, *doorbell_cf, *want;
} problems[] = {
    {"no main.cf", NULL, "", "E"},
    {"bad time", "\npostscreen_greet_wait = 3x\n", NULL,
	"E main.cf:2: postscreen_greet_wait: bad time value or unit: \"3x\"|"},
    {"bad time of ours", "postscreen_greet_wait = 3\n",
	"doorbell_greet_wait =\n",
	"E doorbell.cf:1: doorbell_greet_wait: bad time value or unit: \"\"|"},
    {"huge time", "postscreen_greet_ttl = 9999999d\n", NULL,
	"E main.cf:1: postscreen_greet_ttl: bad time value or unit: "
	"\"9999999d\"|"},
    {"time too short", "postscreen_greet_wait = 0\n", NULL,
	"E main.cf:1: postscreen_greet_wait: 0 is below the minimum, 1s|"},
    {"time too long", "postscreen_dnsbl_timeout = 5m\n", NULL,
	"E main.cf:1: postscreen_dnsbl_timeout: 5m is above the maximum, "
	"250s|"},
    {"only under stress",
	"\npostscreen_command_count_limit = ${stress?{x}:{3}}\n", NULL,
	"E main.cf:2: postscreen_command_count_limit: not a number: \"x\"|"},
    {"different under stress", "postscreen_greet_wait = ${stress?x:3}\n", NULL,
	"E main.cf:1: postscreen_greet_wait: bad time value or unit: \"\"|"
	"E main.cf:1: postscreen_greet_wait: bad time value or unit: \"x:3\"|"},
    {"bad word", "", "doorbell_greet_action = enfroce\n",
	"E doorbell.cf:1: doorbell_greet_action: \"enfroce\" is none of "
	"ignore|enforce|drop|"},
    {"bad word inherited", "smtpd_tls_security_level = mya\n", NULL,
	"E main.cf:1: smtpd_tls_security_level: \"mya\" is none of "
	"(empty)|none|may|encrypt|fingerprint|dane|"
	"dane-only|verify|secure|"},
    {"bad yes", "soft_bounce = maybe\n", NULL,
	"E main.cf:1: soft_bounce: yes or no expected, not \"maybe\"|"},
    {"bad legacy", "postscreen_dnsbl_ttl = x\n", NULL,
	"E main.cf:1: postscreen_dnsbl_ttl: bad time value or unit: \"xh\"|"},
    {"one culprit of many", "default_process_limit = many\n", NULL,
	"E main.cf:1: default_process_limit: not a number: \"many\"|"},
    {"culprit behind a name", "limit = many\ndefault_process_limit = $limit\n",
	NULL, "E main.cf:1: limit: not a number: \"many\"|"},
    {"empty path", "queue_directory =\n", NULL,
	"E main.cf:1: queue_directory: must not be empty|"},
    {"circle", "postscreen_greet_banner = $a\na = $b\nb = $a\n", NULL,
	"E main.cf:2: a: a value that refers to itself: \"a\"|"},
    {"bad level", "compatibility_level = new\n", NULL,
	"E main.cf:1: compatibility_level: bad compatibility level: \"new\"|"},
    {"line and value", "foo\nsoft_bounce=1\n", NULL,
	"E main.cf:1: missing '=' after parameter name: \"foo\"|"
	"E main.cf:2: soft_bounce: yes or no expected, not \"1\"|"},
    {"bad interface", "inet_interfaces = 203.0.113.77\n", NULL,
	"E main.cf:1: inet_interfaces: inet_interfaces: this host does not "
	"have 203.0.113.77|"},
    {"unread interfaces", "inet_interfaces = 203.0.113.77\nmynetworks =\n",
	NULL, ""},
    {"twice", "a = 1\nb = 1\na = 2\n", "a = 3\n",
	"W main.cf:3: overriding earlier entry: a = 1|"},
    {"near miss", "doorbell_gret_wait = 1\n", NULL,
	"W main.cf:1: unknown parameter doorbell_gret_wait (did you mean "
	"doorbell_greet_wait?)|"},
    {"far miss", "doorbell_colour_of_the_door = red\n", NULL,
	"W main.cf:1: unknown parameter doorbell_colour_of_the_door|"},
    {"not ours", "doorbel_greet_wait = 1\npostscreen_x = 1\n", NULL, ""},
    {"a time, of what is off",
	"postscreen_pipelining_enable = no\n"
	"doorbell_pipelining_ttl = 4w2\n",
	NULL,
	"E main.cf:2: doorbell_pipelining_ttl: bad time value or unit: "
	"\"4w2\"|"},
    {"the default, otherwise", "postscreen_pipelining_ttl = 720h\n", NULL, ""},
    {"under stress", "", "doorbell_late_handoff = ${stress?yes}no\n",
	"E doorbell.cf:1: doorbell_late_handoff: yes or no expected, not "
	"\"yesno\"|"},
    {"ours and of smtpd",
	"doorbell_late_handoff = no\n"
	"doorbell_tls_cert_file = /x\n"
	"smtpd_tls_security_level = none\n"
	"default_process_limit = 200\n",
	NULL, ""},
};

static void
test_problems(void **state)
{
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof(problems) / sizeof(problems[0]); i++) {
		struct config_set *set =
		    load(f, problems[i].main_cf, problems[i].doorbell_cf, NULL);
		const char *said = heard(f);
		bool fatal = said[0] == 'E' || strstr(said, "|E ") != NULL;
		size_t n = strlen(problems[i].want);

		/* What is wanted is the beginning, for the first case. */
		if (strncmp(said, problems[i].want, n) != 0 ||
		    (n > 1 && said[n] != '\0') || (n == 0 && said[0] != '\0'))
			fail_msg("%s: %s", problems[i].name, said);
		if ((set == NULL) != fatal)
			fail_msg("%s: loaded or not?", problems[i].name);
		config_unref(&set);
	}
}

static void
test_bad_override(void **state)
{
	struct fixture *f = *state;

	assert_null(load(f, "", NULL, "greet_wait"));
	assert_non_null(strstr(heard(f), "E -:0: -o: missing '='"));
	assert_null(load(f, "", NULL, "doorbell_greet_wait=x"));
	assert_non_null(strstr(heard(f), "E -:0: doorbell_greet_wait: bad"));
}

static void
test_file_alone(void **state)
{
	struct fixture *f = *state;
	char *path = path_of(f, "main.cf");
	struct config_source source = {.file = path};
	struct config_set *set, *other;

	put(f, "main.cf", "doorbell_greet_wait = 1\n");
	put(f, "doorbell.cf", "doorbell_greet_wait = 2\n");
	set = config_load(&source, hear, f);
	assert_non_null(set);
	assert_int_equal(config_under(set, false)->greet_wait, 1000);
	assert_string_equal(
	    config_under(set, false)->postfix.config_directory, "/etc/postfix");
	other = config_ref(set);
	config_unref(&set);
	assert_int_equal(config_under(other, false)->greet_wait, 1000);
	config_unref(&other);
	mem_free(path);
}

static void
test_is_set(void **state)
{
	struct fixture *f = *state;
	struct config_set *set = load(f, "\npostscreen_greet_wait = 3\n",
	    "doorbell_greet_ttl = 2d\n", "doorbell_greet_banner = x");

	assert_true(config_is_set(set, "postscreen_greet_wait"));
	assert_false(config_is_set(set, "doorbell_greet_wait"));
	assert_true(config_is_set(set, "doorbell_greet_ttl"));
	assert_true(config_is_set(set, "doorbell_greet_banner"));
	assert_false(config_is_set(set, "doorbell_greet_action"));
	config_unref(&set);
}

static void
test_text(void **state)
{
	struct fixture *f = *state;
	struct config_set *set = load(f,
	    "mine = $mydomain!\nmydomain = example.org\n"
	    "myhostname = mx.$mydomain\nbroken = ${\n",
	    NULL, NULL);
	const char *first = config_text(set, "mine");

	assert_string_equal(first, "example.org!");
	assert_ptr_equal(config_text(set, "mine"), first);
	assert_string_equal(config_text(set, "myhostname"), "mx.example.org");
	assert_string_equal(config_text(set, "doorbell_greet_wait"), "6s");
	assert_string_equal(config_text(set, "nobody"), "");
	assert_string_equal(config_text(set, "broken"), "");
	config_unref(&set);
}

static char *
dumped(struct config_set *set, unsigned mode, const char *const *names,
    size_t n, int want)
{
	char *text = NULL;
	size_t size;
	FILE *fp = open_memstream(&text, &size);

	assert_int_equal(config_dump(set, mode, names, n, fp, fp), want);
	fclose(fp);
	return text;
}

static void
test_dump(void **state)
{
	static const char *const names[] = {
	    "postscreen_greet_wait", "doorbell_greet_wait", "mine"};
	static const struct {
		const char *name;
		unsigned mode;
		size_t n;
		int rc;
		const char *want;
	} cases[] = {
	    {"in force", 0, 2, 0,
		"postscreen_greet_wait = ${one}s\n"
		"doorbell_greet_wait = $postscreen_greet_wait\n"},
	    {"expanded", CONFIG_DUMP_EXPAND, 3, 0,
		"postscreen_greet_wait = 1s\ndoorbell_greet_wait = 1s\n"
		"mine = a b\n"},
	    {"defaults", CONFIG_DUMP_DEFAULTS, 3, -1,
		"postscreen_greet_wait = ${stress?{2}:{6}}s\n"
		"doorbell_greet_wait = $postscreen_greet_wait\n"
		"doorbelld: warning: mine: unknown parameter\n"},
	    {"defaults expanded", CONFIG_DUMP_DEFAULTS | CONFIG_DUMP_EXPAND, 2,
		0, "postscreen_greet_wait = 6s\ndoorbell_greet_wait = 6s\n"},
	    {"explicit", CONFIG_DUMP_EXPLICIT, 2, 0,
		"postscreen_greet_wait = ${one}s\n"},
	};
	struct fixture *f = *state;
	struct config_set *set = load(f,
	    "postscreen_greet_wait = ${one}s\none = 1\n"
	    "mine =  a \t\n  b\nmynetworks = \n",
	    NULL, NULL);
	char *text;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		text =
		    dumped(set, cases[i].mode, names, cases[i].n, cases[i].rc);
		if (strcmp(text, cases[i].want) != 0)
			fail_msg("%s: %s", cases[i].name, text);
		free(text);
	}
	text = dumped(set, CONFIG_DUMP_EXPLICIT, NULL, 0, 0);
	assert_non_null(strstr(text, "\nmynetworks =\npostscreen_greet_wait"));
	assert_null(strstr(text, "doorbell_"));
	free(text);
	text = dumped(set, CONFIG_DUMP_DEFAULTS, NULL, 0, 0);
	assert_non_null(strstr(text, "doorbell_access_list = $postscreen"));
	assert_null(strstr(text, "\npostscreen_"));
	free(text);
	config_unref(&set);
}

static void
count_errors(enum config_severity severity, const char *file, int line,
    const char *text, void *arg)
{
	(void)file;
	(void)line;
	assert_true(text[0] != '\0');
	*(int *)arg += severity == CONFIG_ERROR;
}

/* A value that each row takes and that is nobody's default. */
static const char *
odd_value(const struct param *param)
{
	const char *word;

	switch (param->type) {
	case PARAM_BOOL:
		return strstr(param->twin_preset, "yes") != NULL ? "no" : "yes";
	case PARAM_TIME:
		return "77s";
	case PARAM_NUMBER:
		return strcmp(param->max, "0") == 0 ? "-7" : "77";
	case PARAM_WORD:
		word = strrchr(param->min, '|');
		return word != NULL ? word + 1 : param->min;
	case PARAM_TEXT:
	case PARAM_RAW:
		break;
	}
	return "static:odd";
}

static void
assert_value(
    struct fixture *f, const char *main_cf, const char *name, const char *want)
{
	struct config_set *set = load(f, main_cf, NULL, NULL);

	if (set == NULL || strcmp(config_text(set, name), want) != 0)
		fail_msg(
		    "%s is not %s with %s: %s", name, want, main_cf, heard(f));
	config_unref(&set);
}

/* Each postscreen_X is the default of doorbell_X, which wins. */
static void
test_every_twin(void **state)
{
	struct fixture *f = *state;
	unsigned twins = 0;

	for (size_t i = 0; i < params_count; i++) {
		const struct param *row = &params_table[i];
		char *text;

		if (row->twin == NULL)
			continue;
		text = mem_printf("%s = %s\n", row->twin, odd_value(row));
		assert_value(f, text, row->name, odd_value(row));
		mem_free(text);
		text = mem_printf("%s = %s\n%s = %s\n", row->name,
		    odd_value(row), row->twin, row->twin_preset);
		assert_value(f, text, row->name, odd_value(row));
		mem_free(text);
		twins++;
	}
	assert_true(twins > 40);
}

/* Wherever memory runs out: an error is said, or nothing is missing. */
static void
test_without_memory(void **state)
{
	struct fixture *f = *state;
	struct config_source source = {.directory = f->directory};
	struct config_set *set = NULL;
	long live = fake_mem_live();
	unsigned n;
	int errors;

	put(f, "main.cf",
	    "mydomain = example.org\na = $b\nb = 3\n"
	    "postscreen_command_count_limit = $a\n");
	for (n = 0; set == NULL && n < 20000; n++) {
		errors = 0;
		fake_mem_fail_after(n);
		set = config_load(&source, count_errors, &errors);
		fake_mem_heal();
		if ((set == NULL) != (errors > 0))
			fail_msg("after %u: %d errors", n, errors);
		if (set == NULL && fake_mem_live() != live)
			fail_msg("after %u: leak", n);
	}
	assert_non_null(set);
	assert_true(n > 300);
	assert_int_equal(config_under(set, false)->command_count_limit, 3);
	config_unref(&set);
	assert_int_equal(fake_mem_live(), live);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_defaults),
	    cmocka_unit_test(test_inheritance),
	    cmocka_unit_test(test_every_twin),
	    cmocka_unit_test(test_stress_is_ours),
	    cmocka_unit_test(test_problems),
	    cmocka_unit_test(test_bad_override),
	    cmocka_unit_test(test_file_alone),
	    cmocka_unit_test(test_is_set),
	    cmocka_unit_test(test_text),
	    cmocka_unit_test(test_dump),
	    cmocka_unit_test(test_without_memory),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
