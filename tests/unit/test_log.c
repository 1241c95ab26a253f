/* Names as they may be shown, and a stderr that nobody reads. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "supervisor.h"

struct options options;

static void
printable_text_is_itself(void **state)
{
	(void)state;
	assert_string_equal(escape(""), "");
	assert_string_equal(escape("/etc/service/a b~'\"$"),
	    "/etc/service/a b~'\"$");
	assert_string_equal(
	    escape("sch\xc3\xb6n \xe2\x82\xac \xf0\x9f\x90\xb3"),
	    "sch\xc3\xb6n \xe2\x82\xac \xf0\x9f\x90\xb3");
}

static void
control_characters_are_escaped(void **state)
{
	(void)state;
	assert_string_equal(escape("a\nb\tc\rd"), "a\\nb\\tc\\x0dd");
	assert_string_equal(escape("\033[2J"), "\\x1b[2J");
	assert_string_equal(escape("\x7f\x01"), "\\x7f\\x01");
	/* U+009B is the CSI of eight-bit terminals. */
	assert_string_equal(escape("\xc2\x9b" "2J"), "\\xc2\\x9b2J");
}

static void
what_is_not_utf8_is_escaped(void **state)
{
	(void)state;
	assert_string_equal(escape("\xff\xfe"), "\\xff\\xfe");
	assert_string_equal(escape("\x9b" "2J"), "\\x9b2J");
	assert_string_equal(escape("\xc0\x80"), "\\xc0\\x80");
	assert_string_equal(escape("a\xe2\x82"), "a\\xe2\\x82");
	assert_string_equal(escape("\xf5\x80\x80\x80"),
	    "\\xf5\\x80\\x80\\x80");
}

static void
long_text_is_cut(void **state)
{
	char text[5000];
	const char *escaped;

	(void)state;
	memset(text, '\n', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	escaped = escape(text);
	assert_true(strlen(escaped) < 1024);
	assert_string_equal(escaped + strlen(escaped) - 3, "...");
}

static void
four_arguments_of_one_message_are_kept(void **state)
{
	const char *one = escape("1"), *two = escape("2"), *three = escape("3");
	const char *four = escape("4");

	(void)state;
	assert_string_equal(one, "1");
	assert_string_equal(two, "2");
	assert_string_equal(three, "3");
	assert_string_equal(four, "4");
}

static int
open_pipe(void **state)
{
	static int ends[2];

	assert_int_equal(pipe2(ends, O_NONBLOCK), 0);
	assert_int_not_equal(dup2(ends[1], INIT_LOG_FD), -1);
	if (ends[1] != INIT_LOG_FD)
		close(ends[1]);
	options.quiet = false;
	*state = ends;
	return 0;
}

static int
close_pipe(void **state)
{
	int *ends = *state;

	close(ends[0]);
	close(INIT_LOG_FD);
	return 0;
}

static const char *
read_pipe(void **state)
{
	static char text[8192];
	int *ends = *state;
	ssize_t length = read(ends[0], text, sizeof(text) - 1);

	text[length > 0 ? length : 0] = '\0';
	return text;
}

static void
messages_are_lines_with_stars(void **state)
{
	log_warn("%s: %d", "sshd", 5);
	assert_string_equal(read_pipe(state), "*** sshd: 5\n");
}

static void
quiet_leaves_warnings(void **state)
{
	log_info("said");
	options.quiet = true;
	log_info("not said");
	log_warn("warned");
	assert_string_equal(read_pipe(state), "*** said\n*** warned\n");
}

static void
a_message_is_one_line_of_bounded_length(void **state)
{
	static char text[10000];
	const char *line;

	memset(text, 'x', sizeof(text) - 1);
	log_warn("%s", text);
	line = read_pipe(state);
	assert_true(strlen(line) <= 4096);
	assert_string_equal(line + strlen(line) - 5, "x...\n");
}

/* If it blocked, the test would not end. */
static void
full_pipe_loses_messages_and_counts_them(void **state)
{
	static char filler[4096];
	int i;

	fcntl(INIT_LOG_FD, F_SETFL, O_NONBLOCK);
	while (write(INIT_LOG_FD, filler, sizeof(filler)) > 0)
		continue;
	fcntl(INIT_LOG_FD, F_SETFL, 0);
	for (i = 0; i < 3; i++)
		log_warn("lost");
	while (strlen(read_pipe(state)) == 0 && read(*(int *)*state, filler,
	    sizeof(filler)) > 0)
		continue;
	log_warn("found");
	assert_string_equal(read_pipe(state), "*** 3 messages are lost: "
	    "stderr was not read\n*** found\n");
	log_warn("more");
	assert_string_equal(read_pipe(state), "*** more\n");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(printable_text_is_itself),
		cmocka_unit_test(control_characters_are_escaped),
		cmocka_unit_test(what_is_not_utf8_is_escaped),
		cmocka_unit_test(long_text_is_cut),
		cmocka_unit_test(four_arguments_of_one_message_are_kept),
		cmocka_unit_test_setup_teardown(messages_are_lines_with_stars,
		    open_pipe, close_pipe),
		cmocka_unit_test_setup_teardown(quiet_leaves_warnings,
		    open_pipe, close_pipe),
		cmocka_unit_test_setup_teardown(
		    a_message_is_one_line_of_bounded_length, open_pipe,
		    close_pipe),
		cmocka_unit_test_setup_teardown(
		    full_pipe_loses_messages_and_counts_them, open_pipe,
		    close_pipe),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
