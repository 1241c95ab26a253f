/* What the gate does with the bytes of a stranger, up to struct call. */
#include <stddef.h>
#include <string.h>

#include <msgpack/sbuffer.h>
#include <msgpack/unpack.h>
#include <msgpack/zone.h>

#include "supervisor/gate/translate.h"
#include "tests/fuzz/fuzz.h"

/* An object of one byte takes a msgpack_object, and pieces of memory double. */
#define TIMES	(2 * sizeof(msgpack_object))
#define BESIDES	(2 * MSGPACK_ZONE_CHUNK_SIZE)

static void
check_names(const msgpack_object *message, const struct call *call)
{
	const msgpack_object *names;
	const char *bytes;
	size_t length, i;

	expect(call->names <= RPC_NAMES_MAX);
	expect(call->has_names || call->names == 0);
	if (!call->has_names)
		return;
	names = rpc_find(message->via.array.ptr[3].via.array.ptr, "names");
	expect(names != NULL && names->via.array.size == call->names);
	for (i = 0; i < call->names; i++) {
		expect(rpc_bytes(&names->via.array.ptr[i], &bytes, &length));
		expect(length >= 1 && length <= STATE_NAME_MAX);
		expect(memcmp(call->name[i], bytes, length) == 0);
		expect(strlen(call->name[i]) == length);
		/* The rest goes to the supervisor as well. */
		for (; length <= STATE_NAME_MAX; length++)
			expect(call->name[i][length] == '\0');
	}
}

static void
check_call(const msgpack_object *message, const struct call *call)
{
	bool names = call->method == RPC_START || call->method == RPC_STOP ||
	    call->method == RPC_RESTART || call->method == RPC_ONCE ||
	    call->method == RPC_RELOAD || call->method == RPC_SIGNAL ||
	    call->method == RPC_WAIT || call->method == RPC_LOGS;

	/* What is behind an array would still be in the zone: nobody crashes. */
	expect(message->via.array.size == 4);
	expect(message->via.array.ptr[3].via.array.size <= 1);
	expect(call->method >= RPC_VERSION && call->method < RPC_METHODS);
	expect(rpc_is(&message->via.array.ptr[2], rpc_methods[call->method]));
	expect(call->has_names || !names);
	expect(call->signal >= 0 && call->signal <= 64);
	expect((call->signal != 0) == (call->method == RPC_SIGNAL));
	expect(!call->only || call->method == RPC_STOP);
	expect(!call->follow || call->method == RPC_LOGS);
	expect(call->lines <= RPC_LINES_MAX);
	expect(call->wait_for == RPC_FOR_READY || (call->method == RPC_WAIT &&
	    call->wait_for < RPC_FORS));
	expect(call->exit_code >= -1 && call->exit_code <= 255);
	expect(call->timeout_ms >= -1 &&
	    call->timeout_ms <= RPC_TIMEOUT_MAX_MS);
	check_names(message, call);
}

/* What is said of a request has to be a response itself. */
static void
check_response(const msgpack_sbuffer *out)
{
	size_t bytes;

	expect(rpc_check(out->data, out->size, &rpc_reply_limits, &bytes) ==
	    RPC_COMPLETE && bytes == out->size);
}

static void
check_replies(const struct call *call, const char *why)
{
	static msgpack_sbuffer out;
	msgpack_packer packer;
	uint32_t i;

	msgpack_sbuffer_clear(&out);
	msgpack_packer_init(&packer, &out, msgpack_sbuffer_write);
	if (why != NULL) {
		translate_error(&packer, call->msgid, RPC_BAD_REQUEST, why);
	} else {
		translate_result(&packer, call->msgid);
		msgpack_pack_array(&packer, call->names);
		for (i = 0; i < call->names; i++)
			translate_outcome(&packer, &(struct outcome){
				.name = call->name[i], .message = "",
				.error = RPC_UNKNOWN_SERVICE,
			});
	}
	check_response(&out);
}

static void
check_message(const char *bytes, size_t length)
{
	static struct call call;
	static msgpack_zone zone;	/* used again, as the gate does it */
	enum translate_result result;
	msgpack_object message;
	const char *why = NULL;
	size_t offset = 0;

	if (zone.chunk_size == 0)
		expect(msgpack_zone_init(&zone, MSGPACK_ZONE_CHUNK_SIZE));
	msgpack_zone_clear(&zone);
	memory_count_from_here();
	expect(msgpack_unpack(bytes, length, &offset, &zone, &message) ==
	    MSGPACK_UNPACK_SUCCESS);
	expect(offset == length);
	expect(memory_counted() <= BESIDES + TIMES * length);

	memset(&call, 0x55, offsetof(struct call, name[4]));
	result = translate_request(&message, &call, &why);
	expect(memory_counted() <= BESIDES + TIMES * length);
	switch (result) {
	case TRANSLATE_OK:
		expect(why == NULL);
		check_call(&message, &call);
		break;
	case TRANSLATE_BAD:
		expect(why != NULL && *why != '\0');
		break;
	case TRANSLATE_NO_REQUEST:
		return;
	}
	expect(rpc_integer(&message.via.array.ptr[1], call.msgid, call.msgid,
	    &(int64_t){ 0 }));
	check_replies(&call, why);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t length)
{
	/* Inputs of 64 KiB are slow; what a limit does is seen here as well. */
	static const struct rpc_limits small = { 64, 3 };
	size_t bytes;
	char *copy;

	check_prefixes(data, length, &small, &bytes);
	if (check_prefixes(data, length, &rpc_request_limits, &bytes) !=
	    RPC_COMPLETE)
		return 0;
	copy = copy_of(data, bytes);
	check_message(copy, bytes);
	free(copy);
	return 0;
}
