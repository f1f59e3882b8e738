/* SPDX-License-Identifier: ISC */
/* A name server that has holes: passes questions on to another one, but those
 * for names with a label "hole" it takes and never answers.
 *
 *	nameserver PORT REAL_PORT
 *
 * Both on 127.0.0.1. Questions on their way are known by the identifier that
 * we gave them; one that comes 65,536 questions later takes the place. */
#include <netinet/in.h>
#include <stdint.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "bench/kit.h"

#define ROOM_BYTES (8 << 20)
#define PACKET_BYTES 1500
#define HEADER_BYTES 12

struct asker {
	struct sockaddr_in from;
	uint8_t id[2];
};

struct relay {
	int askers, real;
	uint16_t next;
	struct asker asked[UINT16_MAX + 1];
};

static void
question(struct relay *r)
{
	static const char hole[] = "\4hole";
	uint8_t packet[PACKET_BYTES];
	struct sockaddr_in from;
	socklen_t len = sizeof(from);
	struct asker *a;
	ssize_t n;

	while ((n = recvfrom(r->askers, packet, sizeof(packet), MSG_DONTWAIT,
		    (struct sockaddr *)&from, &len)) >= 0) {
		len = sizeof(from);
		if (n < HEADER_BYTES ||
		    memmem(packet, (size_t)n, hole, strlen(hole)) != NULL)
			continue;
		a = &r->asked[++r->next];
		a->from = from;
		memcpy(a->id, packet, sizeof(a->id));
		packet[0] = (uint8_t)(r->next >> 8);
		packet[1] = (uint8_t)r->next;
		if (send(r->real, packet, (size_t)n, MSG_DONTWAIT) < 0)
			continue; /* lost, as packets may be */
	}
}

static void
answer(struct relay *r)
{
	uint8_t packet[PACKET_BYTES];
	const struct asker *a;
	ssize_t n;

	while ((n = recv(r->real, packet, sizeof(packet), MSG_DONTWAIT)) >= 0) {
		if (n < HEADER_BYTES)
			continue;
		a = &r->asked[packet[0] << 8 | packet[1]];
		memcpy(packet, a->id, sizeof(a->id));
		if (sendto(r->askers, packet, (size_t)n, MSG_DONTWAIT,
			(const struct sockaddr *)&a->from, sizeof(a->from)) < 0)
			continue;
	}
}

int
main(int argc, char **argv)
{
	static const int room = ROOM_BYTES;
	struct sockaddr_in real = {.sin_family = AF_INET};
	struct relay *r;
	struct epoll_event events[2];
	int epoll, n;

	if (argc != 3)
		return 2;
	kit_settle();
	r = kit_zeroed(1, sizeof(*r));
	real.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	real.sin_port = htons((uint16_t)kit_number(argv[2], 1, 65535));
	r->askers = kit_inet(kit_number(argv[1], 1, 65535), SOCK_DGRAM);
	if ((r->real = socket(AF_INET, SOCK_DGRAM, 0)) < 0 ||
	    connect(r->real, (struct sockaddr *)&real, sizeof(real)) < 0 ||
	    (epoll = epoll_create1(0)) < 0)
		kit_die("socket");
	setsockopt(r->askers, SOL_SOCKET, SO_RCVBUF, &room, sizeof(room));
	setsockopt(r->real, SOL_SOCKET, SO_RCVBUF, &room, sizeof(room));
	kit_watch(epoll, r->askers, EPOLLIN, 0);
	kit_watch(epoll, r->real, EPOLLIN, 1);
	for (;;) {
		n = epoll_wait(epoll, events, 2, -1);
		for (int i = 0; i < n; i++)
			(events[i].data.u64 == 0 ? question : answer)(r);
	}
}
