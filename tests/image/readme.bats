#!/usr/bin/env bats
# The README of phusion/baseimage-docker, section by section: what it tells people to
# type works with this image, and does what it says.  readme_podman.bats is this file, for
# podman.

load helpers/image

# --- inspecting, getting started -------------------------------------------------------
@test "inspecting: docker run -t -i IMAGE /sbin/my_init -- bash -l" {
	terminal_start --rm -- /sbin/my_init -- bash -l
	terminal_wait '^\*\*\* Running bash -l\.\.\.$'
	terminal_wait ':/# '
	# A shell with job control, and the terminal's keys.
	terminal_type 'tty; echo "$((6 * 7)) in $$"; sleep 1000\n'
	terminal_wait '^/dev/pts/'
	terminal_wait '^42 in [0-9]'
	terminal_type '\003'
	terminal_type 'echo "code $?"\n'
	terminal_wait '^code 130'
	terminal_type 'sleep 1000 & jobs; kill %%1; initctl status; exit 3\n'
	terminal_wait '^\[1\]\+ +Running +sleep 1000'
	terminal_wait '^syslog +up'
	terminal_end
	[ "$status" -eq 3 ]
	not grep -q 'no job control\|cannot set terminal' <<<"$(terminal)"
	terminal_wait '^\*\*\* bash exited with exit code 3\.$'
}

@test "getting started: the Dockerfile" {
	image_build <<-'END'
	# Use phusion/baseimage as base image. To make your builds reproducible, make
	# sure you lock down to a specific version, not to `latest`!
	# See https://github.com/phusion/baseimage-docker/blob/master/Changelog.md for
	# a list of version numbers.
	FROM BASE
	
	# Set correct environment variables.
	ENV HOME /root
	
	# Regenerate SSH host keys. baseimage-docker does not contain any, so you
	# have to do that yourself. You may also comment out this instruction; the
	# init system will auto-generate one during boot.
	RUN /etc/my_init.d/00_regen_ssh_host_keys.sh
	
	# Use baseimage-docker's init system.
	CMD ["/sbin/my_init"]
	
	# ...put your own build instructions here...
	
	# Clean up APT when done.
	RUN apt-get clean && rm -rf /var/lib/apt/lists/* /tmp/* /var/tmp/*
	END
	local in_image
	container_run --image "$BUILT" -- sh -c 'cat /etc/ssh/ssh_host_*_key.pub'
	in_image=$stdout
	[ "$(wc -l <<<"$in_image")" -ge 2 ]
	container_start --image "$BUILT" -- /sbin/my_init --enable-insecure-key
	healthy
	# The keys of the image stay those of its containers.
	[ "$(inside sh -c 'cat /etc/ssh/ssh_host_*_key.pub')" = "$in_image" ]
	[ "$(ssh_in "$(insecure_key)" "$(address)" whoami)" = root ]
	no_log 'Generating'
	stops_with 0 5000
}

# --- adding a daemon ---------------------------------------------------------------------
@test "adding additional daemons: memcached" {
	in_context memcached.sh 755 <<-'END'
	#!/bin/sh
	# `/sbin/setuser memcache` runs the given command as the user `memcache`.
	# If you omit that part, the command will be run as root.
	exec /sbin/setuser memcache /usr/bin/memcached >>/var/log/memcached.log 2>&1
	END
	image_build <<-'END'
	FROM BASE
	RUN apt-get update && apt-get install -y memcached
	RUN mkdir /etc/service/memcached
	ADD memcached.sh /etc/service/memcached/run
	END
	container_start --image "$BUILT"
	healthy
	service_is memcached state up
	_memcached() {
		timeout 5 bash -c 'exec 3<>/dev/tcp/$1/11211 && printf "version\r\n" >&3 &&
		    read -r line <&3 && [[ $line == VERSION* ]]' memcached "$(address)"
	}
	wait_for "an answer" _memcached
	local pid
	pid=$(inside initctl --json status memcached | jq .services[0].pid)
	[ "$(inside cat "/proc/$pid/comm")" = memcached ]
	[ "$(inside stat -c %U "/proc/$pid")" = memcache ]
	inside test -f /var/log/memcached.log
	# "runit will keep it up and running for you, restarting it when it crashes"
	inside kill -KILL "$pid"
	wait_service memcached restarts 1
	wait_service memcached state up
	wait_for "an answer" _memcached
	stops_with 0 5000
}

# --- startup scripts ---------------------------------------------------------------------
@test "running scripts during container startup: logtime.sh, rc.local, a failing one" {
	in_context logtime.sh 755 <<-'END'
	#!/bin/sh
	date > /tmp/boottime.txt
	END
	in_context rc.local 755 <<-'END'
	#!/bin/sh
	cp /tmp/boottime.txt /tmp/copied.txt
	END
	image_build <<-'END'
	FROM BASE
	RUN mkdir -p /etc/my_init.d
	ADD logtime.sh /etc/my_init.d/logtime.sh
	ADD rc.local /etc/rc.local
	END
	container_start --image "$BUILT"
	booted
	[ -n "$(inside cat /tmp/boottime.txt)" ]
	inside cmp /tmp/boottime.txt /tmp/copied.txt
	said 4 '^\*\*\* Running'
	[ "$(logs | grep '^\*\*\* Running')" = \
	    "*** Running /etc/my_init.d/00_regen_ssh_host_keys.sh...
*** Running /etc/my_init.d/05_syslog...
*** Running /etc/my_init.d/logtime.sh...
*** Running /etc/rc.local..." ]
	# "If any script exits with a non-zero exit code, the booting will fail."
	in_context logtime.sh 755 <<-'END'
	#!/bin/sh
	echo "a secret is missing" >&2
	exit 5
	END
	image_build <<-'END'
	FROM BASE
	ADD logtime.sh /etc/my_init.d/logtime.sh
	END
	container_run --image "$BUILT"
	[ "$status" -eq 5 ]
	grep -q '^\*\*\* /etc/my_init.d/logtime.sh failed with status 5' <<<"$stderr"
	grep -q '^a secret is missing$' <<<"$stderr"
	not grep -q 'Booting' <<<"$stderr"
}

# --- one-shot ----------------------------------------------------------------------------
@test "one-shot: docker run IMAGE /sbin/my_init -- ls" {
	container_run -- /sbin/my_init -- ls
	[ "$status" -eq 0 ]
	diff - <(grep '^\*\*\* ' <<<"$stderr" | sed 's/PID [0-9]*/PID N/
	    /sshd: nobody could log in/d') <<-'END'
	*** Running /etc/my_init.d/00_regen_ssh_host_keys.sh...
	*** Running /etc/my_init.d/05_syslog...
	*** Booting runit daemon...
	*** Runit started as PID N
	*** Running ls...
	*** ls exited with exit code 0.
	*** Shutting down runit daemon (PID N)...
	*** Killing all processes...
	END
	grep -qx 'bin' <<<"$stdout"
	grep -qx 'var' <<<"$stdout"
}

@test "one-shot: --skip-startup-files --quiet prints the listing and nothing else" {
	container_run -- ls
	local listing=$stdout
	container_run -- /sbin/my_init --skip-startup-files --quiet -- ls
	[ "$status" -eq 0 ]
	diff <(echo "$listing") <(echo "$stdout")
	no_stderr
	# ... not only because it is faster than syslog and cron:
	container_run -- /sbin/my_init --skip-startup-files --quiet -- sh -c '
		sv -w 30 start syslog cron >/dev/null
		until [ -e /run/crond.reboot ]; do :; done
		logger -p user.debug done
		until grep -q done /var/log/syslog; do :; done
		ls'
	[ "$status" -eq 0 ]
	diff <(echo "$listing") <(echo "$stdout")
	no_stderr
}

@test "one-shot: exit codes, services beside the command, arguments" {
	container_run -- /sbin/my_init --quiet -- sh -c 'exit 42'
	[ "$status" -eq 42 ]
	container_run -- /sbin/my_init --quiet -- logger -s a word
	[ "$status" -eq 0 ]
	grep -q 'a word' <<<"$stderr"
	container_run -- /sbin/my_init -- printf '%s|' 'one two' '' "it's"
	[[ "$stdout" == *"one two||it's|"* ]]
}

@test "my_init --help" {
	container_run -- /sbin/my_init --help
	[ "$status" -eq 0 ]
	no_stderr
	local option
	for option in --enable-insecure-key --skip-startup-files --skip-runit \
	    --no-kill-all-on-exit --quiet; do
		grep -qe "$option" <<<"$stdout"
	done
	grep -q 'Initialize the system' <<<"$stdout"
	container_run -- /sbin/my_init --nonsense
	[ "$status" -eq 2 ]
}

# --- environment variables ---------------------------------------------------------------
@test "centrally defining your own environment variables: MY_NAME" {
	image_build <<-'END'
	FROM BASE
	RUN echo -n Apachai Hopachai > /etc/container_environment/MY_NAME
	END
	terminal_start --image "$BUILT" --rm -- /sbin/my_init -- bash -l
	terminal_wait '^\*\*\* Running bash -l\.\.\.$'
	terminal_wait ':/# '
	terminal_type 'echo $MY_NAME\n'
	terminal_wait '^Apachai Hopachai$'
	terminal_type 'exit\n'
	terminal_end
	[ "$status" -eq 0 ]
	# What the container is started with, wins.
	container_run --image "$BUILT" -e MY_NAME=other -- \
	    /sbin/my_init --quiet -- printenv MY_NAME
	[ "$(tail -n 1 <<<"$stdout")" = other ]
}

@test "environment variable dumps: the example session" {
	terminal_start --env FOO=bar --env HELLO='my beautiful world' --rm -- \
	    /sbin/my_init -- bash -l
	terminal_wait '^\*\*\* Running bash -l\.\.\.$'
	terminal_wait ':/# '
	terminal_type 'ls -C /etc/container_environment\n'
	# (podman has a variable of its own.)
	terminal_wait '^(container\s+)?FOO\s+HELLO\s+HOSTNAME .*PATH\s+TERM'
	terminal_type 'cat /etc/container_environment/HELLO; echo\n'
	terminal_wait '^my beautiful world$'
	terminal_type 'cat /etc/container_environment.json; echo\n'
	terminal_wait '^\{.*"HELLO": ?"my beautiful world".*\}$'
	terminal | grep '^{.*}$' |
	    jq -e '.FOO == "bar" and .TERM == "xterm" and .HOME == "/root" and
	        (.PATH | startswith("/usr/local/sbin")) and .HOSTNAME != null'
	terminal_type 'unset HELLO; source /etc/container_environment.sh\n'
	terminal_type 'echo "again $HELLO"\n'
	terminal_wait '^again my beautiful world$'
	terminal_type 'exit\n'
	terminal_end
	[ "$status" -eq 0 ]
}

@test "environment variable dumps: hard values come out of all three as they went in" {
	local hard=$'a \'b\' "c" $d `e` \\ é\nnext line'
	container_start -e HARD="$hard" -e EMPTY= -e a.b-c=dotted
	booted
	[ "$(inside sh -c 'cat /etc/container_environment/HARD; echo .')" = "$hard." ]
	[ "$(inside env -i sh -c '. /etc/container_environment.sh; printf "%s." "$HARD"')" = \
	    "$hard." ]
	[ "$(inside cat /etc/container_environment.json | jq -r '.HARD + "."')" = "$hard." ]
	[ "$(inside cat /etc/container_environment.json | jq -c '[.EMPTY, .["a.b-c"]]')" = \
	    '["","dotted"]' ]
	[ -z "$(inside bash -c '. /etc/container_environment.sh' 2>&1)" ]
}

@test "modifying environment variables in a startup script" {
	in_context 10_first.sh 755 <<-'END'
	#!/bin/sh
	echo -n changed >/etc/container_environment/CHANGED
	echo -n new >/etc/container_environment/NEW
	rm /etc/container_environment/GONE
	export HERE_ONLY=yes
	echo 'export NEVER=1' >>/etc/container_environment.sh
	END
	in_context 20_second.sh 755 <<-'END'
	#!/bin/sh
	echo "second: $CHANGED,$NEW,${GONE-gone},${HERE_ONLY-gone},${NEVER-gone}"
	END
	in_context run 755 <<-'END'
	#!/bin/sh
	echo "service: $CHANGED,$NEW,${GONE-gone},${HERE_ONLY-gone},${NEVER-gone}"
	echo -n late >/etc/container_environment/CHANGED
	exec sleep 1000
	END
	image_build <<-'END'
	FROM BASE
	ADD 10_first.sh 20_second.sh /etc/my_init.d/
	ADD run /etc/service/a/run
	END
	container_start --image "$BUILT" -e CHANGED=old -e GONE=there
	wait_log '^second: changed,new,gone,gone,gone$'
	wait_log '^service: changed,new,gone,gone,gone$'
	booted
	# "Runit services cannot modify the environment like that."
	wait_for "it to have tried" inside grep -q late /etc/container_environment/CHANGED
	inside sv restart a
	wait_for "the second start" _said_twice
	[ "$(inside env -i sh -c '. /etc/container_environment.sh
	    echo $CHANGED,$NEW,${GONE-gone},${NEVER-gone}')" = changed,new,gone,gone ]
	[ "$(inside cat /etc/container_environment.json |
	    jq -c '[.CHANGED, .NEW, .GONE]')" = '["changed","new",null]' ]
}

_said_twice() {
	[ "$(count_log '^service: changed,new,gone,gone,gone$')" -eq 2 ]
}

@test "security: for root alone, until the Dockerfile says otherwise" {
	container_start -e SECRET=1
	booted
	not inside setuser nobody cat /etc/container_environment/SECRET
	not inside setuser nobody cat /etc/container_environment.sh
	not inside setuser nobody cat /etc/container_environment.json
	image_build <<-'END'
	FROM BASE
	RUN chmod 755 /etc/container_environment
	RUN chmod 644 /etc/container_environment.sh /etc/container_environment.json
	END
	container_start --image "$BUILT" -e SECRET=1
	booted
	[ "$(inside stat -c %a /etc/container_environment /etc/container_environment.sh \
	    /etc/container_environment.json | tr '\n' ' ')" = '755 644 644 ' ]
	inside setuser nobody ls /etc/container_environment | grep -qx SECRET
	inside setuser nobody sh -c '. /etc/container_environment.sh; [ $SECRET = 1 ]'
	[ "$(inside setuser nobody cat /etc/container_environment.json |
	    jq -r .SECRET)" = 1 ]
}

# --- ssh ---------------------------------------------------------------------------------
@test "login: the insecure key for one container only" {
	container_start -- /sbin/my_init --enable-insecure-key
	healthy
	said 1 '^\*\*\* Installing insecure SSH key for user root$'
	local ip
	# (podman does not know where in a network that is not its own a container is.)
	ip=$(docker inspect "$CONTAINER" | grep IPAddress | tail -n 1 | cut -d '"' -f 4)
	[ $ENGINE = docker ] || ip=$(address)
	cp "$(insecure_key)" "$OUTPUT/key"
	chmod 600 "$OUTPUT/key"
	[ "$(ssh_in "$OUTPUT/key" "$ip" 'id -un; hostname')" = \
	    "$(printf 'root\n%s' "$(inside hostname)")" ]
	# "If you docker stop and docker start the container, the insecure key will
	# still be there"
	stops_with 0 5000
	docker start "$CONTAINER" >/dev/null
	booted
	[ "$(inside wc -l /root/.ssh/authorized_keys)" = '1 /root/.ssh/authorized_keys' ]
	[ "$(ssh_in "$OUTPUT/key" "$(address)" echo again)" = again ]
	# "... a new container ... will not contain the insecure key"
	container_start
	booted
	not inside test -e /root/.ssh/authorized_keys
}

@test "login: the insecure key permanently" {
	image_build <<-'END'
	FROM BASE
	RUN /usr/sbin/enable_insecure_key
	END
	container_start --image "$BUILT"
	healthy
	[ "$(ssh_in "$(insecure_key)" "$(address)" whoami)" = root ]
	stops_with 0 5000
}

@test "login: your own key" {
	ssh-keygen -q -t ed25519 -N '' -f "$OUTPUT/own"
	mkdir -p "$BATS_TEST_TMPDIR/context"
	cp "$OUTPUT/own.pub" "$BATS_TEST_TMPDIR/context/your_key"
	image_build <<-'END'
	FROM BASE
	## Install an SSH of your choice.
	ADD your_key /tmp/your_key
	RUN cat /tmp/your_key >> /root/.ssh/authorized_keys && rm -f /tmp/your_key
	END
	container_start --image "$BUILT"
	healthy
	[ "$(ssh_in "$OUTPUT/own" "$(address)" whoami)" = root ]
	not ssh_in "$(insecure_key)" "$(address)" true
}

@test "disabling SSH" {
	image_build <<-'END'
	FROM BASE
	RUN rm -rf /etc/service/sshd /etc/my_init.d/00_regen_ssh_host_keys.sh
	END
	container_start --image "$BUILT"
	healthy
	[ "$(inside initctl --json status | jq -c '[.services[].name]')" = \
	    '["cron","syslog"]' ]
	no_log 'ssh'
	stops_with 0 5000
}

# --- building ----------------------------------------------------------------------------
@test "building: make build NAME=joe/baseimage" {
	local name=$IMAGES/${RUN_ID,,}/joe/baseimage version
	make -C "$BATS_TEST_DIRNAME/../.." build NAME="$name" ENGINE=$ENGINE \
	    BASE_IMAGE="$IMAGES/base:bookworm" BUILD_OPTIONS='--network host' \
	    >"$OUTPUT/make" 2>&1 || {
		tail -n 50 "$OUTPUT/make" >&2
		return 1
	}
	docker image ls --format '{{.Repository}}:{{.Tag}}' "$name" >"$OUTPUT/tags"
	cat "$OUTPUT/tags" >>"$OUTPUT/images"
	grep -qx "$name:latest" "$OUTPUT/tags"
	version=$(docker image inspect -f \
	    '{{index .Config.Labels "org.opencontainers.image.version"}}' "$name")
	grep -qx "$name:$version" "$OUTPUT/tags"
	# What it adds to the base is said, and is so.
	local base image
	base=$(docker image inspect -f '{{.Size}}' "$IMAGES/base:bookworm")
	image=$(docker image inspect -f '{{.Size}}' "$name")
	[ "$(grep ' KiB' "$OUTPUT/make" | tail -n 1)" = "$name: $((image / 1024)) KiB, adds $((
	    (image - base) / 1024)) KiB to $IMAGES/base:bookworm" ]
	container_run --image "$name" -- /sbin/my_init --version
	grep -qF "$version" <<<"$stdout"
}
