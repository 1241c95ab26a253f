# What my_init says: the words of the original, on stderr.
load container

# Do lines like these (grep -x) come in this order, with others in between?
in_order() {
	local pattern line rest
	rest=$OUTPUT/rest
	container_output >"$rest"
	for pattern; do
		line=$(grep -naxm 1 -e "$pattern" "$rest" | cut -d: -f1)
		[ -n "$line" ] || fail "not there, or not in its place: $pattern"
		sed -i "1,${line}d" "$rest"
	done
}

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
	in_order '\*\*\* Running /etc/my_init\.d/00_x\.sh\.\.\.' \
	    'of 00_x' \
	    '\*\*\* Running /etc/rc\.local\.\.\.' \
	    'of rc.local' \
	    '\*\*\* Booting runit daemon\.\.\.' \
	    '\*\*\* Runit started as PID [0-9]*' \
	    '\*\*\* Running ls\.\.\.' \
	    'listed' \
	    '\*\*\* ls exited with exit code 0\.' \
	    '\*\*\* Shutting down runit daemon (PID [0-9]*)\.\.\.' \
	    '\*\*\* Killing all processes\.\.\.'
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
	grep -qx '\*\*\* Init system aborted\.' "$OUTPUT/stdout"
	in_order '\*\*\* Shutting down .*' '\*\*\* Killing all processes\.\.\.'
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
