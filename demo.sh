#!/bin/bash
# Shows my_init at work, without a container engine: PID 1 of a new PID and mount
# namespace, over a throw-away overlay of this machine's root.  `make demo`.
set -eu

stage=$1	# where `make install` has put the programs
if [ "${2-}" != inside ]; then
	if [ "$(id -u)" -ne 0 ]; then
		exec sudo "$0" "$@"
	fi
	if ! unshare --mount --pid --fork true 2>/dev/null; then
		echo "demo: this machine lets nobody make namespaces" \
		    "(in a container: docker run --privileged)" >&2
		exit 1
	fi
	exec unshare --mount "$0" "$stage" inside
fi

say() {
	printf '\n\033[1m# %s\033[0m\n' "$*"
}

# --- a root file system of its own ---------------------------------------------
root=/mnt/root
mount -t tmpfs tmpfs /mnt
mkdir /mnt/upper /mnt/work $root
mount -t overlay overlay -o lowerdir=/,upperdir=/mnt/upper,workdir=/mnt/work $root
mount -t tmpfs tmpfs $root/tmp
mount -t tmpfs tmpfs $root/run
mount --rbind /dev $root/dev
tar -C "$stage" -c . | tar -C $root -x --keep-directory-symlink
rm -rf $root/etc/service $root/etc/my_init.d $root/etc/container_environment*
mkdir -p $root/etc/service $root/etc/my_init.d
mkdir -m 700 $root/etc/container_environment

service() {
	mkdir -p "$root/etc/service/$1"
	cat >"$root/etc/service/$1/run"
	chmod +x "$root/etc/service/$1/run"
}

service memcached <<'END'
#!/bin/sh
exec memcached -u nobody -l 127.0.0.1
END
service cron <<'END'
#!/bin/sh
exec cron -f
END
service crasher <<'END'
#!/bin/sh
echo "crasher: hello, and goodbye"
sleep 1.5
exit 3
END
printf 'beautiful' >$root/etc/container_environment/WORLD
cat >$root/etc/my_init.d/10_greet.sh <<'END'
#!/bin/sh
echo "10_greet.sh: hello, $WORLD world; from now on it is a new one"
printf 'brave new' >/etc/container_environment/WORLD
END
chmod +x $root/etc/my_init.d/10_greet.sh

# --- as PID 1 -------------------------------------------------------------------
start() {
	coproc CONTAINER { exec env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin \
	    KILL_PROCESS_TIMEOUT=5 "${given[@]}" \
	    unshare --pid --fork --kill-child --mount-proc="$root/proc" \
	    chroot $root /sbin/my_init "$@" 2>&1; }
	# bash forgets both when it has ended.
	container=$CONTAINER_PID
	exec {output}<&"${CONTAINER[0]}"
}

trap '[ -z "${init-}" ] || kill -9 "$init" 2>/dev/null || :' EXIT

# Prints what the container prints, up to a line that matches.
follow() {
	local line
	while IFS= read -r -t 20 line <&"$output"; do
		printf '    %s\n' "$line"
		case $line in *"$1"*) return 0 ;; esac
	done
	echo "demo: waited in vain for: $1" >&2
	exit 1
}

inside() {
	nsenter --target "$init" --pid --root --wd=/ "$@"
}

pid_of() {
	inside pgrep -o -x "$1"
}

given=(FROM_DOCKER_RUN="it's set outside")
say "Boot: environment, startup script, services"
start
follow "crasher: hello"
init=$(pgrep -P "$container" -x my_init)
exec {pidfd}<"/proc/$init"
for name in memcached cron; do
	until pid_of $name >/dev/null; do :; done
done

say "The processes: a reaper, a supervisor, the services"
inside ps -eo pid,ppid,user:12,stat,args --forest | grep -v 'ps -eo' | sed 's/^/    /'

say "initctl status"
inside initctl status | sed 's/^/    /'

say "initctl restart memcached: answered when it is up again"
inside initctl restart memcached | sed 's/^/    /'
echo "    and in runit's words: $(inside sv status memcached)"

say "initctl stop 'cron*'; initctl status cron (exit code 3: not up); start it again"
inside initctl stop 'cron*' | sed 's/^/    /'
inside initctl status cron | sed 's/^/    /' || :
inside initctl start cron | sed 's/^/    /'

say "A service that is not there"
inside initctl restart memcachd 2>&1 | sed 's/^/    /' || :

say "The environment, as shell and as JSON"
sed 's/^/    /' "/proc/$init/root/etc/container_environment.sh"
sed 's/^/    /' "/proc/$init/root/etc/container_environment.json"; echo

say "kill -9 memcached: it comes back"
before=$(pid_of memcached)
inside kill -9 "$before"
until after=$(pid_of memcached) && [ "$after" != "$before" ]; do :; done
echo "    memcached was PID $before, is PID $after"

say "kill -9 the supervisor: no service notices"
inside kill -9 "$(pid_of supervisor)"
follow "starting it again"
until pid_of supervisor >/dev/null; do :; done
echo "    memcached was PID $after, is PID $(pid_of memcached)"

say "The crashing service: restarted, again and again"
follow "crasher: hello"

say "docker stop sends TERM; initctl shutdown --exit-code 7 does the same from inside"
inside initctl shutdown --exit-code 7
follow "Killing all processes"
wait "$container" && code=0 || code=$?
echo "    exit code $code; processes left: $(ls /proc/self/fd/$pidfd/task 2>/dev/null | wc -l)"
exec {pidfd}<&-

say "A one-shot command, with all services: my_init -- sh -c '...; exit 42'"
start -- sh -c 'echo "WORLD is $WORLD"; exit 42'
follow "Killing all processes"
wait "$container" && code=0 || code=$?
echo "    exit code $code"
[ "$code" -eq 42 ]
