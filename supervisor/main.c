/*
 * The supervisor: started by my_init, which is PID 1 and knows nothing of
 * services; killed, it is started again and goes on from the state table.
 */
#include <sys/prctl.h>
#include <sys/socket.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "supervisor.h"

#define ADOPTION_CHECK_MS	1000
#define PRIORITIES	(PRIORITY_IDLE + 1)

struct event_base *base;
bool terminal;
int given_directory = -1;

static struct event adoption_check;

int64_t
now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Sets a timer to a point in time; 0 unsets it. */
void
timer_arm(struct event *timer, int64_t deadline_ms)
{
	int64_t delay_ms = deadline_ms - now_ms();
	struct timeval delay;

	if (deadline_ms == 0) {
		evtimer_del(timer);
		return;
	}
	if (delay_ms < 0)
		delay_ms = 0;
	delay.tv_sec = delay_ms / 1000;
	delay.tv_usec = delay_ms % 1000 * 1000;
	evtimer_add(timer, &delay);
}

/* The last word: my_init sweeps, unless told not to, and exits with code. */
void
leave(int code, int64_t grace_ms)
{
	const struct init_record done = {
		.type = INIT_DONE, .status = code & 0xff,
		.grace_ms = (int32_t)grace_ms,
	};

	(void)!send(INIT_CHANNEL_FD, &done, sizeof(done),
	    MSG_DONTWAIT | MSG_NOSIGNAL);
	_exit(code & 0xff);
}

/*
 * The descriptors that my_init gave us are ours alone.  The directory we were
 * started in is the main command's; our own is /, so that we keep no mount busy.
 */
static void
set_descriptors(void)
{
	int fd;

	for (fd = INIT_CHANNEL_FD; fd <= INIT_LINES_FD; fd++)
		fcntl(fd, F_SETFD, FD_CLOEXEC);
	given_directory = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (chdir("/") == -1)
		log_warn("Cannot change to /: %s", strerror(errno));
	terminal = isatty(STDIN_FILENO) &&
	    tcgetsid(STDIN_FILENO) == getsid(0);
}

static void
open_loop(void)
{
	struct event_config *config = event_config_new();

	/* Not the environment's to tune: it is the container's. */
	event_config_set_flag(config, EVENT_BASE_FLAG_IGNORE_ENV |
	    EVENT_BASE_FLAG_NOLOCK | EVENT_BASE_FLAG_NO_CACHE_TIME);
	base = event_base_new_with_config(config);
	event_config_free(config);
	if (base == NULL || event_base_priority_init(base, PRIORITIES) == -1) {
		log_warn("Cannot make an event loop: %s", strerror(errno));
		_exit(INIT_EXIT_BROKEN);
	}
}

static void
adoption_check_cb(int fd, short what, void *argument)
{
	(void)fd;
	(void)what;
	(void)argument;
	/* What has not been read yet may be the very ends that are missed. */
	if (signal_is_pending())
		timer_arm(&adoption_check, now_ms() + ADOPTION_CHECK_MS);
	else
		reap_check_adopted();
}

int
main(int argc, char **argv, char **envp)
{
	bool resumed;

	/* No core with the container's secrets in it. */
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	set_descriptors();
	files_open();
	environment_take(envp);
	options_parse(argc, argv);
	resumed = table_open();
	options_read_environment(!resumed);
	if (!resumed && getppid() != 1 && !options.skip_services)
		other_check();
	open_loop();
	signal_open();
	if (!resumed && options.twice)
		log_info("my_init is its own main command (ENTRYPOINT and "
		    "CMD?); taken as given once");
	if (!resumed && getppid() != 1)
		log_info("my_init is PID %d, not PID 1: at the end it stops "
		    "its own descendants only", (int)getppid());

	gatekeeper_open(resumed);
	boot_resume();
	script_resume();
	command_resume();
	key_resume();
	services_resume();
	if (resumed) {
		evtimer_assign(&adoption_check, base, adoption_check_cb, NULL);
		timer_arm(&adoption_check, now_ms() + ADOPTION_CHECK_MS);
	}
	signal_resume();
	if (table->header.phase <= PHASE_RUNNING)
		boot_step();
	else
		shutdown_step();
	event_base_dispatch(base);
	log_warn("The event loop has ended: %s", strerror(errno));
	_exit(INIT_EXIT_BROKEN);
}
