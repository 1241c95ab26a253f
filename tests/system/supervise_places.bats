#!/usr/bin/env bats
# Where supervise/ of a service is: moved, removed, somebody else's, and where it cannot be
# written.

load supervise

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
	wait_lines 2 '^theirs up'
	container_exec initctl restart theirs
	wait_lines 3 '^theirs up'
	wait_text theirs down
	[ "$(count_output 'another supervisor')" -eq 1 ]
	# Once that is gone it is ours.
	container_exec pkill -x runsv
	wait_for "its end" container_exec flock -n /etc/service/theirs/supervise/lock true
	container_exec initctl restart theirs
	wait_text theirs run
	wait_for "its pid" pid_is_said theirs

	# One that has got in between, and runs a second one, is left alone.
	container_exec rm /etc/service/theirs/supervise/lock
	container_exec setsid "$RUNIT/runsv" /etc/service/theirs >"$OUTPUT/second" 2>&1 3>&- &
	wait_for "a second one" grep -q '^theirs up' "$OUTPUT/second"
	local second=$(sed -n 's/^theirs up //p' "$OUTPUT/second")
	wait_for "its pid" _pid_is theirs "$second"
	container_exec initctl restart theirs
	_pid_is theirs "$second"
	wait_text theirs run
	container_exec pkill -x runsv
	wait $! || :
}

@test "what is removed: nobody there, and what is written is true" {
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
	# It may be another's.
	wait_for "one to be let go" is_left /srv/one
	[ "$(container_exec stat -c %s /srv/one/supervise/pid)" = 0 ]
	wait_for "the pid of two" _pid_of_two
	run their_sv status /srv/one
	[[ "$output" == *"runsv not running"* ]]

	# It is nobody's while it has yet to end, and the same under another name.
	local old=$(said_pid moved)
	container_exec mv /etc/service/moved /srv/moved
	wait_for "moved to be let go" is_left /srv/moved
	runs "$old"
	container_exec mv /srv/moved /etc/service/renamed
	wait_lines 2 '^moved up'
	wait_for "the pid" _pid_of_renamed
	wait_text renamed run
	wait_for "a reader of ok" their_sv check /etc/service/renamed
	container_exec touch /tmp/end
	wait_unknown moved
	_pid_of_renamed

	container_exec rm -rf /etc/service/gone
	wait_unknown gone
	no_output 'another supervisor'
}

_pid_of_two() {
	[ "$(container_exec cat /srv/two/supervise/pid)" = "$(said_pid two)" ]
}

_pid_of_renamed() {
	[ "$(pid_in renamed)" = "$(said_pid moved)" ]
}

# version NAME: one of those that a link leads to, with a logger
version() {
	root_file "/srv/$1/run" 755 <<-EOF
	#!/bin/sh
	echo "$1 up \$\$" >&2
	exec sleep 100000
	EOF
	root_file "/srv/$1/log/run" 755 <<-'EOF'
	#!/bin/sh
	exec cat
	EOF
}

# The service a, with a logger, which does not end before there is /tmp/end.
slow_service() {
	service a <<-'EOF'
	#!/bin/sh
	trap 'until [ -e /tmp/end ]; do sleep 0.05; done; exit' TERM
	echo "a up $$" >&2
	while :; do sleep 0.05; done
	EOF
	root_file /etc/service/a/log/run 755 <<<$'#!/bin/sh\nexec cat'
}

# is_there DIRECTORY NAME: supervise/ there says that it runs, with the pid it said last
is_there() {
	[ "$(container_exec cat "$1/supervise/stat" "$1/supervise/pid" | xargs)" = \
	    "run $(said_pid "$2")" ]
}

# is_left DIRECTORY: it says that nobody runs, and is nobody's
is_left() {
	[ "$(container_exec cat "$1/supervise/stat")" = down ] &&
	    container_exec test ! -s "$1/supervise/pid" &&
	    container_exec flock -n "$1/supervise/lock" true
}

@test "a link further up leads elsewhere, and back: supervise/ is where the service is" {
	version v1
	version v2
	ln -s v1 "$ROOT/srv/current"
	ln -s /srv/current "$ROOT/etc/service/a"
	container_start --
	wait_output '^v1 up'
	wait_for "v1 to be written" is_there /srv/v1 v1
	wait_text a/log run

	container_exec ln -sfn v2 /srv/current
	container_exec initctl restart a
	wait_output '^v2 up'
	wait_for "v2 to be written" is_there /srv/v2 v2
	# A program that is being started has the lock for a moment, too.
	wait_for "v1 to be let go" is_left /srv/v1
	wait_for "its logger to be written" their_sv check /etc/service/a/log
	wait_for "v1's logger to be let go" is_left /srv/v1/log
	their_sv -v term /etc/service/a
	wait_lines 2 '^v2 up'

	container_exec ln -sfn v1 /srv/current
	container_exec initctl restart a
	wait_lines 2 '^v1 up'
	wait_for "v1 to be written" is_there /srv/v1 v1
	wait_for "v2 to be let go" is_left /srv/v2
	their_sv -v term /etc/service/a
	wait_lines 3 '^v1 up'
	no_output 'another supervisor'
}

@test "what is removed in it is there again with the next change" {
	good_service a
	container_start --
	wait_up a
	wait_text a run
	local what
	for what in 'supervise/*' supervise supervise/lock; do
		container_exec sh -c "cd /etc/service/a && rm -r $what"
		container_exec initctl restart a
		wait_for "the pid" pid_is_said a
		their_sv check /etc/service/a
		run container_exec "$RUNIT/runsv" /etc/service/a
		[ "$status" -eq 111 ]
	done

	# What can be no lock has none: nothing is known.
	for what in 'mkdir lock' 'mkfifo lock' 'ln -s /srv lock'; do
		container_exec sh -c "cd /etc/service/a/supervise && rm -rf lock && $what"
		container_exec initctl restart a
		container_exec sh -c 'ls "$1"' sh /etc/service/a/supervise >"$OUTPUT/files"
		not grep -qE '^(pid|stat|status)$' "$OUTPUT/files"
		container_exec rm -r /etc/service/a/supervise/lock
		container_exec initctl restart a
		wait_for "the pid" pid_is_said a
	done
}

@test "links change places: each service has its own, and hears what is its own" {
	version v1
	version v2
	ln -s v1 "$ROOT/srv/one"
	ln -s v2 "$ROOT/srv/two"
	ln -s /srv/one "$ROOT/etc/service/a"
	ln -s /srv/two "$ROOT/etc/service/b"
	container_start --
	wait_for "v1 to be written" is_there /srv/v1 v1
	wait_for "v2 to be written" is_there /srv/v2 v2
	local first=$(said_pid v2)
	container_exec sh -c 'ln -sfn v2 /srv/one; ln -sfn v1 /srv/two'
	container_exec initctl restart a
	wait_lines 2 '^v2 up'
	wait_for "a's pid" _pid_is a "$(said_pid v2)"
	wait_for "b's pid" _pid_is b "$first"
	their_sv -v down /etc/service/a
	runs "$first"
	no_output 'another supervisor'
}

_pid_is() {
	[ "$(pid_in "$1")" = "$2" ]
}

@test "a moment without a link: it is tried again" {
	version v1
	ln -s v1 "$ROOT/srv/current"
	ln -s /srv/current "$ROOT/etc/service/a"
	container_start --
	wait_for "v1 to be written" is_there /srv/v1 v1
	container_exec rm /srv/current
	container_exec initctl signal HUP a/log
	container_exec initctl signal STOP a
	wait_for "v1 to be let go" is_left /srv/v1
	container_exec ln -s v1 /srv/current
	wait_text a 'run, paused'
	their_sv check /etc/service/a
}

@test "moved while it stops, and the supervisor killed: no pid stays" {
	slow_service
	container_start --
	wait_for "a to be written" is_there /etc/service/a a
	wait_text a/log run
	container_exec mv /etc/service/a /srv/old
	wait_for "it to be let go" is_left /srv/old
	wait_for "its logger to be let go" is_left /srv/old/log
	restart_supervisor
	container_exec touch /tmp/end
	wait_unknown a
	is_left /srv/old
	is_left /srv/old/log
}

@test "a directory in the place of another that still stops, and its logger's" {
	slow_service
	cp -a "$ROOT/etc/service/a" "$ROOT/etc/service/.new"
	container_start --
	wait_for "a to be written" is_there /etc/service/a a
	wait_text a/log run
	container_exec sh -c 'mv /etc/service/a /srv/old && mv /etc/service/.new /etc/service/a'
	wait_for "the old one to be let go" is_left /srv/old
	wait_for "its logger to be let go" is_left /srv/old/log
	wait_text a "run, got TERM"
	wait_text a/log run
	container_exec touch /tmp/end
	wait_lines 2 '^a up'
	wait_for "a to be written" is_there /etc/service/a a
	wait_for "both to run" their_sv check /etc/service/a /etc/service/a/log
	is_left /srv/old
}

@test "it may be a link, and what is missing there is made; as a file it is left alone" {
	local name
	for name in linked away file full pipes pipe stale shared; do
		good_service $name
	done
	ln -s /run/supervise.linked "$ROOT/etc/service/linked/supervise"
	# Another file by another name is not written to.
	mkdir "$ROOT/etc/service/shared/supervise"
	root_file /srv/precious 644 <<<precious
	ln "$ROOT/srv/precious" "$ROOT/etc/service/shared/supervise/pid.new"
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
	for name in linked away file full pipes pipe stale shared; do
		wait_output "^$name up"
	done
	wait_text linked run
	wait_text pipe run
	pid_is_said pipe
	wait_text shared run
	pid_is_said shared
	[ "$(container_exec cat /srv/precious)" = precious ]
	[ "$(container_exec stat -c %A /run/supervise.linked)" = drwx------ ]
	their_sv check /etc/service/linked
	wait_text stale run
	container_exec test ! -e /etc/service/stale/supervise/pid
	container_exec test -f /etc/service/file/supervise
	container_exec test ! -e /no

	# No file can be made: no pid is better than one that is wrong.
	wait_text full run
	pid_is_said full
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

@test "few descriptors: services first; without a lock nothing is written" {
	local i
	for ((i = 0; i < 30; i++)); do
		good_service s$i
		mkdir "$ROOT/etc/service/s$i/supervise"
		echo 1 >"$ROOT/etc/service/s$i/supervise/pid"
	done
	container_start --via "prlimit --nofile=200:200" --
	# To ask for each takes a busy machine longer than a container may live.
	wait_lines 30 '^s[0-9]+ up'
	for ((i = 0; i < 30; i++)); do
		wait_for "s$i to be written, or not" _is_right s$i
	done
	# As many as may be are listened to.
	local heard=0
	for ((i = 0; i < 30; i++)); do
		! their_sv check /etc/service/s$i >/dev/null || heard=$((heard + 1))
	done
	[ "$heard" -ge 1 ]
	[ "$heard" -lt 30 ]
	container_exec initctl restart 's*'
	for ((i = 0; i < 30; i++)); do
		wait_for "s$i to be written, or not" _is_right s$i
	done
	# Wherever it is: no pid that is not true.
	container_exec sh -c 'mv /etc/service/s* /srv/'
	for ((i = 0; i < 30; i++)); do
		wait_unknown s$i
		container_exec test ! -s /srv/s$i/supervise/pid
	done
	container_kill TERM
	container_wait
	[ "$status" -eq 0 ]
}

# What has the lock says its pid, what has not says none.
_is_right() {
	if container_exec flock -n "/etc/service/$1/supervise/lock" true; then
		container_exec sh -c 'ls "$1"' sh "/etc/service/$1/supervise" >"$OUTPUT/files"
		! grep -qE '^(pid|stat|status)$' "$OUTPUT/files"
	else
		pid_is_said "$1"
	fi
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
