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
