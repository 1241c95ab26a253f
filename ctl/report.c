/* What initctl says of an answer, and the exit code that it makes of it. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/ctl.h"

int worst;	/* exit code so far */

/* 7 5 4 6 1 3: what is graver says more about what to do next. */
void
note(enum exit_code code)
{
	static const int gravity[] = {
		[EXIT_DONE] = 0, [EXIT_NOT_UP] = 1, [EXIT_FAILED] = 2,
		[EXIT_TIMED_OUT] = 3, [EXIT_UNKNOWN] = 4,
		[EXIT_UNREACHABLE] = 5, [EXIT_DENIED] = 6, [EXIT_USAGE] = 7,
	};

	if (gravity[code] > gravity[worst])
		worst = code;
}

/* The exit code for an error of the protocol. */
enum exit_code
code_of_error(const msgpack_object *error)
{
	static const struct {
		enum rpc_error	error;
		enum exit_code	code;
	} codes[] = {
		{ RPC_DENIED, EXIT_DENIED },
		{ RPC_UNAVAILABLE, EXIT_UNREACHABLE },
		{ RPC_BUSY, EXIT_UNREACHABLE },
		{ RPC_UNKNOWN_SERVICE, EXIT_UNKNOWN },
		{ RPC_TIMEOUT, EXIT_TIMED_OUT },
	};
	const msgpack_object *code = rpc_find(error, "code");
	size_t i;

	for (i = 0; code != NULL && i < sizeof(codes) / sizeof(codes[0]); i++)
		if (rpc_is(code, rpc_errors[codes[i].error]))
			return codes[i].code;
	return EXIT_FAILED;
}

/* All services there are; asked for once. */
static const msgpack_object *
all_services(void)
{
	const struct parameters none = PARAMETERS_NONE;
	static struct answer answer;
	static bool asked;

	if (!asked && client_call(RPC_STATUS, &none, &answer) !=
	    CLIENT_ANSWERED)
		answer.result = NULL;
	asked = true;
	return rpc_find(answer.result, "services");
}

/* The service that somebody who typed this may have meant, or NULL. */
static const char *
likely_name(const char *name)
{
	const msgpack_object *services = all_services(), *service;
	static char best[STATE_NAME_MAX * 4 + 1];
	unsigned length = (unsigned)strlen(name), least = length / 3 + 1, d;
	uint32_t i;

	best[0] = '\0';
	for (i = 0; services != NULL &&
	    services->type == MSGPACK_OBJECT_ARRAY &&
	    i < services->via.array.size; i++) {
		service = rpc_find(&services->via.array.ptr[i], "name");
		d = distance(name, text_of(service));
		if (d < length && d <= least && (d < least ||
		    best[0] == '\0')) {
			least = d;
			snprintf(best, sizeof(best), "%s", text_of(service));
		}
	}
	return best[0] == '\0' ? NULL : best;
}

/* A name that no service can have, which the supervisor is not asked about. */
void
report_impossible(const char *name)
{
	note(EXIT_UNKNOWN);
	fprintf(stderr, "*** %s: no service has that name, or can have (it may "
	    "have 1 to %d bytes)\n", escape(name), STATE_NAME_MAX);
}

static void
report_unknown(const char *name)
{
	char own[STATE_NAME_MAX * 4 + 1];	/* name is in a buffer of escape() */
	const char *likely;

	snprintf(own, sizeof(own), "%s", name);
	likely = likely_name(own);
	note(EXIT_UNKNOWN);
	if (likely != NULL)
		fprintf(stderr, "*** %s: no service has that name; did you "
		    "mean %s?\n", own, likely);
	else
		fprintf(stderr, "*** %s: no service has that name (initctl "
		    "status shows those there are)\n", own);
}

static const char *
with_pid(const char *state, int64_t pid)
{
	static char text[32];

	if (pid <= 0)
		return state;
	snprintf(text, sizeof(text), "%s (PID %d)", state, (int)pid);
	return text;
}

/* What was waited for has come. */
static void
report_waited(const msgpack_object *service, const struct parameters *parameters)
{
	const char *name = text_of(rpc_find(service, "name"));
	const char *wait_for = parameters->wait_for;

	if (wait_for == NULL || wait_for == rpc_fors[RPC_FOR_READY]) {
		printf("%s: %s\n", name, with_pid("up",
		    number_of(service, "pid", 0)));
	} else if (wait_for == rpc_fors[RPC_FOR_DOWN]) {
		printf("%s: down\n", name);
	} else {
		printf("%s: ", name);
		print_exit(rpc_find(service, "exit"));
		putchar('\n');
	}
}

/* A service of which the answer is an error. */
void
report_refused(const msgpack_object *service)
{
	const msgpack_object *error = rpc_find(service, "error");
	const char *name = text_of(rpc_find(service, "name"));
	enum exit_code code = code_of_error(error);

	if (code == EXIT_UNKNOWN) {
		report_unknown(name);
		return;
	}
	note(code);
	fprintf(stderr, "*** %s: %s\n", name,
	    text_of(rpc_find(error, "message")));
}

static void
report_outcome(const msgpack_object *service, enum rpc_method method,
    const struct parameters *parameters, bool quiet)
{
	static const char *const done[RPC_METHODS] = {
		[RPC_START] = "up", [RPC_RESTART] = "up", [RPC_ONCE] = "up",
		[RPC_STOP] = "down",
	};
	const char *name = text_of(rpc_find(service, "name"));

	if (method == RPC_WAIT && is_true(service, "ok")) {
		if (!quiet)
			report_waited(service, parameters);
		return;
	}
	if (is_true(service, "ok")) {
		if (!quiet && done[method] != NULL)
			printf("%s: %s\n", name, with_pid(done[method],
			    number_of(service, "pid", 0)));
		return;
	}
	report_refused(service);
}

/* Is one not up that is to be?  One that is named is to be up in any case. */
static void
report_health(const msgpack_object *result, bool named, bool json)
{
	const msgpack_object *services = rpc_find(result, "services"), *service;
	const msgpack_object *want, *phase = rpc_find(result, "phase");
	uint32_t i, up = 0;

	for (i = 0; services != NULL &&
	    services->type == MSGPACK_OBJECT_ARRAY &&
	    i < services->via.array.size; i++) {
		service = &services->via.array.ptr[i];
		want = rpc_find(service, "want");
		if (is_state(service, "up")) {
			up++;
			continue;
		}
		if (!named && want != NULL && rpc_is(want, "down"))
			continue;
		note(EXIT_NOT_UP);
		if (json)
			continue;
		printf("%s: %s: ", text_of(rpc_find(service, "name")),
		    text_of(rpc_find(service, "state")));
		print_end(service);
		putchar('\n');
	}
	if (phase != NULL && !rpc_is(phase, phase_names[PHASE_RUNNING])) {
		note(EXIT_NOT_UP);
		if (!json)
			printf("not running: %s\n", text_of(phase));
	}
	if (worst == EXIT_DONE && !json)
		printf("%u service%s up\n", up, up == 1 ? "" : "s");
}

/* The names that no service has, of a result of `status`. */
void
report_unknowns(const msgpack_object *result)
{
	const msgpack_object *unknown = rpc_find(result, "unknown");
	uint32_t i;

	for (i = 0; unknown != NULL && unknown->type == MSGPACK_OBJECT_ARRAY &&
	    i < unknown->via.array.size; i++)
		report_unknown(text_of(&unknown->via.array.ptr[i]));
}

static void
report_status(const msgpack_object *result,
    const struct parameters *parameters, bool json)
{
	bool named = parameters->names != NULL;
	const msgpack_object *services = rpc_find(result, "services");
	uint32_t i;

	if (parameters->health)
		report_health(result, named, json);
	else if (!json)
		print_status(result);
	fflush(stdout);
	report_unknowns(result);
	for (i = 0; named && !parameters->health && services != NULL &&
	    services->type == MSGPACK_OBJECT_ARRAY &&
	    i < services->via.array.size; i++)
		if (!is_state(&services->via.array.ptr[i], "up"))
			note(EXIT_NOT_UP);
}

/* The result of a method that was called with parameters, for people. */
void
report_result(enum rpc_method method, const struct parameters *parameters,
    const msgpack_object *result, bool json)
{
	const msgpack_object *services;
	uint32_t i;

	switch (method) {
	case RPC_STATUS:
		report_status(result, parameters, json);
		return;
	case RPC_VERSION:
		if (!json)
			printf("initctl %s\nsupervisor %s, protocol %d\n",
			    VERSION, text_of(rpc_find(result, "version")),
			    (int)number_of(result, "protocol", 0));
		return;
	case RPC_LOGS:
		logs_report(parameters, result, json);
		return;
	case RPC_RESCAN:
		if (!json)
			printf("%d service%s added, %d removed\n",
			    (int)number_of(result, "added", 0),
			    number_of(result, "added", 0) == 1 ? "" : "s",
			    (int)number_of(result, "removed", 0));
		return;
	case RPC_ENABLE_INSECURE_KEY:
		if (!json)
			puts(is_true(result, "changed") ?
			    "insecure key enabled" :
			    "insecure key was enabled already");
		return;
	default:
		services = rpc_find(result, "services");
		for (i = 0; services != NULL &&
		    services->type == MSGPACK_OBJECT_ARRAY &&
		    i < services->via.array.size; i++)
			report_outcome(&services->via.array.ptr[i], method,
			    parameters, json || parameters->no_wait);
	}
}

/* There is no answer, and this is why. */
void
report_no_answer(enum client_result result, bool json)
{
	int reason = errno;	/* of what is called here, none is of interest */
	const char *socket = escape(client_socket_tried());
	enum exit_code code = EXIT_FAILED;
	enum rpc_error error = RPC_FAILED;
	char text[512];

	switch (result) {
	case CLIENT_TIMED_OUT:
		code = EXIT_TIMED_OUT;
		error = RPC_TIMEOUT;
		snprintf(text, sizeof(text), "The supervisor does not answer "
		    "(is it stopped? kill -CONT it)");
		break;
	case CLIENT_NONSENSE:
		snprintf(text, sizeof(text), "What answers at %s is not the "
		    "supervisor", socket);
		break;
	case CLIENT_TOO_LONG:
		code = EXIT_USAGE;
		error = RPC_BAD_REQUEST;
		snprintf(text, sizeof(text), "These are too many names at a "
		    "time (use a pattern, in quotes: 'web*')");
		break;
	default:
		code = reason == EACCES ? EXIT_DENIED : EXIT_UNREACHABLE;
		error = reason == EACCES ? RPC_DENIED : RPC_UNAVAILABLE;
		snprintf(text, sizeof(text), "The supervisor is not reachable "
		    "at %s: %s (%s)", socket, strerror(reason), reason == EACCES ?
		    "only root and the user that my_init runs as may" :
		    "is my_init PID 1 here?");
	}
	note(code);
	if (json) {
		printf("{\"error\": {\"code\": \"%s\", \"message\": ",
		    rpc_errors[error]);
		json_string(stdout, text, strlen(text));
		puts("}}");
	}
	fflush(stdout);
	fprintf(stderr, "*** %s\n", text);
}
