/*
 * What services say of themselves, as sd_notify(3) sends it (type notify), or by a
 * newline on a descriptor of theirs (notification-fd).
 *
 * Both arrive as datagrams on one socket, which my_init holds: it and what waits in
 * it are there when a supervisor is not.  Nobody is sent a SIGPIPE.  Whose word it is,
 * the kernel says.  The descriptor is a socket that has an address of its own, which
 * comes with what is written there, by whomever.  Any other message counts if its
 * sender (SCM_CREDENTIALS) is of the session of the service's run, or a descendant of
 * one that is: so one whose sender has ended by now does not, unless it is run itself.
 *
 * All addresses are abstract ones that the kernel chose, so there is no file that
 * could be missing, read-only or somebody else's.
 */
#include <sys/socket.h>
#include <sys/un.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "supervisor.h"

#define MESSAGE_MAX	8192	/* bytes; a longer one is none */
#define MESSAGES_MAX	64	/* read at one go */
#define QUEUE_MAX	1024	/* more than ever wait (net.unix.max_dgram_qlen) */
#define DESCRIPTORS_MAX	16	/* that may come with one; the kernel closes others */
#define ANCESTORS_MAX	16

static struct event arrived;
static struct sockaddr_un address;
static socklen_t address_length;

/* --- the socket ------------------------------------------------------------------- */

static void	arrived_cb(int, short, void *);

/* The first service that needs it opens it; false and an errno: it cannot be. */
static bool
open_socket(void)
{
	struct sockaddr_un any = { .sun_family = AF_UNIX };
	int on = 1;

	if (address_length > 0)
		return true;
	/* First, and by each supervisor: another may have got no further. */
	if (setsockopt(INIT_NOTIFY_FD, SOL_SOCKET, SO_PASSCRED, &on,
	    sizeof(on)) == -1)
		return false;
	address_length = sizeof(address);
	if (getsockname(INIT_NOTIFY_FD, (struct sockaddr *)&address,
	    &address_length) == 0 &&
	    address_length > offsetof(struct sockaddr_un, sun_path) + 1)
		goto bound;
	/* A family alone has the kernel choose (unix(7), autobind). */
	address_length = sizeof(address);
	if (bind(INIT_NOTIFY_FD, (struct sockaddr *)&any,
	    offsetof(struct sockaddr_un, sun_path)) == -1 ||
	    getsockname(INIT_NOTIFY_FD, (struct sockaddr *)&address,
	    &address_length) == -1) {
		address_length = 0;
		return false;
	}
bound:
	event_assign(&arrived, base, INIT_NOTIFY_FD, EV_READ | EV_PERSIST,
	    arrived_cb, NULL);
	event_add(&arrived, NULL);
	return true;
}

/* The value of NOTIFY_SOCKET; NULL and an errno: there is no socket. */
const char *
notify_address(void)
{
	static char text[sizeof(address.sun_path) + 1];

	if (!open_socket())
		return NULL;
	snprintf(text, sizeof(text), "@%.*s", (int)(address_length -
	    offsetof(struct sockaddr_un, sun_path) - 1), address.sun_path + 1);
	return text;
}

/* The number that the kernel's choice of an address is, and 1; 0: it is not one. */
static uint32_t
number_of(const struct sockaddr_un *chosen, socklen_t length)
{
	size_t digits = length - offsetof(struct sockaddr_un, sun_path) - 1;
	char text[sizeof(chosen->sun_path)];

	if (length <= offsetof(struct sockaddr_un, sun_path) + 1 ||
	    chosen->sun_path[0] != '\0' || digits > 7)
		return 0;
	memcpy(text, chosen->sun_path + 1, digits);
	text[digits] = '\0';
	return 1 + (uint32_t)strtoul(text, NULL, 16);
}

/*
 * A descriptor that leads to the socket, for a service's run to write a newline to; to
 * be closed.  -1 and an errno: there is none.
 */
int
notify_connect(struct service *service)
{
	struct sockaddr_un any = { .sun_family = AF_UNIX }, own;
	socklen_t length = sizeof(own);
	int fd;

	if (!open_socket() || (fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC,
	    0)) == -1)
		return -1;
	if (bind(fd, (struct sockaddr *)&any,
	    offsetof(struct sockaddr_un, sun_path)) == 0 &&
	    getsockname(fd, (struct sockaddr *)&own, &length) == 0 &&
	    connect(fd, (struct sockaddr *)&address, address_length) == 0) {
		service_slot(service)->notifier = number_of(&own, length);
		return fd;
	}
	close(fd);
	return -1;
}

/* --- whose word it is ------------------------------------------------------------- */

/* The service whose run has a notification-fd of that address, or NULL. */
static struct service *
service_at_address(const struct sockaddr_un *from, socklen_t length)
{
	uint32_t number = number_of(from, length);
	struct service *service;

	for (service = service_next(NULL); service != NULL && number != 0;
	    service = service_next(service))
		if (service_slot(service)->notifier == number &&
		    atomic_load(&service_slot(service)->pid) > 0)
			return service;
	return NULL;
}

/*
 * Is a process that of a service's run, or of its session?  That is run's own, also
 * where another process stands for run by now, which may have one of its own (MAINPID);
 * or is about to, and speaks before we know that run has ended.
 */
static bool
is_of(const struct state_slot *slot, pid_t pid, pid_t session)
{
	pid_t run = atomic_load(&slot->pid);

	return run > 0 && (slot->state == SERVICE_UP ||
	    slot->state == SERVICE_STARTING || slot->state == SERVICE_STOPPING) &&
	    (pid == run || session == run ||
	    pid == atomic_load(&slot->successor) ||
	    (slot->group != 0 && session == slot->group));
}

static struct service *
service_of(pid_t pid)
{
	pid_t session = getsid(pid);
	struct service *service;

	for (service = service_next(NULL); service != NULL;
	    service = service_next(service))
		if (is_of(service_slot(service), pid, session))
			return service;
	return NULL;
}

static pid_t
parent_of(pid_t pid)
{
	char path[32], text[512], *end;
	ssize_t length;
	int fd, parent = 0;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	if ((fd = open(path, O_RDONLY | O_CLOEXEC)) == -1)
		return 0;
	length = read(fd, text, sizeof(text) - 1);
	close(fd);
	text[length > 0 ? length : 0] = '\0';
	/* The name, which ends with the last parenthesis, may hold anything. */
	if ((end = strrchr(text, ')')) == NULL ||
	    sscanf(end + 1, " %*c %d", &parent) != 1)
		return 0;
	return parent;
}

/* The service that a process belongs to, or NULL. */
struct service *
notify_sender(pid_t pid)
{
	struct service *service = NULL;
	unsigned steps;

	for (steps = 0; steps < ANCESTORS_MAX && pid > 1 && service == NULL;
	    steps++) {
		service = service_of(pid);
		if (service == NULL)
			pid = parent_of(pid);
	}
	return service;
}

/*
 * May a process stand for run of a service, which has ended?  It has to be an orphan,
 * of its session or of one that is no service's, nor that of the main command and
 * ours.  (Its number could have been given to a stranger since it was named.)
 */
bool
notify_is_heir(const struct service *service, pid_t pid)
{
	const struct service *owner = service_of(pid);

	return parent_of(pid) == getppid() && (owner == service ||
	    (owner == NULL && getsid(pid) != getsid(0)));
}

/* --- arrival ---------------------------------------------------------------------------- */

static struct ucred
credentials_of(struct msghdr *message)
{
	struct cmsghdr *header;
	struct ucred credentials = { 0 };

	for (header = CMSG_FIRSTHDR(message); header != NULL;
	    header = CMSG_NXTHDR(message, header))
		if (header->cmsg_level == SOL_SOCKET &&
		    header->cmsg_type == SCM_CREDENTIALS)
			memcpy(&credentials, CMSG_DATA(header),
			    sizeof(credentials));
	return credentials;
}

/* None is kept.  Who has sent BARRIER=1 waits for this. */
static void
close_descriptors(struct msghdr *message)
{
	struct cmsghdr *header;
	size_t i;
	int fd;

	for (header = CMSG_FIRSTHDR(message); header != NULL;
	    header = CMSG_NXTHDR(message, header))
		for (i = 0; header->cmsg_level == SOL_SOCKET &&
		    header->cmsg_type == SCM_RIGHTS &&
		    CMSG_LEN((i + 1) * sizeof(fd)) <= header->cmsg_len; i++) {
			memcpy(&fd, CMSG_DATA(header) + i * sizeof(fd),
			    sizeof(fd));
			close(fd);
		}
}

/*
 * Reads so many messages, or all.  One is looked at, acted on and then taken, so that
 * one whose reader is killed is read again: a service says once that it is ready.
 */
static void
read_messages(unsigned most)
{
	static char text[MESSAGE_MAX + 1];
	union {
		struct cmsghdr	header;
		char		space[CMSG_SPACE(sizeof(struct ucred)) +
				    CMSG_SPACE(DESCRIPTORS_MAX * sizeof(int))];
	} control;
	struct iovec part = { text, MESSAGE_MAX };
	struct sockaddr_un from;
	struct msghdr message;
	struct service *service;
	ssize_t length;
	struct ucred who;

	while (most-- > 0) {
		message = (struct msghdr){
			.msg_name = &from, .msg_namelen = sizeof(from),
			.msg_iov = &part, .msg_iovlen = 1,
			.msg_control = &control,
			.msg_controllen = sizeof(control),
		};
		length = recvmsg(INIT_NOTIFY_FD, &message,
		    MSG_DONTWAIT | MSG_CMSG_CLOEXEC | MSG_PEEK);
		if (length == -1)
			return;
		text[length] = '\0';
		who = credentials_of(&message);
		service = service_at_address(&from, message.msg_namelen);
		if (service != NULL)
			word_newline(service, text, (size_t)length);
		else if (who.pid > 0 && !(message.msg_flags & MSG_TRUNC) &&
		    (service = notify_sender(who.pid)) != NULL)
			word_heed(service, text, who.uid);
		close_descriptors(&message);
		(void)!recv(INIT_NOTIFY_FD, NULL, 0, MSG_DONTWAIT);
	}
}

static void
arrived_cb(int fd, short what, void *argument)
{
	(void)fd;
	(void)what;
	(void)argument;
	read_messages(MESSAGES_MAX);
}

/* Reads all that has been sent up to now. */
void
notify_read(void)
{
	if (address_length > 0)
		read_messages(QUEUE_MAX);
}

/* Is there a service that may say something, or has there been one? */
void
notify_resume(void)
{
	const struct settings *settings;
	struct service *service;

	for (service = service_next(NULL); service != NULL;
	    service = service_next(service)) {
		settings = setting_of(service);
		if (settings->type == TYPE_NOTIFY ||
		    settings->notification_fd != -1) {
			open_socket();
			return;
		}
	}
}
