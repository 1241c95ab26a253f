/*
 * Ends of processes.  Those of our own children come from waitid(2), those of
 * processes a supervisor before us started come from my_init; both arrive at the
 * same callback.
 */
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "supervisor.h"

#define BUCKETS		1024
#define STARTED_SLACK_MS	60000	/* clocks, ticks, a loaded machine */
#define STATUS_UNKNOWN	W_EXITCODE(255, 0)

static struct process *buckets[BUCKETS];

static struct process **
find(pid_t pid)
{
	struct process **p = &buckets[(unsigned)pid % BUCKETS];

	while (*p != NULL && (*p)->pid != pid)
		p = &(*p)->next;
	return p;
}

/*
 * Has process->record and process->ended called when process pid ends, once.  The
 * caller owns the struct and keeps it until then.
 */
void
process_watch(struct process *process, pid_t pid, int64_t started_ms,
    bool adopted)
{
	struct process **bucket = &buckets[(unsigned)pid % BUCKETS];

	process->pid = pid;
	process->adopted = adopted;
	process->started_ms = started_ms;
	process->next = *bucket;
	*bucket = process;
}

/* Writes the end of a process to the table and forgets its pid. */
static struct process *
record(pid_t pid, bool adopted, int status)
{
	struct process **p = find(pid), *process = *p;

	/* A late word about a pid that has been given to a child of ours. */
	if (process == NULL || process->adopted != adopted)
		return NULL;
	*p = process->next;
	process->pid = 0;
	process->record(process, pid, status);
	return process;
}

/*
 * Deals with every child that has ended.  Each is looked at first and reaped
 * when the state table knows of its end: killed in between, we leave a zombie
 * that my_init reaps and whose pid nobody else can have had.
 */
void
reap_children(void)
{
	struct process *process;
	siginfo_t info;
	int status;

	for (;;) {
		info.si_pid = 0;
		if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == -1 ||
		    info.si_pid == 0)
			return;
		if (info.si_code == CLD_EXITED)
			status = W_EXITCODE(info.si_status, 0);
		else
			status = W_EXITCODE(0, info.si_status);
		process = record(info.si_pid, false, status);
		waitid(P_PID, (id_t)info.si_pid, &info, WEXITED | WNOHANG);
		if (process != NULL)
			process->ended(process);
	}
}

/* my_init reaped a process that was not our child. */
void
reap_orphan(pid_t pid, int status)
{
	struct process *process = record(pid, true, status);

	if (process != NULL)
		process->ended(process);
}

/*
 * When process pid was started, in milliseconds of CLOCK_MONOTONIC, or -1 if it
 * does not exist.  /proc counts in ticks of CLOCK_BOOTTIME (proc(5), starttime).
 */
static int64_t
started_at(pid_t pid)
{
	struct timespec boot, monotonic;
	char path[32], buffer[1024], *p;
	long long ticks;
	ssize_t length;
	int fd, i;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	if ((fd = open(path, O_RDONLY | O_CLOEXEC)) == -1)
		return -1;
	length = read(fd, buffer, sizeof(buffer) - 1);
	close(fd);
	if (length <= 0)
		return -1;
	buffer[length] = '\0';
	if ((p = strrchr(buffer, ')')) == NULL)
		return -1;
	for (i = 2; i < 22 && p != NULL; i++)
		p = strchr(p + 1, ' ');
	if (p == NULL)
		return -1;
	ticks = strtoll(p, NULL, 10);
	clock_gettime(CLOCK_BOOTTIME, &boot);
	clock_gettime(CLOCK_MONOTONIC, &monotonic);
	return ticks * 1000 / sysconf(_SC_CLK_TCK) -
	    (boot.tv_sec - monotonic.tv_sec) * 1000;
}

/*
 * A second after adoption: what no longer runs, or started later than the one
 * that was adopted, has ended without our being told.  That does not happen, and
 * if it does a service must not wait for ever.
 */
void
reap_check_adopted(void)
{
	struct process *process, *next;
	int64_t started_ms;
	unsigned i;

	if (access("/proc/self/stat", R_OK) == -1)
		return;
	for (i = 0; i < BUCKETS; i++)
		for (process = buckets[i]; process != NULL; process = next) {
			next = process->next;
			if (!process->adopted)
				continue;
			started_ms = started_at(process->pid);
			if (started_ms == -1 ||
			    started_ms > process->started_ms + STARTED_SLACK_MS)
				reap_orphan(process->pid, STATUS_UNKNOWN);
		}
}

/* The exit code that a wait status stands for, as a shell has it. */
int
status_code(int status)
{
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) :
	    WEXITSTATUS(status);
}
