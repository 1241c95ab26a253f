/*
 * The gate's loop: who may connect, and what is waited for.
 *
 * A client is in one of four conditions: its request is read; its operation is
 * waited for; its reply is written; or it is told of changes for as long as it
 * likes.  The first three have a deadline.
 */
#include <sys/socket.h>
#include <sys/stat.h>

#include <errno.h>
#include <poll.h>
#include <time.h>
#include <unistd.h>

#include "supervisor/gate/gate.h"

#define IDLE_END_MS	30000	/* without a client, before the gate ends */
#define ALONE_END_MS	1000	/* without a supervisor, too */
#define ALONE_LOOK_MS	100	/* ... and without word from the next one */
#define EVICT_MS	1000	/* of doing nothing, when others wait */
#define GROUPS_MAX	1024

static uid_t owner;		/* the user that my_init runs as */
static bool root_only;		/* there is no filter to hold us */
static int64_t idle_since_ms;

int64_t
now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static bool
is_in_group(int fd, gid_t own, gid_t group)
{
	static gid_t groups[GROUPS_MAX];
	socklen_t length = sizeof(groups);
	size_t i;

	if (own == group)
		return true;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &length) == -1)
		return false;
	for (i = 0; i < length / sizeof(groups[0]); i++)
		if (groups[i] == group)
			return true;
	return false;
}

/*
 * Who connected, by the kernel's word, as of the time it did (unix(7),
 * SO_PEERCRED).  Pid 0 is a process that has none in this container.
 */
static bool
may_talk(int fd, bool *may_change)
{
	struct ucred peer;
	socklen_t length = sizeof(peer);
	struct stat st;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) == -1)
		return false;
	*may_change = peer.pid != 0 && (peer.uid == 0 ||
	    (peer.uid == owner && !root_only));
	if (*may_change)
		return true;
	if (peer.pid != 0 && !root_only && fstat(GATE_FILE_FD, &st) == 0 &&
	    (st.st_mode & S_IWGRP) && is_in_group(fd, peer.gid, st.st_gid))
		return true;
	operation_tell(GATE_REFUSED, peer.pid, peer.uid);
	return false;
}

/* A free place, or that of who has done nothing for longest. */
static struct client *
find_place(void)
{
	struct client *client, *idle = NULL;

	for (client = clients; client < clients + RPC_CLIENTS_MAX; client++) {
		if (client->fd == -1 && !client->busy)
			return client;
		if (client->fd != -1 && client_reads(client) &&
		    (idle == NULL || client->since_ms < idle->since_ms))
			idle = client;
	}
	if (idle == NULL || now_ms() - idle->since_ms < EVICT_MS)
		return NULL;
	client_close(idle);
	return idle;
}

static void
refuse(int fd, enum rpc_error error, const char *message)
{
	translate_error(reply_begin(), 0, error, message);
	reply_send_last(fd);
}

static void
accept_client(void)
{
	int fd = accept4(GATE_LISTEN_FD, NULL, NULL,
	    SOCK_NONBLOCK | SOCK_CLOEXEC);
	struct client *client;
	bool may_change;

	if (fd == -1) {
		descriptors_full = errno == EMFILE || errno == ENFILE ||
		    errno == ENOMEM;
		return;
	}
	if (!may_talk(fd, &may_change)) {
		refuse(fd, RPC_DENIED, "who may talk to the supervisor is "
		    "root, the user that my_init runs as, and to read the "
		    "members of the socket's group");
		return;
	}
	if ((client = find_place()) == NULL) {
		refuse(fd, RPC_BUSY, "too many clients; try again");
		return;
	}
	client->fd = fd;
	client->may_change = may_change;
	client->received = 0;
	client->needed = 1;
	client_deadline(client, RPC_REQUEST_MS);
}

/* What is waited for, in the order of descriptors and of clients. */
enum { POLL_LISTEN, POLL_CHANNEL, POLL_EVENT, POLL_LINES, POLL_CLIENTS };

static void
serve(struct client *client, short what)
{
	if (client->fd == -1)
		return;
	if (client->output != NULL) {
		if (what != 0)
			client_flush(client);
	} else if (!client_reads(client)) {
		if (what & (POLLHUP | POLLERR))
			client_close(client);
	} else if (client->pending) {
		client_look(client);
	} else if (what != 0) {
		client_receive(client);
	}
}

static void
expire(struct client *client, int64_t now)
{
	if (client->fd == -1 || client->deadline_ms == 0 ||
	    now < client->deadline_ms)
		return;
	if (client->operation != NULL)
		operation_expire(client);
	else
		client_close(client);
}

/* How long nothing may happen; ends the gate if nothing did. */
static int
patience(void)
{
	int64_t now = now_ms(), first = INT64_MAX, end_ms;
	struct client *client;
	bool any = false;

	for (client = clients; client < clients + RPC_CLIENTS_MAX; client++) {
		any |= client->fd != -1 || client->busy;
		if (client->fd == -1)
			continue;
		if (client->pending && client_reads(client))
			return 0;
		if (client->deadline_ms != 0 && client->deadline_ms < first)
			first = client->deadline_ms;
	}
	if (any || idle_since_ms == 0)
		idle_since_ms = now;
	if (!any) {
		end_ms = idle_since_ms +
		    (operation_alone() ? ALONE_END_MS : IDLE_END_MS);
		if (now >= end_ms)
			_exit(0);
		first = end_ms;
	}
	if (operation_alone() && operation_waiters() > 0 &&
	    first > now + ALONE_LOOK_MS)
		first = now + ALONE_LOOK_MS;
	if (first == INT64_MAX)
		return -1;
	return first <= now ? 0 : (int)(first - now);
}

static void
turn(void)
{
	static struct pollfd fds[POLL_CLIENTS + RPC_CLIENTS_MAX];
	struct client *client;
	uint64_t changes;
	int64_t now;
	unsigned i;

	operation_send();
	fds[POLL_LISTEN] = (struct pollfd){
		descriptors_full ? -1 : GATE_LISTEN_FD, POLLIN, 0
	};
	fds[POLL_CHANNEL] = (struct pollfd){
		operation_alone() ? -1 : GATE_CHANNEL_FD, POLLIN, 0
	};
	fds[POLL_EVENT] = (struct pollfd){
		operation_waiters() > 0 ? GATE_EVENT_FD : -1, POLLIN, 0
	};
	fds[POLL_LINES] = (struct pollfd){
		lines_are_followed() ? GATE_WAKE_FD : -1, POLLIN, 0
	};
	for (i = 0; i < RPC_CLIENTS_MAX; i++) {
		client = &clients[i];
		fds[POLL_CLIENTS + i] = (struct pollfd){ client->fd,
			client->output != NULL ? POLLOUT :
			client_reads(client) ? POLLIN : 0, 0 };
	}
	if (poll(fds, POLL_CLIENTS + RPC_CLIENTS_MAX, patience()) == -1)
		return;
	if (fds[POLL_CHANNEL].revents != 0)
		operation_receive();
	if (fds[POLL_EVENT].revents != 0) {
		(void)!read(GATE_EVENT_FD, &changes, sizeof(changes));
		operation_look();
	} else if (operation_alone()) {
		operation_look();
	}
	if (fds[POLL_LINES].revents != 0)
		lines_look_all();
	now = now_ms();
	for (i = 0; i < RPC_CLIENTS_MAX; i++) {
		/* Not one that has come to this place since. */
		if (clients[i].fd == fds[POLL_CLIENTS + i].fd)
			serve(&clients[i], fds[POLL_CLIENTS + i].revents);
		expire(&clients[i], now);
		if (fds[POLL_EVENT].revents != 0 &&
		    clients[i].subscription != NULL)
			subscription_look(&clients[i]);
	}
	if (fds[POLL_LISTEN].revents != 0)
		accept_client();
}

int
main(void)
{
	struct client *client;
	int without;

	for (client = clients; client < clients + RPC_CLIENTS_MAX; client++)
		client->fd = -1;
	owner = geteuid();
	view_open();
	without = sandbox_enter();
	root_only = without & GATE_WITHOUT_SECCOMP;
	if (without != 0)
		operation_tell(GATE_SANDBOX, without, 0);
	for (;;)
		turn();
}
