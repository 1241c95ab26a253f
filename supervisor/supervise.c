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
#include <sys/file.h>

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

#include "supervisor.h"
#include "supervise.h"

#define FIRST_MS	200	/* after a start, and at the latest after a change */

static struct event idle;	/* there is nothing else to do */
static struct event later;
static uint16_t first, last;	/* noted: numbers of services plus 1, or 0 */

static void
write_all(struct service *service)
{
	const struct state_slot *slot = service_slot(service);
	int directory;

	/* Its name is nobody's, or another's. */
	if (slot->flags & SLOT_REMOVED ||
	    (directory = claim_open(service)) == -1)
		return;
	runit_write(directory, slot);
	close(directory);
}

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

/* One at a time: in between is looked whether there is something else to do. */
static void
write_cb(int fd, short what, void *timer)
{
	(void)fd;
	(void)what;
	if (first != 0)
		write_all(next_noted());
	if (first != 0) {
		timer_arm(timer, now_ms());
	} else {
		event_del(&idle);
		event_del(&later);
	}
}

static void
begin(void)
{
	claim_begin();
	evtimer_assign(&later, base, write_cb, &later);
	evtimer_assign(&idle, base, write_cb, &idle);
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
		timer_arm(&idle, now_ms());
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

/* Is it what clients wait for?  sv asks whether it is ready by itself. */
static bool
is_awaited(const struct state_slot *slot)
{
	return slot->state == SERVICE_UP || slot->state == SERVICE_DOWN ||
	    slot->state == SERVICE_FAILED ||
	    (slot->state == SERVICE_STARTING && atomic_load(&slot->pid) > 0);
}

/* Its state has changed, and clients are about to be told. */
void
supervise_tell(struct service *service)
{
	supervise_note(service);
	if (!gatekeeper_is_busy() || shutdown_starts_none() ||
	    !is_awaited(service_slot(service)))
		return;
	unnote(service);
	write_all(service);
}

/*
 * Its directory is that of no service any more, or of another: to whoever looks there it
 * is down, even if it has yet to end.  So is its logger.
 */
void
supervise_forget(struct service *service)
{
	struct service *logger = logger_of(service);

	unnote(service);
	claim_end(service);
	if (logger != NULL)
		supervise_forget(logger);
}

/* Writes all that is yet to be written. */
void
supervise_write(void)
{
	while (first != 0)
		write_all(next_noted());
}

/* Removes the pid that a directory was left with, unless somebody has its lock. */
static void
forget_pid(int services, const char *name, const char *log)
{
	char path[NAME_MAX + sizeof("/log/" SUPERVISE "/lock")];
	int fd;

	snprintf(path, sizeof(path), "%s%s/" SUPERVISE "/lock", name, log);
	fd = openat(services, path,
	    O_WRONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd == -1)
		return;
	snprintf(path, sizeof(path), "%s%s/" SUPERVISE "/pid", name, log);
	if (flock(fd, LOCK_EX | LOCK_NB) == 0)
		unlinkat(services, path, 0);
	close(fd);
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
		if (entry->d_name[0] != '.') {
			forget_pid(dirfd(services), entry->d_name, "");
			forget_pid(dirfd(services), entry->d_name, "/log");
		}
	if (services != NULL)
		closedir(services);
}
