# What the tests of readiness and liveness share, on top of initctl.bash: services that
# are told what to do while they run, and how often a program of theirs has run.
# shellcheck shell=bash

load initctl

# setting SERVICE NAME VALUE: at any time, so that nobody finds it empty
setting() {
	printf '%s\n' "$3" | root_file "/etc/service/$1/.new"
	mv -f "$ROOT/etc/service/$1/.new" "$ROOT/etc/service/$1/$2"
}

# Makes a file of the container, which some service waits for.
touch_in() {
	: >"$(container_file "$1")"
}

# --- a service that is told what to do ------------------------------------------------
# talker NAME: "NAME up PID", then executes each line that tell sends it, in Python, with
#   say(TEXT)         to its notification socket
#   write(FD, TEXT)   to a descriptor
# besides os, sys, time, signal and socket.
talker() {
	root_file /usr/local/lib/talker.py <<-'EOT'
	import os, signal, socket, subprocess, sys, time
	name = os.path.basename(os.getcwd())
	def connect():
	    s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
	    s.connect(os.environ["NOTIFY_SOCKET"].replace("@", "\0", 1))
	    return s
	def say(text):
	    with connect() as s:
	        s.send(text if isinstance(text, bytes) else text.encode())
	def write(fd, text):
	    os.write(fd, text.encode())
	def tell(*words):
	    print(name, *words, flush=True)
	def microseconds():
	    return time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
	lines = os.fdopen(os.open("/tmp/" + name, os.O_RDWR | os.O_CLOEXEC))
	tell("up", os.getpid())
	while True:
	    exec(lines.readline())
	EOT
	[ -e "$ROOT/tmp/$1" ] || mkfifo "$ROOT/tmp/$1"
	service "$1" <<-'EOT'
	#!/bin/sh
	exec python3 -B /usr/local/lib/talker.py
	EOT
}

# tell NAME STATEMENT
tell() {
	printf '%s\n' "$2" >"$(container_file "/tmp/$1")"
}

# The gate stays for a while after its last client.
no_gate() {
	kill -KILL "$(gate_pid)" 2>/dev/null || :
	! gate_pid >/dev/null
}

# Context switches of the supervisor, $supervisor, of both kinds.
switches() {
	grep -h ctxt_switches "/proc/$supervisor/status" | tr -s '\n\t' '  '
}

# Has it not been woken for a while, since there were $before?
rests() {
	before=$(switches)
	sleep 0.5
	[ "$(switches)" = "$before" ]
}
