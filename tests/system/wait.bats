#!/usr/bin/env bats
# initctl wait, and the method behind it: until a service is ready, is down, has ended.

load initctl

# waiting FILE ARGUMENT...: initctl wait in the background; $! is its process
waiting() {
	local file=$OUTPUT/$1
	shift
	container_exec initctl wait "$@" >"$file" 2>&1 &
}

# waited PID CODE FILE TEXT: it has ended so, and has said that.
waited() {
	local code=0
	wait "$1" || code=$?
	[ "$code" -eq "$2" ] && [ "$(cat "$OUTPUT/$3")" = "$4" ] ||
	    fail "exit code $code: $(cat "$OUTPUT/$3")"
}

# Has the gate heard so many clients, and no other?  These have asked when they sleep,
# and it has read that when it sleeps after them.
parked() {
	local gate
	gate=$(gate_pid) || return 1
	[ "$(container_exec pgrep -c -x initctl)" -eq "$1" ] &&
	    [ "$(container_exec pgrep -c -x -r S initctl)" -eq "$1" ] &&
	    [ "$(status_field "$gate" State)" = S ] &&
	    [ "$(ss_count "$gate")" -eq $(($1 + 2)) ]
}

ss_count() {
	find "/proc/$1/fd" -lname 'socket:*' 2>/dev/null | wc -l
}

# Waits until so many clients more are connected than the gate has without any.
wait_parked() {
	wait_for "$1 to wait" parked "$1"
}

# A service that is ready when there is /tmp/ready, and ends with /tmp/code.
slow_service() {
	service slow <<-'EOF'
	#!/bin/sh
	echo "slow up $$"
	until [ -s /tmp/code ]; do sleep 0.02; done
	read -r code </tmp/code
	rm /tmp/code
	exit "$code"
	EOF
	root_file /etc/service/slow/check 755 <<<$'#!/bin/sh\n[ -e /tmp/ready ]'
}

touch_in() {
	: >"$(container_file "$1")"
}

@test "wait: until services are ready" {
	good_service a
	slow_service
	container_start --
	wait_up a
	ctl 0 wait a
	[ "$out" = "a: up (PID $(said_pid a))" ]
	wait_for "slow to start" _is slow state starting
	ctl 6 wait slow a --timeout 0.2
	[ "$out" = "a: up (PID $(said_pid a))" ]
	[ "$err" = "*** slow: timed out; it is starting now" ]
	waiting ready --ready slow a
	local waiter=$!
	wait_parked 1
	touch_in /tmp/ready
	waited $waiter 0 ready "a: up (PID $(said_pid a))
slow: up (PID $(said_pid slow))"
}

@test "wait: at once for what will not be ready" {
	good_service off
	root_file /etc/service/off/down </dev/null
	service task <<<$'#!/bin/sh\nexit 4'
	root_file /etc/service/task/type <<<oneshot
	container_start --
	wait_for "task to fail" _is task state failed
	ctl 1 wait off --timeout 3600
	[[ $err == "*** off: it is down, and is not going to be started "* ]]
	ctl 1 wait task --timeout 3600
	[ "$err" = "*** task: run ended with exit code 4" ]
	ctl 4 wait none --timeout 3600
	[[ $err == "*** none: no service has that name"* ]]
	# The names of others do not keep it from waiting.
	ctl 4 wait none off --down
	[ "$out" = "off: down" ]
	ctl 0 wait off task --down
	[ "$out" = $'off: down\ntask: down' ]
}

@test "wait: one that has failed meanwhile" {
	slow_service
	printf '1\n' | root_file /etc/service/slow/max-death-tally
	container_start --
	wait_output '^slow up'
	waiting failed slow
	local waiter=$!
	wait_parked 1
	echo 3 >"$(container_file /tmp/code)"
	waited $waiter 1 failed \
	    "*** slow: run has ended 1 times within 60 seconds (max-death-tally)"
}

@test "wait --down: until it is down, by whomever" {
	good_service a
	container_start --
	wait_up a
	ctl 6 wait --down a --timeout 0.2
	[ "$err" = "*** a: timed out; it is up now" ]
	waiting down --down a
	local waiter=$!
	wait_parked 1
	ctl 0 stop a
	waited $waiter 0 down "a: down"
	# Of one whose directory is removed, too.
	ctl 0 start a
	waiting gone --down a
	waiter=$!
	wait_parked 1
	container_exec rm -r /etc/service/a
	waited $waiter 0 gone "a: down"
}

@test "wait --any-exit: until run has ended, and how" {
	slow_service
	good_service a
	container_start --
	wait_output '^slow up'
	wait_up a
	waiting code --any-exit slow
	local waiter=$!
	wait_parked 1
	echo 3 >"$(container_file /tmp/code)"
	waited $waiter 0 code "slow: exit 3"
	# It has been started again: this end does not count any more.
	wait_lines 2 '^slow up'
	ctl 6 wait --any-exit slow --timeout 0.2
	waiting signal --any-exit a
	waiter=$!
	wait_parked 1
	ctl 0 signal KILL a
	waited $waiter 0 signal "a: signal 9 (KILL)"
	wait_lines 2 '^a up'
	ctl 0 stop a
	ctl 0 wait --any-exit a --timeout 3600
	[ "$out" = "a: signal 15 (TERM)" ]
	ctl 0 --json wait --any-exit a
	json "r == {'services': [{'name': 'a', 'ok': True, 'exit': {'signal': 15}}]}"
}

@test "wait begins while startup scripts run" {
	startup_script 10_wait <<-'EOS'
	#!/bin/sh
	echo "script begins"
	until [ -e /tmp/go ]; do sleep 0.05; done
	EOS
	good_service a
	container_start --
	wait_output '^script begins'
	ctl 6 wait a --timeout 0.1
	[ "$err" = "*** a: timed out; no service has that name yet" ]
	waiting boot a
	local waiter=$!
	wait_parked 1
	let_go
	wait_up a
	waited $waiter 0 boot "a: up (PID $(said_pid a))"
}

@test "wait does not need a supervisor, and outlives one" {
	good_service a
	slow_service
	container_start --
	wait_up a
	wait_output '^slow up'
	supervisor=$(supervisor_pid)
	kill -STOP "$supervisor"
	ctl 0 wait a
	[ "$out" = "a: up (PID $(said_pid a))" ]
	ctl 6 wait slow --timeout 0.1
	kill -CONT "$supervisor"
	waiting ready slow
	local ready=$!
	waiting exit --any-exit slow
	local ended=$!
	wait_parked 2
	restart_supervisor
	touch_in /tmp/ready
	waited $ready 0 ready "slow: up (PID $(said_pid slow))"
	echo 5 >"$(container_file /tmp/code)"
	waited $ended 0 exit "slow: exit 5"
}

@test "wait: the group of the socket may" {
	good_service a
	container_start --
	wait_up a
	container_exec chgrp 1000 /run/my_init/control.sock
	container_exec chmod 660 /run/my_init/control.sock
	ctl_via "setpriv --reuid=1000 --regid=1000 --clear-groups" 0 wait a
}

@test "wait: its options" {
	good_service a
	container_start --
	wait_up a
	local words
	while read -r -a words; do
		ctl 2 "${words[@]}"
		[[ $err == *usage:* ]]
	done <<-'EOS'
	wait
	wait --ready --down a
	wait --down --any-exit a
	wait --no-wait a
	wait --only a
	start --down a
	status --ready
	EOS
	ctl 0 wait --ready --ready a
	[ "$(pid_of a)" = "$(said_pid a)" ]
	says "error bad_request" wait names=a for=up
	says "a ok" wait names=a for=ready
}

@test "stop --only is passed on" {
	good_service a
	container_start --
	wait_up a
	ctl 0 stop --only a
	[ "$out" = "a: down" ]
	ctl 2 start --only a
	[[ $err == *"start has no use for --only"* ]]
}
