/*
 * A service that has timeout-watchdog, and is up, has to say WATCHDOG=1 before that
 * time has passed, again and again; else it is stopped and started again.
 */
#include <stdlib.h>

#include "supervisor.h"

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

/* From now on within this time; 0: no more. */
void
watchdog_set(struct service *service, int64_t limit_ms)
{
	struct watchdog *watchdog = service->watchdog;

	if (limit_ms <= 0 || service_slot(service)->state != SERVICE_UP) {
		watchdog_end(service);
		return;
	}
	if (watchdog == NULL) {
		if ((watchdog = calloc(1, sizeof(*watchdog))) == NULL)
			return;
		watchdog->service = service;
		evtimer_assign(&watchdog->timer, base, timer_cb, watchdog);
		service->watchdog = watchdog;
	}
	watchdog->limit_ms = limit_ms;
	watchdog_heard(service);
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
	reason_set(service, "it said WATCHDOG=trigger");
	service_event(service, EVENT_UNFIT);
}

/* A service's state may have changed. */
void
watchdog_follow(struct service *service)
{
	int64_t limit_ms = setting_of(service)->timeout_watchdog_ms;
	bool is_up = service_slot(service)->state == SERVICE_UP;

	if (!is_up)
		watchdog_end(service);
	else if (limit_ms > 0 && service->watchdog == NULL)
		watchdog_set(service, limit_ms);
}
