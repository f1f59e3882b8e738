/* SPDX-License-Identifier: ISC */
/* links: fake_mem tls_files */
#include "net/tls.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

#include "support/fake_mem.h"
#include "support/tls_files.h"

/* TLS without the stream around it: what comes back when something fails. Both
 * ends take turns in this process. What goes well is in test_tls.c. */

enum { TURNS = 50 };

static struct tls_context *context;
static struct tls *server;
static SSL_CTX *rules;
static SSL *client;
static int fd[2]; /* the server's, the client's */
static char text[65536];

/* --- the library's memory ------------------------------------------------------ */
static long works = -1; /* so many allocations; -1: all */

static bool
has_memory(void)
{
	if (works > 0)
		works--;
	return works != 0;
}

static void *
library_take(size_t n, const char *file, int line)
{
	(void)file;
	(void)line;
	return has_memory() ? malloc(n) : NULL;
}

static void *
library_resize(void *p, size_t n, const char *file, int line)
{
	(void)file;
	(void)line;
	return has_memory() ? realloc(p, n) : NULL;
}

static void
library_give_back(void *p, const char *file, int line)
{
	(void)file;
	(void)line;
	free(p);
}

/* --- both ends --------------------------------------------------------------------- */
static const struct tls_options usual = {.chain_files = "",
    .cert_file = "none",
    .key_file = "",
    .ca_file = "",
    .protocols = "",
    .cipher_grade = "medium",
    .excluded_ciphers = ""};

static struct tls_context *
make_context(struct errtext *why)
{
	struct tls_options o = usual;

	o.cert_file = tls_files_path("ec.pem");
	o.key_file = tls_files_path("ec.key");
	return tls_context_new(&o, why);
}

static void
connect_by_tcp(void)
{
	struct sockaddr_in sa = {.sin_family = AF_INET};
	socklen_t n = sizeof(sa);
	int door = socket(AF_INET, SOCK_STREAM, 0);

	sa.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_true(door >= 0);
	assert_int_equal(bind(door, (struct sockaddr *)&sa, n), 0);
	assert_int_equal(listen(door, 1), 0);
	assert_int_equal(getsockname(door, (struct sockaddr *)&sa, &n), 0);
	fd[1] = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(connect(fd[1], (struct sockaddr *)&sa, n), 0);
	fd[0] = accept(door, NULL, NULL);
	assert_true(fd[0] >= 0);
	close(door);
	for (int i = 0; i < 2; i++)
		assert_int_equal(fcntl(fd[i], F_SETFL, O_NONBLOCK), 0);
}

static int
begin(void)
{
	struct errtext why = {""};

	if ((context = make_context(&why)) == NULL)
		fail_msg("%s", why.text);
	server = tls_new(context, fd[0]);
	rules = SSL_CTX_new(TLS_client_method());
	client = SSL_new(rules);
	assert_true(server != NULL && client != NULL);
	assert_int_equal(SSL_set_fd(client, fd[1]), 1);
	SSL_set_connect_state(client);
	return 0;
}

static int
set_up(void **state)
{
	(void)state;
	connect_by_tcp();
	return begin();
}

/* One that takes a lot at once. */
static int
set_up_pair(void **state)
{
	(void)state;
	assert_int_equal(
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fd), 0);
	return begin();
}

static void
leave(void)
{
	if (fd[1] >= 0)
		close(fd[1]);
	fd[1] = -1;
}

static int
tear_down(void **state)
{
	(void)state;
	tls_free(&server);
	tls_free(&server);
	tls_context_unref(&context);
	tls_context_unref(&context);
	SSL_free(client);
	SSL_CTX_free(rules);
	leave();
	close(fd[0]);
	ERR_clear_error();
	assert_int_equal(fake_mem_live(), 0);
	return 0;
}

static void
shake(void)
{
	int rc = -1;

	for (int i = 0; rc != 1 && i < TURNS; i++) {
		(void)SSL_do_handshake(client);
		rc = tls_handshake(server);
		assert_true(rc == 1 || (rc < 0 && errno == EAGAIN));
	}
	assert_int_equal(rc, 1);
	assert_int_equal(SSL_do_handshake(client), 1);
}

/* Whatever it is asked from now on. */
static void
is_broken(int error)
{
	assert_true(tls_is_ready(server));
	assert_false(tls_has_text(server));
	assert_int_equal(tls_read(server, text, 10), -1);
	assert_int_equal(errno, error);
	assert_int_equal(tls_write(server, "x", 1), -1);
	assert_int_equal(errno, error);
	assert_int_equal(tls_handshake(server), -1);
	assert_int_equal(errno, error);
	tls_say_goodbye(server);
	assert_int_equal(ERR_peek_error(), 0);
}

/* --- the client --------------------------------------------------------------------- */
/* Without a goodbye of any kind. */
static void
reset(void)
{
	const struct linger at_once = {.l_onoff = 1};

	assert_int_equal(
	    setsockopt(fd[1], SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once)),
	    0);
	leave();
}

static void
a_reset_is_told_as_it_is(void **state)
{
	(void)state;
	shake();
	reset();
	assert_int_equal(tls_read(server, text, 10), -1);
	assert_int_equal(errno, ECONNRESET);
	is_broken(ECONNRESET);
}

static void
a_reset_in_the_handshake(void **state)
{
	(void)state;
	(void)SSL_do_handshake(client);
	assert_int_equal(tls_handshake(server), -1);
	assert_int_equal(errno, EAGAIN);
	assert_false(tls_wants_write(server));
	reset();
	assert_int_equal(tls_handshake(server), -1);
	assert_int_equal(errno, ECONNRESET);
	is_broken(ECONNRESET);
}

static void
a_reset_while_writing(void **state)
{
	ssize_t n;

	(void)state;
	shake();
	reset();
	n = tls_write(server, "250 mx\r\n", 8);
	assert_int_equal(n, -1);
	assert_true(errno == EPIPE || errno == ECONNRESET);
	is_broken(errno);
}

static void
an_end_in_the_handshake(void **state)
{
	(void)state;
	assert_int_equal(send(fd[1], "\x16\x03\x01\x01", 4, 0), 4);
	assert_int_equal(tls_handshake(server), -1);
	assert_int_equal(errno, EAGAIN);
	leave();
	assert_int_equal(tls_handshake(server), 0);
	/* It stays one. */
	assert_int_equal(tls_read(server, text, 10), 0);
	assert_int_equal(tls_write(server, "x", 1), -1);
	assert_int_equal(errno, EPROTO);
}

/* Nobody asks for this; it must not go out in the clear, nor wait for ever. */
static void
writing_before_the_handshake(void **state)
{
	(void)state;
	assert_int_equal(tls_write(server, "x", 1), -1);
	assert_int_equal(errno, EPROTO);
	is_broken(EPROTO);
	assert_int_equal(recv(fd[1], text, sizeof(text), 0), -1);
}

/* Records that carry nothing: one call takes so many bytes of them, and says
 * that there may be more. */
static void
one_call_is_not_endless(void **state)
{
	BIO *flood = BIO_new(BIO_s_mem());
	int before, left, calls = 0;
	long n;
	char *p;

	(void)state;
	shake();
	SSL_set0_wbio(client, flood);
	for (int i = 0; i < 3200; i++) {
		assert_int_equal(
		    SSL_key_update(client, SSL_KEY_UPDATE_NOT_REQUESTED), 1);
		assert_int_equal(SSL_do_handshake(client), 1);
	}
	assert_int_equal(SSL_write(client, "NOOP\r\n", 6), 6);
	n = BIO_get_mem_data(flood, &p);
	assert_int_equal(send(fd[1], p, (size_t)n, 0), n);
	assert_int_equal(ioctl(fd[0], FIONREAD, &before), 0);
	assert_true(before > 80000);
	while (tls_read(server, text, sizeof(text)) < 0) {
		assert_int_equal(errno, EAGAIN);
		assert_false(tls_wants_write(server));
		assert_int_equal(ioctl(fd[0], FIONREAD, &left), 0);
		assert_int_equal(before - left, 40 * 1024);
		before = left;
		calls++;
	}
	assert_int_equal(calls, n / (40 * 1024));
	assert_memory_equal(text, "NOOP\r\n", 6);
}

/* --- memory ---------------------------------------------------------------------------- */
static void
no_memory_for_a_context(void **state)
{
	struct tls_context *made = NULL;
	long before = fake_mem_live();
	unsigned n;

	(void)state;
	for (n = 0; made == NULL; n++) {
		struct errtext why = {""};

		fake_mem_fail_after(n);
		made = make_context(&why);
		fake_mem_heal();
		if (made != NULL)
			break;
		assert_true(why.text[0] != '\0');
		assert_int_equal(ERR_peek_error(), 0);
		assert_int_equal(fake_mem_live(), before);
	}
	assert_true(n > 1);
	tls_context_unref(&made);
}

/* The first few of its allocations are enough to come by each call of ours. */
static void
no_memory_in_the_library(void **state)
{
	long before = fake_mem_live();

	(void)state;
	for (long n = 0; n < 40; n++) {
		struct errtext why = {""};
		struct tls_context *made;

		works = n;
		made = tls_context_new(&usual, &why); /* without keys */
		works = -1;
		if (made == NULL) {
			assert_true(why.text[0] != '\0');
			assert_int_equal(ERR_peek_error(), 0);
			assert_int_equal(fake_mem_live(), before);
		}
		tls_context_unref(&made);
	}
}

static void
no_memory_for_a_connection(void **state)
{
	long before = fake_mem_live(), n;
	struct tls *made = NULL;

	(void)state;
	for (n = 0; made == NULL && n < 1000; n++) {
		works = n;
		made = tls_new(context, fd[0]);
		works = -1;
		if (made == NULL) {
			assert_int_equal(errno, ENOMEM);
			assert_int_equal(ERR_peek_error(), 0);
			assert_int_equal(fake_mem_live(), before);
		}
	}
	assert_true(n > 3);
	assert_non_null(made);
	tls_free(&made);
	fake_mem_fail_after(0);
	made = tls_new(context, fd[0]);
	fake_mem_heal();
	assert_null(made);
	/* The other one is as good as it was. */
	shake();
}

int
main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
	    TEST(a_reset_is_told_as_it_is),
	    TEST(a_reset_in_the_handshake),
	    TEST(a_reset_while_writing),
	    TEST(an_end_in_the_handshake),
	    TEST(writing_before_the_handshake),
	    cmocka_unit_test_setup_teardown(
		one_call_is_not_endless, set_up_pair, tear_down),
	    TEST(no_memory_for_a_context),
	    TEST(no_memory_in_the_library),
	    TEST(no_memory_for_a_connection),
	};

	if (CRYPTO_set_mem_functions(
		library_take, library_resize, library_give_back) != 1)
		return 1;
	return cmocka_run_group_tests_name(
	    "net/tls", tests, tls_files_make_ec, tls_files_remove);
}
