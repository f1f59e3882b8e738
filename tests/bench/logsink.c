/* SPDX-License-Identifier: ISC */
/* Stands in for postlogd(8): both contestants log to it, line by line.
 *
 *	logsink QUEUE_DIRECTORY FILE
 *
 * It never makes a sender wait for a disk. */
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "bench/kit.h"

#define QUEUE_BYTES (8 << 20)

int
main(int argc, char **argv)
{
	static const int room = QUEUE_BYTES;
	char line[4096];
	ssize_t n;
	FILE *out;
	int in;

	if (argc != 3)
		return 2;
	kit_settle();
	in = kit_unix(argv[1], "public/postlog", SOCK_DGRAM);
	setsockopt(in, SOL_SOCKET, SO_RCVBUF, &room, sizeof(room));
	if ((out = fopen(argv[2], "ae")) == NULL)
		kit_die(argv[2]);
	for (;;) {
		n = recv(in, line, sizeof(line), MSG_DONTWAIT);
		if (n < 0) {
			fflush(out);
			n = recv(in, line, sizeof(line), 0);
		}
		while (n > 0 && (line[n - 1] == '\n' || line[n - 1] == '\0'))
			n--;
		if (n > 0)
			fprintf(out, "%.*s\n", (int)n, line);
	}
}
