/* Why a file could not be executed: real files, and the error execve(2) gives. */
#include <sys/stat.h>
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "supervisor.h"
#include "tests/unit/fake_log.h"

static char directory[64];
static char path[128];

static int
set_up(void **state)
{
	(void)state;
	strcpy(directory, "/tmp/explain.XXXXXX");
	assert_non_null(mkdtemp(directory));
	snprintf(path, sizeof(path), "%s/run", directory);
	return 0;
}

static int
tear_down(void **state)
{
	char command[128];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf %s", directory);
	return system(command);
}

static void
put(const char *bytes, size_t length, mode_t mode)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	assert_int_equal(write(fd, bytes, length), length);
	assert_int_equal(fchmod(fd, mode), 0);
	close(fd);
}

static void
put_text(const char *text)
{
	put(text, strlen(text), 0755);
}

/* The errno of executing path; a child that succeeds is a test that fails. */
static int
error_of_execution(void)
{
	char *argv[] = { path, NULL };
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		execv(path, argv);
		_exit(errno);
	}
	waitpid(pid, &status, 0);
	assert_true(WIFEXITED(status));
	assert_int_not_equal(WEXITSTATUS(status), 0);
	return WEXITSTATUS(status);
}

/* The explanation begins with the path and has the words in it. */
static void
assert_explained(const char *words)
{
	const char *text = explain_exec(path, error_of_execution());

	if (strncmp(text, path, strlen(path)) != 0 ||
	    strstr(text, words) == NULL)
		fail_msg("no \"%s\" in: %s", words, text);
}

static void
missing(void **state)
{
	(void)state;
	assert_explained("does not exist");
}

static void
dangling_link(void **state)
{
	(void)state;
	assert_int_equal(symlink("nowhere", path), 0);
	assert_explained("symbolic link to nothing");
}

static void
loop_of_links(void **state)
{
	(void)state;
	assert_int_equal(symlink("run", path), 0);
	assert_explained("loop of symbolic links");
}

static void
a_directory(void **state)
{
	(void)state;
	assert_int_equal(mkdir(path, 0755), 0);
	assert_explained("is a directory");
}

static void
a_fifo(void **state)
{
	(void)state;
	assert_int_equal(mkfifo(path, 0755), 0);
	assert_explained("not a regular file");
}

static void
not_executable(void **state)
{
	char words[256];

	(void)state;
	put("#!/bin/sh\n", 10, 0644);
	snprintf(words, sizeof(words), "is not executable (chmod +x %s)", path);
	assert_explained(words);
}

static void
interpreter_missing(void **state)
{
	(void)state;
	put_text("#! /no/such/interpreter -x\n");
	assert_explained("its interpreter /no/such/interpreter does not exist");
}

static void
interpreter_not_executable(void **state)
{
	(void)state;
	put_text("#!/etc/passwd\n");
	assert_explained("its interpreter /etc/passwd may not be executed");
}

static void
carriage_return(void **state)
{
	(void)state;
	put_text("#!/bin/sh\r\necho\r\n");
	assert_explained("carriage return");
}

static void
no_interpreter_line(void **state)
{
	(void)state;
	put_text("echo hello\n");
	assert_explained("has no #! line");
}

static void
an_empty_file(void **state)
{
	(void)state;
	put_text("");
	assert_explained("is empty");
}

static void
byte_order_mark(void **state)
{
	(void)state;
	put_text("\xef\xbb\xbf#!/bin/sh\n");
	assert_explained("byte order mark");
}

static void
broken_program(void **state)
{
	(void)state;
	put_text("\177ELFgarbage");
	assert_explained("another architecture");
}

static void
empty_interpreter_line(void **state)
{
	(void)state;
	put_text("#!\n");
	assert_explained("#! line");
}

static void
being_written(void **state)
{
	int fd;

	(void)state;
	put_text("#!/bin/sh\n");
	fd = open(path, O_WRONLY);
	assert_explained("still being written");
	close(fd);
}

static void
below_a_file(void **state)
{
	(void)state;
	strcpy(path, "/etc/passwd/run");
	assert_explained("not a directory");
}

/* Errors that no file causes. */
static void
lack_of_room(void **state)
{
	(void)state;
	assert_non_null(strstr(explain_exec(path, E2BIG), "too large"));
	assert_non_null(strstr(explain_exec(path, EAGAIN), "limit"));
	assert_non_null(strstr(explain_exec(path, ENOMEM), "limit"));
	assert_non_null(strstr(explain_exec(path, EIO), strerror(EIO)));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(missing), TEST(dangling_link), TEST(loop_of_links),
		TEST(a_directory), TEST(a_fifo), TEST(not_executable),
		TEST(interpreter_missing), TEST(interpreter_not_executable),
		TEST(carriage_return), TEST(no_interpreter_line),
		TEST(an_empty_file), TEST(byte_order_mark),
		TEST(broken_program), TEST(empty_interpreter_line),
		TEST(being_written), TEST(below_a_file), TEST(lack_of_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
