#!/usr/bin/env bats
# initctl for programs (--json), and its command line: options, usage, who may.

load initctl

# --- JSON ----------------------------------------------------------------------------
@test "--json: the result of every command, with the protocol's names" {
	good_service a
	stubborn_service slow
	container_start KILL_PROCESS_TIMEOUT=50 --
	wait_up a slow
	ctl 0 --json version
	json "r['protocol'] == 1 and r['version'] == '$(version)'"
	ctl 4 status --json a none
	json "set(r) >= {'phase', 'script', 'supervisor_pid',
	    'supervisor_restarts', 'services', 'unknown'}"
	json "r['script'] is None and r['unknown'] == ['none']"
	json "r['supervisor_pid'] == $(container_exec pgrep -x supervisor)"
	json "set(r['services'][0]) >= {'name', 'state', 'want', 'pid', 'ready',
	    'paused', 'sent', 'since_ms', 'uptime_ms', 'next_start_ms', 'restarts',
	    'exit', 'error'}"
	json "r['services'][0]['pid'] == $(said_pid a)"
	json "r['services'][0]['ready'] is True and r['services'][0]['exit'] is None"
	local command
	for command in reload stop start restart once 'signal WINCH'; do
		# shellcheck disable=SC2086
		ctl 0 --json $command a
		json "[(s['name'], s['ok']) for s in r['services']] == [('a', True)]"
		json "set(r) == {'services'} and 'error' not in r['services'][0]"
		[ -z "$err" ]
	done
	ctl 4 --json stop a slow none --timeout 3
	json "{s['name']: s['ok'] or s['error']['code'] for s in r['services']} ==
	    {'a': True, 'slow': 'timeout', 'none': 'unknown_service'}"
	[[ $err == *"*** slow: "* ]]
	ctl 3 --json status a
	json "r['services'][0]['exit'] == {'signal': 15}"
	let_go
}

@test "--json: errors, too, and as well as on stderr" {
	startup_script 10_wait <<-'EOS'
	#!/bin/sh
	echo "script begins"
	until [ -e /tmp/go ]; do sleep 0.05; done
	EOS
	good_service a
	container_start --
	wait_output '^script begins'
	ctl 1 --json rescan
	json "r['error']['code'] == 'booting' and r['error']['message']"
	[[ $err == "*** "* ]]
	ctl 1 --json restart a
	json "r['services'][0]['error']['code'] == 'booting'"
	[[ $err == "*** a: "* ]]
	ctl 5 --json --socket /tmp/none status
	json "set(r['error']) == {'code', 'message'}"
	[[ $err == "*** "* ]]
	let_go
}

# --- what it is called with ----------------------------------------------------------
@test "version and help" {
	container_start --
	wait_phase running
	ctl 0 version
	[ "$out" = "initctl $(version)"$'\n'"supervisor $(version), protocol 1" ]
	local usage
	for usage in help -h --help; do
		ctl 0 $usage
		[[ $out == "usage: initctl "* ]]
		[[ $out == *enable-insecure-key* ]]
		[ -z "$err" ]
	done
	ctl 2
	[ -z "$out" ]
	[[ $err == *"usage: initctl "* ]]
}

version() {
	container_exec my_init --version | sed 's/^my_init //'
}

@test "what it does not understand: 2, with usage, and nothing is done" {
	good_service a
	container_start --
	wait_up a
	local words
	while read -r -a words; do
		ctl 2 "${words[@]}"
		[ -z "$out" ]
		[[ $err == *usage:* ]]
	done <<-'EOS'
	frobnicate
	--frobnicate status
	start
	stop
	restart
	once
	reload
	signal
	signal HUP
	signal FROB a
	signal 0 a
	signal 65 a
	stop a --timeout
	stop a --timeout x
	stop a --timeout -1
	stop a --timeout 1x
	shutdown --exit-code
	shutdown --exit-code 256
	shutdown --exit-code -1
	shutdown --exit-code x
	shutdown now
	rescan a
	version a
	enable-insecure-key a
	EOS
	ctl 2 stop a --timeout ''
	ctl 2 signal '' a
	[ "$(pid_of a)" = "$(said_pid a)" ]
}

@test "output that cannot be written: 1" {
	good_service a
	container_start --
	wait_up a
	local command
	for command in status '--json status' 'restart a' version help; do
		container_exec sh -c "initctl $command >/dev/full; echo \$?" \
		    >"$OUTPUT/said" 2>&1
		[ "$(tail -n 1 "$OUTPUT/said")" = 1 ] || fail "$command"
	done
	# Nobody reads: as with any other program.
	container_exec sh -c 'initctl status >&- 2>&-; initctl restart a <&-' \
	    >"$OUTPUT/said"
	[ "$(cat "$OUTPUT/said")" = "a: up (PID $(pid_of a))" ]
}

@test "--socket and INITCTL_SOCKET say where the supervisor is" {
	good_service a
	container_start INITCTL_SOCKET=/tmp/my.sock --
	# It says so a moment before it is: then its status is 3.
	wait_output '^a up'
	wait_for "a to be up" container_exec initctl --socket /tmp/my.sock status a
	ctl 0 --socket /tmp/my.sock status a
	ctl 0 status a --socket=/tmp/my.sock
	container_exec INITCTL_SOCKET=/tmp/my.sock initctl restart a
	container_exec INITCTL_SOCKET=/tmp/none initctl --socket /tmp/my.sock status a
	ctl 5 status
	ctl 5 --socket /tmp/none status
	[[ $err == "*** The supervisor is not reachable at /tmp/none: "*"(is my_init PID 1 here?)" ]]
	ctl 5 --socket /etc/passwd version
}

@test "another user is denied: 7; a group may look" {
	good_service a
	container_start --
	wait_up a
	ctl_as 1000 7 status
	[[ $err == "*** "* ]]
	ctl_as 1000 7 restart a
	container_exec chgrp 1000 /run/my_init/control.sock
	container_exec chmod 660 /run/my_init/control.sock
	ctl_as 1000 0 status a
	[[ $out == *" $(said_pid a) "* ]]
	ctl_as 1000 7 restart a
	[[ $err == "*** "* ]]
	ctl_as 1000 7 shutdown
	[ "$(pid_of a)" = "$(said_pid a)" ]
}

# ctl_as UID CODE ARGUMENT...: as that user and group
ctl_as() {
	ctl_via "setpriv --reuid=$1 --regid=$1 --clear-groups" "${@:2}"
}
