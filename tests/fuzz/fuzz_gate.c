/*
 * What the supervisor does with the structs of a gate that has been taken over.
 *
 * The input is any number of requests, each behind a byte: bits 0 to 3 are the
 * phase, 4 lets the timer fire before, 5 and 6 are how a signal goes, 7 is whether
 * a service depends on itself.
 */
#include <errno.h>
#include <stdarg.h>
#include <string.h>

#include "supervisor.h"
#include "tests/fuzz/fuzz.h"

#define RECORD	(1 + sizeof(struct gate_request))
#define TIMER	0x10
#define SIGNAL_RESULT(control) ((control) >> 5 & 3)
#define STUCK	0x80
#define RELOAD_SIGNAL	12

struct options options;
struct state_table *table;
struct event_base *base;

/* One of each kind. */
#define TEN		"0123456789"
static const char *const names[] = {
	"a", "removed", "web server", "\xff\x1b[2J", "web/log",
	(TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN "012"),
};
#define SERVICES	(sizeof(names) / sizeof(names[0]))
#define REMOVED		1
static struct service services[SERVICES];

/* What has been done since the last request came. */
static struct {
	unsigned	wanted, restarted, signalled, scanned, keys, shutdowns;
	unsigned	depended;
	unsigned	armed;
	struct service	*service;
	enum service_want want;
	int		number;
	int32_t		timeout_ms;
} seen;
static const struct gate_request *asked;
static struct event *armed;	/* the timer, if it is to fire */
static int64_t clock_ms;
static uint8_t control;

/* --- in place of the supervisor ------------------------------------------- */

int64_t
now_ms(void)
{
	return clock_ms;
}

void
timer_arm(struct event *event, int64_t deadline_ms)
{
	expect(event_initialized(event));
	expect(deadline_ms > clock_ms);
	armed = event;
	seen.armed++;
}

static void __attribute__((format(printf, 1, 0)))
say(const char *format, va_list arguments)
{
	char line[4096];
	int length = vsnprintf(line, sizeof(line), format, arguments);

	expect(length > 0 && length < (int)sizeof(line));
	check_text(line, (size_t)length);
}

void
log_info(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	say(format, arguments);
	va_end(arguments);
}

void
log_warn(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	say(format, arguments);
	va_end(arguments);
}

struct service *
service_at(unsigned i)
{
	expect(i < SERVICES);
	return &services[i];
}

struct state_slot *
service_slot(const struct service *service)
{
	expect(service >= services && service < services + SERVICES);
	return &table->slots[service - services];
}

struct service *
index_find(const char *name)
{
	unsigned i;

	expect(name[0] != '\0' && strlen(name) <= STATE_NAME_MAX);
	for (i = 0; i < SERVICES; i++)
		if (strcmp(names[i], name) == 0)
			return &services[i];
	return NULL;
}

static void
check_service(struct service *service)
{
	expect(service != &services[REMOVED]);
	expect(strcmp(service_slot(service)->name, asked->name) == 0);
	seen.service = service;
}

void
service_want(struct service *service, enum service_want want, bool removed)
{
	check_service(service);
	expect(want >= WANT_DOWN && want < SERVICE_WANTS && !removed);
	/* Nothing is started any more when services are stopped. */
	expect(want == WANT_DOWN || table->header.phase < PHASE_STOP_SERVICES);
	seen.want = want;
	seen.wanted++;
}

/* With all that depends on it; at the end of the container, there is an order. */
void
order_stop(struct service *service)
{
	check_service(service);
	expect(asked->type == GATE_STOP && asked->number == 0);
	expect(table->header.phase <= PHASE_RUNNING);
	seen.want = WANT_DOWN;
	seen.wanted++;
}

void
order_release(struct service *service)
{
	check_service(service);
	expect(asked->type == GATE_STOP && asked->number == 1);
}

bool
logger_is_one(const struct service *service)
{
	return strchr(service_slot(service)->name, '/') != NULL;
}

void
service_restart(struct service *service)
{
	check_service(service);
	expect(table->header.phase < PHASE_STOP_SERVICES);
	seen.restarted++;
}

int
service_signal(struct service *service, int signo)
{
	static const int results[] = { 0, ESRCH, EPERM, EINVAL };

	check_service(service);
	expect(signo >= 1 && signo <= 64);
	seen.number = signo;
	seen.signalled++;
	return results[SIGNAL_RESULT(control)];
}

const struct settings *
setting_of(const struct service *service)
{
	static const struct settings settings = { .reload_signal = RELOAD_SIGNAL };

	expect(strcmp(service_slot(service)->name, asked->name) == 0);
	return &settings;
}

struct scan_result
scan_services(void)
{
	expect(table->header.phase == PHASE_RUNNING);
	seen.scanned++;
	return (struct scan_result){ 3, 2 };
}

/* No name that is not known already is in the directory. */
struct service *
scan_early(const char *name)
{
	uint32_t phase = table->header.phase;

	expect(phase == PHASE_SCRIPTS || phase == PHASE_RC_LOCAL);
	expect(strcmp(name, asked->name) == 0);
	return NULL;
}

void
depend_start(struct service *service)
{
	check_service(service);
	expect(table->header.phase < PHASE_STOP_SERVICES);
	seen.depended++;
}

bool
depend_is_stuck(const struct service *service)
{
	expect(service == seen.service);
	return control & STUCK;
}

enum gate_answer
key_run(int32_t *error)
{
	*error = 0;
	seen.keys++;
	return GATE_ACCEPTED;
}

bool
shutdown_starts_none(void)
{
	return table->header.phase == PHASE_STOP_SCRIPT ||
	    table->header.phase >= PHASE_STOP_SERVICES;
}

/* Written down for the next supervisor; it begins when the client has its answer. */
void
shutdown_promise(int code, int32_t grace_ms)
{
	expect(asked->type == GATE_SHUTDOWN && code == asked->number &&
	    grace_ms == asked->timeout_ms);
	expect(table->header.phase <= PHASE_RUNNING);
}

void
shutdown_ask(int code, int32_t grace_ms)
{
	expect(code >= -1 && code <= 255);
	expect(grace_ms >= -1);
	seen.number = code;
	seen.timeout_ms = grace_ms;
	seen.shutdowns++;
}

/* --- what is to be true --------------------------------------------------- */

static unsigned
deeds(void)
{
	return seen.wanted + seen.restarted + seen.signalled + seen.scanned +
	    seen.keys + seen.shutdowns;
}

/* A shutdown that was asked for and has not been begun. */
static struct gate_request due;

static void
check_shutdown(void)
{
	expect(due.type == GATE_SHUTDOWN ? seen.shutdowns == 1 :
	    seen.shutdowns == 0);
	if (due.type == GATE_SHUTDOWN)
		expect(seen.number == due.number &&
		    seen.timeout_ms == due.timeout_ms);
	due.type = 0;
}

static void
fire(void)
{
	struct event *event = armed;

	memset(&seen, 0, sizeof(seen));
	armed = NULL;
	clock_ms += 20000;	/* more than any pause between messages */
	if (event == NULL)
		return;
	event_get_callback(event)(-1, EV_TIMEOUT,
	    event_get_callback_arg(event));
	check_shutdown();
}

static bool
is_named(uint32_t type)
{
	return (type >= GATE_START && type <= GATE_SIGNAL) ||
	    type == GATE_RELOAD;
}

static bool
is_signal(uint32_t type)
{
	return type == GATE_SIGNAL || type == GATE_RELOAD;
}

/* PROTOCOL.md and gate.h, once more. */
static bool
is_honest(const struct gate_request *request)
{
	size_t length = strnlen(request->name, sizeof(request->name));

	if (length == sizeof(request->name) || request->type < GATE_START ||
	    request->type > GATE_RELOAD ||
	    is_named(request->type) != (length > 0))
		return false;
	if (request->type == GATE_SIGNAL)
		return request->number >= 1 && request->number <= 64;
	if (request->type == GATE_STOP)
		return request->number == 0 || request->number == 1;
	if (request->type == GATE_SHUTDOWN)
		return request->number >= -1 && request->number <= 255 &&
		    request->timeout_ms >= -1;
	return true;
}

static enum gate_answer
answer_expected(const struct gate_request *request)
{
	static const enum gate_answer of_signal[] = {
		GATE_ACCEPTED, GATE_NOT_UP, GATE_NOT_PERMITTED, GATE_FAILED,
	};
	const struct service *service;
	uint32_t phase = table->header.phase;

	if (request->type == GATE_RESCAN && phase != PHASE_RUNNING)
		return phase < PHASE_RUNNING ? GATE_BOOTING : GATE_STOPPING;
	if (!is_named(request->type))
		return GATE_ACCEPTED;
	service = index_find(request->name);
	if (service == NULL && phase < PHASE_RUNNING && !((phase ==
	    PHASE_SCRIPTS || phase == PHASE_RC_LOCAL) &&
	    (request->type == GATE_START || request->type == GATE_ONCE)))
		return GATE_BOOTING;
	if (service == NULL || service == &services[REMOVED])
		return GATE_UNKNOWN;
	if (is_signal(request->type))
		return of_signal[SIGNAL_RESULT(control)];
	if (request->type != GATE_STOP && (phase == PHASE_STOP_SCRIPT ||
	    phase >= PHASE_STOP_SERVICES))
		return GATE_STOPPING;
	return request->type != GATE_STOP && control & STUCK ? GATE_FAILED :
	    GATE_ACCEPTED;
}

static void
check_named(const struct gate_request *request, const struct gate_reply *reply)
{
	bool starts = !is_signal(request->type) && request->type != GATE_STOP;
	bool done = reply->answer == GATE_ACCEPTED ||
	    is_signal(request->type) ||
	    (starts && reply->answer == GATE_FAILED);

	if (reply->answer == GATE_BOOTING || reply->answer == GATE_UNKNOWN)
		done = false;
	else
		expect(reply->slot < SERVICES &&
		    strcmp(names[reply->slot], request->name) == 0);
	expect(deeds() == done);
	expect(seen.depended == (done && starts));
	if (!done)
		return;
	expect(seen.service == &services[reply->slot]);
	if (reply->answer == GATE_ACCEPTED)
		expect(reply->first ==
		    (int32_t)table->slots[reply->slot].ends);
	switch (request->type) {
	case GATE_START:
		expect(seen.wanted == 1 && seen.want == WANT_UP);
		break;
	case GATE_STOP:
		expect(seen.wanted == 1 && seen.want == WANT_DOWN);
		break;
	case GATE_ONCE:
		expect(seen.wanted == 1 && seen.want == WANT_ONCE);
		break;
	case GATE_RESTART:
		expect(seen.restarted == 1);
		break;
	case GATE_SIGNAL:
		expect(seen.signalled == 1 && seen.number == request->number);
		break;
	case GATE_RELOAD:
		expect(seen.signalled == 1 && seen.number == RELOAD_SIGNAL);
		break;
	}
}

static void
check_unnamed(const struct gate_request *request,
    const struct gate_reply *reply)
{
	switch (request->type) {
	case GATE_RESCAN:
		expect(seen.scanned == (reply->answer == GATE_ACCEPTED) &&
		    deeds() == seen.scanned);
		expect(reply->answer != GATE_ACCEPTED ||
		    (reply->first == 3 && reply->second == 2));
		break;
	case GATE_KEY:
		expect(deeds() == 1 && seen.keys == 1);
		break;
	case GATE_SHUTDOWN:
		expect(deeds() == 0 && seen.armed == 1);
		due = *request;
		break;
	case GATE_DELIVERED:
		expect(deeds() == seen.shutdowns);
		check_shutdown();
		armed = NULL;
		break;
	default:
		expect(deeds() == 0);
	}
}

static void
ask(const struct gate_request *request)
{
	struct gate_request before = *request;
	struct gate_reply reply;

	memset(&seen, 0, sizeof(seen));
	memset(&reply, 0x55, sizeof(reply));
	asked = request;
	if (!control_answer(request, &reply)) {
		expect(!is_honest(request));
		expect(deeds() == 0 && seen.armed == 0);
		return;
	}
	expect(is_honest(request));
	expect(memcmp(&before, request, sizeof(before)) == 0);
	expect(reply.type == request->type);
	expect(reply.answer == answer_expected(request));
	if (is_named(request->type))
		check_named(request, &reply);
	else
		check_unnamed(request, &reply);
}

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	unsigned i;

	(void)argc;
	(void)argv;
	table = calloc(1, sizeof(*table));
	base = event_base_new();
	for (i = 0; i < SERVICES; i++) {
		strcpy(table->slots[i].name, names[i]);
		table->slots[i].ends = UINT32_MAX - i;
	}
	table->slots[REMOVED].flags = SLOT_REMOVED;
	return 0;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t length)
{
	struct gate_request *request;

	for (; length >= RECORD; data += RECORD, length -= RECORD) {
		control = *data;
		table->header.phase = 1 + (control & 0xf) % (PHASES - 1);
		if (control & TIMER)
			fire();
		request = copy_of(data + 1, sizeof(*request));
		ask(request);
		free(request);
	}
	/* The next input starts with nothing under way. */
	control_delivered();
	armed = NULL;
	due.type = 0;
	return 0;
}
