/* Requests as clients may send them, and what they get back. */
#include <errno.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <msgpack/sbuffer.h>
#include <msgpack/unpack.h>

#include "supervisor/gate/translate.h"

/* Bytes to be unpacked, and what was. */
static msgpack_sbuffer buffer;
static msgpack_packer packer;
static msgpack_unpacked unpacked;

static int
begin(void **state)
{
	(void)state;
	msgpack_sbuffer_init(&buffer);
	msgpack_packer_init(&packer, &buffer, msgpack_sbuffer_write);
	msgpack_unpacked_init(&unpacked);
	return 0;
}

static int
end(void **state)
{
	(void)state;
	msgpack_unpacked_destroy(&unpacked);
	msgpack_sbuffer_destroy(&buffer);
	return 0;
}

/* What is in the buffer; it has to be one message. */
static const msgpack_object *
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

/* --- requests ------------------------------------------------------------- */

/*
 * Packs what is written as in JSON, with ' for ", and b'' for bin; numbers with
 * a # before them have 64 bits.  Returns what is behind it.
 */
static const char *
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

static struct call call;
static const char *why;

static enum translate_result
translate_buffer(void)
{
	/* What is not given has its default whatever was here before. */
	memset(&call, 0x55, sizeof(call));
	return translate_request(unpack(&rpc_request_limits), &call, &why);
}

static enum translate_result
translate(const char *text)
{
	msgpack_sbuffer_clear(&buffer);
	assert_string_equal(pack(text), "");
	return translate_buffer();
}

/* A request of a method with these parameters, without the braces. */
static enum translate_result
translate_call(const char *method, const char *parameters)
{
	char text[1024];

	snprintf(text, sizeof(text), "[0, 7, '%s', [{%s}]]", method,
	    parameters);
	return translate(text);
}

/* It is no good, and this is said of it. */
static void
assert_bad(const char *method, const char *parameters, const char *reason)
{
	assert_int_equal(translate_call(method, parameters), TRANSLATE_BAD);
	assert_int_equal(call.msgid, 7);
	assert_non_null(strstr(why, reason));
}

static void
assert_good(const char *method, const char *parameters)
{
	if (translate_call(method, parameters) != TRANSLATE_OK)
		fail_msg("%s {%s}: %s", method, parameters, why);
	assert_int_equal(call.msgid, 7);
	assert_string_equal(rpc_methods[call.method], method);
	assert_null(why);
}

static void
what_is_not_given_has_its_default(void **state)
{
	(void)state;
	assert_good("status", "");
	assert_int_equal(call.method, RPC_STATUS);
	assert_false(call.has_names);
	assert_int_equal(call.names, 0);
	assert_true(call.wait);
	assert_int_equal(call.timeout_ms, -1);
	assert_int_equal(call.exit_code, -1);
	assert_int_equal(call.signal, 0);
	assert_int_equal(call.wait_for, RPC_FOR_READY);
	assert_false(call.only);
	assert_int_equal(translate("[0, 8, 'status', []]"), TRANSLATE_OK);
	assert_int_equal(call.msgid, 8);
	assert_false(call.has_names);
}

static void
all_that_is_given_is_taken(void **state)
{
	(void)state;
	assert_good("restart", "'names': ['a', 'web*'], 'wait': false, "
	    "'timeout_ms': 1500");
	assert_true(call.has_names);
	assert_int_equal(call.names, 2);
	assert_string_equal(call.name[0], "a");
	assert_string_equal(call.name[1], "web*");
	assert_false(call.wait);
	assert_int_equal(call.timeout_ms, 1500);
	/* In any order. */
	assert_good("signal", "'signal': 9, 'names': ['a']");
	assert_int_equal(call.signal, 9);
	assert_good("signal", "'names': ['a'], 'signal': 9");
	assert_int_equal(call.signal, 9);
	assert_good("shutdown", "'exit_code': 77, 'timeout_ms': 0");
	assert_int_equal(call.exit_code, 77);
	assert_int_equal(call.timeout_ms, 0);
	assert_good("stop", "'only': true, 'names': ['a']");
	assert_true(call.only);
	assert_good("stop", "'only': false, 'names': ['a']");
	assert_false(call.only);
}

static void
wait_is_for_one_of_three(void **state)
{
	(void)state;
	assert_good("wait", "'names': ['a'], 'for': 'ready'");
	assert_int_equal(call.wait_for, RPC_FOR_READY);
	assert_good("wait", "'names': ['a'], 'for': 'down'");
	assert_int_equal(call.wait_for, RPC_FOR_DOWN);
	assert_good("wait", "'names': ['a'], 'for': 'exit', 'timeout_ms': 7");
	assert_int_equal(call.wait_for, RPC_FOR_EXIT);
	assert_int_equal(call.timeout_ms, 7);
	assert_bad("wait", "'names': ['a'], 'for': 'up'", "none of ready");
	assert_bad("wait", "'names': ['a'], 'for': ''", "none of ready");
	assert_bad("wait", "'names': ['a'], 'for': b'down'", "none of ready");
	assert_bad("wait", "'names': ['a'], 'for': 1", "none of ready");
	assert_bad("wait", "'names': ['a'], 'for': null", "none of ready");
	assert_bad("stop", "'names': ['a'], 'only': 1", "not a boolean");
	assert_bad("stop", "'names': ['a'], 'only': 'x'", "not a boolean");
	assert_bad("logs", "'names': ['a'], 'follow': 1", "not a boolean");
	assert_bad("logs", "'names': ['a'], 'lines': -1", "0 to 32768");
	assert_bad("logs", "'names': ['a'], 'lines': 32769", "0 to 32768");
	assert_bad("logs", "'names': ['a'], 'lines': '1'", "0 to 32768");
}

/* The table of PROTOCOL.md: + can be given, ! has to be. */
static void
each_method_takes_its_parameters(void **state)
{
	static const struct {
		const char	*method;
		char		takes[9];
	} methods[] = {
		{ "version", "---------" }, { "status", "+--------" },
		{ "start", "!++------" }, { "stop", "!++---+--" },
		{ "restart", "!++------" }, { "once", "!++------" },
		{ "reload", "!--------" }, { "signal", "!--!-----" },
		{ "rescan", "---------" }, { "enable_insecure_key", "---------" },
		{ "shutdown", "--+-+----" }, { "subscribe", "+--------" },
		{ "wait", "!-+--+---" }, { "logs", "!------++" },
	};
	static const char *const parameters[] = {
		"'names': ['a']", "'wait': true", "'timeout_ms': 1",
		"'signal': 1", "'exit_code': 1", "'for': 'down'",
		"'only': true", "'lines': 1", "'follow': true",
	};
	char needed[128], all[256];
	size_t m, p, q;

	(void)state;
	assert_int_equal(sizeof(methods) / sizeof(methods[0]),
	    RPC_METHODS - 1);
	for (m = 0; m < sizeof(methods) / sizeof(methods[0]); m++) {
		const char *method = methods[m].method;

		needed[0] = '\0';
		for (p = 0; p < 9; p++) {
			if (methods[m].takes[p] != '!')
				continue;
			if (needed[0] != '\0')
				strcat(needed, ", ");
			strcat(needed, parameters[p]);
		}
		assert_good(method, needed);
		for (p = 0; p < 9; p++) {
			if (methods[m].takes[p] != '!') {
				snprintf(all, sizeof(all), "%s%s%s", needed,
				    needed[0] != '\0' ? ", " : "",
				    parameters[p]);
				if (methods[m].takes[p] == '+')
					assert_good(method, all);
				else
					assert_bad(method, all,
					    "no such parameter");
				continue;
			}
			/* All that is needed but this. */
			all[0] = '\0';
			for (q = 0; q < 9; q++)
				if (q != p && methods[m].takes[q] == '!')
					strcat(all, parameters[q]);
			assert_bad(method, all, "missing");
		}
	}
}

static void
parameters_are_known_and_given_once(void **state)
{
	(void)state;
	assert_bad("status", "'name': ['a']", "no such parameter");
	assert_bad("status", "'names ': ['a']", "no such parameter");
	assert_bad("status", "'': 1", "no such parameter");
	assert_bad("status", "b'names': ['a']", "no such parameter");
	assert_bad("status", "1: ['a']", "no such parameter");
	assert_bad("status", "null: ['a']", "no such parameter");
	assert_bad("status", "['names']: ['a']", "no such parameter");
	assert_bad("status", "'names': ['a'], 'names': ['a']", "twice");
	assert_bad("shutdown", "'exit_code': 1, 'timeout_ms': 1, "
	    "'exit_code': 1", "twice");
	/* Nothing of it is done, so it does not matter what was good. */
	assert_bad("start", "'names': ['a'], 'timeout': 1",
	    "no such parameter");
}

static void
names_are_str_or_bin(void **state)
{
	(void)state;
	assert_good("stop", "'names': ['a', b'b', b'\xff\xfe', "
	    "'sch\xc3\xb6n']");
	assert_int_equal(call.names, 4);
	assert_string_equal(call.name[0], "a");
	assert_string_equal(call.name[1], "b");
	assert_string_equal(call.name[2], "\xff\xfe");
	assert_string_equal(call.name[3], "sch\xc3\xb6n");
	assert_bad("stop", "'names': 'a'", "not an array");
	assert_bad("stop", "'names': null", "not an array");
	assert_bad("stop", "'names': 1", "not an array");
	assert_bad("stop", "'names': {'a': 'b'}", "not an array");
	assert_bad("stop", "'names': ['a', 1]", "not a string");
	assert_bad("stop", "'names': [null]", "not a string");
	assert_bad("stop", "'names': [true]", "not a string");
	assert_good("stop", "'names': []");
	assert_true(call.has_names);
	assert_int_equal(call.names, 0);
}

#define TEN	"0123456789"
#define HUNDRED	TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN

static void
names_have_1_to_103_bytes(void **state)
{
	(void)state;
	assert_good("stop", "'names': ['" HUNDRED "012']");
	assert_string_equal(call.name[0], HUNDRED "012");
	assert_good("stop", "'names': [b'" HUNDRED "012']");
	assert_string_equal(call.name[0], HUNDRED "012");
	assert_bad("stop", "'names': ['" HUNDRED "0123']", "1 to 103 bytes");
	assert_bad("stop", "'names': [b'" HUNDRED "0123']", "1 to 103 bytes");
	assert_bad("stop", "'names': ['a', '']", "1 to 103 bytes");
	assert_bad("stop", "'names': [b'']", "1 to 103 bytes");
}

static void
names_have_no_nul(void **state)
{
	static const char *const names[] = { "\0a", "a\0", "a\0b", "\0\0" };
	size_t i, length;

	(void)state;
	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		length = i == 2 ? 3 : 2;
		msgpack_sbuffer_clear(&buffer);
		msgpack_pack_array(&packer, 4);
		pack("0");
		pack("7");
		pack("'stop'");
		msgpack_pack_array(&packer, 1);
		msgpack_pack_map(&packer, 1);
		pack("'names'");
		msgpack_pack_array(&packer, 1);
		msgpack_pack_str(&packer, length);
		msgpack_pack_str_body(&packer, names[i], length);
		assert_int_equal(translate_buffer(), TRANSLATE_BAD);
		assert_non_null(strstr(why, "NUL"));
	}
}

/* The struct goes on to the supervisor, and nobody's memory with it. */
static void
what_a_name_does_not_need_is_zero(void **state)
{
	size_t i;

	(void)state;
	assert_good("stop", "'names': ['" HUNDRED "012', 'a']");
	for (i = 1; i < sizeof(call.name[1]); i++)
		assert_int_equal(call.name[1][i], 0);
	assert_int_equal(call.name[0][STATE_NAME_MAX], 0);
}

static enum translate_result
translate_many(unsigned count)
{
	char name[32];
	unsigned i;

	msgpack_sbuffer_clear(&buffer);
	msgpack_pack_array(&packer, 4);
	pack("0");
	pack("7");
	pack("'stop'");
	msgpack_pack_array(&packer, 1);
	msgpack_pack_map(&packer, 1);
	pack("'names'");
	msgpack_pack_array(&packer, count);
	for (i = 0; i < count; i++) {
		snprintf(name, sizeof(name), "'service-%u'", i);
		pack(name);
	}
	return translate_buffer();
}

static void
there_are_1024_names_at_most(void **state)
{
	(void)state;
	assert_int_equal(translate_many(RPC_NAMES_MAX), TRANSLATE_OK);
	assert_int_equal(call.names, RPC_NAMES_MAX);
	assert_string_equal(call.name[0], "service-0");
	assert_string_equal(call.name[RPC_NAMES_MAX - 1], "service-1023");
	assert_int_equal(translate_many(RPC_NAMES_MAX + 1), TRANSLATE_BAD);
	assert_non_null(strstr(why, "1024"));
}

static void
wait_is_a_boolean(void **state)
{
	(void)state;
	assert_good("start", "'names': ['a'], 'wait': true");
	assert_true(call.wait);
	assert_good("start", "'names': ['a'], 'wait': false");
	assert_false(call.wait);
	assert_bad("start", "'names': ['a'], 'wait': 0", "boolean");
	assert_bad("start", "'names': ['a'], 'wait': 1", "boolean");
	assert_bad("start", "'names': ['a'], 'wait': null", "boolean");
	assert_bad("start", "'names': ['a'], 'wait': 'true'", "boolean");
	assert_bad("start", "'names': ['a'], 'wait': []", "boolean");
}

static void
timeout_is_0_to_an_hour(void **state)
{
	static const char *const bad[] = {
		"-1", "3600001", "2147483648", "4294967296",
		"9223372036854775808", "18446744073709551615",
		"-9223372036854775808", "true", "null", "'1'", "[]", "{}",
	};
	char text[128];
	size_t i;

	(void)state;
	assert_good("start", "'names': ['a'], 'timeout_ms': 0");
	assert_int_equal(call.timeout_ms, 0);
	assert_good("start", "'names': ['a'], 'timeout_ms': 3600000");
	assert_int_equal(call.timeout_ms, 3600000);
	assert_good("start", "'names': ['a'], 'timeout_ms': #60000");
	assert_int_equal(call.timeout_ms, 60000);
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		snprintf(text, sizeof(text), "'names': ['a'], "
		    "'timeout_ms': %s", bad[i]);
		assert_bad("start", text, "0 to 3600000");
		snprintf(text, sizeof(text), "'timeout_ms': %s", bad[i]);
		assert_bad("shutdown", text, "0 to 3600000");
	}
}

static void
exit_code_is_0_to_255(void **state)
{
	(void)state;
	assert_good("shutdown", "'exit_code': 0");
	assert_int_equal(call.exit_code, 0);
	assert_good("shutdown", "'exit_code': 255");
	assert_int_equal(call.exit_code, 255);
	assert_bad("shutdown", "'exit_code': 256", "0 to 255");
	assert_bad("shutdown", "'exit_code': -1", "0 to 255");
	assert_bad("shutdown", "'exit_code': 18446744073709551615",
	    "0 to 255");
	assert_bad("shutdown", "'exit_code': '1'", "0 to 255");
	assert_bad("shutdown", "'exit_code': true", "0 to 255");
	assert_bad("shutdown", "'exit_code': null", "0 to 255");
}

static void
signals_are_numbers_or_names(void **state)
{
	static const struct {
		const char	*given;
		int		signal;		/* 0: it is none */
	} signals[] = {
		{ "1", 1 }, { "15", 15 }, { "64", 64 }, { "#9", 9 },
		{ "0", 0 }, { "65", 0 }, { "-1", 0 }, { "4294967297", 0 },
		{ "18446744073709551615", 0 },
		{ "'HUP'", 1 }, { "'SIGHUP'", 1 }, { "'TERM'", 15 },
		{ "'SIGTERM'", 15 }, { "b'KILL'", 9 }, { "b'SIGKILL'", 9 },
		{ "'SYS'", 31 }, { "'USR1'", 10 }, { "'WINCH'", 28 },
		{ "'hup'", 0 }, { "'SIG'", 0 }, { "'SIGSIGHUP'", 0 },
		{ "'SI'", 0 }, { "''", 0 }, { "'HU'", 0 }, { "'HUPS'", 0 },
		{ "'HUP '", 0 }, { "'1'", 0 }, { "'SIG1'", 0 },
		{ "'EXIT'", 0 }, { "true", 0 }, { "null", 0 }, { "[1]", 0 },
		{ "{}", 0 },
	};
	char text[128];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
		snprintf(text, sizeof(text), "'names': ['a'], 'signal': %s",
		    signals[i].given);
		if (signals[i].signal == 0) {
			assert_bad("signal", text, "signal is neither");
			continue;
		}
		assert_good("signal", text);
		assert_int_equal(call.signal, signals[i].signal);
	}
}

/* Who has said a msgid is told; without one there is nobody to tell. */
static void
what_is_no_request_is_not_answered(void **state)
{
	static const char *const nothing[] = {
		"7", "null", "'version'", "{}", "[]", "[0]", "{0: 1}",
		"[1, 1, null, {}]", "[2, 'service', []]",
		"[-1, 1, 'version', []]",
		"[18446744073709551615, 1, 'version', []]",
		"['0', 1, 'version', []]", "[null, 1, 'version', []]",
		"[false, 1, 'version', []]", "[[0], 1, 'version', []]",
		"[0, -1, 'version', []]", "[0, 4294967296, 'version', []]",
		"[0, 18446744073709551615, 'version', []]",
		"[0, '1', 'version', []]", "[0, null, 'version', []]",
		"[0, [1], 'version', []]", "[0, 'version']",
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(nothing) / sizeof(nothing[0]); i++)
		if (translate(nothing[i]) != TRANSLATE_NO_REQUEST)
			fail_msg("%s", nothing[i]);
}

static void
what_is_half_a_request_is_bad(void **state)
{
	static const char *const bad[] = {
		"[0, 4294967295]", "[0, 4294967295, 'version']",
		"[0, 4294967295, 'version', [], 1]",
		"[0, 4294967295, 'nonsense', []]",
		"[0, 4294967295, '', []]",
		"[0, 4294967295, 'versio', []]",
		"[0, 4294967295, 'versions', []]",
		"[0, 4294967295, 'VERSION', []]",
		"[0, 4294967295, b'version', []]",
		"[0, 4294967295, 1, []]",
		"[0, 4294967295, null, []]",
		"[0, 4294967295, ['version'], []]",
		"[0, 4294967295, 'version', {}]",
		"[0, 4294967295, 'version', null]",
		"[0, 4294967295, 'version', 'names']",
		"[0, 4294967295, 'version', [[]]]",
		"[0, 4294967295, 'version', [null]]",
		"[0, 4294967295, 'version', ['a']]",
		"[0, 4294967295, 'version', [{}, {}]]",
		"[0, 4294967295, 'status', [['a']]]",
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		if (translate(bad[i]) != TRANSLATE_BAD)
			fail_msg("%s", bad[i]);
		assert_int_equal(call.msgid, UINT32_MAX);
		assert_non_null(why);
	}
}

static void
integers_have_any_format(void **state)
{
	(void)state;
	assert_int_equal(translate("[#0, #4294967295, 'version', []]"),
	    TRANSLATE_OK);
	assert_int_equal(call.msgid, UINT32_MAX);
	assert_int_equal(translate("[0, 0, 'version', [{}]]"), TRANSLATE_OK);
	assert_int_equal(call.msgid, 0);
	msgpack_sbuffer_clear(&buffer);
	msgpack_pack_array(&packer, 4);
	msgpack_pack_fix_int8(&packer, 0);
	msgpack_pack_fix_int64(&packer, 5);
	pack("'version'");
	pack("[]");
	assert_int_equal(translate_buffer(), TRANSLATE_OK);
	assert_int_equal(call.msgid, 5);
}

/* --- responses ------------------------------------------------------------ */

static void
assert_number(const msgpack_object *map, const char *key, int64_t expected)
{
	int64_t number;

	if (!rpc_integer(rpc_find(map, key), INT64_MIN, INT64_MAX, &number))
		fail_msg("%s is no integer", key);
	if (number != expected)
		fail_msg("%s is %" PRId64, key, number);
}

static void
assert_text(const msgpack_object *map, const char *key, const char *expected)
{
	if (!rpc_is(rpc_find(map, key), expected))
		fail_msg("%s is not %s", key, expected);
}

static void
assert_flag(const msgpack_object *map, const char *key, bool expected)
{
	const msgpack_object *value = rpc_find(map, key);

	assert_non_null(value);
	assert_int_equal(value->type, MSGPACK_OBJECT_BOOLEAN);
	assert_int_equal(value->via.boolean, expected);
}

static void
assert_nil(const msgpack_object *map, const char *key)
{
	assert_non_null(rpc_find(map, key));
	assert_int_equal(rpc_find(map, key)->type, MSGPACK_OBJECT_NIL);
}

#define NOW	1000000

static const msgpack_object *
service_with(const struct state_slot *slot, const char *reason)
{
	const msgpack_object *map;

	msgpack_sbuffer_clear(&buffer);
	translate_service(&packer, slot, reason, NOW);
	map = unpack(&rpc_reply_limits);
	assert_int_equal(map->type, MSGPACK_OBJECT_MAP);
	return map;
}

static const msgpack_object *
service(const struct state_slot *slot)
{
	return service_with(slot, "");
}

static struct state_slot
slot_of(enum service_state state, enum service_want want, int32_t pid)
{
	struct state_slot slot = {
		.name = "web", .started_ms = NOW - 60000,
		.since_ms = NOW - 5000,
	};

	slot.state = (uint8_t)state;
	slot.want = (uint8_t)want;
	atomic_store(&slot.pid, pid);
	return slot;
}

static void
a_service_has_these_keys(void **state)
{
	static const char *const keys[] = {
		"name", "state", "want", "pid", "ready", "paused", "sent",
		"since_ms", "uptime_ms", "next_start_ms", "restarts", "exit",
		"error", "says",
	};
	struct state_slot slot = slot_of(SERVICE_UP, WANT_UP, 123);
	const msgpack_object *map = service(&slot);
	size_t i;

	(void)state;
	assert_int_equal(map->via.map.size, sizeof(keys) / sizeof(keys[0]));
	for (i = 0; i < map->via.map.size; i++)
		assert_true(rpc_is(&map->via.map.ptr[i].key, keys[i]));
}

static void
a_service_that_is_up(void **state)
{
	struct state_slot slot = slot_of(SERVICE_UP, WANT_UP, 123);
	const msgpack_object *map;

	(void)state;
	slot.restarts = UINT32_MAX;
	map = service(&slot);
	assert_text(map, "name", "web");
	assert_text(map, "state", "up");
	assert_text(map, "want", "up");
	assert_number(map, "pid", 123);
	assert_flag(map, "ready", true);
	assert_flag(map, "paused", false);
	assert_number(map, "sent", 0);
	assert_number(map, "since_ms", 5000);
	assert_number(map, "uptime_ms", 60000);
	assert_nil(map, "next_start_ms");
	assert_number(map, "restarts", UINT32_MAX);
	assert_nil(map, "exit");
	assert_nil(map, "error");
}

static void
a_service_that_is_down(void **state)
{
	struct state_slot slot = slot_of(SERVICE_DOWN, WANT_DOWN, 0);
	const msgpack_object *map;

	(void)state;
	slot.ends = 1;
	slot.exit_status = 3 << 8;
	map = service(&slot);
	assert_text(map, "state", "down");
	assert_text(map, "want", "down");
	assert_nil(map, "pid");
	assert_flag(map, "ready", false);
	assert_number(map, "uptime_ms", 0);
	assert_nil(map, "next_start_ms");
	assert_number(rpc_find(map, "exit"), "code", 3);
	assert_null(rpc_find(rpc_find(map, "exit"), "signal"));
}

static void
a_service_that_is_stopped_or_paused(void **state)
{
	struct state_slot slot = slot_of(SERVICE_STOPPING, WANT_DOWN, 123);
	const msgpack_object *map;

	(void)state;
	slot.sent = 15;
	slot.flags = SLOT_PAUSED | SLOT_REMOVED;
	map = service(&slot);
	assert_text(map, "state", "stopping");
	assert_flag(map, "ready", false);
	assert_flag(map, "paused", true);
	assert_number(map, "sent", 15);
	assert_number(map, "uptime_ms", 60000);
}

/* Then the pid is that of finish, and run is over. */
static void
a_service_that_finishes_does_not_run(void **state)
{
	struct state_slot slot = slot_of(SERVICE_FINISHING, WANT_ONCE, 124);
	const msgpack_object *map = service(&slot);

	(void)state;
	assert_text(map, "state", "finishing");
	assert_text(map, "want", "once");
	assert_number(map, "pid", 124);
	assert_number(map, "uptime_ms", 0);
}

static void
a_service_that_is_due(void **state)
{
	struct state_slot slot = slot_of(SERVICE_BACKOFF, WANT_UP, 0);

	(void)state;
	slot.deadline_ms = NOW + 700;
	assert_number(service(&slot), "next_start_ms", 700);
	/* It is late, because the supervisor is busy. */
	slot.deadline_ms = NOW - 1;
	assert_number(service(&slot), "next_start_ms", 0);
	slot.state = SERVICE_STARTING;
	assert_nil(service(&slot), "next_start_ms");
	/* A oneshot that is repeated; what runs has no such time. */
	slot.state = SERVICE_UP;
	slot.deadline_ms = NOW + 60000;
	assert_number(service(&slot), "next_start_ms", 60000);
	atomic_store(&slot.pid, 123);
	assert_nil(service(&slot), "next_start_ms");
	atomic_store(&slot.pid, 0);
	slot.deadline_ms = 0;
	assert_nil(service(&slot), "next_start_ms");
}

/* A oneshot that has ended well. */
static void
a_service_that_is_up_without_a_process(void **state)
{
	struct state_slot slot = slot_of(SERVICE_UP, WANT_UP, 0);
	const msgpack_object *map = service(&slot);

	(void)state;
	assert_text(map, "state", "up");
	assert_flag(map, "ready", true);
	assert_nil(map, "pid");
	assert_number(map, "uptime_ms", 0);
}

/* The clock was read before the slot was changed. */
static void
no_time_is_negative(void **state)
{
	struct state_slot slot = slot_of(SERVICE_UP, WANT_UP, 123);
	const msgpack_object *map;

	(void)state;
	slot.since_ms = slot.started_ms = NOW + 3;
	map = service(&slot);
	assert_number(map, "since_ms", 0);
	assert_number(map, "uptime_ms", 0);
}

/* The child has not said yet which one it is. */
static void
a_ticket_is_no_pid(void **state)
{
	struct state_slot slot = slot_of(SERVICE_STARTING, WANT_UP, -17);
	const msgpack_object *map = service(&slot);

	(void)state;
	assert_nil(map, "pid");
	assert_number(map, "uptime_ms", 0);
}

static void
an_end_is_a_code_or_a_signal(void **state)
{
	struct state_slot slot = slot_of(SERVICE_UP, WANT_UP, 123);
	const msgpack_object *end_of_run;

	(void)state;
	slot.ends = 1;
	slot.exit_status = 0;
	assert_number(rpc_find(service(&slot), "exit"), "code", 0);
	slot.exit_status = 255 << 8;
	assert_number(rpc_find(service(&slot), "exit"), "code", 255);
	slot.exit_status = 9;
	end_of_run = rpc_find(service(&slot), "exit");
	assert_number(end_of_run, "signal", 9);
	assert_null(rpc_find(end_of_run, "code"));
	/* With a core dump. */
	slot.exit_status = 0x80 | 11;
	assert_number(rpc_find(service(&slot), "exit"), "signal", 11);
	slot.ends = 0;
	assert_nil(service(&slot), "exit");
}

static void
a_start_that_failed_says_why(void **state)
{
	static const int errors[] = {
		EACCES, ENOENT, ENOEXEC, EAGAIN, ENOMEM, ELOOP, 4095,
	};
	struct state_slot slot = slot_of(SERVICE_BACKOFF, WANT_UP, 0);
	const msgpack_object *error;
	const char *bytes;
	size_t i, length;

	(void)state;
	/* The longest name there is has to fit in as well. */
	memset(slot.name, 'x', STATE_NAME_MAX);
	for (i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
		slot.error = errors[i];
		error = rpc_find(service(&slot), "error");
		assert_non_null(error);
		assert_int_equal(error->type, MSGPACK_OBJECT_STR);
		assert_true(rpc_bytes(error, &bytes, &length));
		assert_true(length > 0 && rpc_is_utf8(bytes, length));
		assert_null(memchr(bytes, '\n', length));
	}
	/* A text, even for a name that is none. */
	memset(slot.name, '\xff', STATE_NAME_MAX);
	for (i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
		slot.error = errors[i];
		error = rpc_find(service(&slot), "error");
		assert_true(rpc_bytes(error, &bytes, &length));
		assert_true(rpc_is_utf8(bytes, length));
	}
}

static void
a_reason_is_the_error(void **state)
{
	struct state_slot slot = slot_of(SERVICE_FAILED, WANT_UP, 0);
	const msgpack_object *map;

	(void)state;
	map = service_with(&slot, "not ready within 5 ms");
	assert_text(map, "state", "failed");
	assert_text(map, "error", "not ready within 5 ms");
	assert_nil(map, "says");
	/* It knows more than an errno does. */
	slot.error = EPERM;
	assert_text(service_with(&slot, "umask cannot be set"), "error",
	    "umask cannot be set");
	assert_true(rpc_find(service(&slot), "error")->type ==
	    MSGPACK_OBJECT_STR);
	/* Half of one, of a supervisor that was stopped there. */
	map = service_with(&slot, "caf\xc3");
	assert_int_equal(rpc_find(map, "error")->type, MSGPACK_OBJECT_BIN);
}

static void
what_a_service_says_is_no_error(void **state)
{
	struct state_slot slot = slot_of(SERVICE_UP, WANT_UP, 123);
	const msgpack_object *map;

	(void)state;
	slot.flags = SLOT_SAYS;
	map = service_with(&slot, "3 connections");
	assert_text(map, "says", "3 connections");
	assert_nil(map, "error");
	slot.error = ENOENT;
	assert_true(rpc_find(service_with(&slot, "x"), "error")->type ==
	    MSGPACK_OBJECT_STR);
	slot.error = 0;
	map = service(&slot);
	assert_nil(map, "says");
	assert_nil(map, "error");
}

static void
names_that_are_no_utf8_are_bin(void **state)
{
	static const struct {
		const char	*name;
		bool		is_text;
	} names[] = {
		{ "web", true }, { "sch\xc3\xb6n", true },
		{ "\xf0\x9f\x90\xb3", true }, { "a\n\033[2J", true },
		{ HUNDRED "012", true }, { "sch\xf6n", false },
		{ "\xff\xfe", false }, { "\xed\xa0\x80", false },
		{ "\xc0\xaf", false }, { HUNDRED "01\xe2", false },
	};
	struct state_slot slot = slot_of(SERVICE_UP, WANT_UP, 123);
	const msgpack_object *name;
	const char *bytes;
	size_t i, length;

	(void)state;
	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		strcpy(slot.name, names[i].name);
		name = rpc_find(service(&slot), "name");
		assert_non_null(name);
		assert_int_equal(name->type, names[i].is_text ?
		    MSGPACK_OBJECT_STR : MSGPACK_OBJECT_BIN);
		assert_true(rpc_bytes(name, &bytes, &length));
		assert_int_equal(length, strlen(names[i].name));
		assert_memory_equal(bytes, names[i].name, length);
	}
}

static void
every_state_and_want_has_its_word(void **state)
{
	struct state_slot slot;
	int i, want;

	(void)state;
	for (i = SERVICE_DOWN; i < SERVICE_STATES; i++)
		for (want = WANT_DOWN; want < SERVICE_WANTS; want++) {
			slot = slot_of((enum service_state)i,
			    (enum service_want)want, 0);
			assert_text(service(&slot), "state",
			    service_state_names[i]);
			assert_text(&unpacked.data, "want",
			    service_want_names[want]);
			assert_flag(&unpacked.data, "ready", i == SERVICE_UP);
		}
}

/* [1, msgid, error, result]; returns the elements. */
static const msgpack_object *
response(uint32_t msgid)
{
	const msgpack_object *message = unpack(&rpc_reply_limits);
	int64_t number;

	assert_int_equal(message->type, MSGPACK_OBJECT_ARRAY);
	assert_int_equal(message->via.array.size, 4);
	assert_true(rpc_integer(&message->via.array.ptr[0], 1, 1, &number));
	assert_true(rpc_integer(&message->via.array.ptr[1], msgid, msgid,
	    &number));
	return message->via.array.ptr;
}

static void
an_error_is_a_code_and_a_message(void **state)
{
	const msgpack_object *elements;
	int i;

	(void)state;
	for (i = RPC_BAD_REQUEST; i < RPC_ERRORS; i++) {
		msgpack_sbuffer_clear(&buffer);
		translate_error(&packer, UINT32_MAX, (enum rpc_error)i,
		    "nobody knows");
		elements = response(UINT32_MAX);
		assert_text(&elements[2], "code", rpc_errors[i]);
		assert_text(&elements[2], "message", "nobody knows");
		assert_int_equal(elements[3].type, MSGPACK_OBJECT_NIL);
	}
}

static void
a_result_has_no_error(void **state)
{
	const msgpack_object *elements;

	(void)state;
	translate_result(&packer, 0);
	pack("{'changed': true}");
	elements = response(0);
	assert_int_equal(elements[2].type, MSGPACK_OBJECT_NIL);
	assert_flag(&elements[3], "changed", true);
}

static void
outcome(const struct outcome *what)
{
	msgpack_sbuffer_clear(&buffer);
	translate_outcome(&packer, what);
}

static void
an_outcome_is_good_or_has_an_error(void **state)
{
	const msgpack_object *map;

	(void)state;
	outcome(&(struct outcome){ .name = "web", .pid = 123 });
	map = unpack(&rpc_reply_limits);
	assert_text(map, "name", "web");
	assert_flag(map, "ok", true);
	assert_number(map, "pid", 123);
	assert_null(rpc_find(map, "error"));
	assert_int_equal(map->via.map.size, 3);

	outcome(&(struct outcome){ .name = "web" });
	map = unpack(&rpc_reply_limits);
	assert_flag(map, "ok", true);
	assert_int_equal(map->via.map.size, 2);

	outcome(&(struct outcome){ .name = "\xff", .error = RPC_NOT_UP,
	    .message = "it is down" });
	map = unpack(&rpc_reply_limits);
	assert_int_equal(rpc_find(map, "name")->type, MSGPACK_OBJECT_BIN);
	assert_flag(map, "ok", false);
	assert_text(rpc_find(map, "error"), "code", "not_up");
	assert_text(rpc_find(map, "error"), "message", "it is down");
	assert_int_equal(map->via.map.size, 3);

	outcome(&(struct outcome){ .name = "web", .pid = 123,
	    .error = RPC_TIMEOUT, .message = "late" });
	map = unpack(&rpc_reply_limits);
	assert_int_equal(map->via.map.size, 4);
	assert_text(rpc_find(map, "error"), "code", "timeout");
	/* A message may have been cut by a supervisor that was killed. */
	outcome(&(struct outcome){ .name = "web", .error = RPC_FAILED,
	    .message = "caf\xc3" });
	map = rpc_find(unpack(&rpc_reply_limits), "error");
	assert_int_equal(rpc_find(map, "message")->type, MSGPACK_OBJECT_BIN);
}

static void
an_outcome_may_have_an_exit(void **state)
{
	int32_t status = 3 << 8;
	const msgpack_object *map;

	(void)state;
	outcome(&(struct outcome){ .name = "web", .exit_status = &status });
	map = unpack(&rpc_reply_limits);
	assert_int_equal(map->via.map.size, 3);
	assert_number(rpc_find(map, "exit"), "code", 3);
	status = 9;
	outcome(&(struct outcome){ .name = "web", .exit_status = &status });
	map = unpack(&rpc_reply_limits);
	assert_number(rpc_find(map, "exit"), "signal", 9);
}

#define test(f)	cmocka_unit_test_setup_teardown(f, begin, end)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		test(what_is_not_given_has_its_default),
		test(all_that_is_given_is_taken),
		test(each_method_takes_its_parameters),
		test(parameters_are_known_and_given_once),
		test(names_are_str_or_bin),
		test(names_have_1_to_103_bytes),
		test(names_have_no_nul),
		test(what_a_name_does_not_need_is_zero),
		test(there_are_1024_names_at_most),
		test(wait_is_a_boolean),
		test(timeout_is_0_to_an_hour),
		test(exit_code_is_0_to_255),
		test(signals_are_numbers_or_names),
		test(wait_is_for_one_of_three),
		test(what_is_no_request_is_not_answered),
		test(what_is_half_a_request_is_bad),
		test(integers_have_any_format),
		test(a_service_has_these_keys),
		test(a_service_that_is_up),
		test(a_service_that_is_down),
		test(a_service_that_is_stopped_or_paused),
		test(a_service_that_finishes_does_not_run),
		test(a_service_that_is_due),
		test(a_service_that_is_up_without_a_process),
		test(no_time_is_negative),
		test(a_ticket_is_no_pid),
		test(an_end_is_a_code_or_a_signal),
		test(a_start_that_failed_says_why),
		test(a_reason_is_the_error),
		test(what_a_service_says_is_no_error),
		test(names_that_are_no_utf8_are_bin),
		test(every_state_and_want_has_its_word),
		test(an_error_is_a_code_and_a_message),
		test(a_result_has_no_error),
		test(an_outcome_is_good_or_has_an_error),
		test(an_outcome_may_have_an_exit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
