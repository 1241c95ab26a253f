#!/usr/bin/env bats
# What a service runs as: user, env, umask, nice, limits, working-directory,
# oom-score-adj; what the kernel says of the process is what counts.

load settings

# --- user ------------------------------------------------------------------------------
# runs_as NAME UID GID "GROUP...": in all respects, and without a way back
runs_as() {
	is "$1's uids" "$(process_status "$1" Uid)" "$2 $2 $2 $2"
	is "$1's gids" "$(process_status "$1" Gid)" "$3 $3 $3 $3"
	is "$1's groups" "$(process_status "$1" Groups)" "$4"
	[ "$2" -eq 0 ] ||
	    is "$1's capabilities" "$(process_status "$1" CapEff)" 0000000000000000
}

@test "user: name, name and group, numbers; memcached; none is root" {
	local name
	for name in joe group numbers none; do
		good_service $name
	done
	setting joe user joe
	setting group user joe:nogroup
	setting numbers user 7100:7200
	root_file /etc/service/joe/finish 755 <<-'EOS'
	#!/bin/sh
	echo "finish as $(id -u), USER is ${USER-unset}"
	EOS
	service memcached <<-'EOS'
	#!/bin/sh
	echo "memcached up $$"
	exec memcached -s /tmp/memcached.sock -a 0777
	EOS
	setting memcached user nobody
	container_start USER=root -- --quiet
	wait_up joe group numbers none memcached
	runs_as joe 7001 7001 "7001 7002"
	runs_as group 7001 65534 65534
	runs_as numbers 7100 7200 7200
	runs_as none 0 0 ""
	wait_for "memcached to answer" memcached_answers
	runs_as memcached 65534 65534 65534
	# The process is run itself, in its directory, as the user's environment says.
	_is joe pid "$(said_pid joe)"
	is "its directory" "$(container_exec readlink \
	    "/proc/$(said_pid joe)/cwd")" /etc/service/joe
	is "its user" "$(process_environment joe |
	    grep -E '^(USER|HOME|LOGNAME)=' | sort)" \
	    $'HOME=/home/joe\nLOGNAME=joe\nUSER=joe'
	is "the others'" "$(process_environment none |
	    grep -E '^(USER|HOME|LOGNAME)=' | sort)" $'HOME=/root\nUSER=root'
	# It is run that has a user; my_init may signal it all the same.
	ctl 0 restart joe
	wait_output '^finish as 0, USER is root$'
	wait_lines 2 '^joe up'
	container_kill TERM
	container_wait 10
	[ "$status" -eq 0 ]
}

memcached_answers() {
	container_exec python3 -c '
import socket
s = socket.socket(socket.AF_UNIX)
s.connect("/tmp/memcached.sock")
s.sendall(b"version\r\n")
print(s.recv(100).decode())' 2>/dev/null | grep -q '^VERSION'
}

@test "user: one that is not there, or cannot be become: never as root" {
	local name
	for name in unknown group without; do
		service $name <<<$'#!/bin/sh\necho "'$name$' up $$ as $(id -u)"\nexec sleep 100000'
	done
	good_service good
	setting unknown user nobodyy
	setting group user nobody:nogrupp
	setting without user nobody
	mv "$ROOT/sbin/setuser" "$ROOT/sbin/setuser.away"
	container_start -- --quiet
	wait_up good
	# Without the program that does it, there is no run.
	wait_output '^\*\*\* without: /sbin/setuser does not exist'
	wait_state backoff unknown group without
	container_exec mv /sbin/setuser.away /sbin/setuser
	wait_output '^setuser: user nobodyy not found$'
	wait_output '^setuser: group nogrupp not found$'
	wait_output '^without up [0-9]+ as 65534$'
	wait_state backoff unknown group
	is "its exit" "$(value unknown exit)" "{'code': 1}"
	no_output '^(unknown|group) up'
	setting unknown user joe
	setting group user joe:media
	ctl 0 start unknown group
	wait_output '^unknown up [0-9]+ as 7001$'
	wait_output '^group up [0-9]+ as 7001$'
	no_output ' as 0$'
	is "good's restarts" "$(value good restarts)" 0
}

@test "user: my_init is not root, or has no capabilities" {
	local name
	for name in same other; do
		service $name <<<$'#!/bin/sh\necho "'$name$' up $$ as $(id -u)"\nexec sleep 100000'
		setting $name user 7001:7001
	done
	setting other user nobody
	container_start --user 7001 --
	wait_output '^same up [0-9]+ as 7001$'
	wait_output '^setuser: cannot become nobody: .*'
	no_output '^other up'
	container_kill TERM
	container_wait 10
	setting same user root
	container_start --no-caps --
	wait_output '^same up [0-9]+ as 0$'
	wait_output '^setuser: cannot become nobody: .*'
	no_output '^other up'
}

# --- env -------------------------------------------------------------------------------
@test "env: read as chpst -e does; for run, finish and control; over the container's" {
	local env=$ROOT/etc/service/ours/env
	# Not sh, which drops what it could not have as a variable.
	service ours <<-'EOS'
	#!/usr/bin/perl
	$| = 1;
	print "ours up $$\n";
	exec "sleep", "100000";
	EOS
	service chpst <<-'EOS'
	#!/usr/bin/perl
	$| = 1;
	print "chpst up $$\n";
	exec "chpst", "-e", "/etc/service/ours/env", "sleep", "100000";
	EOS
	mkdir "$env"
	printf 'one\n' >"$env/PLAIN"
	printf 'blanks \t \n' >"$env/BLANKS"
	printf '  first\nsecond\n' >"$env/LINES"
	printf 'no newline' >"$env/END"
	: >"$env/UNSET"
	printf '\n' >"$env/EMPTY"
	printf ' \t\n' >"$env/BLANK"
	printf 'a\0b\0c' >"$env/ZERO"
	printf 'x=y=z $HOME "q" \\n\r\n' >"$env/SIGNS"
	printf 'caf\xc3\xa9 \xff\n' >"$env/BYTES"
	printf 'over\n' >"$env/BOTH"
	printf 'hidden\n' >"$env/.HIDDEN"
	printf 'lower\n' >"$env/a.b-c"
	good_service none
	root_file /etc/service/ours/finish 755 <<<$'#!/bin/sh\necho "finish $PLAIN ${UNSET-unset} $BOTH"'
	root_file /etc/service/ours/control/h 755 <<<$'#!/bin/sh\necho "control $PLAIN ${UNSET-unset} $BOTH"'
	container_start UNSET=here BOTH=under OTHER=stays -- --quiet
	wait_up ours chpst none
	wait_for "chpst to have become sleep" _has_become chpst sleep
	wait_for "ours to have become sleep" _has_become ours sleep
	process_file ours environ | tr '\0\n' '\n\1' | sort >"$OUTPUT/ours"
	process_file chpst environ | tr '\0\n' '\n\1' | sort >"$OUTPUT/chpst"
	diff "$OUTPUT/chpst" "$OUTPUT/ours"
	# That chpst has been given something to compare.
	grep -qx 'BLANKS=blanks' "$OUTPUT/ours"
	grep -qx 'LINES=  first' "$OUTPUT/ours"
	grep -qx 'EMPTY=' "$OUTPUT/ours"
	grep -qx 'BOTH=over' "$OUTPUT/ours"
	grep -qx 'OTHER=stays' "$OUTPUT/ours"
	not grep -q '^UNSET=\|HIDDEN' "$OUTPUT/ours"
	wait_for "the value of the others" _has_variable none UNSET=here
	not grep -q PLAIN <<<"$(process_environment none)"
	ctl 0 reload ours
	wait_output '^control one unset over$'
	# What is changed counts from the next start.
	echo two >"$(container_file /etc/service/ours/env/PLAIN)"
	ctl 0 restart ours
	wait_output '^finish two unset over$'
	wait_lines 2 '^ours up'
	# There is none for a moment when it becomes sleep.
	wait_for "the new value" _has_variable ours PLAIN=two
}

_has_variable() {
	process_environment "$1" | grep -qx "$2"
}

_has_become() {
	[ "$(process_file "$1" comm)" = "$2" ]
}

@test "env: no directory is failed, a variable that cannot be read is tried again" {
	good_service file
	good_service link
	good_service good
	finish_of file
	root_file /etc/service/file/env <<<"A=b"
	mkdir "$ROOT/etc/service/link/env"
	ln -s /nowhere "$ROOT/etc/service/link/env/TOKEN"
	container_start -- --quiet
	wait_up good
	wait_state failed file
	wait_state backoff link
	is "file's error" "$(value file error)" \
	    "env: it is not a directory (it is one of files, one for each variable)"
	is "link's error" "$(value link error)" \
	    "env: TOKEN cannot be set: No such file or directory"
	wait_for "second starts" restarted 1 link
	is "lines about file" "$(count_output '^\*\*\* file: ')" 1
	is "lines about link" "$(count_output '^\*\*\* link: ')" 1
	no_output '^(file|link) up'
	is "starts of file" "$(value file restarts)" 0
	no_output '^file finish'
	# One that is not there yet, and one that is set right.
	container_exec ln -sf /etc/hostname /etc/service/link/env/TOKEN
	container_exec rm /etc/service/file/env
	wait_up link
	ctl 0 start file
	wait_up file
	is "file's error" "$(value file error)" None
	is "good's restarts" "$(value good restarts)" 0
}

# --- all the others ------------------------------------------------------------------------
# Each of these in its place, for service $1.
set_all() {
	setting "$1" umask 027
	setting "$1" nice 7
	printf '# so many\nnofile 100 200\n\ncore 0\nstack 1048576 unlimited\n' |
	    root_file "/etc/service/$1/limits"
	setting "$1" working-directory /srv/work
	setting "$1" oom-score-adj 321
}

@test "umask, nice, limits, working-directory, oom-score-adj: set, and the default" {
	local name
	for name in set user unset; do
		service $name <<-EOF
		#!/bin/sh
		: >/tmp/$name
		echo "$name is \$0 \$#"
		echo "$name up \$\$"
		exec sleep 100000
		EOF
	done
	mkdir -p "$ROOT/srv/work"
	set_all set
	set_all user
	setting user user joe
	root_file /etc/service/set/finish 755 <<-'EOS'
	#!/bin/sh
	echo "finish in $(pwd) with $(umask), $(ulimit -n), $(nice)"
	EOS
	container_start --via "prlimit --nofile=300:400" -- --quiet
	wait_up set user unset
	for name in set user; do
		is "$name's umask" "$(process_status $name Umask)" 0027
		is "its file" "$(stat -c %a "$(container_file "/tmp/$name")")" 640
		is "its nice value" "$(process_nice $name)" 7
		is "its descriptors" "$(process_limit $name 'Max open files')" "100 200"
		is "its core" "$(process_limit $name 'Max core file size')" "0 0"
		is "its stack" "$(process_limit $name 'Max stack size')" \
		    "1048576 unlimited"
		is "its directory" "$(container_exec readlink \
		    "/proc/$(said_pid $name)/cwd")" /srv/work
		is "its score" "$(process_file $name oom_score_adj)" 321
		wait_output "^$name is /etc/service/$name/run 0$"
	done
	runs_as user 7001 7001 "7001 7002"
	is "the umask" "$(process_status unset Umask)" \
	    "$(sed -n 's/^Umask:\t//p' "/proc/$MY_INIT_PID/status")"
	is "the nice value" "$(process_nice unset)" 0
	is "descriptors" "$(process_limit unset 'Max open files')" "300 400"
	is "the directory" "$(container_exec readlink \
	    "/proc/$(said_pid unset)/cwd")" /etc/service/unset
	is "the score" "$(process_file unset oom_score_adj)" \
	    "$(cat "/proc/$MY_INIT_PID/oom_score_adj")"
	wait_output "^unset is ./run 0$"
	# They are run's alone.
	ctl 0 stop set
	wait_output '^finish in /etc/service/set with 0022, 300, 0$'
}

process_nice() {
	process_file "$1" stat | sed 's/.*) //' | cut -d ' ' -f 17
}

# What parses and cannot be had: one line, and it is tried again.
@test "rights that are missing, a directory that is: said once, run not started" {
	local name
	for name in hard directory low good; do
		good_service $name
	done
	printf 'core 0\nnofile 100 500\n' | root_file /etc/service/hard/limits
	setting directory working-directory /srv/missing
	printf 'core 0\n' | root_file /etc/service/directory/limits
	setting low nice -3
	setting good nice 3
	printf 'nofile 300 300\n' | root_file /etc/service/good/limits
	container_start --no-caps --via "prlimit --nofile=300:400" -- --quiet
	wait_up good
	wait_for "second starts" restarted 1 hard directory low
	is "hard's error" "$(value hard error)" \
	    "limits: nofile cannot be set: Operation not permitted"
	is "directory's error" "$(value directory error)" \
	    "working-directory cannot be set: No such file or directory"
	is "low's error" "$(value low error)" "nice cannot be set: Permission denied"
	for name in hard directory low; do
		is "lines about $name" "$(count_output "^\*\*\* $name: ")" 1
	done
	# It is starting for a moment again and again.
	wait_state backoff hard directory low
	no_output '^(hard|directory|low) up'
	printf 'nofile 100 200\n' >"$(container_file /etc/service/hard/limits)"
	container_exec mkdir /srv/missing
	remove_setting low nice
	ctl 0 start hard directory low
	wait_up hard directory low
	is "hard's error" "$(value hard error)" None
	is "good's restarts" "$(value good restarts)" 0
	is "good's descriptors" "$(process_limit good 'Max open files')" "300 300"
}

@test "oom-score-adj: raised, and not lowered, with the right to do it or without" {
	local name
	for name in more less none; do
		good_service $name
	done
	setting more oom-score-adj 700
	setting less oom-score-adj 400
	# The kernel would let it be lowered again, down to what it was.
	echo 500 >"/proc/$BASHPID/oom_score_adj"
	container_start -- --quiet
	wait_up more none
	is "more" "$(process_file more oom_score_adj)" 700
	is "none" "$(process_file none oom_score_adj)" 500
	wait_state backoff less
	is "less" "$(value less error)" "oom-score-adj cannot be set: Permission denied"
	no_output '^less up'
	setting less oom-score-adj 500
	ctl 0 start less
	wait_up less
}
