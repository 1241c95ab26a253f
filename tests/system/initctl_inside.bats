#!/usr/bin/env bats
# initctl where it is not easy: from scripts that the supervisor waits for, while the
# container starts and ends, by many at a time, and with no supervisor or no pid left.

load initctl

# A service that ends when it is let, after a TERM.
slow_service() {
	service "$1" <<-EOS
	#!/bin/sh
	trap 'until [ -e /tmp/go ]; do sleep 0.05; done; exit' TERM
	echo "$1 up \$\$"
	while :; do sleep 0.05; done
	EOS
}

# A service of which finish has to be let end.
slow_finish() {
	good_service "$1"
	root_file "/etc/service/$1/finish" 755 <<-EOS
	#!/bin/sh
	echo "$1 finish"
	until [ -e /tmp/go ]; do sleep 0.05; done
	EOS
}

# ctl_begin CODE ARGUMENT...: initctl in the background, to be awaited by ctl_end
ctl_begin() {
	CTL_FILE=begun ctl "$@" >"$OUTPUT/begun" 2>&1 3>&- &
	begun=$!
}

ctl_end() {
	if ! wait "$begun"; then
		fail "$(cat "$OUTPUT/begun")"
		return
	fi
}

# --- from startup scripts, run, finish and shutdown scripts -----------------------------
@test "startup scripts: status answers, inside and outside; changes are put off" {
	good_service a
	startup_script 10_x.sh <<-'EOS'
	#!/bin/sh
	initctl status; echo "status: $?"
	initctl restart a; echo "restart: $?"
	initctl rescan; echo "rescan: $?"
	initctl version
	echo "script waits"
	until [ -e /tmp/go ]; do sleep 0.05; done
	EOS
	root_file /etc/rc.local 755 <<-'EOS'
	#!/bin/sh
	initctl status
	EOS
	container_start --
	wait_output '^script waits'
	in_order '^startup scripts: /etc/my_init\.d/10_x\.sh$' '^no services$' \
	    '^status: 0$' '^\*\*\* a: services are not ' '^restart: 1$' \
	    '^rescan: 1$' '^supervisor .*, protocol 1$'
	ctl 0 status
	[ "$out" = $'startup scripts: /etc/my_init.d/10_x.sh\nno services' ]
	ctl 0 --json status
	json "r['phase'] == 'startup scripts' and
	    r['script'] == '/etc/my_init.d/10_x.sh'"
	let_go
	wait_output '^rc.local: /etc/rc.local$'
	wait_up a
	ctl 0 status
	[[ $out == SERVICE* ]]
}

@test "shutdown from a startup script: the rest is not run, services are not started" {
	good_service a
	startup_script 10 <<<$'#!/bin/sh\ninitctl shutdown --exit-code 9; exec sleep 100000'
	startup_script 20 <<<$'#!/bin/sh\necho "20 runs"'
	container_start --
	container_wait 20
	[ "$status" -eq 9 ]
	no_output '^a up|^20 runs'
}

@test "run starts and restarts others, and itself" {
	good_service first
	root_file /etc/service/first/down </dev/null
	service second <<-'EOS'
	#!/bin/sh
	initctl start first || exit 1
	initctl status first && echo "second sees first"
	initctl status second; echo "second is $?"
	if [ ! -e /tmp/again ]; then
		: >/tmp/again
		initctl restart first second
		echo "not reached"
		exit 1
	fi
	echo "second up $$"
	exec sleep 100000
	EOS
	container_start --
	wait_output '^second up'
	wait_lines 2 '^first up'
	in_order '^first: up' '^first +up +[0-9]+ +[0-9]' '^second sees first' \
	    '^second +up +[0-9]+ +[0-9]' '^second is 0'
	no_output '^not reached'
	ctl 0 status first second
}

@test "stop of itself: run does not come back" {
	service a <<-'EOS'
	#!/bin/sh
	echo "a runs"
	initctl stop a
	echo "not reached"
	EOS
	container_start --
	wait_down a
	no_output '^not reached'
	ctl 3 --json status a
	json "r['services'][0]['want'] == 'down'"
	[ "$(count_output '^a runs')" -eq 1 ]
}

@test "finish asks, stops itself, and is not waited for by what it waits for" {
	good_service a
	good_service b
	root_file /etc/service/a/finish 755 <<-'EOS'
	#!/bin/sh
	initctl status a; echo "status: $?"
	initctl restart b; echo "restart: $?"
	initctl stop --timeout 0.2 a; echo "stop: $?"
	echo "finish ends"
	EOS
	container_start --
	wait_up a b
	container_exec kill -KILL "$(said_pid a)"
	wait_output '^finish ends$'
	in_order '^a +finishing' '^status: 3$' '^restart: 0$' '^stop: 6$'
	wait_lines 2 '^b up'
	wait_down a
	ctl 3 --json status a
	json "r['services'][0]['want'] == 'down'"
	[ "$(count_output '^a up')" -eq 1 ]
}

@test "shutdown scripts: status answers, services stop, none is started" {
	good_service a
	good_service b
	shutdown_script pre 10_x <<-'EOS'
	#!/bin/sh
	initctl status a
	initctl stop a; echo "stop: $?"
	initctl status a; echo "status: $?"
	initctl status b; echo "status of b: $?"
	EOS
	shutdown_script post 10_y <<-'EOS'
	#!/bin/sh
	initctl status; echo "post status: $?"
	initctl start b; echo "post start: $?"
	initctl stop b; echo "post stop: $?"
	initctl shutdown --exit-code 9; echo "post shutdown: $?"
	EOS
	container_start --
	wait_up a b
	container_kill TERM
	container_wait
	in_order '^pre-shutdown scripts: /etc/my_init\.pre_shutdown\.d/10_x$' \
	    '^a: down$' '^stop: 0$' '^status: 3$' '^status of b: 0$' \
	    '^post-shutdown scripts: /etc/my_init\.post_shutdown\.d/10_y$' \
	    '^b +down' '^post status: 0$' '^\*\*\* b: the container ' \
	    '^post start: 1$' '^b: down$' '^post stop: 0$' '^post shutdown: '
	[ "$(count_output '^[ab] up')" -eq 2 ]
}

# --- several at a time ------------------------------------------------------------------
@test "a hundred at a time: each is answered" {
	good_service a
	container_start --
	wait_up a
	container_exec sh -c '
		for i in $(seq 100); do
			initctl status a >/tmp/said.$i 2>&1 &
			pids="$pids $!"
		done
		for pid in $pids; do
			wait $pid || failed="$failed $?"
		done
		[ -z "$failed" ] || echo "failed:$failed"
		cat /tmp/said.* | grep -c "^a  *up  *'"$(said_pid a)"' "' \
	    >"$OUTPUT/said"
	[ "$(cat "$OUTPUT/said")" = 100 ] || fail "$(cat "$OUTPUT/said")"
}

@test "more clients than there is room for: the next waits for its turn" {
	good_service a
	container_start --
	wait_up a
	container_exec python3 - >>"$OUTPUT/stdout" 2>&1 3>&- <<-'EOS' &
	import os, socket, time
	def client():
	    s = socket.socket(socket.AF_UNIX)
	    s.connect("/run/my_init/control.sock")
	    s.settimeout(20)
	    return s
	clients = [client() for n in range(64)]
	try:
	    said = client().recv(1000)
	    print("the next is told", b"busy" in said, flush=True)
	except TimeoutError:
	    print("the next waits", flush=True)
	while not os.path.exists("/tmp/go"):
	    time.sleep(0.01)
	EOS
	wait_output '^the next is told True$'
	ctl_begin 0 status a
	wait_for "initctl to begin" container_exec pgrep -f '^initctl status a'
	let_go
	ctl_end
	grep -q "^a  *up  *$(said_pid a) " "$OUTPUT/begun.out"
}

@test "restart by two together: both are done, and it runs once" {
	good_service x
	container_start --
	wait_up x
	local i before
	for i in 1 2 3 4 5; do
		before=$(pid_of x)
		container_exec sh -c 'initctl restart x >/tmp/1 2>&1 & a=$!
		    initctl restart x >/tmp/2 2>&1 & b=$!
		    wait $a && wait $b || { cat /tmp/1 /tmp/2; exit 1; }'
		_is x state up
		[ "$(pid_of x)" -ne "$before" ]
		[ "$(container_exec pgrep -c -f '^sleep 100000|service/x')" -le 1 ]
	done
	wait_for "one process" one_sleeper
}

one_sleeper() {
	[ "$(container_exec pgrep -f '^sleep 100000')" = "$(pid_of x)" ]
}

@test "restart again and again: none of them fails, none is put off" {
	good_service x
	container_start --
	wait_up x
	local start=$(now_ms)
	container_exec sh -c 'for i in $(seq 20); do initctl restart x || exit; done'
	took "$start" 0 10000
	ctl 0 --json status x
	json "r['services'][0]['restarts'] == 20"
}

@test "stop during start, start during stop: the last word counts, the other is told" {
	slow_finish a
	slow_service b
	container_start KILL_PROCESS_TIMEOUT=50 --
	wait_up a b
	container_exec kill -KILL "$(said_pid a)"
	wait_output '^a finish'
	# Else nothing would show that start has been heard: it waits for finish.
	ctl 0 stop a --no-wait
	ctl_begin 1 start a
	wait_for "start to be heard" _is a want up
	ctl 6 stop a --timeout 0.3
	ctl_end
	ctl_begin 1 stop b
	wait_for "b to be stopping" _is b state stopping
	ctl 6 restart b --timeout 0.3
	ctl_end
	let_go
	wait_down a
	wait_lines 2 '^b up'
	wait_for "b to be up" _is b state up
	[ "$(count_output '^a up')" -eq 1 ]
}

# --- with no supervisor, or with one that cannot do much ----------------------------------
@test "old packages' scripts: no socket, no harm" {
	local verb
	for verb in version start stop restart reload list emit reload-configuration \
	    show-config check-config log-priority; do
		no_init 0 $verb
		[ -z "$out$err" ]
		no_init 0 $verb cron
		[ -z "$out$err" ]
	done
	no_init 0 version --quiet
	no_init 0 emit --no-wait something A=b
	[ -z "$out$err" ]
	no_init 5 status
	[[ $err == "*** The supervisor is not reachable at /run/my_init/control.sock: "* ]]
	no_init 5 status cron
	no_init 5 once cron
	no_init 5 rescan
	no_init 5 shutdown
	no_init 5 --socket /tmp/none start cron
	no_init 2
}

# no_init CODE ARGUMENT...: initctl in the root, where no my_init has ever run
no_init() {
	local code=0 expected=$1
	shift
	chroot "$ROOT" env -i PATH=$CONTAINER_PATH /sbin/initctl "$@" </dev/null \
	    >"$OUTPUT/ctl.out" 2>"$OUTPUT/ctl.err" || code=$?
	out=$(cat "$OUTPUT/ctl.out") err=$(cat "$OUTPUT/ctl.err")
	[ "$code" -eq "$expected" ] ||
	    fail "initctl $*: exit code $code, not $expected: $out$err"
}

@test "the word of the old init is nowhere in the programs" {
	local file word="up""start"
	for file in /sbin/my_init /sbin/initctl /usr/bin/sv /usr/lib/my_init/gate \
	    /usr/lib/my_init/supervisor; do
		chroot "$ROOT" grep -aq my_init $file
		not chroot "$ROOT" grep -aqi "$word" $file
	done
}

@test "status answers while the supervisor is stopped" {
	good_service a
	container_start --
	wait_up a
	kill -STOP "$(supervisor_pid)"
	ctl 0 status a
	line a "up +$(said_pid a) .*"
	kill -CONT "$(supervisor_pid)"
	ctl 0 restart a
}

@test "a supervisor that ends while it is asked: the answer comes from the next" {
	slow_service a
	good_service b
	container_start KILL_PROCESS_TIMEOUT=50 --
	wait_up a b
	ctl_begin 0 stop a
	wait_for "a to be stopping" _is a state stopping
	restart_supervisor
	ctl 0 restart b
	let_go
	ctl_end
	ctl 3 status a
	[ "$(count_output '^a up')" -eq 1 ]
}

# All pids of the container are taken, by processes of this one, which also executes
# what is asked of it meanwhile, in processes that were made before: full_ctl.
fill_pids() {
	local release
	release=$(uname -r)
	if ! printf '6.14\n%s\n' "${release%%-*}" | sort -CV; then
		skip "this kernel has one pid_max for all containers"
	fi
	root_file /usr/local/bin/full 755 <<-'EOS'
	#!/usr/bin/python3
	import os, signal
	runners = []
	def runner(n):
	    with open("/tmp/do.%d" % n) as file:
	        words = file.read().split("\n")
	    said = os.open("/tmp/said.%d" % n, os.O_WRONLY | os.O_CREAT, 0o644)
	    os.dup2(said, 1)
	    os.dup2(said, 2)
	    os.execvp(words[0], words)
	for n in range(1, 5):
	    os.mkfifo("/tmp/do.%d" % n)
	    pid = os.fork()
	    if pid == 0:
	        runner(n)
	    runners.append(pid)
	with open("/proc/sys/kernel/pid_max", "w") as file:
	    file.write("400")
	try:
	    while os.fork():
	        pass
	    signal.pause()
	except BlockingIOError:
	    print("all pids are taken", flush=True)
	# Who has ended stays a zombie, so that his pid stays taken.
	for n, pid in enumerate(runners, 1):
	    end = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
	    with open("/tmp/ended.new", "w") as file:
	        file.write("%d" % end.si_status)
	    os.rename("/tmp/ended.new", "/tmp/ended.%d" % n)
	signal.pause()
	EOS
	container_start --
	wait_output '^a up'
	[ $# -eq 0 ] || "$@"
	container_exec setsid /usr/local/bin/full >>"$OUTPUT/stdout" 2>&1 3>&- &
	wait_output '^all pids are taken'
	full=0
}

# full_ctl CODE ARGUMENT...: as ctl
full_ctl() {
	local expected=$1 code
	shift
	full=$((full + 1))
	printf '%s\n' initctl "$@" | head -c -1 >"$(container_file /tmp/do.$full)"
	wait_for "the end of initctl $*" test -e "$(container_file /tmp/ended.$full)"
	code=$(cat "$(container_file /tmp/ended.$full)")
	out=$(cat "$(container_file /tmp/said.$full)")
	if [ "$code" -ne "$expected" ]; then
		fail "initctl $*: exit code $code, not $expected: $out"
		return
	fi
}

@test "no pid is left: a gate that runs answers" {
	good_service a
	fill_pids ctl 0 status a
	full_ctl 0 status a
	line a "up +$(said_pid a) .*"
	full_ctl 4 reload nothing
	full_ctl 0 stop a
	[ "$out" = "a: down" ]
}

@test "no pid is left, and no gate: a clear error, and all lives on" {
	good_service a
	fill_pids
	local supervisor=$(supervisor_pid)
	full_ctl 5 status a
	[[ $out == "*** "* ]]
	full_ctl 5 stop a
	[ "$(supervisor_pid)" = "$supervisor" ]
	local group
	group=$(ps -o pgid= -p "$(pgrep -o -x full)")
	pkill -KILL -g "${group// /}"
	wait_for "initctl to work again" ctl 0 status a
	line a "up +$(said_pid a) .*"
	ctl 0 restart a
	[ "$(supervisor_pid)" = "$supervisor" ]
}
