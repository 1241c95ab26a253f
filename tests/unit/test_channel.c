/* The ring of a service's lines: where they begin and end, and which are given up. */
#include <sys/mman.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "supervisor/collector/collector.h"

struct lines_table *lines;
int directory = -1;

void
say(const char *what, const char *which, int error)
{
	fail_msg("%s %s %d", what, which, error);
}

static int
setup(void **state)
{
	(void)state;
	lines = mmap(NULL, sizeof(*lines), PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	return lines == MAP_FAILED ? -1 : 0;
}

static int
teardown(void **state)
{
	(void)state;
	return munmap(lines, sizeof(*lines));
}

/* The first byte that is in the ring is that of this position. */
static void
begin_at(uint64_t position)
{
	atomic_store(&lines->channels[0].read, position);
	atomic_store(&lines->channels[0].written, position);
}

/* As if it had been read from the pipe. */
static void
put(const char *text, size_t length)
{
	uint64_t read = atomic_load(&lines->channels[0].read);
	size_t i;

	assert_true(length <= channel_room(0));
	for (i = 0; i < length; i++)
		lines->rings[0][(read + i) % LINES_RING] = text[i];
	atomic_store(&lines->channels[0].read, read + length);
}

static void
put_many(char byte, size_t count)
{
	for (; count > 0; count--)
		put(&byte, 1);
}

static bool
take(const char **line, size_t *length)
{
	uint64_t written = atomic_load(&lines->channels[0].written);
	size_t bytes;

	if (!channel_line(0, written, line, length, &bytes))
		return false;
	atomic_store(&lines->channels[0].written, written + bytes);
	return true;
}

static void
assert_line(const char *expected)
{
	const char *line;
	size_t length;

	assert_true(take(&line, &length));
	assert_int_equal(length, strlen(expected));
	assert_memory_equal(line, expected, length);
}

static void
assert_none(void)
{
	const char *line;
	size_t length;

	assert_false(take(&line, &length));
}

static void
test_lines(void **state)
{
	(void)state;
	begin_at(0);
	assert_none();
	put("one\n\ntw", 7);
	assert_line("one");
	assert_line("");
	assert_none();
	put("o\nthree", 7);
	assert_line("two");
	assert_none();
}

/* Wherever in a line the ring begins anew, and whatever was in it before. */
static void
test_the_ring_begins_anew_in_a_line(void **state)
{
	size_t at;

	(void)state;
	for (at = 0; at <= 8; at++) {
		memset(lines->rings[0], '\n', LINES_RING);
		begin_at(5 * (uint64_t)LINES_RING - at);
		put("abcdef", 6);
		assert_none();
		put("\nx\n", 3);
		assert_line("abcdef");
		assert_line("x");
		assert_none();
	}
}

static void
test_a_long_line_is_several(void **state)
{
	const char *line;
	size_t length, at;

	(void)state;
	for (at = 0; at < 2; at++) {
		begin_at(at * (LINES_RING - 100));
		put_many('x', LINES_LINE_MAX - 1);
		assert_none();
		put_many('x', 1);
		assert_true(take(&line, &length));
		assert_int_equal(length, LINES_LINE_MAX);
		assert_none();
		put("y\n", 2);
		assert_line("y");
		/* One of just that length is that, and an empty rest of it. */
		put_many('z', LINES_LINE_MAX);
		put("\n", 1);
		assert_true(take(&line, &length));
		assert_int_equal(length, LINES_LINE_MAX);
		assert_line("");
		assert_none();
	}
}

/* A ring that is full has a line to be written, or nothing more could be read. */
static void
test_a_full_ring_has_a_line(void **state)
{
	const char *line;
	size_t length;

	(void)state;
	begin_at(77);
	put_many('x', LINES_RING);
	assert_int_equal(channel_room(0), 0);
	assert_true(take(&line, &length));
	assert_int_equal(channel_room(0), LINES_LINE_MAX);
}

static void
test_drop(void **state)
{
	unsigned i;

	(void)state;
	begin_at(LINES_RING - 3);
	atomic_store(&lines->channels[0].dropped, 0);
	for (i = 0; i < 100; i++)
		put("a line of 20 bytes.\n", 20);
	/* The mark of an end is no line, and not counted as one. */
	put(LINES_END, LINES_END_LENGTH);
	put("begun", 5);
	channel_drop(0, LINES_RING - 2000);
	assert_int_equal(atomic_load(&lines->channels[0].dropped), 1);
	channel_drop(0, LINES_RING - 1000);
	assert_int_equal(atomic_load(&lines->channels[0].dropped), 51);
	assert_int_equal(channel_room(0), LINES_RING - 987);
	/* Not more than there are. */
	channel_drop(0, LINES_RING);
	assert_int_equal(atomic_load(&lines->channels[0].dropped), 100);
	assert_int_equal(channel_room(0), LINES_RING - 5);
}

static void
test_marks(void **state)
{
	size_t length = 3;

	(void)state;
	assert_true(lines_is_one("abc", &length));
	assert_int_equal(length, 3);
	length = 4;
	assert_true(lines_is_one("abc\0", &length));
	assert_int_equal(length, 3);
	length = 1;
	assert_false(lines_is_one("\0", &length));
	length = 0;
	assert_true(lines_is_one("", &length));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_the_ring_begins_anew_in_a_line),
		cmocka_unit_test(test_a_long_line_is_several),
		cmocka_unit_test(test_a_full_ring_has_a_line),
		cmocka_unit_test(test_drop),
		cmocka_unit_test(test_marks),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
