/*
 * The boundary between whoever writes a service directory and whoever reads one:
 * the supervisor, and initctl's show and check.  service(7) describes each file.
 *
 * Each setting is a file of its own.  What does not parse is a fault that names
 * file and line and says what was expected; nothing is guessed.
 */
#ifndef PROTO_SETTINGS_H
#define PROTO_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What a service directory may hold, as bits of a set: 1u << ENTRY_RUN ... */
enum entry {
	ENTRY_RUN,
	ENTRY_FINISH,
	ENTRY_CHECK,
	ENTRY_HEALTH,
	ENTRY_DOWN,
	ENTRY_LOG,
	ENTRY_CONTROL,
	ENTRY_ENV,
	ENTRY_DEPENDS,
	ENTRY_ESSENTIAL,
	ENTRY_TYPE,
	ENTRY_RESTART,
	ENTRY_EVERY,
	ENTRY_USER,
	ENTRY_UMASK,
	ENTRY_NICE,
	ENTRY_LIMITS,
	ENTRY_WORKING_DIRECTORY,
	ENTRY_OOM_SCORE_ADJ,
	ENTRY_NOTIFICATION_FD,
	ENTRY_TIMEOUT_UP,
	ENTRY_TIMEOUT_KILL,
	ENTRY_TIMEOUT_FINISH,
	ENTRY_TIMEOUT_WATCHDOG,
	ENTRY_DOWN_SIGNAL,
	ENTRY_RELOAD_SIGNAL,
	ENTRY_MAX_DEATH_TALLY,
	ENTRY_HEALTH_INTERVAL,
	ENTRY_HEALTH_THRESHOLD,
	ENTRY_LOG_PREFIX,
};
#define ENTRIES		30	/* one past the last */
#define ENTRY(name)	(UINT32_C(1) << ENTRY_##name)
extern const char *const entry_names[ENTRIES];

enum service_type {
	TYPE_LONGRUN,		/* run runs for as long as the service is up */
	TYPE_ONESHOT,		/* up is when run has ended well */
	TYPE_NOTIFY,		/* up is when it has said READY=1 */
};
#define SERVICE_TYPES	3
extern const char *const service_type_names[SERVICE_TYPES];

/* Is run started again when it has ended by itself? */
enum service_restart {
	RESTART_ALWAYS,
	RESTART_ON_FAILURE,	/* not after exit code 0 */
	RESTART_NEVER,
};
#define SERVICE_RESTARTS 3
extern const char *const service_restart_names[SERVICE_RESTARTS];

/* What each line of a service has before it in the container's output. */
enum log_prefix {
	PREFIX_GIVEN,		/* the container's choice */
	PREFIX_NONE,		/* lines are not looked at */
	PREFIX_NAME,
	PREFIX_TIME,		/* and name */
	PREFIX_JSON,		/* both, in an object a line */
};
#define LOG_PREFIXES	5
extern const char *const log_prefix_names[LOG_PREFIXES];	/* PREFIX_GIVEN: "" */

#define LIMITS_MAX		16
#define LIMIT_NONE		UINT64_MAX	/* "unlimited" */
#define SETTING_USER_MAX	127		/* bytes */
#define SETTING_PATH_MAX	1023
#define SETTING_FAULT_MAX	200		/* with its end */

struct service_limit {
	int		resource;	/* RLIMIT_ */
	uint64_t	soft, hard;
};
const char *limit_name(int resource);

/* The effective settings.  Times are milliseconds; -1 is "the container's". */
struct settings {
	enum service_type type;
	enum service_restart restart;
	enum log_prefix log_prefix;
	int64_t		every_ms;		/* 0: not repeated */
	int64_t		timeout_up_ms;		/* 0: none */
	int64_t		timeout_kill_ms;	/* 0: never; -1 */
	int64_t		timeout_finish_ms;	/* 0: never; -1 */
	int64_t		timeout_watchdog_ms;	/* 0: none */
	int64_t		health_interval_ms;
	unsigned	health_threshold;
	unsigned	max_death_tally;	/* 0: no limit */
	int		notification_fd;	/* or -1 */
	int		down_signal;
	int		reload_signal;
	int		umask;			/* or -1 */
	int		nice;			/* 0 unless it is given */
	int		oom_score_adj;		/* -1: not given */
	unsigned	limits;			/* how many there are */
	struct service_limit limit[LIMITS_MAX];
	char		user[SETTING_USER_MAX + 1];	/* USER[:GROUP], or "" */
	char		working_directory[SETTING_PATH_MAX + 1];	/* or "" */
};

#define HEALTH_INTERVAL_MS	10000
#define HEALTH_THRESHOLD	3

/*
 * The set of entries in a directory; 0 and an errno if it cannot be read.  The
 * descriptor's offset is used.
 */
uint32_t settings_list(int directory);

/* What holds where no file says otherwise. */
void	settings_default(struct settings *);

/*
 * Reads the files of these entries over the defaults.  Each fault is given to the
 * callback, as text without a newline ("umask: line 1: ..."), escaped; returns how
 * many there were.  A setting with a fault has its default.
 */
unsigned settings_read(int directory, uint32_t entries, struct settings *,
	    void (*fault)(void *argument, const char *text), void *argument);

/* Lines of a file that has several, as settings and depends do. */
char	*settings_line(char **text, unsigned *count);

/*
 * The text of a file below an open directory, with its end, into a buffer that has room
 * for a byte more than it may have.  Not NULL: why it cannot be read.
 */
const char *settings_text(int directory, const char *path, char *text, size_t size);

/* NULL, or why an entry that is to be a directory (env, control) is none. */
const char *settings_directory(int directory, enum entry);

#define DEPENDS_MAX	65536	/* bytes of depends */

/* Entries whose content settings_read reads: without them, all is default. */
extern const uint32_t settings_entries;

#endif
