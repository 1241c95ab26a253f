# What the tests of sv share, on top of initctl.bash: the same directories are supervised
# by my_init (/etc/service) and by runit (/srv/runit), the same commands given to both,
# and what they print is to be the same, but for pids and seconds.
# shellcheck shell=bash

load initctl

RUNIT=/usr/local/runit	# runit's programs, as this machine has them

setup() {
	container_setup
	if [ ! -f /usr/bin/sv ] || [ -L /usr/bin/sv ]; then
		echo "runit is not here: ./packages test" >&2
		return 1
	fi
	mkdir -p "$ROOT$RUNIT" "$ROOT/srv/runit" "$ROOT/srv/init.d" "$ROOT/etc/init.d"
	cp /usr/bin/sv /usr/bin/runsv /usr/bin/runsvdir "$ROOT$RUNIT"
}

# A service of both, its run from stdin; down: with a file of that name.
both() {
	local script
	script=$(cat)
	service "$1" <<<"$script"
	root_file "/srv/runit/$1/run" 755 <<<"$script"
	if [ "${2-}" = down ]; then
		: >"$ROOT/etc/service/$1/down"
		: >"$ROOT/srv/runit/$1/down"
	fi
}

# both_file NAME/FILE: a file of that service, executable, from stdin, at any time
both_file() {
	local script directory
	script=$(cat)
	for directory in /etc/service /srv/runit; do
		printf '%s\n' "$script" >"$(container_file "$directory/$1")"
		chmod 755 "$(container_file "$directory/$1")"
	done
}

# One that a HUP does not end.
both_good() {
	both "$@" <<-EOF
	#!/bin/sh
	trap '' HUP
	echo "$1 up \$\$"
	exec sleep 100000
	EOF
}

# One that does not end by a TERM.
both_stubborn() {
	both "$1" <<-EOF
	#!/bin/sh
	trap '' TERM
	echo "$1 up \$\$"
	while :; do sleep 0.1; done
	EOF
}

# begin NAME...: my_init and runit, until these services are up, and runit knows all
begin() {
	local name
	container_start KILL_PROCESS_TIMEOUT=50 --
	container_exec env --default-signal PATH="$RUNIT:$CONTAINER_PATH" \
	    setsid runsvdir -P /srv/runit </dev/null >"$OUTPUT/runit" 2>&1 3>&- &
	for name; do
		wait_ups 1 "$name"
		wait_said "run: $name: (pid N) Ns" sv status "$name"
	done
	# Those that are down say nothing when runit has come to them.
	for name in "$ROOT"/srv/runit/*/; do
		wait_for "runit to know $name" runit_knows "$(basename "$name")"
	done
}

runit_knows() {
	local answer code
	runits sv status "$1"
	[ "$code" -eq 0 ]
}

# Waits until both have started a service that many times.
wait_ups() {
	wait_lines "$1" "^$2 up"
	wait_for "runit to start $2" runit_ups "$1" "$2"
}

runit_ups() {
	[ "$(grep -c "^$2 up" "$OUTPUT/runit")" -ge "$1" ]
}

# by DIRECTORY INIT.D PATH WORD...: $answer and $code of a command, in which @ and %
# stand for the directories; the same stand there in the answer.
by() {
	local directory=$1 init=$2 path=$3 words=()
	shift 3
	words=("${@//@/$directory}")
	words=("${words[@]//%/$init}")
	code=0
	container_exec "PATH=$path" "SVDIR=$directory" "${words[@]}" </dev/null \
	    >"$OUTPUT/answer" 2>&1 || code=$?
	answer=$(sed -E "s,$directory,@,g; s/\(pid [0-9]+\)/(pid N)/g
	    s/(: |\) )[0-9]+s(,|\$)/\1Ns\2/g" "$OUTPUT/answer")
}

ours() {
	by /etc/service /etc/init.d "$CONTAINER_PATH" "$@"
}

runits() {
	by /srv/runit /srv/init.d "$RUNIT:$CONTAINER_PATH" "$@"
}

# same CODE [NAME=VALUE...] COMMAND...: both say the same and end with that exit code;
# what they say is $said.
same() {
	local expected=$1 answer code their_answer their_code
	shift
	runits "$@"
	their_answer=$answer their_code=$code
	ours "$@"
	said=$answer
	if [ "$their_code" -ne "$expected" ]; then
		fail "the test is wrong: $*: runit's exit code is $their_code: $their_answer"
		return
	fi
	if [ "$code" -ne "$expected" ] || [ "$answer" != "$their_answer" ]; then
		fail "$*: exit code $code, not $expected, or not as runit:
$answer
--- runit:
$their_answer"
		return
	fi
}

# The same, and it is this line.
same_line() {
	local line=$1
	shift
	same "$@" || return
	if [ "$said" != "$line" ]; then
		fail "${*:2}: said $said"
		return
	fi
}

# same_restart NAME COMMAND...: both say that it runs, and start it once more, which
# with runit may come after: it does not tell one start of a second from another.
same_restart() {
	local name=$1 ours theirs
	shift
	ours=$(count_output "^$name up")
	theirs=$(grep -c "^$name up" "$OUTPUT/runit")
	same_line "ok: run: $name: (pid N) Ns" 0 "$@" || return
	wait_lines $((ours + 1)) "^$name up"
	wait_for "runit to start $name" runit_ups $((theirs + 1)) "$name"
	wait_said "run: $name: (pid N) Ns" sv status "$name"
}

# wait_said LINE COMMAND...: until each of them says so
wait_said() {
	wait_for "runit to say $1" _said runits "$@"
	wait_for "sv to say $1" _said ours "$@"
}

_said() {
	local whose=$1 expected=$2 answer code
	shift 2
	$whose "$@"
	[ "$answer" = "$expected" ]
}
