# The installed programs as PID 1 of a container of their own: new PID, mount,
# UTS and IPC namespaces over an overlay of this machine's root, one per case.
# Sourced by the *.bats files ("load container"); the programs come from
# $MY_INIT_STAGE, where `make install DESTDIR=` has put them (see tests/run).
# shellcheck shell=bash
#
# A case writes what it needs into the new root, starts my_init in it, waits for
# what is to happen, and looks at output, exit code and files.  In the new root
# /run, /tmp and /root are empty, /etc/container_environment (0700) and /etc/service are
# empty directories, and none of my_init's other files exists.
#
# Before the start:
#   service NAME <<EOF             /etc/service/NAME/run, executable
#   startup_script NAME <<EOF      /etc/my_init.d/NAME, executable
#   root_file PATH [MODE] <<EOF    any file (644); its directories are made
#   variable NAME VALUE            a file in /etc/container_environment
#   $ROOT                          the new root, for everything else
#
# The start.  OPTIONs come first, then variables, then "--" and my_init's
# arguments.  The environment is PATH, HOME=/root and the variables given; stdin is
# /dev/null; every signal is default and unblocked; the directory is /.
#   container_run [OPTION...] [NAME=VALUE...] -- [ARGUMENT...]
#       to its end (at most 60 s); stdout and stderr are kept apart
#   container_start [OPTION...] [NAME=VALUE...] -- [ARGUMENT...]
#       in the background; stdout and stderr go to one file
# OPTIONs:
#   --user UID        that user and group, no other groups, no capabilities
#   --no-caps         root without capabilities
#   --read-only       the root cannot be written (/run, /tmp, /root and /dev can)
#   --not-pid1        PID 1 is a shell that runs my_init and a bystander, and says
#                     "bystander survives" at the end if that is so
#   --tty             stdin, stdout and stderr are a terminal, the container's own
#   --stdin-closed    no descriptor 0
#   --all-closed      no descriptors 0 to 2 (so no output either)
#   --descriptors N   N descriptors more than 0 to 2
#   --directory DIR   started in DIR
#   --via "WORD..."   my_init is executed by this command
#   --merged --split  stdout and stderr in one file, or in two
#
# While it runs:
#   $CONTAINER_PID                 PID 1, as seen from here
#   $MY_INIT_PID                   my_init: the same, but for --not-pid1
#   supervisor_pid                 prints the supervisor's, as seen from here
#   container_kill SIGNAL          sends my_init a signal
#   container_exec COMMAND...      runs a command inside
#   container_file PATH            prints where to find a file of the container
#   container_type TEXT            types on the terminal (printf's escapes)
#   container_output               prints what has been written up to now
#   container_alive                does PID 1 run?
#   wait_output REGEX              waits for a line of output (grep -E)
#   wait_for [--within S] WHAT COMMAND...
#                                  waits until a command succeeds (20 s)
#   container_wait [SECONDS]       waits for the end (at most 120 s)
# After the end:
#   $status $stdout $stderr        exit code, and output less its last newlines; of
#                                  merged output both are the whole
#   $OUTPUT/stdout $OUTPUT/stderr  the same, byte by byte
#
# fail MESSAGE... ends a case.  setup() and teardown() are defined here; a file that
# has its own calls container_setup and container_teardown.  A case fails, too, if
# the supervisor ended by a fault of its own or a sanitizer said something; one
# that provokes this sets CONTAINER_MAY_FAULT=1.

CONTAINER_DEADLINE=120	# seconds of life of a container
CONTAINER_PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin

. "$BATS_TEST_DIRNAME/../wait.bash"

setup() {
	container_setup
}

teardown() {
	container_teardown
}

fail() {
	echo "$*" >&2
	echo "--- the container's output:" >&2
	container_output >&2
	return 1
}

# --- the new root ----------------------------------------------------------------
container_setup() {
	if [ ! -x "${MY_INIT_STAGE-}/sbin/my_init" ]; then
		echo "MY_INIT_STAGE is not set: use make test, or tests/run" >&2
		return 1
	fi
	local case=$BATS_TEST_TMPDIR/container
	ROOT=$case/root
	OUTPUT=$BATS_TEST_TMPDIR/output
	CONTAINER_PID='' MY_INIT_PID='' CONTAINER_JOB='' CONTAINER_MAY_FAULT=''
	NOT_PID1=''
	CONTAINER_MOUNT=$case
	mkdir "$case" "$OUTPUT"
	# On a tmpfs, because a layer must not lie below the other.
	mount -t tmpfs -o mode=755 tmpfs "$case"
	mkdir "$case/upper" "$case/work" "$ROOT"
	mount -t overlay overlay -o \
	    "lowerdir=/,upperdir=$case/upper,workdir=$case/work" "$ROOT"
	mount -t tmpfs -o mode=1777 tmpfs "$ROOT/tmp"
	mount -t tmpfs -o mode=755 tmpfs "$ROOT/run"
	mount -t tmpfs -o mode=755 tmpfs "$ROOT/dev"
	mkdir "$ROOT/dev/pts" "$ROOT/dev/shm"
	mount -t tmpfs -o mode=1777 tmpfs "$ROOT/dev/shm"
	mount -t devpts -o newinstance,ptmxmode=666 devpts "$ROOT/dev/pts"
	cp -a /dev/null /dev/zero /dev/full /dev/random /dev/urandom /dev/tty \
	    "$ROOT/dev/"
	ln -s pts/ptmx "$ROOT/dev/ptmx"
	tar -C "$MY_INIT_STAGE" -c . |
	    tar -C "$ROOT" -x --keep-directory-symlink --no-overwrite-dir
	rm -rf "$ROOT"/etc/service "$ROOT"/etc/my_init.* \
	    "$ROOT"/etc/rc.local "$ROOT"/etc/container_environment*
	mkdir "$ROOT/etc/service"
	mkdir -m 700 "$ROOT/etc/container_environment"
	printf 'root:x:0:0:root:/root:/bin/bash\nnobody:x:65534:65534::/:/bin/sh\n' \
	    >"$ROOT/etc/passwd"
	mkdir -p "$ROOT/root"
	mount -t tmpfs -o mode=700 tmpfs "$ROOT/root"
}

container_teardown() {
	local result=0
	if [ -n "${CONTAINER_JOB-}" ]; then
		_end_job
	fi
	if [ -d "${OUTPUT-}" ] && [ -z "$CONTAINER_MAY_FAULT" ] &&
	    container_output | grep -aE 'Sanitizer|runtime error:|ended without a reason'
	then
		container_output
		result=1
	fi >&2
	[ -z "${CONTAINER_MOUNT-}" ] || umount -R -l "$CONTAINER_MOUNT"
	return $result
}

root_file() {
	mkdir -p "$(dirname "$ROOT/$1")"
	cat >"$ROOT/$1"
	chmod "${2-644}" "$ROOT/$1"
}

service() {
	root_file "/etc/service/$1/run" 755
}

startup_script() {
	root_file "/etc/my_init.d/$1" 755
}

variable() {
	printf '%s' "$2" >"$ROOT/etc/container_environment/$1"
}

# without_call X86_64 AARCH64 ERRNO: /usr/local/bin/without_call executes a program for
# which that system call, by its numbers, fails so.
without_call() {
	root_file /usr/local/bin/without_call 755 <<-EOF
	#!/usr/bin/python3
	import ctypes, os, struct, sys
	calls = {"x86_64": $1, "aarch64": $2}
	code = b"".join(struct.pack("HBBI", *line) for line in [
	    (0x20, 0, 0, 0), (0x15, 0, 1, calls[os.uname().machine]),
	    (0x06, 0, 0, 0x00050000 | $3), (0x06, 0, 0, 0x7fff0000)])
	code = ctypes.create_string_buffer(code)
	program = struct.pack("HxxxxxxQ", 4, ctypes.addressof(code))
	libc = ctypes.CDLL(None, use_errno=True)
	if libc.prctl(22, 2, program, 0, 0) != 0:
	    sys.exit("without_call: " + os.strerror(ctypes.get_errno()))
	os.execv(sys.argv[1], sys.argv[1:])
	EOF
}

# --- the start -------------------------------------------------------------------
container_run() {
	_begin split "$@"
	container_wait $((CONTAINER_DEADLINE + 5))
}

container_start() {
	_begin merged "$@"
	wait_for "my_init to be executed" _executed
}

# Runs as PID 1 of the new namespaces, and becomes my_init.  The old /proc, which is
# still there, knows our pid outside.
_enter() {
	# shellcheck disable=SC2034
	local pid fd i
	read -r pid _ </proc/self/stat
	echo "$pid" >"$OUTPUT/pid"
	cd "$ROOT" && mount -t proc proc proc && pivot_root . . && umount -l . ||
	    exit 125
	if [ -n "$READ_ONLY" ]; then
		mount -o remount,bind,ro / || exit 125
	fi
	cd "$DIRECTORY" || exit 125
	for ((i = 0; i < DESCRIPTORS; i++)); do
		exec {fd}</dev/null
	done
	case $CLOSED in
	stdin) exec "$@" <&- ;;
	all) exec "$@" <&- >&- 2>&- ;;
	*) exec "$@" ;;
	esac
}

# PID 1 of --not-pid1.
# shellcheck disable=SC2016
_not_pid1='
	sleep 1000 & bystander=$!
	env --default-signal "$@" &
	wait $!
	code=$?
	[[ $(</proc/$bystander/stat) == *") S "* ]] && echo "bystander survives" >&2
	exit $code'

# _begin merged|split OPTION... NAME=VALUE... -- ARGUMENT...
_begin() {
	local output=$1 READ_ONLY='' DIRECTORY=/ DESCRIPTORS=0 CLOSED=''
	local tty='' parent=() via=() user=() variables=() command=()
	shift
	while [ "$1" != -- ]; do
		case $1 in
		--user) user=(setpriv "--reuid=$2" "--regid=$2" --clear-groups
			    --inh-caps=-all --bounding-set=-all); shift ;;
		--no-caps) user=(setpriv --inh-caps=-all --bounding-set=-all) ;;
		--read-only) READ_ONLY=1 ;;
		--not-pid1) parent=(bash -c "$_not_pid1" parent) ;;
		--tty) tty=1 output=merged ;;
		--stdin-closed) CLOSED=stdin ;;
		--all-closed) CLOSED=all ;;
		--descriptors) DESCRIPTORS=$2; shift ;;
		--directory) DIRECTORY=$2; shift ;;
		--via) read -r -a via <<<"$2"; shift ;;
		--merged | --split) output=${1#--} ;;
		--*) fail "container: unknown option $1"; return ;;
		*=*) variables+=("$1") ;;
		*) fail "container: what is $1?"; return ;;
		esac
		shift
	done
	shift
	NOT_PID1=${parent[*]:+1}
	command=("${user[@]}" env -i --default-signal "PATH=$CONTAINER_PATH"
	    HOME=/root "${variables[@]}" "${parent[@]}" "${via[@]}"
	    /sbin/my_init "$@")
	[ -z "$tty" ] || command=(setsid --ctty "${command[@]}")
	command=(unshare --mount --pid --uts --ipc --fork --kill-child
	    bash -c "$(declare -f _enter); _enter \"\$@\"" enter "${command[@]}")

	rm -f "$OUTPUT"/*
	CONTAINER_PID='' MY_INIT_PID='' CONTAINER_BEGAN=$SECONDS
	status='' stdout='' stderr=''
	: >"$OUTPUT/stdout"
	[ "$output" = merged ] || : >"$OUTPUT/stderr"
	mkfifo "$OUTPUT/end" "$OUTPUT/keys" "$OUTPUT/pause"
	exec {CONTAINER_END}<>"$OUTPUT/end" {CONTAINER_KEYS}<>"$OUTPUT/keys"
	export ROOT OUTPUT READ_ONLY DIRECTORY DESCRIPTORS CLOSED
	_job "$tty" "$output" "${command[@]}" &
	CONTAINER_JOB=$!
}

# Runs a container and writes its exit code to the fifo "end", so that its end can be
# waited for.
_job() {
	local tty=$1 output=$2 code=0 fd
	shift 2
	set +e
	for fd in /proc/self/fd/*; do
		fd=${fd##*/}
		[ "$fd" -le 2 ] || exec {fd}>&-
	done
	exec </dev/null >>"$OUTPUT/stdout"
	if [ "$output" = merged ]; then
		exec 2>&1
	else
		exec 2>>"$OUTPUT/stderr"
	fi
	if [ -n "$tty" ]; then
		SHELL=/bin/bash timeout --signal=KILL "$CONTAINER_DEADLINE" \
		    script -qefc "$(printf '%q ' "$@")" /dev/null \
		    <"$OUTPUT/keys" || code=$?
	else
		timeout --signal=KILL "$CONTAINER_DEADLINE" "$@" || code=$?
	fi
	echo $code >"$OUTPUT/end"
}

# Is it my_init by now, or over?  It can be told something from when it has blocked all
# signals: before, TERM is lost on a PID 1.
_executed() {
	local pid name key value
	if read -r -t 0 -u "$CONTAINER_END"; then
		return 0
	fi
	read -r CONTAINER_PID 2>/dev/null <"$OUTPUT/pid" || return 1
	pid=$CONTAINER_PID
	if [ -n "$NOT_PID1" ]; then
		pid=$(pgrep -P "$CONTAINER_PID" -x my_init) || return 1
	fi
	read -r name 2>/dev/null <"/proc/$pid/comm" || return 1
	[ "$name" = my_init ] || return 1
	while read -r key value; do
		[ "$key" != SigBlk: ] || break
	done 2>/dev/null <"/proc/$pid/status" || return 1
	[ $((16#${value:-0} & 1 << 14)) -ne 0 ] || return 1
	MY_INIT_PID=$pid
}

# PID 1 first: with it ends everything of its namespaces, and then its parents.
_end_job() {
	local pid=''
	read -r pid 2>/dev/null <"$OUTPUT/pid" && kill -KILL "$pid" 2>/dev/null
	read -r -t 5 -u "$CONTAINER_END" || kill -KILL "$CONTAINER_JOB"
	wait "$CONTAINER_JOB" 2>/dev/null || :
	exec {CONTAINER_END}>&- {CONTAINER_KEYS}>&-
	CONTAINER_JOB=''
}

# --- while it runs -----------------------------------------------------------------
container_kill() {
	kill -"$1" "$MY_INIT_PID"
}

container_exec() {
	nsenter --target "$CONTAINER_PID" --mount --pid --uts --ipc \
	    env -i PATH=$CONTAINER_PATH HOME=/root "$@"
}

container_file() {
	if [ -n "$CONTAINER_JOB" ]; then
		echo "/proc/$CONTAINER_PID/root/$1"
	else
		echo "$ROOT/$1"
	fi
}

container_type() {
	# shellcheck disable=SC2059
	printf "$1" >&"$CONTAINER_KEYS"
}

container_output() {
	local file
	for file in "$OUTPUT/stdout" "$OUTPUT/stderr"; do
		[ ! -e "$file" ] || tr -d '\r' <"$file"
	done
}

container_alive() {
	kill -0 "$CONTAINER_PID" 2>/dev/null
}

# What a killed supervisor was about to execute has its name for a moment, and is our
# child by then; but it is in no process group of its own yet.
supervisor_pid() {
	local pid stat group
	pid=$(pgrep -n -P "$MY_INIT_PID" -x supervisor) || return 1
	read -r stat 2>/dev/null <"/proc/$pid/stat" || return 1
	read -r _ _ group _ <<<"${stat##*) }"
	[ "$group" = "$pid" ] || return 1
	echo "$pid"
}

_has_line() {
	container_output | grep -qaE -e "$1"
}

wait_output() {
	wait_for "output like: $1" _has_line "$1"
}

container_wait() {
	# shellcheck disable=SC2034
	local within=${1-$CONTAINER_DEADLINE} code=''
	read -r -t "$within" -u "$CONTAINER_END" code || {
		fail "the container has not ended after $within s"
		return
	}
	# shellcheck disable=SC2034
	status=$code
	wait "$CONTAINER_JOB" || :
	exec {CONTAINER_END}>&- {CONTAINER_KEYS}>&-
	CONTAINER_JOB=''
	stdout=$(tr -d '\0' <"$OUTPUT/stdout")
	stderr=$stdout
	# shellcheck disable=SC2034
	[ ! -e "$OUTPUT/stderr" ] || stderr=$(tr -d '\0' <"$OUTPUT/stderr")
	if [ $((SECONDS - CONTAINER_BEGAN)) -ge $CONTAINER_DEADLINE ]; then
		fail "the container was ended after $CONTAINER_DEADLINE s"
	fi
}
