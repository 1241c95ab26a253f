# For the run scripts of the image's own services: sourced with ".".

# stay_down SERVICE REASON: says why the service does not run, and has the
# supervisor leave it down until somebody starts it.
stay_down() {
	echo "*** $1: $2" >&2
	exec initctl stop --no-wait "$1" >/dev/null
}
