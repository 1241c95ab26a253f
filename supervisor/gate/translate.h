/*
 * MessagePack <-> structs.  A header of its own, because translate.c is pure: it
 * sees bytes that have passed rpc_check() and does no I/O.
 */
#ifndef GATE_TRANSLATE_H
#define GATE_TRANSLATE_H

#include <stdbool.h>
#include <stdint.h>

#include <msgpack/object.h>
#include <msgpack/pack.h>

#include "proto/rpc.h"
#include "proto/state.h"

/* A request, understood and checked. */
struct call {
	uint32_t	msgid;
	enum rpc_method	method;
	bool		wait;
	bool		only;
	bool		follow;
	uint32_t	lines;		/* at the most */
	enum rpc_for	wait_for;
	int32_t		signal;
	int32_t		exit_code;	/* -1: not given */
	int32_t		timeout_ms;	/* -1: not given */
	bool		has_names;
	uint32_t	names;
	char		name[RPC_NAMES_MAX][STATE_NAME_MAX + 1];
};

/* What came of a request for one service. */
struct outcome {
	const char	*name;
	int32_t		pid;		/* of one that is up, or 0 */
	const int32_t	*exit_status;	/* of run, or NULL */
	enum rpc_error	error;
	const char	*message;	/* of an error */
};

enum translate_result {
	TRANSLATE_OK,
	TRANSLATE_BAD,		/* msgid is valid, and is told *why */
	TRANSLATE_NO_REQUEST,	/* nobody to be told */
};

enum translate_result translate_request(const msgpack_object *, struct call *,
	    const char **why);

void	translate_name(msgpack_packer *, const char *);
void	translate_bytes(msgpack_packer *, const char *, size_t length);
void	translate_text(msgpack_packer *, const char *);
void	translate_service(msgpack_packer *, const struct state_slot *,
	    const char *reason, int64_t now_ms);
void	translate_result(msgpack_packer *, uint32_t msgid);
void	translate_error(msgpack_packer *, uint32_t msgid, enum rpc_error,
	    const char *message);
void	translate_outcome(msgpack_packer *, const struct outcome *);
const char *translate_start_error(const char *name, int error);

#endif
