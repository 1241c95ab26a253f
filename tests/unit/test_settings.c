/* What the files of a service directory say: each good, missing and broken. */
#include <sys/resource.h>
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "proto/settings.h"
#include "proto/state.h"
#include "proto/values.h"
#include "tests/unit/directory.h"

#define DAY_MS		(INT64_C(24) * 3600 * 1000)
#define COUNT(array)	(sizeof(array) / sizeof((array)[0]))

static int directory_fd;

static struct settings settings;	/* what was read last ... */
static unsigned fault_count;		/* ... and what was wrong with it */
static char faults[32][SETTING_FAULT_MAX];

static int
set_up(void **state)
{
	make_directory(state);
	directory_fd = open(directory, O_RDONLY | O_DIRECTORY);
	return directory_fd == -1;
}

static int
tear_down(void **state)
{
	close(directory_fd);
	return remove_directory(state);
}

/* Whatever is there by that name, a directory, too. */
static void
take_away(const char *name)
{
	unlinkat(directory_fd, name, 0);
	unlinkat(directory_fd, name, AT_REMOVEDIR);
}

static void
put(const char *name, const char *bytes, size_t length)
{
	int fd = openat(directory_fd, name, O_WRONLY | O_CREAT | O_TRUNC, 0644);

	assert_int_not_equal(fd, -1);
	assert_int_equal(write(fd, bytes, length), length);
	close(fd);
}

static void
put_text(const char *name, const char *text)
{
	put(name, text, strlen(text));
}

static void
fault_cb(void *argument, const char *text)
{
	assert_ptr_equal(argument, faults);
	assert_true(fault_count < COUNT(faults));
	assert_true(strlen(text) < SETTING_FAULT_MAX);
	strcpy(faults[fault_count++], text);
}

static uint32_t
list(void)
{
	assert_int_equal(lseek(directory_fd, 0, SEEK_SET), 0);
	return settings_list(directory_fd);
}

/* Reads the directory as it is now. */
static void
read_all(void)
{
	unsigned count;

	fault_count = 0;
	memset(&settings, 0x55, sizeof(settings));
	count = settings_read(directory_fd, list(), &settings, fault_cb, faults);
	assert_int_equal(count, fault_count);
}

/* The value of a setting that is a number. */
static int64_t
number_of(const struct settings *s, enum entry entry)
{
	switch (entry) {
	case ENTRY_TYPE:
		return s->type;
	case ENTRY_RESTART:
		return s->restart;
	case ENTRY_LOG_PREFIX:
		return s->log_prefix;
	case ENTRY_EVERY:
		return s->every_ms;
	case ENTRY_UMASK:
		return s->umask;
	case ENTRY_NICE:
		return s->nice;
	case ENTRY_LIMITS:
		return s->limits;
	case ENTRY_OOM_SCORE_ADJ:
		return s->oom_score_adj;
	case ENTRY_NOTIFICATION_FD:
		return s->notification_fd;
	case ENTRY_TIMEOUT_UP:
		return s->timeout_up_ms;
	case ENTRY_TIMEOUT_KILL:
		return s->timeout_kill_ms;
	case ENTRY_TIMEOUT_FINISH:
		return s->timeout_finish_ms;
	case ENTRY_TIMEOUT_WATCHDOG:
		return s->timeout_watchdog_ms;
	case ENTRY_DOWN_SIGNAL:
		return s->down_signal;
	case ENTRY_RELOAD_SIGNAL:
		return s->reload_signal;
	case ENTRY_MAX_DEATH_TALLY:
		return s->max_death_tally;
	case ENTRY_HEALTH_INTERVAL:
		return s->health_interval_ms;
	case ENTRY_HEALTH_THRESHOLD:
		return s->health_threshold;
	default:
		return 0;
	}
}

/* The value of one that is a text; of a number, "". */
static const char *
text_of(const struct settings *s, enum entry entry)
{
	return entry == ENTRY_USER ? s->user :
	    entry == ENTRY_WORKING_DIRECTORY ? s->working_directory : "";
}

static void
assert_default(enum entry entry)
{
	struct settings expected;

	settings_default(&expected);
	if (number_of(&settings, entry) != number_of(&expected, entry) ||
	    strcmp(text_of(&settings, entry), text_of(&expected, entry)) != 0)
		fail_msg("%s is not its default but %lld \"%s\"",
		    entry_names[entry], (long long)number_of(&settings, entry),
		    text_of(&settings, entry));
}

/* --- the set of entries --------------------------------------------------------- */

static void
an_empty_directory_has_the_defaults(void **state)
{
	static const struct {
		enum entry	entry;
		int64_t		value;
	} rows[] = {
		{ ENTRY_TYPE, TYPE_LONGRUN },
		{ ENTRY_RESTART, RESTART_ALWAYS },
		{ ENTRY_EVERY, 0 },
		{ ENTRY_UMASK, -1 },
		{ ENTRY_NICE, 0 },
		{ ENTRY_LIMITS, 0 },
		{ ENTRY_OOM_SCORE_ADJ, -1 },
		{ ENTRY_NOTIFICATION_FD, -1 },
		{ ENTRY_TIMEOUT_UP, 0 },
		{ ENTRY_TIMEOUT_KILL, -1 },
		{ ENTRY_TIMEOUT_FINISH, -1 },
		{ ENTRY_TIMEOUT_WATCHDOG, 0 },
		{ ENTRY_DOWN_SIGNAL, 15 },
		{ ENTRY_RELOAD_SIGNAL, 1 },
		{ ENTRY_MAX_DEATH_TALLY, 0 },
		{ ENTRY_HEALTH_INTERVAL, 10000 },
		{ ENTRY_HEALTH_THRESHOLD, 3 },
	};
	size_t i;

	(void)state;
	assert_int_equal(list(), 0);
	read_all();
	assert_int_equal(fault_count, 0);
	for (i = 0; i < COUNT(rows); i++)
		if (number_of(&settings, rows[i].entry) != rows[i].value)
			fail_msg("%s is %lld", entry_names[rows[i].entry],
			    (long long)number_of(&settings, rows[i].entry));
	assert_string_equal(settings.user, "");
	assert_string_equal(settings.working_directory, "");
}

static void
each_entry_is_listed_by_its_name(void **state)
{
	/* What people have written into their images. */
	static const char *const names[] = {
		"run", "finish", "check", "health", "down", "log", "control",
		"env", "depends", "essential", "type", "restart", "every",
		"user", "umask", "nice", "limits", "working-directory",
		"oom-score-adj", "notification-fd", "timeout-up",
		"timeout-kill", "timeout-finish", "timeout-watchdog",
		"down-signal", "reload-signal", "max-death-tally",
		"health-interval", "health-threshold", "log-prefix",
	};
	unsigned i;

	(void)state;
	for (i = 0; i < COUNT(names); i++) {
		assert_string_equal(entry_names[i], names[i]);
		/* What it is does not count: a directory, a file, a link. */
		if (i % 3 == 0)
			assert_int_equal(mkdirat(directory_fd, entry_names[i],
			    0755), 0);
		else if (i % 3 == 1)
			put_text(entry_names[i], "");
		else
			assert_int_equal(symlinkat("/nowhere", directory_fd,
			    entry_names[i]), 0);
		assert_int_equal(list(), UINT32_C(1) << i);
		take_away(entry_names[i]);
	}
	put_text("nice~", "");
	put_text(".nice", "");
	put_text("Nice", "");
	put_text("supervise", "");
	assert_int_equal(list(), 0);
}

static void
one_among_a_thousand_files_is_found(void **state)
{
	char name[128];
	unsigned i;

	(void)state;
	for (i = 0; i < 1000; i++) {
		snprintf(name, sizeof(name), "%0100u", i);
		put_text(name, "");
	}
	put_text("umask", "7\n");
	put_text("run", "");
	assert_int_equal(list(), ENTRY(UMASK) | ENTRY(RUN));
}

static void
what_is_no_directory_has_no_entries(void **state)
{
	int fd = open("/dev/null", O_RDONLY);

	(void)state;
	assert_int_equal(settings_list(fd), 0);
	assert_int_equal(errno, ENOTDIR);
	close(fd);
}

/* --- good ------------------------------------------------------------------------- */

static void
good_values_are_read(void **state)
{
	static const struct {
		enum entry	entry;
		const char	*content;
		int64_t		value;
	} rows[] = {
		{ ENTRY_TYPE, "longrun\n", TYPE_LONGRUN },
		{ ENTRY_TYPE, "oneshot\n", TYPE_ONESHOT },
		{ ENTRY_TYPE, "notify\n", TYPE_NOTIFY },
		{ ENTRY_RESTART, "always\n", RESTART_ALWAYS },
		{ ENTRY_RESTART, "on-failure\n", RESTART_ON_FAILURE },
		{ ENTRY_RESTART, "never\n", RESTART_NEVER },
		{ ENTRY_UMASK, "0\n", 0 },
		{ ENTRY_UMASK, "022\n", 022 },
		{ ENTRY_UMASK, "77\n", 077 },
		{ ENTRY_UMASK, "0777\n", 0777 },
		{ ENTRY_NICE, "-20\n", -20 },
		{ ENTRY_NICE, "0\n", 0 },
		{ ENTRY_NICE, "+5\n", 5 },
		{ ENTRY_NICE, "19\n", 19 },
		{ ENTRY_OOM_SCORE_ADJ, "0\n", 0 },
		{ ENTRY_OOM_SCORE_ADJ, "1000\n", 1000 },
		{ ENTRY_NOTIFICATION_FD, "3\n", 3 },
		{ ENTRY_NOTIFICATION_FD, "1023\n", 1023 },
		{ ENTRY_TIMEOUT_UP, "0\n", 0 },
		{ ENTRY_TIMEOUT_UP, "2000\n", 2000 },
		{ ENTRY_TIMEOUT_KILL, "0\n", 0 },
		{ ENTRY_TIMEOUT_KILL, "500\n", 500 },
		{ ENTRY_TIMEOUT_FINISH, "0\n", 0 },
		{ ENTRY_TIMEOUT_FINISH, "31622400000\n", 366 * DAY_MS },
		{ ENTRY_DOWN_SIGNAL, "QUIT\n", 3 },
		{ ENTRY_DOWN_SIGNAL, "SIGINT\n", 2 },
		{ ENTRY_DOWN_SIGNAL, "64\n", 64 },
		{ ENTRY_RELOAD_SIGNAL, "USR2\n", 12 },
		{ ENTRY_RELOAD_SIGNAL, "1\n", 1 },
		{ ENTRY_MAX_DEATH_TALLY, "0\n", 0 },
		{ ENTRY_MAX_DEATH_TALLY, "4096\n", 4096 },
		{ ENTRY_HEALTH_INTERVAL, "2\n", 2000 },
		{ ENTRY_HEALTH_INTERVAL, "250ms\n", 250 },
		{ ENTRY_HEALTH_INTERVAL, "1m\n", 60000 },
		{ ENTRY_HEALTH_INTERVAL, "2h\n", 7200000 },
		{ ENTRY_HEALTH_INTERVAL, "366d\n", 366 * DAY_MS },
		{ ENTRY_HEALTH_THRESHOLD, "1\n", 1 },
		{ ENTRY_HEALTH_THRESHOLD, "1000\n", 1000 },
		{ ENTRY_LOG_PREFIX, "none\n", PREFIX_NONE },
		{ ENTRY_LOG_PREFIX, "name\n", PREFIX_NAME },
		{ ENTRY_LOG_PREFIX, "time\n", PREFIX_TIME },
		{ ENTRY_LOG_PREFIX, "json\n", PREFIX_JSON },
		/* To be there is enough. */
		{ ENTRY_LOG_PREFIX, "", PREFIX_NAME },
		{ ENTRY_LOG_PREFIX, "\n# on\n", PREFIX_NAME },
		/* What editors, Windows and people put around a value. */
		{ ENTRY_NICE, "7", 7 },
		{ ENTRY_NICE, " \t7 \t\n\n", 7 },
		{ ENTRY_NICE, "7\r\n", 7 },
		{ ENTRY_NICE, "# as low\n\n  # as can be\n7\n# so\n", 7 },
	};
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(rows); i++) {
		put_text(entry_names[rows[i].entry], rows[i].content);
		read_all();
		if (fault_count != 0)
			fail_msg("row %zu: %s", i, faults[0]);
		if (number_of(&settings, rows[i].entry) != rows[i].value)
			fail_msg("row %zu: %s is %lld", i,
			    entry_names[rows[i].entry],
			    (long long)number_of(&settings, rows[i].entry));
		take_away(entry_names[rows[i].entry]);
	}
}

static void
good_texts_are_read(void **state)
{
	static const struct {
		enum entry	entry;
		const char	*content, *value;
	} rows[] = {
		{ ENTRY_USER, "www-data\n", "www-data" },
		{ ENTRY_USER, "  joe:adm \n", "joe:adm" },
		{ ENTRY_USER, "1000:0\n", "1000:0" },
		{ ENTRY_WORKING_DIRECTORY, "/\n", "/" },
		{ ENTRY_WORKING_DIRECTORY, "/srv/my data\n", "/srv/my data" },
	};
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(rows); i++) {
		put_text(entry_names[rows[i].entry], rows[i].content);
		read_all();
		assert_int_equal(fault_count, 0);
		assert_string_equal(text_of(&settings, rows[i].entry),
		    rows[i].value);
		take_away(entry_names[rows[i].entry]);
	}
}

static void
limits_are_lines(void **state)
{
	static const struct service_limit expected[] = {
		{ RLIMIT_NOFILE, 1024, 4096 },
		{ RLIMIT_CORE, 0, 0 },
		{ RLIMIT_STACK, 8388608, LIMIT_NONE },
		{ RLIMIT_AS, LIMIT_NONE, LIMIT_NONE },
	};
	unsigned i;

	(void)state;
	put_text("limits", "# for web\nnofile 1024 4096\ncore 0\n\n"
	    "  stack\t8388608   unlimited\r\nas unlimited");
	read_all();
	assert_int_equal(fault_count, 0);
	assert_int_equal(settings.limits, COUNT(expected));
	for (i = 0; i < settings.limits; i++) {
		assert_int_equal(settings.limit[i].resource,
		    expected[i].resource);
		assert_int_equal(settings.limit[i].soft, expected[i].soft);
		assert_int_equal(settings.limit[i].hard, expected[i].hard);
	}
	/* None at all is no fault: a file of comments. */
	put_text("limits", "# none\n");
	read_all();
	assert_int_equal(fault_count, 0);
	assert_int_equal(settings.limits, 0);
}

/* The names are those of prlimit(1). */
static void
each_limit_has_a_name(void **state)
{
	static const struct {
		const char	*name;
		int		resource;
	} limits[] = {
		{ "as", RLIMIT_AS }, { "core", RLIMIT_CORE },
		{ "cpu", RLIMIT_CPU }, { "data", RLIMIT_DATA },
		{ "fsize", RLIMIT_FSIZE }, { "locks", RLIMIT_LOCKS },
		{ "memlock", RLIMIT_MEMLOCK }, { "msgqueue", RLIMIT_MSGQUEUE },
		{ "nice", RLIMIT_NICE }, { "nofile", RLIMIT_NOFILE },
		{ "nproc", RLIMIT_NPROC }, { "rss", RLIMIT_RSS },
		{ "rtprio", RLIMIT_RTPRIO }, { "rttime", RLIMIT_RTTIME },
		{ "sigpending", RLIMIT_SIGPENDING }, { "stack", RLIMIT_STACK },
	};
	char line[64];
	size_t i;

	(void)state;
	assert_int_equal(COUNT(limits), LIMITS_MAX);
	for (i = 0; i < COUNT(limits); i++) {
		assert_string_equal(limit_name(limits[i].resource),
		    limits[i].name);
		settings_default(&settings);
		snprintf(line, sizeof(line), "%s 1 2", limits[i].name);
		assert_true(value_limit(&settings, line));
		assert_int_equal(settings.limits, 1);
		assert_int_equal(settings.limit[0].resource,
		    limits[i].resource);
	}
	assert_string_equal(limit_name(LIMITS_MAX), "?");
}

static void
all_settings_at_once(void **state)
{
	(void)state;
	put_text("type", "oneshot\n");
	put_text("every", "5m\n");
	put_text("user", "nobody\n");
	put_text("umask", "27\n");
	put_text("limits", "core 0\n");
	put_text("timeout-up", "100\n");
	put_text("down-signal", "QUIT\n");
	/* Not for settings_read to say anything of. */
	put_text("down", "what\nis this");
	put_text("essential", "");
	put_text("depends", "\0");
	read_all();
	assert_int_equal(fault_count, 0);
	assert_int_equal(settings.type, TYPE_ONESHOT);
	assert_int_equal(settings.every_ms, 300000);
	assert_string_equal(settings.user, "nobody");
	assert_int_equal(settings.umask, 027);
	assert_int_equal(settings.limits, 1);
	assert_int_equal(settings.timeout_up_ms, 100);
	assert_int_equal(settings.down_signal, 3);
	assert_int_equal(settings.reload_signal, 1);
}

/* --- which depend on each other ---------------------------------------------------- */

static void
a_oneshot_is_not_restarted_unless_that_is_said(void **state)
{
	(void)state;
	put_text("type", "oneshot\n");
	read_all();
	assert_int_equal(settings.restart, RESTART_NEVER);
	put_text("restart", "on-failure\n");
	read_all();
	assert_int_equal(settings.restart, RESTART_ON_FAILURE);
	put_text("restart", "always\n");
	read_all();
	assert_int_equal(settings.restart, RESTART_ALWAYS);
	assert_int_equal(fault_count, 0);
}

static void
only_what_can_be_heard_has_a_watchdog(void **state)
{
	(void)state;
	put_text("timeout-watchdog", "30000\n");
	read_all();
	assert_int_equal(fault_count, 1);
	assert_string_equal(faults[0], "timeout-watchdog: only the type notify "
	    "can say that it lives (echo notify >type)");
	put_text("type", "notify\n");
	read_all();
	assert_int_equal(fault_count, 0);
	assert_int_equal(settings.timeout_watchdog_ms, 30000);
}

static void
only_a_oneshot_is_repeated(void **state)
{
	static const char *const types[] = { "longrun\n", "notify\n" };
	size_t i;

	(void)state;
	put_text("every", "1h\n");
	read_all();
	assert_int_equal(fault_count, 1);
	assert_string_equal(faults[0], "every: only a oneshot can be repeated "
	    "(echo oneshot >type)");
	assert_default(ENTRY_EVERY);
	for (i = 0; i < COUNT(types); i++) {
		put_text("type", types[i]);
		read_all();
		assert_int_equal(fault_count, 1);
	}
	put_text("type", "oneshot\n");
	read_all();
	assert_int_equal(fault_count, 0);
	assert_int_equal(settings.every_ms, 3600000);
	/* What is wrong already is not wrong twice. */
	take_away("type");
	put_text("every", "999999999999999s\n");
	read_all();
	assert_int_equal(fault_count, 1);
	assert_non_null(strstr(faults[0], "line 1"));
}

/* --- broken -------------------------------------------------------------------------- */

#define NO_TYPE		"longrun, oneshot or notify"
#define NO_RESTART	"always, on-failure or never"
#define NO_PREFIX	"name, time, json or none"
#define NO_EVERY	"an interval such as 30s, 5m, 1h or 1d"
#define NO_HEALTH	"an interval such as 10s or 1m"
#define NO_USER		"USER or USER:GROUP"
#define NO_UMASK	"an octal number such as 022"
#define NO_NICE		"a number from -20 to 19"
#define NO_OOM		"a number from 0 to 1000 (to lower it takes a right " \
			    "that containers lack)"
#define NO_LIMIT	"NAME SOFT HARD, as in \"nofile 1024 4096\" (names of " \
			    "prlimit(1); \"unlimited\")"
#define NO_PATH		"an absolute path"
#define NO_FD		"a descriptor from 3 to 1023"
#define NO_MS		"a number of milliseconds"
#define NO_SIGNAL	"the name or number of a signal (QUIT, SIGQUIT or 3)"
#define NO_RELOAD	"the name or number of a signal (USR2, SIGUSR2 or 12)"
#define NO_TALLY	"a number from 0 to 4096"
#define NO_THRESHOLD	"a number from 1 to 1000"

static void
broken_values_are_one_fault_each(void **state)
{
	static const struct {
		enum entry	entry;
		const char	*content, *expected;
	} rows[] = {
		{ ENTRY_TYPE, "forking", NO_TYPE },
		{ ENTRY_TYPE, "Oneshot", NO_TYPE },
		{ ENTRY_TYPE, "oneshot notify", NO_TYPE },
		{ ENTRY_RESTART, "yes", NO_RESTART },
		{ ENTRY_RESTART, "on_failure", NO_RESTART },
		{ ENTRY_LOG_PREFIX, "Name", NO_PREFIX },
		{ ENTRY_LOG_PREFIX, "name time", NO_PREFIX },
		{ ENTRY_EVERY, "0", NO_EVERY },
		{ ENTRY_EVERY, "-5s", NO_EVERY },
		{ ENTRY_EVERY, "5 m", NO_EVERY },
		{ ENTRY_EVERY, "5min", NO_EVERY },
		{ ENTRY_EVERY, "m", NO_EVERY },
		{ ENTRY_EVERY, "1.5h", NO_EVERY },
		{ ENTRY_EVERY, "367d", NO_EVERY },
		{ ENTRY_EVERY, "99999999999999999999", NO_EVERY },
		{ ENTRY_HEALTH_INTERVAL, "often", NO_HEALTH },
		{ ENTRY_HEALTH_INTERVAL, "0ms", NO_HEALTH },
		{ ENTRY_USER, "two words", NO_USER },
		{ ENTRY_USER, "-u", NO_USER },
		{ ENTRY_USER, "a\x1b""b", NO_USER },
		{ ENTRY_UMASK, "8", NO_UMASK },
		{ ENTRY_UMASK, "1000", NO_UMASK },
		{ ENTRY_UMASK, "-1", NO_UMASK },
		{ ENTRY_UMASK, "0x12", NO_UMASK },
		{ ENTRY_UMASK, "u=rwx", NO_UMASK },
		{ ENTRY_NICE, "-21", NO_NICE },
		{ ENTRY_NICE, "20", NO_NICE },
		{ ENTRY_NICE, "low", NO_NICE },
		{ ENTRY_NICE, "-", NO_NICE },
		{ ENTRY_NICE, "1 2", NO_NICE },
		{ ENTRY_NICE, "4294967296", NO_NICE },
		{ ENTRY_OOM_SCORE_ADJ, "-1", NO_OOM },
		{ ENTRY_OOM_SCORE_ADJ, "1001", NO_OOM },
		{ ENTRY_LIMITS, "nofile", NO_LIMIT },
		{ ENTRY_LIMITS, "nofile 1 2 3", NO_LIMIT },
		{ ENTRY_LIMITS, "nofile 1 2 3 4", NO_LIMIT },
		{ ENTRY_LIMITS, "files 1 2", NO_LIMIT },
		{ ENTRY_LIMITS, "NOFILE 1 2", NO_LIMIT },
		{ ENTRY_LIMITS, "nofile 2 1", NO_LIMIT },
		{ ENTRY_LIMITS, "nofile unlimited 1", NO_LIMIT },
		{ ENTRY_LIMITS, "nofile -1 1", NO_LIMIT },
		{ ENTRY_LIMITS, "nofile 1k 2k", NO_LIMIT },
		{ ENTRY_LIMITS, "nofile=1:2", NO_LIMIT },
		{ ENTRY_WORKING_DIRECTORY, "srv", NO_PATH },
		{ ENTRY_WORKING_DIRECTORY, "./srv", NO_PATH },
		{ ENTRY_WORKING_DIRECTORY, "~", NO_PATH },
		{ ENTRY_NOTIFICATION_FD, "2", NO_FD },
		{ ENTRY_NOTIFICATION_FD, "1024", NO_FD },
		{ ENTRY_NOTIFICATION_FD, "stdout", NO_FD },
		{ ENTRY_TIMEOUT_UP, "-1", NO_MS },
		{ ENTRY_TIMEOUT_UP, "5s", NO_MS },
		{ ENTRY_TIMEOUT_KILL, "-1", NO_MS },
		{ ENTRY_TIMEOUT_KILL, "-5", NO_MS },
		{ ENTRY_TIMEOUT_KILL, "31622400001", NO_MS },
		{ ENTRY_TIMEOUT_FINISH, "soon", NO_MS },
		{ ENTRY_TIMEOUT_WATCHDOG, "0", NO_MS },
		{ ENTRY_DOWN_SIGNAL, "STOPP", NO_SIGNAL },
		{ ENTRY_DOWN_SIGNAL, "0", NO_SIGNAL },
		{ ENTRY_DOWN_SIGNAL, "65", NO_SIGNAL },
		{ ENTRY_DOWN_SIGNAL, "quit", NO_SIGNAL },
		{ ENTRY_DOWN_SIGNAL, "SIG", NO_SIGNAL },
		{ ENTRY_DOWN_SIGNAL, "SIGSIGQUIT", NO_SIGNAL },
		{ ENTRY_RELOAD_SIGNAL, "again", NO_RELOAD },
		{ ENTRY_RELOAD_SIGNAL, "-1", NO_RELOAD },
		{ ENTRY_MAX_DEATH_TALLY, "-1", NO_TALLY },
		{ ENTRY_MAX_DEATH_TALLY, "4097", NO_TALLY },
		{ ENTRY_HEALTH_THRESHOLD, "0", NO_THRESHOLD },
		{ ENTRY_HEALTH_THRESHOLD, "1001", NO_THRESHOLD },
	};
	char expected[SETTING_FAULT_MAX], content[128];
	const char *name;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(rows); i++) {
		name = entry_names[rows[i].entry];
		/* The second line, so that the number is seen to be counted. */
		snprintf(content, sizeof(content), "# one\n %s \n",
		    rows[i].content);
		put_text(name, content);
		read_all();
		snprintf(expected, sizeof(expected), "%s: line 2: \"%s\" is "
		    "not %s", name, strchr(rows[i].content, '\x1b') != NULL ?
		    "a\\x1bb" : rows[i].content, rows[i].expected);
		if (fault_count != 1 || strcmp(faults[0], expected) != 0)
			fail_msg("row %zu: %u faults: %s", i, fault_count,
			    fault_count == 0 ? "" : faults[0]);
		assert_default(rows[i].entry);
		take_away(name);
	}
}

static void
too_long_a_text_is_a_fault(void **state)
{
	char text[SETTING_PATH_MAX + 2];

	(void)state;
	memset(text, '/', sizeof(text));
	put("working-directory", text, SETTING_PATH_MAX);
	read_all();
	assert_int_equal(fault_count, 0);
	put("working-directory", text, SETTING_PATH_MAX + 1);
	read_all();
	assert_int_equal(fault_count, 1);
	assert_default(ENTRY_WORKING_DIRECTORY);
	take_away("working-directory");
	memset(text, 'u', sizeof(text));
	put("user", text, SETTING_USER_MAX);
	read_all();
	assert_int_equal(fault_count, 0);
	put("user", text, SETTING_USER_MAX + 1);
	read_all();
	assert_int_equal(fault_count, 1);
	assert_default(ENTRY_USER);
}

/* What each setting has to be able to say, whatever its values are. */
static const char *
good_text(enum entry entry)
{
	switch (entry) {
	case ENTRY_TYPE:
		return "notify";
	case ENTRY_RESTART:
		return "never";
	case ENTRY_LOG_PREFIX:
		return "time";
	case ENTRY_USER:
		return "joe";
	case ENTRY_LIMITS:
		return "core 1";
	case ENTRY_WORKING_DIRECTORY:
		return "/";
	case ENTRY_DOWN_SIGNAL:
	case ENTRY_RELOAD_SIGNAL:
		return "QUIT";
	default:
		return "7";
	}
}

/* One fault, which is this; and the setting has its default. */
static void
assert_fault(enum entry entry, const char *format, ...)
{
	char expected[SETTING_FAULT_MAX];
	va_list arguments;
	int length = snprintf(expected, sizeof(expected), "%s: ",
	    entry_names[entry]);

	va_start(arguments, format);
	vsnprintf(expected + length, sizeof(expected) - (size_t)length, format,
	    arguments);
	va_end(arguments);
	read_all();
	if (fault_count != 1 || strcmp(faults[0], expected) != 0)
		fail_msg("%u faults: %s; expected: %s", fault_count,
		    fault_count == 0 ? "" : faults[0], expected);
	assert_default(entry);
	take_away(entry_names[entry]);
}

static void
a_file_that_is_none_is_a_fault_whatever_its_setting(void **state)
{
	static char long_text[5000];
	char text[256];
	const char *name, *good;
	enum entry entry;

	(void)state;
	memset(long_text, ' ', sizeof(long_text));
	for (entry = 0; entry < ENTRIES; entry++) {
		if (!(settings_entries & (UINT32_C(1) << entry)))
			continue;
		name = entry_names[entry];
		good = good_text(entry);

		assert_int_equal(mkdirat(directory_fd, name, 0755), 0);
		assert_fault(entry, "Is a directory");
		assert_int_equal(mkfifoat(directory_fd, name, 0644), 0);
		assert_fault(entry, "it is not a regular file");
		assert_int_equal(symlinkat("/nowhere", directory_fd, name), 0);
		assert_fault(entry, "No such file or directory");

		memcpy(long_text, good, strlen(good));
		put(name, long_text, 4096);
		assert_fault(entry, "it is too long");
		put(name, long_text, sizeof(long_text));
		assert_fault(entry, "it is too long");
		snprintf(text, sizeof(text), "%s\n", good);
		put(name, text, strlen(text) + 1);
		assert_fault(entry, "it holds a zero byte");
		put(name, "", 1);
		assert_fault(entry, "it holds a zero byte");
		if (entry == ENTRY_LIMITS)
			continue;

		if (entry != ENTRY_LOG_PREFIX) {
			put_text(name, "");
			assert_fault(entry, "it is empty (write a value into "
			    "it, or remove it)");
			put_text(name, "\n \t\r\n# nothing\n");
			assert_fault(entry, "it is empty (write a value into "
			    "it, or remove it)");
		}
		snprintf(text, sizeof(text), "%s\n\n%s\n", good, good);
		put_text(name, text);
		assert_fault(entry, "line 3: \"%s\" is not expected: a setting "
		    "is one line", good);
	}
}

static void
a_setting_with_a_fault_is_the_only_one(void **state)
{
	(void)state;
	put_text("umask", "9\n");
	put_text("nice", "5\n");
	put_text("limits", "core 0\nnofile x\nstack\nas 1\n");
	read_all();
	assert_int_equal(fault_count, 3);
	assert_string_equal(faults[0], "umask: line 1: \"9\" is not " NO_UMASK);
	assert_string_equal(faults[1], "limits: line 2: \"nofile x\" is not "
	    NO_LIMIT);
	assert_string_equal(faults[2], "limits: line 3: \"stack\" is not "
	    NO_LIMIT);
	assert_default(ENTRY_UMASK);
	assert_default(ENTRY_LIMITS);
	assert_int_equal(settings.nice, 5);
}

static void
more_limits_than_there_are_is_a_fault(void **state)
{
	char text[512] = "";
	int i;

	(void)state;
	for (i = 0; i < LIMITS_MAX; i++)
		strcat(text, "core 0\n");
	put_text("limits", text);
	read_all();
	assert_int_equal(fault_count, 0);
	assert_int_equal(settings.limits, LIMITS_MAX);
	strcat(text, "core 0\n");
	put_text("limits", text);
	read_all();
	assert_int_equal(fault_count, 1);
	assert_non_null(strstr(faults[0], "limits: line 17: "));
}

static void
what_a_fault_shows_is_escaped_and_cut(void **state)
{
	char text[512], expected[SETTING_FAULT_MAX];

	(void)state;
	put_text("nice", "\x1b[2J \xff \xc3\xa9\n");
	assert_fault(ENTRY_NICE, "line 1: \"\\x1b[2J \\xff \xc3\xa9\" is not "
	    NO_NICE);
	memset(text, 'a', 300);
	put("nice", text, 300);
	assert_fault(ENTRY_NICE, "line 1: \"%.60s\" is not " NO_NICE, text);
	/* Never in the middle of a character. */
	memcpy(text + 58, "\xe2\x82\xac", 3);
	put("nice", text, 300);
	assert_fault(ENTRY_NICE, "line 1: \"%.58s\" is not " NO_NICE, text);
	memcpy(text + 57, "\xe2\x82\xac", 3);
	put("nice", text, 60);
	assert_fault(ENTRY_NICE, "line 1: \"%.60s\" is not " NO_NICE, text);
	/* The longest of all fits. */
	put("limits", text, 300);
	read_all();
	snprintf(expected, sizeof(expected), "limits: line 1: \"%.60s\" is not "
	    NO_LIMIT, text);
	assert_string_equal(faults[0], expected);
}

/* --- values -------------------------------------------------------------------------- */

static void
numbers_have_their_limits(void **state)
{
	static const struct {
		const char	*text;
		int		base;
		bool		good;
		int64_t		value;
	} rows[] = {
		{ "0", 10, true, 0 }, { "-0", 10, true, 0 },
		{ "007", 10, true, 7 }, { "07", 8, true, 7 },
		{ "+1", 10, true, 1 }, { "-1", 10, true, -1 },
		{ "999999999999999", 10, true, 999999999999999 },
		{ "1000000000000000", 10, false }, { "", 10, false },
		{ "+", 10, false }, { "--1", 10, false }, { " 1", 10, false },
		{ "1 ", 10, false }, { "0x1", 10, false }, { "1e3", 10, false },
		{ "8", 8, false }, { "9999999999999999999999", 10, false },
	};
	int64_t value;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(rows); i++) {
		value = 123;
		assert_int_equal(value_number(rows[i].text, rows[i].base,
		    INT64_MIN, INT64_MAX, &value), rows[i].good);
		assert_int_equal(value, rows[i].good ? rows[i].value : 123);
	}
	/* One out of range is no value, either. */
	value = 123;
	assert_false(value_number("5", 10, 6, 9, &value));
	assert_false(value_number("10", 10, 6, 9, &value));
	assert_false(value_interval("367d", &value));
	assert_false(value_milliseconds("0", 1, &value));
	assert_int_equal(value, 123);
	assert_true(value_number("6", 10, 6, 9, &value));
	assert_int_equal(value, 6);
}

static void
each_signal_by_name_and_number(void **state)
{
	char text[32];
	int signo, value;

	(void)state;
	for (signo = 1; signo <= SIGNAL_LARGEST; signo++) {
		snprintf(text, sizeof(text), "%d", signo);
		assert_true(value_signal(text, &value));
		assert_int_equal(value, signo);
		if (signo >= SIGNAL_NAMES || signal_names[signo] == NULL)
			continue;
		snprintf(text, sizeof(text), "SIG%s", signal_names[signo]);
		assert_true(value_signal(text, &value));
		assert_int_equal(value, signo);
		assert_true(value_signal(text + 3, &value));
		assert_int_equal(value, signo);
	}
	value = 9;
	assert_false(value_signal("SIG9", &value));
	assert_int_equal(value, 9);
}

#define TEST(name)	cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(an_empty_directory_has_the_defaults),
		TEST(each_entry_is_listed_by_its_name),
		TEST(one_among_a_thousand_files_is_found),
		TEST(what_is_no_directory_has_no_entries),
		TEST(good_values_are_read),
		TEST(good_texts_are_read),
		TEST(limits_are_lines),
		TEST(each_limit_has_a_name),
		TEST(all_settings_at_once),
		TEST(a_oneshot_is_not_restarted_unless_that_is_said),
		TEST(only_what_can_be_heard_has_a_watchdog),
		TEST(only_a_oneshot_is_repeated),
		TEST(broken_values_are_one_fault_each),
		TEST(too_long_a_text_is_a_fault),
		TEST(a_file_that_is_none_is_a_fault_whatever_its_setting),
		TEST(a_setting_with_a_fault_is_the_only_one),
		TEST(more_limits_than_there_are_is_a_fault),
		TEST(what_a_fault_shows_is_escaped_and_cut),
		cmocka_unit_test(numbers_have_their_limits),
		cmocka_unit_test(each_signal_by_name_and_number),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
