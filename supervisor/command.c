/* The main command: my_init -- COMMAND [ARGUMENT...]. */
#include <sys/stat.h>
#include <sys/wait.h>

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "supervisor.h"

static struct task command;

/* "NAME: " and why it cannot be executed; names the file that was found. */
static void
report_failure(const char *name, int error)
{
	const char *search = environment_get("PATH"), *end;
	char path[PATH_MAX];

	if (strchr(name, '/') != NULL) {
		log_warn("Cannot execute %s: %s", escape(name),
		    explain_exec(name, error));
		return;
	}
	if (error == ENOENT)
		search = NULL;
	for (; search != NULL; search = *end == '\0' ? NULL : end + 1) {
		end = strchrnul(search, ':');
		if (snprintf(path, sizeof(path), "%.*s%s%s",
		    (int)(end - search), search, end == search ? "" : "/",
		    name) < (int)sizeof(path) && access(path, F_OK) == 0) {
			log_warn("Cannot execute %s: %s", escape(name),
			    explain_exec(path, error));
			return;
		}
	}
	log_warn("Cannot execute %s: %s", escape(name), error == ENOENT ?
	    "no such command in $PATH (give its full path, or install it)" :
	    strerror(error));
}

static void
report_start(void)
{
	char line[2048];
	size_t length = 0;
	char **word;

	for (word = options.command; *word != NULL; word++)
		if (length < sizeof(line))
			length += (size_t)snprintf(line + length,
			    sizeof(line) - length, "%s%s",
			    word == options.command ? "" : " ", escape(*word));
	log_info("Running %s...", line);
}

/* Says how the main command ended. */
void
command_report(void)
{
	int status = table->header.command.status;

	if (WIFSIGNALED(status))
		log_info("%s was killed by signal %d (%s).", command.name,
		    WTERMSIG(status), strsignal(WTERMSIG(status)));
	else
		log_info("%s exited with exit code %d.", command.name,
		    WEXITSTATUS(status));
}

static void
done(void)
{
	int status = table->header.command.status;

	if (table->header.phase <= PHASE_RUNNING)
		shutdown_begin(status_code(status));
	else
		shutdown_step();
}

/*
 * Starts the main command unless it has been, or there is none.  False: it could
 * not be executed.
 */
bool
command_start(void)
{
	struct spawn program = {
		.directory_fd = given_directory, .given_signals = true,
	};
	int error;

	if (options.command == NULL || command_has_begun())
		return true;
	program.path = options.command[0];
	program.argv = options.command;
	program.search = strchr(program.path, '/') == NULL;
	report_start();
	if (program.path[0] == '\0')
		program.search = false;
	if ((error = task_start(&command, &program, 0)) == 0)
		return true;
	report_failure(program.path, error);
	return false;
}

bool
command_runs(void)
{
	return task_is_busy(&command);
}

/* It has been started, or could not be. */
bool
command_has_begun(void)
{
	return command_runs() || table->header.command.ended;
}

/* It ran and is over; its status is in the table. */
bool
command_is_over(void)
{
	return table->header.command.ended && !task_is_busy(&command);
}

void
command_stop(void)
{
	task_stop(&command);
}

void
command_hurry(void)
{
	task_hurry(&command);
}

void
command_forward(int signo)
{
	pid_t pid = atomic_load(&table->header.command.pid);

	if (pid > 0)
		kill(pid, signo);
}

/* Called once at start, before any other function here. */
void
command_resume(void)
{
	task_init(&command, &table->header.command);
	command.done = done;
	command.ends_group = true;
	if (options.command != NULL)
		snprintf(command.name, sizeof(command.name), "%.*s",
		    (int)sizeof(command.name) - 1, escape(options.command[0]));
	task_resume(&command);
}
