/* SPDX-License-Identifier: ISC */
#include "screen/encryption.h"

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
options_of(const struct config *cfg, enum level level)
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
	    .excluded_ciphers = cfg->tls_exclude_ciphers,
	};
}

static struct tls_context *
context_of(const struct policy_options *o, const struct tls_options *options)
{
	struct errtext why = {""};
	struct tls_context *context = tls_context_new(options, &why);

	if (context != NULL)
		return context;
	if (o->before != NULL && o->before->tls != NULL) {
		errtext_prefix(&why, "the old keys stay in force");
		context = tls_context_ref(o->before->tls);
	} else {
		errtext_prefix(&why, "not offered");
	}
	o->tables.report("STARTTLS", 0, why.text, o->tables.arg);
	return context;
}

void
encryption_prepare(struct policy *p, const struct policy_options *o)
{
	const struct config *cfg = config_under(o->config, false);
	enum level level = level_of(cfg);
	struct tls_options options = options_of(cfg, level);

	if (level == LEVEL_NONE)
		return;
	p->tls = context_of(o, &options);
	for (size_t i = 0; i < 2; i++) {
		p->engine[i].tls =
		    p->tls != NULL ? ENGINE_TLS_USABLE : ENGINE_TLS_BROKEN;
		p->engine[i].tls_required = level == LEVEL_ENCRYPT;
	}
}
