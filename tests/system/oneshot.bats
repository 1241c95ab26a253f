# my_init -- COMMAND: exit codes, signals, the terminal, and what COMMAND is given.
load services

@test "the exit code is the main command's" {
	local code
	for code in 0 1 42 127 255; do
		container_run -- --quiet -- sh -c "exit $code"
		[ "$status" -eq $code ]
		[ -z "$stderr" ]
	done
}

@test "a main command killed by a signal: 128 and its number, and it is said" {
	container_run -- -- sh -c 'kill -KILL $$'
	[ "$status" -eq 137 ]
	[[ $stderr == *"*** sh was killed by signal 9 "* ]]
	container_run -- -- sh -c 'kill -TERM $$'
	[ "$status" -eq 143 ]
	container_run -- -- sh -c 'kill -64 $$'
	[ "$status" -eq 192 ]
}

@test "without --, the first operand begins the main command" {
	container_run -- --quiet echo words and words
	[ "$status" -eq 0 ]
	[ "$stdout" = "words and words" ]
}

@test "a command that is not there: 127, and why" {
	container_run -- -- no-such-command
	[ "$status" -eq 127 ]
	[[ $stderr == *"*** Cannot execute no-such-command: "*PATH* ]]
	container_run -- -- /no/such/command
	[ "$status" -eq 127 ]
	[[ $stderr == *"*** Cannot execute /no/such/command: "* ]]
	container_run -- -- ''
	[ "$status" -eq 127 ]
	container_run PATH=/nowhere -- ls
	[ "$status" -eq 127 ]
}

@test "a command that cannot be executed: 126, and why" {
	root_file /opt/plain <<<'#!/bin/sh'
	root_file /opt/no-shebang 755 <<<'echo never'
	root_file /opt/no-interpreter 755 <<<'#!/no/such/shell'
	printf '#!/bin/sh\r\necho never\r\n' | root_file /opt/dos 755

	container_run -- -- /opt/plain
	[ "$status" -eq 126 ]
	[[ $stderr == *"Cannot execute /opt/plain: "*"chmod +x"* ]]
	container_run -- -- /opt
	[ "$status" -eq 126 ]
	[[ $stderr == *"Cannot execute /opt: "*director* ]]
	container_run -- -- /opt/no-shebang
	[ "$status" -eq 126 ]
	[[ $stderr == *"Cannot execute /opt/no-shebang: "*"#!"* ]]
	[ -z "$stdout" ]
	container_run PATH=/usr/bin:/bin:/opt -- plain
	[ "$status" -eq 126 ]
	[[ $stderr == *"Cannot execute plain: "*/opt/plain*"chmod +x"* ]]
	# It is the interpreter that is not there, and that is said.
	container_run -- -- /opt/no-interpreter
	[[ $status -eq 126 || $status -eq 127 ]]
	[[ $stderr == *"Cannot execute /opt/no-interpreter: "*/no/such/shell* ]]
	container_run -- -- /opt/dos
	[[ $status -eq 126 || $status -eq 127 ]]
	[[ $stderr == *"Cannot execute /opt/dos: "*"carriage return"* ]]
}

@test "--skip-runit needs a main command" {
	service never <<-EOF
	#!/bin/sh
	echo never
	EOF
	container_run -- --skip-runit
	[ "$status" -eq 1 ]
	[ "$stderr" = "*** When --skip-runit is given, you must also pass a main command." ]
	[ -z "$stdout" ]
	container_run -- --skip-runit -- sh -c 'sleep 0.5; exit 3'
	[ "$status" -eq 3 ]
	[ -z "$stdout" ]
	[[ $stderr != *runit* ]]
}

@test "wrong usage: 2, and nothing is run" {
	startup_script never <<-EOF
	#!/bin/sh
	echo never
	EOF
	container_run -- ls -l
	[ "$status" -eq 2 ]
	[[ $stderr == "usage: my_init "*"my_init: error: unrecognized arguments: -l" ]]
	container_run -- --no-such-flag -- ls
	[ "$status" -eq 2 ]
	[[ $stderr == "usage: my_init "*"unrecognized arguments: --no-such-flag" ]]
	[ -z "$stdout" ]
	container_run -- -x
	[ "$status" -eq 2 ]
	[[ $stderr == *"unrecognized arguments: -x" ]]
}

@test "--help and --version" {
	container_run -- --help
	[ "$status" -eq 0 ]
	[[ $stdout == "usage: my_init "* ]]
	local option
	for option in --help --version --enable-insecure-key --skip-startup-files \
	    --skip-runit --wait-ready --no-kill-all-on-exit --quiet; do
		[[ $stdout == *" $option "* ]]
	done
	[ -z "$stderr" ]
	container_run -- -h
	[ "$status" -eq 0 ]
	[[ $stdout == "usage: my_init "* ]]
	container_run -- --version
	[ "$status" -eq 0 ]
	[[ $stdout =~ ^my_init\ [0-9]+\.[0-9]+ ]]
}

@test "options are known up to --, and only there" {
	container_run -- echo --quiet
	[ "$status" -eq 0 ]
	[ -z "$stdout$stderr" ]
	container_run -- --quiet -- echo --version -- --help
	[ "$stdout" = "--version -- --help" ]
}

# --- signals ----------------------------------------------------------------------
# A main command that says which signals it gets.
signal_logger() {
	root_file /opt/logger 755 <<-'EOF'
	#!/usr/bin/python3
	import signal
	signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
	print("ready", flush=True)
	while True:
	    number = signal.sigwaitinfo(signal.valid_signals()).si_signo
	    print("got", number, flush=True)
	    if number == signal.SIGTERM:
	        exit(0)
	EOF
}

@test "signals sent to PID 1 reach the main command, real-time ones too" {
	local number
	signal_logger
	container_start -- /opt/logger
	wait_output '^ready$'
	local numbers=({1..3} 10 12 13 14 16 18 20 {23..29} {34..36} {38..64})
	for number in "${numbers[@]}"; do
		container_kill "$number"
		wait_output "^got $number\$"
	done
	# Once each, and it still runs.
	[ "$(count_output '^got ')" -eq ${#numbers[@]} ]
	container_kill TERM
	container_wait
	[ "$status" -eq 0 ]
	[ "$(container_output | grep -c '^got 15$')" -eq 1 ]
}

@test "signals about PID 1 itself are not forwarded" {
	local number
	signal_logger
	container_start -- /opt/logger
	wait_output '^ready$'
	for number in CHLD TTIN TTOU SEGV BUS ILL FPE ABRT TRAP SYS; do
		container_kill "$number"
	done
	container_kill USR1
	wait_output '^got 10$'
	[ "$(container_output | grep -c ^got)" -eq 1 ]
}

@test "TERM, PWR and RTMIN+3 stop the container, its exit code is the command's" {
	local signal
	root_file /opt/stoppable 755 <<-'EOF'
	#!/bin/bash
	trap 'echo stopping; exit 7' TERM
	sleep 1000 &
	echo ready
	wait
	EOF
	for signal in TERM PWR RTMIN+3; do
		container_start -- /opt/stoppable
		wait_output '^ready$'
		container_kill "$signal"
		container_wait
		[ "$status" -eq 7 ]
		grep -qx stopping "$OUTPUT/stdout"
	done
}

@test "INT is the main command's, until that has ended" {
	# Not by wait: a signal that comes between two of them is waited for in vain.
	container_start -- -- bash -c '
	    trap "echo interrupted" INT
	    trap "echo proceeding; exit 9" USR1
	    echo ready; while :; do sleep 0.05; done'
	wait_output '^ready$'
	container_kill INT
	wait_output '^interrupted$'
	container_kill USR1
	wait_output '^proceeding$'
	container_wait
	[ "$status" -eq 9 ]
	[[ $stdout != *aborted* ]]
}

@test "without a main command, INT, QUIT and TERM stop the container: 0" {
	local signal
	for signal in INT QUIT TERM; do
		container_start --
		wait_output 'Runit started'
		container_kill "$signal"
		container_wait
		[ "$status" -eq 0 ]
	done
}

# --- what the main command is given -------------------------------------------------
@test "the directory: the caller's for command and scripts, / for PID 1 and supervisor" {
	startup_script here <<-'EOF'
	#!/bin/sh
	echo "script in $PWD"
	EOF
	container_start --directory /usr/share -- -- sh -c 'pwd; exec sleep 1000'
	wait_output '^/usr/share$'
	wait_output '^script in /usr/share$'
	[ "$(readlink "/proc/$MY_INIT_PID/cwd")" = / ]
	[ "$(readlink "/proc/$(supervisor_pid)/cwd")" = / ]
}

masks='grep -E "Sig(Blk|Ign)" /proc/self/status | sed "s|^|$0 |" | tr "\t" " "'

@test "the caller's signal mask and ignored signals reach the main command alone" {
	root_file /opt/masks 755 <<-EOF
	#!/bin/sh
	$masks
	EOF
	startup_script masks <<-EOF
	#!/bin/sh
	exec /opt/masks script
	EOF
	service masks <<-EOF
	#!/bin/sh
	$masks
	echo told
	exec sleep 1000
	EOF
	container_start --via "env --block-signal=USR1 --ignore-signal=HUP" -- \
	    -- sh -c "$masks; exec sleep 1000" command
	wait_output '^command SigIgn: '
	wait_output '^told$'
	wait_output '^command SigBlk: 0000000000000200$'
	wait_output '^command SigIgn: 0000000000000001$'
	[ "$(container_output | grep -cE '^/opt/masks Sig(Blk|Ign): 0{16}$')" -eq 2 ]
	[ "$(container_output | grep -cE '^./run Sig(Blk|Ign): 0{16}$')" -eq 2 ]
}

@test "descriptors: nothing above 2 is passed on" {
	# The last one is the directory that ls reads.
	root_file /opt/descriptors 755 <<-'EOF'
	#!/bin/sh
	echo "$1" $(ls /proc/self/fd)
	EOF
	startup_script fds <<<$'#!/bin/sh\nexec /opt/descriptors script'
	service fds <<<$'#!/bin/sh\n/opt/descriptors service\nexec sleep 1000'
	container_start --descriptors 200 -- -- \
	    sh -c '/opt/descriptors command; exec sleep 1000'
	local who
	for who in script service command; do
		wait_output "^$who 0 1 2 3\$"
	done
}

@test "started with SIGCHLD ignored" {
	good_service good
	container_start --via "env --ignore-signal=CHLD" -- -- \
	    bash -c 'trap "exit 42" USR1; echo ready; while :; do sleep 0.05; done'
	wait_output '^ready$'
	wait_lines 1 '^good up'
	container_exec kill -KILL "$(said_pid good)"
	wait_lines 2 '^good up'
	wait_for "no zombies" no_zombies
	container_kill USR1
	container_wait
	[ "$status" -eq 42 ]
}

no_zombies() {
	[ "$(zombies)" -eq 0 ]
}

@test "started with every signal blocked" {
	good_service good
	finish_of good
	container_start --via "env --block-signal" --
	wait_output '^good up'
	container_kill TERM
	container_wait
	[ "$status" -eq 0 ]
	# It was not KILL that ended the service.
	in_order '^good up' '^good finish -1 15$'
	container_run --via "env --block-signal" -- -- sh -c 'exit 42'
	[ "$status" -eq 42 ]
}

@test "started with descriptors 0 to 2 closed" {
	root_file /opt/command 755 <<-'EOF'
	#!/bin/bash
	readlink /proc/$$/fd/0 /proc/$$/fd/1 /proc/$$/fd/2 >/tmp/fds
	exit 5
	EOF
	container_run --all-closed -- /opt/command
	[ "$status" -eq 5 ]
	[ "$(cat "$(container_file /tmp/fds)")" = $'/dev/null\n/dev/null\n/dev/null' ]
	container_run --stdin-closed -- -- sh -c 'cat; echo over'
	[ "$status" -eq 0 ]
	[ "$stdout" = over ]
}

@test "stdin is the main command's" {
	printf 'a line\n' >"$ROOT/tmp/input"
	root_file /opt/with-input 755 <<-'EOF'
	#!/bin/sh
	exec "$@" </tmp/input
	EOF
	container_run --via /opt/with-input -- cat
	[ "$stdout" = "a line" ]
}

@test "LD_PRELOAD of something that is not there" {
	container_run LD_PRELOAD=/no/such/junk.so -- -- sh -c 'exit 6'
	[ "$status" -eq 6 ]
	[[ $stderr == *"Killing all processes"* ]]
}

@test "LD_PRELOAD reaches the main command" {
	container_run LD_PRELOAD=/no/such/junk.so -- \
	    -- sh -c 'echo "$LD_PRELOAD"'
	[ "$stdout" = /no/such/junk.so ]
}

@test "what the main command leaves behind is told to end, and has time to" {
	root_file /opt/leaver 755 <<-'EOF'
	#!/bin/bash
	setsid bash -c '
		trap "sleep 1; echo saved >/tmp/saved; exit" TERM
		echo waiting >/tmp/waiting
		sleep 1000 &
		wait' &
	until [ -s /tmp/waiting ]; do sleep 0.01; done
	exit 4
	EOF
	container_run -- /opt/leaver
	[ "$status" -eq 4 ]
	[ "$(cat "$(container_file /tmp/saved)")" = saved ]
}

@test "what it leaves behind in its own process group, too" {
	root_file /opt/leaver 755 <<-'EOF'
	#!/bin/sh
	bash -c '
		trap "sleep 1; echo saved >/tmp/saved; exit" TERM
		echo waiting >/tmp/waiting
		while :; do sleep 0.05; done' &
	until [ -s /tmp/waiting ]; do sleep 0.01; done
	exit 4
	EOF
	container_run -- /opt/leaver
	[ "$status" -eq 4 ]
	[ "$(cat "$(container_file /tmp/saved)")" = saved ]
}

# --- on a terminal ------------------------------------------------------------------
@test "bash -l on a terminal: job control, and its exit code" {
	container_start --tty TERM=dumb -- --quiet -- bash -l
	container_type 'echo "in$SHLVL"; set -o | grep monitor\r'
	wait_output '^monitor[[:space:]]+on'
	container_type 'sleep 1000\r'
	wait_for "sleep" container_exec pgrep -x sleep
	container_type '\032'
	wait_output 'Stopped +sleep 1000'
	container_type 'bg\r'
	wait_output 'sleep 1000 &'
	container_type 'fg\r'
	wait_for "sleep in the foreground" foreground sleep
	container_type '\003'
	wait_for "no sleep" no_sleep
	container_type 'exit 7\r'
	container_wait
	[ "$status" -eq 7 ]
	[[ $stdout != *"no job control"* ]]
	[[ $stdout != *"cannot set terminal process group"* ]]
}

# Is the command the terminal's foreground process group?
foreground() {
	container_exec ps -C "$1" -o pgid=,tpgid= | {
		read -r group of_terminal
		[ -n "$group" ] && [ "$group" = "$of_terminal" ]
	}
}

no_sleep() {
	! container_exec pgrep -x sleep
}

@test "Ctrl-C reaches the main command alone" {
	service quiet <<-'EOF'
	#!/bin/bash
	trap 'echo service interrupted' INT
	echo service up
	sleep 1000 &
	while :; do wait; done
	EOF
	container_start --tty -- -- bash -c '
	    trap "echo command interrupted" INT
	    trap "echo command told" USR1
	    echo ready
	    while :; do read -t 1; done'
	wait_output '^service up$'
	wait_output '^ready$'
	container_type '\003'
	wait_output 'command interrupted$'
	container_kill USR1
	wait_output 'command told$'
	[ "$(container_output | grep -c 'command interrupted$')" -eq 1 ]
	no_output 'service interrupted'
	no_output 'Shutting down'
	container_alive
}

@test "Ctrl-C without a main command stops the container" {
	container_start --tty --
	wait_output 'Runit started'
	container_type '\003'
	container_wait
	[ "$status" -eq 0 ]
}

@test "a startup script can ask on the terminal" {
	startup_script ask <<-'EOF'
	#!/bin/sh
	echo name?
	read name
	echo "hello $name"
	EOF
	container_start --tty -- -- sh -c 'read word; echo "word $word"'
	wait_output '^name\?$'
	container_type 'moby\r'
	wait_output '^hello moby$'
	container_type 'dick\r'
	wait_output '^word dick$'
	container_wait
	[ "$status" -eq 0 ]
}
