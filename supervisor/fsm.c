/*
 * What a service does next: from what it is, what is wanted and what happened.
 * Pure: no system call, no clock, no memory.
 *
 *            START            STARTED, READY    STOP, RESTART, UNFIT
 *   down ----------> starting ----------> up -------------------> stopping
 *    ^                 ^  |               |                          |
 *    |                 |  | START_FAILED  | EXITED     EXITED, GROUP_GONE
 *    |           TIMER |  v               v                          |
 *    |              backoff <------ finishing <----------------------+
 *    |                    want up    |  |
 *    |      want down, once, restart |  | restart, max-death-tally
 *    +-------------------------------+  +---> failed
 *
 * A oneshot that has ended well goes from finishing to up, and has no process.
 */
#include <stdint.h>

#include "supervisor/fsm.h"

/* How long after its last start a service may be started again. */
static int64_t
start_interval_ms(uint32_t quick_deaths)
{
	int64_t interval_ms = QUICK_DEATH_MS;

	if (quick_deaths == 0)
		return 0;
	for (; quick_deaths > QUICK_DEATHS_MAX; quick_deaths--)
		if ((interval_ms *= 2) >= BACKOFF_MAX_MS)
			return BACKOFF_MAX_MS;
	return interval_ms;
}

void
fsm_count_death(uint64_t *deaths, uint32_t *second, int64_t now_ms)
{
	uint32_t now = (uint32_t)(now_ms / 1000), passed;

	if (*deaths != 0 && now <= *second)
		now = *second + 1;
	passed = now - *second;
	*second = now;
	*deaths = passed >= DEATH_TALLY_S ? 0 :
	    *deaths << passed & UINT64_MAX >> (64 - DEATH_TALLY_S);
	*deaths |= 1;
}

static struct service_step
step_to(enum service_state state, enum service_action action, int64_t delay_ms)
{
	return (struct service_step){
		.state = state, .action = action, .delay_ms = delay_ms,
	};
}

/* It starts; or is down until what it depends on is up, and then starts. */
static struct service_step
start(const struct service_policy *policy)
{
	if (policy->broken)
		return step_to(SERVICE_FAILED, ACTION_NONE, NO_TIMER);
	if (policy->blocked)
		return step_to(SERVICE_DOWN, ACTION_NONE, NO_TIMER);
	return step_to(SERVICE_STARTING, ACTION_START, NO_TIMER);
}

/* It starts when so much time has passed since its last start. */
static struct service_step
start_after(int64_t interval_ms, const struct service_policy *policy)
{
	int64_t delay_ms = interval_ms - policy->started_ago_ms;

	if (delay_ms <= 0)
		return start(policy);
	return step_to(SERVICE_BACKOFF, ACTION_NONE, delay_ms);
}

/* It has come to its end, and is not what it was to be unless it has ended well. */
static struct service_step
over(const struct service_policy *policy)
{
	struct service_step step = step_to(policy->ended_well ? SERVICE_DOWN :
	    SERVICE_FAILED, ACTION_NONE, NO_TIMER);

	step.over = true;
	return step;
}

/* Run and finish are over: start again, now or later, or stay down. */
static struct service_step
all_ended(enum service_want want, const struct service_policy *policy)
{
	struct service_step step = step_to(SERVICE_DOWN, ACTION_NONE, NO_TIMER);
	bool well = policy->ended_well && !policy->asked, rests;
	int64_t delay_ms;

	if (want == WANT_DOWN)
		return step;
	if (well && policy->type == TYPE_ONESHOT) {
		delay_ms = policy->every_ms - policy->started_ago_ms;
		if (policy->every_ms == 0 || want == WANT_ONCE)
			delay_ms = NO_TIMER;
		else if (delay_ms < 0)
			delay_ms = 0;
		return step_to(SERVICE_UP, ACTION_NONE, delay_ms);
	}
	if (want == WANT_ONCE) {
		step.over = true;
		return step;
	}
	if (!policy->asked) {
		rests = policy->restart == RESTART_NEVER ||
		    (policy->restart == RESTART_ON_FAILURE && well);
		if (rests && policy->every_ms == 0)
			return over(policy);
		if (policy->exhausted)
			return step_to(SERVICE_FAILED, ACTION_NONE, NO_TIMER);
		if (rests)
			return start_after(policy->every_ms, policy);
	}
	return start_after(start_interval_ms(policy->quick_deaths), policy);
}

static struct service_step
run_ended(enum service_want want, const struct service_policy *policy)
{
	if (policy->has_finish)
		return step_to(SERVICE_FINISHING, ACTION_FINISH,
		    policy->finish_grace_ms);
	return all_ended(want, policy);
}

static struct service_step
stop(const struct service_policy *policy)
{
	return step_to(SERVICE_STOPPING, ACTION_STOP, policy->stop_grace_ms);
}

/* It runs, and had better not: it is stopped as if it had died. */
static struct service_step
stop_unfit(const struct service_policy *policy)
{
	struct service_step step = stop(policy);

	step.unfit = true;
	return step;
}

/* What is up without a process: a oneshot that has ended well. */
static struct service_step
step_done(enum service_event event, const struct service_policy *policy)
{
	switch (event) {
	case EVENT_STOP:
		return step_to(policy->needed ? SERVICE_UP : SERVICE_DOWN,
		    ACTION_NONE, NO_TIMER);
	case EVENT_RESTART:
	case EVENT_TIMER:
		return start(policy);
	default:
		return step_to(SERVICE_UP, ACTION_NONE, KEEP_TIMER);
	}
}

static struct service_step
step_up(enum service_state state, enum service_want want,
    enum service_event event, const struct service_policy *policy)
{
	switch (event) {
	case EVENT_STARTED:
		if (want == WANT_DOWN)
			return stop(policy);
		if (policy->ready_later)
			return step_to(SERVICE_STARTING, ACTION_NONE,
			    policy->timeout_up_ms > 0 ? policy->timeout_up_ms :
			    NO_TIMER);
		return step_to(SERVICE_UP, ACTION_NONE, NO_TIMER);
	case EVENT_READY:
		/* A oneshot is when it has ended well, whatever it says. */
		if (state != SERVICE_STARTING || policy->type == TYPE_ONESHOT)
			break;
		return step_to(SERVICE_UP, ACTION_NONE, NO_TIMER);
	case EVENT_PREPARED:
		if (state != SERVICE_STARTING)
			break;
		if (policy->broken)
			return start(policy);
		return step_to(SERVICE_STARTING, ACTION_EXECUTE, NO_TIMER);
	case EVENT_START_FAILED:
	case EVENT_EXITED:
		return run_ended(want, policy);
	case EVENT_STOP:
		if (state == SERVICE_UP && policy->needed)
			break;
		return stop(policy);
	case EVENT_RESTART:
		return stop(policy);
	case EVENT_TIMER:
		if (state != SERVICE_STARTING)
			break;
		/* FALLTHROUGH */
	case EVENT_UNFIT:
		return stop_unfit(policy);
	case EVENT_START:
	case EVENT_GROUP_GONE:
	case EVENT_FINISHED:
		break;
	}
	return step_to(state, ACTION_NONE, KEEP_TIMER);
}

static struct service_step
step_stopping(enum service_want want, enum service_event event,
    const struct service_policy *policy)
{
	switch (event) {
	case EVENT_EXITED:
		return step_to(SERVICE_STOPPING, ACTION_END_GROUP, KEEP_TIMER);
	case EVENT_GROUP_GONE:
		/* finish comes last: this one comes again. */
		if (policy->stop_hook)
			break;
		return run_ended(want, policy);
	case EVENT_PREPARED:
		/* It was stopped before run began, so there is no finish. */
		return all_ended(want, policy);
	case EVENT_TIMER:
		return step_to(SERVICE_STOPPING, ACTION_KILL, KILL_PATIENCE_MS);
	case EVENT_START:
	case EVENT_STOP:
	case EVENT_STARTED:
	case EVENT_START_FAILED:
	case EVENT_FINISHED:
	case EVENT_RESTART:
	case EVENT_READY:
	case EVENT_UNFIT:
		break;
	}
	return step_to(SERVICE_STOPPING, ACTION_NONE, KEEP_TIMER);
}

static struct service_step
step_finishing(enum service_want want, enum service_event event,
    const struct service_policy *policy)
{
	switch (event) {
	case EVENT_FINISHED:
		return all_ended(want, policy);
	case EVENT_TIMER:
		return step_to(SERVICE_FINISHING, ACTION_KILL,
		    KILL_PATIENCE_MS);
	case EVENT_STOP:
		return step_to(SERVICE_FINISHING, ACTION_NONE,
		    policy->finish_grace_ms);
	case EVENT_START:
	case EVENT_STARTED:
	case EVENT_START_FAILED:
	case EVENT_EXITED:
	case EVENT_GROUP_GONE:
	case EVENT_RESTART:
	case EVENT_PREPARED:
	case EVENT_READY:
	case EVENT_UNFIT:
		break;
	}
	return step_to(SERVICE_FINISHING, ACTION_NONE, KEEP_TIMER);
}

static struct service_step
step_idle(enum service_state state, enum service_want want,
    enum service_event event, const struct service_policy *policy)
{
	switch (event) {
	case EVENT_TIMER:
		if (state != SERVICE_BACKOFF || want == WANT_DOWN)
			break;
		/* FALLTHROUGH */
	case EVENT_START:
	case EVENT_RESTART:
		return start(policy);
	case EVENT_STOP:
		return step_to(SERVICE_DOWN, ACTION_NONE, NO_TIMER);
	case EVENT_STARTED:
	case EVENT_START_FAILED:
	case EVENT_EXITED:
	case EVENT_GROUP_GONE:
	case EVENT_FINISHED:
	case EVENT_PREPARED:
	case EVENT_READY:
	case EVENT_UNFIT:
		break;
	}
	return step_to(state, ACTION_NONE, KEEP_TIMER);
}

/*
 * The state a service is in after an event, what is to be done about it, and
 * when EVENT_TIMER is to come.  Events that a state has no use for (a START of
 * what is up) change nothing.
 */
struct service_step
fsm_step(enum service_state state, enum service_want want,
    enum service_event event, const struct service_policy *policy)
{
	switch (state) {
	case SERVICE_DOWN:
	case SERVICE_BACKOFF:
	case SERVICE_FAILED:
		return step_idle(state, want, event, policy);
	case SERVICE_UP:
		if (!policy->runs && event != EVENT_EXITED)
			return step_done(event, policy);
		/* FALLTHROUGH */
	case SERVICE_STARTING:
		return step_up(state, want, event, policy);
	case SERVICE_STOPPING:
		return step_stopping(want, event, policy);
	case SERVICE_FINISHING:
		return step_finishing(want, event, policy);
	}
	return step_to(state, ACTION_NONE, KEEP_TIMER);
}
