#!/usr/bin/env bats
# What a service's directory says about signals: control/X, beside runit's runsv where
# it has the same (see sv.bash), and down-signal.

load sv

# A service that tells signals apart, and says so: "NAME got SIGNAL", and of those that
# do not end it by a file, got-SIGNAL, too.  TERM ends it, QUIT does so after a while,
# in which it still hears TERM.
telling() {
	cat <<-EOF
	#!/usr/bin/perl
	\$| = 1;
	for my \$s (qw(HUP ALRM INT USR1 USR2 CONT)) {
		\$SIG{\$s} = sub {
			print "$1 got \$s\n" unless \$ending;
			open F, ">", "got-\$s" and close F;
		};
	}
	for my \$s (qw(TERM QUIT)) {
		\$SIG{\$s} = sub {
			# The CONT that comes with TERM may be heard after it.
			\$ending = \$s eq "TERM";
			print "$1 got \$s\n";
			select undef, undef, undef, 0.2 if \$s eq "QUIT";
			open F, ">", "ended" and close F;
			# A hook that is run again may say it again.
			\$SIG{TERM} = \$SIG{QUIT} = "IGNORE";
			exit 3;
		};
	}
	open F, ">", "pid" and print F \$\$ and close F;
	print "$1 up \$\$\n";
	sleep 1000 while 1;
	EOF
}

telling_service() {
	telling "$1" | service "$1"
}

# control NAME X, with the script from stdin
control() {
	root_file "/etc/service/$1/control/$2" 755
}

# The same, for both of my_init and runit; at any time
both_control() {
	local directory
	for directory in /etc/service /srv/runit; do
		mkdir -p "$(container_file "$directory/$1/control")"
	done
	both_file "$1/control/$2"
}

# both_said NAME: what a service and its hooks have said, for each the same
both_said() {
	local ours theirs
	ours=$(container_output | sed -n "s/^$1 up .*/$1 up/; /^$1 /p")
	theirs=$(sed -n "s/^$1 up .*/$1 up/; /^$1 /p" "$OUTPUT/runit")
	if [ "$ours" != "$theirs" ]; then
		return 1
	fi
	said=$ours
}

same_lines() {
	wait_for "both to say the same of $1" both_said "$1" || {
		echo "--- runit:" >&2
		cat "$OUTPUT/runit" >&2
		return 1
	}
}

# --- in place of TERM ------------------------------------------------------------------
@test "control/t is sv q: QUIT and no TERM, at stop, restart, term and the end" {
	telling_service web
	control web t <<<$'#!/bin/sh\nexec sv q web'
	container_start --
	wait_up web
	ctl 0 restart web
	wait_lines 2 '^web up'
	ctl 0 stop web
	ctl 0 start web
	wait_lines 3 '^web up'
	container_exec sv term web
	wait_lines 4 '^web up'
	container_exec sv -w 30 restart web
	wait_lines 5 '^web up'
	wait_up web
	local start=$(now_ms)
	container_kill TERM
	container_wait
	took "$start" 0 10000
	[ "$status" -eq 0 ]
	[ "$(count_output '^web got QUIT$')" -eq 5 ]
	no_output '^web got TERM$'
	no_output 'Forcing'
}

@test "initctl in a hook waits for nothing, and so does the hook for it" {
	telling_service web
	telling_service other
	control web t <<-'EOS'
	#!/bin/sh
	initctl restart other && initctl signal QUIT web
	EOS
	container_start --
	wait_up web other
	ctl 0 stop web
	wait_output '^web got QUIT$'
	wait_lines 2 '^other up'
	[ "$(count_output '^other up')" -eq 2 ]
	no_output '^web got TERM$'
}

@test "who asks for the control it is answering gets the signal" {
	telling_service web
	control web h <<<$'#!/bin/sh\necho "web h"\nexec sv h web'
	control web t <<<$'#!/bin/sh\necho "web t"\nexec sv t web'
	container_start --
	wait_up web
	ctl 0 reload web
	wait_output '^web got HUP$'
	ctl 0 stop web
	wait_output '^web got TERM$'
	[ "$(count_output '^web h$')" -eq 1 ]
	[ "$(count_output '^web t$')" -eq 1 ]
	[ "$(count_output '^web got TERM$')" -eq 1 ]
}

@test "a hook's signal has a hook of its own" {
	telling_service web
	control web t <<<$'#!/bin/sh\necho "web t"\nexec sv q web'
	control web q <<<$'#!/bin/sh\necho "web q"\nexit 1'
	container_start --
	wait_up web
	ctl 0 stop web
	wait_output '^web got QUIT$'
	in_order '^web t$' '^web q$' '^web got QUIT$'
	no_output '^web got TERM$'
}

# --- as runsv has it ---------------------------------------------------------------------
@test "order as runsv's: u run, t TERM d finish; t that succeeds; d's code is nothing" {
	local name x
	for name in yes no; do
		telling $name | both $name
		both_file $name/finish <<<$'#!/bin/sh\necho "'$name$' finish $*"'
		both_control $name u <<<$'#!/bin/sh\nsleep 0.2\necho "'$name$' u"\nexit 1'
	done
	# Not before the signal has been heard.
	both_control yes d <<<$'#!/bin/sh\nuntil [ -e got-CONT ]; do sleep 0.02; done\necho "yes d"\nexit 1'
	both_control no d <<<$'#!/bin/sh\nuntil [ -e ended ]; do sleep 0.02; done\necho "no d"\nexit 1'
	both_control yes t <<-'EOS'
	#!/bin/sh
	kill -INT "$(cat pid)"
	until [ -e got-INT ]; do sleep 0.02; done
	sleep 0.2
	echo "yes t"
	EOS
	both_control no t <<<$'#!/bin/sh\necho "no t"\nsleep 0.2\nexit 1'
	begin yes no
	same_lines yes
	same_line 'ok: down: no: Ns, normally up' 0 sv stop no
	same_lines no
	[ "$said" = $'no u\nno up\nno t\nno got TERM\nno d\nno finish 3 0' ]
	# Not sent TERM, it goes on: killed, it is down.
	same_line '' 0 sv down yes
	wait_said 'run: yes: (pid N) Ns, want down' sv status yes
	wait_output '^yes d$'
	same_line '' 0 sv kill yes
	wait_said 'down: yes: Ns, normally up' sv status yes
	same_lines yes
	[[ $said == $'yes u\nyes up\nyes got INT\nyes t\n'*$'yes d\nyes finish -1 9' ]]
	same_line 'ok: run: no: (pid N) Ns' 0 sv start no
	same_lines no
}

@test "each signal's hook: 0 keeps the signal back, anything else does not" {
	local word x n=0
	telling a | both a
	while read -r word x; do
		both_control a $x <<-EOF
		#!/bin/sh
		echo "a $x"
		[ -e /tmp/send ] || exit 0
		exit 7
		EOF
	done <<<$'hup h\nalarm a\ninterrupt i\n1 1\n2 2\ncont c\nquit q\nkill k\npause p'
	begin a
	for word in hup alarm interrupt 1 2 quit; do
		n=$((n + 1))
		same_line '' 0 sv $word a
		wait_for "$n hooks" hooks_said $n
	done
	# runit shows it as paused, whatever the hook has done.
	same_line '' 0 sv pause a
	wait_said 'run: a: (pid N) Ns, paused' sv status a
	wait_for "its hook" hooks_said 7
	same_line '' 0 sv cont a
	wait_said 'run: a: (pid N) Ns' sv status a
	same_lines a
	[ "$(grep -c 'a got' <<<"$said")" -eq 0 ]
	: >"$(container_file /tmp/send)"
	n=0
	for word in hup alarm interrupt 1 2 quit; do
		n=$((n + 1))
		same_line '' 0 sv $word a
		wait_for "the signal" got_said $n
	done
	wait_ups 2 a
	wait_said 'run: a: (pid N) Ns' sv status a
	same_line '' 0 sv kill a
	wait_ups 3 a
	wait_said 'run: a: (pid N) Ns' sv status a
	same_lines a
	# Last, because runit takes it for dead after that.
	rm "$(container_file /tmp/send)"
	same_line '' 0 sv kill a
	wait_for "the hook" hooks_said 16
	runs "$(said_pid a)"
	same_lines a
	[ "$(grep 'a got' <<<"$said")" = "$(printf 'a got %s\n' HUP ALRM INT USR1 USR2 QUIT)" ]
}

hooks_said() {
	[ "$(count_output '^a [a-z12]$')" -ge "$1" ] &&
	    [ "$(grep -cE '^a [a-z12]$' "$OUTPUT/runit")" -ge "$1" ]
}

got_said() {
	[ "$(count_output '^a got')" -ge "$1" ] &&
	    [ "$(grep -c '^a got' "$OUTPUT/runit")" -ge "$1" ]
}

@test "where a hook runs: in the directory, apart, with nothing on stdin" {
	telling_service a
	variable FOO bar
	control a h <<-'EOS'
	#!/bin/sh
	echo "h: $0 $# $FOO $PWD $(readlink /proc/self/fd/0) $(ls /proc/self/fd | wc -l)"
	set -- $(cat /proc/self/stat)
	[ "$5" = "$6" ] && echo "h: a session of its own"
	echo "h: heard" >&2
	EOS
	container_start --
	wait_up a
	ctl 0 reload a
	wait_output '^h: heard$'
	wait_output '^h: control/h 0 bar /etc/service/a /dev/null 4$'
}

@test "a file that is not executable is none; what cannot be executed is said" {
	telling_service a
	telling_service b
	root_file /etc/service/a/control/t </dev/null
	root_file /etc/service/a/control/h </dev/null
	control b t <<<'#!/no/such/shell'
	control b h <<<'no hashbang'
	container_start --
	wait_up a b
	ctl 0 reload a b
	wait_output '^a got HUP$'
	wait_output '^b got HUP$'
	ctl 0 stop a b
	wait_output '^a got TERM$'
	wait_output '^b got TERM$'
	[ "$(count_output '^\*\*\* b: /etc/service/b/control/t: .*/no/such/shell')" -eq 1 ]
	[ "$(count_output '^\*\*\* b: /etc/service/b/control/h .*#!')" -eq 1 ]
	no_output '^\*\*\* a: '
}

# --- before run --------------------------------------------------------------------------
@test "control/u is over before run begins, at every start" {
	service a <<<$'#!/bin/sh\necho "a up $$"\n[ -e /tmp/live ] && exec sleep 100000\nsleep 1.1'
	control a u <<<$'#!/bin/sh\necho "a u begins"\nsleep 0.2\necho "a u ends"\nexit 1'
	container_start --
	wait_lines 2 '^a up'
	: >"$(container_file /tmp/live)"
	wait_lines 3 '^a up'
	[ "$(container_output | sed -n 's/ [0-9]*$//; /^a /p' | head -n 9)" = "$(for i in 1 2 3; do
		printf 'a u begins\na u ends\na up\n'
	done)" ]
}

@test "stopped while control/u runs: it is ended, and run and finish never begin" {
	good_service a
	finish_of a
	# Its sleep first: else that is for a moment a shell, to which TERM is lost.
	control a u <<<$'#!/bin/sh\nsleep 100000 &\ntrap "echo a u ended; exit" TERM
	echo "a u begins"\nwait'
	container_start --
	wait_output '^a u begins$'
	_is a state starting
	ctl 0 stop a
	wait_output '^a u ended$'
	# A restart begins it anew.
	ctl 0 --no-wait start a
	wait_lines 2 '^a u begins$'
	ctl 0 --no-wait restart a
	wait_lines 3 '^a u begins$'
	[ "$(count_output '^a u ended$')" -eq 2 ]
	container_kill TERM
	container_wait 10
	[ "$status" -eq 0 ]
	no_output '^a (up|finish)'
}

@test "a pause that control/p has yet to decide about does not hold up a stop" {
	service slow <<-'EOF'
	#!/usr/bin/perl
	$| = 1;
	$SIG{TERM} = sub {
		print "slow told\n";
		select undef, undef, undef, 0.02 until -e "/tmp/go";
		exit;
	};
	print "slow up $$\n";
	sleep 1 while 1;
	EOF
	root_file /etc/service/slow/finish 755 <<<$'#!/bin/sh\necho "slow finish $*"'
	control slow p <<-'EOS'
	#!/bin/sh
	echo "slow p"
	until [ -e /tmp/told ]; do sleep 0.02; done
	exit 1
	EOS
	# More time than is waited for.
	container_start KILL_PROCESS_TIMEOUT=50 --
	wait_output '^slow up'
	ctl 0 signal STOP slow
	wait_output '^slow p$'
	ctl 0 --no-wait stop slow
	wait_output '^slow told$'
	: >"$(container_file /tmp/told)"
	wait_for "the end of the hook" no_child
	# What it asks of the supervisor is answered after what follows that end.
	ctl 0 rescan
	let_go
	wait_output '^slow finish 0 0$'
}

# --- that do not end ---------------------------------------------------------------------
@test "a hook of a stop that hangs is ended with the service, at its time" {
	local when
	good_service t
	good_service d
	finish_of t
	finish_of d
	for when in t d; do
		control $when $when <<-EOS
		#!/bin/sh
		trap '' TERM
		echo "$when hangs \$\$"
		while :; do sleep 100000; done
		EOS
	done
	container_start KILL_PROCESS_TIMEOUT=1 --
	wait_up t d
	local start=$(now_ms)
	container_kill TERM
	container_wait 20
	took "$start" 1000 10000
	[ "$status" -eq 0 ]
	wait_output '^t finish -1 9$'
	wait_output '^d finish -1 15$'
	wait_output '^\*\*\* t/control/t \(PID [0-9]+\) did not end in time\. Forcing it to exit\.$'
	wait_output '^\*\*\* d/control/d \(PID [0-9]+\) did not end in time\. Forcing it to exit\.$'
	no_output 'Not all processes'
}

@test "any other that hangs is killed with its group, and the signal sent" {
	telling_service a
	good_service b
	control a h <<<$'#!/bin/sh\nsleep 100000 &\necho "a h $!"\nwait'
	control b u <<<$'#!/bin/sh\nsleep 100000 &\necho "b u $!"\nwait'
	container_start KILL_PROCESS_TIMEOUT=1 --
	wait_up a b
	ctl 0 reload a
	wait_output '^a h '
	wait_output '^a got HUP$'
	wait_for "the end of a's sleep" \
	    not runs "$(container_output | sed -n 's/^a h //p')"
	wait_for "the end of b's sleep" \
	    not runs "$(container_output | sed -n 's/^b u //p')"
	_is a pid "$(said_pid a)"
	[ "$(count_output 'control/[hu] .*did not end in time')" -eq 2 ]
}

@test "a hook that outlives run: its signal does not reach the next one" {
	telling_service a
	control a h <<-'EOS'
	#!/bin/sh
	echo "a h begins"
	until [ -e /tmp/go ]; do sleep 0.05; done
	echo "a h ends"
	exit 1
	EOS
	container_start --
	wait_up a
	ctl 0 reload a
	wait_output '^a h begins$'
	container_exec sv kill a
	wait_lines 2 '^a up'
	let_go
	wait_output '^a h ends$'
	wait_for "the end of the hook" no_child
	container_exec sv 1 a
	wait_output '^a got USR1$'
	no_output '^a got HUP$'
	# The same for one whose service is gone.
	rm "$(container_file /tmp/go)"
	ctl 0 reload a
	wait_lines 2 '^a h begins$'
	container_exec mv /etc/service/a /srv/a
	wait_unknown a
	let_go
	wait_lines 2 '^a h ends$'
	wait_for "the end of the hook" no_child
	wait_for "no zombies" no_zombies
}

# Has the supervisor no child that is a hook, or a zombie?
no_child() {
	local pid
	pid=$(supervisor_pid) || return 1
	! ps -o stat= -o args= --ppid "$pid" | grep -qE '^Z|control/'
}

no_zombies() {
	[ "$(zombies)" -eq 0 ]
}

# --- the supervisor is killed ------------------------------------------------------------
@test "killed while control/t runs: the stop is done again, by the next one" {
	telling_service web
	finish_of web
	control web t <<-'EOS'
	#!/bin/sh
	[ -e /tmp/second ] && second=1
	: >/tmp/second
	echo "web t begins"
	[ "$second" ] || exec sleep 100000
	exec sv q web
	EOS
	container_start --
	wait_up web
	ctl 0 --no-wait stop web
	wait_output '^web t begins$'
	restart_supervisor
	wait_down web
	[ "$(count_output '^web t begins$')" -eq 2 ]
	wait_output '^web got QUIT$'
	wait_output '^web finish 3 0$'
	no_output '^web got TERM$'
	[ "$(count_output '^web up')" -eq 1 ]
	container_kill TERM
	container_wait
	[ "$status" -eq 0 ]
}

@test "killed at any moment of a shutdown with hooks: each service is told to end" {
	local round i
	for i in 1 2 3; do
		telling_service w$i
		finish_of w$i
		control w$i t <<<$'#!/bin/sh\nsleep 0.1\nexec sv q w'$i
		# Not before QUIT has been heard.
		control w$i d <<-EOS
		#!/bin/sh
		sleep 0.1
		until [ -e ended ]; do sleep 0.02; done
		echo "w$i d"
		EOS
	done
	for round in 1 2 3; do
		rm -f "$ROOT"/etc/service/w?/ended
		container_start --
		wait_output '^w1 up'
		wait_output '^w2 up'
		wait_output '^w3 up'
		container_kill TERM
		while container_alive; do
			sleep "$(printf 0.%03d $((100 + RANDOM % 300)))"
			supervisor=$(supervisor_pid) || continue
			kill -KILL "$supervisor" || :
		done
		container_wait
		[ "$status" -eq 0 ]
		for i in 1 2 3; do
			in_order "^w$i got QUIT$" "^w$i d$" "^w$i finish 3 0$"
			[ "$(count_output "^w$i finish")" -eq 1 ]
		done
		no_output ' got TERM$'
	done
}

@test "killed after control/t has done its work: that is not done twice" {
	service web <<-'EOF'
	#!/bin/sh
	trap 'echo "web got QUIT"; until [ -e /tmp/go ]; do sleep 0.05; done; exit' QUIT
	echo "web up $$"
	while :; do sleep 0.05; done
	EOF
	control web t <<<$'#!/bin/sh\necho "web t"\nsv q web'
	container_start KILL_PROCESS_TIMEOUT=50 --
	wait_up web
	ctl 0 --no-wait stop web
	wait_output '^web got QUIT$'
	wait_for "the end of the hook" no_child
	# What it asks of the supervisor is answered after what follows that end.
	ctl 0 rescan
	restart_supervisor
	wait_for "the state" _is web state stopping
	wait_for "no hook" no_child
	let_go
	wait_down web
	[ "$(count_output '^web t$')" -eq 1 ]
	[ "$(count_output '^web got QUIT$')" -eq 1 ]
}

@test "killed while control/u runs: it is started, once" {
	good_service a
	control a u <<<$'#!/bin/sh\ntrap "" TERM\necho "a u"\nuntil [ -e /tmp/go ]; do sleep 0.05; done'
	container_start --
	wait_output '^a u$'
	restart_supervisor
	wait_lines 2 '^a u$'
	let_go
	wait_up a
	[ "$(count_output '^a up')" -eq 1 ]
	# Told to stop in that state, it is down: nothing of it runs that is waited for.
	rm "$(container_file /tmp/go)"
	ctl 0 stop a
	ctl 0 --no-wait start a
	wait_lines 3 '^a u$'
	ctl 0 --no-wait stop a
	wait_for "the state" _is a state stopping
	restart_supervisor
	wait_down a
	[ "$(count_output '^a up')" -eq 1 ]
}

# --- the directory moves away ------------------------------------------------------------
@test "taken out of service: its hooks and its signal are found where it is now" {
	telling_service a
	telling_service b
	control a t <<<$'#!/bin/sh\necho "a t in $(basename "$PWD")"\nexit 1'
	control a d <<<$'#!/bin/sh\necho "a d"'
	root_file /etc/service/b/down-signal <<<QUIT
	container_start --
	wait_up a b
	container_exec mv /etc/service/a /srv/away
	container_exec mv /etc/service/b /srv/b
	wait_unknown a
	wait_unknown b
	in_order '^a t in away$' '^a got TERM$'
	in_order '^a t in away$' '^a d$'
	wait_output '^b got QUIT$'
	no_output '^b got TERM$'
}

# --- down-signal -------------------------------------------------------------------------
@test "down-signal: names, numbers, white space; for stop, restart and the end" {
	local i=0 text
	for text in QUIT $'QUIT\n' $'SIGQUIT  \n' $'3\n' $'3 \t\r\n\n' $'SIGQUIT'; do
		i=$((i + 1))
		telling_service s$i
		printf %s "$text" >"$ROOT/etc/service/s$i/down-signal"
	done
	container_start --
	wait_up s1 s2 s3 s4 s5 s6
	ctl 0 restart s1 s2 s3
	ctl 0 stop s4
	wait_lines 2 '^s1 up'
	wait_lines 2 '^s2 up'
	wait_lines 2 '^s3 up'
	# A signal that is asked for by its name is that.
	ctl 0 signal TERM s1
	wait_output '^s1 got TERM$'
	wait_lines 3 '^s1 up'
	# It counts from the next start on.
	echo TERM >"$(container_file /etc/service/s6/down-signal)"
	ctl 0 restart s6
	wait_lines 2 '^s6 up'
	ctl 0 stop s6
	wait_output '^s6 got TERM$'
	container_kill TERM
	container_wait
	[ "$status" -eq 0 ]
	[ "$(count_output 's[1235] got QUIT')" -eq 7 ]
	[ "$(count_output 's[46] got QUIT')" -eq 2 ]
	[ "$(count_output 'got TERM')" -eq 2 ]
}

@test "down-signal that is none: one line that says what it should be, no start" {
	local i=0 text
	for text in '' $'\n' FOO 0 65 -3 '3 QUIT' quit 'QUIT x' 3x; do
		i=$((i + 1))
		telling_service s$i
		printf %s "$text" >"$ROOT/etc/service/s$i/down-signal"
	done
	telling_service dir
	mkdir "$ROOT/etc/service/dir/down-signal"
	telling_service good
	container_start --
	wait_up good
	wait_lines 11 '^\*\*\* (s[0-9]+|dir): down-signal: .*\(in /etc/service/'
	[ "$(count_output '^\*\*\* s[0-9]+: down-signal: line 1: "[^"]+" is not the name or number .*QUIT')" -eq 8 ]
	for i in dir s{1..10}; do
		[ "$(value $i state)" = failed ]
	done
	echo QUIT >"$(container_file /etc/service/s3/down-signal)"
	ctl 0 start s3
	wait_up s3
	container_kill TERM
	container_wait
	[ "$status" -eq 0 ]
	[ "$(count_output ' up ')" -eq 2 ]
	[ "$(count_output '^s3 got QUIT')" -eq 1 ]
}
