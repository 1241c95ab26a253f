#!/usr/bin/env bats
# Liveness: a program that looks whether a service does its work (health), and a service
# that has to say so itself (timeout-watchdog).  Who does not is started again.

load ready

# healthy NAME: its health says "NAME asked, CODE" and ends with that: with the codes that
# codes has written, one after the other, and then 0.  It says VIOLATION if the one before
# still runs.  (In bash alone, because it is to be fast.)
healthy() {
	good_service "$1"
	root_file "/etc/service/$1/health" 755 <<-EOT
	#!/bin/bash
	$ALONE
	n=0 codes=()
	[ ! -e /tmp/$1.n ] || read -r n </tmp/$1.n
	[ ! -e /tmp/$1.codes ] || mapfile -t codes </tmp/$1.codes
	[ "\$n" -ge "\${#codes[@]}" ] || echo \$((n + 1)) >/tmp/$1.n
	echo "$1 asked, \${codes[n]:-0}" >&2
	exit "\${codes[n]:-0}"
	EOT
	setting "$1" health-interval "${2-1s}"
}

ALONE='last=/tmp/${PWD##*/}.last
[ ! -e $last ] || ! kill -0 "$(<$last)" 2>/dev/null ||
    echo "VIOLATION: two at once" >&2
echo $$ >$last'

# codes NAME CODE...: how the next runs end
codes() {
	local file
	file=$(container_file "/tmp/$1.codes")
	shift
	printf '%s\n' "$@" >>"$file"
}

asked() {
	count_output "^$1 asked"
}

# --- health -----------------------------------------------------------------------------
@test "health: three failures in a row restart it, and status says why" {
	local pid
	healthy web
	finish_of web
	container_start --
	wait_up web
	pid=$(said_pid web)
	wait_lines 2 '^web asked, 0$'
	codes web 1 2 0 3 4 0 1
	# One that is well in between is a new beginning.
	wait_output '^web asked, 4$'
	wait_lines 2 '^web asked, 1$'
	local n=$(asked web)
	wait_lines $((n + 2)) '^web asked'
	_is web pid "$pid"
	[ "$(value web error)" = None ]
	codes web 5 6 7
	wait_lines 2 '^web up'
	wait_output '^web finish -1 15$'
	wait_output '^\*\*\* web: health failed 3 times in a row: the last ended with exit code 7; it is stopped$'
	[ "$(value web error)" = \
	    "health failed 3 times in a row: the last ended with exit code 7" ]
	wait_for "it to be up" _is web state up
	[ "$(value web restarts)" -eq 1 ]
	ctl 0 status web
	line web 'up .*health failed 3 times in a row: .* 7'
	n=$(asked web)
	wait_lines $((n + 1)) '^web asked, 0$'
	no_output VIOLATION
	# It had been up for a while, and is a failure all the same.
	ctl 0 restart web
	[ "$(value web error)" = None ]
}

@test "health-threshold: after so many" {
	healthy one
	setting one health-threshold 1
	healthy five
	setting five health-threshold 5
	container_start --
	wait_up one five
	codes five 1 1 1 1 0 1 1 1 1 1
	codes one 1
	wait_lines 2 '^one up'
	[ "$(value one error)" = \
	    "health failed 1 times in a row: the last ended with exit code 1" ]
	wait_lines 2 '^five up'
	[ "$(count_output '^five asked, 1$')" -eq 9 ]
}

@test "health: one that hangs is killed at its limit, and has failed" {
	local pid pids
	good_service web
	# Not the script alone.
	root_file /etc/service/web/health 755 <<-EOT
	#!/bin/bash
	$ALONE
	trap '' TERM
	sleep 100000 &
	echo "health hangs \$\$ \$!" >&2
	wait
	EOT
	setting web health-interval 2s
	setting web health-threshold 2
	container_start --
	wait_up web
	wait_lines 2 '^web up'
	[ "$(value web error)" = \
	    "health failed 2 times in a row: the last did not end in time" ]
	ctl 0 stop web
	pids=$(container_output | sed -n 's/^health hangs //p')
	[ "$(wc -w <<<"$pids")" -ge 4 ]
	for pid in $pids; do
		wait_for "the end of $pid" not runs "$pid"
	done
	no_output VIOLATION
}

@test "health: one that is killed by a signal has failed" {
	good_service web
	root_file /etc/service/web/health 755 <<<$'#!/bin/sh\nkill -9 $$'
	setting web health-interval 2s
	container_start --
	wait_lines 2 '^web up'
	[ "$(value web error)" = \
	    "health failed 3 times in a row: the last ended by signal 9" ]
}

@test "health: one that cannot be executed is said once, and counts for nothing" {
	good_service web
	root_file /etc/service/web/health <<<$'#!/bin/sh\nexit 1'
	setting web health-interval 300ms
	setting web health-threshold 1
	healthy clock
	container_start --
	wait_up web
	wait_lines 3 '^clock asked'
	wait_output '^\*\*\* web: /etc/service/web/health.*; it counts for nothing$'
	[ "$(count_output '^\*\*\* .*/web/health')" -eq 1 ]
	[ "$(count_output '^web up')" -eq 1 ]
	# Made executable, it is asked.
	container_exec chmod +x /etc/service/web/health
	wait_lines 2 '^web up'
}

@test "health: none while it starts, stops or is down" {
	local n
	healthy web
	root_file /etc/service/web/check 755 <<<$'#!/bin/sh\n[ -e /tmp/ready ]'
	service web <<-'EOT'
	#!/bin/bash
	trap 'echo "web told"; until [ -e /tmp/go ]; do sleep 0.05; done; exit 0' TERM
	echo "web up $$"
	while :; do sleep 1000 & wait; done
	EOT
	root_file /etc/service/web/finish 755 <<-'EOT'
	#!/bin/sh
	echo "web finish"
	until [ -e /tmp/finished ]; do sleep 0.05; done
	EOT
	healthy clock
	container_start --
	wait_output '^web up'
	passes
	_is web state starting
	[ "$(asked web)" -eq 0 ]
	touch_in /tmp/ready
	wait_for "it to be up" _is web state up
	wait_lines 2 '^web asked'
	ctl 0 stop web --no-wait
	wait_output '^web told'
	n=$(asked web)
	passes
	_is web state stopping
	[ "$(asked web)" -eq "$n" ]
	let_go
	wait_output '^web finish'
	passes
	_is web state finishing
	touch_in /tmp/finished
	wait_down web
	passes
	[ "$(asked web)" -eq "$n" ]
	no_output VIOLATION
}

# Some intervals, by the other's.
passes() {
	wait_lines $(($(asked clock) + 3)) '^clock asked'
}

@test "health: one that runs when the service is stopped is ended with it" {
	good_service web
	root_file /etc/service/web/health 755 <<-'EOT'
	#!/bin/sh
	echo "health runs $$" >&2
	exec sleep 100000
	EOT
	setting web health-interval 5s
	container_start --
	wait_output '^health runs'
	local health=$(container_output | sed -n 's/^health runs //p')
	runs "$health"
	ctl 0 stop web
	wait_for "its end" not runs "$health"
	[ "$(value web error)" = None ]
}

@test "health: every 10 s, unless health-interval says otherwise" {
	local began
	healthy web
	rm "$ROOT/etc/service/web/health-interval"
	container_start --
	wait_up web
	began=$(now_ms)
	ctl 6 wait web --down --timeout 7
	[ "$(asked web)" -eq 0 ]
	wait_output '^web asked, 0$'
	took "$began" 8000 20000
}

@test "health: restart never and max-death-tally end in failed" {
	healthy never
	setting never restart never
	healthy tally
	setting tally max-death-tally 2
	setting tally health-threshold 2
	container_start --
	wait_up never tally
	codes never 1 1 1
	codes tally 1 1 1 1
	wait_for "never to fail" _is never state failed
	[[ $(value never error) == "health failed 3 times in a row: "* ]]
	wait_for "tally to fail" _is tally state failed
	[[ $(value tally error) == "run has ended 2 times "* ]]
	[ "$(count_output '^tally up')" -eq 2 ]
	[ "$(count_output '^never up')" -eq 1 ]
}

@test "health: who has none, and a check that has been content, cost no wake-up" {
	local before after
	good_service plain
	good_service checked
	root_file /etc/service/checked/check 755 <<<$'#!/bin/sh\nexit 0'
	talker web
	setting web type notify
	container_start --
	wait_up plain checked
	wait_output '^web up'
	tell web 'say("READY=1")'
	wait_for "it to be up" _is web state up
	supervisor=$(supervisor_pid)
	wait_for "the gate's end" no_gate
	# That is an event, and what has been said before is another.
	wait_supervised plain checked web
	wait_for "the supervisor to rest" rests
	sleep 2.5
	after=$(switches)
	[ "$before" = "$after" ] || fail "woken: $before, $after"
	# The measure works: an event does count.
	tell web 'say("STATUS=here")'
	wait_for "it to be read" woken
}

woken() {
	[ "$(switches)" != "$before" ]
}

@test "health: killed, the next supervisor goes on, and not beside what was asked" {
	local pid n
	healthy web
	good_service hanging
	root_file /etc/service/hanging/health 755 <<-'EOT'
	#!/bin/bash
	trap '' TERM
	sleep 100000 &
	echo "hangs $$ $!" >&2
	wait
	EOT
	setting hanging health-interval 8s
	container_start --
	wait_up web
	wait_output '^hangs'
	pid=$(said_pid web)
	n=$(asked web)
	restart_supervisor
	for pid in $(container_output | sed -n 's/^hangs //p'); do
		wait_for "the end of $pid" not runs "$pid"
	done
	wait_lines $((n + 2)) '^web asked, 0$'
	codes web 1 1 1
	wait_lines 2 '^web up'
	[[ $(value web error) == "health failed 3 times in a row: "* ]]
	[ "$(count_output '^hanging up')" -eq 1 ]
	# Why it was restarted is known to the next one, too.
	restart_supervisor
	[[ $(value web error) == "health failed 3 times in a row: "* ]]
	no_output VIOLATION
}

@test "health: killed while a service that was unhealthy is being stopped" {
	healthy web
	service web <<-'EOT'
	#!/bin/bash
	trap 'echo "web told"; until [ -e /tmp/go ]; do sleep 0.05; done; exit 0' TERM
	echo "web up $$"
	while :; do sleep 1000 & wait; done
	EOT
	setting web restart never
	container_start --
	wait_up web
	codes web 1 1 1
	wait_output '^web told'
	restart_supervisor
	_is web state stopping
	let_go
	# It has ended with 0, and it is a failure, and nobody has asked for it.
	wait_for "it to fail" _is web state failed
	[[ $(value web error) == "health failed 3 times in a row: "* ]]
	[ "$(count_output '^web told')" -eq 1 ]
}

# --- the watchdog -------------------------------------------------------------------------
# Says WATCHDOG=1 every 200 ms, but for a while with hush.
watched() {
	talker "$1"
	setting "$1" type notify
	setting "$1" timeout-watchdog "$2"
}

BEAT='signal.signal(signal.SIGALRM, lambda *_: say("WATCHDOG=1"))'
BEATING='signal.setitimer(signal.ITIMER_REAL, 0.2, 0.2)'
SILENT='signal.setitimer(signal.ITIMER_REAL, 0)'

@test "watchdog: who is silent for too long is started again, and status says why" {
	local pid
	watched web 3000
	finish_of web
	container_start --
	wait_output '^web up'
	pid=$(said_pid web)
	# Not before it is up.
	ctl 6 wait web --timeout 4
	_is web state starting
	tell web "$BEAT"
	tell web 'tell("within", os.environ["WATCHDOG_USEC"]); say("READY=1")'
	tell web "$BEATING"
	wait_for "it to be up" _is web state up
	wait_output '^web within 3000000$'
	ctl 6 wait web --down --timeout 5
	_is web pid "$pid"
	# What others say is not its word.
	tell web "$SILENT"
	wait_output '^web finish -1 15$'
	wait_lines 2 '^web up'
	wait_output '^\*\*\* web: no WATCHDOG=1 within 3000 ms; it is stopped$'
	[ "$(value web error)" = "no WATCHDOG=1 within 3000 ms" ]
	[ "$(value web restarts)" -eq 1 ]
	ctl 3 status web
	line web 'starting .*no WATCHDOG=1 within 3000 ms'
	tell web "$BEAT"
	tell web "$BEATING"
	tell web 'say("READY=1")'
	wait_for "it to be up" _is web state up
	tell web 'say("WATCHDOG=trigger")'
	wait_lines 3 '^web up'
	[ "$(value web error)" = "it said WATCHDOG=trigger" ]
}

@test "watchdog: somebody else's word does not count" {
	watched web 2500
	watched other 100000
	container_start --
	wait_output '^web up'
	wait_output '^other up'
	tell other "$BEAT"
	tell other "$BEATING"
	tell other 'tell("beats")'
	wait_output '^other beats'
	tell web 'say("READY=1")'
	# It has been up then: before it is, nothing is expected of it.
	wait_lines 2 '^web up'
	[ "$(value web error)" = "no WATCHDOG=1 within 2500 ms" ]
}

@test "watchdog: WATCHDOG_USEC changes the time, until its next start" {
	local pid
	watched web 2000
	talker free
	setting free type notify
	container_start --
	wait_output '^web up'
	wait_output '^free up'
	pid=$(said_pid web)
	# Said before it is ready, it counts then.
	tell web 'say("WATCHDOG_USEC=3600000000\nREADY=1")'
	wait_for "it to be up" _is web state up
	ctl 6 wait web --down --timeout 3
	restart_supervisor
	ctl 6 wait web --down --timeout 3
	_is web pid "$pid"
	# None at all.
	tell web 'say("WATCHDOG_USEC=0")'
	ctl 6 wait web --down --timeout 3
	restart_supervisor
	tell web 'say("STATUS=well")'
	ctl 6 wait web --down --timeout 3
	_is web pid "$pid"
	_is web says well
	# One without a file can have one.
	tell free 'say("READY=1\nWATCHDOG_USEC=1")'
	wait_lines 2 '^free up'
	[ "$(value free error)" = "no WATCHDOG=1 within 1 ms" ]
	# Started again, the file counts.
	ctl 0 restart web --no-wait
	wait_lines 2 '^web up'
	tell web 'say("READY=1")'
	wait_lines 3 '^web up'
	[ "$(value web error)" = "no WATCHDOG=1 within 2000 ms" ]
	# And to the other nothing.
	tell free 'say("READY=1")'
	wait_for "it to be up" _is free state up
	ctl 6 wait free --down --timeout 1
	[ "$(count_output '^free up')" -eq 2 ]
}

@test "watchdog: the next supervisor counts anew, and does count" {
	local pid
	watched web 3000
	container_start --
	wait_output '^web up'
	pid=$(said_pid web)
	tell web "$BEAT"
	tell web "$BEATING"
	tell web 'say("READY=1")'
	wait_for "it to be up" _is web state up
	restart_supervisor
	restart_supervisor
	ctl 6 wait web --down --timeout 4
	_is web pid "$pid"
	kill -STOP "$supervisor"
	tell web "$SILENT"
	kill -KILL "$supervisor"
	wait_lines 2 '^web up'
	[ "$(value web error)" = "no WATCHDOG=1 within 3000 ms" ]
}

@test "watchdog: none while it stops" {
	watched web 3000
	setting web timeout-kill 30000
	container_start --
	wait_output '^web up'
	tell web "$BEAT"
	tell web "$BEATING"
	tell web 'signal.signal(signal.SIGTERM, lambda *_: tell("told"))'
	tell web 'say("READY=1")'
	wait_for "it to be up" _is web state up
	ctl 0 stop web --no-wait
	wait_output '^web told'
	tell web "$SILENT"
	ctl 6 wait web --down --timeout 5
	_is web state stopping
	tell web 'say("WATCHDOG=trigger"); os._exit(0)'
	wait_down web
	[ "$(value web error)" = None ]
	no_output '^\*\*\* web'
}

@test "watchdog: a service that cannot be heard is said not to be able to have one" {
	good_service web
	setting web timeout-watchdog 1000
	good_service good
	container_start --
	wait_up good
	wait_for "it to fail" _is web state failed
	[[ $(value web error) == "timeout-watchdog: only the type notify "* ]]
	no_output '^web up'
}
