/*
 * What the gate asks for on behalf of clients: request in, reply out, at once.
 * Nothing here waits, and nothing that arrives here is believed.
 */
#include <sys/types.h>

#include <errno.h>
#include <string.h>

#include "supervisor.h"

#define DELIVERY_MS	1000	/* for a client to end before all does */
#define REFUSED_PAUSE_MS 10000	/* between messages about refused clients */

static struct event delivery;
static struct gate_request shutdown_request;

/* Is it a request that an honest gate could have sent? */
static bool
is_sound(const struct gate_request *request)
{
	bool named = request->name[0] != '\0';

	if (memchr(request->name, '\0', sizeof(request->name)) == NULL)
		return false;
	switch (request->type) {
	case GATE_STOP:
		return named && (request->number == 0 || request->number == 1);
	case GATE_START:
	case GATE_RESTART:
	case GATE_ONCE:
	case GATE_RELOAD:
		return named;
	case GATE_SIGNAL:
		return named && request->number >= 1 && request->number <= 64;
	case GATE_SHUTDOWN:
		return !named && request->number >= -1 &&
		    request->number <= 255 && request->timeout_ms >= -1;
	case GATE_RESCAN:
	case GATE_KEY:
	case GATE_REFUSED:
	case GATE_SANDBOX:
	case GATE_DELIVERED:
		return !named;
	}
	return false;
}

static enum gate_answer
signal_service(struct service *service, int signo, struct gate_reply *reply)
{
	int error = service_signal(service, signo);

	switch (error) {
	case 0:
		return GATE_ACCEPTED;
	case ESRCH:
		return GATE_NOT_UP;
	case EPERM:
		return GATE_NOT_PERMITTED;
	}
	reply->first = error;
	return GATE_FAILED;
}

/* What is started while startup scripts run, by its name, is a service from then on. */
static bool
may_be_early(const struct gate_request *request)
{
	enum phase phase = table->header.phase;

	return (phase == PHASE_SCRIPTS || phase == PHASE_RC_LOCAL) &&
	    !options.skip_services &&
	    (request->type == GATE_START || request->type == GATE_ONCE);
}

/* At the container's end there is an order already, and only forces it. */
static void
stop_service(struct service *service, bool only)
{
	if (!only && !logger_is_one(service) &&
	    table->header.phase <= PHASE_RUNNING) {
		order_stop(service);
		return;
	}
	if (only)
		order_release(service);
	service_want(service, WANT_DOWN, false);
}

/* Services come with the end of the boot; late in a shutdown none is started. */
static enum gate_answer
answer_named(const struct gate_request *request, struct gate_reply *reply)
{
	enum phase phase = table->header.phase;
	struct service *service = index_find(request->name);

	if (service == NULL && phase < PHASE_RUNNING) {
		if (!may_be_early(request))
			return GATE_BOOTING;
		service = scan_early(request->name);
	}
	if (service == NULL || service_slot(service)->flags & SLOT_REMOVED)
		return GATE_UNKNOWN;
	reply->slot = (uint32_t)(service - service_at(0));
	reply->first = (int32_t)service_slot(service)->ends;
	if (request->type == GATE_SIGNAL)
		return signal_service(service, request->number, reply);
	if (request->type == GATE_RELOAD)
		return signal_service(service,
		    setting_of(service)->reload_signal, reply);
	if (request->type == GATE_STOP) {
		stop_service(service, request->number == 1);
		return GATE_ACCEPTED;
	}
	if (shutdown_starts_none())
		return GATE_STOPPING;
	depend_start(service);
	if (request->type == GATE_RESTART)
		service_restart(service);
	else
		service_want(service, request->type == GATE_ONCE ? WANT_ONCE :
		    WANT_UP, false);
	if (!depend_is_stuck(service))
		return GATE_ACCEPTED;
	reply->first = EDEADLK;
	return GATE_FAILED;
}

static enum gate_answer
answer_rescan(struct gate_reply *reply)
{
	struct scan_result result;

	if (table->header.phase < PHASE_RUNNING)
		return GATE_BOOTING;
	if (table->header.phase > PHASE_RUNNING)
		return GATE_STOPPING;
	result = scan_services();
	reply->first = (int32_t)result.added;
	reply->second = (int32_t)result.removed;
	return GATE_ACCEPTED;
}

/* Whoever tries to talk to us and may not is worth a line, but not many. */
static void
log_refused(const struct gate_request *request)
{
	static int64_t next_ms;
	int64_t now = now_ms();

	if (now < next_ms)
		return;
	next_ms = now + REFUSED_PAUSE_MS;
	if (request->number == 0)
		log_warn("A control client was refused: it is no process of "
		    "this container");
	else
		log_warn("A control client was refused: PID %d, UID %u (only "
		    "root and the user of my_init may; the socket's group may "
		    "read)", request->number, request->uid);
}

static void
log_sandbox(int without)
{
	static bool said;

	if (without & GATE_WITHOUT_SECCOMP)
		log_warn("The gate runs without its system call filter, which "
		    "the kernel has refused; it serves root alone");
	if (!said && (without & (GATE_WITHOUT_CHROOT | GATE_WITHOUT_UID)))
		log_info("The gate runs%s%s%s: my_init may not change that",
		    without & GATE_WITHOUT_UID ? " as the user of my_init" : "",
		    without == (GATE_WITHOUT_UID | GATE_WITHOUT_CHROOT) ?
		    " and" : "",
		    without & GATE_WITHOUT_CHROOT ? " with all files" : "");
	said = true;
}

static void
delivery_cb(int fd, short what, void *argument)
{
	(void)fd;
	(void)what;
	(void)argument;
	control_delivered();
}

/*
 * A shutdown may be over in a millisecond, and takes everybody's processes with
 * it, the client's, too; so it begins when that has gone, or soon anyway.
 */
static enum gate_answer
answer_shutdown(const struct gate_request *request)
{
	shutdown_request = *request;
	if (table->header.phase <= PHASE_RUNNING)
		shutdown_promise(request->number, request->timeout_ms);
	if (!event_initialized(&delivery))
		evtimer_assign(&delivery, base, delivery_cb, NULL);
	timer_arm(&delivery, now_ms() + DELIVERY_MS);
	return GATE_ACCEPTED;
}

/* The client that asked for a shutdown has its answer, or will never have it. */
void
control_delivered(void)
{
	struct gate_request request = shutdown_request;

	if (request.type != GATE_SHUTDOWN)
		return;
	shutdown_request.type = 0;
	evtimer_del(&delivery);
	shutdown_ask(request.number, request.timeout_ms);
}

/*
 * Does what a request says, and fills in the reply.  False: no honest gate could
 * have sent it, and nothing was done.
 */
bool
control_answer(const struct gate_request *request, struct gate_reply *reply)
{
	if (!is_sound(request))
		return false;
	*reply = (struct gate_reply){
		.type = request->type, .answer = GATE_ACCEPTED,
	};
	switch ((enum gate_request_type)request->type) {
	case GATE_START:
	case GATE_STOP:
	case GATE_RESTART:
	case GATE_ONCE:
	case GATE_SIGNAL:
	case GATE_RELOAD:
		reply->answer = answer_named(request, reply);
		break;
	case GATE_RESCAN:
		reply->answer = answer_rescan(reply);
		break;
	case GATE_KEY:
		reply->answer = key_run(&reply->first);
		break;
	case GATE_SHUTDOWN:
		reply->answer = answer_shutdown(request);
		break;
	case GATE_REFUSED:
		log_refused(request);
		break;
	case GATE_SANDBOX:
		log_sandbox(request->number);
		break;
	case GATE_DELIVERED:
		control_delivered();
		break;
	}
	return true;
}
