# What the tests of initctl and sv share, on top of control.bash.
# shellcheck shell=bash

load control

# ctl CODE ARGUMENT...: initctl in the container, which has to end with that exit code;
# $out and $err are what it has said, less last newlines.  In $OUTPUT it is kept as
# $CTL_FILE.out and .err (ctl).
ctl() {
	ctl_via "" "$@"
}

# ctl_via "COMMAND..." CODE ARGUMENT...: executed by a command
ctl_via() {
	local via=$1 expected=$2 code=0 file=$OUTPUT/${CTL_FILE-ctl}
	shift 2
	# shellcheck disable=SC2086
	container_exec $via initctl "$@" </dev/null >"$file.out" \
	    2>"$file.err" || code=$?
	out=$(tr -d '\0' <"$file.out")
	err=$(tr -d '\0' <"$file.err")
	if [ "$code" -ne "$expected" ]; then
		fail "initctl $*: exit code $code, not $expected: $out $err"
		return
	fi
	if grep -qi "up""start" <<<"$out$err"; then
		fail "initctl $* says a word it should not: $out $err"
		return
	fi
}

# The line of a service in the table of ctl, as a regular expression.
line() {
	if ! grep -qE -e "^$1 +$2\$" <<<"$out"; then
		fail "no line \"$1 $2\" in: $out"
		return
	fi
}

# Is this so of the JSON that ctl has printed, r (an expression of Python)?
holds() {
	python3 -c 'import json, sys
with open(sys.argv[1], encoding="utf-8") as file:
	r = json.load(file)
sys.exit(not eval("(" + sys.argv[2] + ")"))' "$OUTPUT/ctl.out" "$1"
}

# It has to be.
json() {
	if ! holds "$1"; then
		fail "not so: $1: $out"
		return
	fi
}

# No control characters, of C0 or C1, but newlines.
no_escapes() {
	if LC_ALL=C grep -q -aP '[\x00-\x08\x0b-\x0c\x0e-\x1f\x7f]|\xc2[\x80-\x9f]' \
	    <<<"$1"; then
		fail "control characters: $(cat -v <<<"$1")"
		return
	fi
}

# A value of a service, by initctl: value NAME KEY
value() {
	container_exec initctl --json status "$1" | python3 -c '
import json, sys
print(json.load(sys.stdin)["services"][0][sys.argv[1]])' "$2"
}

pid_of() {
	value "$1" pid
}

_is() {
	[ "$(value "$1" "$2" 2>/dev/null)" = "$3" ]
}

# Waits until these services are up by initctl's word, and have executed run.
wait_up() {
	local name
	for name; do
		wait_for "$name to be up" _is "$name" state up
		wait_output "^$name up"
	done
}

wait_down() {
	local name
	for name; do
		wait_for "$name to be down" _is "$name" state down
	done
}

# Waits until initctl knows no such service.
wait_unknown() {
	wait_for "$1 to be unknown" _unknown "$1"
}

_unknown() {
	local code=0
	container_exec initctl status "$1" >/dev/null 2>&1 || code=$?
	[ $code -eq 4 ]
}

wait_phase() {
	wait_for "phase $1" _phase "$1"
}

_phase() {
	[ "$(container_exec initctl --json status 2>/dev/null | python3 -c '
import json, sys
print(json.load(sys.stdin)["phase"])' 2>/dev/null)" = "$1" ]
}
