#!/usr/bin/env bats
# What is in the image, and that each component does its work.

load helpers/image

# cron's clock ticks once a minute: its container is started first and asked last.  Of
# its tabs some have two links, made in a layer below and at boot.  (Where they are is of
# another day: cron tells by the second whether something has changed.  A tab that it
# finds while it is being written would stay empty to it; so one of root's is written when
# it has looked for the first time, which its mark for @reboot tells, and where it is
# becomes as old as cron has not seen it, should cron have looked in between.)
setup_file() {
	[ -n "${RUN_ID-}" ] || return 0
	export CRON=my_init_test_${RUN_ID,,}_cron
	timeout 300 docker build -q --force-rm -t "$CRON" - >/dev/null <<-'END'
	FROM my_init_test/bookworm
	RUN echo '* * * * * root . /etc/container_environment.sh; echo "cron: $GREETING" >/proc/1/fd/1 2>&1' \
	        >/etc/cron.d/greet && \
	    echo '* * * * * root echo "two links, cron.d" >/proc/1/fd/1' \
	        >/etc/cron.d/linked && \
	    echo '* * * * * echo "two links, crontab" >/tmp/linked' | \
	        crontab -u www-data - && \
	    echo '* * * * * root echo "two links, at boot" >/proc/1/fd/1' >/tabs && \
	    ln /etc/cron.d/linked /other && \
	    ln /var/spool/cron/crontabs/www-data /another && \
	    printf '#!/bin/sh\n' >/etc/cron.hourly/linked && \
	    ln /etc/cron.hourly/linked /the_third && \
	    printf '#!/bin/sh\nln /tabs /etc/cron.d/at_boot\n%s\n' \
	        'touch -d "2 days ago" /etc/cron.d' >/etc/my_init.d/link && \
	    chmod 755 /etc/my_init.d/link && \
	    touch -d '2 days ago' /etc/cron.d /etc/cron.hourly /var/spool/cron/crontabs
	END
	docker run -d --name "$CRON" --label "my_init_test=$RUN_ID" \
	    -e GREETING='good morning' "$CRON" >/dev/null
	timeout 60 docker exec "$CRON" \
	    sh -c 'until [ -e /run/crond.reboot ]; do sleep 0.1; done'
	docker exec -i "$CRON" sh -c \
	    'crontab - && touch -d yesterday /var/spool/cron/crontabs' <<-'TAB'
	SHELL=/bin/bash
	BASH_ENV=/etc/container_environment.sh
	* * * * * echo "crontab: $GREETING" >/proc/1/fd/1 2>&1
	TAB
}

teardown_file() {
	[ -n "${CRON-}" ] || return 0
	docker rm -f -v "$CRON" >/dev/null 2>&1
	docker image rm -f "$CRON" >/dev/null 2>&1
}

# --- what is in it -------------------------------------------------------------------
@test "the image: a command, no entry point, no port, TERM, no health check" {
	[ "$(docker image inspect -f '{{json .Config.Cmd}} {{json .Config.Entrypoint}}
	    {{- json .Config.ExposedPorts}} {{.Config.StopSignal}}
	    {{- json .Config.Volumes}}' $BASE)" = \
	    '["/sbin/my_init"] nullnull SIGTERMnull' ]
	docker image inspect $BASE | jq -e '.[0].Config.Healthcheck == null and
	    (.[0].Config.User // "") == "" and
	    .[0].Config.Labels["org.opencontainers.image.version"] != null'
}

@test "owners and modes" {
	local expected='
700 root:root /etc/container_environment
640 root:docker_env /etc/container_environment.json
640 root:docker_env /etc/container_environment.sh
600 root:root /etc/crontab
644 root:root /etc/insecure_key.pub
755 root:root /etc/my_init.d
755 root:root /etc/my_init.d/00_regen_ssh_host_keys.sh
755 root:root /etc/my_init.post_shutdown.d
755 root:root /etc/my_init.pre_shutdown.d
755 root:root /etc/service
755 root:root /etc/service/cron/run
755 root:root /etc/service/sshd/run
755 root:root /etc/service/syslog/run
644 root:root /etc/ssh/sshd_config
700 root:root /root
700 root:root /root/.ssh
755 root:root /run/sshd
755 root:root /sbin/initctl
755 root:root /sbin/install_clean
755 root:root /sbin/my_init
755 root:root /sbin/setuser
1777 root:root /tmp
755 root:root /usr/bin/chpst
755 root:root /usr/bin/svlogd
755 root:root /usr/sbin/enable_insecure_key
755 root:root /usr/sbin/policy-rc.d
755 root:root /var/log
640 root:adm /var/log/syslog'
	# shellcheck disable=SC2046
	container_run --network none -- stat -c '%a %U:%G %n' \
	    $(awk 'NF { print $3 }' <<<"$expected")
	diff <(sed 1d <<<"$expected") <(echo "$stdout")
	container_run --network none -- sh -c '
		getent group docker_env
		readlink -f /usr/bin/sv
		readlink -f /etc/profile.d/container_environment.sh
		ls /etc/container_environment /root/.ssh
		cd /etc/container_environment; for file in *; do
			printf "%s=%s.\n" "$file" "$(cat "$file"; echo .)"
		done
		find / -xdev -perm -o+w ! -type l ! -path "/proc/*" ! -path "/dev/*" |
		    sort'
	diff - <(echo "$stdout") <<-'END'
	docker_env:x:8377:
	/usr/sbin/initctl
	/etc/container_environment.sh
	/etc/container_environment:
	INITRD
	LANG
	LC_CTYPE

	/root/.ssh:
	INITRD=no..
	LANG=en_US.UTF-8..
	LC_CTYPE=en_US.UTF-8..
	/run/lock
	/tmp
	/var/tmp
	END
}

@test "machine ID: empty in the image, whatever the base has, and in what is committed" {
	local image
	# looks_as: prints an image's, and its size and owner.
	looks_as() {
		container_run --image "$1" --network none -- sh -c 'cat /etc/machine-id
			stat -c "%s %a %U" /etc/machine-id
			! ls /var/lib/dbus/machine-id 2>/dev/null'
		echo "$stdout"
	}
	container_start -- /sbin/my_init --enable-insecure-key
	booted
	image=$(unique)
	docker commit "$CONTAINER" "$image" >/dev/null
	echo "$image" >>"$OUTPUT/images"
	[ "$(looks_as my_init_test/base:bookworm)" = \
	    "$(printf '0123456789abcdef0123456789abcdef\n33 644 root')" ]
	for image in $BASE my_init_test/trixie "$image"; do
		[ "$(looks_as "$image")" = '0 644 root' ] || fail "$image has one"
	done
}

@test "no Python, no compiler, no sources; dpkg is content; nothing left of the build" {
	container_run --network none -- sh -c '
		for program in python python3 gcc cc c++ g++ make ld; do
			! command -v $program
		done
		find / -xdev \( -name "*.a" -o -name "*.pyc" -o -name "*.[ch]" \) -type f
		ls -A /tmp /var/tmp /var/lib/apt/lists /var/cache/apt/archives
		ls -d /image_build /source /overlay /bd_build 2>/dev/null
		dpkg --audit
		apt-get check -qq
		:'
	diff - <(echo "$stdout$stderr") <<-'END'
	/tmp:

	/var/cache/apt/archives:
	lock
	partial

	/var/lib/apt/lists:

	/var/tmp:
	END
}

@test "no private key: not in the image, not in a layer below" {
	# private_keys IMAGE: prints how many there are in all of its layers.
	private_keys() {
		docker save "$1" | tar -xO | LC_ALL=C grep -aozP -- '-----BEGIN [A-Z ]*PRIVATE KEY-----\r?\n[A-Za-z0-9+/]{20}|Private-Lines: ' | tr -dc '\0' | wc -c
	}
	# (A library of Debian's tests itself with some.)
	local known one=$BATS_TEST_DIRNAME/../../image/insecure_key
	known=$(private_keys my_init_test/base:bookworm)
	[ "$(private_keys $BASE)" -eq "$known" ]
	# That the search finds one where there was one:
	mkdir -p "$BATS_TEST_TMPDIR/context"
	cp "$one" "$one.ppk" "$BATS_TEST_TMPDIR/context/"
	image_build <<-'END'
	FROM BASE
	COPY insecure_key* /tmp/
	RUN rm /tmp/*
	END
	[ "$(private_keys "$BUILT")" -eq $((known + 2)) ]
	container_run --network none -- sh -c 'ls /etc/ssh/ssh_host_* /etc/insecure_key \
	    /root/.ssh/authorized_keys'
	[ -z "$stdout" ]
}

@test "image/insecure_key: its three files are one key, the one that everybody knows" {
	local images=$BATS_TEST_DIRNAME/../../image public
	public=$(ssh-keygen -y -f "$(insecure_key)" | cut -d ' ' -f 2)
	[ "$public" = "$(cut -d ' ' -f 2 "$images/insecure_key.pub")" ]
	[ "$public" = "$(tr -d '\r' <"$images/insecure_key.ppk" |
	    awk '/^Public-Lines:/ { n = $2; next } n > 0 { printf "%s", $0; n-- }')" ]
}

@test "locale: en_US.UTF-8 is there and at work" {
	container_run --network none -- /sbin/my_init --quiet --skip-runit -- bash -c \
	    'locale -a | grep -i en_US; v=äöü; echo ${#v} $LANG; perl -e "print 1"'
	[ "$stdout" = "$(printf 'en_US.utf8\n3 en_US.UTF-8\n1')" ]
	no_stderr
}

# It has to be called sv.
runit_knows() {
	inside bash -c 'exec -a sv sv.runit status "$0"' "/etc/service/$1" |
	    grep '^run: .*(pid '
}

# --- apt -----------------------------------------------------------------------------
@test "apt-get install: no daemon starts, initctl and sv stay ours, ischroot says yes" {
	image_build <<-'END'
	FROM BASE
	RUN apt-get update && apt-get install -y memcached runit && \
	    ! grep -l memcached /proc/[0-9]*/comm
	RUN ischroot && for verb in version start stop restart reload list emit; do \
	        [ -z "$(/sbin/initctl $verb memcached 2>&1)" ] || exit 1; done
	RUN /usr/sbin/policy-rc.d memcached start; [ $? -eq 101 ]
	RUN invoke-rc.d memcached start; ! grep -l memcached /proc/[0-9]*/comm
	RUN [ "$(readlink -f /usr/bin/sv)" = "$(readlink -f /sbin/initctl)" ] && [ -x /usr/bin/sv.runit ] && \
	    [ -d /etc/service ] && [ ! -L /etc/service ] && [ -x /etc/service/cron/run ]
	RUN DEBIAN_FRONTEND=noninteractive apt-get install -y --reinstall cron logrotate \
	        rsyslog openssh-server runit && rm -f /etc/ssh/ssh_host_* && \
	    cmp /etc/ssh/sshd_config /usr/lib/my_init/sshd_config && \
	    ! grep '^[^#].*pam_loginuid' /etc/pam.d/cron /etc/pam.d/sshd && \
	    ! grep '^su ' /etc/logrotate.conf && \
	    mkdir /etc/service/memcached && printf \
	    '#!/bin/sh\nexec chpst -u memcache /usr/bin/memcached\n' \
	    >/etc/service/memcached/run && chmod 755 /etc/service/memcached/run
	END
	container_start --image "$BUILT"
	healthy
	service_is memcached state up
	service_is cron state up
	service_is syslog state up
	# What knows runit finds what it knows.
	wait_for "runit's sv to know memcached" runit_knows memcached
	[ "$(inside cat /etc/service/memcached/supervise/pid)" = \
	    "$(inside initctl --json status memcached | jq '.services[0].pid')" ]
	inside sh -c 'printf t >/etc/service/memcached/supervise/control'
	wait_service memcached restarts 1
	inside dpkg-divert --list /sbin/initctl | grep -q 'local diversion of /sbin/initctl'
	inside dpkg-divert --list /usr/bin/ischroot | grep -q 'local diversion'
	inside logger still heard
	wait_log 'still heard'
	stops_with 0 5000
}

# --- syslog ----------------------------------------------------------------------------
@test "syslog: what is logged is in docker logs and in /var/log/syslog" {
	container_start
	booted
	inside logger hi there
	wait_log 'hi there'
	wait_for "the file" inside grep -q 'hi there' /var/log/syslog
	inside logger -p daemon.err of a daemon
	wait_log 'of a daemon'
	wait_for "the file" inside grep -q 'of a daemon' /var/log/daemon.log
}

@test "syslog: what is private is in its file alone" {
	container_start
	booted
	inside logger -p authpriv.notice secret thing
	inside logger -p mail.info dear john
	inside logger that was all
	wait_log 'that was all'
	wait_for "auth.log" inside grep -q 'secret thing' /var/log/auth.log
	wait_for "mail.log" inside grep -q 'dear john' /var/log/mail.log
	no_log 'secret thing|dear john'
	not inside grep -q 'secret thing' /var/log/syslog
	[ "$(inside stat -c '%a %U:%G' /var/log/auth.log)" = '640 root:adm' ]
}

@test "syslog: on a terminal, too (docker run -t)" {
	container_start -t
	booted
	inside logger hi on a terminal
	wait_log 'hi on a terminal'
	wait_for "the file" inside grep -q 'hi on a terminal' /var/log/syslog
	inside initctl signal HUP syslog
	inside logger after HUP
	wait_log 'after HUP'
}

# (What rsyslogd has not read when it is told to end, it does not read.)
@test "syslog: there for the first startup script, and for the last words" {
	image_build <<-'END'
	FROM BASE
	RUN printf '#!/bin/sh\nlogger of a startup script\n' >/etc/my_init.d/10_say && \
	    printf '%s\n' '#!/bin/sh' 'logger of a shutdown script' \
	        'until grep -q "of a shutdown" /var/log/syslog; do sleep 0.1; done' \
	        >/etc/my_init.post_shutdown.d/say && \
	    mkdir /etc/service/a && \
	    printf '#!/bin/sh\nexec sleep 1000\n' >/etc/service/a/run && \
	    printf '#!/bin/sh\nlogger of a finish script\n' >/etc/service/a/finish && \
	    chmod 755 /etc/service/a/* /etc/my_init.*/*say
	END
	container_start --image "$BUILT"
	healthy
	wait_log 'of a startup script'
	stops_with 0 5000
	[ "$(count_log 'of a finish script')" -eq 1 ]
	[ "$(count_log 'of a shutdown script')" -eq 1 ]
	docker cp "$CONTAINER:/var/log/syslog" "$OUTPUT/syslog"
	[ "$(grep -c 'of a \(startup\|finish\|shutdown\) script' "$OUTPUT/syslog")" -eq 3 ]
}

@test "syslog: a burst of 2000 lines is whole in the file, and harms nobody" {
	container_start
	booted
	inside sh -c 'seq -f "line %g of many" 2000 | logger'
	wait_for "the last of them" inside grep -q 'line 2000 of many' /var/log/syslog
	[ "$(inside grep -c 'line [0-9]* of many' /var/log/syslog)" -eq 2000 ]
	inside initctl status syslog cron
}

@test "syslog: killed, it comes back, and so does its socket" {
	container_start
	booted
	inside initctl signal KILL syslog
	_back() { service_is syslog restarts 1 && service_is syslog ready true; }
	wait_for "its return" _back
	inside logger after the kill
	wait_log 'after the kill'
}

# asked_image SERVICE: an image in which its run waits for /tmp/go, which is there, and
# what its check finds is written down.
asked_image() {
	image_build <<-END
	FROM BASE
	RUN cd /etc/service/$1 && mv check checked && \\
	    sed -i '2i until [ -e /tmp/go ]; do sleep 0.1; done' run && \\
	    printf '%s\n' '#!/bin/sh' ./checked 'code=\$?' 'echo \$code >>/tmp/codes' \\
	        'exit \$code' >check && chmod 755 check && : >/tmp/go
	END
}

# not_ready SERVICE: it is asked, and it is not.
not_ready() {
	wait_for "$1 to be asked" inside test -s /tmp/codes
	not inside grep -qx 0 /tmp/codes
	service_is "$1" state starting
}

@test "syslog: is not there before it hears, whatever socket was left" {
	asked_image syslog
	container_start --image "$BUILT"
	booted
	inside sh -c 'rm /tmp/go; : >/tmp/codes'
	inside initctl signal KILL syslog
	not_ready syslog
	inside test -S /dev/log
	inside touch /tmp/go
	wait_service syslog ready true
	inside logger it hears
	wait_log 'it hears'
}

# --- logrotate -----------------------------------------------------------------------
@test "logrotate: forced, and by cron.daily; all goes on logging" {
	container_start
	booted
	inside logger before it
	wait_for "the file" inside grep -q 'before it' /var/log/syslog
	inside logrotate -f /etc/logrotate.conf >"$OUTPUT/rotate" 2>&1
	[ ! -s "$OUTPUT/rotate" ]
	inside grep -q 'before it' /var/log/syslog.1
	# (It has been told to open its files anew, and does so a moment later.)
	_logged_anew() {
		inside logger after it && inside grep -q 'after it' /var/log/syslog
	}
	wait_for "the new file" _logged_anew
	wait_log 'after it'
	not inside grep -q 'before it' /var/log/syslog
	[ "$(inside stat -c '%a %U:%G' /var/log/syslog)" = '640 root:adm' ]
	inside run-parts /etc/cron.daily >"$OUTPUT/daily" 2>&1
	[ ! -s "$OUTPUT/daily" ]
	service_is syslog restarts 0
}

# --- ssh -----------------------------------------------------------------------------
@test "sshd: without a key it stays down and says why; nothing listens" {
	container_start
	booted
	service_is sshd state down
	said 1 '^\*\*\* sshd: nobody could log in'
	not inside ls /etc/ssh/ssh_host_rsa_key
	not inside pidof sshd
}

@test "sshd: started by hand all the same, with keys of its own" {
	container_start -p 127.0.0.1::22
	booted
	inside initctl start sshd
	service_is sshd state up
	wait_log '^No SSH host key available\. Generating one\.\.\.$'
	not ssh_in "$(insecure_key)" "$(port_of 22)" true 2>"$OUTPUT/refused"
	[ "$(inside sh -c 'stat -c "%a %U" /etc/ssh/ssh_host_*_key' | sort -u)" = '600 root' ]
	# Nobody is let in, and a password is not asked for.
	grep -q 'Permission denied (publickey)' "$OUTPUT/refused"
}

@test "sshd: another account than root has a key: it is up, and lets that one in" {
	ssh-keygen -q -t ed25519 -N '' -f "$OUTPUT/own"
	in_context own.pub <"$OUTPUT/own.pub"
	image_build <<-'END'
	FROM BASE
	RUN useradd -m -s /bin/bash ann && mkdir -m 700 /home/ann/.ssh
	COPY own.pub /home/ann/.ssh/authorized_keys
	RUN chown -R ann: /home/ann/.ssh
	END
	container_start --image "$BUILT" -p 127.0.0.1::22
	healthy
	service_is sshd state up
	no_log 'nobody could log in'
	[ "$(ssh_in ann "$OUTPUT/own" "$(port_of 22)" whoami)" = ann ]
	not ssh_in "$OUTPUT/own" "$(port_of 22)" true
	stops_with 0 5000
}

@test "sshd: configured so that somebody could log in otherwise: it is up, and lets them in" {
	local change
	ssh-keygen -q -t ed25519 -N '' -f "$OUTPUT/own"
	in_context own.pub <"$OUTPUT/own.pub"
	for change in /etc/ssh/sshd_config.d/keys.conf /etc/ssh/sshd_config; do
		image_build <<-END
		FROM BASE
		RUN mkdir -p /etc/keys /etc/ssh/sshd_config.d && \\
		    echo 'AuthorizedKeysFile /etc/keys/%u' >>$change
		COPY own.pub /etc/keys/root
		END
		container_start --image "$BUILT" -p 127.0.0.1::22
		healthy
		service_is sshd state up
		no_log 'nobody could log in'
		[ "$(ssh_in "$OUTPUT/own" "$(port_of 22)" whoami)" = root ]
		stops_with 0 5000
	done
}

@test "sshd: keys that are none, a configuration that is none: it stays down, and says why" {
	image_build <<-'END'
	FROM BASE
	RUN useradd -m ann && mkdir -m 700 /home/ann/.ssh && \
	    echo '# none yet' >/home/ann/.ssh/authorized_keys && \
	    cp /etc/insecure_key.pub /home/ann/.ssh/id.pub && \
	    mkdir -p /etc/ssh/sshd_config.d && \
	    echo 'PasswordAuthentication yes' >/etc/ssh/sshd_config.d/password.off
	END
	container_start --image "$BUILT"
	healthy
	service_is sshd state down
	said 1 '^\*\*\* sshd: nobody could log in: no account has an authorized key; stays down'
	[ "$(count_log sshd)" -eq 1 ]
	not inside sh -c 'ls /etc/ssh/ssh_host_*'
	stops_with 0 5000
}

@test "sshd: the key is enabled just as it finds that nobody has one: it runs" {
	image_build <<-'END'
	FROM BASE
	RUN sed -i '/^if ! can_log_in/a : >/tmp/found; until [ -e /tmp/go ]; do sleep 0.1; done' \
	    /etc/service/sshd/run && grep -q /tmp/found /etc/service/sshd/run
	END
	container_start --image "$BUILT"
	wait_for "what it finds" inside test -e /tmp/found
	inside initctl enable-insecure-key
	inside touch /tmp/go
	wait_service sshd state up
	[ "$(ssh_in "$(insecure_key)" "$(address)" whoami)" = root ]
	stops_with 0 5000
}

@test "sshd: is not ready before it listens, whatever PID was left" {
	asked_image sshd
	container_start --image "$BUILT" -- /sbin/my_init --enable-insecure-key
	booted
	service_is sshd state up
	inside sh -c 'rm /tmp/go; : >/tmp/codes'
	docker kill "$CONTAINER" >/dev/null
	container_wait
	docker start "$CONTAINER" >/dev/null
	not_ready sshd
	inside test -s /run/sshd.pid
	inside touch /tmp/go
	wait_service sshd ready true
	[ "$(ssh_in "$(insecure_key)" "$(address)" whoami)" = root ]
}

@test "ssh: host keys are made by one at a time" {
	container_start -- /sbin/my_init --enable-insecure-key
	booted
	local before
	before=$(inside cat /etc/ssh/ssh_host_ed25519_key.pub)
	docker exec -d "$CONTAINER" flock /etc/ssh sleep 1000
	wait_for "the lock" inside grep -q FLOCK /proc/locks
	docker exec -d "$CONTAINER" /etc/my_init.d/00_regen_ssh_host_keys.sh -f
	wait_for "it to be waited for" inside grep -q -- '-> FLOCK' /proc/locks
	[ "$(inside cat /etc/ssh/ssh_host_ed25519_key.pub)" = "$before" ]
	inside pkill -f '^sleep 1000'
	_are_new() {
		[ "$(inside cat /etc/ssh/ssh_host_ed25519_key.pub)" != "$before" ]
	}
	wait_for "new keys" _are_new
}

@test "enable_insecure_key: appends, once, shows no private key; sshd is up at once" {
	container_start -p 127.0.0.1::22
	booted
	inside sh -c 'echo "# mine" >/root/.ssh/authorized_keys &&
	    /usr/sbin/enable_insecure_key' >"$OUTPUT/first" 2>&1
	not grep -q 'PRIVATE KEY' "$OUTPUT/first"
	grep -qi insecure "$OUTPUT/first"
	inside /usr/sbin/enable_insecure_key >"$OUTPUT/second" 2>&1
	grep -q '^Insecure key has already been added to /root/\.ssh/authorized_keys\.$' \
	    "$OUTPUT/second"
	inside initctl enable-insecure-key
	inside cat /root/.ssh/authorized_keys >"$OUTPUT/keys"
	[ "$(sed -n 1p "$OUTPUT/keys")" = '# mine' ]
	[ "$(grep -cF "$(cut -d ' ' -f 2 "$(insecure_key).pub")" "$OUTPUT/keys")" -eq 1 ]
	[ "$(wc -l <"$OUTPUT/keys")" -eq 2 ]
	[ "$(inside stat -c '%a %U' /root/.ssh/authorized_keys)" = '600 root' ]
	wait_service sshd state up
	[ "$(ssh_in "$(insecure_key)" "$(port_of 22)" id -un)" = root ]
}

@test "initctl enable-insecure-key: in a running container, and again after a restart" {
	container_start -p 127.0.0.1::22
	booted
	inside initctl enable-insecure-key
	wait_service sshd state up
	[ "$(ssh_in "$(insecure_key)" "$(port_of 22)" hostname)" = "$(inside hostname)" ]
	local before
	before=$(inside ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub)
	docker restart -t 10 "$CONTAINER" >/dev/null
	booted
	wait_service sshd state up
	[ "$(inside ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub)" = "$before" ]
	[ "$(ssh_in "$(insecure_key)" "$(port_of 22)" echo in)" = in ]
}

@test "ssh: sftp, a login shell with the environment, a line in auth.log" {
	container_start -p 127.0.0.1::22 -e "GREETING=hello world" -- /sbin/my_init \
	    --enable-insecure-key
	booted
	local key port
	key=$(insecure_key)
	port=$(port_of 22)
	[ "$(ssh_in "$key" "$port" bash -l -c "'echo \$GREETING'")" = 'hello world' ]
	[ -z "$(ssh_in "$key" "$port" "echo \$GREETING")" ]
	echo "get /etc/hostname $OUTPUT/hostname" | timeout -k 5 30 sftp -F /dev/null -b - \
	    -i "$key" -o UserKnownHostsFile="$OUTPUT/known_hosts" -P "$port" root@127.0.0.1
	[ "$(<"$OUTPUT/hostname")" = "$(inside hostname)" ]
	wait_for "auth.log" inside grep -q 'sshd.*Accepted publickey for root' \
	    /var/log/auth.log
	# What is logged after it comes out after it.
	inside logger that was all
	wait_log 'that was all'
	no_log 'Accepted publickey'
}

# host_key_types: of the private keys, by what is in them; the public half of each is
# beside it, and there is nothing else.
host_key_types() {
	inside sh -ec 'cd /etc/ssh
		for key in $(ls | grep ssh_host); do
			case $key in
			*.pub)
				[ "$(ssh-keygen -y -f ${key%.pub} | cut -d " " -f 1,2)" = \
				    "$(cut -d " " -f 1,2 $key)" ]
				;;
			*)
				ssh-keygen -y -f $key | cut -d " " -f 1
				ls $key.pub >/dev/null
				;;
			esac
		done' | sort | tr '\n' ' '
}

@test "host keys: one of each type, RSA, ECDSA, Ed25519; another container's are others" {
	local one types='ecdsa-sha2-nistp256 ssh-ed25519 ssh-rsa '
	container_start -- /sbin/my_init --enable-insecure-key
	booted
	wait_service sshd state up
	[ "$(host_key_types)" = "$types" ]
	one=$(inside sh -c 'cat /etc/ssh/ssh_host_*_key.pub')
	container_start -- /sbin/my_init --enable-insecure-key
	booted
	wait_service sshd state up
	[ "$(host_key_types)" = "$types" ]
	[ -z "$(comm -12 <(sort <<<"$one" | cut -d ' ' -f 2) \
	    <(inside sh -c 'cat /etc/ssh/ssh_host_*_key.pub' | cut -d ' ' -f 2 | sort))" ]
}

@test "the original's own test: sv status of everything, none of it down" {
	container_start -- /sbin/my_init --enable-insecure-key
	booted
	inside /etc/my_init.d/00_regen_ssh_host_keys.sh -f
	inside rm -f /etc/service/sshd/down
	inside sv start /etc/service/sshd
	[ "$(ssh_in "$(insecure_key)" "$(address)" whoami)" = root ]
	inside sh -c 'sv status /etc/service/*' >"$OUTPUT/status"
	[ "$(wc -l <"$OUTPUT/status")" -eq 3 ]
	not grep -q down "$OUTPUT/status"
	stops_with 0 5000
}

# --- tools ---------------------------------------------------------------------------
@test "setuser: user, groups, HOME, the command's pid and exit code" {
	container_start
	booted
	[ "$(inside setuser www-data sh -c 'echo $(id -un) $(id -gn) $USER $HOME')" = \
	    'www-data www-data www-data /var/www' ]
	[ "$(inside sh -c 'echo $$; exec setuser nobody sh -c "echo \$\$"' | uniq |
	    wc -l)" -eq 1 ]
	local code=0
	inside setuser nobody sh -c 'exit 42' || code=$?
	[ $code -eq 42 ]
	code=0
	inside setuser nosuchuser true 2>"$OUTPUT/error" || code=$?
	[ $code -eq 1 ]
	grep -q '^setuser: user nosuchuser not found' "$OUTPUT/error"
}

@test "chpst: drops to a user, reads a directory of variables" {
	container_start
	booted
	[ "$(inside chpst -u www-data:www-data id -un)" = www-data ]
	[ "$(inside sh -c 'chpst -e /etc/container_environment env' | grep ^LANG=)" = \
	    LANG=en_US.UTF-8 ]
}

@test "svlogd: as log/run, killed, back, and there for the last words" {
	in_context run 755 <<-'END'
	#!/bin/sh
	trap 'echo the last; exit' TERM
	trap 'echo it still talks' USR1
	echo it talks
	sleep 1000 >/dev/null &
	while :; do wait; done
	END
	image_build <<-'END'
	FROM BASE
	COPY run /etc/service/talk/
	RUN mkdir -p /etc/service/talk/log /var/log/talk && \
	    printf '#!/bin/sh\nexec svlogd -tt /var/log/talk\n' \
	        >/etc/service/talk/log/run && \
	    chmod 755 /etc/service/talk/log/run
	END
	container_start --image "$BUILT"
	healthy
	wait_for "the log" inside grep -qE '^[0-9-]+_[0-9:.]+ it talks$' \
	    /var/log/talk/current
	inside sv status talk | grep -qE \
	    '^run: talk: \(pid [0-9]+\) [0-9]+s; run: log: \(pid [0-9]+\) [0-9]+s$'
	local logger
	logger=$(inside pidof svlogd)
	inside kill -KILL "$logger"
	inside initctl signal USR1 talk
	wait_for "the log after the kill" inside grep -q ' it still talks$' \
	    /var/log/talk/current
	[ "$(inside pidof svlogd)" != "$logger" ]
	service_is talk restarts 0
	stops_with 0 5000
	docker cp "$CONTAINER:/var/log/talk" "$OUTPUT/talk"
	# (What one had begun that was killed, the next one renames.)
	diff <(printf '%s\n' 'it talks' 'it still talks' 'the last') \
	    <(cat "$OUTPUT"/talk/@*.u "$OUTPUT"/talk/current | cut -d ' ' -f 2-)
	no_log 'talks|the last'
}

@test "svlogd: at the end of a pipe that the service itself has made" {
	image_build <<-'END'
	FROM BASE
	RUN mkdir -p /etc/service/talk /var/log/talk && \
	    printf '#!/bin/bash\nexec > >(exec svlogd -tt /var/log/talk)\necho it talks\nexec sleep 1000\n' \
	        >/etc/service/talk/run && \
	    chmod 755 /etc/service/talk/run
	END
	container_start --image "$BUILT"
	booted
	wait_for "the log" inside grep -qE '^[0-9-]+_[0-9:.]+ it talks$' \
	    /var/log/talk/current
	no_log 'it talks'
	stops_with 0 5000
}

@test "install_clean: installs, and leaves nothing behind" {
	image_build <<-'END'
	FROM BASE
	RUN install_clean hello >/said
	END
	container_run --image "$BUILT" -- sh -c \
	    'hello; head -n 1 /said; find /var/lib/apt/lists /var/cache/apt -type f -size +0'
	[ "$stdout" = "$(printf 'Hello, world!\nInstalling hello')" ]
}

@test "bash -l has the environment; members of docker_env may read it, others not" {
	container_start -e "GREETING=hello world"
	booted
	[ "$(inside env -i bash -l -c 'echo "$GREETING"')" = 'hello world' ]
	inside useradd -m one
	inside useradd -m -G docker_env two
	[ "$(inside su - two -c 'bash -l -c "echo \$GREETING"')" = 'hello world' ]
	[ -z "$(inside su - one -c 'bash -l -c "echo \$GREETING"' 2>"$OUTPUT/error")" ]
	cat "$OUTPUT/error"
	not inside su - one -c 'cat /etc/container_environment.json'
	not inside su - one -c 'initctl status'
}

# --- left out -----------------------------------------------------------------------
@test "DISABLE_*: without ssh, cron, syslog and tools it boots, and is smaller" {
	local minimal=my_init_test/minimal
	container_start --image $minimal
	healthy
	[ "$(inside initctl --json status | jq -c .services)" = '[]' ]
	[ "$(inside sh -c 'ls /etc/service /etc/my_init.d')" = \
	    "$(printf '/etc/my_init.d:\n\n/etc/service:')" ]
	inside sh -c '
		for program in sshd cron rsyslogd curl logrotate enable_insecure_key; do
			! command -v $program || exit 1
		done
		[ -x /sbin/setuser ] && [ -x /usr/bin/sv ] && chpst -u nobody true'
	said 2 .
	stops_with 0 3000
	[ "$(docker image inspect -f '{{.Size}}' $minimal)" -lt \
	    "$(docker image inspect -f '{{.Size}}' $BASE)" ]
}

# --- another release -------------------------------------------------------------------
@test "built by BuildKit, on trixie, it is as built by the classic builder, on bookworm" {
	# made_as: an image's configuration, less what the base has given it, and how
	# many layers there are over the base.
	made_as() {
		docker image inspect "$1" my_init_test/base:bookworm |
		    jq -S '[.[0].Config | .Cmd, .Entrypoint, .Env, .User, .WorkingDir,
		    .Volumes, .ExposedPorts, .StopSignal, .Healthcheck, (.Labels |
		    del(.made, .["org.opencontainers.image.base.name"]))],
		    (.[0].RootFS.Layers | length) - (.[1].RootFS.Layers | length)'
	}
	diff <(made_as $BASE) <(made_as my_init_test/trixie)
	[ "$(made_as $BASE | tail -n 1)" -eq 2 ]
	# An engine that was there has built both as it does for its people.
	if [ -n "${BUILDKIT-}" ]; then
		docker history --format '{{.Comment}}' my_init_test/trixie |
		    grep -q '^buildkit'
		docker history --format '{{.Comment}}' $BASE >"$OUTPUT/history"
		not grep '^buildkit' "$OUTPUT/history"
	fi
}

@test "on trixie: the same services, logs, ssh, stop" {
	container_start --image my_init_test/trixie -p 127.0.0.1::22 -- /sbin/my_init \
	    --enable-insecure-key
	healthy
	[ "$(inside sh -c 'sv status /etc/service/*' | grep -c ^run:)" -eq 3 ]
	inside logger hi from trixie
	wait_log 'hi from trixie'
	inside logrotate -f /etc/logrotate.conf
	[ "$(ssh_in "$(insecure_key)" "$(port_of 22)" cat /etc/debian_version)" = \
	    "$(inside cat /etc/debian_version)" ]
	[ "$(inside setuser www-data id -un)" = www-data ]
	[ "$(inside bash -c 'v=äöü; LC_ALL=en_US.UTF-8; echo ${#v}')" -eq 3 ]
	stops_with 0 5000
}

# --- cron ------------------------------------------------------------------------------
@test "cron: a job each minute, with the environment, to docker logs" {
	CONTAINER=$CRON
	wait_log --within 75 '^cron: good morning$'
	wait_log --within 75 '^crontab: good morning$'
	wait_for "the file" inside grep -qE 'CRON\[[0-9]+\]: \(root\) CMD' \
	    /var/log/syslog
	no_log 'loginuid|BAD|not a regular file|wrong'
	wait_for "no zombie" no_zombies
}

@test "cron: a tab with two links is obeyed like any other" {
	CONTAINER=$CRON
	wait_log --within 75 '^two links, cron\.d$'
	wait_log '^two links, at boot$'
	wait_for "the user's" inside grep -q 'two links, crontab' /tmp/linked
	# Each is as it was, but for its number of links; and so is where it is.
	[ "$(inside stat -c '%h %a %U:%G' /etc/cron.d/linked /etc/cron.d/at_boot \
	    /etc/cron.hourly/linked /var/spool/cron/crontabs/www-data)" = \
	    '1 644 root:root
1 644 root:root
1 644 root:root
1 600 www-data:crontab' ]
	[ -n "$(inside find /etc/cron.hourly -maxdepth 0 -mtime +0)" ]
	[ -z "$(inside find /etc/cron.d /var/spool/cron/crontabs -name '.?*' \
	    ! -name .placeholder)" ]
}
