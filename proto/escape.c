/* Text from outside, made fit for a terminal or a log. */
#include <stdio.h>
#include <string.h>

#include "proto/escape.h"

#define ESCAPE_BUFFERS	4	/* arguments of one message */
#define ESCAPE_SIZE	1024

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
