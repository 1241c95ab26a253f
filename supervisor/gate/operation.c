/*
 * Changes: each service's is one request to the supervisor, which answers at once
 * whether it has begun.  Whether it has come about is seen in the state table.
 *
 * One request is on its way at a time; clients take turns.  A client that goes
 * away while some of its services have not been asked for keeps its place until
 * they have: what it has asked for as one is not done by half.
 */
#include <sys/socket.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "supervisor/gate/gate.h"

#define SINGLE_TIMEOUT_MS	10000	/* for what the supervisor does at once */

static const char unavailable[] =
    "the supervisor is being started again; try again";

static bool asked;		/* a request is on its way ... */
static struct client *asking;	/* ... of this client, or of nobody any more */
static bool alone;		/* the supervisor that started us is gone */
static unsigned turn;
static struct gate_request notice;	/* to be told; type 0: nothing */

const struct operation_kind operation_kinds[RPC_METHODS] = {
	[RPC_START] = { GATE_START, true },
	[RPC_STOP] = { GATE_STOP, true },
	[RPC_RESTART] = { GATE_RESTART, true },
	[RPC_ONCE] = { GATE_ONCE, true },
	[RPC_RELOAD] = { GATE_RELOAD, true },
	[RPC_SIGNAL] = { GATE_SIGNAL, true },
	[RPC_RESCAN] = { GATE_RESCAN, false },
	[RPC_ENABLE_INSECURE_KEY] = { GATE_KEY, false },
	[RPC_SHUTDOWN] = { GATE_SHUTDOWN, false },
	[RPC_WAIT] = { 0, true },	/* the supervisor is not */
};

void
operation_free(struct client *client)
{
	struct operation *operation = client->operation;
	unsigned i;

	for (i = 0; operation != NULL && i < operation->count; i++)
		free(operation->targets[i].reason);
	free(operation);
	client->operation = NULL;
	client->busy = false;
}

/* Nothing is left to be sent, or to wait for. */
static void
finish_if_settled(struct client *client)
{
	struct operation *operation = client->operation;

	if (client->fd == -1) {
		if (operation->next == operation->count && asking != client)
			operation_free(client);
	} else if (operation->settled == operation->count) {
		outcome_answer(client);
	}
}

static void
look(struct client *client)
{
	struct operation *operation = client->operation;
	unsigned i;

	for (i = 0; i < operation->count; i++)
		if (operation->targets[i].stage == STAGE_WAITING)
			outcome_look(client, &operation->targets[i]);
	finish_if_settled(client);
}

/* Something in the table has changed: who has waited for it? */
void
operation_look(void)
{
	struct client *client;

	for (client = clients; client < clients + RPC_CLIENTS_MAX; client++)
		if (client->operation != NULL)
			look(client);
}

static int
by_name(const void *a, const void *b)
{
	return view_compare(((const struct target *)a)->name,
	    ((const struct target *)b)->name);
}

/* The services that are named, in order, then the names that mean none. */
static struct operation *
gather(const struct call *call)
{
	static uint8_t chosen[STATE_SLOTS], unknown[RPC_NAMES_MAX];
	struct operation *operation;
	struct state_slot slot;
	struct target *target;
	unsigned i, count = 1;
	bool booting;

	if (operation_kinds[call->method].named)
		count = view_choose(call, chosen, unknown) + call->names;
	operation = calloc(1, sizeof(*operation) +
	    count * sizeof(operation->targets[0]));
	if (operation == NULL || !operation_kinds[call->method].named) {
		if (operation != NULL)
			operation->count = 1;
		return operation;
	}
	booting = view_header()->phase < PHASE_RUNNING;
	for (i = 0; i < STATE_SLOTS && operation->count < count; i++)
		if (chosen[i] && view_slot(i, &slot, NULL)) {
			target = &operation->targets[operation->count++];
			target->slot = i;
			strcpy(target->name, slot.name);
		}
	qsort(operation->targets, operation->count, sizeof(*target), by_name);
	for (i = 0; i < call->names; i++)
		if (unknown[i]) {
			target = &operation->targets[operation->count++];
			strcpy(target->name, call->name[i]);
			target->slot = NO_SLOT;
			/* It may become one: that is not for us to say. */
			if (booting && strpbrk(target->name, "*?[") == NULL)
				continue;
			target->stage = STAGE_SETTLED;
			target->error = booting ? RPC_BOOTING :
			    RPC_UNKNOWN_SERVICE;
			operation->settled++;
		}
	return operation;
}

/* How many clients wait for something. */
unsigned
operation_waiters(void)
{
	unsigned i, count = 0;

	for (i = 0; i < RPC_CLIENTS_MAX; i++)
		count += clients[i].operation != NULL ||
		    clients[i].subscription != NULL ||
		    clients[i].follower != NULL;
	return count;
}

/* Refuses a request for what only the supervisor can tell or do; false: it is there. */
bool
operation_refuse(struct client *client, uint32_t msgid)
{
	if (alone)
		client_error(client, msgid, RPC_UNAVAILABLE, unavailable);
	return alone;
}

/* Begins a change; the client is answered when it has ended. */
void
operation_start(struct client *client, const struct call *call)
{
	struct operation *operation;
	int32_t timeout_ms = call->timeout_ms;

	if (call->method != RPC_WAIT && operation_refuse(client, call->msgid))
		return;
	if (operation_waiters() >= RPC_WAITERS_MAX ||
	    (operation = gather(call)) == NULL) {
		client_error(client, call->msgid, RPC_BUSY,
		    "too many clients wait for something; try again");
		return;
	}
	operation->method = call->method;
	operation->msgid = call->msgid;
	operation->wait = call->wait;
	operation->wait_for = call->wait_for;
	operation->number = call->method == RPC_SHUTDOWN ? call->exit_code :
	    call->method == RPC_STOP ? call->only : call->signal;
	operation->timeout_ms = timeout_ms;
	if (call->method == RPC_SHUTDOWN || call->method == RPC_RESCAN)
		timeout_ms = SINGLE_TIMEOUT_MS;
	else if (timeout_ms == -1)
		timeout_ms = RPC_TIMEOUT_MS;
	client->operation = operation;
	client->busy = true;
	client->deadline_ms = now_ms() + timeout_ms;
	if (call->method == RPC_WAIT)
		wait_begin(operation);
	look(client);
}

/* Nobody waits for the outcome any more. */
void
operation_give_up(struct client *client)
{
	struct operation *operation = client->operation;
	struct state_slot slot;
	struct target *target;
	unsigned i;

	for (i = 0; client->fd != -1 && i < operation->count; i++) {
		target = &operation->targets[i];
		if (target->stage != STAGE_SETTLED)
			outcome_settle(client, target, RPC_TIMEOUT,
			    target->name[0] != '\0' &&
			    view_slot(target->slot, &slot, NULL) ?
			    slot.state : 0);
	}
	/* The answer to what is on its way is nobody's now. */
	if (client->fd != -1 && asking == client)
		asking = NULL;
	finish_if_settled(client);
}

/*
 * Its time is up.  What it asks for is sent all the same, if the supervisor takes
 * it: a limit of nothing means not to wait for the outcome.
 */
void
operation_expire(struct client *client)
{
	struct operation *operation = client->operation;

	if (operation->next < operation->count && !operation->late && !alone) {
		operation->late = true;
		client->deadline_ms = now_ms() + SINGLE_TIMEOUT_MS;
	} else {
		operation_give_up(client);
	}
}

/* The next service of a client that has not been asked for, or NULL. */
static struct target *
next_target(struct client *client)
{
	struct operation *operation = client->operation;

	if (operation == NULL)
		return NULL;
	while (operation->next < operation->count &&
	    operation->targets[operation->next].stage == STAGE_SETTLED)
		operation->next++;
	if (operation->next == operation->count)
		return NULL;
	return &operation->targets[operation->next];
}

static void
ask(const struct gate_request *request)
{
	asked = send(GATE_CHANNEL_FD, request, sizeof(*request),
	    MSG_DONTWAIT | MSG_NOSIGNAL) == sizeof(*request);
	if (!asked)
		operation_end_all();
}

/* Sends the next request, if none is on its way: each client in its turn. */
void
operation_send(void)
{
	struct gate_request request = { 0 };
	struct target *target = NULL;
	unsigned i;

	if (asked || alone)
		return;
	if (notice.type != 0) {
		request = notice;
		notice.type = 0;
		ask(&request);
		return;
	}
	for (i = 0; i < RPC_CLIENTS_MAX && target == NULL; i++)
		target = next_target(&clients[++turn % RPC_CLIENTS_MAX]);
	if (target == NULL)
		return;
	asking = &clients[turn % RPC_CLIENTS_MAX];
	asking->operation->next++;
	target->stage = STAGE_ASKED;
	request.type = operation_kinds[asking->operation->method].type;
	request.number = asking->operation->number;
	request.timeout_ms = asking->operation->timeout_ms;
	strcpy(request.name, target->name);
	ask(&request);
}

static enum rpc_error
error_of(enum gate_answer answer)
{
	switch (answer) {
	case GATE_ACCEPTED:
		return RPC_OK;
	case GATE_UNKNOWN:
		return RPC_UNKNOWN_SERVICE;
	case GATE_BOOTING:
		return RPC_BOOTING;
	case GATE_STOPPING:
		return RPC_SHUTTING_DOWN;
	case GATE_NOT_UP:
		return RPC_NOT_UP;
	case GATE_NOT_PERMITTED:
		return RPC_NOT_PERMITTED;
	case GATE_FAILED:
		break;
	}
	return RPC_FAILED;
}

static bool
is_waited_for(const struct operation *operation)
{
	switch (operation->method) {
	case RPC_START:
	case RPC_STOP:
	case RPC_RESTART:
	case RPC_ONCE:
		return operation->wait;
	case RPC_ENABLE_INSECURE_KEY:
		return true;
	default:
		return false;
	}
}

/* What the supervisor says about the request that was on its way. */
static void
receive(struct client *client, const struct gate_reply *reply)
{
	struct operation *operation = client->operation;
	struct target *target = &operation->targets[operation->next - 1];

	operation->first = reply->first;
	operation->second = reply->second;
	if (operation->late && operation->next == operation->count)
		client->deadline_ms = now_ms();
	if (reply->answer != GATE_ACCEPTED) {
		target->slot = reply->slot;
		outcome_refused(client, target, error_of(reply->answer),
		    reply->first);
	} else if (!is_waited_for(operation)) {
		outcome_settle(client, target, RPC_OK, 0);
	} else {
		target->stage = STAGE_WAITING;
		target->slot = reply->slot;
		target->ends = (uint32_t)reply->first;
		outcome_look(client, target);
	}
	finish_if_settled(client);
}

/* Reads replies; false: there will be no more of them. */
bool
operation_receive(void)
{
	struct gate_reply reply;
	struct client *client;
	ssize_t length;

	length = recv(GATE_CHANNEL_FD, &reply, sizeof(reply), MSG_DONTWAIT);
	if (length == -1 && (errno == EAGAIN || errno == EINTR))
		return true;
	if (length != sizeof(reply) || !asked) {
		operation_end_all();
		return false;
	}
	client = asking;
	asked = false;
	asking = NULL;
	if (client != NULL && client->operation != NULL)
		receive(client, &reply);
	return true;
}

/*
 * The supervisor that started this gate is gone: another has a socket of its own.
 * Status is still answered, from the table, which is the same, and wait is, too.
 */
void
operation_end_all(void)
{
	struct client *client;
	uint32_t msgid;

	if (alone)
		return;
	alone = true;
	asking = NULL;
	for (client = clients; client < clients + RPC_CLIENTS_MAX; client++) {
		if (client->subscription != NULL) {
			subscription_look(client);
			client_close(client);
		}
		if (client->operation == NULL ||
		    client->operation->method == RPC_WAIT)
			continue;
		msgid = client->operation->msgid;
		operation_free(client);
		client_error(client, msgid, RPC_UNAVAILABLE, unavailable);
		client_done(client);
	}
}

bool
operation_alone(void)
{
	return alone;
}

/* Has the supervisor told, for its log; of several at a time, the last. */
void
operation_tell(enum gate_request_type type, int32_t number, uint32_t uid)
{
	notice = (struct gate_request){
		.type = type, .number = number, .uid = uid,
	};
}
