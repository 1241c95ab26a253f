#!/usr/bin/env bats
# Files of a service's directory that do not parse, each and in many forms (all values
# are tried in tests/unit/test_settings.c); and when they are read.

load settings

# --- each file --------------------------------------------------------------------------
# FILE|CONTENT, as for printf %b, or what is in its place|ERROR
broken_files() {
	local file good
	cat <<-'EOF'
	user|root me|line 1: "root me" is not USER or USER:GROUP
	user|# who\n\n-u|line 3: "-u" is not USER or USER:GROUP
	umask|088|line 1: "088" is not an octal number such as 022
	umask|1777|line 1: "1777" is not an octal number such as 022
	nice|low|line 1: "low" is not a number from -20 to 19
	nice|20|line 1: "20" is not a number from -20 to 19
	limits|core 0\nfiles 1 2|line 2: "files 1 2" is not NAME SOFT HARD, as in "nofile 1024 4096" (names of prlimit(1); "unlimited")
	limits|nofile 200 100|line 1: "nofile 200 100" is not NAME SOFT HARD, as in "nofile 1024 4096" (names of prlimit(1); "unlimited")
	working-directory|srv|line 1: "srv" is not an absolute path
	oom-score-adj|-500|line 1: "-500" is not a number from 0 to 1000 (to lower it takes a right that containers lack)
	oom-score-adj|1001|line 1: "1001" is not a number from 0 to 1000 (to lower it takes a right that containers lack)
	type|forking|line 1: "forking" is not longrun, oneshot or notify
	restart|sometimes|line 1: "sometimes" is not always, on-failure or never
	every|often|line 1: "often" is not an interval such as 30s, 5m, 1h or 1d
	every|999999999d|line 1: "999999999d" is not an interval such as 30s, 5m, 1h or 1d
	every|1h|only a oneshot can be repeated (echo oneshot >type)
	max-death-tally|5000|line 1: "5000" is not a number from 0 to 4096
	timeout-up|3s|line 1: "3s" is not a number of milliseconds
	timeout-kill|-1|line 1: "-1" is not a number of milliseconds
	timeout-finish|1e3|line 1: "1e3" is not a number of milliseconds
	timeout-watchdog|0|line 1: "0" is not a number of milliseconds
	timeout-watchdog|9|only the type notify can say that it lives (echo notify >type)
	health-interval|often|line 1: "often" is not an interval such as 10s or 1m
	health-threshold|0|line 1: "0" is not a number from 1 to 1000
	reload-signal|RELOAD|line 1: "RELOAD" is not the name or number of a signal (USR2, SIGUSR2 or 12)
	EOF
	while IFS='|' read -r file good; do
		cat <<-EOF
		$file|@directory|Is a directory
		$file|@link|No such file or directory
		$file|@long|it is too long
		$file|$good\\0|it holds a zero byte
		EOF
		[ "$file" != limits ] || continue
		cat <<-EOF
		$file||it is empty (write a value into it, or remove it)
		$file|# $good\\n \\n|it is empty (write a value into it, or remove it)
		$file|$good\\n$good|line 2: "$good" is not expected: a setting is one line
		EOF
	done <<-'EOF'
	user|nobody
	umask|022
	nice|1
	limits|core 0
	working-directory|/
	oom-score-adj|900
	type|longrun
	restart|never
	every|1h
	max-death-tally|3
	timeout-up|9
	timeout-kill|9
	timeout-finish|9
	health-interval|9
	health-threshold|9
	reload-signal|HUP
	EOF
}

# Services b1, b2, ... of which each has one of them; $count is how many.
broken_services() {
	local file content error directory
	count=0
	while IFS='|' read -r file content error; do
		count=$((count + 1))
		directory=$ROOT/etc/service/b$count
		mkdir "$directory"
		cp "$ROOT/opt/run" "$directory/run"
		case $content in
		@directory) mkdir "$directory/$file" ;;
		@link) ln -s /nowhere "$directory/$file" ;;
		@long) printf '%5000s' 1 >"$directory/$file" ;;
		*) printf '%b' "$content" >"$directory/$file" ;;
		esac
		printf '%s: %s\n' "$file" "$error"
	done < <(broken_files) >"$OUTPUT.errors"
}

@test "each file that does not parse: failed, one error that says what was expected" {
	local count n=0 error
	root_file /opt/run 755 <<<$'#!/bin/sh\necho "${PWD##*/} runs"\nexec sleep 100000'
	broken_services
	good_service good
	container_start -- --quiet
	wait_up good
	wait_lines "$count" '^\*\*\* b[0-9]+: .* \(in /etc/service/b[0-9]+\)$'
	# What is said of the last one comes before its state.
	wait_for "all to have failed" _have_failed "$count"
	while read -r error; do
		n=$((n + 1))
		echo "*** b$n: $error (in /etc/service/b$n)"
	done <"$OUTPUT.errors" | sort >"$OUTPUT/expected"
	container_output | grep '^\*\*\*' | sort | diff - "$OUTPUT/expected"
	cp "$OUTPUT.errors" "$OUTPUT/errors"
	json "[s['state'] for s in r['services'] if s['name'] != 'good'] ==
	    ['failed'] * $count"
	json "{s['name']: s['error'] for s in r['services']} == {'good': None} |
	    {f'b{n}': line.rstrip('\n')
	    for n, line in enumerate(open('$OUTPUT/errors'), 1)}"
	no_output ' runs$'
	ctl 3 status b1
	line b1 'failed +- +- +0 +user: line 1: "root me" is not USER or USER:GROUP'
	ctl 1 start b1
	[ "$err" = '*** b1: user: line 1: "root me" is not USER or USER:GROUP' ]
	# Mended, each comes up when it is asked for, and not before.
	for ((n = 1; n <= count; n++)); do
		remove_setting "b$n" "$(sed -n "${n}s/:.*//p" "$OUTPUT/errors")"
	done
	no_output ' runs$'
	ctl 0 start 'b*'
	wait_lines "$count" '^b[0-9]+ runs$'
	ctl 0 --json status
	json "all(s['state'] == 'up' and s['error'] is None and s['restarts'] == 0
	    for s in r['services'])"
	is "good's pid" "$(pid_of good)" "$(said_pid good)"
}

_have_failed() {
	ctl 0 --json status
	holds "[s['state'] for s in r['services']].count('failed') == $1"
}

@test "several faults: all are said, the first is shown" {
	good_service web
	setting web umask 9
	setting web nice low
	printf 'core\nnofile 1 2\nfiles 1\n' | root_file /etc/service/web/limits
	container_start -- --quiet
	wait_lines 4 '^\*\*\* web: .* \(in /etc/service/web\)$'
	in_order '^\*\*\* web: umask: line 1: ' '^\*\*\* web: nice: line 1: ' \
	    '^\*\*\* web: limits: line 1: ' '^\*\*\* web: limits: line 3: '
	wait_state failed web
	is "the error" "$(value web error)" \
	    'umask: line 1: "9" is not an octal number such as 022'
}

# --- when they are read --------------------------------------------------------------------
@test "broken while it runs: it goes on, also after the supervisor's death, till restarted" {
	good_service web
	good_service other
	setting web umask 027
	container_start -- --quiet
	wait_up web other
	setting web umask nine
	setting web timeout-kill -5
	restart_supervisor
	wait_output '^\*\*\* web: umask: line 1: '
	is "the state" "$(value web state)" up
	is "the pid" "$(pid_of web)" "$(said_pid web)"
	ctl 1 restart web
	[[ $err == '*** web: umask: line 1: '* ]]
	is "the state" "$(value web state)" failed
	is "starts" "$(count_output '^web up')" 1
	# The next supervisor knows why, too.
	restart_supervisor
	is "the error" "$(value web error)" \
	    'umask: line 1: "nine" is not an octal number such as 022'
	setting web umask 077
	remove_setting web timeout-kill
	ctl 0 start web
	wait_lines 2 '^web up'
	is "the umask" "$(process_status web Umask)" 0077
	is "other's restarts" "$(value other restarts)" 0
}

@test "broken while control/u runs and the supervisor is killed: run is not started" {
	service web <<<$'#!/bin/sh\necho "web up $$ as $(id -u)"\nexec sleep 100000'
	setting web user joe
	root_file /etc/service/web/control/u 755 <<-'EOS'
	#!/bin/sh
	echo "u begins"
	until [ -e /tmp/go ]; do sleep 0.05; done
	EOS
	container_start -- --quiet
	wait_output '^u begins$'
	setting web user "joe me"
	restart_supervisor
	let_go
	wait_state failed web
	no_output '^web up'
	is "beginnings of control/u" "$(count_output '^u begins$')" 1
	setting web user joe
	ctl 0 start web
	wait_output '^web up [0-9]+ as 7001$'
}

@test "few descriptors are left to read them: they count all the same" {
	local i
	# Each of these has its directory kept open.
	for i in {1..60}; do
		service s$i <<<$'#!/bin/sh\necho "s'$i$' up $$ as $(id -u)"\nexec sleep 100000'
		setting s$i user joe
		root_file /etc/service/s$i/finish 755 <<<'#!/bin/sh'
	done
	container_start --via "prlimit --nofile=48:48" -- --quiet
	wait_lines 60 '^s[0-9]+ up [0-9]+ as 7001$'
	container_kill TERM
	container_wait 20
	[ "$status" -eq 0 ]
	no_output ' as 0$'
}

@test "a logger has settings of its own" {
	good_service web
	good_service two
	root_file /etc/service/web/log/run 755 <<-'EOS'
	#!/bin/sh
	echo "logger up $$ as $(id -u)" >&2
	exec cat >&2
	EOS
	cp -r "$ROOT/etc/service/web/log" "$ROOT/etc/service/two/log"
	setting web log/user joe
	setting two log/nice low
	container_start -- --quiet
	wait_output '^logger up [0-9]+ as 7001$'
	wait_output '^web up'
	wait_state up two
	wait_state failed two/log
	is "the error" "$(value two/log error)" \
	    'nice: line 1: "low" is not a number from -20 to 19'
	no_output '^two up'
	setting two log/nice 3
	ctl 0 start two/log
	wait_output '^two up'
}
