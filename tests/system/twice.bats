#!/usr/bin/env bats
# my_init twice: as its own main command (ENTRYPOINT and CMD), and beside another.

load initctl

ONCE='^\*\*\* my_init is its own main command .*taken as given once$'

# once_run CODE ARGUMENT...: ends with that code, having said it once
once_run() {
	local code=$1
	shift
	container_run -- "$@"
	[ "$status" -eq "$code" ] || fail "$*: exit code $status, not $code" || return
	[ "$(count_output "$ONCE")" -eq 1 ] || fail "$*: not said once"
}

# --- its own main command ----------------------------------------------------------------
@test "ENTRYPOINT and CMD: one supervisor, services once, said once" {
	good_service a
	startup_script 10 <<<$'#!/bin/sh\necho "script runs"'
	local word
	for word in /sbin/my_init my_init; do
		container_start -- $word
		wait_up a
		[ "$(count_output "$ONCE")" -eq 1 ]
		[ "$(container_exec pgrep -c -x my_init)" -eq 1 ]
		restart_supervisor
		wait_for "the control socket" _is a state up
		container_kill TERM
		container_wait
		[ "$status" -eq 0 ]
		[ "$(count_output "$ONCE")" -eq 1 ]
		[ "$(count_output '^a up')" -eq 1 ]
		[ "$(count_output '^script runs$')" -eq 1 ]
	done
}

@test "the main command and its exit code are those of the last one" {
	once_run 42 /sbin/my_init -- sh -c 'exit 42'
	once_run 42 -- /sbin/my_init -- sh -c 'exit 42'
	once_run 3 /sbin/my_init my_init -- /sbin/my_init -- sh -c 'exit 3'
	once_run 0 -- my_init -- echo /sbin/my_init --quiet -- -x
	[ "$stdout" = '/sbin/my_init --quiet -- -x' ]
	once_run 127 /sbin/my_init my_initial
	container_run -- -- echo /sbin/my_init
	[ "$stdout" = /sbin/my_init ]
	[ "$(count_output "$ONCE")" -eq 0 ]
}

@test "options of both count" {
	startup_script 10 <<<$'#!/bin/sh\necho "script runs"'
	good_service a
	once_run 0 --skip-runit -- /sbin/my_init --skip-startup-files -- echo command
	[ "$stdout" = command ]
	once_run 0 --skip-startup-files /sbin/my_init --skip-runit echo command
	[ "$stdout" = command ]
	container_run -- /sbin/my_init --quiet --skip-startup-files --skip-runit -- echo command
	[ "$stdout" = command ]
	[ -z "$stderr" ]
	container_run -- --quiet --skip-runit -- /sbin/my_init -- echo command
	[ "$stdout" = $'script runs\ncommand' ]
	[ -z "$stderr" ]
}

@test "wrong usage of the inner one is wrong usage" {
	container_run -- -- /sbin/my_init --bogus -- true
	[ "$status" -eq 2 ]
	[[ $stderr == *'unrecognized arguments: --bogus'* ]]
	container_run -- --quiet -- my_init ls -l
	[ "$status" -eq 2 ]
	[[ $stderr == *'unrecognized arguments: -l'* ]]
	container_run -- --skip-runit /sbin/my_init
	[ "$status" -eq 1 ]
	[[ $stderr == *'you must also pass a main command'* ]]
	container_run -- -- /sbin/my_init --help
	[ "$status" -eq 0 ]
	[[ $stdout == 'usage: my_init '* ]]
	container_run -- /sbin/my_init -- /sbin/my_init --version
	[ "$status" -eq 0 ]
	[[ $stdout == 'my_init '[0-9]* ]]
}

@test "by the path it was started with" {
	mkdir -p "$ROOT/opt"
	ln -s /sbin/my_init "$ROOT/opt/init"
	root_file /opt/start 755 <<<$'#!/bin/sh\nshift\nexec /opt/init "$@"'
	container_run --via /opt/start -- /opt/init -- sh -c 'exit 5'
	[ "$status" -eq 5 ]
	[ "$(count_output "$ONCE")" -eq 1 ]
}

# --- beside another ----------------------------------------------------------------------
REFUSED='^\*\*\* Another my_init runs the services already: .*/run/my_init/control\.sock .*--skip-runit'

@test "from a startup script, a service, docker exec: refused with 1, said once" {
	good_service a
	startup_script 10 <<<$'#!/bin/sh\nmy_init; echo "script: $?"'
	service b <<<$'#!/bin/sh\nmy_init -- echo never; echo "b: $?"\nexec sleep 100000'
	container_start --
	wait_up a
	wait_output '^script: 1$'
	wait_output '^b: 1$'
	[ "$(count_output "$REFUSED")" -eq 2 ]
	local code=0
	container_exec /sbin/my_init >"$OUTPUT/second" 2>&1 || code=$?
	[ "$code" -eq 1 ]
	[ "$(grep -cE "$REFUSED" "$OUTPUT/second")" -eq 1 ]
	[ "$(grep -c . "$OUTPUT/second")" -eq 1 ]
	no_output never
	[ "$(count_output '^a up')" -eq 1 ]
	# The first has the socket, and serves.
	ctl 0 status a
}

@test "one without services runs beside it" {
	good_service a
	container_start --
	wait_up a
	[ "$(container_exec my_init --quiet --skip-startup-files --skip-runit -- echo command)" = command ]
	_is a pid "$(said_pid a)"
}

@test "wherever the socket is; one that nobody listens at any more is none" {
	good_service a
	container_start INITCTL_SOCKET=/tmp/my.sock --
	wait_output '^a up'
	local code=0
	container_exec INITCTL_SOCKET=/tmp/my.sock my_init >"$OUTPUT/second" 2>&1 || code=$?
	[ "$code" -eq 1 ]
	grep -q '/tmp/my\.sock' "$OUTPUT/second"
	container_kill KILL
	container_wait
	container_start --user 1000 --
	wait_lines 1 '^a up'
	code=0
	container_exec setpriv --reuid=1000 --regid=1000 --clear-groups my_init \
	    >"$OUTPUT/second" 2>&1 || code=$?
	[ "$code" -eq 1 ]
	grep -q '/dev/shm/my_init/control\.sock' "$OUTPUT/second"
	container_kill KILL
	container_wait
	# What is left of these is no other my_init.
	container_start --not-pid1 INITCTL_SOCKET=/tmp/my.sock --
	wait_output '^a up'
	no_output 'Another'
}

@test "another container's socket is not ours to care for" {
	good_service a
	container_start --
	wait_up a
	container_exec unshare --pid --fork --kill-child sh -c \
	    'my_init --quiet -- echo "command runs"; :' >"$OUTPUT/second" 2>&1
	grep -q '^command runs$' "$OUTPUT/second"
	not grep -q 'runs the services already' "$OUTPUT/second"
}

@test "not PID 1, and its supervisor faulted three times: it is no other to itself" {
	good_service a
	CONTAINER_MAY_FAULT=1
	container_start --not-pid1 --
	wait_up a
	container_exec initctl status >/dev/null
	# The next three end by a fault, the last of them makes place for the real one.
	echo 3 >"$(container_file /tmp/faults)"
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
	wait_output 'afresh$'
	wait_lines 2 '^a up'
	wait_for "its answer" _is a state up
	no_output 'Another my_init'
}
