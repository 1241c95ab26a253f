/*
 * What a service may say of itself: of sd_notify(3), if its type is notify,
 *
 *   READY=1             it is up
 *   STATUS=TEXT         status shows TEXT
 *   RELOADING=1         status shows "reloading", until READY=1.  It stays up: who
 *                       depends on it or waits for it is not concerned.  What
 *                       MONOTONIC_USEC shows to be older than the last reload that was
 *                       asked for is of the one before, and does not count
 *   STOPPING=1          status shows "stopping"; that it will end is its own business
 *   MAINPID=PID         a process of its own that stands for run when that has ended,
 *                       with 0
 *   WATCHDOG=1, =trigger, WATCHDOG_USEC=N
 *                       watchdog.c
 *   EXTEND_TIMEOUT_USEC=N
 *                       its start or stop, if limited, may take so much from now on
 *
 * FDSTORE=1 is declined in a line; whatever else there is means nothing to us.  On its
 * notification-fd, a newline means that it is up.
 */
#include <sys/stat.h>
#include <sys/syscall.h>

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "supervisor.h"

#define EXTEND_MAX_US	(INT64_C(3600) * 1000000)

static const char reloading[] = "reloading", stopping[] = "stopping";

/* Bits of service.told: what has been said about its messages, once each. */
enum {
	TOLD_FDSTORE = 0x1,
	TOLD_MAINPID = 0x2,
};

static void
tell(struct service *service, unsigned bit, const char *text)
{
	if (!(service->told & bit))
		log_warn("%s: %s", escape(service_slot(service)->name), text);
	service->told |= (uint8_t)bit;
}

static bool
is_number(const char *text, int64_t *value)
{
	char *end;

	errno = 0;
	*value = strtoll(text, &end, 10);
	return *text >= '0' && *text <= '9' && *end == '\0' && errno == 0;
}

/*
 * May it name this process?  One of its own; or an orphan of the same user that is of
 * no service, as what run has left is that has made a session for itself.
 */
static bool
may_name(const struct service *service, pid_t pid, uid_t uid)
{
	char path[32];
	struct stat st;

	if (notify_sender(pid) == service)
		return true;
	snprintf(path, sizeof(path), "/proc/%d", (int)pid);
	return notify_is_heir(service, pid) && stat(path, &st) == 0 &&
	    st.st_uid == uid;
}

/* Another process stands for run, once that has ended. */
static void
set_main_process(struct service *service, const char *text, uid_t uid)
{
	int64_t pid;
	int pidfd;

	if (!is_number(text, &pid) || pid <= 1 || pid > INT_MAX)
		return;
	pidfd = (int)syscall(SYS_pidfd_open, (pid_t)pid, 0);
	/* Afterwards: what is known of the pid is so of this process. */
	if (!may_name(service, (pid_t)pid, uid)) {
		if (pidfd != -1)
			close(pidfd);
		tell(service, TOLD_MAINPID, "the MAINPID that it names is no "
		    "process of its own, and does not count");
		return;
	}
	ending_name(service, (pid_t)pid, pidfd);
}

/* Not beyond the time that was given for the container's end. */
static void
extend(struct service *service, int64_t microseconds)
{
	struct state_slot *slot = service_slot(service);
	int64_t deadline_ms;

	if (microseconds > EXTEND_MAX_US)
		microseconds = EXTEND_MAX_US;
	deadline_ms = now_ms() + microseconds / 1000;
	if (slot->deadline_ms == 0 || slot->deadline_ms >= deadline_ms ||
	    slot->state == SERVICE_UP ||
	    table->header.flags & (STATE_GRACE | STATE_HURRY))
		return;
	slot->deadline_ms = deadline_ms;
	service_timer(service, deadline_ms);
}

static void
heed_ready(struct service *service)
{
	if (reason_is_said(service, reloading))
		reason_say(service, "");
	service_event(service, EVENT_READY);
}

static void
heed_line(struct service *service, const char *line, int64_t sent_us, uid_t uid)
{
	const char *value = strchr(line, '=');
	size_t length = value == NULL ? 0 : (size_t)(++value - line);
	int64_t number;

#define IS(name)	(length == sizeof(name) - 1 && \
			    memcmp(line, name, sizeof(name) - 1) == 0)
	if (IS("READY=") && strcmp(value, "1") == 0)
		heed_ready(service);
	else if (IS("STATUS="))
		reason_say(service, value);
	else if (IS("RELOADING=") && strcmp(value, "1") == 0 &&
	    (sent_us == -1 || sent_us / 1000 >= service->reloaded_ms))
		reason_say(service, reloading);
	else if (IS("STOPPING=") && strcmp(value, "1") == 0)
		reason_say(service, stopping);
	else if (IS("MAINPID="))
		set_main_process(service, value, uid);
	else if (IS("WATCHDOG=") && strcmp(value, "1") == 0)
		watchdog_heard(service);
	else if (IS("WATCHDOG=") && strcmp(value, "trigger") == 0)
		watchdog_trigger(service);
	else if (IS("WATCHDOG_USEC=") && is_number(value, &number))
		watchdog_set(service, number);
	else if (IS("EXTEND_TIMEOUT_USEC=") && is_number(value, &number))
		extend(service, number);
	else if (IS("FDSTORE="))
		tell(service, TOLD_FDSTORE, "descriptors are not stored here "
		    "(FDSTORE=1); it has to open them anew");
#undef IS
}

/* When a message says that it was sent, in microseconds, or -1. */
static int64_t
sent_at(const char *text)
{
	const char *found = strstr(text, "MONOTONIC_USEC=");
	char *end;
	long long value;

	if (found == NULL || (found != text && found[-1] != '\n'))
		return -1;
	found += strlen("MONOTONIC_USEC=");
	value = strtoll(found, &end, 10);
	return end > found && value >= 0 ? value : -1;
}

/* A message, with a zero byte after it, of a user. */
void
word_heed(struct service *service, char *text, uid_t uid)
{
	int64_t started_ms = service_slot(service)->started_ms;
	int64_t sent_us = sent_at(text);
	char *line;

	if (setting_of(service)->type != TYPE_NOTIFY)
		return;
	/* What a line has brought about may be the end of who has said the rest. */
	while ((line = strsep(&text, "\n")) != NULL &&
	    service_slot(service)->name[0] != '\0' &&
	    service_slot(service)->started_ms == started_ms)
		heed_line(service, line, sent_us, uid);
}

/* What was written to its notification-fd. */
void
word_newline(struct service *service, const char *text, size_t length)
{
	if (memchr(text, '\n', length) != NULL)
		service_event(service, EVENT_READY);
}
