/* The environment written out: by files, for shells, as JSON. */
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <json-c/json.h>
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
	make_directory(state);
	said_nothing();
	return 0;
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
	/* A link to such a file will do: a ConfigMap's are links. */
	assert_int_equal(unlink(path("A")), 0);
	put(path(".target"), "same", 0600);
	assert_int_equal(symlink(".target", path("A")), 0);
	assert_true(dump_directory(directory, envp));
	assert_int_equal(lstat(path("A"), &after), 0);
	assert_true(S_ISLNK(after.st_mode));
}

/* What is written and read again is what it was. */
static void
import_gives_back_what_was_exported(void **state)
{
	char *envp[] = { "PLAIN=a", "EMPTY=", "NEWLINE=\n", "TWO=a\n\n",
		"CRLF=a\r\n", "BYTES=\x01\xff\xfe", "odd.name=x", NULL };
	const char *value;
	size_t i;

	(void)state;
	assert_true(dump_directory(directory, envp));
	environment_import(directory, true, true);
	for (i = 0; envp[i] != NULL; i++) {
		value = strchr(envp[i], '=');
		envp[i] = strndup(envp[i], (size_t)(value - envp[i]));
		assert_string_equal(environment_get(envp[i]), value + 1);
		free(envp[i]);
	}
	assert_int_equal(said_count, 0);
}

static void
links_and_fifos_are_replaced_not_followed(void **state)
{
	char *envp[] = { "LINK=x", "FIFO=x", NULL };
	char *nothing[] = { "NOTHING=", NULL };

	(void)state;
	put(path(".target"), "untouched", 0600);
	assert_int_equal(symlink(".target", path("LINK")), 0);
	assert_int_equal(mkfifo(path("FIFO"), 0600), 0);
	assert_int_equal(chmod(path("FIFO"), 0666), 0);
	assert_true(dump_directory(directory, envp));
	/* A link's mode, 0777, and a FIFO's are no file's. */
	assert_int_equal(mode_of(path("LINK")), 0600);
	assert_int_equal(mode_of(path("FIFO")), 0600);
	/* A FIFO is as empty as the value, and yet not the same. */
	assert_int_equal(mkfifo(path("NOTHING"), 0600), 0);
	assert_true(dump_directory(directory, nothing));
	assert_string_equal(contents(path("NOTHING"), NULL), "");
	assert_string_equal(contents(path(".target"), NULL), "untouched");
	assert_string_equal(contents(path("LINK"), NULL), "x");
	assert_string_equal(contents(path("FIFO"), NULL), "x");
	put(path("passwd"), "untouched", 0600);
	assert_int_equal(symlink("passwd", path("sh")), 0);
	dump_sh(path("sh"), envp);
	assert_string_equal(contents(path("passwd"), NULL), "untouched");
	assert_string_equal(contents(path("sh"), NULL),
	    "export LINK=x\nexport FIFO=x\n");
	assert_int_equal(mode_of(path("sh")), 0600);
}

/* What a group could read that cannot be kept, another may not. */
static void
group_that_cannot_be_kept_lends_no_rights(void **state)
{
	char *envp[] = { "A=new", NULL };
	bool complete;

	(void)state;
	if (geteuid() != 0)
		skip();
	put(path("A"), "old", 0664);
	assert_int_equal(chown(path("A"), 12, 34), 0);
	assert_int_equal(chown(directory, 65534, 65534), 0);
	assert_int_equal(seteuid(65534), 0);
	complete = dump_directory(directory, envp);
	assert_int_equal(seteuid(0), 0);
	assert_true(complete);
	assert_string_equal(contents(path("A"), NULL), "new");
	assert_int_equal(mode_of(path("A")), 0600);
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
	char *envp[] = { "A=1", "B=2", "C=3", NULL }, *last[] = { "B=2", NULL };

	(void)state;
	assert_int_equal(mkdir(path("B"), 0700), 0);
	assert_false(dump_directory(directory, envp));
	assert_string_equal(contents(path("A"), NULL), "1");
	assert_string_equal(contents(path("C"), NULL), "3");
	assert_int_equal(said_count, 1);
	assert_non_null(strstr(said, "/B"));
	/* Nothing is left of the attempt, even if it is the last. */
	assert_false(dump_directory(directory, last));
	assert_int_equal(access(path("..new"), F_OK), -1);
}

/* Sourced silently, the file exports these bytes and nothing else. */
static void
assert_sourced(const char *shell, char **envp)
{
	const char *got, *end;
	char command[1024];
	size_t length = 0, i, count = 0;

	snprintf(command, sizeof(command), "env -i PATH=\"$PATH\" %s -c '. %s"
	    "; exec env -0 -u PATH -u PWD -u OLDPWD -u SHLVL -u _' >%s 2>%s",
	    shell, path("sh"), path("out"), path("err"));
	assert_int_equal(system(command), 0);
	assert_string_equal(contents(path("err"), NULL), "");
	got = contents(path("out"), &length);
	for (end = got + length; got < end; got += strlen(got) + 1, count++) {
		for (i = 0; envp[i] != NULL && strcmp(got, envp[i]) != 0; i++)
			continue;
		if (envp[i] == NULL)
			fail_msg("%s has %s", shell, got);
	}
	for (i = 0; envp[i] != NULL; i++)
		continue;
	assert_int_equal(count, i);
}

static const char *const shells[] = { "sh", "dash", "bash", "bash --posix" };
#define SHELLS	(sizeof(shells) / sizeof(shells[0]))

static void
shells_read_the_same_values(void **state)
{
	char *envp[] = { "V0=", "V1=plain", "V2=two words", "V3=it's",
		"V4=''", "V5=\"", "V6=$HOME `id` \\", "V7=a\nb\n", "V8=\n",
		"V9=-n", "Va=sch\xc3\xb6n", "Vb=\xff\x81\x88\xfe",
		"Vc=\t\x01\x7f", "Vd=#", "Ve=~", "Vf=*", "Vg=a;b|c&d", "Vh=!x",
		"Vi=%s=@:,./-+_", "Vj='", "Vk=a=b=c", "Vl=\r\n", "_=", NULL };
	size_t i = sizeof(envp) / sizeof(envp[0]) - 2, j;

	(void)state;
	envp[i] = malloc(40000);
	memset(envp[i], '\'', 39999);
	memcpy(envp[i], "LONG=", 5);
	envp[i][39999] = '\0';
	dump_sh(path("sh"), envp);
	for (j = 0; j < SHELLS; j++)
		assert_sourced(shells[j], envp);
	assert_non_null(strstr(contents(path("sh"), NULL), "export V0=''\n"));
	free(envp[i]);
}

/* What a shell would refuse, say something about, evaluate or be misled by. */
static void
names_that_are_none_or_the_shells_own_harm_nobody(void **state)
{
	char *envp[] = { "PPID=1", "UID=5", "EUID=5", "BASHOPTS=x",
		"SHELLOPTS=x", "BASH_VERSINFO=x", "OPTIND=x", "BASH_COMPAT=x",
		"BASH_XTRACEFD=x", "HISTCMD=a[$(echo evaluated >&2)]",
		"RANDOM=a[$(echo evaluated >&2)]", "SRANDOM=1:x", "IFS=x",
		"PWD=/elsewhere", "OLDPWD=/", "HOME=/root", "1x=digit",
		"a.b-c=dots", "BASH_FUNC_f%%=() { :; }", "A B=space",
		"\033[2J=escape", "sch\xc3\xb6n=utf8", NULL };
	char *expected[] = { "_x=digit", "a_b_c=dots",
		"BASH_FUNC_f__=() { :; }", "A_B=space", "__2J=escape",
		"sch__n=utf8", NULL };
	size_t i;

	(void)state;
	dump_sh(path("sh"), envp);
	for (i = 0; i < SHELLS; i++)
		assert_sourced(shells[i], expected);
	assert_int_equal(said_count, 0);
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
		"LARGE=\xf4\x90\x80\x80", "N\xff=name", "N\xfe=later",
		"M\xff=changed", "M\xef\xbf\xbd=real", "M\xfe=changed",
		"OVERLONG3=\xe0\x80\xaf", "OVERLONG4=\xf0\x80\x80\xaf",
		NULL };
	struct json_object *object;

	(void)state;
	dump_json(path("json"), envp);
	object = json_tokener_parse(contents(path("json"), NULL));
	assert_non_null(object);
	assert_int_equal(json_object_object_length(object), 13);
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
	assert_json(object, "OVERLONG3",
	    "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd");
	assert_json(object, "OVERLONG4",
	    "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd");
	/* A changed name hides neither another one nor a real one. */
	assert_json(object, "N\xef\xbf\xbd", "name");
	assert_json(object, "M\xef\xbf\xbd", "real");
	json_object_put(object);
}

/* What a new process says whose directory is a mount; "": there is none. */
static const char *
said_on_mount(const char *data, unsigned long flags)
{
	char *envp[] = { "A=1", "B=2", "C=3", NULL };
	char *text = mmap(NULL, sizeof(said), PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		if (unshare(CLONE_NEWNS) == -1 || mount(NULL, "/", NULL,
		    MS_REC | MS_PRIVATE, NULL) == -1 || mount("test",
		    directory, "tmpfs", flags, data) == -1)
			_exit(0);
		status = dump_directory(directory, envp);
		dump_sh(path("sh"), envp);
		dump_json(path("json"), envp);
		memcpy(text, said, sizeof(said));
		_exit(status);
	}
	waitpid(pid, &status, 0);
	assert_int_equal(status, 0);
	return text;
}

static void
file_system_that_takes_nothing_is_said_once(void **state)
{
	char line[256];
	const char *text = said_on_mount("", MS_RDONLY);

	(void)state;
	if (text[0] == '\0')
		skip();
	snprintf(line, sizeof(line), "Cannot write %s/A: Read-only file "
	    "system; the environment is in memory alone (make it writable)\n",
	    directory);
	assert_string_equal(text, line);
	snprintf(line, sizeof(line), "Cannot write %s/A: No space left on "
	    "device; the environment is in memory alone (make room)\n",
	    directory);
	assert_string_equal(said_on_mount("nr_inodes=1", 0), line);
	/* Of one that is gone the import has spoken. */
	assert_false(dump_directory("/nonexistent", (char *[]){ "A=1", NULL }));
	assert_int_equal(said_count, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, remove_directory)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(directory_has_a_file_a_variable),
		TEST(what_no_file_can_hold_is_said),
		TEST(new_files_are_as_open_as_the_directory),
		TEST(old_files_keep_mode_and_owner),
		TEST(what_is_right_already_is_left_alone),
		TEST(import_gives_back_what_was_exported),
		TEST(links_and_fifos_are_replaced_not_followed),
		TEST(group_that_cannot_be_kept_lends_no_rights),
		TEST(leftover_of_a_killed_supervisor_is_no_obstacle),
		TEST(one_obstacle_stops_one_variable),
		TEST(shells_read_the_same_values),
		TEST(names_that_are_none_or_the_shells_own_harm_nobody),
		TEST(changed_name_never_hides_another),
		TEST(new_dump_is_for_root_alone),
		TEST(json_is_json),
		TEST(file_system_that_takes_nothing_is_said_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
