/*
 * flood REQUESTS_A_SECOND SECONDS: asks for the status of one service, again and
 * again, on a few connections, and prints how many answers there were.
 */
#include <sys/socket.h>
#include <sys/un.h>

#include <err.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "proto/rpc.h"

#define CONNECTIONS	4

static const char request[] =
    "\x94\x00\x00\xa6status\x91\x81\xa5names\x91\xa4" "0000";

struct connection {
	int	fd;
	int	waits;		/* for an answer */
	size_t	used;
	char	bytes[65536];
};

static int64_t
now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static void
open_connection(struct connection *connection)
{
	struct sockaddr_un address = {
		.sun_family = AF_UNIX, .sun_path = RPC_SOCKET,
	};

	connection->fd = socket(AF_UNIX, SOCK_STREAM, 0);
	if (connect(connection->fd, (struct sockaddr *)&address,
	    sizeof(address)) == -1)
		err(1, "%s", RPC_SOCKET);
}

/* An answer, or a part of one. */
static int
receive(struct connection *connection)
{
	ssize_t length = read(connection->fd,
	    connection->bytes + connection->used,
	    sizeof(connection->bytes) - connection->used);
	size_t size;

	if (length <= 0)
		errx(1, "the connection has ended");
	connection->used += (size_t)length;
	if (rpc_check(connection->bytes, connection->used, &rpc_reply_limits,
	    &size) != RPC_COMPLETE)
		return 0;
	connection->used = 0;
	connection->waits = 0;
	return 1;
}

int
main(int argc, char **argv)
{
	static struct connection connections[CONNECTIONS];
	struct pollfd fds[CONNECTIONS];
	int64_t begun_ns = now_ns(), now, interval_ns, next_ns, end_ns;
	long answers = 0;
	int i;

	if (argc != 3)
		errx(2, "usage: flood REQUESTS_A_SECOND SECONDS");
	interval_ns = 1000000000 / atol(argv[1]);
	end_ns = begun_ns + atol(argv[2]) * 1000000000;
	for (i = 0; i < CONNECTIONS; i++)
		open_connection(&connections[i]);
	next_ns = begun_ns;
	while ((now = now_ns()) < end_ns) {
		for (i = 0; i < CONNECTIONS && next_ns <= now; i++) {
			if (connections[i].waits)
				continue;
			if (write(connections[i].fd, request,
			    sizeof(request) - 1) != sizeof(request) - 1)
				err(1, "write");
			connections[i].waits = 1;
			next_ns += interval_ns;
		}
		for (i = 0; i < CONNECTIONS; i++)
			fds[i] = (struct pollfd){ connections[i].waits ?
				connections[i].fd : -1, POLLIN, 0 };
		poll(fds, CONNECTIONS, 1);
		for (i = 0; i < CONNECTIONS; i++)
			if (fds[i].revents != 0)
				answers += receive(&connections[i]);
	}
	printf("%ld\n", answers);
	return 0;
}
