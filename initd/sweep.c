/* The last act: everything that is left is told to end, then made to. */
#include <sys/wait.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "initd/initd.h"

#define KILL_PATIENCE_MS	5000	/* for the kernel to end what was killed */
#define DESCENDANTS_MAX		32768

struct relation {
	pid_t	pid;
	pid_t	parent;		/* or SWEPT: known to descend from us */
};
#define SWEPT	(-1)

/* The parent of process `name` of /proc, or 0. */
static pid_t
parent_of(int proc, const char *name)
{
	char path[32], buffer[512], *p;
	ssize_t length;
	size_t size;
	int fd;

	if ((size = strlen(name)) > sizeof(path) - sizeof("/stat"))
		return 0;
	memcpy(path, name, size);
	memcpy(path + size, "/stat", sizeof("/stat"));
	if ((fd = openat(proc, path, O_RDONLY | O_CLOEXEC)) == -1)
		return 0;
	length = read(fd, buffer, sizeof(buffer) - 1);
	close(fd);
	if (length <= 0)
		return 0;
	buffer[length] = '\0';
	/* "PID (NAME) STATE PARENT": a NAME may hold any byte, ")" too. */
	if ((p = strrchr(buffer, ')')) == NULL || strlen(p) < 5)
		return 0;
	return (pid_t)strtol(p + 4, NULL, 10);
}

/* All processes of /proc and their parents; returns how many. */
static int
read_relations(struct relation *relations)
{
	struct dirent *entry;
	DIR *proc;
	int count = 0;

	if ((proc = opendir("/proc")) == NULL)
		return 0;
	while (count < DESCENDANTS_MAX && (entry = readdir(proc)) != NULL) {
		if (entry->d_name[0] < '1' || entry->d_name[0] > '9')
			continue;
		relations[count].pid = (pid_t)strtol(entry->d_name, NULL, 10);
		relations[count].parent = parent_of(dirfd(proc), entry->d_name);
		count++;
	}
	closedir(proc);
	return count;
}

/*
 * Signals every descendant of ours.  Only for a my_init that is not PID 1 and
 * must touch nobody else; orphans are ours because we are their subreaper.
 */
static void
signal_descendants(int signo)
{
	static struct relation relations[DESCENDANTS_MAX];
	pid_t self = getpid();
	int count, found, i, j;

	count = read_relations(relations);
	do {
		found = 0;
		for (i = 0; i < count; i++) {
			if (relations[i].parent <= 0)
				continue;
			for (j = 0; j < count; j++)
				if (relations[j].parent == SWEPT &&
				    relations[j].pid == relations[i].parent)
					break;
			if (relations[i].parent != self && j == count)
				continue;
			kill(relations[i].pid, signo);
			relations[i].parent = SWEPT;
			found = 1;
		}
	} while (found);
}

/*
 * kill(-1) reaches every process the caller may signal: in a container that is
 * the container, anywhere else the whole machine.  Nobody but the init of a PID
 * namespace has PID 1, so that alone is proof (faults.md, "PID 1 facts").
 */
static void
signal_everything(int signo)
{
	if (getpid() == 1)
		kill(-1, signo);
	else
		signal_descendants(signo);
}

/* Reaps until no child is left (1), or until the deadline or a stop (0). */
static int
reap_until(int64_t deadline_ms)
{
	pid_t pid;
	int signo;

	for (;;) {
		while ((pid = waitpid(-1, NULL, WNOHANG)) > 0)
			continue;
		if (pid == -1 && errno == ECHILD)
			return 1;
		if (now_ms() >= deadline_ms)
			return 0;
		signo = wait_signal(deadline_ms);
		if (signo != 0 && signo != SIGCHLD)
			forward_signal(signo);
		if (signo == SIGTERM || signo == SIGINT)
			return 0;
	}
}

/* Ends all processes: TERM, grace_ms to comply, KILL.  0: KILL at once. */
void
sweep(int64_t grace_ms)
{
	int64_t deadline_ms;

	while (waitpid(-1, NULL, WNOHANG) > 0)
		continue;
	if (grace_ms > 0) {
		signal_everything(SIGTERM);
		signal_everything(SIGCONT);
		if (reap_until(now_ms() + grace_ms))
			return;
		say("Not all processes have exited in time. "
		    "Forcing them to exit.", -1, "");
	}
	/* Again and again: what forks faster than we look is caught in the end. */
	deadline_ms = now_ms() + KILL_PATIENCE_MS;
	do
		signal_everything(SIGKILL);
	while (!reap_until(now_ms() + 100) && now_ms() < deadline_ms);
}
