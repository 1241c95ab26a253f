/*
 * initctl logs: the last lines of services, and those that come.  The connection is
 * kept for the latter, and what is not complete yet of the next message with it.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ctl/ctl.h"

static bool several;		/* each line needs its service's name */
static bool to_terminal;
static bool as_json;

/* The bytes of a colour ("ESC [ ... m") at text, or 0. */
static size_t
colour(const char *text, size_t left)
{
	size_t length = 2;

	if (left < 3 || text[0] != '\033' || text[1] != '[')
		return 0;
	while (length < left && ((text[length] >= '0' && text[length] <= '9') ||
	    text[length] == ';'))
		length++;
	return length < left && text[length] == 'm' ? length + 1 : 0;
}

/*
 * A line as the service has written it.  On a terminal it may have colours and no
 * other control: whoever writes a log is not to move the cursor of who reads it.
 */
static void
print_line(const char *line, size_t left)
{
	size_t length;

	if (!to_terminal) {
		fwrite(line, 1, left, stdout);
		putchar('\n');
		return;
	}
	for (; left > 0; line += length, left -= length) {
		length = 1;
		if ((unsigned char)*line >= 0x20 ? *line != 0x7f : *line == '\t')
			putchar(*line);
		else if ((length = colour(line, left)) > 0)
			fwrite(line, 1, length, stdout);
		else if ((length = 1, *line != '\r' || left > 1))
			printf("\\x%02x", (unsigned char)*line);
	}
	putchar('\n');
}

static void
print_service(const msgpack_object *service)
{
	const msgpack_object *lines = rpc_find(service, "lines");
	const char *name = text_of(rpc_find(service, "name")), *bytes;
	size_t length;
	uint32_t i;

	if (is_true(service, "lost")) {
		fflush(stdout);
		fprintf(stderr, "*** %s: some lines are missing here: they "
		    "came too fast\n", name);
	}
	for (i = 0; lines != NULL && lines->type == MSGPACK_OBJECT_ARRAY &&
	    i < lines->via.array.size; i++) {
		if (!rpc_bytes(&lines->via.array.ptr[i], &bytes, &length))
			continue;
		if (several)
			printf("%s: ", name);
		print_line(bytes, length);
	}
	fflush(stdout);
}

/* What the answer to the request says of each service. */
void
logs_report(const struct parameters *parameters, const msgpack_object *result,
    bool json)
{
	const msgpack_object *services = rpc_find(result, "services"), *service;
	int64_t dropped;
	uint32_t i;

	if (services == NULL || services->type != MSGPACK_OBJECT_ARRAY)
		return;
	as_json = json;
	to_terminal = isatty(STDOUT_FILENO);
	several = services->via.array.size > 1 || parameters->pattern;
	for (i = 0; i < services->via.array.size; i++) {
		service = &services->via.array.ptr[i];
		if (!is_true(service, "ok")) {
			report_refused(service);
			continue;
		}
		dropped = number_of(service, "dropped", 0);
		if (dropped > 0)
			fprintf(stderr, "*** %s: %lld line%s not be written to "
			    "the container's output, which nobody read\n",
			    text_of(rpc_find(service, "name")),
			    (long long)dropped, dropped == 1 ? " could" :
			    "s could");
		if (!json)
			print_service(service);
	}
}

/* Prints [2, "lines", [service]]; false: it is something else. */
static bool
print_notification(const msgpack_object *message)
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
	if (as_json) {
		json_print(stdout, parameters->via.array.ptr);
		putchar('\n');
		fflush(stdout);
	} else {
		print_service(parameters->via.array.ptr);
	}
	return true;
}

/*
 * Prints what comes, until the container ends or there is nobody to print it for.
 * The answer to the request has been reported.
 */
void
logs_follow(void)
{
	struct answer answer;
	enum client_result result;

	while (fflush(stdout) != EOF && !ferror(stdout)) {
		result = client_next(&answer);
		if (result == CLIENT_ANSWERED &&
		    !print_notification(&answer.message))
			result = CLIENT_NONSENSE;
		client_free(&answer);
		if (result == CLIENT_NONSENSE)
			report_no_answer(result, false);
		/* The end of the connection is mostly that of the container. */
		if (result != CLIENT_ANSWERED)
			return;
	}
}
