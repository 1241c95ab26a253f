/*
 * What a process leaves behind in its process group when it ends.
 *
 * Nobody tells us when a group is empty.  So one member is looked up in /proc and
 * waited for by pidfd, then the next, until there is none.  While a member lives
 * the number of the group belongs to it, and a KILL reaches no stranger.
 */
#include <sys/syscall.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "supervisor.h"

/* Is `name` of /proc a live process of the group? */
static bool
is_member(int proc, const char *name, pid_t id)
{
	char path[32], buffer[512], state, *p;
	int parent, group, fd;
	ssize_t length;

	if (snprintf(path, sizeof(path), "%s/stat", name) >= (int)sizeof(path))
		return false;
	if ((fd = openat(proc, path, O_RDONLY | O_CLOEXEC)) == -1)
		return false;
	length = read(fd, buffer, sizeof(buffer) - 1);
	close(fd);
	if (length <= 0)
		return false;
	buffer[length] = '\0';
	if ((p = strrchr(buffer, ')')) == NULL ||
	    sscanf(p + 1, " %c %d %d", &state, &parent, &group) != 3)
		return false;
	return group == id && state != 'Z' && state != 'X';
}

/* A pidfd of some live process of the group, or -1. */
static int
find_member(pid_t id)
{
	struct dirent *entry;
	DIR *proc;
	int fd = -1;

	if ((proc = opendir("/proc")) == NULL)
		return -1;
	while (fd == -1 && (entry = readdir(proc)) != NULL) {
		if (entry->d_name[0] < '1' || entry->d_name[0] > '9' ||
		    !is_member(dirfd(proc), entry->d_name, id))
			continue;
		fd = (int)syscall(SYS_pidfd_open, atoi(entry->d_name), 0);
		/* The pid may have changed hands in between. */
		if (fd != -1 && !is_member(dirfd(proc), entry->d_name, id)) {
			close(fd);
			fd = -1;
		}
	}
	closedir(proc);
	return fd;
}

static bool
watch_member(struct group *group, void (*callback)(int, short, void *))
{
	if ((group->member = find_member(group->id)) == -1)
		return false;
	event_assign(&group->event, base, group->member, EV_READ, callback,
	    group);
	event_add(&group->event, NULL);
	return true;
}

static void
member_ended_cb(int fd, short what, void *argument)
{
	struct group *group = argument;
	void (*gone)(void *) = group->gone;
	void *owner = group->argument;

	(void)fd;
	(void)what;
	close(group->member);
	group->member = -1;
	if (watch_member(group, member_ended_cb))
		return;
	free(group);
	gone(owner);
}

/*
 * Asks what is left of process group id to end.  NULL: nothing is left, or it
 * cannot be seen (no /proc, no pidfd) and is the last sweep's.  Otherwise
 * gone(argument) is called once it is gone; by then the group is freed.
 */
struct group *
group_end(pid_t id, void (*gone)(void *), void *argument)
{
	struct group *group;

	if (kill(-id, SIGTERM) == -1)
		return NULL;
	kill(-id, SIGCONT);
	if ((group = calloc(1, sizeof(*group))) == NULL)
		return NULL;
	group->id = id;
	group->gone = gone;
	group->argument = argument;
	if (watch_member(group, member_ended_cb))
		return group;
	free(group);
	return NULL;
}

void
group_kill(struct group *group)
{
	if (syscall(SYS_pidfd_send_signal, group->member, 0, NULL, 0) == 0)
		kill(-group->id, SIGKILL);
}
