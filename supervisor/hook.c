/*
 * control/X of a service's directory: what is done in place of a signal, before a
 * start, or beside a stop (runsv(8)).
 *
 * A hook mostly is there to ask us for something, so nothing waits for it but what
 * its own service is to do next.  For each character one runs at a time: who asks
 * for the same meanwhile, as a hook may itself, gets the signal.
 *
 * None of this is in the state table.  A supervisor that finds a service it was to
 * stop, and no word of that having been done (SLOT_TOLD), does it again; so it does
 * with a start.
 */
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "supervisor.h"

#define CHARACTER	8	/* its place in a name */
#define NOBODY		-1	/* no run has this pid */

struct hook {
	struct process	process;
	struct event	timer;
	struct service	*service;	/* NULL: it is no more */
	struct hook	*next;		/* of the same service */
	_Atomic int32_t	pid;
	int		status;
	pid_t		target;		/* run, when this began */
	int		signo;
	bool		killed;
	char		name[sizeof("control/X")];
};

static void	told(struct service *, bool control);

static struct hook *
find(const struct service *service, char character)
{
	struct hook *hook = service->hooks;

	while (hook != NULL && hook->name[CHARACTER] != character)
		hook = hook->next;
	return hook;
}

/* To all of its process group; a pid of 0 would be ours (kill(2)). */
static void
signal_one(const struct hook *hook, int signo)
{
	pid_t pid = atomic_load(&hook->pid);

	if (pid > 0)
		kill(-pid, signo);
}

static void
kill_one(struct hook *hook)
{
	if (!hook->killed && hook->service != NULL)
		log_warn("%s/%s (PID %d) did not end in time. Forcing it to "
		    "exit.", escape(service_slot(hook->service)->name),
		    hook->name, (int)atomic_load(&hook->pid));
	hook->killed = true;
	signal_one(hook, SIGKILL);
}

static void
timer_cb(int fd, short what, void *argument)
{
	(void)fd;
	(void)what;
	kill_one(argument);
}

static void
record_cb(struct process *process, pid_t pid, int status)
{
	struct hook *hook = (struct hook *)process;

	(void)pid;
	hook->status = status;
	atomic_store(&hook->pid, 0);
}

/* What follows the end of a hook.  That it has failed means: send the signal. */
static void
follow(struct service *service, const struct hook *hook)
{
	struct state_slot *slot = service_slot(service);
	bool is_same = hook->target == atomic_load(&slot->pid) &&
	    slot->state != SERVICE_FINISHING;
	bool stops = slot->state == SERVICE_STOPPING;

	switch (hook->name[CHARACTER]) {
	case 'u':
		service_event(service, EVENT_PREPARED);
		return;
	case 'd':
		slot->flags |= SLOT_TOLD;
		break;
	case 't':
		if (stops) {
			if (is_same && hook->status != 0)
				run_signal(service,
				    setting_of(service)->down_signal);
			told(service, true);
			break;
		}
		/* FALLTHROUGH */
	default:
		if (is_same && hook->status != 0)
			service_deliver(service, hook->signo);
		else if (is_same && (hook->signo == SIGSTOP ||
		    hook->signo == SIGCONT))
			service_signalled(service, hook->signo);
	}
	/* It has waited for its hooks alone. */
	if (stops && slot->flags & SLOT_ENDED && service->group == NULL)
		service_event(service, EVENT_GROUP_GONE);
}

static void
ended_cb(struct process *process)
{
	struct hook *hook = (struct hook *)process, **link;

	event_del(&hook->timer);
	if (hook->service != NULL) {
		for (link = &hook->service->hooks; *link != hook;
		    link = &(*link)->next)
			continue;
		*link = hook->next;
		follow(hook->service, hook);
	}
	free(hook);
}

/*
 * Starts control/X, if there is one and it does not run already.  In a stop it has
 * the time that the stop has, otherwise as much of its own.
 */
static bool
begin(struct service *service, char character, int signo)
{
	struct state_slot *slot = service_slot(service);
	char name[] = "control/X", *argv[] = { name, NULL };
	struct hook *hook;
	int error;

	name[CHARACTER] = character;
	if (find(service, character) != NULL || !run_has(service, name) ||
	    (hook = calloc(1, sizeof(*hook))) == NULL)
		return false;
	if ((error = run_spawn(service, PROGRAM_OTHER, argv, &hook->pid)) != 0) {
		log_warn("%s: %s", escape(slot->name),
		    run_explain(service, name, error));
		free(hook);
		return false;
	}
	hook->process.record = record_cb;
	hook->process.ended = ended_cb;
	hook->service = service;
	hook->target = atomic_load(&slot->pid);
	hook->signo = signo;
	strcpy(hook->name, name);
	hook->next = service->hooks;
	service->hooks = hook;
	evtimer_assign(&hook->timer, base, timer_cb, hook);
	if (slot->state != SERVICE_STOPPING)
		timer_arm(&hook->timer, now_ms() +
		    (options.stop_grace_ms > 0 ? options.stop_grace_ms :
		    FINISH_GRACE_MS));
	process_watch(&hook->process, atomic_load(&hook->pid), now_ms(), false);
	return true;
}

/* Is there a control/u, so that run has to wait for it?  Its exit code is nobody's. */
bool
hook_start(struct service *service)
{
	return service->entries & ENTRY(CONTROL) && begin(service, 'u', 0);
}

/*
 * The signal has been sent, or there was no need to.  CONT, for it to be heard; a STOP
 * that was asked for before, and that control/p has yet to decide about, is not sent.
 */
static void
told(struct service *service, bool control)
{
	struct state_slot *slot = service_slot(service);
	pid_t pid = atomic_load(&slot->pid);
	struct hook *pause = find(service, 'p');

	if (pause != NULL)
		pause->target = NOBODY;
	if (pid > 0)
		kill(pid, SIGCONT);
	if (slot->want != WANT_DOWN || !control || !begin(service, 'd', 0))
		slot->flags |= SLOT_TOLD;
}

/*
 * Asks a service to end: by control/t or, unless this exits with 0, by its signal;
 * by control/d as well if it is to stay down.
 */
void
hook_stop(struct service *service)
{
	struct state_slot *slot = service_slot(service);
	struct hook *start = find(service, 'u');
	bool control;

	if (start != NULL) {
		signal_one(start, SIGTERM);
		signal_one(start, SIGCONT);
		return;
	}
	control = service->entries & ENTRY(CONTROL);
	if (slot->sent == 0 && atomic_load(&slot->pid) > 0) {
		if (control && (find(service, 't') != NULL ||
		    begin(service, 't', SIGTERM)))
			return;
		run_signal(service, setting_of(service)->down_signal);
	}
	told(service, control);
}

/* runit's characters for signals (runsv(8)). */
static const char characters[] = {
	[SIGHUP] = 'h', [SIGINT] = 'i', [SIGQUIT] = 'q', [SIGKILL] = 'k',
	[SIGUSR1] = '1', [SIGUSR2] = '2', [SIGALRM] = 'a', [SIGTERM] = 't',
	[SIGCONT] = 'c', [SIGSTOP] = 'p',
};

/* Is there a control/X, that decides whether the signal is sent? */
bool
hook_signal(struct service *service, int signo)
{
	return signo < (int)sizeof(characters) && characters[signo] != '\0' &&
	    begin(service, characters[signo], signo);
}

/* The signal that a character stands for, or 0. */
int
hook_signo(char character)
{
	int signo = character == '\0' ? 0 : (int)sizeof(characters) - 1;

	while (signo > 0 && characters[signo] != character)
		signo--;
	return signo;
}

/* Is there one that has to end before the service has stopped? */
bool
hook_stops(const struct service *service)
{
	return find(service, 't') != NULL || find(service, 'd') != NULL;
}

/* Time is up. */
void
hook_kill(struct service *service)
{
	struct hook *hook;

	for (hook = service->hooks; hook != NULL; hook = hook->next)
		kill_one(hook);
}

/* Its slot is given to another; what still runs has nothing to say any more. */
void
hook_forget(struct service *service)
{
	struct hook *hook;

	for (hook = service->hooks; hook != NULL; hook = hook->next)
		hook->service = NULL;
	service->hooks = NULL;
}
