#!/usr/bin/env bats
# Services: what is one, how it is run, when it is started again.

load services

@test "directories and links to directories are services, all else is not" {
	good_service a
	root_file /srv/real/run 755 <<-'EOF'
	#!/bin/sh
	echo "b up $$ in $(pwd -P)"
	exec sleep 100000
	EOF
	ln -s /srv/real "$ROOT/etc/service/b"
	good_service .hidden
	root_file /etc/service/file 755 <<-'EOF'
	#!/bin/sh
	echo "file up $$"
	EOF
	ln -s file "$ROOT/etc/service/link"
	container_start --
	wait_output '^a up [0-9]+$'
	wait_output '^b up [0-9]+ in /srv/real$'
	# Up to the end, which is after every service has been started.
	container_kill TERM
	container_wait
	[ "$status" -eq 0 ]
	no_output 'hidden|file|link'
}

@test "a service runs in its directory, as ./run, in a session of its own" {
	service a <<-'EOF'
	#!/bin/sh
	read -r pid _ _ _ group session _ </proc/$$/stat
	echo "a is $0 $# in $(pwd), pid - group $((pid - group)), - session $((pid - session))"
	echo "a stdin $(readlink /proc/$$/fd/0)"
	echo "a stdout $(stat -Lc %d:%i /proc/$$/fd/1)"
	echo "a stderr $(stat -Lc %d:%i /proc/$$/fd/2)"
	echo "a stderr works" >&2
	# Not by grep: a shell that starts a program may have all blocked for a while.
	while read -r key value; do
		case $key in SigBlk: | SigIgn:) echo "$key $value" ;; esac
	done </proc/$$/status
	echo "a up $$"
	exec sleep 100000
	EOF
	container_start --
	wait_output '^a up '
	wait_output '^a is \./run 0 in /etc/service/a, pid - group 0, - session 0$'
	wait_output '^a stdin /dev/null$'
	wait_output "^a stdout $(stat -Lc %d:%i "$OUTPUT/stdout")$"
	wait_output "^a stderr $(stat -Lc %d:%i "$OUTPUT/stdout")$"
	wait_output '^a stderr works$'
	wait_output '^SigBlk: 0*$'
	wait_output '^SigIgn: 0*$'
	wait_for "sleep" container_exec sh -c \
	    "grep -q sleep /proc/$(said_pid a)/comm"
	# It may still be about to open and close its libraries.
	wait_for "descriptors 0 to 2 alone" has_no_more "$(said_pid a)"
	container_kill TERM
	container_wait
}

has_no_more() {
	[ "$(container_exec ls "/proc/$1/fd" | tr '\n' ' ')" = "0 1 2 " ]
}

@test "finish is told how run ended, each time" {
	local name
	service code <<<$'#!/bin/sh\nexit 3'
	service term <<<$'#!/bin/sh\nkill -TERM $$'
	service kill <<<$'#!/bin/sh\nkill -KILL $$'
	mkdir "$ROOT/etc/service/unstartable"
	for name in code term kill unstartable; do
		finish_of $name
	done
	container_start --
	wait_lines 2 '^code finish 3 0$'
	wait_lines 2 '^term finish -1 15$'
	wait_lines 2 '^kill finish -1 9$'
	wait_lines 2 '^unstartable finish 111 0$'
	container_kill TERM
	container_wait
	[ "$status" -eq 0 ]
}

@test "finish runs in the service directory, and its time delays the restart" {
	service a <<-'EOF'
	#!/bin/sh
	read -r stat </proc/$$/stat; set -- $stat
	echo "a start ${22}"
	EOF
	root_file /etc/service/a/finish 755 <<-'EOF'
	#!/bin/sh
	echo "a finish is $0 in $(pwd)"
	sleep 1.5
	EOF
	container_start --
	wait_output '^a finish is \./finish in /etc/service/a$'
	wait_lines 2 '^a start'
	# A second after the start and after finish: not the sum of the two.
	between a 1 2 1470 2480
	container_kill TERM
	container_wait
	[ "$status" -eq 0 ]
}

# between NAME M N AT_LEAST LESS_THAN: milliseconds from start M to start N, of which a
# service has said "NAME start TICKS", the kernel's word (proc(5), starttime).
between() {
	container_output | awk -v name="$1" -v m="$2" -v n="$3" -v least="$4" \
	    -v most="$5" '
		$1 == name && $2 == "start" {
			i++
			if (i == m) from = $3
			if (i == n) to = $3
		}
		END {
			ms = (to - from) * 10
			if (to && ms >= least && ms < most) exit 0
			print name ": from start " m " to " n " " ms " ms"
			exit 1
		}' || fail "wrong pace"
}

@test "a finish that cannot be executed is said and does not stop the service" {
	service a <<<$'#!/bin/sh\necho "a start"'
	root_file /etc/service/a/finish 755 <<<'#!/no/such/interpreter'
	container_start --
	wait_lines 2 '^a start$'
	wait_output '^\*\*\* .*a/finish'
	container_kill TERM
	container_wait
	[ "$status" -eq 0 ]
}

@test "a service with a file named down is not started" {
	good_service a
	good_service b
	root_file /etc/service/b/down </dev/null
	container_start --
	wait_output '^a up'
	container_kill TERM
	container_wait
	[ "$status" -eq 0 ]
	no_output '^b up'
}

@test "restarts: at once after a second of life, else a second apart, then rarer" {
	service long <<-'EOF'
	#!/bin/sh
	read -r stat </proc/$$/stat; set -- $stat
	echo "long start ${22}"
	sleep 1.2
	EOF
	service quick <<-'EOF'
	#!/bin/sh
	read -r stat </proc/$$/stat; set -- $stat
	echo "quick start ${22}"
	exit 1
	EOF
	container_start --
	wait_lines 8 '^quick start'
	wait_lines 8 '^long start'
	# Starts are a second apart until the sixth death in a row.  What is counted from
	# is shortly before a start.
	local n
	for n in 1 2 3 4 5; do
		between quick $n $((n + 1)) 900 1900
	done
	between quick 6 7 1900 3800
	between quick 7 8 3900 7800
	for n in 1 2 3 4 5 6 7; do
		between long $n $((n + 1)) 1170 2100
	done
	container_kill TERM
	container_wait
	[ "$status" -eq 0 ]
}

@test "a directory that appears is started, one that goes is stopped" {
	good_service a
	good_service .new
	container_start --
	wait_output '^a up'
	local first=$(said_pid a)
	container_exec mv /etc/service/.new /etc/service/new
	wait_output '^.new up'
	local pid=$(said_pid .new)
	container_exec mv /etc/service/new /srv/
	wait_for "the end of the service" ended "$pid"
	# And again, under the same name, as a link.
	container_exec ln -s /srv/new /etc/service/new
	wait_lines 2 '^.new up'
	pid=$(said_pid .new)
	container_exec rm /etc/service/new
	wait_for "the end of the service" ended "$pid"
	runs "$first"
	[ "$(count_output '^a up')" -eq 1 ]
	container_kill TERM
	container_wait
	[ "$status" -eq 0 ]
}

ended() {
	! runs "$1"
}

@test "a service whose directory is moved away still has its finish run" {
	good_service a
	finish_of a
	container_start --
	wait_output '^a up'
	container_exec mv /etc/service/a /srv/
	wait_output '^a finish -1 15$'
	container_kill TERM
	container_wait
	[ "$status" -eq 0 ]
}

@test "a service directory that is replaced is stopped and the new one started" {
	good_service a
	good_service .new
	container_start --
	wait_output '^a up'
	local pid=$(said_pid a)
	# Both renames are seen at once.
	local supervisor=$(supervisor_pid)
	kill -STOP "$supervisor"
	container_exec mv /etc/service/a /etc/service/.old
	container_exec mv /etc/service/.new /etc/service/a
	kill -CONT "$supervisor"
	wait_output '^.new up'
	wait_for "the end of the old service" ended "$pid"
	container_kill TERM
	container_wait
	[ "$status" -eq 0 ]
}

@test "a directory made in place comes up once it is complete" {
	root_file /srv/run <<-'EOF'
	#!/bin/sh
	echo "late up $$"
	exec sleep 100000
	EOF
	good_service a
	container_start --
	wait_output '^a up'
	container_exec mkdir /etc/service/late
	wait_output '^\*\*\* .*late'
	container_exec cp /srv/run /etc/service/late/run
	container_exec chmod +x /etc/service/late/run
	wait_output '^late up'
	container_kill TERM
	container_wait
	[ "$status" -eq 0 ]
}

@test "services are found when /etc/service itself appears, goes and comes back" {
	good_service a
	mv "$ROOT/etc/service" "$ROOT/srv/service"
	container_start --
	wait_output '^\*\*\* .*/etc/service'
	container_exec mv /srv/service /etc/service
	wait_output '^a up'
	local pid=$(said_pid a)
	container_exec mv /etc/service /srv/service
	wait_for "the end of the service" ended "$pid"
	container_exec mkdir -p /etc/service/.a
	container_exec cp -a /srv/service/a/run /etc/service/.a/run
	container_exec mv /etc/service/.a /etc/service/a
	wait_lines 2 '^a up'
	container_kill TERM
	container_wait
	[ "$status" -eq 0 ]
}

@test "an idle container is not woken" {
	good_service a
	good_service b
	container_start --
	wait_output '^a up'
	wait_output '^b up'
	local supervisor=$(supervisor_pid) before after
	# The only case that must let time pass: nothing happens in it.
	wait_supervised a b
	wait_for "the supervisor to sleep" asleep "$supervisor"
	before=$(switches "$supervisor")
	sleep 2.5
	after=$(switches "$supervisor")
	[ "$before" = "$after" ] || fail "woken: $before, $after"
	# The measure works: an event does count.
	container_exec mkdir /etc/service/c
	wait_output '^\*\*\* .*/c/run'
	[ "$before" != "$(switches "$supervisor")" ]
	container_kill TERM
	container_wait
}

# Context switches of the supervisor and of PID 1, of both kinds.
switches() {
	grep -h ctxt_switches "/proc/$1/status" "/proc/$MY_INIT_PID/status" |
	    tr -s '\n\t' '  '
}

asleep() {
	[ "$(status_field "$1" State)" = S ] &&
	    [ "$(status_field "$MY_INIT_PID" State)" = S ]
}

# broken NAME REGEX: a service that the caller has broken, and what the message
# about it has to match.
broken() {
	local reason=$2
	if ! _has_line "^\*\*\* .*/$1.*($reason)"; then
		fail "the message about $1 does not tell the reason ($reason)"
		return
	fi
	if [ "$(count_output "^\*\*\* .*/$1\>")" -ne 1 ]; then
		fail "more than one message about $1"
		return
	fi
	container_exec sh -c "mountpoint -q /etc/service/$1 &&
	    mount -o remount,exec /etc/service/$1
	    rm -rf /etc/service/$1/run &&
	    sed s/NAME/$1/ /srv/run >/etc/service/$1/.run &&
	    chmod 755 /etc/service/$1/.run &&
	    mv /etc/service/$1/.run /etc/service/$1/run"
}

@test "what is wrong with a broken service is said once, and tried again" {
	cd "$ROOT/etc/service"
	good_service good
	service clock <<<$'#!/bin/sh\necho "clock ticks"'
	mkdir no-run
	good_service not-executable
	chmod 644 not-executable/run
	service no-interpreter <<<'#!/no/such/interpreter'
	mkdir -p directory/run
	service carriage-return <<<$'#!/bin/sh\r\necho hello\r'
	service empty </dev/null
	mkdir link-to-nowhere fifo loop
	ln -s /srv/missing link-to-nowhere/run
	ln -s run loop/run
	mkfifo -m 755 fifo/run
	service text <<<'echo hello'
	printf '\177ELF\002\001\001garbage' | service bad-elf
	mkdir noexec-mount
	root_file /srv/run <<-'EOF'
	#!/bin/sh
	echo "NAME up $$"
	exec sleep 100000
	EOF
	startup_script mount <<-'EOF'
	#!/bin/sh
	mount -t tmpfs -o noexec tmpfs /etc/service/noexec-mount &&
	cp /srv/run /etc/service/noexec-mount/run &&
	chmod 755 /etc/service/noexec-mount/run
	EOF
	cd - >/dev/null
	container_start --
	wait_lines 4 '^clock ticks'

	broken no-run 'missing|not there|no such|does not exist|not found'
	broken not-executable 'chmod'
	broken no-interpreter '/no/such/interpreter'
	broken directory 'is a directory'
	broken carriage-return 'CR|carriage return|Windows|DOS|line end'
	broken empty '#!|empty'
	broken link-to-nowhere 'link|/srv/missing'
	broken loop 'link'
	broken fifo 'FIFO|not a (regular )?file|pipe'
	broken text '#!'
	broken bad-elf 'ELF|program|machine|architecture|format'
	broken noexec-mount 'noexec'

	local name
	for name in no-run not-executable no-interpreter directory \
	    carriage-return empty link-to-nowhere loop fifo text bad-elf \
	    noexec-mount; do
		wait_output "^$name up"
	done
	[ "$(count_output '^good up')" -eq 1 ]
	runs "$(said_pid good)"
	container_kill TERM
	container_wait
	[ "$status" -eq 0 ]
}

@test "what cannot be set for run is said by its name, and no other's" {
	good_service a
	root_file /etc/service/a/limits <<<'nofile 99999999999'
	good_service b
	root_file /etc/service/b/working-directory <<<'/nonexistent'
	good_service c
	mkdir "$ROOT/etc/service/c/env"
	ln -s /nonexistent "$ROOT/etc/service/c/env/FOO"
	root_file /etc/service/b/depends <<<d
	root_file /etc/service/c/depends <<<d
	service d <<-'EOF'
	#!/bin/sh
	until [ -e /tmp/go ]; do sleep 0.05; done
	exec sleep 100000
	EOF
	root_file /etc/service/d/check 755 <<<$'#!/bin/sh\n[ -e /tmp/go ]'
	container_start --
	wait_output '^\*\*\* a: limits: nofile cannot be set: Operation not permitted$'
	: >"$(container_file /tmp/go)"
	wait_output '^\*\*\* b: working-directory cannot be set: No such file'
	wait_output '^\*\*\* c: env: FOO cannot be set: No such file'
}

@test "a link to nowhere in /etc/service is said, and a service once it leads there" {
	ln -s /srv/late "$ROOT/etc/service/late"
	good_service good
	mv "$ROOT/etc/service/good" "$ROOT/srv/good"
	good_service other
	container_start --
	wait_output '^other up'
	wait_output '^\*\*\* .*/late'
	container_exec mv /srv/good /srv/late
	container_exec touch /etc/service
	container_exec ln -sfn /srv/late /etc/service/late
	wait_output '^good up'
	[ "$(count_output '^\*\*\* .*/late')" -eq 1 ]
	container_kill TERM
	container_wait
	[ "$status" -eq 0 ]
}

@test "one that names another process for itself (MAINPID) lives as long as that" {
	service a <<-'EOF'
	#!/usr/bin/python3 -B
	import os, signal, socket, time
	print("a up", os.getpid(), flush=True)
	s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
	s.connect(os.environ["NOTIFY_SOCKET"].replace("@", "\0", 1))
	def stand():
	 os.setsid()
	 while os.getppid() != 1: time.sleep(0.05)
	 s.send(b"STATUS=stands for a")
	 signal.pause()
	pid = os.fork()
	if pid == 0: stand()
	s.send(b"READY=1\nMAINPID=%d" % pid)
	print("a child", pid, flush=True)
	EOF
	root_file /etc/service/a/type <<<notify
	finish_of a
	container_start --
	local count child supervisor
	for count in 1 2; do
		wait_lines $count '^a child'
		child=$(container_output | sed -n 's/^a child //p' | tail -n 1)
		wait_for "it to stand for a" _is_pid "$child" 'stands for a'
		[ $count -eq 1 ] || restart_supervisor
		container_exec kill -KILL "$child"
		wait_lines $count '^a finish -1 9$'
	done
	wait_lines 3 '^a child'
	[ "$(count_output '^a finish')" -eq 2 ]
	container_kill TERM
	container_wait 20
	wait_lines 3 '^a finish'
	no_output 'Forcing|Not all'
}

@test "one that has named a process that is gone is not given a stranger of that pid" {
	[ -e /proc/sys/kernel/ns_last_pid ] || skip "pids cannot be chosen here"
	service a <<-'EOF'
	#!/usr/bin/python3 -B
	import os, socket, time
	pid = os.fork()
	if pid == 0: time.sleep(1000)
	s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
	s.connect(os.environ["NOTIFY_SOCKET"].replace("@", "\0", 1))
	s.send(b"MAINPID=%d\nREADY=1" % pid)
	print("a up", pid, flush=True)
	while not os.path.exists("/tmp/go"): time.sleep(0.05)
	os.kill(pid, 9)
	os.wait()
	print("a gone", pid, flush=True)
	while not os.path.exists("/tmp/end"): time.sleep(0.05)
	EOF
	root_file /etc/service/a/type <<<notify
	root_file /srv/stranger <<-'EOF'
	import os, sys, time
	open("/proc/sys/kernel/ns_last_pid", "w").write(str(int(sys.argv[1]) - 1))
	pid = os.fork()
	if pid == 0: os.setsid(); time.sleep(1000)
	print(pid)
	EOF
	container_start --
	wait_output '^a up'
	wait_for "a to be ready" _is_pid '[0-9]+'
	local pid=$(said_pid a)
	: >"$(container_file /tmp/go)"
	wait_output '^a gone'
	container_exec python3 /srv/stranger "$pid" >"$OUTPUT/stranger"
	[ "$(cat "$OUTPUT/stranger")" = "$pid" ]
	runs "$pid"
	: >"$(container_file /tmp/end)"
	wait_lines 2 '^a up'
	container_exec initctl stop a
	runs "$pid"
}

# Is that the pid of service a, and what it says?
_is_pid() {
	container_exec initctl status a | grep -qE "^a +up +$1 .*${2-}"
}

@test "memcached and cron are services as they are" {
	service memcached <<-'EOF'
	#!/bin/sh
	exec memcached -u nobody -s /tmp/memcached.sock
	EOF
	service cron <<-'EOF'
	#!/bin/sh
	exec cron -f
	EOF
	rm -rf "$ROOT"/etc/cron.d "$ROOT"/etc/crontab "$ROOT"/var/spool/cron/crontabs/*
	root_file /etc/cron.d/job <<<'@reboot root echo "cron works" >/proc/1/fd/1'
	container_start --
	wait_for "memcached" memcached_answers
	wait_output '^cron works$'
	local old=$(container_exec pidof memcached)
	container_exec kill -KILL "$old"
	wait_for "memcached, started again" memcached_again "$old"
	container_kill TERM
	container_wait 20
	[ "$status" -eq 0 ]
}

memcached_answers() {
	container_exec perl -MIO::Socket::UNIX -e '
		$s = IO::Socket::UNIX->new("/tmp/memcached.sock") or exit 1;
		print $s "set k 0 0 5\r\nhello\r\nget k\r\nquit\r\n";
		exit(join("", <$s>) =~ /STORED.*hello/s ? 0 : 1)' 2>/dev/null
}

memcached_again() {
	memcached_answers && [ "$(container_exec pidof memcached)" != "$1" ]
}
