/* A directory of our own, for the control socket and the pipes of services. */
#include <sys/file.h>
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "proto/socket.h"
#include "supervisor.h"

#define DIRECTORIES	2	/* of pipes */
/*
 * Who may open a pipe anew by /dev/stdout, as programs of any user do, only for
 * writing; nobody comes to it by its path, whose directory is closed.
 */
#define PIPE_MODE	0622

static int own = -1;	/* open and locked */
static char *own_path;

/*
 * A directory of our own: nobody else may put a socket in the place of ours, and
 * no other supervisor may use it while we do.
 */
bool
directory_take(const char *directory, bool resumed)
{
	struct stat st;
	int fd;

	if (mkdir(directory, 0755) == -1 && errno != EEXIST)
		return false;
	fd = open(directory, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd == -1)
		return false;
	if (fstat(fd, &st) == -1 || st.st_uid != geteuid() ||
	    ((st.st_mode & 022) && fchmod(fd, 0755) == -1)) {
		close(fd);
		errno = EPERM;
		return false;
	}
	/* A supervisor before us may have left a child that is about to execute. */
	if (flock(fd, LOCK_EX | LOCK_NB) == -1 && !resumed) {
		close(fd);
		errno = EBUSY;
		return false;
	}
	if (own != -1)
		close(own);
	own = fd;
	free(own_path);
	own_path = strdup(directory);
	return true;
}

/* Has somebody removed it? */
static bool
is_gone(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && st.st_nlink == 0;
}

/*
 * The directory that has been taken or, if the socket is elsewhere, the first that can
 * be; -1 and an errno: there is none that we may write to.
 */
static int
own_directory(void)
{
	if (own != -1 && is_gone(own)) {
		close(own);
		own = -1;
	}
	if (own == -1 && !directory_take(OWN_DIRECTORY, true))
		directory_take(OWN_DIRECTORY_FALLBACK, true);
	return own;
}

/* Opens a directory in our own, for us alone; -1 and an errno. */
static int
open_closed(const char *name)
{
	int parent = own_directory(), fd;
	struct stat st;

	if (parent == -1 ||
	    (mkdirat(parent, name, 0700) == -1 && errno != EEXIST) ||
	    (fd = openat(parent, name,
	    O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)) == -1)
		return -1;
	if (fstat(fd, &st) == -1 || st.st_uid != geteuid() ||
	    ((st.st_mode & 077) && fchmod(fd, 0700) == -1)) {
		close(fd);
		errno = EPERM;
		return -1;
	}
	return fd;
}

/* A directory of pipes, by a constant name, which stays open; -1 and an errno. */
int
directory_of_pipes(const char *name)
{
	static struct {
		const char	*name;
		int		fd;
	} opened[DIRECTORIES];
	unsigned i;
	int fd;

	for (i = 0; i < DIRECTORIES && opened[i].name != NULL; i++)
		if (strcmp(opened[i].name, name) == 0)
			break;
	if (i < DIRECTORIES && opened[i].name != NULL) {
		if (!is_gone(opened[i].fd))
			return opened[i].fd;
		close(opened[i].fd);
	}
	if ((fd = open_closed(name)) != -1 && i < DIRECTORIES) {
		opened[i].name = name;
		opened[i].fd = fd;
	} else if (i < DIRECTORIES) {
		opened[i].name = NULL;
	}
	return fd;
}

/* The path of our own directory, or NULL. */
const char *
directory_path(void)
{
	return own_directory() == -1 ? NULL : own_path;
}

/* Opens a FIFO there, with O_CREAT one that is made if there is none; -1 and an errno. */
int
directory_open_pipe(const char *directory, const char *name, int flags)
{
	int parent = directory_of_pipes(directory), fd;
	struct stat st;

	if (parent == -1 || (flags & O_CREAT &&
	    mkfifoat(parent, name, 0600) == -1 && errno != EEXIST))
		return -1;
	fd = openat(parent, name, (flags & ~O_CREAT) | O_NOFOLLOW | O_CLOEXEC);
	if (fd == -1)
		return -1;
	if (fstat(fd, &st) == -1 || !S_ISFIFO(st.st_mode) ||
	    ((st.st_mode & 0777) != PIPE_MODE && fchmod(fd, PIPE_MODE) == -1)) {
		close(fd);
		errno = EINVAL;
		return -1;
	}
	return fd;
}
