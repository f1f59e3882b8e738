/* SPDX-License-Identifier: ISC */
#undef _FORTIFY_SOURCE /* some of these are inline with it */
#include "support/nth_call.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

/* The C library's own declarations have transparent unions, and dlsym() returns
 * functions. */
#pragma GCC diagnostic ignored "-Wpedantic"

/* Nothing is asked of the kernel that the program did not ask for, so that a
 * sandbox has nothing against it. Where a wait is told to the kernel it is made
 * as much shorter as the clock runs faster. */

static struct nth_call_orders *orders;
static int64_t speed = 1;
static struct timespec began;

static bool
strikes(enum nth_call call)
{
	uint32_t n;

	if (orders == NULL || atomic_load(&orders->is_armed) == 0 ||
	    atomic_load(&orders->call) != (uint32_t)call)
		return false;
	n = atomic_fetch_add(&orders->calls, 1) + 1;
	if (n != orders->at && (n < orders->at || orders->lasting == 0))
		return false;
	errno = (int)orders->error;
	return true;
}

/* The C library's own function of this name. */
#define REAL(name) ((__typeof__(&name))find(#name))

static void *
find(const char *name)
{
	void *p = dlsym(RTLD_NEXT, name);

	if (p == NULL)
		abort();
	return p;
}

/* --- the test's side, when it is the same program ----------------------------- */
void
nth_call_arm(enum nth_call call, uint32_t at, int error)
{
	static struct nth_call_orders here;

	orders = &here;
	orders->is_armed = 0;
	orders->call = (uint32_t)call;
	orders->at = at;
	orders->error = (uint32_t)error;
	orders->calls = 0;
	orders->is_armed = 1;
}

uint32_t
nth_call_disarm(void)
{
	orders->is_armed = 0;
	return orders->calls;
}

const char *
nth_call_name(enum nth_call call)
{
	static const char *const names[] = {
#define CALL(name) #name,
#include "support/nth_call.def"
#undef CALL
	};

	return names[call];
}

/* --- memory ------------------------------------------------------------------ */
#ifdef NTH_CALL_HAS_MALLOC
/* dlsym() allocates, so the names under which glibc exports them. */
void *__libc_malloc(size_t n);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *p, size_t n);
void *__libc_memalign(size_t alignment, size_t n);
void __libc_free(void *p);

static void
count_live(int64_t n)
{
	if (orders != NULL)
		atomic_fetch_add(&orders->live, n);
}

static void *
counted(void *p)
{
	count_live(p != NULL);
	return p;
}

void *
malloc(size_t n)
{
	return strikes(CALL_malloc) ? NULL : counted(__libc_malloc(n));
}

void *
calloc(size_t n, size_t size)
{
	return strikes(CALL_calloc) ? NULL : counted(__libc_calloc(n, size));
}

void *
realloc(void *p, size_t n)
{
	void *q;

	if (strikes(CALL_realloc))
		return NULL;
	q = __libc_realloc(p, n);
	count_live((q != NULL && p == NULL) - (q == NULL && n == 0));
	return q;
}

int
posix_memalign(void **p, size_t alignment, size_t n)
{
	if (strikes(CALL_posix_memalign))
		return errno;
	*p = counted(__libc_memalign(alignment, n));
	return *p == NULL ? ENOMEM : 0;
}

void
free(void *p)
{
	count_live(p == NULL ? 0 : -1);
	__libc_free(p);
}

#endif

/* --- calls that just fail ------------------------------------------------------ */
#define FAILING(type, name, params, args)      \
	type name params                       \
	{                                      \
		static __typeof__(&name) real; \
                                               \
		if (strikes(CALL_##name))      \
			return (type)-1;       \
		if (real == NULL)              \
			real = REAL(name);     \
		return real args;              \
	}

FAILING(int, accept4, (int fd, struct sockaddr *sa, socklen_t *n, int flags),
    (fd, sa, n, flags))
FAILING(
    int, bind, (int fd, const struct sockaddr *sa, socklen_t n), (fd, sa, n))
FAILING(
    int, connect, (int fd, const struct sockaddr *sa, socklen_t n), (fd, sa, n))
FAILING(int, fdatasync, (int fd), (fd))
FAILING(int, ftruncate, (int fd, off_t n), (fd, n))
FAILING(ssize_t, getrandom, (void *p, size_t n, unsigned flags), (p, n, flags))
FAILING(
    int, getsockname, (int fd, struct sockaddr *sa, socklen_t *n), (fd, sa, n))
FAILING(int, getsockopt, (int fd, int level, int name, void *p, socklen_t *n),
    (fd, level, name, p, n))
FAILING(void *, mmap,
    (void *p, size_t n, int prot, int flags, int fd, off_t at),
    (p, n, prot, flags, fd, at))
FAILING(ssize_t, pwrite, (int fd, const void *p, size_t n, off_t at),
    (fd, p, n, at))
FAILING(ssize_t, read, (int fd, void *p, size_t n), (fd, p, n))
FAILING(
    ssize_t, recv, (int fd, void *p, size_t n, int flags), (fd, p, n, flags))
FAILING(ssize_t, recvfrom,
    (int fd, void *p, size_t n, int flags, struct sockaddr *sa, socklen_t *san),
    (fd, p, n, flags, sa, san))
FAILING(ssize_t, send, (int fd, const void *p, size_t n, int flags),
    (fd, p, n, flags))
FAILING(ssize_t, sendmsg, (int fd, const struct msghdr *m, int flags),
    (fd, m, flags))
FAILING(int, setsockopt,
    (int fd, int level, int name, const void *p, socklen_t n),
    (fd, level, name, p, n))
FAILING(int, shutdown, (int fd, int how), (fd, how))
FAILING(
    int, socket, (int family, int type, int protocol), (family, type, protocol))
FAILING(int, socketpair, (int family, int type, int protocol, int fds[2]),
    (family, type, protocol, fds))
FAILING(ssize_t, write, (int fd, const void *p, size_t n), (fd, p, n))
FAILING(ssize_t, writev, (int fd, const struct iovec *v, int n), (fd, v, n))

/* As compiled with _FORTIFY_SOURCE. */
ssize_t __recv_chk(int fd, void *p, size_t n, size_t room, int flags);

ssize_t
__recv_chk(int fd, void *p, size_t n, size_t room, int flags)
{
	if (n > room)
		abort();
	return recv(fd, p, n, flags);
}

/* What is watched can always be let go. */
int
epoll_ctl(int epoll, int op, int fd, struct epoll_event *e)
{
	static __typeof__(&epoll_ctl) real;

	if (op != EPOLL_CTL_DEL && strikes(CALL_epoll_ctl))
		return -1;
	if (real == NULL)
		real = REAL(epoll_ctl);
	return real(epoll, op, fd, e);
}

/* The kernel closes it all the same. */
int
close(int fd)
{
	bool fails = strikes(CALL_close);
	int error = errno, rc = (int)syscall(SYS_close, fd);

	if (!fails)
		return rc;
	errno = error;
	return -1;
}

int
open(const char *path, int flags, ...)
{
	va_list ap;
	mode_t mode;

	va_start(ap, flags);
	mode = va_arg(ap, mode_t);
	va_end(ap);
	return strikes(CALL_open)
		   ? -1
		   : (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
}

int
ioctl(int fd, unsigned long request, ...)
{
	va_list ap;
	long arg;

	va_start(ap, request);
	arg = va_arg(ap, long);
	va_end(ap);
	return strikes(CALL_ioctl) ? -1
				   : (int)syscall(SYS_ioctl, fd, request, arg);
}

int
posix_fallocate(int fd, off_t at, off_t n)
{
	return strikes(CALL_posix_fallocate) ? errno
					     : REAL(posix_fallocate)(fd, at, n);
}

int
pthread_create(
    pthread_t *t, const pthread_attr_t *a, void *(*fn)(void *), void *arg)
{
	return strikes(CALL_pthread_create)
		   ? errno
		   : REAL(pthread_create)(t, a, fn, arg);
}

/* --- time ---------------------------------------------------------------------- */
static int64_t
ns_of(const struct timespec *t)
{
	return (int64_t)t->tv_sec * 1000000000 + t->tv_nsec;
}

static struct timespec
of_ns(int64_t ns)
{
	return (struct timespec){
	    .tv_sec = (time_t)(ns / 1000000000), .tv_nsec = ns % 1000000000};
}

int
clock_gettime(clockid_t id, struct timespec *t)
{
	static __typeof__(&clock_gettime) real;
	int rc;

	if (real == NULL)
		real = REAL(clock_gettime);
	if ((rc = real(id, t)) == 0 && id == CLOCK_MONOTONIC)
		*t = of_ns(ns_of(&began) + (ns_of(t) - ns_of(&began)) * speed);
	return rc;
}

/* A fraction of a millisecond is one. */
static int
shorter_ms(int ms)
{
	return ms <= 0 ? ms : (int)((ms + speed - 1) / speed);
}

int
epoll_wait(int epoll, struct epoll_event *events, int n, int ms)
{
	static __typeof__(&epoll_wait) real;

	if (strikes(CALL_epoll_wait))
		return -1;
	if (real == NULL)
		real = REAL(epoll_wait);
	return real(epoll, events, n, shorter_ms(ms));
}

int
poll(struct pollfd *fds, nfds_t n, int ms)
{
	static __typeof__(&poll) real;

	if (strikes(CALL_poll))
		return -1;
	if (real == NULL)
		real = REAL(poll);
	return real(fds, n, shorter_ms(ms));
}

int
timerfd_settime(
    int fd, int flags, const struct itimerspec *new, struct itimerspec *old)
{
	static __typeof__(&timerfd_settime) real;
	struct itimerspec sooner = *new;
	int64_t ns = ns_of(&new->it_value);

	if (real == NULL)
		real = REAL(timerfd_settime);
	if ((flags & TFD_TIMER_ABSTIME) != 0)
		ns = ns_of(&began) + (ns - ns_of(&began)) / speed;
	else if (ns != 0)
		ns = ns / speed + 1;
	sooner.it_value = of_ns(ns);
	return real(fd, flags, &sooner, old);
}

int
pthread_cond_timedwait(
    pthread_cond_t *c, pthread_mutex_t *m, const struct timespec *until)
{
	struct timespec sooner =
	    of_ns(ns_of(&began) + (ns_of(until) - ns_of(&began)) / speed);

	return pthread_cond_clockwait(c, m, CLOCK_MONOTONIC, &sooner);
}

/* --- the beginning ------------------------------------------------------------- */
static void begin(void) __attribute__((constructor));

static void
begin(void)
{
	const char *file = getenv("NTH_CALL_FILE");
	const char *times = getenv("NTH_CALL_SPEED");
	int fd = file == NULL ? -1 : open(file, O_RDWR | O_CLOEXEC);
	void *p;

	if (fd < 0)
		return;
	p = mmap(
	    NULL, sizeof(*orders), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	(void)syscall(SYS_close, fd);
	if (p == MAP_FAILED)
		abort();
	(void)clock_gettime(CLOCK_MONOTONIC, &began);
	if (times != NULL)
		speed = strtol(times, NULL, 10);
	orders = p;
}
