/* The state table, as it is read by somebody who must not wait for its writer. */
#include <sys/mman.h>

#include <fnmatch.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "supervisor/gate/gate.h"

/*
 * The supervisor changes a slot within a microsecond.  One that stays changed
 * halfway is that of a supervisor that was stopped there (it is then as it was
 * written so far), or killed: the next one mends it.
 */
#define READ_TRIES	1000

static const struct state_table *table;

/* Maps the table and forgets its descriptor.  Ends the gate if there is none. */
void
view_open(void)
{
	table = mmap(NULL, sizeof(*table), PROT_READ, MAP_SHARED, GATE_TABLE_FD,
	    0);
	if (table == MAP_FAILED || table->header.magic != STATE_MAGIC ||
	    table->header.version != STATE_VERSION)
		_exit(1);
	close(GATE_TABLE_FD);
}

const struct state_header *
view_header(void)
{
	return &table->header;
}

unsigned
view_slots(void)
{
	unsigned used = *(const volatile uint32_t *)&table->header.slots_used;

	return used <= STATE_SLOTS ? used : STATE_SLOTS;
}

/* The reason that a slot has, or "". */
static void
copy_reason(const struct state_slot *slot, char reason[STATE_REASON_MAX + 1])
{
	if (slot->reason != 0)
		memcpy(reason, table->reasons[slot->reason - 1],
		    STATE_REASON_MAX);
	reason[slot->reason != 0 ? STATE_REASON_MAX : 0] = '\0';
}

/*
 * Copies slot i as it was at one moment and, unless that is NULL, its reason, which
 * may be "".  False: there is no service in it.
 */
bool
view_slot(unsigned i, struct state_slot *copy, char reason[STATE_REASON_MAX + 1])
{
	const struct state_slot *slot;
	uint32_t before, after;
	unsigned tries;

	if (i >= STATE_SLOTS)
		return false;
	slot = &table->slots[i];
	if (*(const volatile char *)slot->name == '\0')
		return false;
	for (tries = 0; tries < READ_TRIES; tries++) {
		before = atomic_load_explicit(&slot->sequence,
		    memory_order_acquire);
		memcpy(copy, slot, sizeof(*copy));
		if (reason != NULL)
			copy_reason(copy, reason);
		atomic_thread_fence(memory_order_acquire);
		after = atomic_load_explicit(&slot->sequence,
		    memory_order_relaxed);
		if (before == after && (before & 1) == 0)
			break;
		sched_yield();
	}
	copy->name[STATE_NAME_MAX] = '\0';
	return copy->name[0] != '\0' && copy->state > 0 &&
	    copy->state < SERVICE_STATES && copy->want > 0 &&
	    copy->want < SERVICE_WANTS;
}

static bool
is_pattern(const char *name)
{
	return strpbrk(name, "*?[") != NULL;
}

/*
 * Does a name, which may be a pattern, mean the service called this?  A pattern that
 * has no slash means no logger, which is called web/log.
 */
bool
view_means(const char *name, const char *service)
{
	return strcmp(name, service) == 0 ||
	    fnmatch(name, service, FNM_PATHNAME) == 0;
}

/*
 * Sets chosen[slot] for every service that a call names (for all, if it names
 * none) and unknown[i] for a name that means nothing; returns how many are
 * chosen.  A pattern that is a service's very name means that one alone.
 */
unsigned
view_choose(const struct call *call, uint8_t chosen[STATE_SLOTS],
    uint8_t unknown[RPC_NAMES_MAX])
{
	unsigned i, count = 0, slots = view_slots();
	struct state_slot slot;
	uint32_t n;
	int pass;

	memset(chosen, call->has_names ? 0 : 1, STATE_SLOTS);
	for (n = 0; call->has_names && n < call->names; n++) {
		unknown[n] = 1;
		for (pass = 0; pass <= is_pattern(call->name[n]) && unknown[n];
		    pass++)
			for (i = 0; i < slots; i++)
				if (view_slot(i, &slot, NULL) && (pass == 0 ?
				    strcmp(call->name[n], slot.name) == 0 :
				    view_means(call->name[n], slot.name)))
					chosen[i] = 1, unknown[n] = 0;
	}
	for (i = 0; i < STATE_SLOTS; i++) {
		chosen[i] = chosen[i] && i < slots &&
		    view_slot(i, &slot, NULL);
		count += chosen[i];
	}
	return count;
}

static struct state_slot slots[STATE_SLOTS];	/* of a reply */
static const char *reasons[STATE_SLOTS];	/* theirs */
static uint16_t order[STATE_SLOTS];		/* of their names */

/* A logger comes after its service, before all others. */
int
view_compare(const char *a, const char *b)
{
	while (*a == *b && *a != '\0')
		a++, b++;
	if (*a == '/' || *b == '/')
		return *a == '\0' || (*a == '/' && *b != '\0') ? -1 : 1;
	return (unsigned char)*a - (unsigned char)*b;
}

static int
by_name(const void *a, const void *b)
{
	return view_compare(slots[*(const uint16_t *)a].name,
	    slots[*(const uint16_t *)b].name);
}

/* Puts slots in order.  That of the last time is mostly that of this one. */
static void
sort(unsigned count)
{
	static unsigned last;
	unsigned i;

	for (i = 1; i < count && count == last &&
	    by_name(&order[i - 1], &order[i]) <= 0; i++)
		continue;
	if (i >= count && count == last)
		return;
	for (i = 0; i < count; i++)
		order[i] = (uint16_t)i;
	qsort(order, count, sizeof(order[0]), by_name);
	last = count;
}

/*
 * Copies the slots that are chosen; returns how many.  There can be as many reasons
 * as in the table, or some more while they change: these are not told then.
 */
static unsigned
collect(const uint8_t chosen[STATE_SLOTS])
{
	static char texts[STATE_REASONS + 1][STATE_REASON_MAX + 1];
	unsigned i, count = 0, told = 0;

	for (i = 0; i < STATE_SLOTS; i++) {
		if (!chosen[i] || !view_slot(i, &slots[count], texts[told]))
			continue;
		reasons[count] = "";
		if (texts[told][0] != '\0' && told < STATE_REASONS)
			reasons[count] = texts[told++];
		count++;
	}
	return count;
}

/* The path of the script that runs, or NULL; until the next call. */
static const char *
script_now(void)
{
	static char path[STATE_PATH_MAX + 1];
	const struct state_header *header = &table->header;
	uint32_t stage, again;
	unsigned tries;

	for (tries = 0; tries < READ_TRIES; tries++) {
		stage = atomic_load(&header->script_stage);
		memcpy(path, header->script_path[SCRIPT_INDEX(stage)],
		    sizeof(path));
		atomic_thread_fence(memory_order_acquire);
		again = atomic_load(&header->script_stage);
		if (stage == again)
			break;
	}
	path[STATE_PATH_MAX] = '\0';
	return stage & SCRIPT_UNDER_WAY ? path : NULL;
}

static const char *
phase_now(void)
{
	unsigned phase = *(const volatile uint32_t *)&table->header.phase;

	return phase > 0 && phase < PHASES ? phase_names[phase] : "unknown";
}

/* Answers a status request: what the table says now. */
void
view_status(struct client *client, const struct call *call)
{
	static uint8_t chosen[STATE_SLOTS], unknown[RPC_NAMES_MAX];
	const char *script = script_now();
	unsigned i, count, unknowns = 0;
	msgpack_packer *packer;
	int64_t now = now_ms();

	view_choose(call, chosen, unknown);
	count = collect(chosen);
	sort(count);
	for (i = 0; call->has_names && i < call->names; i++)
		unknowns += unknown[i];

	packer = reply_begin();
	translate_result(packer, call->msgid);
	msgpack_pack_map(packer, 6);
	translate_text(packer, "phase");
	translate_text(packer, phase_now());
	translate_text(packer, "script");
	if (script == NULL)
		msgpack_pack_nil(packer);
	else
		translate_name(packer, script);
	translate_text(packer, "supervisor_pid");
	msgpack_pack_int(packer, table->header.supervisor_pid);
	translate_text(packer, "supervisor_restarts");
	msgpack_pack_uint32(packer, table->header.supervisor_restarts);
	translate_text(packer, "services");
	msgpack_pack_array(packer, count);
	for (i = 0; i < count; i++)
		translate_service(packer, &slots[order[i]], reasons[order[i]],
		    now);
	translate_text(packer, "unknown");
	msgpack_pack_array(packer, unknowns);
	for (i = 0; call->has_names && i < call->names; i++)
		if (unknown[i])
			translate_name(packer, call->name[i]);
	reply_send(client);
}
