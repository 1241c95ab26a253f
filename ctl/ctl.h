/*
 * initctl: the client.  Static, and without a process or thread of its own: it
 * works in a container in which no process can be made any more.
 *
 * One program, two sets of manners: initctl.c, and sv.c for those who call it so.
 */
#ifndef CTL_CTL_H
#define CTL_CTL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <msgpack/unpack.h>

#include "proto/escape.h"
#include "proto/rpc.h"
#include "proto/settings.h"
#include "proto/state.h"

#define SERVICE_DIRECTORY	"/etc/service"

/* Exit codes of initctl, the gravest first. */
enum exit_code {
	EXIT_DONE = 0,
	EXIT_FAILED = 1,
	EXIT_USAGE = 2,
	EXIT_NOT_UP = 3,
	EXIT_UNKNOWN = 4,
	EXIT_UNREACHABLE = 5,
	EXIT_TIMED_OUT = 6,
	EXIT_DENIED = 7,
};

/* client.c */
struct parameters {
	const char	*const *names;	/* NULL: none are sent */
	unsigned	count;
	bool		no_wait;
	int64_t		timeout_ms;	/* -1: not sent */
	const char	*signal;	/* or NULL; a number is sent as one */
	int		exit_code;	/* -1: not sent */
	const char	*wait_for;	/* or NULL */
	bool		only;
	int64_t		lines;		/* -1: not sent */
	bool		follow;
	bool		pattern;	/* a name is one; not sent */
	bool		health;		/* of status, and not sent */
};
#define PARAMETERS_NONE	{ .timeout_ms = -1, .exit_code = -1, .lines = -1 }

enum client_result {
	CLIENT_ANSWERED,	/* error or result is there */
	CLIENT_NO_SOCKET,	/* there is no such file */
	CLIENT_UNREACHABLE,	/* errno says why */
	CLIENT_TIMED_OUT,
	CLIENT_NONSENSE,	/* what was received is no response */
	CLIENT_TOO_LONG,	/* the request would be */
};

struct answer {
	msgpack_zone	zone;		/* of what message points to */
	msgpack_object	message;
	const msgpack_object *error, *result;	/* one of them is NULL */
	char		*bytes;
	size_t		length;		/* of the message in them */
};

extern const char *client_socket;	/* NULL: where it usually is */
const char *client_socket_tried(void);
bool	client_has_socket(void);
enum client_result client_call(enum rpc_method, const struct parameters *,
	    struct answer *);
enum client_result client_next(struct answer *);
void	client_free(struct answer *);
bool	client_read(const char *, size_t, struct answer *);
int64_t	now_ms(void);

/* command.c: options that not every command takes, ... */
enum option_bit {
	OPTION_TIMEOUT = 1,
	OPTION_NO_WAIT = 2,
	OPTION_CODE = 4,
	OPTION_ONLY = 8,
	OPTION_WAIT_FOR = 16,	/* --ready, --down, --any-exit */
	OPTION_DOT = 32,
	OPTION_LINES = 64,
	OPTION_FOLLOW = 128,
};
#define OPTION_LAST	OPTION_FOLLOW

/* ... and commands. */
struct command {
	const char	*name;
	enum rpc_method	method;		/* 0: nobody is asked */
	unsigned	takes;		/* option bits */
	int		least, most;	/* arguments; -1: any number */
	const char	*arguments;
	const char	*help;
};

extern struct options {
	bool		json;
	unsigned	given;		/* option bits */
	const char	*spelling[OPTION_LAST + 1];	/* of each, as it was given */
	struct parameters parameters;
} options;
int	written(void);
void	print_help(void) __attribute__((noreturn));
void	usage_error(const char *, ...)
	    __attribute__((noreturn, format(printf, 1, 2)));
void	parse_options(int argc, char **argv);
const struct command *find_command(const char *name);
void	check_options(const struct command *);

/* json.c */
void	json_print(FILE *, const msgpack_object *);
void	json_string(FILE *, const char *, size_t length);

/* print.c */
const char *text_of(const msgpack_object *);
int64_t	number_of(const msgpack_object *map, const char *key, int64_t fallback);
bool	is_true(const msgpack_object *map, const char *key);
bool	is_state(const msgpack_object *service, const char *state);
void	print_exit(const msgpack_object *end);
void	print_end(const msgpack_object *service);
void	print_status(const msgpack_object *result);
void	print_change(const msgpack_object *service);
unsigned distance(const char *, const char *);

/* report.c */
extern int worst;
void	note(enum exit_code);
void	report_impossible(const char *name);
enum exit_code code_of_error(const msgpack_object *error);
void	report_unknowns(const msgpack_object *result);
void	report_refused(const msgpack_object *service);
void	report_no_answer(enum client_result, bool json);
void	report_result(enum rpc_method, const struct parameters *,
	    const msgpack_object *result, bool json);

/* logs.c */
void	logs_report(const struct parameters *, const msgpack_object *result,
	    bool json);
void	logs_print(const msgpack_object *service);

/* follow.c */
bool	follow(bool json, void (*print)(const msgpack_object *));

/* directory.c: services as their directories say, without a supervisor. */
void	*grown(void *, size_t count, size_t size);
int	directory_names(int parent, const char *path, char ***);
int	directory_services(int directory, char ***);
bool	directory_means(const char *name, const char *service);
void	directory_free(char **, int count);
const char *service_name(char *);
bool	is_pattern(const char *);
char	*depends_read(int directory, const char **why);

/* value.c: what a setting is, in words. */
struct value {
	enum entry	entry;
	bool		is_none;	/* nothing is given, and nothing holds */
	const char	*word;		/* NULL: it is a number */
	int64_t		number;
	const char	*text;		/* for people; until the next call */
};
#define VALUES		20
struct value value_of(const struct settings *, unsigned);
const char *limit_in_words(uint64_t, char buffer[24]);

/* show.c */
void	show_services(int argc, char **argv);

/* order.c: in which order services are started. */
struct ordered {
	const char	*name;
	unsigned	*needs;		/* what it depends on: indexes */
	unsigned	need_count;
	unsigned	level;		/* 0: it is never started */
	bool		blocked;	/* by what it depends on itself */
	bool		chosen;		/* to be shown */
	unsigned	visit, lowest;	/* while circles are looked for */
	bool		on_stack;
};
int	order_read(const char *path, struct ordered **,
	    void (*fault)(const char *name, const char *text));

/* check.c */
void	check_services(int argc, char **argv);

/* graph.c */
void	graph_services(int argc, char **argv);

/* sv.c */
int	sv_main(int argc, char **argv);

/* sv_service.c: services, in runit's terms. */
struct target {
	const char	*given;		/* as the user calls it */
	char		name[STATE_NAME_MAX + 1];
	int		directory;	/* -1: it is dealt with */
	/* What the supervisor said last. */
	int		pid;		/* 0: none */
	enum { DOWN, RUN, FINISH } state;
	int64_t		seconds;	/* in this state */
	bool		since_asked;	/* it began after we did */
	bool		want_up, paused, got_term;
	bool		starting;	/* it runs, and is not ready */
	bool		done;		/* a oneshot that has ended well */
	struct target	*log;		/* its logger, if that is asked for */
	char		*failure;	/* a line to be printed in its turn */
};
extern bool targets_in_order;	/* print no failure before its turn */
extern struct target *targets;
extern int target_count;
extern int target_failures;
extern int64_t began_ms;
void	target_open(struct target *, const char *given);
void	target_open_log(struct target *);
void	target_done(struct target *);
void	target_print(const struct target *);
int	targets_open(void);
void	targets_look(void);
void	targets_control(char);

#endif
