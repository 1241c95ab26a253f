# What the tests of service directories share, on top of initctl.bash.  There is a user
# joe (7001), who is in the group media (7002), too.
# shellcheck shell=bash

load initctl

setup() {
	container_setup
	printf 'joe:x:7001:7001::/home/joe:/bin/sh\n' >>"$ROOT/etc/passwd"
	printf 'root:x:0:\njoe:x:7001:\nmedia:x:7002:joe\nnogroup:x:65534:\n' \
	    >"$ROOT/etc/group"
}

# setting SERVICE NAME VALUE: at any time, so that nobody finds it empty
setting() {
	local file
	file=$(container_file "/etc/service/$1/$2")
	mkdir -p "${file%/*}"
	printf '%s\n' "$3" >"${file%/*}/.new"
	mv -f "${file%/*}/.new" "$file"
}

# remove_setting SERVICE NAME
remove_setting() {
	rm -r "$(container_file "/etc/service/$1/$2")"
}

# The kernel's word on the process of a service that says "NAME up PID":
# process_file NAME FILE
process_file() {
	container_exec cat "/proc/$(said_pid "$1")/$2"
}

# A line of /proc/PID/status, its words parted by single blanks: process_status NAME KEY
process_status() {
	process_file "$1" status | sed -n "s/^$2:[[:space:]]*//p" |
	    tr -s '[:space:]' ' ' | sed 's/ $//'
}

# The variables of a service's process, one a line.
process_environment() {
	process_file "$1" environ | tr '\0' '\n'
}

# process_limit NAME "Max open files": soft and hard
process_limit() {
	process_file "$1" limits | sed -nE "s/^$2 +([^ ]+) +([^ ]+).*/\1 \2/p"
}

# is WHAT IS EXPECTED
is() {
	if [ "$2" != "$3" ]; then
		fail "$1: \"$2\", not \"$3\""
		return
	fi
}

# Waits until these services are in a state: wait_state STATE NAME...
wait_state() {
	local state=$1 name
	shift
	for name; do
		wait_for "$name to be $state" _is "$name" state "$state"
	done
}

# Have these been started so many times more than once? restarted COUNT NAME...
restarted() {
	local count=$1 name
	shift
	for name; do
		[ "$(value "$name" restarts)" -ge "$count" ] || return 1
	done
}
