/*
 * A MessagePack object as JSON.  Not by json-c, which would not go with the small
 * static libc that makes initctl start in a quarter of a millisecond.
 */
#include <inttypes.h>
#include <string.h>

#include "ctl/ctl.h"

/* The length of the UTF-8 character at s, or 0 if there is none. */
static size_t
character(const char *s, size_t left)
{
	size_t length;

	for (length = 1; length <= 4 && length <= left; length++)
		if (rpc_is_utf8(s, length))
			return length;
	return 0;
}

/* RFC 8259; what is no UTF-8 becomes U+FFFD, so that the whole stays text. */
void
json_string(FILE *out, const char *s, size_t left)
{
	size_t length;

	putc('"', out);
	for (; left > 0; s += length, left -= length) {
		length = 1;
		if (*s == '"' || *s == '\\')
			fprintf(out, "\\%c", *s);
		else if ((unsigned char)*s < 0x20 || *s == 0x7f)
			fprintf(out, "\\u%04x", (unsigned)*s);
		else if ((length = character(s, left)) == 2 &&
		    (unsigned char)s[0] == 0xc2 && (unsigned char)s[1] < 0xa0)
			/* A control character of eight bits. */
			fprintf(out, "\\u%04x", (unsigned char)s[1]);
		else if (length > 0)
			fwrite(s, 1, length, out);
		else {
			length = 1;
			fputs("\\ufffd", out);
		}
	}
	putc('"', out);
}

/* Of a message that has passed rpc_check(), so it is not deep. */
void
json_print(FILE *out, const msgpack_object *object)
{
	const char *bytes = "";
	size_t length = 0;
	uint32_t i;

	switch (object->type) {
	case MSGPACK_OBJECT_BOOLEAN:
		fputs(object->via.boolean ? "true" : "false", out);
		break;
	case MSGPACK_OBJECT_POSITIVE_INTEGER:
		fprintf(out, "%" PRIu64, object->via.u64);
		break;
	case MSGPACK_OBJECT_NEGATIVE_INTEGER:
		fprintf(out, "%" PRId64, object->via.i64);
		break;
	case MSGPACK_OBJECT_STR:
	case MSGPACK_OBJECT_BIN:
		rpc_bytes(object, &bytes, &length);
		json_string(out, bytes, length);
		break;
	case MSGPACK_OBJECT_ARRAY:
		putc('[', out);
		for (i = 0; i < object->via.array.size; i++) {
			if (i > 0)
				fputs(", ", out);
			json_print(out, &object->via.array.ptr[i]);
		}
		putc(']', out);
		break;
	case MSGPACK_OBJECT_MAP:
		putc('{', out);
		for (i = 0; i < object->via.map.size; i++) {
			if (i > 0)
				fputs(", ", out);
			/* Keys are strings; what is none has no name. */
			length = 0;
			rpc_bytes(&object->via.map.ptr[i].key, &bytes, &length);
			json_string(out, bytes, length);
			fputs(": ", out);
			json_print(out, &object->via.map.ptr[i].val);
		}
		putc('}', out);
		break;
	default:
		fputs("null", out);
	}
}
