/* The state table: what a supervisor finds that was not the first. */
#include <sys/mman.h>
#include <sys/wait.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "supervisor.h"
#include "tests/unit/fake_log.h"

/* A new memfd at the descriptor that my_init would have put it. */
static int
new_table(void **state)
{
	int fd = memfd_create("table", 0);

	(void)state;
	said_nothing();
	assert_int_not_equal(dup2(fd, INIT_TABLE_FD), -1);
	if (fd != INIT_TABLE_FD)
		close(fd);
	return 0;
}

static int
drop_table(void **state)
{
	(void)state;
	munmap(table, sizeof(*table));
	close(INIT_TABLE_FD);
	return 0;
}

/* As the next supervisor does it. */
static bool
open_again(void)
{
	munmap(table, sizeof(*table));
	return table_open();
}

/* Opens the table in a child and returns its exit code. */
static int
code_of_opening(void)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		open_again();
		_exit(0);
	}
	waitpid(pid, &status, 0);
	return WEXITSTATUS(status);
}

static void
first_supervisor_finds_an_empty_table(void **state)
{
	(void)state;
	assert_false(table_open());
	assert_int_equal(table->header.phase, PHASE_ENVIRONMENT);
	assert_int_equal(table->header.slots_used, 0);
	assert_int_equal(table->header.supervisor_restarts, 0);
	assert_int_equal(table->header.supervisor_pid, getpid());
}

static void
second_supervisor_finds_what_the_first_wrote(void **state)
{
	(void)state;
	table_open();
	table->header.phase = PHASE_RUNNING;
	table->header.slots_used = 1;
	strcpy(table->slots[0].name, "sshd");
	table->slots[0].state = SERVICE_UP;
	table->slots[0].want = WANT_UP;
	atomic_store(&table->slots[0].pid, 17);
	assert_true(open_again());
	assert_int_equal(table->header.phase, PHASE_RUNNING);
	assert_string_equal(table->slots[0].name, "sshd");
	assert_int_equal(atomic_load(&table->slots[0].pid), 17);
	assert_int_equal(table->header.supervisor_restarts, 1);
}

static void
what_my_init_wrote_is_kept(void **state)
{
	const struct init_given given = { 0x1234, 0x5678 };

	(void)state;
	assert_int_equal(pwrite(INIT_TABLE_FD, &given, sizeof(given), 0),
	    sizeof(given));
	table_open();
	assert_int_equal(table->header.given.signals_blocked, 0x1234);
	assert_int_equal(table->header.given.signals_ignored, 0x5678);
}

static void
damaged_table_is_refused(void **state)
{
	(void)state;
	table_open();
	table->header.slots_used = 1;
	strcpy(table->slots[0].name, "sshd");
	table->slots[0].state = SERVICE_UP;
	table->slots[0].want = WANT_UP;
	assert_int_equal(code_of_opening(), 0);

	table->slots[0].state = SERVICE_STATES;
	assert_int_equal(code_of_opening(), INIT_EXIT_BROKEN);
	table->slots[0].state = SERVICE_UP;

	table->slots[0].want = 9;
	assert_int_equal(code_of_opening(), INIT_EXIT_BROKEN);
	table->slots[0].want = WANT_UP;

	strcpy(table->slots[0].name, "../sshd");
	assert_int_equal(code_of_opening(), INIT_EXIT_BROKEN);
	memset(table->slots[0].name, 'x', sizeof(table->slots[0].name));
	assert_int_equal(code_of_opening(), INIT_EXIT_BROKEN);
	strcpy(table->slots[0].name, "sshd");

	table->header.slots_used = STATE_SLOTS + 1;
	assert_int_equal(code_of_opening(), INIT_EXIT_BROKEN);
	table->header.slots_used = 1;

	table->header.phase = PHASES;
	assert_int_equal(code_of_opening(), INIT_EXIT_BROKEN);
	table->header.phase = PHASE_RUNNING;

	table->header.version = STATE_VERSION + 1;
	assert_int_equal(code_of_opening(), INIT_EXIT_BROKEN);
	table->header.version = STATE_VERSION;
	assert_int_equal(code_of_opening(), 0);
}

static void
tickets_are_never_used_twice(void **state)
{
	int32_t first, second;

	(void)state;
	table_open();
	first = table_ticket();
	assert_true(first < 0);
	open_again();
	second = table_ticket();
	assert_true(second < 0);
	assert_int_not_equal(first, second);
}

static void
only_a_ticket_is_taken_back(void **state)
{
	_Atomic int32_t pid = -5;

	(void)state;
	assert_true(table_recover_pid(&pid));
	assert_int_equal(atomic_load(&pid), 0);
	assert_false(table_recover_pid(&pid));
	atomic_store(&pid, 42);
	assert_false(table_recover_pid(&pid));
	assert_int_equal(atomic_load(&pid), 42);
}

static void
sequence_is_odd_during_a_change(void **state)
{
	_Atomic uint32_t sequence = 0;
	uint32_t before;

	(void)state;
	before = atomic_load(&sequence);
	table_change(&sequence);
	assert_int_equal(atomic_load(&sequence) & 1, 1);
	table_changed(&sequence);
	assert_int_equal(atomic_load(&sequence) & 1, 0);
	assert_int_not_equal(atomic_load(&sequence), before);

	/* Left odd by a supervisor that was killed: the next change mends it. */
	table_change(&sequence);
	table_change(&sequence);
	table_changed(&sequence);
	assert_int_equal(atomic_load(&sequence) & 1, 0);
}

static void
every_state_has_a_name(void **state)
{
	int i;

	(void)state;
	for (i = SERVICE_DOWN; i < SERVICE_STATES; i++)
		assert_non_null(service_state_names[i]);
	for (i = PHASE_ENVIRONMENT; i < PHASES; i++)
		assert_non_null(phase_names[i]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
		    first_supervisor_finds_an_empty_table, new_table,
		    drop_table),
		cmocka_unit_test_setup_teardown(
		    second_supervisor_finds_what_the_first_wrote, new_table,
		    drop_table),
		cmocka_unit_test_setup_teardown(what_my_init_wrote_is_kept,
		    new_table, drop_table),
		cmocka_unit_test_setup_teardown(damaged_table_is_refused,
		    new_table, drop_table),
		cmocka_unit_test_setup_teardown(tickets_are_never_used_twice,
		    new_table, drop_table),
		cmocka_unit_test(only_a_ticket_is_taken_back),
		cmocka_unit_test(sequence_is_odd_during_a_change),
		cmocka_unit_test(every_state_has_a_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
