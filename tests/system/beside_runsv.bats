#!/usr/bin/env bats
# The service directory, beside runit's runsv.  Each case writes its directories once.
# What is said, and what is left in /tmp, is to be the same.  Where ours departs from
# runit's, both are written down.

load beside

# --- what a program is given -----------------------------------------------------------
# A script that writes to /tmp/facts/NAME how it was started, and says so to stdout and
# stderr; what comes after that is from stdin: facts PATH NAME.  Lines that begin with
# "* " are not as runit's.
facts() {
	{
		echo '#!/bin/sh'
		echo '. /usr/local/lib/facts'
		echo "facts $2 \"\$0\" \"\$@\""
		cat
	} | root_file "/etc/service/$1" 755
}

facts_library() {
	root_file /usr/local/lib/facts <<-'EOF'
	facts() {
		name=$1
		shift
		[ -d /tmp/facts ] || mkdir -p /tmp/facts
		exec 3>/tmp/facts/.$name
		# First, and not by grep: a shell may unblock what was blocked.
		while read -r key value; do
			case $key in
			SigBlk:) echo "* blocked $value" >&3 ;;
			# 32 and 33 are libc's own, which env(1) cannot reset.
			SigIgn:) echo "ignored $value" |
			    sed 's/18\(.\{7\}\)$/00\1/' >&3 ;;
			esac
		done </proc/$$/status
		read -r pid comm state parent group session rest </proc/$$/stat
		[ $group -ne $session ] || echo "its group is its session's" >&3
		case $session in
		$$) echo "* leads the session" ;;
		$parent) echo "* its parent leads the session" ;;
		esac >&3
		echo "argv $*" >&3
		echo "directory $(pwd -P)" >&3
		for fd in 0 1 2; do
			echo "$fd $(stat -Lc %F /proc/$$/fd/$fd)" >&3
		done
		echo "* 0 $(readlink /proc/$$/fd/0)" >&3
		echo "umask $(umask)" >&3
		# 3 is the file of the facts, 4 is of ls.
		echo "descriptors" $(ls /proc/self/fd) >&3
		tr '\0' '\n' </proc/$$/environ | sort | sed >&3 \
		    's,^PATH=/usr/local/runit:,PATH=,; s/^/environment /'
		exec 3>&-
		echo "$name out"
		echo "$name err" >&2
		mv /tmp/facts/.$name /tmp/facts/$name
	}
	EOF
}

# Waits until these programs have written down their facts in both places.
each_has_facts() {
	local name
	for name; do
		each_waits "facts of $name" test -e "/tmp/facts/$name"
	done
}

# What is not as runit's is this: departs NAME OURS THEIRS
departs() {
	local ours theirs
	ours=$(container_exec sed -n 's/^\* //p' "/tmp/facts/$1")
	theirs=$(theirs sed -n 's/pipe:.*/pipe/; s/^\* //p' "/tmp/facts/$1")
	[ "$ours" = "$2" ] || fail "$1: $ours"
	[ "$theirs" = "$3" ] || fail "$1: runit: $theirs"
}

# These are lines of $said.
said_are() {
	local line
	for line; do
		grep -qxF -e "$line" <<<"$said" || fail "the test is wrong: no $line"
	done
}

@test "what run, finish, hooks and the logger are given" {
	facts_library
	root_file /usr/local/bin/with_stdin 755 <<<$'#!/bin/sh\nexec "$@" </dev/zero'
	local name
	for name in plain logged; do
		facts $name/run $name-run <<<'exec sleep 100000'
		facts $name/finish $name-finish </dev/null
		facts $name/control/h $name-hook <<<'exit 0'
	done
	facts logged/log/run log-run <<<'exec cat >/tmp/log'
	VIA=with_stdin begin_both FOO='a  "b' EMPTY=
	each_has_facts plain-run logged-run log-run
	each sv hup plain logged
	each_has_facts plain-hook logged-hook
	each sv down plain logged
	each_has_facts plain-finish logged-finish

	for name in {plain,logged}-{run,hook,finish} log-run; do
		alike "facts of $name" \
		    "$(container_exec sed '/^\*/d; s/ empty//' "/tmp/facts/$name")" \
		    "$(theirs sed '/^\*/d; s/ empty//' "/tmp/facts/$name")"
		case $name in
		plain-run) said_are 'argv ./run' 'directory /etc/service/plain' ;;
		plain-hook) said_are 'argv control/h' 'directory /etc/service/plain' ;;
		plain-finish) said_are 'argv ./finish -1 15' ;;
		logged-*) said_are '1 fifo' '2 regular file' ;;
		log-run) said_are 'argv ./run' 'directory /etc/service/logged/log' \
			    '0 fifo' '1 regular file' '2 regular file' ;;
		esac
		said_are 'environment EMPTY=' 'environment FOO=a  "b' \
		    'descriptors 0 1 2 3 4'
	done
	each_waits "the log" grep -q '^logged-finish out' /tmp/log
	alike "log" "$(container_exec cat /tmp/log)" "$(theirs cat /tmp/log)"
	[ "$said" = "$(printf 'logged-%s out\n' run hook finish)" ]
	alike "output" "$(container_output | sed -n '/^[a-z-]* \(out\|err\)/p' | sort)" \
	    "$(sort "$OUTPUT/runit")"

	# Each program of ours leads a session, has nothing on stdin and nothing blocked;
	# runit's have what runsv has.
	local none=0000000000000000 some=0000000000014000
	for name in {plain,logged}-{run,finish}; do
		departs $name "blocked $none"$'\nleads the session\n0 /dev/null' \
		    "blocked $none"$'\nits parent leads the session\n0 /dev/zero'
	done
	for name in {plain,logged}-hook; do
		departs $name "blocked $none"$'\nleads the session\n0 /dev/null' \
		    "blocked $some"$'\nits parent leads the session\n0 /dev/zero'
	done
	departs log-run \
	    "blocked $none"$'\nleads the session\n0 /run/my_init/pipes/logged' \
	    "blocked $none"$'\nits parent leads the session\n0 pipe'
}

@test "finish is told how run ended; what cannot be started, and how often that is said" {
	local name ended='code zero term kill usr1'
	local unstartable='missing directory denied interpreter text'
	service code <<<$'#!/bin/sh\nexit 3'
	service zero <<<$'#!/bin/sh\nexit 0'
	service term <<<$'#!/bin/sh\nkill -TERM $$'
	service kill <<<$'#!/bin/sh\nkill -KILL $$'
	service usr1 <<<$'#!/bin/sh\nkill -USR1 $$'
	mkdir "$ROOT"/etc/service/{missing,directory}
	mkdir "$ROOT/etc/service/directory/run"
	service denied <<<$'#!/bin/sh\nexit 0'
	chmod 644 "$ROOT/etc/service/denied/run"
	service interpreter <<<'#!/no/such/interpreter'
	service text <<<'exit 0'
	for name in $ended $unstartable; do
		telling_finish $name
	done
	begin_both
	for name in $ended $unstartable; do
		each_says 3 $name finish
		alike $name "$(said_by ours $name | sort -u)" \
		    "$(said_by theirs $name | sort -u)"
		case $name in
		code) [ "$said" = "code finish 3 0" ] ;;
		zero) [ "$said" = "zero finish 0 0" ] ;;
		term) [ "$said" = "term finish -1 15" ] ;;
		kill) [ "$said" = "kill finish -1 9" ] ;;
		usr1) [ "$said" = "usr1 finish -1 10" ] ;;
		*) [ "$said" = "$name finish 111 0" ] ;;
		esac
	done
	# Ours says it once, runit says it every time.
	for name in $unstartable; do
		[ "$(count_output "^\*\*\* $name: /etc/service/$name/run")" -eq 1 ]
		[ "$(count_output "^\*\*\* $name:")" -eq 1 ]
		[ "$(grep -c "^runsv $name: fatal: unable to start ./run: " \
		    "$OUTPUT/runit")" -ge 3 ]
	done
}

# --- the logger ------------------------------------------------------------------------
# A logger that adds what it reads to /tmp/NAME.log, and says "NAME-log up PID".
telling_logger() {
	root_file "/etc/service/$1/log/run" 755 <<-EOF
	#!/bin/sh
	echo "$1-log up \$\$"
	while read -r line; do
		echo "\$line" >>/tmp/$1.log
	done
	echo "end of file" >>/tmp/$1.log
	EOF
}

# A service that writes a line when it begins and when it ends, and finish, too.
telling_writer() {
	service "$1" <<-EOF
	#!/bin/sh
	trap 'echo "$1 ends"; exit 3' TERM
	echo "$1 up \$\$" >&2
	echo "$1 begins"
	while :; do sleep 0.05; done
	EOF
	telling_finish "$1"
}

each_kills() {
	container_exec kill -KILL "$(pid_by ours "$1")"
	theirs kill -KILL "$(pid_by theirs "$1")"
}

# logs NAME LINE...: waits until its log is this, in both places
logs() {
	local name=$1
	shift
	# shellcheck disable=SC2016
	each_waits "the log of $name" sh -c '[ "$(cat "$1" 2>&1)" = "$2" ]' \
	    sh "/tmp/$name.log" "$(printf '%s\n' "$@")" || {
		each tail -n 50 "/tmp/$name.log" >&2
		return 1
	}
}

# same_status NAME LINE: both come to say this of it
same_status() {
	# shellcheck disable=SC2016
	each_waits "status of $1" sh -c \
	    '[ "$(sv status "$1" | sed "s/[0-9]\+/N/g")" = "$2" ]' sh "$1" "$2"
	alike "status of $1" "$(container_exec sv status "$1" | sed 's/[0-9]\+/N/g')" \
	    "$(theirs sv status "$1" | sed 's/[0-9]\+/N/g')"
	[ "$said" = "$2" ] || fail "the test is wrong: $1: $said"
}

@test "a logger: restarted by itself, kept by all that happens to its service; log/down" {
	local name
	for name in a kept off broken; do
		telling_writer $name
		telling_logger $name
	done
	: >"$ROOT/etc/service/kept/down"
	: >"$ROOT/etc/service/off/log/down"
	chmod 644 "$ROOT/etc/service/broken/log/run"
	telling_writer more
	telling_logger more
	root_file /etc/service/more/log/finish 755 <<-'EOF'
	#!/bin/sh
	echo "more-log finish $*"
	EOF
	root_file /etc/service/more/log/control/t 755 <<-'EOF'
	#!/bin/sh
	echo "more-log t"
	exit 1
	EOF
	begin_both
	# A logger that cannot be started misses nothing, and its service goes on.
	each_says 1 broken up
	each chmod 755 /etc/service/broken/log/run
	logs broken "broken begins"
	[ "$(count_by ours broken up)" -eq 1 ]
	[ "$(count_by theirs broken up)" -eq 1 ]

	# Killed, it comes again, and its service has not heard of it.
	local lines=("a begins") round=("a ends" "a finish 3 0" "a begins")
	logs a "${lines[@]}"
	each_kills a-log
	each_says 2 a-log up
	# Its service is restarted, ends by itself, goes down and up: it stays.
	each sv -w 7 restart a >/dev/null
	lines+=("${round[@]}")
	logs a "${lines[@]}"
	each_kills a
	lines+=("a finish -1 9" "a begins")
	logs a "${lines[@]}"
	each sv -w 7 stop a >/dev/null
	same_status a "down: a: Ns, normally up; run: log: (pid N) Ns"
	each sv up a
	lines+=("${round[@]}")
	logs a "${lines[@]}"
	# Down, it misses nothing.
	each sv -w 7 down a/log >/dev/null
	each sv -w 7 restart a >/dev/null
	each_says 5 a up
	each sv up a/log
	lines+=("${round[@]}")
	logs a "${lines[@]}"

	# A service that is down has a logger, one with log/down has none.
	each_says 1 kept-log up
	each_says 1 off up
	same_status kept "down: kept: Ns; run: log: (pid N) Ns"
	same_status off "run: off: (pid N) Ns; down: log: Ns"
	each sv up off/log
	logs off "off begins"

	# Removed: the logger reads to the end of file, which comes after finish.
	each mv /etc/service/a /etc/service/.a
	lines+=("a ends" "a finish 3 0" "end of file")
	logs a "${lines[@]}"
	alike "starts" "$(said_by ours 'a[-log]*' | sed 's/ [0-9]*$//' | sort)" \
	    "$(said_by theirs 'a[-log]*' | sed 's/ [0-9]*$//' | sort)"
	[ "$said" = "$(printf '%s\n' "a up"{,,,,} "a-log up"{,,})" ]

	# A logger to be down that nobody writes to any more: ours ends by end of file,
	# runit's by TERM.
	each sv -w 7 down kept/log >/dev/null
	[ "$(container_exec cat /tmp/kept.log)" = "end of file" ]
	theirs test ! -e /tmp/kept.log
	# Of ours, finish and control/t count as any service's; runit's have none.
	each_says 1 more-log up
	each sv term more/log
	each_says 2 more-log up
	[ "$(said_by ours more-log | sed 's/ up .*/ up/')" = \
	    "$(printf 'more-log %s\n' up t 'finish -1 15' up)" ]
	[ "$(said_by theirs more-log | sed 's/ up .*/ up/')" = \
	    "$(printf 'more-log %s\n' up up)" ]
}

# Each line that svlogd has written, oldest first, less its time.  Where it was killed,
# it has gone on in another file.
svlogd_by() {
	local directory=etc/service
	[ "$1" = ours ] || directory=srv/runit
	(cd "$(container_file $directory/a/log/main)" && cat @* current) 2>/dev/null |
	    sed -E 's/^[0-9]{4}(-[0-9]{2}){2}_([0-9]{2}:){2}[0-9]{2}\.[0-9]{5} //'
}

# Waits until this is the last line of each.
each_has_written() {
	each_waits "$1 in the log" sh -c 'cd /etc/service/a/log/main
	    cat @* current 2>/dev/null | tail -n 1 | grep -q " $1\$"' sh "$1"
}

@test "svlogd -tt, killed while 100,000 lines are written: every line is on disk" {
	service a <<-'EOF'
	#!/bin/sh
	trap 'seq -f "last %g" 2000; exit 3' TERM
	echo "a up $$" >&2
	seq -f 'line %g' 20000
	# It has nothing in its hands, and there is something in the pipe.
	until tail -n 1 log/main/current | grep -q ' line 20000$'; do sleep 0.02; done
	kill -STOP "$(cat log/pid)"
	seq -f 'line %g' 20001 24000
	kill -KILL "$(cat log/pid)"
	seq -f 'line %g' 24001 60000
	until [ -e /tmp/go ]; do sleep 0.02; done
	# It reads.
	seq -f 'line %g' 60001 80000
	kill -KILL "$(cat log/pid)"
	seq -f 'line %g' 80001 100000
	while :; do sleep 0.05; done
	EOF
	root_file /etc/service/a/finish 755 <<<$'#!/bin/sh\necho "finish $*"'
	root_file /etc/service/a/log/run 755 <<-'EOF'
	#!/bin/sh
	echo "log up $$"
	echo $$ >pid
	mkdir -p main
	exec svlogd -tt ./main
	EOF
	begin_both
	each_has_written 'line 60000'
	each_says 2 log up
	local who code=0 lost
	for who in ours theirs; do
		cmp <(svlogd_by $who) <(seq -f 'line %g' 60000) ||
		    fail "$who: lines are lost"
	done
	each touch /tmp/go
	each_has_written 'line 100000'
	each_says 3 log up
	for who in ours theirs; do
		# It takes with it what it has read, 1,024 bytes at most.
		lost=$((100000 - $(svlogd_by $who | grep -cx 'line [0-9]*')))
		[ $lost -le $((1024 / 11 + 1)) ] || fail "$who: $lost lines are lost"
		svlogd_by $who | sed -n 's/^line //p' | sort -cnu
	done
	[ "$(count_by ours a up)" -eq 1 ]
	[ "$(count_by theirs a up)" -eq 1 ]

	# At the end it is the last, and has read everything.
	theirs kill -HUP "$(theirs pidof runsvdir)"
	wait "$RUNIT_JOB" || code=$?
	[ $code -eq 111 ]
	wait_for "no runsv" not_there runsv
	container_kill TERM
	container_wait
	[ "$status" -eq 0 ]
	for who in ours theirs; do
		[ "$(svlogd_by $who | tail -n 2001)" = \
		    "$(seq -f 'last %g' 2000; echo 'finish 3 0')" ] ||
		    fail "$who: the end is lost"
	done
}

not_there() {
	! container_exec pidof "$1" >/dev/null
}

# --- signals and hooks -----------------------------------------------------------------
# same_lines NAME: what it has said, less its pids, is the same
same_lines() {
	alike "$1" "$(said_by ours "$1" | sed 's/ up [0-9]*/ up/')" \
	    "$(said_by theirs "$1" | sed 's/ up [0-9]*/ up/')"
}

@test "run, finish and control: t that succeeds and that fails, d, x, o, k and u" {
	local name x
	for name in yes no; do
		service $name <<-EOF
		#!/usr/bin/perl
		unlink "ended";
		\$| = 1;
		\$SIG{TERM} = sub {
			print "$name got TERM\n";
			open F, ">", "ended" and close F;
			exit 3;
		};
		print "$name up \$\$\n";
		# A signal that comes just before it sleeps is heard afterwards.
		sleep 1 while 1;
		EOF
		telling_finish $name
		for x in t d x o k u p c; do
			root_file /etc/service/$name/control/$x 755 <<-EOF
			#!/bin/sh
			case $name-$x in
			no-d | no-x) until [ -e ended ]; do sleep 0.02; done ;;
			esac
			echo "$name $x"
			[ $name-$x = yes-t ]
			EOF
		done
	done
	begin_both
	each_says 1 yes up
	each_says 1 no up
	# A signal: no or TERM, and the service is started again.
	each sv term yes no
	each_says 2 no up
	# Restarted, it is not to stay down: t, but no d.
	each sv -w 7 restart no >/dev/null
	each_says 3 no up
	# Down, from a pause: it is continued, d comes after TERM and finish after d.
	each sv pause no
	each_says 1 no p
	# The signal comes after the hook.
	each_waits "no to be paused" sh -c 'sv status no | grep -q paused'
	each sv down yes no
	each_says 1 yes d
	each_says 3 no finish
	each sv kill yes
	each_says 1 yes finish
	# Once is up to the hooks, and there is no control/o; the signal is KILL.
	each sv once no
	each_says 4 no up
	each sv kill no
	each_says 4 no finish
	same_lines yes
	[ "$said" = "$(printf 'yes %s\n' u up t t d k 'finish -1 9')" ]
	# Runit's restart also runs control/c, if the service is still there then.
	[ "$(count_by ours no 'c$')" -eq 0 ]
	alike no "$(said_by ours no | sed 's/ up .*/ up/')" \
	    "$(said_by theirs no | sed 's/ up .*/ up/; /^no c$/d')"
	[ "$said" = "$(printf 'no %s\n' u up t 'got TERM' 'finish 3 0' \
	    u up t 'got TERM' 'finish 3 0' u up p t 'got TERM' d 'finish 3 0' \
	    u up k 'finish -1 9')" ]
	for name in yes no; do
		same_status $name "down: $name: Ns, normally up"
	done

	# Exit: control/t as for down, then x, and a new runsv starts the service again;
	# ours runs d, and it stays down.
	each sv up yes no
	each_says 2 yes up
	each_says 5 no up
	each sv exit yes no
	wait_for "d" _says ours 2 yes d
	wait_for "runit's x" _says theirs 1 yes x
	each_kills yes
	each_says 2 yes finish
	each_says 5 no finish
	wait_for "another runsv" _says theirs 6 no up
	wait_for "no to be down" container_exec sh -c "$_sv_says" sh no down
	[ "$(said_by ours no | tail -n 6 | sed 's/ up .*/ up/')" = \
	    "$(printf 'no %s\n' u up t 'got TERM' d 'finish 3 0')" ]
	[ "$(said_by theirs no | tail -n 8 | sed 's/ up .*/ up/')" = \
	    "$(printf 'no %s\n' u up t 'got TERM' x 'finish 3 0' u up)" ]
	[ "$(said_by ours yes | tail -n 5 | sed 's/ up .*/ up/')" = \
	    "$(printf 'yes %s\n' u up t d 'finish -1 9')" ]
}

# --- how often it is started -----------------------------------------------------------
# A service that says when it was started, by the kernel's word (proc(5), starttime:
# hundredths of a second): "NAME at TIME"; what comes after that is from stdin.
timed() {
	{
		echo '#!/bin/sh'
		echo 'read -r pid comm state rest </proc/$$/stat; set -- $rest'
		echo "echo $1 at \${19}"
		cat
	} | service "$1"
}

# The shortest time from one start to the next, of starts FIRST to LAST, in
# milliseconds: shortest ours|theirs NAME FIRST LAST
shortest() {
	said_by "$1" "$2" | awk -v first="$3" -v last="$4" '
		$2 != "at" { next }
		++n > first && n <= last {
			ms = ($3 - before) * 10
			if (n == first + 1 || ms < least) least = ms
		}
		{ before = $3 }
		END { print least }'
}

# pace WHO NAME FIRST LAST AT_LEAST LESS_THAN
pace() {
	local ms
	ms=$(shortest "${@:1:4}")
	if [ "$ms" -lt "$5" ] || [ "$ms" -ge "$6" ]; then
		fail "$1: $2: $ms ms, not $5 to $6"
		return
	fi
}

@test "the pace; finish that says down to its own service; once" {
	local who name
	timed quick <<<'exit 1'
	timed long <<<'sleep 1.5'
	timed half <<<'sleep 0.5'
	timed finish </dev/null
	root_file /etc/service/finish/finish 755 <<<$'#!/bin/sh\nsleep 2'
	timed short </dev/null
	root_file /etc/service/short/finish 755 <<<$'#!/bin/sh\nsleep 0.5'
	timed self <<<'exit 7'
	root_file /etc/service/self/finish 755 <<-'EOF'
	#!/bin/sh
	echo "self finish $*"
	sv down self
	EOF
	timed once <<<'exit 2'
	telling_finish once
	: >"$ROOT/etc/service/once/down"
	begin_both
	each_waits "supervision" sv status once >/dev/null
	each sv once once
	wait_for "seven starts" _says ours 7 quick at
	wait_for "runit's nine" _says theirs 9 quick at
	each_says 4 finish at
	each_says 5 long at
	each_says 1 self finish
	each_says 1 once finish
	# The shortest of some, because a machine that is busy makes them longer.  Ours
	# counts from before it makes the process, and that may take a while, too.
	for who in ours theirs; do
		pace $who quick 1 6 900 2000
		pace $who long 1 5 1480 2400
		pace $who finish 1 4 1980 2900
	done
	# The second counts from the last start with us, from the end with runit.
	for name in half short; do
		pace ours $name 1 5 900 1400
		pace theirs $name 1 5 1480 2400
	done
	# From the sixth quick death on ours waits longer.
	pace ours quick 6 7 1900 4000
	pace theirs quick 6 9 980 1900
	for name in self once; do
		alike $name "$(said_by ours $name | sed 's/ at .*/ at/')" \
		    "$(said_by theirs $name | sed 's/ at .*/ at/')"
		case $name in
		self) [ "$said" = $'self at\nself finish 7 0' ] ;;
		once) [ "$said" = $'once at\nonce finish 2 0' ] ;;
		esac
	done
	same_status self "down: self: Ns, normally up"
	same_status once "down: once: Ns"
}

# --- what comes, goes and changes ------------------------------------------------------
# soon NAME STATE: it is run, or down, with us within 5 s, with runit at some time; gone:
# there is no such service
soon() {
	wait_for --within 5 "$1: $2" container_exec sh -c "$_sv_says" sh "$@" &&
	    wait_for "runit: $1: $2" theirs sh -c "$_sv_says" sh "$@"
}

# shellcheck disable=SC2016
_sv_says='says=$(sv status "$1" 2>&1); case $2: in
	"${says%% *}") exit 0 ;;
	gone:) case $says in fail:* | warning:*) exit 0 ;; esac ;;
	esac
	exit 1'

# A service in a place of its own that says where it is: "NAME up PID in DIRECTORY".
placed() {
	root_file "$1/run" 755 <<-EOF
	#!/bin/sh
	echo "$2 up \$\$ in \$(pwd -P)"
	exec sleep 100000
	EOF
	root_file "$1/finish" 755 <<<$'#!/bin/sh\necho "'"$2"$' finish $*"'
}

@test "directories that come and go, links, down, another run, another name" {
	placed /etc/service/stays stays
	placed /etc/service/.new new
	placed /etc/service/.hidden hidden
	placed /etc/service/changes changes
	placed /etc/service/off off
	: >"$ROOT/etc/service/off/down"
	placed /etc/service/plain plain
	chmod 644 "$ROOT/etc/service/plain/run"
	placed /srv/real real
	root_file /srv/run 755 <<<$'#!/bin/sh\necho "other up $$"\nexec sleep 100000'
	echo text >"$ROOT/etc/service/file"
	ln -s file "$ROOT/etc/service/link-to-file"
	ln -s /tmp/nowhere "$ROOT/etc/service/nowhere"
	begin_both
	each_says 1 stays up
	each_says 1 changes up
	each_waits "supervision" sv status off plain >/dev/null

	# A file run is executed anew at each start, down is looked at when it is found.
	each cp -p /srv/run /etc/service/changes/.run
	each mv /etc/service/changes/.run /etc/service/changes/run
	each touch /etc/service/stays/down
	each rm /etc/service/off/down
	each_kills stays
	each_kills changes
	each_says 1 other up
	each_says 2 stays up
	same_status off "down: off: Ns, normally up"
	same_status stays "run: stays: (pid N) Ns, normally down"
	each chmod 755 /etc/service/plain/run
	each_says 1 plain up

	# A link that leads nowhere is a service of ours that cannot be started yet, and
	# that is said once; later it is tried more rarely.
	[ "$(count_output '^\*\*\* .*nowhere')" -eq 1 ]
	# One for each: in a place of both, only the first would get the lock.
	placed /srv/.nowhere nowhere
	each cp -a /srv/.nowhere /tmp/.nowhere
	container_exec mv /tmp/.nowhere /tmp/nowhere
	wait_for "nowhere" _says ours 1 nowhere up

	# What comes is up, and what goes is ended.
	each mv /etc/service/.new /etc/service/new
	each ln -s /srv/real /etc/service/link
	each mv /etc/service/off /etc/service/.off
	each mv /etc/service/stays /etc/service/.stays
	soon new run
	soon link run
	soon stays gone
	each_says 1 new up
	each_says 1 real up
	# Both are gone then: the other has gone before.
	each_says 2 stays finish
	each mv /etc/service/.stays /etc/service/stays
	each mv /etc/service/.off /etc/service/off
	each rm /etc/service/link
	soon off run
	soon stays down
	soon link gone
	each_says 1 off up
	each_says 1 real finish
	same_status stays "down: stays: Ns"
	same_lines real
	[ "$said" = $'real up in /srv/real\nreal finish -1 15' ]
	for name in stays new off changes other; do
		same_lines $name
	done

	# Another name is another service of ours; to runit it is the same.
	each mv /etc/service/new /etc/service/newer
	soon newer run
	wait_for "the end of new" _says ours 1 new finish
	wait_for "newer" _says ours 2 new up
	# Of the link runit says so whenever it looks at the directory, until now.
	[ "$(grep -c '^runsvdir .*unable to stat nowhere: file does not exist' \
	    "$OUTPUT/runit")" -ge 2 ]
	theirs mv /tmp/.nowhere /tmp/nowhere
	wait_for "runit's nowhere" _says theirs 1 nowhere up
	[ "$(count_output '^\*\*\* .*nowhere')" -eq 1 ]
	[ "$(said_by ours new | sed 's/ up [0-9]*/ up/' | sort)" = \
	    "$(printf 'new %s\n' 'finish -1 15' 'up in /etc/service/new' \
	    'up in /etc/service/newer')" ]
	[ "$(said_by theirs new | sed 's/ up [0-9]*/ up/')" = \
	    "new up in /etc/service/new" ]

	# No services: a dot name, a file, a link to one.
	for name in /etc/service/.hidden file link-to-file; do
		alike $name "$(container_exec sv status $name)" \
		    "$(theirs sv status $name)"
		[[ $said == *': '$name': unable to '* ]]
	done
	[ "$(count_by ours hidden up)" -eq 0 ]
	[ "$(count_by theirs hidden up)" -eq 0 ]
}
