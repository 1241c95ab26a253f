/*
 * What runit's programs and their users know of a service, in their words: the files
 * that runsv(8) writes, and the characters that it reads.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "supervisor.h"
#include "supervise.h"

#define TAI_EPOCH	UINT64_C(4611686018427387914)	/* TAI64 of 1970 */

enum runit_state {
	RUNIT_DOWN = 0,
	RUNIT_RUN = 1,
	RUNIT_FINISH = 2,
};

static enum runit_state
state_of(const struct state_slot *slot, pid_t pid)
{
	switch ((enum service_state)slot->state) {
	case SERVICE_FINISHING:
		return RUNIT_FINISH;
	case SERVICE_UP:
		return RUNIT_RUN;
	case SERVICE_STARTING:
		return pid != 0 ? RUNIT_RUN : RUNIT_DOWN;
	case SERVICE_STOPPING:
		/* What is still to come is not over to sv(8), either. */
		return pid != 0 ? RUNIT_RUN : RUNIT_FINISH;
	case SERVICE_DOWN:
	case SERVICE_BACKOFF:
	case SERVICE_FAILED:
		break;
	}
	return RUNIT_DOWN;
}

/* Need it not be told to come up?  Then sv(8) does not tell it. */
static bool
comes_up(const struct state_slot *slot)
{
	return slot->state != SERVICE_DOWN && slot->state != SERVICE_FAILED &&
	    slot->state != SERVICE_BACKOFF;
}

/* The time that was so long ago, as TAI64N: 12 bytes. */
static void
pack_time(unsigned char *label, int64_t ago_ms)
{
	struct timespec now;
	uint64_t seconds;
	int64_t ns;
	int i;

	clock_gettime(CLOCK_REALTIME, &now);
	ns = now.tv_nsec - ago_ms % 1000 * 1000000;
	seconds = TAI_EPOCH + (uint64_t)(now.tv_sec - ago_ms / 1000);
	if (ns < 0) {
		ns += 1000000000;
		seconds--;
	}
	for (i = 7; i >= 0; i--, seconds >>= 8)
		label[i] = (unsigned char)seconds;
	for (i = 11; i >= 8; i--, ns >>= 8)
		label[i] = (unsigned char)ns;
}

/*
 * Replaces a file by another of those bytes.  If that cannot be, there is none: it is
 * better not to know a pid than to know that of a stranger.
 */
static void
put(int directory, const char *name, const void *bytes, size_t length)
{
	const int flags = O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC;
	char new[sizeof("status.new")];
	bool done = false;
	int fd;

	snprintf(new, sizeof(new), "%s.new", name);
	fd = openat(directory, new, flags, 0644);
	/* Left by a kill in between; or by somebody else, then it is not to be written. */
	if (fd == -1 && errno == EEXIST && unlinkat(directory, new, 0) == 0)
		fd = openat(directory, new, flags, 0644);
	if (fd != -1) {
		done = length == 0 ||
		    write(fd, bytes, length) == (ssize_t)length;
		close(fd);
	}
	if (!done || renameat(directory, new, directory, name) == -1)
		unlinkat(directory, name, 0);
}

/* Removes them: nothing is known, not even that it is down. */
void
runit_remove(int directory)
{
	unlinkat(directory, "pid", 0);
	unlinkat(directory, "stat", 0);
	unlinkat(directory, "status", 0);
}

/* Replaces pid, stat and status there, each at once, by what is so of a service now. */
void
runit_write(int directory, const struct state_slot *slot)
{
	static const char *const states[] = {
		[RUNIT_DOWN] = "down", [RUNIT_RUN] = "run",
		[RUNIT_FINISH] = "finish",
	};
	pid_t pid = atomic_load(&slot->pid) > 0 ? atomic_load(&slot->pid) : 0;
	enum runit_state state = state_of(slot, pid);
	bool paused = slot->flags & SLOT_PAUSED;
	bool up = slot->want == WANT_UP && comes_up(slot);
	bool terminated = slot->sent == SIGTERM && state == RUNIT_RUN;
	unsigned char status[20];
	char text[64] = "";
	int length, i;

	length = pid == 0 ? 0 : snprintf(text, sizeof(text), "%d\n", (int)pid);
	put(directory, "pid", text, (size_t)length);
	length = snprintf(text, sizeof(text), "%s%s%s%s\n", states[state],
	    paused ? ", paused" : "", terminated ? ", got TERM" : "",
	    state != RUNIT_DOWN && !up ? ", want down" : "");
	put(directory, "stat", text, (size_t)length);
	pack_time(status, now_ms() - (state == RUNIT_RUN && pid != 0 ?
	    slot->started_ms : slot->since_ms));
	for (i = 0; i < 4; i++)
		status[12 + i] = (unsigned char)(pid >> 8 * i);
	status[16] = paused;
	status[17] = up ? 'u' : 'd';
	status[18] = terminated;
	status[19] = (unsigned char)state;
	put(directory, "status", status, sizeof(status));
}

/*
 * Does what sv(8) would ask for by that character.  It is a request as from the gate, and
 * what that may not ask for is not done here, either.
 */
void
runit_obey(const struct service *service, char command)
{
	struct gate_request request = { .type = GATE_SIGNAL };
	struct gate_reply reply;

	switch (command) {
	case 'u':
		request.type = GATE_START;
		break;
	case 'o':
		request.type = GATE_ONCE;
		break;
	case 'd':
	case 'x':
		request.type = GATE_STOP;
		request.number = 1;
		break;
	default:
		if ((request.number = hook_signo(command)) == 0)
			return;
	}
	strcpy(request.name, service_slot(service)->name);
	control_answer(&request, &reply);
}
