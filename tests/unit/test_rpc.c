/* Bytes of strangers: where a message ends, and what cannot be one. */
#include <sys/mman.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <msgpack/unpack.h>

#include "proto/rpc.h"

#define ROOM	(128 * 1024)
#define BYTES(literal)	literal, sizeof(literal) - 1

static uint8_t *room_end;	/* who reads here is killed */

static int
make_room(void **state)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	uint8_t *room = mmap(NULL, ROOM + page, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	(void)state;
	assert_ptr_not_equal(room, MAP_FAILED);
	room_end = room + ROOM;
	return mprotect(room_end, page, PROT_NONE);
}

/* rpc_check() of bytes behind which nothing may be read. */
static enum rpc_check
check_limits(const void *bytes, size_t length, const struct rpc_limits *limits,
    size_t *size)
{
	return rpc_check(memcpy(room_end - length, bytes, length), length,
	    limits, size);
}

static enum rpc_check
check(const void *bytes, size_t length, size_t *size)
{
	return check_limits(bytes, length, &rpc_request_limits, size);
}

/* It is a message, no beginning of it is, and what follows is not looked at. */
static void
assert_whole(const char *bytes, size_t length)
{
	size_t n, size, least = 1;
	char more[600];

	for (n = 0; n < length; n++) {
		assert_int_equal(check(bytes, n, &size), RPC_INCOMPLETE);
		assert_in_range(size, n + 1, length);
		/* It is never asked for less than before. */
		assert_true(size >= least);
		least = size;
	}
	assert_int_equal(check(bytes, length, &size), RPC_COMPLETE);
	assert_int_equal(size, length);
	assert_true(length < sizeof(more));
	memcpy(more, bytes, length);
	more[length] = (char)0xc1;
	assert_int_equal(check(more, length + 1, &size), RPC_COMPLETE);
	assert_int_equal(size, length);
}

static void
assert_malformed(const char *bytes, size_t length)
{
	size_t size;

	assert_int_equal(check(bytes, length, &size), RPC_MALFORMED);
}

static void
objects_of_every_type_are_found(void **state)
{
	(void)state;
	assert_whole(BYTES("\x00"));
	assert_whole(BYTES("\x7f"));
	assert_whole(BYTES("\xe0"));
	assert_whole(BYTES("\xff"));
	assert_whole(BYTES("\xc0"));
	assert_whole(BYTES("\xc2"));
	assert_whole(BYTES("\xc3"));
	assert_whole(BYTES("\xcc\xff"));
	assert_whole(BYTES("\xcd\xff\xff"));
	assert_whole(BYTES("\xce\xff\xff\xff\xff"));
	assert_whole(BYTES("\xcf\xff\xff\xff\xff\xff\xff\xff\xff"));
	assert_whole(BYTES("\xd0\xff"));
	assert_whole(BYTES("\xd1\xff\xff"));
	assert_whole(BYTES("\xd2\xff\xff\xff\xff"));
	assert_whole(BYTES("\xd3\xff\xff\xff\xff\xff\xff\xff\xff"));
	assert_whole(BYTES("\xa0"));
	assert_whole(BYTES("\xa3" "abc"));
	assert_whole(BYTES("\xbf" "0123456789012345678901234567890"));
	assert_whole(BYTES("\xd9\x03" "abc"));
	assert_whole(BYTES("\xda\x00\x03" "abc"));
	assert_whole(BYTES("\xdb\x00\x00\x00\x03" "abc"));
	assert_whole(BYTES("\xc4\x03" "abc"));
	assert_whole(BYTES("\xc5\x00\x03" "abc"));
	assert_whole(BYTES("\xc6\x00\x00\x00\x03" "abc"));
	assert_whole(BYTES("\x90"));
	assert_whole(BYTES("\x92\x01\x02"));
	assert_whole(BYTES("\xdc\x00\x00"));
	assert_whole(BYTES("\xdc\x00\x02\x01\x02"));
	assert_whole(BYTES("\xdd\x00\x00\x00\x02\x01\x02"));
	assert_whole(BYTES("\x80"));
	assert_whole(BYTES("\x82\x01\x02\x03\x04"));
	assert_whole(BYTES("\xde\x00\x02\x01\x02\x03\x04"));
	assert_whole(BYTES("\xdf\x00\x00\x00\x02\x01\x02\x03\x04"));
	assert_whole(BYTES("\x93\x91\x90\xa1" "a\x81\xa1" "b\x92\x00\xcd"
	    "\x01\x02"));
	assert_whole(BYTES("\x94\x00\xce\xff\xff\xff\xff\xa7restart\x91\x82"
	    "\xa5names\x92\xa3web\xc4\x02\xff\xfe\xa4wait\xc2"));
}

static bool
is_forbidden(unsigned first)
{
	return first == 0xc1 || (first >= 0xc7 && first <= 0xcb) ||
	    (first >= 0xd4 && first <= 0xd8);
}

/* ext, float and the byte that is never used: no request has a use for them. */
static void
types_that_no_message_has_are_refused(void **state)
{
	char bytes[40] = { 0 };
	unsigned first;
	size_t size;

	(void)state;
	for (first = 0; first <= 0xff; first++) {
		bytes[0] = (char)first;
		assert_int_equal(check(bytes, sizeof(bytes), &size) ==
		    RPC_MALFORMED, is_forbidden(first));
		assert_int_equal(check(bytes, 1, &size) == RPC_MALFORMED,
		    is_forbidden(first));
	}
	/* Inside, too, as soon as the byte is there. */
	assert_malformed(BYTES("\x92\x01\xc1"));
	assert_malformed(BYTES("\x82\x01\xca"));
	assert_malformed(BYTES("\x94\x00\x01\xa4stop\x91\x81\xd4"));
	/* But not in the bytes of a string. */
	assert_whole(BYTES("\xa3\xc1\xca\xd4"));
	/* What comes after a message is the next one's. */
	assert_whole(BYTES("\x00"));
}

/* A string of str 32: all bytes of the message are in `length`. */
static uint8_t *
long_string(size_t length)
{
	uint8_t *bytes = malloc(length);

	memset(bytes, 'x', length);
	bytes[0] = 0xdb;
	bytes[1] = (uint8_t)((length - 5) >> 24);
	bytes[2] = (uint8_t)((length - 5) >> 16);
	bytes[3] = (uint8_t)((length - 5) >> 8);
	bytes[4] = (uint8_t)(length - 5);
	return bytes;
}

static void
limit_of_size_is_exact(void **state)
{
	uint8_t *bytes;
	size_t size;

	(void)state;
	bytes = long_string(RPC_REQUEST_MAX);
	assert_int_equal(check(bytes, RPC_REQUEST_MAX, &size), RPC_COMPLETE);
	assert_int_equal(size, RPC_REQUEST_MAX);
	assert_int_equal(check(bytes, RPC_REQUEST_MAX - 1, &size),
	    RPC_INCOMPLETE);
	assert_int_equal(size, RPC_REQUEST_MAX);
	free(bytes);

	/* One more is refused when it is announced, not when it has come. */
	bytes = long_string(RPC_REQUEST_MAX + 1);
	assert_malformed((char *)bytes, 5);
	assert_malformed((char *)bytes, RPC_REQUEST_MAX + 1);
	assert_int_equal(check(bytes, 4, &size), RPC_INCOMPLETE);
	assert_int_equal(check_limits(bytes, 5, &rpc_reply_limits, &size),
	    RPC_INCOMPLETE);
	assert_int_equal(size, RPC_REQUEST_MAX + 1);
	free(bytes);
}

/* Each child has a byte at least, so their number is a length as well. */
static void
limit_of_size_counts_what_is_to_come(void **state)
{
	static uint8_t bytes[RPC_REQUEST_MAX + 1] = {
		0xdd, 0x00, 0x00, 0xff, 0xfb	/* 65,531 of 0 */
	};
	size_t size;

	(void)state;
	assert_int_equal(check(bytes, RPC_REQUEST_MAX, &size), RPC_COMPLETE);
	assert_int_equal(size, RPC_REQUEST_MAX);
	assert_int_equal(check(bytes, 5, &size), RPC_INCOMPLETE);
	assert_int_equal(size, RPC_REQUEST_MAX);
	/* The last of them takes two. */
	bytes[RPC_REQUEST_MAX - 1] = 0xcc;
	assert_malformed((char *)bytes, RPC_REQUEST_MAX + 1);
	assert_malformed((char *)bytes, RPC_REQUEST_MAX);
	bytes[4] = 0xfc;
	assert_malformed((char *)bytes, 5);
	/* 32,765 pairs and an odd byte; a pair more. */
	assert_int_equal(check("\xdf\x00\x00\x7f\xfd", 5, &size),
	    RPC_INCOMPLETE);
	assert_int_equal(size, 5 + 2 * 32765);
	assert_malformed(BYTES("\xdf\x00\x00\x7f\xfe"));
}

static void
huge_lengths_are_refused_at_once(void **state)
{
	static const char *const lengths[] = {
		"\xff\xff\xff\xff", "\x80\x00\x00\x00", "\x7f\xff\xff\xff",
		"\x00\x01\x00\x00", "\x55\x55\x55\x56", "\x0a\xaa\xaa\xab",
	};
	static const char first[] = "\xc6\xdb\xdd\xdf";
	char bytes[16] = "\x94\x00\x01\x92";
	size_t i, type;

	(void)state;
	for (i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++)
		for (type = 0; type < sizeof(first) - 1; type++) {
			bytes[4] = first[type];
			memcpy(bytes + 5, lengths[i], 4);
			assert_malformed(bytes + 4, 5);
			assert_malformed(bytes, 9);
			/* Not even where 4 MiB are allowed. */
			if (i < 3)
				assert_int_equal(check_limits(bytes, 9,
				    &rpc_reply_limits, &(size_t){ 0 }),
				    RPC_MALFORMED);
		}
	assert_malformed(BYTES("\xdc\xff\xff"));
	assert_malformed(BYTES("\xde\x80\x00"));
	assert_malformed(BYTES("\xc5\xff\xfe"));
	/* Lengths that are too much only together. */
	assert_malformed(BYTES("\x92\xc5\xff\xfc"));
	assert_malformed(BYTES("\x92\xdc\x80\x00\xdc\x80\x00"));
	/* The number 2**64 - 1 is none. */
	assert_whole(BYTES("\x91\xcf\xff\xff\xff\xff\xff\xff\xff\xff"));
}

static void
limit_of_depth_is_exact(void **state)
{
	size_t size;

	(void)state;
	assert_whole(BYTES("\x91\x91\x91\x90"));
	assert_whole(BYTES("\x91\x91\x91\x91\x00"));
	assert_whole(BYTES("\x81\x00\x81\x00\x81\x00\x81\x00\x00"));
	assert_malformed(BYTES("\x91\x91\x91\x91\x90"));
	assert_malformed(BYTES("\x91\x91\x91\x91\x80"));
	assert_malformed(BYTES("\x81\x90\x91\x91\x91\x91\x00"));
	assert_int_equal(check_limits(BYTES("\x91\x91\x91\x91\x91\x90"),
	    &rpc_reply_limits, &size), RPC_COMPLETE);
	assert_int_equal(check_limits(BYTES("\x91\x91\x91\x91\x91\x91\x90"),
	    &rpc_reply_limits, &size), RPC_MALFORMED);
	/* What is beside each other is not in each other. */
	assert_whole(BYTES("\x93\x91\x91\x90\x91\x91\x90\x91\x91\x91\x00"));
	assert_whole(BYTES("\x98\x90\x90\x90\x90\x90\x90\x90\x90"));
	assert_malformed(BYTES("\x93\x91\x91\x90\x91\x91\x91\x90\x00"));
}

static void
nothing_is_the_beginning_of_a_message(void **state)
{
	size_t size;

	(void)state;
	assert_int_equal(check("", 0, &size), RPC_INCOMPLETE);
	assert_int_equal(size, 1);
}

/* So that a slow client costs no more than a fast one. */
static void
one_is_told_how_many_bytes_there_will_be_at_least(void **state)
{
	size_t size;

	(void)state;
	assert_int_equal(check(BYTES("\x94"), &size), RPC_INCOMPLETE);
	assert_int_equal(size, 5);
	assert_int_equal(check(BYTES("\x94\x00\xcd"), &size), RPC_INCOMPLETE);
	assert_int_equal(size, 7);
	assert_int_equal(check(BYTES("\x94\x00\x01\xd9"), &size),
	    RPC_INCOMPLETE);
	assert_int_equal(size, 6);
	assert_int_equal(check(BYTES("\x94\x00\x01\xd9\x40"), &size),
	    RPC_INCOMPLETE);
	assert_int_equal(size, 5 + 0x40 + 1);
	assert_int_equal(check(BYTES("\x94\x00\x01\xdf\x00\x00"), &size),
	    RPC_INCOMPLETE);
	assert_int_equal(size, 9);
}

/* All there is in three bytes: complete ones are so for msgpack-c as well. */
static void
msgpack_agrees(void **state)
{
	msgpack_unpacked message;
	uint8_t bytes[3];
	uint32_t i;
	size_t size, offset;

	(void)state;
	msgpack_unpacked_init(&message);
	for (i = 0; i < 1 << 24; i++) {
		/* Every value of the first two is enough, and one in 17. */
		if (i % 17 != 0 && (i & 0xff) != 0)
			continue;
		bytes[0] = (uint8_t)(i >> 16);
		bytes[1] = (uint8_t)(i >> 8);
		bytes[2] = (uint8_t)i;
		if (rpc_check(bytes, sizeof(bytes), &rpc_request_limits,
		    &size) != RPC_COMPLETE)
			continue;
		offset = 0;
		if (msgpack_unpack_next(&message, (char *)bytes, size,
		    &offset) != MSGPACK_UNPACK_SUCCESS || offset != size)
			fail_msg("msgpack-c: %06x", i);
	}
	msgpack_unpacked_destroy(&message);
}

/* --- objects -------------------------------------------------------------- */

static msgpack_unpacked unpacked;

static const msgpack_object *
unpack(const char *bytes, size_t length)
{
	size_t offset = 0;

	assert_int_equal(msgpack_unpack_next(&unpacked, bytes, length, &offset),
	    MSGPACK_UNPACK_SUCCESS);
	assert_int_equal(offset, length);
	return &unpacked.data;
}

static int
begin_objects(void **state)
{
	(void)state;
	msgpack_unpacked_init(&unpacked);
	return 0;
}

static int
end_objects(void **state)
{
	(void)state;
	msgpack_unpacked_destroy(&unpacked);
	return 0;
}

static void
integers_are_taken_in_every_format(void **state)
{
	int64_t number;

	(void)state;
	assert_true(rpc_integer(unpack(BYTES("\x07")), 0, 9, &number));
	assert_int_equal(number, 7);
	assert_true(rpc_integer(unpack(BYTES("\xcc\x07")), 0, 9, &number));
	assert_int_equal(number, 7);
	assert_true(rpc_integer(unpack(BYTES("\xcd\x00\x07")), 0, 9, &number));
	assert_int_equal(number, 7);
	assert_true(rpc_integer(unpack(BYTES("\xce\x00\x00\x00\x07")), 0, 9,
	    &number));
	assert_int_equal(number, 7);
	assert_true(rpc_integer(unpack(BYTES("\xcf\0\0\0\0\0\0\0\x07")), 0, 9,
	    &number));
	assert_int_equal(number, 7);
	assert_true(rpc_integer(unpack(BYTES("\xd0\x07")), 0, 9, &number));
	assert_int_equal(number, 7);
	assert_true(rpc_integer(unpack(BYTES("\xd1\x00\x07")), 0, 9, &number));
	assert_int_equal(number, 7);
	assert_true(rpc_integer(unpack(BYTES("\xd2\x00\x00\x00\x07")), 0, 9,
	    &number));
	assert_int_equal(number, 7);
	assert_true(rpc_integer(unpack(BYTES("\xd3\0\0\0\0\0\0\0\x07")), 0, 9,
	    &number));
	assert_int_equal(number, 7);
	assert_true(rpc_integer(unpack(BYTES("\xff")), -1, 9, &number));
	assert_int_equal(number, -1);
	assert_true(rpc_integer(unpack(BYTES("\xd3\xff\xff\xff\xff\xff\xff\xff"
	    "\xff")), -1, 9, &number));
	assert_int_equal(number, -1);
}

static void
integers_have_bounds(void **state)
{
	int64_t number;

	(void)state;
	assert_true(rpc_integer(unpack(BYTES("\x01")), 1, 64, &number));
	assert_true(rpc_integer(unpack(BYTES("\x40")), 1, 64, &number));
	assert_false(rpc_integer(unpack(BYTES("\x00")), 1, 64, &number));
	assert_false(rpc_integer(unpack(BYTES("\x41")), 1, 64, &number));
	assert_false(rpc_integer(unpack(BYTES("\xff")), 0, 64, &number));
	assert_true(rpc_integer(unpack(BYTES("\xce\xff\xff\xff\xff")), 0,
	    UINT32_MAX, &number));
	assert_int_equal(number, UINT32_MAX);
	assert_false(rpc_integer(unpack(BYTES("\xcf\0\0\0\1\0\0\0\0")), 0,
	    UINT32_MAX, &number));
	/* What is too large for int64_t does not become negative. */
	assert_true(rpc_integer(unpack(BYTES("\xcf\x7f\xff\xff\xff\xff\xff\xff"
	    "\xff")), INT64_MIN, INT64_MAX, &number));
	assert_true(number == INT64_MAX);
	assert_false(rpc_integer(unpack(BYTES("\xcf\x80\0\0\0\0\0\0\0")),
	    INT64_MIN, INT64_MAX, &number));
	assert_false(rpc_integer(unpack(BYTES("\xcf\xff\xff\xff\xff\xff\xff\xff"
	    "\xff")), -1, 255, &number));
	assert_true(rpc_integer(unpack(BYTES("\xd3\x80\0\0\0\0\0\0\0")),
	    INT64_MIN, INT64_MAX, &number));
	assert_true(number == INT64_MIN);
}

static void
nothing_else_is_an_integer(void **state)
{
	int64_t number;

	(void)state;
	assert_false(rpc_integer(NULL, 0, 9, &number));
	assert_false(rpc_integer(unpack(BYTES("\xc0")), 0, 9, &number));
	assert_false(rpc_integer(unpack(BYTES("\xc2")), 0, 9, &number));
	assert_false(rpc_integer(unpack(BYTES("\xc3")), 0, 9, &number));
	assert_false(rpc_integer(unpack(BYTES("\xa1" "1")), 0, 9, &number));
	assert_false(rpc_integer(unpack(BYTES("\xc4\x01\x01")), 0, 9, &number));
	assert_false(rpc_integer(unpack(BYTES("\x91\x01")), 0, 9, &number));
	assert_false(rpc_integer(unpack(BYTES("\x81\x01\x01")), 0, 9, &number));
}

static void
text_is_compared_as_a_whole(void **state)
{
	(void)state;
	assert_true(rpc_is(unpack(BYTES("\xa4stop")), "stop"));
	assert_true(rpc_is(unpack(BYTES("\xd9\x04stop")), "stop"));
	assert_false(rpc_is(unpack(BYTES("\xa3sto")), "stop"));
	assert_false(rpc_is(unpack(BYTES("\xa5stop\0")), "stop"));
	assert_false(rpc_is(unpack(BYTES("\xa5stops")), "stop"));
	assert_false(rpc_is(unpack(BYTES("\xa4STOP")), "stop"));
	assert_false(rpc_is(unpack(BYTES("\xc4\x04stop")), "stop"));
	assert_false(rpc_is(unpack(BYTES("\x04")), "stop"));
	assert_false(rpc_is(unpack(BYTES("\xc0")), ""));
}

static void
bytes_are_str_or_bin(void **state)
{
	const char *bytes;
	size_t length;

	(void)state;
	assert_true(rpc_bytes(unpack(BYTES("\xa2" "a\0")), &bytes, &length));
	assert_int_equal(length, 2);
	assert_memory_equal(bytes, "a\0", 2);
	assert_true(rpc_bytes(unpack(BYTES("\xc4\x02\xff\xfe")), &bytes,
	    &length));
	assert_int_equal(length, 2);
	assert_memory_equal(bytes, "\xff\xfe", 2);
	assert_false(rpc_bytes(NULL, &bytes, &length));
	assert_false(rpc_bytes(unpack(BYTES("\xc0")), &bytes, &length));
	assert_false(rpc_bytes(unpack(BYTES("\x91\xa1" "a")), &bytes,
	    &length));
}

static void
keys_are_found_in_maps(void **state)
{
	const msgpack_object *map, *value;
	int64_t number;

	(void)state;
	map = unpack(BYTES("\x86\x01\x02\xc4\x03pid\x03\xa3pi\0\x04\xa3pid\x05"
	    "\xa3pid\x06\xa5state\x80"));
	value = rpc_find(map, "pid");
	assert_non_null(value);
	assert_true(rpc_integer(value, 0, 9, &number));
	assert_int_equal(number, 5);
	assert_ptr_equal(rpc_find(map, "pid"), &map->via.map.ptr[3].val);
	assert_int_equal(rpc_find(map, "state")->type, MSGPACK_OBJECT_MAP);
	assert_null(rpc_find(rpc_find(map, "state"), "pid"));
	assert_null(rpc_find(map, "pi"));
	assert_null(rpc_find(map, "pids"));
	assert_null(rpc_find(map, ""));

	assert_null(rpc_find(NULL, "pid"));
	assert_null(rpc_find(unpack(BYTES("\x80")), "pid"));
	assert_null(rpc_find(unpack(BYTES("\xc0")), "pid"));
	assert_null(rpc_find(unpack(BYTES("\x92\xa3pid\x05")), "pid"));
	assert_null(rpc_find(unpack(BYTES("\xa3pid")), "pid"));
}

/* --- UTF-8 ---------------------------------------------------------------- */

/* As RFC 3629 has it, by its table. */
static size_t
encode(uint32_t point, char *text)
{
	if (point < 0x80) {
		text[0] = (char)point;
		return 1;
	}
	if (point < 0x800) {
		text[0] = (char)(0xc0 | point >> 6);
		text[1] = (char)(0x80 | (point & 0x3f));
		return 2;
	}
	if (point < 0x10000) {
		text[0] = (char)(0xe0 | point >> 12);
		text[1] = (char)(0x80 | (point >> 6 & 0x3f));
		text[2] = (char)(0x80 | (point & 0x3f));
		return 3;
	}
	text[0] = (char)(0xf0 | point >> 18);
	text[1] = (char)(0x80 | (point >> 12 & 0x3f));
	text[2] = (char)(0x80 | (point >> 6 & 0x3f));
	text[3] = (char)(0x80 | (point & 0x3f));
	return 4;
}

static void
characters_are_utf8_unless_cut(void **state)
{
	uint32_t point;
	size_t length, n;
	char text[4];

	(void)state;
	for (point = 0; point <= 0x1fffff; point++) {
		bool valid = point <= 0x10ffff &&
		    !(point >= 0xd800 && point <= 0xdfff);

		length = encode(point, text);
		if (rpc_is_utf8(text, length) != valid)
			fail_msg("U+%04X", point);
		for (n = 1; n < length; n++)
			if (rpc_is_utf8(text, n) ||
			    rpc_is_utf8(text + n, length - n))
				fail_msg("a piece of U+%04X", point);
	}
}

/* Of two bytes every pair, one of each kind by the table of RFC 3629. */
static void
two_bytes_are_utf8_or_not(void **state)
{
	unsigned a, b;

	(void)state;
	for (a = 0; a <= 0xff; a++)
		for (b = 0; b <= 0xff; b++) {
			const char text[2] = { (char)a, (char)b };

			if (rpc_is_utf8(text, 2) != ((a < 0x80 && b < 0x80) ||
			    (a >= 0xc2 && a <= 0xdf && b >= 0x80 && b <= 0xbf)))
				fail_msg("%02x %02x", a, b);
		}
}

static void
what_is_longer_than_need_be_is_no_utf8(void **state)
{
	(void)state;
	assert_false(rpc_is_utf8(BYTES("\xc0\x80")));
	assert_false(rpc_is_utf8(BYTES("\xc1\xbf")));
	assert_false(rpc_is_utf8(BYTES("\xe0\x80\x80")));
	assert_false(rpc_is_utf8(BYTES("\xe0\x9f\xbf")));
	assert_true(rpc_is_utf8(BYTES("\xe0\xa0\x80")));
	assert_false(rpc_is_utf8(BYTES("\xf0\x8f\xbf\xbf")));
	assert_true(rpc_is_utf8(BYTES("\xf0\x90\x80\x80")));
	assert_true(rpc_is_utf8(BYTES("\xf4\x8f\xbf\xbf")));
	assert_false(rpc_is_utf8(BYTES("\xf4\x90\x80\x80")));
	assert_false(rpc_is_utf8(BYTES("\xf8\x88\x80\x80\x80")));
	assert_false(rpc_is_utf8(BYTES("\xfe")));
	assert_false(rpc_is_utf8(BYTES("\xff")));
}

static void
text_is_utf8_to_its_end(void **state)
{
	(void)state;
	assert_true(rpc_is_utf8(BYTES("")));
	assert_true(rpc_is_utf8(BYTES("web-1\n\0\x7f")));
	assert_true(rpc_is_utf8(BYTES("sch\xc3\xb6n \xe2\x82\xac "
	    "\xf0\x9f\x90\xb3")));
	assert_false(rpc_is_utf8(BYTES("sch\xf6n")));
	assert_false(rpc_is_utf8(BYTES("web\x80")));
	assert_false(rpc_is_utf8(BYTES("\xc3\xb6\xe2\x82")));
	/* The NUL of the literal is not looked at, nor what is behind. */
	assert_false(rpc_is_utf8("\xe2\x82\xac", 2));
	assert_false(rpc_is_utf8(memcpy(room_end - 1, "\xf0", 1), 1));
	assert_false(rpc_is_utf8(memcpy(room_end - 3, "\xf0\x9f\x90", 3), 3));
}

static void
every_method_and_error_has_a_name(void **state)
{
	int i;

	(void)state;
	for (i = RPC_VERSION; i < RPC_METHODS; i++)
		assert_non_null(rpc_methods[i]);
	for (i = RPC_OK; i < RPC_ERRORS; i++)
		assert_non_null(rpc_errors[i]);
}

#define object_test(f)	\
	cmocka_unit_test_setup_teardown(f, begin_objects, end_objects)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(objects_of_every_type_are_found),
		cmocka_unit_test(types_that_no_message_has_are_refused),
		cmocka_unit_test(limit_of_size_is_exact),
		cmocka_unit_test(limit_of_size_counts_what_is_to_come),
		cmocka_unit_test(huge_lengths_are_refused_at_once),
		cmocka_unit_test(limit_of_depth_is_exact),
		cmocka_unit_test(nothing_is_the_beginning_of_a_message),
		cmocka_unit_test(
		    one_is_told_how_many_bytes_there_will_be_at_least),
		cmocka_unit_test(msgpack_agrees),
		object_test(integers_are_taken_in_every_format),
		object_test(integers_have_bounds),
		object_test(nothing_else_is_an_integer),
		object_test(text_is_compared_as_a_whole),
		object_test(bytes_are_str_or_bin),
		object_test(keys_are_found_in_maps),
		cmocka_unit_test(characters_are_utf8_unless_cut),
		cmocka_unit_test(two_bytes_are_utf8_or_not),
		cmocka_unit_test(what_is_longer_than_need_be_is_no_utf8),
		cmocka_unit_test(text_is_utf8_to_its_end),
		cmocka_unit_test(every_method_and_error_has_a_name),
	};

	return cmocka_run_group_tests(tests, make_room, NULL);
}
