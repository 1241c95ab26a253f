/*
 * setuser: becomes another user, for good, and executes a command.  It is linked
 * dynamically, because users are wherever nsswitch.conf(5) says.
 */
#include <sys/syscall.h>

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <linux/capability.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "proto/escape.h"

#define NO_ID		UINT32_MAX	/* to the kernel: leave it as it is */
#define NO_ID_TEXT	"4294967295"

enum {
	EXIT_WRONG = 1,		/* usage, or no such user or group */
	EXIT_REFUSED = 111,	/* cannot be looked up, or become */
	EXIT_NOT_EXECUTABLE = 126,
	EXIT_NOT_FOUND = 127,
};

struct identity {
	const char	*name, *home, *shell;
	uint32_t	uid, gid;
	int		group_count;	/* of groups, in order, gid among them */
	gid_t		groups[NGROUPS_MAX + 1];
};

static void __attribute__((noreturn, format(printf, 2, 3)))
die(int code, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vdprintf(STDERR_FILENO, format, arguments);
	va_end(arguments);
	_exit(code);
}

/* --- who that is --------------------------------------------------------------- */

static bool
is_number(const char *text, uint32_t *number)
{
	size_t length = strlen(text);
	unsigned long long value;

	if (length == 0 || length > strlen(NO_ID_TEXT) ||
	    strspn(text, "0123456789") != length ||
	    (text[0] == '0' && length > 1))
		return false;
	value = strtoull(text, NULL, 10);
	*number = (uint32_t)value;
	return value < NO_ID;
}

/*
 * Returns if somebody who was not found (errno) is not there.  That is believed
 * only if the file can be read: glibc forgets what has failed when it has another
 * library to ask.
 */
static void
check_lookup(const char *what, const char *name, const char *file)
{
	int fd = -1, error = errno;
	char byte;

	if (error == 0 && ((fd = open(file, O_RDONLY | O_CLOEXEC)) == -1 ||
	    read(fd, &byte, 1) == -1))
		error = errno;
	if (fd != -1)
		close(fd);
	if (error != 0)
		die(EXIT_REFUSED, "setuser: cannot look up %s %s: %s (see %s and "
		    "/etc/nsswitch.conf)\n", what, escape(name),
		    strerror(error), file);
}

/* The entry of a name or a number; NULL: the number is nobody's. */
static const struct passwd *
find_entry(const char *user, uint32_t *number)
{
	const struct passwd *entry;
	bool numeric = false;

	errno = 0;
	entry = getpwnam(user);
	if (entry == NULL && errno == 0 && is_number(user, number)) {
		numeric = true;
		entry = getpwuid(*number);
	}
	if (entry == NULL) {
		check_lookup("user", user, "/etc/passwd");
		if (!numeric)
			die(EXIT_WRONG, "setuser: user %s not found\n",
			    escape(user));
	}
	return entry;
}

static gid_t
find_group(const char *name)
{
	const struct group *entry;
	uint32_t number;

	errno = 0;
	if ((entry = getgrnam(name)) != NULL)
		return entry->gr_gid;
	check_lookup("group", name, "/etc/group");
	if (!is_number(name, &number))
		die(EXIT_WRONG, "setuser: group %s not found\n", escape(name));
	return number;
}

/*
 * The group of a number that is nobody's is the same number, if that is nobody's,
 * too: 42 would be in Debian's shadow.
 */
static gid_t
find_free_group(const char *user, uint32_t number)
{
	const struct group *entry;

	errno = 0;
	if ((entry = getgrgid(number)) != NULL)
		die(EXIT_WRONG, "setuser: user %s has no entry, and group %s is "
		    "%s (say which group it is to have: %s:GROUP)\n", user, user,
		    escape(entry->gr_name), user);
	check_lookup("group", user, "/etc/group");
	return number;
}

static int
compare(const void *a, const void *b)
{
	const gid_t x = *(const gid_t *)a, y = *(const gid_t *)b;

	return x < y ? -1 : x > y;
}

/* In order, and each once.  Returns how many there are then. */
static int
sort(gid_t *groups, int count)
{
	int i, kept = 0;

	qsort(groups, (size_t)count, sizeof(*groups), compare);
	for (i = 0; i < count; i++)
		if (kept == 0 || groups[i] != groups[kept - 1])
			groups[kept++] = groups[i];
	return kept;
}

/* A group that is asked for is the only one.  Who is us already keeps ours. */
static void
find(const char *user, const char *group, struct identity *who)
{
	const struct passwd *entry = find_entry(user, &who->uid);

	who->name = entry != NULL ? entry->pw_name : user;
	who->home = entry != NULL ? entry->pw_dir : "";
	who->shell = entry != NULL ? entry->pw_shell : "";
	if (entry != NULL)
		who->uid = entry->pw_uid;
	if (group != NULL) {
		who->gid = find_group(group);
	} else if (entry != NULL) {
		who->gid = entry->pw_gid;
		who->group_count = NGROUPS_MAX;
		errno = 0;
		check_lookup("groups of user", user, "/etc/group");
		if (getgrouplist(who->name, who->gid, who->groups,
		    &who->group_count) == -1)
			die(EXIT_REFUSED, "setuser: user %s is in too many "
			    "groups\n", escape(user));
	} else if (who->uid == getuid()) {
		who->gid = getgid();
		if ((who->group_count = getgroups(NGROUPS_MAX,
		    who->groups)) == -1)
			who->group_count = 0;
	} else {
		who->gid = find_free_group(user, who->uid);
	}
	if (who->uid == NO_ID || who->gid == NO_ID)
		die(EXIT_REFUSED, "setuser: cannot become %s: " NO_ID_TEXT
		    " is no user and no group (mend /etc/passwd)\n",
		    escape(user));
	who->groups[who->group_count++] = who->gid;
	who->group_count = sort(who->groups, who->group_count);
}

/* --- to become that ------------------------------------------------------------ */

/* Does the kernel say that we are this one in all respects? */
static bool
is_identity(const struct identity *who)
{
	static gid_t groups[NGROUPS_MAX + 1];
	uid_t uid, effective_uid, saved_uid;
	gid_t gid, effective_gid, saved_gid;
	int count = getgroups(NGROUPS_MAX, groups);

	if (count == -1 ||
	    getresuid(&uid, &effective_uid, &saved_uid) == -1 ||
	    getresgid(&gid, &effective_gid, &saved_gid) == -1 ||
	    uid != who->uid || effective_uid != uid || saved_uid != uid ||
	    gid != who->gid || effective_gid != gid || saved_gid != gid)
		return false;
	/* To be in one's own group once more is no difference. */
	groups[count++] = gid;
	return sort(groups, count) == who->group_count &&
	    memcmp(groups, who->groups,
	    (size_t)who->group_count * sizeof(*groups)) == 0;
}

/* None that can be used now, or after execve; the ambient go with the others. */
static bool
drop_capabilities(void)
{
	struct __user_cap_header_struct header = {
		.version = _LINUX_CAPABILITY_VERSION_3,
	};
	struct __user_cap_data_struct sets[_LINUX_CAPABILITY_U32S_3] = { 0 };
	static const struct __user_cap_data_struct
	    none[_LINUX_CAPABILITY_U32S_3];

	return syscall(SYS_capset, &header, sets) == 0 &&
	    syscall(SYS_capget, &header, sets) == 0 &&
	    memcmp(sets, none, sizeof(none)) == 0;
}

static const char *
way_out(int error)
{
	switch (error) {
	case EPERM:
		return geteuid() == 0 ?
		    " (setuser needs the capabilities SETUID and SETGID)" :
		    " (setuser must be started by root)";
	case EINVAL:
		return " (the container's user namespace has no such number)";
	case EAGAIN:
		return " (that user runs as many processes as it may)";
	}
	return "";
}

static void __attribute__((noreturn))
cannot_become(const struct identity *who, const char *why, const char *way)
{
	die(EXIT_REFUSED, "setuser: cannot become %s: %s%s\n",
	    escape(who->name), why, way);
}

/*
 * Returns as this user, with no way back, or not at all; what must not be is
 * looked for, not concluded.  Who is that already needs no privilege.
 */
static void
become(const struct identity *who)
{
	if (!is_identity(who) &&
	    (setgroups((size_t)who->group_count, who->groups) == -1 ||
	    setresgid(who->gid, who->gid, who->gid) == -1 ||
	    setresuid(who->uid, who->uid, who->uid) == -1))
		cannot_become(who, strerror(errno), way_out(errno));
	if (!is_identity(who))
		cannot_become(who, "the kernel says it is done, and it is not",
		    "");
	if (who->uid == 0)
		return;
	if (!drop_capabilities())
		cannot_become(who, "capabilities are left", "");
	if (setuid(0) == 0)
		cannot_become(who, "there is a way back to root", "");
}

/* --- and to execute ------------------------------------------------------------ */

static void
set(const char *name, const char *value)
{
	if (setenv(name, value, 1) == -1)
		die(EXIT_REFUSED, "setuser: cannot set %s: %s\n", name,
		    strerror(errno));
}

static void
set_environment(const struct identity *who)
{
	const char *shell = strrchr(who->shell, '/');
	char number[sizeof(NO_ID_TEXT)];

	set("USER", who->name);
	set("LOGNAME", who->name);
	set("HOME", who->home[0] != '\0' ? who->home : "/");
	/* Programs execute $SHELL -c: one that lets nobody in would break them. */
	set("SHELL", shell == NULL || strcmp(shell, "/nologin") == 0 ||
	    strcmp(shell, "/false") == 0 ? "/bin/sh" : who->shell);
	sprintf(number, "%u", who->uid);
	set("UID", number);
	sprintf(number, "%u", who->gid);
	set("GID", number);
}

/*
 * As execvp(3), without its fallback to /bin/sh for a file that has no "#!".  What
 * is in a directory that this user may not enter is not found.
 */
static int
execute(char **command)
{
	const char *name = command[0], *search = getenv("PATH"), *end;
	char path[PATH_MAX];
	int error = ENOENT, why;

	if (name[0] == '\0')
		return ENOENT;
	if (strchr(name, '/') != NULL) {
		execv(name, command);
		return errno;
	}
	for (search = search != NULL ? search : "/bin:/usr/bin";;
	    search = end + 1) {
		end = strchrnul(search, ':');
		if (snprintf(path, sizeof(path), "%.*s%s%s",
		    (int)(end - search), search, end > search ? "/" : "",
		    name) < (int)sizeof(path)) {
			execv(path, command);
			why = errno;
			if (access(path, F_OK) == 0 && (error = why) != EACCES)
				return error;
		}
		if (*end == '\0')
			return error;
	}
}

static int
print(const char *text)
{
	return puts(text) == EOF || fflush(stdout) == EOF;
}

#define USAGE	"Usage: /sbin/setuser USER[:GROUP] COMMAND [ARGUMENT...]\n"

int
main(int argc, char **argv)
{
	static struct identity who;
	char *group;
	int error;

	if (argc == 2 && strcmp(argv[1], "--version") == 0)
		return print("setuser " VERSION);
	if (argc == 2 && strcmp(argv[1], "--help") == 0)
		return print(USAGE "\nExecutes COMMAND as USER, for good. Both "
		    "may be numbers, and a GROUP is the\nonly one. See "
		    "setuser(8).");
	if (argc < 3)
		die(EXIT_WRONG, USAGE);
	if ((group = strchr(argv[1], ':')) != NULL)
		*group++ = '\0';
	if (argv[1][0] == '\0' || (group != NULL && group[0] == '\0'))
		die(EXIT_WRONG, "setuser: no name of a %s (USER, or "
		    "USER:GROUP)\n", argv[1][0] == '\0' ? "user" : "group");
	find(argv[1], group, &who);
	become(&who);
	set_environment(&who);
	error = execute(argv + 2);
	die(error == ENOENT ? EXIT_NOT_FOUND : EXIT_NOT_EXECUTABLE,
	    "setuser: cannot execute %s: %s%s\n",
	    argv[2][0] != '\0' ? escape(argv[2]) : "\"\"",
	    strerror(error), error == EAGAIN ? way_out(error) : "");
}
