#!/usr/bin/env bats
# Services that come, go and change while the container runs, and how often one that
# fails is started, as initctl shows it.

load initctl

# names_are NAME...: these are the services, and no others
names_are() {
	[ "$(container_exec initctl --json status | python3 -c '
import json, sys
print(*[s["name"] for s in json.load(sys.stdin)["services"]])')" = "$*" ]
}

# Does initctl say so of a service?  says_of NAME EXPRESSION, with s for the service
says_of() {
	container_exec initctl --json status "$1" >"$OUTPUT/ctl.out" 2>&1 || :
	holds "(lambda s: $2)(r['services'][0])"
}

ups() {
	count_output "^$1 up"
}

# A service that has ended as soon as it was started: "NAME up PID".
crashing_service() {
	service "$1" <<-EOF
	#!/bin/sh
	echo "$1 up \$\$"
	exit ${2-3}
	EOF
}

# --- what comes and goes ----------------------------------------------------------------
@test "a directory that appears is up within 5 s; one that goes is unknown" {
	good_service a
	good_service .new
	finish_of .new
	container_start --
	wait_up a
	ctl 4 status new
	container_exec mv /etc/service/.new /etc/service/new
	wait_for --within 5 "the new service" _is new state up
	wait_output '^\.new up'
	names_are a new
	container_exec mv /etc/service/new /etc/service/.new
	wait_for --within 5 "its end" _unknown new
	names_are a
	wait_output '^.new finish -1 15$'
	ctl 4 start new
	[ "$(ups .new)" -eq 1 ]
	_is a pid "$(said_pid a)"
}

@test "dot names, plain files and links to files are no services" {
	good_service a
	good_service .hidden
	container_start --
	wait_up a
	# What is copied with it has to be there.
	wait_supervised a
	container_exec sh -c 'cd /etc/service && touch file && ln -s file link &&
	    mkfifo fifo && cp -a a .other && mkdir b.new && cp a/run b.new && mv b.new b'
	wait_for "b" _is b state up
	wait_unknown b.new
	ctl 0 rescan
	names_are a b
	local name
	for name in .hidden .other file link fifo; do
		ctl 4 start $name
	done
	no_output 'hidden|file|link|fifo'
}

@test "a link may be laid, led elsewhere and taken away" {
	good_service .one
	good_service .two
	mv "$ROOT/etc/service/.one" "$ROOT/srv/one"
	mv "$ROOT/etc/service/.two" "$ROOT/srv/two"
	container_start --
	wait_phase running
	container_exec ln -s /srv/one /etc/service/web
	wait_for "the service" _is web state up
	wait_output '^.one up'
	[ "$(container_exec readlink "/proc/$(pid_of web)/cwd")" = /srv/one ]
	local old=$(pid_of web)
	container_exec ln -s /srv/two /etc/service/.web
	container_exec mv -T /etc/service/.web /etc/service/web
	wait_output '^.two up'
	wait_for "the other" _is web pid "$(container_output | sed -n 's/^.two up //p')"
	not runs "$old"
	container_exec rm /etc/service/web
	wait_unknown web
	ctl 0 status
	[ "$out" = "no services" ]
}

@test "another name: the old one goes, the new one comes" {
	good_service a
	finish_of a
	container_start --
	wait_up a
	local old=$(pid_of a)
	container_exec mv /etc/service/a /etc/service/b
	wait_for "b" _is b state up
	wait_unknown a
	not runs "$old"
	not _is b pid "$old"
	[ "$(count_output '^a finish -1 15$')" -eq 1 ]
	names_are b
}

@test "a hundred come and go together" {
	local i
	for i in {1..100}; do
		good_service ".many/s$i"
	done
	mv "$ROOT/etc/service/.many" "$ROOT/srv/many"
	container_start --
	wait_phase running
	container_exec sh -c 'mv /srv/many/* /etc/service/'
	wait_for "a hundred" _count_up 100
	wait_lines 100 '^\.many/s[0-9]* up'
	[ "$(count_output '^\.many/s[0-9]* up')" -eq 100 ]
	container_exec sh -c 'mv /etc/service/* /srv/many/'
	wait_for "none" _count_up 0
	wait_for "no services" _none
	wait_for "their end" _no_sleepers
}

_count_up() {
	ctl 0 --json status
	holds "len([s for s in r['services'] if s['state'] == 'up']) == $1"
}

_none() {
	ctl 0 status
	[ "$out" = "no services" ]
}

_no_sleepers() {
	[ "$(container_exec pgrep -c -f '^sleep 100000')" -eq 0 ]
}

@test "removed in any state: it ends as it is to, and is gone" {
	good_service off
	root_file /etc/service/off/down </dev/null
	crashing_service crashing
	stubborn_service stopping
	good_service finishing
	root_file /etc/service/finishing/finish 755 <<-'EOF'
	#!/bin/sh
	echo "finishing finish"
	until [ -e /tmp/go ]; do sleep 0.05; done
	EOF
	container_start KILL_PROCESS_TIMEOUT=50 --
	wait_up stopping finishing
	wait_for "crashing to wait" _is crashing state backoff
	container_exec kill -KILL "$(said_pid finishing)"
	wait_output '^finishing finish'
	ctl 0 stop --no-wait stopping
	container_exec mkdir /srv/gone
	local name
	for name in off crashing stopping finishing; do
		container_exec mv /etc/service/$name /srv/gone/
	done
	wait_unknown off
	wait_unknown crashing
	says_of stopping "s['state'] == 'stopping'"
	wait_for "finishing to be seen gone" says_of finishing \
	    "s['state'] == 'finishing' and s['want'] == 'down'"
	local crashed=$(ups crashing)
	let_go
	wait_unknown stopping
	wait_unknown finishing
	ctl 0 status
	[ "$out" = "no services" ]
	[ "$(ups finishing)" -eq 1 ]
	[ "$(ups crashing)" -eq "$crashed" ]
	[ "$(ups off)" -eq 0 ]
}

@test "put back while it stops: it comes up again, once" {
	stubborn_service a
	container_start KILL_PROCESS_TIMEOUT=50 --
	wait_up a
	container_exec mv /etc/service/a /srv/a
	wait_for "a to be stopping" _is a state stopping
	container_exec sed -i 's/^until.*/exec sleep 100000/' /srv/a/run
	container_exec mv /srv/a /etc/service/a
	wait_for "a to be wanted" _is a want up
	let_go
	wait_lines 2 '^a up'
	wait_for "a" _is a state up
	_is a pid "$(said_pid a)"
	[ "$(ups a)" -eq 2 ]
}

@test "who waits for a service that is removed is told" {
	good_service a
	root_file /etc/service/a/finish 755 <<-'EOF'
	#!/bin/sh
	echo "a finish"
	until [ -e /tmp/go ]; do sleep 0.05; done
	EOF
	container_start KILL_PROCESS_TIMEOUT=50 --
	wait_up a
	container_exec kill -KILL "$(said_pid a)"
	wait_output '^a finish'
	(container_exec initctl start a || echo "start $?") >"$OUTPUT/said" 2>&1 3>&- &
	wait_for "start to wait" container_exec pgrep -f '^initctl start a'
	container_exec mv /etc/service/a /srv/a
	wait $!
	grep -q '^start [14]$' "$OUTPUT/said"
	grep -q '^\*\*\* a: ' "$OUTPUT/said"
	let_go
	wait_unknown a
}

@test "a service made by a startup script is up when they are over" {
	startup_script 10 <<-'EOF'
	#!/bin/sh
	mkdir -p /etc/service/made
	printf '#!/bin/sh\necho "made up $$"\nexec sleep 100000\n' >/etc/service/made/run
	chmod +x /etc/service/made/run
	rm /etc/service/enabled/down
	touch /etc/service/disabled/down
	EOF
	good_service enabled
	root_file /etc/service/enabled/down </dev/null
	good_service disabled
	container_start --
	wait_up made enabled
	_is disabled state down
	names_are disabled enabled made
}

@test "a name may have 103 bytes" {
	local long=$(printf '%0103d' 0)
	good_service "$long"
	good_service ".${long}0"
	container_start --
	wait_up "$long"
	ctl 0 restart "$long"
	container_exec mv "/etc/service/.${long}0" "/etc/service/${long}0"
	wait_output "^\*\*\* .*${long}0.*103"
	names_are "$long"
	container_exec initctl stop "${long}0" >"$OUTPUT/said" 2>&1 && fail "done"
	grep -q '^\*\*\* ' "$OUTPUT/said"
	_is "$long" state up
}

# --- what changes -------------------------------------------------------------------
@test "run is replaced: the next start takes the new one, none comes before" {
	good_service a
	root_file /srv/run 755 <<<$'#!/bin/sh\necho "other up $$"\nexec sleep 100000'
	container_start --
	wait_up a
	container_exec mv /srv/run /etc/service/a/run
	ctl 0 rescan
	_is a pid "$(said_pid a)"
	_is a restarts 0
	container_exec kill -KILL "$(said_pid a)"
	wait_output '^other up'
	wait_for "the other" _is a pid "$(container_output | sed -n 's/^other up //p')"
	_is a restarts 1
}

@test "down counts when a service comes, not when it is there" {
	good_service a
	good_service b
	root_file /etc/service/b/down </dev/null
	container_start --
	wait_up a
	container_exec touch /etc/service/a/down
	container_exec rm /etc/service/b/down
	ctl 0 rescan
	_is a pid "$(said_pid a)"
	_is b state down
	container_exec kill -KILL "$(said_pid a)"
	wait_lines 2 '^a up'
	ctl 0 start b
	wait_output '^b up'
	restart_supervisor
	_is b pid "$(said_pid b)"
	_is a state up
	# Gone and come again.
	container_exec mv /etc/service/a /etc/service/.a
	wait_unknown a
	container_exec mv /etc/service/.a /etc/service/a
	wait_for "a" _is a want down
	_is a state down
	[ "$(ups a)" -eq 2 ]
}

@test "one that cannot be executed: shown with the reason, said once, up when mended" {
	good_service plain
	chmod 644 "$ROOT/etc/service/plain/run"
	ln -s /srv/nowhere "$ROOT/etc/service/link"
	mkdir "$ROOT/etc/service/empty"
	container_start --
	local name
	for name in plain link empty; do
		wait_for "three tries of $name" says_of $name "s['restarts'] >= 3"
		[ "$(count_output "^\*\*\* .*/$name\>")" -eq 1 ]
	done
	wait_for "the reason" says_of plain \
	    "s['state'] == 'backoff' and 'chmod +x' in s['error']"
	ctl 0 status
	[[ $out == *"cannot execute ./run"* ]]
	container_exec chmod 755 /etc/service/plain/run
	wait_up plain
	says_of plain "s['error'] is None"
	container_exec cp -a /etc/service/plain /srv/nowhere
	container_exec cp -a /etc/service/plain/run /etc/service/empty/run
	wait_for "the link" _is link state up
	wait_for "the directory" _is empty state up
}

# --- how often it is started --------------------------------------------------------------
@test "back-off is shown: until when, how often, why, and ever longer" {
	crashing_service code
	service killed <<<$'#!/bin/sh\necho "killed up $$"\nkill -SEGV $$'
	container_start --
	wait_for "code to wait" says_of code "s['state'] == 'backoff' and
	    0 <= s['next_start_ms'] <= 1000 and s['want'] == 'up' and
	    s['pid'] is None and s['exit'] == {'code': 3}"
	wait_for "killed to wait" says_of killed "s['state'] == 'backoff' and
	    s['exit'] == {'signal': 11}"
	# It is up for a moment again and again.
	wait_for "it in the table" shows_signal killed
	wait_for --within 30 "a longer pause" says_of code "s['state'] == 'backoff' and
	    1000 < s['next_start_ms'] <= 30000 and s['restarts'] >= 5"
	wait_for --within 30 "it in the table" shows_pause code
	# Asked for, it is started at once, and its pauses are short again.
	local before=$(ups code)
	container_exec initctl restart code || :
	wait_lines $((before + 1)) '^code up'
	wait_for "a short pause" says_of code "s['state'] == 'backoff' and
	    s['next_start_ms'] <= 1000"
}

# Is it shown not to be up, and which signal has killed it?
shows_signal() {
	ctl 3 status "$1" && [[ $out == *"signal 11 (SEGV)"* ]]
}

# Is a pause of a second or more shown?
shows_pause() {
	container_exec initctl status "$1" | grep -Eq \
	    "^$1 +backoff +- +- +[0-9]+ +exit 3, next start in [1-9][0-9]*\.[0-9] s\$"
}

@test "what lives has no back-off, and shows its last end" {
	service a <<-'EOF'
	#!/bin/sh
	echo "a up $$"
	[ -e /tmp/third ] && exec sleep 100000
	[ -e /tmp/second ] && touch /tmp/third
	touch /tmp/second
	exit 4
	EOF
	container_start --
	wait_lines 3 '^a up'
	wait_for "a" says_of a "s['state'] == 'up' and s['restarts'] == 2 and
	    s['exit'] == {'code': 4} and s['next_start_ms'] is None"
	ctl 0 status a
	line a "up +$(said_pid a) +[^ ]+ +2 +exit 4"
}

@test "stop ends a back-off, and it is not started again" {
	crashing_service a
	container_start --
	wait_for "a to wait" _is a state backoff
	ctl 0 stop a
	[ "$out" = "a: down" ]
	local before=$(ups a)
	says_of a "s['state'] == 'down' and s['want'] == 'down' and
	    s['next_start_ms'] is None"
	# Longer than any pause it can have had: another's time shows it.
	good_service b
	crashing_service c
	wait_lines 3 '^c up'
	[ "$(ups a)" -eq "$before" ]
}

@test "finish says sv down to its own service: the loop ends" {
	crashing_service a 7
	root_file /etc/service/a/finish 755 <<-'EOF'
	#!/bin/sh
	echo "a finish $1 $2"
	[ "$1" -ne 7 ] || sv down "$(basename "$PWD")"
	EOF
	crashing_service b
	root_file /etc/service/b/finish 755 <<<$'#!/bin/sh\nsv down /etc/service/b'
	crashing_service c
	container_start --
	wait_lines 3 '^c up'
	# Before they are started they are down as well.
	wait_down a b
	[ "$(ups a)" -eq 1 ]
	[ "$(ups b)" -eq 1 ]
	says_of a "s['want'] == 'down' and s['exit'] == {'code': 7}"
	[ "$(count_output '^a finish 7 0$')" -eq 1 ]
	# And it can be had again.
	container_exec initctl start a || :
	wait_lines 2 '^a up'
	wait_down a
}

@test "once: not started again, not by the next supervisor, either" {
	crashing_service a 0
	root_file /etc/service/a/down </dev/null
	good_service b
	crashing_service c
	container_start --
	wait_up b
	ctl 0 once a
	wait_for "its end" says_of a "s['state'] == 'down' and s['exit'] == {'code': 0}"
	ctl 0 once b
	says_of b "s['want'] == 'once' and s['pid'] == $(said_pid b)"
	restart_supervisor
	says_of b "s['want'] == 'once' and s['pid'] == $(said_pid b)"
	container_exec kill -TERM "$(said_pid b)"
	wait_for "its end" says_of b "s['state'] == 'down' and s['exit'] == {'signal': 15}"
	restart_supervisor
	# Asked for, its pauses are short again.
	container_exec initctl restart c || :
	local crashed=$(ups c)
	wait_lines $((crashed + 2)) '^c up'
	[ "$(ups a)" -eq 1 ]
	[ "$(ups b)" -eq 1 ]
	# Up is up again.
	ctl 0 start b
	wait_lines 2 '^b up'
	container_exec kill -KILL "$(pid_of b)"
	wait_lines 3 '^b up'
}
