/* initctl: asks the supervisor, and prints what it says. */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ctl/ctl.h"

/* What is done here, with files, and needs no supervisor. */
static const struct {
	const char	*name;
	void		(*run)(int argc, char **argv);
	bool		has_json;
} locals[] = {
	{ "show", show_services, true },
	{ "check", check_services, false },
	{ "graph", graph_services, false },
};

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

/* Who watches for names that nobody has would wait for ever. */
static bool
are_any_known(void)
{
	struct answer answer;
	const msgpack_object *services;

	if (client_call(RPC_STATUS, &options.parameters, &answer) !=
	    CLIENT_ANSWERED || answer.error != NULL)
		return true;
	report_unknowns(answer.result);
	services = rpc_find(answer.result, "services");
	return services != NULL && services->type == MSGPACK_OBJECT_ARRAY &&
	    services->via.array.size > 0;
}

/* False: there is no answer, or it is an error. */
static bool
call(const struct command *command)
{
	struct answer answer;
	enum client_result result;

	result = client_call(command->method, &options.parameters, &answer);
	if (result != CLIENT_ANSWERED) {
		report_no_answer(result, options.json);
		return false;
	}
	if (answer.error != NULL) {
		if (options.json) {
			fputs("{\"error\": ", stdout);
			json_print(stdout, answer.error);
			puts("}");
			fflush(stdout);
		}
		fprintf(stderr, "*** %s\n",
		    text_of(rpc_find(answer.error, "message")));
		note(code_of_error(answer.error));
		return false;
	}
	if (options.json && command->method != RPC_SUBSCRIBE) {
		json_print(stdout, answer.result);
		putchar('\n');
	}
	report_result(command->method, &options.parameters, answer.result,
	    options.json);
	client_free(&answer);
	return true;
}

/*
 * A connection that tells of changes ends with the supervisor, which may have been
 * killed and be started again, or with the container: then there is no socket.
 */
static void
watch(const struct command *command)
{
	if (options.parameters.count > 0 && !are_any_known())
		return;
	do {
		if (!call(command))
			return;
	} while (follow(options.json, print_change) &&
	    access(client_socket_tried(), F_OK) == 0);
}

static void
run(const struct command *command)
{
	if (command->method == RPC_SUBSCRIBE)
		watch(command);
	else if (call(command) && options.parameters.follow)
		follow(options.json, logs_print);
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
		options.parameters.pattern |=
		    is_pattern(names[options.parameters.count]);
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
	size_t i;

	for (i = 0; i < sizeof(locals) / sizeof(locals[0]); i++)
		if (strcmp(locals[i].name, command->name) == 0)
			break;
	if (i == sizeof(locals) / sizeof(locals[0]))
		return false;
	if (options.json && !locals[i].has_json)
		usage_error("%s has no use for --json", command->name);
	locals[i].run(argc, argv);
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
	options.parameters.health = strcmp(command->name, "health") == 0;
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
