/*
 * One page of memory that the stopwatch (measure.c) and every program it starts
 * share: the file behind descriptor 1.
 *
 * A service says that it runs by adding one to a counter; only the one that
 * makes it reach the target wakes the stopwatch.  So announcing costs each the
 * same microseconds, under every init, and nobody watches in the meantime.
 */
#ifndef PAGE_H
#define PAGE_H

#include <stdatomic.h>
#include <stdint.h>
#include <time.h>

#define PAGE_BYTES	4096

/* <linux/futex.h> is no part of musl. */
#define FUTEX_WAIT	0
#define FUTEX_WAKE	1

struct page {
	_Atomic uint32_t running;	/* services started so far */
	uint32_t	target;
	int64_t		exec_ns;	/* just before the init's execve(2) */
	int64_t		target_ns;	/* when the target was reached */
};

static inline int64_t
now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

#endif
