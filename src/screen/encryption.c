/* SPDX-License-Identifier: ISC */
#include "screen/encryption.h"

#include <errno.h>
#include <string.h>

#include "base/mem.h"

/* At a reload we may no longer be the user who can read the keys. The context in
 * force then stays whole, with its protocols and ciphers. */

enum level { LEVEL_NONE, LEVEL_MAY, LEVEL_ENCRYPT };

/* The words of doorbell_tls_security_level, in the order of params.def. */
enum { WORD_UNSET, WORD_NONE, WORD_MAY };

static enum level
level_of(const struct config *cfg)
{
	switch (cfg->tls_security_level) {
	case WORD_UNSET:
		if (cfg->enforce_tls)
			return LEVEL_ENCRYPT;
		return cfg->use_tls ? LEVEL_MAY : LEVEL_NONE;
	case WORD_NONE:
		return LEVEL_NONE;
	case WORD_MAY:
		return LEVEL_MAY;
	default: /* encrypt, and what is stronger */
		return LEVEL_ENCRYPT;
	}
}

static struct tls_options
options_of(const struct config *cfg, enum level level, const char *excluded)
{
	bool required = level == LEVEL_ENCRYPT;

	return (struct tls_options){
	    .chain_files = cfg->tls_chain_files,
	    .cert_file = cfg->tls_cert_file,
	    .key_file = cfg->tls_key_file,
	    .ca_file = cfg->tls_CAfile,
	    .protocols =
		required ? cfg->tls_mandatory_protocols : cfg->tls_protocols,
	    .cipher_grade =
		required ? cfg->tls_mandatory_ciphers : cfg->tls_ciphers,
	    .excluded_ciphers = excluded,
	    .more = {{cfg->tls_eccert_file, cfg->tls_eckey_file},
		{cfg->tls_dcert_file, cfg->tls_dkey_file}},
	};
}

static void
report(const struct policy_options *o, const char *text)
{
	if (o->tables.report != NULL)
		o->tables.report("STARTTLS", 0, text, o->tables.arg);
}

static struct tls_context *
make_context(const struct config *cfg, enum level level, struct errtext *why)
{
	struct tls_context *context = NULL;
	struct tls_options options;
	char *excluded = mem_printf("%s %s", cfg->tls_exclude_ciphers,
	    level == LEVEL_ENCRYPT ? cfg->tls_mandatory_exclude_ciphers : "");

	if (excluded == NULL) {
		errtext_set(why, "%s", strerror(errno));
		return NULL;
	}
	options = options_of(cfg, level, excluded);
	context = tls_context_new(&options, why);
	mem_free(excluded);
	return context;
}

static struct tls_context *
context_of(
    const struct policy_options *o, const struct config *cfg, enum level level)
{
	struct errtext why = {""};
	struct tls_context *context = make_context(cfg, level, &why);

	if (context != NULL)
		return context;
	if (o->before != NULL && o->before->tls != NULL) {
		errtext_prefix(&why, "the old keys stay in force");
		context = tls_context_ref(o->before->tls);
	} else {
		errtext_prefix(&why, "not offered");
	}
	report(o, why.text);
	return context;
}

/* The keys are read once, for the stricter state. */
void
encryption_prepare(struct policy *p, const struct policy_options *o)
{
	const enum level level[] = {
	    level_of(config_under(o->config, false)),
	    level_of(config_under(o->config, true)),
	};
	const enum level strictest = level[0] > level[1] ? level[0] : level[1];

	if (strictest == LEVEL_NONE)
		return;
	p->tls = context_of(o, config_under(o->config, false), strictest);
	for (size_t i = 0; i < 2; i++) {
		if (level[i] == LEVEL_NONE)
			continue;
		p->engine[i].tls =
		    p->tls != NULL ? ENGINE_TLS_USABLE : ENGINE_TLS_BROKEN;
		p->engine[i].tls_required = level[i] == LEVEL_ENCRYPT;
	}
}
