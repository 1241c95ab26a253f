/* Answers, for people. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ctl/ctl.h"

#define NAME_BYTES	(STATE_PATH_MAX + 1)
#define CHANGED_COLUMNS	16	/* of a name, as long as there is no longer one */

/* A string, fit to be shown, or ""; of a few buffers the next. */
const char *
text_of(const msgpack_object *object)
{
	char text[NAME_BYTES];
	const char *bytes;
	size_t length;

	if (!rpc_bytes(object, &bytes, &length))
		return "";
	if (length >= sizeof(text))
		length = sizeof(text) - 1;
	memcpy(text, bytes, length);
	text[length] = '\0';
	return escape(text);
}

int64_t
number_of(const msgpack_object *map, const char *key, int64_t fallback)
{
	int64_t number;

	return rpc_integer(rpc_find(map, key), INT64_MIN, INT64_MAX, &number) ?
	    number : fallback;
}

bool
is_true(const msgpack_object *map, const char *key)
{
	const msgpack_object *object = rpc_find(map, key);

	return object != NULL && object->type == MSGPACK_OBJECT_BOOLEAN &&
	    object->via.boolean;
}

bool
is_state(const msgpack_object *service, const char *state)
{
	const msgpack_object *object = rpc_find(service, "state");

	return object != NULL && rpc_is(object, state);
}

/* How many columns a text takes: a character each, which is right for most. */
static int
width(const char *text)
{
	int columns = 0;

	for (; *text != '\0'; text++)
		columns += (*text & 0xc0) != 0x80;
	return columns;
}

/* The two largest units: 3d 4h, 5m 6s, 7s. */
static const char *
duration(int64_t ms, char buffer[32])
{
	int64_t s = ms / 1000;

	if (s >= 86400)
		snprintf(buffer, 32, "%" PRId64 "d %dh", s / 86400,
		    (int)(s % 86400 / 3600));
	else if (s >= 3600)
		snprintf(buffer, 32, "%dh %dm", (int)(s / 3600),
		    (int)(s % 3600 / 60));
	else if (s >= 60)
		snprintf(buffer, 32, "%dm %ds", (int)(s / 60), (int)(s % 60));
	else
		snprintf(buffer, 32, "%ds", (int)s);
	return buffer;
}

static bool
is_coloured(void)
{
	const char *none = getenv("NO_COLOR");

	return isatty(STDOUT_FILENO) && (none == NULL || *none == '\0');
}

static const char *
colour(const msgpack_object *service)
{
	if (is_state(service, "up"))
		return "\033[32m";
	if (is_state(service, "backoff") || is_state(service, "failed"))
		return "\033[31m";
	return is_state(service, "down") ? "\033[2m" : "\033[33m";
}

/* How run has ended: "exit 3", "signal 9 (KILL)", "-". */
void
print_exit(const msgpack_object *end)
{
	int64_t signal = number_of(end, "signal", 0);
	int64_t code = number_of(end, "code", -1);

	if (signal > 0 && signal < SIGNAL_NAMES && signal_names[signal] != NULL)
		printf("signal %d (%s)", (int)signal, signal_names[signal]);
	else if (signal > 0)
		printf("signal %d", (int)signal);
	else if (code >= 0)
		printf("exit %d", (int)code);
	else
		printf("-");
}

/* What is wrong, or its last end; what it will do next; what it says of itself. */
void
print_end(const msgpack_object *service)
{
	const char *error = text_of(rpc_find(service, "error"));
	const char *says = text_of(rpc_find(service, "says"));
	int64_t next_ms = number_of(service, "next_start_ms", -1);

	if (*error != '\0')
		printf("%s", error);
	else
		print_exit(rpc_find(service, "exit"));
	if (*says != '\0')
		printf(", says: %s", says);
	if (next_ms >= 0)
		printf(", next start in %d.%d s", (int)(next_ms / 1000),
		    (int)(next_ms % 1000 / 100));
	if (is_true(service, "paused"))
		printf(", paused");
}

static void
print_heading(int name_width)
{
	printf("%-*s  STATE          PID    UPTIME  RESTARTS  LAST EXIT\n",
	    name_width, "SERVICE");
}

static void
print_service(const msgpack_object *service, int name_width, bool coloured)
{
	const char *name = text_of(rpc_find(service, "name"));
	char pid[16] = "-", uptime[32] = "-";

	if (number_of(service, "pid", 0) > 0)
		snprintf(pid, sizeof(pid), "%d",
		    (int)number_of(service, "pid", 0));
	if (number_of(service, "pid", 0) > 0 && !is_state(service, "finishing"))
		duration(number_of(service, "uptime_ms", 0), uptime);
	printf("%s%*s  %s%-9s%s  %7s  %8s  %8" PRId64 "  ", name,
	    name_width - width(name), "", coloured ? colour(service) : "",
	    text_of(rpc_find(service, "state")), coloured ? "\033[0m" : "",
	    pid, uptime, number_of(service, "restarts", 0));
	print_end(service);
	putchar('\n');
}

/* What is going on, if it is not just running: the phase, and the script. */
static void
print_phase(const msgpack_object *result)
{
	const msgpack_object *phase = rpc_find(result, "phase");
	const msgpack_object *script = rpc_find(result, "script");

	if (phase == NULL || rpc_is(phase, phase_names[PHASE_RUNNING]))
		return;
	printf("%s", text_of(phase));
	if (script != NULL && script->type != MSGPACK_OBJECT_NIL)
		printf(": %s", text_of(script));
	putchar('\n');
}

/* The result of `status`, as a table. */
void
print_status(const msgpack_object *result)
{
	const msgpack_object *services = rpc_find(result, "services");
	bool coloured = is_coloured();
	int columns, widest = (int)strlen("SERVICE");
	uint32_t i, count = 0;

	print_phase(result);
	if (services != NULL && services->type == MSGPACK_OBJECT_ARRAY)
		count = services->via.array.size;
	if (count == 0) {
		const msgpack_object *unknown = rpc_find(result, "unknown");

		if (unknown == NULL || unknown->type != MSGPACK_OBJECT_ARRAY ||
		    unknown->via.array.size == 0)
			puts("no services");
		return;
	}
	for (i = 0; i < count; i++) {
		columns = width(text_of(rpc_find(&services->via.array.ptr[i],
		    "name")));
		if (columns > widest)
			widest = columns;
	}
	print_heading(widest);
	for (i = 0; i < count; i++)
		print_service(&services->via.array.ptr[i], widest, coloured);
}

/* One that has changed, as a row of such a table. */
void
print_change(const msgpack_object *service)
{
	static int widest;
	int columns = width(text_of(rpc_find(service, "name")));

	if (widest == 0) {
		widest = CHANGED_COLUMNS;
		print_heading(widest);
	}
	if (columns > widest)
		widest = columns;
	print_service(service, widest, is_coloured());
}

/*
 * How many letters have to be put in, taken out or replaced to make one name of
 * the other (Levenshtein).
 */
unsigned
distance(const char *a, const char *b)
{
	unsigned row[STATE_NAME_MAX + 1], i, j, above, left;
	size_t length = strlen(b);

	if (length > STATE_NAME_MAX)
		return UINT32_MAX;
	for (j = 0; j <= length; j++)
		row[j] = j;
	for (i = 0; a[i] != '\0'; i++) {
		above = row[0];
		row[0] = i + 1;
		for (j = 0; j < length; j++) {
			left = above + (a[i] != b[j]);
			above = row[j + 1];
			if (above + 1 < left)
				left = above + 1;
			if (row[j] + 1 < left)
				left = row[j] + 1;
			row[j + 1] = left;
		}
	}
	return row[length];
}
