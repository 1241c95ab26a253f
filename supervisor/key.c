/* enable_insecure_key in a running container; at boot it is a script. */
#include <sys/stat.h>

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

#include "supervisor.h"

#define KEY_LIMIT_MS	60000
#define AUTHORIZED_KEYS	"/root/.ssh/authorized_keys"

static struct task key;
static struct stat before;	/* AUTHORIZED_KEYS; all 0: not there */

static void
look_at_keys(struct stat *st)
{
	*st = (struct stat){ 0 };
	if (stat(AUTHORIZED_KEYS, st) == -1)
		*st = (struct stat){ 0 };
}

/* Whether it has changed something is seen in the file: it succeeds anyway. */
static void
done(void)
{
	uint32_t flags = table->header.flags & ~STATE_KEY_NEW;
	struct stat now;

	look_at_keys(&now);
	if (now.st_size != before.st_size || now.st_ino != before.st_ino ||
	    now.st_mtim.tv_sec != before.st_mtim.tv_sec ||
	    now.st_mtim.tv_nsec != before.st_mtim.tv_nsec)
		flags |= STATE_KEY_NEW;
	table->header.flags = flags | STATE_KEY_DONE;
	gatekeeper_wake();
}

/*
 * Runs enable_insecure_key, or joins those who wait for it already.  The table
 * shows its end, and whether it has changed anything.
 */
enum gate_answer
key_run(int32_t *error)
{
	char path[] = ENABLE_INSECURE_KEY, *argv[] = { path, NULL };
	struct spawn program = {
		.path = path, .argv = argv, .directory_fd = -1, .service = true,
	};

	if (table->header.phase > PHASE_RUNNING)
		return GATE_STOPPING;
	if (task_is_busy(&key))
		return GATE_ACCEPTED;
	table->header.flags &= ~STATE_KEY_DONE;
	look_at_keys(&before);
	log_info("Installing insecure SSH key for user root");
	if ((*error = task_start(&key, &program, KEY_LIMIT_MS)) == 0)
		return GATE_ACCEPTED;
	log_warn("%s", explain_exec(path, *error));
	return GATE_FAILED;
}

/* Called once at start, before the other function here. */
void
key_resume(void)
{
	look_at_keys(&before);
	task_init(&key, &table->header.key);
	key.done = done;
	key.background = true;
	snprintf(key.name, sizeof(key.name), "%s", ENABLE_INSECURE_KEY);
	task_resume(&key);
	if (table->header.key.ended &&
	    !(table->header.flags & STATE_KEY_DONE))
		done();
}
