/*
 * The control socket, and the gate that answers on it.
 *
 * The supervisor listens and does not accept: when a connection waits, it starts
 * the gate and forgets the socket until the gate ends.  Where there can be no gate
 * it tells clients so, without reading what they say.
 */
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "proto/socket.h"
#include "supervisor.h"

#define REFUSALS	64	/* clients told at a time that there is no gate */
#define ACCEPT_PAUSE_MS	1000	/* without a descriptor to accept with */

static char path[sizeof(((struct sockaddr_un *)0)->sun_path)];
static struct stat identity;	/* of the socket's file: is it still ours? */
static int listener = -1;
static bool in_own_directory;	/* or where INITCTL_SOCKET says */
static int channel_fd = -1;
static int wake_fd = -1;
static int table_fd = -1;	/* the state table, to be read alone */
static int lines_fd = -1;	/* the table of lines, likewise */

static struct event waiting, channel, pause_timer;
static struct process gate;
static _Atomic int32_t gate_pid;
static int gate_status;
static bool gate_killed;	/* by us */

static void	listen_again(void);
static void	kill_gate(void);

/* --- the socket ----------------------------------------------------------- */

/*
 * Binds under another name and renames: whatever was in that place is replaced
 * at once, and at no time is there a socket that others may connect to.
 */
static bool
bind_socket(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd, error;
	mode_t mask;

	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd == -1)
		return false;
	snprintf(address.sun_path, sizeof(address.sun_path), "%.*s.new",
	    (int)sizeof(address.sun_path) - 5, path);
	unlink(address.sun_path);
	mask = umask(0177);
	error = bind(fd, (struct sockaddr *)&address, sizeof(address));
	umask(mask);
	if (error == -1 || listen(fd, SOMAXCONN) == -1 ||
	    rename(address.sun_path, path) == -1 ||
	    lstat(path, &identity) == -1) {
		error = errno;
		unlink(address.sun_path);
		close(fd);
		errno = error;
		return false;
	}
	listener = fd;
	return true;
}

/* Makes the socket at path, in a directory that is ours. */
static bool
open_path(bool resumed)
{
	char directory[sizeof(path)];

	strcpy(directory, path);
	*strrchr(directory, '/') = '\0';
	in_own_directory = directory_take(directory, resumed);
	return in_own_directory && bind_socket();
}

static bool
open_at(const char *where, bool resumed)
{
	strcpy(path, where);
	return open_path(resumed);
}

/* Where the environment says: a directory of others, whose care that is. */
static bool
open_given(const char *where)
{
	if (where[0] != '/' || strlen(where) > sizeof(path) - 5) {
		log_warn(RPC_SOCKET_VARIABLE "=%s is not an absolute path of at "
		    "most %d bytes; there is no control socket",
		    escape(where), (int)sizeof(path) - 5);
		return false;
	}
	snprintf(path, sizeof(path), "%s", where);
	if (bind_socket())
		return true;
	log_warn("Cannot make the control socket %s: %s", escape(where),
	    strerror(errno));
	return false;
}

/*
 * Makes the control socket, in the first place where it can be.  Without one the
 * container works as well, and initctl does not.
 */
void
gatekeeper_open(bool resumed)
{
	const char *given = environment_get(RPC_SOCKET_VARIABLE);
	int error;

	if (given != NULL && *given != '\0') {
		if (!open_given(given))
			return;
	} else if (!open_at(RPC_SOCKET, resumed)) {
		error = errno;
		if (!open_at(RPC_SOCKET_FALLBACK, resumed)) {
			log_warn("There is no control socket, so initctl does "
			    "not work: " RPC_SOCKET ": %s, "
			    RPC_SOCKET_FALLBACK ": %s", strerror(error),
			    strerror(errno));
			return;
		}
		if (error == EBUSY)
			log_warn("Another my_init uses " RPC_SOCKET "; ours "
			    "is " RPC_SOCKET_FALLBACK);
	}
	listen_again();
}

/* The directory to be watched for the loss of the socket, or NULL. */
const char *
gatekeeper_directory(void)
{
	static char directory[sizeof(path)];

	if (listener == -1)
		return NULL;
	snprintf(directory, sizeof(directory), "%s", path);
	*strrchr(directory, '/') = '\0';
	return directory[0] == '\0' ? "/" : directory;
}

/* Somebody may have removed the socket, or put something else in its place. */
void
gatekeeper_check(void)
{
	struct stat st;
	int old = listener;

	if (listener == -1 || (lstat(path, &st) == 0 &&
	    st.st_dev == identity.st_dev && st.st_ino == identity.st_ino))
		return;
	log_warn("The control socket %s has been removed or replaced; making "
	    "it again", escape(path));
	/* The directory may have gone with it, unless it is another's. */
	if (in_own_directory ? !open_path(true) : !bind_socket()) {
		log_warn("Cannot make the control socket %s: %s", escape(path),
		    strerror(errno));
		return;
	}
	event_del(&waiting);
	close(old);
	/* A gate that runs has the old one. */
	if (gate.pid != 0)
		kill_gate();
	else
		listen_again();
}

/* The last thing in a shutdown: nobody is to wait for an answer any more. */
void
gatekeeper_close(void)
{
	struct stat st;

	if (listener != -1 && lstat(path, &st) == 0 &&
	    st.st_dev == identity.st_dev && st.st_ino == identity.st_ino)
		unlink(path);
}

/* --- the gate -------------------------------------------------------------- */

/*
 * Tells the clients that wait that they wait in vain: a response to the request
 * of number 0, made by hand from {code, message} (PROTOCOL.md, "Messages").
 */
static void
refuse(const char *why)
{
	char response[256], *p = response;
	size_t length = strlen(why);
	int fd, i;

	if (length > 200)
		length = 200;
	memcpy(p, "\x94\x01\x00\x82\xa4" "code" "\xab" "unavailable" "\xa7"
	    "message" "\xd9", 30);
	p += 30;
	*p++ = (char)length;
	memcpy(p, why, length);
	p += length;
	*p++ = (char)0xc0;
	for (i = 0; i < REFUSALS; i++) {
		fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
		if (fd == -1)
			break;
		(void)!send(fd, response, (size_t)(p - response),
		    MSG_DONTWAIT | MSG_NOSIGNAL);
		close(fd);
	}
	if (i < REFUSALS && errno != EAGAIN)
		timer_arm(&pause_timer, now_ms() + ACCEPT_PAUSE_MS);
	else
		listen_again();
}

/* Not by a pid of 0, which would be everybody here (kill(2)). */
static void
end_gate(void)
{
	if (gate.pid > 0)
		kill(gate.pid, SIGKILL);
}

static void
kill_gate(void)
{
	gate_killed = true;
	end_gate();
}

static void
record_cb(struct process *process, pid_t pid, int status)
{
	(void)process;
	(void)pid;
	gate_status = status;
	atomic_store(&gate_pid, 0);
}

/* It has ended: by itself, when it had no clients for a while, or not. */
static void
ended_cb(struct process *process)
{
	(void)process;
	if (channel_fd != -1) {
		event_del(&channel);
		close(channel_fd);
		channel_fd = -1;
	}
	lines_watch(false);
	control_delivered();
	if (gate_status == 0) {
		listen_again();
		return;
	}
	if (!gate_killed)
		log_warn("The gate ended with %s %d; the next client gets a "
		    "new one", WIFSIGNALED(gate_status) ? "signal" :
		    "exit code", WIFSIGNALED(gate_status) ?
		    WTERMSIG(gate_status) : WEXITSTATUS(gate_status));
	gate_killed = false;
	/* Not started again for those who wait: one of them may have done it. */
	refuse("the gate has ended; try again");
}

static void
channel_cb(int fd, short what, void *argument)
{
	struct gate_request request;
	struct gate_reply reply;
	ssize_t length;

	(void)what;
	(void)argument;
	length = recv(fd, &request, sizeof(request),
	    MSG_DONTWAIT | MSG_TRUNC);
	if (length == -1 && (errno == EAGAIN || errno == EINTR))
		return;
	if (length == sizeof(request) && control_answer(&request, &reply)) {
		(void)!send(fd, &reply, sizeof(reply),
		    MSG_DONTWAIT | MSG_NOSIGNAL);
		return;
	}
	if (length > 0) {
		log_warn("The gate has sent what is no request; it is killed");
		kill_gate();
	} else {
		/* Its end, or nothing, sent as a message: it is of no more use. */
		end_gate();
	}
	event_del(&channel);
}

/* A table as who may only read it sees it; without /proc it is only asked to. */
static int
open_to_read(int *fd, int table_or_lines)
{
	char name[32];

	snprintf(name, sizeof(name), "/proc/self/fd/%d", table_or_lines);
	*fd = open(name, O_RDONLY | O_CLOEXEC);
	return *fd != -1 ? *fd : table_or_lines;
}

static int
start(void)
{
	char program[] = GATE_PATH, *argv[] = { program, NULL };
	char *no_environment[] = { NULL };
	int pair[2], descriptors[GATE_FDS], error, wake;
	const struct spawn gate_program = {
		.path = program, .argv = argv, .directory_fd = -1,
		.pid = &gate_pid, .service = true,
		.environment = no_environment,
		.descriptors = descriptors, .descriptors_count = GATE_FDS,
	};

	/* Until now nobody has waited for services; what it says of them is so. */
	supervise_write();
	if (wake_fd == -1)
		wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK,
	    0, pair) == -1)
		return errno;
	descriptors[GATE_LISTEN_FD - 3] = listener;
	descriptors[GATE_CHANNEL_FD - 3] = pair[1];
	descriptors[GATE_EVENT_FD - 3] = wake_fd;
	descriptors[GATE_TABLE_FD - 3] = table_fd != -1 ? table_fd :
	    open_to_read(&table_fd, INIT_TABLE_FD);
	descriptors[GATE_LINES_FD - 3] = lines_fd != -1 ? lines_fd :
	    open_to_read(&lines_fd, INIT_LINES_FD);
	/* Without it, who follows lines is told of them later. */
	wake = lines_wake_fd();
	descriptors[GATE_WAKE_FD - 3] = wake != -1 ? wake : wake_fd;
	descriptors[GATE_FILE_FD - 3] = open(path,
	    O_PATH | O_NOFOLLOW | O_CLOEXEC);
	error = spawn(&gate_program);
	close(pair[1]);
	if (wake != -1)
		close(wake);
	if (descriptors[GATE_FILE_FD - 3] != -1)
		close(descriptors[GATE_FILE_FD - 3]);
	if (error != 0) {
		close(pair[0]);
		return error;
	}
	channel_fd = pair[0];
	gate.record = record_cb;
	gate.ended = ended_cb;
	process_watch(&gate, atomic_load(&gate_pid), now_ms(), false);
	event_assign(&channel, base, channel_fd, EV_READ | EV_PERSIST,
	    channel_cb, NULL);
	event_add(&channel, NULL);
	lines_watch(true);
	return 0;
}

/* Is there a gate? */
bool
gatekeeper_is_busy(void)
{
	return gate.pid != 0;
}

/* A client has connected. */
static void
waiting_cb(int fd, short what, void *argument)
{
	static int said;
	char why[128];
	int error;

	(void)fd;
	(void)what;
	(void)argument;
	if ((error = start()) == 0) {
		said = 0;
		return;
	}
	snprintf(why, sizeof(why), "the gate " GATE_PATH " cannot be started: "
	    "%s", strerror(error));
	if (said != error)
		log_warn("Clients of the control socket are turned away: %s",
		    why);
	said = error;
	refuse(why);
}

static void
pause_cb(int fd, short what, void *argument)
{
	(void)fd;
	(void)what;
	(void)argument;
	listen_again();
}

static void
listen_again(void)
{
	if (!event_initialized(&pause_timer))
		evtimer_assign(&pause_timer, base, pause_cb, NULL);
	event_assign(&waiting, base, listener, EV_READ, waiting_cb, NULL);
	event_add(&waiting, NULL);
}

/* Something in the state table has changed, which a client may wait for. */
void
gatekeeper_wake(void)
{
	const uint64_t one = 1;

	if (gate.pid != 0)
		(void)!write(wake_fd, &one, sizeof(one));
}
