#!/usr/bin/env bats
# my_init --wait-ready -- COMMAND: COMMAND is started when all services are ready, or not
# at all.

load ready

# gated NAME: a service that is ready when there is /tmp/NAME.ready
gated() {
	good_service "$1"
	finish_of "$1"
	root_file "/etc/service/$1/check" 755 <<-EOT
	#!/bin/sh
	[ -e /tmp/$1.ready ]
	EOT
}

# A main command that says that it has begun, and ends with 37 when there is /tmp/go.
main_command() {
	root_file /opt/command 755 <<-'EOT'
	#!/bin/sh
	echo "command up $$"
	echo "command finds" /tmp/*.ready
	until [ -e /tmp/go ]; do sleep 0.05; done
	exit 37
	EOT
}

# my_init --wait-ready with it, and services that are not ready
starts() {
	main_command
	container_start -- --wait-ready -- /opt/command
	wait_output '^\*\*\* Waiting for all services to be ready$'
}

# Its end is that of a boot that has failed, with that message.
ends_with() {
	container_wait 30
	[ "$status" -eq 1 ]
	wait_output "^\*\*\* $1 and --wait-ready was given: /opt/command is not started$"
	[ "$(count_output 'and --wait-ready was given')" -eq 1 ]
	no_output '^command up'
	no_output '^\*\*\* Running /opt/command'
}

@test "the main command is started when all services are ready, of each kind" {
	gated web
	gated slow
	talker heard
	setting heard type notify
	service task <<-'EOT'
	#!/bin/sh
	until [ -e /tmp/task.ready ]; do sleep 0.05; done
	echo "task done"
	EOT
	setting task type oneshot
	good_service plain
	good_service last
	setting last depends slow
	good_service off
	root_file /etc/service/off/down </dev/null
	shutdown_script pre 1 <<<$'#!/bin/sh\necho "pre"'
	starts
	wait_output '^plain up'
	wait_output '^heard up'
	touch_in /tmp/web.ready
	wait_for "web to be up" _is web state up
	tell heard 'say("READY=1")'
	wait_for "heard to be up" _is heard state up
	touch_in /tmp/task.ready
	wait_for "task to be up" _is task state up
	no_output '^command up'
	_is off state down
	touch_in /tmp/slow.ready
	wait_output '^command up'
	in_order '^task done' '^\*\*\* Running /opt/command\.\.\.$' '^command up'
	wait_up last
	no_output '^off up'
	# From now on services may do as they like.
	ctl 0 stop web
	rm "$(container_file /tmp/slow.ready)"
	ctl 0 restart slow --no-wait
	wait_lines 2 '^slow up'
	let_go
	container_wait
	[ "$status" -eq 37 ]
	[ "$(count_output '^command up')" -eq 1 ]
	[ "$(count_output '^pre$')" -eq 1 ]
	[ "$(count_output 'Waiting for all services')" -eq 1 ]
}

@test "with nothing to wait for it is started at once" {
	container_run -- --wait-ready -- sh -c 'exit 5'
	[ "$status" -eq 5 ]
	[[ $stderr != *"Waiting for"* ]]
	good_service off
	root_file /etc/service/off/down </dev/null
	container_run -- --wait-ready -- sh -c 'exit 6'
	[ "$status" -eq 6 ]
	rm -rf "$ROOT/etc/service"
	container_run -- --wait-ready -- sh -c 'exit 7'
	[ "$status" -eq 7 ]
	container_run -- --wait-ready -- /no/such/command
	[ "$status" -eq 127 ]
}

@test "usage: it needs a main command, and services" {
	good_service never
	container_run -- --wait-ready
	[ "$status" -eq 1 ]
	[ "$stderr" = "*** When --wait-ready is given, you must also pass a main command." ]
	[ -z "$stdout" ]
	container_run -- --skip-runit --wait-ready -- true
	[ "$status" -eq 1 ]
	[ "$stderr" = "*** With --skip-runit there are no services for --wait-ready to wait for." ]
	[ -z "$stdout" ]
	# ENTRYPOINT and CMD: the options of both.
	service task <<<$'#!/bin/sh\nexit 3'
	setting task type oneshot
	container_run -- --quiet -- /sbin/my_init --wait-ready -- true
	[ "$status" -eq 1 ]
	[[ $stderr == *"*** task has failed and --wait-ready was given: true is not started" ]]
}

@test "a service that has failed ends the boot: the message, the services, 1" {
	good_service good
	finish_of good
	service task <<-'EOT'
	#!/bin/sh
	until [ -e /tmp/fail ]; do sleep 0.05; done
	exit 4
	EOT
	setting task type oneshot
	shutdown_script pre 1 <<<$'#!/bin/sh\necho "pre"'
	shutdown_script post 1 <<<$'#!/bin/sh\necho "post"'
	starts
	wait_up good
	touch_in /tmp/fail
	ends_with "task has failed"
	in_order '^\*\*\* task has failed: run ended with exit code 4' \
	    '^\*\*\* task has failed and --wait-ready' '^pre$' '^good finish -1 15$' '^post$'
}

@test "so does one whose settings are broken, or that dies too often" {
	good_service broken
	setting broken umask 9
	main_command
	container_start -- --wait-ready -- /opt/command
	ends_with "broken has failed"
	rm "$ROOT/etc/service/broken/umask"
	service broken <<<$'#!/bin/sh\nexit 3'
	setting broken max-death-tally 2
	# Of it there is more to being up than that it runs.
	setting broken notification-fd 3
	# Who waits for it is not the one to be named.
	good_service after
	setting after depends broken
	container_start -- --wait-ready -- /opt/command
	ends_with "broken has failed"
	no_output '^after up'
}

@test "and one that is never ready in time" {
	gated web
	setting web timeout-up 300
	setting web max-death-tally 2
	main_command
	container_start -- --wait-ready -- /opt/command
	ends_with "web has failed"
	[ "$(count_output '^web finish')" -eq 2 ]
}

@test "a service that cannot be started for what it depends on ends it, too" {
	local name
	good_service web
	good_service off
	root_file /etc/service/off/down </dev/null
	main_command
	for name in off web missing; do
		setting web depends $name
		container_start -- --wait-ready -- /opt/command
		ends_with "web cannot become ready"
		no_output '^web up'
	done
	wait_output '^\*\*\* web: depends on missing, which is not in '
	setting web depends other
	good_service other
	setting other depends web
	container_start -- --wait-ready -- /opt/command
	ends_with "(web|other) cannot become ready"
	# By way of one that is well.
	good_service middle
	setting middle depends off
	setting web depends middle
	rm -r "$ROOT/etc/service/other"
	container_start -- --wait-ready -- /opt/command
	ends_with "(web|middle) cannot become ready"
}

@test "an essential service that ends for good: its own exit code" {
	service web <<<$'#!/bin/sh\nexit 9'
	setting web restart never
	setting web notification-fd 3
	root_file /etc/service/web/essential </dev/null
	main_command
	container_start -- --wait-ready -- /opt/command
	container_wait 30
	[ "$status" -eq 9 ]
	no_output '^command up'
	no_output 'and --wait-ready was given'
}

@test "a service that ends is waited for until it is up again" {
	good_service good
	service web <<-'EOT'
	#!/bin/sh
	echo "web up $$"
	[ -e /tmp/go ] || exit 3
	echo >&4
	exec sleep 100000
	EOT
	setting web notification-fd 4
	main_command
	container_start -- --wait-ready -- /opt/command
	wait_lines 2 '^web up'
	no_output '^command up'
	let_go
	container_wait 40
	[ "$status" -eq 37 ]
	in_order '^web up' '^command up'
}

@test "who is stopped meanwhile is not waited for, who is new is" {
	gated web
	gated .new
	gated keeps
	starts
	wait_output '^web up'
	container_exec mv /etc/service/.new /etc/service/new
	ctl 0 rescan
	wait_output '^.new up'
	touch_in /tmp/keeps.ready
	wait_for "keeps to be up" _is keeps state up
	ctl 0 stop web
	no_output '^command up'
	# A service that is removed is not waited for.  (Not by rm: it is written to.)
	container_exec mv /etc/service/new /srv/new
	wait_output '^command up'
}

@test "services of startup scripts are waited for as well" {
	gated early
	root_file /etc/service/early/down </dev/null
	startup_script 10_early <<<$'#!/bin/sh\ninitctl start early --no-wait'
	starts
	wait_output '^early up'
	no_output '^command up'
	touch_in /tmp/early.ready
	wait_output '^command up'
}

@test "a stop while it waits: the command never ran, 128 and the signal" {
	local signal
	gated web
	for signal in TERM INT QUIT PWR; do
		starts
		wait_output '^web up'
		container_kill $signal
		container_wait 20
		[ "$status" -eq $((128 + $(kill -l $signal))) ]
		wait_output '^web finish -1 15$'
		no_output '^command up'
		no_output 'and --wait-ready was given'
	done
	starts
	wait_output '^web up'
	ctl 0 shutdown
	container_wait 20
	[ "$status" -eq 143 ]
	starts
	wait_output '^web up'
	ctl 0 shutdown --exit-code 5
	container_wait 20
	[ "$status" -eq 5 ]
	no_output '^command up'
}

@test "other signals while it waits are for nobody; HUP looks at the services anew" {
	gated web
	good_service after
	setting after depends web
	starts
	wait_output '^web up'
	no_output '^after up'
	# With the watch of the service directory, all are looked at.
	supervisor=$(supervisor_pid)
	wait_for "the watch" watches
	container_kill USR1
	container_exec rm /etc/service/after/depends
	container_kill HUP
	wait_output '^after up'
	container_alive
	no_output '^command up'
	touch_in /tmp/web.ready
	wait_output '^command up'
}

@test "waiting costs no wake-up" {
	local before after
	talker web
	setting web type notify
	gated other
	starts
	wait_output '^web up'
	touch_in /tmp/other.ready
	wait_for "other to be up" _is other state up
	supervisor=$(supervisor_pid)
	wait_for "the gate's end" no_gate
	# The watch of the service directory begins after a second.
	wait_for "the watch" watches
	# What had to be done has been: nothing happens in half a second.
	wait_for "the supervisor to rest" rests
	sleep 2.5
	after=$(switches)
	[ "$before" = "$after" ] || fail "woken: $before, $after"
	tell web 'say("READY=1")'
	wait_output '^command up'
}

watches() {
	grep -qs inotify "/proc/$supervisor/fdinfo/"*
}

# --- the supervisor is killed ---------------------------------------------------------------
@test "killed while it waits, and after: the command is started once" {
	gated web
	gated slow
	starts
	wait_output '^web up'
	wait_output '^slow up'
	restart_supervisor
	touch_in /tmp/web.ready
	wait_for "web to be up" _is web state up
	restart_supervisor
	no_output '^command up'
	touch_in /tmp/slow.ready
	wait_output '^command up'
	# One that is not ready any more, or fails, does not matter now.
	rm "$(container_file /tmp/slow.ready)"
	ctl 0 restart slow --no-wait
	wait_for "slow to start" _is slow state starting
	restart_supervisor
	container_exec sh -c 'echo 9 >/etc/service/slow/umask'
	ctl 1 restart slow
	_is slow state failed
	ctl 0 restart web
	wait_lines 2 '^web up'
	runs "$(said_pid command)"
	let_go
	container_wait
	[ "$status" -eq 37 ]
	[ "$(count_output '^command up')" -eq 1 ]
	[ "$(count_output '^web up')" -eq 2 ]
	no_output 'and --wait-ready was given'
}

@test "killed again and again while services come up: once, and after all of them" {
	local i
	for i in 1 2 3 4 5 6 7 8; do
		gated "s$i"
	done
	starts
	for i in 1 2 3 4 5 6 7 8; do
		touch_in "/tmp/s$i.ready"
		supervisor=$(supervisor_pid) || continue
		kill -KILL "$supervisor" || :
	done
	wait_output '^command up'
	let_go
	container_wait 30
	[ "$status" -eq 37 ]
	[ "$(count_output '^command up')" -eq 1 ]
	wait_output "^command finds$(printf ' /tmp/s%d.ready' 1 2 3 4 5 6 7 8)$"
	for i in 1 2 3 4 5 6 7 8; do
		[ "$(count_output "^s$i up")" -eq 1 ]
	done
}

@test "killed before it has seen a failure: the boot ends all the same" {
	good_service good
	finish_of good
	service task <<-'EOT'
	#!/bin/sh
	until [ -e /tmp/fail ]; do sleep 0.05; done
	echo "task ends"
	exit 4
	EOT
	setting task type oneshot
	starts
	wait_output '^good up'
	supervisor=$(supervisor_pid)
	kill -STOP "$supervisor"
	touch_in /tmp/fail
	wait_output '^task ends'
	kill -KILL "$supervisor"
	ends_with "task has failed"
	wait_output '^good finish -1 15$'
}

@test "killed while it waits, and told to stop meanwhile: 143" {
	gated web
	starts
	wait_output '^web up'
	supervisor=$(supervisor_pid)
	kill -STOP "$supervisor"
	container_kill TERM
	kill -KILL "$supervisor" || :
	container_wait 20
	[ "$status" -eq 143 ]
	no_output '^command up'
	wait_output '^web finish -1 15$'
}
