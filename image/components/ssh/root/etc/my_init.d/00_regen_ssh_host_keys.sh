#!/bin/sh
# Makes the SSH host keys, if there are none.
#
# At boot only if sshd is going to run.  By hand or in a Dockerfile in any case, and
# then they stay in the image; with -f even if there are some.
. /usr/lib/my_init/service.sh
. /usr/lib/my_init/sshd.sh
is_root || exit 0

parent=
[ ! -r /proc/$PPID/comm ] || read -r parent </proc/$PPID/comm
if [ "$parent" = supervisor ]; then
	# A boot does not fail for want of them: sshd says so when it is its turn.
	[ -d /etc/service/sshd ] && [ ! -e /etc/service/sshd/down ] &&
	    can_log_in && need_host_keys
	exit 0
fi
if [ "${1-}" = -f ]; then
	echo "Generating new SSH host keys..."
elif has_host_keys; then
	exit 0
else
	echo "No SSH host key available. Generating one..."
fi
locked make_host_keys ""
