/* The environment written out: by files, for shells, as JSON. */
#include <sys/stat.h>

#include <errno.h>
#include <json-c/json.h>
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

static const char *
path(const char *name)
{
	static char buffers[4][512];
	static unsigned turn;
	char *buffer = buffers[turn++ % 4];

	snprintf(buffer, sizeof(buffers[0]), "%s/%s", directory, name);
	return buffer;
}

static int
set_up(void **state)
{
	(void)state;
	strcpy(directory, "/tmp/dump.XXXXXX");
	assert_non_null(mkdtemp(directory));
	said_nothing();
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

/* The bytes of a file; *length if it is not NULL. */
static const char *
contents(const char *name, size_t *length)
{
	static char buffer[65536];
	FILE *file = fopen(name, "r");
	size_t got;

	if (file == NULL)
		return NULL;
	got = fread(buffer, 1, sizeof(buffer) - 1, file);
	fclose(file);
	buffer[got] = '\0';
	if (length != NULL)
		*length = got;
	return buffer;
}

static mode_t
mode_of(const char *name)
{
	struct stat st;

	assert_int_equal(stat(name, &st), 0);
	return st.st_mode & 07777;
}

static void
put(const char *name, const char *text, mode_t mode)
{
	FILE *file = fopen(name, "w");

	assert_non_null(file);
	fputs(text, file);
	fclose(file);
	assert_int_equal(chmod(name, mode), 0);
}

static void
directory_has_a_file_a_variable(void **state)
{
	char *envp[] = { "A=1", "EMPTY=", "NEWLINE=x\n", "HOME=/root",
		"USER=u", "LATIN1=\xff", NULL };

	(void)state;
	assert_true(dump_directory(directory, envp));
	assert_string_equal(contents(path("A"), NULL), "1");
	assert_string_equal(contents(path("EMPTY"), NULL), "");
	/* One more, because the import takes one away. */
	assert_string_equal(contents(path("NEWLINE"), NULL), "x\n\n");
	assert_string_equal(contents(path("LATIN1"), NULL), "\xff");
	assert_null(contents(path("HOME"), NULL));
	assert_null(contents(path("USER"), NULL));
	assert_null(contents(path("..new"), NULL));
	assert_int_equal(said_count, 0);
}

static void
what_no_file_can_hold_is_said(void **state)
{
	char *envp[] = { "../../escape=1", "A=1", NULL };

	(void)state;
	assert_true(dump_directory(directory, envp));
	assert_string_equal(contents(path("A"), NULL), "1");
	assert_int_equal(said_count, 1);
	assert_non_null(strstr(said, "../../escape"));
	assert_null(strstr(said, "=1"));
}

static void
new_files_are_as_open_as_the_directory(void **state)
{
	char *envp[] = { "A=1", NULL }, *more[] = { "B=1", NULL };
	mode_t mask = umask(0);

	(void)state;
	chmod(directory, 0700);
	dump_directory(directory, envp);
	assert_int_equal(mode_of(path("A")), 0600);
	umask(077);
	chmod(directory, 0755);
	dump_directory(directory, more);
	assert_int_equal(mode_of(path("B")), 0644);
	umask(mask);
}

static void
old_files_keep_mode_and_owner(void **state)
{
	char *envp[] = { "A=new", NULL };
	struct stat st;

	(void)state;
	put(path("A"), "old", 0640);
	if (geteuid() == 0)
		assert_int_equal(chown(path("A"), 12, 34), 0);
	assert_true(dump_directory(directory, envp));
	assert_string_equal(contents(path("A"), NULL), "new");
	assert_int_equal(stat(path("A"), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0640);
	if (geteuid() == 0) {
		assert_int_equal(st.st_uid, 12);
		assert_int_equal(st.st_gid, 34);
	}
}

static void
what_is_right_already_is_left_alone(void **state)
{
	char *envp[] = { "A=same", NULL };
	struct stat before, after;

	(void)state;
	put(path("A"), "same", 0600);
	assert_int_equal(stat(path("A"), &before), 0);
	assert_true(dump_directory(directory, envp));
	assert_int_equal(stat(path("A"), &after), 0);
	assert_int_equal(before.st_ino, after.st_ino);
}

static void
links_and_fifos_are_replaced_not_followed(void **state)
{
	char *envp[] = { "LINK=x", "FIFO=x", NULL };

	(void)state;
	put(path(".target"), "untouched", 0600);
	assert_int_equal(symlink(".target", path("LINK")), 0);
	assert_int_equal(mkfifo(path("FIFO"), 0600), 0);
	assert_true(dump_directory(directory, envp));
	assert_string_equal(contents(path(".target"), NULL), "untouched");
	assert_string_equal(contents(path("LINK"), NULL), "x");
	assert_string_equal(contents(path("FIFO"), NULL), "x");
	put(path("passwd"), "untouched", 0600);
	assert_int_equal(symlink("passwd", path("sh")), 0);
	dump_sh(path("sh"), envp);
	assert_string_equal(contents(path("passwd"), NULL), "untouched");
	assert_string_equal(contents(path("sh"), NULL),
	    "export LINK=x\nexport FIFO=x\n");
}

static void
leftover_of_a_killed_supervisor_is_no_obstacle(void **state)
{
	char *envp[] = { "A=1", NULL };

	(void)state;
	put(path("..new"), "half a va", 0644);
	put(path("sh.new"), "export HA", 0644);
	assert_true(dump_directory(directory, envp));
	dump_sh(path("sh"), envp);
	assert_string_equal(contents(path("A"), NULL), "1");
	assert_int_equal(mode_of(path("sh")), 0600);
	assert_null(contents(path("..new"), NULL));
	assert_null(contents(path("sh.new"), NULL));
	assert_int_equal(said_count, 0);
}

static void
one_obstacle_stops_one_variable(void **state)
{
	char *envp[] = { "A=1", "B=2", "C=3", NULL };

	(void)state;
	assert_int_equal(mkdir(path("B"), 0700), 0);
	assert_false(dump_directory(directory, envp));
	assert_string_equal(contents(path("A"), NULL), "1");
	assert_string_equal(contents(path("C"), NULL), "3");
	assert_int_equal(said_count, 1);
	assert_non_null(strstr(said, "/B"));
}

/* Sources the file in a shell and compares a variable byte by byte. */
static void
assert_sourced(const char *shell, const char *name, const char *value)
{
	char command[1024], expected[4096];
	size_t length = 0;
	const char *got;

	snprintf(command, sizeof(command), "env -i PATH=\"$PATH\" %s -c '. %s"
	    "; exec env -0' >%s 2>%s", shell, path("sh"), path("out"),
	    path("err"));
	assert_int_equal(system(command), 0);
	assert_string_equal(contents(path("err"), NULL), "");
	got = contents(path("out"), &length);
	snprintf(expected, sizeof(expected), "%s=%s", name, value);
	for (; length > 0; length -= strlen(got) + 1, got += strlen(got) + 1)
		if (strcmp(got, expected) == 0)
			return;
	fail_msg("%s: no %s", shell, expected);
}

static void
shells_read_the_same_values(void **state)
{
	static const char *const shells[] = { "sh", "dash", "bash" };
	static const char *const values[] = {
		"", "plain", "two words", "it's", "''", "\"", "$HOME `id` \\",
		"a\nb\n", "\n", "-n", "sch\xc3\xb6n", "\xff\x81\x88\xfe",
		"\t\x01\x7f", "#", "~", "*", "a;b|c&d", "!x", "%s=@:,./-+_"
	};
	char variables[32][64], *envp[64];
	char name[16];
	size_t i, j, n = sizeof(values) / sizeof(values[0]);

	(void)state;
	for (i = 0; i < n; i++) {
		snprintf(variables[i], sizeof(variables[i]), "V%zu=%s", i,
		    values[i]);
		envp[i] = variables[i];
	}
	/* What a shell would refuse, or say something about. */
	envp[n++] = "PPID=1";
	envp[n++] = "UID=5";
	envp[n++] = "EUID=5";
	envp[n++] = "BASHOPTS=x";
	envp[n++] = "SHELLOPTS=x";
	envp[n++] = "BASH_VERSINFO=x";
	envp[n++] = "OPTIND=x";
	envp[n++] = "1x=digit";
	envp[n++] = "a.b-c=dots";
	envp[n++] = "BASH_FUNC_f%%=() { :; }";
	envp[n] = NULL;
	dump_sh(path("sh"), envp);
	assert_int_equal(said_count, 0);
	for (i = 0; i < sizeof(shells) / sizeof(shells[0]); i++) {
		for (j = 0; j < sizeof(values) / sizeof(values[0]); j++) {
			snprintf(name, sizeof(name), "V%zu", j);
			assert_sourced(shells[i], name, values[j]);
		}
		assert_sourced(shells[i], "_x", "digit");
		assert_sourced(shells[i], "a_b_c", "dots");
	}
}

static void
changed_name_never_hides_another(void **state)
{
	char *envp[] = { "a.b=changed", "a_b=real", "c.d=first", "c-d=second",
		NULL };

	(void)state;
	dump_sh(path("sh"), envp);
	assert_string_equal(contents(path("sh"), NULL),
	    "export a_b=real\nexport c_d=first\n");
}

static void
new_dump_is_for_root_alone(void **state)
{
	char *envp[] = { "A=1", NULL };
	mode_t mask = umask(0);

	(void)state;
	dump_sh(path("sh"), envp);
	dump_json(path("json"), envp);
	assert_int_equal(mode_of(path("sh")), 0600);
	assert_int_equal(mode_of(path("json")), 0600);
	chmod(path("sh"), 0644);
	chmod(path("json"), 0640);
	umask(077);
	dump_sh(path("sh"), envp);
	dump_json(path("json"), envp);
	assert_int_equal(mode_of(path("sh")), 0644);
	assert_int_equal(mode_of(path("json")), 0640);
	umask(mask);
}

static void
assert_json(struct json_object *object, const char *name, const char *value)
{
	struct json_object *found;

	assert_true(json_object_object_get_ex(object, name, &found));
	assert_string_equal(json_object_get_string(found), value);
}

static void
json_is_json(void **state)
{
	char *envp[] = { "A=1", "HOME=/root", "a.b=\"q\" \\ / \n\x01",
		"UTF8=\xe2\x82\xac", "LATIN1=a\xff" "b", "CUT=\xe2\x82",
		"OVERLONG=\xc0\x80", "SURROGATE=\xed\xa0\x80",
		"LARGE=\xf4\x90\x80\x80", "N\xff=name", NULL };
	struct json_object *object;

	(void)state;
	dump_json(path("json"), envp);
	object = json_tokener_parse(contents(path("json"), NULL));
	assert_non_null(object);
	assert_int_equal(json_object_object_length(object), 10);
	assert_json(object, "A", "1");
	assert_json(object, "HOME", "/root");
	assert_json(object, "a.b", "\"q\" \\ / \n\x01");
	assert_json(object, "UTF8", "\xe2\x82\xac");
	assert_json(object, "LATIN1", "a\xef\xbf\xbd" "b");
	assert_json(object, "CUT", "\xef\xbf\xbd");
	assert_json(object, "OVERLONG", "\xef\xbf\xbd\xef\xbf\xbd");
	assert_json(object, "SURROGATE",
	    "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd");
	assert_json(object, "LARGE",
	    "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd");
	assert_json(object, "N\xef\xbf\xbd", "name");
	json_object_put(object);
}

/* The last, because it is said once a life. */
static void
unwritable_directory_is_said_once(void **state)
{
	char *envp[] = { "A=1", "B=2", NULL };

	(void)state;
	errno = 0;
	/* /proc takes no new files, not even root's. */
	assert_false(dump_directory("/proc/self", envp));
	assert_true(said_count >= 1);
	said_nothing();
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(directory_has_a_file_a_variable),
		TEST(what_no_file_can_hold_is_said),
		TEST(new_files_are_as_open_as_the_directory),
		TEST(old_files_keep_mode_and_owner),
		TEST(what_is_right_already_is_left_alone),
		TEST(links_and_fifos_are_replaced_not_followed),
		TEST(leftover_of_a_killed_supervisor_is_no_obstacle),
		TEST(one_obstacle_stops_one_variable),
		TEST(shells_read_the_same_values),
		TEST(changed_name_never_hides_another),
		TEST(new_dump_is_for_root_alone),
		TEST(json_is_json),
		TEST(unwritable_directory_is_said_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
