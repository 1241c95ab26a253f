#!/usr/bin/env bats
# The supervisor is killed, at any moment: no service is started twice or again, no
# end is missed, and what was under way goes on.

load services

# A service that lives a little more than a second, so that it is started again at
# once.  Whoever is started beside a living one says VIOLATION; so does a finish
# beside a living run, and a finish that is not told the exit code; until /tmp/go
# exists.
flapping_service() {
	service "$1" <<-EOF
	#!/bin/sh
	mkdir /tmp/$1.lock 2>/dev/null || echo "$1 VIOLATION: two at once"
	echo "$1 up \$\$"
	sleep $2
	rmdir /tmp/$1.lock
	exit 7
	EOF
	root_file "/etc/service/$1/finish" 755 <<-EOF
	#!/bin/sh
	[ ! -e /tmp/go ] || exit
	[ "\$*" = "7 0" ] || echo "$1 VIOLATION: finish \$*"
	[ ! -e /tmp/$1.lock ] || echo "$1 VIOLATION: finish beside run"
	EOF
}

# Kills the supervisor $1 times, each after 0 to $2 - 1 ms of life.
kill_supervisor() {
	local i
	supervisor=''
	for ((i = 0; i < $1; i++)); do
		next_supervisor
		sleep "$(printf 0.%03d $((RANDOM % $2)))"
		kill -KILL "$supervisor"
	done
	next_supervisor
}

# The next $1 supervisors end by a fault of their own: a signal sent to them would
# be none.  Kills this one, and waits for the last fault.
fault_supervisor() {
	local faults=$(count_output 'killed by signal 11')
	echo "$1" >"$(container_file /tmp/faults)"
	container_exec tee /tmp/faulty >/dev/null <<-'EOF'
	#!/usr/bin/perl
	open F, "+<", "/tmp/faults";
	my $left = <F> - 1;
	seek F, 0, 0;
	print F "$left\n";
	close F;
	rename "/usr/lib/my_init/real",
	    "/usr/lib/my_init/supervisor" if $left == 0;
	unpack "p", pack "J", 1;
	EOF
	container_exec sh -c 'chmod 755 /tmp/faulty
	    mv /usr/lib/my_init/supervisor /usr/lib/my_init/real
	    mv /tmp/faulty /usr/lib/my_init/supervisor'
	kill -KILL "$(supervisor_pid)"
	wait_lines $((faults + $1)) 'killed by signal 11'
}

@test "killed 50 times, with services that flap and one that must not" {
	local i
	good_service steady
	finish_of steady
	for i in 1 2 3 4 5 6; do
		flapping_service "flap$i" "1.0$i"
	done
	container_start -- -- sh -c 'echo "command up $$"
	    until [ -e /tmp/go ]; do sleep 0.1; done; exit 37'
	wait_output '^steady up'
	wait_output '^command up'
	local steady=$(said_pid steady)
	kill_supervisor 50 200
	[ "$(count_output '^steady up')" -eq 1 ]
	runs "$steady"
	runs "$(said_pid command)"
	for i in 1 2 3 4 5 6; do
		wait_lines $(($(count_output "^flap$i up") + 2)) "^flap$i up"
		wait_for "supervise/pid of flap$i" _supervise_has_said "flap$i"
	done
	wait_for "supervise/pid of steady" _supervise_has_said steady
	# Who has supervise/ locked is the last supervisor, and it is listened to.
	container_exec dd of=/etc/service/steady/supervise/ok oflag=nonblock \
	    conv=notrunc status=none </dev/null
	no_output 'another supervisor'
	: >"$(container_file /tmp/go)"
	container_wait
	[ "$status" -eq 37 ]
	no_output 'VIOLATION'
	[ "$(count_output '^steady up')" -eq 1 ]
	[ "$(count_output '^steady finish')" -eq 1 ]
	[ "$(count_output '^command up')" -eq 1 ]
	[ "$(count_output 'killed by signal 9; starting it again')" -eq 50 ]
}

_supervise_has_said() {
	[ "$(container_exec cat "/etc/service/$1/supervise/pid")" = "$(said_pid "$1")" ]
}

@test "killed while many services are being started" {
	local i names=()
	for i in {1..60}; do
		good_service "s$i"
		names+=("s$i")
	done
	container_start --
	kill_supervisor 8 20
	for i in "${names[@]}"; do
		wait_output "^$i up"
	done
	for i in "${names[@]}"; do
		[ "$(count_output "^$i up")" -eq 1 ] || fail "$i: not once"
	done
	container_kill TERM
	container_wait
	[ "$status" -eq 0 ]
}

@test "killed during startup scripts: each runs once, in order" {
	local i
	good_service a
	for i in 1 2 3 4 5 6 7 8 9; do
		startup_script $i <<-EOF
		#!/bin/sh
		echo "script $i begins"
		sleep 0.2
		[ $i -lt 9 ] || until [ -e /tmp/go ]; do sleep 0.05; done
		echo "script $i ends"
		EOF
	done
	container_start -- -- true
	kill_supervisor 10 120
	: >"$(container_file /tmp/go)"
	container_wait
	[ "$status" -eq 0 ]
	for i in 1 2 3 4 5 6 7 8; do
		in_order "^script $i begins$" "^script $i ends$" \
		    "^script $((i + 1)) begins$"
	done
	[ "$(count_output '^script . begins$')" -eq 9 ]
	[ "$(count_output '^script . ends$')" -eq 9 ]
}

@test "killed during a startup script that fails: the boot ends with its code" {
	startup_script 1 <<-'EOF'
	#!/bin/sh
	echo "script 1 begins"
	until [ -e /tmp/go ]; do sleep 0.05; done
	exit 33
	EOF
	startup_script 2 <<<$'#!/bin/sh\necho "script 2 begins"'
	container_start --
	wait_output '^script 1 begins$'
	kill_supervisor 3 50
	: >"$(container_file /tmp/go)"
	container_wait
	[ "$status" -eq 33 ]
	[ "$(count_output '^script 1 begins$')" -eq 1 ]
	no_output '^script 2'
}

# Each part of a shutdown takes a while, and says what it does.  (What runs in the
# background is begun before the traps: see shutdown.bats.)
slow_shutdown() {
	local i
	for i in 1 2; do
		shutdown_script pre $i <<<$'#!/bin/sh\nsleep 0.1\necho '"pre $i"
		shutdown_script post $i <<<$'#!/bin/sh\nsleep 0.1\necho '"post $i"
		service "s$i" <<-EOF
		#!/bin/sh
		sleep 100000 &
		trap 'sleep 0.2; echo "s$i ends"; exit 2' TERM
		echo "s$i up \$\$"
		wait
		EOF
		root_file "/etc/service/s$i/finish" 755 <<-EOF
		#!/bin/sh
		sleep 0.1
		echo "s$i finish \$1 \$2"
		EOF
	done
}

@test "killed during the shutdown: it is completed, each part once" {
	local round line lines=('command ends' 'pre 1' 'pre 2' 's1 ends'
	    's1 finish 2 0' 's2 ends' 's2 finish 2 0' 'post 1' 'post 2')
	slow_shutdown
	for round in 1 2 3 4; do
		container_start -- -- sh -c 'sleep 100000 & trap "sleep 0.2
		    echo command ends; exit 5" TERM
		    echo "command up $$"; wait'
		wait_output '^s1 up'
		wait_output '^s2 up'
		wait_output '^command up'
		container_kill TERM
		while container_alive; do
			sleep "$(printf 0.%03d $((RANDOM % 200)))"
			supervisor=$(supervisor_pid) || continue
			kill -KILL "$supervisor" || :
		done
		container_wait
		[ "$status" -eq 5 ]
		in_order '^command ends$' '^pre 1$' '^pre 2$' '^s1 ends$' \
		    '^s1 finish 2 0$' '^post 1$' '^post 2$'
		in_order '^pre 2$' '^s2 ends$' '^s2 finish 2 0$' '^post 1$'
		for line in "${lines[@]}"; do
			[ "$(count_output "^$line$")" -eq 1 ] ||
			    fail "round $round: $line: not once"
		done
	done
}

@test "TERM and the supervisor's death at the same time: the container ends" {
	local round
	good_service a
	for round in {1..10}; do
		container_start --
		wait_output '^a up'
		supervisor=$(supervisor_pid)
		kill -STOP "$supervisor"
		container_kill TERM
		kill -KILL "$supervisor" || :
		container_wait 10
		[ "$status" -eq 0 ]
	done
}

@test "ended by a fault: services and main command go on" {
	good_service a
	container_start -- -- sh -c 'echo "command up $$"
	    until [ -e /tmp/go ]; do sleep 0.1; done; exit 37'
	wait_output '^a up'
	wait_output '^command up'
	fault_supervisor 2
	runs "$(said_pid a)"
	runs "$(said_pid command)"
	: >"$(container_file /tmp/go)"
	container_wait
	[ "$status" -eq 37 ]
	[ "$(count_output '^a up')" -eq 1 ]
	no_output 'afresh'
}

@test "three faults in a minute start everything afresh, three more end it" {
	good_service a
	startup_script 1 <<<$'#!/bin/sh\necho "script 1"'
	container_start --
	wait_output '^a up'
	local first=$(said_pid a)
	fault_supervisor 3
	wait_output '^\*\*\* .*afresh$'
	wait_lines 2 '^script 1$'
	wait_lines 2 '^a up'
	ended "$first"
	fault_supervisor 3
	container_wait 20
	[ "$status" -eq 70 ]
	[ "$(count_output 'afresh$')" -eq 1 ]
	[ "$(count_output '^script 1$')" -eq 2 ]
	[ "$(count_output '^a up')" -eq 2 ]
}

@test "a stopped supervisor does not keep the container from ending" {
	good_service a
	finish_of a
	container_start --
	wait_output '^a up'
	kill -STOP "$(supervisor_pid)"
	container_kill TERM
	container_wait 10
	[ "$status" -eq 0 ]
	wait_output '^a finish -1 15$'
}

@test "TERM to the supervisor itself ends the container in order" {
	good_service a
	finish_of a
	container_start --
	wait_output '^a up'
	kill -TERM "$(supervisor_pid)"
	container_wait 10
	[ "$status" -eq 0 ]
	wait_output '^a finish -1 15$'
}

@test "what ends while there is no supervisor is known to the next one" {
	local program=/usr/lib/my_init/supervisor
	good_service steady
	good_service a
	finish_of a
	container_start -- -- sh -c 'echo "command up $$"
	    until [ -e /tmp/go ]; do sleep 0.05; done; exit 37'
	wait_output '^steady up'
	wait_output '^a up'
	wait_output '^command up'
	local a=$(said_pid a) command=$(said_pid command)
	container_exec mv $program $program.away
	kill -KILL "$(supervisor_pid)"
	wait_output "^\*\*\* Cannot execute $program"
	container_exec kill -KILL "$a"
	wait_for "the end of the service" ended "$a"
	container_exec mv $program.away $program
	wait_lines 2 '^a up'
	wait_output '^a finish -1 9$'
	[ "$(count_output '^steady up')" -eq 1 ]
	# The same for the main command.
	container_exec mv $program $program.away
	local times=$(count_output "^\*\*\* Cannot execute $program")
	kill -KILL "$(supervisor_pid)"
	wait_lines $((times + 1)) "^\*\*\* Cannot execute $program"
	: >"$(container_file /tmp/go)"
	wait_for "the end of the command" ended "$command"
	container_exec mv $program.away $program
	container_wait 20
	[ "$status" -eq 37 ]
	[ "$(count_output '^steady up')" -eq 1 ]
	no_output 'afresh'
}

ended() {
	! runs "$1"
}

@test "a supervisor that cannot be executed for a while costs no service" {
	local program=/usr/lib/my_init/supervisor
	good_service a
	container_start --
	wait_output '^a up'
	container_exec mv $program $program.away
	kill -KILL "$(supervisor_pid)"
	wait_lines 4 "^\*\*\* Cannot execute $program"
	container_exec mv $program.away $program
	wait_for "the next supervisor" supervisor_pid >/dev/null
	runs "$(said_pid a)"
	[ "$(count_output '^a up')" -eq 1 ]
	container_kill TERM
	container_wait
	[ "$status" -eq 0 ]
}

@test "killed while a stubborn service has its time: the deadline still holds" {
	service a <<-'EOF'
	#!/bin/sh
	trap '' TERM
	echo "a up $$"
	while :; do sleep 100000; done
	EOF
	finish_of a
	# More than five supervisors live.
	container_start KILL_PROCESS_TIMEOUT=5 --
	wait_output '^a up'
	local start=$(now_ms)
	container_kill TERM
	wait_output 'Shutting down runit daemon'
	kill_supervisor 5 100
	container_wait 20
	took "$start" 4900 9000
	[ "$status" -eq 0 ]
	wait_output '^a finish -1 9$'
}

@test "a service removed while there is no supervisor is stopped by the next" {
	local program=/usr/lib/my_init/supervisor
	good_service steady
	good_service a
	good_service .new
	container_start --
	wait_output '^steady up'
	wait_output '^a up'
	local a=$(said_pid a)
	container_exec mv $program $program.away
	kill -KILL "$(supervisor_pid)"
	wait_output "^\*\*\* Cannot execute $program"
	container_exec mv /etc/service/a /srv/a
	container_exec mv /etc/service/.new /etc/service/new
	container_exec mv $program.away $program
	wait_for "the end of the service" ended "$a"
	wait_output '^.new up'
	[ "$(count_output '^steady up')" -eq 1 ]
	container_kill TERM
	container_wait
	[ "$status" -eq 0 ]
}

@test "killed when an essential service has failed: the container ends all the same" {
	local write
	service a <<-'EOF'
	#!/bin/sh
	echo "a up $$"
	until [ -e /tmp/go ]; do sleep 0.05; done
	exit 7
	EOF
	root_file /etc/service/a/restart <<<never
	: >"$ROOT/etc/service/a/essential"
	# It says that a has failed, then that the container stops.
	for write in 1 2; do
		rm -f "$ROOT/tmp/go"
		container_start --
		wait_output '^a up'
		strace -p "$(supervisor_pid)" -o /dev/null -e trace=write \
		    -e "inject=write:signal=SIGKILL:when=$write" 2>"$OUTPUT/strace" &
		wait_for "strace to be attached" grep -qs attached "$OUTPUT/strace"
		: >"$(container_file /tmp/go)"
		container_wait 20
		wait $!
		[ "$status" -eq 7 ]
		wait_output 'was killed by signal 9'
	done
}

@test "killed when run has ended, and another process stands for it: that is the service" {
	service a <<-'EOF'
	#!/usr/bin/python3 -B
	import os, signal, socket, time
	pid = os.fork()
	if pid == 0: signal.pause()
	s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
	s.connect(os.environ["NOTIFY_SOCKET"].replace("@", "\0", 1))
	s.send(b"MAINPID=%d\nREADY=1" % pid)
	print("a up", pid, flush=True)
	while not os.path.exists("/tmp/go"): time.sleep(0.05)
	EOF
	root_file /etc/service/a/type <<<notify
	container_start --
	wait_for "a to be ready" _up a
	wait_output '^a up'
	# Whether that lives is asked in the middle of it.
	strace -p "$(supervisor_pid)" -o /dev/null -e trace=pidfd_send_signal \
	    -e inject=pidfd_send_signal:signal=SIGKILL 2>"$OUTPUT/strace" &
	wait_for "strace to be attached" grep -qs attached "$OUTPUT/strace"
	: >"$(container_file /tmp/go)"
	wait_output 'was killed by signal 9'
	wait_for "it to stand for a" _up a "$(said_pid a)"
	container_kill TERM
	container_wait 20
	[ "$(count_output '^a up')" -eq 1 ]
}

@test "killed when a client has been promised the end: it comes as it was asked for" {
	service a <<-'EOF'
	#!/bin/sh
	trap 'sleep 2; echo "a has ended by itself"; exit' TERM
	echo "a up"
	while :; do sleep 0.02; done
	EOF
	container_start KILL_PROCESS_TIMEOUT=1 --
	wait_for "a to be up" _up a
	# And no TERM ends it.
	wait_output '^a up'
	# It is read that the end is wanted, then that the client has gone.
	strace -p "$(supervisor_pid)" -o /dev/null -e trace=recvfrom \
	    -e inject=recvfrom:signal=SIGKILL:when=2 2>"$OUTPUT/strace" &
	wait_for "strace to be attached" grep -qs attached "$OUTPUT/strace"
	container_exec initctl shutdown --exit-code 5 --timeout 100 || :
	container_wait 20
	[ "$status" -eq 5 ]
	wait_output 'was killed by signal 9'
	wait_output '^a has ended by itself'
}

@test "killed when a service says that it is ready: it has been heard" {
	service a <<-'EOF'
	#!/usr/bin/python3 -B
	import os, signal, socket, time
	s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
	s.connect(os.environ["NOTIFY_SOCKET"].replace("@", "\0", 1))
	print("a up", os.getpid(), flush=True)
	while not os.path.exists("/tmp/go"): time.sleep(0.05)
	r, w = os.pipe()
	socket.send_fds(s, [b"READY=1"], [w])
	os.close(w)
	os.read(r, 1)
	print("a heard", flush=True)
	signal.pause()
	EOF
	root_file /etc/service/a/type <<<notify
	container_start --
	wait_output '^a up'
	# Whose word it is, is asked when it has arrived.
	strace -p "$(supervisor_pid)" -o /dev/null -e trace=getsid \
	    -e inject=getsid:signal=SIGKILL 2>"$OUTPUT/strace" &
	wait_for "strace to be attached" grep -qs attached "$OUTPUT/strace"
	: >"$(container_file /tmp/go)"
	wait_output 'was killed by signal 9'
	wait_for "a to be up" _up a "$(said_pid a)"
	# Nothing that came with it is kept open.
	wait_output '^a heard'
	[ "$(count_output '^a up')" -eq 1 ]
}

# Is service $1 up, with pid $2?
_up() {
	container_exec initctl status "$1" | grep -qE "^$1 +up +${2-} "
}
