/*
 * log-prefix: services whose lines the collector puts into the container's output
 * (proto/lines.h), and the collector.
 *
 * What such a service writes to stdout and stderr goes to a FIFO of ours.  Where there
 * can be no FIFO or no collector, it goes where my_init's does, as without log-prefix.
 */
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "proto/lines.h"
#include "supervisor.h"

#define DIRECTORY	"lines"
#define RETRY_MS	1000	/* after a collector that did not live as long */
#define END_MS		1000	/* for it to read the rest, at the end */

static struct lines_table *lines;
static struct process collector;
static int collector_status;
static bool collector_told;	/* to end */
static struct event timer;
static bool given_up;		/* it has had its time */

static bool	start(void);

/* --- the table, and who has which channel ----------------------------------------- */

/* False and an errno: there is no table. */
static bool
open_table(void)
{
	struct stat st;

	if (lines != NULL)
		return true;
	if (fstat(INIT_LINES_FD, &st) == -1 ||
	    (st.st_size == 0 &&
	    ftruncate(INIT_LINES_FD, sizeof(*lines)) == -1))
		return false;
	lines = mmap(NULL, sizeof(*lines), PROT_READ | PROT_WRITE, MAP_SHARED,
	    INIT_LINES_FD, 0);
	if (lines == MAP_FAILED) {
		lines = NULL;
		return false;
	}
	lines->magic = LINES_MAGIC;
	atomic_store(&lines->watched, gatekeeper_is_busy());
	return true;
}

static struct lines_channel *
channel_of(const struct service *service)
{
	return service->channel == 0 ? NULL :
	    &lines->channels[service->channel - 1];
}

/* Has a service that has none take one; false: there is none left. */
static bool
take_channel(struct service *service, enum log_prefix prefix)
{
	struct lines_channel *channel;
	uint32_t i, used = atomic_load(&lines->channels_used);

	for (i = 0; i < used; i++)
		if (atomic_load(&lines->channels[i].condition) == LINES_FREE)
			break;
	if (i >= LINES_CHANNELS) {
		errno = ENOSPC;
		return false;
	}
	channel = &lines->channels[i];
	strcpy(channel->name, service_slot(service)->name);
	atomic_store(&channel->prefix, prefix);
	if (i == used)
		atomic_store(&lines->channels_used, used + 1);
	service->channel = (uint16_t)(i + 1);
	return true;
}

/* --- pipes --------------------------------------------------------------------------- */

static int
open_pipe(const struct service *service, int flags)
{
	char name[16];

	snprintf(name, sizeof(name), "%u", service->channel - 1u);
	return directory_open_pipe(DIRECTORY, name, flags);
}

/* A pipe for a service that has a channel, where the collector finds it. */
static int
make_pipe(const struct service *service)
{
	int fd = open_pipe(service, O_RDWR | O_CREAT);

	if (fd != -1)
		snprintf(lines->directory, sizeof(lines->directory),
		    "%s/" DIRECTORY, directory_path());
	return fd;
}

static void
tell_collector(int signo)
{
	if (collector.pid > 0)
		kill(collector.pid, signo);
}

/* What it writes from its next start on goes where my_init's does. */
void
lines_release(struct service *service)
{
	struct lines_channel *channel = channel_of(service);

	if (service->lines != -1)
		close(service->lines);
	service->lines = -1;
	service->channel = 0;
	if (channel == NULL)
		return;
	atomic_store(&channel->condition, LINES_ENDING);
	tell_collector(SIGUSR1);
}

static void
say_cannot(const struct service *service)
{
	log_warn("%s: log-prefix cannot be had: %s; what it writes goes where "
	    "my_init's does", escape(service_slot(service)->name),
	    strerror(errno));
}

/* A service's directory has been read: are its lines to have a prefix? */
void
lines_hold(struct service *service)
{
	enum log_prefix prefix = setting_of(service)->log_prefix;
	struct lines_channel *channel;

	if (prefix == PREFIX_GIVEN)
		prefix = options.log_prefix;
	if (prefix == PREFIX_NONE) {
		if (service->lines != -1)
			lines_release(service);
		return;
	}
	if (service->lines != -1) {
		atomic_store(&channel_of(service)->prefix, prefix);
		return;
	}
	if (!open_table() || (service->channel == 0 &&
	    !take_channel(service, prefix))) {
		say_cannot(service);
		return;
	}
	service->lines = make_pipe(service);
	channel = channel_of(service);
	if (service->lines != -1 && !files_may_keep(service->lines, true)) {
		close(service->lines);
		service->lines = -1;
		errno = EMFILE;
	}
	if (service->lines == -1 || !start()) {
		say_cannot(service);
		if (service->lines != -1)
			close(service->lines);
		service->lines = -1;
		service->channel = 0;
		atomic_store(&channel->condition, LINES_FREE);
		return;
	}
	atomic_store(&channel->condition, LINES_OPEN);
	tell_collector(SIGUSR1);
}

/*
 * Run has ended: what it has written without an end of line is a line.  Not by the
 * descriptor that services have, which waits; in a pipe that is full, it can be done
 * without.
 */
void
lines_ended(struct service *service)
{
	int fd;

	if (service->lines == -1 ||
	    (fd = open_pipe(service, O_WRONLY | O_NONBLOCK)) == -1)
		return;
	(void)!write(fd, LINES_END, LINES_END_LENGTH);
	close(fd);
}

/* --- the collector ----------------------------------------------------------------- */

static void
record_cb(struct process *process, pid_t pid, int status)
{
	(void)process;
	(void)pid;
	collector_status = status;
	atomic_store(&table->header.collector_pid, 0);
}

/* It is started again, now or in a while: services write to their pipes until then. */
static void
ended_cb(struct process *process)
{
	if (collector_told) {
		shutdown_step();
		return;
	}
	log_warn("The collector ended with %s %d; starting it again",
	    WIFSIGNALED(collector_status) ? "signal" : "exit code",
	    WIFSIGNALED(collector_status) ? WTERMSIG(collector_status) :
	    WEXITSTATUS(collector_status));
	if (now_ms() - process->started_ms < RETRY_MS || !start())
		timer_arm(&timer, now_ms() + RETRY_MS);
}

static void
timer_cb(int fd, short what, void *argument)
{
	(void)fd;
	(void)what;
	(void)argument;
	if (collector_told) {
		given_up = true;
		shutdown_step();
	} else if (!start()) {
		timer_arm(&timer, now_ms() + RETRY_MS);
	}
}

static void
prepare(void)
{
	collector.record = record_cb;
	collector.ended = ended_cb;
	if (!event_initialized(&timer))
		evtimer_assign(&timer, base, timer_cb, NULL);
}

/* Starts the collector, if it does not run.  False and an errno: it cannot be. */
static bool
start(void)
{
	char program[] = COLLECTOR_PATH, *argv[] = { program, NULL };
	char *no_environment[] = { NULL };
	int descriptors[LINES_FDS], error, wake;
	const struct spawn spawned = {
		.path = program, .argv = argv, .directory_fd = -1,
		.pid = &table->header.collector_pid, .service = true,
		.environment = no_environment, .blocked_signals = true,
		.descriptors = descriptors, .descriptors_count = LINES_FDS,
	};
	static int said;

	prepare();
	if (collector.pid != 0 || evtimer_pending(&timer, NULL))
		return true;
	/* The one end that there must be for it to be opened. */
	if ((wake = lines_wake_fd()) == -1)
		return false;
	close(wake);
	descriptors[LINES_DIRECTORY_FD - 3] = directory_of_pipes(DIRECTORY);
	descriptors[LINES_TABLE_FD - 3] = INIT_LINES_FD;
	descriptors[LINES_OUTPUT_FD - 3] = STDOUT_FILENO;
	descriptors[LINES_LOG_FD - 3] = INIT_LOG_FD;
	table->header.collector_started_ms = now_ms();
	if ((error = spawn(&spawned)) != 0) {
		if (said != error)
			log_warn("The collector " COLLECTOR_PATH " cannot be "
			    "started: %s", strerror(error));
		said = error;
		errno = error;
		return false;
	}
	said = 0;
	process_watch(&collector,
	    atomic_load(&table->header.collector_pid), now_ms(), false);
	return true;
}

/* Called once at start: takes up the collector of a supervisor before us. */
void
lines_resume(void)
{
	struct service *service;
	uint32_t i;
	pid_t pid;
	bool any = false;

	table_recover_pid(&table->header.collector_pid);
	pid = atomic_load(&table->header.collector_pid);
	if (table->header.collector_started_ms == 0 || !open_table())
		return;
	prepare();
	if (pid > 0)
		process_watch(&collector, pid,
		    table->header.collector_started_ms, true);
	for (i = 0; i < atomic_load(&lines->channels_used); i++) {
		if (atomic_load(&lines->channels[i].condition) == LINES_FREE)
			continue;
		any = true;
		if (atomic_load(&lines->channels[i].condition) != LINES_OPEN)
			continue;
		service = index_find(lines->channels[i].name);
		if (service != NULL) {
			service->channel = (uint16_t)(i + 1);
			service->lines = open_pipe(service, O_RDWR);
		}
		/* Without a pipe there, it gets another at its next start. */
		if (service == NULL || service->lines == -1) {
			atomic_store(&lines->channels[i].condition,
			    LINES_ENDING);
			if (service != NULL)
				service->channel = 0;
		}
	}
	tell_collector(SIGUSR1);
	/* Between the end of one and the start of the next. */
	if (pid <= 0 && any && !start())
		timer_arm(&timer, now_ms() + RETRY_MS);
}

/*
 * The last of all services are down: has the collector read what is left and end.
 * True: it has not yet.  What still holds a pipe is swept by my_init, and it reads on
 * until then.
 */
bool
lines_end(void)
{
	struct service *service;

	if (collector.pid == 0 || given_up)
		return false;
	if (collector_told)
		return true;
	collector_told = true;
	for (service = service_next(NULL); service != NULL;
	    service = service_next(service))
		if (service->lines != -1) {
			close(service->lines);
			service->lines = -1;
		}
	timer_arm(&timer, now_ms() + END_MS);
	tell_collector(SIGTERM);
	return true;
}

/* --- for the gate -------------------------------------------------------------------- */

/* What is written to when there are new lines, to be read; -1 and an errno. */
int
lines_wake_fd(void)
{
	return directory_open_pipe(DIRECTORY, LINES_WAKE,
	    O_RDONLY | O_NONBLOCK | O_CREAT);
}

void
lines_watch(bool watched)
{
	if (lines != NULL)
		atomic_store(&lines->watched, watched);
}
