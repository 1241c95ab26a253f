/* A directory of our own, for the control socket and the pipes to loggers. */
#include <sys/file.h>
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "proto/socket.h"
#include "supervisor.h"

static int own = -1;	/* open and locked */

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
	return true;
}

/*
 * The directory that has been taken or, if the socket is elsewhere, the first that can
 * be; -1 and an errno: there is none that we may write to.
 */
int
directory_own(void)
{
	if (own == -1 && !directory_take(OWN_DIRECTORY, true))
		directory_take(OWN_DIRECTORY_FALLBACK, true);
	return own;
}
