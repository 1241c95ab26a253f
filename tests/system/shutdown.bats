#!/usr/bin/env bats
# The end of a container: order, deadlines, exit code.

load services

# What a shell executes in the background is begun before its traps are set: else it is,
# for a moment, a shell with these traps, to which a TERM is lost.

# A service that a TERM does not end: "NAME up PID".
stubborn_service() {
	service "$1" <<-EOF
	#!/bin/sh
	trap '' TERM
	echo "$1 up \$\$"
	sleep 100000 &
	while :; do sleep 100000; done
	EOF
}

# A process of a session of its own, from a startup script: "NAME up PID".  $2 is
# what it does on TERM.
straggler() {
	startup_script "$1" <<-EOF
	#!/bin/sh
	setsid sh -c 'sleep 100000 & trap "\$1" TERM
	    echo "$1 up \$\$"
	    wait \$!
	    while :; do sleep 100000 & wait \$!; done' sh '$2' &
	EOF
}

@test "a stubborn service is killed with all of its group; others end as they like" {
	stubborn_service stubborn
	finish_of stubborn
	good_service polite
	finish_of polite
	container_start KILL_PROCESS_TIMEOUT=2 --
	wait_output '^stubborn up'
	wait_output '^polite up'
	local start=$(now_ms)
	container_kill TERM
	container_wait
	took "$start" 2000 6000
	[ "$status" -eq 0 ]
	in_order '^polite finish -1 15$' \
	    '^\*\*\* stubborn \(PID [0-9]+\) did not shut down in time\. Forcing it to exit\.$' \
	    '^stubborn finish -1 9$' '^\*\*\* Init system aborted\.$' \
	    '^\*\*\* Killing all processes\.\.\.$'
	# Nothing of the stubborn one's group was left to the last sweep.
	no_output 'Not all processes'
}

@test "a stubborn service with children in sessions of their own ends, too" {
	service stubborn <<-'EOF'
	#!/bin/sh
	trap '' TERM
	setsid sleep 100000 &
	setsid setsid sleep 100000 &
	echo "stubborn up $$"
	while :; do sleep 100000; done
	EOF
	container_start KILL_PROCESS_TIMEOUT=1 KILL_ALL_PROCESSES_TIMEOUT=1 --
	wait_output '^stubborn up'
	local start=$(now_ms)
	container_kill TERM
	container_wait
	took "$start" 2000 6000
	[ "$status" -eq 0 ]
	wait_output 'Not all processes have exited in time\. Forcing them to exit\.'
}

@test "order: main command, pre-shutdown, services, post-shutdown, stragglers" {
	straggler straggler 'echo "straggler got TERM"; exit'
	service a <<-'EOF'
	#!/bin/sh
	sleep 100000 &
	trap 'echo "a got TERM"; exit 4' TERM
	echo "a up $$"
	wait
	EOF
	finish_of a
	shutdown_script pre 20 <<-'EOF'
	#!/bin/sh
	echo "pre 20"
	EOF
	shutdown_script pre 10 <<-'EOF'
	#!/bin/sh
	echo "pre 10"
	EOF
	shutdown_script post 20 <<<$'#!/bin/sh\necho "post 20"'
	shutdown_script post 10 <<<$'#!/bin/sh\necho "post 10"'
	container_start -- -- sh -c 'sleep 100000 &
	    trap "echo command got TERM; exit 7" TERM; echo command up; wait'
	wait_output '^a up'
	wait_output '^straggler up'
	wait_output '^command up'
	container_kill TERM
	container_wait
	[ "$status" -eq 7 ]
	in_order '^\*\*\* Shutting down sh \(PID [0-9]+\)\.\.\.$' \
	    '^command got TERM$' \
	    '^\*\*\* sh exited with exit code 7\.$' \
	    '^\*\*\* Running /etc/my_init\.pre_shutdown\.d/10\.\.\.$' \
	    '^pre 10$' '^pre 20$' \
	    '^\*\*\* Shutting down runit daemon \(PID [0-9]+\)\.\.\.$' \
	    '^a got TERM$' '^a finish 4 0$' \
	    '^\*\*\* Running /etc/my_init\.post_shutdown\.d/10\.\.\.$' \
	    '^post 10$' '^post 20$' \
	    '^\*\*\* Init system aborted\.$' \
	    '^\*\*\* Killing all processes\.\.\.$' \
	    '^straggler got TERM$'
}

@test "services still run during pre-shutdown scripts, and not after" {
	good_service a
	shutdown_script pre 10 <<-'EOF'
	#!/bin/sh
	pgrep -x sleep >/dev/null && echo "pre: a runs"
	EOF
	shutdown_script post 10 <<-'EOF'
	#!/bin/sh
	pgrep -x sleep >/dev/null || echo "post: a is gone"
	EOF
	container_start --
	wait_output '^a up'
	wait_for "sleep" container_exec pgrep -x sleep
	container_kill TERM
	container_wait
	in_order '^pre: a runs$' '^post: a is gone$'
}

@test "shutdown scripts that fail, hang or cannot be run skip nothing" {
	good_service a
	finish_of a
	local when
	for when in pre post; do
		shutdown_script $when 10 <<<$'#!/bin/sh\nexit 3'
		shutdown_script $when 20 <<-EOF
		#!/bin/sh
		trap '' TERM
		echo "$when 20 hangs"
		while :; do sleep 100000; done
		EOF
		shutdown_script $when 30 <<<$'#!/bin/sh\nkill -KILL $$'
		shutdown_script $when 40 <<<'#!/no/such/interpreter'
		shutdown_script $when 50 <<<'no hashbang'
		root_file /etc/my_init.${when}_shutdown.d/60 644 <<<'#!/bin/sh'
		shutdown_script $when 70 <<<$'#!/bin/sh\necho '"$when 70"
	done
	container_start KILL_PROCESS_TIMEOUT=1 -- -- sh -c 'sleep 100000 &
	    trap "exit 42" TERM; echo command up; wait'
	wait_output '^a up'
	wait_output '^command up'
	container_kill TERM
	container_wait
	[ "$status" -eq 42 ]
	in_order 'pre_shutdown\.d/10 failed with status 3$' \
	    '^pre 20 hangs$' 'pre_shutdown\.d/20 .*did not shut down in time' \
	    'pre_shutdown\.d/30 was killed by signal 9' \
	    'pre_shutdown\.d/40.*/no/such/interpreter' \
	    'pre_shutdown\.d/50.*#!' 'pre_shutdown\.d/60.*chmod' '^pre 70$' \
	    '^a finish -1 15$' \
	    'post_shutdown\.d/10 failed with status 3$' \
	    '^post 20 hangs$' 'post_shutdown\.d/20 .*did not shut down in time' \
	    'post_shutdown\.d/30 was killed by signal 9' \
	    'post_shutdown\.d/40.*/no/such/interpreter' \
	    'post_shutdown\.d/50.*#!' 'post_shutdown\.d/60.*chmod' '^post 70$'
}

@test "a failing pre-shutdown script does not change the exit code" {
	shutdown_script pre 10 <<<$'#!/bin/sh\nexit 3'
	shutdown_script post 10 <<<$'#!/bin/sh\nexit 4'
	container_run -- -- sh -c 'exit 42'
	[ "$status" -eq 42 ]
	in_order 'pre_shutdown\.d/10 failed with status 3$' \
	    'post_shutdown\.d/10 failed with status 4$'
}

@test "what a shutdown script leaves in the background does not delay the end" {
	shutdown_script pre 10 <<<$'#!/bin/sh\nsleep 100000 &'
	shutdown_script post 10 <<<$'#!/bin/sh\necho "post 10"\nsleep 100000 &'
	local start=$(now_ms)
	container_run -- true
	took "$start" 0 10000
	[ "$status" -eq 0 ]
	[ "$stdout" = "post 10" ]
}

@test "shutdown scripts have no signal ignored or blocked" {
	shutdown_script pre 10 <<-'EOF'
	#!/bin/sh
	while read -r name value; do
		case $name in SigBlk: | SigIgn:) echo "pre $name $value" ;; esac
	done </proc/$$/status
	EOF
	good_service a
	container_start --
	wait_output '^a up'
	container_kill TERM
	container_wait
	wait_output '^pre SigBlk: 0*$'
	wait_output '^pre SigIgn: 0*$'
}

@test "a stopping service's process group is ended before its finish runs" {
	service a <<-'EOF'
	#!/bin/sh
	sleep 100000 &
	echo $! >/tmp/child
	echo "a up $$"
	wait
	EOF
	root_file /etc/service/a/finish 755 <<-'EOF'
	#!/bin/sh
	case $(cat /proc/$(cat /tmp/child)/stat 2>/dev/null) in
	'' | *') Z '*) echo "a finish $1 $2: the group is gone" ;;
	*) echo "a finish $1 $2: the group is there" ;;
	esac
	EOF
	container_start --
	wait_output '^a up'
	container_kill TERM
	container_wait
	[ "$status" -eq 0 ]
	wait_output '^a finish -1 15: the group is gone$'
}

@test "a member of the group that ignores TERM is killed at the deadline" {
	service a <<-'EOF'
	#!/bin/sh
	sh -c 'trap "" TERM; echo "member up"; while :; do sleep 100000; done' &
	echo "a up $$"
	wait
	EOF
	finish_of a
	container_start KILL_PROCESS_TIMEOUT=1 --
	wait_output '^a up'
	wait_output '^member up'
	local start=$(now_ms)
	container_kill TERM
	container_wait
	took "$start" 1000 4500
	[ "$status" -eq 0 ]
	in_order 'a left behind did not shut down in time\. Forcing it to exit\.$' \
	    '^a finish -1 15$' 'Killing all processes'
	no_output 'Not all processes'
}

@test "a service that forked into the background is not forgotten" {
	# Its run ends at once; what it left in its group is stopped with it.
	service a <<-'EOF'
	#!/bin/sh
	sh -c 'trap "echo daemon got TERM; exit" TERM
	    sleep 100000 & wait' &
	sleep 1.1
	exit 0
	EOF
	container_start --
	wait_for "a second daemon" \
	    container_exec sh -c '[ "$(pgrep -fc "^sleep 100000")" -ge 2 ]'
	container_kill TERM
	container_wait
	[ "$status" -eq 0 ]
	wait_output '^daemon got TERM$'
}

@test "stragglers get TERM and time for their work, then KILL" {
	straggler worker 'echo "worker got TERM"; sleep 0.4; echo "worker is done"; exit'
	straggler ignorer ''
	container_start KILL_ALL_PROCESSES_TIMEOUT=2 --
	wait_output '^worker up'
	wait_output '^ignorer up'
	local start=$(now_ms)
	container_kill TERM
	container_wait
	took "$start" 2000 6000
	[ "$status" -eq 0 ]
	in_order 'Killing all processes' '^worker got TERM$' '^worker is done$' \
	    '^\*\*\* Not all processes have exited in time\. Forcing them to exit\.$'
}

@test "what the main command left behind has time for its work, too" {
	container_run --merged -- -- sh -c 'sh -c "sleep 100000 &
	    trap \"sleep 0.4; echo grandchild is done; exit\" TERM
	    echo grandchild up; : >/tmp/up; wait" &
	    until [ -e /tmp/up ]; do sleep 0.05; done; exit 9'
	[ "$status" -eq 9 ]
	in_order '^grandchild up$' '^grandchild is done$'
}

@test "KILL_PROCESS_TIMEOUT=0 and KILL_ALL_PROCESSES_TIMEOUT=0 kill at once" {
	stubborn_service stubborn
	finish_of stubborn
	straggler straggler ''
	shutdown_script pre 10 <<<$'#!/bin/sh\nsleep 0.2\necho "pre 10"'
	container_start KILL_PROCESS_TIMEOUT=0 KILL_ALL_PROCESSES_TIMEOUT=0 -- -- \
	    sh -c 'trap "" TERM; echo command up; while :; do sleep 100000; done'
	wait_output '^stubborn up'
	wait_output '^straggler up'
	wait_output '^command up'
	local start=$(now_ms)
	container_kill TERM
	container_wait
	took "$start" 200 5000
	[ "$status" -eq 137 ]
	in_order '^pre 10$' '^stubborn finish -1 9$'
}

@test "a timeout that is no number is a warning, and the default is used" {
	service slow <<-'EOF'
	#!/bin/sh
	sleep 100000 &
	trap 'sleep 0.3; echo "slow is done"; exit' TERM
	echo "slow up $$"
	wait
	EOF
	straggler straggler 'sleep 0.3; echo "straggler is done"; exit'
	container_start KILL_PROCESS_TIMEOUT=soon KILL_ALL_PROCESSES_TIMEOUT=-1 --
	wait_output '^\*\*\* KILL_PROCESS_TIMEOUT=soon .*30'
	wait_output '^\*\*\* KILL_ALL_PROCESSES_TIMEOUT=-1 .*30'
	wait_output '^slow up'
	wait_output '^straggler up'
	container_kill TERM
	container_wait
	[ "$status" -eq 0 ]
	in_order '^slow is done$' '^straggler is done$'
}

@test "a second TERM ends the time of a main command" {
	good_service a
	finish_of a
	container_start -- -- sh -c 'trap "" TERM
	    echo command up; while :; do sleep 100000; done'
	wait_output '^command up'
	wait_output '^a up'
	local start=$(now_ms)
	container_kill TERM
	wait_output 'Shutting down sh'
	container_kill TERM
	container_wait 20
	took "$start" 0 10000
	[ "$status" -eq 137 ]
	wait_output '^a finish -1 (9|15)$'
}

@test "a second TERM ends the time of a shutdown script" {
	shutdown_script pre 10 <<-'EOF'
	#!/bin/sh
	trap '' TERM
	echo "pre 10"
	while :; do sleep 100000; done
	EOF
	shutdown_script post 10 <<<$'#!/bin/sh\necho "post 10"'
	good_service a
	container_start --
	wait_output '^a up'
	container_kill TERM
	wait_output '^pre 10$'
	container_kill TERM
	container_wait 20
	[ "$status" -eq 0 ]
	wait_output '^post 10$'
}

@test "a second TERM ends the time of a service" {
	stubborn_service stubborn
	finish_of stubborn
	container_start --
	wait_output '^stubborn up'
	container_kill TERM
	wait_output 'Shutting down runit daemon'
	container_kill TERM
	container_wait 20
	[ "$status" -eq 0 ]
	wait_output '^stubborn finish -1 9$'
}

@test "a second TERM ends the time of a straggler" {
	straggler straggler ''
	container_start --
	wait_output '^straggler up'
	wait_for "the end of the startup script" script_over
	container_kill TERM
	wait_output 'Killing all processes'
	wait_for "the supervisor's end" no_supervisor
	container_kill TERM
	container_wait 20
	[ "$status" -eq 0 ]
}

script_over() {
	container_output | grep -q 'Booting runit'
}

no_supervisor() {
	! supervisor_pid >/dev/null
}

@test "INT as the second signal does the same" {
	stubborn_service stubborn
	container_start --
	wait_output '^stubborn up'
	container_kill INT
	wait_output 'Shutting down runit daemon'
	container_kill INT
	container_wait 20
	[ "$status" -eq 0 ]
}

@test "exit codes and messages of each way to stop" {
	local signal
	good_service a
	for signal in TERM INT QUIT PWR RTMIN+3; do
		container_start --
		wait_output '^a up'
		container_kill $signal
		container_wait 20
		[ "$status" -eq 0 ] || fail "$signal: $status"
		case $signal in
		TERM | INT) wait_output '^\*\*\* Init system aborted\.$' ;;
		*) no_output 'aborted' ;;
		esac
	done
}

@test "exit codes with a main command are its own" {
	local signal
	for signal in TERM PWR RTMIN+3; do
		container_start -- -- sh -c 'sleep 100000 & trap "exit 7" TERM
		    echo command up; wait'
		wait_output '^command up$'
		container_kill $signal
		container_wait 20
		[ "$status" -eq 7 ] || fail "$signal: $status"
		container_start -- -- sh -c 'echo command up; exec sleep 100000'
		wait_output '^command up$'
		container_kill $signal
		container_wait 20
		[ "$status" -eq 143 ] || fail "$signal: $status"
	done
	for signal in INT QUIT; do
		container_start -- -- sh -c \
		    "sleep 100000 & trap 'echo got $signal; exit 5' $signal"'
		    echo command up; wait'
		wait_output '^command up$'
		container_kill $signal
		container_wait 20
		[ "$status" -eq 5 ] || fail "$signal: $status"
		wait_output "^got $signal$"
		no_output 'aborted'
	done
}

@test "Init system aborted is said with --quiet, and not after a command's own end" {
	good_service a
	container_start -- --quiet
	wait_output '^a up'
	container_kill TERM
	container_wait
	[ "$(count_output '^\*\*\*')" -eq 1 ]
	wait_output '^\*\*\* Init system aborted\.$'
	container_run -- true
	no_output 'aborted'
}

@test "--skip-runit skips services and shutdown scripts" {
	good_service a
	shutdown_script pre 10 <<<$'#!/bin/sh\necho "pre 10"'
	shutdown_script post 10 <<<$'#!/bin/sh\necho "post 10"'
	container_run --merged -- --skip-runit -- sh -c 'echo command; exit 6'
	[ "$status" -eq 6 ]
	wait_output '^command$'
	no_output '^a up|^pre|^post|runit daemon|Runit'
	container_start -- --skip-runit -- sh -c 'echo command up
	    exec sleep 100000'
	wait_output '^command up'
	container_kill TERM
	container_wait 20
	[ "$status" -eq 143 ]
	no_output '^a up|^pre|^post|runit daemon|Runit'
}

# The container of the next case, ended at a random moment 25 times.
stop_at_random_moments() {
	local i delay start code
	container_setup
	for i in 1 2 3; do
		startup_script $i <<<$'#!/bin/sh\nsleep 0.05'
	done
	for i in 1 2 3 4 5 6 7 8 9 10; do
		good_service $i
		finish_of $i
	done
	shutdown_script pre 1 <<<$'#!/bin/sh\nexit 0'
	shutdown_script post 1 <<<$'#!/bin/sh\nexit 0'
	for ((i = 0; i < 25; i++)); do
		delay=$((RANDOM % 500))
		if [ $((i % 2)) -eq 0 ]; then
			container_start --
			code=0
		else
			container_start -- sleep 100000
			code=143
		fi
		sleep "$(printf 0.%03d $delay)"
		start=$(now_ms)
		container_kill TERM
		container_wait 10
		if [ "$status" -ne $code ] ||
		    [ $(($(now_ms) - start)) -ge 5000 ]; then
			fail "TERM after $delay ms: exit code $status after" \
			    "$(($(now_ms) - start)) ms"
			return
		fi
	done
	container_teardown
}

@test "TERM at 100 moments of the boot always ends the container" {
	local worker workers=()
	for worker in 1 2 3 4; do
		mkdir "$BATS_TEST_TMPDIR/$worker"
		BATS_TEST_TMPDIR=$BATS_TEST_TMPDIR/$worker \
		    stop_at_random_moments 3>&- &
		workers+=($!)
	done
	for worker in "${workers[@]}"; do
		wait "$worker"
	done
}

@test "twelve services, ten startup scripts and a flush before the end" {
	local i
	for i in 01 02 03 04 05 06 07 08 09 10 11 12; do
		service "s$i" <<-EOF
		#!/bin/bash
		trap 'echo "s$i stops"; exit' TERM
		exec >>/var/log/s$i.log 2>&1
		echo "s$i up, \$COLOUR"
		sleep 100000 & wait
		EOF
	done
	for i in 01 02 03 04 05 06 07 08 09 10; do
		startup_script "${i}_check.sh" <<<$'#!/bin/sh\necho '"script $i"
	done
	startup_script 05_check.sh <<-'EOF'
	#!/bin/sh
	echo "script 05"
	printf blue >/etc/container_environment/COLOUR
	EOF
	shutdown_script pre 00_close_site <<-'EOF'
	#!/bin/bash
	unset COLOUR
	source /etc/container_environment.sh
	echo "close site, $COLOUR"
	! grep -q stops /var/log/s*.log && echo "no service has been stopped"
	EOF
	shutdown_script pre 01_flush <<<$'#!/bin/sh\necho flush'
	container_start COLOUR=red --
	wait_for "12 services" twelve_up
	local start=$(now_ms)
	container_kill TERM
	container_wait
	took "$start" 0 5000
	[ "$status" -eq 0 ]
	in_order '^script 01$' '^script 02$' '^script 03$' '^script 04$' \
	    '^script 05$' '^script 06$' '^script 07$' '^script 08$' \
	    '^script 09$' '^script 10$' '^\*\*\* Booting' '^close site, blue$' \
	    '^no service has been stopped$' '^flush$' 'Shutting down runit daemon'
	[ "$(cat "$ROOT"/var/log/s*.log | grep -c ' up, blue$')" -eq 12 ]
	[ "$(cat "$ROOT"/var/log/s*.log | grep -c ' stops$')" -eq 12 ]
}

twelve_up() {
	[ "$(cat "$ROOT"/var/log/s*.log 2>/dev/null | grep -c ' up, ')" -eq 12 ]
}

@test "a failed check ends the boot: its message is last, and no service starts" {
	good_service a
	startup_script 01 <<<$'#!/bin/sh\necho "script 01"'
	startup_script 02 <<<$'#!/bin/sh\necho "The secret is missing"\nexit 3'
	startup_script 03 <<<$'#!/bin/sh\necho "script 03"'
	container_run --merged --
	[ "$status" -eq 3 ]
	in_order '^script 01$' '^The secret is missing$' '/02 failed with status 3$'
	no_output '^script 03$|^a up|Booting'
}

@test "what may not be signalled is given up in the end" {
	service stranger <<-'EOF'
	#!/bin/sh
	exec setpriv --reuid 1000 --clear-groups sh -c '
		trap "" TERM
		echo "stranger up"
		exec sleep 100000'
	EOF
	container_start --via "setpriv --bounding-set=-kill" \
	    KILL_PROCESS_TIMEOUT=1 KILL_ALL_PROCESSES_TIMEOUT=1 --
	wait_output '^stranger up$'
	container_kill TERM
	container_wait
	[ "$status" -eq 0 ]
	wait_output '^\*\*\* stranger \(PID [0-9]+\) cannot be signalled: .*CAP_KILL'
	wait_output '^\*\*\* Gave up waiting while stopping services; going on$'
	wait_output '^\*\*\* Killing all processes\.\.\.$'
}
