/*
 * What arrives from outside: signals, those sent to my_init through the channel
 * and those sent to us, and the ends of processes that my_init reaped for us.
 *
 * Every signal is blocked and read from a descriptor; there are no handlers.
 */
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include "supervisor.h"

/* SIGRTMIN+3, "halt" to systemd, whose stop signal engines may send us. */
#define SIGNAL_HALT	37

static struct event signals, channel;

/* Ends the container, as a signal may ask for; asked twice, without grace. */
void
signal_stop(int signo)
{
	struct state_header *header = &table->header;
	bool never_ran = options.command != NULL && !command_has_begun();

	if (header->phase > PHASE_RUNNING) {
		shutdown_hurry();
		return;
	}
	if (signo == SIGTERM || signo == SIGINT)
		header->flags |= STATE_ABORTED;
	if (header->phase < PHASE_RUNNING && script_under_way())
		log_warn("An error occurred. Aborting.");
	/* A main command that never ran has not succeeded. */
	shutdown_begin(never_ran ? 128 + signo : 0);
}

/*
 * TERM, PWR and RTMIN+3 end the container.  So do INT and QUIT unless a main
 * command runs, which is sent them, and everything else, as tini would.
 */
static bool
is_stop(int signo)
{
	switch (signo) {
	case SIGTERM:
	case SIGPWR:
	case SIGNAL_HALT:
		return true;
	case SIGINT:
	case SIGQUIT:
		return !command_runs() || table->header.phase > PHASE_RUNNING;
	}
	return false;
}

static void
handle(int signo)
{
	if (is_stop(signo)) {
		signal_stop(signo);
		return;
	}
	switch (signo) {
	case SIGCHLD:
		reap_children();
		return;
	case SIGTTIN:
	case SIGTTOU:
	case SIGSEGV:
	case SIGBUS:
	case SIGILL:
	case SIGFPE:
	case SIGABRT:
	case SIGSYS:
	case SIGTRAP:
		return;
	case SIGHUP:
		gatekeeper_check();
		if (!command_runs())
			scan_services();
		break;
	}
	command_forward(signo);
}

static void
signals_cb(int fd, short what, void *argument)
{
	struct signalfd_siginfo info;

	(void)what;
	(void)argument;
	/*
	 * What was not sent to my_init is about us: a CONT has woken us, and a
	 * PIPE says that nobody reads our messages.
	 */
	while (read(fd, &info, sizeof(info)) == sizeof(info))
		if (info.ssi_signo != SIGCONT && info.ssi_signo != SIGPIPE)
			handle((int)info.ssi_signo);
}

/* my_init is gone (it was not PID 1, and was killed): end what is ours. */
static void
my_init_gone(void)
{
	event_del(&channel);
	log_warn("my_init is gone; shutting down");
	signal_stop(SIGTERM);
}

/*
 * A record is looked at, acted on and then taken from the channel, so that one
 * whose reader is killed is read again.  The end of a process can be written down
 * twice without harm.  A stop that was asked for once must not look as if it was
 * asked for twice: so its number is written down, and acted on afterwards.
 */
static void
channel_cb(int fd, short what, void *argument)
{
	struct state_header *header = &table->header;
	struct init_record record;
	ssize_t length;
	bool is_new;

	(void)what;
	(void)argument;
	for (;;) {
		length = recv(fd, &record, sizeof(record),
		    MSG_DONTWAIT | MSG_PEEK);
		if (length == 0) {
			my_init_gone();
			return;
		}
		if (length == -1)
			return;
		is_new = record.serial != header->stop_serial;
		if (record.type == INIT_EXITED) {
			reap_orphan(record.pid, record.status);
		} else if (header->stop_serial == 0 &&
		    is_stop(record.status)) {
			header->stop_signal = record.status;
			atomic_signal_fence(memory_order_seq_cst);
			header->stop_serial = record.serial;
		}
		(void)!recv(fd, &record, sizeof(record), MSG_DONTWAIT);
		if (record.type == INIT_SIGNAL && is_new)
			handle(record.status);
	}
}

/* A supervisor before us was asked to stop, or had to, and was killed before it began. */
void
signal_resume(void)
{
	if (table->header.phase > PHASE_RUNNING)
		return;
	if (table->header.stop_serial != 0)
		signal_stop(table->header.stop_signal);
	else if (table->header.flags & STATE_ASKED)
		signal_stop(SIGTERM);
}

/* Is there a record in the channel that has not been read? */
bool
signal_is_pending(void)
{
	struct init_record record;

	return recv(INIT_CHANNEL_FD, &record, sizeof(record),
	    MSG_DONTWAIT | MSG_PEEK) > 0;
}

void
signal_open(void)
{
	uint64_t all = ~UINT64_C(0);
	int fd;

	syscall(SYS_rt_sigprocmask, SIG_SETMASK, &all, NULL, sizeof(all));
	fd = (int)syscall(SYS_signalfd4, -1, &all, sizeof(all),
	    O_CLOEXEC | O_NONBLOCK);
	if (fd == -1) {
		log_warn("Cannot make a signal descriptor");
		_exit(INIT_EXIT_BROKEN);
	}
	event_assign(&signals, base, fd, EV_READ | EV_PERSIST, signals_cb,
	    NULL);
	event_add(&signals, NULL);
	event_assign(&channel, base, INIT_CHANNEL_FD, EV_READ | EV_PERSIST,
	    channel_cb, NULL);
	event_add(&channel, NULL);
}
