/*
 * The order in which services end, with the container or one with those that depend
 * on it: who depends on another ends before it (the file depends).  What was read when
 * the end began counts, for all of it.
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
takes_part(const struct service *service)
{
	const struct state_slot *slot = service_slot(service);

	return slot->state != SERVICE_DOWN && slot->state != SERVICE_FAILED;
}

static bool
is_early(const struct service *service)
{
	return service_slot(service)->flags & SLOT_EARLY;
}

/* At the end of the container, early services are another matter: they end later. */
static bool
are_together(const struct service *service, const struct service *other)
{
	return table->header.phase <= PHASE_RUNNING ||
	    is_early(service) == is_early(other);
}

static uint16_t
number_of(const struct service *service)
{
	return (uint16_t)(service - service_at(0));
}

/* That one ends after this one. */
static void
add(struct depends *depends, struct service *other)
{
	depends->slots[depends->count++] = number_of(other);
	needed += other->needed++ == 0;
}

/* What it depends on, and its logger, which has all of its last words to read. */
static void
note(struct service *service)
{
	struct service *logger, *other;
	struct depends *depends;
	char *text = NULL, *name;
	const char *p, *why;
	size_t lines = 2;

	if (service->depends != NULL)
		return;
	if (service->entries & ENTRY(DEPENDS))
		text = depend_read(service, &why);
	if ((logger = logger_of(service)) != NULL && !takes_part(logger))
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
	while ((name = settings_line(&text, NULL)) != NULL) {
		other = index_find(name);
		if (other != NULL && other != service && other != logger &&
		    takes_part(other) && are_together(service, other))
			add(depends, other);
	}
	service->depends = depends;
}

/* Nobody waits for the end of this one any more; who waited for no other is next. */
static void
forget(struct service *service)
{
	struct depends *depends = service->depends;
	struct service *other;
	unsigned i;

	service->depends = NULL;
	for (i = 0; depends != NULL && i < depends->count; i++) {
		other = service_at(depends->slots[i]);
		if (other->needed == 0 || --other->needed > 0)
			continue;
		needed--;
		if (service_slot(other)->want == WANT_DOWN)
			service_event(other, EVENT_STOP);
	}
	free(depends);
}

/*
 * The container ends: finds out who has to end before whom, of the early services or
 * of the others.  From now on order_holds tells who has to wait.
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
		forget(service);
	for (service = service_next(NULL); service != NULL;
	    service = service_next(service))
		if (takes_part(service) && is_early(service) == early)
			note(service);
}

/* --- one that others need ------------------------------------------------------- */

/*
 * All dependents, to be freed: those of service i begin at first[i] and end where those
 * of the next one begin.  NULL: there are none.
 */
static uint16_t *
dependents(uint32_t first[STATE_SLOTS + 1])
{
	const uint32_t slots = table->header.slots_used;
	uint32_t i, n, sum = 0, count;
	const struct depends *depends;
	uint16_t *all;

	memset(first, 0, (slots + 1) * sizeof(first[0]));
	for (i = 0; i < slots; i++) {
		depends = service_at(i)->depends;
		for (n = 0; depends != NULL && n < depends->count; n++)
			first[depends->slots[n] + 1]++;
		sum += depends != NULL ? depends->count : 0;
	}
	if (sum == 0 || (all = malloc(sum * sizeof(all[0]))) == NULL) {
		memset(first, 0, (slots + 1) * sizeof(first[0]));
		return NULL;
	}
	/* For now, first[i + 1] is where the next of service i goes. */
	for (i = 1, sum = 0; i <= slots; i++) {
		count = first[i];
		first[i] = sum;
		sum += count;
	}
	for (i = 0; i < slots; i++) {
		depends = service_at(i)->depends;
		for (n = 0; depends != NULL && n < depends->count; n++)
			all[first[depends->slots[n] + 1]++] = (uint16_t)i;
	}
	return all;
}

/* Marks a service and all that depend on it, in whatever depth. */
static void
mark_dependents(struct service *service, uint32_t visit)
{
	static uint32_t first[STATE_SLOTS + 1];
	static uint16_t marked[STATE_SLOTS];
	uint16_t *all = dependents(first);
	struct service *other;
	unsigned count = 0, at;
	uint32_t n;

	service->visit = visit;
	marked[count++] = number_of(service);
	for (at = 0; at < count; at++)
		for (n = first[marked[at]]; n < first[marked[at] + 1]; n++) {
			other = service_at(all[n]);
			if (other->visit == visit)
				continue;
			other->visit = visit;
			marked[count++] = all[n];
		}
	free(all);
}

/* Of those that are marked: none waits for another that waits for it. */
static void
release_circles(uint32_t visit)
{
	static uint16_t left[STATE_SLOTS], next[STATE_SLOTS];
	struct service *service, *other;
	unsigned i, count = 0, at;

	for (service = service_next(NULL); service != NULL;
	    service = service_next(service)) {
		i = (unsigned)(service - service_at(0));
		left[i] = (uint16_t)service->needed;
		if (service->visit == visit && service->needed == 0)
			next[count++] = (uint16_t)i;
	}
	for (at = 0; at < count; at++) {
		service = service_at(next[at]);
		for (i = 0; service->depends != NULL &&
		    i < service->depends->count; i++) {
			other = service_at(service->depends->slots[i]);
			if (other->visit == visit &&
			    --left[service->depends->slots[i]] == 0)
				next[count++] = service->depends->slots[i];
		}
	}
	for (service = service_next(NULL); service != NULL;
	    service = service_next(service))
		if (service->visit == visit &&
		    left[service - service_at(0)] > 0)
			order_release(service);
}

/* Has it been asked to end, and is held? */
static bool
waits_to_end(const struct service *service)
{
	return service_slot(service)->want == WANT_DOWN &&
	    order_holds(service);
}

/*
 * Asks a service to end after all that depend on it, in whatever depth; they are not
 * started again before somebody asks for them.
 */
void
order_stop(struct service *service)
{
	uint32_t visit = depend_visit();
	struct service *other;

	/* Nobody has to end before what has ended. */
	if (!takes_part(service)) {
		service_want(service, WANT_DOWN,
		    service_slot(service)->flags & SLOT_REMOVED);
		return;
	}
	for (other = service_next(NULL); other != NULL;
	    other = service_next(other))
		if (takes_part(other))
			note(other);
	mark_dependents(service, visit);
	for (other = service_next(NULL); other != NULL;
	    other = service_next(other))
		if (other->visit != visit &&
		    service_slot(other)->want != WANT_DOWN)
			forget(other);
	release_circles(visit);
	for (other = service_next(NULL); other != NULL;
	    other = service_next(other))
		if (other->visit == visit &&
		    (other == service || !waits_to_end(other)))
			service_want(other, WANT_DOWN,
			    service_slot(other)->flags & SLOT_REMOVED);
}

/* A supervisor before us has begun to stop some of them: the order still holds. */
void
order_resume(void)
{
	struct service *service;

	for (service = service_next(NULL); service != NULL;
	    service = service_next(service))
		if (takes_part(service) &&
		    service_slot(service)->want == WANT_DOWN)
			note(service);
}

/* It is to end without regard to those that need it. */
void
order_release(struct service *service)
{
	if (service->needed > 0)
		needed--;
	service->needed = 0;
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
			if (service_slot(service)->want == WANT_DOWN)
				service_event(service, EVENT_STOP);
		}
	return true;
}

/* It is down: those that nobody else needs are next. */
void
order_down(struct service *service)
{
	order_release(service);
	forget(service);
}

/* Each of those that are left needs another of them? */
bool
order_is_circle(unsigned left)
{
	return needed > 0 && needed == left;
}
