#!/usr/bin/env bats
# initctl, as people call it: what each command does, what it prints, and its exit
# code.  For JSON and command lines see initctl_usage.bats, for scripts that
# call it initctl_inside.bats.

load initctl

# --- status --------------------------------------------------------------------------
@test "status: a line for each service, sorted" {
	good_service up
	good_service down
	root_file /etc/service/down/down </dev/null
	service code <<<$'#!/bin/sh\nexit 3'
	service killed <<<$'#!/bin/sh\nkill -KILL $$'
	container_start --
	wait_output '^up up'
	wait_for "both to fail twice" failed_twice
	[ "$(head -n 1 <<<"$out" | tr -s ' ')" = \
	    "SERVICE STATE PID UPTIME RESTARTS LAST EXIT" ]
	[ "$(awk 'NR > 1 { printf "%s ", $1 }' <<<"$out")" = "code down killed up " ]
	[ -z "$err" ]
	line down 'down +- +- +0 +-'
	line up "up +$(said_pid up) +[0-9][^ ]* +0 +-"
	# The same under its other name.
	ctl 0 list up
	line up "up +$(said_pid up) .*"
}

# Have both been started again after an end, and ended once more?  They are started
# every second: the table has to be of a moment in between.
failed_twice() {
	local again='backoff +- +- +[1-9][0-9]*' next='next start in [0-9]+\.[0-9] s'
	ctl 0 status && line code "$again +exit 3, $next" &&
	    line killed "$again +signal 9 \(KILL\), $next"
}

@test "status: some services, by name, pattern and path" {
	local name
	for name in web1 web2 db; do
		good_service $name
	done
	good_service off
	root_file /etc/service/off/down </dev/null
	container_start --
	wait_up web1 web2 db
	ctl 0 status db web1
	names_are db web1
	ctl 0 status 'web*'
	names_are web1 web2
	ctl 0 status /etc/service/db /etc/service/web1/ 'web?'
	names_are db web1 web2
	ctl 0 status '/etc/service/web*'
	names_are web1 web2
	ctl 0 status
	names_are db off web1 web2
	# One that is named has to be up.
	ctl 3 status off db
	names_are db off
	ctl 3 status '*'
	names_are db off web1 web2
}

names_are() {
	if [ "$(awk 'NR > 1 { print $1 }' <<<"$out")" != "$(printf '%s\n' "$@")" ]
	then
		fail "not exactly $*: $out"
		return
	fi
}

@test "status: no services" {
	container_start --
	wait_phase running
	ctl 0 status
	[ "$out" = "no services" ]
	ctl 0 --json status
	json "r['services'] == [] and r['unknown'] == [] and r['phase'] == 'running'"
	[ -z "$err" ]
}

@test "a name that no service has: 4, and which one was meant" {
	good_service memcached
	good_service sshd
	container_start --
	wait_up memcached sshd
	local command
	for command in status start stop restart once reload 'signal HUP'; do
		# shellcheck disable=SC2086
		ctl 4 $command memcachd
		[[ $err == "*** memcachd: no service has that name"*"did you mean memcached?" ]]
	done
	ctl 4 start utterly-different
	[[ $err == "*** utterly-different: no service has that name"* ]]
	[[ $err != *"did you mean"* ]]
	ctl 4 restart 'web*'
	[[ $err == "*** web*: "* ]]
	ctl 4 status /etc/service/sshh
	[[ $err == *"did you mean sshd?"* ]]
	# The others are shown, and dealt with.
	ctl 4 status nothing-like-it sshd
	names_are sshd
	ctl 4 stop nothing-like-it sshd
	[ "$out" = "sshd: down" ]
	ctl 3 status sshd
}

@test "status has colours on a terminal alone, and not if NO_COLOR is set" {
	good_service a
	container_start --
	wait_up a
	ctl 0 status
	no_escapes "$out"
	container_exec script -qec "initctl status" /dev/null </dev/null >"$OUTPUT/tty"
	grep -q $'\033\[' "$OUTPUT/tty"
	container_exec NO_COLOR=1 script -qec "initctl status" /dev/null </dev/null \
	    >"$OUTPUT/tty"
	grep -q 'SERVICE' "$OUTPUT/tty"
	no_escapes "$(cat "$OUTPUT/tty")"
}

@test "escape sequences in names are not sent to the terminal" {
	local name=$'evil\033[31m\nred' c1=$'c1\xc2\x9b31m' latin=$'caf\xe9'
	for name in "$name" "$c1" "$latin" $'bell\a'; do
		mkdir "$ROOT/etc/service/$name"
		printf '#!/bin/sh\nexec sleep 100000\n' >"$ROOT/etc/service/$name/run"
		chmod 755 "$ROOT/etc/service/$name/run"
	done
	startup_script $'10\033]0;title\a' <<-'EOS'
	#!/bin/sh
	initctl status
	EOS
	container_start --
	wait_output '^startup scripts: /etc/my_init.d/10'
	wait_for "all to be up" all_up 4
	container_output >"$OUTPUT/boot"
	no_escapes "$(cat "$OUTPUT/boot")"
	ctl 0 status
	no_escapes "$out"
	[ "$(wc -l <<<"$out")" -eq 5 ]
	ctl 0 restart '*'
	no_escapes "$out"
	[ "$(grep -c ': up (PID [0-9]*)$' <<<"$out")" -eq 4 ]
	ctl 4 restart $'x\033[31m' $'\xc2\x9b' $'new\nline'
	no_escapes "$err"
	[ "$(wc -l <<<"$err")" -eq 3 ]
	ctl 2 $'bad\033[31m'
	no_escapes "$err"
	# In JSON they are what they are.
	ctl 0 --json status
	no_escapes "$(cat "$OUTPUT/ctl.out")"
	json "'evil\\033[31m\\nred' in [s['name'] for s in r['services']]"
	json "len(r['services']) == 4"
}

all_up() {
	ctl 0 --json status
	holds "len(r['services']) == $1 and
	    all(s['state'] == 'up' for s in r['services'])"
}

# --- start, stop and so on -----------------------------------------------------------
@test "start, stop, restart and once say what has come about" {
	good_service a
	good_service b
	root_file /etc/service/a/down </dev/null
	container_start --
	wait_up b
	ctl 0 start a
	[ "$out" = "a: up (PID $(pid_of a))" ]
	runs "$(pid_of a)"
	local pid=$(pid_of a)
	ctl 0 start a
	[ "$out" = "a: up (PID $pid)" ]
	ctl 0 stop a
	[ "$out" = "a: down" ]
	not runs "$pid"
	ctl 0 stop a
	[ "$out" = "a: down" ]
	ctl 0 once a
	[ "$out" = "a: up (PID $(pid_of a))" ]
	pid=$(pid_of a)
	container_exec kill -KILL "$pid"
	wait_down a
	ctl 0 restart a b
	[ "$(sort <<<"$out")" = $'a: up (PID '"$(pid_of a)"$')\nb: up (PID '"$(pid_of b)"')' ]
	[ "$(pid_of b)" -ne "$(said_pid_of_first b)" ]
	ctl 0 stop '*'
	[ "$(sort <<<"$out")" = $'a: down\nb: down' ]
	ctl 0 start /etc/service/a /etc/service/b/
	[ "$(sort <<<"$out")" = $'a: up (PID '"$(pid_of a)"$')\nb: up (PID '"$(pid_of b)"')' ]
	[ -z "$err" ]
}

said_pid_of_first() {
	container_output | sed -n "s/^$1 up //p" | head -n 1
}

@test "a service that cannot be started: 1, and the way out" {
	good_service a
	good_service b
	chmod 644 "$ROOT/etc/service/a/run"
	root_file /etc/service/a/down </dev/null
	container_start --
	wait_up b
	ctl 1 start a b
	[ "$out" = "b: up (PID $(said_pid b))" ]
	[[ $err == "*** a: cannot execute ./run: Permission denied (chmod +x /etc/service/a/run)" ]]
	container_exec chmod 755 /etc/service/a/run
	ctl 0 start a
	[ "$out" = "a: up (PID $(pid_of a))" ]
}

@test "--no-wait and --timeout, before the command or after it" {
	stubborn_service a
	stubborn_service b
	container_start KILL_PROCESS_TIMEOUT=50 --
	wait_up a b
	local start=$(now_ms)
	ctl 6 --timeout 0.3 stop a
	took "$start" 290 10000
	[[ $err == "*** a: "* ]]
	[ -z "$out" ]
	ctl 3 --json status a
	json "r['services'][0]['state'] == 'stopping'"
	ctl 0 stop b --no-wait
	ctl 3 --json status b
	json "r['services'][0]['state'] == 'stopping'"
	ctl 6 restart a b --timeout 0
	let_go
	wait_lines 2 '^a up'
	wait_lines 2 '^b up'
}

@test "reload and signal reach the main process, and print nothing" {
	service a <<-'EOS'
	#!/bin/sh
	trap 'echo "a got HUP"' HUP
	trap 'echo "a got USR1"' USR1
	echo "a up $$"
	while :; do sleep 0.05; done
	EOS
	good_service off
	root_file /etc/service/off/down </dev/null
	container_start --
	wait_output '^a up'
	local n=0 signal
	for signal in HUP SIGHUP 1; do
		ctl 0 signal $signal a
		n=$((n + 1))
		wait_lines $n '^a got HUP'
		[ -z "$out$err" ]
	done
	ctl 0 reload a
	wait_lines 4 '^a got HUP'
	[ -z "$out$err" ]
	ctl 0 signal USR1 'a*' /etc/service/a
	wait_output '^a got USR1'
	ctl 1 reload off
	[[ $err == "*** off: "* ]]
	ctl 1 signal TERM off
	[ "$(count_output '^a up')" -eq 1 ]
}

@test "of several failures the gravest is the exit code" {
	good_service good
	good_service off
	good_service broken
	root_file /etc/service/off/down </dev/null
	root_file /etc/service/broken/down </dev/null
	chmod 644 "$ROOT/etc/service/broken/run"
	stubborn_service slow
	container_start KILL_PROCESS_TIMEOUT=50 --
	wait_up good slow
	ctl 4 status off nobody good
	ctl 1 restart broken good
	ctl 6 restart broken slow good --timeout 1
	# Time enough for good.
	ctl 4 restart broken slow nobody good --timeout 4
	[ "$(grep -c '^\*\*\* ' <<<"$err")" -eq 3 ]
	[[ $out == "good: up (PID "*")" ]]
}

# --- the container -------------------------------------------------------------------
@test "rescan says how many came and went" {
	good_service a
	root_file /srv/one </dev/null
	root_file /srv/two </dev/null
	ln -s /srv/one "$ROOT/etc/service/one"
	ln -s /srv/two "$ROOT/etc/service/two"
	container_start --
	wait_up a
	ctl 0 rescan
	[ "$out" = "0 services added, 0 removed" ]
	# Nobody watches where links lead to.
	container_exec sh -c 'for name in one two; do
	    rm /srv/$name && mkdir /srv/$name &&
	    sed "s/echo .a/echo \"$name/" /etc/service/a/run >/srv/$name/run &&
	    chmod 755 /srv/$name/run || exit; done'
	ctl 0 rescan
	[ "$out" = "2 services added, 0 removed" ]
	wait_up one two
	# Else supervise/ may be made in what is being removed.
	wait_supervised one
	container_exec sh -c 'rm -r /srv/one && touch /srv/one'
	ctl 0 --json rescan
	json "r == {'added': 0, 'removed': 1}"
	wait_unknown one
}

@test "enable-insecure-key: once, and a second time" {
	root_file /usr/sbin/enable_insecure_key 755 <<-'EOS'
	#!/bin/sh
	mkdir -p /root/.ssh
	grep -qs insecure /root/.ssh/authorized_keys && exit
	echo "ssh-rsa AAAA insecure" >>/root/.ssh/authorized_keys
	EOS
	container_start --
	wait_phase running
	ctl 0 enable-insecure-key
	[ "$out" = "insecure key enabled" ]
	grep -q insecure "$(container_file /root/.ssh/authorized_keys)"
	ctl 0 enable-insecure-key
	[ "$out" = "insecure key was enabled already" ]
	[ "$(wc -l <"$(container_file /root/.ssh/authorized_keys)")" -eq 1 ]
	ctl 0 enable-insecure-key --json
	json "r == {'changed': False}"
	[ -z "$err" ]
	container_exec rm /root/.ssh/authorized_keys
	ctl 0 --json enable-insecure-key
	json "r == {'changed': True}"
	container_exec rm /usr/sbin/enable_insecure_key
	ctl 1 enable-insecure-key
	[ -z "$out" ]
	[[ $err == "*** "*/usr/sbin/enable_insecure_key* ]]
}

@test "shutdown: the container's exit code, with and without --exit-code" {
	good_service a
	container_start --
	wait_up a
	ctl 0 shutdown
	[ -z "$err" ]
	container_wait
	[ "$status" -eq 0 ]
	container_start --
	wait_up a
	ctl 0 --json shutdown --exit-code 42
	json "r == {}"
	container_wait
	[ "$status" -eq 42 ]
	container_start -- -- sleep 100000
	wait_up a
	ctl 0 shutdown --exit-code=3
	container_wait
	[ "$status" -eq 3 ]
}

@test "shutdown: --timeout is the time that services have" {
	stubborn_service a
	container_start KILL_PROCESS_TIMEOUT=50 --
	wait_up a
	ctl 0 shutdown --timeout 0.5
	container_wait 20
	[ "$status" -eq 0 ]
}

@test "shutdown scripts and services end as with TERM, in the same order" {
	service a <<-'EOS'
	#!/bin/sh
	trap 'echo "a got TERM"; exit' TERM
	echo "a up $$"
	while :; do sleep 0.05; done
	EOS
	shutdown_script pre 10 <<<$'#!/bin/sh\necho "pre 10"'
	shutdown_script pre 20 <<<$'#!/bin/sh\necho "pre 20"; exit 9'
	shutdown_script post 10 <<<$'#!/bin/sh\necho "post 10"'
	container_start -- -- sh -c 'sleep 100000 &
	    trap "echo command got TERM; exit 7" TERM; echo command up; wait'
	wait_output '^a up'
	wait_output '^command up'
	ctl 0 shutdown
	container_wait
	[ "$status" -eq 7 ]
	in_order '^command got TERM$' '^pre 10$' '^pre 20$' '^a got TERM$' '^post 10$'
}
