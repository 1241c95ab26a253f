/* The collector's loop: pipes that have something, one after the other. */
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "proto/escape.h"
#include "supervisor/collector/collector.h"

#define EVENTS_MAX	64
#define SIGNALS		(UINT32_MAX - 1)	/* beside numbers of channels */
#define END_MS		1000	/* for an output that takes nothing, at the end */

struct lines_table *lines;
int directory = LINES_DIRECTORY_FD;

static int poll_fd = -1, signal_fd = -1, wake_fd = -1;
static uint16_t first, last;	/* of the queue: 1 + a channel, or 0 */
static bool ending;		/* asked to, when all has been read */
static int64_t end_ms;		/* since when the output is all that is waited for */

int64_t
now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* "*** WHAT: WHICH: ERROR" on stderr, if that takes it. */
void
say(const char *what, const char *which, int error)
{
	struct pollfd ready = { .fd = LINES_LOG_FD, .events = POLLOUT };
	char line[1024];
	int length;

	length = snprintf(line, sizeof(line), "*** %s: %s%s%s\n", what,
	    escape(which), *which == '\0' ? "" : ": ", strerror(error));
	if (poll(&ready, 1, 0) == 1 && (ready.revents & POLLOUT))
		(void)!write(LINES_LOG_FD, line, (size_t)length);
}

/* --- the queue: channels that something is to be done about ------------------------ */

static void
enqueue(unsigned i)
{
	struct channel *channel = &channels[i];

	if (channel->queued || channel->fd == 0)
		return;
	channel->queued = true;
	channel->next = 0;
	if (last == 0)
		first = (uint16_t)(i + 1);
	else
		channels[last - 1].next = (uint16_t)(i + 1);
	last = (uint16_t)(i + 1);
}

static unsigned
dequeue(void)
{
	unsigned i = first - 1u;

	first = channels[i].next;
	if (first == 0)
		last = 0;
	channels[i].queued = false;
	return i;
}

static unsigned
used(void)
{
	unsigned count = atomic_load(&lines->channels_used);

	return count < LINES_CHANNELS ? count : LINES_CHANNELS;
}

void
enqueue_all(void)
{
	unsigned i;

	for (i = 0; i < used(); i++)
		enqueue(i);
}

/* Reads and writes some of a channel.  Has it read anything? */
static bool
step(unsigned i)
{
	uint64_t written = atomic_load(&lines->channels[i].written);
	bool any = channel_read(i);

	output_write(i);
	if (atomic_load(&lines->channels[i].condition) == LINES_ENDING &&
	    channel_is_done(i))
		channel_close(i);
	/* Again, if that may bring it further. */
	else if ((channels[i].readable && channel_room(i) > 0) ||
	    atomic_load(&lines->channels[i].written) != written)
		enqueue(i);
	return any;
}

/* One turn for each that is waiting for one. */
static void
work(void)
{
	uint16_t end = last;
	bool any = false;
	unsigned i;

	while (first != 0) {
		i = dequeue();
		any |= step(i);
		if (i + 1u == end)
			break;
	}
	/* Somebody may want to see them (initctl logs -f). */
	if (any && atomic_load(&lines->watched))
		(void)!write(wake_fd, "", 1);
}

/* --- what else may happen ------------------------------------------------------------- */

/* What is written to when there are new lines. */
static void
open_wake(void)
{
	if (wake_fd != -1)
		close(wake_fd);
	wake_fd = openat(directory, LINES_WAKE,
	    O_RDWR | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC);
}

/*
 * Somebody may have removed the directory of the pipes (rm -rf /run): then the
 * supervisor has made another.  What is open stays as it is.
 */
static void
look_at_directory(void)
{
	struct stat st;
	int fd;

	if (fstat(directory, &st) == -1 || st.st_nlink > 0 ||
	    memchr(lines->directory, '\0', sizeof(lines->directory)) == NULL)
		return;
	fd = open(lines->directory, O_RDONLY | O_DIRECTORY | O_NOFOLLOW |
	    O_CLOEXEC);
	if (fd == -1)
		return;
	close(directory);
	directory = fd;
	open_wake();
}

/* The supervisor has changed something: what is new, and what has ended. */
static void
look_at_channels(void)
{
	unsigned i;

	look_at_directory();
	for (i = 0; i < used(); i++) {
		if (atomic_load(&lines->channels[i].condition) == LINES_FREE)
			continue;
		if (channels[i].fd != 0 || channel_open(i, poll_fd))
			enqueue(i);
		else if (atomic_load(&lines->channels[i].condition) ==
		    LINES_ENDING && errno == ENOENT)
			channel_close(i);
	}
}

static void
read_signals(void)
{
	struct signalfd_siginfo info;

	while (read(signal_fd, &info, sizeof(info)) == sizeof(info)) {
		if (info.ssi_signo == SIGTERM)
			ending = true;
		if (info.ssi_signo == SIGUSR1 || info.ssi_signo == SIGTERM)
			look_at_channels();
	}
}

/* Ends when there is nothing to come, or what has come is not taken. */
static void
end_if_done(void)
{
	unsigned i;

	if (!ending || first != 0)
		return;
	for (i = 0; i < used(); i++)
		if (channels[i].fd != 0 && !channel_is_done(i) &&
		    !(channels[i].at_end && output_blocked))
			return;
	if (!output_blocked)
		_exit(0);
	if (end_ms == 0)
		end_ms = now_ms();
	if (now_ms() >= end_ms + END_MS)
		_exit(0);
}

/* How long nothing may happen. */
static int
patience(void)
{
	int64_t deadline_ms = output_deadline(), left_ms;

	if (first != 0)
		return 0;
	if (end_ms != 0 && (deadline_ms == -1 || end_ms + END_MS < deadline_ms))
		deadline_ms = end_ms + END_MS;
	if (deadline_ms == -1)
		return -1;
	left_ms = deadline_ms - now_ms();
	return left_ms < 0 ? 0 : (int)left_ms;
}

static void
turn(void)
{
	struct epoll_event events[EVENTS_MAX];
	int i, count = epoll_wait(poll_fd, events, EVENTS_MAX, patience());
	uint32_t which;

	for (i = 0; i < count; i++) {
		which = events[i].data.u32;
		if (which == SIGNALS) {
			read_signals();
		} else if (which == UINT32_MAX) {
			output_ready();
			enqueue_all();
		} else {
			channels[which].readable = true;
			channels[which].hung_up |= events[i].events & EPOLLHUP;
			enqueue(which);
		}
	}
	output_expire();
	work();
	end_if_done();
}

/* --- the beginning ------------------------------------------------------------------- */

/* FIFOs and table are ours, or our user's: no more than that is needed. */
static void
drop_privilege(void)
{
	struct __user_cap_header_struct version = {
		.version = _LINUX_CAPABILITY_VERSION_3,
	};
	struct __user_cap_data_struct none[2] = { 0 };

	syscall(SYS_capset, &version, none);
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
}

/* One descriptor a service. */
static void
raise_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
}

int
main(void)
{
	struct epoll_event event = { .events = EPOLLIN };
	sigset_t all;

	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, NULL);
	raise_limit();
	lines = mmap(NULL, sizeof(*lines), PROT_READ | PROT_WRITE, MAP_SHARED,
	    LINES_TABLE_FD, 0);
	poll_fd = epoll_create1(EPOLL_CLOEXEC);
	signal_fd = signalfd(-1, &all, SFD_CLOEXEC | SFD_NONBLOCK);
	if (lines == MAP_FAILED || lines->magic != LINES_MAGIC ||
	    poll_fd == -1 || signal_fd == -1) {
		say("The collector cannot work", "", errno);
		return 1;
	}
	/* What is written to nobody is an error, and no signal. */
	open_wake();
	output_open(poll_fd);
	drop_privilege();
	event.data.u32 = SIGNALS;
	epoll_ctl(poll_fd, EPOLL_CTL_ADD, signal_fd, &event);
	look_at_channels();
	for (;;)
		turn();
}
