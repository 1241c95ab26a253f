/*
 * The state table: what must survive the supervisor, and nothing else.
 *
 * A memfd that my_init makes and every supervisor maps in turn.  It is the
 * supervisor's record of its processes, not a copy of one: a field is changed
 * here first and acted on afterwards, so that the next supervisor goes on where
 * the last one was killed.  What can be read again from files is not in it.
 *
 * These rules make a kill -9 at any instruction harmless:
 *
 * - Who starts a process puts a ticket (a negative number, never used twice)
 *   into its pid field.  The child trades the ticket for its own pid before it
 *   executes anything, and ends if the ticket is gone.  A supervisor that finds
 *   a ticket takes it back: the child of a dead supervisor then cannot start
 *   late, beside a second one.
 * - An end is written here before the process is reaped.  A pid in the table is
 *   therefore never a pid that the kernel could have given to a stranger.
 *
 * - What has been decided is written before it is done, in one store, and the
 *   next supervisor does it if this one could not.
 *
 * Readers other than the supervisor use the sequence number: odd while a slot
 * is being changed.  Times are CLOCK_MONOTONIC milliseconds; 0 is "none".
 */
#ifndef PROTO_STATE_H
#define PROTO_STATE_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/init.h"

#define STATE_MAGIC	0x6d79696eu	/* "myin" */
#define STATE_VERSION	5
#define STATE_SLOTS	8192
#define STATE_NAME_MAX	103		/* bytes of a service's name */
#define STATE_PATH_MAX	255
#define STATE_REASONS	255		/* services that have one at a time */
#define STATE_REASON_MAX 239		/* bytes of a reason */
#define STATE_WAITS	"waits for "	/* so begins that of what another's failure keeps down */

/* What a service is.  Numbers are never reused. */
enum service_state {
	SERVICE_DOWN = 1,	/* nothing runs and nothing is due */
	SERVICE_STARTING = 2,	/* run runs, and is not ready yet */
	SERVICE_UP = 3,		/* it is ready; a oneshot has ended well */
	SERVICE_BACKOFF = 4,	/* waits for deadline_ms to be started again */
	SERVICE_STOPPING = 5,	/* told to end; KILL at deadline_ms */
	SERVICE_FINISHING = 6,	/* finish runs; KILL at deadline_ms */
	SERVICE_FAILED = 7,	/* nothing runs, nor will before it is asked for */
};
#define SERVICE_STATES	8	/* one past the last */
extern const char *const service_state_names[SERVICE_STATES];

/* What is wanted of it. */
enum service_want {
	WANT_DOWN = 1,
	WANT_UP = 2,
	WANT_ONCE = 3,		/* up, until it ends */
};
#define SERVICE_WANTS	4	/* one past the last */
extern const char *const service_want_names[SERVICE_WANTS];

/* Where the container is between its start and its end. */
enum phase {
	PHASE_ENVIRONMENT = 1,	/* import and export of the environment */
	PHASE_KEY = 2,		/* enable_insecure_key, if asked for */
	PHASE_SCRIPTS = 3,	/* /etc/my_init.d */
	PHASE_RC_LOCAL = 4,
	PHASE_RUNNING = 5,	/* services, main command */
	PHASE_STOP_SCRIPT = 6,	/* the boot was cut short */
	PHASE_STOP_COMMAND = 7,
	PHASE_PRE_SHUTDOWN = 8,
	PHASE_STOP_SERVICES = 9,
	PHASE_POST_SHUTDOWN = 10,
	PHASE_DONE = 11,
	PHASE_STOP_EARLY = 12,	/* before DONE: services of startup scripts */
};
#define PHASES	13
extern const char *const phase_names[PHASES];

/* Without "SIG"; NULL where there is none. */
#define SIGNAL_NAMES	32
extern const char *const signal_names[SIGNAL_NAMES];
#define SIGNAL_LARGEST	64
int	signal_number(const char *name, size_t length);

/* A process that is not a service: a script, or the main command. */
struct state_process {
	_Atomic int32_t	pid;		/* 0 none, < 0 a ticket */
	int32_t		status;		/* wait status, once it has ended */
	uint32_t	ended;		/* status is valid */
	uint32_t	stopping;	/* told to end; KILL at deadline_ms */
	int64_t		started_ms;
	int64_t		deadline_ms;
};

struct state_slot {
	char		name[STATE_NAME_MAX + 1];	/* "" is a free slot */
	_Atomic uint32_t sequence;
	union {
		struct {
			uint8_t	state;	/* enum service_state */
			uint8_t	want;	/* enum service_want */
			uint8_t	sent;	/* signal last sent to stop it */
			uint8_t	flags;	/* SLOT_ bits */
		};
		/* The four in one store: none is ever seen without the others. */
		_Atomic uint32_t condition;
	};
	_Atomic int32_t	pid;		/* of run or finish; 0, or a ticket */
	int32_t		group;		/* process group run has left behind, or 0 */
	int32_t		exit_status;	/* wait status of the last run */
	uint32_t	ends;		/* of run, and starts that failed */
	uint32_t	restarts;
	uint32_t	quick_deaths;	/* in a row, of less than a second */
	_Atomic int32_t	successor;	/* stands for run when that has ended; 0 */
	int16_t		error;		/* errno of the last start, or 0 */
	uint8_t		reason;		/* 1 + its index in the table's, or 0 */
	uint32_t	death_second;	/* in which it last died: fsm_count_death */
	int32_t		watchdog_ms;	/* WATCHDOG_USEC; 0 unsaid, -1 none */
	uint64_t	deaths;		/* bit n: one n seconds before that one */
	int64_t		since_ms;	/* in this state */
	int64_t		started_ms;	/* the last start of run */
	int64_t		deadline_ms;
	_Atomic int32_t	probe;		/* pid of check or health; 0, or a ticket */
	uint32_t	notifier;	/* of run's notification-fd: notify.c; or 0 */
};

/* How many times it has died, of late (state_slot.deaths). */
static inline unsigned
state_deaths(uint64_t deaths)
{
	return (unsigned)__builtin_popcountll(deaths);
}

/* Bits of state_slot.flags. */
#define SLOT_REMOVED	0x1u	/* its directory is gone */
#define SLOT_ENDED	0x2u	/* the process of this state has ended */
#define SLOT_PAUSED	0x4u	/* it was sent STOP, and no CONT since */
#define SLOT_TOLD	0x8u	/* all that is done to stop it has been done */
#define SLOT_EARLY	0x10u	/* a startup script has started it */
#define SLOT_UNFIT	0x20u	/* it is stopped because it does not do its work */
#define SLOT_ASKED	0x40u	/* it is stopped because somebody asked for that */
#define SLOT_SAYS	0x80u	/* its reason is what it says of itself (STATUS=) */

/* Bits of state_header.flags. */
#define STATE_EXPORTED	0x1u	/* the environment directory holds all it can */
#define STATE_REIMPORT	0x2u	/* a startup script may have changed it */
#define STATE_ABORTED	0x4u	/* asked to stop by a signal */
#define STATE_HURRY	0x8u	/* asked twice: no more grace */
#define STATE_SAID_BOOT	0x10u	/* the supervisor's start has been announced */
#define STATE_CODE	0x20u	/* exit_code was asked for, and is final */
#define STATE_GRACE	0x40u	/* stop_grace_ms was asked for */
#define STATE_KEY_NEW	0x80u	/* the last key run has changed something */
#define STATE_KEY_DONE	0x100u	/* ... and has been seen to */
#define STATE_ASKED	0x200u	/* a client has asked for the end, and was promised it */

struct state_header {
	struct init_given given;
	uint32_t	magic;
	uint32_t	version;
	uint32_t	slots_used;	/* one past the highest slot ever used */
	_Atomic uint32_t sequence;
	uint32_t	phase;		/* enum phase */
	uint32_t	flags;
	int32_t		exit_code;	/* of the container, from the stop on */
	int32_t		stop_signal;	/* that asked for the end */
	uint32_t	stop_serial;	/* of the INIT_SIGNAL that did, or 0 */
	uint32_t	tickets;	/* handed out so far */
	int32_t		stop_grace_ms;
	int32_t		supervisor_pid;
	uint32_t	supervisor_restarts;
	struct state_process script;
	struct state_process command;
	struct state_process key;	/* enable_insecure_key at run time */
	_Atomic int32_t	collector_pid;	/* proto/lines.h; 0, or a ticket */
	int64_t		collector_started_ms;	/* 0: never */
	/*
	 * Which of the two paths is that of the last script, and whether its end
	 * is still to be dealt with: one store begins a script, one ends it.
	 */
	_Atomic uint32_t script_stage;
	char		script_path[2][STATE_PATH_MAX + 1];
};

#define SCRIPT_UNDER_WAY	0x1u	/* in script_stage */
#define SCRIPT_INDEX(stage)	((stage) >> 1 & 1)

struct state_table {
	struct state_header header;
	_Alignas(64) struct state_slot slots[STATE_SLOTS];
	/*
	 * Why a service has failed, or is about to be tried again; "" is free.
	 * Covered by the sequence number of the slot that has the index.
	 */
	char		reasons[STATE_REASONS][STATE_REASON_MAX + 1];
};

#endif
