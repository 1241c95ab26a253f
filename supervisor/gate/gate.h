/*
 * The gate: the only program that decodes what a client has sent.
 *
 * It is locked in (sandbox.c), reads services from the state table (view.c),
 * passes changes on to the supervisor one by one and waits for their outcome
 * (operation.c, outcome.c), and holds the connections (client.c, gate.c).
 */
#ifndef GATE_GATE_H
#define GATE_GATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/gate.h"
#include "proto/rpc.h"
#include "supervisor/gate/translate.h"

/* gate.c */
int64_t	now_ms(void);

/* client.c */
struct client {
	int		fd;		/* -1: gone, and this place is free ... */
	bool		busy;		/* ... unless its operation is not sent */
	bool		may_change;
	bool		pending;	/* has sent more than was looked at */
	bool		told_end;	/* when it goes, a shutdown may begin */
	size_t		received;	/* bytes of request */
	size_t		needed;		/* bytes before it is looked at again */
	int64_t		since_ms;	/* does what it does now */
	int64_t		deadline_ms;	/* to do it; 0: none */
	char		*output;	/* what the socket did not take yet */
	size_t		unsent, sent;
	struct operation *operation;
	struct subscription *subscription;
	struct follower	*follower;
	uint8_t		request[RPC_REQUEST_MAX];
};
extern struct client clients[RPC_CLIENTS_MAX];
extern bool descriptors_full;	/* none is left for another client */
void	client_receive(struct client *);
void	client_look(struct client *);
void	client_flush(struct client *);
bool	client_reads(const struct client *);
void	client_deadline(struct client *, int64_t limit_ms);
void	client_write(struct client *, const char *, size_t length);
void	client_error(struct client *, uint32_t msgid, enum rpc_error,
	    const char *message);
void	client_done(struct client *);
void	client_close(struct client *);

/* A reply is packed in one place before it is sent. */
msgpack_packer *reply_begin(void);
size_t	reply_length(void);
void	reply_send(struct client *);
void	reply_send_last(int fd);

/* view.c */
void	view_open(void);
bool	view_slot(unsigned, struct state_slot *,
	    char reason[STATE_REASON_MAX + 1]);
unsigned view_slots(void);
bool	view_means(const char *name, const char *service);
int	view_compare(const char *, const char *);
unsigned view_choose(const struct call *, uint8_t chosen[STATE_SLOTS],
	    uint8_t unknown[RPC_NAMES_MAX]);
void	view_status(struct client *, const struct call *);
const struct state_header *view_header(void);

/* operation.c */
enum stage {
	STAGE_UNSENT = 0,
	STAGE_ASKED,
	STAGE_WAITING,		/* accepted; the table will show it */
	STAGE_SETTLED,
};

#define NO_SLOT		UINT32_MAX	/* it is no service yet */

struct target {
	char		name[STATE_NAME_MAX + 1];	/* "": not a service's */
	uint32_t	slot;		/* or NO_SLOT */
	uint8_t		stage;
	uint8_t		error;		/* enum rpc_error */
	int32_t		detail;		/* of RPC_FAILED, RPC_TIMEOUT; a pid */
	uint32_t	ends;		/* of run, before it was asked for */
	char		*reason;	/* of RPC_FAILED, or NULL */
	bool		ended;		/* and how is the answer: */
	int32_t		exit_status;
};

struct operation {
	enum rpc_method	method;
	uint32_t	msgid;
	bool		wait;
	bool		late;		/* its time was up before all was sent */
	enum rpc_for	wait_for;	/* of RPC_WAIT */
	int32_t		number;
	int32_t		timeout_ms;
	unsigned	count, next, settled;
	int32_t		first, second;	/* of the reply to a single request */
	struct target	targets[];
};

/* What a method is to the supervisor. */
struct operation_kind {
	enum gate_request_type type;
	bool		named;		/* asked for each service */
};
extern const struct operation_kind operation_kinds[RPC_METHODS];
void	operation_start(struct client *, const struct call *);
void	operation_free(struct client *);
void	operation_give_up(struct client *);
void	operation_expire(struct client *);
void	operation_look(void);
unsigned operation_waiters(void);
void	operation_send(void);
bool	operation_receive(void);
void	operation_end_all(void);
bool	operation_alone(void);
bool	operation_refuse(struct client *, uint32_t msgid);
void	operation_tell(enum gate_request_type, int32_t number, uint32_t uid);

/* outcome.c */
void	outcome_settle(struct client *, struct target *, enum rpc_error,
	    int32_t detail);
void	outcome_refused(struct client *, struct target *, enum rpc_error,
	    int32_t detail);
void	outcome_fail(struct client *, struct target *,
	    const struct state_slot *, const char *reason);
bool	outcome_is_held(const struct state_slot *, const char *reason);
void	outcome_look(struct client *, struct target *);
void	outcome_answer(struct client *);

/* wait.c */
void	wait_begin(struct operation *);
void	wait_look(struct client *, struct target *);

/* subscription.c */
void	subscription_start(struct client *, const struct call *);
void	subscription_look(struct client *);

/* lines.c */
void	lines_start(struct client *, const struct call *);
void	lines_look(struct client *);
void	lines_look_all(void);
bool	lines_are_followed(void);

/* sandbox.c */
int	sandbox_enter(void);

#endif
