/* initctl: asks the supervisor, and prints what it says. */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ctl/ctl.h"

#define TIMEOUT_MAX_S	(RPC_TIMEOUT_MAX_MS / 1000)

/* Options that not every command takes. */
enum option_bit {
	TIMEOUT = 1, NO_WAIT = 2, CODE = 4, ONLY = 8, WAIT_FOR = 16, DOT = 32,
};
#define OPTION_LAST	DOT

struct command {
	const char	*name;
	enum rpc_method	method;		/* 0: nobody is asked */
	unsigned	takes;		/* option bits */
	int		least, most;	/* arguments; -1: any number */
	const char	*arguments;
	const char	*help;
};

static const struct command commands[] = {
	{ "status", RPC_STATUS, 0, 0, -1, "[NAME...]",
	    "show services, and what the container is doing" },
	{ "start", RPC_START, TIMEOUT | NO_WAIT, 1, -1, "NAME...",
	    "start, and keep up" },
	{ "stop", RPC_STOP, TIMEOUT | NO_WAIT | ONLY, 1, -1, "NAME...",
	    "stop, and keep down" },
	{ "restart", RPC_RESTART, TIMEOUT | NO_WAIT, 1, -1, "NAME...",
	    "stop, if up, and start" },
	{ "once", RPC_ONCE, TIMEOUT | NO_WAIT, 1, -1, "NAME...",
	    "start, and do not start again when it ends" },
	{ "reload", RPC_RELOAD, 0, 1, -1, "NAME...",
	    "send HUP, or its reload-signal" },
	{ "signal", RPC_SIGNAL, 0, 2, -1, "SIGNAL NAME...",
	    "send a signal (HUP, USR1, 15 ...)" },
	{ "wait", RPC_WAIT, TIMEOUT | WAIT_FOR, 1, -1, "NAME...",
	    "wait until it is ready, is down, or has ended" },
	{ "rescan", RPC_RESCAN, 0, 0, 0, "",
	    "look for new and removed services in " SERVICE_DIRECTORY },
	{ "enable-insecure-key", RPC_ENABLE_INSECURE_KEY, 0, 0, 0, "",
	    "let the insecure SSH key in" },
	{ "shutdown", RPC_SHUTDOWN, TIMEOUT | CODE, 0, 0, "[--exit-code N]",
	    "stop everything, and end the container" },
	{ "show", 0, 0, 1, -1, "NAME...",
	    "show the settings of services, and where they come from" },
	{ "check", 0, 0, 0, -1, "[DIRECTORY...]",
	    "find faults of all services in " SERVICE_DIRECTORY },
	{ "graph", 0, DOT, 0, -1, "[NAME...]",
	    "show in which order services are started" },
	{ "version", RPC_VERSION, 0, 0, 0, "", "show versions" },
	{ "help", 0, 0, 0, -1, "", "show this" },
	{ "list", RPC_STATUS, 0, 0, -1, NULL, NULL },
};
#define COMMANDS	(sizeof(commands) / sizeof(commands[0]))

/* What is done here, with files, and needs no supervisor. */
static const struct {
	const char	*name;
	void		(*run)(int argc, char **argv, const struct locally *);
	bool		has_json;
} locals[] = {
	{ "show", show_services, true },
	{ "check", check_services, false },
	{ "graph", graph_services, false },
};

static struct {
	bool		json;
	unsigned	given;		/* option bits */
	const char	*spelling[OPTION_LAST + 1];	/* of each, as it was given */
	struct parameters parameters;
} options = { .parameters = PARAMETERS_NONE };

/* What was to be printed counts: the exit code if it could not be. */
static int
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

static void __attribute__((noreturn))
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

static void __attribute__((noreturn, format(printf, 1, 2)))
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
		    options.spelling[WAIT_FOR], spelling);
	options.parameters.wait_for = rpc_fors[what];
}

/* Takes over an option that not every command takes. */
static void
take_option(int bit, int which, const char *spelling)
{
	switch (bit) {
	case TIMEOUT:
		options.parameters.timeout_ms = seconds(optarg);
		break;
	case NO_WAIT:
		options.parameters.no_wait = true;
		break;
	case CODE:
		options.parameters.exit_code = exit_code(optarg);
		break;
	case ONLY:
		options.parameters.only = true;
		break;
	case WAIT_FOR:
		wait_for((enum rpc_for)which, spelling);
		break;
	}
	options.given |= (unsigned)bit;
	options.spelling[bit] = spelling;
}

/* Options may stand anywhere; what is left are the command and its arguments. */
static void
parse_options(int argc, char **argv)
{
	enum { JSON = 256, SOCKET, WAIT, VERSION_SHOWN };
	static int which;	/* of several options with the same bit */
	static const struct option known[] = {
		{ "json", no_argument, NULL, JSON },
		{ "socket", required_argument, NULL, SOCKET },
		{ "timeout", required_argument, NULL, TIMEOUT },
		{ "wait", no_argument, NULL, WAIT },
		{ "no-wait", no_argument, NULL, NO_WAIT },
		{ "exit-code", required_argument, NULL, CODE },
		{ "only", no_argument, NULL, ONLY },
		{ "dot", no_argument, NULL, DOT },
		{ "ready", no_argument, NULL, WAIT_FOR },
		{ "down", no_argument, &which, RPC_FOR_DOWN },
		{ "any-exit", no_argument, &which, RPC_FOR_EXIT },
		{ "version", no_argument, NULL, VERSION_SHOWN },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	int option, i = 0;

	opterr = 0;
	while ((option = getopt_long(argc, argv, "h", known, &i)) != -1) {
		switch (option) {
		case JSON:
			options.json = true;
			break;
		case SOCKET:
			client_socket = optarg;
			break;
		case WAIT:
			options.parameters.no_wait = false;
			options.given &= ~(unsigned)NO_WAIT;
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
			option = WAIT_FOR;
			/* FALLTHROUGH */
		default:
			take_option(option, which, known[i].name);
		}
		which = RPC_FOR_READY;
	}
}

static const struct command *
find_command(const char *name)
{
	size_t i;

	for (i = 0; i < COMMANDS; i++)
		if (strcmp(commands[i].name, name) == 0)
			return &commands[i];
	return NULL;
}

/* Options that a command has no use for are an error, not a surprise. */
static void
check_options(const struct command *command)
{
	unsigned bit, useless = options.given & ~command->takes;

	for (bit = 1; bit <= OPTION_LAST; bit <<= 1)
		if (useless & bit)
			usage_error("%s has no use for --%s", command->name,
			    options.spelling[bit]);
}

static void
check_signal(const char *name)
{
	char *end;
	long number = strtol(name, &end, 10);
	int i;

	if (*name != '\0' && *end == '\0' && number >= 1 && number <= 64)
		return;
	if (strncmp(name, "SIG", 3) == 0)
		name += 3;
	for (i = 1; i < SIGNAL_NAMES; i++)
		if (signal_names[i] != NULL && strcmp(signal_names[i], name) == 0)
			return;
	usage_error("%s is no signal (1 to 64, HUP, TERM, USR1 ...)",
	    escape(name));
}

/* --- to the supervisor and back ---------------------------------------------- */

static void
run(const struct command *command)
{
	struct answer answer;
	enum client_result result;

	result = client_call(command->method, &options.parameters, &answer);
	if (result != CLIENT_ANSWERED) {
		report_no_answer(result, options.json);
		return;
	}
	if (options.json) {
		if (answer.error != NULL)
			fputs("{\"error\": ", stdout);
		json_print(stdout, answer.error != NULL ? answer.error :
		    answer.result);
		puts(answer.error != NULL ? "}" : "");
	}
	if (answer.error != NULL) {
		fflush(stdout);
		fprintf(stderr, "*** %s\n",
		    text_of(rpc_find(answer.error, "message")));
		note(code_of_error(answer.error));
	} else {
		report_result(command->method, &options.parameters,
		    answer.result, options.json);
	}
	/* What the answer takes is given back by our end. */
}

/*
 * Old packages' scripts call a program of this name, without caring whether an
 * init is there at all (contract.md, defect 26): then there is nothing to be done,
 * and that is no error.
 */
static bool
is_package_script(int argc, char **argv)
{
	static const char *const verbs[] = {
		"version", "start", "stop", "restart", "reload", "list", "emit",
		"reload-configuration", "show-config", "check-config",
		"log-priority", "notify-disk-writeable",
	};
	size_t verb;
	int i;

	for (i = 1; i < argc && argv[i][0] == '-'; i++)
		if (strncmp(argv[i], "--socket", 8) == 0)
			return false;
	for (verb = 0; i < argc && verb < sizeof(verbs) / sizeof(verbs[0]);
	    verb++)
		if (strcmp(argv[i], verbs[verb]) == 0)
			return !client_has_socket();
	return false;
}

static void
take_names(int argc, char **argv)
{
	const char **names = calloc((size_t)argc, sizeof(*names));
	size_t length;
	int i;

	for (i = 0; names != NULL && i < argc; i++) {
		names[options.parameters.count] = service_name(argv[i]);
		length = strlen(names[options.parameters.count]);
		if (length == 0 || length > STATE_NAME_MAX)
			report_impossible(argv[i]);
		else
			options.parameters.count++;
	}
	options.parameters.names = names;
}

static bool
run_local(const struct command *command, int argc, char **argv)
{
	const struct locally how = {
		.json = options.json, .dot = options.given & DOT,
	};
	size_t i;

	for (i = 0; i < sizeof(locals) / sizeof(locals[0]); i++)
		if (strcmp(locals[i].name, command->name) == 0)
			break;
	if (i == sizeof(locals) / sizeof(locals[0]))
		return false;
	if (how.json && !locals[i].has_json)
		usage_error("%s has no use for --json", command->name);
	locals[i].run(argc, argv, &how);
	return true;
}

static int
initctl_main(int argc, char **argv)
{
	const struct command *command;
	static char buffer[64 * 1024];	/* musl's own has a kilobyte */

	if (is_package_script(argc, argv))
		return EXIT_DONE;
	setvbuf(stdout, buffer, isatty(STDOUT_FILENO) ? _IOLBF : _IOFBF,
	    sizeof(buffer));
	parse_options(argc, argv);
	if (optind == argc)
		usage_error("a command is missing");
	if ((command = find_command(argv[optind])) == NULL)
		usage_error("there is no command %s", escape(argv[optind]));
	if (strcmp(command->name, "help") == 0)
		print_help();
	check_options(command);
	argv += optind + 1;
	argc -= optind + 1;
	if (argc < command->least || (command->most != -1 &&
	    argc > command->most))
		usage_error("%s takes: %s", command->name,
		    command->arguments[0] != '\0' ? command->arguments :
		    "no arguments");
	if (run_local(command, argc, argv))
		return written();
	if (command->method == RPC_SIGNAL) {
		check_signal(argv[0]);
		options.parameters.signal = *argv++;
		argc--;
	}
	if (argc > 0)
		take_names(argc, argv);
	/* The end of all processes may come before its announcement is read. */
	if (command->method == RPC_SHUTDOWN)
		signal(SIGTERM, SIG_IGN);
	if (argc == 0 || options.parameters.count > 0)
		run(command);
	return written();
}

int
main(int argc, char **argv)
{
	const char *name = argc > 0 ? strrchr(argv[0], '/') : "";

	name = name == NULL ? argv[0] : *name == '/' ? name + 1 : name;
	if (strcmp(name, "initctl") == 0 || argc < 1)
		return initctl_main(argc, argv);
	return sv_main(argc, argv);
}
