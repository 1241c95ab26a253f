# What the tests of supervise/ share, on top of beside.bash.
# shellcheck shell=bash

load beside

# The pid in a service's supervise/.
pid_in() {
	container_exec cat "/etc/service/$1/supervise/pid"
}

# It is the one that the service has said last.
pid_is_said() {
	[ "$(pid_in "$1")" = "$(said_pid "$1")" ]
}

# runit's sv, on our services
their_sv() {
	container_exec "$RUNIT/sv" "$@"
}

# Waits until stat of a service is that, and status, which is written last, is of the
# same time: wait_text NAME TEXT
wait_text() {
	wait_for "$1: $2" container_exec sh -c 'cd "/etc/service/$1/supervise" &&
	    [ "$(cat stat)" = "$2" ] && [ -e status ] && ! [ status -ot stat ]' \
	    sh "$1" "$2"
}
