/*
 * What a service does next.  A header of its own, because fsm.c is pure and sees
 * neither libevent nor anything that could do I/O.
 *
 * What a service is (state), what is wanted of it (want) and what happened to it
 * (event) are three things.  fsm_step is the only place that relates them.
 */
#ifndef SUPERVISOR_FSM_H
#define SUPERVISOR_FSM_H

#include <stdbool.h>
#include <stdint.h>

#include "proto/settings.h"
#include "proto/state.h"

#define QUICK_DEATH_MS		1000	/* a run this short was no success */
#define QUICK_DEATHS_MAX	5	/* in a row, before starts get rarer */
#define BACKOFF_MAX_MS		30000
#define DEATH_TALLY_S	60	/* in which deaths are counted; at most 64 */
#define KILL_PATIENCE_MS	5000	/* for the kernel, after a KILL */

enum service_event {
	EVENT_START = 1,	/* somebody wants it up */
	EVENT_STOP,		/* somebody wants it down */
	EVENT_STARTED,		/* run is being executed */
	EVENT_START_FAILED,	/* run could not be executed */
	EVENT_EXITED,		/* run has ended */
	EVENT_GROUP_GONE,	/* what run left behind has ended, too */
	EVENT_FINISHED,		/* finish has ended or could not start */
	EVENT_TIMER,		/* deadline_ms is reached */
	EVENT_RESTART,		/* somebody wants it to end and come up again */
	EVENT_PREPARED,		/* what comes before run is over (control/u) */
	EVENT_READY,		/* run says, or check does, that it is ready */
	EVENT_UNFIT,		/* it does not do its work: health, watchdog */
};

enum service_action {
	ACTION_NONE,
	ACTION_START,		/* prepare, and execute run */
	ACTION_EXECUTE,		/* execute run: it is prepared */
	ACTION_STOP,		/* ask it to end */
	ACTION_KILL,		/* make it end */
	ACTION_END_GROUP,	/* ask what run left behind to end */
	ACTION_FINISH,		/* execute finish */
};

struct service_policy {
	bool		has_finish;
	bool		stop_hook;		/* control/t or d runs */
	bool		blocked;		/* what it depends on is not up */
	bool		needed;			/* others have to end first */
	bool		broken;			/* its settings do not parse */
	bool		runs;			/* it has a process */
	bool		ready_later;		/* up is when that has been said */
	bool		asked;			/* its end was asked for */
	bool		ended_well;		/* run, with 0 and by itself */
	bool		exhausted;		/* it has died too often */
	enum service_type type;
	enum service_restart restart;
	int64_t		every_ms;		/* 0: not repeated */
	int64_t		timeout_up_ms;		/* 0: none */
	uint32_t	quick_deaths;		/* in a row */
	int64_t		started_ago_ms;		/* the last start of run */
	int64_t		stop_grace_ms;
	int64_t		finish_grace_ms;
};

/* delay_ms is the time to EVENT_TIMER, or one of these. */
#define NO_TIMER	(-1)
#define KEEP_TIMER	(-2)

struct service_step {
	enum service_state	state;
	enum service_action	action;
	int64_t			delay_ms;
	bool			over;	/* it has come to its end: wanted no more */
	bool			unfit;	/* it is stopped for what it does not do */
};

/*
 * Counts a death among those of the last DEATH_TALLY_S seconds: bit n of *deaths is
 * one that came n seconds before *second, in which the last one did.  Starts are a
 * second apart, so that one bit a second holds them all: one in a second that has its
 * own is counted in the next.
 */
void	fsm_count_death(uint64_t *deaths, uint32_t *second, int64_t now_ms);

struct service_step fsm_step(enum service_state, enum service_want,
	    enum service_event, const struct service_policy *);

#endif
