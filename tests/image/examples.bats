#!/usr/bin/env bats
# image/examples, each built and used.

load helpers/image

WEB=my_init_test/example_web

setup_file() {
	timeout 300 docker build --network host --build-arg "BASE=$BASE" -t "$WEB" \
	    "$BATS_TEST_DIRNAME/../../image/examples/web" \
	    >"$BATS_FILE_TMPDIR/web.log" 2>&1 || {
		tail -n 50 "$BATS_FILE_TMPDIR/web.log" >&2
		return 1
	}
}

teardown_file() {
	docker image rm -f "$WEB" >/dev/null 2>&1
}

setup() {
	image_setup
	EXAMPLES=$BATS_TEST_DIRNAME/../../image/examples
}

teardown() {
	if [ -n "${PROJECT-}" ]; then
		compose down -v --rmi local >/dev/null 2>&1
	fi
	if [ -n "${POD-}" ]; then
		timeout -k 5 60 podman pod rm -f -t 0 "$POD" >/dev/null 2>&1
	fi
	image_teardown
}

web_start() {
	container_start --image "$WEB" -p 127.0.0.1::80 "$@"
	wait_for "all of it to be up" inside initctl status nginx web redis worker
	URL=http://127.0.0.1:$(port_of 80)
}

# web_says REGEX [CURL'S ARGUMENT...]: waits for such an answer.  (One that is given up
# may have counted all the same.)
web_says() {
	local regex=$1
	shift
	wait_for --within 60 "the answer $regex" _web_says "$regex" "$@"
}

_web_says() {
	local regex=$1
	shift
	curl -sS --max-time 20 "$@" | grep -E -- "$regex"
}

# process_is NAME USER: all processes of a service's session belong to a user.
service_runs_as() {
	inside sh -c 'ps -o user:16= -s "$(initctl --json status $1 | sed "s/.*\"pid\": *\([0-9]*\).*/\1/")" |
	    sort -u' sh "$1"
}

@test "memcached: as in the README, as its own user, killed and back" {
	local port
	image_build "$EXAMPLES/memcached" --build-arg "BASE=$BASE"
	container_start --image "$BUILT" -p 127.0.0.1::11211
	healthy
	port=$(port_of 11211)
	_value() {
		timeout 10 bash -c 'exec 5<>"/dev/tcp/127.0.0.1/$1" &&
		    printf "set key 0 0 5\r\nvalue\r\nget key\r\nquit\r\n" >&5 && cat <&5' \
		    memcached "$port" >"$OUTPUT/answer"
		[ "$(tr -d '\r' <"$OUTPUT/answer" | sed -n 3p)" = value ]
	}
	wait_for "its answer" _value
	[ "$(service_runs_as memcached)" = memcache ]
	inside pkill -KILL -x memcached
	wait_service memcached restarts 1
	wait_service memcached state up
	stops_with 0 5000
}

@test "web: answers, counts, has its jobs done; each service as its own user" {
	web_start -e GREETING=bonjour
	web_says '"greeting":"bonjour","visits":1' "$URL/"
	web_says '"visits":2' "$URL/"
	web_says '"job":1' -d 'make me loud' "$URL/jobs"
	web_says 'MAKE ME LOUD' "$URL/jobs/1"
	[ "$(service_runs_as redis)" = redis ]
	[ "$(service_runs_as web)" = www-data ]
	[ "$(service_runs_as worker)" = www-data ]
	healthy
	stops_with 0 10000
}

@test "web: redis comes before what depends on it, nginx last" {
	web_start
	inside initctl --json status >"$OUTPUT/status"
	jq -e '[.services[] | select(.name | IN("redis", "web", "nginx"))] |
	    sort_by(-.since_ms, .pid) | map(.name) == ["redis", "web", "nginx"]' \
	    "$OUTPUT/status"
}

@test "web: what is stored outlives restarts of redis and of the container" {
	web_start
	web_says '"visits":1' "$URL/"
	inside initctl restart redis
	web_says '"visits":2' "$URL/"
	docker restart "$CONTAINER" >/dev/null
	URL=http://127.0.0.1:$(port_of 80)
	web_says '"visits":3' "$URL/"
}

@test "web: nginx lets a request end that is under way when it is stopped" {
	web_start
	# All of it is up: where there is an answer, there will be another.
	web_says '"visits":1' "$URL/"
	exec 5<>"/dev/tcp/127.0.0.1/$(port_of 80)"
	printf '%s\r\n' 'POST /jobs HTTP/1.1' 'Host: a' 'Expect: 100-continue' \
	    'Content-Length: 4' '' >&5
	# Now nginx has the beginning.
	read -r -t 20 answer <&5
	[[ $answer == 'HTTP/1.1 100 '* ]] || fail "answer: $answer"
	read -r -t 20 answer <&5
	[ "$answer" = $'\r' ]
	printf 'la' >&5
	inside initctl stop --no-wait nginx
	wait_service nginx state stopping
	printf 'te' >&5
	read -r -t 20 answer <&5
	exec 5>&-
	[[ $answer == 'HTTP/1.1 202 '* ]] || fail "answer: $answer"
	wait_service nginx state down
	service_is nginx exit.code 0
}

@test "web: its HEALTHCHECK tells up from down" {
	health() {
		[ "$(docker inspect -f '{{.State.Health.Status}}' "$CONTAINER")" = "$1" ]
	}
	web_start --health-interval 1s --health-retries 1
	wait_for "healthy" health healthy
	inside initctl stop worker
	wait_for "unhealthy" health unhealthy
}

@test "web: a startup script that fails says why, and nothing is started" {
	container_run --image "$WEB" -e 'SERVER_NAME=a b;'
	[ "$status" -eq 1 ]
	grep -q '^50_web: SERVER_NAME=a b; is no host name$' "$OUTPUT/stderr"
	not grep -q 'Booting runit' "$OUTPUT/stderr"
	not grep -qi 'redis is starting' "$OUTPUT/stdout"
}

compose() {
	(cd "$EXAMPLES/web" && BASE=my_init_test/bookworm PORT=$PORT timeout -k 5 200 \
	    docker-compose -p "$PROJECT" -f compose.yaml -f "$OUTPUT/network.yaml" "$@")
}

@test "web: with compose, and its volume" {
	# One where nothing listens.
	_free_port() {
		PORT=$((20000 + RANDOM % 10000))
		! (exec 5<>"/dev/tcp/127.0.0.1/$PORT") 2>/dev/null
	}
	wait_for "a port" _free_port
	PROJECT=my_init_test_${RUN_ID,,}
	cat >"$OUTPUT/network.yaml" <<-'END'
	version: "2.4"
	services:
	  web:
	    build:
	      network: host
	END
	compose up -d --build >"$OUTPUT/compose.log" 2>&1 ||
	    fail "$(tail -n 20 "$OUTPUT/compose.log")"
	web_says '"greeting":"hello from compose","visits":1' "http://127.0.0.1:$PORT/"
	compose down >"$OUTPUT/compose.log" 2>&1
	compose up -d >"$OUTPUT/compose.log" 2>&1
	web_says '"greeting":"hello from compose","visits":2' "http://127.0.0.1:$PORT/"
}

# The command of a probe or of preStop, as pod.yaml has it, run in the pod as the
# kubelet would: $code, and what it prints.
of_pod() {
	local words=()
	mapfile -t words < <(sed -n "/^ *$1:\$/,/command:/s/^ *command: *//p" \
	    "$EXAMPLES/kubernetes/pod.yaml" | jq -r '.[]')
	[ ${#words[@]} -gt 0 ] || fail "pod.yaml has no $1"
	code=0
	in_pod "${words[@]}" || code=$?
}

# of_pod_is PROBE CODE...: a probe after the other
of_pod_is() {
	local code
	while [ $# -gt 0 ]; do
		of_pod "$1"
		[ "$code" -eq "$2" ] || fail "$1: exit code $code, not $2"
		shift 2
	done
}

@test "kubernetes: the pod, its probes, preStop, a read-only root" {
	local began code IN_POD=''
	docker save "$WEB" | podman load >/dev/null 2>&1
	podman tag "$WEB" localhost/my_init/example-web
	POD=web
	podman play kube "$EXAMPLES/kubernetes/pod.yaml" >"$OUTPUT/play" 2>&1 ||
	    fail "$(cat "$OUTPUT/play")"
	in_pod() {
		# shellcheck disable=SC2086
		timeout -k 5 30 podman exec $IN_POD web-web "$@"
	}
	_started() {
		of_pod startupProbe
		[ "$code" -eq 0 ]
	}
	_answers_itself() {
		in_pod curl -sS --fail http://localhost/
	}
	wait_for "an answer" _answers_itself
	wait_for "all of it to be up" _started
	not in_pod sh -c ': >/etc/written' 2>/dev/null
	[[ $(in_pod curl -sS http://localhost/) == *'"greeting":"hello from a pod"'* ]]
	# podman runs one of the probes, the liveness probe.
	podman healthcheck run web-web
	of_pod_is startupProbe 0 readinessProbe 0 livenessProbe 0
	in_pod initctl stop worker
	not podman healthcheck run web-web
	of_pod_is startupProbe 3 readinessProbe 0 livenessProbe 3
	in_pod initctl start worker
	of_pod_is startupProbe 0 readinessProbe 0 livenessProbe 0
	in_pod initctl stop web
	of_pod_is startupProbe 3 readinessProbe 3 livenessProbe 3
	in_pod initctl start web nginx
	of_pod_is startupProbe 0 readinessProbe 0 livenessProbe 0
	wait_for "an answer again" _answers_itself
	of_pod_is preStop 0
	not _answers_itself 2>/dev/null
	of_pod_is readinessProbe 3 livenessProbe 3
	# Once more, as after a kubelet's restart: there is nothing to do.
	of_pod_is preStop 0
	# Where my_init cannot be asked, each of them fails.
	IN_POD='-e INITCTL_SOCKET=/nowhere'
	of_pod_is startupProbe 5 readinessProbe 5 livenessProbe 5 preStop 5
	began=$(_now)
	podman pod stop -t 20 "$POD" >/dev/null 2>&1
	[ $(($(_now) - began)) -lt 15000 ]
	[ "$(podman inspect --format '{{.State.ExitCode}}' web-web)" -eq 0 ]
}
