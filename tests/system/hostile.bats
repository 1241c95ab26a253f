#!/usr/bin/env bats
# Whatever connects to the control socket: no service notices, nothing grows, and the
# next client is served.

load control

# A container with three services, and what it is like before the attack.
begin() {
	good_service a
	good_service b
	service slow <<-'EOF'
	#!/bin/sh
	trap 'sleep 0.3; while [ -e /tmp/hold ]; do sleep 0.05; done; exit' TERM
	echo "slow up $$"
	while :; do sleep 0.05; done
	EOF
	container_start "$@" KILL_PROCESS_TIMEOUT=50 --
	wait_output '^a up'
	wait_output '^b up'
	wait_output '^slow up'
	[ "${1-}" = --user ] || wait_supervised a b slow
	supervisor=$(supervisor_pid)
	rpc version
	gate=$(gate_pid)
	wait_for "a gate without clients" gate_has_two_sockets
	gate_descriptors=$(descriptors_of "$gate")
	supervisor_descriptors=$(descriptors_of "$supervisor")
}

descriptors_of() {
	ls "/proc/$1/fd" | wc -l
}

# That which listens, and its channel (proto/gate.h): no client's.
gate_has_two_sockets() {
	[ "$(ls -l "/proc/$gate/fd" | grep -c 'socket:')" -eq 2 ]
}

gate_is_idle() {
	[ "$(descriptors_of "$gate")" -eq "$gate_descriptors" ]
}

supervisor_is_idle() {
	[ "$(descriptors_of "$supervisor")" -eq "$supervisor_descriptors" ]
}

# The same processes, as idle as before, and the next client is served.
unharmed() {
	wait_for "an idle gate" gate_is_idle
	wait_for "an idle supervisor" supervisor_is_idle
	[ "$(supervisor_pid)" = "$supervisor" ] || fail "another supervisor"
	[ "$(gate_pid)" = "$gate" ] || fail "another gate"
	shows a "up 0 $(said_pid a)" state restarts pid
	shows b "up 0 $(said_pid b)" state restarts pid
	shows . 'running nil 0' phase script supervisor_restarts
	[ "$(count_output '^[ab] up')" -eq 2 ]
	no_output 'gate (ended|has|cannot)|turned away'
}

# attack SCENARIO...: once, and once more, which must not take more memory: a
# sanitizer's allocator keeps what is freed, so it is not asked about that.
attack() {
	local of_gate of_supervisor
	rpc "$@"
	unharmed
	of_gate=$(status_field "$gate" VmRSS)
	of_supervisor=$(status_field "$supervisor" VmRSS)
	rpc "$@"
	unharmed
	grows "gate" "$gate" "$of_gate"
	grows "supervisor" "$supervisor" "$of_supervisor"
}

grows() {
	local now=$(status_field "$2" VmRSS)
	if [ "$now" -gt $(($3 + 1024)) ] &&
	    ! grep -q __asan_init "/proc/$2/exe"; then
		fail "the $1 has grown from $3 to $now kB"
		return
	fi
}

@test "noise, and requests with some bytes changed" {
	begin
	attack garbage 1
	rpc garbage 2
	unharmed
}

@test "every request, cut short everywhere" {
	begin
	attack truncated
	shows slow 'up 0' state restarts
}

@test "every request, cut short, and then silence" {
	begin
	attack truncated_and_left
	rpc begun_behind_another
	unharmed
}

@test "5 bytes that declare 4 GiB" {
	begin
	attack lengths
	[ "$(status_field "$gate" VmHWM)" -lt 32768 ]
}

@test "nesting: 5, 33 and 100,000 levels" {
	begin
	attack nesting
}

@test "types that no request has, at every place of one" {
	begin
	attack types
}

@test "two messages in one write, and bytes behind a message" {
	begin
	attack trailing
}

@test "half closed after a request: answered all the same" {
	begin
	attack half_closed
}

@test "clients that are killed: in a request, a wait, an answer" {
	begin
	attack clients_are_killed
}

@test "1,000 clients at once: an answer each, or busy" {
	begin
	attack thousand
	# Services are seen to meanwhile, and the crowd stays.
	rpc thousand &
	local crowd=$!
	container_exec kill -KILL "$(said_pid a)"
	wait_lines 2 '^a up'
	wait $crowd
	shows a 'up 1' state restarts
	runs "$(said_pid b)"
}

@test "64 clients that send a byte a second; others get through" {
	begin
	attack slow_clients
}

@test "100,000 requests, no answer read" {
	begin
	attack reads_nothing
}

@test "a subscriber that reads nothing" {
	begin
	attack subscriber_reads_nothing
}

@test "253 descriptors with every piece of a request" {
	begin
	attack descriptors
}

@test "names that no service has, or can have" {
	begin
	root_file /etc/x/run 755 <<<$'#!/bin/sh\necho "x up $$"'
	attack hostile_names
	no_output '^x up|fake'
	! container_output | grep -qa $'\033' || fail "an escape sequence"
	[ ! -e "$(container_file /tmp/made)" ]
}

# --- who asks ----------------------------------------------------------------------
@test "another user is denied, whatever the socket's mode; the log stays short" {
	begin
	container_exec chmod 755 /run/my_init
	container_exec chmod 666 /run/my_init/control.sock
	[ "$(rpc_as 1000:1000 status || :)" = "error denied" ]
	wait_output '^\*\*\* .*client was refused: PID [0-9]+, UID 1000'
	rpc_as 1000:1000 refused 200
	[ "$(rpc_as 1000:1000:0 stop names=a || :)" = "error denied" ]
	[ "$(rpc_as 65534:65534 restart names=a || :)" = "error denied" ]
	[ "$(count_output '^\*\*\* .*refused')" -le 5 ]
	container_exec chmod 777 /run/my_init/control.sock
	rpc_as 1000:1000 refused 1
	rpc gives_up_root
	unharmed
	# Not even that far, as it was made.
	container_exec chmod 600 /run/my_init/control.sock
	not rpc_as 1000:1000 refused 1
}

@test "a member of the socket's group looks, and changes nothing" {
	begin
	container_exec chgrp 2000 /run/my_init/control.sock
	container_exec chmod 660 /run/my_init/control.sock
	rpc_as 1000:2000 reader
	rpc_as 1000:1000:2000 reader
	[ "$(rpc_as 1000:2000 stop names=a || :)" = "error denied" ]
	not rpc_as 1000:1000:3000 version
	unharmed
	rpc restart names=slow
}

@test "a process of another pid namespace is denied, though it is root" {
	begin
	local path=/proc/$CONTAINER_PID/root/run/my_init/control.sock
	local via
	for via in "" "unshare --pid --fork"; do
		[ "$($via env INITCTL_SOCKET="$path" /usr/bin/python3 -B \
		    "$BATS_TEST_DIRNAME/rpc.py" stop names=a || :)" = \
		    "error denied" ]
	done
	INITCTL_SOCKET=$path /usr/bin/python3 -B "$BATS_TEST_DIRNAME/rpc.py" \
	    refused 50
	wait_output '^\*\*\* .*client was refused'
	[ "$(count_output '^\*\*\* .*refused')" -le 5 ]
	unharmed
}

# --- the socket's file ---------------------------------------------------------------
# There is a socket, of root alone, and it works.
has_socket() {
	wait_for "a socket" container_exec sh -c 'test -S /run/my_init/control.sock &&
	    ! test -L /run/my_init/control.sock'
	[ "$(container_exec stat -c %a /run/my_init/control.sock)" = 600 ]
	# The gate of the old one may just be going: "unavailable, try again".
	wait_for "an answer" says 'a ok' restart names=a
}

@test "something is in the socket's place before the start" {
	local what
	for what in link file stale; do
		mkdir -p "$ROOT/run/my_init"
		case $what in
		link) echo precious >"$ROOT/tmp/target"
		    ln -s /tmp/target "$ROOT/run/my_init/control.sock" ;;
		file) echo precious >"$ROOT/run/my_init/control.sock" ;;
		stale) INITCTL_SOCKET=$ROOT/run/my_init/control.sock \
		    /usr/bin/python3 -B "$BATS_TEST_DIRNAME/rpc.py" stale ;;
		esac
		good_service a
		container_start --
		wait_output '^a up'
		has_socket
		container_kill TERM
		container_wait
		[ "$status" -eq 0 ]
	done
	[ "$(cat "$ROOT/tmp/target")" = precious ]
}

@test "a directory is in the socket's place: nothing is removed, services run" {
	root_file /run/my_init/control.sock/precious <<<precious
	good_service a
	container_start --
	wait_output '^a up'
	[ "$(cat "$(container_file /run/my_init/control.sock/precious)")" = \
	    precious ]
	container_kill TERM
	container_wait
	[ "$status" -eq 0 ]
}

@test "the directory is another's: not used" {
	mkdir -p "$ROOT/run/my_init"
	chown 1000 "$ROOT/run/my_init"
	good_service a
	container_start --
	wait_output '^a up'
	wait_for "the other place" container_exec test -S \
	    /dev/shm/my_init/control.sock
	[ ! -e "$(container_file /run/my_init/control.sock)" ]
	container_kill TERM
	container_wait
}

@test "the socket is removed or replaced at run time: it is made again" {
	good_service a
	container_start --
	wait_output '^a up'
	rpc version
	local what
	for what in 'rm control.sock' 'mv control.sock old' \
	    'echo >new && mv new control.sock' \
	    'ln -sf /tmp/target control.sock' 'rm *' 'chmod 777 .; rm -f control.sock' \
	    'rm -r /run/my_init'; do
		# It may be there again before rm has seen that it was not.
		container_exec sh -c "cd /run/my_init && $what" || :
		has_socket
	done
	[ ! -e "$(container_file /tmp/target)" ]
	[ "$(rpc show a restarts)" -ge 7 ]
}

# --- processes that go ---------------------------------------------------------------
@test "the supervisor is stopped: status is answered, changes are not lost" {
	begin
	kill -STOP "$supervisor"
	rpc stopped_supervisor slow
	kill -CONT "$supervisor"
	wait_for "the change" shows slow down want
	says 'slow ok' restart names=slow
	unharmed
}

@test "the supervisor is killed 20 times while clients ask" {
	begin
	rpc crowd &
	local crowd=$! i
	for i in {1..20}; do
		restart_supervisor
		wait_for "an answer" says "running" show . phase
	done
	let_go
	wait $crowd
	shows a "up 0 $(said_pid a)" state restarts pid
	shows . 20 supervisor_restarts
	[ "$(count_output '^[ab] up')" -eq 2 ]
	says 'slow ok' restart names=slow
	wait_for "one process of slow" one_slow
	wait_for "the end of all gates but one" one_gate
}

# What it executes now and then is called like it for a moment.
one_slow() {
	[ "$(container_exec pgrep -f '^/bin/sh ./run')" = "$(rpc show slow pid)" ]
}

one_gate() {
	[ "$(container_exec pgrep -c -x gate)" -eq 1 ]
}

@test "the supervisor is killed while a client waits: it is told, and all goes on" {
	local i
	for i in 1 2 3; do
		service "s$i" <<-EOF
		#!/bin/sh
		trap '' TERM
		echo "s$i up \$\$"
		until [ -e /tmp/end-s$i ]; do sleep 0.05; done
		EOF
	done
	begin
	for i in 1 2 3; do
		wait_output "^s$i up"
		rpc loses_supervisor "$(container_exec pgrep -x supervisor)" "s$i"
	done
	shows a "up 0 $(said_pid a)" state restarts pid
	[ "$(count_output '^[abs].? up')" -eq 5 ]
}

@test "the gate is killed: idle, and with clients" {
	begin
	kill -KILL "$gate"
	wait_for "the next gate" next_gate
	rpc loses_gate "$(container_exec pgrep -x gate)"
	wait_for "the next gate" next_gate
	wait_output '^\*\*\* .*[Gg]ate'
	[ "$(supervisor_pid)" = "$supervisor" ]
	shows a "up 0 $(said_pid a)" state restarts pid
	local i
	for i in {1..20}; do
		kill -KILL "$gate"
		wait_for "the next gate" next_gate
	done
	shows . 0 supervisor_restarts
	wait_for "an idle supervisor" supervisor_is_idle
}

# A client gets an answer, of another gate than $gate; sets it.
next_gate() {
	local now
	rpc version >/dev/null && now=$(gate_pid) && [ "$now" != "$gate" ] &&
	    gate=$now
}

# --- the gate's cage -----------------------------------------------------------------
# caged UID: what holds for the gate whoever my_init is.
caged() {
	local name
	[ "$(grep -E '^Uid:' "/proc/$gate/status")" = \
	    "$(printf 'Uid:\t%s\t%s\t%s\t%s' "$1" "$1" "$1" "$1")" ]
	for name in CapInh CapPrm CapEff CapAmb; do
		[ "$(status_field "$gate" $name)" = 0000000000000000 ]
	done
	[ "$(status_field "$gate" NoNewPrivs)" -eq 1 ]
	[ "$(status_field "$gate" Seccomp)" -eq 2 ]
	[ ! -s "/proc/$gate/environ" ]
	[ "$(tr -d '\0' <"/proc/$gate/environ" | wc -c)" -eq 0 ]
	grep -qE '^Max core file size +0 +0 ' "/proc/$gate/limits"
	grep -qE '^Max processes +0 +0 ' "/proc/$gate/limits"
	grep -qE '^Max file size +0 +0 ' "/proc/$gate/limits"
	[ "$(awk '/^Max open files/ { print $5 }' "/proc/$gate/limits")" -le 128 ]
	[ "$(awk '/^Max address space/ { print $5 }' "/proc/$gate/limits")" -le \
	    $((128 * 1024 * 1024)) ]
	local fd
	for fd in 0 1 2; do
		[ "$(readlink "/proc/$gate/fd/$fd")" = /dev/null ]
	done
	# The state table cannot be written, and cannot be made so (mw).
	[ "$(awk '/memfd/ { print $2 }' "/proc/$gate/maps")" = r--s ]
	[ "$(grep -A30 memfd "/proc/$gate/smaps" |
	    awk '/^VmFlags:/ { print / mw/ ? "may write" : "may not"; exit }')" = \
	    "may not" ]
}

@test "the gate holds nothing: no user, no capability, no file, no environment" {
	begin SECRET=secret
	caged 65534
	[ "$(grep -E '^Gid:' "/proc/$gate/status")" = \
	    $'Gid:\t65534\t65534\t65534\t65534' ]
	[ -z "$(sed -n 's/^Groups:\s*//p' "/proc/$gate/status")" ]
	[ "$(status_field "$gate" CapBnd)" = 0000000000000000 ]
	[ "$(status_field "$gate" PPid)" -eq "$supervisor" ]
	[ -z "$(ls -A "/proc/$gate/root/")" ]
	[ "$(readlink "/proc/$gate/root")" != / ]
	[ "$(readlink "/proc/$gate/cwd")" = "$(readlink "/proc/$gate/root")" ]
	unharmed
}

@test "the gate of another user, and without capabilities" {
	RPC_SOCKET=/dev/shm/my_init/control.sock
	begin --user 1000
	caged 1000
	[ "$(rpc_as 1000:1000 stop names=b)" = "b ok" ]
	container_exec chmod 666 /dev/shm/my_init/control.sock
	[ "$(rpc_as 1001:1001 status || :)" = "error denied" ]
	[ "$(rpc_as 1000:1000 start names=b)" = "b ok" ]
	container_kill TERM
	container_wait
	RPC_SOCKET=''
	begin --no-caps
	caged 0
	unharmed
}
