#!/usr/bin/env bats
# Services of the type notify: what they say in the words of sd_notify(3), who may say
# it, and what is none of the supervisor's business.

load ready

# A talker that has that type.
notifier() {
	talker "$1"
	setting "$1" type notify
}

# Its notification socket's address.
address_of() {
	container_exec cat "/proc/$(said_pid "$1")/environ" | tr '\0' '\n' |
	    sed -n 's/^NOTIFY_SOCKET=//p'
}

# stranger ADDRESS TEXT: a process of no service, as `docker exec` makes one
stranger() {
	container_exec NOTIFY_SOCKET="$1" python3 -B -c '
import os, socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.connect(os.environ["NOTIFY_SOCKET"].replace("@", "\0", 1))
s.send(sys.argv[1].encode())' "$2"
}

# Waits until all that has been sent up to now has been read: it comes in order.
sync_with() {
	marker=$((${marker-0} + 1))
	tell "$1" "say('STATUS=marker $marker')"
	wait_for "it to be read" _is "$1" says "marker $marker"
}

# How many descriptors the supervisor has.
descriptors() {
	find "/proc/$(supervisor_pid)/fd" -mindepth 1 | wc -l
}

# --- READY --------------------------------------------------------------------------------
@test "READY=1 makes it up, and nothing else does" {
	local starting
	notifier web
	root_file /etc/service/web/down </dev/null
	good_service front
	setting front depends web
	# It says so itself, so nobody asks.
	root_file /etc/service/web/check 755 <<<$'#!/bin/sh\necho "web checked" >&2'
	container_start --
	wait_phase running
	container_exec initctl start web >"$OUTPUT/started" &
	starting=$!
	wait_output '^web up'
	local text
	for text in READY=0 READY= READY READY=11 ready=1 ' READY=1' XREADY=1 =1 ''; do
		tell web "say('$text')"
	done
	tell web 'say("\0READY=1")'
	tell web 'say("\n\n")'
	sync_with web
	_is web state starting
	[ ! -s "$OUTPUT/started" ]
	no_output '^front up'
	tell web 'say("X=1\nREADY=1\n")'
	wait "$starting"
	[ "$(cat "$OUTPUT/started")" = "web: up (PID $(said_pid web))" ]
	_is web state up
	wait_up front
	no_output '^web checked'
}

@test "READY=1 of systemd-notify, of perl, of a child in a session of its own" {
	service perl <<-'EOT'
	#!/usr/bin/perl
	use Socket;
	my $address = $ENV{NOTIFY_SOCKET} =~ s/^@/\0/r;
	socket my $s, AF_UNIX, SOCK_DGRAM, 0 or die;
	defined send $s, "READY=1\nSTATUS=in perl", 0,
	    pack "S a*", AF_UNIX, $address or die $!;
	sleep 100000;
	EOT
	setting perl type notify
	service child <<-'EOT'
	#!/bin/sh
	setsid -f sleep 100000
	setsid -w perl -e '
		use Socket;
		my $address = $ENV{NOTIFY_SOCKET} =~ s/^@/\0/r;
		socket my $s, AF_UNIX, SOCK_DGRAM, 0 or die;
		defined send $s, "READY=1", 0,
		    pack "S a*", AF_UNIX, $address or die $!;
		sleep 100000;' &
	wait
	EOT
	setting child type notify
	if [ -x /usr/bin/systemd-notify ]; then
		service tool <<-'EOT'
		#!/bin/sh
		systemd-notify --ready --status="by the tool" || exit 1
		exec sleep 100000
		EOT
		setting tool type notify
	fi
	container_start --
	wait_for "perl to be up" _is perl state up
	_is perl says "in perl"
	wait_for "child to be up" _is child state up
	if [ -x /usr/bin/systemd-notify ]; then
		wait_for "tool to be up" _is tool state up
		_is tool says "by the tool"
		[ "$(value tool restarts)" -eq 0 ]
	fi
}

@test "NOTIFY_SOCKET is run's alone, and there for this type alone" {
	local file
	good_service plain
	service web <<-'EOT'
	#!/bin/sh
	echo "run has ${NOTIFY_SOCKET:-none}"
	echo "web up $$"
	exec sleep 100000
	EOT
	setting web type notify
	for file in finish control/t; do
		root_file /etc/service/web/$file 755 <<-EOT
		#!/bin/sh
		echo "$file has \${NOTIFY_SOCKET:-none}"
		exit 1
		EOT
	done
	container_start --
	wait_output '^plain up'
	wait_output '^run has @.+'
	ctl 0 stop web
	wait_output '^control/t has none'
	wait_output '^finish has none'
	not grep -qz NOTIFY_SOCKET "$(container_file "/proc/$(said_pid plain)/environ")"
}

@test "who is not of the service is not heard" {
	local address
	notifier web
	notifier other
	# A service, and it is not of that type.
	talker plain
	startup_script 10_background <<-'EOT'
	#!/bin/sh
	# It lives on, a process of nobody.
	setsid -f sh -c 'until [ -e /tmp/address ]; do sleep 0.05; done
	    exec python3 -B -c "
	import socket
	s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
	s.connect(open(\"/tmp/address\").read().strip().replace(\"@\", \"\0\", 1))
	s.send(b\"READY=1\nSTATUS=nobody\")
	print(\"nobody has said it\", flush=True)"'
	EOT
	sed -i 's/^\t//' "$ROOT/etc/my_init.d/10_background"
	container_start --
	wait_output '^web up'
	wait_output '^other up'
	wait_output '^plain up'
	address=$(address_of web)
	[ "$address" = "$(address_of other)" ]
	stranger "$address" $'READY=1\nSTATUS=stranger'
	stranger "$address" $'READY=1\nMAINPID='"$(said_pid web)"
	tell plain "os.environ['NOTIFY_SOCKET'] = '$address'"
	tell plain 'say("READY=1\nSTATUS=plain"); tell("has said it")'
	wait_output '^plain has said it'
	echo "$address" >"$(container_file /tmp/.address)"
	container_exec mv /tmp/.address /tmp/address
	wait_output '^nobody has said it'
	sync_with web
	_is web state starting
	_is other state starting
	[ "$(value other says)" = None ]
	tell other 'say("READY=1\nSTATUS=other")'
	wait_for "the other to be up" _is other state up
	sync_with web
	_is web state starting
	_is other says other
	[ "$(value plain says)" = None ]
	tell web 'say("READY=1")'
	wait_for "it to be up" _is web state up
}

# --- what is shown --------------------------------------------------------------------------
@test "STATUS is shown until it changes, and no longer than it runs" {
	notifier web
	container_start --
	wait_output '^web up'
	tell web 'say("STATUS=beginning")'
	wait_for "the text" _is web says beginning
	_is web state starting
	tell web 'say(b"READY=1\nSTATUS=a=b, \x1b[2J\xc2\x9b!")'
	wait_for "the text" _is web says 'a=b, \x1b[2J\xc2\x9b!'
	ctl 0 status web
	line web 'up .* -, says: a=b, .*'
	no_escapes "$out"
	# A long one is cut, not within a character.
	tell web 'say("STATUS=" + "\u00e9" * 300)'
	wait_for "the long text" says_long
	tell web 'say("STATUS=")'
	wait_for "none" _is web says None
	tell web 'say("STATUS=at work")'
	wait_for "the text" _is web says "at work"
	restart_supervisor
	_is web says "at work"
	tell web 'os._exit(3)'
	wait_lines 2 '^web up'
	[ "$(value web says)" = None ]
	[ "$(value web error)" = None ]
}

says_long() {
	[[ $(value web says) =~ ^é{119}$ ]]
}

@test "STATUS is no reason for a failure" {
	notifier web
	setting web restart never
	container_start --
	wait_output '^web up'
	tell web 'say("READY=1\nSTATUS=all is well")'
	wait_for "the text" _is web says "all is well"
	tell web 'os._exit(3)'
	wait_for "it to fail" _is web state failed
	[ "$(value web error)" = "run ended with exit code 3" ]
	[ "$(value web says)" = None ]
	wait_output '^\*\*\* web has failed: run ended with exit code 3 '
}

@test "RELOADING and STOPPING are shown" {
	local old
	notifier web
	setting web reload-signal USR1
	notifier other
	good_service front
	setting front depends web
	container_start --
	wait_output '^web up'
	wait_output '^other up'
	tell web 'signal.signal(signal.SIGUSR1, lambda *_: tell("told to reload"))'
	tell web 'say("READY=1")'
	wait_up front
	tell web 'old = microseconds(); tell("is set")'
	wait_output '^web is set'
	ctl 0 reload web
	wait_output '^web told to reload'
	# One that had been begun before is not this one.
	tell web 'say("STATUS=as before")'
	wait_for "the text" _is web says "as before"
	tell web 'say(f"RELOADING=1\nMONOTONIC_USEC={old}"); tell("has said it")'
	wait_output '^web has said it'
	sync_with other
	_is web says "as before"
	tell web 'say(f"RELOADING=1\nMONOTONIC_USEC={microseconds()}")'
	wait_for "it to be shown" _is web says reloading
	_is web state up
	ctl 0 status web
	line web 'up .* -, says: reloading'
	restart_supervisor
	_is web says reloading
	tell web 'say("READY=1")'
	wait_for "the end of it" _is web says None
	# It may say more, and need not say when.
	tell web 'say("RELOADING=1\nSTATUS=reads 12 files")'
	wait_for "it to be shown" _is web says "reads 12 files"
	tell web 'say("RELOADING=1")'
	wait_for "it to be shown" _is web says reloading
	tell web 'say("STATUS=as before\nREADY=1")'
	wait_for "the end of it" _is web says "as before"
	[ "$(count_output '^(web|front) up')" -eq 2 ]
	tell web 'say("STOPPING=1")'
	wait_for "it to be shown" _is web says stopping
	tell web 'os._exit(0)'
	wait_lines 2 '^web up'
	[ "$(value web says)" = None ]
	[ "$(count_output '^front up')" -eq 1 ]
}

# --- MAINPID ----------------------------------------------------------------------------------
# heir NAME: run of a service that makes another process, names it and ends; that says
# "NAME up PID".  With /tmp/NAME.own it has a session of its own.
heir() {
	root_file /usr/local/lib/heir.py <<-'EOT'
	import os, sys
	name = os.path.basename(os.getcwd())
	print(name, "launcher", os.getpid(), flush=True)
	r, w = os.pipe()
	pid = os.fork()
	if pid == 0:
	    os.close(w)
	    if os.path.exists(f"/tmp/{name}.own"):
	        os.setsid()
	    os.read(r, 1)
	    os.execv("/usr/bin/python3", ["python3", "-B", "/usr/local/lib/talker.py"])
	import socket
	s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
	s.connect(os.environ["NOTIFY_SOCKET"].replace("@", "\0", 1))
	s.send(f"MAINPID={pid}\nREADY=1".encode())
	os._exit(0)
	EOT
	notifier "$1"
	service "$1" <<-'EOT'
	#!/bin/sh
	exec python3 -B /usr/local/lib/heir.py
	EOT
}

@test "MAINPID: it stands for run when that has ended, until its own end" {
	local pid
	heir web
	finish_of web
	container_start --
	wait_output '^web up'
	pid=$(said_pid web)
	wait_for "it to stand for run" _is web pid "$pid"
	[ "$(value web state)" = up ]
	ctl 0 signal USR2 web
	wait_output '^web finish -1 12$'
	wait_lines 2 '^web up'
	not runs "$pid"
	[ "$(value web restarts)" -eq 1 ]
	# Its exit code is known, too, and its word counts.
	pid=$(said_pid web)
	wait_for "it to stand for run" _is web pid "$pid"
	sync_with web
	tell web 'os._exit(7)'
	wait_output '^web finish 7 0$'
	wait_lines 3 '^web up'
	pid=$(said_pid web)
	wait_for "it to stand for run" _is web pid "$pid"
	wait_for "supervise/pid to be its own" _supervise_has web "$pid"
	ctl 0 stop web
	not runs "$pid"
	[ "$(count_output '^web launcher')" -eq 3 ]
	no_output '^\*\*\* web'
}

_supervise_has() {
	[ "$(container_exec cat "/etc/service/$1/supervise/pid")" = "$2" ]
}

@test "MAINPID: of a session of its own, and heard all the same" {
	local pid
	heir web
	touch "$ROOT/tmp/web.own"
	container_start --
	wait_output '^web up'
	pid=$(said_pid web)
	wait_for "it to stand for run" _is web pid "$pid"
	sync_with web
	tell web 'subprocess.Popen(["python3", "-c", "import os, socket; '`
	    `'s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); '`
	    `'s.connect(os.environ[\"NOTIFY_SOCKET\"].replace(\"@\", chr(0), 1)); '`
	    `'s.send(b\"STATUS=a child\"); import time; time.sleep(1000)"])'
	wait_for "the child to be heard" _is web says "a child"
	restart_supervisor
	sync_with web
	_is web pid "$pid"
	ctl 0 stop web
	not runs "$pid"
}

@test "MAINPID: it is known to the next supervisor, and its end" {
	local pid
	heir web
	finish_of web
	container_start --
	wait_output '^web up'
	pid=$(said_pid web)
	wait_for "it to stand for run" _is web pid "$pid"
	restart_supervisor
	_is web pid "$pid"
	sync_with web
	tell web 'os._exit(9)'
	wait_output '^web finish 9 0$'
	wait_lines 2 '^web up'
	pid=$(said_pid web)
	wait_for "it to stand for run" _is web pid "$pid"
	_is web state up
	[ "$(count_output '^web finish')" -eq 1 ]
	# One that has been named, and run ends only now.
	tell web 'child = subprocess.Popen(["sleep", "100000"]).pid; tell("child", child)'
	wait_output '^web child'
	tell web 'say(f"MAINPID={child}")'
	sync_with web
	restart_supervisor
	_is web pid "$pid"
	tell web 'os._exit(0)'
	pid=$(container_output | sed -n 's/^web child //p')
	wait_for "the child to stand for run" _is web pid "$pid"
	restart_supervisor
	_is web pid "$pid"
	[ "$(count_output '^web finish')" -eq 1 ]
	container_exec kill -KILL "$pid"
	wait_output '^web finish -1 9$'
}

@test "MAINPID: run ends while there is no supervisor" {
	local pid program=/usr/lib/my_init/supervisor
	notifier web
	finish_of web
	container_start --
	wait_output '^web up'
	tell web 'say("READY=1")'
	wait_for "it to be up" _is web state up
	container_exec mv $program $program.away
	kill -KILL "$(supervisor_pid)"
	wait_output "^\*\*\* Cannot execute $program"
	local old=$(said_pid web)
	tell web 'child = subprocess.Popen(["sleep", "100000"]).pid'
	tell web 'say(f"MAINPID={child}"); tell("child", child); os._exit(0)'
	wait_output '^web child'
	pid=$(container_output | sed -n 's/^web child //p')
	wait_for "run's end" not runs "$old"
	container_exec mv $program.away $program
	wait_for "it to stand for run" _is web pid "$pid"
	_is web state up
	no_output '^web finish'
	ctl 0 signal KILL web
	wait_output '^web finish -1 9$'
	wait_lines 2 '^web up'
}

@test "MAINPID: whose it is not, does not count, and is said once" {
	notifier web
	notifier other
	# An orphan, and another user's.
	startup_script 10_orphan <<-'EOT'
	#!/bin/sh
	setsid -f setpriv --reuid=65534 --clear-groups sh -c 'echo "user up $$"
	    exec sleep 100000'
	EOT
	container_start -- -- sh -c 'echo "command up $$"; exec sleep 100000'
	wait_output '^web up'
	wait_output '^other up'
	wait_output '^user up'
	wait_output '^command up'
	# All that runs is now my_init's.
	restart_supervisor
	local old=$(said_pid web) pid
	tell other 'say("READY=1")'
	for pid in "$(said_pid other)" "$(said_pid user)" "$(said_pid command)" \
	    "$(container_exec pgrep -x supervisor)" 1 0 -1 x '' \
	    99999999999999999999 "$(container_exec sh -c 'echo $$')"; do
		tell web "say('MAINPID=$pid')"
		sync_with web
		tell web "say('STATUS=')"
	done
	tell web 'say("READY=1")'
	wait_for "it to be up" _is web state up
	_is web pid "$old"
	wait_output '^\*\*\* web: the MAINPID .* does not count$'
	[ "$(count_output '^\*\*\* web: the MAINPID')" -eq 1 ]
	# Its own is nothing new.
	tell other 'say(f"MAINPID={os.getpid()}")'
	sync_with other
	no_output '^\*\*\* other'
	tell web 'os._exit(0)'
	wait_lines 2 '^web up'
	_is web pid "$(said_pid web)"
	runs "$(said_pid other)"
	_is other state up
}

@test "MAINPID: one that is over by then is none" {
	notifier web
	finish_of web
	container_start --
	wait_output '^web up'
	tell web 'child = subprocess.Popen(["sleep", "100000"])'
	tell web 'say(f"MAINPID={child.pid}\nREADY=1")'
	wait_for "it to be up" _is web state up
	tell web 'child.kill(); child.wait(); os._exit(0)'
	wait_output '^web finish 0 0$'
	wait_lines 2 '^web up'
	# Nor is one that run outlives with a failure.
	tell web 'child = subprocess.Popen(["sleep", "100000"])'
	tell web 'say(f"MAINPID={child.pid}\nREADY=1")'
	wait_for "it to be up" _is web state up
	tell web 'os._exit(4)'
	wait_output '^web finish 4 0$'
	wait_lines 3 '^web up'
}

# --- EXTEND_TIMEOUT_USEC --------------------------------------------------------------------
@test "EXTEND_TIMEOUT_USEC: of a start, and of a stop" {
	local began
	notifier web
	setting web timeout-up 6000
	setting web timeout-kill 3000
	setting web restart never
	container_start --
	wait_output '^web up'
	# Less than it has is no news.
	tell web 'say("EXTEND_TIMEOUT_USEC=1000")'
	tell web 'say("EXTEND_TIMEOUT_USEC=60000000"); tell("has more time")'
	wait_output '^web has more time'
	ctl 6 wait web --timeout 7
	_is web state starting
	extends_its_stop web
	tell web 'say("READY=1")'
	wait_for "it to be up" _is web state up
	ctl 0 stop web --no-wait
	wait_output '^web was told'
	ctl 6 wait web --down --timeout 4
	_is web state stopping
	no_output 'did not shut down in time'
	tell web 'os._exit(0)'
	wait_down web
}

# It asks for a minute when it is told to end.
extends_its_stop() {
	tell "$1" 'signal.signal(signal.SIGTERM, lambda *_: ('`
	    `'say("EXTEND_TIMEOUT_USEC=60000000"), tell("was told")))'
}

@test "EXTEND_TIMEOUT_USEC: not beyond the time that somebody gives to all" {
	notifier web
	container_start --
	wait_output '^web up'
	extends_its_stop web
	tell web 'say("READY=1")'
	wait_for "it to be up" _is web state up
	ctl 0 shutdown --timeout 3
	container_wait 20
	wait_output '^web was told'
	wait_output '^\*\*\* web .* did not shut down in time'
}

# --- what is not served, or no message ------------------------------------------------------
@test "FDSTORE is declined in one line, and no descriptor stays" {
	local before
	notifier web
	container_start --
	wait_output '^web up'
	sync_with web
	wait_supervised web
	before=$(descriptors)
	tell web 'files = [os.open("/dev/null", os.O_RDWR) for i in range(200)]'
	tell web 'import array'
	tell web 'send = lambda n, text: connect().sendmsg([text], [(socket.SOL_SOCKET, '`
	    `'socket.SCM_RIGHTS, array.array("i", files[:n]))])'
	tell web '[send(n, b"FDSTORE=1\nFDNAME=x") for n in (1, 2, 15, 16, 17, 200)]'
	tell web '[send(n, b"BARRIER=1") for n in (1, 200)]'
	tell web '[send(n, b"") for n in (1, 200)]'
	tell web 'send(200, b"READY=1")'
	wait_for "it to be up" _is web state up
	sync_with web
	[ "$(descriptors)" -eq "$before" ]
	wait_output '^\*\*\* web: descriptors are not stored here '
	[ "$(count_output '^\*\*\* web')" -eq 1 ]
	# Of others, too.
	container_exec NOTIFY_SOCKET="$(address_of web)" python3 -B -c '
import array, os, socket
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.connect(os.environ["NOTIFY_SOCKET"].replace("@", "\0", 1))
s.sendmsg([b"FDSTORE=1"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS,
    array.array("i", [0] * 200))])'
	sync_with web
	[ "$(descriptors)" -eq "$before" ]
}

@test "messages that are none do no harm" {
	notifier web
	container_start --
	wait_output '^web up'
	tell web 'say(b"")'
	tell web 'say(b"\0" * 100)'
	tell web 'say(bytes(range(256)) * 32)'
	tell web 'say(b"=" * 8192)'
	tell web 'say(b"\n" * 8192)'
	tell web 'say(b"READY=1\n" + b"x" * 8185)'
	tell web 'say(b"READY=1\n" + b"x" * 100000)'
	tell web 'say(b"STATUS=" + b"%s%n" * 1000)'
	tell web 'say(b"WATCHDOG_USEC=\nWATCHDOG_USEC=-1\nWATCHDOG_USEC=99999999999999999999")'
	tell web 'say(b"EXTEND_TIMEOUT_USEC=x\nMAINPID")'
	tell web 'say(b"MONOTONIC_USEC=\nRELOADING=")'
	sync_with web
	_is web state starting
	[ "$(value web restarts)" -eq 0 ]
	# As long as one may be.
	tell web 'say(b"x" * (8192 - 8) + b"\nREADY=1")'
	wait_for "it to be up" _is web state up
	no_output 'killed by signal|ended without'
	[ "$(count_output '^web up')" -eq 1 ]
}

@test "a flood of messages keeps nobody from being answered" {
	local name began
	notifier web
	good_service bystander
	for name in one two; do
		service flood$name <<-'EOT'
		#!/usr/bin/python3 -B
		import os, socket
		s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
		s.connect(os.environ["NOTIFY_SOCKET"].replace("@", "\0", 1))
		s.send(b"READY=1")
		print("flood up", os.getpid(), flush=True)
		while True:
		    s.send(b"STATUS=flood\nFDSTORE=1\nMAINPID=1\nX=1\n" + b"Y=1\n" * 100)
		EOT
		setting flood$name type notify
	done
	container_start --
	wait_output '^web up'
	wait_lines 2 '^flood up'
	wait_up bystander
	began=$(now_ms)
	ctl 0 restart bystander
	ctl 0 status
	tell web 'say("READY=1")'
	wait_for "it to be up" _is web state up
	ctl 0 stop floodone
	restart_supervisor
	ctl 0 restart bystander
	took "$began" 0 20000
	[ "$(count_output '^\*\*\* flood(one|two): ')" -le 8 ]
	container_kill TERM
	container_wait 20
	[ "$status" -eq 0 ]
}

# --- the supervisor is killed -----------------------------------------------------------------
@test "killed while it starts, before READY is read, and while it is up" {
	notifier web
	setting web timeout-up 30000
	good_service front
	setting front depends web
	container_start --
	wait_output '^web up'
	restart_supervisor
	_is web state starting
	sync_with web
	kill -STOP "$supervisor"
	tell web 'say("STATUS=all well\nREADY=1"); tell("said")'
	wait_output '^web said'
	kill -KILL "$supervisor"
	wait_for "it to be up" _is web state up
	_is web says "all well"
	wait_up front
	restart_supervisor
	sync_with web
	_is web state up
	[ "$(count_output '^(web|front) up')" -eq 2 ]
	# The socket is that of the first supervisor still.
	local address=$(address_of web)
	ctl 0 restart web --no-wait
	wait_lines 2 '^web up'
	[ "$(address_of web)" = "$address" ]
	tell web 'say("READY=1")'
	wait_for "it to be up" _is web state up
}
