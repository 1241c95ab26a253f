/* What a service does next: every state and event, and how restarts are paced. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "supervisor/fsm.h"

#define STOP_MS		30000
#define FINISH_MS	5000

static const struct service_policy plain = {
	.runs = true,
	.stop_grace_ms = STOP_MS, .finish_grace_ms = FINISH_MS,
};
static const struct service_policy with_finish = {
	.has_finish = true,
	.runs = true,
	.stop_grace_ms = STOP_MS, .finish_grace_ms = FINISH_MS,
};

static const struct service_policy with_hook = {
	.has_finish = true, .stop_hook = true,
	.runs = true,
	.stop_grace_ms = STOP_MS, .finish_grace_ms = FINISH_MS,
};

static const struct service_policy blocked = {
	.blocked = true, .runs = true,
	.stop_grace_ms = STOP_MS, .finish_grace_ms = FINISH_MS,
};
static const struct service_policy needed = {
	.needed = true, .runs = true,
	.stop_grace_ms = STOP_MS, .finish_grace_ms = FINISH_MS,
};

/* What is expected of one event; a delay of its own is compared, too. */
struct row {
	enum service_state	state;
	enum service_want	want;
	enum service_event	event;
	const struct service_policy *policy;
	struct service_step	expected;
};

static void
check(const struct row *rows, size_t count)
{
	struct service_step step;
	size_t i;

	for (i = 0; i < count; i++) {
		step = fsm_step(rows[i].state, rows[i].want, rows[i].event,
		    rows[i].policy);
		if (step.state != rows[i].expected.state ||
		    step.action != rows[i].expected.action ||
		    step.delay_ms != rows[i].expected.delay_ms ||
		    step.over != rows[i].expected.over ||
		    step.unfit != rows[i].expected.unfit)
			fail_msg("row %zu: state %d, action %d, delay %lld", i,
			    step.state, step.action, (long long)step.delay_ms);
	}
}

#define CHECK(rows)	check(rows, sizeof(rows) / sizeof((rows)[0]))

static void
down_starts_when_wanted(void **state)
{
	static const struct row rows[] = {
		{ SERVICE_DOWN, WANT_UP, EVENT_START, &plain,
		    { SERVICE_STARTING, ACTION_START, NO_TIMER } },
		{ SERVICE_DOWN, WANT_DOWN, EVENT_STOP, &plain,
		    { SERVICE_DOWN, ACTION_NONE, NO_TIMER } },
		/* A timer that was under way when it was stopped. */
		{ SERVICE_DOWN, WANT_UP, EVENT_TIMER, &plain,
		    { SERVICE_DOWN, ACTION_NONE, KEEP_TIMER } },
	};

	(void)state;
	CHECK(rows);
}

static void
starting_is_up_or_tried_again(void **state)
{
	static const struct service_policy failing = { .quick_deaths = 1 };
	static const struct row rows[] = {
		{ SERVICE_STARTING, WANT_UP, EVENT_STARTED, &plain,
		    { SERVICE_UP, ACTION_NONE, NO_TIMER } },
		{ SERVICE_STARTING, WANT_DOWN, EVENT_STARTED, &plain,
		    { SERVICE_STOPPING, ACTION_STOP, STOP_MS } },
		{ SERVICE_STARTING, WANT_UP, EVENT_START_FAILED, &failing,
		    { SERVICE_BACKOFF, ACTION_NONE, 1000 } },
		{ SERVICE_STARTING, WANT_UP, EVENT_START_FAILED, &with_finish,
		    { SERVICE_FINISHING, ACTION_FINISH, FINISH_MS } },
		{ SERVICE_STARTING, WANT_DOWN, EVENT_START_FAILED, &failing,
		    { SERVICE_DOWN, ACTION_NONE, NO_TIMER } },
	};

	(void)state;
	CHECK(rows);
}

static void
up_is_restarted_or_stopped(void **state)
{
	static const struct row rows[] = {
		{ SERVICE_UP, WANT_UP, EVENT_EXITED, &plain,
		    { SERVICE_STARTING, ACTION_START, NO_TIMER } },
		{ SERVICE_UP, WANT_UP, EVENT_EXITED, &with_finish,
		    { SERVICE_FINISHING, ACTION_FINISH, FINISH_MS } },
		{ SERVICE_UP, WANT_DOWN, EVENT_EXITED, &plain,
		    { SERVICE_DOWN, ACTION_NONE, NO_TIMER } },
		{ SERVICE_UP, WANT_DOWN, EVENT_STOP, &plain,
		    { SERVICE_STOPPING, ACTION_STOP, STOP_MS } },
		{ SERVICE_UP, WANT_UP, EVENT_START, &plain,
		    { SERVICE_UP, ACTION_NONE, KEEP_TIMER } },
		{ SERVICE_UP, WANT_UP, EVENT_TIMER, &plain,
		    { SERVICE_UP, ACTION_NONE, KEEP_TIMER } },
	};

	(void)state;
	CHECK(rows);
}

static void
stopping_ends_the_group_then_finishes(void **state)
{
	static const struct row rows[] = {
		{ SERVICE_STOPPING, WANT_DOWN, EVENT_EXITED, &with_finish,
		    { SERVICE_STOPPING, ACTION_END_GROUP, KEEP_TIMER } },
		{ SERVICE_STOPPING, WANT_DOWN, EVENT_GROUP_GONE, &with_finish,
		    { SERVICE_FINISHING, ACTION_FINISH, FINISH_MS } },
		{ SERVICE_STOPPING, WANT_DOWN, EVENT_GROUP_GONE, &plain,
		    { SERVICE_DOWN, ACTION_NONE, NO_TIMER } },
		{ SERVICE_STOPPING, WANT_UP, EVENT_GROUP_GONE, &plain,
		    { SERVICE_STARTING, ACTION_START, NO_TIMER } },
		{ SERVICE_STOPPING, WANT_DOWN, EVENT_TIMER, &plain,
		    { SERVICE_STOPPING, ACTION_KILL, KILL_PATIENCE_MS } },
		/* Asked again, or to start, while it ends: it ends first. */
		{ SERVICE_STOPPING, WANT_DOWN, EVENT_STOP, &plain,
		    { SERVICE_STOPPING, ACTION_NONE, KEEP_TIMER } },
		{ SERVICE_STOPPING, WANT_UP, EVENT_START, &plain,
		    { SERVICE_STOPPING, ACTION_NONE, KEEP_TIMER } },
	};

	(void)state;
	CHECK(rows);
}

static void
finishing_is_awaited_but_not_for_ever(void **state)
{
	static const struct row rows[] = {
		{ SERVICE_FINISHING, WANT_UP, EVENT_FINISHED, &with_finish,
		    { SERVICE_STARTING, ACTION_START, NO_TIMER } },
		{ SERVICE_FINISHING, WANT_DOWN, EVENT_FINISHED, &with_finish,
		    { SERVICE_DOWN, ACTION_NONE, NO_TIMER } },
		{ SERVICE_FINISHING, WANT_UP, EVENT_TIMER, &with_finish,
		    { SERVICE_FINISHING, ACTION_KILL, KILL_PATIENCE_MS } },
		{ SERVICE_FINISHING, WANT_DOWN, EVENT_STOP, &with_finish,
		    { SERVICE_FINISHING, ACTION_NONE, FINISH_MS } },
		{ SERVICE_FINISHING, WANT_UP, EVENT_START, &with_finish,
		    { SERVICE_FINISHING, ACTION_NONE, KEEP_TIMER } },
	};

	(void)state;
	CHECK(rows);
}

static void
backoff_waits_unless_told_otherwise(void **state)
{
	static const struct row rows[] = {
		{ SERVICE_BACKOFF, WANT_UP, EVENT_TIMER, &plain,
		    { SERVICE_STARTING, ACTION_START, NO_TIMER } },
		{ SERVICE_BACKOFF, WANT_UP, EVENT_START, &plain,
		    { SERVICE_STARTING, ACTION_START, NO_TIMER } },
		{ SERVICE_BACKOFF, WANT_DOWN, EVENT_STOP, &plain,
		    { SERVICE_DOWN, ACTION_NONE, NO_TIMER } },
		{ SERVICE_BACKOFF, WANT_DOWN, EVENT_TIMER, &plain,
		    { SERVICE_BACKOFF, ACTION_NONE, KEEP_TIMER } },
	};

	(void)state;
	CHECK(rows);
}

/* Events that have no business in a state leave it alone, wanted or not. */
static void
foreign_events_change_nothing(void **state)
{
	static const struct {
		enum service_state state;
		enum service_event event;
	} foreign[] = {
		{ SERVICE_DOWN, EVENT_STARTED },
		{ SERVICE_DOWN, EVENT_START_FAILED },
		{ SERVICE_DOWN, EVENT_EXITED },
		{ SERVICE_DOWN, EVENT_GROUP_GONE },
		{ SERVICE_DOWN, EVENT_FINISHED },
		{ SERVICE_STARTING, EVENT_START },
		{ SERVICE_STARTING, EVENT_GROUP_GONE },
		{ SERVICE_STARTING, EVENT_FINISHED },
		{ SERVICE_UP, EVENT_GROUP_GONE },
		{ SERVICE_UP, EVENT_FINISHED },
		{ SERVICE_BACKOFF, EVENT_STARTED },
		{ SERVICE_BACKOFF, EVENT_START_FAILED },
		{ SERVICE_BACKOFF, EVENT_EXITED },
		{ SERVICE_BACKOFF, EVENT_GROUP_GONE },
		{ SERVICE_BACKOFF, EVENT_FINISHED },
		{ SERVICE_STOPPING, EVENT_STARTED },
		{ SERVICE_STOPPING, EVENT_START_FAILED },
		{ SERVICE_STOPPING, EVENT_FINISHED },
		{ SERVICE_FINISHING, EVENT_STARTED },
		{ SERVICE_FINISHING, EVENT_START_FAILED },
		{ SERVICE_FINISHING, EVENT_EXITED },
		{ SERVICE_FINISHING, EVENT_GROUP_GONE },
		{ SERVICE_DOWN, EVENT_PREPARED },
		{ SERVICE_UP, EVENT_PREPARED },
		{ SERVICE_BACKOFF, EVENT_PREPARED },
		{ SERVICE_FINISHING, EVENT_PREPARED },
		{ SERVICE_DOWN, EVENT_READY },
		{ SERVICE_UP, EVENT_READY },
		{ SERVICE_BACKOFF, EVENT_READY },
		{ SERVICE_STOPPING, EVENT_READY },
		{ SERVICE_FINISHING, EVENT_READY },
		{ SERVICE_DOWN, EVENT_UNFIT },
		{ SERVICE_BACKOFF, EVENT_UNFIT },
		{ SERVICE_STOPPING, EVENT_UNFIT },
		{ SERVICE_FINISHING, EVENT_UNFIT },
		{ SERVICE_FAILED, EVENT_STARTED },
		{ SERVICE_FAILED, EVENT_START_FAILED },
		{ SERVICE_FAILED, EVENT_EXITED },
		{ SERVICE_FAILED, EVENT_GROUP_GONE },
		{ SERVICE_FAILED, EVENT_FINISHED },
		{ SERVICE_FAILED, EVENT_PREPARED },
		{ SERVICE_FAILED, EVENT_READY },
		{ SERVICE_FAILED, EVENT_UNFIT },
		{ SERVICE_FAILED, EVENT_TIMER },
	};
	struct service_step step;
	enum service_want want;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(foreign) / sizeof(foreign[0]); i++)
		for (want = WANT_DOWN; want < SERVICE_WANTS; want++) {
			step = fsm_step(foreign[i].state, want,
			    foreign[i].event, &with_finish);
			assert_int_equal(step.state, foreign[i].state);
			assert_int_equal(step.action, ACTION_NONE);
			assert_int_equal(step.delay_ms, KEEP_TIMER);
		}
}

/*
 * A service that dies quick_deaths times in a row, each after lived_ms, on a
 * clock of our own: how long it waits before it is started again.
 */
static int64_t
wait_after(uint32_t quick_deaths, int64_t lived_ms)
{
	const struct service_policy policy = {
		.quick_deaths = quick_deaths, .started_ago_ms = lived_ms,
	};
	struct service_step step = fsm_step(SERVICE_UP, WANT_UP, EVENT_EXITED,
	    &policy);

	if (step.state == SERVICE_STARTING) {
		assert_int_equal(step.action, ACTION_START);
		return 0;
	}
	assert_int_equal(step.state, SERVICE_BACKOFF);
	assert_int_equal(step.action, ACTION_NONE);
	return step.delay_ms;
}

/* Up, down, waiting: each ends in a new start, and none loses its finish. */
static void
restart_ends_and_starts(void **state)
{
	static const struct row rows[] = {
		{ SERVICE_DOWN, WANT_UP, EVENT_RESTART, &plain,
		    { SERVICE_STARTING, ACTION_START, NO_TIMER } },
		{ SERVICE_BACKOFF, WANT_UP, EVENT_RESTART, &plain,
		    { SERVICE_STARTING, ACTION_START, NO_TIMER } },
		{ SERVICE_UP, WANT_UP, EVENT_RESTART, &plain,
		    { SERVICE_STOPPING, ACTION_STOP, STOP_MS } },
		{ SERVICE_STARTING, WANT_UP, EVENT_RESTART, &plain,
		    { SERVICE_STOPPING, ACTION_STOP, STOP_MS } },
		/* What is ending already is not told to end again. */
		{ SERVICE_STOPPING, WANT_UP, EVENT_RESTART, &plain,
		    { SERVICE_STOPPING, ACTION_NONE, KEEP_TIMER } },
		{ SERVICE_FINISHING, WANT_UP, EVENT_RESTART, &with_finish,
		    { SERVICE_FINISHING, ACTION_NONE, KEEP_TIMER } },
		{ SERVICE_STOPPING, WANT_UP, EVENT_GROUP_GONE, &plain,
		    { SERVICE_STARTING, ACTION_START, NO_TIMER } },
	};

	(void)state;
	CHECK(rows);
}

static void
once_is_not_started_again(void **state)
{
	static const struct row rows[] = {
		{ SERVICE_DOWN, WANT_ONCE, EVENT_START, &plain,
		    { SERVICE_STARTING, ACTION_START, NO_TIMER } },
		{ SERVICE_STARTING, WANT_ONCE, EVENT_STARTED, &plain,
		    { SERVICE_UP, ACTION_NONE, NO_TIMER } },
		{ SERVICE_UP, WANT_ONCE, EVENT_EXITED, &plain,
		    { SERVICE_DOWN, ACTION_NONE, NO_TIMER, true } },
		{ SERVICE_STARTING, WANT_ONCE, EVENT_START_FAILED, &plain,
		    { SERVICE_DOWN, ACTION_NONE, NO_TIMER, true } },
		{ SERVICE_UP, WANT_ONCE, EVENT_EXITED, &with_finish,
		    { SERVICE_FINISHING, ACTION_FINISH, FINISH_MS } },
		{ SERVICE_FINISHING, WANT_ONCE, EVENT_FINISHED, &with_finish,
		    { SERVICE_DOWN, ACTION_NONE, NO_TIMER, true } },
		{ SERVICE_BACKOFF, WANT_ONCE, EVENT_TIMER, &plain,
		    { SERVICE_STARTING, ACTION_START, NO_TIMER } },
	};

	(void)state;
	CHECK(rows);
}

/* control/u comes before run, and control/t and d before finish. */
static void
hooks_have_their_place(void **state)
{
	static const struct row rows[] = {
		{ SERVICE_STARTING, WANT_UP, EVENT_PREPARED, &plain,
		    { SERVICE_STARTING, ACTION_EXECUTE, NO_TIMER } },
		{ SERVICE_STARTING, WANT_ONCE, EVENT_PREPARED, &plain,
		    { SERVICE_STARTING, ACTION_EXECUTE, NO_TIMER } },
		/* Stopped before run began: there is nothing to finish. */
		{ SERVICE_STARTING, WANT_DOWN, EVENT_STOP, &with_finish,
		    { SERVICE_STOPPING, ACTION_STOP, STOP_MS } },
		{ SERVICE_STOPPING, WANT_DOWN, EVENT_PREPARED, &with_finish,
		    { SERVICE_DOWN, ACTION_NONE, NO_TIMER } },
		{ SERVICE_STOPPING, WANT_UP, EVENT_PREPARED, &with_finish,
		    { SERVICE_STARTING, ACTION_START, NO_TIMER } },
		{ SERVICE_STOPPING, WANT_DOWN, EVENT_EXITED, &with_hook,
		    { SERVICE_STOPPING, ACTION_END_GROUP, KEEP_TIMER } },
		{ SERVICE_STOPPING, WANT_DOWN, EVENT_GROUP_GONE, &with_hook,
		    { SERVICE_STOPPING, ACTION_NONE, KEEP_TIMER } },
		{ SERVICE_STOPPING, WANT_DOWN, EVENT_TIMER, &with_hook,
		    { SERVICE_STOPPING, ACTION_KILL, KILL_PATIENCE_MS } },
		{ SERVICE_UP, WANT_UP, EVENT_EXITED, &with_hook,
		    { SERVICE_FINISHING, ACTION_FINISH, FINISH_MS } },
	};

	(void)state;
	CHECK(rows);
}

/* What would start is down until what it depends on is up. */
static void
blocked_waits_and_is_down(void **state)
{
	static const struct service_policy failing = {
		.blocked = true, .quick_deaths = 1,
	};
	static const struct row rows[] = {
		{ SERVICE_DOWN, WANT_UP, EVENT_START, &blocked,
		    { SERVICE_DOWN, ACTION_NONE, NO_TIMER } },
		{ SERVICE_DOWN, WANT_UP, EVENT_RESTART, &blocked,
		    { SERVICE_DOWN, ACTION_NONE, NO_TIMER } },
		{ SERVICE_DOWN, WANT_ONCE, EVENT_START, &blocked,
		    { SERVICE_DOWN, ACTION_NONE, NO_TIMER } },
		{ SERVICE_BACKOFF, WANT_UP, EVENT_TIMER, &blocked,
		    { SERVICE_DOWN, ACTION_NONE, NO_TIMER } },
		{ SERVICE_BACKOFF, WANT_UP, EVENT_START, &blocked,
		    { SERVICE_DOWN, ACTION_NONE, NO_TIMER } },
		{ SERVICE_UP, WANT_UP, EVENT_EXITED, &blocked,
		    { SERVICE_DOWN, ACTION_NONE, NO_TIMER } },
		{ SERVICE_STOPPING, WANT_UP, EVENT_GROUP_GONE, &blocked,
		    { SERVICE_DOWN, ACTION_NONE, NO_TIMER } },
		{ SERVICE_STOPPING, WANT_UP, EVENT_PREPARED, &blocked,
		    { SERVICE_DOWN, ACTION_NONE, NO_TIMER } },
		{ SERVICE_FINISHING, WANT_UP, EVENT_FINISHED, &blocked,
		    { SERVICE_DOWN, ACTION_NONE, NO_TIMER } },
		/* Its pause comes first. */
		{ SERVICE_UP, WANT_UP, EVENT_EXITED, &failing,
		    { SERVICE_BACKOFF, ACTION_NONE, 1000 } },
		/* What runs, or is about to, goes on. */
		{ SERVICE_STARTING, WANT_UP, EVENT_PREPARED, &blocked,
		    { SERVICE_STARTING, ACTION_EXECUTE, NO_TIMER } },
		{ SERVICE_STARTING, WANT_UP, EVENT_STARTED, &blocked,
		    { SERVICE_UP, ACTION_NONE, NO_TIMER } },
		{ SERVICE_UP, WANT_UP, EVENT_RESTART, &blocked,
		    { SERVICE_STOPPING, ACTION_STOP, STOP_MS } },
	};

	(void)state;
	CHECK(rows);
}

/* What others need is asked to end when they have, but may end by itself. */
static void
needed_is_not_stopped_yet(void **state)
{
	static const struct row rows[] = {
		{ SERVICE_UP, WANT_DOWN, EVENT_STOP, &needed,
		    { SERVICE_UP, ACTION_NONE, KEEP_TIMER } },
		{ SERVICE_UP, WANT_DOWN, EVENT_EXITED, &needed,
		    { SERVICE_DOWN, ACTION_NONE, NO_TIMER } },
		{ SERVICE_BACKOFF, WANT_DOWN, EVENT_STOP, &needed,
		    { SERVICE_DOWN, ACTION_NONE, NO_TIMER } },
		{ SERVICE_STARTING, WANT_DOWN, EVENT_STOP, &needed,
		    { SERVICE_STOPPING, ACTION_STOP, STOP_MS } },
		{ SERVICE_STOPPING, WANT_DOWN, EVENT_TIMER, &needed,
		    { SERVICE_STOPPING, ACTION_KILL, KILL_PATIENCE_MS } },
		{ SERVICE_FINISHING, WANT_DOWN, EVENT_STOP, &needed,
		    { SERVICE_FINISHING, ACTION_NONE, FINISH_MS } },
	};

	(void)state;
	CHECK(rows);
}

static void
restarts_are_paced(void **state)
{
	static const int64_t interval_ms[] = {
		0, 1000, 1000, 1000, 1000, 1000,
		2000, 4000, 8000, 16000, 30000, 30000, 30000
	};
	uint32_t deaths;

	(void)state;
	/* It lived a second: no wait. */
	assert_int_equal(wait_after(0, 1000), 0);
	assert_int_equal(wait_after(0, 2500), 0);
	for (deaths = 1; deaths < 13; deaths++) {
		assert_int_equal(wait_after(deaths, 0), interval_ms[deaths]);
		/* From start to start: what it lived counts. */
		assert_int_equal(wait_after(deaths, 400),
		    interval_ms[deaths] - 400);
	}
	assert_int_equal(wait_after(UINT32_MAX, 0), BACKOFF_MAX_MS);
	/* finish took longer than the wait would have been. */
	assert_int_equal(wait_after(1, 3000), 0);
}

/* Deaths in the last 60 seconds: each at so many milliseconds. */
static unsigned
deaths_at(const int64_t *at_ms, size_t count)
{
	uint32_t second = 0;
	uint64_t deaths = 0;
	size_t i;

	for (i = 0; i < count; i++)
		fsm_count_death(&deaths, &second, at_ms[i]);
	return state_deaths(deaths);
}
#define DEATHS_AT(...) \
	deaths_at((const int64_t[]){ __VA_ARGS__ }, \
	    sizeof((const int64_t[]){ __VA_ARGS__ }) / sizeof(int64_t))

/* max-death-tally: at any moment the last 60 seconds count, not those since a first. */
static void
deaths_are_counted_of_the_last_minute(void **state)
{
	const int64_t days_ms = INT64_C(365) * 86400 * 1000;
	uint32_t second = 0;
	uint64_t deaths = 0;
	int64_t at_ms;

	(void)state;
	assert_int_equal(DEATHS_AT(0), 1);
	assert_int_equal(DEATHS_AT(days_ms), 1);
	assert_int_equal(DEATHS_AT(1000, 2000, 60999), 3);
	/* The first is out of it, and the others are not. */
	assert_int_equal(DEATHS_AT(1000, 50000, 59000, 61000), 3);
	assert_int_equal(DEATHS_AT(1000, 59000, 61000, 70000), 3);
	assert_int_equal(DEATHS_AT(0, 40000, 80000, 120000, 160000), 2);
	/* After a long time, all are; however long that is. */
	assert_int_equal(DEATHS_AT(0, 1000, 2000, 62000), 1);
	assert_int_equal(DEATHS_AT(0, 1000, 2000, 2000 + 64000), 1);
	assert_int_equal(DEATHS_AT(0, 1000, days_ms), 1);
	/* Two in one second are two; so is a third, in the next. */
	assert_int_equal(DEATHS_AT(900, 999), 2);
	assert_int_equal(DEATHS_AT(900, 999, 1900), 3);
	assert_int_equal(DEATHS_AT(900, 999, 1900, 60000), 3);
	/* No more than it has bits for, and as many of them always. */
	for (at_ms = 0; at_ms < 200000; at_ms += 1000) {
		fsm_count_death(&deaths, &second, at_ms);
		assert_int_equal(state_deaths(deaths),
		    at_ms < 60000 ? at_ms / 1000 + 1 : 60);
	}
}

/* --- settings ---------------------------------------------------------------------- */

/* What does not parse is not started, and does not keep what runs from running. */
static void
broken_fails_instead_of_starting(void **state)
{
	static const struct service_policy broken = {
		.broken = true, .runs = true, .stop_grace_ms = STOP_MS,
	};
	/* It waits for nobody then. */
	static const struct service_policy both = {
		.broken = true, .blocked = true,
	};
	static const struct row rows[] = {
		{ SERVICE_DOWN, WANT_UP, EVENT_START, &broken,
		    { SERVICE_FAILED, ACTION_NONE, NO_TIMER } },
		{ SERVICE_DOWN, WANT_ONCE, EVENT_START, &broken,
		    { SERVICE_FAILED, ACTION_NONE, NO_TIMER } },
		{ SERVICE_DOWN, WANT_UP, EVENT_START, &both,
		    { SERVICE_FAILED, ACTION_NONE, NO_TIMER } },
		{ SERVICE_BACKOFF, WANT_UP, EVENT_TIMER, &broken,
		    { SERVICE_FAILED, ACTION_NONE, NO_TIMER } },
		{ SERVICE_FAILED, WANT_UP, EVENT_START, &broken,
		    { SERVICE_FAILED, ACTION_NONE, NO_TIMER } },
		{ SERVICE_UP, WANT_UP, EVENT_EXITED, &broken,
		    { SERVICE_FAILED, ACTION_NONE, NO_TIMER } },
		{ SERVICE_STOPPING, WANT_UP, EVENT_GROUP_GONE, &broken,
		    { SERVICE_FAILED, ACTION_NONE, NO_TIMER } },
		{ SERVICE_STOPPING, WANT_DOWN, EVENT_GROUP_GONE, &broken,
		    { SERVICE_DOWN, ACTION_NONE, NO_TIMER } },
		{ SERVICE_STARTING, WANT_UP, EVENT_PREPARED, &broken,
		    { SERVICE_FAILED, ACTION_NONE, NO_TIMER } },
		{ SERVICE_STARTING, WANT_UP, EVENT_STARTED, &broken,
		    { SERVICE_UP, ACTION_NONE, NO_TIMER } },
		{ SERVICE_UP, WANT_UP, EVENT_RESTART, &broken,
		    { SERVICE_STOPPING, ACTION_STOP, STOP_MS } },
	};

	(void)state;
	CHECK(rows);
}

static void
failed_stays_until_it_is_asked_for(void **state)
{
	static const struct row rows[] = {
		{ SERVICE_FAILED, WANT_UP, EVENT_START, &plain,
		    { SERVICE_STARTING, ACTION_START, NO_TIMER } },
		{ SERVICE_FAILED, WANT_ONCE, EVENT_START, &plain,
		    { SERVICE_STARTING, ACTION_START, NO_TIMER } },
		{ SERVICE_FAILED, WANT_UP, EVENT_RESTART, &plain,
		    { SERVICE_STARTING, ACTION_START, NO_TIMER } },
		{ SERVICE_FAILED, WANT_UP, EVENT_START, &blocked,
		    { SERVICE_DOWN, ACTION_NONE, NO_TIMER } },
		{ SERVICE_FAILED, WANT_DOWN, EVENT_STOP, &plain,
		    { SERVICE_DOWN, ACTION_NONE, NO_TIMER } },
	};

	(void)state;
	CHECK(rows);
}

/* Up is when it says so; if it does not in time, it is stopped for that. */
static void
ready_later_is_starting_until_then(void **state)
{
	static const struct service_policy later = {
		.ready_later = true, .runs = true, .stop_grace_ms = STOP_MS,
	};
	static const struct service_policy limited = {
		.ready_later = true, .runs = true, .stop_grace_ms = STOP_MS,
		.timeout_up_ms = 700,
	};
	static const struct service_policy limited_plain = {
		.runs = true, .timeout_up_ms = 700,
	};
	static const struct row rows[] = {
		{ SERVICE_STARTING, WANT_UP, EVENT_STARTED, &later,
		    { SERVICE_STARTING, ACTION_NONE, NO_TIMER } },
		{ SERVICE_STARTING, WANT_UP, EVENT_STARTED, &limited,
		    { SERVICE_STARTING, ACTION_NONE, 700 } },
		/* What is up when it runs has nothing to be late with. */
		{ SERVICE_STARTING, WANT_UP, EVENT_STARTED, &limited_plain,
		    { SERVICE_UP, ACTION_NONE, NO_TIMER } },
		{ SERVICE_STARTING, WANT_DOWN, EVENT_STARTED, &limited,
		    { SERVICE_STOPPING, ACTION_STOP, STOP_MS } },
		{ SERVICE_STARTING, WANT_UP, EVENT_READY, &limited,
		    { SERVICE_UP, ACTION_NONE, NO_TIMER } },
		{ SERVICE_STARTING, WANT_UP, EVENT_TIMER, &limited,
		    { SERVICE_STOPPING, ACTION_STOP, STOP_MS, .unfit = true } },
		{ SERVICE_STARTING, WANT_UP, EVENT_UNFIT, &later,
		    { SERVICE_STOPPING, ACTION_STOP, STOP_MS, .unfit = true } },
		{ SERVICE_UP, WANT_UP, EVENT_UNFIT, &plain,
		    { SERVICE_STOPPING, ACTION_STOP, STOP_MS, .unfit = true } },
		/* Who is asked to stop meanwhile is not unfit. */
		{ SERVICE_STARTING, WANT_DOWN, EVENT_STOP, &limited,
		    { SERVICE_STOPPING, ACTION_STOP, STOP_MS } },
	};

	(void)state;
	CHECK(rows);
}

/* The end of one that was unfit is a death; one that was asked for is none. */
static void
the_reason_of_an_end_decides(void **state)
{
	static const struct service_policy unfit = {
		.runs = true, .quick_deaths = 1, .started_ago_ms = 300,
	};
	static const struct service_policy unfit_never = {
		.runs = true, .restart = RESTART_NEVER,
	};
	static const struct service_policy unfit_too_often = {
		.runs = true, .exhausted = true,
	};
	static const struct service_policy asked_never = {
		.runs = true, .asked = true, .restart = RESTART_NEVER,
	};
	static const struct service_policy asked_too_often = {
		.runs = true, .asked = true, .exhausted = true,
	};
	static const struct service_policy asked_oneshot = {
		.runs = true, .asked = true, .type = TYPE_ONESHOT,
		.restart = RESTART_NEVER, .ended_well = true, .every_ms = 5000,
	};
	static const struct row rows[] = {
		{ SERVICE_STOPPING, WANT_UP, EVENT_GROUP_GONE, &unfit,
		    { SERVICE_BACKOFF, ACTION_NONE, 700 } },
		{ SERVICE_STOPPING, WANT_UP, EVENT_GROUP_GONE, &unfit_never,
		    { SERVICE_FAILED, ACTION_NONE, NO_TIMER, .over = true } },
		{ SERVICE_STOPPING, WANT_UP, EVENT_GROUP_GONE,
		    &unfit_too_often,
		    { SERVICE_FAILED, ACTION_NONE, NO_TIMER } },
		{ SERVICE_STOPPING, WANT_UP, EVENT_GROUP_GONE, &asked_never,
		    { SERVICE_STARTING, ACTION_START, NO_TIMER } },
		{ SERVICE_STOPPING, WANT_UP, EVENT_GROUP_GONE,
		    &asked_too_often,
		    { SERVICE_STARTING, ACTION_START, NO_TIMER } },
		/* To be restarted it had to end, and is not done with that. */
		{ SERVICE_STOPPING, WANT_UP, EVENT_GROUP_GONE, &asked_oneshot,
		    { SERVICE_STARTING, ACTION_START, NO_TIMER } },
		{ SERVICE_STOPPING, WANT_DOWN, EVENT_GROUP_GONE,
		    &asked_oneshot, { SERVICE_DOWN, ACTION_NONE, NO_TIMER } },
	};

	(void)state;
	CHECK(rows);
}

static void
restart_says_whether_it_is_started_again(void **state)
{
	static const struct service_policy always_well = {
		.runs = true, .ended_well = true,
	};
	static const struct service_policy failure_well = {
		.runs = true, .ended_well = true, .restart = RESTART_ON_FAILURE,
	};
	static const struct service_policy failure_badly = {
		.runs = true, .quick_deaths = 1, .restart = RESTART_ON_FAILURE,
	};
	static const struct service_policy never_well = {
		.runs = true, .ended_well = true, .restart = RESTART_NEVER,
	};
	static const struct service_policy never_badly = {
		.runs = true, .restart = RESTART_NEVER,
	};
	static const struct row rows[] = {
		{ SERVICE_UP, WANT_UP, EVENT_EXITED, &always_well,
		    { SERVICE_STARTING, ACTION_START, NO_TIMER } },
		{ SERVICE_UP, WANT_UP, EVENT_EXITED, &failure_well,
		    { SERVICE_DOWN, ACTION_NONE, NO_TIMER, .over = true } },
		{ SERVICE_FINISHING, WANT_UP, EVENT_FINISHED, &failure_well,
		    { SERVICE_DOWN, ACTION_NONE, NO_TIMER, .over = true } },
		{ SERVICE_UP, WANT_UP, EVENT_EXITED, &failure_badly,
		    { SERVICE_BACKOFF, ACTION_NONE, 1000 } },
		{ SERVICE_UP, WANT_UP, EVENT_EXITED, &never_well,
		    { SERVICE_DOWN, ACTION_NONE, NO_TIMER, .over = true } },
		{ SERVICE_UP, WANT_UP, EVENT_EXITED, &never_badly,
		    { SERVICE_FAILED, ACTION_NONE, NO_TIMER, .over = true } },
		{ SERVICE_STARTING, WANT_UP, EVENT_START_FAILED, &never_badly,
		    { SERVICE_FAILED, ACTION_NONE, NO_TIMER, .over = true } },
		/* Once is once, and down is down, whatever the file says. */
		{ SERVICE_UP, WANT_ONCE, EVENT_EXITED, &never_badly,
		    { SERVICE_DOWN, ACTION_NONE, NO_TIMER, .over = true } },
		{ SERVICE_UP, WANT_DOWN, EVENT_EXITED, &never_badly,
		    { SERVICE_DOWN, ACTION_NONE, NO_TIMER } },
	};

	(void)state;
	CHECK(rows);
}

/* max-death-tally */
static void
exhausted_is_failed(void **state)
{
	static const struct service_policy exhausted = {
		.has_finish = true, .runs = true, .exhausted = true,
		.quick_deaths = 3, .finish_grace_ms = FINISH_MS,
	};
	/* Its restart says that already, and that it has ended well. */
	static const struct service_policy never = {
		.runs = true, .exhausted = true, .restart = RESTART_NEVER,
		.ended_well = true,
	};
	static const struct service_policy without_finish = {
		.runs = true, .exhausted = true, .quick_deaths = 3,
		.restart = RESTART_ON_FAILURE,
	};
	static const struct row rows[] = {
		{ SERVICE_UP, WANT_UP, EVENT_EXITED, &exhausted,
		    { SERVICE_FINISHING, ACTION_FINISH, FINISH_MS } },
		{ SERVICE_FINISHING, WANT_UP, EVENT_FINISHED, &exhausted,
		    { SERVICE_FAILED, ACTION_NONE, NO_TIMER } },
		{ SERVICE_UP, WANT_UP, EVENT_EXITED, &without_finish,
		    { SERVICE_FAILED, ACTION_NONE, NO_TIMER } },
		{ SERVICE_STARTING, WANT_UP, EVENT_START_FAILED,
		    &without_finish,
		    { SERVICE_FAILED, ACTION_NONE, NO_TIMER } },
		{ SERVICE_UP, WANT_UP, EVENT_EXITED, &never,
		    { SERVICE_DOWN, ACTION_NONE, NO_TIMER, .over = true } },
		{ SERVICE_FINISHING, WANT_DOWN, EVENT_FINISHED, &exhausted,
		    { SERVICE_DOWN, ACTION_NONE, NO_TIMER } },
		{ SERVICE_FINISHING, WANT_ONCE, EVENT_FINISHED, &exhausted,
		    { SERVICE_DOWN, ACTION_NONE, NO_TIMER, .over = true } },
	};

	(void)state;
	CHECK(rows);
}

/* A oneshot is up when run has ended well, and has no process then. */
static void
a_oneshot_is_up_when_it_is_done(void **state)
{
	static const struct service_policy well = {
		.runs = true, .ready_later = true, .type = TYPE_ONESHOT,
		.restart = RESTART_NEVER, .ended_well = true,
		.timeout_up_ms = 700,
	};
	static const struct service_policy well_always = {
		.runs = true, .type = TYPE_ONESHOT, .ended_well = true,
	};
	static const struct service_policy badly = {
		.runs = true, .type = TYPE_ONESHOT, .restart = RESTART_NEVER,
	};
	static const struct service_policy badly_always = {
		.runs = true, .type = TYPE_ONESHOT, .quick_deaths = 1,
	};
	static const struct row rows[] = {
		{ SERVICE_STARTING, WANT_UP, EVENT_STARTED, &well,
		    { SERVICE_STARTING, ACTION_NONE, 700 } },
		{ SERVICE_STARTING, WANT_UP, EVENT_EXITED, &well,
		    { SERVICE_UP, ACTION_NONE, NO_TIMER } },
		{ SERVICE_STARTING, WANT_UP, EVENT_EXITED, &well_always,
		    { SERVICE_UP, ACTION_NONE, NO_TIMER } },
		{ SERVICE_STARTING, WANT_ONCE, EVENT_EXITED, &well,
		    { SERVICE_UP, ACTION_NONE, NO_TIMER } },
		{ SERVICE_FINISHING, WANT_UP, EVENT_FINISHED, &well,
		    { SERVICE_UP, ACTION_NONE, NO_TIMER } },
		{ SERVICE_STARTING, WANT_DOWN, EVENT_EXITED, &well,
		    { SERVICE_DOWN, ACTION_NONE, NO_TIMER } },
		{ SERVICE_STARTING, WANT_UP, EVENT_EXITED, &badly,
		    { SERVICE_FAILED, ACTION_NONE, NO_TIMER, .over = true } },
		{ SERVICE_STARTING, WANT_UP, EVENT_START_FAILED, &badly,
		    { SERVICE_FAILED, ACTION_NONE, NO_TIMER, .over = true } },
		{ SERVICE_STARTING, WANT_UP, EVENT_EXITED, &badly_always,
		    { SERVICE_BACKOFF, ACTION_NONE, 1000 } },
		{ SERVICE_STARTING, WANT_ONCE, EVENT_EXITED, &badly,
		    { SERVICE_DOWN, ACTION_NONE, NO_TIMER, .over = true } },
	};

	(void)state;
	CHECK(rows);
}

/* Up, and no process: what comes then. */
static void
what_is_done_is_asked_or_repeated(void **state)
{
	static const struct service_policy done = { .type = TYPE_ONESHOT };
	static const struct service_policy done_needed = {
		.type = TYPE_ONESHOT, .needed = true,
	};
	static const struct service_policy done_blocked = {
		.type = TYPE_ONESHOT, .blocked = true,
	};
	static const struct service_policy done_broken = {
		.type = TYPE_ONESHOT, .broken = true,
	};
	static const struct row rows[] = {
		{ SERVICE_UP, WANT_DOWN, EVENT_STOP, &done,
		    { SERVICE_DOWN, ACTION_NONE, NO_TIMER } },
		/* Down after those that need it, and not repeated before. */
		{ SERVICE_UP, WANT_DOWN, EVENT_STOP, &done_needed,
		    { SERVICE_UP, ACTION_NONE, NO_TIMER } },
		{ SERVICE_UP, WANT_UP, EVENT_RESTART, &done,
		    { SERVICE_STARTING, ACTION_START, NO_TIMER } },
		{ SERVICE_UP, WANT_UP, EVENT_TIMER, &done,
		    { SERVICE_STARTING, ACTION_START, NO_TIMER } },
		{ SERVICE_UP, WANT_UP, EVENT_TIMER, &done_blocked,
		    { SERVICE_DOWN, ACTION_NONE, NO_TIMER } },
		{ SERVICE_UP, WANT_UP, EVENT_TIMER, &done_broken,
		    { SERVICE_FAILED, ACTION_NONE, NO_TIMER } },
		{ SERVICE_UP, WANT_UP, EVENT_START, &done,
		    { SERVICE_UP, ACTION_NONE, KEEP_TIMER } },
		{ SERVICE_UP, WANT_UP, EVENT_READY, &done,
		    { SERVICE_UP, ACTION_NONE, KEEP_TIMER } },
		{ SERVICE_UP, WANT_UP, EVENT_UNFIT, &done,
		    { SERVICE_UP, ACTION_NONE, KEEP_TIMER } },
	};

	(void)state;
	CHECK(rows);
}

/* From start to start; what it took counts, and more than that is at once. */
static void
every_repeats_a_oneshot(void **state)
{
	static const struct service_policy well = {
		.runs = true, .type = TYPE_ONESHOT, .restart = RESTART_NEVER,
		.ended_well = true, .every_ms = 5000, .started_ago_ms = 1200,
	};
	static const struct service_policy slow = {
		.runs = true, .type = TYPE_ONESHOT, .restart = RESTART_NEVER,
		.ended_well = true, .every_ms = 5000, .started_ago_ms = 9000,
	};
	static const struct service_policy badly = {
		.runs = true, .type = TYPE_ONESHOT, .restart = RESTART_NEVER,
		.every_ms = 5000, .started_ago_ms = 1200, .quick_deaths = 3,
	};
	static const struct service_policy badly_too_often = {
		.runs = true, .type = TYPE_ONESHOT, .restart = RESTART_NEVER,
		.every_ms = 5000, .started_ago_ms = 1200, .exhausted = true,
	};
	static const struct service_policy badly_slow = {
		.runs = true, .type = TYPE_ONESHOT, .restart = RESTART_NEVER,
		.every_ms = 5000, .started_ago_ms = 9000,
	};
	static const struct service_policy badly_on_failure = {
		.runs = true, .type = TYPE_ONESHOT,
		.restart = RESTART_ON_FAILURE, .every_ms = 5000,
		.started_ago_ms = 200, .quick_deaths = 1,
	};
	static const struct row rows[] = {
		{ SERVICE_STARTING, WANT_UP, EVENT_EXITED, &well,
		    { SERVICE_UP, ACTION_NONE, 3800 } },
		{ SERVICE_FINISHING, WANT_UP, EVENT_FINISHED, &well,
		    { SERVICE_UP, ACTION_NONE, 3800 } },
		{ SERVICE_STARTING, WANT_UP, EVENT_EXITED, &slow,
		    { SERVICE_UP, ACTION_NONE, 0 } },
		{ SERVICE_STARTING, WANT_ONCE, EVENT_EXITED, &well,
		    { SERVICE_UP, ACTION_NONE, NO_TIMER } },
		{ SERVICE_STARTING, WANT_DOWN, EVENT_EXITED, &well,
		    { SERVICE_DOWN, ACTION_NONE, NO_TIMER } },
		/* The next time may be better. */
		{ SERVICE_STARTING, WANT_UP, EVENT_EXITED, &badly,
		    { SERVICE_BACKOFF, ACTION_NONE, 3800 } },
		{ SERVICE_STARTING, WANT_UP, EVENT_EXITED, &badly_too_often,
		    { SERVICE_FAILED, ACTION_NONE, NO_TIMER } },
		{ SERVICE_STARTING, WANT_UP, EVENT_EXITED, &badly_slow,
		    { SERVICE_STARTING, ACTION_START, NO_TIMER } },
		{ SERVICE_STARTING, WANT_UP, EVENT_EXITED, &badly_on_failure,
		    { SERVICE_BACKOFF, ACTION_NONE, 800 } },
		{ SERVICE_STARTING, WANT_ONCE, EVENT_EXITED, &badly,
		    { SERVICE_DOWN, ACTION_NONE, NO_TIMER, .over = true } },
	};

	(void)state;
	CHECK(rows);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(down_starts_when_wanted),
		cmocka_unit_test(starting_is_up_or_tried_again),
		cmocka_unit_test(up_is_restarted_or_stopped),
		cmocka_unit_test(stopping_ends_the_group_then_finishes),
		cmocka_unit_test(finishing_is_awaited_but_not_for_ever),
		cmocka_unit_test(backoff_waits_unless_told_otherwise),
		cmocka_unit_test(foreign_events_change_nothing),
		cmocka_unit_test(restart_ends_and_starts),
		cmocka_unit_test(once_is_not_started_again),
		cmocka_unit_test(hooks_have_their_place),
		cmocka_unit_test(blocked_waits_and_is_down),
		cmocka_unit_test(needed_is_not_stopped_yet),
		cmocka_unit_test(restarts_are_paced),
		cmocka_unit_test(deaths_are_counted_of_the_last_minute),
		cmocka_unit_test(broken_fails_instead_of_starting),
		cmocka_unit_test(failed_stays_until_it_is_asked_for),
		cmocka_unit_test(ready_later_is_starting_until_then),
		cmocka_unit_test(the_reason_of_an_end_decides),
		cmocka_unit_test(restart_says_whether_it_is_started_again),
		cmocka_unit_test(exhausted_is_failed),
		cmocka_unit_test(a_oneshot_is_up_when_it_is_done),
		cmocka_unit_test(what_is_done_is_asked_or_repeated),
		cmocka_unit_test(every_repeats_a_oneshot),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
