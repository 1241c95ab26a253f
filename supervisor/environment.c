/*
 * The environment of every child: that of my_init, and the files of a
 * directory, one a variable.  Values are bytes; nothing is decoded.
 */
#include <sys/stat.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "supervisor.h"

#define COMPLAINTS_MAX	100	/* files that are named */

static char	**variables;	/* "NAME=VALUE", each malloced; NULL ends */
static size_t	count, room;
static size_t	bytes;		/* of all strings */

static const char too_long[] = "it is longer than a variable can be, 131071 "
    "bytes with its name (shorten it)";
static const char too_many[] = "there are too many variables, or they are too "
    "large; what follows is not imported either (remove some)";

char **
environment(void)
{
	static char *none[] = { NULL };

	return variables == NULL ? none : variables;
}

/* The index of NAME, whose length is given; count: it is not there. */
static size_t
find(const char *name, size_t length)
{
	size_t i;

	for (i = 0; i < count; i++)
		if (strncmp(variables[i], name, length) == 0 &&
		    variables[i][length] == '=')
			break;
	return i;
}

/* The value of a variable, or NULL. */
const char *
environment_get(const char *name)
{
	size_t length = strlen(name), i = find(name, length);

	return i == count ? NULL : variables[i] + length + 1;
}

/* Sets a variable to a malloced "NAME=VALUE".  False: there is no room. */
static bool
set(char *variable, size_t name_length, size_t size)
{
	size_t i = find(variable, name_length);
	size_t old_size = i == count ? 0 : strlen(variables[i]) + 1;

	if (bytes - old_size + size > ENVIRONMENT_BYTES_MAX ||
	    (i == count && count == ENVIRONMENT_VARIABLES_MAX))
		return false;
	if (count + 1 >= room) {
		room = room == 0 ? 64 : 2 * room;
		variables = reallocarray(variables, room, sizeof(*variables));
		if (variables == NULL)
			abort();
	}
	if (i == count)
		variables[++count] = NULL;
	else
		free(variables[i]);
	variables[i] = variable;
	bytes += size - old_size;
	return true;
}

static void
unset(size_t i)
{
	bytes -= strlen(variables[i]) + 1;
	free(variables[i]);
	memmove(variables + i, variables + i + 1,
	    (count - i) * sizeof(*variables));
	count--;
}

/* Begins with the environment that my_init was given. */
void
environment_take(char **envp)
{
	unsigned dropped = 0;
	const char *end;
	char *copy;

	for (; *envp != NULL; envp++) {
		end = strchr(*envp, '=');
		if (end == NULL || end == *envp ||
		    find(*envp, (size_t)(end - *envp)) != count)
			continue;
		if ((copy = strdup(*envp)) == NULL)
			abort();
		if (!set(copy, (size_t)(end - *envp), strlen(copy) + 1)) {
			free(copy);
			dropped++;
		}
	}
	if (dropped > 0)
		log_warn("The environment is too large: %u variables are "
		    "dropped (give at most %d, of %d bytes)", dropped,
		    ENVIRONMENT_VARIABLES_MAX, ENVIRONMENT_BYTES_MAX);
}

/* The six names that baseimage-docker keeps out of its files. */
bool
environment_is_personal(const char *name, size_t length)
{
	static const char *const names[] = {
		"HOME", "USER", "GROUP", "UID", "GID", "SHELL"
	};
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strlen(names[i]) == length &&
		    memcmp(names[i], name, length) == 0)
			return true;
	return false;
}

/*
 * May a variable of that name be a file of the directory?  Names that begin
 * with ".." are Kubernetes' own there, and our temporary files'.
 */
bool
environment_can_be_file(const char *name, size_t length)
{
	return !environment_is_personal(name, length) && length <= NAME_MAX &&
	    memchr(name, '/', length) == NULL &&
	    !(length == 1 && name[0] == '.') &&
	    !(length >= 2 && name[0] == '.' && name[1] == '.');
}

/*
 * Says once a life what is wrong with a file, not after every script again; and
 * not about each of thousands.
 */
static void
complain(const char *directory, const char *name, const char *reason)
{
	static char *said[COMPLAINTS_MAX];
	static size_t said_count;
	size_t i;

	for (i = 0; i < said_count; i++)
		if (strcmp(said[i], name) == 0)
			return;
	if (said_count == COMPLAINTS_MAX ||
	    (said[said_count] = strdup(name)) == NULL)
		return;
	said_count++;
	log_warn("%s/%s is not imported: %s", directory, escape(name), reason);
	if (said_count == COMPLAINTS_MAX)
		log_warn("Other files of %s that are not imported are not "
		    "named", directory);
}

/* Why a file cannot be read, and what to do about it. */
static const char *
reason_of(int error)
{
	static char reason[128];

	switch (error) {
	case EACCES:
	case EPERM:
		return "it may not be read (chmod or chown it)";
	case ELOOP:
		return "it is a loop of symbolic links (remove it)";
	case ENOENT:
		return "it is a symbolic link to nothing (remove it, or make "
		    "what it points to)";
	case ENXIO:
		return "it is not a regular file (remove it)";
	}
	snprintf(reason, sizeof(reason), "%s (write it anew, or remove it)",
	    strerror(error));
	return reason;
}

/* Opens one file of the directory; NULL, or the reason why that cannot be. */
static const char *
open_file(int directory, const char *name, int *fd, off_t *size)
{
	struct stat st;

	if (strchr(name, '=') != NULL)
		return "a variable's name cannot have '=' in it (rename it)";
	*fd = openat(directory, name,
	    O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (*fd == -1 || fstat(*fd, &st) == -1)
		return reason_of(errno);
	if (S_ISDIR(st.st_mode))
		return "it is a directory (move it elsewhere)";
	if (!S_ISREG(st.st_mode))
		return "it is not a regular file (remove it)";
	*size = st.st_size;
	return NULL;
}

/*
 * Reads one file into the environment; NULL, or the reason why not.  Asks for
 * more than there is, so that one read(2) is enough, and so that a file whose
 * size is 0 though it is not empty (one of /proc) is read as well.
 */
static const char *
import_file(int fd, const char *name, off_t size)
{
	/* One byte for the newline, and one that is too many. */
	static char text[ENVIRONMENT_STRING_MAX + 2];
	size_t name_length = strlen(name), start = name_length + 1, end = start;
	char *variable;
	ssize_t got;

	memcpy(text, name, name_length);
	text[name_length] = '=';
	if (size >= (off_t)(sizeof(text) - start))
		return too_long;
	do {
		got = read(fd, text + end, sizeof(text) - end);
		if (got == -1)
			return reason_of(errno);
		end += (size_t)got;
	} while (got > 0 && end - start < (size_t)size);
	if (memchr(text + start, '\0', end - start) != NULL)
		return "it has a NUL byte in it (remove that)";
	if (end > start && text[end - 1] == '\n')
		end--;
	if (end > ENVIRONMENT_STRING_MAX)
		return too_long;
	if ((variable = strndup(text, end)) == NULL)
		abort();
	if (set(variable, name_length, end + 1))
		return NULL;
	free(variable);
	return too_many;
}

static int
by_bytes(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void
free_names(char **names, size_t number)
{
	while (number > 0)
		free(names[--number]);
	free(names);
}

/* The names in a directory, sorted and malloced; NULL: it cannot be read. */
static char **
read_names(DIR *stream, size_t *number)
{
	char **names = NULL;
	struct dirent *entry;
	size_t n = 0;
	int error;

	for (;;) {
		if (n % 64 == 0 && (names = reallocarray(names, n + 64,
		    sizeof(*names))) == NULL)
			abort();
		errno = 0;
		if ((entry = readdir(stream)) == NULL)
			break;
		if (strcmp(entry->d_name, ".") == 0 ||
		    strncmp(entry->d_name, "..", 2) == 0)
			continue;
		if ((names[n++] = strdup(entry->d_name)) == NULL)
			abort();
	}
	/* Half a list would look as if the rest had been removed. */
	if ((error = errno) != 0) {
		free_names(names, n);
		errno = error;
		return NULL;
	}
	*number = n;
	if (n > 0)
		qsort(names, n, sizeof(*names), by_bytes);
	return names;
}

/* Drops the variables that the directory could hold and does not. */
static void
drop_missing(char **names, size_t number)
{
	size_t i, length;
	char *name, *key;
	bool there;

	for (i = count; i-- > 0; ) {
		length = strcspn(variables[i], "=");
		if (!environment_can_be_file(variables[i], length))
			continue;
		if ((name = strndup(variables[i], length)) == NULL)
			abort();
		key = name;
		there = number > 0 && bsearch(&key, names, number,
		    sizeof(*names), by_bytes) != NULL;
		free(name);
		if (!there)
			unset(i);
	}
}

static void
import_names(const char *directory, int fd, char **names, size_t number,
    bool override)
{
	const char *reason;
	size_t i;
	off_t size = 0;
	int file;

	for (i = 0; i < number; i++) {
		if (!override && find(names[i], strlen(names[i])) != count)
			continue;
		file = -1;
		reason = open_file(fd, names[i], &file, &size);
		if (reason == NULL)
			reason = import_file(file, names[i], size);
		if (file != -1)
			close(file);
		if (reason != NULL)
			complain(directory, names[i], reason);
		if (reason == too_many)
			return;
	}
}

/* Said once a life. */
static void
complain_of_directory(const char *directory, int error)
{
	static bool said;

	if (said)
		return;
	said = true;
	log_warn("Cannot read %s: %s; the environment is neither imported nor "
	    "exported (%s %s)", directory, strerror(error),
	    error == ENOENT ? "mkdir -m 700" :
	    error == EACCES ? "chmod or chown" : "make a directory of",
	    directory);
}

/*
 * Imports a directory.  The first time its files are defaults: what is set
 * already wins.  Again, after a script, the environment becomes what the
 * directory holds, but for variables that it cannot hold.  If the first export
 * failed (exported is false; a read-only root), the directory never held what is
 * set, and its files are but defaults again.  A file that cannot be a variable is
 * said to be so and leaves the variable as it was.  False: there is no directory
 * that could be read, which is said once.
 */
bool
environment_import(const char *directory, bool again, bool exported)
{
	DIR *stream = opendir(directory);
	char **names = NULL;
	size_t number = 0;
	bool is_read;

	if (stream != NULL)
		names = read_names(stream, &number);
	is_read = names != NULL;
	if (!is_read) {
		complain_of_directory(directory, errno);
	} else {
		again = again && exported;
		if (again)
			drop_missing(names, number);
		import_names(directory, dirfd(stream), names, number, again);
		free_names(names, number);
	}
	if (stream != NULL)
		closedir(stream);
	return is_read;
}
