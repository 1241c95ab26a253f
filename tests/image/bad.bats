#!/usr/bin/env bats
# Images and containers that something is wrong with: they boot with what is right,
# and say what is not.

load helpers/image

@test "DISABLE_SSH=1 and --enable-insecure-key: one line, and it boots" {
	container_start --image my_init_test/minimal -- /sbin/my_init --enable-insecure-key
	healthy
	said 1 '^\*\*\* Cannot enable the insecure key: /usr/sbin/enable_insecure_key'
	not inside initctl enable-insecure-key
	stops_with 0 3000
}

@test "no ssh (README's way) and --enable-insecure-key: no sshd, and it boots" {
	image_build <<-'END'
	FROM BASE
	RUN rm -rf /etc/service/sshd /etc/my_init.d/00_regen_ssh_host_keys.sh
	END
	container_start --image "$BUILT" -- /sbin/my_init --enable-insecure-key
	healthy
	stops_with 0 5000
}

@test "authorized_keys: rubbish lets nobody in; a good key after it does" {
	ssh-keygen -q -t ed25519 -N '' -f "$OUTPUT/own"
	image_build <<-'END'
	FROM BASE
	RUN head -c 3000 /dev/urandom >/root/.ssh/authorized_keys
	END
	container_start --image "$BUILT" -p 127.0.0.1::22
	healthy
	service_is sshd state down
	said 1 '^\*\*\* sshd: nobody could log in'
	docker exec -i "$CONTAINER" sh -c \
	    '(echo; cat) >>/root/.ssh/authorized_keys' <"$OUTPUT/own.pub"
	inside initctl start sshd
	[ "$(ssh_in "$OUTPUT/own" "$(port_of 22)" whoami)" = root ]
}

@test "authorized_keys is a directory, a dangling link, empty: no sshd, and it boots" {
	local kind
	for kind in 'mkdir' 'ln -s /nowhere' 'touch'; do
		image_build <<-END
		FROM BASE
		RUN $kind /root/.ssh/authorized_keys
		END
		container_start --image "$BUILT"
		healthy
		service_is sshd state down
		stops_with 0 5000
	done
}

@test "no /etc/passwd: it boots and stops; setuser fails" {
	image_build <<-'END'
	FROM BASE
	RUN rm /etc/passwd && mkdir /etc/service/a && \
	    printf '#!/bin/sh\nexec sleep 1000\n' >/etc/service/a/run && \
	    chmod 755 /etc/service/a/run
	END
	container_start --image "$BUILT"
	wait_service a state up
	not inside setuser www-data true
	stops_with 0 5000
}

@test "a service of a user who is not there: it is not run as root; others run" {
	image_build <<-'END'
	FROM BASE
	RUN mkdir /etc/service/a /etc/service/b && \
	    printf '#!/bin/sh\nexec setuser nosuch touch /ran\n' >/etc/service/a/run && \
	    printf '#!/bin/sh\nexec sleep 1000\n' >/etc/service/b/run && \
	    chmod 755 /etc/service/?/run
	END
	container_start --image "$BUILT"
	wait_log '^setuser: user nosuch not found'
	wait_service a 'restarts >= 1' true
	service_is a exit.code 1
	service_is b state up
	service_is b restarts 0
	not inside test -e /ran
	stops_with 0 5000
}

@test "an error in sshd's configuration: sshd is down and says why, others are up" {
	image_build <<-'END'
	FROM BASE
	RUN /usr/sbin/enable_insecure_key && echo 'NoSuchOption yes' >>/etc/ssh/sshd_config
	END
	container_start --image "$BUILT" -p 127.0.0.1::22
	wait_log '^\*\*\* sshd: .*NoSuchOption'
	healthy
	service_is sshd state down
	service_is cron state up
	service_is syslog state up
	[ "$(count_log '^\*\*\* sshd: .*NoSuchOption')" -eq 1 ]
	# Repaired, it can be started.
	inside sed -i /NoSuchOption/d /etc/ssh/sshd_config
	inside initctl start sshd
	[ "$(ssh_in "$(insecure_key)" "$(port_of 22)" whoami)" = root ]
	stops_with 0 5000
}

@test "no room for host keys: sshd is down and says why; no half of a key" {
	docker run --rm --network none $BASE cat /etc/ssh/sshd_config \
	    >"$OUTPUT/sshd_config"
	container_start --tmpfs /etc/ssh:size=12k,mode=755 \
	    -v "$OUTPUT/sshd_config:/etc/ssh/sshd_config:ro" \
	    -- /sbin/my_init --enable-insecure-key
	wait_log '^\*\*\* sshd: cannot make host keys'
	healthy
	service_is sshd state down
	[ -z "$(inside find /etc/ssh -name '*ssh_host_*')" ]
	service_is cron state up
	stops_with 0 5000
}

@test "no source of entropy: sshd is down and says why; no half of a key" {
	image_build <<-'END'
	FROM BASE
	RUN printf '#!/bin/sh\nrm /dev/random /dev/urandom\n' >/etc/my_init.d/00_no_entropy && \
	    chmod 755 /etc/my_init.d/00_no_entropy
	END
	cat >"$OUTPUT/seccomp.json" <<-'END'
	{ "defaultAction": "SCMP_ACT_ALLOW",
	  "syscalls": [{ "names": ["getrandom"], "action": "SCMP_ACT_ERRNO", "errnoRet": 38 }] }
	END
	container_start --image "$BUILT" --security-opt "seccomp=$OUTPUT/seccomp.json" \
	    -- /sbin/my_init --enable-insecure-key
	wait_log '^\*\*\* sshd: cannot make host keys in /etc/ssh: PRNG is not seeded; stays down'
	# In one line: no carriage return, which logs would not show.
	docker logs "$CONTAINER" 2>&1 | grep '^\*\*\* sshd' >"$OUTPUT/said"
	not grep -q $'\r' "$OUTPUT/said"
	healthy
	service_is sshd state down
	[ -z "$(inside find /etc/ssh -name '*ssh_host_*')" ]
	service_is cron state up
	[ "$(inside setuser nobody id -un)" = nobody ]
	stops_with 0 5000
}

@test "the clock says 1970: host keys are made, ssh lets in, all is in order" {
	image_build <<-'END'
	FROM BASE
	RUN install_clean libfaketime
	END
	# shellcheck disable=SC2016
	container_start --image "$BUILT" -e FAKETIME='@1970-01-01 00:00:30' \
	    -e FAKETIME_DONT_FAKE_MONOTONIC=1 \
	    -e 'LD_PRELOAD=/usr/$LIB/faketime/libfaketime.so.1' \
	    -- /sbin/my_init --enable-insecure-key
	healthy
	[ "$(inside date +%Y)" = 1970 ]
	wait_service sshd state up
	[ "$(inside find /etc/ssh -name 'ssh_host_*_key' -size +0 | wc -l)" -eq 3 ]
	[ "$(ssh_in "$(insecure_key)" "$(address)" whoami)" = root ]
	inside logger of long ago
	wait_log ' of long ago$'
	inside initctl restart cron
	stops_with 0 5000
}

@test "host keys in a volume stay, whatever container has it" {
	local volume
	volume=$(unique)
	docker volume create --label "my_init_test=$RUN_ID" "$volume" >/dev/null
	container_start -v "$volume:/etc/ssh" -- /sbin/my_init --enable-insecure-key
	booted
	wait_for "host keys" inside test -s /etc/ssh/ssh_host_ed25519_key.pub
	wait_service sshd state up
	local before
	before=$(inside sh -c 'cat /etc/ssh/ssh_host_*_key.pub')
	stops_with 0 5000
	docker rm "$CONTAINER" >/dev/null
	container_start -v "$volume:/etc/ssh" -- /sbin/my_init --enable-insecure-key
	booted
	[ "$(ssh_in "$(insecure_key)" "$(address)" whoami)" = root ]
	[ "$(inside sh -c 'cat /etc/ssh/ssh_host_*_key.pub')" = "$before" ]
	docker rm -f "$CONTAINER" >/dev/null
	docker volume rm "$volume" >/dev/null
}

@test "docker commit of a running container, run twice: other host keys, fresh state" {
	local first keys=() pids=() n
	container_start -e ONCE=yes -- /sbin/my_init --enable-insecure-key
	healthy
	wait_for "host keys" inside test -s /etc/ssh/ssh_host_ed25519_key.pub
	wait_service sshd state up
	keys+=("$(inside cat /etc/ssh/ssh_host_ed25519_key.pub)")
	BUILT=$(unique)
	echo "$BUILT" >>"$OUTPUT/images"
	docker commit -c 'CMD ["/sbin/my_init"]' "$CONTAINER" "$BUILT" >/dev/null
	for n in 1 2; do
		container_start --image "$BUILT" -e SECOND=$n
		healthy
		[ "$(ssh_in "$(insecure_key)" "$(address)" whoami)" = root ]
		keys+=("$(inside cat /etc/ssh/ssh_host_ed25519_key.pub)")
		[ "$(inside sh -c 'sv status /etc/service/*' | grep -c '^run: ')" -eq 3 ]
		said 1 "^\*\*\* sshd: the host keys are another container's"
		inside env -i sh -c ". /etc/container_environment.sh; [ \$SECOND = $n ]"
	done
	[ "$(printf '%s\n' "${keys[@]}" | sort -u | wc -l)" -eq 3 ]
	# Both of them at once, and each stops.
	stops_with 0 5000
}

@test "docker restart: leftovers of /run are nobody's; what was given by -e is not doubled" {
	container_start -e GIVEN=1 -p 127.0.0.1::22 -- /sbin/my_init --enable-insecure-key
	healthy
	inside sh -c 'echo 1 >/run/sshd.pid; echo 1 >/run/crond.pid; echo 1 >/run/rsyslogd.pid
	    echo rubbish >/run/my_init/rubbish; echo -n stale >/etc/container_environment/STALE
	    echo "export JUNK=1" >>/etc/container_environment.sh'
	local n
	for n in 1 2; do
		docker restart -t 10 "$CONTAINER" >/dev/null
		booted
		[ "$(inside sh -c 'sv status /etc/service/*' | grep -c '^run: ')" -eq 3 ]
		inside initctl --json status | jq -e 'all(.services[]; .restarts == 0)'
		[ "$(ssh_in "$(insecure_key)" "$(port_of 22)" whoami)" = root ]
		[ "$(inside env -i sh -c '. /etc/container_environment.sh
		    echo $GIVEN${JUNK-}')" = 1 ]
		wait_for "no zombie" no_zombies
	done
	stops_with 0 5000
}

cron_pid_is_written() {
	local pid
	pid=$(inside cat /etc/service/cron/supervise/pid) &&
	    [ "$pid" = "$(inside initctl --json status cron | jq '.services[0].pid')" ]
}

@test "docker kill (PID 1 has no chance), then docker start" {
	container_start -p 127.0.0.1::22 -- /sbin/my_init --enable-insecure-key
	booted
	inside sh -c 'printf "#!/bin/sh\n! ls /etc/service/cron/supervise/pid\n" >/etc/my_init.d/no_pid
	    chmod 755 /etc/my_init.d/no_pid'
	docker kill "$CONTAINER" >/dev/null
	container_wait
	[ "$status" -eq 137 ]
	docker start "$CONTAINER" >/dev/null
	booted
	wait_for "cron's new pid" cron_pid_is_written
	[ "$(inside sh -c 'sv status /etc/service/*' | grep -c '^run: ')" -eq 3 ]
	[ "$(ssh_in "$(insecure_key)" "$(port_of 22)" whoami)" = root ]
	inside logger still here
	wait_log 'still here'
	stops_with 0 5000
}

@test "/var/log in a volume that is full: it boots, services run, it stops" {
	container_start --tmpfs /var/log:size=8k,mode=755
	booted
	inside sh -c 'dd if=/dev/zero of=/var/log/full bs=1k count=100' 2>/dev/null || :
	inside logger on a full disk
	wait_log 'on a full disk'
	service_is syslog state up
	service_is cron state up
	no_line_twice
	stops_with 0 5000
}

@test "junk in the environment: PID 1 and the services do not care" {
	container_start -e LD_PRELOAD=/nowhere.so -e LD_LIBRARY_PATH=/tmp -e MALLOC_CHECK_=3 \
	    -e PATH=/sbin:/usr/sbin:/bin:/usr/bin -e IFS=x -e ENV=/dev/full
	booted
	service_is syslog state up
	service_is cron state up
	stops_with 0 5000
}
