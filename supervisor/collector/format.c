/* What a line looks like in the container's output.  Pure. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "proto/escape.h"
#include "supervisor/collector/collector.h"

/* RFC 3339, in UTC. */
static size_t
format_time(char *to, int64_t seconds, int milliseconds)
{
	time_t when = (time_t)seconds;
	struct tm tm;
	size_t length;

	if (gmtime_r(&when, &tm) == NULL)
		memset(&tm, 0, sizeof(tm));
	length = strftime(to, 32, "%Y-%m-%dT%H:%M:%S", &tm);
	return length + (size_t)sprintf(to + length, ".%03dZ", milliseconds);
}

/* The bytes of the UTF-8 character at s (RFC 3629), or 0 if there is none. */
static size_t
character(const unsigned char *s, size_t left)
{
	static const struct {
		unsigned char	first, last, from, to, length;
	} forms[] = {
		{ 0xc2, 0xdf, 0x80, 0xbf, 2 }, { 0xe0, 0xe0, 0xa0, 0xbf, 3 },
		{ 0xe1, 0xec, 0x80, 0xbf, 3 }, { 0xed, 0xed, 0x80, 0x9f, 3 },
		{ 0xee, 0xef, 0x80, 0xbf, 3 }, { 0xf0, 0xf0, 0x90, 0xbf, 4 },
		{ 0xf1, 0xf3, 0x80, 0xbf, 4 }, { 0xf4, 0xf4, 0x80, 0x8f, 4 },
	};
	size_t i, n;

	if (s[0] < 0x80)
		return 1;
	for (i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		if (s[0] < forms[i].first || s[0] > forms[i].last)
			continue;
		if (left < forms[i].length || s[1] < forms[i].from ||
		    s[1] > forms[i].to)
			return 0;
		for (n = 2; n < forms[i].length; n++)
			if ((s[n] & 0xc0) != 0x80)
				return 0;
		return forms[i].length;
	}
	return 0;
}

/* The inside of a JSON string (RFC 8259); what is no UTF-8 becomes U+FFFD. */
static size_t
format_json(char *to, const char *text, size_t left)
{
	const unsigned char *s = (const unsigned char *)text;
	char *p = to;
	size_t length;

	for (; left > 0; s += length, left -= length) {
		length = character(s, left);
		if (*s == '"' || *s == '\\') {
			*p++ = '\\';
			*p++ = (char)*s;
		} else if (*s < 0x20 || *s == 0x7f) {
			p += sprintf(p, "\\u%04x", *s);
		} else if (length > 0) {
			memcpy(p, s, length);
			p += length;
		} else {
			memcpy(p, "\\ufffd", 6);
			p += 6;
			length = 1;
		}
	}
	return (size_t)(p - to);
}

/*
 * What comes before each line of a service, of FORMAT_HEAD_MAX bytes at the most;
 * returns how many.  A time is seconds of the Epoch.
 */
size_t
format_head(char *to, enum log_prefix prefix, const char *name, int64_t seconds,
    int milliseconds)
{
	char *p = to;

	if (prefix == PREFIX_JSON) {
		p += sprintf(p, "{\"time\":\"");
		p += format_time(p, seconds, milliseconds);
		p += sprintf(p, "\",\"service\":\"");
		p += format_json(p, name, strlen(name));
		p += sprintf(p, "\",\"message\":\"");
		return (size_t)(p - to);
	}
	if (prefix == PREFIX_TIME) {
		p += format_time(p, seconds, milliseconds);
		*p++ = ' ';
	}
	p += sprintf(p, "%s: ", escape(name));
	return (size_t)(p - to);
}

/*
 * A line of LINES_LINE_MAX bytes at the most, and its end; into FORMAT_BODY_MAX bytes,
 * of which it returns how many it has taken.
 */
size_t
format_body(char *to, enum log_prefix prefix, const char *line, size_t length)
{
	char *p = to;

	if (prefix == PREFIX_JSON) {
		p += format_json(p, line, length);
		*p++ = '"';
		*p++ = '}';
	} else {
		memcpy(p, line, length);
		p += length;
	}
	*p++ = '\n';
	return (size_t)(p - to);
}
