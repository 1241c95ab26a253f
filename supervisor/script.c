/*
 * Scripts: those of the startup and shutdown directories, /etc/rc.local and
 * enable_insecure_key.  One at a time; which one, and whether its end has been
 * dealt with, is in the state table.
 */
#include <sys/stat.h>
#include <sys/wait.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "supervisor.h"

static struct task script;

static const char *
path_now(void)
{
	return table->header.script_path[
	    SCRIPT_INDEX(atomic_load(&table->header.script_stage))];
}

static void
done(void)
{
	if (table->header.phase <= PHASE_RUNNING)
		boot_step();
	else
		shutdown_step();
}

/*
 * The next path of a directory, in byte order, after the script that was begun
 * last if that was one of this directory.  False: there is none.
 */
bool
script_next(const char *directory, char *path, size_t size)
{
	size_t length = strlen(directory);
	const char *last = path_now(), *after = "";
	char next[NAME_MAX + 1] = "";
	struct dirent *entry;
	DIR *stream;

	if (path[0] != '\0')
		last = path;
	if (strncmp(last, directory, length) == 0 && last[length] == '/')
		after = last + length + 1;
	if ((stream = opendir(directory)) == NULL) {
		if (errno != ENOENT && errno != ENOTDIR)
			log_warn("Cannot read %s: %s; its scripts are not run",
			    escape(directory), strerror(errno));
		return false;
	}
	while ((entry = readdir(stream)) != NULL)
		if (strcmp(entry->d_name, ".") != 0 &&
		    strcmp(entry->d_name, "..") != 0 &&
		    strcmp(entry->d_name, after) > 0 &&
		    (next[0] == '\0' || strcmp(entry->d_name, next) < 0))
			strcpy(next, entry->d_name);
	closedir(stream);
	if (next[0] == '\0')
		return false;
	if ((size_t)snprintf(path, size, "%s/%s", directory, next) >= size) {
		log_warn("%s/%s: the path is longer than %d bytes; it and what "
		    "follows it are not run", escape(directory), escape(next),
		    STATE_PATH_MAX);
		return false;
	}
	return true;
}

/*
 * An executable file.  Sub-directories are passed over silently, anything else
 * that a user may have meant to be run with the reason why it is not.
 */
bool
script_can_run(const char *path)
{
	struct stat st;

	if (stat(path, &st) == -1) {
		log_warn("%s", explain_exec(path, errno));
		return false;
	}
	if (S_ISDIR(st.st_mode))
		return false;
	if (S_ISREG(st.st_mode) &&
	    faccessat(AT_FDCWD, path, X_OK, AT_EACCESS) == 0)
		return true;
	log_warn("%s; it is not run", explain_exec(path, EACCES));
	return false;
}

static void
set_name(const char *path)
{
	snprintf(script.name, sizeof(script.name), "%.*s",
	    (int)sizeof(script.name) - 1, escape(path));
}

/*
 * What a shutdown waits for has a limit, which is time for something even where
 * services are given none.  A startup script may take as long as it likes.
 */
static int64_t
limit_ms(void)
{
	if (table->header.phase <= PHASE_RUNNING)
		return 0;
	return options.stop_grace_ms > 0 ? options.stop_grace_ms :
	    FINISH_GRACE_MS;
}

static void
start(void)
{
	const char *path = path_now();
	char *argv[] = { (char *)(uintptr_t)path, NULL };
	struct spawn program = {
		.path = path, .argv = argv, .directory_fd = given_directory,
	};
	int error;

	set_name(path);
	if (strcmp(path, ENABLE_INSECURE_KEY) == 0)
		log_info("Installing insecure SSH key for user root");
	else
		log_info("Running %s...", escape(path));
	if ((error = task_start(&script, &program, limit_ms())) != 0)
		log_warn("%s", explain_exec(path, error));
}

void
script_begin(const char *path)
{
	struct state_header *header = &table->header;
	uint32_t i = !SCRIPT_INDEX(atomic_load(&header->script_stage));

	snprintf(header->script_path[i], sizeof(header->script_path[i]), "%s",
	    path);
	header->script.ended = 0;
	atomic_store(&header->script_stage, i << 1 | SCRIPT_UNDER_WAY);
	start();
}

/* Has a script begun whose end has not been dealt with? */
bool
script_under_way(void)
{
	return atomic_load(&table->header.script_stage) & SCRIPT_UNDER_WAY;
}

/* Was the last one given up before it ended?  Then there can be no other. */
bool
script_is_stuck(void)
{
	return !script_under_way() && task_is_busy(&script);
}

/* Is the one that is under way over, and how did it end? */
bool
script_ended(int *status)
{
	if (!script_under_way() || !table->header.script.ended ||
	    task_is_busy(&script))
		return false;
	*status = table->header.script.status;
	return true;
}

/* Its end has been dealt with. */
void
script_finish(void)
{
	atomic_fetch_and(&table->header.script_stage, ~SCRIPT_UNDER_WAY);
}

/* Says how a script failed, if it did; true if it succeeded. */
bool
script_report(int status)
{
	if (status == 0)
		return true;
	if (WIFSIGNALED(status))
		log_warn("%s was killed by signal %d (%s)", escape(path_now()),
		    WTERMSIG(status), strsignal(WTERMSIG(status)));
	else
		log_warn("%s failed with status %d", escape(path_now()),
		    WEXITSTATUS(status));
	return false;
}

void
script_stop(void)
{
	task_stop(&script);
}

void
script_hurry(void)
{
	task_hurry(&script);
}

/* Called once at start, before any other function here. */
void
script_resume(void)
{
	struct state_process *record = &table->header.script;

	task_init(&script, record);
	script.done = done;
	if (!script_under_way())
		return;
	set_name(path_now());
	task_resume(&script);
	/* It was decided on and had not begun. */
	if (!task_is_busy(&script) && !record->ended)
		start();
}
