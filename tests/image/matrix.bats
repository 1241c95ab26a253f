#!/usr/bin/env bats
# The image under all that `docker run` can take away from it or put around it: it
# boots, answers, stops in time with the documented exit code, leaves no zombie and
# says each thing once.

load helpers/image

# Fails if a service that should not be is not up.  (sshd has nobody to let in.)
up() {
	local name
	for name; do
		service_is "$name" state up
	done
}

# What the image's scripts said, each in one line, where it does without something.
@test "default" {
	container_start
	healthy
	up cron syslog
	stops_with 0 3000
	[ "$(count_log 'Init system aborted|Killing all processes')" -ge 1 ]
	no_log 'Forcing|did not shut down in time'
}

@test "--rm -it: stop from outside, and the terminal is given back" {
	terminal_start --rm
	wait_for "the start" docker inspect "$CONTAINER"
	healthy
	up cron syslog
	docker stop -t 20 "$CONTAINER" >/dev/null
	terminal_end
	[ "$status" -eq 0 ]
}

@test "-it with a shell: Ctrl-C is the shell's, exit ends all" {
	terminal_start -- /sbin/my_init -- sh
	terminal_wait '^\*\*\* Running sh'
	terminal_type 'trap "echo inter""rupted" INT; echo re""ady\n'
	terminal_wait '^ready'
	terminal_type '\003'
	# It runs the trap when it has read a line.
	terminal_type '\n'
	terminal_wait 'interrupted'
	healthy
	terminal_type 'exit 4\n'
	terminal_end
	[ "$status" -eq 4 ]
}

@test "--init: not PID 1, and all the same" {
	local orphan
	image_build <<-'END'
	FROM BASE
	RUN mkdir /etc/service/a && printf \
	    '#!/bin/sh\nsh -c "sleep 1000 & echo \\$! >/tmp/orphan"\nexec sleep 1000\n' \
	        >/etc/service/a/run && chmod 755 /etc/service/a/run
	END
	container_start --image "$BUILT" --init
	healthy
	up cron syslog a
	[ "$(inside cat /proc/1/comm)" != my_init ]
	# Orphans of services come to it, not to the PID 1 above it.
	wait_for "an orphan" inside test -s /tmp/orphan
	orphan=$(inside cat /tmp/orphan)
	wait_for "its parent to be my_init" inside sh -c '[ "$(cat "/proc/$(sed -n \
	    "s/^PPid:[[:space:]]*//p" "/proc/$1/status")/comm")" = my_init ]' sh "$orphan"
	inside kill "$orphan"
	wait_for "its end" inside test ! -e "/proc/$orphan"
	wait_for "no zombie" no_zombies
	said 1 '^\*\*\* .*not PID 1'
	stops_with 0 3000
}

@test "--user 1000: what needs root says so and stays down; the rest runs" {
	image_build <<-'END'
	FROM BASE
	RUN mkdir /etc/service/a && printf '#!/bin/sh\nexec sleep 1000\n' \
	    >/etc/service/a/run && chmod 755 /etc/service/a/run
	END
	container_start --image "$BUILT" --user 1000
	healthy
	up a
	local name
	# (Until it says so, one that has no check is up.)
	for name in cron syslog sshd; do
		wait_service "$name" state down
		said 1 "^\*\*\* $name: only root can run it; stays down"
	done
	stops_with 0 3000
}

@test "--user 1000:1000 with a command: its exit code" {
	container_run --user 1000:1000 -- /sbin/my_init -- sh -c 'id -u; exit 9'
	[ "$status" -eq 9 ]
	grep -qx 1000 <<<"$stdout"
}

@test "--read-only" {
	container_start --read-only
	healthy
	inside initctl status
	stops_with 0 3000
}

@test "--read-only --tmpfs /run --tmpfs /tmp" {
	container_start --read-only --tmpfs /run --tmpfs /tmp -e GIVEN=1
	healthy
	up cron syslog
	inside logger all the same
	wait_log 'all the same'
	stops_with 0 3000
}

@test "--read-only with what it writes to in volumes: nothing is missing" {
	container_start --read-only --tmpfs /run --tmpfs /tmp --tmpfs /var/log \
	    --tmpfs /root/.ssh:mode=700 -v /etc/ssh -p 127.0.0.1::22 \
	    -- /sbin/my_init --enable-insecure-key
	healthy
	up cron syslog sshd
	[ "$(ssh_in "$(insecure_key)" "$(port_of 22)" whoami)" = root ]
	stops_with 0 5000
}

@test "--cap-drop ALL" {
	container_start --cap-drop ALL
	healthy
	stops_with 0 3000
	container_run --cap-drop ALL -- /sbin/my_init -- sh -c 'exit 3'
	[ "$status" -eq 3 ]
}

@test "--cap-drop ALL --cap-add SETUID --cap-add SETGID: setuser works" {
	container_run --cap-drop ALL --cap-add SETUID --cap-add SETGID -- \
	    /sbin/my_init --quiet -- setuser www-data id -un
	[ "$status" -eq 0 ]
	[ "$(tail -n 1 <<<"$stdout")" = www-data ]
}

@test "--cap-drop ALL: setuser fails, and does not go on as root" {
	container_run --cap-drop ALL -- /sbin/my_init --quiet -- setuser www-data id -un
	[ "$status" -ne 0 ]
	not grep -q root <<<"$stdout"
}

@test "--security-opt no-new-privileges" {
	container_start --security-opt no-new-privileges -p 127.0.0.1::22 -- /sbin/my_init \
	    --enable-insecure-key
	healthy
	up cron syslog
	[ "$(ssh_in "$(insecure_key)" "$(port_of 22)" whoami)" = root ]
	stops_with 0 5000
}

@test "--pid host: stops its own processes and no others" {
	container_start -- sleep 1000
	local bystander=$CONTAINER
	container_start --pid host
	booted
	up cron syslog
	no_line_twice
	service_is sshd state down
	stops_with 0 5000
	# Another boot, though PID 1 is the same.
	docker start "$CONTAINER" >/dev/null
	booted
	up cron syslog
	service_is sshd state down
	said 2 '^\*\*\* sshd: nobody could log in'
	stops_with 0 5000
	[ "$(docker inspect -f '{{.State.Running}}' "$bystander")" = true ]
}

@test "--pid container:OTHER: stops its own processes and no others" {
	container_start -- sleep 1000
	local other=$CONTAINER
	container_start --pid "container:$other"
	booted
	up cron syslog
	stops_with 0 5000
	[ "$(docker inspect -f '{{.State.Running}}' "$other")" = true ]
	[ "$(docker exec "$other" sh -c 'cat /proc/[0-9]*/comm' |
	    grep -c 'cron\|rsyslogd\|supervisor')" -eq 0 ]
}

@test "--network none" {
	container_start --network none
	healthy
	up cron syslog
	stops_with 0 3000
}

@test "--ipc, --uts, --cgroupns, small /dev/shm and a pid limit: all the same" {
	container_start --uts host --cgroupns private --shm-size 1m --pids-limit 40
	healthy
	up cron syslog
	stops_with 0 3000
}

# The hardest: scenario 14.
hardest=(--user 1234 --read-only --tmpfs /run --tmpfs /tmp --cap-drop ALL
    --security-opt no-new-privileges)

@test "the hardest: any user, read-only, no capabilities, no new privileges" {
	container_start "${hardest[@]}"
	healthy
	[ "$(count_log '^\*\*\* .*/etc/container_environment')" -le 2 ]
	# Its own user may talk to it.
	[ "$(inside id -u)" = 1234 ]
	stops_with 0 3000
	container_run "${hardest[@]}" -- /sbin/my_init -- sh -c 'exit 42'
	[ "$status" -eq 42 ]
}

@test "the hardest, and a service of that user under supervision" {
	image_build <<-'END'
	FROM BASE
	RUN mkdir /etc/service/a && \
	    printf '#!/bin/sh\necho "a is up as $(id -u)"\nexec sleep 1000\n' \
	        >/etc/service/a/run && chmod 755 /etc/service/a/run
	END
	container_start --image "$BUILT" "${hardest[@]}"
	wait_log '^a is up as 1234$'
	booted
	local pid
	pid=$(inside initctl --json status a | jq .services[0].pid)
	inside kill -KILL "$pid"
	wait_service a restarts 1
	wait_service a state up
	inside sv restart a
	wait_for "the third start" _ups 3
	stops_with 0 3000
}

_ups() {
	[ "$(count_log '^a is up as 1234$')" -eq "$1" ]
}

@test "the hardest, and --init; the hardest, and no /run" {
	container_start --init "${hardest[@]}"
	healthy
	stops_with 0 3000
	container_start --user 1234 --read-only --cap-drop ALL \
	    --security-opt no-new-privileges
	healthy
	stops_with 0 3000
}

@test "ENTRYPOINT and CMD are both my_init: it runs once" {
	container_start --entrypoint /sbin/my_init -- /sbin/my_init
	healthy
	up cron syslog
	[ "$(inside sh -c 'cat /proc/[0-9]*/comm' | grep -c my_init)" -eq 1 ]
	stops_with 0 3000
	container_run --entrypoint /sbin/my_init -- /sbin/my_init -- sh -c 'exit 6'
	[ "$status" -eq 6 ]
}

@test "ENTRYPOINT my_init, CMD a command" {
	container_run --entrypoint /sbin/my_init -- --quiet -- sh -c 'exit 8'
	[ "$status" -eq 8 ]
	container_run --entrypoint /sbin/my_init -- true
	[ "$status" -eq 0 ]
}

# --- stopping ----------------------------------------------------------------------------
@test "docker pause and unpause: nothing is restarted" {
	container_start
	healthy
	docker pause "$CONTAINER" >/dev/null
	docker unpause "$CONTAINER" >/dev/null
	healthy
	stops_with 0 3000
}

@test "docker stop while paused: the engine unpauses, and it stops in order" {
	container_start
	healthy
	docker pause "$CONTAINER" >/dev/null
	stops_with 0 5000
	[ "$(count_log '^\*\*\* Killing all processes')" -eq 1 ]
}

@test "docker restart, three times" {
	container_start
	healthy
	local n
	for n in 1 2 3; do
		docker restart -t 20 "$CONTAINER" >/dev/null
		booted
		up cron syslog
		wait_for "no zombie" no_zombies
		said $((n + 1)) '^\*\*\* Booting'
	done
	no_log 'Forcing'
	stops_with 0 3000
}

# All of them have come to their sleep, or to that of a child: no trap is set after it.
fifty_sleep() {
	[ "$(inside sh -c 'cat /proc/[0-9]*/comm' | grep -cx sleep)" -eq 50 ]
}

# fifty KIND: an image with 50 services.
fifty() {
	in_context run 755
	image_build <<-'END'
	FROM BASE
	COPY run /tmp/run
	RUN for n in $(seq 50); do mkdir /etc/service/s$n && cp /tmp/run /etc/service/s$n/; done
	END
	container_start --image "$BUILT"
	booted 60
	[ "$(inside initctl --json status | jq '[.services[] | select(.state == "up")] |
	    length')" -eq 52 ]
	wait_for "them to sleep" fifty_sleep
}

@test "docker stop with 50 services: -t 10 is plenty, -t 1 enough" {
	fifty <<-'END'
	#!/bin/sh
	exec sleep 1000
	END
	stops_with 0 5000
	docker start "$CONTAINER" >/dev/null
	booted 60
	container_stop -t 1
	[ "$status" -eq 0 ] || [ "$status" -eq 137 ]
	[ "$took" -le 5000 ]
	docker start "$CONTAINER" >/dev/null
	booted 60
	container_stop -t 0
	[ "$status" -eq 0 ] || [ "$status" -eq 137 ]
	[ "$took" -le 5000 ]
}

@test "docker stop with 50 services that ignore TERM: killed in time if it is given" {
	fifty <<-'END'
	#!/bin/sh
	trap "" TERM
	while :; do sleep 1000; done
	END
	container_stop -t 1
	[ "$status" -eq 137 ]
	docker rm "$CONTAINER" >/dev/null
	container_start --image "$BUILT" -e KILL_PROCESS_TIMEOUT=1
	booted 60
	wait_for "them to sleep" fifty_sleep
	stops_with 0 6000
	[ "$(count_log 'did not shut down in time. Forcing it to exit')" -ge 50 ]
}

@test "docker stop in the middle of the boot" {
	image_build <<-'END'
	FROM BASE
	RUN printf '#!/bin/sh\necho waiting here\nexec sleep 1000\n' \
	    >/etc/my_init.d/10_wait && chmod 755 /etc/my_init.d/10_wait
	END
	container_start --image "$BUILT"
	wait_log '^waiting here'
	inside initctl status >"$OUTPUT/status"
	grep -q '10_wait' "$OUTPUT/status"
	container_stop -t 20
	[ "$took" -le 3000 ]
	[ "$status" -ne 137 ]
	no_log 'Booting runit daemon'
}

@test "docker stop at once after the start: never 137, never long" {
	local n
	for n in 1 2 3 4 5; do
		container_start --network none
		container_stop -t 20
		[ "$took" -le 5000 ] || fail "it took $took ms"
		[ "$status" -ne 137 ]
		docker rm "$CONTAINER" >/dev/null
	done
}

@test "other stop signals: --stop-signal INT, PWR, RTMIN+3" {
	local signal
	for signal in INT PWR RTMIN+3; do
		container_start --stop-signal "SIG$signal"
		healthy
		stops_with 0 3000
	done
}

@test "a second stop ends the grace of the first" {
	image_build <<-'END'
	FROM BASE
	RUN mkdir /etc/service/a && \
	    printf '%s\n' '#!/bin/sh' 'trap "" TERM' 'echo a ignores it' \
	        'while :; do sleep 1000; done' \
	        >/etc/service/a/run && chmod 755 /etc/service/a/run
	END
	container_start --image "$BUILT"
	wait_log '^a ignores it'
	booted
	docker kill --signal TERM "$CONTAINER" >/dev/null
	wait_service a state stopping
	docker kill --signal TERM "$CONTAINER" >/dev/null
	container_wait 20
	[ "$status" -eq 0 ]
}

# --- exit codes --------------------------------------------------------------------------
@test "exit codes: 0, 1, 137, 126, 127, by a signal, all services stopped in order" {
	local code
	for code in 0 1 137; do
		container_run -- /sbin/my_init -- sh -c "exit $code"
		[ "$status" -eq "$code" ]
		[[ "$stderr" == *"exited with exit code $code."* ]]
		[[ "$stderr" == *"Shutting down runit daemon"* ]]
	done
	container_run -- /sbin/my_init -- /no/such/command
	[ "$status" -eq 127 ]
	container_run -- /sbin/my_init -- /etc/passwd
	[ "$status" -eq 126 ]
	container_run -- /sbin/my_init -- sh -c 'kill -KILL $$'
	[ "$status" -eq 137 ]
	container_run -- /sbin/my_init -- sh -c 'kill -TERM $$'
	[ "$status" -eq 143 ]
}

@test "exit codes: docker stop with a main command" {
	container_start -- /sbin/my_init -- sleep 1000
	booted
	stops_with 143 3000
	container_start -- /sbin/my_init -- sh -c 'trap "exit 5" TERM; echo ready
	    while :; do sleep 0.1; done'
	wait_log '^ready'
	stops_with 5 3000
}

@test "exit codes: initctl shutdown --exit-code" {
	container_start
	booted
	inside initctl shutdown --exit-code 7
	container_wait 20
	[ "$status" -eq 7 ]
}

# --- initctl, by docker exec -------------------------------------------------------------
@test "docker exec: every command of initctl" {
	image_build <<-'END'
	FROM BASE
	RUN mkdir /etc/service/a && printf \
	    '#!/bin/bash\ntrap "echo a got HUP" HUP\ntrap "echo a got USR1" USR1\necho a is up\nwhile :; do sleep 1000 & wait; done\n' \
	        >/etc/service/a/run && chmod 755 /etc/service/a/run
	END
	container_start --image "$BUILT"
	booted
	wait_log '^a is up'
	local commands
	commands=$(inside initctl help | sed -n 's/^  \([a-z][a-z-]*\) .*/\1/p' | tr '\n' ' ')
	[ "$commands" = "status start stop restart once reload signal wait health \
rescan enable-insecure-key shutdown show check graph logs watch version help " ]
	inside initctl status | grep -qE '^a +up +[0-9]'
	inside initctl status a cron
	inside initctl wait --timeout 10 a cron
	inside initctl health a cron
	inside initctl show a | grep -qE '^down-signal +TERM +default$'
	inside initctl check
	inside initctl graph | grep -qE '^ +1 +a$'
	[[ $(inside initctl logs a 2>&1 || :) == *'it has no log-prefix'* ]]
	inside initctl watch a cron >"$OUTPUT/watch" 2>&1 &
	local watcher=$!
	wait_for "the row of a" grep -qE '^a +up ' "$OUTPUT/watch"
	inside initctl reload a
	wait_log '^a got HUP'
	inside initctl signal USR1 a
	wait_log '^a got USR1'
	inside initctl stop a
	service_is a state down
	wait_for "the row of its stop" grep -qE '^a +down ' "$OUTPUT/watch"
	local code=0
	inside initctl status a || code=$?
	[ $code -eq 3 ]
	inside initctl once a
	service_is a state up
	inside initctl restart 'a*'
	inside initctl start /etc/service/a
	service_is a state up
	code=0
	inside initctl start nosuch || code=$?
	[ $code -eq 4 ]
	code=0
	inside initctl nonsense || code=$?
	[ $code -eq 2 ]
	inside sh -c 'mkdir /etc/service/.b && cp /etc/service/a/run /etc/service/.b &&
	    echo json >/etc/service/.b/log-prefix && mv /etc/service/.b /etc/service/b'
	inside initctl rescan
	wait_service b state up
	wait_log '"service":"b","message":"a is up"}$'
	[ "$(inside initctl logs -n 1 b)" = 'a is up' ]
	# (Nobody is to make something in it while it is removed.)
	wait_for "its supervise/" inside test -e /etc/service/b/supervise/status
	inside rm -r /etc/service/b
	_gone() {
		code=0
		inside initctl status b || code=$?
		[ $code -eq 4 ]
	}
	wait_for "its end" _gone
	inside initctl version | grep -q '[0-9]\.[0-9]'
	inside initctl --version
	inside initctl enable-insecure-key
	wait_service sshd state up
	inside initctl --json status | jq -e '.phase == "running"'
	inside initctl shutdown
	container_wait 20
	[ "$status" -eq 0 ]
	# What it watched is gone; its exit code is that of whoever ended first.
	wait "$watcher" || :
}

@test "where not one process more can be made, initctl answers, and it stops" {
	in_context fill 755 <<-'END'
	#!/usr/bin/perl
	while (defined(my $pid = fork)) { sleep 1000 unless $pid }
	open F, ">", "/tmp/full" and print F "full\n" and close F;
	sleep 1000;
	END
	# It may not fork itself after that, and what the boot has started is to have
	# made its processes before.
	in_context ask 755 <<-'END'
	#!/bin/sh
	initctl wait --down sshd
	until [ -e /run/crond.reboot ]; do sleep 0.1; done
	mkfifo /tmp/full
	fill &
	read -r full </tmp/full
	echo "it is $full"
	exec initctl status cron
	END
	image_build <<-'END'
	FROM BASE
	COPY fill ask /usr/local/bin/
	END
	container_run --image "$BUILT" --pids-limit 40 -- /sbin/my_init -- ask
	[ "$status" -eq 0 ]
	grep -qx 'it is full' <<<"$stdout"
	grep -q '^cron  *up  *[0-9]' <<<"$stdout"
	not grep -q Forcing <<<"$stderr"
}

@test "docker exec as another user: refused, and nothing worse" {
	container_start
	booted
	local code=0
	docker exec --user 1000 "$CONTAINER" initctl status 2>"$OUTPUT/error" || code=$?
	[ $code -eq 7 ] || [ $code -eq 5 ]
	[ -s "$OUTPUT/error" ]
	healthy
}
