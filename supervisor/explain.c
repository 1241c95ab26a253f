/*
 * Why a file could not be executed, and what to do about it.  execve(2) has some
 * twenty reasons for six error numbers, so the file is looked at again.
 */
#include <sys/stat.h>
#include <sys/statvfs.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "supervisor.h"

static char text[3 * PATH_MAX];

static const char * __attribute__((format(printf, 1, 2)))
say(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	return text;
}

/* The beginning of a file as a string; false: it cannot be read. */
static bool
read_start(const char *path, char *start, size_t size)
{
	int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	ssize_t length = -1;

	if (fd != -1) {
		length = read(fd, start, size - 1);
		close(fd);
	}
	if (length < 0)
		return false;
	start[length] = '\0';
	return true;
}

/*
 * The interpreter that a "#!" line names, cut out of the start of the file; NULL
 * if there is no such line.  A carriage return is kept, as the kernel does.
 */
static char *
interpreter_of(char *start)
{
	char *name;

	if (strncmp(start, "#!", 2) != 0)
		return NULL;
	name = start + 2 + strspn(start + 2, " \t");
	name[strcspn(name, " \t\n")] = '\0';
	return name;
}

static const char *
explain_missing(const char *path)
{
	char start[256], *interpreter, *end;
	struct stat st;

	if (lstat(path, &st) == -1)
		return say("%s does not exist", escape(path));
	if (stat(path, &st) == -1)
		return say("%s is a symbolic link to nothing (remove it, or "
		    "make what it points to)", escape(path));
	if (!read_start(path, start, sizeof(start)) ||
	    (interpreter = interpreter_of(start)) == NULL)
		return say("%s needs a loader or library that does not exist "
		    "(was it built for this system?)", escape(path));
	end = strchr(interpreter, '\0');
	if (end > interpreter && end[-1] == '\r')
		return say("%s has a carriage return in its #! line "
		    "(sed -i 's/\\r$//' %s)", escape(path), escape(path));
	return say("%s: its interpreter %s does not exist (install it, or "
	    "mend the #! line)", escape(path), escape(interpreter));
}

static const char *
explain_denied(const char *path)
{
	char start[256], *interpreter;
	struct statvfs filesystem;
	struct stat st;

	if (stat(path, &st) == -1)
		return say("%s cannot be reached: %s (chmod +x the directories "
		    "above it)", escape(path), strerror(errno));
	if (S_ISDIR(st.st_mode))
		return say("%s is a directory", escape(path));
	if (!S_ISREG(st.st_mode))
		return say("%s is not a regular file", escape(path));
	if ((st.st_mode & 0111) == 0)
		return say("%s is not executable (chmod +x %s)", escape(path),
		    escape(path));
	if (statvfs(path, &filesystem) == 0 &&
	    (filesystem.f_flag & ST_NOEXEC))
		return say("%s is on a file system mounted noexec (mount it "
		    "with exec, or move it)", escape(path));
	if (access(path, X_OK) == -1)
		return say("%s may not be executed by uid %d (chmod +x %s)",
		    escape(path), (int)geteuid(), escape(path));
	if (read_start(path, start, sizeof(start)) &&
	    (interpreter = interpreter_of(start)) != NULL)
		return say("%s: its interpreter %s may not be executed "
		    "(mend the #! line)", escape(path), escape(interpreter));
	return say("%s may not be executed", escape(path));
}

static const char *
explain_format(const char *path)
{
	char start[256];
	struct stat st;

	if (stat(path, &st) == 0 && st.st_size == 0)
		return say("%s is empty", escape(path));
	if (!read_start(path, start, sizeof(start)))
		return say("%s is no program that can be executed",
		    escape(path));
	if (strncmp(start, "\xef\xbb\xbf", 3) == 0)
		return say("%s begins with a byte order mark, not with #! "
		    "(sed -i '1s/^\\xef\\xbb\\xbf//' %s)", escape(path),
		    escape(path));
	if (strncmp(start, "\177ELF", 4) == 0)
		return say("%s is a broken program, or one for another "
		    "architecture", escape(path));
	if (strncmp(start, "#!", 2) == 0)
		return say("%s has a #! line that is too long or names nothing",
		    escape(path));
	return say("%s has no #! line (make #!/bin/sh its first line)",
	    escape(path));
}

/*
 * Says why execve(2) of path failed with that error, as a phrase that begins with
 * the path.  Valid until the next call.
 */
const char *
explain_exec(const char *path, int error)
{
	switch (error) {
	case ENOENT:
		return explain_missing(path);
	case EACCES:
		return explain_denied(path);
	case ENOEXEC:
		return explain_format(path);
	case ENOTDIR:
		return say("%s does not exist: a part of it is not a directory",
		    escape(path));
	case ELOOP:
		return say("%s is a loop of symbolic links, or of "
		    "interpreters (mend it)", escape(path));
	case ETXTBSY:
		return say("%s is still being written", escape(path));
	case E2BIG:
		return say("%s: the arguments and the environment are too large "
		    "(see /etc/container_environment)", escape(path));
	case EAGAIN:
	case ENOMEM:
		return say("%s: no process can be started: %s (raise the "
		    "limit on processes or memory)", escape(path),
		    strerror(error));
	case EPERM:
		return say("%s: the kernel forbids its execution (a file "
		    "capability or a security module?)", escape(path));
	}
	return say("%s cannot be executed: %s", escape(path), strerror(error));
}
