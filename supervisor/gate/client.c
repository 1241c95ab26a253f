/* A connection: the bytes that come and go on it, and the requests they make. */
#include <sys/socket.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <msgpack/unpack.h>

#include "supervisor/gate/gate.h"

struct client clients[RPC_CLIENTS_MAX];
bool descriptors_full;

static char reply[RPC_REPLY_MAX];
static size_t reply_used;
static bool reply_overflow;
static msgpack_packer packer;

/*
 * A reply is written in pieces of a few bytes, for which musl's memcpy takes ten
 * times as long as the copying does.
 */
static void
copy(char *to, const char *from, size_t length)
{
	uint64_t eight;

	for (; length >= sizeof(eight); length -= sizeof(eight)) {
		__builtin_memcpy(&eight, from, sizeof(eight));
		__builtin_memcpy(to, &eight, sizeof(eight));
		from += sizeof(eight);
		to += sizeof(eight);
	}
	switch (length) {
	case 7: to[6] = from[6]; /* FALLTHROUGH */
	case 6: to[5] = from[5]; /* FALLTHROUGH */
	case 5: to[4] = from[4]; /* FALLTHROUGH */
	case 4: to[3] = from[3]; /* FALLTHROUGH */
	case 3: to[2] = from[2]; /* FALLTHROUGH */
	case 2: to[1] = from[1]; /* FALLTHROUGH */
	case 1: to[0] = from[0];
	}
}

static int
reply_write(void *unused, const char *bytes, size_t length)
{
	(void)unused;
	if (length > sizeof(reply) - reply_used) {
		reply_overflow = true;
		return -1;
	}
	copy(reply + reply_used, bytes, length);
	reply_used += length;
	return 0;
}

msgpack_packer *
reply_begin(void)
{
	reply_used = 0;
	reply_overflow = false;
	msgpack_packer_init(&packer, NULL, reply_write);
	return &packer;
}

size_t
reply_length(void)
{
	return reply_used;
}

/* A reply to somebody who is no client, and must not become one. */
void
reply_send_last(int fd)
{
	(void)!send(fd, reply, reply_used, MSG_DONTWAIT | MSG_NOSIGNAL);
	close(fd);
}

void
reply_send(struct client *client)
{
	if (reply_overflow)
		client_close(client);
	else
		client_write(client, reply, reply_used);
}

/* What a client does from now on, and how long it may take. */
void
client_deadline(struct client *client, int64_t limit_ms)
{
	client->since_ms = now_ms();
	client->deadline_ms = limit_ms == 0 ? 0 : client->since_ms + limit_ms;
}

/* Ends a connection.  What it has asked for goes on. */
void
client_close(struct client *client)
{
	if (client->fd == -1)
		return;
	close(client->fd);
	descriptors_full = false;
	if (client->told_end)
		operation_tell(GATE_DELIVERED, 0, 0);
	client->told_end = false;
	client->fd = -1;
	free(client->output);
	client->output = NULL;
	free(client->subscription);
	client->subscription = NULL;
	free(client->follower);
	client->follower = NULL;
	client->pending = false;
	if (client->operation != NULL)
		operation_give_up(client);
}

/* It is read from again. */
void
client_done(struct client *client)
{
	if (client->fd == -1 || client->output != NULL)
		return;
	client->needed = 1;
	client->pending = client->received > 0;
	client_deadline(client, client->subscription != NULL ||
	    client->follower != NULL ? 0 : client->pending ? RPC_REQUEST_MS : RPC_IDLE_MS);
}

/* Sends what the socket takes, and keeps the rest. */
void
client_write(struct client *client, const char *bytes, size_t length)
{
	ssize_t sent;

	if (client->fd == -1)
		return;
	sent = send(client->fd, bytes, length, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (sent == (ssize_t)length)
		return;
	if (sent == -1 && errno != EAGAIN && errno != EINTR) {
		client_close(client);
		return;
	}
	if (sent == -1)
		sent = 0;
	client->unsent = length - (size_t)sent;
	client->sent = 0;
	if ((client->output = malloc(client->unsent)) == NULL) {
		client_close(client);
		return;
	}
	memcpy(client->output, bytes + sent, client->unsent);
	client_deadline(client, RPC_WRITE_MS);
}

void
client_error(struct client *client, uint32_t msgid, enum rpc_error error,
    const char *message)
{
	translate_error(reply_begin(), msgid, error, message);
	reply_send(client);
}

/* The socket takes more. */
void
client_flush(struct client *client)
{
	ssize_t sent = send(client->fd, client->output + client->sent,
	    client->unsent, MSG_DONTWAIT | MSG_NOSIGNAL);

	if (sent == -1) {
		if (errno != EAGAIN && errno != EINTR)
			client_close(client);
		return;
	}
	client->sent += (size_t)sent;
	client->unsent -= (size_t)sent;
	client_deadline(client, RPC_WRITE_MS);
	if (client->unsent > 0)
		return;
	free(client->output);
	client->output = NULL;
	client_done(client);
	if (client->subscription != NULL)
		subscription_look(client);
	if (client->follower != NULL)
		lines_look(client);
}

static void
call_method(struct client *client, const struct call *call)
{
	bool reads = call->method == RPC_VERSION ||
	    call->method == RPC_STATUS || call->method == RPC_SUBSCRIBE ||
	    call->method == RPC_WAIT;
	msgpack_packer *result;

	if (!reads && !client->may_change) {
		client_error(client, call->msgid, RPC_DENIED,
		    "only root and the user that my_init runs as may do this");
		return;
	}
	switch (call->method) {
	case RPC_VERSION:
		result = reply_begin();
		translate_result(result, call->msgid);
		msgpack_pack_map(result, 2);
		translate_text(result, "version");
		translate_text(result, VERSION);
		translate_text(result, "protocol");
		msgpack_pack_int(result, RPC_PROTOCOL);
		reply_send(client);
		break;
	case RPC_STATUS:
		view_status(client, call);
		break;
	case RPC_SUBSCRIBE:
		if (!operation_refuse(client, call->msgid))
			subscription_start(client, call);
		break;
	case RPC_LOGS:
		lines_start(client, call);
		break;
	default:
		operation_start(client, call);
	}
}

/* A whole message, of which every length has been checked. */
static void
handle(struct client *client, size_t length)
{
	static struct call call;
	static msgpack_zone zone;	/* its first piece is used again */
	msgpack_object message;
	const char *why;
	size_t offset = 0;

	if (zone.chunk_size == 0 &&
	    !msgpack_zone_init(&zone, MSGPACK_ZONE_CHUNK_SIZE)) {
		client_close(client);
		return;
	}
	msgpack_zone_clear(&zone);
	if (msgpack_unpack((const char *)client->request, length, &offset,
	    &zone, &message) != MSGPACK_UNPACK_SUCCESS || offset != length) {
		client_close(client);
		return;
	}
	switch (translate_request(&message, &call, &why)) {
	case TRANSLATE_OK:
		call_method(client, &call);
		break;
	case TRANSLATE_BAD:
		client_error(client, call.msgid, RPC_BAD_REQUEST, why);
		break;
	case TRANSLATE_NO_REQUEST:
		client_close(client);
		break;
	}
}

/* Looks at what a client has sent: one request a turn. */
void
client_look(struct client *client)
{
	size_t length;

	client->pending = false;
	if (client->received < client->needed)
		return;
	switch (rpc_check(client->request, client->received,
	    &rpc_request_limits, &length)) {
	case RPC_MALFORMED:
		client_close(client);
		return;
	case RPC_INCOMPLETE:
		client->needed = length;
		return;
	case RPC_COMPLETE:
		break;
	}
	handle(client, length);
	if (client->fd == -1)
		return;
	client->received -= length;
	memmove(client->request, client->request + length, client->received);
	if (client->operation == NULL)
		client_done(client);
}

/* It has sent something, or has ended. */
void
client_receive(struct client *client)
{
	ssize_t length = recv(client->fd, client->request + client->received,
	    sizeof(client->request) - client->received, MSG_DONTWAIT);

	if (length == -1 && (errno == EAGAIN || errno == EINTR))
		return;
	if (length <= 0) {
		client_close(client);
		return;
	}
	if (client->received == 0)
		client_deadline(client, RPC_REQUEST_MS);
	client->received += (size_t)length;
	client_look(client);
}

/* Does it wait for the next request, or for the rest of one? */
bool
client_reads(const struct client *client)
{
	return client->output == NULL && client->operation == NULL &&
	    client->subscription == NULL && client->follower == NULL;
}
