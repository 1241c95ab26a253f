#!/usr/bin/env bats
# initctl watch: services as they change.

load initctl

# watch FILE ARGUMENT...: in the background, written to $OUTPUT/FILE
watch() {
	local file=$1
	shift
	: >"$OUTPUT/$file"
	container_exec initctl "$@" >"$OUTPUT/$file" 2>"$OUTPUT/$file.err" &
	watcher=$!
}

# Whoever watches is ended by the end of all processes, or sees the end of what it
# watches first: its exit code says nothing.
stop_all() {
	container_kill TERM
	container_wait
	[ "$status" -eq 0 ]
}

# row FILE REGEX: waits for it; blanks count for one.
row() {
	wait_for "a row like: $2" _has_row "$OUTPUT/$1" "$2" || {
		cat "$OUTPUT/$1"
		return 1
	} >&2
}

_has_row() {
	tr -s ' ' <"$1" | grep -qxE -e "$2"
}

@test "watch: all services, each again when it changes, whoever is killed meanwhile" {
	good_service web
	good_service db
	good_service .a-service-with-a-longer-name
	container_start --
	wait_up web db
	watch rows watch
	row rows "web up $(pid_of web) .* 0 -"
	row rows "db up $(pid_of db) .* 0 -"
	[ "$(head -n 1 "$OUTPUT/rows" | tr -s ' ')" = \
	    "SERVICE STATE PID UPTIME RESTARTS LAST EXIT" ]
	ctl 0 stop web
	row rows 'web down - - 0 .*'
	# While there is none, its gate answers, and has nothing to tell of changes.
	kill -STOP "$MY_INIT_PID"
	kill -KILL "$(supervisor_pid)"
	ctl 0 status db
	ctl 0 status db
	kill -CONT "$MY_INIT_PID"
	wait_output 'The supervisor was killed'
	container_exec kill -KILL "$(pid_of db)"
	row rows 'db up [0-9]+ .* 1 signal 9 \(KILL\)'
	# One that is new is longer than all others.
	container_exec mv /etc/service/.a-service-with-a-longer-name \
	    /etc/service/a-service-with-a-longer-name
	row rows "a-service-with-a-longer-name up [0-9]+ .* 0 -"
	[ "$(grep -c '^SERVICE' "$OUTPUT/rows")" -eq 1 ]
	stop_all
	wait "$watcher" || :
	[ -z "$(grep -vx Terminated "$OUTPUT/rows.err")" ]
}

@test "watch --json NAME...: an object a line, of these alone" {
	good_service web1
	good_service .web2
	good_service db
	container_start --
	wait_up web1 db
	watch lines --json watch 'web*' /etc/service/web1
	wait_for "web1" grep -q '"name": *"web1"' "$OUTPUT/lines"
	ctl 0 restart db
	container_exec mv /etc/service/.web2 /etc/service/web2
	wait_for "web2 to be up" _said_up web2
	ctl 0 stop web1
	wait_for "web1 to be down" grep -q '"state": *"down"' "$OUTPUT/lines"
	stop_all
	wait "$watcher" || :
	python3 - "$OUTPUT/lines" <<-'EOF'
	import json, sys
	services = [json.loads(line) for line in open(sys.argv[1])]
	names = {service["name"] for service in services}
	assert names == {"web1", "web2"}, names
	assert services[0]["state"] == "up" and services[0]["ready"], services[0]
	EOF
}

_said_up() {
	grep "\"name\": *\"$1\"" "$OUTPUT/lines" | grep -q '"state": *"up"'
}

@test "watch: a name that nobody has; nobody to be asked; nobody who reads" {
	good_service web
	container_start --
	wait_up web
	ctl 4 watch wbe
	[ -z "$out" ]
	[ "$err" = "*** wbe: no service has that name; did you mean web?" ]
	ctl 4 watch 'db*'
	ctl 2 watch --timeout 3 web
	ctl 5 --socket /no/such watch
	watch rows watch web db
	row rows 'web up .*'
	row rows.err '\*\*\* db: no service has that name .*'
	# A reader that goes away ends it, when there is something to be said.
	mkfifo "$OUTPUT/pipe"
	container_exec initctl watch >"$OUTPUT/pipe" &
	local unread=$!
	read -r _ <"$OUTPUT/pipe"
	ctl 0 restart web
	wait_for "its end" _has_ended "$unread"
	stop_all
	wait "$watcher" || :
}

_has_ended() {
	! kill -0 "$1" 2>/dev/null
}
