/* The effective value of each setting, in words and as a number. */
#include <inttypes.h>
#include <stddef.h>
#include <string.h>

#include "ctl/ctl.h"

enum kind { TYPE, RESTART, PREFIX, NUMBER, OCTAL, TIME, SIGNAL, TEXT, LIMITS };

#define AT(member)	offsetof(struct settings, member)

static const struct row {
	enum entry	entry;
	enum kind	kind;
	size_t		offset;
	const char	*none;	/* in place of -1 or "" */
	const char	*zero;	/* in place of 0; or NULL */
} rows[] = {
	{ ENTRY_TYPE, TYPE, AT(type), NULL, NULL },
	{ ENTRY_RESTART, RESTART, AT(restart), NULL, NULL },
	{ ENTRY_EVERY, TIME, AT(every_ms), NULL, "not repeated" },
	{ ENTRY_USER, TEXT, AT(user), "that of my_init", NULL },
	{ ENTRY_UMASK, OCTAL, AT(umask), "the container's", NULL },
	{ ENTRY_NICE, NUMBER, AT(nice), NULL, NULL },
	{ ENTRY_LIMITS, LIMITS, 0, "the container's", NULL },
	{ ENTRY_WORKING_DIRECTORY, TEXT, AT(working_directory),
	    "the service's", NULL },
	{ ENTRY_OOM_SCORE_ADJ, NUMBER, AT(oom_score_adj), "the container's",
	    NULL },
	{ ENTRY_NOTIFICATION_FD, NUMBER, AT(notification_fd), "none", NULL },
	{ ENTRY_TIMEOUT_UP, TIME, AT(timeout_up_ms), NULL, "none" },
	{ ENTRY_TIMEOUT_KILL, TIME, AT(timeout_kill_ms),
	    "KILL_PROCESS_TIMEOUT", "none" },
	{ ENTRY_TIMEOUT_FINISH, TIME, AT(timeout_finish_ms),
	    "KILL_PROCESS_TIMEOUT", "none" },
	{ ENTRY_TIMEOUT_WATCHDOG, TIME, AT(timeout_watchdog_ms), NULL,
	    "none" },
	{ ENTRY_DOWN_SIGNAL, SIGNAL, AT(down_signal), NULL, NULL },
	{ ENTRY_RELOAD_SIGNAL, SIGNAL, AT(reload_signal), NULL, NULL },
	{ ENTRY_MAX_DEATH_TALLY, NUMBER, AT(max_death_tally), NULL,
	    "no limit" },
	{ ENTRY_HEALTH_INTERVAL, TIME, AT(health_interval_ms), NULL, NULL },
	{ ENTRY_HEALTH_THRESHOLD, NUMBER, AT(health_threshold), NULL, NULL },
	{ ENTRY_LOG_PREFIX, PREFIX, AT(log_prefix), "the container's", NULL },
};
_Static_assert(sizeof(rows) / sizeof(rows[0]) == VALUES, "count them");

static int64_t
number_at(const struct settings *settings, const struct row *row)
{
	const char *at = (const char *)settings + row->offset;

	return row->kind == TIME ? *(const int64_t *)at : *(const int *)at;
}

static const char *
signal_text(int signo, char buffer[16])
{
	if (signo > 0 && signo < SIGNAL_NAMES && signal_names[signo] != NULL)
		return signal_names[signo];
	snprintf(buffer, 16, "%d", signo);
	return buffer;
}

/* A value that is a word or a text; NULL: it is a number. */
static const char *
word_at(const struct settings *settings, const struct row *row)
{
	static char buffer[16];

	switch (row->kind) {
	case TYPE:
		return service_type_names[settings->type];
	case RESTART:
		return service_restart_names[settings->restart];
	case PREFIX:
		return log_prefix_names[settings->log_prefix];
	case SIGNAL:
		return signal_text((int)number_at(settings, row), buffer);
	case OCTAL:
		snprintf(buffer, sizeof(buffer), "%03o",
		    (unsigned)number_at(settings, row));
		return buffer;
	case TEXT:
		return (const char *)settings + row->offset;
	default:
		return NULL;
	}
}

static bool
is_none(const struct settings *settings, const struct row *row)
{
	if (row->none == NULL)
		return false;
	if (row->kind == LIMITS)
		return settings->limits == 0;
	if (row->kind == TEXT || row->kind == PREFIX)
		return *word_at(settings, row) == '\0';
	return number_at(settings, row) == -1;
}

/* Value i of VALUES; of limits that there are, each is another (limit_in_words). */
struct value
value_of(const struct settings *settings, unsigned i)
{
	const struct row *row = &rows[i];
	struct value value = { .entry = row->entry };
	static char text[40];

	value.is_none = is_none(settings, row);
	if (row->kind != LIMITS)
		value.word = word_at(settings, row);
	if (row->kind != LIMITS && value.word == NULL)
		value.number = number_at(settings, row);
	snprintf(text, sizeof(text), "%" PRId64 "%s", value.number,
	    row->kind == TIME ? " ms" : "");
	value.text = value.is_none ? row->none :
	    value.word != NULL ? value.word :
	    value.number == 0 && row->zero != NULL ? row->zero : text;
	return value;
}

const char *
limit_in_words(uint64_t value, char buffer[24])
{
	if (value == LIMIT_NONE)
		return "unlimited";
	snprintf(buffer, 24, "%" PRIu64, value);
	return buffer;
}
