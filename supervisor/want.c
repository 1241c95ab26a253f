/* What is asked of services, by whomever: up, down, again, a signal. */
#include <errno.h>
#include <signal.h>

#include "supervisor.h"

/* Somebody has asked: what went wrong before is forgotten. */
static void
forget_failures(struct service *service)
{
	service_slot(service)->deaths = 0;
	reason_clear(service);
}

/*
 * Makes it so that a service comes up, or goes down, and stays so.  Removed: its
 * directory is gone, and once it is down so is the service.
 */
void
service_want(struct service *service, enum service_want want, bool removed)
{
	struct state_slot *slot = service_slot(service), next;

	/* Whoever began to start several may have brought about the end. */
	if (want != WANT_DOWN && shutdown_starts_none())
		return;
	table_change(&slot->sequence);
	atomic_store(&next.condition, atomic_load(&slot->condition));
	next.want = (uint8_t)want;
	next.flags &= (uint8_t)~SLOT_REMOVED;
	if (removed)
		next.flags |= SLOT_REMOVED;
	atomic_store(&slot->condition, atomic_load(&next.condition));
	table_changed(&slot->sequence);
	forget_failures(service);
	/* At once: a supervisor after us could not know where it was. */
	if (removed)
		supervise_forget(service);
	service_event(service, want == WANT_DOWN ? EVENT_STOP : EVENT_START);
}

/* Has it end, if it runs, and come up again. */
void
service_restart(struct service *service)
{
	struct state_slot *slot = service_slot(service);

	if (shutdown_starts_none())
		return;
	table_change(&slot->sequence);
	slot->want = WANT_UP;
	slot->quick_deaths = 0;
	table_changed(&slot->sequence);
	forget_failures(service);
	service_event(service, EVENT_RESTART);
}

/*
 * Signals run, unless its control/X does something else about it.  0, ESRCH if it
 * does not run, or the errno of kill(2).
 */
int
service_signal(struct service *service, int signo)
{
	struct state_slot *slot = service_slot(service);

	if (atomic_load(&slot->pid) <= 0 || slot->state == SERVICE_FINISHING)
		return ESRCH;
	if (hook_signal(service, signo))
		return 0;
	return service_deliver(service, signo);
}

/* The same without control/X. */
int
service_deliver(struct service *service, int signo)
{
	struct state_slot *slot = service_slot(service);

	/* Before it can answer. */
	if (signo == setting_of(service)->reload_signal)
		service->reloaded_ms = now_ms();
	if (kill(atomic_load(&slot->pid), signo) == -1)
		return errno;
	if (signo == SIGTERM || signo == SIGKILL)
		slot->sent = (uint8_t)signo;
	service_signalled(service, signo);
	return 0;
}

/*
 * Writes down whether it is paused, now that it was sent a signal, or its control/X
 * has done what it does instead (to runsv that is the same).
 */
void
service_signalled(struct service *service, int signo)
{
	struct state_slot *slot = service_slot(service);

	table_change(&slot->sequence);
	if (signo == SIGSTOP)
		slot->flags |= SLOT_PAUSED;
	else if (signo == SIGCONT || signo == SIGKILL)
		slot->flags &= (uint8_t)~SLOT_PAUSED;
	table_changed(&slot->sequence);
	supervise_tell(service);
	gatekeeper_wake();
}

/*
 * Starts what is wanted and down: what is new, and what waits for another, if it
 * need not wait any more.
 */
void
services_start(void)
{
	struct service *service;
	struct state_slot *slot;

	for (service = service_next(NULL); service != NULL;
	    service = service_next(service)) {
		slot = service_slot(service);
		if (slot->state == SERVICE_DOWN && slot->want != WANT_DOWN)
			service_event(service, EVENT_START);
	}
}

/* One that is ending already has no more time than if it were asked now. */
static void
limit(struct service *service)
{
	struct state_slot *slot = service_slot(service);
	int64_t grace_ms = setting_stop_grace_ms(service);
	int64_t deadline_ms = now_ms() + grace_ms;

	if (slot->state != SERVICE_STOPPING || grace_ms == NO_TIMER ||
	    (slot->deadline_ms != 0 && slot->deadline_ms <= deadline_ms))
		return;
	table_change(&slot->sequence);
	slot->deadline_ms = deadline_ms;
	table_changed(&slot->sequence);
	service_timer(service, deadline_ms);
}

/*
 * Asks services to end, all but the early ones or these: all at once, but for those
 * that others need.
 */
void
services_stop(bool early)
{
	struct service *service;

	order_begin(early);
	for (service = service_next(NULL); service != NULL;
	    service = service_next(service))
		if (early == (bool)(service_slot(service)->flags & SLOT_EARLY)) {
			service_want(service, WANT_DOWN,
			    service_slot(service)->flags & SLOT_REMOVED);
			limit(service);
		}
	if (order_is_circle(services_active(early)))
		order_end();
}

/* Ends the time that services were given to end in. */
void
services_hurry(void)
{
	struct service *service;
	const struct state_slot *slot;

	order_end();
	for (service = service_next(NULL); service != NULL;
	    service = service_next(service)) {
		slot = service_slot(service);
		/* By itself (timeout-kill of 0) it would have had no end. */
		if (slot->deadline_ms != 0 || slot->state == SERVICE_STOPPING ||
		    slot->state == SERVICE_FINISHING)
			service_event(service, EVENT_TIMER);
	}
}
