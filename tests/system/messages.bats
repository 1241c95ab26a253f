# What my_init says: the words of the original, on stderr.
load services

@test "the README's transcript" {
	startup_script 00_x.sh <<-'EOF'
	#!/bin/sh
	echo of 00_x
	EOF
	root_file /etc/rc.local 755 <<-'EOF'
	#!/bin/sh
	echo of rc.local
	EOF
	mkdir "$ROOT/tmp/files"
	touch "$ROOT/tmp/files/listed"
	container_run --merged --directory /tmp/files -- ls
	[ "$status" -eq 0 ]
	in_order '^\*\*\* Running /etc/my_init\.d/00_x\.sh\.\.\.$' \
	    '^of 00_x$' \
	    '^\*\*\* Running /etc/rc\.local\.\.\.$' \
	    '^of rc.local$' \
	    '^\*\*\* Booting runit daemon\.\.\.$' \
	    '^\*\*\* Runit started as PID [0-9]+$' \
	    '^\*\*\* Running ls\.\.\.$' \
	    '^listed$' \
	    '^\*\*\* ls exited with exit code 0\.$' \
	    '^\*\*\* Shutting down runit daemon \(PID [0-9]+\)\.\.\.$' \
	    '^\*\*\* Killing all processes\.\.\.$'
	[ "$(wc -l <"$OUTPUT/stdout")" -eq 11 ]
}

@test "the PID that is said is the supervisor's" {
	container_start --
	wait_output 'Runit started as PID'
	local said
	said=$(container_output | sed -n 's/.*Runit started as PID //p')
	[ "$(container_exec ps -p "$said" -o comm=)" = supervisor ]
}

@test "messages go to stderr" {
	startup_script x <<-'EOF'
	#!/bin/sh
	EOF
	container_run -- echo hello
	[ "$stdout" = hello ]
	[ "$(grep -c '^\*\*\* ' "$OUTPUT/stderr")" -eq \
	    "$(wc -l <"$OUTPUT/stderr")" ]
}

@test "--skip-startup-files --quiet prints what the command prints" {
	startup_script never <<-'EOF'
	#!/bin/sh
	echo never
	EOF
	mkdir "$ROOT/tmp/files"
	touch "$ROOT/tmp/files/listed"
	container_run --directory /tmp/files -- --skip-startup-files --quiet -- ls
	[ "$status" -eq 0 ]
	[ "$stdout" = listed ]
	[ ! -s "$OUTPUT/stderr" ]
}

@test "--quiet leaves warnings" {
	startup_script bad <<-'EOF'
	#!/bin/sh
	exit 3
	EOF
	container_run -- --quiet
	[ "$status" -eq 3 ]
	[ "$stderr" = "*** /etc/my_init.d/bad failed with status 3" ]
}

@test "a startup file that fails is named, with its status" {
	startup_script 10_bad <<-'EOF'
	#!/bin/sh
	exit 42
	EOF
	container_run --
	[ "$status" -eq 42 ]
	grep -qx '\*\*\* /etc/my_init.d/10_bad failed with status 42' \
	    "$OUTPUT/stderr"
}

@test "a stop by signal is called one" {
	container_start -- -- sleep 1000
	wait_output '^\*\*\* Running sleep 1000\.\.\.$'
	container_kill TERM
	container_wait
	in_order '^\*\*\* Running sleep 1000\.\.\.$' \
	    '^\*\*\* Shutting down sleep \(PID [0-9]+\)\.\.\.$' \
	    '^\*\*\* Shutting down runit daemon \(PID [0-9]+\)\.\.\.$' \
	    '^\*\*\* Init system aborted\.$' '^\*\*\* Killing all processes\.\.\.$'
}

@test "a command that does not stop is named" {
	container_start KILL_PROCESS_TIMEOUT=1 -- --quiet -- \
	    bash -c 'trap "" TERM; echo ready; while :; do sleep 0.1; done'
	wait_output '^ready$'
	container_kill TERM
	container_wait
	[ "$status" -eq 137 ]
	grep -qxE '\*\*\* bash \(PID [0-9]+\) did not shut down in time\. Forcing it to exit\.' \
	    "$OUTPUT/stdout"
}

@test "--enable-insecure-key" {
	root_file /usr/sbin/enable_insecure_key 755 <<-'EOF'
	#!/bin/sh
	echo "the key is $VALUE"
	EOF
	variable VALUE installed
	startup_script 1 <<<$'#!/bin/sh\necho script'
	container_run --merged -- --enable-insecure-key -- true
	[ "$status" -eq 0 ]
	in_order '^\*\*\* Installing insecure SSH key for user root$' \
	    '^the key is installed$' '^script$'
	# Without it, or if it fails, the container lives.
	root_file /usr/sbin/enable_insecure_key 755 <<<$'#!/bin/sh\nexit 3'
	container_run -- --enable-insecure-key -- sh -c 'exit 42'
	[ "$status" -eq 42 ]
	grep -qx '\*\*\* /usr/sbin/enable_insecure_key failed with status 3' \
	    "$OUTPUT/stderr"
	rm "$ROOT/usr/sbin/enable_insecure_key"
	container_run -- --quiet --enable-insecure-key -- sh -c 'exit 42'
	[ "$status" -eq 42 ]
	[ "$(wc -l <"$OUTPUT/stderr")" -eq 1 ]
	[[ $stderr == *"/usr/sbin/enable_insecure_key "* ]]
}

@test "a command line of any length is one line of at most a page" {
	container_run -- -- sh -c 'exit 42' "$(head -c 100000 /dev/zero | tr '\0' x)"
	[ "$status" -eq 42 ]
	[ "$(grep -c '^\*\*\* Running sh -c exit 42 xxx' "$OUTPUT/stderr")" -eq 1 ]
	[ "$(wc -L <"$OUTPUT/stderr")" -lt 4096 ]
}

# Nothing but what is printable, and newlines.
printable() {
	! LC_ALL=C grep -qa '[[:cntrl:]]' "$1"
}

@test "control characters in names and arguments are escaped" {
	local escape=$'\e[31m'
	startup_script "a${escape}b"$'\n''c' <<-'EOF'
	#!/bin/sh
	EOF
	service "s${escape}" <<-'EOF'
	not a script
	EOF
	container_start --split -- -- sh -c 'sleep 1000 # two
lines' $'\a' $'tab\there' $'bad\xff' $'\xc2\x9b'
	wait_for "the services" grep -q '/s.x1b' "$OUTPUT/stderr"
	wait_for "the command" grep -q '^\*\*\* Running sh' "$OUTPUT/stderr"
	grep -qxF '*** Running /etc/my_init.d/a\x1b[31mb\nc...' "$OUTPUT/stderr"
	grep -qxF '*** Running sh -c sleep 1000 # two\nlines \x07 tab\there bad\xff \xc2\x9b...' \
	    "$OUTPUT/stderr"
	printable "$OUTPUT/stderr"
	# A warning's first bytes are its own, too.
	grep -qv '^\*\*\* ' "$OUTPUT/stderr" && fail "a line without a prefix"
	container_kill TERM
	container_wait
	printable "$OUTPUT/stderr"
}

@test "UTF-8 in names is left alone" {
	startup_script grüße <<-'EOF'
	#!/bin/sh
	EOF
	container_run -- true
	grep -qx '\*\*\* Running /etc/my_init.d/grüße\.\.\.' "$OUTPUT/stderr"
}

@test "a stderr that nobody reads stops nothing" {
	root_file /opt/deaf 755 <<-'EOF'
	#!/bin/bash
	mkfifo /tmp/deaf
	exec 7<>/tmp/deaf 2>&7
	# Full: the next byte would wait for a reader.
	dd if=/dev/zero of=/tmp/deaf bs=4096 oflag=nonblock 2>/tmp/dd
	exec "$@" 7>&-
	EOF
	service flapping <<-'EOF'
	#!/bin/sh
	echo flap
	exit 1
	EOF
	container_start --via /opt/deaf -- -- sh -c 'echo ready; exec sleep 1000'
	wait_output '^ready$'
	wait_output '^flap$'
	container_kill TERM
	container_wait 20
}
