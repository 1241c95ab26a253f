# What the tests beside runit's runsv share, on top of sv.bash: my_init has the service
# directories as /etc/service, and runsvdir, in a mount namespace of its own, has a copy
# in the same place, and one of /srv/real, and another /tmp.
# shellcheck shell=bash

load sv

# begin_both [NAME=VALUE...]: starts both; stdin is that of $VIA, a command to execute
# them by, or /dev/null.
begin_both() {
	cp -a "$ROOT/etc/service/." "$ROOT/srv/runit/"
	container_start ${VIA:+--via "$VIA"} "$@" --
	_runit "$@" &
	RUNIT_JOB=$!
	wait_for "runit" _runit_runs
}

_runit() {
	local fd
	for fd in /proc/self/fd/*; do
		fd=${fd##*/}
		[ "$fd" -le 2 ] || exec {fd}>&-
	done
	# shellcheck disable=SC2086
	container_exec unshare --mount sh -c 'mount --bind /srv/runit /etc/service &&
	    mount -t tmpfs -o mode=1777 tmpfs /tmp && mkdir -p /srv/real &&
	    cp -a /srv/real /tmp/.real && mount --bind /tmp/.real /srv/real &&
	    exec "$@"' sh \
	    env -i --default-signal PATH="$RUNIT:$CONTAINER_PATH" HOME=/root "$@" \
	    ${VIA-} runsvdir -P /etc/service </dev/null >"$OUTPUT/runit" 2>&1
}

_runit_runs() {
	RUNIT_PID=$(pgrep -o -x --ns "$CONTAINER_PID" --nslist pid runsvdir)
}

# Runs a command where runit is.
theirs() {
	nsenter --target "$RUNIT_PID" --mount --pid --uts --ipc \
	    env -i PATH="$RUNIT:$CONTAINER_PATH" HOME=/root "$@"
}

# Runs a command in both places, ours first.
each() {
	container_exec "$@" && theirs "$@"
}

# each_waits WHAT COMMAND...: until it succeeds in both places
each_waits() {
	wait_for "$1" container_exec "${@:2}" &&
	    wait_for "runit: $1" theirs "${@:2}"
}

# said_by ours|theirs NAME: the lines that begin with that name
said_by() {
	case $1 in
	ours) container_output ;;
	theirs) cat "$OUTPUT/runit" ;;
	esac | sed -n "/^$2 /p"
}

count_by() {
	said_by "$1" "$2" | grep -cE -e "^$2 $3" || :
}

# Waits until each has so many lines "NAME REGEX".
each_says() {
	wait_for "$1 lines like: $2 $3" _says ours "$@" &&
	    wait_for "runit's $1 lines like: $2 $3" _says theirs "$@"
}

_says() {
	[ "$(count_by "$1" "$3" "$4")" -ge "$2" ]
}

# alike WHAT OURS THEIRS: two texts are the same, and not empty; it is $said then
alike() {
	if [ "$2" != "$3" ]; then
		fail "$1: not as runit:
$(diff <(echo "$2") <(echo "$3"))"
		return
	fi
	[ -n "$2" ] || fail "$1: neither has said anything"
	said=$2
}

# finish of a service, which says what it was told.
telling_finish() {
	root_file "/etc/service/$1/finish" 755 <<-EOF
	#!/bin/sh
	echo "$1 finish \$*"
	EOF
}

# The pid that NAME has said last: pid_by ours|theirs NAME
pid_by() {
	said_by "$1" "$2" | sed -n "s/^$2 up \([0-9]*\).*/\1/p" | tail -n 1
}
