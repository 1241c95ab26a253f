/* Services as runit's sv knows them: which is meant, and what it is. */
#include <sys/stat.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ctl/ctl.h"

#define BATCH	256	/* services asked about at a time */

bool targets_in_order;
struct target *targets;
int target_count;
int target_failures;	/* so far: sv's exit code */
int64_t began_ms;

/* runit's own words for the commonest errors. */
static const char *
error_text(int error)
{
	switch (error) {
	case ENOENT:
		return "file does not exist";
	case EACCES:
	case EPERM:
		return "access denied";
	case ENOTDIR:
		return "not a directory";
	}
	return strerror(error);
}

/* A line about a service that cannot be asked about, which is then done. */
static void
give_up(struct target *target, const char *prefix, const char *why, int error)
{
	target_failures++;
	if (asprintf(&target->failure, "%s: %s: %s%s%s\n", prefix,
	    escape(target->given), why, error != 0 ? ": " : "",
	    error != 0 ? error_text(error) : "") == -1)
		target->failure = NULL;
	else if (!targets_in_order)
		fputs(target->failure, stdout);
	if (target->directory != -1)
		close(target->directory);
	target->directory = -1;
}

void
target_done(struct target *target)
{
	close(target->directory);
	target->directory = -1;
}

/* --- which service -------------------------------------------------------------- */

static bool
is_same(const struct stat *st, int directory, const char *name)
{
	struct stat other;

	return fstatat(directory, name, &other, 0) == 0 &&
	    other.st_dev == st->st_dev && other.st_ino == st->st_ino;
}

/* A logger is a service of its own, and called after that whose logger it is. */
static bool
log_name(char name[STATE_NAME_MAX + 1], const char *service)
{
	return snprintf(name, STATE_NAME_MAX + 1, "%s/log", service) <=
	    STATE_NAME_MAX;
}

/* Is it this service's directory, or its logger's?  Then that is its name. */
static bool
takes_name(struct target *target, const struct stat *st, int services,
    const char *service)
{
	char log[STATE_NAME_MAX + 1];

	if (service[0] == '.' || strlen(service) > STATE_NAME_MAX)
		return false;
	if (is_same(st, services, service))
		strcpy(target->name, service);
	else if (log_name(log, service) && is_same(st, services, log))
		strcpy(target->name, log);
	else
		return false;
	return true;
}

/* The name under which a directory is a service: its own, or any link's to it. */
static bool
find_name(struct target *target)
{
	struct dirent *entry;
	struct stat st;
	bool found = false;
	DIR *services;

	if (fstat(target->directory, &st) == -1 ||
	    (services = opendir(SERVICE_DIRECTORY)) == NULL)
		return false;
	found = target->name[0] != '\0' &&
	    is_same(&st, dirfd(services), target->name);
	while (!found && (entry = readdir(services)) != NULL)
		found = takes_name(target, &st, dirfd(services),
		    entry->d_name);
	closedir(services);
	return found;
}

void
target_open(struct target *target, const char *given)
{
	const char *services = getenv("SVDIR"), *last;
	size_t length = strlen(given);
	char path[4096];

	if (services == NULL || *services == '\0')
		services = SERVICE_DIRECTORY;
	target->given = given;
	target->directory = -1;
	if (given[0] == '/' || given[0] == '.' ||
	    (length > 0 && given[length - 1] == '/'))
		snprintf(path, sizeof(path), "%s", given);
	else
		snprintf(path, sizeof(path), "%s/%s", services, given);
	if (length == 0)
		path[0] = '\0';
	target->directory = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (target->directory == -1) {
		give_up(target, "fail", "unable to change to service directory",
		    errno);
		return;
	}
	for (length = strlen(path); length > 1 && path[length - 1] == '/';)
		path[--length] = '\0';
	last = strrchr(path, '/') == NULL ? path : strrchr(path, '/') + 1;
	target->name[0] = '\0';
	if (strlen(last) <= STATE_NAME_MAX)
		strcpy(target->name, last);
	if (!find_name(target))
		give_up(target, "warning", "unable to open supervise/ok",
		    ENOENT);
}

/* Has its logger, if there is one, asked about and printed as well. */
void
target_open_log(struct target *target)
{
	struct target *log;

	if (target->directory == -1 ||
	    (log = calloc(1, sizeof(*log))) == NULL)
		return;
	log->given = "log";
	log->directory = openat(target->directory, "log",
	    O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (log->directory == -1 || !log_name(log->name, target->name))
		free(log);
	else
		target->log = log;
}

/* --- what it is --------------------------------------------------------------- */

static void
read_service(struct target *target, const msgpack_object *service)
{
	int64_t since_ms = number_of(service, "since_ms", 0);

	target->pid = (int)number_of(service, "pid", 0);
	target->state = is_state(service, "finishing") ? FINISH :
	    is_state(service, "down") || is_state(service, "backoff") ||
	    target->pid == 0 ? DOWN : RUN;
	target->seconds = (target->state == RUN ?
	    number_of(service, "uptime_ms", 0) : since_ms) / 1000;
	target->since_asked = since_ms <= now_ms() - began_ms;
	target->want_up = rpc_is(rpc_find(service, "want"), "up");
	target->starting = is_state(service, "starting");
	target->done = is_state(service, "up") && target->pid == 0;
	if (target->done)
		target->seconds = since_ms / 1000;
	target->paused = is_true(service, "paused");
	target->got_term = number_of(service, "sent", 0) == 15 &&
	    target->state == RUN;
}

static const msgpack_object *
find_service(const msgpack_object *services, const char *name)
{
	const msgpack_object *service;
	const char *bytes;
	size_t length;
	uint32_t i;

	for (i = 0; services != NULL &&
	    services->type == MSGPACK_OBJECT_ARRAY &&
	    i < services->via.array.size; i++) {
		service = &services->via.array.ptr[i];
		if (rpc_bytes(rpc_find(service, "name"), &bytes, &length) &&
		    length == strlen(name) && memcmp(bytes, name, length) == 0)
			return service;
	}
	return NULL;
}

/* A service, and its logger unless the supervisor knows none. */
static void
read_both(struct target *target, const msgpack_object *service,
    const msgpack_object *services)
{
	const msgpack_object *log;

	read_service(target, service);
	if (target->log == NULL)
		return;
	if ((log = find_service(services, target->log->name)) != NULL)
		read_service(target->log, log);
	else
		target->log = NULL;
}

/* Nobody answers: what runit says without its runsv. */
static void
give_up_unreachable(struct target *target, enum client_result result)
{
	if (result == CLIENT_NO_SOCKET)
		give_up(target, "warning", "unable to open supervise/ok",
		    ENOENT);
	else if (result == CLIENT_UNREACHABLE && errno == EACCES)
		give_up(target, "warning", "unable to open supervise/ok",
		    EACCES);
	else
		give_up(target, "fail", "runsv not running", 0);
}

/* Calls a method for a batch of those that are not dealt with, from first on. */
static enum client_result
call_batch(enum rpc_method method, const char *signal, int first, int *last,
    struct answer *answer)
{
	struct parameters parameters = PARAMETERS_NONE;
	const char *names[2 * BATCH];
	int i;

	for (i = first; i < target_count && parameters.count < BATCH; i++) {
		if (targets[i].directory == -1)
			continue;
		names[parameters.count++] = targets[i].name;
		if (targets[i].log != NULL)
			names[parameters.count++] = targets[i].log->name;
	}
	*last = i;
	parameters.names = names;
	parameters.signal = signal;
	parameters.only = method == RPC_STOP;	/* to runit, each is alone */
	parameters.no_wait = method != RPC_STATUS && method != RPC_SIGNAL;
	return client_call(method, &parameters, answer);
}

int
targets_open(void)
{
	int i, count = 0;

	for (i = 0; i < target_count; i++)
		count += targets[i].directory != -1;
	return count;
}

/* Asks what all that are not dealt with are; who is unknown is given up. */
void
targets_look(void)
{
	const msgpack_object *services, *service;
	enum client_result result;
	struct answer answer;
	int first, last, error;

	for (first = 0; first < target_count && targets_open() > 0;
	    first = last) {
		result = call_batch(RPC_STATUS, NULL, first, &last, &answer);
		error = errno;
		services = rpc_find(answer.result, "services");
		for (; first < last; first++) {
			struct target *target = &targets[first];

			if (target->directory == -1)
				continue;
			errno = error;
			if (result != CLIENT_ANSWERED || answer.error != NULL)
				give_up_unreachable(target, result);
			else if ((service = find_service(services,
			    target->name)) == NULL)
				give_up(target, "warning", "unable to open "
				    "supervise/ok", ENOENT);
			else
				read_both(target, service, services);
		}
		client_free(&answer);
	}
}

void
target_print(const struct target *target)
{
	static const char *const states[] = {
		[DOWN] = "down", [RUN] = "run", [FINISH] = "finish",
	};
	bool runs = target->pid > 0 || target->done, normally_up;

	normally_up = faccessat(target->directory, "down", F_OK, 0) == -1 &&
	    errno == ENOENT;
	printf("%s: %s: ", target->done ? "run" : states[target->state],
	    escape(target->given));
	if (target->pid > 0)
		printf("(pid %d) ", target->pid);
	printf("%llds", (long long)target->seconds);
	if (runs && !normally_up)
		printf(", normally down");
	if (!runs && normally_up)
		printf(", normally up");
	if (runs && target->paused)
		printf(", paused");
	if (!runs && target->want_up)
		printf(", want up");
	if (runs && !target->want_up)
		printf(", want down");
	if (runs && target->got_term)
		printf(", got TERM");
	if (target->log != NULL) {
		printf("; ");
		target_print(target->log);
	}
}

/* --- what is asked of it ------------------------------------------------------ */

/* One character of runit's control protocol, for all that are not dealt with. */
void
targets_control(char character)
{
	static const struct {
		char		character;
		enum rpc_method	method;
		const char	*signal;
	} controls[] = {
		{ 'u', RPC_START, NULL }, { 'd', RPC_STOP, NULL },
		{ 'o', RPC_ONCE, NULL }, { 'x', RPC_STOP, NULL },
		{ 'r', RPC_RESTART, NULL }, { 'p', RPC_SIGNAL, "STOP" },
		{ 'c', RPC_SIGNAL, "CONT" }, { 'h', RPC_SIGNAL, "HUP" },
		{ 'a', RPC_SIGNAL, "ALRM" }, { 'i', RPC_SIGNAL, "INT" },
		{ 'q', RPC_SIGNAL, "QUIT" }, { '1', RPC_SIGNAL, "USR1" },
		{ '2', RPC_SIGNAL, "USR2" }, { 't', RPC_SIGNAL, "TERM" },
		{ 'k', RPC_SIGNAL, "KILL" },
	};
	enum client_result result;
	struct answer answer;
	int first, last;
	size_t i = 0;

	while (controls[i].character != character)
		i++;
	for (first = 0; first < target_count && targets_open() > 0;
	    first = last) {
		result = call_batch(controls[i].method, controls[i].signal,
		    first, &last, &answer);
		for (; first < last; first++)
			if (targets[first].directory != -1 &&
			    (result != CLIENT_ANSWERED || answer.error != NULL))
				give_up_unreachable(&targets[first], result);
		client_free(&answer);
	}
}
