/*
 * Services as their directories say, for what works without a supervisor: show, check,
 * graph.  What a service is, and what depends says, is so as the supervisor has it.
 */
#include <sys/stat.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ctl/ctl.h"

static int
by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

void *
grown(void *memory, size_t count, size_t size)
{
	/* At 0, 1, 2, 4 ... there is no room any more. */
	if ((count & (count - 1)) != 0)
		return memory;
	memory = realloc(memory, (count == 0 ? 1 : 2 * count) * size);
	if (memory == NULL) {
		fprintf(stderr, "*** %s\n", strerror(ENOMEM));
		exit(EXIT_FAILED);
	}
	return memory;
}

/* The names in a directory within another, sorted; -1 and an errno: there is none. */
int
directory_names(int parent, const char *path, char ***names)
{
	int fd = openat(parent, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *directory = fd == -1 ? NULL : fdopendir(fd);
	struct dirent *entry;
	unsigned count = 0;

	*names = NULL;
	if (directory == NULL) {
		if (fd != -1)
			close(fd);
		return -1;
	}
	while ((entry = readdir(directory)) != NULL) {
		if (strcmp(entry->d_name, ".") == 0 ||
		    strcmp(entry->d_name, "..") == 0)
			continue;
		*names = grown(*names, count, sizeof(**names));
		if (((*names)[count] = strdup(entry->d_name)) != NULL)
			count++;
	}
	closedir(directory);
	if (count > 0)
		qsort(*names, count, sizeof(**names), by_name);
	return (int)count;
}

void
directory_free(char **names, int count)
{
	while (count > 0)
		free(names[--count]);
	free(names);
}

/* A directory, or a link to one, or to nothing. */
static bool
is_service(int directory, const char *name)
{
	struct stat st;

	if (name[0] == '.')
		return false;
	if (fstatat(directory, name, &st, 0) == -1)
		return fstatat(directory, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
	return S_ISDIR(st.st_mode);
}

/* The names of the services in a directory, as directory_names has them. */
int
directory_services(int directory, char ***names)
{
	int i, count = directory_names(directory, ".", names), kept = 0;

	for (i = 0; i < count; i++)
		if (is_service(directory, (*names)[i]))
			(*names)[kept++] = (*names)[i];
		else
			free((*names)[i]);
	return count == -1 ? -1 : kept;
}

/* /etc/service/web/ is web; cut in place. */
const char *
service_name(char *argument)
{
	const size_t length = strlen(SERVICE_DIRECTORY "/");
	char *end = argument + strlen(argument);

	while (end > argument + 1 && end[-1] == '/')
		*--end = '\0';
	if (strncmp(argument, SERVICE_DIRECTORY "/", length) == 0 &&
	    argument[length] != '\0')
		return argument + length;
	return argument;
}

bool
is_pattern(const char *name)
{
	return strpbrk(name, "*?[") != NULL;
}

/* Is the service of that name one of those that are named?  A * stands for no slash. */
bool
directory_means(const char *name, const char *service)
{
	return strcmp(name, service) == 0 || (is_pattern(name) &&
	    fnmatch(name, service, FNM_PATHNAME) == 0);
}

/*
 * What depends says in a service's directory, to be cut up; until the next call.
 * NULL: nothing, or, if *why is set, it cannot be read.
 */
char *
depends_read(int directory, const char **why)
{
	static char text[DEPENDS_MAX + 1];
	struct stat st;

	*why = NULL;
	if (fstatat(directory, "depends", &st, AT_SYMLINK_NOFOLLOW) == -1)
		return NULL;
	*why = settings_text(directory, "depends", text, sizeof(text));
	return *why == NULL ? text : NULL;
}
