/* A message to be packed and unpacked, for the tests of translate.c. */
#ifndef MESSAGE_H
#define MESSAGE_H

#include <msgpack/pack.h>
#include <msgpack/sbuffer.h>
#include <msgpack/unpack.h>

#include "proto/rpc.h"

#define TEN	"0123456789"
#define HUNDRED	TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN

/* Bytes to be unpacked, and what was. */
extern msgpack_sbuffer buffer;
extern msgpack_packer packer;
extern msgpack_unpacked unpacked;

/* Before and after each test. */
int	begin(void **state);
int	end(void **state);

/* What is in the buffer; it has to be one message. */
const msgpack_object *unpack(const struct rpc_limits *limits);

/*
 * Packs what is written as in JSON, with ' for ", and b'' for bin; numbers with
 * a # before them have 64 bits.  Returns what is behind it.
 */
const char *pack(const char *text);

#endif
