/* SPDX-License-Identifier: ISC */
#include "config/machine.h"

#include <errno.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "config/host.h"

/* host.c knows the machine, this knows which settings bear on its answers. The
 * order matters: while a default is being worked out, the ones after it are
 * still empty, so no reference can go round in circles. */

/* The expansion of a name in fresh memory; NULL when it has none. Mistakes are
 * reported when the parameter gets its value. */
static char *
expanded(const struct config_set *set, enum scope_state state, const char *name)
{
	const char *text = scope_raw(set, state, name);
	struct errtext why;
	struct buf value;
	char *copy = NULL;

	if (text == NULL)
		return NULL;
	buf_init(&value, SCOPE_VALUE_MAX);
	if (scope_expand(set, state, text, &value, &why) == 0)
		copy = mem_strndup(value.p, value.n);
	buf_clear(&value);
	return copy;
}

static bool
is_set(const struct config_set *set, enum scope_state state, const char *name)
{
	return state != SCOPE_BUILT_IN &&
	       settings_find(&set->settings, span_str(name)) != NULL;
}

static char *
machine_hostname(
    const struct config_set *set, enum scope_state state, struct errtext *why)
{
	char *domain = NULL, *copy = NULL;
	struct buf name;

	buf_init(&name, SCOPE_VALUE_MAX);
	if (is_set(set, state, "mydomain"))
		domain = expanded(set, state, "mydomain");
	if (host_name(domain, &name, why) == 0)
		copy = mem_strndup(name.p, name.n);
	mem_free(domain);
	buf_clear(&name);
	return copy;
}

static char *
machine_domain(
    const struct config_set *set, enum scope_state state, struct errtext *why)
{
	char *name = expanded(set, state, "myhostname"), *copy = NULL;
	struct buf domain;

	buf_init(&domain, SCOPE_VALUE_MAX);
	if (host_domain(name != NULL ? name : "", &domain, why) == 0)
		copy = mem_strndup(domain.p, domain.n);
	mem_free(name);
	buf_clear(&domain);
	return copy;
}

static char *
machine_networks(
    const struct config_set *set, enum scope_state state, struct errtext *why)
{
	char *style = expanded(set, state, "mynetworks_style");
	char *interfaces = expanded(set, state, "inet_interfaces");
	char *protocols = expanded(set, state, "inet_protocols");
	char *copy = NULL;
	struct buf networks;

	buf_init(&networks, SCOPE_VALUE_MAX);
	/* What does not expand is reported where it stands. */
	if (style == NULL || interfaces == NULL || protocols == NULL)
		copy = mem_strdup("");
	else if (host_networks(style, interfaces, protocols, set->is_hurried,
		     &networks, why) == 0)
		copy = mem_strndup(networks.p, networks.n);
	mem_free(style);
	mem_free(interfaces);
	mem_free(protocols);
	buf_clear(&networks);
	return copy;
}

/* In this order: each default may be made from the ones before it. */
int
machine_ask(struct config_set *set, enum scope_state state,
    struct machine *machine, struct errtext *why)
{
	errtext_set(why, "%s", strerror(ENOMEM));
	machine->myhostname = machine_hostname(set, state, why);
	machine->mydomain = machine_domain(set, state, why);
	if (machine->myhostname == NULL || machine->mydomain == NULL)
		return -1;
	machine->mynetworks = is_set(set, state, "mynetworks")
				  ? mem_strdup("")
				  : machine_networks(set, state, why);
	return machine->mynetworks != NULL ? 0 : -1;
}

void
machine_clear(struct machine *machine)
{
	mem_free(machine->myhostname);
	mem_free(machine->mydomain);
	mem_free(machine->mynetworks);
	*machine = (struct machine){0};
}
