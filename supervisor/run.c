/* What a service's directory holds, and the processes that come of it. */
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "supervisor.h"

/* The path of a service's directory, or of a file in it; until the next call. */
const char *
run_path(const struct state_slot *slot, const char *file)
{
	static char path[sizeof(SERVICE_DIRECTORY) + STATE_NAME_MAX + 16];

	snprintf(path, sizeof(path), SERVICE_DIRECTORY "/%s%s%s", slot->name,
	    file == NULL ? "" : "/", file == NULL ? "" : file);
	return path;
}

static bool
look_at(const struct service *service, const char *file, struct stat *st)
{
	if (service->directory != -1)
		return fstatat(service->directory, file, st, 0) == 0;
	return stat(run_path(service_slot(service), file), st) == 0;
}

/* Has it an executable file of that name? */
bool
run_has(const struct service *service, const char *file)
{
	struct stat st;

	return look_at(service, file, &st) && S_ISREG(st.st_mode) &&
	    (st.st_mode & 0111) != 0;
}

/* Has it a directory control?  Who has none is not asked for what is in it. */
bool
run_has_control(const struct service *service)
{
	struct stat st;

	return look_at(service, "control", &st) && S_ISDIR(st.st_mode);
}

/* Opens a file of its directory to be read; -1 and an errno. */
int
run_open(const struct service *service, const char *file)
{
	int flags = O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;

	if (service->directory != -1)
		return openat(service->directory, file, flags);
	return open(run_path(service_slot(service), file), flags);
}

/*
 * The signal that ends it: what the file down-signal says, a name or a number and
 * white space after it, or TERM.
 */
int
run_down_signal(const struct service *service)
{
	int fd, signo = 0;
	char text[32] = "", *end = text;
	ssize_t length = 0;

	/* It would be open if there had been one when run was started. */
	if (service->directory == -1)
		return SIGTERM;
	fd = run_open(service, "down-signal");
	if (fd == -1 && errno == ENOENT)
		return SIGTERM;
	if (fd != -1) {
		length = read(fd, text, sizeof(text) - 1);
		close(fd);
	}
	while (length > 0 && strchr(" \t\r\n", text[length - 1]) != NULL)
		length--;
	if (length > 0) {
		text[length] = '\0';
		signo = signal_number(text, (size_t)length);
		if (signo == 0 && text[0] >= '1' && text[0] <= '9')
			signo = (int)strtol(text, &end, 10);
		if (signo >= 1 && signo <= SIGNAL_LARGEST &&
		    (end == text || *end == '\0'))
			return signo;
	}
	log_warn("%s: %s does not hold the name or number of a signal (QUIT, "
	    "SIGQUIT or 3); TERM is sent", escape(service_slot(service)->name),
	    escape(run_path(service_slot(service), "down-signal")));
	return SIGTERM;
}

/* Its directory need not be there any longer. */
void
run_release_directory(struct service *service)
{
	if (service->directory != -1)
		close(service->directory);
	service->directory = -1;
}

/*
 * A service that has a finish, or something to say about its stop, keeps its
 * directory open: it is to be run even if the directory is moved away, which is
 * how one is taken out of service.
 */
void
run_hold_directory(struct service *service)
{
	struct stat st;

	run_release_directory(service);
	if (run_has(service, "finish") || run_has_control(service) ||
	    look_at(service, "down-signal", &st))
		service->directory = open(run_path(service_slot(service), NULL),
		    O_PATH | O_DIRECTORY | O_CLOEXEC);
}

/* Starts a program of its directory; 0, or why it cannot be executed. */
int
run_spawn(const struct service *service, char **argv, _Atomic int32_t *pid)
{
	const struct spawn program = {
		.path = argv[0], .argv = argv,
		.directory = service->directory == -1 ?
		    run_path(service_slot(service), NULL) : NULL,
		.directory_fd = service->directory, .pid = pid,
		.service = true,
	};

	return spawn(&program);
}

/* Starts run or finish. */
int
run_execute(struct service *service, char **argv)
{
	struct state_slot *slot = service_slot(service);
	int error = run_spawn(service, argv, &slot->pid);

	if (error == 0)
		process_watch(&service->process, atomic_load(&slot->pid),
		    now_ms(), false);
	return error;
}

/* Signals its process, if it has one. */
void
run_signal(struct service *service, int signo)
{
	struct state_slot *slot = service_slot(service);
	pid_t pid = atomic_load(&slot->pid);

	if (pid <= 0)
		return;
	if (kill(pid, signo) == -1 && errno == EPERM)
		log_warn("%s (PID %d) cannot be signalled: it runs as another "
		    "user, and CAP_KILL is missing", escape(slot->name), pid);
	slot->sent = (uint8_t)signo;
}

/*
 * The process cannot be told any more politely: all of its group is killed, and
 * what was to tell it.
 */
void
run_force(struct service *service)
{
	struct state_slot *slot = service_slot(service);
	pid_t pid = atomic_load(&slot->pid);

	hook_kill(service);
	if (pid > 0) {
		if (slot->sent != SIGKILL)
			log_warn("%s%s (PID %d) did not shut down in time. "
			    "Forcing it to exit.", escape(slot->name),
			    slot->state == SERVICE_FINISHING ? "/finish" : "",
			    pid);
		kill(-pid, SIGKILL);
		run_signal(service, SIGKILL);
	} else if (service->group != NULL) {
		if (slot->sent != SIGKILL)
			log_warn("What %s left behind did not shut down in "
			    "time. Forcing it to exit.", escape(slot->name));
		slot->sent = SIGKILL;
		group_kill(service->group);
	}
}

