/* In place of log.c: what was said is kept for the test to look at. */
#ifndef FAKE_LOG_H
#define FAKE_LOG_H

extern unsigned said_count;		/* messages since said_nothing() */
extern char said[32768];			/* their text, each ended by a newline */
void	said_nothing(void);

#endif
