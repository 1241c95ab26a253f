/*
 * The container's output.  It is never waited for: what it does not take stays in the
 * ring of its service, which is not read from when that is full, so that a reader who
 * is slow slows down who writes, and nothing is lost.  One who takes nothing at all
 * holds nobody up for longer than a moment: then lines are given up, and counted.
 */
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "supervisor/collector/collector.h"

#define STALL_MS	2000	/* services wait for the output so long */
#define BATCHES_MAX	8	/* of one service, before it is another's turn */

bool output_blocked, output_stalled;

static int output = LINES_OUTPUT_FD;
static int poller;
static bool may_block;		/* it could not be opened without that */
static bool is_socket;
static int64_t blocked_ms;	/* since when */

/* At the end of a batch may be a line that is longer than it. */
static char batch[PIPE_BUF + FORMAT_HEAD_MAX + FORMAT_BODY_MAX];
static size_t batch_length, batch_sent;

/*
 * O_NONBLOCK belongs to the open file description, which services share: so a pipe or
 * a terminal is opened a second time (as PID 1 does with stderr).  A regular file is
 * never waited for; a socket has a flag for that.
 */
void
output_open(int poll_fd)
{
	struct epoll_event event = { .events = EPOLLONESHOT };
	struct stat st;
	int fd = -1;

	poller = poll_fd;
	if (fstat(output, &st) == 0) {
		is_socket = S_ISSOCK(st.st_mode);
		may_block = S_ISFIFO(st.st_mode) || S_ISCHR(st.st_mode);
	}
	if (may_block)
		fd = open("/proc/self/fd/5",
		    O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd != -1) {
		output = fd;
		may_block = false;
	}
	event.data.u32 = UINT32_MAX;
	/* What cannot be polled (a file) is always ready. */
	epoll_ctl(poller, EPOLL_CTL_ADD, output, &event);
}

static void
block(void)
{
	struct epoll_event event = { .events = EPOLLOUT | EPOLLONESHOT };

	event.data.u32 = UINT32_MAX;
	if (!output_blocked)
		blocked_ms = now_ms();
	output_blocked = true;
	epoll_ctl(poller, EPOLL_CTL_MOD, output, &event);
}

/* As write(2), without waiting. */
static ssize_t
write_some(const char *bytes, size_t length)
{
	struct pollfd ready = { .fd = output, .events = POLLOUT };

	if (is_socket)
		return send(output, bytes, length, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (may_block) {
		/* A pipe that is ready takes so much at once (pipe(7)). */
		if (length > PIPE_BUF)
			length = PIPE_BUF;
		if (poll(&ready, 1, 0) != 1 || !(ready.revents & POLLOUT)) {
			errno = EAGAIN;
			return ready.revents & (POLLERR | POLLHUP) ?
			    write(output, bytes, length) : -1;
		}
	}
	return write(output, bytes, length);
}

/* Sends what is left of the batch.  An error other than EAGAIN ends it: false. */
static bool
flush(void)
{
	ssize_t length;

	while (batch_sent < batch_length) {
		length = write_some(batch + batch_sent,
		    batch_length - batch_sent);
		if (length == -1 && errno == EINTR)
			continue;
		if (length == -1 && errno == EAGAIN) {
			block();
			return true;
		}
		if (length <= 0) {
			batch_length = batch_sent = 0;
			return false;
		}
		batch_sent += (size_t)length;
	}
	batch_length = batch_sent = 0;
	return true;
}

/* It takes something again. */
void
output_ready(void)
{
	output_blocked = output_stalled = false;
	flush();
}

/* Puts a line into the batch. */
static void
add(const char *head, size_t head_length, enum log_prefix prefix,
    const char *line, size_t length)
{
	memcpy(batch + batch_length, head, head_length);
	batch_length += head_length;
	batch_length += format_body(batch + batch_length, prefix, line, length);
}

/* Says how many lines are not there, where they would be. */
static void
add_dropped(unsigned i, const char *head, size_t head_length,
    enum log_prefix prefix, uint64_t dropped)
{
	char text[96];
	int length;

	length = snprintf(text, sizeof(text), "*** %llu line%s missing here: "
	    "nobody has read the container's output",
	    (unsigned long long)(dropped - channels[i].told),
	    dropped - channels[i].told == 1 ? " is" : "s are");
	add(head, head_length, prefix, text, (size_t)length);
}

/*
 * Writes some lines of a service at once: as many as a pipe takes as one (pipe(7),
 * PIPE_BUF), so that those of others who write to it do not come in between.  False:
 * there are none, or the output takes none.
 */
static bool
write_batch(unsigned i)
{
	struct lines_channel *channel = &lines->channels[i];
	enum log_prefix prefix = atomic_load(&channel->prefix);
	uint64_t from = atomic_load(&channel->written);
	uint64_t dropped = atomic_load(&channel->dropped);
	char head[FORMAT_HEAD_MAX];
	size_t head_length, length, bytes, before;
	struct timespec now;
	unsigned count = 0;
	const char *line;

	if (!channel_line(i, from, &line, &length, &bytes))
		return false;
	clock_gettime(CLOCK_REALTIME, &now);
	head_length = format_head(head, prefix, channel->name, now.tv_sec,
	    (int)(now.tv_nsec / 1000000));
	if (dropped != channels[i].told)
		add_dropped(i, head, head_length, prefix, dropped);
	do {
		before = batch_length;
		if (lines_is_one(line, &length)) {
			add(head, head_length, prefix, line, length);
			count++;
		}
		if (before > 0 && batch_length > PIPE_BUF) {
			batch_length = before;
			count--;
			break;
		}
		from += bytes;
	} while (batch_length < PIPE_BUF &&
	    channel_line(i, from, &line, &length, &bytes));
	if (!flush()) {
		atomic_fetch_add(&channel->dropped, count);
	} else if (output_blocked && batch_sent == 0) {
		/* Nothing of it: it is made anew when there is room. */
		batch_length = 0;
		return false;
	} else {
		channels[i].told = dropped;
	}
	atomic_store(&channel->written, from);
	return !output_blocked;
}

/* Writes lines of a service, if there are any and the output takes them. */
void
output_write(unsigned i)
{
	unsigned batches = 0;

	while (!output_blocked && batches++ < BATCHES_MAX && write_batch(i))
		continue;
	if (output_stalled && channel_room(i) < LINES_READ_MAX)
		channel_drop(i, LINES_RING / 2);
}

/* When lines are to be given up, or -1. */
int64_t
output_deadline(void)
{
	return output_blocked && !output_stalled ? blocked_ms + STALL_MS : -1;
}

void
output_expire(void)
{
	if (output_blocked && !output_stalled &&
	    now_ms() >= blocked_ms + STALL_MS) {
		output_stalled = true;
		enqueue_all();
	}
}
