#!/usr/bin/env bats
# supervise/ of a service's directory, beside runit's runsv, and with runit's own sv.

load beside

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

# stat of a service: text NAME TEXT, where that is waited for in both places
each_is() {
	each_waits "$1: $2" sh -c '[ "$(cat "/etc/service/$1/supervise/stat")" = "$2" ]' \
	    sh "$1" "$2"
	alike "supervise/ of $1" "$(container_exec sh -c "$_told" sh "$1")" \
	    "$(theirs sh -c "$_told" sh "$1")"
}

# The pid in a service's supervise/, here and in runit's status.
pid_in() {
	container_exec cat "/etc/service/$1/supervise/pid"
}

pid_in_status() {
	container_exec sh -c 'od -An -tu4 -j12 -N4 "/etc/service/$1/supervise/status" |
	    tr -d " "' sh "$1"
}

# write NAME CHARACTERS: into control, in both places
each_writes() {
	each sh -c 'printf "$2" >"/etc/service/$1/supervise/control"' sh "$1" "$2"
}

# runit's sv, on our services
their_sv() {
	container_exec "$RUNIT/sv" "$@"
}

wait_text() {
	wait_for "$1: $2" container_exec \
	    sh -c '[ "$(cat "/etc/service/$1/supervise/stat")" = "$2" ]' sh "$1" "$2"
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
	[[ "$(their_sv -v up /etc/service/b)" =~ ^"ok: run: /etc/service/b: (pid $(said_pid b)) "[0-9]"s, normally down"$ ]]
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
	wait_for "the new pid" _pid_is_said a
	container_exec sh -c 'printf h >/etc/service/a/supervise/control'
	wait_output '^a got HUP'
	no_output 'another supervisor'
}

not_runs() {
	! runs "$1"
}

_pid_is_said() {
	[ "$(pid_in "$1")" = "$(said_pid "$1")" ]
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
	pkill -P $holder
	kill $holder || :
	wait $holder || :
}

_is_locked() {
	! flock -n "$1" true
}

@test "another supervisor has it: that is said, and nothing is written" {
	good_service theirs
	good_service ours
	root_file /srv/run 755 <<-EOF
	#!/bin/sh
	exec $RUNIT/runsv /etc/service/theirs
	EOF
	startup_script first <<-EOF
	#!/bin/sh
	touch /etc/service/theirs/down
	setsid $RUNIT/runsv /etc/service/theirs &
	until [ -e /etc/service/theirs/supervise/status ]; do sleep 0.05; done
	rm /etc/service/theirs/down
	EOF
	container_start --
	wait_output '^theirs up'
	wait_text ours run
	wait_output '^\*\*\* theirs: another supervisor has locked its supervise/lock'
	wait_text theirs down
	container_exec initctl restart theirs
	container_exec initctl restart theirs
	wait_lines 3 '^theirs up'
	wait_text theirs down
	[ "$(count_output 'another supervisor')" -eq 1 ]
	# Once that is gone it is ours.
	container_exec pkill -x runsv
	container_exec initctl restart theirs
	wait_text theirs run
	_pid_is_said theirs
}

@test "what is removed: nobody there, and what is written stays true" {
	local name
	for name in one two; do
		root_file /srv/$name/run 755 <<-EOF
		#!/bin/sh
		echo "$name up \$\$"
		exec sleep 100000
		EOF
	done
	ln -s /srv/one "$ROOT/etc/service/link"
	good_service gone
	service moved <<-'EOF'
	#!/bin/sh
	trap 'until [ -e /tmp/end ]; do sleep 0.05; done; exit' TERM
	echo "moved up $$"
	while :; do sleep 0.05; done
	EOF
	container_start --
	wait_up moved gone
	wait_output '^one up'
	wait_text link run
	wait_text moved run
	wait_text gone run

	container_exec ln -sfn /srv/two /etc/service/link
	wait_output '^two up'
	wait_for "the end of one" container_exec grep -qx down /srv/one/supervise/stat
	[ "$(container_exec stat -c %s /srv/one/supervise/pid)" = 0 ]
	wait_for "the pid of two" _pid_of_two
	run their_sv status /srv/one
	[[ "$output" == *"runsv not running"* ]]
	# It may be another's.
	container_exec flock -n /srv/one/supervise/lock true

	# The same directory under another name, which has to wait for its lock.
	container_exec mv /etc/service/moved /etc/service/renamed
	wait_lines 2 '^moved up'
	local moved_ms=$(now_ms)
	wait_for "more than the second after which it is tried again" _is_later
	[ "$(pid_in renamed)" != "$(said_pid moved)" ]
	container_exec touch /tmp/end
	wait_for "the pid" _pid_of_renamed
	wait_text renamed run
	wait_for "a reader of ok" their_sv check /etc/service/renamed

	container_exec rm -rf /etc/service/gone
	wait_unknown gone
	no_output 'another supervisor'
}

_pid_of_two() {
	[ "$(container_exec cat /srv/two/supervise/pid)" = "$(said_pid two)" ]
}

_is_later() {
	[ $(($(now_ms) - moved_ms)) -gt 1500 ]
}

_pid_of_renamed() {
	[ "$(pid_in renamed)" = "$(said_pid moved)" ]
}

@test "it may be a link, and what is missing there is made; as a file it is left alone" {
	local name
	for name in linked away file full pipes pipe stale; do
		good_service $name
	done
	ln -s /run/supervise.linked "$ROOT/etc/service/linked/supervise"
	ln -s /no/such/directory "$ROOT/etc/service/away/supervise"
	: >"$ROOT/etc/service/file/supervise"
	# A FIFO in the way keeps nobody waiting.
	mkdir "$ROOT"/etc/service/{pipes,pipe}/supervise
	mkfifo "$ROOT/etc/service/pipes/supervise/lock" \
	    "$ROOT/etc/service/pipe/supervise/pid.new"
	# Nor does a file where a FIFO should be keep the rest from being written.
	mkdir -p "$ROOT/etc/service/stale/supervise/pid.new"
	: >"$ROOT/etc/service/stale/supervise/control"
	echo 1 >"$ROOT/etc/service/stale/supervise/pid"
	startup_script fill <<-'EOF'
	#!/bin/sh
	mkdir /etc/service/full/supervise &&
	mount -t tmpfs -o nr_inodes=20 tmpfs /etc/service/full/supervise
	EOF
	container_start --
	for name in linked away file full pipes pipe stale; do
		wait_output "^$name up"
	done
	wait_text linked run
	wait_text pipe run
	container_exec test ! -s /etc/service/pipe/supervise/pid
	[ "$(container_exec stat -c %A /run/supervise.linked)" = drwx------ ]
	their_sv check /etc/service/linked
	wait_text stale run
	container_exec test ! -e /etc/service/stale/supervise/pid
	container_exec test -f /etc/service/file/supervise
	container_exec test ! -e /no

	# No file can be made: no pid is better than one that is wrong.
	wait_text full run
	_pid_is_said full
	container_exec sh -c 'cd /etc/service/full/supervise
	    while mkdir "$((i = i + 1))" 2>/dev/null; do :; done'
	container_exec initctl restart full
	container_exec sh -c 'cd /etc/service/full/supervise && [ ! -e pid ] ||
	    [ "$(cat pid)" = "$1" ]' sh "$(pid_of full)"
	container_exec sh -c 'rmdir /etc/service/full/supervise/[0-9]*'
	container_exec initctl restart full
	[ "$(pid_in full)" = "$(pid_of full)" ]
	[ "$(count_output '^\*\*\* [a-z]*: ')" -eq 0 ]
}

@test "few descriptors: services first" {
	local i
	for ((i = 0; i < 30; i++)); do
		good_service s$i
	done
	container_start --via "prlimit --nofile=200:200" --
	for ((i = 0; i < 30; i++)); do
		wait_text s$i run
		_pid_is_said s$i
	done
	# As many as may be are listened to.
	local heard=0
	for ((i = 0; i < 30; i++)); do
		! their_sv check /etc/service/s$i >/dev/null || heard=$((heard + 1))
	done
	[ "$heard" -ge 1 ]
	[ "$heard" -lt 30 ]
	container_exec initctl restart 's*'
	container_kill TERM
	container_wait
	[ "$status" -eq 0 ]
}

@test "a root that is read-only: services do without" {
	good_service a
	container_start --read-only --
	wait_up a
	container_exec test ! -e /etc/service/a/supervise
	container_exec initctl restart a
	wait_lines 2 '^a up'
	no_output supervise
}
