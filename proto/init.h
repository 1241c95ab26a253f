/*
 * The boundary my_init -> supervisor (DESIGN.md, "PID 1").
 *
 * my_init starts the supervisor with its own arguments, environment, working
 * directory, umask and limits, with every signal blocked and default, and with
 * five descriptors above 2:
 *
 *   3  the channel, a SEQPACKET socket that carries struct init_record.  my_init
 *      keeps both ends, so a record outlives the supervisor it was meant for.
 *   4  the state table, a memfd.  my_init writes struct init_given at its start
 *      and looks at it no more.
 *   5  stderr, opened anew without blocking where the kernel allows it.
 *   6  an unbound Unix datagram socket, for what services say (sd_notify(3)).
 *      my_init keeps it open and does not read it: what is sent while there is no
 *      supervisor waits for the next one.  Once it has an address, every orphan's
 *      end is reported, as one may stand for a service (MAINPID).
 *   7  a memfd, empty: the table of lines (proto/lines.h), if the supervisor comes to
 *      need one.  It is here because it must outlive supervisor and collector.
 */
#ifndef PROTO_INIT_H
#define PROTO_INIT_H

#include <stdint.h>

#define INIT_CHANNEL_FD	3
#define INIT_TABLE_FD	4
#define INIT_LOG_FD	5
#define INIT_NOTIFY_FD	6
#define INIT_LINES_FD	7

#define INIT_EXIT_BROKEN	70	/* the supervisor cannot be kept alive */

enum init_record_type {
	/* my_init: process pid, whose parent died, ended with wait status. */
	INIT_EXITED = 1,
	/* my_init: signal number status arrived, the serial-th since boot. */
	INIT_SIGNAL = 2,
	/* supervisor, as its last word: exit with code status after a sweep. */
	INIT_DONE = 3,
};

struct init_record {
	uint32_t	type;		/* enum init_record_type */
	int32_t		pid;		/* INIT_EXITED */
	int32_t		status;
	uint32_t	serial;		/* INIT_SIGNAL */
	int32_t		grace_ms;	/* INIT_DONE: TERM to KILL, or NO_SWEEP */
};

#define INIT_NO_SWEEP	(-1)	/* --no-kill-all-on-exit */

/* How my_init itself was started: what the main command is given back. */
struct init_given {
	uint64_t	signals_blocked;	/* bit N-1 is signal N */
	uint64_t	signals_ignored;
};

#endif
