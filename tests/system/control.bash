# What the tests of the control socket share, on top of services.bash: an
# independent client (rpc.py), run inside of the container or outside.
# shellcheck shell=bash

load services

setup() {
	container_setup
	cp "$BATS_TEST_DIRNAME"/rpc*.py "$ROOT/usr/local/lib/"
}

# A request, or a scenario: see rpc.py.  $RPC_SOCKET: at another place than usual.
rpc() {
	container_exec ${RPC_SOCKET:+"INITCTL_SOCKET=$RPC_SOCKET"} \
	    python3 -B /usr/local/lib/rpc.py "$@"
}

# rpc_as UID:GID[:GROUP] ARGUMENT...: the same as another user.
rpc_as() {
	local uid gid group groups=(--clear-groups)
	IFS=: read -r uid gid group <<<"$1"
	shift
	[ -z "$group" ] || groups=("--groups=$group")
	container_exec ${RPC_SOCKET:+"INITCTL_SOCKET=$RPC_SOCKET"} \
	    setpriv "--reuid=$uid" "--regid=$gid" "${groups[@]}" \
	    python3 -B /usr/local/lib/rpc.py "$@"
}

# Fails if the command does not.
not() {
	if "$@"; then
		fail "it should not be so: $*"
		return
	fi
}

# shows NAME "VALUE..." KEY...: what the status says of a service (or of .)
shows() {
	local name=$1 values=$2 said
	shift 2
	said=$(rpc show "$name" "$@") && [ "$said" = "$values" ]
}

# The same, when it has come about.
wait_shows() {
	wait_for "$1 to be $2" shows "$@"
}

# says "OUTPUT" ARGUMENT...: exactly this comes of a request.
says() {
	local expected=$1 said
	shift
	said=$(rpc "$@") || :
	if [ "$said" != "$expected" ]; then
		fail "$*: said \"$said\", not \"$expected\""
		return
	fi
}

# A service that does not end before there is /tmp/go.
stubborn_service() {
	service "$1" <<-EOF
	#!/bin/sh
	trap '' TERM
	echo "$1 up \$\$"
	until [ -e /tmp/go ]; do sleep 0.05; done
	EOF
}

let_go() {
	: >"$(container_file /tmp/go)"
}

# The gate, as seen from here.
gate_pid() {
	pgrep -n -P "$(supervisor_pid)" -x gate
}
