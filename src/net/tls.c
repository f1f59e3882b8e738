/* SPDX-License-Identifier: ISC */
#include "net/tls.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/must.h"
#include "net/tls_keys.h"
#include "net/tls_spec.h"

/* OpenSSL reads and writes through a BIO of our own: no SIGPIPE, the errno of
 * the socket is kept, and one call takes TURN_MAX bytes from the socket at the
 * most, so that a client that floods us with records that carry nothing does
 * not keep the loop. Without read-ahead OpenSSL never takes more than the
 * record it needs: what is behind it shows on the socket.
 *
 * Nothing is remembered from one connection to the next (no tickets, no
 * session cache), and a client can not begin a second handshake. */

enum { TURN_MAX = 40 * 1024, CIPHERS_MAX = 16 * 1024 };

struct tls_context {
	unsigned refs;
	SSL_CTX *ssl;
	BIO_METHOD *method;
};

struct tls {
	struct tls_context *context;
	SSL *ssl;
	int fd;
	int error;     /* errno of the socket */
	size_t budget; /* bytes that this call may still take */
	bool ended;    /* the socket has nothing more */
	bool broken;   /* OpenSSL must not be asked again */
	bool secure;   /* the handshake is done */
	bool wants_write;
};

/* --- the way to the socket ----------------------------------------------- */
static int
on_bio_read(BIO *bio, char *p, size_t n, size_t *got_r)
{
	struct tls *t = BIO_get_data(bio);
	ssize_t got;

	BIO_clear_retry_flags(bio);
	*got_r = 0;
	if (n > t->budget)
		n = t->budget;
	if (n == 0) {
		BIO_set_retry_read(bio);
		return 0;
	}
	got = recv(t->fd, p, n, MSG_DONTWAIT);
	if (got > 0) {
		t->budget -= (size_t)got;
		*got_r = (size_t)got;
		return 1;
	}
	if (got == 0)
		t->ended = true;
	else if (errno == EAGAIN || errno == EINTR)
		BIO_set_retry_read(bio);
	else
		t->error = errno;
	return 0;
}

static int
on_bio_write(BIO *bio, const char *p, size_t n, size_t *sent_r)
{
	struct tls *t = BIO_get_data(bio);
	ssize_t sent = send(t->fd, p, n, MSG_NOSIGNAL | MSG_DONTWAIT);

	BIO_clear_retry_flags(bio);
	*sent_r = sent > 0 ? (size_t)sent : 0;
	if (sent >= 0)
		return 1;
	if (errno == EAGAIN || errno == EINTR)
		BIO_set_retry_write(bio);
	else
		t->error = errno;
	return 0;
}

static long
on_bio_control(BIO *bio, int command, long number, void *p)
{
	const struct tls *t = BIO_get_data(bio);

	(void)number;
	(void)p;
	if (command == BIO_CTRL_EOF)
		return t->ended;
	return command == BIO_CTRL_FLUSH;
}

static BIO_METHOD *
make_method(void)
{
	BIO_METHOD *m = BIO_meth_new(BIO_TYPE_SOURCE_SINK, "stream");

	if (m != NULL && BIO_meth_set_read_ex(m, on_bio_read) == 1 &&
	    BIO_meth_set_write_ex(m, on_bio_write) == 1 &&
	    BIO_meth_set_ctrl(m, on_bio_control) == 1)
		return m;
	BIO_meth_free(m);
	return NULL;
}

/* --- contexts -------------------------------------------------------------- */
static int
say_library(struct errtext *why, const char *what)
{
	const char *reason = ERR_reason_error_string(ERR_peek_last_error());

	errtext_set(
	    why, "%s: %s", what, reason != NULL ? reason : "cannot be used");
	ERR_clear_error();
	return -1;
}

static int
set_protocols(SSL_CTX *ssl, const char *list, struct errtext *why)
{
	static const uint64_t off[] = {SSL_OP_NO_SSLv3, SSL_OP_NO_TLSv1,
	    SSL_OP_NO_TLSv1_1, SSL_OP_NO_TLSv1_2, SSL_OP_NO_TLSv1_3};
	struct tls_protocols p;

	if (tls_spec_protocols(span_str(list), &p, why) < 0)
		return -1;
	if (SSL_CTX_set_min_proto_version(ssl, p.min) != 1 ||
	    SSL_CTX_set_max_proto_version(ssl, p.max) != 1)
		return say_library(why, "TLS protocols");
	for (size_t i = 0; i < sizeof(off) / sizeof(*off); i++) {
		if ((p.excluded & (1u << i)) != 0)
			SSL_CTX_set_options(ssl, off[i]);
	}
	return 0;
}

static int
set_ciphers(SSL_CTX *ssl, const struct tls_options *o, struct errtext *why)
{
	struct buf list;
	const char *text;
	int rc = -1;

	buf_init(&list, CIPHERS_MAX);
	if (tls_spec_ciphers(span_str(o->cipher_grade),
		span_str(o->excluded_ciphers), &list, why) < 0)
		goto done;
	if ((text = buf_str(&list)) == NULL)
		errtext_set(why, "%s", strerror(errno));
	else if (SSL_CTX_set_cipher_list(ssl, text) != 1)
		rc = say_library(why, "TLS ciphers");
	else
		rc = 0;
done:
	buf_clear(&list);
	return rc;
}

/* At most one of each kind of key; of two of a kind the later one counts. */
static int
load_pairs(SSL_CTX *ssl, const struct tls_options *o, struct errtext *why)
{
	const struct tls_pair pairs[] = {
	    {o->cert_file, o->key_file}, o->more[0], o->more[1]};
	bool any = false;

	for (size_t i = 0; i < sizeof(pairs) / sizeof(*pairs); i++) {
		if (pairs[i].cert_file == NULL || pairs[i].cert_file[0] == '\0')
			continue;
		any = true;
		if (tls_keys_load_pair(
			ssl, pairs[i].cert_file, pairs[i].key_file, why) < 0)
			return -1;
	}
	if (any)
		return 0;
	errtext_set(why, "no certificate is configured");
	return -1;
}

static int
load_keys(SSL_CTX *ssl, const struct tls_options *o, struct errtext *why)
{
	if (o->ca_file[0] != '\0' &&
	    SSL_CTX_load_verify_file(ssl, o->ca_file) != 1)
		return say_library(why, o->ca_file);
	if (o->chain_files[0] != '\0')
		return tls_keys_load_chains(ssl, span_str(o->chain_files), why);
	if (strcmp(o->cert_file, "none") == 0)
		return 0;
	return load_pairs(ssl, o, why);
}

/* The grade of the ciphers rules, not the security level that OpenSSL was
 * built with: old clients are better served with old ciphers than with none. A
 * client that ends without a goodbye is no error: it still gets ours. */
static void
set_manners(SSL_CTX *ssl)
{
	SSL_CTX_set_security_level(ssl, 0);
	SSL_CTX_set_options(ssl, SSL_OP_NO_RENEGOTIATION |
				     SSL_OP_NO_COMPRESSION | SSL_OP_NO_TICKET |
				     SSL_OP_IGNORE_UNEXPECTED_EOF);
	SSL_CTX_set_session_cache_mode(ssl, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_num_tickets(ssl, 0);
	SSL_CTX_set_mode(ssl, SSL_MODE_ENABLE_PARTIAL_WRITE |
				  SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
				  SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_set_dh_auto(ssl, 1);
	SSL_CTX_set_verify(ssl, SSL_VERIFY_NONE, NULL);
}

struct tls_context *
tls_context_new(const struct tls_options *o, struct errtext *why)
{
	struct tls_context *c = mem_new(sizeof(*c));

	if (c == NULL) {
		errtext_set(why, "%s", strerror(errno));
		return NULL;
	}
	c->refs = 1;
	ERR_clear_error();
	c->method = make_method();
	c->ssl = SSL_CTX_new(TLS_server_method());
	if (c->method == NULL || c->ssl == NULL) {
		say_library(why, "TLS library");
		tls_context_unref(&c);
		return NULL;
	}
	set_manners(c->ssl);
	if (set_protocols(c->ssl, o->protocols, why) < 0 ||
	    set_ciphers(c->ssl, o, why) < 0 || load_keys(c->ssl, o, why) < 0)
		tls_context_unref(&c);
	return c;
}

struct tls_context *
tls_context_ref(struct tls_context *c)
{
	c->refs++;
	return c;
}

void
tls_context_unref(struct tls_context **cp)
{
	struct tls_context *c = *cp;

	*cp = NULL;
	if (c == NULL)
		return;
	must(c->refs > 0);
	if (--c->refs > 0)
		return;
	SSL_CTX_free(c->ssl);
	BIO_meth_free(c->method);
	mem_free(c);
}

/* --- connections ----------------------------------------------------------- */
struct tls *
tls_new(struct tls_context *context, int fd)
{
	struct tls *t = mem_new(sizeof(*t));
	BIO *bio = NULL;

	if (t == NULL)
		return NULL;
	t->context = tls_context_ref(context);
	t->fd = fd;
	if ((t->ssl = SSL_new(context->ssl)) == NULL ||
	    (bio = BIO_new(context->method)) == NULL) {
		ERR_clear_error();
		tls_free(&t);
		errno = ENOMEM;
		return NULL;
	}
	BIO_set_data(bio, t);
	BIO_set_init(bio, 1);
	SSL_set_bio(t->ssl, bio, bio); /* which is SSL's now */
	SSL_set_accept_state(t->ssl);
	return t;
}

void
tls_free(struct tls **tp)
{
	struct tls *t = *tp;

	*tp = NULL;
	if (t == NULL)
		return;
	SSL_free(t->ssl);
	tls_context_unref(&t->context);
	mem_free(t);
}

/* Before each question to OpenSSL: its queue of errors is one for all. */
static bool
tls_begin(struct tls *t)
{
	ERR_clear_error();
	t->budget = TURN_MAX;
	return !t->broken;
}

/* What a failed call means: 0 or -1, as the header has it. */
static int
tls_explain(struct tls *t, int rc)
{
	int error = SSL_get_error(t->ssl, rc);

	ERR_clear_error();
	t->wants_write = error == SSL_ERROR_WANT_WRITE;
	if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE) {
		errno = EAGAIN;
		return -1;
	}
	if (error == SSL_ERROR_ZERO_RETURN)
		return 0;
	t->broken = true;
	if (t->ended)
		return 0; /* the alert about it may have failed, too */
	errno = t->error != 0 ? t->error : EPROTO;
	return -1;
}

static int
tls_refuse(const struct tls *t)
{
	errno = t->error != 0 ? t->error : EPROTO;
	return -1;
}

int
tls_handshake(struct tls *t)
{
	int rc;

	if (!tls_begin(t))
		return tls_refuse(t);
	rc = SSL_do_handshake(t->ssl);
	if (rc != 1)
		return tls_explain(t, rc);
	t->wants_write = false;
	t->secure = true;
	return 1;
}

ssize_t
tls_read(struct tls *t, void *p, size_t n)
{
	size_t got = 0;
	int rc;

	if (!tls_begin(t))
		return t->ended ? 0 : tls_refuse(t);
	rc = SSL_read_ex(t->ssl, p, n, &got);
	if (rc != 1)
		return tls_explain(t, rc);
	t->wants_write = false;
	return (ssize_t)got;
}

ssize_t
tls_write(struct tls *t, const void *p, size_t n)
{
	bool wants_write = t->wants_write;
	size_t sent = 0;
	int rc;

	if (!tls_begin(t))
		return tls_refuse(t);
	rc = SSL_write_ex(t->ssl, p, n, &sent);
	if (rc == 1)
		return (ssize_t)sent;
	/* Writing never waits for reading where there is no renegotiation. */
	if (tls_explain(t, rc) == 0 || (errno == EAGAIN && !t->wants_write)) {
		t->broken = true;
		return tls_refuse(t);
	}
	t->wants_write = wants_write; /* which is about reading */
	return -1;
}

bool
tls_wants_write(const struct tls *t)
{
	return t->wants_write;
}

bool
tls_is_ready(const struct tls *t)
{
	return t->broken || SSL_pending(t->ssl) > 0 ||
	       (SSL_get_shutdown(t->ssl) & SSL_RECEIVED_SHUTDOWN) != 0;
}

bool
tls_has_text(struct tls *t)
{
	char first;
	size_t got = 0;
	int rc;

	if (!tls_begin(t))
		return false;
	if ((rc = SSL_peek_ex(t->ssl, &first, sizeof(first), &got)) == 1)
		return true;
	(void)tls_explain(t, rc); /* for tls_read() to tell */
	return false;
}

void
tls_say_goodbye(struct tls *t)
{
	if (t->secure && tls_begin(t))
		(void)SSL_shutdown(t->ssl);
	ERR_clear_error();
}
