#!/usr/bin/env bats
# The image in podman: what is not in the README of phusion/baseimage-docker, which
# readme_podman.bats goes through.

load helpers/image

@test "podman run -d: services, initctl by podman exec, podman stop" {
	container_start --network none
	healthy
	service_is cron state up
	service_is syslog state up
	inside logger hi podman
	wait_log 'hi podman'
	inside initctl restart cron
	inside sv status cron syslog | grep -c '^run: ' | grep -qx 2
	inside initctl stop cron
	service_is cron state down
	stops_with 0 4000
}

@test "podman run: one-shot, exit codes" {
	container_run --network none -- /sbin/my_init -- ls /
	[ "$status" -eq 0 ]
	grep -qx bin <<<"$stdout"
	[[ "$stderr" == *"*** Running ls /..."* ]]
	container_run --network none -- /sbin/my_init --quiet -- sh -c 'exit 42'
	[ "$status" -eq 42 ]
	container_run --network none -- /sbin/my_init --quiet -- sh -c 'kill -KILL $$'
	[ "$status" -eq 137 ]
	container_run --network none -- /sbin/my_init --quiet -- /no/such
	[ "$status" -eq 127 ]
	container_run --network none -- /sbin/my_init --skip-startup-files --quiet -- \
	    sh -c 'echo one line'
	[ "$stdout" = 'one line' ]
	no_stderr
}

@test "the environment: dumps, -e over a file, podman's own variable container" {
	container_start --network none -e FOO=bar -e LANG=C.UTF-8
	booted
	[ "$(inside cat /etc/container_environment/FOO)" = bar ]
	[ "$(inside env -i sh -c '. /etc/container_environment.sh; echo $FOO $LANG $container')" = \
	    'bar C.UTF-8 podman' ]
	[ "$(inside cat /etc/container_environment.json | jq -r .FOO)" = bar ]
	[ "$(inside env -i bash -l -c 'echo $FOO')" = bar ]
}

@test "services of other users: redis and memcached, by setuser and chpst" {
	container_start --image $IMAGES/daemons --network none
	booted
	inside sh -c '
		mkdir /etc/service/.redis /etc/service/.memcached
		printf "#!/bin/sh\nexec setuser redis redis-server --dir /var/lib/redis\n" \
		    >/etc/service/.redis/run
		printf "#!/bin/sh\nexec chpst -u memcache memcached\n" \
		    >/etc/service/.memcached/run
		chmod 755 /etc/service/.*/run
		mv /etc/service/.redis /etc/service/redis
		mv /etc/service/.memcached /etc/service/memcached'
	wait_service redis state up
	wait_service memcached state up
	wait_for "redis" inside redis-cli ping
	runs_as redis-server redis
	runs_as memcached memcache
	stops_with 0 4000
}

@test "--user, --read-only, --cap-drop ALL, no-new-privileges" {
	container_start --network none --user 1234 --read-only --cap-drop ALL \
	    --security-opt no-new-privileges
	healthy
	stops_with 0 4000
	container_start --network none --read-only --tmpfs /run --tmpfs /tmp
	healthy
	service_is cron state up
	service_is syslog state up
	stops_with 0 4000
}

@test "--init: below catatonit" {
	container_start --network none --init
	healthy
	[ "$(inside cat /proc/1/comm)" != my_init ]
	stops_with 0 4000
}

@test "in a pod, and in one whose processes share one PID namespace" {
	local pod share
	for share in net,ipc pid,net,ipc; do
		pod=$(unique)_${share%%,*}
		docker pod create --name "$pod" --network none --share "$share" >/dev/null
		container_start --pod "$pod"
		healthy
		service_is cron state up
		if [[ $share == pid* ]]; then
			said 1 '^\*\*\* my_init is PID [0-9]*, not PID 1'
		fi
		stops_with 0 4000
		docker pod rm -f -t 0 "$pod" >/dev/null
	done
}

@test "podman restart, podman kill and start" {
	container_start --network none -- /sbin/my_init --enable-insecure-key
	booted
	wait_service sshd state up
	wait_for "host keys" inside test -s /etc/ssh/ssh_host_ed25519_key.pub
	local before
	before=$(inside cat /etc/ssh/ssh_host_ed25519_key.pub)
	docker restart -t 10 "$CONTAINER" >/dev/null
	booted
	wait_service sshd state up
	[ "$(inside cat /etc/ssh/ssh_host_ed25519_key.pub)" = "$before" ]
	docker kill "$CONTAINER" >/dev/null
	container_wait
	[ "$status" -eq 137 ]
	docker start "$CONTAINER" >/dev/null
	booted
	service_is cron state up
	stops_with 0 5000
}

@test "podman commit of a running container: other host keys" {
	container_start --network none -- /sbin/my_init --enable-insecure-key
	booted
	wait_for "host keys" inside test -s /etc/ssh/ssh_host_ed25519_key.pub
	local before
	before=$(inside cat /etc/ssh/ssh_host_ed25519_key.pub)
	BUILT=$(unique)
	echo "$BUILT" >>"$OUTPUT/images"
	docker commit -q -c 'CMD ["/sbin/my_init"]' "$CONTAINER" "$BUILT" >/dev/null
	container_start --image "localhost/$BUILT" --network none
	booted
	wait_log "^\*\*\* sshd: the host keys are another container's"
	wait_for "sshd" inside pidof sshd
	[ "$(inside cat /etc/ssh/ssh_host_ed25519_key.pub)" != "$before" ]
}
