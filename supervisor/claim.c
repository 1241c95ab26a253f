/*
 * Whose supervise/ of a service is: made and locked by us, or left to whoever has locked
 * it, and let go when its name leads elsewhere.
 */
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "supervisor.h"
#include "supervise.h"

#define AGAIN_MS	1000	/* for a lock that is let go, or a link replaced */
#define COMMANDS	16	/* read at a time */

enum refused {
	NEVER,
	ONCE,
	SAID,			/* and that has been said */
};

static struct event again;
static struct event commands;
static int controls = -1;	/* epoll(7) of all services' control */

/* --- control ------------------------------------------------------------------------- */

static void
commands_cb(int fd, short what, void *argument)
{
	struct epoll_event events[COMMANDS];
	struct service *service;
	char command[COMMANDS];
	ssize_t length, j;
	int count, i;

	(void)what;
	(void)argument;
	count = epoll_wait(fd, events, COMMANDS, 0);
	for (i = 0; i < count; i++) {
		service = service_at(events[i].data.u32 - 1);
		length = service->control == -1 ? 0 :
		    read(service->control, command, sizeof(command));
		/* What is asked may be the end of it. */
		for (j = 0; j < length && service->control != -1; j++)
			runit_obey(service, command[j]);
	}
}

/*
 * Opens control for both, which never waits, so that it has a reader as long as we
 * live, and never an end (fifo(7)).  ok is another name of it: all that is asked of
 * ok is whether it has a reader.
 */
static void
open_control(struct service *service, int directory)
{
	struct epoll_event event = {
		.events = EPOLLIN,
		.data.u32 = service_number(service),
	};
	int fd;

	if (mkfifoat(directory, "control", 0600) == -1 && errno != EEXIST)
		return;
	fd = openat(directory, "control",
	    O_RDWR | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC);
	/* epoll does not take a regular file, and others may need fd more. */
	if (fd == -1 || !files_may_keep(fd, false) ||
	    epoll_ctl(controls, EPOLL_CTL_ADD, fd, &event) == -1) {
		if (fd != -1)
			close(fd);
		return;
	}
	service->control = fd;
	unlinkat(directory, "ok", 0);
	(void)!linkat(directory, "control", directory, "ok", 0);
}

/* --- lock ------------------------------------------------------------------------------ */

static bool
is_same(const struct stat *one, const struct stat *other)
{
	return one->st_dev == other->st_dev && one->st_ino == other->st_ino;
}

/* The service of ours that has the lock, or NULL. */
static struct service *
owner_of(int lock)
{
	struct service *service;
	struct stat st, other;

	if (fstat(lock, &st) == -1)
		return NULL;
	for (service = service_next(NULL); service != NULL;
	    service = service_next(service))
		if (service->lock != -1 && fstat(service->lock, &other) == 0 &&
		    is_same(&st, &other))
			return service;
	return NULL;
}

/* Whoever had the lock that some have been refused may have let go. */
static void
again_cb(int fd, short what, void *argument)
{
	struct service *service;

	(void)fd;
	(void)what;
	(void)argument;
	for (service = service_next(NULL); service != NULL;
	    service = service_next(service))
		if (service->refused != NEVER)
			supervise_note(service);
}

/* Tries once more, in a while: a link is replaced, or the lock is let go. */
static void
try_again(struct service *service)
{
	if (service->refused != NEVER)
		return;
	service->refused = ONCE;
	timer_arm(&again, now_ms() + AGAIN_MS);
}

/*
 * Somebody has the lock, and the directory is left to them.  If that is another service,
 * its own may be elsewhere by now.  A child of a supervisor before us may have it for a
 * moment.
 */
static void
refuse(struct service *service, int lock)
{
	struct service *owner = owner_of(lock);

	if (owner != NULL)
		supervise_note(owner);
	if (service->refused == ONCE && owner == NULL) {
		service->refused = SAID;
		log_warn("%s: another supervisor has locked its "
		    SUPERVISE "/lock; nothing is written there (is a runsv "
		    "running, or another container with the same directory?)",
		    escape(service_slot(service)->name));
	}
	try_again(service);
}

/* --- the directory ------------------------------------------------------------------- */

/*
 * Makes it, as runsv does: what a symbolic link in its place leads to, if that is
 * missing.  A descriptor, or -1.
 */
static int
make_directory(const struct service *service)
{
	char target[PATH_MAX];
	ssize_t length;
	int parent, fd;

	parent = open(run_path(service_slot(service), NULL),
	    O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (parent == -1)
		return -1;
	if (mkdirat(parent, SUPERVISE, 0700) == -1 && errno == EEXIST &&
	    (length = readlinkat(parent, SUPERVISE, target,
	    sizeof(target) - 1)) > 0) {
		target[length] = '\0';
		mkdirat(parent, target, 0700);
	}
	fd = openat(parent, SUPERVISE, O_PATH | O_DIRECTORY | O_CLOEXEC);
	close(parent);
	return fd;
}

/* Is it the one that we have locked? */
static bool
is_locked(const struct service *service, int directory)
{
	struct stat there, ours;

	return fstatat(directory, "lock", &there, AT_SYMLINK_NOFOLLOW) == 0 &&
	    fstat(service->lock, &ours) == 0 && is_same(&there, &ours);
}

/*
 * Where the one is by now that we have locked, even if another has its name.  A
 * descriptor, or -1: there is none any more.
 */
static int
find_locked(const struct service *service)
{
	char link[32], path[PATH_MAX] = "";
	int directory;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", service->lock);
	if (service->lock == -1 ||
	    readlink(link, path, sizeof(path) - 1) <= 0)
		return -1;
	*strrchr(path, '/') = '\0';
	directory = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (directory == -1 || is_locked(service, directory))
		return directory;
	close(directory);
	return -1;
}

static void
release(struct service *service)
{
	if (service->control != -1) {
		/* A child that is about to execute has it open as well. */
		epoll_ctl(controls, EPOLL_CTL_DEL, service->control, NULL);
		close(service->control);
	}
	if (service->lock != -1)
		close(service->lock);
	service->control = service->lock = -1;
}

/*
 * Makes the one of its name ours; its logger's is beside it.  A descriptor, or -1: it is
 * not to be written to.
 */
static int
take(struct service *service)
{
	struct service *logger = logger_of(service);
	int directory = make_directory(service), fd;

	if (directory == -1) {
		try_again(service);
		return -1;
	}
	fd = openat(directory, "lock", O_WRONLY | O_CREAT | O_APPEND |
	    O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600);
	if (fd != -1 && flock(fd, LOCK_EX | LOCK_NB) == 0) {
		service->refused = NEVER;
		if (files_may_keep(fd, false)) {
			service->lock = fd;
			open_control(service, directory);
			if (logger != NULL)
				supervise_note(logger);
			return directory;
		}
		/* Nobody would know where it has been moved to. */
		runit_remove(directory);
	} else if (fd != -1 && errno == EWOULDBLOCK) {
		refuse(service, fd);
	} else if (errno == ELOOP || errno == EISDIR || errno == ENXIO) {
		/* It is no lock, and has none. */
		runit_remove(directory);
	}
	if (fd != -1)
		close(fd);
	close(directory);
	return -1;
}

/*
 * supervise/ of a service that is found by its name, made and locked if it was not.  A
 * descriptor, the caller's to close, or -1: it is not to be written to.
 */
int
claim_open(struct service *service)
{
	int directory;

	if (service->lock == -1)
		return take(service);
	directory = open(run_path(service_slot(service), SUPERVISE),
	    O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (directory != -1 && is_locked(service, directory))
		return directory;
	if (directory != -1)
		close(directory);
	/* A link further up leads elsewhere, or somebody has removed it. */
	claim_end(service);
	return take(service);
}

/* Lets go of it.  To whoever looks there it is down, even if it has yet to end. */
void
claim_end(struct service *service)
{
	struct state_slot down;
	int directory;

	if ((directory = find_locked(service)) != -1) {
		down = *service_slot(service);
		atomic_store(&down.pid, 0);
		down.state = SERVICE_DOWN;
		down.want = WANT_DOWN;
		down.flags = 0;
		down.since_ms = now_ms();
		runit_write(directory, &down);
		close(directory);
	}
	release(service);
	service->refused = NEVER;
	/* Others may have been refused it. */
	timer_arm(&again, now_ms());
}

/* Before any other. */
void
claim_begin(void)
{
	evtimer_assign(&again, base, again_cb, NULL);
	controls = epoll_create1(EPOLL_CLOEXEC);
	event_assign(&commands, base, controls, EV_READ | EV_PERSIST,
	    commands_cb, NULL);
	if (controls != -1)
		event_add(&commands, NULL);
}
