/* From nothing to running: environment, scripts, services, main command. */
#include <string.h>
#include <unistd.h>

#include "supervisor.h"

static void
set_phase(enum phase phase)
{
	table->header.phase = phase;
}

static void
dump(void)
{
	dump_sh(ENVIRONMENT_SH, environment());
	dump_json(ENVIRONMENT_JSON, environment());
}

/* contract.md, 2.2: files supply defaults, then everything is written out. */
static void
make_environment(void)
{
	if (!environment_import(ENVIRONMENT_DIRECTORY, false, false))
		return;
	if (dump_directory(ENVIRONMENT_DIRECTORY, environment()))
		table->header.flags |= STATE_EXPORTED;
	dump();
}

/* A script has succeeded: what it did to the directory counts from now on. */
static void
import_again(void)
{
	/* Among the first things that scripts do is to clean /run. */
	gatekeeper_check();
	table->header.flags |= STATE_REIMPORT;
	if (environment_import(ENVIRONMENT_DIRECTORY, true,
	    table->header.flags & STATE_EXPORTED))
		dump();
}

/*
 * The environment of the supervisor before us: ours is my_init's own again, and
 * the directory holds the rest.
 */
void
boot_resume(void)
{
	if (table->header.phase <= PHASE_ENVIRONMENT ||
	    access(ENVIRONMENT_DIRECTORY, R_OK) == -1)
		return;
	environment_import(ENVIRONMENT_DIRECTORY,
	    table->header.flags & STATE_REIMPORT,
	    table->header.flags & STATE_EXPORTED);
}

/* The shutdown says which script it was, and how it failed. */
static bool
fail(int status)
{
	if (status == 0)
		return false;
	shutdown_begin(status_code(status));
	return true;
}

/* Each returns whether there is more to be done at once. */

static bool
step_key(void)
{
	int status;

	if (script_ended(&status)) {
		if (!script_report(status))
			log_warn("The insecure key is not enabled");
		script_finish();
	} else if (options.insecure_key) {
		if (access(ENABLE_INSECURE_KEY, X_OK) == 0) {
			script_begin(ENABLE_INSECURE_KEY);
			return true;
		}
		log_warn("Cannot enable the insecure key: "
		    ENABLE_INSECURE_KEY " is not there (is SSH part of this "
		    "image?)");
	}
	set_phase(options.skip_startup_files ? PHASE_RUNNING : PHASE_SCRIPTS);
	return true;
}

static bool
step_scripts(void)
{
	char path[STATE_PATH_MAX + 1] = "";
	int status;

	if (script_ended(&status)) {
		if (fail(status))
			return false;
		import_again();
		script_finish();
		return true;
	}
	while (script_next(options.startup_directory, path, sizeof(path)))
		if (script_can_run(path)) {
			script_begin(path);
			return true;
		}
	set_phase(PHASE_RC_LOCAL);
	return true;
}

static bool
step_rc_local(void)
{
	int status;

	if (script_ended(&status)) {
		if (fail(status))
			return false;
		import_again();
		script_finish();
	} else if (access(RC_LOCAL, F_OK) == 0 && script_can_run(RC_LOCAL)) {
		script_begin(RC_LOCAL);
		return true;
	}
	set_phase(PHASE_RUNNING);
	return true;
}

/* The words of the original, whose users look for them in their logs. */
static void
announce_services(void)
{
	if (table->header.flags & STATE_SAID_BOOT)
		return;
	table->header.flags |= STATE_SAID_BOOT;
	log_info("Booting runit daemon...");
	log_info("Runit started as PID %d", (int)getpid());
}

/* --- --wait-ready ------------------------------------------------------------- */

bool boot_waits;

static struct event changed;

/*
 * A service that is to be up and is not, or NULL: one that has failed before one that
 * is not going to be started for that, and this before the others.
 */
static struct service *
find_unready(bool *never)
{
	struct service *service, *found = NULL;
	const struct state_slot *slot;

	for (service = service_next(NULL); service != NULL;
	    service = service_next(service)) {
		slot = service_slot(service);
		if (slot->want == WANT_DOWN || slot->state == SERVICE_UP)
			continue;
		if (slot->state == SERVICE_FAILED) {
			*never = true;
			return service;
		}
		if (!*never) {
			*never = depend_is_stuck(service);
			found = service;
		}
	}
	return found;
}

/* Starts the main command, if there is one and need not wait for services. */
static void
step_command(void)
{
	struct service *service = NULL;
	bool never = false;

	boot_waits = false;
	if (options.wait_ready && !command_has_begun())
		service = find_unready(&never);
	if (never) {
		log_warn("%s %s and --wait-ready was given: %s is not started",
		    escape(service_slot(service)->name),
		    service_slot(service)->state == SERVICE_FAILED ?
		    "has failed" : "cannot become ready",
		    escape(options.command[0]));
		shutdown_begin(1);
	} else if (service != NULL) {
		boot_waits = true;
	} else {
		/* What has waited for services finds their pids. */
		if (options.wait_ready)
			supervise_write();
		if (!command_start() || command_is_over())
			shutdown_begin(
			    status_code(table->header.command.status));
	}
}

static void
changed_cb(int fd, short what, void *argument)
{
	(void)fd;
	(void)what;
	(void)argument;
	if (boot_waits && table->header.phase == PHASE_RUNNING)
		step_command();
}

/* A service's state may have changed.  It is looked at when that has been seen to. */
void
boot_look(void)
{
	if (!event_initialized(&changed))
		evtimer_assign(&changed, base, changed_cb, NULL);
	timer_arm(&changed, now_ms());
}

static void
step_running(void)
{
	if (!options.skip_services) {
		announce_services();
		scan_start();
	}
	step_command();
	if (boot_waits)
		log_info("Waiting for all services to be ready");
}

/* Goes on with the boot until something has to be waited for. */
void
boot_step(void)
{
	for (;;) {
		int status;

		if (script_under_way() && !script_ended(&status))
			return;
		switch ((enum phase)table->header.phase) {
		case PHASE_ENVIRONMENT:
			supervise_begin();
			make_environment();
			set_phase(PHASE_KEY);
			break;
		case PHASE_KEY:
			step_key();
			break;
		case PHASE_SCRIPTS:
			if (!step_scripts())
				return;
			break;
		case PHASE_RC_LOCAL:
			if (!step_rc_local())
				return;
			break;
		default:
			step_running();
			return;
		}
	}
}
