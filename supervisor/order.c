/*
 * The order in which services end with the container: who depends on another ends
 * before it (the file depends).  What was read when the end began counts, for all
 * of it.
 */
#include <stdlib.h>
#include <string.h>

#include "supervisor.h"

/* Of a service that is to end, those that end after it. */
struct depends {
	unsigned	count;
	uint16_t	slots[];
};

static unsigned needed;		/* services that have to wait with their end */

static bool
takes_part(const struct service *service, bool early)
{
	const struct state_slot *slot = service_slot(service);

	return slot->state != SERVICE_DOWN && slot->state != SERVICE_FAILED &&
	    early == (bool)(slot->flags & SLOT_EARLY);
}

/* That one ends after this one. */
static void
add(struct depends *depends, struct service *other)
{
	depends->slots[depends->count++] = (uint16_t)(other - service_at(0));
	needed += other->needed++ == 0;
}

/* What it depends on, and its logger, which has all of its last words to read. */
static void
note(struct service *service, bool early)
{
	struct service *logger = logger_of(service), *other;
	struct depends *depends;
	char *text = service->entries & ENTRY(DEPENDS) ? depend_read(service) :
	    NULL;
	const char *p;
	char *name;
	size_t lines = 2;

	if (logger != NULL && !takes_part(logger, early))
		logger = NULL;
	if (text == NULL && logger == NULL)
		return;
	for (p = text; p != NULL && (p = strchr(p, '\n')) != NULL; p++)
		lines++;
	depends = malloc(sizeof(*depends) + lines * sizeof(depends->slots[0]));
	if (depends == NULL)
		return;
	depends->count = 0;
	if (logger != NULL)
		add(depends, logger);
	while ((name = depend_next(&text)) != NULL) {
		other = index_find(name);
		if (other != NULL && other != service && other != logger &&
		    takes_part(other, early))
			add(depends, other);
	}
	service->depends = depends;
}

/*
 * Finds out who has to end before whom, of the early services or of the others.
 * From now on order_holds tells who has to wait.
 */
void
order_begin(bool early)
{
	static bool done[2];
	struct service *service;

	if (done[early])
		return;
	done[early] = true;
	for (service = service_next(NULL); service != NULL;
	    service = service_next(service))
		if (takes_part(service, early))
			note(service, early);
}

bool
order_holds(const struct service *service)
{
	return service->needed > 0;
}

/* Nobody waits for others to end any more.  False: nobody did. */
bool
order_end(void)
{
	struct service *service;

	if (needed == 0)
		return false;
	needed = 0;
	for (service = service_next(NULL); service != NULL;
	    service = service_next(service))
		if (service->needed > 0) {
			service->needed = 0;
			service_event(service, EVENT_STOP);
		}
	return true;
}

/* It is down: those that nobody else needs are next. */
void
order_down(struct service *service)
{
	struct depends *depends = service->depends;
	struct service *other;
	unsigned i;

	if (service->needed > 0)
		needed--;
	service->needed = 0;
	service->depends = NULL;
	for (i = 0; depends != NULL && i < depends->count; i++) {
		other = service_at(depends->slots[i]);
		if (other->needed == 0 || --other->needed > 0)
			continue;
		needed--;
		service_event(other, EVENT_STOP);
	}
	free(depends);
}

/* Each of those that are left needs another of them? */
bool
order_is_circle(unsigned left)
{
	return needed > 0 && needed == left;
}
