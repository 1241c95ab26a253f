/*
 * Programs that say whether a service does its work: check, asked until it ends with
 * 0 while the service starts, and health, asked at intervals while it is up.
 *
 * One runs at a time for a service, each for a limited time and in a session of its
 * own.  A service without either causes no wake-ups.  The next supervisor asks anew,
 * and ends what this one has asked: so its pid is in the state table, and no more.
 */
#include <sys/wait.h>

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "supervisor.h"

#define CHECK_LIMIT_MS		10000	/* for one run of check */
#define CHECK_PAUSE_MS		50	/* after it has failed: doubled each time ... */
#define CHECK_PAUSE_MAX_MS	1000	/* ... up to this */

struct probe {
	struct process	process;
	struct event	timer;		/* its limit, or the next run */
	struct service	*service;	/* NULL: nobody wants to know any more */
	struct state_slot *slot;
	pid_t		pid;		/* 0: none runs */
	int		status;
	bool		health;		/* not check */
	bool		killed;		/* it took too long */
	bool		said;		/* ... that it cannot be executed */
	unsigned	failures;	/* in a row */
	int64_t		began_ms;
	int64_t		pause_ms;
};

static void	ask(struct probe *);

static void
kill_probe(struct probe *probe)
{
	if (probe->pid > 0)
		kill(-probe->pid, SIGKILL);
}

static void
timer_cb(int fd, short what, void *argument)
{
	struct probe *probe = argument;

	(void)fd;
	(void)what;
	if (probe->process.pid == 0) {
		ask(probe);
		return;
	}
	probe->killed = true;
	kill_probe(probe);
}

/* So often in a row that the service had better be started again. */
static void
give_up(struct probe *probe)
{
	struct service *service = probe->service;
	char end[64];

	if (probe->killed)
		snprintf(end, sizeof(end), "did not end in time");
	else if (WIFSIGNALED(probe->status))
		snprintf(end, sizeof(end), "ended by signal %d",
		    WTERMSIG(probe->status));
	else
		snprintf(end, sizeof(end), "ended with exit code %d",
		    WEXITSTATUS(probe->status));
	reason_set(service, "health failed %u times in a row: the last %s",
	    probe->failures, end);
	service_event(service, EVENT_UNFIT);
}

/* What it has said; it may be the last thing that is asked. */
static void
heed(struct probe *probe)
{
	struct service *service = probe->service;
	const struct settings *settings = setting_of(service);
	int64_t wait_ms = probe->pause_ms;

	if (probe->status == 0 && !probe->killed)
		probe->failures = 0;
	else
		probe->failures++;
	if (!probe->health && probe->failures == 0) {
		service_event(service, EVENT_READY);
		return;
	}
	if (probe->health && probe->failures >= settings->health_threshold) {
		give_up(probe);
		return;
	}
	if (probe->health)
		wait_ms = settings->health_interval_ms;
	else if ((probe->pause_ms *= 2) > CHECK_PAUSE_MAX_MS)
		probe->pause_ms = CHECK_PAUSE_MAX_MS;
	/* Health, at its intervals; check, a pause after it has ended. */
	timer_arm(&probe->timer, (probe->health ? probe->began_ms : now_ms()) +
	    wait_ms);
}

static void
record_cb(struct process *process, pid_t pid, int status)
{
	struct probe *probe = (struct probe *)process;
	int32_t recorded = pid;

	probe->status = status;
	probe->pid = 0;
	/* Of one that nobody wants to know of, the place may be another's. */
	atomic_compare_exchange_strong(&probe->slot->probe, &recorded, 0);
}

static void
ended_cb(struct process *process)
{
	struct probe *probe = (struct probe *)process;

	evtimer_del(&probe->timer);
	if (probe->service == NULL)
		free(probe);
	else
		heed(probe);
}

/* Runs the program.  One that cannot be executed says nothing of the service. */
static void
ask(struct probe *probe)
{
	struct service *service = probe->service;
	char check[] = "./check", health[] = "./health";
	char *argv[] = { probe->health ? health : check, NULL };
	int64_t limit_ms = probe->health ?
	    setting_of(service)->health_interval_ms : CHECK_LIMIT_MS;
	int error;

	probe->began_ms = now_ms();
	probe->killed = false;
	error = run_spawn(service, PROGRAM_PROBE, argv, &probe->slot->probe);
	if (error == 0) {
		probe->pid = atomic_load(&probe->slot->probe);
		process_watch(&probe->process, probe->pid, probe->began_ms,
		    false);
		timer_arm(&probe->timer, probe->began_ms + limit_ms);
		return;
	}
	if (!probe->said)
		log_warn("%s: %s; it counts for nothing",
		    escape(service_slot(service)->name),
		    run_explain(service, probe->health ? "health" : "check",
		    error));
	probe->said = true;
	if (probe->health || error == EAGAIN || error == ENOMEM)
		timer_arm(&probe->timer, probe->began_ms + limit_ms);
	else
		service_event(service, EVENT_READY);
}

/* Nobody asks any more; what runs is ended, and freed when it has. */
void
probe_end(struct service *service)
{
	struct probe *probe = service->probe;

	service->probe = NULL;
	if (probe == NULL)
		return;
	evtimer_del(&probe->timer);
	probe->service = NULL;
	kill_probe(probe);
	if (probe->process.pid == 0)
		free(probe);
}

/* Which program is to be asked now: none, check or health. */
static uint32_t
entry_now(const struct service *service)
{
	const struct state_slot *slot = service_slot(service);
	const struct settings *settings = setting_of(service);

	if (atomic_load(&slot->pid) <= 0 || slot->flags & SLOT_ENDED)
		return 0;
	if (slot->state == SERVICE_UP)
		return service->entries & ENTRY(HEALTH);
	/* Who says by itself when it is ready need not be asked. */
	if (slot->state == SERVICE_STARTING && settings->type == TYPE_LONGRUN &&
	    settings->notification_fd == -1)
		return service->entries & ENTRY(CHECK);
	return 0;
}

/* A service's state may have changed: asks what is to be asked in this one. */
void
probe_follow(struct service *service)
{
	struct probe *probe = service->probe;
	uint32_t entry;

	if (!(service->entries & (ENTRY(CHECK) | ENTRY(HEALTH))) &&
	    probe == NULL)
		return;
	entry = entry_now(service);
	if (probe != NULL && entry == (probe->health ? ENTRY(HEALTH) :
	    ENTRY(CHECK)))
		return;
	probe_end(service);
	if (entry == 0 || (probe = calloc(1, sizeof(*probe))) == NULL)
		return;
	probe->process.record = record_cb;
	probe->process.ended = ended_cb;
	probe->service = service;
	probe->slot = service_slot(service);
	probe->health = entry == ENTRY(HEALTH);
	probe->pause_ms = CHECK_PAUSE_MS;
	evtimer_assign(&probe->timer, base, timer_cb, probe);
	service->probe = probe;
	timer_arm(&probe->timer, now_ms() + (probe->health ?
	    setting_of(service)->health_interval_ms : 0));
}

/* What a supervisor before us has asked and had no answer to: it is ended. */
void
probe_resume(struct service *service)
{
	struct state_slot *slot = service_slot(service);
	pid_t pid;

	table_recover_pid(&slot->probe);
	pid = atomic_load(&slot->probe);
	if (pid > 0 && getsid(pid) == pid)
		kill(-pid, SIGKILL);
	atomic_store(&slot->probe, 0);
}
