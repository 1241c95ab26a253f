/* MessagePack <-> structs.  Pure: no system call, no clock, no memory. */
#include <errno.h>
#include <string.h>

#include "supervisor/gate/translate.h"

/* Which parameters a method takes, and which it cannot do without. */
enum parameter {
	NAMES = 1, WAIT = 2, TIMEOUT = 4, SIGNAL = 8, EXIT_CODE = 16, FOR = 32,
	ONLY = 64, LINES = 128, FOLLOW = 256,
};

static const struct {
	unsigned	takes, needs;
} methods[RPC_METHODS] = {
	[RPC_STATUS] = { NAMES, 0 },
	[RPC_START] = { NAMES | WAIT | TIMEOUT, NAMES },
	[RPC_STOP] = { NAMES | WAIT | TIMEOUT | ONLY, NAMES },
	[RPC_RESTART] = { NAMES | WAIT | TIMEOUT, NAMES },
	[RPC_ONCE] = { NAMES | WAIT | TIMEOUT, NAMES },
	[RPC_RELOAD] = { NAMES, NAMES },
	[RPC_SIGNAL] = { NAMES | SIGNAL, NAMES | SIGNAL },
	[RPC_SHUTDOWN] = { EXIT_CODE | TIMEOUT, 0 },
	[RPC_SUBSCRIBE] = { NAMES, 0 },
	[RPC_WAIT] = { NAMES | FOR | TIMEOUT, NAMES },
	[RPC_LOGS] = { NAMES | LINES | FOLLOW, NAMES },
};

static const struct {
	const char	*key;
	enum parameter	parameter;
} keys[] = {
	{ "names", NAMES }, { "wait", WAIT }, { "timeout_ms", TIMEOUT },
	{ "signal", SIGNAL }, { "exit_code", EXIT_CODE },
	{ "for", FOR }, { "only", ONLY }, { "lines", LINES },
	{ "follow", FOLLOW },
};

static const char *
read_names(const msgpack_object *value, struct call *call)
{
	const char *bytes;
	size_t length;
	uint32_t i;

	if (value->type != MSGPACK_OBJECT_ARRAY)
		return "names is not an array";
	if (value->via.array.size > RPC_NAMES_MAX)
		return "there are more than 1024 names";
	for (i = 0; i < value->via.array.size; i++) {
		if (!rpc_bytes(&value->via.array.ptr[i], &bytes, &length))
			return "a name is not a string";
		if (length == 0 || length > STATE_NAME_MAX ||
		    memchr(bytes, '\0', length) != NULL)
			return "a name has not 1 to 103 bytes, or a NUL";
		memcpy(call->name[i], bytes, length);
		memset(call->name[i] + length, 0,
		    sizeof(call->name[i]) - length);
	}
	call->has_names = true;
	call->names = value->via.array.size;
	return NULL;
}

static const char *
read_signal(const msgpack_object *value, struct call *call)
{
	const char *bytes;
	int64_t number;
	size_t length;

	if (rpc_integer(value, 1, SIGNAL_LARGEST, &number)) {
		call->signal = (int32_t)number;
		return NULL;
	}
	if (rpc_bytes(value, &bytes, &length) &&
	    (call->signal = signal_number(bytes, length)) != 0)
		return NULL;
	return "signal is neither a number from 1 to 64 nor a signal's name";
}

static const char *
read_for(const msgpack_object *value, struct call *call)
{
	int i;

	for (i = 0; i < RPC_FORS; i++)
		if (rpc_is(value, rpc_fors[i])) {
			call->wait_for = (enum rpc_for)i;
			return NULL;
		}
	return "for is none of ready, down and exit";
}

static const char *
read_value(enum parameter parameter, const msgpack_object *value,
    struct call *call)
{
	int64_t number;

	switch (parameter) {
	case NAMES:
		return read_names(value, call);
	case SIGNAL:
		return read_signal(value, call);
	case WAIT:
		if (value->type != MSGPACK_OBJECT_BOOLEAN)
			return "wait is not a boolean";
		call->wait = value->via.boolean;
		return NULL;
	case TIMEOUT:
		if (!rpc_integer(value, 0, RPC_TIMEOUT_MAX_MS, &number))
			return "timeout_ms is not an integer from 0 to 3600000";
		call->timeout_ms = (int32_t)number;
		return NULL;
	case EXIT_CODE:
		if (!rpc_integer(value, 0, 255, &number))
			return "exit_code is not an integer from 0 to 255";
		call->exit_code = (int32_t)number;
		return NULL;
	case FOR:
		return read_for(value, call);
	case ONLY:
		if (value->type != MSGPACK_OBJECT_BOOLEAN)
			return "only is not a boolean";
		call->only = value->via.boolean;
		return NULL;
	case LINES:
		if (!rpc_integer(value, 0, RPC_LINES_MAX, &number))
			return "lines is not an integer from 0 to 32768";
		call->lines = (uint32_t)number;
		return NULL;
	case FOLLOW:
		if (value->type != MSGPACK_OBJECT_BOOLEAN)
			return "follow is not a boolean";
		call->follow = value->via.boolean;
		return NULL;
	}
	return NULL;
}

/* Each key known, taken by the method, given once, and its value right. */
static const char *
read_parameters(const msgpack_object *map, struct call *call)
{
	unsigned given = 0;
	const char *why;
	uint32_t i;
	size_t k;

	for (i = 0; map != NULL && i < map->via.map.size; i++) {
		const msgpack_object_kv *pair = &map->via.map.ptr[i];

		for (k = 0; k < sizeof(keys) / sizeof(keys[0]); k++)
			if (rpc_is(&pair->key, keys[k].key))
				break;
		if (k == sizeof(keys) / sizeof(keys[0]) ||
		    !(methods[call->method].takes & keys[k].parameter))
			return "the method has no such parameter";
		if (given & keys[k].parameter)
			return "a parameter is given twice";
		given |= keys[k].parameter;
		why = read_value(keys[k].parameter, &pair->val, call);
		if (why != NULL)
			return why;
	}
	if (methods[call->method].needs & ~given)
		return "a parameter is missing";
	return NULL;
}

static enum rpc_method
find_method(const msgpack_object *object)
{
	int i;

	for (i = 1; i < RPC_METHODS; i++)
		if (rpc_is(object, rpc_methods[i]))
			return (enum rpc_method)i;
	return 0;
}

/*
 * Reads [0, msgid, method, params].  What is not given has its default in *call.
 * *why is a constant.
 */
enum translate_result
translate_request(const msgpack_object *object, struct call *call,
    const char **why)
{
	const msgpack_object *element, *map = NULL;
	int64_t number;

	if (object->type != MSGPACK_OBJECT_ARRAY || object->via.array.size < 2)
		return TRANSLATE_NO_REQUEST;
	element = object->via.array.ptr;
	if (!rpc_integer(&element[0], RPC_REQUEST, RPC_REQUEST, &number) ||
	    !rpc_integer(&element[1], 0, UINT32_MAX, &number))
		return TRANSLATE_NO_REQUEST;
	call->msgid = (uint32_t)number;
	call->wait = true;
	call->only = call->follow = false;
	call->lines = RPC_LINES_MAX;
	call->wait_for = RPC_FOR_READY;
	call->signal = 0;
	call->exit_code = call->timeout_ms = -1;
	call->has_names = false;
	call->names = 0;
	*why = "a request is [0, msgid, method, params]";
	if (object->via.array.size != 4)
		return TRANSLATE_BAD;
	*why = "there is no such method";
	if ((call->method = find_method(&element[2])) == 0)
		return TRANSLATE_BAD;
	*why = "params is neither [] nor [{...}]";
	if (element[3].type != MSGPACK_OBJECT_ARRAY ||
	    element[3].via.array.size > 1)
		return TRANSLATE_BAD;
	if (element[3].via.array.size == 1) {
		map = element[3].via.array.ptr;
		if (map->type != MSGPACK_OBJECT_MAP)
			return TRANSLATE_BAD;
	}
	*why = read_parameters(map, call);
	return *why == NULL ? TRANSLATE_OK : TRANSLATE_BAD;
}

void
translate_text(msgpack_packer *packer, const char *text)
{
	msgpack_pack_str(packer, strlen(text));
	msgpack_pack_str_body(packer, text, strlen(text));
}

/* Bytes from outside; where they are no text, they are not said to be. */
void
translate_bytes(msgpack_packer *packer, const char *bytes, size_t length)
{
	if (rpc_is_utf8(bytes, length)) {
		msgpack_pack_str(packer, length);
		msgpack_pack_str_body(packer, bytes, length);
	} else {
		msgpack_pack_bin(packer, length);
		msgpack_pack_bin_body(packer, bytes, length);
	}
}

/* A file's name. */
void
translate_name(msgpack_packer *packer, const char *name)
{
	translate_bytes(packer, name, strlen(name));
}

static void
pack_number(msgpack_packer *packer, const char *key, int64_t value)
{
	translate_text(packer, key);
	msgpack_pack_int64(packer, value);
}

static void
pack_flag(msgpack_packer *packer, const char *key, bool value)
{
	translate_text(packer, key);
	if (value)
		msgpack_pack_true(packer);
	else
		msgpack_pack_false(packer);
}

/*
 * Why run of a service could not be executed, and what to do about it; until the
 * next call.  The supervisor's log knows more.
 */
const char *
translate_start_error(const char *name, int error)
{
	static char text[256];
	char *end = stpcpy(text, "cannot execute ./run: ");

	end = stpcpy(end, strerror(error));
	switch (error) {
	case EACCES:
		if (rpc_is_utf8(name, strlen(name)))
			stpcpy(stpcpy(stpcpy(end, " (chmod +x /etc/service/"),
			    name), "/run)");
		break;
	case ENOENT:
		stpcpy(end, " (is it there? is its interpreter?)");
		break;
	case ENOEXEC:
		stpcpy(end, " (it needs a line like #!/bin/sh)");
		break;
	case EAGAIN:
		stpcpy(end, " (too many processes for a limit)");
		break;
	}
	return text;
}

/* How run has ended: {code}, {signal}, or nil if it has not. */
static void
pack_exit(msgpack_packer *packer, const int32_t *status)
{
	translate_text(packer, "exit");
	if (status == NULL) {
		msgpack_pack_nil(packer);
		return;
	}
	msgpack_pack_map(packer, 1);
	if ((*status & 0x7f) != 0)
		pack_number(packer, "signal", *status & 0x7f);
	else
		pack_number(packer, "code", *status >> 8 & 0xff);
}

static int64_t
not_negative(int64_t value)
{
	return value < 0 ? 0 : value;
}

/* Why it is not what it was to be; and what it says of itself. */
static void
pack_reason(msgpack_packer *packer, const struct state_slot *slot,
    const char *reason)
{
	bool any = *reason != '\0', says = any && slot->flags & SLOT_SAYS;

	translate_text(packer, "error");
	if (any && !says)
		translate_name(packer, reason);
	else if (slot->error != 0)
		translate_text(packer, translate_start_error(slot->name,
		    slot->error));
	else
		msgpack_pack_nil(packer);
	translate_text(packer, "says");
	if (says)
		translate_name(packer, reason);
	else
		msgpack_pack_nil(packer);
}

/* Is a time set at which it is going to be started? */
static bool
is_due(const struct state_slot *slot, int32_t pid)
{
	return slot->state == SERVICE_BACKOFF || (slot->state == SERVICE_UP &&
	    pid == 0 && slot->deadline_ms != 0);
}

/* A service as PROTOCOL.md has it; reason is that of its slot, or "". */
void
translate_service(msgpack_packer *packer, const struct state_slot *slot,
    const char *reason, int64_t now_ms)
{
	int32_t pid = atomic_load_explicit(&slot->pid, memory_order_relaxed);
	bool runs = pid > 0 && slot->state != SERVICE_FINISHING;

	msgpack_pack_map(packer, 14);
	translate_text(packer, "name");
	translate_name(packer, slot->name);
	translate_text(packer, "state");
	translate_text(packer, service_state_names[slot->state]);
	translate_text(packer, "want");
	translate_text(packer, service_want_names[slot->want]);
	translate_text(packer, "pid");
	if (pid > 0)
		msgpack_pack_int32(packer, pid);
	else
		msgpack_pack_nil(packer);
	pack_flag(packer, "ready", slot->state == SERVICE_UP);
	pack_flag(packer, "paused", slot->flags & SLOT_PAUSED);
	pack_number(packer, "sent", slot->sent);
	pack_number(packer, "since_ms", not_negative(now_ms - slot->since_ms));
	pack_number(packer, "uptime_ms",
	    runs ? not_negative(now_ms - slot->started_ms) : 0);
	translate_text(packer, "next_start_ms");
	if (is_due(slot, pid))
		msgpack_pack_int64(packer,
		    not_negative(slot->deadline_ms - now_ms));
	else
		msgpack_pack_nil(packer);
	pack_number(packer, "restarts", slot->restarts);
	pack_exit(packer, slot->ends == 0 ? NULL : &slot->exit_status);
	pack_reason(packer, slot, reason);
}

/* The beginning of a response; the result is to follow. */
void
translate_result(msgpack_packer *packer, uint32_t msgid)
{
	msgpack_pack_array(packer, 4);
	msgpack_pack_int(packer, RPC_RESPONSE);
	msgpack_pack_uint32(packer, msgid);
	msgpack_pack_nil(packer);
}

static void
pack_error(msgpack_packer *packer, enum rpc_error error, const char *message)
{
	msgpack_pack_map(packer, 2);
	translate_text(packer, "code");
	translate_text(packer, rpc_errors[error]);
	translate_text(packer, "message");
	translate_name(packer, message);
}

/* A whole response. */
void
translate_error(msgpack_packer *packer, uint32_t msgid, enum rpc_error error,
    const char *message)
{
	msgpack_pack_array(packer, 4);
	msgpack_pack_int(packer, RPC_RESPONSE);
	msgpack_pack_uint32(packer, msgid);
	pack_error(packer, error, message);
	msgpack_pack_nil(packer);
}

/* One of the services of a result: {name, ok, pid?, exit?, error?}. */
void
translate_outcome(msgpack_packer *packer, const struct outcome *outcome)
{
	bool ok = outcome->error == RPC_OK;

	msgpack_pack_map(packer, 2 + (outcome->pid > 0) +
	    (outcome->exit_status != NULL) + !ok);
	translate_text(packer, "name");
	translate_name(packer, outcome->name);
	pack_flag(packer, "ok", ok);
	if (outcome->pid > 0)
		pack_number(packer, "pid", outcome->pid);
	if (outcome->exit_status != NULL)
		pack_exit(packer, outcome->exit_status);
	if (ok)
		return;
	translate_text(packer, "error");
	pack_error(packer, outcome->error, outcome->message);
}
