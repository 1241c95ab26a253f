/*
 * The environment of one service, where it is not that of all: the files of env/, as
 * chpst -e reads them, and what it needs to talk to us.
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

#define VALUE_MAX	65536	/* bytes of a file that are looked at */

/* One at a time is made: that of a program that is started now. */
static struct {
	char		**list;		/* NULL at its end */
	size_t		count, size;
	size_t		shared;		/* the first so many are not ours */
} variables;

static size_t
name_length(const char *variable)
{
	return strcspn(variable, "=");
}

/* Takes a variable out, whoever has put it in. */
static void
unset(const char *name, size_t length)
{
	size_t i;

	for (i = 0; i < variables.count; i++) {
		if (name_length(variables.list[i]) != length ||
		    memcmp(variables.list[i], name, length) != 0)
			continue;
		if (i < variables.shared) {
			/* The last shared one takes its place. */
			variables.list[i] = variables.list[--variables.shared];
			i = variables.shared;
		} else {
			free(variables.list[i]);
		}
		variables.list[i] = variables.list[--variables.count];
		variables.list[variables.count] = NULL;
		return;
	}
}

/* Puts NAME=VALUE in, in the place of what was there.  False: no memory. */
static bool
set(const char *name, const char *value)
{
	char **list = variables.list, *variable;

	unset(name, strlen(name));
	if (variables.count + 2 > variables.size) {
		list = realloc(list, (variables.size + 16) * sizeof(*list));
		if (list == NULL)
			return false;
		variables.list = list;
		variables.size += 16;
	}
	if (asprintf(&variable, "%s=%s", name, value) == -1)
		return false;
	list[variables.count++] = variable;
	list[variables.count] = NULL;
	return true;
}

/*
 * A file's first line without blanks at its end, zero bytes being newlines; an empty
 * file takes the variable out (chpst(8)).  False and an errno: it cannot be read.
 */
static bool
read_variable(int directory, const char *name)
{
	static char value[VALUE_MAX + 1];
	int fd = openat(directory, name,
	    O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	ssize_t length, i;

	if (fd == -1)
		return false;
	length = read(fd, value, VALUE_MAX);
	close(fd);
	if (length == -1)
		return errno == EISDIR;
	if (length == 0) {
		unset(name, strlen(name));
		return true;
	}
	for (i = 0; i < length && value[i] != '\n'; i++)
		if (value[i] == '\0')
			value[i] = '\n';
	while (i > 0 && (value[i - 1] == ' ' || value[i - 1] == '\t'))
		i--;
	value[i] = '\0';
	return set(name, value);
}

static bool
read_directory(const struct service *service)
{
	static char failed[128];	/* the name of one that cannot be read */
	struct dirent *entry;
	DIR *stream = NULL;
	bool good = true;
	int fd, error;

	if (service->directory != -1)
		fd = openat(service->directory, "env",
		    O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	else
		fd = open(run_path(service_slot(service), "env"),
		    O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd == -1 || (stream = fdopendir(fd)) == NULL) {
		if (fd != -1)
			close(fd);
		return false;
	}
	while (good && (entry = readdir(stream)) != NULL)
		if (entry->d_name[0] != '.' &&
		    strchr(entry->d_name, '=') == NULL)
			good = read_variable(dirfd(stream),
			    entry->d_name);
	error = errno;
	if (!good) {
		snprintf(failed, sizeof(failed), "%s", escape(entry->d_name));
		spawn_failed_detail = failed;
	}
	closedir(stream);
	errno = error;
	return good;
}

static bool
add_own(const struct service *service)
{
	const struct settings *settings = setting_of(service);
	const char *address = notify_address();
	char number[24];

	spawn_failed = "NOTIFY_SOCKET";
	if (address == NULL || !set("NOTIFY_SOCKET", address))
		return false;
	if (settings->timeout_watchdog_ms == 0)
		return true;
	snprintf(number, sizeof(number), "%lld",
	    (long long)settings->timeout_watchdog_ms * 1000);
	return set("WATCHDOG_USEC", number);
}

/*
 * A service's own environment, until variables_end, or NULL: that of all children.
 * *error is 0, or an errno if it cannot be made, and spawn_failed says which part.
 */
char **
variables_begin(const struct service *service, bool run, int *error)
{
	char **shared = environment();
	bool own = run && setting_of(service)->type == TYPE_NOTIFY;

	*error = 0;
	spawn_failed = entry_names[ENTRY_ENV];
	if (!(service->entries & ENTRY(ENV)) && !own)
		return NULL;
	while (shared[variables.count] != NULL)
		variables.count++;
	variables.size = variables.count + 16;
	variables.shared = variables.count;
	variables.list = malloc(variables.size * sizeof(*variables.list));
	if (variables.list == NULL) {
		*error = ENOMEM;
		variables_end();
		return NULL;
	}
	memcpy(variables.list, shared,
	    (variables.count + 1) * sizeof(*variables.list));
	if ((service->entries & ENTRY(ENV) &&
	    !read_directory(service)) || (own && !add_own(service))) {
		*error = errno;
		variables_end();
	}
	return variables.list;
}

/* The program has been started: its environment is its own. */
void
variables_end(void)
{
	while (variables.list != NULL && variables.count > variables.shared)
		free(variables.list[--variables.count]);
	free(variables.list);
	memset(&variables, 0, sizeof(variables));
}
