/*
 * sv: the same questions in runit's words (contract.md, 5.3), for scripts that
 * call it.  Its lines are made from what the supervisor says of a service; what
 * runit reads from the service's directory (down, check) is read there, too.
 */
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ctl/ctl.h"

#define WAIT_S		7	/* SVWAIT */
#define LOOK_FIRST_MS	10	/* between looks at what is waited for, ... */
#define LOOK_LAST_MS	400	/* ... ever longer */

enum { LSB_USAGE = 2, LSB_DOWN = 3, LSB_UNKNOWN = 4, SV_USAGE = 100 };

static bool lsb;
extern char **environ;

/*
 * Runs ./check, if there is one, as runit's sv does.  This is the one thing for
 * which a process is made here.
 */
static bool
passes_check(const struct target *target)
{
	char name[] = "./check", *argv[] = { name, NULL };
	posix_spawn_file_actions_t actions;
	int status = -1;
	pid_t pid;

	/* Then the supervisor knows whether it is ready. */
	if (faccessat(target->directory, "check", F_OK, 0) == -1)
		return !target->starting;
	if (fchdir(target->directory) == -1)
		return false;
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null",
	    O_WRONLY, 0);
	if (posix_spawn(&pid, name, &actions, NULL, argv, environ) == 0)
		while (waitpid(pid, &status, 0) == -1 && errno == EINTR)
			continue;
	posix_spawn_file_actions_destroy(&actions);
	return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/* Has what was asked for come about? */
static bool
has_come_about(const struct target *target, char character)
{
	bool runs = target->pid > 0;

	switch (character) {
	case 'u':
		return target->done ||
		    (runs && target->state == RUN && passes_check(target));
	case 'd':
	case 'x':
		return !runs && !target->done && target->state == DOWN;
	case 'C':
		return !runs || passes_check(target);
	case 't':
	case 'k':
	case 'r':
		if (!runs && !target->want_up)
			return true;
		return target->since_asked && (target->done || (runs &&
		    !target->got_term && passes_check(target)));
	case 'o':
		return !(!runs && !target->since_asked) &&
		    !(runs && target->want_up);
	case 'p':
		return !runs || target->paused;
	case 'c':
		return !runs || !target->paused;
	}
	return true;
}

/* Prints a line for each for which it has come about. */
static void
settle(char character)
{
	struct target *target;
	int i;

	targets_look();
	for (i = 0; i < target_count; i++) {
		target = &targets[i];
		if (target->directory == -1 ||
		    !has_come_about(target, character))
			continue;
		printf("ok: ");
		if (character == 'x')
			printf("%s: runsv not running", escape(target->given));
		else
			target_print(target);
		putchar('\n');
		fflush(stdout);
		target_done(target);
	}
}

/* Waits for all; who is not there in time is said to be so, or killed. */
static void
wait_for(char character, int64_t wait_ms, bool force)
{
	int64_t end_ms = began_ms + wait_ms, left_ms;
	int pause_ms = LOOK_FIRST_MS, i;

	for (settle(character); targets_open() > 0; settle(character)) {
		left_ms = end_ms - now_ms();
		if (left_ms <= 0)
			break;
		poll(NULL, 0, (int)(left_ms < pause_ms ? left_ms : pause_ms));
		if ((pause_ms *= 2) > LOOK_LAST_MS)
			pause_ms = LOOK_LAST_MS;
	}
	for (i = 0; i < target_count; i++)
		if (targets[i].directory != -1) {
			printf(force ? "kill: " : "timeout: ");
			target_print(&targets[i]);
			putchar('\n');
			target_failures++;
		}
	fflush(stdout);
	if (force && targets_open() > 0)
		targets_control('k');
}

static int
exit_code(void)
{
	return target_failures > 99 ? 99 : target_failures;
}

static int
print_all(void)
{
	int i, code = 0;

	for (i = 0; i < target_count; i++)
		target_open_log(&targets[i]);
	targets_look();
	for (i = 0; i < target_count; i++) {
		if (targets[i].directory == -1) {
			if (targets[i].failure != NULL)
				fputs(targets[i].failure, stdout);
			code = LSB_UNKNOWN;
			continue;
		}
		target_print(&targets[i]);
		putchar('\n');
		code = targets[i].pid > 0 || targets[i].done ? 0 : LSB_DOWN;
	}
	return lsb ? code : exit_code();
}

/* --- the command line ------------------------------------------------------------ */

static const char *program = "sv";

static void __attribute__((noreturn))
usage(void)
{
	if (lsb)
		fprintf(stderr, "usage: %s [-w sec] command\n\n", program);
	else
		fprintf(stderr, "usage: %s [-v] [-w sec] command service ..."
		    "\n\n", program);
	exit(lsb ? LSB_USAGE : SV_USAGE);
}

/* What a word means: characters to be sent, and whether to wait for the first. */
static const char *
meaning(const char *word, bool *waits, bool *force)
{
	static const struct {
		const char	*word, *characters;
		bool		force;
	} words[] = {
		{ "start", "u", false }, { "stop", "d", false },
		{ "restart", "r", false }, { "reload", "h", false },
		{ "shutdown", "x", false }, { "check", "C", false },
		{ "try-restart", "tc", false }, { "force-stop", "d", true },
		{ "force-restart", "r", true }, { "force-reload", "tc", true },
		{ "force-shutdown", "x", true },
	};
	static const char *const letters = "udopchaiq12tkx";
	static char one[2];
	size_t i;

	for (i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strcmp(words[i].word, word) == 0) {
			*waits = true;
			*force = words[i].force;
			return words[i].characters;
		}
	/* Of all other words, runit looks at the first letter alone. */
	if (word[0] == 's')
		return "s";
	one[0] = word[0] == 'e' ? 'x' : word[0];
	if (one[0] == '\0' || strchr(letters, one[0]) == NULL)
		usage();
	return one;
}

static int64_t
seconds(const char *text)
{
	char *end;
	long value = strtol(text, &end, 10);

	return end == text || *end != '\0' || value < 0 || value > 1000000 ?
	    -1 : value;
}

/*
 * sv [-v] [-w sec] command service..., or under the name of a service (a link in
 * /etc/init.d) [-w sec] command.  Returns the exit code.
 */
int
sv_main(int argc, char **argv)
{
	const char *wait = getenv("SVWAIT"), *characters, *p;
	int64_t wait_s;
	bool waits = false, force = false;
	int option, i;

	program = strrchr(argv[0], '/') != NULL ? strrchr(argv[0], '/') + 1 :
	    argv[0];
	lsb = strcmp(program, "sv") != 0;
	began_ms = now_ms();
	/* A bad one is the environment's fault, and keeps nobody from asking. */
	if (wait == NULL || (wait_s = seconds(wait)) == -1)
		wait_s = WAIT_S;
	opterr = 0;
	while ((option = getopt(argc, argv, "+vw:V")) != -1)
		switch (option) {
		case 'w':
			if ((wait_s = seconds(optarg)) == -1)
				usage();
			/* FALLTHROUGH */
		case 'v':
			waits = true;
			break;
		case 'V':
			puts("sv of initctl " VERSION);
			return 0;
		default:
			usage();
		}
	if (optind == argc)
		usage();
	characters = meaning(argv[optind++], &waits, &force);
	targets_in_order = characters[0] == 's';
	target_count = lsb ? 1 : argc - optind;
	if (target_count == 0)
		usage();
	if ((targets = calloc((size_t)target_count, sizeof(*targets))) == NULL)
		return 99;
	for (i = 0; i < target_count; i++)
		target_open(&targets[i], lsb ? program : argv[optind + i]);
	if (characters[0] == 's')
		return print_all();
	/* Startup scripts may start what is known to be a service by that alone. */
	if (characters[0] != 'u' && characters[0] != 'o')
		targets_look();
	for (p = characters; *p != '\0' && *p != 'C'; p++)
		targets_control(*p);
	if (characters[0] == 'u' || characters[0] == 'o')
		targets_look();
	if (waits)
		wait_for(characters[0], wait_s * 1000, force);
	fflush(stdout);
	return exit_code();
}
