/* What a line of a service looks like in the container's output. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "supervisor/collector/collector.h"

static const char *
formatted(enum log_prefix prefix, const char *name, const char *line, size_t length)
{
	static char text[FORMAT_HEAD_MAX + FORMAT_BODY_MAX + 1];
	size_t used = format_head(text, prefix, name, 1795558533, 7);

	assert_true(used <= FORMAT_HEAD_MAX);
	used += format_body(text + used, prefix, line, length);
	text[used] = '\0';
	return text;
}

#define LINE(prefix, name, line) \
	formatted(PREFIX_##prefix, name, line, sizeof(line) - 1)

static void
test_names(void **state)
{
	(void)state;
	assert_string_equal(LINE(NAME, "web", "a line"), "web: a line\n");
	assert_string_equal(LINE(NAME, "web", ""), "web: \n");
	assert_string_equal(LINE(NAME, "web/log", "\033[1m \xff"),
	    "web/log: \033[1m \xff\n");
	/* The line is the service's; its name is a file's. */
	assert_string_equal(LINE(NAME, "a\033[2J\n", "x"), "a\\x1b[2J\\n: x\n");
}

static void
test_times(void **state)
{
	(void)state;
	assert_string_equal(LINE(TIME, "web", "x"),
	    "2026-11-24T22:15:33.007Z web: x\n");
}

#define HEAD "{\"time\":\"2026-11-24T22:15:33.007Z\",\"service\":\"web\",\"message\":\""

static void
test_json(void **state)
{
	(void)state;
	assert_string_equal(LINE(JSON, "web", "x"), HEAD "x\"}\n");
	assert_string_equal(LINE(JSON, "web", ""), HEAD "\"}\n");
	assert_string_equal(LINE(JSON, "web", "\"\\/\t\r\x7f\x01"),
	    HEAD "\\\"\\\\/\\u0009\\u000d\\u007f\\u0001\"}\n");
	assert_string_equal(LINE(JSON, "web", "\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80"),
	    HEAD "\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80\"}\n");
	assert_string_equal(LINE(JSON, "a\"b", "x"),
	    "{\"time\":\"2026-11-24T22:15:33.007Z\",\"service\":\"a\\\"b\","
	    "\"message\":\"x\"}\n");
}

/* Overlong, surrogates, too large, cut short: a U+FFFD for each byte. */
static void
test_json_of_no_text(void **state)
{
	static const struct {
		const char	*bytes;
		unsigned	marks;
	} rows[] = {
		{ "\xff", 1 }, { "\x80", 1 }, { "\xc0\x80", 2 }, { "\xc1\xbf", 2 },
		{ "\xe0\x80\x80", 3 }, { "\xed\xa0\x80", 3 }, { "\xc3", 1 },
		{ "\xf0\x80\x80\x80", 4 }, { "\xf4\x90\x80\x80", 4 },
		{ "\xf5\x80\x80\x80", 4 }, { "\xe2\x82", 2 }, { "\xf0\x9f\x98", 3 },
		{ "\xe2\x28\xa1", 2 },	/* the one in between is a parenthesis */
	};
	const char *p;
	unsigned marks;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		p = formatted(PREFIX_JSON, "web", rows[i].bytes,
		    strlen(rows[i].bytes));
		for (marks = 0; (p = strstr(p, "\\ufffd")) != NULL; p++)
			marks++;
		assert_int_equal(marks, rows[i].marks);
	}
}

static void
test_the_longest(void **state)
{
	static char line[LINES_LINE_MAX], name[STATE_NAME_MAX + 1];
	char text[FORMAT_HEAD_MAX + FORMAT_BODY_MAX];
	size_t head;

	(void)state;
	memset(line, 1, sizeof(line));
	memset(name, 1, STATE_NAME_MAX);
	head = format_head(text, PREFIX_JSON, name, INT64_C(253402300799), 999);
	assert_true(head <= FORMAT_HEAD_MAX);
	assert_true(format_head(text, PREFIX_TIME, name, 0, 0) <= FORMAT_HEAD_MAX);
	assert_int_equal(format_body(text, PREFIX_JSON, line, sizeof(line)),
	    6 * sizeof(line) + 3);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_times),
		cmocka_unit_test(test_json),
		cmocka_unit_test(test_json_of_no_text),
		cmocka_unit_test(test_the_longest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
