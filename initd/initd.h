/*
 * PID 1: initd.c is the program, channel.c its word to the supervisor, sweep.c its
 * end, kernel.c what a libc lacks.
 */
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
void	die(const char *what) __attribute__((noreturn));
int	move_up(int fd);
void	forward_signal(int signo);
int	wait_signal(int64_t deadline_ms);

/* channel.c */
struct init_record;
void	channel_make(void);
int	channel_fd(void);
int	channel_supervisor_fd(void);
int	channel_is_full(void);
int	channel_has_exit(void);
void	channel_flush(void);
void	channel_send_exit(pid_t pid, int status);
void	channel_send_signal(int signo);
int	channel_read_done(struct init_record *);

/* sweep.c */
void	sweep(int64_t grace_ms);

#endif
