/*
 * Why a file could not be executed, and what to do about it.  execve(2) has
 * some twenty reasons for six error numbers, so the file is looked at again.
 */
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/utsname.h>

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "supervisor.h"

#define START_SIZE	256	/* what Linux looks at (BINPRM_BUF_SIZE) */

static const char * __attribute__((format(printf, 1, 2)))
say(const char *format, ...)
{
	static char text[PIPE_BUF];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	return text;
}

/* The beginning of a file, and zeros after it; false: it cannot be read. */
static bool
read_start(const char *path, char start[START_SIZE + 1])
{
	int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	ssize_t length = -1;

	memset(start, 0, START_SIZE + 1);
	if (fd != -1) {
		length = read(fd, start, START_SIZE);
		close(fd);
	}
	return length >= 0;
}

/*
 * The interpreter that a "#!" line names, cut out of the start of the file, or
 * NULL if there is no such line.  A carriage return stays, as in the kernel.
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

/* What is wrong with an interpreter if executing the script gave the error. */
static const char *
explain_interpreter(const char *path, const char *interpreter, int error)
{
	size_t length = strlen(interpreter);
	struct stat st;

	if (length == 0)
		return say("%s has a #! line that names nothing (make it "
		    "#!/bin/sh)", escape(path));
	if (interpreter[length - 1] == '\r')
		return say("%s has a carriage return in its #! line "
		    "(sed -i 's/\\r$//' %s)", escape(path), escape(path));
	if (stat(interpreter, &st) == -1 && errno == ENOENT)
		return say("%s: its interpreter %s does not exist (install "
		    "it, or mend the #! line)", escape(path),
		    escape(interpreter));
	switch (error) {
	case ENOENT:
		return say("%s: its interpreter %s needs a loader or library "
		    "that does not exist (install it anew)", escape(path),
		    escape(interpreter));
	case ENOEXEC:
		return say("%s: its interpreter %s is no program for this "
		    "machine (install it anew, or mend the #! line)",
		    escape(path), escape(interpreter));
	}
	return say("%s: its interpreter %s may not be executed (mend the #! "
	    "line)", escape(path), escape(interpreter));
}

static const char *
explain_missing(const char *path)
{
	const char *interpreter, *name = strrchr(path, '/');
	char start[START_SIZE + 1];
	struct stat st;

	if (lstat(path, &st) == -1)
		return say("%s does not exist (%s)", escape(path),
		    name != NULL && strcmp(name, "/run") == 0 ?
		    "write it, or remove its directory" :
		    "is it installed, and its name spelled right?");
	if (stat(path, &st) == -1)
		return say("%s is a symbolic link to nothing (remove it, or "
		    "make what it points to)", escape(path));
	if (!read_start(path, start) ||
	    (interpreter = interpreter_of(start)) == NULL)
		return say("%s needs a loader or library that does not exist "
		    "(was it built for this system?)", escape(path));
	return explain_interpreter(path, interpreter, ENOENT);
}

static const char *
explain_denied(const char *path)
{
	char start[START_SIZE + 1];
	struct statvfs filesystem;
	const char *interpreter;
	struct stat st;

	if (stat(path, &st) == -1)
		return say("%s cannot be reached: %s (chmod +x the directories "
		    "above it)", escape(path), strerror(errno));
	if (S_ISDIR(st.st_mode))
		return say("%s is a directory (put a program in its place)",
		    escape(path));
	if (!S_ISREG(st.st_mode))
		return say("%s is not a regular file (put a program in its "
		    "place)", escape(path));
	if ((st.st_mode & 0111) == 0)
		return say("%s is not executable (chmod +x %s)", escape(path),
		    escape(path));
	if (statvfs(path, &filesystem) == 0 &&
	    (filesystem.f_flag & ST_NOEXEC))
		return say("%s is on a file system mounted noexec (mount it "
		    "with exec, or move it)", escape(path));
	if (faccessat(AT_FDCWD, path, X_OK, AT_EACCESS) == -1)
		return say("%s may not be executed by uid %d (chmod +x %s)",
		    escape(path), (int)geteuid(), escape(path));
	if (read_start(path, start) &&
	    (interpreter = interpreter_of(start)) != NULL)
		return explain_interpreter(path, interpreter, EACCES);
	return say("%s may not be executed (does a security module forbid "
	    "it?)", escape(path));
}

/* The name that uname(2) has for what a program was built for, or NULL. */
static const char *
machine_of(const char *start)
{
	static const struct {
		unsigned	number;
		const char	*name;
	} machines[] = {
		{ EM_386, "i686" }, { EM_X86_64, "x86_64" },
		{ EM_ARM, "arm" }, { EM_AARCH64, "aarch64" },
		{ EM_PPC64, "ppc64" }, { EM_RISCV, "riscv" },
		{ EM_S390, "s390x" }, { 258, "loongarch64" },
	};
	unsigned first = (unsigned char)start[18];
	unsigned second = (unsigned char)start[19], number;
	size_t i;

	number = start[EI_DATA] == ELFDATA2MSB ? first << 8 | second :
	    second << 8 | first;
	for (i = 0; i < sizeof(machines) / sizeof(machines[0]); i++)
		if (machines[i].number == number)
			return machines[i].name;
	return NULL;
}

static const char *
explain_program(const char *path, const char *start)
{
	const char *machine = machine_of(start);
	struct utsname here;

	if (machine != NULL && uname(&here) == 0 &&
	    strncmp(here.machine, machine, strlen(machine)) != 0)
		return say("%s is a program for another architecture, %s, and "
		    "this machine is %s (build it for that)", escape(path),
		    machine, here.machine);
	return say("%s is a broken program (install it anew)", escape(path));
}

static const char *
explain_format(const char *path)
{
	char start[START_SIZE + 1];
	const char *interpreter;
	struct stat st;

	if (stat(path, &st) == 0 && st.st_size == 0)
		return say("%s is empty (make #!/bin/sh its first line)",
		    escape(path));
	if (!read_start(path, start))
		return say("%s is no program for this machine", escape(path));
	if (strncmp(start, "\xef\xbb\xbf", 3) == 0)
		return say("%s begins with a byte order mark, not with #! "
		    "(sed -i '1s/^\\xef\\xbb\\xbf//' %s)", escape(path),
		    escape(path));
	if (memcmp(start, ELFMAG, SELFMAG) == 0)
		return explain_program(path, start);
	if ((interpreter = interpreter_of(start)) == NULL)
		return say("%s has no #! line (make #!/bin/sh its first line)",
		    escape(path));
	if (interpreter + strlen(interpreter) == start + START_SIZE)
		return say("%s has a #! line that is too long (name an "
		    "interpreter with a shorter path)", escape(path));
	return explain_interpreter(path, interpreter, ENOEXEC);
}

static const char *
explain(const char *path, int error)
{
	struct stat st;

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
		if (stat(path, &st) == 0)
			return say("%s is its own interpreter, or its "
			    "interpreter's (mend the #! line)", escape(path));
		return say("%s is a loop of symbolic links (remove it)",
		    escape(path));
	case ETXTBSY:
		return say("%s is still being written (close it)",
		    escape(path));
	case E2BIG:
		return say("%s: the arguments and the environment are too "
		    "large (see " ENVIRONMENT_DIRECTORY ")", escape(path));
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

/*
 * Says why execve(2) of path failed with that error, as a phrase that begins
 * with the path.  Valid until the next call.
 */
const char *
explain_exec(const char *path, int error)
{
	const char *text;
	bool moved;

	/* A path that is not absolute was the main command's, or a script's. */
	moved = path[0] != '/' && given_directory != -1 &&
	    fchdir(given_directory) == 0;
	text = explain(path, error);
	if (moved && chdir("/") == -1)
		log_warn("Cannot leave the directory my_init was started in");
	return text;
}
