/*
 * measure ROOT SERVICES -- INIT [ARGUMENT...]
 *
 * A stopwatch.  Starts INIT as PID 1 of a new PID and mount namespace in ROOT,
 * with that many services in /etc/service, and reads commands on stdin, one a
 * line.  Each is answered with one line:
 *
 *	up		ns from INIT's execve(2) until all services run
 *	processes	how many there are that are not services
 *	memory		their PSS in KiB
 *	switches	their context switches up to now
 *	crash		ns from a service's KILL until it runs again
 *	stop		ns from INIT's TERM until it is gone
 *	end		ns from INIT's execve(2) until it is gone by itself
 *	zombies		the most that PID 1 left unreaped at a time, until its end
 *
 * PSS is what smaps_rollup says (proc(5)).  INIT dies with the stopwatch.
 */
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <dirent.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "page.h"

#define SERVICE_DIRECTORY	"/etc/service"
#define SERVICE_PROGRAM		"/bench/service"
#define TIMEOUT_S		120	/* for one command */
#define MAX_ARGUMENTS	2048
#define LAYER		100		/* services, with BENCH_LAYERS */
#define SAMPLE_US		500	/* from one count of zombies to the next */

static struct page *page;
static pid_t	init;
static DIR	*proc;		/* of the new PID namespace */
static long	count;		/* of services */

/* --- start -------------------------------------------------------------------- */
static void
copy_program(const char *from, const char *to)
{
	struct stat st;
	int in, out;

	if ((in = open(from, O_RDONLY | O_CLOEXEC)) == -1 ||
	    fstat(in, &st) == -1)
		err(1, "%s", from);
	out = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0755);
	if (out == -1 ||
	    sendfile(out, in, NULL, (size_t)st.st_size) != st.st_size)
		err(1, "%s", to);
	close(in);
	close(out);
}

/* A service depends on that of a hundred before it: so they are in layers. */
static void
make_depends(const char *path, long i)
{
	char depends[96];
	FILE *file;

	snprintf(depends, sizeof(depends), "%s/depends", path);
	if ((file = fopen(depends, "w")) == NULL ||
	    fprintf(file, "%04ld\n", i - LAYER) < 0 || fclose(file) == EOF)
		err(1, "%s", depends);
}

/* Each run is a hard link to one program on one tmpfs. */
static void
make_services(void)
{
	char path[64], run[96];
	long i;

	if (mount("tmpfs", SERVICE_DIRECTORY, "tmpfs", 0, "mode=755") == -1)
		err(1, "%s", SERVICE_DIRECTORY);
	for (i = 0; i < count; i++) {
		snprintf(path, sizeof(path), SERVICE_DIRECTORY "/%04ld", i);
		snprintf(run, sizeof(run), "%s/run", path);
		if (mkdir(path, 0755) == -1)
			err(1, "%s", path);
		if (i == 0)
			copy_program(getenv("BENCH_SERVICE") != NULL ?
			    getenv("BENCH_SERVICE") : SERVICE_PROGRAM, run);
		else if (link(SERVICE_DIRECTORY "/0000/run", run) == -1)
			err(1, "%s", run);
		if (getenv("BENCH_LAYERS") != NULL && i >= LAYER)
			make_depends(path, i);
	}
}

/* PID 1 to be.  Descriptor 1 is the page, but for those who write to it. */
static _Noreturn void
become_init(int page_fd, int null_fd, int ready, char **argv)
{
	static char *const environment[] = {
		"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", NULL
	};

	prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	setsid();
	if (mount("proc", "/proc", "proc", 0, NULL) == -1)
		err(1, "/proc");
	close(ready);
	dup2(null_fd, 0);
	dup2(page_fd, 1);
	lseek(1, PAGE_BYTES, SEEK_SET);
	if (getenv("BENCH_VERBOSE") == NULL)
		dup2(null_fd, 2);
	syscall(SYS_close_range, 3, ~0U, 0);
	page->exec_ns = now_ns();
	execve(argv[0], argv, environment);
	_exit(127);
}

static void
start(const char *root, char **argv)
{
	int page_fd, null_fd, ready[2];
	char byte;

	page_fd = memfd_create("page", MFD_CLOEXEC);
	if (page_fd == -1 || ftruncate(page_fd, PAGE_BYTES) == -1)
		err(1, "memfd_create");
	page = mmap(NULL, PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED,
	    page_fd, 0);
	if (page == MAP_FAILED)
		err(1, "mmap");
	page->target = (uint32_t)count;
	if (unshare(CLONE_NEWNS | CLONE_NEWPID) == -1)
		err(1, "unshare");
	if (chroot(root) == -1 || chdir("/") == -1)
		err(1, "%s", root);
	null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (null_fd == -1 || pipe2(ready, O_CLOEXEC) == -1)
		err(1, "/dev/null");
	make_services();
	if ((init = fork()) == 0)
		become_init(page_fd, null_fd, ready[1], argv);
	close(ready[1]);
	/* It is closed when the new /proc is there. */
	(void)!read(ready[0], &byte, 1);
	if ((proc = opendir("/proc")) == NULL)
		err(1, "/proc");
}

/* --- processes ---------------------------------------------------------------- */
/* Reads a file of a process; 0: it is gone. */
static int
read_file(const char *pid, const char *file, char *buffer, size_t size)
{
	char path[300];
	ssize_t length;
	int fd;

	snprintf(path, sizeof(path), "%s/%s", pid, file);
	if ((fd = openat(dirfd(proc), path, O_RDONLY | O_CLOEXEC)) == -1)
		return 0;
	length = read(fd, buffer, size - 1);
	close(fd);
	if (length <= 0)
		return 0;
	buffer[length] = '\0';
	return 1;
}

/* The next process of the namespace; NULL: that was the last. */
static const char *
next_process(void)
{
	struct dirent *entry;

	while ((entry = readdir(proc)) != NULL)
		if (entry->d_name[0] >= '1' && entry->d_name[0] <= '9')
			return entry->d_name;
	rewinddir(proc);
	return NULL;
}

static int
is_service(const char *pid)
{
	char name[32];

	return read_file(pid, "comm", name, sizeof(name)) &&
	    strcmp(name, "run\n") == 0;
}

/* The number that follows `what` in a file of a process. */
static long
number_in(const char *pid, const char *file, const char *what)
{
	char buffer[4096], *p;

	if (!read_file(pid, file, buffer, sizeof(buffer)) ||
	    (p = strstr(buffer, what)) == NULL)
		return 0;
	return strtol(p + strlen(what), NULL, 10);
}

static long
count_processes(void)
{
	const char *pid;
	long found = 0;

	while ((pid = next_process()) != NULL)
		found += !is_service(pid);
	return found;
}

static long
sum_memory(void)
{
	const char *pid;
	long kib = 0;

	while ((pid = next_process()) != NULL)
		if (!is_service(pid))
			kib += number_in(pid, "smaps_rollup", "\nPss:");
	return kib;
}

static long
sum_switches(void)
{
	const char *pid;
	long sum = 0;

	while ((pid = next_process()) != NULL)
		if (!is_service(pid))
			sum += number_in(pid, "status",
			    "\nvoluntary_ctxt_switches:") +
			    number_in(pid, "status",
			    "\nnonvoluntary_ctxt_switches:");
	return sum;
}

static long
count_zombies(void)
{
	char buffer[512], *p;
	const char *pid;
	long found = 0;

	while ((pid = next_process()) != NULL)
		if (read_file(pid, "stat", buffer, sizeof(buffer)) &&
		    (p = strrchr(buffer, ')')) != NULL)
			found += strncmp(p, ") Z 1 ", 6) == 0;
	return found;
}

/* --- events ------------------------------------------------------------------- */
static void
wait_target(void)
{
	uint32_t running;

	while ((running = atomic_load(&page->running)) < page->target)
		syscall(SYS_futex, &page->running, FUTEX_WAIT, running, NULL,
		    NULL, 0);
}

static int64_t
wait_up(void)
{
	wait_target();
	return count == 0 ? 0 : page->target_ns - page->exec_ns;
}

/*
 * Kills the next of the services that were there at the first call.  A directory
 * of /proc stands for its process, whatever its pid in here (pidfd_open(2)).
 */
static int64_t
crash(void)
{
	static int fds[1024], fd_count;
	const char *pid;
	int64_t begun_ns;

	while (fd_count == 0 && (pid = next_process()) != NULL)
		if (is_service(pid) && fd_count < 1024)
			fds[fd_count++] = openat(dirfd(proc), pid,
			    O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd_count == 0)
		errx(1, "no service is left to be killed");
	page->target = atomic_load(&page->running) + 1;
	begun_ns = now_ns();
	if (syscall(SYS_pidfd_send_signal, fds[--fd_count], SIGKILL, NULL, 0)
	    == -1)
		err(1, "pidfd_send_signal");
	wait_target();
	close(fds[fd_count]);
	return page->target_ns - begun_ns;
}

/* Waits for the end of PID 1; returns when that was. */
static int64_t
wait_end(void)
{
	int64_t ended_ns;
	int status;

	if (waitpid(init, &status, 0) != init)
		err(1, "waitpid");
	ended_ns = now_ns();
	init = 0;
	if (WIFSIGNALED(status) || WEXITSTATUS(status) > 100)
		errx(1, "init ended with status %d", status);
	return ended_ns;
}

static int64_t
stop(void)
{
	int64_t begun_ns = now_ns();

	kill(init, SIGTERM);
	return wait_end() - begun_ns;
}

static long
watch_zombies(void)
{
	long peak = 0, found;

	while (waitpid(init, NULL, WNOHANG) == 0) {
		if ((found = count_zombies()) > peak)
			peak = found;
		usleep(SAMPLE_US);
	}
	init = 0;
	return peak;
}

/* From its beginning, which was later than ours. */
static int64_t
end(void)
{
	int64_t ended_ns = wait_end();

	return ended_ns - page->exec_ns;
}

/*
 * Runs a client in the namespace of the init.  From its exec to its end.
 */
static int64_t
client(char *command)
{
	static char *const environment[] = {
		"PATH=/usr/sbin:/usr/bin:/sbin:/bin", NULL
	};
	static char *argv[MAX_ARGUMENTS + 1];
	static volatile int64_t begun_ns;
	char *word, *rest = command;
	int status, null_fd;
	size_t i = 0;
	pid_t pid;

	while ((word = strsep(&rest, " \n")) != NULL && i < MAX_ARGUMENTS)
		if (*word != '\0')
			argv[i++] = word;
	argv[i] = NULL;
	null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	if ((pid = vfork()) == 0) {
		dup2(null_fd, 0);
		dup2(null_fd, 1);
		begun_ns = now_ns();
		execve(argv[0], argv, environment);
		_exit(127);
	}
	if (waitpid(pid, &status, 0) != pid)
		err(1, "waitpid");
	close(null_fd);
	if (status != 0)
		errx(1, "%s ended with status %d", argv[0], status);
	return now_ns() - begun_ns;
}

/* What the supervisor has used of the processors. */
static long
sum_cpu_ms(void)
{
	char buffer[1024], *p;
	const char *pid;
	long user, system, ticks = 0;

	while ((pid = next_process()) != NULL)
		if (read_file(pid, "stat", buffer, sizeof(buffer)) &&
		    strstr(buffer, "(supervisor)") != NULL &&
		    (p = strrchr(buffer, ')')) != NULL &&
		    sscanf(p, ") %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u "
		    "%ld %ld", &user, &system) == 2)
			ticks += user + system;
	return ticks * 1000 / sysconf(_SC_CLK_TCK);
}

static int64_t
answer(char *command)
{
	if (strncmp(command, "client ", 7) == 0)
		return client(command + 7);
	if (strcmp(command, "cpu\n") == 0)
		return sum_cpu_ms();
	if (strcmp(command, "starts\n") == 0)
		return atomic_load(&page->running);
	if (strcmp(command, "up\n") == 0)
		return wait_up();
	if (strcmp(command, "processes\n") == 0)
		return count_processes();
	if (strcmp(command, "memory\n") == 0)
		return sum_memory();
	if (strcmp(command, "switches\n") == 0)
		return sum_switches();
	if (strcmp(command, "crash\n") == 0)
		return crash();
	if (strcmp(command, "stop\n") == 0)
		return stop();
	if (strcmp(command, "end\n") == 0)
		return end();
	if (strcmp(command, "zombies\n") == 0)
		return watch_zombies();
	errx(2, "unknown command: %s", command);
}

int
main(int argc, char **argv)
{
	static char command[128 * 1024];

	if (argc < 5 || strcmp(argv[3], "--") != 0)
		errx(2, "usage: measure ROOT SERVICES -- INIT [ARGUMENT...]");
	count = strtol(argv[2], NULL, 10);
	start(argv[1], argv + 4);
	while (fgets(command, sizeof(command), stdin) != NULL) {
		alarm(TIMEOUT_S);
		printf("%lld\n", (long long)answer(command));
		fflush(stdout);
		alarm(0);
	}
	/* What is left of the namespace ends with its PID 1. */
	if (init != 0) {
		kill(init, SIGKILL);
		waitpid(init, NULL, 0);
	}
	return 0;
}
