/* What the gate may not do once it is locked in: each in a process of its own. */
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <unistd.h>

#include <cmocka.h>

#include "supervisor/gate/gate.h"

#define LIVED	7	/* it was allowed: what it returned does not matter */

static long
try(long number, long a, long b, long c, long d)
{
	struct rlimit none = { 0, 0 };
	int status;
	pid_t pid;

	if ((pid = fork()) == 0) {
		setrlimit(RLIMIT_CORE, &none);
		sandbox_enter();
		syscall(number, a, b, c, d, -1L, 0L);
		syscall(SYS_exit_group, LIVED);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

static void
what_the_gate_needs_is_allowed(void **state)
{
	static const long allowed[] = {
		SYS_ppoll, SYS_accept4, SYS_read, SYS_recvfrom, SYS_write,
		SYS_sendto, SYS_close, SYS_getsockopt, SYS_fstat, SYS_munmap,
		SYS_sched_yield, SYS_brk, SYS_clock_gettime,
	};
	size_t i;

	(void)state;
	/* A time at an address that is none: not to be waited for. */
	for (i = 0; i < sizeof(allowed) / sizeof(allowed[0]); i++)
		if (try(allowed[i], -1, 0, -1, 0) != LIVED)
			fail_msg("call %ld is not allowed", allowed[i]);
}

static void
anything_else_ends_the_process(void **state)
{
	static const long forbidden[] = {
		SYS_openat, SYS_execve, SYS_execveat, SYS_clone, SYS_kill,
		SYS_tkill, SYS_tgkill, SYS_ptrace, SYS_socket, SYS_connect,
		SYS_bind, SYS_listen, SYS_sendmsg, SYS_recvmsg, SYS_ioctl,
		SYS_fcntl, SYS_dup, SYS_dup3, SYS_pipe2, SYS_memfd_create,
		SYS_unlinkat, SYS_mkdirat, SYS_fchmodat, SYS_chroot,
		SYS_setresuid, SYS_prctl, SYS_seccomp, SYS_setrlimit,
		SYS_prlimit64, SYS_mount, SYS_unshare, SYS_setns, SYS_bpf,
		SYS_process_vm_writev, SYS_pidfd_open, SYS_pidfd_getfd,
		SYS_io_uring_setup, SYS_getpid, SYS_rt_sigaction,
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(forbidden) / sizeof(forbidden[0]); i++)
		if (try(forbidden[i], -1, 0, 0, 0) != -SIGSYS)
			fail_msg("call %ld is allowed", forbidden[i]);
}

#ifdef __x86_64__
/* The numbers of x32 have this bit, and mean the same calls. */
static void
another_abi_is_no_way_round(void **state)
{
	(void)state;
	assert_int_equal(try(SYS_read | 0x40000000, -1, 0, 0, 0), -SIGSYS);
}
#endif

static void
memory_is_never_a_program_or_a_file(void **state)
{
	const long own = MAP_PRIVATE | MAP_ANONYMOUS;

	(void)state;
	assert_int_equal(try(SYS_mmap, 0, 4096, PROT_READ | PROT_WRITE, own),
	    LIVED);
	assert_int_equal(try(SYS_mmap, 0, 4096, PROT_READ | PROT_EXEC, own),
	    -SIGSYS);
	assert_int_equal(try(SYS_mmap, 0, 4096, PROT_READ, MAP_PRIVATE),
	    -SIGSYS);
	assert_int_equal(try(SYS_mprotect, 0, 0, PROT_READ | PROT_WRITE, 0),
	    LIVED);
	assert_int_equal(try(SYS_mprotect, 0, 0, PROT_EXEC, 0), -SIGSYS);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_the_gate_needs_is_allowed),
		cmocka_unit_test(anything_else_ends_the_process),
#ifdef __x86_64__
		cmocka_unit_test(another_abi_is_no_way_round),
#endif
		cmocka_unit_test(memory_is_never_a_program_or_a_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
