/*
 * The service directory: which services there are.  inotify(7) says when it has
 * changed; what has changed is read from the directory itself.
 */
#include <sys/inotify.h>
#include <sys/stat.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "supervisor.h"

#define CHANGES	(IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | \
		    IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR)

#define WATCH_DELAY_MS	1000

static struct event	changed, delay;
static int		notify = -1;
static int		watch = -1;	/* on SERVICE_DIRECTORY */
static int		parent_watch = -1;	/* while that is missing */
static int		socket_watch = -1;	/* on the control socket's */
static bool		scanned;	/* at least once, in this process */
static struct scan_result result;	/* of the scan that is under way */

/*
 * A directory, or a symbolic link to one.  A link that leads nowhere is a service
 * that cannot be started yet: it is said, and tried again like any other.
 */
static bool
is_service(int directory, const char *name, unsigned char type)
{
	struct stat st;

	if (name[0] == '.')
		return false;
	if (type == DT_DIR)
		return true;
	if (type != DT_LNK && type != DT_UNKNOWN)
		return false;
	if (fstatat(directory, name, &st, 0) == -1)
		return true;
	return S_ISDIR(st.st_mode);
}

static enum service_want
wanted(int directory, const char *name)
{
	char down[NAME_MAX + sizeof("/down")];

	snprintf(down, sizeof(down), "%s/down", name);
	return faccessat(directory, down, F_OK, 0) == -1 ? WANT_UP : WANT_DOWN;
}

static struct service *
add(const char *name, enum service_want want, bool early)
{
	struct service *service;

	if (strlen(name) > STATE_NAME_MAX) {
		log_warn("%s: a service's name may have %d bytes; it is not "
		    "supervised (rename it)", escape(name), STATE_NAME_MAX);
		return NULL;
	}
	if ((service = service_add(name, want, early)) == NULL)
		log_warn("%s: there are %d services already; it is not "
		    "supervised", escape(name), STATE_SLOTS);
	return service;
}

/* Is there a service of that name, which may be anybody's word and no more? */
bool
scan_finds(const char *name)
{
	bool found = false;
	struct stat st;
	int directory;

	if (strchr(name, '/') != NULL || strlen(name) > STATE_NAME_MAX)
		return false;
	directory = open(SERVICE_DIRECTORY, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (directory == -1)
		return false;
	if (fstatat(directory, name, &st, AT_SYMLINK_NOFOLLOW) == 0)
		found = is_service(directory, name, IFTODT(st.st_mode));
	close(directory);
	return found;
}

/* Adds the service of that name before they are looked for; NULL: there is none. */
struct service *
scan_early(const char *name)
{
	return scan_finds(name) ? add(name, WANT_DOWN, true) : NULL;
}

/* Its directory is gone, even if there is another of that name by now. */
static void
lose(struct service *service)
{
	if (service_slot(service)->flags & SLOT_REMOVED)
		return;
	result.removed++;
	service_want(service, WANT_DOWN, true);
}

/*
 * Its directory is there, for the first time, still or again.  A link in the place
 * of another leads to another service, of the same name (ln -sfn replaces one so
 * that there is no moment without).
 */
static struct service *
see(int directory, const struct dirent *entry)
{
	ino_t link = entry->d_type == DT_LNK ? entry->d_ino : 0;
	struct service *service = index_find(entry->d_name);

	if (service != NULL && service->link != 0 && link != 0 &&
	    service->link != link) {
		/* One that is down already is none any more. */
		lose(service);
		service = index_find(entry->d_name);
	}
	if (service == NULL) {
		service = add(entry->d_name, wanted(directory, entry->d_name),
		    false);
		if (service == NULL)
			return NULL;
		result.added++;
		/* A service that is down has its logger all the same (runsv(8)). */
		if (service_slot(service)->want == WANT_DOWN &&
		    setting_load(service))
			logger_start(service);
	}
	service->link = link;
	if (service_slot(service)->flags & SLOT_REMOVED) {
		result.added++;
		service_want(service, wanted(directory, entry->d_name), false);
	}
	return service;
}

static void
remove_unseen(uint16_t scan)
{
	struct service *service;

	for (service = service_next(NULL); service != NULL;
	    service = service_next(service))
		if (service->seen != scan && !logger_is_one(service))
			lose(service);
}

/*
 * Starts what is new in the service directory and stops what is gone from it;
 * returns how many services that were.
 */
struct scan_result
scan_services(void)
{
	static uint16_t scan;
	struct service *service;
	struct dirent *entry;
	DIR *directory;

	result = (struct scan_result){ 0, 0 };
	if (table->header.phase != PHASE_RUNNING)
		return result;
	if ((directory = opendir(SERVICE_DIRECTORY)) == NULL) {
		/* Gone is one thing; unreadable must not stop services. */
		if (errno == ENOENT && scanned)
			remove_unseen(++scan);
		else
			log_warn("Cannot read " SERVICE_DIRECTORY ": %s; no "
			    "services are started (mkdir " SERVICE_DIRECTORY
			    ", or make it readable)", strerror(errno));
		scanned = true;
		return result;
	}
	scanned = true;
	scan++;
	while ((entry = readdir(directory)) != NULL) {
		if (!is_service(dirfd(directory), entry->d_name,
		    entry->d_type))
			continue;
		service = see(dirfd(directory), entry);
		if (service != NULL)
			service->seen = scan;
	}
	closedir(directory);
	remove_unseen(scan);
	services_start();
	return result;
}

/*
 * Watches the service directory, or while there is none the directory it would
 * appear in.
 */
static void
watch_directory(void)
{
	if (watch == -1)
		watch = inotify_add_watch(notify, SERVICE_DIRECTORY, CHANGES);
	if (watch == -1 && parent_watch == -1)
		parent_watch = inotify_add_watch(notify, "/etc",
		    IN_CREATE | IN_MOVED_TO | IN_ONLYDIR);
	if (watch != -1 && parent_watch != -1) {
		inotify_rm_watch(notify, parent_watch);
		parent_watch = -1;
	}
	if (socket_watch == -1 && gatekeeper_directory() != NULL)
		socket_watch = inotify_add_watch(notify,
		    gatekeeper_directory(), IN_DELETE | IN_MOVED_FROM |
		    IN_MOVED_TO | IN_DELETE_SELF |
		    IN_MOVE_SELF | IN_ONLYDIR);
}

static void
changed_cb(int fd, short what, void *argument)
{
	char buffer[4096]
	    __attribute__((aligned(__alignof__(struct inotify_event))));
	const struct inotify_event *event;
	struct service *service;
	bool relevant = false, lost_socket = false;
	ssize_t length;
	char *p;

	(void)what;
	(void)argument;
	while ((length = read(fd, buffer, sizeof(buffer))) > 0)
		for (p = buffer; p < buffer + length;
		    p += sizeof(*event) + event->len) {
			event = (const struct inotify_event *)p;
			if (event->wd == socket_watch) {
				lost_socket = true;
				/* The directory itself is gone. */
				if (event->mask & IN_MOVE_SELF)
					inotify_rm_watch(notify, socket_watch);
				if (event->mask & (IN_IGNORED | IN_MOVE_SELF))
					socket_watch = -1;
				continue;
			}
			if (event->wd == watch && (event->mask &
			    (IN_IGNORED | IN_MOVE_SELF))) {
				inotify_rm_watch(notify, watch);
				watch = -1;
			} else if (event->wd == watch && (event->mask &
			    (IN_DELETE | IN_MOVED_FROM)) &&
			    (service = index_find(event->name)) != NULL) {
				lose(service);
			}
			relevant |= event->wd != parent_watch || strcmp(
			    event->name, strrchr(SERVICE_DIRECTORY, '/') + 1)
			    == 0;
		}
	if (lost_socket)
		gatekeeper_check();
	watch_directory();
	if (relevant)
		scan_services();
}

static void
watch_start(void)
{
	notify = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (notify != -1) {
		watch_directory();
		event_assign(&changed, base, notify, EV_READ | EV_PERSIST,
		    changed_cb, NULL);
		event_add(&changed, NULL);
	}
	if (notify == -1 || (watch == -1 && parent_watch == -1))
		log_warn("Cannot watch " SERVICE_DIRECTORY ": %s; send HUP to "
		    "my_init after a change", strerror(errno));
}

static void
delay_cb(int fd, short what, void *argument)
{
	(void)fd;
	(void)what;
	(void)argument;
	watch_start();
	scan_services();
}

/*
 * Starts the services, and from now on those that appear.  To give up a watch
 * costs the kernel some milliseconds (it waits for all readers of the list of
 * watches), which is more than all else a short main command's container does: so
 * beside a main command the watch begins a second later.
 */
void
scan_start(void)
{
	if (options.command == NULL) {
		watch_start();
	} else {
		evtimer_assign(&delay, base, delay_cb, NULL);
		timer_arm(&delay, now_ms() + WATCH_DELAY_MS);
	}
	scan_services();
}

/* Called early in a shutdown, for the same reason. */
void
scan_end(void)
{
	if (event_initialized(&delay))
		evtimer_del(&delay);
	if (notify == -1)
		return;
	event_del(&changed);
	if (watch != -1)
		inotify_rm_watch(notify, watch);
	if (parent_watch != -1)
		inotify_rm_watch(notify, parent_watch);
	if (socket_watch != -1)
		inotify_rm_watch(notify, socket_watch);
	notify = watch = parent_watch = socket_watch = -1;
}
