#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "supervisor.h"
#include "tests/unit/fake_log.h"

unsigned said_count;
char said[32768];

void
said_nothing(void)
{
	said_count = 0;
	said[0] = '\0';
}

void
log_warn(const char *format, ...)
{
	size_t length = strlen(said);
	va_list arguments;

	said_count++;
	if (sizeof(said) - length < 2)
		return;
	va_start(arguments, format);
	vsnprintf(said + length, sizeof(said) - length - 1, format, arguments);
	va_end(arguments);
	strcat(said, "\n");
}
