#!/usr/bin/env bats
# How long a service may take: timeout-up, timeout-kill, timeout-finish.

load settings

@test "timeout-up: not ready in time, it is stopped, tried again, and failed in the end" {
	local name
	for name in never none fast; do
		good_service $name
		root_file /etc/service/$name/check 755 <<<$'#!/bin/sh\nexit 1'
	done
	finish_of never
	setting never timeout-up 200
	setting never max-death-tally 2
	root_file /etc/service/fast/check 755 <<<'#!/bin/sh'
	setting fast timeout-up 30000
	service late <<<$'#!/bin/sh\necho "late up $$"\nexec sleep 100000'
	setting late type oneshot
	setting late timeout-up 200
	good_service plain
	setting plain timeout-up 1
	container_start -- --quiet
	wait_up fast plain
	wait_state failed never late
	wait_output '^\*\*\* never: not ready within 200 ms \(timeout-up\); it is stopped$'
	is "late" "$(value late error)" "not ready within 200 ms (timeout-up)"
	is "never" "$(value never error)" \
	    "run has ended 2 times within 60 seconds (max-death-tally)"
	# Not by what it says: it may be stopped before it has said anything.
	is "starts of never" "$(value never restarts)" 1
	is "finishes of never" "$(count_output '^never finish -1 15$')" 2
	is "starts of late" "$(value late restarts)" 0
	is "none" "$(value none state)" starting
	is "plain" "$(value plain state) $(value plain restarts)" "up 0"
}

@test "timeout-kill: KILL after it; 0 is never, but for the container's end" {
	local name start
	for name in short never default; do
		stubborn_service $name
		finish_of $name
	done
	setting short timeout-kill 300
	setting never timeout-kill 0
	container_start -- --quiet
	wait_up short never default
	ctl 0 --no-wait stop never default
	start=$(now_ms)
	ctl 0 stop short
	took "$start" 300 20000
	wait_output '^\*\*\* short \(PID [0-9]+\) did not shut down in time\. Forcing it to exit\.$'
	is "default" "$(value default state)" stopping
	is "never" "$(value never state)" stopping
	# The container has the last word: a time of its own, or a second TERM.
	ctl 0 shutdown --timeout 0.2
	container_wait 8
	[ "$status" -eq 0 ]
	wait_output '^default finish -1 9$'
	wait_output '^never finish -1 9$'
	container_start KILL_PROCESS_TIMEOUT=1 -- --quiet
	wait_output '^never up'
	wait_output '^default up'
	container_kill TERM
	wait_output '^default finish -1 9$'
	container_alive
	container_kill TERM
	container_wait 8
	[ "$status" -eq 0 ]
	wait_output '^never finish -1 9$'
}

@test "timeout-kill of 0: it is given up in the end, and what is left is killed" {
	stubborn_service never
	setting never timeout-kill 0
	container_start KILL_PROCESS_TIMEOUT=0 KILL_ALL_PROCESSES_TIMEOUT=0 --
	wait_output '^never up'
	container_kill TERM
	container_wait 30
	[ "$status" -eq 0 ]
	wait_output '^\*\*\* Gave up waiting while stopping services; going on$'
}

@test "timeout-finish: finish is killed after it; 0 is never, but for the container's end" {
	local name
	for name in short never; do
		good_service $name
		root_file /etc/service/$name/finish 755 <<-EOF
		#!/bin/sh
		trap '' TERM
		echo "$name finishes \$\$"
		while :; do sleep 0.05; done
		EOF
	done
	setting short timeout-finish 300
	setting never timeout-finish 0
	container_start KILL_PROCESS_TIMEOUT=0 -- --quiet
	wait_up short never
	ctl 0 signal KILL short never
	wait_output '^never finishes'
	wait_output '^\*\*\* short/finish \(PID [0-9]+\) did not shut down in time\. Forcing it to exit\.$'
	wait_lines 2 '^short up'
	wait_state up short
	is "never" "$(value never state)" finishing
	container_kill TERM
	wait_phase "stopping services"
	container_kill TERM
	container_wait 8
	[ "$status" -eq 0 ]
}

@test "timeout-finish: without it, finish has what the stop has left, and 5 seconds anyway" {
	good_service web
	root_file /etc/service/web/finish 755 <<-'EOF'
	#!/bin/sh
	trap '' TERM
	echo "web finishes"
	while :; do sleep 0.05; done
	EOF
	container_start KILL_PROCESS_TIMEOUT=1 -- --quiet
	wait_up web
	local start=$(now_ms)
	ctl 0 --timeout 30 stop web
	took "$start" 4900 15000
	wait_output '^\*\*\* web/finish \(PID [0-9]+\) did not shut down in time\. Forcing it to exit\.$'
	is "web" "$(value web state)" down
}
