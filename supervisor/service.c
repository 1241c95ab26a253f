/*
 * Services: does what fsm.c decides, and writes down what came of it.
 *
 * The table has the facts; struct service beside it only what a process needs to
 * wait for them (a timer, a watched pid), and is rebuilt after a restart.
 */
#include <sys/wait.h>

#include <stdio.h>
#include <stdlib.h>

#include "supervisor.h"

static unsigned active[2];	/* services that are not idle; early ones */

static bool
is_early(const struct state_slot *slot)
{
	return slot->flags & SLOT_EARLY;
}

/* Does nothing run, and is nothing due? */
static bool
is_idle(const struct state_slot *slot)
{
	return slot->state == SERVICE_DOWN || slot->state == SERVICE_FAILED;
}

/* How many services are not idle: those of before the boot's end, or the others. */
unsigned
services_active(bool early)
{
	return active[early];
}

static void
timer_cb(int fd, short what, void *argument)
{
	struct service *service = argument;
	int64_t deadline_ms = service_slot(service)->deadline_ms;

	(void)fd;
	(void)what;
	if (deadline_ms == 0)
		return;
	if (now_ms() < deadline_ms)
		service_timer(service, deadline_ms);
	else
		service_event(service, EVENT_TIMER);
}

/*
 * Sets its timer to a point in time; 0 unsets it.  What is up and well has no
 * deadline, so most services have no timer at most times.
 */
void
service_timer(struct service *service, int64_t deadline_ms)
{
	if (deadline_ms == 0) {
		if (service->timer != NULL)
			event_free(service->timer);
		service->timer = NULL;
		return;
	}
	if (service->timer == NULL && (service->timer =
	    evtimer_new(base, timer_cb, service)) == NULL)
		abort();
	timer_arm(service->timer, deadline_ms);
}

/*
 * The only place that assigns a state.  The deadline comes first: a supervisor
 * that finds it beside the old state does what is due (services_resume).
 */
static void
set_state(struct service *service, const struct service_step *step)
{
	struct state_slot *slot = service_slot(service), next;
	bool was_idle = is_idle(slot);

	table_change(&slot->sequence);
	atomic_store(&next.condition, atomic_load(&slot->condition));
	next.state = (uint8_t)step->state;
	/* From up to up: it has ended well, and has no process any more. */
	if (step->state != slot->state || (step->state == SERVICE_UP &&
	    step->delay_ms != KEEP_TIMER)) {
		slot->since_ms = now_ms();
		next.flags &= (uint8_t)~(SLOT_ENDED | SLOT_PAUSED | SLOT_TOLD);
		next.sent = 0;
		/* How it came to its end counts until that has been dealt with. */
		if (step->state == SERVICE_STOPPING)
			next.flags |= step->unfit ? SLOT_UNFIT : SLOT_ASKED;
		else if (step->state != SERVICE_FINISHING)
			next.flags &= (uint8_t)~(SLOT_UNFIT | SLOT_ASKED);
	}
	/* Over is over: not again by the next supervisor. */
	if (step->over && step->state == SERVICE_DOWN)
		next.want = WANT_DOWN;
	if (step->delay_ms != KEEP_TIMER)
		slot->deadline_ms = step->delay_ms == NO_TIMER ? 0 :
		    now_ms() + step->delay_ms;
	atomic_store(&slot->condition, atomic_load(&next.condition));
	table_changed(&slot->sequence);
	if (was_idle != is_idle(slot))
		active[is_early(slot)] += was_idle ? 1 : -1u;
	if (step->delay_ms != KEEP_TIMER)
		service_timer(service, slot->deadline_ms);
	supervise_tell(service);
	gatekeeper_wake();
	if (boot_waits)
		boot_look();
}

static void
group_gone_cb(void *argument)
{
	struct service *service = argument;

	service->group = NULL;
	service_event(service, EVENT_GROUP_GONE);
}

static void
act(struct service *service, enum service_action action)
{
	switch (action) {
	case ACTION_NONE:
		break;
	case ACTION_START:
		run_start(service);
		break;
	case ACTION_EXECUTE:
		run_begin(service);
		break;
	case ACTION_STOP:
		if (!logger_stop(service))
			hook_stop(service);
		break;
	case ACTION_KILL:
		run_force(service);
		break;
	case ACTION_END_GROUP:
		service->group = group_end(service_slot(service)->group,
		    group_gone_cb, service);
		if (service->group == NULL)
			service_event(service, EVENT_GROUP_GONE);
		break;
	case ACTION_FINISH:
		run_finish(service);
		break;
	}
}

/* Is finish next, if there is one?  (It costs a system call to know.) */
static bool
run_is_over(const struct state_slot *slot, enum service_event event)
{
	return event == EVENT_GROUP_GONE || event == EVENT_START_FAILED ||
	    (event == EVENT_EXITED && slot->state != SERVICE_STOPPING);
}

/* What the state machine has to know beside state, want and event. */
static struct service_policy
policy_of(struct service *service, enum service_event event)
{
	const struct state_slot *slot = service_slot(service);
	const struct settings *settings = setting_of(service);

	return (struct service_policy){
		.has_finish = run_is_over(slot, event) &&
		    run_has(service, "finish"),
		.stop_hook = hook_stops(service),
		.needed = order_holds(service),
		.broken = event == EVENT_PREPARED && service->broken,
		.runs = atomic_load(&slot->pid) != 0 ||
		    (slot->flags & SLOT_ENDED) != 0,
		.ready_later = setting_is_ready_later(service),
		.asked = (slot->flags & SLOT_ASKED) != 0 ||
		    (slot->state == SERVICE_STOPPING &&
		    !(slot->flags & SLOT_UNFIT)),
		.ended_well = ending_was_good(slot),
		.exhausted = settings->max_death_tally > 0 &&
		    state_deaths(slot->deaths) >= settings->max_death_tally,
		.type = settings->type,
		.restart = settings->restart,
		.every_ms = settings->every_ms,
		.timeout_up_ms = settings->timeout_up_ms,
		.quick_deaths = slot->quick_deaths,
		.started_ago_ms = now_ms() - slot->started_ms,
		.stop_grace_ms = setting_stop_grace_ms(service),
		.finish_grace_ms = setting_finish_grace_ms(service),
	};
}

/* Has the state machine decide what a service does about an event, and does it. */
void
service_event(struct service *service, enum service_event event)
{
	struct state_slot *slot = service_slot(service);
	struct service_policy policy = policy_of(service, event);
	enum service_state before = slot->state;
	struct service_step step;
	bool early = is_early(slot), failed, all = false;

	step = fsm_step(slot->state, slot->want, event, &policy);
	/* To know costs system calls: so only of what would start. */
	if (step.action == ACTION_START) {
		policy.blocked = setting_load(service) && depend_blocks(service);
		policy.broken = service->broken;
		step = fsm_step(slot->state, slot->want, event, &policy);
	}
	if (step.unfit && event == EVENT_TIMER)
		reason_set(service, "not ready within %lld ms (timeout-up)",
		    (long long)policy.timeout_up_ms);
	failed = step.state == SERVICE_FAILED && before != SERVICE_FAILED;
	if (failed)
		ending_explain(service, &policy);
	if (step.over || failed)
		all = ending_is_all(service, failed, &policy);
	set_state(service, &step);
	if (step.unfit)
		log_warn("%s: %s; it is stopped", escape(slot->name),
		    slot->reason == 0 ? "it does not do its work" :
		    table->reasons[slot->reason - 1]);
	act(service, step.action);
	if (slot->name[0] == '\0')
		return;
	probe_follow(service);
	watchdog_follow(service);
	if (slot->state == SERVICE_UP && before != SERVICE_UP)
		depend_up(service);
	if (!is_idle(slot))
		return;
	if (failed)
		depend_failed(service);
	if (all)
		ending_all(service);
	order_down(service);
	if (order_is_circle(active[early]))
		order_end();
	if (slot->flags & SLOT_REMOVED)
		service_remove(service);
	if (active[early] == 0)
		shutdown_step();
}

static void
record_cb(struct process *process, pid_t pid, int status)
{
	struct service *service = (struct service *)process;
	struct state_slot *slot = service_slot(service);

	if (ending_is_none(service, pid, status))
		return;
	table_change(&slot->sequence);
	if (slot->state != SERVICE_FINISHING) {
		slot->exit_status = status;
		if (slot->group == 0)
			slot->group = pid;
		slot->ends++;
		/* An end that was asked for is no sign of anything. */
		if (slot->flags & SLOT_ASKED)
			slot->quick_deaths = 0;
		else
			ending_died(service, status);
	}
	slot->flags |= SLOT_ENDED;
	atomic_store(&slot->pid, 0);
	table_changed(&slot->sequence);
	lines_ended(service);
}

static void
ended_cb(struct process *process)
{
	struct service *service = (struct service *)process;

	if (process->pid != 0)
		return;
	if (service_slot(service)->flags & SLOT_SAYS)
		reason_clear(service);
	service_event(service, service_slot(service)->state ==
	    SERVICE_FINISHING ? EVENT_FINISHED : EVENT_EXITED);
}

/* The struct beside a slot that has been taken. */
void
service_prepare(struct service *service)
{
	_Static_assert(offsetof(struct service, process) == 0, "it is cast");

	service->process.record = record_cb;
	service->process.ended = ended_cb;
	service->directory = -1;
	service->pipe = service->lines = service->successor = -1;
	service->control = service->lock = -1;
	service->noted = false;
	service->refused = 0;
	service->channel = 0;
	service->settings = NULL;
	service->entries = 0;
	service->link = 0;
	index_insert(service);
	supervise_note(service);
}

/* What has been decided and not done, or has ended and not been seen to. */
static void
resume(struct service *service)
{
	struct state_slot *slot = service_slot(service);
	bool runs = service->process.pid != 0;

	service_timer(service, slot->deadline_ms);
	if (slot->flags & SLOT_ENDED) {
		if (slot->state == SERVICE_STOPPING &&
		    !(slot->flags & SLOT_TOLD))
			act(service, ACTION_STOP);
		ended_cb(&service->process);
		return;
	}
	switch ((enum service_state)slot->state) {
	case SERVICE_STARTING:
		/* With a deadline, it is waited for to be ready already. */
		if (runs && slot->deadline_ms == 0)
			service_event(service, EVENT_STARTED);
		else if (runs)
			probe_follow(service);
		else if (service->broken)
			service_event(service, EVENT_PREPARED);
		else
			run_start(service);
		break;
	case SERVICE_FINISHING:
		if (!runs)
			run_finish(service);
		break;
	case SERVICE_STOPPING:
		if (!runs)
			service_event(service, EVENT_PREPARED);
		else if (!(slot->flags & SLOT_TOLD))
			act(service, ACTION_STOP);
		else
			/* It is to read to an end: we have opened its pipe again. */
			logger_stop(service);
		break;
	case SERVICE_BACKOFF:
		if (slot->deadline_ms == 0)
			service_event(service, EVENT_TIMER);
		break;
	case SERVICE_UP:
		probe_follow(service);
		watchdog_follow(service);
		break;
	case SERVICE_DOWN:
	case SERVICE_FAILED:
		break;
	}
	/* Somebody wanted it, and was killed before it could say so. */
	if (slot->state == SERVICE_DOWN && slot->want != WANT_DOWN)
		service_event(service, EVENT_START);
	else if (slot->want == WANT_DOWN)
		service_event(service, EVENT_STOP);
}

/*
 * Takes up every service where the table says it was.  What runs is adopted;
 * what had been decided but not done, or had ended but was not seen to, is done
 * now.  All are adopted before the first is acted on.
 */
void
services_resume(void)
{
	struct service *service;
	struct state_slot *slot;
	pid_t pid;

	for (service = service_next(NULL); service != NULL;
	    service = service_next(service))
		service_prepare(service);
	lines_resume();
	for (service = service_next(NULL); service != NULL;
	    service = service_next(service)) {
		slot = service_slot(service);
		setting_load(service);
		/* Killed while it changed something: that is as it is. */
		if (atomic_load(&slot->sequence) & 1)
			table_changed(&slot->sequence);
		active[is_early(slot)] += !is_idle(slot);
		table_recover_pid(&slot->pid);
		probe_resume(service);
		if (slot->flags & SLOT_ENDED)
			atomic_store(&slot->pid, 0);
		/* When another process came to stand for run, nobody knows. */
		if ((pid = atomic_load(&slot->pid)) > 0)
			process_watch(&service->process, pid,
			    run_started_ms(slot), true);
	}
	if (table->header.phase == PHASE_STOP_SERVICES ||
	    table->header.phase == PHASE_STOP_EARLY)
		order_begin(table->header.phase == PHASE_STOP_EARLY);
	else if (table->header.phase <= PHASE_RUNNING)
		order_resume();
	for (service = service_next(NULL); service != NULL;
	    service = service_next(service))
		resume(service);
	notify_resume();
}
