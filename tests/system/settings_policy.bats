#!/usr/bin/env bats
# What becomes of a service: type, restart, every, max-death-tally, essential;
# reload-signal and down.  Most of it is what fsm.c decides, so each rule is seen once
# with real processes; tests/unit/test_fsm.c has the rest.

load settings

# --- type ------------------------------------------------------------------------------
@test "oneshot: up when it is done, and what depends on it starts then" {
	service migrate <<-'EOS'
	#!/bin/sh
	echo "migrate begins"
	until [ -e /tmp/go ]; do sleep 0.02; done
	echo "migrate ends"
	EOS
	finish_of migrate
	setting migrate type oneshot
	good_service web
	setting web depends migrate
	good_service alone
	setting alone type longrun
	container_start -- --quiet
	wait_output '^migrate begins$'
	wait_up alone
	is "migrate" "$(value migrate state)" starting
	is "web" "$(value web state)" down
	ctl 3 status migrate
	# The next supervisor waits for the end of the same run.
	restart_supervisor
	is "migrate" "$(value migrate state)" starting
	let_go
	wait_up web
	in_order '^migrate begins$' '^migrate ends$' '^migrate finish 0 0$' '^web up'
	is "migrate" "$(value migrate state) $(value migrate pid)" "up None"
	ctl 0 health
	# It is not done again because the supervisor has been.
	restart_supervisor
	is "migrate" "$(value migrate state)" up
	is "web's pid" "$(pid_of web)" "$(said_pid web)"
	is "runs" "$(count_output '^migrate begins$')" 1
	ctl 0 stop migrate
	is "web" "$(value web state)" down
	is "migrate" "$(value migrate state)" down
	ctl 0 start web
	wait_lines 2 '^web up'
	is "runs" "$(count_output '^migrate ends$')" 2
	container_kill TERM
	container_wait 10
	[ "$status" -eq 0 ]
	is "runs" "$(count_output '^migrate begins$')" 2
}

@test "oneshot: failure is failed, and what depends on it is not started" {
	service code <<-'EOS'
	#!/bin/sh
	echo "code runs"
	[ -e /tmp/go ] || exit 4
	EOS
	service signal <<<$'#!/bin/sh\necho "signal runs"\nkill -KILL $$'
	service nothing <<<'#!/no/such/shell'
	service long <<<$'#!/bin/sh\necho "long up $$"\nexec sleep 100000'
	local name
	for name in code signal nothing long; do
		setting $name type oneshot
	done
	good_service web
	setting web depends code
	good_service alone
	container_start -- --quiet
	wait_up alone
	wait_state failed code signal nothing
	is "code" "$(value code error)" "run ended with exit code 4"
	is "signal" "$(value signal error)" "run was ended by signal 9"
	is "nothing" "$(value nothing error)" "run could not be executed"
	wait_output '^\*\*\* code has failed: run ended with exit code 4 \(initctl start code\)$'
	is "web" "$(value web state)" down
	# One that is stopped while it runs has not failed.
	wait_output '^long up'
	ctl 0 stop long
	is "long" "$(value long state) $(value long error)" "down None"
	ctl 1 start code
	[ "$err" = "*** code: run ended with exit code 4" ]
	let_go
	ctl 0 start web
	wait_up web
	is "code" "$(value code state)" up
	is "runs of code" "$(count_output '^code runs$')" 3
	is "runs of signal" "$(count_output '^signal runs$')" 1
	is "runs of long" "$(count_output '^long up')" 1
}

# --- restart, every ----------------------------------------------------------------------
@test "restart: always, on-failure, never, by how run ends" {
	local file end name
	for file in none always on-failure never; do
		for end in 'exit 0' 'exit 3' 'kill -KILL $$'; do
			name=$file-$(tr -dc '03K' <<<"$end")
			service "$name" <<-EOF
			#!/bin/sh
			echo "$name runs"
			$end
			EOF
			[ $file = none ] || setting "$name" restart $file
		done
	done
	good_service stays
	setting stays restart never
	container_start -- --quiet
	wait_up stays
	for name in none-0 none-3 none-K always-0 always-3 always-K on-failure-3 \
	    on-failure-K; do
		wait_lines 2 "^$name runs$"
	done
	# By then these could have been started again, too.
	for name in on-failure-0 never-0 never-3 never-K; do
		is "runs of $name" "$(count_output "^$name runs$")" 1
	done
	for name in on-failure-0 never-0; do
		is "$name" "$(value $name state) $(value $name want)" "down down"
		no_output "^\*\*\* $name"
	done
	is "never-3" "$(value never-3 state): $(value never-3 error)" \
	    "failed: run ended with exit code 3"
	is "never-K" "$(value never-K state): $(value never-K error)" \
	    "failed: run was ended by signal 9"
	# What is asked for is another matter.
	ctl 0 restart stays
	wait_lines 2 '^stays up'
	ctl 0 --no-wait start never-0
	wait_lines 2 '^never-0 runs$'
}

@test "every: again and again, one at a time, until it is stopped" {
	local name count
	for name in tick other; do
		service $name <<<$'#!/bin/sh\necho "'$name' runs"'
		setting $name type oneshot
		setting $name every 100ms
	done
	service slow <<-'EOS'
	#!/bin/sh
	mkdir /tmp/slow || echo "slow twice"
	sleep 0.3
	rmdir /tmp/slow
	echo "slow runs"
	EOS
	setting slow type oneshot
	setting slow every 100ms
	service bad <<<$'#!/bin/sh\necho "bad runs"\nexit 3'
	setting bad type oneshot
	setting bad every 100ms
	cp -r "$ROOT/etc/service/bad" "$ROOT/etc/service/worse"
	setting worse max-death-tally 3
	service lone <<<$'#!/bin/sh\necho "lone runs"'
	setting lone every 1h
	container_start -- --quiet
	wait_lines 5 '^tick runs$'
	wait_lines 5 '^bad runs$'
	wait_lines 3 '^slow runs$'
	wait_state failed worse
	is "worse" "$(value worse error)" \
	    "run has ended 3 times within 60 seconds (max-death-tally)"
	restart_supervisor
	for name in tick slow bad; do
		wait_lines $(($(count_output "^$name runs$") + 3)) "^$name runs$"
	done
	no_output '^slow twice$'
	ctl 0 stop tick slow bad
	for name in tick slow bad; do
		is "$name" "$(value $name state) $(value $name next_start_ms)" \
		    "down None"
	done
	count=$(count_output '^(tick|slow|bad) runs$')
	wait_lines $(($(count_output '^other runs$') + 5)) '^other runs$'
	is "runs" "$(count_output '^(tick|slow|bad) runs$')" "$count"
	ctl 0 start tick
	wait_lines $(($(count_output '^tick runs$') + 2)) '^tick runs$'
	# As the error has told.
	is "lone" "$(value lone state): $(value lone error)" \
	    "failed: every: only a oneshot can be repeated (echo oneshot >type)"
	container_exec sh -c 'echo oneshot >/etc/service/lone/type'
	ctl 0 start lone
	wait_output '^lone runs$'
	is "lone" "$(value lone state)" up
	is "starts of lone" "$(count_output '^lone runs$')" 1
}

@test "max-death-tally: failed after so many deaths; what is asked for is none" {
	service crasher <<<$'#!/bin/sh\necho "crasher runs"\nexit 3'
	setting crasher max-death-tally 2
	finish_of crasher
	service missing <<<'#!/no/such/shell'
	setting missing max-death-tally 2
	service unlimited <<<$'#!/bin/sh\necho "unlimited runs"\nexit 3'
	setting unlimited max-death-tally 0
	service nofile <<<$'#!/bin/sh\necho "nofile runs"\nexit 3'
	good_service asked
	setting asked max-death-tally 1
	container_start -- --quiet
	wait_up asked
	ctl 0 restart asked
	wait_lines 2 '^asked up'
	ctl 0 restart asked
	wait_lines 3 '^asked up'
	wait_state failed crasher missing
	is "crasher" "$(value crasher error)" \
	    "run has ended 2 times within 60 seconds (max-death-tally)"
	is "missing" "$(value missing error)" \
	    "run has ended 2 times within 60 seconds (max-death-tally)"
	wait_output '^\*\*\* crasher has failed: run has ended 2 times'
	wait_lines 4 '^unlimited runs$'
	wait_lines 4 '^nofile runs$'
	is "asked" "$(value asked state)" up
	ctl 0 signal KILL asked
	wait_state failed asked
	# Asked for, it has as many again.
	is "runs of crasher" "$(count_output '^crasher runs$')" 2
	is "finishes of crasher" "$(count_output '^crasher finish 3 0$')" 2
	ctl 0 --no-wait start crasher
	wait_lines 4 '^crasher runs$'
	wait_state failed crasher
	is "runs of crasher" "$(count_output '^crasher runs$')" 4
	ctl 0 start asked
	wait_lines 4 '^asked up'
}

# --- essential ------------------------------------------------------------------------------
@test "essential: the container ends with its exit code, and in order" {
	local code
	good_service web
	setting web depends db
	finish_of web
	root_file /etc/service/db/essential </dev/null
	setting db restart never
	while read -r code end; do
		service db <<-EOF
		#!/bin/sh
		echo "db up \$\$"
		until [ -e /tmp/go ]; do sleep 0.02; done
		$end
		EOF
		rm -f "$ROOT/tmp/go"
		container_start --
		wait_output '^web up'
		let_go
		container_wait 20
		is "the exit code of $end" "$status" "$code"
		wait_output "^\*\*\* db is essential and has ended: the container stops with exit code $code\$"
		wait_output '^web finish -1 15$'
	done <<-'EOF'
	3 exit 3
	0 exit 0
	137 kill -KILL $$
	EOF
	# Beside a main command, too, which has its TERM.
	rm "$ROOT/tmp/go"
	container_start -- -- sh -c 'trap "echo command TERM; exit 7" TERM
	    echo begun; while :; do sleep 0.05; done'
	wait_output '^web up'
	wait_output '^begun$'
	let_go
	container_wait 20
	[ "$status" -eq 137 ]
	wait_output '^command TERM$'
}

@test "essential: one that never gets to run, or ready, ends it, too" {
	good_service db
	root_file /etc/service/db/essential </dev/null
	setting db umask nine
	container_run --
	[ "$status" -eq 1 ]
	[[ $stderr == *'*** db: umask: line 1: '* ]]
	[[ $stderr == *'*** db is essential and has ended: the container stops with exit code 1'* ]]
	setting db umask 022
	setting db max-death-tally 1
	setting db timeout-up 100
	root_file /etc/service/db/check 755 <<<$'#!/bin/sh\nexit 1'
	container_run --
	[ "$status" -eq 1 ]
	[[ $stderr == *'*** db: not ready within 100 ms (timeout-up); it is stopped'* ]]
	[[ $stderr == *'*** db is essential and has ended: '* ]]
	service db <<<'#!/no/such/shell'
	container_run --
	[ "$status" -ne 0 ]
	[[ $stderr == *'*** db is essential and has ended: '* ]]
	service db <<<$'#!/bin/sh\nexit 5'
	remove_setting db check
	setting db type oneshot
	container_run --
	[ "$status" -eq 5 ]
}

@test "essential: not what is stopped, restarted, removed, once; not a oneshot that is done" {
	local name
	for name in stop restart once away off last; do
		good_service $name
		setting $name restart never
		root_file /etc/service/$name/essential </dev/null
	done
	root_file /etc/service/off/down </dev/null
	service task <<<$'#!/bin/sh\necho "task up"'
	setting task type oneshot
	root_file /etc/service/task/essential </dev/null
	service always <<<$'#!/bin/sh\necho "always up"\nexit 1'
	mkdir "$ROOT/etc/service/always/essential"
	container_start -- --quiet
	wait_up stop restart away last task
	ctl 0 stop stop once
	ctl 0 restart restart
	ctl 0 once once
	wait_lines 2 '^once up'
	ctl 0 signal KILL once
	wait_state down once
	container_exec mv /etc/service/away /srv/away
	wait_unknown away
	wait_lines 2 '^always up'
	is "the phase" "$(container_exec initctl --json status | python3 -c '
import json, sys
print(json.load(sys.stdin)["phase"])')" running
	no_output 'is essential'
	# The container may end before its client does.
	container_exec initctl signal KILL last || :
	container_wait 20
	[ "$status" -eq 137 ]
	is "ends" "$(count_output 'is essential')" 1
}

# --- reload-signal, down ---------------------------------------------------------------------
# A service that says which signal it has got.
hearing_service() {
	service "$1" <<-EOF
	#!/usr/bin/perl
	\$| = 1;
	for my \$s (qw(HUP USR2 QUIT)) {
		\$SIG{\$s} = sub { print "$1 got \$s\n" };
	}
	print "$1 up \$\$\n";
	# One that comes just before it sleeps is heard when it wakes up.
	sleep 1 while 1;
	EOF
}

@test "reload-signal: sent by reload; control/h is for HUP, control/2 for USR2" {
	local name
	for name in plain usr2 hook both number; do
		hearing_service $name
		[ $name = plain ] || [ $name = hook ] || setting $name reload-signal USR2
	done
	setting number reload-signal 3
	for name in hook/control/h both/control/h both/control/2; do
		root_file "/etc/service/$name" 755 <<-EOF
		#!/bin/sh
		echo "${name%%/*} does ${name##*/}"
		EOF
	done
	container_start -- --quiet
	wait_up plain usr2 hook both number
	ctl 0 reload plain usr2 hook both number
	wait_output '^plain got HUP$'
	wait_output '^usr2 got USR2$'
	wait_output '^hook does h$'
	wait_output '^both does 2$'
	wait_output '^number got QUIT$'
	ctl 0 signal HUP both
	wait_output '^both does h$'
	no_output '^(hook|both) got'
	# None of them has ended by it; what does not run cannot be reloaded.
	for name in plain usr2 hook both number; do
		is "$name" "$(value $name restarts)" 0
	done
	ctl 0 stop usr2
	ctl 1 reload usr2
}

@test "down: not started at boot, whatever it is; asked for, it runs as any other" {
	local name
	for name in empty text folder link without; do
		good_service $name
	done
	root_file /etc/service/empty/down </dev/null
	root_file /etc/service/text/down <<<$'no\nup\n'
	mkdir "$ROOT/etc/service/folder/down"
	# As runsv(8) has it, there is none.
	ln -s /nowhere "$ROOT/etc/service/link/down"
	container_start -- --quiet
	wait_up link without
	for name in empty text folder; do
		is "$name" "$(value $name state) $(value $name want)" "down down"
	done
	ctl 0 start empty text
	wait_up empty text
	ctl 0 signal KILL text
	wait_lines 2 '^text up'
	restart_supervisor
	for name in empty text; do
		is "$name" "$(value $name state) $(value $name want)" "up up"
	done
	is "starts of empty" "$(count_output '^empty up')" 1
	no_output '^folder up'
}
