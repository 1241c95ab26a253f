/*
 * Services: does what fsm.c decides, and writes down what came of it.
 *
 * The table has the facts; struct service beside it only what a process needs to
 * wait for them (a timer, a watched pid), and is rebuilt after a restart.
 */
#include <sys/wait.h>

#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "supervisor.h"

static struct service services[STATE_SLOTS];
static unsigned active[2];	/* services that are not down; early ones */

struct state_slot *
service_slot(const struct service *service)
{
	return &table->slots[service - services];
}

/* The first service (after NULL), or the next one; NULL at the end. */
struct service *
service_next(const struct service *service)
{
	uint32_t i = service == NULL ? 0 : (uint32_t)(service - services) + 1;

	for (; i < table->header.slots_used; i++)
		if (table->slots[i].name[0] != '\0')
			return &services[i];
	return NULL;
}

struct service *
service_at(unsigned slot)
{
	return &services[slot];
}

static bool
is_early(const struct state_slot *slot)
{
	return slot->flags & SLOT_EARLY;
}

/* How many services are anything but down: those of before the boot's end, or not. */
unsigned
services_active(bool early)
{
	return active[early];
}

/*
 * The only place that assigns a state.  The deadline comes first: a supervisor
 * that finds it beside the old state does what is due (services_resume).
 */
static void
set_state(struct service *service, const struct service_step *step)
{
	struct state_slot *slot = service_slot(service), next;
	bool was_down = slot->state == SERVICE_DOWN;

	table_change(&slot->sequence);
	atomic_store(&next.condition, atomic_load(&slot->condition));
	next.state = (uint8_t)step->state;
	if (step->state != slot->state) {
		slot->since_ms = now_ms();
		next.flags &= (uint8_t)~(SLOT_ENDED | SLOT_PAUSED | SLOT_TOLD);
		next.sent = 0;
	}
	/* Once is once: not again by the next supervisor.  Unless it waits. */
	if (step->state == SERVICE_DOWN && slot->want == WANT_ONCE &&
	    slot->state != SERVICE_DOWN && slot->state != SERVICE_BACKOFF)
		next.want = WANT_DOWN;
	if (step->delay_ms != KEEP_TIMER)
		slot->deadline_ms = step->delay_ms == NO_TIMER ? 0 :
		    now_ms() + step->delay_ms;
	atomic_store(&slot->condition, atomic_load(&next.condition));
	table_changed(&slot->sequence);
	if (was_down != (step->state == SERVICE_DOWN))
		active[is_early(slot)] += was_down ? 1 : -1u;
	if (step->delay_ms != KEEP_TIMER)
		timer_arm(&service->timer, slot->deadline_ms);
	gatekeeper_wake();
}

/* Says why run cannot be executed: once, until it can or the reason changes. */
static void
start_failed(struct service *service, int error)
{
	struct state_slot *slot = service_slot(service);

	if (slot->error != error)
		log_warn("%s: %s", escape(slot->name),
		    explain_exec(run_path(slot, "run"), error));
	table_change(&slot->sequence);
	slot->error = error;
	slot->exit_status = 111 << 8;
	slot->quick_deaths++;
	slot->ends++;
	table_changed(&slot->sequence);
}

static void
execute(struct service *service)
{
	struct state_slot *slot = service_slot(service);
	char run[] = "./run", *argv[] = { run, NULL };
	bool is_first = slot->started_ms == 0;
	int error;

	table_change(&slot->sequence);
	slot->started_ms = now_ms();
	slot->group = 0;
	if (!is_first)
		slot->restarts++;
	table_changed(&slot->sequence);
	if ((error = run_execute(service, argv)) != 0) {
		start_failed(service, error);
		service_event(service, EVENT_START_FAILED);
		return;
	}
	slot->error = 0;
	service_event(service, EVENT_STARTED);
}

static void
start(struct service *service)
{
	run_hold_directory(service);
	if (!hook_start(service))
		execute(service);
}

/* $1 is the exit code or -1, $2 the signal (runsv(8)). */
static void
finish(struct service *service)
{
	struct state_slot *slot = service_slot(service);
	char code[12], signo[12];
	char name[] = "./finish", *argv[] = { name, code, signo, NULL };
	int status = slot->exit_status, error;

	snprintf(code, sizeof(code), "%d",
	    WIFSIGNALED(status) ? -1 : WEXITSTATUS(status));
	snprintf(signo, sizeof(signo), "%d",
	    WIFSIGNALED(status) ? WTERMSIG(status) : 0);
	if ((error = run_execute(service, argv)) == 0)
		return;
	log_warn("%s: %s", escape(slot->name),
	    explain_exec(run_path(slot, "finish"), error));
	service_event(service, EVENT_FINISHED);
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
		start(service);
		break;
	case ACTION_EXECUTE:
		execute(service);
		break;
	case ACTION_STOP:
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
		finish(service);
		break;
	}
}

/* What was left of the time a stop may take, and enough for finish anyway. */
static int64_t
finish_grace_ms(const struct state_slot *slot)
{
	int64_t left_ms = options.stop_grace_ms;

	if (slot->state == SERVICE_STOPPING)
		left_ms = slot->deadline_ms - now_ms();
	return left_ms > FINISH_GRACE_MS ? left_ms : FINISH_GRACE_MS;
}

/* Is finish next, if there is one?  (It costs a system call to know.) */
static bool
run_is_over(const struct state_slot *slot, enum service_event event)
{
	return event == EVENT_GROUP_GONE || event == EVENT_START_FAILED ||
	    (event == EVENT_EXITED && slot->state != SERVICE_STOPPING);
}

/* Has the state machine decide what a service does about an event, and does it. */
void
service_event(struct service *service, enum service_event event)
{
	struct state_slot *slot = service_slot(service);
	struct service_policy policy = {
		.has_finish = run_is_over(slot, event) &&
		    run_has(service, "finish"),
		.stop_hook = hook_stops(service),
		.needed = order_holds(service),
		.quick_deaths = slot->quick_deaths,
		.started_ago_ms = now_ms() - slot->started_ms,
		.stop_grace_ms = options.stop_grace_ms,
		.finish_grace_ms = finish_grace_ms(slot),
	};
	struct service_step step;
	bool early = is_early(slot);

	step = fsm_step(slot->state, slot->want, event, &policy);
	/* To know costs a system call: so only of what would start. */
	if (step.action == ACTION_START && depend_blocks(service)) {
		policy.blocked = true;
		step = fsm_step(slot->state, slot->want, event, &policy);
	}
	set_state(service, &step);
	act(service, step.action);
	if (event == EVENT_STARTED && slot->state == SERVICE_UP)
		depend_up(service);
	if (slot->state != SERVICE_DOWN || slot->name[0] == '\0')
		return;
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

	table_change(&slot->sequence);
	if (slot->state != SERVICE_FINISHING) {
		slot->exit_status = status;
		slot->group = pid;
		slot->ends++;
		/* An end that was asked for is no sign of anything. */
		if (slot->state != SERVICE_STOPPING &&
		    now_ms() - slot->started_ms < QUICK_DEATH_MS)
			slot->quick_deaths++;
		else
			slot->quick_deaths = 0;
	}
	slot->flags |= SLOT_ENDED;
	atomic_store(&slot->pid, 0);
	table_changed(&slot->sequence);
}

static void
ended_cb(struct process *process)
{
	struct service *service = (struct service *)process;

	service_event(service, service_slot(service)->state ==
	    SERVICE_FINISHING ? EVENT_FINISHED : EVENT_EXITED);
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
		timer_arm(&service->timer, deadline_ms);
	else
		service_event(service, EVENT_TIMER);
}

static void
prepare(struct service *service)
{
	_Static_assert(offsetof(struct service, process) == 0, "it is cast");

	service->process.record = record_cb;
	service->process.ended = ended_cb;
	evtimer_assign(&service->timer, base, timer_cb, service);
	service->directory = -1;
	service->dependent = true;	/* for all that is known */
	service->link = 0;
	index_insert(service);
}

/*
 * A slot for a service of that name, down as yet; NULL if there is none.  Started
 * by service_want; if this supervisor does not get there, by the next.  Early: on
 * a startup script's word, and to be stopped last.
 */
struct service *
service_add(const char *name, enum service_want want, bool early)
{
	struct state_header *header = &table->header;
	struct state_slot *slot;
	uint32_t i;

	for (i = 0; i < header->slots_used; i++)
		if (table->slots[i].name[0] == '\0')
			break;
	if (i == STATE_SLOTS)
		return NULL;
	slot = &table->slots[i];
	table_change(&slot->sequence);
	memset(&slot->condition, 0,
	    sizeof(*slot) - offsetof(struct state_slot, condition));
	slot->state = SERVICE_DOWN;
	slot->want = (uint8_t)want;
	slot->flags = early ? SLOT_EARLY : 0;
	slot->since_ms = now_ms();
	if (i == header->slots_used)
		header->slots_used++;
	atomic_signal_fence(memory_order_seq_cst);
	strcpy(slot->name, name);
	table_changed(&slot->sequence);
	prepare(&services[i]);
	return &services[i];
}

/* Gives the slot of a service that is down to others. */
void
service_remove(struct service *service)
{
	struct state_slot *slot = service_slot(service);

	run_release_directory(service);
	hook_forget(service);
	depend_forget(service);
	index_delete(service);
	event_del(&service->timer);
	table_change(&slot->sequence);
	slot->name[0] = '\0';
	table_changed(&slot->sequence);
}

/* What has been decided and not done, or has ended and not been seen to. */
static void
resume(struct service *service)
{
	struct state_slot *slot = service_slot(service);
	bool runs = service->process.pid != 0;

	run_hold_directory(service);
	timer_arm(&service->timer, slot->deadline_ms);
	if (slot->flags & SLOT_ENDED) {
		if (slot->state == SERVICE_STOPPING &&
		    !(slot->flags & SLOT_TOLD))
			act(service, ACTION_STOP);
		ended_cb(&service->process);
		return;
	}
	switch ((enum service_state)slot->state) {
	case SERVICE_STARTING:
		if (runs)
			service_event(service, EVENT_STARTED);
		else
			start(service);
		break;
	case SERVICE_FINISHING:
		if (!runs)
			finish(service);
		break;
	case SERVICE_STOPPING:
		if (!runs)
			service_event(service, EVENT_PREPARED);
		else if (!(slot->flags & SLOT_TOLD))
			act(service, ACTION_STOP);
		break;
	case SERVICE_BACKOFF:
		if (slot->deadline_ms == 0)
			service_event(service, EVENT_TIMER);
		break;
	case SERVICE_DOWN:
	case SERVICE_UP:
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
	    service = service_next(service)) {
		slot = service_slot(service);
		prepare(service);
		/* Killed while it changed something: that is as it is. */
		if (atomic_load(&slot->sequence) & 1)
			table_changed(&slot->sequence);
		active[is_early(slot)] += slot->state != SERVICE_DOWN;
		table_recover_pid(&slot->pid);
		if (slot->flags & SLOT_ENDED)
			atomic_store(&slot->pid, 0);
		if ((pid = atomic_load(&slot->pid)) > 0)
			process_watch(&service->process, pid,
			    slot->state == SERVICE_FINISHING ? slot->since_ms :
			    slot->started_ms, true);
	}
	if (table->header.phase == PHASE_STOP_SERVICES ||
	    table->header.phase == PHASE_STOP_EARLY)
		order_begin(table->header.phase == PHASE_STOP_EARLY);
	for (service = service_next(NULL); service != NULL;
	    service = service_next(service))
		resume(service);
}
