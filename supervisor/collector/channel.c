/* A service's pipe, and the ring that it is read into. */
#include <sys/epoll.h>
#include <sys/uio.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "supervisor/collector/collector.h"

struct channel channels[LINES_CHANNELS];

/*
 * Opens it, if it is not open.  Edges are asked for, not levels: a FIFO that nobody
 * has open for writing would be ready all the time (epoll(7)).
 */
bool
channel_open(unsigned i, int poll_fd)
{
	struct channel *channel = &channels[i];
	struct epoll_event event = { .events = EPOLLIN | EPOLLET };
	char name[16];
	int fd;

	snprintf(name, sizeof(name), "%u", i);
	fd = openat(directory, name,
	    O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC);
	event.data.u32 = i;
	if (fd == -1 || epoll_ctl(poll_fd, EPOLL_CTL_ADD, fd, &event) == -1) {
		if (!channel->said)
			say("The lines of a service cannot be read",
			    lines->channels[i].name, errno);
		channel->said = true;
		if (fd != -1)
			close(fd);
		return false;
	}
	channel->fd = fd;
	channel->said = false;
	channel->readable = true;
	channel->at_end = false;
	channel->told = atomic_load(&lines->channels[i].dropped);
	return true;
}

/* How many bytes it may take before what has not been written would be lost. */
size_t
channel_room(unsigned i)
{
	const struct lines_channel *line = &lines->channels[i];

	return LINES_RING - (size_t)(atomic_load(&line->read) -
	    atomic_load(&line->written));
}

/* Room bytes of the ring from a position on, in two pieces at the most. */
static int
pieces(unsigned i, uint64_t from, size_t room, struct iovec part[2])
{
	size_t at = (size_t)(from % LINES_RING), first = LINES_RING - at;

	if (first > room)
		first = room;
	part[0] = (struct iovec){ lines->rings[i] + at, first };
	part[1] = (struct iovec){ lines->rings[i], room - first };
	return room > first ? 2 : 1;
}

/*
 * What was left without an end of line is a line, now that nobody can write the rest.
 * It is complete in the ring, too.
 */
static void
complete(unsigned i)
{
	struct lines_channel *line = &lines->channels[i];
	uint64_t read = atomic_load(&line->read);
	struct iovec part[2];

	if (channel_room(i) == 0)
		return;
	if (read > atomic_load(&line->written) &&
	    lines->rings[i][(read - 1) % LINES_RING] != '\n') {
		atomic_store(&line->reserved, read + 1);
		pieces(i, read, 1, part);
		*(char *)part[0].iov_base = '\n';
		atomic_store(&line->read, read + 1);
	}
}

/* Reads once, if there is room.  Has it read anything? */
bool
channel_read(unsigned i)
{
	struct channel *channel = &channels[i];
	struct lines_channel *line = &lines->channels[i];
	uint64_t read = atomic_load(&line->read);
	size_t room = channel_room(i);
	struct iovec part[2];
	ssize_t length = 0;

	if (room > LINES_READ_MAX)
		room = LINES_READ_MAX;
	if (channel->readable && room > 0) {
		atomic_store(&line->reserved, read + room);
		length = readv(channel->fd, part, pieces(i, read, room, part));
		if (length > 0)
			atomic_store(&line->read, read + (uint64_t)length);
		atomic_store(&line->reserved, atomic_load(&line->read));
		channel->at_end = length == 0;
		/*
		 * Less than there was room for is all there was (epoll(7)), but for
		 * the end, which is not told a second time.
		 */
		channel->readable = length == (ssize_t)room ||
		    (length > 0 && channel->hung_up) ||
		    (length == -1 && errno == EINTR);
		channel->hung_up &= channel->readable;
	}
	if (channel->at_end)
		complete(i);
	return length > 0;
}

/*
 * The line that begins at a position, in one piece until the next call; bytes is what
 * it takes in the ring.  False: there is none yet.
 */
bool
channel_line(unsigned i, uint64_t from, const char **line, size_t *length,
    size_t *bytes)
{
	static char copy[LINES_LINE_MAX];
	size_t left = (size_t)(atomic_load(&lines->channels[i].read) - from);
	struct iovec part[2];
	const char *end;
	size_t first;

	if (left == 0)
		return false;
	if (left > LINES_LINE_MAX)
		left = LINES_LINE_MAX;
	pieces(i, from, left, part);
	*line = part[0].iov_base;
	first = part[0].iov_len;
	if ((end = memchr(*line, '\n', first)) != NULL) {
		*length = (size_t)(end - *line);
		*bytes = *length + 1;
		return true;
	}
	end = memchr(part[1].iov_base, '\n', part[1].iov_len);
	if (end == NULL && left < LINES_LINE_MAX)
		return false;
	*length = left;
	if (end != NULL)
		*length = first + (size_t)(end - (char *)part[1].iov_base);
	*bytes = *length + (end != NULL);
	if (*length > first) {
		memcpy(copy, *line, first);
		memcpy(copy + first, part[1].iov_base, *length - first);
		*line = copy;
	}
	return true;
}

/* Gives lines up until there is so much room.  They are counted, and are still kept. */
void
channel_drop(unsigned i, size_t room)
{
	struct lines_channel *channel = &lines->channels[i];
	size_t length, bytes;
	const char *line;
	uint64_t from;

	while (channel_room(i) < room) {
		from = atomic_load(&channel->written);
		if (!channel_line(i, from, &line, &length, &bytes))
			return;
		atomic_store(&channel->written, from + bytes);
		if (lines_is_one(line, &length))
			atomic_fetch_add(&channel->dropped, 1);
	}
}

/* Has everything been read and written, and can nothing more come? */
bool
channel_is_done(unsigned i)
{
	const struct channel *channel = &channels[i];
	const struct lines_channel *line = &lines->channels[i];

	return channel->at_end && !channel->readable &&
	    atomic_load(&line->read) == atomic_load(&line->written);
}

/* Nothing more is to come of a service that is gone: it is free for another. */
void
channel_close(unsigned i)
{
	struct lines_channel *channel = &lines->channels[i];
	uint32_t ending = LINES_ENDING;

	if (channels[i].fd != 0)
		close(channels[i].fd);
	channels[i].fd = 0;
	atomic_store(&channel->read, 0);
	atomic_store(&channel->written, 0);
	atomic_store(&channel->reserved, 0);
	atomic_store(&channel->dropped, 0);
	/* The memory is given back. */
	(void)!fallocate(LINES_TABLE_FD,
	    FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
	    (off_t)(offsetof(struct lines_table, rings) +
	    (size_t)i * LINES_RING), LINES_RING);
	atomic_compare_exchange_strong(&channel->condition, &ending,
	    LINES_FREE);
}
