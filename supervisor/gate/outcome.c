/* What came of an operation, as the state table shows it, and the reply. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "supervisor/gate/gate.h"

#define BY_STATUS		0x10000	/* in detail: a wait status, no errno */

static const char *
explain_key(int32_t detail)
{
	if (detail & BY_STATUS)
		return "/usr/sbin/enable_insecure_key has failed (the "
		    "container's output says why)";
	return "/usr/sbin/enable_insecure_key cannot be executed (is SSH part "
	    "of this image?)";
}

/* Why it did not come about; until the next call. */
static const char *
explain(enum rpc_method method, const struct target *target)
{
	static char text[160];
	int signal = target->detail & 0x7f;

	switch ((enum rpc_error)target->error) {
	case RPC_UNKNOWN_SERVICE:
		return "no service has that name";
	case RPC_BOOTING:
		return "services are not started yet: startup scripts run";
	case RPC_SHUTTING_DOWN:
		return "the container is stopping, and nothing is started "
		    "any more";
	case RPC_SUPERSEDED:
		return "another request asked for something else meanwhile";
	case RPC_NOT_UP:
		return "it does not run, so there is nothing to signal";
	case RPC_NOT_PERMITTED:
		return "it cannot be signalled: it runs as another user, and "
		    "CAP_KILL is missing";
	case RPC_TIMEOUT:
		if (target->slot == NO_SLOT)
			return "timed out; no service has that name yet";
		snprintf(text, sizeof(text), "timed out; it is %s now%s",
		    target->detail > 0 ? service_state_names[target->detail] :
		    "as before", method == RPC_WAIT ? "" :
		    ", and what was begun goes on");
		return text;
	case RPC_FAILED:
		if (target->name[0] == '\0')
			return explain_key(target->detail);
		if (target->reason != NULL)
			return target->reason;
		if (target->detail == EDEADLK)
			return "it waits for a service that it depends on and "
			    "that is not started (the container's output says "
			    "why)";
		if (!(target->detail & BY_STATUS))
			return translate_start_error(target->name,
			    target->detail);
		if (signal == 0)
			snprintf(text, sizeof(text), "run ended with exit code "
			    "%d", target->detail >> 8 & 0xff);
		else
			snprintf(text, sizeof(text), "run was ended by signal "
			    "%d (%s)", signal, signal < SIGNAL_NAMES &&
			    signal_names[signal] != NULL ?
			    signal_names[signal] : "unknown");
		return text;
	default:
		return "";
	}
}

static void
pack_outcome(msgpack_packer *packer, enum rpc_method method,
    const struct target *target)
{
	const struct outcome outcome = {
		.name = target->name, .error = (enum rpc_error)target->error,
		.pid = target->error == RPC_OK ? target->detail : 0,
		.exit_status = target->ended ? &target->exit_status : NULL,
		.message = explain(method, target),
	};

	translate_outcome(packer, &outcome);
}

/* All of it has been decided: the reply. */
void
outcome_answer(struct client *client)
{
	struct operation *operation = client->operation;
	const struct target *target = operation->targets;
	msgpack_packer *packer;
	unsigned i;

	if (!operation_kinds[operation->method].named && target->error != RPC_OK) {
		client_error(client, operation->msgid, target->error,
		    explain(operation->method, target));
		operation_free(client);
		client_done(client);
		return;
	}
	packer = reply_begin();
	translate_result(packer, operation->msgid);
	switch (operation->method) {
	case RPC_RESCAN:
		msgpack_pack_map(packer, 2);
		translate_text(packer, "added");
		msgpack_pack_int(packer, operation->first);
		translate_text(packer, "removed");
		msgpack_pack_int(packer, operation->second);
		break;
	case RPC_ENABLE_INSECURE_KEY:
		msgpack_pack_map(packer, 1);
		translate_text(packer, "changed");
		if (view_header()->flags & STATE_KEY_NEW)
			msgpack_pack_true(packer);
		else
			msgpack_pack_false(packer);
		break;
	case RPC_SHUTDOWN:
		msgpack_pack_map(packer, 0);
		break;
	default:
		msgpack_pack_map(packer, 1);
		translate_text(packer, "services");
		msgpack_pack_array(packer, operation->count);
		for (i = 0; i < operation->count; i++)
			pack_outcome(packer, operation->method, &target[i]);
	}
	client->told_end = operation->method == RPC_SHUTDOWN;
	operation_free(client);
	reply_send(client);
	client_done(client);
}

/* Decides about one service of an operation. */
void
outcome_settle(struct client *client, struct target *target, enum rpc_error error,
    int32_t detail)
{
	target->stage = STAGE_SETTLED;
	target->error = (uint8_t)error;
	target->detail = detail;
	client->operation->settled++;
}

static void
look_at_key(struct client *client, struct target *target)
{
	const struct state_process *key = &view_header()->key;

	if (!(view_header()->flags & STATE_KEY_DONE))
		return;
	outcome_settle(client, target, key->status == 0 ? RPC_OK : RPC_FAILED,
	    key->status | BY_STATUS);
}

/* It has not come about; the table says why. */
void
outcome_fail(struct client *client, struct target *target,
    const struct state_slot *slot, const char *reason)
{
	if (*reason != '\0' && !(slot->flags & SLOT_SAYS))
		target->reason = strdup(reason);
	outcome_settle(client, target, RPC_FAILED, slot->error != 0 ?
	    slot->error : slot->exit_status | BY_STATUS);
}

/* The supervisor says no; where the service has failed, the table says why. */
void
outcome_refused(struct client *client, struct target *target,
    enum rpc_error error, int32_t detail)
{
	char reason[STATE_REASON_MAX + 1];
	struct state_slot slot;

	if (error == RPC_FAILED && target->name[0] != '\0' &&
	    view_slot(target->slot, &slot, reason) &&
	    strcmp(slot.name, target->name) == 0 &&
	    slot.state == SERVICE_FAILED)
		outcome_fail(client, target, &slot, reason);
	else
		outcome_settle(client, target, error, detail);
}

/* Has it come up, or can it be said that it will not? */
/* Is it kept down by another that has failed? */
bool
outcome_is_held(const struct state_slot *slot, const char *reason)
{
	return slot->state == SERVICE_DOWN && slot->want != WANT_DOWN &&
	    strncmp(reason, STATE_WAITS, sizeof(STATE_WAITS) - 1) == 0;
}

static void
look_for_start(struct client *client, struct target *target,
    const struct state_slot *slot, const char *reason)
{
	enum rpc_method method = client->operation->method;

	switch ((enum service_state)slot->state) {
	case SERVICE_UP:
		outcome_settle(client, target, RPC_OK, slot->pid);
		return;
	case SERVICE_BACKOFF:
	case SERVICE_FAILED:
		outcome_fail(client, target, slot, reason);
		return;
	case SERVICE_DOWN:
		/* It waits for one that it depends on. */
		if (slot->want != WANT_DOWN) {
			if (outcome_is_held(slot, reason))
				outcome_fail(client, target, slot, reason);
			return;
		}
		/*
		 * Was it wanted so?  By itself only once goes down, and else what
		 * has ended well.
		 */
		if (slot->ends == target->ends || method == RPC_RESTART ||
		    (method == RPC_START && slot->exit_status != 0))
			outcome_settle(client, target, RPC_SUPERSEDED, 0);
		else if (slot->exit_status == 0)
			outcome_settle(client, target, RPC_OK, 0);
		else
			outcome_fail(client, target, slot, reason);
		return;
	case SERVICE_STARTING:
	case SERVICE_STOPPING:
	case SERVICE_FINISHING:
		if (slot->want == WANT_DOWN)
			outcome_settle(client, target, RPC_SUPERSEDED, 0);
		/*
		 * One end may be that of what ran before; another is a failure, if
		 * nobody has asked for it (as who restarts it, too, has).
		 */
		else if (slot->ends - target->ends >= 2 &&
		    state_deaths(slot->deaths) >= 2)
			outcome_fail(client, target, slot, reason);
	}
}

/* Does the table show that it has come about? */
void
outcome_look(struct client *client, struct target *target)
{
	struct operation *operation = client->operation;
	char reason[STATE_REASON_MAX + 1];
	struct state_slot slot;

	if (operation->method == RPC_ENABLE_INSECURE_KEY) {
		look_at_key(client, target);
	} else if (operation->method == RPC_WAIT) {
		wait_look(client, target);
	} else if (!view_slot(target->slot, &slot, reason) ||
	    strcmp(slot.name, target->name) != 0) {
		outcome_settle(client, target, operation->method == RPC_STOP ? RPC_OK :
		    RPC_UNKNOWN_SERVICE, 0);
	} else if (operation->method != RPC_STOP) {
		look_for_start(client, target, &slot, reason);
	} else if (slot.state == SERVICE_DOWN ||
	    slot.state == SERVICE_FAILED) {
		outcome_settle(client, target, RPC_OK, 0);
	} else if (slot.want != WANT_DOWN) {
		outcome_settle(client, target, RPC_SUPERSEDED, 0);
	}
}

