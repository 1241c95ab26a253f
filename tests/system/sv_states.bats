#!/usr/bin/env bats
# sv and what a service may be beside up and down: one with a logger, whose line runit
# prints as well; a oneshot, which runit does not know; one that is not ready yet.

load sv

# A supervisor that says of services what /tmp/said has, as JSON.
pretend() {
	root_file /usr/local/lib/pretend.py <<-'EOF'
	import json, os, socket
	import msgpack
	server = socket.socket(socket.AF_UNIX)
	server.bind("/run/pretend.sock")
	server.listen()
	print("pretender is there", flush=True)
	while True:
	    client = server.accept()[0]
	    params = msgpack.unpackb(client.recv(65536))[3][0]
	    with open("/tmp/said", encoding="utf-8") as file:
	        services = [{"want": "up", "pid": None, "since_ms": 5000,
	                     "uptime_ms": 7000, **s} for s in json.load(file)
	                    if s["name"] in params["names"]]
	    client.sendall(msgpack.packb([1, 0, None, {"services": services}]))
	    client.close()
	EOF
	container_start -- -- python3 -B /usr/local/lib/pretend.py
	wait_output '^pretender is there'
}

# answers LINE SERVICES ARGUMENT...: sv says this when it is told that
answers() {
	local line=$1 answer
	printf '%s' "$2" >"$(container_file /tmp/said)"
	shift 2
	answer=$(container_exec INITCTL_SOCKET=/run/pretend.sock "$@") || :
	[ "$answer" = "$line" ] || fail "$*: $answer"
}

WEB='{"name": "web", "state": "up", "pid": 12}'
WEB_DOWN='{"name": "web", "state": "down", "want": "down"}'
LOG='{"name": "web/log", "state": "up", "pid": 13}'

@test "status: a service's logger, too" {
	good_service web
	root_file /etc/service/web/log/run 755 </dev/null
	pretend
	answers "run: web: (pid 12) 7s; run: log: (pid 13) 7s" "[$WEB, $LOG]" \
	    sv status web
	answers "run: /etc/service/web: (pid 12) 7s; run: log: (pid 13) 7s" \
	    "[$WEB, $LOG]" sv status /etc/service/web
	answers "down: web: 5s, normally up; run: log: (pid 13) 7s" \
	    "[$WEB_DOWN, $LOG]" sv status web
	answers "run: web: (pid 12) 7s; down: log: 5s, normally up, want up" \
	    "[$WEB, {\"name\": \"web/log\", \"state\": \"backoff\"}]" sv status web
	: >"$(container_file /etc/service/web/log/down)"
	answers "run: web: (pid 12) 7s; run: log: (pid 13) 7s, normally down" \
	    "[$WEB, $LOG]" sv status web
	# Nobody knows it; and only status says it, as runit does.
	answers "run: web: (pid 12) 7s" "[$WEB]" sv status web
	answers "ok: run: web: (pid 12) 7s" "[$WEB, $LOG]" sv check web
	# A service by its own name.
	answers "run: /etc/service/web/log: (pid 13) 7s, normally down" \
	    "[$WEB, $LOG]" sv status /etc/service/web/log
	answers "run: web/log: (pid 13) 7s, normally down" "[$LOG]" sv status web/log
}

@test "status of a logger: as runit says it" {
	local answer
	good_service web
	root_file /etc/service/web/log/run 755 </dev/null
	root_file /srv/runit/web/run 755 <<<$'#!/bin/sh\nexec sleep 1000'
	root_file /srv/runit/web/log/run 755 <<<$'#!/bin/sh\nexec cat'
	pretend
	printf '%s' "[$WEB, $LOG]" >"$(container_file /tmp/said)"
	container_exec env --default-signal PATH="$RUNIT:$CONTAINER_PATH" \
	    setsid runsvdir -P /srv/runit </dev/null >"$OUTPUT/runit" 2>&1 3>&- &
	wait_for "runit to start both" runit_says \
	    "run: web: (pid N) Ns; run: log: (pid N) Ns"
	answer=$(container_exec INITCTL_SOCKET=/run/pretend.sock sv status web | plain)
	[ "$answer" = "run: web: (pid N) Ns; run: log: (pid N) Ns" ]
	: >"$(container_file /srv/runit/web/log/down)"
	container_exec SVDIR=/srv/runit "PATH=$RUNIT:$CONTAINER_PATH" sv down web
	wait_for "runit to stop it" runit_says \
	    "down: web: Ns, normally up; run: log: (pid N) Ns, normally down"
	: >"$(container_file /etc/service/web/log/down)"
	answers "down: web: 5s, normally up; run: log: (pid 13) 7s, normally down" \
	    "[$WEB_DOWN, $LOG]" sv status web
}

# Pids and seconds are those of the moment.
plain() {
	sed -E 's/\(pid [0-9]+\)/(pid N)/g; s/[0-9]+s/Ns/g'
}

runit_says() {
	[ "$(container_exec SVDIR=/srv/runit "PATH=$RUNIT:$CONTAINER_PATH" \
	    sv status web 2>&1 | plain)" = "$1" ]
}

@test "a oneshot that has done its work runs, and has no pid" {
	service task <<<$'#!/bin/sh\necho "task runs"'
	root_file /etc/service/task/type <<<oneshot
	container_start --
	wait_for "it to be up" _is task state up
	[[ $(container_exec sv status task) =~ ^run:\ task:\ [0-9]+s$ ]]
	[[ $(container_exec sv start task) =~ ^ok:\ run:\ task:\ [0-9]+s$ ]]
	[ "$(count_output '^task runs')" -eq 1 ]
	[[ $(container_exec sv restart task) =~ ^ok:\ run:\ task:\ [0-9]+s$ ]]
	[ "$(count_output '^task runs')" -eq 2 ]
	[[ $(container_exec sv stop task) =~ ^ok:\ down:\ task:\ [0-9]+s ]]
	_is task state down
}

@test "start waits until a service has said that it is ready" {
	local starting
	service web <<-'EOF'
	#!/bin/bash
	echo "web up $$"
	until [ -e /tmp/go ]; do sleep 0.02; done
	echo >&4
	exec sleep 100000
	EOF
	root_file /etc/service/web/notification-fd <<<4
	root_file /etc/service/web/down </dev/null
	container_start --
	wait_phase running
	container_exec sv -w 20 start web >"$OUTPUT/started" &
	starting=$!
	wait_for "it to start" _is web state starting
	wait_output '^web up'
	run container_exec sv -w 1 start web
	[ "$status" -eq 1 ]
	# shellcheck disable=SC2154
	[[ $output == "timeout: run: web: (pid $(said_pid web))"* ]]
	[ ! -s "$OUTPUT/started" ]
	let_go
	wait "$starting"
	[[ $(cat "$OUTPUT/started") == "ok: run: web: (pid $(said_pid web))"* ]]
}
