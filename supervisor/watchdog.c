/*
 * A service that has timeout-watchdog, or has named such a time itself, and is up, has
 * to say WATCHDOG=1 before that has passed, again and again; else it is stopped and
 * started again.  The time that it has named is in the state table: the next
 * supervisor, which begins to count anew, must not hold it to a shorter one.
 */
#include <stdlib.h>

#include "supervisor.h"

#define LIMIT_MAX_US	(INT64_C(1000) * INT32_MAX)

struct watchdog {
	struct event	timer;
	struct service	*service;
	int64_t		limit_ms;
};

static void
timer_cb(int fd, short what, void *argument)
{
	struct watchdog *watchdog = argument;
	struct service *service = watchdog->service;

	(void)fd;
	(void)what;
	reason_set(service, "no WATCHDOG=1 within %lld ms",
	    (long long)watchdog->limit_ms);
	service_event(service, EVENT_UNFIT);
}

void
watchdog_end(struct service *service)
{
	if (service->watchdog == NULL)
		return;
	evtimer_del(&service->watchdog->timer);
	free(service->watchdog);
	service->watchdog = NULL;
}

/* Within this time it has to say so; 0: it need not. */
static int64_t
limit_of(const struct service *service)
{
	const struct state_slot *slot = service_slot(service);

	if (slot->watchdog_ms != 0)
		return slot->watchdog_ms > 0 ? slot->watchdog_ms : 0;
	return setting_of(service)->timeout_watchdog_ms;
}

/* It says itself within which time, until its next start; 0: no more. */
void
watchdog_set(struct service *service, int64_t limit_us)
{
	struct state_slot *slot = service_slot(service);

	if (limit_us > LIMIT_MAX_US)
		limit_us = LIMIT_MAX_US;
	slot->watchdog_ms = limit_us == 0 ? -1 :
	    (int32_t)((limit_us + 999) / 1000);
	watchdog_end(service);
	watchdog_follow(service);
}

/* It lives. */
void
watchdog_heard(struct service *service)
{
	if (service->watchdog != NULL)
		timer_arm(&service->watchdog->timer,
		    now_ms() + service->watchdog->limit_ms);
}

/* It says itself that it does not do its work. */
void
watchdog_trigger(struct service *service)
{
	enum service_state state = service_slot(service)->state;

	if (state != SERVICE_UP && state != SERVICE_STARTING)
		return;
	reason_set(service, "it said WATCHDOG=trigger");
	service_event(service, EVENT_UNFIT);
}

/* A service's state may have changed. */
void
watchdog_follow(struct service *service)
{
	struct watchdog *watchdog = service->watchdog;
	int64_t limit_ms = limit_of(service);

	if (service_slot(service)->state != SERVICE_UP || limit_ms == 0) {
		watchdog_end(service);
		return;
	}
	if (watchdog != NULL ||
	    (watchdog = calloc(1, sizeof(*watchdog))) == NULL)
		return;
	watchdog->service = service;
	watchdog->limit_ms = limit_ms;
	evtimer_assign(&watchdog->timer, base, timer_cb, watchdog);
	service->watchdog = watchdog;
	watchdog_heard(service);
}
