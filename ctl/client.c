/* One question to the supervisor, its answer, and what may come after that. */
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <msgpack/pack.h>
#include <msgpack/sbuffer.h>

#include "ctl/ctl.h"

#define ANSWER_MS	10000	/* for what is answered at once */
#define MORE_MS		5000	/* beyond what the supervisor may take */
#define RETRY_MS	5000	/* while it is busy, or just started again */
#define RETRY_PAUSE_MS	50
#define BUFFER_LEAST	(128 * 1024)	/* the kernel gives it when it is used */
#define ZONE_LEAST	1024

const char *client_socket;

/* A connection that is kept, and what has been received beyond its last message. */
static struct {
	int		fd;
	char		*bytes;
	size_t		used;
} kept = { .fd = -1 };

int64_t
now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static const char *
given_socket(void)
{
	const char *variable = getenv(RPC_SOCKET_VARIABLE);

	if (client_socket != NULL)
		return client_socket;
	return variable != NULL && *variable != '\0' ? variable : NULL;
}

/* /dev/shm is everybody's: a socket in another user's directory is not ours. */
static bool
is_trusted(const char *path)
{
	char directory[sizeof(RPC_SOCKET_FALLBACK)];
	struct stat st;

	strcpy(directory, path);
	*strrchr(directory, '/') = '\0';
	return lstat(directory, &st) == 0 && S_ISDIR(st.st_mode) &&
	    (st.st_uid == 0 || st.st_uid == geteuid());
}

/* Where the socket is, or would be. */
const char *
client_socket_tried(void)
{
	const char *given = given_socket();

	if (given != NULL)
		return given;
	if (access(RPC_SOCKET, F_OK) == -1 &&
	    access(RPC_SOCKET_FALLBACK, F_OK) == 0 &&
	    is_trusted(RPC_SOCKET_FALLBACK))
		return RPC_SOCKET_FALLBACK;
	return RPC_SOCKET;
}

/* Is there a socket, or has somebody said that there is? */
bool
client_has_socket(void)
{
	return given_socket() != NULL ||
	    access(client_socket_tried(), F_OK) == 0;
}

static int
open_socket(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd, error;

	if (strlen(path) >= sizeof(address.sun_path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	strcpy(address.sun_path, path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd == -1)
		return -1;
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
		return fd;
	error = errno;
	close(fd);
	errno = error;
	return -1;
}

/* --- the request ------------------------------------------------------------- */

static void
pack_text(msgpack_packer *packer, const char *text)
{
	size_t length = strlen(text);

	if (!rpc_is_utf8(text, length)) {
		msgpack_pack_bin(packer, length);
		msgpack_pack_bin_body(packer, text, length);
		return;
	}
	msgpack_pack_str(packer, length);
	msgpack_pack_str_body(packer, text, length);
}

static void
pack_request(msgpack_packer *packer, enum rpc_method method,
    const struct parameters *parameters)
{
	unsigned i, count = (parameters->names != NULL) + parameters->no_wait +
	    (parameters->timeout_ms != -1) + (parameters->signal != NULL) +
	    (parameters->exit_code != -1) + (parameters->wait_for != NULL) +
	    parameters->only + (parameters->lines != -1) + parameters->follow;
	char *end;
	long number;

	msgpack_pack_array(packer, 4);
	msgpack_pack_int(packer, RPC_REQUEST);
	msgpack_pack_int(packer, 0);
	pack_text(packer, rpc_methods[method]);
	msgpack_pack_array(packer, 1);
	msgpack_pack_map(packer, count);
	if (parameters->names != NULL) {
		pack_text(packer, "names");
		msgpack_pack_array(packer, parameters->count);
		for (i = 0; i < parameters->count; i++)
			pack_text(packer, parameters->names[i]);
	}
	if (parameters->no_wait) {
		pack_text(packer, "wait");
		msgpack_pack_false(packer);
	}
	if (parameters->timeout_ms != -1) {
		pack_text(packer, "timeout_ms");
		msgpack_pack_int64(packer, parameters->timeout_ms);
	}
	if (parameters->signal != NULL) {
		pack_text(packer, "signal");
		number = strtol(parameters->signal, &end, 10);
		if (*parameters->signal != '\0' && *end == '\0')
			msgpack_pack_long(packer, number);
		else
			pack_text(packer, parameters->signal);
	}
	if (parameters->exit_code != -1) {
		pack_text(packer, "exit_code");
		msgpack_pack_int(packer, parameters->exit_code);
	}
	if (parameters->wait_for != NULL) {
		pack_text(packer, "for");
		pack_text(packer, parameters->wait_for);
	}
	if (parameters->only) {
		pack_text(packer, "only");
		msgpack_pack_true(packer);
	}
	if (parameters->lines != -1) {
		pack_text(packer, "lines");
		msgpack_pack_int64(packer, parameters->lines);
	}
	if (parameters->follow) {
		pack_text(packer, "follow");
		msgpack_pack_true(packer);
	}
}

/* --- the answer -------------------------------------------------------------- */

/*
 * Reads a whole message.  False: it is none.  What the answer points to is freed by
 * client_free, and in part is in bytes.
 */
static bool
unpack(const char *bytes, size_t length, struct answer *answer)
{
	size_t offset = 0, size;

	answer->error = answer->result = NULL;
	/* An object takes some times the space of its bytes. */
	if (rpc_check(bytes, length, &rpc_reply_limits, &size) !=
	    RPC_COMPLETE ||
	    !msgpack_zone_init(&answer->zone, ZONE_LEAST + 8 * size))
		return false;
	return msgpack_unpack(bytes, size, &offset, &answer->zone,
	    &answer->message) == MSGPACK_UNPACK_SUCCESS;
}

/* The same, of a response. */
bool
client_read(const char *bytes, size_t length, struct answer *answer)
{
	const msgpack_object *object = &answer->message, *element;
	int64_t number;

	if (!unpack(bytes, length, answer))
		return false;
	if (object->type != MSGPACK_OBJECT_ARRAY || object->via.array.size != 4)
		return false;
	element = object->via.array.ptr;
	if (!rpc_integer(&element[0], RPC_RESPONSE, RPC_RESPONSE, &number) ||
	    !rpc_integer(&element[1], 0, 0, &number))
		return false;
	if (element[2].type == MSGPACK_OBJECT_MAP)
		answer->error = &element[2];
	else if (element[2].type == MSGPACK_OBJECT_NIL &&
	    element[3].type == MSGPACK_OBJECT_MAP)
		answer->result = &element[3];
	return answer->error != NULL || answer->result != NULL;
}

void
client_free(struct answer *answer)
{
	if (answer->zone.chunk_list.head != NULL)
		msgpack_zone_destroy(&answer->zone);
	free(answer->bytes);
	*answer = (struct answer){ 0 };
}

/* What has come beyond a message of so many bytes is the beginning of the next. */
static bool
keep_rest(const char *bytes, size_t length)
{
	kept.used = length;
	free(kept.bytes);
	kept.bytes = NULL;
	if (length == 0)
		return true;
	if ((kept.bytes = malloc(length)) != NULL)
		memcpy(kept.bytes, bytes, length);
	return kept.bytes != NULL;
}

/*
 * Reads until there is a whole message, an end, or no time any more (a deadline of 0
 * is none), after what is left of the last.
 */
static enum client_result
receive(int fd, int64_t deadline_ms, struct answer *answer)
{
	size_t size = kept.used, used = kept.used, needed = 1;
	struct pollfd ready = { .fd = fd, .events = POLLIN };
	int64_t left_ms;
	ssize_t length;
	char *more;

	answer->bytes = kept.bytes;
	kept.bytes = NULL;
	kept.used = 0;
	for (;;) {
		if (used >= needed)
			switch (rpc_check(answer->bytes, used,
			    &rpc_reply_limits, &needed)) {
			case RPC_MALFORMED:
				return CLIENT_NONSENSE;
			case RPC_INCOMPLETE:
				break;
			case RPC_COMPLETE:
				answer->length = needed;
				return keep_rest(answer->bytes + needed,
				    used - needed) ? CLIENT_ANSWERED :
				    CLIENT_UNREACHABLE;
			}
		if (used == size) {
			size = size < BUFFER_LEAST ? BUFFER_LEAST : 2 * size;
			if (size > 2 * RPC_REPLY_MAX)
				return CLIENT_NONSENSE;
			if ((more = realloc(answer->bytes, size)) == NULL)
				return CLIENT_UNREACHABLE;
			answer->bytes = more;
		}
		left_ms = deadline_ms == 0 ? -1 : deadline_ms - now_ms();
		if ((left_ms <= 0 && deadline_ms != 0) ||
		    poll(&ready, 1, (int)left_ms) == 0)
			return CLIENT_TIMED_OUT;
		length = read(fd, answer->bytes + used, size - used);
		if (length == -1 && errno == EINTR)
			continue;
		if (length <= 0) {
			if (length == 0)
				errno = ECONNRESET;
			return CLIENT_UNREACHABLE;
		}
		used += (size_t)length;
	}
}

/* Whether it was sent does not matter: who turns us away answers before. */
static void
send_all(int fd, const char *bytes, size_t length)
{
	ssize_t sent;

	while (length > 0) {
		sent = send(fd, bytes, length, MSG_NOSIGNAL);
		if (sent == -1 && errno == EINTR)
			continue;
		if (sent <= 0)
			return;
		bytes += sent;
		length -= (size_t)sent;
	}
}

static enum client_result
call_once(const msgpack_sbuffer *request, bool keep, int64_t deadline_ms,
    struct answer *answer)
{
	const struct timeval limit = { .tv_sec = ANSWER_MS / 1000 };
	enum client_result result;
	int fd, error;

	if ((fd = open_socket(client_socket_tried())) == -1)
		return errno == ENOENT ? CLIENT_NO_SOCKET : CLIENT_UNREACHABLE;
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	send_all(fd, request->data, request->size);
	keep_rest("", 0);
	result = receive(fd, deadline_ms, answer);
	error = errno;
	if (result == CLIENT_ANSWERED &&
	    !client_read(answer->bytes, answer->length, answer))
		result = CLIENT_NONSENSE;
	/* A shutdown waits for this, and our end is to come before it. */
	if (keep)
		kept.fd = fd;
	else
		close(fd);
	errno = error;
	return result;
}

/* The next message on the connection of the last call, whenever it comes. */
enum client_result
client_next(struct answer *answer)
{
	enum client_result result;

	*answer = (struct answer){ 0 };
	result = receive(kept.fd, 0, answer);
	if (result == CLIENT_ANSWERED &&
	    !unpack(answer->bytes, answer->length, answer))
		result = CLIENT_NONSENSE;
	return result;
}

/* Is it something that another try may mend? */
static bool
may_pass(enum client_result result, const struct answer *answer)
{
	const msgpack_object *code;

	if (result == CLIENT_UNREACHABLE)
		return errno == ECONNREFUSED || errno == ECONNRESET ||
		    errno == EPIPE || errno == EAGAIN;
	if (result != CLIENT_ANSWERED || answer->error == NULL)
		return false;
	code = rpc_find(answer->error, "code");
	return code != NULL && (rpc_is(code, rpc_errors[RPC_BUSY]) ||
	    rpc_is(code, rpc_errors[RPC_UNAVAILABLE]));
}

/*
 * Calls a method and waits for its answer.  What does not work because the
 * supervisor or the gate is just being started again is tried again for a while;
 * every method may be called twice.
 */
enum client_result
client_call(enum rpc_method method, const struct parameters *parameters,
    struct answer *answer)
{
	int64_t begin_ms = now_ms(), limit_ms = ANSWER_MS;
	enum client_result result;
	msgpack_sbuffer request;
	msgpack_packer packer;

	if (method == RPC_START || method == RPC_STOP ||
	    method == RPC_RESTART || method == RPC_ONCE || method == RPC_WAIT ||
	    method == RPC_ENABLE_INSECURE_KEY)
		limit_ms = MORE_MS + (parameters->timeout_ms != -1 ?
		    parameters->timeout_ms : RPC_TIMEOUT_MS);
	*answer = (struct answer){ 0 };
	msgpack_sbuffer_init(&request);
	msgpack_packer_init(&packer, &request, msgpack_sbuffer_write);
	pack_request(&packer, method, parameters);
	if (request.size > RPC_REQUEST_MAX ||
	    parameters->count > RPC_NAMES_MAX) {
		msgpack_sbuffer_destroy(&request);
		return CLIENT_TOO_LONG;
	}
	for (;;) {
		result = call_once(&request, method == RPC_SHUTDOWN ||
		    method == RPC_SUBSCRIBE || parameters->follow,
		    begin_ms + limit_ms, answer);
		if (!may_pass(result, answer) ||
		    now_ms() - begin_ms >= RETRY_MS)
			break;
		client_free(answer);
		poll(NULL, 0, RETRY_PAUSE_MS);
	}
	msgpack_sbuffer_destroy(&request);
	return result;
}
