/* PID 1: initd.c is the program, sweep.c its end, kernel.c what libc lacks. */
#ifndef INITD_H
#define INITD_H

#include <sys/types.h>

#include <stdint.h>

#define SIGNAL_BIT(signo)	(UINT64_C(1) << ((signo) - 1))

/* kernel.c */
uint64_t signals_block_all(void);
uint64_t signals_reset_ignored(void);
int	signals_open(void);
void	drop_capabilities(void);
int	log_reopen(void);
int64_t	now_ms(void);

/* initd.c */
void	say(const char *text, long number, const char *rest);
void	keep_signal(int signo);
int	wait_signal(int64_t deadline_ms, int channel_is_full);

/* sweep.c */
void	sweep(int64_t grace_ms);

#endif
