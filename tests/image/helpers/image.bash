# Containers of the image under test, in the engine that tests/image/run has found.
# Sourced by the *.bats files ("load helpers/image").
# shellcheck shell=bash
#
# A case starts containers, waits for what is to happen, and looks at logs, exit codes
# and files.  What it starts and builds is removed after it.
#
# Start; OPTIONs are those of `docker run`, the command comes after "--" (none: the
# image's own).  --image NAME is another image than my_init_test/bookworm.
#   container_start [OPTION...] [-- COMMAND...]
#       in the background; its name is then $CONTAINER
#   container_run [OPTION...] [-- COMMAND...]
#       to its end: $status $stdout $stderr, and $OUTPUT/stdout, $OUTPUT/stderr
#   terminal_start [OPTION...] [-- COMMAND...]
#       on a terminal (docker run -t -i), kept in $OUTPUT/terminal
#   terminal_type TEXT     types (printf's escapes)
#   terminal_wait REGEX    waits for a line there
#   terminal               prints what was written there
#   terminal_end           waits for the end: $status
#
# While it runs:
#   inside COMMAND...          docker exec
#   logs                       docker logs, stdout and stderr
#   wait_log [--within S] REGEX
#                              waits for a line in the logs (20 s)
#   said N REGEX               waits until so many lines of the logs are like that:
#                              what a container writes is there a moment later
#   wait_for [--within S] WHAT COMMAND...
#                              waits until a command succeeds (20 s)
#   booted                     waits until the services have come to rest: each up, or
#                              down; none of them starts again and again
#   service_is NAME KEY VALUE  what initctl says of a service
#   runs_as PROGRAM USER       waits until it does: the run script of a service that is
#                              up may not have come to it yet
#   healthy                    initctl status works, no zombie, no line said twice
#   container_stop [-t S]      docker stop: $status, and its milliseconds in $took
#   container_wait [S]         waits for the end: $status
#   port_of N                  where on 127.0.0.1 port N has been published
#   address                    the container's own; in podman it is that of all of them
#   ssh_in [USER] KEY PORT|ADDRESS COMMAND...
#                              as root, if nobody is named
#
# Images: image_build DIRECTORY [OPTION...] or image_build <<EOF (a Dockerfile, in which
# BASE is the image under test) makes $BUILT.
#
# fail MESSAGE... ends a case; "not COMMAND..." is a COMMAND that must fail.

# A file with "podman" in its name runs in podman, which knows the same images.
case ${BATS_TEST_FILENAME##*/} in
*podman*) ENGINE=podman IMAGES=localhost/my_init_test ;;
*) ENGINE=docker IMAGES=my_init_test ;;
esac
BASE=$IMAGES/bookworm

. "$BATS_TEST_DIRNAME/../wait.bash"
WAIT_PAUSE_S=0.1	# a look is a process of the engine

setup() {
	image_setup
}

teardown() {
	image_teardown
}

# One that does not answer is not waited for.
docker() {
	timeout -k 5 "${DOCKER_WITHIN-90}" $ENGINE "$@"
}

fail() {
	echo "$*" >&2
	if [ -n "${CONTAINER-}" ]; then
		echo "--- the logs of $CONTAINER:" >&2
		logs >&2
	fi
	return 1
}

# Fails if the command does not.
not() {
	if "$@"; then
		fail "it should not be so: $*"
		return
	fi
}

image_setup() {
	if [ -z "${RUN_ID-}" ]; then
		echo "use make test-image, or tests/image/run" >&2
		return 1
	fi
	CONTAINER='' BUILT='' TERMINAL=''
	OUTPUT=$BATS_TEST_TMPDIR/output
	mkdir -p "$OUTPUT"
	mkfifo "$OUTPUT/pause"
	: >"$OUTPUT/containers"
	: >"$OUTPUT/images"
}

image_teardown() {
	local names
	[ -d "${OUTPUT-}" ] || return 0
	if [ -n "$TERMINAL" ]; then
		kill "$TERMINAL" 2>/dev/null || :
	fi
	mapfile -t names <"$OUTPUT/containers"
	[ ${#names[@]} -eq 0 ] || docker rm -f -v "${names[@]}" >/dev/null 2>&1 || :
	mapfile -t names <"$OUTPUT/images"
	[ ${#names[@]} -eq 0 ] || docker image rm -f "${names[@]}" >/dev/null 2>&1 || :
}

# unique: a name for a container, an image, a volume.
unique() {
	local n
	n=$(cat "$OUTPUT/containers" "$OUTPUT/images" | wc -l)
	echo "my_init_test_${RUN_ID,,}_$(basename \
	    "$BATS_TEST_FILENAME" .bats)_$BATS_TEST_NUMBER.$n"
}

# _command OPTION... [-- COMMAND...]: docker run and so on, into the array "command".
_command() {
	local image=$BASE
	CONTAINER=$(unique)
	echo "$CONTAINER" >>"$OUTPUT/containers"
	command=(docker run --name "$CONTAINER" --label "my_init_test=$RUN_ID")
	if [ $ENGINE = podman ] && [[ " $* " != *' --network '* && " $* " != *' --pod '* ]]; then
		command+=(--network "ns:$PODMAN_NETWORK")
	fi
	while [ $# -gt 0 ] && [ "$1" != -- ]; do
		if [ "$1" = --image ]; then
			image=$2
			shift
		else
			command+=("$1")
		fi
		shift
	done
	[ $# -eq 0 ] || shift
	command+=("$image" "$@")
}

container_start() {
	local command
	_command -d "$@"
	"${command[@]}" >"$OUTPUT/start" 2>&1 || {
		cat "$OUTPUT/start" >&2
		return 1
	}
}

container_run() {
	local command
	_command "$@"
	status=0
	"${command[@]}" >"$OUTPUT/stdout" 2>"$OUTPUT/stderr" </dev/null || status=$?
	stdout=$(<"$OUTPUT/stdout")
	# That is the client's word about the engine's host.
	stderr=$(grep -v '^WARNING: IPv4 forwarding is disabled' "$OUTPUT/stderr" || :)
	if [ $status -eq 124 ]; then
		fail "the container has not ended"
	fi
}

# Nothing was written to stderr; if something was, it is shown.
no_stderr() {
	[ -z "$stderr" ] || fail "on stderr: $stderr"
}

terminal_start() {
	local command
	_command -t -i "$@"
	mkfifo "$OUTPUT/keys"
	exec {KEYS}<>"$OUTPUT/keys"
	SHELL=/bin/bash TERM=xterm timeout -k 5 90 script -qefc \
	    "$(printf '%q ' "$(type -P $ENGINE)" "${command[@]:1}")" \
	    /dev/null <"$OUTPUT/keys" >"$OUTPUT/terminal" 2>&1 3>&- &
	TERMINAL=$!
}

terminal_type() {
	# shellcheck disable=SC2059
	printf "$1" >&"$KEYS"
}

# What was on the terminal, less what only a terminal reads.
terminal() {
	tr -d '\r' <"$OUTPUT/terminal" | sed 's/\x1b\[[0-9;?]*[A-Za-z]//g'
}

_terminal_has() {
	terminal | grep -qaE -e "$1"
}

terminal_wait() {
	wait_for "on the terminal: $1" _terminal_has "$1" || {
		cat -v "$OUTPUT/terminal"
		return 1
	} >&2
}

terminal_end() {
	status=0
	wait "$TERMINAL" || status=$?
	TERMINAL=''
	exec {KEYS}>&-
}

# --- while it runs -----------------------------------------------------------------
inside() {
	docker exec "$CONTAINER" "$@"
}

logs() {
	docker logs "$CONTAINER" 2>&1 | tr -d '\r'
}

wait_log() {
	local within=20 line fd reader found=''
	if [ "$1" = --within ]; then
		within=$2
		shift 2
	fi
	exec {fd}< <(exec timeout "$within" $ENGINE logs -f "$CONTAINER" \
	    2>&1 3>&-)
	reader=$!
	while IFS= read -r -u "$fd" line; do
		if [[ ${line%$'\r'} =~ $1 ]]; then
			found=1
			break
		fi
	done
	exec {fd}<&-
	kill "$reader" 2>/dev/null || :
	[ -n "$found" ] || fail "not in the logs: $1"
}

no_log() {
	if logs | grep -aE -e "$1" >&2; then
		fail "in the logs: $1"
	fi
}

# count_log REGEX: prints how many lines of the logs are like that.
count_log() {
	logs | grep -caE -e "$1" || :
}

_said() {
	local times
	times=$(count_log "$2")
	echo "$times times"
	[ "$times" -eq "$1" ]
}

said() {
	wait_for "the logs to say $1 times: $2" _said "$@"
}

_at_rest() {
	inside initctl --json status | jq -e '.phase == "running" and
	    all(.services[]; (.state == "up" and .ready) or .state == "down" or
	    .state == "failed")'
}

# shellcheck disable=SC2120
booted() {
	wait_for --within "${1-30}" "the services to come to rest" _at_rest
}

service_is() {
	local said
	said=$(inside initctl --json status "$1" | jq -r ".services[0].$2")
	if [ "$said" != "$3" ]; then
		echo "$1: $2 is $said, not $3" >&2
		return 1
	fi
}

wait_service() {
	wait_for "$1: $2 to be $3" service_is "$@"
}

# shellcheck disable=SC2016
_runs_as() {
	[ "$(inside sh -c 'stat -c %U "/proc/$(pidof "$1")"' sh "$1")" = "$2" ]
}

runs_as() {
	wait_for "$1 to run as $2" _runs_as "$@"
}

# zombies: prints what nobody has reaped, of the container's processes.
# shellcheck disable=SC2016
zombies() {
	inside sh -c 'for status in /proc/[0-9]*/status; do
		! grep -q "^State:.Z" $status 2>/dev/null || cat $status
	done' | grep -aE '^(Name|Pid|PPid)' || :
}

no_zombies() {
	[ -z "$(zombies)" ]
}

# Lines of my_init and of the image's own scripts since the container's last start; of
# each there is one.
no_line_twice() {
	local since twice
	since=$(docker inspect "$CONTAINER" | jq -r '.[0].State.StartedAt')
	twice=$(docker logs --since "$since" "$CONTAINER" 2>&1 | tr -d '\r' |
	    grep -a '^\*\*\* ' | sort | uniq -d)
	[ -z "$twice" ] || fail "said more than once: $twice"
}

# Longer up than what dies at its start ever is: see "backoff" in the README.
_up_for_long() {
	inside initctl --json status | jq -e 'all(.services[];
	    .state == "up" and .uptime_ms > 1200 or .state == "down")'
}

healthy() {
	booted
	wait_for "the services to stay up" _up_for_long
	inside initctl status >"$OUTPUT/status"
	wait_for "no zombie" no_zombies
	no_line_twice
	inside initctl --json status | jq -e 'all(.services[]; .restarts == 0)' \
	    >/dev/null || fail "a service has been restarted"
}

_now() {
	echo $((${EPOCHREALTIME/[.,]/} / 1000))
}

container_stop() {
	local began
	began=$(_now)
	docker stop "$@" "$CONTAINER" >/dev/null
	# shellcheck disable=SC2034
	took=$(($(_now) - began))
	status=$(docker inspect -f '{{.State.ExitCode}}' "$CONTAINER")
}

container_wait() {
	status=$(DOCKER_WITHIN=${1-60} docker wait "$CONTAINER") ||
	    fail "the container has not ended"
}

# stops_with CODE MILLISECONDS
stops_with() {
	container_stop -t 20
	[ "$status" -eq "$1" ] || fail "exit code $status, not $1"
	[ "$took" -le "$2" ] || fail "stopping took $took ms"
}

port_of() {
	docker port "$CONTAINER" "$1" | sed -n 's/^127\.0\.0\.1:\([0-9]*\)$/\1/p'
}

address() {
	[ $ENGINE = docker ] || {
		echo "$PODMAN_ADDRESS"
		return
	}
	docker inspect -f '{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}' \
	    "$CONTAINER"
}

# A key of its own in a directory that only we can read: git keeps no such modes.
insecure_key() {
	install -m 600 "$BATS_TEST_DIRNAME"/../../image/insecure_key{,.pub} "$OUTPUT/"
	echo "$OUTPUT/insecure_key"
}

# Is somebody there who speaks ssh?
_answers() {
	timeout 10 bash -c 'IFS= read -r line <"/dev/tcp/$1/$2" && [[ $line == SSH-* ]]' \
	    answers "$@"
}

ssh_in() {
	local user=root key where
	if [[ $1 != */* ]]; then
		user=$1
		shift
	fi
	key=$1
	where=("$user@127.0.0.1" -p "$2")
	if [[ $2 == *.* ]]; then
		where=("$user@$2")
		wait_for "sshd at $2" _answers "$2" 22
	else
		wait_for "sshd at port $2" _answers 127.0.0.1 "$2"
	fi || return
	shift 2
	timeout -k 5 30 ssh -F /dev/null -i "$key" -o IdentitiesOnly=yes -o BatchMode=yes \
	    -o StrictHostKeyChecking=no -o UserKnownHostsFile="$OUTPUT/known_hosts" \
	    -o LogLevel=ERROR -o ConnectTimeout=10 "${where[@]}" "$@" </dev/null
}

# --- images --------------------------------------------------------------------------
image_build() {
	local directory
	BUILT=$(unique)
	echo "$BUILT" >>"$OUTPUT/images"
	if [ $# -gt 0 ]; then
		directory=$1
		shift
	else
		directory=$BATS_TEST_TMPDIR/context
		mkdir -p "$directory"
		sed "s|^FROM BASE|FROM $BASE|" >"$directory/Dockerfile"
	fi
	DOCKER_WITHIN=300 docker build --network host --force-rm -t "$BUILT" "$@" \
	    "$directory" >"$OUTPUT/build.log" 2>&1 || {
		tail -n 50 "$OUTPUT/build.log" >&2
		return 1
	}
}

# in_context NAME [MODE] <<EOF: a file for the Dockerfile of image_build <<EOF.
in_context() {
	mkdir -p "$BATS_TEST_TMPDIR/context"
	cat >"$BATS_TEST_TMPDIR/context/$1"
	chmod "${2-644}" "$BATS_TEST_TMPDIR/context/$1"
}
