/*
 * From running to gone: main command, pre-shutdown scripts, services,
 * post-shutdown scripts, the services that startup scripts have started (syslog,
 * which has to hear what the others say as they end); my_init sweeps up the rest.
 *
 * The scripts belong to the services, as in the original: --skip-runit skips
 * both.  A boot that never got to the services has no use for pre-shutdown
 * scripts, which talk to them, but does run post-shutdown scripts, which stop
 * what startup scripts have started.
 */
#include <signal.h>
#include <unistd.h>

#include "supervisor.h"

static struct event patience;	/* with what not even KILL ends */

static void	wait_patiently(void);

static void
set_phase(enum phase phase)
{
	table->header.phase = phase;
}

/*
 * What a KILL does not end sleeps in the kernel, or may not be signalled (another
 * user's, without CAP_KILL).  It is left to the last sweep.
 */
static void
patience_cb(int fd, short what, void *argument)
{
	static const enum phase next[PHASES] = {
		[PHASE_STOP_SCRIPT] = PHASE_POST_SHUTDOWN,
		[PHASE_STOP_COMMAND] = PHASE_PRE_SHUTDOWN,
		[PHASE_PRE_SHUTDOWN] = PHASE_STOP_SERVICES,
		[PHASE_STOP_SERVICES] = PHASE_POST_SHUTDOWN,
		[PHASE_POST_SHUTDOWN] = PHASE_STOP_EARLY,
		[PHASE_STOP_EARLY] = PHASE_DONE,
		[PHASE_DONE] = PHASE_DONE,
	};
	enum phase phase = table->header.phase;

	(void)fd;
	(void)what;
	(void)argument;
	if (order_end()) {
		log_warn("Gave up stopping services in their order; stopping "
		    "all that are left");
		wait_patiently();
		return;
	}
	log_warn("Gave up waiting while %s; going on", phase_names[phase]);
	if (phase == PHASE_STOP_COMMAND &&
	    !(table->header.flags & STATE_CODE))
		table->header.exit_code = 128 + SIGKILL;
	script_finish();
	set_phase(next[phase]);
	shutdown_step();
}

/*
 * Every wait begins here and has an end: two times the time that is given (to a
 * process, and to what it leaves behind), finish, and the kernel's.
 */
static void
wait_patiently(void)
{
	int64_t limit_ms = 2 * options.stop_grace_ms + FINISH_GRACE_MS +
	    KILL_PATIENCE_MS;

	if (!(table->header.flags & (STATE_GRACE | STATE_HURRY)))
		limit_ms += 2 * setting_longest_grace_ms();

	if (!event_initialized(&patience))
		evtimer_assign(&patience, base, patience_cb, NULL);
	timer_arm(&patience, now_ms() + limit_ms);
}

/* The next script of a directory; false: there is none left. */
static bool
step_scripts(const char *directory)
{
	char path[STATE_PATH_MAX + 1] = "";
	int status;

	if (script_ended(&status)) {
		/* A failing script never keeps the others from running. */
		script_report(status);
		script_finish();
	}
	if (options.skip_services || script_is_stuck())
		return false;
	while (script_next(directory, path, sizeof(path)))
		if (script_can_run(path)) {
			/* It may look for whom to signal. */
			supervise_write();
			script_begin(path);
			return true;
		}
	return false;
}

static bool
step_stop_script(void)
{
	int status;

	if (script_under_way() && !script_ended(&status)) {
		script_stop();
		return false;
	}
	if (script_under_way()) {
		script_report(status);
		script_finish();
	}
	set_phase(PHASE_POST_SHUTDOWN);
	return true;
}

static bool
step_stop_command(void)
{
	if (command_runs()) {
		command_stop();
		return false;
	}
	if (command_is_over()) {
		command_report();
		if (!(table->header.flags & STATE_CODE))
			table->header.exit_code =
			    status_code(table->header.command.status);
	}
	set_phase(PHASE_PRE_SHUTDOWN);
	return true;
}

static bool
step_stop_services(bool early)
{
	enum phase phase = table->header.phase;
	static bool begun[2];

	if (!begun[early] && !options.skip_services) {
		begun[early] = true;
		if (!early)
			log_info("Shutting down runit daemon (PID %d)...",
			    (int)getpid());
		services_stop(early);
		return table->header.phase == phase;
	}
	if (services_active(early) > 0)
		return false;
	set_phase(early ? PHASE_DONE : PHASE_POST_SHUTDOWN);
	return true;
}

static void
finish(void)
{
	if (table->header.flags & STATE_ABORTED)
		log_warn("Init system aborted.");
	if (!options.no_sweep)
		log_info("Killing all processes...");
	gatekeeper_close();
	leave(table->header.exit_code,
	    options.no_sweep ? INIT_NO_SWEEP : options.sweep_grace_ms);
}

/*
 * Ends the container.  Its exit code is the main command's own if there was one,
 * and code if not.
 */
void
shutdown_begin(int code)
{
	struct state_header *header = &table->header;

	if (header->phase > PHASE_RUNNING)
		return;
	scan_end();
	if (!(header->flags & STATE_CODE))
		header->exit_code = code;
	set_phase(header->phase < PHASE_RUNNING ? PHASE_STOP_SCRIPT :
	    PHASE_STOP_COMMAND);
	shutdown_step();
}

/* The end is about to be asked for so; if not by this supervisor, by the next. */
void
shutdown_promise(int code, int32_t grace_ms)
{
	struct state_header *header = &table->header;

	if (grace_ms != -1) {
		header->stop_grace_ms = options.stop_grace_ms = grace_ms;
		header->flags |= STATE_GRACE;
	}
	if (code != -1) {
		header->exit_code = code;
		header->flags |= STATE_CODE;
	}
	header->flags |= STATE_ASKED;
}

/* Is it too late for a service to be started? */
bool
shutdown_starts_none(void)
{
	return table->header.phase == PHASE_STOP_SCRIPT ||
	    table->header.phase >= PHASE_STOP_SERVICES;
}

/*
 * As TERM does; code, unless it is -1, is the container's exit code, and grace_ms,
 * unless it is -1, stands in for KILL_PROCESS_TIMEOUT.  During a shutdown no grace
 * ends all waiting, and anything else changes nothing.
 */
void
shutdown_ask(int code, int32_t grace_ms)
{
	if (table->header.phase > PHASE_RUNNING) {
		if (grace_ms == 0)
			shutdown_hurry();
		return;
	}
	shutdown_promise(code, grace_ms);
	signal_stop(SIGTERM);
}

/* Goes on as far as it can be gone at once.  False: there is no shutdown. */
static bool
step(void)
{
	bool more = true;
	int status;

	/* Also not while a script of the boot runs, which may take its time. */
	if (table->header.phase <= PHASE_RUNNING)
		return false;
	while (more) {
		if (table->header.phase != PHASE_STOP_SCRIPT &&
		    script_under_way() && !script_ended(&status))
			return true;
		switch ((enum phase)table->header.phase) {
		case PHASE_STOP_SCRIPT:
			more = step_stop_script();
			break;
		case PHASE_STOP_COMMAND:
			more = step_stop_command();
			break;
		case PHASE_PRE_SHUTDOWN:
			if (!step_scripts(PRE_SHUTDOWN_DIRECTORY))
				set_phase(PHASE_STOP_SERVICES);
			break;
		case PHASE_STOP_SERVICES:
			more = step_stop_services(false);
			break;
		case PHASE_POST_SHUTDOWN:
			if (!step_scripts(POST_SHUTDOWN_DIRECTORY))
				set_phase(PHASE_STOP_EARLY);
			break;
		case PHASE_STOP_EARLY:
			more = step_stop_services(true);
			break;
		case PHASE_DONE:
			/* What the services have said is to be heard first. */
			if (lines_end())
				more = false;
			else
				finish();
			break;
		default:
			return false;
		}
	}
	return true;
}

/* Goes on with the shutdown, if there is one, until something is waited for. */
void
shutdown_step(void)
{
	if (step())
		wait_patiently();
}

/* Asked a second time: nothing is waited for any more. */
void
shutdown_hurry(void)
{
	table->header.flags |= STATE_HURRY;
	options.stop_grace_ms = 0;
	options.sweep_grace_ms = 0;
	script_hurry();
	command_hurry();
	services_hurry();
	wait_patiently();
}
