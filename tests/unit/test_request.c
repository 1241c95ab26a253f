/* Requests as clients may send them, and what translate.c makes of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "supervisor/gate/translate.h"
#include "tests/unit/message.h"

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
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
