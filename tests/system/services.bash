# What the tests of services, shutdown, survival and reaping share, on top of
# container.bash.  A service here says what happens to it in lines on its stdout,
# "NAME WORD...", and the tests wait for lines of the container's output.

load container

# A service that stays up and says its pid: "NAME up PID".
good_service() {
	service "$1" <<-EOF
	#!/bin/sh
	echo "$1 up \$\$"
	exec sleep 100000
	EOF
}

# finish for service $1: says its arguments, "NAME finish $1 $2".
finish_of() {
	root_file "/etc/service/$1/finish" 755 <<-EOF
	#!/bin/sh
	echo "$1 finish \$1 \$2"
	EOF
}

# Script $2 of the shutdown directory $1 (pre, post), from stdin.
shutdown_script() {
	root_file "/etc/my_init.$1_shutdown.d/$2" 755
}

# Is there a live process with that pid in the container?
runs() {
	container_exec kill -0 "$1" 2>/dev/null
}

# The pid, in the container, that a service said last.
said_pid() {
	container_output | sed -n "s/^$1 up \([0-9]*\)$/\1/p" | tail -n 1
}

# Waits until the supervisor has supervise/ of these services, and so all that it keeps
# open for them.
wait_supervised() {
	local name
	for name; do
		wait_for "supervise/ of $name" container_exec test -p \
		    "/etc/service/$name/supervise/ok" -a -e \
		    "/etc/service/$name/supervise/status"
	done
}

# How many lines of the output match a regular expression.
count_output() {
	container_output | grep -acE -e "$1" || :
}

# Waits until $1 lines of the output match $2.
wait_lines() {
	wait_for "$1 lines like: $2" _has_lines "$1" "$2"
}

_has_lines() {
	[ "$(count_output "$2")" -ge "$1" ]
}

# Do the first lines that match the arguments come in their order?
in_order() {
	local pattern line last=0
	for pattern; do
		line=$(container_output | grep -anE -m 1 -e "$pattern" |
		    cut -d: -f1)
		if [ -z "$line" ] || [ "$line" -le "$last" ]; then
			fail "not there, or not in order: $pattern"
			return
		fi
		last=$line
	done
}

# No line of the output matches.
no_output() {
	if [ "$(count_output "$1")" -ne 0 ]; then
		fail "unwanted output like: $1"
		return
	fi
}

# Milliseconds since the machine started; bash alone, because it is for timing.
now_ms() {
	local seconds
	read -r seconds _ </proc/uptime
	echo $((10#${seconds/./} * 10))
}

# took START AT_LEAST LESS_THAN: how much time has passed since START.
took() {
	local took=$(($(now_ms) - $1))
	if [ "$took" -lt "$2" ] || [ "$took" -ge "$3" ]; then
		fail "took $took ms, not $2 to $3"
		return
	fi
}

# The first field of a file of the supervisor, or PID 1, in /proc:
# status_field PID NAME
status_field() {
	awk -v name="$2:" '$1 == name { print $2 }' "/proc/$1/status"
}

# The zombies in the container.
zombies() {
	container_exec sh -c 'cat /proc/[0-9]*/stat 2>/dev/null' |
	    grep -c ') Z ' || :
}

# Waits for a supervisor that is not $supervisor, and sets it.
next_supervisor() {
	wait_for "the next supervisor" _next_supervisor
}

_next_supervisor() {
	local now
	now=$(supervisor_pid) && [ "$now" != "${supervisor-}" ] && supervisor=$now
}

restart_supervisor() {
	supervisor=''
	next_supervisor
	kill -KILL "$supervisor"
	next_supervisor
}
