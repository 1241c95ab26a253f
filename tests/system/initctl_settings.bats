#!/usr/bin/env bats
# initctl show and check: what service directories say.  No my_init runs here: these
# commands are for a Dockerfile's RUN, too.

load initctl

container_exec() {
	chroot "$ROOT" env -i PATH=$CONTAINER_PATH "$@"
}

# setting SERVICE NAME VALUE
setting() {
	printf '%s\n' "$3" | root_file "/etc/service/$1/$2"
}

# shows_line SETTING VALUE FROM: such a line is there, once
shows_line() {
	local count
	count=$(tr -s ' ' <<<"$out" | grep -cxF -e "$1 $2 $3" || :)
	[ "$count" -eq 1 ] || fail "$count lines \"$1 $2 $3\": $out"
}

# --- show ----------------------------------------------------------------------------
@test "show: what holds where no file says otherwise" {
	good_service web
	ctl 0 show web
	[ -z "$err" ]
	[ "$(head -n 1 <<<"$out")" = /etc/service/web ]
	shows_line type longrun default
	shows_line restart always default
	shows_line every "not repeated" default
	shows_line user "that of my_init" default
	shows_line umask "the container's" default
	shows_line nice 0 default
	shows_line limits "the container's" default
	shows_line working-directory "the service's" default
	shows_line oom-score-adj "the container's" default
	shows_line notification-fd none default
	shows_line timeout-up none default
	shows_line timeout-kill KILL_PROCESS_TIMEOUT default
	shows_line timeout-finish KILL_PROCESS_TIMEOUT default
	shows_line timeout-watchdog none default
	shows_line down-signal TERM default
	shows_line reload-signal HUP default
	shows_line max-death-tally "no limit" default
	shows_line health-interval "10000 ms" default
	shows_line health-threshold 3 default
	shows_line log-prefix "the container's" default
	shows_line down no default
	shows_line essential no default
	shows_line program run /etc/service/web/run
	[ "$(wc -l <<<"$out")" -eq 24 ]
}

@test "show: each setting that a file has, and which" {
	local name value shown
	good_service web
	while IFS='|' read -r name value shown; do
		setting web "$name" "$value"
	done < <(settings)
	ctl 0 show web
	while IFS='|' read -r name value shown; do
		shows_line "$name" "${shown:-$value}" "/etc/service/web/$name"
	done < <(settings)
	[ -z "$err" ]
}

# NAME|VALUE|AS SHOWN
settings() {
	cat <<-'EOF'
	type|oneshot
	restart|on-failure
	every|5m|300000 ms
	user|www-data:adm
	umask|27|027
	nice|-5
	limits|nofile 1024 unlimited
	working-directory|/srv
	oom-score-adj|500
	notification-fd|3
	timeout-up|2000|2000 ms
	timeout-kill|0|none
	timeout-finish|7|7 ms
	down-signal|SIGQUIT|QUIT
	reload-signal|40
	max-death-tally|5
	health-interval|1m|60000 ms
	health-threshold|7
	log-prefix|json
	down|x|yes
	essential||yes
	EOF
}

@test "show: timeout-watchdog, of a service that can be heard" {
	good_service web
	setting web timeout-watchdog 30000
	setting web type notify
	ctl 0 show web
	shows_line timeout-watchdog "30000 ms" /etc/service/web/timeout-watchdog
	ctl 0 check web
	rm "$ROOT/etc/service/web/type"
	ctl 1 check web
	[ "$err" = "*** web: timeout-watchdog: only the type notify can say that it \
lives (echo notify >type)" ]
}

@test "show: programs, variables and dependencies, by name" {
	good_service web
	root_file /etc/service/web/finish 755 </dev/null
	root_file /etc/service/web/health 755 </dev/null
	root_file /etc/service/web/control/t 755 </dev/null
	root_file /etc/service/web/control/h 755 </dev/null
	root_file /etc/service/web/log/run 755 </dev/null
	root_file /etc/service/web/env/TOKEN <<<"hush hush"
	root_file /etc/service/web/env/A <<<"hush hush"
	root_file /etc/service/web/env/.hidden <<<"hush hush"
	printf '# first\n db \n\ncache\n' | root_file /etc/service/web/depends
	ctl 0 show web
	[ "$(tail -n 10 <<<"$out" | tr -s ' ')" = \
"depends db /etc/service/web/depends
depends cache /etc/service/web/depends
program run /etc/service/web/run
program finish /etc/service/web/finish
program health /etc/service/web/health
program control/h /etc/service/web/control/h
program control/t /etc/service/web/control/t
program log/run /etc/service/web/log/run
env A /etc/service/web/env/A
env TOKEN /etc/service/web/env/TOKEN" ]
	[[ $out != *hush* ]]
	ctl 0 --json show web
	[[ $out != *hush* ]]
}

@test "show: a link to nothing is no down, as it is to the supervisor" {
	good_service web
	ln -s /nowhere "$ROOT/etc/service/web/down"
	good_service db
	root_file /etc/service/db/down </dev/null
	ctl 0 show web
	grep -qE '^down +no ' <<<"$out"
	ctl 0 show db
	grep -qE '^down +yes ' <<<"$out"
	container_start --
	wait_output '^web up'
	container_kill TERM
	container_wait
	[ "$status" -eq 0 ]
	[ "$(count_output '^db up')" -eq 0 ]
}

@test "show --json" {
	good_service web
	setting web umask 022
	setting web timeout-kill 500
	setting web limits "core 0"
	setting web depends db
	root_file /etc/service/web/env/A </dev/null
	root_file /etc/service/web/essential </dev/null
	ctl 0 --json show web
	json "[s['name'] for s in r['services']] == ['web']"
	json "r['services'][0]['directory'] == '/etc/service/web'"
	json "len(r['services'][0]['settings']) == 20"
	json "r['services'][0]['settings']['umask'] == {'value': '022',
	    'from': '/etc/service/web/umask'}"
	json "r['services'][0]['settings']['timeout-kill']['value'] == 500"
	json "r['services'][0]['settings']['timeout-finish'] == {'value': None,
	    'from': None}"
	json "r['services'][0]['settings']['down-signal'] == {'value': 'TERM',
	    'from': None}"
	json "r['services'][0]['settings']['limits']['value'] ==
	    [{'name': 'core', 'soft': '0', 'hard': '0'}]"
	json "r['services'][0]['essential'] and not r['services'][0]['down']"
	json "r['services'][0]['depends'] == ['db']"
	json "r['services'][0]['env'] == ['A']"
	json "r['services'][0]['programs'] == ['run']"
	json "r['services'][0]['faults'] == []"
}

@test "show: a file that does not parse is an error, and the rest is shown" {
	good_service web
	setting web umask 9
	setting web nice 3
	ctl 1 show web
	[[ $err == "*** web: umask: line 1: "* ]]
	shows_line umask "the container's" default
	shows_line nice 3 /etc/service/web/nice
	ctl 1 --json show web
	json "r['services'][0]['faults'][0].startswith('umask: line 1: ')"
	json "r['services'][0]['settings']['umask'] == {'value': None, 'from': None}"
}

@test "show: by pattern and path; who is unknown" {
	good_service web1
	good_service web2
	good_service db
	root_file /opt/other/run 755 </dev/null
	ctl 0 show 'web*'
	[ "$(grep '^/' <<<"$out")" = $'/etc/service/web1\n/etc/service/web2' ]
	ctl 0 show /etc/service/db/ /opt/other
	[ "$(grep '^/' <<<"$out")" = $'/etc/service/db\n/opt/other' ]
	ctl 4 show none db
	[[ $err == "*** none: no service has that name in /etc/service"* ]]
	[ "$(grep '^/' <<<"$out")" = /etc/service/db ]
	ctl 4 --json show 'x*'
	json "r['services'] == []"
	ctl 2 show
	ctl 2 show --timeout 3 web
}

@test "show: what files are called is shown as what it is" {
	local name=$'web\033[2J"\\'
	good_service "$name"
	root_file "/etc/service/$name/env/"$'A\nB"' </dev/null
	ctl 0 show "$name"
	no_escapes "$out"
	ctl 0 --json show "$name"
	json "r['services'][0]['env'] == ['A\\nB\"']"
}

# --- check ---------------------------------------------------------------------------
# faulty CODE LINE...: what check says on stderr, in any order, and how it ends
faulty() {
	local code=$1
	shift
	ctl "$code" check
	[ "$(sort <<<"$err")" = "$(printf '%s\n' "$@" | sort)" ] ||
	    fail "not so: $err"
}

@test "check: no faults" {
	good_service web
	good_service db
	setting web depends db
	setting web umask 022
	root_file /etc/service/web/log/run 755 <<<'#!/bin/sh'
	# People keep what they like there.
	setting web nginx.conf "x"
	setting web README "x"
	root_file /etc/service/web/data/file </dev/null
	root_file /etc/service/web/lib/run </dev/null
	root_file /etc/service/web/supervise/ok </dev/null
	ctl 0 check
	[ "$out" = "2 services, no faults" ]
	[ -z "$err" ]
	ctl 0 check /etc/service /etc/service
	[ "$out" = "4 services, no faults" ]
	rm -r "$ROOT"/etc/service/*
	ctl 0 check
	[ "$out" = "0 services, no faults" ]
}

@test "check: every file that does not parse" {
	good_service web
	good_service db
	local name
	local names="type restart every user umask nice limits working-directory \
	    oom-score-adj notification-fd timeout-up timeout-kill timeout-finish \
	    timeout-watchdog down-signal reload-signal max-death-tally health-interval \
	    health-threshold log-prefix"
	for name in $names; do
		setting web $name "what is this"
	done
	setting db type ''
	ctl 1 check
	[ "$out" = "2 services, 21 faults" ]
	for name in $names; do
		grep -q "^\*\*\* web: $name: line 1: " <<<"$err" || fail "$name: $err"
	done
	grep -q "^\*\*\* db: type: it is empty" <<<"$err"
}

@test "check: programs that cannot be run" {
	local name
	mkdir "$ROOT/etc/service/none"
	root_file /etc/service/plain/run <<<'#!/bin/sh'
	root_file /etc/service/words/run 755 <<<'echo hello'
	root_file /etc/service/empty/run 755 </dev/null
	printf '#!/bin/sh\r\n' | root_file /etc/service/dos/run 755
	root_file /etc/service/lost/run 755 <<<'#!/no/such/shell -e'
	mkdir -p "$ROOT/etc/service/folder/run"
	good_service dangling
	ln -s /nowhere "$ROOT/etc/service/dangling/finish"
	ln -s /nowhere "$ROOT/etc/service/link"
	good_service rest
	for name in finish check health control/t log/run; do
		root_file "/etc/service/rest/$name" <<<'#!/bin/sh'
	done
	# Not the letter of a signal.
	root_file /etc/service/rest/control/z </dev/null
	cp "$ROOT/bin/true" "$ROOT/etc/service/dangling/check"
	good_service nologger
	mkdir "$ROOT/etc/service/nologger/log"
	faulty 1 \
	    "*** none: run is missing (a service is a directory with a program of that name)" \
	    "*** plain: run is not executable (chmod +x)" \
	    "*** words: run has no #! line (make #!/bin/sh its first line)" \
	    "*** empty: run is empty (make #!/bin/sh its first line)" \
	    "*** dos: run has a carriage return in its #! line (sed -i 's/\\r\$//')" \
	    "*** lost: run has the interpreter /no/such/shell, which does not exist (install it, or mend the #! line)" \
	    "*** folder: run is not a regular file (put a program in its place)" \
	    "*** dangling: finish is a symbolic link to nothing (remove it, or make what it points to)" \
	    "*** link: it cannot be read: No such file or directory (it is a symbolic link to nothing)" \
	    "*** rest: finish is not executable (chmod +x)" \
	    "*** rest: check is not executable (chmod +x)" \
	    "*** rest: health is not executable (chmod +x)" \
	    "*** rest: control/t is not executable (chmod +x)" \
	    "*** rest/log: run is not executable (chmod +x)" \
	    "*** nologger/log: run is missing (a service is a directory with a program of that name)"
	[ "$out" = "11 services, 15 faults" ]
}

@test "check: variables, controls and loggers" {
	good_service good
	root_file /etc/service/good/env/A <<<1
	root_file /etc/service/good/env/.hidden </dev/null
	mkdir "$ROOT/etc/service/good/env/folder"
	root_file /etc/service/good/control/t 755 <<<'#!/bin/sh'
	good_service good/log
	setting good/log depends good
	ctl 0 check
	[ "$out" = "1 service, no faults" ]
	good_service file
	setting file env x
	setting file control x
	good_service link
	mkdir "$ROOT/etc/service/link/env"
	ln -s /nowhere "$ROOT/etc/service/link/env/TOKEN"
	ln -s /nowhere "$ROOT/etc/service/link/control"
	good_service logged
	good_service logged/log
	setting logged/log depends none
	good_service zero
	printf 'good\0\nx\n' >"$ROOT/etc/service/zero/depends"
	good_service zero/log
	mkdir "$ROOT/etc/service/zero/log/depends"
	faulty 1 \
	    "*** file: control: it is not a directory (it is one of programs, as in control/t)" \
	    "*** file: env: it is not a directory (it is one of files, one for each variable)" \
	    "*** link: control: it is not a directory (it is one of programs, as in control/t)" \
	    "*** link: env/TOKEN cannot be read: No such file or directory" \
	    "*** logged/log: depends on none, which is not there (remove the line from depends, or add it)" \
	    "*** zero: depends: it holds a zero byte" \
	    "*** zero/log: depends: Is a directory"
	[ "$out" = "5 services, 7 faults" ]
}

@test "check: dependencies" {
	local name
	for name in a b c d e self lost web; do
		good_service $name
	done
	setting a depends b
	setting b depends c
	printf 'a\nweb\n' | root_file /etc/service/c/depends
	setting d depends e
	setting e depends d
	setting self depends self
	setting lost depends none
	setting web depends web2
	good_service web2
	ctl 1 check
	[ "$out" = "9 services, 4 faults" ]
	[ "$err" = "*** lost: depends on none, which is not in /etc/service (remove the line from depends, or add it)
*** self: depends on itself (remove the line from depends)
*** a, b, c depend on each other in a circle; none of them is started (edit their depends files)
*** d, e depend on each other in a circle; none of them is started (edit their depends files)" ]
}

@test "check: a likely misspelling is a warning" {
	good_service web
	setting web max-death-taly 3
	setting web notification_fd 3
	setting web depend db
	setting web Run x
	ctl 0 check
	[ "$out" = "1 service, no faults" ]
	[ "$(sort <<<"$err")" = "$(sort <<-'EOF'
	web: max-death-taly means nothing here; is it max-death-tally? (only a warning)
	web: notification_fd means nothing here; is it notification-fd? (only a warning)
	web: depend means nothing here; is it depends? (only a warning)
	web: Run means nothing here; is it run? (only a warning)
	EOF
	)" ]
}

@test "check: other directories, one service, and what is none" {
	good_service web
	root_file /srv/sv/one/run 755 <<<'#!/bin/sh'
	root_file /srv/sv/two/run <<<'#!/bin/sh'
	ctl 1 check /srv/sv
	[ "$out" = "2 services, 1 fault" ]
	ctl 0 check /srv/sv/one/
	[ "$out" = "1 service, no faults" ]
	ctl 1 check /srv/sv/two
	[[ $err == "*** two: run is not executable"* ]]
	ctl 0 check web
	[ "$out" = "1 service, no faults" ]
	ctl 1 check /no/such
	[ "$err" = "*** /no/such cannot be read: No such file or directory" ]
	ctl 2 check --json
}

# --- graph ---------------------------------------------------------------------------
# net: services that depend on each other
net() {
	local name
	for name in web api db cache lone; do
		good_service $name
	done
	printf 'api\ncache\n' | root_file /etc/service/web/depends
	printf '# a comment\n db\n\ncache \n' | root_file /etc/service/api/depends
}

@test "graph: the order of starts" {
	net
	ctl 0 graph
	[ "$out" = "    1  cache
    1  db
    1  lone
    2  api, after db, cache
    3  web, after api, cache" ]
	[ -z "$err" ]
	ctl 0 graph api
	[ "$out" = "    1  cache
    1  db
    2  api, after db, cache" ]
	ctl 0 graph 'l*' /etc/service/cache
	[ "$out" = $'    1  cache\n    1  lone' ]
	ctl 4 graph none
	[[ $err == "*** none: "* ]]
	ctl 2 graph --json
	ctl 2 status --dot
}

@test "graph: circles and what is missing" {
	net
	setting db depends web
	good_service lost
	setting lost depends none
	good_service waits
	setting waits depends lost
	ctl 1 graph
	[ "$out" = $'    1  cache\n    1  lone' ]
	[ "$err" = "*** lost: depends on none, which is not in /etc/service (remove the line from depends, or add it)
*** api, db, web depend on each other in a circle; none of them is started (edit their depends files)
*** waits: waits for lost, which is never started" ]
	ctl 1 graph --dot
	[[ $out == *'"db" [color=red];'* ]]
}

@test "graph: a long chain" {
	local i
	for ((i = 1; i <= 300; i++)); do
		mkdir "$ROOT/etc/service/s$i"
		echo "s$((i - 1))" >"$ROOT/etc/service/s$i/depends"
	done
	mkdir "$ROOT/etc/service/s0"
	ctl 0 graph
	[ "$(tail -n 1 <<<"$out")" = "  301  s300, after s299" ]
}

@test "graph --dot: for graphviz" {
	net
	ctl 0 graph --dot
	[ "$out" = 'digraph services {
	rankdir=LR;
	"api";
	"db" -> "api";
	"cache" -> "api";
	"cache";
	"db";
	"lone";
	"web";
	"api" -> "web";
	"cache" -> "web";
}' ]
	local name=$'a"b\\c\nd'
	good_service "$name"
	ctl 0 graph --dot "$name"
	# shellcheck disable=SC2016
	[ "$(sed -n 3p <<<"$out")" = '	"a\"b\\c\\nd";' ]
}
