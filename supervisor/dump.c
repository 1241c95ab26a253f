/*
 * The environment written out: a file a variable, shell, JSON.
 *
 * Every file is written under another name and renamed, so that a reader sees the
 * old one or the new one, and a supervisor that is killed leaves one of them.
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

struct buffer {
	char	*bytes;
	size_t	length, room;
};

static void
append(struct buffer *buffer, const char *bytes, size_t length)
{
	if (length == 0)
		return;
	if (buffer->length + length > buffer->room) {
		buffer->room = 2 * (buffer->length + length) + 4096;
		buffer->bytes = realloc(buffer->bytes, buffer->room);
		if (buffer->bytes == NULL)
			abort();
	}
	memcpy(buffer->bytes + buffer->length, bytes, length);
	buffer->length += length;
}

static void
append_string(struct buffer *buffer, const char *string)
{
	append(buffer, string, strlen(string));
}

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
 * Replaces `name` in a directory, with the mode and owner it has if it is a file,
 * else with those given.  A symbolic link is replaced, never followed.  -1 and
 * errno on failure, and then the old file is as it was.
 */
static int
replace(int directory, const char *temporary, const char *name,
    const char *bytes, size_t length, const struct stat *otherwise)
{
	struct stat st;
	int fd, error;

	if (fstatat(directory, name, &st, AT_SYMLINK_NOFOLLOW) == -1 ||
	    !S_ISREG(st.st_mode))
		st = *otherwise;
	if ((fd = create(directory, temporary)) == -1)
		return -1;
	/* A group that cannot be kept must not lend its rights to another. */
	if (fchown(fd, st.st_uid, st.st_gid) == -1)
		st.st_mode &= 0700;
	if (write_all(fd, bytes, length) == 0 &&
	    fchmod(fd, st.st_mode & 0777) == 0 &&
	    renameat(directory, temporary, directory, name) == 0) {
		close(fd);
		return 0;
	}
	error = errno;
	close(fd);
	unlinkat(directory, temporary, 0);
	errno = error;
	return -1;
}

/* Has the file these contents already? */
static bool
is_same(int directory, const char *name, const char *value, size_t length)
{
	char stack[512], *buffer = stack;
	bool same = false;
	struct stat st;
	int fd;

	fd = openat(directory, name,
	    O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
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

/* One variable; a value that ends in a newline gets the one import takes away. */
static int
dump_variable(int directory, const char *name, const char *value,
    const struct stat *mode)
{
	struct buffer buffer = { NULL, 0, 0 };
	size_t length = strlen(value);
	int result = 0;

	append(&buffer, value, length);
	if (length > 0 && value[length - 1] == '\n')
		append(&buffer, "\n", 1);
	if (!is_same(directory, name, buffer.bytes, buffer.length))
		result = replace(directory, TEMPORARY, name, buffer.bytes,
		    buffer.length, mode);
	free(buffer.bytes);
	return result;
}

/*
 * Says that something could not be written.  A file system that takes nothing is
 * one lack with one message, however many files it does not take.
 */
static void
complain(const char *path, const char *name)
{
	static bool said;

	switch (errno) {
	case EROFS:
	case EACCES:
	case EPERM:
	case ENOSPC:
	case EDQUOT:
		if (said)
			return;
		said = true;
	}
	log_warn("Cannot write %s%s: %s; the environment is in memory alone "
	    "(%s)", path, escape(name), strerror(errno), errno == ENOSPC ||
	    errno == EDQUOT ? "make room" : "make it writable");
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
 * Writes every variable that can be a file into a directory.  True: they are all
 * there.  New files belong to whom the directory belongs to, and can be read by
 * whom it can be read by.
 */
bool
dump_directory(const char *directory, char **envp)
{
	bool complete = true;
	char name[NAME_MAX + 2];
	struct stat mode;
	size_t length;
	int fd;

	fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd == -1 || fstat(fd, &mode) == -1) {
		complain(directory, "");
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
		if (dump_variable(fd, name + 1, *envp + length + 1, &mode)
		    == -1) {
			complain(directory, name);
			complete = false;
		}
	}
	close(fd);
	return complete;
}

/* A dump of its own, beside its temporary file; new ones are root's alone. */
static void
dump_file(const char *path, const struct buffer *buffer)
{
	const struct stat mode = {
		.st_mode = 0600, .st_uid = geteuid(), .st_gid = getegid()
	};
	char temporary[PATH_MAX];

	snprintf(temporary, sizeof(temporary), "%s.new", path);
	if (replace(AT_FDCWD, temporary, path, buffer->bytes, buffer->length,
	    &mode) == -1)
		complain(path, "");
}

/* What a shell would refuse to have set, or choke on (bash(1), dash(1)). */
static bool
is_the_shells(const char *name)
{
	static const char *const names[] = {
		"BASHOPTS", "BASH_VERSINFO", "EUID", "OPTIND", "PPID",
		"SHELLOPTS"
	};
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(name, names[i]) == 0)
			return true;
	return false;
}

static bool
is_name_byte(unsigned char c, bool first)
{
	return c == '_' || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
	    (!first && c >= '0' && c <= '9');
}

static bool
is_set(char **envp, size_t number, const char *name)
{
	size_t length = strlen(name), i;

	for (i = 0; i < number && envp[i] != NULL; i++)
		if (strncmp(envp[i], name, length) == 0 &&
		    envp[i][length] == '=')
			return true;
	return false;
}

/* The name that variable i has in a shell, into a buffer of its length. */
static bool
shell_name(const char *variable, char *name)
{
	size_t length = strcspn(variable, "="), i;
	bool changed = false;

	for (i = 0; i < length; i++) {
		name[i] = variable[i];
		if (!is_name_byte((unsigned char)name[i], i == 0)) {
			name[i] = '_';
			changed = true;
		}
	}
	name[length] = '\0';
	return changed;
}

/*
 * Is a changed name taken: by a variable that really has it, or by an earlier one
 * that was changed to it?
 */
static bool
is_taken(char **envp, size_t number, const char *name)
{
	static char other[ENVIRONMENT_STRING_MAX + 1];
	size_t i;

	if (is_set(envp, SIZE_MAX, name))
		return true;
	for (i = 0; i < number; i++)
		if (shell_name(envp[i], other) && strcmp(other, name) == 0)
			return true;
	return false;
}

static void
append_quoted(struct buffer *buffer, const char *value)
{
	static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	    "abcdefghijklmnopqrstuvwxyz0123456789_@%+=:,./-";
	const char *quote;

	if (*value != '\0' && value[strspn(value, plain)] == '\0') {
		append_string(buffer, value);
		return;
	}
	append_string(buffer, "'");
	for (; (quote = strchr(value, '\'')) != NULL; value = quote + 1) {
		append(buffer, value, (size_t)(quote - value));
		append_string(buffer, "'\"'\"'");
	}
	append_string(buffer, value);
	append_string(buffer, "'");
}

/*
 * Writes the environment as a file that sh, dash and bash source without a word.
 * A name that is none in a shell has '_' in place of what is wrong with it.
 */
void
dump_sh(const char *path, char **envp)
{
	struct buffer buffer = { NULL, 0, 0 };
	static char name[ENVIRONMENT_STRING_MAX + 1];
	size_t i, length;
	bool changed;

	for (i = 0; envp[i] != NULL; i++) {
		length = strcspn(envp[i], "=");
		if (environment_is_personal(envp[i], length))
			continue;
		changed = shell_name(envp[i], name);
		if (is_the_shells(name) ||
		    (changed && is_taken(envp, i, name)))
			continue;
		append_string(&buffer, "export ");
		append_string(&buffer, name);
		append_string(&buffer, "=");
		append_quoted(&buffer, envp[i] + length + 1);
		append_string(&buffer, "\n");
	}
	dump_file(path, &buffer);
	free(buffer.bytes);
}

/* How many bytes at s are a character of UTF-8 (1 to 4), or 0 and in *bad how
 * many are to be replaced by one U+FFFD (the Unicode Standard, 3.9). */
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

/* Bytes as UTF-8 that any reader of JSON takes; NUL-terminated. */
static struct buffer
as_utf8(const char *bytes, size_t left)
{
	struct buffer buffer = { NULL, 0, 0 };
	size_t length, bad;

	while (left > 0) {
		length = utf8_length((const unsigned char *)bytes, left, &bad);
		if (length == 0) {
			append_string(&buffer, "\xef\xbf\xbd");
			length = bad;
		} else {
			append(&buffer, bytes, length);
		}
		bytes += length;
		left -= length;
	}
	append(&buffer, "", 1);
	return buffer;
}

/* Writes the environment as one JSON object, names and all. */
void
dump_json(const char *path, char **envp)
{
	struct json_object *object = json_object_new_object();
	struct buffer name, value, text = { NULL, 0, 0 };
	size_t length;

	for (; *envp != NULL; envp++) {
		length = strcspn(*envp, "=");
		name = as_utf8(*envp, length);
		value = as_utf8(*envp + length + 1, strlen(*envp + length + 1));
		json_object_object_add(object, name.bytes,
		    json_object_new_string(value.bytes));
		free(name.bytes);
		free(value.bytes);
	}
	append_string(&text, json_object_to_json_string_ext(object,
	    JSON_C_TO_STRING_SPACED | JSON_C_TO_STRING_NOSLASHESCAPE));
	dump_file(path, &text);
	free(text.bytes);
	json_object_put(object);
}
