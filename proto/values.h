/*
 * The values that settings have.  Each returns false, and has changed nothing that
 * counts, if the text is no such value.
 */
#ifndef PROTO_VALUES_H
#define PROTO_VALUES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/settings.h"

bool	value_number(const char *, int base, int64_t least, int64_t most,
	    int64_t *);
bool	value_interval(const char *, int64_t *ms);
bool	value_milliseconds(const char *, int64_t least, int64_t *);
bool	value_word(const char *, const char *const *words, unsigned count,
	    unsigned *);
bool	value_signal(const char *, int *);
bool	value_copy(const char *, char *to, size_t size);
bool	value_limit(struct settings *, char *line);

#endif
