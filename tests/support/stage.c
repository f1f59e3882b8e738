/* SPDX-License-Identifier: ISC */
#include "support/stage.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/log.h"
#include "config/config.h"
#include "screen/policy.h"
#include "support/fake_clock.h"
#include "support/fake_resolver.h"

enum { SETTINGS_MAX = 32, TOLD_MAX = 65536, DESCRIPTORS = 20000 };

static const char *const always[] = {"myhostname=mx.test",
    "mynetworks=127.0.0.0/8", "compatibility_level=3.6",
    "doorbell_dnsbl_skip_networks=", "doorbell_dnsbl_selftest_interval=0"};

static void
on_config(enum config_severity severity, const char *file, int line,
    const char *text, void *arg)
{
	(void)severity;
	(void)file;
	(void)line;
	(void)arg;
	print_error("%s\n", text);
}

static void
on_table(const char *file, int line, const char *text, void *arg)
{
	struct stage *st = arg;

	(void)line;
	assert_int_equal(buf_printf(&st->told, "%s: %s\n", file, text), 0);
}

static void
on_log(enum log_level level, enum log_voice voice, const char *text, size_t n,
    void *arg)
{
	struct stage *st = arg;

	(void)level;
	(void)voice;
	assert_int_equal(buf_printf(&st->log, "%.*s\n", (int)n, text), 0);
}

static struct config_set *
load(const char *const *settings)
{
	const char *all[SETTINGS_MAX];
	struct config_source source = {.file = "/dev/null", .overrides = all};
	struct config_set *config;

	for (size_t i = 0; i < sizeof(always) / sizeof(*always); i++)
		all[source.override_count++] = always[i];
	for (; *settings != NULL; settings++) {
		assert_true(source.override_count < SETTINGS_MAX);
		all[source.override_count++] = *settings;
	}
	config = config_load(&source, on_config, NULL);
	assert_non_null(config);
	return config;
}

static struct policy *
attempt(struct stage *st, const char *const *settings, struct errtext *why)
{
	struct policy_options o = {
	    .config = load(settings),
	    .loop = st->loop,
	    .tables = {.report = on_table, .arg = st},
	    .screen = st->screen,
	    .descriptor_limit = DESCRIPTORS,
	    .before = st->policy,
	};
	struct policy *p;

	errtext_set(why, "%s", "");
	p = policy_new(&o, why);
	config_unref(&o.config);
	return p;
}

struct policy *
stage_policy(struct stage *st, const char *const *settings)
{
	struct errtext why;
	struct policy *p = attempt(st, settings, &why);

	if (p == NULL)
		fail_msg("%s: %s",
		    *settings != NULL ? *settings : "nothing set", why.text);
	return p;
}

void
stage_refuses(struct stage *st, const char *setting, const char *want)
{
	const char *const settings[] = {setting, NULL};
	struct errtext why;
	struct policy *p = attempt(st, settings, &why);

	if (p != NULL || strncmp(why.text, want, strlen(want)) != 0)
		fail_msg("%s: %s", setting, p == NULL ? why.text : "taken");
}

void
stage_open(struct stage *st, const char *const *settings)
{
	struct screen_options so = {.counters = &st->counters};
	struct errtext why;

	fake_clock_reset();
	fake_resolver_reset();
	memset(st, 0, sizeof(*st));
	buf_init(&st->told, TOLD_MAX);
	buf_init(&st->log, TOLD_MAX);
	/* Also when memory is gone. */
	assert_non_null(buf_reserve(&st->told, TOLD_MAX));
	assert_non_null(buf_reserve(&st->log, TOLD_MAX));
	log_set_sink(on_log, st);
	so.loop = st->loop = loop_new();
	so.cache = st->cache =
	    cache_open(&(struct cache_options){.path = "fake"}, &why);
	assert_true(st->loop != NULL && st->cache != NULL);
	st->screen = screen_new(&so);
	assert_non_null(st->screen);
	st->policy = stage_policy(st, settings);
	screen_set_policy(st->screen, st->policy);
}

void
stage_close(struct stage *st)
{
	screen_free(&st->screen);
	policy_unref(&st->policy);
	cache_close(&st->cache);
	loop_free(&st->loop);
	log_set_sink(NULL, NULL);
	buf_clear(&st->told);
	buf_clear(&st->log);
}
