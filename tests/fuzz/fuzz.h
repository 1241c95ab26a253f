/* What the fuzz targets have in common. */
#ifndef FUZZ_H
#define FUZZ_H

#include <stdio.h>
#include <stdlib.h>

#include "proto/rpc.h"

/* What libFuzzer calls. */
int	LLVMFuzzerInitialize(int *argc, char ***argv);
int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

/* A finding, unless condition is true.  dprintf: stderr may be none. */
#define expect(condition) do {						\
	if (!(condition)) {						\
		dprintf(2, "%s:%d: not so: %s\n", __FILE__, __LINE__,	\
		    #condition);					\
		abort();						\
	}								\
} while (0)

/* check.c */
enum rpc_check check_prefixes(const uint8_t *, size_t,
	    const struct rpc_limits *, size_t *bytes);
void	check_text(const char *, size_t);
void	*copy_of(const void *, size_t);
void	memory_count_from_here(void);
size_t	memory_counted(void);

#endif
