/*
 * The baseline: an init that makes the system calls no init can do without, and
 * none else.  It reads no directory, writes no message and forgives no error.
 *
 *	bare run COMMAND [ARGUMENT...]
 *	    one command; orphans are reaped until it has ended
 *	bare services N
 *	    /etc/service/0000/run and so on, each in a session of its own and
 *	    started again when it ends; TERM ends them all
 */
#include <sys/wait.h>

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SERVICES_MAX	10000

extern char **environ;

static pid_t pids[SERVICES_MAX];
static long count;
static volatile sig_atomic_t stopping;

static int
run(char **argv)
{
	pid_t pid, ended;
	int status;

	if ((pid = vfork()) == 0) {
		execve(argv[0], argv, environ);
		_exit(127);
	}
	while ((ended = waitpid(-1, &status, 0)) != pid)
		if (ended == -1)
			return 111;
	return WEXITSTATUS(status);
}

static void
start(long i)
{
	char directory[64], name[] = "./run", *argv[] = { name, NULL };
	pid_t pid;

	snprintf(directory, sizeof(directory), "/etc/service/%04ld", i);
	if ((pid = vfork()) == 0) {
		setsid();
		if (chdir(directory) == 0)
			execve(name, argv, environ);
		_exit(127);
	}
	pids[i] = pid;
}

static void
stop(int signo)
{
	long i;

	(void)signo;
	stopping = 1;
	for (i = 0; i < count; i++)
		kill(pids[i], SIGTERM);
}

static int
supervise(void)
{
	struct sigaction action = { .sa_handler = stop };
	pid_t pid;
	long i;

	sigaction(SIGTERM, &action, NULL);
	for (i = 0; i < count; i++)
		start(i);
	for (;;) {
		pid = waitpid(-1, NULL, 0);
		if (pid == -1 && errno == ECHILD) {
			if (stopping)
				return 0;
			pause();
			continue;
		}
		for (i = 0; pid > 0 && !stopping && i < count; i++)
			if (pids[i] == pid)
				start(i);
	}
}

int
main(int argc, char **argv)
{
	if (argc > 2 && strcmp(argv[1], "run") == 0)
		return run(argv + 2);
	if (argc == 3 && strcmp(argv[1], "services") == 0) {
		count = strtol(argv[2], NULL, 10);
		if (count >= 0 && count <= SERVICES_MAX)
			return supervise();
	}
	return 2;
}
