#!/usr/bin/env bats
# The file depends of a service's directory: who starts after whom, who ends before
# whom, and what cannot be.

load initctl

# depending NAME [ON...]: a service that says that it is up, and that it ends
depending() {
	local name=$1
	service "$name" <<-EOF
	#!/usr/bin/perl
	\$| = 1;
	\$SIG{TERM} = sub {
		# If one supervisor is killed, the next may say it again.
		\$SIG{TERM} = "IGNORE";
		select undef, undef, undef, 0.1;
		print "$name ends\n";
		exit;
	};
	print "$name up \$\$\n";
	sleep 1000 while 1;
	EOF
	shift
	[ $# -eq 0 ] || depends_on "$name" "$@"
}

# depends_on NAME ON...: at any time
depends_on() {
	local name=$1
	shift
	printf '%s\n' "$@" >"$(container_file "/etc/service/$name/depends")"
}

# One whose start takes until there is /tmp/go-NAME (its state is "starting").
slow_start() {
	root_file "/etc/service/$1/control/u" 755 <<-EOF
	#!/bin/sh
	echo "$1 starts"
	until [ -e /tmp/go-$1 ]; do sleep 0.02; done
	EOF
}

go() {
	: >"$(container_file "/tmp/go-$1")"
}

normally_down() {
	root_file "/etc/service/$1/down" </dev/null
}

ups() {
	count_output "^$1 up"
}

# Were they started in this order?  Lines may come in another; pids do not.
started_in_order() {
	local name up pid last=0
	declare -A said=()
	wait_for "all to say that they are up" have_said "$@"
	while read -r name up pid; do
		[ "$up" != up ] || said[$name]=$pid
	done <<<"$(container_output)"
	for name; do
		if [ "${said[$name]-0}" -le "$last" ]; then
			fail "not started, or not in order: $name"
			return
		fi
		last=${said[$name]}
	done
}

have_said() {
	local name lines
	lines=$'\n'$(container_output)
	for name; do
		[[ $lines == *$'\n'"$name up "* ]] || return 1
	done
}

# Is it down, and wanted up?
waits() {
	[ "$(container_exec initctl --json status "$1" | python3 -c '
import json, sys
s = json.load(sys.stdin)["services"][0]
print(s["state"], s["want"])')" = "down up" ]
}

wait_waits() {
	local name
	for name; do
		wait_for "$name to wait" waits "$name"
	done
}

# count_said NUMBER REGEX: so many messages like that
count_said() {
	local count=$(count_output "^\*\*\* $2")
	[ "$count" -eq "$1" ] || fail "$count times, not $1: $2"
}

stop_all() {
	container_kill TERM
	container_wait ${1-20}
	[ "$status" -eq 0 ]
}

# --- start -----------------------------------------------------------------------------
@test "a service starts after all it depends on are up, and is down until then" {
	depending a b c
	depending b c
	depending c
	slow_start c
	slow_start b
	depending other
	container_start --
	wait_output '^c starts$'
	wait_up other
	wait_waits a b
	[[ $(container_exec sv status a) == 'down: a: '+([0-9])'s, normally up, want up' ]]
	ctl 3 status b
	line b 'down +- +- +0 +-'
	go c
	wait_output '^b starts$'
	wait_up c
	wait_waits a
	go b
	wait_up a b
	started_in_order c b a
	[ "$(ups a)" -eq 1 ]
	no_output '^\*\*\* [abc]: '
}

@test "blanks, comments, carriage returns, names twice; an empty file" {
	depending a
	printf '# what a needs\r\n\n  b  \n\tc\t# no name\nb\r\n#d\nb' \
	    >"$ROOT/etc/service/a/depends"
	mkdir -p "$ROOT/etc/service/c	# no name"
	rmdir "$ROOT/etc/service/c	# no name"
	depending 'c	# no name'
	depending b
	depending empty
	: >"$ROOT/etc/service/empty/depends"
	container_start --
	wait_up a b empty
	count_said 0 '[a-z]+: '
	stop_all
	in_order '^a ends$' '^b ends$'
}

@test "a file that does not parse: failed, and says why, until it is mended" {
	local name error
	for name in dir link fifo zero long web; do
		depending $name
	done
	mkdir "$ROOT/etc/service/dir/depends"
	ln -s /nowhere "$ROOT/etc/service/link/depends"
	mkfifo "$ROOT/etc/service/fifo/depends"
	printf 'web\0\nnone' >"$ROOT/etc/service/zero/depends"
	printf '%70000s\n' web >"$ROOT/etc/service/long/depends"
	container_start --
	wait_up web
	while read -r name error; do
		wait_for "$name to fail" _is "$name" state failed
		_is "$name" error "depends: $error"
	done <<-'EOF'
	dir Is a directory
	link No such file or directory
	fifo it is not a regular file
	zero it holds a zero byte
	long it is too long
	EOF
	count_said 1 'zero: depends: it holds a zero byte \(in /etc/service/zero\)$'
	count_said 5 '[a-z]+: '
	ctl 1 start zero
	[ "$err" = '*** zero: depends: it holds a zero byte' ]
	depends_on zero web
	ctl 0 start zero
	_is zero state up
	_is zero error None
	# It is up before it has said so, and hears TERM from then on.
	wait_output '^zero up'
	stop_all
	in_order '^zero ends$' '^web ends$'
}

@test "start starts what is needed first, in any depth, whatever the file down says" {
	local name verb n=0
	depending web app cache
	depending app db
	depending cache
	depending db
	for name in web app cache db; do
		normally_down $name
	done
	slow_start db
	go db
	container_start --
	wait_phase running
	for verb in 'initctl start' 'sv -w 30 start' 'initctl restart' 'initctl once' \
	    'sv up'; do
		n=$((n + 1))
		rm -f "$(container_file /tmp/go-db)"
		container_exec $verb web >/dev/null &
		local command=$!
		wait_lines $n '^db starts$'
		wait_for "cache to be up" _is cache state up
		_is web state down
		_is app state down
		go db
		wait $command
		wait_for "web" _is web state up
		wait_lines $n '^web up'
		_is app state up
		wait_lines $n '^db up'
		ctl 0 stop web app cache db
		[ "$(ups db)" -eq $n ]
	done
	# One of them alone needs nothing more.
	ctl 0 start app
	_is web state down
	_is cache state down
	count_said 0 'web: '
}

@test "restart of one that is up starts what it needs, then it" {
	depending web db
	depending db
	container_start --
	wait_up web db
	ctl 0 stop --only db
	_is web state up
	ctl 0 restart web
	_is db state up
	wait_lines 2 '^web up'
	wait_lines 2 '^db up'
	ctl 0 restart web
	wait_lines 3 '^web up'
	[ "$(ups db)" -eq 2 ]
}

@test "one that is not started at boot: said once; its dependents wait for it" {
	depending web app
	depending app db
	depending db
	normally_down db
	depending other
	container_start --
	wait_up other
	wait_waits web app
	count_said 1 'app: waits for db, which is down \(initctl start db\)$'
	ctl 0 rescan
	ctl 0 rescan
	ctl 0 start db
	wait_up db app web
	count_said 1 '[a-z]*: '
}

@test "what goes down or is started again takes nobody with it" {
	depending web db
	depending db
	container_start --
	wait_up web db
	local web=$(said_pid web)
	ctl 0 restart db
	wait_lines 2 '^db up'
	container_exec kill -KILL "$(said_pid db)"
	wait_lines 3 '^db up'
	ctl 0 stop --only db
	_is web pid "$web"
	_is web state up
	# What ends meanwhile waits for it.
	container_exec kill -KILL "$web"
	wait_waits web
	count_said 1 'web: waits for db, which is down'
	ctl 0 start db
	wait_lines 2 '^web up'
	[ "$(ups web)" -eq 2 ]
}

@test "after a backoff it waits, too" {
	service web <<<$'#!/bin/sh\necho "web up $$"\n[ -e /tmp/live ] && exec sleep 100000\nexit 1'
	depends_on web db
	depending db
	container_start --
	wait_up db
	wait_for "backoff" _is web state backoff
	ctl 0 stop --only db
	wait_waits web
	: >"$(container_file /tmp/live)"
	local before=$(ups web)
	ctl 0 start db
	wait_up web
	wait_lines $((before + 1)) '^web up'
	[ "$(ups web)" -eq $((before + 1)) ]
}

@test "once: it waits, starts, and is not started again" {
	service job <<<$'#!/bin/sh\necho "job up $$"\nexit 0'
	depends_on job db
	normally_down job
	depending db
	slow_start db
	container_start --
	wait_output '^db starts$'
	ctl 0 --no-wait once job
	wait_for "it to wait" _is job want once
	_is job state down
	restart_supervisor
	wait_lines 2 '^db starts$'
	_is job want once
	go db
	wait_output '^job up'
	wait_for "it to be over" _is job want down
	_is job state down
	[ "$(ups job)" -eq 1 ]
}

# --- what cannot be ----------------------------------------------------------------------
@test "a name that is missing: one error, until it is there" {
	depending web db
	depending front web
	depending other
	container_start --
	wait_up other
	wait_waits web front
	count_said 1 'web: depends on db, which is not in /etc/service \(mkdir /etc/service/db, or remove the line from /etc/service/web/depends\)$'
	_is web error 'depends on db, which is not there'
	ctl 0 rescan
	ctl 1 start front
	[[ $err == '*** front: '*depends* ]]
	ctl 1 start web
	count_said 1 '[a-z]*: '
	depending .db
	container_exec mv /etc/service/.db /etc/service/db
	wait_up front
	started_in_order .db web front
	_is web error None
	# It goes, and so does the next.
	container_exec mv /etc/service/db /srv/db
	wait_unknown db
	depends_on front gone
	ctl 0 stop front
	ctl 1 start front
	count_said 1 'front: depends on gone, which is not in /etc/service'
	depends_on front web
	container_exec kill -KILL "$(said_pid web)"
	wait_waits web
	ctl 1 start front
	[ "$(ups front)" -eq 1 ]
}

@test "what is missing is known after the supervisor's death, and forgotten when it is there" {
	depending web db
	container_start --
	wait_for "web to wait" _is web error 'depends on db, which is not there'
	restart_supervisor
	wait_lines 2 '^\*\*\* web: depends on db, which is not in /etc/service '
	_is web error 'depends on db, which is not there'
	depending .db
	container_exec mv /etc/service/.db /etc/service/db
	wait_up web
	_is web error None
}

@test "names that no service can have" {
	local name n=0
	for name in ../service/a a/b . .. .hidden "$(printf '%0104d' 0)" /etc/service/a $'\033[2J'; do
		n=$((n + 1))
		depending s$n "$name"
	done
	depending a
	container_start --
	wait_up a
	wait_waits s1 s$n
	count_said $n 's[0-9]: depends on .* which is not in /etc/service '
	no_escapes "$(container_output)"
}

@test "itself, and a circle: one error each; the rest runs" {
	depending self self
	depending a b
	depending b c
	depending c x a
	depending x
	depending after a
	depending after-self self
	depending free
	container_start --
	wait_up free x
	wait_waits self a b c after after-self
	count_said 1 'self: depends on itself'
	_is self error 'depends on itself'
	for name in a b c; do
		_is $name error 'depends on itself through others'
	done
	_is after error None
	wait_output '^\*\*\* a, b, c depend on each other in a circle; none of them is started \(edit their depends files\)$'
	ctl 0 rescan
	ctl 1 start b
	ctl 1 start after
	count_said 1 '.* circle'
	count_said 2 '.*(circle|itself)'
	depends_on c x
	depends_on self x
	ctl 0 rescan
	wait_up a b c self after after-self
	for name in a b c self; do
		_is $name error None
	done
	started_in_order c b a after
	started_in_order self after-self
	count_said 2 '.*depend'
}

@test "a service that waits, or is waited for, is taken away" {
	depending web db
	depending other db
	depending db
	slow_start db
	container_start --
	wait_output '^db starts$'
	wait_waits web other
	container_exec mv /etc/service/web /srv/web
	wait_unknown web
	container_exec mv /etc/service/db /srv/db
	wait_unknown db
	wait_output '^\*\*\* other: depends on db, which is not in /etc/service '
	ctl 0 stop other
	container_exec mv /srv/db /etc/service/db
	wait_lines 2 '^db starts$'
	go db
	wait_up db
	_is other state down
	[ "$(ups web)" -eq 0 ]
	# One that comes again is another, and what is wrong with it is said again.
	depends_on other gone
	ctl 1 start other
	container_exec mv /etc/service/other /srv/other
	wait_unknown other
	container_exec mv /srv/other /etc/service/other
	wait_waits other
	count_said 2 'other: depends on gone, '
}

# --- many ------------------------------------------------------------------------------
@test "a chain of 300, and one that 300 depend on" {
	local i
	good_service s1
	for ((i = 2; i <= 300; i++)); do
		good_service s$i
		depends_on s$i s$((i - 1))
		good_service w$i
		depends_on w$i s1
	done
	good_service last
	printf 'w%d\n' {2..300} >"$ROOT/etc/service/last/depends"
	container_start --
	wait_up s300 last
	wait_lines 300 '^s[0-9]* up'
	wait_lines 299 '^w[0-9]* up'
	[ "$(ups 's[0-9]*')" -eq 300 ]
	[ "$(ups 'w[0-9]*')" -eq 299 ]
	started_in_order s{1..300} || return
	started_in_order s1 w2 last
	container_exec initctl --json status >"$OUTPUT/ctl.out"
	json "all(s['state'] == 'up' and s['restarts'] == 0 for s in r['services'])"
	local start=$(now_ms)
	stop_all
	took "$start" 0 15000
	no_output 'Gave up|Forcing|\*\*\* [swl]'
}

# --- the end -----------------------------------------------------------------------------
@test "the end: who depends on others ends before them, the rest together" {
	depending app1 db cache
	depending app2 db
	depending cache
	depending db
	depending free
	# Which is told at once, as front is: that does not end before it.
	service front <<-'EOF'
	#!/usr/bin/perl
	$| = 1;
	$SIG{TERM} = sub {
		select undef, undef, undef, 0.05 until -e "../free/ended";
		print "front ends\n";
		exit;
	};
	print "front up $$\n";
	sleep 1000 while 1;
	EOF
	depends_on front app1 app2
	root_file /etc/service/free/finish 755 <<<$'#!/bin/sh\n: >ended'
	for name in front app1 db; do
		finish_of $name
	done
	container_start --
	# Each hears TERM when it has said that it is up.
	wait_up front app1 app2 cache db free
	local start=$(now_ms)
	stop_all
	took "$start" 300 10000
	in_order '^front ends$' '^front finish 0 0$' '^app1 ends$' '^app1 finish 0 0$' \
	    '^cache ends$'
	in_order '^front finish 0 0$' '^app2 ends$' '^db ends$' '^db finish 0 0$'
	in_order '^app1 finish 0 0$' '^db ends$'
	in_order '^free ends$' '^front ends$'
}

@test "the end: those that are not up, never were, or need each other block nobody" {
	depending db
	depending a b
	depending b
	service crash <<<$'#!/bin/sh\nexit 1'
	depends_on crash db
	depending never missing db
	depending down db
	normally_down down
	container_start --
	wait_up a b db
	wait_for "backoff" _is crash state backoff
	# By now they need each other.
	depends_on b a
	local start=$(now_ms)
	stop_all
	took "$start" 0 10000
	[ "$(count_output ' ends$')" -eq 3 ]
	no_output 'Gave up|Forcing'
}

@test "the end: one that does not end has its time, then the next has" {
	service web <<<$'#!/bin/sh\ntrap "" TERM\necho "web up $$"\nwhile :; do sleep 0.1; done'
	depends_on web db
	depending db
	finish_of web
	container_start KILL_PROCESS_TIMEOUT=3 --
	wait_up web db
	local start=$(now_ms)
	stop_all
	took "$start" 3000 10000
	in_order '^web finish -1 9$' '^db ends$'
	# A second TERM ends that, too: nobody waits for anybody then.
	root_file /etc/service/web/finish 755 <<<$'#!/bin/sh\nuntil [ -e /tmp/go-web ]; do sleep 0.02; done'
	finish_of db
	container_start KILL_PROCESS_TIMEOUT=40 --
	wait_up web db
	container_kill TERM
	wait_for "its turn" _is web state stopping
	_is db state up
	start=$(now_ms)
	container_kill TERM
	wait_output '^db finish '
	wait_for "its finish" _is web state finishing
	go web
	container_wait 20
	took "$start" 0 10000
}

@test "the end: a chain of those that do not end is not waited for without limit" {
	local i
	for i in {1..16}; do
		service s$i <<<$'#!/bin/sh\ntrap "" TERM\necho "s'$i$' up $$"\nwhile :; do sleep 0.1; done'
		[ $i -eq 1 ] || depends_on s$i s$((i - 1))
	done
	container_start KILL_PROCESS_TIMEOUT=1 --
	wait_up s16
	local start=$(now_ms)
	stop_all 40
	took "$start" 12000 20000
	count_said 1 'Gave up stopping services in their order'
	[ "$(count_output 's[0-9]+ \(PID [0-9]+\) did not shut down in time')" -eq 16 ]
}

# --- the supervisor is killed ------------------------------------------------------------
@test "killed while services wait: they still do, and start once" {
	local i
	depending s1
	slow_start s1
	for i in 2 3 4 5; do
		depending s$i s$((i - 1))
	done
	container_start --
	wait_output '^s1 starts$'
	restart_supervisor
	wait_waits s2 s5
	restart_supervisor
	go s1
	wait_up s1 s5
	started_in_order s1 s2 s3 s4 s5
	[ "$(count_output '^s[0-9] up')" -eq 5 ]
}

@test "killed at any moment of the boot: all are up in the end, once, in order" {
	local round i
	for i in {1..20}; do
		depending s$i
		[ $i -eq 1 ] || depends_on s$i s$((i - 1))
	done
	for round in 1 2 3 4; do
		container_start --
		supervisor=''
		for i in 1 2 3 4 5; do
			next_supervisor
			sleep "$(printf 0.%03d $((RANDOM % 12)))"
			kill -KILL "$supervisor"
		done
		next_supervisor
		wait_up s20
		for i in {1..20}; do
			wait_output "^s$i up"
			[ "$(ups s$i)" -eq 1 ] || fail "s$i: not once"
		done
		started_in_order s{1..20}
		stop_all
	done
}

@test "killed at any moment of the end: the order holds" {
	local round i
	for i in 1 2 3 4; do
		depending s$i
		[ $i -eq 1 ] || depends_on s$i s$((i - 1))
		finish_of s$i
	done
	for round in 1 2 3; do
		container_start --
		wait_up s1 s2 s3 s4
		container_kill TERM
		while container_alive; do
			sleep "$(printf 0.%03d $((RANDOM % 200)))"
			supervisor=$(supervisor_pid) || continue
			kill -KILL "$supervisor" || :
		done
		container_wait
		[ "$status" -eq 0 ]
		in_order '^s4 finish 0 0$' '^s3 ends$' '^s3 finish 0 0$' '^s2 ends$' \
		    '^s2 finish 0 0$' '^s1 ends$' '^s1 finish 0 0$'
		[ "$(count_output ' finish 0 0$')" -eq 4 ]
	done
}

# --- early services ----------------------------------------------------------------------
@test "started by a startup script: what it needs is early, too, and ends last" {
	depending syslog store
	finish_of syslog
	depending store
	depending web syslog
	slow_start store
	startup_script 10 <<-'EOF'
	#!/bin/sh
	initctl --no-wait start syslog; echo "start: $?"
	initctl status
	EOF
	startup_script 20 <<-'EOF'
	#!/bin/sh
	echo "20 begins"
	until initctl status syslog >/dev/null; do sleep 0.05; done
	echo "20 sees syslog"
	EOF
	shutdown_script post 10 <<<$'#!/bin/sh\necho "post"'
	container_start --
	wait_output '^store starts$'
	wait_waits syslog
	wait_output '^20 begins$'
	restart_supervisor
	wait_lines 2 '^store starts$'
	go store
	wait_output '^20 sees syslog$'
	wait_up store syslog web
	stop_all
	in_order '^web ends$' '^post$' '^syslog finish 0 0$' '^store ends$'
	[ "$(ups syslog)" -eq 1 ]
}

# --- one that others need is stopped ---------------------------------------------------
@test "stop: what depends on it ends first, whatever the depth; --only: it alone" {
	local name
	for name in db app web; do
		service $name <<-EOF
		#!/bin/sh
		trap 'sleep 0.3; echo "$name ends"; exit' TERM
		echo "$name up \$\$"
		while :; do sleep 0.05; done
		EOF
	done
	good_service other
	echo db >"$ROOT/etc/service/app/depends"
	echo app >"$ROOT/etc/service/web/depends"
	container_start KILL_PROCESS_TIMEOUT=50 --
	wait_up db app web other
	ctl 0 stop db
	in_order '^web ends$' '^app ends$' '^db ends$'
	[ "$(value web state)$(value app state)$(value db state)" = downdowndown ]
	[ "$(value other state)" = up ]
	ctl 0 start web
	for name in db app web; do
		wait_lines 2 "^$name up"
	done
	[ "$(value db state)" = up ]
	ctl 0 stop --only app
	[ "$(value web state)" = up ]
	[ "$(count_output '^web ends$')" -eq 1 ]
	ctl 0 start app
	wait_lines 3 '^app up'
	# As runit has it: each for itself.
	container_exec sv -w 30 stop db
	[ "$(value app state)" = up ]
	ctl 0 start db
	wait_lines 3 '^db up'
	container_kill TERM
	container_wait
	[ "$status" -eq 0 ]
	[ "$(container_output | grep ' ends$' | tail -3)" = $'web ends\napp ends\ndb ends' ]
}

@test "stop: those that need each other stop, too; a logger stops alone" {
	depending a
	depending b
	depending c a
	service b/log <<<$'#!/bin/sh\nexec cat >/tmp/b.log'
	container_start --
	wait_up a c
	wait_for "b to be up" _is b state up
	# They were right when they started, and are not now.
	echo b >"$(container_file /etc/service/a/depends)"
	echo a >"$(container_file /etc/service/b/depends)"
	ctl 0 restart b
	ctl 0 stop b/log
	_is b state up
	ctl 0 start b/log
	ctl 0 stop a
	[ "$(value a state)$(value b state)$(value c state)" = downdowndown ]
	_is b/log state up
}

@test "one that fails: who waits for what needs it is told, and it is started later" {
	service db <<<$'#!/bin/sh\necho "db up $$"\nuntil [ -e /tmp/go ]; do sleep 0.02; done\n[ ! -e /tmp/bad ]'
	root_file /etc/service/db/type <<<oneshot
	depending app db
	depending web app
	root_file /etc/service/web/down </dev/null
	container_start --
	wait_output '^db up'
	: >"$(container_file /tmp/bad)"
	container_exec initctl start web >"$OUTPUT/start" 2>&1 &
	local starter=$! code=0
	container_exec initctl wait app >"$OUTPUT/wait" 2>&1 &
	local waiter=$!
	wait_waits app web
	let_go
	wait $starter || code=$?
	[ $code -eq 1 ]
	grep -qxF '*** web: waits for db, which has failed' "$OUTPUT/start"
	code=0
	wait $waiter || code=$?
	[ $code -eq 1 ]
	grep -qxF '*** app: waits for db, which has failed' "$OUTPUT/wait"
	container_exec initctl status web app 2>&1 | grep -c 'waits for db, which has failed' |
	    grep -qx 2
	ctl 1 wait web
	rm "$(container_file /tmp/bad)"
	ctl 0 start db
	ctl 0 wait web
	[ "$(value web error)" = None ]
}

@test "killed while one waits for those that need it: it still does" {
	depending db
	stubborn_service app
	depends_on app db
	container_start KILL_PROCESS_TIMEOUT=50 --
	wait_up app db
	ctl 0 --no-wait stop db
	wait_for "app to be told" _is app state stopping
	kill -KILL "$(supervisor_pid)"
	wait_output 'The supervisor was killed by signal 9'
	_is db state up
	_is db want down
	let_go
	wait_down app
	wait_down db
}

@test "stop of one that others need, and a change of mind: nobody waits for ever" {
	service db <<-'EOF'
	#!/bin/sh
	echo "db up $$"
	exec sleep 100000
	EOF
	stubborn_service app
	echo db >"$ROOT/etc/service/app/depends"
	container_start KILL_PROCESS_TIMEOUT=50 --
	wait_up app db
	ctl 0 --no-wait stop db
	wait_for "app to be told" _is app state stopping
	[ "$(value db state)" = up ]
	# It is wanted again before the other has ended.
	ctl 0 start db
	let_go
	wait_down app
	[ "$(value db state)" = up ]
	ctl 0 stop db
	[ "$(value db state)" = down ]
}

@test "stop of many at a time, of which each needs others: each file is read once" {
	local i before
	for i in {100..499}; do
		service "s$i" <<<$'#!/bin/sh\nexec sleep 100000'
		printf 's%d\ns%d\n' $((i - 1)) $((i - 2)) |
		    root_file "/etc/service/s$i/depends"
	done
	: >"$ROOT/etc/service/s100/depends"
	echo s100 >"$ROOT/etc/service/s101/depends"
	container_start --
	wait_for "the last to be up" _is s499 state up
	strace -p "$(supervisor_pid)" -e trace=openat -o "$OUTPUT/opened" \
	    2>"$OUTPUT/strace" &
	wait_for "strace to be attached" grep -qs attached "$OUTPUT/strace"
	ctl 0 stop 's*'
	kill -INT $!
	wait $! || :
	[ "$(grep -c '/depends"' "$OUTPUT/opened")" -lt 1000 ]
	[ "$(grep -c ': down$' <<<"$out")" -eq 400 ]
}

@test "start: one that is needed is essential and fails: the others are not begun with" {
	good_service a
	good_service bad
	echo nine >"$ROOT/etc/service/bad/umask"
	: >"$ROOT/etc/service/bad/essential"
	good_service other
	good_service last
	depends_on last other bad
	local name start
	for name in bad other last; do
		: >"$ROOT/etc/service/$name/down"
	done
	container_start --
	wait_up a
	start=$(now_ms)
	container_exec initctl start --no-wait last || :
	container_wait
	[ "$status" -eq 1 ]
	took "$start" 0 15000
	no_output '^other up|Gave up'
}
