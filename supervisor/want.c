/* What is asked of services, by whomever: up, down, again, a signal. */
#include <errno.h>
#include <signal.h>

#include "supervisor.h"

/*
 * Makes it so that a service comes up, or goes down, and stays so.  Removed: its
 * directory is gone, and once it is down so is the service.
 */
void
service_want(struct service *service, enum service_want want, bool removed)
{
	struct state_slot *slot = service_slot(service), next;

	table_change(&slot->sequence);
	atomic_store(&next.condition, atomic_load(&slot->condition));
	next.want = (uint8_t)want;
	next.flags &= (uint8_t)~SLOT_REMOVED;
	if (removed)
		next.flags |= SLOT_REMOVED;
	atomic_store(&slot->condition, atomic_load(&next.condition));
	table_changed(&slot->sequence);
	service_event(service, want == WANT_DOWN ? EVENT_STOP : EVENT_START);
}

/* Has it end, if it runs, and come up again. */
void
service_restart(struct service *service)
{
	struct state_slot *slot = service_slot(service);

	table_change(&slot->sequence);
	slot->want = WANT_UP;
	slot->quick_deaths = 0;
	table_changed(&slot->sequence);
	service_event(service, EVENT_RESTART);
}

/* Signals run.  0, ESRCH if it does not run, or the errno of kill(2). */
int
service_signal(struct service *service, int signo)
{
	struct state_slot *slot = service_slot(service);
	pid_t pid = atomic_load(&slot->pid);

	if (pid <= 0 || slot->state == SERVICE_FINISHING)
		return ESRCH;
	if (kill(pid, signo) == -1)
		return errno;
	table_change(&slot->sequence);
	if (signo == SIGTERM || signo == SIGKILL)
		slot->sent = (uint8_t)signo;
	if (signo == SIGSTOP)
		slot->flags |= SLOT_PAUSED;
	else if (signo == SIGCONT || signo == SIGKILL)
		slot->flags &= (uint8_t)~SLOT_PAUSED;
	table_changed(&slot->sequence);
	gatekeeper_wake();
	return 0;
}

/* Asks every service to end, all at once. */
void
services_stop(void)
{
	struct service *service;

	for (service = service_next(NULL); service != NULL;
	    service = service_next(service))
		service_want(service, WANT_DOWN,
		    service_slot(service)->flags & SLOT_REMOVED);
}

/* Ends the time that services were given to end in. */
void
services_hurry(void)
{
	struct service *service;

	for (service = service_next(NULL); service != NULL;
	    service = service_next(service))
		if (service_slot(service)->deadline_ms != 0)
			service_event(service, EVENT_TIMER);
}
