/*
 * What initctl and sv do with the bytes of whoever answers at the socket, which
 * may be anybody's (INITCTL_SOCKET, --socket).
 *
 * The input is a response, and behind it the one to the question that initctl
 * asks when a service is unknown; if there is none, the same again.
 */
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include <json-c/json.h>

#include "ctl/ctl.h"
#include "tests/fuzz/fuzz.h"

#define CALLS_MAX	4	/* of client_call() an input; more are slow */

static const uint8_t *next;	/* what client_call() answers */
static size_t next_length;
static unsigned calls;
static int nowhere;
static bool raw;		/* lines of services are printed as they are */

enum client_result __wrap_client_call(enum rpc_method,
	    const struct parameters *, struct answer *);

/* The linker puts it in the place of client_call(). */
enum client_result
__wrap_client_call(enum rpc_method method, const struct parameters *parameters,
    struct answer *answer)
{
	*answer = (struct answer){ 0 };
	expect(method > 0 && method < RPC_METHODS);
	expect(parameters->count <= RPC_NAMES_MAX);
	if (calls++ >= CALLS_MAX)
		return CLIENT_TIMED_OUT;
	answer->bytes = copy_of(next, next_length);
	return client_read(answer->bytes, next_length, answer) ?
	    CLIENT_ANSWERED : CLIENT_NONSENSE;
}

/* --- stdout and stderr ---------------------------------------------------- */

static ssize_t
look_at_text(void *cookie, const char *text, size_t length)
{
	(void)cookie;
	if (!raw)
		check_text(text, length);
	return (ssize_t)length;
}

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	const cookie_io_functions_t functions = { .write = look_at_text };

	(void)argc;
	(void)argv;
	/* libFuzzer has its own, and the sanitizers use the descriptor. */
	stdout = fopencookie(NULL, "w", functions);
	stderr = fopencookie(NULL, "w", functions);
	setvbuf(stdout, NULL, _IOFBF, 65536);
	setvbuf(stderr, NULL, _IOFBF, 65536);
	setenv("NO_COLOR", "1", 1);
	nowhere = open("/", O_PATH | O_DIRECTORY);
	return 0;
}

/* --- what is done with an answer ------------------------------------------ */

/* JSON that others can read, whatever it was. */
static void
check_json(const msgpack_object *object)
{
	static struct json_tokener *tokener;
	char *text;
	size_t length;
	FILE *out = open_memstream(&text, &length);

	json_print(out, object);
	fclose(out);
	expect(rpc_is_utf8(text, length) && strlen(text) == length);
	check_text(text, length);
	if (tokener == NULL)
		tokener = json_tokener_new();
	json_tokener_reset(tokener);
	json_tokener_set_flags(tokener, JSON_TOKENER_STRICT |
	    JSON_TOKENER_VALIDATE_UTF8);
	json_object_put(json_tokener_parse_ex(tokener, text, (int)length + 1));
	expect(json_tokener_get_error(tokener) == json_tokener_success);
	free(text);
}

/* As initctl has it; see run() there. */
static void
report(const struct answer *answer)
{
	static const char *const names[] = { "a" };
	struct parameters parameters = PARAMETERS_NONE;
	int method, json;

	check_json(answer->error != NULL ? answer->error : answer->result);
	if (answer->error != NULL) {
		expect(text_of(rpc_find(answer->error, "message")) != NULL);
		note(code_of_error(answer->error));
		return;
	}
	parameters.names = names;
	parameters.count = 1;
	for (method = 1; method < RPC_METHODS; method++)
		for (json = 0; json < 2; json++) {
			worst = EXIT_DONE;
			fflush(stdout);
			raw = method == RPC_LOGS && !json;
			report_result((enum rpc_method)method, &parameters,
			    answer->result, json);
			expect(worst >= EXIT_DONE && worst <= EXIT_DENIED);
			fflush(stdout);
			raw = false;
		}
	for (method = 0; method < RPC_FORS; method++) {
		parameters.wait_for = rpc_fors[method];
		report_result(RPC_WAIT, &parameters, answer->result, false);
	}
	parameters.health = true;
	report_result(RPC_STATUS, &parameters, answer->result, false);
	parameters.health = false;
	parameters.names = NULL;
	parameters.count = 0;
	report_result(RPC_STATUS, &parameters, answer->result, false);
}

/* As sv has it, which asks for itself. */
static void
look(void)
{
	static struct target all[] = {
		{ .given = "a", .name = "a" },
		{ .given = "web", .name = "web" },
	};
	int i;

	targets = all;
	target_count = sizeof(all) / sizeof(all[0]);
	for (i = 0; i < target_count; i++)
		all[i].directory = dup(nowhere);
	calls = 0;
	targets_look();
	for (i = 0; i < target_count; i++) {
		if (all[i].directory != -1) {
			target_print(&all[i]);
			target_done(&all[i]);
		}
		free(all[i].failure);
		all[i].failure = NULL;
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t length)
{
	struct answer answer = { 0 };
	enum rpc_check result;
	size_t bytes;

	result = check_prefixes(data, length, &rpc_reply_limits, &bytes);
	answer.bytes = copy_of(data, length);
	next = data;
	next_length = length;
	if (result == RPC_COMPLETE && bytes < length) {
		next += bytes;
		next_length -= bytes;
	}
	if (client_read(answer.bytes, length, &answer)) {
		expect(result == RPC_COMPLETE);
		expect((answer.error == NULL) != (answer.result == NULL));
		/* A crash is not to be relied on: what is behind is a zone. */
		expect(answer.message.via.array.size == 4);
		calls = 0;
		report(&answer);
		look();
		fflush(stdout);
		fflush(stderr);
	}
	client_free(&answer);
	return 0;
}
