/* The commands of initctl, and how they are called. */
#include <getopt.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/ctl.h"

#define TIMEOUT_MAX_S	(RPC_TIMEOUT_MAX_MS / 1000)

static const struct command commands[] = {
	{ "status", RPC_STATUS, 0, 0, -1, "[NAME...]",
	    "show services, and what the container is doing" },
	{ "start", RPC_START, OPTION_TIMEOUT | OPTION_NO_WAIT, 1, -1, "NAME...",
	    "start, and keep up" },
	{ "stop", RPC_STOP, OPTION_TIMEOUT | OPTION_NO_WAIT | OPTION_ONLY, 1, -1, "NAME...",
	    "stop, and keep down" },
	{ "restart", RPC_RESTART, OPTION_TIMEOUT | OPTION_NO_WAIT, 1, -1, "NAME...",
	    "stop, if up, and start" },
	{ "once", RPC_ONCE, OPTION_TIMEOUT | OPTION_NO_WAIT, 1, -1, "NAME...",
	    "start, and do not start again when it ends" },
	{ "reload", RPC_RELOAD, 0, 1, -1, "NAME...",
	    "send HUP, or its reload-signal" },
	{ "signal", RPC_SIGNAL, 0, 2, -1, "SIGNAL NAME...",
	    "send a signal (HUP, USR1, 15 ...)" },
	{ "wait", RPC_WAIT, OPTION_TIMEOUT | OPTION_WAIT_FOR, 1, -1, "NAME...",
	    "wait until it is ready, down or has ended" },
	{ "health", RPC_STATUS, 0, 0, -1, "[NAME...]",
	    "is all up that is to be? (3: no)" },
	{ "rescan", RPC_RESCAN, 0, 0, 0, "",
	    "look for new and removed services in " SERVICE_DIRECTORY },
	{ "enable-insecure-key", RPC_ENABLE_INSECURE_KEY, 0, 0, 0, "",
	    "let the insecure SSH key in" },
	{ "shutdown", RPC_SHUTDOWN, OPTION_TIMEOUT | OPTION_CODE, 0, 0, "[--exit-code N]",
	    "stop everything, and end the container" },
	{ "show", 0, 0, 1, -1, "NAME...",
	    "its settings, and where they come from" },
	{ "check", 0, 0, 0, -1, "[DIRECTORY...]",
	    "find what is wrong in " SERVICE_DIRECTORY },
	{ "graph", 0, OPTION_DOT, 0, -1, "[NAME...]",
	    "show in which order services are started" },
	{ "logs", RPC_LOGS, OPTION_LINES | OPTION_FOLLOW, 1, -1, "NAME...",
	    "show the last lines of services with a log-prefix" },
	{ "watch", RPC_SUBSCRIBE, 0, 0, -1, "[NAME...]",
	    "show services now, and each again when it changes" },
	{ "version", RPC_VERSION, 0, 0, 0, "", "show versions" },
	{ "help", 0, 0, 0, -1, "", "show this" },
	{ "list", RPC_STATUS, 0, 0, -1, NULL, NULL },
};
#define COMMANDS	(sizeof(commands) / sizeof(commands[0]))

struct options options = { .parameters = PARAMETERS_NONE };

/* What was to be printed counts: the exit code if it could not be. */
int
written(void)
{
	if ((fflush(stdout) == EOF || ferror(stdout)) && worst == EXIT_DONE)
		return EXIT_FAILED;
	return worst;
}

static void
print_usage(FILE *out)
{
	fputs("usage: initctl [OPTION...] COMMAND [ARGUMENT...]\n", out);
}

void __attribute__((noreturn))
print_help(void)
{
	size_t i;

	print_usage(stdout);
	printf("\nTalks to the supervisor of this container.\n\n");
	for (i = 0; i < COMMANDS; i++)
		if (commands[i].help != NULL)
			printf("  %-20s%-16s %s\n", commands[i].name,
			    commands[i].arguments, commands[i].help);
	printf("\n"
	    "NAME is a service, a pattern ('web*'), or a path "
	    "(" SERVICE_DIRECTORY "/web).\n"
	    "start, stop, restart and once return when it is done.\n\n"
	    "  --timeout SECONDS   how long that, or wait, may take (60);\n"
	    "                      shutdown: time from TERM to KILL\n"
	    "  --no-wait           return at once\n"
	    "  --only              stop: not what depends on it\n"
	    "  --ready             wait: until it is ready (as if not given)\n"
	    "  --dot               graph: for graphviz\n"
	    "  -n, --lines N       logs: the last N alone\n"
	    "  -f, --follow        logs: and what comes\n"
	    "  --down, --any-exit  wait: until it is down; until it has ended\n"
	    "  --json              print the answer as JSON\n"
	    "  --exit-code N       shutdown: the container's exit code\n"
	    "  --socket PATH       of the supervisor (" RPC_SOCKET ")\n"
	    "  --version, --help\n\n"
	    "Exit codes: 0 done, 1 failed, 2 usage, 3 a named service is not "
	    "up,\n4 unknown service, 5 supervisor not reachable, 6 timed out, "
	    "7 denied.\n\nSee initctl(8).\n");
	exit(written());
}

void __attribute__((noreturn, format(printf, 1, 2)))
usage_error(const char *format, ...)
{
	va_list arguments;

	fputs("initctl: ", stderr);
	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fputc('\n', stderr);
	print_usage(stderr);
	fputs("Try: initctl help\n", stderr);
	exit(EXIT_USAGE);
}

/* --- the command line -------------------------------------------------------- */

static int64_t
seconds(const char *text)
{
	char *end;
	double value = strtod(text, &end);

	if (end == text || *end != '\0' || !(value >= 0) ||
	    value > TIMEOUT_MAX_S)
		usage_error("--timeout %s is not a number of seconds from 0 to "
		    "%d", escape(text), TIMEOUT_MAX_S);
	return (int64_t)(value * 1000);
}

static int64_t
line_count(const char *text)
{
	char *end;
	long value = strtol(text, &end, 10);

	if (end == text || *end != '\0' || value < 0)
		usage_error("--lines %s is not a number of lines",
		    escape(text));
	return value < RPC_LINES_MAX ? value : RPC_LINES_MAX;
}

static int
exit_code(const char *text)
{
	char *end;
	long value = strtol(text, &end, 10);

	if (end == text || *end != '\0' || value < 0 || value > 255)
		usage_error("--exit-code %s is not a number from 0 to 255",
		    escape(text));
	return (int)value;
}

static void
wait_for(enum rpc_for what, const char *spelling)
{
	if (options.parameters.wait_for != NULL &&
	    options.parameters.wait_for != rpc_fors[what])
		usage_error("--%s and --%s exclude each other",
		    options.spelling[OPTION_WAIT_FOR], spelling);
	options.parameters.wait_for = rpc_fors[what];
}

/* Takes over an option that not every command takes. */
static void
take_option(int bit, int which, const char *spelling)
{
	switch (bit) {
	case OPTION_TIMEOUT:
		options.parameters.timeout_ms = seconds(optarg);
		break;
	case OPTION_NO_WAIT:
		options.parameters.no_wait = true;
		break;
	case OPTION_CODE:
		options.parameters.exit_code = exit_code(optarg);
		break;
	case OPTION_ONLY:
		options.parameters.only = true;
		break;
	case OPTION_LINES:
		options.parameters.lines = line_count(optarg);
		break;
	case OPTION_FOLLOW:
		options.parameters.follow = true;
		break;
	case OPTION_WAIT_FOR:
		wait_for((enum rpc_for)which, spelling);
		break;
	}
	options.given |= (unsigned)bit;
	options.spelling[bit] = spelling;
}

/* Options may stand anywhere; what is left are the command and its arguments. */
void
parse_options(int argc, char **argv)
{
	enum { JSON = 256, SOCKET, WAIT, VERSION_SHOWN };
	static int which;	/* of several options with the same bit */
	static const struct option known[] = {
		{ "json", no_argument, NULL, JSON },
		{ "socket", required_argument, NULL, SOCKET },
		{ "timeout", required_argument, NULL, OPTION_TIMEOUT },
		{ "wait", no_argument, NULL, WAIT },
		{ "no-wait", no_argument, NULL, OPTION_NO_WAIT },
		{ "exit-code", required_argument, NULL, OPTION_CODE },
		{ "only", no_argument, NULL, OPTION_ONLY },
		{ "dot", no_argument, NULL, OPTION_DOT },
		{ "lines", required_argument, NULL, OPTION_LINES },
		{ "follow", no_argument, NULL, OPTION_FOLLOW },
		{ "ready", no_argument, NULL, OPTION_WAIT_FOR },
		{ "down", no_argument, &which, RPC_FOR_DOWN },
		{ "any-exit", no_argument, &which, RPC_FOR_EXIT },
		{ "version", no_argument, NULL, VERSION_SHOWN },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	int option, i = 0;

	opterr = 0;
	while ((option = getopt_long(argc, argv, "fhn:", known, &i)) != -1) {
		switch (option) {
		case 'f':
			take_option(OPTION_FOLLOW, 0, "follow");
			break;
		case 'n':
			take_option(OPTION_LINES, 0, "lines");
			break;
		case JSON:
			options.json = true;
			break;
		case SOCKET:
			client_socket = optarg;
			break;
		case WAIT:
			options.parameters.no_wait = false;
			options.given &= ~(unsigned)OPTION_NO_WAIT;
			break;
		case VERSION_SHOWN:
			puts("initctl " VERSION);
			exit(written());
		case 'h':
			print_help();
		case '?':
			usage_error("unknown option, or one without its value: "
			    "%s", escape(argv[optind - 1]));
		case 0:
			option = OPTION_WAIT_FOR;
			/* FALLTHROUGH */
		default:
			take_option(option, which, known[i].name);
		}
		which = RPC_FOR_READY;
	}
}

const struct command *
find_command(const char *name)
{
	size_t i;

	for (i = 0; i < COMMANDS; i++)
		if (strcmp(commands[i].name, name) == 0)
			return &commands[i];
	return NULL;
}

/* Options that a command has no use for are an error, not a surprise. */
void
check_options(const struct command *command)
{
	unsigned bit, useless = options.given & ~command->takes;

	for (bit = 1; bit <= OPTION_LAST; bit <<= 1)
		if (useless & bit)
			usage_error("%s has no use for --%s", command->name,
			    options.spelling[bit]);
}
