#!/usr/bin/env bats
# setuser: who the command is, what it gets, and that it is not executed when
# something has failed.

load services

setup() {
	container_setup
	cat >>"$ROOT/etc/passwd" <<-'EOS'
	app:x:7001:7001:An App:/home/app:/bin/bash
	nologin7:x:7002:7002::/var/nologin7:/usr/sbin/nologin
	false7:x:7003:7003::/var/false7:/bin/false
	bare:x:7004:7004:::
	7010:x:7011:7011::/home/digits:/bin/sh
	7up:x:7012:7012::/home/7up:/bin/sh
	none:x:4294967295:7001::/:/bin/sh
	nonegroup:x:7013:4294967295::/:/bin/sh
	EOS
	cat >>"$ROOT/etc/group" <<-'EOS'
	app:x:7001:
	extra:x:7044:app,7up
	other:x:7045:
	7050:x:7051:
	orphan:x:7020:
	EOS
	nsswitch files
	root_file /opt/ids 755 <<-'EOS'
	#!/bin/sh
	sed -n 's/[\t ]*$//; s/\t/ /g; /^[UG]id:/p; /^Groups:/p' /proc/self/status
	EOS
}

nsswitch() {
	printf 'passwd: %s\ngroup: %s\n' "$1" "$1" >"$ROOT/etc/nsswitch.conf"
}

# setuser_via "COMMAND..." CODE ARGUMENT...: setuser, executed by a command, has to
# end with that exit code; $out and $err are what was said.
setuser_via() {
	local via=$1 expected=$2 code=0
	shift 2
	# shellcheck disable=SC2086
	container_exec $via setuser "$@" </dev/null >"$OUTPUT/said.out" \
	    2>"$OUTPUT/said.err" || code=$?
	out=$(tr -d '\0' <"$OUTPUT/said.out")
	err=$(tr -d '\0' <"$OUTPUT/said.err")
	if [ "$code" -ne "$expected" ]; then
		fail "setuser $*: exit code $code, not $expected: $out $err"
		return
	fi
}

setuser() {
	setuser_via "" "$@"
}

# is_refused "COMMAND..." CODE MESSAGE USER: nothing is executed as that user, and
# one line, a pattern, says why.
is_refused() {
	setuser_via "$1" "$2" "$4" sh -c 'id >/tmp/executed'
	if [ -e "$(container_file /tmp/executed)" ]; then
		fail "executed: $(cat "$(container_file /tmp/executed)")"
		return
	fi
	# shellcheck disable=SC2053
	if [ -n "$out" ] || [[ $err != $3 ]] || [[ $err == *$'\n'* ]]; then
		fail "setuser $4: not like $3: $out $err"
		return
	fi
}

# becomes USER UID GID GROUP...
becomes() {
	becomes_via "" "$@"
}

becomes_via() {
	local uid=$3 gid=$4
	setuser_via "$1" 0 "$2" /opt/ids
	shift 4
	[ "$out" = "Uid: $uid $uid $uid $uid
Gid: $gid $gid $gid $gid
Groups: $*" ] || fail "not $uid $gid $*: $out" || return
	[ -z "$err" ]
}

strace_of() {
	printf 'strace -f -qq -o /tmp/strace '
	printf ' -e inject=%s' "$@"
}

# As another user from the beginning, as docker run --user.
as() {
	printf 'setpriv --reuid=%s --regid=%s --groups=%s --inh-caps=-all ' "$@"
	printf -- '--bounding-set=-all --no-new-privs'
}

# --- who -----------------------------------------------------------------------------
@test "a name: its user, group and supplementary groups, three times each" {
	container_start --
	becomes app 7001 7001 7001 7044
	becomes nologin7 7002 7002 7002
	becomes 7up 7012 7012 7012 7044
	# Of the groups that the caller has, none is left.
	becomes_via "setpriv --groups=7045,7020" app 7001 7001 7001 7044
	becomes_via "setpriv --groups=7045,7020" root 0 0 0
}

@test "a number: its entry; without one that number, alone" {
	container_start --
	becomes 7001 7001 7001 7001 7044
	becomes_via "setpriv --groups=7045" 0 0 0 0
	becomes 7099 7099 7099 7099
	becomes_via "setpriv --groups=7045" 7099 7099 7099 7099
	becomes 4294967294 4294967294 4294967294 4294967294
	setuser 0 7001 sh -c 'echo $USER $LOGNAME $HOME'
	[ "$out" = "app app /home/app" ]
	setuser 0 7099 sh -c 'echo $USER $LOGNAME $HOME $SHELL $UID $GID'
	[ "$out" = "7099 7099 / /bin/sh 7099 7099" ]
	# A name goes before a number.
	becomes 7010 7011 7011 7011
	# Debian has a group shadow of that number, and no such user.
	is_refused "" 1 "setuser: user 7020 has no entry, and group 7020 is orphan\
 (say which group it is to have: 7020:GROUP)" 7020
	becomes 7020:7020 7020 7020 7020
}

@test "a group, name or number, is the only one" {
	container_start --
	becomes app:other 7001 7045 7045
	becomes app:7045 7001 7045 7045
	becomes app:7098 7001 7098 7098
	becomes app:7050 7001 7051 7051
	becomes 7099:extra 7099 7044 7044
	becomes root:app 0 7001 7001
	setuser 0 app:other sh -c 'echo $USER $UID $GID'
	[ "$out" = "app 7001 7045" ]
}

@test "odd names are refused, and shown escaped" {
	container_start --
	local user
	for user in nobody7 -1 +1 ' 1' '1 ' 1x 0x10 007 00 1.0 4294967295 4294967296 \
	    18446744073709551616 99999999999999999999999 --help -- . / '*' +; do
		is_refused "" 1 "setuser: user $user not found" "$user"
		is_refused "" 1 "setuser: group $user not found" "app:$user"
	done
	for user in '' : :app ; do
		is_refused "" 1 "setuser: no name of a user (USER, or USER:GROUP)" \
		    "$user"
	done
	is_refused "" 1 "setuser: no name of a group (USER, or USER:GROUP)" app:
	is_refused "" 1 "setuser: group a:b not found" app:a:b
	is_refused "" 1 'setuser: user \\x1b\[31m\\n not found' $'\e[31m\n'
	is_refused "" 1 'setuser: group \\x9b not found' $'app:\x9b'
	is_refused "" 1 "setuser: user aaa*... not found" \
	    "$(head -c 100000 /dev/zero | tr '\0' a)"
	# What to the kernel is "leave it as it is".
	for user in none nonegroup; do
		is_refused "" 111 "setuser: cannot become $user: 4294967295 is no\
 user and no group (mend /etc/passwd)" $user
	done
}

# --- what the command gets -------------------------------------------------------------
@test "USER, LOGNAME, HOME, SHELL, UID, GID; the rest of the environment is kept" {
	container_start --
	setuser_via "env FOO=bar= USER=root LOGNAME=root SHELL=/bin/zsh UID=0 GID=0
	    MAIL=/var/mail/root" 0 app env
	[ "$(sort <<<"$out")" = "FOO=bar=
GID=7001
HOME=/home/app
LOGNAME=app
MAIL=/var/mail/root
PATH=$CONTAINER_PATH
SHELL=/bin/bash
UID=7001
USER=app" ]
	local user
	for user in nologin7 false7; do
		setuser 0 $user sh -c 'echo $HOME $SHELL'
		[ "$out" = "/var/$user /bin/sh" ]
	done
	setuser 0 bare sh -c 'echo $HOME $SHELL'
	[ "$out" = "/ /bin/sh" ]
	[ "$(container_exec env -i /sbin/setuser app /usr/bin/env | sort)" = "GID=7001
HOME=/home/app
LOGNAME=app
SHELL=/bin/bash
UID=7001
USER=app" ]
}

@test "the process is the caller's: pid, directory, descriptors, signals, status" {
	container_start --
	cat >"$(container_file /tmp/start)" <<-'EOS'
	cd /var/tmp
	umask 027
	ulimit -c 0 -n 77
	exec 7</etc/hosts 9>/dev/null
	echo $$
	exec "$@"
	EOS
	cat >"$(container_file /tmp/look)" <<-'EOS'
	echo $$
	pwd
	umask
	ulimit -a
	ps -o tty=,ni= $$
	readlink /proc/$$/fd/*
	ls /proc/self/fd
	# Its own: bash blocks CHLD now and then.
	awk '/^(Sig(Ign|Blk)|NoNewPrivs|Seccomp)/' /proc/self/status
	EOS
	local start="env --ignore-signal=USR1 --ignore-signal=PIPE
	    --block-signal=USR2 --block-signal=TERM bash /tmp/start"
	# What is said without setuser in between, but for the pids.
	# shellcheck disable=SC2086
	container_exec $start bash /tmp/look </dev/null >"$OUTPUT/said.out" \
	    2>"$OUTPUT/said.err"
	sed 1,2d "$OUTPUT/said.out" >"$OUTPUT/expected"
	setuser_via "$start" 0 app bash /tmp/look
	[ "$(sed -n 1p <<<"$out")" = "$(sed -n 2p <<<"$out")" ]
	sed 1,2d <<<"$out" | diff "$OUTPUT/expected" -
	grep -q '^SigIgn:.*12..$' "$OUTPUT/expected"
	grep -qx 7 "$OUTPUT/expected"
	setuser 23 app sh -c 'exit 23'
	setuser 143 app sh -c 'kill -TERM $$'
	setuser 0 app printf '[%s]' --help -x -- '' --version 'a b'
	[ "$out" = '[--help][-x][--][][--version][a b]' ]
}

# --- command line ------------------------------------------------------------------------
@test "usage, help, version" {
	container_start --
	local words
	while read -r -a words; do
		setuser 1 "${words[@]}"
		[ "$err" = "Usage: /sbin/setuser USER[:GROUP] COMMAND [ARGUMENT...]" ]
		[ -z "$out" ]
	done <<-'EOS'

	app
	nobody7
	-h
	EOS
	setuser 0 --help
	[[ $out == "Usage: /sbin/setuser "*"setuser(8)."* ]]
	[ -z "$err" ]
	setuser 0 --version
	[ "$out" = "setuser $(container_exec my_init --version |
	    sed 's/^my_init //')" ]
	is_refused "" 1 "setuser: user --version not found" --version
	local option
	for option in --help --version; do
		container_exec sh -c "setuser $option >/dev/full; echo \$?" \
		    >"$OUTPUT/code"
		[ "$(cat "$OUTPUT/code")" = 1 ]
	done
}

@test "what cannot be executed: 126, or 127 if it is not there" {
	mkdir "$ROOT/opt/hidden"
	echo '#!/bin/sh' >"$ROOT/opt/hidden/secret"
	chmod 755 "$ROOT/opt/hidden/secret"
	chmod 700 "$ROOT/opt/hidden"
	root_file /opt/bin/plain <<<'#!/bin/sh'
	root_file /opt/bin/nothing 755 <<<'echo by luck'
	root_file /opt/bin/interpreter 755 <<<'#!/opt/none'
	root_file /opt/later/plain 755 <<<$'#!/bin/sh\necho "later $0"'
	container_start --
	cannot() {
		setuser "$1" app "$2"
		[ "$err" = "setuser: cannot execute ${4-$2}: $3" ] || fail "$err"
		[ -z "$out" ]
	}
	cannot 127 none-such 'No such file or directory'
	cannot 127 /opt/bin/none-such 'No such file or directory'
	cannot 127 /opt/bin/interpreter 'No such file or directory'
	cannot 127 '' 'No such file or directory' '""'
	cannot 126 /opt/bin/plain 'Permission denied'
	cannot 126 /opt/hidden/secret 'Permission denied'
	cannot 126 /opt 'Permission denied'
	cannot 126 /opt/bin/nothing 'Exec format error'
	cannot 126 /etc/passwd/x 'Not a directory'
	cannot 127 $'/opt/\e[31m\n' 'No such file or directory' '/opt/\x1b[31m\n'
	local cd_later code=0 path=/none:/etc/passwd:/opt/hidden:/opt/bin:/opt/later
	in_path() {
		container_exec PATH="$path" /sbin/setuser app "$@" 2>&1
	}
	[ "$(in_path plain)" = "later /opt/later/plain" ]
	[ "$(in_path nothing)" = \
	    "setuser: cannot execute nothing: Exec format error" ]
	# Which is in a directory that is not this user's business.
	[ "$(in_path secret)" = \
	    "setuser: cannot execute secret: No such file or directory" ]
	path=/opt/bin
	[ "$(in_path plain)" = \
	    "setuser: cannot execute plain: Permission denied" ]
	path=$(printf '/%04000d:' 0):/opt/later
	[ "$(in_path plain)" = "later /opt/later/plain" ]
	# An empty word of PATH is the directory, and no PATH is not.
	cd_later="env --chdir=/opt/later"
	[ "$(container_exec $cd_later PATH=: /sbin/setuser app plain)" = \
	    "later plain" ]
	container_exec $cd_later -u PATH /sbin/setuser app true
	container_exec $cd_later -u PATH /sbin/setuser app plain || code=$?
	[ $code -eq 127 ]
}

# --- nobody is looked up wrongly -----------------------------------------------------
@test "passwd is missing, or cannot be read: never executed, 111" {
	container_start --
	local services user error
	for services in files 'files systemd' 'files nonexistent' 'nonexistent files'; do
		nsswitch "$services"
		becomes app 7001 7001 7001 7044
		is_refused "" 1 "setuser: user nobody7 not found" nobody7
		for error in EMFILE EIO EACCES ENOMEM; do
			for user in app 7001 7099; do
				is_refused "strace -o /tmp/strace -P /etc/passwd
				    -e inject=openat:error=$error" 111 \
				    "setuser: cannot look up user $user: * (see\
 /etc/passwd and /etc/nsswitch.conf)" $user
			done
			for user in app app:extra app:7045 7099; do
				is_refused "strace -o /tmp/strace -P /etc/group
				    -e inject=openat:error=$error" 111 \
				    "setuser: cannot look up *: * (see\
 /etc/group and /etc/nsswitch.conf)" $user
			done
		done
	done
	rm "$(container_file /etc/passwd)"
	for services in files 'files systemd' 'files nonexistent'; do
		nsswitch "$services"
		for user in app root 0 7099; do
			# systemd's library knows root of itself.
			[ "$services $user" != 'files systemd root' ] || continue
			[ "$services $user" != 'files systemd 0' ] || continue
			is_refused "" 111 "setuser: cannot look up user $user: No\
 such file or directory (see /etc/passwd and /etc/nsswitch.conf)" $user
		done
	done
	mkdir "$(container_file /etc/passwd)"
	is_refused "" 111 "setuser: cannot look up user app: Is a directory *" app
}

@test "passwd unreadable for a caller who is not root: 111" {
	chmod 600 "$ROOT/etc/passwd"
	container_start --
	is_refused "$(as 7001 7001 7001,7044)" 111 \
	    "setuser: cannot look up user app: Permission denied *" app
}

@test "a user who is removed is not found" {
	container_start --
	becomes app 7001 7001 7001 7044
	sed -i '/^app:/d' "$(container_file /etc/passwd)"
	is_refused "" 1 "setuser: user app not found" app
	rm "$(container_file /etc/group)"
	is_refused "" 111 "setuser: cannot look up groups of user nologin7: No such\
 file or directory (see /etc/group and /etc/nsswitch.conf)" nologin7
}

@test "passwd is malformed, or huge: who is well described is found, no one else" {
	{
		printf '+\n+::::::\n-\n::0:0::/:/bin/sh\ngarbage\n:\n\n#\n'
		printf 'a1:x\na2:x::\na3:x:::::\na4:x:abc:0::/:\na5:x:0x0:0::/:\n'
		printf 'a6:x:-1:0::/:\na7:x:4294967296:0::/:\na8:x:7001abc:0::/:\n'
		printf 'b\0d:x:0:0::/:\n\377:x:0:0::/:\na9:x: :0::/:\n'
		head -c 3000000 /dev/zero | tr '\0' 'y'
		printf '\nlong:x:7030:7030:'
		head -c 2000000 /dev/zero | tr '\0' 'z'
		printf ':/:/bin/sh\n'
		awk 'BEGIN { for (i = 0; i < 100000; i++)
			print "u" i ":x:" 100000 + i ":0::/:/bin/sh" }'
		printf 'last:x:7031:7031::/home/last:/bin/sh'
	} >"$ROOT/etc/passwd"
	container_start --
	becomes last 7031 7031 7031
	becomes long 7030 7030 7030
	becomes u99999 199999 0 0
	local user
	for user in + - a1 a2 a3 a4 a5 a6 a7 a8 a9 garbage '#' b app; do
		is_refused "" 1 "setuser: user $user not found" "$user"
	done
	is_refused "" 1 "setuser: no name *" ''
}

@test "in a thousand groups, and in more than the kernel has room for" {
	awk 'BEGIN { for (i = 0; i < 1000; i++)
		print "many" i ":x:" 20000 + i * 2 ":x,7up,y" }' \
	    >>"$ROOT/etc/group"
	container_start --
	# shellcheck disable=SC2046
	becomes 7up 7012 7012 7012 7044 $(seq 20000 2 21998)
	awk 'BEGIN { for (i = 0; i < 66000; i++)
		print "more" i ":x:" 100000 + i ":bare" }' \
	    >>"$(container_file /etc/group)"
	is_refused "" 111 "setuser: *" bare
	becomes bare:app 7004 7001 7001
}

@test "a dead nscd is asked in vain" {
	container_start --
	container_exec python3 - <<-'EOS'
	import os, socket
	os.mkdir("/run/nscd")
	socket.socket(socket.AF_UNIX).bind("/run/nscd/socket")
	EOS
	container_exec ls /var/run/nscd/socket
	becomes app 7001 7001 7001 7044
	is_refused "" 1 "setuser: user nobody7 not found" nobody7
}

# --- the privilege ------------------------------------------------------------------------
@test "a step that fails: 111, and the command is not executed" {
	container_start --
	local step user
	for step in setgroups setresgid setresuid; do
		for user in app app:other 7099 nologin7; do
			is_refused "$(strace_of $step:error=EPERM)" 111 \
			    "setuser: cannot become ${user%:*}: Operation not\
 permitted (setuser needs the capabilities SETUID and SETGID)" $user
			is_refused "$(strace_of $step:error=ENOSYS)" 111 \
			    "setuser: cannot become ${user%:*}: Function not\
 implemented" $user
		done
	done
	is_refused "$(strace_of setresuid:error=EAGAIN)" 111 \
	    "setuser: cannot become app: Resource temporarily unavailable (that user\
 runs as many processes as it may)" app
	for step in getresuid getresgid getgroups capget capset; do
		is_refused "$(strace_of $step:error=ENOSYS)" 111 \
		    "setuser: cannot become app: *" app
	done
}

@test "a kernel that says it is done, and it is not: 111, not executed" {
	container_start --
	local step
	for step in setresgid setresuid; do
		is_refused "$(strace_of $step:retval=0)" 111 \
		    "setuser: cannot become app: the kernel says it is done, and it\
 is not" app
	done
	is_refused "setpriv --regid=7044 --groups=7001,7044
	    $(strace_of setresgid:retval=0)" 111 \
	    "setuser: cannot become app: the kernel says *" app
	# Fewer groups than there should be, and more.
	is_refused "setpriv --clear-groups $(strace_of setgroups:retval=0)" 111 \
	    "setuser: cannot become app: the kernel says *" app
	is_refused "setpriv --groups=7001,7044,0 $(strace_of setgroups:retval=0)" \
	    111 "setuser: cannot become app: the kernel says *" app
	is_refused "setpriv --groups=0 $(strace_of setgroups:retval=0)" 111 \
	    "setuser: cannot become 7099: the kernel says *" 7099
	is_refused "$(strace_of setgroups:retval=0 setresgid:retval=0 \
	    setresuid:retval=0)" 111 "setuser: cannot become app: the kernel says *" \
	    app
	is_refused "$(strace_of setuid:retval=0)" 111 \
	    "setuser: cannot become app: there is a way back to root" app
	# Capabilities stay, if they are not dropped as well.
	is_refused "setpriv --securebits=+no_setuid_fixup
	    $(strace_of capset:retval=0)" 111 \
	    "setuser: cannot become app: capabilities are left" app
}

@test "no capability is left, whatever the caller's bits and ambient ones are" {
	container_start --
	local via
	for via in '' 'setpriv --securebits=+no_setuid_fixup' \
	    'setpriv --securebits=+no_setuid_fixup
	    --inh-caps=+net_raw,+setuid --ambient-caps=+net_raw,+setuid' \
	    'setpriv --inh-caps=+net_raw --ambient-caps=+net_raw' \
	    'setpriv --reuid=7002 --regid=7002 --clear-groups
	    --inh-caps=+setuid,+setgid --ambient-caps=+setuid,+setgid' \
	    'setpriv --reuid=7001 --regid=7001 --groups=7001,7044
	    --inh-caps=+net_raw --ambient-caps=+net_raw'; do
		setuser_via "$via" 0 app \
		    awk '/^Cap(Inh|Prm|Eff|Amb)/ { print $1, $2 }' \
		    /proc/self/status
		[ "$out" = "CapInh: 0000000000000000
CapPrm: 0000000000000000
CapEff: 0000000000000000
CapAmb: 0000000000000000" ] || fail "$via: $out"
	done
	# root stays what it is.
	setuser 0 root grep CapEff /proc/self/status
	[ "$out" = "$(container_exec grep CapEff /proc/self/status)" ]
	[[ $out != *0000000000000000 ]]
}

@test "not root, or root without the capabilities: 111" {
	container_start --
	local user without
	for user in app 7001 7099 root 0 nologin7:app; do
		is_refused "$(as 7002 7002 7002)" 111 "setuser: cannot become *:\
 Operation not permitted (setuser must be started by root)" $user
	done
	for without in -setuid -setgid -all; do
		is_refused "setpriv --inh-caps=-all --bounding-set=$without" 111 \
		    "setuser: cannot become app: Operation not permitted (setuser\
 needs the capabilities SETUID and SETGID)" app
	done
	becomes_via "setpriv --inh-caps=-all --bounding-set=-all --groups=0" root 0 0 0
}

@test "who is that already needs no privilege" {
	container_start --
	local user
	for user in app 7001; do
		becomes_via "$(as 7001 7001 7001,7044)" $user 7001 7001 7001 7044
		# As older versions of docker have it.
		becomes_via "$(as 7001 7001 7044)" $user 7001 7001 7044
		setuser_via "$(as 7001 7001 7044)" 0 $user \
		    sh -c 'echo $USER $HOME $UID'
		[ "$out" = "app /home/app 7001" ]
		# In fewer groups, in more, in another.
		is_refused "$(as 7001 7001 7001)" 111 "setuser: cannot *" $user
		is_refused "$(as 7001 7001 7001,7044,7045)" 111 \
		    "setuser: cannot *" $user
		is_refused "$(as 7001 0 7001,7044)" 111 "setuser: cannot *" $user
		is_refused "$(as 7001 7044 7001,7044)" 111 "setuser: cannot *" $user
	done
	# Not in all respects: real and effective differ.
	is_refused "setpriv --euid=7001 --regid=7001 --groups=7001,7044" 111 \
	    "setuser: cannot *" app
	is_refused "setpriv --ruid=7002 --euid=7001 --regid=7001
	    --groups=7001,7044" 111 "setuser: cannot *" app
	is_refused "setpriv --reuid=7001 --rgid=7044 --egid=7001
	    --groups=7001,7044" 111 "setuser: cannot *" app
	is_refused "setpriv --reuid=7001 --rgid=7001 --egid=7044
	    --groups=7001,7044" 111 "setuser: cannot *" app
	becomes_via "$(as 7001 7045 7045)" app:other 7001 7045 7045
	# docker run --user 7099 is in group 0, and stays there.
	becomes_via "$(as 7099 0 0)" 7099 7099 0 0
	becomes_via "$(as 7099 0 0,7045)" 7099 7099 0 0 7045
	becomes_via "$(as 7099 0 0)" 7099:root 7099 0 0
	setuser_via "$(as 7099 0 0)" 0 7099 sh -c 'echo $USER $HOME $UID $GID'
	[ "$out" = "7099 / 7099 0" ]
	is_refused "$(as 7099 0 0)" 111 "setuser: cannot *" 7099:7099
	is_refused "$(as 7099 0 0)" 111 "setuser: cannot *" 7098
}

@test "a user namespace without that number" {
	container_start --
	# unshare(1) itself makes none in which setgroups(2) is allowed.
	cat >"$(container_file /tmp/unshare)" <<-'EOS'
	unshare --user sh -c 'until [ $(id -u) = 0 ]; do sleep 0.02; done
	    exec "$@"' sh "$@" &
	until echo 0 0 1 >/proc/$!/gid_map; do sleep 0.02; done 2>/dev/null
	echo 0 0 1 >/proc/$!/uid_map
	wait $!
	EOS
	is_refused "sh /tmp/unshare" 111 "setuser: cannot become app: Invalid argument (the container's user\
 namespace has no such number)" app
}

@test "a user with as many processes as it may have: 126, and not root instead" {
	container_start --
	container_exec setuser app sh -c 'sleep 1000 & sleep 1000 &' </dev/null \
	    >/dev/null 2>&1 3>&-
	is_refused "prlimit --nproc=1" 126 "setuser: cannot execute sh: Resource\
 temporarily unavailable (that user runs as many processes as it may)" app
}

# --- with my_init ------------------------------------------------------------------------
@test "a service through setuser: its pid is the command's, its signals arrive" {
	root_file /opt/daemon 755 <<-'EOS'
	#!/bin/bash
	trap 'echo "daemon got TERM"; exit 3' TERM
	trap 'echo "daemon got HUP"' HUP
	/opt/ids | sed 's/^/daemon /'
	echo "daemon is $USER in $PWD with $FOO"
	echo "daemon up $$"
	while :; do sleep 1000 & wait $!; done
	EOS
	service daemon <<-'EOS'
	#!/bin/sh
	exec /sbin/setuser app /opt/daemon
	EOS
	root_file /etc/service/daemon/finish 755 <<-'EOS'
	#!/bin/sh
	echo "daemon finish $1 $2 $(id -u)"
	EOS
	service unknown <<-'EOS'
	#!/bin/sh
	exec /sbin/setuser nobody7 sh -c 'echo "executed as $(id)"'
	EOS
	container_start FOO=foo --
	wait_output '^daemon up [0-9]*$'
	wait_output '^daemon Uid: 7001 7001 7001 7001$'
	wait_output '^daemon Groups: 7001 7044$'
	wait_output '^daemon is app in /etc/service/daemon with foo$'
	wait_output '^setuser: user nobody7 not found$'
	[ "$(container_exec initctl --json status daemon |
	    python3 -c 'import json, sys
print(json.load(sys.stdin)["services"][0]["pid"])')" = "$(said_pid daemon)" ]
	container_exec initctl reload daemon
	wait_output '^daemon got HUP$'
	container_exec initctl stop daemon
	wait_output '^daemon got TERM$'
	wait_output '^daemon finish 3 0 0$'
	no_output '^executed as'
	# Which executes setuser again and again.
	container_exec initctl stop unknown
	! container_exec pgrep -x setuser
}

@test "the main command through setuser, as root and with --user" {
	container_run -- --quiet -- setuser app sh -c '/opt/ids; exit 7'
	[ "$status" -eq 7 ]
	[[ $stdout == *"Uid: 7001 7001 7001 7001"* ]]
	container_run -- --quiet -- setuser nobody7 echo EXECUTED
	[ "$status" -eq 1 ]
	[[ $stdout$stderr != *EXECUTED* ]]
	container_run --user 7099 -- --quiet -- setuser 7099 sh -c '/opt/ids; exit 8'
	[ "$status" -eq 8 ]
	[[ $stdout == *"Uid: 7099 7099 7099 7099"* ]]
	container_run --no-caps -- --quiet -- setuser app echo EXECUTED
	[ "$status" -eq 111 ]
	[[ $stdout$stderr != *EXECUTED* ]]
	# No descriptor at all, and a read-only root.
	container_run --all-closed -- --quiet -- setuser app sh -c 'exit 9'
	[ "$status" -eq 9 ]
	container_run --all-closed -- --quiet -- setuser nobody7 sh -c 'exit 9'
	[ "$status" -eq 1 ]
	container_run --read-only -- --quiet -- setuser app sh -c 'exit 10'
	[ "$status" -eq 10 ]
}
