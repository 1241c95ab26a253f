/*
 * What the end of run means: whether it counts as a death, and what follows if it was
 * the last (max-death-tally, restart, essential).
 */
#include <sys/syscall.h>
#include <sys/wait.h>

#include <unistd.h>

#include "supervisor.h"

/* For max-death-tally. */
void
ending_count(struct service *service)
{
	struct state_slot *slot = service_slot(service);

	fsm_count_death(&slot->deaths, &slot->death_second, now_ms());
}

/* Run has ended, and not because it was asked to. */
void
ending_died(struct service *service, int status)
{
	struct state_slot *slot = service_slot(service);
	bool unfit = slot->flags & SLOT_UNFIT;

	if (setting_of(service)->type == TYPE_ONESHOT && status == 0 && !unfit)
		return;
	ending_count(service);
	if (unfit || now_ms() - slot->started_ms < QUICK_DEATH_MS)
		slot->quick_deaths++;
	else
		slot->quick_deaths = 0;
}

/* Did run end by itself, and with 0? */
bool
ending_was_good(const struct state_slot *slot)
{
	return slot->exit_status == 0 && slot->error == 0 &&
	    !(slot->flags & SLOT_UNFIT);
}

/*
 * It is about to be failed: says why it is not going to be started again, unless that
 * has been said.  Who sees the state is to find the reason there.
 */
void
ending_explain(struct service *service, const struct service_policy *policy)
{
	const struct state_slot *slot = service_slot(service);
	int status = slot->exit_status;

	/* What does not parse has been said by who has read it. */
	if (policy->broken)
		return;
	if (policy->exhausted && (policy->restart != RESTART_NEVER ||
	    policy->every_ms > 0))
		reason_set(service, "run has ended %u times within %d seconds "
		    "(max-death-tally)", state_deaths(slot->deaths), DEATH_TALLY_S);
	else if (slot->reason != 0)
		;
	else if (slot->error != 0)
		reason_set(service, "run could not be executed");
	else if (WIFSIGNALED(status))
		reason_set(service, "run was ended by signal %d",
		    WTERMSIG(status));
	else
		reason_set(service, "run ended with exit code %d",
		    WEXITSTATUS(status));
	log_warn("%s has failed: %s (initctl start %s)", escape(slot->name),
	    slot->reason == 0 ? "see above" :
	    table->reasons[slot->reason - 1], escape(slot->name));
}

/*
 * It is not going to be started again: is that the end of the container, because it is
 * essential?  The exit code is written down before the service's state tells of it, so
 * that the next supervisor goes on with the end.
 */
bool
ending_is_all(struct service *service, bool failed,
    const struct service_policy *policy)
{
	const struct state_slot *slot = service_slot(service);
	int code = status_code(slot->exit_status);

	if (!(service->entries & ENTRY(ESSENTIAL)) || slot->want == WANT_ONCE ||
	    table->header.phase > PHASE_RUNNING)
		return false;
	/* What ended it then says nothing: it was our own signal. */
	if (failed && (code == 0 || policy->broken ||
	    slot->flags & SLOT_UNFIT))
		code = 1;
	shutdown_promise(code, -1);
	return true;
}

/* It was essential. */
void
ending_all(struct service *service)
{
	log_warn("%s is essential and has ended: the container stops with exit "
	    "code %d", escape(service_slot(service)->name),
	    table->header.exit_code);
	shutdown_ask(-1, -1);
}

/* Run has named another of its processes (MAINPID); 0 and -1: or none any more. */
void
ending_name(struct service *service, pid_t successor, int pidfd)
{
	if (service->successor != -1)
		close(service->successor);
	if (pidfd != -1 && !files_may_keep(pidfd, true)) {
		close(pidfd);
		pidfd = -1;
	}
	service->successor = pidfd;
	atomic_store(&service_slot(service)->successor, successor);
}

/*
 * Does what was named live?  By now the pid may be another's, which the service must
 * not have us take for its own; without a pidfd, its session has to be run's.
 */
static bool
successor_lives(const struct service *service, pid_t run, pid_t successor)
{
	if (service->successor != -1)
		return syscall(SYS_pidfd_send_signal, service->successor, 0,
		    NULL, 0) == 0;
	return getsid(successor) == run;
}

/*
 * Run has ended, and has named another of its processes that stands for it from now
 * on; an orphan, so my_init tells us of its end.
 */
bool
ending_is_none(struct service *service, pid_t pid, int status)
{
	struct state_slot *slot = service_slot(service);
	pid_t session = slot->group != 0 ? slot->group : pid;
	pid_t successor;

	if (status != 0 || setting_of(service)->type != TYPE_NOTIFY)
		return false;
	/* It may have said so just before. */
	notify_read();
	successor = atomic_load(&slot->successor);
	if (successor <= 0 || successor == pid ||
	    (slot->state != SERVICE_UP && slot->state != SERVICE_STARTING) ||
	    !successor_lives(service, session, successor) ||
	    !notify_is_heir(service, successor))
		return false;
	table_change(&slot->sequence);
	slot->group = session;
	atomic_store(&slot->pid, successor);
	ending_name(service, 0, -1);
	table_changed(&slot->sequence);
	process_watch(&service->process, successor, now_ms(), true);
	supervise_tell(service);
	gatekeeper_wake();
	return true;
}
