/* Processes that are started once: scripts, and the main command. */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "supervisor.h"

/*
 * What runs in the foreground owns the terminal while it runs (spawn.c).  After
 * that it is PID 1's, so that Ctrl-C reaches somebody.  All signals are blocked
 * here, or this would stop us with SIGTTOU (tcsetpgrp(3)).
 */
static void
take_terminal_back(const struct task *task)
{
	if (terminal && !task->background)
		tcsetpgrp(STDIN_FILENO, getpgid(getppid()));
}

static void
group_gone_cb(void *argument)
{
	struct task *task = argument;

	task->group = NULL;
	evtimer_del(&task->timer);
	task->done();
}

static void
record_cb(struct process *process, pid_t pid, int status)
{
	struct task *task = (struct task *)process;
	struct state_process *record = task->record;

	task->pid = pid;
	table_change(&table->header.sequence);
	record->status = status;
	record->ended = 1;
	atomic_store(&record->pid, 0);
	table_changed(&table->header.sequence);
}

/* A task that runs longer than this is killed. */
static void
limit(struct task *task, int64_t limit_ms)
{
	task->record->deadline_ms = now_ms() + limit_ms;
	timer_arm(&task->timer, task->record->deadline_ms);
}

static void
ended_cb(struct process *process)
{
	struct task *task = (struct task *)process;

	evtimer_del(&task->timer);
	take_terminal_back(task);
	if (task->ends_group || task->record->stopping)
		task->group = group_end(task->pid, group_gone_cb, task);
	if (task->group == NULL)
		task->done();
	else
		limit(task, options.stop_grace_ms);
}

/* Time is up. */
static void
force(struct task *task)
{
	pid_t pid = atomic_load(&task->record->pid);

	if (task->group != NULL) {
		log_warn("What %s left behind did not shut down in time. "
		    "Forcing it to exit.", task->name);
		group_kill(task->group);
	} else if (pid > 0) {
		log_warn("%s (PID %d) did not shut down in time. "
		    "Forcing it to exit.", task->name, pid);
		task->record->stopping = 1;
		kill(-pid, SIGKILL);
	}
}

static void
timer_cb(int fd, short what, void *argument)
{
	struct task *task = argument;

	(void)fd;
	(void)what;
	if (task->record->deadline_ms == 0)
		return;
	if (now_ms() < task->record->deadline_ms)
		timer_arm(&task->timer, task->record->deadline_ms);
	else
		force(task);
}

/* The caller sets name and done, and ends_group if it likes. */
void
task_init(struct task *task, struct state_process *record)
{
	_Static_assert(offsetof(struct task, process) == 0, "it is cast");

	task->record = record;
	task->process.record = record_cb;
	task->process.ended = ended_cb;
	evtimer_assign(&task->timer, base, timer_cb, task);
}

/*
 * Starts a task; limit_ms, if not 0, is the time it may take.  Returns 0, and
 * done() is called later; or an errno, and the task has already ended with the
 * exit code a shell would give.
 */
int
task_start(struct task *task, struct spawn *program, int64_t limit_ms)
{
	struct state_process *record = task->record;
	int error;

	table_change(&table->header.sequence);
	record->ended = 0;
	record->stopping = 0;
	record->started_ms = now_ms();
	record->deadline_ms = limit_ms == 0 ? 0 :
	    record->started_ms + limit_ms;
	table_changed(&table->header.sequence);
	program->pid = &record->pid;
	if ((error = spawn(program)) == 0) {
		process_watch(&task->process, atomic_load(&record->pid),
		    record->started_ms, false);
		timer_arm(&task->timer, record->deadline_ms);
		return 0;
	}
	take_terminal_back(task);
	table_change(&table->header.sequence);
	record->status = (error == ENOENT ? 127 : 126) << 8;
	record->ended = 1;
	table_changed(&table->header.sequence);
	return error;
}

/* Does it run, or does something that it left behind? */
bool
task_is_busy(const struct task *task)
{
	return task->process.pid != 0 || task->group != NULL;
}

/* Asks a task to end: itself, or with it all of its process group. */
void
task_stop(struct task *task)
{
	pid_t pid = atomic_load(&task->record->pid);

	if (pid <= 0 || task->record->stopping)
		return;
	log_info("Shutting down %s (PID %d)...", task->name, pid);
	limit(task, options.stop_grace_ms);
	if (task->ends_group)
		kill(pid, SIGTERM);
	else
		kill(-pid, SIGTERM);
	kill(-pid, SIGCONT);
	task->record->stopping = 1;
}

void
task_hurry(struct task *task)
{
	if (task_is_busy(task))
		limit(task, 0);
}

/* Takes up a task that a supervisor before us had started. */
void
task_resume(struct task *task)
{
	struct state_process *record = task->record;
	pid_t pid;

	table_recover_pid(&record->pid);
	if (record->ended)
		atomic_store(&record->pid, 0);
	if ((pid = atomic_load(&record->pid)) <= 0)
		return;
	process_watch(&task->process, pid, record->started_ms, true);
	timer_arm(&task->timer, record->deadline_ms);
}
