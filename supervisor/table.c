/* The state table: mapped, checked, and changed so that a crash does no harm. */
#include <sys/mman.h>
#include <sys/stat.h>

#include <string.h>
#include <unistd.h>

#include "supervisor.h"

struct state_table *table;

_Static_assert(STATE_REASONS == UINT8_MAX, "a slot's reason is one, or 0");

/* A service's directory, or that of its logger. */
static bool
name_is_sound(const char *name)
{
	const char *slash = strchr(name, '/');

	return name[0] != '.' && name[0] != '/' &&
	    (slash == NULL || strcmp(slash, "/log") == 0);
}

static bool
slot_is_sound(const struct state_slot *slot)
{
	if (memchr(slot->name, '\0', sizeof(slot->name)) == NULL)
		return false;
	if (slot->name[0] == '\0')
		return true;
	return slot->state >= SERVICE_DOWN && slot->state < SERVICE_STATES &&
	    slot->want >= WANT_DOWN && slot->want < SERVICE_WANTS &&
	    name_is_sound(slot->name);
}

static bool
is_sound(void)
{
	const struct state_header *header = &table->header;
	uint32_t i;

	if (header->version != STATE_VERSION || header->phase == 0 ||
	    header->phase >= PHASES || header->slots_used > STATE_SLOTS)
		return false;
	for (i = 0; i < 2; i++)
		if (memchr(header->script_path[i], '\0',
		    sizeof(header->script_path[i])) == NULL)
			return false;
	for (i = 0; i < STATE_REASONS; i++)
		if (table->reasons[i][STATE_REASON_MAX] != '\0')
			return false;
	for (i = 0; i < header->slots_used; i++)
		if (!slot_is_sound(&table->slots[i]))
			return false;
	return true;
}

/*
 * Maps the table.  True if it is that of a supervisor before us; a new one is
 * initialised.  A table that makes no sense ends the supervisor without a word to
 * my_init, which starts afresh after a few of those.
 */
bool
table_open(void)
{
	struct state_header *header;

	if (ftruncate(INIT_TABLE_FD, sizeof(*table)) == -1) {
		log_warn("Cannot size the state table; is the supervisor "
		    "started by my_init?");
		_exit(INIT_EXIT_BROKEN);
	}
	table = mmap(NULL, sizeof(*table), PROT_READ | PROT_WRITE, MAP_SHARED,
	    INIT_TABLE_FD, 0);
	if (table == MAP_FAILED) {
		log_warn("Cannot map the state table");
		_exit(INIT_EXIT_BROKEN);
	}
	header = &table->header;
	if (header->magic == STATE_MAGIC) {
		if (!is_sound()) {
			log_warn("The state table is damaged");
			_exit(INIT_EXIT_BROKEN);
		}
		header->supervisor_restarts++;
		header->supervisor_pid = getpid();
		return true;
	}
	header->version = STATE_VERSION;
	header->phase = PHASE_ENVIRONMENT;
	header->supervisor_pid = getpid();
	atomic_signal_fence(memory_order_seq_cst);
	header->magic = STATE_MAGIC;
	return false;
}

/* A number that stands for a process which has not begun (proto/state.h). */
int32_t
table_ticket(void)
{
	return -(int32_t)(++table->header.tickets & INT32_MAX);
}

/*
 * Takes a ticket back that the supervisor before us put there.  True if it was
 * there: the process has not begun, and never will.
 */
bool
table_recover_pid(_Atomic int32_t *pid)
{
	int32_t found = atomic_load(pid);

	return found < 0 && atomic_compare_exchange_strong(pid, &found, 0);
}

/* Around every change: a reader that sees an odd or another number reads anew. */
void
table_change(_Atomic uint32_t *sequence)
{
	atomic_fetch_or(sequence, 1);
	/* Not to be seen after what changes (needed where stores are not). */
	atomic_thread_fence(memory_order_release);
}

void
table_changed(_Atomic uint32_t *sequence)
{
	atomic_fetch_add(sequence, 1);
}
