/* SPDX-License-Identifier: ISC */
#include "screen/policy.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "base/mem.h"
#include "base/must.h"
#include "net/fdpass.h"
#include "screen/encryption.h"
#include "screen/hush.h"
#include "screen/listing.h"
#include "screen/policy_tables.h"
#include "smtp/response.h"
#include "table/maps.h"

/* Texts and tables are taken from the calm evaluation: what depends on stress
 * are times, numbers and switches, and those are read from the configuration at
 * the moment of use. */

enum {
	RESERVED_DESCRIPTORS = 256, /* log, cache, DNS, listeners, spare */
	TEASER_MAX = 2048,
	KEYWORDS_MAX = 4096
};

static int
open_dnsbl(struct policy *p, const struct policy_options *o,
    const struct config *cfg, struct errtext *why)
{
	const struct resolver_options r = {
	    .servers = cfg->dns_servers,
	    .timeout_ms = cfg->dnsbl_timeout,
	};
	const struct dnsbl_options d = {
	    .sites = span_str(cfg->dnsbl_sites),
	    .timeout_ms = cfg->dnsbl_timeout,
	    .observer = listing_observer(p),
	    .before = o->before != NULL ? o->before->dnsbl : NULL,
	};

	/* Servers without a list to ask are looked at all the same: a mistake
	 * should not wait for the day when there is one. */
	if (span_trim(d.sites).n == 0 && cfg->dns_servers[0] == '\0')
		return 0;
	if ((p->resolver = resolver_new(o->loop, &r, why)) == NULL) {
		errtext_prefix(why, "doorbell_dns_servers");
		return -1;
	}
	if (span_trim(d.sites).n == 0)
		return 0;
	if ((p->dnsbl = dnsbl_new(o->loop, p->resolver, &d, why)) == NULL) {
		errtext_prefix(why, "doorbell_dnsbl_sites");
		return -1;
	}
	return 0;
}

static struct engine_options
engine_options_of(const struct config *cfg)
{
	struct span unknown;

	return (struct engine_options){
	    .myhostname = cfg->postfix.myhostname,
	    .message_size_limit = cfg->postfix.message_size_limit,
	    .helo_required = cfg->helo_required,
	    .disable_vrfy = cfg->disable_vrfy_command,
	    .smtputf8 = cfg->postfix.smtputf8_enable,
	    .external_addresses = cfg->postfix.info_log_address_format == 0,
	    .command_limit = (unsigned)(cfg->command_count_limit < UINT32_MAX
					    ? cfg->command_count_limit
					    : UINT32_MAX),
	    .discard =
		keywords_parse(span_str(cfg->discard_ehlo_keywords), &unknown)
		    .mask,
	};
}

/* Each session needs a descriptor, and while it is handed off a second one:
 * those are kept back, for otherwise the last ones in could never leave. The two
 * more of a relayed session are counted with it. Known clients may go beyond the
 * limit, where others are shed, but nobody beyond the ceiling. */
static void
set_limits(struct policy *p, const struct config *cfg)
{
	size_t descriptors = p->descriptor_limit;
	size_t handoffs = (size_t)cfg->post_queue_limit;
	size_t reserved = RESERVED_DESCRIPTORS;

	if (reserved > descriptors / 2)
		reserved = descriptors / 2;
	if (handoffs > descriptors / 8)
		handoffs = descriptors / 8;
	p->session_ceiling = descriptors - reserved / 2 - handoffs;
	p->session_limit = descriptors - reserved - 2 * handoffs;
	if (cfg->session_limit > 0)
		p->session_limit = (size_t)cfg->session_limit;
	if (p->session_limit > p->session_ceiling)
		p->session_limit = p->session_ceiling;
}

/* Inside a chroot only relative names reach the queue. */
static char *
smtpd_path_of(const struct config *cfg)
{
	const char *path = cfg->smtpd_service;
	size_t n = strlen(cfg->postfix.queue_directory);

	while (n > 0 && cfg->postfix.queue_directory[n - 1] == '/')
		n--;
	if (strncmp(path, cfg->postfix.queue_directory, n) == 0 &&
	    path[n] == '/')
		path += n + 1;
	return mem_strdup(path);
}

/* The first line of a greeting that smtpd, or our dialogue, will finish. */
static int
make_teaser(char **teaser_r, const char *banner)
{
	const struct reply greeting = {.code = 220, .text = banner};
	struct buf out;

	if (banner[0] == '\0')
		return 0;
	buf_init(&out, TEASER_MAX);
	if (reply_part(&greeting, true, &out) == 0)
		*teaser_r = mem_strndup(out.p, out.n);
	buf_clear(&out);
	return *teaser_r != NULL ? 0 : -1;
}

/* Whether main.cf lets smtpd offer STARTTLS. It takes levels that only clients
 * have for "encrypt". */
static bool
smtpd_has_tls(const struct policy *p)
{
	const char *level = config_text(p->config, "smtpd_tls_security_level");

	if (level[0] != '\0')
		return strcmp(level, "none") != 0;
	return strcmp(config_text(p->config, "smtpd_use_tls"), "yes") == 0 ||
	       strcmp(config_text(p->config, "smtpd_enforce_tls"), "yes") == 0;
}

/* Until smtpd has been heard: what every smtpd offers. */
static int
guess_keywords(struct policy *p, const struct config *cfg)
{
	bool tls = smtpd_has_tls(p);
	char *guess = mem_printf("SIZE %lld\n%s8BITMIME\n"
				 "ENHANCEDSTATUSCODES\nDSN",
	    (long long)cfg->postfix.message_size_limit,
	    tls ? "STARTTLS\n" : "");

	if (guess == NULL)
		return -1;
	mem_free(p->keywords);
	p->keywords = guess;
	return 0;
}

static int
make_texts(struct policy *p, const struct config *calm,
    const struct config *stressed, struct errtext *why)
{
	if (guess_keywords(p, calm) < 0) {
		errtext_set(why, "%s", strerror(errno));
		return -1;
	}
	p->smtpd_path = smtpd_path_of(calm);
	if (p->smtpd_path != NULL && strlen(p->smtpd_path) >= FDPASS_PATH_MAX) {
		errtext_set(why,
		    "doorbell_smtpd_service: %s is too long for a"
		    " socket",
		    p->smtpd_path);
		return -1;
	}
	if (p->smtpd_path != NULL &&
	    make_teaser(&p->teaser[false], calm->greet_banner) == 0 &&
	    make_teaser(&p->teaser[true], stressed->greet_banner) == 0)
		return 0;
	errtext_set(why, "greeting or service name: %s", strerror(errno));
	return -1;
}

/* smtpd dies of a client whose family it does not speak. */
static int
read_families(struct policy *p, const char *words, struct errtext *why)
{
	struct span rest = span_str(words), word;

	while (text_token(&rest, TEXT_LIST_SEPARATORS, &word)) {
		bool all = span_is_nocase(word, "all");

		if (!all && !span_is_nocase(word, "ipv4") &&
		    !span_is_nocase(word, "ipv6")) {
			errtext_set(why,
			    "inet_protocols = %s: all, ipv4 or "
			    "ipv6 expected",
			    words);
			return -1;
		}
		p->ipv4 = p->ipv4 || all || span_is_nocase(word, "ipv4");
		p->ipv6 = p->ipv6 || all || span_is_nocase(word, "ipv6");
	}
	if (p->ipv4 || p->ipv6)
		return 0;
	errtext_set(why, "inet_protocols is empty");
	return -1;
}

bool
policy_speaks(const struct policy *p, const struct addr *a)
{
	return a->family == ADDR_IPV6 ? p->ipv6 : p->ipv4;
}

bool
policy_has_proxy(const struct policy *p, const struct addr *peer)
{
	return p->proxied &&
	       (p->proxy_networks == NULL || list_has(p->proxy_networks, peer));
}

/* PIPELINING would make our pipelining test unfair; XCLIENT and XFORWARD are
 * offered to trusted clients only, and the next one may not be. */
static bool
may_offer(struct span keyword)
{
	static const char *const never[] = {
	    "PIPELINING", "XCLIENT", "XFORWARD"};
	struct span rest = keyword, word;

	if (!text_token(&rest, " ", &word))
		return false;
	for (size_t i = 0; i < sizeof(never) / sizeof(*never); i++) {
		if (span_is_nocase(word, never[i]))
			return false;
	}
	return true;
}

/* From whom some are concealed nothing is learned for all others: smtpd goes by
 * the same tables. */
void
policy_learn_keywords(
    struct policy *p, const struct addr *client, struct span response)
{
	struct table_match match;
	struct span text;
	struct buf out;
	char *learned;

	if (p->knows_keywords ||
	    maps_find_addr(p->discard_maps, client, &match) == TABLE_FOUND)
		return;
	buf_init(&out, KEYWORDS_MAX);
	(void)response_line(&response, &text); /* the host's name */
	while (response_line(&response, &text)) {
		if (may_offer(text))
			(void)buf_printf(&out, "%s%.*s", out.n > 0 ? "\n" : "",
			    (int)text.n, text.p);
	}
	if ((learned = mem_strndup(out.n > 0 ? out.p : "", out.n)) != NULL) {
		mem_free(p->keywords);
		p->keywords = learned;
		p->knows_keywords = true;
	}
	buf_clear(&out);
}

const char *
policy_keywords(const struct policy *p)
{
	return p->keywords;
}

static bool
has_old_words_by_default(struct config_set *config)
{
	return !config_under(config, false)->postfix.respectful_logging &&
	       !config_is_set(config, "respectful_logging");
}

static int
read_events(struct policy *p, const char *words, struct errtext *why)
{
	if (hush_parse(span_str(words), p->quiet, why) == 0)
		return 0;
	errtext_prefix(why, "doorbell_log_events");
	return -1;
}

static void
set_line_max(struct policy *p)
{
	size_t calm, stressed;

	calm =
	    (size_t)config_under(p->config, false)->postfix.line_length_limit;
	stressed =
	    (size_t)config_under(p->config, true)->postfix.line_length_limit;
	p->line_max[false] = calm;
	p->line_max[true] = stressed;
	p->line_room = calm < stressed ? stressed : calm;
}

struct policy *
policy_new(const struct policy_options *o, struct errtext *why)
{
	const struct config *cfg = config_under(o->config, false);
	struct policy *p = mem_new(sizeof(*p));

	if (p == NULL) {
		errtext_set(why, "%s", strerror(errno));
		return NULL;
	}
	p->refs = 1;
	p->screen = o->screen;
	p->config = config_ref(o->config);
	p->words_by_default = has_old_words_by_default(o->config);
	p->descriptor_limit = o->descriptor_limit;
	set_limits(p, cfg);
	p->engine[false] = engine_options_of(cfg);
	p->engine[true] = engine_options_of(config_under(o->config, true));
	set_line_max(p);
	if (read_events(p, cfg->log_events, why) < 0 ||
	    read_families(p, cfg->postfix.inet_protocols, why) < 0 ||
	    make_texts(p, cfg, config_under(o->config, true), why) < 0 ||
	    policy_tables_open(p, o, why) < 0 || open_dnsbl(p, o, cfg, why) < 0)
		policy_unref(&p);
	else
		encryption_prepare(p, o);
	return p;
}

struct policy *
policy_ref(struct policy *p)
{
	p->refs++;
	return p;
}

void
policy_unref(struct policy **pp)
{
	struct policy *p = *pp;

	*pp = NULL;
	if (p == NULL)
		return;
	must(p->refs > 0);
	if (--p->refs > 0)
		return;
	tls_context_unref(&p->tls);
	dnsbl_unref(&p->dnsbl);
	resolver_free(&p->resolver);
	policy_tables_close(p);
	mem_free(p->keywords);
	mem_free(p->smtpd_path);
	mem_free(p->teaser[false]);
	mem_free(p->teaser[true]);
	config_unref(&p->config);
	mem_free(p);
}

/* A self-test that goes on at the same pace is not begun anew. */
static void
watch_lists(struct policy *p, int64_t interval)
{
	if (p->dnsbl != NULL && interval != p->watch_interval)
		dnsbl_watch(p->dnsbl, interval);
	p->watch_interval = interval;
}

void
policy_set_stress(struct policy *p, bool stress)
{
	const struct config *cfg = config_under(p->config, stress);

	set_limits(p, cfg);
	if (p->dnsbl != NULL)
		dnsbl_set_timeout(p->dnsbl, cfg->dnsbl_timeout);
	if (p->entered)
		watch_lists(p, cfg->dnsbl_selftest_interval);
	if (!p->knows_keywords)
		(void)guess_keywords(p, cfg); /* else the old guess stays */
}

void
policy_enter(struct policy *p, bool stress)
{
	p->entered = true;
	policy_set_stress(p, stress);
}

void
policy_leave(struct policy *p)
{
	p->entered = false;
	watch_lists(p, 0);
}

int
policy_after_fork(struct policy *p, struct errtext *why)
{
	policy_leave(p); /* who drains takes no new clients */
	return p->resolver == NULL ? 0 : resolver_after_fork(p->resolver, why);
}

bool
policy_discards(
    const struct policy *p, const struct addr *client, unsigned *mask)
{
	unsigned everyones = *mask;
	struct table_match match;
	struct keywords k;
	struct span unknown;

	if (maps_find_addr(p->discard_maps, client, &match) != TABLE_FOUND)
		return false;
	k = keywords_parse(span_str(match.value), &unknown);
	*mask = k.mask;
	return k.mask != everyones && !k.silent;
}

const char *
policy_zone_name(const struct policy *p, const char *zone)
{
	struct table_match match;

	if (p->reply_map != NULL &&
	    table_find(p->reply_map, zone, &match) == TABLE_FOUND)
		return match.value;
	return zone;
}
