/* Bytes from a peer: checked before msgpack-c sees them, and looked into after. */
#include <string.h>

#include <msgpack/object.h>

#include "proto/rpc.h"

const char *const rpc_methods[RPC_METHODS] = {
	[RPC_VERSION] = "version",
	[RPC_STATUS] = "status",
	[RPC_START] = "start",
	[RPC_STOP] = "stop",
	[RPC_RESTART] = "restart",
	[RPC_ONCE] = "once",
	[RPC_RELOAD] = "reload",
	[RPC_SIGNAL] = "signal",
	[RPC_RESCAN] = "rescan",
	[RPC_ENABLE_INSECURE_KEY] = "enable_insecure_key",
	[RPC_SHUTDOWN] = "shutdown",
	[RPC_SUBSCRIBE] = "subscribe",
	[RPC_WAIT] = "wait",
	[RPC_LOGS] = "logs",
};
_Static_assert(RPC_LOGS + 1 == RPC_METHODS, "a method has no name");

const char *const rpc_fors[RPC_FORS] = {
	[RPC_FOR_READY] = "ready",
	[RPC_FOR_DOWN] = "down",
	[RPC_FOR_EXIT] = "exit",
};
_Static_assert(RPC_FOR_EXIT + 1 == RPC_FORS, "what is waited for has no name");

const char *const rpc_errors[RPC_ERRORS] = {
	[RPC_OK] = "ok",
	[RPC_BAD_REQUEST] = "bad_request",
	[RPC_DENIED] = "denied",
	[RPC_BUSY] = "busy",
	[RPC_UNAVAILABLE] = "unavailable",
	[RPC_UNKNOWN_SERVICE] = "unknown_service",
	[RPC_BOOTING] = "booting",
	[RPC_SHUTTING_DOWN] = "shutting_down",
	[RPC_FAILED] = "failed",
	[RPC_SUPERSEDED] = "superseded",
	[RPC_NOT_UP] = "not_up",
	[RPC_NOT_PERMITTED] = "not_permitted",
	[RPC_TIMEOUT] = "timeout",
};
_Static_assert(RPC_TIMEOUT + 1 == RPC_ERRORS, "an error has no code");

const struct rpc_limits rpc_request_limits = {
	RPC_REQUEST_MAX, RPC_REQUEST_DEPTH
};
const struct rpc_limits rpc_reply_limits = {
	RPC_REPLY_MAX, RPC_REPLY_DEPTH
};

/* What one object begins with. */
struct header {
	size_t		size;		/* of its own bytes */
	uint64_t	payload;	/* bytes that follow */
	uint64_t	children;	/* objects that follow */
	bool		nests;
};

static uint64_t
big_endian(const uint8_t *p, unsigned size)
{
	uint64_t value = 0;

	while (size-- > 0)
		value = value << 8 | *p++;
	return value;
}

/* A length of `size` bytes behind the first; false: it is not all there yet. */
static bool
declared(const uint8_t *p, size_t left, unsigned size, uint64_t *length,
    struct header *header)
{
	header->size = 1 + size;
	if (left < header->size)
		return false;
	*length = big_endian(p + 1, size);
	return true;
}

/*
 * The types of the MessagePack specification, less ext (0xc7 to 0xc9, 0xd4 to
 * 0xd8), float (0xca, 0xcb) and the byte that is never used (0xc1).
 */
static enum rpc_check
read_header(const uint8_t *p, size_t left, struct header *header)
{
	uint64_t count = 0;
	bool whole = true;

	*header = (struct header){ .size = 1 };
	if (*p <= 0x7f || *p >= 0xe0 || *p == 0xc0 || *p == 0xc2 || *p == 0xc3)
		return RPC_COMPLETE;
	if (*p <= 0x8f) {
		header->children = 2 * (*p & 0x0f);
		header->nests = true;
		return RPC_COMPLETE;
	}
	if (*p <= 0x9f) {
		header->children = *p & 0x0f;
		header->nests = true;
		return RPC_COMPLETE;
	}
	if (*p <= 0xbf) {
		header->payload = *p & 0x1f;
		return RPC_COMPLETE;
	}
	switch (*p) {
	case 0xc4: case 0xc5: case 0xc6:	/* bin */
		whole = declared(p, left, 1u << (*p - 0xc4), &header->payload,
		    header);
		break;
	case 0xd9: case 0xda: case 0xdb:	/* str */
		whole = declared(p, left, 1u << (*p - 0xd9), &header->payload,
		    header);
		break;
	case 0xcc: case 0xcd: case 0xce: case 0xcf:	/* uint */
		header->payload = 1u << (*p - 0xcc);
		break;
	case 0xd0: case 0xd1: case 0xd2: case 0xd3:	/* int */
		header->payload = 1u << (*p - 0xd0);
		break;
	case 0xdc: case 0xdd:			/* array */
	case 0xde: case 0xdf:			/* map */
		header->nests = true;
		whole = declared(p, left, *p & 1 ? 4 : 2, &count, header);
		header->children = *p >= 0xde ? 2 * count : count;
		break;
	default:
		return RPC_MALFORMED;
	}
	return whole ? RPC_COMPLETE : RPC_INCOMPLETE;
}

/*
 * Is there a whole message at the beginning of these bytes?  RPC_COMPLETE: of
 * *bytes bytes, and msgpack-c needs no more memory for it than a small multiple
 * of that.  RPC_INCOMPLETE: not before there are *bytes bytes.  RPC_MALFORMED:
 * never, whatever may follow; nothing is allocated or read beyond length.
 *
 * msgpack-c 4.0.0 allocates what a length declares before it looks whether the
 * bytes are there (faults.md, "Libraries"); it only ever gets what passed here.
 */
enum rpc_check
rpc_check(const void *data, size_t length, const struct rpc_limits *limits,
    size_t *bytes)
{
	const uint8_t *p = data;
	uint64_t left[RPC_DEPTH_MAX + 1] = { 1 }, pending = 1;
	struct header header;
	unsigned depth = 0;
	size_t at = 0;

	while (pending > 0) {
		while (left[depth] == 0)
			depth--;
		/* Each object that is still to come has a byte at least. */
		if (at + pending > limits->size)
			return RPC_MALFORMED;
		*bytes = at + pending;
		if (at >= length)
			return RPC_INCOMPLETE;
		switch (read_header(p + at, length - at, &header)) {
		case RPC_MALFORMED:
			return RPC_MALFORMED;
		case RPC_INCOMPLETE:
			*bytes = at + header.size + pending - 1;
			return *bytes > limits->size ? RPC_MALFORMED :
			    RPC_INCOMPLETE;
		case RPC_COMPLETE:
			break;
		}
		left[depth]--;
		pending += header.children - 1;
		at += header.size;
		if (at > limits->size || header.payload > limits->size - at)
			return RPC_MALFORMED;
		at += (size_t)header.payload;
		if (header.nests) {
			if (++depth > limits->depth)
				return RPC_MALFORMED;
			left[depth] = header.children;
		}
	}
	*bytes = at;
	return at <= length ? RPC_COMPLETE : RPC_INCOMPLETE;
}

static bool
is_text(const msgpack_object *object, const char *text, size_t length)
{
	return object->type == MSGPACK_OBJECT_STR &&
	    object->via.str.size == length &&
	    memcmp(object->via.str.ptr, text, length) == 0;
}

/* Is it the string text? */
bool
rpc_is(const msgpack_object *object, const char *text)
{
	return object != NULL && is_text(object, text, strlen(text));
}

/* The value of a key, or NULL if there is none or this is no map. */
const msgpack_object *
rpc_find(const msgpack_object *map, const char *key)
{
	size_t length = strlen(key);
	uint32_t i;

	if (map == NULL || map->type != MSGPACK_OBJECT_MAP)
		return NULL;
	for (i = 0; i < map->via.map.size; i++)
		if (is_text(&map->via.map.ptr[i].key, key, length))
			return &map->via.map.ptr[i].val;
	return NULL;
}

/* An integer from least to most, both positive or small enough; else false. */
bool
rpc_integer(const msgpack_object *object, int64_t least, int64_t most,
    int64_t *value)
{
	if (object == NULL)
		return false;
	if (object->type == MSGPACK_OBJECT_NEGATIVE_INTEGER)
		*value = object->via.i64;
	else if (object->type == MSGPACK_OBJECT_POSITIVE_INTEGER &&
	    object->via.u64 <= INT64_MAX)
		*value = (int64_t)object->via.u64;
	else
		return false;
	return *value >= least && *value <= most;
}

/* The bytes of a str or bin; they end with no NUL. */
bool
rpc_bytes(const msgpack_object *object, const char **bytes, size_t *length)
{
	if (object == NULL)
		return false;
	if (object->type == MSGPACK_OBJECT_STR) {
		*bytes = object->via.str.ptr;
		*length = object->via.str.size;
	} else if (object->type == MSGPACK_OBJECT_BIN) {
		*bytes = object->via.bin.ptr;
		*length = object->via.bin.size;
	} else {
		return false;
	}
	return true;
}

/* As RFC 3629 has it: no surrogates, nothing longer than need be. */
bool
rpc_is_utf8(const char *text, size_t length)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	const unsigned char *s = (const unsigned char *)text, *end = s + length;
	unsigned size, i;
	uint32_t point;

	for (; s < end; s += size) {
		if (*s < 0x80) {
			size = 1;
			continue;
		}
		if (*s < 0xc2 || *s > 0xf4)
			return false;
		size = *s >= 0xf0 ? 4 : *s >= 0xe0 ? 3 : 2;
		if ((size_t)(end - s) < size)
			return false;
		point = *s & (0x7fu >> size);
		for (i = 1; i < size; i++) {
			if ((s[i] & 0xc0) != 0x80)
				return false;
			point = point << 6 | (s[i] & 0x3f);
		}
		if (point < least[size] || point > 0x10ffff ||
		    (point >= 0xd800 && point <= 0xdfff))
			return false;
	}
	return true;
}
