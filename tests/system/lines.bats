#!/usr/bin/env bats
# log-prefix: the lines of services in the container's output, whole and with their
# names, by the collector.

load initctl

# writer NAME: a service that writes some lines and stays
writer() {
	service "$1" <<-'EOF'
	#!/bin/sh
	echo "one of $$"
	echo "two, to stderr" >&2
	exec sleep 100000
	EOF
	log_prefix "$1" "${2-name}"
}

# log_prefix NAME VALUE
log_prefix() {
	echo "$2" >"$(container_file "/etc/service/$1/log-prefix")"
}

collector_pid() {
	pgrep -n -P "$MY_INIT_PID,$(supervisor_pid)" -x collector
}

stop_all() {
	container_kill TERM
	container_wait "$@"
	[ "$status" -eq 0 ]
}

@test "each line has the service's name, of stdout and stderr" {
	writer web
	writer db
	service plain <<<$'#!/bin/sh\necho "plain $$"\nexec sleep 100000'
	container_start --
	wait_output '^web: one of [0-9]+$'
	wait_output '^web: two, to stderr$'
	wait_output '^db: two, to stderr$'
	wait_output '^plain [0-9]+$'
	stop_all
	[ "$(count_output 'The collector')" -eq 0 ]
}

@test "logs: the last lines, of one and of several" {
	writer web
	writer db
	good_service plain
	container_start --
	wait_output '^web: two'
	wait_output '^db: two'
	container_exec initctl logs web >"$OUTPUT/logs"
	cat "$OUTPUT/logs"
	grep -qx 'two, to stderr' "$OUTPUT/logs"
	[ "$(wc -l <"$OUTPUT/logs")" -eq 2 ]
	[ "$(container_exec initctl logs -n 1 web)" = 'two, to stderr' ]
	container_exec initctl logs -n 1 web db | sort >"$OUTPUT/logs"
	diff - "$OUTPUT/logs" <<-'END'
	db: two, to stderr
	web: two, to stderr
	END
	ctl 1 logs plain
	ctl 4 logs nobody
	container_exec initctl --json logs 'w*' | python3 -c '
import json, sys
service, = json.load(sys.stdin)["services"]
assert service["name"] == "web" and service["ok"], service
assert service["lines"][1] == "two, to stderr", service
assert service["dropped"] == 0 and not service["lost"], service'
	stop_all
}

@test "logs -f: what comes, whoever is killed meanwhile" {
	service web <<-'EOF'
	#!/bin/bash
	trap 'echo "line $((++n))"' USR1
	echo "web up $$"
	while :; do sleep 1000 & wait $!; done
	EOF
	log_prefix web name
	container_start --
	wait_output '^web: web up'
	container_exec initctl logs -f web >"$OUTPUT/follow" 2>&1 &
	local follower=$!
	wait_for "the follower" grep -qx "web up [0-9]*" "$OUTPUT/follow"
	container_exec initctl signal USR1 web
	wait_for "line 1" grep -qx 'line 1' "$OUTPUT/follow"
	kill -KILL "$(supervisor_pid)"
	wait_output 'The supervisor was killed'
	container_exec initctl signal USR1 web
	wait_for "line 2" grep -qx 'line 2' "$OUTPUT/follow"
	kill -KILL "$(collector_pid)"
	wait_output 'The collector ended with signal 9'
	container_exec initctl signal USR1 web
	wait_for "line 3" grep -qx 'line 3' "$OUTPUT/follow"
	[ "$(grep -c '^line' "$OUTPUT/follow")" -eq 3 ]
	# Who follows may be told before it is in the output.
	wait_lines 3 '^web: line'
	[ "$(count_output '^web: line [123]$')" -eq 3 ]
	stop_all
	wait $follower || :
}

# --- what a line is ----------------------------------------------------------------------
@test "whole lines of many that write at once, long ones and unfinished ones too" {
	local i
	for i in {1..8}; do
		service w$i <<-'EOF'
		#!/usr/bin/perl
		$| = 1;
		my $me = (split m{/}, readlink "/proc/self/cwd")[-1];
		# In pieces, so that others come in between if they can.
		for my $n (1 .. 300) {
			print "$me begins $n ";
			print "x" x ($n * 7 % 500), " $n ends\n";
		}
		print "y" x 20000, "\n";
		print "no newline";
		exit 0;
		EOF
		log_prefix w$i name
		root_file /etc/service/w$i/type <<<oneshot
	done
	container_start --
	for i in {1..8}; do
		wait_output "^w$i: no newline$"
	done
	stop_all
	container_output >"$OUTPUT/all"
	# 8,192 bytes are the longest line; what is longer is several.
	python3 - "$OUTPUT/all" <<-'END'
	import re, sys
	lines = {"w%d" % i: [] for i in range(1, 9)}
	for line in open(sys.argv[1]):
	    name, separator, text = line.rstrip("\n").partition(": ")
	    if name in lines:
	        lines[name].append(text)
	for name, got in lines.items():
	    for n in range(1, 301):
	        want = "%s begins %d %s %d ends" % (name, n, "x" * (n * 7 % 500), n)
	        assert got[n - 1] == want, (name, n, got[n - 1])
	    assert [len(text) for text in got[300:]] == [8192, 8192, 3616, 10], name
	END
}

@test "time: RFC 3339; json: one object a line, whatever is in it" {
	service a <<-'EOF'
	#!/bin/sh
	echo 'it is "time"'
	exec sleep 100000
	EOF
	log_prefix a time
	root_file '/etc/service/b "quoted"/run' 755 <<-'EOF'
	#!/bin/sh
	printf 'plain\n"\\ \t\033[31m \303\244 \377 \355\240\200\n\nlast'
	EOF
	echo json >"$ROOT/etc/service/b \"quoted\"/log-prefix"
	root_file '/etc/service/b "quoted"/type' <<<oneshot
	container_start --
	wait_output '^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z a: it is "time"$'
	wait_output '"message":"last"'
	stop_all
	container_output | grep -a '^{' >"$OUTPUT/json"
	python3 - "$OUTPUT/json" <<-'END'
	import datetime, json, sys
	got = [json.loads(line) for line in open(sys.argv[1])]
	assert [line["message"] for line in got] == [
	    "plain", "\"\\ \t\033[31m \u00e4 \ufffd \ufffd\ufffd\ufffd", "", "last"], got
	assert all(line["service"] == 'b "quoted"' for line in got), got
	for line in got:
	    when = datetime.datetime.strptime(line["time"], "%Y-%m-%dT%H:%M:%S.%fZ")
	    assert abs((datetime.datetime.utcnow() - when).total_seconds()) < 60, line
	END
}

# --- the setting ---------------------------------------------------------------------------
@test "SERVICE_LOG_PREFIX is for all services that have no file, or another" {
	writer a
	rm "$ROOT/etc/service/a/log-prefix"
	writer b none
	writer c json
	: >"$ROOT/etc/service/c/log-prefix"
	container_start SERVICE_LOG_PREFIX=time --
	wait_output '^[-0-9]+T[:.0-9]+Z a: two, to stderr'
	wait_output '^two, to stderr'
	wait_output '^c: two, to stderr'
	ctl 1 logs b
	stop_all
}

@test "what is no log-prefix: in the file, failed; in the environment, none" {
	writer a colour
	writer b
	rm "$ROOT/etc/service/b/log-prefix"
	container_start SERVICE_LOG_PREFIX=purple --
	wait_output '^\*\*\* SERVICE_LOG_PREFIX=purple is not name, time, json or none; using none$'
	wait_output '^\*\*\* a: log-prefix: line 1: "colour" is not name, time, json or none \(in /etc/service/a\)$'
	wait_output '^two, to stderr'
	_is a state failed
	log_prefix a name
	ctl 0 start a
	wait_output '^a: two, to stderr'
	# It counts from the next start on.
	rm "$(container_file /etc/service/a/log-prefix)"
	log_prefix b time
	ctl 0 restart a
	ctl 0 restart b
	wait_for "a without" _lines_like 2 '^two, to stderr$'
	wait_output '^[-0-9]+T[:.0-9]+Z b: two, to stderr'
	stop_all
}

_lines_like() {
	[ "$(count_output "$2")" -eq "$1" ]
}

@test "with a logger: its input is stdout, and the prefix is before what remains" {
	writer web
	service web/log <<<$'#!/bin/sh\nexec cat >/tmp/web.log'
	finish_of web
	container_start --
	wait_output '^web: two, to stderr$'
	ctl 0 stop web
	wait_for "the logger" grep -q 'web finish' "$(container_file /tmp/web.log)"
	grep -q '^one of' "$(container_file /tmp/web.log)"
	[ "$(count_output 'one of')" -eq 0 ]
	stop_all
}

# --- who dies ---------------------------------------------------------------------------------
@test "supervisor and collector killed again and again: no line is lost, nor a service" {
	service count <<-'EOF'
	#!/usr/bin/perl
	$| = 1;
	print "count up $$\n";
	$SIG{TERM} = sub { print "count ends\n"; exit };
	until (-e "/tmp/go") { print "n ", ++$n, "\n"; select undef, undef, undef, 0.001; }
	print "sum $n\n";
	sleep 1000 while 1;
	EOF
	log_prefix count name
	container_start --
	wait_output '^count: n 100$'
	local i supervisor
	for i in {1..6}; do
		wait_for "a supervisor" supervisor_pid
		kill -KILL "$(supervisor_pid)" || :
		wait_for "kill $i to be noticed" _lines_like "$i" \
		    'The supervisor was killed by signal 9'
		wait_for "a collector" collector_pid
		kill -KILL "$(collector_pid)" || :
		wait_for "collector $i to be noticed" _lines_like "$i" \
		    'The collector ended with signal 9'
		# One that has not lived for a second is started again a second later.
		wait_for "a collector" collector_pid
	done
	: >"$(container_file /tmp/go)"
	wait_output '^count: sum [0-9]+$'
	stop_all
	container_output >"$OUTPUT/all"
	[ "$(count_output '^count: count up')" -eq 1 ]
	[ "$(count_output '^count: count ends$')" -eq 1 ]
	# What was being written as it died may be there twice.
	sed -n 's/^count: n //p' "$OUTPUT/all" | uniq | sort -nu >"$OUTPUT/numbers"
	local sum=$(sed -n 's/^count: sum //p' "$OUTPUT/all")
	[ "$sum" -gt 100 ]
	diff <(seq "$sum") "$OUTPUT/numbers"
}

@test "no collector: said once, and the output is the container's" {
	mv "$ROOT/usr/lib/my_init/collector" "$ROOT/usr/lib/my_init/not"
	writer a
	writer b
	container_start --
	wait_output '^two, to stderr'
	wait_output '^\*\*\* The collector /usr/lib/my_init/collector cannot be started: No such file'
	wait_output '^\*\*\* a: log-prefix cannot be had: No such file or directory; what it writes goes where my_init.s does$'
	wait_for "b, too" _lines_like 2 '^two, to stderr'
	[ "$(count_output 'The collector .* cannot be started')" -eq 1 ]
	# It has come.
	mv "$(container_file /usr/lib/my_init/not)" "$(container_file /usr/lib/my_init/collector)"
	ctl 0 restart a
	wait_output '^a: two, to stderr'
	stop_all
}

@test "--user and --read-only: the same" {
	writer a
	container_start --user 1234 --read-only --
	wait_output '^a: two, to stderr'
	container_exec initctl --socket /dev/shm/my_init/control.sock logs a |
	    grep -q 'two, to stderr'
	stop_all
}

# --- the end ----------------------------------------------------------------------------------
@test "the end: the last words of each are there, and nobody waits for them" {
	local name
	for name in a b c; do
		service $name <<-EOF
		#!/bin/bash
		trap 'echo "$name ends"; printf unfinished; exit' TERM
		echo "$name up"
		while :; do sleep 1000 & wait \$!; done
		EOF
		finish_of $name
		log_prefix $name name
	done
	# What stays behind when its service has gone, until the sweep.
	service d <<-'EOF'
	#!/bin/bash
	(trap "echo straggler; exit" TERM; echo "d up"; setsid sleep 1000 & wait $!) &
	exec sleep 100000
	EOF
	log_prefix d name
	container_start --
	wait_output '^a: a up' && wait_output '^b: b up' && wait_output '^c: c up'
	wait_output '^d: d up'
	local start=$(now_ms)
	stop_all
	took "$start" 0 5000
	for name in a b c; do
		[ "$(count_output "^$name: $name ends$")" -eq 1 ]
		[ "$(count_output "^$name: unfinished$")" -eq 1 ]
		[ "$(count_output "^$name: $name finish 0 0$")" -eq 1 ]
	done
	[ "$(count_output '^d: straggler$')" -eq 1 ]
}

@test "a service that is taken away: the rest is written, its place is given to another" {
	writer a
	finish_of a
	container_start --
	wait_output '^a: two'
	# Else supervise/ may be made in what is being removed.
	wait_supervised a
	rm -r "$(container_file /etc/service/a)"
	_gone() { ! container_exec initctl status a >/dev/null 2>&1; }
	wait_for "a to be gone" _gone
	ctl 4 logs a
	mkdir "$(container_file /etc/service/.b)"
	printf '#!/bin/sh\necho "b up"\nexec sleep 100000\n' >"$(container_file /etc/service/.b/run)"
	chmod 755 "$(container_file /etc/service/.b/run)"
	echo name >"$(container_file /etc/service/.b/log-prefix)"
	mv "$(container_file /etc/service/.b)" "$(container_file /etc/service/b)"
	wait_output '^b: b up'
	[ "$(container_exec initctl logs b)" = 'b up' ]
	stop_all
}

# --- an output that nobody reads --------------------------------------------------------------
@test "nobody reads the output: nobody waits for long, what is missing is counted" {
	mkfifo "$ROOT/tmp/out"
	exec {reader}<>"$ROOT/tmp/out"
	root_file /wrap 755 <<<$'#!/bin/sh\nexec "$@" >/tmp/out'
	service talk <<-'EOF'
	#!/usr/bin/perl
	$| = 1;
	for (1 .. 20000) { print "talk ", $_, " ", "z" x 80, "\n"; }
	open F, ">", "/tmp/done"; close F;
	sleep 1000 while 1;
	EOF
	log_prefix talk name
	good_service other
	log_prefix other name
	container_start --split --via /wrap --
	# It gets rid of two megabytes, though nobody has read a byte.
	wait_for "talk to have said all" [ -e "$(container_file /tmp/done)" ]
	# The supervisor, too, which has nothing to do with it.
	ctl 0 restart other
	# What it has said last may still be in the pipe.
	_all_read() { container_exec initctl logs -n 1 talk | grep -q '^talk 20000 '; }
	wait_for "all of it to be read" _all_read
	container_exec initctl --json logs -n 1 talk | python3 -c '
import json, sys
service, = json.load(sys.stdin)["services"]
assert service["lines"][0].startswith("talk 20000 "), service
assert service["dropped"] > 10000, service'
	container_exec initctl logs -n 0 talk 2>&1 |
	    grep -E '^\*\*\* talk: [0-9]+ lines could not be written to the container.s output'
	# Somebody reads again, and is told.
	timeout 20 sed -n '/talk: talk 20000 /q;p' <&$reader >"$OUTPUT/read"
	grep -qE '^talk: \*\*\* [0-9]+ lines are missing here: nobody has read' "$OUTPUT/read"
	local missing=$(sed -n 's/^talk: \*\*\* \([0-9]*\) lines are missing.*/\1/p' "$OUTPUT/read" |
	    awk '{ sum += $1 } END { print sum }')
	[ $((missing + $(grep -c '^talk: talk ' "$OUTPUT/read"))) -eq 19999 ]
	exec {reader}>&-
	stop_all
}

@test "a reader that is slow: writers are, too, and nothing is missing" {
	mkfifo "$ROOT/tmp/out"
	exec {reader}<>"$ROOT/tmp/out"
	root_file /wrap 755 <<<$'#!/bin/sh\nexec "$@" >/tmp/out'
	service talk <<-'EOF'
	#!/usr/bin/perl
	$| = 1;
	select undef, undef, undef, 0.02 until -e "/tmp/go";
	for (1 .. 8000) { print "talk ", $_, " ", "z" x 80, "\n"; }
	sleep 1000 while 1;
	EOF
	log_prefix talk name
	container_start --split --via /wrap --
	# A few kilobytes at a time, for some time more than nobody would be waited for.
	# Nothing is written before there is a reader.
	timeout 50 python3 -c '
import os, sys, time
open(sys.argv[1], "w").close()
got = b""
while b"talk 8000 " not in got[-200:]:
    got += os.read(0, 16384)
    time.sleep(0.05)
numbers = [int(l.split()[2]) for l in got.split(b"\n") if l.startswith(b"talk: talk ")]
assert numbers == list(range(1, 8001)), len(numbers)' \
	    "$(container_file /tmp/go)" <&$reader
	exec {reader}>&-
	stop_all
}

# --- where the pipes are ----------------------------------------------------------------------
@test "a startup script cleans /run: lines of services from before and after come" {
	service early <<-'EOF'
	#!/bin/bash
	trap 'echo "early line $((++n))"' USR1
	echo "early up $$"
	while :; do sleep 1000 & wait $!; done
	EOF
	log_prefix early name
	writer late
	startup_script 10 <<<$'#!/bin/sh\ninitctl start early'
	startup_script 20 <<<$'#!/bin/sh\nrm -rf /run/*'
	container_start --
	wait_output '^early: early up'
	wait_output '^late: two, to stderr'
	ctl 0 signal USR1 early
	wait_output '^early: early line 1'
	kill -KILL "$(supervisor_pid)"
	wait_output 'The supervisor was killed'
	ctl 0 signal USR1 early
	wait_output '^early: early line 2'
	ctl 0 restart early late
	wait_for "early, again" _lines_like 2 '^early: early up'
	wait_for "late, again" _lines_like 2 '^late: two, to stderr'
	ctl 0 signal USR1 early
	wait_for "its line" _lines_like 2 '^early: early line 1'
	stop_all
}
