#!/usr/bin/env bats
# initctl and services that are more than up and down: failed, not ready yet, done.

load initctl

# setting SERVICE NAME VALUE
setting() {
	printf '%s\n' "$3" | root_file "/etc/service/$1/$2"
}

@test "failed: status and start say why" {
	good_service good
	service broken <<<$'#!/bin/sh\necho never'
	setting broken umask 9
	service crasher <<<$'#!/bin/sh\nexit 3'
	setting crasher max-death-tally 2
	service task <<<$'#!/bin/sh\nexit 4'
	setting task type oneshot
	container_start --
	wait_up good
	wait_for "all three to fail" all_failed broken crasher task
	ctl 0 status
	line broken 'failed +- +- +0 +umask: line 1: .*'
	line crasher 'failed +- +- +1 +.*2 times .*max-death-tally.*'
	line task 'failed +- +- +0 +run ended with exit code 4'
	line good 'up .* -'
	ctl 3 status task
	ctl 3 --json status broken
	json "r['services'][0]['error'].startswith('umask: line 1: ')"
	json "r['services'][0]['state'] == 'failed'"
	json "r['services'][0]['pid'] is None and not r['services'][0]['ready']"

	# At once: the limit is no part of it.
	ctl 1 start broken --timeout 3600
	[[ $err == "*** broken: umask: line 1: "* ]]
	ctl 1 restart task --timeout 3600
	[[ $err == "*** task: run ended with exit code 4" ]]
	ctl 1 once task --timeout 3600
	[[ $err == "*** task: "*"exit code 4" ]]
	ctl 0 stop task broken
	[ "$out" = $'broken: down\ntask: down' ]
	ctl 3 status task
	line task 'down .* exit 4'
	# Mended.
	container_exec cp /etc/service/good/run /etc/service/broken/run
	container_exec rm /etc/service/broken/umask
	ctl 0 start broken
	[ "$out" = "broken: up (PID $(pid_of broken))" ]
	[ "$(value broken error)" = None ]
}

all_failed() {
	local name
	for name; do
		_is "$name" state failed || return 1
	done
}

@test "failed is red on a terminal" {
	service task <<<$'#!/bin/sh\nexit 4'
	setting task type oneshot
	container_start --
	wait_for "it to fail" all_failed task
	container_exec script -qec "initctl status" /dev/null </dev/null >"$OUTPUT/tty"
	grep -q $'\033\[31mfailed' "$OUTPUT/tty"
}

@test "a oneshot is up without a process" {
	service task <<<$'#!/bin/sh\necho "task runs"'
	setting task type oneshot
	container_start --
	wait_for "it to be up" _is task state up
	ctl 0 status task
	line task 'up +- +- +0 +exit 0'
	[ "$(value task pid)" = None ]
	ctl 0 start task
	[ "$out" = "task: up" ]
	[ "$(count_output '^task runs')" -eq 1 ]
	ctl 0 restart task
	[ "$out" = "task: up" ]
	[ "$(count_output '^task runs')" -eq 2 ]
	ctl 0 stop task
	[ "$out" = "task: down" ]
	ctl 3 status task
	ctl 0 once task
	[ "$out" = "task: up" ]
	[ "$(count_output '^task runs')" -eq 3 ]
}

@test "a oneshot is not up before it has ended, and then can be stopped" {
	service task <<-'EOF'
	#!/bin/sh
	echo "task up $$"
	echo >&3
	until [ -e /tmp/go ]; do sleep 0.05; done
	EOF
	setting task type oneshot
	setting task notification-fd 3
	service web <<-'EOF'
	#!/bin/sh
	echo "web up $$"
	until [ -e /tmp/go ]; do sleep 0.05; done
	EOF
	container_start --
	wait_up web
	wait_output '^task up'
	# What it says of itself has come before that is answered.
	ctl 0 status
	line task 'starting .*'
	# One that has become a oneshot by the word of the next supervisor.
	printf 'oneshot\n' >"$(container_file /etc/service/web/type)"
	restart_supervisor
	let_go
	wait_for "task to have ended" _is task state up
	wait_for "web to have ended" _is web pid None
	ctl 0 status
	line task 'up +- .*'
	line web 'up +- .*'
	ctl 0 stop --timeout 10 task web
}

@test "a oneshot that is repeated: when it is started next" {
	service task <<<$'#!/bin/sh\necho "task runs"'
	setting task type oneshot
	setting task every 1h
	container_start --
	wait_for "it to be up" _is task state up
	ctl 0 status task
	line task 'up +- +- +0 +exit 0, next start in 3[0-9]{3}\.[0-9] s'
	ctl 0 --json status task
	json "3500000 < r['services'][0]['next_start_ms'] <= 3600000"
	ctl 0 stop task
	[ "$(value task next_start_ms)" = None ]
}

@test "start waits until a service is ready" {
	good_service slow
	root_file /etc/service/slow/down </dev/null
	root_file /etc/service/slow/check 755 <<<$'#!/bin/sh\n[ -e /tmp/go ]'
	container_start --
	wait_phase running
	container_exec initctl start slow >"$OUTPUT/started" &
	local starting=$!
	wait_output '^slow up'
	wait_for "it to start" _is slow state starting
	ctl 3 status slow
	line slow "starting +$(said_pid slow) .*"
	ctl 6 start slow --timeout 0.1
	[[ $err == "*** slow: timed out; it is starting now,"* ]]
	[ ! -s "$OUTPUT/started" ]
	let_go
	wait $starting
	[ "$(cat "$OUTPUT/started")" = "slow: up (PID $(said_pid slow))" ]
	ctl 0 status slow
}

@test "start of what never gets ready fails, with the reason" {
	good_service never
	root_file /etc/service/never/down </dev/null
	root_file /etc/service/never/check 755 <<<$'#!/bin/sh\nexit 1'
	setting never timeout-up 200
	container_start --
	wait_phase running
	ctl 1 start never
	[[ $err == "*** never: not ready within 200 ms (timeout-up)" ]]
	[ "$(value never error)" = "not ready within 200 ms (timeout-up)" ]
}

@test "what a service says of itself" {
	service web <<-'EOF'
	#!/usr/bin/python3 -B
	import os, signal, socket
	s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
	s.connect(os.environ["NOTIFY_SOCKET"].replace("@", "\0", 1))
	s.send("READY=1\nSTATUS=3 caf\u00e9s\x1b[2J open".encode())
	print("web up", os.getpid(), flush=True)
	signal.pause()
	EOF
	setting web type notify
	container_start --
	wait_up web
	wait_for "it to say so" _is web says "3 cafés\\x1b[2J open"
	[ "$(value web error)" = None ]
	ctl 0 status web
	line web 'up .* -, says: 3 cafés.*open'
	no_escapes "$out"
}

@test "reload sends the signal of the file reload-signal" {
	service web <<-'EOF'
	#!/bin/bash
	trap 'echo "web HUP"' HUP
	trap 'echo "web USR2"' USR2
	echo "web up $$"
	while :; do sleep 1000 & wait; done
	EOF
	setting web reload-signal USR2
	container_start --
	wait_up web
	ctl 0 reload web
	wait_output '^web USR2'
	no_output '^web HUP'
}

@test "health: is all up that is to be?" {
	good_service a
	good_service off
	root_file /etc/service/off/down </dev/null
	slow_start
	container_start --
	wait_up a
	wait_for "slow to start" _is slow state starting
	ctl 3 health
	[ "$out" = "slow: starting: -" ]
	ctl 0 health a
	[ "$out" = "1 service up" ]
	let_go
	wait_for "slow to be up" _is slow state up
	ctl 0 health
	[ "$out" = "2 services up" ]
	ctl 3 health off a
	[ "$out" = "off: down: -" ]
	ctl 4 health none
	ctl 3 --json health off
	json "r['services'][0]['state'] == 'down'"
	ctl 0 signal KILL slow
	wait_for "slow to be started again" _is slow restarts 1
	container_exec sh -c 'echo 9 >/etc/service/a/umask'
	ctl 1 restart a
	ctl 3 health a
	[[ $out == "a: failed: umask: line 1: "* ]]
}

# A service that is ready when there is /tmp/go.
slow_start() {
	good_service slow
	root_file /etc/service/slow/check 755 <<<$'#!/bin/sh\n[ -e /tmp/go ]'
}

@test "health: not while startup scripts run" {
	startup_script 10_wait <<-'EOS'
	#!/bin/sh
	echo "script begins"
	until [ -e /tmp/go ]; do sleep 0.05; done
	EOS
	container_start --
	wait_output '^script begins'
	ctl 3 health
	[ "$out" = "not running: startup scripts" ]
	let_go
	wait_phase running
	ctl 0 health
	[ "$out" = "0 services up" ]
}
