/*
 * initctl check: all that can be found wrong with services before they are started,
 * in a Dockerfile, too.
 */
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ctl/ctl.h"

#define START_MAX	256	/* bytes of a program that the kernel looks at */

static const char *checked;	/* the service */
static const char *only;	/* the only one to be checked, or NULL */
static unsigned faults;

static void __attribute__((format(printf, 1, 2)))
fault(const char *format, ...)
{
	va_list arguments;

	faults++;
	fprintf(stderr, "*** %s: ", escape(checked));
	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fputc('\n', stderr);
}

/* --- programs ------------------------------------------------------------------------ */

/* What is wrong with the #! line that a program begins with, or NULL. */
static const char *
check_interpreter(char *start)
{
	static char text[PATH_MAX];
	char *name = start + 2 + strspn(start + 2, " \t");
	char *line_end = strchr(name, '\n');

	if (line_end != NULL && line_end > name && line_end[-1] == '\r')
		return "has a carriage return in its #! line (sed -i "
		    "'s/\\r$//')";
	name[strcspn(name, " \t\n")] = '\0';
	if (*name == '\0')
		return "has a #! line that names nothing (make it #!/bin/sh)";
	if (*name != '/' || access(name, F_OK) == 0)
		return NULL;
	snprintf(text, sizeof(text), "has the interpreter %s, which does not "
	    "exist (install it, or mend the #! line)", escape(name));
	return text;
}

/* What is wrong with what a program begins with, or NULL. */
static const char *
check_start(int fd)
{
	char start[START_MAX + 1];
	ssize_t length = read(fd, start, START_MAX);

	if (length == -1)
		return NULL;
	start[length] = '\0';
	if (length == 0)
		return "is empty (make #!/bin/sh its first line)";
	if (strncmp(start, "#!", 2) == 0)
		return check_interpreter(start);
	if (strncmp(start, "\177ELF", 4) == 0)
		return NULL;
	return "has no #! line (make #!/bin/sh its first line)";
}

static void
check_program(int directory, const char *file)
{
	const char *why;
	struct stat st;
	int fd;

	if (fstatat(directory, file, &st, 0) == -1) {
		fault("%s is a symbolic link to nothing (remove it, or make "
		    "what it points to)", escape(file));
		return;
	}
	if (!S_ISREG(st.st_mode)) {
		fault("%s is not a regular file (put a program in its place)",
		    escape(file));
		return;
	}
	if ((st.st_mode & 0111) == 0)
		fault("%s is not executable (chmod +x)", escape(file));
	fd = openat(directory, file, O_RDONLY | O_CLOEXEC);
	if (fd == -1)
		return;
	if ((why = check_start(fd)) != NULL)
		fault("%s %s", escape(file), why);
	close(fd);
}

static bool
is_there(int directory, const char *file)
{
	struct stat st;

	return fstatat(directory, file, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

/* Is it there, and a directory?  If something else is there, that is a fault. */
static bool
check_is_directory(int directory, enum entry entry)
{
	const char *why;

	if (!is_there(directory, entry_names[entry]))
		return false;
	if ((why = settings_directory(directory, entry)) != NULL)
		fault("%s: %s", entry_names[entry], why);
	return why == NULL;
}

/* control/X, where X is one of the letters that runsv(8) has. */
static void
check_control(int directory)
{
	static const char *const letters = "udopchaiq12tkx";
	char file[] = "control/X";
	const char *letter;

	if (!check_is_directory(directory, ENTRY_CONTROL))
		return;
	for (letter = letters; *letter != '\0'; letter++) {
		file[sizeof(file) - 2] = *letter;
		if (is_there(directory, file))
			check_program(directory, file);
	}
}

static void
check_programs(int directory)
{
	static const enum entry optional[] = {
		ENTRY_FINISH, ENTRY_CHECK, ENTRY_HEALTH,
	};
	const char *name;
	size_t i;

	if (is_there(directory, "run"))
		check_program(directory, "run");
	else
		fault("run is missing (a service is a directory with a program "
		    "of that name)");
	for (i = 0; i < sizeof(optional) / sizeof(optional[0]); i++) {
		name = entry_names[optional[i]];
		if (is_there(directory, name))
			check_program(directory, name);
	}
	check_control(directory);
}

/* --- variables and dependencies ------------------------------------------------------- */

/* What keeps run from being started, as the supervisor has it: a directory does not. */
static void
check_variables(int directory)
{
	char file[NAME_MAX + sizeof("env/")], **names;
	int i, fd, count;

	if (!check_is_directory(directory, ENTRY_ENV))
		return;
	if ((count = directory_names(directory, "env", &names)) == -1)
		fault("env cannot be read: %s", strerror(errno));
	for (i = 0; i < count; i++) {
		if (names[i][0] == '.' || strchr(names[i], '=') != NULL)
			continue;
		snprintf(file, sizeof(file), "env/%s", names[i]);
		fd = openat(directory, file,
		    O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
		if (fd == -1)
			fault("%s cannot be read: %s", escape(file),
			    strerror(errno));
		else
			close(fd);
	}
	directory_free(names, count);
}

/* A logger is in no order of services; it waits all the same for those that it names. */
static void
check_logger_depends(int parent, int directory)
{
	const char *why;
	char *text = depends_read(directory, &why), *name;

	if (why != NULL)
		fault("depends: %s", why);
	while ((name = settings_line(&text, NULL)) != NULL)
		if (!is_there(parent, name))
			fault("depends on %s, which is not there (remove the "
			    "line from depends, or add it)", escape(name));
}

/* --- misspellings --------------------------------------------------------------------- */

/*
 * The name that somebody who wrote this may have meant, or NULL.  People keep what
 * they like in a service's directory: a short name has to be nearly the same.
 */
static const char *
likely_entry(const char *name)
{
	unsigned i, d, least = 3;
	const char *likely = NULL;

	for (i = 0; i < ENTRIES; i++) {
		d = distance(name, entry_names[i]);
		if (d == 0)
			return NULL;
		if (d < least && (d == 1 || strlen(entry_names[i]) > 5)) {
			least = d;
			likely = entry_names[i];
		}
	}
	return likely;
}

static void
warn_of_names(int directory)
{
	const char *likely;
	char **names;
	int i, count = directory_names(directory, ".", &names);

	for (i = 0; i < count; i++)
		if ((likely = likely_entry(names[i])) != NULL)
			fprintf(stderr, "%s: %s means nothing here; is it %s? "
			    "(only a warning)\n", escape(checked),
			    escape(names[i]), likely);
	directory_free(names, count);
}

/* --- a service -------------------------------------------------------------------------- */

static void
setting_fault(void *argument, const char *text)
{
	(void)argument;
	fault("%s", text);
}

static void
check_directory(int parent, const char *name)
{
	int directory = openat(parent, name,
	    O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	char logger[NAME_MAX + sizeof("/log")];
	struct settings settings;

	checked = name;
	if (directory == -1) {
		fault("it cannot be read: %s%s", strerror(errno),
		    errno == ENOENT ? " (it is a symbolic link to nothing)" :
		    "");
		return;
	}
	settings_read(directory, settings_list(directory), &settings,
	    setting_fault, NULL);
	check_programs(directory);
	check_variables(directory);
	if (strchr(name, '/') != NULL)
		check_logger_depends(parent, directory);
	warn_of_names(directory);
	if (is_there(directory, "log") && strchr(name, '/') == NULL) {
		snprintf(logger, sizeof(logger), "%s/log", name);
		check_directory(parent, logger);
	}
	close(directory);
}

static bool
is_wanted(const char *name)
{
	return only == NULL || strcmp(name, only) == 0;
}

static void
order_fault(const char *name, const char *text)
{
	if (name != NULL && !is_wanted(name))
		return;
	faults++;
	fprintf(stderr, "*** %s%s%s\n", name != NULL ? escape(name) : "",
	    name != NULL ? ": " : "", text);
}

/* Checks the services of a directory; returns how many. */
static unsigned
check_all(const char *path)
{
	struct ordered *services;
	int i, parent, count;
	unsigned found = 0;

	count = order_read(path, &services, order_fault);
	parent = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (count == -1 || parent == -1) {
		faults++;
		fprintf(stderr, "*** %s cannot be read: %s\n", escape(path),
		    strerror(errno));
		return 0;
	}
	for (i = 0; i < count; i++) {
		checked = services[i].name;
		if (!is_wanted(checked))
			continue;
		found++;
		if (strlen(checked) > STATE_NAME_MAX)
			fault("a service's name may have %d bytes (rename it)",
			    STATE_NAME_MAX);
		check_directory(parent, services[i].name);
	}
	close(parent);
	return found;
}

/*
 * A directory of services; or that of one, which may be given by its name, and is
 * checked among its neighbours.
 */
static unsigned
check_given(const char *given)
{
	char path[PATH_MAX], run[PATH_MAX + sizeof("/run")], *last;
	struct stat st;
	unsigned found;

	snprintf(path, sizeof(path), "%s", given);
	if (stat(path, &st) == -1 && strchr(given, '/') == NULL)
		snprintf(path, sizeof(path), SERVICE_DIRECTORY "/%s", given);
	snprintf(run, sizeof(run), "%s/run", path);
	if (lstat(run, &st) == -1)
		return check_all(stat(path, &st) == -1 ? given : path);
	/* Its name has to be in the path; a link has the name of the link. */
	for (last = path + strlen(path); last > path + 1 && last[-1] == '/';)
		*--last = '\0';
	last = strrchr(path, '/');
	last = last == NULL ? path : last + 1;
	if ((*last == '\0' || strcmp(last, ".") == 0 ||
	    strcmp(last, "..") == 0) && realpath(given, path) == NULL)
		return check_all(given);
	last = strrchr(path, '/');
	if (last != NULL)
		*last = '\0';
	only = last == NULL ? path : last + 1;
	found = check_all(last == NULL ? "." : last == path ? "/" : path);
	only = NULL;
	return found;
}

void
check_services(int argc, char **argv)
{
	static char usual[] = SERVICE_DIRECTORY;
	char *all[] = { usual };
	unsigned count = 0;
	int i;

	if (argc == 0) {
		argc = 1;
		argv = all;
	}
	for (i = 0; i < argc; i++)
		count += check_given(argv[i]);
	printf("%u service%s, ", count, count == 1 ? "" : "s");
	if (faults == 0)
		puts("no faults");
	else
		printf("%u fault%s\n", faults, faults == 1 ? "" : "s");
	if (faults > 0)
		note(EXIT_FAILED);
}
