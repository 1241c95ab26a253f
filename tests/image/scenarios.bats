#!/usr/bin/env bats
# Images as people have built them on baseimage-docker: passenger-docker, Overleaf,
# linuxserver.io.  Their run scripts and startup scripts, in small.

load helpers/image

# service NAME FILE <<EOF: etc/service/NAME/FILE of the context, executable
service() {
	mkdir -p "$BATS_TEST_TMPDIR/context/etc/service/$1/$(dirname "$2")"
	cat >"$BATS_TEST_TMPDIR/context/etc/service/$1/$2"
	chmod 755 "$BATS_TEST_TMPDIR/context/etc/service/$1/$2"
}

# script DIRECTORY/NAME <<EOF: the same below etc/
script() {
	mkdir -p "$BATS_TEST_TMPDIR/context/etc/$(dirname "$1")"
	cat >"$BATS_TEST_TMPDIR/context/etc/$1"
	chmod 755 "$BATS_TEST_TMPDIR/context/etc/$1"
}

# --- passenger-docker ----------------------------------------------------------------------
passenger_files() {
	service nginx-log-forwarder run <<-'END'
	#!/bin/bash
	set -e
	if [[ -e /var/log/nginx/error.log ]]; then
		exec tail -n 0 -F /var/log/nginx/error.log
	else
		exec sleep 10
	fi
	END
	service nginx run <<-'END'
	#!/bin/bash
	set -e
	touch /var/log/nginx/error.log
	sv restart /etc/service/nginx-log-forwarder
	exec /usr/sbin/nginx
	END
	service nginx control/t <<-'END'
	#!/bin/sh
	exec sv q nginx
	END
	service redis run <<-'END'
	#!/bin/sh
	exec chpst -u redis /usr/bin/redis-server --dir /var/lib/redis --save '' \
	    >>/var/log/redis.log 2>&1
	END
	service memcached run <<-'END'
	#!/bin/sh
	exec chpst -u memcache /usr/bin/memcached -m 64 -p 11211 -l 127.0.0.1 \
	    >>/var/log/memcached.log 2>&1
	END
	touch "$BATS_TEST_TMPDIR"/context/etc/service/{nginx,redis,memcached}/down
	script my_init.d/30_presetup_nginx.sh <<-'END'
	#!/bin/bash
	set -e
	echo "passenger_app_env $PASSENGER_APP_ENV;" >/etc/nginx/app_env
	END
	script my_init.d/10_defaults.sh <<-'END'
	#!/bin/bash
	set -e
	for name in RAILS_ENV RACK_ENV PASSENGER_APP_ENV; do
		if [[ ! -e /etc/container_environment/$name ]]; then
			echo -n production >/etc/container_environment/$name
		fi
	done
	END
	in_context nginx.conf <<-'END'
	daemon off;
	user www-data;
	worker_processes 1;
	error_log /var/log/nginx/error.log notice;
	events {}
	http {
		access_log /var/log/nginx/access.log;
		server {
			listen 80;
			root /srv;
			location /slow { limit_rate 20k; }
		}
	}
	END
	in_context Dockerfile_end <<-'END'
	FROM my_init_test/daemons
	COPY etc /etc
	COPY nginx.conf /etc/nginx/nginx.conf
	RUN echo it works >/srv/index.html && head -c 40000 /dev/zero >/srv/slow
	RUN rm -f /etc/service/nginx/down /etc/service/redis/down /etc/service/memcached/down
	END
}

@test "passenger-docker: forwarder, nginx, redis and memcached come up" {
	passenger_files
	image_build <"$BATS_TEST_TMPDIR/context/Dockerfile_end"
	container_start --image "$BUILT" -p 127.0.0.1::80 -e RACK_ENV=staging
	booted
	local name
	for name in nginx redis memcached nginx-log-forwarder; do
		wait_service $name state up
	done
	wait_for "nginx" curl -fs "http://127.0.0.1:$(port_of 80)/"
	[ "$(curl -fs "http://127.0.0.1:$(port_of 80)/")" = 'it works' ]
	_pong() {
		[ "$(inside redis-cli ping)" = PONG ]
	}
	wait_for "redis" _pong
	runs_as redis-server redis
	runs_as memcached memcache
	# Its log comes out by the forwarder: what it gets once that has begun to look.
	_forwarded() {
		inside sh -c 'echo a line for the forwarder >>/var/log/nginx/error.log' &&
		    logs | grep -q '^a line for the forwarder'
	}
	wait_for "a line of its log" _forwarded
	[ "$(inside cat /etc/nginx/app_env)" = 'passenger_app_env production;' ]
	[ "$(inside cat /etc/container_environment/RACK_ENV)" = staging ]
	# logrotate's way of having it open its files anew
	inside mv /var/log/nginx/access.log /var/log/nginx/access.log.1
	inside sv 1 nginx
	wait_for "the new file" inside test -e /var/log/nginx/access.log
	inside sv status nginx redis memcached nginx-log-forwarder |
	    grep -c '^run: ' | grep -qx 4
}

# (sv would wait for 7 s, and the rest of what stops for 30.)
@test "passenger-docker: docker stop delivers QUIT to nginx, and ends at once" {
	passenger_files
	image_build <"$BATS_TEST_TMPDIR/context/Dockerfile_end"
	container_start --image "$BUILT" -p 127.0.0.1::80
	booted
	wait_for "nginx" curl -fs "http://127.0.0.1:$(port_of 80)/"
	stops_with 0 5000
	docker cp "$CONTAINER:/var/log/nginx/error.log" "$OUTPUT/error.log"
	grep -q 'signal 3 (SIGQUIT) received' "$OUTPUT/error.log"
	not grep -q 'SIGTERM) received' "$OUTPUT/error.log"
	no_log 'Forcing'
	# What is under way with a QUIT, gets its whole answer.
	docker start "$CONTAINER" >/dev/null
	booted
	wait_for "nginx" curl -fs "http://127.0.0.1:$(port_of 80)/"
	curl -fsN -o "$OUTPUT/slow" "http://$(address)/slow" &
	local curl=$!
	wait_for "the beginning of its answer" test -s "$OUTPUT/slow"
	inside initctl stop nginx
	wait $curl
	[ "$(stat -c %s "$OUTPUT/slow")" -eq 40000 ]
	service_is nginx state down
	stops_with 0 5000
}

@test "passenger-docker: what has a file down stays down until it is started" {
	passenger_files
	sed -i '/^RUN rm/d' "$BATS_TEST_TMPDIR/context/Dockerfile_end"
	image_build <"$BATS_TEST_TMPDIR/context/Dockerfile_end"
	container_start --image "$BUILT"
	booted
	service_is nginx state down
	service_is redis state down
	inside sv status redis | grep -q '^down: redis: '
	inside sv start redis
	wait_for "redis" inside redis-cli ping
	inside sv start nginx
	inside sv stop nginx
	inside sv restart redis memcached | grep -c '^ok: run: ' | grep -qx 2
	stops_with 0 3000
}

# --- Overleaf ------------------------------------------------------------------------------
overleaf_services='chat clsi contacts docstore document-updater filestore history-v1
    notifications project-history real-time-overleaf web-api-overleaf web-overleaf'

overleaf_files() {
	local name n
	for name in $overleaf_services; do
		service "$name" run <<-END
		#!/bin/bash
		NODE_PARAMS=""
		if [ "\$DEBUG_NODE" == "true" ]; then
		    NODE_PARAMS="--inspect"
		fi
		source /etc/overleaf/env.sh
		exec /sbin/setuser www-data /usr/local/bin/node \$NODE_PARAMS $name >> /var/log/overleaf/$name.log 2>&1
		END
	done
	# It takes its time to stop: clients are told first.
	in_context node 755 <<-'END'
	#!/bin/bash
	end() {
		if [ $1 = real-time-overleaf ]; then sleep 1; fi
		echo "$1 ended, $(id -un), $MONGO"
		exit 0
	}
	trap "end $1" TERM
	echo "$1 started, $HOME"
	while :; do sleep 1000 & wait; done
	END
	for n in 000_check_for_old_bind_mounts 100_set_docker_host_ipaddress.sh \
	    100_generate_secrets.sh 200_nginx_config_template.sh 300_delete_old_logs.sh \
	    500_check_db_access.sh 600_migrate 910_initiate_doc_version_recovery \
	    910_check_texlive_images; do
		script "my_init.d/$n" <<-END
		#!/bin/bash
		set -e -o pipefail
		echo "script $n"
		END
	done
	script my_init.d/000_check_secrets.sh <<-'END'
	#!/bin/bash
	set -e
	if [ -z "$SECRET" ]; then
		echo "------------------------------------"
		echo "  SECRET is not set, shutting down  " >&2
		exit 1
	fi
	echo -n mongo >/etc/container_environment/MONGO
	END
	script my_init.pre_shutdown.d/00_close_site <<-'END'
	#!/bin/bash
	. /etc/container_environment.sh
	echo "pre: closing the site of $MONGO"
	touch /closed
	sleep 5 &
	wait
	while ! sv stop real-time-overleaf >/dev/null 2>&1; do
		sleep 1
	done
	echo "pre: real-time is down"
	END
	script my_init.pre_shutdown.d/01_flush_document_updater <<-'END'
	#!/bin/bash
	sv status document-updater | grep -q ^run: && echo "pre: flushed"
	END
	script my_init.post_shutdown.d/00_last <<-'END'
	#!/bin/bash
	echo "post: $(cat /var/log/overleaf/*.log | grep -c ' ended, ') ended"
	END
	in_context Dockerfile_end <<-'END'
	FROM BASE
	ENV KILL_PROCESS_TIMEOUT=15 KILL_ALL_PROCESSES_TIMEOUT=15
	COPY etc /etc
	COPY node /usr/local/bin/node
	RUN mkdir /etc/overleaf /var/log/overleaf && chown www-data /var/log/overleaf && \
	    touch /etc/overleaf/env.sh
	ENTRYPOINT ["/sbin/my_init"]
	CMD []
	END
}

@test "Overleaf: ten startup scripts in order, twelve services; stop in order" {
	overleaf_files
	image_build <"$BATS_TEST_TMPDIR/context/Dockerfile_end"
	container_start --image "$BUILT" -e SECRET=x
	booted
	said 9 '^script '
	logs | grep -o '^script [0-9a-z_.]*' | LC_ALL=C sort -c
	local name
	for name in $overleaf_services; do
		service_is "$name" state up
		wait_for "its log" inside grep -q "^$name started, /var/www" \
		    "/var/log/overleaf/$name.log"
	done
	container_stop -t 60
	[ "$status" -eq 0 ]
	[ "$took" -ge 5000 ] && [ "$took" -le 12000 ]
	[ "$(logs | grep '^p[reost]*: ')" = 'pre: closing the site of mongo
pre: real-time is down
pre: flushed
post: 12 ended' ]
	no_log 'Forcing|failed'
	docker cp "$CONTAINER:/var/log/overleaf" "$OUTPUT/overleaf"
	[ "$(cat "$OUTPUT"/overleaf/*.log | grep -c ' ended, www-data, mongo$')" -eq 12 ]
}

@test "Overleaf: without its secret it ends with that message, and nothing has started" {
	overleaf_files
	rm -r "$BATS_TEST_TMPDIR/context/etc/my_init.post_shutdown.d"
	image_build <"$BATS_TEST_TMPDIR/context/Dockerfile_end"
	container_run --image "$BUILT"
	[ "$status" -eq 1 ]
	grep -q '^  SECRET is not set, shutting down' <<<"$stderr"
	grep -q '^\*\*\* /etc/my_init.d/000_check_secrets.sh failed with status 1' <<<"$stderr"
	# Nothing but the end of it comes after that message.
	[ "$(sed '1,/SECRET is not set/d' <<<"$stderr" | grep -vc \
	    'failed with status 1\|^\*\*\* Killing all\|^\*\*\* Shutting down\|^$')" -eq 0 ]
	not grep -q 'Booting\|started' <<<"$stdout$stderr"
	docker cp "$CONTAINER:/var/log/overleaf" "$OUTPUT/overleaf"
	[ -z "$(ls "$OUTPUT/overleaf")" ]
}

# --- linuxserver.io ------------------------------------------------------------------------
@test "linuxserver.io: PUID and PGID, files and HOME, over two restarts" {
	# None of these ends with a newline.
	printf '%s' '#!/bin/bash
PUID=${PUID:-911}
PGID=${PGID:-911}
if [ ! "$(id -u abc)" -eq "$PUID" ]; then usermod -o -u "$PUID" abc ; fi
if [ ! "$(id -g abc)" -eq "$PGID" ]; then groupmod -o -g "$PGID" abc ; fi
echo "
-----------------------------------
GID/UID
User uid:    $(id -u abc)
User gid:    $(id -g abc)
-----------------------------------"
chown abc:abc /app /config /defaults' | script my_init.d/10_add_user_abc.sh
	printf '%s' '#!/bin/bash
[[ -f /config/settings ]] || cp /defaults/settings /config/settings
chown -R abc:abc /config' | script my_init.d/50_config.sh
	printf '%s' '#!/bin/bash
[[ -e /nowhere ]] || true' | script my_init.d/999_advanced_script.sh
	printf '%s' '#!/bin/bash
exec /sbin/setuser abc /app/run' | service app run
	in_context app_run 755 <<-'END'
	#!/bin/bash
	umask 022
	echo "$HOME $USER" >"/config/started.$(date +%s%N)"
	exec sleep 1000
	END
	image_build <<-'END'
	FROM BASE
	RUN useradd -u 911 -U -d /config -s /bin/false abc && usermod -G users abc && \
	    mkdir -p /app /config /defaults && echo x >/defaults/settings
	COPY app_run /app/run
	COPY etc /etc
	VOLUME /config
	END
	container_start --image "$BUILT" -e PUID=1234 -e PGID=4321
	local n pid
	# Each of its starts leaves a file.
	_starts() {
		[ "$(inside find /config -name 'started.*' -size +0 | wc -l)" -eq "$1" ]
	}
	for n in 1 2 3; do
		healthy
		service_is app state up
		wait_for "start $n" _starts $n
		pid=$(inside initctl --json status app | jq .services[0].pid)
		[ "$(inside sed -n 's/^[UG]id:\t//p' "/proc/$pid/status" | tr '\t\n' '  ')" = \
		    '1234 1234 1234 1234 4321 4321 4321 4321 ' ]
		[ "$(inside sed -n 's/^Groups:\t//p' "/proc/$pid/status" | tr -s ' ' '\n' |
		    sort -n | tr '\n' ' ' | sed 's/^ //')" = '100 4321 ' ]
		[ "$(inside sh -c 'cat /config/started.*' | uniq)" = '/config abc' ]
		[ "$(inside sh -c 'stat -c %u:%g /config/started.* /config/settings' |
		    sort -u)" = 1234:4321 ]
		[ "$(inside sh -c 'ls /config/started.* | wc -l')" -eq $n ]
		said $n '^User uid: *1234$'
		stops_with 0 5000
		docker start "$CONTAINER" >/dev/null
	done
	no_log 'Forcing|failed|no changes'
}
