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
	grep -E '^Sig(Blk|Ign)' /proc/$$/status
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
	wait_output '^SigBlk:	0*$'
	wait_output '^SigIgn:	0*$'
	wait_for "sleep" container_exec sh -c \
	    "grep -q sleep /proc/$(said_pid a)/comm"
	[ "$(container_exec ls "/proc/$(said_pid a)/fd" | tr '\n' ' ')" = "0 1 2 " ]
	container_kill TERM
	container_wait
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
	read -r now _ </proc/uptime
	echo "a start $now"
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
	between a 1 2 1490 2300
	container_kill TERM
	container_wait
	[ "$status" -eq 0 ]
}

# between NAME M N AT_LEAST LESS_THAN: milliseconds from start M to start N
between() {
	container_output | awk -v name="$1" -v m="$2" -v n="$3" -v least="$4" \
	    -v most="$5" '
		$1 == name && $2 == "start" {
			i++
			if (i == m) from = $3
			if (i == n) to = $3
		}
		END {
			ms = (to - from) * 1000
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
	read -r now _ </proc/uptime
	echo "long start $now"
	sleep 1.2
	EOF
	service quick <<-'EOF'
	#!/bin/sh
	read -r now _ </proc/uptime
	echo "quick start $now"
	exit 1
	EOF
	container_start --
	wait_lines 8 '^quick start'
	# Starts are a second apart until the sixth death in a row.
	local n
	for n in 1 2 3 4 5; do
		between quick $n $((n + 1)) 990 1800
	done
	between quick 6 7 1990 2800
	between quick 7 8 3990 4800
	for n in 1 2 3 4 5 6 7; do
		between long $n $((n + 1)) 1190 1700
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
	container_exec sh -c 'mv /etc/service/a /etc/service/.old
	    mv /etc/service/.new /etc/service/a'
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
	container_exec mkdir /etc/service
	container_exec cp -a /srv/service/a /etc/service/.a
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
	wait_for "the supervisor to sleep" asleep "$supervisor"
	before=$(switches "$supervisor")
	sleep 2.5
	after=$(switches "$supervisor")
	[ "$before" = "$after" ] || fail "woken: $before, $after"
	# The measure works: an event does count.
	container_exec mkdir /etc/service/c
	wait_output '^\*\*\* .*c'
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

# Starts a good service, a clock and broken service "bad", which a file or directory
# prepared by the caller makes broken; waits for the message, and for some tries
# more; fixes it.  $1 is what the message has to match.
broken_service() {
	good_service good
	service clock <<<$'#!/bin/sh\necho "clock ticks"'
	container_start --
	wait_output "^\*\*\* .*bad.*"
	wait_lines 4 '^clock ticks'
	if ! _has_line "^\*\*\* .*bad.*($1)"; then
		fail "the message does not tell the reason ($1)"
		return
	fi
	if [ "$(count_output '^\*\*\* .*bad')" -ne 1 ]; then
		fail "said more than once"
		return
	fi
	[ -z "${BROKEN_MOUNT-}" ] || container_exec umount /etc/service/bad
	container_exec rm -rf /etc/service/bad/run
	container_exec sh -c 'mkdir -p /srv/missing
	    cat >/etc/service/bad/.run &&
	    chmod 755 /etc/service/bad/.run &&
	    mv /etc/service/bad/.run /etc/service/bad/run' <<-'EOF'
	#!/bin/sh
	echo "bad up $$"
	exec sleep 100000
	EOF
	wait_output '^bad up'
	[ "$(count_output '^good up')" -eq 1 ]
	runs "$(said_pid good)"
	container_kill TERM
	container_wait
	[ "$status" -eq 0 ]
}

@test "broken: no run" {
	mkdir "$ROOT/etc/service/bad"
	broken_service 'run.*(missing|not there|no such|does not exist|not found)|no .*run'
}

@test "broken: run is not executable" {
	good_service bad
	chmod 644 "$ROOT/etc/service/bad/run"
	broken_service 'chmod'
}

@test "broken: the interpreter does not exist" {
	service bad <<<'#!/no/such/interpreter'
	broken_service '/no/such/interpreter'
}

@test "broken: run is a directory" {
	mkdir -p "$ROOT/etc/service/bad/run"
	broken_service 'directory'
}

@test "broken: a carriage return in the #! line" {
	service bad <<<$'#!/bin/sh\r\necho hello\r'
	broken_service 'CR|carriage return|Windows|DOS|line end'
}

@test "broken: on a file system mounted noexec" {
	good_service bad
	startup_script mount <<-'EOF'
	#!/bin/sh
	cp /etc/service/bad/run /run/run &&
	mount -t tmpfs -o noexec tmpfs /etc/service/bad &&
	cp /run/run /etc/service/bad/run
	EOF
	BROKEN_MOUNT=1 broken_service 'noexec'
}

@test "broken: run is empty" {
	service bad </dev/null
	broken_service '#!|empty'
}

@test "broken: run is a link to nowhere" {
	mkdir "$ROOT/etc/service/bad"
	ln -s /srv/missing/run "$ROOT/etc/service/bad/run"
	broken_service 'link'
}

@test "broken: run is text without #!" {
	service bad <<<'echo hello'
	broken_service '#!'
}

@test "broken: run is no program for this machine" {
	printf '\177ELF\002\001\001garbage' | service bad
	broken_service 'ELF|program|machine|architecture|format'
}

@test "broken: run is a FIFO" {
	mkdir "$ROOT/etc/service/bad"
	mkfifo -m 755 "$ROOT/etc/service/bad/run"
	broken_service 'FIFO|not a (regular )?file|pipe'
}

@test "broken: the service is a link to nowhere" {
	ln -s /srv/missing "$ROOT/etc/service/bad"
	broken_service 'link|missing'
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
	container_wait 5
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
