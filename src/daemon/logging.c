/* SPDX-License-Identifier: ISC */
#include "daemon/logging.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/log.h"
#include "base/mem.h"

/* Log tools find a screening daemon's lines by the program name: under master
 * we write as postscreen, the DNSBL lines as dnsblog and those about STARTTLS as
 * tlsproxy, as there. The first
 * line of every process says who it really is. */

#define SYSLOG_PATH "/dev/log"
#define POSTLOG_NAME "public/postlog"
#define NAME_AS_POSTSCREEN "postscreen"
#define NAME_OF_OUR_OWN "doorbelld"
#define NAME_OF_DNSBLOG "dnsblog"
#define NAME_OF_TLSPROXY "tlsproxy"

static const struct {
	const char *name;
	int facility;
} facilities[] = {
    {"auth", LOG_AUTH},
    {"authpriv", LOG_AUTHPRIV},
    {"cron", LOG_CRON},
    {"daemon", LOG_DAEMON},
    {"ftp", LOG_FTP},
    {"kern", LOG_KERN},
    {"lpr", LOG_LPR},
    {"mail", LOG_MAIL},
    {"news", LOG_NEWS},
    {"syslog", LOG_SYSLOG},
    {"user", LOG_USER},
    {"uucp", LOG_UUCP},
    {"local0", LOG_LOCAL0},
    {"local1", LOG_LOCAL1},
    {"local2", LOG_LOCAL2},
    {"local3", LOG_LOCAL3},
    {"local4", LOG_LOCAL4},
    {"local5", LOG_LOCAL5},
    {"local6", LOG_LOCAL6},
    {"local7", LOG_LOCAL7},
};

static int
find_facility(const char *name, int *facility_r, struct errtext *why)
{
	for (size_t i = 0; i < sizeof(facilities) / sizeof(*facilities); i++) {
		if (strcmp(facilities[i].name, name) == 0) {
			*facility_r = facilities[i].facility;
			return 0;
		}
	}
	errtext_set(why, "syslog_facility = %s: unknown facility", name);
	return -1;
}

/* -o syslog_name= wins over what master says, which wins over main.cf. */
static const char *
syslog_name_of(const struct options *o, const struct config *cfg)
{
	const char *tag = getenv("MAIL_LOGTAG");

	if (cfg != NULL && (o->mode != OPTIONS_SERVICE || tag == NULL ||
			       options_override(o, "syslog_name")))
		return cfg->postfix.syslog_name;
	return tag != NULL && o->mode == OPTIONS_SERVICE ? tag : "postfix";
}

static const char *
program_name_of(const struct options *o, const struct config *cfg)
{
	if (cfg != NULL && cfg->log_name[0] != '\0')
		return cfg->log_name;
	return o->mode == OPTIONS_SERVICE ? NAME_AS_POSTSCREEN
					  : NAME_OF_OUR_OWN;
}

/* The first label of the host's name. */
static char *
short_host(const struct config *cfg)
{
	const char *host = getenv("POSTLOG_HOSTNAME");

	if (host == NULL)
		host = cfg != NULL ? cfg->postfix.myhostname : "localhost";
	return mem_strndup(host, strcspn(host, "."));
}

/* Under systemd what stderr gets loses facility and severity on its way: the
 * journal takes them from syslog's socket. */
static bool
stderr_is_the_journal(void)
{
	const char *text = getenv("JOURNAL_STREAM");
	char us[64];
	struct stat st;

	if (text == NULL || fstat(STDERR_FILENO, &st) < 0)
		return false;
	(void)snprintf(us, sizeof(us), "%ju:%ju", (uintmax_t)st.st_dev,
	    (uintmax_t)st.st_ino);
	return strcmp(text, us) == 0;
}

static void
choose_kind(struct logsock_options *l, const struct options *o,
    const struct config *cfg)
{
	bool postlog;

	if (o->mode == OPTIONS_SERVICE)
		postlog = getenv("POSTLOG_SERVICE") != NULL;
	else
		postlog = cfg != NULL && cfg->postfix.maillog_file[0] != '\0';
	if (o->mode == OPTIONS_STANDALONE && o->foreground &&
	    !stderr_is_the_journal()) {
		l->kind = LOGSOCK_STDERR;
	} else if (postlog) {
		/* Relative: the working directory is the queue directory,
		 * inside a chroot as well. */
		l->kind = LOGSOCK_POSTLOG;
		l->path = POSTLOG_NAME;
	} else {
		l->kind = LOGSOCK_SYSLOG;
		l->path = SYSLOG_PATH;
	}
}

static int
open_log(struct logsock **log_r, const struct options *o,
    const struct config *cfg, struct errtext *why)
{
	struct logsock_options l = {.facility = LOG_MAIL};
	const char *program = program_name_of(o, cfg);
	const char *site = syslog_name_of(o, cfg);
	char *host = short_host(cfg);
	char *main_tag = mem_printf("%s/%s", site, program);
	bool disguised = strcmp(program, NAME_AS_POSTSCREEN) == 0;
	char *dns_tag =
	    mem_printf("%s/%s", site, disguised ? NAME_OF_DNSBLOG : program);
	char *tls_tag =
	    mem_printf("%s/%s", site, disguised ? NAME_OF_TLSPROXY : program);
	int rc = -1;

	choose_kind(&l, o, cfg);
	l.host = host;
	l.tag[LOG_VOICE_MAIN] = main_tag;
	l.tag[LOG_VOICE_DNSBLOG] = dns_tag;
	l.tag[LOG_VOICE_TLSPROXY] = tls_tag;
	if (host == NULL || main_tag == NULL || dns_tag == NULL ||
	    tls_tag == NULL)
		errtext_set(why, "%s", strerror(ENOMEM));
	else if (cfg == NULL || find_facility(cfg->postfix.syslog_facility,
				    &l.facility, why) == 0)
		rc = (*log_r = logsock_new(&l, why)) != NULL ? 0 : -1;
	mem_free(tls_tag);
	mem_free(dns_tag);
	mem_free(main_tag);
	mem_free(host);
	return rc;
}

void
logging_form(const struct config *cfg)
{
	log_set_utf8(cfg->postfix.smtputf8_enable);
	log_set_form((enum log_form)cfg->log_format);
}

int
logging_start(struct logsock **old, const struct options *o,
    struct config_set *config, struct errtext *why)
{
	const struct config *cfg =
	    config != NULL ? config_under(config, false) : NULL;
	struct logsock *log = NULL;

	tzset(); /* before the root changes */
	if (open_log(&log, o, cfg, why) < 0)
		return -1;
	log_set_verbose(o->verbose);
	if (cfg != NULL)
		logging_form(cfg);
	log_set_sink(logsock_write, log);
	logsock_free(old);
	*old = log;
	return 0;
}

void
logging_stop(struct logsock **log)
{
	log_set_sink(NULL, NULL);
	logsock_free(log);
}

bool
logging_differs(struct config_set *old, struct config_set *new)
{
	static const char *const names[] = {"syslog_name", "syslog_facility",
	    "doorbell_log_name", "maillog_file", "myhostname"};

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		if (strcmp(config_text(old, names[i]),
			config_text(new, names[i])) != 0)
			return true;
	}
	return false;
}

int
logging_check(const struct config *cfg, struct errtext *why)
{
	int facility;

	return find_facility(cfg->postfix.syslog_facility, &facility, why);
}
