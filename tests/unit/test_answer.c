/* What translate.c makes for clients: services, outcomes, errors. */
#include <errno.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "supervisor/gate/translate.h"
#include "tests/unit/message.h"

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
