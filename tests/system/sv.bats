#!/usr/bin/env bats
# sv, beside runit's own (see sv.bash): what it prints, and its exit codes.

load sv

# --- status --------------------------------------------------------------------------
@test "status: up, down, normally up and down, missing, no directory" {
	both_good up
	both_good off down
	both_good on down
	both_good stopped
	echo >"$ROOT/srv/runit/file"
	echo >"$ROOT/etc/service/file"
	begin up stopped
	same_line 'ok: run: on: (pid N) Ns, normally down' 0 sv start on
	same_line 'ok: down: stopped: Ns, normally up' 0 sv stop stopped
	same 0 sv status up off on stopped
	[ "$said" = 'run: up: (pid N) Ns
down: off: Ns
run: on: (pid N) Ns, normally down
down: stopped: Ns, normally up' ]
	same 1 sv status up missing off
	same_line 'fail: missing: unable to change to service directory: file does not exist' \
	    1 sv status missing
	same_line 'fail: file: unable to change to service directory: not a directory' \
	    1 sv status file
	same 0 sv -v status up
	same 0 sv s up
	# The file down is looked at now, not at the start.
	container_exec rm /etc/service/on/down /srv/runit/on/down
	container_exec touch /etc/service/up/down /srv/runit/up/down
	same_line 'run: on: (pid N) Ns' 0 sv status on
	same_line 'run: up: (pid N) Ns, normally down' 0 sv status up
}

@test "the pid and the seconds are those of run" {
	both_good up
	begin up
	local said=$(container_exec sv status up)
	[[ $said =~ ^run:\ up:\ \(pid\ $(said_pid up)\)\ [0-9]+s$ ]]
	wait_for "two seconds of life" container_exec sh -c \
	    'sv status up | grep -Eq "\) ([2-9]|[1-9][0-9]+)s$"'
}

@test "status: paused, want down, got TERM, want up, finish" {
	both_good up
	both_stubborn stubborn
	both crash <<<$'#!/bin/sh\nexit 1'
	both_good slow
	both_file slow/finish <<<$'#!/bin/sh\nuntil [ -e /tmp/go ]; do sleep 0.05; done'
	begin up stubborn slow
	wait_said 'down: crash: Ns, normally up, want up' sv status crash
	same_line '' 0 sv pause up
	wait_said 'run: up: (pid N) Ns, paused' sv status up
	same_line '' 0 sv cont up
	wait_said 'run: up: (pid N) Ns' sv status up
	same_line '' 0 sv down stubborn
	wait_said 'run: stubborn: (pid N) Ns, want down, got TERM' sv status stubborn
	same_line '' 0 sv up stubborn
	wait_said 'run: stubborn: (pid N) Ns, got TERM' sv status stubborn
	same_line '' 0 sv once up
	wait_said 'run: up: (pid N) Ns, want down' sv status up
	same_line '' 0 sv term slow
	wait_said 'finish: slow: (pid N) Ns' sv status slow
	same_line '' 0 sv down slow
	wait_said 'finish: slow: (pid N) Ns, want down' sv status slow
	same_line 'timeout: finish: slow: (pid N) Ns, want down' 1 sv -w 1 stop slow
	same_line 'timeout: finish: slow: (pid N) Ns' 1 sv -w1 start slow
	same_line 'ok: finish: slow: (pid N) Ns' 0 sv check slow
	same_line 'timeout: finish: slow: (pid N) Ns, want down' 1 sv -vw 0 d slow
	let_go
	wait_said 'down: slow: Ns, normally up' sv status slow
}

# --- start, stop and so on -----------------------------------------------------------
@test "start, stop, restart and reload: lines and exit codes" {
	both_good a
	both_good b
	both_good c
	begin a b c
	same_line 'ok: run: a: (pid N) Ns' 0 sv start a
	same_line 'ok: down: a: Ns, normally up' 0 sv stop a
	same_line 'ok: down: a: Ns, normally up' 0 sv stop a
	same_line 'ok: down: a: Ns, normally up' 0 sv try-restart a
	same_restart a sv start a
	same_restart a sv restart a
	same 0 sv stop b
	same_restart b sv restart b
	same_restart b sv try-restart b
	same_restart b sv force-reload b
	same_restart b sv force-restart b
	same_line 'ok: down: c: Ns, normally up' 0 sv force-stop c
	same_line 'ok: run: c: (pid N) Ns' 0 sv -v up c
	wait_ups 2 c
	same_line 'ok: run: c: (pid N) Ns' 0 sv reload c
	same_line 'fail: missing: unable to change to service directory: file does not exist' \
	    1 sv start missing
	same 2 sv restart missing other
	local old=$(said_pid a)
	same_restart a sv restart a
	not runs "$old"
}

@test "one that does not stop: the timeout line and 1; force-stop kills it" {
	both_stubborn a
	both_stubborn b
	both_good good
	begin a b good
	same_line 'timeout: run: a: (pid N) Ns, want down, got TERM' 1 sv -w 1 stop a
	same_line 'timeout: run: a: (pid N) Ns, want down, got TERM' 1 SVWAIT=1 sv stop a
	local start=$(now_ms)
	ours sv -w 2 -v d a
	took "$start" 1900 5000
	[ "$code" -eq 1 ]
	same_line 'kill: run: a: (pid N) Ns, want down, got TERM' 1 sv -w 1 force-stop a
	wait_said 'down: a: Ns, normally up' sv status a
	same 1 sv -w 1 stop good b
	[ "$(sort <<<"$said")" = 'ok: down: good: Ns, normally up
timeout: run: b: (pid N) Ns, want down, got TERM' ]
	same 0 sv start a
	wait_ups 2 a
	# runit knows no less than seconds: a start just before would be one after.
	wait_for "another second" aged a
	same_line 'kill: run: a: (pid N) Ns, got TERM' 1 sv -w 1 force-restart a
	wait_ups 3 a
	wait_said 'run: a: (pid N) Ns' sv status a
}

aged() {
	runits sv status "$1"
	grep -qE ' ([2-9]|[1-9][0-9]+)s$' "$OUTPUT/answer"
}

@test "low-level commands: each signal, silent, by the first letter" {
	both a <<-'EOF'
	#!/bin/sh
	for name in HUP ALRM INT QUIT USR1 USR2 TERM; do
		trap "echo a got $name" $name
	done
	echo "a up $$"
	while :; do sleep 0.05; done
	EOF
	begin a
	local word name n=0
	while read -r word name; do
		same_line '' 0 sv "$word" a
		n=$((n + 1))
		wait_for "$n signals" got $n "$name"
	done <<-'EOF'
	hup HUP
	h HUP
	alarm ALRM
	a ALRM
	interrupt INT
	i INT
	quit QUIT
	q QUIT
	1 USR1
	2 USR2
	term TERM
	t TERM
	EOF
	same_line 'ok: run: a: (pid N) Ns, got TERM' 0 sv -v hup a
	same_line 'ok: run: a: (pid N) Ns, got TERM' 0 sv -v 1 a
	same_line '' 0 sv k a
	wait_ups 2 a
	wait_said 'run: a: (pid N) Ns' sv status a
	same_line 'ok: run: a: (pid N) Ns' 0 sv -v kill a
	# A pause while runit waits to start it again is lost, there and here.
	wait_ups 3 a
	wait_said 'run: a: (pid N) Ns' sv status a
	same 0 sv p a
	wait_said 'run: a: (pid N) Ns, paused' sv status a
	same_line 'ok: run: a: (pid N) Ns' 0 sv -v c a
	same_line 'ok: run: a: (pid N) Ns, paused' 0 sv -v pause a
	same 1 sv hup missing
}

# Have both got that many signals, and this one last?
got() {
	local file
	for file in "$OUTPUT/stdout" "$OUTPUT/runit"; do
		[ "$(grep -c '^a got' "$file")" -ge "$1" ] || return 1
		[ "$(grep '^a got' "$file" | tail -n 1)" = "a got $2" ] || return 1
	done
}

@test "once: it is not started again" {
	both_good a down
	both_good b
	begin b
	same_line '' 0 sv once a
	wait_output '^a up'
	wait_said 'run: a: (pid N) Ns, normally down, want down' sv status a
	same_line '' 0 sv kill a
	wait_said 'down: a: Ns' sv status a
	ours sv -v once a
	[ "$answer" = 'ok: run: a: (pid N) Ns, normally down, want down' ]
	same_line '' 0 sv o b
	same_line '' 0 sv t b
	wait_said 'down: b: Ns, normally up' sv status b
	[ "$(count_output '^b up')" -eq 1 ]
}

@test "exit and shutdown: the service is stopped, and stays down" {
	both_good a
	both_good b
	begin a b
	same_line 'ok: a: runsv not running' 0 sv shutdown a
	ours sv status a
	[ "$answer" = 'down: a: Ns, normally up' ]
	same_line '' 0 sv exit b
	wait_for "b to be down" _said ours 'down: b: Ns, normally up' sv status b
	ours sv start a
	[ "$answer" = 'ok: run: a: (pid N) Ns' ]
	ours sv force-shutdown a
	[ "$answer" = 'ok: a: runsv not running' ]
	[ "$code" -eq 0 ]
	[ "$(count_output '^b up')" -eq 1 ]
}

@test "check: what ./check says counts, for start, restart and check" {
	both_good a
	both_good plain
	begin a plain
	same_line 'ok: run: plain: (pid N) Ns' 0 sv check plain
	same 0 sv stop plain
	same_line 'ok: down: plain: Ns, normally up' 0 sv check plain
	both_file a/check <<-'EOF'
	#!/bin/sh
	echo "noise" 2>/dev/null
	[ -x ./run ] && [ -e /tmp/ready ]
	EOF
	same_line 'timeout: run: a: (pid N) Ns' 1 sv -w 1 check a
	same_line 'timeout: run: a: (pid N) Ns' 1 sv -w 1 start a
	container_exec touch /tmp/ready
	same_line 'ok: run: a: (pid N) Ns' 0 sv check a
	same_line 'ok: run: a: (pid N) Ns' 0 sv start a
	same_restart a sv restart a
	same_line 'ok: down: a: Ns, normally up' 0 sv stop a
	same_line 'fail: missing: unable to change to service directory: file does not exist' \
	    1 sv check missing
}

# --- which service, and by which name ------------------------------------------------
@test "usage: 100" {
	both_good a
	begin a
	same 100 sv bogus a
	[[ $said == "usage: sv "* ]]
	same 100 sv
	same 100 sv status
	same 100 sv up
	same 100 sv -w 2
	same 100 sv -v
	ours sv -x status a
	[ "$code" -eq 100 ]
	same 100 sv '' a
	same 100 sv force-stops a
	same 100 sv HUP a
	same 0 sv sxyz a
	same 0 sv under a
}

@test "paths, names, SVDIR, and how many have failed" {
	both_good a
	begin a
	same_line 'run: @/a: (pid N) Ns' 0 sv status @/a
	same_line 'run: @/a/: (pid N) Ns' 0 sv status @/a/
	same_line 'run: ./a: (pid N) Ns' 0 sh -c 'cd @ && sv status ./a'
	same_line 'run: .: (pid N) Ns' 0 sh -c 'cd @/a && sv status .'
	same_line 'run: a/: (pid N) Ns' 0 sh -c 'cd @ && SVDIR=/nowhere sv status a/'
	same_line 'ok: run: @/a: (pid N) Ns' 0 sv restart @/a
	wait_ups 2 a
	wait_said 'run: a: (pid N) Ns' sv status a
	same 1 SVDIR=/nowhere sv status a
	same 1 sv status @/missing
	same_line 'run: a/../a: (pid N) Ns' 0 sv status a/../a
	same_line 'run: @/a: (pid N) Ns' 0 sh -c 'sv status @/*'
	same 3 sv start x y z
	same 99 sh -c 'sv status $(seq 150)'
	# With SVDIR unset, and as a link to the same directory.
	[[ $(container_exec sv status a) == "run: a: (pid $(said_pid a)) "* ]]
	container_exec ln -s /etc/service/a /tmp/link
	[[ $(container_exec SVDIR=/tmp sv status link) == "run: link: (pid $(said_pid a)) "* ]]
}

@test "a directory that nobody supervises, and a user who may not" {
	both_good a
	begin a
	container_exec mkdir -p /etc/service/.new /srv/runit/.new
	same_line 'warning: @/.new: unable to open supervise/ok: file does not exist' \
	    1 sv status @/.new
	same 1 sv start @/.new
	same_line 'warning: a: unable to open supervise/ok: access denied' \
	    1 setpriv --reuid=1000 --regid=1000 --clear-groups sv status a
	same 1 setpriv --reuid=1000 --regid=1000 --clear-groups sv stop a
}

@test "no supervisor at all: the same warning" {
	local code=0 verb
	good_service a
	for verb in status start check; do
		code=0
		chroot "$ROOT" sv $verb a >"$OUTPUT/said" || code=$?
		[ "$code" -eq 1 ]
		[ "$(cat "$OUTPUT/said")" = \
		    'warning: a: unable to open supervise/ok: file does not exist' ]
	done
}

@test "as /etc/init.d/NAME: the exit codes of init scripts" {
	both_good a
	both_good off down
	both_stubborn stubborn
	local name
	for name in a off stubborn missing; do
		ln -s /usr/bin/sv "$ROOT/etc/init.d/$name"
		ln -s $RUNIT/sv "$ROOT/srv/init.d/$name"
	done
	begin a stubborn
	same_line 'run: a: (pid N) Ns' 0 %/a status
	same_line 'down: off: Ns' 3 %/off status
	same_line 'ok: down: a: Ns, normally up' 0 %/a stop
	same_line 'down: a: Ns, normally up' 3 %/a status
	same_restart a %/a start
	same_restart a %/a restart
	same_line 'ok: run: a: (pid N) Ns' 0 %/a reload
	same_restart a %/a force-reload
	same_line 'ok: down: off: Ns' 0 %/off try-restart
	same 1 %/stubborn -w 1 stop
	[ "$said" = 'timeout: run: stubborn: (pid N) Ns, want down, got TERM' ]
	same 2 %/a
	[[ $said == "usage: a "* ]]
	same 2 %/a bogus
	same_line 'fail: missing: unable to change to service directory: file does not exist' \
	    1 %/missing start
	# The one difference: runit's is 1, init scripts say 4 when it is unknown.
	ours %/missing status
	[ "$code" -eq 4 ]
}

# --- from scripts ----------------------------------------------------------------------
@test "run waits for what it depends on, and restarts another" {
	good_service first
	service second <<-'EOF'
	#!/bin/sh
	sv start first || exit 1
	sv restart other
	echo "second up $$"
	exec sleep 100000
	EOF
	root_file /etc/service/first/down </dev/null
	good_service other
	root_file /etc/service/other/down </dev/null
	container_start --
	wait_output '^second up'
	in_order '^ok: run: first: \(pid [0-9]+\) [0-9]+s, normally down$' \
	    '^ok: run: other: ' '^second up'
	wait_output '^other up'
	wait_output '^first up'
	[ "$(count_output '^first up')" -eq 1 ]
}

@test "finish says down to itself, or exit: it stays down" {
	local verb
	for verb in down exit; do
		service $verb <<<$'#!/bin/sh\necho "'$verb$' runs"\nexit 3'
		root_file /etc/service/$verb/finish 755 <<-EOF
		#!/bin/sh
		sv $verb $verb; echo "$verb finish \$?"
		sv status $verb
		EOF
	done
	container_start --
	wait_output '^finish: down: \(pid [0-9]+\) [0-9]+s, want down$'
	wait_down down exit
	in_order '^down runs$' '^down finish 0$'
	[ "$(count_output '^down runs')" -eq 1 ]
	[ "$(count_output '^exit runs')" -eq 1 ]
}

@test "startup scripts: not supervised before sv start; shutdown scripts: still" {
	good_service a
	good_service b
	startup_script 10 <<-'EOF'
	#!/bin/sh
	sv status a; echo "status: $?"
	sv restart /etc/service/a; echo "restart: $?"
	sv start a; echo "start: $?"
	EOF
	shutdown_script pre 10 <<-'EOF'
	#!/bin/sh
	sv stop a; echo "pre stop: $?"
	sv status b; echo "pre status: $?"
	EOF
	shutdown_script post 10 <<-'EOF'
	#!/bin/sh
	sv status b; echo "post status: $?"
	sv stop b; echo "post stop: $?"
	EOF
	container_start --
	wait_output '^a up'
	wait_output '^b up'
	container_kill TERM
	container_wait
	[ "$status" -eq 0 ]
	local warning='unable to open supervise/ok: file does not exist$'
	in_order "^warning: a: $warning" '^status: 1$' \
	    "^warning: /etc/service/a: $warning" '^restart: 1$' \
	    '^ok: run: a: \(pid [0-9]+\) [0-9]+s$' '^start: 0$' \
	    '^ok: down: a: [0-9]+s, normally up$' '^pre stop: 0$' \
	    '^run: b: \(pid [0-9]+\) [0-9]+s$' '^pre status: 0$' \
	    '^down: b: [0-9]+s, normally up$' '^post status: 0$' \
	    '^ok: down: b: [0-9]+s, normally up$' '^post stop: 0$'
	[ "$(count_output "^warning: a: $warning")" -eq 1 ]
}
