#!/usr/bin/env bats
# The control socket: where it is, for how many, and what is answered while the
# container starts and ends.

load control

@test "56 clients may wait; others are served beside them" {
	good_service a
	container_start --
	wait_output '^a up'
	rpc waiters a
	shows a "$(said_pid a)" pid
}

@test "a client without a request is closed, a subscriber is not" {
	good_service a
	container_start --
	wait_output '^a up'
	rpc idle
}

@test "the gate ends after the last client, and comes with the next" {
	good_service a
	container_start --
	wait_output '^a up'
	rpc version
	local gate=$(gate_pid)
	wait_for --within 45 "the end of the gate" ended_outside "$gate"
	shows a up state
	[ "$(gate_pid)" -ne "$gate" ]
	no_output '^\*\*\* .*[gG]ate'
}

ended_outside() {
	! kill -0 "$1" 2>/dev/null
}

# --- while the container starts and ends --------------------------------------------
@test "booting: status answers, changes are put off" {
	good_service a
	startup_script 10_wait <<-'EOF'
	#!/bin/sh
	echo "script begins"
	until [ -e /tmp/go ]; do sleep 0.05; done
	EOF
	container_start --
	wait_output '^script begins'
	shows . 'startup scripts /etc/my_init.d/10_wait ' phase script services
	local method
	for method in stop restart reload; do
		says 'a booting' "$method" names=a
	done
	says 'a booting' signal names=a signal=HUP
	says 'error booting' rescan
	says 'error bad_request' start
	let_go
	wait_output '^a up'
	wait_shows . 'running nil' phase script
	says 'a ok' restart names=a
}

@test "shutting down: nothing is started, status answers" {
	stubborn_service a
	good_service b
	shutdown_script pre 10_wait <<-'EOF'
	#!/bin/sh
	echo "script begins"
	until [ -e /tmp/on ]; do sleep 0.05; done
	EOF
	container_start KILL_PROCESS_TIMEOUT=50 --
	wait_output '^a up'
	wait_output '^b up'
	container_kill TERM
	wait_output '^script begins'
	shows . 'pre-shutdown scripts /etc/my_init.pre_shutdown.d/10_wait' \
	    phase script
	shows b up state
	says 'error shutting_down' rescan
	: >"$(container_file /tmp/on)"
	wait_shows . 'stopping services nil' phase script
	wait_shows b 'down down' state want
	says 'b shutting_down' start names=b
	says 'b shutting_down' restart names=b
	says 'b shutting_down' once names=b
	says 'b ok' stop names=b
	let_go
	container_wait
	[ "$status" -eq 0 ]
	[ "$(count_output '^b up')" -eq 1 ]
}

@test "shutdown: the exit code and the grace are those asked for" {
	good_service a
	container_start --
	wait_output '^a up'
	says '' shutdown exit_code=42
	container_wait
	[ "$status" -eq 42 ]
	stubborn_service b
	container_start KILL_PROCESS_TIMEOUT=50 -- -- sleep 1000
	wait_output '^b up'
	says '' shutdown timeout_ms=300 exit_code=0
	container_wait 20
	[ "$status" -eq 0 ]
	container_start --
	wait_output '^b up'
	says '' shutdown timeout_ms=300
	container_wait 20
	[ "$status" -eq 0 ]
}

@test "shutdown while it stops: timeout_ms 0 ends all waiting, else no change" {
	stubborn_service a
	container_start KILL_PROCESS_TIMEOUT=50 --
	wait_output '^a up'
	says '' shutdown exit_code=7
	wait_shows . 'stopping services' phase
	says '' shutdown exit_code=8 timeout_ms=1
	says '' shutdown
	shows a 'stopping 15' state sent
	says '' shutdown timeout_ms=0
	container_wait 20
	[ "$status" -eq 7 ]
}

# --- where it is ---------------------------------------------------------------------
@test "the socket is root's alone" {
	container_start --
	rpc version
	[ "$(container_exec stat -c '%F %a %u %g' /run/my_init/control.sock)" = \
	    "socket 600 0 0" ]
	[ "$(container_exec stat -c '%F %a %u %g' /run/my_init)" = \
	    "directory 755 0 0" ]
}

@test "INITCTL_SOCKET says where it is" {
	good_service a
	container_start INITCTL_SOCKET=/tmp/my.sock --
	wait_output '^a up'
	RPC_SOCKET=/tmp/my.sock
	says 'a ok' restart names=a
	[ "$(container_exec stat -c %a /tmp/my.sock)" = 600 ]
	[ ! -e "$(container_file /run/my_init/control.sock)" ]
}

@test "INITCTL_SOCKET leads nowhere: said once, and services run" {
	good_service a
	local path
	for path in relative.sock /no/such/directory/socket \
	    "/$(printf '%0200d' 0)" /; do
		container_start "INITCTL_SOCKET=$path" --
		wait_output '^a up'
		wait_output '^\*\*\* .*control socket'
		[ "$(count_output '^\*\*\* .*control socket')" -eq 1 ]
		container_kill TERM
		container_wait
		[ "$status" -eq 0 ]
	done
}

@test "another my_init in the same container has a socket of its own" {
	good_service a
	container_start --
	wait_output '^a up'
	rpc version
	local socket=$(container_exec stat -c %i /run/my_init/control.sock)
	container_exec my_init --skip-startup-files --skip-runit -- sh -c \
	    'sleep 100000 & echo "second $$"; wait' &
	local second=$!
	wait_for "its socket" container_exec test -S \
	    /dev/shm/my_init/control.sock
	RPC_SOCKET=/dev/shm/my_init/control.sock
	wait_shows . running phase
	says '' shutdown
	wait $second || :
	RPC_SOCKET=''
	[ "$(container_exec stat -c %i /run/my_init/control.sock)" = "$socket" ]
	shows a "up 0 $(said_pid a)" state restarts pid
}

# works_at PATH [OPTION...]: with these options, the socket is there and all works.
works_at() {
	local socket=$1
	shift
	good_service a
	stubborn_service b
	container_start "$@" KILL_PROCESS_TIMEOUT=50 --
	wait_output '^a up'
	wait_output '^b up'
	wait_for "$socket" container_exec test -S "$socket"
	local uid=$(container_exec stat -c %u "$socket")
	# Who my_init runs as finds it; root may use any.
	rpc_as "$uid:$uid" restart names=a
	[ "$(rpc_as "$uid:$uid" show a state restarts)" = "up 1" ]
	RPC_SOCKET=$socket
	[ "$(rpc_as "$uid:$uid" stop names=b timeout_ms=300)" = "b timeout" ]
	rpc restart names=a
	shows a 'up 2' state restarts
	let_go
	wait_shows b down state
	says '' shutdown exit_code=9
	container_wait
	[ "$status" -eq 9 ]
}

@test "a user that is not root: in /dev/shm" {
	works_at /dev/shm/my_init/control.sock --user 1000
}

@test "root without capabilities" {
	works_at /run/my_init/control.sock --no-caps
}

@test "a root that cannot be written, but /run can" {
	works_at /run/my_init/control.sock --read-only
}

@test "/run cannot be written, either: in /dev/shm" {
	mount -o remount,ro "$ROOT/run"
	works_at /dev/shm/my_init/control.sock --read-only
}

@test "no place for a socket: said once, and services run" {
	good_service a
	umount "$ROOT/dev/shm"
	rmdir "$ROOT/dev/shm"
	container_start --user 1000 --
	wait_output '^a up'
	wait_output '^\*\*\* .*(control socket|initctl)'
	container_exec kill -KILL "$(said_pid a)"
	wait_lines 2 '^a up'
	[ "$(count_output '^\*\*\* .*(control socket|initctl)')" -eq 1 ]
	container_kill TERM
	container_wait
	[ "$status" -eq 0 ]
}
