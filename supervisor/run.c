/* What a service's directory holds, and the processes that come of it. */
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
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

/* Has it an executable finish? */
bool
run_has_finish(const struct service *service)
{
	struct stat st;

	if (service->directory != -1 ?
	    fstatat(service->directory, "finish", &st, 0) == -1 :
	    stat(run_path(service_slot(service), "finish"), &st) == -1)
		return false;
	return S_ISREG(st.st_mode) && (st.st_mode & 0111) != 0;
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
 * A service that has a finish keeps its directory open: it is to be run even if
 * the directory is moved away, which is how one is taken out of service.
 */
void
run_hold_directory(struct service *service)
{
	run_release_directory(service);
	if (run_has_finish(service))
		service->directory = open(run_path(service_slot(service), NULL),
		    O_PATH | O_DIRECTORY | O_CLOEXEC);
}

/* Starts run or finish; 0, or why it cannot be executed. */
int
run_execute(struct service *service, char **argv)
{
	struct state_slot *slot = service_slot(service);
	const struct spawn run = {
		.path = argv[0], .argv = argv,
		.directory = service->directory == -1 ? run_path(slot, NULL) :
		    NULL,
		.directory_fd = service->directory, .pid = &slot->pid,
		.service = true,
	};
	int error = spawn(&run);

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

/* The process cannot be told any more politely: all of its group is killed. */
void
run_force(struct service *service)
{
	struct state_slot *slot = service_slot(service);
	pid_t pid = atomic_load(&slot->pid);

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

