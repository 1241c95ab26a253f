#!/usr/bin/env bats
# The gate, where it is not what it should be: a supervisor that trusts it with
# nothing, and a kernel that does not lock it in.

load services

GATE=/usr/lib/my_init/gate

# Python in the gate's place: its descriptors, and what is on stdin.
gate() {
	rm "$ROOT$GATE"
	{
		echo '#!/usr/bin/python3 -IS'
		echo 'import os, socket, struct, time'
		echo 'channel = socket.socket(fileno=4)'
		echo 'channel.setblocking(True)'
		cat
	} | root_file $GATE 755
}

# A request as in proto/gate.h: type, number, timeout, uid, name.
GATE_REQUEST='
def request(type, number=0, timeout=-1, uid=0, name=b""):
    return struct.pack("=IiiI104s", type, number, timeout, uid, name)
def ask(*arguments, **more):
    channel.send(request(*arguments, **more))
    return struct.unpack("=IIIii", channel.recv(100))
'

# Asks for status until the container's output has as many such lines.
provoke() {
	local count=$1
	until [ "$(count_output "$2")" -ge "$count" ]; do
		container_exec timeout 10 initctl --timeout 1 stop a \
		    >/dev/null 2>&1 || :
	done
}

@test "a gate that sends what is no request is killed, and nothing else is" {
	good_service a
	gate <<-EOF
	$GATE_REQUEST
	turn = len(os.listdir("/tmp"))
	open("/tmp/%d" % turn, "w").close()
	bad = [
	    b"x", request(1, name=b"a")[:-1], request(1, name=b"a") + b"x",
	    request(0), request(12), request(0xffffffff), request(1),
	    request(2, name=b"a" * 104), request(5, 0, name=b"a"),
	    request(5, 65, name=b"a"), request(5, -9, name=b"a"),
	    request(6, name=b"a"), request(8, 256), request(8, -2),
	    request(8, 0, -2), os.urandom(120).replace(b"\0", b"\1"), bytes(120),
	]
	channel.send(bad[turn % len(bad)])
	time.sleep(1000)
	EOF
	container_start --
	wait_output '^a up'
	local pid=$(said_pid a)
	provoke 16 'has sent what is no request'
	runs "$pid"
	[ "$(count_output '^a up')" -eq 1 ]
	[ -z "$(container_exec pgrep -f "$GATE" | tail -n +2)" ]
	container_kill TERM
	container_wait
	[ "$status" -eq 0 ]
}

@test "a gate that sends nothing, as a message, is ended" {
	good_service a
	gate <<<$'channel.send(b"")\ntime.sleep(1000)'
	container_start --
	wait_output '^a up'
	provoke 2 'The gate ended with signal 9'
	runs "$(said_pid a)"
	container_kill TERM
	container_wait
	[ "$status" -eq 0 ]
}

@test "a gate may ask for no more than clients may, however often" {
	good_service a
	gate <<-EOF
	$GATE_REQUEST
	open("/tmp/answers", "w").write(repr([
	    ask(1, name=b"../a")[1], ask(2, name=b"/etc/service/a")[1],
	    ask(2, name=b".")[1], ask(2, name=b"b")[1],
	    ask(5, 9, name=b"nobody")[1], ask(10, 7)[1], ask(9, 1, uid=7)[1],
	]))
	for _ in range(5000):
	    ask(1, name=b"a")
	open("/tmp/done", "w").close()
	time.sleep(1000)
	EOF
	container_start --
	wait_output '^a up'
	container_exec timeout 1 initctl status >/dev/null 2>&1 || :
	wait_for --within 40 "the gate's end" container_exec test -e /tmp/done
	[ "$(cat "$(container_file /tmp/answers)")" = "[2, 2, 2, 2, 2, 1, 1]" ]
	[ "$(count_output '^a up')" -eq 1 ]
	container_kill TERM
	container_wait
	[ "$status" -eq 0 ]
}

@test "no gate: clients are told so, and once there is one it serves" {
	good_service a
	mv "$ROOT$GATE" "$ROOT$GATE.away"
	container_start --
	wait_output '^a up'
	local code=0 said
	said=$(container_exec initctl status 2>&1) || code=$?
	[ $code -eq 5 ]
	[[ $said == *"$GATE cannot be started: No such file"* ]]
	[ "$(count_output 'turned away')" -eq 1 ]
	container_exec mv "$GATE.away" "$GATE"
	container_exec initctl status a
	container_kill TERM
	container_wait
	[ "$status" -eq 0 ]
}

@test "a gate that ends at once is no reason to run in circles" {
	good_service a
	gate <<<'os._exit(3)'
	container_start --
	wait_output '^a up'
	local code=0
	container_exec initctl status 2>&1 || code=$?
	[ $code -eq 5 ]
	wait_output 'The gate ended with exit code 3'
	# A gate for each try of a client, of which there are some in 5 s.
	[ "$(count_output 'The gate ended')" -lt 200 ]
	container_exec initctl --timeout 1 status >/dev/null 2>&1 || :
	runs "$(said_pid a)"
	container_kill TERM
	container_wait
	[ "$status" -eq 0 ]
}

@test "without its filter the gate says so, and serves root alone" {
	good_service a
	# A kernel, or an engine's filter, that knows no seccomp(2).
	without_call 317 277 22
	echo 'watch:x:4711:' >>"$ROOT/etc/group"
	container_start --via /usr/local/bin/without_call --
	wait_output '^a up'
	container_exec initctl restart a
	wait_output 'without its system call filter.*root alone'
	[ "$(awk '$1 == "Seccomp_filters:" { print $2 }' \
	    "/proc/$(pgrep -P "$(supervisor_pid)" -x gate)/status")" -eq 1 ]
	container_exec sh -c 'cd /run/my_init &&
	    chgrp watch control.sock && chmod 660 control.sock'
	local code=0
	container_exec setpriv --reuid=1000 --regid=4711 --clear-groups \
	    initctl status >/dev/null 2>&1 || code=$?
	[ $code -eq 7 ]
	container_exec initctl status a
	container_kill TERM
	container_wait
	[ "$status" -eq 0 ]
}
