#!/usr/bin/env bats
# The control protocol (proto/PROTOCOL.md): every method, by a client that shares no
# code with initctl.  What it gets is checked against that page each time (rpc.py).

load control

@test "version" {
	container_start --
	local said=$(rpc version)
	[[ $said =~ ^protocol:1,version:[0-9]+\.[0-9]+\.[0-9]+$ ]]
	[ "$(container_exec my_init --version)" = "my_init ${said#*version:}" ]
}

@test "status: every state a service may be in" {
	good_service up
	good_service down
	root_file /etc/service/down/down </dev/null
	service code <<<$'#!/bin/sh\necho code again\nexit 3'
	service killed <<<$'#!/bin/sh\nkill -KILL $$'
	good_service unstartable
	chmod 644 "$ROOT/etc/service/unstartable/run"
	good_service finishing
	root_file /etc/service/finishing/finish 755 <<-'EOF'
	#!/bin/sh
	echo "finishing finish $$"
	until [ -e /tmp/go ]; do sleep 0.05; done
	EOF
	stubborn_service stopping
	container_start KILL_PROCESS_TIMEOUT=50 --
	wait_output '^up up'
	wait_output '^stopping up'
	wait_output '^finishing up'
	wait_shows up "up up $(said_pid up) true false 0 nil 0 nil nil" \
	    state want pid ready paused sent next_start_ms restarts exit error
	wait_shows down 'down down nil false false 0 0 nil 0 nil nil' state want \
	    pid ready paused sent uptime_ms next_start_ms restarts exit error
	wait_shows code 'backoff up code:3 nil' state want exit error
	wait_shows killed 'backoff up signal:9' state want exit
	wait_lines 2 '^code again'
	wait_for "a restart to be counted, and the next" restarts_of_code
	local since_ms=$(rpc show code since_ms)
	[ "$(rpc show up uptime_ms)" -ge "$since_ms" ]
	wait_shows unstartable 'backoff up nil' state want pid
	[[ $(rpc show unstartable error) == *"chmod +x"* ]]
	says 'stopping ok' stop names=stopping wait=false
	wait_shows stopping "stopping down $(said_pid stopping) false 15" \
	    state want pid ready sent
	container_exec kill -KILL "$(said_pid finishing)"
	wait_output '^finishing finish'
	wait_shows finishing "finishing up false 0 signal:9" \
	    state want ready uptime_ms exit
	[ "$(rpc show finishing pid)" -eq \
	    "$(container_output | sed -n 's/^finishing finish //p')" ]
	let_go
}

# It is started every second, and then has no next start.
restarts_of_code() {
	local restarts next_ms
	read -r restarts next_ms < <(rpc show code restarts next_start_ms)
	[ "$restarts" -gt 0 ] && [ "$next_ms" != nil ] && [ "$next_ms" -le 30000 ]
}

@test "status: the container itself" {
	good_service a
	container_start --
	wait_output '^a up'
	wait_shows . 'running nil 0' phase script supervisor_restarts
	[ "$(rpc show . supervisor_pid)" -eq "$(container_exec pgrep -x supervisor)" ]
	restart_supervisor
	wait_shows . 'running 1' phase supervisor_restarts
	[ "$(rpc show . supervisor_pid)" -eq "$(container_exec pgrep -x supervisor)" ]
	shows a "$(said_pid a)" pid
}

@test "names, patterns, and what matches nothing" {
	local name
	for name in a web1 web2 'x*' xy; do
		good_service "$name"
	done
	container_start --
	wait_shows xy up state
	wait_shows 'x*' up state
	rpc names
}

@test "a name that is not UTF-8 comes as bin, and may be asked for" {
	good_service $'caf\xe9'
	good_service $'caf\xc3\xa9'
	container_start --
	wait_lines 2 '^caf'
	rpc not_text
}

@test "start, stop, restart and once are answered when it has come about" {
	good_service a
	stubborn_service slow
	root_file /etc/service/a/down </dev/null
	container_start KILL_PROCESS_TIMEOUT=50 --
	wait_output '^slow up'
	says 'a ok' start names=a
	shows a 'up up true' state want ready
	local pid=$(rpc show a pid)
	says 'a ok' start names=a
	shows a "up $pid 0" state pid restarts
	says 'a ok' stop names=a
	shows a 'down down nil signal:15' state want pid exit
	not runs "$pid"
	says 'a ok' stop names=a
	shows a 'down down' state want
	says 'a ok' restart names=a
	shows a 'up up' state want
	pid=$(rpc show a pid)
	says 'a ok' restart names=a
	shows a 'up up' state want
	[ "$(rpc show a pid)" -ne "$pid" ]
	not runs "$pid"
	# Not before: this one ends when it is let.
	rpc stop names=slow >"$OUTPUT/said" &
	wait_shows slow 'stopping down' state want
	[ ! -s "$OUTPUT/said" ]
	let_go
	wait $!
	[ "$(cat "$OUTPUT/said")" = 'slow ok' ]
	shows slow down state
}

@test "once: it is not started again" {
	service a <<-'EOF'
	#!/bin/sh
	echo "a up $$"
	until [ -e /tmp/go ]; do sleep 0.05; done
	exit 5
	EOF
	root_file /etc/service/a/down </dev/null
	good_service b
	container_start --
	wait_output '^b up'
	says 'a ok' once names=a
	shows a 'up once' state want
	let_go
	wait_shows a 'down code:5' state exit
	# One that is up stays up until it ends.
	local pid=$(said_pid b)
	says 'b ok' once names=b
	shows b "up once $pid" state want pid
	container_exec kill -KILL "$pid"
	wait_shows b 'down signal:9' state exit
	restart_supervisor
	wait_shows b down state
	[ "$(count_output '^a up')" -eq 1 ]
	[ "$(count_output '^b up')" -eq 1 ]
}

@test "wait: false is answered as soon as it is accepted" {
	stubborn_service a
	container_start KILL_PROCESS_TIMEOUT=50 --
	wait_output '^a up'
	says 'a ok' stop names=a wait=false
	shows a 'stopping down' state want
	says 'a ok' start names=a wait=false
	shows a up want
	says 'a ok' restart names=a wait=false
	let_go
	wait_lines 2 '^a up'
}

@test "timeout: what was begun goes on" {
	stubborn_service a
	stubborn_service b
	good_service c
	container_start KILL_PROCESS_TIMEOUT=50 --
	wait_output '^a up'
	wait_output '^b up'
	wait_output '^c up'
	local start=$(now_ms)
	says $'a timeout\nc ok' stop names=a,c timeout_ms=3000
	took "$start" 2950 20000
	shows a 'stopping down 15' state want sent
	# Even if there was no time at all.
	says 'b timeout' restart names=b timeout_ms=0
	wait_shows b 'stopping up' state want
	let_go
	wait_shows a 'down down' state want
	wait_lines 2 '^b up'
	shows c 'down down' state want
	[ "$(count_output '^a up')" -eq 1 ]
}

@test "each service has its own outcome" {
	good_service good
	good_service unstartable
	chmod 644 "$ROOT/etc/service/unstartable/run"
	stubborn_service slow
	root_file /etc/service/unstartable/down </dev/null
	container_start KILL_PROCESS_TIMEOUT=50 --
	wait_output '^good up'
	wait_output '^slow up'
	says $'good ok\nslow timeout\nunstartable failed\nnope unknown_service' \
	    restart names=unstartable,slow,good,nope timeout_ms=3000
	[[ $(rpc message_of start names=unstartable) == *"chmod +x"* ]]
	shows good up state
	wait_shows unstartable up want
	container_exec chmod 755 /etc/service/unstartable/run
	says 'unstartable ok' restart names=unstartable
	let_go
}

@test "superseded: another request asked for something else" {
	stubborn_service a
	container_start KILL_PROCESS_TIMEOUT=50 --
	wait_output '^a up'
	rpc superseded a
	[ "$(count_output '^a up')" -eq 1 ]
}

@test "a client that goes away changes nothing about what it has begun" {
	local i
	stubborn_service a
	for i in {1..60}; do
		good_service "many$i"
		root_file "/etc/service/many$i/down" </dev/null
	done
	container_start KILL_PROCESS_TIMEOUT=50 --
	wait_output '^a up'
	rpc goes_away a
	# They are up before they say so.
	wait_lines 60 '^many.* up'
	[ "$(count_output '^many.* up')" -eq 60 ]
	[ "$(count_output '^a up')" -eq 1 ]
}

@test "clients that want something of one service together: one process in the end" {
	good_service a
	container_start --
	wait_output '^a up'
	rpc together a
	shows a 'up up' state want
	# It is up before it executes that.
	wait_for "one process" one_sleeper
}

one_sleeper() {
	[ "$(container_exec pgrep -f '^sleep 100000')" = "$(rpc show a pid)" ]
}

@test "requests on one connection are answered in order" {
	stubborn_service a
	container_start KILL_PROCESS_TIMEOUT=50 --
	wait_output '^a up'
	rpc in_order a
}

@test "every format MessagePack has for the same request" {
	good_service a
	container_start --
	wait_shows a up state
	rpc formats a
}

@test "bad requests: each is answered so, and nothing is done" {
	good_service a
	container_start --
	wait_output '^a up'
	rpc bad_requests
	shows a "up up $(said_pid a) 0" state want pid restarts
	shows . running phase
}

@test "thousands of services: whole answers, and nothing is left out" {
	local directories
	directories=$(seq -f "$ROOT/etc/service/s%04g" 0 2999)
	xargs mkdir <<<"$directories"
	sed 's,$,/down,' <<<"$directories" | xargs touch
	printf '#!/bin/sh\nexec sleep 100000\n' >"$ROOT/srv/run"
	chmod 755 "$ROOT/srv/run"
	ln -s /srv/run "$ROOT/etc/service/s0007/run"
	container_start --
	wait_shows . running phase
	wait_shows s2999 down state
	rpc many 3000
}

@test "limits: names, bytes, milliseconds" {
	container_start --
	rpc limits
}

# --- other methods -----------------------------------------------------------------
@test "signal and reload: the main process gets it" {
	service a <<-'EOF'
	#!/bin/sh
	for name in HUP USR1 USR2 WINCH; do
		trap "echo a got $name" $name
	done
	echo "a up $$"
	while :; do sleep 0.05; done
	EOF
	good_service down
	root_file /etc/service/down/down </dev/null
	container_start --
	wait_output '^a up'
	says 'a ok' reload names=a
	wait_lines 1 '^a got HUP'
	says 'a ok' signal names=a signal=HUP
	wait_lines 2 '^a got HUP'
	says 'a ok' signal names=a signal=1
	wait_lines 3 '^a got HUP'
	says 'a ok' signal names=a signal=SIGUSR1
	wait_output '^a got USR1'
	says 'a ok' signal names=a signal=12
	wait_output '^a got USR2'
	says $'a ok\ndown not_up\nnope unknown_service' \
	    signal names=nope,down,a signal=WINCH
	wait_output '^a got WINCH'
	says 'down not_up' reload names=down
	shows a "up 0 $(said_pid a)" state sent pid
	says 'a ok' signal names=a signal=STOP
	shows a 'up true' state paused
	says 'a ok' signal names=a signal=CONT
	shows a 'up false' state paused
	# One that is stopped can be ended all the same.
	says 'a ok' signal names=a signal=SIGSTOP
	says 'a ok' restart names=a timeout_ms=20000
	shows a 'up false' state paused
	says 'a ok' signal names=a signal=64
	wait_shows a signal:64 exit
}

@test "not_permitted: another user's process, without CAP_KILL" {
	service a <<-'EOF'
	#!/bin/sh
	echo "a up $$"
	exec setpriv --reuid=1000 --regid=1000 --clear-groups sleep 100000
	EOF
	container_start --via "setpriv --bounding-set=-kill" --
	wait_output '^a up'
	wait_for "another user's process" container_exec sh -c \
	    "grep -q sleep /proc/$(said_pid a)/comm"
	says 'a not_permitted' signal names=a signal=TERM
	says 'a not_permitted' reload names=a
	shows a "up $(said_pid a)" state pid
}

@test "rescan: how many came and went" {
	good_service a
	good_service .new
	root_file /srv/late </dev/null
	ln -s /srv/late "$ROOT/etc/service/late"
	container_start --
	wait_output '^a up'
	# The directory is watched by now; where a link leads to is not.
	container_exec mv /etc/service/.new /etc/service/new
	wait_output '^.new up'
	says 'added:0,removed:0' rescan
	# Not all of a: supervise/ may be under way there.
	container_exec sh -c 'rm /srv/late && mkdir /srv/late &&
	    cp /etc/service/a/run /srv/late'
	says 'added:1,removed:0' rescan
	wait_shows late up state
	wait_supervised late
	container_exec sh -c 'rm -r /srv/late && touch /srv/late'
	says 'added:0,removed:1' rescan
	wait_for "the end of late" says 'late unknown_service' start names=late
	says 'added:0,removed:0' rescan
	shows a "$(rpc show a pid) 0" pid restarts
}

@test "enable_insecure_key: runs the script, and says whether it changed anything" {
	root_file /usr/sbin/enable_insecure_key 755 <<-'EOF'
	#!/bin/sh
	echo "key begins"
	until [ -e /tmp/go ]; do sleep 0.05; done
	mkdir -p /root/.ssh
	grep -qs key /root/.ssh/authorized_keys ||
	    echo key >>/root/.ssh/authorized_keys
	echo "key ends"
	EOF
	good_service a
	container_start --
	wait_output '^a up'
	rpc enable_insecure_key >"$OUTPUT/said" &
	wait_output '^key begins'
	# Nothing else waits for it, and it is not answered before its end.
	says 'a ok' restart names=a
	[ ! -s "$OUTPUT/said" ]
	let_go
	wait $!
	[ "$(cat "$OUTPUT/said")" = changed:true ]
	says changed:false enable_insecure_key
	[ "$(count_output '^key ends')" -eq 2 ]
	echo 'exit 3' | container_exec tee -a /usr/sbin/enable_insecure_key
	says 'error failed' enable_insecure_key
	container_exec rm /usr/sbin/enable_insecure_key
	says 'error failed' enable_insecure_key
	shows . running phase
}

@test "subscribe: what is, and every change" {
	good_service a
	good_service other
	good_service .new
	container_start --
	wait_shows a up state
	wait_shows other up state
	rpc follow
	wait_output '^.new up'
}

@test "subscribe: who reads late hears the last of it" {
	good_service a
	container_start --
	wait_shows a up state
	rpc follow_late
}
