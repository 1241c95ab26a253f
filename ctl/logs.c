/* initctl logs: the last lines of services, and those that come. */
#include <string.h>
#include <unistd.h>

#include "ctl/ctl.h"

static bool several;		/* each line needs its service's name */
static bool to_terminal;

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

/* What the supervisor says of the lines of a service. */
void
logs_print(const msgpack_object *service)
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
			logs_print(service);
	}
}
