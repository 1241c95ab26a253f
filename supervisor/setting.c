/*
 * What a service's directory says of it: read when run is about to be started, and
 * when a supervisor takes over what another has started.  What is changed while
 * run runs counts from its next start.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "supervisor.h"

/* Programs that are run later, even if the directory has been moved away by then. */
#define HELD	(ENTRY(FINISH) | ENTRY(ENV) | ENTRY(CHECK) | ENTRY(HEALTH) | ENTRY(CONTROL))

struct faults {
	struct service	*service;
	bool		any;
};

static void
fault_cb(void *argument, const char *text)
{
	struct faults *faults = argument;
	const struct state_slot *slot = service_slot(faults->service);

	log_warn("%s: %s (in %s)", escape(slot->name), text,
	    escape(run_path(slot, NULL)));
	/* The first is the one that is shown. */
	if (!faults->any)
		reason_set(faults->service, "%s", text);
	faults->any = true;
}

/* A file that is read apart from the settings does not parse, either. */
void
setting_fault(struct service *service, enum entry entry, const char *why)
{
	struct faults faults = { service, service->broken };
	char text[SETTING_FAULT_MAX];

	snprintf(text, sizeof(text), "%s: %s", entry_names[entry], why);
	fault_cb(&faults, text);
	service->broken = true;
}

static void
unreadable(struct faults *faults, int error)
{
	char text[SETTING_FAULT_MAX];

	snprintf(text, sizeof(text), "its directory cannot be read: %s%s",
	    strerror(error), error == EMFILE ? FILES_WAY_OUT : "");
	fault_cb(faults, text);
}

/*
 * Reads the directory anew.  False: something in it does not parse, which is the
 * service's reason now, and in its place is what holds by default.
 */
bool
setting_load(struct service *service)
{
	struct faults faults = { service, false };
	const char *why;
	int fd, error;

	setting_forget(service);
	fd = open(run_path(service_slot(service), NULL),
	    O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd == -1 && (errno == ENOENT || errno == ENOTDIR))
		return true;
	if (fd != -1)
		service->entries = settings_list(fd);
	error = errno;
	if (error == 0 && service->entries & settings_entries &&
	    (service->settings = malloc(sizeof(*service->settings))) == NULL)
		error = ENOMEM;
	if (error != 0) {
		/* Who knows what it says: whom run has to run as, for one. */
		service->entries = 0;
		service->broken = true;
		unreadable(&faults, error);
		if (fd != -1)
			close(fd);
		return false;
	}
	if (service->settings != NULL)
		settings_read(fd, service->entries, service->settings,
		    fault_cb, &faults);
	service->broken = faults.any;
	if (service->entries & ENTRY(ENV) &&
	    (why = settings_directory(fd, ENTRY_ENV)) != NULL)
		setting_fault(service, ENTRY_ENV, why);
	if (service->entries & HELD && files_may_keep(fd, false))
		service->directory = fd;
	else
		close(fd);
	logger_hold(service);
	lines_hold(service);
	return !service->broken;
}

/* The directory need not be there any longer. */
void
setting_forget(struct service *service)
{
	if (service->directory != -1)
		close(service->directory);
	service->directory = -1;
	service->entries = 0;
	service->broken = false;
	free(service->settings);
	service->settings = NULL;
}

/* What holds for a service. */
const struct settings *
setting_of(const struct service *service)
{
	static struct settings defaults;

	if (service->settings != NULL)
		return service->settings;
	if (defaults.down_signal == 0)
		settings_default(&defaults);
	return &defaults;
}

/* Is there more to being up than that run runs? */
bool
setting_is_ready_later(const struct service *service)
{
	const struct settings *settings = setting_of(service);

	return settings->type != TYPE_LONGRUN ||
	    settings->notification_fd != -1 ||
	    (service->entries & ENTRY(CHECK)) != 0;
}

/* A time that a service has by its file, or NO_TIMER; at the end, at most ours. */
static int64_t
grace_ms(int64_t own_ms, int64_t container_ms)
{
	bool limited = table->header.flags & (STATE_GRACE | STATE_HURRY);

	if (own_ms == -1)
		return container_ms;
	if (limited && (own_ms == 0 || own_ms > container_ms))
		return container_ms;
	return own_ms == 0 ? NO_TIMER : own_ms;
}

/* How long it may take to end. */
int64_t
setting_stop_grace_ms(const struct service *service)
{
	return grace_ms(setting_of(service)->timeout_kill_ms,
	    options.stop_grace_ms);
}

/*
 * How long its finish may run: unless it has a file for that, what was left of the
 * time its stop had, and enough anyway.
 */
int64_t
setting_finish_grace_ms(const struct service *service)
{
	const struct state_slot *slot = service_slot(service);
	int64_t left_ms = options.stop_grace_ms;

	if (slot->state == SERVICE_STOPPING && slot->deadline_ms != 0)
		left_ms = slot->deadline_ms - now_ms();
	return grace_ms(setting_of(service)->timeout_finish_ms,
	    left_ms > FINISH_GRACE_MS ? left_ms : FINISH_GRACE_MS);
}

/* The longest time that any service has of its own for its end. */
int64_t
setting_longest_grace_ms(void)
{
	const struct settings *settings;
	const struct service *service;
	int64_t longest_ms = 0, own_ms;

	for (service = service_next(NULL); service != NULL;
	    service = service_next(service)) {
		settings = setting_of(service);
		own_ms = 0;
		if (settings->timeout_kill_ms > 0)
			own_ms += settings->timeout_kill_ms;
		if (settings->timeout_finish_ms > 0)
			own_ms += settings->timeout_finish_ms;
		if (own_ms > longest_ms)
			longest_ms = own_ms;
	}
	return longest_ms;
}
