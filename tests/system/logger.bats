#!/usr/bin/env bats
# log/run: a service's logger, beside runit's runsv where it has the same (see sv.bash).

load sv

# A service's logger, from stdin.
logger() {
	root_file "/etc/service/$1/log/run" 755
}

# One that writes what it reads to /tmp/NAME.log.
cat_logger() {
	logger "$1" <<<$'#!/bin/sh\nexec cat >>/tmp/'"$1"'.log'
}

log_of() {
	container_file "/tmp/$1.log"
}

# A line that matches is in the log of a service.
wait_log() {
	wait_for "$2 in the log of $1" grep -qsE -e "$2" "$(log_of "$1")"
}

# A service that writes a line to its stdout for each one in /tmp/NAME.say, and says to
# stderr that it has begun.
talker() {
	: >"$ROOT/tmp/$1.say"
	service "$1" <<-EOF
	#!/bin/sh
	echo "$1 up \$\$" >&2
	exec tail -n +1 -F /tmp/$1.say 2>/dev/null
	EOF
}

say() {
	seq -f "$2 %g" "$3" >>"$(container_file "/tmp/$1.say")"
}

# Every line of it is in the log, once and in order.
all_said() {
	wait_for "all that $1 says of $2" _all_said "$@"
}

_all_said() {
	[ "$(grep "^$2 " "$(log_of "$1")")" = "$(seq -f "$2 %g" "$3")" ]
}

@test "as runsv's: run, finish and control/t write to svlogd; stderr is elsewhere" {
	local directory
	both a <<-'EOS'
	#!/bin/sh
	trap 'echo "a ends"; exit 3' TERM
	echo "a up $$" >&2
	echo "a writes"
	while :; do sleep 0.05; done
	EOS
	both_file a/finish <<<$'#!/bin/sh\necho "finish $*"'
	mkdir -p "$ROOT"/{etc/service,srv/runit}/a/{log/main,control}
	both_file a/control/t <<<$'#!/bin/sh\necho "control t"\nexit 1'
	both_file a/log/run <<<$'#!/bin/sh\nexec svlogd -tt ./main'
	begin
	wait_ups 1 a
	wait_for 'runit to log' grep -qs writes "$ROOT/srv/runit/a/log/main/current"
	wait_for 'us to log' grep -qs writes "$ROOT/etc/service/a/log/main/current"
	runits sv -w 5 stop a
	ctl 0 stop a
	wait_for 'runit to log the end' grep -qs finish \
	    "$ROOT/srv/runit/a/log/main/current"
	container_kill TERM
	container_wait
	[ "$status" -eq 0 ]
	for directory in etc/service srv/runit; do
		[ "$(sed 's/^[^ ]* //' "$ROOT/$directory/a/log/main/current")" = \
		    $'a writes\ncontrol t\na ends\nfinish 3 0' ]
	done
	no_output '^a writes'
}

@test "a logger is a service: it has a state, is restarted, stopped and started" {
	talker a
	cat_logger a
	container_start --
	wait_up a
	wait_for "a/log to be up" _is a/log state up
	say a first 3
	all_said a first 3
	local pid
	pid=$(pid_of a/log)
	container_exec kill -KILL "$pid"
	wait_for "another logger" _is a/log restarts 1
	say a second 3
	all_said a second 3
	ctl 0 stop a/log
	say a third 3
	ctl 0 start a/log
	all_said a third 3
	[ "$(value a restarts)" = 0 ]
	[ "$(count_output '^a up')" -eq 1 ]
}

@test "without a logger nobody gets a SIGPIPE, and what is written waits for one" {
	talker a
	logger a <<<'no script'
	container_start --
	wait_up a
	wait_for "a/log not to start" _is a/log state backoff
	local pid
	pid=$(pid_of a)
	say a line 1000
	container_exec initctl stop a/log
	cat_logger a
	# Its root by now is that of the container.
	printf '#!/bin/sh\nexec cat >>/tmp/a.log\n' >"$(container_file /etc/service/a/log/run)"
	ctl 0 start a/log
	all_said a line 1000
	[ "$(pid_of a)" = "$pid" ]
}

@test "supervisor and logger killed at once: no line is lost, the service goes on" {
	talker a
	cat_logger a
	container_start --
	wait_up a
	say a first 10
	all_said a first 10
	local pid supervisor
	pid=$(pid_of a)
	supervisor=$(supervisor_pid)
	kill -STOP "$supervisor"
	container_exec pkill -KILL -x cat
	say a second 500
	kill -KILL "$supervisor"
	all_said a second 500
	say a third 10
	all_said a third 10
	[ "$(pid_of a)" = "$pid" ]
	[ "$(count_output '^a up')" -eq 1 ]
}

@test "at the end a logger ends last, when it has read everything" {
	service a <<-'EOS'
	#!/bin/sh
	trap 'seq -f "last %g" 300; exit' TERM
	echo "a up $$" >&2
	while :; do sleep 0.05; done
	EOS
	finish_of a
	logger a <<-'EOS'
	#!/bin/sh
	trap '' TERM
	while read -r line; do
		case $line in *00) sleep 0.2 ;; esac
		echo "$line" >>/srv/a.log
	done
	echo "end of file" >>/srv/a.log
	EOS
	container_start --
	wait_up a
	container_kill TERM
	container_wait
	[ "$status" -eq 0 ]
	[ "$(cat "$ROOT/srv/a.log")" = \
	    "$(seq -f 'last %g' 300; echo a finish 0 0; echo end of file)" ]
	no_output 'Forcing'
}

@test "supervisor killed while a logger reads the rest: it comes to the end of it" {
	talker a
	cat_logger a
	container_start --
	wait_up a
	wait_for "a/log to be up" _is a/log state up
	local pid start supervisor
	pid=$(pid_of a/log)
	container_exec kill -STOP "$pid"
	say a line 100
	container_kill TERM
	wait_for "a to be down" _is a state down
	wait_for "a/log to be waited for" _is a/log state stopping
	restart_supervisor
	start=$(now_ms)
	# The end may come before that of this command.
	container_exec kill -CONT "$pid" || :
	container_wait 40
	took "$start" 0 15000
	no_output 'Forcing'
}

@test "another user opens stdout anew, as by /dev/stdout" {
	service a <<-'EOS'
	#!/bin/sh
	echo "a up $$" >&2
	exec setpriv --reuid=65534 --regid=65534 --clear-groups \
	    sh -c 'echo opened >/proc/self/fd/1; exec sleep 100000'
	EOS
	cat_logger a
	container_start --
	wait_up a
	wait_log a '^opened$'
}

@test "a service that is down has its logger, unless there is log/down" {
	talker a
	cat_logger a
	: >"$ROOT/etc/service/a/down"
	talker b
	cat_logger b
	: >"$ROOT/etc/service/b/log/down"
	container_start --
	wait_up b
	wait_for "a/log to be up" _is a/log state up
	[ "$(value a state)" = down ]
	[ "$(value b/log state)" = down ]
	say b line 5
	ctl 0 start b/log
	all_said b line 5
}

@test "a service that is removed: its logger reads the rest, and is removed too" {
	talker a
	cat_logger a
	container_start --
	wait_up a
	wait_for "a/log to be up" _is a/log state up
	say a line 100
	all_said a line 100
	container_exec mv /etc/service/a /srv/a
	wait_unknown a
	wait_unknown a/log
	wait_for "no pipe" container_exec test ! -e /run/my_init/pipes/a
	no_output 'Forcing'
	container_exec mv /srv/a /etc/service/a
	wait_lines 2 '^a up'
	say a again 5
	all_said a again 5
}

@test "one of a startup script has its logger to the end" {
	talker early
	cat_logger early
	good_service other
	startup_script 10 <<<$'#!/bin/sh\ninitctl start early && echo started'
	container_start --
	wait_output '^started'
	wait_up other
	say early line 5
	all_said early line 5
	container_kill TERM
	container_wait
	[ "$status" -eq 0 ]
	no_output 'Forcing'
}

@test "no pipe can be made: said once, and the output is the container's" {
	talker a
	cat_logger a
	mkdir -p "$ROOT/run/my_init"
	: >"$ROOT/run/my_init/pipes"
	container_start --
	wait_up a
	wait_output '^\*\*\* a: there is no pipe for log/run: .*'
	say a line 3
	wait_lines 3 '^line'
}

@test "what is in /run is removed, at boot and later: loggers and socket are there" {
	talker a
	cat_logger a
	talker b
	cat_logger b
	: >"$ROOT/etc/service/b/down"
	startup_script 10 <<<$'#!/bin/sh\nrm -rf /run/*'
	startup_script 20 <<<$'#!/bin/sh\ninitctl start a'
	container_start --
	wait_up a
	wait_phase running
	say a first 10
	all_said a first 10
	# It may be filled again before it is empty.
	container_exec rm -rf /run/my_init || :
	wait_lines 2 'has been removed or replaced; making it again'
	wait_for "a/log to be up" _is a/log state up
	container_exec kill -KILL "$(pid_of a/log)"
	say a second 10
	all_said a second 10
	ctl 0 start b
	say b line 10
	all_said b line 10
	no_output 'no pipe|cannot be set'
}
