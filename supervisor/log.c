/*
 * Messages.  The container's stderr may be a pipe that nobody reads; a
 * supervisor that waited for it would supervise nothing.
 */
#include <limits.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "supervisor.h"

#define ESCAPE_BUFFERS	4	/* arguments of one message */
#define ESCAPE_SIZE	1024

static unsigned lost;	/* messages since stderr last took one */

static bool
put(const char *line, size_t length)
{
	struct pollfd ready = { .fd = INIT_LOG_FD, .events = POLLOUT };

	/* A pipe that is writable takes PIPE_BUF bytes whole (pipe(7)). */
	if (poll(&ready, 1, 0) != 1 || (ready.revents & POLLOUT) == 0)
		return false;
	return write(INIT_LOG_FD, line, length) == (ssize_t)length;
}

static void __attribute__((format(printf, 1, 0)))
log_line(const char *format, va_list arguments)
{
	char line[PIPE_BUF];
	int length;

	if (lost > 0) {
		length = snprintf(line, sizeof(line),
		    "*** %u messages are lost: stderr was not read\n", lost);
		if (put(line, (size_t)length))
			lost = 0;
	}
	memcpy(line, "*** ", 4);
	length = vsnprintf(line + 4, sizeof(line) - 5, format, arguments);
	if (length < 0)
		return;
	length += 4;
	if (length > (int)sizeof(line) - 2) {
		length = (int)sizeof(line) - 2;
		memcpy(line + length - 3, "...", 3);
	}
	line[length] = '\n';
	if (!put(line, (size_t)length + 1))
		lost++;
}

/* What --quiet leaves out. */
void
log_info(const char *format, ...)
{
	va_list arguments;

	if (options.quiet)
		return;
	va_start(arguments, format);
	log_line(format, arguments);
	va_end(arguments);
}

/* What went wrong, and what is to be done about it. */
void
log_warn(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	log_line(format, arguments);
	va_end(arguments);
}

/* How many bytes at s are one printable character of UTF-8; 0: none. */
static size_t
printable(const unsigned char *s)
{
	static const unsigned char least[] = { 0, 0, 0xc2, 0xe0, 0xf0 };
	size_t length, i;

	if (*s < 0x80)
		return *s >= 0x20 && *s != 0x7f;
	length = *s >= 0xf0 ? 4 : *s >= 0xe0 ? 3 : 2;
	if (*s < least[length] || *s > 0xf4)
		return 0;
	for (i = 1; i < length; i++)
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	/* U+0080 to U+009F are control characters of eight bits. */
	if (length == 2 && *s == 0xc2 && s[1] < 0xa0)
		return 0;
	return length;
}

/*
 * A name as it may be shown on a terminal: control characters and what is not
 * UTF-8 as \n, \t or \xNN, a long one cut.  The result is overwritten by the
 * fourth call from now.
 */
const char *
escape(const char *text)
{
	static char buffers[ESCAPE_BUFFERS][ESCAPE_SIZE];
	static unsigned turn;
	const unsigned char *s = (const unsigned char *)text;
	char *buffer = buffers[turn++ % ESCAPE_BUFFERS], *p = buffer;
	char *end = buffer + ESCAPE_SIZE - sizeof("\\xNN...");
	size_t length;

	for (; *s != '\0' && p < end; s += length) {
		if ((length = printable(s)) != 0) {
			memcpy(p, s, length);
			p += length;
			continue;
		}
		length = 1;
		if (*s == '\n' || *s == '\t')
			p += sprintf(p, "\\%c", *s == '\n' ? 'n' : 't');
		else
			p += sprintf(p, "\\x%02x", *s);
	}
	strcpy(p, *s == '\0' ? "" : "...");
	return buffer;
}
