/*
 * The method logs: lines that the collector keeps of services (proto/lines.h), and
 * those that come, for who follows them.  Read from its table while it writes there:
 * what may have been overwritten meanwhile is left out.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "proto/lines.h"
#include "supervisor/gate/gate.h"

#define SERVICES_MAX	32	/* in an answer, so that it is no longer than others */

/* Who follows lines, and how far each service has been told. */
struct follower {
	uint64_t	told[LINES_CHANNELS];
	uint32_t	names;
	char		name[][STATE_NAME_MAX + 1];
};

static bool
read_at(void *to, size_t length, size_t offset)
{
	return pread(GATE_LINES_FD, to, length, (off_t)offset) ==
	    (ssize_t)length;
}

static unsigned
channels_used(void)
{
	uint32_t used = 0;

	/* An empty file: there has been no service with a log-prefix. */
	if (!read_at(&used, sizeof(used),
	    offsetof(struct lines_table, channels_used)))
		return 0;
	return used < LINES_CHANNELS ? used : LINES_CHANNELS;
}

static bool
read_channel(unsigned i, struct lines_channel *channel)
{
	if (!read_at(channel, sizeof(*channel), offsetof(struct lines_table,
	    channels) + (size_t)i * sizeof(*channel)))
		return false;
	channel->name[STATE_NAME_MAX] = '\0';
	return channel->condition != LINES_FREE && channel->name[0] != '\0';
}

/*
 * Copies what is kept of a service from a position on, whole lines alone; *from is
 * where that begins, and *to where it ends.
 */
static const char *
copy_lines(unsigned i, uint64_t *from, uint64_t *to)
{
	static char text[LINES_RING];
	size_t ring = offsetof(struct lines_table, rings) +
	    (size_t)i * LINES_RING, at, first;
	struct lines_channel channel;
	uint64_t begin, oldest;
	char *start, *end;

	*to = *from;
	if (!read_channel(i, &channel) || channel.read < *from)
		return text;
	*to = channel.read;
	begin = *to > LINES_RING ? *to - LINES_RING : 0;
	if (begin < *from)
		begin = *from;
	at = begin % LINES_RING;
	first = LINES_RING - at;
	if (first > *to - begin)
		first = (size_t)(*to - begin);
	if (!read_at(text, first, ring + at) ||
	    !read_at(text + first, (size_t)(*to - begin) - first, ring) ||
	    !read_channel(i, &channel)) {
		*to = *from;
		return text;
	}
	start = text;
	oldest = channel.reserved > channel.read ? channel.reserved :
	    channel.read;
	oldest = oldest > LINES_RING ? oldest - LINES_RING : 0;
	/* What is not the first line there is, is not known to be a whole one. */
	if (oldest > begin)
		start += oldest - begin < *to - begin ? oldest - begin :
		    *to - begin;
	if (begin + (uint64_t)(start - text) > *from &&
	    begin + (uint64_t)(start - text) > 0) {
		end = memchr(start, '\n', (size_t)(*to - begin) -
		    (size_t)(start - text));
		start = end == NULL ? text + (*to - begin) : end + 1;
	}
	end = memrchr(start, '\n', (size_t)(*to - begin) -
	    (size_t)(start - text));
	*to = begin + (uint64_t)((end == NULL ? start : end + 1) - text);
	*from = begin + (uint64_t)(start - text);
	return start;
}

/* Takes the next line off a text that is made of whole ones; false: there is none. */
static bool
next_line(const char **text, size_t *left, const char **line, size_t *length)
{
	const char *end;

	while ((end = memchr(*text, '\n', *left)) != NULL) {
		*line = *text;
		*length = (size_t)(end - *text);
		*left -= *length + 1;
		*text = end + 1;
		if (lines_is_one(*line, length))
			return true;
	}
	return false;
}

static uint32_t
count_lines(const char *text, size_t left)
{
	const char *line;
	size_t length;
	uint32_t count = 0;

	while (next_line(&text, &left, &line, &length))
		count++;
	return count;
}

/*
 * Packs the lines of a service from a position on, of more than most the last ones,
 * and says where they end.  False: there are none.
 */
static bool
pack_lines(msgpack_packer *packer, unsigned i, const char *name,
    uint64_t *position, uint32_t most, bool always)
{
	uint64_t from = *position, to;
	const char *text = copy_lines(i, &from, &to), *line;
	size_t left = (size_t)(to - from), length;
	uint32_t count = count_lines(text, left), skip;
	bool lost = *position > 0 && from > *position;
	struct lines_channel channel;

	*position = to;
	if (count == 0 && !always)
		return false;
	skip = count > most ? count - most : 0;
	msgpack_pack_map(packer, 5);
	translate_text(packer, "name");
	translate_name(packer, name);
	translate_text(packer, "ok");
	msgpack_pack_true(packer);
	translate_text(packer, "dropped");
	msgpack_pack_uint64(packer, read_channel(i, &channel) ?
	    channel.dropped : 0);
	translate_text(packer, "lost");
	if (lost)
		msgpack_pack_true(packer);
	else
		msgpack_pack_false(packer);
	translate_text(packer, "lines");
	msgpack_pack_array(packer, count - skip);
	while (next_line(&text, &left, &line, &length))
		if (skip > 0)
			skip--;
		else
			translate_bytes(packer, line, length);
	return true;
}

static bool
is_named(const struct call *call, uint32_t n, const char *service)
{
	return view_means(call->name[n], service);
}

/* Does any of the names mean that service? */
static bool
is_chosen(const struct call *call, const char *service)
{
	uint32_t n;

	for (n = 0; n < call->names; n++)
		if (is_named(call, n, service))
			return true;
	return false;
}

static bool
is_service(const struct call *call, uint32_t n)
{
	struct state_slot slot;
	unsigned i;

	for (i = 0; i < view_slots(); i++)
		if (view_slot(i, &slot, NULL) && is_named(call, n, slot.name))
			return true;
	return false;
}

/* Of a name that no channel has: why it has no lines. */
static void
pack_missing(msgpack_packer *packer, const struct call *call, uint32_t n)
{
	const struct outcome unknown = {
		.name = call->name[n], .error = RPC_UNKNOWN_SERVICE,
		.message = "no service has that name",
	}, without = {
		.name = call->name[n], .error = RPC_FAILED,
		.message = "no lines are kept of it: it has no log-prefix "
		    "(service(7)), or has not been started since it has",
	};

	translate_outcome(packer, is_service(call, n) ? &without : &unknown);
}

/* Finds the channels that are named; returns how many, and counts names without. */
static unsigned
choose(const struct call *call, uint16_t chosen[SERVICES_MAX + 1],
    bool has[RPC_NAMES_MAX], uint32_t *missing)
{
	unsigned i, count = 0, used = channels_used();
	struct lines_channel channel;
	uint32_t n;

	memset(has, 0, RPC_NAMES_MAX * sizeof(has[0]));
	for (i = 0; i < used && count <= SERVICES_MAX; i++) {
		if (!read_channel(i, &channel) ||
		    channel.condition != LINES_OPEN ||
		    !is_chosen(call, channel.name))
			continue;
		chosen[count++] = (uint16_t)i;
		for (n = 0; n < call->names; n++)
			has[n] |= is_named(call, n, channel.name);
	}
	*missing = 0;
	for (n = 0; n < call->names; n++)
		*missing += !has[n];
	return count;
}

/* Remembers whom a client follows; false: it cannot be. */
static bool
follow(struct client *client, const struct call *call)
{
	struct follower *follower;
	size_t size = call->names * sizeof(call->name[0]);

	if (operation_waiters() >= RPC_WAITERS_MAX ||
	    (follower = calloc(1, sizeof(*follower) + size)) == NULL)
		return false;
	follower->names = call->names;
	memcpy(follower->name, call->name, size);
	client->follower = follower;
	return true;
}

void
lines_start(struct client *client, const struct call *call)
{
	static bool has[RPC_NAMES_MAX];
	uint16_t chosen[SERVICES_MAX + 1];
	struct lines_channel channel;
	uint32_t missing, n;
	unsigned count = choose(call, chosen, has, &missing), i;
	uint64_t position;
	msgpack_packer *packer;

	if (count > SERVICES_MAX) {
		client_error(client, call->msgid, RPC_BAD_REQUEST,
		    "the lines of more than 32 services at a time");
		return;
	}
	if (call->follow && !follow(client, call)) {
		client_error(client, call->msgid, RPC_BUSY,
		    "too many clients wait for something; try again");
		return;
	}
	packer = reply_begin();
	translate_result(packer, call->msgid);
	msgpack_pack_map(packer, 1);
	translate_text(packer, "services");
	msgpack_pack_array(packer, count + missing);
	for (i = 0; i < count; i++) {
		position = 0;
		if (!read_channel(chosen[i], &channel))
			channel.name[0] = '\0';
		pack_lines(packer, chosen[i], channel.name, &position,
		    call->lines, true);
		if (client->follower != NULL)
			client->follower->told[chosen[i]] = position;
	}
	for (n = 0; n < call->names; n++)
		if (!has[n])
			pack_missing(packer, call, n);
	reply_send(client);
	if (client->follower != NULL)
		lines_look(client);
}

static bool
is_followed(const struct follower *follower, const char *service)
{
	uint32_t n;

	for (n = 0; n < follower->names; n++)
		if (view_means(follower->name[n], service))
			return true;
	return false;
}

/* Tells a client what is new, as far as it has read what was. */
void
lines_look(struct client *client)
{
	struct follower *follower = client->follower;
	unsigned i, used = channels_used();
	struct lines_channel channel;
	msgpack_packer *packer;

	for (i = 0; i < used && client->fd != -1 && client->output == NULL;
	    i++) {
		if (!read_channel(i, &channel) ||
		    !is_followed(follower, channel.name))
			continue;
		/* It is another service's by now. */
		if (channel.read < follower->told[i])
			follower->told[i] = 0;
		if (channel.read == follower->told[i])
			continue;
		packer = reply_begin();
		msgpack_pack_array(packer, 3);
		msgpack_pack_int(packer, RPC_NOTIFICATION);
		translate_text(packer, "lines");
		msgpack_pack_array(packer, 1);
		if (pack_lines(packer, i, channel.name, &follower->told[i],
		    UINT32_MAX, false))
			reply_send(client);
	}
}

/* The collector has read something. */
void
lines_look_all(void)
{
	struct client *client;
	char bytes[512];

	while (read(GATE_WAKE_FD, bytes, sizeof(bytes)) == sizeof(bytes))
		continue;
	for (client = clients; client < clients + RPC_CLIENTS_MAX; client++)
		if (client->fd != -1 && client->follower != NULL)
			lines_look(client);
}

/* Does anybody wait for lines? */
bool
lines_are_followed(void)
{
	struct client *client;

	for (client = clients; client < clients + RPC_CLIENTS_MAX; client++)
		if (client->fd != -1 && client->follower != NULL)
			return true;
	return false;
}
