/* The state table, as the gate reads it. */
#include <sys/mman.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "supervisor/gate/gate.h"

static struct state_table *table;
static struct call call;
static uint8_t chosen[STATE_SLOTS], unknown[RPC_NAMES_MAX];

/* --- what view.c asks others for ----------------------------------------------- */

int64_t
now_ms(void)
{
	return 1000000;
}

msgpack_packer *
reply_begin(void)
{
	return NULL;
}

void
reply_send(struct client *client)
{
	(void)client;
}

/* --- a table -------------------------------------------------------------------- */

static int
begin(void **state)
{
	int fd = memfd_create("table", 0);

	(void)state;
	if (fd == -1 || ftruncate(fd, sizeof(*table)) == -1)
		return -1;
	table = mmap(NULL, sizeof(*table), PROT_READ | PROT_WRITE, MAP_SHARED,
	    fd, 0);
	if (table == MAP_FAILED || dup2(fd, GATE_TABLE_FD) == -1)
		return -1;
	if (fd != GATE_TABLE_FD)
		close(fd);
	table->header.magic = STATE_MAGIC;
	table->header.version = STATE_VERSION;
	view_open();
	return 0;
}

static void
put(const char *name)
{
	struct state_slot *slot = &table->slots[table->header.slots_used++];

	strcpy(slot->name, name);
	slot->state = SERVICE_UP;
	slot->want = WANT_UP;
}

static int
empty(void **state)
{
	(void)state;
	memset(table->slots, 0, sizeof(table->slots));
	memset(table->reasons, 0, sizeof(table->reasons));
	table->header.slots_used = 0;
	return 0;
}

/* Which services a name means, from the first on: "+-+"; "?": none. */
static const char *
meant_by(const char *name)
{
	static char said[16];
	unsigned i;

	call.has_names = true;
	call.names = 1;
	strcpy(call.name[0], name);
	if (view_choose(&call, chosen, unknown) == 0)
		return unknown[0] ? "?" : "";
	for (i = 0; i < table->header.slots_used; i++)
		said[i] = chosen[i] ? '+' : '-';
	said[i] = '\0';
	return said;
}

static void
a_pattern_does_not_match_a_slash(void **state)
{
	(void)state;
	put("web");
	put("web/log");
	put("webmail");
	assert_string_equal(meant_by("web"), "+--");
	assert_string_equal(meant_by("web/log"), "-+-");
	assert_string_equal(meant_by("*"), "+-+");
	assert_string_equal(meant_by("web*"), "+-+");
	assert_string_equal(meant_by("web?log"), "?");
	assert_string_equal(meant_by("web[/]log"), "?");
	assert_string_equal(meant_by("*/log"), "-+-");
	assert_string_equal(meant_by("log"), "?");
	/* All, if none is named. */
	call.has_names = false;
	assert_int_equal(view_choose(&call, chosen, unknown), 3);
}

static void
a_logger_comes_after_its_service(void **state)
{
	(void)state;
	assert_true(view_compare("web", "web/log") < 0);
	assert_true(view_compare("web/log", "web") > 0);
	assert_true(view_compare("web/log", "web-2") < 0);
	assert_true(view_compare("web-2", "web/log") > 0);
	assert_true(view_compare("web/log", "web\001") < 0);
	assert_true(view_compare("web", "webmail") < 0);
	assert_true(view_compare("a", "\xff") < 0);
	assert_int_equal(view_compare("web/log", "web/log"), 0);
}

static void
a_slot_has_its_reason(void **state)
{
	char reason[STATE_REASON_MAX + 1];
	struct state_slot slot;

	(void)state;
	put("a");
	put("b");
	put("c");
	strcpy(table->reasons[0], "of c");
	memset(table->reasons[STATE_REASONS - 1], 'x', STATE_REASON_MAX + 1);
	table->slots[1].reason = STATE_REASONS;
	table->slots[2].reason = 1;
	assert_true(view_slot(0, &slot, reason));
	assert_string_equal(reason, "");
	/* Without its end, it is cut. */
	assert_true(view_slot(1, &slot, reason));
	assert_int_equal(strlen(reason), STATE_REASON_MAX);
	assert_true(view_slot(2, &slot, reason));
	assert_string_equal(reason, "of c");
	assert_true(view_slot(2, &slot, NULL));
	assert_string_equal(slot.name, "c");
}

static void
where_no_service_is(void **state)
{
	char reason[STATE_REASON_MAX + 1];
	struct state_slot slot;

	(void)state;
	put("a");
	assert_false(view_slot(1, &slot, reason));
	assert_false(view_slot(STATE_SLOTS, &slot, reason));
	assert_false(view_slot(UINT32_MAX, &slot, reason));
	table->slots[0].state = SERVICE_STATES;
	assert_false(view_slot(0, &slot, reason));
}

#define test(f)	cmocka_unit_test_setup(f, empty)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		test(a_pattern_does_not_match_a_slash),
		test(a_logger_comes_after_its_service),
		test(a_slot_has_its_reason),
		test(where_no_service_is),
	};

	return cmocka_run_group_tests(tests, begin, NULL);
}
