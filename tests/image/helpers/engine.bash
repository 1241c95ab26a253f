# A container engine for the tests: one that runs already, or one of their own.
# Sourced by tests/image/run, which says where everything of this run goes ($WORK), and
# how something is waited for (tests/wait.bash).
#
#   engine_client       finds a docker client that works, puts it first in PATH
#   engine_is_there     does an engine answer?
#   engine_start        starts one below $WORK; DOCKER_HOST says where
#   engine_buildkit     finds a client that has it build by BuildKit, $BUILDKIT, if
#                       there is one; all others are told to use the classic builder
#   engine_end          ends that one, and all it has left
#   engine_podman IMAGE...
#                       podman with storage of its own below $WORK, and these images in
#                       it; a network for its containers is $PODMAN_NETWORK (a file, for
#                       --network ns:FILE), where they have the address $PODMAN_ADDRESS
#   engine_podman_end   ends what is left of it
# shellcheck shell=bash

ENGINE_PID='' ENGINE_BRIDGE=''

# What is called docker may be something else.
engine_client() {
	local client
	mkdir -p "$WORK/bin"
	while read -r client; do
		if timeout -k 5 20 "$client" version --format \
		    '{{.Client.Version}}' 2>/dev/null </dev/null |
		    grep -q '^[0-9]'; then
			ln -sf "$client" "$WORK/bin/docker"
			PATH=$WORK/bin:$PATH
			return
		fi
	done < <(type -aP docker)
	echo "tests: no docker client works (./packages image)" >&2
	return 1
}

engine_is_there() {
	timeout -k 5 30 docker info >/dev/null 2>&1
}

# A network that nobody here has a route to.
_free_network() {
	local n
	for ((n = 0; n < 256; n++)); do
		if ! { ip -4 route show to match "10.231.$n.1"
		    ip -4 route show to root "10.231.$n.0/24"; } |
		    grep -v '^default' | grep -q .; then
			echo "10.231.$n"
			return
		fi
	done
	echo "tests: no network is free" >&2
	return 1
}

# PID 1 of the engine's namespace: all processes that it has started end with it, and
# all mounts.  (A shell adopts and reaps what they leave.)
# shellcheck disable=SC2016
_engine_init='
	mkdir -p /run/containerd && mount -t tmpfs tmpfs /run/containerd || exit
	dockerd "$@" &
	trap "kill -TERM $!" TERM
	while kill -0 $! 2>/dev/null; do wait $!; done'

# With a bridge of its own, and without a look at the firewall: another engine may be
# at work here.  Containers reach the host and are reached from it, and no farther.
# The bridge has an address of its own, too: else it would be that of one of its ports,
# another whenever a container comes or goes, and connections would be cut by that.
engine_start() {
	local network address
	network=$(_free_network) || return
	ENGINE_BRIDGE=mi$$
	address=$(printf '02:42:0a:e7:%02x:01' "${network##*.}")
	ip link add name "$ENGINE_BRIDGE" address "$address" type bridge &&
	    ip addr add "$network.1/24" dev "$ENGINE_BRIDGE" &&
	    ip link set "$ENGINE_BRIDGE" up || return
	mkdir "$WORK/engine"
	echo '{}' >"$WORK/engine/daemon.json"
	export DOCKER_HOST=unix://$WORK/engine/socket
	setpriv --pdeathsig KILL \
	    unshare --mount --pid --fork --kill-child --mount-proc \
	    bash -c "$_engine_init" engine \
	    --config-file "$WORK/engine/daemon.json" \
	    --data-root "$WORK/engine/data" --exec-root "$WORK/engine/exec" \
	    --pidfile "$WORK/engine/pid" -H "$DOCKER_HOST" \
	    --bridge "$ENGINE_BRIDGE" --iptables=false --ip-forward=false \
	    --ip-masq=false >"$WORK/engine/log" 2>&1 </dev/null &
	ENGINE_PID=$!
	if ! wait_for --within 60 "dockerd to answer, or to end" _engine_is_decided ||
	    ! engine_is_there; then
		echo "tests: dockerd does not start:" >&2
		tail -n 20 "$WORK/engine/log" >&2
		return 1
	fi
}

_engine_is_decided() {
	engine_is_there || _engine_has_ended
}

_engine_has_ended() {
	! kill -0 "$ENGINE_PID" 2>/dev/null
}

# Older clients can do it by themselves, newer ones with a plugin that may not be there.
# shellcheck disable=SC2034
engine_buildkit() {
	local client
	while read -r client; do
		if printf 'FROM scratch\nLABEL a=b\n' | DOCKER_BUILDKIT=1 \
		    timeout -k 5 30 "$client" build -q - >/dev/null 2>&1; then
			BUILDKIT=$client
			export DOCKER_BUILDKIT=0
			return
		fi
	done < <(type -aP docker)
}

engine_end() {
	if [ -n "$ENGINE_PID" ]; then
		pkill -TERM -P "$ENGINE_PID" 2>/dev/null
		wait_for "dockerd to end" _engine_has_ended || kill -KILL "$ENGINE_PID"
		wait "$ENGINE_PID" 2>/dev/null
		ENGINE_PID=''
	fi
	[ -z "$ENGINE_BRIDGE" ] || ip link del "$ENGINE_BRIDGE" 2>/dev/null
	ENGINE_BRIDGE=''
}

# podman's own networks change the firewall; this one is a cable to this machine.  Those
# who use it do so one after the other.
_podman_network() {
	local network
	network=$(_free_network) || return
	export PODMAN_NETWORK=$WORK/podman/network PODMAN_ADDRESS=$network.2
	: >"$PODMAN_NETWORK"
	unshare --net="$PODMAN_NETWORK" ip link set lo up &&
	    nsenter --net="$PODMAN_NETWORK" ip link add name eth0 type veth \
	        peer name "mip$$" netns $$ &&
	    nsenter --net="$PODMAN_NETWORK" ip addr add "$PODMAN_ADDRESS/24" dev eth0 &&
	    nsenter --net="$PODMAN_NETWORK" ip link set eth0 up &&
	    ip addr add "$network.1/24" dev "mip$$" &&
	    ip link set "mip$$" up
}

# The limits are given because podman would ask for more than a container on this
# machine may have.
engine_podman() {
	mkdir -p "$WORK/podman"
	cat >"$WORK/podman/containers.conf" <<-'CONF'
	[containers]
	default_ulimits = ["nofile=1024:1024", "nproc=4096:4096"]
	[engine]
	runtime = "runc"
	cgroup_manager = "cgroupfs"
	events_logger = "file"
	CONF
	cat >"$WORK/bin/podman" <<-SCRIPT
	#!/bin/sh
	export CONTAINERS_CONF=$WORK/podman/containers.conf
	exec $(type -P podman) --root $WORK/podman/root \\
	    --runroot $WORK/podman/run "\$@"
	SCRIPT
	chmod 755 "$WORK/bin/podman"
	docker save "$@" | timeout -k 5 120 podman load -q >"$WORK/podman/log" 2>&1 &&
	    _podman_network || {
		echo "tests: podman does not work:"
		cat "$WORK/podman/log"
		return 1
	} >&2
}

# Its network goes with the last mount of it.
engine_podman_end() {
	[ -d "$WORK/podman" ] || return 0
	timeout -k 5 60 "$WORK/bin/podman" pod rm -af -t 0 >/dev/null 2>&1
	timeout -k 5 60 "$WORK/bin/podman" rm -af -t 0 >/dev/null 2>&1
	local mount
	while read -r _ mount _; do
		[[ $mount != "$WORK/podman/"* ]] || umount -l "$mount"
	done < <(tac /proc/self/mounts)
}
