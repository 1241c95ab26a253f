/* Clients that want to be told of every change. */
#include <stdlib.h>
#include <string.h>

#include "supervisor/gate/gate.h"

#define NOTIFICATIONS_MAX	(256 * 1024)	/* bytes that are not read yet */

struct subscription {
	uint32_t	digests[STATE_SLOTS];	/* of what was told last */
	bool		has_names;
	uint32_t	names;
	char		name[][STATE_NAME_MAX + 1];
};

static bool
is_wanted(const struct subscription *subscription, const char *service)
{
	uint32_t i;

	for (i = 0; i < subscription->names; i++)
		if (view_means(subscription->name[i], service))
			return true;
	return !subscription->has_names;
}

static uint32_t
hash_text(uint32_t hash, const char *text)
{
	for (; *text != '\0'; text++)
		hash = (hash ^ (unsigned char)*text) * 16777619u;
	return hash;
}

/* FNV-1a of what a client is told, less what only time changes; never 0. */
static uint32_t
digest(const struct state_slot *slot, const char *reason)
{
	const struct {
		uint32_t	condition, restarts, ends;
		int32_t		pid, exit_status, error;
		int64_t		since_ms;
	} said = {
		slot->condition, slot->restarts, slot->ends, slot->pid,
		slot->exit_status, slot->error, slot->since_ms,
	};
	const unsigned char *p = (const unsigned char *)&said;
	uint32_t hash = 2166136261u;
	size_t i;

	for (i = 0; i < sizeof(said); i++)
		hash = (hash ^ p[i]) * 16777619u;
	return hash_text(hash_text(hash, slot->name), reason) | 1;
}

/* Packs what is new of services from slot *i on, up to a limit. */
static void
pack_changes(struct subscription *subscription, unsigned *i)
{
	msgpack_packer *packer = reply_begin();
	char reason[STATE_REASON_MAX + 1];
	struct state_slot slot;
	int64_t now = now_ms();
	uint32_t hash;

	for (; *i < view_slots() && reply_length() < NOTIFICATIONS_MAX; ++*i) {
		if (!view_slot(*i, &slot, reason) ||
		    !is_wanted(subscription, slot.name))
			continue;
		hash = digest(&slot, reason);
		if (hash == subscription->digests[*i])
			continue;
		subscription->digests[*i] = hash;
		msgpack_pack_array(packer, 3);
		msgpack_pack_int(packer, RPC_NOTIFICATION);
		translate_text(packer, "service");
		msgpack_pack_array(packer, 1);
		translate_service(packer, &slot, reason, now);
	}
}

/* Tells a subscriber what is new, as far as it has read what was. */
void
subscription_look(struct client *client)
{
	unsigned i = 0;

	while (client->fd != -1 && client->output == NULL &&
	    i < view_slots()) {
		pack_changes(client->subscription, &i);
		if (reply_length() > 0)
			reply_send(client);
	}
}

void
subscription_start(struct client *client, const struct call *call)
{
	struct subscription *subscription;
	size_t size = call->names * sizeof(call->name[0]);
	msgpack_packer *packer;

	subscription = calloc(1, sizeof(*subscription) + size);
	if (subscription == NULL || operation_waiters() >= RPC_WAITERS_MAX) {
		free(subscription);
		client_error(client, call->msgid, RPC_BUSY,
		    "too many clients wait for something; try again");
		return;
	}
	subscription->has_names = call->has_names;
	subscription->names = call->names;
	memcpy(subscription->name, call->name, size);
	client->subscription = subscription;
	packer = reply_begin();
	translate_result(packer, call->msgid);
	msgpack_pack_map(packer, 0);
	reply_send(client);
	if (client->subscription != NULL)
		subscription_look(client);
}
