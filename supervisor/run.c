/* What a service's directory holds, and the processes that come of it. */
#include <sys/stat.h>
#include <sys/wait.h>

#include <errno.h>
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

/*
 * What run itself has that other programs of its directory have not: who and what it
 * runs as, and a descriptor to say that it is ready.  0, or an errno.
 */
static int
set_run(struct service *service, struct spawn *program, char *argv[4])
{
	static char path[sizeof(SERVICE_DIRECTORY) + STATE_NAME_MAX + 16];
	static char setuser[] = SETUSER;
	struct settings *settings = service->settings;

	if (settings == NULL)
		return 0;
	program->settings = settings;
	if (settings->working_directory[0] != '\0') {
		strcpy(path, run_path(service_slot(service), "run"));
		program->path = argv[0] = path;
	}
	if (settings->user[0] != '\0') {
		argv[2] = argv[0];
		argv[1] = settings->user;
		program->path = argv[0] = setuser;
	}
	if (settings->notification_fd == -1)
		return 0;
	program->notification = notify_connect(service);
	if (program->notification != -1)
		return 0;
	spawn_failed = entry_names[ENTRY_NOTIFICATION_FD];
	return errno;
}

/*
 * Starts a program of its directory; 0, or why it cannot be executed.  argv has room
 * for two more words if it is run's.
 */
int
run_spawn(struct service *service, enum program kind, char **argv,
    _Atomic int32_t *pid)
{
	struct spawn program = {
		.path = argv[0], .argv = argv,
		.directory = service->directory == -1 ?
		    run_path(service_slot(service), NULL) : NULL,
		.directory_fd = service->directory, .pid = pid,
		.service = true, .silent = kind == PROGRAM_PROBE,
		.output = kind == PROGRAM_PROBE ? 0 :
		    service->pipe != -1 ? service->pipe :
		    service->lines != -1 ? service->lines : 0,
		.error = service->lines != -1 ? service->lines : 0,
	};
	int error;

	spawn_failed = spawn_failed_detail = NULL;
	program.environment = variables_begin(service, kind == PROGRAM_RUN,
	    &error);
	if (error == 0)
		spawn_failed = NULL;
	if (error == 0 && kind == PROGRAM_RUN)
		error = set_run(service, &program, argv);
	/* The path in program.directory is the last that run_path was asked for. */
	if (program.directory != NULL)
		program.directory = run_path(service_slot(service), NULL);
	if (error == 0 && kind == PROGRAM_RUN && logger_is_one(service) &&
	    (program.input = logger_input(service)) == -1) {
		spawn_failed = "stdin";
		error = errno;
	}
	if (error == 0)
		error = spawn(&program);
	variables_end();
	if (program.input > 0)
		close(program.input);
	if (program.notification > 0)
		close(program.notification);
	return error;
}

/* What run_spawn could not do before it executed anything, as a phrase, or NULL. */
static const char *
explain_unset(int error)
{
	static char text[256];

	if (spawn_failed == NULL)
		return NULL;
	snprintf(text, sizeof(text), "%s%s%s cannot be set: %s", spawn_failed,
	    spawn_failed_detail == NULL ? "" : ": ",
	    spawn_failed_detail == NULL ? "" : spawn_failed_detail,
	    strerror(error));
	return text;
}

/* Why run_spawn has failed for that file, as a phrase; until the next call. */
const char *
run_explain(const struct service *service, const char *file, int error)
{
	const char *path = run_path(service_slot(service), file);
	const char *unset = explain_unset(error);
	static char text[512];

	if (unset == NULL)
		return explain_exec(path, error);
	snprintf(text, sizeof(text), "%s: %s", escape(path), unset);
	return text;
}

/* Starts run or finish. */
static int
execute(struct service *service, enum program kind, char **argv)
{
	struct state_slot *slot = service_slot(service);
	int error = run_spawn(service, kind, argv, &slot->pid);

	if (error == 0)
		process_watch(&service->process, atomic_load(&slot->pid),
		    now_ms(), false);
	return error;
}

/* Says why run cannot be executed: once, until it can or the reason changes. */
static void
start_failed(struct service *service, int error)
{
	struct state_slot *slot = service_slot(service);
	const char *unset = explain_unset(error);

	if (unset != NULL)
		reason_set(service, "%s", unset);
	if (slot->error != error)
		log_warn("%s: %s", escape(slot->name), unset != NULL ? unset :
		    explain_exec(setting_of(service)->user[0] != '\0' ?
		    SETUSER : run_path(slot, "run"), error));
	table_change(&slot->sequence);
	slot->error = (int16_t)error;
	slot->exit_status = 111 << 8;
	slot->quick_deaths++;
	slot->ends++;
	ending_count(service);
	table_changed(&slot->sequence);
}

/* Executes run, now that all that comes before it is over. */
void
run_begin(struct service *service)
{
	struct state_slot *slot = service_slot(service);
	char run[] = "./run", *argv[4] = { run };
	bool is_first = slot->started_ms == 0;
	int error;

	table_change(&slot->sequence);
	slot->started_ms = now_ms();
	slot->group = 0;
	slot->watchdog_ms = 0;
	ending_name(service, 0, -1);
	if (!is_first)
		slot->restarts++;
	table_changed(&slot->sequence);
	if ((error = execute(service, PROGRAM_RUN, argv)) != 0) {
		start_failed(service, error);
		service_event(service, EVENT_START_FAILED);
		return;
	}
	if (slot->error != 0)
		reason_clear(service);
	slot->error = 0;
	service_event(service, EVENT_STARTED);
}

/* Starts a service: its logger, control/u, run. */
void
run_start(struct service *service)
{
	logger_start(service);
	if (!hook_start(service))
		run_begin(service);
}

/* Executes finish: $1 is the exit code or -1, $2 the signal (runsv(8)). */
void
run_finish(struct service *service)
{
	struct state_slot *slot = service_slot(service);
	char code[12], signo[12];
	char name[] = "./finish", *argv[] = { name, code, signo, NULL };
	int status = slot->exit_status, error;

	snprintf(code, sizeof(code), "%d",
	    WIFSIGNALED(status) ? -1 : WEXITSTATUS(status));
	snprintf(signo, sizeof(signo), "%d",
	    WIFSIGNALED(status) ? WTERMSIG(status) : 0);
	if ((error = execute(service, PROGRAM_OTHER, argv)) == 0)
		return;
	/* What has kept run from starting has been said already. */
	if (explain_unset(error) == NULL || slot->error != error)
		log_warn("%s: %s", escape(slot->name),
		    run_explain(service, "finish", error));
	service_event(service, EVENT_FINISHED);
}

/* When a service's process was started, at the latest. */
int64_t
run_started_ms(const struct state_slot *slot)
{
	if (slot->state == SERVICE_FINISHING)
		return slot->since_ms;
	/* One that stands for run (MAINPID) may have been started at any time. */
	return slot->group != 0 ? now_ms() : slot->started_ms;
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
	supervise_note(service);
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

