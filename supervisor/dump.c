/*
 * The environment written out: a file a variable, shell, JSON.
 *
 * Every file is written under another name and renamed, so that a reader sees
 * the old one or the new one, and a killed supervisor leaves one of them.
 */
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <json-c/json.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "supervisor.h"

#define TEMPORARY	"..new"	/* passed over by environment_import */

/* Not isalpha(3): what a shell's name consists of is no matter of locale. */
#define LETTERS	"_ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
#define DIGITS	"0123456789"

static int
write_all(int fd, const char *bytes, size_t length)
{
	ssize_t written;

	while (length > 0) {
		written = write(fd, bytes, length);
		if (written == -1)
			return -1;
		bytes += written;
		length -= (size_t)written;
	}
	return 0;
}

/* A new file, for us alone; one that a killed supervisor left is removed. */
static int
create(int directory, const char *name)
{
	const int flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
	int fd = openat(directory, name, flags, 0600);

	if (fd == -1 && errno == EEXIST && unlinkat(directory, name, 0) == 0)
		fd = openat(directory, name, flags, 0600);
	return fd;
}

/*
 * Replaces `name` in a directory, with the mode and owner it has if it is a
 * file, else with those given.  A symbolic link is replaced, never followed.
 * Returns 0 or an error number, and then the old file is as it was.
 */
static int
replace(int directory, const char *temporary, const char *name,
    const char *bytes, size_t length, const struct stat *otherwise)
{
	int fd, error = 0;
	struct stat st;

	if (fstatat(directory, name, &st, AT_SYMLINK_NOFOLLOW) == -1 ||
	    !S_ISREG(st.st_mode))
		st = *otherwise;
	if ((fd = create(directory, temporary)) == -1)
		return errno;
	/* A group that cannot be kept must not lend its rights to another. */
	if (fchown(fd, st.st_uid, st.st_gid) == -1)
		st.st_mode &= 0700;
	if (write_all(fd, bytes, length) == -1 ||
	    fchmod(fd, st.st_mode & 0777) == -1 ||
	    renameat(directory, temporary, directory, name) == -1)
		error = errno;
	close(fd);
	if (error != 0)
		unlinkat(directory, temporary, 0);
	return error;
}

/* Has the file these contents already?  A link to such a file will do. */
static bool
is_same(int directory, const char *name, const char *value, size_t length)
{
	char stack[512], *buffer = stack;
	bool same = false;
	struct stat st;
	int fd;

	fd = openat(directory, name,
	    O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd == -1)
		return false;
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) &&
	    (size_t)st.st_size == length) {
		if (length > sizeof(stack))
			buffer = malloc(length);
		same = length == 0 || (buffer != NULL &&
		    read(fd, buffer, length) == (ssize_t)length &&
		    memcmp(buffer, value, length) == 0);
		if (buffer != stack)
			free(buffer);
	}
	close(fd);
	return same;
}

/*
 * One variable; a value that ends in a newline gets the one that the import
 * takes away.  Returns 0 or an error number.
 */
static int
dump_variable(int directory, const char *name, const char *value,
    const struct stat *mode)
{
	size_t length = strlen(value);
	char *longer = NULL;
	int error = 0;

	if (length > 0 && value[length - 1] == '\n') {
		if (asprintf(&longer, "%s\n", value) == -1)
			abort();
		value = longer;
		length++;
	}
	if (!is_same(directory, name, value, length))
		error = replace(directory, TEMPORARY, name, value, length,
		    mode);
	free(longer);
	return error;
}

/* Does it fail for the file system or the directory, not for one file? */
static bool
is_everywhere(int error)
{
	return error == EROFS || error == EACCES || error == EPERM ||
	    error == ENOSPC || error == EDQUOT;
}

static const char *
way_out(int error)
{
	switch (error) {
	case ENOSPC:
	case EDQUOT:
		return "make room";
	case EISDIR:
		return "move the directory elsewhere";
	case EBUSY:
		return "mount the directory it is in, not the file";
	}
	return "make it writable";
}

/*
 * Says that something could not be written.  A file system that takes nothing
 * is one lack with one message, however many files it does not take.
 */
static void
complain(const char *path, const char *name, int error)
{
	static bool said;

	if (is_everywhere(error)) {
		if (said)
			return;
		said = true;
	}
	log_warn("Cannot write %s%s: %s; the environment is in memory alone "
	    "(%s)", path, escape(name), strerror(error), way_out(error));
}

/* Its value is nobody's business. */
static void
complain_of_name(const char *variable, size_t length)
{
	char *name = strndup(variable, length);

	if (name != NULL)
		log_warn("The variable %s is not exported: no file can have "
		    "its name (rename it)", escape(name));
	free(name);
}

/*
 * Writes every variable that can be a file into a directory.  True: they are
 * all there.  New files belong to whom the directory belongs to, and are open
 * to whom it is open to.  Of a directory that is gone the import has spoken.
 */
bool
dump_directory(const char *directory, char **envp)
{
	bool complete = true;
	char name[NAME_MAX + 2];
	struct stat mode;
	size_t length;
	int fd, error;

	fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd == -1)
		return false;
	if (fstat(fd, &mode) == -1) {
		close(fd);
		return false;
	}
	mode.st_mode &= 0666;
	for (; *envp != NULL; envp++) {
		length = strcspn(*envp, "=");
		if (environment_is_personal(*envp, length))
			continue;
		if (!environment_can_be_file(*envp, length)) {
			complain_of_name(*envp, length);
			continue;
		}
		name[0] = '/';
		memcpy(name + 1, *envp, length);
		name[length + 1] = '\0';
		error = dump_variable(fd, name + 1, *envp + length + 1, &mode);
		if (error == 0)
			continue;
		complain(directory, name, error);
		complete = false;
		/* EPERM may be the lot of one file that is immutable. */
		if (is_everywhere(error) && error != EPERM)
			break;
	}
	close(fd);
	return complete;
}

/* A dump of its own, beside its temporary file; new ones are root's alone. */
static void
dump_file(const char *path, const char *bytes, size_t length)
{
	const struct stat mode = {
		.st_mode = 0600, .st_uid = geteuid(), .st_gid = getegid()
	};
	char temporary[PATH_MAX];
	int error;

	snprintf(temporary, sizeof(temporary), "%s.new", path);
	error = replace(AT_FDCWD, temporary, path, bytes, length, &mode);
	if (error != 0)
		complain(path, "", error);
}

/*
 * Variables that a shell has for itself: it refuses to have them set, evaluates
 * what they are set to, or is misled by it (bash(1), dash(1)).
 */
static bool
is_the_shells(const char *name)
{
	static const char *const names[] = {
		"BASHOPTS", "BASH_COMPAT", "BASH_VERSINFO", "BASH_XTRACEFD",
		"EUID", "HISTCMD", "IFS", "OLDPWD", "OPTIND", "PPID", "PWD",
		"RANDOM", "SHELLOPTS", "SRANDOM"
	};
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(name, names[i]) == 0)
			return true;
	return false;
}

/* The name a variable has in a shell.  True: it is not quite its own. */
static bool
shell_name(const char *variable, char *name)
{
	size_t length = strcspn(variable, "="), i;
	const char *allowed = LETTERS;
	bool changed = false;

	for (i = 0; i < length; i++, allowed = LETTERS DIGITS) {
		name[i] = variable[i];
		if (strchr(allowed, name[i]) == NULL) {
			name[i] = '_';
			changed = true;
		}
	}
	name[length] = '\0';
	return changed;
}

/*
 * Is the changed name of a variable taken: by one that really has it, or by an
 * earlier one that was changed to it?
 */
static bool
is_taken(char **envp, size_t number, const char *name)
{
	static char other[ENVIRONMENT_STRING_MAX + 1];
	bool changed;
	size_t i;

	for (i = 0; envp[i] != NULL; i++) {
		changed = shell_name(envp[i], other);
		if ((!changed || i < number) && strcmp(other, name) == 0)
			return true;
	}
	return false;
}

static void
write_quoted(FILE *file, const char *value)
{
	if (*value != '\0' &&
	    value[strspn(value, LETTERS DIGITS "@%+=:,./-")] == '\0') {
		fputs(value, file);
		return;
	}
	putc('\'', file);
	for (; *value != '\0'; value++)
		if (*value == '\'')
			fputs("'\"'\"'", file);
		else
			putc(*value, file);
	putc('\'', file);
}

/*
 * Writes the environment as a file that sh, dash and bash source silently.  A
 * name that is none in a shell has '_' in place of what is wrong with it.
 */
void
dump_sh(const char *path, char **envp)
{
	static char name[ENVIRONMENT_STRING_MAX + 1];
	size_t i, length;
	char *text;
	FILE *file = open_memstream(&text, &length);
	const char *value;
	bool changed;

	if (file == NULL)
		abort();
	for (i = 0; envp[i] != NULL; i++) {
		value = strchr(envp[i], '=');
		if (environment_is_personal(envp[i],
		    (size_t)(value - envp[i])))
			continue;
		changed = shell_name(envp[i], name);
		if (is_the_shells(name) ||
		    (changed && is_taken(envp, i, name)))
			continue;
		fprintf(file, "export %s=", name);
		write_quoted(file, value + 1);
		putc('\n', file);
	}
	if (fclose(file) != 0)
		abort();
	dump_file(path, text, length);
	free(text);
}

/*
 * How many bytes at s are a character of UTF-8 (1 to 4), or 0 and in *bad how
 * many are to be replaced by one U+FFFD (the Unicode Standard, 3.9).
 */
static size_t
utf8_length(const unsigned char *s, size_t left, size_t *bad)
{
	unsigned char low = 0x80, high = 0xbf;
	size_t length, i;

	*bad = 1;
	if (s[0] < 0x80)
		return 1;
	if (s[0] < 0xc2 || s[0] > 0xf4)
		return 0;
	length = s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4;
	if (s[0] == 0xe0)
		low = 0xa0;
	else if (s[0] == 0xed)
		high = 0x9f;
	else if (s[0] == 0xf0)
		low = 0x90;
	else if (s[0] == 0xf4)
		high = 0x8f;
	for (i = 1; i < length; i++) {
		if (i == left || s[i] < low || s[i] > high) {
			*bad = i;
			return 0;
		}
		low = 0x80;
		high = 0xbf;
	}
	return length;
}

/* Bytes as UTF-8 that any reader of JSON takes; malloced. */
static char *
as_utf8(const char *bytes, size_t left)
{
	char *text = malloc(3 * left + 1), *end = text;
	size_t length, bad;

	if (text == NULL)
		abort();
	for (; left > 0; bytes += length, left -= length) {
		length = utf8_length((const unsigned char *)bytes, left, &bad);
		if (length > 0) {
			end = mempcpy(end, bytes, length);
		} else {
			end = mempcpy(end, "\xef\xbf\xbd", 3);
			length = bad;
		}
	}
	*end = '\0';
	return text;
}

/* Writes the environment as one JSON object, names and all. */
void
dump_json(const char *path, char **envp)
{
	struct json_object *object = json_object_new_object();
	const char *text;
	char *name, *value;
	size_t length;

	for (; *envp != NULL; envp++) {
		length = strcspn(*envp, "=");
		name = as_utf8(*envp, length);
		value = as_utf8(*envp + length + 1, strlen(*envp + length + 1));
		/* As for the shells, a name that was changed hides none. */
		if (strncmp(name, *envp, strlen(name)) == 0 ||
		    !json_object_object_get_ex(object, name, NULL))
			json_object_object_add(object, name,
			    json_object_new_string(value));
		free(name);
		free(value);
	}
	text = json_object_to_json_string_length(object,
	    JSON_C_TO_STRING_SPACED | JSON_C_TO_STRING_NOSLASHESCAPE, &length);
	if (text == NULL)
		abort();
	dump_file(path, text, length);
	json_object_put(object);
}
