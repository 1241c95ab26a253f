#!/usr/bin/env bats
# supervise/ of a service's directory, beside runit's runsv, and with runit's own sv.

load supervise

# A service that stays up, and says which signals it has got.
hearing() {
	service "$1" <<-EOF
	#!/bin/bash
	for signal in HUP INT QUIT USR1 USR2 ALRM CONT; do
		trap "echo \$1 got \$signal" \$signal
	done
	echo "$1 up \$\$"
	while :; do sleep 0.05; done
	EOF
	sed -i "s/\$1 got/$1 got/" "$ROOT/etc/service/$1/run"
}

# What supervise/ says of a service: the files, stat, whether pid is empty, and what of
# status is neither time nor pid.
# shellcheck disable=SC2016
_told='cd "/etc/service/$1/supervise" || exit 1
	stat -c "%A %U %n" . control lock ok pid stat status
	cat stat
	[ -s pid ] && echo "a pid" || echo "no pid"
	od -An -tx1 -j16 status'

# stat of a service: text NAME TEXT, where that is waited for in both places, and for
# status, which comes after it
each_is() {
	each_waits "$1: $2" sh -c '[ "$(cat "/etc/service/$1/supervise/stat")" = "$2" ]' \
	    sh "$1" "$2"
	wait_for "the rest of $1" _told_alike "$1" || :
	alike "supervise/ of $1" "$(container_exec sh -c "$_told" sh "$1")" \
	    "$(theirs sh -c "$_told" sh "$1")"
}

# What supervise/ says of a service in both places is stat, and the rest alike.
_told_alike() {
	local ours theirs
	ours=$(container_exec sh -c "$_told" sh "$1") &&
	    theirs=$(theirs sh -c "$_told" sh "$1") && [ "$ours" = "$theirs" ]
}

# their_up NAME [REST]: runit's sv starts a service, and knows the pid that it says; it
# says so only then.
their_up() {
	local said
	said=$(their_sv -v up "/etc/service/$1")
	wait_output "^$1 up"
	[[ $said =~ ^"ok: run: /etc/service/$1: (pid $(said_pid "$1")) "[0-9]s"${2-}"$ ]] ||
	    fail "sv up: $said"
}

# The pid in runit's status.
pid_in_status() {
	container_exec sh -c 'od -An -tu4 -j12 -N4 "/etc/service/$1/supervise/status" |
	    tr -d " "' sh "$1"
}

# write NAME CHARACTERS: into control, in both places
each_writes() {
	each sh -c 'printf "$2" >"/etc/service/$1/supervise/control"' sh "$1" "$2"
}

@test "what it says of each state" {
	hearing up
	hearing off
	: >"$ROOT/etc/service/off/down"
	service logged <<<$'#!/bin/sh\necho "logged up $$" >&2\nexec sleep 100000'
	root_file /etc/service/logged/log/run 755 <<<$'#!/bin/sh\nexec cat'
	service stubborn <<-'EOF'
	#!/bin/sh
	trap '' TERM
	echo "stubborn up $$"
	while :; do sleep 0.05; done
	EOF
	service ending <<<$'#!/bin/sh\necho "ending up $$"\nexec sleep 100000'
	root_file /etc/service/ending/finish 755 <<-'EOF'
	#!/bin/sh
	echo "ending finish"
	until [ -e /tmp/end ]; do sleep 0.05; done
	EOF
	cp -a "$ROOT/etc/service/stubborn" "$ROOT/etc/service/hooked"
	sed -i s/stubborn/hooked/ "$ROOT/etc/service/hooked/run"
	root_file /etc/service/hooked/control/t 755 <<-'EOF'
	#!/bin/sh
	until [ -e /tmp/hooked ]; do sleep 0.05; done
	exit 1
	EOF
	begin_both KILL_PROCESS_TIMEOUT=50
	local name
	for name in up logged stubborn ending hooked; do
		each_says 1 $name up
		each_is $name run
		[ "$(pid_in $name)" = "$(pid_by ours $name)" ]
		[ "$(pid_in_status $name)" = "$(pid_in $name)" ]
	done
	grep -qx 'prw------- root control' <<<"$said"
	each_is logged/log run
	each_is off down
	[ "$(pid_in off)" = "" ]
	[ "$(pid_in_status off)" = 0 ]

	each sv pause up
	each_is up "run, paused"
	each sv cont up
	each_is up run
	each sv down stubborn
	each_is stubborn "run, got TERM, want down"
	each sv kill stubborn
	each_is stubborn down
	# The signal comes after the hook, which leaves it to be sent.
	each sv down hooked
	each touch /tmp/hooked
	each_is hooked "run, got TERM, want down"
	each sv kill hooked
	each_is hooked down
	each sv once off
	each_is off "run, want down"
	each sv down off
	each_is off down

	# finish is a process as well.
	each sh -c 'kill "$(cat /etc/service/ending/supervise/pid)"'
	each_says 1 ending finish
	each_is ending finish
	[ -n "$(pid_in ending)" ]
	each sh -c 'touch /tmp/end'
	each_says 2 ending up
	each_is ending run
	[ "$(pid_in ending)" = "$(pid_by ours ending)" ]
}

@test "what is written into control is done" {
	hearing a
	good_service b
	: >"$ROOT/etc/service/b/down"
	begin_both
	each_says 1 a up
	each_is a run
	each_is b down

	local character signals='h HUP i INT q QUIT 1 USR1 2 USR2 a ALRM'
	set -- $signals
	while [ $# -gt 0 ]; do
		each_writes a $1
		each_says 1 a "got $2"
		shift 2
	done
	each_writes a p
	each_is a "run, paused"
	each_writes a c
	each_says 1 a "got CONT"
	each_is a run
	each_writes a t
	each_says 2 a up
	each_writes a k
	each_says 3 a up
	each_writes a d
	each_is a down
	# More than one at a time, and what means nothing.
	each_writes a 'z\nu'
	each_says 4 a up
	each_writes b o
	each_is b "run, want down"
	each_says 1 b up
	each_writes b t
	each_is b down
	each_says 1 b up
	[ "$(count_by ours b up)" -eq 1 ]
	# To runsv that is its own end as well.
	container_exec sh -c 'printf x >/etc/service/a/supervise/control'
	wait_text a down
	same_signals
}

# Each signal has been heard once in both places.
same_signals() {
	alike "signals" "$(said_by ours a | grep got | sort)" \
	    "$(said_by theirs a | grep got | sort)"
	[ "$(wc -l <<<"$said")" -eq 7 ]
}

@test "runit's own sv, and a second runsv" {
	hearing a
	hearing b
	: >"$ROOT/etc/service/b/down"
	container_start --
	wait_output '^a up'
	wait_text a run
	wait_text b down
	[[ "$(their_sv status /etc/service/a)" =~ ^"run: /etc/service/a: (pid $(said_pid a)) "[0-9]s$ ]]
	[[ "$(their_sv status /etc/service/b)" =~ ^"down: /etc/service/b: "[0-9]s$ ]]
	their_up b ", normally down"
	their_sv hup /etc/service/a
	wait_output '^a got HUP'
	[[ "$(their_sv -v down /etc/service/a)" =~ ^"ok: down: /etc/service/a: "[0-9]"s, normally up"$ ]]
	their_sv start /etc/service/a
	wait_lines 2 '^a up'
	container_exec sh -c 'cd /etc/service && "$0/sv" check a' "$RUNIT"

	run container_exec "$RUNIT/runsv" /etc/service/a
	[ "$status" -eq 111 ]
	[ "$output" = "runsv /etc/service/a: fatal: unable to lock supervise/lock: temporary failure" ]
	their_sv check /etc/service/a
	# It is nothing that should not be there.
	[ "$(container_exec initctl check)" = "2 services, no faults" ]
}

@test "runit's own sv waits for hooks and finish, and starts what has failed or been held" {
	good_service slow
	root_file /etc/service/slow/control/d 755 <<-'EOF'
	#!/bin/sh
	until [ -e /tmp/hook ]; do sleep 0.05; done
	EOF
	root_file /etc/service/slow/finish 755 <<-'EOF'
	#!/bin/sh
	echo "slow finish"
	until [ -e /tmp/finish ]; do sleep 0.05; done
	EOF
	service failing <<-'EOF'
	#!/bin/sh
	[ -e /tmp/well ] || exit 1
	echo "failing up $$"
	exec sleep 100000
	EOF
	root_file /etc/service/failing/max-death-tally 644 <<<1
	service often <<-'EOF'
	#!/bin/sh
	echo "failing often"
	[ -e /tmp/better ] && exec sleep 100000
	EOF
	good_service held
	good_service needed
	: >"$ROOT/etc/service/needed/down"
	root_file /etc/service/held/depends 644 <<<needed
	container_start KILL_PROCESS_TIMEOUT=50 --
	wait_up slow
	wait_text slow run
	run their_sv -w 1 down /etc/service/slow
	[ "$status" -eq 1 ]
	[[ "$output" =~ ^"timeout: finish: /etc/service/slow: (pid 0) "[0-9]"s, normally up"$ ]]
	container_exec touch /tmp/hook
	wait_output '^slow finish'
	run their_sv -w 1 down /etc/service/slow
	[ "$status" -eq 1 ]
	[[ "$output" =~ ^"timeout: finish: /etc/service/slow: (pid "[0-9]*") "[0-9]"s, want down"$ ]]
	container_exec touch /tmp/finish
	their_sv -w 20 down /etc/service/slow

	wait_for "failing to fail" _has_failed
	wait_text failing down
	container_exec touch /tmp/well
	their_up failing

	# Waiting to be tried again is down as well.
	wait_lines 9 '^failing often'
	wait_text often down
	container_exec touch /tmp/better
	their_sv -v -w 5 up /etc/service/often

	wait_text held down
	[ "$(count_output '^held up')" -eq 0 ]
	their_up held
}

_has_failed() {
	container_exec initctl status failing | grep -q failed
}

@test "many are written one at a time, and in between others are heard" {
	local i pids=()
	for ((i = 0; i < 30; i++)); do
		good_service s$i
	done
	container_start --
	for ((i = 0; i < 30; i++)); do
		wait_text s$i run
		wait_output "^s$i up"
		pids+=("$(said_pid s$i)")
	done
	supervisor=$(supervisor_pid)
	strace -p "$supervisor" -o "$OUTPUT/calls" \
	    -e 'trace=/^(epoll_p?wait2?|renameat2?)$' 2>"$OUTPUT/strace" 3>&- &
	wait_for "strace to be attached" grep -qs attached "$OUTPUT/strace"
	# All ends are seen in one turn.
	kill -STOP "$supervisor"
	container_exec kill -KILL "${pids[@]}"
	kill -CONT "$supervisor"
	for ((i = 0; i < 30; i++)); do
		wait_lines 2 "^s$i up"
		wait_for "the pid of s$i" pid_is_said s$i
	done
	container_kill TERM
	container_wait
	wait $! || :
	[ "$(awk '/epoll/ { asked = 1 }
	    /"status.new"/ { written++; if (!asked) { unasked++ }; asked = 0 }
	    END { print (written >= 30), unasked + 0 }' "$OUTPUT/calls")" = "1 0" ]
}

@test "shutdown scripts find no pid of what has ended" {
	good_service a
	local when
	for when in pre post; do
		root_file /etc/my_init.${when}_shutdown.d/look 755 <<-EOF
		#!/bin/sh
		cd /etc/service/a/supervise
		echo "$when \$(cat stat) \$(cat pid)."
		EOF
	done
	container_start --
	wait_up a
	wait_text a run
	container_kill TERM
	container_wait
	container_output | grep -qxF "pre run $(said_pid a)."
	container_output | grep -qxF "post down ."
}

@test "who has waited for a service finds its pid" {
	hearing a
	container_start --
	wait_up a
	local i pid before=''
	for ((i = 0; i < 15; i++)); do
		read -r pid < <(container_exec sh -c 'initctl restart a >/dev/null &&
		    cat /etc/service/a/supervise/pid')
		[ "$pid" != "$before" ]
		[ "$pid" = "$(pid_of a)" ]
		before=$pid
	done
	for ((i = 0; i < 15; i++)); do
		[ "$(container_exec sh -c 'initctl stop a >/dev/null &&
		    cat /etc/service/a/supervise/stat /etc/service/a/supervise/pid')" = down ]
		container_exec initctl start a
	done
}

@test "who waits with nobody there to tell finds its pid, too" {
	hearing a
	root_file /look 755 <<-'EOF'
	#!/bin/sh
	[ $# -eq 0 ] || "$@"
	echo "pid $(cat /etc/service/a/supervise/pid)."
	EOF
	container_run -- --wait-ready -- /look
	grep -qx 'pid [0-9][0-9]*[.]' <<<"$stdout"
	rm -r "$ROOT/etc/service/a/supervise"
	container_run -- /look initctl wait a
	grep -qx 'pid [0-9][0-9]*[.]' <<<"$stdout"
	# sv knows that it is ready before the supervisor does, also while it boots.
	root_file /etc/service/a/check 755 <<-'EOF'
	#!/bin/sh
	[ "$PPID" -ne "$(pgrep -x supervisor)" ] || exec sleep 5
	EOF
	startup_script look <<<$'#!/bin/sh\nexec /look sv start a'
	container_run -- true
	grep -qx 'pid [0-9][0-9]*[.]' <<<"$stdout"
}

@test "many that end together, and a client: none is forgotten" {
	local i pids=()
	for ((i = 0; i < 12; i++)); do
		good_service s$i
		if [ $((i % 2)) -eq 0 ]; then
			root_file /etc/service/s$i/restart 644 <<<never
		else
			root_file /etc/service/s$i/finish 755 <<<$'#!/bin/sh\nexec sleep 0.1'
		fi
	done
	container_start --
	for ((i = 0; i < 12; i++)); do
		wait_text s$i run
		wait_output "^s$i up"
		pids+=("$(said_pid s$i)")
	done
	# Of some it is told at once that they are down, and others are yet to be written.
	container_exec initctl watch >"$OUTPUT/watch" 3>&- &
	wait_for "the client" grep -q s11 "$OUTPUT/watch"
	supervisor=$(supervisor_pid)
	kill -STOP "$supervisor"
	container_exec kill -KILL "${pids[@]}"
	kill -CONT "$supervisor"
	for ((i = 0; i < 12; i += 2)); do
		wait_text s$i down
		[ -z "$(pid_in s$i)" ]
		wait_lines 2 "^s$((i + 1)) up"
		wait_for "the pid of s$((i + 1))" pid_is_said s$((i + 1))
	done
	[ "$(supervisor_pid)" = "$supervisor" ]
	container_kill TERM
	container_wait
	wait $! || :
}

@test "killed: what is there is right again, and a command is not lost" {
	hearing a
	service quick <<<$'#!/bin/sh\necho "quick up $$"\nexec sleep 1'
	container_start --
	wait_up a
	wait_text a run
	restart_supervisor
	wait_for "a reader of ok" their_sv check /etc/service/a
	[ "$(pid_in a)" = "$(said_pid a)" ]

	# It ends while there is nobody to write that down; nobody reads, who writes waits.
	kill -STOP "$supervisor"
	container_exec kill -KILL "$(said_pid a)"
	wait_for "a's end" not_runs "$(said_pid a)"
	[ "$(pid_in a)" = "$(said_pid a)" ]
	local old=$supervisor
	next_supervisor_of "$old"
	wait_lines 2 '^a up'
	wait_for "the new pid" pid_is_said a
	container_exec sh -c 'printf h >/etc/service/a/supervise/control'
	wait_output '^a got HUP'
	no_output 'another supervisor'
}

not_runs() {
	! runs "$1"
}

# Kills a supervisor that is stopped.
next_supervisor_of() {
	kill -KILL "$1"
	supervisor=$1
	next_supervisor
}

@test "a container that is started again: no pid of its last life" {
	local name
	for name in a other link; do
		good_service $name
		root_file /etc/service/$name/log/run 755 <<<$'#!/bin/sh\nexec cat'
		mkdir -p "$ROOT/etc/service/$name"/{,log/}supervise
		echo 1 | tee "$ROOT/etc/service/$name"/{,log/}supervise/pid
		: >"$ROOT/etc/service/$name/supervise/lock"
		: >"$ROOT/etc/service/$name/log/supervise/lock"
	done
	# A logger's may be all that is left.
	rm -r "$ROOT/etc/service/a/supervise"
	mkdir -p "$ROOT/srv"
	mv "$ROOT/etc/service/link" "$ROOT/srv/link"
	ln -s /srv/link "$ROOT/etc/service/link"
	startup_script see <<-'EOF'
	#!/bin/sh
	for file in /etc/service/*/supervise/pid /etc/service/*/log/supervise/pid; do
		echo "$file is there"
	done
	EOF
	# Another supervisor, of another container say, has this one.
	flock "$ROOT/etc/service/other/supervise/lock" sleep 1000 3>&- &
	local holder=$!
	wait_for "the lock" _is_locked "$ROOT/etc/service/other/supervise/lock"
	container_start --
	wait_output '^a up'
	wait_text a run
	[ "$(container_output | grep 'is there' | xargs)" = \
	    "/etc/service/other/supervise/pid is there /etc/service/*/log/supervise/pid is there" ]
	container_kill KILL
	container_wait
	# Nor where no services are started.
	echo 1 >"$ROOT/etc/service/a/supervise/pid"
	container_run -- --skip-runit -- cat /etc/service/a/supervise/pid
	[ "$status" -eq 1 ]
	pkill -P $holder
	kill $holder || :
	wait $holder || :
}

_is_locked() {
	! flock -n "$1" true
}
