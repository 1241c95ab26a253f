#!/usr/bin/env bats
# Readiness by a program (check) and by a newline on a descriptor (notification-fd):
# starting becomes up when that has been said, and not before.

load ready

# checked NAME: its check says "NAME checked" and is content when there is /tmp/NAME.ready
checked() {
	good_service "$1"
	root_file "/etc/service/$1/check" 755 <<-EOT
	#!/bin/sh
	echo "$1 checked" >&2
	[ -e /tmp/$1.ready ]
	EOT
}

# --- check ----------------------------------------------------------------------------
@test "check is asked while the service starts, and no more" {
	local asked
	checked web
	checked slow
	root_file /etc/service/slow/down </dev/null
	checked off
	root_file /etc/service/off/down </dev/null
	container_start --
	wait_lines 3 '^web checked'
	_is web state starting
	touch_in /tmp/web.ready
	wait_for "it to be up" _is web state up
	asked=$(count_output '^web checked')
	# As long as it takes another to be asked until the pauses are longest.
	ctl 0 start slow --no-wait
	wait_lines 7 '^slow checked'
	[ "$(count_output '^web checked')" -eq "$asked" ]
	no_output '^off checked'
	# Each start is one.
	rm "$(container_file /tmp/web.ready)"
	ctl 0 restart web --no-wait
	wait_lines $((asked + 2)) '^web checked'
	_is web state starting
	ctl 0 stop web slow
	asked=$(count_output '^(web|slow) checked')
	checked_again
	[ "$(count_output '^(web|slow) checked')" -eq "$asked" ]
	[ "$(count_output '^slow up')" -eq 1 ]
}

# As long as 3 runs of the check of off take.
checked_again() {
	ctl 0 start off --no-wait
	wait_lines 5 '^off checked'
}

@test "check: in the service's directory and environment, without stdin and stdout" {
	good_service web
	mkdir -p "$ROOT/etc/service/web/env"
	echo value >"$ROOT/etc/service/web/env/VARIABLE"
	root_file /etc/service/web/check 755 <<-'EOT'
	#!/bin/sh
	echo "not to be seen"
	echo "check in $PWD, $VARIABLE, $(cat) $(readlink /proc/$$/fd/1)." >&2
	EOT
	container_start --
	wait_up web
	wait_output '^check in /etc/service/web, value,  /dev/null\.$'
	no_output 'not to be seen'
}

@test "check: one that hangs is killed, with what it has started, and asked again" {
	good_service web
	root_file /etc/service/web/check 755 <<-'EOT'
	#!/bin/sh
	if mkdir /tmp/first; then
		sleep 1000 &
		echo "check hangs $$ $!" >&2
		trap '' TERM
		wait
	fi
	EOT
	container_start --
	wait_output '^check hangs'
	local began=$(now_ms) pids pid
	pids=$(container_output | sed -n 's/^check hangs //p')
	_is web state starting
	wait_for "it to be up" _is web state up
	took "$began" 5000 20000
	for pid in $pids; do
		wait_for "the end of $pid" not runs "$pid"
	done
	[ "$(value web restarts)" -eq 0 ]
}

@test "check: one that cannot be executed is said once, and counts for nothing" {
	good_service plain
	root_file /etc/service/plain/check <<<$'#!/bin/sh\nexit 1'
	good_service lost
	root_file /etc/service/lost/check 755 <<<'#!/no/such/interpreter'
	good_service directory
	mkdir "$ROOT/etc/service/directory/check"
	container_start --
	wait_up plain lost directory
	local name
	for name in plain lost directory; do
		wait_output "^\*\*\* $name: /etc/service/$name/check.*; it counts for nothing$"
		[ "$(count_output "^\*\*\* .*/$name/check")" -eq 1 ]
		[ "$(count_output "^$name up")" -eq 1 ]
	done
}

@test "check: one that is killed has not said yes" {
	good_service web
	root_file /etc/service/web/check 755 <<-'EOT'
	#!/bin/sh
	echo "web checked" >&2
	[ -e /tmp/ready ] || kill -KILL $$
	EOT
	container_start --
	wait_lines 3 '^web checked'
	_is web state starting
	touch_in /tmp/ready
	wait_up web
}

@test "check: a service that ends while it is asked is started again" {
	service web <<-'EOT'
	#!/bin/sh
	echo "web up $$"
	mkdir /tmp/first || exec sleep 100000
	until [ -e /tmp/checking ]; do sleep 0.02; done
	exit 3
	EOT
	root_file /etc/service/web/check 755 <<-'EOT'
	#!/bin/sh
	[ ! -e /tmp/checking ] || exit 0
	echo "check waits $$" >&2
	mkdir /tmp/checking
	exec sleep 1000
	EOT
	container_start --
	wait_output '^check waits'
	local check
	check=$(container_output | sed -n 's/^check waits //p')
	wait_lines 2 '^web up'
	wait_for "it to be up" _is web state up
	wait_for "the end of check" not runs "$check"
	[ "$(value web restarts)" -eq 1 ]
}

# --- notification-fd --------------------------------------------------------------------
@test "notification-fd: a newline, whatever else is written, by whichever process" {
	local name
	talker plain
	talker word
	talker parts
	talker child
	talker equal
	for name in plain word parts child equal; do
		setting $name notification-fd 5
	done
	container_start --
	for name in plain word parts child equal; do
		wait_output "^$name up"
		_is $name state starting
	done
	# Other bytes are not enough.
	tell parts 'write(5, "almost"); tell("wrote")'
	wait_output '^parts wrote'
	tell plain 'write(5, "\n")'
	wait_for "plain to be up" _is plain state up
	_is parts state starting
	tell parts 'write(5, " there\n")'
	tell word 'write(5, "ready\n")'
	tell equal 'write(5, "ready=yes\n")'
	tell child 'subprocess.run(["sh", "-c", "(echo >&5) & wait"], pass_fds=[5])'
	for name in parts word child equal; do
		wait_for "$name to be up" _is $name state up
	done
	# Once is enough.
	tell plain 'write(5, "\n\n"); tell("still there")'
	wait_output '^plain still there'
	_is plain state up
}

@test "notification-fd: closed without a newline, it is not up, and not harmed" {
	talker web
	setting web notification-fd 5
	container_start --
	wait_output '^web up'
	tell web 'os.close(5); tell("closed")'
	wait_output '^web closed'
	ctl 6 wait web --timeout 0.2
	_is web state starting
	[ "$(value web restarts)" -eq 0 ]
	runs "$(said_pid web)"
}

@test "notification-fd: the descriptor is there, and no other" {
	local fd
	# The last that ls has is the directory that it reads.
	root_file /opt/descriptors 755 <<-'EOT'
	#!/bin/sh
	echo "$1" has $(ls /proc/self/fd | sort -n)
	EOT
	for fd in 3 4 9 100 1023; do
		service "fd$fd" <<-EOT
		#!/bin/bash
		/opt/descriptors fd$fd
		echo >&$fd
		exec sleep 100000
		EOT
		setting "fd$fd" notification-fd $fd
	done
	# Other programs of its directory have none.
	root_file /etc/service/fd9/finish 755 \
	    <<<$'#!/bin/sh\nexec /opt/descriptors finish'
	# Nor does it get lost on the way to another user.
	service as <<<$'#!/bin/bash\n/opt/descriptors as\necho >&9\nexec sleep 100000'
	setting as notification-fd 9
	setting as user nobody
	container_start --
	for fd in fd3 fd4 fd9 fd100 fd1023 as; do
		wait_for "$fd to be up" _is $fd state up
	done
	wait_output '^fd3 has 0 1 2 3 4$'
	wait_output '^fd4 has 0 1 2 3 4$'
	wait_output '^fd9 has 0 1 2 3 9$'
	wait_output '^as has 0 1 2 3 9$'
	wait_output '^fd100 has 0 1 2 3 100$'
	wait_output '^fd1023 has 0 1 2 3 1023$'
	ctl 0 stop fd9
	wait_output '^finish has 0 1 2 3$'
}

@test "notification-fd: what is no descriptor fails the service, and says so" {
	local names=(zero two large word negative empty) name
	for name in "${names[@]}"; do
		good_service $name
	done
	setting zero notification-fd 0
	setting two notification-fd 2
	setting large notification-fd 1024
	setting word notification-fd three
	setting negative notification-fd -1
	root_file /etc/service/empty/notification-fd </dev/null
	good_service good
	container_start --
	wait_up good
	for name in "${names[@]}"; do
		wait_for "$name to fail" _is "$name" state failed
		[[ $(value "$name" error) == notification-fd:* ]]
		no_output "^$name up"
	done
	[[ $(value two error) == *"a descriptor from 3 to 1023"* ]]
}

@test "notification-fd: what is left of the last run says nothing of the next" {
	service web <<-'EOT'
	#!/bin/bash
	echo "web up $$"
	mkdir /tmp/first || exec sleep 100000
	setsid -f bash -c 'until [ -e /tmp/write ]; do sleep 0.05; done
	    echo >&4
	    echo "the rest has written"'
	exit 3
	EOT
	setting web notification-fd 4
	root_file /etc/service/web/control/u 755 <<-'EOT'
	#!/bin/sh
	[ -e /tmp/first ] || exit
	echo "web waits"
	until [ -e /tmp/go ]; do sleep 0.05; done
	EOT
	container_start --
	wait_output '^web waits'
	touch_in /tmp/write
	wait_output '^the rest has written'
	ctl 1 signal CONT web
	_is web state starting
	let_go
	wait_lines 2 '^web up'
	ctl 3 status web
	line web "starting +$(said_pid web) .*"
}

@test "notification-fd: of two services each has its own" {
	talker a
	talker b
	setting a notification-fd 3
	setting b notification-fd 3
	container_start --
	wait_output '^a up'
	wait_output '^b up'
	tell b 'write(3, "\n")'
	wait_for "b to be up" _is b state up
	_is a state starting
	ctl 0 restart b --no-wait
	wait_lines 2 '^b up'
	tell a 'write(3, "\n")'
	wait_for "a to be up" _is a state up
	_is b state starting
}

# --- what waits for it ------------------------------------------------------------------
@test "dependents wait until it is ready, and so does initctl start" {
	local starting
	checked db
	good_service web
	setting web depends db
	root_file /etc/service/web/down </dev/null
	root_file /etc/service/db/down </dev/null
	container_start --
	wait_phase running
	container_exec initctl start web >"$OUTPUT/started" &
	starting=$!
	wait_lines 2 '^db checked'
	_is db state starting
	_is web state down
	no_output '^web up'
	[ ! -s "$OUTPUT/started" ]
	touch_in /tmp/db.ready
	wait "$starting"
	# It is up before it has said so.
	wait_output '^web up'
	[ "$(cat "$OUTPUT/started")" = "web: up (PID $(said_pid web))" ]
	_is db state up
	in_order '^db up' '^web up'
}

@test "initctl start fails where one that is tried again at once is never ready" {
	local began
	good_service web
	root_file /etc/service/web/down </dev/null
	root_file /etc/service/web/check 755 <<<$'#!/bin/sh\nexit 1'
	# Longer than a second is no quick death, so there is no back-off.
	setting web timeout-up 1500
	container_start --
	wait_phase running
	began=$(now_ms)
	ctl 1 start web --timeout 40
	[ "$err" = "*** web: not ready within 1500 ms (timeout-up)" ]
	took "$began" 2500 20000
	[ "$(count_output '^web up')" -le 3 ]
}

# --- timeout-up ---------------------------------------------------------------------------
@test "timeout-up: not ready in time, it is stopped and tried again, and says why" {
	service web <<-'EOT'
	#!/bin/bash
	trap 'echo "web told"; exit 0' TERM
	echo "web up $$"
	while :; do sleep 1000 & wait; done
	EOT
	finish_of web
	root_file /etc/service/web/check 755 <<<$'#!/bin/sh\n[ -e /tmp/ready ]'
	# Long enough for its trap, and short enough for a quick death.
	setting web timeout-up 600
	container_start --
	wait_output '^web told'
	wait_output '^web finish 0 0'
	wait_lines 2 '^web up'
	wait_output '^\*\*\* web: not ready within 600 ms \(timeout-up\); it is stopped$'
	[ "$(value web error)" = "not ready within 600 ms (timeout-up)" ]
	# It counts as a death, so that it is not tried ever faster.
	wait_for "it to wait for its next start" _is web state backoff
	# To be ready in so short a time is another matter.
	setting web timeout-up 30000
	touch_in /tmp/ready
	wait_for "it to be up" _is web state up
	ctl 0 status web
	line web 'up .*not ready within 600 ms \(timeout-up\)'
	# Asked for, the reason is forgotten.
	ctl 0 restart web
	[ "$(value web error)" = None ]
}

@test "timeout-up: with max-death-tally it fails, and so do those who wait" {
	good_service web
	root_file /etc/service/web/check 755 <<<$'#!/bin/sh\nexit 1'
	# Not run: it may be stopped before it has said anything.
	finish_of web
	setting web timeout-up 200
	setting web max-death-tally 2
	good_service front
	setting front depends web
	container_start --
	wait_for "it to fail" _is web state failed
	[ "$(count_output '^web finish -1 15$')" -eq 2 ]
	[[ $(value web error) == "run has ended 2 times "*"(max-death-tally)" ]]
	_is front state down
	ctl 1 start web
	[ "$err" = "*** web: not ready within 200 ms (timeout-up)" ]
	wait_for "it to fail again" _is web state failed
	no_output '^front up'
	not runs "$(said_pid web)"
}

@test "timeout-up: restart never fails at the first time" {
	good_service web
	root_file /etc/service/web/check 755 <<<$'#!/bin/sh\nexit 1'
	setting web timeout-up 200
	setting web restart never
	container_start --
	wait_for "it to fail" _is web state failed
	[ "$(value web error)" = "not ready within 200 ms (timeout-up)" ]
	[ "$(value web restarts)" -eq 0 ]
}

@test "timeout-up: ready in time, it is over" {
	local began
	good_service web
	root_file /etc/service/web/check 755 <<<$'#!/bin/sh\n[ -e /tmp/ready ]'
	setting web timeout-up 4000
	good_service late
	root_file /etc/service/late/check 755 <<<$'#!/bin/sh\nexit 1'
	setting late timeout-up 5000
	touch "$ROOT/tmp/ready"
	container_start --
	wait_for "it to be up" _is web state up
	# The other one's time is over: this one's has long been.
	wait_output '^\*\*\* late: not ready within 5000 ms'
	_is web state up
	[ "$(count_output '^web up')" -eq 1 ]
}

# --- the supervisor is killed ---------------------------------------------------------------
@test "killed while it starts: it is asked by the next one, and not beside the last" {
	good_service web
	root_file /etc/service/web/check 755 <<-'EOT'
	#!/bin/sh
	echo "check asks $$" >&2
	[ -e /tmp/ready ] || exec sleep 1000
	EOT
	container_start --
	wait_output '^check asks'
	local check
	check=$(container_output | sed -n 's/^check asks //p')
	restart_supervisor
	wait_lines 2 '^check asks'
	wait_for "the first check's end" not runs "$check"
	_is web state starting
	touch_in /tmp/ready
	# The one that hangs is not waited for.
	restart_supervisor
	wait_for "it to be up" _is web state up
	[ "$(count_output '^web up')" -eq 1 ]
	wait_for "no sleep but its own" _one_sleep
	# And once it is up, killed again, nobody asks.
	local asked
	asked=$(count_output '^check asks')
	restart_supervisor
	ctl 0 status web
	[ "$(count_output '^check asks')" -eq "$asked" ]
}

_one_sleep() {
	[ "$(container_exec pgrep -xc sleep)" -eq 1 ]
}

@test "killed while it starts: timeout-up holds from the start on" {
	local began
	good_service web
	root_file /etc/service/web/check 755 <<<$'#!/bin/sh\nexit 1'
	setting web timeout-up 8000
	setting web restart never
	container_start --
	wait_output '^web up'
	began=$(now_ms)
	ctl 6 wait web --timeout 5
	restart_supervisor
	_is web state starting
	wait_for "it to fail" _is web state failed
	# Not so long after the next supervisor's beginning.
	took "$began" 6000 12000
	[ "$(value web error)" = "not ready within 8000 ms (timeout-up)" ]
	[ "$(count_output '^web up')" -eq 1 ]
}

@test "killed between the newline and its reading: it is read by the next one" {
	talker web
	setting web notification-fd 7
	good_service front
	setting front depends web
	container_start --
	wait_output '^web up'
	restart_supervisor
	_is web state starting
	kill -STOP "$supervisor"
	tell web 'write(7, "\n"); tell("written")'
	wait_output '^web written'
	kill -KILL "$supervisor"
	wait_for "it to be up" _is web state up
	wait_up front
	[ "$(count_output '^web up')" -eq 1 ]
	restart_supervisor
	_is web state up
	# Its next start is to one of the next supervisor's sockets.
	ctl 0 restart web --no-wait
	wait_lines 2 '^web up'
	_is web state starting
	tell web 'write(7, "\n")'
	wait_for "it to be up" _is web state up
}
