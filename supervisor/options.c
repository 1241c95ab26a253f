/* The command line, and what the environment says about it. */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "supervisor.h"

#ifndef VERSION
#define VERSION	"unknown"
#endif

#define STOP_GRACE_MS	30000	/* KILL_PROCESS_TIMEOUT */
#define SWEEP_GRACE_MS	30000	/* KILL_ALL_PROCESSES_TIMEOUT */

struct options options = {
	.startup_directory = STARTUP_DIRECTORY,
	.stop_grace_ms = STOP_GRACE_MS,
	.sweep_grace_ms = SWEEP_GRACE_MS,
};

static const char usage[] =
    "usage: my_init [-h] [--version] [--enable-insecure-key]\n"
    "               [--skip-startup-files] [--skip-runit] [--wait-ready]\n"
    "               [--no-kill-all-on-exit] [--quiet]\n"
    "               [--] [COMMAND [ARGUMENT...]]\n";

static const char help[] =
    "\n"
    "Initialize the system.\n"
    "\n"
    "Runs the startup files, then the services of /etc/service, then COMMAND.\n"
    "When COMMAND ends, or on TERM, everything is stopped in order; the exit\n"
    "code is COMMAND's.\n"
    "\n"
    "  -h, --help             show this and exit\n"
    "  --version              show the version and exit\n"
    "  --enable-insecure-key  install the insecure SSH key\n"
    "  --skip-startup-files   run neither /etc/my_init.d/* nor /etc/rc.local\n"
    "  --skip-runit           run no services (COMMAND is then required)\n"
    "  --wait-ready           start COMMAND when all services are ready; if one\n"
    "                         cannot be, stop with exit code 1\n"
    "  --no-kill-all-on-exit  do not kill what is left at the end\n"
    "  --quiet                print warnings and errors only\n"
    "\n"
    "Environment: KILL_PROCESS_TIMEOUT and KILL_ALL_PROCESSES_TIMEOUT are the\n"
    "seconds from TERM to KILL (30) for one process and for what is left at the\n"
    "end; ENV_INIT_DIRECTORY stands in for /etc/my_init.d; SERVICE_LOG_PREFIX\n"
    "(name, time, json) puts that before each line that a service writes.\n"
    "\n"
    "See my_init(8).\n";

static void __attribute__((noreturn))
usage_error(const char *argument)
{
	/* Not through stderr, which may be a pipe that nobody reads. */
	dprintf(INIT_LOG_FD, "%smy_init: error: unrecognized arguments: %s\n",
	    usage, escape(argument));
	leave(2, INIT_NO_SWEEP);
}

static void __attribute__((noreturn))
show(const char *first, const char *second)
{
	printf("%s%s", first, second);
	fflush(stdout);
	leave(0, INIT_NO_SWEEP);
}

/*
 * Takes the options up to the first operand; with all, among the operands too, until
 * "--" (contract.md, 1), and argv is reordered.  Returns where the operands begin.
 */
static int
parse(int argc, char **argv, bool all)
{
	enum { HELP = 'h', VERSION_SHOWN = 256, KEY, FILES, RUNIT, WAIT,
	    SWEEP, QUIET };
	static const struct option known[] = {
		{ "help", no_argument, NULL, HELP },
		{ "version", no_argument, NULL, VERSION_SHOWN },
		{ "enable-insecure-key", no_argument, NULL, KEY },
		{ "skip-startup-files", no_argument, NULL, FILES },
		{ "skip-runit", no_argument, NULL, RUNIT },
		{ "wait-ready", no_argument, NULL, WAIT },
		{ "no-kill-all-on-exit", no_argument, NULL, SWEEP },
		{ "quiet", no_argument, NULL, QUIET },
		{ NULL, 0, NULL, 0 },
	};
	int option, at = 1;

	opterr = 0;
	optind = 0;	/* from the start, even for the second time */
	while ((option = getopt_long(argc, argv, all ? "h" : "+h", known,
	    NULL)) != -1) {
		switch (option) {
		case HELP:
			show(usage, help);
		case VERSION_SHOWN:
			show("my_init " VERSION, "\n");
		case KEY:
			options.insecure_key = true;
			break;
		case FILES:
			options.skip_startup_files = true;
			break;
		case RUNIT:
			options.skip_services = true;
			break;
		case WAIT:
			options.wait_ready = true;
			break;
		case SWEEP:
			options.no_sweep = true;
			break;
		case QUIET:
			options.quiet = true;
			break;
		default:
			usage_error(argv[optind > at ? optind - 1 : optind]);
		}
		at = optind;
	}
	return optind;
}

/*
 * A main command that is my_init again comes of an image that has it as ENTRYPOINT
 * and as CMD: its options are as good as ours, and so is its main command.
 */
void
options_parse(int argc, char **argv)
{
	const char *self = argv[0];
	int first;

	while ((first = parse(argc, argv, false)) < argc &&
	    (strcmp(argv[first], "/sbin/my_init") == 0 ||
	    strcmp(argv[first], "my_init") == 0 ||
	    strcmp(argv[first], self) == 0)) {
		options.twice = true;
		argc -= first;
		argv += first;
	}
	first = parse(argc, argv, true);
	if (first < argc)
		options.command = argv + first;
	if (options.command == NULL &&
	    (options.skip_services || options.wait_ready)) {
		log_warn("When %s is given, you must also pass a main "
		    "command.", options.skip_services ? "--skip-runit" :
		    "--wait-ready");
		leave(1, INIT_NO_SWEEP);
	}
	if (options.skip_services && options.wait_ready) {
		log_warn("With --skip-runit there are no services for "
		    "--wait-ready to wait for.");
		leave(1, INIT_NO_SWEEP);
	}
}

/* One of the words of the file log-prefix; none, if there is no such word. */
static enum log_prefix
prefix(const char *name, bool say)
{
	const char *value = environment_get(name);
	int i;

	if (value == NULL || *value == '\0')
		return PREFIX_NONE;
	for (i = PREFIX_NONE; i < LOG_PREFIXES; i++)
		if (strcmp(value, log_prefix_names[i]) == 0)
			return (enum log_prefix)i;
	if (say)
		log_warn("%s=%s is not name, time, json or none; using none",
		    name, escape(value));
	return PREFIX_NONE;
}

/* Whole seconds in milliseconds, or the default. */
static int64_t
seconds(const char *name, int64_t fallback_ms, bool say)
{
	const char *value = environment_get(name);
	char *end;
	long number;

	if (value == NULL || *value == '\0')
		return fallback_ms;
	errno = 0;
	number = strtol(value, &end, 10);
	if (errno == 0 && *end == '\0' && number >= 0 &&
	    number <= INT32_MAX / 1000)
		return number * 1000;
	if (say)
		log_warn("%s=%s is not a number of seconds; using %d", name,
		    escape(value), (int)(fallback_ms / 1000));
	return fallback_ms;
}

/*
 * Reads what the environment of my_init says; files have no part in it
 * (contract.md, 4).  With say false, what is wrong has been said before.
 */
void
options_read_environment(bool say)
{
	const char *directory = environment_get("ENV_INIT_DIRECTORY");

	options.stop_grace_ms = seconds("KILL_PROCESS_TIMEOUT", STOP_GRACE_MS,
	    say);
	options.sweep_grace_ms = seconds("KILL_ALL_PROCESSES_TIMEOUT",
	    SWEEP_GRACE_MS, say);
	options.log_prefix = prefix("SERVICE_LOG_PREFIX", say);
	if (table->header.flags & STATE_GRACE)
		options.stop_grace_ms = table->header.stop_grace_ms;
	if (directory != NULL && *directory != '\0')
		options.startup_directory = strdup(directory);
	if (table->header.flags & STATE_HURRY)
		options.stop_grace_ms = options.sweep_grace_ms = 0;
}
