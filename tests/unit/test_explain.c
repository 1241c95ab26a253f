/* Why a file could not be executed: real files, and the errors of execve(2). */
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "supervisor.h"
#include "tests/unit/directory.h"
#include "tests/unit/fake_log.h"

int given_directory = -1;	/* main.c's */

static char path[128];

static int
set_up(void **state)
{
	make_directory(state);
	snprintf(path, sizeof(path), "%s/run", directory);
	return 0;
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
	assert_explained("does not exist (write it, or remove its directory)");
	strcpy(strrchr(path, '/'), "/true");
	assert_explained("does not exist (is it installed");
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

/* Root may execute what anyone may, so another tries. */
static void
not_executable_by_this_user(void **state)
{
	const char *text;
	int error;

	(void)state;
	if (geteuid() != 0)
		skip();
	put("#!/bin/sh\n", 10, 0700);
	assert_int_equal(chmod(directory, 0755), 0);
	assert_int_equal(seteuid(65534), 0);
	error = error_of_execution();
	text = explain_exec(path, error);
	assert_int_equal(seteuid(0), 0);
	assert_int_equal(error, EACCES);
	assert_non_null(strstr(text, "may not be executed by uid 65534"));
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

/* The interpreter is there, but is itself what cannot be executed. */
static void
interpreter_is_no_program(void **state)
{
	char interpreter[128], line[160];

	(void)state;
	strcpy(interpreter, path);
	put_text("\177ELFgarbage");
	strcpy(strrchr(path, '/'), "/script");
	snprintf(line, sizeof(line), "#!%s\n", interpreter);
	put_text(line);
	assert_explained("is no program for this machine");
	assert_non_null(strstr(explain_exec(path, ENOENT),
	    "needs a loader or library"));
}

static void
interpreter_line_too_long(void **state)
{
	char line[600];

	(void)state;
	memset(line, 'x', sizeof(line));
	memcpy(line, "#!/", 3);
	put(line, sizeof(line), 0755);
	assert_explained("#! line that is too long");
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
	assert_explained("is a broken program");
}

/* A whole program, but for its machine; in either order of bytes. */
static void
program_of_another_architecture(void **state)
{
	char start[64] = "\177ELF\2\1\1";

	(void)state;
	start[16] = 2;
	start[18] = 22;
	put(start, sizeof(start), 0755);
	assert_explained("another architecture, s390x, and this machine is ");
	start[5] = 2;
	start[18] = 0;
	start[19] = 22;
	put(start, sizeof(start), 0755);
	assert_explained("another architecture, s390x, and this machine is ");
}

static void
its_own_interpreter(void **state)
{
	char line[160];

	(void)state;
	snprintf(line, sizeof(line), "#!%s\n", path);
	put_text(line);
	assert_explained("is its own interpreter");
}

static void
mounted_noexec(void **state)
{
	(void)state;
	if (unshare(CLONE_NEWNS) == -1 || mount(NULL, "/", NULL,
	    MS_REC | MS_PRIVATE, NULL) == -1 || mount("test", directory,
	    "tmpfs", MS_NOEXEC, NULL) == -1)
		skip();
	put_text("#!/bin/sh\n");
	assert_explained("is on a file system mounted noexec");
	assert_int_equal(umount(directory), 0);
}

/* my_init's own directory is not the supervisor's, which is /. */
static void
relative_path(void **state)
{
	char words[64];

	(void)state;
	put("#!/bin/sh\n", 10, 0644);
	given_directory = open(directory, O_PATH | O_DIRECTORY);
	assert_string_equal(explain_exec("./run", EACCES),
	    "./run is not executable (chmod +x ./run)");
	close(given_directory);
	given_directory = -1;
	assert_string_equal(getcwd(words, sizeof(words)), "/");
}

static void
empty_interpreter_line(void **state)
{
	(void)state;
	put_text("#!\n");
	assert_explained("#! line that names nothing");
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
	assert_non_null(strstr(explain_exec(path, EPERM), "security module"));
	assert_non_null(strstr(explain_exec(path, EIO), strerror(EIO)));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, remove_directory)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(missing), TEST(dangling_link), TEST(loop_of_links),
		TEST(a_directory), TEST(a_fifo), TEST(not_executable),
		TEST(not_executable_by_this_user),
		TEST(interpreter_missing), TEST(interpreter_not_executable),
		TEST(interpreter_is_no_program),
		TEST(interpreter_line_too_long),
		TEST(carriage_return), TEST(no_interpreter_line),
		TEST(an_empty_file), TEST(byte_order_mark),
		TEST(broken_program), TEST(program_of_another_architecture),
		TEST(its_own_interpreter), TEST(empty_interpreter_line),
		TEST(mounted_noexec), TEST(relative_path),
		TEST(being_written), TEST(below_a_file), TEST(lack_of_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
