/*
 * log/run: a service's logger is a service of its own, called NAME/log, that reads
 * what the service writes to stdout.
 *
 * The pipe between them is a FIFO, a file of ours.  Whoever needs an end opens it: a
 * supervisor that has just been started finds it where the last one left it.  The
 * service itself has it open for reading, too, so that it gets no SIGPIPE when there
 * is no logger, and what it has written waits there for the next one.  We hold it
 * open while the service lives, so that the logger sees no end between two runs; at
 * the end we let go, and the logger ends when it has read everything.
 */
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "supervisor.h"

#define SUFFIX		"/log"
#define DIRECTORY	"pipes"

/* --- who is whose ---------------------------------------------------------------- */

bool
logger_is_one(const struct service *service)
{
	return strchr(service_slot(service)->name, '/') != NULL;
}

/* The logger of a service, or NULL. */
struct service *
logger_of(const struct service *service)
{
	const char *name = service_slot(service)->name;
	char log[STATE_NAME_MAX + sizeof(SUFFIX)];

	if (logger_is_one(service))
		return NULL;
	snprintf(log, sizeof(log), "%s" SUFFIX, name);
	return index_find(log);
}

/* The service of a logger, or NULL: it is gone. */
static struct service *
producer_of(const struct service *logger)
{
	char name[STATE_NAME_MAX + 1];

	strcpy(name, service_slot(logger)->name);
	*strchr(name, '/') = '\0';
	return index_find(name);
}

/* --- the pipe ----------------------------------------------------------------------- */

static int
open_pipe(const char *name, int flags)
{
	return directory_open_pipe(DIRECTORY, name, flags | O_CREAT);
}

static void
release(struct service *service)
{
	if (service->pipe != -1)
		close(service->pipe);
	service->pipe = -1;
}

/*
 * A service's directory has been read: has it a logger, its stdout is the pipe to it
 * from now on.  To open a FIFO for both never waits (fifo(7)).
 */
void
logger_hold(struct service *service)
{
	const char *name = service_slot(service)->name;

	if (logger_is_one(service))
		return;
	if (!(service->entries & ENTRY(LOG))) {
		release(service);
		return;
	}
	if (service->pipe != -1)
		return;
	if (strlen(name) + strlen(SUFFIX) > STATE_NAME_MAX)
		errno = ENAMETOOLONG;
	else
		service->pipe = open_pipe(name, O_RDWR);
	if (service->pipe != -1 && !files_may_keep(service->pipe, true)) {
		release(service);
		errno = EMFILE;
	}
	if (service->pipe == -1)
		log_warn("%s: there is no pipe for log/run: %s%s; what it writes "
		    "goes where my_init's does", escape(name), strerror(errno),
		    errno == EMFILE ? FILES_WAY_OUT : "");
}

/* What a logger reads, to be closed; -1 and an errno. */
int
logger_input(const struct service *logger)
{
	struct service *service = producer_of(logger);
	char held[32];
	int fd = -1;

	if (service == NULL) {
		errno = ENOENT;
		return -1;
	}
	logger_hold(service);
	/* The one that is written to, even if its name is gone, or another's. */
	snprintf(held, sizeof(held), "/proc/self/fd/%d", service->pipe);
	if (service->pipe != -1)
		fd = open(held, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (fd == -1)
		fd = open_pipe(service_slot(service)->name,
		    O_RDONLY | O_NONBLOCK);
	/* The logger is to wait for what comes. */
	if (fd != -1)
		fcntl(fd, F_SETFL, 0);
	return fd;
}

/* --- beginning and end ----------------------------------------------------------------- */

/* A service is about to start, or is down and yet to have a logger: starts that. */
void
logger_start(struct service *service)
{
	struct service *logger;
	char name[STATE_NAME_MAX + 1];
	struct stat st;

	if (service->pipe == -1)
		return;
	logger = logger_of(service);
	if (logger == NULL) {
		snprintf(name, sizeof(name), "%.*s" SUFFIX,
		    (int)(sizeof(name) - sizeof(SUFFIX)),
		    service_slot(service)->name);
		logger = service_add(name, stat(run_path(service_slot(service),
		    "log/down"), &st) == 0 ? WANT_DOWN : WANT_UP,
		    service_slot(service)->flags & SLOT_EARLY);
		if (logger == NULL)
			log_warn("%s: there are too many services for its "
			    "logger", escape(service_slot(service)->name));
		else if (service_slot(logger)->want == WANT_UP)
			service_event(logger, EVENT_START);
	} else if (service_slot(logger)->flags & SLOT_REMOVED) {
		service_want(logger, WANT_UP, false);
	}
}

/*
 * Ends a logger by the end of what it reads, if nothing is to come any more; false: it
 * is to be told like any other service.
 */
bool
logger_stop(struct service *logger)
{
	struct service *service;
	const struct state_slot *slot;

	if (!logger_is_one(logger))
		return false;
	if ((service = producer_of(logger)) != NULL) {
		slot = service_slot(service);
		if (slot->state != SERVICE_DOWN && slot->state != SERVICE_FAILED)
			return false;
		release(service);
	}
	service_slot(logger)->flags |= SLOT_TOLD;
	return true;
}

/* A service is removed: its logger goes after it, and with that the pipe. */
void
logger_forget(struct service *service)
{
	struct service *logger = logger_of(service);
	char name[STATE_NAME_MAX + 1];

	release(service);
	if (logger != NULL) {
		service_want(logger, WANT_DOWN, true);
	} else if (logger_is_one(service) && producer_of(service) == NULL &&
	    directory_of_pipes(DIRECTORY) != -1) {
		strcpy(name, service_slot(service)->name);
		*strchr(name, '/') = '\0';
		unlinkat(directory_of_pipes(DIRECTORY), name, 0);
	}
}
