/*
 * What services say of themselves, as sd_notify(3) sends it (type notify), or by a
 * newline on a descriptor of theirs (notification-fd).
 *
 * Both arrive as datagrams on one socket, which my_init holds: it and what waits in
 * it are there when a supervisor is not.  Nobody is sent a SIGPIPE.  Whose word it is,
 * the kernel says (SCM_CREDENTIALS): a message counts if its sender is of the session
 * of the service's run, or a descendant of one that is.
 *
 * The socket has an abstract address that the kernel chose, so there is no file that
 * could be missing, read-only or somebody else's.
 */
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "supervisor.h"

#define MESSAGE_MAX	8192	/* bytes; a longer one is none */
#define MESSAGES_MAX	64	/* read at one go */
#define DESCRIPTORS_MAX	16	/* that may come with one; the kernel closes others */
#define ANCESTORS_MAX	16
#define TELL_PAUSE_MS	10000	/* between lines about messages that are not served */
#define EXTEND_MAX_US	(INT64_C(3600) * 1000000)

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
	    getsockname(INIT_NOTIFY_FD,
	    (struct sockaddr *)&address, &address_length) == -1) {
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

/*
 * A descriptor that leads to the socket, for run to write a newline to; to be closed.
 * -1 and an errno: there is none.
 */
int
notify_connect(void)
{
	int fd;

	if (!open_socket() || (fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC,
	    0)) == -1)
		return -1;
	if (connect(fd, (struct sockaddr *)&address, address_length) == 0)
		return fd;
	close(fd);
	return -1;
}

/* --- whose word it is --------------------------------------------------------------- */

/*
 * Is it in the session that run is in, its own, or the process that stands for it
 * (MAINPID) and may have left that?
 */
static bool
is_of(const struct state_slot *slot, pid_t pid, pid_t session)
{
	pid_t main = atomic_load(&slot->pid);

	return pid == main || session == (slot->group != 0 ? slot->group : main);
}

static struct service *
service_of(pid_t pid)
{
	pid_t session = getsid(pid);
	struct service *service;
	const struct state_slot *slot;

	for (service = service_next(NULL); service != NULL && session > 0;
	    service = service_next(service)) {
		slot = service_slot(service);
		if (is_of(slot, pid, session) &&
		    atomic_load(&slot->pid) > 0 && (slot->state == SERVICE_UP ||
		    slot->state == SERVICE_STARTING ||
		    slot->state == SERVICE_STOPPING))
			return service;
	}
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

static struct service *
sender(pid_t pid)
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

/* --- what it says -------------------------------------------------------------------- */

static bool
is_microseconds(const char *text, int64_t *value)
{
	char *end;

	errno = 0;
	*value = strtoll(text, &end, 10);
	return *text >= '0' && *text <= '9' && *end == '\0' && errno == 0;
}

/* Another process stands for run, once that has ended. */
static void
set_main_process(struct service *service, const char *text)
{
	int64_t pid;
	int pidfd;

	if (!is_microseconds(text, &pid) || pid <= 1 || pid >= INT_MAX)
		return;
	pidfd = (int)syscall(SYS_pidfd_open, (pid_t)pid, 0);
	/* Afterwards: what is known of the pid is so of this process. */
	if (sender((pid_t)pid) == service) {
		ending_name(service, (pid_t)pid, pidfd);
	} else if (pidfd != -1) {
		close(pidfd);
	}
}

static void
extend(struct service *service, int64_t microseconds)
{
	struct state_slot *slot = service_slot(service);
	int64_t deadline_ms = now_ms() + microseconds / 1000;

	if (slot->deadline_ms == 0 || slot->deadline_ms >= deadline_ms ||
	    microseconds > EXTEND_MAX_US || slot->state == SERVICE_UP ||
	    table->header.flags & STATE_HURRY)
		return;
	slot->deadline_ms = deadline_ms;
	timer_arm(&service->timer, deadline_ms);
}

static void
tell_unserved(const struct service *service, const char *what)
{
	static int64_t next_ms;

	if (now_ms() < next_ms)
		return;
	next_ms = now_ms() + TELL_PAUSE_MS;
	log_warn("%s: %s is not served, and was passed over",
	    escape(service_slot(service)->name), what);
}

static void
heed_line(struct service *service, const char *line)
{
	const struct settings *settings = setting_of(service);
	const char *value = strchr(line, '=');
	size_t length = value == NULL ? 0 : (size_t)(++value - line);
	int64_t number;

#define IS(name)	(length == sizeof(name) - 1 && \
			    memcmp(line, name, sizeof(name) - 1) == 0)
	if (settings->type != TYPE_NOTIFY || value == NULL)
		return;
	if (IS("READY=") && strcmp(value, "1") == 0)
		service_event(service, EVENT_READY);
	else if (IS("STATUS="))
		reason_say(service, value);
	else if (IS("MAINPID="))
		set_main_process(service, value);
	else if (IS("WATCHDOG=") && strcmp(value, "1") == 0)
		watchdog_heard(service);
	else if (IS("WATCHDOG=") && strcmp(value, "trigger") == 0)
		watchdog_trigger(service);
	else if (IS("WATCHDOG_USEC=") && is_microseconds(value, &number))
		watchdog_set(service, number / 1000);
	else if (IS("EXTEND_TIMEOUT_USEC=") && is_microseconds(value, &number))
		extend(service, number);
	else if (IS("FDSTORE="))
		tell_unserved(service, "FDSTORE");
#undef IS
}

static void
heed(struct service *service, char *text, size_t length)
{
	int64_t started_ms = service_slot(service)->started_ms;
	char *line;

	if (setting_of(service)->notification_fd != -1 &&
	    memchr(text, '\n', length) != NULL && strchr(text, '=') == NULL) {
		service_event(service, EVENT_READY);
		return;
	}
	/* What a line has brought about may be the end of who has said the rest. */
	while ((line = strsep(&text, "\n")) != NULL &&
	    service_slot(service)->name[0] != '\0' &&
	    service_slot(service)->started_ms == started_ms)
		heed_line(service, line);
}

/* --- arrival ---------------------------------------------------------------------------- */

static pid_t
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
	return credentials.pid;
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
 * A message is looked at, acted on and then taken, so that one whose reader is killed
 * is read again: a service says once that it is ready.
 */
static void
arrived_cb(int fd, short what, void *argument)
{
	static char text[MESSAGE_MAX + 1];
	union {
		struct cmsghdr	header;
		char		space[CMSG_SPACE(sizeof(struct ucred)) +
				    CMSG_SPACE(DESCRIPTORS_MAX * sizeof(int))];
	} control;
	struct iovec part = { text, MESSAGE_MAX };
	struct msghdr message;
	struct service *service;
	unsigned count;
	ssize_t length;
	pid_t pid;

	(void)what;
	(void)argument;
	for (count = 0; count < MESSAGES_MAX; count++) {
		message = (struct msghdr){
			.msg_iov = &part, .msg_iovlen = 1,
			.msg_control = &control,
			.msg_controllen = sizeof(control),
		};
		length = recvmsg(fd, &message,
		    MSG_DONTWAIT | MSG_CMSG_CLOEXEC | MSG_PEEK);
		if (length == -1)
			return;
		service = NULL;
		if ((pid = credentials_of(&message)) > 0)
			service = sender(pid);
		if (service != NULL && !(message.msg_flags & MSG_TRUNC)) {
			text[length] = '\0';
			heed(service, text, (size_t)length);
		}
		close_descriptors(&message);
		(void)!recv(fd, NULL, 0, MSG_DONTWAIT);
	}
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
