/*
 * The method wait: answered from the state table alone.  The supervisor is asked for
 * nothing, and need not be there.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "supervisor/gate/gate.h"

/* Nobody has been asked for anything: it waits from the beginning. */
void
wait_begin(struct operation *operation)
{
	struct target *target;
	struct state_slot slot;
	unsigned i;

	operation->next = operation->count;
	for (i = 0; i < operation->count; i++) {
		target = &operation->targets[i];
		if (target->stage == STAGE_SETTLED)
			continue;
		target->stage = STAGE_WAITING;
		if (target->slot != NO_SLOT &&
		    view_slot(target->slot, &slot, NULL))
			target->ends = slot.ends;
	}
}

/* It may have become a service by now: services come with the end of the boot. */
static bool
find(struct target *target)
{
	struct state_slot slot;
	unsigned i;

	for (i = 0; i < view_slots(); i++)
		if (view_slot(i, &slot, NULL) &&
		    strcmp(slot.name, target->name) == 0) {
			target->slot = i;
			return true;
		}
	return false;
}

static void
look_for_ready(struct client *client, struct target *target,
    const struct state_slot *slot, const char *reason)
{
	char text[128];

	if (slot->state == SERVICE_UP) {
		outcome_settle(client, target, RPC_OK, slot->pid);
	} else if (slot->state == SERVICE_FAILED ||
	    outcome_is_held(slot, reason)) {
		outcome_fail(client, target, slot, reason);
	} else if (slot->state == SERVICE_DOWN && slot->want == WANT_DOWN) {
		snprintf(text, sizeof(text), "it is down, and is not going to "
		    "be started (initctl start)");
		target->reason = strdup(text);
		outcome_settle(client, target, RPC_FAILED, 0);
	}
}

/* Is there no end of run to wait for? */
static bool
runs_no_more(const struct state_slot *slot)
{
	return slot->state == SERVICE_FAILED ||
	    (slot->state == SERVICE_DOWN && slot->want == WANT_DOWN) ||
	    (slot->state == SERVICE_UP && slot->pid == 0 &&
	    slot->deadline_ms == 0);
}

static void
look_for_exit(struct client *client, struct target *target,
    const struct state_slot *slot)
{
	if (slot->ends == target->ends && !runs_no_more(slot))
		return;
	target->ended = slot->ends > 0;
	target->exit_status = slot->exit_status;
	outcome_settle(client, target, RPC_OK, 0);
}

/* Does the table show what is waited for, or that it will not come? */
void
wait_look(struct client *client, struct target *target)
{
	enum rpc_for wait_for = client->operation->wait_for;
	char reason[STATE_REASON_MAX + 1];
	struct state_slot slot;

	if (target->slot == NO_SLOT && !find(target)) {
		if (view_header()->phase > PHASE_RUNNING)
			outcome_settle(client, target, RPC_UNKNOWN_SERVICE, 0);
		return;
	}
	if (!view_slot(target->slot, &slot, reason) ||
	    strcmp(slot.name, target->name) != 0) {
		outcome_settle(client, target, wait_for == RPC_FOR_READY ?
		    RPC_UNKNOWN_SERVICE : RPC_OK, 0);
		return;
	}
	switch (wait_for) {
	case RPC_FOR_READY:
		look_for_ready(client, target, &slot, reason);
		break;
	case RPC_FOR_DOWN:
		if (slot.state == SERVICE_DOWN || slot.state == SERVICE_FAILED)
			outcome_settle(client, target, RPC_OK, 0);
		break;
	case RPC_FOR_EXIT:
		look_for_exit(client, target, &slot);
		break;
	}
}
