/*
 * Starting a program.
 *
 * clone(2) as vfork does it: the child borrows our memory until it executes, so
 * the cost does not grow with the supervisor, and why an execve failed is simply
 * written where the parent reads it.  Nor does the cost grow with the descriptors that
 * we hold for services: the child copies those that it needs, where the kernel can do
 * that (close_range(2), from 5.9 on).  Every signal stays blocked throughout; the
 * supervisor has no handlers, so there is nothing to be reset but the mask.
 */
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "supervisor.h"

#define STACK_SIZE	(64 * 1024)
#define SIGNAL_LAST	64

/* Older headers have not got them. */
#ifndef SYS_close_range
#define SYS_close_range	436
#endif
#ifndef CLOSE_RANGE_UNSHARE
#define CLOSE_RANGE_UNSHARE	(1U << 1)
#endif

struct child {
	const struct spawn *spawn;
	char		**envp;
	const char	*search_path;
	int32_t		ticket;
	unsigned	descriptors;	/* it copies those below, or 0: all */
	int		error;
};

/*
 * As execvp(3), without its fallback to /bin/sh for a file that has no "#!": a
 * script that only runs by luck is reported instead (contract.md, 3.1).
 */
static int
execute_search(const char *name, char **argv, char **envp, const char *search)
{
	char path[PATH_MAX];
	size_t length, name_length = strlen(name);
	int error = ENOENT;
	const char *end;

	for (;; search = end + 1) {
		end = strchrnul(search, ':');
		length = (size_t)(end - search);
		if (length + name_length + 2 <= sizeof(path)) {
			memcpy(path, search, length);
			if (length > 0)
				path[length++] = '/';
			memcpy(path + length, name, name_length + 1);
			execve(path, argv, envp);
			/* The first that exists decides, as in a shell. */
			if (errno != ENOENT && errno != ENOTDIR) {
				error = errno;
				if (error != EACCES)
					return error;
			}
		}
		if (*end == '\0')
			return error;
	}
}

static void
set_signals(const struct spawn *spawn)
{
	const struct init_given *as_given = &table->header.given;
	bool given = spawn->given_signals;
	uint64_t mask = spawn->blocked_signals ? ~UINT64_C(0) :
	    given ? as_given->signals_blocked : 0;
	int signo;

	for (signo = 1; given && signo <= SIGNAL_LAST; signo++)
		if (as_given->signals_ignored & (UINT64_C(1) << (signo - 1)))
			signal(signo, SIG_IGN);
	/* Not sigprocmask(3), which leaves out what libc uses itself. */
	syscall(SYS_rt_sigprocmask, SIG_SETMASK, &mask, NULL, sizeof(mask));
}

static int
set_directory(const struct spawn *spawn)
{
	if (spawn->directory != NULL)
		return chdir(spawn->directory);
	if (spawn->directory_fd != -1)
		return fchdir(spawn->directory_fd);
	return 0;
}

const char *spawn_failed, *spawn_failed_detail;

static int null_fd = -1;	/* /dev/null, opened by the first spawn */

static int
set_stdin(void)
{
	/* Without a /dev/null it is better to have none than the terminal. */
	if (null_fd == -1)
		return close(STDIN_FILENO);
	return dup2(null_fd, STDIN_FILENO);
}

/*
 * Descriptors of ours become 3, 4 and so on, and there are no others.  They are
 * first moved out of each other's way.
 */
static int
set_descriptors(const struct spawn *spawn)
{
	int moved[GATE_FDS], i, count = spawn->descriptors_count;

	for (i = 0; i < count; i++)
		moved[i] = fcntl(spawn->descriptors[i], F_DUPFD_CLOEXEC,
		    3 + GATE_FDS);
	for (i = 0; i < count; i++)
		if (moved[i] == -1 || dup2(moved[i], 3 + i) == -1)
			return -1;
	for (i = 0; i < 3; i++)
		if (null_fd == -1 ? close(i) : dup2(null_fd, i) == -1)
			return -1;
	/* Those that are ours alone are closed by execve. */
	return 0;
}

/*
 * Who could be killed first if memory is short (proc(5)).  It is only raised, with the
 * right to lower it, too: the container's own was set by whoever runs the container.
 */
static int
set_oom_score(int score)
{
	char own[16] = "", text[8];
	int length = snprintf(text, sizeof(text), "%d", score);
	int fd = open("/proc/self/oom_score_adj", O_RDWR | O_CLOEXEC);

	if (fd == -1 || read(fd, own, sizeof(own) - 1) == -1)
		return -1;
	if (atoi(own) > score) {
		errno = EACCES;
		return -1;
	}
	return write(fd, text, (size_t)length) == length ? 0 : -1;
}

/*
 * What run runs as.  The limits are last: what comes before could fail for them.
 */
static int
set_settings(const struct settings *settings, int notification)
{
	const struct service_limit *limit;
	struct rlimit rlimit;
	unsigned i;

	if (settings->umask != -1)
		umask((mode_t)settings->umask);
	spawn_failed = entry_names[ENTRY_WORKING_DIRECTORY];
	if (settings->working_directory[0] != '\0' &&
	    chdir(settings->working_directory) == -1)
		return -1;
	spawn_failed = entry_names[ENTRY_OOM_SCORE_ADJ];
	if (settings->oom_score_adj != -1 &&
	    set_oom_score(settings->oom_score_adj) == -1)
		return -1;
	spawn_failed = entry_names[ENTRY_NOTIFICATION_FD];
	if (notification > 0 && (notification == settings->notification_fd ?
	    fcntl(notification, F_SETFD, 0) :
	    dup2(notification, settings->notification_fd)) == -1)
		return -1;
	spawn_failed = entry_names[ENTRY_NICE];
	if (settings->nice != 0 &&
	    setpriority(PRIO_PROCESS, 0, settings->nice) == -1)
		return -1;
	spawn_failed = entry_names[ENTRY_LIMITS];
	for (i = 0; i < settings->limits; i++) {
		limit = &settings->limit[i];
		rlimit.rlim_cur = limit->soft == LIMIT_NONE ? RLIM_INFINITY :
		    limit->soft;
		rlimit.rlim_max = limit->hard == LIMIT_NONE ? RLIM_INFINITY :
		    limit->hard;
		spawn_failed_detail = limit_name(limit->resource);
		if (setrlimit((__rlimit_resource_t)limit->resource, &rlimit) ==
		    -1)
			return -1;
	}
	spawn_failed = spawn_failed_detail = NULL;
	return 0;
}

static int
copy_descriptors(unsigned below)
{
	return (int)syscall(SYS_close_range, below, ~0U, CLOSE_RANGE_UNSHARE);
}

/*
 * One more than the highest descriptor that the child needs (all others are closed
 * when it executes); 0: the kernel cannot copy some and not others, or may not.
 */
static unsigned
descriptors_needed(const struct spawn *spawn)
{
	static int possible = -1;
	const int needed[] = { STDERR_FILENO, null_fd, spawn->directory_fd,
	    spawn->input, spawn->output, spawn->error, spawn->notification };
	int highest = 0, i;

	/* There is none so high, and who shares none has nothing to copy. */
	if (possible == -1)
		possible = copy_descriptors(~0U) == 0;
	if (!possible)
		return 0;
	for (i = 0; i < (int)(sizeof(needed) / sizeof(needed[0])); i++)
		if (needed[i] > highest)
			highest = needed[i];
	for (i = 0; i < spawn->descriptors_count; i++)
		if (spawn->descriptors[i] > highest)
			highest = spawn->descriptors[i];
	return (unsigned)highest + 1;
}

/* The child, on a stack of its own and in our memory. */
static int __attribute__((no_sanitize("address")))
child_main(void *argument)
{
	struct child *child = argument;
	const struct spawn *spawn = child->spawn;
	int32_t ticket = child->ticket;

	/* Until then the descriptors are the supervisor's own. */
	if (child->descriptors != 0 && copy_descriptors(child->descriptors) ==
	    -1) {
		child->error = errno;
		_exit(111);
	}
	/* Who looks for the supervisor by name is not to find this one. */
	prctl(PR_SET_NAME, "starting", 0, 0, 0);
	if (spawn->service)
		setsid();
	else
		setpgid(0, 0);
	/* From here on a next supervisor knows of us, or we do not begin. */
	if (!atomic_compare_exchange_strong(spawn->pid, &ticket, getpid()))
		_exit(111);
	if (spawn->service)
		set_stdin();
	else if (terminal)
		tcsetpgrp(STDIN_FILENO, getpid());
	if (spawn->silent)
		dup2(null_fd, STDOUT_FILENO);
	if (spawn->input > 0)
		dup2(spawn->input, STDIN_FILENO);
	if (spawn->output > 0)
		dup2(spawn->output, STDOUT_FILENO);
	if (spawn->error > 0)
		dup2(spawn->error, STDERR_FILENO);
	if ((spawn->descriptors != NULL && set_descriptors(spawn) == -1) ||
	    files_give_back() == -1 || set_directory(spawn) == -1 || (spawn->settings != NULL &&
	    set_settings(spawn->settings, spawn->notification) == -1)) {
		child->error = errno;
		_exit(111);
	}
	set_signals(spawn);
	if (spawn->search) {
		child->error = execute_search(spawn->path, spawn->argv,
		    child->envp, child->search_path);
	} else {
		execve(spawn->path, spawn->argv, child->envp);
		child->error = errno;
	}
	_exit(127);
}

/*
 * Starts a program with the environment of all children and returns 0; or an
 * errno if it could not be executed, and then there is no process.  *pid is the
 * process's, written by itself.
 */
int
spawn(const struct spawn *spawn)
{
	static char stack[STACK_SIZE] __attribute__((aligned(64)));
	struct child child = {
		.spawn = spawn,
		.envp = spawn->environment != NULL ? spawn->environment :
		    environment(),
		.search_path = environment_get("PATH"),
		.ticket = table_ticket(),
	};
	pid_t pid;

	if (null_fd == -1)
		null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (child.search_path == NULL)
		child.search_path = "/bin:/usr/bin";
	child.descriptors = descriptors_needed(spawn);
	atomic_store(spawn->pid, child.ticket);
	pid = clone(child_main, stack + sizeof(stack), CLONE_VM | CLONE_VFORK |
	    (child.descriptors != 0 ? CLONE_FILES : 0) | SIGCHLD, &child);
	if (pid == -1) {
		child.error = errno;
		atomic_store(spawn->pid, 0);
		return child.error;
	}
	if (child.error == 0)
		return 0;
	atomic_store(spawn->pid, 0);
	while (waitpid(pid, NULL, 0) == -1 && errno == EINTR)
		continue;
	return child.error;
}
