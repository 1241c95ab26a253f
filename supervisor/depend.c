/*
 * The file depends of a service's directory: names of services, one a line, that
 * are up before it starts, and that are stopped after it when all are (order.c).
 *
 * A service that may not start is down, and wanted up; it remembers the one it
 * waits for, and is looked at again when that comes up or the services change.
 * So nobody keeps a graph, and the file is read when it counts.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "supervisor.h"

#define READY		UINT16_MAX	/* waits_for: in `ready`, for nothing */
#define CIRCLE_SHOWN	10		/* names of a circle */

static uint16_t ready;	/* 1 + the first of those that are to be looked at again */

/* --- the file ---------------------------------------------------------------- */

/* Says it, unless it was what was said about the service last. */
static void
complain(struct service *service, const char *text)
{
	uint32_t hash = index_hash(text);

	if (service->complaint != hash)
		log_warn("%s", text);
	service->complaint = hash;
}

/* What the file says, to be cut up; until the next call.  NULL: nothing, or *why. */
char *
depend_read(const struct service *service, const char **why)
{
	static char text[DEPENDS_MAX + 1];

	/* Not where the directory was: by now there may be another. */
	*why = settings_text(AT_FDCWD, run_path(service_slot(service),
	    "depends"), text, sizeof(text));
	return *why == NULL ? text : NULL;
}

static struct service *
find(const char *name)
{
	struct service *service = index_find(name);

	return service != NULL &&
	    service_slot(service)->flags & SLOT_REMOVED ? NULL : service;
}

/* --- waiting to start ----------------------------------------------------------- */

static struct service *
waited_for(const struct service *service)
{
	return service->waits_for == 0 || service->waits_for == READY ? NULL :
	    service_at(service->waits_for - 1u);
}

static void
wait_in(struct service *service, uint16_t *list, uint16_t waits_for)
{
	service->next_waiter = *list;
	*list = service_number(service);
	service->waits_for = waits_for;
}

/* It waits for nothing any more. */
static void
wait_no_more(struct service *service)
{
	uint16_t *link = &ready;

	if (service->waits_for == 0)
		return;
	if (service->waits_for != READY)
		link = &waited_for(service)->waiters;
	while (*link != service_number(service))
		link = &service_at(*link - 1u)->next_waiter;
	*link = service->next_waiter;
	service->waits_for = 0;
}

/* Why it is kept down, until it is looked at again. */
static void
hold(struct service *service, const char *reason)
{
	reason_set(service, "%s", reason);
	service->held = true;
}

/* What it waits for will not come, because that one has failed. */
static void
hold_for(struct service *service, const struct service *failed)
{
	char reason[1024];

	snprintf(reason, sizeof(reason), STATE_WAITS "%s, which has failed",
	    escape(service_slot(failed)->name));
	hold(service, reason);
}

/* They wait for each other: said of all of them, once, from the first name on. */
static void
complain_of_circle(struct service *service)
{
	struct service *first = service, *other = waited_for(service);
	char line[CIRCLE_SHOWN * 4 * STATE_NAME_MAX + 256];
	unsigned length = 0, count = 0;

	for (; other != service; other = waited_for(other))
		if (strcmp(service_slot(other)->name,
		    service_slot(first)->name) < 0)
			first = other;
	other = first;
	do {
		hold(other, "depends on itself through others");
		if (count++ < CIRCLE_SHOWN)
			length += (unsigned)snprintf(line + length,
			    sizeof(line) - length, "%s%s", count > 1 ? ", " :
			    "", escape(service_slot(other)->name));
		other = waited_for(other);
	} while (other != first);
	if (count > CIRCLE_SHOWN)
		length += (unsigned)snprintf(line + length,
		    sizeof(line) - length, " and %u more",
		    count - CIRCLE_SHOWN);
	snprintf(line + length, sizeof(line) - length, " depend on each other "
	    "in a circle; none of them is started (edit their depends files)");
	complain(service, line);
	for (other = waited_for(service); other != service;
	    other = waited_for(other))
		other->complaint = service->complaint;
}

/* The last of those that wait for each other, if it has failed, or NULL. */
static const struct service *
failure_before(const struct service *service)
{
	unsigned steps;

	for (steps = 0; steps < STATE_SLOTS && waited_for(service) != NULL;
	    steps++)
		service = waited_for(service);
	return service_slot(service)->state == SERVICE_FAILED ? service : NULL;
}

static void
wait_for(struct service *service, struct service *other)
{
	const struct state_slot *slot = service_slot(other);
	struct service *at = other;
	const struct service *failed;
	char line[1024];
	unsigned steps;

	wait_in(service, &other->waiters, service_number(other));
	if ((failed = failure_before(service)) != NULL)
		hold_for(service, failed);
	for (steps = 0; at != NULL && at != service && steps < STATE_SLOTS;
	    steps++)
		at = waited_for(at);
	if (at == service) {
		complain_of_circle(service);
	} else if (slot->state == SERVICE_FAILED ||
	    (slot->state == SERVICE_DOWN && slot->want == WANT_DOWN)) {
		snprintf(line, sizeof(line), "%s: waits for %s, which %s "
		    "(initctl start %s)", escape(service_slot(service)->name),
		    escape(slot->name), slot->state == SERVICE_FAILED ?
		    "has failed" : "is down", escape(slot->name));
		complain(service, line);
	}
}

/* A name that can be waited for?  If not, says why it blocks the service. */
static bool
is_right(struct service *service, const struct service *other, const char *name)
{
	const struct state_slot *slot = service_slot(service);
	char line[1536];

	if (other == service)
		snprintf(line, sizeof(line), "%s: depends on itself, and is not "
		    "started (remove the line from %s)", escape(slot->name),
		    escape(run_path(slot, "depends")));
	else if (other == NULL && !scan_finds(name))
		snprintf(line, sizeof(line), "%s: depends on %.*s, which is not "
		    "in " SERVICE_DIRECTORY " (mkdir " SERVICE_DIRECTORY "/%.*s, "
		    "or remove the line from %s)", escape(slot->name),
		    STATE_NAME_MAX, escape(name), STATE_NAME_MAX, escape(name),
		    escape(run_path(slot, "depends")));
	else
		return true;
	complain(service, line);
	snprintf(line, sizeof(line), "depends on %s, which is not there",
	    escape(name));
	hold(service, other == service ? "depends on itself" : line);
	return false;
}

/*
 * Has a service to wait before it can start?  It is started when that has come
 * about; where it cannot, that is said.  A file that does not parse makes it broken.
 */
bool
depend_blocks(struct service *service)
{
	struct service *other, *first = NULL;
	const char *why = NULL;
	char *text = NULL, *name;
	bool unknown = false;

	wait_no_more(service);
	if (service->held)
		reason_clear(service);
	service->held = false;
	if (service->entries & ENTRY(DEPENDS))
		text = depend_read(service, &why);
	if (why != NULL)
		setting_fault(service, ENTRY_DEPENDS, why);
	if (text == NULL)
		return false;
	while ((name = settings_line(&text, NULL)) != NULL) {
		other = find(name);
		if (!is_right(service, other, name))
			return true;
		/* There, and not looked at yet: a scan is about to come. */
		unknown |= other == NULL;
		if (first == NULL && other != NULL &&
		    service_slot(other)->state != SERVICE_UP)
			first = other;
	}
	if (first != NULL)
		wait_for(service, first);
	else if (!unknown)
		service->complaint = 0;
	return first != NULL || unknown;
}

/* Looks again at those that wait for a service: it is up. */
void
depend_up(struct service *service)
{
	static bool looking;
	struct service *waiter;

	while (service->waiters != 0) {
		waiter = service_at(service->waiters - 1u);
		service->waiters = waiter->next_waiter;
		wait_in(waiter, &ready, READY);
	}
	/* Not one within the other: a chain may be long. */
	if (looking)
		return;
	looking = true;
	while (ready != 0) {
		waiter = service_at(ready - 1u);
		wait_no_more(waiter);
		if (service_slot(waiter)->state == SERVICE_DOWN &&
		    service_slot(waiter)->want != WANT_DOWN)
			service_event(waiter, EVENT_START);
	}
	looking = false;
}

/*
 * A service has failed: those that wait for it, in whatever depth, have that as their
 * reason, so that who waits for one of them hears of it.
 */
void
depend_failed(struct service *failed)
{
	static uint16_t found[STATE_SLOTS];
	unsigned count = 0, i;
	uint16_t next;

	for (next = failed->waiters; next != 0;
	    next = service_at(next - 1u)->next_waiter)
		found[count++] = next;
	for (i = 0; i < count; i++) {
		hold_for(service_at(found[i] - 1u), failed);
		for (next = service_at(found[i] - 1u)->waiters;
		    next != 0 && count < STATE_SLOTS;
		    next = service_at(next - 1u)->next_waiter)
			found[count++] = next;
	}
	if (count > 0)
		gatekeeper_wake();
}

/* Does it wait for what, as things are, will not come? */
bool
depend_is_stuck(const struct service *service)
{
	const struct state_slot *slot;
	unsigned steps;

	for (steps = 0; steps < STATE_SLOTS && waited_for(service) != NULL;
	    steps++)
		service = waited_for(service);
	slot = service_slot(service);
	if (steps == STATE_SLOTS || slot->state == SERVICE_FAILED)
		return true;
	return slot->state == SERVICE_DOWN && (slot->want == WANT_DOWN ?
	    steps > 0 : service->complaint != 0);
}

/* A mark that no service has yet (service->visit). */
uint32_t
depend_visit(void)
{
	static uint32_t visit;

	return ++visit;
}

/*
 * Starts all that a service needs, in whatever depth, because somebody has asked
 * for it by name; while startup scripts run, what is no service yet becomes one.
 */
void
depend_start(struct service *service)
{
	static uint16_t found[STATE_SLOTS];
	uint32_t visit = depend_visit();
	unsigned count = 0, i;
	struct service *other;
	const char *why;
	char *text, *name;

	service->visit = visit;
	found[count++] = service_number(service);
	for (i = 0; i < count; i++) {
		text = depend_read(service_at(found[i] - 1u), &why);
		while (text != NULL && (name = settings_line(&text, NULL)) != NULL) {
			other = find(name);
			if (other == NULL &&
			    table->header.phase < PHASE_RUNNING)
				other = scan_early(name);
			if (other == NULL || other->visit == visit)
				continue;
			other->visit = visit;
			found[count++] = service_number(other);
		}
	}
	/* The last first: mostly, they then need not wait. */
	while (--count > 0) {
		other = service_at(found[count] - 1u);
		if (service_slot(other)->state != SERVICE_UP ||
		    service_slot(other)->want == WANT_DOWN)
			service_want(other, WANT_UP, false);
	}
}

/* Its slot is given to another. */
void
depend_forget(struct service *service)
{
	wait_no_more(service);
	while (service->waiters != 0)
		wait_no_more(service_at(service->waiters - 1u));
	service->complaint = 0;
}
