/* The words for what proto/state.h numbers, the same everywhere. */
#include <signal.h>
#include <string.h>

#include "proto/state.h"

const char *const service_state_names[SERVICE_STATES] = {
	[SERVICE_DOWN] = "down",
	[SERVICE_STARTING] = "starting",
	[SERVICE_UP] = "up",
	[SERVICE_BACKOFF] = "backoff",
	[SERVICE_STOPPING] = "stopping",
	[SERVICE_FINISHING] = "finishing",
	[SERVICE_FAILED] = "failed",
};
_Static_assert(SERVICE_FAILED + 1 == SERVICE_STATES, "a state has no name");

const char *const service_want_names[SERVICE_WANTS] = {
	[WANT_DOWN] = "down",
	[WANT_UP] = "up",
	[WANT_ONCE] = "once",
};
_Static_assert(WANT_ONCE + 1 == SERVICE_WANTS, "a want has no name");

const char *const phase_names[PHASES] = {
	[PHASE_ENVIRONMENT] = "environment",
	[PHASE_KEY] = "insecure key",
	[PHASE_SCRIPTS] = "startup scripts",
	[PHASE_RC_LOCAL] = "rc.local",
	[PHASE_RUNNING] = "running",
	[PHASE_STOP_SCRIPT] = "stopping the startup script",
	[PHASE_STOP_COMMAND] = "stopping the main command",
	[PHASE_PRE_SHUTDOWN] = "pre-shutdown scripts",
	[PHASE_STOP_SERVICES] = "stopping services",
	[PHASE_POST_SHUTDOWN] = "post-shutdown scripts",
	[PHASE_DONE] = "done",
	[PHASE_STOP_EARLY] = "stopping early services",
};
_Static_assert(PHASE_STOP_EARLY + 1 == PHASES, "a phase has no name");

#define NAME(signal)	[SIG##signal] = #signal
const char *const signal_names[SIGNAL_NAMES] = {
	NAME(HUP), NAME(INT), NAME(QUIT), NAME(ILL), NAME(TRAP), NAME(ABRT),
	NAME(BUS), NAME(FPE), NAME(KILL), NAME(USR1), NAME(SEGV), NAME(USR2),
	NAME(PIPE), NAME(ALRM), NAME(TERM), NAME(STKFLT), NAME(CHLD),
	NAME(CONT), NAME(STOP), NAME(TSTP), NAME(TTIN), NAME(TTOU), NAME(URG),
	NAME(XCPU), NAME(XFSZ), NAME(VTALRM), NAME(PROF), NAME(WINCH),
	NAME(IO), NAME(PWR), NAME(SYS),
};
#undef NAME

/* The number of a signal's name, with or without "SIG" before it; 0: none has it. */
int
signal_number(const char *name, size_t length)
{
	int i;

	if (length > 3 && memcmp(name, "SIG", 3) == 0) {
		name += 3;
		length -= 3;
	}
	for (i = 1; i < SIGNAL_NAMES; i++)
		if (signal_names[i] != NULL &&
		    strlen(signal_names[i]) == length &&
		    memcmp(signal_names[i], name, length) == 0)
			return i;
	return 0;
}
