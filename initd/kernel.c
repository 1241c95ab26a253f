/*
 * System calls that a libc hides or narrows.
 *
 * musl keeps signals 32 to 34 to itself and glibc 32 and 33, in every function
 * that takes a sigset_t.  PID 1 must see signal 34, which is SIGRTMIN to the
 * programs it forwards to, so the masks here are the kernel's own 64 bits.
 */
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "initd/initd.h"

#define SIGNAL_LAST	64

/* Linux's <linux/capability.h>, which is no part of a libc. */
#define CAPABILITY_VERSION_3	0x20080522
#define CAPABILITY_KILL		5

struct capability_header {
	uint32_t	version;
	int32_t		pid;
};

struct capability_data {
	uint32_t	effective;
	uint32_t	permitted;
	uint32_t	inheritable;
};

/* The kernel's struct sigaction: only the first member is looked at here. */
struct kernel_sigaction {
	void		(*handler)(int);
	unsigned long	flags;
	void		(*restorer)(void);
	uint64_t	mask;
};

/* Blocks every signal and returns the mask that was in force. */
uint64_t
signals_block_all(void)
{
	uint64_t all = ~UINT64_C(0), given = 0;

	syscall(SYS_rt_sigprocmask, SIG_SETMASK, &all, &given, sizeof(all));
	return given;
}

/*
 * Makes every ignored signal default again and returns which they were.  An
 * ignored SIGCHLD would make the kernel reap our children for us (sigaction(2)),
 * and execve(2) hands what is ignored on to every program started from here.
 */
uint64_t
signals_reset_ignored(void)
{
	struct kernel_sigaction action, reset;
	uint64_t ignored = 0;
	int signo;

	memset(&reset, 0, sizeof(reset));
	for (signo = 1; signo <= SIGNAL_LAST; signo++) {
		if (signo == SIGKILL || signo == SIGSTOP)
			continue;
		if (syscall(SYS_rt_sigaction, signo, NULL, &action,
		    sizeof(action.mask)) == -1 || action.handler != SIG_IGN)
			continue;
		ignored |= SIGNAL_BIT(signo);
		syscall(SYS_rt_sigaction, signo, &reset, NULL,
		    sizeof(reset.mask));
	}
	return ignored;
}

/* A descriptor from which every signal can be read (signalfd(2)), or -1. */
int
signals_open(void)
{
	uint64_t all = ~UINT64_C(0);

	return (int)syscall(SYS_signalfd4, -1, &all, sizeof(all),
	    O_CLOEXEC | O_NONBLOCK);
}

/*
 * Keeps CAP_KILL alone, for the sweep.  The bounding set stays: root regains it
 * in the supervisor's execve(2).  Where an exec would not give capabilities back
 * (no_new_privs, SECBIT_NOROOT, not root; capabilities(7)), the permitted set is
 * kept and only what is in effect is dropped, or a restarted supervisor would
 * be weaker than the first.
 */
void
drop_capabilities(void)
{
	struct capability_header header = { CAPABILITY_VERSION_3, 0 };
	struct capability_data data[2];
	int regained;

	if (syscall(SYS_capget, &header, data) == -1)
		return;
	regained = geteuid() == 0 &&
	    prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 0 &&
	    (prctl(PR_GET_SECUREBITS, 0, 0, 0, 0) & 1) == 0;
	data[0].effective &= 1u << CAPABILITY_KILL;
	data[1].effective = 0;
	if (regained) {
		data[0].permitted &= 1u << CAPABILITY_KILL;
		data[1].permitted = 0;
		data[0].inheritable = data[1].inheritable = 0;
	}
	syscall(SYS_capset, &header, data);
}

/*
 * stderr as a descriptor whose writes do not wait for a reader.  O_NONBLOCK
 * belongs to the open file description, which every service shares: so a pipe
 * or terminal is opened a second time.  A regular file is not, because the copy
 * would have an offset of its own; a socket cannot be.  Those get a duplicate.
 */
int
log_reopen(void)
{
	struct stat st;
	int fd = -1;

	if (fstat(STDERR_FILENO, &st) == 0 &&
	    (S_ISFIFO(st.st_mode) || S_ISCHR(st.st_mode)))
		fd = open("/proc/self/fd/2",
		    O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd == -1)
		fd = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
	return fd;
}

int64_t
now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}
