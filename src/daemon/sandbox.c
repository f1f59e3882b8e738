/* SPDX-License-Identifier: ISC */
#include "daemon/sandbox.h"

#include <errno.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <sched.h>
#include <seccomp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#include "base/mem.h"

/* Calls without rules about their arguments cost the kernel a bit in a map, so
 * those that clients cause by the thousand are such. clone3(2) hides its flags
 * from a filter: it "does not exist", and the C library takes clone(2).
 *
 * Executable memory is refused rather than punished: the C library may try to
 * load a module for a name service, and does without. */

#define SOCKET_KIND_MASK 0xf /* without SOCK_NONBLOCK and SOCK_CLOEXEC */
#define NEW_NAMESPACES                                                 \
	(CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | \
	    CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET)

static const char *const plain_calls[] = {
#define CALL(name) #name,
#include "daemon/calls.def"
#undef CALL
};

/* A call that this architecture does not have needs no rule. */
static int
allow(scmp_filter_ctx filter, const char *name)
{
	int call = seccomp_syscall_resolve_name(name);

	if (call == __NR_SCMP_ERROR || call < 0)
		return 0;
	return seccomp_rule_add(filter, SCMP_ACT_ALLOW, call, 0);
}

static int
allow_sockets(scmp_filter_ctx filter)
{
	static const struct {
		int family, kind;
	} sockets[] = {
	    {AF_UNIX, SOCK_STREAM}, {AF_UNIX, SOCK_DGRAM},
	    {AF_INET, SOCK_STREAM}, {AF_INET, SOCK_DGRAM},
	    {AF_INET6, SOCK_STREAM}, {AF_INET6, SOCK_DGRAM},
	    {AF_NETLINK, SOCK_RAW}, /* which networks are ours: mynetworks */
	};
	int rc = 0;

	for (size_t i = 0; i < sizeof(sockets) / sizeof(*sockets); i++) {
		const struct scmp_arg_cmp family =
		    SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)sockets[i].family, 0);
		const struct scmp_arg_cmp kind = SCMP_A1(SCMP_CMP_MASKED_EQ,
		    SOCKET_KIND_MASK, (scmp_datum_t)sockets[i].kind);

		if (rc == 0 && sockets[i].family == AF_NETLINK)
			rc = seccomp_rule_add(filter, SCMP_ACT_ALLOW,
			    SCMP_SYS(socket), 3, family, kind,
			    SCMP_A2(SCMP_CMP_EQ, NETLINK_ROUTE, 0));
		else if (rc == 0)
			rc = seccomp_rule_add(filter, SCMP_ACT_ALLOW,
			    SCMP_SYS(socket), 2, family, kind);
	}
	if (rc == 0)
		rc = seccomp_rule_add(filter, SCMP_ACT_ALLOW,
		    SCMP_SYS(socketpair), 1, SCMP_A0(SCMP_CMP_EQ, AF_UNIX, 0));
	return rc;
}

static int
allow_memory(scmp_filter_ctx filter)
{
	static const int calls[] = {SCMP_SYS(mmap), SCMP_SYS(mprotect)};
	int rc = 0;

	for (size_t i = 0; i < sizeof(calls) / sizeof(*calls) && rc == 0; i++) {
		rc = seccomp_rule_add(filter, SCMP_ACT_ALLOW, calls[i], 1,
		    SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
		if (rc == 0)
			rc = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EACCES),
			    calls[i], 1,
			    SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, PROT_EXEC));
	}
	return rc;
}

static int
allow_processes(scmp_filter_ctx filter)
{
	static const int named[] = {PR_SET_NAME, PR_GET_NAME, PR_SET_VMA};
	int rc = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(clone), 1,
	    SCMP_A0(SCMP_CMP_MASKED_EQ, NEW_NAMESPACES, 0));

	if (rc == 0)
		rc = seccomp_rule_add(
		    filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
	for (size_t i = 0; i < sizeof(named) / sizeof(*named) && rc == 0; i++)
		rc = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(prctl),
		    1, SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)named[i], 0));
	/* Limits may be read, not set. */
	if (rc == 0)
		rc = seccomp_rule_add(filter, SCMP_ACT_ALLOW,
		    SCMP_SYS(prlimit64), 1, SCMP_A2(SCMP_CMP_EQ, 0, 0));
	if (rc == 0)
		rc = allow(filter, "getrlimit");
	return rc;
}

static int
load(scmp_filter_ctx filter)
{
	int rc = seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1);

	/* A tree instead of a list; older libraries have lists only. */
	(void)seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	/* The kernel's own reason, not "Operation canceled" for all of them. */
	(void)seccomp_attr_set(filter, SCMP_FLTATR_API_SYSRAWRC, 1);
	for (size_t i = 0; i < sizeof(plain_calls) / sizeof(*plain_calls); i++)
		if (rc == 0)
			rc = allow(filter, plain_calls[i]);
	if (rc == 0)
		rc = allow_sockets(filter);
	if (rc == 0)
		rc = allow_memory(filter);
	if (rc == 0)
		rc = allow_processes(filter);
	if (rc == 0)
		rc = seccomp_load(filter);
	return rc;
}

int
sandbox_enter(bool only_log, struct errtext *why)
{
	scmp_filter_ctx filter =
	    seccomp_init(only_log ? SCMP_ACT_LOG : SCMP_ACT_KILL_PROCESS);
	int rc = filter == NULL ? -ENOMEM : load(filter);

	seccomp_release(filter);
	if (rc == 0)
		return 0;
	errtext_set(why, "%s", strerror(-rc));
	return -1;
}

bool
sandbox_is_watched(void)
{
#if defined(__SANITIZE_ADDRESS__) || defined(DOORBELL_INSTRUMENTED)
	return true;
#else
	const char *preload = getenv("LD_PRELOAD");

	return preload != NULL && strstr(preload, "vgpreload") != NULL;
#endif
}
