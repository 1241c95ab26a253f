/*
 * The boundary initctl <-> gate: MessagePack-RPC on a Unix stream socket.
 * PROTOCOL.md, beside this file, describes it for implementors; here are its
 * numbers and words, and what both ends do with bytes they do not trust.
 */
#ifndef PROTO_RPC_H
#define PROTO_RPC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <msgpack/object.h>

#include "proto/socket.h"

#define RPC_PROTOCOL		1

#define RPC_REQUEST		0	/* first elements of messages */
#define RPC_RESPONSE		1
#define RPC_NOTIFICATION	2

#define RPC_REQUEST_MAX		65536	/* bytes */
#define RPC_REQUEST_DEPTH	4
#define RPC_NAMES_MAX		1024	/* in a request */
#define RPC_REPLY_MAX		(4 * 1024 * 1024)
#define RPC_REPLY_DEPTH		6

#define RPC_CLIENTS_MAX		64
#define RPC_WAITERS_MAX		56	/* of them wait or subscribe */
#define RPC_REQUEST_MS		5000	/* for the bytes of a request */
#define RPC_IDLE_MS		30000	/* of a connection between requests */
#define RPC_WRITE_MS		5000	/* without any progress */
#define RPC_TIMEOUT_MS		60000	/* timeout_ms, if it is not given */
#define RPC_TIMEOUT_MAX_MS	3600000
#define RPC_LINES_MAX		32768	/* more than are kept */

enum rpc_method {
	RPC_VERSION = 1,
	RPC_STATUS,
	RPC_START,
	RPC_STOP,
	RPC_RESTART,
	RPC_ONCE,
	RPC_RELOAD,
	RPC_SIGNAL,
	RPC_RESCAN,
	RPC_ENABLE_INSECURE_KEY,
	RPC_SHUTDOWN,
	RPC_SUBSCRIBE,
	RPC_WAIT,
	RPC_LOGS,
};
#define RPC_METHODS	15	/* one past the last */
extern const char *const rpc_methods[RPC_METHODS];

/* What wait waits for. */
enum rpc_for {
	RPC_FOR_READY,
	RPC_FOR_DOWN,
	RPC_FOR_EXIT,
};
#define RPC_FORS	3	/* one past the last */
extern const char *const rpc_fors[RPC_FORS];

enum rpc_error {
	RPC_OK = 0,
	RPC_BAD_REQUEST,
	RPC_DENIED,
	RPC_BUSY,
	RPC_UNAVAILABLE,
	RPC_UNKNOWN_SERVICE,
	RPC_BOOTING,
	RPC_SHUTTING_DOWN,
	RPC_FAILED,
	RPC_SUPERSEDED,
	RPC_NOT_UP,
	RPC_NOT_PERMITTED,
	RPC_TIMEOUT,
};
#define RPC_ERRORS	13	/* one past the last */
extern const char *const rpc_errors[RPC_ERRORS];

struct rpc_limits {
	size_t		size;		/* bytes of a message */
	unsigned	depth;		/* of arrays and maps in each other */
};
extern const struct rpc_limits rpc_request_limits, rpc_reply_limits;
#define RPC_DEPTH_MAX	RPC_REPLY_DEPTH

enum rpc_check {
	RPC_COMPLETE,
	RPC_INCOMPLETE,
	RPC_MALFORMED,
};

enum rpc_check rpc_check(const void *, size_t length,
	    const struct rpc_limits *, size_t *bytes);

/* Looking into unpacked objects. */
bool	rpc_is(const msgpack_object *, const char *text);
const msgpack_object *rpc_find(const msgpack_object *map, const char *key);
bool	rpc_integer(const msgpack_object *, int64_t least, int64_t most,
	    int64_t *);
bool	rpc_bytes(const msgpack_object *, const char **, size_t *length);
bool	rpc_is_utf8(const char *, size_t length);

#endif
