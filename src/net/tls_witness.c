/* SPDX-License-Identifier: ISC */
#include "net/tls_witness.h"

/* RFC 8446 section 5.1 and RFC 5246 section 6.2.1: type, version, length. Under
 * TLS 1.3 the server's part of the handshake looks like application data, too,
 * and a server that has refused early data reads over what it cannot decrypt.
 * Both end here: what the server says before it has read the client's record
 * does not count, and each record of the handshake in the clear begins anew. An
 * alert under TLS 1.3 looks like application data of 19 bytes: two, their type,
 * and a tag of 16. */

enum {
	CHANGE_CIPHER_SPEC = 20,
	ALERT = 21,
	HANDSHAKE = 22,
	APPLICATION_DATA = 23,
	MAJOR = 3,
	RECORD_MAX = 16384 + 2048, /* RFC 5246 section 6.2.3 */
	HIDDEN_ALERT = 19
};

static void
begin_anew(struct tls_witness *w)
{
	w->said = 0;
	w->spoke = w->heard = false;
}

static void
look_at_header(struct tls_witness *w, struct tls_witness_side *side)
{
	uint8_t type = side->header[0];
	bool is_servers = side == &w->server;

	side->header_n = 0;
	side->left = (uint16_t)(side->header[3] << 8 | side->header[4]);
	side->counts = type == APPLICATION_DATA;
	if (type < CHANGE_CIPHER_SPEC || type > APPLICATION_DATA ||
	    side->header[1] != MAJOR || side->left > RECORD_MAX ||
	    (type == ALERT && is_servers))
		w->not_tls = true;
	if (type == HANDSHAKE)
		begin_anew(w);
	if (side->counts && is_servers && w->heard && side->left > HIDDEN_ALERT)
		w->proven = true;
}

/* A byte of a header, or as much of a payload as there is: how many it took. */
static size_t
follow(struct tls_witness *w, struct tls_witness_side *side, struct span bytes)
{
	size_t n = bytes.n < side->left ? bytes.n : side->left;

	if (side->left == 0) {
		side->header[side->header_n++] = (uint8_t)bytes.p[0];
		if (side->header_n == sizeof(side->header))
			look_at_header(w, side);
		return 1;
	}
	side->left = (uint16_t)(side->left - n);
	if (side->counts && side == &w->client) {
		w->said += n;
		w->spoke = w->spoke || side->left == 0;
	}
	return n;
}

static void
follow_all(
    struct tls_witness *w, struct tls_witness_side *side, struct span bytes)
{
	while (bytes.n > 0 && !w->not_tls) {
		size_t n = follow(w, side, bytes);

		bytes = span_of(bytes.p + n, bytes.n - n);
	}
}

void
tls_witness_client(struct tls_witness *w, struct span bytes)
{
	follow_all(w, &w->client, bytes);
}

void
tls_witness_server(struct tls_witness *w, struct span bytes)
{
	follow_all(w, &w->server, bytes);
}

void
tls_witness_rest(struct tls_witness *w)
{
	/* Not in the middle of a record that it began before. */
	if (w->spoke && w->server.header_n == 0 && w->server.left == 0)
		w->heard = true;
}
