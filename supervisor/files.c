/*
 * How many files may be open.  Some services have one kept open for them, so we take
 * all that we may have; what we start has the limit that my_init was given.
 */
#include <sys/resource.h>

#include "supervisor.h"

static struct rlimit given;	/* my_init's own, if ours is another */
static rlim_t eighth = RLIM_INFINITY / 8;

/* Takes as many as there are to be had. */
void
files_open(void)
{
	struct rlimit limit, all;

	if (getrlimit(RLIMIT_NOFILE, &limit) == -1)
		return;
	all = limit;
	all.rlim_cur = limit.rlim_max;
	if (all.rlim_cur != limit.rlim_cur &&
	    setrlimit(RLIMIT_NOFILE, &all) == 0)
		given = limit;
	else
		all = limit;
	eighth = all.rlim_cur / 8;
}

/* In a child: the limit is what it was. */
int
files_give_back(void)
{
	return given.rlim_max == 0 ? 0 : setrlimit(RLIMIT_NOFILE, &given);
}

/*
 * May a descriptor be kept for as long as a service lives?  What cannot be done without
 * has the first seven eighths, what is of use two; the last is for what has to be opened
 * meanwhile.
 */
bool
files_may_keep(int fd, bool needed)
{
	return (rlim_t)fd < (needed ? 7 : 2) * eighth;
}
