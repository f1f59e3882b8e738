/* SPDX-License-Identifier: ISC */
#include "ops/edit_plan.h"

#include <errno.h>
#include <string.h>

#include "base/mem.h"

/* Postfix's own instructions for postscreen say it: the fields of the smtp line
 * that are about smtpd (chroot, unpriv, how many processes) and its options go
 * to the new smtpd line; what is left on the smtp line is the screen, one
 * process, which drops root by itself. */

static const char no_memory[] = "out of memory";

static struct span
service_port(struct span service)
{
	for (size_t i = service.n; i > 0; i--)
		if (service.p[i - 1] == ':')
			return span_of(service.p + i, service.n - i);
	return service;
}

static bool
is_port_25(const struct master_entry *e)
{
	struct span port = service_port(e->field[MASTER_SERVICE]);

	return span_is(e->field[MASTER_TYPE], "inet") &&
	       (span_is(port, "smtp") || span_is(port, "25"));
}

const struct master_entry *
edit_plan_port(
    const struct master_cf *cf, const char *service, struct errtext *why)
{
	const struct master_entry *found = NULL;

	if (service != NULL) {
		found = master_cf_find(cf, span_str(service), "inet");
		if (found == NULL)
			errtext_set(
			    why, "master.cf has no service %s inet", service);
		return found;
	}
	for (size_t i = 0; i < cf->entries; i++) {
		if (!is_port_25(&cf->entry[i]))
			continue;
		if (found != NULL) {
			errtext_set(why, "master.cf has several services on"
					 " port 25: name the one you mean");
			return NULL;
		}
		found = &cf->entry[i];
	}
	if (found == NULL)
		errtext_set(why, "master.cf has no service on port 25");
	return found;
}

enum port_holder
edit_plan_holder(const struct master_entry *port)
{
	if (master_entry_runs(port, "doorbelld"))
		return HOLDER_DOORBELLD;
	if (master_entry_runs(port, "postscreen"))
		return HOLDER_POSTSCREEN;
	if (master_entry_runs(port, "smtpd"))
		return HOLDER_SMTPD;
	return HOLDER_OTHER;
}

bool
edit_plan_has_other_screen(
    const struct master_cf *cf, const struct master_entry *port)
{
	for (size_t i = 0; i < cf->entries; i++) {
		const struct master_entry *e = &cf->entry[i];

		if (e != port && (master_entry_runs(e, "doorbelld") ||
				     master_entry_runs(e, "postscreen")))
			return true;
	}
	return false;
}

/* --- putting it in -------------------------------------------------------- */

/* "n" would mean root: the screen does not run as root. */
static const char *
screen_unpriv(const struct master_entry *port)
{
	return span_is(port->field[MASTER_UNPRIV], "n") ? "-" : NULL;
}

/* The smtp line with doorbelld on it. Options of postscreen stay, those of
 * smtpd go. */
static char *
screen_line(const struct master_entry *port, bool keep_options)
{
	const struct span *f = port->field;
	const char *unpriv = screen_unpriv(port);
	struct span options = keep_options ? port->arguments : span_of("", 0);

	return mem_printf("%.*s inet n %.*s %.*s - 1 doorbelld%s%.*s",
	    (int)f[MASTER_SERVICE].n, f[MASTER_SERVICE].p,
	    unpriv != NULL ? (int)strlen(unpriv) : (int)f[MASTER_UNPRIV].n,
	    unpriv != NULL ? unpriv : f[MASTER_UNPRIV].p,
	    (int)f[MASTER_CHROOT].n, f[MASTER_CHROOT].p,
	    options.n > 0 ? " " : "", (int)options.n, options.p);
}

/* smtpd behind the screen; a postscreen line knows nothing of its limit and its
 * options. */
static char *
smtpd_line(const struct master_entry *port, const char *pass, bool was_smtpd)
{
	const struct span *f = port->field;
	struct span options = was_smtpd ? port->arguments : span_of("", 0);
	struct span maxproc = was_smtpd ? f[MASTER_MAXPROC] : span_of("-", 1);

	return mem_printf("%s pass - %.*s %.*s - %.*s %.*s%s%.*s", pass,
	    (int)f[MASTER_UNPRIV].n, f[MASTER_UNPRIV].p,
	    (int)f[MASTER_CHROOT].n, f[MASTER_CHROOT].p, (int)maxproc.n,
	    maxproc.p, was_smtpd ? (int)f[MASTER_COMMAND].n : 5,
	    was_smtpd ? f[MASTER_COMMAND].p : "smtpd", options.n > 0 ? " " : "",
	    (int)options.n, options.p);
}

/* There is a pass service already, though smtpd has the port: it may serve
 * another screen, and must be what we would have made. */
static int
check_pass(struct edit_plan *plan, struct errtext *why)
{
	struct master_cf made;
	int rc = master_cf_parse(&made, span_str(plan->new_pass), why);

	if (rc == 0 && !master_entry_same(&made.entry[0], plan->pass)) {
		errtext_set(why,
		    "master.cf has a service %s already, and it"
		    " is not what it should be: \"%s\"",
		    plan->pass->text, plan->new_pass);
		rc = -1;
	}
	master_cf_clear(&made);
	mem_free(plan->new_pass);
	plan->new_pass = NULL;
	return rc;
}

static int
plan_enable(struct edit_plan *plan, const char *pass, struct errtext *why)
{
	enum port_holder holder = edit_plan_holder(plan->port);

	if (holder == HOLDER_OTHER) {
		errtext_set(why,
		    "neither smtpd nor postscreen has the port:"
		    " \"%s\"",
		    plan->port->text);
		return -1;
	}
	if (holder != HOLDER_DOORBELLD &&
	    (plan->new_port = screen_line(
		 plan->port, holder == HOLDER_POSTSCREEN)) == NULL)
		return errtext_set(why, no_memory), -1;
	if (plan->pass != NULL && holder != HOLDER_SMTPD)
		return 0;
	plan->new_pass = smtpd_line(plan->port, pass, holder == HOLDER_SMTPD);
	if (plan->new_pass == NULL)
		return errtext_set(why, no_memory), -1;
	return plan->pass != NULL ? check_pass(plan, why) : 0;
}

int
edit_plan_enable(struct edit_plan *plan, const struct master_cf *cf,
    const struct master_entry *port, const char *pass, struct errtext *why)
{
	*plan = (struct edit_plan){
	    .port = port,
	    .pass = master_cf_find(cf, span_str(pass), "pass"),
	};
	return plan_enable(plan, pass, why);
}

/* --- taking it out -------------------------------------------------------- */

int
edit_plan_disable(struct edit_plan *plan, const struct master_cf *cf,
    const struct master_entry *port, const char *pass,
    const struct master_cf *old, struct errtext *why)
{
	const struct master_entry *was =
	    master_cf_find(old, port->field[MASTER_SERVICE], "inet");

	*plan = (struct edit_plan){
	    .port = port,
	    .pass = master_cf_find(cf, span_str(pass), "pass"),
	};
	if (edit_plan_holder(port) != HOLDER_DOORBELLD)
		return 0;
	if (was == NULL || edit_plan_holder(was) == HOLDER_DOORBELLD) {
		errtext_set(why, "the copy of master.cf does not say who had"
				 " the port before");
		return -1;
	}
	if ((plan->new_port = mem_strdup(was->text)) == NULL)
		return errtext_set(why, no_memory), -1;
	/* What was there before has not been ours to change. */
	plan->pass_goes = plan->pass != NULL &&
			  !edit_plan_has_other_screen(cf, port) &&
			  master_cf_find(old, span_str(pass), "pass") == NULL;
	return 0;
}

bool
edit_plan_changes(const struct edit_plan *plan)
{
	return plan->new_port != NULL || plan->new_pass != NULL ||
	       plan->pass_goes;
}

void
edit_plan_clear(struct edit_plan *plan)
{
	mem_free(plan->new_port);
	mem_free(plan->new_pass);
	*plan = (struct edit_plan){0};
}
