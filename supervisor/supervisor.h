/*
 * The supervisor: one process, one libevent loop, no polling.
 *
 * What happens is an event; fsm.c decides what a service does about it,
 * service.c does it, and the state table (proto/state.h) remembers it.  Boot and
 * shutdown are steps that look at the table and go on from there, so a
 * supervisor that was started again continues as if it had been there.
 */
#ifndef SUPERVISOR_H
#define SUPERVISOR_H

#include <sys/types.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <event2/event.h>
#include <event2/event_struct.h>

#include "proto/escape.h"
#include "proto/gate.h"
#include "proto/settings.h"
#include "proto/state.h"
#include "supervisor/fsm.h"

#define SERVICE_DIRECTORY	"/etc/service"
#define STARTUP_DIRECTORY	"/etc/my_init.d"
#define RC_LOCAL		"/etc/rc.local"
#define PRE_SHUTDOWN_DIRECTORY	"/etc/my_init.pre_shutdown.d"
#define POST_SHUTDOWN_DIRECTORY	"/etc/my_init.post_shutdown.d"
#define ENABLE_INSECURE_KEY	"/usr/sbin/enable_insecure_key"
#define SETUSER			"/sbin/setuser"
#define ENVIRONMENT_DIRECTORY	"/etc/container_environment"
#define ENVIRONMENT_SH		"/etc/container_environment.sh"
#define ENVIRONMENT_JSON	"/etc/container_environment.json"

#define FINISH_GRACE_MS		5000	/* at least this for finish at a stop */

/* main.c */
#define PRIORITY_IDLE	2	/* of an event, instead of 1: after all others */
extern struct event_base *base;
extern bool terminal;	/* stdin is our session's terminal */
extern int given_directory;	/* the one my_init was started in, or -1 */
int64_t	now_ms(void);
void	timer_arm(struct event *, int64_t deadline_ms);
void	leave(int code, int64_t grace_ms) __attribute__((noreturn));

/* options.c */
struct options {
	bool		insecure_key;
	bool		skip_startup_files;
	bool		skip_services;
	bool		wait_ready;	/* with the main command, for services */
	bool		no_sweep;
	bool		quiet;
	bool		twice;		/* my_init was its own main command */
	char		**command;	/* NULL: none; else as for execve(2) */
	const char	*startup_directory;
	int64_t		stop_grace_ms;
	int64_t		sweep_grace_ms;
	enum log_prefix	log_prefix;	/* of services without a file for it */
};
extern struct options options;
void	options_parse(int argc, char **argv);
void	options_read_environment(bool say);

/*
 * log.c: lines on stderr that begin with "*** ".  Never blocks: what stderr
 * does not take is dropped and counted.  Arguments that come from outside go
 * through escape() of proto/escape.h first.
 */
void	log_info(const char *, ...) __attribute__((format(printf, 1, 2)));
void	log_warn(const char *, ...) __attribute__((format(printf, 1, 2)));

/* explain.c */
const char *explain_exec(const char *path, int error);

/* environment.c */
#define ENVIRONMENT_VARIABLES_MAX	8192
#define ENVIRONMENT_BYTES_MAX		(1536 * 1024)
#define ENVIRONMENT_STRING_MAX		131071	/* NAME=VALUE, Linux's limit */
void	environment_take(char **envp);
char	**environment(void);
const char *environment_get(const char *name);
bool	environment_import(const char *directory, bool again, bool exported);
bool	environment_is_personal(const char *name, size_t length);
bool	environment_can_be_file(const char *name, size_t length);

/* dump.c */
bool	dump_directory(const char *directory, char **envp);
void	dump_sh(const char *path, char **envp);
void	dump_json(const char *path, char **envp);

/* table.c */
extern struct state_table *table;
bool	table_open(void);
int32_t	table_ticket(void);
bool	table_recover_pid(_Atomic int32_t *);
void	table_change(_Atomic uint32_t *sequence);
void	table_changed(_Atomic uint32_t *sequence);

/* spawn.c */
struct spawn {
	const char	*path;
	char		**argv;
	const char	*directory;	/* to run in, or NULL: ... */
	int		directory_fd;	/* ... this one, or -1: / */
	_Atomic int32_t	*pid;		/* where the child writes its own */
	bool		search;		/* path is looked up in $PATH */
	bool		service;	/* own session, nothing on stdin */
	bool		silent;		/* nothing on stdout, either */
	const struct settings *settings; /* what run runs as, or NULL */
	int		notification;	/* to be its notification-fd, or 0 */
	int		input, output;	/* stdin, stdout; 0: as above, ours */
	int		error;		/* stderr; 0: ours */
	bool		given_signals;	/* mask and ignored as my_init's were */
	bool		blocked_signals; /* all, until it wants to hear of them */
	char		**environment;	/* NULL: that of all children */
	const int	*descriptors;	/* to be 3, 4, ...; 0 to 2 are null */
	int		descriptors_count;
};
int	spawn(const struct spawn *);
/* What could not be done before the program was executed, or NULL; with it, which. */
extern const char *spawn_failed, *spawn_failed_detail;

/* reap.c: every process started here, and what to do when it ends. */
struct process {
	pid_t		pid;
	bool		adopted;	/* a child of a supervisor before us */
	int64_t		started_ms;
	struct process	*next;
	/* First its end is written to the table, then it is reaped, then: */
	void		(*record)(struct process *, pid_t, int status);
	void		(*ended)(struct process *);
};
void	process_watch(struct process *, pid_t, int64_t started_ms, bool adopted);
void	reap_children(void);
void	reap_orphan(pid_t, int status);
void	reap_check_adopted(void);
int	status_code(int status);

/* group.c: what a process leaves behind in its process group. */
struct group {
	pid_t		id;
	int		member;		/* pidfd of one that is waited for */
	struct event	event;
	void		(*gone)(void *);
	void		*argument;
};
struct group *group_end(pid_t, void (*gone)(void *), void *argument);
void	group_kill(struct group *);

/* task.c: what a script and the main command have in common. */
struct task {
	struct process	process;
	struct event	timer;
	struct group	*group;		/* what it left, while it is ended */
	pid_t		pid;		/* its last */
	struct state_process *record;
	char		name[128];	/* for messages */
	bool		ends_group;	/* what it leaves is always ended */
	bool		background;	/* it never had the terminal */
	void		(*done)(void);	/* it and its group are over */
};
void	task_init(struct task *, struct state_process *);
int	task_start(struct task *, struct spawn *, int64_t limit_ms);
bool	task_is_busy(const struct task *);
void	task_stop(struct task *);
void	task_hurry(struct task *);
void	task_resume(struct task *);

/* service.c */
struct service {
	struct process	process;	/* run or finish */
	struct event	*timer;		/* of its slot's deadline; or NULL */
	struct group	*group;		/* what run left, while it is ended */
	struct hook	*hooks;		/* of control/, that run now */
	struct depends	*depends;	/* during the end: order.c's */
	struct probe	*probe;		/* check or health */
	struct watchdog	*watchdog;
	struct settings	*settings;	/* NULL: the defaults */
	int64_t		reloaded_ms;	/* it was sent its reload-signal */
	ino_t		link;		/* of its symbolic link, or 0 */
	int		directory;	/* kept open for its programs, or -1 */
	int		pipe;		/* to its logger, or -1 */
	int		lines;		/* to the collector, or -1 */
	int		control, lock;	/* claim.c: kept open there, or -1 */
	int		successor;	/* pidfd of what it has named last, or -1 */
	uint32_t	entries;	/* of its directory, as it was read last ... */
	bool		broken : 1;	/* ... and something in it did not parse */
	bool		held : 1;	/* its reason is what keeps it down */
	bool		noted : 1;	/* supervise.c: it is yet to be written, */
	uint8_t		refused : 2;	/* and cannot be */
	uint8_t		told;		/* bits of word.c: what it was told */
	uint16_t	channel;	/* 1 + its number there, or 0 */
	uint16_t	seen;		/* number of the scan that last saw it */
	/* Numbers of services plus 1: */
	uint16_t	next;		/* in index.c: of its bucket */
	uint16_t	next_noted;
	uint16_t	waits_for;	/* depend.c */
	uint16_t	waiters;	/* the first of those that wait for it */
	uint16_t	next_waiter;
	uint32_t	complaint;	/* what was said of its depends last */
	uint32_t	visit;
	uint32_t	needed;		/* order.c: by so many that run */
};
void	service_prepare(struct service *);
void	service_timer(struct service *, int64_t deadline_ms);
void	service_event(struct service *, enum service_event);
unsigned services_active(bool early);
void	services_resume(void);

/* ending.c: what the end of run means */
void	ending_name(struct service *, pid_t successor, int pidfd);
bool	ending_is_none(struct service *, pid_t, int status);
void	ending_count(struct service *);
void	ending_died(struct service *, int status);
bool	ending_was_good(const struct state_slot *);
void	ending_explain(struct service *, const struct service_policy *);
bool	ending_is_all(struct service *, bool failed,
	    const struct service_policy *);
void	ending_all(struct service *);

/* want.c: what is asked of services. */
void	service_want(struct service *, enum service_want, bool removed);
void	service_restart(struct service *);
int	service_signal(struct service *, int signo);
int	service_deliver(struct service *, int signo);
void	service_signalled(struct service *, int signo);
void	services_start(void);
void	services_stop(bool early);
void	services_hurry(void);

/* run.c: a service's directory, and the processes that come of it */
const char *run_path(const struct state_slot *, const char *file);
bool	run_has(const struct service *, const char *file);
enum program {
	PROGRAM_RUN,
	PROGRAM_OTHER,		/* finish, control/X */
	PROGRAM_PROBE,		/* check, health */
};
int	run_spawn(struct service *, enum program, char **argv,
	    _Atomic int32_t *pid);
void	run_start(struct service *);
void	run_begin(struct service *);
void	run_finish(struct service *);
int64_t	run_started_ms(const struct state_slot *);
const char *run_explain(const struct service *, const char *file, int error);
void	run_signal(struct service *, int signo);
void	run_force(struct service *);

/* hook.c: control/X, in place of a signal or beside a start or stop */
bool	hook_start(struct service *);
void	hook_stop(struct service *);
bool	hook_signal(struct service *, int signo);
int	hook_signo(char character);
bool	hook_stops(const struct service *);
void	hook_kill(struct service *);
void	hook_forget(struct service *);

/* logger.c: log/run */
bool	logger_is_one(const struct service *);
struct service *logger_of(const struct service *);
void	logger_hold(struct service *);
int	logger_input(const struct service *logger);
void	logger_start(struct service *);
bool	logger_stop(struct service *logger);
void	logger_forget(struct service *);

/* lines.c: log-prefix, and the collector */
void	lines_hold(struct service *);
void	lines_release(struct service *);
void	lines_ended(struct service *);
void	lines_resume(void);
bool	lines_end(void);
int	lines_wake_fd(void);
void	lines_watch(bool);

/* supervise.c: supervise/, as runsv has it */
void	supervise_note(struct service *);
void	supervise_tell(struct service *);
void	supervise_forget(struct service *);
void	supervise_write(void);
void	supervise_begin(void);

/* probe.c: check and health */
void	probe_follow(struct service *);
void	probe_end(struct service *);
void	probe_resume(struct service *);

/* notify.c: what services say of themselves */
const char *notify_address(void);
int	notify_connect(struct service *);
void	notify_read(void);
struct service *notify_sender(pid_t);
bool	notify_is_heir(const struct service *, pid_t);
void	notify_resume(void);

/* word.c: what they may say */
void	word_heed(struct service *, char *text, uid_t);
void	word_newline(struct service *, const char *text, size_t length);

/* watchdog.c */
void	watchdog_follow(struct service *);
void	watchdog_set(struct service *, int64_t limit_us);
void	watchdog_heard(struct service *);
void	watchdog_trigger(struct service *);
void	watchdog_end(struct service *);

/* files.c: how many may be open */
#define FILES_WAY_OUT	" (give my_init more of them: docker run --ulimit nofile)"
void	files_open(void);
int	files_give_back(void);
bool	files_may_keep(int fd, bool needed);

/* variables.c: a service's own environment */
char	**variables_begin(const struct service *, bool run, int *error);
void	variables_end(void);

/* depend.c: what has to be up before a service starts */
char	*depend_read(const struct service *, const char **why);
bool	depend_blocks(struct service *);
void	depend_up(struct service *);
void	depend_failed(struct service *);
bool	depend_is_stuck(const struct service *);
void	depend_start(struct service *);
uint32_t depend_visit(void);
void	depend_forget(struct service *);

/* order.c: what has to be down before a service ends */
void	order_begin(bool early);
void	order_stop(struct service *);
void	order_resume(void);
void	order_release(struct service *);
bool	order_holds(const struct service *);
bool	order_end(void);
void	order_down(struct service *);
bool	order_is_circle(unsigned left);

/* index.c: which services there are, by slot and by name */
struct state_slot *service_slot(const struct service *);
struct service *service_next(const struct service *);
struct service *service_at(unsigned);
uint16_t service_number(const struct service *);
struct service *service_add(const char *name, enum service_want, bool early);
void	service_remove(struct service *);
uint32_t index_hash(const char *);
struct service *index_find(const char *name);
void	index_insert(struct service *);

/* setting.c: what a service's directory says of it */
bool	setting_load(struct service *);
void	setting_fault(struct service *, enum entry, const char *why);
void	setting_forget(struct service *);
const struct settings *setting_of(const struct service *);
bool	setting_is_ready_later(const struct service *);
int64_t	setting_stop_grace_ms(const struct service *);
int64_t	setting_finish_grace_ms(const struct service *);
int64_t	setting_longest_grace_ms(void);

/* reason.c: why a service has failed or been restarted */
void	reason_clear(struct service *);
void	reason_say(struct service *, const char *);
bool	reason_is_said(const struct service *, const char *);
void	reason_set(struct service *, const char *, ...)
	    __attribute__((format(printf, 2, 3)));

/* scan.c */
struct scan_result { unsigned added, removed; };
void	scan_start(void);
void	scan_end(void);
struct scan_result scan_services(void);
bool	scan_finds(const char *name);
struct service *scan_early(const char *name);

/* script.c: scripts, one after the other. */
bool	script_next(const char *directory, char *path, size_t size);
bool	script_can_run(const char *path);
void	script_begin(const char *path);
bool	script_under_way(void);
bool	script_is_stuck(void);
bool	script_ended(int *status);
void	script_finish(void);
bool	script_report(int status);
void	script_stop(void);
void	script_hurry(void);
void	script_resume(void);

/* command.c: the main command. */
bool	command_start(void);
bool	command_runs(void);
bool	command_has_begun(void);
bool	command_is_over(void);
void	command_report(void);
void	command_stop(void);
void	command_hurry(void);
void	command_forward(int signo);
void	command_resume(void);

/* boot.c */
extern bool boot_waits;	/* for services to be ready: changes are of interest */
void	boot_look(void);
void	boot_step(void);
void	boot_resume(void);

/* shutdown.c */
void	shutdown_begin(int code);
bool	shutdown_starts_none(void);
void	shutdown_promise(int code, int32_t grace_ms);
void	shutdown_ask(int code, int32_t grace_ms);
void	shutdown_step(void);
void	shutdown_hurry(void);

/* control.c: what the gate asks for. */
bool	control_answer(const struct gate_request *, struct gate_reply *);
void	control_delivered(void);

/* directory.c: one of our own, for what others open */
bool	directory_take(const char *path, bool resumed);
const char *directory_path(void);
int	directory_of_pipes(const char *name);
int	directory_open_pipe(const char *directory, const char *name, int flags);

/* gatekeeper.c: the control socket and the gate. */
void	gatekeeper_open(bool resumed);
const char *gatekeeper_directory(void);
bool	gatekeeper_is_busy(void);
void	gatekeeper_check(void);
void	gatekeeper_wake(void);
void	gatekeeper_close(void);

/* other.c: another my_init in this container. */
void	other_check(void);

/* key.c: enable_insecure_key at run time. */
enum gate_answer key_run(int32_t *error);
void	key_resume(void);

/* signal.c */
void	signal_open(void);
void	signal_stop(int signo);
void	signal_resume(void);
bool	signal_is_pending(void);

#endif
