#!/usr/bin/env bats
# Services that a startup script starts by name, before the others: they run at once,
# and end last.

load initctl

# A service that says when it is told to end: "NAME up PID", "NAME ends".
ending_service() {
	service "$1" <<-EOF
	#!/bin/sh
	trap 'echo "$1 ends"; exit 0' TERM
	echo "$1 up \$\$ FOO=\$FOO"
	: >/tmp/$1.up
	while :; do sleep 0.05; done
	EOF
}

# The pid that such a service said last.
its_pid() {
	container_output | sed -n "s/^$1 up \([0-9]*\) .*/\1/p" | tail -n 1
}

ups() {
	count_output "^$1 up"
}

@test "started by a startup script: up at once, with the environment as it is then" {
	ending_service syslog
	ending_service other
	ending_service sv
	: >"$ROOT/etc/service/syslog/down"
	startup_script 10 <<<$'#!/bin/sh\nprintf ten >/etc/container_environment/FOO'
	startup_script 20 <<-'EOF'
	#!/bin/sh
	initctl start syslog; echo "start: $?"
	initctl status syslog; echo "status: $?"
	initctl start syslog other-name; echo "start: $?"
	sv start sv; echo "sv start: $?"
	printf twenty >/etc/container_environment/FOO
	EOF
	startup_script 30 <<<$'#!/bin/sh\necho "30 runs"'
	container_start --
	wait_output '^other up'
	in_order '^start: 0$' '^status: 0$' '^start: 4$' \
	    '^ok: run: sv: \(pid [0-9]+\) [0-9]+s$' '^sv start: 0$' '^30 runs$' \
	    '^other up [0-9]+ FOO=twenty$'
	wait_output '^syslog up [0-9]+ FOO=ten$'
	wait_output '^sv up [0-9]+ FOO=ten$'
	# The scan has found them there.
	ctl 0 rescan
	[ "$out" = "0 services added, 0 removed" ]
	[ "$(ups syslog)" -eq 1 ]
	[ "$(ups sv)" -eq 1 ]
	_is syslog pid "$(its_pid syslog)"
	# From now on they come and go as any other.
	ctl 0 restart syslog
	wait_output '^syslog up [0-9]+ FOO=twenty$'
	container_exec mv /etc/service/syslog /srv/
	wait_unknown syslog
}

@test "what exists by then can be asked for everything; the rest is not there yet" {
	ending_service early
	ending_service late
	root_file /etc/rc.local 755 <<-'EOF'
	#!/bin/sh
	initctl stop early; echo "stop: $?"
	initctl once early; echo "once: $?"
	initctl restart early; echo "restart: $?"
	initctl signal CONT early; echo "signal: $?"
	initctl stop early; echo "stop: $?"
	initctl status early; echo "status: $?"
	for verb in stop restart reload; do
		initctl $verb late; echo "late $verb: $?"
	done
	initctl start 'lat*'; echo "pattern: $?"
	initctl rescan; echo "rescan: $?"
	EOF
	container_start --
	wait_output '^rescan: '
	in_order '^stop: 1$' '^once: 0$' '^restart: 0$' \
	    '^signal: 0$' '^stop: 0$' '^status: 3$' '^late stop: 1$' \
	    '^late restart: 1$' '^late reload: 1$' '^pattern: 1$' '^rescan: 1$'
	wait_up late
	# It was stopped, and stays so.
	_is early state down
	_is early restarts 1
}

@test "only what could be a service: no file, no dot, nothing outside" {
	local name
	ending_service .hidden
	ending_service good
	ending_service link
	mv "$ROOT/etc/service/link" "$ROOT/srv/link"
	ln -s /srv/link "$ROOT/etc/service/link"
	root_file /etc/service/file </dev/null
	ln -s file "$ROOT/etc/service/file-link"
	mkfifo "$ROOT/etc/service/fifo"
	mkdir "$ROOT/srv/outside"
	startup_script 10 <<-'EOF'
	#!/bin/sh
	echo "script begins"
	until [ -e /tmp/go ]; do sleep 0.05; done
	EOF
	cp "$BATS_TEST_DIRNAME"/rpc*.py "$ROOT/usr/local/lib/"
	container_start --
	wait_output '^script begins'
	for name in .hidden . .. ../service/good ../../srv/outside good/ good/run /etc/service/good \
	    file file-link fifo none "$(printf '%0103d' 0)"; do
		says "$name unknown_service" start "names=$name" ||
		    fail "$name is taken for a service"
		says "$name unknown_service" once "names=$name"
	done
	says "error bad_request" start "names=$(printf '%0104d' 0)"
	says 'link ok' once names=link
	says 'good ok' start names=good
	shows good 'up up' state want
	let_go
	wait_phase running
	wait_up good link
	ctl 0 status
	[ "$(grep -c . <<<"$out")" -eq 3 ]
	[ "$(ups good)" -eq 1 ]
	no_output '^.hidden up'
}

@test "they end last: after all others, and the post-shutdown scripts" {
	ending_service syslog
	ending_service other
	finish_of syslog
	finish_of other
	startup_script 10 <<<$'#!/bin/sh\ninitctl start syslog'
	# It hears TERM when it has said that it is up.
	shutdown_script pre 10 <<-'EOF'
	#!/bin/sh
	rm /tmp/syslog.up
	initctl restart syslog
	until [ -e /tmp/syslog.up ]; do sleep 0.05; done
	echo pre
	EOF
	shutdown_script post 10 <<-'EOF'
	#!/bin/sh
	initctl status syslog; echo "post status: $?"
	initctl start other; echo "post start: $?"
	EOF
	container_start -- -- sh -c 'echo "command up"
	    until [ -e /tmp/go ]; do sleep 0.05; done; exit 9'
	wait_for "syslog" container_exec test -e /tmp/syslog.up
	wait_output '^other up'
	wait_output '^command up'
	let_go
	container_wait
	[ "$status" -eq 9 ]
	in_order '^command up' '^pre$' '^other ends$' '^other finish 0 0$' \
	    '^post status: 0$' '^post start: 1$' '^\*\*\* Killing all'
	[ "$(count_output '^syslog ends$')" -eq 2 ]
	[ "$(container_output | grep -nE '^(post start|syslog finish)' | tail -n 1 |
	    cut -d: -f2)" = 'syslog finish 0 0' ]
}

@test "a boot that is cut short, or fails, stops them, too" {
	local how code
	ending_service syslog
	finish_of syslog
	shutdown_script post 10 <<<$'#!/bin/sh\necho "post"'
	for how in 'exec sleep 100000' 'exit 33' 'kill -KILL $$'; do
		startup_script 20 <<-EOF
		#!/bin/sh
		rm -f /tmp/syslog.up
		initctl start syslog
		until [ -e /tmp/syslog.up ]; do sleep 0.05; done
		echo "20 waits"
		$how
		EOF
		container_start --
		wait_output '^20 waits$'
		case $how in
		exec*) code=0; container_kill TERM ;;
		exit*) code=33 ;;
		*) code=137 ;;
		esac
		container_wait 10
		[ "$status" -eq $code ]
		in_order '^20 waits$' '^post$' '^syslog ends$' \
		    '^syslog finish 0 0$' '^\*\*\* Killing all'
		[ "$(ups syslog)" -eq 1 ]
	done
}

@test "one that does not end has its time, and no more" {
	local start
	service syslog <<<$'#!/bin/sh\ntrap "" TERM\necho "syslog up $$"\nwhile :; do sleep 1; done'
	finish_of syslog
	startup_script 10 <<<$'#!/bin/sh\ninitctl start syslog'
	container_start KILL_PROCESS_TIMEOUT=1 --
	wait_phase running
	wait_output '^syslog up'
	start=$(now_ms)
	container_kill TERM
	container_wait 20
	took "$start" 1000 10000
	[ "$status" -eq 0 ]
	wait_output '^syslog finish -1 9$'
	# A second TERM ends all waiting.
	container_start --
	wait_phase running
	wait_output '^syslog up'
	start=$(now_ms)
	container_kill TERM
	wait_for "its turn" _is syslog state stopping
	container_kill TERM
	container_wait 20
	took "$start" 0 10000
	wait_output '^syslog finish -1 9$'
}

@test "one that has ended leaves a boot all its time, however long a script takes" {
	service migrate <<<$'#!/bin/sh\nexit 0'
	startup_script 10 <<-'EOF'
	#!/bin/sh
	initctl once migrate
	echo "once: $?"
	# A shutdown would give up after 10 seconds.
	sleep 11
	initctl status
	EOF
	ending_service other
	container_start KILL_PROCESS_TIMEOUT=0 --
	wait_output '^once: 0$'
	wait_output '^startup scripts: /etc/my_init.d/10$'
	wait_up other
	_phase running
	no_output 'Gave up'
}

@test "with --skip-runit there are none" {
	ending_service syslog
	startup_script 10 <<<$'#!/bin/sh\ninitctl start syslog; echo "start: $?"'
	container_run -- --skip-runit -- echo command
	[ "$status" -eq 0 ]
	[[ $stdout == *'start: 1'* ]]
	[[ $stderr == *'*** syslog: '* ]]
	[[ $stdout != *'syslog up'* ]]
}

# --- the supervisor is killed ------------------------------------------------------------
@test "killed while startup scripts run: an early service is started once" {
	ending_service syslog
	ending_service other
	startup_script 10 <<-'EOF'
	#!/bin/sh
	initctl start syslog
	echo "10 waits"
	until [ -e /tmp/go ]; do sleep 0.05; done
	EOF
	container_start --
	wait_output '^10 waits$'
	wait_output '^syslog up'
	local pid=$(its_pid syslog)
	restart_supervisor
	restart_supervisor
	container_exec kill -KILL "$pid"
	wait_lines 2 '^syslog up'
	let_go
	wait_up other
	[ "$(ups syslog)" -eq 2 ]
	_is syslog pid "$(its_pid syslog)"
	# It is still one that ends last.
	shutdown_script post 10 <<<$'#!/bin/sh\necho "post"'
	container_kill TERM
	container_wait
	[ "$status" -eq 0 ]
	in_order '^other ends$' '^post$' '^syslog ends$'
}

@test "killed at any moment of the shutdown: the order holds" {
	local round
	ending_service syslog
	finish_of syslog
	ending_service other
	startup_script 10 <<<$'#!/bin/sh\ninitctl start syslog'
	shutdown_script post 10 <<<$'#!/bin/sh\nsleep 0.2\necho "post"'
	root_file /etc/service/syslog/control/t 755 <<<$'#!/bin/sh\nsleep 0.2\nexit 1'
	for round in 1 2 3; do
		container_start --
		wait_output '^syslog up'
		wait_output '^other up'
		container_kill TERM
		while container_alive; do
			sleep "$(printf 0.%03d $((50 + RANDOM % 300)))"
			supervisor=$(supervisor_pid) || continue
			kill -KILL "$supervisor" || :
		done
		container_wait
		[ "$status" -eq 0 ]
		in_order '^other ends$' '^post$' '^syslog ends$' '^syslog finish 0 0$'
		[ "$(count_output '^syslog finish')" -eq 1 ]
		[ "$(count_output '^post$')" -eq 1 ]
	done
}

@test "TERM at any moment of a boot with early services: it ends, in order" {
	local round start
	ending_service syslog
	ending_service other
	startup_script 10 <<<$'#!/bin/sh\ninitctl start syslog'
	startup_script 20 <<<$'#!/bin/sh\nsleep 0.05'
	for round in {1..12}; do
		container_start --
		sleep "$(printf 0.%03d $((RANDOM % 200)))"
		start=$(now_ms)
		container_kill TERM
		container_wait 20
		took "$start" 0 10000
		[ "$status" -eq 0 ]
		no_output 'Gave up|Forcing|Not all'
	done
}
