/* The environment: what a directory of files makes of it. */
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
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

static const char *
path(const char *name)
{
	static char buffer[512];

	snprintf(buffer, sizeof(buffer), "%s/%s", directory, name);
	return buffer;
}

static void
put_bytes(const char *name, const char *bytes, size_t length)
{
	FILE *file = fopen(path(name), "w");

	assert_non_null(file);
	assert_int_equal(fwrite(bytes, 1, length, file), length);
	fclose(file);
}

static void
put(const char *name, const char *value)
{
	put_bytes(name, value, strlen(value));
}

/* Each test has a directory of its own and an environment begun anew. */
static int
set_up(void **state)
{
	make_directory(state);
	environment_import(directory, true, true);
	said_nothing();
	return 0;
}

static void
take(const char *first, const char *second)
{
	char *envp[] = { (char *)(uintptr_t)first, (char *)(uintptr_t)second,
		NULL };

	environment_take(envp);
}

static void
assert_value(const char *name, const char *value)
{
	const char *found = environment_get(name);

	if (found == NULL)
		fail_msg("%s is not set", name);
	assert_string_equal(found, value);
}

static void
given_environment_is_taken_as_it_is(void **state)
{
	(void)state;
	take("A=1=2", "B=");
	assert_value("A", "1=2");
	assert_value("B", "");
	take("A=later", "no equals sign");
	assert_value("A", "1=2");
	take("=nameless", NULL);
	assert_null(environment_get(""));
	assert_null(environment_get("no equals sign"));
}

static void
first_import_gives_defaults(void **state)
{
	(void)state;
	take("FOO=docker", NULL);
	put("FOO", "file");
	put("BAR", "file");
	assert_true(environment_import(directory, false, false));
	assert_value("FOO", "docker");
	assert_value("BAR", "file");
	assert_int_equal(said_count, 0);
}

static void
one_final_newline_is_no_part_of_the_value(void **state)
{
	(void)state;
	put("NONE", "a");
	put("ONE", "a\n");
	put("TWO", "a\n\n");
	put("INNER", "a\nb");
	put("CRLF", "a\r\n");
	put("EMPTY", "");
	put("NEWLINE", "\n");
	environment_import(directory, false, false);
	assert_value("NONE", "a");
	assert_value("ONE", "a");
	assert_value("TWO", "a\n");
	assert_value("INNER", "a\nb");
	assert_value("CRLF", "a\r");
	assert_value("EMPTY", "");
	assert_value("NEWLINE", "");
}

static void
bytes_are_bytes(void **state)
{
	(void)state;
	put("LATIN1", "\xff\xe4\x01");
	put("a.b-c", "odd name");
	put(".hidden", "dotfile");
	put("1x", "digit");
	environment_import(directory, false, false);
	assert_value("LATIN1", "\xff\xe4\x01");
	assert_value("a.b-c", "odd name");
	assert_value(".hidden", "dotfile");
	assert_value("1x", "digit");
	assert_int_equal(said_count, 0);
}

static void
again_makes_it_what_the_directory_holds(void **state)
{
	(void)state;
	take("KEPT=docker", "DELETED=docker");
	put("KEPT", "docker");
	environment_import(directory, false, false);
	put("KEPT", "changed");
	put("NEW", "new");
	environment_import(directory, true, true);
	assert_value("KEPT", "changed");
	assert_value("NEW", "new");
	assert_null(environment_get("DELETED"));
}

static void
what_cannot_be_a_file_survives(void **state)
{
	char name[NAME_MAX + 8];

	(void)state;
	take("HOME=/root", "a/b=slash");
	take("SHELL=/bin/sh", "..x=dots");
	take("USER=root", "GONE=1");
	environment_import(directory, true, true);
	assert_value("HOME", "/root");
	assert_value("SHELL", "/bin/sh");
	assert_value("USER", "root");
	assert_value("a/b", "slash");
	assert_value("..x", "dots");
	assert_null(environment_get("GONE"));
	memset(name, 'n', NAME_MAX + 1);
	strcpy(name + NAME_MAX + 1, "=long");
	take(name, NULL);
	environment_import(directory, true, true);
	name[NAME_MAX + 1] = '\0';
	assert_value(name, "long");
	put("HOME", "/file");
	environment_import(directory, true, true);
	assert_value("HOME", "/file");
	take("UID=1", "GID=1");
	take("GROUP=g", NULL);
	environment_import(directory, true, true);
	assert_value("UID", "1");
	assert_value("GID", "1");
	assert_value("GROUP", "g");
}

static void
nothing_is_lost_that_was_not_exported(void **state)
{
	(void)state;
	take("DOCKER=1", "GIVEN=outside");
	put("GIVEN", "default of the image");
	put("NEW", "new");
	environment_import(directory, true, false);
	assert_value("DOCKER", "1");
	assert_value("GIVEN", "outside");
	assert_value("NEW", "new");
}

static void
bad_entries_are_said_and_passed_over(void **state)
{
	static const char *const bad[] = {
		"DIRECTORY", "FIFO", "NUL", "LONG", "LOOP", "DANGLING", "E=Q"
	};
	size_t i;

	(void)state;
	mkdir(path("DIRECTORY"), 0700);
	mkfifo(path("FIFO"), 0600);
	put_bytes("NUL", "a\0b", 3);
	put("LONG", "");
	assert_int_equal(truncate(path("LONG"), 200 * 1024), 0);
	assert_int_equal(symlink("LOOP", path("LOOP")), 0);
	assert_int_equal(symlink("nowhere", path("DANGLING")), 0);
	put("E=Q", "x");
	put("AFTER", "fine");
	put("zAFTER", "fine");
	environment_import(directory, false, false);
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_null(environment_get(bad[i]));
		assert_non_null(strstr(said, bad[i]));
	}
	assert_int_equal(said_count, sizeof(bad) / sizeof(bad[0]));
	assert_value("AFTER", "fine");
	assert_value("zAFTER", "fine");
	/* Said once, not after every script. */
	environment_import(directory, true, true);
	assert_int_equal(said_count, sizeof(bad) / sizeof(bad[0]));
}

static void
entry_gone_bad_leaves_its_variable(void **state)
{
	(void)state;
	put("TURNS", "good");
	environment_import(directory, false, false);
	put_bytes("TURNS", "a\0b", 3);
	environment_import(directory, true, true);
	assert_value("TURNS", "good");
}

static void
kubernetes_links_are_followed_its_dots_passed_over(void **state)
{
	(void)state;
	mkdir(path("..2026"), 0700);
	put("..2026/SECRET", "s");
	assert_int_equal(symlink("..2026", path("..data")), 0);
	assert_int_equal(symlink("..data/SECRET", path("SECRET")), 0);
	environment_import(directory, false, false);
	assert_value("SECRET", "s");
	assert_int_equal(said_count, 0);
}

/* Files of /proc say that they are empty, and are not. */
static void
file_without_a_size_is_read(void **state)
{
	char expected[64] = "";
	FILE *file = fopen("/proc/sys/kernel/ostype", "r");

	(void)state;
	if (file == NULL)
		skip();
	assert_int_equal(fread(expected, 1, 63, file), 6);
	fclose(file);
	expected[5] = '\0';
	assert_int_equal(symlink("/proc/sys/kernel/ostype", path("TYPE")), 0);
	environment_import(directory, false, false);
	assert_value("TYPE", expected);
}

/* Root may read everything, so another reads. */
static void
unreadable_file_is_said_and_passed_over(void **state)
{
	(void)state;
	if (geteuid() != 0)
		skip();
	put("SECRET", "x");
	put("TELL", "y");
	assert_int_equal(chmod(path("SECRET"), 0), 0);
	assert_int_equal(chmod(directory, 0755), 0);
	assert_int_equal(seteuid(65534), 0);
	environment_import(directory, false, false);
	assert_int_equal(seteuid(0), 0);
	assert_null(environment_get("SECRET"));
	assert_value("TELL", "y");
	assert_int_equal(said_count, 1);
	assert_non_null(strstr(said, "/SECRET is not imported: it may not be "
	    "read (chmod"));
}

/* Linux allows "NAME=VALUE" 131,071 bytes, or every execve would fail. */
static void
longest_variable_is_the_kernels(void **state)
{
	char *value = malloc(ENVIRONMENT_STRING_MAX + 1);

	(void)state;
	memset(value, 'x', ENVIRONMENT_STRING_MAX);
	put_bytes("V1", value, ENVIRONMENT_STRING_MAX - 3);
	put_bytes("V2", value, ENVIRONMENT_STRING_MAX - 2);
	/* A final newline is no part of it, one before that is. */
	value[ENVIRONMENT_STRING_MAX - 3] = '\n';
	put_bytes("V3", value, ENVIRONMENT_STRING_MAX - 2);
	put_bytes("V4", value + 1, ENVIRONMENT_STRING_MAX - 2);
	value[ENVIRONMENT_STRING_MAX - 2] = '\n';
	put_bytes("V5", value, ENVIRONMENT_STRING_MAX - 1);
	environment_import(directory, false, false);
	assert_int_equal(strlen(environment_get("V1")),
	    ENVIRONMENT_STRING_MAX - 3);
	assert_null(environment_get("V2"));
	assert_int_equal(strlen(environment_get("V3")),
	    ENVIRONMENT_STRING_MAX - 3);
	assert_null(environment_get("V4"));
	assert_null(environment_get("V5"));
	assert_int_equal(said_count, 3);
	free(value);
}

static void
too_much_is_said_once_and_what_fits_is_kept(void **state)
{
	char name[32], *value = malloc(100000);
	int i, round;

	(void)state;
	memset(value, 'x', 100000);
	/* Twice: what is replaced or removed makes room again. */
	for (round = 0; round < 2; round++) {
		for (i = 10; i < 40; i++) {
			snprintf(name, sizeof(name), "BIG%d", i);
			put_bytes(name, value, 100000);
		}
		environment_import(directory, round > 0, true);
		environment_import(directory, true, true);
		assert_non_null(environment_get("BIG10"));
		assert_non_null(environment_get("BIG24"));
		assert_null(environment_get("BIG39"));
		assert_int_equal(said_count, 1);
		for (i = 10; i < 40; i++) {
			snprintf(name, sizeof(name), "BIG%d", i);
			assert_int_equal(unlink(path(name)), 0);
		}
		environment_import(directory, true, true);
		assert_null(environment_get("BIG10"));
	}
	free(value);
}

/* Of what my_init was given, and of files. */
static void
too_many_are_said_once_and_those_before_are_kept(void **state)
{
	static char names[ENVIRONMENT_VARIABLES_MAX + 10][16];
	static char *envp[ENVIRONMENT_VARIABLES_MAX + 11];
	int i;

	(void)state;
	for (i = 0; i < ENVIRONMENT_VARIABLES_MAX + 10; i++) {
		snprintf(names[i], sizeof(names[i]), "A%d=", i);
		envp[i] = names[i];
	}
	environment_take(envp);
	assert_int_equal(said_count, 1);
	assert_non_null(strstr(said, " 10 variables are dropped"));
	put("B1", "too many");
	put("B2", "too many");
	environment_import(directory, true, false);
	assert_int_equal(said_count, 2);
	assert_non_null(strstr(said, "/B1 is not imported: there are too"));
	assert_value("A0", "");
	for (i = 0; environment()[i] != NULL; i++)
		continue;
	assert_int_equal(i, ENVIRONMENT_VARIABLES_MAX);
}

static void
files_are_read_in_the_order_of_their_bytes(void **state)
{
	static const char *const sorted[] = {
		".d=", "1=", "A=", "Z=", "_=", "a=", "\xff="
	};
	char name[8];
	size_t i;

	(void)state;
	for (i = sizeof(sorted) / sizeof(sorted[0]); i-- > 0; ) {
		snprintf(name, sizeof(name), "%.*s",
		    (int)strlen(sorted[i]) - 1, sorted[i]);
		put(name, "");
	}
	environment_import(directory, false, false);
	for (i = 0; i < sizeof(sorted) / sizeof(sorted[0]); i++)
		assert_string_equal(environment()[i], sorted[i]);
	assert_null(environment()[i]);
}

/* Almost the last, because no more is said after it about any file. */
static void
hundreds_of_bad_files_are_not_all_named(void **state)
{
	char name[32];
	int i;

	(void)state;
	for (i = 0; i < 200; i++) {
		snprintf(name, sizeof(name), "BAD%d=", i);
		put(name, "");
	}
	environment_import(directory, false, false);
	assert_true(said_count <= 101);
	assert_non_null(strstr(said, "are not named"));
}

/* The last, because it is said once a life. */
static void
missing_directory_is_said_once(void **state)
{
	(void)state;
	take("A=1", NULL);
	assert_false(environment_import("/nonexistent", false, false));
	assert_non_null(strstr(said, "/nonexistent"));
	assert_false(environment_import("/nonexistent", true, true));
	assert_int_equal(said_count, 1);
	assert_value("A", "1");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, remove_directory)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(given_environment_is_taken_as_it_is),
		TEST(first_import_gives_defaults),
		TEST(one_final_newline_is_no_part_of_the_value),
		TEST(bytes_are_bytes),
		TEST(again_makes_it_what_the_directory_holds),
		TEST(nothing_is_lost_that_was_not_exported),
		TEST(bad_entries_are_said_and_passed_over),
		TEST(entry_gone_bad_leaves_its_variable),
		TEST(kubernetes_links_are_followed_its_dots_passed_over),
		TEST(file_without_a_size_is_read),
		TEST(unreadable_file_is_said_and_passed_over),
		TEST(longest_variable_is_the_kernels),
		TEST(files_are_read_in_the_order_of_their_bytes),
		TEST(too_many_are_said_once_and_those_before_are_kept),
		TEST(too_much_is_said_once_and_what_fits_is_kept),
		TEST(what_cannot_be_a_file_survives),
		TEST(hundreds_of_bad_files_are_not_all_named),
		TEST(missing_directory_is_said_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
