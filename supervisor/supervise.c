/*
 * supervise/ of a service's directory, as runsv(8) keeps one: for scripts that read pid
 * or stat there, or write to control, and for runit's own tools.
 *
 * It is written for others.  What counts is the state table; nothing is read back but
 * commands, a character each, from whoever may write to a FIFO of ours.  Where it cannot
 * be made, as in a root that is read-only, a service does without.
 *
 * To write costs more system calls than to start a service.  So a directory is made a
 * moment after the service is first heard of, and what changes is written when there is
 * nothing else to do; but before clients are told of it, so that a script that has waited
 * for a service finds its new pid.
 */
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "supervisor.h"

#define DIRECTORY	"supervise"
#define FIRST_MS	200	/* after a start, and at the latest after a change */
#define AGAIN_MS	1000	/* for a lock that a dying supervisor left behind */
#define COMMANDS	16	/* read at a time */

enum refused {
	NEVER,
	ONCE,
	SAID,			/* and that has been said */
};

static struct event idle;	/* there is nothing else to do */
static struct event later;
static struct event again;
static struct event commands;
static unsigned refused;	/* services that have not got their lock */
static int controls = -1;	/* epoll(7) of all services' control */
static uint16_t first, last;	/* noted: numbers of services plus 1, or 0 */

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
	if (mkdirat(parent, DIRECTORY, 0700) == -1 && errno == EEXIST &&
	    (length = readlinkat(parent, DIRECTORY, target,
	    sizeof(target) - 1)) > 0) {
		target[length] = '\0';
		mkdirat(parent, target, 0700);
	}
	fd = openat(parent, DIRECTORY, O_PATH | O_DIRECTORY | O_CLOEXEC);
	close(parent);
	return fd;
}

/* Where the one is that we have locked, even if another has its name by now; or -1. */
static int
find_locked(const struct service *service)
{
	char link[32], path[PATH_MAX] = "";
	struct stat st;

	/* Where a lock was that is gone, others may have theirs by now. */
	snprintf(link, sizeof(link), "/proc/self/fd/%d", service->lock);
	if (fstat(service->lock, &st) == -1 || st.st_nlink == 0 ||
	    readlink(link, path, sizeof(path) - 1) <= 0)
		return -1;
	*strrchr(path, '/') = '\0';
	return open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
}

/* False: it cannot be opened, or others need the descriptor more. */
static bool
keep(int *fd, int opened)
{
	if (opened != -1 && !files_may_keep(opened, false)) {
		close(opened);
		opened = -1;
	}
	*fd = opened;
	return opened != -1;
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

/* Is the lock that of a service of ours?  It had another name, or has another link. */
static bool
is_ours(int lock)
{
	struct service *service;
	struct stat st, other;

	if (fstat(lock, &st) == -1)
		return false;
	for (service = service_next(NULL); service != NULL;
	    service = service_next(service))
		if (service->lock != -1 && fstat(service->lock, &other) == 0 &&
		    other.st_dev == st.st_dev && other.st_ino == st.st_ino)
			return true;
	return false;
}

/*
 * Somebody has the lock, and the directory is left to them.  A child of a supervisor
 * before us may have it for a moment.
 */
static void
refuse(struct service *service, int lock)
{
	if (service->refused == NEVER) {
		service->refused = ONCE;
		refused++;
		timer_arm(&again, now_ms() + AGAIN_MS);
	} else if (service->refused == ONCE && !is_ours(lock)) {
		service->refused = SAID;
		log_warn("%s: another supervisor has locked its "
		    DIRECTORY "/lock; nothing is written there (is a runsv "
		    "running, or another container with the same directory?)",
		    escape(service_slot(service)->name));
	}
}

static void
allow(struct service *service)
{
	if (service->refused != NEVER)
		refused--;
	service->refused = NEVER;
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
		.data.u32 = (uint32_t)(service - service_at(0)),
	};

	if (mkfifoat(directory, "control", 0600) == -1 && errno != EEXIST)
		return;
	if (!keep(&service->control, openat(directory, "control",
	    O_RDWR | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC)))
		return;
	/* Which does not take a regular file. */
	if (epoll_ctl(controls, EPOLL_CTL_ADD, service->control, &event) == -1) {
		close(service->control);
		service->control = -1;
		return;
	}
	unlinkat(directory, "ok", 0);
	(void)!linkat(directory, "control", directory, "ok", 0);
}

/* Makes the directory ours.  A descriptor, or -1: it is not to be written to. */
static int
take(struct service *service)
{
	int directory = make_directory(service), fd;

	if (directory == -1)
		return -1;
	fd = openat(directory, "lock", O_WRONLY | O_CREAT | O_APPEND |
	    O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600);
	if (fd != -1 && flock(fd, LOCK_EX | LOCK_NB) == 0) {
		allow(service);
		if (keep(&service->lock, fd))
			open_control(service, directory);
		return directory;
	}
	if (fd != -1) {
		if (errno == EWOULDBLOCK)
			refuse(service, fd);
		close(fd);
	}
	close(directory);
	return -1;
}

static void
write_all(struct service *service)
{
	const struct state_slot *slot = service_slot(service);
	int directory = -1;

	/* Its name may be another's. */
	if (slot->flags & SLOT_REMOVED) {
		if (service->lock != -1)
			directory = find_locked(service);
	} else if (service->lock == -1 || (directory = open(run_path(slot,
	    DIRECTORY), O_PATH | O_DIRECTORY | O_CLOEXEC)) == -1) {
		release(service);
		directory = take(service);
	}
	if (directory == -1)
		return;
	runit_write(directory, slot);
	close(directory);
}

/* --- commands ------------------------------------------------------------------------ */

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
		service = service_at(events[i].data.u32);
		length = service->control == -1 ? 0 :
		    read(service->control, command, sizeof(command));
		/* What is asked may be the end of it. */
		for (j = 0; j < length && service->control != -1; j++)
			runit_obey(service, command[j]);
	}
}

/* --- when ------------------------------------------------------------------------------ */

static struct service *
next_noted(void)
{
	struct service *service = service_at(first - 1u);

	first = service->next_noted;
	if (first == 0)
		last = 0;
	service->noted = false;
	return service;
}

/*
 * One of those that are noted.  libevent calls it for the next before it asks the kernel
 * again.
 */
static void
write_cb(int fd, short what, void *argument)
{
	(void)fd;
	(void)what;
	(void)argument;
	if (first != 0)
		write_all(next_noted());
	if (first == 0) {
		event_del(&later);
		return;
	}
	timer_arm(&later, now_ms() + FIRST_MS);
	event_active(&idle, EV_TIMEOUT, 0);
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

static void
begin(void)
{
	controls = epoll_create1(EPOLL_CLOEXEC);
	event_assign(&commands, base, controls, EV_READ | EV_PERSIST,
	    commands_cb, NULL);
	if (controls != -1)
		event_add(&commands, NULL);
	evtimer_assign(&later, base, write_cb, NULL);
	evtimer_assign(&again, base, again_cb, NULL);
	event_assign(&idle, base, -1, 0, write_cb, NULL);
	event_priority_set(&idle, PRIORITY_IDLE);
}

/* A service is new, or something has changed that is to be written. */
void
supervise_note(struct service *service)
{
	uint16_t number = service_number(service);

	if (!event_initialized(&idle))
		begin();
	if (!service->noted) {
		service->noted = true;
		service->next_noted = 0;
		if (first == 0) {
			timer_arm(&later, now_ms() + FIRST_MS);
			first = number;
		} else {
			service_at(last - 1u)->next_noted = number;
		}
		last = number;
	}
	/* What ends need not be written at once, and most need not at all. */
	if (service->lock != -1 && table->header.phase <= PHASE_RUNNING)
		event_active(&idle, EV_TIMEOUT, 0);
}

/* No more to be written of it than has been. */
static void
unnote(struct service *service)
{
	uint16_t number = service_number(service);
	uint16_t *link = &first, before = 0;

	if (!service->noted)
		return;
	while (*link != number) {
		before = *link;
		link = &service_at(before - 1u)->next_noted;
	}
	*link = service->next_noted;
	if (last == number)
		last = before;
	service->noted = false;
}

/* Is it one of the states that clients wait for? */
static bool
is_awaited(enum service_state state)
{
	return state == SERVICE_UP || state == SERVICE_DOWN ||
	    state == SERVICE_FAILED;
}

/* Its state has changed, and clients are about to be told. */
void
supervise_tell(struct service *service)
{
	supervise_note(service);
	if (!gatekeeper_is_busy() || shutdown_starts_none() ||
	    !is_awaited(service_slot(service)->state))
		return;
	unnote(service);
	write_all(service);
}

/*
 * Its directory is that of no service any more, or of another: to whoever looks there it
 * is down, even if it has yet to end.
 */
void
supervise_forget(struct service *service)
{
	struct state_slot down;
	int directory;

	unnote(service);
	if (service->lock != -1 && (directory = find_locked(service)) != -1) {
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
	allow(service);
	if (refused > 0)
		timer_arm(&again, now_ms());
}

/* Removes the pid that a directory was left with, unless somebody has its lock. */
static bool
forget_pid(int services, const char *name, const char *log)
{
	char path[NAME_MAX + sizeof("/log/" DIRECTORY "/lock")];
	int fd;

	snprintf(path, sizeof(path), "%s%s/" DIRECTORY "/lock", name, log);
	fd = openat(services, path, O_WRONLY | O_NONBLOCK | O_CLOEXEC);
	if (fd == -1)
		return false;
	snprintf(path, sizeof(path), "%s%s/" DIRECTORY "/pid", name, log);
	if (flock(fd, LOCK_EX | LOCK_NB) == 0)
		unlinkat(services, path, 0);
	close(fd);
	return true;
}

/*
 * The container has just been started, maybe not for the first time, and maybe it was
 * killed then: a pid that startup scripts found would be a stranger's.
 */
void
supervise_begin(void)
{
	DIR *services = opendir(SERVICE_DIRECTORY);
	struct dirent *entry;

	while (services != NULL && (entry = readdir(services)) != NULL)
		if (entry->d_name[0] != '.' &&
		    forget_pid(dirfd(services), entry->d_name, ""))
			forget_pid(dirfd(services), entry->d_name, "/log");
	if (services != NULL)
		closedir(services);
}
