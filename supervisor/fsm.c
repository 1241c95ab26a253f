/*
 * What a service does next: from what it is, what is wanted and what happened.
 * Pure: no system call, no clock, no memory.
 *
 *            START               STARTED        STOP, RESTART
 *   down ----------> starting ----------> up -------------------> stopping
 *    ^                 ^  |               |                          |
 *    |                 |  | START_FAILED  | EXITED     EXITED, GROUP_GONE
 *    |           TIMER |  v               v                          |
 *    |              backoff <------ finishing <----------------------+
 *    |                    want up    |
 *    +-------------------------------+ want down, once
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

/* It starts; or is down until what it depends on is up, and then starts. */
static struct service_step
start(const struct service_policy *policy)
{
	if (policy->blocked)
		return (struct service_step){
			SERVICE_DOWN, ACTION_NONE, NO_TIMER
		};
	return (struct service_step){ SERVICE_STARTING, ACTION_START, NO_TIMER };
}

/* Run and finish are over: start again, now or later, or stay down. */
static struct service_step
all_ended(enum service_want want, const struct service_policy *policy)
{
	int64_t delay_ms;

	if (want != WANT_UP)
		return (struct service_step){
			SERVICE_DOWN, ACTION_NONE, NO_TIMER
		};
	delay_ms = start_interval_ms(policy->quick_deaths) -
	    policy->started_ago_ms;
	if (delay_ms <= 0)
		return start(policy);
	return (struct service_step){ SERVICE_BACKOFF, ACTION_NONE, delay_ms };
}

static struct service_step
run_ended(enum service_want want, const struct service_policy *policy)
{
	if (policy->has_finish)
		return (struct service_step){ SERVICE_FINISHING, ACTION_FINISH,
			policy->finish_grace_ms };
	return all_ended(want, policy);
}

static struct service_step
stop(const struct service_policy *policy)
{
	return (struct service_step){ SERVICE_STOPPING, ACTION_STOP,
		policy->stop_grace_ms };
}

static struct service_step
step_up(enum service_state state, enum service_want want,
    enum service_event event, const struct service_policy *policy)
{
	switch (event) {
	case EVENT_STARTED:
		if (want == WANT_DOWN)
			return stop(policy);
		return (struct service_step){
			SERVICE_UP, ACTION_NONE, NO_TIMER
		};
	case EVENT_PREPARED:
		if (state != SERVICE_STARTING)
			break;
		return (struct service_step){
			SERVICE_STARTING, ACTION_EXECUTE, NO_TIMER
		};
	case EVENT_START_FAILED:
	case EVENT_EXITED:
		return run_ended(want, policy);
	case EVENT_STOP:
		if (state == SERVICE_UP && policy->needed)
			break;
		return stop(policy);
	case EVENT_RESTART:
		return stop(policy);
	case EVENT_START:
	case EVENT_GROUP_GONE:
	case EVENT_FINISHED:
	case EVENT_TIMER:
		break;
	}
	return (struct service_step){ state, ACTION_NONE, KEEP_TIMER };
}

static struct service_step
step_stopping(enum service_want want, enum service_event event,
    const struct service_policy *policy)
{
	switch (event) {
	case EVENT_EXITED:
		return (struct service_step){
			SERVICE_STOPPING, ACTION_END_GROUP, KEEP_TIMER
		};
	case EVENT_GROUP_GONE:
		/* finish comes last: this one comes again. */
		if (policy->stop_hook)
			break;
		return run_ended(want, policy);
	case EVENT_PREPARED:
		/* It was stopped before run began, so there is no finish. */
		return all_ended(want, policy);
	case EVENT_TIMER:
		return (struct service_step){
			SERVICE_STOPPING, ACTION_KILL, KILL_PATIENCE_MS
		};
	case EVENT_START:
	case EVENT_STOP:
	case EVENT_STARTED:
	case EVENT_START_FAILED:
	case EVENT_FINISHED:
	case EVENT_RESTART:
		break;
	}
	return (struct service_step){
		SERVICE_STOPPING, ACTION_NONE, KEEP_TIMER
	};
}

static struct service_step
step_finishing(enum service_want want, enum service_event event,
    const struct service_policy *policy)
{
	switch (event) {
	case EVENT_FINISHED:
		return all_ended(want, policy);
	case EVENT_TIMER:
		return (struct service_step){
			SERVICE_FINISHING, ACTION_KILL, KILL_PATIENCE_MS
		};
	case EVENT_STOP:
		return (struct service_step){ SERVICE_FINISHING, ACTION_NONE,
			policy->finish_grace_ms };
	case EVENT_START:
	case EVENT_STARTED:
	case EVENT_START_FAILED:
	case EVENT_EXITED:
	case EVENT_GROUP_GONE:
	case EVENT_RESTART:
	case EVENT_PREPARED:
		break;
	}
	return (struct service_step){
		SERVICE_FINISHING, ACTION_NONE, KEEP_TIMER
	};
}

static struct service_step
step_idle(enum service_state state, enum service_want want,
    enum service_event event, const struct service_policy *policy)
{
	switch (event) {
	case EVENT_TIMER:
		if (state == SERVICE_DOWN || want == WANT_DOWN)
			break;
		/* FALLTHROUGH */
	case EVENT_START:
	case EVENT_RESTART:
		return start(policy);
	case EVENT_STOP:
		return (struct service_step){
			SERVICE_DOWN, ACTION_NONE, NO_TIMER
		};
	case EVENT_STARTED:
	case EVENT_START_FAILED:
	case EVENT_EXITED:
	case EVENT_GROUP_GONE:
	case EVENT_FINISHED:
	case EVENT_PREPARED:
		break;
	}
	return (struct service_step){ state, ACTION_NONE, KEEP_TIMER };
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
		return step_idle(state, want, event, policy);
	case SERVICE_STARTING:
	case SERVICE_UP:
		return step_up(state, want, event, policy);
	case SERVICE_STOPPING:
		return step_stopping(want, event, policy);
	case SERVICE_FINISHING:
		return step_finishing(want, event, policy);
	}
	return (struct service_step){ state, ACTION_NONE, KEEP_TIMER };
}
