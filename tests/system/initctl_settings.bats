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
	shows_line down no default
	shows_line essential no default
	shows_line program run /etc/service/web/run
	[ "$(wc -l <<<"$out")" -eq 23 ]
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
	timeout-watchdog|30000|30000 ms
	down-signal|SIGQUIT|QUIT
	reload-signal|40
	max-death-tally|5
	health-interval|1m|60000 ms
	health-threshold|7
	down|x|yes
	essential||yes
	EOF
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
	json "len(r['services'][0]['settings']) == 19"
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
