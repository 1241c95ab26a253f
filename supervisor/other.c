/*
 * Another my_init in this container, which runs the services already.  It is known
 * by its control socket: who listens there, and in whose container, is the
 * kernel's word (SO_PEERCRED).
 */
#include <sys/socket.h>
#include <sys/un.h>

#include <string.h>
#include <unistd.h>

#include "proto/socket.h"
#include "supervisor.h"

/*
 * The process that listens at a socket's path, or 0: there is none, or it is no
 * process of this container.  One that has ended is being started again: the gate
 * keeps its socket.
 */
static pid_t
listener_of(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct ucred peer = { .pid = 0 };
	socklen_t length = sizeof(peer);
	int fd;

	if (strlen(path) >= sizeof(address.sun_path))
		return 0;
	strcpy(address.sun_path, path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd == -1)
		return 0;
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) == -1 ||
	    getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) == -1)
		peer.pid = 0;
	close(fd);
	return peer.pid;
}

/* Ends this one, if there is another: no service is to run twice. */
void
other_check(void)
{
	const char *path = environment_get(RPC_SOCKET_VARIABLE);
	bool given = path != NULL && *path != '\0';
	pid_t pid = listener_of(given ? path : (path = RPC_SOCKET));

	if (pid == 0 && !given)
		pid = listener_of(path = RPC_SOCKET_FALLBACK);
	if (pid == 0)
		return;
	log_warn("Another my_init runs the services already: its supervisor, PID "
	    "%d, answers at %s (to run a command beside it: my_init "
	    "--skip-runit -- COMMAND)", (int)pid, escape(path));
	leave(1, INIT_NO_SWEEP);
}
