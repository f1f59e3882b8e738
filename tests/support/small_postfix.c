/* SPDX-License-Identifier: ISC */
#include "support/small_postfix.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>

#define ON(what) "if [ -e \"$D/on." what "\" ]; then . \"$D/on." what "\"; fi\n"

static const char postfix[] =
    "[ \"$1 $2 $#\" = \"-c $D/etc 3\" ] || exit 99\n"
    "echo \"$3\" >>\"$D/calls\"\n" ON("$3") "exit 0\n";

static const char doorbelld[] =
    "[ \"$1 $2 $3\" = \"-t -c $D/etc\" ] || exit 99\n"
    "shift 3\n"
    "IFS='|'; echo \"doorbelld${*:+|}$*\" >>\"$D/calls\"\n" ON(
	"doorbelld") "exit 0\n";

/* As postconf(1) does it: other lines stay as they are, comments within an
 * entry, too; an entry that is not there is added at the end. */
static const char postconf[] =
    "[ \"$1 $2\" = \"-c $D/etc\" ] || exit 99\n"
    "shift 2\n"
    "(IFS='|'; echo \"postconf|$*\") >>\"$D/calls\"\n" ON(
	"postconf") "export MODE=\"$1\" NAME TYPE ENTRY\n"
		    "shift\n"
		    "for a; do\n"
		    "  NAME=${a%%=*} ENTRY=${a#*=}\n"
		    "  TYPE=${NAME##*/} NAME=${NAME%/*}\n"
		    "  awk '\n"
		    "    function put() {\n"
		    "      if (ENVIRON[\"MODE\"] == \"-M\" && !done++)\n"
		    "        print ENVIRON[\"ENTRY\"]\n"
		    "    }\n"
		    "    /^[^ \\t#]/ {\n"
		    "      mine = $1 == ENVIRON[\"NAME\"] && $2 == "
		    "ENVIRON[\"TYPE\"]\n"
		    "      if (mine) put()\n"
		    "    }\n"
		    "    mine && !/^#/ { next }\n"
		    "    { print }\n"
		    "    END { put() }\n"
		    "  ' \"$D/etc/master.cf\" >\"$D/etc/master.cf.tmp\" || "
		    "exit 98\n"
		    "  cat \"$D/etc/master.cf.tmp\" >\"$D/etc/master.cf\"\n"
		    "  rm \"$D/etc/master.cf.tmp\"\n"
		    "done\n" ON("edited") "exit 0\n";

static void
make_directory(const struct small_postfix *p, const char *name)
{
	assert_int_equal(mkdir(scratch_path(&p->scratch, name), 0755), 0);
}

static void
make_script(const struct small_postfix *p, const char *name, const char *body)
{
	char text[4000];

	(void)snprintf(
	    text, sizeof(text), "#!/bin/sh\nD='%s'\n%s", p->scratch.dir, body);
	scratch_write(&p->scratch, name, text, 0755);
}

void
small_postfix_make(
    struct small_postfix *p, const char *master_cf, const char *options)
{
	const char *dir = p->scratch.dir;
	char text[4000];

	scratch_make(&p->scratch);
	(void)snprintf(p->config, sizeof(p->config), "%s/etc", dir);
	make_directory(p, "etc");
	make_directory(p, "bin");
	make_directory(p, "libexec");
	make_directory(p, "queue");
	(void)snprintf(text, sizeof(text),
	    "compatibility_level = 3.6\n"
	    "myhostname = mx.test\n"
	    "mynetworks = 127.0.0.0/8\n"
	    "command_directory = %s/bin\n"
	    "daemon_directory = %s/libexec\n"
	    "queue_directory = %s/queue\n%s",
	    dir, dir, dir, options);
	scratch_write(&p->scratch, "etc/main.cf", text, 0644);
	scratch_write(&p->scratch, "etc/master.cf", master_cf, 0644);
	make_script(p, "bin/postfix", postfix);
	make_script(p, "bin/postconf", postconf);
	make_script(p, "libexec/doorbelld", doorbelld);
}

void
small_postfix_remove(struct small_postfix *p)
{
	scratch_remove(&p->scratch);
}

void
small_postfix_on(
    const struct small_postfix *p, const char *what, const char *script)
{
	char name[64];

	(void)snprintf(name, sizeof(name), "on.%s", what);
	scratch_write(&p->scratch, name, script, 0644);
}

void
small_postfix_expect_calls(const struct small_postfix *p, const char *want)
{
	scratch_expect(&p->scratch, "calls", want);
	(void)unlink(scratch_path(&p->scratch, "calls"));
}
