# For the run scripts of the image's own services: sourced with ".".

# These run at each boot, so they start no program that the shell can do without.

# Of the files that every container has, the first is root's.
is_root() {
	[ -O / ]
}

# Was my_init started with --quiet?
is_quiet() {
	grep -qsz -e '^--quiet$' /proc/1/cmdline
}

# stay_down SERVICE [REASON]: says why the service does not run, and has the
# supervisor leave it down until somebody starts it.
stay_down() {
	[ -z "${2-}" ] || echo "*** $1: $2" >&2
	exec initctl stop --no-wait "$1" >/dev/null
}
