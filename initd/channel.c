/*
 * The channel to the supervisor.  Both ends stay open here, so what is in it is
 * read by the next supervisor if this one dies.  Nothing here waits: what the
 * channel has no room for is kept, exits as zombies and signals as bits, until
 * wait_signal sees that there is room again.
 */
#include <sys/socket.h>

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "initd/initd.h"
#include "proto/init.h"

static int	ends[2] = { -1, -1 };	/* [0] is ours, [1] the supervisor's */
static struct init_record unsent_exit;	/* of type 0: there is none */
static uint64_t	unsent_signals;

/* Makes the channel; an old one is dropped with all that is in it. */
void
channel_make(void)
{
	if (ends[0] != -1) {
		close(ends[0]);
		close(ends[1]);
	}
	memset(&unsent_exit, 0, sizeof(unsent_exit));
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) == -1)
		die("Cannot make the channel");
	ends[0] = move_up(ends[0]);
	ends[1] = move_up(ends[1]);
}

int
channel_fd(void)
{
	return ends[0];
}

int
channel_supervisor_fd(void)
{
	return ends[1];
}

/* Is there something that could not be sent yet? */
int
channel_is_full(void)
{
	return unsent_exit.type != 0 || unsent_signals != 0;
}

/* Is it an exit?  Then nobody else is to be reaped, or theirs would be lost. */
int
channel_has_exit(void)
{
	return unsent_exit.type != 0;
}

/* -1: there is no room; nobody has read some 200 records. */
static int
send_record(const struct init_record *record)
{
	ssize_t sent;

	do
		sent = send(ends[0], record, sizeof(*record),
		    MSG_DONTWAIT | MSG_NOSIGNAL);
	while (sent == -1 && errno == EINTR);
	return sent == -1 ? -1 : 0;
}

static void
send_signals(void)
{
	static uint32_t serial;
	struct init_record record = { .type = INIT_SIGNAL };
	int signo;

	for (signo = 1; unsent_signals != 0 && signo <= 64; signo++) {
		if ((unsent_signals & SIGNAL_BIT(signo)) == 0)
			continue;
		record.status = signo;
		record.serial = serial + 1;
		if (send_record(&record) == -1)
			return;
		serial++;
		unsent_signals &= ~SIGNAL_BIT(signo);
	}
}

/* Sends what there was no room for. */
void
channel_flush(void)
{
	if (unsent_exit.type != 0 && send_record(&unsent_exit) == 0)
		unsent_exit.type = 0;
	send_signals();
}

void
channel_send_exit(pid_t pid, int status)
{
	unsent_exit = (struct init_record){
		.type = INIT_EXITED, .pid = pid, .status = status
	};
	channel_flush();
}

/* For the supervisor that is started after a sweep, too. */
void
channel_send_signal(int signo)
{
	unsent_signals |= SIGNAL_BIT(signo);
	channel_flush();
}

/* Reads what a supervisor that has ended said last; 1 if it was its last word. */
int
channel_read_done(struct init_record *done)
{
	struct init_record record;
	int found = 0;

	while (recv(ends[0], &record, sizeof(record), MSG_DONTWAIT) ==
	    sizeof(record))
		if (record.type == INIT_DONE) {
			*done = record;
			found = 1;
		}
	return found;
}
