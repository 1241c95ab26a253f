# The one place where something is waited for by looking again and again.
# Sourced by what has fail() and, in $OUTPUT, a fifo called pause.
# shellcheck shell=bash

WAIT_PAUSE_S=0.02	# between two looks

# wait_for [--within S] WHAT COMMAND...: waits until a command succeeds (20 s); if it
# does not, what it said last is shown.
wait_for() {
	local within=20 what end
	if [ "$1" = --within ]; then
		within=$2
		shift 2
	fi
	what=$1
	shift
	end=$((SECONDS + within + 1))
	until "$@" >"$OUTPUT/last_look" 2>&1; do
		if [ $SECONDS -ge $end ]; then
			cat "$OUTPUT/last_look" >&2
			fail "waited in vain for $what"
			return
		fi
		# Nobody writes to this one: a pause without a process.
		read -r -t "$WAIT_PAUSE_S" <>"$OUTPUT/pause" || :
	done
}
