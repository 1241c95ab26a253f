/* Reads what a service directory says of its service, one file a setting. */
#include <sys/stat.h>
#include <sys/syscall.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "proto/escape.h"
#include "proto/settings.h"
#include "proto/values.h"

#define FILE_MAX	4096	/* bytes of a setting */
#define SHOWN_MAX	60	/* ... of which a message shows so many */

const char *const entry_names[ENTRIES] = {
	[ENTRY_RUN] = "run",
	[ENTRY_FINISH] = "finish",
	[ENTRY_CHECK] = "check",
	[ENTRY_HEALTH] = "health",
	[ENTRY_DOWN] = "down",
	[ENTRY_LOG] = "log",
	[ENTRY_CONTROL] = "control",
	[ENTRY_ENV] = "env",
	[ENTRY_DEPENDS] = "depends",
	[ENTRY_ESSENTIAL] = "essential",
	[ENTRY_TYPE] = "type",
	[ENTRY_RESTART] = "restart",
	[ENTRY_EVERY] = "every",
	[ENTRY_USER] = "user",
	[ENTRY_UMASK] = "umask",
	[ENTRY_NICE] = "nice",
	[ENTRY_LIMITS] = "limits",
	[ENTRY_WORKING_DIRECTORY] = "working-directory",
	[ENTRY_OOM_SCORE_ADJ] = "oom-score-adj",
	[ENTRY_NOTIFICATION_FD] = "notification-fd",
	[ENTRY_TIMEOUT_UP] = "timeout-up",
	[ENTRY_TIMEOUT_KILL] = "timeout-kill",
	[ENTRY_TIMEOUT_FINISH] = "timeout-finish",
	[ENTRY_TIMEOUT_WATCHDOG] = "timeout-watchdog",
	[ENTRY_DOWN_SIGNAL] = "down-signal",
	[ENTRY_RELOAD_SIGNAL] = "reload-signal",
	[ENTRY_MAX_DEATH_TALLY] = "max-death-tally",
	[ENTRY_HEALTH_INTERVAL] = "health-interval",
	[ENTRY_HEALTH_THRESHOLD] = "health-threshold",
	[ENTRY_LOG_PREFIX] = "log-prefix",
};
_Static_assert(ENTRY_LOG_PREFIX + 1 == ENTRIES, "an entry has no name");

const uint32_t settings_entries = ENTRY(TYPE) | ENTRY(RESTART) | ENTRY(EVERY) |
    ENTRY(USER) | ENTRY(UMASK) | ENTRY(NICE) | ENTRY(LIMITS) |
    ENTRY(WORKING_DIRECTORY) | ENTRY(OOM_SCORE_ADJ) | ENTRY(NOTIFICATION_FD) |
    ENTRY(TIMEOUT_UP) | ENTRY(TIMEOUT_KILL) | ENTRY(TIMEOUT_FINISH) |
    ENTRY(TIMEOUT_WATCHDOG) | ENTRY(DOWN_SIGNAL) | ENTRY(RELOAD_SIGNAL) |
    ENTRY(MAX_DEATH_TALLY) | ENTRY(HEALTH_INTERVAL) | ENTRY(HEALTH_THRESHOLD) |
    ENTRY(LOG_PREFIX);

const char *const service_type_names[SERVICE_TYPES] = {
	[TYPE_LONGRUN] = "longrun",
	[TYPE_ONESHOT] = "oneshot",
	[TYPE_NOTIFY] = "notify",
};

const char *const service_restart_names[SERVICE_RESTARTS] = {
	[RESTART_ALWAYS] = "always",
	[RESTART_ON_FAILURE] = "on-failure",
	[RESTART_NEVER] = "never",
};

const char *const log_prefix_names[LOG_PREFIXES] = {
	[PREFIX_GIVEN] = "",
	[PREFIX_NONE] = "none",
	[PREFIX_NAME] = "name",
	[PREFIX_TIME] = "time",
	[PREFIX_JSON] = "json",
};

/* --- the set of entries ------------------------------------------------------- */

static uint32_t
entry_bit(const char *name)
{
	unsigned i;

	for (i = 0; i < ENTRIES; i++)
		if (strcmp(entry_names[i], name) == 0)
			return UINT32_C(1) << i;
	return 0;
}

/* As the kernel writes it (getdents64(2)); not every libc has a name for it. */
struct kernel_entry {
	uint64_t	inode;
	int64_t		offset;
	uint16_t	length;
	uint8_t		type;
	char		name[];
};

/* Not readdir(3), whose buffer is another allocation for each service. */
uint32_t
settings_list(int directory)
{
	static char buffer[8192] __attribute__((aligned(8)));
	const struct kernel_entry *entry;
	uint32_t entries = 0;
	long length, at;

	for (;;) {
		length = syscall(SYS_getdents64, directory, buffer,
		    sizeof(buffer));
		if (length <= 0)
			break;
		for (at = 0; at < length; at += entry->length) {
			entry = (const void *)(buffer + at);
			entries |= entry_bit(entry->name);
		}
	}
	if (length == 0)
		errno = 0;
	return length == 0 ? entries : 0;
}

/* --- one file ------------------------------------------------------------------ */

static char *
trim(char *line)
{
	char *end;

	line += strspn(line, " \t\r");
	end = line + strlen(line);
	while (end > line && strchr(" \t\r", end[-1]) != NULL)
		*--end = '\0';
	return line;
}

/*
 * Cuts the next line out of a text: one that is neither empty nor a comment, without
 * the blanks around it.  NULL: there is none.  *count goes up by each that was passed,
 * unless it is NULL.
 */
char *
settings_line(char **text, unsigned *count)
{
	char *line;

	while (*text != NULL && (line = strsep(text, "\n")) != NULL) {
		if (count != NULL)
			++*count;
		line = trim(line);
		if (*line != '\0' && *line != '#')
			return line;
	}
	return NULL;
}

struct reader {
	int		directory;
	struct settings	*settings;
	void		(*fault)(void *, const char *);
	void		*argument;
	unsigned	faults;
	enum entry	entry;		/* the one that is read */
	unsigned	line;
};

static void
complain(struct reader *reader, const char *found, const char *expected)
{
	char text[SETTING_FAULT_MAX], shown[SHOWN_MAX + 1];
	size_t length = SHOWN_MAX;

	found = escape(found);
	/* Not within a character. */
	while (length > 0 && strlen(found) > SHOWN_MAX &&
	    (found[length] & 0xc0) == 0x80)
		length--;
	snprintf(shown, sizeof(shown), "%.*s", (int)length, found);
	if (reader->line == 0)
		snprintf(text, sizeof(text), "%s: %s",
		    entry_names[reader->entry], expected);
	else
		snprintf(text, sizeof(text), "%s: line %u: \"%s\" is not %s",
		    entry_names[reader->entry], reader->line, shown, expected);
	reader->faults++;
	reader->fault(reader->argument, text);
}

const char *
settings_text(int directory, const char *path, char *text, size_t size)
{
	const char *why = NULL;
	ssize_t length = -1;
	struct stat st;
	int fd;

	fd = openat(directory, path,
	    O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd != -1 && fstat(fd, &st) == 0) {
		if (S_ISREG(st.st_mode))
			length = read(fd, text, size - 1);
		else
			errno = S_ISDIR(st.st_mode) ? EISDIR : EINVAL;
	}
	if (length == -1)
		why = errno == EINVAL ? "it is not a regular file" :
		    strerror(errno);
	else if ((size_t)length == size - 1)
		why = "it is too long";
	else if (memchr(text, '\0', (size_t)length) != NULL)
		why = "it holds a zero byte";
	else
		text[length] = '\0';
	if (fd != -1)
		close(fd);
	return why;
}

/* Takes over one that is a number, as set() does. */
static const char *
set_number(struct settings *settings, enum entry entry, const char *line)
{
	int64_t value;

	switch (entry) {
	case ENTRY_UMASK:
		if (!value_number(line, 8, 0, 0777, &value))
			return "an octal number such as 022";
		settings->umask = (int)value;
		return NULL;
	case ENTRY_NICE:
		if (!value_number(line, 10, -20, 19, &value))
			return "a number from -20 to 19";
		settings->nice = (int)value;
		return NULL;
	case ENTRY_OOM_SCORE_ADJ:
		if (!value_number(line, 10, 0, 1000, &value))
			return "a number from 0 to 1000 (to lower it takes a "
			    "right that containers lack)";
		settings->oom_score_adj = (int)value;
		return NULL;
	case ENTRY_NOTIFICATION_FD:
		if (!value_number(line, 10, 3, 1023, &value))
			return "a descriptor from 3 to 1023";
		settings->notification_fd = (int)value;
		return NULL;
	case ENTRY_MAX_DEATH_TALLY:
		if (!value_number(line, 10, 0, 4096, &value))
			return "a number from 0 to 4096";
		settings->max_death_tally = (unsigned)value;
		return NULL;
	case ENTRY_HEALTH_THRESHOLD:
		if (!value_number(line, 10, 1, 1000, &value))
			return "a number from 1 to 1000";
		settings->health_threshold = (unsigned)value;
		return NULL;
	default:
		return NULL;
	}
}

/* The same for times. */
static const char *
set_time(struct settings *settings, enum entry entry, const char *line)
{
	const char *milliseconds = "a number of milliseconds";

	switch (entry) {
	case ENTRY_EVERY:
		return value_interval(line, &settings->every_ms) ? NULL :
		    "an interval such as 30s, 5m, 1h or 1d";
	case ENTRY_HEALTH_INTERVAL:
		return value_interval(line, &settings->health_interval_ms) ? NULL :
		    "an interval such as 10s or 1m";
	case ENTRY_TIMEOUT_UP:
		return value_milliseconds(line, 0, &settings->timeout_up_ms) ?
		    NULL : milliseconds;
	case ENTRY_TIMEOUT_KILL:
		return value_milliseconds(line, 0, &settings->timeout_kill_ms) ?
		    NULL : milliseconds;
	case ENTRY_TIMEOUT_FINISH:
		return value_milliseconds(line, 0, &settings->timeout_finish_ms) ?
		    NULL : milliseconds;
	case ENTRY_TIMEOUT_WATCHDOG:
		return value_milliseconds(line, 1, &settings->timeout_watchdog_ms) ?
		    NULL : milliseconds;
	default:
		return set_number(settings, entry, line);
	}
}

/* Takes a value over; what was expected if it is none, or NULL. */
static const char *
set(struct settings *settings, enum entry entry, char *line)
{
	unsigned chosen;

	switch (entry) {
	case ENTRY_TYPE:
		if (!value_word(line, service_type_names, SERVICE_TYPES, &chosen))
			return "longrun, oneshot or notify";
		settings->type = chosen;
		return NULL;
	case ENTRY_RESTART:
		if (!value_word(line, service_restart_names, SERVICE_RESTARTS,
		    &chosen))
			return "always, on-failure or never";
		settings->restart = chosen;
		return NULL;
	case ENTRY_LOG_PREFIX:
		if (!value_word(line, log_prefix_names, LOG_PREFIXES, &chosen))
			return "name, time, json or none";
		settings->log_prefix = chosen;
		return NULL;
	case ENTRY_USER:
		return *line != '-' && strpbrk(line, " \t") == NULL &&
		    value_copy(line, settings->user, sizeof(settings->user)) ? NULL :
		    "USER or USER:GROUP";
	case ENTRY_LIMITS:
		return value_limit(settings, line) ? NULL : "NAME SOFT HARD, as in "
		    "\"nofile 1024 4096\" (names of prlimit(1); \"unlimited\")";
	case ENTRY_WORKING_DIRECTORY:
		return *line == '/' && value_copy(line, settings->working_directory,
		    sizeof(settings->working_directory)) ? NULL :
		    "an absolute path";
	case ENTRY_DOWN_SIGNAL:
		return value_signal(line, &settings->down_signal) ? NULL :
		    "the name or number of a signal (QUIT, SIGQUIT or 3)";
	case ENTRY_RELOAD_SIGNAL:
		return value_signal(line, &settings->reload_signal) ? NULL :
		    "the name or number of a signal (USR2, SIGUSR2 or 12)";
	default:
		return set_time(settings, entry, line);
	}
}

/* The lines of one setting, of which limits has several and the others have one. */
static void
read_lines(struct reader *reader, char *rest)
{
	bool several = reader->entry == ENTRY_LIMITS, any = false;
	char found[FILE_MAX + 1], *line;
	const char *expected;

	while ((line = settings_line(&rest, &reader->line)) != NULL) {
		if (any && !several) {
			complain(reader, line, "expected: a setting is one "
			    "line");
			return;
		}
		any = true;
		strcpy(found, line);
		expected = set(reader->settings, reader->entry, line);
		if (expected != NULL)
			complain(reader, found, expected);
	}
	/* To be there is enough. */
	if (!any && reader->entry == ENTRY_LOG_PREFIX) {
		reader->settings->log_prefix = PREFIX_NAME;
	} else if (!any && !several) {
		reader->line = 0;
		complain(reader, "", "it is empty (write a value into it, or "
		    "remove it)");
	}
}

/* Its lines before a fault do not count, either. */
static void
read_setting(struct reader *reader)
{
	struct settings before = *reader->settings;
	char text[FILE_MAX + 1];
	const char *why = settings_text(reader->directory,
	    entry_names[reader->entry], text, sizeof(text));
	unsigned faults = reader->faults;

	reader->line = 0;
	if (why != NULL)
		complain(reader, "", why);
	else
		read_lines(reader, text);
	if (reader->faults > faults)
		*reader->settings = before;
}

const char *
settings_directory(int directory, enum entry entry)
{
	struct stat st;

	if (fstatat(directory, entry_names[entry], &st, 0) == 0 &&
	    S_ISDIR(st.st_mode))
		return NULL;
	return entry == ENTRY_ENV ?
	    "it is not a directory (it is one of files, one for each variable)" :
	    "it is not a directory (it is one of programs, as in control/t)";
}

void
settings_default(struct settings *settings)
{
	*settings = (struct settings){
		.type = TYPE_LONGRUN, .restart = RESTART_ALWAYS,
		.timeout_kill_ms = -1, .timeout_finish_ms = -1,
		.health_interval_ms = HEALTH_INTERVAL_MS,
		.health_threshold = HEALTH_THRESHOLD,
		.notification_fd = -1, .down_signal = SIGTERM,
		.reload_signal = SIGHUP, .umask = -1, .oom_score_adj = -1,
	};
}

unsigned
settings_read(int directory, uint32_t entries, struct settings *settings,
    void (*fault)(void *, const char *), void *argument)
{
	struct reader reader = {
		.directory = directory, .settings = settings, .fault = fault,
		.argument = argument,
	};
	unsigned i;

	settings_default(settings);
	for (i = 0; i < ENTRIES; i++) {
		if (!(entries & settings_entries & (UINT32_C(1) << i)))
			continue;
		reader.entry = i;
		read_setting(&reader);
	}
	/* A oneshot that has failed is not a service that has crashed. */
	if (settings->type == TYPE_ONESHOT && !(entries & ENTRY(RESTART)))
		settings->restart = RESTART_NEVER;
	reader.line = 0;
	if (settings->every_ms > 0 && settings->type != TYPE_ONESHOT) {
		reader.entry = ENTRY_EVERY;
		complain(&reader, "", "only a oneshot can be repeated (echo "
		    "oneshot >type)");
		settings->every_ms = 0;
	}
	if (settings->timeout_watchdog_ms > 0 && settings->type != TYPE_NOTIFY) {
		reader.entry = ENTRY_TIMEOUT_WATCHDOG;
		complain(&reader, "", "only the type notify can say that it "
		    "lives (echo notify >type)");
	}
	return reader.faults;
}
