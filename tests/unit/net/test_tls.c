/* SPDX-License-Identifier: ISC */
/* links: fake_mem tls_files turn_loop */
#include "net/tls.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

#include "base/mem.h"
#include "net/stream.h"
#include "support/fake_mem.h"
#include "support/tls_files.h"
#include "support/turn_loop.h"

/* A stream that speaks TLS with OpenSSL's own client over a socket pair. The
 * client's bytes pass through this file, so that they can be dribbled. */

enum { INPUT_MAX = 64, KEPT_MAX = 64 * 1024, PATIENCE = 40000 };

static struct {
	struct stream *stream;
	char events[256];
	char input[KEPT_MAX];
	size_t input_n;
	size_t eat; /* bytes to consume at a time; 0: nothing */
	bool closes;
} o;

static struct {
	SSL_CTX *rules;
	SSL *ssl;
	BIO *in, *out; /* what OpenSSL has yet to read, and has written */
	int fd;
	size_t chunk;
	bool deaf;
} c;

static struct loop *loop;
static struct tls_context *context;

static const struct tls_options usual = {.chain_files = "",
    .cert_file = "",
    .key_file = "",
    .ca_file = "",
    .protocols = ">=TLSv1",
    .cipher_grade = "medium",
    .excluded_ciphers = ""};

/* --- both ends --------------------------------------------------------- */
static void
eat(size_t most)
{
	struct span in = stream_input(o.stream);
	size_t n = in.n < most ? in.n : most;

	assert_true(n <= sizeof(o.input) - o.input_n);
	if (n > 0)
		memcpy(o.input + o.input_n, in.p, n);
	o.input_n += n;
	stream_consume(o.stream, n);
}

static void
on_event(struct stream *s, enum stream_event event)
{
	size_t used = strlen(o.events);

	assert_ptr_equal(s, o.stream);
	/* Of many alike in a row one will do. */
	if (used == 0 || o.events[used - 1] != "pidex"[event]) {
		assert_true(used < sizeof(o.events) - 1);
		o.events[used] = "pidex"[event];
	}
	if (o.closes) {
		stream_close(s);
		mem_free(s);
		o.stream = NULL;
	} else if (event == STREAM_INPUT && o.eat > 0) {
		eat(o.eat);
	}
}

static struct tls_context *
make_context(const char *protocols, const char *cert, const char *key)
{
	struct tls_options options = usual;
	struct errtext why = {""};
	struct tls_context *made;

	options.protocols = protocols;
	options.cert_file = tls_files_path(cert);
	options.key_file = tls_files_path(key);
	if ((made = tls_context_new(&options, &why)) == NULL)
		fail_msg("%s", why.text);
	return made;
}

static void
client_begin(int version)
{
	c.rules = SSL_CTX_new(TLS_client_method());
	assert_non_null(c.rules);
	SSL_CTX_set_security_level(c.rules, 0);
	assert_int_equal(SSL_CTX_set_min_proto_version(c.rules, 0), 1);
	assert_int_equal(SSL_CTX_set_max_proto_version(c.rules, version), 1);
	c.ssl = SSL_new(c.rules);
	c.in = BIO_new(BIO_s_mem());
	c.out = BIO_new(BIO_s_mem());
	assert_true(c.ssl != NULL && c.in != NULL && c.out != NULL);
	SSL_set_bio(c.ssl, c.in, c.out);
	SSL_set_connect_state(c.ssl);
}

static void
client_end(void)
{
	SSL_free(c.ssl);
	SSL_CTX_free(c.rules);
	c.ssl = NULL;
	c.rules = NULL;
	ERR_clear_error();
}

static int
setup(void **state)
{
	int fd[2];

	(void)state;
	memset(&o, 0, sizeof(o));
	memset(&c, 0, sizeof(c));
	o.eat = INPUT_MAX;
	c.chunk = 100000;
	context = make_context(">=TLSv1", "rsa.pem", "rsa.key");
	assert_int_equal(
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fd), 0);
	loop = loop_new();
	o.stream = mem_new(sizeof(*o.stream));
	assert_true(loop != NULL && o.stream != NULL);
	c.fd = fd[1];
	stream_init(o.stream, loop, fd[0], on_event);
	assert_int_equal(stream_talk(o.stream, INPUT_MAX), 0);
	client_begin(0);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	if (o.stream != NULL) {
		stream_close(o.stream);
		mem_free(o.stream);
	}
	client_end();
	if (c.fd >= 0)
		close(c.fd);
	tls_context_unref(&context);
	loop_free(&loop);
	assert_int_equal(fake_mem_live(), 0);
	return 0;
}

/* A turn of the loop for each millisecond, however late we come to it. */
static void
tick(int ms)
{
	for (turn_loop(loop, 0); ms > 0; ms--)
		turn_loop(loop, 1);
}

/* Carry up to one chunk each way; true when anything was carried. */
static bool
carry(void)
{
	char *p, bytes[100000];
	long waiting = BIO_get_mem_data(c.out, &p);
	size_t n = (size_t)waiting < c.chunk ? (size_t)waiting : c.chunk;
	ssize_t moved = 0;
	bool any = false;

	if (n > 0 && (moved = send(c.fd, p, n, MSG_NOSIGNAL)) > 0) {
		assert_int_equal(BIO_read(c.out, bytes, (int)moved), moved);
		any = true;
	}
	if (!c.deaf && (moved = recv(c.fd, bytes, c.chunk, 0)) > 0) {
		assert_int_equal(BIO_write(c.in, bytes, (int)moved), moved);
		any = true;
	}
	return any;
}

static void
carry_all(void)
{
	int quiet = 0;

	for (int i = 0; quiet < 3 && i < PATIENCE; i++) {
		quiet = carry() ? 0 : quiet + 1;
		tick(0);
	}
}

/* The client's handshake; 1 when it is done. */
static int
shake(void)
{
	int rc = -1, quiet = 0;

	for (int i = 0; quiet < 5 && i < PATIENCE; i++) {
		rc = SSL_do_handshake(c.ssl);
		quiet = carry() ? 0 : quiet + 1;
		tick(0);
		if (rc == 1 && BIO_pending(c.out) == 0 &&
		    (o.stream == NULL || stream_is_secure(o.stream)))
			break;
	}
	ERR_clear_error();
	return rc;
}

static void
begin_tls(void)
{
	assert_int_equal(stream_start_tls(o.stream, context), 0);
	assert_true(stream_has_tls(o.stream));
	assert_false(stream_is_secure(o.stream));
	assert_int_equal(shake(), 1);
	carry_all();
	assert_true(stream_is_secure(o.stream));
}

static void
client_says(const char *p, size_t n)
{
	size_t said = 0;

	assert_int_equal(SSL_write_ex(c.ssl, p, n, &said), 1);
	assert_int_equal(said, n);
	carry_all();
}

static void
client_hears(const char *want)
{
	char text[200] = "";
	size_t n = 0;

	carry_all();
	(void)SSL_read_ex(c.ssl, text, sizeof(text) - 1, &n);
	ERR_clear_error();
	assert_string_equal(text, want);
}

static void
heard(const char *want)
{
	if (o.input_n != strlen(want) || memcmp(o.input, want, o.input_n) != 0)
		fail_msg("heard \"%.*s\", not \"%s\"", (int)o.input_n, o.input,
		    want);
}

static void
say_in_clear(const char *text)
{
	size_t n = strlen(text);

	assert_int_equal(send(c.fd, text, n, MSG_NOSIGNAL), n);
}

/* --- a good client ------------------------------------------------------- */
static void
talks(void)
{
	begin_tls();
	assert_string_equal(o.events, ""); /* nothing to tell yet */
	client_says("EHLO x\r\n", 8);
	assert_string_equal(o.events, "i");
	heard("EHLO x\r\n");
	assert_int_equal(stream_write(o.stream, "250 mx\r\n", 8), 0);
	assert_int_equal(stream_unsent(o.stream), 0);
	client_hears("250 mx\r\n");
	SSL_shutdown(c.ssl);
	carry_all();
	assert_string_equal(o.events, "ie");
	assert_true(stream_is_secure(o.stream));
}

static void
every_version_talks(void **state)
{
	static const int versions[] = {
	    TLS1_VERSION, TLS1_1_VERSION, TLS1_2_VERSION, TLS1_3_VERSION};

	for (size_t i = 0; i < sizeof(versions) / sizeof(*versions); i++) {
		teardown(state);
		setup(state);
		client_end();
		client_begin(versions[i]);
		talks();
		assert_int_equal(SSL_version(c.ssl), versions[i]);
	}
}

static void
bytes_may_come_one_by_one(void **state)
{
	(void)state;
	c.chunk = 1;
	talks();
}

static void
what_came_in_the_clear_is_thrown_away(void **state)
{
	(void)state;
	o.eat = 10;
	say_in_clear("STARTTLS\r\nMAIL FROM:<evil>\r\nRCPT TO:<x>\r\n");
	tick(5);
	assert_string_equal(o.events, "i");
	heard("STARTTLS\r\n");
	assert_true(stream_input(o.stream).n > 0);
	o.eat = INPUT_MAX;
	begin_tls();
	assert_int_equal(stream_input(o.stream).n, 0);
	client_says("NOOP\r\n", 6);
	heard("STARTTLS\r\nNOOP\r\n");
}

/* A record is 250 times as long as what the stream keeps. */
static void
long_records_are_taken_in_pieces(void **state)
{
	static char text[16001];

	(void)state;
	for (size_t i = 0; i < sizeof(text) - 1; i++)
		text[i] = (char)('a' + i % 26);
	begin_tls();
	o.eat = 7;
	client_says(text, sizeof(text) - 1);
	for (int i = 0; i < 3000; i++)
		tick(0);
	/* Some wait in our buffer for lack of another event. */
	eat(INPUT_MAX);
	heard(text);
	assert_false(stream_has_beyond(o.stream, 0));
}

static void
unconsumed_input_holds_the_rest_back(void **state)
{
	char text[201];

	(void)state;
	memset(text, 'a', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	begin_tls();
	o.eat = 0;
	client_says(text, sizeof(text) - 1);
	assert_string_equal(o.events, "i");
	assert_int_equal(stream_input(o.stream).n, INPUT_MAX);
	assert_true(stream_has_beyond(o.stream, INPUT_MAX));
	assert_int_equal(o.stream->watch.wanted, 0); /* and costs no time */
	o.eat = INPUT_MAX;
	eat(10);
	assert_string_equal(o.events, "i"); /* never from inside the call */
	tick(5);
	heard(text);
}

static void
pause_holds_what_is_decrypted(void **state)
{
	char text[201];

	(void)state;
	memset(text, 'b', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	begin_tls();
	o.eat = 0;
	client_says(text, sizeof(text) - 1);
	stream_pause(o.stream);
	eat(INPUT_MAX);
	o.eat = INPUT_MAX;
	tick(5);
	assert_int_equal(o.input_n, INPUT_MAX);
	stream_resume(o.stream);
	tick(5);
	heard(text);
}

/* A goodbye behind QUIT is no pipelining. */
static void
only_text_counts_as_beyond(void **state)
{
	size_t said;

	(void)state;
	begin_tls();
	o.eat = 0;
	assert_int_equal(SSL_write_ex(c.ssl, "QUIT\r\n", 6, &said), 1);
	SSL_shutdown(c.ssl);
	carry();
	tick(0);
	assert_int_equal(stream_input(o.stream).n, 6);
	assert_false(stream_has_beyond(o.stream, 6));
	assert_true(stream_has_beyond(o.stream, 5));
}

/* Nor do records that were not read yet get lost by looking for them. */
static void
text_in_further_records_counts_as_beyond(void **state)
{
	size_t said;

	(void)state;
	begin_tls();
	o.eat = 0;
	assert_int_equal(SSL_write_ex(c.ssl, "NOOP\r\n", 6, &said), 1);
	assert_int_equal(SSL_write_ex(c.ssl, "QUIT\r\n", 6, &said), 1);
	assert_int_equal(SSL_write_ex(c.ssl, "NOOP\r\n", 6, &said), 1);
	SSL_shutdown(c.ssl);
	carry();
	while (stream_input(o.stream).n == 0)
		tick(0);
	assert_int_equal(stream_input(o.stream).n, 6);
	assert_true(stream_has_beyond(o.stream, 6));
	assert_true(stream_has_beyond(o.stream, 6));
	o.eat = INPUT_MAX;
	eat(6);
	tick(5);
	heard("NOOP\r\nQUIT\r\nNOOP\r\n");
	assert_string_equal(o.events, "ie");
}

/* What was met while looking ahead is told as if it had been read, though the
 * socket is silent by then. */
static void
end_and_error_met_ahead_are_told(void **state)
{
	static const char *const junk[] = {NULL, "no TLS at all\r\n"};
	static const char *const want[] = {"ie", "ix"};

	for (size_t i = 0; i < 2; i++) {
		teardown(state);
		setup(state);
		begin_tls();
		o.eat = 0;
		client_says("QUIT\r\n", 6);
		assert_string_equal(o.events, "i");
		if (junk[i] == NULL) {
			SSL_shutdown(c.ssl);
			carry();
		} else {
			say_in_clear(junk[i]);
		}
		assert_false(stream_has_beyond(o.stream, 6));
		eat(6);
		tick(5);
		assert_string_equal(o.events, want[i]);
		tick(5);
		assert_string_equal(o.events, want[i]);
	}
}

/* --- writing --------------------------------------------------------------- */
static void
slow_reader_gets_all(void **state)
{
	static char block[1000], got[KEPT_MAX];
	size_t total = 0, at = 0, n = 0;
	int small = 4096;

	(void)state;
	for (size_t i = 0; i < sizeof(block); i++)
		block[i] = (char)('a' + i % 26);
	begin_tls();
	setsockopt(o.stream->fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
	c.deaf = true;
	while (stream_unsent(o.stream) == 0 && total < KEPT_MAX - 2000) {
		assert_int_equal(stream_write(o.stream, block, 1000), 0);
		total += 1000;
	}
	assert_true(stream_unsent(o.stream) > 0);
	assert_int_equal(stream_write(o.stream, block, 1000), 0);
	total += 1000;
	tick(5);
	assert_string_equal(o.events, "");
	assert_int_equal(stream_write(o.stream, block, STREAM_OUTPUT_MAX), -1);
	assert_int_equal(errno, EMSGSIZE);

	c.deaf = false;
	c.chunk = 700;
	carry_all();
	while (at < total && SSL_read_ex(c.ssl, got + at, 999, &n) == 1)
		at += n;
	assert_int_equal(at, total);
	for (size_t i = 0; i < total; i++)
		assert_int_equal(got[i], block[i % 1000]);
	assert_string_equal(o.events, "d");
	assert_int_equal(stream_unsent(o.stream), 0);
}

static void
what_is_written_meanwhile_waits_for_the_handshake(void **state)
{
	(void)state;
	assert_int_equal(stream_start_tls(o.stream, context), 0);
	assert_int_equal(stream_write(o.stream, "421 ", 4), 0);
	assert_int_equal(stream_write(o.stream, "no\r\n", 4), 0);
	assert_int_equal(stream_unsent(o.stream), 8);
	tick(5);
	assert_int_equal(recv(c.fd, o.input, 1, MSG_PEEK), -1);
	assert_int_equal(shake(), 1);
	carry_all();
	assert_string_equal(o.events, "d");
	client_hears("421 no\r\n");
}

/* Nor does it go out in the clear when there is no handshake any more. */
static void
nothing_goes_out_in_the_clear(void **state)
{
	char in[8];

	(void)state;
	assert_int_equal(stream_start_tls(o.stream, context), 0);
	assert_int_equal(stream_write(o.stream, "421 no\r\n", 8), 0);
	stream_close(o.stream);
	assert_int_equal(recv(c.fd, in, sizeof(in), 0), 0);
}

static void
client_hears_goodbye(void)
{
	char in[8];
	size_t n;

	assert_int_equal(SSL_read_ex(c.ssl, in, sizeof(in), &n), 0);
	assert_int_equal(SSL_get_error(c.ssl, 0), SSL_ERROR_ZERO_RETURN);
}

static void
close_says_goodbye(void **state)
{
	(void)state;
	begin_tls();
	stream_write(o.stream, "221\r\n", 5);
	stream_close(o.stream);
	client_hears("221\r\n");
	client_hears_goodbye();
}

static void
end_says_goodbye_and_reads_on(void **state)
{
	char in[8];

	(void)state;
	begin_tls();
	stream_write(o.stream, "221\r\n", 5);
	stream_end(o.stream);
	client_hears("221\r\n");
	client_hears_goodbye();
	client_says("late", 4);
	heard("late");
	stream_close(o.stream);
	assert_int_equal(recv(c.fd, in, sizeof(in), 0), 0);
}

static void
who_goes_without_goodbye_gets_one(void **state)
{
	(void)state;
	begin_tls();
	shutdown(c.fd, SHUT_WR);
	tick(5);
	assert_string_equal(o.events, "e");
	stream_write(o.stream, "221\r\n", 5);
	stream_close(o.stream);
	client_hears("221\r\n");
	client_hears_goodbye();
}

/* --- bad clients ------------------------------------------------------------- */
static void
handshake_that_stops_tells_nothing(void **state)
{
	(void)state;
	assert_int_equal(stream_start_tls(o.stream, context), 0);
	SSL_do_handshake(c.ssl);
	c.chunk = 20;
	carry();
	tick(20);
	assert_string_equal(o.events, "");
	assert_false(stream_is_secure(o.stream));
	/* A client that goes now is told of, once. */
	shutdown(c.fd, SHUT_WR);
	tick(5);
	assert_string_equal(o.events, "e");
	tick(5);
	assert_string_equal(o.events, "e");
}

static void
handshake_goes_on_while_paused(void **state)
{
	(void)state;
	stream_pause(o.stream);
	begin_tls();
	client_says("late", 4);
	assert_string_equal(o.events, "");
	stream_resume(o.stream);
	tick(5);
	heard("late");
}

static void
what_is_not_tls_is_an_error(void **state)
{
	static const char nothing[60];
	static const char *const texts[] = {"EHLO x\r\nMAIL FROM:<a>\r\n",
	    "\r\n\r\n\r\n\r\n", "\x16\x03\x01\x00\x05zzzzz",
	    "\x80\x2e\x01\x03\x01\x01\x01\x01"};

	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		teardown(state);
		setup(state);
		assert_int_equal(stream_start_tls(o.stream, context), 0);
		say_in_clear(texts[i]);
		send(c.fd, nothing, sizeof(nothing), MSG_NOSIGNAL);
		tick(5);
		if (strcmp(o.events, "x") != 0 ||
		    stream_error(o.stream) != EPROTO ||
		    stream_is_secure(o.stream))
			fail_msg("case %zu: \"%s\", %d", i, o.events,
			    stream_error(o.stream));
		tick(5);
		assert_string_equal(o.events, "x");
		assert_int_equal(ERR_peek_error(), 0);
	}
}

static void
what_is_not_tls_any_more_is_an_error(void **state)
{
	(void)state;
	begin_tls();
	say_in_clear("MAIL FROM:<a>\r\n");
	tick(5);
	assert_string_equal(o.events, "x");
	assert_int_equal(stream_error(o.stream), EPROTO);
	assert_int_equal(stream_write(o.stream, "500\r\n", 5), 0);
	tick(5);
	assert_string_equal(o.events, "x");
}

static void
end_without_goodbye_is_an_end(void **state)
{
	(void)state;
	begin_tls();
	close(c.fd);
	c.fd = -1;
	tick(5);
	assert_string_equal(o.events, "e");
}

static void
second_handshake_is_refused(void **state)
{
	(void)state;
	client_end();
	client_begin(TLS1_2_VERSION);
	begin_tls();
	assert_int_equal(SSL_renegotiate(c.ssl), 1);
	(void)SSL_do_handshake(c.ssl);
	carry_all();
	assert_int_not_equal(SSL_do_handshake(c.ssl), 1);
	assert_int_equal(SSL_version(c.ssl), TLS1_2_VERSION);
	ERR_clear_error();
	assert_true(strchr(o.events, 'i') == NULL);
}

/* Each asks for an answer that the client does not read. */
static void
flood_of_key_updates_costs_nothing(void **state)
{
	int small = 4096;

	(void)state;
	begin_tls();
	setsockopt(o.stream->fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
	c.deaf = true;
	for (int i = 0; i < 2000; i++) {
		if (SSL_key_update(c.ssl, SSL_KEY_UPDATE_REQUESTED) != 1 ||
		    SSL_do_handshake(c.ssl) != 1)
			break;
		carry();
		tick(0);
	}
	for (int i = 0; i < 20; i++)
		tick(0);
	/* Blocked by its own deafness, or thrown out: not kept busy. */
	if (strcmp(o.events, "") == 0)
		assert_int_equal(o.stream->watch.wanted, LOOP_WRITABLE);
	else
		assert_string_equal(o.events, "x");
	c.deaf = false;
	for (int i = 0; i < 200; i++) {
		carry();
		tick(0);
	}
	if (strcmp(o.events, "") == 0)
		assert_int_equal(o.stream->watch.wanted, LOOP_READABLE);
}

static void
callback_may_close(void **state)
{
	for (int what = 0; what < 4; what++) {
		teardown(state);
		setup(state);
		if (what < 2)
			begin_tls();
		else
			assert_int_equal(
			    stream_start_tls(o.stream, context), 0);
		o.closes = true;
		if (what == 0) {
			char text[500] = "";

			client_says(text, sizeof(text));
		} else if (what == 2) {
			say_in_clear("garbage that is long enough\r\n");
		} else {
			shutdown(c.fd, SHUT_WR);
		}
		tick(5);
		assert_null(o.stream);
		assert_int_equal(strlen(o.events), 1);
	}
}

static void
context_outlives_its_owner(void **state)
{
	(void)state;
	assert_int_equal(stream_start_tls(o.stream, context), 0);
	tls_context_unref(&context);
	assert_null(context);
	assert_int_equal(shake(), 1);
	client_says("still", 5);
	heard("still");
}

static void
no_memory_leaves_the_stream_plain(void **state)
{
	(void)state;
	for (unsigned n = 0;; n++) {
		int rc;

		fake_mem_fail_after(n);
		rc = stream_start_tls(o.stream, context);
		fake_mem_heal();
		if (rc == 0)
			break;
		assert_false(stream_has_tls(o.stream));
		assert_true(n < 10);
	}
	assert_int_equal(shake(), 1);
}

/* --- contexts ------------------------------------------------------------------ */
static const struct {
	const char *name, *protocols, *grade, *excluded;
	int version; /* the newest of the client */
	int want;    /* 0: there is no connection */
} rules[] = {
    {"bounds", ">=TLSv1.1 <=TLSv1.2", "medium", "", 0, TLS1_2_VERSION},
    {"too old", ">=TLSv1.2", "medium", "", TLS1_1_VERSION, 0},
    {"old enough", ">=TLSv1.2", "medium", "", TLS1_2_VERSION, TLS1_2_VERSION},
    {"an exception", "!TLSv1.3", "high", "", 0, TLS1_2_VERSION},
    {"one only", "TLSv1.3", "high", "", 0, TLS1_3_VERSION},
    {"one only, too new", "TLSv1.3", "high", "", TLS1_2_VERSION, 0},
    {"all excluded but TLS 1.3's", "", "high", "aRSA", TLS1_2_VERSION, 0},
    {"null alone", "", "null", "", TLS1_2_VERSION, 0},
};

static void
rules_are_kept(void **state)
{
	struct tls_options options = usual;
	struct errtext why = {""};

	for (size_t i = 0; i < sizeof(rules) / sizeof(*rules); i++) {
		teardown(state);
		setup(state);
		tls_context_unref(&context);
		options.cert_file = tls_files_path("rsa.pem");
		options.key_file = tls_files_path("rsa.key");
		options.protocols = rules[i].protocols;
		options.cipher_grade = rules[i].grade;
		options.excluded_ciphers = rules[i].excluded;
		context = tls_context_new(&options, &why);
		if (context == NULL)
			fail_msg("%s: %s", rules[i].name, why.text);
		client_end();
		client_begin(rules[i].version);
		assert_int_equal(stream_start_tls(o.stream, context), 0);
		if ((shake() == 1) != (rules[i].want != 0) ||
		    stream_is_secure(o.stream) != (rules[i].want != 0) ||
		    (rules[i].want != 0 && SSL_version(c.ssl) != rules[i].want))
			fail_msg("%s: %s, %s", rules[i].name,
			    SSL_get_version(c.ssl), o.events);
	}
}

static void
no_certificate_at_all(void **state)
{
	struct tls_options options = usual;
	struct errtext why = {""};

	(void)state;
	tls_context_unref(&context);
	options.cert_file = "none";
	context = tls_context_new(&options, &why);
	assert_non_null(context);
	client_end();
	client_begin(TLS1_2_VERSION);
	SSL_set_cipher_list(c.ssl, "aNULL");
	begin_tls();
}

/* The client prefers the EC key of a file that has both. */
static void
chains_of_both_kinds(void **state)
{
	struct tls_options options = usual;
	struct errtext why = {""};

	(void)state;
	tls_context_unref(&context);
	options.chain_files = tls_files_path("both.pem");
	options.cert_file = "/not/read";
	options.ca_file = tls_files_path("ec.pem");
	context = tls_context_new(&options, &why);
	assert_non_null(context);
	client_end();
	client_begin(TLS1_2_VERSION);
	SSL_set_cipher_list(c.ssl, "aECDSA");
	begin_tls();
	assert_true(EVP_PKEY_is_a(
	    X509_get0_pubkey(SSL_get0_peer_certificate(c.ssl)), "EC"));
}

static void
pairs_of_both_kinds(void **state)
{
	static const char *const lists[] = {"aECDSA", "aRSA"};
	static const char *const kinds[] = {"EC", "RSA"};

	for (size_t i = 0; i < 2; i++) {
		struct tls_options options = usual;
		struct errtext why = {""};

		teardown(state);
		setup(state);
		tls_context_unref(&context);
		options.more[0].cert_file = tls_files_path("ec.pem");
		options.more[0].key_file = tls_files_path("ec.key");
		options.more[1].cert_file = tls_files_path("rsa.pem");
		options.more[1].key_file = tls_files_path("rsa.key");
		context = tls_context_new(&options, &why);
		assert_non_null(context);
		client_end();
		client_begin(TLS1_2_VERSION);
		SSL_set_cipher_list(c.ssl, lists[i]);
		begin_tls();
		assert_true(EVP_PKEY_is_a(
		    X509_get0_pubkey(SSL_get0_peer_certificate(c.ssl)),
		    kinds[i]));
	}
}

static void
mistakes_are_told(void **state)
{
	const struct {
		struct tls_options o;
		const char *why;
	} cases[] = {
	    {usual, "no certificate is configured"},
	    {{"", "/absent/c", "/absent/k", "", "", "high", "", {{NULL, NULL}}},
		"/absent/c: No such file or directory"},
	    {{"/absent/c", "", "", "", "", "high", "", {{NULL, NULL}}},
		"/absent/c: No such file or directory"},
	    {{"", "none", "", "/absent/ca", "", "high", "", {{NULL, NULL}}},
		"/absent/ca: "},
	    {{"", "none", "", "", "TLS9", "high", "", {{NULL, NULL}}},
		"unknown TLS protocol \"TLS9\""},
	    {{"", "none", "", "", "", "strong", "", {{NULL, NULL}}},
		"unknown TLS cipher grade \"strong\""},
	    {{"", "none", "", "", "", "high", "ALL", {{NULL, NULL}}},
		"TLS ciphers: no cipher match"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct errtext why = {""};

		assert_null(tls_context_new(&cases[i].o, &why));
		if (strncmp(why.text, cases[i].why, strlen(cases[i].why)) != 0)
			fail_msg("\"%s\", not \"%s\"", why.text, cases[i].why);
		assert_int_equal(ERR_peek_error(), 0);
	}
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(every_version_talks),
	    TEST(bytes_may_come_one_by_one),
	    TEST(what_came_in_the_clear_is_thrown_away),
	    TEST(long_records_are_taken_in_pieces),
	    TEST(unconsumed_input_holds_the_rest_back),
	    TEST(pause_holds_what_is_decrypted),
	    TEST(only_text_counts_as_beyond),
	    TEST(text_in_further_records_counts_as_beyond),
	    TEST(end_and_error_met_ahead_are_told),
	    TEST(slow_reader_gets_all),
	    TEST(what_is_written_meanwhile_waits_for_the_handshake),
	    TEST(nothing_goes_out_in_the_clear),
	    TEST(close_says_goodbye),
	    TEST(end_says_goodbye_and_reads_on),
	    TEST(who_goes_without_goodbye_gets_one),
	    TEST(handshake_that_stops_tells_nothing),
	    TEST(handshake_goes_on_while_paused),
	    TEST(what_is_not_tls_is_an_error),
	    TEST(what_is_not_tls_any_more_is_an_error),
	    TEST(end_without_goodbye_is_an_end),
	    TEST(second_handshake_is_refused),
	    TEST(flood_of_key_updates_costs_nothing),
	    TEST(callback_may_close),
	    TEST(context_outlives_its_owner),
	    TEST(no_memory_leaves_the_stream_plain),
	    TEST(rules_are_kept),
	    TEST(no_certificate_at_all),
	    TEST(chains_of_both_kinds),
	    TEST(pairs_of_both_kinds),
	    TEST(mistakes_are_told),
	};

	return cmocka_run_group_tests_name(
	    "net/tls", tests, tls_files_make, tls_files_remove);
}
