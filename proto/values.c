/* The values that settings have: numbers, intervals, words, signals, limits. */
#include <sys/resource.h>

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "proto/state.h"
#include "proto/values.h"

#define TIME_MAX_MS	(INT64_C(366) * 24 * 3600 * 1000)

/* The names of prlimit(1). */
static const struct {
	const char	*name;
	int		resource;
} limits[] = {
	{ "as", RLIMIT_AS }, { "core", RLIMIT_CORE }, { "cpu", RLIMIT_CPU },
	{ "data", RLIMIT_DATA }, { "fsize", RLIMIT_FSIZE },
	{ "locks", RLIMIT_LOCKS }, { "memlock", RLIMIT_MEMLOCK },
	{ "msgqueue", RLIMIT_MSGQUEUE }, { "nice", RLIMIT_NICE },
	{ "nofile", RLIMIT_NOFILE }, { "nproc", RLIMIT_NPROC },
	{ "rss", RLIMIT_RSS }, { "rtprio", RLIMIT_RTPRIO },
	{ "rttime", RLIMIT_RTTIME }, { "sigpending", RLIMIT_SIGPENDING },
	{ "stack", RLIMIT_STACK },
};
#define LIMIT_NAMES	(sizeof(limits) / sizeof(limits[0]))
_Static_assert(LIMIT_NAMES <= LIMITS_MAX, "each fits once");

const char *
limit_name(int resource)
{
	unsigned i;

	for (i = 0; i < LIMIT_NAMES; i++)
		if (limits[i].resource == resource)
			return limits[i].name;
	return "?";
}

/* A number in base 8 or 10, and nothing beside it. */
bool
value_number(const char *text, int base, int64_t least, int64_t most, int64_t *value)
{
	const char *digits = base == 8 ? "01234567" : "0123456789";
	const char *p = text + (*text == '-' || *text == '+');
	int64_t number;

	if (*p == '\0' || p[strspn(p, digits)] != '\0' || strlen(p) > 15)
		return false;
	number = strtoll(text, NULL, base);
	if (number < least || number > most)
		return false;
	*value = number;
	return true;
}

/* A number of seconds, or of what its unit says. */
bool
value_interval(const char *text, int64_t *value_ms)
{
	static const struct {
		const char	*unit;
		int64_t		ms;
	} units[] = {
		{ "", 1000 }, { "ms", 1 }, { "s", 1000 }, { "m", 60000 },
		{ "h", 3600000 }, { "d", 86400000 },
	};
	size_t digits = strspn(text, "0123456789");
	char start[16];
	unsigned i;

	if (digits == 0 || digits >= sizeof(start))
		return false;
	memcpy(start, text, digits);
	start[digits] = '\0';
	for (i = 0; i < sizeof(units) / sizeof(units[0]); i++)
		if (strcmp(text + digits, units[i].unit) == 0 &&
		    value_number(start, 10, 1, TIME_MAX_MS / units[i].ms, value_ms)) {
			*value_ms *= units[i].ms;
			return true;
		}
	return false;
}

bool
value_word(const char *text, const char *const *words, unsigned count, unsigned *value)
{
	unsigned i;

	for (i = 0; i < count; i++)
		if (strcmp(text, words[i]) == 0) {
			*value = i;
			return true;
		}
	return false;
}

bool
value_signal(const char *text, int *value)
{
	int64_t signo = signal_number(text, strlen(text));

	if (signo == 0 && !value_number(text, 10, 1, SIGNAL_LARGEST, &signo))
		return false;
	*value = (int)signo;
	return true;
}

bool
value_milliseconds(const char *text, int64_t least, int64_t *value)
{
	return value_number(text, 10, least, TIME_MAX_MS, value);
}

bool
value_copy(const char *text, char *to, size_t size)
{
	size_t length = strlen(text);
	const char *p;

	for (p = text; *p != '\0'; p++)
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			return false;
	if (length >= size)
		return false;
	memcpy(to, text, length + 1);
	return true;
}

/* "name soft hard", or "name both". */
bool
value_limit(struct settings *settings, char *line)
{
	char *part[4] = { NULL }, *token;
	uint64_t values[2];
	unsigned i, count = 0;
	int64_t value;

	while (count < 4 && (token = strsep(&line, " \t")) != NULL)
		if (*token != '\0')
			part[count++] = token;
	if (count < 2 || count > 3)
		return false;
	for (i = 0; i < LIMIT_NAMES; i++)
		if (strcmp(limits[i].name, part[0]) == 0)
			break;
	if (i == LIMIT_NAMES || settings->limits == LIMITS_MAX)
		return false;
	settings->limit[settings->limits].resource = limits[i].resource;
	for (i = 1; i < 3; i++) {
		token = i < count ? part[i] : part[1];
		if (strcmp(token, "unlimited") == 0)
			values[i - 1] = LIMIT_NONE;
		else if (value_number(token, 10, 0, INT64_MAX, &value))
			values[i - 1] = (uint64_t)value;
		else
			return false;
	}
	if (values[0] > values[1])
		return false;
	settings->limit[settings->limits].soft = values[0];
	settings->limit[settings->limits].hard = values[1];
	settings->limits++;
	return true;
}
