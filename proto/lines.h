/*
 * The boundary supervisor -> collector -> gate: lines that services write.
 *
 * A service that has a log-prefix writes to a pipe, and the collector, one process for
 * all of them, puts each of its lines into the container's output, whole and with its
 * name, and keeps the last ones in memory.  It is a process of its own so that
 *
 * - the supervisor neither waits for a reader of the output nor is kept busy by
 *   services that write much;
 * - it may be killed without a line being lost, and so may the supervisor, and
 *   no service gets a SIGPIPE: a pipe is a FIFO that the service itself and the
 *   supervisor have open for reading, too, so it outlives any one of the three, and
 *   what has been read is in the table below, which my_init holds;
 * - it takes no process for each service.
 *
 * It needs no privilege but to open the FIFOs, and decodes nothing.
 *
 * The supervisor starts it with nothing in its environment and with these descriptors;
 * 0 to 2 are /dev/null.
 *
 *   3  the directory of the FIFOs, which are called after the number of their channel,
 *      and of the FIFO "wake", which tells the gate that there are new lines; where
 *      somebody has removed it, the table names the next
 *   4  the table of lines: a memfd, empty until a service needs it
 *   5  the container's output
 *   6  stderr, for its own messages
 *
 * and sends it USR1 when a channel has changed; on TERM it goes on to the end of each
 * pipe, which has come when nobody has it open for writing any more, and ends.  The
 * next supervisor finds the collector's pid in the state table, and the channels here.
 *
 * Who writes what: the supervisor sets condition, name, prefix, watched and directory, the
 * collector all else, and condition from ENDING to FREE.
 *
 * When run has ended, the supervisor writes LINES_END to the FIFO: what run has left
 * without an end of line is then a line, and what finish writes begins another.
 */
#ifndef PROTO_LINES_H
#define PROTO_LINES_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/settings.h"
#include "proto/state.h"

#define LINES_DIRECTORY_FD	3
#define LINES_TABLE_FD		4
#define LINES_OUTPUT_FD		5
#define LINES_LOG_FD		6
#define LINES_FDS		4

#define LINES_WAKE		"wake"
#define LINES_PATH_MAX		128

#define LINES_MAGIC	0x6c696e65u	/* "line" */
#define LINES_CHANNELS	STATE_SLOTS
#define LINES_RING	32768		/* bytes that are kept of a service */
#define LINES_READ_MAX	16384		/* bytes at a time; so many less are certain */
#define LINES_LINE_MAX	8192		/* bytes; what is longer becomes several */
#define LINES_END	"\0\n"		/* in no text */
#define LINES_END_LENGTH 2

enum lines_condition {
	LINES_FREE = 0,
	LINES_OPEN = 1,		/* a service's */
	LINES_ENDING = 2,	/* ... that is gone: to be read to its end */
};

/* Positions are bytes since the first; that of byte n is n modulo LINES_RING. */
struct lines_channel {
	_Atomic uint32_t condition;	/* enum lines_condition */
	_Atomic uint32_t prefix;	/* enum log_prefix */
	_Atomic uint64_t reserved;	/* before this are, or will be, other bytes */
	_Atomic uint64_t read;		/* so far */
	_Atomic uint64_t written;	/* or given up */
	_Atomic uint64_t dropped;	/* lines that could not be written */
	char		name[STATE_NAME_MAX + 1];
};

/* Takes the mark off the end of a line; false: it was a mark alone, and is no line. */
static inline bool
lines_is_one(const char *line, size_t *length)
{
	if (*length == 0 || line[*length - 1] != LINES_END[0])
		return true;
	return --*length > 0;
}

struct lines_table {
	uint32_t	magic;
	_Atomic uint32_t channels_used;	/* one past the highest */
	_Atomic uint32_t watched;	/* there is a gate */
	char		directory[LINES_PATH_MAX];	/* of the FIFOs */
	_Alignas(64) struct lines_channel channels[LINES_CHANNELS];
	_Alignas(4096) char rings[LINES_CHANNELS][LINES_RING];
};

#endif
