/*
 * What the server goes on to tell: lines of services (initctl logs -f), or services
 * that have changed (initctl watch).  It comes on the connection of the last call.
 */
#include "ctl/ctl.h"

/* Gives print the service of [2, method, [service]]; false: it is something else. */
static bool
print_notification(const msgpack_object *message, bool json,
    void (*print)(const msgpack_object *))
{
	const msgpack_object *element, *parameters;
	int64_t number;

	if (message->type != MSGPACK_OBJECT_ARRAY ||
	    message->via.array.size != 3)
		return false;
	element = message->via.array.ptr;
	parameters = &element[2];
	if (!rpc_integer(&element[0], RPC_NOTIFICATION, RPC_NOTIFICATION,
	    &number) || parameters->type != MSGPACK_OBJECT_ARRAY ||
	    parameters->via.array.size != 1)
		return false;
	if (json) {
		json_print(stdout, parameters->via.array.ptr);
		putchar('\n');
	} else {
		print(parameters->via.array.ptr);
	}
	return true;
}

/*
 * Prints what comes, as JSON or by print, until the connection ends (true) or there is
 * nobody to print it for.  The answer to the request has been reported.
 */
bool
follow(bool json, void (*print)(const msgpack_object *))
{
	struct answer answer;
	enum client_result result;

	while (fflush(stdout) != EOF && !ferror(stdout)) {
		result = client_next(&answer);
		if (result == CLIENT_ANSWERED &&
		    !print_notification(&answer.message, json, print))
			result = CLIENT_NONSENSE;
		client_free(&answer);
		if (result == CLIENT_NONSENSE)
			report_no_answer(result, false);
		if (result != CLIENT_ANSWERED)
			return result != CLIENT_NONSENSE;
	}
	return false;
}
