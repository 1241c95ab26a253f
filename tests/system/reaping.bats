#!/usr/bin/env bats
# PID 1 reaps: orphans by the thousand, ends that come all at once, and with a
# supervisor that does not run.

load services

# orphans N [FILE]: a program that leaves N orphans, each of which ends at once, or
# when FILE exists.
orphans() {
	cat <<-EOF
	for (1..$1) {
	    my \$pid = fork // die;
	    if (!\$pid) {
	        exit if fork;
	        ${2+select(undef, undef, undef, 0.05) until -e q($2);}
	        exit;
	    }
	    waitpid \$pid, 0;
	}
	EOF
}

no_zombies() {
	[ "$(zombies)" -eq 0 ]
}

processes() {
	container_exec sh -c 'set -- /proc/[0-9]*; echo $#'
}

# Memory of PID 1 has not grown; a page may have been touched for the first time.
same_memory() {
	local now=$(status_field "$MY_INIT_PID" VmRSS)
	[ "$now" -le $(($1 + 32)) ] || fail "PID 1: from $1 to $now KiB"
}

@test "5,000 orphans leave no zombie, no memory, and the exit code as it is" {
	root_file /srv/orphans <<<"$(orphans 5000)"
	good_service a
	container_start -- -- sh -c 'until [ -e /tmp/start ]; do sleep 0.05; done
	    perl /srv/orphans; echo "orphans done"
	    until [ -e /tmp/go ]; do sleep 0.05; done; exit 23'
	wait_output '^a up'
	local memory=$(status_field "$MY_INIT_PID" VmRSS)
	: >"$(container_file /tmp/start)"
	wait_for --within 100 "the orphans" _has_line '^orphans done$'
	wait_for "no zombies" no_zombies
	same_memory "$memory"
	: >"$(container_file /tmp/go)"
	container_wait
	[ "$status" -eq 23 ]
	[ "$(count_output '^a up')" -eq 1 ]
}

@test "the same with a supervisor that has been restarted, which is told of each" {
	root_file /srv/orphans <<<"$(orphans 1000)"
	good_service a
	container_start -- -- sh -c 'until [ -e /tmp/start ]; do sleep 0.05; done
	    perl /srv/orphans; echo "orphans done"
	    until [ -e /tmp/go ]; do sleep 0.05; done; exit 23'
	wait_output '^a up'
	restart_supervisor
	local memory=$(status_field "$MY_INIT_PID" VmRSS)
	: >"$(container_file /tmp/start)"
	wait_for --within 100 "the orphans" _has_line '^orphans done$'
	wait_for "no zombies" no_zombies
	same_memory "$memory"
	: >"$(container_file /tmp/go)"
	container_wait
	[ "$status" -eq 23 ]
	[ "$(count_output '^a up')" -eq 1 ]
}

@test "500 orphans that end in the same moment" {
	root_file /srv/orphans <<<"$(orphans 500 /tmp/end)"
	container_start -- -- sh -c 'perl /srv/orphans; echo "orphans wait"
	    until [ -e /tmp/go ]; do sleep 0.05; done; exit 23'
	wait_output '^orphans wait$'
	[ "$(processes)" -ge 500 ]
	: >"$(container_file /tmp/end)"
	wait_for "their end" few_processes
	: >"$(container_file /tmp/go)"
	container_wait
	[ "$status" -eq 23 ]
}

# Of zombies, too.
few_processes() {
	[ "$(processes)" -lt 20 ]
}

@test "fifty services that are killed at once come back, each once" {
	local i
	for i in {1..50}; do
		service "s$i" <<-EOF
		#!/bin/sh
		echo "s$i up \$\$"
		exec sleep 100000
		EOF
	done
	container_start --
	wait_lines 50 '^s[0-9]+ up'
	wait_for "50 processes" fifty_run
	container_exec pkill -KILL -x sleep
	wait_lines 100 '^s[0-9]+ up'
	for i in {1..50}; do
		[ "$(count_output "^s$i up")" -eq 2 ] || fail "s$i: not twice"
	done
	wait_for "no zombies" no_zombies
	container_kill TERM
	container_wait
	[ "$status" -eq 0 ]
}

fifty_run() {
	[ "$(container_exec pgrep -xc sleep)" -eq 50 ]
}

@test "a stopped supervisor does not keep PID 1 from reaping" {
	root_file /srv/orphans <<<"$(orphans 1000)"
	good_service a
	container_start --
	wait_output '^a up'
	local supervisor=$(supervisor_pid)
	kill -STOP "$supervisor"
	container_exec perl /srv/orphans
	wait_for "no zombies" no_zombies
	kill -CONT "$supervisor"
	container_kill TERM
	container_wait
	[ "$status" -eq 0 ]
}

@test "a restarted and stopped supervisor learns of all ends when it goes on" {
	root_file /srv/orphans <<<"$(orphans 1000)"
	good_service a
	finish_of a
	good_service b
	container_start --
	wait_output '^a up'
	wait_output '^b up'
	local a=$(said_pid a) memory=$(status_field "$MY_INIT_PID" VmRSS)
	restart_supervisor
	kill -STOP "$supervisor"
	container_exec perl /srv/orphans
	# Its end is behind more records than the channel can hold.
	container_exec kill -KILL "$a"
	same_memory "$memory"
	kill -CONT "$supervisor"
	wait_for "no zombies" no_zombies
	wait_output '^a finish -1 9$'
	wait_lines 2 '^a up'
	[ "$(count_output '^b up')" -eq 1 ]
	container_kill TERM
	container_wait
	[ "$status" -eq 0 ]
	[ "$(count_output '^b up')" -eq 1 ]
}

@test "TERM reaches a supervisor whose channel is full" {
	root_file /srv/orphans <<<"$(orphans 1000)"
	good_service a
	finish_of a
	container_start --
	wait_output '^a up'
	restart_supervisor
	kill -STOP "$supervisor"
	container_exec perl /srv/orphans
	container_kill TERM
	container_wait 20
	[ "$status" -eq 0 ]
	wait_output '^a finish -1 15$'
}
