/* SPDX-License-Identifier: ISC */
#include "config/config.h"

#include <errno.h>
#include <string.h>

#include "base/buf.h"
#include "base/errtext.h"
#include "base/mem.h"
#include "base/must.h"
#include "config/dump.h"
#include "config/file.h"
#include "config/machine.h"
#include "config/notice.h"
#include "config/params.h"
#include "config/scope.h"
#include "config/set.h"
#include "config/value.h"

/* Loading reads everything first and evaluates afterwards, because a value may
 * refer to names that are set further down or in the other file. All problems
 * are reported in one go; one and the same problem, met under both states of
 * stress or by several parameters that inherit it, is reported once. */

struct loader {
	struct config_set *set;
	config_report_fn *report;
	void *arg;
	const char *path; /* the file being read */
	bool failed;
	struct kept *said; /* texts of errors, to say each one once */
};

static struct kept *
keep(struct kept **list, const char *name, const char *text)
{
	size_t n = strlen(text) + 1;
	struct kept *k = mem_new(sizeof(*k) + n);

	if (k == NULL)
		return NULL;
	memcpy(k->text, text, n);
	k->name = name;
	k->next = *list;
	*list = k;
	return k;
}

static void
free_kept(struct kept **list)
{
	struct kept *k;

	while ((k = *list) != NULL) {
		*list = k->next;
		mem_free(k);
	}
}

struct config_set *
config_ref(struct config_set *set)
{
	must(set->references > 0);
	set->references++;
	return set;
}

void
config_unref(struct config_set **set)
{
	struct config_set *old = *set;

	*set = NULL;
	if (old == NULL || --old->references > 0)
		return;
	settings_clear(&old->settings);
	machine_clear(&old->machine);
	machine_clear(&old->built_in);
	free_kept(&old->kept);
	mem_free(old);
}

static void
say(struct loader *l, enum config_severity severity, const char *file, int line,
    const char *text)
{
	if (severity == CONFIG_ERROR)
		l->failed = true;
	l->report(severity, file, line, text, l->arg);
}

static void
say_errno(struct loader *l)
{
	say(l, CONFIG_ERROR, NULL, 0, strerror(errno));
}

/* --- reading --- */

static void
warn_overridden(struct loader *l, struct span name, int line)
{
	const struct setting *s = settings_find(&l->set->settings, name);
	struct errtext text;

	/* Only within one file: doorbell.cf is there to override. */
	if (s == NULL || s->path != l->path)
		return;
	errtext_set(&text, "overriding earlier entry: %.100s = %.200s", s->name,
	    s->value);
	say(l, CONFIG_WARNING, l->path, line, text.text);
}

static int
on_entry(struct span name, struct span value, int line, void *arg)
{
	struct loader *l = arg;

	warn_overridden(l, name, line);
	return settings_put(&l->set->settings, name, value, l->path, line);
}

static void
on_bad_line(bool fatal, const char *path, int line, const char *text, void *arg)
{
	say(arg, fatal ? CONFIG_ERROR : CONFIG_WARNING, path, line, text);
}

static void
read_one(struct loader *l, const char *path, bool optional)
{
	struct kept *name = keep(&l->set->kept, NULL, path);
	struct errtext why;

	if (name == NULL) {
		say_errno(l);
		return;
	}
	l->path = name->text;
	if (file_read(l->path, on_entry, on_bad_line, l, &why) < 0 &&
	    !(optional && errno == ENOENT))
		say(l, CONFIG_ERROR, NULL, 0, why.text);
}

static void
read_in_directory(
    struct loader *l, const char *directory, const char *name, bool optional)
{
	size_t n = strlen(directory);
	const char *slash = n > 0 && directory[n - 1] == '/' ? "" : "/";
	char *path = mem_printf("%s%s%s", directory, slash, name);

	if (path != NULL)
		read_one(l, path, optional);
	else
		say_errno(l);
	mem_free(path);
}

static void
read_overrides(struct loader *l, const struct config_source *source)
{
	struct span name, value;
	struct errtext why;

	for (size_t i = 0; i < source->override_count; i++) {
		if (file_split(span_str(source->overrides[i]), &name, &value,
			&why) < 0) {
			errtext_prefix(&why, "-o");
			say(l, CONFIG_ERROR, NULL, 0, why.text);
		} else if (settings_put(
			       &l->set->settings, name, value, NULL, 0) < 0) {
			say_errno(l);
		}
	}
}

static void
read_source(struct loader *l, const struct config_source *source)
{
	const char *directory = source->directory;

	if (directory == NULL) {
		read_one(l, source->file, false);
	} else {
		if (settings_put(&l->set->settings,
			span_str("config_directory"), span_str(directory), NULL,
			0) < 0)
			say_errno(l);
		read_in_directory(l, directory, "main.cf", false);
		read_in_directory(l, directory, "doorbell.cf", true);
	}
	read_overrides(l, source);
}

/* --- evaluating --- */

static bool
was_said(struct loader *l, const char *text)
{
	for (const struct kept *k = l->said; k != NULL; k = k->next)
		if (strcmp(k->text, text) == 0)
			return true;
	/* Without memory it is said twice. */
	(void)keep(&l->said, NULL, text);
	return false;
}

/* Something is wrong with the value of `name`: blame what the admin wrote. */
static void
say_bad_value(struct loader *l, const char *name, struct errtext *why)
{
	const struct setting *s = scope_origin(l->set, name);

	errtext_prefix(why, "%s", s != NULL ? s->name : name);
	if (!was_said(l, why->text))
		say(l, CONFIG_ERROR, s != NULL ? s->path : NULL,
		    s != NULL ? s->line : 0, why->text);
}

static void
ask_machine(struct loader *l)
{
	static const char *const culprits[] = {
	    "mynetworks_style", "inet_interfaces", "inet_protocols"};
	struct config_set *set = l->set;
	const char *culprit = "mynetworks";
	struct errtext why;

	if (machine_ask(set, SCOPE_BUILT_IN, &set->built_in, &why) == 0 &&
	    machine_ask(set, SCOPE_CALM, &set->machine, &why) == 0)
		return;
	for (size_t i = 0; i < sizeof(culprits) / sizeof(culprits[0]); i++)
		if (strstr(why.text, culprits[i]) != NULL)
			culprit = culprits[i];
	say_bad_value(l, culprit, &why);
}

static void
evaluate(struct loader *l, const struct param *param, enum scope_state state,
    struct config *config)
{
	struct errtext why;
	struct kept *text;
	struct buf value;

	buf_init(&value, SCOPE_VALUE_MAX);
	if (scope_effective(l->set, state, param, &value, &why) < 0) {
		say_bad_value(l, param->name, &why);
		goto done;
	}
	if (buf_str(&value) == NULL ||
	    (text = keep(&l->set->kept, NULL, buf_str(&value))) == NULL)
		say_errno(l);
	else if (value_store(param, text->text, config, &why) < 0)
		say_bad_value(l, param->name, &why);
done:
	buf_clear(&value);
}

static void
evaluate_all(struct loader *l)
{
	for (size_t i = 0; i < params_count; i++) {
		const struct param *p = &params_table[i];

		if (p->kind == PARAM_REFERRED)
			continue;
		evaluate(l, p, SCOPE_CALM, &l->set->calm);
		evaluate(l, p, SCOPE_STRESSED, &l->set->stressed);
	}
}

struct config_set *
config_load(
    const struct config_source *source, config_report_fn *report, void *arg)
{
	struct loader l = {.report = report, .arg = arg};

	must((source->directory == NULL) != (source->file == NULL));
	l.set = mem_new(sizeof(*l.set));
	if (l.set == NULL || settings_init(&l.set->settings) < 0) {
		say_errno(&l);
		mem_free(l.set);
		return NULL;
	}
	l.set->references = 1;
	l.set->is_hurried = source->is_hurried;
	read_source(&l, source);
	ask_machine(&l);
	evaluate_all(&l);
	notice_all(l.set, report, arg);
	free_kept(&l.said);
	if (l.failed)
		config_unref(&l.set);
	return l.set;
}

/* --- asking --- */

const struct config *
config_under(const struct config_set *set, bool stress)
{
	return stress ? &set->stressed : &set->calm;
}

const char *
config_text(struct config_set *set, const char *name)
{
	const char *text = scope_raw(set, SCOPE_WRITTEN, name);
	const struct param *param = params_find(name);
	const struct setting *s;
	struct errtext why;
	struct kept *k;
	struct buf value;

	for (k = set->kept; k != NULL; k = k->next)
		if (k->name != NULL && strcmp(k->name, name) == 0)
			return k->text;
	if (text == NULL)
		return "";
	/* A name that stays: the table's or the setting's own. */
	s = settings_find(&set->settings, span_str(name));
	name = s != NULL                        ? s->name
	       : strcmp(param->name, name) == 0 ? param->name
						: param->twin;
	buf_init(&value, SCOPE_VALUE_MAX);
	if (scope_expand(set, SCOPE_WRITTEN, text, &value, &why) == 0 &&
	    buf_str(&value) != NULL)
		k = keep(&set->kept, name, buf_str(&value));
	buf_clear(&value);
	return k != NULL ? k->text : "";
}

bool
config_is_set(const struct config_set *set, const char *name)
{
	return scope_is_set(set, name);
}

bool
config_origin(const struct config_set *set, const char *name,
    const char **file_r, int *line_r)
{
	const struct setting *s = scope_origin(set, name);

	*file_r = s != NULL ? s->path : NULL;
	*line_r = s != NULL ? s->line : 0;
	return s != NULL;
}

int
config_dump(struct config_set *set, unsigned mode, const char *const *names,
    size_t n, FILE *out, FILE *errors)
{
	return dump_parameters(set, mode, names, n, out, errors);
}
