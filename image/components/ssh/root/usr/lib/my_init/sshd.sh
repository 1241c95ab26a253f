# What sshd's run script and 00_regen_ssh_host_keys.sh have in common; sourced.

keys_of=/etc/ssh/.host_keys_of	# the container that the keys were made in

# Which container this is: stays over its restarts, is another for each.  The
# directory that it writes to is its own; where that cannot be seen, the host name.
this_container() {
	identity=$(sed -n 's/^[^ ]* [^ ]* [^ ]* [^ ]* \/ .*upperdir=\([^,]*\).*/\1/p' \
	    /proc/self/mountinfo 2>/dev/null)
	[ -n "$identity" ] || identity=$(hostname 2>/dev/null)
	echo "$identity"
}

# Is there a public key in a file?  Without a source of entropy ssh-keygen cannot even
# tell that; then there may be one, and sshd is to say what it lacks.
has_key() {
	[ -s "$1" ] || return 1
	said=$(ssh-keygen -l -f "$1" 2>&1) && return 0
	case $said in
	*"PRNG is not seeded"*) return 0 ;;
	esac
	return 1
}

# Could anybody log in?  With the configuration of the image that takes an account
# with a key; with another, who knows.
can_log_in() {
	[ -r /etc/passwd ] || return 1
	while IFS=: read -r _ _ _ _ _ home _; do
		if has_key "$home/.ssh/authorized_keys" ||
		    has_key "$home/.ssh/authorized_keys2"; then
			return 0
		fi
	done </etc/passwd
	for file in /etc/ssh/sshd_config.d/*.conf; do
		[ ! -e "$file" ] || return 0
	done
	! cmp -s /etc/ssh/sshd_config /usr/lib/my_init/sshd_config
}

has_host_keys() {
	[ -s /etc/ssh/ssh_host_rsa_key ] || [ -s /etc/ssh/ssh_host_ed25519_key ] ||
	    [ -s /etc/ssh/ssh_host_ecdsa_key ]
}

# Keys that were made while another container ran, and came here with a commit of
# it, are that one's.
host_keys_are_foreign() {
	[ -s $keys_of ] && [ "$(cat $keys_of)" != "$(this_container)" ]
}

# new_host_keys DIRECTORY: one key of each type, or failure.  ssh-keygen succeeds even
# where it could not write them all.
new_host_keys() {
	mkdir -p "$1/etc/ssh" && ssh-keygen -q -A -f "$1" || return 1
	for type in rsa ecdsa ed25519; do
		key=$1/etc/ssh/ssh_host_${type}_key
		[ -s "$key" ] && [ -s "$key.pub" ] || return 1
	done
}

# make_host_keys OWNER: all or none; they are made elsewhere and moved, so that a
# full disk leaves no half of a key.  OWNER is the container that they belong to; none
# if they are to be kept in whatever comes of this container.
make_host_keys() {
	new=$(mktemp -d /etc/ssh/.new_host_keys.XXXXXX) || return 1
	if new_host_keys "$new" && printf %s "$1" >"$new/owner" &&
	    rm -f /etc/ssh/ssh_host_* && mv "$new"/etc/ssh/ssh_host_*_key \
	    "$new"/etc/ssh/ssh_host_*_key.pub /etc/ssh/ &&
	    mv "$new/owner" $keys_of; then
		rm -rf "$new"
		return 0
	fi
	rm -rf "$new"
	return 1
}

# locked COMMAND...: one at a time, or the halves of two keys might come together.
locked() {
	{
		flock 9 || :
		"$@"
	} 9</etc/ssh
}

# At boot, and when sshd is started: keys of this container's own, if there are none.
need_host_keys() {
	! has_host_keys || host_keys_are_foreign || return 0
	locked make_needed_host_keys
}

# By now another may have made them.  Who mounts something at /etc/ssh keeps them for
# the next container.
make_needed_host_keys() {
	if ! has_host_keys; then
		echo "No SSH host key available. Generating one..."
	elif host_keys_are_foreign; then
		echo "*** sshd: the host keys are another container's." \
		    "Generating new ones..." >&2
	else
		return 0
	fi
	owner=$(this_container)
	! mountpoint -q /etc/ssh || owner=
	make_host_keys "$owner"
}
