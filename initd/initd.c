/*
 * my_init: PID 1 of a container.
 *
 * It starts the supervisor, reaps, forwards signals, starts the supervisor again
 * when that dies, and sweeps the container clean at the end.  It parses nothing
 * and waits in one place, because the kernel ends every process of a container
 * whose PID 1 ends.
 */
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "initd/initd.h"
#include "proto/init.h"

#ifndef SUPERVISOR_PATH
#define SUPERVISOR_PATH	"/usr/lib/my_init/supervisor"
#endif

#define RESTART_FLOOR_MS	100	/* from one start to the next */
#define RETRY_MS		1000	/* after a fork or exec that failed */
#define BROKEN_WINDOW_MS	60000
#define BROKEN_MAX		3	/* ends of its own making in the window */
#define FRESH_GRACE_MS		10000	/* for the sweep before a fresh table */
#define SIGNAL_HALT		37	/* SIGRTMIN+3: systemd's "halt" */

static struct {
	pid_t	pid;			/* 0: none runs */
	int64_t	due_ms;			/* not to be started before */
	int	has_run;		/* it could be executed, once */
	int	has_died;		/* from then on, ends are reported */
	int	is_fresh;		/* on its second table */
	int64_t	broken_ms[BROKEN_MAX];	/* when it ended of its own making */
	int	exec_errno;		/* written by the vforked child */
} supervisor;

static int	table = -1;
static int	lines = -1;
static int	notify = -1;
static int	signals = -1;
static int	log_fd = STDERR_FILENO;
static int	directory = -1;		/* the one we were started in */
static struct init_given given;

static int	stop_requested;		/* by a signal that can mean nothing else */

/*
 * Writes "*** TEXT NUMBER REST" to stderr, without NUMBER if it is negative.
 * What stderr does not take at once is dropped: PID 1 does not wait for readers.
 */
void
say(const char *text, long number, const char *rest)
{
	struct pollfd ready = { .fd = log_fd, .events = POLLOUT };
	char line[512];
	int length;

	if (number >= 0)
		length = snprintf(line, sizeof(line), "*** %s %ld%s\n", text,
		    number, rest);
	else
		length = snprintf(line, sizeof(line), "*** %s%s\n", text, rest);
	if (poll(&ready, 1, 0) == 1 && (ready.revents & POLLOUT))
		(void)!write(log_fd, line, (size_t)length);
}

/* Only before the supervisor has been started for the first time. */
_Noreturn void
die(const char *what)
{
	say(what, errno, ": errno; my_init cannot work without it");
	_exit(INIT_EXIT_BROKEN);
}

/* A descriptor out of the way of those that the supervisor is to find. */
int
move_up(int fd)
{
	int moved = fcntl(fd, F_DUPFD_CLOEXEC, 10);

	if (moved == -1)
		die("Cannot duplicate a descriptor");
	close(fd);
	return moved;
}

/*
 * Opens 0 to 2 if they are closed, or the next open(2) would give one of them a
 * second meaning; and closes all others, so that nobody waits for their end.
 */
static void
set_descriptors(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDWR);
	while (fd != -1 && fd < 2);
	if (syscall(SYS_close_range, 3, ~0U, 0) == -1)
		for (fd = 3; fd < 1024; fd++)
			close(fd);
	if ((fd = log_reopen()) != -1)
		log_fd = move_up(fd);
	if ((fd = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC)) != -1)
		directory = move_up(fd);
	if (chdir("/") == -1)
		say("Cannot change to /", -1, "");
}

static void
open_signals(void)
{
	if ((signals = signals_open()) == -1)
		die("Cannot make a signal descriptor");
	signals = move_up(signals);
}

/* What outlives the supervisor; the one before it, if any, is given up. */
static int
make_memory(int old, const char *name)
{
	int fd = memfd_create(name, MFD_CLOEXEC);

	if (fd == -1)
		die("Cannot make the supervisor's memory");
	if (old != -1)
		close(old);
	return move_up(fd);
}

static void
make_tables(void)
{
	table = make_memory(table, "my_init state");
	lines = make_memory(lines, "my_init lines");
	if (write(table, &given, sizeof(given)) != sizeof(given))
		die("Cannot write the state table");
}

/* Not read here, nor named: it is there for whoever is the supervisor. */
static void
make_notify_socket(void)
{
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd == -1)
		die("Cannot make the socket for what services say");
	if (notify != -1)
		close(notify);
	notify = move_up(fd);
}

/* Orphans come to PID 1 by themselves; anybody else has to ask for them. */
static void
become_reaper(void)
{
	if (getpid() != 1 && prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == -1)
		say("Cannot become a subreaper; orphans will be lost to us: errno",
		    errno, "");
}

/* A PIPE of our own is about stderr, and nobody else's business. */
static int
number_of(const struct signalfd_siginfo *info)
{
	if (info->ssi_signo == SIGPIPE && (pid_t)info->ssi_pid == getpid())
		return 0;
	return (int)info->ssi_signo;
}

/*
 * Waits for a signal until the deadline (0: none), or for room in the channel,
 * and returns its number; 0 if something else ended the wait.
 */
int
wait_signal(int64_t deadline_ms)
{
	struct signalfd_siginfo info;
	struct pollfd fds[2] = {
		{ .fd = signals, .events = POLLIN },
		{ .fd = channel_is_full() ? channel_fd() : -1, .events = POLLOUT },
	};
	int64_t timeout_ms = -1;

	if (read(signals, &info, sizeof(info)) == sizeof(info))
		return number_of(&info);
	if (deadline_ms != 0 && (timeout_ms = deadline_ms - now_ms()) < 0)
		timeout_ms = 0;
	if (poll(fds, 2, (int)timeout_ms) > 0 &&
	    read(signals, &info, sizeof(info)) == sizeof(info))
		return number_of(&info);
	return 0;
}

/* The new process between vfork(2) and execve(2): shares our memory. */
static _Noreturn void
become_supervisor(char **argv, char **envp)
{
	/*
	 * A process group of its own: Ctrl-C on a terminal that nobody else owns
	 * reaches PID 1, and through it the supervisor once, not twice.
	 */
	setpgid(0, 0);
	if (directory != -1 && fchdir(directory) == -1)
		(void)!chdir("/");
	if (dup2(channel_supervisor_fd(), INIT_CHANNEL_FD) != -1 &&
	    dup2(table, INIT_TABLE_FD) != -1 &&
	    dup2(log_fd, INIT_LOG_FD) != -1 &&
	    dup2(notify, INIT_NOTIFY_FD) != -1 &&
	    dup2(lines, INIT_LINES_FD) != -1)
		execve(SUPERVISOR_PATH, argv, envp);
	supervisor.exec_errno = errno;
	_exit(127);
}

/*
 * Out of processes, or the program is being replaced: services go on, and it is
 * tried again.  But nobody else can hear a request to stop, and one that has never
 * run will not be there in a second either.
 */
static void
start_failed(const char *what, int error)
{
	say(what, error, supervisor.has_run ? "; trying again in a second" : "");
	supervisor.due_ms = now_ms() + RETRY_MS;
	if (supervisor.has_run && !stop_requested)
		return;
	if (supervisor.has_run)
		sweep(FRESH_GRACE_MS);
	_exit(INIT_EXIT_BROKEN);
}

static void
start_supervisor(char **argv, char **envp)
{
	pid_t pid;

	supervisor.exec_errno = 0;
	if ((pid = vfork()) == 0)
		become_supervisor(argv, envp);
	if (pid != -1)
		supervisor.pid = pid;
	supervisor.due_ms = now_ms() + RESTART_FLOOR_MS;
	if (pid == -1)
		start_failed("Cannot fork the supervisor: errno", errno);
	else if (supervisor.exec_errno != 0)
		start_failed("Cannot execute " SUPERVISOR_PATH ": errno",
		    supervisor.exec_errno);
	else
		supervisor.has_run = 1;
}

/*
 * A signal goes through the channel, not through kill(2): what is in the channel
 * is not lost with the supervisor, arrives once, and in order.  A supervisor
 * that somebody stopped is woken for a request to stop the container.
 */
void
forward_signal(int signo)
{
	channel_send_signal(signo);
	if (signo == SIGTERM || signo == SIGPWR || signo == SIGNAL_HALT)
		stop_requested = 1;
	if (supervisor.pid > 0 && (signo == SIGTERM || signo == SIGINT ||
	    signo == SIGQUIT || signo == SIGPWR || signo == SIGNAL_HALT))
		kill(supervisor.pid, SIGCONT);
}

/* Everything is ended and the supervisor begins as in a new container. */
static void
start_afresh(void)
{
	say("The supervisor has failed 3 times in a minute; "
	    "stopping everything and starting afresh", -1, "");
	/* Before the sweep, so that the next supervisor is told of a stop. */
	channel_make();
	sweep(FRESH_GRACE_MS);
	make_tables();
	/* What nobody could read without a fault is not left to the next one. */
	make_notify_socket();
	memset(supervisor.broken_ms, 0, sizeof(supervisor.broken_ms));
	supervisor.is_fresh = 1;
}

/*
 * Counts an end that the supervisor itself must answer for: a fault, or an exit
 * without a last word.  Three in a minute are blamed on the state table, three
 * more on something that cannot be mended from here.
 */
static void
count_failure(void)
{
	int64_t oldest_ms;

	memmove(supervisor.broken_ms, supervisor.broken_ms + 1,
	    sizeof(supervisor.broken_ms) - sizeof(supervisor.broken_ms[0]));
	supervisor.broken_ms[BROKEN_MAX - 1] = now_ms();
	oldest_ms = supervisor.broken_ms[0];
	if (oldest_ms == 0 || now_ms() - oldest_ms > BROKEN_WINDOW_MS)
		return;
	if (!supervisor.is_fresh && !stop_requested) {
		start_afresh();
		return;
	}
	say("The supervisor cannot be kept alive; stopping everything", -1, "");
	sweep(FRESH_GRACE_MS);
	_exit(INIT_EXIT_BROKEN);
}

/*
 * Was it killed from outside?  A fault signal is of the program's own making;
 * KILL (also the kernel's, out of memory) and the rest say nothing against the
 * state table, and are no reason ever to end a service.
 */
static int
is_fault(int signo)
{
	return signo == SIGSEGV || signo == SIGBUS || signo == SIGILL ||
	    signo == SIGFPE || signo == SIGABRT || signo == SIGSYS ||
	    signo == SIGTRAP;
}

static void
supervisor_ended(int status)
{
	struct init_record done;

	supervisor.pid = 0;
	supervisor.has_died = 1;
	if (channel_read_done(&done) && WIFEXITED(status)) {
		if (done.grace_ms != INIT_NO_SWEEP)
			sweep(done.grace_ms);
		_exit(done.status);
	}
	if (WIFSIGNALED(status)) {
		say("The supervisor was killed by signal", WTERMSIG(status),
		    "; starting it again");
		if (is_fault(WTERMSIG(status)))
			count_failure();
	} else if (supervisor.exec_errno == 0) {
		say("The supervisor ended without a reason, exit code",
		    WEXITSTATUS(status), "; starting it again");
		count_failure();
	}
}

/*
 * Can a service say of itself, as of its MAINPID, that an orphan stands for it?  The
 * supervisor binds the socket when the first one that may is started.
 */
static int
is_listened_to(void)
{
	struct sockaddr address;
	socklen_t length = sizeof(address);

	return getsockname(notify, &address, &length) == 0 &&
	    length > sizeof(sa_family_t);
}

/*
 * Reports the end of an orphan to the supervisor that may have to adopt it.
 * Before a supervisor has died, or services can speak, there is nobody to adopt, so
 * the first one is not woken for orphans.  One whose parent was the supervisor
 * becomes our child only when that is a zombie itself: so the supervisor is looked at
 * after the orphan.
 */
static void
child_ended(pid_t pid, int status)
{
	int supervisor_status;

	if (pid == supervisor.pid) {
		supervisor_ended(status);
		return;
	}
	if (!supervisor.has_died && supervisor.pid > 0 && waitpid(
	    supervisor.pid, &supervisor_status, WNOHANG) == supervisor.pid)
		supervisor_ended(supervisor_status);
	if (supervisor.has_died || is_listened_to())
		channel_send_exit(pid, status);
}

/*
 * Reaps every child that has ended.  While the channel is full only the
 * supervisor is reaped: the other zombies are then the queue, kept by the
 * kernel, and nothing is lost.
 */
static void
reap(void)
{
	int status;
	pid_t pid;

	channel_flush();
	for (;;) {
		if (!channel_has_exit())
			pid = waitpid(-1, &status, WNOHANG);
		else if (supervisor.pid > 0)
			pid = waitpid(supervisor.pid, &status, WNOHANG);
		else
			return;
		if (pid <= 0)
			return;
		child_ended(pid, status);
	}
}

int
main(int argc, char **argv, char **envp)
{
	int signo;

	(void)argc;
	given.signals_blocked = signals_block_all();
	given.signals_ignored = signals_reset_ignored();
	set_descriptors();
	open_signals();
	make_tables();
	make_notify_socket();
	channel_make();
	become_reaper();
	drop_capabilities();
	for (;;) {
		if (supervisor.pid == 0 && now_ms() >= supervisor.due_ms)
			start_supervisor(argv, envp);
		signo = wait_signal(supervisor.pid == 0 ?
		    supervisor.due_ms : 0);
		if (signo != 0 && signo != SIGCHLD)
			forward_signal(signo);
		reap();
	}
}
