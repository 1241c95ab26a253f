# For the run scripts of the image's own services: sourced with ".".

# These run at each boot, so they start no program that the shell can do without.

# Of the files that every container has, the first is root's.
is_root() {
	[ -O / ]
}

# my_init is the parent of the supervisor, which is that of a run script; PID 1 may be
# another's (docker run --pid host).
find_my_init() {
	IFS= read -r stat <"/proc/$PPID/stat" || stat=
	# shellcheck disable=SC2086
	set -- ${stat##*) }
	my_init=${2:-1}
}

# first_in_boot SERVICE: is this its first start since the container's?  The start time
# of my_init tells one boot from another, as /run outlives a `docker restart`.
first_in_boot() {
	find_my_init
	IFS= read -r boot <"/proc/$my_init/stat"
	# shellcheck disable=SC2086
	set -- "$1" ${boot##*) }
	boot=${21}
	known=
	[ ! -r "/run/$1.boot" ] || read -r known <"/run/$1.boot"
	[ "$known" != "$boot" ] || return 1
	(echo "$boot" >"/run/$1.boot") 2>/dev/null
	return 0
}

# Was my_init started with --quiet?
is_quiet() {
	find_my_init
	grep -qsz -e '^--quiet$' "/proc/$my_init/cmdline"
}

# stay_down SERVICE [REASON]: says why the service does not run, and has the
# supervisor leave it down until somebody starts it.  (What OpenSSH says ends in CR LF.)
stay_down() {
	[ -z "${2-}" ] || echo "*** $1: $2" | tr -d '\r' >&2
	exec initctl stop --no-wait "$1" >/dev/null
}
