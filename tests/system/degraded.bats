# What my_init does without: each lack is one clear message, and everything else
# works as ever.  A whole life each time (boot, a service that is killed and comes
# back, stop), and a one-shot command.
load services

# What stderr says beside the ordinary.
complaints() {
	local ordinary='Running |Booting |Runit |Shutting down |Killing all '
	ordinary+='|Init system aborted\.|.* exited with exit code '
	grep -aE '^\*\*\* ' "$OUTPUT/stderr" | grep -vaE "^\*\*\* ($ordinary)" || :
}

# There is one complaint, and it matches.
one_complaint() {
	local said
	said=$(complaints)
	if [ "$(grep -c . <<<"$said")" -ne 1 ] || ! grep -qE -e "$1" <<<"$said"; then
		fail "not one complaint like $1"
	fi
}

no_complaint() {
	[ -z "$(complaints)" ] || fail "a complaint about nothing"
}

# lives_with [OPTION...] [NAME=VALUE...]: boots, supervises, stops; not before there has
# been a line like $also.
lives_with() {
	container_start --split "$@" --
	[ -z "${also-}" ] || wait_output "$also"
	wait_lines 1 '^good up'
	container_exec kill -KILL "$(said_pid good)"
	wait_lines 2 '^good up'
	container_kill TERM
	container_wait
	[ "$status" -eq 0 ] || fail "stopped with exit code $status"
}

# exits_with [OPTION...] [NAME=VALUE...]: runs a command.
exits_with_42() {
	container_run "$@" -- -- sh -c 'echo "did its work"; exit 42'
	[ "$status" -eq 42 ] || fail "ended with exit code $status" || return
	grep -qx "did its work" "$OUTPUT/stdout" || fail "the command did not run"
}

@test "nothing is missing: no complaint" {
	good_service good
	lives_with
	no_complaint
	exits_with_42
	no_complaint
}

# --- no files --------------------------------------------------------------------
@test "no /etc/container_environment" {
	rmdir "$ROOT/etc/container_environment"
	good_service good
	startup_script 10_see <<-'EOF'
	#!/bin/sh
	echo "the script sees $GIVEN"
	EOF
	lives_with GIVEN=this
	one_complaint '/etc/container_environment'
	grep -qx 'the script sees this' "$OUTPUT/stdout"
	# Nothing has been made in its place.
	[ -z "$(find "$ROOT/etc" -name 'container_environment*')" ]
	exits_with_42
	one_complaint '/etc/container_environment'
}

@test "no /etc/service" {
	rmdir "$ROOT/etc/service"
	container_start --split --
	wait_output 'Runit started'
	container_kill TERM
	container_wait
	[ "$status" -eq 0 ]
	one_complaint '/etc/service'
	exits_with_42
	one_complaint '/etc/service'
}

@test "/etc/service is a file" {
	rmdir "$ROOT/etc/service"
	root_file /etc/service <<<"not a directory"
	exits_with_42
	one_complaint '/etc/service'
}

@test "a read-only root" {
	good_service good
	variable FROM_FILE this
	startup_script 10_see <<-'EOF'
	#!/bin/sh
	echo "the script sees $FROM_FILE $GIVEN"
	EOF
	lives_with --read-only GIVEN=that
	one_complaint '/etc/container_environment'
	# What could not be written out is not forgotten.
	grep -qx 'the script sees this that' "$OUTPUT/stdout"
	container_run --read-only GIVEN=that -- -- \
	    sh -c 'echo "the command sees $FROM_FILE $GIVEN"'
	grep -qx 'the command sees this that' "$OUTPUT/stdout"
}

@test "a kernel without close_range" {
	good_service good
	service few <<<$'#!/bin/sh\necho few has $(ls /proc/self/fd)\nexec sleep 100000'
	root_file /etc/service/few/log/run 755 <<<$'#!/bin/sh\nexec cat'
	without_call 436 436 38
	local also='^few has'
	lives_with --via /usr/local/bin/without_call
	# 3 is of ls.
	grep -qx 'few has 0 1 2 3' "$OUTPUT/stdout"
}

@test "/proc and /dev are not there" {
	root_file /opt/naked 755 <<-'EOF'
	#!/bin/sh
	umount -l /proc
	umount -l /dev/pts
	umount -l /dev
	exec "$@"
	EOF
	good_service good
	container_run --via /opt/naked -- -- sh -c 'exit 42'
	[ "$status" -eq 42 ]
}

# --- no rights --------------------------------------------------------------------
@test "few files may be open: none of many services runs as another than it is to" {
	local i
	for i in {100..199}; do
		service "a$i" <<-EOF
		#!/bin/sh
		echo "a up \$(id -u) \$(ulimit -n) \$A $i"
		exec sleep 100000
		EOF
		root_file "/etc/service/a$i/user" <<<nobody
		root_file "/etc/service/a$i/env/A" <<<"env"
		root_file "/etc/service/a$i/finish" 755 <<<$'#!/bin/sh\necho a ended'
	done
	good_service good
	root_file /etc/service/good/log/run 755 <<<$'#!/bin/sh\nexec cat >&2'
	# What may be had is taken, and not passed on.
	for i in 64:64 64:4096; do
		container_start --split --via "prlimit --nofile=$i" --
		wait_lines 100 '^a up'
		wait_lines 1 '^good up'
		container_kill TERM
		container_wait
		[ "$status" -eq 0 ]
		no_complaint
		[ "$(count_output '^a up 65534 64 env ')" -eq 100 ]
		[ "$(count_output '^a ended$')" -eq 100 ]
	done
}

@test "a service's directory that cannot be read: it is not run as if it said nothing" {
	good_service good
	good_service closed
	chmod 711 "$ROOT/etc/service/closed"
	lives_with --user 1234
	grep -q '^\*\*\* closed: its directory cannot be read: Permission denied' \
	    "$OUTPUT/stderr"
	no_output '^closed up'
}

@test "the heap cannot grow: what memory there is elsewhere will do" {
	local supervisor end
	good_service good
	container_start --
	wait_lines 1 '^good up'
	supervisor=$(supervisor_pid)
	# What the kernel says to one that it gives no more: where the heap ends.
	end=$(sed -n 's/^[0-9a-f]*-\([0-9a-f]*\) .*\[heap\]$/\1/p' "/proc/$supervisor/maps")
	[ -n "$end" ] || skip "memory does not come from a heap here (a sanitizer's does not)"
	strace -p "$supervisor" -o "$OUTPUT/brk" -e trace=brk \
	    -e "inject=brk:retval=0x$end" 2>"$OUTPUT/strace" &
	wait_for "strace to be attached" grep -qs attached "$OUTPUT/strace"
	container_exec sh -c 'i=0; cd /etc/service
	    while [ $((i += 1)) -le 150 ]; do
		mkdir .a$i; cp good/run .a$i/run; echo 022 >.a$i/umask; mv .a$i a$i
	    done'
	wait_lines 151 '^good up'
	grep -q INJECTED "$OUTPUT/brk"
	container_kill TERM
	container_wait
	wait $! || :
	no_output 'cannot be read'
}

@test "as another user" {
	good_service good
	startup_script 10_see <<-'EOF'
	#!/bin/sh
	echo "the script is $(id -u) and sees $GIVEN"
	EOF
	lives_with --user 1000 GIVEN=that
	one_complaint '/etc/container_environment'
	grep -qx 'the script is 1000 and sees that' "$OUTPUT/stdout"
	exits_with_42 --user 1000
	one_complaint '/etc/container_environment'
}

@test "as another user, who can read the environment directory" {
	chmod 755 "$ROOT/etc/container_environment"
	variable FROM_FILE this
	container_run --user 1000 -- -- sh -c 'echo "$FROM_FILE"'
	[ "$status" -eq 0 ]
	[ "$stdout" = this ]
	one_complaint '/etc/container_environment'
}

@test "as another user, to whom the environment directory belongs" {
	chown 1000 "$ROOT/etc/container_environment"
	container_run --user 1000 GIVEN=that -- -- \
	    cat /etc/container_environment/GIVEN
	[ "$status" -eq 0 ]
	[ "$stdout" = that ]
	# The files beside it are root's.
	one_complaint '/etc/container_environment\.(sh|json)'
}

@test "root without capabilities" {
	good_service good
	lives_with --no-caps
	no_complaint
	exits_with_42 --no-caps
	no_complaint
}

@test "root without capabilities: a file that is closed to root is passed over" {
	variable GOOD this
	variable CLOSED secret
	chmod 000 "$ROOT/etc/container_environment/CLOSED"
	container_run --no-caps -- -- sh -c 'echo "$GOOD${CLOSED-}"; exit 42'
	[ "$status" -eq 42 ]
	[ "$stdout" = this ]
	one_complaint '/etc/container_environment/CLOSED '
}

# --- not PID 1 ---------------------------------------------------------------------
@test "not PID 1" {
	good_service good
	lives_with --not-pid1
	one_complaint 'my_init is PID [0-9]+, not PID 1'
	grep -q 'bystander survives' "$OUTPUT/stderr"
	exits_with_42 --not-pid1
	one_complaint 'my_init is PID [0-9]+, not PID 1'
}

@test "not PID 1: what it started is gone at its end, orphans too; others are not" {
	# PID 1, which sees what is left.
	root_file /opt/parent 755 <<-'EOF'
	#!/bin/bash
	sleep 1000 &
	"$@"
	code=$?
	pgrep -x -a sleep >/tmp/left
	exit $code
	EOF
	good_service good
	startup_script 10_daemon <<-'EOF'
	#!/bin/bash
	setsid bash -c 'trap "" TERM; sleep 1001 & exec sleep 1002' &
	EOF
	container_run --via /opt/parent KILL_ALL_PROCESSES_TIMEOUT=1 -- -- \
	    sh -c 'setsid sleep 1003 & until pgrep -f "^sleep 1002"; do :; done
	    exit 42'
	[ "$status" -eq 42 ]
	cut -d' ' -f2- "$(container_file /tmp/left)"
	[ "$(cut -d' ' -f2- <"$(container_file /tmp/left)")" = "sleep 1000" ]
}

@test "not PID 1: orphans come to my_init, and are reaped" {
	root_file /opt/orphans 755 <<-'EOF'
	#!/bin/bash
	for i in {1..50}; do (sleep 0.01 &); done
	(sleep 1001 &)
	echo left orphans
	exec sleep 1000
	EOF
	container_start --not-pid1 -- -- /opt/orphans
	wait_output '^left orphans'
	wait_for "an adopted orphan" adopted 'sleep 1001'
	wait_for "no zombies" no_zombies
}

# Is the parent of the process with that command line my_init?
adopted() {
	[ "$(container_exec ps -o ppid= -p "$(container_exec pgrep -f "^$1")")" \
	    -eq "$(container_exec pgrep -o -x my_init)" ]
}

no_zombies() {
	[ "$(zombies)" -eq 0 ] && ! container_exec pgrep -f 'sleep 0.01'
}

# --- all of it ----------------------------------------------------------------------
@test "another user, read-only, without capabilities, no environment, not PID 1" {
	rmdir "$ROOT/etc/container_environment"
	good_service good
	lives_with --user 1000 --read-only --not-pid1
	exits_with_42 --user 1000 --read-only --not-pid1
	[ "$(complaints | grep -c .)" -eq 2 ] || fail "not two complaints"
	grep -q 'bystander survives' "$OUTPUT/stderr"
}
