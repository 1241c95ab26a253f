/*
 * The boundary gate <-> supervisor (DESIGN.md, "The gate").
 *
 * The gate is started with an empty environment and these descriptors; 0 to 2 are
 * /dev/null.
 *
 *   3  the listening control socket.  The supervisor keeps it: a gate that ends
 *      takes its own connections with it and nothing else.
 *   4  the channel, a SEQPACKET socket: one request, one reply, one at a time.
 *   5  an eventfd: something in the state table has changed.
 *   6  the state table, to be read (proto/state.h).
 *   7  the socket's file, O_PATH: whose group may read.
 *   8  the table of lines, to be read (proto/lines.h), or an empty file
 *   9  a FIFO: there are new lines.
 *
 * To the supervisor every request is a stranger's.  It checks length and values,
 * looks names up in its own table, and kills a gate that breaks a rule.
 */
#ifndef PROTO_GATE_H
#define PROTO_GATE_H

#include <stdint.h>

#include "proto/state.h"

#define GATE_LISTEN_FD	3
#define GATE_CHANNEL_FD	4
#define GATE_EVENT_FD	5
#define GATE_TABLE_FD	6
#define GATE_FILE_FD	7
#define GATE_LINES_FD	8
#define GATE_WAKE_FD	9
#define GATE_FDS	7

#define GATE_UID	65534	/* nobody */
#define GATE_GID	65534

/* What the supervisor is asked.  Numbers are never reused. */
enum gate_request_type {
	GATE_START = 1,		/* name */
	GATE_STOP = 2,		/* name; number: 1 to stop it alone, else 0 */
	GATE_RESTART = 3,	/* name */
	GATE_ONCE = 4,		/* name */
	GATE_SIGNAL = 5,	/* name, number: the signal */
	GATE_RESCAN = 6,
	GATE_KEY = 7,		/* run enable_insecure_key */
	GATE_SHUTDOWN = 8,	/* number: exit code or -1; timeout_ms or -1 */
	/* Not asked but told, for the log. */
	GATE_REFUSED = 9,	/* number: pid; uid */
	GATE_SANDBOX = 10,	/* number: GATE_WITHOUT_ bits */
	GATE_DELIVERED = 11,	/* who asked for a shutdown has its answer */
	GATE_RELOAD = 12,	/* name: its reload-signal */
};

/* What could not be done to lock the gate in. */
#define GATE_WITHOUT_CHROOT	0x1
#define GATE_WITHOUT_UID	0x2
#define GATE_WITHOUT_SECCOMP	0x4

struct gate_request {
	uint32_t	type;		/* enum gate_request_type */
	int32_t		number;
	int32_t		timeout_ms;
	uint32_t	uid;
	char		name[STATE_NAME_MAX + 1];	/* unused bytes are 0 */
};

enum gate_answer {
	GATE_ACCEPTED = 1,
	GATE_UNKNOWN = 2,	/* no service of that name */
	GATE_BOOTING = 3,	/* there are no services yet */
	GATE_STOPPING = 4,	/* nothing is started any more */
	GATE_NOT_UP = 5,	/* no process to signal */
	GATE_NOT_PERMITTED = 6,	/* EPERM from kill(2) */
	GATE_FAILED = 7,
};

struct gate_reply {
	uint32_t	type;		/* that of the request */
	uint32_t	answer;		/* enum gate_answer */
	uint32_t	slot;		/* of the named service */
	/*
	 * GATE_FAILED: errno.  GATE_RESCAN: services added.  Of a named service:
	 * how often run had ended before.
	 */
	int32_t		first;
	int32_t		second;		/* GATE_RESCAN: services removed */
};

#endif
