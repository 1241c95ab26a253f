/* orphans N: forks twice, N times, so that PID 1 has N orphans to reap. */
#include <sys/wait.h>

#include <stdlib.h>
#include <unistd.h>

int
main(int argc, char **argv)
{
	long left = argc == 2 ? strtol(argv[1], NULL, 10) : 0;
	pid_t pid;

	for (; left > 0; left--) {
		if ((pid = fork()) == 0) {
			fork();
			_exit(0);
		}
		if (pid == -1)
			return 1;
		while (waitpid(pid, NULL, 0) == -1)
			continue;
	}
	return 0;
}
