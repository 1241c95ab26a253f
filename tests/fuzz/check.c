/*
 * rpc_check() beside the specification, and beside itself: what it says of a
 * message must agree with what it said of the message's first bytes, because
 * that is how messages arrive.
 */
#include <string.h>

#include <sanitizer/allocator_interface.h>
#include <sanitizer/asan_interface.h>

#include "tests/fuzz/fuzz.h"

#define SHORT	64	/* bytes: all beginnings are looked at */

/* --- the specification ---------------------------------------------------- */

static size_t
number_at(const uint8_t *p, unsigned size)
{
	size_t number = 0;

	while (size-- > 0)
		number = number << 8 | *p++;
	return number;
}

/*
 * Moves *p behind the object there.  False: it ends behind end, or no message
 * may have it.  Written in another way than rpc_check(), so as not to have the
 * same mistakes: recursive, and one byte after the other.
 */
static bool
skip(const uint8_t **p, const uint8_t *end, unsigned depth)
{
	size_t children = 0, payload = 0;
	unsigned size = 0;
	bool nests = false;
	uint8_t type;

	if (*p == end)
		return false;
	type = *(*p)++;
	switch (type) {
	case 0xc1: case 0xc7: case 0xc8: case 0xc9: case 0xca: case 0xcb:
	case 0xd4: case 0xd5: case 0xd6: case 0xd7: case 0xd8:
		return false;
	case 0xcc: case 0xd0:
		payload = 1;
		break;
	case 0xcd: case 0xd1:
		payload = 2;
		break;
	case 0xce: case 0xd2:
		payload = 4;
		break;
	case 0xcf: case 0xd3:
		payload = 8;
		break;
	case 0xc4: case 0xd9:
		size = 1;
		break;
	case 0xc5: case 0xda: case 0xdc: case 0xde:
		size = 2;
		break;
	case 0xc6: case 0xdb: case 0xdd: case 0xdf:
		size = 4;
		break;
	default:
		nests = type >= 0x80 && type <= 0x9f;
		if (type >= 0x80 && type <= 0x8f)
			children = 2 * (size_t)(type - 0x80);
		else if (nests)
			children = type - 0x90;
		else if (type >= 0xa0 && type <= 0xbf)
			payload = type - 0xa0;
	}
	if (size > (size_t)(end - *p))
		return false;
	if (type >= 0xdc && type <= 0xdf) {
		nests = true;
		children = number_at(*p, size) * (type >= 0xde ? 2 : 1);
	} else if (size > 0) {
		payload = number_at(*p, size);
	}
	*p += size;
	if (payload > (size_t)(end - *p) || (nests && depth == 0))
		return false;
	*p += payload;
	while (children-- > 0)
		if (!skip(p, end, depth - 1))
			return false;
	return true;
}

/* --- beginnings ----------------------------------------------------------- */

/* What was said of a beginning binds what is said of all longer ones. */
struct said {
	enum rpc_check	result;
	size_t		bytes;
};

static void
check_prefix(const uint8_t *bytes, size_t n, const struct rpc_limits *limits,
    struct said *before)
{
	struct said now = { .bytes = 0 };

	now.result = rpc_check(bytes, n, limits, &now.bytes);
	if (now.result != RPC_MALFORMED) {
		expect(now.bytes > 0 && now.bytes <= limits->size);
		expect((now.result == RPC_COMPLETE) == (now.bytes <= n));
	}
	switch (before->result) {
	case RPC_INCOMPLETE:
		/* It has been promised that fewer bytes will not do. */
		expect(now.result == RPC_MALFORMED ||
		    now.bytes >= before->bytes);
		break;
	case RPC_COMPLETE:
		expect(now.result == RPC_COMPLETE &&
		    now.bytes == before->bytes);
		break;
	case RPC_MALFORMED:
		expect(now.result == RPC_MALFORMED);
		break;
	}
	*before = now;
}

/* As the gate does it, which looks when there are as many as were asked for. */
static void
check_as_they_arrive(const uint8_t *data, size_t length,
    const struct rpc_limits *limits, const struct said *whole)
{
	size_t needed = 1, n;
	enum rpc_check result = RPC_INCOMPLETE;

	while (result == RPC_INCOMPLETE && needed <= length) {
		n = needed;
		result = rpc_check(data, n, limits, &needed);
	}
	if (result == RPC_INCOMPLETE)
		expect(whole->result != RPC_COMPLETE);
	else
		expect(result == whole->result);
	if (result == RPC_COMPLETE)
		expect(needed == whole->bytes);
}

/* rpc_check(), with all that is to be true of it. */
enum rpc_check
check_prefixes(const uint8_t *data, size_t length,
    const struct rpc_limits *limits, size_t *bytes)
{
	struct said said = { RPC_INCOMPLETE, 1 };
	size_t room = (length + 15) / 8 * 8, n;
	uint8_t *copy = malloc(room);
	const uint8_t *end = copy;
	bool whole;

	memcpy(copy, data, length);
	/* What is behind a beginning may not be read. */
	for (n = 0; n < length; n += n < SHORT ? 1 : n / 2) {
		__asan_unpoison_memory_region(copy, n);
		__asan_poison_memory_region(copy + n, room - n);
		check_prefix(copy, n, limits, &said);
	}
	__asan_unpoison_memory_region(copy, length);
	check_prefix(copy, length, limits, &said);
	check_as_they_arrive(copy, length, limits, &said);
	if (said.result == RPC_COMPLETE) {
		struct said shorter = { RPC_INCOMPLETE, 1 };

		check_prefix(copy, said.bytes - 1, limits, &shorter);
		expect(shorter.result == RPC_INCOMPLETE);
		check_prefix(copy, said.bytes, limits, &shorter);
		expect(shorter.result == RPC_COMPLETE);
	}
	whole = skip(&end, copy + length, limits->depth) &&
	    (size_t)(end - copy) <= limits->size;
	expect(whole == (said.result == RPC_COMPLETE));
	if (whole)
		expect((size_t)(end - copy) == said.bytes);
	__asan_unpoison_memory_region(copy, room);
	free(copy);
	*bytes = said.bytes;
	return said.result;
}

/* --- and more ------------------------------------------------------------- */

/* Fit for a terminal: escape() has seen all that came from outside. */
void
check_text(const char *text, size_t length)
{
	const unsigned char *s = (const unsigned char *)text;
	size_t i;

	for (i = 0; i < length; i++) {
		expect(s[i] == '\n' || (s[i] >= 0x20 && s[i] != 0x7f));
		/* U+0080 to U+009F */
		expect(s[i] != 0xc2 || i + 1 == length || s[i + 1] >= 0xa0);
	}
}

/* Ends where the bytes end, so that nobody reads on. */
void *
copy_of(const void *bytes, size_t length)
{
	void *copy = malloc(length);

	memcpy(copy, bytes, length);
	return copy;
}

static size_t counted;

static void
count(const volatile void *address, size_t size)
{
	(void)address;
	counted += size;
}

static void
count_not(const volatile void *address)
{
	(void)address;
}

/* Counts the bytes that anybody asks malloc for. */
void
memory_count_from_here(void)
{
	static bool hooked;

	if (!hooked)
		expect(__sanitizer_install_malloc_and_free_hooks(count,
		    count_not) != 0);
	hooked = true;
	counted = 0;
}

size_t
memory_counted(void)
{
	return counted;
}
