/*
 * The collector: puts the lines of services into the container's output, each whole
 * and with its name before it.  proto/lines.h says why it is a process of its own.
 */
#ifndef COLLECTOR_COLLECTOR_H
#define COLLECTOR_COLLECTOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/lines.h"

/* collector.c */
extern struct lines_table *lines;
extern int directory;		/* of the pipes */
int64_t	now_ms(void);
void	say(const char *what, const char *which, int error);
void	enqueue_all(void);

/*
 * channel.c: one pipe.  What has been read and not yet been written is in the ring, so
 * that a collector that is started again goes on there.
 */
struct channel {
	int		fd;		/* 0: it is not open */
	bool		readable;	/* there may be more */
	bool		hung_up;	/* after what there may be is its end */
	bool		at_end;		/* nobody has it open for writing */
	bool		queued;
	bool		said;		/* that it cannot be opened */
	uint16_t	next;		/* in the queue */
	uint64_t	told;		/* of lines dropped, in the output */
};
extern struct channel channels[LINES_CHANNELS];
bool	channel_open(unsigned, int poll_fd);
bool	channel_read(unsigned);
bool	channel_line(unsigned, uint64_t from, const char **line,
	    size_t *length, size_t *bytes);
void	channel_drop(unsigned, size_t room);
bool	channel_is_done(unsigned);
void	channel_close(unsigned);
size_t	channel_room(unsigned);

/* output.c */
extern bool output_blocked;	/* it takes nothing at the moment */
extern bool output_stalled;	/* ... and has not for long: nobody is to wait for it */
void	output_open(int poll_fd);
void	output_ready(void);
void	output_write(unsigned channel);
int64_t	output_deadline(void);
void	output_expire(void);

/* format.c: what a line looks like.  Pure. */
#define FORMAT_HEAD_MAX	(6 * STATE_NAME_MAX + 128)
#define FORMAT_BODY_MAX	(6 * LINES_LINE_MAX + 16)
size_t	format_head(char *, enum log_prefix, const char *name, int64_t seconds,
	    int milliseconds);
size_t	format_body(char *, enum log_prefix, const char *line, size_t length);

#endif
