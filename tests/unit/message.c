#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "proto/rpc.h"
#include "tests/unit/message.h"

msgpack_sbuffer buffer;
msgpack_packer packer;
msgpack_unpacked unpacked;

int
begin(void **state)
{
	(void)state;
	msgpack_sbuffer_init(&buffer);
	msgpack_packer_init(&packer, &buffer, msgpack_sbuffer_write);
	msgpack_unpacked_init(&unpacked);
	return 0;
}

int
end(void **state)
{
	(void)state;
	msgpack_unpacked_destroy(&unpacked);
	msgpack_sbuffer_destroy(&buffer);
	return 0;
}

const msgpack_object *
unpack(const struct rpc_limits *limits)
{
	size_t size = 0, offset = 0;

	assert_int_equal(rpc_check(buffer.data, buffer.size, limits, &size),
	    RPC_COMPLETE);
	assert_int_equal(size, buffer.size);
	assert_int_equal(msgpack_unpack_next(&unpacked, buffer.data,
	    buffer.size, &offset), MSGPACK_UNPACK_SUCCESS);
	assert_int_equal(offset, buffer.size);
	return &unpacked.data;
}

const char *
pack(const char *text)
{
	const char *body = text + 1, *p;
	bool wide;
	char *rest;
	size_t count = 0, length;

	switch (*text) {
	case '[':
	case '{':
		/* What is within has no brackets in its strings. */
		for (p = body, length = 0; length > 0 ||
		    (*p != ']' && *p != '}'); p++) {
			length += *p == '[' || *p == '{';
			length -= *p == ']' || *p == '}';
			count += length == 0 && (*p == ',' || *p == ':');
		}
		count += p > body;
		if (*text == '[')
			msgpack_pack_array(&packer, count);
		else
			msgpack_pack_map(&packer, count / 2);
		for (p = body; count > 0; count--) {
			p = pack(p);
			p += strspn(p, ",: ");
		}
		return p + 1;
	case 'b':
		body++;
		/* FALLTHROUGH */
	case '\'':
		length = strcspn(body, "'");
		if (*text == 'b') {
			msgpack_pack_bin(&packer, length);
			msgpack_pack_bin_body(&packer, body, length);
		} else {
			msgpack_pack_str(&packer, length);
			msgpack_pack_str_body(&packer, body, length);
		}
		return body + length + 1;
	case 't':
		msgpack_pack_true(&packer);
		return text + strlen("true");
	case 'f':
		msgpack_pack_false(&packer);
		return text + strlen("false");
	case 'n':
		msgpack_pack_nil(&packer);
		return text + strlen("null");
	}
	wide = *text == '#';
	text += wide;
	if (*text == '-') {
		int64_t number = strtoll(text, &rest, 10);

		if (wide)
			msgpack_pack_fix_int64(&packer, number);
		else
			msgpack_pack_int64(&packer, number);
	} else {
		uint64_t number = strtoull(text, &rest, 10);

		if (wide)
			msgpack_pack_fix_uint64(&packer, number);
		else
			msgpack_pack_uint64(&packer, number);
	}
	assert_ptr_not_equal(rest, text);
	return rest;
}
