/*
 * Locks the gate in, before it has seen a byte of a client.
 *
 * What needs privilege (another root directory, another user) is done if my_init
 * has it.  no_new_privs, limits and the seccomp filter need none, and hold for
 * root and for any other user.  A container's engine has a filter of its own;
 * ours is added to it.
 */
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include <grp.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include "supervisor/gate/gate.h"

#define MEMORY_MAX	(64 * 1024 * 1024)
#define DESCRIPTORS_MAX	(RPC_CLIENTS_MAX + 16)

#if defined(__x86_64__)
#define ARCHITECTURE	AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define ARCHITECTURE	AUDIT_ARCH_AARCH64
#else
#error "the gate's seccomp filter knows x86_64 and aarch64"
#endif

/*
 * landlock(7), first version: the headers of older releases do not have it, and
 * what is compiled there may run on a newer kernel.
 */
#define LANDLOCK_CREATE_RULESET	444
#define LANDLOCK_RESTRICT_SELF	446
#define LANDLOCK_ACCESS_ALL	((1 << 13) - 1)

#define LOAD(field) \
	BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define LOAD_LOW(argument) \
	BPF_STMT(BPF_LD | BPF_W | BPF_ABS, \
	    offsetof(struct seccomp_data, args[argument]))
#define RETURN(what)	BPF_STMT(BPF_RET | BPF_K, what)
#define ALLOW(call) \
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_##call, 0, 1), \
	RETURN(SECCOMP_RET_ALLOW)

/*
 * What the gate does from now on: wait, accept, read, write, close, ask who a
 * peer is, tell the time, and get memory that is no program.  Any other call,
 * or one by another architecture's number, ends the process (seccomp(2)).
 */
static struct sock_filter filter[] = {
	LOAD(arch),
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ARCHITECTURE, 1, 0),
	RETURN(SECCOMP_RET_KILL_PROCESS),
	LOAD(nr),
#ifdef SYS_poll
	ALLOW(poll),
#endif
	ALLOW(ppoll),
	ALLOW(accept4),
	ALLOW(read),
	ALLOW(pread64),
	ALLOW(recvfrom),
	ALLOW(write),
	ALLOW(sendto),
	ALLOW(close),
	ALLOW(getsockopt),
	ALLOW(fstat),
#ifdef SYS_newfstatat
	ALLOW(newfstatat),
#endif
	ALLOW(clock_gettime),
	ALLOW(sched_yield),
	ALLOW(brk),
	ALLOW(munmap),
	ALLOW(mremap),
	ALLOW(madvise),
	ALLOW(restart_syscall),
	ALLOW(exit_group),
	ALLOW(exit),
	/* mmap and mprotect: of no file, and never to be executed. */
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_mprotect, 3, 0),
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_mmap, 0, 5),
	LOAD_LOW(3),
	BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, MAP_ANONYMOUS, 0, 3),
	LOAD_LOW(2),
	BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, PROT_EXEC, 1, 0),
	RETURN(SECCOMP_RET_ALLOW),
	RETURN(SECCOMP_RET_KILL_PROCESS),
};

static void
limit(int resource, rlim_t value)
{
	const struct rlimit both = { value, value };

	setrlimit(resource, &both);
}

/* A directory in which there is nothing; the way out of it is closed below. */
static bool
leave_files(void)
{
	return chdir(EMPTY_DIRECTORY) == 0 && chroot(".") == 0;
}

static bool
leave_user(void)
{
	struct __user_cap_header_struct version = {
		.version = _LINUX_CAPABILITY_VERSION_3,
	};
	struct __user_cap_data_struct none[2] = { 0 };
	uid_t real, effective, saved;
	int capability;

	for (capability = 0; capability <= CAP_LAST_CAP; capability++)
		prctl(PR_CAPBSET_DROP, capability, 0, 0, 0);
	if (setgroups(0, NULL) == 0 &&
	    setresgid(GATE_GID, GATE_GID, GATE_GID) == 0)
		(void)!setresuid(GATE_UID, GATE_UID, GATE_UID);
	/* A user that is not root may have been given capabilities, too. */
	syscall(SYS_capset, &version, none);
	return getresuid(&real, &effective, &saved) == 0 &&
	    real == GATE_UID && effective == GATE_UID && saved == GATE_UID &&
	    setresuid(0, 0, 0) == -1;
}

/* No file may be opened, made or changed any more (landlock(7), Linux 5.13). */
static void
forbid_files(void)
{
	const uint64_t handled_access = LANDLOCK_ACCESS_ALL;
	int rules = (int)syscall(LANDLOCK_CREATE_RULESET, &handled_access,
	    sizeof(handled_access), 0);

	if (rules == -1)
		return;
	syscall(LANDLOCK_RESTRICT_SELF, rules, 0);
	close(rules);
}

static bool
forbid_calls(void)
{
	const struct sock_fprog program = {
		sizeof(filter) / sizeof(filter[0]), filter
	};

	return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) == 0;
}

/*
 * Called once, first of all.  Returns what could not be done, as GATE_WITHOUT_
 * bits; without the filter, the caller serves root alone.
 */
int
sandbox_enter(void)
{
	int without = 0;

	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	limit(RLIMIT_CORE, 0);
	limit(RLIMIT_FSIZE, 0);
	limit(RLIMIT_AS, MEMORY_MAX);
	limit(RLIMIT_NOFILE, DESCRIPTORS_MAX);
	if (!leave_files())
		without |= GATE_WITHOUT_CHROOT;
	if (!leave_user())
		without |= GATE_WITHOUT_UID;
	/* Of this user's processes: none that we could add one to. */
	limit(RLIMIT_NPROC, 0);
	/* Forbids setuid programs, and allows the filter without privilege. */
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	forbid_files();
	if (!forbid_calls())
		without |= GATE_WITHOUT_SECCOMP;
	return without;
}
