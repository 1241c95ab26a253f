/* What a service's directory holds, and the processes that come of it. */
#include <sys/stat.h>

#include <errno.h>
#include <signal.h>
#include <stdio.h>

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

